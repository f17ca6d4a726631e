"""What all measures ask of a signal, a band and a stretch of a run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase.neurons.network.simulation import Spikes


def as_signal(
    signal: ArrayLike, dt: float, *, where: str, ndim: int | None = None
) -> NDArray[np.float64]:
    """Return ``signal`` as finite floats, time last, after checking its step ``dt`` (s).

    Raises
    ------
    InputError
        If the step is not > 0, or the signal is empty, not finite or has not ``ndim`` axes.
    """
    check_positive("dt", dt)
    x = np.asarray(signal, dtype=np.float64)
    if x.ndim == 0 or x.size == 0 or (ndim is not None and x.ndim != ndim):
        expected = "(..., n_samples)" if ndim is None else f"with {ndim} axes, time last"
        raise InputError(f"signal must have shape {expected}, got {x.shape}: {where}")
    if not np.isfinite(x).all():
        raise InputError(
            f"signal must be finite, got {(~np.isfinite(x)).sum()} that are not: {where}"
        )
    return x


def check_band(band: tuple[float, float], dt: float, *, where: str) -> tuple[float, float]:
    """Return the band (Hz) when 0 < low < high < the Nyquist frequency of the step ``dt`` (s).

    Raises
    ------
    InputError
        If it is not.
    """
    low, high = band
    if not 0 < low < high < 0.5 / dt:
        raise InputError(
            f"band must be 0 < low < high < {0.5 / dt:g} Hz, got {low:g}..{high:g}: {where}"
        )
    return low, high


def stretch(
    spikes: Spikes, start: float | None, stop: float | None, *, where: str
) -> tuple[float, float]:
    """Return the interval (s) when it lies within the run; the run's ends stand in for None.

    Raises
    ------
    InputError
        If it is empty or outside the run.
    """
    begin = spikes.start if start is None else start
    end = spikes.stop if stop is None else stop
    half = spikes.dt / 2
    if not spikes.start - half <= begin < end <= spikes.stop + half:
        raise InputError(
            f"interval must lie within {spikes.start:g}..{spikes.stop:g} s, "
            f"got {begin:g}..{end:g}: {where}"
        )
    return begin, end


def bandpass(x: NDArray[np.float64], dt: float, band: tuple[float, float]) -> NDArray[Any]:
    """Return ``x`` (time last) in the band (Hz), without delay (Butterworth, forth and back)."""
    from scipy.signal import butter, sosfiltfilt

    sections = butter(3, band, btype="bandpass", fs=1 / dt, output="sos")
    if x.shape[-1] * dt < 3 / band[0]:
        raise InputError(
            f"signal must last three periods of {band[0]:g} Hz, got {x.shape[-1] * dt:g} s: band"
        )
    padding = min(x.shape[-1] - 1, round(3 / (band[0] * dt)))
    return np.asarray(sosfiltfilt(sections, x, padlen=padding))
