"""Pictures of deep brain stimulation: planes through a lead, currents, recruitment, spectrum.

Every function draws into a Matplotlib panel. Colour maps are perceptually uniform and safe for
colour-blind readers; every axis and every bar carries its unit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase.scenes.head import COLOURS as TISSUE_COLOURS
from rheobase.scenes.head import SPARE
from rheobase.views import COLOURS

if TYPE_CHECKING:
    from matplotlib.cm import ScalarMappable

    from rheobase.meshes.leads.lead import Lead
    from rheobase.meshes.leads.medium import Medium
    from rheobase.meshes.leads.model import LeadModel

Floats = NDArray[np.float64]

ANODIC, CATHODIC, IDLE = "#d55e00", "#0072b2", "#c8a46a"
SHAFT, AIR = "#4a4a4a", "#ffffff"
OPAQUE = 0.75  # the field over the tissue
RIM = 0.4  # of the radius of a lead: how deep a contact is drawn into it
PIXELS = 360  # along the longer side of a plane
SIDES = (("L", "R"), ("P", "A"), ("I", "S"))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Plane:
    """A rectangle of a plane.

    Parameters
    ----------
    middle
        Its middle (m), shape (3,).
    right, up
        Unit vectors along its sides, shape (3,) each.
    half
        Half its width and half its height (m).
    names
        What its axes are called.
    """

    middle: Floats
    right: Floats
    up: Floats
    half: tuple[float, float]
    names: tuple[str, str]

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Ends of the axes (mm)."""
        (w, h), scale = self.half, 1e3
        return -w * scale, w * scale, -h * scale, h * scale

    def points(self) -> Floats:
        """Return the middles of its pixels (m), shape (rows, columns, 3), the lowest row first."""
        step = 2 * max(self.half) / PIXELS
        u, v = (np.linspace(-h, h, max(2, round(2 * h / step))) for h in self.half)
        plane: Floats = self.middle + u[None, :, None] * self.right + v[:, None, None] * self.up
        return plane


def lead_planes(lead: Lead, centre: ArrayLike, half: float) -> tuple[Plane, Plane, Plane]:
    """Return two planes along a lead, as frontal and as sagittal as can be, and one across it.

    Parameters
    ----------
    lead
        The lead.
    centre
        Point of its axis in the middle of each (m), shape (3,).
    half
        Half of their width (m).
    """
    up = lead.direction
    middle = np.asarray(centre, dtype=np.float64)
    right, front = (_across(axis, up) for axis in (np.eye(3)[0], np.eye(3)[1]))
    along = "along the lead, to the entry (mm)"
    size = (half, half)
    return (
        Plane(middle=middle, right=right, up=up, half=size, names=("to the right (mm)", along)),
        Plane(middle=middle, right=front, up=up, half=size, names=("to the front (mm)", along)),
        Plane(
            middle=middle,
            right=right,
            up=np.cross(up, right),
            half=size,
            names=("to the right (mm)", "to the front (mm)"),
        ),
    )


def _across(axis: Floats, direction: Floats) -> Floats:
    """Return the unit vector nearest to ``axis`` at right angles to a direction."""
    rest = axis - (axis @ direction) * direction
    unit: Floats = rest / np.linalg.norm(rest)
    return unit


