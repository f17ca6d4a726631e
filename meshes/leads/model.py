"""The geometry of a lead: a cylinder with a hemispherical end and contacts flush with it.

Lead frame: the origin is the outermost point of the tip, z points up the shaft, x to the marker;
angles run from x towards y, anticlockwise seen from the shaft's upper end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option, check_positive

Floats = NDArray[np.float64]

SLACK = 1e-9  # of lengths in m: where two contacts are told to touch


@dataclass(frozen=True, kw_only=True, slots=True)
class Contact:
    """A contact: all of the surface between two heights, or a segment of it.

    Parameters
    ----------
    name
        "1" is nearest to the tip.
    z
        Where it begins and ends along the axis (m), 0 at the outermost point of the tip.
    theta
        Where it begins and ends around the axis (rad), None all round.
    tip
        Whether it covers the tip; then it begins at 0.
    """

    name: str
    z: tuple[float, float]
    theta: tuple[float, float] | None = None
    tip: bool = False

    @property
    def middle(self) -> tuple[float, float]:
        """Angle (rad; 0 where it goes all round) and height (m) of its middle."""
        return (0.0 if self.theta is None else 0.5 * sum(self.theta)), 0.5 * sum(self.z)

    @property
    def turn(self) -> float:
        """How far it goes round the axis (rad)."""
        return 2.0 * np.pi if self.theta is None else self.theta[1] - self.theta[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class LeadModel:
    """A kind of lead.

    Parameters
    ----------
    name, maker
        What it is called and who makes it.
    diameter
        Diameter of shaft and contacts (m); the tip is half a ball of this diameter.
    contacts
        From the tip upwards, those of one height in turn.
    marker
        Heights (m) between which the marker for the orientation lies, None where not known.
    source, status
        Where the numbers come from and how sure they are.
    notes
        What to know before the numbers are used: sources that disagree, simplifications.

    Raises
    ------
    InputError
        If a size makes no sense, contacts overlap or two have one name.
    """

    name: str
    maker: str
    diameter: float
    contacts: tuple[Contact, ...]
    marker: tuple[float, float] | None = None
    source: str
    status: str
    notes: tuple[str, ...] = ()
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check sizes and contacts."""
        where = f"lead {self.name!r}"
        check_positive(f"diameter (m) of {where}", self.diameter)
        if not self.contacts:
            raise InputError(f"expected one contact or more, got none: {where}")
        index = {c.name: i for i, c in enumerate(self.contacts)}
        if len(index) < len(self.contacts):
            raise InputError(f"expected contacts of different names: {where}")
        object.__setattr__(self, "_index", index)
        for c in self.contacts:
            if not (np.isfinite(c.z).all() and 0 <= c.z[0] < c.z[1]):
                raise InputError(
                    f"expected a contact from 0 or above to a greater height, got "
                    f"{c.z[0] * 1e3:g} to {c.z[1] * 1e3:g} mm: contact {c.name!r} of {where}"
                )
            if c.tip != (c.z[0] == 0) or (c.tip and c.theta is not None):
                raise InputError(
                    f"expected a contact that begins at the tip to cover it and no other to: "
                    f"contact {c.name!r} of {where}"
                )
            if not 0 < c.turn <= 2 * np.pi:
                raise InputError(
                    f"expected a segment between 0 and 360 degrees wide, got "
                    f"{np.rad2deg(c.turn):g}: contact {c.name!r} of {where}"
                )
        rows = self.rows()
        for below, above in pairwise(rows):
            if not above[0].z[0] > below[0].z[1] + SLACK:
                raise InputError(
                    f"expected a gap between contacts {below[-1].name!r} and {above[0].name!r}, "
                    f"got {(above[0].z[0] - below[0].z[1]) * 1e3:g} mm: {where}"
                )
        for row in rows:
            if len(row) > 1:
                _check_row(row, where)

    @property
    def radius(self) -> float:
        """Radius (m)."""
        return 0.5 * self.diameter

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the contacts, from the tip."""
        return tuple(self._index)

    def index(self, contact: str | int) -> int:
        """Return the place of a contact in `contacts` by its name; 1 is short for "1".

        Raises
        ------
        InputError
            If the lead has no such contact.
        """
        name = str(contact)
        if name not in self._index:
            if name.lstrip("-").isdigit() and {"1", str(len(self.contacts))} <= set(self._index):
                raise InputError(
                    f"expected a contact from 1 to {len(self.contacts)}, got {name}: "
                    f"lead {self.name!r}"
                )
            check_option("contact", name, self._index, where=f"lead {self.name!r}")
        return self._index[name]

    def contact(self, contact: str | int) -> Contact:
        """Return a contact by its name; raises as `index` does.

        Examples
        --------
        >>> from rheobase.meshes.leads.catalogue import lead_model
        >>> lead_model("Medtronic 3389").contact(2).z
        (0.0035, 0.005)
        """
        return self.contacts[self.index(contact)]

    @property
    def remark(self) -> str:
        """The notes in one line."""
        return "; ".join(self.notes)

    def rows(self) -> tuple[tuple[Contact, ...], ...]:
        """Return the contacts of each height, from the tip."""
        return tuple(tuple(row) for _, row in groupby(self.contacts, key=lambda c: c.z))

    def area(self, contact: str | int) -> float:
        """Return the area of a contact (m²).

        A zone of the half ball is as large as that of the cylinder around it (Archimedes).
        """
        c = self.contact(contact)
        return c.turn * self.radius * (c.z[1] - c.z[0])

    def height_of(self, s: ArrayLike) -> Floats:
        """Return the height (m) at arc length ``s`` (m) from the outermost point of the tip."""
        s = np.asarray(s, dtype=np.float64)
        R = self.radius
        quarter = 0.5 * np.pi * R
        cap = R * (1.0 - np.cos(np.clip(s, 0.0, quarter) / R))
        return np.asarray(np.where(s <= quarter, cap, R + s - quarter))

    def arc_of(self, z: ArrayLike) -> Floats:
        """Return the arc length (m) along the surface from the tip to height ``z`` (m)."""
        z = np.asarray(z, dtype=np.float64)
        R = self.radius
        cap = R * np.arccos(1.0 - np.clip(z, 0.0, R) / R)
        return np.asarray(np.where(z <= R, cap, 0.5 * np.pi * R + z - R))

    def place(self, s: ArrayLike, t: ArrayLike, theta: ArrayLike) -> Floats:
        """Return points of the lead frame (m) at profile coordinates, shape (..., 3).

        Parameters
        ----------
        s, t, theta
            Way along the surface from the middle of the tip (m), distance from the surface (m),
            angle from x towards y (rad); shapes that broadcast.
        """
        R, s = self.radius, np.asarray(s, dtype=np.float64)
        quarter = 0.5 * np.pi * R
        polar = np.minimum(s / R, 0.5 * np.pi)
        far = R + np.asarray(t, dtype=np.float64)
        rho = far * np.sin(polar)
        z = R - far * np.cos(polar) + np.maximum(s - quarter, 0.0)
        return np.stack(np.broadcast_arrays(rho * np.cos(theta), rho * np.sin(theta), z), axis=-1)


def _check_row(row: tuple[Contact, ...], where: str) -> None:
    """Refuse segments of one height that overlap or touch."""
    spans = []
    for c in row:
        if c.theta is None:
            raise InputError(
                f"expected segments beside each other, contact {c.name!r} goes all round: {where}"
            )
        start = c.theta[0] % (2.0 * np.pi)
        spans.append((start, start + c.turn, c.name))
    spans.sort()
    first = spans[0]
    for one, other in pairwise([*spans, (first[0] + 2 * np.pi, first[1] + 2 * np.pi, first[2])]):
        if not other[0] > one[1] + SLACK:
            raise InputError(
                f"expected a gap between segments {one[2]!r} and {other[2]!r}: {where}"
            )
