"""How a response travels through the columns.

Cells are taken by their lateral distance from the middle, whatever their column: their mean rate
around the pulses in time and distance. The onset at a distance is when the response passes half of
its largest value there; the speed is the robust slope of distance over onset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.neurons.columns.network import ColumnNetwork
from rheobase.neurons.measures.propagation import Speed, radial_speed
from rheobase.neurons.network.simulation import Spikes


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ColumnWave:
    """Rates of a class of cells around pulses, by distance from the middle.

    Parameters
    ----------
    time
        Middle of each bin after the pulse (s), shape (n_bins,).
    distance
        Mean distance of the cells of each ring (m), shape (n_rings,).
    change
        Rate less that before the pulses (Hz), shape (n_rings, n_bins).
    onset
        Time (s) at which each ring reaches half of its largest change; NaN where that is not 5
        standard deviations of the time before, shape (n_rings,).
    speed
        Distance over onset.
    """

    time: NDArray[np.float64]
    distance: NDArray[np.float64]
    change: NDArray[np.float64]
    onset: NDArray[np.float64]
    speed: Speed


def column_wave(
    columns: ColumnNetwork,
    spikes: Spikes,
    pulses: ArrayLike,
    *,
    cell_class: str = "PV",
    layer: str | None = None,
    beyond: float | None = None,
    ring: float = 50e-6,
    before: float = 40e-3,
    after: float = 40e-3,
    bin_width: float = 0.5e-3,
) -> ColumnWave:
    """Return the wave of a class of cells around ``pulses``.

    Parameters
    ----------
    columns, spikes
        Network and run.
    pulses
        Times of the pulses (s).
    cell_class, layer
        Cells taken; every layer where ``layer`` is None.
    beyond
        Least distance (m); None: the corners of the middle column, whose cells a pulse there fires.
    ring
        Width of a ring (m).
    before, after
        Time taken before and after a pulse (s).
    bin_width
        Width of a bin (s).

    Raises
    ------
    InputError
        If there is no such class or layer, no pulse lies that far inside the run, or fewer than
        three rings respond.
    """
    at = np.atleast_1d(np.asarray(pulses, dtype=np.float64))
    at = at[(at - before >= spikes.start) & (at + after <= spikes.stop)]
    if not len(at):
        raise InputError(f"no pulse has {before} s before and {after} s after it in the run: wave")
    beyond = columns.radius if beyond is None else beyond
    chosen = columns.ids(layer=layer, cell_class=cell_class)
    away = np.linalg.norm(columns.positions[:, :2], axis=1)
    n_rings = int((away[chosen].max() - beyond) // ring)
    member = np.full(len(away), -1)
    member[chosen] = np.floor((away[chosen] - beyond) / ring)
    member[member >= n_rings] = -1
    ringed = member >= 0
    cells = np.maximum(np.bincount(member[ringed], minlength=n_rings), 1)
    distance = np.bincount(member[ringed], weights=away[ringed], minlength=n_rings) / cells
    edges = np.arange(round((before + after) / bin_width) + 1) * bin_width - before
    count = np.zeros((n_rings, len(edges) - 1))
    for pulse in at:
        lo, hi = np.searchsorted(spikes.times, [pulse - before, pulse + after])
        of = member[spikes.ids[lo:hi]]
        in_bin = np.floor((spikes.times[lo:hi] - pulse + before) / bin_width + 1e-6).astype(int)
        kept = (of >= 0) & (in_bin < count.shape[1])
        np.add.at(count, (of[kept], in_bin[kept]), 1)
    rate = count / (cells[:, None] * len(at) * bin_width)
    time = (edges[1:] + edges[:-1]) / 2
    rest = rate[:, time < 0]
    change = rate - rest.mean(axis=1, keepdims=True)
    onset = _half_rise(time, change, 5 * rest.std(axis=1))
    return ColumnWave(
        time=time,
        distance=distance,
        change=change,
        onset=onset,
        speed=radial_speed(distance, onset),
    )


def _half_rise(
    time: NDArray[np.float64], change: NDArray[np.float64], least: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return when each row first reaches half of its largest value after 0 (linear between)."""
    out = np.full(len(change), np.nan)
    after = np.flatnonzero(time > 0)
    for k, row in enumerate(change):
        peak = after[row[after].argmax()]
        if row[peak] <= least[k]:
            continue
        half = row[peak] / 2
        below = np.flatnonzero(row[:peak] < half)[-1]
        part = (half - row[below]) / (row[below + 1] - row[below])
        out[k] = time[below] + part * (time[below + 1] - time[below])
    return out
