"""The mesher: valid, conforming and well shaped on anything; true to the interfaces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.meshes.carving.improve import FIT_FLOOR
from rheobase.meshes.carving.lattice import Octree
from rheobase.meshes.carving.sizing import (
    Size,
    near_interface,
    near_points,
    near_shape,
    size_image,
)
from rheobase.meshes.insertion.shapes import Box
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import (
    carve_image,
    carve_indicators,
    carve_maps,
    mesh_image,
    mesh_indicators,
    mesh_spheres,
)
from rheobase.meshes.quality import quality

ERNIE = Path(__file__).parents[3] / "shared" / "data" / "heads" / "ernie_charm.nii.gz"
MM = np.diag([1e-3, 1e-3, 1e-3, 1.0])


def assert_sound(mesh: TetMesh, least: float = 8.0) -> None:
    """Conforming, nothing inverted, closed tissue surfaces, no bad angle, no unused node."""
    q = quality(mesh)
    assert q.n_inverted == 0
    assert q.n_bad_faces == 0
    assert q.min_dihedral >= least
    assert len(np.unique(mesh.tets)) == len(mesh.nodes)
    for label in np.unique(mesh.labels):
        surface = mesh.boundary(int(label))
        # outward areas of a closed surface add up to zero, and it encloses the tissue's volume
        p = mesh.nodes[surface]
        areas = 0.5 * np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
        assert np.abs(areas.sum(axis=0)).max() < 1e-12 * np.abs(areas).sum()
        enclosed = np.einsum("ij,ij->", p.mean(axis=1), areas) / 3.0
        assert enclosed == pytest.approx(q.volumes[int(label)], rel=1e-9)


def euler(triangles: np.ndarray) -> int:
    """Euler characteristic of a triangulated surface."""
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    return len(np.unique(triangles)) - len(np.unique(edges, axis=0)) + len(triangles)


def ellipsoid(axes: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Label image of an ellipsoid (2) with another one inside (7)."""
    grid = np.moveaxis(np.indices((62, 72, 66)), 0, -1) - centre
    radius = np.sqrt(((grid / axes) ** 2).sum(axis=-1))
    return np.where(radius < 0.8, 7, np.where(radius < 1.0, 2, 0))


@pytest.mark.parametrize("seed", range(24))
def test_random_images_never_fail(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = rng.integers(4, 9, 3)
    image = rng.integers(0, rng.integers(2, 6), shape)
    if seed % 3 == 0:  # blocks instead of noise
        image = image.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    image.flat[0] = 1
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0] * rng.uniform(0.5e-3, 2e-3, 3)
    mesh = mesh_image(
        image, affine, rng.uniform(0.7e-3, 2.5e-3), smoothing=rng.uniform(0.2e-3, 1e-3)
    )
    assert_sound(mesh)
    assert set(np.unique(mesh.labels)) <= set(np.unique(image)) - {0}


@pytest.mark.parametrize("edge", [0.5e-3, 1e-3])
def test_checkerboard_single_voxel_and_full_image(edge: float) -> None:
    checker = np.indices((6, 6, 6)).sum(axis=0) % 2 + 1
    assert_sound(mesh_image(checker, MM, edge))
    single = np.zeros((5, 5, 5), int)
    single[2, 2, 2] = 3
    assert_sound(mesh_image(single, MM, edge / 2, smoothing=0.4e-3))
    # a speck far below the lattice survives as the smallest thing the lattice can hold
    assert_sound(mesh_image(single, MM, 10 * edge))
    full = np.full((16, 15, 17), 4)
    mesh = mesh_image(full, MM, edge)
    assert_sound(mesh)
    assert mesh.tissue_volumes()[4] == pytest.approx(4080e-9, rel=0.02)


def test_layer_thinner_than_the_lattice_stays_closed() -> None:
    def shells(points: np.ndarray) -> np.ndarray:
        r = np.linalg.norm(points, axis=1)
        return np.column_stack([r - 0.03, np.minimum(r - 0.027, 0.03 - r), 0.027 - r])

    carved = carve_indicators([0, 2, 1], shells, [[-0.04] * 3, [0.04] * 3], 4e-3)
    assert_sound(carved.mesh)
    assert carved.report.n_open == 0
    assert [euler(carved.mesh.boundary(*labels)) for labels in ((1,), ())] == [2, 2]
    # no brain at the scalp: every boundary triangle belongs to the layer
    inner = set(np.unique(carved.mesh.boundary(1)))
    assert not inner & set(np.unique(carved.mesh.boundary()))


