"""The bilayer sonophore: two leaflets around a gap that sound opens and closes.

Plaksin, Shoham & Kimmel 2014, doi:10.1103/PhysRevX.4.011004. The leaflets are spherical caps of
apex deflection Z over a disc of radius a; at rest their gap is where the attraction between them
balances the pressure of the resting charge. The intermolecular pressure, averaged over the cap, is
replaced by a fitted curve C ((x/(2Z + gap))^m - (x/(2Z + gap))^n), as in Lemaire et al. 2019
(doi:10.1088/1741-2552/ab1685).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError
from rheobase.neurons.morphology import Floats
from rheobase.neurons.sonic.cells import SonicCell, sonic_data

GAS_CONSTANT = 8.31446261815324  # J/(mol K), exact in the SI of 2019
VACUUM_PERMITTIVITY = 8.8541878188e-12  # F/m, CODATA 2022
_FIT_STEP = 1e-11  # m between the deflections that the fit sees
_SMALL = 1e-6  # of 2Z / gap, below which the capacitance is a series


@dataclass(frozen=True, kw_only=True)
class Sonophore:
    """A sonophore in a membrane of given resting charge.

    Parameters
    ----------
    radius
        Of the disc (m).
    capacitance
        Of the flat membrane (F/m²).
    rest_charge
        Charge density at which the flat gap is in equilibrium (C/m²).

    Raises
    ------
    InputError
        If the radius is outside 5 nm to 1 um, for which no fit is known to hold.
    """

    radius: float
    capacitance: float
    rest_charge: float

    def __post_init__(self) -> None:
        """Check the range."""
        if not 5e-9 <= self.radius <= 1e-6:
            raise InputError(f"sonophore radius must be 5e-9 to 1e-6 m, got {self.radius!r}")

    @cached_property
    def gap(self) -> float:
        """Gap at rest (m)."""
        from scipy.optimize import brentq

        c = sonic_data()["sonophore"]
        flat = c["gap_nm"] * 1e-9
        charge = self.rest_charge**2 / (2 * VACUUM_PERMITTIVITY)

        def net(gap: float) -> float:
            x = flat / gap
            repelled = x ** c["repulsion_exponent"] - x ** c["attraction_exponent"]
            return float(c["attraction_Pa"] * repelled - charge)

        return float(brentq(net, 0.1 * flat, 2 * flat, xtol=1e-18))

    @cached_property
    def fit(self) -> tuple[float, float, float, float]:
        """Fitted length x (m), pressure C (Pa) and exponents m, n of the intermolecular curve."""
        return _fitted(self.radius, self.gap)

    def capacitance_at(self, deflection: ArrayLike) -> Floats:
        """Return the capacitance (F/m²) at deflections (m), any shape."""
        Z = np.asarray(deflection, dtype=np.float64)
        y = 2 * Z / self.gap
        near = np.abs(y) < _SMALL
        safe = np.where(near, 0.5 * self.gap, Z)
        cap = (self.radius**2 - safe**2 - safe * self.gap) / (2 * safe)
        curved = (safe + cap * np.log1p(2 * safe / self.gap)) * self.gap / self.radius**2
        out: Floats = self.capacitance * np.where(near, 1 - 0.5 * y, curved)
        return out

    def parameters(self) -> Floats:
        """Return what the kernel needs, in SI, shape (18,); see ``_sonophore_numba``."""
        c = sonic_data()["sonophore"]
        thermal = GAS_CONSTANT * c["temperature_K"]
        length, scale, m, n = self.fit
        volume = np.pi * self.gap * self.radius**2
        return np.array(
            [
                self.radius,
                self.gap,
                c["lowest_gap"] * self.gap,
                length,
                scale,
                m,
                n,
                thermal,
                c["static_pressure_Pa"] * volume / thermal,
                c["static_pressure_Pa"],
                c["density_kg_m3"],
                c["area_modulus_N_m"],
                12 * c["leaflet_thickness_nm"] * 1e-9 * c["leaflet_viscosity_Pa_s"],
                4 * c["fluid_viscosity_Pa_s"],
                2 * np.pi * c["gas_diffusion_m2_s"] / (c["gas_boundary_nm"] * 1e-9),
                c["gas_concentration_mol_m3"],
                c["henry_Pa_m3_mol"],
                2 * VACUUM_PERMITTIVITY,
            ]
        )


@cache
def sonophore_of(cell: SonicCell, radius: float) -> Sonophore:
    """Return the sonophore (radius in m) in the membrane of a cell."""
    return Sonophore(radius=radius, capacitance=cell.capacitance, rest_charge=cell.rest_charge)


def _molecular(Z: Floats, radius: float, gap: float) -> Floats:
    """Average the pressure between the leaflets over the cap (Pa), by Gauss-Legendre."""
    c = sonic_data()["sonophore"]
    node, weight = np.polynomial.legendre.leggauss(80)
    s = 0.5 * (node + 1) * radius**2  # square of the distance to the axis: 2 pi r dr = pi ds
    flat = Z[..., None]
    # height of the cap at r, without the difference of large numbers
    inverse = 2 * flat / (radius**2 + flat**2)  # signed curvature
    local = flat - inverse * s / (1 + np.sqrt(1 - inverse**2 * s))
    x = c["gap_nm"] * 1e-9 / (2 * local + gap)
    pressure = c["attraction_Pa"] * (x ** c["repulsion_exponent"] - x ** c["attraction_exponent"])
    total = 0.5 * np.pi * radius**2 * (pressure * weight).sum(-1)
    out: Floats = total / (np.pi * (radius**2 + Z**2))
    return out


@cache
def _fitted(radius: float, gap: float) -> tuple[float, float, float, float]:
    from scipy.optimize import brentq, curve_fit

    c = sonic_data()["sonophore"]
    lowest = brentq(
        lambda z: float(_molecular(np.array(z), radius, gap)) - c["fit_most_Pa"],
        c["lowest_gap"] * gap,
        0.0,
        xtol=1e-18,
    )
    Z = np.arange(lowest, 2 * radius, _FIT_STEP)
    P = _molecular(Z, radius, gap)

    def curve(z: Floats, length: float, scale: float, m: float, n: float) -> Floats:
        x = length / (2 * z + gap)
        out: Floats = scale * (x**m - x**n)
        return out

    start = (2e-9, 0.1 * c["attraction_Pa"], c["repulsion_exponent"], c["attraction_exponent"])
    found, _ = curve_fit(curve, Z, P, p0=start, maxfev=100_000)
    length, scale, m, n = (float(v) for v in found)
    return length, scale, m, n
