"""What comes into the network from outside: pulses, a weak field, recorded spikes.

Pulses. The cell side gives, for each population, the probability P that one of its cells fires on
a pulse. At every pulse each cell draws once (Bernoulli, keyed by seed, time step and cell) and,
where it succeeds, spikes directly after its latency, whatever its potential. A cell in its
refractory period at that moment does not fire. The forced spike is a spike as any other: it resets
the cell, starts its refractory period and travels along its synapses.

Weak field. A field too weak to fire a cell shifts its potential. The shift is given as the steady
one; the cell receives the current that would hold it there at rest.

Recorded spikes are played by neurons without a membrane.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.neurons.network.model import Network


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Drive:
    """Pulses and each population's probability of firing on one.

    Parameters
    ----------
    probability
        Probability (0..1) that a cell fires on a pulse, by name of the network's population: one
        number, or one for each of its cells, shape (size,). A population without an entry is not
        driven.
    times
        Times of the pulses (s), shape (n_pulses,). Pulses within one step of the network are one.
    latency
        Time (s, >= 0) from pulse to spike: one number, or by population one number or one for each
        of its cells.

    Raises
    ------
    InputError
        If a probability is outside 0..1, a time or a latency is negative or not finite, or the
        latencies lack a driven population.
    """

    probability: Mapping[str, float | NDArray[np.floating[Any]]]
    times: NDArray[np.floating[Any]]
    latency: float | Mapping[str, float | NDArray[np.floating[Any]]] = 0.0

    def __post_init__(self) -> None:
        """Check ranges."""
        object.__setattr__(self, "times", np.atleast_1d(np.asarray(self.times, dtype=float)))
        for name, values in self.probability.items():
            p = np.asarray(values, dtype=float)
            if not ((p >= 0) & (p <= 1)).all():
                wrong = p[~((p >= 0) & (p <= 1))].flat[0]
                raise InputError(f"probability must be in 0..1, got {wrong}: drive of {name!r}")
            if isinstance(self.latency, Mapping):
                check_option("latency", name, self.latency, where=f"drive of {name!r}")
            late = np.asarray(self.latency_of(name), dtype=float)
            if not ((late >= 0) & (late < np.inf)).all():
                wrong = late[~((late >= 0) & (late < np.inf))].flat[0]
                raise InputError(f"latency must be >= 0 s, got {wrong}: drive of {name!r}")
        if self.times.ndim != 1 or not (np.isfinite(self.times) & (self.times >= 0)).all():
            raise InputError("times of pulses must be a list of finite values >= 0 s: drive")

    def latency_of(self, name: str) -> float | NDArray[np.floating[Any]]:
        """Return the latency (s) of population ``name``."""
        return self.latency[name] if isinstance(self.latency, Mapping) else self.latency


def forced_spikes(
    drive: Drive,
    network: Network,
    *,
    seed: int,
    begin: int = 0,
    end: int | None = None,
    taken: Collection[str] = (),
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Draw who fires on which pulse.

    Parameters
    ----------
    drive, network
        Pulses and what they act on.
    seed
        Seed (>= 0) of the draws.
    begin, end
        Steps of the grid between which, both included, pulses are taken; without ``end``, all
        from ``begin`` on.
    taken
        Populations whose pulse at ``begin`` is left out.

    Returns
    -------
    step, neuron : ndarray, shape (n,)
        Step of the grid at whose end the neuron shall spike (a spike at time t belongs to step
        t/dt - 1, and to step ``begin`` if earlier) and its number, ordered by (step, neuron).

    Raises
    ------
    InputError
        If the drive names a population the network has not, with the nearest names, or gives
        values for another number of cells.
    """
    at = np.rint(drive.times / network.dt).astype(np.int64)
    at, index = np.unique(at, return_index=True)
    inside = (at >= begin) if end is None else (at >= begin) & (at <= end)
    steps, neurons = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
    for name in drive.probability:
        check_option("population", name, network.names, where="drive")
        ids = network.ids(name)
        p = _by_cell("probability", drive.probability[name], len(ids), name)
        latency = _by_cell("latency", drive.latency_of(name), len(ids), name)
        if not p.any():
            continue
        for k, time in zip(at[inside], drive.times[index][inside], strict=True):
            if k == begin and name in taken:
                continue
            entropy = np.random.SeedSequence([seed, 2, int(k), network.names.index(name)])
            draws = np.random.Generator(np.random.Philox(entropy)).random(len(ids))
            fired = np.flatnonzero(draws < p)
            due = np.rint((time + latency[fired]) / network.dt).astype(np.int64) - 1
            steps.append(np.maximum(due, begin))
            neurons.append(fired.astype(np.int32) + np.int32(ids.start))
    return _ordered(np.concatenate(steps), np.concatenate(neurons))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Polarisation:
    """Shift of the cells' potentials by a field too weak to fire them.

    A cell receives the current ``shift`` C/tau_m times the waveform, under which its potential at
    rest, with no synapse open, settles at ``shift`` above E_L. A changing waveform therefore passes
    the membrane's low-pass 1/(1 + 2 pi i f tau_m), as one from an electrode in the soma would: give
    the shift of steady fields here, or undo the low-pass in the shift of a field of frequency f.

    Parameters
    ----------
    shift
        Shift (V, above 0 depolarises) at waveform 1 by name of the network's population: one
        number, or one for each of its cells, shape (size,). Others are not shifted.
    waveform
        One number throughout, or one for each step from the beginning of the run (of the stretch),
        held during it, shape (n_steps,).

    Raises
    ------
    InputError
        If a value is not finite.
    """

    shift: Mapping[str, float | NDArray[np.floating[Any]]]
    waveform: float | NDArray[np.floating[Any]] = 1.0

    def __post_init__(self) -> None:
        """Check that values are finite."""
        for name, values in self.shift.items():
            if not np.isfinite(np.asarray(values, dtype=float)).all():
                raise InputError(f"shift must be finite: polarisation of {name!r}")
        waveform = np.asarray(self.waveform, dtype=float)
        if waveform.ndim > 1 or not np.isfinite(waveform).all():
            raise InputError("waveform must be one finite value or one a step: polarisation")


