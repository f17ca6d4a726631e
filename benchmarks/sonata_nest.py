"""The network of the SONATA case in NEST: its spikes are kept as validation data.

1. ``python benchmarks/sonata_nest.py export FOLDER`` writes the network for NEST.
2. ``python FOLDER/run_nest.py`` in an environment with NEST (``pip install nest-simulator h5py``).
3. ``python benchmarks/sonata_nest.py keep FOLDER`` compares and writes
   ``validation/data/sonata_nest.csv`` (step and neuron of each spike).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from rheobase.neurons.interchange import export_network, read_sonata, read_spikes
from rheobase.neurons.network.simulation import simulate
from rheobase.validation.sonata import DT, SECONDS, SEED, network, trains

DATA = Path(__file__).parents[1] / "validation/data/sonata_nest.csv"


def main(verb: str, folder: str) -> None:
    if verb == "export":
        net = network(noise=False)
        export_network(folder, net, "nest", duration=SECONDS, seed=SEED, trains=trains())
        return
    model = read_sonata(folder)
    nest = read_spikes(Path(folder) / "output/spikes.h5", model)
    ours = simulate(model.network, SECONDS, seed=SEED, trains=model.trains)
    steps = np.rint(nest.times / DT).astype(int)
    pairs = set(zip(steps.tolist(), nest.ids.tolist(), strict=True))
    mine = np.rint(ours.times / DT).astype(int)
    shared = pairs & set(zip(mine.tolist(), ours.ids.tolist(), strict=True))
    print(f"NEST {len(pairs)} spikes, ours {len(mine)}, shared {len(shared)}")
    table = np.stack([steps, nest.ids], axis=1)
    np.savetxt(DATA, table, fmt="%d", delimiter=",", header="step,neuron", comments="")


if __name__ == "__main__":
    main(*sys.argv[1:])
