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

from rheobase.fields.contacts import Contacts
from rheobase.fields.solver import Conductor

RINGS = 2  # of tetrahedra around singular nodes that the correction leaves alone


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
    return conductor.defects(V, singular, RINGS, sigma=sigma)
