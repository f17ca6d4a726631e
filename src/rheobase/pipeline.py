"""Run a study: head, field, cells, network, then files and report."""

from __future__ import annotations

from pathlib import Path

from rheobase.config import Study
from rheobase.results import Result, finish, open_book
from rheobase.stations.book import Book
from rheobase.stations.brain import brain_station, check_brain
from rheobase.stations.cells import cells_station, check_cortex
from rheobase.stations.columns import (
    check_columns,
    polarised_columns,
    pulsed_columns,
    show_columns,
)
from rheobase.stations.eeg import brain_eeg, check_eeg, columns_eeg
from rheobase.stations.field import field_station
from rheobase.stations.head import head_station, subject
from rheobase.stations.inputs import Inputs, open_inputs
from rheobase.stations.network import network_station
from rheobase.stations.placing import place_device
from rheobase.stations.polarised import polarisation_station
from rheobase.tables.coil import TMS
from rheobase.tables.network import Columns, Microcircuit


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
    read = {place: path for place, path in inputs.files.items() if path.is_file()}
    head = subject(study.head)
    with open_book(text, out, head=head, kind="field", folder=folder) as book:
        _stations(study, inputs, book)
        return finish(
            book, title=study.title, question=study.question, text=text, seed=study.seed, read=read
        )


def _stations(study: Study, inputs: Inputs, book: Book) -> None:
    """Go through the stations that the study asks for."""
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
            centre = book.details["cells"]["centre_m"]
            show_columns(ran, head, centre, book)
            if study.eeg:
                columns_eeg(study.eeg, ran, placed, centre, book)
        if study.brain:
            answered = brain_station(study, study.brain, study.cells, inputs.waveform, device, book)
            if study.eeg:
                brain_eeg(study.eeg, answered, placed, book)
    elif study.cells:
        shifts = polarisation_station(study, study.cells, device, book)
        if isinstance(study.network, Columns):
            polarised_columns(study, study.network, shifts, book, species=head.species)
