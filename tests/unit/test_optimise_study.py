"""Optimisations from a study or the command line: what they find, write and refuse."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread

from rheobase.__main__ import main
from rheobase._errors import InputError
from rheobase.config import parse_study
from rheobase.dosing import run_optimise
from rheobase.fields.coils.frame import pose_from_simnibs
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.heads.sphere import shell_sheet
from rheobase.stations.aiming import check_inputs
from rheobase.stations.book import Book
from rheobase.stations.currents import currents_station
from rheobase.stations.poses import poses_station
from rheobase.study_file import load_study
from rheobase.tables.optimise import OptimiseStudy, OptimiseTES, OptimiseTMS
from rheobase.tables.parse import parse_table
from rheobase.tables.text import toml_text

BALL: dict[str, Any] = {
    "name": "sphere",
    "edge_length_mm": 7,
    "options": {
        "radii_mm": [60, 70, 78, 86],
        "layers": ["white_matter", "grey_matter", "skull", "scalp"],
        "sigma_S_per_m": [0.14, 0.33, 0.01, 0.33],
    },
}
TES: dict[str, Any] = {
    "title": "HD-tES of a ball",
    "head": BALL,
    "target": {"position": "C3"},
    "optimise": {
        "kind": "tes",
        "goal": "focality",
        "each_mA": 1.0,
        "electrodes": 4,
        "front": 3,
        "positions": ["C3", "C1", "C5", "FC3", "CP3", "T7"],
    },
}
TMS: dict[str, Any] = {
    "title": "TMS of a ball",
    "head": BALL,
    "target": {"position": "C3", "direction": [0, 1, 0]},
    "optimise": {"kind": "tms", "radius_mm": 12, "spacing_mm": 6, "step_deg": 45, "poses": 3}
    | {"field_V_per_m": 50},
}


def parsed(table: dict[str, Any]) -> OptimiseStudy:
    return parse_table(OptimiseStudy, table, where="s.toml", folder=None)


def test_currents(tmp_path: Path) -> None:
    result = run_optimise(parsed(TES), text=toml_text(TES), out=tmp_path)
    assert all(f.is_file() for f in result.files)
    with (tmp_path / "sub-sphere/sub-sphere_montage.csv").open(encoding="utf-8") as file:
        currents = {r["electrode"]: float(r["current_mA"]) for r in csv.DictReader(file)}
    assert abs(sum(currents.values())) < 1e-9
    assert 2 <= len(currents) <= 4
    assert max(map(abs, currents.values())) <= 1.0
    record = json.loads((tmp_path / "provenance.json").read_text(encoding="utf-8"))
    found = record["optimise"]
    reached = {str(row[0]): float(row[1]) for row in result.tables["Reached"].rows}
    assert found["value"] == pytest.approx(reached["the largest that the limits allow"] / 2)
    assert reached["mean |E| in the target"] > 3 * reached["mean |E| elsewhere"]
    assert "field" in found["active"]
    limits = {row[0]: row for row in result.tables["Limits"].rows}
    assert limits["electrodes"][1:] == (len(currents), 4.0, "yes" if len(currents) == 4 else "no")
    front = np.array([row[1:] for row in result.tables["Trade-off"].rows], dtype=float)
    assert np.all(np.diff(front, axis=0) > 0)
    assert imread(tmp_path / "figures/sub-sphere_desc-currents_figure.png")[..., :3].std() > 0.05

    # the study that is written is one that `rheobase run` takes, with the same currents
    again: Any = load_study(tmp_path / "run.toml").study
    assert again.device.kind == "tes"
    assert {e.name: e.current_mA for e in again.device.electrodes or []} == currents
    assert again.head.options == BALL["options"]


def test_pose(tmp_path: Path) -> None:
    result = run_optimise(parsed(TMS), text=toml_text(TMS), out=tmp_path)
    record = json.loads((tmp_path / "provenance.json").read_text(encoding="utf-8"))["optimise"]
    solved = record["solved_V_per_m_at_1_A_per_us"]
    assert record["by_reciprocity_V_per_m_at_1_A_per_us"] == pytest.approx(solved, rel=0.005)
    assert record["dIdt_A_per_us"] * solved == pytest.approx(50.0)
    poses = json.loads((tmp_path / "sub-sphere/sub-sphere_pose.json").read_text(encoding="utf-8"))[
        "poses"
    ]
    assert len(poses) == 3
    values = [p["in_target_V_per_m_at_1_A_per_us"] for p in poses]
    assert values == sorted(values, reverse=True)
    best = pose_from_simnibs(poses[0]["simnibs_mm"])
    assert np.allclose(best, record["pose_m"], atol=1e-9)
    assert best[1, 1] < -0.9  # the handle to the back drives current to the front
    with np.load(tmp_path / "sub-sphere/sub-sphere_desc-map_pose.npz") as every:
        assert every["poses_m"].shape[:2] == every["lift_m"].shape == every["clearance_m"].shape
        assert every["clearance_m"].min() > 0
        assert every["field_V_per_m"].max() == pytest.approx(values[0])
    again: Any = load_study(tmp_path / "run.toml").study
    assert again.device.kind == "tms"
    pose = again.device.pose()
    assert pose is not None
    assert np.allclose(pose, best, atol=1e-9)
    assert imread(tmp_path / "figures/sub-sphere_desc-poses_figure.png")[..., :3].std() > 0.05
    assert result.tables["Best poses"].rows[0][4] == 0.0


def test_carriers(tmp_path: Path) -> None:
    table = changed(TES, "optimise", kind="ti", goal="intensity", electrodes=None, front=0)
    result = run_optimise(parsed(table), text=toml_text(table), out=tmp_path)
    with (tmp_path / "sub-sphere/sub-sphere_montage.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [r["channel"] for r in rows] == ["1", "1", "2", "2"]
    assert len({r["electrode"] for r in rows}) == 4
    assert {r["carrier_Hz"] for r in rows} == {"2000.0", "2010.0"}
    currents = [float(r["current_mA"]) for r in rows]
    assert sum(map(abs, currents)) / 2 <= 2.0 + 1e-9
    reached = {str(row[0]): float(row[1]) for row in result.tables["Reached"].rows}
    # the envelope of the field that is drawn is what was optimised, within the target's spread
    envelope = reached["mean envelope in the target"]
    assert envelope == pytest.approx(reached["modulation, peak to peak, in the target"], rel=0.3)
    again: Any = load_study(tmp_path / "run.toml").study
    assert again.device.kind == "ti"
    assert [p.current_mA for p in again.device.pairs] == [abs(c) for c in currents[::2]]


def test_cells_count(ball: Head, tmp_path: Path) -> None:
    table = changed(TES, "target", cells={"type": "L5_pyramidal", "placements": 20})
    table = changed(table, "optimise", goal="intensity", electrodes=None, front=0)
    study, book = parsed(table), Book(out=tmp_path, subject="sphere")
    assert isinstance(study.optimise, OptimiseTES)
    currents_station(study, study.optimise, ball, book)
    found = book.details["optimise"]
    assert found["unit"] == "mV"
    assert 0.01 < found["value"] < 1.0  # a tenth of a millivolt for each V/m, and 2 mA
    # an anode over the cells polarises somata, which lie deep in the column, by current inwards
    (currents,) = found["currents_A"]
    assert currents["C3"] == pytest.approx(1e-3)
    with pytest.raises(InputError, match="unknown cell type 'L5_piramidal', nearest: L5_pyramid"):
        check_inputs(parsed(changed(TES, "target", cells={"type": "L5_piramidal"})))


@pytest.fixture(scope="module")
def ball() -> Head:
    """Return the ball with a cortex, as coarse as it can be."""
    made = build_head("sphere", edge_length_mm=7.9, **BALL["options"])
    return replace(made, cortex=shell_sheet(0.070, 0.003))


@pytest.mark.parametrize("every_pair", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_currents_that_recruit(ball: Head, every_pair: bool, tmp_path: Path) -> None:
    table = changed(TES, "target", cells={"type": "L5_pyramidal", "placements": 12})
    table = changed(
        table,
        "optimise",
        goal="recruitment",
        pulse_us=200,
        every_pair=every_pair,
        total_mA=700,
        each_mA=500,
        electrodes=None,
        positions=["C3", "C1", "C5", "T7"],
    )
    study, book = parsed(table), Book(out=tmp_path, subject="sphere")
    assert isinstance(study.optimise, OptimiseTES)
    currents_station(study, study.optimise, ball, book)
    found = book.details["optimise"]
    (currents,) = found["currents_A"]
    assert sum(i for i in currents.values() if i > 0) <= 0.7 + 1e-9
    assert 50 < found["value"] <= 100
    assert "local optimum" in found["proved"]
    assert ("fires more than" in found["proved"]) == every_pair
    record = json.loads(
        (tmp_path / "sub-sphere/sub-sphere_montage.json").read_text(encoding="utf-8")
    )
    assert record["in_target_percent"] == found["value"]


@pytest.mark.slow
def test_pose_that_recruits(ball: Head, tmp_path: Path) -> None:
    cells = {"type": "L5_pyramidal", "placements": 12}
    table = changed(TMS, "target", direction=None, cells=cells)
    table = changed(
        table,
        "optimise",
        goal="recruitment",
        intensity_A_per_us=150,
        field_V_per_m=None,
        modes=40,
        radius_mm=6,
        step_deg=90,
    )
    study, book = parsed(table), Book(out=tmp_path, subject="sphere")
    assert isinstance(study.optimise, OptimiseTMS)
    poses_station(study, study.optimise, ball, book)
    found = book.details["optimise"]
    assert 0 < found["share_solved"] < 1
    with xr.open_dataset(tmp_path / "sub-sphere/sub-sphere_recruitment.nc") as cells_solved:
        curve = cells_solved.threshold.sel(polarity="plus").values * 1e-6
    assert found["share_solved"] == pytest.approx(float(np.mean(curve <= 150)))
    # few modes: the field that they lack moves the thresholds, and with them the share
    low, high = (float(np.mean(curve * (1 + k * found["modes_missing"]) <= 150)) for k in (1, -1))
    assert low <= found["share_by_modes"] <= high
    with np.load(tmp_path / "sub-sphere/sub-sphere_desc-map_pose.npz") as every:
        share = every["cells_that_fire_percent"]
    assert share.max() >= 100 * found["share_by_modes"] - 1e-9
    poses = json.loads((tmp_path / "sub-sphere/sub-sphere_pose.json").read_text(encoding="utf-8"))[
        "poses"
    ]
    assert poses[0]["cells_that_fire_percent"] == pytest.approx(100 * found["share_by_modes"])
    again: Any = load_study(tmp_path / "run.toml").study
    assert again.results.intensity_A_per_us == 150


def changed(table: dict[str, Any], where: str, **values: Any) -> dict[str, Any]:
    part = {k: v for k, v in {**table[where], **values}.items() if v is not None}
    return {**table, where: part}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (changed(TES, "target", position=None), "expected one of name, mni_mm, .*, got none"),
        (changed(TES, "target", mni_mm=[0, 0, 0]), "expected one of .*, got mni_mm and position"),
        (
            changed(TES, "target", position=None, name="left dlfpc"),
            "unknown target 'left dlfpc', nearest: left DLPFC.*: s.toml, target",
        ),
        (
            changed(TES, "target", position=None, mni_mm=[0, 0, 500]),
            "expected an MNI coordinate in the brain, -90 to 95 mm along z, got 500",
        ),
        (changed(TES, "target", direction=[0, 0, 0]), "direction must not be 0, 0, 0"),
        (changed(TES, "target", atlas="a.nii"), "expected one of .*, got position and atlas"),
        (changed(TES, "target", parcels=["V1"]), "atlas and parcels belong together"),
        (changed(TES, "optimise", kind="tec"), r"unknown kind 'tec', .*: s.toml, \[optimise\]"),
        (
            changed(TES, "optimise", goal="focal"),
            "'intensity', 'focality', 'lcmv' or 'recruitment', got 'focal'",
        ),
        (changed(TES, "optimise", total_ma=1), r"unknown key 'total_ma', nearest: total_mA"),
        (changed(TES, "optimise", total_mA=0), "greater than 0, got 0: s.toml, optimise.total_mA"),
        (
            changed(TES, "optimise", electrodes=9),
            r"expected at most as many electrodes as positions \(6\), got 9",
        ),
        (changed(TES, "optimise", positions=["C3", "C3"]), "position 'C3' comes twice"),
        (
            changed(TES, "optimise", goal="intensity", field_V_per_m=0.1),
            "field_V_per_m belongs to goal = 'focality' or 'lcmv'",
        ),
        (
            changed(TES, "target", cells={"type": "L5_pyramidal"}, direction=[0, 0, 1]),
            "cells have a direction of their own, got direction too",
        ),
        (
            changed(TMS, "target", cells={"type": "L5_pyramidal"}, direction=None),
            "target.cells needs kind = 'tes' or goal = 'recruitment', got 'tms'",
        ),
        (
            changed(TES, "optimise", goal="recruitment", pulse_us=200),
            "goal = 'recruitment' needs .target.cells.",
        ),
        (
            changed(
                changed(TES, "target", cells={"type": "L5_pyramidal"}),
                "optimise",
                goal="recruitment",
            ),
            "goal = 'recruitment' needs pulse_us: thresholds are those of pulses",
        ),
        (changed(TES, "optimise", pulse_us=200), "pulse_us belongs to goal = 'recruitment', got"),
        (changed(TMS, "optimise", modes=60), "modes belongs to goal = 'recruitment', got 'field'"),
        (
            changed(TMS, "optimise", goal="recruitment", field_V_per_m=None),
            "goal = 'recruitment' needs intensity_A_per_us: cells fire at some dI/dt",
        ),
        (
            changed(TES, "optimise", polarisation_mV=0.1),
            "optimise.polarisation_mV belongs to a target with cells",
        ),
        (
            changed(TES, "optimise", kind="ti", carriers_Hz=[2000, 2000]),
            "two carriers of the same frequency do not beat",
        ),
        (
            changed(TES, "optimise", kind="ti", electrodes=3),
            "two carriers need four electrodes or more",
        ),
        (changed(TMS, "optimise", spacing_mm=0), "greater than 0, got 0"),
    ],
)
def test_refused_tables(table: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parsed(table)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            changed(TES, "optimise", positions=["C3", "Q9", "C4", "Cz"]),
            "unknown electrode position 'Q9'",
        ),
        (changed(TES, "optimise", positions=None, lead_field="no.h5"), "no such file no.h5"),
        (changed(TMS, "optimise", coil="magstm"), "unknown coil 'magstm', nearest: magstim"),
        (
            changed(TES, "optimise", positions=None, electrodes=500),
            r"expected at most as many electrodes as positions \(\d+\), got 500",
        ),
        (changed(TMS, "optimise", deformations=[1.0]), "only a .tcd file has deformations"),
    ],
)
def test_refused_before_the_head_is_built(table: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_inputs(parsed(table))


def test_coil_on_a_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = SimpleNamespace(name="grid", sampled=("field",))
    monkeypatch.setattr(OptimiseTMS, "open_coil", lambda table: grid)
    with pytest.raises(InputError, match=r"'grid' is a field on a grid: optimise\.coil"):
        check_inputs(parsed(TMS))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (changed(TES, "target", tissues=["csf"]), "unknown tissue 'csf'"),
        (
            changed(TES, "target", position=None, centre_mm=[0, 0, 300]),
            "expected a target that holds some of grey_matter, it holds none",
        ),
        (
            changed(TES, "target", position=None, mni_mm=[0, 0, 0]),
            "no transform between MNI and space 'sphere', needed by target 'MNI 0, 0, 0 mm'",
        ),
        (changed(TES, "optimise", spare=["bone"]), "unknown tissue 'bone'"),
    ],
)
def test_refused_before_anything_is_solved(
    table: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def solve(*args: object, **kwargs: object) -> None:
        raise AssertionError("solved")

    monkeypatch.setattr("rheobase.fields.leadfield_solve.lead_field", solve)
    with pytest.raises(InputError, match=message) as caught:
        run_optimise(parsed(table), text="", out=tmp_path)
    assert "\n" not in str(caught.value)


def test_limits_that_conflict(tmp_path: Path) -> None:
    table = changed(TES, "optimise", field_V_per_m=50.0)
    with pytest.raises(InputError, match=r"50 V/m|total|each") as caught:
        run_optimise(parsed(table), text="", out=tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["tes"], "expected --head and --target: rheobase optimise tes"),
        (["tes", "--head", "mni152", "--target", "left DLPC"], "unknown target 'left DLPC'"),
        (["tes", "--head", "mni15", "--target", "C3"], "unknown head 'mni15', nearest: mni152"),
        (["tes", "--head", "mni152", "--target", "1,2"], "expected three numbers x,y,z, got '1,2'"),
        (["tms", "--head", "mni152", "--target", "C3", "--set", "x"], "expected --set name=value"),
        (["nowhere.toml"], "no study file nowhere.toml"),
        (["nowhere.toml", "--total-mA", "2"], "a study file says it all, got total_mA too"),
    ],
)
def test_command_line(
    options: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["rheobase", "optimise", *options])
    assert main() == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_dry_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["tes", "--head", "mni152", "--target", "left DLPFC", "--dry-run"]
    monkeypatch.setattr("sys.argv", ["rheobase", "optimise", *options])
    assert main() == 0
    assert "tes: valid: tes: left DLPFC" in capsys.readouterr().out


def test_tables_as_text() -> None:
    found = load_study("tdcs_motor")
    study: Any = found.study
    plain = study.model_dump(exclude_defaults=True, mode="json")
    import tomllib

    assert parse_study(tomllib.loads(toml_text(plain))) == study
    assert study.title in found.text
    assert (
        toml_text({"a": None, "µ b": [1.5, True], "c": 'x"y\n'})
        == '"µ b" = [1.5, true]\nc = "x\\"y\\n"\n'
    )
