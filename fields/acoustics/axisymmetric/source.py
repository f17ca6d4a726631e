"""Sources round about the beam axis: rings of a bowl or of a flat disc."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase.fields.acoustics.transducers.elements import Ring
from rheobase.fields.acoustics.transducers.transducer import Transducer

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


@dataclass(frozen=True, kw_only=True, eq=False)
class AxialSource:
    """Rings of one bowl or flat disc, each with a normal velocity of its own.

    Each ring radiates as in Rayleigh's integral, P = (i w rho / 2 pi) ∫ u exp(-i k d) / d dS: a
    layer of monopoles of strength 2 u in a fluid that goes on behind it.

    Parameters
    ----------
    rings
        Inner and outer radius of each ring seen along the axis, (n_rings, 2) m; no two overlap.
    velocity
        Normal velocity of each ring, towards +z: peak amplitude and phase as of exp(i w t),
        (n_rings,) m/s.
    radius_of_curvature
        Radius of the bowl, whose centre lies on the axis ahead of it (m); infinite for a disc.
    vertex
        Depth z of its rear vertex or face (m).

    Raises
    ------
    InputError
        If rings overlap, have no width or do not fit the bowl, or velocities do not fit the rings.
    """

    rings: Floats
    velocity: Complexes
    radius_of_curvature: float = inf
    vertex: float = 0.0

    def __post_init__(self) -> None:
        """Check the rings and their velocities."""
        rings = np.asarray(self.rings, dtype=float)
        velocity = np.atleast_1d(np.asarray(self.velocity, dtype=complex))
        object.__setattr__(self, "rings", rings)
        object.__setattr__(self, "velocity", velocity)
        if rings.ndim != 2 or rings.shape[1:] != (2,) or not len(rings):
            raise InputError(f"rings need an inner and outer radius each, got shape {rings.shape}")
        edges = rings.ravel()
        if not (np.isfinite(edges).all() and edges[0] >= 0.0 and (rings[:, 0] < rings[:, 1]).all()):
            raise InputError(f"rings need 0 <= inner < outer radius, got {rings.tolist()} m")
        if (np.diff(edges) < 0.0).any():
            raise InputError(f"rings must go outwards and not overlap, got {rings.tolist()} m")
        if velocity.shape != (len(rings),) or not np.isfinite(velocity).all():
            raise InputError(
                f"expected a finite velocity for each of {len(rings)} rings, "
                f"got {velocity.tolist()} m/s"
            )
        if not self.radius_of_curvature >= edges[-1]:
            raise InputError(
                f"a bowl of radius {1e3 * self.radius_of_curvature:g} mm cannot be "
                f"{2e3 * edges[-1]:g} mm wide"
            )
        if not isfinite(self.vertex):
            raise InputError(f"the depth of the source's vertex must be finite, got {self.vertex}")

    def driven(self, velocity: ArrayLike) -> AxialSource:
        """Return the same rings with other velocities, (n_rings,) m/s."""
        return replace(self, velocity=np.asarray(velocity, dtype=complex))

    def depth(self, r: ArrayLike) -> Floats:
        """Return the depth z of the radiating surface at distances r from the axis (m)."""
        r = np.asarray(r, dtype=float)
        bend = self.radius_of_curvature
        if not isfinite(bend):
            return np.full(r.shape, self.vertex)
        return self.vertex + r**2 / (bend + np.sqrt(bend**2 - r**2))

    def along(self, ring: int, t: ArrayLike) -> tuple[Floats, Floats, Floats]:
        """Return r, z and the arc length per unit of t at t in [0, 1] across a ring."""
        t = np.asarray(t, dtype=float)
        inner, outer = self.rings[ring]
        bend = self.radius_of_curvature
        if not isfinite(bend):
            r = inner + (outer - inner) * t
            return r, self.depth(r), np.full(t.shape, outer - inner)
        first, last = np.arcsin(self.rings[ring] / bend)
        angle = first + (last - first) * t
        z = self.vertex + 2.0 * bend * np.sin(0.5 * angle) ** 2
        return bend * np.sin(angle), z, np.full(t.shape, bend * (last - first))

    @property
    def area(self) -> Floats:
        """Area of each ring: (n_rings,) m²."""
        bend = self.radius_of_curvature
        if not isfinite(bend):
            area: Floats = np.pi * np.diff(self.rings**2, axis=1)[:, 0]
            return area
        area = 2.0 * np.pi * bend * np.diff(self.depth(self.rings), axis=1)[:, 0]
        return area


def bowl(*, radius: float, aperture: float, velocity: complex, vertex: float = 0.0) -> AxialSource:
    """Return a focused bowl.

    Parameters
    ----------
    radius
        Radius of curvature (m).
    aperture
        Diameter of the opening (m).
    velocity
        Normal velocity (m/s); a pressure p0 at the face is ``p0 / (rho c)``.
    vertex
        Depth of the rear vertex (m).

    Raises
    ------
    InputError
        If the bowl is wider than its sphere.
    """
    check_positive("the aperture of a bowl (m)", aperture)
    check_positive("the radius of curvature of a bowl (m)", radius)
    return AxialSource(
        rings=np.array([[0.0, 0.5 * aperture]]),
        velocity=np.array([velocity]),
        radius_of_curvature=radius,
        vertex=vertex,
    )


def disc(*, diameter: float, velocity: complex, vertex: float = 0.0) -> AxialSource:
    """Return a flat disc of a diameter (m) with a normal velocity (m/s) at depth ``vertex`` (m).

    Raises
    ------
    InputError
        If the diameter is not positive.
    """
    check_positive("the diameter of a disc (m)", diameter)
    return AxialSource(
        rings=np.array([[0.0, 0.5 * diameter]]), velocity=np.array([velocity]), vertex=vertex
    )


def axial_source(transducer: Transducer, velocity: ArrayLike) -> AxialSource:
    """Return a transducer whose elements are rings of one bowl or disc round about its axis.

    Parameters
    ----------
    transducer
        One whose elements all are rings on its axis, going outwards.
    velocity
        Normal velocity (m/s), one number or one an element.

    Raises
    ------
    InputError
        If an element is no such ring, naming the first.
    """
    n = transducer.n_elements
    shapes = transducer.shapes if len(transducer.shapes) == n else transducer.shapes * n
    first = shapes[0]
    for i, shape in enumerate(shapes):
        if not (
            isinstance(shape, Ring)
            and isinstance(first, Ring)
            and np.isclose(shape.curvature_radius, first.curvature_radius)
            and np.allclose(transducer.positions[i], transducer.positions[0])
            and np.allclose(transducer.positions[i, :2], 0.0)
            and np.allclose(transducer.normals[i], (0.0, 0.0, 1.0))
        ):
            raise InputError(
                f"element {i + 1} of transducer {transducer.name!r} is not a ring of one bowl or "
                "disc round about the beam axis; use the three-dimensional solver"
            )
    rings = [s for s in shapes if isinstance(s, Ring)]
    return AxialSource(
        rings=np.array([[ring.inner_radius, ring.outer_radius] for ring in rings]),
        velocity=np.broadcast_to(np.asarray(velocity, dtype=complex), n),
        radius_of_curvature=rings[0].curvature_radius,
        vertex=float(transducer.positions[0, 2]),
    )
