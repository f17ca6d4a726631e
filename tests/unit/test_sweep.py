"""Sweeps of a function: every point once, none lost, failures written down."""

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
from rheobase.sweeps.sweep import sweep


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers import the functions of this file, from wherever the tests are run."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])


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


def test_failed_points_are_written_down_and_tried_again_when_asked(tmp_path: Path) -> None:
    log, out = tmp_path / "log", tmp_path / "s"
    grid = {"a": [1, 2], "name": ["good", "bad"]}
    found = sweep(product, grid, out=out, fixed={"log": str(log)})
    assert found["error"].sel(a=2, name="bad") == "ZeroDivisionError: no 2"
    assert np.isnan(found["size"].sel(a=2, name="bad"))
    assert found["size"].sel(a=2, name="good") == 8
    (failure,) = out.glob("points/*.error")
    assert "raise ZeroDivisionError" in json.loads(failure.read_text())["trace"]
    assert called(log) == 4
    larger = {"a": [0, 1, 2], "name": ["bad", "good"]}
    grown = sweep(product, larger, out=out, fixed={"log": str(log)})
    assert called(log) == 4 + 2  # the new points
    assert grown["size"].sel(a=0, name="bad") == 0
    assert grown["size"].sel(a=2, name="good") == 8
    sweep(product, larger, out=out, fixed={"log": str(log)}, retry_failed=True)
    assert called(log) == 4 + 2 + 1  # and the failed one


def test_sweep_in_which_all_points_fail_has_errors_only(tmp_path: Path) -> None:
    fixed = {"log": str(tmp_path / "log")}
    found = sweep(product, {"a": [2, 3], "name": ["bad"]}, out=tmp_path / "s", fixed=fixed)
    assert set(found.data_vars) == {"error"}
    assert found["error"].sel(a=3, name="bad") == "ZeroDivisionError: no 3"


def slow(k: int, m: int, log: str) -> dict[str, Any]:
    """Take a millisecond, note the call, fail at some points."""
    time.sleep(0.001)
    with Path(log).open("a") as file:
        file.write(f"{k} {m}\n")
    if k % 50 == 7:
        raise ArithmeticError(f"{k} is seven more than a multiple of 50")
    return {"value": k * m / 7, "row": ("t", np.arange(3.0) + k), "odd": bool(k % 2)}


THOUSAND = {"k": list(range(250)), "m": [1, 2, 3, 4]}


def run_thousand(out: str, log: str, jobs: int) -> None:
    os.setsid()  # so that its workers die with it
    sweep(slow, THOUSAND, out=out, fixed={"log": log}, jobs=jobs)


def finished(out: Path) -> dict[str, int]:
    """Return when each finished point was written (ns), by the name of its file."""
    ends = (".point", ".error")
    found = [p for p in (out / "points").glob("[!.]*") if p.suffix in ends]
    return {p.name: p.stat().st_mtime_ns for p in found}


def killed_at(count: int, out: Path, log: Path, jobs: int) -> dict[str, int]:
    """Start the sweep, kill it and its workers when so many points are there; return these."""
    context: Any = multiprocessing.get_context("fork" if jobs == 1 else "spawn")
    process = context.Process(target=run_thousand, args=(str(out), str(log), jobs))
    process.start()
    assert process.pid is not None
    deadline = time.monotonic() + 300
    while len(finished(out)) < count and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    return finished(out)


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_thousand_points_killed_twice_lose_no_finished_one(jobs: int, tmp_path: Path) -> None:
    out, log = tmp_path / "s", tmp_path / "log"
    once = killed_at(200, out, log, jobs)
    twice = killed_at(600, out, log, jobs)
    assert 200 <= len(once) < 600 <= len(twice) < 1000
    assert once.items() <= twice.items()  # kept, and not written again
    before = called(log)
    found = sweep(slow, THOUSAND, out=out, fixed={"log": str(log)}, jobs=jobs)
    assert twice.items() <= finished(out).items()
    assert called(log) - before == 1000 - len(twice)  # only what was left
    straight = sweep(slow, THOUSAND, out=tmp_path / "t", fixed={"log": str(log)})
    straight.attrs = found.attrs
    xr.testing.assert_identical(found, straight)
    assert (found["error"] != "").sum() == 5 * 4
    assert float(found["value"].sel(k=249, m=3)) == 249 * 3 / 7


@pytest.mark.slow  # starts six processes
def test_dead_process_fails_its_point_alone(tmp_path: Path) -> None:
    found = sweep(deadly, {"k": [0, 1, 2, 3, 4]}, out=tmp_path / "s", jobs=2)
    np.testing.assert_array_equal(found["square"], [0, 1, np.nan, 9, 16])
    assert "its process died" in str(found["error"].sel(k=2).item())
    assert not list((tmp_path / "s/points").glob("*.running"))


