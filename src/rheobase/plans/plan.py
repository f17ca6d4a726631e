"""The plan of a run: its steps, with time and memory from measured costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from rheobase._memory import free_memory
from rheobase.plans.costs import how_measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One part of a run.

    Parameters
    ----------
    what
        What is done.
    size
        How large it is: tetrahedra, right-hand sides, cells, seconds of activity.
    seconds
        Processor time on one core (s).
    bytes
        Memory while it lasts.
    kept
        Whether the cache has it already; None for what is never kept.
    """

    what: str
    size: str
    seconds: float
    bytes: float
    kept: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All steps of a run, and what the estimate leaves out."""

    steps: Sequence[Step]
    notes: Sequence[str] = ()

    @property
    def seconds(self) -> float:
        """Processor time in all (s)."""
        return sum(step.seconds for step in self.steps)

    @property
    def bytes(self) -> float:
        """The most memory at a time."""
        return max((step.bytes for step in self.steps), default=0.0)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        free = free_memory()
        return {
            "steps": [
                {
                    "what": s.what,
                    "size": s.size,
                    "cached": s.kept,
                    "cpu_seconds": round(s.seconds, 1),
                    "bytes": round(s.bytes),
                }
                for s in self.steps
            ],
            "cpu_seconds": round(self.seconds, 1),
            "bytes": round(self.bytes),
            "bytes_free": round(free),
            "fits": self.bytes <= free,
            "notes": list(self.notes),
            "measured": how_measured(),
        }

    def text(self) -> str:
        """Return the plan as a table, its sums, and whether the memory is there."""
        from rheobase.report import Table

        kept = {None: "", True: "in the cache", False: "not in the cache"}
        table = Table(
            columns=("step", "size", "", "CPU", "memory"),
            rows=[
                (s.what, s.size, kept[s.kept], duration(s.seconds), memory(s.bytes))
                for s in self.steps
            ],
        )
        free = free_memory()
        fits = "" if self.bytes <= free else ": more than that, take a smaller study"
        lines = [
            table.text(),
            f"in all about {duration(self.seconds)} of one core and {memory(self.bytes)} of "
            f"memory; {memory(free)} are free{fits}",
            *(f"note: {note}" for note in self.notes),
            f"measured: {how_measured()}",
        ]
        return "\n".join(lines)


def duration(seconds: float) -> str:
    """Return a rough time in words.

    Examples
    --------
    >>> duration(0.2), duration(48.2), duration(200.0), duration(8000.0)
    ('1 s', '49 s', '4 min', '2.3 h')
    """
    if seconds < 90:
        return f"{max(1, ceil(seconds))} s"
    return f"{ceil(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def memory(size: float) -> str:
    """Return a rough amount of memory in words.

    Examples
    --------
    >>> memory(3e8), memory(5.1e9)
    ('0.3 GiB', '4.7 GiB')
    """
    return f"{size / 2**30:.1f} GiB"
