"""What the stations of a study add to, and the one door through which they write files."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rheobase._errors import InputError
from rheobase._files import Door, whole_file
from rheobase.naming import file_name, label
from rheobase.provenance import PROVENANCE, write_provenance
from rheobase.report import Picture, Section, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.scenes.scene import Layer

Role = Literal[
    "study", "data", "field", "statistics", "cells", "network", "samples", "montage", "figure",
    "scene", "report", "description",
]  # fmt: skip
FIGURES = "figures"
GROUP = "group"
SMALL = 32 * 2**20  # bytes of a file that is checksummed


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A file of a result.

    Parameters
    ----------
    path
        Where it is, from the folder of the result.
    role, title
        What it is for, and what it holds.
    """

    path: str
    role: Role
    title: str

    def record(self, out: Path) -> dict[str, Any]:
        """Return the entry of ``provenance.json``; a checksum for files up to 32 MiB."""
        file = out / self.path
        size = file.stat().st_size
        entry: dict[str, Any] = {"path": self.path, "role": self.role, "title": self.title}
        entry["bytes"] = size
        if size <= SMALL:
            entry["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
        return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The growing result of one run, in the order of the work.

    Parameters
    ----------
    out
        Folder of the results.
    subject
        Label of the head or animal; "" for results of several, which stand in ``group/``.
    facts
        What a reader of the report wants first, by name.
    sections
        Parts of the report.
    tables
        Tables that the command line prints too, by title.
    begun
        What is known of the run at its start, for ``provenance.json`` while it is not finished.
    scene, frame
        Layers of the 3-D scene, and what else `rheobase.scenes.Scene` has but its title.
    outputs
        Files written.
    notes
        What a reader must know before using the numbers.
    details
        Facts for ``provenance.json``, by station.
    later
        Files that are written beside other work: whole when it is closed.
    """

    out: Path
    subject: str = ""
    begun: Mapping[str, Any] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    scene: list[Layer] = field(default_factory=list)
    frame: dict[str, Any] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    later: ExitStack = field(default_factory=ExitStack)

    @contextmanager
    def file(
        self, suffix: str, extension: str, *, title: str, role: Role = "data", **entities: str
    ) -> Iterator[Path]:
        """Give a path to write a data file to; it has its name when the block succeeds.

        Parameters
        ----------
        suffix, extension, **entities
            Of the name, as `rheobase.naming.file_name` takes them; ``sub`` is known.
        title, role
            What it holds, and what it is for. A second file of a name gets a number.
        """
        taken, number, found = {o.path for o in self.outputs}, 1, dict(entities)
        while True:
            path = self.path(suffix, extension, **found).relative_to(self.out).as_posix()
            if path not in taken:
                break
            number += 1  # names that differ in signs alone: "2.5 mA" and "25 mA"
            found["desc"] = f"{entities.get('desc', '')} v{number}"
        with self.own(path, title=title, role=role) as part:
            yield part

    @contextmanager
    def own(self, path: str, *, title: str, role: Role) -> Iterator[Path]:
        """Give a path to write a file to that has a name of its own (``study.toml``).

        Raises
        ------
        InputError
            If this run has written a file of that name.
        """
        if any(o.path == path for o in self.outputs):
            raise InputError(f"two files of a result would be called {path}")
        with whole_file(self.out / path) as part:
            yield part
        self._add(Output(path=path, role=role, title=title))

    def door(self, suffix: str, *, title: str, role: Role = "data") -> Door:
        """Return a door for a writer of several files with the same suffix."""
        return partial(self.file, suffix, title=title, role=role)

    def path(self, suffix: str, extension: str, **entities: str) -> Path:
        """Return where a data file stands, for a writer that keeps it open: see `has`."""
        name = file_name(suffix, extension, sub=self.subject, **entities)
        return self.out / (f"sub-{label(self.subject)}" if self.subject else GROUP) / name

    def has(self, path: Path, *, title: str, role: Role) -> None:
        """Count a file in the folder of the results that another writer has written."""
        name = path.relative_to(self.out).as_posix()
        self._add(Output(path=name, role=role, title=title))

    def _add(self, output: Output) -> None:
        """Count a file, and say in ``provenance.json`` that the run has come that far."""
        self.outputs.append(output)
        done = {"finished": False, "outputs": [asdict(o) for o in self.outputs]}
        write_provenance(self.out / PROVENANCE, {**self.begun, **done})

    def figure_path(self, name: str) -> Path:
        """Return where the picture ``name`` (PNG) stands."""
        return self.out / FIGURES / file_name("figure", ".png", sub=self.subject, desc=name)

    def has_figure(self, name: str, caption: str) -> Picture:
        """Count a picture that another writer has written and return it with its caption."""
        path = self.figure_path(name)
        self.has(path, title=caption, role="figure")
        return Picture(path=path, caption=caption)

    def drawn(
        self, name: str, caption: str, view: Callable[..., Figure], *args: Any, **how: Any
    ) -> Picture:
        """Write the figure that a function draws, or the same as kept; return it with its caption.

        Parameters
        ----------
        name, caption
            Of the picture.
        view, *args, **how
            As `rheobase.stations.kept_figures.kept_figure` takes them.
        """
        from rheobase.stations.kept_figures import kept_figure

        with whole_file(self.figure_path(name)) as part:
            part.write_bytes(kept_figure(view, *args, **how))
        return self.has_figure(name, caption)

    def picture(self, name: str, figure: Figure, caption: str) -> Picture:
        """Write a figure and return it with its caption."""
        with whole_file(self.figure_path(name)) as part:
            figure.savefig(part)
        return self.has_figure(name, caption)


def write_rows(
    book: Book, suffix: str, rows: Sequence[Mapping[str, Any]], *, title: str, desc: str = ""
) -> None:
    """Write rows as CSV."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    with (
        book.file(suffix, ".csv", desc=desc, title=title, role="statistics") as part,
        part.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, keys, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_record(book: Book, suffix: str, record: Mapping[str, Any], *, title: str) -> None:
    """Write plain values as JSON."""
    with book.file(suffix, ".json", title=title) as part:
        part.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n", encoding="utf-8")
