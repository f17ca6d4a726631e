"""Three linked orthogonal slices of a scene's voxels through one point."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.scenes.field import volume_of, within
from rheobase.scenes.picture import HasScene, as_scene
from rheobase.scenes.scene import Layer, Quantity, Scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

#: The planes: name, axis that is cut, axes to the right and up.
PLANES = (("sagittal", 0, 1, 2), ("coronal", 1, 0, 2), ("axial", 2, 0, 1))
SIDES = ("LR", "PA", "IS")
AXES = ("x (mm)", "y (mm)", "z (mm)")
FINER = 2  # pixels in a voxel's edge


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Plane:
    """A slice of a volume.

    Parameters
    ----------
    name
        "sagittal", "coronal" or "axial".
    axes
        The axis that is cut, that to the right and that up, of 0 to 2.
    at
        Coordinate of the cut (m).
    right, up
        Coordinates of the pixels (m), shapes (n_right,) and (n_up,).
    values
        The quantity, shape (n_up, n_right); NaN where there is none or no chosen tissue.
    tissue
        Label of each pixel, same shape, 0 outside; None of a volume without.
    """

    name: str
    axes: tuple[int, int, int]
    at: float
    right: Floats
    up: Floats
    values: Floats
    tissue: NDArray[np.int32] | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Slices:
    """Three slices through a point, and what is at it.

    Parameters
    ----------
    point, mni
        The point (m), shape (3,), and its image in MNI space, None where that is not known.
    value
        The quantity at the point, NaN where there is none.
    tissue
        Name of the tissue at the point, "" where that is not known.
    quantity
        The quantity.
    volume
        The volume.
    planes
        Sagittal, coronal, axial.
    """

    point: Floats
    mni: Floats | None
    value: float
    tissue: str
    quantity: Quantity
    volume: Layer
    planes: tuple[Plane, Plane, Plane]

    @property
    def words(self) -> str:
        """Say what is at the point."""
        parts = [f"({_mm(self.point)}) mm"]
        if self.mni is not None:
            parts.append(f"MNI ({_mm(self.mni)}) mm")
        if self.tissue:
            parts.append(self.tissue)
        if np.isfinite(self.value):
            parts.append(f"{self.quantity.label} {self.value:.3g} {self.quantity.unit}".strip())
        return ", ".join(parts)

    def figure(self) -> Figure:
        """Draw the slices with tissue outlines, crosshair and a bar with the unit."""
        return _figure(self)


def _mm(point: Floats) -> str:
    return ", ".join(f"{1e3 * c:.1f}" for c in point)


def slices(
    source: Scene | HasScene | Path | str,
    *,
    at: ArrayLike | None = None,
    volume: str | None = None,
    quantity: str | None = None,
    tissues: tuple[str, ...] | None = None,
) -> Slices:
    """Cut the voxels of a scene in three planes through a point.

    Parameters
    ----------
    source
        A scene, a result, or the path of a ``scene.h5``.
    at
        The point (m), shape (3,); the scene's point of interest if None.
    volume, quantity
        Names of the volume and of the quantity; the first volume, and what it shows, if None.
    tissues
        Names of the tissues that show the quantity ("grey matter"); all if None.

    Raises
    ------
    InputError
        If there is no volume along the axes, a name is unknown, or the point is not in it.
    """
    scene = as_scene(source)
    known = {x.name: x for x in scene.layers if x.kind == "volume"}
    if not known:
        raise InputError("expected a scene with a volume, it has none")
    layer = next(iter(known.values()))
    if volume is not None:
        layer = known[check_option("volume", volume, known, where="scene")]
    _, affine = volume_of(layer)
    if not np.allclose(affine[:3, :3], np.diag(np.diag(affine[:3, :3]))):
        raise InputError(f"expected voxels along the axes: layer {layer.name!r}")
    key = layer.shown if quantity is None else quantity
    if key is None:
        raise InputError(f"expected a volume with a quantity: layer {layer.name!r}")
    check_option("quantity", key, layer.quantities, where=f"layer {layer.name!r}")
    low, high = scene.extent([layer])
    chosen = scene.point if at is None else at
    point = (low + high) / 2 if chosen is None else np.asarray(chosen, dtype=np.float64)
    if point.shape != (3,) or not ((point >= low) & (point <= high)).all():
        raise InputError(
            f"expected a point between ({_mm(low)}) and ({_mm(high)}) mm, got {point * 1e3}"
        )
    if tissues is not None:
        names = [c.name for c in layer.quantities["tissue"].categories.values()]
        for name in tissues:
            check_option("tissue", name, names, where=f"layer {layer.name!r}")
    first, second, third = (_plane(layer, key, point, tissues, *plane) for plane in PLANES)
    mni = None
    if scene.to_mni is not None:
        image = scene.to_mni(point[None])[0]
        mni = image if np.isfinite(image).all() else None
    return Slices(
        point=point,
        mni=mni,
        value=float(within(layer, point[None], key)[0]),
        tissue=_tissue(layer, point),
        quantity=layer.quantities[key],
        volume=layer,
        planes=(first, second, third),
    )


def _tissue(layer: Layer, point: Floats) -> str:
    if "tissue" not in layer.quantities:
        return ""
    number = int(within(layer, point[None], "tissue")[0])
    found = layer.quantities["tissue"].categories.get(number)
    return "" if found is None else found.name


def _plane(
    layer: Layer,
    key: str,
    point: Floats,
    tissues: tuple[str, ...] | None,
    name: str,
    axis: int,
    right: int,
    up: int,
) -> Plane:
    shape, affine = volume_of(layer)
    lines = [
        affine[k, 3] + affine[k, k] * np.linspace(0, shape[k] - 1, FINER * (shape[k] - 1) + 1)
        for k in (right, up)
    ]
    points = np.empty((len(lines[1]), len(lines[0]), 3))
    points[..., right], points[..., up] = np.meshgrid(lines[0], lines[1])
    points[..., axis] = point[axis]
    flat, size = points.reshape(-1, 3), points.shape[:2]
    values = within(layer, flat, key).astype(np.float64).reshape(size)
    tissue = None
    if "tissue" in layer.quantities:
        tissue = within(layer, flat, "tissue").astype(np.int32).reshape(size)
        kept = tissue > 0
        if tissues is not None:
            of = layer.quantities["tissue"].categories
            kept = np.isin(tissue, [k for k, c in of.items() if c.name in tissues])
        values = np.where(kept, values, np.nan)
    return Plane(
        name=name,
        axes=(axis, right, up),
        at=float(point[axis]),
        right=lines[0],
        up=lines[1],
        values=values,
        tissue=tissue,
    )


def _figure(found: Slices) -> Figure:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    from rheobase.views import new_figure

    of = found.quantity
    widths = [float(np.ptp(plane.right)) for plane in found.planes]
    tallest = max(float(np.ptp(plane.up)) for plane in found.planes)
    figure = new_figure(13.5, float(np.clip(12.0 * tallest / sum(widths), 2.5, 7.0)) + 0.9)
    panels = figure.subplots(1, 3, width_ratios=widths)
    norm = Normalize(*of.range)
    for panel, plane in zip(panels, found.planes, strict=True):
        _draw(panel, plane, found, norm)
    if not of.categories:
        bar = ScalarMappable(norm, of.colours)
        figure.colorbar(bar, ax=list(panels), label=of.title, shrink=0.85)
    figure.suptitle(found.words, fontsize=10)
    return figure


def _draw(panel: Any, plane: Plane, found: Slices, norm: Any) -> None:
    """Draw one plane with its letters and its crosshair."""
    from rheobase.scenes.drawing import category_colours

    axis, right, up = plane.axes
    step = [0.5 * float(x[1] - x[0]) for x in (plane.right, plane.up)]
    extent = tuple(
        1e3 * c
        for x, h in zip((plane.right, plane.up), step, strict=True)
        for c in (x[0] - h, x[-1] + h)
    )
    how = {"extent": extent, "origin": "lower"}
    label = plane.tissue
    if label is not None:
        grey = np.where(label > 0, 0.93 - 0.06 * (label % 5), 1.0)
        panel.imshow(grey, cmap="gray", vmin=0, vmax=1, **how)
    if found.quantity.categories:
        rgb = category_colours(found.quantity, np.nan_to_num(plane.values).astype(int))
        panel.imshow(rgb.reshape(*plane.values.shape, 3), **how)
    else:
        panel.imshow(plane.values, cmap=found.quantity.colours, norm=norm, **how)
    if label is not None:
        for number in np.unique(label[label > 0]).tolist():
            inside = (label == number).astype(float)
            panel.contour(
                plane.right * 1e3, plane.up * 1e3, inside, [0.5], colors="0.25", linewidths=0.4
            )
    for line, k in ((panel.axvline, right), (panel.axhline, up)):
        line(1e3 * found.point[k], color="#d55e00", lw=0.7)
    panel.set(xlabel=AXES[right], ylabel=AXES[up], aspect="equal")
    panel.set_title(f"{plane.name}, {'xyz'[axis]} = {1e3 * plane.at:.1f} mm", fontsize=9)
    words = {"transform": panel.transAxes, "fontsize": 9, "fontweight": "bold"}
    for x, y, letter, ha, va in (
        (0.01, 0.5, SIDES[right][0], "left", "center"),
        (0.99, 0.5, SIDES[right][1], "right", "center"),
        (0.5, 0.01, SIDES[up][0], "center", "bottom"),
        (0.5, 0.99, SIDES[up][1], "center", "top"),
    ):
        panel.text(x, y, letter, ha=ha, va=va, **words)
