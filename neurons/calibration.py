"""When a linearly polarised site fires: thresholds fitted to full simulations.

A site fires where the linear cable brings its membrane, from the potential it rests at, to

    V*(PW) = offset + slope (PW / 1 ms)^exponent,

a potential that depends on the (effective) pulse width and little on the cell: the depolarisation
that is needed is V* - V_rest of the site, and rest varies by several mV along an axon. A site does
not fire alone: what counts is its potential and, with a smaller share, that of the next site up
the axon. The table
``data/site_threshold.toml`` holds the fits and their errors (``benchmarks/calibrate_cable.py``: the
spiking mode of this package on generated cells). It belongs to the scheme of
`rheobase.neurons.pulse`, two implicit steps a phase.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.neurons.cable import Criterion
from rheobase.neurons.generate import Cell
from rheobase.neurons.morphology import Floats, Morphology
from rheobase.neurons.spiking import resting_state

if TYPE_CHECKING:
    from rheobase.neurons.pulse import Drive


@cache
def calibration() -> Mapping[str, Any]:
    """Return the table of thresholds."""
    text = files("rheobase.neurons").joinpath("data/site_threshold.toml")
    return tomllib.loads(text.read_text(encoding="utf-8"))


def calibrated_widths() -> tuple[float, float]:
    """Return the shortest and the longest pulse of the fits (s)."""
    widths = calibration()["range"]["width_ms"]
    return 1e-3 * widths[0], 1e-3 * widths[-1]


def reversal_time() -> float:
    """Return the time after a phase within which a reversal acts on its spike (s)."""
    return 1e-6 * float(calibration()["range"]["reversal_us"])


def is_calibrated(cell_type: str) -> bool:
    """Return whether ``cell_type`` has a fit of its own; others take that of all types."""
    return cell_type in calibration()["potential"]


def firing_potential(cell_type: str, width: Floats | float) -> Floats:
    """Return the membrane potential (V) at which a site of ``cell_type`` fires.

    Parameters
    ----------
    cell_type
        Type ("L5_pyramidal"); one without an entry takes the fit to all types.
    width
        (Effective) pulse width (s).
    """
    table = calibration()["potential"]
    return _fitted(table.get(cell_type, table["default"]), width)


def criterion(cell: Cell, drive: Drive) -> Criterion:
    """Return when the sites of a cell fire under a pulse.

    Raises
    ------
    InputError
        If a site of the cell rests above the potential it fires at.
    """
    rest, near = prepared(cell)
    site, share = cell.morphology.site, float(calibration()["range"]["neighbour_share"])
    own = (rest + share * rest[near])[site] / (1 + share)
    judged = drive.width > 0
    needed = firing_potential(cell.name, drive.width[judged])[:, None] - own
    if not (needed > 0).all():
        raise InputError(
            f"expected a cell that rests below {1e3 * (needed + own).min():.1f} mV, where its "
            f"sites fire, got {1e3 * own.max():.1f} mV: {cell.name}, membrane {cell.membrane!r}"
        )
    weight = np.zeros((len(drive.dt), len(cell.morphology)))
    weight[np.ix_(judged, site)] = drive.held[judged, None] / (needed * (1 + share))
    return Criterion(weight=weight, near=near, share=share, grows=drive.grows)


@lru_cache(maxsize=512)
def prepared(cell: Cell) -> tuple[Floats, NDArray[np.int32]]:
    """Return rest (V) and the next site up the tree, shape (n,) each; cells are used many times."""
    m = cell.morphology
    near = np.arange(len(m), dtype=np.int32)
    last = np.full(len(m), -1, dtype=np.int32)  # of each compartment, the last site on its way
    for c, parent in enumerate(m.parent.tolist()):
        up = last[parent] if c else -1
        near[c] = up if up >= 0 else c
        last[c] = c if m.site[c] else up
    return resting_state(cell), near


def calibration_error(
    mode: str, cell_type: str, drive: Drive, part: Literal["mean", "95"] = "mean"
) -> float:
    """Return the relative error of a mode against full simulations, for a type and pulse.

    It is that of generated cells that the fit has not seen.

    Parameters
    ----------
    mode
        "cable", "af", or "spiking" (0: they are those simulations).
    cell_type
        Type; one without an entry takes the error over all types.
    drive
        The pulse.
    part
        The mean, or what 95 % of the thresholds are within.

    Returns
    -------
    float
        Error (1) at the width of the strong phase where it is largest, of "cable" at least that of
        pulses of coils and stimulators unless the pulse is a rectangle; NaN for a pulse outside
        the calibration.
    """
    if mode == "spiking":
        return 0.0
    if drive.notes:
        return np.nan
    table = calibration()
    fits = table["potential" if mode == "cable" else "second_difference"]
    known = fits.get(cell_type, fits["default"])
    widths = np.log(table["range"]["width_ms"])
    key = "percent" if part == "mean" else "95_percent"
    percent = np.interp(np.log(1e3 * drive.phases), widths, known[f"error_{key}"]).max()
    if not drive.rectangular:
        percent = max(percent, known.get(f"other_pulses_{key}", 0.0))
    return float(1e-2 * percent)


def is_concentrated(cell: Morphology, rise: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where the field along an axon peaks more sharply than in any fit.

    The measure is the strongest field along a piece of axon over the mean along all of it: about 2
    in a uniform field, up to 20 for an electrode 100 um above the arbor. Electrodes 30 to 50 um
    from an axon give 20 to 200, and there the modes "cable" and "af" may be far off.

    Parameters
    ----------
    cell
        n compartments.
    rise
        Rises (V), shape (blocks, n, lanes), as `Sampler.rises` gives.

    Returns
    -------
    ndarray of bool, shape (blocks * lanes,)
        Whether the measure is above that of the calibration.
    """
    axon = np.flatnonzero(cell.is_axon & (cell.parent >= 0))
    length = np.linalg.norm(cell.centre[axon] - cell.centre[cell.parent[axon]], axis=1)
    drop = np.abs(rise[:, axon])
    peak = np.divide(drop, length[:, None], out=np.zeros_like(drop), where=length[:, None] > 0)
    mean = drop.sum(axis=1) / max(length.sum(), np.finfo(np.float64).tiny)
    sharpest = calibration()["range"]["sharpest"]
    out: NDArray[np.bool_] = (peak.max(axis=1, initial=0.0) > sharpest * mean).ravel()
    return out


def second_difference_threshold(width: Floats | float) -> Floats:
    """Return the activating function (V, per internode) taken as the threshold in mode "af"."""
    return _fitted(calibration()["second_difference"]["default"], width)


def _fitted(fit: Mapping[str, float], width: Floats | float) -> Floats:
    """Return offset + slope (PW / 1 ms)^exponent (V)."""
    ms = 1e3 * np.asarray(width, dtype=np.float64)
    out: Floats = 1e-3 * (fit["offset_mV"] + fit["slope_mV"] * ms ** fit["exponent"])
    return out
