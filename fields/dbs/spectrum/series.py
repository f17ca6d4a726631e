"""From responses over frequency to courses in time.

With a train w(t) = sum c_n exp(i w_n t) of exactly known c_n (`rheobase.fields.waveforms.trains`)
and a response H(f), v(t) = sum H(f_n) c_n exp(i w_n t). The sum ends where the band does, at f_M;
cut off like that it would ring at every jump of the pulse (Gibbs). So most of the response is taken
out of the sum and put back in closed form: tissue and interface relax, over many decades of time,

    H(f) ~ a + sum_k r_k / (1 + i 2 pi f tau_k),     tau_k fixed, a and r_k by least squares,
    v(t) = a w(t) + sum_k r_k y_k(t) + sum over 0 < |n| <= M of [H(f_n) - fit(f_n)] c_n exp(i w_n t)

with y_k the train through a first-order low-pass, exact: jumps included. The fit also covers
frequencies above the band, so that what is neglected, the bracket beyond f_M, is small; it does not
touch what the sum corrects within the band. A single pulse is a train with as much rest as the
lowest frequency of the band allows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.waveforms.trains import PulseTrain

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

_CHUNK = 512  # harmonics summed at once
_ABOVE = 300.0  # times the highest frequency of the band: how far the fit goes
_POLES, _SAMPLES = 5, 12  # a decade


def courses(
    response: Callable[[Floats], Complexes],
    pulse: PulseTrain,
    times: Floats,
    band: tuple[float, float],
    *,
    steady: bool,
) -> Floats:
    """Return the courses of quantities driven by a pulse.

    Parameters
    ----------
    response
        Returns the k quantities per unit of the pulse at frequencies (Hz) (nf,), shape (nf, k);
        above the band it need not be accurate.
    pulse
        The pulse; a single one repeats at the lowest frequency of the band.
    times
        Times (s), shape (nt,).
    band
        Frequencies (Hz) at which the response is known.
    steady
        Whether it is known at 0 Hz, too.

    Returns
    -------
    ndarray, shape (nt, k)

    Raises
    ------
    InputError
        If the pulses come more slowly than the lowest frequency of the band or so fast that no
        harmonic lies in it, or the charge is not balanced and there is no response at 0 Hz.
    """
    train = pulse if pulse.rate is not None else pulse.at_rate(band[0])
    rate = 1.0 / train.period
    harmonics = int(band[1] / rate * (1 + 1e-12))
    if rate < band[0] * (1 - 1e-9) or not harmonics:
        raise InputError(
            f"expected a rate within the band of the responses, {band[0]:g} .. {band[1]:g} Hz, got "
            f"{rate:g} pulses per second: {pulse.name!r}"
        )
    if not (train.balanced or steady):
        raise InputError(
            f"expected a pulse whose charge is balanced, got a net {train.net_charge:.3g} s of it: "
            f"there is no response at 0 Hz to direct current: {pulse.name!r}"
        )
    n = np.arange(1, harmonics + 1)
    f: Floats = rate * n.astype(np.float64)
    H = response(f)
    decades = np.log10(f[-1] / f[0])
    some = np.unique(np.geomspace(1, harmonics, int(_SAMPLES * decades) + 2).round().astype(int))
    above = np.geomspace(f[-1], _ABOVE * f[-1], int(_SAMPLES * np.log10(_ABOVE)))[1:]
    corners = np.geomspace(
        f[0] / 3, _ABOVE * f[-1], int(_POLES * (decades + np.log10(3 * _ABOVE))) + 1
    )
    size, weights = _relaxations(
        np.concatenate([f[some - 1], above]),
        np.concatenate([H[some - 1], response(above)]),
        corners,
    )
    v = np.outer(train.at(times), size) + train.filtered(times, 0.5 / np.pi / corners).T @ weights
    rest = (H - size - _low_pass(f, corners) @ weights) * train.coefficients(n)[:, None]
    if not train.balanced:
        mean = train.coefficients(np.zeros(1, dtype=np.int64))[0].real
        v += mean * (response(np.zeros(1))[0].real - size - weights.sum(axis=0))
    for k in range(0, harmonics, _CHUNK):
        part = slice(k, k + _CHUNK)
        v += 2 * (np.exp(2j * np.pi * np.outer(times, f[part])) @ rest[part]).real
    return v


def _low_pass(f: Floats, corners: Floats) -> Complexes:
    """Return the responses (nf, K) of first-order low-passes with corner frequencies (Hz)."""
    return np.asarray(1.0 / (1.0 + 1j * np.outer(f, 1.0 / corners)))


def _relaxations(f: Floats, H: Complexes, corners: Floats) -> tuple[Floats, Floats]:
    """Return a (k,) and r (K, k) of the fit to responses (nf, k)."""
    terms = np.concatenate([np.ones((len(f), 1)), _low_pass(f, corners)], axis=1)
    both = np.concatenate([terms.real, terms.imag])
    found = np.linalg.lstsq(both, np.concatenate([H.real, H.imag]), rcond=1e-10)[0]
    return found[0], found[1:]
