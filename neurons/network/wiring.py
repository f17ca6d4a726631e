"""Random connectivity: projections with a fixed total number of synapses.

A table of connection probabilities by pair of populations becomes projections by
:func:`projections`, and these become synapses by :func:`wire`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option, check_positive, check_seed
from rheobase.neurons.network.model import LONGEST, LIFPopulation, SpikeSource, Synapses

type Populations = Sequence[LIFPopulation | SpikeSource]
"""Populations of a network in its order, then its sources."""


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
        If the number or a deviation is negative, the mean weight is 0, or a value is not finite.
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
            if not 0 <= getattr(self, name) < np.inf:
                raise InputError(f"{name} must be >= 0, got {getattr(self, name)}: {where}")
        if self.weight_mean == 0 or not np.isfinite(self.weight_mean):
            raise InputError(
                f"weight_mean must be finite and not 0, got {self.weight_mean}: {where}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """What joins one population to another: probability, weight, delay.

    Parameters
    ----------
    probability
        Probability (0..1, less than 1) that a pair of neurons has at least one synapse.
    weight_mean, weight_sd, delay_mean, delay_sd
        As in :class:`Projection`.

    Raises
    ------
    InputError
        If the probability is outside its range.
    """

    probability: float
    weight_mean: float
    weight_sd: float = 0.0
    delay_mean: float
    delay_sd: float = 0.0

    def __post_init__(self) -> None:
        """Check the range."""
        if not 0 <= self.probability < 1:
            raise InputError(
                f"probability must be >= 0 and < 1, got {self.probability}: connection"
            )


def projections(
    populations: Populations, table: Mapping[tuple[str, str], Connection]
) -> list[Projection]:
    """Return the projections of a connectivity table.

    A probability C between N_pre and N_post neurons makes ln(1 - C)/ln(1 - 1/(N_pre N_post))
    synapses, drawn with replacement (Potjans & Diesmann 2014, 10.1093/cercor/bhs358).

    Parameters
    ----------
    populations
        Populations in use, then sources.
    table
        Connections by (source, target). A pair without an entry is not connected, but a
        population in use must occur in the table.

    Raises
    ------
    InputError
        If the table lacks a population in use or names one that is not.

    Examples
    --------
    >>> from rheobase.neurons.network.model import LIF
    >>> relay = SpikeSource(name="relay", layer="VPM", excitatory=True, size=100)
    >>> cells = LIFPopulation(name="E", layer="L4", excitatory=True, size=200, V0_mean=-65e-3,
    ...     neuron=LIF(C=250e-12, tau_m=10e-3, E_L=-65e-3, V_th=-50e-3, V_reset=-65e-3,
    ...                t_ref=2e-3, tau_E=0.5e-3, tau_I=0.5e-3))
    >>> joined = Connection(probability=0.1, weight_mean=50e-12, delay_mean=1.5e-3)
    >>> [row.n_synapses for row in projections([cells, relay], {("relay", "E"): joined})]
    [2107]
    """
    sizes = {p.name: p.size for p in populations}
    for source, target in table:
        for name in (source, target):
            check_option("population", name, sizes, where="connectivity table")
    lacking = [name for name in sizes if not any(name in pair for pair in table)]
    if lacking:
        raise InputError(
            f"connectivity table must have every population in use, lacks {', '.join(lacking)}"
        )
    rows = []
    for (source, target), c in table.items():
        pairs = sizes[source] * sizes[target]
        n = round(np.log1p(-c.probability) / np.log1p(-1 / pairs)) if pairs > 1 else 0
        if n:
            rows.append(
                Projection(
                    source=source,
                    target=target,
                    n_synapses=n,
                    weight_mean=c.weight_mean,
                    weight_sd=c.weight_sd,
                    delay_mean=c.delay_mean,
                    delay_sd=c.delay_sd,
                )
            )
    return rows


def wire(
    populations: Populations,
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
        Populations of the network, in its order, then its sources.
    projections
        At most one for each pair of populations.
    dt
        Step of the grid (s).
    seed
        Seed, >= 0.

    Raises
    ------
    InputError
        If a projection names an unknown population or ends on a source, a pair has two
        projections, a mean delay is below one step or the longest too long, the step is not > 0,
        or the seed is negative.
    """
    from rheobase.neurons.network._wiring_numba import fill

    check_positive("dt", dt)
    check_seed(seed, where="wiring")
    names = [p.name for p in populations]
    cells = [p.name for p in populations if isinstance(p, LIFPopulation)]
    if names[: len(cells)] != cells:
        raise InputError(f"sources must come after the populations, got {names}: wiring")
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
        p = names.index(check_option("population", projection.target, cells, where=where))
        if (projection.source, projection.target) in seen:
            raise InputError(f"each pair of populations has at most one projection: {where}")
        seen.add((projection.source, projection.target))
        if not projection.delay_mean >= dt:
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
    if not longest <= LONGEST:
        raise InputError(
            f"delays must be at most {LONGEST:,} steps of {dt} s, got {longest * dt:g} s: wiring"
        )
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
