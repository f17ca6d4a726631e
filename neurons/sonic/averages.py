"""Averages over a cycle of sound of the potential and rates of a cell at fixed charge."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import track
from rheobase._threads import in_parts
from rheobase.neurons.morphology import Floats
from rheobase.neurons.sonic.cells import SonicCell
from rheobase.neurons.sonic.sonophore import sonophore_of

SAMPLES = 1000  # of a cycle
TOLERANCE = 1e-4  # of the deflection in a step of the sonophore
CHANGE = 1e-3  # between two cycles that repeat, of their range
CYCLES = 60  # more than the kernel averages over where cycles do not repeat
_ENTRIES = 1024  # of one report of progress
_PART = 64  # entries that a thread takes at once


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Averages:
    """Cycle averages for every pair of m amplitudes and n charges.

    Parameters
    ----------
    potential
        Of Q/C(Z(t)) (V), shape (m, n).
    opening, closing
        Of the rates of the g gates at that potential (1/s), shape (m, g, n).
    repeats
        Whether the cycles came to repeat, shape (m, n).
    """

    potential: Floats
    opening: Floats
    closing: Floats
    repeats: NDArray[np.bool_]


def cycle_averages(
    cell: SonicCell,
    *,
    frequency: float,
    radius: float,
    amplitudes: Floats,
    charges: Floats,
    tolerance: float = TOLERANCE,
) -> Averages:
    """Run sonophores until their cycles repeat and average over a cycle.

    Those that do not repeat are averaged over their last 40 cycles.

    Parameters
    ----------
    cell
        The neuron.
    frequency, radius
        Of the sound (Hz), of the sonophore (m).
    amplitudes, charges
        Peak pressures (Pa), shape (m,), and charge densities (C/m²), shape (n,).
    tolerance
        Relative error of a step of the sonophore.

    Raises
    ------
    InputError
        If a sonophore cannot be integrated.
    """
    from rheobase.neurons.sonic._sonophore_numba import steady_cycles

    sonophore = sonophore_of(cell, radius)
    p = sonophore.parameters()
    m, n, g = len(amplitudes), len(charges), len(cell.gates)
    potential = np.empty((m, n))
    opening, closing = np.empty((2, m, g, n))
    repeats = np.empty((m, n), dtype=bool)

    def fill(part: slice, first: int) -> None:
        i, j = np.divmod(np.arange(first + part.start, first + part.stop), n)
        A, Q = amplitudes[i], charges[j]
        Z = np.empty((len(i), SAMPLES))
        cycles = steady_cycles(p, Q, A, frequency, CYCLES, CHANGE, tolerance, Z)[:, 0]
        if (cycles == 0).any():
            k = int(np.argmin(np.abs(cycles)))
            raise InputError(
                f"the sonophore could not be integrated at {A[k]:g} Pa, {frequency:g} Hz and "
                f"{Q[k]:g} C/m²: rates of {cell.name}"
            )
        V = Q[:, None] / sonophore.capacitance_at(Z)
        up, down = cell.rates(V)
        potential[i, j] = V.mean(1)
        opening[i, :, j], closing[i, :, j] = up.mean(2).T, down.mean(2).T
        repeats[i, j] = (cycles > 0) | (A == 0)

    for first in track(range(0, m * n, _ENTRIES), f"effective rates of {cell.name}"):
        size = min(_ENTRIES, m * n - first)
        in_parts(partial(fill, first=first), size, _PART)
    unsettled = m * n - int(repeats.sum())
    if unsettled:
        logging.getLogger("rheobase").info(
            f"{unsettled} of {m * n} sonophores of {cell.name} at {frequency:g} Hz changed by more "
            f"than {CHANGE:g} of their range from cycle {CYCLES - 1} to {CYCLES}"
        )
    return Averages(potential=potential, opening=opening, closing=closing, repeats=repeats)
