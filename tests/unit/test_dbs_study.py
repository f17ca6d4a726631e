"""A study of deep brain stimulation: what it reads, refuses, finds and writes."""

import copy
import csv
import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nibabel as nib
import numpy as np
import pytest
from matplotlib.image import imread

from rheobase.__main__ import main
from rheobase._errors import InputError
from rheobase.dbs import check_study, run_dbs
from rheobase.kinds import KINDS
from rheobase.results import Result
from rheobase.stations import dbs_solve
from rheobase.stations.head import open_head
from rheobase.study_file import load_study
from rheobase.tables.dbs import DeepStudy
from rheobase.tables.parse import parse_table
from rheobase.tables.steering import parse_steering
from rheobase.tables.text import toml_text

STUDY: dict[str, Any] = {
    "title": "A lead in a ball",
    "head": {
        "name": "sphere",
        "edge_length_mm": 7,
        "options": {
            "radii_mm": [60, 70, 78, 86],
            "layers": ["white_matter", "grey_matter", "skull", "scalp"],
            "sigma_S_per_m": [0.14, 0.33, 0.01, 0.33],
        },
    },
    "leads": [
        {
            "name": "left",
            "model": "Medtronic 3389",
            "target_mm": [-12, 0, 0],
            "entry_mm": [-30, 20, 60],
            "contact": 2,
            "steering": "2:-2mA, case",
        }
    ],
}


TRACT: dict[str, Any] = {
    "name": "tract",
    "through_mm": [[-16, 25, -4], [-13, 0, 0], [-14, -25, 4]],
    "fibres": 80,
}


BONE = {"radii_mm": [70, 78], "layers": ["skull", "scalp"], "sigma_S_per_m": [0.01, 0.33]}


MANY = {
    "samples": 8,
    "encapsulation_mm": [0.1, 0.5],
    "conductivities": [
        {"tissue": name, "low_S_per_m": 0.1, "high_S_per_m": 0.2}
        for name in ("white_matter", "grey_matter")
    ],
}


def changed(lead: dict[str, Any] | None = None, **values: Any) -> dict[str, Any]:
    """Return the study with other keys; None takes one out."""
    study = copy.deepcopy(STUDY) | values
    study["leads"][0] |= lead or {}
    study["leads"][0] = {k: v for k, v in study["leads"][0].items() if v is not None}
    return study


def parsed(table: dict[str, Any]) -> DeepStudy:
    return parse_table(DeepStudy, table, where="s.toml", folder=None)


def refused(table: dict[str, Any]) -> str:
    """Return the sentence with which a study is refused before its head is built."""
    with pytest.raises(InputError) as error:
        check_study(parsed(table))
    return str(error.value)


