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
from rheobase.fields.basis import FieldBasis, make_basis
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.electrodes.pads import Pad, lay_montage, pad_contacts, pad_load
from rheobase.fields.recovery import recover_gradient, split_nodes
from rheobase.fields.report import SourceReport
from rheobase.fields.solver import Conductor, Solve
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
