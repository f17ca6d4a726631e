"""Where elements begin and end along one coordinate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def graded(
    fixed: Sequence[float],
    singular: Sequence[float],
    *,
    first: float,
    ratio: float,
    cap: Callable[[Floats], Floats],
) -> Floats:
    """Return breaks that are at all fixed places and grow away from the singular ones.

    Next to a singular place an element has about the length ``first``, and each further one is
    ``ratio`` times longer, as far as ``cap`` lets it.

    Parameters
    ----------
    fixed
        Places that must be breaks; the least and the largest are the ends.
    singular
        Places to grow away from.
    first
        Length of the element next to a singular place.
    ratio
        Growth, > 1.
    cap
        Largest length at places, shape (n,) to shape (n,).
    """
    points = np.unique(np.asarray(fixed, dtype=np.float64))
    rate = np.log(ratio)
    least = first * rate / (ratio - 1)
    rims = np.asarray(singular, dtype=np.float64)
    out = [points[:1]]
    for a, b in pairwise(points.tolist()):
        # geometric towards both ends, so that the integral resolves the first elements
        half = np.concatenate([[0.0], np.geomspace(1e-4, 1.0, 200)]) * 0.5 * (b - a)
        x = np.concatenate([a + half, b - half[-2::-1]])
        middle = 0.5 * (x[1:] + x[:-1])
        size = cap(middle)
        if len(rims):
            away = np.abs(middle[:, None] - rims).min(axis=1)
            size = np.minimum(size, least + rate * away)
        count = np.concatenate([[0.0], np.cumsum(np.diff(x) / size)])
        n = max(1, int(np.ceil(count[-1] - 0.25)))
        inner = np.interp(np.arange(1, n) * count[-1] / n, count, x)
        out += [inner, np.array([b])]
    return np.concatenate(out)


def coarser(breaks: Floats, size: float, kept: Sequence[float] = ()) -> Floats:
    """Return the fewest of the breaks with no element longer than ``size`` where it was not so.

    Parameters
    ----------
    breaks
        Ascending.
    size
        Largest length of an element of several former ones.
    kept
        Breaks that stay.
    """
    chosen = [0]
    keep = {int(np.abs(breaks - k).argmin()) for k in kept} | {len(breaks) - 1}
    while chosen[-1] < len(breaks) - 1:
        here = chosen[-1]
        there = int(np.searchsorted(breaks, breaks[here] + size * (1 + 1e-9), side="right")) - 1
        there = max(there, here + 1)
        chosen.append(min([there, *(k for k in keep if k > here)]))
    return breaks[chosen]
