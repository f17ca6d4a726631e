"""Kernel that draws random synapses straight into compressed rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rheobase.neurons.network._network_numba import GOLDEN, mix

S11 = np.uint64(11)


@njit(cache=True, inline="always")
def uniform(state: np.uint64) -> float:
    """Return the draw of ``state`` in (0, 1), 53 bits."""
    return (float(mix(state) >> S11) + 0.5) * 2.0**-53


@njit(cache=True)
def fill(
    key: np.uint64,
    start: NDArray[np.int64],
    count: NDArray[np.int32],
    source_population: NDArray[np.int32],
    first: NDArray[np.int64],
    weight_mean: NDArray[np.float64],
    weight_sd: NDArray[np.float64],
    delay_mean: NDArray[np.float64],
    delay_sd: NDArray[np.float64],
    target: NDArray[np.int32],
    weight: NDArray[np.float32],
    delay: NDArray[Any],
) -> None:
    """Fill each source's row, its targets ascending; delays are in steps.

    ``count`` (n_sources, n_populations) says how many targets a source has in each population.
    They are uniform with replacement; as order statistics of uniform numbers are sums of
    exponential gaps over their total, they come sorted. Weights and delays are normal, drawn again
    until a weight keeps the sign of its mean and a delay is at least half a step.
    """
    widest = count.max()
    gap = np.empty(widest + 1)
    for source in range(count.shape[0]):
        state = mix(key + np.uint64(source) * GOLDEN)
        q = source_population[source]
        j = start[source]
        for p in range(count.shape[1]):
            n = count[source, p]
            total = 0.0
            for k in range(n + 1):
                state += GOLDEN
                total -= np.log(uniform(state))
                gap[k] = total
            size = first[p + 1] - first[p]
            sign = np.sign(weight_mean[q, p])
            for k in range(n):
                target[j] = first[p] + min(int(gap[k] / total * size), size - 1)
                w, d = 0.0, 0.0
                while w * sign <= 0.0 or d < 0.5:
                    state += GOLDEN
                    radius = np.sqrt(-2.0 * np.log(uniform(state)))
                    state += GOLDEN
                    angle = 2.0 * np.pi * uniform(state)
                    if w * sign <= 0.0:
                        w = weight_mean[q, p] + weight_sd[q, p] * radius * np.cos(angle)
                    if d < 0.5:
                        d = delay_mean[q, p] + delay_sd[q, p] * radius * np.sin(angle)
                weight[j] = w
                delay[j] = int(d + 0.5)
                j += 1