def test_steering_line() -> None:
    found = parse_steering("2:-2mA, 3:-500uA, 4:off, 1:float, case")
    assert found.currents == {"2": -2e-3, "3": -5e-4}
    assert found.off == ("4",)
    assert found.case is True
    assert parse_steering("1:−1.5V,2:0V").voltages == {"1": -1.5, "2": 0.0}
    assert parse_steering("1:1e-3A,case:-1mA").case == -1e-3


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2:-2", "expected contact:current or contact:voltage"),
        ("2", "got '2'"),
        ("2:-2mA,2:1mA", "'2' comes twice"),
        ("2:-2mA,case,case", "'case' comes twice"),
        ("2:-2A,case", "expected at most 0.1 A, got '2:-2A'"),
        ("2:-2V,case:1V", "the case is what voltages are against"),
    ],
)
def test_steering_line_that_is_none(line: str, said: str) -> None:
    with pytest.raises(InputError, match=r"steering$") as error:
        parse_steering(line)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (changed({"steering": "5:-2mA, case"}), "expected a contact from '1' to '4', got '5'"),
        (changed({"contact": 9}), "expected a contact from 1 to 4, got 9"),
        (changed({"steering": "2:-2mA, 3:1mA"}), "they leave -1 mA"),
        (changed({"steering": "2:-2mA, case:1mA"}), "they leave -1 mA"),
        (changed({"steering": "4:off, case"}), "got none"),
        (changed({"model": "Medtronic 3398"}), "nearest: Medtronic 33"),
        (changed({"model": "Aleva directSTIM", "options": {"length_mm": 3}}), "length_mm"),
        (changed({"entry_mm": None}), "target_mm needs one of entry_mni_mm, entry_mm, direction"),
        (
            changed({"target_mm": None}),
            "expected one of target, target_mni_mm, target_mm, got none",
        ),
        (changed({"target_mm": None, "target": "left SNT"}), "nearest: left STN"),
        (changed({"target_mm": None, "target_mni_mm": [-12, -14, 700]}), "along z, got 700"),
        (
            changed({"target_mm": None, "target": "left STN"}, head={"name": "rat"}),
            "no transform between MNI and space 'parametric'",
        ),
        (changed(leads=[*STUDY["leads"], *STUDY["leads"]]), "two leads are called 'left'"),
        (changed(tissue={"interface": "day 2"}), "day 2"),
        (changed(pulse={"width_us": 9000}), "does not fit into"),
        (changed(tissue={"interface": "day 1"}, pulse={"recharge": "none"}), "leaves a charge"),
        (changed(tissue={"interface": "day 1"}, uncertainty={}), "samples resistive tissue"),
        (changed({"steering": "2:-2V, case"}, tissue={"interface": "day 1"}), "has voltages"),
        (changed({"options": {"gaps_mm": "x"}}), "leads, left"),
        (
            changed(leads=[STUDY["leads"][0] | {"name": n} for n in ("a b", "a.b")]),
            "would share its files with another",
        ),
        (changed(uncertainty={"encapsulation_mm": [0.5, 0.1]}), "from a smaller thickness"),
        (changed(results={"voxel_mm": 0.05, "margin_mm": 100}), "expected at most 10,000,000"),
        (changed(pathways=[TRACT | {"through_mm": [[0, 0, 0], [0, 0, 0]]}]), "the same point"),
        (changed(pulse={"ratio": 3}), "ratio belongs to recharge = 'asymmetric'"),
        (changed(volume={"fibre_um": 3.5, "threshold_V_per_m": 200}), "expected one of"),
        (changed(dosing={"target": "left STN"}), "unknown region or pathway 'left STN'"),
        (changed(regions=[{"target": "left STN"}, {"target": "left STN"}]), "two regions or"),
        (changed(pathways=[{"name": "a", "file": "none.trk"}]), "no such file none.trk"),
        (changed(pathways=[TRACT | {"fibre_um": 1}]), "greater than or equal to 2"),
        (
            changed(pathways=[{"name": "a", "through_mm": [[0, 0, 0], [9, 0, 0]], "space": "MNI"}]),
            "space belongs to a file",
        ),
        (changed(voltage=3), "unknown key 'voltage'"),
    ],
)
def test_what_is_refused_before_the_head_is_built(table: dict[str, Any], said: str) -> None:
    sentence = refused(table)
    assert said in sentence
    assert "\n" not in sentence


