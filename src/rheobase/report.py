"""The report of a study: one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from rheobase._files import whole_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A PNG file and what it shows."""

    path: Path
    caption: str

    @property
    def data(self) -> str:
        """The file in base64."""
        return base64.b64encode(self.path.read_bytes()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under named columns, with a title where several stand together; four digits."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | int]]
    title: str = ""

    def text(self) -> str:
        """Return the table as aligned text."""
        cells = [list(self.columns)] + [[_cell(c) for c in row] for row in self.rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        return "\n".join(
            "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
            for row in cells
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of the report."""

    title: str
    paragraphs: Sequence[str] = ()
    figures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()


def _cell(value: str | float | int) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a report says, apart from provenance.

    Parameters
    ----------
    title, question
        What was studied.
    sections
        The parts in their order.
    notes
        What a reader must know before using the numbers.
    tables
        The tables that the command line prints, by title.
    """

    title: str
    question: str
    sections: Sequence[Section]
    notes: Sequence[str]
    tables: Mapping[str, Table]


def write_report(path: Path, content: Content, *, record: Mapping[str, Any]) -> None:
    """Write the report.

    Parameters
    ----------
    path
        The HTML file.
    content
        What it says.
    record
        Provenance, with the text of the study.
    """
    from jinja2 import Environment

    environment = Environment(autoescape=True)
    environment.filters["cell"] = _cell
    template = environment.from_string(
        files("rheobase").joinpath("data/report.html").read_text(encoding="utf-8")
    )
    shown = {k: v for k, v in record.items() if k not in {"study", "outputs"}}
    html = template.render(
        title=content.title,
        question=content.question,
        sections=content.sections,
        notes=content.notes,
        study=record["study"]["text"],
        provenance=json.dumps(shown, indent=2, default=str),
        version=record["packages"]["rheobase"],
        created=record["created"],
    )
    with whole_file(path) as part:
        part.write_text(html, encoding="utf-8")
