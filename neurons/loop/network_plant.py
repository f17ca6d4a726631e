"""Spiking neurons as a plant: pulses force spikes, population rates are the signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rheobase._errors import InputError, check_option, check_positive
from rheobase.neurons.loop.plant import Floats, Pulses
from rheobase.neurons.network.drive import Drive
from rheobase.neurons.network.model import Network
from rheobase.neurons.network.simulation import Simulation


def check_sample(dt: float, step: float) -> None:
    """Raise `InputError` unless ``dt`` (s) is a multiple of the network's ``step`` (s)."""
    check_positive("dt", dt)
    if round(dt / step) < 1 or abs(round(dt / step) * step - dt) > 1e-9 * dt:
        raise InputError(f"dt must be a multiple of {step:g} s, got {dt:g} s: network")


class NetworkPlant:
    """A network, advanced in stretches of one `Simulation`.

    Parameters
    ----------
    network
        The network.
    share
        Probability (0 … 1) that a cell fires on a pulse that recruits all, by population; that of a
        pulse that recruits a fraction is in proportion. Other populations are not driven.
    listened
        Populations whose rates are the signals; all without.
    dt
        Time between samples (s), a multiple of the network's step: spikes are counted over it.
    latency
        From pulse to spike (s).
    seed, threads
        As of `Simulation`.

    Raises
    ------
    InputError
        If a population is unknown, a probability is out of range or ``dt`` no multiple of the step.
    """

    def __init__(
        self,
        network: Network,
        *,
        share: Mapping[str, float],
        listened: Sequence[str] | None = None,
        dt: float = 1e-3,
        latency: float = 1e-3,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        check_sample(dt, network.dt)
        for name, p in share.items():
            check_option("population", name, network.names, where="share of the plant")
            if not 0 <= p <= 1:
                raise InputError(f"share must be in 0..1, got {p!r}: population {name!r}")
        self.signals = tuple(
            check_option("population", name, network.names, where="signals of the plant")
            for name in (network.names if listened is None else listened)
        )
        self.units = ("1/s",) * len(self.signals)
        self.dt = dt
        self._share, self._latency = dict(share), latency
        self._simulation = Simulation(network, seed=seed, threads=threads)
        self._edges = np.array(
            [(network.ids(n).start, network.ids(n).stop) for n in self.signals], dtype=np.int64
        )

    def advance(self, n: int, pulses: Pulses) -> Floats:
        """Advance by ``n`` samples; return the rates (1/s), shape (n, n_signals)."""
        start = self._simulation.time
        stop = start + n * self.dt
        # one drive has one probability: a stretch ends where the recruited fraction changes
        change = np.flatnonzero(np.diff(pulses.fraction)) + 1
        groups = np.split(np.arange(len(pulses.times)), change)
        step = self._simulation.network.dt
        times, ids = [], []
        for k, group in enumerate(groups):
            last = k == len(groups) - 1
            until = stop if last else float(pulses.times[groups[k + 1][0]])
            length = round((until - self._simulation.time) / step) * step
            if length < step / 2:
                continue
            drive = None
            if len(group) and (fraction := float(pulses.fraction[group[0]])) > 0:
                drive = Drive(
                    probability={name: p * fraction for name, p in self._share.items()},
                    times=pulses.times[group],
                    latency=self._latency,
                )
            spikes = self._simulation.run(length, drive=drive)
            times.append(spikes.times)
            ids.append(spikes.ids)
        at = np.concatenate(times) - start
        # a spike at the end of a sample's time counts to it
        row = np.clip(np.ceil(at / self.dt - 1e-6).astype(np.int64) - 1, 0, n - 1)
        who = np.concatenate(ids)
        out = np.empty((n, len(self.signals)))
        for j, (first, end) in enumerate(self._edges):
            mine = (who >= first) & (who < end)
            out[:, j] = np.bincount(row[mine], minlength=n) / ((end - first) * self.dt)
        return out


class FibrePlant:
    """Fibres that answer each pulse with one volley, and nothing that they lead to.

    The signal "volleys" is the mean rate of fibres, recruited or not (1/s).

    Parameters
    ----------
    dt
        Time between samples (s).
    """

    signals = ("volleys",)
    units = ("1/s",)

    def __init__(self, *, dt: float = 1e-3) -> None:
        check_positive("dt", dt)
        self.dt = dt
        self._steps = 0

    def advance(self, n: int, pulses: Pulses) -> Floats:
        """Advance by ``n`` samples; return the rate (1/s), shape (n, 1)."""
        out = np.zeros((n, 1))
        row = np.clip((pulses.times / self.dt + 1e-6).astype(np.int64) - self._steps, 0, n - 1)
        np.add.at(out[:, 0], row, pulses.fraction / self.dt)
        self._steps += n
        return out
