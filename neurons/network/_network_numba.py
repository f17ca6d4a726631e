"""Kernels of the spiking engine: counter-based noise, delivery, exact steps.

Neurons are cut into fixed blocks within a population. A block's step touches only its own neurons,
in an order that does not depend on who runs it, so any number of threads gives the same spikes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from rheobase.neurons.network._layout import (
    NEVER,
    Blocks,
    Input,
    Plasticity,
    Record,
    State,
    Wiring,
)

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
S30, S27, S31, S32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)


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
def use(source: int, step: int, count: int, plasticity: Plasticity) -> None:
    """Update the plastic synapses of a source that spiked ``count`` times at the end of ``step``.

    Tsodyks, Pawelzik & Markram (1998, 10.1162/089976698300017502).
    """
    row = plasticity.population[source]
    for p in range(plasticity.pair.shape[1]):
        q = plasticity.pair[row, p]
        if q < 0:
            continue
        U, per_rec, per_facil = plasticity.constants[q]
        k = plasticity.offset[q] + source
        sent = 0.0
        for _ in range(count):
            x, u = 1.0, U
            if plasticity.last[k] > NEVER:
                n = step - plasticity.last[k]
                x = 1 + (plasticity.x[k] * (1 - plasticity.u[k]) - 1) * np.exp(-n * per_rec)
                if per_facil < np.inf:
                    u = U + plasticity.u[k] * (1 - U) * np.exp(-n * per_facil)
            plasticity.x[k], plasticity.u[k], plasticity.last[k] = x, u, step
            sent += u * x
        plasticity.sent[k] = sent


@njit(cache=True)
def gather(step: int, plasticity: Plasticity, state: State, given: Input) -> None:
    """Add what sources play to the spikes of the step before and update all plastic synapses."""
    n = state.n_last[0]
    for k in range(n):
        state.repeats[k] = 1
    now = step - given.begin
    for k in range(given.train_start[now], given.train_start[now + 1]):
        state.last[n] = given.train[k]
        state.repeats[n] = given.train_count[k]
        n += 1
    state.n_last[0] = n
    if plasticity.offset.size > 0:
        for k in range(n):
            use(state.last[k], step - 1, state.repeats[k], plasticity)


@njit(cache=True)
def deliver(
    b: int, step: int, blocks: Blocks, wiring: Wiring, plasticity: Plasticity, state: State
) -> None:
    """Put the last step's spikes, from everywhere, into the ring of block ``b``."""
    start, cuts, target = wiring.start, wiring.cuts, wiring.target
    weight, delay, ring = wiring.weight, wiring.delay, state.ring
    plastic = plasticity.offset.size > 0
    p = blocks.population[b]
    slots = ring.shape[0]
    now = (step - 1) % slots
    for k in range(state.n_last[0]):
        source = state.last[k]
        factor = np.float32(state.repeats[k])
        if plastic:
            q = plasticity.pair[plasticity.population[source], p]
            if q >= 0:
                factor = plasticity.sent[plasticity.offset[q] + source]
        row = start[source]
        for j in range(row + cuts[source, b], row + cuts[source, b + 1]):
            slot = now + delay[j]
            if slot >= slots:
                slot -= slots
            w = weight[j] * factor
            ring[slot, 1 if w < 0 else 0, target[j]] += w


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
def advance(b: int, step: int, given: Input, blocks: Blocks, state: State) -> None:
    """Advance block ``b`` by one step and list the neurons that spike at its end."""
    lo, hi = blocks.first[b], blocks.first[b + 1]
    p = blocks.population[b]
    c = blocks.constants[p]
    p_v, p_e, p_i, drift, d_e, d_i, theta, reset, w = (
        c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8],
    )  # fmt: skip
    n = hi - lo
    slot = step % state.ring.shape[0]
    row = step - given.begin
    polarised = given.shift.shape[0] > 0
    v, left, arrivals = state.v[lo:hi], state.left[lo:hi], state.arrivals[lo:hi]
    current_e, current_i = state.current[0, lo:hi], state.current[1, lo:hi]
    ring_e, ring_i = state.ring[slot, 0, lo:hi], state.ring[slot, 1, lo:hi]
    push = given.push[lo:hi]
    if polarised:
        polarise(lo, row, given, push)
    above = 0
    if blocks.conductance[p, 0] > 0:
        relax(b, push, blocks, state)
        above = n  # not counted
    else:
        for i in range(n):  # loops over few arrays each: the compiler uses vector instructions
            free = v[i] * p_v + current_e[i] * p_e + current_i[i] * p_i + drift
            v[i] = free if left[i] == 0 else v[i]
            above += v[i] >= theta
        if polarised:
            for i in range(n):
                v[i] += push[i] * (1 - p_v) if left[i] == 0 else 0.0
            above = n
    for i in range(n):
        left[i] = max(left[i] - 1, 0)
    for i in range(n):
        current_e[i] = current_e[i] * d_e + (ring_e[i] + w * arrivals[i])
        ring_e[i] = np.float32(0)
    for i in range(n):
        current_i[i] = current_i[i] * d_i + ring_i[i]
        ring_i[i] = np.float32(0)
    for k in range(given.forced_start[row], given.forced_start[row + 1]):
        i = given.forced[k] - lo
        if 0 <= i < n and left[i] == 0 and v[i] < theta:
            v[i] = theta
            above += 1
    spikes = 0
    if above > 0:
        for i in range(n):
            if v[i] >= theta:
                v[i] = reset
                left[i] = blocks.refractory[p]
                state.spiked[lo + spikes] = lo + i
                spikes += 1
    state.n_spiked[b] = spikes


