"""Pictures of the whole brain: a value of each region on the template's surface, and courses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.views import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.neurons.brain.simulation import Activity
    from rheobase.neurons.brain.spread import Spread

Floats = NDArray[np.float64]

#: Views: side, direction from the brain to the eye, what is up.
VIEWS = {
    "left": ("left", (-1, 0, 0)),
    "left, inner side": ("left", (1, 0, 0)),
    "right, inner side": ("right", (-1, 0, 0)),
    "right": ("right", (1, 0, 0)),
}
GREY = 0.8  # of regions without a value


def brain_maps(
    figure: Any,
    values: ArrayLike,
    *,
    title: str,
    limits: tuple[float, float],
    colours: str = "viridis",
) -> None:
    """Draw a value of each region of the shipped connectome on four views of the cortex.

    Parameters
    ----------
    figure
        Figure or sub-figure to draw in.
    values
        Shape (100,); regions of NaN are grey.
    title
        Name and unit of the value, at the bar.
    limits
        Ends of the colour scale.
    colours
        Colour map.

    Raises
    ------
    InputError
        If there is not one value for each region.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    from rheobase.neurons.brain.connectome import schaefer100_arrays
    from rheobase.neurons.brain.regions import template_surfaces

    label = schaefer100_arrays()["fsaverage5"].astype(np.intp)
    value = np.append(np.nan, np.asarray(values, dtype=np.float64))
    if len(value) != label.max() + 1:
        raise InputError(f"expected {label.max()} values, one a region, got {len(value) - 1}")
    norm, shades = Normalize(*limits), colormaps[colours]
    surfaces = template_surfaces()
    panels = figure.subplots(1, len(VIEWS))
    for panel, (name, (side, eye)) in zip(panels, VIEWS.items(), strict=True):
        points, triangles = surfaces[f"pial_{side}"]
        of = label[: len(points)] if side == "left" else label[-len(points) :]
        inside = of[triangles]
        owner = np.where(inside[:, 1] == inside[:, 2], inside[:, 1], inside[:, 0])
        rgb = shades(norm(value[owner]))[:, :3]
        rgb[np.isnan(value[owner])] = GREY
        _surface(panel, points, triangles, np.array(eye, dtype=np.float64), rgb)
        panel.set_title(name, fontsize=9)
    figure.colorbar(ScalarMappable(norm, shades), ax=list(panels), label=title, shrink=0.8)


def _surface(
    panel: Any, points: Floats, triangles: NDArray[np.int32], eye: Floats, rgb: Floats
) -> None:
    """Draw the triangles that face the eye, the far ones first, lit from there and above."""
    from matplotlib.collections import PolyCollection

    corner = points[triangles] * 1e3
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    outward = np.sign(np.einsum("ni,ni->", normal, corner.mean(axis=1) - corner.mean(axis=(0, 1))))
    facing = outward * normal @ eye
    seen = np.flatnonzero(facing > 0)
    seen = seen[np.argsort(corner[seen].mean(axis=1) @ eye)]
    light = np.clip(0.45 + 0.5 * facing + 0.15 * outward * normal[:, 2], 0, 1)[:, None]
    right = np.cross([0.0, 0.0, 1.0], eye)
    flat = np.stack([corner @ right, corner[..., 2]], axis=-1)
    shown: Any = flat[seen]  # Matplotlib takes one array, its annotations only sequences
    faces = PolyCollection(shown, facecolors=rgb[seen] * light[seen], linewidths=0)
    faces.set_antialiased(False)
    panel.add_collection(faces)
    low, high = flat.reshape(-1, 2).min(axis=0), flat.reshape(-1, 2).max(axis=0)
    panel.set(xlim=(low[0] - 2, high[0] + 2), ylim=(low[1] - 2, high[1] + 2), aspect="equal")
    panel.axis("off")


def draw_courses(
    panel: Any, answer: Activity, found: Spread, *, pulse: float = 0.0, named: int = 6
) -> None:
    """Draw the response of every region in time, the strongest ``named`` with their names."""
    order = np.argsort(-np.abs(found.peak))
    time = 1e3 * (answer.time - pulse)
    panel.plot(time, 1e3 * answer.potential[order[named:]].T, color="0.75", lw=0.6)
    for colour, k in zip(COLOURS * named, order[:named], strict=False):
        panel.plot(time, 1e3 * answer.potential[k], color=colour, lw=1.2, label=found.names[k])
    panel.set(xlabel="time after the pulse (ms)", ylabel="response (mV)")
    panel.set_yscale("symlog", linthresh=0.3)
    panel.legend(fontsize=7, loc="lower right")


def draw_front(panel: Any, found: Spread) -> None:
    """Draw onset against the way along tracts, regions of the shipped connectome by network."""
    from rheobase.neurons.brain.connectome import schaefer100_table

    network = {row["name"]: row["network"] for row in schaefer100_table()}
    of = np.array([network.get(name, "region") for name in found.names])
    for colour, label in zip(COLOURS, dict.fromkeys(of.tolist()), strict=False):
        x, y = 1e3 * found.distance[of == label], 1e3 * found.onset[of == label]
        panel.plot(x, y, "o", ms=4, color=colour, label=label)
    panel.set(xlabel="way along tracts (mm)", ylabel="onset after the pulse (ms)")
    panel.legend(fontsize=7, loc="upper left")


def brain_by_region(found: Spread) -> Figure:
    """Draw onset and peak of each region of the shipped connectome on the cortex."""
    figure = new_figure(11.0, 5.0)
    _draw_maps(figure, found)
    return figure


def brain_courses(answer: Activity, found: Spread, *, pulse: float = 0.0) -> Figure:
    """Draw the response of every region in time, and the front.

    Parameters
    ----------
    answer, found
        Response and its `spread`.
    pulse
        Time of the pulse (s).
    """
    figure = new_figure(11.0, 4.0)
    _draw_courses(figure, answer, found, pulse)
    return figure


def brain_response(answer: Activity, found: Spread, *, pulse: float = 0.0, title: str) -> Figure:
    """Draw onsets, peaks, courses and front in one figure; see `brain_courses`."""
    figure = new_figure(11.0, 8.5)
    halves: Any = figure.subfigures(2, 1, height_ratios=(2, 1.4))
    _draw_maps(halves[0], found)
    _draw_courses(halves[1], answer, found, pulse)
    figure.suptitle(title)
    return figure


def _draw_maps(figure: Any, found: Spread) -> None:
    onset, peak = figure.subfigures(2, 1)
    shown = 1e3 * found.onset
    late = np.nanquantile(shown, 0.9) if np.isfinite(shown).any() else 10.0
    limits = (0.0, float(np.ceil(late / 10) * 10))
    brain_maps(onset, shown, title="onset (ms)", limits=limits, colours="viridis_r")
    size = np.log10(np.maximum(1e3 * np.abs(found.peak), 1e-6))
    brain_maps(peak, size, title="log10 of peak (mV)", limits=(-3.0, 1.0), colours="magma")


def _draw_courses(figure: Any, answer: Activity, found: Spread, pulse: float) -> None:
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    draw_courses(left, answer, found, pulse=pulse)
    draw_front(right, found)
