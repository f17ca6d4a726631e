"""What the solution of a unit source is worth."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """What the solution of one unit source is worth.

    Parameters
    ----------
    asked, delivered
        Current into the head (A): asked for, and found as the flux of the solution. Both are 0
        for a coil, whose net current through the head is none.
    power
        Power turned into heat in the head by the unit source (W; for a coil: W at 1 A/s).
    energy_balance
        Relative difference between the power fed in and that turned into heat.
    impedance
        Power per squared current, electrode contacts included (ohm); voltage over current for a
        pair. 0 for a coil.
    iterations, residual
        Solver iterations and true relative residual.
    """

    asked: float
    delivered: float
    power: float
    energy_balance: float
    impedance: float
    iterations: int
    residual: float
