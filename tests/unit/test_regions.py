"""Regions: volumes, set algebra, spaces, statistics against exact numbers."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.cortex.sheet import sheet_from_pairs
from rheobase.meshes.head import Head
from rheobase.meshes.heads.sphere import unit_sphere
from rheobase.meshes.insertion.shapes import Ball
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.regions.inside import ClosedSurface
from rheobase.meshes.regions.region import (
    Region,
    ball,
    mask_region,
    shape_region,
    surface_region,
    tissue_region,
)
from rheobase.meshes.regions.statistics import (
    region_table,
    summarise,
    summarise_region,
    weighted_percentiles,
    write_table,
)
from rheobase.meshes.spaces import Affine, Registration
from rheobase.meshes.tissues import tissue

Floats = NDArray[np.float64]
SIDE = 0.08  # m
MOVE = np.eye(4)  # head to MNI: mirrored, 1.25 times as large, moved
MOVE[:3, :3], MOVE[:3, 3] = np.diag([-1.25, 1.25, 1.25]), [0.01, 0.02, 0.03]


def cube(n: int) -> Head:
    """A cube of 80 mm around the origin, six tetrahedra a cell; white below z = 0, grey above."""
    x = np.linspace(-SIDE / 2, SIDE / 2, n + 1)
    nodes = np.stack(np.meshgrid(x, x, x, indexing="ij"), axis=-1).reshape(-1, 3)
    k = np.arange((n + 1) ** 3).reshape(n + 1, n + 1, n + 1)
    corner = k[:-1, :-1, :-1].ravel()
    step = np.array([(n + 1) ** 2, n + 1, 1])
    tets = []
    for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 2, 1], [2, 1, 0], [1, 0, 2]):
        path = corner[:, None] + np.concatenate([[0], np.cumsum(step[order])])
        tets.append(path if order in ([0, 1, 2], [1, 2, 0], [2, 0, 1]) else path[:, [0, 2, 1, 3]])
    cells = np.concatenate(tets).astype(np.int32)
    top = nodes[cells].mean(axis=1)[:, 2] > 0
    flat = nodes[nodes[:, 2] == x[-1]]
    m = len(x)
    q = np.arange(m * m).reshape(m, m)
    faces = np.concatenate(
        [
            np.stack([q[:-1, :-1], q[1:, :-1], q[1:, 1:]], axis=-1).reshape(-1, 3),
            np.stack([q[:-1, :-1], q[1:, 1:], q[:-1, 1:]], axis=-1).reshape(-1, 3),
        ]
    ).astype(np.int32)
    return Head(
        name="cube",
        species="human",
        space="scanner",
        mesh=TetMesh(nodes=nodes, tets=cells, labels=np.where(top, 2, 1).astype(np.int32)),
        tissues={1: tissue("white_matter"), 2: tissue("grey_matter")},
        cortex=sheet_from_pairs(flat, flat - [0.0, 0.0, 0.02], faces),
        mni=Registration(to_mni=Affine(matrix=MOVE)),
    )


@pytest.fixture(scope="module")
def head() -> Head:
    return cube(16)  # cells of 5 mm


def box_region(low: list[float], high: list[float], *, space: str = "head") -> Region:
    """A box as a closed surface."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    faces = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    triangles = np.array([t for a, b, c, d in faces for t in ([a, b, c], [a, c, d])], np.int32)
    points = np.array(low) + corners * (np.array(high) - np.array(low))
    return surface_region(points, triangles, name="box", space=space)


def test_boxes_along_the_cells_are_exact(head: Head) -> None:
    box = box_region([-0.02, -0.01, -0.03], [0.03, 0.01, 0.0])
    for levels in (0, 1, 2):
        assert box.volume(head, levels=levels) == pytest.approx(0.05 * 0.02 * 0.03, rel=1e-12)
    assert head.mesh.volumes()[box.tets(head)].sum() == pytest.approx(3e-5, rel=1e-12)
    assert (~box).volume(head) == pytest.approx(SIDE**3 - 3e-5, rel=1e-12)
    whole = tissue_region("white_matter", "grey_matter")
    assert whole.volume(head) == pytest.approx(SIDE**3, rel=1e-12)


