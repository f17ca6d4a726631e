"""What a run of the network says: rates, raster, evoked response, evoked wave.

The evoked response is the rate of each population around the pulses, averaged over them (the
peri-stimulus time histogram). The evoked wave is the sum of absolute synaptic currents,
|I_E| + |I_I|, a proxy of the local field potential that follows the full forward model well when
it is taken over pyramidal cells (Mazzoni, Lindén, Cuntz, Lansner, Panzeri & Einevoll 2015, PLoS
Comput Biol 11:e1004584, 10.1371/journal.pcbi.1004584). It is a current, not a potential: its shape
in time means something, its sign and its size in volts do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.neurons.network.simulation import Spikes

ONSET_DEVIATIONS = 3.0  # a response begins where it stays this many deviations above its baseline


def rates(
    spikes: Spikes, *, start: float | None = None, stop: float | None = None
) -> dict[str, float]:
    """Return the mean rate (Hz) of each population between ``start`` and ``stop`` (s).

    Without them from the beginning, or to the end, of the run or stretch.

    Raises
    ------
    InputError
        If the interval is empty or outside the run.
    """
    begin = spikes.start if start is None else start
    end = spikes.stop if stop is None else stop
    some = 1e-6 * spikes.dt
    if not spikes.start - some <= begin < end <= spikes.stop + some:
        raise InputError(
            f"interval must lie within {spikes.start}..{spikes.stop} s, got {begin}..{end}: rates"
        )
    ids = spikes.ids[(spikes.times > begin + some) & (spikes.times <= end + some)]
    count = np.histogram(ids, spikes.first)[0]
    rate = count / spikes.sizes / (end - begin)
    return {name: float(r) for name, r in zip(spikes.names, rate, strict=True)}


def raster(
    spikes: Spikes, *, start: float | None = None, stop: float | None = None, share: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32]]:
    """Return the spikes to draw: times (s), neurons, population of each, shape (n,).

    Parameters
    ----------
    spikes
        Run.
    start, stop
        Interval (s); without them from the beginning, or to the end, of the run.
    share
        Part of each population's neurons to keep (every k-th), 0 < share <= 1.

    Raises
    ------
    InputError
        If ``share`` is outside its range.
    """
    if not 0 < share <= 1:
        raise InputError(f"share must be > 0 and <= 1, got {share}: raster")
    begin = spikes.start if start is None else start
    end = spikes.stop if stop is None else stop
    kept = (spikes.times > begin) & (spikes.times <= end) & (spikes.ids % round(1 / share) == 0)
    times, ids = spikes.times[kept], spikes.ids[kept]
    population = np.searchsorted(spikes.first, ids, side="right") - 1
    return times, ids, population.astype(np.int32)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Evoked:
    """A quantity around the pulses, averaged over them, for each population.

    Parameters
    ----------
    names
        Populations (or layers).
    time
        Ends of the bins after the pulse (s), shape (n_bins,).
    value
        Mean over the pulses, shape (n, n_bins), in ``unit``.
    baseline
        Mean over the bins before the pulse, shape (n,).
    deviation
        Standard deviation of the bins before the pulse, shape (n,); for rates at least that of
        a Poisson count of the same mean.
    unit
        "Hz" or "A".
    n_pulses
        Number of pulses averaged.
    """

    names: tuple[str, ...]
    time: NDArray[np.float64]
    value: NDArray[np.float64]
    baseline: NDArray[np.float64]
    deviation: NDArray[np.float64]
    unit: str
    n_pulses: int

    @property
    def response(self) -> NDArray[np.float64]:
        """Value less baseline, shape (n, n_bins)."""
        return self.value - self.baseline[:, None]

    @property
    def onset(self) -> NDArray[np.float64]:
        """Latency (s) of the response, shape (n,); NaN where there is none.

        The first bin after the pulse that is, as the next one too, more than 3 deviations above
        the baseline, or alone more than twice that.
        """
        z = self.response - ONSET_DEVIATIONS * self.deviation[:, None]
        high = (z > 0) & (self.time > 0)
        follows = np.zeros_like(high)
        follows[:, :-1] = high[:, 1:]
        alone = self.response > 2 * ONSET_DEVIATIONS * self.deviation[:, None]
        begins = high & (follows | alone)
        return np.where(begins.any(axis=1), self.time[begins.argmax(axis=1)], np.nan)

    @property
    def peak(self) -> NDArray[np.float64]:
        """Largest response after the pulse, shape (n,)."""
        return self.response[:, self.time > 0].max(axis=1)

    @property
    def peak_latency(self) -> NDArray[np.float64]:
        """Time (s) of the largest response after the pulse, shape (n,)."""
        after = self.time > 0
        return self.time[after][self.response[:, after].argmax(axis=1)]


def evoked_response(
    spikes: Spikes,
    pulses: ArrayLike,
    *,
    before: float = 0.05,
    after: float = 0.1,
    bin_width: float = 1e-3,
) -> Evoked:
    """Return the rate (Hz) of each population around ``pulses``.

    Parameters
    ----------
    spikes
        Run.
    pulses
        Times of the pulses (s), shape (n_pulses,).
    before, after
        Extent (s) of the baseline before a pulse and of the response after it.
    bin_width
        Width of a bin (s), a whole number of steps.

    Raises
    ------
    InputError
        If no window lies within the run, or the bin is not a whole number of steps.
    """
    first_step, n_before, n_after, width = _windows(
        spikes, pulses, before=before, after=after, bin_width=bin_width
    )
    # a spike at the end of step s belongs to step s, so that a bin is (k, k + 1] bin_width
    step = np.rint((spikes.times - spikes.start) / spikes.dt).astype(np.int64) - 1
    population = np.searchsorted(spikes.first, spikes.ids, side="right") - 1
    n_bins = n_before + n_after
    count = np.zeros((len(spikes.names), n_bins))
    for origin in first_step:
        lo, hi = np.searchsorted(step, [origin, origin + n_bins * width])
        index = (step[lo:hi] - origin) // width
        np.add.at(count, (population[lo:hi], index), 1)
    n = len(first_step)
    unit = 1 / (n * spikes.sizes * width * spikes.dt)  # Hz per count
    value = count * unit[:, None]
    baseline = value[:, :n_before].mean(axis=1)
    poisson = np.sqrt(np.maximum(count[:, :n_before].mean(axis=1), 1 / n_before)) * unit
    return Evoked(
        names=spikes.names,
        time=np.arange(1 - n_before, n_after + 1, dtype=np.float64) * (width * spikes.dt),
        value=value,
        baseline=baseline,
        deviation=np.maximum(value[:, :n_before].std(axis=1), poisson),
        unit="Hz",
        n_pulses=n,
    )


def evoked_wave(
    spikes: Spikes,
    pulses: ArrayLike,
    *,
    before: float = 0.05,
    after: float = 0.1,
    bin_width: float = 1e-3,
) -> Evoked:
    """Return |I_E| + |I_I| (A) of the excitatory cells of each layer around ``pulses``.

    Parameters are those of :func:`evoked_response`; the run must have recorded its currents. Each
    value is the sum over the layer's excitatory cells, averaged over the bin and the pulses.

    Raises
    ------
    InputError
        If the run has no currents, or as :func:`evoked_response`.
    """
    if spikes.currents is None:
        raise InputError("currents must be recorded (simulate with record_currents): evoked wave")
    first_step, n_before, n_after, width = _windows(
        spikes, pulses, before=before, after=after, bin_width=bin_width
    )
    layers = tuple(dict.fromkeys(spikes.layers))
    member = np.array(
        [
            [e and layer == name for layer, e in zip(spikes.layers, spikes.excitatory, strict=True)]
            for name in layers
        ]
    )
    n_bins = n_before + n_after
    value = np.zeros((len(layers), n_bins))
    for origin in first_step:
        window = np.abs(spikes.currents[origin : origin + n_bins * width]).sum(axis=2)
        value += member @ window.reshape(n_bins, width, -1).mean(axis=1).T / len(first_step)
    return Evoked(
        names=layers,
        time=np.arange(1 - n_before, n_after + 1, dtype=np.float64) * (width * spikes.dt),
        value=value,
        baseline=value[:, :n_before].mean(axis=1),
        deviation=value[:, :n_before].std(axis=1),
        unit="A",
        n_pulses=len(first_step),
    )


def _windows(
    spikes: Spikes, pulses: ArrayLike, *, before: float, after: float, bin_width: float
) -> tuple[Sequence[int], int, int, int]:
    """Return the first step of each pulse's window, bins before and after, and steps of a bin.

    Steps count from the beginning of the run or stretch.
    """
    width = round(bin_width / spikes.dt)
    if width < 1 or abs(width * spikes.dt - bin_width) > 1e-6 * bin_width:
        raise InputError(f"bin_width must be a whole number of {spikes.dt} s, got {bin_width} s")
    n_before, n_after = round(before / bin_width), round(after / bin_width)
    if n_before < 2 or n_after < 1:
        raise InputError(
            f"the window must hold at least 2 bins before and 1 after, got {n_before}, {n_after}"
        )
    n_steps = round(spikes.duration / spikes.dt)
    since = np.atleast_1d(pulses) - spikes.start
    starts = [round(t / spikes.dt) - n_before * width for t in since]
    inside = [s for s in starts if s >= 0 and s + (n_before + n_after) * width <= n_steps]
    if not inside:
        raise InputError(
            f"no pulse has {before} s before and {after} s after it within the run of "
            f"{spikes.duration} s: evoked"
        )
    return inside, n_before, n_after, width
