"""Sources: points on a surface that moves, with the velocity of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """A surface that moves along its normal, as points: a layer of monopoles of twice its velocity.

    Parameters
    ----------
    points, normal
        Positions (m) and unit vectors, shape (n, 3).
    velocity
        Peak normal velocity (m/s), complex: Re(velocity e^{iwt}), shape (n,).
    area
        Weight of each point (m²), shape (n,).
    element
        Element of each point, ascending from 0, shape (n,).
    spacing
        Largest distance of neighbours (m): which wavelengths they can stand for; 0 for points that
        sample no surface.

    Raises
    ------
    InputError
        If shapes differ or a number is not finite.
    """

    points: Floats
    velocity: Complexes
    area: Floats
    normal: Floats
    element: NDArray[np.intp]
    spacing: float = 0.0

    def __post_init__(self) -> None:
        """Check shapes and numbers."""
        n = len(self.points)
        for name, shape in (
            ("points", (n, 3)),
            ("normal", (n, 3)),
            ("velocity", (n,)),
            ("area", (n,)),
            ("element", (n,)),
        ):
            values = getattr(self, name)
            if values.shape != shape:
                raise InputError(f"expected {name} of shape {shape}, got {values.shape}: source")
            if not np.isfinite(values).all():
                raise InputError(f"{name} must be finite: source")
        if n == 0:
            raise InputError("expected points, got none: source")
        if (np.diff(self.element) < 0).any():
            raise InputError("expected points sorted by element: source")

    @property
    def firsts(self) -> NDArray[np.intp]:
        """First point of each element, and the number of points, shape (n_elements + 1,)."""
        return np.searchsorted(self.element, np.arange(self.element[-1] + 2))

    def driven(self, velocity: Complexes) -> Source:
        """Return the source with another velocity (m/s), one number a point or an element."""
        u = np.asarray(velocity, dtype=np.complex128)
        if u.shape != self.velocity.shape:
            u = u[self.element] if u.shape == (self.element[-1] + 1,) else u
        return replace(self, velocity=u)

    def moved(self, frame: Floats) -> Source:
        """Return the source moved by a rigid transform (m), shape (4, 4)."""
        R = frame[:3, :3]
        return replace(self, points=self.points @ R.T + frame[:3, 3], normal=self.normal @ R.T)
