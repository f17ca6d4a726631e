"""What is written of a closed loop: tables of cost and effect, courses, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rheobase import loop_views
from rheobase.loop_views import Course
from rheobase.report import Section, Table
from rheobase.stations.book import write_rows
from rheobase.stations.loop import Outcome, Parts, goal_of, make_biomarker
from rheobase.tables.loop import OFF

if TYPE_CHECKING:
    import xarray as xr

    from rheobase.neurons.loop.body import Breaths
    from rheobase.neurons.loop.loop import LoopRun
    from rheobase.stations.book import Book
    from rheobase.tables.loop import LoopStudy

ZOOM = 1.0  # s of signals that are drawn
BREATHS = 30.0  # s of breaths that are drawn
MANY = 8  # controllers drawn over time at most


def write_loop(
    study: LoopStudy, parts: Parts, off: LoopRun, outcomes: Sequence[Outcome], book: Book
) -> None:
    """Tabulate, draw and write what the controllers did."""
    lines = [_course(study, off, o) for o in outcomes]
    kind = "mean" if study.biomarker is None else study.biomarker.kind
    signal = off.names[0] if study.biomarker is None else study.biomarker.signal
    unit = off.units[off.names.index(signal)]
    reading, unit = {
        "mean": (f"mean {signal}", unit),
        "power": (f"power of {signal}", f"({unit})²"),
    }.get(kind, (f"amplitude of {signal}", unit))
    _setting(study, parts, book)
    _tables(outcomes, book)
    locked = {o.table.phase_deg: o for o in outcomes if o.table.phase_deg is not None}
    pictures = []
    if len(locked) > 2:
        left = {k: 100 * o.efficacy.of_off for k, o in locked.items() if o.efficacy is not None}
        pictures.append(
            book.picture(
                "phases",
                loop_views.phases(left, title=f"{reading}, % of that without stimulation"),
                "Amplitude that is left by the phase at which pulses begin (0: peak, clockwise); "
                "grey: without stimulation.",
            )
        )
    effects = {
        o.table.name: (1e6 * o.energy.power, 100 * o.efficacy.of_off)
        for o in outcomes
        if o.efficacy is not None and o.table.phase_deg is None
    }
    if len(effects) > 1:
        pictures.append(
            book.picture(
                "cost",
                loop_views.cost(effects, ylabel=f"{reading} (% of off)"),
                "What is left of the biomarker against the power that it takes.",
            )
        )
    pictures.append(
        book.picture(
            "courses",
            loop_views.courses(off, lines[:MANY], reading=reading, unit=unit),
            "Readings (grey: without stimulation; dashed: set point) and outputs.",
        )
    )
    stop = study.timing.duration_s
    if signal not in parts.body.units:
        zoom = (max(0.0, stop / 2), min(stop, stop / 2 + ZOOM))
        pictures.append(
            book.picture(
                "signals",
                loop_views.signals(off, lines[:MANY], signal=signal, start=zoom[0], stop=zoom[1]),
                "The signal that is read, and the pulses.",
            )
        )
    book.sections.append(Section(title="Over time", figures=pictures))
    if parts.body.breaths is not None:
        names = list(parts.body.units)
        breath = _breath_table(outcomes, parts.body.breaths)
        book.tables["Pulses and breath"] = breath
        book.sections.append(
            Section(
                title="Body",
                tables=[Table(columns=breath.columns, rows=breath.rows)],
                figures=[
                    book.picture(
                        "body",
                        loop_views.breathing(
                            lines[:MANY],
                            parts.body.breaths,
                            names=names,
                            stop=min(BREATHS, stop),
                        ),
                        "Signals of the body and the pulses.",
                    )
                ],
            )
        )
    for o in outcomes:
        _write_course(o, book)
    _rows(OFF, off, book)
    runs = {OFF: off, **{o.table.name: o.run for o in outcomes}}
    with book.file("course", ".nc", title="Every controller in time", role="network") as part:
        _dataset(runs, unit).to_netcdf(part, engine="h5netcdf")
    helped = [o for o in outcomes if o.efficacy is not None]
    if helped:
        best = min(helped, key=lambda o: o.efficacy.of_off if o.efficacy else 1.0)
        assert best.efficacy is not None
        book.facts["Lowest biomarker"] = (
            f"{best.table.name} leaves {100 * best.efficacy.of_off:.3g} % of the biomarker with "
            f"{1e6 * best.energy.power:.3g} µW"
        )
    _notes(study, book)


def _course(study: LoopStudy, off: LoopRun, o: Outcome) -> Course:
    frequency = o.table.varies == "frequency"
    return Course(
        name=o.table.name,
        run=o.run,
        output=o.output,
        label="Hz" if frequency else "mA",
        scale=1.0 if frequency else 1e3,
        goal=goal_of(study, o.table, off),
    )


def _setting(study: LoopStudy, parts: Parts, book: Book) -> None:
    p, b, t = study.plant, study.biomarker, study.timing
    plant = {
        "stn_gpe": f"rate model of STN and GPe, {p.state}; a pulse {_EFFECTS[p.effect]}; cortical "
        f"input {100 * p.depth:g} % lower between bursts, noise {100 * p.noise:g} %",
        "microcircuit": f"microcircuit at {100 * p.scale:g} %; a pulse that recruits all fires "
        + ", ".join(f"{100 * v:g} % of {k}" for k, v in p.share.items()),
        "fibres": "fibres that answer each pulse with a volley",
    }[p.kind]
    rows = [
        ("plant", plant),
        ("recruitment", parts.curve.source),
        ("loop", f"{t.duration_s:g} s under control, a reading each {1e3 * t.period_s:g} ms"),
    ]
    if b is not None:
        delay = make_biomarker(study, parts.dt).delay
        band = "" if b.band_Hz is None else f", {b.band_Hz[0]:g} to {b.band_Hz[1]:g} Hz"
        late = "" if b.kind == "phase" else f", {1e3 * (delay + t.latency_s):.0f} ms late"
        rows.append(("biomarker", f"{b.kind} of {b.signal}{band}{late}"))
    if study.body.gate is not None:
        rows.append(("gate", f"pulses pass in {study.body.gate}"))
    book.facts["Plant"] = plant
    book.facts["Recruitment"] = parts.curve.source
    book.sections.append(
        Section(
            title="Setting",
            figures=[
                book.picture(
                    "recruitment",
                    loop_views.recruited(parts.curve),
                    f"Share of fibres that a pulse fires: {parts.curve.source}.",
                )
            ],
            tables=[Table(columns=("part", "what"), rows=rows)],
        )
    )


_EFFECTS = {
    "fire": "makes the fibres that it recruits fire once",
    "silence": "silences the fibres that it recruits",
}


def _tables(outcomes: Sequence[Outcome], book: Book) -> None:
    nan = float("nan")
    columns: dict[str, list[str | float | int]] = {
        "controller": [o.table.name for o in outcomes],
        "biomarker (% of off)": [100 * e.of_off if (e := o.efficacy) else nan for o in outcomes],
        "error (% of off)": [100 * e.error_of_off if (e := o.efficacy) else nan for o in outcomes],
        "above set point (%)": [100 * e.above if (e := o.efficacy) else nan for o in outcomes],
        "pulses": [o.energy.pulses for o in outcomes],
        "charge (µC/s)": [1e6 * o.energy.charge for o in outcomes],
        "mean square (µA²)": [1e12 * o.energy.mean_square for o in outcomes],
        "power (µW)": [1e6 * o.energy.power for o in outcomes],
    }
    known = {k: v for k, v in columns.items() if any(x == x for x in v)}  # not NaN
    cost = Table(columns=tuple(known), rows=list(zip(*known.values(), strict=True)))
    book.tables["Effect and cost"] = cost
    tables = [cost]
    calm = Table(
        columns=(
            "controller",
            "travel (ranges/s)",
            "fastest (ranges/s)",
            "at an end of the range (%)",
            "strongest cycle (Hz)",
            "its share of the variance (%)",
            "overshoot (%)",
            "settling (s)",
        ),
        rows=[
            (
                o.table.name,
                s.travel,
                s.fastest,
                100 * s.saturated,
                s.cycle,
                100 * s.cycle_share,
                100 * s.overshoot,
                s.settling,
            )
            for o in outcomes
            if (s := o.stability) is not None
        ],
    )
    if calm.rows:
        book.tables["Stability"] = calm
        tables.append(calm)
    book.sections.append(
        Section(
            title="Effect, cost and stability",
            paragraphs=[
                "Error: mean relative excess of the biomarker over the set point. Travel: sum of "
                "the output's changes. A cycle that holds most of the variance is a limit cycle. "
                "Overshoot: how far the biomarker falls below the set point; settling: after "
                "which it stays at most a fifth above."
            ],
            tables=[Table(columns=t.columns, rows=t.rows) for t in tables],
        )
    )
    book.details["closed_loop"] = {o.table.name: o.table.kind for o in outcomes}


def _breath_table(outcomes: Sequence[Outcome], breaths: Breaths) -> Table:
    """Return how the pulses of each controller lie in the breaths."""
    rows = []
    for o in outcomes:
        times, run = o.run.pulses.times, o.run
        whole = np.searchsorted(breaths.inhale, [run.settle, run.settle + run.duration])
        exhaling = breaths.open("exhalation", times)
        rows.append(
            (
                o.table.name,
                len(times) / max(1, int(np.diff(whole)[0])),
                100 * float(exhaling.mean()) if len(times) else float("nan"),
                float(o.run.pulses.fraction.sum()) / run.duration,
            )
        )
    return Table(
        columns=(
            "controller",
            "pulses per breath",
            "of them in exhalation (%)",
            "volleys per fibre (1/s)",
        ),
        rows=rows,
    )


def _write_course(o: Outcome, book: Book) -> None:
    _rows(o.table.label, o.run, book)
    write_rows(
        book,
        "pulses",
        [
            {"time_s": round(t - o.run.settle, 7), "current_mA": 1e3 * i, "fraction": f}
            for t, i, f in zip(
                o.run.pulses.times.tolist(),
                o.run.current.tolist(),
                o.run.pulses.fraction.tolist(),
                strict=True,
            )
        ],
        title=f"Pulses of {o.table.name}",
        desc=o.table.label,
    )


def _dataset(runs: Mapping[str, LoopRun], unit: str) -> xr.Dataset:
    """Return readings and stimulation of every run, dims (controller, time)."""
    import xarray as xr

    each = [
        xr.Dataset(
            {
                "reading": ("time", run.reading, {"units": unit}),
                "amplitude": ("time", run.amplitude, {"units": "A"}),
                "frequency": ("time", run.frequency, {"units": "Hz"}),
            },
            coords={"time": ("time", run.time - run.settle, {"units": "s"})},
        )
        for run in runs.values()
    ]
    both = xr.concat(each, dim="controller", join="outer")
    return both.assign_coords(controller=list(runs))


def _rows(name: str, run: LoopRun, book: Book) -> None:
    write_rows(
        book,
        "course",
        [
            {"time_s": round(t, 6), "reading": y, "amplitude_mA": 1e3 * a, "rate_Hz": f}
            for t, y, a, f in np.stack(
                [run.time - run.settle, run.reading, run.amplitude, run.frequency], axis=1
            ).tolist()
        ],
        title=f"Biomarker and stimulation, {name}",
        desc=name,
    )


def _notes(study: LoopStudy, book: Book) -> None:
    """Tell what a reader must know."""
    if study.plant.kind == "stn_gpe":
        book.notes.append(
            "The rate model stands for two nuclei and their mean activity; its signal is a rate, "
            "not a field potential, and no artefact of the pulses reaches the biomarker."
        )
        if study.plant.effect == "fire":
            book.notes.append(
                "The signal holds the spikes that pulses make: a rate of pulses outside of the "
                "band may take the place of beta with a lockstep that the biomarker does not see."
            )
        if study.plant.effect == "silence":
            book.notes.append(
                "Silenced fibres are a lesion: where a part of them is silent, the cycle grows "
                "before it ends."
            )
    if study.plant.kind == "fibres":
        book.notes.append("Nothing that the fibres lead to is modelled: volleys are counted.")
    if study.body.heart is not None or study.body.breathing is not None:
        book.notes.append("Heart and breath do not answer the stimulus: they are heard, not moved.")
    if study.recruitment.logistic is not None:
        book.notes.append("The recruitment curve is a stand-in, of no field model.")
