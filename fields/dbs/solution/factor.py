"""Cholesky factor of a sparse matrix, for blocks of right-hand sides (MUMPS through PETSc)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._dolfinx import petsc

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]

_PORD = 4  # MUMPS, ICNTL(7): the ordering that filled least on grids around leads
_SLACK = 5  # MUMPS, ICNTL(14): room above its estimate (%); nothing is exchanged in this factor


class Factor:
    """A factored matrix; see `factorise`."""

    def __init__(self, factor: Any) -> None:
        self._factor = factor

    def solve(self, block: Floats) -> Floats:
        """Return the solutions for right-hand sides (n, k), shape (n, k)."""
        PETSc = petsc()
        columns: Any = np.asfortranarray(block)
        found: Any = np.zeros(block.shape, order="F")
        rhs = PETSc.Mat().createDense(block.shape, array=columns, comm=PETSc.COMM_SELF)
        x = PETSc.Mat().createDense(block.shape, array=found, comm=PETSc.COMM_SELF)
        for part in (rhs, x):
            part.assemble()
        self._factor.matSolve(rhs, x)
        rhs.destroy()
        x.destroy()
        return np.asarray(found)


def factorise(matrix: csr_array) -> Factor:
    """Return the factor of a symmetric positive definite matrix.

    Parameters
    ----------
    matrix
        Shape (n, n); what is below the diagonal is not looked at.
    """
    from scipy.sparse import triu

    PETSc = petsc()

    upper = triu(matrix, format="csr")
    del matrix  # each copy of it weighs as much as a tenth of the factor
    parts = (upper.indptr.astype(np.int32), upper.indices.astype(np.int32), upper.data)
    half: Any = PETSc.Mat().createSBAIJ(upper.shape, 1, csr=parts, comm=PETSc.COMM_SELF)
    del upper, parts
    half.setOption(PETSc.Mat.Option.SPD, True)
    pc: Any = PETSc.PC().create(PETSc.COMM_SELF)
    pc.setOperators(half)
    pc.setType("cholesky")
    pc.setFactorSolverType("mumps")
    pc.setFactorSetUpSolverType()
    factor = pc.getFactorMatrix()
    factor.setMumpsIcntl(7, _PORD)
    factor.setMumpsIcntl(14, _SLACK)
    pc.setUp()
    pc.destroy()  # the factor stays; what it was made of goes
    half.destroy()
    return Factor(factor)
