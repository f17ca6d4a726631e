"""What a sweep will take, before it runs: points, distinct solutions, time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

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
        Distinct heads, and devices on heads that are solved for; 0 where each point is a run.
    jobs
        Processes.
    seconds
        Expected time (s) of what is left, from the points that are finished; None without such.
    notes
        What else is worth knowing.
    """

    title: str
    points: int
    finished: int
    failed: int
    heads: int
    solutions: int
    jobs: int
    seconds: float | None
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    def text(self) -> str:
        """Return it in words."""
        lines = [f"{self.title}: valid: {self.points:,} points"]
        if self.finished or self.failed:
            lines.append(f"finished {self.finished:,}, failed {self.failed:,}")
        if self.solutions:
            lines.append(f"heads {self.heads:,}, fields to solve for {self.solutions:,}")
        else:
            lines.append("each point is a whole run")
        if self.seconds is None:
            lines.append("time: run a few points (--points 0-3), and this says what the rest takes")
        else:
            lines.append(f"time: some {_told(self.seconds)} with {self.jobs} processes")
        return "\n".join([*lines, *self.notes])


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
    left = [task for task in every if task.left]
    keys = {sweep.share(task.point) for task in left} if sweep.shares else set()
    seconds = None
    if done:
        took = float(np.mean([read_part(task.path).seconds for task in done]))
        seconds = took * len(left) / jobs
    return SweepPlan(
        title=sweep.table.title,
        points=len(every),
        finished=len(done),
        failed=len(failed),
        heads=len({key.partition("-")[0] for key in keys}),
        solutions=len(keys),
        jobs=jobs,
        seconds=seconds,
        notes=sweep.design.notes,
    )


def _told(seconds: float) -> str:
    """Return a time in words.

    Examples
    --------
    >>> _told(45.0), _told(600.0), _told(9000.0)
    ('45 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.2g} min" if seconds < 5400 else f"{seconds / 3600:.2g} h"
