"""The closed loop as a whole: runs, measures, plants, study files and the command line."""

import copy
import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from rheobase.__main__ import main
from rheobase._errors import InputError
from rheobase.kinds import KINDS
from rheobase.loop import check_loop, run_loop_study
from rheobase.neurons.loop.biomarker import Average, Band
from rheobase.neurons.loop.body import Body, Gate, beats, breathe
from rheobase.neurons.loop.controllers import PI, OpenLoop
from rheobase.neurons.loop.loop import LoopRun, run_loop
from rheobase.neurons.loop.measures import efficacy, energy, stability
from rheobase.neurons.loop.network_plant import FibrePlant, NetworkPlant
from rheobase.neurons.loop.plant import Pulses
from rheobase.neurons.loop.rate_model import RatePlant, stn_gpe
from rheobase.neurons.loop.recruitment import Curve
from rheobase.neurons.loop.stimulator import Train
from rheobase.neurons.network.drive import Drive
from rheobase.neurons.network.microcircuit import microcircuit
from rheobase.neurons.network.simulation import simulate
from rheobase.results import open_result
from rheobase.study_file import load_study
from rheobase.tables.loop import LoopStudy
from rheobase.tables.parse import parse_table
from rheobase.tables.text import toml_text

LINE = Curve(amplitude=np.array([0.0, 4e-3]), fraction=np.array([0.0, 1.0]), source="a line")
STUDY: dict[str, Any] = {
    "title": "A short loop",
    "plant": {"kind": "stn_gpe", "depth": 0.5},
    "recruitment": {"published": "Fleming 2020"},
    "biomarker": {"signal": "S", "kind": "arv", "band_Hz": [13.0, 30.0]},
    "timing": {"duration_s": 1.0, "settle_s": 0.6},
    "controllers": [
        {"name": "open", "kind": "open loop", "amplitude_mA": 2.5},
        {"name": "PI", "kind": "PI", "Kp": 0.23, "Ti_s": 0.2, "set_point_of_off": 0.3},
    ],
}


def loop(controller: Any, **options: Any) -> LoopRun:
    """Run one second of a loop around the rate model."""
    plant = RatePlant(stn_gpe("parkinson"), start=(20.0, 60.0))
    return run_loop(
        plant,
        Train(controller, varies="amplitude", frequency=130.0),
        LINE,
        Band((13.0, 30.0), 0.2, dt=plant.dt),
        signal="S",
        **({"duration": 1.0, "period": 0.02, "settle": 0.5} | options),
    )


def test_a_loop_is_its_parts_in_turn() -> None:
    run = loop(PI(5.0, Kp=1e-3, Ti=0.5, span=(0.0, 3e-3), period=0.02))
    # the same pulses in one stretch give the same signals
    again = RatePlant(stn_gpe("parkinson"), start=(20.0, 60.0)).advance(15_000, run.pulses)
    np.testing.assert_allclose(run.signals, again, rtol=1e-8)
    # readings are those of the signal before each period
    mark = Band((13.0, 30.0), 0.2, dt=1e-4)
    S = run.signal("S")
    readings = [mark.update(S[k : k + 200]) for k in range(0, 15_000, 200)]
    np.testing.assert_allclose(run.reading, readings[24:-1])
    np.testing.assert_allclose(run.pulses.fraction, run.current / 4e-3)
    assert (run.pulses.times >= 0.5).all()


def test_latency_delays_the_action_not_the_reading() -> None:
    class Echo:
        def __init__(self) -> None:
            self.heard: list[float] = []

        def update(self, reading: float) -> float:
            self.heard.append(reading)
            return 0.0

    now, late = Echo(), Echo()
    first = loop(now)
    second = loop(late, latency=0.06)
    np.testing.assert_allclose(first.reading, second.reading)
    np.testing.assert_allclose(late.heard[3:], now.heard[:-3])


def test_energy_is_that_of_the_pulses() -> None:
    run = loop(OpenLoop(2e-3))
    spent = energy(run, width=60e-6, load=500.0)
    assert spent.pulses == 130
    assert spent.charge == pytest.approx(130 * 2e-3 * 60e-6)
    assert spent.power == pytest.approx(500 * 4e-6 * 130 * 60e-6)
    assert energy(run, width=60e-6, phases=2).power == pytest.approx(2 * spent.power)
    with pytest.raises(InputError, match="phases must be 1 or 2"):
        energy(run, width=60e-6, phases=3)


def test_open_loop_in_published_units_costs_what_was_published() -> None:
    # 2.5 mA, 130 Hz, 60 us: Fleming et al. 2020 give 12.5 %/uW for 83 % at a quarter of the power
    spent = energy(loop(OpenLoop(2.5e-3)), width=60e-6)
    assert 0.83 / (0.25 * spent.power) * 1e-6 == pytest.approx(0.125, rel=0.1)


def test_stimulation_helps_and_is_measured() -> None:
    off = loop(OpenLoop(0.0), duration=2.0)
    on = loop(OpenLoop(2e-3), duration=2.0)
    done = efficacy(on, off, set_point=5.0)
    assert done.of_off < 0.3
    assert done.error_of_off < done.of_off
    assert done.above == pytest.approx((on.reading > 5).mean())
    assert np.isnan(efficacy(on, off, set_point=None).error)


