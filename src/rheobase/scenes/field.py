"""Layers of fields: voxels of a head, and what is made of voxels: planes, isosurfaces, arrows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.scenes.head import tissue_categories
from rheobase.scenes.scene import Layer, Quantity

if TYPE_CHECKING:
    from rheobase.fields.basis import FieldBasis
    from rheobase.meshes.head import Head

Floats = NDArray[np.float64]

MOST_VOXELS = 600_000
BITS = 11  # of 23 that values keep: 0.03 %
SIGNED = "RdBu_r"  # colour-blind safe, white at 0


def rounded(values: ArrayLike, bits: int = BITS) -> NDArray[np.float32]:
    """Return floats whose last bits are 0, so that a file of them is small.

    Parameters
    ----------
    values
        Any floats.
    bits
        Bits of the mantissa that stay, of 23: the relative error is below 2^-bits.

    Examples
    --------
    >>> float(rounded([1.0009765625], 4)[0])
    1.0
    """
    exact = np.ascontiguousarray(values, dtype=np.float32)
    drop = np.uint32(23 - bits)
    whole = exact.view(np.uint32)
    half = np.uint32(1) << (drop - np.uint32(1))
    coarse = ((whole + half) >> drop) << drop
    return np.where(np.isfinite(exact), coarse.view(np.float32), exact)


def amount(
    values: ArrayLike,
    label: str,
    unit: str,
    *,
    limit: float | None = None,
    colours: str = "viridis",
) -> Quantity:
    """Return a quantity that is never negative; its scale starts at 0 and ends at ``limit``."""
    v = rounded(values)
    top = float(np.nanmax(v, initial=0.0)) if limit is None else limit
    return Quantity(values=v, label=label, unit=unit, colours=colours, limits=(0.0, top))


def signed(values: ArrayLike, label: str, unit: str, *, limit: float | None = None) -> Quantity:
    """Return a quantity of either sign, on a scale that is white at 0 and ends at ± ``limit``."""
    v = rounded(values)
    top = float(np.nanmax(np.abs(v), initial=0.0)) if limit is None else limit
    return Quantity(values=v, label=label, unit=unit, colours=SIGNED, limits=(-top, top))


def voxel_grid(
    low: ArrayLike, high: ArrayLike, *, most: int = MOST_VOXELS, least: float = 0.0
) -> tuple[tuple[int, int, int], Floats]:
    """Return shape and affine (m) of cubic voxels that fill a box.

    Parameters
    ----------
    low, high
        Corners of the box (m), shape (3,).
    most
        Number of voxels that the edge is chosen for.
    least
        Least edge (m).
    """
    a, b = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    size = np.maximum(b - a, 1e-9)
    edge = max(least, float(prod(size) / most) ** (1 / 3))
    while prod(int(n) for n in np.ceil(size / edge) + 1) > most and edge > least:
        edge *= 1.01
    nx, ny, nz = (int(n) for n in np.ceil(size / edge) + 1)
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = (a + b) / 2 - 0.5 * edge * (np.array([nx, ny, nz]) - 1)
    return (nx, ny, nz), affine


def grid_points(shape: Sequence[int], affine: Floats) -> Floats:
    """Return the middles of voxels (m), shape (*shape, 3)."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    points: Floats = index @ affine[:3, :3].T + affine[:3, 3]
    return points


