"""Random connectivity: projections with a fixed total number of synapses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase.neurons.network import LIFPopulation, Synapses


@dataclass(frozen=True, kw_only=True, slots=True)
class Projection:
    """Synapses from one population to another.

    Parameters
    ----------
    source, target
        Names of the populations.
    n_synapses
        Total number; source and target of each are uniform and independent, with replacement, so
        that a pair may share several and a neuron may connect to itself.
    weight_mean, weight_sd
        Normal weight (A), drawn again until it has the sign of its mean.
    delay_mean, delay_sd
        Normal delay (s), drawn again until it is at least half a step, then rounded to steps.

    Raises
    ------
    InputError
        If the number or a deviation is negative or the mean weight is 0.
    """

    source: str
    target: str
    n_synapses: int
    weight_mean: float
    weight_sd: float = 0.0
    delay_mean: float
    delay_sd: float = 0.0

    def __post_init__(self) -> None:
        """Check signs."""
        where = f"projection {self.source} -> {self.target}"
        for name in ("n_synapses", "weight_sd", "delay_sd"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be >= 0, got {getattr(self, name)}: {where}")
        if self.weight_mean == 0:
            raise InputError(f"weight_mean must not be 0 A: {where}")


def wire(
    populations: Sequence[LIFPopulation],
    projections: Sequence[Projection],
    *,
    dt: float,
    seed: int,
) -> Synapses:
    """Draw the synapses of ``projections``, reproducibly for a given ``seed``.

    The number of synapses of each source is multinomial, the targets of a source come sorted, and
    each source has its own counter-based stream; nothing but the result is held in memory.

    Parameters
    ----------
    populations
        Populations of the network, in its order.
    projections
        At most one for each pair of populations.
    dt
        Step of the grid (s).
    seed
        Seed, >= 0.

    Raises
    ------
    InputError
        If a projection names an unknown population, a pair has two projections, or a mean delay is
        below one step.
    """
    from rheobase.neurons._wiring_numba import fill

    names = [p.name for p in populations]
    sizes = np.array([p.size for p in populations])
    first = np.concatenate([[0], np.cumsum(sizes)])
    shape = (len(names), len(names))
    weight_mean, weight_sd = np.zeros(shape), np.zeros(shape)
    delay_mean, delay_sd = np.ones(shape), np.zeros(shape)
    count = np.zeros((int(first[-1]), len(names)), dtype=np.int32)
    seen: set[tuple[str, str]] = set()
    for projection in projections:
        where = f"projection {projection.source} -> {projection.target}"
        q = names.index(check_option("population", projection.source, names, where=where))
        p = names.index(check_option("population", projection.target, names, where=where))
        if (projection.source, projection.target) in seen:
            raise InputError(f"each pair of populations has at most one projection: {where}")
        seen.add((projection.source, projection.target))
        if projection.delay_mean < dt:
            raise InputError(
                f"delay_mean must be >= one step of {dt} s, got {projection.delay_mean} s: {where}"
            )
        weight_mean[q, p], weight_sd[q, p] = projection.weight_mean, projection.weight_sd
        delay_mean[q, p], delay_sd[q, p] = projection.delay_mean / dt, projection.delay_sd / dt
        stream = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, q, p])))
        count[first[q] : first[q + 1], p] = stream.multinomial(
            projection.n_synapses, np.full(sizes[q], 1.0 / sizes[q])
        )
    start = np.concatenate([[0], np.cumsum(count.sum(axis=1, dtype=np.int64))])
    n = int(start[-1])
    longest = float((delay_mean + 8 * delay_sd).max(initial=0.0))  # no normal draw gets there
    delay: NDArray[np.unsignedinteger[Any]] = np.empty(n, np.uint8 if longest < 255 else np.uint16)
    target, weight = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.float32)
    fill(
        np.random.SeedSequence([seed, 1]).generate_state(1, np.uint64)[0],
        start,
        count,
        np.repeat(np.arange(len(names), dtype=np.int32), sizes),
        first,
        weight_mean,
        weight_sd,
        delay_mean,
        delay_sd,
        target,
        weight,
        delay,
    )
    return Synapses(start=start, target=target, weight=weight, delay=delay)
