"""The state in which nothing changes."""

from __future__ import annotations

import numpy as np

from rheobase._errors import InputError
from rheobase.neurons.generate import Cell
from rheobase.neurons.membrane.channels import CHANNELS, TEMPERATURE
from rheobase.neurons.membrane.circuit import Circuit, circuit
from rheobase.neurons.morphology import Floats, Morphology

_STEP, _GROWTH, _LIMIT = 1e-4, 2.0, 60  # first step (s), growth, steps towards rest
_CLOSE = 1e-9  # V that the last step may still change
_LARGEST = 5e-3  # V in a step
_NUDGE = 1e-6  # V, for the slope of a current


def resting_state(
    cell: Cell | Morphology | Circuit,
    name: str | None = None,
    *,
    temperature: float = TEMPERATURE,
) -> Floats:
    """Return the potential at rest in every compartment (V), shape (n,).

    Pseudo-transient continuation: implicit steps of growing length with all gates at their steady
    state, linearised currents, and one tree solve each; the limit is Newton's method. It begins at
    the lowest reversal potential and so finds the lowest rest: the membrane of fast interneurons
    has another one, about 10 mV higher, from which it fires.

    Parameters
    ----------
    cell
        A cell, its compartments, or its circuit.
    name
        Membrane; a cell brings its own.
    temperature
        Of the channels (°C).

    Raises
    ------
    InputError
        If no rest is found.
    """
    from rheobase.neurons.spiking._spiking_numba import solve

    of = cell if isinstance(cell, Circuit) else circuit(cell, name)
    joint = of.axial.copy()
    np.add.at(joint, of.parent[1:], of.axial[1:])
    lowest = min([float(of.leak_reversal.min()), *(CHANNELS[k].reversal for k in of.density)])
    v = np.full(len(of), lowest)
    step = _STEP
    for _ in range(_LIMIT):
        current = _current(of, v, temperature)
        slope = (_current(of, v + _NUDGE, temperature) - current) / _NUDGE
        flow = of.axial * (v - v[of.parent])
        flow[0] = 0.0
        out = current + flow
        np.subtract.at(out, of.parent[1:], flow[1:])
        change = -out
        solve(of.parent, of.axial, joint + slope + of.capacitance / step, change)
        largest = float(np.abs(change).max())
        v += change * min(1.0, _LARGEST / largest) if largest > 0 else change
        if largest < _CLOSE and step > 1.0:
            return v
        step *= _GROWTH
    raise InputError(f"expected a cell that rests, got one that changes by {largest:.2g} V a step")


def _current(of: Circuit, v: Floats, temperature: float) -> Floats:
    """Outward current of the membrane with all gates at their steady state (A), shape (n,)."""
    out = of.leak * (v - of.leak_reversal)
    for name, density in of.density.items():
        channel = CHANNELS[name]
        some = np.flatnonzero(density * of.area)
        steady = [s for s, _ in channel.kinetics(v[some], temperature)]
        open_ = steady[0] ** channel.power
        for other in steady[1:]:
            open_ = open_ * other
        out[some] += (density * of.area)[some] * open_ * (v[some] - channel.reversal)
    return out
