"""The folder of a result: names by rule, whole files only, read and drawn again."""

import json
import re
import shutil
from math import inf, isinf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from rheobase._errors import InputError
from rheobase.naming import ENTITIES, file_name, label
from rheobase.report import Section, Table
from rheobase.results import Result, finish, open_book, open_result, rewrite_report
from rheobase.stations.book import Book
from rheobase.stations.head import subject_of
from rheobase.views import new_figure

# a BIDS name: pairs of entity and label, then a suffix and an extension
NAME = re.compile(r"([a-z]+-[0-9A-Za-z]+_)*[0-9A-Za-z]+(\.[0-9A-Za-z]+)+")
TEXT = "title = 'x'\n"


def fill(book: Book, value: float = 1.5) -> None:
    """Write what a study would."""
    with book.file("recruitment", ".nc", title="Thresholds", role="cells") as part:
        xr.Dataset({"threshold": ("cell", np.full(3, value))}).to_netcdf(part, engine="h5netcdf")
    figure = new_figure(2, 2)
    figure.subplots().plot([0, 1])
    table = Table(columns=("cell", "threshold", "n"), rows=[("a", value, 3), ("b", inf, 2)])
    book.tables["Thresholds"] = table
    book.facts["Head"] = "none"
    picture = book.picture("threshold curve", figure, "Curves.")
    book.sections.append(Section(title="Cells", figures=[picture], tables=[table]))
    book.notes.append("made up")


def run(out: Path, value: float = 1.5, **how: Any) -> Result:
    with open_book(TEXT, out, head="slab-motor", kind="field", folder=Path("/data"), **how) as book:
        fill(book, value)
        return finish(book, title="A title", question="Why?", text=TEXT, seed=7, read={})


def files_in(out: Path) -> set[str]:
    return {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("suffix", "entities"),
    [
        ("field", {"desc": "magnE", "sub": "mni152", "space": "MNI152NLin2009aSym"}),
        ("figure", {"desc": "lead_left", "sub": "a b-c"}),
        ("field", {"stat": "mean", "desc": "", "space": "MNI152"}),
        ("results", {}),
    ],
)
def test_names_follow_the_rules(suffix: str, entities: dict[str, str]) -> None:
    name = file_name(suffix, ".nii.gz", **entities)
    assert NAME.fullmatch(name)
    *pairs, last = name.split(".")[0].split("_")
    assert last == suffix
    order = [ENTITIES.index(pair.split("-")[0]) for pair in pairs]
    assert order == sorted(order)
    assert len(pairs) == sum(bool(v) for v in entities.values())


def test_names_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="unknown entities"):
        file_name("field", ".vtu", run="1")
    with pytest.raises(ValueError, match="no letter or digit"):
        label("–")
    assert subject_of(Path("sub-ernie_ses-2_T1w.nii.gz")) == "ernie"
    assert subject_of(Path("m2m_ernie")) == "ernie"
    assert subject_of(Path("rat_atlas.msh")) == "rat_atlas"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return run(tmp_path_factory.mktemp("made"))


def test_a_folder_is_whole_and_read_again(made: Result) -> None:
    tmp_path = made.out
    assert files_in(tmp_path) == {f.relative_to(tmp_path).as_posix() for f in made.files}
    assert files_in(tmp_path) == {
        "dataset_description.json",
        "study.toml",
        "report.html",
        "report.json",
        "provenance.json",
        "sub-slabMotor/sub-slabMotor_recruitment.nc",
        "figures/sub-slabMotor_desc-thresholdCurve_figure.png",
    }
    assert made.files[0].name == "report.html"
    again = open_result(str(tmp_path))
    assert again.table() == made.table()
    assert again.as_dict() == made.as_dict()
    assert set(again.files) == set(made.files)
    assert isinf(float(again.tables["Thresholds"].rows[1][1]))
    assert again.dataset("recruitment")["threshold"].values.tolist() == [1.5] * 3
    with pytest.raises(InputError, match="unknown dataset 'recruitmen', nearest: recruitment"):
        again.dataset("recruitmen")
    for missing in (again.scene, again.plot, again.field):
        with pytest.raises(InputError, match=re.escape(str(tmp_path))):
            missing()


def test_provenance_lists_what_was_written(made: Result) -> None:
    tmp_path = made.out
    record = json.loads((tmp_path / "provenance.json").read_text(encoding="utf-8"))
    assert record["finished"]
    assert record["seed"] == 7
    assert record["study"]["kind"] == "field"
    assert record["study"]["folder"] == "/data"
    outputs = {o["path"]: o for o in record["outputs"]}
    assert set(outputs) == files_in(tmp_path) - {"provenance.json"}
    for path, output in outputs.items():
        assert output["bytes"] == (tmp_path / path).stat().st_size
        assert len(output["sha256"]) == 64
    assert outputs["sub-slabMotor/sub-slabMotor_recruitment.nc"]["role"] == "cells"
    described = json.loads((tmp_path / "dataset_description.json").read_text(encoding="utf-8"))
    assert described["DatasetType"] == "derivative"
    assert described["GeneratedBy"][0]["Name"] == "rheobase"
    assert described["Name"] == made.title


