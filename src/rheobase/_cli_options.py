"""What verbs of the command line share: options, completion, and how a study is carried out."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rheobase._errors import InputError

if TYPE_CHECKING:
    from rheobase.results import Result
    from rheobase.study_file import StudyFile


def complete_study(incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield shipped studies, and files and folders, that begin like ``incomplete``."""
    from rheobase.kinds import KINDS

    for kind in KINDS.values():
        for name in kind.studies():
            if name.startswith(incomplete):
                yield name, kind.what
    typed = incomplete[: incomplete.rfind("/") + 1]
    folder = Path(typed or ".")
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        shown = typed + path.name
        if not shown.startswith(incomplete) or path.name.startswith("."):
            continue
        if path.is_dir():
            yield f"{shown}/", "folder of results" if (path / "study.toml").is_file() else ""
        elif path.suffix == ".toml":
            yield shown, "study file"


def complete_head(incomplete: str) -> list[tuple[str, str]]:
    """Return the built-in heads that begin like ``incomplete``."""
    from rheobase.meshes.heads import BUILT_IN

    return [(name, h.what) for name, h in BUILT_IN.items() if name.startswith(incomplete)]


StudySource = Annotated[
    str,
    typer.Argument(
        help="A study file, the name of a shipped study, or a folder of results.",
        metavar="STUDY",
        autocompletion=complete_study,
    ),
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder of the results.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Check the study, say what it will take, and stop."),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", help="Another value, table.key=value: cells.placements=100."),
]


def parse_options(pairs: list[str], *, where: str = "--option") -> dict[str, Any]:
    """Return ``name=value`` texts as a mapping; a value is TOML where it can be, else text.

    Parameters
    ----------
    pairs
        The texts.
    where
        The option that they came with.

    Examples
    --------
    >>> parse_options(["columns=2000", "area=V1", "radii_mm=[80.0, 90.0]"])
    {'columns': 2000, 'area': 'V1', 'radii_mm': [80.0, 90.0]}
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (equals and name.strip()):
            raise InputError(f"expected {where} name=value, got {pair!r}")
        try:
            found[name.strip()] = tomllib.loads(f"x = {value}")["x"]
        except tomllib.TOMLDecodeError:
            found[name.strip()] = value.strip()
    return found


def changes(pairs: list[str] | None) -> dict[str, Any]:
    """Return the values of ``--set`` by ``table.key``."""
    return parse_options(pairs or [], where="--set")


def carry_out(study: StudyFile, *, out: Path | None, as_json: bool, dry_run: bool = False) -> None:
    """Run a study and print its tables and files, or say what it will take."""
    if not dry_run:
        tell(study.run(out), as_json=as_json)
        return
    study.check()
    plan = study.plan()
    if as_json:
        say_json({"study": study.name, "kind": study.kind.name, **plan.as_dict()})
        return
    typer.echo(f"{study.name}: valid: {study.title}")
    typer.echo(plan.text())


def tell(result: Result, *, as_json: bool) -> None:
    """Print the tables of a run and its files, or all of it as JSON."""
    if as_json:
        say_json(result.as_dict())
        return
    typer.echo(result.table())
    for path in result.files:
        typer.echo(path)


def say_json(record: Any) -> None:
    """Print plain values as JSON: what has no number there (a cell that never fires) is null."""
    typer.echo(json.dumps(record, indent=2, allow_nan=False, ensure_ascii=False))
