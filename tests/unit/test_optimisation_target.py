"""Targets: functionals of the field against the field itself."""

from dataclasses import replace

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.leadfield import LeadField
from rheobase.fields.leadfield_solve import lead_field
from rheobase.fields.optimisation.target import Target, point_target, region_target, rows
from rheobase.meshes.cortex.sheet import sheet_from_pairs
from rheobase.meshes.head import Head
from rheobase.meshes.regions.region import ball as ball_region
from rheobase.meshes.regions.region import tissue_region
from rheobase.meshes.regions.statistics import summarise_region
from rheobase.validation.leadfield import ball

MONTAGE = {"Cz": 2e-3, "T7": -0.5e-3, "Oz": -1.5e-3}
SPOT = ball_region((0.0, 0.01, 0.05), 0.02)


@pytest.fixture(scope="module")
def head() -> Head:
    return ball(0.014)


@pytest.fixture(scope="module")
def field(head: Head, tmp_path_factory: pytest.TempPathFactory) -> LeadField:
    path = tmp_path_factory.mktemp("target") / "field.h5"
    return lead_field(head, path, tissues=["grey_matter"])


def test_rows_of_a_region_are_its_mean_field(head: Head, field: LeadField) -> None:
    target = region_target(head, SPOT, split=field.split)
    C = rows(field, target)
    assert C.shape == (3, len(field.names))
    basis = field.basis({"montage": MONTAGE})
    E = basis.combine([2e-3])
    within = SPOT & tissue_region("grey_matter")
    means = [
        summarise_region(within, head, E[:, j], corners=basis.split_of_tet).mean for j in range(3)
    ]
    a = field.currents(MONTAGE)
    assert np.allclose(C @ a, means, rtol=1e-9)
    assert target.volume == pytest.approx(within.volume(head), rel=1e-12)
    assert np.linalg.norm(target.centre - (0, 0.01, 0.05)) < 3e-3
    assert np.allclose(rows(basis, target) @ [2e-3], means, rtol=1e-7)
    one = rows(field, target.along((0, 0, 3.0)))
    assert one.shape == (1, len(field.names))
    assert np.allclose(one[0], C[2], rtol=1e-12)


def test_rows_at_points_are_the_interpolated_field(head: Head, field: LeadField) -> None:
    points = np.array([[0.0, 0.01, 0.05], [0.02, -0.03, 0.01]])
    directions = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    basis = field.basis({"montage": MONTAGE})
    E = 2e-3 * basis.at(points)[0][0]
    a = field.currents(MONTAGE)
    C = rows(field, point_target(head, points, weights=[1.0, 3.0]))
    assert np.allclose(C @ a, 0.25 * E[0] + 0.75 * E[1], rtol=1e-9)
    C = rows(field, point_target(head, points, directions=directions))
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    assert (C @ a).item() == pytest.approx(0.5 * (E * unit).sum(), rel=1e-9)


def test_a_target_along_the_columns_points_into_the_cortex(head: Head) -> None:
    points = head.mesh.nodes[np.linalg.norm(head.mesh.nodes, axis=1) > 0.079]
    outward = points / np.linalg.norm(points, axis=1, keepdims=True)
    sheet = sheet_from_pairs(0.08 * outward, 0.077 * outward, np.array([[0, 1, 2]], np.int32))
    with pytest.raises(InputError, match="cortical sheet"):
        region_target(head, SPOT).along_columns(head)
    target = region_target(head, ball_region((0, 0, 0.08), 0.015))
    inward = target.along_columns(replace(head, cortex=sheet)).direction
    assert inward is not None
    assert inward.shape == (len(target.nodes), 3)
    radial = -target.positions / np.linalg.norm(target.positions, axis=1, keepdims=True)
    assert (inward * radial).sum(axis=1).min() > 0.9


def test_targets_that_cannot_be(head: Head, field: LeadField) -> None:
    with pytest.raises(InputError, match="holds none"):
        region_target(head, ball_region((0, 0, 0.089), 0.002))
    with pytest.raises(InputError, match="inside the mesh"):
        point_target(head, (0, 0, 1.0))
    with pytest.raises(InputError, match="three numbers"):
        point_target(head, (0, 0))
    with pytest.raises(InputError, match="not all 0"):
        region_target(head, SPOT).along((0, 0, 0))
    with pytest.raises(InputError, match="stored"):
        rows(field, region_target(head, SPOT | ball_region((0, 0, 0.09), 0.005), tissues=["scalp"]))
    with pytest.raises(InputError, match="same mesh"):
        rows(field, region_target(ball(0.02), SPOT))
    nobody = np.empty(0, np.int64)
    with pytest.raises(InputError, match="holds some"):
        Target(name="none", nodes=nobody, positions=np.empty((0, 3)), weights=np.empty(0))
