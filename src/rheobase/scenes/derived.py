"""Layers made of a volume: planes, isosurfaces, arrows, lines along a field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option, check_positive
from rheobase.scenes.field import amount, grid_points, volume_of, within
from rheobase.scenes.scene import Layer, Quantity, line_starts

Floats = NDArray[np.float64]


def isosurface(
    layer: Layer, level: float, *, name: str | None = None, quantity: str | None = None, **how: Any
) -> Layer:
    """Return where a quantity of a volume has a value.

    Parameters
    ----------
    layer
        A volume.
    level
        The value, in the unit of the quantity.
    name
        Of the new layer; "quantity = level" if None.
    quantity
        Its name; that shown if None.
    **how
        What else the new layer shall have (colour, opacity).
    """
    import pyvista as pv

    shape, affine = volume_of(layer)
    key = _key(layer, quantity)
    of, values = layer.quantities[key], layer.values(key)
    assert values is not None  # it has that name
    image = pv.ImageData(dimensions=shape)  # in voxels: VTK's contours of turned images are amiss
    image[key] = np.nan_to_num(values, nan=min(0.0, of.range[0])).ravel(order="F")
    surface = image.contour([level], scalars=key)
    points = np.asarray(surface.points, dtype=np.float64) @ affine[:3, :3].T + affine[:3, 3]
    words = f"{of.label} = {level:.3g} {of.unit}".strip()
    empty = not surface.n_cells
    given: dict[str, Any] = {"colour": "#d55e00", "opacity": 0.5, "group": layer.group, **how}
    return Layer(
        name=words if name is None else name,
        kind="surface",
        points=np.empty((0, 3)) if empty else points,
        cells=np.empty((0, 3)) if empty else surface.regular_faces,
        **given,
    )


def plane(
    layer: Layer,
    axis: Literal["x", "y", "z"],
    at: float,
    *,
    name: str | None = None,
    quantity: str | None = None,
    tissues: Sequence[str] | None = None,
) -> Layer:
    """Return a slice of a volume across an axis, its pixels as large as the voxels.

    Parameters
    ----------
    layer
        A volume whose voxels lie along the axes.
    axis, at
        The plane: the coordinate ``axis`` is ``at`` (m).
    name
        Of the new layer; "layer, x = 12 mm" if None.
    quantity
        What is shown; that of the volume if None. All of them come along.
    tissues
        Names of the tissues that show it; all if None.
    """
    shape, affine = volume_of(layer)
    check_option("axis", axis, ("x", "y", "z"))
    if not np.allclose(affine[:3, :3], np.diag(np.diag(affine[:3, :3]))):
        raise InputError(f"expected voxels along the axes: layer {layer.name!r}")
    key = _key(layer, quantity)
    k = "xyz".index(axis)
    others = [j for j in range(3) if j != k]
    index = np.clip((at - affine[k, 3]) / affine[k, k], 0, shape[k] - 1)
    grid = [affine[j, 3] + affine[j, j] * np.arange(shape[j]) for j in others]
    points = np.empty((len(grid[0]), len(grid[1]), 3))
    points[..., others[0]], points[..., others[1]] = np.meshgrid(*grid, indexing="ij")
    points[..., k] = affine[k, 3] + affine[k, k] * index
    flat = points.reshape(-1, 3)
    found = {
        name_: Quantity(
            values=within(layer, flat, name_).astype(np.int32 if of.categories else np.float32),
            label=of.label,
            unit=of.unit,
            colours=of.colours,
            limits=of.limits,
            categories=of.categories,
        )
        for name_, of in layer.quantities.items()
    }
    kept = np.isfinite(found[key].values)
    if "tissue" in found:
        inside = found["tissue"].values > 0
        if tissues is not None:
            numbers = [n for n, c in found["tissue"].categories.items() if c.name in tissues]
            inside = np.isin(found["tissue"].values, numbers)
        kept &= inside
    n = len(grid[1])
    corner = (np.arange(len(grid[0]) - 1)[:, None] * n + np.arange(n - 1)).ravel()
    square = np.stack([corner, corner + 1, corner + n + 1, corner + n], axis=1)
    square = square[kept[square].all(axis=1)]
    cells = square[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)
    used, inverse = np.unique(cells, return_inverse=True)
    return Layer(
        name=f"{layer.name}, {axis} = {round(at * 1e3):d} mm" if name is None else name,
        kind="surface",
        group=layer.group,
        points=flat[used],
        cells=inverse.reshape(-1, 3),
        quantities={m: replace(of, values=of.values[used]) for m, of in found.items()},
        shown=key,
    )


def arrows(
    layer: Layer,
    *,
    every: float = 8e-3,
    longest: float = 12e-3,
    tissues: Sequence[str] | None = ("grey matter", "white matter"),
    top: float = 99.5,
    name: str = "arrows",
) -> Layer:
    """Return the direction and size of a volume's field as arrows, coloured by size.

    Parameters
    ----------
    layer
        A volume with vectors.
    every
        Distance between arrows (m).
    longest
        Length (m) of the arrow of the ``top`` percentile; shorter ones in proportion.
    tissues
        Names of the tissues in which they stand; everywhere if None or where the volume has none.
    top
        Percentile of the size that is drawn in full length and colour.
    name
        Of the new layer.
    """
    check_positive("every", every)
    points, vectors, of = _samples(layer, every, tissues)
    size = np.linalg.norm(vectors, axis=1)
    kept = size > 0
    points, vectors, size = points[kept], vectors[kept], size[kept]
    full = float(np.percentile(size, top)) if len(size) else 1.0
    scale = longest / full * np.minimum(1.0, full / np.maximum(size, 1e-30))
    return Layer(
        name=name,
        kind="arrows",
        group=layer.group,
        points=points,
        vectors=vectors * scale[:, None],
        quantities={"size": amount(size, of.label, of.unit, limit=full)},
        shown="size",
        visible=False,
    )


def _samples(
    layer: Layer, every: float, tissues: Sequence[str] | None
) -> tuple[Floats, NDArray[Any], Quantity]:
    """Return every so-manieth voxel, its vector, and the quantity that the vectors belong to."""
    shape, affine = volume_of(layer)
    if layer.vectors is None or layer.quantity is None:
        raise InputError(f"expected a volume with vectors: layer {layer.name!r}")
    edge = np.linalg.norm(affine[:3, :3], axis=0)
    step = np.maximum(1, np.rint(every / edge).astype(int))
    some = tuple(slice(int(s) // 2, None, int(s)) for s in step)
    points = grid_points(shape, affine)[some].reshape(-1, 3)
    vectors = layer.vectors[some].reshape(-1, 3).astype(np.float64)
    if tissues is not None and "tissue" in layer.quantities:
        of = layer.quantities["tissue"]
        numbers = [n for n, c in of.categories.items() if c.name in tissues]
        inside = np.isin(of.values[some].ravel(), numbers)
        points, vectors = points[inside], vectors[inside]
    return points, vectors, layer.quantity


def streamlines(
    layer: Layer,
    *,
    count: int = 150,
    seed: int = 1,
    name: str = "streamlines",
    radius: float = 4e-4,
) -> Layer:
    """Return lines along a volume's field, coloured by its size.

    Parameters
    ----------
    layer
        A volume with vectors.
    count
        Number of lines; they start at voxels drawn with a chance in proportion to the field.
    seed
        Of the draw.
    name, radius
        Of the new layer; radius in metres.
    """
    from rheobase.scenes.drawing import MM, dataset

    shape, affine = volume_of(layer)
    if layer.vectors is None or layer.quantity is None:
        raise InputError(f"expected a volume with vectors: layer {layer.name!r}")
    size = np.linalg.norm(layer.vectors, axis=-1).ravel().astype(np.float64)
    if not size.sum() > 0:
        raise InputError(f"expected a field, it is 0 everywhere: layer {layer.name!r}")
    size = np.minimum(size, np.percentile(size[size > 0], 99.5))
    starts = np.random.default_rng(seed).choice(len(size), count, p=size / size.sum())
    import pyvista as pv

    image = dataset(layer)
    seeds = pv.PolyData(grid_points(shape, affine).reshape(-1, 3)[starts] * MM)
    found = image.streamlines_from_source(
        seeds, vectors="vectors", max_length=250.0, terminal_speed=1e-6 * float(size.max())
    )
    runs = [np.asarray(cell) for cell in np.split(found.lines, _splits(found.lines))]
    order = [run[1:] for run in runs if len(run) > 3]
    points, cells = line_starts([np.asarray(found.points)[run] / MM for run in order])
    along = np.linalg.norm(np.asarray(found["vectors"]), axis=1)
    values = np.concatenate([along[run] for run in order]) if order else np.empty(0)
    of = layer.quantity
    return Layer(
        name=name,
        kind="lines",
        group=layer.group,
        points=points,
        cells=cells,
        quantities={"size": amount(values, of.label, of.unit, limit=of.range[1])},
        shown="size",
        radius=radius,
        visible=False,
    )


def _splits(lines: NDArray[Any]) -> list[int]:
    """Return where each line after the first starts in VTK's list of lines."""
    found, at = [], 0
    while at < len(lines):
        at += int(lines[at]) + 1
        found.append(at)
    return found[:-1]


def _key(layer: Layer, quantity: str | None) -> str:
    key = layer.shown if quantity is None else quantity
    if key is None:
        raise InputError(f"expected a layer with a quantity: layer {layer.name!r}")
    return check_option("quantity", key, layer.quantities, where=f"layer {layer.name!r}")
