"""Kernels of the spiking engine: counter-based noise, delivery, exact steps.

Neurons are cut into fixed blocks within a population. A block's step touches only its own neurons,
in an order that does not depend on who runs it, so any number of threads gives the same spikes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
S30, S27, S31, S32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)


class Wiring(NamedTuple):
    """Synapses by source; targets ascend within a source."""

    start: NDArray[np.int64]  # (n + 1,)
    cuts: NDArray[np.int32]  # (n, n_blocks + 1) of each row
    target: NDArray[np.int32]
    weight: NDArray[np.float32]  # A
    delay: NDArray[Any]  # steps, uint8 or uint16


class Blocks(NamedTuple):
    """Blocks of neurons and the constants of their populations."""

    first: NDArray[np.int32]  # (n_blocks + 1,)
    population: NDArray[np.int32]  # (n_blocks,)
    constants: NDArray[np.float64]  # (n_populations, 9)
    refractory: NDArray[np.int32]  # (n_populations,) steps
    noise: NDArray[np.uint32]  # (n_populations, k) thresholds of the count of external spikes
    noise_levels: NDArray[np.int32]  # (n_populations,)


class State(NamedTuple):
    """What a step changes."""

    v: NDArray[np.float64]  # (n,) V - E_L, V
    current: NDArray[np.float64]  # (2, n) excitatory and inhibitory synaptic current, A
    left: NDArray[np.int32]  # (n,) steps left in the refractory period
    ring: NDArray[np.float32]  # (max delay, 2, n) A arriving at the end of a step
    draw: NDArray[np.uint32]  # (n,) scratch
    arrivals: NDArray[np.int32]  # (n,) scratch
    spiked: NDArray[np.int32]  # (2, n) ids of the last and of this step, block by block
    n_spiked: NDArray[np.int32]  # (2, n_blocks)


class Forced(NamedTuple):
    """Spikes forced from outside, ordered by (step, id)."""

    step: NDArray[np.int64]
    neuron: NDArray[np.int32]


class Record(NamedTuple):
    """What is written down; a record of no columns is skipped."""

    neuron: NDArray[np.int32]  # (k,)
    potential: NDArray[np.float64]  # (steps, k) V - E_L
    current: NDArray[np.float64]  # (steps, n_blocks or 0, 2) sums over the block, A


@njit(cache=True, inline="always")
def mix(z: np.uint64) -> np.uint64:
    """Return the finaliser of SplitMix64 (Steele, Lea & Flood 2014, 10.1145/2714064.2660195)."""
    z = (z ^ (z >> S30)) * MIX_1
    z = (z ^ (z >> S27)) * MIX_2
    return z ^ (z >> S31)


@njit(cache=True)
def cut_rows(
    start: NDArray[np.int64], target: NDArray[np.int32], first: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Return where each block's targets begin in each source's row, shape (n, n_blocks + 1)."""
    cuts = np.empty((start.size - 1, first.size), dtype=np.int32)
    for source in range(start.size - 1):
        j = start[source]
        for b in range(first.size):
            while j < start[source + 1] and target[j] < first[b]:
                j += 1
            cuts[source, b] = j - start[source]
    return cuts


@njit(cache=True)
def deliver(b: int, step: int, blocks: Blocks, wiring: Wiring, state: State) -> None:
    """Put the last step's spikes, from everywhere, into the ring of block ``b``."""
    slots = state.ring.shape[0]
    now = (step - 1) % slots
    last = (step - 1) & 1
    for c in range(blocks.population.size):
        for k in range(blocks.first[c], blocks.first[c] + state.n_spiked[last, c]):
            source = state.spiked[last, k]
            row = wiring.start[source]
            for j in range(row + wiring.cuts[source, b], row + wiring.cuts[source, b + 1]):
                slot = now + wiring.delay[j]
                if slot >= slots:
                    slot -= slots
                w = wiring.weight[j]
                state.ring[slot, 1 if w < 0 else 0, wiring.target[j]] += w


@njit(cache=True)
def draw_counts(b: int, step: int, key: np.uint64, blocks: Blocks, state: State) -> None:
    """Draw each neuron's number of external spikes in this step: Poisson, keyed by (step, id)."""
    lo, hi = blocks.first[b], blocks.first[b + 1]
    p = blocks.population[b]
    draw, arrivals = state.draw[lo:hi], state.arrivals[lo:hi]
    base = key + (np.uint64(step) * np.uint64(state.draw.size) + np.uint64(lo)) * GOLDEN
    for i in range(hi - lo):
        draw[i] = np.uint32(mix(base + np.uint64(i) * GOLDEN) >> S32)
        arrivals[i] = 0
    for k in range(blocks.noise_levels[p]):
        threshold = blocks.noise[p, k]
        for i in range(hi - lo):
            arrivals[i] += draw[i] >= threshold


