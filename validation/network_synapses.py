"""Conductances and short-term plasticity of the spiking engine.

Peer: one cell with conductances (``iaf_cond_exp``) and cells behind plastic synapses
(``tsodyks2_synapse``) in NEST, played the same trains, equal intervals and irregular. NEST
integrates the conductances to 1e-3 mV a step of its own, so that potentials may differ by that;
spikes must fall on the same steps. Plastic currents are exact in both, down to the six decimals
(mV) kept of NEST's.

Truth: the potential of a cell under conductances by an adaptive method of eighth order. Halving
the step three times gives the order of the engine's.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.neurons.network.model import LIF, LIFPopulation, Network, SpikeSource, Synapses
from rheobase.neurons.network.plasticity import ShortTerm
from rheobase.neurons.network.simulation import Spikes, simulate
from rheobase.validation.case import Row

CASE = "network-synapses"
NEST_TOLERANCE = 1e-6  # V, of its integration of conductances
KEPT = 1e-9  # V, half the last decimal of the file and float32 weights
STEPS = (8e-4, 4e-4, 2e-4, 1e-4)  # s


def network_synapses() -> list[Row]:
    """Compare with NEST and fit the order of the step."""
    return [*_peer_rows(), _order_row()]


def peer_setting() -> dict[str, Any]:
    """Return NEST's run and its setting, in the units the file names."""
    text = files("rheobase.validation").joinpath("data/synapses_nest.toml")
    return tomllib.loads(text.read_text(encoding="utf-8"))


def peer_run(peer: dict[str, Any]) -> tuple[Network, Spikes]:
    """Run NEST's setting: the cell with conductances, then one cell a plastic synapse."""
    s, kinds = peer["setting"], peer["plasticity"]
    current = LIF(
        C=s["C_m"] * 1e-12,
        tau_m=s["tau_m"] * 1e-3,
        E_L=s["E_L"] * 1e-3,
        V_th=1.0,  # no spikes where plasticity is looked at
        V_reset=s["V_reset"] * 1e-3,
        t_ref=s["t_ref"] * 1e-3,
        tau_E=s["tau_syn_ex"] * 1e-3,
        tau_I=s["tau_syn_in"] * 1e-3,
    )
    names = list(peer["potential"])
    cells = tuple(
        LIFPopulation(
            name=name,
            layer="",
            excitatory=True,
            size=1,
            neuron=_conducting(peer, s["V_th"] * 1e-3) if name == "conductance" else current,
            V0_mean=current.E_L,
        )
        for name in names
    )
    sources = tuple(
        SpikeSource(name=name, layer="", excitatory=name != "inhibits", size=1)
        for name in peer["times"]
    )
    at = {name: k for k, name in enumerate((*names, *peer["times"]))}
    rows = [
        (at["excites"], at["conductance"], s["excites"] * 1e-9),
        (at["inhibits"], at["conductance"], s["inhibits"] * 1e-9),
    ]
    plasticity = {}
    for kind, (U, rec, facil) in kinds.items():
        for train in ("plastic", "regular"):
            rows.append((at[train], at[f"{kind}_{train}"], s["weight"] * 1e-12))
            plasticity[train, f"{kind}_{train}"] = ShortTerm(
                U=U, tau_rec=rec * 1e-3, tau_facil=facil * 1e-3
            )
    source, target, weight = (np.array(x) for x in zip(*rows, strict=True))
    dt = s["step"] * 1e-3
    network = Network(
        populations=cells,
        sources=sources,
        synapses=Synapses.from_pairs(len(at), source, target, weight, s["delay"] * 1e-3, dt=dt),
        dt=dt,
        plasticity=plasticity,
    )
    run = simulate(
        network,
        s["duration"] * 1e-3,
        seed=0,
        trains={n: (np.array(t) * 1e-3, np.zeros(len(t), int)) for n, t in peer["times"].items()},
        record_potentials=range(len(cells)),
    )
    return network, run


def _conducting(peer: dict[str, Any], threshold: float) -> LIF:
    s = peer["setting"]
    return LIF(
        C=s["C_m"] * 1e-12,
        tau_m=s["tau_m"] * 1e-3,
        E_L=s["E_L"] * 1e-3,
        V_th=threshold,
        V_reset=s["V_reset"] * 1e-3,
        t_ref=s["t_ref"] * 1e-3,
        tau_E=s["tau_syn_ex"] * 1e-3,
        tau_I=s["tau_syn_in"] * 1e-3,
        E_E=s["E_E"] * 1e-3,
        E_I=s["E_I"] * 1e-3,
    )