@njit(cache=True)
def polarise(lo: int, row: int, given: Input, push: NDArray[np.float64]) -> None:
    """Add up the shifts of the neurons from ``lo`` on in this step."""
    push[:] = 0.0
    for m in range(given.shift.shape[0]):
        wave = given.waveform[m, row]
        for i in range(push.size):
            push[i] += given.shift[m, lo + i] * wave


@njit(cache=True)
def relax(b: int, push: NDArray[np.float64], blocks: Blocks, state: State) -> None:
    """Advance the potentials of a block of conductance-based neurons by one Runge-Kutta step.

    dV/dt = a(t) - b(t) V, with a and b in units of the step at its beginning (0), middle (1), end.
    """
    lo, hi = blocks.first[b], blocks.first[b + 1]
    p = blocks.population[b]
    c, g = blocks.constants[p], blocks.conductance[p]
    leak, per_c, half_e, half_i, E_e, E_i, direct = g[0], g[1], g[2], g[3], g[4], g[5], g[6]
    end_e, end_i = c[4], c[5]
    v, left = state.v[lo:hi], state.left[lo:hi]
    g_e, g_i = state.current[0, lo:hi], state.current[1, lo:hi]
    stiffest = 0.0
    for i in range(hi - lo):
        e0, i0 = g_e[i] * per_c, -g_i[i] * per_c
        e1, i1, e2, i2 = e0 * half_e, i0 * half_i, e0 * end_e, i0 * end_i
        steady = direct + push[i] * leak
        a0, b0 = steady + e0 * E_e + i0 * E_i, leak + e0 + i0
        a1, b1 = steady + e1 * E_e + i1 * E_i, leak + e1 + i1
        a2, b2 = steady + e2 * E_e + i2 * E_i, leak + e2 + i2
        y = v[i]
        k1 = a0 - b0 * y
        k2 = a1 - b1 * (y + 0.5 * k1)
        k3 = a1 - b1 * (y + 0.5 * k2)
        k4 = a2 - b2 * (y + k3)
        free = y + (k1 + 2 * k2 + 2 * k3 + k4) / 6
        v[i] = free if left[i] == 0 else y
        stiffest = max(stiffest, b0)
    state.stiffest[b] = max(state.stiffest[b], stiffest)


@njit(cache=True)
def note(b: int, row: int, blocks: Blocks, state: State, record: Record) -> None:
    """Write down the block's summed synaptic currents at the end of the step."""
    lo, hi = blocks.first[b], blocks.first[b + 1]
    g = blocks.conductance[blocks.population[b]]
    e, s = 0.0, 0.0
    if g[0] > 0:
        for i in range(lo, hi):
            e += state.current[0, i] * (g[4] - state.v[i])
            s -= state.current[1, i] * (g[5] - state.v[i])
    else:
        for i in range(lo, hi):
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
    n = 0
    for b in range(blocks.population.size):
        lo = blocks.first[b]
        for k in range(lo, lo + state.n_spiked[b]):
            state.last[n] = state.spiked[k]
            out_step[n_out + n] = step
            out_neuron[n_out + n] = state.spiked[k]
            n += 1
    state.n_last[0] = n
    for k in range(record.neuron.size):
        record.potential[row, k] = state.v[record.neuron[k]]
    return n_out + n


@njit(cache=True)
def run_serial(
    begin: int,
    end: int,
    origin: int,
    key: np.uint64,
    wiring: Wiring,
    plasticity: Plasticity,
    blocks: Blocks,
    state: State,
    given: Input,
    record: Record,
    out_step: NDArray[np.int64],
    out_neuron: NDArray[np.int32],
) -> tuple[int, int]:
    """Run the steps ``begin:end`` or until the output may overflow; return (step, spikes).

    ``origin`` is the step of the record's first row.
    """
    n_out: Any = np.int64(0)  # a literal would compile what it is given to once more
    for step in range(begin, end):
        if n_out + state.v.size > out_step.size:
            return step, n_out
        gather(step, plasticity, state, given)
        for b in range(blocks.population.size):
            deliver(b, step, blocks, wiring, plasticity, state)
            draw_counts(b, step, key, blocks, state)
            advance(b, step, given, blocks, state)
            if record.current.shape[1] > 0:
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
    plasticity: Plasticity,
    blocks: Blocks,
    state: State,
    given: Input,
    record: Record,
    out_step: NDArray[np.int64],
    out_neuron: NDArray[np.int32],
) -> tuple[int, int]:
    """As ``run_serial``, the blocks of a step shared among numba's threads."""
    n_out: Any = np.int64(0)
    for step in range(begin, end):
        if n_out + state.v.size > out_step.size:
            return step, n_out
        gather(step, plasticity, state, given)
        for one in prange(blocks.population.size):
            b = np.int64(one)  # prange counts without a sign: this compiles no kernel twice
            deliver(b, step, blocks, wiring, plasticity, state)
            draw_counts(b, step, key, blocks, state)
            advance(b, step, given, blocks, state)
            if record.current.shape[1] > 0:
                note(b, step - origin, blocks, state, record)
        n_out = collect(step, step - origin, n_out, blocks, state, record, out_step, out_neuron)
    return end, n_out
