"""Thresholds of the small cell against those that NEURON gave for its export."""

from __future__ import annotations

import numpy as np

from rheobase.neurons.morphology import Kind
from rheobase.validation.cells_neuron import PULSES, marks, small_cell, spiking_neuron


def test_small_cell_has_one_of_everything() -> None:
    cell = small_cell()
    assert set(cell.kind.tolist()) == {int(k) for k in Kind}
    children = np.bincount(cell.parent[1:], minlength=len(cell))
    assert (cell.length == 0).sum() == (children[1:] > 1).sum()  # every fork is a joint


def test_marks_cover_membranes_and_pulses() -> None:
    conditions = marks()["condition"]
    assert {c["pulse"] for c in conditions} == set(PULSES)
    assert len({c["membrane"] for c in conditions}) == 6


def test_thresholds_are_those_of_neuron() -> None:
    for row in spiking_neuron():
        assert row.passed, f"{row.quantity}: {row.value:.6g} against {row.reference:.6g}"
