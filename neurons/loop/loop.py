"""The loop: advance, read, decide, stimulate, period after period."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from rheobase._errors import InputError, check_option, check_positive
from rheobase._progress import track
from rheobase.neurons.loop.biomarker import Biomarker
from rheobase.neurons.loop.body import Body, Gate
from rheobase.neurons.loop.plant import Floats, Plant, Pulses
from rheobase.neurons.loop.recruitment import Curve
from rheobase.neurons.loop.stimulator import Stimulator


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LoopRun:
    """What happened.

    Parameters
    ----------
    time
        Begins of the periods after the start (s), shape (n,).
    reading
        Reading at the begin of each, shape (n,).
    amplitude, frequency
        Of the stimulator in each (A, Hz), shape (n,).
    pulses
        Times of the pulses (s) and the share that each fires.
    current
        Their amplitudes (A), shape (n_pulses,).
    names, units
        Signals of plant and body.
    signals
        Their samples, every ``dt``, shape (n_samples, n_signals).
    dt, period, settle
        Time between samples, between readings, and before control starts (s).
    """

    time: Floats
    reading: Floats
    amplitude: Floats
    frequency: Floats
    pulses: Pulses
    current: Floats
    names: tuple[str, ...]
    units: tuple[str, ...]
    signals: Floats
    dt: float
    period: float
    settle: float

    @property
    def duration(self) -> float:
        """Time under control (s)."""
        return len(self.time) * self.period

    def signal(self, name: str) -> Floats:
        """Return the samples of a signal, from time 0, shape (n_samples,)."""
        return self.signals[:, self.names.index(check_option("signal", name, self.names))]


def run_loop(
    plant: Plant,
    stimulator: Stimulator,
    curve: Curve,
    biomarker: Biomarker,
    *,
    signal: str,
    duration: float,
    period: float,
    settle: float = 2.0,
    latency: float = 0.0,
    body: Body | None = None,
    gate: Gate | None = None,
) -> LoopRun:
    """Close the loop around a plant.

    Parameters
    ----------
    plant
        What is stimulated.
    stimulator
        What is done for a reading.
    curve
        Share of fibres that a current fires.
    biomarker, signal
        What is read, and off which signal of plant or body.
    duration
        Time under control (s), in whole periods.
    period
        Time between readings (s), in whole samples.
    settle
        Time without stimulation before (s); the biomarker listens already.
    latency
        How old a reading is when it is acted upon (s), in whole periods.
    body
        Signals of the body.
    gate
        When pulses pass.

    Raises
    ------
    InputError
        If a time is no whole number of its parts, the signal is unknown, or an amplitude is beyond
        the curve.
    """
    dt = plant.dt
    step, before, n, late = periods(
        dt, period=period, settle=settle, duration=duration, latency=latency
    )
    own = body or Body()
    names = (*plant.signals, *own.units)
    check_option("signal", signal, names, where="biomarker")
    column = names.index(signal)

    signals = np.empty(((before + n) * step, len(names)))
    readings, amplitude, frequency = np.empty(n), np.empty(n), np.empty(n)
    seen: deque[float] = deque(maxlen=late + 1)
    pulses, given = Pulses.none(), []
    for k in track(range(before + n), "closed loop"):
        start = k * period
        if k >= before:
            i = k - before
            readings[i] = seen[-1] if seen else 0.0
            times = stimulator.pulses(seen[0] if seen else 0.0, start, start + period)
            amplitude[i], frequency[i] = stimulator.amplitude, stimulator.frequency
            if gate is not None:
                times = times[gate.passes(times)]
            pulses = Pulses(times, np.full(len(times), float(curve.of(stimulator.amplitude))))
            given.append((pulses, np.full(len(times), stimulator.amplitude)))
        rows = slice(k * step, (k + 1) * step)
        signals[rows, : len(plant.signals)] = plant.advance(step, pulses)
        at: Floats = (np.arange(rows.start, rows.stop, dtype=np.float64) + 1) * dt
        for j, values in enumerate(own.sample(at).values(), start=len(plant.signals)):
            signals[rows, j] = values
        seen.append(biomarker.update(signals[rows, column]))
    return LoopRun(
        time=(before + np.arange(n, dtype=np.float64)) * period,
        reading=readings,
        amplitude=amplitude,
        frequency=frequency,
        pulses=Pulses(
            np.concatenate([p.times for p, _ in given]),
            np.concatenate([p.fraction for p, _ in given]),
        ),
        current=np.concatenate([c for _, c in given]),
        names=names,
        units=(*plant.units, *own.units.values()),
        signals=signals,
        dt=dt,
        period=period,
        settle=before * period,
    )


def periods(
    dt: float, *, period: float, settle: float, duration: float, latency: float
) -> tuple[int, int, int, int]:
    """Return samples of a period, and periods before control, under control and of the latency.

    Raises
    ------
    InputError
        If a time is no whole number of its parts, or there is no period under control.
    """
    check_positive("step of the plant", dt)
    check_positive("period of the loop", period)
    n = _whole(duration, period, "duration")
    if n < 1:
        raise InputError(f"duration must be at least one period of {period:g} s, got {duration!r}")
    return (
        _whole(period, dt, "period"),
        _whole(settle, period, "settle"),
        n,
        _whole(latency, period, "latency"),
    )


def _whole(time: float, part: float, name: str) -> int:
    """Return how many ``part`` (s) are in ``time`` (s)."""
    n = round(time / part) if np.isfinite(time) and time >= 0 else -1
    if n < 0 or abs(n * part - time) > 1e-6 * part:
        raise InputError(f"{name} must be a whole multiple of {part:g} s, got {time!r} s: loop")
    return n
