"""Temporal interference with two pairs of electrodes: the classical montage, by trying all.

Each carrier has one pair, no electrode is shared, and the currents of the pairs may differ. Of n
electrodes there are some n⁴ / 8 pairs of pairs; all are tried, so that the result is exact: for the
largest modulation on a bound that cuts most of them off, for the least off target by giving a
candidate up as soon as it is worse than the best one.

Along a direction n, pairs p and q with fields g_p, g_q per ampere there make 2 min(I_p g_p,
I_q g_q). The least currents for the modulation v are v / (2 g_p) and v / (2 g_q), and more current
never lowers the modulation off target.

Grossman et al., Cell 169:1029 (2017), doi:10.1016/j.cell.2017.05.024.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase._threads import in_parts
from rheobase.fields.optimisation.intensity import largest
from rheobase.fields.optimisation.interference import (
    TIOptimum,
    active_limits,
    checked_rows,
    modulation_of,
)
from rheobase.fields.optimisation.interference_focal import REACH, checked_nodes
from rheobase.fields.optimisation.limits import Bounds, Limits

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

GUESSES = 200  # pairs of pairs with the least currents, tried first to have a good one
_PART = 16  # pairs of a thread's piece of work


def strongest_pairs(C: ArrayLike, limits: Limits, *, names: Sequence[str]) -> TIOptimum:
    """Return the two pairs of electrodes with the largest modulation along a direction.

    Parameters
    ----------
    C
        Field in the target per current (V/m per A), shape (1, n).
    limits
        Of both carriers together.
    names
        Of the electrodes, n of them.

    Returns
    -------
    TIOptimum
        Exact among pairs; ``bound`` is that of any currents, shared electrodes included.

    Raises
    ------
    InputError
        If numbers do not fit, or fewer than four electrodes may be used.
    """
    from rheobase.fields.optimisation._interference_pairs_numba import strongest_two

    c, bounds, (into, out), g = _pairs(C, limits, names)
    most = np.minimum(bounds.most[into], bounds.most[out])
    _, p, q = strongest_two(g, into, out, most, bounds.total)
    if p < 0:
        raise InputError("expected two pairs of electrodes that make a field in the target")
    x = min(bounds.total * g[q] / (g[p] + g[q]), most[p])
    y = min(bounds.total - x, most[q])
    value = min(x * g[p], y * g[q])
    currents = _currents(bounds, into, out, (p, q), (value / g[p], value / g[q]))
    return TIOptimum(
        names=bounds.names,
        currents=currents,
        value=modulation_of(c, currents),
        rms=None,
        objective="modulation",
        bound=largest(c[0], bounds)[1],
        active=active_limits(bounds, currents),
    )


def focal_pairs(
    C: ArrayLike,
    E: ArrayLike,
    volumes: ArrayLike,
    limits: Limits,
    *,
    value: float,
    names: Sequence[str],
) -> TIOptimum:
    """Return the two pairs with the least rms modulation off target for a wanted one in it.

    Parameters
    ----------
    C
        Field in the target per current (V/m per A), shape (1, n): along a direction.
    E, volumes, limits, value, names
        As in `rheobase.fields.optimisation.interference_focal.focal_modulation`.

    Returns
    -------
    TIOptimum
        Exact among pairs, on these nodes.

    Raises
    ------
    InputError
        If numbers do not fit, or no two pairs within the limits have the modulation.
    """
    from rheobase.fields.optimisation._interference_pairs_numba import (
        best_two,
        modulation_energy,
        strongest_two,
    )

    c, bounds, (into, out), g = _pairs(C, limits, names)
    fields, share = checked_nodes(E, volumes, len(names))
    most = np.minimum(bounds.most[into], bounds.most[out])
    top = strongest_two(g, into, out, most, bounds.total)[0]
    if not 0 < value <= (1 + REACH) * top:
        raise InputError(
            f"expected a modulation above 0 that two pairs can have, got {value!r} V/m: "
            f"{top:.4g} V/m is the most"
        )
    need = min(value, (1 - REACH) * top) / (2 * g)
    some = np.flatnonzero((need <= most) & (need + need[0] <= bounds.total))
    into, out, need = into[some], out[some], need[some]
    scaled = np.ascontiguousarray(fields * np.sqrt(share)[:, None], dtype=np.float32)
    order = np.argsort(-(scaled**2).sum(axis=(0, 2)))  # nodes with the most field first
    scaled = scaled[:, order]
    pair_fields = (scaled[into] - scaled[out]) * need[:, None, None].astype(np.float32)
    best, tried = np.inf, 0
    for p in range(len(need)):
        for q in range(p + 1, len(need)):
            if tried == GUESSES or need[p] + need[q] > bounds.total:
                break
            if len({into[p], out[p], into[q], out[q]}) == 4:
                best = min(best, modulation_energy(pair_fields[p], pair_fields[q], best))
                tried += 1
    found = np.empty((len(need), 2))
    with stage(f"all pairs of {len(need)} pairs of electrodes"):
        given = pair_fields, into, out, need, bounds.total, best * (1 + 1e-6)
        in_parts(lambda some: best_two(*given, some.start, some.stop, found), len(need), _PART)
    p = int(np.where(found[:, 0] < 0, np.inf, found[:, 1]).argmin())
    q = int(found[p, 0])
    currents = _currents(bounds, into, out, (p, q), (need[p], need[q]))
    return TIOptimum(
        names=bounds.names,
        currents=currents,
        value=modulation_of(c, currents),
        rms=float(np.sqrt(found[p, 1])),
        objective="rms",
        bound=None,
        active=("modulation", *active_limits(bounds, currents)),
    )


def _pairs(
    C: ArrayLike, limits: Limits, names: Sequence[str]
) -> tuple[Floats, Bounds, tuple[Ints, Ints], Floats]:
    """Return the row, the limits, the electrodes of all pairs and their field, descending."""
    c, bounds = checked_rows(C, limits, names)
    if len(c) != 1:
        raise InputError("expected a target with a direction for two pairs, got three rows")
    if len(bounds.usable) < 4 or bounds.number < 4:
        raise InputError(
            "expected four or more electrodes for two pairs, "
            f"{min(len(bounds.usable), bounds.number)} may carry current: limits"
        )
    one, other = (bounds.usable[k] for k in np.triu_indices(len(bounds.usable), 1))
    g = c[0, one] - c[0, other]
    into, out, g = np.where(g > 0, one, other), np.where(g > 0, other, one), np.abs(g)
    order = np.argsort(-g, kind="stable")
    order = order[g[order] > 0]
    return c, bounds, (into[order], out[order]), g[order]


def _currents(
    bounds: Bounds, into: Ints, out: Ints, chosen: tuple[int, int], sizes: tuple[float, float]
) -> Floats:
    currents = np.zeros((2, len(bounds.names)))
    for row, k, size in zip(currents, chosen, sizes, strict=True):
        row[into[k]], row[out[k]] = size, -size
    return currents
