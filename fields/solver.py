"""The volume conductor: one matrix and one preconditioner for every right-hand side.

    K V = b,   K = sum_t sigma_t K_t,   K 1 = 0,   sum(b) = 0

K is symmetric and positive definite once one node of each connected part of the mesh is held at
0 V (the ground: the part's node nearest to its centre, so never under an electrode). The system is
solved by conjugate gradients with smoothed-aggregation multigrid (PETSc GAMG), whose threshold
keeps the aggregates from crossing the skull.

Electrodes add a symmetric positive semi-definite operator C that vanishes on constants and acts on
few nodes (`Contacts`). Nothing is set up again for it: with S the exact solution on those nodes
alone and M the multigrid of K, the symmetric multiplicative combination

    S + (1 - S A) M (1 - A S),   A = K + C,

preconditions A whatever the contact conductance (hybrid Schwarz; Mandel 1993).

References: Mandel, Commun Numer Methods Eng 9:233 (1993), doi:10.1002/cnm.1640090307;
Vanek, Mandel & Brezina, Computing 56:179 (1996), doi:10.1007/BF02238511;
Balay et al., PETSc/TAO users manual (GAMG).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage, track
from rheobase.fields.assembly import Stiffness, sigma_of_labels, stiffness, tissue_index
from rheobase.meshes.head import Head
from rheobase.meshes.mesh import TetMesh

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_OPTIONS: Mapping[str, str | float | int] = {  # measured on nested spheres with head contrasts
    "ksp_type": "cg",
    "ksp_norm_type": "unpreconditioned",
    "ksp_max_it": 500,
    "pc_type": "gamg",
    "pc_gamg_threshold": 0.04,
    "pc_gamg_threshold_scale": 0.5,
    "mg_levels_ksp_type": "richardson",
    "mg_levels_ksp_max_it": 1,
    "mg_levels_pc_type": "sor",
}
_prefixes = count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Solve:
    """What one solution cost and how exact it is.

    Parameters
    ----------
    iterations
        Conjugate-gradient iterations.
    residual
        True relative residual, |b - K V| / |b|, recomputed from the solution.
    """

    iterations: int
    residual: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contacts:
    """Electrode contacts as an operator on a few nodes: C = B - W^T W, with C 1 = 0.

    Parameters
    ----------
    nodes
        The nodes it acts on, distinct, shape (p,).
    B
        Symmetric sparse part (S), shape (p, p).
    W
        One row per electrode (S^½), shape (n_electrodes, p).
    """

    nodes: NDArray[np.int32]
    B: csr_array
    W: NDArray[np.float64]

    def apply(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return C x at the nodes (A) from the potential x at the nodes (V), shape (p,)."""
        out: NDArray[np.float64] = self.B @ x - self.W.T @ (self.W @ x)
        return out


