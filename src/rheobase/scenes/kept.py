"""Pictures and pages of scenes, kept by content: the same is drawn once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from rheobase._kept import kept_bytes, kept_path
from rheobase.scenes.file import scene_parts
from rheobase.scenes.scene import Scene

#: What draws, beside the code of this package.
DRAWERS = ("vtk", "pyvista", "trame-vtk", "matplotlib")
MOST = 500_000_000  # bytes of all that are kept


def kept_drawing(
    scene: Scene, job: Mapping[str, Any], extension: str, draw: Callable[[], bytes]
) -> bytes:
    """Return what draws a scene, from the cache where the same was drawn before.

    Parameters
    ----------
    scene, job
        The scene, with those layers alone that are drawn, and how it is drawn (plain values).
    extension
        Of the file.
    draw
        Draws it; what it raises is raised.
    """
    versions = [version(name) for name in DRAWERS]
    parts = [dict(job), versions, *scene_parts(scene)]
    path = kept_path("drawings", "scene", *parts, code=("rheobase.scenes",), extension=extension)
    return kept_bytes(path, draw, most=MOST)
