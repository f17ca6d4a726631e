"""A scene: what is to be seen of a result, as named layers of plain arrays.

One description serves pictures, the report, the window, the notebook and the browser page. Lengths
are in metres, axes point to the right, to the front and upwards (RAS); what draws turns them to
millimetres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.meshes.spaces import Affine, Warp

Floats = NDArray[np.float32]
Kind = Literal["surface", "volume", "lines", "arrows", "points"]
Group = Literal["head", "device", "field", "cells", "network"]
KINDS: tuple[Kind, ...] = get_args(Kind)
GROUPS: tuple[Group, ...] = get_args(Group)

#: Directions from the head to the camera, by name.
VIEWS: Mapping[str, tuple[float, float, float]] = {
    "left": (-1.0, 0.0, 0.0),
    "right": (1.0, 0.0, 0.0),
    "front": (0.0, 1.0, 0.0),
    "back": (0.0, -1.0, 0.0),
    "top": (0.0, 0.0, 1.0),
    "bottom": (0.0, 0.0, -1.0),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Category:
    """A name and a colour (``#rrggbb``) of one whole number in a quantity."""

    name: str
    colour: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Quantity:
    """Values on the points of a layer.

    Parameters
    ----------
    values
        One for each point of the layer, shape (n,), or (n_times, n) in a layer with times; of a
        volume (nx, ny, nz) or (n_times, nx, ny, nz). NaN where there is none.
    label, unit
        Name in words ("E magnitude") and unit ("V/m"); both stand at the bar.
    colours
        Colour map of Matplotlib.
    limits
        Ends of the colour scale; those of the values if None.
    categories
        What whole numbers stand for (tissues, regions), where they are no amounts; the values
        are then drawn in these colours.

    Raises
    ------
    InputError
        If the limits are not two finite numbers, the lower one first.
    """

    values: NDArray[Any]
    label: str
    unit: str = ""
    colours: str = "viridis"
    limits: tuple[float, float] | None = None
    categories: Mapping[int, Category] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the limits and hold values as the file does."""
        kind = np.asarray(self.values).dtype.kind
        values = np.asarray(self.values, dtype=np.int32 if self.categories else np.float32)
        if self.categories and kind not in "iub":
            raise InputError(f"expected whole numbers, got {kind!r}: quantity {self.label!r}")
        object.__setattr__(self, "values", values)
        if self.limits is None:
            return
        low, high = (float(x) for x in self.limits)
        if not (np.isfinite(low) and np.isfinite(high) and low <= high):
            raise InputError(
                f"expected two limits, the lower first, got {self.limits}: quantity {self.label!r}"
            )
        object.__setattr__(self, "limits", (low, high))

    @property
    def title(self) -> str:
        """Label and unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def range(self) -> tuple[float, float]:
        """Ends of the colour scale."""
        if self.limits is not None:
            return self.limits
        seen = self.values[np.isfinite(self.values)]
        return (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Layer:
    """A part of a scene that can be shown, hidden and coloured by itself.

    Parameters
    ----------
    name
        Name, once in a scene ("scalp", "coil", "cortex").
    kind
        "surface" (triangles), "volume" (a regular grid), "lines", "arrows" or "points".
    group
        What it belongs to: "head", "device", "field", "cells" or "network".
    points
        Positions (m), shape (n, 3); of a volume none, shape (0, 3).
    cells
        Of a surface its triangles, shape (m, 3); of lines the first point of each and the number
        of all points, shape (k + 1,), rising. None otherwise.
    vectors
        Of arrows: their length on the page (m), shape (n, 3), or (n_times, n, 3). Of a volume that
        has a field: its components in the unit of the quantity shown, shape (nx, ny, nz, 3).
    shape, affine
        Of a volume: voxels along each axis, and voxel indices to metres, shape (4, 4).
    quantities
        Values on the points by name.
    shown
        Name of the quantity that colours the layer; ``colour`` does if None.
    colour
        ``#rrggbb``.
    opacity
        0 to 1.
    visible
        Whether it is drawn before anybody asks for it.
    edges
        Whether the edges of triangles are drawn.
    radius
        Of lines and points (m).
    times
        Time axis (s), shape (n_times,); None where nothing changes.

    Raises
    ------
    InputError
        If the arrays do not fit the kind or each other.
    """

    name: str
    kind: Kind
    group: Group
    points: NDArray[Any] = field(default_factory=lambda: np.empty((0, 3), np.float32))
    cells: NDArray[Any] | None = None
    vectors: NDArray[Any] | None = None
    shape: tuple[int, int, int] | None = None
    affine: NDArray[np.float64] | None = None
    quantities: Mapping[str, Quantity] = field(default_factory=dict)
    shown: str | None = None
    colour: str = "#b0b0b0"
    opacity: float = 1.0
    visible: bool = True
    edges: bool = False
    radius: float = 1e-3
    times: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        """Check that the arrays fit together."""
        set_ = object.__setattr__
        where = f"layer {self.name!r}"
        check_option("kind", self.kind, KINDS, where=where)
        check_option("group", self.group, GROUPS, where=where)
        set_(self, "points", np.ascontiguousarray(self.points, dtype=np.float32))
        for name, dtype in (("cells", np.int32), ("vectors", np.float32), ("times", np.float64)):
            if getattr(self, name) is not None:
                set_(self, name, np.ascontiguousarray(getattr(self, name), dtype=dtype))
        if self.points.ndim != 2 or self.points.shape[1] != 3:
            raise InputError(f"expected points of shape (n, 3), got {self.points.shape}: {where}")
        if not 0.0 <= self.opacity <= 1.0:
            raise InputError(f"expected an opacity from 0 to 1, got {self.opacity}: {where}")
        if (self.kind == "volume") != (self.shape is not None and self.affine is not None):
            raise InputError(f"expected shape and affine of a volume, and of nothing else: {where}")
        _check_cells(self)
        _check_values(self)
        if self.shown is not None:
            check_option("quantity", self.shown, self.quantities, where=where)

    @property
    def quantity(self) -> Quantity | None:
        """What colours the layer."""
        return None if self.shown is None else self.quantities[self.shown]

    @property
    def extent(self) -> NDArray[np.float64] | None:
        """Lowest and highest coordinates (m), shape (2, 3); None of an empty layer."""
        points = self.points.astype(np.float64)
        if self.shape is not None and self.affine is not None:
            corner = np.stack(np.meshgrid(*[(0, n - 1) for n in self.shape]), -1).reshape(-1, 3)
            points = corner @ self.affine[:3, :3].T + self.affine[:3, 3]
        if not len(points):
            return None
        return np.stack([points.min(axis=0), points.max(axis=0)])

    def frame(self, time: float | None) -> int:
        """Return the place of ``time`` (s) on the time axis: that before it, the first if None."""
        if self.times is None or time is None:
            return 0
        return max(int(np.searchsorted(self.times, time + 1e-12, side="right")) - 1, 0)

    def values(self, name: str | None = None, *, time: float | None = None) -> NDArray[Any] | None:
        """Return a quantity at one time: what is shown if no name is given."""
        name = self.shown if name is None else name
        if name is None:
            return None
        check_option("quantity", name, self.quantities, where=f"layer {self.name!r}")
        found = self.quantities[name].values
        moves = self.times is not None and found.ndim > (3 if self.kind == "volume" else 1)
        return found[self.frame(time)] if moves else found

    def but(self, **changes: Any) -> Self:
        """Return the layer with some of its parts replaced."""
        return replace(self, **changes)


def _check_cells(layer: Layer) -> None:
    n, where, cells = len(layer.points), f"layer {layer.name!r}", layer.cells
    if layer.kind == "surface":
        if cells is None or cells.ndim != 2 or cells.shape[1] != 3:
            raise InputError(f"expected triangles of shape (m, 3): {where}")
        if cells.size and (cells.min() < 0 or cells.max() >= n):
            raise InputError(f"expected triangles over {n} points, got {cells.max()}: {where}")
    elif layer.kind == "lines":
        if cells is None or cells.ndim != 1 or cells[0] != 0 or cells[-1] != n:
            raise InputError(f"expected the first point of each line, ending with {n}: {where}")
        if (np.diff(cells) < 1).any():
            raise InputError(f"expected lines of one point or more: {where}")
    elif cells is not None:
        raise InputError(f"expected no cells in {layer.kind}: {where}")


def _check_values(layer: Layer) -> None:
    where = f"layer {layer.name!r}"
    own = (len(layer.points),) if layer.shape is None else layer.shape
    times = () if layer.times is None else (len(layer.times),)
    if layer.times is not None and (len(layer.times) < 1 or (np.diff(layer.times) <= 0).any()):
        raise InputError(f"expected rising times: {where}")
    for name, quantity in layer.quantities.items():
        if quantity.values.shape not in {own, (*times, *own)}:
            raise InputError(
                f"expected values of shape {(*times, *own)}, got {quantity.values.shape}: "
                f"quantity {name!r}, {where}"
            )
    if layer.kind == "arrows" and layer.vectors is None:
        raise InputError(f"expected vectors of arrows: {where}")
    if layer.vectors is not None and layer.vectors.shape not in {(*own, 3), (*times, *own, 3)}:
        raise InputError(
            f"expected vectors of shape {(*own, 3)}, got {layer.vectors.shape}: {where}"
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scene:
    """What is to be seen of a result.

    Parameters
    ----------
    title
        Title of the study.
    layers
        The layers, each name once, in the order in which they are drawn.
    view
        Unit vector from the head to the camera, shape (3,).
    point
        Point of interest (m), shape (3,), through which slices go; the middle if None.
    focus
        Names of the layers that the camera looks at; those of the head if there are none.
    space
        Name of the coordinates' space ("MNI152NLin2009aSym", "scanner").
    to_mni
        From these coordinates to MNI space (m); None where that is not known.

    Raises
    ------
    InputError
        If a name is given twice.
    """

    title: str
    layers: tuple[Layer, ...]
    view: tuple[float, float, float] = (-0.64, 0.64, 0.42)
    point: tuple[float, float, float] | None = None
    focus: tuple[str, ...] = ()
    space: str = ""
    to_mni: Affine | Warp | None = None

    def __post_init__(self) -> None:
        """Check names; hold directions as plain unit vectors."""
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "view", direction(self.view))
        object.__setattr__(self, "focus", tuple(self.focus))
        if self.point is not None:
            x, y, z = (float(c) for c in self.point)
            object.__setattr__(self, "point", (x, y, z))
        names = [layer.name for layer in self.layers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"expected each layer once, twice: {', '.join(twice)}: scene")

    def __contains__(self, name: object) -> bool:
        """Return whether there is a layer of that name."""
        return any(layer.name == name for layer in self.layers)

    def __getitem__(self, name: str) -> Layer:
        """Return the layer called ``name``."""
        known = {layer.name: layer for layer in self.layers}
        return known[check_option("layer", name, known, where="scene")]

    def visible(self) -> tuple[Layer, ...]:
        """Return the layers that are drawn."""
        return tuple(layer for layer in self.layers if layer.visible)

    def group(self, name: Group) -> tuple[Layer, ...]:
        """Return the layers of a group."""
        return tuple(layer for layer in self.layers if layer.group == name)

    def extent(self, layers: Sequence[Layer] | None = None) -> NDArray[np.float64]:
        """Return the lowest and highest coordinates (m) of layers (all if None), shape (2, 3)."""
        chosen = self.layers if layers is None else layers
        found = [box for box in (layer.extent for layer in chosen) if box is not None]
        if not found:
            return np.array([[-0.1] * 3, [0.1] * 3])
        boxes = np.stack(found)
        return np.stack([boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)])

    def times(self) -> NDArray[np.float64]:
        """Return all times (s) of the layers, rising; empty where nothing moves."""
        moving = [layer.times for layer in self.layers if layer.times is not None]
        return np.unique(np.concatenate(moving)) if moving else np.empty(0)

    def with_layers(self, *layers: Layer) -> Self:
        """Return the scene with layers in the place of those of their names, or at the end."""
        new = {layer.name: layer for layer in layers}
        old = {layer.name for layer in self.layers}
        kept = [new.get(layer.name, layer) for layer in self.layers]
        return replace(self, layers=(*kept, *(x for x in layers if x.name not in old)))

    def without(self, *names: str) -> Self:
        """Return the scene without the layers of these names."""
        return replace(self, layers=tuple(x for x in self.layers if x.name not in names))


def direction(view: str | ArrayLike) -> tuple[float, float, float]:
    """Return the unit vector from the head to the camera.

    Parameters
    ----------
    view
        One of `VIEWS`, or a vector of any length, shape (3,).

    Raises
    ------
    InputError
        If the name is unknown or the vector has no direction.

    Examples
    --------
    >>> direction("left")
    (-1.0, 0.0, 0.0)
    """
    if isinstance(view, str):
        return VIEWS[check_option("view", view, VIEWS)]
    towards = np.asarray(view, dtype=np.float64)
    size = np.linalg.norm(towards)
    if towards.shape != (3,) or not np.isfinite(size) or size == 0:
        raise InputError(f"expected a direction of three numbers, got {view}: view")
    x, y, z = (towards / size).tolist()
    return (x, y, z)


def line_starts(lines: Sequence[ArrayLike]) -> tuple[Floats, NDArray[np.int32]]:
    """Return the points of lines one after the other, and where each starts, as `Layer` wants.

    Parameters
    ----------
    lines
        Points of each (m), shape (n, 3).

    Returns
    -------
    points : ndarray, shape (n_points, 3)
    cells : ndarray, shape (n_lines + 1,)
    """
    arrays = [np.asarray(line, dtype=np.float32).reshape(-1, 3) for line in lines]
    arrays = [line for line in arrays if len(line)]
    starts = np.cumsum([0, *(len(line) for line in arrays)]).astype(np.int32)
    points = np.concatenate(arrays) if arrays else np.empty((0, 3), np.float32)
    return points, starts
