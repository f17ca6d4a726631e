"""The rate model of subthalamic nucleus and external pallidum against three other solvers.

Rest is found as a root of the two equations. A transient is integrated by the method of steps: 2 ms
at a time, of which all delays are multiples, with an adaptive Runge-Kutta method of order 8 and its
dense output as history. The cycle is found without integration, by harmonic balance: values at
equal phases, the derivative and the delays taken in the domain of frequency, the period unknown.
All three have their own statement of the equations;
harmonic balance starts from a cycle of the method of steps.

Besides stand the figures that were handed down with the constants. Their peak to peak is that of
Euler's method at 0.1 ms, which a row shows; the cycle itself is 1.3 % smaller.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import root

from rheobase.neurons.loop.plant import Pulses
from rheobase.neurons.loop.rate_model import RatePlant, STNGPe, fixed_point, stn_gpe
from rheobase.validation.case import Row

Floats = NDArray[np.float64]

START = (20.0, 60.0)  # rates (1/s) at and before time 0
PIECE = 2e-3  # s, a whole part of all delays
TRANSIENT = 0.3  # s compared with the method of steps
PHASES = 101  # of the cycle, odd
LIMIT = 0.01
HANDED_DOWN = "figure handed down with the constants (data/stn_gpe.toml)"
OTHERS = "{}, own statement of Nevado-Holgado et al. 2010, 10.1523/JNEUROSCI.0817-10.2010"


def healthy() -> list[Row]:
    """Compare rest and the way there."""
    rest = fixed_point(stn_gpe("healthy"))
    told = handed_down()["healthy"]
    return [
        *_rest("healthy"),
        _transient("healthy"),
        *(
            _row("healthy", f"{name} at rest", float(value), told[f"{name}_per_s"], "1/s")
            for name, value in zip(("S", "G"), rest, strict=True)
        ),
    ]


def parkinson() -> list[Row]:
    """Compare the unstable rest, the way from it and the cycle."""
    found = RatePlant(stn_gpe("parkinson"), start=START).advance(60_000, Pulses.none())
    S = found[30_000:, 0]
    period, cycle = harmonic_balance(stn_gpe("parkinson"))
    cases = {
        "frequency of the cycle": (_frequency(S, 1e-4), 1 / period, "Hz"),
        "S of the cycle, peak to peak": (float(np.ptp(S)), float(np.ptp(cycle[0])), "1/s"),
        "largest S of the cycle": (float(S.max()), float(cycle[0].max()), "1/s"),
        "G of the cycle, peak to peak": (
            float(np.ptp(found[30_000:, 1])),
            float(np.ptp(cycle[1])),
            "1/s",
        ),
    }
    told = handed_down()["parkinson"]
    rough = float(np.ptp(euler(stn_gpe("parkinson"), 6.0, 1e-4)[30_000:, 0]))
    return [
        *_rest("parkinson"),
        _transient("parkinson"),
        *(
            _row("parkinson", name, value, reference, unit, "harmonic balance")
            for name, (value, reference, unit) in cases.items()
        ),
        _row(
            "parkinson", "frequency of the cycle", _frequency(S, 1e-4), told["frequency_Hz"], "Hz"
        ),
        _row("parkinson", "S, peak to peak, by Euler at 0.1 ms", rough, told["S_ptp_euler"], "1/s"),
    ]


def handed_down() -> dict[str, dict[str, float]]:
    """Return the figures that come with the constants, by state."""
    text = files("rheobase.neurons").joinpath("data/stn_gpe.toml").read_text(encoding="utf-8")
    found: dict[str, dict[str, float]] = tomllib.loads(text)["expected"]
    return found


def _row(
    state: str, quantity: str, value: float, reference: float, unit: str, source: str = ""
) -> Row:
    return Row(
        case=f"stn-gpe-{state}",
        quantity=quantity,
        value=value,
        reference=reference,
        error=abs(value / reference - 1),
        limit=LIMIT,
        unit=unit,
        source=OTHERS.format(source) if source else HANDED_DOWN,
    )


def _rest(state: str) -> list[Row]:
    """Compare the fixed point; the healthy one is where an integration ends."""
    model = stn_gpe(state)

    def slopes(y: Floats) -> Floats:
        return _slopes(model, y, y[0], y[1], y[1])

    reference = root(slopes, START, tol=1e-13).x
    if state == "healthy":
        found = RatePlant(model, start=START).advance(30_000, Pulses.none())[-1]
        how = "3 s after another start"
    else:
        found, how = np.array(fixed_point(model)), "fixed point"
    return [
        _row(state, f"{name}, {how}", float(a), float(b), "1/s", "root finding")
        for name, a, b in zip(("S", "G"), found, reference, strict=True)
    ]


def _transient(state: str) -> Row:
    """Compare the way from another start."""
    model = stn_gpe(state)
    found = RatePlant(model, start=START).advance(round(TRANSIENT / 1e-4), Pulses.none())
    reference = method_of_steps(model, TRANSIENT, every=1e-4)
    scale = float(np.ptp(reference[:, 0]))
    return Row(
        case=f"stn-gpe-{state}",
        quantity=f"S over {TRANSIENT:g} s from another start, peak to peak; error: largest "
        "deviation over it",
        value=float(np.ptp(found[:, 0])),
        reference=scale,
        error=float(np.abs(found - reference).max() / scale),
        limit=LIMIT,
        unit="1/s",
        source=OTHERS.format("method of steps, DOP853"),
    )


def _slopes(m: STNGPe, y: Floats, S_SG: Floats, G_GS: Floats, G_GG: Floats) -> Floats:
    """Return dS/dt and dG/dt for rates now and those that arrive, shape (2, …)."""

    def F(x: Floats, M: float, B: float) -> Floats:
        half = np.log(M / B - 1)  # M over 1 + exp(half - 4x/M), in hyperbolic form
        out: Floats = M / 2 * (1 + np.tanh((4 * x / M - half) / 2))
        return out

    S = F(m.w_CS * m.Ctx - m.w_GS * G_GS, m.M_S, m.B_S)
    G = F(m.w_SG * S_SG - m.w_GG * G_GG - m.w_XG * m.Str, m.M_G, m.B_G)
    return np.stack([(S - y[0]) / m.tau_S, (G - y[1]) / m.tau_G])


def method_of_steps(model: STNGPe, duration: float, *, every: float) -> Floats:
    """Return S and G (1/s) at multiples of ``every`` (s) after 0, shape (n, 2)."""
    y = np.array(START)
    pieces: list[Callable[[float], Floats]] = []

    def past(t: float) -> Floats:
        # the piece that t is in, from the left at its bounds; constant before 0
        k = int(np.ceil(t / PIECE - 1e-9)) - 1
        return np.array(START) if k < 0 else pieces[k](t)

    def slopes(t: float, y: Floats) -> Floats:
        S_SG, G_GS = past(t - model.d_SG)[0], past(t - model.d_GS)[1]
        return _slopes(model, y, S_SG, G_GS, past(t - model.d_GG)[1])

    out = []
    for k in range(round(duration / PIECE)):
        span = (k * PIECE, (k + 1) * PIECE)
        solved = solve_ivp(
            slopes, span, y, method="DOP853", rtol=1e-10, atol=1e-10, dense_output=True
        )
        assert solved.sol is not None  # dense_output
        pieces.append(solved.sol)
        at = span[0] + every * np.arange(1, round(PIECE / every) + 1)
        out.append(solved.sol(at).T)
        y = solved.y[:, -1]
    return np.concatenate(out)


def euler(model: STNGPe, duration: float, dt: float) -> Floats:
    """Return S and G (1/s) after each step of Euler's method, shape (n, 2)."""
    late = [round(d / dt) for d in (model.d_SG, model.d_GS, model.d_GG)]
    n = round(duration / dt)
    y = np.full((n + 1 + max(late), 2), START)
    for k in range(max(late), max(late) + n):
        S_SG, G_GS, G_GG = y[k - late[0], 0], y[k - late[1], 1], y[k - late[2], 1]
        y[k + 1] = y[k] + dt * _slopes(model, y[k], S_SG, G_GS, G_GG)
    return y[max(late) + 1 :]


