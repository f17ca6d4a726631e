"""Transducers: elements and where they sit.

Beam frame: +z is the beam's axis and points into the head; the origin is the rear vertex of a bowl
or the middle of a flat face.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf, isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._memory import free_memory
from rheobase.fields.acoustics.frequency import check_frequency
from rheobase.fields.acoustics.media import WATER, Fluid
from rheobase.fields.acoustics.transducers.elements import LARGEST, Ring, Shape, bytes_needed
from rheobase.fields.acoustics.transducers.source import Source

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
PER_WAVELENGTH = 2.5  # points of a source a wavelength
OUTLINE_SPACING = 0.003  # of the points that must stay outside the head (m)


@dataclass(frozen=True, kw_only=True, eq=False)
class Transducer:
    """Elements in the beam frame.

    Parameters
    ----------
    name
        Name, used in reports and errors.
    shapes
        Shape of each element, or one for all.
    positions, normals, along
        Apex (m) of each element, its normal and the direction of its x axis (unit vectors), shape
        (n, 3).
    frequency
        At which it is driven (Hz).
    curvature_radius
        Distance of the geometric focus from the origin along z (m), infinite for a flat one.
    frame
        From the beam frame to the head's (m), shape (4, 4); the unit matrix until it is placed.
    reference, status
        Where the numbers come from and how sure they are.
    notes
        What a reader must know.

    Raises
    ------
    InputError
        If there is no element, shapes differ, or a number is impossible.
    """

    name: str
    shapes: tuple[Shape, ...]
    positions: Floats
    normals: Floats
    along: Floats
    frequency: float
    curvature_radius: float = inf
    frame: Floats = field(default_factory=lambda: np.eye(4))
    reference: str = ""
    status: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check shapes and numbers."""
        where = f"transducer {self.name!r}"
        n = len(self.positions)
        if n == 0:
            raise InputError(f"expected elements, got none: {where}")
        for name in ("positions", "normals", "along"):
            values = getattr(self, name)
            if values.shape != (n, 3) or not np.isfinite(values).all():
                raise InputError(
                    f"expected finite {name} of shape {(n, 3)}, got {values.shape}: {where}"
                )
        if len(self.shapes) not in (1, n):
            raise InputError(
                f"expected one shape or one for each of {n} elements, got {len(self.shapes)}: "
                f"{where}"
            )
        if (reach := np.abs(self.positions).max()) > LARGEST:
            raise InputError(
                f"expected positions in metres, at most {LARGEST:g} from the axis, got {reach:g}: "
                f"{where}"
            )
        check_frequency(self.frequency, where)
        if not self.curvature_radius > 0:
            raise InputError(
                f"expected a radius of curvature > 0, got {self.curvature_radius}: {where}"
            )

    @property
    def n_elements(self) -> int:
        """Number of elements."""
        return len(self.positions)

    @property
    def areas(self) -> Floats:
        """Area of each element (m²), shape (n_elements,)."""
        return np.broadcast_to([s.area for s in self.shapes], (self.n_elements,)).copy()

    @property
    def aperture(self) -> float:
        """Diameter (m) of the circle around the axis that holds all elements."""
        return 2 * float(np.hypot(self.outline[:, 0], self.outline[:, 1]).max())

    @property
    def focus(self) -> Floats:
        """Geometric focus in the beam frame (m), shape (3,).

        Raises
        ------
        InputError
            If the transducer is flat.
        """
        if not isfinite(self.curvature_radius):
            raise InputError(f"a flat transducer has no geometric focus: {self.name!r}")
        return np.array([0.0, 0.0, self.curvature_radius])

    @property
    def outline(self) -> Floats:
        """Points (m) over the faces and on the rims, in the beam frame, shape (n, 3)."""
        coarse = max(OUTLINE_SPACING, self.areas.sum() ** 0.5 / 50)
        faces = [np.vstack([s.rim(), s.facets(coarse).points]) for s in self.shapes]
        return np.concatenate(self._to_beam(faces, self.positions))

    def source(
        self,
        *,
        velocity: ArrayLike | None = None,
        pressure: ArrayLike | None = None,
        fluid: Fluid = WATER,
        per_wavelength: float = PER_WAVELENGTH,
    ) -> Source:
        """Return the moving surface as points in the beam frame.

        Parameters
        ----------
        velocity
            Peak normal velocity (m/s), complex; one number, or one an element.
        pressure
            Instead of it, the source pressure rho c u (Pa).
        fluid
            What the transducer stands in.
        per_wavelength
            Points a wavelength in that fluid.

        Raises
        ------
        InputError
            If not exactly one of velocity and pressure is given, their number is wrong or one is
            not finite, there are fewer than two points a wavelength, or they do not fit in memory.
        """
        where = f"transducer {self.name!r}"
        if (velocity is None) == (pressure is None):
            raise InputError(f"expected either a velocity or a source pressure: {where}")
        if not (isfinite(per_wavelength) and per_wavelength >= 2):
            raise InputError(
                f"a source needs at least 2 points a wavelength, got {per_wavelength}, "
                f"set {PER_WAVELENGTH:g}: {where}"
            )
        scale = 1.0 if pressure is None else 1.0 / fluid.impedance
        drive = np.asarray(velocity if pressure is None else pressure, dtype=np.complex128) * scale
        if drive.shape not in ((), (self.n_elements,)) or not np.isfinite(drive).all():
            raise InputError(
                f"expected one finite number or one for each of {self.n_elements} elements, "
                f"got shape {drive.shape}: drive of {where}"
            )
        spacing = fluid.wavelength(self.frequency) / per_wavelength
        needed, free = bytes_needed(self.shapes, self.n_elements, spacing), free_memory()
        if needed > free:
            raise InputError(
                f"points {1e3 * spacing:.3g} mm apart need {needed / 2**30:.1f} GiB of memory, "
                f"{free / 2**30:.1f} are free: {where}"
            )
        facets = [s.facets(spacing) for s in self.shapes]
        points = self._to_beam([f.points for f in facets], self.positions)
        normals = self._to_beam([f.normals for f in facets], np.zeros((self.n_elements, 3)))
        each = len(facets) > 1
        area = [facets[i if each else 0].area for i in range(self.n_elements)]
        element = np.repeat(np.arange(self.n_elements), [len(a) for a in area])
        return Source(
            points=np.concatenate(points),
            velocity=np.broadcast_to(drive, (self.n_elements,))[element],
            area=np.concatenate(area),
            normal=np.concatenate(normals),
            element=element,
            spacing=spacing,
        )

    def with_notes(self, *notes: str) -> Transducer:
        """Return the transducer with more notes."""
        return replace(self, notes=(*self.notes, *notes))

    def _to_beam(self, local: list[Floats], shifts: Floats) -> list[Floats]:
        """Return points of the shapes in the beam frame, one array an element."""
        turns = np.stack([self.along, np.cross(self.normals, self.along), self.normals], axis=1)
        if len(local) == 1:
            return list(np.einsum("pk,ekc->epc", local[0], turns) + shifts[:, None])
        return [p @ turn + shift for p, turn, shift in zip(local, turns, shifts, strict=True)]