class Conductor:
    """A head as a volume conductor, ready to solve.

    Parameters
    ----------
    head
        A head, or a mesh with ``sigma``.
    sigma
        Conductivity (S/m) by mesh label; that of the head's tissues if None.
    rtol
        Largest true relative residual of every solution.

    Attributes
    ----------
    mesh
        The mesh.
    sigma
        Conductivity (S/m) by mesh label.
    stiffness
        The matrices of the tissues.
    part
        Connected part of each node, shape (n_nodes,).
    grounds
        The node held at 0 V of each connected part, shape (n_parts,).

    Raises
    ------
    InputError
        If a tissue has no conductivity > 0.
    """

    def __init__(
        self,
        head: Head | TetMesh,
        sigma: Mapping[int, float] | None = None,
        *,
        rtol: float = 1e-8,
    ) -> None:
        if isinstance(head, Head):
            self.mesh = head.mesh
            sigma = {k: t.sigma for k, t in head.tissues.items()} if sigma is None else sigma
        else:
            self.mesh = head
        if sigma is None:
            raise InputError("expected a conductivity for each label of the mesh, got none")
        if not 0 < rtol < 1:
            raise InputError(f"rtol must be between 0 and 1, got {rtol!r}")
        self.sigma = dict(sigma)
        self.rtol = rtol
        with stage("assembling"):
            self.stiffness: Stiffness = stiffness(self.mesh)
            K = self.stiffness.matrix(self.sigma)
        self.part, self.grounds = _grounds(K, self.mesh.nodes)
        with stage("setting up multigrid"):
            self._set_up(K)

    def _set_up(self, K: Any) -> None:
        PETSc = _petsc()
        self._K = K
        n = K.shape[0]
        pinned = K.copy()
        _pin(pinned, self.grounds)
        self._pinned = pinned
        self._matrix = PETSc.Mat().createAIJ(
            size=(n, n), csr=(pinned.indptr, pinned.indices, pinned.data), comm=PETSc.COMM_SELF
        )
        self._matrix.setOption(PETSc.Mat.Option.SPD, True)
        prefix = f"rheobase_{next(_prefixes)}_"
        options = PETSc.Options()
        for key, value in _OPTIONS.items():
            options[prefix + key] = value
        self._ksp = PETSc.KSP().create(PETSc.COMM_SELF)
        self._ksp.setOptionsPrefix(prefix)
        self._ksp.setOperators(self._matrix, self._matrix)
        self._ksp.setFromOptions()
        self._ksp.setErrorIfNotConverged(True)
        self._ksp.setUp()
        for key in _OPTIONS:
            options.delValue(prefix + key)
        self._ksp.getPC().setReusePreconditioner(True)
        self._b, self._x = self._matrix.createVecRight(), self._matrix.createVecLeft()

    def _with_contacts(self, contacts: Contacts) -> Any:
        """Return a solver for K + C that reuses the multigrid of K."""
        PETSc = _petsc()
        n = len(self.mesh.nodes)
        shell = PETSc.Mat().createPython(
            (n, n), _ContactMatrix(self._matrix, contacts), comm=PETSc.COMM_SELF
        )
        shell.setUp()
        ksp = PETSc.KSP().create(PETSc.COMM_SELF)
        ksp.setOperators(shell, shell)
        ksp.setType("cg")
        ksp.setNormType(PETSc.KSP.NormType.UNPRECONDITIONED)
        ksp.setTolerances(max_it=int(_OPTIONS["ksp_max_it"]))
        ksp.setErrorIfNotConverged(True)
        ksp.getPC().setType("python")
        ksp.getPC().setPythonContext(
            _ContactPreconditioner(self._pinned, contacts, self._ksp.getPC())
        )
        return ksp

    @property
    def sigma_of_tet(self) -> NDArray[np.float64]:
        """Conductivity of each tetrahedron (S/m), shape (n_tets,)."""
        labels, index = tissue_index(self.mesh.labels)
        return sigma_of_labels(labels, self.sigma)[index]

    def apply(self, V: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return K V: the current (A) that leaves the conductor at each node, shape (n_nodes,)."""
        current: NDArray[np.float64] = self._K @ V
        return current

    def solve(
        self, rhs: NDArray[np.float64], *, contacts: Contacts | None = None
    ) -> tuple[NDArray[np.float64], list[Solve]]:
        """Solve K V = b for each right-hand side.

        Parameters
        ----------
        rhs
            Nodal currents (A), shape (k, n_nodes) or (n_nodes,); each must sum to zero over every
            connected part of the mesh.
        contacts
            Electrode contacts to add to K.

        Returns
        -------
        V : ndarray, shape (k, n_nodes)
            Potential (V), zero at the ground.
        solves : list of Solve
            Iterations and true residual of each.

        Raises
        ------
        InputError
            If a right-hand side feeds more current into a part of the mesh than it takes out.
        RuntimeError
            If the iteration misses the tolerance.
        """
        b = np.atleast_2d(np.asarray(rhs, dtype=np.float64))
        if b.shape[1] != len(self.mesh.nodes):
            raise ValueError(f"rhs must have shape (k, {len(self.mesh.nodes)}), got {b.shape}")
        for row in b:
            net = np.bincount(self.part, weights=row)
            if np.abs(net).max() > 1e-9 * max(float(np.abs(row).sum()), 1e-300):
                raise InputError(
                    "currents must sum to 0 A in each connected part of the mesh, "
                    f"got {net[np.abs(net).argmax()]:.3g} A"
                )
        ksp = self._ksp if contacts is None else self._with_contacts(contacts)
        V = np.empty_like(b)
        solves = []
        for i in track(range(len(b)), "solving", total=len(b)):
            V[i], solve = self._solve_one(ksp, b[i], contacts)
            solves.append(solve)
        if contacts is not None:
            ksp.destroy()
        return V, solves

    def _solve_one(
        self, ksp: Any, b: NDArray[np.float64], contacts: Contacts | None
    ) -> tuple[NDArray[np.float64], Solve]:
        size = float(np.linalg.norm(b))
        if size == 0.0:
            return np.zeros_like(b), Solve(iterations=0, residual=0.0)
        pinned = b.copy()
        pinned[self.grounds] = 0.0
        self._b.setArray(pinned)
        ksp.setTolerances(rtol=0.5 * self.rtol, atol=0.0)
        ksp.solve(self._b, self._x)
        x = self._x.getArray(readonly=True).copy()
        r = b - self._K @ x
        if contacts is not None:
            r[contacts.nodes] -= contacts.apply(x[contacts.nodes])
        residual = float(np.linalg.norm(r)) / size
        if not residual <= self.rtol:
            raise RuntimeError(f"relative residual {residual:.2e} misses {self.rtol:.0e}")
        return x, Solve(iterations=int(ksp.getIterationNumber()), residual=residual)


class _ContactMatrix:
    """Matrix of the conductor plus electrode contacts, for PETSc."""

    def __init__(self, matrix: Any, contacts: Contacts) -> None:
        self.matrix = matrix
        self.contacts = contacts

    def mult(self, _: Any, x: Any, y: Any) -> None:
        """Write (K + C) x into y."""
        self.matrix.mult(x, y)
        nodes = self.contacts.nodes
        added = self.contacts.apply(x.getArray(readonly=True)[nodes])
        y.getArray()[nodes] += added


class _ContactPreconditioner:
    """S + (1 - S A) M (1 - A S), for PETSc: M the multigrid of K, S exact on the contacts."""

    def __init__(self, K: csr_array, contacts: Contacts, multigrid: Any) -> None:
        from scipy.sparse.linalg import splu

        nodes = contacts.nodes
        self.contacts = contacts
        self.multigrid = multigrid
        self.rows = K[nodes, :]
        self.columns = self.rows.T.tocsr()
        self.factor = splu((self.rows[:, nodes] + contacts.B).tocsc())
        self.Z = self.factor.solve(np.ascontiguousarray(contacts.W.T))
        self.capacitance = np.eye(len(contacts.W)) - contacts.W @ self.Z

    def exact(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        """Solve (K + C) s = r on the contact nodes (Woodbury)."""
        s = self.factor.solve(r)
        s += self.Z @ np.linalg.solve(self.capacitance, self.contacts.W @ s)
        return np.asarray(s, dtype=np.float64)

    def apply(self, _: Any, x: Any, y: Any) -> None:
        """Write the preconditioned x into y."""
        nodes, contacts = self.contacts.nodes, self.contacts
        r = x.getArray(readonly=True).copy()
        s = self.exact(r[nodes])
        r -= self.columns @ s
        r[nodes] -= contacts.apply(s)
        work = x.duplicate()
        work.setArray(r)
        self.multigrid.apply(work, y)
        work.destroy()
        z = y.getArray()
        z[nodes] += s - self.exact(self.rows @ z + contacts.apply(z[nodes]))


def _petsc() -> Any:
    """Return PETSc; the wheel's libraries must be loaded before it."""
    import dolfinx_solver  # noqa: F401
    from petsc4py import PETSc

    return PETSc


def _grounds(K: Any, nodes: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the connected part of each node and, for each part, its node nearest the centre."""
    from scipy.sparse.csgraph import connected_components

    n_parts, part = connected_components(K, directed=False)
    size = np.bincount(part, minlength=n_parts)[:, None]
    centre = np.stack([np.bincount(part, weights=x, minlength=n_parts) for x in nodes.T], 1) / size
    order = np.lexsort((((nodes - centre[part]) ** 2).sum(1), part))
    first = np.searchsorted(part[order], np.arange(n_parts))
    return part.astype(np.int32), order[first].astype(np.int64)


def _pin(K: Any, grounds: NDArray[np.int64]) -> None:
    """Clear row and column of each ground in place, keeping the symmetric pattern."""
    for g in grounds:
        lo, hi = K.indptr[g], K.indptr[g + 1]
        columns = K.indices[lo:hi]
        diagonal = columns == g
        for j in columns[~diagonal]:
            row = slice(K.indptr[j], K.indptr[j + 1])
            K.data[row][K.indices[row] == g] = 0.0
        scale = K.data[lo:hi][diagonal][0]
        K.data[lo:hi] = np.where(diagonal, scale if scale > 0 else 1.0, 0.0)
