"""A source replaced by its own velocity on a plane nearer to the head.

Rayleigh's first integral of the normal velocity on a whole plane gives the field beyond it again,
so a solver needs the water from that plane on only. The plane is cut off at the side of the window;
the share of the beam's power that goes by outside is part of the result. No wave of the field is
shorter than the wavelength, so a fine lattice is filled from a coarse one by quintic splines.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite, pi, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.acoustics.media import Fluid
from rheobase.fields.acoustics.rayleigh import normal_velocity, pressure
from rheobase.fields.acoustics.transducers.source import Source

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
UP = np.array([0.0, 0.0, 1.0])
PER_WAVELENGTH = 3.0  # points of the plane a wavelength
SAMPLED = 5.0  # at which a finer lattice is sampled and interpolated: 2e-5 of the largest velocity
BORDER = 8  # samples beyond the window, for the splines
DIRECTIONS = 8192  # in which the power beside the plane is sampled
GOLDEN = (1 + sqrt(5)) / 2


@dataclass(frozen=True, kw_only=True, eq=False)
class PlaneSource:
    """A source on a plane z = const.

    Parameters
    ----------
    source
        The points of the lattice as a source, x slowest.
    x, y, z
        The lattice (m), shapes (nx,) and (ny,), and the plane.
    power
        What goes through the plane's window (W).
    missed
        Share of the beam's power that goes by outside the window, 0 … 1.
    """

    source: Source
    x: Floats
    y: Floats
    z: float
    power: float
    missed: float


def plane_source(
    source: Source,
    z: float,
    *,
    half_width: ArrayLike,
    frequency: float,
    fluid: Fluid,
    per_wavelength: float = PER_WAVELENGTH,
) -> PlaneSource:
    """Return the velocity that a source gives to the fluid on a plane, as a source.

    Parameters
    ----------
    source
        The source, all of it behind the plane.
    z
        The plane (m).
    half_width
        Half the width of the window along x and y (m), one number or two; it is centred on the
        z axis.
    frequency
        Frequency (Hz).
    fluid
        What is between source and plane.
    per_wavelength
        Points of the plane a wavelength.

    Returns
    -------
    PlaneSource
        Also the power that misses the window. It is sampled in directions spread evenly over the
        half-space; the result is good to a few per cent of itself.

    Raises
    ------
    InputError
        If the source reaches the plane within a wavelength, the window is impossible or there are
        fewer than two points a wavelength.
    """
    half = np.broadcast_to(np.asarray(half_width, dtype=np.float64), (2,))
    if not (np.isfinite(half).all() and (half > 0).all()):
        raise InputError(f"expected half widths > 0 m, got {half.tolist()}: plane source")
    if not (isfinite(per_wavelength) and per_wavelength >= 2):
        raise InputError(
            f"a plane source needs at least 2 points a wavelength, got {per_wavelength}, "
            f"set {PER_WAVELENGTH:g}"
        )
    wavelength = fluid.wavelength(frequency)
    reach = float(source.points[:, 2].max())
    if not z >= reach + wavelength:
        raise InputError(
            f"expected a plane at least a wavelength ahead of the source, z >= "
            f"{1e3 * (reach + wavelength):.2f} mm, got {1e3 * z:.2f} mm: plane source"
        )
    x, y = (_cells(h, per_wavelength / wavelength) for h in half)
    velocity = (
        _interpolated(source, x, y, z, SAMPLED / wavelength, frequency, fluid)
        if per_wavelength > SAMPLED
        else _velocity(source, _lattice(x, y, z), frequency, fluid)
    )
    a, b = (_cells(h, PER_WAVELENGTH / wavelength) for h in half)
    through = _power(
        source,
        _lattice(a, b, z),
        np.full(1, 4 * half.prod() / (len(a) * len(b))),
        frequency,
        fluid,
    )
    beside = _power_beside(source, z, half, frequency, fluid)
    n = len(velocity)
    return PlaneSource(
        source=Source(
            points=_lattice(x, y, z),
            velocity=velocity,
            area=np.full(n, 4 * half.prod() / n),
            normal=np.tile(UP, (n, 1)),
            element=np.zeros(n, dtype=np.intp),
            spacing=float(max(x[1] - x[0], y[1] - y[0])),
        ),
        x=x,
        y=y,
        z=z,
        power=through,
        missed=beside / (beside + through) if beside + through else 0.0,
    )


def _cells(half: float, density: float) -> Floats:
    """Return the middles of equal cells from -half to half (m), at least ``density`` a metre."""
    n = max(2, ceil(2 * half * density))
    return half * (2 * np.arange(n) + 1 - n) / n


def _lattice(x: Floats, y: Floats, z: float) -> Floats:
    """Return the points of a lattice on a plane, x slowest, shape (nx ny, 3)."""
    n = len(x) * len(y)
    return np.stack([np.repeat(x, len(y)), np.tile(y, len(x)), np.full(n, z)], axis=1)


def _velocity(source: Source, points: Floats, frequency: float, fluid: Fluid) -> Complexes:
    return normal_velocity(source, points, UP, frequency=frequency, fluid=fluid)


def _interpolated(
    source: Source,
    x: Floats,
    y: Floats,
    z: float,
    density: float,
    frequency: float,
    fluid: Fluid,
) -> Complexes:
    """Return the velocity on a fine lattice from samples on a coarse one, shape (nx ny,)."""
    from scipy.interpolate import RectBivariateSpline

    a, b = (_cells(float(v[-1]) + BORDER / density, density) for v in (x, y))
    u = _velocity(source, _lattice(a, b, z), frequency, fluid).reshape(len(a), len(b))
    real, imaginary = (
        RectBivariateSpline(a, b, part, kx=5, ky=5)(x, y) for part in (u.real, u.imag)
    )
    fine: Complexes = (real + 1j * imaginary).ravel()
    return fine


def _power(source: Source, points: Floats, area: Floats, frequency: float, fluid: Fluid) -> float:
    """Return the power (W) through points of a plane that stand for areas (m²)."""
    u = _velocity(source, points, frequency, fluid)
    p = pressure(source, points, frequency=frequency, fluid=fluid)
    return 0.5 * float((area * (p * u.conj()).real).sum())


def _power_beside(source: Source, z: float, half: Floats, frequency: float, fluid: Fluid) -> float:
    """Return the power (W) through the plane outside the window.

    Directions from the middle of the source are spread evenly over the half-space (a golden
    spiral); where one meets the plane, it stands for the area h^2/cos^3 of its solid angle.
    """
    middle = np.average(source.points, axis=0, weights=source.area)
    cosine = 1 - (np.arange(DIRECTIONS) + 0.5) / DIRECTIONS
    angle = 2 * pi * np.arange(DIRECTIONS) / GOLDEN
    height = z - middle[2]
    radius = height * np.sqrt(1 - cosine**2) / cosine
    points = middle + np.stack(
        [radius * np.cos(angle), radius * np.sin(angle), np.full(DIRECTIONS, height)], axis=1
    )
    outside = (np.abs(points[:, :2]) > half).any(axis=1)
    if not outside.any():
        return 0.0
    area = height**2 / cosine[outside] ** 3 * (2 * pi / DIRECTIONS)
    return max(0.0, _power(source, points[outside], area, frequency, fluid))
