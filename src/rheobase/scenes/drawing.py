"""Draw a scene into a PyVista plotter: off screen, in a window, in a notebook or on a page.

What is drawn is in millimetres. Every coloured layer has a bar with its unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase.scenes.scene import Layer, Quantity, Scene, direction

MM = 1e3
FAINT = 0.999  # opacity from which a surface hides its own back
ANGLE = 30.0  # of the camera (degrees)
LOOSE = 1.8125  # distance of the camera over the diagonal of what is looked at
WIDE = 1400.0  # pixels of a picture from which letters are as large as they get
GAP = 14.0  # pixels between the title of a bar and its top number, at that width
TUBE_SIDES = 8
#: How much light values give back: a surface that faces the camera has the colour of the bar.
LIT = {"ambient": 0.3, "diffuse": 0.9, "specular": 0.0}
FEW = 300  # points up to which balls are round
BALLS = 5_000  # points up to which they are drawn as balls of their radius
TUBES = 200_000  # points of lines up to which they are drawn as tubes


def draw(
    scene: Scene,
    plotter: Any,
    *,
    time: float | None = None,
    view: str | ArrayLike | None = None,
    bars: bool = True,
    axes: bool = True,
) -> dict[str, list[Any]]:
    """Add the visible layers of a scene to a plotter and point its camera.

    Parameters
    ----------
    scene
        The scene.
    plotter
        A `pyvista.Plotter`.
    time
        Of layers that change (s); their first if None.
    view
        Name or direction of the view; the scene's own if None.
    bars, axes
        Whether bars with units, and arrows to the right, front and top, are drawn.

    Returns
    -------
    dict of list
        The actors of each layer by name.
    """
    plotter.set_background("white")
    actors = {layer.name: add_layer(plotter, layer, scene, time=time) for layer in scene.visible()}
    if bars:
        _add_bars(plotter, scene)
    if axes:
        plotter.add_axes(xlabel="R", ylabel="A", zlabel="S", color="black")
    point_camera(scene, plotter, view)
    return actors


def add_layer(plotter: Any, layer: Layer, scene: Scene, *, time: float | None = None) -> list[Any]:
    """Add one layer to a plotter and return its actors; a volume as slices through the point."""
    drawn = dataset(layer, time=time)
    if drawn is None:
        return []
    if layer.kind == "volume":
        low, high = scene.extent([layer])
        at = (low + high) / 2 if scene.point is None else np.asarray(scene.point)
        parts = list(drawn.slice_orthogonal(*(at * MM).tolist()))
    else:
        parts = [drawn]
    return [add_data(plotter, layer, part) for part in parts if part.n_points]


def add_data(plotter: Any, layer: Layer, data: Any) -> Any:
    """Add data (mm) with the arrays of a layer, such as a part of it, and return the actor."""
    return plotter.add_mesh(data, **{**_style(layer), **_colours(layer)})


def _style(layer: Layer) -> dict[str, Any]:
    how: dict[str, Any] = {"opacity": layer.opacity, "show_scalar_bar": False}
    if layer.kind in {"lines", "arrows"}:
        return how
    if layer.kind == "points":
        return {**how, "render_points_as_spheres": True, "point_size": 6.0}
    if layer.kind == "surface":
        how["smooth_shading"] = not layer.edges
        if layer.edges:
            how |= {"show_edges": True, "edge_color": "#404040", "line_width": 0.4}
        if layer.opacity < FAINT and layer.group == "head":
            how["culling"] = "back"
    return how


def _colours(layer: Layer) -> dict[str, Any]:
    """Return how `add_mesh` colours what `dataset` made of a layer."""
    quantity = layer.quantity
    if quantity is None:
        return {"color": layer.colour}
    if quantity.categories:
        return {"scalars": "rgb", "rgb": True}
    low, high = quantity.range
    return {
        "scalars": layer.shown,
        "cmap": quantity.colours,
        "clim": (low, high if high > low else low + 1.0),
        "nan_opacity": 0.0 if layer.kind == "volume" else 1.0,
        "nan_color": "#c8c8c8",
        **LIT,
    }


def dataset(layer: Layer, *, time: float | None = None) -> Any:
    """Return a layer as a PyVista data set in mm, with all its quantities as arrays by name.

    Parameters
    ----------
    layer
        The layer.
    time
        Of what changes (s); the first if None.

    Returns
    -------
    pyvista.PolyData or pyvista.ImageData or None
        Lines as tubes and arrows as glyphs; None of an empty layer. Categories have the colours
        that are shown as ``rgb`` as well.
    """
    import pyvista as pv

    if layer.kind == "volume":
        return _image(layer, time)
    if not len(layer.points):
        return None
    points = layer.points * np.float32(MM)
    made: Any
    if layer.kind == "surface":
        assert layer.cells is not None  # Layer
        if not len(layer.cells):
            return None
        made = pv.PolyData.from_regular_faces(points, layer.cells)
    elif layer.kind == "lines":
        assert layer.cells is not None  # Layer
        made = pv.PolyData(points, lines=_line_cells(layer.cells))
    else:
        made = pv.PolyData(points)
    _give_values(made, layer, time, order="C")
    if layer.kind == "lines" and len(points) <= TUBES:
        made = made.tube(radius=layer.radius * MM, n_sides=TUBE_SIDES)
    elif layer.kind == "arrows":
        assert layer.vectors is not None  # Layer
        moves = layer.vectors.ndim == 3
        vectors = layer.vectors[layer.frame(time)] if moves else layer.vectors
        made["vectors"] = vectors * np.float32(MM)
        made = made.glyph(
            orient="vectors",
            scale="vectors",
            factor=1.0,
            geom=pv.Arrow(tip_resolution=8, shaft_resolution=6),
        )
    elif layer.kind == "points" and len(points) <= BALLS:
        ball = pv.Icosphere(radius=layer.radius * MM, nsub=1 if len(points) <= FEW else 0)
        made = made.glyph(orient=False, scale=False, geom=ball)
    return made


def _line_cells(starts: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return lines as VTK wants them: number of points, then the points, of each."""
    sizes = np.diff(starts)
    cells = np.arange(int(starts[-1]), dtype=np.int64)
    return np.insert(cells, starts[:-1], sizes)


