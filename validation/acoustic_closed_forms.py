"""Sound in closed form: bowl and disc on the axis, point source, plane wave through fluid layers.

Amplitudes are complex, p(t) = Re(P exp(i w t)), and outgoing waves go like exp(-i k r) with
k = w/c - i alpha (`wavenumber`). Sources radiate as in Rayleigh's integral
P = (i w rho/2 pi) ∫ u exp(-i k r)/r dS. Nothing is shared with `rheobase.fields`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Complexes = NDArray[np.complex128]


class Layer(NamedTuple):
    """A fluid at one frequency: sound speed (m/s), density (kg/m^3), attenuation (Np/m)."""

    sound_speed: float
    density: float
    attenuation: float = 0.0

    def wavenumber(self, frequency: float) -> complex:
        """Return k = w/c - i alpha (rad/m)."""
        return 2 * np.pi * frequency / self.sound_speed - 1j * self.attenuation

    def source_pressure(self, velocity: complex, frequency: float) -> complex:
        """Return w rho u/k (Pa), what u makes of a plane wave; rho c u without attenuation."""
        return 2 * np.pi * frequency * self.density * velocity / self.wavenumber(frequency)


def bowl_on_axis(
    z: ArrayLike, *, radius: float, aperture: float, pressure: complex, k: complex
) -> Complexes:
    """Return P (Pa) on the axis of a focused bowl.

    Parameters
    ----------
    z
        Distances (m) from the rear vertex, any shape.
    radius, aperture
        Radius of curvature and diameter of the opening (m).
    pressure
        Pressure (Pa) at the source, `Layer.source_pressure`.
    k
        Wavenumber (rad/m).

    References
    ----------
    O'Neil, J Acoust Soc Am 21:516 (1949), doi:10.1121/1.1906542.
    """
    z = np.asarray(z, float)
    height = radius - np.sqrt(radius**2 - (aperture / 2) ** 2)
    # (exp(-ikz) - exp(-ikB))/(1 - z/d) with the zero at z = d divided out: B - z = slope (d - z)
    rim = np.sqrt((z - height) ** 2 + (aperture / 2) ** 2)
    slope = 2 * height / (rim + z)
    x = -1j * k * slope * (radius - z)
    safe = np.where(x == 0, 1.0, x)
    factor = np.where(x == 0, 1.0, np.expm1(safe) / safe)
    result: Complexes = pressure * np.exp(-1j * k * z) * 1j * k * radius * slope * factor
    return result


def disc_on_axis(z: ArrayLike, *, radius: float, pressure: complex, k: complex) -> Complexes:
    """Return P (Pa) on the axis of a flat disc of ``radius`` (m), ``z`` (m) from its face."""
    z = np.asarray(z, float)
    result: Complexes = pressure * (np.exp(-1j * k * z) - np.exp(-1j * k * np.hypot(z, radius)))
    return result


def point_source(
    distance: ArrayLike, *, flow: complex, layer: Layer, frequency: float
) -> Complexes:
    """Return P (Pa) at ``distance`` (m) of a point whence ``flow`` (m^3/s) comes."""
    r = np.asarray(distance, float)
    k = layer.wavenumber(frequency)
    strength = 1j * 2 * np.pi * frequency * layer.density * flow / (4 * np.pi)
    result: Complexes = strength * np.exp(-1j * k * r) / r
    return result


def plane_wave(
    layers: Sequence[Layer],
    thickness: Sequence[float],
    frequency: float,
    lateral: ArrayLike = 0.0,
) -> tuple[Complexes, Complexes]:
    """Return reflection and transmission of a plane wave by a stack of fluid layers.

    Parameters
    ----------
    layers
        The half-space of the incident wave, the layers in order, the half-space beyond: n + 2.
    thickness
        Thickness of the n layers (m).
    frequency
        Frequency (Hz).
    lateral
        Lateral wavenumber(s) (rad/m); 0 is normal incidence. Layers much thicker than the decay
        of evanescent waves in them overflow: use `acoustic_layers` there.

    Returns
    -------
    reflection, transmission
        Complex amplitudes of pressure at the first and at the last face over the incident one at
        the first face.

    Notes
    -----
    Each layer's transfer matrix takes (P, normal velocity) from face to face: Brekhovskikh &
    Godin, Acoustics of Layered Media I (1990), doi:10.1007/978-3-642-52369-4.
    """
    lateral = np.asarray(lateral, np.complex128)
    vertical = [-1j * np.sqrt(lateral**2 - x.wavenumber(frequency) ** 2) for x in layers]
    impedance = [
        2 * np.pi * frequency * x.density / kz for x, kz in zip(layers, vertical, strict=True)
    ]
    pressure, velocity = np.ones_like(lateral), 1 / impedance[-1]
    for kz, Z, d in zip(
        reversed(vertical[1:-1]), reversed(impedance[1:-1]), reversed(thickness), strict=True
    ):
        c, s = np.cos(kz * d), 1j * np.sin(kz * d)
        pressure, velocity = c * pressure + Z * s * velocity, s / Z * pressure + c * velocity
    incident = (pressure + impedance[0] * velocity) / 2
    return (pressure - impedance[0] * velocity) / (2 * incident), 1 / incident
