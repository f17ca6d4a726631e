"""Thresholds of the double-cable axon against NEURON's.

The numbers in ``data/mrg_neuron.toml`` were made by PyFibers on NEURON. NEURON's steps are of first
order: with the same steps the same thresholds must come out, and in second order those that NEURON
tends to as its steps get shorter.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from rheobase.neurons.fibres.mrg import PERIOD, MRGAxon, mrg_axon
from rheobase.neurons.fibres.mrg_stimulus import Courses
from rheobase.neurons.fibres.mrg_thresholds import mrg_thresholds
from rheobase.neurons.morphology import Floats
from rheobase.validation.case import Row

_CASE = "mrg-threshold"
_EDGE = 1e-9  # s


@cache
def neuron_conditions() -> tuple[Mapping[str, Any], ...]:
    """Return the conditions that NEURON was run under, with its thresholds."""
    text = files("rheobase.validation").joinpath("data/mrg_neuron.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["condition"])


def condition(c: Mapping[str, Any]) -> tuple[MRGAxon, Floats, Courses, dict[str, Any]]:
    """Return axon, potentials (1, r, c), time courses and options of a condition."""
    axon = mrg_axon(c["diameter_um"] * 1e-6, c["sizes"])
    x = axon.compartments(c["nodes"])
    x -= 0.5 * x[-1]
    if "field_V_per_m" in c:
        V = [-c["field_V_per_m"] * x]
    else:
        V = [sum(p * point_source(x - 1e-3 * a, 1e-3 * r) for a, r, p in s) for s in c["points"]]
    rows = [_samples(phases) for phases in c["phases"]]
    courses = Courses(t=rows[0][0], w=np.stack([w for _, w in rows]))
    how = {"ends": c["ends"], "spike_at": c["spike_at"], "tolerance": 2e-4}
    return axon, c["polarity"] * np.array([V]), courses, how


def point_source(along: Floats, away: float, conductivity: float = 0.2) -> Floats:
    """Return the potential of 1 A in an unbounded medium (V)."""
    out: Floats = 1 / (4 * np.pi * conductivity * np.hypot(along, away))
    return out


def _samples(phases: list[list[float]]) -> tuple[Floats, Floats]:
    length, value = np.array(phases).T
    end = np.cumsum(length) * 1e-6
    start = np.concatenate([[0.0], end[:-1] + _EDGE])
    return np.stack([start, end], axis=1).ravel(), np.repeat(value, 2)


def mrg_threshold() -> list[Row]:
    """Return the rows of case ``mrg-threshold``."""
    return [*_reference(), *_same_steps(), *_to_the_limit()]


def _reference() -> list[Row]:
    """Compare with the reference, which held its pulse for one step more than 100 us."""
    axon = mrg_axon(10e-6)
    x = axon.compartments(31)
    x -= 0.5 * x[-1]
    how: dict[str, Any] = {"scheme": "euler", "spike_at": "end", "tolerance": 1e-4}
    source = "PyFibers 0.13.0 on NEURON 9.0.2"
    text = "cathode 1 mm from a 10 um axon, {} steps of {} us, {} S/m"
    rows = []
    for steps, dt, sigma, want, bend in (
        (21, 5, 0.2, 0.1186, 32.44),
        (21, 5, 0.3, 0.1776, 32.39),
        (101, 1, 0.2, 0.1197, None),
    ):
        V = -point_source(x, 1e-3, sigma)
        width = steps * dt * 1e-6
        got = mrg_thresholds(axon, [V], width, dt=dt * 1e-6, after=dt * 1e-6, **how).amplitude[0]
        where = text.format(steps, dt, sigma)
        rows.append(_row(f"{where}: threshold", 1e3 * got, want, 0.01, "mA", source))
        if bend is not None:
            middle = 15 * PERIOD
            second = V[middle - PERIOD] - 2 * V[middle] + V[middle + PERIOD]
            quantity = f"{where}: second difference at threshold"
            rows.append(_row(quantity, 1e3 * got * second, bend, 0.01, "mV", source))
    got = mrg_thresholds(axon, [-point_source(x, 1e-3)], 100e-6, spike_at="end").amplitude[0]
    quantity = "the same, 100 us, second order, against 101 steps of 1 us"
    rows.append(_row(quantity, 1e3 * got, 0.1197, 0.01, "mA", source))
    return rows


def _same_steps() -> list[Row]:
    """Compare with NEURON's steps of 5 us."""
    step: dict[str, Any] = {"dt": 5e-6, "after": 5e-6, "scheme": "euler"}
    return _worst("steps of 5 us", step, lambda c: float(c["threshold_5_us"]), 2e-3, _SOURCE)


def _to_the_limit() -> list[Row]:
    """Compare the second order with NEURON's thresholds drawn to steps of 0."""
    return _worst("second order", {}, limit, 0.01, f"{_SOURCE}, drawn to steps of 0")


def _worst(
    scheme: str,
    step: Mapping[str, Any],
    want: Callable[[Mapping[str, Any]], float],
    largest: float,
    source: str,
) -> list[Row]:
    """Return the row of the largest deviation for each kind of stimulus."""
    groups: dict[str, list[Row]] = {}
    for c in neuron_conditions():
        axon, V, courses, how = condition(c)
        got = mrg_thresholds(axon, V, courses, **how, **step).amplitude[0]
        unit = "V/m" if "field_V_per_m" in c else "A"
        group = groups.setdefault(_kind(c), [])
        group.append(_row(c["name"], got, want(c), largest, unit, source))
    worst = []
    for kind, group in groups.items():
        row = max(group, key=lambda row: row.error)
        quantity = f"{scheme}, {kind}, largest of {len(group)}: {row.quantity}"
        worst.append(replace(row, quantity=quantity))
    return worst


def _kind(c: Mapping[str, Any]) -> str:
    """Return what a condition is compared among: single sources by their width."""
    kind: str = c["name"].split()[0]
    return f"{kind} {c['phases'][0][0][0]} us" if kind in ("cathode", "anode") else kind


_SOURCE = "PyFibers 0.13.0 on NEURON 9.0.2, data/mrg_neuron.toml"


def limit(c: Mapping[str, Any]) -> float:
    """Return NEURON's threshold for steps of 0, from the polynomial through all its steps."""
    steps = [d for d in (5, 2, 1) if f"threshold_{d}_us" in c]
    values = [c[f"threshold_{d}_us"] for d in steps]
    return float(np.polyfit(steps, values, len(steps) - 1)[-1])


def _row(
    quantity: str, value: float, reference: float, limit: float, unit: str, source: str
) -> Row:
    return Row(
        case=_CASE,
        quantity=quantity,
        value=float(value),
        reference=reference,
        error=abs(float(value) / reference - 1),
        limit=limit,
        unit=unit,
        source=source,
    )
