"""Smooth heights: local quadratic regression, robust, through holes.

Around each lattice point a quadratic is fitted with Gaussian weights (Cleveland & Devlin 1988,
doi:10.1080/01621459.1988.10478639): unlike an average it does not flatten curved surfaces, not even
at the border of the lattice. Outliers lose their weight in two rounds (bisquare).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MONOMIALS = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
#: Rounds of reweighting, and residuals (over their median) at which a height counts for nothing.
ROUNDS, OUTLYING = 2, 6.0
#: Share of the full weight under which a point takes a wider fit; a corner keeps a quarter.
LEAST_WEIGHT = 0.125
#: Ridge on all but the constant, over the full weight: borders of the data stay tame.
RIDGE = 1e-6


def smooth_heights(z: Floats, weight: Floats, lengths: tuple[float, float], noise: float) -> Floats:
    """Return smooth heights at every lattice point.

    Parameters
    ----------
    z
        Heights, anything where the weight is 0, shape (nx, ny).
    weight
        How much each height counts, 0 where there is none, shape (nx, ny).
    lengths
        Standard deviation of the weights along both axes, in lattice spacings.
    noise
        What heights are off anyway: none is an outlier that is off by a few times that.

    Raises
    ------
    ValueError
        If no point has a weight.
    """
    if not weight.any():
        raise ValueError("expected a height somewhere")
    z = np.where(weight > 0, z, 0.0)
    smooth = _fit(z, weight, lengths)
    for _ in range(ROUNDS):
        away = np.abs(z - smooth)
        typical = max(np.median(away[weight > 0]), noise, np.finfo(np.float64).tiny)
        tame = np.clip(1.0 - (away / (OUTLYING * typical)) ** 2, 0.0, 1.0) ** 2
        smooth = _fit(z, weight * tame, lengths)
    # fits of different widths meet in kinks
    return _fit(smooth, np.ones_like(z), (0.5 * lengths[0], 0.5 * lengths[1]))


def _fit(z: Floats, weight: Floats, lengths: tuple[float, float]) -> Floats:
    """Return the fitted height everywhere, wider fits where the weight is low."""
    out = np.full(z.shape, np.nan)
    least = min(LEAST_WEIGHT * 2.0 * np.pi * lengths[0] * lengths[1], 0.5 * float(weight.sum()))
    while True:
        height, total = _fit_once(z, weight, lengths)
        take = (total >= least) & np.isnan(out)
        out[take] = height[take]
        if not np.isnan(out).any():
            return out
        lengths = (2.0 * lengths[0], 2.0 * lengths[1])


def _fit_once(z: Floats, weight: Floats, lengths: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return the fitted heights and the weight each rests on."""
    from scipy.ndimage import correlate1d

    kernels = []
    for length in lengths:
        reach = int(np.ceil(3.0 * length))
        t = np.arange(-reach, reach + 1) / length
        bell = np.exp(-0.5 * t**2)
        kernels.append([bell * t**power for power in range(5)])

    def moments(data: Floats, power: tuple[int, int]) -> Floats:
        along = correlate1d(data, kernels[0][power[0]], axis=0, mode="constant")
        both: Floats = correlate1d(along, kernels[1][power[1]], axis=1, mode="constant")
        return both

    table = {(a, b): moments(weight, (a, b)) for a in range(5) for b in range(5 - a)}
    normal = np.empty((*z.shape, 6, 6))
    right = np.empty((*z.shape, 6))
    for i, (a, b) in enumerate(MONOMIALS):
        right[..., i] = moments(weight * z, (a, b))
        for j, (c, d) in enumerate(MONOMIALS):
            normal[..., i, j] = table[a + c, b + d]
    full = kernels[0][0].sum() * kernels[1][0].sum()
    normal[..., range(6), range(6)] += full * np.array([1e-12] + [RIDGE] * 5)
    return np.linalg.solve(normal, right[..., None])[..., 0, 0], table[0, 0]
