"""The plan of a study of focused ultrasound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.plans.costs import cost
from rheobase.plans.field import THOUSAND, report, start
from rheobase.plans.head import plan_head
from rheobase.plans.plan import Plan, Step

if TYPE_CHECKING:
    from rheobase.tables.fus import UltrasoundStudy


def plan_fus(study: UltrasoundStudy) -> Plan:
    """Return what running a study takes: head, waves, heat, cells."""
    from rheobase.fields.acoustics.wave.kernel import threads
    from rheobase.stations.fus_inputs import estimate, open_sound

    notes = ["waves that the cache has are not computed again"]
    steps = [start()]
    if study.head is not None:
        head = plan_head(study.head)
        steps.append(head.step)
        notes += head.notes
    waves = estimate(study, open_sound(study))
    x, y, z = (1e3 * side for side in waves.box)
    steps.append(
        Step(
            what="waves",
            size=f"{waves.nodes / 1e6:.2g} M nodes in {x:.0f} x {y:.0f} x {z:.0f} mm, "
            f"{waves.solutions} solution{'s' if waves.solutions > 1 else ''}",
            seconds=waves.seconds * threads(),
            bytes=cost("start").bytes() + waves.bytes,
        )
    )
    if study.heat is not None:
        one = cost("fus.heat")
        steps.append(
            Step(
                what="temperature",
                size=f"edges of {study.heat.edge_mm:g} mm in the beam",
                seconds=one.seconds(),
                bytes=one.bytes(),
            )
        )
    if study.neurons is not None:
        point, cell = cost("fus.point_neurons"), cost("fus.cells")
        table = study.neurons
        points = len(table.cells) * table.placements / THOUSAND
        cells = len(table.types) * table.placements / THOUSAND
        steps.append(
            Step(
                what="cells",
                size=f"{THOUSAND * points:,.0f} point neurons, {THOUSAND * cells:,.0f} cells",
                seconds=point.seconds(points) + (cell.seconds(cells) if cells else 0.0),
                bytes=cell.bytes(cells),
            )
        )
    pictures = cost("fus.pictures")
    steps.append(
        Step(
            what="focus, pictures, voxels",
            size="",
            seconds=pictures.seconds(),
            bytes=pictures.bytes(),
        )
    )
    return Plan(steps=[*steps, report()], notes=notes)
