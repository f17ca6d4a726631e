"""A stimulus waveform as the cable sees it: steps, phases, effective widths, site thresholds.

The threshold depolarisation of a node depends on how long it is driven: V_th(PW), fitted for
rectangular pulses (``data/site_threshold.toml``). For any other waveform each phase (between zeros
of the drive) is given the width of the rectangle of equal integral and peak, ∫|w| dt / max|w|, and
the deviation during a phase is judged by V_th of that width. This is an assumption, to be
calibrated against non-linear simulations.
"""

from __future__ import annotations

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
_STRONG_PHASE = 0.2  # the width of a phase that reaches this part of the peak is checked
_SINGLE = 4  # strong phases; what has more is a train
_MOST_PHASES = 2000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Drive:
    """A waveform cut into a few steps: one for each phase, and one for each rest between phases.

    Parameters
    ----------
    dt
        Length of each step (s), shape (steps,): the effective width of a phase, the time of a rest.
    amplitude
        Amplitude during each step (1), shape (steps,): the peak of a phase, the mean of a rest, so
        that the integral is that of the waveform.
    judged
        Whether the deviation after each step is compared with the threshold of a pulse of this
        width, shape (steps,): after phases.
    notes
        What is outside the calibration.
    """

    dt: Floats
    amplitude: Floats
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


def drive_of(waveform: Any) -> Drive:
    """Cut ``waveform`` into its phases.

    Parameters
    ----------
    waveform
        Width of a rectangular pulse (s), or an object with samples ``t`` (s) and ``w`` (1), linear
        between them. Thresholds multiply ``w``: give it a peak of 1 to read them as peak values.

    Raises
    ------
    InputError
        If the width is not > 0 s, times do not rise, the waveform is 0 throughout, or it has too
        many phases.
    """
    if isinstance(waveform, int | float):
        width = float(waveform)
        if not 0 < width < np.inf:
            raise InputError(f"pulse width must be > 0 s, got {waveform!r}")
        one = np.ones(1)
        notes = _range_notes(width * one)
        return Drive(dt=width * one, amplitude=one, judged=one > 0, notes=notes)
    where = f"waveform {getattr(waveform, 'name', '')!r}"
    t, w = _samples(waveform)
    sign = np.sign(w[1:] + w[:-1])
    first = np.concatenate([[0], np.flatnonzero(np.diff(sign)) + 1])
    time = np.add.reduceat(np.diff(t), first)
    area = np.add.reduceat(0.5 * (w[1:] + w[:-1]) * np.diff(t), first)
    top = np.maximum.reduceat(np.maximum(np.abs(w[1:]), np.abs(w[:-1])), first)
    peak = top.max()
    main = top > _SMALL_PHASE * peak
    if main.sum() > _MOST_PHASES:
        raise InputError(f"a waveform may have {_MOST_PHASES} phases, got {main.sum()}: {where}")
    inner = np.arange(main.argmax(), len(main) - main[::-1].argmax())
    main, time, area, top = main[inner], time[inner], area[inner], top[inner]
    # what lies between two phases is one rest
    group = np.concatenate([[True], main[1:] | main[:-1]])
    begin = np.flatnonzero(group)
    judged = main[begin]
    time, area = np.add.reduceat(time, begin), np.add.reduceat(area, begin)
    dt = np.divide(np.abs(area), top[begin], out=time, where=judged)
    strong = judged & (top[begin] > _STRONG_PHASE * peak)
    notes = _range_notes(dt[strong])
    if strong.sum() > _SINGLE or not getattr(waveform, "pulse", True):
        notes += (
            f"thresholds are calibrated on single pulses, and this goes on ({strong.sum()} strong "
            f"phases): {where}",
        )
    return Drive(dt=dt, amplitude=area / dt, judged=judged, notes=notes)


def _samples(waveform: Any) -> tuple[Floats, Floats]:
    """Return times and values of a checked waveform, with samples where it passes through 0."""
    t = np.asarray(waveform.t, dtype=np.float64)
    w = np.asarray(waveform.w, dtype=np.float64)
    if t.ndim != 1 or t.shape != w.shape or len(t) < 2 or not (np.diff(t) > 0).all():
        raise InputError(
            f"a waveform needs rising times and as many values, got {t.shape}, {w.shape}"
        )
    if not 0 < np.abs(w).max() < np.inf:
        raise InputError("a waveform must be finite and not 0 throughout")
    flips = np.flatnonzero(w[:-1] * w[1:] < 0)
    zeros = t[flips] - w[flips] * (t[flips + 1] - t[flips]) / (w[flips + 1] - w[flips])
    order = np.argsort(np.concatenate([t, zeros]), kind="stable")
    return (
        np.concatenate([t, zeros])[order],
        np.concatenate([w, np.zeros(len(zeros))])[order],
    )


def _range_notes(widths: Floats) -> tuple[str, ...]:
    low, high = (1e-3 * v for v in _calibration()["pulse_width"]["valid_ms"])
    bad = widths[(widths < low * (1 - 1e-9)) | (widths > high * (1 + 1e-9))]
    if len(bad) == 0:
        return ()
    which = f"a phase of {bad[0] * 1e6:.0f} us lies"
    if len(bad) > 1:
        which = f"{len(bad)} phases, of {bad.min() * 1e6:.0f} to {bad.max() * 1e6:.0f} us, lie"
    return (f"{which} outside the calibrated {low * 1e6:.0f} to {high * 1e6:.0f} us",)
