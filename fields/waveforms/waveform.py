"""Waveforms: how a source varies in time.

A waveform multiplies a unit field: E(x, t) = a w(t) E_unit(x). For electrodes w is the current, for
a coil it is dI/dt, since the coil's field follows the rate of change of its current; both are
scaled so that the amplitude a is the largest absolute value, at w = 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.waveforms.sampling import even_times

LARGEST = 1e30  # s, or the unit of the values: what lies beyond is none
RATES = {"": "", "A": "A/s", "V": "V/s"}  # unit of the derivative of a quantity


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
    pulse
        Whether the samples are one whole pulse with rest before and after, so that a threshold for
        it means something; False for carriers, ramps and what goes on for long.
    peak, unit
        What w = 1 stands for, where the samples come with a unit ("A/s", "A", "V"; "" without).

    Raises
    ------
    InputError
        If times do not rise, shapes differ, or a value is no finite number below 1e30.
    """

    name: str
    t: NDArray[np.float64]
    w: NDArray[np.float64]
    pulse: bool = True
    peak: float = 1.0
    unit: str = ""

    def __post_init__(self) -> None:
        """Check the samples."""
        where = f"waveform {self.name!r}"
        try:
            t, w = (np.asarray(a, dtype=np.float64) for a in (self.t, self.w))
        except (TypeError, ValueError):
            raise InputError(f"expected numbers as times and values, got others: {where}") from None
        object.__setattr__(self, "t", t)
        object.__setattr__(self, "w", w)
        if t.ndim != 1 or t.shape != w.shape or len(t) < 2:
            raise InputError(
                f"expected two or more samples of time and value, got {t.shape} and {w.shape}: "
                f"{where}"
            )
        good = (np.abs(t) < LARGEST) & (np.abs(w) < LARGEST)
        if not good.all():
            bad = int((~good).argmax())
            raise InputError(f"expected finite times and values, sample {bad} is not: {where}")
        if not (np.diff(t) > 0).all():
            bad = int((np.diff(t) <= 0).argmax())
            raise InputError(
                f"times must rise, got {t[bad + 1]:g} s after {t[bad]:g} s (sample {bad + 1}): "
                f"{where}"
            )

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

    def samples(self, dt: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return even times (s), at most ``dt`` apart from first to last sample, and w at them.

        Raises
        ------
        InputError
            If ``dt`` is not > 0, or so small that there are too many.
        """
        try:
            t = even_times(float(self.t[0]), float(self.t[-1]), dt)
        except InputError as error:
            raise InputError(f"{error}: waveform {self.name!r}") from None
        return t, self.at(t)

    def derivative(self) -> Waveform:
        """Return the rate of change, 1 at its largest absolute value: from I to dI/dt of a coil.

        Central differences between samples, one-sided at the ends.

        Raises
        ------
        InputError
            If the waveform is constant.
        """
        return self._scaled(np.gradient(self.w, self.t), RATES.get(self.unit, f"{self.unit}/s"))

    def integrated(self) -> Waveform:
        """Return ∫ w dt from the first sample on, 1 at its largest: from dI/dt to the current."""
        part = 0.5 * (self.w[1:] + self.w[:-1]) * np.diff(self.t)
        unit = {rate: of for of, rate in RATES.items()}.get(self.unit, f"{self.unit} s")
        return self._scaled(np.concatenate([[0.0], np.cumsum(part)]), unit)

    def _scaled(self, w: NDArray[np.float64], unit: str) -> Waveform:
        largest = float(np.abs(w).max())
        if not largest > 0:
            raise InputError(f"expected a waveform that is not 0 throughout: {self.name!r}")
        return replace(self, w=w / largest, peak=self.peak * largest, unit=unit)
