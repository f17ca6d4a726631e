"""From pulse to spike of the soma: neurons/data/columns_latency.csv, by full simulations.

``python benchmarks/columns_latency.py`` stimulates generated cells of every type in uniform fields
of three random directions, both polarities, at 1.2 times their own threshold (200 us), and looks
when the soma crosses 0 mV. Some minutes of CPU.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from rheobase.neurons import UniformField, generate_cell
from rheobase.neurons.columns.circuit import SPECIES, circuit
from rheobase.neurons.generate import type_of
from rheobase.neurons.sample import rises_along
from rheobase.neurons.spiking import simulate_cell, spiking_thresholds

TABLE = Path(__file__).parents[1] / "neurons/data/columns_latency.csv"
PULSE, OVER, DURATION, SEEDS = 200e-6, 1.2, 8e-3, (1, 2)


def latencies(name: str, species: str) -> tuple[list[float], int]:
    """Return the latencies (s) of the spikes that reach the soma, and how many were tried."""
    found, tried = [], 0
    for seed in SEEDS:
        cell = generate_cell(name, species, seed=seed)
        fields = np.random.default_rng(seed).standard_normal((3, 3))
        fields /= np.linalg.norm(fields, axis=1, keepdims=True)
        rises = np.array([rises_along(cell.morphology, UniformField(E=e)) for e in fields])
        threshold, _ = spiking_thresholds(cell, rises, PULSE, tolerance=0.05)
        for k, rise in enumerate(rises):
            for p, sign in enumerate((1.0, -1.0)):
                tried += 1
                t, v = simulate_cell(
                    cell, sign * rise, PULSE, OVER * threshold[p, k], DURATION, record=[0]
                )
                over = np.flatnonzero((v[1:, 0] >= 0) & (v[:-1, 0] < 0))
                if len(over):
                    found.append(float(t[over[0] + 1]))
    return found, tried


if __name__ == "__main__":
    rows = []
    for species in sys.argv[1:] or SPECIES:
        tissue = circuit(species)
        pairs = zip(tissue.layer, tissue.cell_class, strict=True)
        done = dict.fromkeys(("L23" if a in ("L2", "L3") else a, b) for a, b in pairs)
        for layer, kind in done:
            name = type_of(kind, "L2/3" if layer == "L23" else layer)
            found, tried = latencies(name, species)
            rows.append(
                {
                    "species": species,
                    "layer": layer,
                    "class": kind,
                    "latency_ms": f"{np.median(found) * 1e3:.2f}" if found else "",
                    "least_ms": f"{min(found) * 1e3:.2f}" if found else "",
                    "most_ms": f"{max(found) * 1e3:.2f}" if found else "",
                    "reached": len(found),
                    "tried": tried,
                }
            )
            print(rows[-1], flush=True)
    with TABLE.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
