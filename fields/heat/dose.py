"""Thermal dose: minutes at 43 °C that do the same.

CEM43 = ∫ R^(43 - T) dt, R = 1/2 from 43 °C on and 1/4 below (Sapareto & Dewey, Int J Radiat Oncol
Biol Phys 10:787 (1984), doi:10.1016/0360-3016(84)90379-1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError


def cem43(times: ArrayLike, temperature: ArrayLike) -> NDArray[np.float64]:
    """Return the thermal dose (min) of temperatures that are linear between times, exactly.

    Parameters
    ----------
    times
        Rising times (s), shape (n,), n >= 2.
    temperature
        Temperature (°C) at these times, shape (n,) or (n, k).

    Returns
    -------
    ndarray, shape () or (k,)

    Raises
    ------
    InputError
        If the times do not rise, the shapes differ or a number is not finite.

    Examples
    --------
    >>> float(cem43([0, 60], [45, 45]))
    4.0
    """
    from rheobase.fields.heat._heat_numba import accumulate

    t = np.asarray(times, dtype=np.float64)
    T = np.asarray(temperature, dtype=np.float64)
    if t.ndim != 1 or len(t) < 2 or not np.isfinite(t).all() or not (np.diff(t) > 0).all():
        raise InputError(f"times must rise and be at least two, got shape {t.shape}")
    if T.ndim not in {1, 2} or len(T) != len(t) or not np.isfinite(T).all():
        raise InputError(
            f"temperature must be finite, one row for each of {len(t)} times, got {T.shape}"
        )
    rows = np.ascontiguousarray(T.reshape(len(t), -1))
    dose, peak, zero = np.zeros((3, rows.shape[1]))
    for k in range(len(t) - 1):
        accumulate(zero, rows[k], rows[k + 1], t[k + 1] - t[k], dose, peak)
    return dose.reshape(T.shape[1:])
