"""Pennes' equation on linear tetrahedra: M dT/dt + A T = F, and its implicit steps.

M_ij = ∫ rho C phi_i phi_j, A = K + W + R with K_ij = ∫ k grad phi_i · grad phi_j,
W_ij = ∫ w rho_b c_b phi_i phi_j and R_ij = ∫ h phi_i phi_j over the skin. Half of each mass matrix
is lumped: the errors of second order of the consistent and of the lumped one have opposite signs
and cancel to a large part.

Steps are those of the singly diagonally implicit Runge-Kutta method of second order, L-stable and
stiffly accurate, with gamma = 1 - 1/sqrt(2) (Alexander, SIAM J Numer Anal 14:1006 (1977),
doi:10.1137/0714068): two solves with M + gamma dt A. Conjugate gradients start from the stage
before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.assembly import stiffness
from rheobase.fields.heat.properties import Thermal
from rheobase.fields.krylov import conjugate_gradients
from rheobase.fields.multigrid import Multigrid
from rheobase.meshes.mesh import TetMesh

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]

GAMMA = 1.0 - np.sqrt(0.5)
LUMPED = 0.5
_RTOL = 1e-9
_STIFF = 250.0  # of s A_ii/M_ii: above, multigrid takes less time than the diagonal


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HeatMatrices:
    """The matrices of a mesh, on one pattern, all nodes.

    Parameters
    ----------
    M
        Heat capacity (J/K).
    A
        Conduction, perfusion and skin together (W/K).
    perfusion, skin
        Heat that blood takes and that leaves through the skin, for each kelvin of each node (W/K),
        shape (n_nodes,): column sums of W and R.
    """

    M: csr_array
    A: csr_array
    perfusion: Floats
    skin: Floats


def heat_matrices(
    mesh: TetMesh,
    thermal: Mapping[int, Thermal],
    skin: NDArray[np.int32],
    transfer: float,
    *,
    lumped: float = LUMPED,
) -> HeatMatrices:
    """Assemble the matrices.

    Parameters
    ----------
    mesh
        The tetrahedra.
    thermal
        Thermal properties of each label.
    skin
        Triangles through which heat goes, shape (n, 3).
    transfer
        Heat transfer coefficient h there (W/(m² K)).
    lumped
        Share of the mass matrices that is lumped, 0 to 1.
    """
    from scipy.sparse import csr_array

    from rheobase.fields.heat._heat_numba import mass_data

    K = stiffness(mesh)
    volumes = mesh.volumes()

    def mass(cells: NDArray[np.int32], weight: Floats) -> Floats:
        data: Floats = mass_data(cells, weight, lumped, K.indptr, K.indices)
        return data

    def of_tets(name: str) -> Floats:
        table = np.zeros(int(K.labels.max()) + 1)
        for label in K.labels.tolist():
            table[label] = getattr(thermal[label], name)
        values: Floats = table[mesh.labels]
        return values

    shape = (len(mesh.nodes),) * 2
    a, b, c = mesh.nodes[skin].swapaxes(0, 1)
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    W = mass(mesh.tets, volumes * of_tets("cooling"))
    R = mass(skin, transfer * area)
    conduction = K.data({label: thermal[label].conductivity for label in K.labels.tolist()})
    M = mass(mesh.tets, volumes * of_tets("heat_capacity"))
    return HeatMatrices(
        M=csr_array((M, K.indices, K.indptr), shape=shape),
        A=csr_array((conduction + W + R, K.indices, K.indptr), shape=shape),
        perfusion=np.bincount(K.indices, W, minlength=shape[0]),
        skin=np.bincount(K.indices, R, minlength=shape[0]),
    )


class Diagonal:
    """The preconditioner of matrices whose mass outweighs their conduction.

    Parameters
    ----------
    matrix
        The matrix.
    """

    def __init__(self, matrix: csr_array) -> None:
        self._inverse = 1.0 / matrix.diagonal()[:, None]

    def apply(self, r: Floats, z: Floats) -> None:
        """Write the preconditioned ``r`` into ``z``."""
        np.multiply(self._inverse, r, out=z)


class Implicit:
    """M + s A, ready to solve.

    Parameters
    ----------
    M, A
        Symmetric matrices on one pattern, columns ascending; M may be None for s A alone.
    s
        The factor (s), > 0.

    Attributes
    ----------
    iterations
        Of all solves so far.
    """

    def __init__(self, M: csr_array | None, A: csr_array, s: float) -> None:
        self.matrix = s * A if M is None else M + s * A
        stiff = M is None or float((s * A.diagonal() / M.diagonal()).max()) > _STIFF
        self._preconditioner: Multigrid | Diagonal = (
            Multigrid(self.matrix) if stiff else Diagonal(self.matrix)
        )
        self.iterations = 0

    def solve(self, b: Floats, guess: Floats) -> Floats:
        """Return the solution for ``b``, shape (n,), to a relative residual of 1e-9.

        Raises
        ------
        RuntimeError
            If the iteration misses the tolerance.
        """
        goal = _RTOL * max(float(np.linalg.norm(b)), 1e-300)
        x = guess[:, None].copy()
        r = b[:, None] - self.matrix @ x

        def apply(p: Floats, q: Floats) -> None:
            q[:, 0] = self.matrix @ p[:, 0]

        iterations = conjugate_gradients(
            apply, self._preconditioner.apply, r, x, np.array([0.5 * goal])
        )
        self.iterations += int(iterations[0])
        residual = float(np.linalg.norm(b - self.matrix @ x[:, 0]))
        if not residual <= goal:
            raise RuntimeError(f"residual {residual:.2e} misses {goal:.2e}")
        return x[:, 0]
