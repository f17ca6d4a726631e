"""A study of any kind, from a file, a name, a folder of results, or plain values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rheobase._errors import InputError, check_option
from rheobase._ranks import check_alone
from rheobase.kinds import KINDS, Kind, kind_of
from rheobase.study_source import Read, put, read_source
from rheobase.tables.lines import key_lines
from rheobase.tables.parse import parse_table
from rheobase.tables.text import toml_text

if TYPE_CHECKING:
    from rheobase.plans.plan import Plan
    from rheobase.results import Result
    from rheobase.tables.base import Table

Source = str | Path | Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyFile:
    """A study that was read and checked.

    Parameters
    ----------
    kind
        What kind of study it is.
    study, table
        The checked tables, and the plain values that they were made of.
    text
        The TOML text.
    name
        What it is called: the stem of its file.
    where, lines
        What errors call it, and the text whose lines they tell, None for plain values.
    folder
        Where its paths start; the working folder if None.
    out
        Where its results go unless told otherwise.
    """

    kind: Kind
    study: Table
    table: dict[str, Any]
    text: str
    name: str
    where: str
    lines: str | None
    folder: Path | None
    out: Path

    @property
    def title(self) -> str:
        """Its title."""
        return str(getattr(self.study, "title", self.name))

    def check(self) -> None:
        """Refuse names, files and numbers that cannot be used, before any long work.

        Raises
        ------
        InputError
            With the line in the file where it names the place.
        """
        with self._told():
            self.kind.function("check")(self.study)

    def plan(self) -> Plan:
        """Return what running it will take, after `check`.

        Raises
        ------
        InputError
            As `check`.
        """
        with self._told():
            found: Plan = self.kind.function("plan")(self.study)
        return found

    def run(self, out: Path | str | None = None) -> Result:
        """Run it and write report, pictures and data.

        Parameters
        ----------
        out
            Folder of the results, ``self.out`` without.

        Raises
        ------
        InputError
            As `check`, where the study does not fit its head, or where several MPI ranks cannot
            share a study of its kind.
        """
        if self.kind.name != "field":
            check_alone(f"a study of the kind {self.kind.name}")
        with self._told():
            found: Result = self.kind.function("run")(
                self.study,
                text=self.text,
                out=self.out if out is None else Path(out),
                folder=self.folder or Path.cwd(),
            )
        return found

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Add file and line to an error that ends with a place of the file."""
        try:
            yield
        except InputError as error:
            line = None if self.lines is None else _line_in(self.lines, str(error))
            if line is None or self.where in str(error):
                raise
            raise InputError(f"{error} ({self.where}, line {line})") from error


def _line_in(text: str, message: str) -> int | None:
    """Return the line of the dotted place that a message ends with, None where there is none."""
    found = re.search(r"(?:^|[:\s])\[*([A-Za-z_]\w*(?:\.\w+)*)\]*$", message)
    if found is None:
        return None
    place = tuple(int(part) if part.isdigit() else part for part in found.group(1).split("."))
    return key_lines(text).get(place)


def load_study(
    source: Source,
    *,
    kind: str | None = None,
    change: Mapping[str, Any] | None = None,
    without: tuple[str, ...] = (),
    name: str = "study",
    folder: Path | None = None,
) -> StudyFile:
    """Read and check a study of any kind.

    Parameters
    ----------
    source
        A TOML file, the name of a shipped study, a folder of results (its study is read again, its
        paths start where they did), or the tables themselves.
    kind
        The kind that it must be (`rheobase.kinds.KINDS`); found out without.
    change
        Other values by ``table.key``.
    without
        Tables that are left out.
    name, folder
        What a study of plain values is called, and where its paths start.

    Raises
    ------
    InputError
        If there is no such file, name or run; if it is no TOML, of another kind, or holds an
        unknown key or a value out of range, with the line.

    Examples
    --------
    >>> load_study("stn").kind.name
    'dbs'
    """
    if isinstance(source, Mapping):
        read = Read(
            table=deepcopy(dict(source)),
            text=toml_text(source),
            name=name,
            where=name,
            folder=folder,
        )
    else:
        read = read_source(source, kind)
    table, text, where = read.table, read.text, read.where
    lines = None if isinstance(source, Mapping) else text
    dropped = [name for name in without if name in table]
    if change or dropped:
        for name in dropped:
            del table[name]
        for key, value in (change or {}).items():
            put(table, key, value)
        text = toml_text(table)
        where += " with other values" if change else ""
    found = _kind(table, kind or read.kind, where=where)
    study = parse_table(found.table(), table, where=where, folder=read.folder, text=lines)
    return StudyFile(
        kind=found,
        study=study,
        table=table,
        text=text,
        name=read.name,
        where=where,
        lines=lines,
        folder=read.folder,
        out=read.out or Path("out") / read.name,
    )


def run(
    study: Source | StudyFile,
    *,
    out: Path | str | None = None,
    change: Mapping[str, Any] | None = None,
) -> Result:
    """Run a study of any kind.

    Parameters
    ----------
    study
        A file, a shipped name, a folder of results, the tables themselves, or what `load_study`
        returned.
    out
        Folder of the results; ``out/NAME`` without, the folder itself for one of results.
    change
        Other values by ``table.key``.

    Raises
    ------
    InputError
        As `load_study`, or where the study does not fit its head.
    """
    if isinstance(study, StudyFile):
        if not change:
            return study.run(out)
        study = load_study(
            study.table, kind=study.kind.name, change=change, name=study.name, folder=study.folder
        )
        return study.run(out)
    return load_study(study, change=change).run(out)


def _kind(table: Mapping[str, Any], wanted: str | None, *, where: str) -> Kind:
    """Return the kind of a study, or refuse one of another kind than ``wanted``."""
    if wanted is None:
        return kind_of(table, where=where)
    expected = KINDS[check_option("kind of study", wanted, KINDS)]
    if expected.name == "uncertainty":
        expected = KINDS["field"]
    key = expected.key
    if key not in table:  # a study of another kind, or one that lacks this table
        found = kind_of(table, where=where)
        raise InputError(
            f"expected a study with [{key}] ({expected.name}), got one with [{found.key}] "
            f"({found.name}): rheobase run takes it: {where}"
        )
    return KINDS[wanted]
