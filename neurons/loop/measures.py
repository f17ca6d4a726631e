"""What a run of the loop cost and did: energy, efficacy, stability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rheobase._errors import InputError, check_positive
from rheobase.neurons.loop.loop import LoopRun
from rheobase.neurons.loop.plant import Floats

LOAD = 500.0  # ohm, the load that stimulators are tested with


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Cost of the pulses.

    Parameters
    ----------
    pulses
        Their number.
    charge
        Charge that the first phases carry in a second (C/s).
    mean_square
        Mean over time of the squared current (A²).
    power
        Mean power in the load (W).
    """

    pulses: int
    charge: float
    mean_square: float
    power: float


def energy(run: LoopRun, *, width: float, load: float = LOAD, phases: int = 1) -> Energy:
    """Return the cost of a run.

    Parameters
    ----------
    run
        The run.
    width
        Width of a pulse (s).
    load
        Resistance of the load (ohm).
    phases
        1: the recharge costs nothing (passive); 2: it is as the pulse.

    Raises
    ------
    InputError
        If a value is not > 0.
    """
    check_positive("width of a pulse", width)
    check_positive("load", load)
    if phases not in (1, 2):
        raise InputError(f"phases must be 1 or 2, got {phases!r}")
    square = float((run.current**2).sum() * width * phases / run.duration)
    return Energy(
        pulses=len(run.current),
        charge=float(run.current.sum() * width / run.duration),
        mean_square=square,
        power=load * square,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficacy:
    """What became of the biomarker.

    Parameters
    ----------
    mean
        Mean reading.
    of_off
        Its ratio to that of the run without stimulation.
    error
        Mean relative excess over the set point, max(y/y* - 1, 0).
    error_of_off
        Its ratio to that of the run without stimulation; NaN where that is 0.
    above
        Share of time above the set point.

    The last three are NaN without a set point.
    """

    mean: float
    of_off: float
    error: float
    error_of_off: float
    above: float


def efficacy(run: LoopRun, off: LoopRun, *, set_point: float | None) -> Efficacy:
    """Return what a run did, against one without stimulation; NaN for errors of no set point.

    Raises
    ------
    InputError
        If the set point is not > 0, or the runs differ in length.
    """
    if set_point is not None:
        check_positive("set point", set_point)
    goal = float("nan") if set_point is None else set_point
    if run.reading.shape != off.reading.shape:
        raise InputError("expected a run without stimulation of the same length")

    def excess(reading: Floats) -> float:
        return float(np.maximum(reading / goal - 1, 0).mean())

    error, without = excess(run.reading), excess(off.reading)
    return Efficacy(
        mean=float(run.reading.mean()),
        of_off=float(run.reading.mean() / off.reading.mean()),
        error=error,
        error_of_off=error / without if without else float("nan"),
        above=float("nan") if set_point is None else float((run.reading > goal).mean()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """How calm the output is.

    Parameters
    ----------
    travel
        Sum of the output's changes in a second, in spans (1/s).
    fastest
        Largest change in a second, in spans (1/s).
    saturated
        Share of time at either end of the span.
    cycle
        Frequency (Hz) of the strongest oscillation of the output; NaN if it is still.
    cycle_share
        Share of the output's variance within a tenth of that frequency (0 … 1): near 1 in a limit
        cycle.
    overshoot
        Largest relative fall below the set point after the first crossing, 1 - min(y)/y*, or 0.
    settling
        Time (s) after which the reading stays at most a fifth above the set point; NaN if it is
        not in the first nine tenths of the run.
    """

    travel: float
    fastest: float
    saturated: float
    cycle: float
    cycle_share: float
    overshoot: float
    settling: float


def stability(
    run: LoopRun, output: Floats, *, span: tuple[float, float], set_point: float
) -> Stability:
    """Return how calm the output of a run is.

    Parameters
    ----------
    run
        The run.
    output
        Its amplitude or frequency, whichever was controlled, shape (n,).
    span
        Range of the output.
    set_point
        Reading that is wanted.

    Raises
    ------
    InputError
        If the set point is not > 0.
    """
    check_positive("set point", set_point)
    y = output / (span[1] - span[0])
    change = np.abs(np.diff(y, prepend=span[0] / (span[1] - span[0])))
    cycle, share = _cycle(y, run.period)
    relative = run.reading / set_point
    crossed = np.flatnonzero(relative < 1)
    high = np.flatnonzero(relative > 1.2)
    settled = high[-1] + 1 if len(high) else 0
    return Stability(
        travel=float(change.sum() / run.duration),
        fastest=float(change.max() / run.period),
        saturated=float(np.isin(output, span).mean()),
        cycle=cycle,
        cycle_share=share,
        overshoot=float(max(0.0, 1 - relative[crossed[0] :].min())) if len(crossed) else 0.0,
        settling=settled * run.period if settled < 0.9 * len(relative) else float("nan"),
    )


def _cycle(y: Floats, period: float) -> tuple[float, float]:
    """Return the strongest frequency (Hz) of a course and the share of variance around it."""
    y = y - y.mean()
    power = np.abs(np.fft.rfft(y)) ** 2
    power[0] = 0
    if power.sum() <= 1e-20 * len(y):
        return float("nan"), 0.0
    f = np.fft.rfftfreq(len(y), period)
    k = int(power.argmax())
    near = np.abs(f - f[k]) <= max(0.1 * f[k], 1.5 * f[1])
    return float(f[k]), float(power[near].sum() / power.sum())
