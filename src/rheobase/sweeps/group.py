"""Statistics of fields over subjects in a common space: mean, spread, consistency, t.

Every subject gives a value at each place (a voxel of MNI space, a region of an atlas), or none. The
t statistic asks whether the mean differs from a reference, or, of two conditions in the same
subjects, whether they differ. Its family-wise p is that of the largest |t| over all places under
flips of the subjects' signs (all 2^n of them where they are few), which holds the chance of any
false place at the level whatever the fields' smoothness; the false discovery rate is that of
Benjamini & Hochberg over the p values of Student's t. A strength is positive in every subject, so
that its mean is above 0 tells nothing: compare conditions, or take a reference that means
something.

References: Nichols & Holmes, Hum Brain Mapp 15:1 (2002), doi:10.1002/hbm.1058; Benjamini &
Hochberg, J R Stat Soc B 57:289 (1995), doi:10.1111/j.2517-6161.1995.tb02031.x.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_seed
from rheobase.neurons.measures.connectivity import sign_patterns

Floats = NDArray[np.float64]

FRACTION = 0.5  # of a subject's own strong field, above which a place counts as reached
STRONG = 99.9  # percentile of a subject's places that its strong field is
FLIPS = 2000
BLOCK = 20_000_000  # numbers of the flips at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """Statistics over n subjects at p places; NaN where there are too few subjects.

    Parameters
    ----------
    count
        Subjects with a value, shape (p,).
    mean, sd
        Mean and standard deviation over subjects (with n - 1), shape (p,).
    consistency
        Share of the subjects whose value is at least `FRACTION` of their own 99.9th percentile,
        shape (p,); of two conditions, share of subjects whose difference has the sign of the mean.
    t
        Student's t of the mean against the reference, shape (p,).
    p_family
        Family-wise p of |t|, shape (p,).
    q_rate
        False discovery rate at which the place is found, shape (p,).
    flips
        Sign patterns that were tried.
    """

    count: NDArray[np.int64]
    mean: Floats
    sd: Floats
    consistency: Floats
    t: Floats
    p_family: Floats
    q_rate: Floats
    flips: int


def group_statistics(
    values: ArrayLike,
    *,
    against: ArrayLike | None = None,
    reference: float = 0.0,
    least: float = 1.0,
    flips: int = FLIPS,
    seed: int = 0,
) -> Group:
    """Return statistics over subjects at each place.

    Parameters
    ----------
    values
        Values of n subjects at p places, NaN where a subject has none, shape (n, p).
    against
        Values of the same subjects under another condition, which are taken off, shape (n, p).
    reference
        What the mean is tested against.
    least
        Share of the subjects that must have a value; other places are NaN. Two at least.
    flips, seed
        Random sign patterns, and their seed; all of them where there are not more.

    Returns
    -------
    Group

    Raises
    ------
    InputError
        If there are fewer than two subjects, shapes differ, or no place has enough subjects.

    Examples
    --------
    >>> found = group_statistics([[1.0, 2.0], [2.0, 2.0], [3.0, 5.0]])
    >>> found.mean.tolist(), float(found.sd[0]), round(float(found.t[0]), 6)
    ([2.0, 3.0], 1.0, 3.464102)
    """
    from scipy.stats import false_discovery_control
    from scipy.stats import t as student

    check_seed(seed, where="group")
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise InputError(f"expected values of two subjects or more, got shape {x.shape}: group")
    if not 0 <= least <= 1:
        raise InputError(f"least must be from 0 to 1, got {least!r}: group")
    other = None if against is None else np.asarray(against, dtype=np.float64)
    if other is not None and other.shape != x.shape:
        raise InputError(
            f"expected as many subjects and places of both conditions, got {x.shape} and "
            f"{other.shape}: group"
        )
    d = (x if other is None else x - other) - reference
    known = np.isfinite(d)
    count = known.sum(axis=0)
    enough = count >= max(2, ceil(least * len(x)))
    if not enough.any():
        raise InputError(f"expected places that {least:.0%} of the subjects have, found none")
    chosen = np.flatnonzero(enough)
    d = d[:, chosen]
    t, sd = _t(np.ones((1, len(x))), d)[0], np.nanstd(d, axis=0, ddof=1)
    mean = np.nanmean(d, axis=0)
    patterns = sign_patterns(len(x), flips, np.random.default_rng(seed))
    largest = np.concatenate(
        [np.nanmax(np.abs(_t(part, d)), axis=1) for part in _blocks(patterns, d.shape[1])]
    )
    rank = len(largest) - np.searchsorted(np.sort(largest), np.abs(t) * (1 - 1e-9))
    p_each = 2 * student.sf(np.abs(t), count[chosen] - 1)
    found = {
        "mean": mean + reference,
        "sd": sd,
        "consistency": _consistency(x, other, reference)[chosen],
        "t": t,
        "p_family": rank / len(largest),
        "q_rate": false_discovery_control(np.nan_to_num(p_each, nan=1.0)),
    }
    whole = {k: np.full(x.shape[1], np.nan) for k in found}
    for name, v in found.items():
        whole[name][chosen] = v
    return Group(count=count, flips=len(largest), **whole)


def _blocks(patterns: Floats, places: int) -> list[Floats]:
    size = max(1, BLOCK // max(places, 1))
    return [patterns[k : k + size] for k in range(0, len(patterns), size)]


def _t(signs: Floats, d: Floats) -> Floats:
    """Return t under each pattern of signs, shape (m, p): sums of squares do not change."""
    count = np.isfinite(d).sum(axis=0)
    mean = signs @ np.nan_to_num(d) / count
    square = np.nansum(d**2, axis=0) / count
    variance = np.maximum(square - mean**2, 0.0) * count / (count - 1)
    tiny = 1e-24 * square  # of differences that are all the same but for rounding
    with np.errstate(divide="ignore", invalid="ignore"):
        t = mean / np.sqrt(np.maximum(variance, tiny) / count)
    found: Floats = np.where(square > 0, t, 0.0)
    return found


def _consistency(x: Floats, other: Floats | None, reference: float) -> Floats:
    """Return which share of the subjects agrees, at every place."""
    if other is not None:
        d = x - other - reference
        known = np.isfinite(d)
        side = np.sign(np.nansum(d, axis=0))
        agree = (np.sign(d) == side) & known
    else:
        known = np.isfinite(x)
        strong = np.nanpercentile(np.where(known.any(axis=1)[:, None], x, 0.0), STRONG, axis=1)
        agree = known & (np.nan_to_num(x) >= FRACTION * strong[:, None])
    share: Floats = agree.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return share
