"""Draw the pictures of docs/views.md: python docs/images/views.py RESULT.

RESULT is the folder of a field study with cells in a human head (`rheobase demo`).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from rheobase.results import open_result
from rheobase.scenes import Layer, Scene, picture, slices
from rheobase.scenes.derived import arrows, plane, streamlines

HERE = Path(__file__).parent
SIZE = (900, 720)


def only(scene: Scene, *layers: Layer) -> Scene:
    """Return a scene with these layers and no others, all of them visible."""
    return replace(scene, layers=tuple(x.but(visible=True) for x in layers), focus=())


def cut(layer: Layer, at: np.ndarray) -> Layer:
    """Return a surface without what lies in front of, above and left of a point."""
    assert layer.cells is not None
    middle = layer.points[layer.cells].mean(axis=1)
    gone = ((middle - at) * [-1, 1, 1] > 0).all(axis=1)
    return layer.but(cells=layer.cells[~gone], opacity=1.0)


def main(folder: str) -> None:
    """Draw all of them."""
    scene = open_result(folder).scene()
    voxels, coil = scene["voxels"], scene["coil"]
    at = np.array(scene.point)
    picture(scene, HERE / "views_scene.png", size=SIZE)
    low, high = scene.extent([scene["grey matter"]])
    corner = (low + high) / 2
    shells = [cut(scene[n], corner) for n in ("scalp", "skull", "csf", "grey matter")]
    peeled = only(scene, *shells, scene["white matter"], coil)
    picture(peeled, HERE / "views_peeled.png", view=(-0.6, 0.7, 0.5), size=SIZE)
    brain = ("grey matter", "white matter")
    inside = only(
        scene,
        scene["scalp"],
        plane(voxels, "x", float(at[0]), tissues=brain),
        arrows(voxels, every=8e-3, longest=25e-3),
        coil,
    )
    picture(inside, HERE / "views_field.png", view=(-1.0, 0.5, 0.3), size=SIZE)
    lines = streamlines(voxels, count=250, radius=6e-4)
    picture(only(scene, scene["scalp"], lines, coil), HERE / "views_lines.png", size=SIZE)
    cells = scene["cells"].but(radius=1.2e-3)
    cortex = scene["cortex"].but(shown=None, opacity=0.25, group="head")
    picture(only(scene, cells, cortex), HERE / "views_cells.png", size=SIZE)
    slices(scene, at=at, tissues=brain).figure().savefig(HERE / "views_slices.png", dpi=80)


if __name__ == "__main__":
    main(sys.argv[1])
