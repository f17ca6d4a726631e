"""Deferred correction: second-order potentials from linear elements, with one more solve.

Linear elements solve K V = b, exactly so the flux of the *element* gradient is in balance. The
recovered gradient G(V) is far closer to the truth than that of the elements, but its flux

    D_i(V) = ∫ sigma G(V) · grad(phi_i)

is not in balance: D(V) differs from b by the leading part of the discretisation error. The
correction W puts that right,

    (K + C) W = K V - D(V),

with the matrix, contacts C and multigrid of the potential itself, and the field is recovered from
V + W (defect correction, Stetter 1978). W is linear in b. V stays the potential that energy,
impedance and delivered current are computed from; W is kept beside it, and shows how far the
potential was off.

Under the edge of an electrode, or around a point electrode, the potential is singular and no
polynomial follows it: tetrahedra within two rings of such nodes do not take part.

Reference: Stetter, Numer Math 29:425 (1978), doi:10.1007/BF01432879.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.assembly import sigma_of_labels, tissue_index
from rheobase.fields.contacts import Contacts
from rheobase.fields.solver import Conductor

RINGS = 2  # of tetrahedra around singular nodes that the correction leaves alone
_AT_ONCE = 4  # recovered fields in memory


def correct(
    conductor: Conductor,
    V: NDArray[np.float64],
    *,
    contacts: Contacts | None = None,
    singular: NDArray[np.integer] | None = None,
) -> NDArray[np.float64]:
    """Return the correction of potentials.

    Parameters
    ----------
    conductor
        The conductor that V was solved in.
    V
        Potentials (V), shape (k, n_nodes).
    contacts
        Electrode contacts of V.
    singular
        Nodes where the source is singular: those under electrodes.

    Returns
    -------
    ndarray, shape (k, n_nodes)
        W (V): the field is that of V + W.
    """
    b = defects(conductor, V, [singular] * len(V))
    W: NDArray[np.float64] = conductor.solve(b, contacts=contacts)[0]
    return W


def defects(
    conductor: Conductor,
    V: NDArray[np.float64],
    singular: Sequence[NDArray[np.integer] | None],
    *,
    sigma: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return K V - D(V) of potentials (A), shape (k, n_nodes): linear in each.

    Parameters
    ----------
    conductor
        The conductor that V was solved in.
    V
        Potentials (V), shape (k, n_nodes).
    singular
        For each of them, the nodes where its source is singular, if any.
    sigma
        For each of them, the conductivity (S/m) of every label of the mesh in ascending order,
        shape (k, n_labels), where it is not that of the conductor.
    """
    from rheobase.fields import _recovery_numba as kernel

    mesh = conductor.mesh
    labels, tissue = tissue_index(mesh.labels)
    if sigma is None:
        sigma = np.tile(sigma_of_labels(labels, conductor.sigma), (len(V), 1))
    tensors = conductor.tensors
    tensor = tensors.rows(len(mesh.tets))
    b = np.empty_like(V)
    for first in range(0, len(V), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        spared = np.zeros(V[some].shape, dtype=np.bool_)
        for row, nodes in zip(spared, singular[some], strict=True):
            if nodes is not None:
                row[conductor.around(nodes, RINGS - 1)] = True
        G = conductor.recovery.gradient(V[some])
        kernel.defects(
            mesh.nodes,
            mesh.tets,
            conductor.split.of_tet,
            tissue,
            sigma[some],
            tensor,
            tensors.values,
            V[some],
            G,
            spared,
            b[some],
        )
    return b
