"""The exact field of a bowl or a disc through flat fluid layers.

The source is a layer of monopoles on the bowl, as in Rayleigh's integral, cut into rings; bowl and
rings are transparent. Each ring is a Hankel integral over lateral wavenumbers; each wavenumber goes
through the layers by the recursion of generalised reflection coefficients, which holds decaying
exponentials only (Chew, Waves and Fields in Inhomogeneous Media (1995), section 2.1).
The path of integration passes above the branch points and the poles of
guided waves. Nothing is shared with `rheobase.fields`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.validation.acoustic_closed_forms import Layer

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

_DECAY = 34.0  # evanescent waves end where they have fallen by exp(-34)
_PANEL = 16  # Gauss points of a panel of wavenumbers


class Rings(NamedTuple):
    """Rings around the axis: radius (m), height z (m) and area (m^2) of each, shape (n,)."""

    radius: Floats
    z: Floats
    area: Floats


def bowl_rings(radius: float, aperture: float, count: int = 400) -> Rings:
    """Return a bowl's rings: radius of curvature and opening (m), rear vertex at z = 0."""
    x, w = np.polynomial.legendre.leggauss(count)
    angle = np.arcsin(aperture / 2 / radius) * (1 + x) / 2
    w = w * np.arcsin(aperture / 2 / radius) / 2
    around = radius * np.sin(angle)
    height = 2 * radius * np.sin(angle / 2) ** 2
    return Rings(around, height, 2 * np.pi * around * radius * w)


def disc_rings(radius: float, inner: float = 0.0, count: int = 400) -> Rings:
    """Return the rings of a flat disc or annulus (radii in m) at z = 0."""
    x, w = np.polynomial.legendre.leggauss(count)
    around = inner + (radius - inner) * (1 + x) / 2
    return Rings(around, np.zeros(count), np.pi * (radius - inner) * around * w)


