"""Hexagonal columns: where they stand, where their cells lie, how much two of them connect."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

PARTS = 9  # of a side of each of the six triangles of a hexagon when means are taken


def hexagon_centres(spacing: float) -> NDArray[np.float64]:
    """Return the centres (m) of a hexagon and of its six neighbours, shape (7, 2)."""
    angle = np.arange(6) * np.pi / 3
    ring = spacing * np.column_stack([np.cos(angle), np.sin(angle)])
    return np.vstack([np.zeros((1, 2)), ring])


def in_hexagon(points: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
    """Return which points (n, 2) lie in the hexagon of circumscribed ``radius`` about 0.

    Its sides face its neighbours, which stand at angles of 0, 60, … degrees.
    """
    angle = np.arange(3) * np.pi / 3
    across = np.abs(points @ np.array([np.cos(angle), np.sin(angle)]))
    inside: NDArray[np.bool_] = (across <= radius * np.sqrt(3) / 2).all(axis=1)
    return inside


def hexagon_area(radius: float) -> float:
    """Return the area (m²) of a hexagon of circumscribed ``radius`` (m)."""
    return float(1.5 * np.sqrt(3) * radius**2)


def draw_in_hexagon(n: int, radius: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return ``n`` points spread evenly in the hexagon about 0, shape (n, 2)."""
    out = np.empty((0, 2))
    while len(out) < n:
        points = rng.uniform(-radius, radius, (2 * n + 8, 2))
        out = np.vstack([out, points[in_hexagon(points, radius)]])
    return out[:n]


@cache
def mean_profile(radius: float, offset: tuple[float, float], sigma: float) -> float:
    """Return the mean of exp(-r²/(2 sigma²)) over pairs of points of two hexagons.

    Parameters
    ----------
    radius
        Circumscribed radius (m) of both.
    offset
        From the centre of one to the centre of the other (m).
    sigma
        Lateral decay (m).

    Examples
    --------
    >>> round(mean_profile(173e-6, (0.0, 0.0), 1.0), 4)  # no decay within a metre
    1.0
    """
    a = _centroids(radius)
    b = a + np.asarray(offset)
    near = [np.exp(-((a[:, None, k] - b[None, :, k]) ** 2) / (2 * sigma**2)) for k in (0, 1)]
    return float((near[0] * near[1]).mean())


def _centroids(radius: float) -> NDArray[np.float64]:
    """Return the centroids of 6 PARTS² equal triangles that make up the hexagon, shape (n, 2)."""
    i, j = np.meshgrid(np.arange(PARTS), np.arange(PARTS), indexing="ij")
    up, down = (i + j < PARTS), (i + j < PARTS - 1)
    first = np.concatenate([i[up] + 1 / 3, i[down] + 2 / 3]) / PARTS
    second = np.concatenate([j[up] + 1 / 3, j[down] + 2 / 3]) / PARTS
    angle = np.pi / 6 + np.pi / 3 * np.arange(7)
    corner = radius * np.column_stack([np.cos(angle), np.sin(angle)])
    triangles = [first[:, None] * p + second[:, None] * q for p, q in pairwise(corner)]
    return np.concatenate(triangles)
