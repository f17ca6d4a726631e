"""The matrix of all ranks, PETSc's, and the iteration with it.

Rows are numbered rank by rank. The matrix is that of `rheobase.fields.solver`: K with row and
column of each ground cleared; what was cleared is kept as a few columns G, so that K V can be had
as well. Conjugate gradients and smoothed-aggregation multigrid are PETSc's; on several ranks its
smoother is a Chebyshev polynomial, which needs no order of the unknowns, where one rank sweeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._dolfinx import petsc
from rheobase._ranks import Team
from rheobase.fields.contacts import Contacts, ExactContacts
from rheobase.fields.multigrid import GAMG
from rheobase.fields.petsc_options import PREFIX, defaults

_OPTIONS: Mapping[str, str | float | int] = {
    **GAMG,
    "ksp_type": "cg",
    "ksp_norm_type": "unpreconditioned",
    "ksp_max_it": 500,
    "mg_levels_ksp_type": "chebyshev",
    "mg_levels_ksp_max_it": 2,
    "mg_levels_pc_type": "jacobi",
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rows:
    """The rows of K that a rank owns.

    Parameters
    ----------
    indptr, indices, data
        Row pointers, columns (rows of all ranks, ascending) and values (S).
    first
        Number of the first row.
    n_all
        Rows of all ranks.
    grounds
        Rows of the grounds, of all ranks.
    """

    indptr: NDArray[np.int32]
    indices: NDArray[np.int32]
    data: NDArray[np.float64]
    first: int
    n_all: int
    grounds: NDArray[np.int64]

    def pinned(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the values with row and column of each ground cleared, and what K has there.

        Returns
        -------
        data : ndarray, shape (nnz,)
        columns : ndarray, shape (n, n_grounds)
            Columns of the grounds in K.
        """
        n = len(self.indptr) - 1
        row = np.repeat(np.arange(n), np.diff(self.indptr))
        at = np.flatnonzero(np.isin(self.indices, self.grounds))
        columns = np.zeros((n, len(self.grounds)))
        order = np.argsort(self.grounds)
        place = order[np.searchsorted(self.grounds, self.indices[at], sorter=order)]
        columns[row[at], place] = self.data[at]
        diagonal = self.indices == row + self.first
        cut = np.isin(row + self.first, self.grounds)
        cut[at] = True
        data = np.where(cut & ~diagonal, 0.0, self.data)
        data[cut & diagonal & (data <= 0)] = 1.0  # a node without tetrahedra
        return data, columns


