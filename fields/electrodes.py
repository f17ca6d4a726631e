"""Electrodes on the scalp and the montages they make.

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

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase.meshes.head import Head
from rheobase.meshes.placing.outlines import Disc, Rectangle, positive
from rheobase.meshes.placing.scalp import Scalp

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, kw_only=True, slots=True)
class Contact:
    """The layer between metal and skin.

    Parameters
    ----------
    sigma
        Conductivity (S/m).
    thickness_mm
        Thickness.
    """

    sigma: float
    thickness_mm: float

    def __post_init__(self) -> None:
        """Check that the layer conducts and is thick."""
        positive("sigma", self.sigma)
        positive("thickness_mm", self.thickness_mm)

    @property
    def conductance(self) -> float:
        """Conductance per area (S/m²)."""
        return self.sigma / (self.thickness_mm * 1e-3)


@cache
def load_contacts() -> dict[str, Contact]:
    """Return the shipped contact layers by name."""
    text = files("rheobase.fields").joinpath("data/contacts.csv").read_text(encoding="utf-8")
    return {
        r["name"]: Contact(sigma=float(r["sigma_S_per_m"]), thickness_mm=float(r["thickness_mm"]))
        for r in csv.DictReader(text.splitlines())
    }


def contact(name: str) -> Contact:
    """Return the shipped contact layer ``name`` ("gel", "sponge").

    Raises
    ------
    InputError
        If there is none, with the nearest names.
    """
    table = load_contacts()
    return table[check_option("contact", name, table)]


@dataclass(frozen=True, kw_only=True, eq=False)
class Electrode:
    """A pad on the scalp.

    Parameters
    ----------
    name
        Name, used in reports and errors.
    centre
        Position (m), shape (3,); it is carried to the nearest point of the scalp.
    shape
        Outline of the pad.
    contact
        The layer between metal and skin.
    """

    name: str
    centre: NDArray[np.float64]
    shape: Disc | Rectangle = field(default_factory=Disc)
    contact: Contact = field(default_factory=lambda: contact("gel"))

    def __post_init__(self) -> None:
        """Check the position."""
        if np.shape(self.centre) != (3,) or not np.isfinite(self.centre).all():
            raise InputError(
                f"expected three finite coordinates (m), got {self.centre!r}: "
                f"electrode {self.name!r}"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Montage:
    """Electrodes and the current into the head through each.

    Parameters
    ----------
    name
        Name of the montage ("C3-Fp2").
    electrodes
        At least two, with different names.
    currents
        Current (A) into the head through each electrode; they sum to zero.

    Raises
    ------
    InputError
        If the currents do not sum to zero or are all zero, or names repeat.
    """

    name: str
    electrodes: tuple[Electrode, ...]
    currents: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check the currents and the names."""
        object.__setattr__(self, "electrodes", tuple(self.electrodes))
        object.__setattr__(self, "currents", tuple(float(c) for c in self.currents))
        if len(self.electrodes) != len(self.currents) or len(self.electrodes) < 2:
            raise InputError(
                "expected two or more electrodes with one current each, got "
                f"{len(self.electrodes)} and {len(self.currents)}: montage {self.name!r}"
            )
        names = [e.name for e in self.electrodes]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"two electrodes are called {name!r}: montage {self.name!r}")
        total, size = sum(self.currents), sum(abs(c) for c in self.currents)
        if not size > 0:
            raise InputError(f"every current is 0 mA: montage {self.name!r}")
        if not abs(total) <= 1e-9 * size:
            raise InputError(
                f"current sums to {total * 1e3:g} mA, must be 0: montage {self.name!r}"
            )

    @property
    def amplitude(self) -> float:
        """Total current into the head (A): the amplitude of this montage in its basis."""
        return sum(c for c in self.currents if c > 0)


def montage_1x1(
    head: Head,
    *,
    anode: str,
    cathode: str,
    current: float,
    shape: Disc | Rectangle | None = None,
    contact: Contact | None = None,
) -> Montage:
    """Return two equal pads at 10-10 positions.

    Parameters
    ----------
    head
        The head.
    anode, cathode
        10-10 names.
    current
        Current (A) from anode to cathode.
    shape
        Outline of both pads, a disc of 12 mm radius if None.
    contact
        Contact layer of both pads, gel if None.

    Raises
    ------
    InputError
        If the head has no such position.
    """
    pads = tuple(_pad(name, head.position(name), shape, contact) for name in (anode, cathode))
    return Montage(name=f"{anode}-{cathode}", electrodes=pads, currents=(current, -current))


def montage_4x1(
    head: Head,
    *,
    centre: str,
    current: float,
    ring: float | Sequence[str] = 0.05,
    shape: Disc | Rectangle | None = None,
    contact: Contact | None = None,
) -> Montage:
    """Return a centre electrode and four around it that return a quarter of the current each.

    Parameters
    ----------
    head
        The head.
    centre
        10-10 name.
    current
        Current (A) into the head at the centre.
    ring
        Four 10-10 names, or the distance (m) along the scalp: the returns are then in front, on
        the left, behind and on the right.
    shape, contact
        As in `montage_1x1`; a disc of 6 mm radius if None.

    Raises
    ------
    InputError
        If a position is not known, the ring leaves the head, or ``ring`` does not hold four names.
    """
    shape = shape or Disc(radius_mm=6.0)
    pads = [_pad(centre, head.position(centre), shape, contact)]
    if isinstance(ring, (int, float)):
        frame = Scalp(head.mesh).frame(head.position(centre), where=f"electrode {centre!r}")
        for k, side in enumerate(("front", "left", "back", "right")):
            angle = np.pi / 2 * (k + 1)
            uv = ring * np.array([np.cos(angle), np.sin(angle)])
            point = frame.point(uv, where=f"{side} of the ring around {centre!r}")
            pads.append(_pad(f"{centre} {side}", point, shape, contact))
    elif len(ring) == 4:
        pads += [_pad(name, head.position(name), shape, contact) for name in ring]
    else:
        raise InputError(f"expected four ring positions, got {len(ring)}: ring around {centre!r}")
    return Montage(
        name=f"{centre} 4x1", electrodes=tuple(pads), currents=(current, *[-current / 4] * 4)
    )


def _pad(
    name: str,
    centre: NDArray[np.float64],
    shape: Disc | Rectangle | None,
    layer: Contact | None,
) -> Electrode:
    return Electrode(
        name=name, centre=centre, shape=shape or Disc(), contact=layer or contact("gel")
    )


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
