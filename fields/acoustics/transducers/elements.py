"""Shapes of transducer elements, and points that integrate over them.

An element has its own frame: the apex (or middle of the face) at the origin, +z along its normal.
On a sphere of radius R the squared distance q from the apex measures area, dA = pi dq, as on a
plane, where R is infinite; the height of a point above the apex is q/2R. So one rule serves cap,
spherical ring, disc and annulus: Gauss points in q, whose weights add up to the exact area, and
evenly spaced points around each circle, which converge faster than any power. Seen along a
diameter, n Gauss points in q lie as 2n Gauss points do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import asin, ceil, inf, isfinite, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_positive

Floats = NDArray[np.float64]
LARGEST = 1.0  # m; a wider element was given in millimetres
_POINT = 300  # bytes a point takes while a source is made
EXTRA_AROUND = 5  # points on a circle: the error falls by 1e4 at any spacing


@dataclass(frozen=True, slots=True)
class Facets:
    """Points of an element, their normals and areas.

    Parameters
    ----------
    points, normals
        Positions (m) and unit vectors, shape (n, 3).
    area
        Weight of each point (m²), shape (n,).
    """

    points: Floats
    normals: Floats
    area: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """A spherical ring or cap, or a flat annulus or disc.

    Parameters
    ----------
    outer_radius, inner_radius
        Distance of the rims from the axis (m); the inner one is 0 for a cap or disc.
    curvature_radius
        Radius of the sphere (m), infinite for a flat one. At most a hemisphere.

    Raises
    ------
    InputError
        If the radii make no ring.
    """

    outer_radius: float
    inner_radius: float = 0.0
    curvature_radius: float = inf

    def __post_init__(self) -> None:
        """Check the radii."""
        check_size("outer radius (m) of an element", self.outer_radius, 0.5 * LARGEST)
        if not 0.0 <= self.inner_radius < self.outer_radius:
            raise InputError(
                f"expected an inner radius within 0 … {self.outer_radius:g} m, "
                f"got {self.inner_radius}: element"
            )
        if not self.curvature_radius >= self.outer_radius * (1 - 1e-12):
            raise InputError(
                "expected a radius of curvature of at least half the aperture, "
                f"{self.outer_radius:g} m, got {self.curvature_radius}: element"
            )

    def height(self, radius: float) -> float:
        """Return how far (m) the surface at ``radius`` (m) lies above the apex."""
        R = self.curvature_radius
        return radius**2 / (R + sqrt(max(R * R - radius * radius, 0.0))) if isfinite(R) else 0.0

    @property
    def area(self) -> float:
        """Area (m²)."""
        low, high = self._squares()
        return pi * (high - low)

    def _squares(self) -> tuple[float, float]:
        """Return the squared distance of the inner and outer rim from the apex (m²)."""
        low, high = (r**2 + self.height(r) ** 2 for r in (self.inner_radius, self.outer_radius))
        return low, high

    def rows(self, spacing: float) -> int:
        """Return how many Gauss points lie along a line across the element."""
        R = self.curvature_radius
        length = self.outer_radius - self.inner_radius
        if isfinite(R):
            length = R * (asin(min(self.outer_radius / R, 1.0)) - asin(self.inner_radius / R))
        return _rows(length, spacing)

    def facets(self, spacing: float) -> Facets:
        """Return points at most ``spacing`` (m) apart."""
        low, high = self._squares()
        R = self.curvature_radius
        n = self.rows(spacing)
        at, weight = np.polynomial.legendre.leggauss(n)
        q = 0.5 * (low + high) + 0.5 * (high - low) * at
        height = q / (2 * R)
        radius = np.sqrt(q - height**2)
        around = np.ceil(2 * pi * radius / spacing).astype(int) + EXTRA_AROUND
        circle = np.repeat(np.arange(n), around)
        first = np.cumsum(around) - around
        angle = 2 * pi * (np.arange(len(circle)) - first[circle] + 0.5) / around[circle]
        points = np.stack(
            [radius[circle] * np.cos(angle), radius[circle] * np.sin(angle), height[circle]], axis=1
        )
        normals = -points / R
        normals[:, 2] += 1.0
        area = 0.5 * pi * (high - low) * weight / around
        return Facets(points, normals, area[circle])

    def rim(self, n: int = 24) -> Floats:
        """Return points (m) on the outer rim, shape (n, 3)."""
        angle = 2 * pi * np.arange(n) / n
        return np.stack(
            [
                self.outer_radius * np.cos(angle),
                self.outer_radius * np.sin(angle),
                np.full(n, self.height(self.outer_radius)),
            ],
            axis=1,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectangle:
    """A flat rectangle.

    Parameters
    ----------
    width, height
        Sides along the element's x and y (m).

    Raises
    ------
    InputError
        If a side is not > 0.
    """

    width: float
    height: float

    def __post_init__(self) -> None:
        """Check the sides."""
        check_size("width (m) of an element", self.width, LARGEST)
        check_size("height (m) of an element", self.height, LARGEST)

    @property
    def area(self) -> float:
        """Area (m²)."""
        return self.width * self.height

    @property
    def outer_radius(self) -> float:
        """Half the shorter side (m): how near another element may come."""
        return 0.5 * min(self.width, self.height)

    def rows(self, spacing: float) -> int:
        """Return how many Gauss points lie along the longer side."""
        return _rows(max(self.width, self.height), spacing)

    def facets(self, spacing: float) -> Facets:
        """Return points at most ``spacing`` (m) apart."""
        x, wx = _gauss(self.width, spacing)
        y, wy = _gauss(self.height, spacing)
        points = np.zeros((len(x) * len(y), 3))
        points[:, 0] = np.repeat(x, len(y))
        points[:, 1] = np.tile(y, len(x))
        normals = np.zeros_like(points)
        normals[:, 2] = 1.0
        return Facets(points, normals, np.outer(wx, wy).ravel())

    def rim(self) -> Floats:
        """Return the corners (m), shape (4, 3)."""
        x, y = 0.5 * self.width, 0.5 * self.height
        return np.array([[x, y, 0.0], [-x, y, 0.0], [-x, -y, 0.0], [x, -y, 0.0]])


Shape = Ring | Rectangle


def check_size(what: str, value: float, most: float) -> None:
    """Refuse a length (m) that is not > 0, or that only makes sense in millimetres."""
    check_positive(what, value)
    if value > most:
        raise InputError(f"expected metres, at most {most:g}, got {value:g}: {what}")


def bytes_needed(shapes: Sequence[Shape], n_elements: int, spacing: float) -> int:
    """Return the memory that points of elements ``spacing`` (m) apart take, about."""
    each = 1 if len(shapes) > 1 else n_elements
    # (pi/2)² Gauss points a spacing² at most; the rule itself is an eigenvalue problem
    points = sum(0.25 * pi**2 * s.area / spacing**2 for s in shapes) * each
    return int(_POINT * points + 24 * max(s.rows(spacing) for s in shapes) ** 2)


def _rows(length: float, spacing: float) -> int:
    return ceil(pi * length / (2 * spacing)) + 1


def _gauss(length: float, spacing: float) -> tuple[Floats, Floats]:
    """Return Gauss points and weights on a side centred at 0."""
    at, weight = np.polynomial.legendre.leggauss(_rows(length, spacing))
    return 0.5 * length * at, 0.5 * length * weight
