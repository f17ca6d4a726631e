"""The operators of `rheobase.fields.forms` in DOLFINx, without a compiler at run time.

The package's own assembly (`rheobase.fields.assembly`) covers linear elements; these operators
check it, and solve with quadratic elements where a reference is wanted.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rheobase._dolfinx import dolfinx as find_dolfinx
from rheobase.fields.native import library
from rheobase.meshes.mesh import TetMesh

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@cache
def _library() -> ctypes.CDLL:
    import rheobase.fields

    return library(rheobase.fields.__path__, "_forms.so")


def _pointer(name: str) -> int:
    """Return the address of the ``ufcx_form`` called ``name``."""
    address = ctypes.c_void_p.in_dll(_library(), f"form_forms_{name}").value
    assert address is not None
    return address


def dolfinx_mesh(mesh: TetMesh) -> tuple[Any, NDArray[np.int32]]:
    """Return the mesh in DOLFINx, and the original tetrahedron of each of its cells.

    Parameters
    ----------
    mesh
        The tetrahedra.

    Returns
    -------
    domain : dolfinx.mesh.Mesh
    original : ndarray, shape (n_tets,)
    """
    dolfinx = find_dolfinx()
    from basix.ufl import element
    from mpi4py import MPI

    domain = dolfinx.mesh.create_mesh(
        MPI.COMM_SELF,
        mesh.tets.astype(np.int64),
        element("Lagrange", "tetrahedron", 1, shape=(3,)),
        mesh.nodes,
    )
    return domain, np.asarray(domain.topology.original_cell_index, dtype=np.int32)


def assemble_stiffness(
    mesh: TetMesh, sigma: NDArray[np.float64], degree: Literal[1, 2] = 1
) -> tuple[csr_array, NDArray[np.float64]]:
    """Assemble ∫ sigma grad V · grad w with DOLFINx.

    Parameters
    ----------
    mesh
        The tetrahedra.
    sigma
        Conductivity of each (S/m), shape (n_tets,).
    degree
        Degree of the elements.

    Returns
    -------
    K : csr_array, shape (n, n)
        Stiffness (S), in the order of ``positions``.
    positions : ndarray, shape (n, 3)
        Coordinates (m) of the unknowns: the nodes, and the middles of the edges for degree 2.
    """
    from scipy.sparse import csr_array

    dolfinx = find_dolfinx()
    domain, original = dolfinx_mesh(mesh)
    V = dolfinx.fem.functionspace(domain, ("Lagrange", degree))
    coefficient = dolfinx.fem.Function(dolfinx.fem.functionspace(domain, ("DG", 0)))
    cells = coefficient.function_space.dofmap.list[:, 0]
    coefficient.x.array[cells] = sigma[original[: len(cells)]]
    form = dolfinx.fem.Form(
        dolfinx.cpp.fem.Form_float64(
            [_pointer(f"stiffness_p{degree}")],
            [V._cpp_object, V._cpp_object],
            [coefficient._cpp_object],
            [],
            {},
            [],
            domain._cpp_object,
        )
    )
    matrix = dolfinx.fem.assemble_matrix(form)
    # copies: the arrays are views that end with the matrix
    data, indices, indptr = (a.copy() for a in (matrix.data, matrix.indices, matrix.indptr))
    n = len(indptr) - 1
    return csr_array((data, indices, indptr), shape=(n, n)), V.tabulate_dof_coordinates()
