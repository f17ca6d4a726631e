"""Insertion of bodies into a mesh: only their surroundings are meshed anew.

The leaves of the octree near the bodies are split, the lattice there is cut with one more indicator
for each body, and the result is sewn to the rest. On the seam, which lies two rings of lattice
tetrahedra away from anything that changed, every decision of the first meshing is taken over: the
place of each node, whether it had been moved onto an interface, and so the cuts of the edges.
All other nodes and tetrahedra keep their numbers and coordinates, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.meshes.bodies import Body
from rheobase.meshes.body_field import BodyIndicators, check_names, true_volumes
from rheobase.meshes.carved import Carved, LatticeRecord
from rheobase.meshes.cut import CutMesh, cut_lattice
from rheobase.meshes.improve import improve
from rheobase.meshes.indicators import Indicators
from rheobase.meshes.lattice import Octree
from rheobase.meshes.leaves import Leaves
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.quality import dihedral_angles
from rheobase.meshes.sew import followed, places
from rheobase.meshes.zone import Zone, find_zone

#: A leaf may be larger than asked for by this factor: edges come in powers of two.
TOLERANCE = 1.25
#: Growth of the wanted edge with the distance from a body.
GROWTH = 1.0
#: Rings of lattice tetrahedra around what has changed that are cut anew as well.
RINGS = 2
#: Farthest that the surface of a body moves to keep its volume (of its edge).
MOST_SHIFT = 0.1
#: New tetrahedra with a smaller dihedral angle (°) have their part of the lattice left uncut.
MIN_DIHEDRAL = 6.0
#: Attempts at that before the seam is moved outwards, and how often it may be.
ATTEMPTS = 8
MOVES = 3


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Inserted:
    """A mesh with bodies in it.

    Parameters
    ----------
    mesh
        The mesh.
    lattice
        How it came out of its lattice: more can be inserted.
    bodies
        Tetrahedra of each body by name, increasing.
    kept_nodes, kept_tets
        For each node and tetrahedron of the mesh before, its number now, -1 where it is gone,
        int32. Kept nodes have the same coordinates, kept tetrahedra the same nodes and label.
    """

    mesh: TetMesh
    lattice: LatticeRecord
    bodies: dict[str, NDArray[np.int32]]
    kept_nodes: NDArray[np.int32]
    kept_tets: NDArray[np.int32]

    def volumes(self) -> dict[str, float]:
        """Return the volume of each body (m³)."""
        volumes = self.mesh.volumes()
        return {name: float(volumes[tets].sum()) for name, tets in self.bodies.items()}

    def __str__(self) -> str:
        """Return a table for people."""
        kept, now = int((self.kept_tets >= 0).sum()), len(self.mesh.tets)
        fresh = np.ones(now, np.bool_)
        fresh[self.kept_tets[self.kept_tets >= 0]] = False
        rows = [
            f"kept {kept:,} of {len(self.kept_tets):,} tetrahedra "
            f"({100 * kept / len(self.kept_tets):.1f} %), {now - kept:,} new"
        ]
        if fresh.any():
            angle = dihedral_angles(self.mesh.nodes, self.mesh.tets[fresh]).min()
            rows.append(f"smallest dihedral angle of the new ones {angle:.1f}°")
        for name, volume in self.volumes().items():
            rows.append(f"{name}: {len(self.bodies[name]):,} tetrahedra, {volume * 1e9:.2f} mm³")
        return "\n".join(rows)


def insert(made: Carved | Inserted, bodies: Sequence[Body]) -> Inserted:
    """Insert bodies into a mesh.

    Parameters
    ----------
    made
        A mesh with the record of its lattice, from `carve_image` and its like or from here.
    bodies
        The bodies; where two overlap, the later one wins. What lies beyond the box of the lattice
        on a side where tissue reaches the box is cut off with it.

    Returns
    -------
    Inserted

    Raises
    ------
    InputError
        If two bodies share a name, a body has no tetrahedron in the end (too thin for its edge,
        off the head, or nothing to take the place of), touches nothing, or asks for too many cells.
    """
    bodies = list(bodies)
    check_names(bodies)
    state = _State.of(made)
    columns: dict[str, int] = {}
    for group in _groups(bodies, 4.0 * float(state.leaves.edge())):
        with stage("inserting " + ", ".join(body.name for body in group)):
            columns |= {body.name: len(state.record.labels) + n for n, body in enumerate(group)}
            state = _insert(state, group)
    found = {}
    for body in bodies:
        found[body.name] = np.flatnonzero(state.column == columns[body.name]).astype(np.int32)
        if len(found[body.name]) == 0:
            raise InputError(
                f"body {body.name!r} has no tetrahedron: it is thinner than its edge of "
                f"{body.edge_length * 1e3:.3g} mm, off the head, or hidden by a later body"
            )
    return Inserted(
        mesh=TetMesh(nodes=state.nodes, tets=state.tets, labels=state.labels),
        lattice=replace(state.record, octree=state.leaves),
        bodies=found,
        kept_nodes=state.kept_nodes,
        kept_tets=state.kept_tets,
    )


def _groups(bodies: list[Body], margin: float) -> list[list[Body]]:
    """Return the bodies in groups that keep ``margin`` (m) between their boxes."""
    groups: list[list[Body]] = []
    boxes: list[NDArray[np.float64]] = []
    for body in bodies:
        members, box = [body], body.shape.bounds() + 0.5 * margin * np.array([[-1.0], [1.0]])
        n = len(groups) - 1
        while n >= 0:
            if (box[0] <= boxes[n][1]).all() and (boxes[n][0] <= box[1]).all():
                members = groups.pop(n) + members
                other = boxes.pop(n)
                box = np.stack([np.minimum(box[0], other[0]), np.maximum(box[1], other[1])])
                n = len(groups)  # the larger box may meet others
            n -= 1
        groups.append(members)
        boxes.append(box)
    order = {id(body): n for n, body in enumerate(bodies)}
    return [sorted(group, key=lambda body: order[id(body)]) for group in groups]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _State:
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
    def of(cls, made: Carved | Inserted) -> _State:
        octree = made.lattice.octree
        return cls(
            nodes=made.mesh.nodes,
            tets=made.mesh.tets,
            labels=made.mesh.labels,
            leaves=Leaves.of_octree(octree) if isinstance(octree, Octree) else octree,
            record=made.lattice,
            column=np.full(len(made.mesh.tets), -1, np.int32),
            kept_nodes=np.arange(len(made.mesh.nodes), dtype=np.int32),
            kept_tets=np.arange(len(made.mesh.tets), dtype=np.int32),
        )


def _insert(state: _State, group: list[Body]) -> _State:
    """Insert bodies that are close together."""
    record = state.record
    finest = TOLERANCE * min(body.edge_length for body in group)
    indicators = BodyIndicators(
        base=record.indicators,
        bodies=tuple(group),
        shifts=(0.0,) * len(group),
        slope=_slope(state),
        margin=3.0 * max(body.edge_length for body in group),
    )
    halvings = max(0, int(np.ceil(np.log2(state.leaves.edge() / finest))))
    leaves = state.leaves.finer(halvings)
    boxes = [body.shape.bounds() for body in group]
    margin = float(leaves.edge(leaves.highest)) / GROWTH
    near = np.stack([np.min(boxes, axis=(0, 1)) - margin, np.max(boxes, axis=(0, 1)) + margin])

    def wanted(points: NDArray[np.float64], reach: NDArray[np.float64]) -> NDArray[np.float64]:
        edges = np.full(len(points), np.inf)
        for n, body in enumerate(group):
            away = np.maximum(-indicators.depth(n, points) - reach, 0.0)
            np.minimum(edges, TOLERANCE * body.edge_length + GROWTH * away, out=edges)
        return edges

    for move in range(MOVES):
        zone = find_zone(leaves, record, indicators, wanted, near, RINGS << move)
        piece = _piece(state, zone, indicators, float(leaves.edge()))
        if piece is None:
            continue
        shifted = replace(indicators, shifts=_shifts(piece, indicators))
        known = zone.intact
        material = np.where(known, zone.material, shifted.material(leaves.nodes(zone.keys))).astype(
            np.int32
        )
        corrected = _piece(state, replace(zone, material=material), shifted, float(leaves.edge()))
        if corrected is not None:
            zone, piece, indicators = replace(zone, material=material), corrected, shifted
        return _sewn(state, zone, piece, indicators, group)
    raise InputError(
        f"no mesh with angles of {MIN_DIHEDRAL:g}° or more found around "
        f"{', '.join(body.name for body in group)}: choose another edge_length"
    )


def _shifts(piece: _Piece, indicators: BodyIndicators) -> tuple[float, ...]:
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


def _slope(state: _State) -> float:
    """Return the slope (1/m) of the difference of two indicators across interfaces."""
    record = state.record
    ends = record.tets[:, :2]
    material = record.material[ends]
    ends = ends[material[:, 0] != material[:, 1]]
    ends = ends[:: 1 + len(ends) // 2000]
    if len(ends) == 0:
        return 1.0
    points = state.leaves.nodes(state.leaves.xyz[ends.ravel()]).reshape(-1, 2, 3)
    pair = record.material[ends]
    ahead = [record.indicators.chosen(points[:, k], pair) @ np.array([1.0, -1.0]) for k in (0, 1)]
    length = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)
    return float(np.median(np.abs(ahead[1] - ahead[0]) / length))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Piece:
    """A zone cut and improved.

    ``node`` is the number in the old mesh of each node that stays there, -1 for others; ``frozen``
    are lattice nodes left uncut.
    """

    mesh: CutMesh
    points: NDArray[np.float64]
    nodes: NDArray[np.float64]
    node: NDArray[np.int32]
    frozen: NDArray[np.bool_]


def _piece(state: _State, zone: Zone, indicators: Indicators, edge_length: float) -> _Piece | None:
    """Cut and improve a zone, None if bad tetrahedra remain at its seam."""
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
        )
        node = np.concatenate([was, _cut_nodes(state, zone, mesh, used)])
        placed = node >= 0
        start = mesh.nodes.copy()
        start[placed] = state.nodes[node[placed]]
        fixed = placed.copy()
        fixed[: len(was)] |= zone.seam
        better = improve(replace(mesh, nodes=start), indicators, edge_length, fixed=fixed)
        bad = better.worst < np.sin(np.radians(MIN_DIHEDRAL))
        if not bad.any():
            node[placed & ~used[node]] = -1
            return _Piece(
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
    state: _State, zone: Zone, mesh: CutMesh, used: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """Return the number in the old mesh of each cut on the seam, -1 for other cuts."""
    from rheobase.meshes._insert_numba import match_rows

    record = state.record
    seam = np.zeros(len(record.material) + 1, np.bool_)
    seam[zone.old[zone.seam]] = True
    old = np.flatnonzero(used & seam[record.cut_edge].all(axis=1))
    both = zone.seam[mesh.edges].all(axis=1)
    found = np.full(len(mesh.edges), -1, np.int32)
    match = match_rows(zone.old[mesh.edges[both]], record.cut_edge[old])
    found[both] = np.where(match >= 0, old[match] if len(old) else -1, -1)
    return found


def _sewn(
    state: _State, zone: Zone, piece: _Piece, indicators: Indicators, group: list[Body]
) -> _State:
    """Put a piece in the place of what the mesh had there."""
    record, mesh = state.record, piece.mesh
    inside = mesh.material > 0
    stays = ~zone.removed[record.parent]
    used = np.zeros(len(state.nodes), np.bool_)
    used[state.tets[stays]] = True
    _check_seam(state, piece, stays)
    _check_touch(piece, len(record.labels), group)

    # nodes
    needed = np.zeros(len(mesh.nodes), np.bool_)
    needed[mesh.tets[inside]] = True
    new = np.flatnonzero(needed & (piece.node < 0))
    nodes = places(used, len(new))
    number = np.full(len(mesh.nodes), -1, np.int32)
    sewn = piece.node >= 0
    number[sewn] = nodes.kept[piece.node[sewn]]
    number[new] = nodes.fresh
    # tetrahedra
    tets = places(stays, int(inside.sum()))
    material = mesh.material[inside]
    old_tets = np.where(used, nodes.kept, 0)[state.tets]
    labels = np.asarray(indicators.labels, dtype=np.int32)[material]
    # the lattice
    n_old, fresh = len(record.material), zone.old < 0
    lattice = np.where(fresh, n_old + np.cumsum(fresh) - 1, zone.old).astype(np.int32)
    n = n_old + int(fresh.sum())
    xyz = np.empty((n, 3), np.int32)
    xyz[:n_old] = zone.leaves.xyz
    xyz[lattice] = zone.keys
    lattice_tets = places(~zone.removed, len(zone.tets))

    def of_lattice(old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
        out = np.empty((n, *old.shape[1:]), old.dtype)
        out[:n_old] = old
        out[lattice[~zone.seam]] = new[~zone.seam]
        return out

    m = len(zone.old)
    at_node = np.where(new < m, lattice[np.minimum(new, m - 1)], -1)
    edge, at = np.full((len(new), 2), -1, np.int32), np.full(len(new), np.nan)
    cut = new >= m
    ends = lattice[mesh.edges[new[cut] - m]]
    edge[cut], at[cut] = ends, mesh.at[new[cut] - m]
    return _State(
        nodes=nodes.fill(state.nodes, piece.nodes[new]),
        tets=tets.fill(old_tets, number[mesh.tets[inside]]),
        labels=tets.fill(state.labels, labels),
        leaves=replace(zone.leaves, xyz=xyz),
        record=replace(
            record,
            labels=indicators.labels,
            indicators=indicators,
            edge_length=float(zone.leaves.edge()),
            material=of_lattice(record.material, zone.material),
            points=of_lattice(record.points, piece.points),
            kept=of_lattice(record.kept, mesh.kept),
            snapped=of_lattice(record.snapped, mesh.snapped),
            frozen=of_lattice(record.frozen, piece.frozen),
            lattice_node=nodes.fill(record.lattice_node, at_node),
            cut_edge=nodes.fill(record.cut_edge, edge),
            cut_at=nodes.fill(record.cut_at, at),
            tets=lattice_tets.fill(record.tets, lattice[zone.tets]),
            parent=tets.fill(
                lattice_tets.kept[record.parent], lattice_tets.fresh[mesh.parent[inside]]
            ),
        ),
        column=tets.fill(state.column, material),
        kept_nodes=followed(state.kept_nodes, nodes.kept),
        kept_tets=followed(state.kept_tets, tets.kept),
    )


def _check_touch(piece: _Piece, first: int, group: list[Body]) -> None:
    """Check that no body floats in the outside."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    inside = piece.mesh.material > 0
    tets, material = piece.mesh.tets[inside], piece.mesh.material[inside]
    i, j = tets[:, [0, 0, 0]].ravel(), tets[:, 1:].ravel()
    n = len(piece.nodes)
    links = coo_array((np.ones(len(i), np.int8), (i, j)), shape=(n, n))
    n_parts, part = connected_components(links, directed=False)
    holds = np.zeros(n_parts, np.bool_)
    holds[part[tets[material < first, 0]]] = True
    holds[part[piece.node >= 0]] = True
    loose = material[~holds[part[tets[:, 0]]]]
    if len(loose):
        raise InputError(
            f"expected a body that touches the head, body {group[loose[0] - first].name!r} does not"
        )


def _check_seam(state: _State, piece: _Piece, stays: NDArray[np.bool_]) -> None:
    """Check that the piece fits where the old tetrahedra were taken out."""
    from rheobase.meshes._insert_numba import match_rows

    on = np.zeros(len(state.nodes), np.bool_)
    on[piece.node[piece.node >= 0]] = True
    kept = _faces(state.tets[stays], on)
    gone = _faces(state.tets[~stays], on)
    open_faces = kept[match_rows(kept, gone) >= 0]
    here = piece.node >= 0
    mine = np.sort(piece.node[_faces(piece.mesh.tets, here)], axis=1)
    unmatched = int((match_rows(open_faces, mine) < 0).sum())
    if unmatched:
        raise RuntimeError(
            f"the new piece misses {unmatched} of {len(open_faces)} faces at its seam"
        )


def _faces(tets: NDArray[np.int32], on: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the faces of tetrahedra with all nodes in a set, sorted, shape (n, 3)."""
    near = tets[on[tets].sum(axis=1) >= 3]
    faces = near[:, [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]].reshape(-1, 3)
    return np.sort(faces[on[faces].all(axis=1)], axis=1)
