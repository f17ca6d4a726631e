"""Generated cells beside reconstructions: python benchmarks/cells.py [FOLDER].

Prints lengths, tips and extents of generated cells, and of the reconstructions in FOLDER
(../shared/data/cells by default) when it is there; draws docs/images/cells.png. Then thresholds of
both in the same fields: rat reconstructions with the human diameter factors, generated human cells.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np

from rheobase._errors import InputError
from rheobase.fields.waveforms.pulses import tms_pulse
from rheobase.meshes.cortex.layers import layer_table
from rheobase.neurons.activation import thresholds
from rheobase.neurons.compartments import compartments
from rheobase.neurons.constants import species_scaling
from rheobase.neurons.generate import Cell, cell_types, generate_cell
from rheobase.neurons.morphology import Kind, Skeleton
from rheobase.neurons.placement import place_cells
from rheobase.neurons.read import read_skeleton
from rheobase.neurons.sample import UniformField

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

ROOT = Path(__file__).parents[1]
COLOURS = {Kind.UNMYELINATED: "#2b6cb0", Kind.BASAL: "black", Kind.APICAL: "#c53030"}


def line(name: str, skeletons: list[Skeleton]) -> str:
    """Return one row of the table: range over ``skeletons``."""
    table = [s.statistics() for s in skeletons]

    def span(key: str, scale: float, digits: int) -> str:
        values = [scale * t[key] for t in table if key in t]
        if not values or max(values) == 0:
            return "–"
        low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
        return low if low == high else f"{low}–{high}"

    keys = [("_length", 1e3, 1), ("_tips", 1, 0), ("_diameter", 1e6, 2), ("_width", 1e6, 0)]
    cells = [
        " / ".join(span(f"{arbor}{key}", scale, digits) for key, scale, digits in keys)
        for arbor in ("axon", "basal", "apical")
    ]
    return f"| {name} | {len(skeletons)} | " + " | ".join(cells) + " |"


def draw(ax: Axes, cell: Cell) -> None:
    sk = cell.skeleton
    x = sk.position * 1e3 - [0, 0, cell.depth * cell.thickness * 1e3]
    for kind, colour in COLOURS.items():
        i = np.flatnonzero(sk.kind == kind)
        pieces = np.stack([x[sk.parent[i]][:, [0, 2]], x[i][:, [0, 2]]], axis=1)
        widths = np.clip(0.7e6 * sk.diameter[i], 0.25, 3)
        ax.add_collection(LineCollection(list(pieces), colors=colour, linewidths=widths))
    ax.plot(*x[0, [0, 2]], "o", color="black", ms=4e5 * sk.diameter[0] / 2)


def human_sized(skeleton: Skeleton, *, cut: bool) -> Skeleton:
    """Return a rat reconstruction with the human diameter factors, its lowest axon tip cut."""
    size, d = species_scaling("human"), skeleton.diameter.copy()
    axon = skeleton.kind == Kind.UNMYELINATED
    d[axon] *= size["axon_diameter"]
    d[skeleton.kind == Kind.BASAL] *= size["basal_diameter"]
    d[skeleton.kind == Kind.APICAL] *= size["apical_diameter"]
    d[0] *= size["soma_diameter"]
    tips = np.setdiff1d(np.flatnonzero(axon), skeleton.parent)
    end = np.zeros(len(d), dtype=bool)
    end[tips[skeleton.position[tips, 2].argmin()]] = cut
    return replace(skeleton, diameter=d, cut=end)


def threshold_line(name: str, label: str, skeleton: Skeleton) -> str:
    """Return lowest, 5 % and median threshold over 60 directions of a uniform field."""
    rng = np.random.default_rng(0)
    cell = replace(
        generate_cell(name, "human", seed=1),
        skeleton=skeleton,
        morphology=compartments(skeleton, rng=rng),
    )
    normal = rng.standard_normal((60, 3))
    cells = place_cells([cell], position=[0, 0, 0], normal=normal, cell=np.zeros(60, dtype=int))
    out = []
    for waveform in (tms_pulse("biphasic"), 200e-6):
        r = thresholds(cells, UniformField(E=[0, 0, 1.0]), waveform=waveform).threshold
        out.append(" / ".join(f"{v:.0f}" for v in np.percentile(r, [0, 5, 50])))
    return f"| {label} | {out[0]} | {out[1]} |"


def main() -> None:
    print("length mm / tips / mean diameter um / width um, as ranges\n")
    print("| cell | n | axon | basal (all) dendrites | apical dendrites |\n|---|---|---|---|---|")
    names, species = cell_types(), ("rat", "mouse", "human")
    fig, axes = plt.subplots(
        len(species),
        len(names),
        figsize=(9, 12),
        sharex=True,
        sharey="row",
        gridspec_kw={"hspace": 0.02, "wspace": 0.08},
        height_ratios=[2.6, 1.3, 3.5],
    )
    for k, (row, kind) in enumerate(zip(axes, species, strict=True)):
        layers = layer_table(kind)
        for ax, name in zip(row, names, strict=True):
            cells = [generate_cell(name, kind, seed=s) for s in range(1, 6)]
            print(line(f"{name}, {kind}, generated", [c.skeleton for c in cells]))
            draw(ax, cells[0])
            for label, (top, bottom) in layers.bounds.items():
                ax.axhline(-bottom * layers.thickness * 1e3, color="0.85", lw=0.7, zorder=0)
                if ax is row[0]:
                    ax.text(-0.62, -0.5e3 * (top + bottom) * layers.thickness, label, fontsize=6)
            ax.axhline(0, color="0.6", lw=0.9, zorder=0)
            ax.set(xlim=(-0.65, 0.65), ylim=(-1e3 * layers.thickness - 0.25, 0.08), aspect="equal")
            ax.tick_params(labelsize=6)
            if k == 0:
                ax.set_title(name, fontsize=8)
        row[0].set_ylabel(f"{kind}: depth (mm)", fontsize=8)
    image = ROOT / "docs/images/cells.png"
    fig.savefig(image, dpi=110, bbox_inches="tight")
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared/data/cells"
    groups: dict[str, list[Skeleton]] = {}
    for path in sorted(folder.glob("*/**/*.asc")) + sorted(folder.glob("*/*.swc")):
        name = path.parent.name.split("_c")[0] if path.suffix == ".asc" else path.stem
        try:
            skeleton = read_skeleton(path, unifurcated="Aberra" in path.name)
        except InputError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        groups.setdefault(name, []).append(skeleton)
    for name, skeletons in groups.items():
        print(line(f"{name}, reconstructed", skeletons))
    print("\n| cell, 60 directions, V/m: lowest / 5 % / median | biphasic TMS | 200 us |")
    print("|---|---|---|")
    for kind, name in [
        ("L23_PC", "L23_pyramidal"),
        ("L4_LBC", "L4_basket"),
        ("L5_TTPC2", "L5_pyramidal"),
    ]:
        for k, skeleton in enumerate(groups.get(kind, []), start=1):
            scaled = human_sized(skeleton, cut="pyramidal" in name)
            print(threshold_line(name, f"{kind} {k}, reconstructed", scaled))
        for seed in (1, 2, 3):
            grown = generate_cell(name, "human", seed=seed).skeleton
            print(threshold_line(name, f"{name} {seed}, generated", grown))
    print(f"\n{image} ({image.stat().st_size // 1000} kB)")


if __name__ == "__main__":
    main()
