"""Layers of elements in depth whose faces follow the interfaces of a layered medium."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError

Floats = NDArray[np.float64]

#: In a blending zone the thinnest element is to be at least this part of the thickest.
EVEN = 0.5
#: Elements thinner than this part of their region's target thickness are refused.
THINNEST = 0.02


@dataclass(frozen=True, kw_only=True)
class LayerFaces:
    """Faces of layers of elements, first to last in depth.

    Attributes
    ----------
    faces
        Height z of each face at the lateral nodes: (n_layers + 1, ...) m.
    region
        Region of each layer, 0 before the first interface: (n_layers,) int.
    """

    faces: Floats
    region: NDArray[np.intp]


def layer_faces(heights: ArrayLike, depth: tuple[float, float], thickness: ArrayLike) -> LayerFaces:
    """Divide a range of depth into layers of elements between and along interfaces.

    The first and last face are the planes at the ends of ``depth``, and each interface is a face.
    Where there is room, a region's faces go from the curved interface over to planes within as
    few layers as keep the thinnest element of each at least half its thickest (`EVEN`), and lie
    flat from there: the elements between planes are boxes. Where there is none, the faces divide
    the region in equal parts.

    Parameters
    ----------
    heights
        z of the K interfaces at lateral nodes of one or two directions: (K, ...) m.
    depth
        Ends of the range, m.
    thickness
        Largest thickness of an element in each region: (K + 1,) m.

    Raises
    ------
    InputError
        If the interfaces leave the range, touch, cross or come so close that an element would be
        thinner than a fiftieth of the target; the message says which, where and how close.

    Examples
    --------
    >>> layer_faces([[2.0, 2.5]], (0.0, 4.0), [2.0, 1.0]).faces[:, 0]
    array([0., 1., 2., 3., 4.])
    """
    heights = np.asarray(heights, dtype=float)
    target = np.asarray(thickness, dtype=float)
    lateral = heights.shape[1:]
    ends = [np.full((1, *lateral), z) for z in depth]
    bounds = np.concatenate([ends[0], heights, ends[1]])
    if target.shape != (len(bounds) - 1,):
        raise InputError(
            f"expected one thickness of layers for each of {len(bounds) - 1} regions, "
            f"got {target.size}"
        )
    gaps = np.diff(bounds, axis=0)
    for region, gap in enumerate(gaps):
        if not gap.min() >= THINNEST * target[region]:
            where = tuple(int(i) for i in np.unravel_index(np.argmin(gap), gap.shape))
            raise InputError(
                f"{_name(region, len(gaps))} must be at least "
                f"{1e3 * THINNEST * target[region]:.3g} mm apart, got {1e3 * gap[where]:.3g} mm "
                f"at lateral node {where}, z = {1e3 * bounds[region][where]:.4g} mm"
            )
    faces, regions = [bounds[0]], []
    for region in range(len(gaps)):
        below, above = bounds[region], bounds[region + 1]
        new = _divide(below, above, float(target[region]))
        thinnest = np.diff(np.concatenate([below[None], new]), axis=0)
        if thinnest.min() < THINNEST * target[region]:
            where = tuple(int(i) for i in np.unravel_index(np.argmin(gaps[region]), lateral))
            raise InputError(
                f"{_name(region, len(gaps))} are too uneven to divide: "
                f"{1e3 * gaps[region].min():.3g} mm apart at lateral node {where} and "
                f"{1e3 * gaps[region].max():.3g} mm at most, "
                f"which gives elements of {1e3 * thinnest.min():.3g} mm"
            )
        faces += list(new)
        regions += [region] * len(new)
    return LayerFaces(faces=np.stack(faces), region=np.array(regions))


def _name(region: int, n: int) -> str:
    """Return how the two bounds of a region are called in messages."""
    if n == 1:
        return "the ends of the depth range"
    if region == 0:
        return "the start of the depth range and interface 1"
    if region == n - 1:
        return f"interface {n - 1} and the end of the depth range"
    return f"interfaces {region} and {region + 1}"


def _blend(surface: Floats, target: float) -> int:
    """Return in how many layers the faces go over from a surface to a plane."""
    sag = float(np.ptp(surface))
    return ceil(sag / ((1.0 - EVEN) * target)) if sag > 1e-9 * target else 0


def _between(below: Floats, above: Floats, n: int) -> Floats:
    """Return the n faces after ``below`` up to ``above``, equally spaced."""
    part = np.arange(1, n + 1).reshape(-1, *[1] * below.ndim) / n
    faces: Floats = below + part * (above - below)
    faces[-1:] = above
    return faces


def _divide(below: Floats, above: Floats, target: float) -> Floats:
    """Return the faces of one region after its lower bound: (n, ...)."""
    low, high = _blend(below, target), _blend(above, target)
    start = float(below.min()) + low * target  # first and last plane
    stop = float(above.max()) - high * target
    if stop < start or not (low or high):
        return _between(below, above, ceil(round(float((above - below).max()) / target, 9)))
    n = ceil(round((stop - start) / target, 9))
    if n == 1 and stop - start < EVEN * target:  # no layer thinner than the blend's: join it to one
        n = 0
        if low:
            low, start = low + 1, stop
        else:
            high, stop = high + 1, start
    first, last = np.full_like(below, start), np.full_like(below, stop)
    parts = [
        _between(lower, upper, layers)
        for lower, upper, layers in ((below, first, low), (first, last, n), (last, above, high))
        if layers
    ]
    return np.concatenate(parts)
