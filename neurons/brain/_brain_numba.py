"""Kernel of the whole-brain network: Heun steps of neural masses with delayed coupling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rheobase.neurons.network._network_numba import GOLDEN, mix

S11 = np.uint64(11)
_TO_UNIT = 1.0 / (1 << 53)
_TAIL = 40.0  # of a volley, in its time constants: exp(-40)


class Tracts(NamedTuple):
    """Connections by target."""

    start: NDArray[np.int64]  # (n + 1,)
    source: NDArray[np.int32]
    weight: NDArray[np.float64]  # with the coupling
    whole: NDArray[np.int32]  # delay in whole steps, >= 1
    part: NDArray[np.float64]  # and the rest of a step


class State(NamedTuple):
    """What a step changes."""

    y: NDArray[np.float64]  # (6, n) y0, y1, y2 (V) and their slopes (V/s)
    arriving: NDArray[np.float64]  # (n,) pulses/s from other regions at the present time
    past: NDArray[np.float64]  # (length, n) rates sent at the last grid points, a ring


class Volleys(NamedTuple):
    """Spikes that a stimulus forces, gamma-distributed in time."""

    size: NDArray[np.float64]  # (m, 3, n) spikes per cell
    onset: NDArray[np.float64]  # (m, 3, n) s
    first: NDArray[np.float64]  # (m,) earliest and latest onset
    last: NDArray[np.float64]


@njit(cache=True)
def _sigmoid(v: float, v0: float, r: float, e0: float) -> float:
    s: float = 2.0 * e0 / (1.0 + np.exp(min(r * (v0 - v), 700.0)))
    return s


@njit(cache=True)
def normal(seed: np.uint64, step: np.uint64, region: np.uint64) -> np.float64:
    """Return a standard normal number of the counter (seed, step, region) (Box & Muller 1958)."""
    key = mix(mix(seed + GOLDEN * (step + np.uint64(1))) + GOLDEN * (region + np.uint64(1)))
    u = (np.float64(key >> S11) + 1.0) * _TO_UNIT
    w = np.float64(mix(key + GOLDEN) >> S11) * _TO_UNIT
    z: np.float64 = np.sqrt(-2.0 * np.log(u)) * np.cos(2.0 * np.pi * w)
    return z


@njit(cache=True)
def _forced(time: float, volleys: Volleys, tau: float, out: NDArray[np.float64]) -> None:
    """Write the rate (1/s) of forced spikes at ``time``: gamma density of shape 3, scale tau."""
    out[:] = 0.0
    for k in range(volleys.first.size):
        if time <= volleys.first[k] or time >= volleys.last[k] + _TAIL * tau:
            continue
        for c in range(out.shape[0]):
            for i in range(out.shape[1]):
                x = (time - volleys.onset[k, c, i]) / tau
                if x > 0.0:
                    out[c, i] += volleys.size[k, c, i] * 0.5 * x * x * np.exp(-x) / tau


@njit(cache=True)
def _slopes(
    y: NDArray[np.float64],
    arriving: NDArray[np.float64],
    constants: NDArray[np.float64],
    shares: NDArray[np.float64],
    shift: NDArray[np.float64],
    forced: NDArray[np.float64],
    out: NDArray[np.float64],
    sent: NDArray[np.float64],
) -> None:
    """Write dy/dt and the rate that the pyramidal cells send."""
    for i in range(y.shape[1]):
        A, B, a, b, C, v0, r, e0, p, _ = constants[:, i]
        pyramidal = _sigmoid(y[1, i] - y[2, i] + shift[0, i], v0, r, e0) + forced[0, i]
        excitatory = _sigmoid(shares[0] * C * y[0, i] + shift[1, i], v0, r, e0) + forced[1, i]
        inhibitory = _sigmoid(shares[2] * C * y[0, i] + shift[2, i], v0, r, e0) + forced[2, i]
        out[0, i], out[1, i], out[2, i] = y[3, i], y[4, i], y[5, i]
        out[3, i] = A * a * pyramidal - 2 * a * y[3, i] - a * a * y[0, i]
        afferent = p + shares[1] * C * excitatory + arriving[i]
        out[4, i] = A * a * afferent - 2 * a * y[4, i] - a * a * y[1, i]
        out[5, i] = B * b * shares[3] * C * inhibitory - 2 * b * y[5, i] - b * b * y[2, i]
        sent[i] = pyramidal


@njit(cache=True)
def _arrive(step: int, tracts: Tracts, past: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Write what arrives at the grid point ``step``, linear between the points of the past."""
    length = past.shape[0]
    for i in range(out.size):
        total = 0.0
        for k in range(tracts.start[i], tracts.start[i + 1]):
            late = (step - tracts.whole[k]) % length
            later = past[late, tracts.source[k]]
            earlier = past[(late - 1) % length, tracts.source[k]]
            total += tracts.weight[k] * (later + tracts.part[k] * (earlier - later))
        out[i] = total


@njit(cache=True, nogil=True)
def run(
    first: int,
    dt: float,
    state: State,
    constants: NDArray[np.float64],
    shares: NDArray[np.float64],
    tracts: Tracts,
    volleys: Volleys,
    tau: float,
    shift: NDArray[np.float64],
    waveform: NDArray[np.float64],
    seed: np.uint64,
    every: int,
    record: NDArray[np.float64],
) -> None:
    """Advance by as many steps as ``waveform`` has; write y1 - y2 after every ``every``-th."""
    n = state.y.shape[1]
    here, there = np.empty((6, n)), np.empty((6, n))
    ahead, sent, arriving = np.empty((6, n)), np.empty(n), np.empty(n)
    forced, held = np.empty((3, n)), np.empty((3, n))
    noisy = bool(np.any(constants[9] > 0.0))
    kick = np.zeros(n)
    for k in range(waveform.shape[1]):
        step = first + k
        held[:] = 0.0
        for q in range(waveform.shape[0]):
            for p in range(3):
                for i in range(n):
                    held[p, i] += shift[q, p, i] * waveform[q, k]
        _forced(step * dt, volleys, tau, forced)
        _slopes(state.y, state.arriving, constants, shares, held, forced, here, sent)
        row = step % state.past.shape[0]
        for i in range(n):
            state.past[row, i] = sent[i]
        _arrive(step + 1, tracts, state.past, arriving)
        if noisy:
            for i in range(n):
                draw = normal(seed, np.uint64(step), np.uint64(i))
                A, a, sigma = constants[0, i], constants[2, i], constants[9, i]
                kick[i] = A * a * sigma * np.sqrt(dt) * draw
        for p in range(6):
            for i in range(n):
                ahead[p, i] = state.y[p, i] + dt * here[p, i]
        for i in range(n):
            ahead[4, i] += kick[i]
        _forced((step + 1) * dt, volleys, tau, forced)
        _slopes(ahead, arriving, constants, shares, held, forced, there, sent)
        for p in range(6):
            for i in range(n):
                state.y[p, i] += 0.5 * dt * (here[p, i] + there[p, i])
        for i in range(n):
            state.y[4, i] += kick[i]
            state.arriving[i] = arriving[i]
        if (step + 1) % every == 0:
            row = (step + 1) // every - first // every - 1
            for i in range(n):
                record[row, i] = state.y[1, i] - state.y[2, i]
