"""Draw the picture of docs/cortex_and_regions.md: python docs/images/cortex.py."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.collections
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from rheobase.meshes.cortex.curvature import curvature
from rheobase.meshes.cortex.layers import CorticalLayers, cortical_layers
from rheobase.meshes.cortex.sheet import CorticalSheet, vertex_normals
from rheobase.meshes.heads import build_head
from rheobase.meshes.insertion.shapes import Box
from rheobase.meshes.regions.region import Region, ball, shape_region
from rheobase.meshes.regions.statistics import region_table

HERE = Path(__file__).parent
LAYERS = ["#cccccc", "#fdae6b", "#31a354", "#c51b8a", "#6baed6"]
MOST = 600.0  # 1/m; end of the colours of the curvature
mpl.use("Agg")


def cut(points: np.ndarray, triangles: np.ndarray, axis: int, at: float) -> np.ndarray:
    """Return the lines (n, 2, 2) in which the plane meets the triangles."""
    corners = points[triangles]
    d = corners[:, :, axis] - at
    d = np.where(d == 0, 1e-12, d)
    crossing = (d.max(axis=1) > 0) & (d.min(axis=1) < 0)
    corners, d = corners[crossing], d[crossing]
    # the corner alone on its side first
    alone = np.where((d > 0).sum(axis=1) == 1, d.argmax(axis=1), d.argmin(axis=1))
    rows = np.arange(len(d))
    ends = []
    for step in (1, 2):
        other = (alone + step) % 3
        a, b = d[rows, alone], d[rows, other]
        p, q = corners[rows, alone], corners[rows, other]
        ends.append(p + (a / (a - b))[:, None] * (q - p))
    return np.delete(np.stack(ends, axis=1), axis, axis=2)


def draw_layers(
    ax: Any, sheet: CorticalSheet, layers: CorticalLayers, at: float, window: tuple[Any, Any]
) -> None:
    """Fill the layers in the plane y = ``at`` by many surfaces, and draw their borders."""
    for k, colour in enumerate(LAYERS):
        top, bottom = layers.borders[:, k], layers.borders[:, k + 1]
        for f in np.linspace(0.0, 1.0, 40):
            lines = cut(sheet.points(top + f * (bottom - top)), sheet.triangles, 1, at) * 1e3
            ax.add_collection(
                mpl.collections.LineCollection(list(lines), colors=colour, linewidths=0.8)
            )
    for k in range(len(LAYERS) + 1):
        lines = cut(sheet.points(layers.borders[:, k]), sheet.triangles, 1, at) * 1e3
        ax.add_collection(
            mpl.collections.LineCollection(list(lines), colors="#222222", linewidths=0.3)
        )
    half = layers.table.fractions[3]
    lines = cut(sheet.points(half), sheet.triangles, 1, at) * 1e3
    ax.add_collection(
        mpl.collections.LineCollection(
            list(lines), colors="#08306b", linewidths=1.0, linestyles="--"
        )
    )
    ax.set(xlim=window[0], ylim=window[1], aspect="equal", xlabel="x (mm)", ylabel="z (mm)")


def draw_surface(ax: Any, sheet: CorticalSheet, colours: np.ndarray) -> None:
    """Draw the mid-surface from the left, shaded; one colour a column."""
    points = sheet.points(0.5) * 1e3
    view = np.array([-0.85, -0.1, 0.52])
    view /= np.linalg.norm(view)
    right = np.cross([0.0, 0.0, 1.0], view)
    right /= np.linalg.norm(right)
    plane = np.stack([right, np.cross(view, right)], axis=1)
    corners = points[sheet.triangles]
    normal = vertex_normals(points, sheet.triangles)[sheet.triangles].mean(axis=1)
    facing = normal @ view
    shown = np.flatnonzero(facing > -0.2)
    order = shown[np.argsort(corners[shown].mean(axis=1) @ view)]
    light = 0.35 + 0.65 * np.clip(facing[order], 0, 1)
    face = colours[sheet.triangles[order]].mean(axis=1) * light[:, None]
    ax.add_collection(
        mpl.collections.PolyCollection(
            list(corners[order] @ plane), facecolors=face, edgecolors=face, linewidths=0.3
        )
    )
    ax.autoscale_view()
    ax.set(aspect="equal")
    ax.axis("off")


def regions() -> list[tuple[Region, str]]:
    """Return regions in MNI space and their colours."""
    hand = ball((-0.037, -0.021, 0.058), 0.015, space="MNI", name="ball around M1")
    target = ball((-0.040, 0.038, 0.030), 0.018, space="MNI", name="ball: prefrontal target")
    front = shape_region(
        Box(centre=np.array([-0.04, 0.05, 0.03]), size=np.array([0.08, 0.06, 0.09])),
        name="frontal box",
        space="MNI",
    )
    back = shape_region(
        Box(centre=np.array([-0.035, -0.095, 0.01]), size=np.array([0.07, 0.05, 0.08])),
        name="occipital box",
        space="MNI",
    )
    return [
        (hand, "#e31a1c"),
        (target, "#ff9f1c"),
        (front - target, "#1f78b4"),
        (back, "#33a02c"),
    ]


def main() -> None:
    """Draw layers on folds, curvature and regions."""
    head = build_head("mni152")
    sheet = head.cortex
    assert sheet is not None
    layers = cortical_layers(sheet, "human")
    figure = Figure(figsize=(13, 9.5))
    ax = figure.add_subplot(2, 2, 1)
    draw_layers(ax, sheet, layers, -0.02, ((-75, 75), (-45, 90)))
    ax.set_title("Equivolume layers, y = -20 mm", fontsize=10)
    ax = figure.add_subplot(2, 2, 2)
    draw_layers(ax, sheet, layers, -0.02, ((-64, -30), (37, 66)))
    ax.set_title("the same, closer; dashed: L4/L5 by depth alone", fontsize=10)
    handles = [
        Line2D([], [], color=c, lw=6, label=n) for c, n in zip(LAYERS, layers.names, strict=True)
    ]
    ax.legend(handles=handles, fontsize=8, loc="lower right")
    mean, _ = curvature(sheet.points(0.5), sheet.triangles)
    ax = figure.add_subplot(2, 2, 3)
    size = np.clip(np.nan_to_num(mean) / MOST, -1, 1)
    draw_surface(ax, sheet, mpl.colormaps["coolwarm"](0.5 + 0.5 * size)[:, :3])
    ax.set_title(f"Mean curvature, ±{MOST:g} 1/m (crowns red)", fontsize=10)
    ax = figure.add_subplot(2, 2, 4)
    colours = np.where((mean > 0)[:, None], 0.9, 0.65) * np.ones((1, 3))
    named = regions()
    for region, colour in named:
        colours[region.columns(head)] = to_rgb(colour)
    draw_surface(ax, sheet, colours)
    handles = [Line2D([], [], color=c, lw=6, label=r.name) for r, c in named]
    ax.legend(handles=handles, fontsize=8, loc="lower left", bbox_to_anchor=(0.0, -0.06))
    ax.set_title("Regions on the cortex", fontsize=10)
    figure.tight_layout()
    path = HERE / "cortex_and_regions.png"
    figure.savefig(path, dpi=90)
    Image.open(path).convert("RGB").quantize(255).save(path, optimize=True)
    for row in region_table([r for r, _ in named], head, sheet.thickness * 1e3):
        print(row)  # noqa: T201


if __name__ == "__main__":
    main()