def test_sampled_volumes_are_kept() -> None:
    def shells(points: np.ndarray) -> np.ndarray:
        r = np.linalg.norm(points, axis=1)
        return np.column_stack([r - 0.02, np.minimum(r - 0.018, 0.02 - r), 0.018 - r])

    carved = carve_indicators(
        [0, 2, 1], shells, [[-0.025] * 3, [0.025] * 3], 2.5e-3, volumes="sampled"
    )
    volumes = carved.mesh.tissue_volumes()
    ball = 4 / 3 * np.pi * 0.018**3
    assert volumes[1] == pytest.approx(ball, rel=5e-3)
    assert volumes[2] == pytest.approx(4 / 3 * np.pi * 0.02**3 - ball, rel=1e-2)


def test_sheet_and_specks_of_one_voxel_stay() -> None:
    image = np.ones((20, 20, 20), int)
    image[10] = 2  # a sheet between equal neighbours
    image[10:, :, :] += 2 * (np.indices((10, 20, 20))[0] > 0)  # and another label behind it
    image[3, 3, 3], image[16, 5, 5:7] = 8, 9
    carved = carve_image(image, MM, 1.5e-3)
    assert_sound(carved.mesh)
    assert set(carved.mesh.tissue_volumes()) == {1, 2, 3, 8, 9}
    assert carved.report.lost == {}
    # what the sheet separates touches at its rim only, where the outside begins
    nodes, labels = carved.mesh.nodes, carved.mesh.labels
    before, behind = (np.unique(carved.mesh.tets[labels == k]) for k in (1, 3))
    shared = nodes[np.intersect1d(before, behind)] * 1e3
    assert (np.minimum(shared[:, 1:], 19.0 - shared[:, 1:]).min(axis=1) < 1.0).all()
    assert carved.report.volume_errors()[2] == pytest.approx(0.0, abs=0.05)
    assert "label 2: volume" in str(carved.report)
    assert carved.report.as_dict()["lost_labels"] == {}


def test_maps_give_interfaces_between_voxels() -> None:
    grid = np.moveaxis(np.indices((32, 32, 32)), 0, -1) - 15.6
    r = np.linalg.norm(grid, axis=-1)
    inner, outer = (1 / (1 + np.exp((r - radius) / 0.6)) for radius in (7.3, 11.2))
    carved = carve_maps(np.stack([outer - inner, inner], axis=-1), [5, 1], MM, 2e-3)
    assert_sound(carved.mesh)
    for labels, radius in (((1,), 7.3), ((), 11.2)):
        nodes = carved.mesh.nodes[np.unique(carved.mesh.boundary(*labels))] * 1e3 - 15.6
        away = np.linalg.norm(nodes, axis=1)
        assert away.mean() == pytest.approx(radius, abs=0.1)
        assert away.std() < 0.03  # voxels are 1 mm
    with pytest.raises(InputError, match="0 to 1"):
        carve_maps(np.full((3, 3, 3, 1), 2.0), [1], MM, 1e-3)
    with pytest.raises(InputError, match="one integer label per map"):
        carve_maps(np.ones((3, 3, 3, 1)), [1, 2], MM, 1e-3)


def test_record_tells_where_each_node_comes_from() -> None:
    image = ellipsoid(np.array([25.3, 30.1, 28.4]), np.array([30.2, 35.1, 32.7]))
    carved = carve_image(image, MM, 5e-3)
    mesh, record = carved.mesh, carved.lattice
    assert isinstance(record.octree, Octree)
    on_lattice = record.lattice_node >= 0
    away = np.linalg.norm(
        mesh.nodes[on_lattice] - record.octree.nodes()[record.lattice_node[on_lattice]], axis=1
    )
    assert away.max() < 5e-3
    a, b = record.cut_edge[~on_lattice].T
    assert (a < b).all()
    assert (record.material[a] != record.material[b]).all()
    at = record.cut_at[~on_lattice]
    assert ((at > 0) & (at < 1)).all()
    # every node of a part of a lattice tetrahedron is one of its nodes or cuts one of its edges
    parent = record.tets[record.parent]
    for corner in mesh.tets.T:
        node, edge = record.lattice_node[corner], record.cut_edge[corner]
        own = (parent == node[:, None]).any(axis=1)
        cuts = ((parent == edge[:, :1]).any(axis=1)) & ((parent == edge[:, 1:]).any(axis=1))
        assert np.where(node >= 0, own, cuts).all()


