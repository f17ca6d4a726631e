"""Pictures of recordings: potentials and sources by depth, EEG as traces and maps.

All return a Matplotlib figure. Signed values have a diverging colour scale about zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.views import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.neurons.measures.evoked import EvokedPotential
    from rheobase.neurons.recording.recorder import Recording

Floats = NDArray[np.float64]

SPACING = 50e-6  # m between the contacts of the electrode that `laminar` draws
SIGNED = "RdBu_r"
STRONGEST = 0.985  # of the points of a depth map; what is stronger has the last colour
_PIXELS = 120  # of a map


def laminar(
    recording: Recording,
    pulses: ArrayLike,
    *,
    before: float = 0.02,
    after: float = 0.08,
    layers: Mapping[str, tuple[float, float]] | None = None,
) -> Figure:
    """Draw potential and current source density by depth around pulses, and the dipole moment.

    Parameters
    ----------
    recording
        The recording; the electrode goes through its first column.
    pulses
        Times of the pulses (s), which are averaged.
    before, after
        Extent (s) before a pulse, whose mean is taken off, and after it.
    layers
        Top and bottom of layers (m), to be marked.

    Raises
    ------
    InputError
        If no pulse has its window within the recording.
    """
    deepest = float(recording.depth[np.abs(recording.sources[0]).max(axis=1) > 0][-1])
    depths = np.arange(0.0, deepest + 0.5 * SPACING, SPACING)
    place = recording.centres[0]
    time, (V, density, moment) = _around(
        recording.time,
        (
            recording.potential(depths, at=place),
            recording.current_source_density[0],
            recording.column_dipole,
        ),
        pulses,
        before=before,
        after=after,
    )
    figure = new_figure(13.0, 4.6)
    panels = figure.subplots(1, 3, width_ratios=(1, 1, 0.9))
    shown = (
        (panels[0], depths, V * 1e3, "potential (mV)"),
        (panels[1], recording.depth, density * 1e-3, "current source density (kA/m³), sinks < 0"),
    )
    for panel, z, value, title in shown:
        top = float(np.quantile(np.abs(value[(z >= 0) & (z <= deepest)]), STRONGEST)) or 1.0
        image = panel.pcolormesh(
            time * 1e3, z * 1e3, value, cmap=SIGNED, vmin=-top, vmax=top, shading="nearest"
        )
        figure.colorbar(image, ax=panel, label=title, location="top", shrink=0.9, extend="both")
        panel.set(xlabel="time after the pulse (ms)", ylim=(deepest * 1e3, 0))
        for name, (high, low) in (layers or {}).items():
            panel.axhline(low * 1e3, color="0.4", lw=0.6)
            panel.text(time[0] * 1e3, 0.5e3 * (high + low), f" {name}", va="center", fontsize=8)
    panels[0].set_ylabel("depth below the pia (mm)")
    for k, course in enumerate(moment):
        label = {0: "centre", 1: "around it"}.get(k) if len(moment) > 1 else None
        colour = "#0072b2" if k == 0 else "#999999"
        panels[2].plot(
            time * 1e3, course * 1e9, color=colour, lw=1.6 if k == 0 else 0.9, label=label
        )
    if len(moment) > 1:
        panels[2].legend(frameon=False)
    panels[2].axhline(0, color="0.7", lw=0.6, zorder=0)
    panels[2].set(
        xlabel="time after the pulse (ms)", ylabel="dipole moment of a column, to the pia (nA m)"
    )
    panels[2].spines[["top", "right"]].set_visible(False)
    return figure


def butterfly(
    evoked: EvokedPotential, positions: Mapping[str, ArrayLike], *, times: ArrayLike = ()
) -> Figure:
    """Draw all electrodes in time, the global field power, and maps at some times.

    Parameters
    ----------
    evoked
        Evoked potentials (V).
    positions
        Position of each electrode on the head (m); x to the right, y to the front, z up.
    times
        Times of the maps (s), shape (m,); that of the largest field power after the pulse if none.

    Raises
    ------
    InputError
        If an electrode has no position.
    """
    lost = [name for name in evoked.names if name not in positions]
    if lost:
        raise InputError(f"expected a position of every electrode, got none of {', '.join(lost)}")
    power = evoked.global_field_power
    after = np.flatnonzero(evoked.time > 0)
    moments = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if moments.size == 0:
        moments = evoked.time[after[[power[after].argmax()]]]
    flat = flattened(np.array([positions[name] for name in evoked.names], dtype=np.float64))
    unit, factor = _micro(float(np.abs(evoked.mean).max()))
    figure = new_figure(max(9.0, 5.5 + 2.6 * len(moments)), 4.2)
    panels = np.atleast_1d(
        figure.subplots(1, 1 + len(moments), width_ratios=(2.0, *[1.0] * len(moments)))
    )
    traces = panels[0]
    traces.plot(evoked.time * 1e3, evoked.mean.T * factor, color="#0072b2", lw=0.6, alpha=0.6)
    traces.plot(evoked.time * 1e3, power * factor, color="#d55e00", lw=1.8, label="field power")
    for t in moments:
        traces.axvline(t * 1e3, color="0.6", lw=0.8, zorder=0)
    traces.set(xlabel="time after the pulse (ms)", ylabel=f"potential ({unit})")
    traces.legend(frameon=False)
    traces.spines[["top", "right"]].set_visible(False)
    at = [int(np.abs(evoked.time - t).argmin()) for t in moments]
    top = float(np.abs(evoked.mean[:, at]).max()) * factor or 1.0
    for panel, k in zip(panels[1:], at, strict=True):
        image = draw_topography(panel, flat, evoked.mean[:, k] * factor, top=top)
        panel.set_title(f"{evoked.time[k] * 1e3:.1f} ms", fontsize=10)
    figure.colorbar(image, ax=list(panels[1:]), label=f"potential ({unit})", shrink=0.6)
    return figure


def draw_topography(panel: Any, flat: Floats, value: Floats, *, top: float) -> Any:
    """Draw values of electrodes on the head seen from above, the nose up; return the image.

    Parameters
    ----------
    panel
        Matplotlib axes.
    flat
        Places of the electrodes as from `flattened`, shape (n, 2).
    value
        Value of each, shape (n,), interpolated by thin-plate splines.
    top
        Top of the colour scale.
    """
    from scipy.interpolate import RBFInterpolator

    edge = float(np.linalg.norm(flat, axis=1).max()) * 1.05
    x = np.linspace(-edge, edge, _PIXELS)
    grid = np.stack(np.meshgrid(x, x), axis=-1)
    spline = RBFInterpolator(flat, value, kernel="thin_plate_spline")
    shown = spline(grid.reshape(-1, 2)).reshape(_PIXELS, _PIXELS)
    shown[np.linalg.norm(grid, axis=2) > edge] = np.nan
    image = panel.imshow(
        shown,
        extent=(-edge, edge, -edge, edge),
        origin="lower",
        cmap=SIGNED,
        vmin=-top,
        vmax=top,
    )
    panel.contour(x, x, shown, levels=9, colors="0.35", linewidths=0.4)
    angle = np.linspace(0, 2 * np.pi, 200)
    panel.plot(edge * np.cos(angle), edge * np.sin(angle), color="0.2", lw=1.2)
    panel.plot(
        edge * np.array([-0.09, 0, 0.09]), edge * np.array([0.995, 1.1, 0.995]), color="0.2", lw=1.2
    )
    panel.plot(*flat.T, ".", color="0.1", ms=2)
    panel.set_axis_off()
    panel.set_aspect("equal")
    return image


def flattened(positions: Floats) -> Floats:
    """Return positions on the head (n, 3) on a map: angle from the top as distance, (n, 2)."""
    A = np.column_stack([2 * positions, np.ones(len(positions))])
    centre = np.linalg.lstsq(A, (positions**2).sum(axis=1), rcond=None)[0][:3]  # of the best sphere
    away = positions - centre
    across = np.linalg.norm(away[:, :2], axis=1)
    angle = np.arctan2(across, away[:, 2])
    scale = np.divide(angle, across, out=np.zeros_like(angle), where=across > 0)
    out: Floats = away[:, :2] * scale[:, None]
    return out


def _around(
    time: Floats, signals: tuple[Floats, ...], pulses: ArrayLike, *, before: float, after: float
) -> tuple[Floats, list[Floats]]:
    """Return times from the pulse, and the mean of signals (..., t) around it less the baseline."""
    dt = float(time[1] - time[0])
    ahead, behind = round(before / dt), round(after / dt)
    centres = [round((float(p) - time[0]) / dt) for p in np.atleast_1d(pulses)]
    inside = [c for c in centres if c - ahead >= 0 and c + behind < len(time)]
    if not inside:
        raise InputError(
            f"no pulse has {before} s before and {after} s after it within the recording"
        )
    out: list[Floats] = []
    for x in signals:
        mean: Floats = np.mean([x[..., c - ahead : c + behind + 1] for c in inside], axis=0)
        out.append(mean - mean[..., :ahead].mean(axis=-1, keepdims=True) if ahead else mean)
    return dt * np.arange(-ahead, behind + 1, dtype=np.float64), out


def _micro(largest: float) -> tuple[str, float]:
    """Return a unit for potentials up to ``largest`` (V), and its number in one volt."""
    return ("µV", 1e6) if largest >= 1e-7 else ("nV", 1e9)
