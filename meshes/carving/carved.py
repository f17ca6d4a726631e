"""What the mesher returns: the mesh, what it is worth, and how it was made.

The record of the lattice lets a body be inserted later without touching what is far from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.carving.indicators import Indicators
from rheobase.meshes.carving.lattice import Octree
from rheobase.meshes.carving.leaves import Leaves
from rheobase.meshes.contacts import Contact, SharedNodes
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.quality import Quality, quality


@dataclass(frozen=True, kw_only=True, slots=True)
class MeshReport:
    """What a mesh is worth.

    Parameters
    ----------
    quality
        Counts, angles, edges and volumes of the mesh.
    wanted
        Volume of each label in what was meshed (m³), empty where unknown.
    lost
        Labels without a tetrahedron, and their voxels in the image.
    contacts
        Pairs of labels that share nodes in the mesh but do not touch in the image, largest area
        first.
    n_open
        Edges of the lattice that cross a layer thinner than they are, which could not be closed.
    n_uncut
        Lattice nodes around which the lattice was left uncut, because it gave a bad tetrahedron.
    n_rebuilds
        How often the mesh was made again for that.
    """

    quality: Quality
    wanted: Mapping[int, float]
    lost: Mapping[int, int]
    contacts: tuple[Contact, ...]
    n_open: int
    n_uncut: int
    n_rebuilds: int

    def volume_errors(self) -> dict[int, float]:
        """Return the relative volume error of each label of the mesh whose volume is known."""
        got = self.quality.volumes
        return {k: got[k] / v - 1.0 for k, v in self.wanted.items() if k in got and v > 0}

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers, lists and strings (for JSON)."""
        return {
            "quality": {**asdict(self.quality), "volumes": _named(self.quality.volumes)},
            "wanted_volumes": _named(self.wanted),
            "volume_errors": _named(self.volume_errors()),
            "lost_labels": _named(self.lost),
            "contacts": [{**asdict(c), "labels": list(c.labels)} for c in self.contacts],
            "n_open": self.n_open,
            "n_uncut": self.n_uncut,
            "n_rebuilds": self.n_rebuilds,
        }

    def __str__(self) -> str:
        """Return a table for people (mm, cm², cm³)."""
        rows = [str(self.quality)]
        for label, error in self.volume_errors().items():
            rows.append(f"label {label}: volume {100 * error:+.2f} % of the wanted one")
        for label, voxels in self.lost.items():
            rows.append(f"label {label}: lost, {voxels} voxels")
        for c in self.contacts:
            rows.append(
                f"labels {c.labels[0]} and {c.labels[1]} touch in the mesh only: "
                f"{c.n_nodes} nodes, {c.n_faces} faces, {c.area * 1e4:.2f} cm²"
            )
        if self.n_open:
            rows.append(f"{self.n_open} lattice edges cross a layer that they leave open")
        if self.n_uncut:
            rows.append(
                f"left uncut around {self.n_uncut} lattice nodes ({self.n_rebuilds} rebuilds)"
            )
        return "\n".join(rows)


def _named(values: Mapping[int, Any]) -> dict[str, Any]:
    return {str(k): v for k, v in values.items()}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LatticeRecord:
    """How a mesh came out of its lattice.

    Parameters
    ----------
    octree
        The lattice: levels, origin, cell; ``octree.xyz`` is the key of each lattice node, in half
        cells. A list of leaves after an insertion.
    labels
        Label of each material; material 0 is the outside.
    indicators
        The indicator functions that were cut, volume corrections included.
    edge_length
        Mean edge of the finest lattice tetrahedra (m).
    points
        Lattice nodes (m) as the cutting met them: some have moved into a thin layer, shape
        (n_lattice, 3).
    material
        Material of each of them, shape (n_lattice,).
    kept
        Lattice nodes that keep their place and material, shape (n_lattice,).
    snapped
        Lattice nodes that moved onto an interface: they have no material of their own, shape
        (n_lattice,).
    frozen
        Lattice nodes around which nothing was cut, shape (n_lattice,).
    lattice_node
        Lattice node of each mesh node, -1 for a node on a cut edge, shape (n_nodes,).
    cut_edge
        The two lattice nodes of the edge that each mesh node cuts, lower first, -1 for a lattice
        node, shape (n_nodes, 2).
    cut_at
        Where the cut was made, 0 at the first lattice node, 1 at the second, NaN for a lattice
        node, shape (n_nodes,). The node may have moved since; ``mesh.nodes`` says where it is.
    tets
        Lattice nodes of the lattice tetrahedra, those included that became outside, shape (n, 4).
    parent
        The lattice tetrahedron that each tetrahedron of the mesh is a part of, shape (n_tets,).
    """

    octree: Octree | Leaves
    labels: tuple[int, ...]
    indicators: Indicators
    edge_length: float
    points: NDArray[np.float64]
    material: NDArray[np.int32]
    kept: NDArray[np.bool_]
    snapped: NDArray[np.bool_]
    frozen: NDArray[np.bool_]
    lattice_node: NDArray[np.int32]
    cut_edge: NDArray[np.int32]
    cut_at: NDArray[np.float64]
    tets: NDArray[np.int32]
    parent: NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Carved:
    """A mesh, what it is worth and how it was made.

    Parameters
    ----------
    mesh
        The mesh.
    report
        What it is worth.
    lattice
        How it came out of its lattice.
    """

    mesh: TetMesh
    report: MeshReport
    lattice: LatticeRecord


def mesh_report(
    mesh: TetMesh,
    *,
    wanted: Mapping[int, float],
    voxels: Mapping[int, int],
    touching: frozenset[tuple[int, int]] | None,
    n_open: int,
    n_uncut: int,
    n_rebuilds: int,
) -> MeshReport:
    """Measure a mesh against what was meshed.

    Parameters
    ----------
    mesh
        The mesh.
    wanted
        Volume of each label (m³), where known.
    voxels
        Voxels of each label, where there are any.
    touching
        Pairs of labels (lower first, 0 is the outside) that touch in the image; None if unknown.
    n_open, n_uncut, n_rebuilds
        As in `MeshReport`.
    """
    found = quality(mesh)
    return MeshReport(
        quality=found,
        wanted=dict(wanted),
        lost={k: n for k, n in voxels.items() if k not in found.volumes},
        contacts=() if touching is None else SharedNodes(mesh, outside=False).contacts(touching),
        n_open=n_open,
        n_uncut=n_uncut,
        n_rebuilds=n_rebuilds,
    )
