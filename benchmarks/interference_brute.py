"""The largest modulation by brute force: what the search of rheobase is held against.

Nothing but the definition goes in: the size of the analytic signal of each band along a direction,
sampled over a beat. 20000 directions (1.2 degrees apart) are tried; around every one that is best
among its eight neighbours and within 4 % of the best, random directions closer and closer by.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from rheobase.fields.interference import Carriers

DIRECTIONS = 20_000
NEAR = 0.04  # twice what a direction 0.6 degrees off can lose, and the samples
SAMPLES = 16  # of a period of the fastest part
BEAM, TRIES, ROUNDS, SHRINK = 4, 8, 26, 0.68


@njit(cache=True, nogil=True)
def square(a: Any, band: Any, order: Any, phase: Any, t: float) -> Any:
    """Return the squared envelope of the amplitudes a (k,) at the phase t of the beat."""
    total = 0.0
    for b in range(band.max() + 1):
        re = im = 0.0
        for k in range(len(a)):
            if band[k] == b:
                re += a[k] * np.cos(order[k] * t + phase[k])
                im += a[k] * np.sin(order[k] * t + phase[k])
        total += re * re + im * im
    return total


@njit(cache=True, nogil=True)
def extreme(a: Any, band: Any, order: Any, phase: Any, t: float, step: float) -> Any:
    """Return the squared envelope at its extreme near a sample, by parabolas."""
    here = square(a, band, order, phase, t)
    for _ in range(4):
        before = square(a, band, order, phase, t - step)
        after = square(a, band, order, phase, t + step)
        bend = before - 2.0 * here + after
        if bend == 0.0:
            break
        t += min(max(0.5 * (before - after) / bend, -1.0), 1.0) * step
        here = square(a, band, order, phase, t)
        step *= 0.2
    return here


@njit(cache=True, nogil=True)
def modulation(
    E: Any, n: Any, band: Any, order: Any, phase: Any, turn: Any, a: Any, exact: bool
) -> Any:
    """Return the modulation of the fields E (k, 3) along n; ``turn`` (k, 2, n_t) is sampled."""
    n_t = turn.shape[2]
    for k in range(len(a)):
        a[k] = E[k, 0] * n[0] + E[k, 1] * n[1] + E[k, 2] * n[2]
    most, least, at_most, at_least = -1.0, np.inf, 0, 0
    for j in range(n_t):
        total = 0.0
        for b in range(band.max() + 1):
            re = im = 0.0
            for k in range(len(a)):
                if band[k] == b:
                    re += a[k] * turn[k, 0, j]
                    im += a[k] * turn[k, 1, j]
            total += re * re + im * im
        if total > most:
            most, at_most = total, j
        if total < least:
            least, at_least = total, j
    if exact:
        step = 2.0 * np.pi / n_t
        most = max(most, extreme(a, band, order, phase, at_most * step, step))
        least = min(least, extreme(a, band, order, phase, at_least * step, step))
    return np.sqrt(most) - np.sqrt(max(least, 0.0))


@njit(cache=True, nogil=True)
def _search(
    E: Any,
    D: Any,
    beside: Any,
    band: Any,
    order: Any,
    phase: Any,
    turn: Any,
    generator: Any,
    out: Any,
) -> None:
    F, a = np.empty(len(D)), np.empty(len(E))
    beam, value = np.empty((BEAM, 3)), np.empty(BEAM)
    new, new_value, x = np.empty((BEAM, 3)), np.empty(BEAM), np.empty(3)
    for i in range(E.shape[1]):
        fields = np.ascontiguousarray(E[:, i])
        for d in range(len(D)):
            F[d] = modulation(fields, D[d], band, order, phase, turn, a, False)
        least, out[i] = (1.0 - NEAR) * F.max(), 0.0
        for d in range(len(D)):
            if F[d] < least or F[d] < F[beside[d]].max():
                continue
            beam[:] = D[d]
            value[:] = modulation(fields, D[d], band, order, phase, turn, a, True)
            reach = 0.02
            for _ in range(ROUNDS):
                new[:], new_value[:] = beam, value
                for b in range(BEAM):
                    for _ in range(TRIES):
                        for j in range(3):
                            x[j] = beam[b, j] + reach * generator.normal()
                        x /= np.sqrt(x[0] ** 2 + x[1] ** 2 + x[2] ** 2)
                        found = modulation(fields, x, band, order, phase, turn, a, True)
                        worst = new_value.argmin()
                        if found > new_value[worst]:
                            new_value[worst] = found
                            new[worst] = x
                beam[:], value[:] = new, new_value
                reach *= SHRINK
            out[i] = max(out[i], value.max())


def brute_force(E: NDArray[np.float64], carriers: Carriers) -> NDArray[np.float64]:
    """Return the largest modulation of the fields E (k, n, 3) at each of n nodes, shape (n,)."""
    i = np.arange(DIRECTIONS) + 0.5
    z, angle = i / DIRECTIONS, np.pi * (1 + 5**0.5) * i
    r = np.sqrt(1 - z * z)
    D = np.stack([r * np.cos(angle), r * np.sin(angle), z], axis=1)
    beside = cKDTree(np.concatenate([D, -D])).query(D, 9)[1][:, 1:] % DIRECTIONS
    n_t = SAMPLES * int(carriers.order.max())
    t = 2 * np.pi / n_t * np.arange(n_t)
    angle = carriers.order[:, None] * t + carriers.phase[:, None]
    turn = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    out = np.empty(E.shape[1])
    generator = np.random.default_rng(0)
    _search(E, D, beside, carriers.band, carriers.order, carriers.phase, turn, generator, out)
    return out
