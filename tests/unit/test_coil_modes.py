"""Modes of a head: fields of any coil at any pose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.coils.coil import Coil
from rheobase.fields.coils.sampled import SampledPotential
from rheobase.fields.coils.windings import coil
from rheobase.fields.induction import solve_induction
from rheobase.fields.solver import Conductor
from rheobase.fields.targeting import modes_solve
from rheobase.fields.targeting.modes import CoilModes, load_coil_modes, magnetic_field
from rheobase.fields.targeting.modes_solve import coil_modes
from rheobase.meshes.head import Head
from rheobase.validation.leadfield import ball

COUNT = 30  # modes of the quick tests; 150 have the accuracy that is promised
ABOVE = np.array([[0.0, 1, 0, 0.01], [-1, 0, 0, -0.02], [0, 0, 1, 0.097], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def head() -> Head:
    return ball(14e-3)


@pytest.fixture(scope="module")
def conductor(head: Head) -> Conductor:
    return Conductor(head, rtol=1e-6)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("modes") / "modes.h5"


@pytest.fixture(scope="module")
def modes(head: Head, conductor: Conductor, path: Path) -> CoilModes:
    return coil_modes(head, path, modes=COUNT, conductor=conductor)


@pytest.mark.slow  # 55 CPU-seconds; 'rheobase validate tms-any-pose' holds the same
def test_modes_add_up_to_a_full_solution(tmp_path: Path) -> None:
    """The error is below what is estimated; of a coil far away only that of the mesh is left."""
    head = ball(11e-3)
    conductor = Conductor(head, rtol=1e-6)
    modes = coil_modes(head, tmp_path / "modes.h5", modes=150, conductor=conductor)
    tool = coil("circular-90mm")
    away = ABOVE.copy()
    away[2, 3] += 0.05
    full = solve_induction(
        conductor, [replace(tool.moved(p), name=str(k)) for k, p in enumerate((ABOVE, away))]
    ).E[:, modes.kept]
    errors = []
    for pose, E in zip((ABOVE, away), full, strict=True):
        found, missing = modes.field(tool, pose)
        errors.append(float(np.linalg.norm(found - E) / np.linalg.norm(E)))
        assert errors[-1] < max(missing, 0.012)
    assert errors[0] < 0.03
    assert errors[1] < 0.012


def test_modes_are_orthonormal_and_fall_off(modes: CoilModes) -> None:
    np.testing.assert_allclose(modes.modes @ modes.modes.T, np.eye(COUNT), atol=1e-9)
    assert (np.diff(modes.singular) < 0).all()
    assert modes.E.shape == (COUNT, len(modes.kept), 3)
    assert (modes.split.label[modes.kept] == 2).all()
    np.testing.assert_array_equal(modes.at([3, 5]), modes.E[:, [3, 5]])


def test_there_are_no_more_modes_than_the_points_tell_apart(
    head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modes_solve, "POINTS", 0.05)
    monkeypatch.setattr(modes_solve, "SPACING", 0.02)
    layer = modes_solve._layer(head, [head.label_of("grey_matter")], 400)
    assert 0 < len(layer.modes) <= 3 * len(layer.points) < 400
    np.testing.assert_allclose(layer.modes @ layer.modes.T, np.eye(len(layer.modes)), atol=1e-9)
    assert np.isfinite(layer.strengths).all()


def test_coefficients_of_many_poses_and_of_a_placed_coil(modes: CoilModes) -> None:
    tool = coil("deng-25mm-figure8")
    turned = ABOVE @ np.diag([-1.0, -1.0, 1.0, 1.0])
    c, missing = modes.coefficients(tool, np.stack([ABOVE, turned]))
    one, alone = modes.coefficients(tool.moved(ABOVE))
    np.testing.assert_allclose(one[0], c[0], atol=2e-2 * np.abs(c[0]).max())
    assert c.shape == (2, COUNT)
    # a figure-of-eight turned by half a turn is its own negative
    np.testing.assert_allclose(c[1], -c[0], atol=2e-2 * np.abs(c[0]).max())
    assert (missing > alone / 2).all()


def test_sampled_field_has_the_b_of_its_elements(modes: CoilModes) -> None:
    tool = coil("circular-90mm")
    affine = np.diag([0.004, 0.004, 0.004, 1.0])
    affine[:3, 3] = -0.14, -0.14, -0.24
    index = np.indices((71, 71, 60)).reshape(3, -1).T
    A = tool.vector_potential(index @ affine[:3, :3] + affine[:3, 3]).reshape(71, 71, 60, 3)
    sampled = Coil(name="grid", sampled=(SampledPotential(values=A, affine=affine),))
    pose = np.eye(4)
    pose[2, 3] = 0.1
    inner = modes.points[np.linalg.norm(modes.points, axis=1) < 0.075]
    one, other = (magnetic_field(c, inner, pose[None]) for c in (tool, sampled))
    assert np.linalg.norm(one - other) < 0.03 * np.linalg.norm(one)


def test_a_stopped_run_goes_on(
    modes: CoilModes, head: Head, conductor: Conductor, path: Path
) -> None:
    import h5py

    before = modes.E.copy()
    with h5py.File(path, "r+") as file:
        file["done"][COUNT - 10 :] = False
        file["E"][COUNT - 10 :] = 0.0
    with pytest.raises(InputError, match=f"holds {COUNT - 10} of {COUNT} modes"):
        load_coil_modes(path)
    again = coil_modes(head, path, modes=COUNT, conductor=conductor)
    np.testing.assert_allclose(again.E, before, atol=1e-4 * np.abs(before[COUNT - 10 :]).max())
    with pytest.raises(InputError, match="got others"):
        coil_modes(head, path, modes=9, conductor=conductor)


def test_what_makes_no_sense_is_refused(modes: CoilModes, head: Head, tmp_path: Path) -> None:
    tool = coil("circular-90mm")
    with pytest.raises(InputError, match="expected coil modes, found no file"):
        load_coil_modes(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("modes")
    with pytest.raises(InputError, match="cannot read coil modes"):
        load_coil_modes(tmp_path / "text.h5")
    with pytest.raises(InputError, match="1 or more modes"):
        coil_modes(head, tmp_path / "new.h5", modes=0)
    with pytest.raises(InputError, match="name of a tissue"):
        coil_modes(head, tmp_path / "new.h5", tissues=())
    with pytest.raises(InputError, match="muscle"):
        coil_modes(head, tmp_path / "new.h5", tissues=("muscle",))
    with pytest.raises(InputError, match="conductor of this head"):
        coil_modes(head, tmp_path / "new.h5", conductor=Conductor(ball(0.02)))
    with pytest.raises(InputError, match="rotation and a shift"):
        modes.field(tool, np.diag([1.0, 1.0, -1.0, 1.0]))
    with pytest.raises(InputError, match="expected one pose, got 2"):
        modes.field(tool, np.stack([ABOVE, ABOVE]))
    with pytest.raises(InputError, match="expected poses of shape"):
        modes.field(tool, np.eye(3))