def voxel_layer(
    head: Head,
    basis: FieldBasis,
    quantities: Mapping[str, tuple[NDArray[np.float64], str, str, float | None]],
    *,
    most: int = MOST_VOXELS,
    name: str = "voxels",
) -> Layer:
    """Return tissues and quantities of a field on voxels of a head, hidden at first.

    Parameters
    ----------
    head, basis
        The head and a basis on its mesh.
    quantities
        By name: values at the split nodes, shape (n_split,) or (n_split, 3); label; unit; end of
        the scale, None for the largest value. The first of three components gives the arrows.
    most
        Number of voxels that the edge is chosen for.

    Returns
    -------
    Layer
        A volume with the quantity "tissue" besides; NaN outside the head.
    """
    nodes = head.mesh.nodes
    shape, affine = voxel_grid(nodes.min(axis=0), nodes.max(axis=0), most=most)
    points = grid_points(shape, affine).reshape(-1, 3)
    tet, weight = basis.locator.locate(points)
    inside = tet >= 0
    corners, part = basis.split_of_tet[tet[inside]], weight[inside]
    label = np.zeros(len(points), np.int32)
    label[inside] = head.mesh.labels[tet[inside]]
    found = {
        "tissue": Quantity(
            values=label.reshape(shape), label="tissue", categories=tissue_categories(head)
        )
    }
    vectors = None
    for key, (values, words, unit, limit) in quantities.items():
        width = values.shape[1:]
        here = np.full((len(points), *width), np.nan, np.float32)
        here[inside] = np.einsum("nk...,nk->n...", values[corners], part)
        if not width:
            found[key] = amount(here.reshape(shape), words, unit, limit=limit)
            continue
        size = np.linalg.norm(here, axis=1)
        found[key] = amount(size.reshape(shape), words, unit, limit=limit)
        if vectors is None:
            vectors = rounded(np.nan_to_num(here), 8).reshape(*shape, 3)
    return Layer(
        name=name,
        kind="volume",
        group="field",
        shape=shape,
        affine=affine,
        quantities=found,
        shown=next(iter(quantities), "tissue"),
        vectors=vectors,
        visible=False,
    )


def grid_layer(
    name: str,
    shape: tuple[int, int, int],
    affine: Floats,
    quantities: Mapping[str, Quantity],
    *,
    most: int = MOST_VOXELS,
) -> Layer:
    """Return quantities on any grid as a hidden volume, thinned to about ``most`` voxels.

    Parameters
    ----------
    name
        Of the layer.
    shape, affine
        Voxels, and their indices to metres.
    quantities
        Values of shape ``shape`` by name; the first is shown.
    most
        Every so-manieth voxel is left out where there are more.
    """
    step = max(1, round((prod(shape) / most) ** (1 / 3)))
    some = (slice(None, None, step),) * 3
    scaled = affine @ np.diag([step, step, step, 1.0])
    kept = {key: replace(of, values=of.values[some]) for key, of in quantities.items()}
    first = next(iter(kept))
    nx, ny, nz = kept[first].values.shape
    return Layer(
        name=name,
        kind="volume",
        group="field",
        shape=(nx, ny, nz),
        affine=scaled,
        quantities=kept,
        shown=first,
        visible=False,
    )


def within(layer: Layer, points: ArrayLike, name: str | None = None) -> NDArray[Any]:
    """Return a quantity of a volume at points, of the nearest voxel for categories.

    Parameters
    ----------
    layer
        A volume.
    points
        Positions (m), shape (n, 3).
    name
        Of the quantity; that shown if None.

    Returns
    -------
    ndarray, shape (n,)
        Linear between voxels; NaN (0 for categories) outside the grid or beside a NaN.
    """
    from scipy.ndimage import map_coordinates

    shape, affine = volume_of(layer)
    key = layer.shown if name is None else name
    values = layer.values(key)
    if key is None or values is None:
        raise InputError(f"expected a layer with a quantity: layer {layer.name!r}")
    back = np.linalg.inv(affine)
    index = np.atleast_2d(np.asarray(points, dtype=np.float64)) @ back[:3, :3].T + back[:3, 3]
    if layer.quantities[key].categories:
        near = np.rint(index).astype(int)
        inside = ((near >= 0) & (near < shape)).all(axis=1)
        near = np.clip(near, 0, np.array(shape) - 1)
        return np.where(inside, values[tuple(near.T)], 0)
    found: NDArray[Any] = map_coordinates(
        values, index.T, order=1, mode="constant", cval=np.nan, output=np.float64
    )
    return found


def volume_of(layer: Layer) -> tuple[tuple[int, int, int], Floats]:
    """Return shape and affine of a volume.

    Raises
    ------
    InputError
        If the layer is of another kind.
    """
    if layer.shape is None or layer.affine is None:
        raise InputError(f"expected a volume, got {layer.kind}: layer {layer.name!r}")
    return layer.shape, layer.affine
