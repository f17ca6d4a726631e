"""Coordinates that fit a lead: s along its surface from the tip, T away from it, theta around.

Up to the distance ``reach`` T is the distance from the surface: the offsets of a cylinder with a
hemispherical end are of the same kind, so the coordinates are orthogonal and their metric exact.
Beyond, T - reach runs from 0 to 1 at the boundary of the domain: the share of the way from a centre
on the axis to the boundary, and the polar angle seen from there, go over into 1 and a wide fan.
Above the contacts the shaft is stretched to end on the boundary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.dbs.grid.domains import Domain
from rheobase.meshes.leads.lead import Lead

#: Polar angle (rad), seen from the centre of the contacts, of the outermost ray beside the shaft.
TOP_ANGLE = 0.6
#: Radii of the lead to which the distance is a coordinate.
REACH = 6.0
#: Radii of the lead that the orthogonal part goes on beyond an encapsulation, at least.
BEYOND = 2.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Chart:
    """The coordinates around one lead in one domain, in the lead frame.

    Parameters
    ----------
    radius
        Radius of the lead (m).
    reach
        Distance from its surface up to which the coordinates are orthogonal (m).
    z_stretch, z_top
        Heights between which the shaft is stretched to end on the boundary (m).
    z_centre
        Height of the centre on the axis (m).
    domain
        The domain, in the lead frame.
    """

    radius: float
    reach: float
    z_stretch: float
    z_top: float
    z_centre: float
    domain: Domain

    @property
    def arc(self) -> float:
        """Arc length of the hemispherical end (m)."""
        return 0.5 * np.pi * self.radius

    @property
    def s_top(self) -> float:
        """Arc length at the boundary (m)."""
        return self.arc + self.z_top - self.radius

    def packed(self) -> NDArray[np.float64]:
        """Return the constants as the kernels take them."""
        from rheobase.fields.dbs.grid import _chart_numba as kernel

        c = np.empty(kernel.SIZE)
        c[: kernel.CENTRE] = (
            self.radius,
            self.arc,
            self.reach,
            self.z_stretch,
            self.z_top,
            self.z_centre,
            TOP_ANGLE,
            np.arctan2(self.radius + self.reach, self.z_top - self.z_centre),
            self.domain.kind == "box",
        )
        c[kernel.CENTRE : kernel.AXES] = self.domain.centre
        c[kernel.AXES :] = (self.domain.axes / self.domain.half[:, None]).ravel()
        return c

    def place(self, at: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return points (m) and volume per ds dT dtheta at coordinates (..., 3).

        Returns
        -------
        points : ndarray, shape (..., 3)
            In the lead frame.
        density : ndarray, shape (...)
        """
        from rheobase.fields.dbs.grid._chart_numba import place_all

        flat = np.ascontiguousarray(at, dtype=np.float64).reshape(-1, 3)
        out = np.empty((len(flat), 4))
        place_all(self.packed(), flat, out)
        shape = np.shape(at)[:-1]
        return out[:, :3].reshape(*shape, 3), out[:, 3].reshape(shape)

    def coordinates(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (s, T, theta) of points (n, 3): T < 0 inside the lead, NaN outside the domain."""
        from rheobase.fields.dbs.grid._chart_numba import invert_all

        p = np.ascontiguousarray(points, dtype=np.float64)
        out = np.empty((len(p), 3))
        invert_all(self.packed(), p, out)
        return out


def lead_chart(lead: Lead, domain: Domain, encapsulation: float = 0.0) -> Chart:
    """Return the coordinates around a lead in a domain of the head frame.

    Parameters
    ----------
    lead, domain
        The lead, and where the coordinates end.
    encapsulation
        Thickness of a layer (m) that must lie within the orthogonal part.

    Raises
    ------
    InputError
        If the contacts and what is next to them do not lie inside the domain.
    """
    model = lead.model
    R = model.radius
    low = min(c.z[0] for c in model.contacts)
    high = max(c.z[1] for c in model.contacts)
    reach = max(REACH * R, encapsulation + BEYOND * R)
    turn = lead.frame[:3, :3]
    inner = Domain(
        kind=domain.kind,
        half=domain.half,
        centre=(domain.centre - lead.tip) @ turn,
        axes=domain.axes @ turn,
        grounded=domain.grounded,
    )
    centre = 0.5 * (low + high)
    z_stretch = max(high, R) + 2 * R
    # the lead and its surroundings up to the stretched part must be inside
    z = np.linspace(R, z_stretch + reach, 9)
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (R + reach)
    around = np.concatenate(
        [np.column_stack([ring, np.full(len(ring), h)]) for h in z] + [[[0.0, 0.0, -reach]]]
    )
    if not (inner.norm(around) < 0.97).all():
        raise InputError(
            f"expected the contacts and {(reach + R) * 1e3:.1f} mm around them inside the domain, "
            f"they reach its boundary: lead {lead.name!r}"
        )
    along = (np.array([0.0, 0.0, centre]) - inner.centre) @ inner.axes.T / inner.half
    up = inner.axes[:, 2] / inner.half
    if inner.kind == "box":
        side = np.where(up > 0, 1.0, -1.0)
        with np.errstate(divide="ignore"):
            rise = float(np.min(np.where(up != 0, (side - along) / up, np.inf)))
    else:
        a, b, d = up @ up, up @ along, along @ along - 1
        rise = float((np.sqrt(b * b - a * d) - b) / a)
    return Chart(
        radius=R,
        reach=reach,
        z_stretch=z_stretch,
        z_top=centre + rise,
        z_centre=centre,
        domain=inner,
    )
