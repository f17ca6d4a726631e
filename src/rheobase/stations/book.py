"""What the stations of a study add to: sections, tables, files, notes, facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rheobase._files import whole_file
from rheobase.report import Picture, Section, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The growing result of one run, in the order of the work.

    Parameters
    ----------
    out
        Folder of the results.
    sections
        Parts of the report.
    tables
        Tables that the command line prints too, by title.
    files
        Files written.
    notes
        What a reader must know before using the numbers.
    details
        Facts for ``provenance.json``, by station.
    """

    out: Path
    sections: list[Section] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def picture(self, name: str, figure: Figure, caption: str) -> Picture:
        """Write a figure as ``pictures/<name>.png`` and return it with its caption."""
        path = self.out / "pictures" / f"{name}.png"
        with whole_file(path) as part:
            figure.savefig(part)
        self.files.append(path)
        return Picture(path=path, caption=caption)
