"""Shapes as signed distances: ball, box, cylinder, capsule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive


class Shape(Protocol):
    """What a body needs to know of its shape."""

    def outside(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the signed distance (m) of points (n, 3) from the surface, < 0 inside.

        Exact near the surface except at its edges; elsewhere never larger than the distance.
        """

    def bounds(self) -> NDArray[np.float64]:
        """Return the lowest and the highest corner of a box around the shape (m), (2, 3)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ball:
    """A ball of ``radius`` (m) around ``centre`` (m), shape (3,)."""

    centre: NDArray[np.float64]
    radius: float

    def __post_init__(self) -> None:
        """Check the sizes."""
        object.__setattr__(self, "centre", point("centre", self.centre))
        check_positive("radius", self.radius)

    def outside(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Shape`."""
        distance: NDArray[np.float64] = np.linalg.norm(points - self.centre, axis=1) - self.radius
        return distance

    def bounds(self) -> NDArray[np.float64]:
        """See `Shape`."""
        return np.stack([self.centre - self.radius, self.centre + self.radius])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cylinder:
    """A cylinder of ``radius`` (m) with flat ends at ``start`` and ``end`` (m), shape (3,)."""

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    radius: float

    def __post_init__(self) -> None:
        """Check the sizes."""
        _check_axis(self)

    def outside(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Shape`."""
        along, across, length = _on_axis(self, points)
        axial = np.abs(along - 0.5 * length) - 0.5 * length
        radial = across - self.radius
        distance: NDArray[np.float64] = np.hypot(
            np.maximum(axial, 0), np.maximum(radial, 0)
        ) + np.minimum(np.maximum(axial, radial), 0)
        return distance

    def bounds(self) -> NDArray[np.float64]:
        """See `Shape`."""
        return _bounds_of_axis(self)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Capsule:
    """All within ``radius`` (m) of the line from ``start`` to ``end`` (m): round ends."""

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    radius: float

    def __post_init__(self) -> None:
        """Check the sizes."""
        _check_axis(self)

    def outside(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Shape`."""
        along, across, length = _on_axis(self, points)
        beyond = np.maximum(np.abs(along - 0.5 * length) - 0.5 * length, 0)
        distance: NDArray[np.float64] = np.hypot(beyond, across) - self.radius
        return distance

    def bounds(self) -> NDArray[np.float64]:
        """See `Shape`."""
        return _bounds_of_axis(self)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Box:
    """A box.

    Parameters
    ----------
    centre
        Middle (m), shape (3,).
    size
        Lengths of its edges (m), shape (3,).
    axes
        Unit vectors along its edges, one a row, shape (3, 3).
    """

    centre: NDArray[np.float64]
    size: NDArray[np.float64]
    axes: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))

    def __post_init__(self) -> None:
        """Check the sizes."""
        object.__setattr__(self, "centre", point("centre", self.centre))
        object.__setattr__(self, "size", point("size", self.size))
        object.__setattr__(self, "axes", np.asarray(self.axes, dtype=np.float64))
        if not (self.size > 0).all():
            raise InputError(f"size must be > 0 m, got {self.size.tolist()}")
        if self.axes.shape != (3, 3) or not np.allclose(self.axes @ self.axes.T, np.eye(3)):
            raise InputError(f"axes must be three orthogonal unit rows, got {self.axes.tolist()}")

    def outside(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Shape`."""
        q = np.abs((points - self.centre) @ self.axes.T) - 0.5 * self.size
        distance: NDArray[np.float64] = np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(
            q.max(axis=1), 0
        )
        return distance

    def bounds(self) -> NDArray[np.float64]:
        """See `Shape`."""
        half = 0.5 * self.size @ np.abs(self.axes)
        return np.stack([self.centre - half, self.centre + half])


def point(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """Return three finite coordinates (m) or raise, naming them."""
    coordinates = np.asarray(value, dtype=np.float64)
    if coordinates.shape != (3,) or not np.isfinite(coordinates).all():
        raise InputError(f"{name} must be three finite coordinates (m), got {value!r}")
    return coordinates


def _check_axis(shape: Cylinder | Capsule) -> None:
    for name in ("start", "end"):
        object.__setattr__(shape, name, point(name, getattr(shape, name)))
    check_positive("radius", shape.radius)
    if not np.linalg.norm(shape.end - shape.start) > 0:
        raise InputError(f"expected two different ends, got {shape.start.tolist()} twice")


def _on_axis(
    shape: Cylinder | Capsule, points: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return how far along and off the axis points lie (m), and the length of the axis (m)."""
    length = float(np.linalg.norm(shape.end - shape.start))
    axis = (shape.end - shape.start) / length
    here = points - shape.start
    along = here @ axis
    return along, np.linalg.norm(here - along[:, None] * axis, axis=1), length


def _bounds_of_axis(shape: Cylinder | Capsule) -> NDArray[np.float64]:
    ends = np.stack([shape.start, shape.end])
    return np.stack([ends.min(axis=0) - shape.radius, ends.max(axis=0) + shape.radius])
