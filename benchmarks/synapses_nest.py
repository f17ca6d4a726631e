"""Conductances and short-term plasticity in NEST: potentials of the validation data.

Needs NEST (``pip install nest-simulator``) in an environment of its own.
``python benchmarks/synapses_nest.py validation/data/synapses_nest.toml``
"""

from __future__ import annotations

import sys
from pathlib import Path

import nest
import numpy as np

STEP, DURATION = 0.1, 600.0  # ms
CELL = {
    "E_L": -65.0, "V_th": -50.0, "V_reset": -60.0, "C_m": 200.0, "t_ref": 2.0,
    "tau_syn_ex": 2.0, "tau_syn_in": 6.0,
}  # fmt: skip
TAU_M, E_E, E_I = 12.0, 0.0, -75.0
DELAY, START = 1.5, 100.0  # ms from spike to arrival; before START no input
EXCITES, INHIBITS = 8.0, -4.0  # nS
WEIGHT = 300.0  # pA, of the plastic synapses
PLASTIC = {"depressing": (0.5, 120.0, 0.0), "facilitating": (0.1, 30.0, 200.0)}  # U, ms, ms


def trains() -> dict[str, list[float]]:
    """Return spike times (ms) on the grid: irregular, distinct within a train."""
    stream = np.random.Generator(np.random.Philox(9))
    steps = {}
    for name, n in (("excites", 160), ("inhibits", 60), ("plastic", 40)):
        drawn = stream.choice(np.arange(START / STEP, DURATION / STEP - 20), n, replace=False)
        steps[name] = [round(float(k) * STEP, 1) for k in np.sort(drawn)]
    steps["regular"] = [20.0 * k for k in range(1, 26)]
    return steps


def main() -> None:
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.resolution = STEP
    times = trains()
    source = {
        k: nest.Create("spike_generator", params={"spike_times": [t - DELAY for t in v]})
        for k, v in times.items()
    }
    meter = {"interval": 1.0, "record_from": ["V_m"]}

    cell = nest.Create("iaf_cond_exp", params=CELL | {
        "g_L": CELL["C_m"] / TAU_M, "E_ex": E_E, "E_in": E_I, "V_m": CELL["E_L"],
    })  # fmt: skip
    for name, weight in (("excites", EXCITES), ("inhibits", INHIBITS)):
        nest.Connect(source[name], cell, syn_spec={"weight": weight, "delay": 2 * DELAY})
    recorder, meters = nest.Create("spike_recorder"), {}
    nest.Connect(cell, recorder)
    meters["conductance"] = nest.Create("voltmeter", params=meter)
    nest.Connect(meters["conductance"], cell)

    for kind, (U, rec, facil) in PLASTIC.items():
        for train in ("plastic", "regular"):
            relay = nest.Create("parrot_neuron")
            nest.Connect(source[train], relay, syn_spec={"delay": DELAY})
            target = nest.Create("iaf_psc_exp", params=CELL | {
                "tau_m": TAU_M, "V_m": CELL["E_L"], "V_th": 1e3,
            })  # fmt: skip
            nest.Connect(relay, target, syn_spec={
                "synapse_model": "tsodyks2_synapse", "weight": WEIGHT, "delay": DELAY,
                "U": U, "u": U, "x": 1.0, "tau_rec": rec, "tau_fac": facil,
            })  # fmt: skip
            meters[f"{kind}_{train}"] = nest.Create("voltmeter", params=meter)
            nest.Connect(meters[f"{kind}_{train}"], target)
    nest.Simulate(DURATION)

    numbers = CELL | {
        "tau_m": TAU_M, "E_E": E_E, "E_I": E_I, "step": STEP, "duration": DURATION, "delay": DELAY,
        "excites": EXCITES, "inhibits": INHIBITS, "weight": WEIGHT,
    }  # fmt: skip
    fired = [round(float(t), 1) for t in recorder.events["times"]]
    lines = [
        "# Made by benchmarks/synapses_nest.py. Potentials every ms from 1 ms on.",
        f'simulator = "NEST {nest.__version__}"',
        "\n[setting] # ms, mV, pF, nS, pA",
        *(f"{name} = {value}" for name, value in numbers.items()),
        "\n[plasticity] # U, tau_rec, tau_facil (ms)",
        *(f"{kind} = {list(values)}" for kind, values in PLASTIC.items()),
        "\n[times] # ms, of the sources",
        *(f"{name} = {values}" for name, values in times.items()),
        f"\n[spikes] # ms\nconductance = {fired}",
        "\n[potential] # mV",
        *(
            f"{name} = {[round(float(v), 6) for v in device.events['V_m']]}"
            for name, device in meters.items()
        ),
    ]
    Path(sys.argv[1]).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
