"""The uncertainty of a study: what it writes, and what it refuses."""

import copy
import csv
import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from rheobase.__main__ import main
from rheobase._errors import InputError
from rheobase.config import parse_study
from rheobase.dosing import run_uncertainty
from rheobase.tables.text import toml_text

STUDY: dict[str, Any] = {
    "title": "A ring on a ball",
    "head": {
        "name": "sphere",
        "edge_length_mm": 7,
        "options": {
            "radii_mm": [60, 70, 78, 86],
            "layers": ["white_matter", "grey_matter", "skull", "scalp"],
            "sigma_S_per_m": [0.14, 0.33, 0.01, 0.33],
        },
    },
    "device": {"kind": "tes", "montage_4x1": {"centre": "C3", "current_mA": 2.0}},
    "results": {"regions": [{"name": "below C3", "centre_mm": [-38, 0, 52], "radius_mm": 10}]},
    "uncertainty": {
        "samples": 12,
        "field_in": ["grey_matter"],
        "conductivities": [
            {"tissue": "skull", "low_S_per_m": 0.006, "high_S_per_m": 0.02},
            {"tissue": "grey_matter", "distribution": "normal", "mean_S_per_m": 0.33}
            | {"sd_S_per_m": 0.03, "low_S_per_m": 0.2, "high_S_per_m": 0.5},
        ],
    },
}


def changed(**values: Any) -> dict[str, Any]:
    study = copy.deepcopy(STUDY)
    study["uncertainty"] = {
        k: v for k, v in {**study["uncertainty"], **values}.items() if v is not None
    }
    return study


def test_study(tmp_path: Path) -> None:
    text = toml_text(STUDY)
    result = run_uncertainty(parse_study(STUDY), text=text, out=tmp_path)
    assert all(f.is_file() for f in result.files)
    with (tmp_path / "sub-sphere/sub-sphere_desc-field_uncertainty.csv").open(
        encoding="utf-8"
    ) as file:
        rows = list(csv.DictReader(file))
    assert [r["region"] for r in rows] == ["below C3", "grey_matter"]
    below = {k: float(v) for k, v in rows[0].items() if k != "region"}
    assert below["q5"] < below["q50"] < below["q95"]
    assert 0.05 < below["sd"] / below["mean"] < 0.5
    assert below["total_skull"] > 0.7  # the range is wide and the skull in the way
    assert below["error"] < 0.05
    record = json.loads((tmp_path / "provenance.json").read_text(encoding="utf-8"))["uncertainty"]
    assert record["samples"] == 12
    assert [i["tissue"] for i in record["inputs"]] == ["skull", "grey_matter"]
    assert imread(tmp_path / "figures/sub-sphere_desc-spread_figure.png")[..., :3].std() > 0.05


SKULL = {"tissue": "skull", "low_S_per_m": 0.006, "high_S_per_m": 0.02}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (changed(samples=3), "greater than or equal to 8, got 3"),
        (changed(conductivities=[{"tissue": "skull"}]), "'uniform' needs low_S_per_m"),
        (
            changed(conductivities=[SKULL | {"low_S_per_m": 0}]),
            "greater than 0, got 0: study, uncertainty.conductivities.0.low_S_per_m",
        ),
        (
            changed(
                conductivities=[
                    {"tissue": "skull", "distribution": "normal"}
                    | {"mean_S_per_m": 0.01, "sd_S_per_m": 0.005}
                ]
            ),
            "expected a distribution of conductivities > 0 S/m",
        ),
        (changed(conductivities=[SKULL | {"sd_S_per_m": 1.0}]), "sd_S_per_m does not go with"),
        (changed(conductivities=[SKULL, SKULL]), "tissue 'skull' comes twice"),
        (
            changed(electrodes=[{"electrode": "C3", "axis": "turn", "sd_mm": 3.0}]),
            "expected within_deg or sd_deg, got sd_mm",
        ),
        (changed(electrodes=[{"electrode": "C3", "axis": "front"}]), "expected one of within_mm"),
        (changed(coil=[{"axis": "x", "sd_mm": 3.0}]), r"needs a coil \('tms'\), got 'tes'"),
        (changed(correlations=[{"between": ["a", "b"], "r": 1.0}]), "less than 1, got 1"),
        (
            changed(correlations=[{"between": ["skull", "scalp"], "r": 0.5}]),
            "unknown random input 'scalp'",
        ),
        (changed(sample=8), r"unknown key 'sample', nearest: samples.*\[uncertainty\]"),
    ],
)
def test_refused_tables(table: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_study(table)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (changed(conductivities=[SKULL | {"tissue": "bone"}]), "'bone'"),
        (changed(tissues=["scalp"]), "expected a range to draw from, .* 'scalp'"),
        (changed(electrodes=[{"electrode": "C4", "axis": "front", "sd_mm": 3.0}]), "'C4'"),
        (
            changed(
                samples=8,
                electrodes=[
                    {"electrode": name, "axis": "front", "sd_mm": 1.0}
                    for name in ("C3", "return 1", "return 2", "return 3", "return 4")
                ],
            ),
            "expected 11 samples or more for polynomials of degree 1 in 7 inputs, got 8",
        ),
        (changed(field_in=["bone"]), "unknown tissue 'bone'"),
    ],
)
def test_refused_before_anything_is_solved(
    table: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def solve(*args: object, **kwargs: object) -> None:
        raise AssertionError("solved")

    monkeypatch.setattr("rheobase.fields.solver.Conductor.solve", solve)
    with pytest.raises(InputError, match=message) as caught:
        run_uncertainty(parse_study(table), text="", out=tmp_path)
    assert "\n" not in str(caught.value)


def test_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ring.toml"
    file.write_text(toml_text(STUDY), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["rheobase", "uncertainty", str(file), "--dry-run"])
    assert main() == 0
    assert "valid: A ring on a ball" in capsys.readouterr().out
    for options, message in (
        (["--samples", "2"], "greater than or equal to 8, got 2: ring.toml with other values"),
        (["--tissues", "skull"], "tissue 'skull' comes twice"),
    ):
        monkeypatch.setattr("sys.argv", ["rheobase", "uncertainty", str(file), *options])
        assert main() == 2
        assert message in capsys.readouterr().err
