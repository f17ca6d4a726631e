"""The command line as a page: every command with its arguments and options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def page() -> str:
    """Return the page in Markdown, made from the commands themselves."""
    import typer

    from rheobase.__main__ import app

    root = typer.main.get_command(app)
    lines: list[str] = []
    for key, verb in _parts(root, "rheobase").items():
        lines += _lines(verb, f"rheobase {key}", level=2)
    return "\n".join(lines) + "\n"


def _lines(command: Any, name: str, *, level: int) -> Iterator[str]:
    """Yield what one command says, and the commands below it."""
    yield f"{'#' * level} {name}\n"
    if command.help:
        yield f"{_prose(command.help)}\n"
    parts = _parts(command, name)
    if not parts:
        yield from _parameters(command, name)
    for key, part in parts.items():
        yield from _lines(part, f"{name} {key}", level=level + 1)


def _parameters(command: Any, name: str) -> Iterator[str]:
    """Yield the usage and one line for each argument and option."""
    shown = [p for p in command.params if not getattr(p, "hidden", False)]
    arguments = [p for p in shown if p.param_type_name == "argument"]
    usage = " ".join([name, *(_metavar(p) for p in arguments), "[OPTIONS]"])
    yield f"```console\n$ {usage}\n```\n"
    rows = [(_names(p), _says(p)) for p in shown if "--help" not in p.opts]
    if rows:
        yield "| argument or option | what it is |\n|---|---|"
        yield from (f"| {left} | {right} |" for left, right in rows)
        yield ""


def _metavar(parameter: Any) -> str:
    name = str(parameter.name).upper()
    name += "..." if parameter.nargs == -1 else ""
    return name if parameter.required else f"[{name}]"


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{_metavar(parameter)}`"
    return ", ".join(f"`{o}`" for o in [*parameter.opts, *parameter.secondary_opts])


def _says(parameter: Any) -> str:
    said = _prose(parameter.help or "").replace("|", r"\|")
    default = parameter.default
    plain = isinstance(default, str | int | float) and not isinstance(default, bool)
    return f"{said} Default: `{default}`." if plain and str(default) else said


def _prose(text: str) -> str:
    return " ".join(text.replace("\b", "").split())


def _parts(command: Any, name: str) -> dict[str, Any]:
    """Return the commands below one, loading those that load when they are used."""
    import typer

    if not hasattr(command, "list_commands"):
        return {}
    context = typer.Context(command, info_name=name)
    found = {key: command.get_command(context, key) for key in command.list_commands(context)}
    return {key: part for key, part in found.items() if part is not None and not part.hidden}
