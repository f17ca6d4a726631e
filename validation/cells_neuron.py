"""Thresholds of a small spiking cell against NEURON's on the same compartments.

The cell has one of everything (soma, dendrites that fork, initial segment, myelin, nodes, a bare
twig) and bears each of the membranes in turn. NEURON ran its export (`rheobase.neurons.export`);
``benchmarks/cells_neuron.py`` makes ``data/cells_neuron.toml`` anew. NEURON's steps are of first
order: its thresholds of two steps are drawn to a step of 0.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

import numpy as np

from rheobase.neurons.compartments import compartments
from rheobase.neurons.morphology import Floats, Kind, Morphology, Skeleton
from rheobase.neurons.sample import PointSource, UniformField, rises_along
from rheobase.neurons.spiking import spiking_thresholds
from rheobase.validation.case import Row

AFTER = 2e-3  # how long a spike was waited for after the pulse (s)
_STEP = 10e-6  # between the points of a branch (m)
_BRANCHES = (  # onto which, kind, direction, length and diameter (um)
    (None, Kind.BASAL, (1.0, 0.3, -0.2), 150, 2.0),
    (None, Kind.APICAL, (0.0, 0.1, 1.0), 200, 3.0),
    (1, Kind.APICAL, (0.7, 0.0, 1.0), 120, 1.5),
    (1, Kind.APICAL, (-0.7, 0.2, 1.0), 150, 1.2),
    (None, Kind.UNMYELINATED, (0.0, 0.0, -1.0), 350, 1.0),
    (4, Kind.UNMYELINATED, (1.0, 0.2, -0.4), 300, 0.8),
    (4, Kind.UNMYELINATED, (-0.3, 0.8, -1.0), 250, 0.6),
    (6, Kind.UNMYELINATED, (0.0, 1.0, 0.2), 60, 0.15),
    (6, Kind.UNMYELINATED, (-1.0, 0.0, 0.5), 180, 0.5),
)
_ELECTRODE = PointSource(position=[80e-6, 120e-6, -350e-6], conductivity=0.3)
FIELDS: Mapping[str, Any] = {
    "uniform": UniformField(E=[0.48, 0.6, -0.64]),  # V/m
    # A; by its E alone: both simulators get the same rises, those that NEURON's thresholds are of
    "near electrode": SimpleNamespace(at=_ELECTRODE.at),
}
UNITS = {"uniform": "V/m", "near electrode": "A"}
_TMS = np.linspace(0.0, 280e-6, 141)
PULSES: Mapping[str, Any] = {
    "50 us": 50e-6,
    "200 us": 200e-6,
    "1 ms": 1e-3,
    "damped cosine of 280 us": SimpleNamespace(
        t=_TMS, w=np.cos(2 * np.pi * _TMS / 280e-6) * np.exp(-_TMS / 600e-6)
    ),
    "60 us and a tenth for 600 us": SimpleNamespace(
        t=np.array([0.0, 60.0, 60.001, 660.0]) * 1e-6, w=np.array([1.0, 1.0, -0.1, -0.1])
    ),
}


@cache
def small_cell() -> Morphology:
    """Return the cell."""
    points, diameter, parent = [np.zeros(3)], [15e-6], [-1]
    kind = [int(Kind.SOMA)]
    ends: list[int] = []
    for onto, what, towards, length, thick in _BRANCHES:
        last = 0 if onto is None else ends[onto]
        unit = np.array(towards) / np.linalg.norm(towards)
        start = points[last] + (7.5e-6 * unit if onto is None else 0.0)
        for k in range(round(length * 1e-6 / _STEP)):
            points.append(start + (k + 1) * _STEP * unit)
            diameter.append(thick * 1e-6)
            parent.append(last)
            kind.append(int(what))
            last = len(points) - 1
        ends.append(last)
    return compartments(
        Skeleton(
            position=np.array(points),
            diameter=np.array(diameter),
            parent=np.array(parent, dtype=np.int32),
            kind=np.array(kind, dtype=np.int8),
        )
    )


@cache
def marks() -> Mapping[str, Any]:
    """Return what NEURON found, and for which compartments."""
    folder = files("rheobase.validation")
    return tomllib.loads(folder.joinpath("data/cells_neuron.toml").read_text(encoding="utf-8"))


def limit(condition: Mapping[str, Any]) -> Floats:
    """Return NEURON's thresholds, as given and reversed, drawn to a step of 0; (2,)."""
    fine, coarse = (np.array(condition[f"threshold_{us}_us"]) for us in (1, 2))
    out: Floats = 2 * fine - coarse
    return out


def spiking_neuron() -> list[Row]:
    """Return the rows of case ``spiking-neuron``."""
    cell = small_cell()
    made = (len(cell), 1e12 * float(cell.area.sum()))
    made_for = (marks()["compartments"], marks()["area_um2"])
    if not np.allclose(made, made_for, rtol=1e-6):
        raise RuntimeError(f"NEURON ran {made_for} (compartments, um2), the cell now has {made}")
    rows = [_row(c, None, 0.01) for c in marks()["condition"]]
    short = [c for c in marks()["condition"] if c["field"] == "near electrode"]
    return [*rows, max((_row(c, 1e-6, 3e-3) for c in short), key=lambda row: row.error)]


def _row(c: Mapping[str, Any], dt: float | None, most: float) -> Row:
    """Compare one condition in steps of ``dt`` (s; the default when None), the worse sign."""
    rise = rises_along(small_cell(), FIELDS[c["field"]])
    got = spiking_thresholds(
        small_cell(),
        rise[None],
        PULSES[c["pulse"]],
        name=c["membrane"],
        dt=dt,
        tolerance=5e-4,
        after=AFTER,
    )[0][:, 0]
    want = limit(c)
    i = int(np.abs(got / want - 1).argmax())
    steps = "" if dt is None else f"steps of {dt * 1e6:g} us, largest: "
    return Row(
        case="spiking-neuron",
        quantity=f"{steps}{c['membrane']}, {c['pulse']}, {c['field']}: threshold, worse sign",
        value=float(got[i]),
        reference=float(want[i]),
        error=float(abs(got[i] / want[i] - 1)),
        limit=most,
        unit=UNITS[c["field"]],
        source=marks()["source"],
    )
