"""What a report says as plain values, so that it can be drawn again from its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from rheobase._errors import InputError
from rheobase._files import whole_file
from rheobase.report import Content, Picture, Section, Table


def write_content(path: Path, content: Content, out: Path) -> None:
    """Write what a report says as JSON; pictures by their path from the folder ``out``."""
    record = {
        "title": content.title,
        "question": content.question,
        "facts": dict(content.facts),
        "sections": [
            {
                "title": s.title,
                "paragraphs": list(s.paragraphs),
                "figures": [
                    {"path": f.path.relative_to(out).as_posix(), "caption": f.caption}
                    for f in s.figures
                ],
                "tables": [_from_table(t) for t in s.tables],
            }
            for s in content.sections
        ],
        "notes": list(content.notes),
        "tables": {name: _from_table(t) for name, t in content.tables.items()},
    }
    with whole_file(path) as part:
        part.write_text(
            json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n",
            encoding="utf-8",
        )


def read_content(path: Path, out: Path) -> Content:
    """Read what `write_content` wrote.

    Raises
    ------
    InputError
        If the file is missing, damaged or of another kind.
    """
    record = read_json(path)
    try:
        return Content(
            title=record["title"],
            question=record["question"],
            facts=record["facts"],
            sections=[
                Section(
                    title=s["title"],
                    paragraphs=s["paragraphs"],
                    figures=[
                        Picture(path=out / f["path"], caption=f["caption"]) for f in s["figures"]
                    ],
                    tables=[_to_table(t) for t in s["tables"]],
                )
                for s in record["sections"]
            ],
            notes=record["notes"],
            tables={name: _to_table(t) for name, t in record["tables"].items()},
        )
    except (KeyError, TypeError) as error:
        raise InputError(f"expected what a report says, {path} lacks {error}") from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a result's folder.

    Raises
    ------
    InputError
        If there is none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"expected the folder of a result, found no {path}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"expected a JSON object in {path}")
    return found


def _from_table(table: Table) -> dict[str, Any]:
    rows = [[_plain(cell) for cell in row] for row in table.rows]
    return {"title": table.title, "columns": list(table.columns), "rows": rows}


def _to_table(record: Mapping[str, Any]) -> Table:
    rows = [
        tuple(float(c["float"]) if isinstance(c, dict) else c for c in row)
        for row in record["rows"]
    ]
    return Table(title=record["title"], columns=tuple(record["columns"]), rows=rows)


def _plain(cell: Any) -> Any:
    """Return a cell as JSON has it; infinite numbers by their name."""
    value = cell.item() if hasattr(cell, "item") else cell
    return {"float": repr(value)} if isinstance(value, float) and not isfinite(value) else value
