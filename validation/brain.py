"""The whole-brain network against other programs and against its own linear solution.

- **Bifurcations** of a lone Jansen-Rit region: folds and the first Hopf point against AUTO-07p.
- **Alpha**: rate and size of the cycle that a lone region makes by itself, against LSODA on
  equations written out here.
- **Network**: three coupled regions with delays against The Virtual Brain 2.10. TVB holds the
  coupling during a step, so that it is of first order there; its runs at two steps are
  extrapolated to none.
- **Transfer**: the answer of the shipped network to a volley too small for the sigmoids to bend,
  against the solution for all regions at once at each frequency.
"""

from __future__ import annotations

import csv
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.neurons.brain.connectome import Connectome, load_connectome
from rheobase.neurons.brain.jansen_rit import SHARES, JansenRit
from rheobase.neurons.brain.simulation import BrainNetwork, BrainSimulation, simulate_brain
from rheobase.validation.case import Row

Floats = NDArray[np.float64]

#: Input p (pulses/s), six digits: AUTO-07p's printout in the tutorial named below.
AUTO = {"upper fold": 113.586, "lower fold": -41.3014, "first Hopf point": -12.1475}
AUTO_SOURCE = (
    "AUTO-07p (pclus/auto-tutorial, 2-Examples/Jansen-Rit), after Grimbert & Faugeras 2006"
)
DIGITS = 5e-6  # relative: half a unit of the printout's last digit
ALPHA = 220.0  # pulses/s
SMALL = 1e-6  # share of the cells in the volley of the linear case


def bifurcations() -> list[Row]:
    """Find where equilibria fold and where they lose their stability."""
    from scipy.optimize import brentq

    m = JansenRit()

    def linear(y0: float) -> Floats:
        return m.jacobian(float(m.input_of(y0)[1]))

    def growth(y0: float) -> float:
        return float(np.linalg.eigvals(linear(y0)).real.max())

    def turn(y0: float) -> float:
        return float(np.linalg.det(linear(y0)))  # 0 where equilibria fold

    found = {
        "upper fold": brentq(turn, 1.5e-5, 3e-5, xtol=1e-16),
        "lower fold": brentq(turn, 5e-5, 7.5e-5, xtol=1e-16),
        "first Hopf point": brentq(growth, 7e-5, 8.5e-5, xtol=1e-16),
    }
    inputs = {name: float(m.input_of(y0)[0]) for name, y0 in found.items()}
    return [
        Row(
            case="brain-bifurcations",
            quantity=f"input at the {name} of a Jansen-Rit region",
            value=p,
            reference=AUTO[name],
            error=abs(p / AUTO[name] - 1),
            limit=DIGITS,
            unit="1/s",
            source=AUTO_SOURCE,
        )
        for name, p in inputs.items()
    ]


def alpha() -> list[Row]:
    """Compare the cycle of a lone region with an adaptive solver's."""
    from scipy.integrate import solve_ivp

    A, B, a, b, C, v0, r, e0 = 3.25, 22.0, 100.0, 50.0, 135.0, 6.0, 0.56, 2.5

    def slopes(_: float, y: Floats) -> list[float]:
        def s(v: float) -> float:
            return 2 * e0 / (1 + float(np.exp(r * (v0 - v))))

        return [
            *y[3:],
            A * a * s(y[1] - y[2]) - 2 * a * y[3] - a**2 * y[0],
            A * a * (ALPHA + 0.8 * C * s(C * y[0])) - 2 * a * y[4] - a**2 * y[1],
            B * b * 0.25 * C * s(0.25 * C * y[0]) - 2 * b * y[5] - b**2 * y[2],
        ]

    kick = np.array([0.02, 2.0, 1.0, 0.0, 0.0, 0.0])
    times = np.arange(1, 60001) * 1e-4
    alone = Connectome(names=("a",), weights=np.zeros((1, 1)), lengths=np.zeros((1, 1)))
    network = BrainNetwork(connectome=alone, model=JansenRit(p=ALPHA))
    start = BrainSimulation(network).state[:, 0] + 1e-3 * kick
    ours = BrainSimulation(network, state=start[:, None]).run(6.0).potential[0] * 1e3
    solved = solve_ivp(
        slopes, (0, 6.0), start * 1e3, method="LSODA", t_eval=times, rtol=1e-10, atol=1e-10
    )
    theirs = solved.y[1] - solved.y[2]
    rows = []
    for quantity, of, unit in (("frequency", _frequency, "Hz"), ("height", np.ptp, "mV")):
        value, reference = (float(of(v[30000:])) for v in (ours, theirs))
        rows.append(
            Row(
                case="brain-alpha",
                quantity=f"{quantity} of the cycle of a Jansen-Rit region at {ALPHA:g} pulses/s, "
                "steps of 0.1 ms",
                value=value,
                reference=reference,
                error=abs(value / reference - 1),
                limit=1e-4,
                unit=unit,
                source="LSODA, tolerance 1e-10",
            )
        )
    return rows


