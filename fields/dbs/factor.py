"""Cholesky factor of a sparse matrix, for blocks of right-hand sides (MUMPS through PETSc)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]

_METIS = 5  # MUMPS, ICNTL(7): order by nested dissection


class Factor:
    """A factored matrix.

    Parameters
    ----------
    matrix
        Symmetric and positive definite, both halves, shape (n, n).
    """

    def __init__(self, matrix: csr_array) -> None:
        import dolfinx_solver  # noqa: F401  its wheel brings petsc4py
        from petsc4py import PETSc

        parts = (matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data)
        self._matrix: Any = PETSc.Mat().createAIJ(matrix.shape, csr=parts, comm=PETSc.COMM_SELF)
        self._matrix.setOption(PETSc.Mat.Option.SPD, True)
        self._pc: Any = PETSc.PC().create(PETSc.COMM_SELF)
        self._pc.setOperators(self._matrix)
        self._pc.setType("cholesky")
        self._pc.setFactorSolverType("mumps")
        self._pc.setFactorSetUpSolverType()
        self._factor: Any = self._pc.getFactorMatrix()
        self._factor.setMumpsIcntl(7, _METIS)
        self._pc.setUp()

    def solve(self, block: Floats) -> Floats:
        """Return the solutions for right-hand sides (n, k), shape (n, k)."""
        from petsc4py import PETSc

        columns = np.asfortranarray(block)
        found = np.zeros(block.shape, order="F")
        rhs = PETSc.Mat().createDense(block.shape, array=columns, comm=PETSc.COMM_SELF)
        x = PETSc.Mat().createDense(block.shape, array=found, comm=PETSc.COMM_SELF)
        for part in (rhs, x):
            part.assemble()
        self._factor.matSolve(rhs, x)
        rhs.destroy()
        x.destroy()
        return found


def factorise(matrix: csr_array) -> Factor:
    """Return the factor of a symmetric positive definite matrix."""
    return Factor(matrix)
