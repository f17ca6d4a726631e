"""Temporal interference against high-definition tES: modulation on target against off target.

A montage of one waveform whose amplitude is modulated makes the modulation |n·E| (from trough to
crest) where temporal interference makes 2 min(|n·E_1|, |n·E_2|); limits count all currents of
either. So both can be drawn in one picture: `modulation_front`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._progress import track
from rheobase.fields.interference import envelope_max
from rheobase.fields.leadfield import LeadField
from rheobase.fields.optimisation.energy import off_target_volumes
from rheobase.fields.optimisation.interference import TIOptimum, checked_rows
from rheobase.fields.optimisation.interference_focal import checked_nodes, focal_modulation
from rheobase.fields.optimisation.interference_pairs import focal_pairs, strongest_pairs
from rheobase.fields.optimisation.limits import Limits
from rheobase.fields.optimisation.target import Target
from rheobase.fields.optimisation.tes import Front, pareto
from rheobase.meshes.head import Head

Floats = NDArray[np.float64]

BELOW = 1 - 1e-6  # of the largest modulation; the last point, which rounding must not forbid


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TIFront:
    """Pareto fronts of two devices and the classical montage.

    Parameters
    ----------
    value
        Modulation in the target (V/m), ascending, shape (p,).
    rms
        Rms modulation off target (V/m) of two carriers: the better of many starts and two pairs,
        shape (p,).
    optima
        Their currents, p of them.
    single
        High-definition tES with modulated amplitude: the same field values, proved optimal.
    pairs
        Two pairs of electrodes, None where no two have so much modulation; p of them.
    """

    value: Floats
    rms: Floats
    optima: tuple[TIOptimum, ...]
    single: Front
    pairs: tuple[TIOptimum | None, ...]

    @property
    def pairs_rms(self) -> Floats:
        """Rms modulation off target (V/m) of two pairs, NaN where there are none."""
        return np.array([np.nan if p is None else p.rms for p in self.pairs])


def sampled_nodes(
    head: Head,
    field: LeadField,
    target: Target | None = None,
    *,
    tissues: Sequence[str] = ("grey_matter",),
    count: int = 2000,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Return the fields at nodes off target, each standing for the same volume.

    Nodes are drawn at even steps through the volume in the order of the mesh, from a random place
    on; one that holds more than a step is drawn more than once.

    Parameters
    ----------
    head, field, target, tissues
        As in `rheobase.fields.optimisation.energy.off_target_energy`.
    count, seed
        Number of draws and the seed of where they begin.

    Returns
    -------
    E : ndarray, shape (n, m, 3)
        V/m per A.
    volumes : ndarray, shape (m,)
        m³ that each node stands for.
    """
    if count < 1:
        raise InputError(f"expected one or more nodes, got count={count!r}: nodes off target")
    v = off_target_volumes(head, field, target, tissues=tissues)
    ends = np.cumsum(v)
    start = np.random.default_rng(seed).random()
    drawn = np.searchsorted(ends, (np.arange(count) + start) / count * ends[-1], side="right")
    index, times = np.unique(np.minimum(drawn, np.flatnonzero(v)[-1]), return_counts=True)
    return field.at(index), times * (ends[-1] / count)


def modulation_off(
    head: Head,
    field: LeadField,
    currents: ArrayLike,
    target: Target | None = None,
    *,
    tissues: Sequence[str] = ("grey_matter",),
) -> tuple[Floats, Floats]:
    """Return the largest modulation of two carriers at all nodes off target, and their volumes.

    Parameters
    ----------
    head, field, target, tissues
        As in `sampled_nodes`.
    currents
        Of the carriers (A), shape (2, n).

    Returns
    -------
    modulation : ndarray, shape (m,)
        T (V/m, peak to peak).
    volumes : ndarray, shape (m,)
        m³.
    """
    v = off_target_volumes(head, field, target, tissues=tissues)
    some = np.flatnonzero(v)
    E = [field.field(dict(zip(field.names, x, strict=True)))[some] for x in np.asarray(currents)]
    return envelope_max(E), v[some]


def modulation_front(
    C: ArrayLike,
    E: ArrayLike,
    volumes: ArrayLike,
    limits: Limits,
    *,
    names: Sequence[str],
    points: int = 10,
    starts: int = 8,
    seed: int = 0,
) -> TIFront:
    """Return the compromises of two carriers, of one waveform and of two pairs.

    Parameters
    ----------
    C
        Field in the target per current along a direction (V/m per A), shape (1, n).
    E, volumes, limits, names, starts, seed
        As in `rheobase.fields.optimisation.interference_focal.focal_modulation`.
    points
        Number of modulations in the target, evenly spaced up to the largest possible.

    Raises
    ------
    InputError
        If numbers do not fit, or the target has no direction.
    """
    c, bounds = checked_rows(C, limits, names)
    if len(c) != 1:
        raise InputError("expected a target with a direction for a front, got three rows")
    fields, share = checked_nodes(E, volumes, len(names))
    flat = (fields * np.sqrt(share)[:, None]).reshape(len(names), -1)
    single = pareto(c, flat @ flat.T, limits, names=names, points=points)
    enough = min(len(bounds.usable), bounds.number) >= 4
    most = strongest_pairs(c, limits, names=names).value if enough else 0.0
    optima, pairs = [], []
    for optimum in track(single.optima, "fronts of modulation", total=points):
        value = optimum.value * BELOW
        focal = focal_modulation(
            c,
            fields,
            share,
            limits,
            value=value,
            names=names,
            montage=optimum.currents,
            starts=starts,
            seed=seed,
        )
        two = (
            focal_pairs(c, fields, share, limits, value=value, names=names)
            if value <= most
            else None
        )
        pairs.append(two)
        found = [focal.optimum] if two is None else [focal.optimum, two]
        optima.append(min(found, key=_rms))
    return TIFront(
        value=np.array([o.value for o in optima]),
        rms=np.array([o.rms for o in optima]),
        optima=tuple(optima),
        single=single,
        pairs=tuple(pairs),
    )


def _rms(optimum: TIOptimum) -> float:
    assert optimum.rms is not None
    return optimum.rms
