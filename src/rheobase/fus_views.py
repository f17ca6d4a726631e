"""Pictures of focused ultrasound: planes along the beam, temperature, activation.

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
    from matplotlib.colors import Normalize

Floats = NDArray[np.float64]

PIXELS = 420  # along the depth of a plane
FAINT = 0.06  # of the scale: what is weaker shows the tissue alone
OPAQUE = 0.85


@dataclass(frozen=True, kw_only=True, slots=True)
class BeamPlane:
    """A plane that holds the beam's axis, or is across it.

    Parameters
    ----------
    axes
        Which axes of the beam frame go to the right and up, 0 to 2.
    at
        Where it is along the third one (m).
    low, high
        Its corners (m), shape (2,) each.
    """

    axes: tuple[int, int]
    at: float
    low: tuple[float, float]
    high: tuple[float, float]

    def lines(self) -> tuple[Floats, Floats]:
        """Return the places along its sides (m)."""
        size = np.subtract(self.high, self.low)
        step = max(size) / PIXELS
        u, v = (
            np.linspace(a, b, max(2, round((b - a) / step)))
            for a, b in zip(self.low, self.high, strict=True)
        )
        return u, v

    def points(self) -> Floats:
        """Return its points in the beam frame (m), shape (rows, columns, 3)."""
        u, v = self.lines()
        out = np.empty((len(v), len(u), 3))
        out[..., self.axes[0]], out[..., self.axes[1]] = u[None], v[:, None]
        out[..., 3 - sum(self.axes)] = self.at
        return out

    @property
    def labels(self) -> tuple[str, str]:
        """Names of its axes."""
        names = ("across the beam, x (mm)", "across the beam, y (mm)", "depth from the source (mm)")
        return names[self.axes[0]], names[self.axes[1]]


def draw_beam(
    panel: Any,
    plane: BeamPlane,
    tissues: Callable[[Floats], NDArray[np.str_]],
    value: Callable[[Floats], Floats],
    *,
    norm: Normalize,
    cmap: str = "inferno",
    contour: float | None = None,
    within: Callable[[Floats], NDArray[np.bool_]] | None = None,
    marks: Mapping[str, Floats] | None = None,
    names: bool = True,
) -> Any:
    """Draw a value over the tissues in a plane of the beam.

    Parameters
    ----------
    panel
        Matplotlib axes.
    plane
        The plane.
    tissues
        Gives the tissue at points of the beam frame (m), "" outside of the head.
    value
        Gives the value at points, NaN where there is none.
    norm, cmap
        Scale and colour map of the value.
    contour, within
        Level that a white line bounds, and which points it is drawn among.
    marks
        Places (m) that are marked, by what they are.
    names
        Whether the upright axis carries its name.

    Returns
    -------
    matplotlib.cm.ScalarMappable
        For `Figure.colorbar`.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import to_rgb

    grid = plane.points()
    shape, points = grid.shape[:2], grid.reshape(-1, 3)
    tissue, shown = tissues(points), ScalarMappable(norm, cmap)
    picture = np.ones((len(points), 3))
    kinds = [name for name in np.unique(tissue).tolist() if name]
    for k, name in enumerate(kinds):
        picture[tissue == name] = to_rgb(TISSUE_COLOURS.get(name, SPARE[k % len(SPARE)]))
    strength = value(points)
    part = np.nan_to_num(np.asarray(norm(np.nan_to_num(strength))))
    opaque = OPAQUE * np.clip((part - 0.5 * FAINT) / FAINT, 0.0, 1.0)[:, None]
    picture += opaque * (shown.to_rgba(np.nan_to_num(strength))[:, :3] - picture)
    u, v = (1e3 * line for line in plane.lines())
    extent = (u[0], u[-1], v[0], v[-1])
    panel.imshow(picture.reshape(*shape, 3), origin="lower", extent=extent)
    for name in kinds:
        edge = (tissue == name).reshape(shape)
        if not edge.all():
            panel.contour(u, v, edge, levels=[0.5], colors="0.35", linewidths=0.5)
    if within is not None:
        strength = np.where(within(points), strength, 0.0)
    if contour is not None and np.nanmax(strength) > contour:
        panel.contour(
            u, v, np.nan_to_num(strength).reshape(shape), levels=[contour], colors="w",
            linewidths=1.2,
        )  # fmt: skip
    for marker, colour, point in zip("+x", ("#00e5ff", "#7cff4f"), (marks or {}).values(),
                                     strict=False):  # fmt: skip
        a, b = (1e3 * point[i] for i in plane.axes)
        panel.plot(a, b, marker, color=colour, ms=9, mew=1.6)
    panel.set(xlabel=plane.labels[0], aspect="equal", xlim=extent[:2], ylim=extent[2:])
    if names:
        panel.set_ylabel(plane.labels[1])
    return shown


