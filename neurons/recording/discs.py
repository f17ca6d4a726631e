r"""Potentials of current sources spread over discs, and current sources from potentials.

A current I spread evenly over a disc of radius R in an unbounded medium of conductivity sigma has,
at the height z above it and the distance rho from its axis, the potential

    phi = I / (4 pi² R² sigma) ∫ dalpha [sqrt(s_2² + z²) - sqrt(s_1² + z²)],

over the directions alpha from the point's foot, between the borders s_1 and s_2 of the disc along
each. On the axis this is I / (2 pi R² sigma) (sqrt(z² + R²) - |z|) (Nicholson & Llinás 1971). Off
the disc alpha is taken as asin(R/rho sin beta), which makes the integrand smooth, so that few nodes
suffice.

References: Nicholson & Llinás 1971, J Neurophysiol 34:509; Pettersen et al. 2006,
doi:10.1016/j.jneumeth.2005.12.005.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError

Floats = NDArray[np.float64]

SIGMA = 0.3  # S/m of cortex, as in Pettersen 2006 and Hagen 2016
_NODES = 64  # of the quadrature over directions


def disc_potential(
    height: ArrayLike, *, radius: float, sigma: float = SIGMA, offset: float = 0.0
) -> Floats:
    """Return the potential of 1 A spread evenly over a disc (V/A).

    Parameters
    ----------
    height
        Heights above the disc (m), any shape.
    radius
        Of the disc (m).
    sigma
        Conductivity of the medium (S/m).
    offset
        Distance from the axis of the disc (m).

    Raises
    ------
    InputError
        If the radius or the conductivity is not > 0, or the offset is negative.
    """
    for name, value, unit in (("radius", radius, "m"), ("sigma", sigma, "S/m")):
        if not 0 < value < np.inf:
            raise InputError(f"{name} must be > 0 {unit}, got {value!r}: disc")
    if not 0 <= offset < np.inf:
        raise InputError(f"offset must be >= 0 m, got {offset!r}: disc")
    z2 = np.asarray(height, dtype=np.float64)[..., None] ** 2
    if offset <= radius:  # periodic in the direction: the trapezoidal rule converges exponentially
        a = 2 * np.pi * (np.arange(2 * _NODES) + 0.5) / (2 * _NODES)
        far = np.sqrt(radius**2 - (offset * np.sin(a)) ** 2) - offset * np.cos(a)
        near, weight = np.zeros_like(a), np.full_like(a, np.pi / _NODES)
    else:
        x, w = np.polynomial.legendre.leggauss(_NODES)
        b = 0.5 * np.pi * x
        along = np.sqrt(offset**2 - (radius * np.sin(b)) ** 2)
        chord = radius * np.cos(b)
        far, near = along + chord, along - chord
        weight = 0.5 * np.pi * w * chord / along
    out: Floats = (np.sqrt(far**2 + z2) - np.sqrt(near**2 + z2)) @ weight
    return out / (4 * np.pi**2 * radius**2 * sigma)


def second_difference(potential: ArrayLike, depths: ArrayLike, *, sigma: float = SIGMA) -> Floats:
    """Return -sigma d²phi/dz², the current source density where sources are wide (A/m³).

    Parameters
    ----------
    potential
        Potentials (V) at electrodes one above the other, shape (n, ...).
    depths
        Their depths (m), evenly spaced, shape (n,).
    sigma
        Conductivity (S/m).

    Returns
    -------
    ndarray, shape (n - 2, ...)
        At all electrodes but the first and the last; sinks are negative. Exact in the limit of
        sources much wider than deep: columns below a millimetre are off by much (Pettersen et al.
        2006), and `inverse_density` is for them.

    Raises
    ------
    InputError
        If there are fewer than three electrodes, or they are not evenly spaced.
    """
    z, V = np.asarray(depths, dtype=np.float64), np.asarray(potential, dtype=np.float64)
    h = _spacing(z, V, 3)
    out: Floats = -sigma * (V[2:] - 2 * V[1:-1] + V[:-2]) / h**2
    return out


def inverse_density(
    potential: ArrayLike, depths: ArrayLike, *, radius: float, sigma: float = SIGMA
) -> Floats:
    """Return the current source density of discs whose potential it is (A/m³).

    The inverse method of Pettersen et al. (2006) with thin discs: one at each electrode, on its
    axis, of the height that lies between two electrodes.

    Parameters
    ----------
    potential, depths, sigma
        As in `second_difference`.
    radius
        Radius of the active cortex (m).

    Returns
    -------
    ndarray, shape (n, ...)
        At all electrodes; sinks are negative.

    Raises
    ------
    InputError
        If there are fewer than two electrodes, they are not evenly spaced, or the radius is not
        > 0 m.
    """
    z, V = np.asarray(depths, dtype=np.float64), np.asarray(potential, dtype=np.float64)
    h = _spacing(z, V, 2)
    forward = disc_potential(z[:, None] - z, radius=radius, sigma=sigma)
    current = np.linalg.solve(forward, V.reshape(len(V), -1)).reshape(V.shape)
    out: Floats = current / (np.pi * radius**2 * h)
    return out


def _spacing(z: Floats, V: Floats, least: int) -> float:
    if z.ndim != 1 or len(z) < least or V.shape[:1] != z.shape:
        raise InputError(
            f"expected potentials at {least} or more depths, got {V.shape} at {z.shape}"
        )
    steps = np.diff(z)
    if not (steps > 0).all() or not np.allclose(steps, steps[0], rtol=1e-6):
        raise InputError("electrodes must be evenly spaced from the pia down")
    return float(steps[0])
