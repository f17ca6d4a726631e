"""Command line: ``rheobase cache list | size | clear``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rheobase._cache import KINDS, age_text, clear, kept, parse_age, size_text
from rheobase._cli_options import AsJson, say_json

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Heads, fields and tables that were kept: list them, tell their size, clear them. The "
    "folder is RHEOBASE_CACHE, the most it may take RHEOBASE_CACHE_GB (20).",
)


def _complete_kind(incomplete: str) -> list[tuple[str, str]]:
    return [(name, what) for name, what in KINDS.items() if name.startswith(incomplete)]


Kind = Annotated[
    str | None,
    typer.Option("--kind", help=f"Of {', '.join(KINDS)}.", autocompletion=_complete_kind),
]
Older = Annotated[
    str | None,
    typer.Option("--older-than", help="Not used for so long: 30d, 12h, 90min."),
]


def _chosen(kind: str | None, older: str | None) -> list[Any]:
    return list(kept(kind, older=0.0 if older is None else parse_age(older)))


@app.command("list")
def listing(kind: Kind = None, older_than: Older = None, as_json: AsJson = False) -> None:
    """List the files, those used last first."""
    found = _chosen(kind, older_than)
    if as_json:
        say_json(
            [
                {"kind": k.kind, "file": str(k.path), "bytes": k.bytes, "age_s": round(k.age)}
                for k in found
            ]
        )
        return
    from rheobase.report import Table

    rows = [(k.kind, k.path.name, size_text(k.bytes), age_text(k.age)) for k in found]
    if rows:
        typer.echo(Table(columns=("kind", "file", "size", "last used"), rows=rows).text())


@app.command()
def size(as_json: AsJson = False) -> None:
    """Tell how much each kind takes, and how much all may."""
    from rheobase._files import cache_dir, cache_limit
    from rheobase.report import Table

    found = kept()
    kinds = dict.fromkeys([*KINDS, *(k.kind for k in found)])
    sums = {name: [k.bytes for k in found if k.kind == name] for name in kinds}
    if as_json:
        say_json(
            {
                "folder": str(cache_dir()),
                "bytes": sum(k.bytes for k in found),
                "most_bytes": cache_limit(),
                "kinds": {n: {"files": len(b), "bytes": sum(b)} for n, b in sums.items()},
            }
        )
        return
    rows = [(n, len(b), size_text(sum(b)), KINDS.get(n, "")) for n, b in sums.items() if b]
    total = size_text(sum(k.bytes for k in found))
    typer.echo(f"{cache_dir()}: {total} of at most {size_text(cache_limit())}")
    if rows:
        typer.echo(Table(columns=("kind", "files", "size", ""), rows=rows).text())


@app.command("clear")
def clearing(kind: Kind = None, older_than: Older = None, as_json: AsJson = False) -> None:
    """Remove files: all, those of a kind, or those not used for long."""
    found = _chosen(kind, older_than)
    freed = clear(found)
    if as_json:
        say_json({"files": len(found), "bytes": freed})
    else:
        typer.echo(f"{len(found)} files removed, {size_text(freed)} freed")
