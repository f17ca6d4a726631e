"""DOLFINx from the wheel, from elsewhere, of another series, and none at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HIDE_WHEEL = "import sys; from mpi4py import MPI; sys.modules['dolfinx_solver'] = None; "


SAY = """
from rheobase import _dolfinx
try:
    _dolfinx.{call}()
except _dolfinx.InputError as error:
    print(error)
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_petsc_solves_without_the_wheels_bootstrap() -> None:
    solve = (
        "from rheobase._dolfinx import petsc; from scipy.sparse import diags_array; "
        "from rheobase.fields.dbs.solution.factor import factorise; import numpy as np; "
        "print(factorise(diags_array([2.0, 4.0], format='csr')).solve(np.ones((2, 1))).ravel())"
    )
    assert run(HIDE_WHEEL + solve).stdout == "[0.5  0.25]\n"


@pytest.mark.parametrize(
    ("before", "call", "sentence"),
    [
        ("sys.modules['petsc4py'] = None; ", "petsc", "PETSc does not load"),
        ("sys.modules['dolfinx'] = None; ", "dolfinx", "DOLFINx does not load"),
        (
            "from types import ModuleType as M; m = M('dolfinx'); m.__version__ = '0.9.0'; "
            "sys.modules['dolfinx'] = m; ",
            "dolfinx",
            "DOLFINx 0.11 is needed, found 0.9.0",
        ),
        (
            "from types import ModuleType as M; from numpy import complex128; m = M('petsc4py'); "
            "m.PETSc = M('p'); m.PETSc.ScalarType = complex128; sys.modules['petsc4py'] = m; ",
            "petsc",
            "PETSc computes with complex numbers",
        ),
    ],
)
def test_what_is_wrong_is_said(before: str, call: str, sentence: str) -> None:
    code = (
        f"from rheobase import _dolfinx as d\ntry: d.{call}()\nexcept d.InputError as e: print(e)"
    )
    said = run(HIDE_WHEEL + before + "\n" + code).stdout
    assert said.startswith(sentence)
    assert "rheobase doctor" in said


@pytest.mark.parametrize("kind", ["ImportError", "RuntimeError"])
def test_a_wheel_that_refuses_its_surroundings_is_quoted(kind: str, tmp_path: Path) -> None:
    (tmp_path / "dolfinx_solver.py").write_text(f"raise {kind}('two of them\\nhere and there')")
    said = run(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{SAY.format(call='petsc')}"
    ).stdout
    assert said.startswith("DOLFINx does not load (two of them)")
