"""Draw a 3-D scene off screen, in a process of its own: ``python -m rheobase._render IN OUT``.

VTK without a usable OpenGL library ends in a segmentation fault rather than an exception, so the
scene travels as arrays in a file and a crash here costs the caller one picture, not the run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._files import whole_file

CURE = (
    "no 3-D picture: off-screen OpenGL does not work here; install it "
    "(Debian: apt install libegl1 libgl1-mesa-dri, or libosmesa6)"
)


def render(scene: Mapping[str, NDArray[Any]], png: Path) -> bool:
    """Draw ``scene`` into ``png``; return False where OpenGL does not work.

    Parameters
    ----------
    scene
        Arrays: ``points`` and ``triangles`` of the coloured surface with ``values`` on its points
        and the two-element ``limits``; ``shell_points`` and ``shell_triangles`` of the translucent
        scalp; ``view`` (unit vector from the head to the camera); and any number of
        ``line_<name>`` (n, 3) polylines and ``patch_<name>`` (n, 3, 3) triangles with
        ``colour_<name>`` (RGB 0..1). Lengths in metres. ``title`` names the colour bar.
    png
        The picture.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scene.npz"
        np.savez(file, allow_pickle=False, **scene)
        with whole_file(png) as part:
            for extra in ({}, {"VTK_DEFAULT_OPENGL_WINDOW": "vtkOSOpenGLRenderWindow"}):
                run = subprocess.run(
                    [sys.executable, "-m", "rheobase._render", str(file), str(part)],
                    env={**os.environ, **extra},
                    capture_output=True,
                    timeout=300,
                    check=False,
                )
                if run.returncode == 0 and part.stat().st_size:
                    return True
    png.unlink(missing_ok=True)
    return False


def _polydata(points: NDArray[np.float64], triangles: NDArray[np.integer[Any]]) -> Any:
    import pyvista as pv

    faces = np.column_stack([np.full(len(triangles), 3), triangles]).ravel()
    return pv.PolyData(points * 1e3, faces)


def _draw(file: Path, png: Path) -> None:
    import pyvista as pv

    pv.OFF_SCREEN = True
    with np.load(file) as archive:
        scene = {name: archive[name] for name in archive.files}
    plot = pv.Plotter(off_screen=True, window_size=(1400, 1100))
    plot.set_background("white")
    surface = _polydata(scene["points"], scene["triangles"])
    plot.add_mesh(
        surface,
        scalars=scene["values"],
        cmap="viridis",
        clim=tuple(scene["limits"]),
        smooth_shading=True,
        specular=0.2,
        scalar_bar_args={
            "title": str(scene["title"]),
            "color": "black",
            "vertical": True,
            "position_x": 0.87,
            "position_y": 0.2,
            "height": 0.6,
            "title_font_size": 26,
            "label_font_size": 24,
            "fmt": "%.2f",
        },
    )
    if len(scene["shell_triangles"]):
        shell = _polydata(scene["shell_points"], scene["shell_triangles"])
        plot.add_mesh(
            shell.clean(), color="#d8b8a0", opacity=0.18, smooth_shading=True, culling="back"
        )
    for name, line in scene.items():
        if name.startswith("line_"):
            colour = scene["colour_" + name.removeprefix("line_")]
            plot.add_mesh(pv.MultipleLines(line * 1e3).tube(radius=1.0), color=colour)
        elif name.startswith("patch_"):
            colour = scene["colour_" + name.removeprefix("patch_")]
            corners = line.reshape(-1, 3)
            plot.add_mesh(_polydata(corners, np.arange(len(corners)).reshape(-1, 3)), color=colour)
    centre = surface.center
    view = np.asarray(scene["view"], dtype=float)
    distance = 2.9 * surface.length / 2
    up = (0.0, 0.0, 1.0) if abs(view[2]) < 0.9 else (0.0, 1.0, 0.0)
    plot.camera_position = [tuple(centre + view * distance * 1.25), centre, up]
    plot.add_axes(xlabel="R", ylabel="A", zlabel="S", color="black")
    plot.screenshot(str(png))
    plot.close()


if __name__ == "__main__":
    _draw(Path(sys.argv[1]), Path(sys.argv[2]))
