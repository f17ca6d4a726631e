"""Nearest points of a triangulated surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Triangles in a leaf of the tree.
LEAF = 6


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SurfaceTree:
    """Triangles under a tree of boxes.

    Parameters
    ----------
    corners
        Corners of the triangles in the order of the tree (m), shape (n, 3, 3).
    low, high
        Box of each tree node (m), shape (n_boxes, 3).
    children
        Two children of each tree node, -1 for a leaf, shape (n_boxes, 2).
    span
        First triangle of each tree node and the one after its last, shape (n_boxes, 2).
    """

    corners: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    children: NDArray[np.int64]
    span: NDArray[np.int64]

    @classmethod
    def of_triangles(cls, corners: NDArray[np.float64]) -> SurfaceTree:
        """Build the tree over triangles of corners (m), shape (n > 0, 3, 3), by halves."""
        centre = corners.mean(axis=1)
        order = np.arange(len(corners))
        low, high = [], []
        children: list[list[int]] = []
        span: list[tuple[int, int]] = []
        pending = [(0, len(corners), -1, 0)]
        while pending:
            start, stop, parent, side = pending.pop()
            mine = order[start:stop]
            if parent >= 0:
                children[parent][side] = len(span)
            low.append(corners[mine].min(axis=(0, 1)))
            high.append(corners[mine].max(axis=(0, 1)))
            span.append((start, stop))
            children.append([-1, -1])
            if stop - start > LEAF:
                middle = (stop - start) // 2
                axis = int(np.ptp(centre[mine], axis=0).argmax())
                order[start:stop] = mine[np.argpartition(centre[mine, axis], middle)]
                here = len(span) - 1
                pending.append((start, start + middle, here, 0))
                pending.append((start + middle, stop, here, 1))
        return cls(
            corners=np.ascontiguousarray(corners[order]),
            low=np.array(low),
            high=np.array(high),
            children=np.array(children, np.int64),
            span=np.array(span, np.int64),
        )

    def nearest(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the point of the surface nearest to each point (m), shape (n, 3).

        Examples
        --------
        >>> tree = SurfaceTree.of_triangles(np.array([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]]))
        >>> tree.nearest(np.array([[0.2, 0.2, 0.5], [2.0, 0.0, 1.0]])).tolist()
        [[0.2, 0.2, 0.0], [1.0, 0.0, 0.0]]
        """
        from rheobase.meshes.files._nearest_numba import nearest_on_surface

        foot = np.empty((len(points), 3))
        nearest_on_surface(
            np.ascontiguousarray(points, dtype=np.float64),
            self.corners,
            self.low,
            self.high,
            self.children,
            self.span,
            foot,
        )
        return foot