def _peer_rows() -> list[Row]:
    peer = peer_setting()
    network, run = peer_run(peer)
    every = round(1e-3 / network.dt)
    ours = run.potentials[every - 1 :: every]
    theirs = np.array([peer["potential"][n] for n in network.names]).T * 1e-3
    error = np.abs(ours[: len(theirs)] - theirs)
    times, reference = run.times, np.array(peer["spikes"]["conductance"]) * 1e-3
    late = np.inf
    if times.shape == reference.shape:
        late = float(np.abs(times - reference).max())
    rows = [
        Row(
            case=CASE,
            quantity="spikes under conductances, irregular trains; error: largest difference of "
            "their times in steps",
            value=float(times.size),
            reference=float(reference.size),
            error=late / network.dt,
            limit=1e-6,
            unit="1",
            source=f"{peer['simulator']}, iaf_cond_exp",
        )
    ]
    for k, name in enumerate(network.names):
        worst = int(error[:, k].argmax())
        conducts = name == "conductance"
        rows.append(
            Row(
                case=CASE,
                quantity=f"potential of the cell {name!r} where it differs most; error in V",
                value=float(ours[worst, k]),
                reference=float(theirs[worst, k]),
                error=float(error[worst, k]),
                limit=NEST_TOLERANCE if conducts else KEPT,
                unit="V",
                source=f"{peer['simulator']}, "
                + ("iaf_cond_exp" if conducts else "tsodyks2_synapse, iaf_psc_exp"),
            )
        )
    return rows


def conductance_errors() -> NDArray[np.float64]:
    """Return the largest error (V) of the potential under conductances for each of ``STEPS``."""
    cell = _conducting(peer_setting(), 1.0)
    unit = 2.0**-30  # S: held in float32 without rounding
    arrivals = [(8e-3, 30 * unit, 0), (12e-3, 40 * unit, 1), (16e-3, 25 * unit, 0)]
    grid: NDArray[np.float64] = np.arange(1.0, 51.0) * STEPS[0]
    exact = _exact_potential(cell, arrivals, grid)
    errors = []
    for dt in STEPS:
        net = Network(
            populations=(
                LIFPopulation(
                    name="E", layer="", excitatory=True, size=1, neuron=cell, V0_mean=cell.E_L
                ),
            ),
            sources=(SpikeSource(name="in", layer="", excitatory=True, size=2),),
            synapses=Synapses.from_pairs(3, [1, 2], 0, [unit, -unit], STEPS[0], dt=dt),
            dt=dt,
        )
        times = [t - STEPS[0] for t, g, _ in arrivals for _ in range(round(g / unit))]
        who = [k for _, g, k in arrivals for _ in range(round(g / unit))]
        run = simulate(net, grid[-1], seed=0, trains={"in": (times, who)}, record_potentials=[0])
        every = round(STEPS[0] / dt)
        errors.append(np.abs(run.potentials[every - 1 :: every, 0] - exact).max())
    return np.array(errors)


def _exact_potential(
    cell: LIF, arrivals: list[tuple[float, float, int]], grid: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the potential (V) at ``grid`` (s), integrated from arrival to arrival."""
    from scipy.integrate import solve_ivp

    assert cell.E_E is not None
    assert cell.E_I is not None
    E, tau = (cell.E_E, cell.E_I), (cell.tau_E, cell.tau_I)
    out, v, begin, g = np.full(len(grid), cell.E_L), cell.E_L, 0.0, [0.0, 0.0]
    for end, weight, channel in [*arrivals, (float(grid[-1]), 0.0, 0)]:

        def slope(t: float, y: NDArray[np.float64], g: tuple[float, ...], since: float) -> Any:
            total = -(y - cell.E_L) / cell.tau_m
            for k in (0, 1):
                total += g[k] * np.exp(-(t - since) / tau[k]) * (E[k] - y) / cell.C
            return total

        here = (grid > begin) & (grid <= end + 1e-12)
        at = np.unique(np.minimum(np.append(grid[here], end), end))
        solution = solve_ivp(
            slope, (begin, end), [v], "DOP853", at, args=(tuple(g), begin), rtol=1e-12, atol=1e-14
        )
        out[here] = solution.y[0, : here.sum()]
        v = float(solution.y[0, -1])
        g = [g[k] * float(np.exp(-(end - begin) / tau[k])) for k in (0, 1)]
        g[channel] += weight
        begin = end
    return out


def _order_row() -> Row:
    errors = conductance_errors()
    order = float(np.polyfit(np.log(STEPS), np.log(errors), 1)[0])
    return Row(
        case=CASE,
        quantity="order of the step under conductances, fitted from 0.8 to 0.1 ms",
        value=order,
        reference=4.0,
        error=abs(order - 4) / 4,
        limit=0.05,
        unit="1",
        source="the equations, DOP853 at 1e-12",
    )
