"""Effective potential and rates of a cell under sound, by amplitude and charge.

Over one cycle of the sound the charge of the membrane hardly moves while its capacitance swings.
Sonophore cycles at fixed charge Q are run until they repeat; the potential Q/C(Z(t)) and the rates
of the gates at it, averaged over a cycle, are what the slow equations of the cell see (Lemaire et
al. 2019, doi:10.1088/1741-2552/ab1685).

Where the leaflets let go of each other the effective potential falls by some 10 mV within 1 kPa, at
a pressure that depends on the charge. A table of equal ratios misses this front: on the 51
amplitudes of PySONIC, 19 % apart, thresholds come out up to 7 % low. The default grid is halved
where the middle of an interval is not what its neighbours say.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError
from rheobase._files import cache_dir, content_key, keep, whole_file
from rheobase.fields.basis import as_numbers
from rheobase.neurons.morphology import Floats
from rheobase.neurons.sonic.averages import Averages, cycle_averages
from rheobase.neurons.sonic.cells import SonicCell, sonic_cell

LOWEST, HIGHEST = 1e3, 600e3  # Pa, of the default grid beside 0
_FIRST = 25  # amplitudes that it starts from
_MISS = 0.25e-3  # V by which the middle of an interval may differ from what its neighbours say
_MISS_SHARE = 0.01  # and of what the sound changes
_CLOSEST = 1.004  # ratio of neighbours that are not parted further
_CHARGE_STEP = 1e-5  # C/m²
_MADE_BY = ("_sonophore_numba.py", "sonophore.py", "averages.py", "lookup.py", "cells.py")


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
    averages
        At each of them.
    smooth
        Whether the table is read by piecewise cubics that do not overshoot (Fritsch & Carlson
        1980, doi:10.1137/0717021); linearly else.
    """

    cell: str
    frequency: float
    radius: float
    amplitudes: Floats
    charges: Floats
    averages: Averages
    smooth: bool = True

    def at(self, amplitude: float, charges: Floats) -> tuple[Floats, Floats, Floats]:
        """Return potential (n,) and rates (g, n) at one amplitude (Pa) and at charges (C/m²).

        Raises
        ------
        InputError
            If the amplitude is outside the table.
        """
        A, known = self.amplitudes, self.averages
        if not A[0] <= amplitude <= A[-1]:
            raise InputError(f"amplitude must be {A[0]:g} to {A[-1]:g} Pa, got {amplitude!r}")

        near = _around(A, amplitude)
        together = np.concatenate(
            [known.potential[near, None], known.opening[near], known.closing[near]], axis=1
        )
        row = _between(A[near], together, amplitude, 0, self.smooth)
        got = _between(self.charges, row, charges, -1, self.smooth)
        g = known.opening.shape[1]
        return got[0], got[1 : g + 1], got[g + 1 :]


def default_charges(cell: SonicCell) -> Floats:
    """Return the charge densities of a table (C/m²): 25 mV below rest to 50 mV, 1 nC/cm² apart."""
    low = round(cell.rest * 1e3 - 25) * 1e-3 * cell.capacitance
    high = 50e-3 * cell.capacitance
    return np.linspace(low, high, round((high - low) / _CHARGE_STEP) + 1)


