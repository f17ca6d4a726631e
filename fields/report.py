"""What the solution of a unit source is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

#: Delivered and asked current may differ by this part of the largest one.
DELIVERY = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """What the solution of one unit source is worth.

    All but the first four belong to electrodes; a coil drives no net current through the head.

    Parameters
    ----------
    power
        Power turned into heat in the mesh by the unit source (W; for a coil: W at 1 A/s).
    energy_balance
        Relative difference between the power fed in and that turned into heat.
    iterations, residual
        Most solver iterations and largest true relative residual of the solutions it is made of.
    electrodes
        Their names, n of them.
    asked, delivered
        Current into the head (A) through each electrode at the unit source, n of each: asked for,
        and found as the flux of the solution.
    voltages
        Voltage of each electrode at the unit source (V), on average 0, n of them.
    impedance
        Power per squared total current, layers included (ohm); voltage over current for a pair.
    pair_impedance
        Voltage between two electrodes per current from one to the other while all others carry
        none (ohm), n rows of n.
    asymmetry
        Largest difference between the voltage of one pair per current of another and the other
        way round, relative to the largest impedance: 0 by reciprocity.
    """

    power: float
    energy_balance: float
    iterations: int
    residual: float
    electrodes: tuple[str, ...] = ()
    asked: tuple[float, ...] = ()
    delivered: tuple[float, ...] = ()
    voltages: tuple[float, ...] = ()
    impedance: float = 0.0
    pair_impedance: tuple[tuple[float, ...], ...] = ()
    asymmetry: float = 0.0

    @property
    def mismatch(self) -> float:
        """Largest difference between delivered and asked current, relative to the largest asked."""
        largest = max((abs(a) for a in self.asked), default=1.0)
        wrong = (abs(d - a) for d, a in zip(self.delivered, self.asked, strict=True))
        return max(wrong, default=0.0) / largest

    @property
    def conservation(self) -> float:
        """Sum of the delivered currents, relative to the largest asked."""
        return abs(sum(self.delivered)) / max((abs(a) for a in self.asked), default=1.0)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the report that `dataclasses.asdict` and JSON made lists and numbers of."""
        wanted = {f.name for f in fields(cls)}
        if set(values) != wanted:
            raise ValueError(f"expected a report with {sorted(wanted)}, got {sorted(values)}")
        return cls(**{k: _frozen(v) for k, v in values.items()})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, (list, tuple)) else value
