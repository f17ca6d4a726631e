"""The page: a session behind a trame server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.resources import files
from time import perf_counter
from typing import Any
from uuid import uuid4

import numpy as np

from rheobase._errors import InputError
from rheobase.scenes.drawing import number_format
from rheobase.viewer import controls, parts
from rheobase.viewer.device_panel import START, DevicePanel
from rheobase.viewer.drawn import Drawing
from rheobase.viewer.rays import Hit
from rheobase.viewer.session import Session
from rheobase.viewer.slice_images import moved_point, slice_images
from rheobase.viewer.stage import AXES, Clip
from rheobase.viewer.work import Work

TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)  # parts of a bar that are named
PAUSE = 0.12  # s between frames of an animation, at least


class Page:
    """A session as a page in a browser.

    Parameters
    ----------
    session
        What is looked at.
    drawing
        Who draws: "browser" sends geometry to vtk.js, and the server needs no OpenGL; "server"
        sends pictures.
    """

    def __init__(self, session: Session, *, drawing: Drawing = "browser") -> None:
        from trame.app import get_server

        self.session = session
        self.drawing = drawing
        self.server = get_server(f"rheobase-{uuid4().hex[:8]}", client_type="vue3")
        self.state = self.server.state
        self.work = Work(self.state)
        self.device = DevicePanel(self)
        self._first = session.stage.scene
        self._cameras = session.stage.cameras()
        self._play: asyncio.Task[None] | None = None
        self._view: Any = None
        self._start()
        self._build()
        self._watch()

    # what the page starts with

    def _start(self) -> None:
        scene, limits = self._first, self.session.limits()
        low, high = np.array(limits["low"]), np.array(limits["high"])
        point = np.array(scene.point) * 1e3 if scene.point is not None else (low + high) / 2
        at = np.clip(np.rint(point), low, high).tolist()
        times = limits.pop("times_ms")
        bare = limits["has_field"] and not any(x.group == "field" for x in scene.visible())
        self.state.update(
            {
                **limits,
                "title": scene.title,
                "trame__title": f"rheobase: {scene.title}",
                "tab": "layers",
                "left_open": True,
                "right_open": True,
                "press": [0, 0],
                "groups": self.session.layers(),
                "peel": 0,
                "peel_words": "nothing",
                "clip_axis": "",
                "clip_mm": 0,
                "clip_above": False,
                "cut_field": False,
                **{f"slice_{a}": bare for a in AXES},
                **{f"slice_{a}_mm": c for a, c in zip(AXES, at, strict=True)},
                "iso": False,
                "iso_level": limits["field_top"] / 2,
                "iso_words": "",
                "arrows": False,
                "lines": False,
                "bars": self._bars(),
                "times": times,
                "frame": 0,
                "time_words": f"{times[0]:.4g} ms" if times else "",
                "playing": False,
                "facts": [],
                "images": [],
                "point": (point * 1e-3).tolist(),
                "error": "",
                "error_open": False,
                "busy": "",
                "busy_part": -1,
                "status": self.status,
                **START,
            }
        )
        self.state.client_only("press", "left_open", "right_open", "tab")

    @property
    def status(self) -> str:
        """How much is drawn, and by whom."""
        where = "in this browser" if self.drawing == "browser" else "on the server"
        return f"{self.session.stage.triangles:,} triangles, drawn {where}"

    def _build(self) -> None:
        from trame.ui.vuetify3 import VAppLayout
        from trame.widgets import client
        from trame.widgets import vuetify3 as v

        with VAppLayout(self.server) as layout:
            own = files("rheobase.viewer")
            client.Style(own.joinpath("page.css").read_text("utf-8"))
            client.Script(own.joinpath("page.js").read_text("utf-8"))
            parts.top_bar(self)
            controls.left_panel(self)
            parts.right_panel(self)
            with v.VMain(style="height:100vh"):
                parts.middle(self)
        self.layout = layout

    def add_view(self) -> None:
        """Add the view itself."""
        from trame.widgets import vtk

        window = self.session.stage.plotter.render_window
        if self.drawing == "browser":
            self._view = vtk.VtkLocalView(window, ref="view")
        else:
            self._view = vtk.VtkRemoteView(window, ref="view", interactive_ratio=0.6)

    def view_click(self, name: str) -> Any:
        """Return what a click on a named view does."""
        if self.drawing == "browser":
            self.state[f"camera_{name}"] = self._cameras[name]
            return f"trame.refs.view.setCamera(camera_{name})"
        return (self.look_from, f"['{name}']")

    def look_from(self, name: str) -> None:
        """Turn the server's camera."""
        self.session.stage.camera(name)
        self._view.update()

    # callbacks

    def _watch(self) -> None:
        state = self.state
        self.server.controller.trigger("rheobase_click")(self.click)
        state.change("peel")(self.work.told(self._peel))
        state.change("clip_axis", "clip_mm", "clip_above", "cut_field")(self.work.told(self._clip))
        for axis in AXES:
            state.change(f"slice_{axis}", f"slice_{axis}_mm")(self.work.told(self._slicer(axis)))
        state.change("iso", "iso_level")(self.work.told(self._isosurface))
        state.change("arrows")(self.work.told(self._arrows))
        state.change("lines")(self.work.told(self._lines))
        state.change("frame")(self.work.told(self._frame))
        state.change("placing")(self.work.told(self.device.placing))
        self.server.controller.on_server_ready.add_task(self._ready)

    async def _ready(self, **_: Any) -> None:
        """Do what needs no haste once the page can be seen: slices, and the device to move."""
        with self.state:
            self.work.told(self._slices)()
        for axis in AXES:
            if self.state[f"slice_{axis}"]:
                self.work.told(self._slicer(axis))()
        await self.device.open()

    def _update(self) -> None:
        """Send what has changed to all pages."""
        with self.state:
            self.state.groups = self.session.layers()
            self.state.bars = self._bars()
            self.state.status = self.status
        self._view.update()

    def redraw(self) -> None:
        """Draw all that depends on the field again."""
        with self.state:
            self.work.told(self._slices)()
        self._update()

    def show(self, name: str, visible: bool) -> None:
        """Show or hide a layer."""
        self.work.told(self.session.stage.show)(name, visible)
        self._update()

    def shows(self, name: str, quantity: str) -> None:
        """Colour a layer by another quantity."""
        self.work.told(self.session.stage.shows)(name, quantity)
        self._update()

    def fade(self, name: str, opacity: float) -> None:
        """Give a layer an opacity."""
        self.work.told(self.session.stage.fade)(name, opacity)
        self._update()

    def limits(self, layers: list[str], low: Any, high: Any) -> None:
        """Give a bar other ends."""
        self.work.told(self._limits)(layers, low, high)
        self._update()

    def _limits(self, layers: list[str], low: Any, high: Any) -> None:
        try:
            ends = float(low), float(high)
        except (TypeError, ValueError):
            raise InputError(f"expected two numbers, got {low!r} and {high!r}") from None
        self.session.stage.limits(layers, *ends)
        self._slices()

    def _peel(self) -> None:
        stage, count = self.session.stage, int(self.state.peel)
        shells = stage.shells()
        if count:
            stage.peel(count - 1)
            self.state.peel_words = f"to {shells[count - 1]}"
        else:
            for name in shells:
                stage.fade(name, self._first[name].opacity)
                stage.show(name, self._first[name].visible)
            self.state.peel_words = "nothing"
        self._update()

    def _clip(self) -> None:
        s = self.state
        if not s.clip_axis:
            self.session.stage.clip(None)
        else:
            k = AXES.index(s.clip_axis)
            at = min(max(float(s.clip_mm), s.low[k]), s.high[k])
            self.session.stage.clip(
                Clip(
                    axis=s.clip_axis, at=1e-3 * at, above=(self._first.view[k] >= 0) != s.clip_above
                ),
                shows="field" if s.cut_field else "tissue",
            )
        self._update()

    def _slicer(self, axis: Any) -> Callable[[], None]:
        def cut() -> None:
            at = (
                1e-3 * float(self.state[f"slice_{axis}_mm"])
                if self.state[f"slice_{axis}"]
                else None
            )
            self.session.stage.slice(axis, at)
            self.session.stage.see_inside()
            self._update()

        return cut

    def _isosurface(self) -> None:
        level, unit = float(self.state.iso_level), self.state.field_unit
        self.state.iso_words = f"{level:.3g} {unit}"
        self.session.stage.isosurface(level if self.state.iso else None)
        self.session.stage.see_inside()
        self._update()

    def _arrows(self) -> None:
        self.session.stage.arrows(bool(self.state.arrows))
        self.session.stage.see_inside()
        self._update()

    def _lines(self) -> None:
        self.session.stage.streamlines(bool(self.state.lines))
        self.session.stage.see_inside()
        self._update()

    def _frame(self) -> None:
        times = self.state.times
        if times:
            time = times[int(self.state.frame)]
            self.state.time_words = f"{time:.4g} ms"
            self.session.stage.at_time(1e-3 * time)
            self._view.update()

    def play(self) -> None:
        """Play the times, or stop."""
        self.state.playing = not self.state.playing
        if self.state.playing and self._play is None:
            self._play = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            while self.state.playing:
                start = perf_counter()
                with self.state:
                    self.state.frame = (int(self.state.frame) + 1) % len(self.state.times)
                await asyncio.sleep(max(PAUSE - (perf_counter() - start), 0.01))
        finally:
            self._play = None

    # the point

    async def click(self, camera: Any, at: list[float], size: list[float]) -> None:
        """Tell what is where a person clicked, or put the device there."""
        if camera is None:  # the server draws and has the camera
            camera = self.session.stage.camera_now()
        try:
            if self.state.placing:
                await self.device.place(self.session.scalp_point(camera, at, size))
                return
            hit = self.session.hit(camera, at, size)
        except InputError as error:
            self.work.tell(error)
            return
        found = None if hit is None else await self.work.slow("", self.session.facts, hit)
        if found is not None:
            facts, rows = found
            self.state.facts = rows
            self.work.told(self._slices)(list(facts.point))
            self._mark()

    def click_slice(self, k: int, part: list[float]) -> None:
        """Move the point to where a person clicked in a slice."""
        self.work.told(self._move_point)(int(k), part)
        self._mark()

    def _mark(self) -> None:
        self.session.stage.mark(self.state.point)
        self._update()

    def _move_point(self, k: int, part: list[float]) -> None:
        image = self.state.images[k]
        point = moved_point(image, self.state.point, *part)
        _, self.state.facts = self.session.facts(
            Hit(layer=f"{image['name']} slice", point=np.array(point))
        )
        self._slices(point)

    def _slices(self, point: list[float] | None = None) -> None:
        if not self.state.has_field:
            return
        at = self.state.point if point is None else point
        images = [i.as_dict() for i in slice_images(self.session.stage.scene, at)]
        self.state.point, self.state.images = at, images

    def _bars(self) -> list[dict[str, Any]]:
        found = []
        for bar in self.session.stage.bars:
            low, high = bar["low"], bar["high"]
            form = number_format(low, high)
            ticks = [
                {"part": p, "text": form % (low + p * (high - low))}
                for p in (0, 0.25, 0.5, 0.75, 1)
            ]
            colours = ", ".join(bar["colours"])
            found.append(
                {
                    **bar,
                    "ticks": ticks,
                    "gradient": f"linear-gradient(to top, {colours})",
                    "low_text": f"{low:.4g}",
                    "high_text": f"{high:.4g}",
                }
            )
        return found
