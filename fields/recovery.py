"""Recovered fields: the gradient of a nodal potential at the nodes, tissue by tissue.

The gradient of a linear element is constant in it and only first-order exact. Here a polynomial is
fitted, by weighted least squares, to the *potential* at a node and the nodes of the same tissue
nearest to it, and differentiated at the node (polynomial-preserving recovery, Zhang & Naga 2005).

Inside a tissue of scalar conductivity the potential is harmonic: div(sigma grad V) = 0, and for a
coil div(sigma grad V) = -div(sigma dA/dt) = 0 as well, A having no divergence (Coulomb gauge, as
every sum over currents has). So the fit takes harmonic polynomials only: to the third degree there
are 16 of them, where 20 are needed otherwise, and a potential that is no solution cannot be
followed. In a tissue with conductivity tensors it takes all 10 polynomials to the second degree.
Where the patch does not determine them the degree is lowered, down to a linear fit.

The field jumps where the conductivity does, so there is one value per (node, tissue) pair: a
*split node*. Neighbouring tissues never mix.

Reference: Zhang & Naga, SIAM J Sci Comput 26:1192 (2005), doi:10.1137/S1064827503402837.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rheobase._threads import in_parts
from rheobase.fields.assembly import tissue_index
from rheobase.fields.tensors import Tensors
from rheobase.meshes.mesh import TetMesh

PATCH_NODES = 36  # 16 coefficients; two shells of a body-centred lattice hold 27 nodes, three 51
_PARTS = 16  # of the fit that threads share; each has a list as long as the split nodes


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
    def neighbours(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Split nodes that share a tetrahedron with each: row pointers and split nodes."""
        from rheobase.fields import _recovery_numba as kernel

        n = len(self.node)
        ptr, around = kernel.tets_of_splits(n, self.of_tet)
        indptr, indices = kernel.neighbours(n, self.of_tet, ptr, around)
        return indptr, indices


def split_nodes(mesh: TetMesh) -> SplitNodes:
    """Return the (node, tissue) pairs of ``mesh``."""
    from rheobase.fields import _recovery_numba as kernel

    labels, tissue = tissue_index(mesh.labels)
    of_tet, node, index = kernel.split_nodes(len(mesh.nodes), mesh.tets, tissue, len(labels))
    return SplitNodes(of_tet=of_tet, node=node, label=labels[index])


@dataclass(frozen=True, kw_only=True, eq=False)
class Recovery:
    """The fits of a mesh, ready for any number of potentials (1 kB a split node).

    Parameters
    ----------
    rows
        Split nodes whose gradient is recovered, shape (n_rows,).
    patch
        Mesh nodes of each fit, that of the split node first, shape (n_rows, PATCH_NODES), int32.
    weight
        Gradient per potential of each of them (1/m), shape (n_rows, PATCH_NODES, 3).
    """

    rows: NDArray[np.int32]
    patch: NDArray[np.int32]
    weight: NDArray[np.float64]

    def gradient(self, V: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the gradient (V/m) of potentials (V), shape (k, n_nodes): (k, n_rows, 3)."""
        from rheobase.fields._recovery_numba import apply_weights

        side_by_side = np.ascontiguousarray(np.atleast_2d(V).T)
        out = np.empty((side_by_side.shape[1], len(self.rows), 3))
        in_parts(
            lambda some: apply_weights(
                self.patch, self.weight, side_by_side, some.start, some.stop, out
            ),
            len(self.rows),
        )
        return out


def recovery(
    mesh: TetMesh,
    split: SplitNodes,
    *,
    anisotropic: Iterable[int] = (),
    rows: NDArray[np.int32] | None = None,
    lower: bool = False,
) -> Recovery:
    """Fit the patches of ``mesh``.

    Parameters
    ----------
    mesh, split
        The mesh and its split nodes.
    anisotropic
        Labels of the tissues with conductivity tensors.
    rows
        Split nodes to recover at; all if None.
    lower
        Whether to fit polynomials of one degree less, to see what the last degree brings.

    Returns
    -------
    Recovery
    """
    from rheobase.fields._recovery_numba import fit_weights

    rows = np.arange(len(split.node), dtype=np.int32) if rows is None else rows
    some_rows = np.ascontiguousarray(rows, dtype=np.int32)
    harmonic = ~np.isin(split.label, list(anisotropic))
    points = mesh.nodes[split.node]
    around = split.neighbours
    patch = np.empty((len(rows), PATCH_NODES), dtype=np.int32)
    weight = np.empty((len(rows), PATCH_NODES, 3))

    def fit(part: slice) -> None:
        chosen, to = some_rows[part], (patch[part], weight[part])
        fit_weights(points, split.node, chosen, *around, harmonic, lower, *to)

    in_parts(fit, len(rows), -(-len(rows) // _PARTS) or 1)
    return Recovery(rows=rows, patch=patch, weight=weight)


def recover_gradient(
    mesh: TetMesh, split: SplitNodes, V: NDArray[np.float64], *, anisotropic: Iterable[int] = ()
) -> NDArray[np.float64]:
    """Recover the gradient of nodal potentials at the split nodes.

    Parameters
    ----------
    mesh, split, anisotropic
        As in `recovery`.
    V
        Potentials (V), shape (k, n_nodes).

    Returns
    -------
    ndarray, shape (k, n_split, 3)
        Gradient (V/m).
    """
    return recovery(mesh, split, anisotropic=anisotropic).gradient(V)


def unbalanced(
    mesh: TetMesh,
    split_of_tet: NDArray[np.int32],
    tissue: NDArray[np.int32],
    sigma: NDArray[np.float64],
    tensors: Tensors,
    V: NDArray[np.float64],
    G: NDArray[np.float64],
    spared: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return ∫ sigma (grad V - G) · grad(phi_i) (A): by how much the flux of G is out of balance.

    Parameters
    ----------
    mesh, tensors
        The tetrahedra and their relative conductivity tensors.
    split_of_tet
        Split node of each corner of each tetrahedron, shape (n_tets, 4).
    tissue, sigma
        Index of each tetrahedron, (n_tets,), into the conductivities (S/m), (k, n_labels).
    V, G
        Potentials (V), (k, n_nodes), and gradients at the split nodes (V/m), (k, n_split, 3).
    spared
        Nodes whose tetrahedra are left out, (k, n_nodes).

    Returns
    -------
    ndarray, shape (k, n_nodes)
    """
    from rheobase.fields._recovery_numba import defects

    out = np.empty_like(V)
    rows = tensors.rows(len(mesh.tets))
    given = mesh.nodes, mesh.tets, split_of_tet, tissue
    turn = rows, tensors.values
    in_parts(
        lambda k: defects(*given, sigma[k], *turn, V[k], G[k], spared[k], out[k]), len(V), part=1
    )
    return out
