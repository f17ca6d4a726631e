"""An octree known by its leaves: split where finer elements are wanted, read tile by tile.

A mesh into which something was inserted has a lattice too fine in places for one grid over the
whole head, so the octree is a list of leaves, and a grid exists for one tile at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._threads import in_parts
from rheobase.meshes.carving.lattice import MEAN_EDGE, Octree

#: Smallest tile, in levels above the finest leaves, but no more than two above the largest.
TILE = 5
#: Most leaves of an octree (about 12 tetrahedra each).
MOST_LEAVES = 5e6
#: Cells are counted from here on, in bits of a coordinate.
BITS = 19

#: Wanted mean edge (m): the smallest within given distances (m), shape (n,), of points (n, 3).
Wanted = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Leaves:
    """A balanced octree as a list of leaves.

    Parameters
    ----------
    origin
        Where cell 0 begins (m), shape (3,).
    cell
        Edges of the smallest cell (m), shape (3,).
    box
        First cell and the one after the last of the box that was meshed first, shape (2, 3).
        Leaves may lie beyond it where a body sticks out.
    leaves
        First cell and level of each leaf, int32, shape (n, 4): a leaf spans ``2**level`` cells.
    xyz
        Lattice nodes in half cells, int32, shape (n_nodes, 3).
    """

    origin: NDArray[np.float64]
    cell: NDArray[np.float64]
    box: NDArray[np.int64]
    leaves: NDArray[np.int32]
    xyz: NDArray[np.int32]

    @classmethod
    def of_octree(cls, octree: Octree) -> Leaves:
        """Return the leaves of an octree on a grid."""
        parts = []
        for up in range(int(octree.level.max()) + 1):
            s = 1 << up
            at = s * np.argwhere(octree.level[::s, ::s, ::s] == up)
            parts.append(np.column_stack([at, np.full(len(at), up)]))
        return cls(
            origin=octree.origin,
            cell=octree.cell,
            box=np.array([[0, 0, 0], octree.level.shape], np.int64),
            leaves=np.concatenate(parts).astype(np.int32),
            xyz=octree.xyz,
        )

    @property
    def highest(self) -> int:
        """Level of the largest leaf."""
        return int(self.leaves[:, 3].max())

    def nodes(self, xyz: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the coordinates (m) of lattice points given in half cells, shape (n, 3)."""
        nodes: NDArray[np.float64] = self.origin + xyz * (0.5 * self.cell)
        return nodes

    def edge(self, level: NDArray[np.int32] | int = 0) -> NDArray[np.float64]:
        """Return the mean edge of the tetrahedra in leaves of a level (m)."""
        edge: NDArray[np.float64] = np.asarray(MEAN_EDGE * self.cell.mean() * 2.0**level)
        return edge

    def finer(self, halvings: int) -> Leaves:
        """Return the same leaves on a grid of cells halved so many times; the same points."""
        factor = 1 << halvings
        leaves = self.leaves * np.array([factor, factor, factor, 1], np.int32)
        leaves[:, 3] += np.int32(halvings)
        return replace(
            self,
            cell=self.cell / factor,
            box=self.box * factor,
            leaves=leaves,
            xyz=self.xyz * np.int32(factor),
        )

    def extended(self, bounds: NDArray[np.float64], closed: NDArray[np.bool_]) -> Leaves:
        """Return the octree with leaves of the largest size wherever there are none in a box.

        Parameters
        ----------
        bounds
            The box (m), shape (2, 3).
        closed
            Low and high sides of the first box beyond which there must be nothing, shape (2, 3).
        """
        top = self.highest
        s = 1 << top
        at = (bounds - self.origin) / self.cell / s
        low, high = np.floor(at[0]).astype(np.int64), np.ceil(at[1]).astype(np.int64)
        low = np.where(closed[0], np.maximum(low, self.box[0] // s), low)
        high = np.where(closed[1], np.minimum(high, -(-self.box[1] // s)), high)
        axes = (np.arange(a, b) for a, b in zip(low, high, strict=True))
        cells = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        there = _keys(self.leaves[:, :3] >> top, 0)
        new = cells[~np.isin(_keys(cells, 0), there)]
        more = np.column_stack([new * s, np.full(len(new), top)]).astype(np.int32)
        return replace(self, leaves=np.concatenate([self.leaves, more]))

    def refined(self, wanted: Wanted, near: NDArray[np.float64]) -> Leaves:
        """Return the octree with leaves split where they are too large, and balanced.

        Parameters
        ----------
        wanted
            Wanted mean edge.
        near
            Boxes outside which no leaf is split but for the balance (m), shape (n, 2, 3).

        Raises
        ------
        InputError
            If that takes too many leaves.
        """
        fine: list[NDArray[np.int32]] = []
        pending = self.leaves
        while len(pending):
            split = (pending[:, 3] > 0) & self.meet(pending, near)
            rows = np.flatnonzero(split)
            smallest = wanted(*self.balls(pending[rows]))
            split[rows] = smallest < self.edge(pending[rows, 3])
            fine.append(pending[~split])
            pending = _children(pending[split])
            _check_number(sum(map(len, fine)) + len(pending))
        leaves = np.concatenate(fine)
        return replace(self, leaves=_balanced(leaves, leaves[self.meet(leaves, near)]))

    def meet(self, leaves: NDArray[np.int32], boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which leaves reach into one of some boxes (m), shape (n_boxes, 2, 3)."""
        low = self.origin + leaves[:, :3] * self.cell
        high = low + (1 << leaves[:, 3:]) * self.cell
        some = np.zeros(len(leaves), np.bool_)
        for box in boxes:
            some |= ((low < box[1]) & (high > box[0])).all(axis=1)
        return some

    def balls(self, leaves: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return centres (m), shape (n, 3), and radii (m) of the balls around leaves."""
        size = (1 << leaves[:, 3:]) * self.cell
        centre = self.origin + leaves[:, :3] * self.cell + 0.5 * size
        return centre, 0.5 * np.linalg.norm(size, axis=1)

    def differ(self, others: Leaves) -> NDArray[np.bool_]:
        """Return which leaves another octree on the same grid does not have, shape (n,)."""
        mine, theirs = (_keys(o.leaves[:, :3], o.leaves[:, 3]) for o in (self, others))
        return ~_among(mine, np.sort(theirs))

    def tile_of(self, cells: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the key of the tile that holds each cell, shape (n,)."""
        return _keys(cells[:, :3].astype(np.int64) >> self.tile, 0)

    @property
    def tile(self) -> int:
        """Level of a tile, no smaller than any leaf."""
        return max(self.highest, min(self.highest + 2, TILE))

    def tets(
        self, tiles: NDArray[np.int64], closed: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the lattice tetrahedra of the leaves in some tiles.

        Parameters
        ----------
        tiles
            Keys of the tiles (`tile_of`); there must be leaves all around them but at closed sides.
        closed
            Sides of the first box that are walls, shape (2, 3).

        Returns
        -------
        keys
            Lattice nodes in half cells, rising, shape (n, 3).
        tets
            Positively oriented, indices into ``keys``, shape (m, 4).
        """
        around, level = self._by_tile(tiles), self.tile

        def some_tiles(some: slice) -> list[tuple[NDArray[np.int64], NDArray[np.int32]]]:
            found = []
            for tile in tiles[some].tolist():
                xyz, tets = self._tile(tile, level, around[tile], closed)
                used = np.zeros(len(xyz), np.bool_)  # the nodes around the tile are not
                used[tets] = True
                number = np.cumsum(used, dtype=np.int32) - np.int32(1)
                found.append((_keys(xyz[used], 0), number[tets]))
            return found

        parts = [part for parts in in_parts(some_tiles, len(tiles), 16) for part in parts]
        keys = np.unique(np.concatenate([here for here, _ in parts] or [np.empty(0, np.int64)]))
        none = np.empty((0, 4), np.int32)
        tets = [np.searchsorted(keys, here).astype(np.int32)[local] for here, local in parts]
        return _unpacked(keys), np.concatenate([none, *tets])

    def _by_tile(self, tiles: NDArray[np.int64]) -> dict[int, NDArray[np.int32]]:
        """Return the leaves in and around each of some tiles."""
        key = self.tile_of(self.leaves)
        wanted = np.unique(_neighbours(tiles))
        rows = np.flatnonzero(np.isin(key, wanted))
        rows = rows[np.argsort(key[rows], kind="stable")]
        there, first = np.unique(key[rows], return_index=True)
        pieces = dict(zip(there.tolist(), np.split(self.leaves[rows], first[1:]), strict=True))
        none = np.empty((0, 4), np.int32)
        return {
            int(tile): np.concatenate([pieces.get(n, none) for n in row])
            for tile, row in zip(tiles, _neighbours(tiles).tolist(), strict=True)
        }

    def _tile(
        self, key: int, tile: int, leaves: NDArray[np.int32], closed: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return nodes (half cells of the octree) and the tetrahedra of a tile of level ``tile``.

        Nodes around the tile are among them.
        """
        from rheobase.meshes.carving._lattice_numba import emit_tets
        from rheobase.meshes.carving._leaves_numba import fill_tile

        low = _unpacked(np.array([key]))[0].astype(np.int64) << tile
        high = low + (1 << tile)
        mine = leaves[((leaves[:, :3] >= low) & (leaves[:, :3] < high)).all(axis=1)]
        unit = max(int(mine[:, 3].min(initial=tile)) - 1, 0)  # neighbours are no smaller
        # whole neighbours, and the place of every leaf among its siblings
        halo = 2 << int(mine[:, 3].max(initial=unit))
        first, last = low - halo, high + halo
        first = np.where(closed[0], np.maximum(first, self.box[0]), first)
        last = np.where(closed[1], np.minimum(last, self.box[1]), last)
        size = (1 << leaves[:, 3:]).astype(np.int64)
        meets = (leaves[:, :3] < last) & (leaves[:, :3] + size > first)
        local = leaves[meets.all(axis=1)].astype(np.int64)
        local[:, :3] -= first
        local[:, :3] >>= unit
        local[:, 3] -= unit
        shape = (last - first) >> unit
        level = np.zeros(tuple(shape), np.int8)
        corners = np.full(tuple(shape + 1), -1, np.int32)
        centres = np.full(tuple(shape), -1, np.int32)
        xyz = fill_tile(local, level, corners, centres)
        every = np.ones(len(xyz), np.int32)
        start, stop = (
            (low.clip(first, last) - first) >> unit,
            (high.clip(first, last) - first) >> unit,
        )
        arguments = (level, corners, centres, every, xyz, start, stop)
        tets = np.empty((emit_tets(*arguments, np.empty((0, 4), np.int32)), 4), np.int32)
        emit_tets(*arguments, tets)
        return ((xyz.astype(np.int64) << unit) + 2 * first).astype(np.int32), tets


def pack(xyz: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return one integer for each triple of whole numbers, rising as they do."""
    return _keys(xyz, 0)


def neighbouring(tiles: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the keys of some tiles and of all that touch them."""
    return np.unique(_neighbours(tiles))


def _neighbours(tiles: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the keys of each tile and its 26 neighbours, shape (n, 27)."""
    offset = np.stack(np.meshgrid(*[np.arange(-1, 2)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    at = _unpacked(tiles)[:, None, :].astype(np.int64) + offset
    return _keys(at.reshape(-1, 3), 0).reshape(-1, 27)


def _children(leaves: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the eight halves of each leaf, shape (8 n, 4)."""
    corner = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), axis=-1).reshape(-1, 3)
    level = leaves[:, 3] - 1
    out = np.empty((len(leaves), 8, 4), np.int32)
    out[:, :, :3] = leaves[:, None, :3] + (1 << level)[:, None, None] * corner
    out[:, :, 3] = level[:, None]
    return out.reshape(-1, 4)


def _balanced(leaves: NDArray[np.int32], new: NDArray[np.int32]) -> NDArray[np.int32]:
    """Split leaves until those that touch, even in a corner, differ by one level at most.

    All but the ``new`` ones among them are known to be balanced.
    """
    highest = int(leaves[:, 3].max(initial=0))
    corner = np.stack(np.meshgrid(*[[-1, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    keys = _keys(leaves[:, :3], leaves[:, 3])
    while len(new):
        split: list[NDArray[np.int64]] = []
        known = np.sort(keys)
        for low in range(int(new[:, 3].min()), min(int(new[:, 3].max()), highest - 2) + 1):
            fine = new[new[:, 3] == low, :3].astype(np.int64) >> low
            if len(fine) == 0:
                continue
            # cells of twice the size that touch one of these leaves
            beside = np.unique(_keys((fine[:, None] + corner).reshape(-1, 3) >> 1, 0))
            cell = _unpacked(beside).astype(np.int64)
            for up in range(low + 2, highest + 1):
                coarse = np.unique(_keys((cell >> (up - low - 1)) << up, up))
                split.append(coarse[_among(coarse, known)])
        large = np.unique(np.concatenate(split)) if split else np.empty(0, np.int64)
        gone = _among(keys, large)
        new = _children(leaves[gone])
        leaves = np.concatenate([leaves[~gone], new])
        keys = np.concatenate([keys[~gone], _keys(new[:, :3], new[:, 3])])
        _check_number(len(leaves))
    return leaves


def _among(keys: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which keys are among others, which rise, shape (n,)."""
    if len(known) == 0:
        return np.zeros(len(keys), np.bool_)
    found: NDArray[np.bool_] = known[np.searchsorted(known, keys).clip(max=len(known) - 1)] == keys
    return found


def _keys(at: NDArray[np.integer], level: NDArray[np.integer] | int) -> NDArray[np.int64]:
    """Return one integer for each triple of whole numbers (below 2**(BITS - 1)) and level."""
    shifted = at.astype(np.int64) + (1 << (BITS - 1))
    key = np.asarray(level, dtype=np.int64)
    for d in range(3):
        key = (key << BITS) | shifted[:, d]
    return key


def _unpacked(keys: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the triples of keys, shape (n, 3)."""
    mask, half = (1 << BITS) - 1, 1 << (BITS - 1)
    parts = [((keys >> (BITS * (2 - d))) & mask) - half for d in range(3)]
    return np.stack(parts, axis=1).astype(np.int32)


def _check_number(n: int) -> None:
    if n > MOST_LEAVES:
        raise InputError(
            f"the edges asked for take more than {MOST_LEAVES:.0e} leaves of the lattice: "
            "lengths are in metres"
        )
