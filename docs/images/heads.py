"""Draw the pictures of docs/heads.md: python docs/images/heads.py [HEAD …]."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from PIL import Image

from rheobase.head_views import head_sections, write_picture
from rheobase.meshes.heads import build_head
from rheobase.meshes.heads.mni152_template import template

HERE = Path(__file__).parent
COLOURS = ["#111111", "#f4f4e8", "#a0a0a0", "#4aa3df", "#f2e3a0", "#e0a080"]
WIDTH = 1000  # pixels
AT = np.array([-38.0, -20.0, 20.0]) * 1e-3  # through the left hand area of the MNI brain
SIMPLE = ("sphere", "slab-human")
ANIMALS = ("rat", "mouse", "macaque")
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


def save(picture: Image.Image, name: str) -> None:
    """Write a picture small: `WIDTH` wide, 256 colours."""
    height = round(picture.height * WIDTH / picture.width)
    small = picture.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    small.quantize(256, dither=Image.Dither.NONE).save(HERE / name, optimize=True)


def draw(name: str, out: str, **options: Any) -> None:
    """Draw sections and the cut mesh of a head."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "head.png"
        write_picture(build_head(name, **options), path)
        save(Image.open(path), out)


def labels_of_mni152() -> None:
    """Draw six slices of the label image."""
    image = template()
    low = image.affine[:3, 3] * 1e3
    figure = Figure(figsize=(11, 7.5))
    for k, (axis, mm) in enumerate([(0, 2), (1, -20), (2, 10), (0, -38), (1, 20), (2, 58)]):
        slice_of(figure.add_subplot(2, 3, k + 1), image.labels, low, axis, mm)
    figure.tight_layout()
    figure.savefig(HERE / "heads_mni152_labels.png", dpi=80)


def columns_of_mni152() -> None:
    """Draw cortical columns on the label image."""
    image = template()
    low = image.affine[:3, 3] * 1e3
    head = build_head("mni152")
    assert head.cortex is not None
    centre = head.cortex.points(0.5) * 1e3
    figure = Figure(figsize=(11, 5.5))
    for k, (axis, mm, x, y) in enumerate(
        [(1, -20, (-75, 75), (-45, 90)), (2, 58, (-70, 70), (-90, 55))]
    ):
        ax = figure.add_subplot(1, 2, k + 1)
        across, up = slice_of(ax, image.labels, low, axis, mm)
        near = np.abs(centre[:, axis] - mm) < 1.2
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


def outlines_of_mni152() -> None:
    """Draw the interfaces of the three resolutions on the label image."""
    image = template()
    rows = []
    for resolution in ("coarse", "standard", "fine"):
        head = build_head("mni152", resolution=resolution)
        title = f"mni152, {resolution}: interfaces of {len(head.mesh.tets):,} tetrahedra"
        figure = head_sections(head, at=AT, image=(image.labels, image.affine), title=title)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "row.png"
            figure.savefig(path, dpi=110)
            rows.append(np.array(Image.open(path).convert("RGB")))
    width = min(r.shape[1] for r in rows)
    save(Image.fromarray(np.concatenate([r[:, :width] for r in rows])), "heads_mni152_outlines.png")


def main(wanted: list[str]) -> None:
    """Draw what is named, everything if nothing is."""
    if not wanted or "mni152" in wanted:
        labels_of_mni152()
        columns_of_mni152()
        outlines_of_mni152()
        for resolution in ("coarse", "standard", "fine"):
            draw("mni152", f"heads_mni152_{resolution}.png", resolution=resolution)
    for name in (*SIMPLE, *ANIMALS):
        if not wanted or name in wanted:
            draw(name, f"heads_{name.replace('-', '_')}.png")


if __name__ == "__main__":
    main(sys.argv[1:])