def test_way_out_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    from rheobase.meshes.carving import carve

    # nothing is ever good enough: all is given up until the plain lattice is left
    monkeypatch.setattr(carve, "MIN_DIHEDRAL", 80.0)
    image = np.random.default_rng(3).integers(0, 4, (7, 7, 7))
    result = carve_image(image, MM, 1.2e-3)
    assert_sound(result.mesh)
    assert result.report.n_rebuilds > 0
    # the lattice has 45 degrees or more, fitting its nodes to the ties stops at this floor
    assert result.report.quality.min_dihedral >= FIT_FLOOR


def test_sizes_combine_by_minimum() -> None:
    image = ellipsoid(np.array([25.3, 30.1, 28.4]), np.array([30.2, 35.1, 32.7]))
    target = np.array([30e-3, 35e-3, 33e-3])
    sizes: list[Size | dict[int, float]] = [{7: 8e-3, 2: 4e-3}, near_points(target, 2e-3, 6e-3)]
    mesh = mesh_image(image, MM, 2e-3, size=sizes)
    assert_sound(mesh)
    near = np.linalg.norm(mesh.centroids() - target, axis=1) < 5e-3
    edges = np.linalg.norm(np.diff(mesh.nodes[mesh.tets[:, :2]], axis=1)[:, 0], axis=1)
    assert np.median(edges[near]) < 2.6e-3
    assert np.median(edges[np.linalg.norm(mesh.centroids() - target, axis=1) > 14e-3]) < 3e-3
    wanted = near_interface(image, MM, [7], 1e-3, reach=2e-3, growth=0.5)
    middle, far = wanted(np.array([[30.2, 35.1, 32.7], [30.2, 35.1, 32.7 - 0.8 * 28.4]]) * 1e-3)
    assert far == pytest.approx(1e-3)
    assert middle == pytest.approx(1e-3 + 0.5 * (0.8 * 25.3e-3 - 2e-3), rel=0.1)
    box = Box(centre=target, size=np.array([10e-3, 20e-3, 4e-3]))
    points = target + np.array([[0, 9e-3, 0], [0, 0, 2e-3], [8e-3, 0, 0], [8e-3, 14e-3, 0]])
    region = near_shape(box, 1e-3, growth=0.5)(points)
    np.testing.assert_allclose(region, [1e-3, 1e-3, 2.5e-3, 3.5e-3])  # 0, 0, 3 and 5 mm outside
    with pytest.raises(InputError, match="edge_length must be > 0"):
        near_shape(box, -1e-3)
    with pytest.raises(InputError, match="edges > 0"):
        size_image(np.zeros((2, 2, 2)), MM)


def test_axes_and_handedness_do_not_matter() -> None:
    axes, centre = np.array([25.3, 30.1, 28.4]), np.array([30.2, 35.1, 32.7])
    image = ellipsoid(axes, centre)
    flipped = MM.copy()
    flipped[0, 0] = -1e-3
    a = mesh_image(image, MM, 4e-3).tissue_volumes()
    b = mesh_image(image, flipped, 4e-3).tissue_volumes()
    c = mesh_image(image[:, :, ::2], MM @ np.diag([1.0, 1.0, 2.0, 1.0]), 4e-3).tissue_volumes()
    for label, volume in a.items():
        assert b[label] == pytest.approx(volume, rel=5e-3)
        assert c[label] == pytest.approx(volume, rel=0.02)


