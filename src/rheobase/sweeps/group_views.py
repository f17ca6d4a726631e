"""Pictures of maps over subjects: three sections of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase.views import AXES, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.fields.results.nifti import Grid

Floats = NDArray[np.float64]


def draw_maps(maps: Mapping[str, Floats], grid: Grid) -> Figure:
    """Draw sections of maps through the largest value of the first.

    Parameters
    ----------
    maps
        Values on the voxels by name and unit, NaN where there is none, shape (nx, ny, nz) each.
        One that has both signs gets colours around 0.
    grid
        The voxels, their axes along x, y and z.
    """
    first = next(iter(maps.values()))
    peak = np.unravel_index(np.nanargmax(np.abs(first)), first.shape)
    known = np.argwhere(np.isfinite(first))
    low, high = known.min(axis=0), known.max(axis=0) + 1
    step = np.diag(grid.affine)[:3] * 1e3
    start = grid.affine[:3, 3] * 1e3
    figure = new_figure(11.0, 3.2 * len(maps))
    panels = figure.subplots(len(maps), 3, squeeze=False)
    for row, (name, values) in zip(panels, maps.items(), strict=True):
        finite = values[np.isfinite(values)]
        top = float(np.percentile(np.abs(finite), 99.5)) or 1.0
        signed = bool((finite < 0).any())
        for axis, panel in enumerate(row):
            i, j = [a for a in range(3) if a != axis]
            section = np.take(values, peak[axis], axis=axis)[low[i] : high[i], low[j] : high[j]]
            ends = [start[a] + step[a] * (edge - 0.5) for a in (i, j) for edge in (low[a], high[a])]
            shown = panel.imshow(
                section.T, origin="lower", extent=ends, vmin=-top if signed else 0, vmax=top,
                cmap="PuOr_r" if signed else "viridis", interpolation="nearest",
            )  # fmt: skip
            at = start + step * np.array(peak)
            panel.plot(at[i], at[j], "+", color="k", ms=8)
            panel.set(xlabel=AXES[i], ylabel=AXES[j])
        figure.colorbar(shown, ax=list(row), label=name, shrink=0.9, extend="max")
    return figure
