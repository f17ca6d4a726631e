"""Current through electrodes on the scalp.

    -div(sigma grad V) = 0 in the head,  sigma dV/dn = 0 on the bare surface,

with the electrodes' models on the pads (`rheobase.fields.electrodes.pads`). Every montage is solved
for a total current of 1 A; all share one matrix and one preconditioner. A montage of n electrodes
takes n right-hand sides (`rheobase.fields.unit_currents`): the montage is a sum of them, and they
give the impedance of every pair.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.fields.basis import FieldBasis, make_basis
from rheobase.fields.electrodes.meshed import MeshedElectrodes, mesh_electrodes
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.electrodes.pads import Pad, lay_montage, pad_contacts, pad_load
from rheobase.fields.report import DELIVERY, SourceReport
from rheobase.fields.solver import RTOL, Conductor, Solve
from rheobase.fields.tensors import Tensors
from rheobase.fields.unit_currents import UnitCurrents, check_joined
from rheobase.meshes.head import Head
from rheobase.meshes.placing.scalp import Scalp


def solve_conduction(
    head: Head | Conductor | MeshedElectrodes,
    montages: Sequence[Montage] | Montage,
    *,
    tensors: Tensors | None = None,
) -> FieldBasis:
    """Solve for the field of each montage at a total current of 1 A.

    Parameters
    ----------
    head
        The head, or a conductor made from one (which saves its set-up), or a head in which the
        layers of electrodes are meshed already.
    montages
        One montage or several.
    tensors
        Anisotropy of the head as it is given (layers of `MeshedElectrodes` included); a conductor
        has its own.

    Returns
    -------
    FieldBasis
        Unit "A": V/m per ampere of total current. The field of the montage as asked is that times
        `Montage.amplitude`. Its mesh has the layers of electrodes whose model is "meshed".

    Raises
    ------
    InputError
        Before any matrix is assembled: if an electrode is off the head, pads overlap, layers are
        to be meshed in a conductor, or tensors are given where they cannot be used. If a pad sits
        on a part of the mesh that is not connected to the others.
    """
    montages = [montages] if isinstance(montages, Montage) else list(montages)
    if not montages:
        raise InputError("expected at least one montage, got none")
    names = [m.name for m in montages]
    if len(set(names)) < len(names):
        raise InputError(f"montage names must differ, got {', '.join(names)}")
    conductor, laid = _laid(head, montages, tensors)
    for pads in laid:
        check_joined(conductor, pads)
    V = np.empty((len(montages), len(conductor.mesh.nodes)))
    W = np.empty_like(V)
    report = {}
    for group in _same_contacts(laid):
        units = UnitCurrents(conductor, [pad for k in group for pad in laid[k]])
        every = range(len(units.pads))
        U, solves = units.solve(every, goal=RTOL)
        asked = np.zeros((len(group), len(units.pads)))
        first = 0
        for row, k in zip(asked, group, strict=True):
            own = slice(first, first + len(laid[k]))
            row[own] = np.array(montages[k].currents) / montages[k].amplitude
            V[k] = row[own] @ U[own]
            report[k] = _report(conductor, laid[k], row[own], U[own], V[k], solves[own])
            first = own.stop
        with stage("correcting the potential"):
            b = asked @ units.defects(U, every)
            W[group] = conductor.solve(b, contacts=units.contacts)[0]
    with stage("recovering the field"):
        E = -conductor.gradient(V + W)
    return make_basis(
        conductor.mesh,
        conductor.split,
        names=names,
        unit="A",
        E=E,
        potential=V,
        report=[report[k] for k in range(len(montages))],
        anisotropic=conductor.anisotropic,
        correction=W,
    )


def _laid(
    head: Head | Conductor | MeshedElectrodes,
    montages: Sequence[Montage],
    tensors: Tensors | None,
) -> tuple[Conductor, list[list[Pad]]]:
    """Lay every montage, with all checks, and only then make the conductor."""
    if isinstance(head, MeshedElectrodes):
        pads = [head.lay(m) for m in montages]
        return Conductor(head.head, tensors=tensors), pads
    scalp = Scalp(head.mesh)
    laid = [lay_montage(m, scalp) for m in montages]
    to_mesh = any(e.model == "meshed" for m in montages for e in m.electrodes)
    where = ", ".join(m.name for m in montages)
    if isinstance(head, Conductor):
        if to_mesh:
            raise InputError(
                "expected the head, not a conductor made from it, to mesh the layers of "
                f"electrodes: {where}"
            )
        if tensors is not None:
            raise InputError(f"expected tensors of a head, a conductor has its own: {where}")
        return head, laid
    if not to_mesh:
        return Conductor(head, tensors=tensors), laid
    if tensors is not None:
        raise InputError(
            "expected tensors of the mesh with the layers of the electrodes, got the head without "
            f"them (mesh_electrodes): {where}"
        )
    return _laid(mesh_electrodes(head, montages), montages, None)


def _same_contacts(laid: Sequence[Sequence[Pad]]) -> list[list[int]]:
    """Return which montages can be solved together: those of ideal electrodes alone."""
    bare = [k for k, pads in enumerate(laid) if all(pad.model == "ideal" for pad in pads)]
    return ([bare] if bare else []) + [[k] for k in range(len(laid)) if k not in bare]


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
    conductor: Conductor,
    pads: Sequence[Pad],
    currents: NDArray[np.float64],
    V: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the current (A) into the head through each electrode, found from the potential.

    It is the flux of the solution, the sum of (K V)_i over the nodes that a surface around the
    electrode encloses: what the finite elements carry away, which equals the asked current only
    where the equations are solved. For meshed layers that surface is the skin under them. What
    reaches shared nodes through a neighbouring pad, by that pad's model, is the neighbour's.

    Parameters
    ----------
    conductor
        The conductor.
    pads
        The electrodes, n of them.
    currents
        Current asked of each (A), shape (n,).
    V
        Potential (V), shape (n_nodes,).
    """
    out = conductor.apply(V)
    through = [pad.flux(V[pad.nodes], float(i)) for pad, i in zip(pads, currents, strict=True)]
    delivered = np.empty(len(pads))
    for k, pad in enumerate(pads):
        delivered[k] = out[pad.enclosed].sum()
        for other, flux in zip(pads, through, strict=True):
            if other is not pad:
                delivered[k] -= flux[np.isin(other.nodes, pad.enclosed)].sum()
    return delivered


