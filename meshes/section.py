"""Plane sections of a tetrahedral mesh: polygons of the elements, lines of the interfaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.mesh import TetMesh

#: Corners of a section through a tetrahedron whose corners are sorted by side, nodes of the
#: positive side first: two nodes of an edge each, by the number of positive nodes.
_EDGES = {
    1: ((0, 1), (0, 2), (0, 3), (0, 3)),
    2: ((0, 2), (0, 3), (1, 3), (1, 2)),
    3: ((0, 3), (1, 3), (2, 3), (2, 3)),
}
_FACES = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Section:
    """A mesh cut by a plane across one axis.

    Parameters
    ----------
    axis, at
        The plane: coordinate ``axis`` is ``at`` (m).
    polygons
        Corners in the plane (m), shape (n, 4, 2): the two other axes in rising order; a triangle
        has its last corner twice.
    labels
        Label of each polygon, shape (n,).
    lines
        Ends of the lines between two labels, or a label and the outside (m), shape (m, 2, 2).
    line_labels
        The two labels of each line, lower first, 0 for the outside, shape (m, 2).
    """

    axis: int
    at: float
    polygons: NDArray[np.float64]
    labels: NDArray[np.int32]
    lines: NDArray[np.float64]
    line_labels: NDArray[np.int32]

    def areas(self) -> NDArray[np.float64]:
        """Return the area of each polygon (m²), shape (n,)."""
        a, b = self.polygons, np.roll(self.polygons, -1, axis=1)
        twice = (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).sum(axis=1)
        areas: NDArray[np.float64] = 0.5 * np.abs(twice)
        return areas


def section(mesh: TetMesh, axis: int, at: float) -> Section:
    """Cut a mesh by the plane where coordinate ``axis`` is ``at`` (m).

    A node exactly on the plane counts as a hair above it, so no section degenerates.
    """
    height = mesh.nodes[:, axis] - at
    reach = np.ptp(mesh.nodes[:, axis])
    height = np.where(np.abs(height) < 1e-9 * reach, 1e-9 * reach, height)
    above = height[mesh.tets] > 0
    count = above.sum(axis=1)
    cut = np.flatnonzero((count > 0) & (count < 4))
    tets, above, count = mesh.tets[cut], above[cut], count[cut]
    sides = np.take_along_axis(tets, np.argsort(~above, axis=1, kind="stable"), axis=1)
    plane = [k for k in range(3) if k != axis]
    polygons = np.empty((len(cut), 4, 2))
    for n, edges in _EDGES.items():
        which = count == n
        for corner, (i, j) in enumerate(edges):
            ends = sides[which][:, [i, j]]
            polygons[which, corner] = _crossing(mesh.nodes, height, ends)[:, plane]
    lines, pairs = _lines(mesh, height, cut)
    return Section(
        axis=axis,
        at=at,
        polygons=polygons,
        labels=mesh.labels[cut],
        lines=lines[..., plane],
        line_labels=pairs,
    )


def _crossing(
    nodes: NDArray[np.float64], height: NDArray[np.float64], ends: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Return where edges between nodes on two sides meet the plane, shape (n, 3)."""
    a, b = ends[:, 0], ends[:, 1]
    t = (height[a] / (height[a] - height[b]))[:, None]
    points: NDArray[np.float64] = (1 - t) * nodes[a] + t * nodes[b]
    return points


def _lines(
    mesh: TetMesh, height: NDArray[np.float64], cut: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return the interfaces in the plane, shape (m, 2, 3), and their labels, shape (m, 2).

    Both tetrahedra at a face that crosses the plane cross it, so the cut ones are enough.
    """
    faces = np.sort(mesh.tets[cut][:, _FACES].reshape(-1, 3), axis=1)
    owner = np.repeat(mesh.labels[cut], 4)
    above = height[faces] > 0
    crossing = above.any(axis=1) & ~above.all(axis=1)
    faces, owner, above = faces[crossing], owner[crossing], above[crossing]
    order = np.lexsort(faces.T)
    faces, owner, above = faces[order], owner[order], above[order]
    new = np.ones(len(faces), np.bool_)
    new[1:] = (faces[1:] != faces[:-1]).any(axis=1)
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(faces))[: len(first)] - 1
    pairs = np.stack([owner[first], np.where(last > first, owner[last], 0)], axis=1)
    between = pairs[:, 0] != pairs[:, 1]
    first, pairs = first[between], np.sort(pairs[between], axis=1)
    # the lone node of its side comes first, the line joins the edges from it to the two others
    alone = (above[first].sum(axis=1) == 1)[:, None]
    order = np.argsort(above[first] != alone, axis=1, kind="stable")
    sides = np.take_along_axis(faces[first], order, axis=1)
    ends = [_crossing(mesh.nodes, height, sides[:, [0, k]]) for k in (1, 2)]
    return np.stack(ends, axis=1), pairs.astype(np.int32)
