"""From a sweep over two heads to the statistics of its maps, through the command line."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from rheobase.meshes.heads import build_head
from rheobase.meshes.spaces import Affine, Registration
from rheobase.meshes.store import save_head
from rheobase.results import open_result

SWEEP = """
title = "Two heads, two currents"
study = "pads.toml"
heads = ["small.h5", "large.h5"]

[axes]
"device.current_mA" = [1.0, 2.0]

[outputs]
places = ["grey_matter"]
statistics = ["mean"]
maps = true
voxel_mm = 6.0
"""
PADS = """
title = "Two pads on a ball"

[head]
name = "small.h5"

[device]
kind = "tes"

[[device.electrodes]]
name = "anode"
position = "C3"
current_mA = 1.0
radius_mm = 12.0

[[device.electrodes]]
name = "cathode"
position = "C4"
current_mA = -1.0
radius_mm = 12.0
"""


def call(*arguments: str) -> None:
    from rheobase.__main__ import main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["rheobase", *arguments])
        assert main() == 0


@pytest.mark.slow
def test_the_maps_of_a_sweep_over_heads_become_those_of_a_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path / "cache"))
    head = build_head(
        "sphere",
        edge_length_mm=10.0,
        radii_mm=[78.0, 92.0],
        layers=["grey_matter", "scalp"],
        sigma_S_per_m=[0.33, 0.2],
    )
    for name, size in (("small", 0.8), ("large", 0.9)):  # MNI space is smaller than the ball
        registration = Registration(to_mni=Affine(matrix=np.diag([size, size, size, 1.0])))
        save_head(tmp_path / f"{name}.h5", replace(head, name=name, mni=registration))
    (tmp_path / "pads.toml").write_text(PADS)
    (tmp_path / "sweep.toml").write_text(SWEEP)
    swept, grouped = tmp_path / "swept", tmp_path / "grouped"
    call("sweep", str(tmp_path / "sweep.toml"), "--out", str(swept))
    data = open_result(swept).dataset("sweep")
    one, two = (data["E"].sel({"device.current_mA": i}).values for i in (1.0, 2.0))
    np.testing.assert_allclose(two, 2 * one)
    call("group", str(swept), "--at", "device.current_mA=2", "--out", str(grouped))
    images: Any = [
        nib.load(swept / str(name))
        for name in data["map"].sel({"device.current_mA": 2.0}).values.ravel()
    ]
    maps = np.stack([np.asarray(image.dataobj, dtype=np.float64) for image in images])
    maps[maps == 0] = np.nan  # no value there
    found = {
        stat: np.asarray(nib.load(path).dataobj)  # type: ignore[attr-defined]
        for stat in ("mean", "sd")
        for path in open_result(grouped).files
        if f"stat-{stat}_" in path.name
    }
    both = np.isfinite(maps).all(axis=0)
    assert both.sum() > 1000
    np.testing.assert_allclose(found["mean"][both], maps.mean(axis=0)[both], rtol=1e-5)
    np.testing.assert_allclose(found["sd"][both], maps.std(axis=0, ddof=1)[both], rtol=1e-4)
    assert np.isnan(found["mean"][~both]).all()
    # a place on the vertical axis, in both heads where their own registration puts it
    middle = np.linalg.inv(images[0].affine) @ [0.0, 0.0, 30.0, 1.0]
    assert both[tuple(np.rint(middle[:3]).astype(int))]
    assert (grouped / "report.html").is_file()
