"""Arrays of many small elements on a sphere or a plane, by pattern or from their positions."""

from __future__ import annotations

from math import acos, inf, isfinite, pi, sqrt
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option, check_positive
from rheobase.fields.acoustics.transducers.elements import Rectangle, Ring, Shape
from rheobase.fields.acoustics.transducers.transducer import Transducer

Floats = NDArray[np.float64]
Pattern = Literal["fermat", "hexagonal"]
GOLDEN_ANGLE = pi * (3 - sqrt(5))


def element_array(
    positions: ArrayLike,
    normals: ArrayLike,
    *,
    diameter: float | None = None,
    size: tuple[float, float] | None = None,
    frequency: float,
    curvature_radius: float = inf,
    name: str = "array",
) -> Transducer:
    """Return an array of equal elements.

    Parameters
    ----------
    positions, normals
        Middle of each element in the beam frame (m) and its normal, shape (n, 3).
    diameter
        Of round elements (m), curved as the sphere they sit on.
    size
        Instead of it, width and height of flat rectangles (m); the width runs along x as far as
        the normal allows.
    frequency
        Frequency (Hz).
    curvature_radius
        Distance of the geometric focus from the origin (m), infinite for a flat array.
    name
        Name.

    Raises
    ------
    InputError
        If positions and normals do not fit, neither or both measures are given, or elements
        overlap.
    """
    at = np.atleast_2d(np.asarray(positions, dtype=np.float64))
    n = np.atleast_2d(np.asarray(normals, dtype=np.float64))
    where = f"array {name!r}"
    if at.shape != n.shape or at.shape[1:] != (3,):
        raise InputError(
            f"expected positions and normals of shape (n, 3), got {at.shape} and {n.shape}: {where}"
        )
    length = np.linalg.norm(n, axis=1)
    if not (np.isfinite(at).all() and (length > 0).all() and np.isfinite(length).all()):
        raise InputError(f"positions and normals must be finite, normals not 0: {where}")
    if (diameter is None) == (size is None):
        raise InputError(f"expected either a diameter or a size of the elements: {where}")
    shape: Shape
    if size is None:
        assert diameter is not None
        check_positive(f"diameter (m) of the elements of {where}", diameter)
        shape = Ring(outer_radius=0.5 * diameter, curvature_radius=curvature_radius)
    else:
        shape = Rectangle(width=size[0], height=size[1])
    gap = nearest_pair(at)
    if gap < 2 * shape.outer_radius * (1 - 1e-9):
        raise InputError(
            f"elements overlap: two are {1e3 * gap:.2f} mm apart and "
            f"{2e3 * shape.outer_radius:.2f} mm wide: {where}"
        )
    n = n / length[:, None]
    along = np.where(np.abs(n[:, :1]) < 0.999, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    along = along - np.einsum("ij,ij->i", along, n)[:, None] * n
    return Transducer(
        name=name,
        shapes=(shape,),
        positions=at,
        normals=n,
        along=along / np.linalg.norm(along, axis=1)[:, None],
        frequency=frequency,
        curvature_radius=curvature_radius,
    )


def spherical_array(
    n_elements: int,
    *,
    curvature_radius: float,
    aperture: float,
    element_diameter: float,
    frequency: float,
    pattern: Pattern = "fermat",
    name: str = "spherical array",
) -> Transducer:
    """Return an array of round elements that cover a spherical cap evenly.

    Parameters
    ----------
    n_elements
        Number of elements.
    curvature_radius
        Radius of the sphere (m).
    aperture
        Diameter of the cap (m), twice the radius of curvature for a hemisphere; the middles of the
        outermost elements lie half an element inside its rim.
    element_diameter
        Diameter of an element (m).
    frequency
        Frequency (Hz).
    pattern
        "fermat": a spiral with the golden angle, without a period and so without grating lobes;
        "hexagonal": the closest rows, about the axis.
    name
        Name.

    Raises
    ------
    InputError
        If the measures make no array, or the elements would overlap.
    """
    where = f"array {name!r}"
    check_option("pattern", pattern, get_args(Pattern), where=where)
    for what, value in (
        ("radius of curvature (m)", curvature_radius),
        ("aperture (m)", aperture),
        ("diameter (m) of an element", element_diameter),
        ("number of elements", n_elements),
    ):
        check_positive(f"{what} of {where}", value)
    if n_elements != int(n_elements):
        raise InputError(f"expected a whole number of elements, got {n_elements}: {where}")
    if aperture > 2 * curvature_radius * (1 + 1e-9) or element_diameter >= aperture:
        raise InputError(
            f"expected an aperture between an element, {1e3 * element_diameter:g} mm, and a "
            f"hemisphere, {2e3 * curvature_radius:g} mm, got {1e3 * aperture:g} mm: {where}"
        )
    half = np.arcsin(min(0.5 * aperture / curvature_radius, 1.0))
    last = half - np.arcsin(0.5 * element_diameter / curvature_radius)
    # the chord from the apex measures area on the sphere: 1 - cos(angle) = q
    most = 1 - np.cos(last)
    if pattern == "fermat":
        # one element sits on the axis
        q = most * (np.arange(n_elements) + 0.5 * (n_elements > 1)) / (n_elements - 0.5)
        turn = GOLDEN_ANGLE * np.arange(n_elements)
    else:
        u, v = _hexagonal(n_elements)
        r = np.hypot(u, v)
        q = most * (r / max(r.max(), 1e-300)) ** 2
        turn = np.arctan2(v, u)
    sine = np.sqrt(q * (2 - q))
    towards = np.stack([-sine * np.cos(turn), -sine * np.sin(turn), 1 - q], axis=1)
    focus = np.array([0.0, 0.0, curvature_radius])
    return element_array(
        focus - curvature_radius * towards,
        towards,
        diameter=element_diameter,
        frequency=frequency,
        curvature_radius=curvature_radius,
        name=name,
    )


def _hexagonal(n: int) -> tuple[Floats, Floats]:
    """Return the n points of a hexagonal lattice that are nearest to one of them."""
    reach = int(sqrt(n)) + 2
    i, j = np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1))
    lattice: Floats = np.stack([i + 0.5 * j, sqrt(0.75) * j]).reshape(2, -1)
    u, v = lattice
    order = np.lexsort((np.arctan2(v, u), (u * u + v * v).round(9)))[:n]
    return u[order], v[order]


