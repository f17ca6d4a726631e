"""Sweeps: every point once, none lost, failures written down."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from rheobase._errors import InputError
from rheobase.neurons.measures.sweep import sweep


def product(a: float, name: str, log: str, offset: float = 0.0) -> dict[str, Any]:
    """Return a number and a curve, and note the call."""
    with Path(log).open("a") as file:
        file.write(f"{a} {name}\n")
    if name == "bad" and a > 1:
        raise ZeroDivisionError(f"no {a}")
    t = xr.DataArray([0.0, 0.5, 1.0], dims="t")
    curve = xr.DataArray(a * t, coords={"t": t}, attrs={"unit": "V"})
    return {"size": a * len(name) + offset, "curve": curve}


def deadly(k: int) -> dict[str, int]:
    """End its own process at one point."""
    if k == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"square": k * k}


def ragged(k: int) -> dict[str, Any]:
    return {"curve": ("t", np.zeros(k))}


def called(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_result_lies_on_the_grid_with_its_own_axes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    grid = {"a": np.array([3.0, 1, 2.5]), "name": ["x", "long"]}
    found = sweep(product, grid, out=tmp_path / "s", fixed={"log": str(log), "offset": 0.5})
    assert found["size"].dims == ("a", "name")
    assert found.sel(a=2.5, name="long")["size"] == 10.5
    assert found["a"].values.tolist() == [3, 1, 2.5]  # in the order given
    assert found["curve"].dims == ("a", "name", "t")
    np.testing.assert_array_equal(found["curve"].sel(a=3, name="x"), [0, 1.5, 3])
    assert found["curve"].attrs["unit"] == "V"
    assert found["t"].values.tolist() == [0, 0.5, 1]
    assert (found["error"] == "").all()
    assert called(log) == 6


def test_failed_points_are_written_down_and_tried_again(tmp_path: Path) -> None:
    log, out = tmp_path / "log", tmp_path / "s"
    grid = {"a": [1, 2], "name": ["good", "bad"]}
    found = sweep(product, grid, out=out, fixed={"log": str(log)})
    assert found["error"].sel(a=2, name="bad") == "ZeroDivisionError: no 2"
    assert np.isnan(found["size"].sel(a=2, name="bad"))
    assert found["size"].sel(a=2, name="good") == 8
    (failure,) = out.glob("*.error")
    assert "raise ZeroDivisionError" in json.loads(failure.read_text())["trace"]
    assert called(log) == 4
    grown = sweep(
        product, {"a": [0, 1, 2], "name": ["bad", "good"]}, out=out, fixed={"log": str(log)}
    )
    assert called(log) == 4 + 2 + 1  # two new points and the failed one
    assert grown["size"].sel(a=0, name="bad") == 0
    assert grown["size"].sel(a=2, name="good") == 8


def test_sweep_in_which_all_points_fail_has_errors_only(tmp_path: Path) -> None:
    fixed = {"log": str(tmp_path / "log")}
    found = sweep(product, {"a": [2, 3], "name": ["bad"]}, out=tmp_path / "s", fixed=fixed)
    assert set(found.data_vars) == {"error"}
    assert found["error"].sel(a=3, name="bad") == "ZeroDivisionError: no 3"


def slow(k: int, log: str) -> dict[str, int]:
    time.sleep(0.05)
    with Path(log).open("a") as file:
        file.write(f"{k}\n")
    return {"value": k}


def test_killed_sweep_loses_no_finished_point(tmp_path: Path) -> None:
    out, log = tmp_path / "s", tmp_path / "log"
    grid, fixed = {"k": list(range(12))}, {"log": str(log)}
    process = multiprocessing.get_context("fork").Process(
        target=sweep, args=(slow, grid), kwargs={"out": out, "fixed": fixed}
    )
    process.start()
    deadline = time.monotonic() + 60
    while len(list(out.glob("[!.]*.nc"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.join()
    kept, before = len(list(out.glob("[!.]*.nc"))), called(log)
    assert 3 <= kept < 12
    found = sweep(slow, grid, out=out, fixed=fixed)
    assert found["value"].values.tolist() == list(range(12))
    assert called(log) - before == 12 - kept


@pytest.mark.slow  # starts six processes
def test_dead_process_fails_its_point_alone(tmp_path: Path) -> None:
    found = sweep(deadly, {"k": [0, 1, 2, 3, 4]}, out=tmp_path / "s", jobs=2)
    np.testing.assert_array_equal(found["square"], [0, 1, np.nan, 9, 16])
    assert "its process died" in str(found["error"].sel(k=2).item())
    assert not list((tmp_path / "s").glob("*.running"))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda out: sweep(ragged, {}, out=out), "grid must have an axis"),
        (lambda out: sweep(ragged, {"k": []}, out=out), "got \\[\\]: grid of 'k'"),
        (lambda out: sweep(ragged, {"k": [1, 1]}, out=out), "must be distinct"),
        (lambda out: sweep(ragged, {"k": [1, np.nan]}, out=out), "must be distinct finite"),
        (lambda out: sweep(ragged, {"k": [None]}, out=out), "numbers, strings or booleans"),
        (lambda out: sweep(ragged, {"k": [1]}, out=out, fixed={"k": 1}), "an axis or fixed"),
        (lambda out: sweep(ragged, {"k": [1]}, out=out, fixed={"a": {1}}), "what JSON can"),
        (lambda out: sweep(ragged, {"k": [1]}, out=out, jobs=0), "jobs must be >= 1"),
        (lambda out: sweep(ragged, {"k": [1, 2]}, out=out), "results must have the same"),
    ],
)
def test_bad_input_is_one_sentence(call: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        call(tmp_path / "s")


def test_folder_of_another_sweep_is_refused(tmp_path: Path) -> None:
    fixed = {"log": str(tmp_path / "log")}
    sweep(product, {"a": [1], "name": ["x"]}, out=tmp_path / "s", fixed=fixed)
    with pytest.raises(InputError, match="other constants"):
        sweep(product, {"a": [1], "name": ["x"]}, out=tmp_path / "s", fixed=fixed | {"offset": 1})
    with pytest.raises(InputError, match="another function"):
        sweep(ragged, {"k": [1]}, out=tmp_path / "s")


def odd(k: str) -> Any:
    """Return what no file can hold, or what is called as the axis."""
    return {"k": {"k": 1}, "complex": {"z": [1j, object()]}, "none": None, "good": {"x": 1}}[k]


def test_result_that_cannot_be_kept_is_the_points_error(tmp_path: Path) -> None:
    found = sweep(odd, {"k": ["k", "complex", "none", "good"]}, out=tmp_path / "s")
    assert "must not be called 'k'" in str(found["error"].sel(k="k").item())
    assert found["error"].sel(k="complex") != ""
    assert found["x"].sel(k="good") == 1
    assert not list((tmp_path / "s").glob(".part*"))
