"""Generated cells beside reconstructions: python benchmarks/cells.py [FOLDER].

Prints lengths, tips and extents of generated cells, and of the reconstructions in FOLDER
(../shared/data/cells by default) when it is there; draws docs/images/cells.png. Then thresholds of
both in the same fields (rat reconstructions with human sizes, generated human cells), medians of
placed cells by type and species, and what the choices about myelin do to thresholds of full
simulations: the diameter of an internode's core and the drawn phase of the nodes.
"""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path

import matplotlib as mpl
import numpy as np

from rheobase._errors import InputError
from rheobase.fields.waveforms.pulses import tms_pulse
from rheobase.meshes.cortex.layers import layer_table
from rheobase.neurons.activation import thresholds
from rheobase.neurons.compartments import compartments
from rheobase.neurons.generate import Cell, cell_types, generate_cell, redraw_nodes
from rheobase.neurons.morphology import Floats, Kind, Morphology, Skeleton
from rheobase.neurons.placement import place_cells, place_in_slab
from rheobase.neurons.read import adult_size, cut_main_axon, read_skeleton
from rheobase.neurons.sample import UniformField, rises_along
from rheobase.neurons.spiking import spiking_thresholds

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

ROOT = Path(__file__).parents[1]
SPECIES = ("rat", "mouse", "human")
COLOURS = {Kind.UNMYELINATED: "#2b6cb0", Kind.BASAL: "black", Kind.APICAL: "#c53030"}


def line(name: str, skeletons: list[Skeleton]) -> str:
    """Return one row of the table: range over ``skeletons``."""
    table = [s.statistics() for s in skeletons]

    def span(key: str, scale: float, digits: int) -> str:
        values = [scale * t[key] for t in table]
        low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
        return low if low == high else f"{low}–{high}"

    keys = [("_length", 1e3, 1), ("_tips", 1, 0), ("_diameter", 1e6, 2), ("_width", 1e6, 0)]
    cells = [
        " / ".join(span(f"{arbor}{key}", scale, digits) for key, scale, digits in keys)
        if table[0][f"{arbor}_tips"]
        else "–"
        for arbor in ("axon", "basal", "apical")
    ]
    return f"| {name} | {len(skeletons)} | " + " | ".join(cells) + " |"


def draw(ax: Axes, cell: Cell, across: float) -> None:
    sk = cell.skeleton
    x = sk.position * 1e3 + [across, 0, -cell.depth * cell.thickness * 1e3]
    for kind, colour in COLOURS.items():
        i = np.flatnonzero(sk.kind == kind)
        pieces = np.stack([x[sk.parent[i]][:, [0, 2]], x[i][:, [0, 2]]], axis=1)
        widths = np.clip(0.45e6 * sk.diameter[i], 0.15, 2)
        ax.add_collection(LineCollection(list(pieces), colors=colour, linewidths=widths))
    ax.plot(*x[0, [0, 2]], "o", color="black", ms=1e5 * sk.diameter[0])


def picture(image: Path) -> None:
    """Draw one cell of each type and species, side by side in their layers."""
    tall = [1e3 * layer_table(kind).thickness + 0.33 for kind in SPECIES]
    places = np.cumsum([0.0] + [0.62 if "bipolar" in n else 0.92 for n in cell_types()])
    scale = 13 / places[-1]  # inches a mm
    fig, axes = plt.subplots(
        3,
        1,
        figsize=(13, scale * sum(tall) + 0.4),
        sharex=True,
        gridspec_kw={"hspace": 0.02, "top": 0.95, "bottom": 0.01, "left": 0.05, "right": 0.99},
        height_ratios=tall,
    )
    for ax, kind in zip(axes, SPECIES, strict=True):
        layers = layer_table(kind)
        for name, across in zip(cell_types(), places, strict=False):
            draw(ax, generate_cell(name, kind, seed=1), across)
            if ax is axes[0]:
                label = name.replace("_", "\n")
                ax.text(across, 0.12, label, fontsize=6.5, ha="center", va="bottom")
        for label, (top, bottom) in layers.bounds.items():
            ax.axhline(-bottom * layers.thickness * 1e3, color="0.85", lw=0.7, zorder=0)
            ax.text(-0.62, -0.5e3 * (top + bottom) * layers.thickness, label, fontsize=7)
        ax.axhline(0, color="0.6", lw=0.9, zorder=0)
        ax.set(xlim=(-0.65, places[-2] + 0.5), ylim=(-1e3 * layers.thickness - 0.25, 0.08))
        ax.set_aspect("equal")
        ax.set_ylabel(f"{kind}: depth (mm)", fontsize=8)
        ax.tick_params(labelsize=6)
        ax.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xticks([])
    fig.savefig(image, dpi=110, bbox_inches="tight")


