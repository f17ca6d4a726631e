"""The mesh of `rheobase.validation.axisymmetric`: one block of exactly mapped quadrilaterals.

Its lines leave the lead along the normals of the hemisphere and at constant height along the shaft
and end on the sphere; at the top, where shaft and sphere meet, they shrink to a point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Legendre
from numpy.typing import NDArray

from rheobase._errors import InputError

Floats = NDArray[np.float64]
#: Width (m) of the elements' first layer where there is no encapsulation.
NEAR = 0.25e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What is solved; lengths in metres, the tip of the lead at z = 0.

    Parameters
    ----------
    contacts
        (lower, upper) end of each along the axis, increasing, not touching. One from 0 covers the
        tip; ends may lie on the hemisphere. A contact that carries no current floats; one that is
        left out is insulating.
    lead_radius
        Radius of shaft and hemisphere.
    sphere_radius, sphere_centre
        The grounded sphere around (0, sphere_centre).
    kappa
        Conductivity (S/m), real or complex, below the first plane, between the planes, above.
    planes
        Heights on the shaft, increasing, at which it changes.
    encapsulation
        Thickness of the layer around the lead.
    kappa_encapsulation
        Its conductivity (S/m).
    interface
        Admittance of the contacts' surfaces (S/m²), real or complex; ideal contacts if None.

    Raises
    ------
    InputError
        If contacts overlap, are empty or lie outside the sphere, or a plane meets the hemisphere.
    """

    contacts: tuple[tuple[float, float], ...]
    lead_radius: float = 0.635e-3
    sphere_radius: float = 40e-3
    sphere_centre: float = 4.25e-3
    kappa: tuple[complex, ...] = (0.2,)
    planes: tuple[float, ...] = ()
    encapsulation: float = 0.0
    kappa_encapsulation: complex = 0.2
    interface: complex | None = None

    def __post_init__(self) -> None:
        """Check that the mesh can follow contacts and planes."""
        ends = np.array([z for c in self.contacts for z in c])
        top = self.sphere_centre + 0.9 * self.sphere_radius
        if not (ends.size and ends[0] >= 0 and (np.diff(ends) > 0).all() and ends[-1] < top):
            raise InputError(
                f"expected contacts one above the other from 0 to {top:g} m, got {self.contacts}: "
                "axisymmetric reference"
            )
        if not all(self.lead_radius < z < top for z in self.planes):
            raise InputError(
                f"expected planes on the shaft, {self.lead_radius:g} to {top:g} m, got "
                f"{self.planes}: axisymmetric reference"
            )