def test_ellipsoid_image_has_no_staircase_and_keeps_its_volumes() -> None:
    axes, centre = np.array([25.3, 30.1, 28.4]), np.array([30.2, 35.1, 32.7])
    mesh = mesh_image(ellipsoid(axes, centre), MM, 2e-3)
    assert_sound(mesh, 10.0)
    whole = 4 / 3 * np.pi * axes.prod() * 1e-9
    volumes = mesh.tissue_volumes()
    assert volumes[7] == pytest.approx(0.8**3 * whole, rel=5e-3)
    assert volumes[2] == pytest.approx((1 - 0.8**3) * whole, rel=5e-3)
    for labels in ((), (7,)):
        p = mesh.nodes[mesh.boundary(*labels)] * 1e3
        normal = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
        true = (p.mean(axis=1) - centre) / axes**2
        cosine = (normal * true).sum(axis=1) / np.linalg.norm(normal, axis=1)
        angle = np.degrees(np.arccos(np.clip(cosine / np.linalg.norm(true, axis=1), -1, 1)))
        assert np.median(angle) <= 5.0  # a staircase of voxels has 15°
        assert np.percentile(angle, 95) <= 12.0


def test_spheres_are_exact_closed_shells() -> None:
    radii = [0.085, 0.090, 0.095]
    mesh = mesh_spheres(radii, [1, 4, 5], 4e-3)
    assert_sound(mesh, 15.0)
    for n, r in enumerate(radii):
        surface = mesh.boundary(*[1, 4, 5][: n + 1])
        assert euler(surface) == 2  # one sphere: no hole, no handle, no island
        assert np.abs(np.linalg.norm(mesh.nodes[surface], axis=2) - r).max() < 1e-9 * r
    assert quality(mesh).mean_edge == pytest.approx(4e-3, rel=0.05)


@pytest.mark.convergence
def test_sphere_volume_and_area_converge_with_second_order() -> None:
    edges, errors, areas = [8e-3, 4e-3, 2e-3], [], []
    for h in edges:
        mesh = mesh_spheres([0.03], [1], h)
        p = mesh.nodes[mesh.boundary()]
        area = 0.5 * np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1).sum()
        errors.append(1 - mesh.volumes().sum() / (4 / 3 * np.pi * 0.03**3))
        areas.append(1 - area / (4 * np.pi * 0.03**2))
    for e in (errors, areas):
        order = np.polyfit(np.log(edges), np.log(e), 1)[0]
        assert 1.8 < order < 2.3
    assert errors[-1] < 2.5e-3
    assert areas[-1] < 2.5e-3


def test_graded_lattice_is_conforming_and_coarser() -> None:
    def size(points: np.ndarray) -> np.ndarray:
        wanted: np.ndarray = 1e-3 + 0.5 * np.abs(np.linalg.norm(points, axis=1) - 0.02)
        return wanted

    fine = mesh_spheres([0.02, 0.04], [1, 2], 2e-3)
    graded = mesh_spheres([0.02, 0.04], [1, 2], 2e-3, size=size)
    assert_sound(graded, 10.0)
    assert len(graded.tets) < 0.5 * len(fine.tets)
    lengths = np.linalg.norm(np.diff(graded.nodes[graded.tets[:, :2]], axis=1)[:, 0], axis=1)
    distance = np.abs(np.linalg.norm(graded.centroids(), axis=1) - 0.02)
    assert np.median(lengths[distance < 2e-3]) < 0.6 * np.median(lengths[distance > 12e-3])


def test_image_graded_by_label() -> None:
    image = ellipsoid(np.array([25.3, 30.1, 28.4]), np.array([30.2, 35.1, 32.7]))
    uniform, graded = (mesh_image(image, MM, 1.5e-3, size=s) for s in (None, {7: 6e-3}))
    assert_sound(graded, 10.0)
    assert len(graded.tets) < 0.9 * len(uniform.tets)
    for label, volume in uniform.tissue_volumes().items():
        assert graded.tissue_volumes()[label] == pytest.approx(volume, rel=5e-3)


def test_materials_that_reach_the_box_fill_it_exactly() -> None:
    def layers(points: np.ndarray) -> np.ndarray:
        z = points[:, 2] - 3.1e-3 - 0.7e-3 * np.sin(2000 * points[:, 0])
        return np.column_stack([np.full(len(z), -1.0), z, -z])

    mesh = mesh_indicators([0, 1, 2], layers, [[0.0, 0.0, 0.0], [0.01, 0.02, 0.006]], 1e-3)
    assert_sound(mesh, 10.0)
    assert mesh.volumes().sum() == pytest.approx(1.2e-6, rel=1e-9)


