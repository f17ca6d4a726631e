"""Radiation force, a hypothesis of how ultrasound may act on cells: force, steady displacement.

Absorbed sound leaves its momentum: a force density 2 alpha I/c along the beam (Nyborg 1965,
Acoustic streaming, in: Physical Acoustics IIB), that is absorbed power over speed. What this does
to a neuron is not known well enough to give thresholds; so none are given here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError, check_positive
from rheobase._threads import in_parts
from rheobase.fields.basis import as_numbers
from rheobase.neurons.morphology import Floats

if TYPE_CHECKING:
    import xarray as xr

HYPOTHESIS = (
    "hypothesis: steady displacement by absorbed momentum in unbounded, incompressible, linear and "
    "homogeneous tissue; no skull, no viscosity, no threshold of a cell"
)
_PART = 64  # points that a thread takes at once


def radiation_force(power: ArrayLike, direction: ArrayLike, sound_speed: float) -> Floats:
    """Return the force on pieces of tissue by the sound they absorb (N), shape (n, 3).

    Parameters
    ----------
    power
        Absorbed power (W), shape (n,), the heat of the sound field; with a heat density (W/m³)
        the result is a force density (N/m³).
    direction
        Direction in which the sound travels, shape (3,) or (n, 3), any length but 0.
    sound_speed
        In the tissue (m/s).

    Raises
    ------
    InputError
        If power is negative or not finite, a direction is 0, or shapes do not match.
    """
    check_positive("sound_speed", sound_speed)
    P, d = as_numbers(power, "power"), as_numbers(direction, "direction")
    if P.ndim != 1 or not (np.isfinite(P) & (P >= 0)).all():
        raise InputError(f"power must be a list of values >= 0 W, got shape {P.shape}")
    if d.shape not in ((3,), (len(P), 3)):
        raise InputError(f"direction must be of shape (3,) or ({len(P)}, 3), got {d.shape}")
    length = np.linalg.norm(d, axis=-1, keepdims=True)
    if not (length > 0).all():
        raise InputError("the direction of the sound must not be 0: radiation force")
    out: Floats = P[:, None] / sound_speed * (d / length)
    return out


def steady_displacement(
    points: ArrayLike,
    *,
    sources: ArrayLike,
    forces: ArrayLike,
    volumes: ArrayLike,
    shear_modulus: float,
) -> xr.DataArray:
    """Return the displacement under a steady force, a hypothesis of a mechanical stimulus.

    Each force is spread over a blob as wide as the ball of its volume; the displacement of one is
    the regularised Stokeslet (Cortez 2001, doi:10.1137/S106482750038146X), whose equations are
    those of incompressible elasticity.

    Parameters
    ----------
    points
        Where it is wanted (m), shape (m, 3).
    sources, forces, volumes
        Pieces of tissue (m), the forces on them (N) and their volumes (m³), shapes (n, 3), (n, 3)
        and (n,).
    shear_modulus
        Of the tissue, at rest (Pa). There is no default: elastography of the brain measures it in
        vibration (Hiscox et al. 2020, PMC7670638), which is more than at rest.

    Returns
    -------
    DataArray, dims (point, axis)
        Displacement (m); ``attrs["note"]`` says what is assumed.

    Raises
    ------
    InputError
        If the modulus or a volume is not > 0, or shapes do not match.
    """
    import xarray as xr

    check_positive("shear_modulus", shear_modulus)
    x, y = as_numbers(points, "points"), as_numbers(sources, "sources")
    F, V = as_numbers(forces, "forces"), as_numbers(volumes, "volumes")
    if x.ndim != 2 or x.shape[1] != 3 or y.shape != (len(V), 3) or F.shape != y.shape:
        raise InputError(
            f"expected points (m, 3), sources and forces (n, 3), volumes (n,), got {x.shape}, "
            f"{y.shape}, {F.shape} and {V.shape}: displacement"
        )
    if not (V > 0).all():
        raise InputError(f"volumes must be > 0 m³, got {V.min():g}: displacement")
    width = np.cbrt(3 * V / (4 * np.pi)) ** 2
    u = np.empty_like(x)

    def fill(part: slice) -> None:
        r = x[part, None] - y
        square = (r**2).sum(-1)
        kernel = (square + width) ** -1.5 / (8 * np.pi * shear_modulus)
        along = np.einsum("mnk,nk->mn", r, F) * kernel
        u[part] = (kernel * (square + 2 * width)) @ F + np.einsum("mn,mnk->mk", along, r)

    in_parts(fill, len(x), _PART)
    return xr.DataArray(
        u,
        dims=("point", "axis"),
        coords={"axis": ["x", "y", "z"]},
        name="displacement",
        attrs={"units": "m", "note": HYPOTHESIS},
    )
