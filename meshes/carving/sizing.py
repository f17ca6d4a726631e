"""Wanted element sizes: functions of world points (m), combined by their minimum.

Each gives the wanted mean edge (m); the lattice has at most that, in steps of two, and grows by no
more than one step between leaves that touch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.meshes.carving.image_indicators import ImageIndicators, check_affine

if TYPE_CHECKING:
    from rheobase.meshes.insertion.shapes import Shape

#: Wanted mean edge (m) at points (n, 3), shape (n,).
Size = Callable[[NDArray[np.float64]], NDArray[np.float64]]

#: Elements may grow by this part of the way (default of the functions below).
GROWTH = 0.3


def smallest(sizes: Iterable[Size]) -> Size:
    """Return the minimum of several sizes.

    Parameters
    ----------
    sizes
        At least one.

    Examples
    --------
    >>> both = smallest([lambda p: p[:, 0], lambda p: 0 * p[:, 0] + 2.0])
    >>> both(np.array([[1.0, 0, 0], [3, 0, 0]])).tolist()
    [1.0, 2.0]
    """
    functions = list(sizes)

    def size(points: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.asarray(functions[0](points), dtype=np.float64)
        for f in functions[1:]:
            out = np.minimum(out, f(points))
        return out

    return size


def near_points(
    points: ArrayLike, edge_length: float, radius: float, growth: float = GROWTH
) -> Size:
    """Return ``edge_length`` within ``radius`` of some points, growing from there.

    Parameters
    ----------
    points
        Targets, contacts or the like (m), shape (n, 3) or (3,).
    edge_length
        Wanted mean edge there (m).
    radius
        How far from the nearest of them that holds (m).
    growth
        Growth of the edge with the way beyond (m per m).

    Raises
    ------
    InputError
        If a length is not > 0 or the points are not finite.
    """
    from scipy.spatial import cKDTree

    centres = np.atleast_2d(np.asarray(points, dtype=np.float64))
    if centres.ndim != 2 or centres.shape[1] != 3 or not np.isfinite(centres).all():
        raise InputError(f"points must be finite, shape (n, 3), got shape {centres.shape}")
    _check_lengths(edge_length=edge_length, growth=growth)
    tree = cKDTree(centres)

    def size(where: NDArray[np.float64]) -> NDArray[np.float64]:
        away = tree.query(where)[0]
        wanted: NDArray[np.float64] = edge_length + growth * np.maximum(away - radius, 0.0)
        return wanted

    return size


def near_shape(shape: Shape, edge_length: float, growth: float = GROWTH) -> Size:
    """Return ``edge_length`` inside a region, growing from its surface outwards.

    Parameters
    ----------
    shape
        The region: a ball, a box, a cylinder … (`rheobase.meshes.insertion.bodies`).
    edge_length
        Wanted mean edge in it (m).
    growth
        Growth of the edge with the distance from it (m per m).

    Raises
    ------
    InputError
        If a length is not > 0.
    """
    _check_lengths(edge_length=edge_length, growth=growth)

    def size(where: NDArray[np.float64]) -> NDArray[np.float64]:
        wanted: NDArray[np.float64] = edge_length + growth * np.maximum(shape.outside(where), 0.0)
        return wanted

    return size


def size_image(values: ArrayLike, affine: ArrayLike, outside: float = np.inf) -> Size:
    """Return the sizes of an image, by nearest voxel.

    Parameters
    ----------
    values
        Wanted mean edge (m), > 0, infinite where any will do, shape (nx, ny, nz).
    affine
        Voxel index to world (m), shape (4, 4).
    outside
        Wanted mean edge beyond the image (m).

    Raises
    ------
    InputError
        If the image is not 3-D or holds a size that is not > 0, or the affine is singular.
    """
    wanted = np.asarray(values, dtype=np.float32)
    if wanted.ndim != 3 or wanted.size == 0:
        raise InputError(f"a sizing image must have 3 axes, got shape {wanted.shape}")
    if not (wanted > 0).all():
        raise InputError(f"a sizing image must hold edges > 0 m, got {wanted.min():g}")
    inverse = np.linalg.inv(check_affine(affine, wanted.shape))

    def size(points: NDArray[np.float64]) -> NDArray[np.float64]:
        index = np.rint(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(np.int64)
        inside = ((index >= 0) & (index < wanted.shape)).all(axis=1)
        out = np.full(len(points), outside)
        out[inside] = wanted[tuple(index[inside].T)]
        return out

    return size


def near_interface(
    image: ArrayLike,
    affine: ArrayLike,
    labels: Iterable[int],
    edge_length: float,
    reach: float = 0.0,
    growth: float = GROWTH,
) -> Size:
    """Return ``edge_length`` near the boundary of some labels, growing from there.

    Parameters
    ----------
    image
        Integer labels, shape (nx, ny, nz).
    affine
        Voxel index to world (m), shape (4, 4).
    labels
        The labels whose common boundary counts; the one between them does not.
    edge_length
        Wanted mean edge there (m).
    reach
        How far from the boundary that holds (m).
    growth
        Growth of the edge with the way beyond (m per m).

    Raises
    ------
    InputError
        If no voxel, or every voxel, has one of the labels.
    """
    from scipy.ndimage import distance_transform_edt

    voxels = np.asarray(image)
    names = sorted(labels)
    mask = np.isin(voxels, names)
    if not mask.any() or mask.all():
        raise InputError(f"labels {names} have no boundary in the image")
    _check_lengths(edge_length=edge_length, growth=growth)
    matrix = check_affine(affine, voxels.shape)
    edges = np.linalg.norm(matrix[:3, :3], axis=0)
    half = 0.5 * float(edges.min())
    away = distance_transform_edt(mask, edges) + distance_transform_edt(~mask, edges) - half
    return size_image(edge_length + growth * np.maximum(away - reach, 0.0), matrix)


def size_by_label(
    found: ImageIndicators, by_label: Mapping[int, float], edge_length: float
) -> Size:
    """Return the wanted mean edge deep inside each label.

    Parameters
    ----------
    found
        The label image.
    by_label
        Wanted mean edge (m) deep inside each label.
    edge_length
        The same in labels not named and within two of it of another label (m).

    Raises
    ------
    InputError
        If ``by_label`` names a label that is not in the image.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    from rheobase.meshes.carving._shares_numba import winners

    for label in by_label:
        if label not in found.labels:
            raise InputError(f"size for label {label}: the image has labels {found.labels[1:]}")
    _check_lengths(**{f"size of label {k}": v for k, v in by_label.items()})
    inner = np.array([by_label.get(label, edge_length) for label in found.labels], np.float32)
    inner[0] = np.inf  # the outside is not meshed
    column = np.empty(found.code.shape, np.int16)
    winners(found.code, found.entries, np.exp(found.offsets), column)
    reach = tuple(int(n) for n in 2 * np.ceil(2.0 * edge_length / found.voxel) + 1)
    deep = minimum_filter(column, size=reach) == maximum_filter(column, size=reach)
    return size_image(np.where(deep, inner[column], np.float32(edge_length)), found.affine)


def _check_lengths(**lengths: float) -> None:
    for name, value in lengths.items():
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"{name} must be > 0, got {value!r}")
