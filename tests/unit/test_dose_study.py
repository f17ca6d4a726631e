"""Doses from a study or the command line: what they find, write and refuse."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from rheobase.__main__ import main
from rheobase._errors import InputError
from rheobase.dosing import check_study, run_optimise
from rheobase.meshes.heads import build_head
from rheobase.meshes.heads.sphere import shell_sheet
from rheobase.stations import dose as dose_station
from rheobase.stations.book import Book
from rheobase.stations.dose_book import write_dose
from rheobase.study_file import load_study
from rheobase.tables.optimise import OptimiseStudy
from rheobase.tables.parse import parse_table
from rheobase.tables.text import toml_text

OPTIONS: dict[str, Any] = {
    "radii_mm": [60, 70, 78, 86],
    "layers": ["white_matter", "grey_matter", "skull", "scalp"],
    "sigma_S_per_m": [0.14, 0.33, 0.01, 0.33],
}
BALL: dict[str, Any] = {"name": "sphere", "edge_length_mm": 7, "options": OPTIONS}
#: The same ball, of everything twice as conductive.
OTHER: dict[str, Any] = {
    **BALL,
    "options": {**OPTIONS, "sigma_S_per_m": [2 * s for s in OPTIONS["sigma_S_per_m"]]},
}
PADS: dict[str, Any] = {
    "kind": "tes",
    "electrodes": [
        {"name": "a", "position": "C3", "current_mA": 1.0, "radius_mm": 12.0, "model": "ideal"},
        {"name": "b", "position": "C4", "current_mA": -1.0, "radius_mm": 12.0, "model": "ideal"},
    ],
}
COIL: dict[str, Any] = {"kind": "tms", "coil": "magstim-d70-2", "position": "C3"}
PAIRS: dict[str, Any] = {
    "kind": "ti",
    "pairs": [
        {"anode": p, "cathode": q, "current_mA": 1.0, "carrier_Hz": f, "model": "ideal"}
        for p, q, f in (("C3", "F3", 2000.0), ("T7", "P3", 2010.0))
    ],
}
DOSE: dict[str, Any] = {
    "title": "the field of a ball in another",
    "head": BALL,
    "device": PADS,
    "target": {"position": "C3"},
    "optimise": {"kind": "dose"},
    "reference": {"head": OTHER},
}


def parsed(table: dict[str, Any]) -> OptimiseStudy:
    return parse_table(OptimiseStudy, table, where="s.toml", folder=None)


def changed(where: str, *, table: dict[str, Any] = DOSE, **values: Any) -> dict[str, Any]:
    part = {k: v for k, v in {**table.get(where, {}), **values}.items() if v is not None}
    return {k: v for k, v in {**table, where: part}.items() if v}


def record(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((next(out.glob("*/*dose.json"))).read_text(encoding="utf-8"))
    return found


def test_same_field_in_another_head(tmp_path: Path) -> None:
    result = run_optimise(parsed(DOSE), text=toml_text(DOSE), out=tmp_path)
    assert all(f.is_file() for f in result.files)
    found = record(tmp_path)
    # twice the conductivity: half the field, so that its dose is half here
    assert found["factor"] == pytest.approx(0.5, rel=1e-6)
    assert found["intensity"] == pytest.approx(0.5e-3, rel=1e-6)
    compared = {row[0]: row[1:] for row in result.tables["Compared"].rows}
    there, here = compared["|E|, mean, at the intensity (V/m)"]
    assert there == pytest.approx(here, rel=1e-6)
    assert there == pytest.approx(found["value"])
    assert compared["intensity (mA)"] == pytest.approx((1.0, 0.5), rel=1e-6)
    montage = json.loads(
        (tmp_path / "sub-sphere/sub-sphere_montage.json").read_text(encoding="utf-8")
    )
    assert "0.5" in json.dumps(montage)
    assert imread(tmp_path / "figures/sub-sphere_desc-dose_figure.png")[..., :3].std() > 0.05
    again: Any = load_study(tmp_path / "run.toml").study
    assert again.device.kind == "tes"
    assert [e.current_mA for e in again.device.electrodes or []] == [0.5, -0.5]


def test_wanted_field_of_two_pairs(tmp_path: Path) -> None:
    table = changed("optimise", table={**DOSE, "device": PAIRS, "reference": {}})
    table = changed("optimise", table=table, field_V_per_m=0.1, statistic=99.0)
    result = run_optimise(parsed(table), text=toml_text(table), out=tmp_path)
    compared = {row[0]: row[1] for row in result.tables["Compared"].rows}
    assert compared["envelope, 99 % percentile, at the intensity (V/m)"] == pytest.approx(0.1)
    again: Any = load_study(tmp_path / "run.toml").study
    assert again.device.kind == "ti"
    factor = record(tmp_path)["factor"]
    assert [p.current_mA for p in again.device.pairs] == pytest.approx([factor] * 2, abs=1e-3)


def test_motor_threshold(tmp_path: Path) -> None:
    table = {
        **DOSE,
        "device": {**COIL, "position": "F3"},
        "target": {"position": "F3"},
        "optimise": {"kind": "dose", "goal": "motor_threshold", "threshold_percent": 50.0}
        | {"fraction": 1.2},
        "reference": {"device": COIL, "target": {"position": "C3"}},
    }
    result = run_optimise(parsed(table), text=toml_text(table), out=tmp_path)
    dose = {row[0]: float(row[1]) for row in result.tables["Dose"].rows}
    # a ball: F3 is as deep as C3, up to what the mesh makes of it
    assert dose["over that of the reference"] == pytest.approx(1.0, abs=0.1)
    assert dose["of what the stimulator gives"] == pytest.approx(60, rel=0.1)
    assert dose["rule of 3 % a millimetre instead (Stokes 2005)"] == pytest.approx(60, abs=3)
    again: Any = load_study(tmp_path / "run.toml").study
    assert again.results.intensity_A_per_us == pytest.approx(dose["intensity"])
    poses = json.loads((tmp_path / "sub-sphere/sub-sphere_pose.json").read_text(encoding="utf-8"))
    assert poses["poses"][0]["dIdt_A_per_us"] == pytest.approx(dose["intensity"])


def test_recruitment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = shell_sheet(0.070, 0.003)
    here, there = (
        replace(build_head("sphere", edge_length_mm=7, **head["options"]), cortex=sheet)
        for head in (BALL, OTHER)
    )
    monkeypatch.setattr(dose_station, "open_head", lambda table: there)
    pulse = {
        **PADS,
        "electrodes": [{**e, "current_mA": 380 * e["current_mA"]} for e in PADS["electrodes"]],
    }
    table = {
        **DOSE,
        "device": pulse,
        "target": {"position": "C3", "cells": {"type": "L5_pyramidal", "placements": 12}},
        "optimise": {"kind": "dose", "goal": "recruitment", "pulse_us": 200},
    }
    write_dose(parsed(table), here, Book(out=tmp_path))
    found = record(tmp_path)
    # electrodes on the skin: the same currents make twice the field here
    assert found["factor"] == pytest.approx(0.5, rel=1e-4)
    low, high = found["interval"]
    assert low <= found["intensity"] <= (np.inf if high is None else high)
    assert 0 < found["value"] < 1
    assert found["cases"][0]["share"] == pytest.approx(found["cases"][1]["share"], abs=1 / 12)

    wanted = changed("optimise", table={**table, "reference": {}}, share=found["value"])
    write_dose(parsed(wanted), here, Book(out=tmp_path / "share"))
    assert record(tmp_path / "share")["intensity"] == pytest.approx(found["intensity"], rel=1e-9)


CELLS: dict[str, Any] = {"position": "C3", "cells": {"type": "L5_pyramidal"}}
COILS = {**DOSE, "device": COIL, "reference": {"head": OTHER, "intensity_A_per_us": 50.0}}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({**DOSE, "device": None}, r"kind = 'dose' needs \[device\]"),
        ({**DOSE, "optimise": {"kind": "tes"}}, r"\[device\] belongs to kind = 'dose', got 'tes'"),
        (
            {**DOSE, "reference": None},
            r"goal = 'field' needs \[reference\] or optimise.field_V_per",
        ),
        ({**DOSE, "reference": {}}, r"needs one of study, head, device, target: what differs"),
        (changed("optimise", field_V_per_m=1.0), "expected .reference. or optimise.field_V_per_m"),
        (changed("optimise", share=0.5), "share belongs to goal = 'recruitment', got 'field'"),
        (changed("optimise", statistic="mode"), "s.toml, optimise.statistic"),
        (changed("optimise", pulse_us=200), "pulse_us belongs to goal = 'recruitment'"),
        (
            changed("optimise", goal="recruitment"),
            "'recruitment' and .target.cells. belong together",
        ),
        ({**DOSE, "target": CELLS}, "'recruitment' and .target.cells. belong together"),
        (
            {**changed("optimise", goal="recruitment"), "target": CELLS},
            "electrodes recruit with pulses: .* needs optimise.pulse_us",
        ),
        (
            {**changed("optimise", goal="recruitment"), "target": CELLS, "device": PAIRS},
            "cells have no calibrated threshold for carriers",
        ),
        (
            changed("optimise", goal="motor_threshold", threshold_A_per_us=60),
            "a motor threshold is that of a coil .'tms'., got 'tes'",
        ),
        (
            changed("optimise", table=COILS, goal="motor_threshold"),
            "expected one of threshold_A_per_us, threshold_percent, got none",
        ),
        (
            changed("optimise", table=COILS, goal="motor_threshold", threshold_percent=50),
            "the intensity is that of the threshold: reference",
        ),
        (changed("reference", intensity_A_per_us=50), "the currents of electrodes are in their"),
        (changed("reference", device=COIL), "expected two coils or two sets of electrodes"),
        (
            changed("reference", target={"position": "C3", "direction": [0, 0, 1]}),
            "expected a direction in both targets or in neither",
        ),
        (changed("device", kind="tec"), r"unknown kind 'tec', nearest: tes: s.toml, .device."),
        (changed("reference", device={**COIL, "koil": 1}), "unknown key 'koil'.*reference.device"),
    ],
)
def test_refused_tables(table: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parsed({k: v for k, v in table.items() if v is not None})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (changed("reference", head=None, study="tms_motor"), "two coils or two sets of electrodes"),
        (changed("reference", head=None, study="tdcs_moter"), "unknown study 'tdcs_moter'"),
        (changed("reference", head=None, study="no.toml"), "no study file no.toml"),
        (
            changed("reference", table=COILS, intensity_A_per_us=None),
            "expected the dI/dt whose effect is to be repeated, there is none: reference.inten",
        ),
        (changed("target", position="Q9"), "unknown electrode position 'Q9'.*target.position"),
        (
            changed(
                "optimise",
                table={**COILS, "device": {**COIL, "coil": "deng-25mm-figure8"}}
                | {"reference": {"head": OTHER}},
                goal="motor_threshold",
                threshold_percent=50,
            ),
            "expected a coil whose largest dI/dt is known .* 'deng-25mm-figure8' has none",
        ),
        (
            {
                **changed("optimise", table=COILS, goal="recruitment"),
                "target": {"position": "C3", "cells": {"type": "L5_piramidal"}},
            },
            "unknown cell type 'L5_piramidal'",
        ),
    ],
)
def test_refused_before_a_head_is_built(table: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        check_study(parsed(table))
    assert "\n" not in str(caught.value)


def test_example_is_valid() -> None:
    example = Path(__file__).parents[2] / "examples" / "dose_dlpfc.toml"
    load_study(example, kind="optimise").check()


def test_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["dose", "--device", "tdcs_motor", "--target", "left DLPFC", "--reference", "mni152"]
    monkeypatch.setattr("sys.argv", ["rheobase", "optimise", *options, "--dry-run"])
    assert main() == 0
    assert "dose: valid: dose: left DLPFC" in capsys.readouterr().out
