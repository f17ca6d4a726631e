"""Splits of a current over the contacts of a lead, and what a stimulator may give of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_positive
from rheobase.fields.dbs.steering.steer import UnitResponses
from rheobase.fields.optimisation.limits import Limits, whole

Floats = NDArray[np.float64]

CASE = "case"
MOST_PATTERNS = 200_000


def splits(
    n: int, *, parts: int = 4, cathodes: int = 3, anodes: int = 0, case: bool = True
) -> Floats:
    """Return all splits of 1 A over n contacts in equal parts, shape (m, n).

    Parameters
    ----------
    n
        Contacts.
    parts
        Parts that each polarity is cut into: 4 are quarters.
    cathodes
        Contacts with a current < 0, at most; they carry -1 A in all.
    anodes
        Contacts with a current > 0, at most; they carry 1 A in all where there are any.
    case
        Whether there are splits without anodes, where the case returns all.

    Raises
    ------
    InputError
        If a number is no whole one, nothing is left to return the current, or there are more
        splits than can be gone through.
    """
    if whole(parts) < 1 or whole(cathodes) < 1 or whole(anodes) < 0:
        raise InputError(
            f"expected parts and cathodes >= 1 and anodes >= 0, got {parts!r}, {cathodes!r} and "
            f"{anodes!r}: splits"
        )
    if not case and not (anodes and n > 1):
        raise InputError("expected a case or anodes to return the current, got neither: splits")
    count = _count(n, parts, cathodes) * (_count(n, parts, anodes) + 1)
    if count > MOST_PATTERNS:
        raise InputError(
            f"expected {MOST_PATTERNS:,} splits at most, got about {count:,}: take fewer parts, "
            "cathodes or anodes"
        )
    negative = list(_shares(n, parts, cathodes))
    positive = list(_shares(n, parts, anodes))
    found = [0.0 - out for out in negative] if case else []
    found += [back - out for out in negative for back in positive if not (out * back).any()]
    return np.array(found)


def _count(n: int, parts: int, most: int) -> int:
    """Return how many `_shares` there are."""
    return sum(comb(n, k) * comb(parts - 1, k - 1) for k in range(1, min(most, n, parts) + 1))


def _shares(n: int, parts: int, most: int) -> Iterator[Floats]:
    """Yield all ways to give ``parts`` equal parts of 1 to at most ``most`` of n."""
    for k in range(1, min(most, n, parts) + 1):
        for chosen in combinations(range(n), k):
            for cuts in combinations(range(1, parts), k - 1):
                share = np.zeros(n)
                share[list(chosen)] = np.diff([0, *cuts, parts]) / parts
                yield share


@dataclass(frozen=True, kw_only=True, eq=False)
class Allowed:
    """What a stimulator may give, in numbers.

    Parameters
    ----------
    most
        Largest current of each contact, and of the case (A), shape (N + 1,).
    total
        Largest current in all (A).
    number
        Contacts that carry current at most, the case counted.
    """

    most: Floats
    total: float
    number: int

    def amplitude(self, pattern: Floats) -> float:
        """Return the largest amplitude (A) of a pattern of 1 A, shape (N,); 0 if none may be."""
        size = np.abs(np.append(pattern, pattern.sum()))
        used = size > 1e-9
        if np.count_nonzero(used) > self.number:
            return 0.0
        return min(self.total, float((self.most[used] / size[used]).min()))


def allowed(
    response: UnitResponses,
    limits: Limits,
    *,
    pulse_width: float | None = None,
    charge_density: float | None = None,
) -> Allowed:
    """Return what a stimulator may give to a lead.

    Parameters
    ----------
    response
        Unit responses of the lead.
    limits
        Of the total current and of each contact. A single limit is that of every contact and not of
        the case, which is limited by its name, "case", alone.
    pulse_width, charge_density
        Width of the pulse (s), and charge of a phase per area of a contact at most (C/m²; 30 uC/cm²
        are 0.3): both or none.

    Raises
    ------
    InputError
        If a limit names no contact, or is no number > 0.
    """
    names: Sequence[str] = response.contacts
    bounds = limits.bounds((*names, CASE))
    most = bounds.most.copy()
    if not isinstance(limits.each, Mapping):
        most[-1] = np.inf
    if (pulse_width is None) != (charge_density is None):
        raise InputError("expected a pulse width and a charge density, got one of them: limits")
    if pulse_width is not None and charge_density is not None:
        check_positive("pulse_width (s)", pulse_width)
        check_positive("charge_density (C/m²)", charge_density)
        most[:-1] = np.minimum(most[:-1], charge_density * response.areas / pulse_width)
    total = float(most[:-1].sum()) if limits.total is None else limits.total
    return Allowed(most=most, total=total, number=bounds.number)
