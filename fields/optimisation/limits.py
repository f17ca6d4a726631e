"""Limits of a stimulator: total current, current of each electrode, number of electrodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from operator import index

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option, check_positive

Floats = NDArray[np.float64]

LOOSE = 1e3  # times a limit is as good as none
TOUCHING = 1e-6  # of a limit; what is as near to it counts as at it


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What the currents may be; they sum to zero in any case.

    Parameters
    ----------
    total
        Current that enters the head, and leaves it, at most (A): half the sum of |I_k|.
    each
        |I_k| at most (A): of every electrode, or by name; 0 leaves an electrode out. Electrodes
        that a mapping does not name are limited by the total alone.
    electrodes
        Electrodes that carry current at most.

    Raises
    ------
    InputError
        If a limit is no number > 0 (>= 0 by name), no current is limited, or there are fewer than
        two electrodes.
    """

    total: float | None = None
    each: float | Mapping[str, float] | None = None
    electrodes: int | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        single = None if isinstance(self.each, Mapping) else self.each
        for what, limit in (("total", self.total), ("each", single)):
            if limit is not None:
                check_positive(f"limits: {what}", limit)
        if isinstance(self.each, Mapping):
            for name, limit in self.each.items():
                if not (isinstance(limit, Real) and isfinite(limit) and limit >= 0):
                    raise InputError(f"expected a current >= 0 A, got {limit!r}: limit of {name!r}")
        if self.total is None and single is None:
            raise InputError(
                "expected a limit on the total current or on that of every electrode, got "
                f"total={self.total!r}, each={self.each!r}: limits"
            )
        if self.electrodes is not None and not whole(self.electrodes) >= 2:
            raise InputError(
                f"expected two or more electrodes, got electrodes={self.electrodes!r}: limits"
            )

    def bounds(self, names: Sequence[str]) -> Bounds:
        """Return the limits of the electrodes called ``names``.

        Raises
        ------
        InputError
            If a name is unknown or comes twice, or fewer electrodes than asked for, or than two,
            may carry current.
        """
        if len(set(names)) < len(names):
            raise InputError("expected electrodes of different names, some come twice: limits")
        most = np.full(len(names), np.inf)
        if isinstance(self.each, Mapping):
            for name, limit in self.each.items():
                check_option("electrode", name, names, where="limits")
                most[list(names).index(name)] = limit
        elif self.each is not None:
            most[:] = self.each
        usable = int(np.count_nonzero(most))
        if usable < 2:
            raise InputError(
                f"expected two or more electrodes that may carry current, 'each' leaves {usable} "
                f"of {len(names)}: limits"
            )
        if self.electrodes is not None and self.electrodes > usable:
            raise InputError(
                f"expected electrodes={self.electrodes} or more positions, {usable} of "
                f"{len(names)} may carry current: limits"
            )
        if self.total is not None:
            most = np.minimum(most, self.total)
        return Bounds(
            names=tuple(names),
            most=most,
            total=float(most.sum() / 2) if self.total is None else self.total,
            number=usable if self.electrodes is None else self.electrodes,
            given=self,
        )

    def without(self, name: str) -> Limits:
        """Return the limits less one of them ("total", "each" or "electrodes").

        Where nothing else limits the currents it is kept, a thousand times as large.
        """
        kept = {k: getattr(self, k) for k in ("total", "each", "electrodes") if k != name}
        each = kept.get("each")
        if kept.get("total") is None and (each is None or isinstance(each, Mapping)):
            kept[name] = LOOSE * getattr(self, name)
        return Limits(**kept)


def whole(value: object) -> int:
    """Return a whole number, -1 if it is none."""
    try:
        return index(value)  # type: ignore[arg-type]
    except TypeError:
        return -1


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Bounds:
    """Limits in numbers, for n electrodes.

    Parameters
    ----------
    names
        Their names.
    most
        Largest |I_k| (A), never above ``total`` where that is limited, shape (n,).
    total
        Largest sum of the positive currents (A).
    number
        Largest number of electrodes that carry current.
    given
        The limits they are of.
    """

    names: tuple[str, ...]
    most: Floats
    total: float
    number: int
    given: Limits

    @property
    def usable(self) -> NDArray[np.intp]:
        """Electrodes that may carry current."""
        return np.flatnonzero(self.most)

    @property
    def counts(self) -> bool:
        """Whether the number of electrodes is a limit."""
        return self.number < len(self.usable)

    def keep(self, currents: Floats) -> bool:
        """Return whether currents that sum to 0 are within the limits."""
        size = np.abs(currents)
        return bool(
            size.sum() <= 2 * self.total
            and (size <= self.most).all()
            and np.count_nonzero(size) <= self.number
        )

    def active(self, currents: Floats) -> tuple[str, ...]:
        """Return the names of the limits that the currents touch: "total", "each: Fz", …."""
        found = []
        size = np.abs(currents)
        near = 1 - TOUCHING
        if self.given.total is not None and size.sum() / 2 >= near * self.total:
            found.append("total")
        if self.given.each is not None:
            each = self.given.each
            own = [
                each.get(name, np.inf) if isinstance(each, Mapping) else each for name in self.names
            ]
            found += [
                f"each: {name}"
                for name, current, limit in zip(self.names, size.tolist(), own, strict=True)
                if limit > 0 and current >= near * limit
            ]
        if self.counts and np.count_nonzero(size) >= self.number:
            found.append("electrodes")
        return tuple(found)
