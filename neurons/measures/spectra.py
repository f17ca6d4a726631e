"""Power spectra with their uncertainty: Welch's method and multitaper; power of a band.

Welch (1967, 10.1109/TAU.1967.1161901) averages over overlapping stretches, Thomson (1982,
10.1109/PROC.1982.12433) over orthogonal tapers of the whole signal. Both give one-sided densities
whose integral over frequency is the variance of the signal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase.neurons.measures._checks import as_signal


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Spectrum:
    """One-sided power spectral density.

    Parameters
    ----------
    frequency
        Frequencies (Hz), equally spaced from 0, shape (k,).
    density
        Density in the signal's unit squared per Hz, shape (..., k).
    degrees
        Degrees of freedom of each value: density times ``degrees`` over the true one is about
        chi-squared (away from lines, 0 Hz and the Nyquist frequency).
    """

    frequency: NDArray[np.float64]
    density: NDArray[np.float64]
    degrees: float

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the factors on the density between which the true one lies."""
        from scipy.stats import chi2

        tail = (1 - confidence) / 2
        high, low = (self.degrees / float(chi2.ppf(q, self.degrees)) for q in (tail, 1 - tail))
        return low, high

    def power(self, band: tuple[float, float]) -> NDArray[np.float64]:
        """Return the power in ``band`` (Hz), the signal's unit squared, shape (...).

        The density is taken as linear between its frequencies, so that a band may end anywhere.

        Raises
        ------
        InputError
            If the band is empty or outside the spectrum.
        """
        low, high = self._checked(band)
        inside = (self.frequency > low) & (self.frequency < high)
        f = np.concatenate([[low], self.frequency[inside], [high]])
        s = np.concatenate(
            [self._at(low)[..., None], self.density[..., inside], self._at(high)[..., None]],
            axis=-1,
        )
        return np.asarray(np.trapezoid(s, f, axis=-1))

    def peak(self, band: tuple[float, float]) -> NDArray[np.float64]:
        """Return the frequency (Hz) of the largest density in ``band``, shape (...).

        A parabola through the logarithms of the largest value and its neighbours places it between
        the frequencies; a maximum at an end of the band stays there.

        Raises
        ------
        InputError
            If the band is outside the spectrum or holds fewer than three frequencies.
        """
        low, high = self._checked(band)
        index = np.flatnonzero((self.frequency >= low) & (self.frequency <= high))
        if len(index) < 3:
            raise InputError(f"band must hold 3 frequencies, got {len(index)} in {low:g}..{high:g}")
        s = np.log(np.maximum(self.density[..., index], np.finfo(float).tiny))
        top = s.argmax(axis=-1, keepdims=True)
        middle = np.clip(top, 1, len(index) - 2)
        a, b, c = (np.take_along_axis(s, middle + k, axis=-1) for k in (-1, 0, 1))
        bend = a - 2 * b + c
        shift = np.where((top == middle) & (bend < 0), (a - c) / (2 * np.where(bend, bend, 1)), 0)
        step = self.frequency[1] - self.frequency[0]
        return np.asarray((self.frequency[index[top]] + shift * step)[..., 0])

    def _checked(self, band: tuple[float, float]) -> tuple[float, float]:
        low, high = band
        if not 0 <= low < high <= self.frequency[-1]:
            raise InputError(
                f"band must lie within 0..{self.frequency[-1]:g} Hz, "
                f"got {low:g}..{high:g}: spectrum"
            )
        return low, high

    def _at(self, frequency: float) -> NDArray[np.float64]:
        """Return the density at one frequency, shape (...)."""
        place = frequency / (self.frequency[1] - self.frequency[0])
        k = min(int(place), len(self.frequency) - 2)
        s = self.density[..., k] * (k + 1 - place) + self.density[..., k + 1] * (place - k)
        return np.asarray(s)


def welch(signal: ArrayLike, dt: float, *, resolution: float = 1.0) -> Spectrum:
    """Return the spectrum of ``signal`` by Welch's method (Hann windows, overlapping by half).

    Parameters
    ----------
    signal
        Signal, time last, shape (..., n_samples).
    dt
        Step (s).
    resolution
        Spacing (Hz) of the frequencies: the stretches last 1/resolution.

    Raises
    ------
    InputError
        If the signal is shorter than one stretch, or the stretch than 8 samples.
    """
    import scipy.signal

    x = as_signal(signal, dt, where="welch")
    check_positive("resolution", resolution)
    n = round(1 / (resolution * dt))
    if not 8 <= n <= x.shape[-1]:
        raise InputError(
            f"resolution must be {1 / (x.shape[-1] * dt):g}..{1 / (8 * dt):g} Hz for "
            f"{x.shape[-1]} samples of {dt:g} s, got {resolution:g}: welch"
        )
    frequency, density = scipy.signal.welch(x, fs=1 / dt, nperseg=n, noverlap=n // 2, axis=-1)
    k = (x.shape[-1] - n // 2) // (n - n // 2)
    # two neighbouring Hann windows share 1/36 of their variance (correlation 1/6, squared)
    degrees = 2 * k / (1 + (k - 1) / k / 18)
    return Spectrum(frequency=frequency, density=density, degrees=degrees)


def multitaper(signal: ArrayLike, dt: float, *, bandwidth: float = 2.0) -> Spectrum:
    """Return the spectrum of ``signal``, smoothed over ``bandwidth`` to each side.

    Parameters
    ----------
    signal
        Signal, time last, shape (..., n_samples).
    dt
        Step (s).
    bandwidth
        Half width W (Hz) of the smoothing: 2 W T - 1 Slepian tapers of the duration T.

    Raises
    ------
    InputError
        If W T is below 1, or W not below a quarter of the sampling rate.
    """
    from scipy.signal import periodogram
    from scipy.signal.windows import dpss

    x = as_signal(signal, dt, where="multitaper")
    n = x.shape[-1]
    if not 1 / (n * dt) <= bandwidth < 0.25 / dt:
        raise InputError(
            f"bandwidth must be {1 / (n * dt):g}..{0.25 / dt:g} Hz for {n} samples of {dt:g} s, "
            f"got {bandwidth:g}: multitaper"
        )
    product = bandwidth * n * dt
    tapers = dpss(n, product, Kmax=int(2 * product) - 1)
    parts = [periodogram(x, fs=1 / dt, window=taper, axis=-1) for taper in tapers]
    return Spectrum(
        frequency=parts[0][0],
        density=np.mean([p for _, p in parts], axis=0),
        degrees=2.0 * len(parts),
    )
