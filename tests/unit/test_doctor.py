"""What the doctor finds, and what it says when things are missing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
import typer

from rheobase import _doctor
from rheobase._doctor import Check, machine, packages, probes
from rheobase._doctor_cli import doctor


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


@pytest.fixture(scope="module")
def here() -> list[Check]:
    return _doctor.examine()


def test_all_that_is_needed_is_here(here: list[Check]) -> None:
    found = by_name(here)
    assert not [check for check in here if check.state == "missing"]
    assert len(found) == len(here)
    assert found["Python"].state == "ok"
    assert found["numpy"].found == metadata.version("numpy")
    assert "PETSc" in found["DOLFINx"].found
    assert "threads" in found["Numba"].found
    assert found["MPI launcher"].found.endswith("2 processes")
    assert {"tetgen", "notebook", "cores", "memory", "cache", "C compiler", "Jupyter"} <= set(found)
    for check in here:
        assert check.found
        assert (check.state == "ok") == (check.mend == ""), check


def test_a_package_that_is_missing_or_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["numpy>=2.2", "rich>=10000", "nowhere>=1", 'thing>=2; extra == "cgal"']
    monkeypatch.setattr(metadata, "requires", lambda _: asked)
    found = by_name(list(packages.requirements()))
    assert found["numpy"].state == "ok"
    assert found["rich"].state == found["nowhere"].state == "missing"
    assert found["rich"].mend == "pip install 'rich>=10000'"
    assert found["nowhere"].found == "not installed"
    extra = by_name(list(packages.extras()))["cgal"]
    assert (extra.state, extra.found) == ("absent", "thing not installed")
    assert extra.mend.endswith("pip install 'rheobase[cgal]'")


def test_every_extra_has_a_purpose() -> None:
    extras = metadata.metadata("rheobase").get_all("Provides-Extra") or []
    assert set(packages.PURPOSE) == set(extras)


def test_condas_dolfinx_stands_in_for_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "fenics-dolfinx":
            return "0.11.0"
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", lambda _: ["dolfinx-solver-real>=0.11,<0.12"])
    monkeypatch.setattr(metadata, "version", version)
    (check,) = packages.requirements()
    assert (check.name, check.state, check.found) == ("fenics-dolfinx", "ok", "0.11.0")


def test_a_python_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.python_version", lambda: "3.9.1")
    check = packages.python()
    assert (check.state, check.mend) == ("missing", "make an environment with Python <3.15,>=3.12")


def test_a_compiled_part_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_LIBRARIES", ("fields/_nowhere.so",))
    check = packages.package()
    assert check.state == "missing"
    assert check.found.startswith("fields/_nowhere.so does not load")


def test_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path / "file" / "cache"))
    check = by_name(list(machine.machine()))["cache"]
    assert (check.state, "RHEOBASE_CACHE" in check.mend) == ("poor", True)


def test_memory_is_what_the_control_group_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "free_memory", lambda: 64 * 2.0**30)
    monkeypatch.setattr(machine, "_limit", lambda: 2.0**30)
    check = by_name(list(machine.machine()))["memory"]
    assert (check.state, check.found) == ("poor", "1.0 GiB free")


def test_no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert by_name(list(machine.machine()))["C compiler"].state == "absent"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.kill(os.getpid(), 11)", "crashed (signal 11)"),
        ("raise ImportError('libGL.so.1: no such file')", "ImportError: libGL.so.1: no such file"),
        ("import time; time.sleep(9)", "no answer within 0.5 s"),
    ],
)
def test_an_attempt_that_fails_is_told(
    code: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "_PATIENCE", 0.5 if "sleep" in code else 20.0)
    monkeypatch.setattr(probes, "_NUMBA", code)
    (check,) = probes.numba()
    assert (check.state, check.found) == ("missing", said)
    assert check.mend


def test_a_launcher_of_another_mpi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    launcher = tmp_path / "mpiexec"
    launcher.write_text('#!/bin/sh\nshift 2\nexec "$@"\n')
    launcher.chmod(0o755)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    (check,) = probes.mpi()
    assert (check.state, "belongs to another MPI" in check.found) == ("poor", True)


def a_check(state: str) -> Check:
    return Check(group="G", name="thing", state=state, found="none", mend="get it")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "status"), [("ok", 0), ("absent", 0), ("poor", 0), ("missing", 1)]
)
def test_only_what_is_needed_fails(
    state: str,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(_doctor, "examine", lambda: [a_check(state)])

    def ending(run: Callable[[], None]) -> int:
        try:
            run()
        except typer.Exit as error:
            return error.exit_code
        return 0

    assert ending(doctor) == status
    assert "-> get it" in capsys.readouterr().out
    assert ending(lambda: doctor(as_json=True)) == status
    told = json.loads(capsys.readouterr().out)
    assert told["fine"] == (status == 0)
    assert told["checks"][0]["state"] == state
