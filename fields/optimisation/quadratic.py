"""The least energy of currents under limits: a convex quadratic programme (Clarabel).

    least x' Q x  over currents x with  A x = wanted,  sum x = 0,
    sum |x| <= 2 total,  |x_k| <= most_k.

For a single row, A x >= wanted is the same: less current means less energy. Without limits the
optimum is linear in what is wanted (linearly constrained minimum variance),

    x = M A' (A M A')^-1 wanted,  M the pseudo-inverse of Q among currents that sum to 0.

It is tried first: where it keeps the limits it is the optimum.

Dmochowski et al., J Neural Eng 8:046011 (2011), doi:10.1088/1741-2560/8/4/046011. Clarabel: Goulart
& Chen (2024), arXiv:2405.12762.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.optimisation.limits import Bounds

Floats = NDArray[np.float64]

TOLERANCE = 1e-10  # of constraints and duality gap, in units of the optimum without limits
ROUGH = 1e-7  # the same where rounding leaves no more
SMALL = 1e-6  # of the total; smaller currents are none, if the optimum can do without


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Least:
    """Currents of least energy.

    Parameters
    ----------
    currents
        x (A), shape (n,).
    energy
        x' Q x ((V/m)²).
    bound
        No currents have less.
    price
        Energy per unit of what is wanted, shape (m,): its slope at the optimum.
    """

    currents: Floats
    energy: float
    bound: float
    price: Floats


def least_energy(
    Q: Floats,
    A: Floats,
    wanted: Floats,
    bounds: Bounds,
    *,
    some: NDArray[np.intp] | None = None,
    settle: bool = False,
) -> Least | None:
    """Return the currents of least energy, None if none keep the limits.

    Parameters
    ----------
    Q
        Energy per current² of the electrodes, symmetric, not negative among currents that sum to
        0, shape (n, n).
    A
        What must come out, per current, shape (m, n).
    wanted
        How much of it, not all 0, shape (m,).
    bounds
        Limits of currents; their number of electrodes is not looked at.
    some
        Electrodes that may carry current; those that the limits allow if None.
    settle
        Whether to solve once more without the electrodes whose currents are next to nothing.
    """
    some = bounds.usable if some is None else some
    free = without_limits(Q, A, wanted, some)
    if free is None:
        return None
    size = np.abs(free.currents)
    if size.sum() <= 2 * bounds.total and (size <= bounds.most).all():
        return free
    found = _programme(Q, A, wanted, bounds, some, free)
    if found is None or not settle:
        return found
    kept = some[np.abs(found.currents[some]) > SMALL * bounds.total]
    if len(kept) < len(some):
        fewer = _programme(Q, A, wanted, bounds, kept, free)
        if fewer is not None and fewer.energy <= (1 + SMALL) * found.bound:
            return replace(fewer, bound=found.bound, price=found.price)
    return found


def without_limits(Q: Floats, A: Floats, wanted: Floats, some: NDArray[np.intp]) -> Least | None:
    """Return what `least_energy` does without limits, None if A x = wanted has no solution."""
    P = np.eye(len(some)) - 1.0 / len(some)
    B = A[:, some]
    M = np.linalg.pinv(P @ Q[np.ix_(some, some)] @ P, rcond=1e-12, hermitian=True)
    y = np.linalg.lstsq(B @ M @ B.T, wanted, rcond=1e-12)[0]
    x = np.zeros(len(Q))
    x[some] = M @ (B.T @ y)
    if np.linalg.norm(A @ x - wanted) > 1e-8 * np.linalg.norm(wanted):
        return None
    energy = float(x @ Q @ x)
    return Least(currents=x, energy=energy, bound=energy, price=2 * y)


def unit_current(free: Least, bounds: Bounds) -> float:
    """Return the size of the currents (A): of those without limits, or all that is allowed."""
    return min(float(np.abs(free.currents).sum() / 2), bounds.total)


def _programme(
    Q: Floats, A: Floats, wanted: Floats, bounds: Bounds, some: NDArray[np.intp], free: Least
) -> Least | None:
    """Solve for (x, t) with |x| <= t, in units of the optimum without limits."""
    n, s, scale = len(some), unit_current(free, bounds), free.energy
    size = np.abs(A[:, some]).max(axis=1) * s
    P = np.zeros((2 * n, 2 * n))
    P[:n, :n] = 2 * Q[np.ix_(some, some)] * (s * s / scale)
    I, none, one = np.eye(n), np.zeros((n, n)), np.ones((1, n))  # noqa: E741
    G = np.block(
        [
            [one, 0 * one],
            [A[:, some] * (s / size)[:, None], np.zeros_like(A[:, some])],
            [I, -I],
            [-I, -I],
            [0 * one, one],
            [none, I],
        ]
    )
    h = np.concatenate(
        [[0.0], wanted / size, np.zeros(2 * n), [2 * bounds.total / s], bounds.most[some] / s]
    )
    m = len(A) + 1
    try:
        found = solve(P, np.zeros(2 * n), G, h, m, TOLERANCE)
    except UnsolvedError:
        found = solve(P, np.zeros(2 * n), G, h, m, ROUGH)
    if found is None:
        return None
    x = np.zeros(len(Q))
    x[some] = s * found.x[:n]
    x[some[np.abs(x[some]).argmax()]] -= x.sum()
    x /= max(1.0, np.abs(x).sum() / (2 * bounds.total), (np.abs(x[some]) / bounds.most[some]).max())
    energy = float(x @ Q @ x)
    return Least(
        currents=x,
        energy=energy,
        bound=min(found.bound * scale, energy),
        price=-found.z[1:m] * scale / size,
    )


class UnsolvedError(ArithmeticError):
    """Clarabel found neither an optimum nor that there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """What Clarabel found: the point, its multipliers and the dual value."""

    x: Floats
    z: Floats
    bound: float


