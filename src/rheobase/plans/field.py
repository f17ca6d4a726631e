"""The plan of a study of fields, cells and networks, and of its uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.config import Cells, Study
from rheobase.plans.costs import cost
from rheobase.plans.head import MILLION, PlannedHead, plan_head
from rheobase.plans.plan import Plan, Step
from rheobase.tables.coil import TMS
from rheobase.tables.electrodes import TES, TI
from rheobase.tables.network import BrainTable, Columns, EEGTable, Microcircuit

if TYPE_CHECKING:
    from pathlib import Path

THOUSAND = 1e3
SETTLING = 0.5  # s of activity before what counts, in every run of a network
COLUMNS = 7
REGIONS = 30  # of the brain, that get half of the strongest field of a coil


def plan_field(study: Study) -> Plan:
    """Return what running a study takes: head, device, field, then cells and networks."""
    head = plan_head(study.head)
    steps = [start(), head.step, *_field(study, head, _field_file(study, head))]
    if study.cells:
        steps.append(_cells(study, study.cells, head))
    if isinstance(study.network, Microcircuit):
        steps.append(_microcircuit(study.network))
    elif study.network:
        steps.append(_columns(study, study.network))
    if study.brain and study.cells:
        steps.append(_brain(study.brain, study.cells))
    if study.eeg:
        steps.append(_eeg(study.eeg, head))
    return Plan(steps=[*steps, report(head.millions)], notes=head.notes)


def plan_uncertainty(study: Study) -> Plan:
    """Return what sampling the field of a study takes."""
    from rheobase.tables.uncertainty import UncertaintyTable

    head = plan_head(study.head)
    table = study.uncertainty or UncertaintyTable()
    sides = right_hand_sides(study.device)
    sampled = cost("field.sample")
    units = table.samples * sides * head.millions
    steps = [
        start(),
        head.step,
        _placing(study, head),
        Step(
            what="samples of the field",
            size=f"{table.samples} samples of {_sides(sides)}",
            seconds=sampled.seconds(units),
            bytes=sampled.bytes(head.millions),
        ),
        report(head.millions),
    ]
    note = "samples that are in the folder of the results already are not solved again"
    return Plan(steps=steps, notes=(*head.notes, note))


def start() -> Step:
    """Return what importing the libraries and loading compiled kernels takes."""
    one = cost("start")
    return Step(what="start", size="", seconds=one.seconds(), bytes=one.bytes())


def report(millions: float = 0.0) -> Step:
    """Return what the report and the scene of a head of so many million tetrahedra take."""
    one = cost("report")
    return Step(
        what="report and scene", size="", seconds=one.seconds(millions), bytes=one.bytes(millions)
    )


def right_hand_sides(device: TMS | TES | TI) -> int:
    """Return how many solutions a device takes: one a coil, one an electrode."""
    if isinstance(device, TMS):
        return 1
    if isinstance(device, TI):
        return 2 * len(device.pairs)
    return 5 if device.montage_4x1 else len(device.electrodes or ())


def _sides(number: int) -> str:
    return f"{number} right-hand side{'s' if number > 1 else ''}"


def _field_file(study: Study, head: PlannedHead) -> Path | None:
    """Return where the cache has, or would have, the field; None while the head is not there."""
    if not head.step.kept:
        return None
    from rheobase.stations.devices import field_file
    from rheobase.stations.head import open_head
    from rheobase.stations.inputs import open_inputs
    from rheobase.stations.placing import place_device

    placed = place_device(study, open_head(study.head), open_inputs(study))
    path: Path = field_file(placed)
    return path


def _placing(study: Study, head: PlannedHead) -> Step:
    place = cost("field.place_coil" if isinstance(study.device, TMS) else "field.place_electrodes")
    return Step(
        what="placing the device",
        size="",
        seconds=place.seconds(head.millions),
        bytes=place.bytes(head.millions),
    )


def _field(study: Study, head: PlannedHead, path: Path | None) -> list[Step]:
    sides, m = right_hand_sides(study.device), head.millions
    sources = len(study.device.pairs) if isinstance(study.device, TI) else 1
    kept = path is not None and path.is_file()
    if kept:
        read = cost("field.read")
        solving = Step(
            what="field",
            size=_sides(sides),
            seconds=read.seconds(sources * m),
            bytes=read.bytes(sources * m),
            kept=True,
        )
    else:
        setup, solve, recover = (cost(f"field.{k}") for k in ("setup", "solve", "recover"))
        solving = Step(
            what="field",
            size=f"{_sides(sides)}, {head.nodes / MILLION:.2g} M unknowns",
            seconds=setup.seconds(m) + solve.seconds(sides * m) + recover.seconds(sources * m),
            bytes=setup.bytes(m) + solve.bytes(sides * m) - solve.bytes(0.0),
            kept=False,
        )
    tell = cost("field.statistics")
    return [
        _placing(study, head),
        solving,
        Step(
            what="statistics, pictures and files of the field",
            size="",
            seconds=tell.seconds(sources * m),
            bytes=tell.bytes(sources * m),
        ),
    ]


def _cells(study: Study, table: Cells, head: PlannedHead) -> Step:
    number = len(table.types) * table.placements
    pulsed = isinstance(study.device, TMS)
    mode = table.mode if pulsed else "polarised"
    one = cost(f"cells.{mode}")
    verb = "thresholds of" if pulsed else "polarisation of"
    return Step(
        what=f"{verb} cells",
        size=f"{number:,} cells, {mode}",
        seconds=one.seconds(number / THOUSAND),
        bytes=one.bytes(number / THOUSAND) + head.step.bytes - cost("head.read").bytes(),
    )


def _microcircuit(table: Microcircuit) -> Step:
    active = 2 * (SETTLING + table.pulses * table.interval_ms * 1e-3)  # with and without pulses
    build, run = cost("network.build"), cost("network.run")
    synapses = table.scale**2  # of the whole circuit's
    return Step(
        what="network",
        size=f"{77_169 * table.scale:,.0f} cells, {299 * synapses:.2g} M synapses, "
        f"{active:.3g} s of activity",
        seconds=build.seconds(synapses) + run.seconds(active * table.scale**1.83),
        bytes=build.bytes(synapses),
    )


def _columns(study: Study, table: Columns) -> Step:
    pulsed = isinstance(study.device, TMS)
    lasts = table.pulses * table.interval_ms * 1e-3 if pulsed else table.duration_s
    active = 2 * (SETTLING + lasts)
    build, run = cost("columns.build"), cost("columns.run")
    size = COLUMNS * table.neurons_per_column / THOUSAND
    return Step(
        what="columns",
        size=f"{COLUMNS} columns, {size * THOUSAND:,.0f} cells, {active:.3g} s of activity",
        seconds=build.seconds(size) + run.seconds(size * active),
        bytes=build.bytes(size),
    )


def _brain(table: BrainTable, cells: Cells) -> Step:
    number = len(cells.types) * table.placements * REGIONS
    one, run = cost(f"cells.{cells.mode}"), cost("brain.run")
    active = 2 * (SETTLING + table.duration_ms * 1e-3)
    return Step(
        what="brain",
        size=f"about {number:,} cells, 100 regions, {active:.2g} s of activity",
        seconds=one.seconds(number / THOUSAND) + run.seconds(active),
        bytes=one.bytes(number / THOUSAND),
    )


def _eeg(table: EEGTable, head: PlannedHead) -> Step:
    lead = cost("leadfield.solve")
    number = len(table.electrodes)
    return Step(
        what="electrodes that see it",
        size=_sides(number),
        seconds=cost("field.setup").seconds(head.millions)
        + lead.seconds(number * head.millions)
        + cost("eeg.dipoles").seconds(),
        bytes=lead.bytes(head.millions),
    )
