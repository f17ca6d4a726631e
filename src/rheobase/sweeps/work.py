"""Working points out: here, in processes, or on a Dask cluster; each is kept as soon as it is done.

A task is a point and the file of its result. Tasks that share something expensive come as a bunch,
which one process works out in its order. What fails is written beside the result's place and stops
nothing else. When a process dies (out of memory, a crash in native code), the points that were at
work then are tried again, each alone; those that die alone have failed.
"""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rheobase._files import whole_file
from rheobase.sweeps.design import Point
from rheobase.sweeps.parts import part_of, write_part

DIED = "its process died (out of memory, or a crash)"

#: Makes, from the points of a bunch, the function that works out each of them.
type Maker = Callable[[Sequence[Point]], Callable[[Point], Any]]


@dataclass(frozen=True, slots=True)
class Task:
    """A point and the file that its result is kept in."""

    point: Point
    path: Path

    @property
    def failed(self) -> Path:
        """The file that says what went wrong."""
        return self.path.with_suffix(".error")

    @property
    def running(self) -> Path:
        """The file that is there while the point is at work."""
        return self.path.with_suffix(".running")

    @property
    def left(self) -> bool:
        """Whether there is neither a result nor an error."""
        return not (self.path.exists() or self.failed.exists())


type Bunch = list[Task]


def here(make: Maker, bunches: Sequence[Bunch]) -> Iterator[int]:
    """Work the tasks out in this process; yield 1 after each."""
    for bunch in bunches:
        for _ in each(make, bunch):
            yield 1


def in_processes(make: Maker, bunches: Sequence[Bunch], jobs: int) -> Iterator[int]:
    """Work bunches out in processes of one thread each; yield how many tasks were done.

    Raises
    ------
    BrokenProcessPool
        If a process dies before it begins.
    """
    from joblib import Parallel, delayed, parallel_config

    with parallel_config(backend="loky", inner_max_num_threads=1):
        left = [bunch for bunch in bunches if bunch]
        while left:
            _unmark(left)
            known = _count(left)
            try:
                work = Parallel(n_jobs=jobs, batch_size=1, return_as="generator_unordered")
                for done in work(delayed(bunch_done)(make, bunch) for bunch in left):
                    known -= done
                    yield done
                return
            except BrokenProcessPool:
                at_work = [task for bunch in left for task in bunch if task.running.exists()]
                if not at_work:  # it died before it began: another try would do the same
                    raise
            for task in at_work:
                task.running.unlink(missing_ok=True)
                try:
                    Parallel(n_jobs=2)([delayed(bunch_done)(make, [task])])
                except BrokenProcessPool:
                    died(task)
            left = [rest for bunch in left if (rest := [task for task in bunch if task.left])]
            yield known - _count(left)


def each(make: Maker, bunch: Bunch) -> Iterator[Task]:
    """Work out the tasks of a bunch, one after the other."""
    function = make([task.point for task in bunch])
    for task in bunch:
        if task.left:
            _work(function, task)
        yield task


def bunch_done(make: Maker, bunch: Bunch) -> int:
    """Work out a bunch and return its size."""
    return sum(1 for _ in each(make, bunch))


def died(task: Task) -> None:
    """Write down that the process of a task died with it."""
    fail(task, DIED, "")


def fail(task: Task, error: str, trace: str) -> None:
    """Write down what went wrong with a task."""
    with whole_file(task.failed) as part:
        part.write_text(
            json.dumps({"point": task.point, "error": error, "trace": trace}, indent=1),
            encoding="utf-8",
        )
    task.running.unlink(missing_ok=True)


def _work(function: Callable[[Point], Any], task: Task) -> None:
    """Work out one point and write its file, or the error's."""
    task.running.touch()
    start = time.perf_counter()
    try:
        found = function(task.point)
        made = part_of(found, seconds=time.perf_counter() - start)
        taken = sorted({*made.data, *made.coords} & {*task.point, "error", "sample", "point"})
        if taken:
            raise ValueError(f"result must not be called {taken[0]!r}, as an axis of the sweep is")
        write_part(task.path, made)
    except Exception as error:  # noqa: BLE001, RUF100 - any failure is this point's alone
        fail(task, f"{type(error).__name__}: {error}", traceback.format_exc())
    task.running.unlink(missing_ok=True)


def _count(bunches: Sequence[Bunch]) -> int:
    return sum(map(len, bunches))


def _unmark(bunches: Sequence[Bunch]) -> None:
    """Remove the marks that a killed sweep has left."""
    for bunch in bunches:
        for task in bunch:
            task.running.unlink(missing_ok=True)