def _report(
    conductor: Conductor,
    pads: Sequence[Pad],
    currents: NDArray[np.float64],
    units: NDArray[np.float64],
    V: NDArray[np.float64],
    solves: Sequence[Solve],
) -> SourceReport:
    """Say what the sum ``V`` of unit solutions is worth."""
    delivered = delivered_currents(conductor, pads, currents, V)
    voltages = _voltages(pads, V, currents)
    heat = float(V @ conductor.apply(V))
    lost = sum(pad.heat(V[pad.nodes], float(i)) for pad, i in zip(pads, currents, strict=True))
    fed = float(currents @ voltages)
    pairs, asymmetry = _impedances(pads, units)
    report = SourceReport(
        power=heat,
        energy_balance=abs(fed - heat - lost) / fed,
        iterations=max(s.iterations for s in solves),
        residual=max(s.residual for s in solves),
        electrodes=tuple(pad.name for pad in pads),
        asked=tuple(currents.tolist()),
        delivered=tuple(delivered.tolist()),
        voltages=tuple((voltages - voltages.mean()).tolist()),
        impedance=fed,
        pair_impedance=tuple(map(tuple, pairs.tolist())),
        asymmetry=asymmetry,
    )
    if not (report.mismatch <= DELIVERY and asymmetry <= DELIVERY):
        raise RuntimeError(
            f"delivered currents are {100 * report.mismatch:.2g} % off and impedances "
            f"{100 * asymmetry:.2g} % asymmetric, more than {100 * DELIVERY:g} %"
        )
    return report


def _voltages(
    pads: Sequence[Pad], V: NDArray[np.float64], currents: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the voltage of each electrode (V), shape (n_pads,)."""
    return np.array(
        [pad.voltage(V[pad.nodes], float(i)) for pad, i in zip(pads, currents, strict=True)]
    )


def _impedances(
    pads: Sequence[Pad], units: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return the impedance of each pair of electrodes and how asymmetric the measured ones are.

    Parameters
    ----------
    pads
        The electrodes, n of them.
    units
        Potentials of their unit currents (V), shape (n, n_nodes).

    Returns
    -------
    pairs : ndarray, shape (n, n)
        Voltage between two electrodes per current from one to the other (ohm).
    asymmetry : float
        Largest difference between the voltage of a pair (k, last) per current of a pair (l, last)
        and the other way round, relative to the largest of them.
    """
    n = len(pads)
    U = np.stack([_voltages(pads, V, i) for V, i in zip(units, np.eye(n), strict=True)])
    Z = U - U[-1]  # from each electrode to the last one
    Z = Z - Z[:, -1:]
    asymmetry = float(np.abs(Z - Z.T).max() / np.abs(Z).max())
    Z = (Z + Z.T) / 2
    own = np.diag(Z)
    return own[:, None] + own[None, :] - 2 * Z, asymmetry