def test_mesh_is_reproducible() -> None:
    a, b = (mesh_spheres([0.02, 0.03], [1, 2], 3e-3) for _ in range(2))
    assert np.array_equal(a.nodes, b.nodes)
    assert np.array_equal(a.tets, b.tets)


@pytest.mark.parametrize(
    ("image", "affine", "edge", "words"),
    [
        (np.zeros((4, 4, 4), int), MM, 1e-3, "every voxel is 0"),
        (np.ones((4, 4)), MM, 1e-3, "3 axes"),
        (np.ones((4, 4, 4, 2)), MM, 1e-3, "3 axes"),
        (np.full((4, 4, 4), 0.5), MM, 1e-3, "integers"),
        (np.full((4, 4, 4), np.nan), MM, 1e-3, "NaN"),
        (np.full((4, 4, 4), "a"), MM, 1e-3, "integers"),
        (np.ones((4, 4, 4)), np.eye(3), 1e-3, "4 x 4"),
        (np.ones((4, 4, 4)), np.diag([1e-3, 1e-3, 0, 1]), 1e-3, "singular"),
        (np.ones((4, 4, 4)), MM * np.nan, 1e-3, "finite"),
        (np.ones((180, 4, 4)), np.eye(4), 1.0, "in mm"),
        (np.ones((4, 4, 4)), MM, 0.0, "edge_length must be > 0"),
        (np.ones((4, 4, 4)), MM, 1e-6, "cells"),
    ],
)
def test_what_cannot_be_meshed(
    image: np.ndarray, affine: np.ndarray, edge: float, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        mesh_image(image, affine, edge)


def test_bad_spheres_boxes_and_sizes() -> None:
    with pytest.raises(InputError, match="increase"):
        mesh_spheres([0.1, 0.05], [1, 2], 0.01)
    with pytest.raises(InputError, match="one label per radius"):
        mesh_spheres([0.1], [1, 2], 0.01)
    with pytest.raises(InputError, match="bounds"):
        mesh_indicators([0, 1], lambda p: p[:, :2], [[0, 0, 0], [1, 1, -1]], 0.1)
    with pytest.raises(InputError, match="one column per label"):
        mesh_indicators([0, 1, 2], lambda p: p[:, :2], [[0, 0, 0], [1, 1, 1]], 0.1)
    with pytest.raises(InputError, match="nothing to mesh"):
        mesh_indicators(
            [0, 1],
            lambda p: np.column_stack([np.ones(len(p)), np.zeros(len(p))]),
            [[0, 0, 0], [1, 1, 1]],
            0.2,
        )
    with pytest.raises(InputError, match="size for label 9"):
        mesh_image(np.ones((4, 4, 4)), MM, 1e-3, size={9: 2e-3})


@pytest.mark.slow
def test_real_head_keeps_its_tissue_volumes() -> None:
    if not ERNIE.exists():
        pytest.skip("the label image of a real head is not there (shared/data/heads)")
    import nibabel as nib

    file = nib.Nifti1Image.from_filename(ERNIE)
    labels = np.asarray(file.dataobj).astype(int)
    affine = file.affine.copy()
    affine[:3] *= 1e-3
    # white, grey, CSF; compact and spongy bone; everything else of the head; background is 53
    table = np.full(57, 5)
    table[[0, 53]] = 0
    table[[1, 5, 7, 8, 9, 10, 13, 17, 18, 22, 26, 28, 29, 30, 31, 34, 35, 39, 40, 49]] = 1
    table[[2, 6, 14, 15, 19, 23, 27, 32, 33]] = 2
    table[[3, 4, 11, 12, 16, 20, 21, 24, 25, 36, 37, 38, 54]] = 3
    table[[51, 52]] = 4
    image = table[labels]
    mesh = mesh_image(image, affine, 3e-3)
    assert_sound(mesh)
    voxel = abs(np.linalg.det(affine[:3, :3]))
    for label, volume in mesh.tissue_volumes().items():
        assert volume == pytest.approx(np.count_nonzero(image == label) * voxel, rel=0.01)