def shifts(
    polarisations: Sequence[Polarisation], network: Network, n_steps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each polarisation's shifts (V), shape (k, n), and waveform, shape (k, n_steps).

    Raises
    ------
    InputError
        If a population is unknown, the values are for another number of cells, or a waveform is
        shorter than the run.
    """
    shift = np.zeros((len(polarisations), network.size))
    waveform = np.empty((len(polarisations), n_steps))
    for k, polarisation in enumerate(polarisations):
        for name, values in polarisation.shift.items():
            check_option("population", name, network.names, where="polarisation")
            ids = network.ids(name)
            shift[k, ids.start : ids.stop] = _by_cell("shift", values, len(ids), name)
        given = np.asarray(polarisation.waveform, dtype=np.float64)
        if given.ndim and len(given) < n_steps:
            raise InputError(
                f"waveform must have the {n_steps} steps of the run, got {len(given)}: polarisation"
            )
        waveform[k] = given[:n_steps] if given.ndim else given
    return shift, waveform


type Trains = Mapping[str, tuple[ArrayLike, ArrayLike]]
"""Recorded spikes by source: times (s) and neurons 0..size - 1 of the source, shape (n,) each."""


def played_spikes(
    trains: Trains, network: Network, *, begin: int, end: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Return what sources play from step ``begin`` to before ``end``.

    Returns
    -------
    step, neuron, count : ndarray, shape (n,)
        Step that begins with the spike, neuron of the network, and how often it spikes there,
        ordered by (step, neuron).

    Raises
    ------
    InputError
        If a source is unknown, times and neurons differ in number, a time is negative or not
        finite, or a neuron is outside its source.
    """
    steps, neurons = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
    known = [s.name for s in network.sources]
    for name, (when, who) in trains.items():
        check_option("spike source", name, known, where="trains")
        ids = network.ids(name)
        times, local = np.atleast_1d(np.asarray(when, float)), np.atleast_1d(np.asarray(who))
        if times.shape != local.shape or times.ndim != 1:
            raise InputError(
                f"trains must have as many neurons as times, got {local.size} and {times.size}: "
                f"source {name!r}"
            )
        if not (np.isfinite(times) & (times >= 0)).all():
            raise InputError(f"times of spikes must be finite and >= 0 s: source {name!r}")
        if local.size and not (local.min() >= 0 and local.max() < len(ids)):
            raise InputError(f"trains must name neurons 0..{len(ids) - 1}: source {name!r}")
        step = np.rint(times / network.dt).astype(np.int64)
        inside = (step >= begin) & (step < end)
        steps.append(step[inside])
        neurons.append(local[inside].astype(np.int32) + np.int32(ids.start))
    step, neuron = _ordered(np.concatenate(steps), np.concatenate(neurons))
    new = np.ones(len(step), dtype=bool)
    new[1:] = (step[1:] != step[:-1]) | (neuron[1:] != neuron[:-1])
    count = np.diff(np.append(np.flatnonzero(new), len(step))).astype(np.int32)
    return step[new], neuron[new], count


def _ordered(
    step: NDArray[np.int64], neuron: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return both ordered by (step, neuron)."""
    order = np.lexsort((neuron, step))
    return step[order], neuron[order]


def _by_cell(
    what: str, values: float | NDArray[np.floating[Any]], size: int, name: str
) -> NDArray[np.float64]:
    """Return ``values`` for each of the ``size`` cells of population ``name``."""
    given = np.asarray(values, dtype=np.float64)
    if given.shape not in {(), (size,)}:
        raise InputError(
            f"{what} must be one number or have shape ({size},), got shape {given.shape}: "
            f"population {name!r}"
        )
    return np.broadcast_to(given, (size,))