@njit(cache=True)
def advance(b: int, step: int, forced: Forced, blocks: Blocks, state: State) -> None:
    """Advance block ``b`` by one step exactly and list the neurons that spike at its end."""
    lo, hi = blocks.first[b], blocks.first[b + 1]
    p = blocks.population[b]
    c = blocks.constants[p]
    p_v, p_e, p_i, drift, d_e, d_i, theta, reset, w = (
        c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8],
    )  # fmt: skip
    n = hi - lo
    slot = step % state.ring.shape[0]
    v, left, arrivals = state.v[lo:hi], state.left[lo:hi], state.arrivals[lo:hi]
    current_e, current_i = state.current[0, lo:hi], state.current[1, lo:hi]
    ring_e, ring_i = state.ring[slot, 0, lo:hi], state.ring[slot, 1, lo:hi]
    above = 0
    for i in range(n):  # loops over few arrays each: the compiler then uses vector instructions
        free = v[i] * p_v + current_e[i] * p_e + current_i[i] * p_i + drift
        v[i] = free if left[i] == 0 else v[i]
        above += v[i] >= theta
    for i in range(n):
        left[i] = max(left[i] - 1, 0)
    for i in range(n):
        current_e[i] = current_e[i] * d_e + (ring_e[i] + w * arrivals[i])
        ring_e[i] = np.float32(0)
    for i in range(n):
        current_i[i] = current_i[i] * d_i + ring_i[i]
        ring_i[i] = np.float32(0)
    k = np.searchsorted(forced.step, step)
    while k < forced.step.size and forced.step[k] == step:
        i = forced.neuron[k] - lo
        if 0 <= i < n and left[i] == 0 and v[i] < theta:
            v[i] = theta
            above += 1
        k += 1
    spikes = 0
    this = step & 1
    if above > 0:
        for i in range(n):
            if v[i] >= theta:
                v[i] = reset
                left[i] = blocks.refractory[p]
                state.spiked[this, lo + spikes] = lo + i
                spikes += 1
    state.n_spiked[this, b] = spikes


@njit(cache=True)
def note(b: int, row: int, blocks: Blocks, state: State, record: Record) -> None:
    """Write down the block's summed synaptic currents at the end of the step."""
    if record.current.shape[1] > 0:
        e, s = 0.0, 0.0
        for i in range(blocks.first[b], blocks.first[b + 1]):
            e += state.current[0, i]
            s += state.current[1, i]
        record.current[row, b, 0] = e
        record.current[row, b, 1] = s


@njit(cache=True)
def collect(
    step: int,
    row: int,
    n_out: int,
    blocks: Blocks,
    state: State,
    record: Record,
    out_step: NDArray[np.int64],
    out_neuron: NDArray[np.int32],
) -> int:
    """Append the step's spikes to the output and write the potentials down; return their number."""
    this = step & 1
    for b in range(blocks.population.size):
        lo = blocks.first[b]
        for k in range(lo, lo + state.n_spiked[this, b]):
            out_step[n_out] = step
            out_neuron[n_out] = state.spiked[this, k]
            n_out += 1
    for k in range(record.neuron.size):
        record.potential[row, k] = state.v[record.neuron[k]]
    return n_out


@njit(cache=True)
def run_serial(
    begin: int,
    end: int,
    origin: int,
    key: np.uint64,
    wiring: Wiring,
    blocks: Blocks,
    state: State,
    forced: Forced,
    record: Record,
    out_step: NDArray[np.int64],
    out_neuron: NDArray[np.int32],
) -> tuple[int, int]:
    """Run the steps ``begin:end`` or until the output may overflow; return (step, spikes).

    ``origin`` is the step of the record's first row.
    """
    n_out = 0
    for step in range(begin, end):
        if n_out + state.v.size > out_step.size:
            return step, n_out
        for b in range(blocks.population.size):
            deliver(b, step, blocks, wiring, state)
            draw_counts(b, step, key, blocks, state)
            advance(b, step, forced, blocks, state)
            note(b, step - origin, blocks, state, record)
        n_out = collect(step, step - origin, n_out, blocks, state, record, out_step, out_neuron)
    return end, n_out


@njit(cache=True, parallel=True)
def run_parallel(
    begin: int,
    end: int,
    origin: int,
    key: np.uint64,
    wiring: Wiring,
    blocks: Blocks,
    state: State,
    forced: Forced,
    record: Record,
    out_step: NDArray[np.int64],
    out_neuron: NDArray[np.int32],
) -> tuple[int, int]:
    """As ``run_serial``, the blocks of a step shared among numba's threads."""
    n_out = 0
    for step in range(begin, end):
        if n_out + state.v.size > out_step.size:
            return step, n_out
        for b in prange(blocks.population.size):
            deliver(b, step, blocks, wiring, state)
            draw_counts(b, step, key, blocks, state)
            advance(b, step, forced, blocks, state)
            note(b, step - origin, blocks, state, record)
        n_out = collect(step, step - origin, n_out, blocks, state, record, out_step, out_neuron)
    return end, n_out
