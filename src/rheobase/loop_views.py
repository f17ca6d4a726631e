"""Pictures of a closed loop: courses over time, signals, cost against effect, phases, breaths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase.views import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.neurons.loop.body import Breaths
    from rheobase.neurons.loop.loop import LoopRun
    from rheobase.neurons.loop.recruitment import Curve

Floats = NDArray[np.float64]
GREY = "0.72"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Course:
    """A run to be drawn: its name, its output with a label and a scale, its set point if any."""

    name: str
    run: LoopRun
    output: Floats
    label: str
    scale: float
    goal: float | None = None


def courses(off: LoopRun, runs: Sequence[Course], *, reading: str, unit: str) -> Figure:
    """Draw reading and output over time, a row a controller; grey: without stimulation."""
    figure = new_figure(11.5, 1.55 * len(runs) + 0.7)
    panels = figure.subplots(len(runs), 2, sharex=True, squeeze=False)
    top = 1.05 * max(float(c.run.reading.max()) for c in (*runs, course_of(off)))
    low = min(0.0, 1.05 * min(float(c.run.reading.min()) for c in runs))
    for row, c, colour in zip(panels, runs, _cycle(len(runs)), strict=True):
        row[0].plot(off.time - off.settle, off.reading, color=GREY, lw=0.8)
        row[0].plot(c.run.time - c.run.settle, c.run.reading, color=colour, lw=1.1)
        if c.goal is not None:
            row[0].axhline(c.goal, color="k", lw=0.8, ls="--")
        row[0].set_ylim(low, top)
        row[0].set_ylabel(c.name, fontsize=9)
        row[1].plot(
            c.run.time - c.run.settle, c.output * c.scale, color=colour, lw=1.1, drawstyle="steps"
        )
        row[1].set_ylabel(c.label, fontsize=9)
        row[1].set_ylim(bottom=0)
        for panel in row:
            panel.tick_params(labelsize=8)
            panel.margins(x=0)
    panels[0][0].set_title(f"{reading} ({unit})", fontsize=10)
    panels[0][1].set_title("output", fontsize=10)
    for panel in panels[-1]:
        panel.set_xlabel("time under control (s)")
    return figure


def course_of(run: LoopRun) -> Course:
    """Return a run without stimulation as a course."""
    return Course(name="off", run=run, output=run.amplitude, label="mA", scale=1e3)


def signals(
    off: LoopRun, runs: Sequence[Course], *, signal: str, start: float, stop: float
) -> Figure:
    """Draw the signal and the pulses between two times (s), the run without stimulation first."""
    shown = [course_of(off), *runs]
    unit = off.units[off.names.index(signal)]
    figure = new_figure(11.5, 1.25 * len(shown) + 0.7)
    panels = figure.subplots(len(shown), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    begin, end = (round((off.settle + t) / off.dt) for t in (start, stop))
    t = np.arange(begin, end) * off.dt - off.settle
    for panel, c, colour in zip(panels, shown, (GREY, *_cycle(len(runs))), strict=True):
        panel.plot(t, c.run.signal(signal)[begin:end], color=colour, lw=1.0)
        at = c.run.pulses.times - c.run.settle
        at = at[(at >= start) & (at < stop)]
        panel.plot(at, np.full(len(at), 0.97), "|", color="k", ms=5, mew=0.7,
                   transform=panel.get_xaxis_transform())  # fmt: skip
        panel.set_ylabel(c.name, fontsize=9)
        panel.tick_params(labelsize=8)
        panel.margins(x=0)
    panels[0].set_title(f"{signal} ({unit}); ticks: pulses", fontsize=10)
    panels[-1].set_xlabel("time under control (s)")
    return figure


def cost(effects: Mapping[str, tuple[float, float]], *, ylabel: str) -> Figure:
    """Draw what is left of the biomarker (%) against mean power (µW), a point a controller."""
    figure = new_figure(6.6, 4.6)
    panel = figure.subplots()
    for (name, (power, left)), colour in zip(effects.items(), _cycle(len(effects)), strict=True):
        panel.plot(power, left, "o", color=colour, ms=8)
        panel.annotate(name, (power, left), xytext=(7, 4), textcoords="offset points", fontsize=9)
    panel.set_xlabel("mean power in the load (µW)")
    panel.set_ylabel(ylabel)
    panel.set_xlim(0, 1.3 * max(power for power, _ in effects.values()))
    panel.set_ylim(0, 1.1 * max(left for _, left in effects.values()))
    panel.grid(color="0.92")
    return figure


def phases(left: Mapping[float, float], *, title: str) -> Figure:
    """Draw what is left of an amplitude (% of off) by the phase of the pulses (degrees)."""
    figure = new_figure(5.4, 5.0)
    panel: Any = figure.add_subplot(projection="polar")
    angle = np.deg2rad(sorted(left))
    value = np.array([left[k] for k in sorted(left)])
    ring = np.linspace(0, 2 * np.pi, 181)
    panel.plot(ring, np.full(181, 100.0), color=GREY, lw=1.2)
    panel.plot(np.append(angle, angle[0]), np.append(value, value[0]), "o-", color=COLOURS[0])
    panel.set_theta_zero_location("N")
    panel.set_theta_direction(-1)
    panel.set_ylim(0, 1.1 * max(100.0, value.max()))
    panel.set_rlabel_position(100)
    panel.set_title(title, fontsize=10)
    return figure


def recruited(curve: Curve) -> Figure:
    """Draw the recruitment curve."""
    figure = new_figure(5.6, 3.6)
    panel = figure.subplots()
    panel.plot(curve.amplitude * 1e3, 100 * curve.fraction, color=COLOURS[0], lw=1.6)
    panel.set_xlabel("current (mA)")
    panel.set_ylabel("fibres that fire (%)")
    panel.set_ylim(-3, 103)
    panel.margins(x=0)
    panel.grid(color="0.92")
    return figure


def breathing(
    runs: Sequence[Course], breaths: Breaths, *, names: Sequence[str], stop: float
) -> Figure:
    """Draw signals of the body and the pulses of each run up to ``stop`` (s); grey: exhaling."""
    first = runs[0].run
    figure = new_figure(11.5, 1.3 * (len(names) + len(runs)) + 0.7)
    panels = figure.subplots(len(names) + len(runs), 1, sharex=True, squeeze=False)[:, 0]
    begin, end = (round((first.settle + t) / first.dt) for t in (0.0, stop))
    every = max(1, (end - begin) // 4000)
    t = np.arange(begin, end)[::every] * first.dt - first.settle
    for panel, name in zip(panels, names, strict=False):
        unit = first.units[first.names.index(name)]
        panel.plot(t, first.signal(name)[begin:end:every], color=COLOURS[0], lw=1.3)
        panel.set_ylabel(name + (f" ({unit})" if unit != "1" else ""), fontsize=9)
    for panel, c, colour in zip(panels[len(names) :], runs, _cycle(len(runs)), strict=True):
        at = c.run.pulses.times - c.run.settle
        kept = at < stop
        panel.vlines(at[kept], 0, 1e3 * c.run.current[kept], color=colour, lw=0.5)
        panel.set_ylabel(f"{c.name}\n(mA)", fontsize=9)
        panel.set_ylim(bottom=0)
    for panel in panels:
        for out, back in zip(breaths.exhale, np.append(breaths.inhale[1:], np.inf), strict=True):
            if back > first.settle and out < first.settle + stop:
                panel.axvspan(
                    max(out - first.settle, 0.0), min(back - first.settle, stop), color="0.93", lw=0
                )
        panel.tick_params(labelsize=8)
        panel.set_xlim(0, stop)
    panels[-1].set_xlabel("time under control (s); grey: exhaling")
    return figure


def _cycle(n: int) -> list[str]:
    """Return ``n`` colours."""
    return [COLOURS[k % len(COLOURS)] for k in range(n)]