def test_set_algebra_is_exact_on_volumes(head: Head) -> None:
    a = ball([0.0, 0.0, 0.0], 0.02)
    b = ball([0.015, 0.0, 0.004], 0.018)
    volume = {r.name: r.volume(head) for r in (a, b, a & b, a | b, a - b, b - a, ~a, ~(~a | ~b))}
    na, nb = a.name, b.name
    both = volume[f"({na} & {nb})"]
    assert volume[na] + volume[nb] == pytest.approx(volume[f"({na} | {nb})"] + both, rel=1e-12)
    assert volume[f"({na} - {nb})"] == pytest.approx(volume[na] - both, rel=1e-12)
    assert volume[f"({nb} - {na})"] == pytest.approx(volume[nb] - both, rel=1e-12)
    assert volume[f"~{na}"] == pytest.approx(SIDE**3 - volume[na], rel=1e-12)
    assert volume[f"~(~{na} | ~{nb})"] == pytest.approx(both, rel=1e-12)
    grey = tissue_region("grey_matter")
    assert (grey & a).volume(head) == pytest.approx(a.volume(head) / 2, rel=1e-3)
    np.testing.assert_array_equal((grey - a).tets(head), grey.tets(head) & ~a.tets(head))


def test_boxes_that_spare_work_change_nothing(head: Head) -> None:
    a = ball([0.0, 0.0, 0.0], 0.02)
    b = ball([0.0, 0.0, 0.03], 0.018, space="MNI")
    c = box_region([-0.03, -0.01, -0.03], [0.012, 0.01, 0.013])
    far = ball([0.0, 0.0, 1.0], 0.01)
    grey = tissue_region("grey_matter")
    for r in (a, b, c, a & b, a & grey, a | c, a | grey, a - c, grey - a, a & far, (a | b) & c):
        whole = ~~r  # a complement knows no box
        assert whole.membership.bounds(head) is None
        np.testing.assert_array_equal(r.weights(head), whole.weights(head))
    assert (a & far).volume(head) == 0.0
    assert (a & grey).membership.bounds(head) is not None


def test_partial_volumes_of_a_ball() -> None:
    # radius 12 mm in cells of 5 mm: the centroid rule alone is wrong by per cents
    head, exact = cube(16), 4 / 3 * np.pi * 0.012**3
    errors = []
    for levels in (0, 1, 2):
        found = [
            ball([0.001 * k, 0.0007 * k, -0.0004 * k], 0.012).volume(head, levels=levels)
            for k in range(8)
        ]
        errors.append(np.sqrt(np.mean((np.array(found) / exact - 1) ** 2)))
    assert errors[0] < 0.05
    assert errors[1] < 0.012
    assert errors[2] < 0.004
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_mni_coordinates_move_their_centre_only(head: Head) -> None:
    centre = np.array([0.005, -0.004, 0.01])
    at = head.to_mni(centre)[0]
    by_mni, by_head = ball(at, 0.015, space="MNI"), ball(centre, 0.015)
    np.testing.assert_array_equal(by_mni.weights(head), by_head.weights(head))
    assert by_mni.contains([centre, centre + np.array([0.0, 0.0149, 0.0])], head).all()
    # a shape in MNI has all its lengths there: 1.25 times smaller in this head
    shape = shape_region(Ball(centre=at, radius=0.015), name="ball", space="MNI")
    exact = 4 / 3 * np.pi * 0.012**3
    assert shape.volume(head, levels=2) == pytest.approx(exact, rel=0.01)
    box = box_region([-0.0275, -0.005, 0.005], [0.035, 0.045, 0.03], space="MNI")
    assert box.volume(head) == pytest.approx(0.05 * 0.04 * 0.02, rel=1e-12)


def test_masks_go_by_their_voxels(head: Head, tmp_path: Path) -> None:
    values = np.zeros((16, 16, 16), np.float32)
    values[4:12, 8:, :] = 0.7
    values[0] = 0.3
    matrix = np.diag([-5.0, 5.0, 5.0, 1.0])
    matrix[:3, 3] = [37.5, -37.5, -37.5]
    nib.save(nib.Nifti1Image(values, matrix), tmp_path / "mask.nii.gz")
    mask = mask_region(tmp_path / "mask.nii.gz", space="head")
    assert mask.name == "mask"
    assert mask.volume(head) == pytest.approx(0.04 * 0.04 * 0.08, rel=1e-12)
    low = mask_region(tmp_path / "mask.nii.gz", space="head", threshold=0.2)
    assert low.volume(head) == pytest.approx((0.04 * 0.04 + 0.005 * 0.08) * 0.08, rel=1e-12)
    assert low.contains([[0.039, 0.0, 0.0], [-0.039, 0.0, 0.0]], head).tolist() == [True, False]
    with pytest.raises(InputError, match="voxels above 1, found none"):
        mask_region(tmp_path / "mask.nii.gz", space="head", threshold=1.0)


