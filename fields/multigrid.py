"""Smoothed-aggregation multigrid for one right-hand side or a block of them.

PETSc (GAMG) makes the hierarchy: coarse matrices A_l = P_l^T A_(l+1) P_l and interpolations P_l.
One vector goes through PETSc's own cycle (a symmetric Gauss-Seidel sweep before and after the
coarse correction). A block of columns goes through the cycle below on the same hierarchy, a forward
sweep before and a backward sweep after, which reads every matrix once for all columns and runs
beside other blocks in threads. Both are symmetric and positive definite. A preconditioner of PETSc
that a person chose instead (`rheobase.fields.petsc_options`) takes columns one at a time.

References: Vanek, Mandel & Brezina, Computing 56:179 (1996), doi:10.1007/BF02238511;
Balay et al., PETSc/TAO users manual (GAMG).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._dolfinx import petsc
from rheobase.fields.petsc_options import PREFIX, defaults

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Aggregation, measured on nested spheres with head contrasts.
GAMG: Mapping[str, str | float | int] = {
    "pc_type": "gamg",
    "pc_gamg_threshold": 0.04,
    "pc_gamg_threshold_scale": 0.5,
}
_OPTIONS: Mapping[str, str | float | int] = {
    **GAMG,
    "mg_levels_ksp_type": "richardson",
    "mg_levels_ksp_max_it": 1,
    "mg_levels_pc_type": "sor",
}
WIDTH = 8  # columns of a block: one cache line of float64


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Level:
    """One level above the coarsest: its matrix and the interpolation from the level below.

    Parameters
    ----------
    A
        Row pointers, columns (ascending) and values of the matrix.
    diagonal
        Place of each diagonal entry, shape (n,), int32.
    P
        Row pointers, columns and values of the interpolation.
    size
        Unknowns of the level and of the one below.
    """

    A: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]
    diagonal: NDArray[np.int32]
    P: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]
    size: tuple[int, int]


class Multigrid:
    """A preconditioner of a symmetric positive definite matrix.

    Parameters
    ----------
    matrix
        The matrix, columns ascending in each row; its arrays must not change afterwards.
    """

    def __init__(self, matrix: csr_array) -> None:
        PETSc = petsc()
        self._rows = matrix
        n = matrix.shape[0]
        self._matrix = PETSc.Mat().createAIJ(
            size=(n, n), csr=(matrix.indptr, matrix.indices, matrix.data), comm=PETSc.COMM_SELF
        )
        self._matrix.setOption(PETSc.Mat.Option.SPD, True)
        with defaults(_OPTIONS):
            self._pc = PETSc.PC().create(PETSc.COMM_SELF)
            self._pc.setOptionsPrefix(PREFIX)
            self._pc.setOperators(self._matrix, self._matrix)
            self._pc.setFromOptions()
            self._pc.setUp()
        self._has_levels = self._pc.getType() in {"gamg", "mg"}
        self._one_at_a_time = Lock()
        self._x, self._y = self._matrix.createVecLeft(), self._matrix.createVecRight()

    def prepare_blocks(self) -> None:
        """Make what blocks need, once, before threads share it."""
        if self._has_levels:
            _ = self.levels, self.coarsest

    @cached_property
    def levels(self) -> list[Level]:
        """The levels above the coarsest, the finest first."""
        from rheobase.fields._multigrid_numba import diagonal_places

        levels: list[Level] = []
        for k in range(self._pc.getMGLevels() - 1, 0, -1):
            if levels:
                A = _arrays(self._pc.getMGSmoother(k).getOperators()[0])
            else:
                A = self._rows.indptr, self._rows.indices, self._rows.data
            P = self._pc.getMGInterpolation(k)
            levels.append(
                Level(A=A, diagonal=diagonal_places(*A[:2]), P=_arrays(P), size=P.getSize())
            )
        return levels

    @cached_property
    def coarsest(self) -> Any:
        """Cholesky factor of the coarsest matrix."""
        from scipy.linalg import cho_factor

        A = self._pc.getMGCoarseSolve().getOperators()[0]
        return cho_factor(np.asarray(A.convert("dense").getDenseArray()))

    def apply(self, r: NDArray[np.float64], z: NDArray[np.float64]) -> None:
        """Write the preconditioned ``r`` into ``z``: arrays (n, 1) or (n, `WIDTH`)."""
        if r.shape[1] > 1 and self._has_levels:
            self._cycle(0, r, z)
            return
        with self._one_at_a_time:
            for column in range(r.shape[1]):
                self._x.setArray(r[:, column])
                self._pc.apply(self._x, self._y)
                z[:, column] = self._y.getArray(readonly=True)

    def _cycle(self, k: int, b: NDArray[np.float64], x: NDArray[np.float64]) -> None:
        from scipy.linalg import cho_solve

        from rheobase.fields import _multigrid_numba as kernel

        if k == len(self.levels):
            x[:] = cho_solve(self.coarsest, b, check_finite=False)
            return
        level = self.levels[k]
        kernel.sweep_from_zero(*level.A, level.diagonal, b, x)
        below = np.empty((2, level.size[1], b.shape[1]))
        kernel.restrict_residual(*level.A, level.diagonal, *level.P, x, below[0])
        self._cycle(k + 1, below[0], below[1])
        kernel.prolong(*level.P, below[1], x)
        kernel.sweep_back(*level.A, level.diagonal, b, x)


def _arrays(matrix: Any) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Return row pointers, ascending columns and values of a PETSc matrix."""
    from scipy.sparse import csr_array

    indptr, indices, data = matrix.getValuesCSR()
    rows = csr_array((data, indices, indptr), shape=matrix.getSize())
    rows.sort_indices()
    return rows.indptr, rows.indices, rows.data
