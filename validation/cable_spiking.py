"""The linear cable and the activating function against full simulations of the same cells.

A cell stands in uniform fields of several directions and near a point electrode 100 µm above its
arbor, straight over the soma and 0.5 and 1 mm aside, both polarities. The electrode stands in an
unbounded medium of 0.3 S/m.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.neurons._cable_numba import LANES
from rheobase.neurons.activating import axon_graph, chance_thresholds
from rheobase.neurons.cable import factorise, largest_response
from rheobase.neurons.calibration import criterion, second_difference_threshold
from rheobase.neurons.generate import Cell, generate_cell
from rheobase.neurons.morphology import Floats, Morphology
from rheobase.neurons.pulse import drive_of
from rheobase.neurons.sample import PointSource, UniformField, rises_along
from rheobase.neurons.spiking import spiking_thresholds
from rheobase.validation.case import Row

DIRECTIONS = ([1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [-1, 1, -1])
ASIDE = (0.0, 0.5e-3, 1e-3)  # of the electrode (m)
ABOVE = 100e-6  # of the electrode over the arbor (m)
WIDTH = 200e-6  # of the pulse of the rows (s)
AGAIN = ("L1_neurogliaform", "L5_pyramidal", "L4_basket", "L5_martinotti", "L23_bipolar")


def rises_about(cell: Morphology) -> Floats:
    """Return the rises (V per V/m, V per A) of the fields and electrodes, shape (placements, n)."""
    top = float(cell.centre[:, 2].max()) + ABOVE
    fields: list[Any] = [UniformField(E=np.array(d) / np.linalg.norm(d)) for d in DIRECTIONS]
    fields += [PointSource(position=[x, 0.0, top], conductivity=0.3) for x in ASIDE]
    return np.stack([rises_along(cell, f) for f in fields])


def cable_of(cell: Cell, rise: Floats, waveform: Any) -> Floats:
    """Return the thresholds of mode "cable", shape (2, placements)."""
    drive = drive_of(waveform)
    tree = factorise(cell.morphology, drive.dt)
    fires = criterion(cell, drive)
    response, _ = largest_response(tree, _lanes(rise), drive.amplitude, fires)
    out: Floats = 1.0 / response[:, : len(rise)].astype(np.float64)
    return out


def activating_of(cell: Cell, rise: Floats, width: float) -> Floats:
    """Return the amplitudes at which mode "af" fires half of the cells, shape (2, placements)."""
    graph = axon_graph(cell.morphology)
    level = float(second_difference_threshold(width))
    return chance_thresholds(graph, _lanes(rise), level, np.full(len(rise), 0.5))[0]


def _lanes(rise: Floats) -> NDArray[np.float32]:
    lanes = np.zeros((1, rise.shape[1], LANES), dtype=np.float32)
    lanes[0, :, : len(rise)] = rise.T
    return lanes


def spiking_of(cell: Cell, rise: Floats, waveform: Any) -> tuple[Floats, NDArray[np.int32]]:
    """Return thresholds and sites of the full simulation, shape (2, placements) each."""
    return spiking_thresholds(cell, rise, waveform, guess=cable_of(cell, rise, waveform))


def cable_vs_spiking() -> list[Row]:
    """Return the rows of case ``cable-vs-spiking``.

    Cells that calibrate nothing, nine of every type, against full simulations at `WIDTH`, which are
    kept (``benchmarks/calibrate_cable.py``); one of every class is simulated anew.
    """
    off: dict[str, list[Floats]] = {}
    changed: dict[str, float] = {}
    for name, species, seed, truth in kept():
        cell = generate_cell(name, species, seed=seed)
        rise = rises_about(cell.morphology)
        off.setdefault(name, []).append(_errors(cell, rise, truth))
        if name in AGAIN and name not in changed:
            changed[name] = np.abs(spiking_of(cell, rise, WIDTH)[0] / truth - 1).max()
    all_ = np.mean([np.mean(e, axis=0) for e in off.values()], axis=0)
    rows = [
        Row(
            case="cable-vs-spiking",
            quantity="largest change of kept full simulations, a cell of each class",
            value=max(changed.values()),
            reference=0.0,
            error=max(changed.values()),
            limit=0.01,  # of the search for a threshold
            unit="1",
            source="spiking mode, simulated anew",
        ),
        _row(f"all types, one calibration (af: {100 * all_[2]:.0f} %)", all_[1], 0.1),
    ]
    for name, each in off.items():
        own, _, plain = np.mean(each, axis=0)
        rows.append(_row(f"{name}, own calibration (af: {100 * plain:.0f} %)", own, 0.06))
    return rows


def kept() -> Iterator[tuple[str, str, int, Floats]]:
    """Yield type, species and seed of the cells that calibrate nothing, and what they fire at.

    The last are thresholds of the full simulation (V/m, A), shape (2, placements).
    """
    text = files("rheobase.validation").joinpath("data/cable_vs_spiking.csv")
    for name, species, seed, *found in csv.reader(
        text.read_text(encoding="utf-8").splitlines()[1:]
    ):
        yield name, species, int(seed), np.array(found, dtype=np.float64).reshape(2, -1)


def _errors(cell: Cell, rise: Floats, truth: Floats) -> Floats:
    """Mean error of "cable" with the type's calibration and with one for all, and of "af"."""
    found = (
        cable_of(cell, rise, WIDTH),
        cable_of(replace(cell, name="any"), rise, WIDTH),
        activating_of(cell, rise, WIDTH),
    )
    return np.array([np.abs(f / truth - 1).mean() for f in found])


def _row(quantity: str, error: float, limit: float) -> Row:
    return Row(
        case="cable-vs-spiking",
        quantity=f"mean error of thresholds of cells held out, 200 us: {quantity}",
        value=float(error),
        reference=0.0,
        error=float(error),
        limit=limit,
        unit="1",
        source="spiking mode; uniform fields and near electrodes, both polarities",
    )
