"""Transforms between spaces: exact maps, inverses, files, heads."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.head import Head
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.spaces import Affine, Registration, Warp, read_affine, read_warp
from rheobase.meshes.store import load_head, save_head
from rheobase.meshes.tissues import tissue

Floats = NDArray[np.float64]
LINEAR = np.array([[1.1, 0.1, 0.0], [-0.1, 0.9, 0.05], [0.0, 0.0, 1.05]])
GRID = np.diag([3e-3, 3e-3, 3e-3, 1.0])
GRID[:3, 3] = -0.09
SHAPE = (61, 61, 61)


def bent(x: Floats) -> Floats:
    """An affine map and waves of 8 mm over 120 mm: gradients up to 0.42."""
    waves = 8e-3 * np.sin(2 * np.pi * x[..., [1, 2, 0]] / 0.12)
    moved: Floats = x @ LINEAR.T + [0.01, -0.02, 0.005] + waves
    return moved


def grid(affine: Floats, shape: tuple[int, int, int]) -> Floats:
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    points: Floats = index @ affine[:3, :3].T + affine[:3, 3]
    return points


@pytest.fixture(scope="module")
def warp() -> Warp:
    return Warp(coordinates=bent(grid(GRID, SHAPE)).astype(np.float32), affine=GRID)


@pytest.fixture(scope="module")
def inside() -> Floats:
    return np.random.default_rng(0).uniform(-0.085, 0.085, (3000, 3))


def test_warp_of_an_affine_map_is_that_map(inside: Floats) -> None:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = LINEAR, [0.01, 0.02, 0.03]
    exact = Affine(matrix=matrix)
    points = exact(grid(GRID, SHAPE).reshape(-1, 3)).reshape(*SHAPE, 3)
    w = Warp(coordinates=points.astype(np.float32), affine=GRID)
    np.testing.assert_allclose(w(inside), exact(inside), atol=2e-8)
    np.testing.assert_allclose(w.nearest_affine().matrix, matrix, atol=1e-6)
    np.testing.assert_allclose(exact.inverse()(exact(inside)), inside, atol=1e-15)
    thin = w.thinned(1e-6)
    assert thin.coordinates.shape == (9, 9, 9, 3)  # halved three times at most
    np.testing.assert_allclose(thin(inside), exact(inside), atol=1e-6)


def test_warp_and_its_inverse(warp: Warp, inside: Floats) -> None:
    assert np.abs(warp(inside) - bent(inside)).max() < 30e-6  # linear between voxels of 3 mm
    back = warp.inverse()
    found = back(warp(inside))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, inside, atol=5e-7)
    assert back.inverse() is warp


def test_nothing_is_invented_outside(warp: Warp) -> None:
    outside = [[0.1, 0.0, 0.0], [0.0, 0.0, -0.2]]
    assert np.isnan(warp(outside)).all()
    assert np.isnan(warp.inverse()([[0.3, 0.0, 0.0]])).all()
    corners = grid(GRID, SHAPE)[[0, 0, -1, -1], [0, -1, 0, -1], -1]
    assert np.isfinite(warp(corners)).all()
    unknown = warp.coordinates.copy()
    unknown[:20] = np.nan
    half = Warp(coordinates=unknown, affine=GRID)
    points = np.array([[-0.06, 0.0, 0.0], [0.06, 0.0, 0.0]])
    assert np.isnan(half(points)).any(axis=1).tolist() == [True, False]
    images = bent(points)
    found = half.inverse()(images)
    assert np.isnan(found).any(axis=1).tolist() == [True, False]
    np.testing.assert_allclose(found[1], points[1], atol=5e-5)


def test_thinning_keeps_its_word(warp: Warp, inside: Floats) -> None:
    full = warp(inside)
    thin = warp.thinned(3e-4)
    assert thin.coordinates.size < warp.coordinates.size / 6
    assert np.abs(thin(inside) - full).max() <= 3e-4
    assert warp.thinned(1e-6).coordinates.shape == warp.coordinates.shape
    even = Warp(coordinates=warp.coordinates[:-1, :-1, :-1], affine=GRID)
    last = grid(GRID, SHAPE)[-2, -2, -2][None]
    np.testing.assert_allclose(even.thinned(3e-4)(last), even(last), atol=3e-4)


@pytest.mark.parametrize("vector", [False, True])
def test_warp_files_hold_target_coordinates_in_mm(
    warp: Warp, inside: Floats, tmp_path: Path, vector: bool
) -> None:
    matrix = np.diag([-3.0, 3.0, 3.0, 1.0])  # stored from right to left, as SimNIBS's MNI grid
    matrix[:3, 3] = [90.0, -90.0, -90.0]
    values = 1e3 * warp.coordinates[::-1]
    values = values[:, :, :, None] if vector else values
    path = tmp_path / "Conform2MNI_nonl.nii.gz"
    nib.save(nib.Nifti1Image(values.astype(np.float32), matrix), path)
    read = read_warp(path, tolerance_mm=0.0)
    np.testing.assert_allclose(read(inside), warp(inside), atol=1e-7)
    np.testing.assert_allclose(read_warp(path)(inside), warp(inside), atol=5e-5)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match="Conform2MNI_nonl"):
        read_warp(path)


def test_files_that_are_no_warps(warp: Warp, tmp_path: Path) -> None:
    path = tmp_path / "warp.nii.gz"
    matrix = GRID * np.array([1e3, 1e3, 1e3, 1.0])[:, None]
    nib.save(nib.Nifti1Image(np.zeros(SHAPE, np.float32), matrix), path)
    with pytest.raises(InputError, match=r"shape \(nx, ny, nz, 3\).*warp\.nii"):
        read_warp(path)
    shift = 1e3 * (warp.coordinates - grid(GRID, SHAPE).astype(np.float32))
    nib.save(nib.Nifti1Image(shift, matrix), path)
    with pytest.raises(InputError, match="displacement fields"):
        read_warp(path)
    with pytest.raises(InputError, match="next to none"):
        Warp(coordinates=np.full((9, 9, 9, 3), np.nan), affine=GRID)
    with pytest.raises(InputError, match="No such file"):
        read_warp(tmp_path / "no.nii.gz")


def test_affine_files(tmp_path: Path) -> None:
    path = tmp_path / "MNI2conform_12DOF.txt"
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = LINEAR, [10.0, -5.0, 3.0]
    np.savetxt(path, matrix)
    found = read_affine(path)
    np.testing.assert_allclose(found([[0.01, 0.02, 0.03]])[0], LINEAR @ [0.01, 0.02, 0.03] + [
        0.01, -0.005, 0.003,
    ])  # fmt: skip
    np.savetxt(path, matrix[:3])
    with pytest.raises(InputError, match="16 numbers"):
        read_affine(path)
    np.savetxt(path, np.diag([1.0, 1.0, 0.0, 1.0]))
    with pytest.raises(InputError, match=r"invertible.*12DOF"):
        read_affine(path)
    with pytest.raises(InputError, match="found none"):
        read_affine(tmp_path / "no.txt")
    with pytest.raises(InputError, match="last row"):
        Affine(matrix=np.ones((4, 4)))


def head(space: str, mni: Registration | None) -> Head:
    mesh = TetMesh(
        nodes=0.01 * np.eye(4)[:, :3],
        tets=np.array([[3, 0, 1, 2]], np.int32),
        labels=np.array([2], np.int32),
    )
    return Head(
        name="tet",
        species="human",
        space=space,
        mesh=mesh,
        tissues={2: tissue("grey_matter")},
        mni=mni,
    )


def test_heads_know_the_way_to_mni(warp: Warp, inside: Floats) -> None:
    np.testing.assert_array_equal(head("MNI152NLin2009aSym", None).to_mni(inside), inside)
    with pytest.raises(InputError, match="no transform between MNI and space 'scanner'"):
        head("scanner", None).to_mni(inside)
    one_way = head("scanner", Registration(to_mni=warp))
    np.testing.assert_allclose(one_way.from_mni(one_way.to_mni(inside)), inside, atol=5e-7)
    with pytest.raises(InputError, match=r"\[300\.0, 0\.0, 0\.0\] mm \(1 of 2 outside\)"):
        one_way.from_mni([[0.3, 0.0, 0.0], [0.0, 0.0, 0.0]])
    other_way = head("scanner", Registration(from_mni=warp))
    np.testing.assert_allclose(other_way.to_mni(warp(inside)), inside, atol=5e-7)
    with pytest.raises(InputError, match="neither"):
        Registration()
    with pytest.raises(InputError, match=r"shape \(n, 3\)"):
        one_way.to_mni([1.0, 2.0])


def test_transforms_are_stored_with_the_head(warp: Warp, inside: Floats, tmp_path: Path) -> None:
    matrix = np.eye(4)
    matrix[:3, 3] = 0.01
    both = Registration(to_mni=warp, from_mni=Affine(matrix=matrix))
    for registration in (both, Registration(from_mni=warp), None):
        save_head(tmp_path / "head.h5", head("scanner", registration))
        read = load_head(tmp_path / "head.h5").mni
        if registration is None:
            assert read is None
            continue
        assert read is not None
        for name in ("to_mni", "from_mni"):
            mine, stored = getattr(registration, name), getattr(read, name)
            assert (mine is None) == (stored is None)
            if mine is not None:
                np.testing.assert_array_equal(stored(inside), mine(inside))
