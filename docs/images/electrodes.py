"""Draw the picture of docs/electrodes.md: python docs/images/electrodes.py [HEAD.h5].

The coarse default head is built unless a saved head, made from an image, is given.
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure

from rheobase.fields.conduction import solve_conduction
from rheobase.fields.electrodes.electrode import layer, place_electrode
from rheobase.fields.electrodes.meshed import mesh_electrodes
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.electrodes.pads import lay_montage
from rheobase.meshes.head import Head
from rheobase.meshes.heads.mni152 import build
from rheobase.meshes.placing.cover import subdivided
from rheobase.meshes.placing.outlines import Disc, Outline, Polygon, Rectangle, Ring
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.section import section
from rheobase.meshes.store import load_head

VIEW = np.array([-0.35, -0.12, 0.93])
SKIN, ANODE, CATHODE = (np.array(to_rgb(c)) for c in ("#e8c8b4", "#d55e00", "#0072b2"))
COLOURS = {1: "#f4f4e8", 2: "#b8b8b8", 3: "#9bd0f0", 4: "#f2e3a0", 5: "#e8b8a0"}
LAYERS = {"sponge": "#58b080", "rubber": "#404040"}
mpl.use("Agg")


def shapes(head: Head) -> Montage:
    """Return one electrode of each shape."""
    fir = [
        (-3, -16),
        (3, -16),
        (3, -8),
        (14, -8),
        (6, 2),
        (9, 2),
        (0, 16),
        (-9, 2),
        (-6, 2),
        (-14, -8),
        (-3, -8),
    ]
    placed: dict[str, tuple[Outline, float]] = {
        "C3": (Rectangle(width_mm=35, height_mm=50), 2e-3),
        "Fz": (Disc(radius_mm=12), -0.5e-3),
        "Cz": (Ring(inner_radius_mm=9, outer_radius_mm=16), -0.5e-3),
        "F3": (Rectangle(width_mm=28, height_mm=28, corner_radius_mm=8), -0.5e-3),
        "Pz": (Polygon(corners_mm=fir), -0.5e-3),
    }
    return Montage(
        name="shapes",
        electrodes=tuple(
            place_electrode(head, name, shape=shape, towards="Cz" if name == "C3" else None)
            for name, (shape, _) in placed.items()
        ),
        currents=tuple(current for _, current in placed.values()),
    )


def pieces(head: Head, montage: Montage) -> tuple[np.ndarray, np.ndarray]:
    """Return the scalp as triangles (n, 3, 3), small ones under electrodes, and their colours."""
    scalp = Scalp(head.mesh)
    corners = scalp.nodes[scalp.triangles]
    parts = subdivided(4)
    plain = np.ones(len(corners), np.bool_)
    small, tones = [], []
    pads = lay_montage(montage, scalp)
    for pad, e, current in zip(pads, montage.electrodes, montage.currents, strict=True):
        under = np.array(list(pad.coverage))
        plain[under] = False
        fine = np.einsum("pqc,tcd->tpqd", parts, corners[under]).reshape(-1, 3, 3)
        inside = e.shape.outside(e.frame(scalp).coordinates(fine.mean(axis=1))) < 0
        small.append(fine)
        tones.append(np.where(inside[:, None], ANODE if current > 0 else CATHODE, SKIN))
    tones.append(np.tile(SKIN, (int(plain.sum()), 1)))
    return np.concatenate([*small, corners[plain]]), np.concatenate(tones)


def draw(ax: Any, corner: np.ndarray, colours: np.ndarray) -> None:
    """Draw triangles (n, 3, 3) as seen from `VIEW`, shaded."""
    towards = VIEW / np.linalg.norm(VIEW)
    right = np.cross([0.0, 1.0, 0.0], towards)
    right /= np.linalg.norm(right)
    up = np.cross(towards, right)
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    light = normal @ towards / np.maximum(np.linalg.norm(normal, axis=1), 1e-30)
    order = np.argsort(corner.mean(axis=1) @ towards)
    order = order[light[order] > 0]
    shade = (0.45 + 0.55 * light[order])[:, None]
    flat = np.stack([corner @ right, corner @ up], axis=-1)[order] * 1e3
    ax.add_collection(
        PolyCollection(
            flat, facecolors=np.clip(colours[order] * shade, 0, 1), edgecolors="face", lw=0.2
        )
    )
    ax.autoscale_view()
    ax.set(aspect="equal")
    ax.axis("off")


def main() -> None:
    """Lay, solve, insert, draw."""
    head = load_head(sys.argv[1]) if len(sys.argv) > 1 else build(resolution="coarse")
    figure = Figure(figsize=(11.0, 4.2), layout="constrained")
    axes = figure.subplots(1, 3)
    montage = shapes(head)
    draw(axes[0], *pieces(head, montage))
    axes[0].set_title("rectangle towards Cz, rounded, disc, ring, custom", fontsize=9)

    basis = solve_conduction(head, montage)
    assert head.cortex is not None
    E = np.linalg.norm(basis.at(head.cortex.points(0.5))[0][0], axis=1) * montage.amplitude
    E = np.nan_to_num(E[head.cortex.triangles].mean(axis=1))
    most = float(np.percentile(E, 99.5))
    tone = mpl.colormaps["viridis"](E / most)[:, :3]
    draw(axes[1], head.cortex.points(0.0)[head.cortex.triangles], tone)
    axes[1].set_title("|E| at mid-depth of the cortex, 2 mA", fontsize=9)
    scale = mpl.cm.ScalarMappable(Normalize(0, most), "viridis")
    figure.colorbar(scale, ax=axes[1], label="V/m", shrink=0.7)

    sponge = place_electrode(
        head,
        "C3",
        shape=Rectangle(width_mm=35, height_mm=50),
        layers=[layer("sponge"), layer("rubber", shape=Rectangle(width_mm=29, height_mm=44))],
        model="meshed",
        towards="Cz",
    )
    other = place_electrode(head, "C4")
    meshed = mesh_electrodes(
        head, Montage(name="pad", electrodes=(sponge, other), currents=(1e-3, -1e-3))
    )
    cut = section(meshed.head.mesh, 1, float(sponge.centre[1]))
    names = {t.label: t.name.split()[0] for t in meshed.head.tissues.values()}
    fill = [LAYERS.get(names[k]) or COLOURS.get(k, "#d0a0c0") for k in cut.labels.tolist()]
    axes[2].add_collection(
        PolyCollection(list(cut.polygons * 1e3), facecolors=fill, edgecolors="#00000060", lw=0.15)
    )
    x, z = sponge.centre[[0, 2]] * 1e3
    axes[2].set(xlim=(x - 25, x + 35), ylim=(z - 38, z + 28), aspect="equal", xticks=[], yticks=[])
    axes[2].set_title("meshed: 5 mm of sponge under 2 mm of rubber", fontsize=9)
    figure.savefig(Path(__file__).with_name("electrodes.png"), dpi=120)


if __name__ == "__main__":
    main()
