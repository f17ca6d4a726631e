"""What the report of a study says: sections of words, pictures and tables."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A PNG file and what it shows."""

    path: Path
    caption: str

    @property
    def data(self) -> str:
        """The file in base64."""
        return base64.b64encode(self.path.read_bytes()).decode()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height (pixels), from the file's header."""
        with self.path.open("rb") as file:
            width, height = struct.unpack(">II", file.read(24)[16:])
        return width, height


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under named columns, with a title where several stand together; four digits."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | int]]
    title: str = ""

    @property
    def numeric(self) -> set[int]:
        """Columns of numbers alone."""
        return {
            k
            for k in range(len(self.columns))
            if self.rows and all(isinstance(row[k], int | float) for row in self.rows)
        }

    def text(self) -> str:
        """Return the table as aligned text."""
        cells = [list(self.columns)] + [[cell(c) for c in row] for row in self.rows]
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


def cell(value: str | float | int) -> str:
    """Return what stands in a cell: four digits of a number that is not whole."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a report says, apart from provenance.

    Parameters
    ----------
    title, question
        What was studied.
    facts
        What a reader wants first, by name: head, device, the largest field …
    sections
        The parts in their order.
    notes
        What a reader must know before using the numbers.
    tables
        The tables that the command line prints, by title.
    """

    title: str
    question: str
    facts: Mapping[str, str]
    sections: Sequence[Section]
    notes: Sequence[str]
    tables: Mapping[str, Table]
