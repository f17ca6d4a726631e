"""A study of deep brain stimulation: what it reads, refuses, finds and writes."""

import copy
import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from rheobase.__main__ import main
from rheobase._errors import InputError
from rheobase.dbs import check_study
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
        (changed(pulse={"ratio": 3}), "ratio belongs to recharge = 'asymmetric'"),
        (changed(volume={"fibre_um": 3.5, "threshold_V_per_m": 200}), "expected one of"),
        (changed(dosing={"target": "left STN"}), "unknown region or pathway 'left STN'"),
        (changed(regions=[{"target": "left STN"}, {"target": "left STN"}]), "two regions or"),
        (changed(pathways=[{"name": "a", "file": "none.trk"}]), "no such file none.trk"),
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
