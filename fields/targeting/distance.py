"""Distance from the scalp on a grid: how near a casing is, and surfaces parallel to the scalp."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.files.surface_tree import SurfaceTree
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.regions.inside import ClosedSurface

SPACING = 0.004  # of the grid (m): linear interpolation is good to 0.03 mm over the vault
MARGIN = 0.030  # of the grid around the head (m); beyond it nothing is near the scalp
_NEWTON = 4  # steps of a point towards a parallel surface


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ScalpDistance:
    """Signed distance from the scalp, > 0 outside the head.

    Parameters
    ----------
    low
        First point of the grid (m), shape (3,).
    spacing
        Of the grid (m).
    values
        Distance (m), shape (nx, ny, nz).
    """

    low: NDArray[np.float64]
    spacing: float
    values: NDArray[np.float64]

    @classmethod
    def of_scalp(cls, scalp: Scalp, spacing: float = SPACING) -> ScalpDistance:
        """Measure the distance on a grid around the head."""
        corners = scalp.nodes[scalp.triangles]
        low = corners.min(axis=(0, 1)) - MARGIN
        grid, shape = grid_points(low, corners.max(axis=(0, 1)) + MARGIN, spacing)
        foot = SurfaceTree.of_triangles(corners).nearest(grid)
        away = np.linalg.norm(grid - foot, axis=1)
        inside = ClosedSurface(points=scalp.nodes, triangles=scalp.triangles).contains(grid)
        away[inside] *= -1.0
        return cls(low=low, spacing=spacing, values=away.reshape(shape))

    def at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the distance (m) at points (..., 3); at least `MARGIN` beyond the grid."""
        from rheobase.fields.targeting._poses_numba import trilinear

        p = np.ascontiguousarray(points, dtype=np.float64)
        out = np.empty(p.shape[:-1])
        trilinear(self.values, self.low, self.spacing, MARGIN, p.reshape(-1, 3), out.reshape(-1))
        return out

    def surface(
        self, level: float, spacing: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return points at a distance from the scalp, one in each cell that the surface crosses.

        Parameters
        ----------
        level
            Distance (m), < 0 inside the head.
        spacing
            Edge of the cells (m).

        Returns
        -------
        points : ndarray, shape (n, 3)
        normals : ndarray, shape (n, 3)
            Away from the head.
        """
        d = self.values
        slope = [np.ascontiguousarray(np.gradient(d, self.spacing, axis=k)) for k in range(3)]
        near = np.argwhere(np.abs(d - level) < self.spacing)
        points = self.low + self.spacing * near
        for _ in range(_NEWTON):
            normals = self._vector(slope, points)
            points = points - (self.at(points) - level)[:, None] * normals
        points = points[np.abs(self.at(points) - level) < 0.1 * self.spacing]
        cell = np.floor((points - self.low) / spacing).astype(np.int64)
        middle = (points - self.low) / spacing - cell - 0.5
        order = np.argsort((middle**2).sum(axis=1))
        points = points[order[np.unique(cell[order], axis=0, return_index=True)[1]]]
        return points, self._vector(slope, points)

    def _vector(
        self, field: list[NDArray[np.float64]], points: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return unit vectors of a field on the grid, an array an axis, at points, (n, 3)."""
        from rheobase.fields.targeting._poses_numba import trilinear

        out = np.empty_like(points)
        for axis, values in enumerate(field):
            part = np.empty(len(points))
            trilinear(values, self.low, self.spacing, 0.0, points, part)
            out[:, axis] = part
        return out / np.linalg.norm(out, axis=1, keepdims=True)


def grid_points(
    low: NDArray[np.float64], high: NDArray[np.float64], spacing: float
) -> tuple[NDArray[np.float64], tuple[int, int, int]]:
    """Return the points (n, 3) of a grid (m) from one corner to beyond the other, and its shape."""
    nx, ny, nz = (np.ceil((high - low) / spacing).astype(int) + 1).tolist()
    index = np.indices((nx, ny, nz)).reshape(3, -1).T
    return low + spacing * index, (nx, ny, nz)
