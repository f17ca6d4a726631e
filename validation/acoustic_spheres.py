"""The exact field of a bowl or a disc through concentric spherical fluid layers.

The source is that of `acoustic_layers`; the sound splits into partial waves around the spheres'
centre, which lies on the axis. Each partial wave that comes in meets the layers; what goes through
the inmost face crosses the centre and goes on, as if there were no far side of the spheres (the
leading terms of Debye's series: Nussenzveig, J Math Phys 10:82 (1969)). A
curved skull ahead of a beam is therefore exact to the little that waves grazing the inmost sphere
carry through the layers. Nothing is shared with `rheobase.fields`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.validation.acoustic_closed_forms import Layer
from rheobase.validation.acoustic_layers import LayeredField, Rings

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


class SphericalField:
    """Pressure of rings of normal velocity ``velocity`` before, in and behind spherical layers.

    Parameters
    ----------
    layers
        Fluids in order along z; the first holds the source, the last is inmost.
    radii
        Radii (m) of the spheres between them, falling, shape (n - 1,).
    centre
        Height z (m) of their centre, beyond the source.
    rings
        The source, all of it outside the first sphere.
    velocity
        Its normal velocity (m/s).
    frequency
        Frequency (Hz).
    grazing
        Partial waves that would pass the centre at more than these shares of the inmost radius
        begin to see, and see the whole sphere instead of a face with no far side. The field must
        not depend on it.

    Raises
    ------
    InputError
        If the radii do not fall or a sphere cuts the source.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        radii: Sequence[float],
        centre: float,
        rings: Rings,
        *,
        velocity: complex,
        frequency: float,
        grazing: tuple[float, float] = (0.7, 0.95),
    ) -> None:
        self.layers, self.radii, self.centre = list(layers), np.asarray(radii, float), centre
        if len(self.radii) != len(self.layers) - 1 or (np.diff(self.radii) >= 0).any():
            raise InputError(
                f"layers need one falling radius less than there are fluids: {len(self.layers)} "
                f"fluids, radii {[float(x) for x in self.radii]} m"
            )
        distance = np.hypot(rings.radius, rings.z - centre)
        if not distance.min() > self.radii[0]:
            raise InputError(
                f"the source comes to {distance.min():g} m from the spheres' centre, "
                f"within the first sphere of {self.radii[0]:g} m"
            )
        self._incident = LayeredField(
            self.layers[:1], [], rings, velocity=velocity, frequency=frequency
        )
        self._k = np.array([x.wavenumber(frequency) for x in self.layers])
        outer = self._k[0].real * self.radii[0]
        self._order = np.arange(int(outer + 6 * outer ** (1 / 3)) + 10)
        # what sees no far side falls smoothly with the distance at which waves pass the centre
        passing = self._order / (self._k[-1].real * self.radii[-1])
        fall = np.clip((passing - grazing[0]) / (grazing[1] - grazing[0]), 0, 1)
        share = np.cos(np.pi / 2 * fall)[:, None] ** 2
        # the rings' sound is sum over n of strength_n j_n(k r) P_n(cos angle) inside of them
        n = self._order[:, None]
        legendre = _legendre(len(n), (rings.z - centre) / distance)
        waves = (2 * n + 1) * legendre * _outgoing(len(n), self._k[0] * distance)
        scale = 1j * frequency * layers[0].density * velocity
        self._strength = scale * -1j * self._k[0] * (waves @ rings.area)
        self._waves = self._strength[:, None] * (
            share * self._solve(fall < 1) + (1 - share) * self._solve(np.zeros_like(fall, bool))
        )

    def _solve(self, through: NDArray[np.bool_]) -> Complexes:
        """Return each layer's waves for an incident j_n, shape (orders, 2 layers).

        Outgoing wave outside; regular and outgoing wave in each layer; regular wave inmost.
        """
        n, K = self._order, len(self.radii)
        A = np.zeros((len(n), 2 * K, 2 * K), np.complex128)
        b = np.zeros((len(n), 2 * K), np.complex128)
        for face, a in enumerate(self.radii):
            for side, layer in enumerate((face, face + 1)):
                k, density, sign = self._k[layer], self.layers[layer].density, (1, -1)[side]
                j, h = (wave(len(n) + 1, np.array([k * a])) for wave in (_regular, _outgoing))
                regular = (j[:-1, 0], k / density * _slopes(j, k * a)[:, 0])
                out = (h[:-1, 0], k / density * _slopes(h, k * a)[:, 0])
                column = 2 * layer - 1
                for row in (0, 1):
                    i = 2 * face + row
                    if layer == 0:
                        b[:, i] = -regular[row]
                        A[:, i, 0] = out[row]
                    elif layer < K:
                        A[:, i, column] = sign * regular[row]
                        A[:, i, column + 1] = sign * out[row]
                    else:  # an ingoing wave h1 = 2 j - h2 goes in; the grazing ones are regular
                        ingoing = 2 * regular[row] - out[row]
                        A[:, i, column] = sign * np.where(through, ingoing, regular[row])
        size: Floats = np.abs(A).max(axis=1, keepdims=True)  # columns differ by many orders
        row_size: Floats = np.abs(A / size).max(axis=2)
        solved = np.linalg.solve(A / size / row_size[..., None], (b / row_size)[..., None])
        waves: Complexes = solved[..., 0] / size[:, 0]
        waves[through, -1] *= 2  # h1 comes out again as h2: 2 j in all
        return waves

    def sample(self, r: ArrayLike, z: ArrayLike) -> Complexes:
        """Return P (Pa) on the lattice of distances ``r`` from the axis and heights ``z`` (m).

        Points lie on the source's side of the spheres, in them or inside the inmost.

        Returns
        -------
        P : ndarray
            Shape (len(r), len(z)).
        """
        r, z = np.atleast_1d(np.asarray(r, float)), np.atleast_1d(np.asarray(z, float))
        distance = np.hypot(r[:, None], z - self.centre)
        cosine = (z - self.centre) / np.maximum(distance, 1e-300)
        layer = np.searchsorted(-self.radii, -distance, side="left")
        P = np.where(layer == 0, self._incident.sample(r, z), 0)
        K = len(self.radii)
        n = len(self._order)
        for j in range(K + 1):
            here = np.flatnonzero(layer == j)
            for some in np.array_split(here, 1 + len(here) // 2000):
                x = self._k[j] * distance.ravel()[some]
                if j == 0:
                    waves = self._waves[:, :1] * _outgoing(n, x)
                elif j < K:
                    waves = self._waves[:, 2 * j - 1, None] * _regular(n, x)
                    waves += self._waves[:, 2 * j, None] * _outgoing(n, x)
                else:
                    waves = self._waves[:, -1:] * _regular(n, x)
                legendre = _legendre(n, cosine.ravel()[some])
                P.ravel()[some] += (waves * legendre).sum(0)
        return P


def _legendre(count: int, x: Floats) -> Floats:
    """Return the Legendre polynomials of orders 0 … count - 1 at x, shape (count, points)."""
    P = np.ones((count, len(x)))
    P[1] = x
    for n in range(2, count):
        P[n] = ((2 * n - 1) * x * P[n - 1] - (n - 1) * P[n - 2]) / n
    return P


def _regular(count: int, x: Complexes) -> Complexes:
    """Return spherical Bessel functions of orders 0 … count - 1 at x, shape (count, points).

    Ratios of neighbouring orders come down from where they are small, which is stable.
    """
    x = np.where(x == 0, 1e-30, x)
    last = count + int(np.abs(x).max(initial=0.0)) + 40
    j = np.empty((count, len(x)), np.complex128)
    ratio = np.zeros(len(x), np.complex128)
    for n in range(last, 0, -1):
        ratio = x / (2 * n + 1 - x * ratio)
        if n < count:
            j[n] = ratio
    j[0] = np.sin(x) / x
    first = (j[0] - np.cos(x)) / x
    j[1] = np.where(abs(first) > abs(j[0]), first, j[0] * j[1])  # j_0 may be nought
    for n in range(2, count):
        j[n] *= j[n - 1]
    return j


def _outgoing(count: int, x: Complexes) -> Complexes:
    """Return spherical Hankel functions of the second kind likewise: outgoing for exp(i w t)."""
    h = np.empty((count, len(x)), np.complex128)
    h[0] = 1j * np.exp(-1j * x) / x
    h[1] = (1 / x + 1j) * h[0]
    for n in range(2, count):
        h[n] = (2 * n - 1) / x * h[n - 1] - h[n - 2]
    return h


def _slopes(waves: Complexes, x: complex) -> Complexes:
    """Return the derivatives of all but the last order."""
    n = np.arange(len(waves) - 1)[:, None]
    slopes: Complexes = n / x * waves[:-1] - waves[1:]
    return slopes
