"""Pictures of a study's result: slices, recruitment curves, raster. All return a Matplotlib figure.

Colour maps are perceptually uniform and safe for colour-blind readers; every axis and every bar
carries its unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from rheobase.meshes.head import Head

AXES = ("x, left to right (mm)", "y, back to front (mm)", "z, bottom to top (mm)")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure (inches) that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    return figure


def slices(
    head: Head,
    value_at: Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.int32]]],
    *,
    centre: NDArray[np.float64],
    title: str,
    limit: float,
    step: float = 1e-3,
) -> Figure:
    """Draw three orthogonal slices through ``centre``: tissue outlines and a value in the brain.

    Parameters
    ----------
    head
        The head.
    value_at
        Gives the value at points (m), shape (n, 3), and the tetrahedron of each (−1 outside).
    centre
        Point that the slices go through (m), shape (3,).
    title
        Name and unit of the value.
    limit
        Top of the colour scale, which starts at 0.
    step
        Pixel size (m).
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    figure = new_figure(13.5, 4.8)
    panels = figure.subplots(1, 3)
    low, high = head.mesh.nodes.min(axis=0), head.mesh.nodes.max(axis=0)
    brain = [
        label for label, t in head.tissues.items() if t.name in {"grey_matter", "white_matter"}
    ]
    scale = Normalize(0, limit)
    for axis, panel in enumerate(panels):
        i, j = [a for a in range(3) if a != axis]
        u, v = np.arange(low[i], high[i], step), np.arange(low[j], high[j], step)
        points = np.empty((len(v), len(u), 3))
        points[..., i], points[..., j] = u[None, :], v[:, None]
        points[..., axis] = centre[axis]
        values, tet = value_at(points.reshape(-1, 3))
        label = np.where(tet >= 0, head.mesh.labels[tet], 0).reshape(len(v), len(u))
        shown = np.where(np.isin(label, brain), values.reshape(label.shape), np.nan)
        extent = (low[i] * 1e3, high[i] * 1e3, low[j] * 1e3, high[j] * 1e3)
        grey = np.where(label > 0, 0.93 - 0.06 * (label % 5), 1.0)
        panel.imshow(grey, extent=extent, origin="lower", cmap="gray", vmin=0, vmax=1)
        panel.imshow(shown, extent=extent, origin="lower", cmap="viridis", norm=scale)
        for tissue in np.unique(label[label > 0]):
            panel.contour(
                u * 1e3, v * 1e3, label == tissue, levels=[0.5], colors="0.25", linewidths=0.4
            )
        panel.plot(centre[i] * 1e3, centre[j] * 1e3, "+", color="white", ms=9, mew=1.2)
        panel.set(xlabel=AXES[i], ylabel=AXES[j], aspect="equal")
        panel.set_title(f"{'xyz'[axis]} = {centre[axis] * 1e3:.0f} mm", fontsize=10)
    figure.colorbar(ScalarMappable(scale, "viridis"), ax=panels, label=title, shrink=0.85)
    return figure


def recruitment(
    curves: Mapping[str, Mapping[str, NDArray[np.float64]]],
    amplitudes: NDArray[np.float64],
    *,
    xlabel: str,
    mark: float | None = None,
) -> Figure:
    """Draw the fraction of cells that fire against the amplitude.

    Parameters
    ----------
    curves
        Probability (n_amplitudes,) by cell type and, within it, by name of the polarity.
    amplitudes
        Amplitudes in the unit of ``xlabel``, shape (n_amplitudes,).
    xlabel
        Name and unit of the amplitude.
    mark
        Amplitude to mark (the one the network is given).
    """
    figure = new_figure(8.5, 4.8)
    panel = figure.subplots()
    for colour, (cell, by_polarity) in zip(COLOURS, curves.items(), strict=False):
        for style, (polarity, p) in zip(("-", "--"), by_polarity.items(), strict=False):
            panel.plot(amplitudes, p, style, color=colour, label=f"{cell}, {polarity}")
    if mark is not None:
        panel.axvline(mark, color="0.6", lw=1)
        panel.annotate("network", (mark, 1.005), color="0.4", ha="center", fontsize=8)
    panel.set(xlabel=xlabel, ylabel="fraction of cells that fire", ylim=(-0.02, 1.02))
    panel.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    panel.spines[["top", "right"]].set_visible(False)
    return figure


