"""Temporal interference: the currents of two carriers with the largest modulation in a target.

Carrier k flows through the electrodes as x_k (n,), amplitudes in A that sum to zero, and makes the
field C x_k in the target. Along n the envelope of both is T = 2 min(|n·C x_1|, |n·C x_2|) from
trough to crest (`rheobase.fields.interference`), its largest value over n twice the distance of 0
from the segment between C x_1 and ± C x_2. Limits count the two carriers together, as their crests
meet once a beat: half the sum of all |x_kj| is the total, |x_1j| + |x_2j| the current of electrode
j.

**What can be had.** y = ± x_1 ± x_2 keeps the same limits as a montage of one waveform, and

    T <= |n·C x_1| + |n·C x_2| = n·C y <= h,

the largest field that such a montage can have: of high-definition tES with the same limits, its
number of electrodes included. It is reached with x_1 = x_2 = half of that montage, as if its
current were modulated (Huang, Datta & Parra 2020). The same holds for any number of carriers and
bands, whose envelope never exceeds the sum of |n·C x_k|: more carriers are no stronger. Where no
electrode may carry both, h is a bound, mostly out of reach.

Huang, Datta & Parra, J Neural Eng 17:036023 (2020), doi:10.1088/1741-2552/ab92b3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.fields.basis import as_numbers
from rheobase.fields.optimisation.intensity import largest, largest_norm
from rheobase.fields.optimisation.limits import Bounds, Limits

Floats = NDArray[np.float64]

GAP = 1e-6  # relative, of the mixed-integer programme
SECONDS = 20.0  # for one of them
TURNS = 8  # most directions tried in a row, each the best one for the last currents
SPARE = 5  # electrodes a carrier may use besides those at their limit
SMALL = 1e-9  # of the total; smaller currents are none


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TIOptimum:
    """Currents of two carriers.

    Parameters
    ----------
    names
        Electrodes.
    currents
        Amplitude of each carrier into the head (A), each row summing to 0, shape (2, n).
    value
        Modulation in the target (V/m, peak to peak): along its direction, or in the best one.
    rms
        Rms over the nodes off target of the largest modulation there (V/m), None where no such
        nodes were given.
    objective
        What was optimised: "modulation" (as large as possible) or "rms" (as small as possible).
    bound
        Proved: no currents within the limits have a larger modulation. None for "rms", of which
        nothing is proved.
    active
        Constraints that the optimum touches: "total", "each: Fz", "electrodes", "modulation".
    """

    names: tuple[str, ...]
    currents: Floats
    value: float
    rms: float | None
    objective: Literal["modulation", "rms"]
    bound: float | None
    active: tuple[str, ...]

    @property
    def gap(self) -> float | None:
        """Relative difference of the modulation and its bound, None where none is proved."""
        return None if self.bound is None else max(self.bound / self.value - 1, 0.0)

    @property
    def total(self) -> float:
        """Current of both carriers into the head (A)."""
        return float(np.abs(self.currents).sum() / 2)

    def montages(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return the electrodes and currents (A) of each carrier, largest first."""
        first, second = (
            {self.names[k]: float(x[k]) for k in np.argsort(-np.abs(x), kind="stable") if x[k]}
            for x in self.currents
        )
        return first, second

    def pairs(self) -> tuple[list[tuple[str, str, float]], list[tuple[str, str, float]]]:
        """Return each carrier as isolated sources: (into, out of, current in A), largest first."""
        found = []
        for x in self.currents:
            left, sources = x.copy(), []
            while (size := min(left.max(), -left.min())) > SMALL * self.total:
                into, out = int(left.argmax()), int(left.argmin())
                sources.append((self.names[into], self.names[out], float(size)))
                left[into] -= size
                left[out] += size
            found.append(sources)
        return found[0], found[1]


def strongest_modulation(
    C: ArrayLike, limits: Limits, *, names: Sequence[str], shared: bool = True
) -> TIOptimum:
    """Return the currents of two carriers with the largest modulation in the target.

    Parameters
    ----------
    C
        Field in the target per current (V/m per A), shape (1, n) along a direction, (3, n) for the
        largest modulation in any.
    limits
        Of both carriers together.
    names
        Of the electrodes, n of them.
    shared
        Whether an electrode may carry both carriers.

    Returns
    -------
    TIOptimum
        Shared: exact, half the best montage of one waveform each. Else, along a direction, by a
        mixed-integer programme with its proved gap; over all directions by such programmes in a
        row, the bound being that of shared electrodes.

    Raises
    ------
    InputError
        If numbers do not fit, limits are in conflict, or no currents make a field.
    """
    c, bounds = checked_rows(C, limits, names)
    x, bound = largest(c[0], bounds) if len(c) == 1 else largest_norm(c, bounds)
    if not bound > 0:
        raise InputError("expected a target that the electrodes make a field in, got none")
    if shared:
        return _optimum(c, np.stack([x, x]) / 2, bounds, bound)
    if len(bounds.usable) < 4 or bounds.number < 4:
        raise InputError(
            "expected four or more electrodes for two carriers that share none, "
            f"{min(len(bounds.usable), bounds.number)} may carry current: limits"
        )
    d = c @ x / np.linalg.norm(c @ x)
    best = _optimum(c, np.zeros((2, len(x))), bounds, bound)
    with stage("carriers of different electrodes"):
        for _ in range(TURNS):
            currents, proved = _apart(d @ c, bounds)
            new = _optimum(c, currents, bounds, min(bound, proved) if len(c) == 1 else bound)
            if new.value <= best.value * (1 + GAP):
                break
            best = new
            if len(c) == 1:
                break
            d = best_direction_of(c @ currents[0], c @ currents[1])
    if not best.value > 0:
        raise InputError(
            "expected a target that two carriers without a common electrode modulate, found none"
        )
    return best


