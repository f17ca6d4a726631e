"""Columns through a spherical shell: potential, thickness, normal and area against exact ones."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.cortex.columns import cortical_sheet
from rheobase.meshes.cortex.ribbon import Ribbon, potential, ribbon_of_labels
from rheobase.meshes.cortex.sheet import CorticalSheet

R_WHITE, R_PIAL = 12e-3, 15e-3
STEPS = (1e-3, 0.5e-3, 0.25e-3)


def shell(h: float) -> tuple[Ribbon, NDArray[np.float64], NDArray[np.float64]]:
    """Ribbon, affine and radius of each voxel; the middle falls on no symmetric point."""
    n = int(2 * 18e-3 / h)
    x = (np.arange(n) - n // 2) * h + 0.137e-3
    r = np.sqrt(x[:, None, None] ** 2 + x[None, :, None] ** 2 + x[None, None, :] ** 2)
    affine = np.diag([h, h, h, 1.0])
    affine[:3, 3] = x[0]
    ribbon = Ribbon(
        cortex=(r >= R_WHITE) & (r <= R_PIAL),
        white=r < R_WHITE,
        pial=r > R_PIAL,
        white_level=(R_WHITE - r).astype(np.float32),
        pial_level=(r - R_PIAL).astype(np.float32),
    )
    return ribbon, affine, r


def tilt(sheet: CorticalSheet) -> NDArray[np.float64]:
    """Angle between each column and the radius (degrees)."""
    middle = sheet.points(0.5)
    radial = middle / np.linalg.norm(middle, axis=1, keepdims=True)
    cosine = np.einsum("ij,ij->i", radial, sheet.normal)
    angle: NDArray[np.float64] = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return angle


@pytest.mark.convergence
def test_shell_converges() -> None:
    errors = []
    for h in STEPS:
        ribbon, affine, r = shell(h)
        exact = (1 / R_WHITE - 1 / r) / (1 / R_WHITE - 1 / R_PIAL)
        in_phi = np.sqrt(np.mean((potential(ribbon) - exact)[ribbon.cortex] ** 2))
        sheet = cortical_sheet(ribbon, affine, columns=3000)
        in_ends = np.abs(
            np.concatenate(
                [
                    np.linalg.norm(sheet.pial, axis=1) - R_PIAL,
                    np.linalg.norm(sheet.white, axis=1) - R_WHITE,
                ]
            )
        ).mean()
        in_thickness = np.abs(sheet.thickness - (R_PIAL - R_WHITE)).mean()
        errors.append([in_phi, in_ends, in_thickness])
        assert tilt(sheet).max() < 1.5
        area = 4 * np.pi * (0.5 * (R_WHITE + R_PIAL)) ** 2
        assert sheet.area.sum() == pytest.approx(area, rel=4e-3)  # facets of 3000 columns
        assert len(sheet.pial) - len(sheet.triangles) // 2 == 2  # one closed surface
    order = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert (order.mean(axis=0) > 1.5).all()
    assert errors[-1][0] < 2e-3
    assert errors[-1][1] < 10e-6
    assert errors[-1][2] < 15e-6


def test_labels_alone() -> None:
    _, affine, r = shell(0.5e-3)
    labels = np.select([r < R_WHITE, r <= R_PIAL], [1, 2], 3)
    sheet = cortical_sheet(
        ribbon_of_labels(labels, white=(1,), grey=(2,), pial=(3,)), affine, columns=3000
    )
    assert sheet.thickness.mean() == pytest.approx(3e-3, rel=0.01)
    assert sheet.thickness.std() < 0.1e-3
    assert tilt(sheet).mean() < 1.0
    a, b, c = (sheet.points(0.5)[sheet.triangles[:, k]] for k in range(3))
    facing = np.einsum("ij,ij->i", np.cross(b - a, c - a), sheet.normal[sheet.triangles[:, 0]])
    assert (facing > 0).all()


def test_cut_surfaces_end_where_the_cortex_ends() -> None:
    ribbon, affine, r = shell(0.5e-3)
    half = np.arange(r.shape[2])[None, None, :] * 0.5e-3 + affine[2, 3] > 0
    sheet = cortical_sheet(
        Ribbon(
            cortex=ribbon.cortex & half,
            white=ribbon.white & half,
            pial=ribbon.pial & half,
            white_level=ribbon.white_level,
            pial_level=ribbon.pial_level,
        ),
        affine,
        columns=1500,
    )
    area = 2 * np.pi * (0.5 * (R_WHITE + R_PIAL)) ** 2
    assert sheet.area.sum() == pytest.approx(area, rel=0.08)  # a rim of one voxel is lost
    assert sheet.thickness.mean() == pytest.approx(3e-3, rel=0.01)


def test_refusals() -> None:
    ribbon, affine, r = shell(1e-3)
    stretched = affine @ np.diag([1.0, 1.0, 2.0, 1.0])
    with pytest.raises(InputError, match="cubic voxels"):
        cortical_sheet(ribbon, stretched)
    nothing = np.zeros(r.shape, np.int64)
    with pytest.raises(InputError, match="grey matter"):
        cortical_sheet(ribbon_of_labels(nothing, white=(1,), grey=(2,), pial=(3,)), affine)
    alone = np.where(r <= R_PIAL, 2, 3)
    with pytest.raises(InputError, match="grey matter between"):
        cortical_sheet(ribbon_of_labels(alone, white=(1,), grey=(2,), pial=(3,)), affine)
