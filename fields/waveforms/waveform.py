"""Waveforms: how a source varies in time.

A waveform multiplies a unit field: E(x, t) = a w(t) E_unit(x). For electrodes w is the current, for
a coil it is dI/dt; both are scaled so that the amplitude a is the largest absolute value, at w = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Waveform:
    """Samples of a waveform.

    Parameters
    ----------
    name
        Name.
    t
        Times (s), ascending, shape (n,).
    w
        Value at each time (1), shape (n,); linear between samples, zero outside.

    Raises
    ------
    InputError
        If times do not rise, shapes differ, or a value is not finite.
    """

    name: str
    t: NDArray[np.float64]
    w: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check the samples."""
        t, w = (np.asarray(a, dtype=np.float64) for a in (self.t, self.w))
        object.__setattr__(self, "t", t)
        object.__setattr__(self, "w", w)
        if t.ndim != 1 or t.shape != w.shape or len(t) < 2:
            raise InputError(
                f"expected two or more samples of time and value, got {t.shape} and {w.shape}: "
                f"waveform {self.name!r}"
            )
        if not (np.isfinite(t).all() and np.isfinite(w).all() and (np.diff(t) > 0).all()):
            raise InputError(f"times must rise and values be finite: waveform {self.name!r}")

    @property
    def duration(self) -> float:
        """Time from first to last sample (s)."""
        return float(self.t[-1] - self.t[0])

    @property
    def integral(self) -> float:
        """∫ w dt (s)."""
        return float(np.trapezoid(self.w, self.t))

    def at(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return w at times (s), linear between the samples, zero outside them."""
        return np.interp(t, self.t, self.w, left=0.0, right=0.0)
