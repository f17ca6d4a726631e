"""Where labels meet: the nodes, faces and area that two labels of a mesh share.

One node is enough for current to cross: linear elements conduct through it. So labels that share
nodes, but do not touch in what was meshed, are told.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.mesh import TetMesh

#: Pairs of labels, lower first; 0 is the outside.
Pairs = Set[tuple[int, int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Contact:
    """What two labels share.

    Parameters
    ----------
    labels
        The two labels, lower first; 0 is the outside.
    n_nodes
        Number of nodes that they share.
    n_faces
        Number of faces of the mesh between them.
    area
        Their area (m²).
    """

    labels: tuple[int, int]
    n_nodes: int
    n_faces: int
    area: float


class SharedNodes:
    """The nodes of a mesh that several labels have.

    Parameters
    ----------
    mesh
        The mesh.
    outside
        Whether the boundary of the mesh counts as a label 0.
    """

    def __init__(self, mesh: TetMesh, *, outside: bool) -> None:
        from scipy.sparse import csc_array

        from rheobase.meshes.carving._improve_numba import node_materials

        self.mesh = mesh
        n = len(mesh.nodes)
        self.labels, column = np.unique(mesh.labels, return_inverse=True)
        self._on: NDArray[np.bool_] = node_materials(mesh.tets, mesh.labels, n)[1] >= 2
        self._outer, self._behind = np.empty((0, 3), np.int32), np.empty(0, np.int64)
        if outside:
            self._outer, self._behind = mesh.outer_faces()
        self._on[self._outer] = True
        corners = mesh.tets.ravel()
        here = np.flatnonzero(self._on[corners])
        nodes, column = corners[here], column[here // 4]
        if outside:
            self.labels = np.concatenate([[0], self.labels])
            nodes = np.concatenate([nodes, self._outer.ravel()])
            column = np.concatenate([column + 1, np.zeros(self._outer.size, np.int64)])
        shape = (n, len(self.labels))
        self._has = csc_array((np.ones(len(nodes), np.int32), (nodes, column)), shape=shape)
        self._has.data[:] = 1  # however many tetrahedra a label has around a node

    def of(self, *labels: int) -> NDArray[np.bool_]:
        """Return which of the shared nodes any of some labels has, shape (n_nodes,)."""
        on = np.zeros(self._has.shape[0], np.bool_)
        for column in np.flatnonzero(np.isin(self.labels, labels)):
            first, last = self._has.indptr[column : column + 2]
            on[self._has.indices[first:last]] = True
        return on

    def counts(self, touching: Pairs = frozenset()) -> dict[tuple[int, int], int]:
        """Return how many nodes each two labels share, pairs that may touch left out."""
        shared = (self._has.T @ self._has).tocoo()
        known = self.labels.tolist()
        rows, columns = (c.tolist() for c in shared.coords)
        found = {
            (known[a], known[b]): n
            for a, b, n in zip(rows, columns, shared.data.tolist(), strict=True)
            if a < b
        }
        return {pair: found[pair] for pair in sorted(found) if pair not in touching}

    def contacts(self, touching: Pairs = frozenset()) -> tuple[Contact, ...]:
        """Return what each two labels share, largest area first.

        Parameters
        ----------
        touching
            Pairs of labels that may touch, and are left out.
        """
        from rheobase.meshes._faces_numba import interfaces

        counts = self.counts(touching)
        if not counts:
            return ()
        mesh = self.mesh
        triangles, pairs = interfaces(mesh.tets, mesh.labels, len(mesh.nodes), self._on)
        own = mesh.labels[self._behind]
        triangles = np.concatenate([triangles, self._outer])
        pairs = np.concatenate([pairs, np.stack([np.zeros_like(own), own], axis=1)])
        p = mesh.nodes[triangles]
        areas = 0.5 * np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1)
        found = []
        for pair, n in counts.items():
            between = areas[(pairs == pair).all(axis=1)]
            found.append(
                Contact(labels=pair, n_nodes=n, n_faces=len(between), area=float(between.sum()))
            )
        return tuple(sorted(found, key=lambda c: (-c.area, -c.n_nodes, c.labels)))
