"""A zone of the lattice cut and improved, with its seam as it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.carving.carve import carry_over
from rheobase.meshes.carving.carved import LatticeRecord
from rheobase.meshes.carving.cut import CutMesh, cut_lattice
from rheobase.meshes.carving.improve import Improved, improve
from rheobase.meshes.carving.indicators import Indicators
from rheobase.meshes.carving.lattice import Octree
from rheobase.meshes.carving.leaves import Leaves
from rheobase.meshes.insertion.body_field import BodyIndicators, true_volumes
from rheobase.meshes.insertion.zone import Zone
from rheobase.meshes.mesh import TetMesh

#: Farthest that the surface of a body moves to keep its volume (of its edge).
MOST_SHIFT = 0.1
#: New tetrahedra with a smaller dihedral angle (°) have their part of the lattice left uncut.
MIN_DIHEDRAL = 6.0
#: Attempts at that.
ATTEMPTS = 8


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class State:
    """A mesh and its lattice between two insertions."""

    nodes: NDArray[np.float64]
    tets: NDArray[np.int32]
    labels: NDArray[np.int32]
    leaves: Leaves
    record: LatticeRecord
    column: NDArray[np.int32]  # material of each new tetrahedron, -1 for the others
    kept_nodes: NDArray[np.int32]
    kept_tets: NDArray[np.int32]

    @classmethod
    def of(cls, mesh: TetMesh, record: LatticeRecord) -> State:
        """Return the state of a mesh."""
        octree = record.octree
        return cls(
            nodes=mesh.nodes,
            tets=mesh.tets,
            labels=mesh.labels,
            leaves=Leaves.of_octree(octree) if isinstance(octree, Octree) else octree,
            record=record,
            column=np.full(len(mesh.tets), -1, np.int32),
            kept_nodes=np.arange(len(mesh.nodes), dtype=np.int32),
            kept_tets=np.arange(len(mesh.tets), dtype=np.int32),
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Piece:
    """A zone cut and improved.

    ``node`` is the number in the old mesh of each node that stays there, -1 for others; ``frozen``
    are lattice nodes left uncut.
    """

    mesh: CutMesh
    points: NDArray[np.float64]
    nodes: NDArray[np.float64]
    node: NDArray[np.int32]
    frozen: NDArray[np.bool_]


def cut_zone(
    state: State,
    zone: Zone,
    indicators: Indicators,
    edge_length: float,
    *,
    draft: bool = False,
) -> Piece | None:
    """Cut and improve a zone, None if bad tetrahedra remain at its seam; a draft may have some."""
    record = state.record
    stays = ~zone.removed[record.parent]  # tetrahedra of the mesh
    used = np.zeros(len(state.nodes), np.bool_)
    used[state.tets[stays]] = True
    known, moved = zone.old >= 0, np.zeros(len(zone.old), np.bool_)
    moved[known] = (record.snapped | record.frozen)[zone.old[known]]
    of_lattice = np.full(len(record.material), -1, np.int32)
    is_lattice = record.lattice_node >= 0
    of_lattice[record.lattice_node[is_lattice]] = np.flatnonzero(is_lattice)
    # the seam is where it was, and cut where it was
    points, kept = zone.leaves.nodes(zone.keys), np.zeros(len(zone.old), np.bool_)
    points[zone.intact] = record.points[zone.old[zone.intact]]
    kept[zone.intact] = record.kept[zone.old[zone.intact]]
    given = _cuts_before(record, zone)
    was = np.where(zone.seam, of_lattice[zone.old], -1)
    shifted = (was >= 0) & moved
    points[shifted] = state.nodes[was[shifted]]
    uncut = zone.seam & moved
    before: tuple[CutMesh, Improved] | None = None
    for _ in range(ATTEMPTS):
        mesh = cut_lattice(
            points,
            zone.tets,
            zone.material,
            indicators,
            zone.walls,
            uncut,
            kept=kept & ~uncut,
            held=zone.seam,
            given=given,
            known=(before[0].mixed, before[0].ties) if before else None,
        )
        node = np.concatenate([was, _cut_nodes(state, zone, mesh, used)])
        placed = node >= 0
        mesh.nodes[placed] = state.nodes[node[placed]]
        start, fixed = mesh, placed
        if before:  # only what was left uncut, and its surroundings, moves again
            start, far = carry_over(before[0], before[1].nodes, mesh)
            fixed = placed | far
        fixed = fixed.copy()
        fixed[: len(was)] |= zone.seam
        better = improve(start, indicators, edge_length, fixed=fixed, draft=draft)
        before = mesh, better
        bad = better.worst < np.sin(np.radians(MIN_DIHEDRAL))
        if draft or not bad.any():
            node[placed & ~used[node]] = -1
            return Piece(
                mesh=mesh,
                points=points,
                nodes=better.nodes,
                node=node,
                frozen=uncut & ~zone.seam,
            )
        more = np.zeros(len(uncut), np.bool_)
        more[zone.tets[mesh.parent[mesh.material > 0][bad]]] = True
        more &= ~uncut & ~zone.seam
        if not more.any():
            return None
        uncut = uncut | more
    return None


def _cuts_before(
    record: LatticeRecord, zone: Zone
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return the edges on the seam that are cut, as nodes of the zone, and where."""
    number = np.full(len(record.material) + 1, -1, np.int32)
    number[zone.old[zone.seam]] = np.flatnonzero(zone.seam)
    edges = number[record.cut_edge]
    on = (edges >= 0).all(axis=1)
    return edges[on], record.cut_at[on]


def _cut_nodes(
    state: State, zone: Zone, mesh: CutMesh, used: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """Return the number in the old mesh of each cut on the seam, -1 for other cuts."""
    from rheobase.meshes.insertion._insert_numba import match_rows

    record = state.record
    seam = np.zeros(len(record.material) + 1, np.bool_)
    seam[zone.old[zone.seam]] = True
    old = np.flatnonzero(used & seam[record.cut_edge].all(axis=1))
    both = zone.seam[mesh.edges].all(axis=1)
    found = np.full(len(mesh.edges), -1, np.int32)
    match = match_rows(zone.old[mesh.edges[both]], record.cut_edge[old])
    found[both] = np.where(match >= 0, old[match] if len(old) else -1, -1)
    return found


def surface_shifts(piece: Piece, indicators: BodyIndicators) -> tuple[float, ...]:
    """Return how far outwards (m) the surfaces must go for the bodies to have their volumes."""
    from rheobase.meshes._faces_numba import interfaces

    first, mesh = len(indicators.base.labels), piece.mesh
    everywhere = np.ones(len(piece.nodes), np.bool_)
    triangles, pairs = interfaces(mesh.tets, mesh.material, len(piece.nodes), everywhere)
    p = piece.nodes[triangles]
    area = 0.5 * np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1)
    q = piece.nodes[mesh.tets]
    volume = np.einsum(
        "ij,ij->i", np.cross(q[:, 1] - q[:, 0], q[:, 2] - q[:, 0]), q[:, 3] - q[:, 0]
    )
    shifts = []
    wanted = true_volumes(indicators, 0.25 * min(body.edge_length for body in indicators.bodies))
    for n, body in enumerate(indicators.bodies, first):
        surface = float(area[(pairs == n).any(axis=1)].sum())
        missing = wanted[n - first] - float(volume[mesh.material == n].sum()) / 6
        most = MOST_SHIFT * body.edge_length
        shifts.append(float(np.clip(missing / max(surface, 1e-300), -most, most)))
    return tuple(shifts)