def effective_table(
    cell: str,
    *,
    frequency: float,
    radius: float = 32e-9,
    amplitudes: ArrayLike | None = None,
    smooth: bool = True,
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
    amplitudes
        Peak pressures (Pa), rising from 0; refined until the table is smooth between them when
        None.
    smooth
        As in `EffectiveTable`.

    Raises
    ------
    InputError
        If the cell is unknown, frequency or radius out of range, or the amplitudes do not rise
        from 0.
    """
    sonic_cell(cell)
    if not 20e3 <= frequency <= 5e6:
        raise InputError(f"frequency must be 20e3 to 5e6 Hz, got {frequency!r}: table of {cell}")
    if not 5e-9 <= radius <= 1e-6:
        raise InputError(f"sonophore radius must be 5e-9 to 1e-6 m, got {radius!r}")
    given: tuple[float, ...] | None = None
    if amplitudes is not None:
        A = as_numbers(amplitudes, "amplitudes")
        if A.ndim != 1 or len(A) < 2 or A[0] != 0 or not (np.diff(A) > 0).all():
            raise InputError(f"amplitudes must rise from 0 Pa, got {A!r}: table of {cell}")
        given = tuple(A.tolist())
    return _known(cell, float(frequency), float(radius), given, smooth)


@lru_cache(maxsize=32)
def _known(
    cell: str,
    frequency: float,
    radius: float,
    given: tuple[float, ...] | None,
    smooth: bool,
) -> EffectiveTable:
    own = files("rheobase.neurons.sonic")
    made_by = [own.joinpath(name).read_bytes() for name in _MADE_BY]
    beside = files("rheobase.neurons")
    made_by += [beside.joinpath(n).read_bytes() for n in ("gating.py", "data/sonic_cells.toml")]
    key = content_key(*made_by, cell, frequency, radius, given)
    path = cache_dir() / "sonic" / f"{cell}-{key}.npz"
    where: dict[str, Any] = {"cell": cell, "frequency": frequency, "radius": radius}
    try:
        with np.load(path) as kept:
            averages = Averages(**{k: kept[k] for k in Averages.__slots__})
            axes = {k: kept[k] for k in ("amplitudes", "charges")}
            return EffectiveTable(**where, **axes, averages=averages, smooth=smooth)
    except (OSError, ValueError, KeyError, EOFError):
        pass  # not there, or not whole
    table = _made(where, None if given is None else np.array(given), smooth)
    keep(path, lambda p: _save(p, table))
    return table


def _save(path: Path, table: EffectiveTable) -> None:
    kept = {k: getattr(table.averages, k) for k in Averages.__slots__}
    with whole_file(path) as part, part.open("wb") as file:
        np.savez(file, amplitudes=table.amplitudes, charges=table.charges, **kept)


def _made(where: dict[str, Any], given: Floats | None, smooth: bool) -> EffectiveTable:
    cell = sonic_cell(where["cell"])
    Q = default_charges(cell)
    how: dict[str, Any] = {"frequency": where["frequency"], "radius": where["radius"], "charges": Q}
    A = np.array([0.0, *np.geomspace(LOWEST, HIGHEST, _FIRST)]) if given is None else given
    averages = cycle_averages(cell, amplitudes=A, **how)
    suspect = np.arange(1, len(A) - 1) if given is None else np.empty(0, np.int64)  # left ends
    while len(suspect):
        middle = np.sqrt(A[suspect] * A[suspect + 1])
        new = cycle_averages(cell, amplitudes=middle, **how)
        near = [_around(A, a) for a in middle]
        guess = np.stack(
            [
                _between(A[k], averages.potential[k], a, 0, True)
                for k, a in zip(near, middle, strict=True)
            ]
        )
        heard = np.abs(new.potential - averages.potential[0])
        missed = np.abs(guess - new.potential) > _MISS + _MISS_SHARE * heard
        # cycles that do not repeat leave averages that no finer grid makes smooth
        around = averages.repeats[suspect] & averages.repeats[suspect + 1]
        missed = missed.any(1) & (new.repeats & around).all(1)
        missed &= middle / A[suspect] > _CLOSEST
        A = np.insert(A, suspect + 1, middle)
        averages = Averages(
            **{
                k: np.insert(getattr(averages, k), suspect + 1, getattr(new, k), axis=0)
                for k in Averages.__slots__
            }
        )
        left = suspect + np.arange(len(suspect))  # where they are now
        suspect = np.sort(np.concatenate([left[missed], left[missed] + 1]))
    return EffectiveTable(**where, amplitudes=A, charges=Q, averages=averages, smooth=smooth)


def _around(x: Floats, at: float) -> slice:
    """Return the up to four points of a rising grid that an interpolation at a place needs."""
    i = int(np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2))
    return slice(max(i - 1, 0), i + 3)


def _between(x: Floats, y: Floats, at: Any, axis: int, smooth: bool) -> Floats:
    """Interpolate ``y`` along an axis: piecewise cubic without overshoot, or linear."""
    from scipy.interpolate import PchipInterpolator, make_interp_spline

    if smooth:
        return np.asarray(PchipInterpolator(x, y, axis=axis)(at))
    return np.asarray(make_interp_spline(x, y, k=1, axis=axis)(at))
