"""How finely a waveform is sampled: even times, and not too many of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_positive

MOST_SAMPLES = 50_000_000


def even_times(start: float, stop: float, dt: float) -> NDArray[np.float64]:
    """Return even times (s) from ``start`` to ``stop``, two or more, at most ``dt`` apart.

    Raises
    ------
    InputError
        If ``dt`` is not > 0, or so small that they are too many.
    """
    check_positive("dt", dt)
    steps = (stop - start) / dt - 1e-9 if dt > 1e-300 else np.inf
    if not steps < MOST_SAMPLES:
        raise InputError(
            f"expected at most {MOST_SAMPLES:,} samples, {stop - start:g} s in steps of {dt:g} s "
            "have more"
        )
    return np.linspace(start, stop, max(2, int(np.ceil(steps)) + 1))
