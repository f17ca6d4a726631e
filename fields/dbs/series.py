"""From responses over frequency to courses in time.

With a train w(t) = sum c_n exp(i w_n t) of exactly known c_n (`rheobase.fields.waveforms.trains`)
and a response H(f), v(t) = sum H(f_n) c_n exp(i w_n t). The sum ends where the band does, at f_M;
cut off like that it would ring at every jump of the pulse (Gibbs). So the fast part of the response
is taken out of the sum and put back in closed form,

    H(f) ~ a + d / (i 2 pi f),    both real, equal to H at f_M:
    v(t) = a w(t) + d q(t) + sum over |n| <= M of [H(f_n) - a - d/(i w_n)] c_n exp(i w_n t),

q the integral of w: the resistive part follows the pulse, jumps included, and the capacitive part
its charge. What is neglected is how the bracket, zero at f_M, goes on beyond f_M times c_n ~ 1/n.
A single pulse is a train with as much rest as the lowest frequency of the band allows.
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
        Returns the k quantities per unit of the pulse at frequencies (Hz) (nf,), shape (nf, k).
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
    omega = 2 * np.pi * f
    H = response(f)
    a = H[-1].real
    d = -omega[-1] * H[-1].imag if train.balanced else np.zeros_like(a)
    rest = (H - a - d / (1j * omega[:, None])) * train.coefficients(n)[:, None]
    v = np.outer(train.at(times), a)
    if train.balanced:
        v += np.outer(train.charge(times), d)
    else:
        mean = train.coefficients(np.zeros(1, dtype=np.int64))[0].real
        v += mean * (response(np.zeros(1))[0].real - a)
    for k in range(0, harmonics, _CHUNK):
        part = slice(k, k + _CHUNK)
        v += 2 * (np.exp(1j * np.outer(times, omega[part])) @ rest[part]).real
    return v
