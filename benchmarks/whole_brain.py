"""What the spread of a prefrontal pulse depends on; phase locking under 10 Hz on two regions.

    python benchmarks/whole_brain.py [locking]

Shares of cells that fire are those that examples/tms_whole_brain.py found on the coarse default
head (its first types; pyramidal and inhibitory).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from rheobase.neurons.brain.connectome import Connectome, load_connectome
from rheobase.neurons.brain.jansen_rit import JansenRit, damped
from rheobase.neurons.brain.regions import region_drive
from rheobase.neurons.brain.simulation import BrainNetwork, BrainSimulation, simulate_brain
from rheobase.neurons.brain.spread import response, spread
from rheobase.neurons.measures.connectivity import compare_connectivity, functional_connectivity
from rheobase.neurons.network.drive import Polarisation

Shares = Mapping[str, tuple[float, float]]

FIRED: dict[int, Shares] = {  # A/us: region: pyramidal, inhibitory
    135: {"LH_SalVentAttn_PFCl_1": (0.0264, 0.0), "LH_Cont_PFCl_1": (0.0247, 0.0)},
    150: {"LH_SalVentAttn_PFCl_1": (0.0361, 0.0158), "LH_Cont_PFCl_1": (0.0609, 0.0283)},
    180: {
        "LH_SalVentAttn_PFCl_1": (0.1176, 0.0536),
        "LH_Cont_PFCl_1": (0.1281, 0.1402),
        "LH_Default_PFC_2": (0.0107, 0.0183),
        "LH_Default_PFC_4": (0.0, 0.0098),
        "LH_Default_PFC_5": (0.0032, 0.0012),
    },
}
DT, SECONDS = 2e-4, 0.4  # s
PAIR, SHIFT, SIGMA = ("LH_Cont_PFCl_1", "LH_Cont_Par_1"), 0.3e-3, 3.0
RUNS, LONG, COARSE, EVERY = 7, 8.0, 4e-4, 10


def row(label: str, brain: Connectome, fired: Shares, **network: Any) -> None:
    """Print how far and how fast one pulse spreads."""
    p = {name: np.zeros(len(brain)) for name in ("pyramidal", "inhibitory")}
    for region, shares in fired.items():
        for values, share in zip(p.values(), shares, strict=True):
            values[brain.index(region)] = share
    net = BrainNetwork(connectome=brain, dt=DT, **network)
    drive = region_drive(p, times=[0.0], latency=1e-3)
    rest, run = (simulate_brain(net, SECONDS, drive=d) for d in (None, drive))
    found = spread(response(run, rest), brain, brain.names[int(p["pyramidal"].argmax())])
    speed, size = found.speed(), 1e3 * np.abs(found.peak)
    right = np.array([name.startswith("RH_") for name in brain.names])
    still = (p["pyramidal"] + p["inhibitory"]) == 0
    spot = 1e3 * found.peak[brain.index(found.origin)]
    half = 1e3 * np.nanmedian(found.onset)
    print(
        f"{label:28s} {np.isfinite(found.onset).sum():4d} {half:6.0f} ms "
        f"{speed.speed:5.1f} m/s ({speed.low:.1f} to {speed.high:.1f}) {spot:7.1f} "
        f"{size[still].max():6.2f} {size[right].max():6.2f} mV",
        flush=True,
    )


def spreads() -> None:
    """Print the table of docs/whole_brain.md."""
    raw = load_connectome()
    brain, pulse = raw.normalised(), FIRED[150]
    alone = {region: (shares[0], 0.0) for region, shares in pulse.items()}
    print("regions reached, half of them by, front; at the spot, farther, other hemisphere")
    row("150 A/us", brain, pulse)
    row("135 A/us", brain, FIRED[135])
    row("180 A/us", brain, FIRED[180])
    row("pyramidal cells alone", brain, alone)
    for K in (20.0, 30.0, 50.0):
        row(f"coupling {K:g}", brain, pulse, coupling=K)
    for speed in (2.0, 6.0, 10.0):
        row(f"conduction {speed:g} m/s", brain, pulse, speed=speed)
    row("jitter 2 ms", brain, pulse, jitter=2e-3)
    row("log(1 + streamlines)", raw.normalised("log").normalised(), pulse)
    row("C = 135, p = 220, K = 80", brain, pulse, model=JansenRit(), coupling=80.0)
    row("C = 100", brain, pulse, model=replace(damped(), C=100.0))


def locking() -> None:
    """Print what 10 Hz on two regions does to their phase locking (50 CPU-s)."""
    brain = load_connectome().normalised()
    a, b = (brain.index(name) for name in PAIR)
    net = BrainNetwork(connectome=brain, model=replace(damped(), sigma=SIGMA), dt=COARSE)
    shift = np.zeros(len(brain))
    shift[[a, b]] = SHIFT
    time = COARSE * (np.arange(round(LONG / COARSE)) + 0.5)
    field = Polarisation(shift={"pyramidal": shift}, waveform=np.sin(2 * np.pi * 10 * time))
    found: tuple[list[Any], list[Any]] = ([], [])
    for seed in range(RUNS):
        simulation = BrainSimulation(net, seed=seed, every=EVERY)
        simulation.run(1.0)
        for each, polarisation in zip(found, (None, field), strict=True):
            run = simulation.run(LONG, polarisation=polarisation)
            dt = COARSE * EVERY
            each.append(functional_connectivity(run.potential, dt, measure="plv", band=(8.0, 12.0)))
    before, during = (np.array(x) for x in found)
    pair = np.ix_(range(RUNS), (a, b), (a, b))
    of_all = compare_connectivity(before, during).p_value[a, b]
    of_one = compare_connectivity(before[pair], during[pair]).p_value[0, 1]
    print(f"phase locking {before[:, a, b].mean():.2f} -> {during[:, a, b].mean():.2f}")
    print(f"p = {of_one:.3f} for this pair alone, {of_all:.2f} among all")


if __name__ == "__main__":
    locking() if "locking" in sys.argv[1:] else spreads()
