"""Command line: ``rheobase schema``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rheobase._cli_options import say_json


def _complete_kind(incomplete: str) -> list[tuple[str, str]]:
    from rheobase.kinds import KINDS

    return [(k.name, k.what) for k in KINDS.values() if k.key and k.name.startswith(incomplete)]


def schema(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="field, dbs, fus, loop, optimise or cross-species; all kinds without.",
            autocompletion=_complete_kind,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write, instead of printing.")
    ] = None,
) -> None:
    """Give the JSON Schema of study files, by which editors complete and check them."""
    import json

    from rheobase._files import whole_file
    from rheobase.schema import every_schema, study_schema

    found = every_schema() if kind is None else study_schema(kind)
    if out is None:
        say_json(found)
        return
    with whole_file(out) as part:
        part.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    typer.echo(out)
