"""Waveforms: how a source varies in time.

A waveform multiplies a unit field: E(x, t) = a w(t) E_unit(x). For electrodes w is the current, for
a coil it is dI/dt; both are scaled so that the amplitude a is the largest absolute value, at w = 1.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option


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


def rectangular(width: float, *, dt: float = 1e-6, edge: float = 1e-9) -> Waveform:
    """Return a monophasic rectangular pulse.

    Parameters
    ----------
    width
        Pulse width (s).
    dt
        Largest spacing of the samples (s).
    edge
        Time of the rise and of the fall (s), taken within ``width``.
    """
    _positive(width=width, dt=dt, edge=edge)
    if not 2 * edge < width:
        raise InputError(f"width must be > twice the edge of {edge:g} s, got {width!r}")
    top = np.linspace(edge, width - edge, max(2, int(np.ceil(width / dt)) + 1))
    t = np.concatenate([[0.0], top, [width]])
    w = np.ones_like(t)
    w[[0, -1]] = 0.0
    return Waveform(name=f"rectangular {width * 1e6:g} us", t=t, w=w)


def sine(frequency: float, *, cycles: float = 1.0, dt: float | None = None) -> Waveform:
    """Return a sine.

    Parameters
    ----------
    frequency
        Frequency (Hz).
    cycles
        How many cycles.
    dt
        Spacing of the samples (s), a hundredth of the period if None.
    """
    _positive(frequency=frequency, cycles=cycles)
    t = _times(cycles / frequency, dt or 0.01 / frequency)
    return Waveform(name=f"sine {frequency:g} Hz", t=t, w=np.sin(2 * np.pi * frequency * t))


def two_carriers(
    frequencies: tuple[float, float], *, beats: float = 1.0, dt: float | None = None
) -> tuple[Waveform, Waveform]:
    """Return the two carriers of temporal interference over whole beats.

    Parameters
    ----------
    frequencies
        The two carrier frequencies (Hz); they differ.
    beats
        How many periods of the difference frequency.
    dt
        Spacing of the samples (s), a fiftieth of the faster period if None.
    """
    f1, f2 = frequencies
    _positive(frequency=f1, second=f2, beats=beats)
    if f1 == f2:
        raise InputError(f"the two carriers must differ, got {f1:g} Hz twice")
    t = _times(beats / abs(f1 - f2), dt or 0.02 / max(f1, f2))
    first, second = (
        Waveform(name=f"carrier {f:g} Hz", t=t, w=np.cos(2 * np.pi * f * t)) for f in (f1, f2)
    )
    return first, second


@cache
def _pulses() -> dict[str, dict[str, Any]]:
    text = files("rheobase.fields").joinpath("data/tms_pulses.toml").read_text(encoding="utf-8")
    return {p["name"]: p for p in tomllib.loads(text)["pulse"]}


def tms_pulse(name: str, *, dt: float = 1e-6) -> Waveform:
    """Return dI/dt of a shipped TMS pulse, 1 at its largest absolute value.

    A capacitor C discharges through the coil (R, L):

        I = V0/(L w) exp(-a t) sin(w t),   a = R/(2 L),   w² = 1/(L C) - a²,

    so dI/dt starts at its largest value.

    Parameters
    ----------
    name
        "biphasic" (one period), "half-sine", "monophasic" or "biphasic-cosine".
    dt
        Spacing of the samples (s).

    Raises
    ------
    InputError
        If there is no such pulse, with the nearest names.

    Examples
    --------
    >>> pulse = tms_pulse("biphasic")
    >>> print(f"{pulse.duration * 1e6:.1f} us, first {pulse.w[0]:.0f}")
    344.8 us, first 1
    """
    _positive(dt=dt)
    pulse = _pulses()[check_option("TMS pulse", name, _pulses())]
    if pulse["kind"] == "cosine":
        period = pulse["period_us"] * 1e-6
        t = _times(period, dt)
        return Waveform(name=name, t=t, w=np.cos(2 * np.pi * t / period))
    R, L, C = (
        pulse["resistance_mOhm"] * 1e-3,
        pulse["inductance_uH"] * 1e-6,
        pulse["capacitance_uF"] * 1e-6,
    )
    a = R / (2 * L)
    omega = float(np.sqrt(1 / (L * C) - a**2))
    if pulse["kind"] == "rlc":
        t = _times(pulse["cycles"] * 2 * np.pi / omega, dt)
        return Waveform(name=name, t=t, w=_discharge(t, a, omega))
    # Once the capacitor is empty, a diode lets the current pass a resistor beside it:
    # L dI/dt = V - R I,  C dV/dt = -I - V/R_clamp,  from V = 0 and the current of that moment.
    empty = (np.pi - np.arctan2(omega, a)) / omega
    clamp = pulse["clamp_mOhm"] * 1e-3
    rates, modes = np.linalg.eig(np.array([[-R / L, 1 / L], [-1 / C, -1 / (clamp * C)]]))
    current = np.exp(-a * empty) * np.sin(omega * empty) / omega
    share = np.linalg.solve(modes, np.array([current, 0.0]).astype(modes.dtype))
    t = _times(empty + 6.0 / float(np.abs(rates.real).min()), dt)
    after = np.exp(np.outer(np.maximum(t - empty, 0.0), rates)) * (share * rates * modes[0])
    w = np.where(t < empty, _discharge(t, a, omega), after.sum(axis=1).real)
    return Waveform(name=name, t=t, w=w)


def _discharge(t: NDArray[np.float64], a: float, omega: float) -> NDArray[np.float64]:
    w: NDArray[np.float64] = np.exp(-a * t) * (np.cos(omega * t) - a / omega * np.sin(omega * t))
    return w


def _times(duration: float, dt: float) -> NDArray[np.float64]:
    return np.linspace(0.0, duration, max(2, int(np.ceil(duration / dt - 1e-9)) + 1))


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"{name} must be > 0, got {value!r}")
