"""Polarisation lengths of all cell types: python benchmarks/subthreshold.py [FOLDER].

Prints the tables of docs/subthreshold.md, with FOLDER (rat cells of ModelDB 241165) those of the
reconstructions beside, and the speed of the solver.
"""

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from cells_published import reconstructions

from rheobase.neurons import UniformField, cell_types, generate_cell
from rheobase.neurons._cable_numba import LANES
from rheobase.neurons.sample import rises_along
from rheobase.neurons.spiking import resting_state, simulate_cell
from rheobase.neurons.subthreshold import SITES, at_sites, ends, polarisation_length, responses

SPECIES = ("rat", "mouse", "human")
SEEDS = range(1, 6)
FREQUENCIES = (0.0, 10.0, 50.0, 140.0, 1000.0)


def spread(values):
    """Return mean and SD of values in m as text in mm."""
    return f"{1e3 * np.mean(values):.2f} ± {1e3 * np.std(values):.2f}"


def row(name, got):
    """Print soma, largest and mean of every site for a field along the axis."""
    a = got.amplitude.sel(angle=0).isel(azimuth=0, frequency=0)
    cells = [spread(a.sel(site="soma", statistic="mean").values)]
    cells.append(spread(a.sel(site="initial_segment", statistic="mean").values))
    for site in SITES[2:]:
        one = a.sel(site=site)
        if one.isnull().all():
            cells.append("–")
            continue
        largest = np.abs(one.sel(statistic="largest").values)
        cells.append(f"{spread(largest)} ({1e3 * one.sel(statistic='mean').mean().item():+.2f})")
    print(f"| {name} | {' | '.join(cells)} |")


def over(name, got, dim, labels):
    """Print the rms over cells and azimuths at the largest sites, along one dimension."""
    a = got.amplitude
    rms = np.sqrt((a.sel(statistic="largest") ** 2).mean(["placement", "azimuth"]))
    for site in SITES:
        one = rms.sel(site=site).squeeze()
        if not one.isnull().all():
            text = " | ".join(f"{1e3 * x:.3f}" for x in one.transpose(dim).values)
            print(f"| {name} | {site} | {text} |")


def main(folder):
    """Print everything."""
    grown = {
        (kind, s): [generate_cell(kind, s, seed=i) for i in SEEDS]
        for kind in cell_types()
        for s in SPECIES
    }
    print("steady, field into the cortex: mm, mean ± SD over cells; largest (mean over tips)")
    for (kind, species), cells in grown.items():
        row(f"{kind}, {species}", polarisation_length(cells, azimuths=1))
    if folder is not None:
        for species in ("rat", "human"):
            found = {}
            for kind, cell in reconstructions(folder, species):
                found.setdefault(kind, []).append(cell)
            for kind, cells in found.items():
                row(f"{kind}, {species} sizes", polarisation_length(cells, azimuths=1))
    print("frequency (Hz):", FREQUENCIES)
    for kind in ("L5_pyramidal", "L23_pyramidal", "L4_basket"):
        cells = grown[kind, "rat"]
        got = polarisation_length(cells, azimuths=1, frequency=FREQUENCIES)
        over(f"{kind}, rat", got, "frequency", FREQUENCIES)
        still = polarisation_length(cells, azimuths=1, frequency=FREQUENCIES, gates="frozen")
        over(f"{kind}, rat, frozen", still, "frequency", FREQUENCIES)
    degrees = (0, 30, 60, 90)
    print("angle to the axis (degrees):", degrees)
    for kind in ("L5_pyramidal", "L23_pyramidal", "L4_basket"):
        got = polarisation_length(grown[kind, "rat"], angle=np.radians(degrees))
        over(f"{kind}, rat", got, "angle", degrees)
    beat(grown["L5_pyramidal", "rat"][0])
    speed(grown["L5_pyramidal", "human"][0])


def beat(cell):
    """Print what two carriers of 1 and 1.02 kHz leave at 20 Hz in the full simulation."""
    carriers, slow, duration, dt = (1000.0, 1020.0), 20.0, 0.15, 25e-6
    rise = rises_along(cell.morphology, UniformField(E=[0.0, 0.0, -1.0]))
    site, _ = ends(cell.morphology)
    seen = np.concatenate([[0], np.flatnonzero(site >= SITES.index("basal"))])
    rest = resting_state(cell)[seen]
    t = np.arange(0, duration + dt, dt / 2)
    wave = SimpleNamespace(t=t, w=sum(np.sin(2 * np.pi * f * t) for f in carriers))
    steady = np.abs(responses(cell, slow)[0].deviation(rise)[seen])
    for amplitude in (1.0, 3.0, 10.0, 30.0):
        at, v = simulate_cell(cell, rise, wave, amplitude, duration, dt=dt, record=seen)
        last = at > duration - 2 / slow
        waves = [g(2 * np.pi * f * at[last]) for f in (slow, *carriers) for g in (np.sin, np.cos)]
        basis = np.stack([np.ones(last.sum()), *waves], axis=1)
        fit = np.linalg.lstsq(basis, v[last] - rest, rcond=None)[0]
        found = np.hypot(fit[1], fit[2])
        print(
            f"{amplitude:g} V/m each: at {slow:g} Hz soma {1e6 * found[0]:.2f} uV, most "
            f"{1e6 * found.max():.2f} uV; a field of {slow:g} Hz: {1e6 * amplitude * steady[0]:.0f}"
            f" and {1e6 * amplitude * steady.max():.0f} uV"
        )


def speed(cell):
    """Print how many placements a second are solved."""
    (tree,) = responses(cell, 10.0)
    n = len(cell.morphology)
    rise = np.random.default_rng(0).standard_normal((32, n, LANES)).astype(np.float32)
    at_sites(tree, rise[:1])
    start = time.process_time()
    at_sites(tree, rise)
    spent = time.process_time() - start
    print(f"{32 * LANES / spent * n / 2500:,.0f} placements/s at 2,500 compartments")
    start = time.process_time()
    responses(cell, 10.0)
    print(f"preparing a cell: {1e3 * (time.process_time() - start):.0f} ms")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
