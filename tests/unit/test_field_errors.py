"""Estimated errors are found once for a field, and follow its amplitude."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rheobase.fields import error
from rheobase.fields.conduction import solve_conduction
from rheobase.fields.electrodes.electrode import place_electrode
from rheobase.fields.electrodes.montage import Montage
from rheobase.meshes.placing.outlines import Disc
from rheobase.stations.field_errors import source_errors
from rheobase.validation.leadfield import ball

UNITS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def basis(seed: int = 0) -> Any:
    one = np.random.default_rng(seed).random
    mesh = SimpleNamespace(nodes=one((4, 3)), tets=np.arange(4)[None], labels=np.ones(1))
    return SimpleNamespace(
        mesh=mesh, potential=one((2, 4)), correction=one((2, 4)), names=("a", "b"), anisotropic=(),
        split_of_tet=np.arange(4)[None], split_node=np.arange(3), split_label=np.ones(3),
    )  # fmt: skip


def test_they_are_found_once_and_again_where_anything_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path))
    asked = []

    def estimate(given: Any, amplitudes: Any) -> Any:
        asked.append(given)
        return amplitudes @ UNITS

    monkeypatch.setattr(error, "estimate_error", estimate)
    np.testing.assert_array_equal(
        source_errors(basis(), np.array([2.0, -1.0])), [[2, 4, 6], [4, 5, 6]]
    )
    np.testing.assert_array_equal(source_errors(basis(), np.ones(2)), UNITS)
    assert len(asked) == 1
    source_errors(basis(1), np.ones(2))
    assert len(asked) == 2
    for file in tmp_path.rglob("*.npz"):
        file.write_bytes(file.read_bytes()[:-8])
    np.testing.assert_array_equal(source_errors(basis(), np.ones(2)), UNITS)
    assert len(asked) == 3, "a damaged file is made anew"


def test_the_estimate_is_proportional_to_the_amplitude(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path))
    head = ball(0.03)
    pads = tuple(place_electrode(head, n, shape=Disc(radius_mm=15.0)) for n in ("T7", "T8"))
    one = Montage(name="across", electrodes=pads, currents=(1e-3, -1e-3))
    turned = replace(one, name="turned", currents=(-2e-3, 2e-3))
    found = solve_conduction(head, [one, turned])
    a = np.array([2e-3, -5e-3])
    np.testing.assert_allclose(
        source_errors(found, a), error.estimate_error(found, np.diag(a)), rtol=1e-9, atol=1e-9
    )
