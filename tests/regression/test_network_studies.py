"""Studies that go on to columns, their EEG, and an alternating current, on a sphere."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rheobase.config import parse_study
from rheobase.pipeline import run_study
from rheobase.results import Result

pytestmark = [pytest.mark.regression, pytest.mark.slow]

HEAD: dict[str, Any] = {"name": "sphere", "edge_length_mm": 4.8}
TYPES = ["L23_pyramidal", "L5_pyramidal", "L5_basket"]
PULSED: dict[str, Any] = {
    "title": "pulses",
    "seed": 3,
    "head": HEAD,
    "device": {"kind": "tms", "coil": "magstim-70mm-figure8", "position": "Cz"},
    "cells": {"types": TYPES, "placements": 40, "radius_mm": 10.0},
    "network": {
        "model": "columns",
        "intensity_A_per_us": 150.0,
        "pulses": 4,
        "neurons_per_column": 300,
    },
    "eeg": {"electrodes": ["Cz", "C3", "C4", "Fz", "Pz", "T7", "T8"]},
}
ALTERNATING: dict[str, Any] = {
    "title": "10 Hz",
    "seed": 3,
    "head": HEAD,
    "device": {
        "kind": "tes",
        "electrodes": [
            {"name": "top", "position": "Cz", "current_mA": 20.0},
            {"name": "side", "position": "T8", "current_mA": -20.0},
        ],
    },
    "cells": {"types": TYPES, "placements": 40, "radius_mm": 10.0, "frequency_Hz": 10.0},
    "network": {"model": "columns", "duration_s": 6.0, "neurons_per_column": 300},
}


def run(table: dict[str, Any], out: Path) -> Result:
    result = run_study(parse_study(table), text="", out=out)
    assert {p for p in out.rglob("*") if p.is_file()} == set(result.files)
    return result


def table(result: Result, name: str) -> dict[str, Sequence[Any]]:
    (found,) = [t for title, t in result.tables.items() if title.startswith(name)]
    return {str(row[0]): row for row in found.rows}


def test_pulses_reach_the_columns_and_the_scalp(tmp_path: Path) -> None:
    import xarray as xr

    result = run(PULSED, tmp_path)
    with xr.open_dataset(
        tmp_path / "sub-sphere/sub-sphere_recruitment.nc", engine="h5netcdf"
    ) as data:
        threshold, kind = data["threshold"].values, data["type"].values
    columns = table(result, "Columns at")
    for name, population in (("L5_pyramidal", "L5_PYR"), ("L5_basket", "L5_PV")):
        share = (threshold[0, kind == name] <= 150e6).mean()
        assert columns[population][1] == pytest.approx(share)
    assert columns["L4_PYR"][1] == 0.0, "no placed cell, no direct spikes"
    with xr.open_dataset(
        tmp_path / "sub-sphere/sub-sphere_desc-columns_evoked.nc", engine="h5netcdf"
    ) as data:
        mean, names = data["mean"].values, data["electrode"].values.tolist()
    assert mean.shape[0] == len(names) == 7
    assert np.abs(mean.mean(axis=0)).max() < 1e-6 * np.abs(mean).max(), "average reference"
    after = np.abs(mean).max(axis=1)
    assert names[int(after.argmax())] == "Cz", "radial dipoles of the crown, under the coil"
    record = json.loads((tmp_path / "provenance.json").read_text(encoding="utf-8"))
    assert len(record["network"]["pulses_s"]) == 4


def test_spikes_follow_an_alternating_current(tmp_path: Path) -> None:
    locked = table(run(ALTERNATING, tmp_path), "Entrainment")
    strength, without, chance, p = (float(x) for x in locked["L5_PYR"][3:7])
    assert strength > 2 * chance
    assert p < 1e-3
    assert without < chance


def test_columns_hear_carriers_and_do_not_follow_their_beat(tmp_path: Path) -> None:
    """Point neurons do not demodulate: 2 and 2.01 kHz leave the spikes at chance of 10 Hz."""
    pairs = [
        {"anode": "Cz", "cathode": "T8", "current_mA": 5.0, "carrier_Hz": 2000.0},
        {"anode": "Fz", "cathode": "T7", "current_mA": 5.0, "carrier_Hz": 2010.0},
    ]
    cells = {k: v for k, v in ALTERNATING["cells"].items() if k != "frequency_Hz"}
    columns = {"model": "columns", "duration_s": 3.0, "neurons_per_column": 200}
    study = {
        **ALTERNATING,
        "device": {"kind": "ti", "pairs": pairs},
        "cells": cells,
        "network": columns,
    }
    locked = table(run(study, tmp_path), "Entrainment")
    assert sum(float(row[6]) < 0.01 for row in locked.values()) <= 1
    record = json.loads((tmp_path / "provenance.json").read_text(encoding="utf-8"))
    assert record["cells"]["frequencies_Hz"] == [2000.0, 2010.0]


def test_a_pulse_spreads_over_the_brain(tmp_path: Path) -> None:
    import xarray as xr

    study = {
        "title": "spread",
        "seed": 1,
        "head": {"name": "mni152", "resolution": "coarse"},
        "device": {**PULSED["device"], "position": "F3"},
        "cells": {"types": ["L23_pyramidal", "L5_pyramidal", "L5_basket"], "placements": 20},
        "brain": {"intensity_A_per_us": 150.0, "placements": 20, "duration_ms": 200.0},
        "eeg": {"electrodes": ["F3", "Fz", "Cz", "C3", "C4", "Pz", "O1", "T8"]},
    }
    result = run(study, tmp_path)
    regions = table(result, "Brain at")
    first = next(iter(regions))
    assert first.startswith("LH"), "the region under the coil answers first"
    assert float(regions[first][2]) < 5.0, "ms"
    onset = [float(row[2]) for row in regions.values()]
    assert onset == sorted(onset)
    with xr.open_dataset(tmp_path / "sub-mni152/sub-mni152_brain.nc", engine="h5netcdf") as data:
        change = (data["driven"] - data["rest"]).transpose("region", "time")
        before = change.values[:, data["time"].values < 0]
        assert np.abs(before).max() < 1e-12
        assert np.abs(change.values).max() > 1e-3
    with xr.open_dataset(
        tmp_path / "sub-mni152/sub-mni152_desc-brain_evoked.nc", engine="h5netcdf"
    ) as data:
        assert data["mean"].shape[0] == 8
        assert np.abs(data["mean"].values.mean(axis=0)).max() < 1e-6 * np.abs(data["mean"]).max()