def _image(layer: Layer, time: float | None) -> Any:
    import pyvista as pv

    assert layer.shape is not None  # Layer
    assert layer.affine is not None
    matrix = layer.affine[:3, :3]
    spacing = np.linalg.norm(matrix, axis=0)
    image = pv.ImageData(
        dimensions=layer.shape,
        spacing=tuple(spacing * MM),
        origin=tuple(layer.affine[:3, 3] * MM),
        direction_matrix=matrix / spacing,
    )
    _give_values(image, layer, time, order="F")
    return image


def _give_values(made: Any, layer: Layer, time: float | None, *, order: Literal["C", "F"]) -> None:
    """Give a data set the quantities of its layer, those of a volume in VTK's order."""
    for name in layer.quantities:
        values = layer.values(name, time=time)
        assert values is not None  # it has that name
        made.point_data[name] = values.ravel(order=order)
    if layer.kind == "volume" and layer.vectors is not None:
        moves = layer.vectors.ndim == 5
        vectors = layer.vectors[layer.frame(time)] if moves else layer.vectors
        made.point_data["vectors"] = vectors.reshape(-1, 3, order=order)
    quantity = layer.quantity
    if quantity is not None and quantity.categories:
        assert layer.shown is not None
        made.point_data["rgb"] = category_colours(quantity, made.point_data[layer.shown])
    if layer.shown is not None and "rgb" not in made.point_data:
        made.set_active_scalars(layer.shown)


