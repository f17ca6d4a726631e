"""A study whose skull is a tomogram's, with cells of the cortical sheet; and one without a head."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import xarray as xr

from rheobase.fus import run_fus
from rheobase.results import Result
from rheobase.tables.fus import UltrasoundStudy
from rheobase.tables.parse import parse_table
from rheobase.tables.text import toml_text

RADII = (17.0, 19.5, 22.0)  # mm, of brain, skull, scalp
STUDY: dict[str, Any] = {
    "title": "A bowl over a ball with a tomogram",
    "head": {
        "name": "sphere",
        "edge_length_mm": 2.2,
        "options": {
            "radii_mm": list(RADII),
            "layers": ["grey_matter", "skull", "scalp"],
            "sigma_S_per_m": [0.33, 0.01, 0.33],
        },
    },
    "target": {"centre_mm": [0, 0, 11], "radius_mm": 2},
    "transducer": {
        "kind": "bowl",
        "curvature_radius_mm": 24,
        "aperture_mm": 20,
        "frequency_kHz": 250,
    },
    "placement": {"direction": [0, 0, -1]},
    "drive": {"free_field_peak_kPa": 300},
    "sonication": {"pulse_ms": 20, "prf_Hz": 5, "train_s": 4},
    "window": {"half_width_mm": 7, "beyond_mm": 5, "order": 4, "per_wavelength": 5.5},
    "neurons": {"cells": [], "types": ["L5_pyramidal", "L4_basket"], "placements": 40},
}
THRESHOLDS = {"RS": 60e3, "FS": 1e9}


@pytest.fixture(scope="module")
def tomogram(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the ball as a scanner of 0.5 mm sees it: bone of 1200 HU."""
    line = np.arange(-23.75, 24.0, 0.5)
    z = np.arange(-2.75, 24.0, 0.5)
    r = np.sqrt(line[:, None, None] ** 2 + line[:, None] ** 2 + z**2)
    units = np.array([35.0, 1200.0, 40.0, -1000.0], np.float32)
    affine = np.diag([0.5, 0.5, 0.5, 1.0])
    affine[:3, 3] = line[0], line[0], z[0]
    path = tmp_path_factory.mktemp("ct") / "ct.nii.gz"
    image: Any = nib.Nifti1Image(units[np.searchsorted(RADII, r)], affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


def ran(table: dict[str, Any], out: Path) -> tuple[Result, dict[str, Any]]:
    """Run a study, and read what it recorded."""
    study = parse_table(UltrasoundStudy, table, where="s.toml", folder=None)
    result = run_fus(study, text=toml_text(table), out=out)
    return result, json.loads((out / "provenance.json").read_text("utf-8"))


@pytest.mark.slow
def test_with_a_head_and_alone(
    tomogram: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "rheobase.neurons.sonic.recruit.threshold_pressure",
        lambda cell, sonication, *, radius: THRESHOLDS[cell],
    )
    ct = {"file": str(tomogram), "mapping": "aubry2003"}
    whole = STUDY | {"ct": ct, "heat": {"edge_mm": 2, "cooling_s": 2}}
    result, record = ran(whole, tmp_path / "whole")
    assert all(f.is_file() for f in result.files)
    assert record["window"]["thickness"][0] == pytest.approx(2.5e-3, abs=5e-5)
    assert record["window"]["conforming"] == 1
    heat = record["heat"]["tissues"]
    assert heat["skull"]["peak_rise"] > heat["grey_matter"]["peak_rise"] > 0

    # cells in the shell where it is sounded most; half of them fire where the pressure at the
    # median cell is the threshold
    with xr.open_dataset(
        tmp_path / "whole" / "sub-sphere/sub-sphere_desc-cortex_recruitment.nc"
    ) as cells:
        position, kind = cells["position"].values, cells["type"].values
    depth = np.linalg.norm(position, axis=1)
    assert ((depth > 0.0138) & (depth < 0.0170)).all()
    assert np.linalg.norm(position - [0, 0, 0.0155], axis=1).max() < 6.5e-3
    image: Any = nib.load(tmp_path / "whole" / "sub-sphere/sub-sphere_pressure.nii.gz")
    pyramids = position[kind == "L5_pyramidal"]
    at = np.linalg.inv(image.affine) @ np.column_stack([1e3 * pyramids, np.ones(len(pyramids))]).T
    amplitude = np.asarray(image.dataobj)[tuple(np.rint(at[:3]).astype(int))]
    rows = {row[1]: row for row in result.tables["Activation"].rows}
    half = 1e-3 * THRESHOLDS["RS"] / np.median(amplitude) * record["sound"]["foci"][1]["peak_Pa"]
    assert float(rows["L5_pyramidal"][7]) == pytest.approx(half, rel=0.1)
    assert rows["L4_basket"][5] == 0

    # the sound is the tomogram's: the same without a head
    table = {k: v for k, v in STUDY.items() if k not in ("head", "neurons")} | {"ct": ct}
    _, bare = ran(table, tmp_path / "alone")
    for one, other in zip(record["sound"]["foci"], bare["sound"]["foci"], strict=True):
        assert one["at_target_Pa"] == pytest.approx(other["at_target_Pa"], rel=1e-6)
    tissues = {r["tissue"] for r in bare["safety"]["rows"]} - {"", None}
    assert {"scalp", "skull", "brain"} <= tissues
