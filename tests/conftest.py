"""What all tests share."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace

import pytest

# What is told of progress, and how wide and in which colours, is tested where a test asks for it,
# not wherever a log or a terminal asked.
_ASKED = (
    "COLUMNS",
    "FORCE_COLOR",
    "GITHUB_ACTIONS",
    "LINES",
    "NO_COLOR",
    "PETSC_OPTIONS",
    "PY_COLORS",
    "RHEOBASE_CACHE_GB",
    "RHEOBASE_PROGRESS",
    "TERMINAL_WIDTH",
)
for _name in _ASKED:
    os.environ.pop(_name, None)

# Files that take longest, so that no worker is left with one of them in the end.
_LONGEST = (
    "test_mni152.py",
    "test_heads.py",
    "test_fus_study.py",
    "test_fields.py",
    "test_examples.py",
    "test_interference.py",
    "test_dbs_grid.py",
    "test_coil_modes.py",
    "test_net_stretches.py",
    "test_mrg.py",
)

DRAWER = import_module("rheobase.scenes.picture")


def pytest_configure(config: pytest.Config) -> None:
    """Keep what the tests cache apart from the user's: a run finds what it made itself, only."""
    if not hasattr(config, "workerinput"):  # workers have the environment of who started them
        os.environ["RHEOBASE_CACHE"] = folder = tempfile.mkdtemp(prefix="rheobase-tests-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest; the others stay in their order."""
    place = {name: n for n, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture(scope="session", autouse=True)
def _no_pictures() -> Iterator[None]:
    """Go without 3-D pictures, as where there is no OpenGL: each takes 2 to 4 CPU-seconds."""
    fails = SimpleNamespace(run=lambda *_, **__: SimpleNamespace(returncode=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DRAWER, "subprocess", fails)
        yield


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test draw 3-D pictures where there is an OpenGL."""
    monkeypatch.setattr(DRAWER, "subprocess", subprocess)
