"""The plan of the study of surface stimulation across species."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.plans.costs import cost
from rheobase.plans.field import THOUSAND, report, start
from rheobase.plans.plan import Plan, Step

if TYPE_CHECKING:
    from rheobase.tables.cross_species import CrossSpeciesStudy


def plan_cross_species(study: CrossSpeciesStudy) -> Plan:
    """Return what running a study takes: the cells of each condition, in each mode."""
    cells, conditions = study.cells, len(study.conditions)
    types = len(cells.chosen())
    field = cost("cross_species.field")
    steps = [
        start(),
        Step(
            what="cells and fields",
            size=f"{conditions} conditions, {types} types",
            seconds=field.seconds(conditions),
            bytes=field.bytes(),
        ),
    ]
    for mode in cells.modes:
        each = cells.spiking if mode == "spiking" else cells.placements
        one = cost(f"cross_species.{mode}")
        number = conditions * types * each
        steps.append(
            Step(
                what=f"thresholds, {mode}",
                size=f"{number:,} cells",
                seconds=one.seconds(number / THOUSAND),
                bytes=one.bytes(),
            )
        )
    note = "conditions whose thresholds are in the folder of the results are not found again"
    return Plan(steps=[*steps, report()], notes=[note])
