"""The 10 % microcircuit in NEST: rates of the validation data, CPU time of the comparison.

Needs NEST (``pip install nest-simulator``) in an environment of its own; reads only the parameter
file. ``python benchmarks/microcircuit_nest.py SEED SECONDS`` prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
import tomllib
from pathlib import Path

import nest
import numpy as np

DATA = Path(__file__).parents[1] / "neurons/data/microcircuit_pd14.toml"


def main(seed: int, seconds: float, scale: float = 0.1, discard: float = 0.5) -> None:
    p = tomllib.loads(DATA.read_text(encoding="utf-8"))
    names, syn, cell, ext = p["populations"], p["synapses"], p["neuron"], p["external"]
    N, C = np.array(p["sizes"]["N"], dtype=float), np.array(p["connectivity"]["C"])
    K = np.log(1 - C) / np.log(1 - 1 / np.outer(N, N))  # synapses of a projection, full scale
    a, b = cell["tau_m_ms"], syn["tau_syn_ms"]
    q = (a / b) ** (1 / (b - a))
    w = syn["psp_mV"] / (a * b / (cell["C_m_pF"] * (b - a)) * (q**a - q**b))  # pA
    W = np.tile(np.where([n.endswith("E") for n in names], w, syn["g_inhibitory"] * w), (8, 1))
    W[0, 2] *= syn["L4E_to_L23E_factor"]
    recurrent = (W * K / N[:, None]) @ np.array(p["reference_rates"]["rate_Hz"])  # pA/s
    external = w * np.array(ext["K_ext"]) * ext["rate_Hz"]
    dc = (1 - np.sqrt(scale)) * (recurrent + external) * syn["tau_syn_ms"] * 1e-3  # pA

    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.resolution, nest.rng_seed, nest.total_num_virtual_procs = 0.1, seed, 1
    pops, recorders = [], []
    for i, _ in enumerate(names):
        pop = nest.Create("iaf_psc_exp", round(N[i] * scale), {
            "E_L": cell["E_L_mV"], "V_th": cell["V_th_mV"], "V_reset": cell["V_reset_mV"],
            "C_m": cell["C_m_pF"], "tau_m": a, "t_ref": cell["t_ref_ms"],
            "tau_syn_ex": b, "tau_syn_in": b, "I_e": dc[i],
        })  # fmt: skip
        pop.V_m = nest.random.normal(cell["V0_mean_mV"][i], cell["V0_sd_mV"][i])
        poisson = nest.Create(
            "poisson_generator", params={"rate": round(ext["K_ext"][i] * scale) * ext["rate_Hz"]}
        )
        nest.Connect(poisson, pop, syn_spec={"weight": w / np.sqrt(scale), "delay": 1.5})
        recorders.append(nest.Create("spike_recorder"))
        nest.Connect(pop, recorders[-1])
        pops.append(pop)
    for j, pre in enumerate(pops):
        kind = "E" if names[j].endswith("E") else "I"
        mean_delay, sd_delay = syn[f"delay_{kind}_mean_ms"], syn[f"delay_{kind}_sd_ms"]
        for i, post in enumerate(pops):
            count = round(K[i, j] * scale * scale)
            if not count:
                continue
            m = W[i, j] / np.sqrt(scale)
            low, high = (0.0, np.inf) if m > 0 else (-np.inf, 0.0)
            nest.Connect(
                pre, post,
                {"rule": "fixed_total_number", "N": count,
                 "allow_autapses": True, "allow_multapses": True},
                {"weight": nest.math.redraw(
                    nest.random.normal(m, abs(m) * syn["weight_rel_sd"]), min=low, max=high),
                 "delay": nest.math.redraw(
                    nest.random.normal(mean_delay, sd_delay), min=0.05, max=np.inf)},
            )  # fmt: skip
    start = time.process_time()
    nest.Simulate((discard + seconds) * 1e3)
    cpu = time.process_time() - start
    counts = [int((np.asarray(r.events["times"]) > discard * 1e3).sum()) for r in recorders]
    print(json.dumps({
        "simulator": f"NEST {nest.__version__}", "seed": seed, "seconds": seconds,
        "discarded_s": discard, "scale": scale, "spikes": counts,
        "rate_Hz": [round(n / len(q) / seconds, 4) for n, q in zip(counts, pops, strict=True)],
        "cpu_s_per_s": round(cpu / (discard + seconds), 2),
    }))  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