def test_columns_and_points(head: Head) -> None:
    assert head.cortex is not None
    half = box_region([-0.1, -0.1, -0.1], [0.001, 0.1, 0.1])
    np.testing.assert_array_equal(half.columns(head), head.cortex.pial[:, 0] < 0.001)
    assert tissue_region("grey_matter").columns(head).all()
    assert not tissue_region("white_matter").columns(head).any()
    points = [[0.0, 0.0, 0.01], [0.0, 0.0, -0.01], [0.0, 0.0, 1.0]]
    assert tissue_region("grey_matter").contains(points, head).tolist() == [True, False, False]


def test_inside_a_torus_and_through_edges() -> None:
    n = 24
    u = np.arange(n) * 2 * np.pi / n
    points = np.empty((n, n, 3))
    for j in range(n):
        points[:, j, 0] = (0.03 + 0.01 * np.cos(u[j])) * np.cos(u)
        points[:, j, 1] = (0.03 + 0.01 * np.cos(u[j])) * np.sin(u)
        points[:, j, 2] = 0.01 * np.sin(u[j])
    k = np.arange(n * n).reshape(n, n)
    a, b = np.roll(k, -1, 0), np.roll(k, -1, 1)
    c = np.roll(a, -1, 1)
    faces = np.stack([np.stack([k, a, c], -1), np.stack([k, c, b], -1)]).reshape(-1, 3)
    torus = ClosedSurface(points=points.reshape(-1, 3), triangles=faces.astype(np.int32))
    axis = np.stack([0.03 * np.cos(u), 0.03 * np.sin(u), np.zeros(n)], axis=1)
    assert torus.contains(axis).all()  # below them lie vertices, above them edges
    assert not torus.contains([[0.0, 0.0, 0.0], [0.0, 0.0, 0.2], [np.nan, 0.0, 0.0]]).any()
    # a grid that meets every vertex and edge of an octahedron from below
    ball_points, ball_faces = unit_sphere(0)
    octa = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
    sides = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    solid = ClosedSurface(points=octa, triangles=np.array(sides, np.int32))
    x = np.linspace(-1.25, 1.25, 11)
    grid = np.stack(np.meshgrid(x, x, x + 0.01, indexing="ij"), axis=-1).reshape(-1, 3)
    size = np.abs(grid).sum(axis=1)
    clear = np.abs(size - 1) > 1e-9
    np.testing.assert_array_equal(solid.contains(grid)[clear], (size < 1)[clear])
    with pytest.raises(InputError, match="closed surface, got 3 edges"):
        ClosedSurface(points=ball_points, triangles=ball_faces[1:])


def test_percentiles_by_definition() -> None:
    rng = np.random.default_rng(2)
    v = rng.normal(size=200)
    np.testing.assert_allclose(
        weighted_percentiles(v, np.full(200, 0.3), [0, 5, 50, 99.9]),
        np.percentile(v, [0, 5, 50, 99.9], method="hazen"),
    )
    # integer weights are repetitions, up to the half-weights at the steps
    w = rng.integers(0, 4, 200)
    many = np.repeat(v, w)
    middle = (np.arange(len(many)) + 0.5) / len(many)
    at = np.linspace(1, 99, 50)
    exact = np.interp(at / 100, middle, np.sort(many))
    steps = np.diff(np.sort(v[w > 0])).max()
    assert np.abs(weighted_percentiles(v, w, at) - exact).max() < steps
    assert weighted_percentiles(v, w, 50).item() == pytest.approx(np.median(many), abs=0.02)


