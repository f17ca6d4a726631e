"""Studies of every kind from files, names, results and plain values; what errors tell."""

import json
from pathlib import Path
from typing import Any

import pytest

import rheobase
from rheobase._errors import InputError
from rheobase.kinds import KINDS, kind_of, shipped_studies
from rheobase.study_file import load_study
from rheobase.tables.text import toml_text

CURVE = "site,amplitude_mA,fraction\nhere,0.0,0.0\nhere,2.0,1.0\n"
LOOP: dict[str, Any] = {
    "title": "Pulses",
    "plant": {"kind": "fibres"},
    "recruitment": {"file": "curves/mine.csv", "site": "here"},
    "timing": {"duration_s": 0.5, "settle_s": 0.1, "period_s": 0.1},
    "controllers": [{"name": "always", "kind": "open loop"}],
}


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A study with a file beside it."""
    folder = tmp_path / "mine"
    (folder / "curves").mkdir(parents=True)
    (folder / "curves/mine.csv").write_text(CURVE, encoding="utf-8")
    (folder / "pulses.toml").write_text(toml_text(LOOP), encoding="utf-8")
    return folder / "pulses.toml"


@pytest.mark.parametrize("name", shipped_studies())
def test_the_kind_of_every_shipped_study_is_found(name: str) -> None:
    found = load_study(name)
    assert name in found.kind.studies()
    assert found.title in found.text
    assert found.out == Path("out") / name


def test_shipped_names_are_of_one_kind_each() -> None:
    assert len(shipped_studies()) == sum(len(kind.studies()) for kind in KINDS.values())


def test_a_run_is_repeated_from_its_results(
    beside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.chdir(beside.parent)  # where the paths of plain values start
    first = rheobase.run(LOOP, out=out, change={"timing.duration_s": 0.3})
    assert LOOP["timing"]["duration_s"] == 0.5, "what was given is not changed"
    courses = {p.name: p.read_bytes() for p in out.rglob("*course.csv")}
    assert len(courses) == 2
    for course in out.rglob("*course.csv"):
        course.unlink()
    monkeypatch.chdir(tmp_path / "mine/curves")  # the working folder does not matter now
    again = load_study(out)
    assert (again.kind.name, again.folder, again.out) == ("loop", beside.parent, out)
    assert "duration_s = 0.3" in again.text
    second = again.run()
    assert {p.name: p.read_bytes() for p in out.rglob("*course.csv")} == courses
    assert second.as_dict()["tables"] == first.as_dict()["tables"]
    assert rheobase.open_result(out).title == "Pulses"


def test_uncertainty_is_the_kind_that_its_results_say(tmp_path: Path) -> None:
    text = shipped_studies()["tdcs_motor"].read_text()
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    record = {"study": {"folder": str(tmp_path), "kind": "uncertainty", "text": text}}
    (tmp_path / "provenance.json").write_text(json.dumps(record), encoding="utf-8")
    assert load_study(tmp_path).kind.name == "uncertainty"
    assert load_study("tdcs_motor").kind.name == "field"


def test_a_folder_does_not_hide_a_shipped_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stn").mkdir()
    assert load_study("stn").kind.name == "dbs"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            'title = "x"\n\n[head]\nname = "sphere"\n\n[device]\nkind = "tes"\n'
            '\n[[device.electrodes]]\nname = "a"\nposition = "C3"\ncurent_mA = 1\n',
            r"unknown key 'curent_mA', nearest: current_mA.*: s\.toml, line 12, "
            r"\[device\.electrodes\.0\]$",
        ),
        (
            'title = "x"\nseed = -1\n[head]\nname = "sphere"\n[device]\nkind = "tms"\ncoil = "a"\n'
            'position = "C3"\n',
            r"expected a number greater than or equal to 0, got -1: s\.toml, line 2, seed$",
        ),
        (
            'title = "x"\n[head]\nname = "sphere"\n[device]\nkind = "tsm"\n',
            r"unknown kind 'tsm', nearest: tms.*: s\.toml, line 4, \[device\]$",
        ),
        (
            'title = "x"\n[head]\nname = "sphere"\n[results]\nformats = [\n  "vtu",\n  "vtk",\n]\n'
            '[device]\nkind = "tms"\ncoil = "a"\nposition = "C3"\n',
            r"expected 'vtu', 'vtkhdf', 'msh' or 'nifti', got 'vtk': s\.toml, line 7, "
            r"results\.formats\.1$",
        ),
        ('title = "x"\n[divice]\n', r"unknown table 'divice', nearest: device: s\.toml$"),
        ('title = "x"\n', r"expected one of the tables \[optimise\] \(optimise\), .*: s\.toml$"),
        ('title = "x\n', r"s\.toml is no valid TOML: .*line 1"),
        ('study = "x"\n[axes]\n', r"expected a study, got a sweep: rheobase sweep s\.toml"),
    ],
)
def test_errors_tell_file_line_and_what_is_allowed(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = tmp_path / "s.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=sentence) as caught:
        load_study(path)
    assert "\n" not in str(caught.value)


def test_errors_of_later_checks_tell_the_line_too(tmp_path: Path, beside: Path) -> None:
    (beside.parent / "curves/mine.csv").unlink()
    with pytest.raises(InputError, match=r"mine\.csv"):
        load_study(beside).check()
    text = shipped_studies()["tms_motor"].read_text().replace('"L4_basket"', '"L4_basked"')
    path = tmp_path / "s.toml"
    path.write_text(text, encoding="utf-8")
    line = next(k for k, row in enumerate(text.splitlines(), 1) if row.startswith("types"))
    told = rf"unknown cell type 'L4_basked', nearest: L4_basket.*\(s\.toml, line {line}\)$"
    with pytest.raises(InputError, match=told):
        load_study(path).check()


def test_another_kind_than_wanted() -> None:
    with pytest.raises(InputError, match=r"expected a study with \[device\] \(field\), got .*dbs"):
        load_study("stn", kind="field")
    with pytest.raises(InputError, match="unknown study 'parkinsons', nearest: parkinson"):
        load_study("parkinsons", kind="loop")
    with pytest.raises(InputError, match="unknown kind of study 'tms'"):
        load_study("tms_motor", kind="tms")


def test_changes_and_tables_left_out() -> None:
    found = load_study("tms_motor", change={"cells.placements": 7}, without=("network",))
    study: Any = found.study
    assert study.cells.placements == 7
    assert study.network is None
    assert "network" not in found.table
    assert load_study(found.table).study == study
    electrodes = load_study("tdcs_motor", change={"device.electrodes.1.size_mm": [60.0, 50.0]})
    changed: Any = electrodes.study
    assert changed.device.electrodes[1].size_mm == (60.0, 50.0)
    with pytest.raises(InputError, match="expected an item from 0 to 1, got '2'"):
        load_study("tdcs_motor", change={"device.electrodes.2.size_mm": [60.0, 50.0]})
    with pytest.raises(InputError, match=r"expected a table before the dot, got 'title\.x'"):
        load_study("tdcs_motor", change={"title.x": 1})


def test_results_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a folder of results with a study\.toml"):
        load_study(tmp_path)
    (tmp_path / "study.toml").write_text('title = "x"\n[device]\n', encoding="utf-8")
    (tmp_path / "provenance.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="expected the record of a run, got a damaged one"):
        load_study(tmp_path)


def test_a_dose_has_a_device_too() -> None:
    assert kind_of({"device": {}, "optimise": {}}, where="x").name == "optimise"