def category_colours(quantity: Quantity, values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the colours of categories, shape (n, 3); light grey where a number has none."""
    from matplotlib.colors import to_rgb

    known, place = np.unique(np.asarray(values), return_inverse=True)
    table = np.full((len(known), 3), 200, np.uint8)
    for row, number in enumerate(known.tolist()):
        if number in quantity.categories:
            rgb = to_rgb(quantity.categories[number].colour)
            table[row] = np.rint(255 * np.array(rgb)).astype(np.uint8)
    return table[place.ravel()]


def bars_of(layers: Sequence[Layer]) -> list[tuple[Quantity, tuple[str, ...]]]:
    """Return the quantities that need a bar, equal ones once, and the layers that each is for."""
    found: dict[tuple[Any, ...], tuple[Quantity, tuple[str, ...]]] = {}
    for layer in layers:
        of = layer.quantity
        if of is not None and not of.categories:
            key = (of.title, of.colours, of.range)
            found[key] = (of, (*found.get(key, (of, ()))[1], layer.name))
    return list(found.values())


def _add_bars(plotter: Any, scene: Scene) -> None:
    from pyvista import LookupTable

    found = bars_of(scene.visible())
    height = min(0.6, 0.9 / max(len(found), 1))
    large = min(1.0, plotter.window_size[0] / WIDE)
    for k, (quantity, _) in enumerate(found):
        low, high = quantity.range
        table = LookupTable(quantity.colours, scalar_range=(low, high if high > low else low + 1))
        words = fill(quantity.label.partition(",")[0], 16)
        bar = plotter.add_scalar_bar(
            title=f"{words}\n({quantity.unit})" if quantity.unit else words,
            mapper=_mapper(table),
            color="black",
            vertical=True,
            position_x=0.87,
            position_y=0.5 - height * len(found) / 2 + height * (len(found) - 1 - k),
            height=0.92 * height,
            width=0.08,
            title_font_size=round((26 if len(found) == 1 else 20) * large),
            label_font_size=round((24 if len(found) == 1 else 18) * large),
            n_labels=5 if len(found) < 3 else 3,
            fmt=number_format(low, high),
            render=False,
        )
        bar.SetVerticalTitleSeparation(round(GAP * large))  # else its top number touches the unit


def _mapper(table: Any) -> Any:
    from pyvista import DataSetMapper

    mapper = DataSetMapper()
    mapper.lookup_table = table
    mapper.scalar_range = table.scalar_range
    return mapper


def number_format(low: float, high: float) -> str:
    """Return the printf format in which the ends of a bar differ and are short."""
    size = max(abs(low), abs(high))
    if size == 0:
        return "%.1f"
    if size >= 1e4 or size < 1e-2:
        return "%.1e"
    return "%.0f" if size >= 100 else "%.1f" if size >= 10 else "%.2f" if size >= 0.5 else "%.3f"


def point_camera(scene: Scene, plotter: Any, view: str | ArrayLike | None = None) -> None:
    """Point the camera of a plotter at what a scene is about, all its devices in the picture."""
    towards = np.array(scene.view if view is None else direction(view))
    up = np.array((0.0, 0.0, 1.0) if abs(towards[2]) < 0.9 else (0.0, 1.0, 0.0))
    seen = scene.visible()
    about = (
        [x for x in seen if x.name in scene.focus]
        or [x for x in seen if x.group == "head"]
        or list(seen)
    )
    box = scene.extent(about) * MM
    centre, length = box.mean(axis=0), float(np.linalg.norm(box[1] - box[0]))
    devices = [x.points for x in seen if x.group == "device" and len(x.points)]
    width, height = plotter.window_size
    away = max(LOOSE * length, _far_enough(devices, centre, towards, up, width / height))
    plotter.camera_position = [tuple(centre + towards * away), tuple(centre), tuple(up)]
    plotter.camera.view_angle = ANGLE
    plotter.reset_camera_clipping_range()


def _far_enough(
    devices: Sequence[NDArray[np.float32]],
    centre: NDArray[np.float64],
    view: NDArray[np.float64],
    up: NDArray[np.float64],
    aspect: float,
) -> float:
    """Return how far off (mm) the camera sees every device whole."""
    if not devices:
        return 0.0
    seen = np.concatenate(devices).astype(np.float64) * MM - centre
    right = np.cross(up, view) / np.linalg.norm(np.cross(up, view))
    upward, across = np.abs(seen @ np.cross(view, right)), np.abs(seen @ right)
    half = np.tan(np.deg2rad(ANGLE / 2))
    least = seen @ view + 1.03 * np.maximum(upward, across / aspect) / half
    return float(least.max())
