"""The Rayleigh integral: what a source radiates into a homogeneous fluid.

A source is a layer of monopoles of twice its normal velocity u,

    P(r) = (i w rho/2 pi) ∫ u e^{-ikR}/R dS,   k = w/c - i alpha,

exact for a plane in a rigid baffle and the usual model of a bowl. The pressure on a plane gives the
field beyond it by the second integral of Rayleigh, the velocity on it by the first.

References: Rayleigh, The Theory of Sound II (1896), §278; O'Neil, J Acoust Soc Am 21:516 (1949),
doi:10.1121/1.1906542.
"""

from __future__ import annotations

from math import pi

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._memory import free_memory
from rheobase._progress import track
from rheobase._threads import in_parts
from rheobase.fields.acoustics.frequency import check_frequency
from rheobase.fields.acoustics.media import Fluid
from rheobase.fields.acoustics.transducers.source import Source

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
LEAST = 2.0  # points a wavelength of a source
TARGETS = 64  # of one piece of work
PIECE = 2.5e8  # pairs between two steps of the progress bar: about a second


def pressure(source: Source, points: ArrayLike, *, frequency: float, fluid: Fluid) -> Complexes:
    """Return the pressure P (Pa) at points.

    Parameters
    ----------
    source
        The source.
    points
        Where (m), in the frame of the source, shape (n, 3); off the source by more than the spacing
        of its points.
    frequency
        Frequency (Hz).
    fluid
        What is around.

    Returns
    -------
    ndarray
        Peak amplitude and phase, shape (n,).

    Raises
    ------
    InputError
        If a point is not finite or lies on one of the source, the source has fewer than two points
        a wavelength, the frequency is not of ultrasound, or the result needs more memory than is
        free.
    """
    return _integral(source, source.velocity[None], points, None, frequency, fluid)[:, 0]


def pressures(
    source: Source, velocities: ArrayLike, points: ArrayLike, *, frequency: float, fluid: Fluid
) -> Complexes:
    """Return P (Pa) of many drives, shape (n_drives, n): `pressure` with shared geometry.

    Parameters
    ----------
    source
        The source; its own velocity is not used.
    velocities
        Of each drive and point of the source (m/s), shape (n_drives, n_points).
    points, frequency, fluid
        As for `pressure`.

    Raises
    ------
    InputError
        As for `pressure`, or if the velocities have another shape.
    """
    drives = np.asarray(velocities, dtype=np.complex128)
    if drives.ndim != 2 or drives.shape[1] != len(source.points):
        raise InputError(
            f"expected velocities of shape (n, {len(source.points)}), got {drives.shape}"
        )
    return _integral(source, drives, points, None, frequency, fluid).T


def normal_velocity(
    source: Source, points: ArrayLike, normals: ArrayLike, *, frequency: float, fluid: Fluid
) -> Complexes:
    """Return the fluid's velocity (m/s) along ``normals`` at points, shape (n,).

    Parameters
    ----------
    source, points, frequency, fluid
        As for `pressure`.
    normals
        Unit vectors, shape (n, 3) or (3,).

    Raises
    ------
    InputError
        As for `pressure`.
    """
    slope = _integral(source, source.velocity[None], points, normals, frequency, fluid)[:, 0]
    return slope * (1j / (2 * pi * frequency * fluid.density))


def unit_responses(
    source: Source, points: ArrayLike, *, frequency: float, fluid: Fluid
) -> Complexes:
    """Return the pressure of each element at unit velocity (Pa per m/s), shape (n_elements, n).

    The pressure of a drive is ``drive @ responses``.

    Parameters
    ----------
    source
        The source; its own velocity is not used.
    points, frequency, fluid
        As for `pressure`.

    Raises
    ------
    InputError
        As for `pressure`.
    """
    ones = np.ones((1, len(source.points)), dtype=np.complex128)
    return _integral(source, ones, points, None, frequency, fluid, source.firsts).T


