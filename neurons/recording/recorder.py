r"""Potentials, current sources and dipoles of a network of point neurons, from its spikes.

Every population stands for cells of a type, spread evenly over the disc of a column. A spike sends
its weight to each target; what all targets of a population receive from a group of sources, folded
with the kernel of such a synapse (`rheobase.neurons.recording.kernels`), is the current out of
their membranes by depth. Potentials follow from the discs (`rheobase.neurons.recording.discs`),
current dipole moments from the first moment (Hagen et al. 2022, doi:10.1371/journal.pcbi.1010353).

What is in it are synaptic currents and what they return; action potentials themselves, currents
that a stimulus drives and gates that answer are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase._progress import track
from rheobase.neurons.network.drive import Trains
from rheobase.neurons.network.model import Network
from rheobase.neurons.network.simulation import Spikes
from rheobase.neurons.recording.arrivals import arrivals
from rheobase.neurons.recording.discs import SIGMA, disc_potential
from rheobase.neurons.recording.kernels import Kernel
from rheobase.neurons.recording.sites import EXTERNAL

Floats = NDArray[np.float64]

_BLOCK = 12_000  # steps that are convolved at once


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Recording:
    """What a run looks like from outside its cells.

    Parameters
    ----------
    time
        Times (s), shape (t,).
    names, column
        Populations, and the column of each.
    centres
        Centres of the columns (m), lateral, shape (c, 2).
    radius
        Of each column's disc (m).
    depth
        Depth grid below the pia (m), shape (z,).
    sources
        Current out of the membranes of each column at each node of the grid (A), sinks negative,
        shape (c, z, t).
    dipole
        Current dipole moment of each population towards the pia (A m), shape (n_populations, t).
    """

    time: Floats
    names: tuple[str, ...]
    column: NDArray[np.int64]
    centres: Floats
    radius: float
    depth: Floats
    sources: Floats
    dipole: Floats

    @property
    def column_dipole(self) -> Floats:
        """Current dipole moment of each column towards the pia (A m), shape (c, t)."""
        out = np.zeros((len(self.centres), len(self.time)))
        np.add.at(out, self.column, self.dipole)
        return out

    @property
    def current_source_density(self) -> Floats:
        """Current source density of each column (A/m³), sinks negative, shape (c, z, t)."""
        height = self.depth[1] - self.depth[0]
        out: Floats = self.sources / (np.pi * self.radius**2 * height)
        return out

    def potential(
        self, depths: ArrayLike, *, at: ArrayLike = (0.0, 0.0), sigma: float = SIGMA
    ) -> Floats:
        """Return the extracellular potential along an electrode from the pia down (V).

        Parameters
        ----------
        depths
            Depths of its contacts (m), shape (n,).
        at
            Where it stands (m), shape (2,).
        sigma
            Conductivity of the cortex (S/m), taken as unbounded.

        Returns
        -------
        ndarray, shape (n, t)

        Raises
        ------
        InputError
            If a place is not finite, or ``sigma`` is not > 0.
        """
        z = np.atleast_1d(np.asarray(depths, dtype=np.float64))
        place = np.asarray(at, dtype=np.float64)
        if (
            place.shape != (2,)
            or z.ndim != 1
            or not (np.isfinite(z).all() and np.isfinite(place).all())
        ):
            raise InputError("expected finite depths (n,) and a place (2,): electrode")
        out = np.zeros((len(z), len(self.time)))
        for centre, current in zip(self.centres, self.sources, strict=True):
            away = float(np.linalg.norm(place - centre))
            height = z[:, None] - self.depth
            out += disc_potential(height, radius=self.radius, sigma=sigma, offset=away) @ current
        return out


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Recorder:
    """A network laid out in space, ready to turn its spikes into signals.

    Parameters
    ----------
    network
        The network; its synapses are currents.
    groups
        Groups of sources, that share their places on the targets, G of them; "external" is the
        Poisson input of the populations.
    group
        Group of each population and then of each spike source of the network.
    kernels
        Kernel by kind of target; its sites are the groups, in their order.
    kind
        Kind of each population.
    column
        Column of each population.
    centres, radius
        Centres of the columns (m), shape (c, 2), and the radius of the disc of each (m).
    stands_for
        How many cells of the tissue each cell of a population stands for.

    Raises
    ------
    InputError
        If lengths differ, a kind has no kernel, or synapses are conductances.
    """

    network: Network
    groups: tuple[str, ...]
    group: Sequence[int]
    kernels: Mapping[str, Kernel]
    kind: Sequence[str]
    column: Sequence[int]
    centres: Floats
    radius: float
    stands_for: float | Sequence[float] = 1.0

    def __post_init__(self) -> None:
        """Check that network, kernels and places belong together."""
        n = len(self.network.populations)
        if len(self.group) != len(self.network.all_names) or not (
            len(self.kind) == len(self.column) == n
        ):
            raise InputError(f"expected group, kind and column of each of {n} populations")
        for kind in self.kind:
            check_option("kind of target", kind, self.kernels, where="recorder")
        grids = [k.depth for k in self.kernels.values()]
        for name, kernel in self.kernels.items():
            if len(kernel.current) != len(self.groups) or not np.isclose(
                kernel.dt, self.network.dt
            ):
                raise InputError(
                    f"kernels must have {len(self.groups)} sites and steps of "
                    f"{self.network.dt} s: kernel of {name!r}"
                )
            if not np.array_equal(kernel.depth, grids[0]):
                raise InputError(f"kernels must have one depth grid: kernel of {name!r}")
        for p in self.network.populations:
            if p.neuron.E_E is not None:
                raise InputError(
                    "expected synapses that are currents, got conductances: population "
                    f"{p.name!r} of the recorder"
                )

    def record(self, spikes: Spikes, *, trains: Trains | None = None, every: int = 1) -> Recording:
        """Return the signals of a run.

        Parameters
        ----------
        spikes
            A run of the network from time 0. The Poisson input is in the signals if the run has
            recorded its currents; else it counts as constant, as it does on average.
        trains
            What the run's spike sources played.
        every
            Steps of the network between two times of the recording.

        Raises
        ------
        InputError
            If the spikes are another network's, or ``every`` is not >= 1.
        """
        if every < 1:
            raise InputError(f"every must be >= 1 step, got {every}: recording")
        network = self.network
        sent = arrivals(network, spikes, groups=self.group, trains=trains)
        if len(self.groups) > sent.shape[2]:
            more = len(self.groups) - sent.shape[2]
            sent = np.concatenate([sent, np.zeros((*sent.shape[:2], more), np.float32)], axis=2)
        if spikes.currents is not None and EXTERNAL in self.groups:
            sent[:, :, self.groups.index(EXTERNAL)] = external_arrivals(network, spikes, sent)
        column = np.asarray(self.column, dtype=np.int64)
        depth = next(iter(self.kernels.values())).depth
        rows = np.arange(every - 1, len(sent), every)
        sources = np.zeros((len(self.centres), len(depth), len(rows)))
        dipole = np.zeros((len(network.populations), len(rows)))
        factor = np.broadcast_to(np.asarray(self.stands_for, dtype=np.float64), len(column))
        for name in track(list(self.kernels), "recording", total=len(self.kernels)):
            folded = _Folding(self.kernels[name], len(sent))
            members = np.flatnonzero(np.asarray(self.kind) == name)
            for p, current in zip(members, folded.apply(sent[:, members], every), strict=True):
                sources[column[p]] += factor[p] * current
                dipole[p] = -factor[p] * (depth @ current)
        return Recording(
            time=network.dt * (rows + 1.0).astype(np.float64),
            names=network.names,
            column=column,
            centres=np.asarray(self.centres, dtype=np.float64),
            radius=self.radius,
            depth=depth,
            sources=sources,
            dipole=dipole,
        )


def external_arrivals(
    network: Network, spikes: Spikes, sent: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the external weights (A) that arrived in each step, (n_steps, n_populations).

    They are what the recorded excitatory currents have over those that the network's own spikes
    set off, less their mean: a constant current moves no dipole of a cell at its rest.

    Parameters
    ----------
    network, spikes
        The network and a run with currents.
    sent
        As `arrivals` gives them, in any groups.
    """
    if spikes.currents is None:
        raise InputError("currents must be recorded (simulate with record_currents): recording")
    I_E = spikes.currents[:, :, 0]
    fade = np.exp(-network.dt / np.array([p.neuron.tau_E for p in network.populations]))
    arrived = I_E.copy()
    arrived[1:] -= fade * I_E[:-1]
    arrived -= np.maximum(sent, 0).sum(axis=2)
    out: NDArray[np.float32] = (arrived - arrived.mean(axis=0)).astype(np.float32)
    return out