def test_stability_sees_a_limit_cycle() -> None:
    run = loop(OpenLoop(0.0), duration=10.0)
    t = run.time - run.settle
    square = 1.5e-3 * (1 + np.sign(np.sin(2 * np.pi * 2.0 * t + 0.01)))
    calm = stability(run, np.full(len(t), 1e-3), span=(0.0, 3e-3), set_point=5.0)
    cycling = stability(run, square, span=(0.0, 3e-3), set_point=5.0)
    assert cycling.cycle == pytest.approx(2.0, abs=0.05)
    assert cycling.cycle_share > 0.7
    assert cycling.saturated == 1.0
    assert cycling.travel == pytest.approx(4.0, rel=0.05)
    assert np.isnan(calm.cycle)
    assert calm.fastest == pytest.approx(1 / 3 / 0.02)
    assert np.isnan(calm.settling)  # off: beta stays high


def test_a_network_as_plant_is_the_simulation() -> None:
    net = microcircuit(scale=0.02, seed=1)
    plant = NetworkPlant(net, share={"L5E": 1.0, "L4I": 0.5}, seed=1)
    times, share = np.arange(0.0305, 0.2, 0.02), np.repeat([0.4, 0.8, 0.8], 3)
    out = []
    for k in range(10):
        here = (times >= 0.02 * k) & (times < 0.02 * (k + 1))
        out.append(plant.advance(20, Pulses(times[here], share[here])))
    rates = np.concatenate(out)
    # the first three pulses alone, in one run
    spikes = simulate(
        net, 0.09, seed=1, drive=Drive(probability={"L5E": 0.4, "L4I": 0.2}, times=times[:3],
                                       latency=1e-3)
    )  # fmt: skip
    edges = np.arange(91) * 1e-3 + 5e-5
    count = np.histogram2d(spikes.times, spikes.ids, [edges, spikes.first])[0]
    np.testing.assert_allclose(rates[:90], count / spikes.sizes / 1e-3, atol=1e-9)
    direct = rates[(times * 1e3 + 1).astype(int), plant.signals.index("L5E")]
    assert direct[3:].mean() > 1.5 * direct[:3].mean()


def test_pulses_of_two_sizes_within_a_stretch() -> None:
    net = microcircuit(scale=0.02, seed=1)
    whole, cut = (NetworkPlant(net, share={"L5E": 1.0}, seed=1) for _ in range(2))
    pulses = Pulses(np.array([0.005, 0.012]), np.array([0.3, 0.9]))
    together = whole.advance(30, pulses)
    apart = [
        cut.advance(10, Pulses(pulses.times[:1], pulses.fraction[:1])),
        cut.advance(20, Pulses(pulses.times[1:], pulses.fraction[1:])),
    ]
    np.testing.assert_allclose(together, np.concatenate(apart))
    with pytest.raises(InputError, match="unknown population 'L5'"):
        NetworkPlant(net, share={"L5": 1.0})


def test_a_brain_body_loop() -> None:
    # the heart rate sets the current, the breath opens the gate, fibres answer
    breaths = breathe(40.0, seed=1)
    body = Body(breaths=breaths, beats=beats(40.0, breaths=breaths, seed=1))
    run = run_loop(
        FibrePlant(),
        Train(PI(1.08, Kp=0.05, span=(0.0, 3e-3), period=0.1), varies="amplitude", frequency=25.0),
        LINE,
        Average(2.0, dt=1e-3),
        signal="heart rate",
        duration=20.0,
        period=0.1,
        body=body,
        gate=Gate(breaths=breaths, half="exhalation", longest=1.0),
    )
    assert run.names == ("volleys", "heart rate", "breath")
    assert len(run.current)
    begins = breaths.exhale[np.searchsorted(breaths.exhale, run.pulses.times, side="right") - 1]
    assert (run.pulses.times - begins < 1.0).all()
    assert run.signal("volleys").sum() * 1e-3 == pytest.approx(run.pulses.fraction.sum())
    fast = run.reading > 1.08
    assert (run.amplitude[~fast] == 0).all()
    assert (run.amplitude[fast] > 0).all()


# study files and the command line


def changed(**tables: Any) -> dict[str, Any]:
    """Return the study with other tables; None takes one out."""
    study = copy.deepcopy(STUDY) | tables
    return {k: v for k, v in study.items() if v is not None}


def check(table: dict[str, Any], folder: Path | None = None) -> None:
    check_loop(parse_table(LoopStudy, table, where="l.toml", folder=folder))


@pytest.mark.parametrize("name", KINDS["loop"].studies())
def test_shipped_studies_are_valid(name: str) -> None:
    load_study(name, kind="loop").check()


