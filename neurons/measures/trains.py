"""Rate in time, irregularity and synchrony of the spike trains of each population.

Asynchronous irregular activity has interval coefficients of variation and Fano factors near 1,
correlations of counts near 0 and a synchrony near 1/sqrt(size).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.neurons.measures._checks import stretch
from rheobase.neurons.network.simulation import Spikes


def population_rate(
    spikes: Spikes,
    *,
    bin_width: float = 1e-3,
    start: float | None = None,
    stop: float | None = None,
) -> NDArray[np.float64]:
    """Return the rate (Hz) of each population in time, shape (n_populations, n_bins).

    Bin k holds the spikes with start + k w < t <= start + (k + 1) w for the width w.

    Parameters
    ----------
    spikes
        Run.
    bin_width
        Width w of a bin (s), a whole number of steps.
    start, stop
        Interval (s), the whole run where left out; a last part of a bin does not count.

    Raises
    ------
    InputError
        If the interval is outside the run or shorter than a bin, or the bin no whole number of
        steps.
    """
    index, n_bins = _bins(spikes, bin_width, start, stop, where="population rate")
    population = np.searchsorted(spikes.first, spikes.ids, side="right") - 1
    kept = (index >= 0) & (index < n_bins)
    n = len(spikes.names)
    count = np.bincount(population[kept] * n_bins + index[kept], minlength=n * n_bins)
    return count.reshape(n, n_bins) / (spikes.sizes[:, None] * bin_width)


def interval_cv(
    spikes: Spikes, *, start: float | None = None, stop: float | None = None, least: int = 10
) -> dict[str, float]:
    """Return the mean coefficient of variation of the intervals of each population's neurons.

    Parameters
    ----------
    spikes
        Run.
    start, stop
        Interval (s), the whole run where left out.
    least
        Intervals that a neuron must have to count: few make the coefficient too small.

    Returns
    -------
    dict
        Mean over neurons by population; NaN where no neuron has as many intervals.

    Raises
    ------
    InputError
        If the interval is outside the run or ``least`` is below 2.
    """
    start, end = stretch(spikes, start, stop, where="interval_cv")
    if least < 2:
        raise InputError(f"least must be >= 2 intervals, got {least}: interval_cv")
    kept = (spikes.times > start) & (spikes.times <= end)
    order = np.lexsort((spikes.times[kept], spikes.ids[kept]))
    ids, times = spikes.ids[kept][order], spikes.times[kept][order]
    same = ids[1:] == ids[:-1]
    interval, owner = np.diff(times)[same], ids[1:][same]
    n = int(spikes.first[-1])
    number = np.bincount(owner, minlength=n)
    enough = number >= least
    mean = np.bincount(owner, interval, n) / np.maximum(number, 1)
    square = np.bincount(owner, (interval - mean[owner]) ** 2, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        cv = np.sqrt(square / (number - 1)) / mean
    return _means(spikes, cv, enough)


def fano(
    spikes: Spikes, *, window: float = 0.1, start: float | None = None, stop: float | None = None
) -> dict[str, float]:
    """Return the mean Fano factor of each population: variance over mean of counts in windows.

    Parameters
    ----------
    spikes
        Run.
    window
        Length of a window (s), a whole number of steps.
    start, stop
        Interval (s), the whole run where left out.

    Returns
    -------
    dict
        Mean over the neurons that fired, by population; NaN where none did.

    Raises
    ------
    InputError
        As :func:`population_rate`, or if there are fewer than 2 windows.
    """
    result = {}
    for name, count in _counts(spikes, window, start, stop, where="fano").items():
        mean = count.mean(axis=1)
        fired = mean > 0
        ratio = count[fired].var(axis=1, ddof=1) / mean[fired]
        result[name] = float(ratio.mean()) if fired.any() else np.nan
    return result


def synchrony(
    spikes: Spikes,
    *,
    bin_width: float = 3e-3,
    start: float | None = None,
    stop: float | None = None,
) -> dict[str, float]:
    """Return the synchrony of each population, 1/sqrt(size) if independent, 1 if all fire as one.

    The square is the variance in time of the mean count over neurons, divided by the mean over
    neurons of the variance in time of their counts (the measure chi of Golomb 2007, Scholarpedia
    2:1347, 10.4249/scholarpedia.1347, here of counts in bins).

    Parameters
    ----------
    spikes
        Run.
    bin_width
        Width of a bin (s), a whole number of steps: spikes within it count as together.
    start, stop
        Interval (s), the whole run where left out.

    Returns
    -------
    dict
        Synchrony by population; NaN where no neuron fired.

    Raises
    ------
    InputError
        As :func:`population_rate`, or if there are fewer than 2 bins.
    """
    result = {}
    for name, count in _counts(spikes, bin_width, start, stop, where="synchrony").items():
        alone = count.var(axis=1).mean()
        result[name] = float(np.sqrt(count.mean(axis=0).var() / alone)) if alone > 0 else np.nan
    return result


def count_correlation(
    spikes: Spikes, *, window: float = 0.05, start: float | None = None, stop: float | None = None
) -> dict[str, float]:
    """Return the mean correlation of counts over all pairs of neurons of each population.

    Parameters
    ----------
    spikes
        Run.
    window
        Length of a window (s), a whole number of steps.
    start, stop
        Interval (s), the whole run where left out.

    Returns
    -------
    dict
        Mean Pearson correlation over the pairs of neurons that fired, by population; NaN where
        there is no pair.

    Raises
    ------
    InputError
        As :func:`population_rate`, or if there are fewer than 2 windows.
    """
    result = {}
    for name, count in _counts(spikes, window, start, stop, where="count_correlation").items():
        spread = count.std(axis=1)
        x = count[spread > 0]
        n = len(x)
        z = (x - x.mean(axis=1, keepdims=True)) / spread[spread > 0, None]
        # the variance of the sum is n + the sum over all ordered pairs
        result[name] = float((z.sum(axis=0).var() - n) / (n * (n - 1))) if n > 1 else np.nan
    return result


def _bins(
    spikes: Spikes, width: float, start: float | None, stop: float | None, *, where: str
) -> tuple[NDArray[np.int64], int]:
    """Return the bin of each spike (outside 0..n - 1: none) and the number n of bins."""
    begin, end = stretch(spikes, start, stop, where=where)
    steps = round(width / spikes.dt)
    if steps < 1 or abs(steps * spikes.dt - width) > 1e-6 * width:
        raise InputError(f"bins must be a whole number of {spikes.dt} s, got {width} s: {where}")
    n_bins = (round(end / spikes.dt) - round(begin / spikes.dt)) // steps
    if n_bins < 1:
        raise InputError(f"interval must hold a bin of {width} s, got {begin}..{end} s: {where}")
    # a spike at the end of step s belongs to step s
    step = np.rint(spikes.times / spikes.dt).astype(np.int64) - 1
    return (step - round(begin / spikes.dt)) // steps, n_bins


def _counts(
    spikes: Spikes, width: float, start: float | None, stop: float | None, *, where: str
) -> dict[str, NDArray[np.float32]]:
    """Return counts in bins of each neuron, (size, n_bins), by population."""
    index, n_bins = _bins(spikes, width, start, stop, where=where)
    if n_bins < 2:
        raise InputError(f"interval must hold 2 bins of {width} s, got {n_bins}: {where}")
    kept = (index >= 0) & (index < n_bins)
    index, ids = index[kept], spikes.ids[kept].astype(np.int64)
    result = {}
    for name, first, last in zip(spikes.names, spikes.first[:-1], spikes.first[1:], strict=True):
        own = (ids >= first) & (ids < last)
        flat = (ids[own] - first) * n_bins + index[own]
        count = np.bincount(flat, minlength=int(last - first) * n_bins)
        result[name] = count.reshape(-1, n_bins).astype(np.float32)
    return result


def _means(
    spikes: Spikes, value: NDArray[np.float64], valid: NDArray[np.bool_]
) -> dict[str, float]:
    """Return the mean of the valid neurons' values by population, NaN where there is none."""
    result = {}
    for name, first, last in zip(spikes.names, spikes.first[:-1], spikes.first[1:], strict=True):
        own = value[first:last][valid[first:last]]
        result[name] = float(own.mean()) if own.size else np.nan
    return result
