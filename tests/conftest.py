"""What all tests share."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace

import pytest

DRAWER = import_module("rheobase.scenes.picture")


@pytest.fixture
def draws() -> None:
    """Let a test draw 3-D pictures; all others go without, as where there is no OpenGL."""


@pytest.fixture(autouse=True)
def _no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep 3-D pictures from being drawn: each takes a process of its own and 2 to 4 CPU-seconds.

    Fixtures of a module or session are made before this, and draw.
    """
    if "draws" not in request.fixturenames:
        fails = SimpleNamespace(run=lambda *_, **__: SimpleNamespace(returncode=1))
        monkeypatch.setattr(DRAWER, "subprocess", fails)
