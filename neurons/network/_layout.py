"""Arrays that the kernels of the spiking engine work on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Wiring(NamedTuple):
    """Synapses by source, the sources without membrane last; targets ascend within a source."""

    start: NDArray[np.int64]  # (n_all + 1,)
    cuts: NDArray[np.int32]  # (n_all, n_blocks + 1) of each row
    target: NDArray[np.int32]
    weight: NDArray[np.float32]  # A, or S onto conductances
    delay: NDArray[Any]  # steps, uint8 or uint16


#: Step of the last spike of a source that has not spiked: before any step, -1 too, in which what is
#: played at time 0 is sent.
NEVER = -(2**62)


class Plasticity(NamedTuple):
    """Short-term plasticity: one state for each source and population that it plastically feeds."""

    population: NDArray[np.int32]  # (n_all,) of each neuron
    pair: NDArray[np.int32]  # (n_all_populations, n_populations) number of the pair, -1: static
    offset: NDArray[np.int64]  # (n_pairs,) + neuron: its state
    constants: NDArray[np.float64]  # (n_pairs, 3) U, step/tau_rec, step/tau_facil (or inf)
    u: NDArray[np.float64]  # (n_states,)
    x: NDArray[np.float64]
    last: NDArray[np.int64]  # step of the last spike, or NEVER
    sent: NDArray[np.float32]  # part of the weight that the last step's spike sends


class Blocks(NamedTuple):
    """Blocks of neurons and the constants of their populations."""

    first: NDArray[np.int32]  # (n_blocks + 1,)
    population: NDArray[np.int32]  # (n_blocks,)
    constants: NDArray[np.float64]  # (n_populations, 9)
    conductance: NDArray[np.float64]  # (n_populations, 7); the first is 0 where currents
    refractory: NDArray[np.int32]  # (n_populations,) steps
    noise: NDArray[np.uint32]  # (n_populations, k) thresholds of the count of external spikes
    noise_levels: NDArray[np.int32]  # (n_populations,)


class State(NamedTuple):
    """What a step changes."""

    v: NDArray[np.float64]  # (n,) V - E_L, V
    current: NDArray[np.float64]  # (2, n) excitatory and inhibitory synaptic current, A (or S)
    left: NDArray[np.int32]  # (n,) steps left in the refractory period
    ring: NDArray[np.float32]  # (max delay, 2, n) A (or S) arriving at the end of a step
    draw: NDArray[np.uint32]  # (n,) scratch
    arrivals: NDArray[np.int32]  # (n,) scratch
    spiked: NDArray[np.int32]  # (n,) ids of this step, at the head of each block
    n_spiked: NDArray[np.int32]  # (n_blocks,)
    last: NDArray[np.int32]  # (n_all,) ids of the last step
    repeats: NDArray[np.int32]  # (n_all,) how often each spiked
    n_last: NDArray[np.int64]  # (1,)
    stiffest: NDArray[np.float64]  # (n_blocks,) largest step/(effective membrane time) so far


class Input(NamedTuple):
    """What comes from outside during a stretch that begins with step ``begin``."""

    begin: int
    forced_start: NDArray[np.int64]  # (n_steps + 1,) of each step's spikes forced on neurons
    forced: NDArray[np.int32]
    train_start: NDArray[np.int64]  # (n_steps + 1,) of the spikes that sources send in each step
    train: NDArray[np.int32]
    train_count: NDArray[np.int32]
    shift: NDArray[np.float64]  # (k, n) polarisations at waveform 1, V
    waveform: NDArray[np.float64]  # (k, n_steps)
    push: NDArray[np.float64]  # (n,) scratch: their sum in a step, V


class Record(NamedTuple):
    """What is written down; a record of no columns is skipped."""

    neuron: NDArray[np.int32]  # (k,)
    potential: NDArray[np.float64]  # (steps, k) V - E_L
    current: NDArray[np.float64]  # (steps, n_blocks or 0, 2) sums over the block, A
