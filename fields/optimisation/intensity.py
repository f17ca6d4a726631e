"""The largest field under the limits of the currents: along a direction, or in any.

Along a direction, c x is to be largest over currents x with sum x = 0, sum |x| <= 2 total,
|x_k| <= most_k. Moving current from the electrode with the smallest c to that with the largest
gains most, and goes on gaining until limits stop it: the optimum in closed form. With at most N
electrodes and the same limit for all, it uses the m largest and the N - m smallest of c for some
m. Only with different limits does the number of electrodes need a mixed-integer programme.

The largest |C x| is the largest value, over unit d, of the support function h(d) = max d·C x. It is
convex, so that within a triangle with unit corners it is at most its largest corner value over the
distance of the triangle's plane from the origin (`rheobase.fields.optimisation.directions`); where
the same currents are best at all three corners, h is linear between and nothing in the triangle
exceeds their own |C x|.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.optimisation.directions import best_direction
from rheobase.fields.optimisation.limits import Bounds

Floats = NDArray[np.float64]

GAP = 1e-7  # relative, of a mixed-integer programme and of the search over directions


def largest(c: Floats, bounds: Bounds) -> tuple[Floats, float]:
    """Return the currents with the largest c x, and what no currents can exceed.

    Parameters
    ----------
    c
        Field per current of each electrode (V/m per A), shape (n,).
    bounds
        Limits of the n electrodes.

    Returns
    -------
    currents : ndarray, shape (n,)
        x (A).
    bound : float
        c x itself, or the bound that a mixed-integer programme has proved.
    """
    if not bounds.counts:
        x = _poured(c, bounds.usable, bounds)
        return x, float(c @ x)
    if np.ptp(bounds.most[bounds.usable]) > 0:
        return _largest_of_few(c, bounds)
    order = bounds.usable[np.argsort(-c[bounds.usable], kind="stable")]
    best, N = np.zeros(len(c)), bounds.number
    for m in range(1, N):
        x = _poured(c, np.concatenate([order[:m], order[len(order) - (N - m) :]]), bounds)
        if c @ x > c @ best:
            best = x
    return best, float(c @ best)


def largest_norm(C: Floats, bounds: Bounds) -> tuple[Floats, float]:
    """Return the currents with the largest |C x|, and what no currents can exceed.

    Parameters
    ----------
    C
        Field per current (V/m per A), shape (3, n).
    bounds
        Limits of the n electrodes.

    Returns
    -------
    currents : ndarray, shape (n,)
        x (A), with C x in whatever direction is best.
    bound : float
        Proved, within 1e-7 of |C x| or of it itself.
    """
    best, bound = best_direction(lambda d: _along(d, C, bounds), _most_between, gap=GAP)
    return best.currents, max(bound, float(np.linalg.norm(C @ best.currents)))


@dataclass(frozen=True, slots=True, eq=False)
class _Along:
    """What is best along a direction."""

    currents: Floats
    field: float  # |C x|, a value that is reached
    bound: float  # h(d), or what was proved of it
    excess: float  # of the bound over d·C x, relative

    @property
    def score(self) -> float:
        return self.field


def _along(d: Floats, C: Floats, bounds: Bounds) -> _Along:
    x, bound = largest(d @ C, bounds)
    reached = float(d @ C @ x)
    excess = bound / reached - 1 if reached > 0 else 0.0
    return _Along(x, float(np.linalg.norm(C @ x)), bound, excess)


def _most_between(corners: list[_Along], distance: float) -> float:
    first, *others = corners
    if all(np.array_equal(first.currents, o.currents) for o in others):
        return first.field * (1 + max(c.excess for c in corners))
    return max(c.bound for c in corners) / distance


def _poured(c: Floats, some: NDArray[np.intp], bounds: Bounds) -> Floats:
    """Return the best currents of some electrodes: from the smallest c to the largest, and on."""
    order = some[np.argsort(-c[some], kind="stable")].tolist()
    x, room, left = np.zeros(len(c)), bounds.most.copy(), bounds.total
    i, j = 0, len(order) - 1
    while i < j and left > 0:
        into, out = order[i], order[j]
        if c[into] <= c[out]:
            break
        step = min(room[into], room[out], left)
        x[into] += step
        x[out] -= step
        room[into] -= step
        room[out] -= step
        left -= step
        i += room[into] <= 0
        j -= room[out] <= 0
    return x


def _largest_of_few(c: Floats, bounds: Bounds) -> tuple[Floats, float]:
    """Solve with a limited number of electrodes of different limits (mixed-integer programme).

    Unknowns are the currents in and out and whether each flows, (p, q, in use, out of use).
    """
    from scipy.optimize import Bounds as Box
    from scipy.optimize import LinearConstraint, milp

    some = bounds.usable
    n, most = len(some), bounds.most[some] / bounds.total
    scale = float(np.abs(c[some]).max()) or 1.0
    one, zero = np.ones((1, n)), np.zeros((1, n))
    I, none, M = np.eye(n), np.zeros((n, n)), np.diag(most)  # noqa: E741
    rows = np.block(
        [
            [one, -one, zero, zero],  # sum to 0
            [one, zero, zero, zero],  # total
            [zero, zero, one, one],  # electrodes
            [I, none, -M, none],  # no current unless in use
            [none, I, none, -M],
            [none, none, I, I],  # one way only
        ]
    )
    high = np.concatenate([[0.0, 1.0, bounds.number], np.zeros(2 * n), np.ones(n)])
    low = np.full(len(high), -np.inf)
    low[0] = 0.0
    found = milp(
        np.concatenate([-c[some], c[some], np.zeros(2 * n)]) / scale,
        constraints=LinearConstraint(rows, low, high),
        bounds=Box(0.0, np.concatenate([most, most, np.ones(2 * n)])),
        integrality=np.repeat([0, 1], 2 * n),
        options={"mip_rel_gap": GAP},
    )
    if not found.success:
        raise RuntimeError(f"HiGHS failed on a feasible problem: {found.message}")
    x = np.zeros(len(c))
    used = np.flatnonzero(found.x[2 * n : 3 * n] + found.x[3 * n :] > 0.5)
    x[some[used]] = _poured(c[some[used]], np.arange(len(used)), _of(bounds, some[used]))
    return x, max(-float(found.mip_dual_bound) * scale * bounds.total, float(c @ x))


def _of(bounds: Bounds, some: NDArray[np.intp]) -> Bounds:
    """Return the bounds of some of the electrodes."""
    return Bounds(
        names=tuple(bounds.names[k] for k in some),
        most=bounds.most[some],
        total=bounds.total,
        number=bounds.number,
        given=bounds.given,
    )