def draw_plane(
    panel: Any,
    plane: Plane,
    lead: Lead,
    medium: Medium,
    *,
    strength: Callable[[Floats], Floats],
    limit: float,
    activated: Callable[[Floats], Floats] | None = None,
    currents: Mapping[str, float] | None = None,
    regions: Mapping[str, Callable[[Floats], NDArray[np.bool_]]] | None = None,
) -> ScalarMappable:
    """Draw tissue, the strength of a field and a lead in a plane.

    Parameters
    ----------
    panel
        Matplotlib axes.
    plane
        The plane.
    lead, medium
        The lead and what is around it.
    strength
        Gives |E| (V/m) at points (m), shape (n, 3), NaN where there is none.
    limit
        Top of the colour scale (V/m), which is logarithmic over two decades.
    activated
        Gives a number at points (m) that is 1 on the border of what is activated: a white line.
    currents
        Current out of contacts (A); anodic, cathodic and idle contacts differ in colour.
    regions
        Which points belong to regions that are outlined, by name.

    Returns
    -------
    matplotlib.cm.ScalarMappable
        For `Figure.colorbar`.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, to_rgb

    grid = plane.points()
    shape, points = grid.shape[:2], grid.reshape(-1, 3)
    labels = medium.labels(points)
    colours = {0: to_rgb(AIR)}
    for label, tissue in medium.tissues.items():
        name = TISSUE_COLOURS.get(tissue.name, SPARE[label % len(SPARE)])
        colours[label] = to_rgb(name)
    picture = np.empty((len(points), 3))
    for label in np.unique(labels).tolist():
        picture[labels == label] = colours[label]
    shown = ScalarMappable(LogNorm(limit / 100, limit), "viridis")
    free = lead.outside(points) > 0
    E = np.full(len(points), np.nan)
    E[free] = strength(points[free])
    seen = np.nan_to_num(E) > limit / 100
    picture[seen] += OPAQUE * (shown.to_rgba(E[seen])[:, :3] - picture[seen])
    picture[~free] = _lead_colours(lead, points[~free], currents or {})
    panel.imshow(picture.reshape(*shape, 3), origin="lower", extent=plane.extent)
    left, right, low, high = plane.extent
    u, v = np.linspace(left, right, shape[1]), np.linspace(low, high, shape[0])
    for label in np.unique(labels).tolist():
        edge = (labels == label).reshape(shape)
        if not edge.all():
            panel.contour(u, v, edge, levels=[0.5], colors="0.3", linewidths=0.4)
    if activated is not None:
        level = np.where(free, activated(points), 0.0)
        if level.max() > 1:
            panel.contour(u, v, level.reshape(shape), levels=[1.0], colors="w", linewidths=1.6)
    for colour, inside in zip(COLOURS[2:], (regions or {}).values(), strict=False):
        within = inside(points).reshape(shape)
        if within.any() and not within.all():
            panel.contour(u, v, within, levels=[0.5], colors=colour, linewidths=1.3)
    panel.set(xlabel=plane.names[0], ylabel=plane.names[1], aspect="equal")
    return shown


def _lead_colours(lead: Lead, points: Floats, currents: Mapping[str, float]) -> Floats:
    """Return the colour of points within a lead, shape (n, 3)."""
    from matplotlib.colors import to_rgb

    s, t, theta = lead.coordinates(points).T
    z = lead.model.height_of(s)
    found = np.tile(to_rgb(SHAFT), (len(points), 1))
    near = t > -RIM * lead.model.radius
    for contact in lead.model.contacts:
        within = near & (z >= contact.z[0]) & (z <= contact.z[1])
        if contact.theta is not None:
            within &= (theta - contact.theta[0]) % (2 * np.pi) <= contact.turn
        found[within] = to_rgb(contact_colour(currents.get(contact.name, 0.0)))
    return found


def contact_colour(current: float) -> str:
    """Return the colour of a contact by its current (A): anodic, cathodic or none."""
    if current == 0:
        return IDLE
    return ANODIC if current > 0 else CATHODIC


def draw_contacts(
    panel: Any,
    model: LeadModel,
    currents: Mapping[str, float],
    *,
    off: Sequence[str] = (),
) -> None:
    """Draw a lead unrolled: every contact with its current.

    Parameters
    ----------
    panel
        Matplotlib axes.
    model
        The lead.
    currents
        Current out of each contact (A); others float.
    off
        Contacts that are insulated.
    """
    from matplotlib.patches import Rectangle

    top = max(c.z[1] for c in model.contacts) + 2 * model.diameter
    panel.add_patch(Rectangle((-180, 0), 360, top * 1e3, fc="0.93", ec="none"))
    for c in model.contacts:
        low, high = (-np.pi, np.pi) if c.theta is None else c.theta
        current = currents.get(c.name, 0.0)
        for turn in (-2 * np.pi, 0.0, 2 * np.pi):
            left, right = np.rad2deg(np.clip([low + turn, high + turn], -np.pi, np.pi))
            if right - left < 1e-6:
                continue
            box = Rectangle(
                (left, c.z[0] * 1e3),
                right - left,
                (c.z[1] - c.z[0]) * 1e3,
                fc="0.8" if c.name in off else contact_colour(current),
                ec="0.2",
                lw=0.8,
                hatch="///" if c.name in off else None,
            )
            panel.add_patch(box)
        middle = np.rad2deg((c.middle[0] + np.pi) % (2 * np.pi) - np.pi)
        text = f"{c.name}\n{current * 1e3:+.3g} mA" if current else c.name
        ink = "w" if current else "k"
        panel.text(middle, c.middle[1] * 1e3, text, ha="center", va="center", fontsize=8, color=ink)
    panel.set(
        xlim=(-180, 180),
        ylim=(0, top * 1e3),
        xticks=[-180, -90, 0, 90, 180],
        xlabel="around, 0 at the marker (degrees)",
        ylabel="above the tip (mm)",
    )


def draw_recruitment(
    panel: Any,
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    xlabel: str,
    marks: Mapping[str, float],
    window: tuple[float, float] | None = None,
) -> None:
    """Draw the part of pathways or regions that is activated against the amplitude.

    Parameters
    ----------
    panel
        Matplotlib axes.
    curves
        Amplitudes and percentages, shape (n,) each, by name.
    xlabel
        Name and unit of the amplitude.
    marks
        Amplitudes of settings, by name.
    window
        Amplitudes between which the panel is shaded; to its end where the second is infinite.
    """
    for colour, (name, (amplitude, part)) in zip(COLOURS, curves.items(), strict=False):
        panel.plot(amplitude, part, color=colour, lw=1.8, label=name)
    end = max(float(np.asarray(amplitude).max()) for amplitude, _ in curves.values())
    if window is not None and window[0] < min(window[1], end):
        panel.axvspan(window[0], min(window[1], end), color="0.9", zorder=0)
    for style, (name, mark) in zip(("--", ":", "-."), marks.items(), strict=False):
        panel.axvline(mark, color="0.5", lw=1, ls=style, label=f"{name}: {mark:.3g} mA")
    panel.set(xlabel=xlabel, ylabel="activated (%)", ylim=(-2, 102), xlim=(0, end))
    panel.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    panel.spines[["top", "right"]].set_visible(False)


def draw_spectrum(
    panels: Sequence[Any], frequency: ArrayLike, impedance: Mapping[str, ArrayLike]
) -> None:
    """Draw size and phase of impedances over frequency.

    Parameters
    ----------
    panels
        Two Matplotlib axes.
    frequency
        Frequencies (Hz), shape (n,).
    impedance
        Complex impedances (ohm), shape (n,), by name.
    """
    size, phase = panels
    for colour, (name, value) in zip(COLOURS, impedance.items(), strict=False):
        Z = np.asarray(value)
        size.loglog(frequency, np.abs(Z), color=colour, lw=1.6, label=name)
        phase.semilogx(frequency, np.rad2deg(np.angle(Z)), color=colour, lw=1.6)
    size.set(xlabel="frequency (Hz)", ylabel="impedance (Ω)")
    phase.set(xlabel="frequency (Hz)", ylabel="phase (degrees)")
    size.legend(frameon=False, fontsize=8)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)


def draw_course(
    panel: Any, times: ArrayLike, courses: Mapping[str, ArrayLike], *, ylabel: str
) -> None:
    """Draw what varies within a pulse.

    Parameters
    ----------
    panel
        Matplotlib axes.
    times
        Times (s), shape (n,).
    courses
        Values, shape (n,), by name.
    ylabel
        Their name and unit.
    """
    for colour, (name, value) in zip(COLOURS, courses.items(), strict=False):
        panel.plot(np.asarray(times) * 1e6, value, color=colour, lw=1.5, label=name)
    panel.set(xlabel="time (µs)", ylabel=ylabel)
    panel.axhline(0, color="0.8", lw=0.8, zorder=0)
    panel.legend(frameon=False, fontsize=8)
    panel.spines[["top", "right"]].set_visible(False)
