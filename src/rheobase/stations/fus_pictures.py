"""Pictures of a study of focused ultrasound."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase.fus_views import BeamPlane, draw_axis, draw_beam, draw_course
from rheobase.stations.fus_focus import tissue_names
from rheobase.views import AXES, draw_slice, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.stations.fus_focus import Focused
    from rheobase.stations.fus_heat import Warmed
    from rheobase.stations.fus_scene import Scene
    from rheobase.stations.fus_sound import Heard

Floats = NDArray[np.float64]

FAINT = 0.08  # of the peak: what is weaker shows the head alone
LABELS = 0.7  # inches of a panel's width


def planes(scene: Scene) -> tuple[BeamPlane, BeamPlane]:
    """Return the planes along the beam through the target: depth to the right, x and y up."""
    low, high, at = scene.window.low, scene.window.high, scene.target_in_beam
    return tuple(
        BeamPlane(
            axes=(2, up),
            at=float(at[1 - up]),
            low=(float(low[2]), float(low[up])),
            high=(float(high[2]), float(high[up])),
        )
        for up in (0, 1)
    )  # type: ignore[return-value]


def beam_picture(scene: Scene, heard: Heard, found: list[Focused]) -> Figure:
    """Draw the pressure in two planes, a row for every way to drive the elements."""
    from matplotlib.colors import Normalize

    rows = len(heard.sounds)
    size = scene.window.high - scene.window.low
    width, ratio = 6.6, float(max(size[:2]) / size[2])
    figure = new_figure(2 * width + 1.2, rows * ((width - LABELS) * ratio + 0.9))
    panels = figure.subplots(rows, 2, squeeze=False)
    top = 1e-3 * max(f.focus.peak for f in found[1:])
    # sound in the skull may be louder than the focus: it saturates
    norm = Normalize(0.0, top)
    for row, sound, focused in zip(panels, heard.sounds, found[1:], strict=True):
        marks = {"target": scene.target_in_beam, "peak": focused.focus.position}
        for panel, plane in zip(row, planes(scene), strict=True):
            shown = draw_beam(
                panel,
                plane,
                lambda p: tissue_names(scene, p),
                lambda p, f=sound.field: 1e-3 * scene.amplitude(f, p),  # type: ignore[misc]
                norm=norm,
                contour=0.5e-3 * focused.focus.peak,
                within=lambda p: scene.material.layers.layers(p) == len(scene.material.kinds) - 1,
                marks=marks,
            )
            panel.set_title(
                f"{sound.name}: {1e-3 * focused.focus.peak:.0f} kPa, "
                f"{1e3 * focused.off_target:.1f} mm off the target",
                fontsize=10,
            )
    figure.colorbar(
        shown, ax=panels, label="pressure amplitude (kPa)", shrink=0.9, extend="max", aspect=30
    )
    return figure


def axis_picture(scene: Scene, heard: Heard) -> Figure:
    """Draw the pressure along the beam through the target."""
    figure = new_figure(8.0, 4.2)
    window, at = scene.window, scene.target_in_beam
    depth = np.linspace(window.low[2], window.high[2], 500)
    points = np.column_stack([np.full(500, at[0]), np.full(500, at[1]), depth])
    curves = {s.name: np.abs(s.field.sample(points)) for s in heard.sounds}
    curves = {"in water": _water_axis(scene, heard, points), **curves}
    draw_axis(figure.subplots(), depth, curves, float(at[2]))
    return figure


def _water_axis(scene: Scene, heard: Heard, points: Floats) -> Floats:
    from rheobase.fields.acoustics.media import WATER
    from rheobase.fields.acoustics.rayleigh import pressure

    source = scene.transducer.source(velocity=heard.sounds[0].drive)
    ahead = points[:, 2] > source.points[:, 2].max()
    found = np.full(len(points), np.nan)
    P = pressure(source, points[ahead], frequency=scene.frequency, fluid=WATER)
    found[ahead] = np.abs(P)
    return found


def head_picture(scene: Scene, heard: Heard, focused: Focused) -> Figure:
    """Draw three sections of the head through the target, with sound and transducer."""
    from matplotlib.colors import Normalize
    from scipy.spatial import ConvexHull

    from rheobase.meshes.locate import Locator

    head = scene.head
    assert head is not None  # callers
    locator = Locator(head.mesh)
    field = heard.chosen.field
    top = 1e-3 * focused.focus.peak

    def value_at(points: Floats) -> tuple[Floats, NDArray[np.int32]]:
        kPa = 1e-3 * scene.amplitude(field, scene.to_beam(points))
        kPa[kPa < FAINT * top] = np.nan
        return kPa, locator.locate(points)[0]

    extent = np.ptp(head.mesh.nodes, axis=0)
    step = float(extent.max()) / 260
    norm = Normalize(0.0, top)
    outline = scene.to_head(scene.transducer.outline)
    figure = new_figure(14.0, 5.2)
    panels = figure.subplots(1, 3)
    names = [t.name for t in head.tissues.values()]
    for axis, panel in enumerate(panels):
        shown = draw_slice(
            panel, head, value_at, axis=axis, at=float(scene.target[axis]), norm=norm,
            cmap="inferno", tissues=names, step=step,
        )  # fmt: skip
        i, j = [a for a in range(3) if a != axis]
        around = 1e3 * outline[ConvexHull(outline[:, [i, j]]).vertices][:, [i, j]]
        panel.fill(*around.T, facecolor="none", edgecolor="#0072b2", lw=1.2)
        panel.plot(*(1e3 * scene.target[k] for k in (i, j)), "+", color="#00e5ff", ms=9, mew=1.5)
        panel.set(xlabel=AXES[i], ylabel=AXES[j])
        for set_limits, k in ((panel.set_xlim, i), (panel.set_ylim, j)):
            both = 1e3 * np.concatenate([head.mesh.nodes[:, k], outline[:, k]])
            set_limits(both.min() - 0.02 * np.ptp(both), both.max() + 0.02 * np.ptp(both))
    figure.colorbar(shown, ax=panels, label="pressure amplitude (kPa)", shrink=0.8, extend="max")
    return figure


def heat_picture(scene: Scene, warmed: Warmed) -> Figure:
    """Draw the largest rise in two planes, and the course at the probes."""
    from matplotlib.colors import Normalize

    from rheobase.stations.fus_book import on_mesh

    heating = warmed.heating
    size = scene.window.high - scene.window.low
    ratio = float(max(size[:2]) / size[2])
    figure = new_figure(16.5, 5.2 * ratio + 1.6)
    *beams, course = figure.subplots(1, 3, width_ratios=(1, 1, 0.9))
    norm = Normalize(0.0, float(heating.peak_rise.max()))

    def rise(points: Floats) -> Floats:
        return on_mesh(warmed, heating.peak_rise, scene.to_head(points))

    tissues: Callable[[Floats], NDArray[np.str_]] = lambda p: tissue_names(scene, p)  # noqa: E731
    for panel, plane in zip(beams, planes(scene), strict=True):
        shown = draw_beam(
            panel, plane, tissues, rise, norm=norm, cmap="viridis",
            marks={"target": scene.target_in_beam},
        )  # fmt: skip
    figure.colorbar(
        shown, ax=beams, label="largest temperature rise (K)", location="bottom", shrink=0.6,
        aspect=40,
    )  # fmt: skip
    rises = dict(zip(warmed.probes, heating.probe_rise.T, strict=True))
    draw_course(course, heating.times, rises, scene.sonication.times[4])
    return figure
