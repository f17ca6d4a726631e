"""Biomarkers that only know the past: band amplitude and power, phase, mean.

Each is fed the samples since the last call and returns one reading. ``delay`` is how late a slow
change of the amplitude shows up in it.
"""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np

from rheobase._errors import InputError, check_option, check_positive
from rheobase.neurons.loop.plant import Floats

Span = tuple[float, float]
ORDER = 2  # of the Butterworth prototype; the band-pass has twice as many poles


class Biomarker(Protocol):
    """Reads one number off the samples of a signal.

    Attributes
    ----------
    delay
        How late it is (s).
    """

    @property
    def delay(self) -> float: ...  # noqa: D102

    def update(self, samples: Floats) -> float:
        """Return the reading after further ``samples`` of the signal, shape (n,)."""
        ...


def check_band(band: Span, dt: float) -> None:
    """Raise `InputError` unless the band (Hz) rises and can be seen with samples every ``dt``."""
    if not 0 < band[0] < band[1] < 0.5 / dt:
        raise InputError(
            f"a band must rise within 0..{0.5 / dt:g} Hz, half the rate of samples, got {band}"
        )


class _Held:
    """The last samples."""

    def __init__(self, size: int) -> None:
        self._ring = np.zeros(size)

    def push(self, samples: Floats) -> Floats:
        """Return the last samples, the newest at the end; zeros before the first."""
        size = len(self._ring)
        self._ring = np.concatenate([self._ring, samples])[-size:]
        return self._ring


class Band:
    """Average rectified value or power of a band over a window (causal Butterworth filter).

    Parameters
    ----------
    band
        From, to (Hz).
    window
        Time averaged over (s).
    dt
        Time between samples (s).
    kind
        "arv": mean of |x|, in the unit of the signal; "power": mean of x², its square.

    Raises
    ------
    InputError
        If the band does not rise or cannot be seen, or ``window`` is shorter than a sample.
    """

    def __init__(
        self, band: Span, window: float, *, dt: float, kind: Literal["arv", "power"] = "arv"
    ) -> None:
        from scipy.signal import butter

        check_option("kind", kind, ("arv", "power"), where="biomarker")
        check_band(band, dt)
        size = _samples(window, dt)
        self._sos = butter(ORDER, band, "bandpass", fs=1 / dt, output="sos")
        self._state = np.zeros((len(self._sos), 2))
        self._held = _Held(size)
        self._square = kind == "power"
        self.delay = _envelope_delay(self._sos, band, dt) + window / 2

    def update(self, samples: Floats) -> float:
        """Return the reading."""
        from scipy.signal import sosfilt

        out, self._state = sosfilt(self._sos, samples, zi=self._state)
        return float(self._held.push(out**2 if self._square else np.abs(out)).mean())


class Buffered:
    """Average rectified value of a band in a buffer that is filtered to and fro at every call.

    As Fleming, Dunn & Lowery 2020 (doi:10.3389/fnins.2020.00166) have it: no lag of the filter, but
    its end of the buffer is dropped, as it is not yet right there.

    Parameters
    ----------
    band
        From, to (Hz).
    window, dropped
        Time averaged over, and time after it that is dropped (s).
    buffer
        Time filtered (s).
    dt, sample
        Time between samples, and between those that are kept (s).
    order, ripple_dB
        Of the Chebyshev prototype.

    Raises
    ------
    InputError
        If the band does not rise or cannot be seen, or the buffer is shorter than window and end.
    """

    def __init__(
        self,
        band: Span,
        window: float,
        *,
        dropped: float,
        buffer: float,
        dt: float,
        sample: float,
        order: int = 4,
        ripple_dB: float = 0.5,
    ) -> None:
        from scipy.signal import cheby1

        every = round(sample / dt)
        if every < 1 or abs(every * dt - sample) > 1e-9 * sample:
            raise InputError(f"sample must be a multiple of {dt:g} s, got {sample:g} s: biomarker")
        check_band(band, sample)
        if not window + dropped <= buffer:
            raise InputError(
                f"the buffer must hold {window + dropped:g} s, got {buffer:g} s: biomarker"
            )
        self._every, self._skip = every, 0
        self._sos = cheby1(order, ripple_dB, band, "bandpass", fs=1 / sample, output="sos")
        self._held = _Held(_samples(buffer, sample))
        self._end = len(self._held.push(np.empty(0))) - round(dropped / sample)
        self._size = _samples(window, sample)
        self.delay = dropped + window / 2

    def update(self, samples: Floats) -> float:
        """Return the reading."""
        from scipy.signal import sosfiltfilt

        kept = samples[(self._every - 1 - self._skip) % self._every :: self._every]
        self._skip = (self._skip + len(samples)) % self._every
        held = self._held.push(kept)
        out = sosfiltfilt(self._sos, held)
        return float(np.abs(out[self._end - self._size : self._end]).mean())


