"""Outlines of pads: plane shapes as signed distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_positive


@dataclass(frozen=True, kw_only=True, slots=True)
class Disc:
    """A round pad of radius ``radius_mm``."""

    radius_mm: float = 12.0

    def __post_init__(self) -> None:
        """Check the radius."""
        check_positive("radius_mm", self.radius_mm)

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
    """A pad of ``width_mm`` (to the right) × ``height_mm`` (to the front), corners rounded or not.

    Parameters
    ----------
    width_mm, height_mm
        Sizes.
    corner_radius_mm
        Radius of the corners, 0 for sharp ones.

    Raises
    ------
    InputError
        If a size is not > 0 or the corners do not fit into it.
    """

    width_mm: float = 50.0
    height_mm: float = 50.0
    corner_radius_mm: float = 0.0

    def __post_init__(self) -> None:
        """Check the sizes."""
        check_positive("width_mm", self.width_mm)
        check_positive("height_mm", self.height_mm)
        most = 0.5 * min(self.width_mm, self.height_mm)
        if not 0 <= self.corner_radius_mm <= most:
            raise InputError(
                f"corner_radius_mm must be from 0 to {most:g}, half the shorter side, "
                f"got {self.corner_radius_mm!r}"
            )

    @property
    def reach(self) -> float:
        """Largest distance from the centre (m)."""
        r = self.corner_radius_mm
        straight = np.hypot(0.5 * self.width_mm - r, 0.5 * self.height_mm - r)
        return float(straight + r) * 1e-3

    @property
    def area(self) -> float:
        """Nominal area (m²)."""
        corners = (4 - np.pi) * self.corner_radius_mm**2
        return float(self.width_mm * self.height_mm - corners) * 1e-6

    def outside(self, uv: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the signed distance (m) of in-plane points (n, 2) from the edge, < 0 inside."""
        r = 1e-3 * self.corner_radius_mm
        across = np.abs(uv[:, 0]) - (0.5e-3 * self.width_mm - r)
        along = np.abs(uv[:, 1]) - (0.5e-3 * self.height_mm - r)
        distance: NDArray[np.float64] = (
            np.hypot(np.maximum(across, 0), np.maximum(along, 0))
            + np.minimum(np.maximum(across, along), 0)
            - r
        )
        return distance


@dataclass(frozen=True, kw_only=True, slots=True)
class Ring:
    """What lies between two circles of ``inner_radius_mm`` and ``outer_radius_mm``."""

    inner_radius_mm: float
    outer_radius_mm: float

    def __post_init__(self) -> None:
        """Check the radii."""
        check_positive("inner_radius_mm", self.inner_radius_mm)
        check_positive("outer_radius_mm", self.outer_radius_mm)
        if not self.outer_radius_mm > self.inner_radius_mm:
            raise InputError(
                f"outer_radius_mm must be > inner_radius_mm ({self.inner_radius_mm:g}), "
                f"got {self.outer_radius_mm!r}"
            )

    @property
    def reach(self) -> float:
        """Largest distance from the centre (m)."""
        return self.outer_radius_mm * 1e-3

    @property
    def area(self) -> float:
        """Nominal area (m²)."""
        return np.pi * (self.outer_radius_mm**2 - self.inner_radius_mm**2) * 1e-6

    def outside(self, uv: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the signed distance (m) of in-plane points (n, 2) from the edge, < 0 inside."""
        r = np.hypot(uv[:, 0], uv[:, 1])
        distance: NDArray[np.float64] = np.maximum(
            r - 1e-3 * self.outer_radius_mm, 1e-3 * self.inner_radius_mm - r
        )
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
        If there are fewer than three corners, or sides cross or touch.
    """

    corners_mm: Sequence[tuple[float, float]]

    def __post_init__(self) -> None:
        """Check the corners."""
        try:
            corners = np.asarray(self.corners_mm, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError(
                f"corners_mm must be (right, front) pairs, got {str(self.corners_mm)[:60]}"
            ) from None
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
            raise InputError(
                f"corners_mm must be three or more (right, front) pairs, got shape {corners.shape}"
            )
        if not np.isfinite(corners).all():
            raise InputError("corners_mm must be finite")
        object.__setattr__(self, "corners_mm", tuple((float(u), float(v)) for u, v in corners))
        meeting = _sides_that_meet(corners)
        if meeting is not None:
            i, j = meeting
            raise InputError(
                f"expected sides that do not cross or touch, got sides {i + 1} and {j + 1} of "
                f"corners_mm = {corners.tolist()} that do"
            )

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


#: The outlines there are.
Outline = Disc | Rectangle | Ring | Polygon


def _sides_that_meet(
    corners: NDArray[np.float64],
) -> tuple[int, int] | None:
    """Return two sides of a polygon that meet elsewhere than in a common corner, None if none do.

    Parameters
    ----------
    corners
        Corners (mm), shape (n, 2); side k runs from corner k to the next one.
    """
    n = len(corners)
    start, end = corners, np.roll(corners, -1, axis=0)
    along = end - start
    near = 1e-6 * np.abs(corners).max()
    length = np.linalg.norm(along, axis=1)
    if (length <= near).any():
        k = int(length.argmin())
        return k, (k + 1) % n

    def turn(point: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return on which side of each side (row) each point (column) lies."""
        d = point[None] - start[:, None]
        side: NDArray[np.float64] = along[:, None, 0] * d[..., 1] - along[:, None, 1] * d[..., 0]
        return side

    apart = turn(start) * turn(end) < 0
    d = corners[None] - start[:, None]
    t = np.clip((d * along[:, None]).sum(-1) / length[:, None] ** 2, 0, 1)
    touches = np.linalg.norm(d - t[..., None] * along[:, None], axis=-1) <= near
    own = np.arange(n)
    touches[own, own] = touches[own, (own + 1) % n] = False
    meets = (apart & apart.T) | touches
    found = np.argwhere(meets)
    return None if len(found) == 0 else (int(found[0].min()), int(found[0].max()))
