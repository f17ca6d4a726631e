"""Which points lie inside a closed surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ClosedSurface:
    """A closed surface; inside is where a ray leaves through an odd number of triangles.

    The rule at edges and corners is one for both triangles that share them, so that no ray slips
    through or counts twice.

    Parameters
    ----------
    points, triangles
        Surface (m), shapes (n, 3) and (n_triangles, 3). Which way the triangles face is of no
        importance; several nested or separate surfaces may be given as one.

    Raises
    ------
    InputError
        If an edge does not belong to an even number of triangles.
    """

    points: Floats
    triangles: NDArray[np.int32]

    def __post_init__(self) -> None:
        """Check that the surface is closed."""
        x = np.ascontiguousarray(self.points, dtype=np.float64)
        t = np.ascontiguousarray(self.triangles, dtype=np.int32)
        object.__setattr__(self, "points", x)
        object.__setattr__(self, "triangles", t)
        if x.ndim != 2 or x.shape[1] != 3 or t.ndim != 2 or t.shape[1] != 3 or not len(t):
            raise InputError(
                f"expected points (n, 3) and triangles (m, 3), got {x.shape} and {t.shape}"
            )
        if not np.isfinite(x).all() or t.min() < 0 or t.max() >= len(x):
            raise InputError(f"expected finite points and triangles over {len(x)} of them")
        edges = np.sort(t[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1).astype(np.int64)
        _, count = np.unique(edges[:, 0] * len(x) + edges[:, 1], return_counts=True)
        odd = np.count_nonzero(count % 2)
        if odd:
            raise InputError(
                f"expected a closed surface, got {odd} edges with an odd number of triangles"
            )

    def contains(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Return which of ``points`` (m), shape (n, 3), lie inside; NaN lies outside."""
        from rheobase.meshes.regions._inside_numba import columns_of_triangles, crossings_above

        x = np.asarray(points, dtype=np.float64)
        corners = self.points[self.triangles]
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        out = np.zeros(len(x), bool)
        near = np.flatnonzero(((x >= low) & (x <= high)).all(axis=1))
        if not len(near):
            return out
        cell = max(float(np.sqrt((high - low)[:2].prod() / len(corners))), 1e-9)
        shape = np.floor((high - low)[:2] / cell).astype(np.int64) + 1
        first = np.zeros(int(shape.prod()) + 1, np.int64)
        columns_of_triangles(corners, low, cell, shape, first, np.empty(0, np.int64))
        first = np.cumsum(first)
        members = np.empty(int(first[-1]), np.int64)
        columns_of_triangles(corners, low, cell, shape, first[:-1].copy(), members)
        found = np.empty(len(near), np.bool_)
        crossings_above(x[near], corners, low, cell, shape, first, members, found)
        out[near] = found
        return out
