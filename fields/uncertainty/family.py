"""Many conductors at once: the same mesh and sources, other conductivities in each.

    (sum_t sigma_ct K_t + C_c) x_c = b_c

Eight systems go through conjugate gradients in lock-step. The entries of the K_t are read once for
all eight, and the multigrid of the mean conductor preconditions every one of them: conductivities
that vary by a factor f change the condition by f² at most, the mesh not at all. The start of each
system is its Galerkin solution in the span of earlier ones (`Recycled`): the smallest error, in the
energy norm of that very system, that earlier solutions allow.

Reference: Carlberg, Forstall & Tuminaro, SIAM J Matrix Anal Appl 37:A1 (2016),
doi:10.1137/16M1057693 (recycling for sequences of systems).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rheobase._threads import in_parts
from rheobase.fields.assembly import sigma_of_labels
from rheobase.fields.contacts import ContactMultigrid, Contacts
from rheobase.fields.krylov import conjugate_gradients
from rheobase.fields.multigrid import WIDTH
from rheobase.fields.solver import Conductor, Solve

Floats = NDArray[np.float64]

MOST = 48  # solutions that a `Recycled` keeps
_NEW = 1e-5  # a solution this close to earlier ones, in energy, teaches nothing


class Family:
    """Conductors that differ from one by the conductivities of their tissues.

    Parameters
    ----------
    conductor
        The mean: its multigrid preconditions all.
    """

    def __init__(self, conductor: Conductor) -> None:
        s = conductor.stiffness
        self.conductor = conductor
        self.labels = s.labels
        first = np.searchsorted(np.maximum.accumulate(s.place), s.indptr)
        self.entries = first, s.indices[s.place], s.tissue, s.value
        self.mean = sigma_of_labels(s.labels, conductor.sigma)
        conductor.multigrid.prepare_blocks()

    def solve(
        self,
        b: Floats,
        sigma: Floats,
        *,
        contacts: Sequence[Contacts | None],
        start: Floats,
        rtol: float,
    ) -> list[Solve]:
        """Solve m systems, in blocks of eight, a block a thread.

        Parameters
        ----------
        b
            Right-hand sides (A), shape (m, n_nodes), each with the sum 0.
        sigma
            Conductivity of every label (S/m), shape (m, n_labels).
        contacts
            Electrode contacts of each system; the same object in those that share them.
        start
            Where to start, shape (m, n_nodes); the potentials (V) afterwards.
        rtol
            Largest true relative residual.

        Raises
        ------
        RuntimeError
            If the iteration misses the tolerance.
        """
        preconditioners = {
            id(c): ContactMultigrid(self.conductor.pinned, self.conductor.multigrid, c)
            for c in contacts
            if c is not None
        }

        def work(some: slice) -> list[Solve]:
            count = some.stop - some.start
            block = _Block(self, sigma[some])
            for c in dict.fromkeys(contacts[some]):
                if c is not None:
                    columns = [k for k in range(count) if contacts[some][k] is c]
                    block.attach(columns, c, preconditioners[id(c)])
            full, x = np.zeros((b.shape[1], WIDTH)), np.zeros((b.shape[1], WIDTH))
            full[:, :count], x[:, :count] = b[some].T, start[some].T
            solves = block.solve(full, x, rtol)[:count]
            start[some] = x[:, :count].T
            return solves

        solves = [one for part in in_parts(work, len(b), WIDTH) for one in part]
        worst = max(solve.residual for solve in solves)
        if not worst <= rtol:
            raise RuntimeError(f"relative residual {worst:.2e} misses {rtol:.0e}")
        return solves


class _Block:
    """Up to eight systems in lock-step."""

    def __init__(self, family: Family, sigma: Floats) -> None:
        self.family = family
        self.sigma = np.tile(family.mean[:, None], (1, WIDTH))
        self.sigma[:, : len(sigma)] = sigma.T
        self.attached: list[tuple[list[int], Contacts, ContactMultigrid]] = []

    def attach(self, columns: list[int], contacts: Contacts, inner: ContactMultigrid) -> None:
        """Attach electrodes to some of the systems."""
        self.attached.append((columns, contacts, inner))

    def apply(self, x: Floats, y: Floats) -> None:
        """Write (K + C) x into ``y``, both (n, 8)."""
        from rheobase.fields.uncertainty import _family_numba as kernel

        kernel.product(*self.family.entries, self.sigma, x, y)
        for columns, contacts, _ in self.attached:
            at = np.ix_(contacts.nodes, columns)
            y[at] += contacts.apply(x[at])

    def precondition(self, r: Floats, z: Floats) -> None:
        """Write the preconditioned ``r`` into ``z``, both (n, 8)."""
        multigrid = self.family.conductor.multigrid
        if not self.attached:
            multigrid.apply(r, z)
            return
        rest = r.copy()
        kept = []
        for columns, _, inner in self.attached:
            part = rest[:, columns]
            kept.append(inner.before(part))
            rest[:, columns] = part
        multigrid.apply(rest, z)
        for (columns, _, inner), s in zip(self.attached, kept, strict=True):
            part = z[:, columns]
            inner.after(s, part)
            z[:, columns] = part

    def solve(self, b: Floats, x: Floats, rtol: float) -> list[Solve]:
        """Solve from ``x`` on, both (n, 8); ``x`` holds the solutions afterwards."""
        from rheobase.fields import _multigrid_numba as kernel

        grounds = self.family.conductor.grounds
        size = np.sqrt(kernel.dots(b, b))
        r = np.empty_like(b)

        def pinned(p: Floats, q: Floats) -> None:
            self.apply(p, q)
            q[grounds] = 0.0

        pinned(x, r)
        np.subtract(b, r, out=r)
        r[grounds] = 0.0
        iterations = conjugate_gradients(pinned, self.precondition, r, x, 0.5 * rtol * size)
        self.apply(x, r)
        r -= b
        residual = np.sqrt(kernel.dots(r, r)) / np.maximum(size, 1e-300)
        return [
            Solve(iterations=int(n), residual=float(e))
            for n, e in zip(iterations, residual, strict=True)
        ]


class Recycled:
    """Solutions of one right-hand side in earlier conductors of a family.

    Parameters
    ----------
    family
        The family.
    """

    def __init__(self, family: Family) -> None:
        self._family = family
        self._basis = np.empty((0, len(family.conductor.mesh.nodes)))
        self._energy = np.empty((len(family.labels), 0, 0))  # basis · K_t basis

    def start(self, b: Floats, sigma: Floats, contacts: Contacts | None) -> Floats:
        """Return the Galerkin solution of one system in the span, shape (n_nodes,)."""
        basis = self._basis
        if not len(basis):
            return np.zeros_like(b)
        H = np.tensordot(sigma, self._energy, axes=1)
        if contacts is not None:
            under = basis[:, contacts.nodes]
            H = H + under @ contacts.apply(under.T)
        start: Floats = np.linalg.solve(H, basis @ b) @ basis
        return start

    def add(self, x: Floats) -> None:
        """Add a solution, if the span lacks it."""
        from rheobase.fields.uncertainty import _family_numba as kernel

        if len(self._basis) == MOST:
            return
        family, H = self._family, self._energy
        K = np.empty((len(family.labels), len(x)))
        kernel.by_tissue(*family.entries, x, K)
        whole = float(family.mean @ (K @ x))
        along = self._basis @ (family.mean @ K)  # the basis is orthonormal in the mean conductor
        if not (whole > 0 and whole - along @ along > _NEW**2 * whole):
            return
        cross = np.einsum("tn,mn->tm", K, self._basis) - H @ along
        own = K @ x - 2 * cross @ along - np.einsum("tij,i,j->t", H, along, along)
        scale = 1 / np.sqrt(family.mean @ own)
        self._basis = np.vstack([self._basis, scale * (x - along @ self._basis)])
        cross, own = scale * cross[:, :, None], scale**2 * own[:, None, None]
        self._energy = np.block([[H, cross], [cross.swapaxes(1, 2), own]])
