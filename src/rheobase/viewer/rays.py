"""From a place on the screen to a place in the scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError

Floats = NDArray[np.float64]
FAR = 1e4  # mm, beyond every scene


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Hit:
    """Where a ray first meets the scene.

    Parameters
    ----------
    layer
        Name of the layer.
    point
        Position (m), shape (3,).
    """

    layer: str
    point: Floats


def camera_ray(
    camera: Mapping[str, Any], at: Sequence[float], size: Sequence[float]
) -> tuple[Floats, Floats]:
    """Return the ray through a place on the screen.

    Parameters
    ----------
    camera
        As vtk.js tells it: ``position``, ``focalPoint``, ``viewUp``, ``viewAngle`` (degrees, of
        the height), ``parallelProjection``, ``parallelScale``.
    at
        Place from the left and the top (pixels).
    size
        Width and height (pixels).

    Returns
    -------
    origin, direction : ndarray, shape (3,)
        In the unit of the camera; the direction has length 1.

    Raises
    ------
    InputError
        If these are no camera and no place.

    Examples
    --------
    >>> camera = {"position": [0, -10, 0], "focalPoint": [0, 0, 0], "viewUp": [0, 0, 1]}
    >>> camera_ray(camera | {"viewAngle": 30.0}, (50, 50), (100, 100))[1].tolist()
    [0.0, 1.0, 0.0]
    """
    try:
        position, focus, up = (
            np.asarray(camera[name], dtype=np.float64)
            for name in ("position", "focalPoint", "viewUp")
        )
        width, height = (float(n) for n in size)
        x = (2 * float(at[0]) - width) / height
        y = (height - 2 * float(at[1])) / height
        parallel = bool(camera.get("parallelProjection", False))
        half = float(camera["parallelScale"] if parallel else np.tan(_half(camera)))
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise InputError(f"expected a camera and a place on the screen: {error!r}") from None
    forward = focus - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    across = half * (x * right + y * np.cross(right, forward))
    if parallel:
        return position + across, forward
    direction = forward + across
    return position, direction / np.linalg.norm(direction)


def _half(camera: Mapping[str, Any]) -> float:
    return float(np.deg2rad(float(camera["viewAngle"]) / 2))


class Rays:
    """Meets surfaces with rays; keeps the search tree of each name until its surface changes."""

    def __init__(self) -> None:
        self._trees: dict[str, tuple[Any, Any]] = {}

    def hit(self, surfaces: Mapping[str, Any], origin: Floats, direction: Floats) -> Hit | None:
        """Return where a ray first meets a surface.

        Parameters
        ----------
        surfaces
            PyVista surfaces (mm) by the name of their layer.
        origin, direction
            The ray (mm), shape (3,).

        Returns
        -------
        Hit or None
            None where it meets nothing.
        """
        best, found = np.inf, None
        for name, surface in surfaces.items():
            away, point = self._first(self._tree(name, surface), origin, direction)
            if away < best:
                best, found = away, Hit(layer=name, point=1e-3 * point)
        return found

    def _first(self, tree: Any, origin: Floats, direction: Floats) -> tuple[float, Floats]:
        from vtkmodules.vtkCommonCore import mutable, reference

        where = [0.0, 0.0, 0.0]
        t: Any = mutable(0.0)
        sub, cell = reference(0), reference(0)
        met = tree.IntersectWithLine(
            origin, origin + FAR * direction, 1e-6, t, where, [0.0, 0.0, 0.0], sub, cell
        )
        return (float(t.get()) if met else np.inf), np.array(where)

    def _tree(self, name: str, surface: Any) -> Any:
        from vtkmodules.vtkCommonDataModel import vtkStaticCellLocator

        known = self._trees.get(name)
        if known is not None and known[0] is surface:
            return known[1]
        tree = vtkStaticCellLocator()
        tree.SetDataSet(surface)
        tree.BuildLocator()
        self._trees[name] = (surface, tree)
        return tree