def back_propagate(
    plane: Source, pressure: ArrayLike, points: ArrayLike, *, frequency: float, fluid: Fluid
) -> Complexes:
    """Return P (Pa) at points from the pressure on a plane that the wave leaves towards them.

    Rayleigh's second integral, P(r) = (1/2 pi) ∫ p (1/R + ik) cos e^{-ikR}/R dS. A point source at
    a target in the head and its pressure on a plane in the water thus give the pressure at the
    elements, without the water between in the window of the solver.

    Parameters
    ----------
    plane
        A plane: its points, areas and normal, the same for all; the velocity is not used.
    pressure
        On the plane (Pa), shape (n_plane,).
    points
        Where (m), all on one side of the plane, shape (n, 3).
    frequency, fluid
        As for `pressure`.

    Raises
    ------
    InputError
        If the points of the plane do not lie in one, points lie on both sides, or as for
        `pressure`.
    """
    targets = _checked(points)
    normal = plane.normal[0]
    heights = (plane.points - plane.points[0]) @ normal
    if np.abs(plane.normal - normal).max() > 1e-9 or np.abs(heights).max() > 1e-9:
        raise InputError("expected a pressure on a plane: back-propagation")
    side = (targets - plane.points[0]) @ normal
    if not ((side > 0).all() or (side < 0).all()):
        raise InputError("expected all points on one side of the plane: back-propagation")
    p = np.asarray(pressure, dtype=np.complex128)
    if p.shape != plane.area.shape or not np.isfinite(p).all():
        raise InputError(
            f"expected a finite pressure of shape {plane.area.shape}, got {p.shape}: "
            "back-propagation"
        )
    # d/dn at the plane is minus d/dn at the target; the factor below undoes iw rho/2 pi
    away = -np.sign(side[0]) * normal
    slope = _integral(plane, p[None], targets, away, frequency, fluid)[:, 0]
    return slope / (2j * pi * frequency * fluid.density)


def _integral(
    source: Source,
    velocities: Complexes,
    points: ArrayLike,
    normals: ArrayLike | None,
    frequency: float,
    fluid: Fluid,
    firsts: NDArray[np.intp] | None = None,
) -> Complexes:
    """Return the integral or its derivative, shape (n, n_drives) or (n, n_elements)."""
    from rheobase.fields.acoustics._rayleigh_numba import integrate

    check_frequency(frequency, "Rayleigh integral")
    c, rho, alpha = fluid.at(frequency)
    if source.spacing * frequency * LEAST > c * (1 + 1e-9):
        raise InputError(
            f"points {1e3 * source.spacing:.3g} mm apart are {c / frequency / source.spacing:.2g} "
            f"a wavelength at {1e-3 * frequency:g} kHz, at least {LEAST:g} are needed, make the "
            "source for that frequency: Rayleigh integral"
        )
    targets = _checked(points)
    n, m = len(targets), len(source.points)
    directions = np.empty((0, 3))
    if normals is not None:
        given = np.asarray(normals, dtype=np.float64)
        if given.shape not in ((3,), (n, 3)) or not np.isfinite(given).all():
            raise InputError(
                f"expected finite normals of shape {(n, 3)} or (3,), got {given.shape}: "
                "Rayleigh integral"
            )
        directions = np.ascontiguousarray(np.broadcast_to(given, (n, 3)))
    parts = np.array([0, m]) if firsts is None else firsts
    needed, free = 16 * n * len(velocities) * (len(parts) - 1), free_memory()
    if needed > free:
        raise InputError(
            f"{n:,} points of {len(velocities) * (len(parts) - 1):,} drives or elements need "
            f"{needed / 2**30:.1f} GiB of memory, {free / 2**30:.1f} are free: Rayleigh integral"
        )
    x, y, z = (np.ascontiguousarray(source.points[:, c]) for c in range(3))
    weights = velocities * source.area
    wr, wi = np.ascontiguousarray(weights.real), np.ascontiguousarray(weights.imag)
    k = 2 * pi * frequency / c
    out = np.empty((n, len(weights), len(parts) - 1), dtype=np.complex128)
    if not n:
        return out.reshape(0, len(weights) * (len(parts) - 1))
    rest = x, y, z, wr, wi, parts, k, alpha

    def add(piece: slice) -> None:
        p, d, u = targets[piece], directions[piece], out[piece]
        in_parts(lambda some: integrate(p[some], d[some], *rest, u[some]), len(p), TARGETS)

    step = max(TARGETS, int(PIECE / (m * len(weights))))
    for first in track(range(0, n, step), "Rayleigh integral"):
        add(slice(first, min(first + step, n)))
    if not np.isfinite(out.view(np.float64)).all():
        raise InputError("expected points off the source, one lies on it: Rayleigh integral")
    return (1j * frequency * rho) * out.reshape(n, -1)


def _checked(points: ArrayLike) -> Floats:
    """Return points as an array, checked, shape (n, 3)."""
    p = np.ascontiguousarray(np.atleast_2d(np.asarray(points, dtype=np.float64)))
    if p.ndim != 2 or p.shape[1] != 3 or not np.isfinite(p).all():
        raise InputError(f"expected finite points of shape (n, 3), got {p.shape}")
    return p
