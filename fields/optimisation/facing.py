"""The least energy with |C x| >= value: the best direction of the field is looked for, with proof.

|C x| >= value where d·C x >= value for some unit d. With F(d, v) the least energy along d, convex
in v, no direction within a triangle has less than the least of F(d_i, rho v) of its corners, rho
the distance of its plane from the origin: d rho' = sum of lambda_i d_i with rho' >= rho, so that
d_i·C x >= rho v for one of them. F(d_i, rho v) lies above its tangent at v. With few electrodes F
is the bound of the root of their tree, which is convex in v too.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.optimisation.directions import best_direction
from rheobase.fields.optimisation.few import least_energy_of_few, quick_least_of_few
from rheobase.fields.optimisation.intensity import largest
from rheobase.fields.optimisation.limits import Bounds
from rheobase.fields.optimisation.quadratic import Least, least_energy, without_limits

Floats = NDArray[np.float64]

COARSE = 0.02  # gap of the search where electrodes are counted: their own gap is larger
TURNS = 10  # of the direction towards the field that was found


def least_in_any_direction(
    Q: Floats,
    C: Floats,
    value: float,
    bounds: Bounds,
    reaching: Floats,
    *,
    gap: float,
    nodes: int,
) -> Least:
    """Return the currents of least energy with |C x| >= value.

    Parameters
    ----------
    Q
        Energy per current², shape (n, n).
    C
        Field per current, shape (3, n).
    value
        What |C x| is to be at least, no more than ``reaching`` has.
    bounds
        Limits of the currents.
    reaching
        Currents within the limits with |C x| >= value, shape (n,).
    gap
        Relative difference of energy and bound that is enough.
    nodes
        Nodes of the tree of electrodes, where their number is limited. The bound is then that of
        the root of the tree in every direction, and may stay below the optimum.
    """
    free = _without_limits(Q, C, value, bounds)
    if free is not None:
        return free

    def look(d: Floats) -> _Along:
        return _Along(Q, d @ C, value, bounds)

    start = C @ reaching / np.linalg.norm(C @ reaching)
    wide = max(gap, COARSE) if bounds.counts else gap
    best, score = best_direction(look, _least_between, gap=wide, also=[start])
    found = best.least
    if found is None:  # at the very limit of what is possible
        energy = float(reaching @ Q @ reaching)
        found = Least(currents=reaching, energy=energy, bound=0.0, price=np.zeros(1))
    for _ in range(TURNS):  # |C x| may exceed its component along d: less current will do
        field = C @ found.currents
        A, wanted = (field / np.linalg.norm(field) @ C)[None], np.array([value])
        if bounds.counts:
            turned = least_energy_of_few(Q, A, wanted, bounds, gap=gap, nodes=nodes)
        else:
            turned = least_energy(Q, A, wanted, bounds, settle=True)
        if turned is None or turned.energy >= (1 - 1e-9) * found.energy:
            break
        found = turned
    return replace(found, bound=min(-score, found.energy))


def _without_limits(Q: Floats, C: Floats, value: float, bounds: Bounds) -> Least | None:
    """Return the optimum without limits if it keeps them: along an eigenvector of C M C'.

    M is the pseudo-inverse of Q among currents that sum to 0; along d the least energy is
    value² / (d C M C' d).
    """
    some = bounds.usable
    P = np.eye(len(some)) - 1.0 / len(some)
    M = np.linalg.pinv(P @ Q[np.ix_(some, some)] @ P, rcond=1e-12, hermitian=True)
    d = np.linalg.eigh(C[:, some] @ M @ C[:, some].T)[1][:, -1]
    free = without_limits(Q, (d @ C)[None], np.array([value]), some)
    return free if free is not None and bounds.keep(free.currents) else None


class _Along:
    """Least energy along a direction, at a value and, if asked for, at less."""

    def __init__(self, Q: Floats, c: Floats, value: float, bounds: Bounds) -> None:
        self.value = value
        self.reach = largest(c, bounds)[1]

        @cache
        def at(value: float) -> Least | None:
            if value > self.reach:
                return None
            least = quick_least_of_few if bounds.counts else least_energy
            return least(Q, c[None], np.array([value]), bounds)

        self.at = at
        self.least = at(value)

    @property
    def score(self) -> float:
        return -np.inf if self.least is None else -self.least.energy

    def bound(self, share: float) -> float:
        """Return what no currents with at least a share of the value fall below."""
        if self.least is not None:
            slope = float(self.least.price[0])
            return max(self.least.bound - slope * (1 - share) * self.value, 0.0)
        less = self.at(share * self.value)
        return np.inf if less is None else less.bound


def _least_between(corners: list[_Along], distance: float) -> float:
    return -min(corner.bound(distance) for corner in corners)
