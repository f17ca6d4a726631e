"""Search of contacts and amplitude: the most of what is wanted, the least of what is not.

Whatever is reached or spared, a zone or a pathway, each piece of it (a cell, a fibre) is activated
from some amplitude on, inversely proportional to what 1 A does there. For one split of the current
all amplitudes are thus one histogram of the thresholds, and all splits of a lead can be gone
through: nothing is solved. |E| above a threshold is no convex constraint, so that no convex
programme finds the best split; the grid of splits has no local optima to be caught in, and the best
one is improved by moving smaller parts from contact to contact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from math import floor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase._progress import stage, track
from rheobase.fields.dbs.steering.goals import Goal, Pieces, check_goals, pieces_of
from rheobase.fields.dbs.steering.patterns import Allowed, allowed, splits
from rheobase.fields.dbs.steering.steer import Steering, UnitResponses, steer
from rheobase.fields.dbs.volumes.activated import Criterion, SampledLead, sample_lead
from rheobase.fields.dbs.volumes.zones import Zone
from rheobase.fields.optimisation.limits import Limits

Floats = NDArray[np.float64]

STEP = 0.1e-3  # of the amplitude (A)
FINE = 0.05  # of the current; what is moved from contact to contact at last
EVEN = 1e-9  # of scores; less of a difference is none
BLOCK = 64  # splits whose fibres are asked about at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Dose:
    """A split of the current and its best amplitude.

    Parameters
    ----------
    pattern
        Currents of the contacts for an amplitude of 1 A, shape (N,).
    amplitude
        Amplitude (A): the current that enters the tissue.
    shares
        Activated share of each goal, by name.
    score
        Sum of weights times shares.
    """

    pattern: Floats
    amplitude: float
    shares: dict[str, float]
    score: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """What a search found.

    Parameters
    ----------
    doses
        The best amplitude of each split, the best split first.
    steering
        The best setting, None if every amplitude is worse than none.
    considered
        Number of splits that were looked at.
    """

    doses: tuple[Dose, ...]
    steering: Steering | None = field(repr=False)
    considered: int

    @property
    def best(self) -> Dose:
        """The best dose."""
        return self.doses[0]

    def rows(self, most: int = 10) -> list[dict[str, Any]]:
        """Return a row for each of the ``most`` best splits, for tables."""
        return [
            {
                "score": dose.score,
                "amplitude_mA": 1e3 * dose.amplitude,
                "currents_mA": (1e3 * dose.amplitude * dose.pattern).round(4).tolist(),
                **{f"share of {name}": share for name, share in dose.shares.items()},
            }
            for dose in self.doses[:most]
        ]


def search(
    source: SampledLead | UnitResponses,
    goals: Sequence[Goal],
    limits: Limits,
    *,
    criterion: Criterion | None = None,
    patterns: ArrayLike | None = None,
    step: float = STEP,
    pulse_width: float | None = None,
    charge_density: float | None = None,
) -> Search:
    """Return the split of the current and the amplitude with the best score.

    Parameters
    ----------
    source
        The lead at cells; or its unit responses, whose field is then taken at those of
        `rheobase.fields.dbs.volumes.lattice.lead_lattice` if a goal is a zone.
    goals
        What is to be reached and spared, with different names.
    limits
        Of the stimulator: in all and of each contact.
    criterion
        What counts as activated in zones.
    patterns
        Splits to look at: currents of the contacts for 1 A, shape (m, N); those of `splits` if
        None.
    step
        Of the amplitude (A).
    pulse_width, charge_density
        As for `rheobase.fields.dbs.steering.patterns.allowed`.

    Returns
    -------
    Search
        Of settings with one score the one with the least current is taken.

    Raises
    ------
    InputError
        If goals have one name or none is to be reached, a zone comes without a criterion or has
        nothing around the lead, or patterns are not 1 A.
    """
    check_goals(goals, criterion)
    check_positive("step (A)", step)
    response = source.response if isinstance(source, SampledLead) else source
    may = allowed(response, limits, pulse_width=pulse_width, charge_density=charge_density)
    n = len(response.contacts)
    tried = splits(n) if patterns is None else _checked_patterns(patterns, n)
    if not isinstance(source, SampledLead) and any(isinstance(g.of, Zone) for g in goals):
        source = sample_lead(source)
    with stage("zones around the lead"):
        pieces = [pieces_of(goal, source, criterion) for goal in goals]
    found: list[Dose] = []
    blocks = range(0, len(tried), BLOCK)
    for first in track(blocks, "splits of the current", total=len(blocks)):
        found += _doses(tried[first : first + BLOCK], goals, pieces, may, step)
    if not found:
        raise InputError(f"expected limits that allow {1e3 * step:g} mA, none of the splits may")
    found.sort(key=_rank)
    considered = len(tried)
    better = found[0]
    while True:
        moved = _moved(better.pattern)
        considered += len(moved)
        best = min(_doses(moved, goals, pieces, may, step), key=_rank, default=better)
        if not best.score > better.score + EVEN:
            break
        better = best
    if better is not found[0]:
        found.insert(0, better)
    return Search(
        doses=tuple(found),
        steering=_setting(response, better),
        considered=considered,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Amplitudes from the first gain to the first side effect.

    Parameters
    ----------
    gain, side_effect
        Amplitudes (in the unit of those given) at which the shares that matter are reached;
        infinite where they are not.
    """

    gain: float
    side_effect: float

    @property
    def width(self) -> float:
        """From gain to side effect, < 0 where that comes first; NaN if neither comes."""
        both = np.isfinite(self.gain) or np.isfinite(self.side_effect)
        return self.side_effect - self.gain if both else float("nan")


