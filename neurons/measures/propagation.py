"""Speed of a wave from the onsets that it causes at known places.

The onset grows with distance by the slowness, whose inverse is the speed. Both fits withstand
outliers: a place that answers for another reason does not move them much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError

HUBER = 1.345  # deviations from which a residual counts less: 95 % efficient on normal errors


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Speed:
    """Speed of a wave.

    Parameters
    ----------
    speed
        Speed (m/s); inf where the onset does not grow with distance.
    low, high
        Interval of the speed (m/s) at the confidence asked for; ``high`` is inf where a wave that
        arrives everywhere at once cannot be excluded.
    delay
        Onset at distance 0 or at the origin (s).
    n
        Onsets used.
    direction
        Unit vector along which the wave travels, shape (d,); empty for a radial wave.
    """

    speed: float
    low: float
    high: float
    delay: float
    n: int
    direction: NDArray[np.float64]


def radial_speed(distance: ArrayLike, onset: ArrayLike, *, confidence: float = 0.95) -> Speed:
    """Return the speed of a wave that spreads from one place, by the median of all slopes.

    Theil's and Sen's estimate of the slowness with Sen's interval (as `scipy.stats.theilslopes`);
    up to 29 % of the onsets may be wrong.

    Parameters
    ----------
    distance
        Distance from the source, along the way the wave takes (m), shape (n,).
    onset
        Onset (s), shape (n,); NaN where there is none, left out.
    confidence
        Confidence of the interval, for independent errors of the onsets.

    Raises
    ------
    InputError
        If shapes differ, or fewer than three onsets at two or more distances are left.
    """
    from scipy.stats import theilslopes

    d, t = np.asarray(distance, dtype=np.float64), np.asarray(onset, dtype=np.float64)
    if d.ndim != 1 or d.shape != t.shape:
        raise InputError(f"distance and onset must be (n,), got {d.shape}, {t.shape}: radial speed")
    kept = np.isfinite(d) & np.isfinite(t)
    d, t = d[kept], t[kept]
    if len(d) < 3 or np.ptp(d) == 0:
        raise InputError(f"radial speed needs 3 onsets at 2 distances, got {len(d)}")
    fit = theilslopes(t, d, alpha=confidence)
    return Speed(
        speed=_inverse(fit.slope),
        low=_inverse(fit.high_slope),
        high=_inverse(fit.low_slope),
        delay=float(np.median(t - fit.slope * d)),
        n=len(d),
        direction=np.empty(0),
    )


def plane_wave(positions: ArrayLike, onset: ArrayLike, *, confidence: float = 0.95) -> Speed:
    """Return speed and direction of a plane wave.

    Huber's estimate of onset = delay + slowness · position by reweighted least squares, with its
    asymptotic covariance (Huber & Ronchetti 2009, Robust Statistics, ch. 7) and quantiles of
    Student's distribution.

    Parameters
    ----------
    positions
        Places (m), shape (n, d).
    onset
        Onset (s), shape (n,); NaN where there is none, left out.
    confidence
        Confidence of the interval, for independent errors of the onsets.

    Raises
    ------
    InputError
        If shapes do not fit, or the places left are fewer than d + 3 or lie in a subspace.
    """
    from scipy.stats import t as student

    x, t = np.asarray(positions, dtype=np.float64), np.asarray(onset, dtype=np.float64)
    if x.ndim != 2 or t.shape != (len(x),):
        raise InputError(
            f"positions and onset must be (n, d) and (n,), got {x.shape}, {t.shape}: plane wave"
        )
    kept = np.isfinite(x).all(axis=1) & np.isfinite(t)
    x, t = x[kept], t[kept]
    centre = x.mean(axis=0) if len(x) else np.zeros(x.shape[1])
    scale = np.abs(x - centre).max(initial=0.0) or 1.0
    design = np.column_stack([np.ones(len(x)), (x - centre) / scale])
    n, p = design.shape
    if n < p + 2 or np.linalg.matrix_rank(design) < p:
        raise InputError(
            f"plane wave needs {p + 2} onsets at places that span {p - 1} dimensions, got {n}"
        )
    beta, covariance = _huber(design, t)
    slowness = beta[1:] / scale
    size = float(np.linalg.norm(slowness))
    direction = slowness / size if size > 0 else np.full(p - 1, np.nan)
    error = np.sqrt(max(float(direction @ covariance[1:, 1:] @ direction), 0.0)) / scale
    margin = float(student.ppf((1 + confidence) / 2, n - p)) * error
    return Speed(
        speed=_inverse(size),
        low=_inverse(size + margin),
        high=_inverse(size - margin),
        delay=float(beta[0] - slowness @ centre),
        n=n,
        direction=direction,
    )


def _huber(
    design: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Huber's estimate, shape (p,), and its covariance, shape (p, p)."""
    n, p = design.shape
    rounding = 1e-12 * np.abs(y).max() + np.finfo(float).tiny  # of onsets exactly on the plane
    weight = np.ones(n)
    for _ in range(100):
        root = np.sqrt(weight)
        beta = np.linalg.lstsq(design * root[:, None], y * root)[0]
        residual = y - design @ beta
        deviation = 1.4826 * np.median(np.abs(residual)) * np.sqrt(n / (n - p))
        limit = max(HUBER * deviation, rounding)
        changed = limit / np.maximum(np.abs(residual), limit)
        if np.abs(changed - weight).max() < 1e-6:
            break
        weight = changed
    inside = float((np.abs(residual) <= limit).mean())
    psi = np.clip(residual, -limit, limit)
    correction = 1 + p / n * (1 - inside) / inside
    spread = correction**2 * (psi**2).sum() / (n - p) / inside**2
    return beta, spread * np.linalg.inv(design.T @ design)


def _inverse(slowness: float) -> float:
    """Return the speed (m/s) of a slowness (s/m), inf where that is not > 0."""
    return 1 / float(slowness) if slowness > 0 else np.inf