class System:
    """K of all ranks, its preconditioner, and solutions.

    Parameters
    ----------
    team
        The ranks.
    rows
        The rows of this one.
    """

    def __init__(self, team: Team, rows: Rows) -> None:
        PETSc = petsc()
        self.comm = team.comm
        self.team = team
        self.n = len(rows.indptr) - 1
        self.first = rows.first
        data, self._columns = team.agree(rows.pinned)
        own = (rows.grounds >= rows.first) & (rows.grounds < rows.first + self.n)
        self._mine = np.flatnonzero(own)  # of the grounds
        self._ground = rows.grounds[own] - rows.first  # their rows here
        self.matrix = PETSc.Mat().createAIJ(
            size=((self.n, rows.n_all), (self.n, rows.n_all)),
            csr=(rows.indptr, rows.indices, data),
            comm=self.comm,
        )
        self.matrix.setOption(PETSc.Mat.Option.SPD, True)
        self._pc = PETSc.PC().create(self.comm)
        team.agree(self._set_up)
        self._x, self._b = self.matrix.createVecs()

    def _set_up(self) -> None:
        with defaults(_OPTIONS):
            self._pc.setOptionsPrefix(PREFIX)
            self._pc.setOperators(self.matrix, self.matrix)
            self._pc.setFromOptions()
            self._pc.setUp()

    def apply(self, V: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return K V (A) of this rank's part of V (V), both shape (n,)."""
        at = np.zeros(self._columns.shape[1])  # V at the grounds
        at[self._mine] = V[self._ground]
        self.comm.Allreduce(_in_place(), at)
        self._x.setArray(V)
        self._x.getArray()[self._ground] = 0.0
        self.matrix.mult(self._x, self._b)
        out: NDArray[np.float64] = self._b.getArray().copy()
        return self._unpin(out, V, at)

    def _unpin(
        self, out: NDArray[np.float64], V: NDArray[np.float64], at: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Add to ``out`` what the cleared rows and columns contribute to K V."""
        rest = V.copy()
        rest[self._ground] = 0.0
        through = self._columns.T @ rest
        self.comm.Allreduce(_in_place(), through)
        out += self._columns @ at
        out[self._ground] += through[self._mine]
        return out

    def solve(
        self, b: NDArray[np.float64], contacts: SharedContacts | None, rtol: float
    ) -> tuple[NDArray[np.float64], int, float]:
        """Solve (K + C) x = b.

        Parameters
        ----------
        b
            This rank's part of the right-hand side (A), shape (n,).
        contacts
            C.
        rtol
            Largest true relative residual.

        Returns
        -------
        x : ndarray, shape (n,)
        iterations : int
        residual : float
            The true one.
        """
        size = np.sqrt(self._squared(b))
        if size == 0.0:
            return np.zeros(self.n), 0, 0.0
        ksp = self.team.agree(lambda: self._iteration(contacts))
        self._b.setArray(b)
        self._b.getArray()[self._ground] = 0.0
        # relative to |b| with the grounds; PETSc's is relative to |b| without them
        short = self._b.norm()
        ksp.setTolerances(rtol=min(0.5 * rtol * size / short, 0.5), atol=1e-300)
        _interruptible(ksp, self._b, self._x)
        x: NDArray[np.float64] = self._x.getArray().copy()
        r = self.apply(x) - b
        if contacts is not None:
            r[contacts.rows] += contacts.apply(x)[contacts.mine]
        iterations = ksp.getIterationNumber()
        ksp.destroy()
        return x, iterations, float(np.sqrt(self._squared(r)) / size)

    def _iteration(self, contacts: SharedContacts | None) -> Any:
        PETSc = petsc()
        ksp = PETSc.KSP().create(self.comm)
        with defaults(_OPTIONS):
            ksp.setOptionsPrefix(PREFIX)
            if contacts is None:
                ksp.setOperators(self.matrix, self.matrix)
                ksp.setPC(self._pc)
                ksp.setFromOptions()
            else:
                whole = PETSc.Mat().createPython(
                    self.matrix.getSizes(), _WithContacts(self.matrix, contacts), comm=self.comm
                )
                whole.setUp()
                ksp.setOperators(whole, whole)
                pc = PETSc.PC().createPython(
                    _Preconditioner(self._pc, contacts, self._x.duplicate()), comm=self.comm
                )
                pc.setOperators(whole, whole)
                pc.setOptionsPrefix(PREFIX + "contacts_")
                ksp.setPC(pc)
                ksp.setFromOptions()
        ksp.setMonitor(_let_signals_in)
        return ksp

    def _squared(self, x: NDArray[np.float64]) -> float:
        total: float = self.comm.allreduce(float(x @ x))
        return total

    def contacts(self, contacts: Contacts, row: NDArray[np.int64]) -> SharedContacts:
        """Return contacts as this rank sees them.

        Parameters
        ----------
        contacts
            C.
        row
            Row of each of its nodes, in the numbering of all ranks.
        """
        return SharedContacts(self, contacts, row)


class SharedContacts:
    """C, and the solution on its nodes alone: every rank has all of both.

    Parameters
    ----------
    system
        The matrix.
    contacts
        C.
    row
        Row of each contact node.
    """

    def __init__(self, system: System, contacts: Contacts, row: NDArray[np.int64]) -> None:
        from scipy.sparse import csr_array

        self._comm = system.comm
        self._contacts = contacts
        here = (row >= system.first) & (row < system.first + system.n)
        self.mine = np.flatnonzero(here)
        self.rows = row[here] - system.first
        p = len(row)

        def columns() -> tuple[NDArray[np.intp], Any]:
            indptr, indices, data = system.matrix.getValuesCSR()
            place = np.full(system.matrix.getSize()[0], -1, np.int32)
            place[row] = np.arange(p, dtype=np.int32)
            to = place[indices]
            at = np.flatnonzero(to >= 0)
            of = np.searchsorted(indptr, at, side="right") - 1
            near, of = np.unique(of, return_inverse=True)
            return near, csr_array((data[at], (of, to[at])), shape=(len(near), p))

        self._near, self._K = system.team.agree(columns)
        own = np.flatnonzero(np.isin(self._near, self.rows))
        block = self._K[own].tocoo()
        order = np.argsort(self.rows)
        which = self.mine[order[np.searchsorted(self.rows, self._near[own], sorter=order)]]
        parts = self._comm.allgather((block.data, which[block.coords[0]], block.coords[1]))
        data, i, j = (np.concatenate([part[k] for part in parts]) for k in range(3))
        whole = csr_array((data, (i, j)), shape=(p, p)).tocsc()
        self._exact = system.team.agree(lambda: ExactContacts(whole, contacts))

    def _values(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``x`` at all contact nodes."""
        out = np.zeros(len(self._contacts.nodes))
        out[self.mine] = x[self.rows]
        self._comm.Allreduce(_in_place(), out)
        return out

    def apply(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return C x at all contact nodes."""
        return self._contacts.apply(self._values(x)[:, None])[:, 0]

    def before(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return s = S r at all contact nodes, and take A s from ``r``."""
        s = self._exact.solve(self._values(r)[:, None])
        r[self._near] -= (self._K @ s)[:, 0]
        r[self.rows] -= self._contacts.apply(s)[self.mine, 0]
        return s

    def after(self, s: NDArray[np.float64], z: NDArray[np.float64]) -> None:
        """Make z = s + (1 - S A) z of what the multigrid gave after `before`."""
        both = np.zeros((2, len(s)))
        both[0, self.mine] = z[self.rows]
        both[1] = self._K.T @ z[self._near]
        self._comm.Allreduce(_in_place(), both)
        residual = both[1] + self._contacts.apply(both[0][:, None])[:, 0]
        s = s - self._exact.solve(residual[:, None])
        z[self.rows] += s[self.mine, 0]


class _WithContacts:
    """K + C for PETSc."""

    def __init__(self, matrix: Any, contacts: SharedContacts) -> None:
        self._matrix = matrix
        self._contacts = contacts

    def mult(self, _: Any, x: Any, y: Any) -> None:
        """Write (K + C) x into ``y``."""
        self._matrix.mult(x, y)
        c = self._contacts
        y.getArray()[c.rows] += c.apply(x.getArray(readonly=True))[c.mine]


class _Preconditioner:
    """The multigrid of K with the contacts (`rheobase.fields.contacts`) for PETSc."""

    def __init__(self, multigrid: Any, contacts: SharedContacts, rest: Any) -> None:
        self._multigrid = multigrid
        self._contacts = contacts
        self._rest = rest

    def apply(self, _: Any, r: Any, z: Any) -> None:
        """Write the preconditioned ``r`` into ``z``."""
        r.copy(self._rest)
        s = self._contacts.before(self._rest.getArray())
        self._multigrid.apply(self._rest, z)
        self._contacts.after(s, z.getArray())


def _in_place() -> Any:
    from mpi4py import MPI

    return MPI.IN_PLACE


def _interruptible(ksp: Any, b: Any, x: Any) -> None:
    """Solve; an exception that Python raised inside of PETSc comes out as what it was."""
    try:
        ksp.solve(b, x)
    except petsc().Error as error:
        cause: BaseException | None = error
        while isinstance(cause, petsc().Error):
            cause = cause.__cause__
        raise (cause or error) from None


def _let_signals_in(*_: Any) -> None:
    """Do nothing, in Python, once an iteration: Ctrl-C is noticed here."""
