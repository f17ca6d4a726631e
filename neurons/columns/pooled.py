"""The seven columns taken together, by layer and class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rheobase._errors import InputError
from rheobase.neurons.columns.network import N_COLUMNS, ColumnNetwork
from rheobase.neurons.network.simulation import Spikes


def pooled(columns: ColumnNetwork, spikes: Spikes) -> Spikes:
    """Return a run with the populations of all columns joined, "C0_L23_PYR" … as "L23_PYR".

    Every read-out of spikes then speaks of layers and classes. Cells are numbered anew, through
    the populations and within one through the columns; currents and potentials are left out.

    Parameters
    ----------
    columns
        The columns.
    spikes
        A run of their network.

    Raises
    ------
    InputError
        If the spikes are another network's.
    """
    if spikes.names != columns.network.names:
        raise InputError(f"expected spikes of the columns of the {columns.species}: pooled")
    of = columns.network.populations[: len(spikes.names) // N_COLUMNS]
    sizes = spikes.sizes.reshape(N_COLUMNS, -1)  # (column, population)
    first = np.concatenate([[0], np.cumsum(sizes.sum(axis=0))])
    begin = first[:-1] + np.cumsum(sizes, axis=0) - sizes
    population = np.searchsorted(spikes.first, spikes.ids, side="right") - 1
    ids = begin.ravel()[population] + spikes.ids - spikes.first[population]
    order = np.lexsort((ids, spikes.times))
    return replace(
        spikes,
        times=spikes.times[order],
        ids=ids[order].astype(np.int32),
        names=tuple(columns.circuit.names),
        first=first,
        layers=tuple(p.layer for p in of),
        excitatory=tuple(p.excitatory for p in of),
        currents=None,
        potentials=np.empty((len(spikes.potentials), 0)),
    )