def therapeutic_window(
    amplitudes: ArrayLike,
    wanted: ArrayLike,
    unwanted: ArrayLike,
    *,
    gain: float = 0.5,
    side_effect: float = 0.1,
) -> Window:
    """Return the amplitudes at which a gain and a side effect begin, linear between those given.

    Parameters
    ----------
    amplitudes
        Ascending, shape (k,).
    wanted, unwanted
        Activated share of what is to be reached and to be spared at each, shape (k,).
    gain, side_effect
        Share of each that matters.

    Raises
    ------
    InputError
        If shapes differ or amplitudes do not ascend.
    """
    a, w, u = (np.asarray(x, dtype=np.float64) for x in (amplitudes, wanted, unwanted))
    if a.ndim != 1 or not (a.shape == w.shape == u.shape) or not (np.diff(a) > 0).all():
        raise InputError(
            "expected ascending amplitudes and a share of both at each, got shapes "
            f"{a.shape}, {w.shape} and {u.shape}: therapeutic window"
        )
    return Window(gain=_first(a, w, gain), side_effect=_first(a, u, side_effect))


def _doses(
    patterns: Floats, goals: Sequence[Goal], pieces: Sequence[Pieces], may: Allowed, step: float
) -> list[Dose]:
    """Return the best amplitude of each pattern that may have one step at least."""
    steps = np.array([floor(may.amplitude(p) / step * (1 + 1e-12)) for p in patterns], dtype=int)
    patterns, steps = patterns[steps > 0], steps[steps > 0]
    if not len(patterns):
        return []
    share = np.stack([one.histogram(patterns, step, int(steps.max()) + 1) for one in pieces])
    score = np.tensordot([goal.weight for goal in goals], share, axes=1)
    score[np.arange(score.shape[1]) > steps[:, None]] = -np.inf
    for goal, own in zip(goals, share, strict=True):
        if goal.at_most is not None:
            score[own > goal.at_most] = -np.inf
    best = (score > score.max(axis=1, keepdims=True) - EVEN).argmax(axis=1)
    return [
        Dose(
            pattern=pattern,
            amplitude=float(k * step),
            shares={goal.name: float(own[i, k]) for goal, own in zip(goals, share, strict=True)},
            score=float(score[i, k]),
        )
        for i, (pattern, k) in enumerate(zip(patterns, best.tolist(), strict=True))
    ]


def _moved(pattern: Floats) -> Floats:
    """Return a pattern with a little moved from each contact to each other of its polarity."""
    found = []
    for sign in (-1.0, 1.0):
        own = np.maximum(sign * pattern, 0.0)
        free = np.flatnonzero(sign * pattern >= 0) if own.any() else np.array([], dtype=np.intp)
        for i, j in permutations(free.tolist(), 2):
            if own[i] >= FINE - EVEN:
                moved = pattern.copy()
                moved[i] -= sign * FINE
                moved[j] += sign * FINE
                moved[np.abs(moved) < EVEN] = 0.0
                found.append(moved)
    return np.array(found).reshape(-1, len(pattern))


def _rank(dose: Dose) -> tuple[float, float, int]:
    """Return what doses are put in order by: score, then current, then number of contacts."""
    return -round(dose.score / EVEN), dose.amplitude, int(np.count_nonzero(dose.pattern))


def _setting(response: UnitResponses, dose: Dose) -> Steering | None:
    if dose.amplitude == 0:
        return None
    names = response.contacts
    currents = dict(zip(names, (dose.amplitude * dose.pattern).tolist(), strict=True))
    driven = {name: current for name, current in currents.items() if current}
    return steer(response, driven, case=bool(abs(dose.pattern.sum()) > EVEN))


def _checked_patterns(patterns: ArrayLike, n: int) -> Floats:
    p = np.atleast_2d(np.asarray(patterns, dtype=np.float64))
    if p.ndim != 2 or p.shape[1] != n or not len(p) or not np.isfinite(p).all():
        raise InputError(f"expected finite currents of {n} contacts, got {p.shape}: patterns")
    total = (np.abs(p).sum(axis=1) + np.abs(p.sum(axis=1))) / 2
    if not np.allclose(total, 1.0, rtol=0, atol=1e-6):
        raise InputError(
            f"expected patterns of 1 A, got {total[np.abs(total - 1).argmax()]:g} A: search"
        )
    return p


def _first(a: Floats, share: Floats, level: float) -> float:
    """Return where a share first reaches a level, infinite if it does not."""
    reached = np.flatnonzero(share >= level)
    if not len(reached):
        return float("inf")
    k = int(reached[0])
    if k == 0:
        return float(a[0])
    part = (level - share[k - 1]) / (share[k] - share[k - 1])
    return float(a[k - 1] + part * (a[k] - a[k - 1]))
