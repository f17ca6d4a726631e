"""What a volume conductor computes with on one rank: the whole matrix, in threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._progress import stage
from rheobase._threads import in_parts
from rheobase.fields.assembly import Stiffness, sigma_of_labels, stiffness, tissue_index
from rheobase.fields.contacts import ContactMultigrid, Contacts
from rheobase.fields.grounds import grounds
from rheobase.fields.krylov import conjugate_gradients
from rheobase.fields.multigrid import WIDTH, Multigrid
from rheobase.fields.recovery import Recovery, SplitNodes, recovery, split_nodes, unbalanced
from rheobase.fields.tensors import Tensors
from rheobase.meshes.mesh import TetMesh

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
_FEWEST = 3  # right-hand sides that are worth a block
_AT_ONCE = 4  # recovered fields in memory


class OneRank:
    """The engine of `rheobase.fields.solver.Conductor` on one rank.

    Parameters
    ----------
    mesh, sigma, tensors
        As in the conductor.

    Attributes
    ----------
    stiffness
        The matrices of the tissues.
    part, grounds
        Connected part of each node, and the node held at 0 V of each part.
    pinned
        K with row and column of each ground cleared.
    multigrid
        Its preconditioner.
    """

    def __init__(self, mesh: TetMesh, sigma: Mapping[int, float], tensors: Tensors) -> None:
        self._mesh = mesh
        self._sigma = sigma
        self._tensors = tensors
        with stage("assembling"):
            self.stiffness: Stiffness = stiffness(mesh, tensors)
            self._K = self.stiffness.matrix(sigma)
        self.part, self.grounds = grounds(mesh)
        with stage("setting up multigrid"):
            self.pinned = _pinned(self._K, self.grounds)
            self.multigrid = Multigrid(self.pinned)

    @cached_property
    def split(self) -> SplitNodes:
        """The (node, tissue) pairs of the mesh."""
        return split_nodes(self._mesh)

    @cached_property
    def recovery(self) -> Recovery:
        """The fits that recover fields at all split nodes."""
        anisotropic = np.unique(self._mesh.labels[self._tensors.tets]).tolist()
        with stage("fitting patches"):
            return recovery(self._mesh, self.split, anisotropic=anisotropic)

    def apply(self, V: Floats) -> Floats:
        """Return K V (A), shape (n_nodes,)."""
        current: Floats = self._K @ V
        return current

    def at_nodes(self, functions: Sequence[Callable[[Floats], Floats]]) -> Floats:
        """Return vector functions of position at the nodes, shape (k, n_nodes, 3)."""
        return np.stack([f(self._mesh.nodes) for f in functions])

    def induced_load(self, A: Floats) -> Floats:
        """Return -∫ sigma dA/dt · grad(phi_i) (A), shape (k, n_nodes)."""
        from rheobase.fields._assembly_numba import vector_load

        mesh, tensors = self._mesh, self._tensors
        rows = tensors.rows(len(mesh.tets))
        load: Floats = vector_load(
            mesh.nodes, mesh.tets, self._sigma_of_tet(), rows, tensors.values, A
        )
        return load

    def heat(self, V: Floats, A: Floats) -> float:
        """Return the power (W) that E = -grad V - dA/dt turns into heat."""
        from rheobase.fields._assembly_numba import joule_by_tet

        mesh, tensors = self._mesh, self._tensors
        rows = tensors.rows(len(mesh.tets))
        joule = joule_by_tet(mesh.nodes, mesh.tets, rows, tensors.values, V, A)
        return float(self._sigma_of_tet() @ joule)

    def gradient(self, V: Floats) -> Floats:
        """Return the recovered gradient (V/m), shape (k, n_split, 3)."""
        return self.recovery.gradient(V)

    def defects(
        self,
        V: Floats,
        singular: Sequence[NDArray[np.integer] | None],
        rings: int,
        sigma: Floats | None = None,
    ) -> Floats:
        """Return K V - D(V) (A), shape (k, n_nodes)."""
        mesh = self._mesh
        labels, tissue = tissue_index(mesh.labels)
        if sigma is None:
            sigma = np.tile(sigma_of_labels(labels, self._sigma), (len(V), 1))
        b = np.empty_like(V)
        for first in range(0, len(V), _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            spared = np.zeros(V[some].shape, dtype=np.bool_)
            for row, nodes in zip(spared, singular[some], strict=True):
                if nodes is not None:
                    row[self._around(nodes, rings - 1)] = True
            G = self.recovery.gradient(V[some])
            b[some] = unbalanced(
                mesh, self.split.of_tet, tissue, sigma[some], self._tensors, V[some], G, spared
            )
        return b

    def solve(
        self, b: Floats, contacts: Contacts | None, rtol: float
    ) -> tuple[Floats, list[int], list[float]]:
        """Solve (K + C) V = b; return V (k, n_nodes), iterations and true residuals.

        Three or more right-hand sides go in blocks of eight, a block a thread.
        """
        system = _System(self._K, self.pinned, self.multigrid, contacts, self.grounds)
        if len(b) >= _FEWEST:
            self.multigrid.prepare_blocks()
        V = np.empty_like(b)
        iterations, residuals = [0] * len(b), [0.0] * len(b)

        def work(some: slice) -> None:
            rows = np.arange(some.start, some.stop)
            for group in [rows] if len(b) >= _FEWEST else rows[:, None]:
                block = np.zeros((b.shape[1], WIDTH if len(group) > 1 else 1))
                block[:, : len(group)] = b[group].T
                x, count, residual = system.solve(block, rtol)
                for k, i in enumerate(group):
                    V[i], iterations[i], residuals[i] = x[:, k], int(count[k]), float(residual[k])

        in_parts(work, len(b), WIDTH)
        return V, iterations, residuals

    def _sigma_of_tet(self) -> Floats:
        labels, index = tissue_index(self._mesh.labels)
        return sigma_of_labels(labels, self._sigma)[index]

    def _around(self, nodes: NDArray[np.integer], rings: int) -> NDArray[np.integer]:
        """Return the given nodes and those within ``rings`` edges of them."""
        for _ in range(rings):
            nodes = np.unique(self._K[nodes].indices)
        return nodes


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
        self.contacts = contacts
        self.grounds = grounds
        self.preconditioner: Multigrid | ContactMultigrid = multigrid
        if contacts is not None:
            self.preconditioner = ContactMultigrid(pinned, multigrid, contacts)

    def apply(self, A: csr_array, x: Floats, y: Floats) -> None:
        """Write (A + C) x into ``y``, both (n, k)."""
        from rheobase.fields._multigrid_numba import product

        if x.shape[1] == WIDTH:
            product(A.indptr, A.indices, A.data, x, y)
        else:
            y[:] = A @ x
        if self.contacts is not None:
            nodes = self.contacts.nodes
            y[nodes] += self.contacts.apply(x[nodes])

    def solve(self, b: Floats, rtol: float) -> tuple[Floats, NDArray[np.int64], Floats]:
        """Solve (K + C) x = b, shape (n, k), by conjugate gradients in lock-step.

        Returns
        -------
        x : ndarray, shape (n, k)
        iterations, residual : ndarray, shape (k,)
            The residual is the true one, relative.
        """
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
        return x, iterations, residual


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
