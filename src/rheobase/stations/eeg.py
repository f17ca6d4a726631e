"""What electrodes on the scalp see of the columns, or of the whole brain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import check_option
from rheobase._kept import note_use
from rheobase._progress import stage
from rheobase.report import Section, Table
from rheobase.stations.kept_fields import lead_field_file
from rheobase.stations.network import AFTER, BEFORE
from rheobase.tables.network import EEGTable

if TYPE_CHECKING:
    from rheobase.fields.leadfield import LeadField
    from rheobase.meshes.head import Head
    from rheobase.neurons.measures.evoked import EvokedPotential
    from rheobase.stations.book import Book
    from rheobase.stations.brain import Answered
    from rheobase.stations.columns import Ran
    from rheobase.stations.placing import Placed

TITLES = {"eeg": "EEG of the columns", "brain_eeg": "EEG of the whole brain"}
TISSUE = "grey_matter"
EVERY = 5  # steps of the columns between two samples
SHOWN = 8  # electrodes in the table
MICRO = 1e6  # V to µV


def check_eeg(table: EEGTable, head: Head) -> None:
    """Refuse electrodes that the head has no place for, before anything is solved.

    Raises
    ------
    InputError
        If a position or the reference is unknown, or the head has no grey matter.
    """
    for name in table.electrodes:
        head.position(name)
    if table.reference is not None:
        check_option("reference electrode", table.reference, table.electrodes, where="[eeg]")
    head.label_of(TISSUE)


def columns_eeg(
    table: EEGTable,
    ran: Ran,
    placed: Placed,
    centre: NDArray[np.float64],
    book: Book,
) -> None:
    """Draw the potentials that pulses evoke through the dipoles of the columns.

    Parameters
    ----------
    table
        The electrodes.
    ran
        The columns with the pulses and without.
    placed, centre
        The head with its device, and where in its cortex the columns stand (m), shape (3,).
    book
        The report.
    """
    from rheobase.fields.eeg import AVERAGE, eeg_gain, eeg_of, into_tissue
    from rheobase.neurons.measures.evoked import evoked_potential
    from rheobase.neurons.recording.circuits import columns_recorder
    from rheobase.recording_views import laminar

    head = placed.head
    assert head.cortex is not None  # check_cortex
    lead = _lead_field(table, placed)
    nearest = int(np.linalg.norm(head.cortex.points(0.5) - centre, axis=1).argmin())
    normal = head.cortex.normal[nearest]
    place, _ = into_tissue(lead, centre[None])
    gain = eeg_gain(lead, place, reference=table.reference or AVERAGE)
    with stage("dipoles of the columns"):
        recorder = columns_recorder(ran.columns)
        recording = recorder.record(ran.driven, every=EVERY)
    moment = recording.column_dipole.sum(axis=0)
    evoked = evoked_potential(
        eeg_of(gain, (normal[:, None] * moment)[None]),
        EVERY * ran.columns.network.dt,
        ran.pulses,
        before=BEFORE,
        after=AFTER,
        names=lead.names,
    )
    area = len(recording.centres) * np.pi * recording.radius**2
    figure = laminar(recording, ran.pulses, before=0.02, after=0.06)
    book.sections.append(
        Section(
            title="Cortical potentials",
            paragraphs=[
                "Potentials along an electrode through the centre column and its current sources, "
                "means over the pulses: synaptic currents and what they return, without action "
                "potentials and without the artefact of the coil."
            ],
            figures=[
                book.picture(
                    "laminar", figure, "Potential and current source density by depth and time."
                )
            ],
        )
    )
    _show(
        evoked,
        lead,
        head,
        book,
        name="eeg",
        said=f"Seven columns, {area * 1e6:.2f} mm² of cortex, at their place and across the cortex "
        "there. A patch that answers alike gives more by its area: one square centimetre "
        f"{1e-4 / area:.0f} times as much.",
    )


def brain_eeg(table: EEGTable, answered: Answered, placed: Placed, book: Book) -> None:
    """Draw the potentials that the response of the whole brain makes on the scalp."""
    from rheobase.neurons.brain.dipoles import region_gain
    from rheobase.neurons.measures.evoked import evoked_potential
    from rheobase.stations.brain import SETTLE

    head, lead = placed.head, _lead_field(table, placed)
    answer = answered.response
    gain = region_gain(lead, head, answered.region, len(answer.names))
    if table.reference is not None:
        gain = gain - gain[lead.names.index(table.reference)]
    time = answer.time
    evoked = evoked_potential(
        gain @ answer.potential,
        float(time[1] - time[0]),
        [SETTLE],
        before=BEFORE,
        after=float(time[-1]) - SETTLE,
        first=float(time[0]),
        names=lead.names,
    )
    _show(
        evoked,
        lead,
        head,
        book,
        name="brain_eeg",
        said="All regions, their cells taken to follow them at once: sizes are upper bounds. Where "
        "inhibition makes the response, its sign is the model's convention: inhibition of the "
        "soma would have the opposite one.",
    )


def _lead_field(table: EEGTable, placed: Placed) -> LeadField:
    """Return the lead field of the electrodes, solved for or from the cache."""
    from rheobase.fields.leadfield_solve import lead_field
    from rheobase.fields.solver import Conductor

    head, tensors = placed.head, placed.tensors
    path = note_use(lead_field_file(head, table.electrodes, [TISSUE], tensors))
    conductor = None if tensors is None else Conductor(head, tensors=tensors)
    return lead_field(head, path, table.electrodes, tissues=[TISSUE], conductor=conductor)


def _show(
    evoked: EvokedPotential, lead: LeadField, head: Head, book: Book, *, name: str, said: str
) -> None:
    """Write, draw and tabulate what the electrodes see."""
    from rheobase.recording_views import butterfly

    value, latency = evoked.peak((0.0, float(evoked.time[-1])))
    order = np.argsort(-np.abs(value))[:SHOWN]
    numbers = Table(
        columns=("electrode", "largest potential (µV)", "at (ms)"),
        rows=[(evoked.names[k], float(value[k] * MICRO), float(latency[k] * 1e3)) for k in order],
    )
    book.tables[TITLES[name]] = numbers
    desc = {"eeg": "columns", "brain_eeg": "brain"}[name]
    with book.file("evoked", ".nc", desc=desc, title=TITLES[name], role="network") as part:
        _save(part, evoked)
    after = evoked.time > 0
    top = evoked.time[after][np.argsort(-evoked.global_field_power[after])[:1]]
    figure = butterfly(evoked, {n: head.position(n) for n in evoked.names}, times=top)
    book.sections.append(
        Section(
            title=TITLES[name],
            paragraphs=[
                f"{said} Potentials by reciprocity from the head's lead field, against the "
                f"reference, mean over {evoked.n_pulses} "
                + ("pulse." if evoked.n_pulses == 1 else "pulses.")
            ],
            figures=[
                book.picture(name, figure, "Every electrode in time, and the map at the peak.")
            ],
            tables=[numbers],
        )
    )


def _save(path: Path, evoked: EvokedPotential) -> None:
    """Write the evoked potentials as NetCDF."""
    import xarray as xr

    dims = ("electrode", "time")
    data = xr.Dataset(
        {
            "mean": (dims, evoked.mean, {"units": "V"}),
            "error": (dims, evoked.error, {"units": "V"}),
        },
        coords={
            "electrode": list(evoked.names),
            "time": ("time", evoked.time, {"units": "s"}),
        },
    )
    data.to_netcdf(path, engine="h5netcdf")