def solve(
    P: Floats,
    q: Floats,
    G: Floats,
    h: Floats,
    equal: int,
    tolerance: float,
    cones: int = 0,
) -> Solved | None:
    """Return the least x' P x / 2 + q x with G x = h, G x <= h or h - G x in cones, row by row.

    Parameters
    ----------
    P, q, G, h
        Dense; the upper half of P counts.
    equal
        Number of rows of G that are equations, the first ones.
    tolerance
        Of constraints and duality gap.
    cones
        Number of second-order cones of three rows, the last ones.

    Returns
    -------
    Solved
        None where no x keeps the constraints.

    Raises
    ------
    UnsolvedError
        If rounding stops it on the way.
    """
    import clarabel
    from scipy.sparse import csc_array

    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = tolerance
    kinds: list[Any] = [clarabel.ZeroConeT(equal)]
    kinds.append(clarabel.NonnegativeConeT(len(h) - equal - 3 * cones))
    kinds += [clarabel.SecondOrderConeT(3)] * cones
    found = clarabel.DefaultSolver(
        csc_array(np.triu(P)), q, csc_array(G), h, kinds, settings
    ).solve()
    status = str(found.status)
    if status.endswith("PrimalInfeasible"):
        return None
    if status not in {"Solved", "AlmostSolved"}:
        raise UnsolvedError(f"Clarabel ended with {status}")
    return Solved(np.array(found.x), np.array(found.z), float(found.obj_val_dual))


def largest_multiple(A: Floats, wanted: Floats, bounds: Bounds) -> float:
    """Return the largest s with A x = s * wanted for currents within the limits (any number)."""
    from scipy.optimize import linprog

    some = bounds.usable
    n, size = len(some), np.abs(A).max() * bounds.total
    most = (bounds.most[some] / bounds.total).tolist()
    B = A[:, some] * (bounds.total / size)
    found = linprog(
        np.append(np.zeros(2 * n), -1.0),
        A_ub=np.append(np.ones(2 * n), 0.0)[None],
        b_ub=[2.0],
        A_eq=np.block(
            [
                [B, -B, -wanted[:, None] / np.linalg.norm(wanted)],
                [np.r_[np.ones(n), -np.ones(n), 0.0]],
            ]
        ),
        b_eq=np.zeros(len(A) + 1),
        bounds=[(0.0, u) for u in (*most, *most)] + [(0.0, None)],
    )
    assert found.x is not None  # x = 0 is within the limits
    return float(found.x[-1] * size / np.linalg.norm(wanted))
