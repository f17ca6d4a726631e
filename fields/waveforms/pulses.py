"""TMS pulses: what a capacitor sends through a coil."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option, check_positive
from rheobase.fields.waveforms.sampling import even_times
from rheobase.fields.waveforms.waveform import Waveform

TAIL = 6.0  # time constants after which a monophasic pulse is cut off: exp(-6) of the current


@cache
def load_pulses() -> dict[str, dict[str, Any]]:
    """Return the entries of ``data/tms_pulses.toml`` by name."""
    text = files("rheobase.fields").joinpath("data/tms_pulses.toml").read_text(encoding="utf-8")
    return {p["name"]: p for p in tomllib.loads(text)["pulse"]}


def tms_pulse(name: str, *, dt: float = 1e-6) -> Waveform:
    """Return dI/dt of a shipped TMS pulse, 1 at its largest absolute value.

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
    pulse = load_pulses()[check_option("TMS pulse", name, load_pulses())]
    if pulse["kind"] == "cosine":
        period = pulse["period_us"] * 1e-6
        t = even_times(0.0, period, dt)
        return Waveform(name=name, t=t, w=np.cos(2 * np.pi * t / period))
    circuit = {
        "resistance": pulse["resistance_mOhm"] * 1e-3,
        "inductance": pulse["inductance_uH"] * 1e-6,
        "capacitance": pulse["capacitance_uF"] * 1e-6,
    }
    if pulse["kind"] == "clamped":
        return clamped_discharge(**circuit, clamp=pulse["clamp_mOhm"] * 1e-3, dt=dt, name=name)
    return discharge(**circuit, cycles=pulse["cycles"], dt=dt, name=name)


def discharge(
    *,
    resistance: float,
    inductance: float,
    capacitance: float,
    cycles: float = 1.0,
    dt: float = 1e-6,
    name: str = "discharge",
) -> Waveform:
    """Return dI/dt of a capacitor that discharges through the coil: biphasic or half a sine.

        I = V0/(L w) exp(-a t) sin(w t),   a = R/(2 L),   w² = 1/(L C) - a²,

    so dI/dt starts at its largest value, V0/L, which is 1 here. After the given number of cycles
    the switch opens.

    Parameters
    ----------
    resistance, inductance, capacitance
        Of the whole circuit (ohm, H, F).
    cycles
        1 for a biphasic pulse, 0.5 for a half sine.
    dt
        Spacing of the samples (s).
    name
        Name of the pulse.

    Raises
    ------
    InputError
        If a value is not > 0 or the circuit does not oscillate.
    """
    check_positive("cycles", cycles)
    a, omega = _oscillation(resistance, inductance, capacitance)
    t = even_times(0.0, cycles * 2 * np.pi / omega, dt)
    return Waveform(name=name, t=t, w=_slope(t, a, omega))


def clamped_discharge(
    *,
    resistance: float,
    inductance: float,
    capacitance: float,
    clamp: float,
    dt: float = 1e-6,
    name: str = "clamped discharge",
) -> Waveform:
    """Return dI/dt of a monophasic pulse: the current decays once the capacitor is empty.

    Up to there it is that of `discharge`. Then a diode lets it pass a resistor beside the
    capacitor,

        L dI/dt = V - R I,   C dV/dt = -I - V/R_clamp,

    from V = 0 and the current of that moment; where the clamp is small enough nothing swings back.

    Parameters
    ----------
    resistance, inductance, capacitance, clamp
        Of the circuit and of the resistor beside the capacitor (ohm, H, F, ohm).
    dt
        Spacing of the samples (s).
    name
        Name of the pulse.

    Raises
    ------
    InputError
        If a value is not > 0 or the circuit does not oscillate.
    """
    check_positive("clamp", clamp)
    R, L, C = resistance, inductance, capacitance
    a, omega = _oscillation(R, L, C)
    empty = (np.pi - np.arctan2(omega, a)) / omega
    rates, modes = np.linalg.eig(np.array([[-R / L, 1 / L], [-1 / C, -1 / (clamp * C)]]))
    current = np.exp(-a * empty) * np.sin(omega * empty) / omega
    share = np.linalg.solve(modes, np.array([current, 0.0]).astype(modes.dtype))
    t = even_times(0.0, empty + TAIL / float(np.abs(rates.real).min()), dt)
    after = np.exp(np.outer(np.maximum(t - empty, 0.0), rates)) * (share * rates * modes[0])
    w = np.where(t < empty, _slope(t, a, omega), after.sum(axis=1).real)
    return Waveform(name=name, t=t, w=w)


def _oscillation(R: float, L: float, C: float) -> tuple[float, float]:
    """Return damping and angular frequency (1/s) of a circuit."""
    check_positive("resistance", R)
    check_positive("inductance", L)
    check_positive("capacitance", C)
    a = R / (2 * L)
    square = 1 / (L * C) - a**2
    if not square > 0:
        raise InputError(
            f"expected a circuit that oscillates, R < 2 sqrt(L/C) = {2 * np.sqrt(L / C):.3g} ohm, "
            f"got {R:g} ohm"
        )
    return a, float(np.sqrt(square))


def _slope(t: NDArray[np.float64], a: float, omega: float) -> NDArray[np.float64]:
    """Return dI/dt of the damped oscillation, 1 at t = 0."""
    w: NDArray[np.float64] = np.exp(-a * t) * (np.cos(omega * t) - a / omega * np.sin(omega * t))
    return w
