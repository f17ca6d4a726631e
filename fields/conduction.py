"""Current through electrodes on the scalp.

    -div(sigma grad V) = 0 in the head,  sigma dV/dn = 0 on the bare surface,

with the complete electrode model on the pads (`rheobase.fields.electrodes`). Every montage is
solved for a total current of 1 A; all share one matrix and one preconditioner.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.fields.basis import FieldBasis, SourceReport, make_basis
from rheobase.fields.electrodes import Montage, Pad, lay_montage
from rheobase.fields.recovery import recover_gradient, split_nodes
from rheobase.fields.solver import Conductor, Contacts, Solve
from rheobase.meshes.head import Head
from rheobase.meshes.placing.scalp import Scalp


def solve_conduction(head: Head | Conductor, montages: Sequence[Montage] | Montage) -> FieldBasis:
    """Solve for the field of each montage at a total current of 1 A.

    Parameters
    ----------
    head
        The head, or a conductor made from one (which saves its set-up).
    montages
        One montage or several.

    Returns
    -------
    FieldBasis
        Unit "A": V/m per ampere of total current. The field of the montage as asked is that times
        `Montage.amplitude`.

    Raises
    ------
    InputError
        If an electrode is off the head, pads overlap, or a pad sits on a part of the mesh that is
        not connected to the others.
    """
    montages = [montages] if isinstance(montages, Montage) else list(montages)
    if not montages:
        raise InputError("expected at least one montage, got none")
    names = [m.name for m in montages]
    if len(set(names)) < len(names):
        raise InputError(f"montage names must differ, got {', '.join(names)}")
    conductor = head if isinstance(head, Conductor) else Conductor(head)
    scalp = Scalp(conductor.mesh)
    laid = [lay_montage(m, scalp) for m in montages]
    V = np.empty((len(montages), len(conductor.mesh.nodes)))
    report = []
    for k, (montage, pads) in enumerate(zip(montages, laid, strict=True)):
        currents = np.array(montage.currents) / montage.amplitude
        V[k], solve = solve_pads(conductor, pads, currents)
        report.append(_report(conductor, pads, currents, V[k], solve))
    with stage("recovering the field"):
        split = split_nodes(conductor.mesh)
        E = -recover_gradient(conductor.mesh, split, V)
    return make_basis(conductor.mesh, split, names=names, unit="A", E=E, potential=V, report=report)


def solve_pads(
    conductor: Conductor, pads: Sequence[Pad], currents: NDArray[np.float64]
) -> tuple[NDArray[np.float64], Solve]:
    """Return the potential (V), shape (n_nodes,), of currents (A) through pads that share it.

    Raises
    ------
    InputError
        If the currents do not sum to zero over each connected part of the mesh.
    """
    b = pad_load(conductor, pads, currents)
    V, solves = conductor.solve(b, contacts=pad_contacts(pads))
    return V[0], solves[0]


def pad_load(
    conductor: Conductor, pads: Sequence[Pad], currents: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the nodal currents sum_l (I_l / A_l) m_l (A), shape (n_nodes,)."""
    b = np.zeros(len(conductor.mesh.nodes))
    for pad, current in zip(pads, currents, strict=True):
        np.add.at(b, pad.nodes, current / pad.area * pad.m)
    return b


def pad_contacts(pads: Sequence[Pad]) -> Contacts:
    """Return the operator sum_l g_l (M_l - m_l m_l^T / A_l) of the pads."""
    from scipy.sparse import csr_array

    nodes = np.unique(np.concatenate([pad.nodes for pad in pads]))
    B = csr_array((len(nodes), len(nodes)))
    W = np.zeros((len(pads), len(nodes)))
    for row, pad in zip(W, pads, strict=True):
        place = np.searchsorted(nodes, pad.nodes)
        spread = csr_array(
            (np.ones(len(place)), (place, np.arange(len(place)))), shape=(len(nodes), len(place))
        )
        B = B + pad.g * (spread @ pad.M @ spread.T)
        row[place] = np.sqrt(pad.g / pad.area) * pad.m
    return Contacts(nodes=nodes, B=B.tocsr(), W=W)


def delivered_currents(
    conductor: Conductor, pads: Sequence[Pad], V: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the current (A) into the head through each pad, found from the potential alone.

    It is the flux of the solution, sum over the pad's nodes of (K V)_i: what the finite elements
    carry away, which equals the asked current only where the equations are solved.
    """
    out = conductor.apply(V)
    return np.array([out[pad.nodes].sum() for pad in pads])


def _report(
    conductor: Conductor,
    pads: Sequence[Pad],
    currents: NDArray[np.float64],
    V: NDArray[np.float64],
    solve: Solve,
) -> SourceReport:
    delivered = delivered_currents(conductor, pads, V)
    heat = float(V @ conductor.apply(V))
    fed = 0.0
    lost = 0.0  # in the contact layers
    for pad, current in zip(pads, currents, strict=True):
        U = pad.voltage(V[pad.nodes], float(current))
        fed += float(current) * U
        drop = U - V[pad.nodes]
        lost += pad.g * float(drop @ pad.M @ drop)
    return SourceReport(
        asked=float(currents[currents > 0].sum()),
        delivered=float(delivered[currents > 0].sum()),
        power=heat,
        energy_balance=abs(fed - heat - lost) / fed,
        impedance=fed,
        iterations=solve.iterations,
        residual=solve.residual,
    )