LOCKED = {"name": "x", "kind": "phase-locked", "phase_deg": 0, "oscillation_Hz": 20.0}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (changed(biomarker=None), "controller 'PI' (PI) needs a [biomarker]"),
        (changed(controllers=[LOCKED]), "reads 'phase', got the biomarker 'arv'"),
        (
            changed(biomarker=STUDY["biomarker"] | {"signal": "heart rate"}),
            "unknown signal 'heart rate'",
        ),
        (changed(plant={"kind": "stn_gpe", "state": "ill"}), "'healthy' or 'parkinson', got 'ill'"),
        (changed(plant={"kind": "fibres", "depth": 0.5}), "depth belongs to 'stn_gpe'"),
        (changed(plant={"kind": "microcircuit"}), "a microcircuit needs share"),
        (
            changed(plant={"kind": "microcircuit", "share": {"L5": 1.0}}),
            "unknown population 'L5', nearest: L5I, L5E",
        ),
        (
            changed(
                plant={"kind": "microcircuit", "share": {"L5E": 1.0}, "step_ms": 0.25},
                biomarker={"signal": "L5E", "kind": "mean"},
            ),
            "dt must be a multiple of 0.0001 s, got 0.00025 s",
        ),
        (changed(recruitment={}), "expected one of file, published, logistic, got none"),
        (changed(recruitment={"file": "no.csv"}), "cannot read a recruitment curve"),
        (
            changed(stimulator={"amplitudes_mA": [0.0, 9.0]}),
            "the recruitment curve ends at 5 mA, got 9 mA",
        ),
        (changed(timing={"duration_s": 1.01}), "duration must be a whole multiple of 0.02 s"),
        (changed(plant={"kind": "stn_gpe", "step_ms": 0.8}), "whole part of d_SG = 0.006 s"),
        (changed(body={"gate": "exhalation"}), "gate needs breathing"),
        (
            changed(controllers=[{"name": "P", "kind": "P", "set_point": 1.0}]),
            "kind = 'P' needs Kp",
        ),
        (
            changed(controllers=[{"name": "P", "kind": "P", "Kp": 1.0}]),
            "expected one of set_point, set_point_of_off, got none",
        ),
        (
            changed(controllers=[STUDY["controllers"][0]] * 2),
            "controllers need names of their own, got 'open' twice",
        ),
        (
            changed(controllers=[{"name": "o", "kind": "on-off", "set_point": 1.0, "Kp": 2.0}]),
            "Kp belongs to 'P', 'PI', got 'on-off'",
        ),
        (
            changed(controllers=[STUDY["controllers"][0] | {"name": "off"}]),
            "the run without stimulation is called 'off'",
        ),
        (
            changed(
                controllers=[
                    {"name": "d", "kind": "dual threshold", "set_point": 2.0, "upper": 1.0}
                ]
            ),
            "the upper threshold must be at least the lower one, 2",
        ),
        (changed(plants={}), "unknown key 'plants', nearest: plant"),
    ],
)
def test_bad_studies_are_one_sentence(table: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        check(table, tmp_path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def main_with(*arguments: str) -> int:
    """Run the command line in this process."""
    with patch.object(sys, "argv", ["rheobase", *arguments]):
        return main()


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "l.toml"
    file.write_text(toml_text(STUDY))
    assert main_with("loop", str(file), "--dry-run") == 0
    assert "valid: A short loop" in capsys.readouterr().out
    assert main_with("loop", "parkinsons", "--dry-run") == 2
    assert "unknown study 'parkinsons', nearest: parkinson" in capsys.readouterr().err
    out = tmp_path / "out"
    assert main_with("loop", str(file), "--out", str(out), "--json", "--set", "seed=2") == 0
    said = json.loads(capsys.readouterr().out)
    first, second = said["tables"]["Effect and cost"]
    assert first["controller"] == "open"
    assert first["biomarker (% of off)"] < second["biomarker (% of off)"] < 100
    assert second["power (µW)"] < first["power (µW)"]
    names = {Path(p).name for p in said["files"]}
    ours = ("desc-PI_course.csv", "desc-PI_pulses.csv", "desc-courses_figure.png")
    assert {"report.html", *(f"sub-stnGpe_{name}" for name in ours)} <= names
    assert all(Path(p).is_file() for p in said["files"])
    assert json.loads((out / "provenance.json").read_text())["seed"] == 2
    course = open_result(out).dataset("course")
    assert course["controller"].values[0] == "off"
    assert course["amplitude"].attrs["units"] == "A"
    assert not course["amplitude"].isnull().any()
    assert float(course["amplitude"].sel(controller="off").max()) == 0.0


def test_a_loop_around_the_microcircuit(tmp_path: Path) -> None:
    table = changed(
        plant={"kind": "microcircuit", "scale": 0.02, "share": {"L5E": 1.0}, "listened": ["L5E"]},
        biomarker={"signal": "L5E", "kind": "mean", "window_s": 0.1},
        timing={"duration_s": 0.4, "settle_s": 0.2},
        controllers=[{"name": "on-off", "kind": "on-off", "set_point_of_off": 1.2}],
    )
    study = parse_table(LoopStudy, table, where="l.toml", folder=None)
    result = run_loop_study(study, text="", out=tmp_path)
    assert result.tables["Effect and cost"].rows[0][0] == "on-off"
