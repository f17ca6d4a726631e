"""What a sweep will take, before it runs: points, distinct solutions, time, memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rheobase._errors import InputError
from rheobase.plans.plan import Plan, Step, duration
from rheobase.sweeps.design import Point
from rheobase.sweeps.parts import read_part
from rheobase.sweeps.study import Sweep
from rheobase.sweeps.sweep import LABEL, claim, tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPlan:
    """What a sweep will take.

    Parameters
    ----------
    title
        Of the parameter study.
    points, finished, failed
        Of the design; those in the folder already; those that have failed before.
    heads, solutions
        Distinct heads, and devices on heads, that are left to solve for; 0 where points share none.
    runs
        Whether each point is a run of the whole study.
    jobs
        Processes.
    seconds
        Time (s) of what is left as the finished points tell it; None without such.
    plan
        The steps of what is left, from measured costs.
    notes
        What else is worth knowing.
    """

    title: str
    points: int
    finished: int
    failed: int
    heads: int
    solutions: int
    runs: bool
    jobs: int
    seconds: float | None
    plan: Plan
    notes: tuple[str, ...] = ()

    @property
    def bytes(self) -> float:
        """Memory of all processes."""
        return self.plan.bytes * self.jobs

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        own = {k: getattr(self, k) for k in ("title", "points", "finished", "failed")}
        own |= {k: getattr(self, k) for k in ("heads", "solutions", "jobs", "seconds")}
        return {**own, **self.plan.as_dict(), "notes": [*self.notes, *self.plan.notes]}

    def text(self) -> str:
        """Return it in words."""
        left = self.points - self.finished - self.failed
        lines = [
            f"{self.title}: valid: {self.points:,} points, {self.finished:,} finished, "
            f"{self.failed:,} failed, {left:,} left"
        ]
        if self.solutions:
            lines.append(f"{self.solutions:,} fields to solve for on {self.heads:,} heads")
        if left and self.runs:
            lines.append("each point is a whole run")
        if self.seconds is not None:
            lines.append(
                f"as long as the finished points took: {duration(self.seconds)} with {self.jobs} "
                "processes"
            )
        if left:
            lines.append(self.plan.text())
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def plan_sweep(sweep: Sweep, out: Path, *, jobs: int = 1) -> SweepPlan:
    """Return what a sweep will take.

    Parameters
    ----------
    sweep
        The parameter study.
    out
        Its folder; finished points there tell the time of the others.
    jobs
        Processes.

    Raises
    ------
    InputError
        If the folder belongs to another sweep.
    """
    every = tasks(sweep.design, out)
    if (out / LABEL).exists():
        claim(out, sweep.what())
    done = [task for task in every if task.path.exists()]
    failed = [task for task in every if task.failed.exists()]
    left = [task.point for task in every if task.left]
    geometries: dict[str, list[Point]] = {}
    for point in left if sweep.shares else ():
        geometries.setdefault(sweep.share(point), []).append(point)
    heads: dict[str, list[Point]] = {}
    for key, points in geometries.items():
        heads.setdefault(key.partition("-")[0], []).append(points[0])
    seconds = None
    if done:
        took = float(np.mean([read_part(task.path).seconds for task in done]))
        seconds = took * len(left) / jobs
    steps = [step for points in heads.values() for step in _shared(sweep, points, jobs)]
    if sweep.runs and left:
        steps += _runs(sweep, left, len(geometries))
    return SweepPlan(
        title=sweep.table.title,
        points=len(every),
        finished=len(done),
        failed=len(failed),
        heads=len(heads),
        solutions=len(geometries),
        runs=sweep.runs,
        jobs=jobs,
        seconds=seconds,
        plan=Plan(steps=steps),
        notes=sweep.design.notes,
    )


def _shared(sweep: Sweep, points: list[Point], jobs: int) -> Iterator[Step]:
    """Yield the steps of points that are one for each device on a head."""
    from rheobase.plans.costs import cost
    from rheobase.plans.field import plan_field, right_hand_sides
    from rheobase.plans.head import plan_head
    from rheobase.tables.coil import TMS

    try:
        study: Any = sweep.base.study(points[0])
    except InputError:  # the point's own error
        return
    head, n = plan_head(study.head), len(points)
    m, sides = head.millions, right_hand_sides(study.device)
    coil = isinstance(study.device, TMS)
    yield head.step
    set_up, solve, tell = (cost(f"field.{k}") for k in ("setup", "solve", "statistics"))
    processes = min(jobs, n)
    yield Step(
        what="matrix and preconditioner",
        size=f"in {processes} process{'es' if processes > 1 else ''}",
        seconds=processes * set_up.seconds(m),
        bytes=set_up.bytes(m),
    )
    place = cost("field.place_coil" if coil else "field.place_electrodes")
    recover = cost("field.recover")
    yield Step(
        what="fields",
        size=f"{n} devices, {n * sides} right-hand sides",
        seconds=n * (place.seconds(m) + sides * solve.s * m + recover.seconds(m)),
        bytes=set_up.bytes(m) + solve.bytes(sides * m) - solve.bytes(0.0),
    )
    yield Step(
        what="statistics", size=f"{n} fields", seconds=n * tell.seconds(m), bytes=tell.bytes(m)
    )
    if study.cells:
        for step in plan_field(study).steps:
            if step.what.endswith("of cells"):
                yield replace(step, size=f"{n} x {step.size}", seconds=n * step.seconds)


def _runs(sweep: Sweep, points: list[Point], solutions: int) -> Iterator[Step]:
    """Yield the steps of points that are whole runs, as the first of them tells.

    Where points share, heads are counted with what is shared, and a field is solved for once.
    """
    plan = sweep.base.kind.function("plan")(sweep.base.study(points[0]))
    for step in plan.steps:
        times = len(points)
        if sweep.shares and step.kept is False:
            times = 0 if step.what.startswith("head ") else solutions
        if times:
            yield replace(step, size=f"{times} x {step.size}", seconds=times * step.seconds)
