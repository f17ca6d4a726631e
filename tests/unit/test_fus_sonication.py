"""Exposures to ultrasound: their pulses, trains and power."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.acoustics.sonication import Sonication
from rheobase.tables.fus_effect import ExposureTable


def energy(s: Sonication, end: float, n: int = 2_000_001) -> float:
    t = np.linspace(0, end, n)
    return float(np.trapezoid(s.envelope(t) ** 2, t))


@pytest.mark.parametrize("ramp", ["linear", "cosine"])
def test_powers_are_those_of_the_envelope(ramp: str) -> None:
    s = Sonication(
        frequency=500e3,
        pulse_duration=0.03,
        pulse_interval=0.1,
        train_duration=0.5,
        train_interval=1.6,
        duration=4.0,
        ramp_duration=0.01,
        ramp=ramp,
    )
    assert (s.pulses_in_train, s.trains) == (5, 3)
    assert energy(s, 4.0) == pytest.approx(4.0 * s.mean_power, rel=1e-5)
    assert energy(s, 0.5) == pytest.approx(0.5 * s.train_power, rel=1e-5)
    assert s.envelope([0.0, 0.015, 0.05, 1.615, 3.9]) == pytest.approx([0, 1, 0, 1, 0])


@pytest.mark.parametrize("fastest", [0.1, 1.0, 100.0])
def test_phases_cover_the_exposure_and_stray_no_more_than_the_ripple(fastest: float) -> None:
    s = Sonication(
        frequency=500e3,
        pulse_duration=0.03,
        pulse_interval=0.1,
        train_duration=0.5,
        train_interval=1.6,
        duration=3.7,
    )
    phases = s.phases(fastest)
    assert phases[0].start == 0
    assert phases[-1].end == pytest.approx(3.7)
    for a, b in pairwise(phases):
        assert a.end == pytest.approx(b.start)
    t = np.linspace(0, 3.7, 370_001)
    on = s.envelope(t) ** 2
    exact = np.concatenate([[0.0], np.cumsum(0.5 * (on[1:] + on[:-1]) * np.diff(t))])
    edges = np.array([0.0] + [p.end for p in phases])
    sums = np.cumsum([0.0] + [p.power * (p.end - p.start) for p in phases])
    stray = np.abs(exact - np.interp(t, edges, sums)).max()
    assert stray <= s.ripple(fastest) + 2e-4
    assert exact[-1] == pytest.approx(sums[-1], rel=1e-3)
    assert len(phases) == {0.1: 1, 1.0: 5, 100.0: 30}[fastest]


def test_one_pulse_is_continuous() -> None:
    s = Sonication(frequency=500e3, pulse_duration=2.0)
    assert s.mean_power == s.duty_cycle == 1.0
    assert [(p.start, p.end, p.power) for p in s.phases()] == [(0, 2.0, 1.0)]
    assert s.ripple() == 0


def test_pulses_repeat_for_the_duration_that_is_given() -> None:
    whole = Sonication.at_rate(500e3, pulse_rate=10, duty_cycle=0.3, duration=80)
    assert whole.times == (0.03, 0.1, 80, 80, 80)
    assert whole.mean_power == whole.duty_cycle == pytest.approx(0.3)
    tenth = Sonication(frequency=500e3, pulse_duration=0.02, pulse_interval=0.2, duration=80)
    assert tenth.mean_power == pytest.approx(0.1)
    assert not tenth.notes


def test_a_study_repeats_pulses_for_its_duration() -> None:
    exposure = ExposureTable(pulse_ms=20, prf_Hz=5, duration_s=80).make(500e3)
    assert exposure.mean_power == pytest.approx(0.1)
    with pytest.raises(InputError, match="for how long do pulses repeat"):
        ExposureTable(duty=0.5, prf_Hz=100).make(500e3)


def test_rates_without_a_duration_are_refused() -> None:
    with pytest.raises(InputError, match="for how long do pulses repeat"):
        Sonication.at_rate(500e3, pulse_rate=100, duty_cycle=0.5)
    with pytest.raises(InputError, match="train_duration must be >= pulse_interval"):
        Sonication.at_rate(500e3, pulse_rate=0.5, duty_cycle=0.5, train_duration=1)
    with pytest.raises(InputError, match=r"how do pulses of 0\.02 s follow each other"):
        Sonication(frequency=500e3, pulse_duration=0.02, duration=80)


def test_pulses_and_trains_that_do_not_fit_are_told() -> None:
    s = Sonication.at_rate(
        500e3, pulse_rate=10, duty_cycle=0.6, train_duration=0.25, train_interval=1, duration=2.1
    )
    assert (s.pulses_in_train, s.trains) == (2, 2)
    assert s.notes == (
        "3 pulses start within a train of 0.25 s, the last does not fit and is left out",
        "3 trains start within a duration of 2.1 s, the last does not fit and is left out",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pulse_interval": 0.01}, "pulse_interval must be >= pulse_duration"),
        ({"train_duration": 0.01}, "train_duration must be >= pulse_interval"),
        ({"train_duration": None}, "expected train_duration or duration, got none"),
        ({"pulse_interval": None}, "expected a pulse_interval, got none"),
        ({"duration": 80.0}, "expected a train_interval, got none"),
        ({"train_duration": None, "train_interval": 2.0}, "train_duration beside train_interval"),
        ({"train_interval": 0.5}, "train_interval must be >= train_duration"),
        ({"duration": 0.5}, "duration must be >= train_duration"),
        ({"frequency": float("nan")}, "expected a frequency in Hz"),
        ({"frequency": 500.0}, "expected a frequency in Hz, within 20000"),
        ({"pulse_duration": -1.0}, "pulse_duration must be > 0"),
        ({"pulse_duration": 1e-6}, "at least one period"),
        ({"ramp_duration": 0.011}, "two ramps must fit"),
        ({"ramp_duration": -1.0}, "ramp_duration must be >= 0"),
        ({"ramp": "hann"}, "unknown ramp"),
    ],
)
def test_impossible_exposures_are_refused(change: dict[str, Any], message: str) -> None:
    timing: dict[str, Any] = {
        "frequency": 500e3,
        "pulse_duration": 0.02,
        "pulse_interval": 0.2,
        "train_duration": 1.0,
    }
    with pytest.raises(InputError, match=message):
        Sonication(**(timing | change))


@pytest.mark.parametrize(("rate", "duty"), [(0.0, 0.5), (10.0, 1.5), (10.0, float("nan"))])
def test_impossible_rates_are_refused(rate: float, duty: float) -> None:
    with pytest.raises(InputError, match="must be"):
        Sonication.at_rate(500e3, pulse_rate=rate, duty_cycle=duty)
