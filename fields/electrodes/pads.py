"""Electrodes laid on a mesh: the integrals of their models, right-hand side and operator.

**Complete electrode model.** The metal has one voltage U and lies behind layers of conductance g
per area (their resistances in series):

    sigma dV/dn = g (U_l - V) on pad l,   ∫_pad g (U_l - V) = I_l,   sigma dV/dn = 0 elsewhere.

The current is prescribed, so U_l = I_l/(g A_l) + mean of V over the pad; putting that into the weak
form leaves V alone,

    K V + sum_l g_l (M_l - m_l m_l^T / A_l) V = sum_l (I_l / A_l) m_l,

with m_l = ∫_pad phi_i, M_l = ∫_pad phi_i phi_j and A_l the area. The added operator is positive
semi-definite and vanishes on constants.

**Ideal electrode.** sigma dV/dn = I_l/A_l on the pad: the same right-hand side, no operator. No
current enters and leaves again through the pad. Its voltage is that of the power it takes.

Integrals run over exactly the part of each scalp triangle that the pad covers, so a pad has no
staircase edge.

References: Cheng, Isaacson, Newell & Gisser, IEEE Trans Biomed Eng 36:918 (1989),
doi:10.1109/10.35300; Somersalo, Cheney & Isaacson, SIAM J Appl Math 52:1023 (1992),
doi:10.1137/0152060.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.contacts import Contacts
from rheobase.fields.electrodes.electrode import Electrode, Model
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.solver import Conductor
from rheobase.meshes.placing.cover import Cover, subdivided
from rheobase.meshes.placing.scalp import Scalp

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: A pad may hang over an edge of the scalp with this part of its area.
OVERHANG = 0.2
#: Pads overlap where a point lies deeper than this (m) in both.
TOUCH = 1e-5


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pad:
    """An electrode laid on a mesh.

    Parameters
    ----------
    name
        Name of the electrode.
    model
        Its model.
    nodes
        Mesh nodes that the pad touches, shape (n,).
    m
        ∫_pad phi_i (m²), shape (n,); the sum is the area covered.
    M
        ∫_pad phi_i phi_j (m²), sparse, shape (n, n).
    g
        Conductance per area (S/m²).
    coverage
        Covered fraction by scalp triangle (index into the scalp); empty for meshed layers.
    enclosed
        Nodes inside a surface through which the current enters the head, shape (n_enclosed,):
        those of the pad, or all of its meshed layers that are not on the skin.
    """

    name: str
    model: Model
    nodes: NDArray[np.int32]
    m: NDArray[np.float64]
    M: csr_array
    g: float
    coverage: Mapping[int, float]
    enclosed: NDArray[np.int32]

    @property
    def area(self) -> float:
        """Area covered (m²)."""
        return float(self.m.sum())

    def voltage(self, V: NDArray[np.float64], current: float) -> float:
        """Return the voltage of the metal (V).

        Parameters
        ----------
        V
            Potential (V) at the pad's nodes, shape (n,).
        current
            Current (A) through the pad.
        """
        return float(self.m @ V) / self.area + current / (self.g * self.area)

    def flux(self, V: NDArray[np.float64], current: float) -> NDArray[np.float64]:
        """Return the current (A) into each of the pad's nodes, shape (n,): that of its model.

        Parameters are those of `voltage`.
        """
        if self.model == "ideal":
            return current / self.area * self.m
        through: NDArray[np.float64] = self.g * (self.voltage(V, current) * self.m - self.M @ V)
        return through

    def heat(self, V: NDArray[np.float64], current: float) -> float:
        """Return the power (W) lost in the layers. Parameters are those of `voltage`."""
        if self.model == "ideal":
            return current**2 / (self.g * self.area)
        drop = self.voltage(V, current) - V
        return self.g * float(drop @ (self.M @ drop))


def pad_on(
    corners: NDArray[np.int32], cover: Cover
) -> tuple[NDArray[np.int32], NDArray[np.float64], csr_array]:
    """Return the nodes, m and M of `Pad` for triangles.

    Parameters
    ----------
    corners
        Mesh nodes of the triangles, shape (n, 3).
    cover
        Integrals over the covered part of each.
    """
    from scipy.sparse import coo_array

    nodes, local = np.unique(corners, return_inverse=True)
    local = local.reshape(corners.shape)
    m = np.bincount(local.ravel(), weights=cover.m.ravel(), minlength=len(nodes))
    i, j = np.broadcast_arrays(local[:, :, None], local[:, None, :])
    M = coo_array((cover.M.ravel(), (i.ravel(), j.ravel())), shape=(len(nodes), len(nodes))).tocsr()
    touched = m > 0
    return nodes[touched].astype(np.int32), m[touched], M[touched][:, touched]


def lay(electrode: Electrode, scalp: Scalp) -> Pad:
    """Lay an electrode on a scalp.

    One whose layers are to be meshed is laid as a complete one: `meshed_electrodes` gives the pad
    that it has in the mesh.

    Raises
    ------
    InputError
        If the electrode is off the head, or hangs over an edge of it by more than a fifth.
    """
    shape = electrode.shape
    triangles, uv = electrode.frame(scalp).within(1.05 * shape.reach + scalp.edge)
    cover = scalp.cover(triangles, uv, shape.outside)
    nodes, m, M = pad_on(scalp.triangles[triangles], cover)
    if not m.sum() > (1 - OVERHANG) * shape.area:
        raise InputError(
            f"the scalp carries {m.sum() * 1e4:.2f} of {shape.area * 1e4:.2f} cm², "
            f"the pad hangs over an edge: electrode {electrode.name!r}"
        )
    return Pad(
        name=electrode.name,
        model="ideal" if electrode.model == "ideal" else "complete",
        nodes=nodes,
        m=m,
        M=M,
        g=electrode.conductance,
        coverage={
            int(t): float(f) for t, f in zip(triangles, cover.fraction, strict=True) if f > 0
        },
        enclosed=nodes,
    )


def lay_montage(montage: Montage, scalp: Scalp) -> list[Pad]:
    """Lay the electrodes of a montage on a scalp.

    Raises
    ------
    InputError
        If an electrode is off the head or two of them overlap.
    """
    pads = [lay(e, scalp) for e in montage.electrodes]
    check_apart(montage.electrodes, pads, scalp, where=f"montage {montage.name!r}")
    return pads


def check_apart(
    electrodes: Sequence[Electrode], pads: Sequence[Pad], scalp: Scalp, *, where: str
) -> None:
    """Check that laid electrodes do not overlap.

    Raises
    ------
    InputError
        If two of them do.
    """
    parts = subdivided(5).mean(axis=1)  # (1024, 3): middles, less than a tenth of a mm apart
    for (a, pad_a), (b, pad_b) in combinations(zip(electrodes, pads, strict=True), 2):
        both = sorted(pad_a.coverage.keys() & pad_b.coverage.keys())
        if not both:
            continue
        corners = scalp.nodes[scalp.triangles[both]]
        depth = np.full(len(both) * len(parts), -np.inf)
        for e in (a, b):
            uv = e.frame(scalp).coordinates(corners.reshape(-1, 3)).reshape(-1, 3, 2)
            points = np.einsum("pc,tcd->tpd", parts, uv).reshape(-1, 2)
            np.maximum(depth, e.shape.outside(points), out=depth)
        if depth.min() < -TOUCH:
            raise InputError(f"electrodes {a.name!r} and {b.name!r} overlap: {where}")


def pad_load(
    conductor: Conductor, pads: Sequence[Pad], currents: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the nodal currents sum_l (I_l / A_l) m_l (A), shape (n_nodes,)."""
    b = np.zeros(len(conductor.mesh.nodes))
    for pad, current in zip(pads, currents, strict=True):
        np.add.at(b, pad.nodes, current / pad.area * pad.m)
    return b


def pad_contacts(pads: Sequence[Pad]) -> Contacts | None:
    """Return the operator sum_l g_l (M_l - m_l m_l^T / A_l), None if all pads are ideal."""
    from scipy.sparse import csr_array

    pads = [pad for pad in pads if pad.model != "ideal"]
    if not pads:
        return None
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
