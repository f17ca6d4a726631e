"""External input that holds the columns at rest: neurons/data/columns_working_point.csv.

``python benchmarks/columns_working_point.py [SPECIES ...]`` starts from the mean field and corrects
it by simulation: where a population fires at r in place of r0, the mean field is next asked for
r0 (r0/r)^0.7. Prints the last rates, and whether the mean field is stable. About 100 CPU-s a
species.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from rheobase.neurons.columns import network as built
from rheobase.neurons.columns.circuit import SPECIES, circuit, column_facts, read_table
from rheobase.neurons.columns.geometry import hexagon_centres
from rheobase.neurons.columns.mean_field import MeanField
from rheobase.neurons.network.readout import rates
from rheobase.neurons.network.simulation import simulate

TABLE = Path(__file__).parents[1] / "neurons/data/columns_working_point.csv"
PLACES = {"centre": 0, "ring": 1}
ROUNDS, SECONDS, DISCARD, NEURONS = 4, 4.0, 0.5, 2000


def main(species: str) -> dict[str, np.ndarray]:
    tissue = circuit(species)
    spacing = column_facts()["geometry"]["spacing_um"] * 1e-6
    degrees = built.in_degrees(tissue, hexagon_centres(spacing), spacing / np.sqrt(3))
    fields = {p: MeanField(tissue, degrees[:, b].sum(axis=0)) for p, b in PLACES.items()}
    aims = {p: tissue.rates.copy() for p in PLACES}
    external = {p: f.external_rates(aims[p]) for p, f in fields.items()}
    print(species, "largest real part", fields["centre"].stability(external["centre"]))
    kicked = np.where(np.array(tissue.cell_class) == "PYR", 60.0, tissue.rates)
    back = fields["centre"].relaxed(external["centre"], kicked)
    print(species, "from 60 Hz back to within", abs(back - tissue.rates).max(), "Hz", flush=True)
    for k in range(ROUNDS):
        built.working_point = lambda _: {
            p: dict(zip(tissue.names, map(float, x), strict=True)) for p, x in external.items()
        }
        columns = built.columns(species, neurons_per_column=NEURONS, seed=100 + k)
        run = simulate(columns.network, SECONDS, seed=100 + k)
        found = rates(run, start=DISCARD)
        for place, columns_of in (("centre", range(7)), ("ring", range(1, 7))):
            r = np.array([np.mean([found[f"C{c}_{n}"] for c in columns_of]) for n in tissue.names])
            aims[place] *= (tissue.rates / np.maximum(r, tissue.rates / 10)) ** 0.7
            external[place] = fields[place].external_rates(aims[place])
        print(species, "round", k, "ratio", (r / tissue.rates).round(2), flush=True)
    return external


if __name__ == "__main__":
    chosen = sys.argv[1:] or SPECIES
    rows = [r for r in read_table("columns_working_point") if r["species"] not in chosen]
    for name in chosen:
        names = circuit(name).names
        rows += [
            {"species": name, "place": p, "population": n, "external_rate_Hz": f"{x:.1f}"}
            for p, values in main(name).items()
            for n, x in zip(names, values, strict=True)
        ]
    with TABLE.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
