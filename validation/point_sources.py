"""Contacts as point sources in an unbounded medium: exact unit responses to check things against.

Each contact is a point in its middle, a ring's on the axis of the lead, a segment's on its surface,
and the lead does not keep the current out: V = I / (4 pi sigma r). The impedance of a contact is
that of a sphere with the lead's radius.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase.meshes.leads.lead import Lead

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class PointSources:
    """Unit responses of point sources at the contacts of a lead.

    Parameters
    ----------
    lead
        The lead.
    sigma
        Conductivity (S/m).
    """

    lead: Lead
    sigma: float
    insulated = ()
    layer = 0.0

    @property
    def contacts(self) -> tuple[str, ...]:
        """Names of the contacts, N of them."""
        return self.lead.model.names

    @cached_property
    def areas(self) -> Floats:
        """Area of each contact (m²), shape (N,)."""
        return np.array([self.lead.model.area(name) for name in self.contacts])

    @cached_property
    def places(self) -> Floats:
        """Place of each source in the head (m), shape (N, 3)."""
        return np.stack([self.lead.contact_centre(name) for name in self.contacts])

    @property
    def Z(self) -> Floats:
        """Potential of each contact per current of each (ohm), shape (N, N)."""
        away = np.linalg.norm(self.places[:, None] - self.places, axis=2)
        np.fill_diagonal(away, self.lead.model.radius)
        return 1 / (4 * np.pi * self.sigma * away)

    def potential(self, points: ArrayLike) -> Floats:
        """Return potentials (V/A) at points (m), shape (n, 3): (N, n)."""
        away = np.linalg.norm(np.asarray(points) - self.places[:, None], axis=2)
        V: Floats = 1 / (4 * np.pi * self.sigma * away)
        return V

    def field(self, points: ArrayLike) -> Floats:
        """Return fields (V/m per A) at points (m), shape (n, 3): (N, n, 3)."""
        away = np.asarray(points) - self.places[:, None]
        size = np.linalg.norm(away, axis=2, keepdims=True)
        E: Floats = away / (4 * np.pi * self.sigma * size**3)
        return E
