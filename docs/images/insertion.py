"""Draw the picture of docs/insertion.md: python docs/images/insertion.py."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from rheobase.meshes.insertion.bodies import Coat, lead, pad
from rheobase.meshes.insertion.insert import insert
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import carve_image
from rheobase.meshes.placing.outlines import Disc
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.section import section

COLOURS = {
    1: "#f4f4e8",
    2: "#b8b8b8",
    3: "#9bd0f0",
    4: "#f2e3a0",
    5: "#e8b8a0",
    500: "#58b080",
    100: "#404040",
    30: "#c080c0",
    31: "#d04040",
    32: "#d04040",
}
mpl.use("Agg")


def show(ax: mpl.axes.Axes, mesh: TetMesh, title: str, window: tuple[float, ...]) -> None:
    """Draw the elements of a mesh in the plane x = 0 (mm)."""
    cut = section(mesh, 0, 0.0)
    colours = [COLOURS[int(label)] for label in cut.labels]
    ax.add_collection(
        PolyCollection(cut.polygons * 1e3, facecolors=colours, edgecolors="#00000060", lw=0.15)
    )
    ax.set(xlim=window[:2], ylim=window[2:], aspect="equal", xticks=[], yticks=[])
    ax.set_title(title, fontsize=9)


def main() -> None:
    """Mesh a layered ellipsoid of voxels, insert a pad and a lead, draw before and after."""
    grid = 1.5 * (np.moveaxis(np.indices((64, 72, 62)), 0, -1) - [31.6, 35.7, 30.6])
    r = np.sqrt(((grid / [44.0, 50.0, 42.0]) ** 2).sum(axis=-1))
    image = np.select([r < 0.74, r < 0.83, r < 0.88, r < 0.94, r < 1], [1, 2, 3, 4, 5], 0)
    affine = np.diag([1.5e-3] * 3 + [1.0])
    affine[:3, 3] = -1.5e-3 * np.array([31.6, 35.7, 30.6])
    made = carve_image(image, affine, 2.5e-3, size={1: 5e-3})
    coats = [
        Coat(name="gel", label=500, thickness_mm=1.5),
        Coat(name="metal", label=100, thickness_mm=1.0),
    ]
    at = np.array([0.0, 0.018, 0.0395])
    bodies = [
        *pad(Scalp(made.mesh), at, Disc(radius_mm=6.0), coats, name="pad"),
        *lead(
            [0.0, -0.006, 0.004],
            [0.0, -0.015, 0.036],
            2.0,
            [(1.0, 4.0), (6.0, 9.0)],
            name="lead",
            shaft=30,
            contacts=[31, 32],
        ),
    ]
    inserted = insert(made, bodies)
    figure = Figure(figsize=(11.0, 3.8), layout="constrained")
    axes = figure.subplots(1, 3)
    whole = (-52.0, 52.0, -44.0, 50.0)
    show(axes[0], made.mesh, "before", whole)
    show(axes[1], inserted.mesh, "with a pad and a lead", whole)
    show(axes[2], inserted.mesh, "1.5 mm of gel under 1 mm of metal", (8.0, 29.0, 30.0, 47.0))
    figure.savefig(Path(__file__).with_name("insertion.png"), dpi=130)


if __name__ == "__main__":
    main()
