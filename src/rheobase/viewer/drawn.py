"""Who draws a page: the browser or the server."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Literal

from rheobase.scenes.picture import SOFTWARE

Drawing = Literal["browser", "server"]

#: Triangles up to which a browser gets the geometry: about 100 MB of it.
MOST = 3_000_000
TRY = "import pyvista as pv; pv.Plotter(off_screen=True).screenshot(None, return_img=True)"


def choose(asked: str, triangles: int) -> Drawing:
    """Return who draws.

    Parameters
    ----------
    asked
        "browser", "server", or "auto": the browser, which needs no OpenGL here and turns the scene
        without a delay, up to `MOST` triangles; beyond them the server where OpenGL works.
    triangles
        Size of the scene.

    Returns
    -------
    {"browser", "server"}
    """
    if asked == "browser" or (asked == "auto" and triangles <= MOST):
        return "browser"
    return "server" if opengl_works() else "browser"


def opengl_works() -> bool:
    """Return whether this machine can draw off screen, tried in a process of its own.

    VTK without OpenGL may crash instead of raising. Where only software rendering works this
    process is told to use it.
    """
    for extra in ({}, SOFTWARE):
        run = subprocess.run(
            [sys.executable, "-c", TRY],
            env={**os.environ, **extra},
            capture_output=True,
            timeout=120,
            check=False,
        )
        if run.returncode == 0:
            os.environ.update(extra)
            return True
    return False
