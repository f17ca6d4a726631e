"""DOLFINx from the wheel, from elsewhere, of another series, and none at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rheobase import _dolfinx
from rheobase._errors import InputError

SOLVE = """
import sys
from mpi4py import MPI
sys.modules["dolfinx_solver"] = None
import numpy as np
from scipy.sparse import diags_array
from rheobase.fields.dbs.solution.factor import factorise
print(factorise(diags_array([2.0, 4.0], format="csr")).solve(np.ones((2, 1))).ravel())
"""


def test_petsc_solves_without_the_wheels_bootstrap() -> None:
    run = subprocess.run([sys.executable, "-c", SOLVE], capture_output=True, text=True, check=True)
    assert run.stdout == "[0.5  0.25]\n"


@pytest.mark.parametrize(
    ("petsc4py", "sentence"),
    [
        (None, "PETSc does not load"),
        (
            SimpleNamespace(PETSc=SimpleNamespace(ScalarType=np.complex128)),
            "PETSc computes with complex numbers",
        ),
    ],
)
def test_what_is_wrong_with_petsc(
    petsc4py: Any, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, module in (("dolfinx_solver", None), ("petsc4py", petsc4py)):
        monkeypatch.setitem(sys.modules, name, module)
    with pytest.raises(InputError, match=f"^{sentence}.*rheobase doctor"):
        _dolfinx.petsc.__wrapped__()


@pytest.mark.parametrize(
    ("version", "sentence"),
    [(None, "DOLFINx does not load"), ("0.9.0", "DOLFINx 0.11 is needed, found 0.9.0")],
)
def test_what_is_wrong_with_dolfinx(
    version: str | None, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = ModuleType("dolfinx") if version else None
    if version:
        module.__version__ = version
    monkeypatch.setattr(_dolfinx, "petsc", lambda: None)
    monkeypatch.setitem(sys.modules, "dolfinx", module)
    with pytest.raises(InputError, match=f"^{sentence}.*rheobase doctor"):
        _dolfinx.dolfinx.__wrapped__()


@pytest.mark.parametrize("kind", ["ImportError", "RuntimeError"])
def test_a_wheel_that_refuses_its_surroundings_is_quoted(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dolfinx_solver.py").write_text(f"raise {kind}('two of them\\nhere and there')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "dolfinx_solver", raising=False)
    with pytest.raises(InputError, match=r"^DOLFINx does not load \(two of them\)"):
        _dolfinx.petsc.__wrapped__()
