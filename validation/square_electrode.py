"""The field of a square electrode on a half-space against its closed form.

A square of side 2a on the insulated surface z = 0 that feeds the current density J evenly into the
half-space z < 0 has the field J/(2 pi sigma) ∫∫ r/r³ dA: logarithms along the surface, and across
it the solid angle that the square is seen under.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.electrodes.cortical import CorticalElectrode
from rheobase.validation.case import Row

Floats = NDArray[np.float64]

SOURCE = "integral of the point source over the square, in closed form"


def square_field(points: Floats, *, side: float, sigma: float) -> Floats:
    """Return the field (V/m) of 1 A fed evenly by a square into the half-space below it.

    Parameters
    ----------
    points
        Points with z < 0 (m), shape (n, 3).
    side
        Of the square around the origin (m).
    sigma
        Conductivity (S/m).

    Examples
    --------
    >>> near, far = square_field(np.array([[0, 0, -1e-9], [0, 0, -1.0]]), side=1e-3, sigma=0.3)
    >>> round(float(near[2]) * 0.3 * 1e-3**2, 4)  # E = J/sigma
    -1.0
    >>> round(float(far[2]) * 0.3 * 2 * np.pi, 4)  # 1 / (2 pi sigma r²)
    -1.0
    """
    E = np.zeros_like(points)
    x, y, z = points.T
    for i in (-1, 1):
        for j in (-1, 1):
            u, v = x - 0.5 * i * side, y - 0.5 * j * side
            r = np.sqrt(u**2 + v**2 + z**2)
            E[:, 0] -= i * j * np.arcsinh(v / np.hypot(u, z))
            E[:, 1] -= i * j * np.arcsinh(u / np.hypot(v, z))
            E[:, 2] += i * j * np.arctan(u * v / (z * r))
    return E / (2 * np.pi * sigma * side**2)


def square_electrode(steps: int = 16) -> list[Row]:
    """Compare the finite elements under a square electrode with the closed form.

    Parameters
    ----------
    steps
        Steps of the grid along the side.
    """
    side, sigma = 0.5e-3, 0.3
    layers = dict.fromkeys(("csf", "grey_matter", "white_matter"), sigma)
    basis = CorticalElectrode(side=side, thickness=2e-3, csf=0.0, sigma=layers, steps=steps).solve()
    rng = np.random.default_rng(3)
    rows = []
    for name, shallow, deep, wide, limit in (
        ("20 µm to 2 mm deep, up to 2 mm beside the middle", 20e-6, 2e-3, 2e-3, 0.02),
        ("20 to 100 µm deep, under the square", 20e-6, 100e-6, 0.25e-3, 0.02),
    ):
        points = rng.uniform([-wide, -wide, -deep], [wide, wide, -shallow], (4000, 3))
        exact = square_field(points, side=side, sigma=sigma)
        found = basis.at(points)[0][0]
        error = float(np.linalg.norm(found - exact) / np.linalg.norm(exact))
        rows.append(
            Row(
                case="square-electrode",
                quantity=f"relative L2 error of E, {name}",
                value=float(np.sqrt((found**2).sum(axis=1).mean())),
                reference=float(np.sqrt((exact**2).sum(axis=1).mean())),
                error=error,
                limit=limit,
                unit="V/m per A",
                source=SOURCE,
            )
        )
    return rows
