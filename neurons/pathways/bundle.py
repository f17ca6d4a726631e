"""Bundles of fibres made from where they begin, pass and end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError, check_positive
from rheobase.neurons.morphology import Floats

_STEP = 0.5e-3  # m between the points of a fibre


def bundle(
    start: ArrayLike,
    end: ArrayLike,
    count: int,
    *,
    via: Sequence[ArrayLike] = (),
    spread: float | Sequence[float] = 1e-3,
    seed: int = 0,
) -> list[Floats]:
    """Return smooth fibres from one region to another, side by side.

    A fibre is a centripetal Catmull-Rom curve (Yuksel, Schaefer & Keyser 2011,
    doi:10.1016/j.cad.2010.08.008) through its own points. These lie around the given ones, drawn
    once for the whole fibre in a disc across the bundle, so that neighbours stay neighbours; a
    tenth of the spread is drawn anew at every point.

    Parameters
    ----------
    start, end, via
        Centres of the regions where the bundle begins, ends and passes in between (m), (3,) each.
    count
        Number of fibres.
    spread
        Radius of the bundle (m), one for all regions or one for each: start, via, end.
    seed
        Of the draws.

    Returns
    -------
    list of ndarray, shape (n, 3)
        Points of each fibre (m), at most 0.5 mm apart.

    Raises
    ------
    InputError
        If points coincide, the number is not > 0, or the spreads do not fit the regions.
    """
    knots = np.array([start, *via, end], dtype=np.float64)
    if knots.ndim != 2 or knots.shape[1] != 3 or not np.isfinite(knots).all():
        raise InputError(f"expected finite points of shape (3,), got {knots.shape}")
    if not (np.linalg.norm(np.diff(knots, axis=0), axis=1) > 0).all():
        raise InputError("start, via and end of a bundle must differ from one to the next")
    check_positive("number of fibres", count)
    radius = np.asarray(spread, dtype=np.float64)
    if radius.ndim and radius.shape != (len(knots),):
        raise InputError(f"spread must be one radius or {len(knots)}, got {radius.shape}")
    if not (np.isfinite(radius).all() and (radius >= 0).all()):
        raise InputError(f"spread must be >= 0 m, got {spread!r}")
    radius = np.broadcast_to(radius, len(knots))
    rng = np.random.default_rng([seed, 61])
    r, angle = np.sqrt(rng.random(count)), 2 * np.pi * rng.random(count)
    disc = np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)
    own = 0.1 * rng.standard_normal((count, len(knots), 2))
    across = _frames(knots)
    shift = np.einsum("nki,kid->nkd", disc[:, None] + own, across)
    points = knots + radius[:, None] * shift
    return [_curve(p) for p in points]


def _frames(knots: Floats) -> Floats:
    """Return two directions across the bundle at each knot, carried along it, shape (k, 2, 3)."""
    tangent = np.gradient(knots, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1)[:, None]
    first = np.eye(3)[np.abs(tangent[0]).argmin()]
    out = np.empty((len(knots), 2, 3))
    for k, t in enumerate(tangent):
        first = first - (first @ t) * t
        size = np.linalg.norm(first)
        if size < 1e-9:  # the bundle turns back: any direction across it will do
            first = np.eye(3)[np.abs(t).argmin()]
            first = first - (first @ t) * t
            size = np.linalg.norm(first)
        first = first / size
        out[k] = first, np.cross(t, first)
    return out


def _curve(points: Floats) -> Floats:
    """Return the centripetal Catmull-Rom curve through ``points``, sampled evenly in each span."""
    ends = 2 * points[0] - points[1], 2 * points[-1] - points[-2]
    p = np.concatenate([ends[:1], points, ends[1:]])
    t = np.concatenate([[0.0], np.cumsum(np.sqrt(np.linalg.norm(np.diff(p, axis=0), axis=1)))])
    out = [points[:1]]
    for k in range(1, len(p) - 2):
        n = int(np.ceil(1.2 * np.linalg.norm(p[k + 1] - p[k]) / _STEP))
        u = np.linspace(t[k], t[k + 1], n + 1)[1:, None]

        def mix(a: Floats, b: Floats, i: int, j: int, u: Floats = u) -> Floats:
            out: Floats = ((t[j] - u) * a + (u - t[i]) * b) / (t[j] - t[i])
            return out

        a1, a2, a3 = (mix(p[i], p[i + 1], i, i + 1) for i in (k - 1, k, k + 1))
        b1, b2 = mix(a1, a2, k - 1, k + 1), mix(a2, a3, k, k + 2)
        out.append(mix(b1, b2, k, k + 1))
    return np.concatenate(out)
