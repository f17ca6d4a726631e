"""What all tests share."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace

import pytest

# What a run says of its progress is tested where it is asked for, not wherever a log asked.
os.environ.pop("RHEOBASE_PROGRESS", None)

DRAWER = import_module("rheobase.scenes.picture")


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
