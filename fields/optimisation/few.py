"""The least energy with a limited number of electrodes: branch and bound, with proof.

Each electrode is in use, out of use or open. For a node of the tree the least energy is bounded
from below by a convex programme: with U the electrodes not out of use, and lambda the largest
number with x' Q x >= lambda * sum of x_k² over the open ones, for all x on U that sum to 0,

    x' Q x = (x' Q x - lambda * sum of x_k²) + lambda * sum of x_k² / z_k

where z_k is 1 for an electrode in use, with 0 / 0 = 0 for the others. Any z_k from 0 to 1 whose sum
is at most the number that is left make it convex, and no larger (perspective reformulation,
Frangioni & Gentile, Math Program 106:225, 2006). lambda grows as electrodes near each other are
decided on, so that the bound closes fast. The node with the least bound is divided at the open
electrode with the largest z.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.optimisation.intensity import largest
from rheobase.fields.optimisation.limits import Bounds
from rheobase.fields.optimisation.quadratic import (
    Least,
    UnsolvedError,
    least_energy,
    solve,
    unit_current,
    without_limits,
)

Floats = NDArray[np.float64]
Chosen = frozenset[int]

RELAXED = 1e-7  # tolerance of the bounds
SAFE = 1e-6  # by which bounds are lowered, for what their programmes leave open


def least_energy_of_few(
    Q: Floats,
    A: Floats,
    wanted: Floats,
    bounds: Bounds,
    *,
    gap: float = 1e-4,
    nodes: int = 1000,
) -> Least | None:
    """Return the currents of least energy through at most ``bounds.number`` electrodes.

    Parameters
    ----------
    Q, A, wanted, bounds
        As in `rheobase.fields.optimisation.quadratic.least_energy`.
    gap
        Relative difference of energy and bound that is enough.
    nodes
        Nodes of the tree at most; the bound tells what is left open.

    Returns
    -------
    Least
        Its price is that of the electrodes found. None if no currents were found that keep the
        limits; with a single row to reach, and no more than they allow, there always are some.
    """
    tree = _Tree(Q, A, wanted, bounds)
    if tree.free is None:
        return None
    tree.start()
    heap: list[tuple[float, int, _Node]] = []
    number = count()

    def add(used: Chosen, open_: Chosen, below: float) -> None:
        node = tree.look(used, open_)
        if node is not None:
            heapq.heappush(heap, (max(node.bound, below), next(number), node))

    add(frozenset(), frozenset(bounds.usable.tolist()), 0.0)
    while heap and heap[0][0] < (1 - gap) * tree.energy:
        if next(number) > nodes:
            break
        bound, _, node = heapq.heappop(heap)
        k = max(node.open, key=lambda i: node.share[i])
        add(node.used | {k}, node.open - {k}, bound)
        add(node.used, node.open - {k}, bound)
    if tree.best is None:
        return None
    return replace(tree.best, bound=min([tree.energy, *(entry[0] for entry in heap)]))


def quick_least_of_few(Q: Floats, A: Floats, wanted: Floats, bounds: Bounds) -> Least | None:
    """Return what the root of the tree tells: currents, a bound, and the slope of the bound.

    None if the limits cannot be kept, or no currents were found that keep them.
    """
    tree = _Tree(Q, A, wanted, bounds)
    if tree.free is None:
        return None
    tree.start()
    root = tree.relaxed(frozenset(), frozenset(bounds.usable.tolist()))
    if root is None:
        return None
    tree.try_(np.argsort(-root.share, kind="stable")[: bounds.number])
    if tree.best is None:
        return None
    return replace(tree.best, bound=min(root.bound, tree.energy), price=root.price)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Node:
    """Electrodes in use and open; the bound, its slope, and how much each is in use, (n,)."""

    used: Chosen
    open: Chosen
    bound: float
    price: Floats
    share: Floats


class _Tree:
    """The problem, the best currents so far, and the sets of electrodes that were tried."""

    def __init__(self, Q: Floats, A: Floats, wanted: Floats, bounds: Bounds) -> None:
        self.Q, self.A, self.wanted, self.bounds = Q, A, wanted, bounds
        self.free = without_limits(Q, A, wanted, bounds.usable)
        self.best: Least | None = None
        self.tried: set[Chosen] = set()

    @property
    def energy(self) -> float:
        """Of the best currents so far."""
        return np.inf if self.best is None else self.best.energy

    def start(self) -> None:
        """Try the electrodes that reach most: with a single row they keep the limits."""
        if len(self.A) == 1:
            self.try_(np.flatnonzero(largest(self.A[0] * np.sign(self.wanted[0]), self.bounds)[0]))

    def try_(self, some: NDArray[np.intp]) -> None:
        """Solve for a set of electrodes, all of which may be used."""
        key = frozenset(some.tolist())
        if key not in self.tried:
            self.tried.add(key)
            found = least_energy(self.Q, self.A, self.wanted, self.bounds, some=np.sort(some))
            if found is not None and found.energy < self.energy:
                self.best = found

    def look(self, used: Chosen, open_: Chosen) -> _Node | None:
        """Return a node of the tree, None if nothing better can be below it."""
        number = self.bounds.number
        if len(used) == number or len(used) + len(open_) <= number:
            self.try_(np.array(sorted(used if len(used) == number else used | open_)))
            return None
        node = self.relaxed(used, open_)
        if node is not None:
            self.try_(np.argsort(-node.share, kind="stable")[:number])
        return node if node is not None and node.bound < self.energy else None

    def relaxed(self, in_use: Chosen, open_: Chosen) -> _Node | None:
        """Return the node of the convex programme; None if the limits cannot be kept.

        Unknowns: currents x and their sizes t, shares z and x²/z of the open ones.
        """
        assert self.free is not None
        used = np.array(sorted(in_use), dtype=np.intp)
        some = np.concatenate([used, sorted(open_)]).astype(np.intp)
        n, k = len(some), len(used)
        f, s, scale = n - k, unit_current(self.free, self.bounds), self.free.energy
        project = np.eye(n) - 1.0 / n
        M = project @ self.Q[np.ix_(some, some)] @ project
        inverse = np.linalg.pinv(M, rcond=1e-12, hermitian=True)[k:, k:]
        least = (1 - SAFE) / float(np.linalg.eigvalsh(inverse)[-1])
        M[np.arange(k, n), np.arange(k, n)] -= least
        unit = s * s / scale
        P = np.zeros((2 * n + 2 * f, 2 * n + 2 * f))
        P[:n, :n] = 2 * unit * project @ M @ project
        q = np.concatenate([np.zeros(2 * n + f), np.full(f, unit * least)])
        size = np.abs(self.A[:, some]).max(axis=1) * s
        most = self.bounds.most[some] / s
        x, t, z, y = np.split(np.eye(2 * n + 2 * f), [n, 2 * n, 2 * n + f])
        G = np.concatenate(
            [
                x.sum(axis=0, keepdims=True),
                self.A[:, some] * (s / size)[:, None] @ x,
                x - t,
                -x - t,
                t.sum(axis=0, keepdims=True),
                t[:k],
                t[k:] - most[k:, None] * z,
                z.sum(axis=0, keepdims=True),
                z,
                np.stack([-y - z, z - y, -2 * x[k:]], axis=1).reshape(3 * f, -1),
            ]
        )
        h = np.concatenate(
            [
                *(
                    [0.0],
                    self.wanted / size,
                    np.zeros(2 * n),
                    [2 * self.bounds.total / s],
                    most[:k],
                    np.zeros(f),
                ),
                *([self.bounds.number - k], np.ones(f), np.zeros(3 * f)),
            ]
        )
        share = np.zeros(len(self.Q))
        share[used] = 1.0
        m = len(self.A) + 1
        try:
            found = solve(P, q, G, h, m, RELAXED, cones=f)
        except UnsolvedError:  # that tells nothing
            share[some[k:]] = (self.bounds.number - k) / f
            return _Node(
                used=in_use, open=open_, bound=0.0, price=np.zeros(len(self.A)), share=share
            )
        if found is None:
            return None
        share[some[k:]] = found.x[2 * n : 2 * n + f]
        return _Node(
            used=in_use,
            open=open_,
            bound=(1 - SAFE) * found.bound * scale,
            price=-found.z[1:m] * scale / size,
            share=share,
        )
