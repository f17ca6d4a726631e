"""Temporal interference: the least modulation off target for a wanted one in the target.

Off target, at node i, the largest modulation of carriers 1 and 2 is

    T_i = 2 max over signs s of min over 0 <= u <= 1 of |u E_i x_1 + (1 - u) s E_i x_2|,

and what is made small is the mean of T_i² over volume, with T = 2 min(n·C x_1, n·C x_2) in the
target at least what is wanted. Carriers may share electrodes, so that any montage of one waveform
is one of the candidates (half of it on each carrier): the optimum is never worse than that of
high-definition tES, and mostly much better, as each carrier may be strong where the other is weak.

The problem is not convex. With u_i and s_i held at their values for the currents at hand, the mean
becomes a quadratic form that equals it there, with the same slope; the convex programme of this
form gives the next currents, a line search sees to it that the mean itself falls. So every start
goes down to a local optimum. Starts are random: for random currents, every node is charged to the
carrier that is weaker there. Nothing is proved of the best one found; how many starts came near it
is told. What is proved is only the largest modulation that can be asked for
(`rheobase.fields.optimisation.interference`).

Aims: Huang, Datta & Parra, J Neural Eng 17:036023 (2020), doi:10.1088/1741-2552/ab92b3, who leave
them to a general solver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._progress import track
from rheobase.fields.basis import as_numbers
from rheobase.fields.optimisation.intensity import largest, largest_norm
from rheobase.fields.optimisation.interference import (
    TIOptimum,
    active_limits,
    best_direction_of,
    checked_rows,
    modulation_of,
)
from rheobase.fields.optimisation.limits import Bounds, Limits
from rheobase.fields.optimisation.quadratic import solve

Floats = NDArray[np.float64]

TOLERANCE = 1e-7  # of the quadratic programmes
STEPS = 40  # most programmes from a start
FLAT = 1e-3  # relative fall of the rms that ends a descent
STEP_SIZES = (1.0, 0.5, 0.25, 0.1, 0.02)  # of a line search
ALIKE = 1e-2  # relative difference of rms below which starts count as one optimum
REACH = 1e-9  # relative; what is asked for may exceed the largest possible by as much
FINALISTS = 3  # starts that are taken down to a limited number of electrodes
SMALL = 1e-6  # of the total; smaller currents are none
DROPPED = 0.75  # share of the electrodes kept at a time on the way to a limited number


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FocalTI:
    """The best of many local optima.

    Parameters
    ----------
    optimum
        Its currents.
    rms
        Rms modulation off target (V/m) that each start came to, shape (starts,); the first start
        is the best montage of one waveform, the others are random.
    """

    optimum: TIOptimum
    rms: Floats

    @property
    def single(self) -> float:
        """Rms off target (V/m) of the best montage of one waveform (high-definition tES)."""
        return float(self.rms[0])

    @property
    def agreeing(self) -> int:
        """Number of starts within 1 % of the best."""
        return int(np.count_nonzero(self.rms <= (1 + ALIKE) * self.rms.min()))


def focal_modulation(
    C: ArrayLike,
    E: ArrayLike,
    volumes: ArrayLike,
    limits: Limits,
    *,
    value: float,
    names: Sequence[str],
    montage: ArrayLike | None = None,
    starts: int = 8,
    seed: int = 0,
) -> FocalTI:
    """Return currents of two carriers with little modulation off target.

    Parameters
    ----------
    C
        Field in the target per current (V/m per A), shape (1, n) along a direction, (3, n) for the
        modulation in whatever direction is best.
    E
        Fields per current at nodes off target (V/m per A), shape (n, m, 3): some thousand of them,
        as from `sampled_nodes`.
    volumes
        What the nodes stand for (any unit), shape (m,).
    limits
        Of both carriers together. The number of electrodes is kept by leaving out those with the
        least current, a few at a time: a good choice, of which nothing is proved.
    value
        Modulation wanted in the target (V/m, peak to peak).
    names
        Of the electrodes, n of them.
    montage
        Currents (A) of one waveform within the limits that have the modulation, shape (n,), as
        those of `rheobase.fields.optimisation.tes.focal`: one more candidate, and the start
        "montage of one waveform". Without it the best one with any number of electrodes is.
    starts, seed
        Number of random starts and their seed.

    Raises
    ------
    InputError
        If numbers do not fit, or the modulation is more than the limits allow.
    """
    c, bounds = checked_rows(C, limits, names)
    n = len(names)
    fields, share = checked_nodes(E, volumes, n)
    if starts < 1:
        raise InputError(f"expected one or more starts, got {starts!r}: focal modulation")
    x, most = largest(c[0], bounds) if len(c) == 1 else largest_norm(c, bounds)
    if not 0 < value <= (1 + REACH) * most:
        raise InputError(
            f"expected a modulation above 0 that the limits allow, got {value!r} V/m: "
            f"{most:.4g} V/m is the most"
        )
    n_hat = c @ x / np.linalg.norm(c @ x)
    problem = _Problem(
        L=np.ascontiguousarray((fields * np.sqrt(share)[:, None]).reshape(n, -1).T),
        C=c,
        value=min(value, most * (1 - REACH)),
        bounds=bounds,
        top=np.stack([x, x]) / 2 * (value / most),
        n_hat=n_hat,
    )
    generator = np.random.default_rng(seed)
    found, candidates = [], []
    for k in track(range(starts + 1), "focal temporal interference", total=starts + 1):
        weak = np.full(fields.shape[1], 0.5)
        if k > 0:
            some = generator.normal(size=(2, n))
            some[:, bounds.most == 0] = 0.0
            some -= some.mean(axis=1, keepdims=True)
            size = [np.linalg.norm((problem.L @ y).reshape(-1, 3), axis=1) for y in some]
            weak = (size[0] < size[1]).astype(float)
        found.append(problem.descend(weak))
    if montage is not None:
        single = np.stack([as_numbers(montage, "montage")] * 2) / 2
        if single.shape != (2, n) or not bounds.keep(2 * single[0] * (1 - REACH)):
            raise InputError(f"expected a montage of {n} electrodes that keeps the limits")
        if modulation_of(c, single) < (1 - SMALL) * value:
            raise InputError(
                f"expected a montage with {value:.4g} V/m or more in the target, it has "
                f"{modulation_of(c, single):.4g} V/m"
            )
        found[0] = (single, problem.rms(single))
        candidates += [single, problem.settled(single)]
    rms = np.array([r for _, r in found])
    for k in np.argsort(rms, kind="stable")[:FINALISTS]:
        few = problem.with_few(found[k][0])
        kept = np.where(np.abs(few) > SMALL * bounds.total, few, 0.0)
        candidates.append(problem.settled(kept) if (kept != few).any() else few)
    best = min(candidates, key=problem.rms)
    return FocalTI(
        optimum=TIOptimum(
            names=bounds.names,
            currents=best,
            value=modulation_of(c, best),
            rms=problem.rms(best),
            objective="rms",
            bound=None,
            active=("modulation", *active_limits(bounds, best)),
        ),
        rms=rms,
    )


def checked_nodes(E: ArrayLike, volumes: ArrayLike, n: int) -> tuple[Floats, Floats]:
    """Return the fields of n electrodes at nodes, (n, m, 3), and each node's share of volume."""
    fields = as_numbers(E, "fields off target")
    v = as_numbers(volumes, "volumes off target")
    if fields.ndim != 3 or fields.shape[0] != n or fields.shape[2] != 3 or not len(fields[0]):
        raise InputError(f"expected fields off target of shape ({n}, m, 3), got {fields.shape}")
    if v.shape != fields.shape[1:2] or not ((v >= 0).all() and v.sum() > 0):
        raise InputError(f"expected a volume for each of {fields.shape[1]} nodes, got {v.shape}")
    return fields, v / v.sum()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Problem:
    """Rows L (3 m, n) of the nodes times the root of their share of volume, and the rest."""

    L: Floats
    C: Floats
    value: float
    bounds: Bounds
    top: Floats  # currents that keep the limits and give the value
    n_hat: Floats

    def rms(self, currents: Floats) -> float:
        """Return the rms of the largest modulation."""
        share, sign = self.sharing(currents)
        E1, E2 = ((self.L @ x).reshape(-1, 3) for x in currents)
        nearest = share[:, None] * E1 + ((1 - share) * sign)[:, None] * E2
        return float(2 * np.sqrt((nearest**2).sum()))

    def sharing(self, currents: Floats) -> tuple[Floats, Floats]:
        """Return u and s of every node."""
        E1, E2 = ((self.L @ x).reshape(-1, 3) for x in currents)
        sign = np.where((E1 * E2).sum(1) < 0, -1.0, 1.0)
        E2 = E2 * sign[:, None]
        d = E1 - E2
        size = (d * d).sum(1)
        flat = size <= 1e-20 * ((E1**2).sum(1) + (E2**2).sum(1))
        u = np.clip(-(E2 * d).sum(1) / np.where(flat, 1.0, size), 0.0, 1.0)
        return np.where(flat, 0.5, u), sign

    def descend(self, share: Floats, may: NDArray[np.bool_] | None = None) -> tuple[Floats, float]:
        """Return a local optimum and its rms, from the shares of a first quadratic form.

        ``may`` (2, n) tells which electrodes may carry each carrier.
        """
        may = np.stack([self.bounds.most > 0] * 2) if may is None else may
        n = self.n_hat
        x = self.programme(share, np.ones(len(share)), n, may)
        x = self.top if x is None else x
        return self.polished(x, may)

    def polished(self, x: Floats, may: NDArray[np.bool_]) -> tuple[Floats, float]:
        """Return the local optimum below currents that keep the limits, and its rms."""
        rms = self.rms(x)
        for _ in range(STEPS):
            n = self.n_hat if len(self.C) == 1 else best_direction_of(self.C @ x[0], self.C @ x[1])
            signs = np.sign(n @ self.C @ x.T)
            y = self.programme(*self.sharing(x), n, may, signs)
            if y is None:
                break
            last = rms
            for step in STEP_SIZES:
                new = x + step * (y - x)
                if (value := self.rms(new)) < rms:
                    x, rms = new, value
                    break
            if rms > (1 - FLAT) * last:
                break
        return x, rms

    def programme(
        self,
        share: Floats,
        sign: Floats,
        n: Floats,
        may: NDArray[np.bool_],
        signs: Floats | None = None,
    ) -> Floats | None:
        """Return the currents with the least quadratic form, None if none keep the limits.

        ``share`` and ``sign`` are u and s of the nodes, n the direction in the target, ``may``
        (2, n) which electrodes may carry each carrier, ``signs`` those of n·C x_k (1 if None).
        Unknowns are (x, t) with |x| <= t, in units of the total, of both carriers in a row.
        """
        a, b = np.repeat(share, 3), np.repeat((1 - share) * sign, 3)
        some = [np.flatnonzero(m) for m in may]
        M = np.concatenate(
            [a[:, None] * self.L[:, some[0]], b[:, None] * self.L[:, some[1]]], axis=1
        )
        s = self.bounds.total
        P = M.T @ M
        c = n @ self.C
        k0, N = len(some[0]), len(c)
        k = k0 + len(some[1])
        wanted = np.ones(2) if signs is None else signs
        own = np.concatenate(some)
        both = (own[None, :] == np.arange(N)[:, None]).astype(float)
        both, most = both[both.any(axis=1)], self.bounds.most[both.any(axis=1)] / s
        I, size = np.eye(k), np.abs(c).max()  # noqa: E741
        sums = np.stack([np.arange(k) < k0, np.arange(k) >= k0])
        field = np.zeros((2, k))
        field[0, :k0], field[1, k0:] = (
            -wanted[0] * c[some[0]] / size,
            -wanted[1] * c[some[1]] / size,
        )
        G = np.block(
            [
                [sums, np.zeros((2, k))],
                [field, np.zeros((2, k))],
                [I, -I],
                [-I, -I],
                [np.zeros((1, k)), np.ones((1, k))],
                [np.zeros((len(both), k)), both],
            ]
        )
        least = np.full(2, -self.value / (2 * size * s))
        h = np.concatenate([np.zeros(2), least, np.zeros(2 * k), [2.0], most])
        top = np.abs(P).max()
        H = np.zeros((2 * k, 2 * k))
        H[:k, :k] = P / top
        found = solve(H, np.zeros(2 * k), G, h, 2, TOLERANCE)
        if found is None:
            return None
        x = np.zeros((2, N))
        x[0, some[0]], x[1, some[1]] = s * found.x[:k0], s * found.x[k0:k]
        for row in x:
            row[np.abs(row).argmax()] -= row.sum()
        return x

    def settled(self, x: Floats) -> Floats:
        """Return the local optimum that uses no electrode that x does not."""
        may = x != 0
        y = self.programme(*self.sharing(x), self.n_hat, may, np.sign(self.n_hat @ self.C @ x.T))
        return x if y is None else self.polished(y, may)[0]

    def with_few(self, x: Floats) -> Floats:
        """Return currents of no more electrodes than allowed, `top` where too few are left."""
        while True:
            size = np.abs(x).sum(axis=0)
            used = np.flatnonzero(size > SMALL * self.bounds.total)
            if len(used) <= self.bounds.number:
                return x
            count = max(self.bounds.number, int(DROPPED * len(used)))
            kept = used[np.argsort(-size[used], kind="stable")[:count]]
            may = np.zeros((2, len(size)), bool)
            may[:, kept] = True
            share, sign = self.sharing(x)
            y = self.programme(share, sign, self.n_hat, may)
            if y is None:
                return self.top
            x = self.polished(y, may)[0]
