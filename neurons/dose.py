"""Individual dose by recruitment: the intensity that fires as many cells as in a reference.

The dose is read off two distributions of thresholds: the share of cells that fire at the
reference's amplitude, and the amplitude at which that share fires in the other. Between the
thresholds of n cells the distribution is taken as linear (value i of n at (i - 1/2)/n, type 5 of
Hyndman & Fan 1996), so that the dose of the reference for itself is its own. How well n placements
stand for all is told by drawing them anew with replacement (bootstrap); that they share a few
morphologies (``clones`` of each type) is not in it.
"""

from __future__ import annotations

import numpy as np

from rheobase._errors import InputError, check_option
from rheobase.fields.dose import Dose
from rheobase.neurons.morphology import Floats
from rheobase.neurons.recruitment import POLARITIES, Recruitment

_DRAWS = 1000
_COVER = (0.05, 0.95)  # of the draws, for the interval


def same_recruitment_dose(
    reference: Recruitment,
    other: Recruitment,
    *,
    amplitude: float,
    type: str | None = None,  # noqa: A002 - the name of the label
    layer: str | None = None,
    polarity: str = "plus",
    seed: int = 0,
) -> Dose:
    """Return the amplitude that fires the share of cells that fire in the reference.

    Parameters
    ----------
    reference, other
        Thresholds in the two heads, species or devices, in one unit.
    amplitude
        Of the reference (its unit), > 0.
    type, layer
        Cells that count; all if None.
    polarity
        Of the stimulus as given ("plus") or reversed ("minus"), in both.
    seed
        Of the bootstrap.

    Returns
    -------
    Dose
        With the interval that holds 90 % of the doses of cells drawn anew; it begins at 0 or ends
        at inf where more than a twentieth of the draws fire none or all of their cells.

    Raises
    ------
    InputError
        If units or labels do not fit, or none or all of the reference's cells fire, or the other
        has no amplitude at which that share does.
    """
    check_option("polarity", polarity, POLARITIES)
    if not 0 < amplitude < np.inf:
        raise InputError(f"expected an amplitude > 0 {reference.unit}, got {amplitude!r}: dose")
    if reference.unit != other.unit:
        raise InputError(
            f"expected one unit of amplitude, got {reference.unit!r} and {other.unit!r}: dose"
        )
    side = POLARITIES.index(polarity)
    here = _thresholds(reference, side, type, layer, "reference")
    there = _thresholds(other, side, type, layer, "other")
    share = float(_share(here[None], np.array([amplitude]))[0])
    if not 0 < share < 1:
        raise InputError(
            f"expected an amplitude at which a part of the reference's cells fire, "
            f"{'none' if share == 0 else 'all'} of {len(here)} do at {amplitude:g} "
            f"{reference.unit}: dose"
        )
    dose = _reached(there, share, "other")
    rng = np.random.default_rng(seed)
    drawn = [np.sort(x[rng.integers(len(x), size=(_DRAWS, len(x)))], axis=1) for x in (here, there)]
    shares = _share(drawn[0], np.full(_DRAWS, amplitude))
    low, high = np.quantile(_quantile(drawn[1], shares), _COVER, method="inverted_cdf")
    return Dose(
        amplitude=dose,
        unit=other.unit,
        factor=dose / amplitude,
        held="share of the cells that fire",
        value=share,
        interval=(float(low), float(high)),
    )


def amplitude_of_share(
    found: Recruitment,
    share: float,
    *,
    type: str | None = None,  # noqa: A002 - the name of the label
    layer: str | None = None,
    polarity: str = "plus",
    seed: int = 0,
) -> tuple[float, tuple[float, float]]:
    """Return the amplitude at which a share of the cells fire, and its interval (``found.unit``).

    Parameters
    ----------
    found
        Thresholds.
    share
        Share of the cells, 0 < share < 1.
    type, layer, polarity, seed
        As for `same_recruitment_dose`; so is the interval.

    Raises
    ------
    InputError
        If the share is none, labels do not fit, or fewer of the cells can fire.
    """
    check_option("polarity", polarity, POLARITIES)
    if not 0 < share < 1:
        raise InputError(f"expected a share > 0 and < 1, got {share!r}: dose")
    known = _thresholds(found, POLARITIES.index(polarity), type, layer, "cells")
    amplitude = _reached(known, share, "cells")
    drawn = np.random.default_rng(seed).integers(len(known), size=(_DRAWS, len(known)))
    every = _quantile(np.sort(known[drawn], axis=1), np.full(_DRAWS, share))
    low, high = np.quantile(every, _COVER, method="inverted_cdf")
    return amplitude, (float(low), float(high))


def _reached(known: Floats, share: float, where: str) -> float:
    """Return the amplitude at which a share of sorted thresholds (n,) is reached."""
    amplitude = float(_quantile(known[None], np.array([share]))[0])
    if not 0 < amplitude < np.inf:
        raise InputError(
            f"expected cells of which {share:.3g} can fire, {np.isfinite(known).sum()} of "
            f"{len(known)} can: dose, {where}"
        )
    return amplitude


def _thresholds(
    found: Recruitment, side: int, cell: str | None, layer: str | None, where: str
) -> Floats:
    """Return the known thresholds of the cells that count, sorted; inf where one never fires."""
    chosen = ~np.isnan(found.threshold[side])
    for label, wanted, all_ in (("type", cell, found.type), ("layer", layer, found.layer)):
        if wanted is not None:
            check_option(f"{label} of cells", wanted, sorted(set(all_.tolist())), where=where)
            chosen &= all_ == wanted
    if chosen.sum() < 2:
        raise InputError(f"expected two cells or more of known threshold, got {chosen.sum()}: dose")
    known: Floats = np.sort(found.threshold[side, chosen])
    return known


def _share(x: Floats, amplitude: Floats) -> Floats:
    """Return the share of each row of sorted thresholds (d, n) that fires at an amplitude (d,)."""
    n = x.shape[1]
    below = (x <= amplitude[:, None]).sum(axis=1)
    rows = np.arange(len(x))
    low, high = x[rows, np.maximum(below - 1, 0)], x[rows, np.minimum(below, n - 1)]
    between = (below > 0) & (below < n) & np.isfinite(high)
    part = np.divide(amplitude - low, high - low, out=np.zeros(len(x)), where=between)
    middle = (below - 0.5 + part) / n
    out: Floats = np.where(below == 0, 0.0, np.where(below == n, 1.0, middle))
    return out


def _quantile(x: Floats, share: Floats) -> Floats:
    """Return the amplitude at which a share (d,) of each row of thresholds (d, n) fires.

    0 for a share of 0, inf for a share of 1: these say no more than below, and above, them all.
    """
    n = x.shape[1]
    at = np.clip(share * n - 0.5, 0, n - 1)
    i = at.astype(np.int64)
    rows = np.arange(len(x))
    low, high = x[rows, i], x[rows, np.minimum(i + 1, n - 1)]
    known = np.isfinite(high)
    step = np.subtract(high, low, out=np.zeros(len(x)), where=known)
    out: Floats = np.where(known | (at == i), low + (at - i) * step, np.inf)
    return np.where(share <= 0, 0.0, np.where(share >= 1, np.inf, out))
