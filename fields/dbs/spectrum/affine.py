"""The matrix of a lead over frequency, as a sum of real matrices with complex weights.

    A(f) = sum_q theta_q(f) A_q,      A(f) x_c = e_c

One A_q for each tissue (theta the complex conductivity) and one for the interfaces of the contacts
(theta their admittance), so that no matrix is assembled anew at a frequency. The unknowns are the
potentials of the tissue's nodes and of the contacts' metals; e_c is 1 A into the metal of contact
c. A metal behind an interface touches the tissue through it alone, at every place of its surface:

    [ K + g B    -g B 1 ] [ V ]   [ 0 ]
    [ -g 1'B    g 1'B 1 ] [ U ] = [ I ]

so a floating contact is one with I = 0, and its metal still takes in and gives out current.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.fields.dbs.spectrum.dielectrics import Constant, Dielectric, admittivity
from rheobase.fields.dbs.spectrum.interface import Interface

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Law = Dielectric | Interface


class System(Protocol):
    """What is needed of an assembled lead; matrices are over all n nodes."""

    @property
    def contacts(self) -> Sequence[str]:
        """Return the names of the N contacts that are not insulated."""
        ...

    @property
    def stiffness(self) -> Mapping[int, csr_array]:
        """Return the matrix of each tissue at 1 S/m by label (m), shape (n, n)."""
        ...

    @property
    def surface(self) -> Mapping[str, csr_array]:
        """Return the mass matrix of each contact's surface (m²), shape (n, n)."""
        ...

    @property
    def contact_nodes(self) -> Mapping[str, NDArray[np.int64]]:
        """Return the nodes on each contact."""
        ...

    @property
    def grounded(self) -> NDArray[np.int64]:
        """Return the nodes at 0 V."""
        ...

    @property
    def sigma(self) -> Mapping[int, float]:
        """Return the quasi-static conductivity of each tissue by label (S/m)."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Affine:
    """Real matrices and their laws.

    Parameters
    ----------
    contacts
        Names of the N contacts that may be driven; others float.
    metals
        Unknown that is the potential of the metal of each, shape (N,).
    nodes
        Makes potentials of all nodes of the mesh out of the n unknowns, sparse, (n_nodes, n).
    stiffness
        Matrix by law of the tissues, over the nodes, shape (n_nodes, n_nodes).
    coupling
        Matrix by interface, over the unknowns, shape (n, n).
    """

    contacts: tuple[str, ...]
    metals: NDArray[np.int64]
    nodes: csr_array
    stiffness: Mapping[Law, csr_array]
    coupling: Mapping[Law, csr_array]

    @property
    def size(self) -> int:
        """Number n of unknowns."""
        return int(self.nodes.shape[1])

    @property
    def laws(self) -> tuple[Law, ...]:
        """What the Q matrices are multiplied by: tissues, then interfaces."""
        return (*self.stiffness, *self.coupling)

    def combined(self, weights: Floats) -> csr_array:
        """Return sum_q weights_q A_q: its upper half, with the diagonal."""
        from scipy.sparse import coo_array, triu

        number = np.full(self.nodes.shape[0], -1, dtype=np.int32)
        held = self.nodes.tocoo()
        number[held.row] = held.col
        parts = []
        for weight, matrix in zip(weights, self.stiffness.values(), strict=False):
            rows, columns = np.repeat(number, np.diff(matrix.indptr)), number[matrix.indices]
            keep = (rows >= 0) & (columns >= rows)
            parts.append((weight * matrix.data[keep], rows[keep], columns[keep]))
        data, rows, columns = (np.concatenate(p) for p in zip(*parts, strict=True))
        total = coo_array((data, (rows, columns)), shape=(self.size, self.size)).tocsr()
        for weight, matrix in zip(weights[len(parts) :], self.coupling.values(), strict=True):
            total = total + weight * triu(matrix, format="csr")
        return total

    def terms(self, x: Floats) -> Iterator[Floats]:
        """Yield A_q x of every q, for x of shape (n, k)."""
        on_nodes = self.nodes @ x
        for matrix in self.stiffness.values():
            yield self.nodes.T @ (matrix @ on_nodes)
        for matrix in self.coupling.values():
            yield matrix @ x

    def apply(self, weights: Complexes, x: Complexes) -> Complexes:
        """Return sum_q weights_q A_q x, for x of shape (n, k)."""
        y = np.zeros_like(x)
        for weight, part in zip(weights, self.terms(real_view(x)), strict=True):
            y += weight * complex_view(part)
        return y


def real_view(x: Complexes) -> Floats:
    """Return complex columns (n, k) as real ones, Re and Im side by side, shape (n, 2 k)."""
    return np.ascontiguousarray(x).view(np.float64)


def complex_view(x: Floats) -> Complexes:
    """Return what `real_view` was made of."""
    return np.ascontiguousarray(x).view(np.complex128)


def weights_of(laws: tuple[Law, ...], frequency: ArrayLike) -> Complexes:
    """Return the weights at frequencies (Hz), shape (nf, Q).

    Raises
    ------
    InputError
        If a frequency lies outside the range of a law.
    """
    f = np.atleast_1d(np.asarray(frequency, dtype=np.float64))
    columns = [
        law.admittance(f) if isinstance(law, Interface) else admittivity(law, f) for law in laws
    ]
    return np.stack(columns, axis=1)


def lead_affine(
    system: System,
    dielectrics: Mapping[int, Dielectric],
    interfaces: Mapping[str, Interface],
    contacts: Sequence[str] | None = None,
) -> Affine:
    """Return the affine form of an assembled lead; what has one law is one matrix.

    Parameters
    ----------
    system
        The assembled lead.
    dielectrics
        By label of the system; a label that is not there keeps the system's own conductivity.
    interfaces
        By contact; the metal of one that is not there touches the tissue directly.
    contacts
        Those that may be driven, all if None.

    Raises
    ------
    InputError
        If a label or contact is not of the system.
    """
    from scipy.sparse import csr_array

    for label in dielectrics:
        if label not in system.stiffness:
            raise InputError(
                f"expected labels of the tissues around the lead, {sorted(system.stiffness)}, got "
                f"{label}: dielectrics"
            )
    driven = tuple(system.contacts if contacts is None else contacts)
    for contact in (*interfaces, *driven):
        check_option("contact", contact, system.contacts, where="responses over frequency")
    nodes, metals = _unknowns(system, [c for c in system.contacts if c not in interfaces])
    stiffness: dict[Law, csr_array] = {}
    coupling: dict[Law, csr_array] = {}

    def add(to: dict[Law, csr_array], law: Law, matrix: csr_array) -> None:
        to[law] = to[law] + matrix if law in to else matrix

    for label, matrix in system.stiffness.items():
        law = dielectrics.get(label, Constant(sigma=system.sigma[label]))
        if isinstance(law, Constant) and law.eps_r == 0:
            add(stiffness, Constant(sigma=1.0), law.sigma * matrix)
        else:
            add(stiffness, law, matrix)
    for contact, interface in interfaces.items():
        mass = system.surface[contact]
        on = system.contact_nodes[contact]
        metal = csr_array(
            (np.ones(len(on)), (on, np.full(len(on), metals[contact]))), shape=nodes.shape
        )
        across = nodes - metal  # from the unknowns to the voltage across the interface
        part = (across.T @ mass @ across).tocsr() / (interface.area or float(mass.sum()))
        add(coupling, interface, part)
    return Affine(
        contacts=driven,
        metals=np.array([metals[c] for c in driven], dtype=np.int64),
        nodes=nodes,
        stiffness=stiffness,
        coupling=coupling,
    )


def _unknowns(system: System, ideal: Sequence[str]) -> tuple[csr_array, dict[str, int]]:
    """Return the matrix from unknowns to nodes, and the unknown of each contact's metal."""
    from scipy.sparse import csr_array

    n = next(iter(system.stiffness.values())).shape[0]
    number = np.zeros(n, dtype=np.int64)
    number[system.grounded] = -1
    for contact in ideal:
        number[system.contact_nodes[contact]] = -1
    free = number == 0
    count = int(free.sum())
    number[free] = np.arange(count)
    metals = {contact: count + k for k, contact in enumerate(system.contacts)}
    for contact in ideal:
        number[system.contact_nodes[contact]] = metals[contact]
    held = np.flatnonzero(number >= 0)
    matrix = csr_array((np.ones(len(held)), (held, number[held])), shape=(n, count + len(metals)))
    return matrix, metals
