"""A lead in its place: where it is in the head and which way its marker looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.meshes.leads.medium import Medium
from rheobase.meshes.leads.model import LeadModel
from rheobase.meshes.spaces import checked

Floats = NDArray[np.float64]

#: Axes of the head that the marker looks along at rotation 0: front, or up where the lead runs
#: within 18 degrees of the front.
FRONT, UP = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
STEEP = 0.95
#: Places on each contact that must lie in tissue, round the axis.
AROUND = 12


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Lead:
    """A lead at a place.

    Parameters
    ----------
    model
        What kind of lead.
    tip
        Outermost point of its tip (m), shape (3,).
    direction
        From the tip up the shaft, shape (3,); any length.
    rotation
        Turn of the marker (rad), anticlockwise seen from the upper end; at 0 it looks to the front
        of the head (up, for a lead that runs to the front or back).
    name
        Name, for messages and tables.

    Raises
    ------
    InputError
        If a coordinate is not finite or the direction has no length.
    """

    model: LeadModel
    tip: Floats
    direction: Floats
    rotation: float = 0.0
    name: str = "lead"
    frame: Floats = field(init=False)

    def __post_init__(self) -> None:
        """Check the place and find the axes."""
        tip = _point("tip", self.tip, self.name)
        direction = _point("direction", self.direction, self.name)
        length = float(np.linalg.norm(direction))
        if not length > 0:
            raise InputError(f"expected a direction up the shaft, got 0, 0, 0: lead {self.name!r}")
        if not (isinstance(self.rotation, Real) and np.isfinite(self.rotation)):
            raise InputError(
                f"expected a finite rotation, got {self.rotation!r}: lead {self.name!r}"
            )
        z = direction / length
        ahead = FRONT if abs(z @ FRONT) < STEEP else UP
        x = ahead - (ahead @ z) * z
        x /= np.linalg.norm(x)
        x = np.cos(self.rotation) * x + np.sin(self.rotation) * np.cross(z, x)
        frame = np.eye(4)
        frame[:3] = np.stack([x, np.cross(z, x), z, tip], axis=1)
        for key, value in (("tip", tip), ("direction", z), ("frame", frame)):
            value.flags.writeable = False
            object.__setattr__(self, key, value)

    def to_lead(self, points: ArrayLike) -> Floats:
        """Return points of the head (m) in the lead frame (m), shape (n, 3)."""
        moved: Floats = (checked(points) - self.tip) @ self.frame[:3, :3]
        return moved

    def to_head(self, points: ArrayLike) -> Floats:
        """Return points of the lead frame (m) in the head (m), shape (n, 3)."""
        moved: Floats = checked(points) @ self.frame[:3, :3].T + self.tip
        return moved

    def coordinates(self, points: ArrayLike) -> Floats:
        """Return points of the head (m) as (s, t, theta), shape (n, 3).

        Parameters
        ----------
        points
            Coordinates (m), shape (n, 3).

        Returns
        -------
        ndarray, shape (n, 3)
            Arc length from the tip (m) to the nearest point of the surface, distance from the
            surface (m; < 0 inside) and angle from the marker (rad), in -pi .. pi.
        """
        x, y, z = self.to_lead(points).T
        R = self.model.radius
        rho = np.hypot(x, y)
        cap = z < R
        s = np.where(cap, R * np.arctan2(rho, R - z), 0.5 * np.pi * R + z - R)
        t = np.where(cap, np.hypot(rho, R - z), rho) - R
        return np.stack([s, t, np.arctan2(y, x)], axis=1)

    def outside(self, points: ArrayLike) -> Floats:
        """Return the distance (m) of points of the head from the surface, < 0 inside, shape (n,).

        The shaft has no end.
        """
        distance: Floats = self.coordinates(points)[:, 1]
        return distance

    def surface(self, z: ArrayLike, theta: ArrayLike, off: float = 0.0) -> Floats:
        """Return points at heights and angles, ``off`` (m) from the surface, shape (n, 3)."""
        z, theta = np.broadcast_arrays(np.atleast_1d(z), np.atleast_1d(theta))
        return self.to_head(self.model.place(self.model.arc_of(z), off, theta))

    def contact_centre(self, contact: str | int) -> Floats:
        """Return the middle of a contact (m), shape (3,): of a segment on the surface.

        Of a ring, or a tip, it is on the axis.
        """
        c = self.model.contact(contact)
        theta, z = c.middle
        at: Floats = self.surface(z, theta) if c.theta else self.to_head([[0.0, 0.0, z]])
        centre: Floats = at[0]
        return centre


def place_lead(
    model: LeadModel,
    *,
    target: ArrayLike,
    entry: ArrayLike | None = None,
    direction: ArrayLike | None = None,
    contact: str | int | None = None,
    rotation_deg: float = 0.0,
    name: str = "lead",
) -> Lead:
    """Place a lead on the line from a target to an entry.

    Parameters
    ----------
    model
        What kind of lead.
    target
        Where its tip is to be, or the middle height of ``contact`` (m), shape (3,).
    entry
        A point that its axis goes through (m), shape (3,).
    direction
        In place of an entry: from the target up the shaft, shape (3,).
    contact
        Contact at the target; the tip if None.
    rotation_deg
        Turn of the marker, anticlockwise seen from the entry; see `Lead`.
    name
        Name.

    Raises
    ------
    InputError
        If there is no such contact, not one of entry and direction is given, or the entry is the
        target.

    Examples
    --------
    >>> from rheobase.meshes.leads.catalogue import lead_model
    >>> lead = place_lead(lead_model("Medtronic 3389"), target=[0, 0, 0], direction=[0, 0, 2],
    ...                   contact=1)
    >>> lead.tip.tolist(), lead.frame[:3, 0].tolist()
    ([0.0, 0.0, -0.00225], [0.0, 1.0, 0.0])
    """
    at = _point("target", target, name)
    if not isinstance(rotation_deg, Real):
        raise InputError(f"expected a finite rotation, got {rotation_deg!r}: lead {name!r}")
    if (entry is None) == (direction is None):
        raise InputError(f"expected an entry or a direction, not both or none: lead {name!r}")
    if entry is not None:
        up = _point("entry", entry, name) - at
        if not np.linalg.norm(up) > model.radius:
            raise InputError(f"expected an entry away from the target: lead {name!r}")
    else:
        up = _point("direction", direction, name)
    lead = Lead(
        model=model,
        tip=at,
        direction=up,
        rotation=float(np.deg2rad(rotation_deg)),
        name=name,
    )
    if contact is None:
        return lead
    tip = at - model.contact(contact).middle[1] * lead.direction
    return Lead(model=model, tip=tip, direction=lead.direction, rotation=lead.rotation, name=name)


def check_lead(lead: Lead, medium: Medium) -> None:
    """Refuse a lead whose tip or contacts lie outside the tissue; its shaft may leave it.

    Raises
    ------
    InputError
        With the first contact, from the tip, that does.
    """
    R = lead.model.radius
    spots = {"the tip": np.zeros((1, 2))}
    for c in lead.model.contacts:
        low, high = c.theta or (0.0, 2.0 * np.pi)
        theta, z = np.meshgrid(np.linspace(low, high, AROUND), np.linspace(*c.z, 3))
        spots[f"contact {c.name!r}"] = np.stack([z.ravel(), theta.ravel()], axis=1)
    z, theta = np.concatenate(list(spots.values())).T
    # a hair off the surface: what touches the boundary of the tissue leaves it
    out = medium.labels(lead.surface(z, theta, off=1e-3 * R)) == 0
    start = 0
    for what, some in spots.items():
        if out[start : start + len(some)].any():
            at = (lead.surface(*some.mean(axis=0))[0] * 1e3).round(1).tolist()
            raise InputError(
                f"expected the contacts of a lead in tissue, {what} leaves it at {at} mm: "
                f"lead {lead.name!r}"
            )
        start += len(some)


def _point(what: str, x: ArrayLike | None, name: str) -> Floats:
    try:
        point = np.array(x, dtype=np.float64)
    except (TypeError, ValueError):
        point = np.empty(0)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise InputError(f"expected three finite numbers for the {what}, got {x!r}: lead {name!r}")
    return point