class Mesh:
    """Quadrilaterals in the coordinates a (along the lead) and b (away from it).

    a + pi/2 is the angle on the hemisphere for a < 0; for a > 0 the angle at the sphere's centre
    falls by a. b is 0 on the lead, 1 at the end of the first layer, 2 on the sphere.

    Parameters
    ----------
    setting
        What is solved.
    order
        Polynomial order.
    levels
        Geometric layers at the rims.
    ratio
        Ratio of their sizes.
    """

    def __init__(self, setting: Setting, order: int, levels: int, ratio: float) -> None:
        s = self.setting = setting
        self.order, self.ratio = order, ratio
        self.width = s.encapsulation or NEAR
        rise = (s.lead_radius - s.sphere_centre) / s.sphere_radius
        self.start = float(np.arccos(rise))
        self.end = self.start - float(np.arcsin(s.lead_radius / s.sphere_radius))
        shrink = ratio ** np.arange(levels + 1)
        seam = 0.5 * np.pi * s.lead_radius  # lengths along the lead, from the tip; here it is shaft
        marks: list[float] = [*np.linspace(0, seam, 4), *(self._arc(z) for z in s.planes)]
        rims = [self._arc(z) for c in s.contacts for z in c]
        stops = sorted({0.0, seam, *rims})
        last, crown = stops[-1], self._arc(s.sphere_centre + 0.9 * s.sphere_radius)
        stops.append(min(2 * last - stops[-2], 0.5 * (last + crown)))
        for low, rim, high in zip(stops[:-2], stops[1:-1], stops[2:], strict=True):
            marks.append(rim)
            if rim in rims:
                marks += [*(rim - (rim - low) / 2 * shrink), *(rim + (high - rim) / 2 * shrink)]
        marks.append(stops[-1])
        top, size = stops[-1], stops[-1] - last
        while top + size < crown:  # above the last contact elements grow
            top += size
            size *= 1.6
            marks.append(top)
        arc = np.unique(np.round(marks, 12))
        cap = arc[arc < seam - 1e-12] / s.lead_radius - np.pi / 2
        z = arc[arc > seam + 1e-12] - seam + s.lead_radius
        heights = self.start - np.arccos((z - s.sphere_centre) / s.sphere_radius)
        crest: Floats = heights[-1] + (self.end - heights[-1]) * np.array([0.5, 1.0])
        self.taper = float(crest[0])  # from here on the first layer narrows to nothing
        self.a = np.concatenate([cap, [0.0], heights, crest])
        reach = s.sphere_radius
        steps = [0.0]
        while (more := steps[-1] + max(self.width, 0.6 * steps[-1])) < 0.75 * reach:
            steps.append(more)
        self.b = np.concatenate([[0.0], shrink[::-1], 1 + np.array([*steps[1:], reach]) / reach])

    def _arc(self, z: float) -> float:
        """Return the length along the lead from the tip to a height (m)."""
        R = self.setting.lead_radius
        return float(R * np.arccos(1 - z / R)) if z < R else 0.5 * np.pi * R + z - R

    def curves(self, a: Floats) -> tuple[Floats, Floats]:
        """Return lead, end of the first layer and sphere at ``a``, and d/da: (3, 2, ...)."""
        s = self.setting
        R, reach, middle = s.lead_radius, s.sphere_radius, s.sphere_centre
        angle = a + np.pi / 2
        slope = (np.pi - self.start) / (np.pi / 2)
        cap = a < 0
        sphere = np.where(cap, np.pi - angle * slope, self.start - a)
        turn = np.where(cap, -slope, -1.0)
        outer = np.stack([reach * np.sin(sphere), middle + reach * np.cos(sphere)])
        outer_a = turn * np.stack([reach * np.cos(sphere), -reach * np.sin(sphere)])
        width = self.width * np.clip((self.end - a) / (self.end - self.taper), 0, 1)
        width_a = np.where(a > self.taper, -self.width / (self.end - self.taper), 0.0)
        found, slopes = [], []
        for d, d_a in ((0 * a, 0 * a), (width, width_a)):
            found.append(
                np.where(
                    cap,
                    np.stack([(R + d) * np.sin(angle), R - (R + d) * np.cos(angle)]),
                    np.stack([R + d, outer[1]]),
                )
            )
            slopes.append(
                np.where(
                    cap,
                    np.stack([(R + d) * np.cos(angle), (R + d) * np.sin(angle)]),
                    np.stack([d_a, outer_a[1]]),
                )
            )
        return np.stack([*found, outer]), np.stack([*slopes, outer_a])

    def place(
        self, a: Floats, b: Floats, first: NDArray[np.bool_]
    ) -> tuple[Floats, Floats, Floats]:
        """Return (r, z) and its derivatives by a and by b, each (2, ...).

        ``first`` says which points are seen from the first layer (b <= 1).
        """
        C, D = self.curves(a)
        t = np.where(first, b, b - 1)
        low, high = np.where(first, C[0], C[1]), np.where(first, C[1], C[2])
        low_a, high_a = np.where(first, D[0], D[1]), np.where(first, D[1], D[2])
        return low + t * (high - low), low_a + t * (high_a - low_a), high - low

    def find(self, r: Floats, z: Floats) -> tuple[Floats, Floats]:
        """Return a and b of points outside the lead and inside the sphere, each (n,)."""
        s = self.setting
        a = self.start - np.arccos(np.clip((z - s.sphere_centre) / s.sphere_radius, -1, 1))
        below = z < s.lead_radius
        depth = np.hypot(r, s.lead_radius - z) - s.lead_radius
        a[below] = np.arctan2(r, s.lead_radius - z)[below] - np.pi / 2
        far = np.flatnonzero(below & (depth > self.width))
        low, high = np.full(len(far), -np.pi / 2), np.zeros(len(far))
        for _ in range(60):  # the line through the point, by bisection
            mid = 0.5 * (low + high)
            C, _ = self.curves(mid)
            along = C[2] - C[1]
            away = np.stack([r[far], z[far]]) - C[1]
            right = along[0] * away[1] - along[1] * away[0] > 0
            low, high = np.where(right, mid, low), np.where(right, high, mid)
        a[far] = 0.5 * (low + high)
        C, _ = self.curves(a)
        p = np.stack([r, z])
        inner = np.linalg.norm(p - C[0], axis=0) / np.linalg.norm(C[1] - C[0], axis=0)
        outer = np.linalg.norm(p - C[1], axis=0) / np.linalg.norm(C[2] - C[1], axis=0)
        return a, np.where(inner < 1, inner, 1 + outer)


class Line:
    """Lagrange polynomials on Gauss-Lobatto points of (-1, 1)."""

    def __init__(self, order: int) -> None:
        inner = Legendre.basis(order).deriv().roots()
        self.x = np.concatenate([[-1.0], np.sort(inner.real), [1.0]])
        self._weights = np.linalg.inv(np.polynomial.legendre.legvander(self.x, order))

    def __call__(self, x: Floats) -> tuple[Floats, Floats]:
        """Return values and derivatives at x (n,), each (n, order + 1)."""
        order = len(self.x) - 1
        value = np.polynomial.legendre.legvander(x, order) @ self._weights
        slopes = np.stack(
            [Legendre.basis(k).deriv()(x) if k else 0 * x for k in range(order + 1)], axis=-1
        )
        return value, slopes @ self._weights
