"""Run a study: head, field, cells, network, then files and report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from rheobase._files import whole_file
from rheobase._progress import stage
from rheobase.config import Study
from rheobase.provenance import provenance, write_provenance
from rheobase.report import Table, write_report
from rheobase.stations.book import Book
from rheobase.stations.brain import brain_station, check_brain
from rheobase.stations.cells import cells_station, check_cortex
from rheobase.stations.columns import check_columns, polarised_columns, pulsed_columns
from rheobase.stations.eeg import brain_eeg, check_eeg, columns_eeg
from rheobase.stations.field import field_station
from rheobase.stations.head import head_station
from rheobase.stations.inputs import open_inputs
from rheobase.stations.network import network_station
from rheobase.stations.placing import place_device
from rheobase.stations.polarised import polarisation_station
from rheobase.tables.coil import TMS
from rheobase.tables.network import Columns, Microcircuit


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a study made.

    Parameters
    ----------
    title
        Title of the study.
    tables
        The tables of the report by name.
    files
        Every file written, the report first.
    """

    title: str
    tables: Mapping[str, Table]
    files: tuple[Path, ...]

    def table(self) -> str:
        """Return the tables as text."""
        parts = [self.title] + [f"{name}\n{t.text()}" for name, t in self.tables.items()]
        return "\n\n".join(parts) + "\n"

    def as_dict(self) -> dict[str, Any]:
        """Return the tables and the files as plain values."""
        return {
            "title": self.title,
            "tables": {
                name: [dict(zip(t.columns, map(_finite, row), strict=True)) for row in t.rows]
                for name, t in self.tables.items()
            },
            "files": [str(f) for f in self.files],
        }


def run_study(study: Study, *, text: str, out: Path, folder: Path | None = None) -> Result:
    """Run a study and write its results into ``out``.

    Parameters
    ----------
    study, text
        The checked study and the text of its file.
    out
        Folder of the results; made when absent. Every file in it is whole or absent.
    folder
        Where the paths in the study start, for the record: a run is repeated from its results.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        If a name in the study is unknown or a file damaged, before the head is built; if the device
        does not fit the head, before the conductor is assembled.
    """
    inputs = open_inputs(study)
    book = open_book(text, out)
    head = head_station(study.head, book)
    if study.cells:
        check_cortex(study.cells, head)
    if isinstance(study.network, Columns):
        check_columns(head.species)
    if study.brain:
        check_brain(head)
    if study.eeg:
        check_eeg(study.eeg, head)
    placed = place_device(study, head, inputs)
    device = field_station(study, placed, inputs, book)
    if study.cells and isinstance(study.device, TMS):
        assert inputs.waveform is not None  # open_inputs
        cells = cells_station(study, study.cells, study.device, inputs.waveform, device, book)
        if isinstance(study.network, Microcircuit):
            network_station(study, study.network, cells, book)
        elif study.network:
            ran = pulsed_columns(study, study.network, cells, book, species=head.species)
            if study.eeg:
                centre = book.details["cells"]["centre_m"]
                columns_eeg(study.eeg, ran, head, centre, book)
        if study.brain:
            answered = brain_station(study, study.brain, study.cells, inputs.waveform, device, book)
            if study.eeg:
                brain_eeg(study.eeg, answered, head, book)
    elif study.cells:
        shifts = polarisation_station(study, study.cells, device, book)
        if isinstance(study.network, Columns):
            polarised_columns(study, study.network, shifts, book, species=head.species)
    read = {place: path for place, path in inputs.files.items() if path.is_file()}
    return finish(
        book,
        title=study.title,
        question=study.question,
        text=text,
        seed=study.seed,
        read=read,
        kind="field",
        folder=folder,
    )


def finish(
    book: Book,
    *,
    title: str,
    question: str,
    text: str,
    seed: int,
    read: Mapping[str, Path],
    kind: str | None = None,
    folder: Path | None = None,
) -> Result:
    """Write provenance and report of what the stations have put together.

    Parameters
    ----------
    book
        What they have put together.
    title, question, text, seed
        Of the study, the text being that of its file.
    read
        Files that were read, by the place in the study that names them.
    kind, folder
        Kind of the study (`rheobase.kinds`), None for what is no study; where its paths start.
    """
    out = book.out
    with stage("writing the report"):
        record = provenance(
            study=text,
            kind=kind,
            folder=folder,
            inputs=read,
            details={"seed": seed, **book.details},
        )
        write_provenance(out / "provenance.json", record)
        write_report(
            out / "report.html",
            title=title,
            question=question,
            sections=book.sections,
            notes=list(dict.fromkeys(book.notes)),
            study=text,
            record=record,
        )
    return Result(
        title=title,
        tables=book.tables,
        files=(out / "report.html", *book.files, out / "provenance.json"),
    )


def open_book(text: str, out: Path) -> Book:
    """Return the book of a run, with the text of its study in it."""
    with whole_file(out / "study.toml") as part:
        part.write_text(text, encoding="utf-8")
    return Book(out=out, files=[out / "study.toml"])


def _finite(value: str | float | int) -> str | float | int | None:
    """Return None for what JSON has no number for (a cell that never fires)."""
    return None if isinstance(value, float) and not isfinite(value) else value