def nearest_pair(points: Floats) -> float:
    """Return the smallest distance between two points (m), infinite for one."""
    from scipy.spatial import cKDTree

    if len(points) < 2:
        return inf
    return float(cKDTree(points).query(points, 2)[0][:, 1].min())


def fit_sphere(points: Floats) -> tuple[Floats, float, float]:
    """Return centre, radius and largest departure of the sphere that fits points best.

    Points of a plane give an infinite radius and a centre of NaN.
    """
    middle = points.mean(axis=0)
    p = points - middle
    if np.linalg.svd(p, compute_uv=False)[-1] < 1e-6 * np.abs(p).max():
        return np.full(3, np.nan), inf, 0.0
    system = np.column_stack([2 * p, np.ones(len(p))])
    found = np.linalg.lstsq(system, (p**2).sum(axis=1), rcond=None)[0]
    radius = float(sqrt(found[3] + found[:3] @ found[:3]))
    departure = np.abs(np.linalg.norm(p - found[:3], axis=1) - radius).max()
    return middle + found[:3], radius, float(departure)


def to_beam_frame(points: Floats, centre: Floats, radius: float) -> tuple[Floats, Floats, Floats]:
    """Return positions and normals in the beam frame, and the axis the file had, shape (3,).

    Points of a sphere: its centre goes to (0, 0, radius). Points of a plane: their mean goes to
    the origin. An axis within 5 degrees of a coordinate axis is taken as that one. A turn, never a
    mirror image, takes it to z: the shortest one, or by 180 degrees about x.
    """
    flat = not isfinite(radius)
    if flat:
        origin = points.mean(axis=0)
        axis = np.linalg.svd(points - origin)[2][-1]
        axis = axis * np.sign(axis[np.abs(axis).argmax()])
    else:
        origin = centre
        axis = centre - points.mean(axis=0)
        axis = axis / np.linalg.norm(axis)
    main = int(np.abs(axis).argmax())
    if acos(min(abs(axis[main]), 1.0)) < np.deg2rad(5):
        axis = np.eye(3)[main] * np.sign(axis[main])
    turn = _turn_to_z(axis)
    local = (points - origin) @ turn.T
    if flat:
        return local, np.tile([0.0, 0.0, 1.0], (len(points), 1)), axis
    return local + np.array([0.0, 0.0, radius]), -local / radius, axis


def _turn_to_z(axis: Floats) -> Floats:
    """Return the rotation that takes a unit vector to +z, shape (3, 3)."""
    if axis[2] < -1 + 1e-12:
        return np.diag([1.0, -1.0, -1.0])
    v = np.array([axis[1], -axis[0], 0.0])  # axis x z
    cross = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    turn: Floats = np.eye(3) + cross + cross @ cross / (1 + axis[2])
    return turn
