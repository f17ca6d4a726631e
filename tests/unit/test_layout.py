"""The layout itself: one import package, four top-level folders, dependencies in one direction."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ["meshes", "fields", "neurons", "validation"]  # each may import only those before it
# root modules that every layer may import
BASE = {
    "_dolfinx", "_errors", "_files", "_kept", "_memory", "_netcdf", "_progress", "_ranks",
    "_threads",
}  # fmt: skip


def imported(path: Path) -> set[str]:
    """Names under ``rheobase`` that a file imports, at the top or inside a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
            names |= {f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
    return {n.split(".")[1] for n in names if n.startswith("rheobase.")}


@pytest.mark.parametrize("part", LAYERS)
def test_each_folder_is_a_subpackage(part: str) -> None:
    module = importlib.import_module(f"rheobase.{part}")
    assert module.__file__ is not None
    assert Path(module.__file__).resolve() == ROOT / part / "__init__.py"


@pytest.mark.parametrize("part", LAYERS)
def test_imports_point_down_the_layers(part: str) -> None:
    allowed = BASE | set(LAYERS[: LAYERS.index(part) + 1]) | {"__version__"}
    for path in (ROOT / part).rglob("*.py"):
        assert imported(path) <= allowed, f"{path}: {imported(path) - allowed}"


def test_base_modules_import_no_layer() -> None:
    for name in BASE:
        assert imported(ROOT / f"src/rheobase/{name}.py") <= BASE | {"__version__"}


def test_import_loads_no_heavy_library() -> None:
    code = (
        "import sys, rheobase, rheobase.meshes, rheobase.fields, rheobase.neurons, "
        "rheobase.validation; print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    heavy = {"numba", "dolfinx", "petsc4py", "pyvista", "matplotlib", "scipy", "mne", "nilearn"}
    assert not heavy & set(loaded)


def test_root_import_is_light() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, rheobase; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert not {"numpy", "pydantic", "typer", "rich"} & set(loaded)
