"""Direct current beside its levels: by hand, and in the report of a study."""

import csv
from math import pi
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rheobase._errors import InputError
from rheobase.fields.electrodes.electrode import place_electrode
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.electrodes.safety import direct_current_exposure
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.placing.outlines import Disc, Rectangle
from rheobase.stations.field_tables import exposures
from rheobase.study_file import run


@pytest.fixture(scope="module")
def head() -> Head:
    return build_head(
        "sphere",
        radii_mm=(80, 92),
        layers=("grey_matter", "scalp"),
        sigma_S_per_m=(0.33, 0.33),
        edge_length_mm=11,
    )


def montage(head: Head, current: float) -> Montage:
    big = place_electrode(head, "C3", shape=Rectangle(width_mm=50, height_mm=70))
    small = place_electrode(head, "C4", shape=Disc(radius_mm=6))
    return Montage(name="pads", electrodes=(big, small), currents=(current, -current))


def test_numbers_and_their_levels(head: Head) -> None:
    rows = direct_current_exposure(montage(head, 2e-3), brain={"grey matter": 0.1})
    told = {(row.quantity, row.where): row for row in rows}
    assert told["current in all", ""].value == pytest.approx(2.0)
    assert told["charge of 40 min", ""].value == pytest.approx(4.8)  # 2 mA for 2,400 s
    density = "mean current density of an electrode"
    assert told[density, "C3"].value == pytest.approx(2e-3 / (50e-3 * 70e-3))
    assert told[density, "C4"].value == pytest.approx(2e-3 / (pi * 6e-3**2))
    assert told["current density in the brain", "grey matter"].value == 0.1
    assert {row.verdict for row in rows} == {"below"}


def test_what_is_above_is_told(head: Head) -> None:
    rows = direct_current_exposure(montage(head, 5e-3), brain={"grey matter": 7.0})
    assert {(row.quantity, row.where) for row in rows if row.verdict == "above"} == {
        ("current in all", ""),
        ("charge of 40 min", ""),
        ("mean current density of an electrode", "C4"),
        ("current density in the brain", "grey matter"),
    }


@pytest.mark.parametrize("density", [-1.0, float("nan"), float("inf")])
def test_bad_densities_are_refused(head: Head, density: float) -> None:
    with pytest.raises(InputError, match=r"expected a current density >= 0 A/m².*grey matter"):
        direct_current_exposure(montage(head, 1e-3), brain={"grey matter": density})


def test_only_direct_current_through_a_human_head_has_levels(head: Head) -> None:
    def told(*montages: Montage, hertz: float | None = None, species: str = "human") -> bool:
        cells = None if hertz is None else SimpleNamespace(frequency_Hz=hertz)
        placed = SimpleNamespace(
            montages=montages, head=SimpleNamespace(species=species), tensors=object()
        )
        study: Any = SimpleNamespace(cells=cells)
        nowhere: Any = SimpleNamespace(head=head)
        return bool(exposures(study, placed, nowhere))  # type: ignore[arg-type]

    one = montage(head, 1e-3)
    assert told(one)
    assert told(one, hertz=0.0)
    assert not told(one, hertz=10.0)
    assert not told(one, species="rat")
    assert not told(one, one)  # temporal interference
    assert not told()  # a coil


def test_report_tells_it(tmp_path: Path) -> None:
    study = {
        "title": "pads",
        "head": {
            "name": "sphere",
            "edge_length_mm": 11.0,
            "options": {
                "radii_mm": [80.0, 92.0],
                "layers": ["grey_matter", "scalp"],
                "sigma_S_per_m": [0.33, 0.33],
            },
        },
        "device": {
            "kind": "tes",
            "electrodes": [
                {"name": "a", "position": "C3", "current_mA": 6.0},
                {"name": "b", "position": "C4", "current_mA": -6.0},
            ],
        },
    }
    result = run(study, out=tmp_path / "out")
    table = result.tables["Safety: levels of direct current"]
    rows = {(row[0], row[1]): row for row in table.rows}
    assert rows["current in all", "all"][2:6] == (6.0, 4.0, "mA", "above")
    statistics = tmp_path / "out/sub-sphere/sub-sphere_desc-field_statistics.csv"
    density = rows["current density in the brain", "grey_matter"][2]
    (grey,) = (
        row
        for row in csv.DictReader(statistics.read_text().splitlines())
        if row["region"] == "grey_matter"
    )
    assert density == pytest.approx(0.33 * float(grey["p99.9"]), rel=1e-6)
    report = (tmp_path / "out/report.html").read_text()
    assert "current in all 6 mA is above 4" in report
