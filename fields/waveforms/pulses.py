"""TMS pulses: what a capacitor sends through a coil."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import check_option
from rheobase.fields.waveforms.shapes import positive, times
from rheobase.fields.waveforms.waveform import Waveform


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
    positive(dt=dt)
    pulse = _pulses()[check_option("TMS pulse", name, _pulses())]
    if pulse["kind"] == "cosine":
        period = pulse["period_us"] * 1e-6
        t = times(period, dt)
        return Waveform(name=name, t=t, w=np.cos(2 * np.pi * t / period))
    R, L, C = (
        pulse["resistance_mOhm"] * 1e-3,
        pulse["inductance_uH"] * 1e-6,
        pulse["capacitance_uF"] * 1e-6,
    )
    a = R / (2 * L)
    omega = float(np.sqrt(1 / (L * C) - a**2))
    if pulse["kind"] == "rlc":
        t = times(pulse["cycles"] * 2 * np.pi / omega, dt)
        return Waveform(name=name, t=t, w=_discharge(t, a, omega))
    # Once the capacitor is empty, a diode lets the current pass a resistor beside it:
    # L dI/dt = V - R I,  C dV/dt = -I - V/R_clamp,  from V = 0 and the current of that moment.
    empty = (np.pi - np.arctan2(omega, a)) / omega
    clamp = pulse["clamp_mOhm"] * 1e-3
    rates, modes = np.linalg.eig(np.array([[-R / L, 1 / L], [-1 / C, -1 / (clamp * C)]]))
    current = np.exp(-a * empty) * np.sin(omega * empty) / omega
    share = np.linalg.solve(modes, np.array([current, 0.0]).astype(modes.dtype))
    t = times(empty + 6.0 / float(np.abs(rates.real).min()), dt)
    after = np.exp(np.outer(np.maximum(t - empty, 0.0), rates)) * (share * rates * modes[0])
    w = np.where(t < empty, _discharge(t, a, omega), after.sum(axis=1).real)
    return Waveform(name=name, t=t, w=w)


def _discharge(t: NDArray[np.float64], a: float, omega: float) -> NDArray[np.float64]:
    w: NDArray[np.float64] = np.exp(-a * t) * (np.cos(omega * t) - a / omega * np.sin(omega * t))
    return w
