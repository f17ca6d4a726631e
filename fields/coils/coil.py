"""Coils: windings as line elements, magnetic dipoles, and where they stand on the head.

Vector potential per ampere of coil current,

    A(r) = mu0/4pi [ sum_j dl_j/|r - r_j| + sum_k m_k × (r - r_k)/|r - r_k|³ ].

A turn is a circle, sampled evenly: the trapezoidal rule, whose error on a circle falls as
exp(-2 pi d/h), h the spacing of the samples and d the distance to the wire. Turns fill the
winding from inner to outer diameter; the wire is thin and lies in the middle of its layer.

Frame of a coil: the winding's mid-plane is z = 0, +z points away from the head, +y is the direction
of the handle. In a figure-of-eight the wings stand side by side along x and touch (centres one
outer diameter apart), and positive current in the middle flows towards the handle. The field in the
tissue is opposed to a growing current, so a positive dI/dt drives current in the brain *away from*
the handle.

Reference: Deng, Lisanby & Peterchev, Brain Stimul 6:1 (2013), doi:10.1016/j.brs.2012.02.005.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.spheres import MU0_OVER_4PI


def _none() -> NDArray[np.float64]:
    return np.empty((0, 3))


@dataclass(frozen=True, kw_only=True, eq=False)
class Coil:
    """A coil as line elements and magnetic dipoles.

    Parameters
    ----------
    name
        Name, used in reports and errors.
    positions, segments
        Middle (m) and vector (m) of each line element, shape (n, 3).
    dipoles, moments
        Position (m) and moment per ampere (m²) of each magnetic dipole, shape (n, 3).
    wings
        Centre (m) and outer radius (m) of each wing in the coil's frame, shape (n_wings, 4).
    height
        Height of the winding along the coil's z axis (m).
    pose
        From the coil's frame to that of positions, shape (4, 4).
    """

    name: str
    positions: NDArray[np.float64] = field(default_factory=_none)
    segments: NDArray[np.float64] = field(default_factory=_none)
    dipoles: NDArray[np.float64] = field(default_factory=_none)
    moments: NDArray[np.float64] = field(default_factory=_none)
    wings: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 4)))
    height: float = 0.0
    pose: NDArray[np.float64] = field(default_factory=lambda: np.eye(4))

    def __post_init__(self) -> None:
        """Check the shapes."""
        for a, b in (("positions", "segments"), ("dipoles", "moments")):
            x, y = getattr(self, a), getattr(self, b)
            if x.shape != y.shape or x.ndim != 2 or x.shape[1] != 3:
                raise ValueError(f"{a} and {b} must both be (n, 3), got {x.shape}, {y.shape}")
        if len(self.positions) + len(self.dipoles) == 0:
            raise ValueError(f"a coil needs line elements or dipoles: coil {self.name!r}")

    def vector_potential(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return A (V s/m per ampere) at points (m), shape (n, 3)."""
        from rheobase.fields.coils._potential_numba import vector_potential

        p = np.ascontiguousarray(np.atleast_2d(np.asarray(points, dtype=np.float64)))
        A = np.empty_like(p)
        vector_potential(p, self.positions, self.segments, self.dipoles, self.moments, A)
        A *= MU0_OVER_4PI
        return A

    def moved(self, pose: NDArray[np.float64]) -> Coil:
        """Return the coil moved by a rigid transform, shape (4, 4).

        Raises
        ------
        InputError
            If ``pose`` is not a rotation and a shift.
        """
        R, shift = pose[:3, :3], pose[:3, 3]
        if pose.shape != (4, 4) or not (
            np.allclose(R @ R.T, np.eye(3), atol=1e-9) and np.linalg.det(R) > 0
        ):
            raise InputError(f"expected a rotation and a shift: pose of coil {self.name!r}")
        return replace(
            self,
            positions=self.positions @ R.T + shift,
            segments=self.segments @ R.T,
            dipoles=self.dipoles @ R.T + shift,
            moments=self.moments @ R.T,
            pose=pose @ self.pose,
        )


def magnetic_dipole(position: ArrayLike, moment: ArrayLike, *, name: str = "dipole") -> Coil:
    """Return a magnetic dipole in head coordinates.

    Parameters
    ----------
    position
        Position (m), shape (3,).
    moment
        Moment per ampere (m²), shape (3,).
    name
        Name of the coil.
    """
    return Coil(
        name=name,
        dipoles=np.atleast_2d(np.asarray(position, dtype=np.float64)),
        moments=np.atleast_2d(np.asarray(moment, dtype=np.float64)),
    )
