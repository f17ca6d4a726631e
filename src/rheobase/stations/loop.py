"""The parts of a closed-loop study, made from its file, and the runs with each controller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._progress import stage
from rheobase.neurons.loop.biomarker import Average, Band, Biomarker, Buffered, Phase
from rheobase.neurons.loop.body import Body, Gate, beats, breathe, read_beats, read_breaths
from rheobase.neurons.loop.controllers import PI, Controller, DualThreshold, OnOff, OpenLoop
from rheobase.neurons.loop.loop import LoopRun, periods, run_loop
from rheobase.neurons.loop.measures import (
    Efficacy,
    Energy,
    Stability,
    efficacy,
    energy,
    stability,
)
from rheobase.neurons.loop.network_plant import FibrePlant, NetworkPlant, check_sample
from rheobase.neurons.loop.rate_model import Cortex, RatePlant, stn_gpe
from rheobase.neurons.loop.recruitment import Curve, logistic, published_curve, read_curve
from rheobase.neurons.loop.stimulator import Locked, Stimulator, Train

if TYPE_CHECKING:
    from rheobase.neurons.loop.plant import Plant
    from rheobase.tables.loop import ControllerTable, LoopStudy

Floats = NDArray[np.float64]
SAMPLE = 5e-4  # s between the samples that a buffered biomarker keeps
STEPS = {"stn_gpe": 1e-4, "microcircuit": 1e-3, "fibres": 1e-3}  # s between samples
STEP = 1e-4  # s, of the microcircuit
ENDS = 10.0  # s of breaths and beats beyond the end of the run


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Outcome:
    """What a controller did.

    Parameters
    ----------
    table
        The controller's table.
    run
        Its run; readings are those of the outcome, an amplitude also where a phase was read.
    output
        What it controlled (A or Hz), shape (n,).
    span
        Range of that.
    energy, efficacy, stability
        Measures; efficacy None without a biomarker that the stimulus can move (the body does not
        answer it), stability None without anything that decides.
    """

    table: ControllerTable
    run: LoopRun
    output: Floats
    span: tuple[float, float]
    energy: Energy
    efficacy: Efficacy | None
    stability: Stability | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Parts:
    """What all controllers of a study share.

    Parameters
    ----------
    curve
        Share of fibres that a current fires.
    body, gate
        Signals of the body, and when pulses pass.
    dt
        Time between samples (s).
    """

    curve: Curve
    body: Body
    gate: Gate | None
    dt: float


def open_parts(study: LoopStudy) -> Parts:
    """Make and check what the controllers share, before anything runs.

    Raises
    ------
    InputError
        If a file is missing or damaged, a name is unknown, a time no multiple of its parts, or the
        curve ends below the largest current.
    """
    study.check_names()
    dt = STEPS[study.plant.kind] if study.plant.step_ms is None else study.plant.step_ms * 1e-3
    t = study.timing
    periods(dt, period=t.period_s, settle=t.settle_s, duration=t.duration_s, latency=t.latency_s)
    if study.plant.kind == "microcircuit":
        check_sample(dt, STEP)
    else:
        make_plant(study, dt)
    curve = _curve(study)
    most = [study.stimulator.amplitudes_mA[1] if _decides(c) else 0.0 for c in study.controllers]
    most += [c.amplitude_mA or study.stimulator.amplitude_mA for c in study.controllers]
    curve.of(np.array(most) * 1e-3)
    covered = t.settle_s + t.duration_s + ENDS
    b = study.body.breathing
    breaths = None
    if b is not None and b.file is not None:
        breaths = read_breaths(b.file)
    elif b is not None:
        breaths = breathe(
            covered,
            period=b.period_s,
            inhaling=b.inhaling,
            variation=b.variation,
            seed=study.seed,
        )
    h = study.body.heart
    heart = None
    if h is not None and h.file is not None:
        heart = read_beats(h.file)
    elif h is not None:
        heart = beats(
            covered, mean=h.mean_s, deviation=h.deviation_s, breaths=breaths, seed=study.seed
        )
    body = Body(breaths=breaths, beats=heart)
    body.check(covered - ENDS)
    gate = None
    if study.body.gate is not None and breaths is not None:
        gate = Gate(breaths=breaths, half=study.body.gate, longest=study.body.gate_s)
    parts = Parts(curve=curve, body=body, gate=gate, dt=dt)
    if study.biomarker is not None:
        make_biomarker(study, dt)
    for table in study.controllers:
        make_stimulator(study, table, goal=1.0, upper=2.0)
    return parts


def _decides(table: ControllerTable) -> bool:
    """Return whether a controller varies the amplitude."""
    return table.kind not in {"open loop", "phase-locked"} and table.varies == "amplitude"


def _curve(study: LoopStudy) -> Curve:
    """Return the recruitment curve."""
    r = study.recruitment
    if r.file is not None:
        return read_curve(r.file, pathway=r.pathway, lead=r.lead, site=r.site)
    if r.logistic is not None:
        most = max(study.stimulator.amplitudes_mA[1], study.stimulator.amplitude_mA)
        return logistic(r.logistic.half_mA * 1e-3, r.logistic.slope_mA * 1e-3, 2e-3 * most)
    return published_curve()


def make_plant(study: LoopStudy, dt: float) -> Plant:
    """Return a fresh plant."""
    p = study.plant
    if p.kind == "fibres":
        return FibrePlant(dt=dt)
    if p.kind == "microcircuit":
        from rheobase.neurons.network.microcircuit import microcircuit

        with stage("wiring the network"):
            network = microcircuit(scale=p.scale, seed=study.seed, dt=STEP)
        return NetworkPlant(
            network,
            share=p.share,
            listened=p.listened or None,
            dt=dt,
            latency=p.latency_ms * 1e-3,
            seed=study.seed,
        )
    return RatePlant(
        stn_gpe(p.state),
        dt=dt,
        start=(20.0, 60.0),  # off the fixed point, which may be unstable
        effect=p.effect,
        mask=None if p.mask_ms is None else p.mask_ms * 1e-3,
        cortex=Cortex(depth=p.depth, noise=p.noise),
        seed=study.seed,
    )


def make_biomarker(study: LoopStudy, dt: float, *, outcome: bool = False) -> Biomarker:
    """Return the biomarker; as ``outcome`` the amplitude of the band, also where a phase is read.

    Without one, the mean of the first signal.
    """
    b = study.biomarker
    if b is None:
        return Average(1.0, dt=dt)
    if b.kind == "mean" or b.band_Hz is None:
        return Average(b.window_s, dt=dt)
    if b.kind == "buffered":
        return Buffered(
            b.band_Hz,
            b.window_s,
            dropped=b.dropped_s,
            buffer=b.buffer_s,
            dt=dt,
            sample=max(SAMPLE, dt),
        )
    if b.kind == "phase":
        if outcome:
            return Band(b.band_Hz, b.window_s, dt=dt)
        return Phase(b.band_Hz, b.window_s, dt=dt)
    return Band(b.band_Hz, b.window_s, dt=dt, kind=b.kind)


def make_stimulator(
    study: LoopStudy, table: ControllerTable, *, goal: float, upper: float
) -> Stimulator:
    """Return the stimulator of a controller, for set points in the unit of the reading."""
    s, period = study.stimulator, study.timing.period_s
    amplitude = (table.amplitude_mA or s.amplitude_mA) * 1e-3
    rate = table.rate_Hz or s.rate_Hz
    if table.kind == "phase-locked":
        return Locked(
            np.deg2rad(table.phase_deg or 0.0),
            oscillation=table.oscillation_Hz or 0.0,
            amplitude=amplitude,
            count=table.pulses,
            rate=rate,
        )
    if table.kind == "open loop":
        return Train(OpenLoop(amplitude), varies="amplitude", frequency=rate)
    span, scale = _span(study, table), 1e-3 if table.varies == "amplitude" else 1.0
    made: dict[str, Callable[[], Controller]] = {
        "on-off": lambda: OnOff(goal, span=span, period=period),
        "dual threshold": lambda: DualThreshold(goal, upper, span=span, period=period),
        "P": lambda: PI(
            goal, Kp=(table.Kp or 0.0) * scale, span=span, period=period, ramp=table.ramp
        ),
        "PI": lambda: PI(
            goal,
            Kp=(table.Kp or 0.0) * scale,
            Ti=table.Ti_s,
            span=span,
            period=period,
            ramp=table.ramp,
        ),
    }
    return Train(made[table.kind](), varies=table.varies, amplitude=amplitude, frequency=rate)


def _span(study: LoopStudy, table: ControllerTable) -> tuple[float, float]:
    """Return the range of what a controller varies (A or Hz)."""
    if table.varies == "frequency":
        return study.stimulator.rates_Hz
    low, high = study.stimulator.amplitudes_mA
    return low * 1e-3, high * 1e-3


def run_controllers(study: LoopStudy, parts: Parts) -> tuple[LoopRun, list[Outcome]]:
    """Run without stimulation, then with each controller, on the same plant, seed and body."""
    never = Train(OpenLoop(0.0), varies="amplitude", frequency=study.stimulator.rate_Hz)
    with stage("without stimulation"):
        off = _run(study, parts, never)
    mean = float(off.reading.mean())
    outcomes = []
    for table in study.controllers:
        goal = table.set_point or (table.set_point_of_off or 1.0) * mean
        upper = table.upper or (table.upper_of_off or 1.0) * mean
        with stage(f"controller {table.name}"):
            stimulator = make_stimulator(study, table, goal=goal, upper=upper)
            run = _run(study, parts, stimulator, gated=table.gated)
        output = run.frequency if table.varies == "frequency" else run.amplitude
        decides = table.kind not in {"open loop", "phase-locked"}
        s = study.stimulator
        outcomes.append(
            Outcome(
                table=table,
                run=run,
                output=output,
                span=_span(study, table),
                energy=energy(
                    run,
                    width=s.width_us * 1e-6,
                    load=s.load_ohm,
                    phases=1 if s.recharge == "passive" else 2,
                ),
                efficacy=efficacy(run, off, set_point=goal if decides else None)
                if study.biomarker is not None and study.biomarker.signal not in parts.body.units
                else None,
                stability=stability(run, output, span=_span(study, table), set_point=goal)
                if decides
                else None,
            )
        )
    return off, outcomes


def goal_of(study: LoopStudy, table: ControllerTable, off: LoopRun) -> float | None:
    """Return the set point of a controller, in the unit of the reading; None if it has none."""
    if table.kind in {"open loop", "phase-locked"}:
        return None
    return table.set_point or (table.set_point_of_off or 1.0) * float(off.reading.mean())


def _run(study: LoopStudy, parts: Parts, stimulator: Stimulator, *, gated: bool = True) -> LoopRun:
    """Run once; where a phase is read, readings are replaced by amplitudes afterwards."""
    t, b = study.timing, study.biomarker
    plant = make_plant(study, parts.dt)
    signal = plant.signals[0] if b is None else b.signal
    run = run_loop(
        plant,
        stimulator,
        parts.curve,
        make_biomarker(study, parts.dt),
        signal=signal,
        duration=t.duration_s,
        period=t.period_s,
        settle=t.settle_s,
        latency=t.latency_s,
        body=parts.body,
        gate=parts.gate if gated else None,
    )
    if b is None or b.kind != "phase":
        return run
    judge = make_biomarker(study, parts.dt, outcome=True)
    pieces = np.split(run.signal(signal), round((t.settle_s + t.duration_s) / t.period_s))
    amplitudes = np.array([judge.update(piece) for piece in pieces])
    return replace(run, reading=amplitudes[len(amplitudes) - len(run.time) :])
