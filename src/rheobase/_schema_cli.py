"""Command line: ``rheobase schema``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def _complete_kind(incomplete: str) -> list[tuple[str, str]]:
    from rheobase.schema import FILES

    return [(name, what) for name, (_, what, _) in FILES.items() if name.startswith(incomplete)]


def schema(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="field, dbs, fus, loop, optimise, cross-species or sweep; all without.",
            autocompletion=_complete_kind,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write, instead of printing.")
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="List tables and keys for reading, of one kind.")
    ] = False,
) -> None:
    """Give the JSON Schema of study files, by which editors complete and check them."""
    import json

    from rheobase._errors import InputError
    from rheobase._files import whole_file
    from rheobase.schema import every_schema, study_schema

    if markdown:
        if kind is None:
            raise InputError("expected a kind of study: rheobase schema KIND --markdown")
        from rheobase.schema_text import schema_markdown

        text = schema_markdown(kind)
    else:
        found = every_schema() if kind is None else study_schema(kind)
        text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    with whole_file(out) as part:
        part.write_text(text, encoding="utf-8")
    typer.echo(out)
