"""Stimuli that recruit cells: the best of many candidates, and currents that recruit most.

The share of cells that fire is a step function of the amplitudes a; each cell's response R_i(a) is
convex (`rheobase.neurons.objectives`), so that "R_i >= 1" is the outside of a convex body and to
maximise their number is not a convex problem. What is done, and what it guarantees:

- `rank_stimuli`: critical rows found at a few stimuli bound the responses to all others from below
  (but see `objectives`); the best by that estimate are checked with the cable, until no other is
  within the corrections that checks brought. Exact for those checked; another one may be better
  than its estimate.
- `best_pair`: every pair of electrodes with the cable. Exact among pairs; and because a convex
  function is largest at the corners of its domain, which are the pairs, a cell that no pair
  recruits is recruited by no currents of the same total: an upper bound for any montage.
- `maximise_recruitment`: from a start, the sum of min(1, R_i) with each R_i replaced by its
  critical row, its tangent from below, is a linear programme, whose solution cannot be worse than
  the start (convex-concave procedure, Yuille & Rangarajan 2003, doi:10.1162/08997660360581958).
  Each step is checked with the cable; the result is a local optimum, never worse than the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._progress import stage, track
from rheobase.fields.basis import as_numbers
from rheobase.fields.optimisation.limits import Bounds, Limits
from rheobase.neurons.morphology import Floats
from rheobase.neurons.objectives import CellObjective

GAIN = 1e-4  # of the mean of min(1, R); steps that gain less end the search
_BLOCK = 4_000_000  # responses held at once


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ranking:
    """P stimuli by the share of cells they recruit.

    Parameters
    ----------
    share
        Share of the cells that fire (0 … 1), of which those of unknown threshold are silent: exact
        where checked, else an estimate from rows, shape (P,).
    checked
        Stimuli evaluated with the cable, in the order of checking, shape (c,).
    best
        The one of them that recruits most.
    correction
        Largest amount by which a check raised the share of a candidate over its estimate.
    settled
        Whether every estimate left, raised by ``correction``, stays at or below the best.
    """

    share: Floats
    checked: NDArray[np.int64]
    best: int
    correction: float
    settled: bool


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RecruitmentOptimum:
    """Currents and the cells they recruit.

    Parameters
    ----------
    names, currents
        Electrodes and their currents (A), shape (n,).
    share
        Share of the cells that fire; those of unknown threshold are silent.
    bound
        Upper bound of it for any currents of the same total (see `best_pair`); 1 where not known.
    active
        Limits that the currents touch.
    history
        Mean of min(1, R) before each step and at the end; it never falls.
    """

    names: tuple[str, ...]
    currents: Floats
    share: float
    bound: float
    active: tuple[str, ...]
    history: tuple[float, ...]

    def montage(self) -> dict[str, float]:
        """Return the current (A) by electrode, of those that carry any."""
        return {n: float(c) for n, c in zip(self.names, self.currents, strict=True) if c != 0}


def responses(objective: CellObjective, weights: ArrayLike) -> Floats:
    """Return 1 over the threshold of each cell, 0 where it is unknown, shape (n,).

    Parameters
    ----------
    objective
        The cells.
    weights
        Amplitude of each source, shape (k,); a cell of a response >= 1 fires.
    """
    found: Floats = np.nan_to_num(1.0 / objective.thresholds(weights).threshold[0])
    return found


def rank_stimuli(
    objective: CellObjective,
    stimuli: ArrayLike,
    *,
    checks: int = 60,
    first: int = 16,
) -> Ranking:
    """Find the stimulus that recruits most cells among many: coil poses, pairs, any list.

    Parameters
    ----------
    objective
        Cells and sources; for coil poses the sources are the modes that the poses are made of.
    stimuli
        Amplitude of each source in each stimulus, in the objective's unit, shape (P, k).
    checks
        Largest number of stimuli evaluated with the cable.
    first
        How many of them start the search, those whose fields at the cells differ most in shape; as
        many more are checked at least.

    Raises
    ------
    InputError
        If the stimuli are not of that shape or not finite, or there are fewer checks than 1.
    """
    a = np.atleast_2d(as_numbers(stimuli, "stimuli"))
    if a.ndim != 2 or len(a) == 0 or not np.isfinite(a).all():
        raise InputError(f"expected finite stimuli of shape (P, k), got {a.shape}: ranking")
    if not 1 <= first <= checks:
        raise InputError(f"expected 1 <= first <= checks, got {first} and {checks}: ranking")
    estimate = _Estimate(a, len(objective))
    checked: list[int] = []
    exact: dict[int, tuple[float, float]] = {}
    correction = 0.0
    start = _unlike(objective, a, first)
    for number in track(range(min(checks, len(a))), "candidates"):
        if number < len(start):
            i = start[number]
        else:
            order = np.lexsort((estimate.mean, estimate.share))
            open_ = order[~np.isin(order, checked)]
            i = int(open_[-1])
            known = number >= 2 * len(start)  # as many corrections as starts
            if known and estimate.share[i] + correction <= max(exact.values())[0]:
                break
        before = estimate.share[i]
        R = responses(objective, a[i])
        exact[i] = (float(np.mean(R >= 1)), float(np.minimum(R, 1).mean()))
        if number >= len(start):
            correction = max(correction, exact[i][0] - before)
        estimate.add(objective.critical(a[i]).C)
        checked.append(i)
    share = estimate.share.copy()
    best = max(exact, key=lambda j: exact[j])
    rest = np.setdiff1d(np.arange(len(a)), checked)
    settled = bool((share[rest] + correction <= exact[best][0]).all())
    share[checked] = [exact[j][0] for j in checked]
    return Ranking(
        share=share,
        checked=np.array(checked),
        best=best,
        correction=correction,
        settled=settled,
    )


def _unlike(objective: CellObjective, stimuli: Floats, count: int) -> list[int]:
    """Return stimuli of which each is as far as can be, in angle, from those before it.

    Fields count where the cells are: the strongest comes first.
    """
    E = getattr(objective.field, "E", None)
    k = stimuli.shape[1]
    flat = np.eye(k) if E is None else np.asarray(E, dtype=np.float64).reshape(k, -1)
    size, axes = np.linalg.eigh(flat @ flat.T)
    shape = stimuli @ (axes * np.sqrt(size.clip(min=0.0)))
    length = np.linalg.norm(shape, axis=1)
    shape /= np.where(length > 0, length, 1.0)[:, None]
    chosen = [int(length.argmax())]
    nearest = np.where(length > 0, shape @ shape[chosen[0]], 1.0)
    while len(chosen) < count and nearest.min() < 1 - 1e-9:
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, shape @ shape[chosen[-1]])
    return chosen


class _Estimate:
    """Lower bounds of the responses of n cells to P stimuli, raised by every row."""

    def __init__(self, stimuli: Floats, cells: int) -> None:
        self.stimuli = stimuli
        self.response = np.zeros((cells, len(stimuli)), dtype=np.float32)
        self.share = np.zeros(len(stimuli))
        self.mean = np.zeros(len(stimuli))

    def add(self, C: Floats) -> None:
        """Take in one row a cell, shape (n, k)."""
        step = max(1, _BLOCK // len(C))
        for first in range(0, len(self.stimuli), step):
            s = slice(first, first + step)
            R = np.maximum(self.response[:, s], C @ self.stimuli[s].T)
            self.response[:, s] = R
            self.share[s] = (R >= 1).mean(axis=0)
            self.mean[s] = np.minimum(R, 1).mean(axis=0)


def best_pair(
    objective: CellObjective, limits: Limits, names: tuple[str, ...]
) -> RecruitmentOptimum:
    """Return the pair of electrodes that recruits most cells, by trying all pairs with the cable.

    Parameters
    ----------
    objective
        Cells and the sources of a lead field.
    limits
        Of the currents.
    names
        Electrodes, in the order of the sources.

    Returns
    -------
    RecruitmentOptimum
        ``bound`` is the share of cells that some pair recruits at the total current: no montage
        recruits more (for pulses of one phase; those of several see `objectives`).
    """
    bounds = _bounds(objective, limits, names)
    best, reached = (-1.0, -1.0, np.zeros(len(names))), np.zeros(len(objective), dtype=bool)
    pairs = list(combinations(bounds.usable.tolist(), 2))
    for p, q in track(pairs, "pairs of electrodes", total=len(pairs)):
        unit = np.zeros(len(names))
        unit[[p, q]] = 1.0, -1.0
        allowed = min(bounds.most[p], bounds.most[q], bounds.total)
        both = np.nan_to_num(1.0 / objective.thresholds(unit).threshold)
        reached |= (both * bounds.total >= 1).any(axis=0)
        for R, sign in zip(both * allowed, (1.0, -1.0), strict=True):
            merit = (float(np.mean(R >= 1)), float(np.minimum(R, 1).mean()))
            if merit > best[:2]:
                best = (*merit, sign * allowed * unit)
    return RecruitmentOptimum(
        names=names,
        currents=best[2],
        share=best[0],
        bound=float(reached.mean()),
        active=bounds.active(best[2]),
        history=(best[1],),
    )


def maximise_recruitment(
    objective: CellObjective,
    limits: Limits,
    names: tuple[str, ...],
    *,
    start: RecruitmentOptimum | ArrayLike | None = None,
    rounds: int = 30,
) -> RecruitmentOptimum:
    """Return currents that recruit as many of the cells as a local search finds.

    Parameters
    ----------
    objective
        Cells and the sources of a lead field.
    limits
        Of the currents. Where the number of electrodes is limited, the search goes on with those of
        the largest currents: not a certified choice, but never worse than the start.
    names
        Electrodes, in the order of the sources.
    start
        Where to begin: currents within the limits (A), shape (n,), or an optimum, whose bound is
        kept; `best_pair` if None, which takes a threshold evaluation for each pair.
    rounds
        Largest number of linear programmes.

    Raises
    ------
    InputError
        If names or start do not fit the sources, or the limits are impossible.
    """
    bounds = _bounds(objective, limits, names)
    known = best_pair(objective, limits, names) if start is None else start
    bound = known.bound if isinstance(known, RecruitmentOptimum) else 1.0
    begin = known.currents if isinstance(known, RecruitmentOptimum) else as_numbers(known, "start")
    if begin.shape != (len(names),):
        raise InputError(f"expected a start of {len(names)} currents, got shape {begin.shape}")
    with stage(f"currents for {len(objective)} cells"):
        currents, history = _climb(objective, bounds, bounds.most, begin, rounds)
        carrying = np.flatnonzero(currents)
        if len(carrying) > bounds.number:
            kept = carrying[np.argsort(np.abs(currents[carrying]))[-bounds.number :]]
            most = np.where(np.isin(np.arange(len(names)), kept), bounds.most, 0.0)
            seed = _programme(objective, bounds, most, currents)
            options = [_climb(objective, bounds, most, seed, rounds)]
            if np.count_nonzero(begin) <= bounds.number:
                options.append((begin, history[:1]))
            currents, history = max(options, key=lambda o: o[1][-1])
    R = responses(objective, currents)
    return RecruitmentOptimum(
        names=names,
        currents=currents,
        share=float(np.mean(R >= 1)),
        bound=bound,
        active=bounds.active(currents),
        history=tuple(history),
    )


def _bounds(objective: CellObjective, limits: Limits, names: tuple[str, ...]) -> Bounds:
    k = len(objective.field.E) if hasattr(objective.field, "E") else 1
    if len(names) != k:
        raise InputError(f"expected a name for each of {k} sources, got {len(names)}: recruitment")
    return limits.bounds(names)


def _climb(
    objective: CellObjective, bounds: Bounds, most: Floats, currents: Floats, rounds: int
) -> tuple[Floats, list[float]]:
    """Repeat the linear programme while the mean of min(1, R) rises."""
    history = [float(np.minimum(responses(objective, currents), 1).mean())]
    for _ in range(rounds):
        new = _programme(objective, bounds, most, currents)
        merit = float(np.minimum(responses(objective, new), 1).mean())
        if merit <= history[-1] + GAIN:
            break
        currents = new
        history.append(merit)
    return currents, history


def _programme(objective: CellObjective, bounds: Bounds, most: Floats, currents: Floats) -> Floats:
    """Maximise the sum of min(1, row @ a) with the critical rows at ``currents``."""
    from scipy.optimize import linprog

    rows = objective.critical(currents).C
    cells, n = rows.shape
    cost = np.concatenate([np.zeros(2 * n), -np.ones(cells)])
    below = np.hstack([-rows, rows, np.eye(cells)])  # u <= row @ (plus - minus)
    total = np.concatenate([np.ones(n), np.zeros(n + cells)])
    balance = np.concatenate([np.ones(n), -np.ones(n), np.zeros(cells)])
    solved = linprog(
        cost,
        A_ub=np.vstack([below, total]),
        b_ub=np.concatenate([np.zeros(cells), [bounds.total]]),
        A_eq=balance[None],
        b_eq=[0.0],
        bounds=[(0, m) for m in np.tile(most, 2)] + [(None, 1.0)] * cells,
        method="highs",
    )
    if solved.x is None:
        raise InputError(f"the currents found no optimum: {solved.message}")
    a: Floats = solved.x[:n] - solved.x[n : 2 * n]
    a[np.abs(a) < 1e-9 * bounds.total] = 0.0
    return a
