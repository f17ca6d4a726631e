"""Elementary waveforms: rectangular, sine, ramped current, two carriers."""

from __future__ import annotations

from numbers import Real

import numpy as np

from rheobase._errors import InputError, check_positive
from rheobase.fields.waveforms.sampling import even_times
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
    check_positive("width", width)
    check_positive("dt", dt)
    check_positive("edge", edge)
    if not 2 * edge < width:
        raise InputError(f"width must be > twice the edge of {edge:g} s, got {width!r}")
    t = np.concatenate([[0.0], edge + even_times(0.0, width - 2 * edge, dt), [width]])
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
    check_positive("frequency", frequency)
    check_positive("cycles", cycles)
    t = even_times(0.0, cycles / frequency, dt or 0.01 / frequency)
    w = np.sin(2 * np.pi * frequency * t)
    return Waveform(name=f"sine {frequency:g} Hz", t=t, w=w, pulse=False)


def ramped(
    duration: float, *, ramp: float, frequency: float = 0.0, dt: float | None = None
) -> Waveform:
    """Return a current that is ramped up and down: direct (tDCS) or alternating (tACS).

    Parameters
    ----------
    duration
        From the first to the last moment of current, ramps included (s).
    ramp
        Time of the linear rise, and of the fall (s).
    frequency
        Frequency (Hz) of the sine under the ramps, 0 for direct current.
    dt
        Spacing of the samples (s): a hundredth of the period if None; ignored at direct current,
        whose four corners say all.

    Raises
    ------
    InputError
        If the ramps do not fit into the duration.
    """
    check_positive("duration", duration)
    check_positive("ramp", ramp)
    if 2 * ramp > duration:
        raise InputError(
            f"two ramps of {ramp:g} s do not fit into a duration of {duration:g} s: ramped current"
        )
    if not (isinstance(frequency, Real) and np.isfinite(frequency) and frequency >= 0):
        raise InputError(f"frequency must be >= 0, got {frequency!r}")
    corners = np.unique([0.0, ramp, duration - ramp, duration])
    level = np.clip(np.minimum(corners, duration - corners) / ramp, 0.0, 1.0)
    if frequency == 0:
        name = f"direct current, {ramp:g} s ramps"
        return Waveform(name=name, t=corners, w=level, pulse=False)
    t = even_times(0.0, duration, dt or 0.01 / frequency)
    w = np.interp(t, corners, level) * np.sin(2 * np.pi * frequency * t)
    return Waveform(name=f"sine {frequency:g} Hz, {ramp:g} s ramps", t=t, w=w, pulse=False)


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
    check_positive("frequency", f1)
    check_positive("second", f2)
    check_positive("beats", beats)
    if f1 == f2:
        raise InputError(f"the two carriers must differ, got {f1:g} Hz twice")
    t = even_times(0.0, beats / abs(f1 - f2), dt or 0.02 / max(f1, f2))
    first, second = (
        Waveform(name=f"carrier {f:g} Hz", t=t, w=np.cos(2 * np.pi * f * t), pulse=False)
        for f in (f1, f2)
    )
    return first, second
