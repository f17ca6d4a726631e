"""Effective potential and rates of a cell under sound, by amplitude and charge.

Over one cycle of the sound the charge of the membrane hardly moves while its capacitance swings.
Sonophore cycles at fixed charge Q are run until they repeat; the potential Q/C(Z(t)) and the rates
of the gates at it, averaged over a cycle, are what the slow equations of the cell see (Lemaire et
al. 2019, doi:10.1088/1741-2552/ab1685).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError
from rheobase._files import cache_dir, content_key, keep, whole_file
from rheobase._progress import track
from rheobase._threads import in_parts
from rheobase.fields.basis import as_numbers
from rheobase.neurons.morphology import Floats
from rheobase.neurons.sonic.cells import SonicCell, sonic_cell
from rheobase.neurons.sonic.sonophore import sonophore_of

SAMPLES = 1000  # of a cycle
TOLERANCE = 1e-4  # of the deflection in a step of the sonophore
CHANGE = 1e-3  # between two cycles that repeat, of their range
_CYCLES = 12
_CHARGE_STEP = 1e-5  # C/m²
_ROWS = 8  # amplitudes of one report of progress
_PART = 64  # entries that a thread takes at once
_MADE_BY = ("_sonophore_numba.py", "sonophore.py", "lookup.py", "cells.py")


@dataclass(frozen=True, kw_only=True, eq=False)
class EffectiveTable:
    """What the slow equations of a cell see under sound of one frequency.

    Parameters
    ----------
    cell
        Name of the cell.
    frequency, radius
        Of the sound (Hz), of the sonophore (m).
    amplitudes, charges
        Peak pressures (Pa), shape (m,), rising from 0; charge densities (C/m²), shape (n,).
    potential
        Effective potential (V), shape (m, n).
    opening, closing
        Effective rates of the gates (1/s), shape (m, g, n).
    """

    cell: str
    frequency: float
    radius: float
    amplitudes: Floats
    charges: Floats
    potential: Floats
    opening: Floats
    closing: Floats

    def at(self, amplitude: float) -> EffectiveTable:
        """Return the table at one amplitude (Pa), linear between those of the table, shape m = 1.

        Raises
        ------
        InputError
            If the amplitude is outside the table.
        """
        A = self.amplitudes
        if not A[0] <= amplitude <= A[-1]:
            raise InputError(f"amplitude must be {A[0]:g} to {A[-1]:g} Pa, got {amplitude!r}")
        i = min(int(np.searchsorted(A, amplitude, side="right")) - 1, len(A) - 2)
        s = (amplitude - A[i]) / (A[i + 1] - A[i])

        def between(x: Floats) -> Floats:
            out: Floats = (1 - s) * x[i : i + 1] + s * x[i + 1 : i + 2]
            return out

        return replace(
            self,
            amplitudes=np.array([amplitude]),
            potential=between(self.potential),
            opening=between(self.opening),
            closing=between(self.closing),
        )


def default_amplitudes() -> Floats:
    """Return the peak pressures of a table (Pa)."""
    return np.concatenate([[0.0], np.geomspace(1e3, 600e3, 100)])


def default_charges(cell: SonicCell) -> Floats:
    """Return the charge densities of a table (C/m²): 25 mV below rest to 50 mV, 1 nC/cm² apart."""
    low = round(cell.rest * 1e3 - 25) * 1e-3 * cell.capacitance
    high = 50e-3 * cell.capacitance
    n = round((high - low) / _CHARGE_STEP)
    return np.linspace(low, high, n + 1)


def effective_table(
    cell: str,
    *,
    frequency: float,
    radius: float = 32e-9,
    amplitudes: ArrayLike | None = None,
    charges: ArrayLike | None = None,
) -> EffectiveTable:
    """Return the table of a cell, from the cache when it was made before.

    Parameters
    ----------
    cell
        Name of a point neuron ("RS").
    frequency
        Of the sound (Hz), 20 kHz to 5 MHz.
    radius
        Of the sonophore (m).
    amplitudes, charges
        Rising peak pressures (Pa) from 0, and charge densities (C/m²); the defaults when None.

    Raises
    ------
    InputError
        If the cell is unknown, frequency or radius out of range, or the grids do not rise.
    """
    neuron = sonic_cell(cell)
    if not 20e3 <= frequency <= 5e6:
        raise InputError(f"frequency must be 20e3 to 5e6 Hz, got {frequency!r}: table of {cell}")
    A = default_amplitudes() if amplitudes is None else as_numbers(amplitudes, "amplitudes")
    Q = default_charges(neuron) if charges is None else as_numbers(charges, "charges")
    for name, grid in (("amplitudes", A), ("charges", Q)):
        if grid.ndim != 1 or len(grid) < 2 or not (np.diff(grid) > 0).all():
            raise InputError(f"{name} must rise and be 2 or more, got shape {grid.shape}: {cell}")
    if A[0] != 0:
        raise InputError(f"amplitudes must start with 0 Pa, got {A[0]:g}: table of {cell}")
    return _known(cell, float(frequency), float(radius), A.tobytes(), Q.tobytes())


@lru_cache(maxsize=32)
def _known(
    cell: str, frequency: float, radius: float, amplitudes: bytes, charges: bytes
) -> EffectiveTable:
    own = files("rheobase.neurons.sonic")
    made_by = [own.joinpath(name).read_bytes() for name in _MADE_BY]
    data = files("rheobase.neurons").joinpath("data/sonic_cells.toml").read_bytes()
    key = content_key(*made_by, data, cell, frequency, radius, amplitudes, charges)
    path = cache_dir() / "sonic" / f"{cell}-{key}.npz"
    axes: dict[str, Any] = {
        "cell": cell,
        "frequency": frequency,
        "radius": radius,
        "amplitudes": np.frombuffer(amplitudes),
        "charges": np.frombuffer(charges),
    }
    try:
        with np.load(path) as kept:
            return EffectiveTable(**axes, **{k: kept[k] for k in _FILLED})
    except (OSError, ValueError, KeyError, EOFError):
        pass  # not there, or not whole
    table = _computed(axes)
    keep(path, lambda p: _save(p, table))
    return table


_FILLED = ("potential", "opening", "closing")


def _save(path: Path, table: EffectiveTable) -> None:
    with whole_file(path) as part, part.open("wb") as file:
        np.savez(file, **{k: getattr(table, k) for k in _FILLED})


def _computed(axes: dict[str, Any]) -> EffectiveTable:
    from rheobase.neurons.sonic._sonophore_numba import steady_cycles

    cell = sonic_cell(axes["cell"])
    sonophore = sonophore_of(cell, axes["radius"])
    p = sonophore.parameters()
    A, Q, frequency = axes["amplitudes"], axes["charges"], axes["frequency"]
    m, n, g = len(A), len(Q), len(cell.gates)
    potential = np.empty((m, n))
    opening, closing = np.empty((2, m, g, n))
    unsettled = 0

    def fill(first: int, part: slice) -> int:
        i, j = np.divmod(np.arange(first * n + part.start, first * n + part.stop), n)
        Z = np.empty((len(i), SAMPLES))
        told = steady_cycles(p, Q[j], A[i], frequency, _CYCLES, CHANGE, TOLERANCE, Z)
        if (told[:, 0] == 0).any():
            k = int(np.flatnonzero(told[:, 0] == 0)[0])
            raise InputError(
                f"the sonophore did not settle at {A[i[k]]:g} Pa and {Q[j[k]]:g} C/m²: "
                f"table of {cell.name} at {frequency:g} Hz"
            )
        V = Q[j, None] / sonophore.capacitance_at(Z)
        potential[i, j] = V.mean(1)
        up, down = cell.rates(V)
        opening[i, :, j], closing[i, :, j] = up.mean(2).T, down.mean(2).T
        return int(np.count_nonzero(told[:, 0] < 0))

    for first in track(range(0, m, _ROWS), f"effective rates of {cell.name}"):
        rows = min(_ROWS, m - first)
        unsettled += sum(in_parts(lambda part, f=first: fill(f, part), rows * n, _PART))  # type: ignore[misc]
    if unsettled:
        logging.getLogger("rheobase").info(
            "%d of %d entries of %s at %g Hz had not settled to %g of their range in %d cycles",
            unsettled,
            m * n,
            cell.name,
            frequency,
            CHANGE,
            _CYCLES,
        )
    return EffectiveTable(**axes, potential=potential, opening=opening, closing=closing)
