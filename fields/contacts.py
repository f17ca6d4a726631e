"""Electrode contacts as an operator on a few nodes, and the preconditioner that bears them.

Electrodes add to the matrix K of the head a symmetric positive semi-definite operator C that
vanishes on constants and acts on few nodes. Nothing is set up again for it: with S the exact
solution on those nodes alone and M the multigrid of K, the symmetric multiplicative combination

    S + (1 - S A) M (1 - A S),   A = K + C,

preconditions A whatever the contact conductance (hybrid Schwarz; Mandel 1993).

Reference: Mandel, Commun Numer Methods Eng 9:233 (1993), doi:10.1002/cnm.1640090307.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.multigrid import Multigrid

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contacts:
    """Electrode contacts: C = B - W^T W, with C 1 = 0.

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
        """Return C x at the nodes (A) from the potential x at the nodes (V), both (p, k)."""
        out: NDArray[np.float64] = self.B @ x - self.W.T @ (self.W @ x)
        return out


class ExactContacts:
    """S: the solution of K + C on the contact nodes alone (Woodbury).

    Parameters
    ----------
    K
        The matrix on these nodes, sparse, shape (p, p).
    contacts
        C.
    """

    def __init__(self, K: Any, contacts: Contacts) -> None:
        from scipy.sparse.linalg import splu

        self._W = contacts.W
        self._factor = splu((K + contacts.B).tocsc())
        self._Z = self._factor.solve(np.ascontiguousarray(contacts.W.T))
        self._capacitance = np.linalg.inv(np.eye(len(contacts.W)) - contacts.W @ self._Z)

    def solve(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        """Solve (K + C) s = r, both (p, k)."""
        s: NDArray[np.float64] = self._factor.solve(r)
        s += self._Z @ (self._capacitance @ (self._W @ s))
        return s


class ContactMultigrid:
    """S + (1 - S A) M (1 - A S): M the multigrid of K, S exact on the contact nodes.

    Parameters
    ----------
    K
        The matrix of the multigrid.
    multigrid
        M.
    contacts
        C.
    """

    def __init__(self, K: csr_array, multigrid: Multigrid, contacts: Contacts) -> None:
        nodes = contacts.nodes
        self._contacts = contacts
        self._multigrid = multigrid
        rows = K[nodes, :]
        self._near = np.unique(rows.indices)  # the nodes that K joins to the contacts
        self._rows = rows[:, self._near]
        self._columns = self._rows.T.tocsr()
        self._exact = ExactContacts(rows[:, nodes], contacts)

    def apply(self, r: NDArray[np.float64], z: NDArray[np.float64]) -> None:
        """Write the preconditioned ``r`` into ``z``: arrays (n, k)."""
        rest = r.copy()
        s = self.before(rest)
        self._multigrid.apply(rest, z)
        self.after(s, z)

    def before(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return s = S r at the contact nodes, (p, k), and take A s from ``r``, (n, k)."""
        nodes, contacts = self._contacts.nodes, self._contacts
        s = self._exact.solve(r[nodes])
        r[self._near] -= self._columns @ s
        r[nodes] -= contacts.apply(s)
        return s

    def after(self, s: NDArray[np.float64], z: NDArray[np.float64]) -> None:
        """Make z = s + (1 - S A) z of what the multigrid gave after `before`, (n, k)."""
        nodes, contacts = self._contacts.nodes, self._contacts
        z[nodes] += s - self._exact.solve(self._rows @ z[self._near] + contacts.apply(z[nodes]))