def test_statistics_of_a_linear_field(head: Head) -> None:
    # E = z + 40 mm over the grey half: uniform between 40 and 80 mm
    z = head.mesh.nodes[:, 2] + 0.04
    region = tissue_region("grey_matter")
    by_tet = summarise_region(region, head, z[head.mesh.tets].mean(axis=1), above=[0.06])
    by_node = summarise_region(region, head, z)
    split = summarise_region(region, head, np.tile(z, 2), corners=head.mesh.tets + np.int32(len(z)))
    for s in (by_tet, by_node, split):
        assert s.size == pytest.approx(SIDE**3 / 2, rel=1e-12)
        assert s.mean == pytest.approx(0.06, rel=1e-9)
        assert s.sd == pytest.approx(0.04 / np.sqrt(12), rel=0.02)
        assert s.percentiles[50.0] == pytest.approx(0.06, rel=0.02)
        assert s.percentiles[95.0] == pytest.approx(0.078, rel=0.03)
    assert by_node.minimum == pytest.approx(0.04)
    assert by_node.maximum == pytest.approx(0.08)
    assert by_node.peak[2] == pytest.approx(0.04)
    assert by_tet.above[0.06] == pytest.approx(by_tet.size / 2, rel=1e-9)
    assert split.maximum == by_node.maximum
    assert head.cortex is not None
    by_column = summarise_region(region, head, head.cortex.pial[:, 0])
    assert by_column.size == pytest.approx(SIDE**2)
    assert by_column.mean == pytest.approx(0.0, abs=1e-12)


def test_table_of_regions(head: Head, tmp_path: Path) -> None:
    z = head.mesh.nodes[:, 2]
    regions = [tissue_region("grey_matter"), ball([0, 0, 0], 0.02, name="b"), ball([1, 0, 0], 0.01)]
    rows = region_table(regions, head, z, above=[0.0125], within=tissue_region("grey_matter"))
    assert [r["region"] for r in rows[:2]] == ["grey_matter", "b"]
    assert rows[0]["volume_mm3"] == pytest.approx(256_000)
    assert rows[1]["volume_mm3"] == pytest.approx(2 / 3 * np.pi * 20**3, rel=0.01)
    assert rows[0]["peak_z_mm"] == pytest.approx(40)
    assert rows[0]["volume_mm3_above_0.0125"] == pytest.approx(0.6875 * 256_000)
    assert rows[2] == {"region": regions[2].name, "volume_mm3": 0.0}
    write_table(tmp_path / "t.csv", rows)
    lines = (tmp_path / "t.csv").read_text("utf-8").splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("region,volume_mm3,mean,sd,min,p50,p95,p99,p99.9,max,peak_x_mm")


def test_refusals(head: Head) -> None:
    n = len(head.mesh.tets)
    with pytest.raises(InputError, match="unknown space 'mni', nearest: MNI"):
        ball([0, 0, 0], 0.01, space="mni")
    with pytest.raises(InputError, match="0 < radius < 1 m, got 0"):
        ball([0, 0, 0], 0)
    with pytest.raises(InputError, match="< 1 m, got 10: ball"):
        ball([0, 0, 0], 10)
    with pytest.raises(InputError, match="three finite numbers"):
        ball([0, np.nan, 0], 0.1)
    with pytest.raises(InputError, match="unknown tissue 'gray_matter', nearest: grey_matter"):
        tissue_region("gray_matter").tets(head)
    with pytest.raises(InputError, match="empty one: statistics: region"):
        summarise_region(ball([1, 1, 1], 0.01), head, np.zeros(n))
    with pytest.raises(InputError, match=r"got shape \(7,\)"):
        summarise_region(ball([0, 0, 0], 0.01), head, np.zeros(7))
    with pytest.raises(InputError, match="are not: statistics"):
        summarise_region(ball([0, 0, 0], 0.01), head, np.full(n, np.nan))
    with pytest.raises(InputError, match="weights >= 0"):
        summarise([1.0], [-1.0], [[0.0, 0.0, 0.0]])
    with pytest.raises(InputError, match="levels"):
        ball([0, 0, 0], 0.01).weights(head, levels=9)
    bare = Head(name="bare", species="human", space="scanner", mesh=head.mesh, tissues=head.tissues)
    with pytest.raises(InputError, match="cortical sheet, 'bare' has none"):
        ball([0, 0, 0], 0.01).columns(bare)
    with pytest.raises(InputError, match="no transform between MNI"):
        ball([0, 0, 0], 0.01, space="MNI").tets(bare)