def depths(
    threshold: NDArray[np.float64],
    depth: NDArray[np.float64],
    cell: NDArray[np.str_],
    *,
    xlabel: str,
) -> Figure:
    """Draw the threshold of every placed cell against the depth of its soma.

    Parameters
    ----------
    threshold
        Lowest threshold over polarities in the unit of ``xlabel``, shape (n,); inf is left out.
    depth
        Soma depth, 0 pial … 1 white, shape (n,).
    cell
        Cell type of each, shape (n,).
    xlabel
        Name and unit of the threshold.
    """
    figure = new_figure(8.5, 4.4)
    panel = figure.subplots()
    for colour, name in zip(COLOURS, dict.fromkeys(cell), strict=False):
        chosen = (cell == name) & np.isfinite(threshold)
        panel.semilogx(threshold[chosen], depth[chosen], ".", color=colour, ms=4, label=str(name))
    panel.set(xlabel=xlabel, ylabel="depth of the soma (0 pia, 1 white matter)", ylim=(1, 0))
    panel.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    panel.spines[["top", "right"]].set_visible(False)
    return figure


def raster(
    times: NDArray[np.float64],
    ids: NDArray[Any],
    populations: Mapping[str, tuple[int, int]],
    *,
    pulse: float,
    duration: float,
    rates: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    bins: NDArray[np.float64],
) -> Figure:
    """Draw the spikes of the network and the rate of each population around the pulse.

    Parameters
    ----------
    times, ids
        Spike times (s) and neuron numbers, shape (n_spikes,).
    populations
        First neuron and one past the last of each population.
    pulse, duration
        Time of the pulse and end of the simulation (s).
    rates
        Rate (Hz) with and without the stimulus by population, shape (n_bins,) each.
    bins
        Bin centres (s), shape (n_bins,).
    """
    figure = new_figure(12.5, 6.4)
    left, right = figure.subplots(1, 2)
    first = max(0.0, pulse - 0.1)
    shown = (times >= first) & (times <= min(duration, pulse + 0.12))
    ticks = []
    for k, (name, (start, stop)) in enumerate(populations.items()):
        chosen = shown & (ids >= start) & (ids < stop)
        left.plot(
            (times[chosen] - pulse) * 1e3,
            ids[chosen],
            ",",
            color=COLOURS[0] if name.endswith("E") else COLOURS[1],
        )
        ticks.append(((start + stop) / 2, name))
        with_, without = rates[name]
        offset = -k
        top = max(1e-9, max(r[0].max() for r in rates.values()))
        right.plot((bins - pulse) * 1e3, without / top + offset, color="0.6", lw=1)
        right.plot((bins - pulse) * 1e3, with_ / top + offset, color=COLOURS[k % len(COLOURS)])
    left.set(
        xlabel="time after the pulse (ms)",
        ylabel="neuron, by population",
        yticks=[t for t, _ in ticks],
        yticklabels=[n for _, n in ticks],
    )
    left.invert_yaxis()
    left.axvline(0, color="k", lw=0.6)
    right.axvline(0, color="k", lw=0.6)
    right.set(
        xlabel="time after the pulse (ms)",
        xlim=(-20, 60),
        yticks=[-k for k in range(len(ticks))],
        yticklabels=[n for _, n in ticks],
        title=f"rate, one step = {max(r[0].max() for r in rates.values()):.0f} Hz; grey: no pulse",
    )
    for panel in (left, right):
        panel.spines[["top", "right"]].set_visible(False)
    return figure