def test_leads_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main_with(["dbs", "leads"]) == 0
    told = capsys.readouterr().out
    assert "Medtronic 3389 " in told
    assert "1.36 (OSS-DBS) or 1.30 (Lead-DBS)" in told
    assert main_with(["dbs", "leads", "--lead", "x"]) == 2
    assert "--lead belongs to a run without a study file" in capsys.readouterr().err
    assert main_with(["dbs", "leads", "--json"]) == 0
    rows = {row["model"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["Boston Scientific Cartesia DB-2202"]["layout"] == "tip-3x2-1"
    assert rows["Medtronic 3389"]["contacts"] == 4


def test_quick_run_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["dbs", "--lead", "Medtronic 3389", "--target", "left STN", "--dry-run"]
    assert main_with([*asked, "--steering", "2:-2mA,case"]) == 0
    assert "dbs: valid: Medtronic 3389: left STN" in capsys.readouterr().out
    assert main_with([*asked, "--steering", "2:-2mA,3:1mA"]) == 2
    assert "they leave -1 mA" in capsys.readouterr().err
    assert main_with(asked) == 2
    assert "expected a study file, or --steering" in capsys.readouterr().err
    assert main_with([*asked[:-1], "--steering", "2:-2mA,case", "--set", "volume.fiber=3"]) == 2
    assert "unknown key 'fiber'" in capsys.readouterr().err


def test_study_file_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "one.toml"
    file.write_text(toml_text(STUDY), encoding="utf-8")
    assert main_with(["dbs", str(file), "--dry-run"]) == 0
    assert "one: valid: A lead in a ball" in capsys.readouterr().out
    assert main_with(["dbs", str(file), "--head", "rat"]) == 2
    assert "--head belongs to a run without a study file" in capsys.readouterr().err


def main_with(arguments: list[str]) -> int:
    """Run the command line in this process."""
    with patch.object(sys, "argv", ["rheobase", *arguments]):
        return main()


@pytest.mark.parametrize("name", KINDS["dbs"].studies())
def test_shipped_studies_are_valid(name: str) -> None:
    load_study(name, kind="dbs").check()


WHOLE = changed(
    resolution=0.5,
    regions=[{"name": "nucleus", "centre_mm": [-13, 2, 1], "radius_mm": 3}],
    pathways=[TRACT],
    pulse={"recharge": "none"},  # the weights of axons are on file
    dosing={"target": "nucleus", "spare": ["tract"], "contacts": 2},
    results={"voxel_mm": 0.5, "margin_mm": 5},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deep")


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    """Run the study once."""
    return run_dbs(parsed(WHOLE), text=toml_text(WHOLE), out=folder / "out")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_lead_and_volume(result: Result, folder: Path) -> None:
    out = folder / "out"
    assert all(f.is_file() for f in result.files)
    record = json.loads((out / "provenance.json").read_text(encoding="utf-8"))["dbs"]
    lead = record["leads"][0]
    # contact 2 is at the target, the axis goes through the entry
    frame = np.array(lead["frame_m"])
    assert np.allclose(frame[:3, 3] + 4.25e-3 * frame[:3, 2], [-0.012, 0, 0], atol=1e-9)
    way = np.array([-0.030, 0.020, 0.060]) - [-0.012, 0, 0]
    assert np.allclose(np.cross(way, frame[:3, 2]), 0, atol=1e-12)
    contacts = {r["contact"]: r for r in rows_of(out / "sub-sphere/sub-sphere_contacts.csv")}
    assert float(contacts["2"]["current_mA"]) == pytest.approx(-2)
    assert float(contacts["case"]["current_mA"]) == pytest.approx(2)
    assert abs(float(contacts["1"]["current_mA"])) < 1e-9
    # the image holds the volume that the table tells, around the active contact
    image: Any = nib.load(out / "sub-sphere/sub-sphere_desc-left_volume.nii.gz")
    part, voxel = np.asarray(image.dataobj), np.abs(np.linalg.det(image.affine[:3, :3]))
    told = lead["volume"]["volume_mm3"]
    assert float(part.sum()) * voxel == pytest.approx(told, rel=0.02)
    where = np.argwhere(part > 0)
    middle = image.affine[:3, :3] @ np.average(where, axis=0, weights=part[part > 0])
    assert np.linalg.norm(middle + image.affine[:3, 3] - [-12, 0, 0]) < 0.5
    field: Any = nib.load(out / "sub-sphere/sub-sphere_desc-left_field.nii.gz")
    E = np.asarray(field.dataobj)
    assert np.all(E[part >= 1] > 0.95 * record["threshold"]["threshold_V_per_m"])
    assert imread(out / "figures/sub-sphere_desc-leadLeft_figure.png")[..., :3].std() > 0.1


def test_regions_and_pathways(result: Result, folder: Path) -> None:
    (region,) = rows_of(folder / "out" / "sub-sphere/sub-sphere_regions.csv")
    assert 0 < float(region["share"]) < 1
    assert float(region["zone_mm3"]) == pytest.approx(4 / 3 * np.pi * 27, rel=0.02)
    table = result.tables["Pathways"]
    (row,) = (dict(zip(table.columns, r, strict=True)) for r in table.rows)
    assert row["fibres"] == 80 == sum(int(row[k]) for k in table.columns[6:])
    assert int(row["damaged"]) > 0  # the bundle runs through the lead's shaft or its layer
    curve = rows_of(folder / "out" / "sub-sphere/sub-sphere_recruitment.csv")
    x, y = (np.array([float(r[k]) for r in curve]) for k in ("amplitude_mA", "activated_percent"))
    assert np.all(np.diff(y) >= 0)
    assert y[0] == 0
    assert y[np.abs(x - 2).argmin()] == pytest.approx(float(row["activated (%)"]))


def test_steering_is_found(result: Result, folder: Path) -> None:
    found = json.loads(
        (folder / "out" / "sub-sphere/sub-sphere_dosing.json").read_text(encoding="utf-8")
    )["found"]
    scores = [row["score"] for row in found]
    assert scores == sorted(scores, reverse=True)
    best = found[0]
    assert best["score"] == pytest.approx(best["share of nucleus"] - best["share of tract"])
    assert best["share of nucleus"] > 0.2


def test_leads_come_from_the_cache(
    result: Result, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = parsed(WHOLE)
    around = dbs_solve.surroundings(study, open_head(study.head))
    (lead,) = dbs_solve.place_leads(study, around)
    dbs_solve.solve(study, study.leads[0], lead, around)
    monkeypatch.setattr("rheobase.fields.dbs.solution.system.assemble", None)  # would be called
    response, _ = dbs_solve.solve(study, study.leads[0], lead, around)
    told = json.loads((folder / "out" / "provenance.json").read_text(encoding="utf-8"))["dbs"]
    assert np.allclose(response.Z, told["leads"][0]["impedance_ohm"], rtol=1e-12)


def test_leads_that_cannot_be_there(tmp_path: Path) -> None:
    second = {**WHOLE["leads"][0], "name": "right", "target_mm": [-12.5, 0, 0]}
    for table, said in (
        (changed({"target_mm": [-100, 0, 0]}), "in tissue"),
        (changed(uncertainty=MANY), "samples or more"),
        (changed(head={"name": "sphere", "edge_length_mm": 7, "options": BONE}), "expected white"),
        (changed(leads=[*STUDY["leads"], second]), "'right' and 'left' overlap"),
    ):
        with pytest.raises(InputError, match=said):
            run_dbs(parsed(table), text="", out=tmp_path / "out")


@pytest.mark.slow
def test_dispersive(tmp_path: Path) -> None:
    table = changed(
        resolution=0.5,
        tissue={"dispersion": "4-term", "interface": "day 1"},
        results={"voxel_mm": 1.0, "margin_mm": 3},
    )
    result = run_dbs(parsed(table), text=toml_text(table), out=tmp_path)
    assert all(f.is_file() for f in result.files)
    rows = rows_of(tmp_path / "sub-sphere/sub-sphere_impedance.csv")
    f, R, X = (
        np.array([float(r[k]) for r in rows])
        for k in ("frequency_Hz", "resistance_ohm", "reactance_ohm")
    )
    assert np.all(np.diff(f) > 0)
    assert np.all(X < 0)  # capacitive
    assert np.all(np.diff(np.hypot(R, X)) < 0)


@pytest.mark.slow
def test_unsure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    white = {"tissue": "white_matter", "low_S_per_m": 0.1, "high_S_per_m": 0.2}
    table = changed(
        resolution=0.5,
        results={"voxel_mm": 1.0, "margin_mm": 3},
        uncertainty={"samples": 12, "rotation_deg": 0, "conductivities": [white]},
    )
    result = run_dbs(parsed(table), text=toml_text(table), out=tmp_path)
    assert all(f.is_file() for f in result.files)
    rows = json.loads(
        (tmp_path / "sub-sphere/sub-sphere_uncertainty.json").read_text(encoding="utf-8")
    )["rows"]
    volume = next(row for row in rows if "volume" in row["quantity"])
    assert volume["sd"] > 0
    assert max(volume["total"], key=volume["total"].get) == "white_matter"
