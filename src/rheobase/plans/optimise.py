"""The plan of an optimisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.plans.costs import cost
from rheobase.plans.field import THOUSAND, report, right_hand_sides, start
from rheobase.plans.head import PlannedHead, plan_head
from rheobase.plans.plan import Plan, Step
from rheobase.tables.dose import OptimiseDose
from rheobase.tables.optimise import CurrentsTable, OptimiseStudy, OptimiseTMS

if TYPE_CHECKING:
    from rheobase.tables.head import HeadTable

MODES = 200  # of coils, where the study does not tell


def plan_optimise(study: OptimiseStudy) -> Plan:
    """Return what an optimisation takes: head, lead field or adjoints, search."""
    head = plan_head(study.head)
    table = study.optimise
    notes = list(head.notes)
    if isinstance(table, OptimiseDose):
        steps, more = _dose(study, head)
        notes += more
    elif isinstance(table, OptimiseTMS):
        steps = _poses(study, table, head)
    else:
        steps = _currents(study, table, head)
    pictures = cost("optimise.pictures")
    drawn = Step(
        what="pictures and files",
        size="",
        seconds=pictures.seconds(head.millions),
        bytes=pictures.bytes(head.millions),
    )
    return Plan(steps=[start(), head.step, *steps, drawn, report(head.millions)], notes=notes)


def _currents(study: OptimiseStudy, table: CurrentsTable, head: PlannedHead) -> list[Step]:
    kept, number = _lead_field(study, table, head)
    m = head.millions
    lead, read = cost("leadfield.solve"), cost("leadfield.read")
    solving = Step(
        what="lead field",
        size=f"{number} electrodes",
        seconds=read.seconds(number * m)
        if kept
        else cost("field.setup").seconds(m) + lead.seconds(number * m),
        bytes=read.bytes(m) if kept else lead.bytes(m),
        kept=kept,
    )
    cells = study.target.cells
    name = "optimise.recruitment" if cells is not None else f"optimise.{table.kind}"  # type: ignore[attr-defined]
    search = cost(name)
    return [
        solving,
        Step(
            what="search",
            size=f"{table.front} points of the trade-off",
            seconds=search.seconds(table.front),
            bytes=search.bytes() + read.bytes(m) - read.bytes(),
        ),
    ]


def _lead_field(study: OptimiseStudy, table: CurrentsTable, head: PlannedHead) -> tuple[bool, int]:
    """Return whether the lead field is there, and of how many electrodes it is."""
    from rheobase.meshes.heads import BUILT_IN

    if table.lead_field is not None:
        from rheobase.fields.leadfield import load_lead_field

        return True, len(load_lead_field(table.lead_field).names)
    if head.step.kept:
        from rheobase.stations.aiming import kept_lead_field
        from rheobase.stations.head import open_head

        path, names = kept_lead_field(table, open_head(study.head), study.target)
        return path.is_file(), len(names)
    known = BUILT_IN[study.head.name].positions if study.head.name else ()
    return False, len(table.positions or known or BUILT_IN["mni152"].positions)


def _poses(study: OptimiseStudy, table: OptimiseTMS, head: PlannedHead) -> list[Step]:
    m = head.millions
    if table.goal == "recruitment":
        modes = table.modes or MODES
        one = cost("optimise.modes")
        of_file = table.coil_modes is not None
        return [
            Step(
                what="modes of the coil",
                size="from a file" if of_file else f"{modes} right-hand sides",
                seconds=0.0 if of_file else one.seconds(modes * m),
                bytes=one.bytes(m),
                kept=of_file or None,
            ),
            Step(
                what="thresholds over poses",
                size=f"{_places(table):,} poses",
                seconds=cost("optimise.pose_recruitment").seconds(_places(table) / THOUSAND),
                bytes=one.bytes(m),
            ),
        ]
    adjoint, pose = cost("optimise.adjoint"), cost("optimise.pose")
    return [
        Step(
            what="adjoint solutions",
            size="3 right-hand sides",
            seconds=adjoint.seconds(m),
            bytes=adjoint.bytes(m),
        ),
        Step(
            what="all poses",
            size=f"{_places(table):,} poses",
            seconds=pose.seconds(_places(table) / THOUSAND),
            bytes=adjoint.bytes(m),
        ),
    ]


def _places(table: OptimiseTMS) -> int:
    """Return how many poses are looked at: places in a disc of the scalp, times turns."""
    from math import pi

    places = pi * (table.radius_mm / table.spacing_mm) ** 2
    return round(places * 360 / table.step_deg)


def _dose(study: OptimiseStudy, head: PlannedHead) -> tuple[list[Step], list[str]]:
    """Return the fields of the device, here and where the reference is."""
    assert study.device is not None  # the study file holds it with kind "dose"
    m, sides = head.millions, right_hand_sides(study.device)
    setup, solve, recover = (cost(f"field.{k}") for k in ("setup", "solve", "recover"))
    notes = ["fields that the cache has are not solved for again"]
    seconds = setup.seconds(m) + solve.seconds(sides * m) + recover.seconds(m)
    steps = [
        Step(
            what="field here",
            size=f"{sides} right-hand sides",
            seconds=seconds,
            bytes=setup.bytes(m),
        )
    ]
    if study.reference is not None:
        other: HeadTable = study.reference.head or study.head
        there = head if other == study.head else plan_head(other)
        if there is not head:
            steps.append(there.step)
            notes += there.notes
        steps.append(
            Step(
                what="field of the reference",
                size=f"{sides} right-hand sides",
                seconds=seconds * there.tets / head.tets,
                bytes=setup.bytes(there.millions),
            )
        )
    return steps, notes
