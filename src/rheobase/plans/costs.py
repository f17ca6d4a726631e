"""Measured costs: seconds of one core and bytes for each stage of the work, by its size."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a stage takes: a part that is always there, and one that grows with the size.

    Parameters
    ----------
    base_s, s
        Seconds of one core, and those for each unit of size.
    base_MiB, MiB
        Memory (MiB), likewise.
    """

    base_s: float = 0.0
    s: float = 0.0
    base_MiB: float = 0.0
    MiB: float = 0.0

    def seconds(self, size: float = 0.0) -> float:
        """Return the processor time (s) for a size."""
        return self.base_s + self.s * size

    def bytes(self, size: float = 0.0) -> float:
        """Return the memory for a size, the process itself included."""
        return MIB * (process_MiB() + self.base_MiB + self.MiB * size)


@cache
def _table() -> dict[str, Any]:
    text = files("rheobase").joinpath("data/plans/costs.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def how_measured() -> str:
    """Return on what machine and how the costs were measured."""
    return str(_table()["measured"])


def process_MiB() -> float:
    """Return what a process with the libraries takes before any work (MiB)."""
    return float(_table()["process_MiB"])


def cost(name: str) -> Cost:
    """Return the cost of a stage by its name in ``data/plans/costs.toml``.

    Examples
    --------
    >>> cost("field.statistics").seconds(1.0) > 0
    True
    """
    here = _table()["cost"]
    for part in name.split("."):
        here = here[part]
    fields = Cost.__dataclass_fields__
    return Cost(**{k: v for k, v in here.items() if k in fields})


def head_sizes(name: str) -> dict[str, Any]:
    """Return nodes, tetrahedra, mean edge and building time of a built-in head by resolution.

    Heads without resolutions have one, "default".
    """
    found: dict[str, Any] = _table()["heads"][name]
    return found