def bowl(
    *,
    curvature_radius: float,
    aperture: float,
    frequency: float,
    hole: float = 0.0,
    name: str = "bowl",
) -> Transducer:
    """Return a single-element focused bowl.

    Parameters
    ----------
    curvature_radius
        Radius of the sphere (m).
    aperture, hole
        Diameter of the outer rim and of the hole in the middle (m).
    frequency
        Frequency (Hz).
    name
        Name.

    Raises
    ------
    InputError
        If the measures make no bowl.
    """
    return annular_array(
        inner=[hole],
        outer=[aperture],
        curvature_radius=curvature_radius,
        frequency=frequency,
        name=name,
    )


def disc(*, diameter: float, frequency: float, name: str = "disc") -> Transducer:
    """Return a flat disc of a ``diameter`` (m), driven at ``frequency`` (Hz)."""
    return annular_array(inner=[0.0], outer=[diameter], frequency=frequency, name=name)


def annular_array(
    *,
    inner: ArrayLike,
    outer: ArrayLike,
    frequency: float,
    curvature_radius: float = inf,
    name: str = "annular array",
) -> Transducer:
    """Return concentric rings on one sphere or plane.

    Parameters
    ----------
    inner, outer
        Diameters of each ring (m), from the middle outwards.
    frequency
        Frequency (Hz).
    curvature_radius
        Radius of the sphere (m), infinite for a flat one.
    name
        Name.

    Raises
    ------
    InputError
        If a ring is impossible or rings overlap.
    """
    low = np.asarray(inner, dtype=np.float64)
    high = np.asarray(outer, dtype=np.float64)
    if low.shape != high.shape or low.ndim != 1 or not len(low):
        raise InputError(
            f"expected as many inner as outer diameters, got {low.shape} and {high.shape}: {name}"
        )
    if (low[1:] < high[:-1]).any():
        raise InputError(f"rings must not overlap and go from the middle outwards: {name}")
    return Transducer(
        name=name,
        shapes=tuple(
            Ring(
                inner_radius=0.5 * float(a),
                outer_radius=0.5 * float(b),
                curvature_radius=curvature_radius,
            )
            for a, b in zip(low, high, strict=True)
        ),
        positions=np.zeros((len(low), 3)),
        normals=np.tile([0.0, 0.0, 1.0], (len(low), 1)),
        along=np.tile([1.0, 0.0, 0.0], (len(low), 1)),
        frequency=frequency,
        curvature_radius=curvature_radius,
    )
