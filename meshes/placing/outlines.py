"""Outlines of pads: plane shapes as signed distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError


@dataclass(frozen=True, kw_only=True, slots=True)
class Disc:
    """A round pad of radius ``radius_mm``."""

    radius_mm: float = 12.0

    def __post_init__(self) -> None:
        """Check the radius."""
        positive("radius_mm", self.radius_mm)

    @property
    def reach(self) -> float:
        """Largest distance from the centre (m)."""
        return self.radius_mm * 1e-3

    @property
    def area(self) -> float:
        """Nominal area (m²)."""
        return np.pi * (self.radius_mm * 1e-3) ** 2

    def outside(self, uv: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the signed distance (m) of in-plane points (n, 2) from the edge, < 0 inside."""
        distance: NDArray[np.float64] = np.hypot(uv[:, 0], uv[:, 1]) - self.radius_mm * 1e-3
        return distance


@dataclass(frozen=True, kw_only=True, slots=True)
class Rectangle:
    """A pad of ``width_mm`` × ``height_mm``.

    ``rotation_deg`` turns it, seen from outside: at 0 the height runs from back to front (as
    carried over the head from the vertex) and positive angles turn anticlockwise.
    """

    width_mm: float = 50.0
    height_mm: float = 50.0
    rotation_deg: float = 0.0

    def __post_init__(self) -> None:
        """Check the sizes."""
        positive("width_mm", self.width_mm)
        positive("height_mm", self.height_mm)

    @property
    def reach(self) -> float:
        """Largest distance from the centre (m)."""
        return float(np.hypot(self.width_mm, self.height_mm)) * 0.5e-3

    @property
    def area(self) -> float:
        """Nominal area (m²)."""
        return self.width_mm * self.height_mm * 1e-6

    def outside(self, uv: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the signed distance (m) of in-plane points (n, 2) from the edge, < 0 inside."""
        angle = np.deg2rad(self.rotation_deg)
        c, s = np.cos(angle), np.sin(angle)
        across = np.abs(c * uv[:, 0] + s * uv[:, 1]) - 0.5e-3 * self.width_mm
        along = np.abs(-s * uv[:, 0] + c * uv[:, 1]) - 0.5e-3 * self.height_mm
        distance: NDArray[np.float64] = np.hypot(
            np.maximum(across, 0), np.maximum(along, 0)
        ) + np.minimum(np.maximum(across, along), 0)
        return distance


@dataclass(frozen=True, kw_only=True, slots=True)
class Polygon:
    """A pad of any outline.

    Parameters
    ----------
    corners_mm
        Corners in order, at least three, (right, front) of the centre as `Rectangle` has them;
        sides must not cross.

    Raises
    ------
    InputError
        If there are fewer than three corners or the polygon has no area.
    """

    corners_mm: Sequence[tuple[float, float]]

    def __post_init__(self) -> None:
        """Check the corners."""
        corners = np.asarray(self.corners_mm, dtype=np.float64)
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
            raise InputError(
                f"corners_mm must be three or more (right, front) pairs, got shape {corners.shape}"
            )
        if not np.isfinite(corners).all():
            raise InputError("corners_mm must be finite")
        object.__setattr__(self, "corners_mm", tuple((float(u), float(v)) for u, v in corners))
        if not self.area > 1e-12 * self.reach**2:
            raise InputError(f"corners_mm enclose no area, got {corners.tolist()}")

    @property
    def reach(self) -> float:
        """Largest distance from the centre (m)."""
        return float(np.linalg.norm(self.corners_mm, axis=1).max()) * 1e-3

    @property
    def area(self) -> float:
        """Nominal area (m²)."""
        u, v = np.array(self.corners_mm).T * 1e-3
        return float(abs(u @ np.roll(v, -1) - v @ np.roll(u, -1))) / 2

    def outside(self, uv: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the signed distance (m) of in-plane points (n, 2) from the edge, < 0 inside."""
        a = np.array(self.corners_mm) * 1e-3
        nearest = np.full(len(uv), np.inf)
        inside = np.zeros(len(uv), np.bool_)
        for start, end in zip(a, np.roll(a, -1, axis=0), strict=True):
            along, here = end - start, uv - start
            t = np.clip(here @ along / max(float(along @ along), 1e-300), 0.0, 1.0)
            nearest = np.minimum(nearest, np.linalg.norm(here - t[:, None] * along, axis=1))
            # sides that a ray to the right crosses
            spans = (start[1] > uv[:, 1]) != (end[1] > uv[:, 1])
            rise = along[1] if along[1] != 0 else 1.0
            inside ^= spans & (here[:, 0] < along[0] * here[:, 1] / rise)
        distance: NDArray[np.float64] = np.where(inside, -nearest, nearest)
        return distance


def positive(name: str, value: float) -> None:
    """Check a size.

    Raises
    ------
    InputError
        If it is not finite and > 0.
    """
    if not (np.isfinite(value) and value > 0):
        raise InputError(f"{name} must be > 0, got {value!r}")
