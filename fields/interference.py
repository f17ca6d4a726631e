"""Temporal interference: the envelope of two fields at nearby frequencies.

Along a unit vector n the sum of two carriers is modulated, peak to peak, by

    T_n = 2 min(|n·E1|, |n·E2|) = | |n·(E1 + E2)| - |n·(E1 - E2)| |.

Its largest value over all n: with |E1| >= |E2|, the sign of E2 chosen for E1·E2 >= 0 and alpha the
angle between them, T = 2 |E2| where |E2| < |E1| cos(alpha), else 2 |E2 × (E1 - E2)| / |E1 - E2|.

Reference: Grossman et al., Cell 169:1029 (2017), doi:10.1016/j.cell.2017.05.024. The factor 2 makes
it the peak-to-peak depth of modulation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError


def envelope_along(E1: ArrayLike, E2: ArrayLike, direction: ArrayLike) -> NDArray[np.float64]:
    """Return the peak-to-peak modulation along a direction.

    Parameters
    ----------
    E1, E2
        Amplitudes of the two fields (V/m), shape (..., 3).
    direction
        Direction, one or one per point (any length but 0), shape (..., 3).

    Returns
    -------
    ndarray, shape (...)
        T_n (V/m).
    """
    n = np.asarray(direction, dtype=np.float64)
    length = np.linalg.norm(n, axis=-1, keepdims=True)
    if not (length > 0).all():
        raise InputError("expected a direction, got a vector of length 0")
    n = n / length
    a, b = (np.abs((np.asarray(E, dtype=np.float64) * n).sum(-1)) for E in (E1, E2))
    return 2 * np.minimum(a, b)


def envelope_max(E1: ArrayLike, E2: ArrayLike) -> NDArray[np.float64]:
    """Return the largest peak-to-peak modulation over all directions.

    Parameters
    ----------
    E1, E2
        Amplitudes of the two fields (V/m), shape (..., 3).

    Returns
    -------
    ndarray, shape (...)
        T (V/m).

    Examples
    --------
    >>> envelope_max([[1.0, 0, 0], [1.0, 0, 0]], [[0.5, 0, 0], [0, 1.0, 0]]).round(4)
    array([1.    , 1.4142])
    """
    a, b = np.broadcast_arrays(np.asarray(E1, dtype=np.float64), np.asarray(E2, dtype=np.float64))
    swap = (np.linalg.norm(a, axis=-1) < np.linalg.norm(b, axis=-1))[..., None]
    large, small = np.where(swap, b, a), np.where(swap, a, b)
    dot = (large * small).sum(-1)
    small = np.where(dot[..., None] < 0, -small, small)
    dot = np.abs(dot)
    size = np.linalg.norm(small, axis=-1)
    gap = np.linalg.norm(large - small, axis=-1)
    turn = np.linalg.norm(np.cross(small, large - small), axis=-1)
    aligned = size**2 < dot  # |E2| < |E1| cos(alpha)
    across = np.divide(turn, gap, out=np.array(size), where=gap > 0)  # E1 = E2: |E2|
    return 2 * np.where(aligned, size, across)
