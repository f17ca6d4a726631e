"""Exact fields in a sphere: current through its surface, and a magnetic dipole outside it.

**Current.** A sphere of concentric layers carries I from a point of its surface to another. In
layer s, with outer radius R_s and inner radius R_(s-1),

    V = sum_n [a_n (r/R_s)^n + b_n (R_(s-1)/r)^(n+1)] (P_n(cos g1) - P_n(cos g2)),

g1, g2 the angles to source and sink. Both bases are at most 1, and the layers are joined by their
admittance sigma r V'/V, so nothing overflows at any degree. The point source is
J = I/(4 pi R²) sum_n (2n + 1) P_n. Without n = 0, V has zero mean on the sphere.

An even current density over a cap of half-angle alpha is the point source with each degree weighted
by the mean of P_n over the cap (Funk-Hecke formula),
w_n = (P_(n-1) - P_(n+1))(cos alpha) / ((2n + 1)(1 - cos alpha)); a ring is a cap without a cap. The
mean of V over a cap takes w_n once more.

Reference: Rush & Driscoll, IEEE Trans Biomed Eng 16:15 (1969), doi:10.1109/TBME.1969.4502598.

**Induction.** By reciprocity with the magnetic field of a current dipole, which no radial
conductivity profile changes: Heller & van Hulsteyn, Biophys J 63:129 (1992),
doi:10.1016/S0006-3495(92)81587-4; Sarvas, Phys Med Biol 32:11 (1987),
doi:10.1088/0031-9155/32/1/004.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

MU0_OVER_4PI = 1e-7  # V s/(A m), to the ten digits that the 2019 SI leaves of it


@dataclass(frozen=True, kw_only=True, slots=True)
class LayeredSphere:
    """Concentric layers, from the inside out.

    Parameters
    ----------
    radii
        Outer radius of each layer (m), ascending.
    sigma
        Conductivity of each layer (S/m).

    Raises
    ------
    ValueError
        If the radii do not grow, a conductivity is not > 0, or the lengths differ.
    """

    radii: Sequence[float]
    sigma: Sequence[float]

    def __post_init__(self) -> None:
        """Check the layers."""
        radii, sigma = np.asarray(self.radii, float), np.asarray(self.sigma, float)
        if radii.ndim != 1 or radii.shape != sigma.shape or len(radii) == 0:
            raise ValueError(f"expected one sigma per radius, got {sigma.shape}, {radii.shape}")
        if not (np.diff(radii, prepend=0.0) > 0).all() or not (sigma > 0).all():
            raise ValueError(f"radii must grow and sigma be > 0, got {self.radii}, {self.sigma}")

    def point_electrodes(
        self,
        points: ArrayLike,
        source: ArrayLike,
        sink: ArrayLike,
        *,
        current: float = 1.0,
        n_terms: int = 300,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return potential and field of a current between two points of the surface.

        Parameters
        ----------
        points
            Positions (m) inside the sphere, shape (n, 3), the centre at the origin.
        source, sink
            Directions of the electrodes from the centre (any length), shape (3,).
        current
            Current from source to sink (A).
        n_terms
            Degrees summed; a point at radius r needs about 37/log(R/r).

        Returns
        -------
        V : ndarray, shape (n,)
            Potential (V), zero on average over the sphere.
        E : ndarray, shape (n, 3)
            Field (V/m).

        Examples
        --------
        >>> sphere = LayeredSphere(radii=(0.085, 0.090, 0.095), sigma=(0.33, 0.01, 0.33))
        >>> V, E = sphere.point_electrodes([[0, 0, 0.07]], [0, 0, 1], [0, 0, -1], current=1e-3)
        >>> print(f"{V[0]:.9f} {-E[0, 2]:.8f}")
        0.014951845 0.42776818
        """
        return self._series(points, source, sink, np.full(n_terms, current))

    def even_electrodes(
        self,
        points: ArrayLike,
        source: ArrayLike,
        sink: ArrayLike,
        *,
        radius: float,
        inner_radius: float = 0.0,
        current: float = 1.0,
        n_terms: int = 300,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return potential and field of a current between two discs or rings of even density.

        Parameters
        ----------
        points, source, sink, current, n_terms
            As in `point_electrodes`; the electrodes lie around the directions.
        radius, inner_radius
            Radii (m) along the sphere; a disc if the inner one is 0.

        Returns
        -------
        V : ndarray, shape (n,)
            Potential (V), zero on average over the sphere.
        E : ndarray, shape (n, 3)
            Field (V/m).
        """
        weights = self._weights(radius, inner_radius, n_terms)
        return self._series(points, source, sink, current * weights)

    def even_impedance(
        self,
        source: ArrayLike,
        sink: ArrayLike,
        *,
        radius: float,
        inner_radius: float = 0.0,
        n_terms: int = 3000,
    ) -> float:
        """Return the difference of mean potentials (V) of two discs or rings per current (A).

        Parameters are those of `even_electrodes`; the terms fall off as n^-3.
        """
        a, b = self._coefficients(n_terms)
        q = 0.0 if len(self.radii) == 1 else self.radii[-2] / self.radii[-1]
        n = np.arange(1, n_terms + 1)
        surface = a[:, -1] + b[:, -1] * q ** (n + 1)
        one, other = (np.asarray(d, dtype=np.float64) for d in (source, sink))
        c = float(one @ other) / float(np.linalg.norm(one) * np.linalg.norm(other))
        apart = 1 - _legendre(c, n_terms)[1:-1]
        w = self._weights(radius, inner_radius, n_terms)
        return float(2 * (surface * w**2) @ apart)

    def _weights(self, radius: float, inner_radius: float, n_terms: int) -> NDArray[np.float64]:
        """Return the mean of P_n over a cap or ring, n from 1, shape (n_terms,)."""
        if not 0 <= inner_radius < radius < np.pi * self.radii[-1]:
            raise ValueError(f"expected 0 <= inner_radius < radius, got {inner_radius}, {radius}")
        n = np.arange(1, n_terms + 1)
        integral = np.zeros(n_terms)  # of P_n over the cosine
        size = 0.0
        for r, sign in ((radius, 1.0), (inner_radius, -1.0)):
            alpha = r / self.radii[-1]
            P = _legendre(np.cos(alpha), n_terms)
            integral += sign * (P[:-2] - P[2:]) / (2 * n + 1)
            size += sign * 2 * np.sin(alpha / 2) ** 2
        return integral / size

    def _series(
        self, points: ArrayLike, source: ArrayLike, sink: ArrayLike, weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sum the series whose degree n has the current ``weights[n - 1]`` (A)."""
        p = np.atleast_2d(np.asarray(points, dtype=np.float64))
        r = np.linalg.norm(p, axis=1)
        R = np.asarray(self.radii, dtype=np.float64)
        layer = np.minimum(np.searchsorted(R, r * (1 - 1e-12)), len(R) - 1)
        a, b = self._coefficients(len(weights))
        inner = np.concatenate([[0.0], R[:-1]])
        x = r / R[layer]
        y = np.divide(inner[layer], r, out=np.zeros_like(r), where=r > 0)
        up = np.zeros((len(p), 3))
        up[:, 2] = 1.0
        np.divide(p, r[:, None], out=up, where=r[:, None] > 0)
        V = np.zeros(len(p))
        grad = np.zeros((len(p), 3))
        for direction, side in ((source, 1.0), (sink, -1.0)):
            u = np.asarray(direction, dtype=np.float64)
            u = u / np.linalg.norm(u)
            c = up @ u
            p0, p1, d0, d1 = np.ones_like(c), c.copy(), np.zeros_like(c), np.ones_like(c)
            radial, tangential = np.zeros_like(c), np.zeros_like(c)
            x_n = np.ones_like(x)  # x^(n-1)
            y_n = y * y  # y^(n+1)
            for n, weight in enumerate(side * weights, 1):
                an, bn = a[n - 1, layer], b[n - 1, layer]
                rise = an * x_n / R[layer]  # f/r, each part, finite at the centre
                fall = np.divide(bn * y_n, r, out=np.zeros_like(r), where=r > 0)
                V += weight * (rise + fall) * r * p1
                radial += weight * (n * rise - (n + 1) * fall) * p1
                tangential += weight * (rise + fall) * d1
                x_n *= x
                y_n *= y
                p0, p1 = p1, ((2 * n + 1) * c * p1 - n * p0) / (n + 1)
                d0, d1 = d1, d0 + (2 * n + 1) * p0
            grad += radial[:, None] * up + tangential[:, None] * (u - c[:, None] * up)
        return V, -grad

    def _coefficients(self, n_terms: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return a_n and b_n of each layer for 1 A, shape (n_terms, n_layers) each."""
        n = np.arange(1, n_terms + 1, dtype=np.float64)
        R, sigma = np.asarray(self.radii, float), np.asarray(self.sigma, float)
        n_layers = len(R)
        beta = np.zeros((n_layers, n_terms))  # b = beta q^n a
        q = np.concatenate([[0.0], R[:-1] / R[1:]])
        admittance = sigma[0] * n
        for s in range(1, n_layers):
            beta[s] = (sigma[s] * n - admittance) / (sigma[s] * (n + 1) + admittance)
            back = beta[s] * q[s] ** (2 * n + 1)
            admittance = sigma[s] * (n - (n + 1) * back) / (1 + back)
        back = beta * q[:, None] ** (2 * n + 1)
        a = np.zeros((n_layers, n_terms))
        density = (2 * n + 1) / (4 * np.pi * R[-1] ** 2)
        a[-1] = density * R[-1] / (sigma[-1] * (n - (n + 1) * back[-1]))
        for s in range(n_layers - 1, 0, -1):
            a[s - 1] = a[s] * q[s] ** n * (1 + beta[s]) / (1 + back[s - 1])
        b = beta * q[:, None] ** n * a
        return a.T, b.T


def _legendre(x: float, n: int) -> NDArray[np.float64]:
    """Return P_0(x) to P_(n+1)(x), shape (n + 2,)."""
    P = np.empty(n + 2)
    P[:2] = 1.0, x
    for k in range(1, n + 1):
        P[k + 1] = ((2 * k + 1) * x * P[k] - k * P[k - 1]) / (k + 1)
    return P


def magnetic_dipole_field(
    points: ArrayLike, position: ArrayLike, moment: ArrayLike
) -> NDArray[np.float64]:
    """Return the field induced in a spherical conductor by a magnetic dipole outside it.

    Parameters
    ----------
    points
        Positions (m) inside the sphere centred at the origin, shape (n, 3).
    position
        Position of the dipole (m), shape (3,), outside the sphere.
    moment
        Moment per unit coil current (m²), shape (3,).

    Returns
    -------
    ndarray, shape (n, 3)
        E (V/m) per A/s of coil current. It has no radial part and does not depend on the radial
        conductivity profile.

    Examples
    --------
    >>> E = 1e6 * magnetic_dipole_field([[0, 0, 0.07]], [0, 0, 0.3], [1, 0, 0])
    >>> print(f"{E[0, 1]:.8f}")
    -0.22054190
    """
    r = np.atleast_2d(np.asarray(points, dtype=np.float64))
    rd, m = np.asarray(position, dtype=np.float64), np.asarray(moment, dtype=np.float64)
    R = float(np.linalg.norm(rd))
    a = rd - r
    A = np.linalg.norm(a, axis=1)
    F = A * (R * A + R**2 - r @ rd)
    along = a @ rd / A
    grad_F = (A**2 / R + along + 2 * A + 2 * R)[:, None] * rd - (A + 2 * R + along)[:, None] * r
    E: NDArray[np.float64] = (
        -MU0_OVER_4PI
        * (F[:, None] * np.cross(r, m) - (grad_F @ m)[:, None] * np.cross(r, rd))
        / F[:, None] ** 2
    )
    return E
