"""`rheobase fus` on the command line, and studies that are refused before the head is built."""

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
from rheobase.fields.acoustics.media import WATER
from rheobase.fus import check_study, run_fus
from rheobase.kinds import KINDS
from rheobase.stations.fus_quick import layers_of
from rheobase.study_file import load_study
from rheobase.tables.fus import UltrasoundStudy
from rheobase.tables.parse import parse_table
from rheobase.tables.text import toml_text

STUDY: dict[str, Any] = {
    "title": "A bowl over a ball",
    "head": {"name": "sphere"},
    "target": {"centre_mm": [0, 0, 40]},
    "transducer": {"name": "itrusst-sc1"},
    "drive": {"source_pressure_kPa": 60},
    "sonication": {"pulse_ms": 20, "prf_Hz": 5, "train_s": 10},
}


def changed(**tables: Any) -> dict[str, Any]:
    """Return the study with other tables; None takes one out."""
    study = copy.deepcopy(STUDY) | tables
    return {k: v for k, v in study.items() if v is not None}


def check(table: dict[str, Any]) -> Any:
    return check_study(parse_table(UltrasoundStudy, table, where="s.toml", folder=None))


def main_with(arguments: list[str]) -> int:
    """Run the command line in this process."""
    with patch.object(sys, "argv", ["rheobase", *arguments]):
        return main()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (changed(head=None), "expected [head], [ct] or both, got none"),
        (changed(target={"name": "left VMI"}), "nearest: left VIM"),
        (changed(target={"name": "left VIM"}, head={"name": "rat"}), "no transform between MNI"),
        (changed(target={"mni_mm": [0, 0, 400]}), "along z, got 400"),
        (changed(target={}), "expected one of name, mni_mm, centre_mm, got none"),
        (changed(transducer={"name": "ctx500"}), "nearest: ctx-500"),
        (changed(transducer={"name": "ctx-500", "aperture_mm": 3}), "the catalogue knows"),
        (changed(transducer={"kind": "bowl", "aperture_mm": 30}), "needs curvature_radius_mm"),
        (
            changed(transducer={"kind": "disc", "aperture_mm": 9, "frequency_kHz": 500}),
            "give distance_mm",
        ),
        (
            changed(
                transducer={
                    "kind": "file",
                    "file": "no.csv",
                    "element_mm": 3,
                    "frequency_kHz": 500,
                }
            ),
            "no such file no.csv: transducer.file",
        ),
        (changed(placement={"entry": "C33"}), "unknown 10-10 position 'C33', nearest: C3"),
        (changed(placement={"entry": "C3", "direction": [0, 0, 1]}), "got entry and direction"),
        (changed(drive={}), "expected one of source_pressure_kPa"),
        (changed(drive={"source_pressure_kPa": -1}), "greater than 0"),
        (changed(sonication={"pulse_ms": 1, "prf_Hz": 5, "duty": 0.1}), "two of pulse_ms"),
        (changed(sonication={"pulse_ms": 300, "prf_Hz": 5, "train_s": 9}), "pulse_interval must"),
        (changed(sonication={"pulse_ms": 20, "prf_Hz": 5}), "for how long do pulses repeat"),
        (changed(window={"per_wavelength": 3}), "nodes a wavelength for elements of order"),
        (changed(window={"depth_mm": [50, 20]}), "from a smaller depth to a larger one"),
        (changed(window={"half_width_mm": 0.5}), "at least a wavelength in water"),
        (changed(correction="conjugation"), "needs elements with phases of their own"),
        (changed(neurons={"cells": ["RSX"]}), "unknown point neuron 'RSX'"),
        (changed(neurons={"types": ["L1_vip"]}), "cell type with a point neuron"),
        (changed(ct={"file": "ct.nii", "mapping": "aubry2003"}), "no such file ct.nii: ct.file"),
        (
            changed(head=None, ct={"file": "ct.nii", "mapping": "aubry2003"}, heat={}),
            "[heat] needs a mesh",
        ),
        (changed(haet={}), "unknown key 'haet', nearest: heat"),
    ],
)
def test_what_is_refused_before_the_head_is_built(table: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        check(table)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_what_it_will_take() -> None:
    small = check(changed(window={"half_width_mm": 10, "depth_mm": [20, 60]}))
    large = check(changed(window={"half_width_mm": 20, "depth_mm": [20, 60]}))
    assert small.box == pytest.approx((0.02, 0.02, 0.04))
    assert 1.5 < large.nodes / small.nodes < 4  # the rim does not grow
    assert large.bytes > small.bytes
    assert large.seconds > small.seconds
    three = changed(
        transducer={"name": "igt64-500"},
        window={"half_width_mm": 10, "depth_mm": [20, 60]},
    )
    assert check(three | {"correction": "conjugation"}).seconds == pytest.approx(
        3 * check(three).seconds
    )


def test_what_does_not_fit_in_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rheobase.stations.fus_inputs.free_memory", lambda: 1e6)
    study = parse_table(UltrasoundStudy, STUDY, where="s.toml", folder=None)
    monkeypatch.setattr("rheobase.fus.head_station", None)  # not reached
    for refused in (check_study, lambda s: run_fus(s, text="", out=tmp_path / "out")):
        with pytest.raises(InputError, match="memory are free: take a smaller window"):
            refused(study)
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr("rheobase.stations.fus_inputs.free_memory", lambda: 1e15)
    with pytest.raises(TypeError):  # the head, after the estimate was told
        run_fus(study, text="", out=tmp_path / "out")
    assert "M nodes" in capsys.readouterr().err


@pytest.mark.parametrize("name", KINDS["fus"].studies())
def test_shipped_studies_are_valid(name: str) -> None:
    load_study(name, kind="fus").check()


def test_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "one.toml"
    file.write_text(toml_text(STUDY), encoding="utf-8")
    assert main_with(["fus", "run", str(file), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "one: valid: A bowl over a ball" in told
    assert "M nodes" in told
    assert main_with(["fus", "run", str(file), "--dry-run", "--json"]) == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert next(s["size"] for s in steps if s["what"] == "waves").endswith(" mm, 1 solution")
    wrong = ["fus", "run", str(file), "--dry-run", "--set", "drive.source_pressure_kPa=-3"]
    assert main_with(wrong) == 2
    assert "greater than 0" in capsys.readouterr().err
    assert main_with(["fus", "run", "no_such_study", "--dry-run"]) == 2


def test_transducers_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main_with(["fus", "devices"]) == 0
    assert "ctx-500" in capsys.readouterr().out
    assert main_with(["fus", "devices", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["itrusst-sc1"]["radius_mm"] == 64
    assert rows["itrusst-sc2"]["radius_mm"] is None
    assert rows["dome-1024"]["elements"] == 1024


def test_layers_of_a_line() -> None:
    medium = layers_of("30:skull, 36.5:grey_matter")
    assert [f.name for f in medium.fluids] == ["water", "skull", "grey_matter"]
    curved = layers_of("30:skull, 36.5:grey_matter", 0.075)
    assert float(curved.surfaces[1](0.0, 0.0)) == pytest.approx(0.0365)
    for line, said in (
        ("30", "expected depth:tissue"),
        ("x:skull", "expected depth:tissue"),
        ("30:skull,20:brain", "unknown tissue 'brain'"),
        ("30:skull,20:grey_matter", "depths > 0 that grow"),
    ):
        with pytest.raises(InputError, match=said):
            layers_of(line)


def test_quick_look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["fus", "quick", "--transducer", "itrusst-sc2", "--frequency-kHz", "200"]
    asked += ["--depth-mm", "40", "--radius-mm", "15", "--layers", "15:skull,20:grey_matter"]
    assert main_with([*asked, "--out", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    water, behind = told["tables"]["Focus"]
    assert behind["peak of that in water (%)"] < 60
    # a piston on its axis: 2 rho c u |sin(k (sqrt(z² + a²) - z) / 2)|
    z, k = 1e-3 * water["at (mm)"], 2 * np.pi * 200e3 / WATER.sound_speed
    piston = 120 * abs(np.sin(0.5 * k * (np.hypot(z, 0.01) - z)))
    assert water["peak behind the layers (kPa)"] == pytest.approx(piston, rel=1e-3)
    assert behind["at (mm)"] >= 20
    assert (tmp_path / "figures/sub-layers_desc-quick_figure.png").is_file()
    assert main_with(["fus", "quick", "--pressure-kPa", "-1"]) == 2
    assert main_with(["fus", "quick", "--transducer", "igt64-500"]) == 2
    assert "ring" in capsys.readouterr().err
