# ruff: noqa: T201 (an example prints)
"""Rat, mouse and human cells in a pulsed field: which direction fires them, and at what strength.

    python examples/cross_species_angles.py [PICTURE.png [FOLDER [JOBS]]]

A sweep over species, the angle between the field and the column, and the strength of the field. At
0 degrees the field enters the cortex, as under an anode; at 90 it lies along the surface, as under
most coils. Thresholds are found once for each species and angle: the share of cells that fire at
every strength follows from them. The sweep keeps its points in FOLDER and goes on where it stood.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from rheobase.neurons import place_cells, thresholds
from rheobase.neurons.generate import generate_cell
from rheobase.neurons.placement import upright
from rheobase.neurons.sample import UniformField
from rheobase.sweeps.sweep import sweep
from rheobase.views import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPECIES = ("rat", "mouse", "human")
TYPES = ("L23_pyramidal", "L23_basket", "L5_pyramidal", "L5_basket")
ANGLES = tuple(float(a) for a in range(0, 181, 15))
STRENGTHS = np.linspace(40.0, 180.0, 57).tolist()  # V/m
WIDTH = 200e-6  # s, of the rectangle


def point(
    species: str, angle: float, *, strengths: list[float], clones: int, azimuths: int
) -> dict[str, xr.DataArray]:
    """Return thresholds of all types (V/m), and which share of the cells fires.

    Parameters
    ----------
    species
        Of the cells.
    angle
        Between the field and the axis from pia to white matter (degrees).
    strengths
        Fields (V/m) at which shares are told.
    clones, azimuths
        Cells of each type, and the directions each is turned to.
    """
    cells = [generate_cell(t, species=species, seed=k) for t in TYPES for k in range(clones)]
    n = len(cells)
    every = place_cells(
        cells, position=[0, 0, 0], normal=[0, 0, 1], cell=np.repeat(np.arange(n), azimuths)
    )
    turns = np.tile(2 * np.pi * np.arange(azimuths) / azimuths, n)
    every = replace(every, rotation=upright(np.tile([0.0, 0.0, 1.0], (len(turns), 1)), turns))
    a = np.deg2rad(angle)
    field = UniformField(E=[np.sin(a), 0.0, -np.cos(a)])
    found = thresholds(every, field, waveform=WIDTH, unit="V/m")
    share = found.probability(strengths, by=("type",)).sel(polarity="plus", drop=True)
    middle = found.quantiles(0.5, by=("type",)).sel(polarity="plus", drop=True)
    share = share.drop_vars(["type", "placements"]).rename(group="cell_type")
    return {
        "threshold": middle.isel(quantile=0, drop=True).rename(group="cell_type"),
        "fires": share.rename(amplitude="strength"),
    }


def main(
    out: str = "cross_species_angles.png",
    folder: str = "cross_species_angles",
    jobs: str = "1",
    *,
    clones: int = 3,
    azimuths: int = 6,
) -> xr.Dataset:
    """Sweep, print the easiest direction of each species, draw; return the sweep."""
    found = sweep(
        point,
        {"species": SPECIES, "angle": ANGLES},
        out=Path(folder),
        fixed={"strengths": STRENGTHS, "clones": clones, "azimuths": azimuths},
        jobs=int(jobs),
    )
    for species in SPECIES:
        for kind in TYPES:
            here = found["threshold"].sel(species=species, cell_type=kind)
            best = here.isel(angle=int(np.argmin(here.values)))
            print(
                f"{species:6s} {kind:14s} fires most easily at {best['angle'].item():3.0f} degrees:"
                f" {best.item():5.0f} V/m; across, at 90: {here.sel(angle=90.0).item():5.0f} V/m"
            )
    draw(found).savefig(out, dpi=100)
    return found


def draw(found: xr.Dataset) -> Figure:
    """Draw the share of L5 pyramidal cells over angle and strength, and thresholds over angle."""
    figure = new_figure(11.5, 6.6)
    panels = figure.subplots(2, len(SPECIES), sharey="row")
    for panel, species in zip(panels[0], SPECIES, strict=True):
        here = found["fires"].sel(species=species, cell_type="L5_pyramidal")
        shown = panel.pcolormesh(
            found["angle"], found["strength"], here.T, vmin=0, vmax=1, shading="nearest"
        )
        panel.set_title(f"{species}: L5 pyramidal cells")
        panel.set_xticks(range(0, 181, 45))
    panels[0, 0].set_ylabel("field (V/m)")
    figure.colorbar(shown, ax=panels[0], label="share that fires")
    for panel, species in zip(panels[1], SPECIES, strict=True):
        for k, kind in enumerate(TYPES):
            here = found["threshold"].sel(species=species, cell_type=kind)
            style = "o-" if "pyramidal" in kind else "s--"
            panel.plot(found["angle"], here, style, ms=4, color=COLOURS[k], label=kind)
        panel.set_xlabel("angle of the field to the column (°)")
        panel.set_xticks(range(0, 181, 45))
        panel.spines[["top", "right"]].set_visible(False)
    panels[1, 0].set_ylabel("median threshold (V/m)")
    panels[1, 0].legend(frameon=False, fontsize=8)
    return figure


if __name__ == "__main__":
    main(*sys.argv[1:])
