"""A stimulus waveform as the cable sees it: its phases, each a rectangle of equal integral.

How far a node must be depolarised depends on how long it is driven, and the thresholds are fitted
for rectangular pulses (`rheobase.neurons.calibration`). Any other waveform is cut into its phases.
Each counts as the rectangle that has its integral and its energy, of width (∫w dt)² / ∫w² dt, takes
two implicit steps, and is judged after both, halfway by the threshold of half the width. What flows
back within a few microseconds after a phase is lost for the spike that is about to start, and
raises the threshold in proportion to the integral. Both rules were chosen on full simulations with
pulses of coils and of deep brain stimulators (``benchmarks/calibrate_cable.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.neurons.calibration import calibrated_widths, reversal_time
from rheobase.neurons.fibres.mrg_stimulus import pulse_width
from rheobase.neurons.morphology import Floats

_SMALL_PHASE = 0.02  # a phase with less than this part of the peak is a tail, not a phase
_STRONG_PHASE = 0.2  # the width of a phase that reaches this part of the peak is checked
_LEAST_HELD = 0.05  # a phase shorter than the reversal time keeps this part
_SINGLE = 4  # strong phases; what has more is a train
_RECTANGULAR = 0.95  # of a phase's span, that of the rectangle of its energy: it is one itself
_CARRIER = 0.5e-3  # s: half a cycle of 1 kHz
_MOST_PHASES = 2000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Drive:
    """A waveform cut into a few steps: two for each phase, and one for each rest between phases.

    Parameters
    ----------
    dt
        Length of each step (s), shape (steps,): half the width of a phase, or the time of a rest.
    amplitude
        Amplitude during each step (1), shape (steps,), so that the integral is that of the
        waveform.
    width
        Width of a phase up to the end of the step (s), 0 for a rest, shape (steps,): after steps
        with a width the deviation is compared with the threshold of a pulse of that width.
    held
        Part of a phase's integral that is not taken back at once after it (1), shape (steps,).
    grows
        Whether only deviations that grow count: in all phases but the first, shape (steps,). One
        that decays was judged in the phase that made it.
    phases
        Widths of the phases that reach a fifth of the peak (s), shape (phases,).
    rectangular
        Whether the waveform is one rectangle.
    notes
        What is outside the calibration.
    """

    dt: Floats
    amplitude: Floats
    width: Floats
    held: Floats
    grows: NDArray[np.bool_]
    phases: Floats
    rectangular: bool
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        span: Floats,
        area: Floats,
        judged: NDArray[np.bool_],
        held: Floats,
        phases: Floats,
        rectangular: bool,
        notes: tuple[str, ...] = (),
    ) -> Drive:
        """Lay steps through phases and rests of given span (s) and integral (s), shape (m,)."""
        count = np.where(judged, 2, 1)
        last = np.cumsum(count) - 1
        part = np.ones(count.sum())  # of the span up to the end of the step
        part[last[judged] - 1] = 0.5
        of = np.repeat(np.arange(len(span)), count)
        kept = np.where(part == 1, held[of], 1.0)
        return cls(
            dt=(span / count)[of],
            amplitude=(area / span)[of],
            width=np.where(judged[of], part * span[of], 0.0),
            held=kept,
            grows=of > 0,
            phases=phases,
            rectangular=rectangular,
            notes=notes,
        )


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
        If it is neither a width > 0 s nor a waveform, times do not rise, the waveform is 0
        throughout, or it has too many phases.
    """
    width = pulse_width(waveform)
    if width is not None:
        one = np.array([width])
        return Drive.of(one, one, one > 0, np.ones(1), one, True, _range_notes(one))
    where = f"waveform {getattr(waveform, 'name', '')!r}"
    t, w = _samples(waveform)
    # runs of one sign; those that hardly differ from 0 are no phases
    first = np.concatenate([[0], np.flatnonzero(np.diff(np.sign(w[1:] + w[:-1]))) + 1])
    top = np.maximum.reduceat(np.maximum(np.abs(w[1:]), np.abs(w[:-1])), first)
    peak = top.max()
    main = top > _SMALL_PHASE * peak
    if main.sum() > _MOST_PHASES:
        raise InputError(f"a waveform may have {_MOST_PHASES} phases, got {main.sum()}: {where}")
    # what lies between two phases is one rest; before the first and after the last nothing counts
    inner = np.arange(main.argmax(), len(main) - main[::-1].argmax())
    inner = inner[main[inner] | main[inner - 1]]
    judged = main[inner]
    begin = first[inner]
    end = np.append(begin[1:], np.append(first, len(t) - 1)[np.flatnonzero(main)[-1] + 1])
    h, total, square = np.diff(t), np.zeros_like(t), np.zeros_like(t)
    total[1:] = np.cumsum(0.5 * (w[1:] + w[:-1]) * h)
    square[1:] = np.cumsum((w[1:] ** 2 + w[1:] * w[:-1] + w[:-1] ** 2) * h / 3)
    area = total[end] - total[begin]
    dt = t[end] - t[begin]
    np.divide(area**2, square[end] - square[begin], out=dt, where=judged)
    back = np.interp(t[end] + reversal_time(), t, total) - total[end]
    held = np.ones_like(dt)
    np.divide(area + back, area, out=held, where=judged & (area * back < 0))
    held = np.maximum(held, _LEAST_HELD)
    strong = judged & (top[inner] > _STRONG_PHASE * peak)
    notes = _range_notes(dt[strong])
    if strong.sum() > _SINGLE or not getattr(waveform, "pulse", True):
        notes += (
            f"thresholds are calibrated on single pulses, and this goes on ({strong.sum()} strong "
            f"phases): {where}",
        )
    elif _repeats(w):
        notes += (
            "thresholds are calibrated on single pulses, and here a strong phase follows one of "
            f"the same sign, which prepares it: {where}",
        )
    rectangular = len(dt) == 1 and bool(dt[0] > _RECTANGULAR * (t[end] - t[begin])[0])
    return Drive.of(dt, area, judged, held, dt[strong], rectangular, notes)


def is_carrier(waveform: Any, drive: Drive) -> bool:
    """Return whether a waveform is an oscillation of a kHz or more, which goes on.

    Its phases fill most of its time, and a large one moves the membrane passively, without a spike.
    """
    goes_on = len(drive.phases) > _SINGLE or not getattr(waveform, "pulse", True)
    fast = bool(np.median(drive.phases) < _CARRIER)
    return goes_on and fast and bool(drive.phases.sum() > 0.5 * drive.dt.sum())


def _repeats(w: Floats) -> bool:
    """Whether strong values follow strong ones of the same sign after hardly any, or a weak one.

    ``w`` has a sample wherever it passes through 0.
    """
    level = np.abs(w) / np.abs(w).max()
    strong = level > _STRONG_PHASE
    state = np.where(strong, np.sign(w), 0.0)[strong | (level <= _SMALL_PHASE)]
    run = state[np.append(True, np.diff(state) != 0)]
    return bool(((run[2:] == run[:-2]) & (run[2:] != 0)).any())


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
    low, high = calibrated_widths()
    bad = widths[(widths < low * (1 - 1e-9)) | (widths > high * (1 + 1e-9))]
    if len(bad) == 0:
        return ()
    which = f"a phase of {bad[0] * 1e6:.0f} us lies"
    if len(bad) > 1:
        which = f"{len(bad)} phases, of {bad.min() * 1e6:.0f} to {bad.max() * 1e6:.0f} us, lie"
    return (f"{which} outside the calibrated {low * 1e6:.0f} to {high * 1e6:.0f} us",)