def draw_axis(
    panel: Any,
    depth: ArrayLike,
    curves: Mapping[str, ArrayLike],
    place: float,
    *,
    mark: str = "target",
) -> None:
    """Draw pressures along the beam.

    Parameters
    ----------
    panel
        Matplotlib axes.
    depth
        Depths (m), shape (n,).
    curves
        Amplitudes (Pa) by name, shape (n,).
    place, mark
        Depth that is marked (m), and what is there.
    """
    for colour, (name, values) in zip(COLOURS, curves.items(), strict=False):
        panel.plot(1e3 * np.asarray(depth), 1e-3 * np.asarray(values), color=colour, label=name)
    panel.axvline(1e3 * place, color="0.5", lw=1, ls="--", label=mark)
    panel.set(xlabel="depth from the source (mm)", ylabel="pressure amplitude (kPa)")
    panel.set_ylim(bottom=0)
    panel.legend(frameon=False, fontsize=8)
    panel.spines[["top", "right"]].set_visible(False)


def draw_course(panel: Any, times: ArrayLike, rises: Mapping[str, ArrayLike], end: float) -> None:
    """Draw temperature rises over time.

    Parameters
    ----------
    panel
        Matplotlib axes.
    times
        Times (s), shape (n,).
    rises
        Rises (K) by place, shape (n,).
    end
        When the sound ends (s).
    """
    for colour, (name, rise) in zip(COLOURS, rises.items(), strict=False):
        panel.plot(times, rise, color=colour, lw=1.6, label=name)
    panel.axvspan(0, end, color="0.93", zorder=0, label="sound on")
    panel.set(xlabel="time (s)", ylabel="temperature rise (K)")
    panel.set_xlim(left=0)
    panel.legend(frameon=False, fontsize=8)
    panel.spines[["top", "right"]].set_visible(False)


def draw_activation(
    panel: Any, pressure_kPa: Floats, curves: Mapping[str, Floats], *, mark: float
) -> None:
    """Draw the share of cells that fire against the peak pressure in the brain.

    Parameters
    ----------
    panel
        Matplotlib axes.
    pressure_kPa
        Peak pressures (kPa), shape (n,).
    curves
        Shares (0 … 1) by group, shape (n,).
    mark
        Peak pressure of the study (kPa).
    """
    for k, (name, p) in enumerate(curves.items()):
        style = ("-", "--", ":")[k // len(COLOURS) % 3]
        panel.plot(
            pressure_kPa, 100 * p, style, color=COLOURS[k % len(COLOURS)], lw=1.7, label=name
        )
    panel.axvline(mark, color="0.5", lw=1, ls="--", label=f"this study, {mark:.0f} kPa")
    panel.set(
        xlabel="peak pressure in the brain (kPa)",
        ylabel="cells that fire (%)",
        ylim=(-2, 102),
        xlim=(0, pressure_kPa[-1]),
    )
    panel.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    panel.spines[["top", "right"]].set_visible(False)


def draw_duty(
    panel: Any, duties: Sequence[float], thresholds: Mapping[str, Sequence[float]], *, mark: float
) -> None:
    """Draw threshold pressures (Pa) over the duty cycle; what none fires is left out."""
    for colour, (name, values) in zip(COLOURS, thresholds.items(), strict=False):
        known = np.asarray(values, dtype=np.float64)
        fine = np.isfinite(known)
        at = 100 * np.asarray(duties)
        panel.plot(at[fine], 1e-3 * known[fine], "o-", ms=4, color=colour, lw=1.5, label=name)
    panel.axvline(100 * mark, color="0.5", lw=1, ls="--", label="this study")
    panel.set(xlabel="duty cycle in a train (%)", ylabel="threshold pressure (kPa)", xlim=(0, 103))
    panel.set_ylim(bottom=0)
    panel.legend(frameon=False, fontsize=8)
    panel.spines[["top", "right"]].set_visible(False)
