"""Draw the pictures of docs/heads.md: python docs/images/heads.py."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.collections
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from rheobase.meshes.heads import build_head
from rheobase.meshes.heads.mni152_template import template

HERE = Path(__file__).parent
COLOURS = ["#111111", "#f4f4e8", "#a0a0a0", "#4aa3df", "#f2e3a0", "#e0a080"]
mpl.use("Agg")


def slice_of(ax: Any, labels: np.ndarray, low: np.ndarray, axis: int, mm: float) -> tuple[int, int]:
    """Draw one slice of the label image and return its two in-plane axes."""
    across, up = (k for k in range(3) if k != axis)
    plane = np.take(labels, round(mm - low[axis]), axis=axis)
    extent = [
        low[across] - 0.5,
        low[across] + plane.shape[0] - 0.5,
        low[up] - 0.5,
        low[up] + plane.shape[1] - 0.5,
    ]
    ax.imshow(
        plane.T,
        origin="lower",
        cmap=ListedColormap(COLOURS),
        vmin=0,
        vmax=5,
        extent=extent,
        interpolation="nearest",
    )
    ax.set_title(f"{'xyz'[axis]} = {mm:g} mm", fontsize=9)
    ax.tick_params(labelsize=7)
    return across, up


def main() -> None:
    """Draw label slices, cortical columns and a cut through the mesh."""
    image = template()
    low = image.affine[:3, 3] * 1e3
    figure = Figure(figsize=(11, 7.5))
    for k, (axis, mm) in enumerate([(0, 2), (1, -20), (2, 10), (0, -38), (1, 20), (2, 58)]):
        slice_of(figure.add_subplot(2, 3, k + 1), image.labels, low, axis, mm)
    figure.tight_layout()
    figure.savefig(HERE / "heads_mni152_labels.png", dpi=80)

    head = build_head("mni152")
    assert head.cortex is not None
    middle = head.cortex.points(0.5) * 1e3
    figure = Figure(figsize=(11, 5.5))
    for k, (axis, mm, x, y) in enumerate(
        [(1, -20, (-75, 75), (-45, 90)), (2, 58, (-70, 70), (-90, 55))]
    ):
        ax = figure.add_subplot(1, 2, k + 1)
        across, up = slice_of(ax, image.labels, low, axis, mm)
        near = np.abs(middle[:, axis] - mm) < 1.2
        pial, white = head.cortex.pial[near] * 1e3, head.cortex.white[near] * 1e3
        ax.plot(
            np.stack([pial[:, across], white[:, across]]),
            np.stack([pial[:, up], white[:, up]]),
            color="#c00000",
            lw=0.9,
        )
        ax.set(xlim=x, ylim=y)
    figure.tight_layout()
    figure.savefig(HERE / "heads_mni152_columns.png", dpi=80)

    mesh = head.mesh
    nodes = mesh.nodes * 1e3
    centre = nodes[mesh.tets].mean(axis=1)
    figure = Figure(figsize=(11, 5.5))
    for k, (axis, mm) in enumerate([(1, -20.0), (0, 2.0)]):
        ax = figure.add_subplot(1, 2, k + 1)
        across, up = (n for n in range(3) if n != axis)
        height = nodes[mesh.tets][:, :, axis]
        cut = (height.min(axis=1) < mm) & (height.max(axis=1) > mm)
        polygons, colours = [], []
        for tet, label in zip(mesh.tets[cut], mesh.labels[cut], strict=True):
            p = nodes[tet]
            d = p[:, axis] - mm
            corners = np.array(
                [
                    p[i] + d[i] / (d[i] - d[j]) * (p[j] - p[i])
                    for i in range(4)
                    for j in range(i + 1, 4)
                    if d[i] * d[j] < 0
                ]
            )[:, [across, up]]
            out = corners - corners.mean(axis=0)
            polygons.append(corners[np.argsort(np.arctan2(out[:, 1], out[:, 0]))])
            colours.append(COLOURS[label])
        ax.add_collection(
            mpl.collections.PolyCollection(
                polygons, facecolors=colours, edgecolors="#333333", linewidths=0.15
            )
        )
        electrodes = np.array(list(head.positions.values())) * 1e3
        shown = np.abs(electrodes[:, axis] - mm) < 6
        ax.plot(electrodes[shown, across], electrodes[shown, up], "o", color="#c00000", ms=4)
        ax.set(xlim=(-125, 110), ylim=(-165, 108), aspect="equal")
        ax.set_title(f"{'xyz'[axis]} = {mm:g} mm: {int(cut.sum())} of {len(centre)} tetrahedra")
        ax.title.set_fontsize(9)
    figure.tight_layout()
    figure.savefig(HERE / "heads_mni152_mesh.png", dpi=80)


if __name__ == "__main__":
    main()
