"""What happens on a page, apart from how the page looks: plain values in, plain values out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import watched
from rheobase.scenes.scene import GROUPS, Layer, Scene
from rheobase.viewer.facts import Facts, FieldMesh, Probe, facts_rows, field_volume
from rheobase.viewer.rays import Hit, camera_ray
from rheobase.viewer.stage import MADE, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rheobase.results import Result
    from rheobase.viewer.bench import Bench, Rig
    from rheobase.viewer.placing import Moved, Way
    from rheobase.viewer.repaint import Canvas

Floats = NDArray[np.float64]
WITHIN = 1e-3  # m from a surface to what a click on it means: its tissue, not the one outside
Rows = list[tuple[str, str]]

#: Titles of the groups of layers.
TITLES = {
    "head": "Head",
    "device": "Device",
    "field": "Field",
    "cells": "Cells",
    "network": "Network",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placement:
    """A moved device, the scene with its field, and what is to be known of it."""

    moved: Moved
    scene: Scene
    rows: Rows


@dataclass(eq=False)
class Session:
    """A result being looked at and worked on.

    Parameters
    ----------
    scene
        Its scene.
    result
        The result, None for a scene alone: nothing can be placed then.
    """

    scene: Scene
    result: Result | None = None
    stage: Stage = field(init=False)
    probe: Probe = field(init=False)
    bench: Bench | None = field(init=False, default=None)
    moved: Moved | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Draw the scene."""
        self.stage = Stage(self.scene)
        self.probe = Probe(scene=self.scene, result=self.result)
        self._canvas: Canvas | None = None

    def layers(self) -> list[dict[str, Any]]:
        """Return what the list of layers shows, by group and in the order of the scene."""
        return [
            {
                "title": TITLES[group],
                "layers": [_row(x) for x in self.stage.scene.group(group) if x.name not in MADE],
            }
            for group in GROUPS
            if any(x.name not in MADE for x in self.stage.scene.group(group))
        ]

    def limits(self) -> dict[str, Any]:
        """Return what sliders go to: extent of the head (mm), range of the field, times (ms)."""
        head = self.scene.group("head")
        low, high = 1e3 * self.scene.extent(head or None)
        volume = field_volume(self.scene)
        return {
            "low": np.floor(low).tolist(),
            "high": np.ceil(high).tolist(),
            **self.field_now(),
            "has_field": volume is not None,
            "has_vectors": volume is not None and volume.vectors is not None,
            "times_ms": (1e3 * self.scene.times()).tolist(),
            "shells": len(self.stage.shells()),
        }

    def field_now(self) -> dict[str, Any]:
        """Return the end of the field's colours and its unit as it is drawn now."""
        volume = field_volume(self.stage.scene)
        of = None if volume is None else volume.quantity
        return (
            {"field_top": 1.0, "field_unit": ""}
            if of is None
            else {
                "field_top": float(of.range[1]),
                "field_unit": of.unit,
            }
        )

    def hit(
        self, camera: Mapping[str, Any], at: Sequence[float], size: Sequence[float]
    ) -> Hit | None:
        """Return where a person clicked, a little within what was hit; None where nothing is."""
        origin, direction = camera_ray(camera, at, size)
        hit = self.stage.hit(origin, direction)
        return None if hit is None else replace(hit, point=hit.point + WITHIN * direction)

    def facts(self, hit: Hit) -> tuple[Facts, Rows]:
        """Return what is at a place that was hit, and the rows of a table that tells it."""
        found = self.probe.at(hit.point)
        return found, [("layer", hit.layer), *facts_rows(found)]

    def scalp_point(
        self, camera: Mapping[str, Any], at: Sequence[float], size: Sequence[float]
    ) -> Floats:
        """Return the point of the scalp (m) where a person clicked.

        Raises
        ------
        InputError
            If the click missed the head.
        """
        shells = self.stage.shells()
        if not shells:
            raise InputError("the scene has no scalp to place a device on")
        hit = self.stage.hit_layer(shells[0], *camera_ray(camera, at, size))
        if hit is None:
            raise InputError("click on the scalp to place the device there")
        return hit.point

    def open_bench(self) -> Bench:
        """Return the head and device of the result, opened when they are first asked for.

        Raises
        ------
        InputError
            If there is no result, or it is of a kind whose device cannot be moved.
        """
        if self.bench is None:
            if self.result is None:
                raise InputError("expected a result to place a device in, got a scene alone")
            from rheobase.viewer.bench import open_bench
            from rheobase.viewer.repaint import Canvas

            self.bench = open_bench(self.result)
            self._canvas = Canvas(bench=self.bench, scene=self.scene)
        return self.bench

    @property
    def rig(self) -> Rig:
        """The device where it is now."""
        return self.moved.rig if self.moved is not None else self.open_bench().rig

    def stands(self) -> dict[str, float]:
        """Return ``angle_deg`` and ``distance_mm`` of the coil where it is; nothing of electrodes.

        Both are rounded to what a person can set.
        """
        from rheobase.viewer.placing import stance

        if self.rig.coil is None:
            return {}
        _, angle, distance = stance(self.open_bench(), self.rig.coil)
        return {"angle_deg": round(angle, 1), "distance_mm": round(distance, 1)}

    def foot(self) -> Floats:
        """Return the place of the scalp (m) under the coil where it is now, shape (3,)."""
        from rheobase.viewer.placing import stance

        assert self.rig.coil is not None  # asked for coils
        return stance(self.open_bench(), self.rig.coil)[0]

    def place(
        self,
        name: str,
        position: str | Floats,
        *,
        angle_deg: float,
        distance_mm: float,
        way: Way,
        tell: Callable[[str, float | None], None],
    ) -> Placement:
        """Move the coil, or an electrode by its name, and solve; `show` then draws it."""
        from rheobase.viewer.placing import place_coil, place_electrode

        bench = self.open_bench()
        with watched(tell):
            if bench.coil is not None:
                moved = place_coil(
                    bench,
                    self.rig,
                    position,
                    handle_angle_deg=angle_deg,
                    distance_mm=distance_mm,
                    way=way,
                )
            else:
                moved = place_electrode(bench, self.rig, name, position, way=way)
        return self._placement(moved)

    def scale(self, amplitude: float) -> Placement:
        """Give the device another amplitude (A/s, or A of every montage); `show` then draws it.

        Raises
        ------
        InputError
            If nothing was placed yet, or the amplitude is not > 0.
        """
        from rheobase._errors import check_positive
        from rheobase.viewer.placing import scaled

        check_positive("amplitude", amplitude)
        if self.moved is None:
            raise InputError("place the device first: its field is then scaled")
        rig = self.moved.rig
        montages = tuple(
            replace(m, currents=tuple(amplitude / m.amplitude * c for c in m.currents))
            for m in rig.montages
        )
        new = replace(rig, dIdt=amplitude, montages=montages)
        return self._placement(scaled(self.open_bench(), self.moved, new))

    def show(self, placement: Placement) -> None:
        """Draw a moved device and its field."""
        self.moved = placement.moved
        field = moved_field(self.open_bench(), placement.moved, placement.scene)
        self.probe = Probe(scene=placement.scene, result=self.result, moved=field)
        self.stage.replace(placement.scene)

    def prepare(self, tell: Callable[[str, float | None], None]) -> None:
        """Solve for the responses that moves are made of at once; they are kept in the cache."""
        with watched(tell):
            self.open_bench().prepare()

    def reset(self) -> None:
        """Go back to the device as the study has it."""
        self.moved = None
        self.probe = Probe(scene=self.scene, result=self.result)
        self.stage.replace(self.scene)

    def _placement(self, moved: Moved) -> Placement:
        from rheobase.viewer.bench_facts import rows_of

        bench = self.open_bench()
        assert self._canvas is not None  # open_bench
        return Placement(moved=moved, scene=self._canvas.repaint(moved), rows=rows_of(bench, moved))


def moved_field(bench: Bench, moved: Moved, scene: Scene) -> FieldMesh:
    """Return the field of a moved device on the mesh, named as the scene names it."""
    from rheobase.meshes.mesh import TetMesh

    mesh, volume = bench.head.mesh, field_volume(scene)
    name = "magnE" if volume is None or volume.shown is None else volume.shown
    return FieldMesh(
        mesh=TetMesh(
            nodes=mesh.nodes[bench.split.node], tets=bench.split.of_tet, labels=mesh.labels
        ),
        labelled=True,
        arrays={name: moved.strength[:, None]},
        locator=bench.locator,  # it has the same tetrahedra
    )


def _row(layer: Layer) -> dict[str, Any]:
    of = layer.quantity
    return {
        "name": layer.name,
        "kind": layer.kind,
        "visible": layer.visible,
        "opacity": layer.opacity,
        "colour": layer.colour if of is None or of.categories else "",
        "title": "" if of is None else of.title,
        "shown": layer.shown,
        "quantities": [{"title": q.title, "value": n} for n, q in layer.quantities.items()],
    }
