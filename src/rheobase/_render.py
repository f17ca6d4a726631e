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
        Arrays: ``view`` (unit vector from the head to the camera) and any number of
        ``line_<name>`` (n, 3) polylines and ``patch_<name>`` (n, 3, 3) triangles with
        ``colour_<name>`` (RGB 0..1), ``opacity_<name>`` (0..1) where they are translucent, and
        ``edges_<name>`` where the triangles' edges are to be seen, ``radius_<name>`` of a line that
        is not a millimetre thick. Where there is a coloured
        surface: its ``points`` and ``triangles`` with ``values`` on the points and the two-element
        ``limits``; ``title`` names the colour bar. Where there is a translucent scalp:
        ``shell_points`` and ``shell_triangles``. Lengths in metres. ``window`` may give the size
        of the picture (pixels). With ``plain`` there is neither a bar nor axes.
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


def show(scene: Mapping[str, NDArray[Any]]) -> bool:
    """Show ``scene`` in a window until it is closed; return False where none can be opened."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scene.npz"
        np.savez(file, allow_pickle=False, **scene)
        command = [sys.executable, "-m", "rheobase._render", str(file)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _polydata(points: NDArray[np.float64], triangles: NDArray[np.integer[Any]]) -> Any:
    import pyvista as pv

    faces = np.column_stack([np.full(len(triangles), 3), triangles]).ravel()
    return pv.PolyData(points * 1e3, faces)


def _draw(file: Path, png: Path | None) -> None:
    import pyvista as pv

    pv.OFF_SCREEN = png is not None
    with np.load(file) as archive:
        scene = {name: archive[name] for name in archive.files}
    size = [int(n) for n in scene.get("window", (1400, 1100))]
    plot = pv.Plotter(off_screen=png is not None, window_size=size)
    plot.set_background("white")
    if "triangles" in scene:
        _add_surface(plot, scene)
    if len(scene.get("shell_triangles", ())):
        shell = _polydata(scene["shell_points"], scene["shell_triangles"])
        plot.add_mesh(
            shell.clean(), color="#d8b8a0", opacity=0.18, smooth_shading=True, culling="back"
        )
    for name, line in scene.items():
        if name.startswith("line_"):
            colour = scene["colour_" + name.removeprefix("line_")]
            opacity = float(scene.get(f"opacity_{name.removeprefix('line_')}", 1.0))
            radius = 1e3 * float(scene.get(f"radius_{name.removeprefix('line_')}", 1e-3))
            tube = pv.MultipleLines(line * 1e3).tube(radius=radius)
            plot.add_mesh(tube, color=colour, opacity=opacity)
        elif name.startswith("patch_"):
            of = name.removeprefix("patch_")
            corners = line.reshape(-1, 3)
            plot.add_mesh(
                _polydata(corners, np.arange(len(corners)).reshape(-1, 3)),
                color=scene[f"colour_{of}"],
                opacity=float(scene.get(f"opacity_{of}", 1.0)),
                show_edges=f"edges_{of}" in scene,
                edge_color="#404040",
                line_width=0.4,
            )
    bounds = np.array(plot.bounds).reshape(3, 2)
    if "points" in scene:  # the surface is what is looked at, not the device around it
        bounds = np.stack([scene["points"].min(axis=0), scene["points"].max(axis=0)], 1) * 1e3
    centre, length = bounds.mean(axis=1), float(np.linalg.norm(np.ptp(bounds, axis=1)))
    view = np.asarray(scene["view"], dtype=float)
    up = (0.0, 0.0, 1.0) if abs(view[2]) < 0.9 else (0.0, 1.0, 0.0)
    away = max(1.8125 * length, _far_enough(scene, centre, view, up, size[0] / size[1]))
    plot.camera_position = [tuple(centre + view * away), tuple(centre), up]
    if "plain" not in scene:
        plot.add_axes(xlabel="R", ylabel="A", zlabel="S", color="black")
    if png is None:
        plot.show(title=str(scene["title"]))
        return
    plot.screenshot(str(png))
    plot.close()


def _far_enough(
    scene: Mapping[str, NDArray[Any]],
    centre: NDArray[np.float64],
    view: NDArray[np.float64],
    up: tuple[float, float, float],
    aspect: float,
) -> float:
    """Return how far off (mm) a camera of 30 degrees sees every device whole."""
    devices = [v.reshape(-1, 3) for k, v in scene.items() if k.startswith(("line_", "patch_"))]
    if not devices:
        return 0.0
    seen = np.concatenate(devices) * 1e3 - centre
    right = np.cross(up, view) / np.linalg.norm(np.cross(up, view))
    upward, across = np.abs(seen @ np.cross(view, right)), np.abs(seen @ right)
    least = seen @ view + 1.03 * np.maximum(upward, across / aspect) / np.tan(np.deg2rad(15.0))
    return float(least.max())


def _add_surface(plot: Any, scene: Mapping[str, NDArray[Any]]) -> None:
    """Add the coloured surface and its bar."""
    plot.add_mesh(
        _polydata(scene["points"], scene["triangles"]),
        scalars=scene["values"],
        cmap="viridis",
        clim=tuple(scene["limits"]),
        smooth_shading=True,
        specular=0.2,
        show_scalar_bar="plain" not in scene,
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


if __name__ == "__main__":
    _draw(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
