"""Fibres along curves: places by arc length, and the outside potential in any field.

A field that has a potential is asked for it. Any other (induced by a coil, or on a mesh) gives the
quasi-potential ``V(s) = -∫ E · dl`` along the curve, zero where it begins (Wang, Grill & Peterchev
2018, doi:10.1152/jn.00141.2018); only its differences act on a fibre.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError, check_positive
from rheobase._progress import track
from rheobase.neurons.morphology import Floats, Morphology
from rheobase.neurons.sample import has_potential, potential_of

STEP = 50e-6  # m between the points that a field is integrated over
_PART = 200_000  # points asked for at once


def arc_length(line: Floats) -> Floats:
    """Return the distance of each point of a polyline from its beginning (m), shape (n,)."""
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def points_along(line: Floats, at: Floats) -> Floats:
    """Return the points of a polyline, shape (k, 3), at arc lengths ``at`` (m), shape (n,)."""
    along = arc_length(line)
    return np.stack([np.interp(at, along, line[:, d]) for d in range(3)], axis=1)


def lay_along(fibre: Morphology, line: ArrayLike, *, start: float = 0.0) -> Morphology:
    """Bend a straight fibre along a polyline, its compartments at their arc lengths.

    Parameters
    ----------
    fibre
        An unbranched fibre, as from `bare_fibre` or `myelinated_fibre`.
    line
        Points of the polyline (m), shape (k, 3).
    start
        Arc length at which the fibre begins (m).

    Returns
    -------
    Morphology
        The same cable in other places: lengths are arc lengths.

    Raises
    ------
    InputError
        If the fibre branches, or the polyline is none or too short for it.
    """
    n = len(fibre)
    if not np.array_equal(fibre.parent, np.arange(-1, n - 1)):
        raise InputError("expected a fibre without branches to lay along a line, got a tree")
    path = np.asarray(line, dtype=np.float64)
    if path.ndim != 2 or path.shape[1] != 3 or len(path) < 2 or not np.isfinite(path).all():
        raise InputError(f"expected a line of finite points, shape (k, 3), got {path.shape}")
    edge = start + np.concatenate([[0.0], np.cumsum(fibre.length)])
    reach = float(arc_length(path)[-1])
    if not 0 <= start <= edge[-1] <= reach * (1 + 1e-9):
        raise InputError(
            f"expected a line that holds the fibre from {start:g} to {edge[-1]:g} m, got one of "
            f"{reach:g} m"
        )
    ends = points_along(path, edge)
    return dataclasses.replace(
        fibre,
        start=ends[:-1],
        centre=points_along(path, 0.5 * (edge[:-1] + edge[1:])),
        end=ends[1:],
    )


def potential_along(
    lines: Sequence[Floats],
    at: Sequence[Floats],
    field: Any,
    *,
    step: float = STEP,
    name: str = "fibres",
) -> Floats:
    """Return the outside potential of every source along fibres.

    Parameters
    ----------
    lines
        The m polylines that the fibres follow (m), shape (k, 3) each.
    at
        Rising arc lengths of the points on each (m), shape (n,) each, P in all.
    field
        What has ``potential(points)`` (V per unit source; the response of a lead, a point source),
        or else ``at(points)`` (E in V/m per unit source; a coil, a field on a mesh).
    step
        Longest piece over which E counts as linear (m).
    name
        Of the fibres, for messages.

    Returns
    -------
    ndarray, shape (sources, P)
        Fibre after fibre (V per unit); NaN at points outside.

    Raises
    ------
    InputError
        If the field gives something else than a value a point.
    """
    check_positive("step along a fibre", step)
    if has_potential(field):
        points = [points_along(*one) for one in zip(lines, at, strict=True)]
        return potential_at(np.concatenate(points), field, name)
    cuts = [_cuts(*one, step) for one in zip(lines, at, strict=True)]
    part = np.cumsum([len(c) for c in cuts]) // _PART
    edges = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(cuts)]
    parts = []
    for a, b in track(list(pairwise(edges)), f"field along {name}"):
        points = [points_along(*one) for one in zip(lines[a:b], cuts[a:b], strict=True)]
        parts.append(_integrated(np.concatenate(points), cuts[a:b], at[a:b], field))
    return np.concatenate(parts, axis=1)


def potential_at(points: Floats, field: Any, name: str = "fibres") -> Floats:
    """Return the potential of every source at points along fibres, shape (sources, n); NaN outside.

    Raises
    ------
    InputError
        If the field gives something else than a value a point.
    """
    parts = []
    for a in track(range(0, len(points), _PART), f"potential along {name}"):
        parts.append(potential_of(field, points[a : a + _PART], name))
    return np.concatenate(parts, axis=1) if parts else np.empty((1, 0))


def _cuts(line: Floats, at: Floats, step: float) -> Floats:
    """Return arc lengths that hold ``at``, the corners between, and pieces of at most ``step``."""
    if not len(at):
        return np.empty(0)
    corner = arc_length(line)
    main = np.union1d(at, corner[(corner > at[0]) & (corner < at[-1])])
    pieces = np.maximum(1, np.ceil(np.diff(main) / step).astype(np.int64))
    share = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    inner = np.repeat(main[:-1], pieces) + share * np.repeat(np.diff(main) / pieces, pieces)
    return np.append(inner, main[-1])


def _integrated(points: Floats, cuts: Sequence[Floats], at: Sequence[Floats], field: Any) -> Floats:
    """Sum -E · dl by the trapezoidal rule along some fibres; (sources, points of ``at``)."""
    E, element = field.at(points)
    inside = np.asarray(element) >= 0
    E = np.where(inside[:, None], np.asarray(E, dtype=np.float64), 0.0)
    out, first = [], 0
    for own, places in zip(cuts, at, strict=True):
        some = slice(first, first + len(own))
        first += len(own)
        half = 0.5 * np.diff(points[some], axis=0)
        V = np.zeros((len(E), len(own)))
        rise = np.einsum("kcd,cd->kc", E[:, some][:, 1:] + E[:, some][:, :-1], -half)
        np.cumsum(rise, axis=1, out=V[:, 1:])
        V[:, ~inside[some]] = np.nan
        out.append(V[:, np.searchsorted(own, places)])
    return np.concatenate(out, axis=1)
