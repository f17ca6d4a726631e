"""Runs of the microcircuit come from the cache where they were made before."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rheobase.neurons.network import simulation
from rheobase.neurons.network.drive import Drive
from rheobase.neurons.network.microcircuit import microcircuit
from rheobase.stations.network_runs import run_microcircuit

HOW: dict[str, Any] = {"scale": 0.005, "seed": 3}


def test_a_run_is_kept_whole_and_told_from_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path))
    network = microcircuit(**HOW)
    drive = Drive(probability={"L5E": 0.5}, times=np.array([0.02]), latency=1e-3)
    first = run_microcircuit(network, 0.05, **HOW, drive=drive)
    assert len(first.times)
    with monkeypatch.context() as patch:
        patch.setattr(simulation, "simulate", None)  # would be called
        again = run_microcircuit(network, 0.05, **HOW, drive=drive)
        for field in fields(first):
            one, other = getattr(first, field.name), getattr(again, field.name)
            assert type(one) is type(other), field.name
            np.testing.assert_array_equal(one, other, err_msg=field.name)
        for changed in (None, Drive(probability={"L5E": 0.4}, times=np.array([0.02]))):
            with pytest.raises(TypeError):
                run_microcircuit(network, 0.05, **HOW, drive=changed)
        for file in tmp_path.rglob("*.npz"):
            file.write_bytes(file.read_bytes()[:-100])
        with pytest.raises(TypeError):
            run_microcircuit(network, 0.05, **HOW, drive=drive)
