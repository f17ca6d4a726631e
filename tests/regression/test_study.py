"""Whole studies on a sphere: every station runs, and what it writes fits together."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.config import parse_study
from rheobase.pipeline import Result, run_study

pytestmark = pytest.mark.regression

TMS: dict[str, Any] = {
    "title": "TMS of a sphere",
    "seed": 3,
    "head": {"name": "sphere"},
    "device": {"kind": "tms", "coil": "magstim-70mm-figure8", "position": "Cz"},
    "cells": {"types": ["L5_pyramidal"], "placements": 40, "radius_mm": 10.0},
    "network": {"intensity_A_per_us": 200.0, "pulses": 2, "interval_ms": 200.0},
}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    out = tmp_path_factory.mktemp("study")
    return run_study(parse_study(TMS), text="title = 'TMS of a sphere'", out=out)


def test_files_are_whole_and_listed(result: Result) -> None:
    out = result.files[0].parent
    assert all(f.stat().st_size > 0 for f in result.files)
    written = {p for p in out.rglob("*") if p.is_file()}
    assert written == set(result.files), "nothing half-written, nothing unlisted"
    html = result.files[0].read_text(encoding="utf-8")
    assert html.count("<img") == len([f for f in result.files if f.suffix == ".png"])
    record = json.loads((out / "provenance.json").read_text(encoding="utf-8"))
    assert record["seed"] == 3
    assert record["head"]["tetrahedra"] > 1e5


def test_field_is_that_of_the_coil_over_a_sphere(result: Result) -> None:
    """The strongest column lies under the coil's middle; V/m per A/µs as at 15 mm (Deng 2013)."""
    record = json.loads((result.files[0].parent / "provenance.json").read_text(encoding="utf-8"))
    hot = np.array(record["field"]["hot_spot_m"])
    assert np.linalg.norm(hot[:2]) < 0.012
    (rows,) = [t.rows for name, t in result.tables.items() if name.startswith("E magnitude")]
    strength = {row[0]: row for row in rows}["grey_matter"]
    assert 1.2 < float(strength[4]) < 2.0


def test_recruitment_drives_the_network(result: Result) -> None:
    import xarray as xr

    with xr.open_dataset(result.files[0].parent / "recruitment.nc", engine="h5netcdf") as data:
        threshold = data["threshold"].values
        tissue = data["tissue"].values
    assert threshold.shape == (2, 40)
    assert np.isfinite(threshold).all()
    assert len(set(tissue.tolist())) == 1, "every soma lies in grey matter"
    (rows,) = [t.rows for name, t in result.tables.items() if name.startswith("Network")]
    share = {row[0]: float(row[1]) for row in rows}
    assert share["L5E"] == pytest.approx((threshold[0] <= 200e6).mean())
    assert share["L23E"] == 0.0
    with xr.open_dataset(result.files[0].parent / "network.nc", engine="h5netcdf") as data:
        first = dict(zip(data["population"].values, data["first_neuron"].values, strict=True))
        time, neuron = data["time_driven"].values, data["neuron_driven"].values
        pulse = data.attrs["pulses_s"][0]
    volley = (np.abs(time - pulse - 1e-3) < 1e-9) & (neuron >= first["L5E"])
    volley &= neuron < first["L5I"]
    size = first["L5I"] - first["L5E"]
    p = share["L5E"]
    assert abs(volley.sum() / size - p) < 4 * np.sqrt(p * (1 - p) / size) + 0.03


def test_names_are_refused_before_any_work(tmp_path: Path) -> None:
    for table, message in (
        ({**TMS, "head": {"name": "spere"}}, "unknown head 'spere', nearest: sphere"),
        ({**TMS, "device": {**TMS["device"], "coil": "magstim"}}, "unknown coil 'magstim'"),
        ({**TMS, "cells": {**TMS["cells"], "types": ["L5_pyramid"]}}, "unknown cell type"),
    ):
        with pytest.raises(InputError, match=message):
            run_study(parse_study(table), text="", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_temporal_interference_study(tmp_path: Path) -> None:
    pairs = [
        {"anode": "FC3", "cathode": "CP3", "current_mA": 1.0, "carrier_Hz": 2000.0},
        {"anode": "FC4", "cathode": "CP4", "current_mA": 1.0, "carrier_Hz": 2010.0},
    ]
    table = {
        "title": "TI",
        "head": {"name": "sphere"},
        "device": {"kind": "ti", "pairs": pairs},
    }
    done = run_study(parse_study(table), text="", out=tmp_path)
    record = json.loads((tmp_path / "provenance.json").read_text(encoding="utf-8"))
    assert len(record["field"]["report"]) == 2
    for report in record["field"]["report"]:
        assert report["delivered"] == pytest.approx(report["asked"], rel=1e-3)
    assert any("TI envelope" in name for name in done.tables)