def checked_rows(C: ArrayLike, limits: Limits, names: Sequence[str]) -> tuple[Floats, Bounds]:
    """Return the rows of a target, (1, n) or (3, n), and the limits in numbers."""
    c = np.atleast_2d(as_numbers(C, "rows of the target"))
    if c.ndim != 2 or c.shape[1] != len(names) or len(c) not in {1, 3} or not np.isfinite(c).all():
        raise InputError(
            f"expected one or three finite rows of {len(names)} electrodes for the target, got "
            f"{c.shape}"
        )
    return c, limits.bounds(names)


def best_direction_of(E1: Floats, E2: Floats) -> Floats:
    """Return the unit vector, shape (3,), along which two fields modulate most."""
    E2 = -E2 if E1 @ E2 < 0 else E2
    d = E1 - E2
    share = np.clip(-(E2 @ d) / (d @ d), 0.0, 1.0) if d.any() else 0.5
    nearest = share * E1 + (1 - share) * E2
    unit: Floats = nearest / np.linalg.norm(nearest)
    return unit


def modulation_of(C: Floats, currents: Floats) -> float:
    """Return the modulation in the target (V/m): along a direction (1, n) or the largest (3, n)."""
    E1, E2 = C @ currents[0], C @ currents[1]
    if len(C) == 1 or not (E1.any() and E2.any()):
        return float(2 * min(np.linalg.norm(E1), np.linalg.norm(E2)))
    n = best_direction_of(E1, E2)
    return float(2 * min(abs(n @ E1), abs(n @ E2)))


def active_limits(bounds: Bounds, currents: Floats) -> tuple[str, ...]:
    """Return the names of the limits that the currents (2, n) touch."""
    return bounds.active(np.abs(currents).sum(axis=0))


def _optimum(C: Floats, currents: Floats, bounds: Bounds, bound: float) -> TIOptimum:
    return TIOptimum(
        names=bounds.names,
        currents=currents,
        value=modulation_of(C, currents),
        rms=None,
        objective="modulation",
        bound=bound,
        active=active_limits(bounds, currents),
    )


def _apart(c: Floats, bounds: Bounds) -> tuple[Floats, float]:
    """Return the best currents (2, n) of carriers that share no electrode, and what is proved.

    Unknowns are, for each carrier, the currents in and out and whether the electrode is its own,
    (p1, q1, p2, q2, z1, z2, T / 2). Where all electrodes have the same limit only those with the
    largest and smallest c count: any other could be replaced by a better one.
    """
    from scipy.optimize import Bounds as Box
    from scipy.optimize import LinearConstraint, milp

    some = bounds.usable
    if np.ptp(bounds.most[some]) == 0:
        count = int(np.ceil(2 * bounds.total / bounds.most[some[0]])) + 2 * SPARE
        order = some[np.argsort(c[some], kind="stable")]
        if 2 * count < len(order):
            some = np.concatenate([order[:count], order[-count:]])
    n, most = len(some), bounds.most[some] / bounds.total
    scale = float(np.abs(c[some]).max())
    g = c[some] / scale
    I, M, none = np.eye(n), np.diag(most), np.zeros((n, n))  # noqa: E741
    one, zero, nil, col = np.ones(n), np.zeros(n), np.zeros((1, 1)), np.zeros((n, 1))

    def row(*parts: Floats) -> Floats:
        return np.concatenate(parts)[None]

    A = np.block(
        [
            [row(one, -one, zero, zero, zero, zero), nil],
            [row(zero, zero, one, -one, zero, zero), nil],
            [row(-g, g, zero, zero, zero, zero), nil + 1],
            [row(zero, zero, -g, g, zero, zero), nil + 1],
            [row(one, one, one, one, zero, zero), nil],
            [row(zero, zero, zero, zero, one, one), nil],
            [I, I, none, none, -M, none, col],
            [none, none, I, I, none, -M, col],
            [none, none, none, none, I, I, col],
        ]
    )
    high = np.concatenate([[0, 0, 0, 0, 2, bounds.number], np.zeros(2 * n), np.ones(n)])
    low = np.full(len(high), -np.inf)
    low[:2] = 0.0
    found = milp(
        np.append(np.zeros(6 * n), -1.0),
        constraints=LinearConstraint(A, low, high),
        bounds=Box(0.0, np.concatenate([np.tile(most, 4), np.ones(2 * n), [np.inf]])),
        integrality=np.concatenate([np.zeros(4 * n), np.ones(2 * n), [0.0]]),
        options={"mip_rel_gap": GAP, "time_limit": SECONDS},
    )
    if found.x is None:
        raise RuntimeError(f"HiGHS found no currents: {found.message}")
    currents = np.zeros((2, len(c)))
    for k in range(2):
        x = found.x[2 * k * n : (2 * k + 1) * n] - found.x[(2 * k + 1) * n : (2 * k + 2) * n]
        x[np.abs(x) < SMALL] = 0.0
        x[np.abs(x).argmax()] -= x.sum()
        currents[k, some] = x * bounds.total
    return currents, -2 * float(found.mip_dual_bound) * scale * bounds.total
