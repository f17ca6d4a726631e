"""Elementary waveforms: rectangular, sine, two carriers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.waveforms.waveform import Waveform


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
    positive(width=width, dt=dt, edge=edge)
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
    positive(frequency=frequency, cycles=cycles)
    t = times(cycles / frequency, dt or 0.01 / frequency)
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
    positive(frequency=f1, second=f2, beats=beats)
    if f1 == f2:
        raise InputError(f"the two carriers must differ, got {f1:g} Hz twice")
    t = times(beats / abs(f1 - f2), dt or 0.02 / max(f1, f2))
    first, second = (
        Waveform(name=f"carrier {f:g} Hz", t=t, w=np.cos(2 * np.pi * f * t)) for f in (f1, f2)
    )
    return first, second


def times(duration: float, dt: float) -> NDArray[np.float64]:
    """Return even times (s) from 0 to ``duration``, at most ``dt`` apart."""
    return np.linspace(0.0, duration, max(2, int(np.ceil(duration / dt - 1e-9)) + 1))


def positive(**values: float) -> None:
    """Raise `InputError` unless every value is finite and > 0."""
    for name, value in values.items():
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"{name} must be > 0, got {value!r}")