def test_a_report_is_drawn_again_from_the_folder(made: Result, tmp_path: Path) -> None:
    shutil.copytree(made.out, tmp_path, dirs_exist_ok=True)
    first = (tmp_path / "report.html").read_text(encoding="utf-8")
    provenance = (tmp_path / "provenance.json").read_text(encoding="utf-8")
    (tmp_path / "report.html").write_text("spoilt", encoding="utf-8")
    assert rewrite_report(tmp_path) == tmp_path / "report.html"
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == first
    assert (tmp_path / "provenance.json").read_text(encoding="utf-8") == provenance
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    assert rewrite_report(moved).read_text(encoding="utf-8") == first


def test_folders_that_are_none_and_damaged_results_are_refused(
    made: Result, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with (
        pytest.raises(InputError, match=r"expected a folder for the results, got the file .*file"),
        open_book(TEXT, file),
    ):
        pass
    assert file.read_text() == "mine"
    out = tmp_path / "out"
    shutil.copytree(made.out, out)
    record = json.loads((out / "provenance.json").read_text(encoding="utf-8"))
    del record["outputs"][0]["bytes"]
    (out / "provenance.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(InputError, match=r"damaged one without 'bytes': .*provenance.json"):
        rewrite_report(out)
    (picture,) = (out / "figures").iterdir()
    picture.unlink()
    with pytest.raises(InputError, match=r"expected the picture .*found no .*figures"):
        rewrite_report(out)


def test_an_interrupted_run_leaves_whole_files_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        with open_book(TEXT, tmp_path, head="slab-motor") as book:
            fill(book)
            with book.file("network", ".nc", title="Spikes", role="network") as part:
                part.write_bytes(b"half")
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert "not finished; 3 whole files are in" in capsys.readouterr().err
    whole = files_in(tmp_path)
    assert "sub-slabMotor/sub-slabMotor_recruitment.nc" in whole
    assert not any("network" in name or "part" in name for name in whole)
    with pytest.raises(InputError, match=r"did not finish; whole files: study.toml, sub-slab"):
        open_result(tmp_path)
    assert run(tmp_path).table()
    assert open_result(tmp_path).title == "A title"


def test_a_second_run_takes_away_what_the_first_alone_had(tmp_path: Path) -> None:
    with open_book(TEXT, tmp_path, head="slab-motor") as book:
        fill(book)
        with book.file("network", ".nc", title="Spikes", role="network") as part:
            part.write_bytes(b"spikes")
        finish(book, title="A", question="", text=TEXT, seed=1, read={})
    mine = tmp_path / "sub-slabMotor/notes.txt"
    mine.write_text("keep me", encoding="utf-8")
    outside = tmp_path.parent / "outside.txt"
    outside.write_text("keep me", encoding="utf-8")
    record = json.loads((tmp_path / "provenance.json").read_text(encoding="utf-8"))
    record["outputs"].append({"path": "../outside.txt"})
    (tmp_path / "provenance.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(RuntimeError), open_book(TEXT, tmp_path, head="slab-motor"):
        raise RuntimeError  # nothing is lost of the first but its report
    assert (tmp_path / "sub-slabMotor/sub-slabMotor_network.nc").is_file()
    made = run(tmp_path)
    assert files_in(tmp_path) == {f.relative_to(tmp_path).as_posix() for f in made.files} | {
        "sub-slabMotor/notes.txt"
    }
    assert outside.is_file()


def test_two_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    book = Book(out=tmp_path)
    with book.file("field", ".nii.gz", desc="left lead", title="one") as part:
        assert part.name.endswith(".nii.gz")
        part.write_bytes(b"1")
    for _ in range(2):
        with book.file("field", ".nii.gz", desc="left-lead", title="other") as part:
            part.write_bytes(b"2")
    names = ["leftLead", "leftLeadV2", "leftLeadV3"]
    assert [o.path for o in book.outputs] == [f"group/desc-{n}_field.nii.gz" for n in names]
    with book.own("study.toml", title="one", role="study") as part:
        part.write_bytes(b"1")
    with (
        pytest.raises(InputError, match=r"two files of a result would be called study\.toml"),
        book.own("study.toml", title="other", role="study"),
    ):
        pass


@pytest.mark.parametrize("text", [None, "nothing", "[]", '{"finished": true, "outputs": []}'])
def test_a_folder_that_is_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "provenance.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(str(tmp_path))):
        open_result(tmp_path)


def test_numbers_that_json_does_not_know(tmp_path: Path) -> None:
    with open_book(TEXT, tmp_path, head="x") as book:
        book.tables["t"] = Table(columns=("a", "b"), rows=[(nan, np.float64(-inf))])
        finish(book, title="A", question="", text=TEXT, seed=1, read={})
    json.loads((tmp_path / "report.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    (row,) = open_result(tmp_path).tables["t"].rows
    assert np.isnan(float(row[0]))
    assert float(row[1]) == -inf
