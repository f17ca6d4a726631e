"""Recovered fields: the gradient of a nodal potential at the nodes, tissue by tissue.

The gradient of a linear element is constant in it and only first-order exact. Here a quadratic is
fitted, by least squares, to the *potential* at a node and its neighbours of the same tissue, and
differentiated at the node (polynomial-preserving recovery). The patch is the node and whole rings
of neighbours until it holds enough nodes; where they do not determine a quadratic (a tissue one
element thin) the volume-weighted mean of the element gradients stands instead.

The field jumps where the conductivity does, so there is one value per (node, tissue) pair: a
*split node*. Neighbouring tissues never mix.

Reference: Zhang & Naga, SIAM J Sci Comput 26:1192 (2005), doi:10.1137/S1064827503402837.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.assembly import tissue_index
from rheobase.meshes.mesh import TetMesh

PATCH_NODES = 14  # a quadratic has 10 coefficients; the inner patch of a lattice holds 15 nodes


@dataclass(frozen=True, kw_only=True, eq=False)
class SplitNodes:
    """The (node, tissue) pairs of a mesh.

    Parameters
    ----------
    of_tet
        Split node of each corner of each tetrahedron, shape (n_tets, 4), int32.
    node
        Mesh node of each split node, shape (n_split,), int32.
    label
        Tissue label of each split node, shape (n_split,), int32.
    """

    of_tet: NDArray[np.int32]
    node: NDArray[np.int32]
    label: NDArray[np.int32]

    @cached_property
    def around(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Tetrahedra around each split node: row pointers and tetrahedra."""
        from rheobase.fields._recovery_numba import tets_of_splits

        ptr, tets = tets_of_splits(len(self.node), self.of_tet)
        return ptr, tets


def split_nodes(mesh: TetMesh) -> SplitNodes:
    """Return the (node, tissue) pairs of ``mesh``."""
    from rheobase.fields import _recovery_numba as kernel

    labels, tissue = tissue_index(mesh.labels)
    of_tet, node, index = kernel.split_nodes(len(mesh.nodes), mesh.tets, tissue, len(labels))
    return SplitNodes(of_tet=of_tet, node=node, label=labels[index])


def recover_gradient(
    mesh: TetMesh, split: SplitNodes, V: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Recover the gradient of nodal potentials at the split nodes.

    Parameters
    ----------
    mesh, split
        The mesh and its split nodes.
    V
        Potentials (V), shape (k, n_nodes).

    Returns
    -------
    ndarray, shape (k, n_split, 3)
        Gradient (V/m).
    """
    from rheobase.fields import _recovery_numba as kernel

    out: NDArray[np.float64] = average_gradient(mesh, split, V)
    ptr, around = split.around
    kernel.fit_gradient(
        mesh.nodes, split.node, split.of_tet, ptr, around, np.atleast_2d(V), PATCH_NODES, out
    )
    return out


def average_gradient(
    mesh: TetMesh, split: SplitNodes, V: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the volume-weighted mean of the element gradients at the split nodes (V/m).

    Parameters
    ----------
    mesh, split, V
        As in `recover_gradient`.

    Returns
    -------
    ndarray, shape (k, n_split, 3)
    """
    from rheobase.fields import _recovery_numba as kernel

    mean: NDArray[np.float64] = kernel.average(
        mesh.nodes, mesh.tets, split.of_tet, len(split.node), np.atleast_2d(V)
    )
    return mean
