"""A stimulus waveform as the cable sees it: steps, phases, effective widths, site thresholds.

The threshold depolarisation of a node depends on how long it is driven: V_th(PW), fitted for
rectangular pulses (``data/site_threshold.toml``). For any other waveform each phase (between zeros
of the drive) is given the width of the rectangle of equal integral and peak, ∫|w| dt / max|w|, and
the deviation during a phase is judged by V_th of that width. This is an assumption, to be
calibrated against non-linear simulations.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.neurons.morphology import Floats

_SMALL_PHASE = 0.02  # a phase with less than this part of the peak is a tail, not a phase
_STRONG_PHASE = 0.2  # a phase that reaches this part of the peak sets the step and is checked
_MOST_STEPS = 2000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Drive:
    """A waveform cut into equal steps.

    Parameters
    ----------
    dt
        Step (s).
    amplitude
        Mean of the waveform over each step (1), shape (steps,).
    width
        Effective width of the phase that each step lies in (s), shape (steps,).
    judged
        Whether the deviation after each step is compared with the threshold, shape (steps,): only
        the end of a rectangular pulse, where its threshold was calibrated, else every step.
    notes
        What is outside the calibration.
    """

    dt: float
    amplitude: Floats
    width: Floats
    judged: NDArray[np.bool_]
    notes: tuple[str, ...] = ()


@cache
def _calibration() -> Mapping[str, Any]:
    text = files("rheobase.neurons").joinpath("data/site_threshold.toml")
    return tomllib.loads(text.read_text(encoding="utf-8"))


def width_factor(width: Floats | float) -> Floats:
    """Return V_th(width) / V_th(200 µs) of the fit, for widths in s.

    Examples
    --------
    >>> round(float(width_factor(0.2e-3)), 6)
    1.0
    """
    fit = _calibration()["pulse_width"]

    def v(ms: Floats) -> Floats:
        out: Floats = fit["offset_mV"] + fit["slope_mV"] * ms ** fit["exponent"]
        return out

    reference = np.asarray(fit["reference_ms"], dtype=np.float64)
    return v(np.asarray(width, dtype=np.float64) * 1e3) / v(reference)


def site_threshold(cell_type: str, width: Floats | float) -> Floats:
    """Return the depolarisation (V) at which a node of ``cell_type`` fires.

    Parameters
    ----------
    cell_type
        Type ("L5_pyramidal"); one without an entry takes the mean of all calibrated cells.
    width
        (Effective) pulse width (s).

    Examples
    --------
    >>> round(1e3 * float(site_threshold("L5_pyramidal", 0.2e-3)), 2)
    24.75
    """
    table = _calibration()["threshold_200us_mV"]
    base = 1e-3 * table.get(cell_type, table["default"])["value"]
    out: Floats = base * width_factor(width)
    return out


def is_calibrated(cell_type: str) -> bool:
    """Return whether ``cell_type`` has a threshold of its own (L5_martinotti has none)."""
    entry = _calibration()["threshold_200us_mV"].get(cell_type)
    return entry is not None and entry["status"] == "computed"


def second_difference_threshold(width: Floats | float) -> Floats:
    """Return the activating function (V, per internode) taken as the threshold in mode "af"."""
    base = 1e-3 * _calibration()["activating_function"]["second_difference_mV"]
    out: Floats = base * width_factor(width)
    return out


def drive_of(waveform: Any, *, steps_per_phase: int = 10) -> Drive:
    """Cut ``waveform`` into steps of equal length.

    Parameters
    ----------
    waveform
        Width of a rectangular pulse (s), or an object with samples ``t`` (s) and ``w`` (1), linear
        between them. Thresholds multiply ``w``: give it a peak of 1 to read them as peak values.
        One that says of itself that it is no ``pulse`` (a carrier, a ramp) has no threshold here.
    steps_per_phase
        Implicit steps in the shortest strong phase; 1 with a rectangular pulse solves it at once.

    Raises
    ------
    InputError
        If the width is not > 0 s, times do not rise, the waveform is 0 throughout or no pulse, or
        its shortest strong phase is too short a part of it to be resolved.
    """
    if steps_per_phase < 1:
        raise InputError(f"steps_per_phase must be >= 1, got {steps_per_phase}")
    if isinstance(waveform, int | float):
        width = float(waveform)
        if not 0 < width < np.inf:
            raise InputError(f"pulse width must be > 0 s, got {waveform!r}")
        ones = np.ones(steps_per_phase)
        notes = _range_notes(np.array([width]))
        return Drive(
            dt=width / steps_per_phase,
            amplitude=ones,
            width=width * ones,
            judged=np.arange(steps_per_phase) == steps_per_phase - 1,
            notes=notes,
        )
    where = f"waveform {getattr(waveform, 'name', '')!r}"
    if not getattr(waveform, "pulse", True):
        raise InputError(
            f"expected a pulse, since thresholds are calibrated on pulses, got none: {where}"
        )
    t = np.asarray(waveform.t, dtype=np.float64)
    w = np.asarray(waveform.w, dtype=np.float64)
    if t.ndim != 1 or t.shape != w.shape or len(t) < 2 or not (np.diff(t) > 0).all():
        raise InputError(
            f"a waveform needs rising times and as many values, got {t.shape}, {w.shape}"
        )
    peak = float(np.abs(w).max())
    if not 0 < peak < np.inf:
        raise InputError("a waveform must be finite and not 0 throughout")
    some = np.flatnonzero(w)
    flips = some[:-1][w[some[:-1]] * w[some[1:]] < 0]  # the next value is 0 or of the other sign
    zeros = t[flips] - w[flips] * (t[flips + 1] - t[flips]) / (w[flips + 1] - w[flips])
    order = np.argsort(np.concatenate([t, zeros]), kind="stable")
    t = np.concatenate([t, zeros])[order]
    w = np.concatenate([w, np.zeros(len(zeros))])[order]
    area = np.concatenate([[0.0], np.cumsum(0.5 * (w[1:] + w[:-1]) * np.diff(t))])
    edges = np.concatenate([[t[0]], zeros, [t[-1]]])
    widths = np.empty(len(edges) - 1)
    tops = np.empty(len(edges) - 1)
    for i, (a, b) in enumerate(itertools.pairwise(edges)):
        of = (t >= a) & (t <= b)
        tops[i] = top = float(np.abs(w[of]).max())
        widths[i] = abs(np.interp(b, t, area) - np.interp(a, t, area)) / top if top > 0 else 0.0
    main, strong = tops > _SMALL_PHASE * peak, tops > _STRONG_PHASE * peak
    last = np.maximum.accumulate(np.where(main, np.arange(len(main)), 0))
    widths = np.where(main, widths, widths[last])  # a tail is judged with the phase before it
    widths = np.where(widths > 0, widths, widths[np.argmax(main)])
    shortest = float(np.diff(edges)[strong].min()) / steps_per_phase
    count = int(np.ceil((t[-1] - t[0]) / shortest - 1e-9))
    if count > _MOST_STEPS:
        raise InputError(
            f"expected at most {_MOST_STEPS} steps, a strong phase of "
            f"{shortest * steps_per_phase * 1e6:.3g} us in {(t[-1] - t[0]) * 1e6:.4g} us needs "
            f"{count}: {where}"
        )
    grid = np.linspace(t[0], t[-1], count + 1)
    amplitude = np.diff(np.interp(grid, t, area)) / np.diff(grid)
    middle = 0.5 * (grid[1:] + grid[:-1])
    phase = np.clip(np.searchsorted(edges, middle) - 1, 0, len(widths) - 1)
    return Drive(
        dt=float(grid[1] - grid[0]),
        amplitude=amplitude,
        width=widths[phase],
        judged=np.ones(count, dtype=bool),
        notes=_range_notes(widths[strong]),
    )


def _range_notes(widths: Floats) -> tuple[str, ...]:
    low, high = (1e-3 * v for v in _calibration()["pulse_width"]["valid_ms"])
    bad = widths[(widths < low * (1 - 1e-9)) | (widths > high * (1 + 1e-9))]
    return tuple(
        f"phase of {w * 1e6:.0f} us lies outside the calibrated {low * 1e6:.0f} to "
        f"{high * 1e6:.0f} us"
        for w in bad
    )