class LayeredField:
    """Pressure of rings of normal velocity ``velocity`` before, in and beyond flat fluid layers.

    Parameters
    ----------
    layers
        Fluids in order along z; the first holds the source and reaches to minus infinity, the
        last to infinity.
    faces
        Heights z (m) between them, rising, shape (n - 1,).
    rings
        The source.
    velocity
        Its normal velocity (m/s); twice that much volume flows from the transparent layer.
    frequency
        Frequency (Hz).
    density
        Factor on the number of wavenumbers, to see that there are enough.

    Raises
    ------
    InputError
        If the faces do not rise, are not one fewer than the layers, or cut the source.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        faces: Sequence[float],
        rings: Rings,
        *,
        velocity: complex,
        frequency: float,
        density: float = 1.0,
    ) -> None:
        self.layers, self.rings = list(layers), rings
        self.faces = np.asarray(faces, float)
        self.velocity, self.frequency, self.density = velocity, frequency, density
        if len(self.faces) != len(self.layers) - 1 or (np.diff(self.faces) <= 0).any():
            raise InputError(
                f"layers need one rising face less than there are fluids: {len(self.layers)} "
                f"fluids, faces at {[float(f) for f in self.faces]} m"
            )
        self._rim = float(rings.z.max())
        if len(self.faces) and not self.faces[0] > self._rim:
            raise InputError(
                f"the first face at {self.faces[0]:g} m must lie beyond the source, "
                f"which reaches to {self._rim:g} m"
            )
        self._k = np.array([x.wavenumber(frequency) for x in self.layers])
        self._scale = 1j * frequency * self.layers[0].density * velocity
        # direct sound in the bowl and as near to its rim as this is summed in space
        self._near = layers[0].sound_speed / frequency / 6

    def sample(self, r: ArrayLike, z: ArrayLike) -> Complexes:
        """Return P (Pa) on the lattice of distances ``r`` from the axis and heights ``z`` (m).

        Returns
        -------
        P : ndarray
            Shape (len(r), len(z)). From a sixth of a wavelength ahead of the source's rim on it
            is good to 1e-9; in the bowl less so within a millimetre of the source, and on the
            source itself to a few percent only.
        """
        r, z = np.atleast_1d(np.asarray(r, float)), np.atleast_1d(np.asarray(z, float))
        P = np.zeros((len(r), len(z)), np.complex128)
        kappa, weight = self._wavenumbers(r, z)
        kz = -1j * np.sqrt(kappa**2 - self._k[:, None] ** 2)  # (layer, wavenumber)
        lateral = _bessel(kappa * np.abs(r)[:, None])
        source = self._source(kappa, kz[0])
        reflection, amplitude = self._amplitudes(kz)
        base = self._scale * -1j * weight * kappa / kz[0] * source
        place = np.searchsorted(self.faces, z, side="right")
        for j in np.unique(place):
            here = place == j
            top = self._rim if j == 0 else self.faces[j - 1]
            q = -1j * kz[j][:, None]
            wave = np.zeros((len(kappa), int(here.sum())), np.complex128)
            if j < len(self.faces):  # what comes back from the face below
                way = 2 * self.faces[j] - top - z[here]
                wave += reflection[j][:, None] * np.exp(q * way)
            far = np.full(wave.shape[1], j > 0) | (z[here] > self._rim + self._near)
            wave[:, far] += np.exp(q * (z[here][far] - top))
            P[:, here] = lateral @ ((base * amplitude[j])[:, None] * wave)
        near = z <= self._rim + self._near
        near &= place == 0
        for i in np.flatnonzero(near):
            P[:, i] += self._direct(np.abs(r), float(z[i]))
        return P

    def _wavenumbers(self, r: Floats, z: Floats) -> tuple[Complexes, Complexes]:
        """Return wavenumbers on the path and their weights."""
        across = float(np.abs(r).max() + self.rings.radius.max())
        reach = across + float(max(z.max(), *self.faces, self._rim) - min(z.min(), 0.0))
        slowest = float(self._k.real.max())
        bend = min(2 / across, 0.2 * slowest)  # further up, Bessel functions grow too much
        least = self._near
        if len(self.faces):
            least = min(least, float(self.faces[0]) - self._rim)
        middle, end = 1.5 * slowest, np.hypot(1.5 * slowest, _DECAY / least)
        t, w = _panels(0.0, middle, 2 / reach / self.density)
        kappa = t + 1j * bend * np.sin(np.pi * t / middle)
        weight = w * (1 + 1j * bend * np.pi / middle * np.cos(np.pi * t / middle))
        t, w = _panels(middle, end, 2 / across / self.density)
        return np.concatenate([kappa, t]), np.concatenate([weight, w])

    def _source(self, kappa: Complexes, kz: Complexes) -> Complexes:
        """Return the rings' waves at the height of the rim (m^2), shape of ``kappa``."""
        total = np.zeros_like(kappa)
        for a, z, area in zip(*self.rings, strict=True):
            total += area * _bessel(kappa * a) * np.exp(-1j * kz * (self._rim - z))
        return total

    def _amplitudes(self, kz: Complexes) -> tuple[Complexes, Complexes]:
        """Return what each layer's lower face gives back, and the wave at each layer's top.

        Both are over the downward wave: that at the face itself, and that of the rings at the
        rim's height. Shape (layers, wavenumbers).
        """
        Z = np.array([x.density for x in self.layers])[:, None] / kz
        single = (Z[1:] - Z[:-1]) / (Z[1:] + Z[:-1])
        thick = np.diff(self.faces, prepend=self._rim)
        reflection, amplitude = np.zeros_like(kz), np.ones_like(kz)
        through = np.exp(-1j * kz[:-1] * thick[:, None])
        for j in reversed(range(len(self.faces))):
            beyond = reflection[j + 1]
            if j + 1 < len(self.faces):
                beyond = beyond * through[j + 1] ** 2
            reflection[j] = (single[j] + beyond) / (1 + single[j] * beyond)
        for j in range(len(self.faces)):
            beyond = reflection[j + 1]
            if j + 1 < len(self.faces):
                beyond = beyond * through[j + 1] ** 2
            amplitude[j + 1] = (
                amplitude[j] * through[j] * (1 + single[j]) / (1 + single[j] * beyond)
            )
        return reflection, amplitude

    def _direct(self, r: Floats, z: float) -> Complexes:
        """Return the rings' own sound in space: elliptic integrals for 1/R, sums for the rest."""
        from scipy.special import ellipkm1

        k = self._k[0]
        a, height, area = (x[:, None] for x in self.rings)
        near, far = (r - a) ** 2 + (z - height) ** 2, (r + a) ** 2 + (z - height) ** 2
        mean = 2 / np.pi * ellipkm1(np.maximum(near / far, 1e-300)) / np.sqrt(far)
        count = 48 + int(abs(k) * min(float(r.max()), float(a.max())) * 3 / np.pi)
        smooth = np.zeros(mean.shape, np.complex128)
        for turn in (np.arange(count) + 0.5) * np.pi / count:
            R = np.sqrt(near + 4 * r * a * np.sin(turn / 2) ** 2)
            smooth += np.expm1(-1j * k * R) / np.maximum(R, 1e-300)
        total: Complexes = (area * (mean + smooth / count)).sum(0)
        return self._scale * total


def _panels(start: float, stop: float, width: float) -> tuple[Floats, Floats]:
    """Return Gauss points and weights of panels of at most ``width``."""
    x, w = np.polynomial.legendre.leggauss(_PANEL)
    edges = np.linspace(start, stop, 1 + max(1, int(np.ceil((stop - start) / width / 8))))
    half = np.diff(edges)[:, None] / 2
    return ((edges[:-1, None] + half) + half * x).ravel(), (half * w).ravel()


def _bessel(x: Complexes) -> Complexes:
    """Return J_0, by the fast way where x is real."""
    from scipy.special import j0, jv

    J = np.empty(x.shape, np.complex128)
    real = x.imag == 0
    J[real], J[~real] = j0(x[real].real), jv(0, x[~real])
    return J
