"""Insertion of bodies into a mesh: only their surroundings are meshed anew.

The leaves of the octree near the bodies are split, the lattice there is cut with one more indicator
for each body, and the result is sewn to the rest. On the seam, which lies two rings of lattice
tetrahedra away from anything that changed, every decision of the first meshing is taken over: the
place of each node, whether it had been moved onto an interface, and so the cuts of the edges.
All other nodes and tetrahedra keep their numbers and coordinates, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.meshes.carving.carved import Carved, LatticeRecord
from rheobase.meshes.carving.lattice_file import StoredLattice
from rheobase.meshes.head import Head
from rheobase.meshes.insertion.bodies import Body
from rheobase.meshes.insertion.body_field import BodyIndicators, check_names
from rheobase.meshes.insertion.piece import MIN_DIHEDRAL, State, cut_zone, surface_shifts
from rheobase.meshes.insertion.sew import sewn
from rheobase.meshes.insertion.zone import find_zone
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.quality import dihedral_angles
from rheobase.meshes.tissues import Tissue

#: A leaf may be larger than asked for by this factor: edges come in powers of two.
TOLERANCE = 1.25
#: Growth of the wanted edge with the distance from a body.
GROWTH = 1.0
#: Rings of lattice tetrahedra around what has changed that are cut anew as well.
RINGS = 2
#: Surfaces that are off by less than this (of the edge of the body) are left there.
NO_SHIFT = 0.004
#: How often the seam is moved outwards when bad tetrahedra remain at it.
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
    return _inserted(State.of(made.mesh, made.lattice), list(bodies))


def _inserted(state: State, bodies: list[Body]) -> Inserted:
    """Insert bodies into a mesh."""
    check_names(bodies)
    first = len(state.record.labels)
    if bodies:
        with stage("inserting " + ", ".join(body.name for body in bodies)):
            state = _insert(state, bodies)
    found = {}
    for n, body in enumerate(bodies, first):
        found[body.name] = np.flatnonzero(state.column == n).astype(np.int32)
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


def insert_into_head(
    head: Head, bodies: Sequence[Body], tissues: Mapping[int, Tissue]
) -> tuple[Head, Inserted]:
    """Insert bodies into a head.

    Parameters
    ----------
    head
        A head that was made from an image, a parametric one, or what this function returned.
    bodies
        As in `insert`.
    tissues
        Tissue of each label of the bodies that the head has not yet.

    Returns
    -------
    head
        The same with the bodies in its mesh; all else, the cortical sheet too, is as it was.
    inserted
        What was kept and where the bodies are.

    Raises
    ------
    InputError
        As `insert`, and if the head does not know its lattice or a label has no tissue.
    """
    if head.lattice is None:
        raise InputError(
            "expected a head that was made from an image, this one came as a mesh: make it anew "
            f"from its label image (`rheobase heads build IMAGE`): head {head.name!r}"
        )
    known = {**head.tissues, **tissues}
    for body in bodies:
        if body.label not in known:
            raise InputError(f"no tissue for label {body.label}: body {body.name!r}")
    lattice = head.lattice.read() if isinstance(head.lattice, StoredLattice) else head.lattice
    if len(lattice.parent) != len(head.mesh.tets):
        raise InputError(
            f"expected the lattice of {len(head.mesh.tets)} tetrahedra, got one of "
            f"{len(lattice.parent)}, its file was replaced: head {head.name!r}"
        )
    made = _inserted(State.of(head.mesh, lattice), list(bodies))
    labels = np.unique(made.mesh.labels).tolist()
    return (
        replace(
            head,
            mesh=made.mesh,
            lattice=made.lattice,
            tissues={label: known[label] for label in labels},
            provenance={
                **head.provenance,
                "inserted": [
                    *head.provenance.get("inserted", ()),
                    *(body.name for body in bodies),
                ],
            },
        ),
        made,
    )


def _insert(state: State, group: list[Body]) -> State:
    """Insert one body or more."""
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
    near = np.stack(boxes) + margin * np.array([[-1.0], [1.0]])

    def wanted(points: NDArray[np.float64], reach: NDArray[np.float64]) -> NDArray[np.float64]:
        edges = np.full(len(points), np.inf)
        for n, body in enumerate(group):
            away = np.maximum(-indicators.depth(n, points) - reach, 0.0)
            np.minimum(edges, TOLERANCE * body.edge_length + GROWTH * away, out=edges)
        return edges

    for move in range(MOVES):
        zone = find_zone(leaves, record, indicators, wanted, near, RINGS << move)
        edge = float(leaves.edge())
        draft = cut_zone(state, zone, indicators, edge, draft=True)
        assert draft is not None
        shifts = surface_shifts(draft, indicators)
        edges = np.array([body.edge_length for body in group])
        if (np.abs(shifts) > NO_SHIFT * edges).any():
            shifted = replace(indicators, shifts=shifts)
            material = shifted.material(zone.leaves.nodes(zone.keys))
            again = replace(zone, material=np.where(zone.intact, zone.material, material))
            piece = cut_zone(state, again, shifted, edge)
            if piece is not None:
                return sewn(state, again, piece, shifted, group)
        piece = cut_zone(state, zone, indicators, edge)
        if piece is not None:
            return sewn(state, zone, piece, indicators, group)
    raise InputError(
        f"no mesh with angles of {MIN_DIHEDRAL:g}° or more found around "
        f"{', '.join(body.name for body in group)}: choose another edge_length"
    )


def _slope(state: State) -> float:
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
