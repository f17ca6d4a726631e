"""Coils against closed forms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.coils.windings import Winding, wind
from rheobase.fields.spheres import MU0_OVER_4PI
from rheobase.validation.case import Row

RADIUS = 0.040  # of the ring (m)
NEAREST = 0.007  # from the wire (m): the scalp under a thin casing
HEIGHT = 0.010  # of the ring above the coil's origin (m)


def ring() -> list[Row]:
    """Vector potential of a circular turn, as coils are wound, from 7 mm of the wire on."""
    turn = wind(
        Winding(
            name="ring",
            wings=1,
            outer_diameter_mm=2e3 * RADIUS + 1.0,
            inner_diameter_mm=2e3 * RADIUS - 1.0,
            wire_width_mm=1.0,
            turns_per_layer=1,
            centre_height_mm=1e3 * HEIGHT,
        )
    )
    rho, z = np.meshgrid(np.linspace(0.002, 0.12, 60), np.linspace(-0.11, 0.03, 57))
    apart = np.hypot(rho - RADIUS, z - HEIGHT) >= NEAREST
    rho, z = rho[apart], z[apart]
    angle = np.random.default_rng(1).uniform(0, 2 * np.pi, len(rho))
    c, s = np.cos(angle), np.sin(angle)
    found = turn.vector_potential(np.stack([rho * c, rho * s, z], axis=1))
    exact = ring_potential(rho, z - HEIGHT, RADIUS)
    around = exact[:, None] * np.stack([-s, c, 0 * s], axis=1)
    error = np.linalg.norm(found - around, axis=1) / np.abs(exact)
    worst = int(error.argmax())
    return [
        Row(
            case="coil-ring",
            quantity=(
                f"A of a ring of {len(turn.positions)} elements, worst of {len(rho):,} points from "
                f"{NEAREST * 1e3:g} mm of the wire on"
            ),
            value=float(np.linalg.norm(found[worst])),
            reference=float(exact[worst]),
            error=float(error[worst]),
            limit=1e-6,
            unit="V s/m per A",
            source="elliptic integrals, Jackson, Classical Electrodynamics, section 5.5",
        )
    ]


def ring_potential(
    rho: NDArray[np.float64], z: NDArray[np.float64], radius: float
) -> NDArray[np.float64]:
    """Return A around the axis (V s/m per ampere) at distance rho from it, z above the ring (m).

    A = mu0/pi sqrt(radius/(m rho)) [(1 - m/2) K(m) - E(m)],
    m = 4 radius rho/((radius + rho)² + z²).
    """
    from scipy.special import ellipe, ellipk

    m = 4 * radius * rho / ((radius + rho) ** 2 + z**2)
    bracket = (1 - m / 2) * ellipk(m) - ellipe(m)
    A: NDArray[np.float64] = 4 * MU0_OVER_4PI * np.sqrt(radius / (m * rho)) * bracket
    return A