def network() -> list[Row]:
    """Compare three coupled regions with The Virtual Brain."""
    text = files("rheobase.validation").joinpath("data/brain_tvb.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    coarse, fine = (
        np.array([[float(row[f"{name}_mV_{dt}"]) for name in "abc"] for row in rows])
        for dt in ("0.025", "0.0125")
    )
    theirs = 2 * fine - coarse
    weights = np.array([[0, 0.6, 0.2], [0.5, 0, 0.4], [0.3, 0.7, 0]])
    lengths = 1e-3 * np.array([[0, 12.0, 25.0], [12.0, 0, 33.0], [25.0, 33.0, 0]])
    three = BrainNetwork(
        connectome=Connectome(names=("a", "b", "c"), weights=weights, lengths=lengths),
        model=JansenRit(p=np.array([150.0, 120.0, 200.0])),
        coupling=20.0,
        speed=1.0,
    )
    state = np.zeros((6, 3))
    state[:3] = 1e-3 * np.array([[0.08, 0.1, 0.12], [17.0, 20.0, 22.0], [10.0, 12.0, 13.0]])
    run = BrainSimulation(three, state=state).run(0.6)
    at = np.rint(np.array([float(row["time_ms"]) for row in rows]) * 10).astype(np.int64) - 1
    ours = 1e3 * run.potential[:, at].T
    k = np.unravel_index(np.abs(ours - theirs).argmax(), ours.shape)
    return [
        Row(
            case="brain-network",
            quantity="potential of three coupled Jansen-Rit regions over 0.6 s, the worst of 360 "
            "values; error over their range",
            value=float(ours[k]),
            reference=float(theirs[k]),
            error=float(np.abs(ours - theirs).max() / np.ptp(theirs)),
            limit=5e-4,
            unit="mV",
            source="tvb-library 2.10.0, steps of 0.025 and 0.0125 ms extrapolated to 0",
        )
    ]


def transfer() -> list[Row]:
    """Compare the answer to a small volley with the solution at each frequency."""
    connectome = load_connectome().normalised()
    net = BrainNetwork(connectome=connectome)
    origin, n, seconds = connectome.index("LH_SalVentAttn_PFCl_1"), 2**13, 2.0
    from rheobase.neurons.network.drive import Drive

    size = np.zeros((3, len(connectome)))
    size[:, origin] = SMALL * np.array([1.0, 0.3, 0.5])
    names = ("pyramidal", "excitatory", "inhibitory")
    drive = Drive(probability=dict(zip(names, size, strict=True)), times=np.array([0.01]))
    run = simulate_brain(net, seconds / 2, drive=drive)
    ours = run.potential - net.rest()[:, None]
    f = np.fft.rfftfreq(n, seconds / n)
    exact = np.fft.irfft(answer(net, f, size, 0.01).T, n, axis=1) * n / seconds
    step = round(seconds / n / net.dt * 1e6) / 1e6  # of the exact grid, in ours
    at = np.arange(1, n // 2)
    mine = np.array([np.interp(at * step, np.arange(1, ours.shape[1] + 1), row) for row in ours])
    exact = exact[:, at]
    rows = []
    for name, k in (("stimulated", origin), ("next", int(_second(exact, origin)))):
        worst = int(np.abs(mine[k] - exact[k]).argmax())
        rows.append(
            Row(
                case="brain-transfer",
                quantity=f"answer of the {name} region to a small volley, 100 regions with delays; "
                "worst over 1 s, error over the largest answer",
                value=float(1e9 * mine[k, worst]),
                reference=float(1e9 * exact[k, worst]),
                error=float(np.abs(mine[k] - exact[k]).max() / np.abs(exact[k]).max()),
                limit=5e-4,
                unit="nV",
                source="linear solution of all regions at each of 4,097 frequencies",
            )
        )
    return rows


def answer(net: BrainNetwork, f: Floats, volley: Floats, onset: float) -> NDArray[np.complex128]:
    """Return the spectrum (V s) of y1 - y2 of all regions after a small volley, (f, n).

    Parameters
    ----------
    net
        Network, at rest.
    f
        Frequencies (Hz), shape (f,).
    volley
        Spikes per cell of each population, shape (3, n).
    onset
        Its time (s).
    """
    m, n = net.model, len(net.connectome)
    A, B, a, b, C, *_ = m.table(n)
    v = net.rest()
    slope, y0 = m.slope(v), A / a * m.rate(v)
    up = SHARES[1] * C * m.slope(SHARES[0] * C * y0) * SHARES[0] * C
    down = SHARES[3] * C * m.slope(SHARES[2] * C * y0) * SHARES[2] * C
    weights, tau = net.coupling * net.connectome.weights, net.jitter / np.sqrt(3)
    out = np.empty((len(f), n), dtype=np.complex128)
    for k, s in enumerate(2j * np.pi * f):
        he, hi = A * a / (s + a) ** 2, B * b / (s + b) ** 2
        forced = volley * np.exp(-s * onset) / (1 + s * tau) ** 3
        gain: Any = he[:, None] * weights * np.exp(-s * net.delays)
        gain[np.diag_indices(n)] += (he * up - hi * down) * he
        source = SHARES[1] * C * he * forced[1] - SHARES[3] * C * hi * forced[2]
        out[k] = np.linalg.solve(np.eye(n) - gain * slope, gain @ forced[0] + source)
    return out


def _frequency(v: Floats) -> float:
    """Return cycles a second from the upward crossings of the mean, 0.1 ms a sample (Hz)."""
    x = v - 0.5 * (v.max() + v.min())
    k = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))
    times = 1e-4 * (k - x[k] / (x[k + 1] - x[k]))
    return float((len(times) - 1) / (times[-1] - times[0]))


def _second(values: Floats, origin: int) -> np.intp:
    size = np.abs(values).max(axis=1)
    size[origin] = 0.0
    return size.argmax()
