"""Linear finite-element stiffness matrix, kept per tissue.

Strong form: -div(sigma grad V) = 0 in the head. Weak form: sum_T ∫_T sigma grad(V) · grad(w) = …
for every linear hat function w. The conductivity is sigma_t R_T, constant in a tissue but for the
relative tensor R of a tetrahedron (`rheobase.fields.tensors`; 1 where isotropic), so

    K = sum_t sigma_t K_t,      (K_t)_ij = sum_{T in t} |T| grad(phi_i) · R_T grad(phi_j),

with the closed-form gradients of the linear tetrahedron. The K_t share one sparsity pattern;
only the entries that a tissue touches are stored, so a new set of conductivities costs one pass.

Reference: any text on linear elements, e.g. Zienkiewicz, Taylor & Zhu, The Finite Element Method,
7th ed. 2013, ch. 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.tensors import Tensors, isotropic
from rheobase.meshes.mesh import TetMesh

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Stiffness:
    """The matrices K_t (m) of all tissues on one compressed-row pattern.

    Parameters
    ----------
    labels
        Tissue labels, ascending, shape (n_labels,).
    indptr, indices
        Row pointers (n_nodes + 1,) and sorted columns (nnz,) of the common pattern, int32.
    place, tissue, value
        The entries: place in the pattern, index into ``labels`` and value (m), shape (m,) each.
    """

    labels: NDArray[np.int32]
    indptr: NDArray[np.int32]
    indices: NDArray[np.int32]
    place: NDArray[np.int32]
    tissue: NDArray[np.uint8]
    value: NDArray[np.float64]

    def data(self, sigma: Mapping[int, float]) -> NDArray[np.float64]:
        """Return the data of K = sum_t sigma_t K_t (S), shape (nnz,).

        Parameters
        ----------
        sigma
            Conductivity (S/m) by label.

        Raises
        ------
        InputError
            If a label has no conductivity or one that is not > 0.
        """
        from rheobase.fields._assembly_numba import weighted_sum

        weights = sigma_of_labels(self.labels, sigma)
        out: NDArray[np.float64] = weighted_sum(
            len(self.indices), self.place, self.tissue, self.value, weights
        )
        return out

    def matrix(self, sigma: Mapping[int, float]) -> csr_array:
        """Return K = sum_t sigma_t K_t (S) as a SciPy array, shape (n_nodes, n_nodes)."""
        from scipy.sparse import csr_array

        n = len(self.indptr) - 1
        return csr_array((self.data(sigma), self.indices, self.indptr), shape=(n, n))


def sigma_of_labels(labels: NDArray[np.int32], sigma: Mapping[int, float]) -> NDArray[np.float64]:
    """Return the conductivity (S/m) of each of ``labels``, checked.

    Raises
    ------
    InputError
        If a label has no conductivity or one that is not finite and > 0.
    """
    for label in labels:
        value = sigma.get(int(label))
        if value is None:
            raise InputError(f"no conductivity for mesh label {label}, got {sorted(sigma)}")
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"sigma must be > 0 S/m, got {value!r}: mesh label {label}")
    return np.array([sigma[int(label)] for label in labels], dtype=np.float64)


def tissue_index(labels: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the ascending distinct labels and, for each tetrahedron, the index into them."""
    distinct = np.flatnonzero(np.bincount(labels)).astype(np.int32)
    index = np.zeros(int(distinct[-1]) + 1, dtype=np.int32)
    index[distinct] = np.arange(len(distinct), dtype=np.int32)
    return distinct, index[labels]


def stiffness(mesh: TetMesh, tensors: Tensors | None = None) -> Stiffness:
    """Assemble the linear stiffness matrix of ``mesh``, tissue by tissue.

    Parameters
    ----------
    mesh
        The tetrahedra; labels must be >= 0.
    tensors
        Relative conductivity tensors; isotropic if None.

    Returns
    -------
    Stiffness
        K_t (m) of every label on one pattern.

    Raises
    ------
    InputError
        If a tensor is of a tetrahedron that the mesh lacks.
    """
    from rheobase.fields import _assembly_numba as kernel

    tensors = tensors or isotropic()

    labels, tissue = tissue_index(mesh.labels)
    ptr, around = kernel.tets_of_nodes(len(mesh.nodes), mesh.tets, tissue, len(labels))
    rows, entries = kernel.count_entries(mesh.tets, tissue, ptr, around)
    indices, place, tissue_of, value = kernel.assemble_entries(
        mesh.nodes,
        mesh.tets,
        tissue,
        tensors.rows(len(mesh.tets)),
        tensors.values,
        ptr,
        around,
        rows,
        entries,
    )
    return Stiffness(
        labels=labels, indptr=rows, indices=indices, place=place, tissue=tissue_of, value=value
    )
