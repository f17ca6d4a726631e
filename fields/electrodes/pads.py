"""Electrodes laid on a mesh: the integrals of the complete electrode model.

An electrode is a metal (one voltage U) behind a thin layer of gel or saline, of conductance
g = sigma_layer / thickness per area. The complete electrode model:

    sigma dV/dn = g (U_l - V) on pad l,   ∫_pad g (U_l - V) = I_l,   sigma dV/dn = 0 elsewhere.

The current is prescribed, so U_l = I_l/(g A_l) + mean of V over the pad; putting that into the weak
form leaves V alone,

    K V + sum_l g_l (M_l - m_l m_l^T / A_l) V = sum_l (I_l / A_l) m_l,

with m_l = ∫_pad phi_i, M_l = ∫_pad phi_i phi_j and A_l the area. The added operator is positive
semi-definite and vanishes on constants. Integrals run over exactly the part of each scalp triangle
that the pad covers, so a pad has no staircase edge.

References: Cheng, Isaacson, Newell & Gisser, IEEE Trans Biomed Eng 36:918 (1989),
doi:10.1109/10.35300; Somersalo, Cheney & Isaacson, SIAM J Appl Math 52:1023 (1992),
doi:10.1137/0152060.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.electrodes.electrode import Electrode
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.solver import Conductor, Contacts
from rheobase.meshes.placing.scalp import Scalp

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pad:
    """An electrode laid on a mesh: the integrals of the complete electrode model.

    Parameters
    ----------
    name
        Name of the electrode.
    nodes
        Mesh nodes the pad touches, shape (n,).
    m
        ∫_pad phi_i (m²), shape (n,); the sum is the area covered.
    M
        ∫_pad phi_i phi_j (m²), sparse, shape (n, n).
    g
        Conductance per area (S/m²).
    coverage
        Covered fraction by scalp triangle (index into the scalp).
    """

    name: str
    nodes: NDArray[np.int32]
    m: NDArray[np.float64]
    M: csr_array
    g: float
    coverage: Mapping[int, float]

    @property
    def area(self) -> float:
        """Area covered (m²)."""
        return float(self.m.sum())

    def voltage(self, V: NDArray[np.float64], current: float) -> float:
        """Return the voltage of the metal (V) from the potential at the pad's nodes."""
        return float(self.m @ V) / self.area + current / (self.g * self.area)


def lay(electrode: Electrode, scalp: Scalp) -> Pad:
    """Lay an electrode on a scalp.

    Raises
    ------
    InputError
        If the electrode is off the head, or hangs over an edge of it by more than a fifth.
    """
    from scipy.sparse import coo_array

    where = f"electrode {electrode.name!r}"
    frame = scalp.frame(electrode.centre, where=where)
    triangles, uv = frame.within(1.05 * electrode.shape.reach + scalp.edge)
    cover = scalp.cover(triangles, uv, electrode.shape.outside)
    m_all = cover.m.ravel()
    corner = scalp.triangles[triangles]
    nodes, local = np.unique(corner, return_inverse=True)
    local = local.reshape(corner.shape)
    m = np.bincount(local.ravel(), weights=m_all, minlength=len(nodes))
    i, j = np.broadcast_arrays(local[:, :, None], local[:, None, :])
    M = coo_array((cover.M.ravel(), (i.ravel(), j.ravel())), shape=(len(nodes), len(nodes))).tocsr()
    if not m.sum() > 0.8 * electrode.shape.area:
        raise InputError(
            f"the scalp carries {m.sum() * 1e4:.2f} of {electrode.shape.area * 1e4:.2f} cm², "
            f"the pad hangs over an edge: {where}"
        )
    touched = m > 0
    return Pad(
        name=electrode.name,
        nodes=nodes[touched].astype(np.int32),
        m=m[touched],
        M=M[touched][:, touched],
        g=electrode.contact.conductance,
        coverage={
            int(t): float(f) for t, f in zip(triangles, cover.fraction, strict=True) if f > 0
        },
    )


def lay_montage(montage: Montage, scalp: Scalp) -> list[Pad]:
    """Lay the electrodes of a montage on a scalp.

    Raises
    ------
    InputError
        If an electrode is off the head or two of them overlap.
    """
    pads = [lay(e, scalp) for e in montage.electrodes]
    for i, a in enumerate(pads):
        for b in pads[:i]:
            both = a.coverage.keys() & b.coverage.keys()
            if any(a.coverage[t] + b.coverage[t] > 1 + 1e-9 for t in both):
                raise InputError(
                    f"electrodes {b.name!r} and {a.name!r} overlap: montage {montage.name!r}"
                )
    return pads


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
