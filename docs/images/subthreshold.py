"""Draw the picture of docs/subthreshold.md: python docs/images/subthreshold.py."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from rheobase.neurons import Cell, UniformField, generate_cell
from rheobase.neurons.constants import rows
from rheobase.neurons.sample import rises_along
from rheobase.neurons.subthreshold import polarisation_length, responses

mpl.use("Agg")
TYPES = ("L23_pyramidal", "L5_pyramidal", "L4_basket")
FREQUENCIES = np.concatenate([[0.0], np.geomspace(0.3, 2000, 28)])
SITES = {"soma": "black", "basal": "#4a90d9", "apical": "#c0392b", "terminal": "#2e8b57"}
LEFTMOST = 0.2  # Hz, where the steady value is drawn


def draw_cells(ax, cells: list[Cell]) -> None:
    """Colour cells by their steady deviation in 1 V/m towards the white matter."""
    shift = 0.0
    for cell in cells:
        m = cell.morphology
        rise = rises_along(m, UniformField(E=[0.0, 0.0, -1.0]))
        v = responses(cell, 0.0)[0].deviation(rise).real * 1e3
        real = np.flatnonzero((m.length > 0) & (np.abs(m.centre[:, 2]) < 1.4e-3))
        real = real[real > 0]
        ends = np.stack([m.start[real], m.end[real]], axis=1)[:, :, [0, 2]] * 1e3
        ends[:, :, 0] += shift
        thick = np.where(m.is_axon[real], 0.6, 1.4)
        order = np.argsort(-thick)
        lines = LineCollection(ends[order], linewidths=thick[order], cmap="coolwarm")
        lines.set_array(v[real][order])
        lines.set_clim(-0.6, 0.6)
        ax.add_collection(lines)
        ax.plot(shift, 0, "o", ms=5, mec="k", mew=0.5, color=lines.to_rgba(v[0]))
        ax.text(shift, -1.44, cell.name.replace("_", "\n"), ha="center", va="top", fontsize=8)
        shift += 1.1
    ax.annotate(
        "", xy=(-0.7, -0.2), xytext=(-0.7, 0.4), arrowprops={"arrowstyle": "-|>", "color": "k"}
    )
    ax.text(-0.74, 0.1, "E, 1 V/m", rotation=90, va="center", ha="right", fontsize=8)
    ax.set(xlim=(-0.9, shift - 0.5), ylim=(-1.8, 1.4), aspect="equal")
    ax.set(ylabel="height over the soma (mm)", xticks=[])
    ax.figure.colorbar(lines, ax=ax, shrink=0.7, label="steady deviation (mV per V/m)")
    ax.set_title("rat cells, field into the cortex", fontsize=9)


def draw_frequency(ax, cells: list[Cell]) -> None:
    """Draw length over frequency, gates moving and frozen, with what was measured."""
    x = np.maximum(FREQUENCIES, LEFTMOST)
    for gates, style in (("moving", "-"), ("frozen", ":")):
        got = polarisation_length(cells, frequency=FREQUENCIES, azimuths=1, gates=gates)
        a = got.amplitude.isel(angle=0, azimuth=0)
        for site, colour in SITES.items():
            statistic = "mean" if site == "soma" else "largest"
            y = np.abs(a.sel(site=site, statistic=statistic)).mean("placement") * 1e3
            ax.plot(x, y, style, color=colour, lw=1.4, label=site if style == "-" else None)
    for r in rows("polarisation_published.csv"):
        first = r["source"].split(",")[0].split(" (")[0]
        at = max(float(r["frequency_Hz"]), LEFTMOST)
        ax.plot(at, float(r["value_mm"]), "kx", ms=5)
        name = first if "2" in first and len(first) < 20 else "caption"
        ax.text(at * 1.15, float(r["value_mm"]), name, fontsize=6, va="center")
    ax.set(xscale="log", xlabel="frequency (Hz); leftmost: steady", ylim=(0, 0.8))
    ax.set(ylabel="polarisation length (mm)")
    ax.legend(
        fontsize=7, loc="upper right", title="solid: gates move\ndotted: frozen", title_fontsize=7
    )
    ax.set_title("L5 pyramidal, rat, 4 cells\ncrosses: somata, measured", fontsize=9)


def draw_angle(ax, cells: dict[str, list[Cell]]) -> None:
    """Draw soma and largest terminal over the angle of the field."""
    degrees = np.arange(0, 181, 15)
    for colour, (name, some) in zip(("#c0392b", "#8e44ad", "#4a90d9"), cells.items(), strict=True):
        a = polarisation_length(some, angle=np.radians(degrees), azimuths=4).amplitude
        a = a.isel(frequency=0) * 1e3
        soma = a.sel(site="soma", statistic="mean").mean(["azimuth", "placement"])
        end = np.abs(a.sel(site="terminal", statistic="largest")).mean(["azimuth", "placement"])
        ax.plot(degrees, soma, color=colour, label=f"{name}: soma")
        ax.plot(degrees, end, "--", color=colour, label=f"{name}: strongest axon end")
    ax.axhline(0, color="0.7", lw=0.6)
    ax.set(xlabel="angle of the field to the inward axis (°)", ylabel="polarisation length (mm)")
    ax.set(xticks=[0, 45, 90, 135, 180], ylim=(-0.45, 1.35))
    ax.legend(fontsize=7, loc="upper center")
    ax.set_title("orientation, rat, 4 cells each", fontsize=9)


def main() -> None:
    """Draw the figure."""
    grown = {name: [generate_cell(name, "rat", seed=i) for i in range(1, 5)] for name in TYPES}
    fig = Figure(figsize=(13, 4.6), layout="constrained")
    left, middle, right = fig.subplots(1, 3, width_ratios=[1.35, 1, 1])
    draw_cells(left, [grown[name][0] for name in TYPES])
    draw_frequency(middle, grown["L5_pyramidal"])
    draw_angle(right, grown)
    fig.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
