"""Stretches of time in which a heat source is constant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """A stretch of time in which the heating power is constant.

    Parameters
    ----------
    start, end
        Limits (s).
    power
        Factor of the power, >= 0: 1 for full power.
    """

    start: float
    end: float
    power: float
