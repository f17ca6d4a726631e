"""Which currents fire most cells of a target: pairs first, then a climb from the best."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._progress import stage
from rheobase.stations.currents_book import Found

if TYPE_CHECKING:
    from rheobase.fields.leadfield import LeadField
    from rheobase.fields.optimisation.limits import Bounds
    from rheobase.fields.optimisation.target import Target
    from rheobase.meshes.head import Head
    from rheobase.neurons.placement import Population
    from rheobase.tables.optimise import OptimiseTES

Floats = NDArray[np.float64]


def recruiting(
    table: OptimiseTES, head: Head, field: LeadField, target: Target, cells: Population
) -> Found:
    """Return currents that fire as many of the cells as a climb from the best pair finds.

    Raises
    ------
    InputError
        If limits conflict, or the cells reach where no field is kept.
    """
    from rheobase.fields.optimisation.energy import off_target_energy
    from rheobase.neurons.objectives import objective
    from rheobase.neurons.recruit import best_pair, maximise_recruitment, rank_stimuli

    assert table.pulse_us is not None  # OptimiseTES
    limits, names = table.limits(), field.names
    bounds = limits.bounds(names)
    with stage("fields at the cells"):
        felt = objective(cells, field, waveform=table.pulse_us * 1e-6)
    if table.every_pair:
        begin = best_pair(felt, limits, names)
        found = maximise_recruitment(felt, limits, names, start=begin)
        how = (
            "from the best of all pairs. No montage of that total current fires more than "
            f"{found.bound:.1%}: what no pair fires, none does (a cell in 200 aside)"
        )
    else:
        pairs = every_pair(bounds, len(names))
        ranked = rank_stimuli(felt, pairs)
        found = maximise_recruitment(felt, limits, names, start=pairs[ranked.best])
        how = (
            f"from the best of {len(pairs):,} pairs, {len(ranked.checked)} of them evaluated and "
            "the others estimated. How far other montages could go is not known "
            "(every_pair = true tells a bound)"
        )
    known = felt.thresholds(found.currents)
    Q = off_target_energy(head, field, target, tissues=table.spare)
    notes = list(known.notes)
    if found.share == 0:
        notes.append(
            f"No cell fires within the limits; the lowest threshold found is "
            f"{np.nanmin(known.threshold[0]):.3g} times these currents."
        )
    return Found(
        names=names,
        currents=found.currents[None],
        carriers=(0.0,),
        quantity=f"share of {len(cells):,} {cells.type[0]} cells ({cells.layer[0]}) that fire at a "
        f"rectangle of {table.pulse_us:g} µs",
        unit="%",
        value=100 * found.share,
        proved=f"It is a local optimum: a climb {how}.",
        gap=None,
        rms=float(np.sqrt(np.maximum(found.currents @ Q @ found.currents, 0.0))),
        active=found.active,
        strongest=None,
        fronts={},
        cells=known,
        notes=tuple(notes),
    )


def every_pair(bounds: Bounds, n: int) -> Floats:
    """Return the currents (A) of all pairs, both ways round, at what limits allow: (p, n)."""
    pairs = np.array(list(combinations(bounds.usable.tolist(), 2)))
    most = np.minimum(np.minimum(*bounds.most[pairs].T), bounds.total)
    currents = np.zeros((2, len(pairs), n))
    for k, end in enumerate((pairs, pairs[:, ::-1])):
        currents[k, np.arange(len(pairs)), end[:, 0]] = most
        currents[k, np.arange(len(pairs)), end[:, 1]] = -most
    return currents.reshape(-1, n)
