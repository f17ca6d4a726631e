"""The volume conductor: one matrix and one preconditioner for every right-hand side.

    K V = b,   K = sum_t sigma_t K_t,   K 1 = 0,   sum(b) = 0

K is symmetric and positive definite once one node of each connected part of the mesh is held at
0 V (the ground: the part's node nearest to its centre, so never under an electrode). The system is
solved by conjugate gradients (`rheobase.fields.krylov`) with smoothed-aggregation multigrid
(`rheobase.fields.multigrid`), whose threshold keeps the aggregates from crossing the skull. Many
right-hand sides go in lock-step blocks, one block a thread. Electrodes add an operator on few nodes
(`rheobase.fields.contacts`) and share the multigrid of the bare head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase._threads import in_parts
from rheobase.fields.assembly import Stiffness, sigma_of_labels, stiffness, tissue_index
from rheobase.fields.contacts import ContactMultigrid, Contacts
from rheobase.fields.krylov import conjugate_gradients
from rheobase.fields.multigrid import WIDTH, Multigrid
from rheobase.fields.recovery import Recovery, SplitNodes, recovery, split_nodes
from rheobase.fields.tensors import Tensors, isotropic, matrices
from rheobase.meshes.head import Head
from rheobase.meshes.mesh import TetMesh

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_FEWEST = 3  # right-hand sides that are worth a block


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
    stiffness
        The matrices of the tissues.
    part
        Connected part of each node, shape (n_nodes,).
    grounds
        The node held at 0 V of each connected part, shape (n_parts,).
    pinned
        K with row and column of each ground cleared.
    multigrid
        Its preconditioner.

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
        with stage("assembling"):
            self.stiffness: Stiffness = stiffness(self.mesh, self.tensors)
            self._K = self.stiffness.matrix(self.sigma)
        self.part, self.grounds = _grounds(self._K, self.mesh.nodes)
        with stage("setting up multigrid"):
            self.pinned = _pinned(self._K, self.grounds)
            self.multigrid = Multigrid(self.pinned)

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
    def split(self) -> SplitNodes:
        """The (node, tissue) pairs of the mesh, made on first use."""
        return split_nodes(self.mesh)

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

    @cached_property
    def recovery(self) -> Recovery:
        """The fits that recover fields at all split nodes, made on first use."""
        with stage("fitting patches"):
            return recovery(self.mesh, self.split, anisotropic=self.anisotropic)

    def around(self, nodes: NDArray[np.integer], rings: int) -> NDArray[np.integer]:
        """Return the given nodes and those within ``rings`` edges of them."""
        for _ in range(rings):
            nodes = np.unique(self._K[nodes].indices)
        return nodes

    def apply(self, V: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return K V: the current (A) that leaves the conductor at each node, shape (n_nodes,)."""
        current: NDArray[np.float64] = self._K @ V
        return current

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
        from rheobase.fields._assembly_numba import vector_load

        mesh = self.mesh
        tensor = self.tensors.rows(len(mesh.tets))
        load: NDArray[np.float64] = vector_load(
            mesh.nodes, mesh.tets, self.sigma_of_tet, tensor, self.tensors.values, A
        )
        return load

    def heat(self, V: NDArray[np.float64], A: NDArray[np.float64]) -> float:
        """Return the power (W) that E = -grad V - dA/dt turns into heat.

        Parameters
        ----------
        V
            Potential (V), shape (n_nodes,).
        A
            dA/dt at the nodes (V/m), shape (n_nodes, 3).
        """
        from rheobase.fields._assembly_numba import joule_by_tet

        mesh = self.mesh
        tensor = self.tensors.rows(len(mesh.tets))
        joule = joule_by_tet(mesh.nodes, mesh.tets, tensor, self.tensors.values, V, A)
        return float(self.sigma_of_tet @ joule)

    def solve(
        self,
        rhs: NDArray[np.float64],
        *,
        contacts: Contacts | None = None,
        rtol: float | None = None,
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
        rtol = self.rtol if rtol is None else rtol
        V = np.zeros_like(b)
        solves = [Solve(iterations=0, residual=0.0)] * len(b)
        chosen = np.flatnonzero(b.any(axis=1))
        if len(chosen) == 0:
            return V, solves
        system = _System(self._K, self.pinned, self.multigrid, contacts, self.grounds)
        if len(chosen) >= _FEWEST:
            self.multigrid.prepare_blocks()

        def work(some: slice) -> None:
            rows = chosen[some]
            for group in [rows] if len(rows) >= _FEWEST else rows[:, None]:
                block = np.zeros((b.shape[1], WIDTH if len(group) > 1 else 1))
                block[:, : len(group)] = b[group].T
                x, found = system.solve(block, rtol)
                for k, i in enumerate(group):
                    V[i], solves[i] = x[:, k], found[k]

        with stage("solving"):
            in_parts(work, len(chosen), WIDTH)
        worst = max(solve.residual for solve in solves)
        if not worst <= rtol:
            raise RuntimeError(f"relative residual {worst:.2e} misses {rtol:.0e}")
        return V, solves


class _System:
    """K + C of one call, and its preconditioner."""

    def __init__(
        self,
        K: csr_array,
        pinned: csr_array,
        multigrid: Multigrid,
        contacts: Contacts | None,
        grounds: NDArray[np.int64],
    ) -> None:
        self.K = K
        self.pinned = pinned
        self.multigrid = multigrid
        self.contacts = contacts
        self.grounds = grounds
        self.preconditioner: Multigrid | ContactMultigrid = multigrid
        if contacts is not None:
            self.preconditioner = ContactMultigrid(pinned, multigrid, contacts)

    def apply(self, A: csr_array, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """Write (A + C) x into ``y``, both (n, k)."""
        from rheobase.fields._multigrid_numba import product

        if x.shape[1] == WIDTH:
            product(A.indptr, A.indices, A.data, x, y)
        else:
            y[:] = A @ x
        if self.contacts is not None:
            nodes = self.contacts.nodes
            y[nodes] += self.contacts.apply(x[nodes])

    def solve(self, b: NDArray[np.float64], rtol: float) -> tuple[NDArray[np.float64], list[Solve]]:
        """Solve (K + C) x = b, shape (n, k), by conjugate gradients in lock-step."""
        from rheobase.fields import _multigrid_numba as kernel

        size = np.sqrt(kernel.dots(b, b))
        r = b.copy()
        r[self.grounds] = 0.0
        x = np.zeros_like(b)
        iterations = conjugate_gradients(
            lambda p, q: self.apply(self.pinned, p, q),
            self.preconditioner.apply,
            r,
            x,
            0.5 * rtol * size,
        )
        self.apply(self.K, x, r)
        r -= b
        with np.errstate(invalid="ignore"):
            residual = np.where(size > 0, np.sqrt(kernel.dots(r, r)) / np.maximum(size, 1e-300), 0)
        return x, [
            Solve(iterations=int(n), residual=float(e))
            for n, e in zip(iterations, residual, strict=True)
        ]


def _grounds(K: Any, nodes: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the connected part of each node and, for each part, its node nearest the centre."""
    from scipy.sparse.csgraph import connected_components

    n_parts, part = connected_components(K, directed=False)
    size = np.bincount(part, minlength=n_parts)[:, None]
    centre = np.stack([np.bincount(part, weights=x, minlength=n_parts) for x in nodes.T], 1) / size
    order = np.lexsort((((nodes - centre[part]) ** 2).sum(1), part))
    first = np.searchsorted(part[order], np.arange(n_parts))
    return part.astype(np.int32), order[first].astype(np.int64)


def _pinned(K: csr_array, grounds: NDArray[np.int64]) -> csr_array:
    """Return K with row and column of each ground cleared, on the same pattern."""
    from scipy.sparse import csr_array

    data = K.data.copy()
    for g in grounds:
        lo, hi = K.indptr[g], K.indptr[g + 1]
        columns = K.indices[lo:hi]
        diagonal = columns == g
        for j in columns[~diagonal]:
            row = slice(K.indptr[j], K.indptr[j + 1])
            data[row][K.indices[row] == g] = 0.0
        scale = data[lo:hi][diagonal][0]
        data[lo:hi] = np.where(diagonal, scale if scale > 0 else 1.0, 0.0)
    return csr_array((data, K.indices, K.indptr), shape=K.shape)
