"""The part of a lattice that an insertion meshes anew, and its seam with the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.carving.carved import LatticeRecord
from rheobase.meshes.carving.leaves import Leaves, Wanted, neighbouring, pack
from rheobase.meshes.insertion.body_field import BodyIndicators


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Zone:
    """Lattice tetrahedra to cut anew.

    Parameters
    ----------
    leaves
        The leaves of the whole lattice from now on; without the nodes that are new.
    keys
        Lattice nodes of the zone, those of the old lattice first and in its order, in half cells
        of ``leaves``, shape (n, 3).
    old
        Their number in the old lattice, -1 for new ones, shape (n,).
    tets
        Lattice tetrahedra of the zone, shape (m, 4), indices into ``keys``.
    material
        Material of each node, shape (n,).
    walls
        Axes in which nodes are bound to the wall of the box, shape (n,).
    intact
        Nodes around which the lattice is as it was and that no body holds, shape (n,).
    seam
        Those of them that tetrahedra outside the zone share, shape (n,).
    removed
        Which lattice tetrahedra of the old lattice the zone takes the place of.
    """

    leaves: Leaves
    keys: NDArray[np.int32]
    old: NDArray[np.int32]
    tets: NDArray[np.int32]
    material: NDArray[np.int32]
    walls: NDArray[np.uint8]
    intact: NDArray[np.bool_]
    seam: NDArray[np.bool_]
    removed: NDArray[np.bool_]


def find_zone(
    leaves: Leaves,
    record: LatticeRecord,
    indicators: BodyIndicators,
    wanted: Wanted,
    near: NDArray[np.float64],
    rings: int,
) -> Zone:
    """Refine the lattice around some bodies and find what has to be cut anew.

    Parameters
    ----------
    leaves, record
        The lattice so far; no cell may be larger than the finest element that is wanted.
    indicators
        The indicators with the bodies.
    wanted
        Wanted edges.
    near
        Boxes in which leaves may be split (m), shape (n, 2, 3).
    rings
        Rings of tetrahedra around what has changed that belong to the zone.

    Raises
    ------
    InputError
        If the wanted edges take too many leaves, or no body may be where it is.
    """
    closed = np.array(
        [
            [
                (record.material[leaves.xyz[:, d] == 2 * leaves.box[side, d]] > 0).any()
                for d in range(3)
            ]
            for side in range(2)
        ]
    )
    grow = 2 if leaves.tile == leaves.highest else 1
    while True:
        margin = (grow + 3.0) * float(leaves.cell.max()) * (1 << leaves.tile)
        whole = leaves
        for box in near:
            whole = whole.extended(box + margin * np.array([[-1.0], [1.0]]), closed)
        fine = whole.refined(wanted, near)
        tiles = fine.tile_of(fine.leaves[fine.differ(whole) | _touched(fine, indicators, near)])
        tiles = np.unique(tiles)
        if len(tiles) == 0:
            raise InputError(
                f"body {indicators.bodies[0].name!r} has no tetrahedron: there is nothing "
                "here that it may take the place of"
            )
        for _ in range(grow):
            tiles = neighbouring(tiles)
        zone = _zone(fine, tiles, closed, record, indicators, rings)
        if zone is not None:
            return zone
        grow += 1


def _touched(
    leaves: Leaves, indicators: BodyIndicators, near: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return the leaves that a body may reach into."""
    touched = leaves.meet(leaves.leaves, near)
    rows = np.flatnonzero(touched)
    centre, reach = leaves.balls(leaves.leaves[rows])
    touched[rows] = False
    for n in range(len(indicators.bodies)):
        touched[rows] |= indicators.depth(n, centre) > -reach
    return touched


def _zone(
    leaves: Leaves,
    tiles: NDArray[np.int64],
    closed: NDArray[np.bool_],
    record: LatticeRecord,
    indicators: BodyIndicators,
    rings: int,
) -> Zone | None:
    """Return the zone in some tiles, None if it goes beyond them."""
    from rheobase.meshes.insertion._insert_numba import match_rows

    keys, tets = leaves.tets(neighbouring(tiles), closed)
    found = np.searchsorted(pack(keys), pack(leaves.xyz))
    found = np.where((keys[found.clip(max=len(keys) - 1)] == leaves.xyz).all(axis=1), found, -1)
    old = np.full(len(keys), -1, np.int32)
    old[found[found >= 0]] = np.flatnonzero(found >= 0)
    first = len(record.labels)
    material = indicators.material(leaves.nodes(keys))
    # all that surrounds a node in the tiles is known
    complete = np.zeros(len(keys) + 1, np.bool_)  # the last is for -1
    for corner in np.ndindex(2, 2, 2):
        complete[:-1] |= np.isin(leaves.tile_of((keys - np.array(corner)) >> 1), tiles)
    mine = np.flatnonzero(complete[found[record.tets]].any(axis=1))
    before = found[record.tets[mine]]
    same = match_rows(np.sort(tets, axis=1), np.sort(before, axis=1))
    # where the lattice around it is as it was, a node keeps its material and its place
    intact = old >= 0
    intact[tets[(same < 0) & complete[tets].any(axis=1)]] = False
    intact &= material < first
    material[intact] = record.material[old[intact]]
    # what is new in the outside alone counts only next to what has changed: where the octree goes
    # beyond its first box, all of the lattice at the wall is new
    tissue = (material[tets] > 0).any(axis=1)
    meshed = around_tissue(tets, material) | (same >= 0)
    inside = (same < 0) & tissue & complete[tets].any(axis=1)
    inside |= (material[tets] >= first).any(axis=1)
    near = np.zeros(len(keys) + 1, np.bool_)
    for _ in range(rings):
        near[tets[inside]] = True
        inside = meshed & near[tets].any(axis=1)
    if not complete[tets[inside]].all():
        return None
    near[tets[inside]] = True
    gone = near[before].any(axis=1) | (np.append(material, 0)[before] > 0).any(axis=1)
    gone[same[(same >= 0) & ~inside]] = False
    removed = np.zeros(len(record.tets), np.bool_)
    removed[mine[gone]] = True

    nodes = np.unique(tets[inside])
    nodes = nodes[np.argsort(np.where(old[nodes] >= 0, old[nodes], len(record.material) + nodes))]
    index = np.full(len(keys), -1, np.int32)
    index[nodes] = np.arange(len(nodes), dtype=np.int32)
    stays = np.zeros(len(record.material) + 1, np.bool_)
    stays[record.tets[~removed]] = True
    wall = [(keys[nodes] == 2 * leaves.box[side]) & closed[side] for side in range(2)]
    return Zone(
        leaves=leaves,
        keys=keys[nodes],
        old=old[nodes],
        tets=index[tets[inside]],
        material=material[nodes],
        walls=((wall[0] | wall[1]) @ np.array([1, 2, 4])).astype(np.uint8),
        intact=intact[nodes] | stays[old[nodes]],
        seam=stays[old[nodes]],
        removed=removed,
    )


def around_tissue(tets: NDArray[np.int32], material: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return which lattice tetrahedra have a node in tissue, or touch one that has."""
    near = material > 0
    near[tets[near[tets].any(axis=1)]] = True
    around: NDArray[np.bool_] = near[tets].any(axis=1)
    return around
