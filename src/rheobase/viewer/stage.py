"""A scene in a plotter whose layers are shown, faded, cut and coloured one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.scenes.derived import arrows, isosurface, plane, streamlines
from rheobase.scenes.drawing import MM, add_data, add_layer, bars_of, dataset, point_camera
from rheobase.scenes.head import SHELLS
from rheobase.scenes.scene import VIEWS, Layer, Scene
from rheobase.viewer.facts import field_volume, tissue_volume
from rheobase.viewer.made import in_brain, same_colours, thinned
from rheobase.viewer.rays import Hit, Rays
from rheobase.viewer.slice_images import inside_brain

Floats = NDArray[np.float64]
Axis = Literal["x", "y", "z"]
AXES: tuple[Axis, ...] = ("x", "y", "z")

#: Layers that are made of the field's volume when they are asked for.
CUT, ISOSURFACE, ARROWS, LINES = "cut face", "isosurface", "arrows", "streamlines"
POINT = "point"
SLICES: dict[Axis, str] = {axis: f"slice {axis}" for axis in AXES}
FLAT = (CUT, *SLICES.values())  # in their own colours, whatever the light
MADE = (CUT, ISOSURFACE, ARROWS, LINES, POINT, *SLICES.values())
THROUGH = 0.25  # opacity of a surface of the field when something within it is shown
SOLID = 0.5  # opacity from which a layer is what a click means


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """A plane across an axis at a coordinate (m); what is ``above`` it goes, or what is below."""

    axis: Axis
    at: float
    above: bool = True


class Stage:
    """A scene being looked at.

    Parameters
    ----------
    scene
        The scene; its hidden layers can be shown.
    plotter
        A `pyvista.Plotter`; an off-screen one without, whose window is never asked to draw.

    Attributes
    ----------
    scene
        The scene as it is looked at now, layers made of the field's volume included.
    """

    def __init__(self, scene: Scene, plotter: Any = None, *, size: tuple[int, int] = (800, 860)):
        import pyvista as pv
        from vtkmodules.vtkCommonCore import vtkLogger

        vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_ERROR)  # it warns where no display is
        self.scene = scene
        self.plotter = plotter or pv.Plotter(off_screen=True, window_size=list(size))
        self.plotter.set_background("white")
        self.time: float | None = None
        self._actors: dict[str, list[Any]] = {}
        self._data: dict[str, Any] = {}
        self._clip: Clip | None = None
        self._cut_shows = "tissue"
        self._through: set[str] = set()
        self._rays = Rays()
        for layer in scene.visible():
            self._draw(layer)
        point_camera(scene, self.plotter)

    @property
    def triangles(self) -> int:
        """Number of triangles and lines that are drawn now."""
        drawn = (self._data[name] for name in self._actors if name in self._data)
        return sum(int(data.n_cells) for data in drawn)

    @property
    def bars(self) -> list[dict[str, Any]]:
        """What stands at the bars: title and unit, ends, colours (``#rrggbb``), and the layers."""
        from matplotlib import colormaps
        from matplotlib.colors import to_hex

        found = []
        for q, layers in bars_of([x for x in self.scene.visible() if x.name in self._actors]):
            low, high = q.range
            steps = [to_hex(colormaps[q.colours](s)) for s in np.linspace(0, 1, 13)]
            bar = {"title": q.title, "low": low, "high": high, "colours": steps}
            found.append({**bar, "layers": list(layers)})
        return found

    def show(self, name: str, visible: bool = True) -> None:
        """Show or hide a layer."""
        self._set(self.scene[name].but(visible=visible))
        self._update_cut()

    def shows(self, name: str, quantity: str) -> None:
        """Colour a layer by another of its quantities."""
        self._set(self.scene[name].but(shown=quantity))

    def fade(self, name: str, opacity: float) -> None:
        """Give a layer an opacity from 0 to 1."""
        layer = self.scene[name].but(opacity=float(opacity))
        self.scene = self.scene.with_layers(layer)
        for actor in self._actors.get(name, ()):
            actor.prop.opacity = layer.opacity

    def see_inside(self) -> None:
        """Let opaque surfaces of the field be seen through while something within them is shown."""
        inner = any(name in self._actors for name in (*SLICES.values(), ISOSURFACE, ARROWS, LINES))
        for layer in self.scene.group("field"):
            if layer.kind != "surface" or layer.name in MADE:
                continue
            if inner and layer.visible and layer.opacity == 1.0:
                self.fade(layer.name, THROUGH)
                self._through.add(layer.name)
            elif not inner and layer.name in self._through:
                self._through.discard(layer.name)
                if layer.opacity == THROUGH:  # nobody has chosen another one
                    self.fade(layer.name, 1.0)

    def peel(self, count: int) -> None:
        """Hide the outermost shells of the head, so many of them, and show the next one solid."""
        shells = self.shells()
        for k, name in enumerate(shells):
            layer = self.scene[name]
            if k == count and not layer.visible:
                layer = layer.but(opacity=1.0)
            self._set(layer.but(visible=k == count))
        self._update_cut()

    def shells(self) -> list[str]:
        """Return the shells of the head that can be peeled, the outermost first."""
        known = {layer.name for layer in self.scene.group("head")}
        return [name for name in list(SHELLS)[::-1] if name in known]

    def limits(self, names: Sequence[str], low: float, high: float) -> None:
        """Give layers that show a quantity other ends of their colours.

        Raises
        ------
        InputError
            If the ends are not two finite numbers, the lower one first.
        """
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise InputError(f"expected two limits, the lower first, got {low:g} and {high:g}")
        for layer in map(self.scene.__getitem__, names):
            of, shown = layer.quantity, layer.shown
            if of is not None and shown is not None:
                new = {**layer.quantities, shown: replace(of, limits=(low, high))}
                self._set(layer.but(quantities=new))

    def at_time(self, time: float) -> None:
        """Draw what changes as it is at a time (s)."""
        self.time = float(time)
        for layer in self.scene.visible():
            if layer.times is not None:
                self._draw(layer)

    def clip(self, clip: Clip | None, *, shows: str = "tissue") -> None:
        """Take away what is on one side of a plane, and show what is on the cut.

        Parameters
        ----------
        clip
            The plane; nothing is taken away if None.
        shows
            What the cut shows: "tissue" or "field".
        """
        self._clip, self._cut_shows = clip, shows
        for layer in self.scene.visible():
            if self._clipped(layer):
                self._draw(layer)
        self._update_cut()

    def slice(self, axis: Axis, at: float | None) -> None:
        """Show the field on a plane at a coordinate (m), or no longer if None."""
        name = SLICES[axis]
        volume = field_volume(self.scene)
        if at is None or volume is None:
            self._remove(name)
            return
        self._set(plane(volume, axis, at, name=name, tissues=inside_brain(volume)))

    def isosurface(self, level: float | None) -> None:
        """Show where the field has a value (its unit), or no longer if None."""
        volume = field_volume(self.scene)
        if level is None or volume is None:
            self._remove(ISOSURFACE)
            return
        masked = in_brain(volume)
        self._set(isosurface(masked, level, name=ISOSURFACE, colour="#d55e00", opacity=0.55))

    def arrows(self, shown: bool) -> None:
        """Show or hide arrows along the field in the brain."""
        self._made(ARROWS, shown, lambda v: same_colours(arrows(v, name=ARROWS), v))

    def streamlines(self, shown: bool) -> None:
        """Show or hide lines along the field."""
        self._made(LINES, shown, lambda v: same_colours(thinned(streamlines(v, name=LINES)), v))

    def replace(self, scene: Scene) -> None:
        """Go on with another scene of the same head; who is visible stays as it was chosen."""
        old = {layer.name: layer for layer in self.scene.layers}
        made = [name for name in MADE if name in self.scene]
        for name in list(self._actors):
            self._erase(name)
        kept = []
        for layer in scene.layers:
            was = old.get(layer.name)
            kept.append(
                layer if was is None else layer.but(visible=was.visible, opacity=was.opacity)
            )
        self.scene = replace(scene, layers=tuple(kept))
        for layer in self.scene.visible():
            self._draw(layer)
        for name in made:
            self._make_again(name, old[name])
        self._update_cut()

    def mark(self, point: Sequence[float] | None) -> None:
        """Show a point (m) as a ball, or none."""
        if point is None:
            self._remove(POINT)
            return
        at = np.array([point], dtype=np.float32)
        self._set(
            Layer(
                name=POINT, kind="points", group="device", points=at, radius=2e-3, colour="#d91a1a"
            )
        )

    def hit(self, origin: Floats, direction: Floats) -> Hit | None:
        """Return what a ray (mm) first meets of what is drawn; faint layers only if nothing else.

        Parameters
        ----------
        origin, direction
            Shape (3,).
        """
        drawn = {n: self._data[n] for n in self._actors if n in self._data and n != POINT}
        solid = {n: d for n, d in drawn.items() if self.scene[n].opacity >= SOLID}
        return self._rays.hit(solid, origin, direction) or self._rays.hit(drawn, origin, direction)

    def hit_layer(self, name: str, origin: Floats, direction: Floats) -> Hit | None:
        """Return where a ray (mm) meets a layer, drawn or not."""
        data = self._data.get(f"whole {name}")
        if data is None:
            data = self._data[f"whole {name}"] = dataset(self.scene[name])
        return self._rays.hit({name: data}, origin, direction)

    def camera(self, view: str) -> dict[str, Any]:
        """Return the camera of a named view as vtk.js takes it."""
        point_camera(self.scene, self.plotter, None if view == "start" else view)
        return self.camera_now()

    def camera_now(self) -> dict[str, Any]:
        """Return the camera of the plotter as vtk.js tells its own."""
        at, focus, up = self.plotter.camera_position
        return {
            "position": list(at),
            "focalPoint": list(focus),
            "viewUp": list(up),
            "viewAngle": self.plotter.camera.view_angle,
            "parallelProjection": False,
        }

    def cameras(self) -> dict[str, dict[str, Any]]:
        """Return the cameras of all named views; that of the scene last, as it is set then."""
        return {view: self.camera(view) for view in (*VIEWS, "start")}

    def _made(self, name: str, shown: bool, make: Any) -> None:
        volume = field_volume(self.scene)
        if not shown or volume is None:
            self._remove(name)
        else:
            self._set(make(volume).but(visible=True))

    def _make_again(self, name: str, old: Layer) -> None:
        for axis, slice_ in SLICES.items():
            if name == slice_ and len(old.points):
                self.slice(axis, float(old.points[0, AXES.index(axis)]))
        if name == ARROWS:
            self.arrows(True)
        elif name == LINES:
            self.streamlines(True)

    def _set(self, layer: Layer) -> None:
        """Put a layer into the scene and draw it as it is."""
        self.scene = self.scene.with_layers(layer)
        if layer.visible:
            self._draw(layer)
        else:
            self._erase(layer.name)

    def _remove(self, name: str) -> None:
        self._erase(name)
        self.scene = self.scene.without(name)

    def _erase(self, name: str) -> None:
        for actor in self._actors.pop(name, ()):
            self.plotter.remove_actor(actor, render=False)
        self._data.pop(name, None)
        self._data.pop(f"whole {name}", None)

    def _draw(self, layer: Layer) -> None:
        self._erase(layer.name)
        if layer.kind == "volume":
            self._actors[layer.name] = add_layer(self.plotter, layer, self.scene, time=self.time)
            return
        data = dataset(layer, time=self.time)
        if data is not None and self._clip is not None and self._clipped(layer):
            data = _half(data, self._clip)
        if data is None or not data.n_cells:
            return
        self._data[layer.name] = data
        actor = add_data(self.plotter, layer, data)
        if layer.name in FLAT:
            actor.prop.ambient, actor.prop.diffuse, actor.prop.specular = 1.0, 0.0, 0.0
        self._actors[layer.name] = [actor]

    def _clipped(self, layer: Layer) -> bool:
        return layer.group != "device" and layer.name not in FLAT

    def _update_cut(self) -> None:
        volume = tissue_volume(self.scene) or field_volume(self.scene)
        if self._clip is None or volume is None:
            self._remove(CUT)
            return
        key = "tissue" if self._cut_shows == "tissue" and "tissue" in volume.quantities else None
        face = plane(
            volume,
            self._clip.axis,
            self._clip.at,
            name=CUT,
            quantity=key,
            tissues=self._within_visible(volume) if key else inside_brain(volume),
        )
        self._set(face)

    def _within_visible(self, volume: Layer) -> tuple[str, ...] | None:
        """Return the names of the tissues within the outermost shell that is shown."""
        order = list(SHELLS)
        shown = [n for n in self.shells() if self.scene[n].visible]
        cortex = [x for x in self.scene.visible() if x.group == "field" and x.kind == "surface"]
        if shown:
            outermost = max(order.index(n) for n in shown)
        elif cortex:
            outermost = order.index("grey matter")
        else:
            return None
        inner = {t.replace("_", " ") for name in order[: outermost + 1] for t in SHELLS[name]}
        names = [c.name for c in volume.quantities["tissue"].categories.values()]
        return tuple(n for n in names if n in inner) or None


def _half(data: Any, clip: Clip) -> Any:
    """Return what a plane leaves of a data set (mm)."""
    normal = [0.0, 0.0, 0.0]
    normal[AXES.index(clip.axis)] = 1.0
    origin = [clip.at * MM * n for n in normal]
    return data.clip(normal=normal, origin=origin, invert=clip.above)