class _Folding:
    """Convolution of the currents of all groups with one kernel, and the sum over the groups."""

    def __init__(self, kernel: Kernel, n_steps: int) -> None:
        from scipy.fft import next_fast_len, rfft

        self._length = kernel.current.shape[1]
        blocks = -(-n_steps // _BLOCK)
        self._steps = -(-n_steps // blocks)  # of a block; its tail meets the next
        self._size = next_fast_len(self._steps + self._length - 1, real=True)
        self._kernel = np.ascontiguousarray(  # (frequency, group, z)
            rfft(kernel.current, self._size, axis=1).transpose(1, 0, 2)
        )

    def apply(self, sent: NDArray[np.float32], every: int) -> Floats:
        """Return the currents that arrivals (n_steps, p, groups) drive at the nodes, (p, z, t)."""
        from scipy.fft import irfft, rfft

        n_steps = len(sent)
        nodes = self._kernel.shape[2]
        out = np.zeros((sent.shape[1], nodes, n_steps + self._length - 1))
        for first in range(0, n_steps, self._steps):
            block = sent[first : first + self._steps].astype(np.float64)
            both = rfft(block, self._size, axis=0) @ self._kernel  # (frequency, p, z)
            end = min(first + self._size, out.shape[2])
            for p in range(len(out)):
                folded = irfft(np.ascontiguousarray(both[:, p].T), self._size, axis=1)
                out[p, :, first:end] += folded[:, : end - first]
        return np.ascontiguousarray(out[:, :, every - 1 : n_steps : every])
