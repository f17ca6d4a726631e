# ruff: noqa: T201 (an example prints)
"""How weak fields entrain spikes: tACS over amplitude and frequency, and temporal interference.

    python examples/entrainment.py [PICTURE.png [FOLDER]]

The microcircuit (a tenth) is polarised below threshold, each layer's pyramidal cells as far as its
cells are in a field along the cortex's axis (docs/subthreshold.md). Points of the sweep are kept in
FOLDER: a run that was stopped goes on. About four CPU-minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from rheobase.neurons.measures.locking import entrainment, stimulus_phase
from rheobase.neurons.network.drive import Polarisation
from rheobase.neurons.network.microcircuit import microcircuit
from rheobase.neurons.network.readout import rates
from rheobase.neurons.network.simulation import simulate
from rheobase.sweeps.sweep import sweep
from rheobase.views import new_figure

# V per V/m at steady somata of human size, docs/subthreshold.md: L2/3 and L4 generated, L5
# reconstructed, L6 reconstructed in rat size; basket cells below 0.01 mm are left out
LENGTH = {"L23E": 0.16e-3, "L4E": 0.06e-3, "L5E": 0.23e-3, "L6E": 0.15e-3}
TACS = {
    "field": [0.25, 0.5, 1.0, 2.0, 4.0],
    "frequency": [5.0, 10.0, 20.0, 30.0, 37.0, 45.0, 55.0, 70.0],
}
TI = {"field": [0.0, 1.0, 4.0, 10.0, 30.0, 100.0], "frequency": [10.0]}
CARRIER = 1000.0  # Hz, of temporal interference
START = 0.5  # s, left out
BINS = 24  # of a period
LEVEL = 0.05


def point(
    field: float, frequency: float, *, scale: float, seconds: float, carrier: float
) -> dict[str, xr.DataArray]:
    """Return what the spikes of each population do at one amplitude and frequency.

    Parameters
    ----------
    field
        Largest field (V/m): of the sine, or of two carriers of half of it where they add.
    frequency
        Frequency (Hz) of the sine, or of the beat.
    scale, seconds
        Part of the microcircuit and length of the run (s).
    carrier
        Frequency (Hz) of the lower carrier; 0 for a sine.
    """
    network = microcircuit(scale=scale, seed=1)
    time = network.dt * (np.arange(round(seconds / network.dt)) + 0.5)
    if carrier:
        pair = [np.cos(2 * np.pi * f * time) for f in (carrier, carrier + frequency)]
        waveform = (pair[0] + pair[1]) / 2
    else:
        waveform = np.cos(2 * np.pi * frequency * time)
    shift = {name: field * length for name, length in LENGTH.items()}
    run = simulate(
        network, seconds, seed=1, polarisation=Polarisation(shift=shift, waveform=waveform)
    )
    found = entrainment(run, frequency, start=START)
    kept = run.times > START
    phase = stimulus_phase(run.times[kept], frequency) % (2 * np.pi)
    names = {"population": list(found)}
    count = [
        np.histogram(phase[(run.ids[kept] >= a) & (run.ids[kept] < b)], BINS, (0, 2 * np.pi))[0]
        for a, b in zip(run.first[:-1], run.first[1:], strict=True)
    ]
    return {
        **{
            what: xr.DataArray([getattr(x, what) for x in found.values()], coords=names)
            for what in ("strength", "phase", "p_value", "chance")
        },
        "rate": xr.DataArray(list(rates(run, start=START).values()), coords=names),
        "count": xr.DataArray(count, dims=("population", "bin"), coords=names),
    }


def main(
    out: str = "entrainment.png",
    folder: str = "entrainment",
    *,
    scale: float = 0.1,
    seconds: float = 4.5,
    jobs: int = 1,
) -> tuple[xr.Dataset, xr.Dataset]:
    """Sweep, print the locking of layer 5, draw; return the two sweeps."""
    fixed = {"scale": scale, "seconds": seconds}
    tacs, ti = (
        sweep(point, grid, out=Path(folder) / name, fixed={**fixed, "carrier": carrier}, jobs=jobs)
        for name, grid, carrier in (("tacs", TACS, 0.0), ("ti", TI, CARRIER))
    )
    for name, found in (("tACS", tacs), ("TI", ti)):
        for field in found["field"].values:
            here = found.sel(population="L5E", field=field, frequency=10.0)
            print(
                f"{name:4s} {field:6.2f} V/m at 10 Hz: L5E locks by {here['strength'].item():.3f}, "
                f"chance {here['chance'].item():.3f}, p {here['p_value'].item():.2g}"
            )
    draw(tacs, ti).savefig(out, dpi=100)
    return tacs, ti


def draw(tacs: xr.Dataset, ti: xr.Dataset) -> Figure:
    """Draw locking over amplitude and frequency, over amplitude, and spikes over the phase."""
    figure = new_figure(11, 6.4)
    axes = figure.subplots(2, 3)
    x, y = np.arange(tacs.sizes["frequency"]), np.arange(tacs.sizes["field"])
    for ax, name in zip(axes[0], ("L23E", "L5E", "L5I"), strict=True):
        here = tacs.sel(population=name)
        top = float(tacs["strength"].sel(population=["L23E", "L5E", "L5I"]).max())
        image = ax.pcolormesh(x, y, here["strength"], vmin=0, vmax=top, cmap="viridis")
        j, i = np.nonzero((here["p_value"] >= LEVEL).values)
        ax.plot(i, j, "wx", ms=5)
        ax.set_xticks(x, [f"{f:g}" for f in tacs["frequency"].values])
        ax.set_yticks(y, [f"{a:g}" for a in tacs["field"].values])
        ax.set(title=f"{name} (x: p ≥ {LEVEL:g})", xlabel="frequency (Hz)", ylabel="field (V/m)")
    figure.colorbar(image, ax=axes[0], label="phase-locking value", shrink=0.9)
    ax = axes[1, 0]
    for name, found, style in (("tACS, 10 Hz", tacs, "o-"), ("TI, beat of 10 Hz", ti, "s--")):
        here = found.sel(population="L5E", frequency=10.0)
        here = here.where(here["field"] > 0, drop=True)
        ax.loglog(here["field"], here["strength"], style, label=f"L5E, {name}")
    idle = ti.sel(population="L5E", frequency=10.0, field=0.0)
    ax.axhspan(1e-4, idle["chance"].item(), color="0.9", label="chance, no field")
    ax.set(xlabel="field (V/m)", ylabel="phase-locking value", ylim=(2e-3, 4))
    ax.legend(fontsize=7, loc="upper right")
    ax = axes[1, 1]
    for name in ("L23E", "L4E", "L5E", "L6E", "L5I"):
        here = tacs.sel(population=name, field=1.0)
        (line,) = ax.plot(here["frequency"], here["strength"], "-", label=name)
        sure = here.where(here["p_value"] < LEVEL)
        ax.plot(sure["frequency"], sure["strength"], "o", color=line.get_color())
    ax.set(xlabel="frequency (Hz)", ylabel="phase-locking value", title="1 V/m (dots: p < 0.05)")
    ax.set_ylim(bottom=0)
    ax.legend(fontsize=7)
    ax = axes[1, 2]
    middle = (np.arange(BINS) + 0.5) * 360 / BINS
    for field in (1.0, 4.0):
        count = tacs["count"].sel(population="L5E", field=field, frequency=10.0)
        ax.step(middle, count / count.mean("bin"), where="mid", label=f"L5E, {field:g} V/m, 10 Hz")
    ax.plot(middle, 1 + 0.5 * np.cos(np.radians(middle)), ":", color="0.6", label="field")
    ax.set(xlabel="phase of the field (°)", ylabel="rate / mean rate")
    ax.legend(fontsize=7)
    return figure


if __name__ == "__main__":
    main(*sys.argv[1:])
