"""Draw the pictures of docs/columns.md: python docs/images/columns.py (about a minute of CPU)."""

from pathlib import Path

import numpy as np

from rheobase.column_views import column_raster, column_wave_view
from rheobase.neurons.columns.circuit import SPECIES
from rheobase.neurons.columns.network import columns
from rheobase.neurons.columns.wave import column_wave
from rheobase.neurons.network.drive import Drive
from rheobase.neurons.network.simulation import simulate

HERE = Path(__file__).parent
PULSES = 0.3 + 0.1 * np.arange(40)  # s
SHARE = 0.3  # of the middle column's pyramidal cells

if __name__ == "__main__":
    rest, waves = {}, {}
    for species in SPECIES:
        built = columns(species, neurons_per_column=2000, seed=1)
        rest[species] = (built, simulate(built.network, 1.3, seed=1))
        pyramidal = (n for n in built.circuit.names if n.endswith("PYR"))
        fired = {f"C0_{name}": SHARE for name in pyramidal}
        drive = Drive(probability=fired, times=PULSES, latency=0.9e-3)
        run = simulate(built.network, float(PULSES[-1]) + 0.1, seed=2, drive=drive)
        waves[species] = column_wave(built, run, PULSES)
    column_raster(rest, start=0.8, stop=1.2).savefig(HERE / "columns.png")
    column_wave_view(waves).savefig(HERE / "columns_wave.png")