def medians() -> None:
    """Print median thresholds of 200 placements of each type and species in three fields."""
    ways = ([0, 0, -1.0], [0, 0, 1.0], [1.0, 0, 0])
    print("\n| type | " + " | ".join(f"{s} 200 us | {s} TMS" for s in SPECIES) + " |")
    print("|---" * (2 * len(SPECIES) + 1) + "|")
    for name in cell_types():
        cells = []
        for kind in SPECIES:
            placed = place_in_slab(species=kind, counts={name: 200}, seed=1, radius=1e-3)
            for waveform in (200e-6, tms_pulse("biphasic")):
                found = [thresholds(placed, UniformField(E=E), waveform=waveform) for E in ways]
                cells.append(" / ".join(f"{np.median(r.threshold[0]):.0f}" for r in found))
        print(f"| {name} | " + " | ".join(cells) + " |")


class Narrow(Morphology):
    """A cell whose axial current runs through the axon inside the sheath, not the whole fibre."""

    __slots__ = ()

    @property
    def axial(self) -> Floats:
        """Axial conductance to the parent (S), shape (n,), 0 for the root."""
        parts = {f.name: getattr(self, f.name) for f in fields(Morphology)}
        return Morphology(**parts | {"diameter": self.axon_diameter}).axial


def pulses(cell: Cell) -> Floats:
    """Return spiking thresholds (V/m) in six directions of a uniform field, both signs, 200 us."""
    way = np.random.default_rng(0).standard_normal((6, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    rise = np.array([rises_along(cell.morphology, UniformField(E=w)) for w in way])
    return spiking_thresholds(cell, rise, 200e-6)[0].ravel()


def choices() -> None:
    """Print what the choices about myelin do to the thresholds of full simulations."""
    print("\n| cell, full simulation, 200 us | V/m | core inside the sheath | nodes drawn anew |")
    print("|---|---|---|---|")
    for name, kind in [
        ("L23_pyramidal", "rat"),
        ("L5_pyramidal", "rat"),
        ("L4_basket", "rat"),
        ("L5_pyramidal", "human"),
        ("L4_basket", "human"),
    ]:
        cell = generate_cell(name, kind, seed=1)
        usual = pulses(cell)
        parts = {f.name: getattr(cell.morphology, f.name) for f in fields(Morphology)}
        narrow = pulses(replace(cell, morphology=Narrow(**parts))) / usual
        drawn = np.array([pulses(redraw_nodes(cell, seed)) for seed in range(6)])
        spread = 100 * drawn.std(axis=0) / drawn.mean(axis=0)
        print(
            f"| {name}, {kind} | {np.median(usual):.0f} | {100 * np.median(narrow) - 100:+.0f} % "
            f"({100 * narrow.min() - 100:.0f} to {100 * narrow.max() - 100:.0f}) "
            f"| SD {spread.mean():.1f} % (up to {spread.max():.1f}) |"
        )


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
    for kind in SPECIES:
        for name in cell_types():
            cells = [generate_cell(name, kind, seed=s).skeleton for s in range(1, 6)]
            print(line(f"{name}, {kind}, generated", cells))
    image = ROOT / "docs/images/cells.png"
    picture(image)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared/data/cells"
    groups: dict[str, list[Skeleton]] = {}
    for path in sorted(folder.glob("*/**/*.asc")) + sorted(folder.glob("*/*.swc")):
        name = path.parent.name.split("_c")[0] if path.suffix == ".asc" else path.stem
        try:
            down = path.name.startswith("HL23")  # these have +y to the white matter
            up = (0.0, -1.0 if down else 1.0, 0.0)
            skeleton = read_skeleton(path, up=up, divided="Aberra" in path.name)
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
            adult = adult_size(skeleton, "human")
            scaled = cut_main_axon(adult) if "pyramidal" in name else adult
            print(threshold_line(name, f"{kind} {k}, reconstructed", scaled))
        for seed in (1, 2, 3):
            grown = generate_cell(name, "human", seed=seed).skeleton
            print(threshold_line(name, f"{name} {seed}, generated", grown))
    medians()
    choices()
    print(f"\n{image} ({image.stat().st_size // 1000} kB)")


if __name__ == "__main__":
    main()
