"""The plan of a closed-loop study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.plans.costs import cost
from rheobase.plans.field import report, start
from rheobase.plans.plan import Plan, Step

if TYPE_CHECKING:
    from rheobase.tables.loop import LoopStudy


def plan_loop(study: LoopStudy) -> Plan:
    """Return what running a study takes: the plant without and with each controller."""
    plant, timing = study.plant, study.timing
    runs = 1 + len(study.controllers)
    active = runs * (timing.settle_s + timing.duration_s)
    one = cost(f"loop.{plant.kind}")
    share = plant.scale**1.83 if plant.kind == "microcircuit" else 1.0
    run = Step(
        what=f"plant {plant.kind}",
        size=f"{runs} runs, {active:g} s of activity",
        seconds=one.seconds(active * share),
        bytes=one.bytes(plant.scale**2 if plant.kind == "microcircuit" else 0.0),
    )
    pictures = cost("loop.pictures")
    drawn = Step(
        what="pictures and courses",
        size=f"{len(study.controllers)} controllers",
        seconds=pictures.seconds(len(study.controllers)),
        bytes=pictures.bytes(),
    )
    return Plan(steps=[start(), run, drawn, report()])
