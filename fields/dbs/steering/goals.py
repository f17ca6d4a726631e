"""What a lead is to reach and to spare: zones and pathways, and the share of each it activates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.dbs.steering.steer import Steering, UnitResponses
from rheobase.fields.dbs.volumes.activated import Criterion, SampledLead, parts, sample_lead
from rheobase.fields.dbs.volumes.zones import Zone

Floats = NDArray[np.float64]


class Fibres(Protocol):
    """Fibres and the currents that make them fire."""

    @property
    def name(self) -> str:
        """Return the name of the pathway."""
        ...

    @property
    def judged(self) -> NDArray[np.int64]:
        """Return the fibres that have a threshold and count: neither damaged nor outside."""
        ...

    def thresholds(self, patterns: Floats) -> Floats:
        """Return the factor on currents of contacts (A), shape (m, N), at which each fibre fires.

        Shape (m, n_fibres); infinite where it never does.
        """
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Goal:
    """What is to be reached or spared.

    Parameters
    ----------
    of
        A zone or a pathway.
    weight
        What its activated share counts in the score: > 0 to reach, < 0 to spare.
    at_most
        Largest share that is allowed, from 0 to 1; any if None.

    Raises
    ------
    InputError
        If the weight is not finite, or the share not from 0 to 1.
    """

    of: Zone | Fibres
    weight: float = 1.0
    at_most: float | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not np.isfinite(self.weight):
            raise InputError(f"expected a finite weight, got {self.weight!r}: goal {self.name!r}")
        if self.at_most is not None and not 0 <= self.at_most <= 1:
            raise InputError(
                f"expected a share from 0 to 1, got {self.at_most!r}: goal {self.name!r}"
            )

    @property
    def name(self) -> str:
        """Name of the zone or pathway."""
        return self.of.name


def shares(
    of: Zone | Fibres,
    steering: Steering,
    factors: ArrayLike,
    *,
    criterion: Criterion | None = None,
    sampled: SampledLead | None = None,
) -> Floats:
    """Return the activated share of a zone or a pathway at multiples of a setting, shape (k,).

    Parameters
    ----------
    of
        The zone or the pathway.
    steering
        The setting.
    factors
        Multiples >= 0, shape (k,).
    criterion
        What counts as activated in a zone.
    sampled
        The lead at cells, for a zone; at those of
        `rheobase.fields.dbs.volumes.lattice.lead_lattice` if None.

    Raises
    ------
    InputError
        If a multiple is not >= 0, a zone comes without a criterion, or no fibre counts.
    """
    a = np.atleast_1d(np.asarray(factors, dtype=np.float64))
    if a.ndim != 1 or not (np.isfinite(a) & (a >= 0)).all():
        raise InputError(f"expected multiples >= 0 of a setting: share of {of.name!r}")
    if not isinstance(of, Zone):
        fires = of.thresholds(steering.currents[None])[0, _counted(of)]
        reached: Floats = (fires[:, None] <= a).mean(axis=0)
        return reached
    if criterion is None:
        raise InputError(f"expected a criterion of activation for zone {of.name!r}, got none")
    if sampled is None:
        sampled = sample_lead(steering.response)
    strength = criterion.strength(sampled, steering.currents)
    volume = np.where(np.isfinite(strength), of.within(sampled.lattice), 0.0)
    found = [float(parts(sampled.lattice, x * strength, criterion) @ volume) for x in a.tolist()]
    return np.minimum(np.array(found) / of.volume, 1.0)


class Pieces(Protocol):
    """The pieces of a goal."""

    def histogram(self, patterns: Floats, step: float, count: int) -> Floats:
        """Return the share activated at amplitudes 0, step, … of patterns, shape (m, count)."""
        ...


class _CellsOfZone:
    """The cells of a zone and their part of it."""

    def __init__(self, goal: Goal, zone: Zone, sampled: SampledLead, criterion: Criterion) -> None:
        volume = np.where(sampled.volumes > 0, zone.within(sampled.lattice), 0.0)
        some = np.flatnonzero(volume)
        if not len(some) and goal.weight > 0:
            raise InputError(
                f"expected a zone around lead {sampled.lattice.lead.name!r}, nothing of it is "
                f"within {1e3 * sampled.lattice.t[-1]:g} mm: goal {goal.name!r}"
            )
        self.criterion = criterion
        self.cells = sampled.some(some)
        self.part = volume[some] / zone.volume

    def histogram(self, patterns: Floats, step: float, count: int) -> Floats:
        """Return the share activated at amplitudes 0, step, … of patterns, shape (m, count)."""
        found = []
        for pattern in patterns:
            strength = self.criterion.strength(self.cells, pattern)
            never = np.full(len(strength), np.inf)
            needed = np.divide(1, strength, out=never, where=strength > 0)
            found.append(_histogram(needed, self.part, step, count))
        return np.array(found)


class _FibresOfPathway:
    """The fibres of a pathway that count, all alike."""

    def __init__(self, fibres: Fibres) -> None:
        self.fibres = fibres
        self.counted = _counted(fibres)

    def histogram(self, patterns: Floats, step: float, count: int) -> Floats:
        """Return the share activated at amplitudes 0, step, … of patterns, shape (m, count)."""
        needed = self.fibres.thresholds(patterns)[:, self.counted]
        part = np.full(len(self.counted), 1 / len(self.counted))
        return np.array([_histogram(row, part, step, count) for row in needed])


def pieces_of(
    goal: Goal, source: SampledLead | UnitResponses, criterion: Criterion | None
) -> Pieces:
    """Return the pieces of a goal; of a zone at cells, as ``source`` then has to have them."""
    if not isinstance(goal.of, Zone):
        return _FibresOfPathway(goal.of)
    assert isinstance(source, SampledLead)  # sampled for zones
    assert criterion is not None  # checked before
    return _CellsOfZone(goal, goal.of, source, criterion)


def _counted(fibres: Fibres) -> NDArray[np.int64]:
    """Return the fibres that count.

    Raises
    ------
    InputError
        If none does.
    """
    if not len(fibres.judged):
        raise InputError(
            "expected fibres that are neither damaged nor outside the tissue, found none: pathway "
            f"{fibres.name!r}"
        )
    return fibres.judged


def _histogram(needed: Floats, part: Floats, step: float, count: int) -> Floats:
    """Return the sum of parts that need at most 0, step, …, shape (count,)."""
    at = np.ceil(np.minimum(needed / step, count)).astype(np.intp)
    return np.minimum(np.bincount(at, weights=part, minlength=count + 1)[:count].cumsum(), 1.0)


def check_goals(goals: Sequence[Goal], criterion: Criterion | None) -> None:
    """Check that goals can be searched for together.

    Raises
    ------
    InputError
        If two have one name, none is to be reached or a zone comes without a criterion.
    """
    names = [goal.name for goal in goals]
    if len(set(names)) < len(names):
        raise InputError(f"expected goals with different names, got {names}")
    if not any(goal.weight > 0 for goal in goals):
        raise InputError("expected one goal at least with a weight > 0: search")
    zones = [goal.name for goal in goals if isinstance(goal.of, Zone)]
    if zones and criterion is None:
        raise InputError(f"expected a criterion of activation for zone {zones[0]!r}, got none")
