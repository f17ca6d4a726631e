"""Pictures of the seven columns: who spikes when, and a response from column to column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase.views import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.neurons.columns.network import ColumnNetwork
    from rheobase.neurons.columns.wave import ColumnWave
    from rheobase.neurons.network.simulation import Spikes

CLASS_COLOURS = dict(zip(("PYR", "PV", "SST", "VIP", "NGC"), COLOURS, strict=False))


def column_raster(
    runs: Mapping[str, tuple[ColumnNetwork, Spikes]], *, start: float, stop: float, column: int = 0
) -> Figure:
    """Draw the spikes of a column of each network, by layer and class; rates at the right.

    Every population takes a band as high as the root of its share of cells.

    Parameters
    ----------
    runs
        Network and run by title.
    start, stop
        Interval (s) drawn; rates are those of the whole run but its first 0.3 s.
    column
        Column drawn; rates are the mean of all.
    """
    from rheobase.neurons.columns.pooled import pooled
    from rheobase.neurons.network.readout import rates

    figure = new_figure(4.6 * len(runs), 6.2)
    axes = figure.subplots(1, 2 * len(runs), width_ratios=[3, 1] * len(runs), squeeze=False)[0]
    for k, (title, (columns, run)) in enumerate(runs.items()):
        spikes_at, rates_at = axes[2 * k : 2 * k + 2]
        names = columns.circuit.names
        found = rates(pooled(columns, run), start=run.start + 0.3)
        height = np.sqrt([len(columns.network.ids(f"C{column}_{n}")) for n in names])
        height = np.maximum(height / height.sum(), 0.022)
        edge = np.concatenate([[0.0], np.cumsum(height)])
        layers: dict[str, list[int]] = {}
        for j, name in enumerate(names):
            ids = columns.network.ids(f"C{column}_{name}")
            lo, hi = np.searchsorted(run.times, [start, stop])
            of = (run.ids[lo:hi] >= ids.start) & (run.ids[lo:hi] < ids.stop)
            y = edge[j] + height[j] * (run.ids[lo:hi][of] - ids.start + 0.5) / len(ids)
            colour = CLASS_COLOURS[columns.circuit.cell_class[j]]
            spikes_at.plot(run.times[lo:hi][of] * 1e3, y, ".", ms=1.6, color=colour, mew=0)
            middle = edge[j] + height[j] / 2
            rates_at.barh(middle, found[name], 0.8 * height[j], color=colour)
            rates_at.plot(columns.circuit.rates[j], middle, "k|", ms=6)
            layers.setdefault(columns.circuit.layer[j], []).append(j)
        for layer, members in layers.items():
            for axis in (spikes_at, rates_at):
                axis.axhline(edge[members[0]], color="0.7", lw=0.6)
            middle = (edge[members[0]] + edge[members[-1] + 1]) / 2
            spikes_at.text(start * 1e3, middle, f"{layer} ", ha="right", va="center", fontsize=8)
        for axis in (spikes_at, rates_at):
            axis.set(ylim=(1.0, 0.0) if edge[-1] <= 1 else (edge[-1], 0.0), yticks=[])
        spikes_at.set(xlim=(start * 1e3, stop * 1e3), xlabel="time (ms)")
        spikes_at.set_title(title, fontsize=9)
        rates_at.set_xlabel("rate (Hz)")
    for name, colour in CLASS_COLOURS.items():
        axes[0].plot([], [], "s", color=colour, label=name)
    axes[0].legend(fontsize=7, loc="lower left", ncols=3, handletextpad=0.2, columnspacing=0.8)
    return figure


def column_wave_view(waves: Mapping[str, ColumnWave], *, after: float = 12e-3) -> Figure:
    """Draw rates over time and distance after pulses in the middle column, with the wave's speed.

    Parameters
    ----------
    waves
        Waves by title; each has its own scale.
    after
        Time drawn after the pulses (s).
    """
    figure = new_figure(4.4 * len(waves), 3.6)
    axes = figure.subplots(1, len(waves), squeeze=False)[0]
    for axis, (title, wave) in zip(axes, waves.items(), strict=True):
        shown = (wave.time > -2e-3) & (wave.time <= after)
        top = float(wave.change[:, shown].max())
        mesh = axis.pcolormesh(
            _edges(wave.time[shown]) * 1e3,
            _edges(wave.distance) * 1e6,
            wave.change[:, shown],
            cmap="RdBu_r",
            vmin=-top,
            vmax=top,
        )
        axis.plot(wave.onset * 1e3, wave.distance * 1e6, "ko", ms=3)
        speed = wave.speed
        if np.isfinite(speed.speed):
            axis.plot((speed.delay + wave.distance / speed.speed) * 1e3, wave.distance * 1e6, "k--")
        axis.axvline(0, color="k", lw=0.6)
        told = f"{speed.speed:.2f} m/s ({speed.low:.2f} to {speed.high:.2f})"
        axis.set_title(f"{title}: {told}", fontsize=9)
        axis.set_xlabel("time after the pulse (ms)")
        figure.colorbar(mesh, ax=axis, label="rate above rest (Hz)")
    axes[0].set_ylabel("distance from the middle (µm)")
    return figure


def _edges(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return borders halfway between centres, the outer ones as far out, shape (n + 1,)."""
    half = np.diff(centres) / 2
    first, last = centres[0] - half[0], centres[-1] + half[-1]
    return np.concatenate([[first], centres[:-1] + half, [last]])
