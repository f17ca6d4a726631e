"""The volume conductor: one matrix and one preconditioner for every right-hand side.

    K V = b,   K = sum_t sigma_t K_t,   K 1 = 0,   sum(b) = 0

K is symmetric and positive definite once one node of each connected part of the mesh is held at
0 V (the ground: the part's node nearest to its centre, so never under an electrode). The system is
solved by conjugate gradients (`rheobase.fields.krylov`) with smoothed-aggregation multigrid
(`rheobase.fields.multigrid`), whose threshold keeps the aggregates from crossing the skull. Many
right-hand sides go in lock-step blocks, one block a thread. Electrodes add an operator on few nodes
(`rheobase.fields.contacts`) and share the multigrid of the bare head.

One rank has all of it (`rheobase.fields.one_rank`); under MPI the ranks share mesh, matrix,
multigrid and recovery (`rheobase.fields.parallel`), and rank 0 asks as if it had them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase._ranks import active, check_alone
from rheobase.fields.assembly import Stiffness, sigma_of_labels, tissue_index
from rheobase.fields.contacts import Contacts
from rheobase.fields.multigrid import Multigrid
from rheobase.fields.one_rank import OneRank
from rheobase.fields.parallel.shared import Shared
from rheobase.fields.petsc_options import real
from rheobase.fields.recovery import Recovery, SplitNodes
from rheobase.fields.tensors import Tensors, isotropic, matrices
from rheobase.meshes.head import Head
from rheobase.meshes.mesh import TetMesh

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Relative residual that potentials of field bases are solved to: on another number of ranks, or
#: with another preconditioner, E is then the same to 1e-8 (a coil's field needs it: its largest
#: difference is 11 times the residual; corrections are a hundredth of the potential).
RTOL = 1e-10


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


class Conductor:
    """A head as a volume conductor, ready to solve.

    Parameters
    ----------
    head
        A head, or a mesh with ``sigma``.
    sigma
        Conductivity (S/m) by mesh label; that of the head's tissues if None.
    tensors
        Anisotropy (`rheobase.fields.anisotropy` makes it from images); isotropic if None.
    rtol
        Largest true relative residual of every solution.

    Attributes
    ----------
    mesh
        The mesh.
    sigma
        Conductivity (S/m) by mesh label.
    tensors
        Relative conductivity tensors.
    part
        Connected part of each node, shape (n_nodes,).
    grounds
        The node held at 0 V of each connected part, shape (n_parts,).

    Raises
    ------
    InputError
        If a tissue has no conductivity > 0, or a tensor is of a tetrahedron that the mesh lacks.
    """

    def __init__(
        self,
        head: Head | TetMesh,
        sigma: Mapping[int, float] | None = None,
        *,
        tensors: Tensors | None = None,
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
        self.tensors = tensors or isotropic()
        self.rtol = rtol
        team = active()
        self._engine: OneRank | Shared = (
            OneRank(self.mesh, self.sigma, self.tensors)
            if team is None
            else Shared(team, self.mesh, self.sigma, self.tensors)
        )
        self.part, self.grounds = self._engine.part, self._engine.grounds

    @property
    def _one_rank(self) -> OneRank:
        if not isinstance(self._engine, OneRank):
            check_alone("what needs the whole matrix")
        assert isinstance(self._engine, OneRank)
        return self._engine

    @property
    def stiffness(self) -> Stiffness:
        """The matrices of the tissues; on one rank only, like all that the whole matrix makes."""
        return self._one_rank.stiffness

    @property
    def pinned(self) -> csr_array:
        """K with row and column of each ground cleared."""
        return self._one_rank.pinned

    @property
    def multigrid(self) -> Multigrid:
        """The preconditioner of ``pinned``."""
        return self._one_rank.multigrid

    @property
    def split(self) -> SplitNodes:
        """The (node, tissue) pairs of the mesh, made on first use."""
        return self._engine.split

    @property
    def recovery(self) -> Recovery:
        """The fits that recover fields at all split nodes, made on first use."""
        return self._one_rank.recovery

    @property
    def sigma_of_tet(self) -> NDArray[np.float64]:
        """Conductivity of the tissue of each tetrahedron (S/m), tensors left out, (n_tets,)."""
        labels, index = tissue_index(self.mesh.labels)
        return sigma_of_labels(labels, self.sigma)[index]

    @property
    def anisotropic(self) -> tuple[int, ...]:
        """Labels of the tissues with tensors."""
        return tuple(np.unique(self.mesh.labels[self.tensors.tets]).tolist())

    @cached_property
    def surface(self) -> NDArray[np.float64]:
        """Share of each node in the surface of its connected part (1), shape (n_nodes,)."""
        mesh = self.mesh
        faces = mesh.outer_faces()[0]
        a, b, c = mesh.nodes[faces].swapaxes(0, 1)
        area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
        s = np.bincount(faces.ravel(), np.repeat(area / 3, 3), minlength=len(mesh.nodes))
        shares: NDArray[np.float64] = s / np.bincount(self.part, s)[self.part]
        return shares

    def apply(self, V: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return K V: the current (A) that leaves the conductor at each node, shape (n_nodes,)."""
        return self._engine.apply(V)

    def at_nodes(
        self, functions: Sequence[Callable[[NDArray[np.float64]], NDArray[np.float64]]]
    ) -> NDArray[np.float64]:
        """Return vector functions of position at the nodes; on several ranks, each its nodes.

        Parameters
        ----------
        functions
            Each makes vectors (n, 3) of positions (m), (n, 3); k of them.

        Returns
        -------
        ndarray, shape (k, n_nodes, 3)
        """
        return self._engine.at_nodes(functions)

    def gradient(self, V: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the recovered gradient (V/m) of potentials (V), shape (k, n_nodes).

        Returns
        -------
        ndarray, shape (k, n_split, 3)
        """
        return self._engine.gradient(V)

    def defects(
        self,
        V: NDArray[np.float64],
        singular: Sequence[NDArray[np.integer] | None],
        rings: int,
        *,
        sigma: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Return K V - D(V) of potentials (A), shape (k, n_nodes): `fields.correction` has D.

        Parameters
        ----------
        V, singular, sigma
            As for `rheobase.fields.correction.defects`.
        rings
            Tetrahedra within so many edges of singular nodes are left alone.
        """
        if sigma is not None:
            return self._one_rank.defects(V, singular, rings, sigma)
        return self._engine.defects(V, singular, rings)

    def flux(self, E: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the current density sigma E (A/m²) of the field E (V/m) in each tetrahedron.

        Parameters
        ----------
        E
            Field (V/m), shape (n_tets, 3).

        Returns
        -------
        ndarray, shape (n_tets, 3)
        """
        J = self.sigma_of_tet[:, None] * E
        tets = self.tensors.tets
        J[tets] = np.einsum("tij,tj->ti", matrices(self.tensors.values), J[tets])
        return J

    def induced_load(self, A: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return -∫ sigma dA/dt · grad(phi_i): the right-hand side (A) of an induced field.

        Parameters
        ----------
        A
            dA/dt at the nodes (V/m), shape (k, n_nodes, 3).

        Returns
        -------
        ndarray, shape (k, n_nodes)
        """
        return self._engine.induced_load(A)

    def heat(self, V: NDArray[np.float64], A: NDArray[np.float64]) -> float:
        """Return the power (W) that E = -grad V - dA/dt turns into heat.

        Parameters
        ----------
        V
            Potential (V), shape (n_nodes,).
        A
            dA/dt at the nodes (V/m), shape (n_nodes, 3).
        """
        return self._engine.heat(V, A)

    def solve(
        self,
        rhs: NDArray[np.float64],
        *,
        contacts: Contacts | None = None,
        rtol: float | None = None,
        goal: float | None = None,
    ) -> tuple[NDArray[np.float64], list[Solve]]:
        """Solve K V = b for each right-hand side.

        Parameters
        ----------
        rhs
            Nodal currents (A), shape (k, n_nodes) or (n_nodes,); each must sum to zero over every
            connected part of the mesh. Three or more go in blocks of eight, a block a thread.
        contacts
            Electrode contacts to add to K.
        rtol
            Largest true relative residual, that of the conductor if None.
        goal
            Relative residual that the iteration goes down to if it is below ``rtol``; rounding may
            keep the true one above it where conductivities differ by many orders (metal, sponge).

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
        rtol = real("ksp_rtol", self.rtol if rtol is None else rtol)
        aim = real("ksp_rtol", min(rtol, goal or rtol))
        V = np.zeros_like(b)
        solves = [Solve(iterations=0, residual=0.0)] * len(b)
        chosen = np.flatnonzero(b.any(axis=1))
        if len(chosen) == 0:
            return V, solves
        with stage("solving"):
            if len(chosen) == len(b):
                V, iterations, residuals = self._engine.solve(b, contacts, aim)
            else:
                V[chosen], iterations, residuals = self._engine.solve(b[chosen], contacts, aim)
        for row, n, residual in zip(chosen, iterations, residuals, strict=True):
            solves[row] = Solve(iterations=n, residual=residual)
        worst = max(residuals)
        if not worst <= rtol:
            raise RuntimeError(f"relative residual {worst:.2e} misses {rtol:.0e}")
        return V, solves
