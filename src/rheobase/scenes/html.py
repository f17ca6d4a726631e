"""A scene as a page that needs nothing beside it: turned, zoomed and peeled in any browser.

The page holds the viewer of vtk.js that trame-vtk ships, the layers as it takes them, and a panel
with a switch and an opacity for each layer and a bar with a unit for each quantity.
"""

from __future__ import annotations

import base64
import io
import json
import tempfile
import zipfile
from dataclasses import replace
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.scenes.derived import plane
from rheobase.scenes.drawing import bars_of
from rheobase.scenes.field import rounded, volume_of
from rheobase.scenes.head import clustered
from rheobase.scenes.kept import kept_drawing
from rheobase.scenes.picture import HasScene, as_scene, call_child
from rheobase.scenes.scene import Layer, Quantity, Scene, direction

MOST = 22_000  # triangles of a layer without values, about
ARROWS = 600
POINTS_PER_MM = 64.0  # to which positions are rounded
BITS, NORMAL_BITS = 9, 5  # of the mantissa of values and of normals
STEPS = 24  # colours in a bar


def export_html(
    source: Scene | HasScene | Path | str,
    *,
    view: str | ArrayLike | None = None,
    time: float | None = None,
) -> str:
    """Return a scene as one HTML page that works without a network.

    Surfaces without values are thinned, volumes become three slices through the point of interest,
    what changes is shown at one time.

    Parameters
    ----------
    source
        A scene, a result, or the path of a ``scene.h5``.
    view, time
        As for `rheobase.scenes.picture`.

    Raises
    ------
    InputError
        If the source is no scene, or VTK cannot be loaded here.
    """
    scene = as_scene(source)
    job = {"view": None if view is None else direction(view), "time": time, "page": True}

    def made() -> bytes:
        few = light(scene)
        with tempfile.TemporaryDirectory() as folder:
            if not call_child(few, job, Path(folder)):
                raise InputError("no page of the scene: VTK cannot be loaded here")
            index = (Path(folder) / "index.json").read_bytes()
        return page(few, index).encode()

    return kept_drawing(scene, {**job, "panel": _panel()}, ".html", made).decode()


def _panel() -> str:
    """Return the template of what stands beside the scene."""
    return files("rheobase").joinpath("data/scene.html").read_text(encoding="utf-8")


def light(scene: Scene) -> Scene:
    """Return a scene as small as a page wants it."""
    layers: list[Layer] = []
    for layer in scene.layers:
        if layer.kind == "volume":
            layers += _planes(layer, scene)
        elif layer.kind == "surface":
            layers.append(_fewer(layer))
        else:
            layers.append(_some(layer) if layer.kind == "arrows" else layer)
    return replace(scene, layers=tuple(x for x in layers if len(x.points)))


def _planes(layer: Layer, scene: Scene) -> list[Layer]:
    _, affine = volume_of(layer)
    if not np.allclose(affine[:3, :3], np.diag(np.diag(affine[:3, :3]))):
        return []
    low, high = scene.extent([layer])
    at = (low + high) / 2 if scene.point is None else np.array(scene.point)
    cut = [plane(layer, axis, float(at[k])) for k, axis in enumerate(("x", "y", "z"))]  # type: ignore[arg-type]
    return [p.but(visible=layer.visible, name=p.name.partition(", ")[2]) for p in cut]


def _fewer(layer: Layer) -> Layer:
    """Return a surface with only what is shown, thinned where it has no values."""
    shown = {} if layer.shown is None else {layer.shown: layer.quantities[layer.shown]}
    assert layer.cells is not None  # Layer
    if shown or len(layer.cells) <= MOST:
        return layer.but(quantities=shown)
    points, cells = clustered(layer.points, layer.cells, MOST)
    return layer.but(points=points, cells=cells, quantities={}, times=None)


def _some(layer: Layer) -> Layer:
    """Return fewer arrows."""
    n = len(layer.points)
    if layer.vectors is None or layer.vectors.ndim > 2 or n <= ARROWS:
        return layer
    kept = np.linspace(0, n - 1, ARROWS).astype(int)
    few = {k: replace(q, values=q.values[..., kept]) for k, q in layer.quantities.items()}
    return layer.but(points=layer.points[kept], vectors=layer.vectors[kept], quantities=few)


def encode(plotter: Any) -> dict[str, Any]:
    """Return what a plotter shows, as the viewer of vtk.js takes it."""
    from trame_vtk.modules.vtk.serializers import (  # type: ignore[import-untyped]
        SynchronizationContext,
        extract_array_hash,
        initialize_serializers,
        reference_id,
        serialize,
    )

    for actor in plotter.renderer.actors.values():
        if hasattr(actor, "mapper"):
            actor.mapper.dataset = _slim(actor.mapper.dataset)
    initialize_serializers()
    context = SynchronizationContext()
    context.set_ignore_last_dependencies(True)
    window = plotter.render_window
    scene = serialize(None, window, reference_id(window), context, 1)
    camera = plotter.renderer.camera
    scene["extra"] = {
        "vtkRefId": reference_id(window),
        "centerOfRotation": camera.GetFocalPoint(),
        "camera": reference_id(camera),
    }
    scene["behaviors"] = {"autoOrientation": 1}
    hashes = {
        entry["hash"]: {**entry, "content": context.get_cached_data_array(entry["hash"], False)}
        for entry in extract_array_hash(scene)
    }
    return {"scene": scene, "hashes": hashes}


def _slim(drawn: Any) -> Any:
    """Return a copy that is rounded where a page need not be exact: small when compressed."""
    data = drawn.copy()
    data.points = np.rint(np.asarray(data.points, np.float32) * POINTS_PER_MM) / POINTS_PER_MM
    for values in data.point_data.values():
        if values.dtype == np.float32:
            values[:] = rounded(values, BITS if values.ndim == 1 else NORMAL_BITS)
    return data


def page(scene: Scene, index: bytes) -> str:
    """Return the page of an encoded scene (JSON)."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        archive.writestr("index.json", index)
    data = base64.b64encode(packed.getvalue()).decode()
    viewer = files("trame_vtk").joinpath("tools/static_viewer.html").read_text(encoding="utf-8")
    start, end = viewer.split("</body>")
    title = f"<title>{escape(scene.title)}</title>"
    old = start[start.index("<title>") : start.index("</title>") + len("</title>")]
    start = start.replace(old, title, 1)
    panel = _panel()
    layers = [
        {"name": x.name, "visible": x.visible, "opacity": x.opacity, "group": x.group}
        for x in scene.layers
    ]
    for mark, text in {
        "@BARS@": "".join(_bar(*found) for found in bars_of(scene.layers)),
        "@LAYERS@": json.dumps(layers).replace("</", "<\\/"),
        "@DATA@": data,
    }.items():
        panel = panel.replace(mark, text)
    return f"{start}{panel}</body>{end}"


def _bar(quantity: Quantity, layers: tuple[str, ...]) -> str:
    """Return a bar with its ends, its name and its unit; it is seen while one of the layers is."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    shades: NDArray[Any] = colormaps[quantity.colours](np.linspace(0, 1, STEPS))
    stops = ", ".join(to_hex(rgba) for rgba in shades)
    low, high = quantity.range
    names = escape(json.dumps(layers), quote=True)
    return (
        f'<div class="bar" data-layers="{names}"><div>{escape(quantity.title)}</div>'
        f'<div style="height:12px;background:linear-gradient(to right, {stops})"></div>'
        f'<div class="ends"><span>{low:.3g}</span><span>{(low + high) / 2:.3g}</span>'
        f"<span>{high:.3g}</span></div></div>"
    )
