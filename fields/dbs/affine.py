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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.fields.dbs.dielectrics import Constant, Dielectric, admittivity
from rheobase.fields.dbs.interface import Interface

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
    matrices
        The Q matrices, symmetric and positive semidefinite, shape (n, n) each.
    laws
        What each is multiplied by.
    contacts
        Names of the N contacts; the potentials of their metals are the last N unknowns.
    nodes
        Makes potentials of all nodes of the mesh out of the unknowns, sparse, shape (n_nodes, n).
    """

    matrices: tuple[csr_array, ...]
    laws: tuple[Law, ...]
    contacts: tuple[str, ...]
    nodes: csr_array

    @property
    def size(self) -> int:
        """Number of unknowns."""
        return int(self.matrices[0].shape[0])

    def combined(self, weights: Floats) -> csr_array:
        """Return sum_q weights_q A_q."""
        total = weights[0] * self.matrices[0]
        for weight, matrix in zip(weights[1:], self.matrices[1:], strict=True):
            total = total + weight * matrix
        return total.tocsr()

    def apply(self, weights: Complexes, x: Complexes) -> Complexes:
        """Return sum_q weights_q A_q x, for x of shape (n, k)."""
        parts = np.ascontiguousarray(x).view(np.float64)
        y = np.zeros_like(x)
        for weight, matrix in zip(weights, self.matrices, strict=True):
            y += weight * (matrix @ parts).view(np.complex128)
        return y


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
    for contact in interfaces:
        check_option("contact", contact, system.contacts, where="interfaces")
    nodes, metals = _unknowns(system, [c for c in system.contacts if c not in interfaces])
    groups: dict[Law, csr_array] = {}

    def add(law: Law, matrix: csr_array) -> None:
        groups[law] = groups[law] + matrix if law in groups else matrix

    conductor = Constant(sigma=1.0)
    for label, matrix in system.stiffness.items():
        law: Law = dielectrics.get(label, Constant(sigma=system.sigma[label]))
        part = (nodes.T @ matrix @ nodes).tocsr()
        if isinstance(law, Constant) and law.eps_r == 0:
            add(conductor, law.sigma * part)
        else:
            add(law, part)
    for contact, law in interfaces.items():
        mass = system.surface[contact]
        on = system.contact_nodes[contact]
        metal = csr_array(
            (np.ones(len(on)), (on, np.full(len(on), metals[contact]))), shape=nodes.shape
        )
        across = nodes - metal  # from the unknowns to the voltage across the interface
        add(law, (across.T @ mass @ across).tocsr() / (law.area or float(mass.sum())))
    return Affine(
        matrices=tuple(groups.values()),
        laws=tuple(groups),
        contacts=tuple(system.contacts),
        nodes=nodes,
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
    matrix = csr_array(
        (np.ones(len(held)), (held, number[held])), shape=(n, count + len(metals))
    )
    return matrix, metals
