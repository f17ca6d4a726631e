"""The columns taken together: the same spikes, by layer and class."""

from dataclasses import replace

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.neurons.columns.network import ColumnNetwork, columns
from rheobase.neurons.columns.pooled import pooled
from rheobase.neurons.network.readout import rates
from rheobase.neurons.network.simulation import Spikes, simulate


@pytest.fixture(scope="module")
def ran() -> tuple[ColumnNetwork, Spikes]:
    built = columns("mouse", neurons_per_column=200, seed=1)
    return built, simulate(built.network, 0.3, seed=1)


def test_every_spike_stays_with_its_layer_class_and_cell(ran: tuple[ColumnNetwork, Spikes]) -> None:
    built, run = ran
    all_of = pooled(built, run)
    assert all_of.names == tuple(built.circuit.names)
    assert all_of.sizes.sum() == built.network.size
    label = np.char.add(np.char.add(built.layer, "_"), built.cell_class)
    population = np.searchsorted(all_of.first, all_of.ids, side="right") - 1
    was = sorted(zip(run.times.tolist(), label[run.ids].tolist(), strict=True))
    now = sorted(
        zip(all_of.times.tolist(), np.array(all_of.names)[population].tolist(), strict=True)
    )
    assert was == now
    assert len(run.ids) > 200
    assert len(np.unique(all_of.ids)) == len(np.unique(run.ids)), "no two cells became one"
    order = np.lexsort((all_of.ids, all_of.times))
    np.testing.assert_array_equal(order, np.arange(len(order)))


def test_rates_are_means_over_the_columns(ran: tuple[ColumnNetwork, Spikes]) -> None:
    built, run = ran
    apart, together = rates(run), rates(pooled(built, run))
    for name in built.circuit.names:
        mean = np.mean([apart[f"C{c}_{name}"] for c in range(7)])  # columns are of one size
        assert together[name] == pytest.approx(mean)


def test_other_spikes_are_refused(ran: tuple[ColumnNetwork, Spikes]) -> None:
    built, run = ran
    with pytest.raises(InputError, match="expected spikes of the columns of the mouse"):
        pooled(built, replace(run, names=tuple(f"x{n}" for n in run.names)))
