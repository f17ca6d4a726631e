"""Fourth station: seven cortical columns under the pulses of a coil or an alternating current."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import check_option
from rheobase._progress import stage
from rheobase.config import Study
from rheobase.network_views import columns_response, entrained
from rheobase.report import Section, Table
from rheobase.stations.cells import MICRO
from rheobase.stations.network import AFTER, BEFORE, SETTLE, save_runs
from rheobase.tables.network import Columns

if TYPE_CHECKING:
    import xarray as xr

    from rheobase.meshes.head import Head
    from rheobase.neurons.columns.network import ColumnNetwork
    from rheobase.neurons.measures.locking import Locking
    from rheobase.neurons.network.drive import Drive, Polarisation
    from rheobase.neurons.network.readout import Evoked
    from rheobase.neurons.network.simulation import Spikes
    from rheobase.neurons.recruitment import Recruitment
    from rheobase.stations.book import Book

EARLY = 0.02  # s after the pulse that end the early response
PHASES = 24  # bins of a period
STEP = 1e-4  # s
SAMPLES = 20  # steps of a period of the fastest current


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ran:
    """Columns that were run, with the stimulus and without.

    Parameters
    ----------
    columns
        The columns.
    driven, free
        Their runs; both share every random number.
    pulses
        Times of the pulses (s), none under an alternating current.
    """

    columns: ColumnNetwork
    driven: Spikes
    free: Spikes
    pulses: NDArray[np.floating[Any]]


def check_columns(species: str) -> None:
    """Refuse a species of which there are no columns.

    Raises
    ------
    InputError
        Naming those that there are.
    """
    from rheobase.neurons.columns.circuit import SPECIES

    check_option("species of the head", species, SPECIES, where="[network] model = 'columns'")


def pulsed_columns(
    study: Study, table: Columns, recruited: Recruitment, book: Book, *, species: str
) -> Ran:
    """Drive the columns with the activation probabilities and compare with no pulse."""
    from rheobase.neurons.columns.drive import drive_of
    from rheobase.neurons.columns.pooled import pooled
    from rheobase.neurons.network.readout import evoked_response

    assert table.intensity_A_per_us is not None  # Study
    pulses = SETTLE + table.interval_ms * 1e-3 * np.arange(table.pulses)
    built = _built(study, table, species)
    drive = drive_of(
        built,
        recruited,
        table.intensity_A_per_us / MICRO,
        times=pulses,
        latency=None if table.latency_ms is None else table.latency_ms * 1e-3,
    )
    duration = float(pulses[-1]) + AFTER + BEFORE
    ran = _run(study, table, built, duration, pulses, drive=drive)
    runs = [pooled(built, run) for run in (ran.driven, ran.free)]
    response, quiet = (evoked_response(r, pulses, before=BEFORE, after=AFTER) for r in runs)
    numbers = _pulsed_table(drive.probability, response, quiet)
    size = runs[0].sizes
    first = built.network.first[: len(size) + 1]
    near = (ran.driven.ids < first[-1]) & (np.abs(ran.driven.times - pulses[0]) < AFTER)
    figure = columns_response(
        (ran.driven.times[near] - pulses[0], ran.driven.ids[near]),
        names=response.names,
        first=first,
        time=response.time,
        change=response.value - quiet.value,
        rates=(size @ response.value / size.sum(), size @ quiet.value / size.sum()),
    )
    book.tables[f"Columns at {table.intensity_A_per_us:g} A/µs"] = numbers
    _keep(book, ran)
    book.sections.append(
        Section(
            title="Network",
            paragraphs=[
                f"Seven columns of {species} cortex, {built.network.size:,} cells. Each of "
                f"{table.pulses} pulses of {table.intensity_A_per_us:g} A/µs makes the cells of a "
                "layer and class fire with the probability that the placed cells of theirs have; "
                "all columns lie in the same field. Peaks include those direct spikes. Both runs "
                "share every random number; rates are means over the pulses and columns."
            ],
            figures=[
                book.picture(
                    "network",
                    figure,
                    "Spikes of the centre column around the first pulse; change of the rate of "
                    "each population; mean rate of all cells. Pyramidal blue, PV red, SST green, "
                    "VIP pink, neurogliaform orange.",
                )
            ],
            tables=[numbers],
        )
    )
    _note(book, ran, study, drive.probability)
    return ran


def show_columns(ran: Ran, head: Head, centre: ArrayLike, book: Book) -> None:
    """Put what the populations of each column do around the pulses into the scene.

    Parameters
    ----------
    ran
        The columns.
    head
        The head, with a cortical sheet.
    centre
        Point of its cortex at which they stand (m), shape (3,).
    book
        Takes the layer.
    """
    from rheobase.neurons.network.readout import evoked_response
    from rheobase.scenes.network import columns_layer

    assert head.cortex is not None  # check_cortex
    place = np.asarray(centre, dtype=np.float64)
    nearest = int(((head.cortex.points(0.5) - place) ** 2).sum(axis=1).argmin())
    answer = evoked_response(ran.driven, ran.pulses, before=BEFORE, after=AFTER)
    book.scene.append(
        columns_layer(
            ran.columns,
            answer.time,
            answer.value,
            answer.names,
            centre=place,
            normal=head.cortex.normal[nearest],
        )
    )


def polarised_columns(
    study: Study, table: Columns, found: xr.Dataset, book: Book, *, species: str
) -> Ran:
    """Run the columns under the polarisation of their cells and measure how spikes follow it."""
    from rheobase.neurons.columns.drive import polarisation_of
    from rheobase.neurons.columns.pooled import pooled
    from rheobase.neurons.measures.locking import entrainment

    frequency = np.atleast_1d(found.frequency.values).astype(float)
    built = _built(study, table, species, fastest=float(frequency.max()))
    rhythm = float(frequency[0] if len(frequency) == 1 else np.ptp(frequency))
    duration = SETTLE + table.duration_s
    polarisation = polarisation_of(built, found, n_steps=round(duration / built.network.dt))
    ran = _run(study, table, built, duration, np.empty(0), polarisation=polarisation)
    _keep(book, ran)
    runs = [pooled(built, run) for run in (ran.driven, ran.free)]
    crest = -0.5 * np.pi if len(frequency) == 1 else 0.0  # of a sine, of a beat
    locked, alone = (entrainment(run, rhythm, start=SETTLE, phase=crest) for run in runs)
    numbers = _locking_table(locked, alone, runs)
    book.tables["Entrainment"] = numbers
    figure = entrained(
        list(locked),
        (_of(locked, "strength"), _of(alone, "strength")),
        _of(locked, "chance"),
        _of(locked, "phase"),
        histogram=_by_phase(runs, rhythm, crest),
        title=f"{rhythm:g} Hz for {table.duration_s:g} s",
    )
    book.sections.append(
        Section(
            title="Network",
            paragraphs=[
                f"Seven columns of {species} cortex, {built.network.size:,} cells. The field "
                "shifts their potentials as those of the placed cells of their layer and class. "
                f"Locking of the spikes to {rhythm:g} Hz over {table.duration_s:g} s; both runs "
                "share every random number."
            ],
            figures=[
                book.picture(
                    "network",
                    figure,
                    "Phase-locking value of each population with the field (bars) and without "
                    "(dots), and its 5 % level of chance; mean phase of those above it; rate of "
                    "the pyramidal cells over the period.",
                )
            ],
            tables=[numbers],
        )
    )
    _note(book, ran, study, polarisation[0].shift)
    return ran


def _built(study: Study, table: Columns, species: str, *, fastest: float = 0.0) -> ColumnNetwork:
    """Return the columns, on a grid that resolves ``fastest`` (Hz)."""
    from rheobase.neurons.columns.network import columns

    dt = min(STEP, 1 / (SAMPLES * fastest)) if fastest else STEP
    with stage("wiring seven columns"):
        return columns(species, neurons_per_column=table.neurons_per_column, seed=study.seed, dt=dt)


def _run(
    study: Study,
    table: Columns,
    built: ColumnNetwork,
    duration: float,
    pulses: NDArray[np.floating[Any]],
    *,
    drive: Drive | None = None,
    polarisation: Sequence[Polarisation] | None = None,
) -> Ran:
    """Run the columns with the stimulus and without."""
    from rheobase.neurons.network.simulation import simulate

    driven, free = (
        simulate(
            built.network,
            duration,
            seed=study.seed,
            drive=pulse,
            polarisation=shift,
            threads=table.threads,
            record_currents=study.eeg is not None,
        )
        for pulse, shift in ((drive, polarisation), (None, None))
    )
    return Ran(columns=built, driven=driven, free=free, pulses=pulses)


def _pulsed_table(
    probability: Mapping[str, float | NDArray[np.floating[Any]]], response: Evoked, quiet: Evoked
) -> Table:
    """Return what each layer and class does directly, at its peak, early and late."""
    late = response.time > EARLY
    soon = (response.time > 0) & ~late
    change = response.value - quiet.value
    rows = [
        (
            name,
            float(np.mean(probability.get(f"C0_{name}", 0.0))),
            float(quiet.value[k].mean()),
            float(response.peak[k]),
            float(response.peak_latency[k] * 1e3),
            float(change[k][soon].mean()),
            float(change[k][late].mean()),
        )
        for k, name in enumerate(response.names)
    ]
    return Table(
        columns=(
            "population",
            "fires directly",
            "rate without pulses (Hz)",
            "peak above baseline (Hz)",
            "peak at (ms)",
            f"change, 0–{EARLY * 1e3:g} ms (Hz)",
            f"change, {EARLY * 1e3:g}–{AFTER * 1e3:g} ms (Hz)",
        ),
        rows=rows,
    )


def _locking_table(
    locked: Mapping[str, Locking], alone: Mapping[str, Locking], runs: Sequence[Spikes]
) -> Table:
    """Return rate and locking of each layer and class with the field and without."""
    from rheobase.neurons.network.readout import rates

    driven, free = (rates(run, start=SETTLE) for run in runs)
    return Table(
        columns=(
            "population",
            "rate (Hz)",
            "rate without (Hz)",
            "phase-locking value",
            "without",
            "5 % level of chance",
            "p",
            "phase after the crest (deg)",
        ),
        rows=[
            (
                name,
                driven[name],
                free[name],
                of.strength,
                alone[name].strength,
                of.chance,
                of.p_value,
                float(np.rad2deg(of.phase)),
            )
            for name, of in locked.items()
        ],
    )


def _of(locked: Mapping[str, Locking], what: str) -> NDArray[np.float64]:
    """Return one number of each population."""
    return np.array([getattr(of, what) for of in locked.values()], dtype=np.float64)


def _by_phase(
    runs: Sequence[Spikes], rhythm: float, crest: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return phases (rad) and the mean rate (Hz) of the pyramidal cells at them in each run."""
    from rheobase.neurons.measures.locking import stimulus_phase

    edges = np.linspace(-np.pi, np.pi, PHASES + 1)
    out = []
    for run in runs:
        population = np.searchsorted(run.first, run.ids, side="right") - 1
        excites = np.array(run.excitatory)
        cells = run.sizes[excites].sum()
        kept = excites[population] & (run.times > SETTLE)
        phase = np.angle(np.exp(1j * stimulus_phase(run.times[kept], rhythm, phase=crest)))
        count = np.histogram(phase, edges)[0]
        out.append(count * PHASES / (cells * (run.duration - SETTLE)))
    return 0.5 * (edges[1:] + edges[:-1]), out[0], out[1]


def _keep(book: Book, ran: Ran) -> None:
    """Write the spikes of both runs."""
    with book.file("network", ".nc", title="Spikes of the columns", role="network") as part:
        save_runs(part, ran.driven, ran.free, ran.pulses)


def _note(book: Book, ran: Ran, study: Study, stimulated: Collection[str]) -> None:
    """Say what the columns are not."""
    left = [n for n in ran.columns.circuit.names if f"C0_{n}" not in stimulated]
    book.notes.append(
        f"The columns are a sample of {ran.columns.species} cortex whose connectivity is pooled "
        "from published tables (docs/columns.md); they stand in for the cortex under the device."
        + (f" No placed cell stands for {', '.join(left)}: not stimulated." if left else "")
    )
    book.details["network"] = {
        "neurons": ran.columns.network.size,
        "pulses_s": ran.pulses,
        "seed": study.seed,
    }