class Phase:
    """Phase (rad, 0 at the peak) of a band, now: the endpoint-corrected Hilbert transform.

    Schreglmann et al. 2021, Nat Commun 12:363 (doi:10.1038/s41467-020-20581-7): the analytic signal
    of a window, times a causal band-pass in the domain of frequency; as the window is periodic
    there, the filter carries its begin beyond its end, and the end is right. The filter has no
    phase in the middle of the band.

    Parameters
    ----------
    band
        From, to (Hz).
    window
        Time looked back on (s), some cycles long.
    dt
        Time between samples (s).

    Raises
    ------
    InputError
        If the band does not rise or cannot be seen, or the window holds no two cycles.
    """

    delay = 0.0

    def __init__(self, band: Span, window: float, *, dt: float) -> None:
        from scipy.signal import butter, freqz_sos

        check_band(band, dt)
        size = _samples(window, dt)
        if window * np.sqrt(band[0] * band[1]) < 2:
            raise InputError(
                f"the window must hold 2 cycles of the middle of {band} Hz, got {window:g} s"
            )
        self._held = _Held(size)
        sos = butter(ORDER, band, "bandpass", fs=1 / dt, output="sos")
        f = np.fft.fftfreq(size, dt)
        weight = np.where(f > 0, 2.0, 0.0).astype(np.complex128)
        weight[f > 0] *= freqz_sos(sos, f[f > 0], fs=1 / dt)[1]
        # the last sample of the inverse transform is one scalar product
        self._weight = weight * np.exp(2j * np.pi * np.arange(size) * (size - 1) / size) / size

    def update(self, samples: Floats) -> float:
        """Return the reading (rad, -pi … pi)."""
        return float(np.angle(np.fft.fft(self._held.push(samples)) @ self._weight))


class Average:
    """Mean over a window: of a heart rate, a rate of spikes.

    Parameters
    ----------
    window
        Time averaged over (s).
    dt
        Time between samples (s).

    Raises
    ------
    InputError
        If the window is shorter than a sample.
    """

    def __init__(self, window: float, *, dt: float) -> None:
        self._held = _Held(_samples(window, dt))
        self._seen = 0
        self.delay = window / 2

    def update(self, samples: Floats) -> float:
        """Return the reading; before the window is full, the mean so far."""
        held = self._held.push(samples)
        self._seen = min(self._seen + len(samples), len(held))
        return float(held[len(held) - self._seen :].mean())


def _samples(window: float, dt: float) -> int:
    """Return the number of samples in ``window`` (s)."""
    check_positive("window of the biomarker", window)
    if round(window / dt) < 1:
        raise InputError(f"window must be at least {dt:g} s, got {window:g} s: biomarker")
    return round(window / dt)


def _envelope_delay(sos: Floats, band: Span, dt: float) -> float:
    """Return the group delay (s) of a filter in the middle of its band."""
    from scipy.signal import freqz_sos

    f = np.sqrt(band[0] * band[1]) * np.array([0.999, 1.001])
    phase = np.unwrap(np.angle(freqz_sos(sos, f, fs=1 / dt)[1]))
    return float(-np.diff(phase)[0] / (2 * np.pi * np.diff(f)[0]))