@pytest.mark.slow  # starts a cluster
def test_dask_gives_the_same_and_a_dead_worker_fails_its_point_alone(tmp_path: Path) -> None:
    found = sweep(deadly, {"k": [0, 1, 2, 3, 4]}, out=tmp_path / "s", jobs=2, dask="local")
    np.testing.assert_array_equal(found["square"], [0, 1, np.nan, 9, 16])
    assert "its process died" in str(found["error"].sel(k=2).item())


def test_jobs_of_an_array_share_a_folder(tmp_path: Path) -> None:
    log, out = tmp_path / "log", tmp_path / "s"
    fixed = {"log": str(log)}
    grid_ = {"a": [1, 2, 3], "name": ["x", "y"]}
    first = sweep(product, grid_, out=out, fixed=fixed, chosen=range(4))
    assert called(log) == 4
    assert (first["error"].values.ravel() == "not run").tolist() == [False] * 4 + [True] * 2
    assert first["size"].sel(a=2, name="y") == 2
    assert np.isnan(first["size"].sel(a=3)).all()
    whole = sweep(product, grid_, out=out, fixed=fixed, chosen=[4, 5])
    assert called(log) == 6
    assert (whole["error"] == "").all()


def labelled(k: int) -> dict[str, Any]:
    names = ["a", "b", "c"][: k + 1][::-1]
    return {"x": xr.DataArray(np.arange(k + 1.0), coords={"name": names}), "n": k}


def test_labels_that_only_some_points_have_are_joined(tmp_path: Path) -> None:
    found = sweep(labelled, {"k": [0, 2]}, out=tmp_path / "s")
    assert set(found["name"].values) == {"a", "b", "c"}
    assert found["x"].sel(k=2, name="a") == 2
    assert found["x"].sel(k=0, name="a") == 0
    assert np.isnan(found["x"].sel(k=0, name="b"))
    assert found["n"].values.tolist() == [0, 2]


def test_missing_dask_is_told_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rheobase.sweeps.cluster.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'rheobase\[cluster\]'"):
        sweep(product, {"a": [1]}, out=tmp_path / "s", dask="local")


def test_damaged_part_is_told(tmp_path: Path) -> None:
    sweep(labelled, {"k": [1]}, out=tmp_path / "s")
    (part,) = (tmp_path / "s/points").glob("*.point")
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(InputError, match="is damaged"):
        sweep(labelled, {"k": [1]}, out=tmp_path / "s")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda out: sweep(ragged, {}, out=out), "expected an axis, got none"),
        (lambda out: sweep(ragged, {"k": []}, out=out), "got \\[\\]: axis 'k'"),
        (lambda out: sweep(ragged, {"k": [1, 1]}, out=out), "must be distinct"),
        (lambda out: sweep(ragged, {"k": [1, np.nan]}, out=out), "must be finite"),
        (lambda out: sweep(ragged, {"k": [None]}, out=out), "numbers, strings or booleans, or"),
        (lambda out: sweep(ragged, {"k": [1]}, out=out, fixed={"k": 1}), "an axis or fixed"),
        (lambda out: sweep(ragged, {"k": [1]}, out=out, fixed={"a": {1}}), "what JSON can"),
        (lambda out: sweep(ragged, {"k": [1]}, out=out, jobs=0), "jobs must be >= 1"),
        (lambda out: sweep(ragged, {"k": [1, 2]}, out=out), "results must have the same"),
        (lambda out: sweep(ragged, {"k": [1]}, out=out, chosen=[1]), "points from 0 to 0, got 1"),
    ],
)
def test_bad_input_is_one_sentence(call: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        call(tmp_path / "s")


def test_folder_of_another_sweep_is_refused(tmp_path: Path) -> None:
    fixed = {"log": str(tmp_path / "log")}
    sweep(product, {"a": [1], "name": ["x"]}, out=tmp_path / "s", fixed=fixed)
    with pytest.raises(InputError, match="another fixed"):
        sweep(product, {"a": [1], "name": ["x"]}, out=tmp_path / "s", fixed=fixed | {"offset": 1})
    with pytest.raises(InputError, match=r"function .*product"):
        sweep(ragged, {"k": [1]}, out=tmp_path / "s")


def odd(k: str) -> Any:
    """Return what no file can hold, or what is called as the axis."""
    return {"k": {"k": 1}, "complex": {"z": [1j, object()]}, "none": None, "good": {"x": 1}}[k]


def test_result_that_cannot_be_kept_is_the_points_error(tmp_path: Path) -> None:
    found = sweep(odd, {"k": ["k", "complex", "none", "good"]}, out=tmp_path / "s")
    assert "must not be called 'k'" in str(found["error"].sel(k="k").item())
    assert found["error"].sel(k="complex") != ""
    assert found["x"].sel(k="good") == 1
    assert not list((tmp_path / "s").glob("**/.part*"))
