"""Whole studies on a sphere: every station runs, and what it writes fits together."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.config import parse_study
from rheobase.meshes.regions.region import ball
from rheobase.meshes.regions.statistics import region_table
from rheobase.pipeline import run_study
from rheobase.results import Result
from rheobase.stations.devices import Device, solve_device
from rheobase.stations.head import open_head
from rheobase.stations.inputs import open_inputs
from rheobase.stations.placing import place_device

pytestmark = pytest.mark.regression

TMS: dict[str, Any] = {
    "title": "TMS of a sphere",
    "seed": 3,
    "head": {"name": "sphere", "edge_length_mm": 4.8},
    "device": {"kind": "tms", "coil": "magstim-70mm-figure8", "position": "Cz"},
    "cells": {"types": ["L5_pyramidal"], "placements": 40, "radius_mm": 10.0},
    "network": {"intensity_A_per_us": 200.0, "pulses": 2, "interval_ms": 200.0},
}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    out = tmp_path_factory.mktemp("study")
    return run_study(parse_study(TMS), text="title = 'TMS of a sphere'", out=out)


def test_files_are_whole_and_listed(result: Result) -> None:
    out = result.out
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
    record = json.loads((result.out / "provenance.json").read_text(encoding="utf-8"))
    hot = np.array(record["field"]["hot_spot_m"])
    assert np.linalg.norm(hot[:2]) < 0.012
    (rows,) = [t.rows for name, t in result.tables.items() if name.startswith("E magnitude")]
    strength = {row[0]: row for row in rows}["grey_matter"]
    assert 1.2 < float(strength[4]) < 2.0


def test_recruitment_drives_the_network(result: Result) -> None:
    import xarray as xr

    with xr.open_dataset(
        result.out / "sub-sphere/sub-sphere_recruitment.nc", engine="h5netcdf"
    ) as data:
        threshold = data["threshold"].values
        tissue = data["tissue"].values
    assert threshold.shape == (2, 40)
    assert np.isfinite(threshold).all()
    assert len(set(tissue.tolist())) == 1, "every soma lies in grey matter"
    (rows,) = [t.rows for name, t in result.tables.items() if name.startswith("Network")]
    share = {row[0]: float(row[1]) for row in rows}
    assert share["L5E"] == pytest.approx((threshold[0] <= 200e6).mean())
    assert share["L23E"] == 0.0
    with xr.open_dataset(
        result.out / "sub-sphere/sub-sphere_network.nc", engine="h5netcdf"
    ) as data:
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
        ({**TMS, "device": {**TMS["device"], "coil": "a.ccd"}}, "no such file a.ccd: device.coil"),
        ({**TMS, "cells": {**TMS["cells"], "types": ["L5_pyramid"]}}, "unknown cell type"),
    ):
        with pytest.raises(InputError, match=message):
            run_study(parse_study(table), text="", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


BALL: dict[str, Any] = {
    "name": "sphere",
    "edge_length_mm": 8.0,
    "options": {
        "radii_mm": [80.0, 92.0],
        "layers": ["grey_matter", "scalp"],
        "sigma_S_per_m": [0.33, 0.33],
    },
}


def run(table: dict[str, Any], out: Path, folder: Path | None = None) -> tuple[Result, Any]:
    done = run_study(parse_study({"title": "x", **table}, folder=folder), text="", out=out)
    assert {p for p in out.rglob("*") if p.is_file()} == set(done.files)
    return done, json.loads((out / "provenance.json").read_text(encoding="utf-8"))


def solved(table: dict[str, Any], folder: Path | None = None) -> Device:
    """Return the field of a study without its report."""
    study = parse_study({"title": "x", **table}, folder=folder)
    inputs = open_inputs(study)
    return solve_device(study, place_device(study, open_head(study.head), inputs))


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return {row["region"]: row for row in csv.DictReader(file)}


def test_temporal_interference_of_three_pairs(tmp_path: Path) -> None:
    """Two pairs on one carrier, alike but of opposite phase, cancel: the third beats with none."""
    first = {"anode": "F3", "cathode": "P3", "current_mA": 1.0, "carrier_Hz": 2000.0}
    other = {"anode": "F4", "cathode": "P4", "current_mA": 1.0, "carrier_Hz": 2010.0}
    third = {"anode": {"position": "FC1"}, "cathode": "CP1", "current_mA": 0.5}
    device = {
        "kind": "ti",
        "pairs": [first, other, third | {"carrier_Hz": 2000.0, "phase_deg": 180.0}],
    }
    done, record = run({"head": BALL, "device": device}, tmp_path / "max")
    assert any(name.startswith("TI envelope, peak to peak, strongest") for name in done.tables)
    for report in record["field"]["report"]:
        assert report["delivered"] == pytest.approx(report["asked"], rel=1e-3)
    along = solved({"head": BALL, "device": device | {"direction": [0, 1, 0]}})
    assert along.name.endswith("along 0, 1, 0")
    strongest = rows(tmp_path / "max" / "sub-sphere/sub-sphere_desc-field_statistics.csv")[
        "grey_matter"
    ]
    front = along.basis.percentiles(along.strength, along.head.label_of("grey_matter"), (50.0,))[0]
    assert 0.5 * float(strongest["p50"]) < front < float(strongest["p50"])


def test_electrodes_polarise_cells(tmp_path: Path) -> None:
    """Each pair polarises at its own carrier, and the report says what a linear cell lacks."""
    import xarray as xr

    pairs = [
        {"anode": "F3", "cathode": "P3", "current_mA": 1.0, "carrier_Hz": 2000.0},
        {"anode": "F4", "cathode": "P4", "current_mA": 2.0, "carrier_Hz": 2010.0},
    ]
    cells = {"types": ["L5_pyramidal", "L23_basket"], "placements": 6, "radius_mm": 10.0}
    done, record = run(
        {"head": BALL, "device": {"kind": "ti", "pairs": pairs}, "cells": cells}, tmp_path / "ti"
    )
    assert record["cells"]["frequencies_Hz"] == [2000.0, 2010.0]
    html = (tmp_path / "ti" / "report.html").read_text(encoding="utf-8")
    assert "nothing at the beat of 10 Hz" in html
    with xr.open_dataset(
        tmp_path / "ti" / "sub-sphere/sub-sphere_polarisation.nc", engine="h5netcdf"
    ) as data:
        ends = data["amplitude"].sel(site="terminal", statistic="largest")
        assert ends.shape == (2, 12)
        assert ends.attrs["units"] == "V"
        assert (ends > 0).all()
        assert (ends < 1e-3).all()
        middle = 1e3 * float(ends.isel(frequency=1).values[data["type"] == "L5_pyramidal"].mean())
    rows_of = [r for r in done.tables["Polarisation"].rows if r[0] == "L5_pyramidal"]
    assert len(rows_of) == 10  # two carriers, five sites
    (shown,) = [r for r in rows_of if r[1] == "2010" and r[2] == "strongest axon end"]
    assert float(shown[4]) <= middle <= float(shown[6])


def test_results_where_labs_look_for_them(tmp_path: Path) -> None:
    """Tensors along x turn the field; files, regions, atlas and errors are there and agree."""
    import nibabel as nib

    affine = np.diag([20.0, 20, 20, 1])
    affine[:3, 3] = -90.0
    halves = np.ones((10, 10, 10), np.int16)
    halves[5:] = 2
    nib.Nifti1Image(halves, affine).to_filename(tmp_path / "halves.nii.gz")
    dti = np.zeros((10, 10, 10, 6), np.float32)
    dti[..., [0, 3, 5]] = 4.0, 1.0, 1.0
    nib.Nifti1Image(dti, affine).to_filename(tmp_path / "dti.nii.gz")
    (tmp_path / "names.csv").write_text("label,name\n1,left\n2,right\n", encoding="utf-8")
    table: dict[str, Any] = {
        "head": BALL,
        "device": {
            "kind": "tes",
            "electrodes": [
                {"name": "left", "position": "T7", "current_mA": 2.0},
                {"name": "right", "position": "T8", "current_mA": -2.0, "model": "ideal"},
            ],
        },
        "results": {
            "formats": ["vtu", "msh", "nifti"],
            "voxel_mm": 8.0,
            "atlas": "halves.nii.gz",
            "atlas_names": "names.csv",
            "atlas_space": "head",
            "regions": [{"name": "middle", "centre_mm": [0, 0, 0], "radius_mm": 20}],
            "thresholds_V_per_m": [0.1],
        },
    }
    done, record = run(table, tmp_path / "plain", tmp_path)
    names = {f.name for f in done.files}
    ours = ("field.vtu", "field.msh", "desc-magnE_field.nii.gz", "desc-field_errors.csv")
    assert {f"sub-sphere_{name}" for name in ours} <= names
    found = rows(tmp_path / "plain" / "sub-sphere/sub-sphere_desc-field_statistics.csv")
    assert list(found) == ["grey_matter", "scalp", "middle", "left", "right"]
    assert float(found["left"]["mean"]) == pytest.approx(float(found["right"]["mean"]), rel=0.05)
    assert float(found["grey_matter"]["volume_mm3_above_0.1"]) > 0
    errors = rows(tmp_path / "plain" / "sub-sphere/sub-sphere_desc-field_errors.csv")
    assert list(errors) == list(found)
    assert found["left"]["relative_error"] == errors["left"]["relative"]
    assert 0 < float(errors["middle"]["relative"]) < 0.05
    assert set(record["inputs"]) == {"results.atlas", "results.atlas_names"}
    tensors = {"file": "dti.nii.gz", "tissues": ["grey_matter"], "axes": "world"}
    turned = {**table, "head": BALL | {"tensors": tensors}}

    def middle(device: Device) -> float:
        (row,) = region_table(
            [ball([0, 0, 0], 0.02)],
            device.head,
            device.strength,
            corners=device.basis.split_of_tet,
        )
        return float(row["mean"])

    plain = float(found["middle"]["mean"])
    assert middle(solved(turned, tmp_path)) < 0.9 * plain
    dti[..., 0] = 1.0
    nib.Nifti1Image(dti, affine).to_filename(tmp_path / "dti.nii.gz")
    # The same path: the cache knows by content. Tissues with tensors have other polynomials.
    assert middle(solved(turned, tmp_path)) == pytest.approx(plain, rel=2e-3)


def test_meshed_layers_with_tensors(tmp_path: Path) -> None:
    import nibabel as nib

    grid = np.stack(np.meshgrid(*[np.arange(28) * 4.0 - 54] * 3, indexing="ij"), axis=-1)
    radius = np.linalg.norm(grid, axis=-1)
    labels = np.where(radius < 40, 1, np.where(radius < 50, 2, 0)).astype(np.int16)
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = -54
    nib.Nifti1Image(labels, affine).to_filename(tmp_path / "ball.nii.gz")
    dti = np.zeros((*labels.shape, 6), np.float32)
    dti[..., [0, 3, 5]] = 3.0, 1.0, 1.0
    nib.Nifti1Image(dti, affine).to_filename(tmp_path / "dti.nii.gz")
    tissues = {"1": "white_matter", "2": "scalp"}
    pads = [
        {"name": n, "position_mm": [x, 0, 0], "current_mA": np.sign(x) * 1.0, "radius_mm": 12.0}
        for n, x in (("right", 50.0), ("left", -50.0))
    ]
    pads[0] |= {"model": "meshed", "layers": [{"name": "gel", "thickness_mm": 4.0}]}
    tensors = {"file": "dti.nii.gz", "tissues": ["white_matter"], "axes": "world"}
    head = {"file": "ball.nii.gz", "labels": tissues, "edge_length_mm": 6.0, "tensors": tensors}
    device = {"kind": "tes", "electrodes": pads}
    done, record = run({"head": head, "device": device}, tmp_path / "out", tmp_path)
    assert set(record["inputs"]) == {"head.file", "head.tensors.file"}
    (report,) = record["field"]["report"]
    assert report["delivered"] == pytest.approx(report["asked"], rel=1e-3)
    (table,) = [t for name, t in done.tables.items() if "by tissue" in name]
    assert [row[0] for row in table.rows][:2] == ["white_matter", "scalp"]
    assert len(table.rows) == 3, "the gel is a tissue of its own"
