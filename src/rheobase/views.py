"""Pictures of a study's result: slices, recruitment curves, raster. All return a Matplotlib figure.

Colour maps are perceptually uniform and safe for colour-blind readers; every axis and every bar
carries its unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.colors import Normalize
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
    from matplotlib.colors import Normalize

    figure = new_figure(13.5, 4.8)
    panels = figure.subplots(1, 3)
    for axis, panel in enumerate(panels):
        norm = Normalize(0, limit)
        shown = draw_slice(panel, head, value_at, axis=axis, at=centre[axis], norm=norm, step=step)
        i, j = [a for a in range(3) if a != axis]
        panel.plot(centre[i] * 1e3, centre[j] * 1e3, "+", color="white", ms=9, mew=1.2)
    figure.colorbar(shown, ax=panels, label=title, shrink=0.85)
    return figure


def draw_slice(
    panel: Any,
    head: Head,
    value_at: Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.int32]]],
    *,
    axis: int,
    at: float,
    norm: Normalize,
    cmap: str = "viridis",
    tissues: Sequence[str] = ("grey_matter", "white_matter"),
    margin: float | None = None,
    step: float = 1e-3,
) -> Any:
    """Draw a slice into a panel: tissue outlines, and a value in some tissues.

    Parameters
    ----------
    panel
        Matplotlib axes.
    head, value_at, step
        As in `slices`.
    axis, at
        The plane: coordinate ``axis`` is ``at`` (m).
    norm, cmap
        Scale and colour map of the value.
    tissues
        Names of the tissues that show it.
    margin
        How far around these tissues the panel goes (m); the whole slice if None.

    Returns
    -------
    matplotlib.image.AxesImage
        For `Figure.colorbar`.
    """
    low, high = head.mesh.nodes.min(axis=0), head.mesh.nodes.max(axis=0)
    i, j = [a for a in range(3) if a != axis]
    u, v = np.arange(low[i], high[i], step), np.arange(low[j], high[j], step)
    points = np.empty((len(v), len(u), 3))
    points[..., i], points[..., j], points[..., axis] = u[None, :], v[:, None], at
    values, tet = value_at(points.reshape(-1, 3))
    label = np.where(tet >= 0, head.mesh.labels[tet], 0).reshape(len(v), len(u))
    wanted = [k for k, t in head.tissues.items() if t.name in tissues]
    shown = np.where(np.isin(label, wanted), values.reshape(label.shape), np.nan)
    extent = (low[i] * 1e3, high[i] * 1e3, low[j] * 1e3, high[j] * 1e3)
    grey = np.where(label > 0, 0.93 - 0.06 * (label % 5), 1.0)
    panel.imshow(grey, extent=extent, origin="lower", cmap="gray", vmin=0, vmax=1)
    image = panel.imshow(shown, extent=extent, origin="lower", cmap=cmap, norm=norm)
    for tissue in np.unique(label[label > 0]):
        panel.contour(
            u * 1e3, v * 1e3, label == tissue, levels=[0.5], colors="0.25", linewidths=0.4
        )
    panel.set(xlabel=AXES[i], ylabel=AXES[j], aspect="equal")
    panel.set_title(f"{'xyz'[axis]} = {at * 1e3:.0f} mm", fontsize=10)
    if margin is not None and np.isfinite(shown).any():
        rows, columns = (np.flatnonzero(np.isfinite(shown).any(axis=k)) for k in (1, 0))
        ends = ((x[[k[0], k[-1]]] + [-margin, margin]) * 1e3 for x, k in ((u, columns), (v, rows)))
        panel.set(**dict(zip(("xlim", "ylim"), ends, strict=True)))
    return image


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
    value: NDArray[np.float64],
    depth: NDArray[np.float64],
    cell: NDArray[np.str_],
    *,
    xlabel: str,
    signed: bool = False,
) -> Figure:
    """Draw a value (its threshold, say) of every placed cell against the depth of its soma.

    Parameters
    ----------
    value
        In the unit of ``xlabel``, shape (n,); what is not finite is left out.
    depth
        Soma depth, 0 pial … 1 white, shape (n,).
    cell
        Cell type of each, shape (n,).
    xlabel
        Name and unit of the value.
    signed
        Whether the axis is linear, with a line at 0, in place of logarithmic.
    """
    figure = new_figure(8.5, 4.4)
    panel = figure.subplots()
    for colour, name in zip(COLOURS, dict.fromkeys(cell), strict=False):
        chosen = (cell == name) & np.isfinite(value)
        panel.plot(value[chosen], depth[chosen], ".", color=colour, ms=4, label=str(name))
    if signed:
        panel.axvline(0.0, color="0.6", lw=1)
    else:
        panel.set_xscale("log")
    panel.set(xlabel=xlabel, ylabel="depth of the soma (0 pia, 1 white matter)", ylim=(1, 0))
    panel.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    panel.spines[["top", "right"]].set_visible(False)
    return figure
