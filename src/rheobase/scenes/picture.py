"""Pictures off screen, drawn in a process of their own.

VTK without a usable OpenGL library ends in a segmentation fault rather than an exception, so the
scene travels in a file and a crash costs the caller one picture, not the run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from numpy.typing import ArrayLike

from rheobase._errors import InputError
from rheobase._files import whole_file
from rheobase.scenes.file import load_scene, save_scene
from rheobase.scenes.kept import kept_drawing
from rheobase.scenes.scene import Scene, direction

CURE = (
    "no 3-D picture: off-screen OpenGL does not work here; install it "
    "(Debian: apt install libegl1 libgl1-mesa-dri, or libosmesa6)"
)
SIZE = (1400, 1100)
PATIENCE = 300.0  # s for one picture
SOFTWARE = {"VTK_DEFAULT_OPENGL_WINDOW": "vtkOSOpenGLRenderWindow"}


@runtime_checkable
class HasScene(Protocol):
    """A result that has a scene."""

    def scene(self) -> Scene:
        """Return the scene."""
        ...


def as_scene(source: Scene | HasScene | Path | str) -> Scene:
    """Return a scene: given, of a result, or from its file.

    Raises
    ------
    InputError
        If it is none of them.
    """
    if isinstance(source, Scene):
        return source
    if isinstance(source, Path | str):
        return load_scene(source)
    if isinstance(source, HasScene):
        return source.scene()
    raise InputError(
        f"expected a scene, a result or a file of a scene, got {type(source).__name__}"
    )


def picture(
    source: Scene | HasScene | Path | str,
    png: Path | str,
    *,
    view: str | ArrayLike | None = None,
    time: float | None = None,
    size: tuple[int, int] = SIZE,
    bars: bool = True,
    axes: bool = True,
) -> bool:
    """Draw a scene into a PNG file.

    Parameters
    ----------
    source
        A scene, a result, or the path of a ``scene.h5``.
    png
        The picture; absent where it could not be drawn.
    view
        "left", "right", "front", "back", "top", "bottom", or the direction from the head to the
        camera, shape (3,); the scene's own if None.
    time
        Of what changes (s); the first if None.
    size
        Width and height (pixels).
    bars, axes
        Whether bars with units, and arrows to the right, front and top, are drawn.

    Returns
    -------
    bool
        Whether off-screen OpenGL works here; `CURE` says what to install where it does not.

    Raises
    ------
    InputError
        If the source is no scene, the view unknown or the file cannot be written.
    """
    job = {
        "view": None if view is None else direction(view),
        "size": size,
        "times": [time],
        "bars": bars,
        "axes": axes,
    }
    png, scene = Path(png), as_scene(source)
    seen = replace(scene, layers=scene.visible())
    try:
        found = kept_drawing(seen, job, ".png", lambda: _drawn(seen, job))
    except _NoPictureError:
        png.unlink(missing_ok=True)
        return False
    with whole_file(png) as part:
        part.write_bytes(found)
    return True


class _NoPictureError(Exception):
    """Off-screen OpenGL does not work here."""


def _drawn(scene: Scene, job: Mapping[str, Any]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        found = run_child(scene, job, Path(folder))
        if not found:
            raise _NoPictureError
        return found[0].read_bytes()


def run_child(scene: Scene, job: Mapping[str, Any], folder: Path) -> Sequence[Path]:
    """Draw a scene at each of the times of a job; return the pictures, none without OpenGL."""
    out = [folder / f"{k:04d}.png" for k in range(len(job["times"]))]
    if not call_child(replace(scene, layers=scene.visible()), job, folder):
        return []
    return out if all(p.is_file() and p.stat().st_size for p in out) else []


def call_child(scene: Scene, job: Mapping[str, Any], folder: Path) -> bool:
    """Do a job with a scene in a process of its own, without a GPU where it fails with one."""
    file = save_scene(folder / "scene.h5", scene, compress=False)
    for extra in ({}, SOFTWARE):
        run = subprocess.run(
            [sys.executable, "-m", "rheobase.scenes.child", str(file), json.dumps(job)],
            env={**os.environ, **extra},
            capture_output=True,
            timeout=PATIENCE + 10.0 * len(job.get("times", ())),
            check=False,
        )
        if run.returncode == 0:
            return True
    return False
