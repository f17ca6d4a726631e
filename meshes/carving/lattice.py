"""The background lattice: a body-centred-cubic (BCC) lattice over a balanced octree.

Corners and centres of equal cubes are the BCC lattice; each pair of adjacent centres and an edge
of the face between them is one tetrahedron, all congruent, with dihedral angles of 60° and 90°
(Labelle & Shewchuk 2007, doi:10.1145/1276377.1276448, who also give the tetrahedra between cubes
of different size: halves and quarters of the same shapes, 45° to 120°).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._threads import in_parts

#: Mean edge of a BCC tetrahedron in units of the cube edge: two edges 1, four edges sqrt(3)/2.
MEAN_EDGE = (2.0 + 4.0 * np.sqrt(0.75)) / 6.0

#: Largest leaf of a graded lattice: 2**3 cells, eight times the finest edge.
MAX_LEVEL = 3

#: Layers of cells whose tetrahedra are made at once; the largest leaves fit in.
SLAB = 1 << MAX_LEVEL


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Octree:
    """A balanced octree on a grid of cells, and the lattice points of its leaves.

    Parameters
    ----------
    origin
        Lowest corner of the box (m), shape (3,).
    cell
        Edges of the smallest cell (m), shape (3,); nearly equal.
    level
        Leaf level of each cell: a leaf spans ``2**level`` cells, int8, shape (nx, ny, nz).
    corners, centres
        Node index of each cell corner and each cell centre, -1 where there is none.
    xyz
        Node coordinates in half cells, int32, shape (n_nodes, 3).
    """

    origin: NDArray[np.float64]
    cell: NDArray[np.float64]
    level: NDArray[np.int8]
    corners: NDArray[np.int32]
    centres: NDArray[np.int32]
    xyz: NDArray[np.int32]

    def nodes(self) -> NDArray[np.float64]:
        """Return the node coordinates (m), shape (n_nodes, 3)."""
        nodes: NDArray[np.float64] = self.origin + self.xyz * (0.5 * self.cell)
        return nodes

    def walls(self) -> NDArray[np.uint8]:
        """Return for each node the axes (bits 1, 2, 4) in which it lies on the box's wall."""
        last = 2 * np.asarray(self.level.shape)
        on = (self.xyz == 0) | (self.xyz == last)
        bits: NDArray[np.uint8] = (on * np.array([1, 2, 4])).sum(axis=1).astype(np.uint8)
        return bits

    def tets(self, material: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the tetrahedra that have at least one node of a material other than 0.

        Parameters
        ----------
        material
            Material of each node, shape (n_nodes,).

        Returns
        -------
        ndarray, shape (n_tets, 4)
            Node indices, positively oriented.
        """
        from rheobase.meshes.carving._lattice_numba import emit_tets

        def emit(some: slice, tets: NDArray[np.int32]) -> int:
            begin, end = np.zeros(3, np.int64), np.array(self.level.shape, np.int64)
            begin[0], end[0] = some.start, some.stop
            grids = (self.level, self.corners, self.centres, material, self.xyz)
            return int(emit_tets(*grids, begin, end, tets))

        none = np.empty((0, 4), np.int32)
        counts = in_parts(lambda some: emit(some, none), len(self.level), SLAB)
        first = np.cumsum([0, *counts])
        tets = np.empty((first[-1], 4), np.int32)

        def write(some: slice) -> None:
            n = some.start // SLAB
            emit(some, tets[first[n] : first[n + 1]])

        in_parts(write, len(self.level), SLAB)
        return tets


def build_octree(
    bounds: NDArray[np.float64],
    edge_length: float,
    size: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
    max_level: int = MAX_LEVEL,
) -> Octree:
    """Build the octree over a box.

    Parameters
    ----------
    bounds
        Lowest and highest corner of the box (m), shape (2, 3); filled exactly.
    edge_length
        Mean edge of the finest tetrahedra (m).
    size
        Wanted mean edge (m) at points of shape (n, 3); None for a uniform lattice. A leaf grows
        only where the whole of it may.
    max_level
        Largest leaf, ``2**max_level`` cells; less where that would stretch the cells by 5 %.

    Returns
    -------
    Octree
        Balanced: leaves that touch, even in a corner, differ by at most one level.
    """
    from rheobase.meshes.carving._lattice_numba import mark_nodes

    low, high = np.asarray(bounds, dtype=np.float64)
    a = edge_length / MEAN_EDGE
    shape = np.maximum(1, np.rint((high - low) / a).astype(int))
    if size is None:
        level = np.zeros(tuple(shape), np.int8)
        cell = (high - low) / shape
    else:
        exact = shape
        for most in range(max_level, -1, -1):  # large leaves only where whole ones fit the box
            block = 1 << most
            shape = block * np.maximum(1, np.rint(exact / block).astype(int))
            if (np.abs(shape / exact - 1.0) < 0.05).all():
                break
        cell = (high - low) / shape
        level = _graded(low, cell, shape, edge_length, size, most)
    corners = np.full(tuple(shape + 1), -1, np.int32)
    centres = np.full(tuple(shape), -1, np.int32)
    xyz = mark_nodes(level, corners, centres)
    return Octree(origin=low, cell=cell, level=level, corners=corners, centres=centres, xyz=xyz)


def _graded(
    low: NDArray[np.float64],
    cell: NDArray[np.float64],
    shape: NDArray[np.int64],
    edge_length: float,
    size: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    max_level: int,
) -> NDArray[np.int8]:
    """Return leaf levels that honour ``size`` and are balanced."""
    from scipy.ndimage import minimum_filter

    axes = [low[d] + (np.arange(shape[d]) + 0.5) * cell[d] for d in range(3)]
    allowed = np.empty(tuple(shape), np.int8)
    for i, x in enumerate(axes[0]):  # one slab of cells at a time bounds the memory
        y, z = np.meshgrid(axes[1], axes[2], indexing="ij")
        points = np.column_stack([np.full(y.size, x), y.ravel(), z.ravel()])
        ratio = np.maximum(np.asarray(size(points)) / edge_length, 1.0)
        steps = np.floor(np.log2(ratio) + 1e-6)  # sizes may be float32
        allowed[i] = np.clip(steps, 0, max_level).reshape(y.shape)
    level = np.zeros(tuple(shape), np.int8)
    for up in range(1, max_level + 1):
        may = _blocks(allowed, up).min(axis=(1, 3, 5)) >= up
        _spread(level, may, up)
    while True:
        lowest = minimum_filter(level, size=3, mode="nearest")
        changed = False
        for up in range(max_level, 1, -1):
            is_leaf = _blocks(level, up).min(axis=(1, 3, 5)) == up
            split = is_leaf & (_blocks(lowest, up).min(axis=(1, 3, 5)) < up - 1)
            if split.any():
                _spread(level, split, up, value=up - 1)
                changed = True
        if not changed:
            return level


def _blocks(grid: NDArray[np.int8], up: int) -> NDArray[np.int8]:
    """View a grid as blocks of ``2**up`` cells, shape (bx, s, by, s, bz, s)."""
    s = 1 << up
    nx, ny, nz = grid.shape
    return grid.reshape(nx // s, s, ny // s, s, nz // s, s)


def _spread(
    level: NDArray[np.int8], blocks: NDArray[np.bool_], up: int, value: int | None = None
) -> None:
    """Set the cells of the chosen blocks of ``2**up`` cells to ``value`` (``up`` if None)."""
    view = _blocks(level, up)
    view[...] = np.where(
        blocks[:, None, :, None, :, None], np.int8(up if value is None else value), view
    )