def harmonic_balance(model: STNGPe) -> tuple[float, Floats]:
    """Return the period of the cycle (s) and S, G (1/s) at 4096 phases of it, shape (2, 4096)."""
    m = np.fft.fftfreq(PHASES, 1 / PHASES)

    def moved(x: Floats, share: float) -> Floats:
        shifted: Floats = np.fft.ifft(np.fft.fft(x) * np.exp(-2j * np.pi * m * share)).real
        return shifted

    def residual(u: Floats) -> Floats:
        S, G, T = u[:PHASES], u[PHASES:-1], u[-1] * 1e-3
        late = moved(S, model.d_SG / T), moved(G, model.d_GS / T), moved(G, model.d_GG / T)
        slopes = _slopes(model, np.stack([S, G]), *late) * T
        own = np.fft.ifft(np.fft.fft(np.stack([S, G])) * 2j * np.pi * m).real
        return np.concatenate([(own - slopes).ravel(), [own[0, 0]]])  # S turns at phase 0

    way = method_of_steps(model, TRANSIENT, every=PIECE / 20)
    S = way[len(way) // 2 :, 0]
    tops = np.flatnonzero((S[1:-1] > S[:-2]) & (S[1:-1] >= S[2:])) + 1 + len(way) // 2
    first, period = tops[0], tops[1] - tops[0]
    at = first + period * np.arange(PHASES) / PHASES
    start = [np.interp(at, np.arange(len(way)), x) for x in way.T]
    guess = np.concatenate([*start, [period * PIECE / 20 * 1e3]])
    solved = root(residual, guess, tol=1e-11)
    values = solved.x[:-1].reshape(2, PHASES)
    fine = np.zeros((2, 4096), dtype=np.complex128)
    half = PHASES // 2
    spectrum = np.fft.fft(values)
    fine[:, : half + 1], fine[:, -half:] = spectrum[:, : half + 1], spectrum[:, -half:]
    cycle: Floats = np.fft.ifft(fine).real * 4096 / PHASES
    if not solved.success or np.ptp(cycle[0]) < 1:
        return float("nan"), np.full_like(cycle, np.nan)
    return float(solved.x[-1]) * 1e-3, cycle


def _frequency(x: Floats, dt: float) -> float:
    """Return the frequency (Hz) of rising passes through the mean."""
    y = x - x.mean()
    at = np.flatnonzero((y[:-1] < 0) & (y[1:] >= 0))
    times = (at + y[at] / (y[at] - y[at + 1])) * dt
    return float((len(times) - 1) / (times[-1] - times[0]))
