"""A scene: what it refuses, its file, and the layers that are made of heads and fields."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.basis import FieldBasis
from rheobase.fields.recovery import split_nodes
from rheobase.meshes.head import Head
from rheobase.meshes.heads import sphere
from rheobase.meshes.spaces import Affine, Registration, Warp
from rheobase.scenes import Category, Layer, Quantity, Scene, load_scene, save_scene, slices
from rheobase.scenes.derived import arrows, isosurface, plane, streamlines
from rheobase.scenes.field import (
    amount,
    grid_layer,
    grid_points,
    rounded,
    signed,
    voxel_grid,
    within,
)
from rheobase.scenes.head import clustered, mni_map, thinned, tissue_layers
from rheobase.scenes.scene import VIEWS, direction, line_starts
from rheobase.scenes.study import field_layers

TRIANGLE = {"points": np.eye(3), "cells": np.array([[0, 1, 2]])}
RADII = (0.045, 0.062, 0.08)


def surface(name: str = "one", **how: Any) -> Layer:
    return Layer(**{"name": name, "kind": "surface", "group": "head", **TRIANGLE, **how})


@pytest.fixture(scope="module")
def head() -> Head:
    return sphere.build(
        edge_length_mm=14.0,
        radii_mm=tuple(1e3 * r for r in RADII),
        layers=("grey_matter", "csf", "scalp"),
        sigma_S_per_m=(0.3, 1.6, 0.4),
    )


@pytest.fixture(scope="module")
def basis(head: Head) -> FieldBasis:
    """A field that grows with x, everywhere along z."""
    split = split_nodes(head.mesh)
    E = np.zeros((1, len(split.node), 3))
    E[0, :, 2] = 2.0 + 10.0 * head.mesh.nodes[split.node, 0]
    return FieldBasis(
        mesh=head.mesh,
        names=("one",),
        unit="A",
        E=E,
        potential=np.zeros((1, len(head.mesh.nodes))),
        split_of_tet=split.of_tet,
        split_node=split.node,
        split_label=split.label,
        report=(SimpleNamespace(),),  # type: ignore[arg-type]
        anisotropic=(),
    )


@pytest.fixture(scope="module")
def study(head: Head, basis: FieldBasis) -> dict[str, Layer]:
    E = basis.combine([1.0])
    strength = np.linalg.norm(E, axis=1)
    made = field_layers(head, basis, strength, name="|E|", unit="V/m", limit=2.5, E=E)
    return {layer.name: layer for layer in made}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: surface(kind="cube"), "unknown kind 'cube'"),
        (lambda: surface(group="hat"), "unknown group 'hat'"),
        (lambda: surface(cells=np.array([[0, 1, 3]])), "triangles over 3 points, got 3"),
        (lambda: surface(points=np.zeros((3, 2))), r"points of shape \(n, 3\), got \(3, 2\)"),
        (lambda: surface(opacity=1.5), "opacity from 0 to 1, got 1.5"),
        (lambda: surface(shown="E"), "unknown quantity 'E'"),
        (
            lambda: surface(quantities={"E": Quantity(values=np.zeros(2), label="E")}),
            r"values of shape \(3,\), got \(2,\)",
        ),
        (lambda: surface(times=np.array([1.0, 1.0])), "rising times"),
        (lambda: surface(shape=(1, 1, 1), affine=np.eye(4)), "shape and affine of a volume"),
        (
            lambda: Layer(name="a", kind="arrows", group="field", points=np.zeros((2, 3))),
            "vectors of arrows",
        ),
        (
            lambda: Layer(
                name="l",
                kind="lines",
                group="device",
                points=np.zeros((4, 3)),
                cells=np.array([0, 2]),
            ),
            "ending with 4",
        ),
        (lambda: Quantity(values=np.array([1.0]), label="E", limits=(2.0, 1.0)), "the lower first"),
        (
            lambda: Quantity(
                values=np.array([0.5]),
                label="t",
                categories={1: Category(name="a", colour="#000000")},
            ),
            "whole numbers",
        ),
        (lambda: Scene(title="", layers=(surface(), surface())), "each layer once, twice: one"),
        (lambda: Scene(title="", layers=(surface(),))["two"], "unknown layer 'two'"),
        (lambda: direction("behind"), "unknown view 'behind'"),
        (lambda: direction((0.0, 0.0, 0.0)), "a direction of three numbers"),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_views_are_named_by_the_side_they_are_seen_from() -> None:
    assert direction("left")[0] < 0 < direction("front")[1]
    assert direction("top")[2] > 0
    assert all(np.linalg.norm(v) == 1 for v in VIEWS.values())
    assert direction((0.0, 3.0, 4.0)) == pytest.approx((0.0, 0.6, 0.8))


def test_time_picks_the_frame_before() -> None:
    moving = surface(
        times=np.array([0.0, 0.1, 0.2]),
        quantities={
            "v": Quantity(values=np.arange(9.0).reshape(3, 3), label="v", unit="mV"),
            "still": Quantity(values=np.ones(3), label="still"),
        },
        shown="v",
    )
    np.testing.assert_array_equal(moving.values(time=0.15), [3.0, 4.0, 5.0])
    np.testing.assert_array_equal(moving.values(time=-1.0), [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(moving.values("still", time=0.15), 1.0)
    assert Scene(title="", layers=(moving,)).times().tolist() == [0.0, 0.1, 0.2]


def test_a_scene_comes_back_from_its_file(tmp_path: Path) -> None:
    points, cells = line_starts([np.zeros((2, 3)), np.ones((3, 3))])
    tissue = Category(name="csf", colour="#6db6dd")
    scene = Scene(
        title="all kinds",
        view=direction("top"),
        point=(0.01, 0.02, 0.03),
        focus=("one",),
        space="scanner",
        to_mni=Warp(
            coordinates=np.stack(np.meshgrid(*[np.arange(3.0)] * 3, indexing="ij"), -1),
            affine=np.eye(4),
        ),
        layers=(
            surface(
                quantities={"E": amount([1.0, 2.0, np.nan], "|E|", "V/m", limit=2.0)}, shown="E"
            ),
            Layer(name="l", kind="lines", group="device", points=points, cells=cells, radius=2e-3),
            Layer(
                name="a",
                kind="arrows",
                group="field",
                points=np.zeros((2, 3)),
                vectors=np.ones((4, 2, 3)),
                times=np.arange(4.0),
                visible=False,
            ),
            Layer(
                name="v",
                kind="volume",
                group="field",
                shape=(2, 3, 4),
                affine=np.diag([1e-3, 1e-3, 1e-3, 1.0]),
                quantities={
                    "tissue": Quantity(
                        values=np.full((2, 3, 4), 3), label="tissue", categories={3: tissue}
                    )
                },
                shown="tissue",
            ),
        ),
    )
    back = load_scene(save_scene(tmp_path / "scene.h5", scene))
    assert (back.title, back.view, back.point, back.focus, back.space) == (
        "all kinds",
        (0.0, 0.0, 1.0),
        (0.01, 0.02, 0.03),
        ("one",),
        "scanner",
    )
    assert isinstance(back.to_mni, Warp)
    assert back.to_mni([[0.5, 1.0, 1.5]]) == pytest.approx(np.array([[0.5, 1.0, 1.5]]))
    for layer in scene.layers:
        other = back[layer.name]
        for name in ("kind", "group", "shape", "shown", "opacity", "visible", "radius"):
            assert getattr(other, name) == getattr(layer, name)
        for name in ("points", "cells", "vectors", "times", "affine"):
            np.testing.assert_array_equal(getattr(other, name), getattr(layer, name))
        for name, quantity in layer.quantities.items():
            np.testing.assert_array_equal(other.quantities[name].values, quantity.values)
            assert other.quantities[name].title == quantity.title
            assert other.quantities[name].range == quantity.range
            assert other.quantities[name].categories == quantity.categories


def test_a_file_that_is_no_scene_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_scene(tmp_path / "none.h5")
    (tmp_path / "bad.h5").write_text("no HDF5")
    with pytest.raises(InputError, match=r"cannot read the scene .*bad\.h5"):
        load_scene(tmp_path / "bad.h5")


def test_rounding_keeps_what_it_says() -> None:
    exact = np.random.default_rng(1).normal(size=1000).astype(np.float32)
    assert np.abs(rounded(exact, 11) / exact - 1).max() < 2.0**-11
    assert np.isnan(rounded([np.nan]))
    assert (rounded(exact).view(np.uint32) & 0xFFF == 0).all()


def test_signed_scales_are_white_at_zero_and_amounts_start_there() -> None:
    assert signed([-3.0, 1.0], "V", "mV").limits == (-3.0, 3.0)
    assert amount([0.5, 4.0], "|E|", "V/m").limits == (0.0, 4.0)
    assert amount([0.5], "|E|", "V/m").title == "|E| (V/m)"


def volume_inside(layer: Layer) -> float:
    """Volume (m³) of a closed outward surface, by the divergence theorem."""
    a, b, c = (layer.points.astype(float)[layer.cells[:, k]] for k in range(3))  # type: ignore[index]
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def test_shells_are_closed_and_hold_what_is_inside(head: Head) -> None:
    shells = tissue_layers(head)
    assert [s.name for s in shells] == ["grey matter", "csf", "scalp"]
    volumes = head.mesh.tissue_volumes()
    inner = 0.0
    for shell, tissue in zip(shells, ("grey_matter", "csf", "scalp"), strict=True):
        inner += volumes[head.label_of(tissue)]
        assert volume_inside(shell) == pytest.approx(inner, rel=1e-5)
    assert [s.visible for s in shells] == [False, False, True]


@pytest.mark.parametrize("thin", [thinned, clustered])
def test_thinned_surfaces_keep_their_size(head: Head, thin: Any) -> None:
    scalp = tissue_layers(head)[-1]
    assert scalp.cells is not None
    most = len(scalp.cells) // 3
    points, cells = thin(scalp.points, scalp.cells, most)
    assert 0.3 * most < len(cells) < 1.4 * most
    few = scalp.but(points=points, cells=cells)
    assert volume_inside(few) == pytest.approx(volume_inside(scalp), rel=0.1)


def test_voxels_hold_the_field_and_the_tissues(study: dict[str, Layer], head: Head) -> None:
    voxels = study["voxels"]
    at = np.array([[0.021, 0.01, -0.02], [0.0, 0.0, 0.2]])
    strength = within(voxels, at, "strength")
    assert strength[0] == pytest.approx(2.21, rel=1e-3)
    assert np.isnan(strength[1])
    grey = head.label_of("grey_matter")
    assert within(voxels, at, "tissue").tolist() == [grey, 0]
    assert voxels.affine is not None
    part = (voxels.quantities["tissue"].values == grey).sum() * voxels.affine[0, 0] ** 3
    assert part == pytest.approx(head.mesh.tissue_volumes()[grey], rel=0.01)
    assert voxels.quantities["strength"].title == "|E| (V/m)"


def test_voxels_fill_the_box_and_are_no_more_than_asked() -> None:
    low, high = np.array([-0.1, -0.05, 0.0]), np.array([0.1, 0.09, 0.3])
    shape, affine = voxel_grid(low, high, most=20_000)
    points = grid_points(shape, affine).reshape(-1, 3)
    assert len(points) <= 20_000
    assert (points.min(axis=0) <= low + 1e-9).all()
    assert (points.max(axis=0) >= high - 1e-9).all()


def test_slices_tell_value_tissue_and_mni(study: dict[str, Layer]) -> None:
    shift = np.eye(4)
    shift[:3, 3] = 0.001
    scene = Scene(title="", layers=(study["voxels"],), to_mni=Affine(matrix=shift))
    found = slices(scene, at=(0.021, 0.0, 0.01), tissues=("grey matter",))
    assert found.value == pytest.approx(2.21, rel=1e-3)
    assert found.tissue == "grey matter"
    assert found.mni == pytest.approx([0.022, 0.001, 0.011])
    assert "MNI (22.0, 1.0, 11.0) mm" in found.words
    assert "V/m" in found.words
    sagittal, coronal, axial = found.planes
    assert [p.at for p in found.planes] == [0.021, 0.0, 0.01]
    near = np.abs(axial.right - 0.03).argmin(), np.abs(axial.up - 0.02).argmin()
    assert axial.values[near[1], near[0]] == pytest.approx(2 + 10 * axial.right[near[0]], rel=2e-3)
    assert axial.tissue is not None
    assert np.isnan(axial.values[axial.tissue == 0]).all()
    assert np.isnan(coronal.values[0, 0])
    assert np.isfinite(sagittal.values).any()
    figure = found.figure()
    assert [len(panel.lines) for panel in figure.axes[:3]] == [2, 2, 2]
    assert figure.axes[3].get_ylabel() == "|E| (V/m)"
    with pytest.raises(InputError, match="expected a point between"):
        slices(scene, at=(1.0, 0.0, 0.0))
    with pytest.raises(InputError, match="it has none"):
        slices(Scene(title="", layers=(surface(),)))


def test_planes_isosurfaces_and_lines_follow_the_volume(study: dict[str, Layer]) -> None:
    voxels = study["voxels"]
    cut = plane(voxels, "x", 0.02, tissues=("grey matter",))
    assert np.ptp(cut.points[:, 0]) == 0
    assert cut.values("strength") == pytest.approx(np.full(len(cut.points), 2.2), rel=2e-3)
    assert np.linalg.norm(cut.points, axis=1).max() < RADII[0] + 3e-3
    level = isosurface(voxels, 2.1)
    assert level.name == "|E| = 2.1 V/m"
    deep = np.linalg.norm(level.points, axis=1) < 0.05
    assert level.points[deep, 0] == pytest.approx(np.full(deep.sum(), 0.01), abs=2e-4)
    along = streamlines(voxels, count=20)
    assert along.cells is not None
    first = along.points[along.cells[0] : along.cells[1]]
    assert np.ptp(first[:, :2], axis=0).max() < 1e-5 < 1e-2 < np.ptp(first[:, 2])
    assert along.quantity is not None
    assert along.quantity.unit == "V/m"
    flat = surface()
    with pytest.raises(InputError, match="expected a volume, got surface"):
        isosurface(flat, 1.0)


def test_isosurfaces_of_turned_voxels_are_where_the_voxels_are() -> None:
    turn = np.array([[0.8, 0.0, 0.6], [0.0, 1.0, 0.0], [-0.6, 0.0, 0.8]])  # as a beam's are
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = 1e-3 * turn, [0.02, 0.0, 0.05]
    shape = (21, 19, 17)
    middle = grid_points(shape, affine)[12, 9, 8]
    away = np.linalg.norm(grid_points(shape, affine) - middle, axis=-1)
    level = isosurface(grid_layer("ball", shape, affine, {"away": amount(away, "away", "m")}), 5e-3)
    assert len(level.points) > 100
    np.testing.assert_allclose(np.linalg.norm(level.points - middle, axis=1), 5e-3, rtol=0.02)


def test_arrows_are_as_long_as_the_field_is_strong(study: dict[str, Layer]) -> None:
    made = arrows(study["voxels"], every=1e-2, longest=1e-2)
    assert made.vectors is not None
    length = np.linalg.norm(made.vectors, axis=1)
    size = made.values("size")
    assert size is not None
    assert np.abs(made.vectors[:, :2]).max() < 1e-6
    assert length.max() == pytest.approx(1e-2, rel=1e-3)
    assert np.corrcoef(length, size)[0, 1] > 0.999
    assert np.linalg.norm(made.points, axis=1).max() < RADII[0] + 3e-3  # in the grey matter


def test_a_fine_grid_is_thinned_in_place() -> None:
    affine = np.diag([1e-3, 1e-3, 1e-3, 1.0])
    values = np.arange(40.0)[:, None, None] * np.ones((40, 40, 40))
    made = grid_layer("g", (40, 40, 40), affine, {"x": amount(values, "x", "")}, most=8000)
    assert made.shape == (20, 20, 20)
    assert within(made, [[0.011, 0.02, 0.02]])[0] == pytest.approx(11.0, rel=1e-3)


def test_a_warp_to_mni_is_kept_on_a_coarse_lattice(head: Head) -> None:
    grid = np.stack(np.meshgrid(*[np.linspace(-0.12, 0.12, 25)] * 3, indexing="ij"), -1)
    affine = np.diag([0.01, 0.01, 0.01, 1.0])
    affine[:3, 3] = -0.12
    bent = grid + 0.004 * np.sin(grid / 0.05)
    moved = Head(
        name="own",
        species="human",
        space="scanner",
        mesh=head.mesh,
        tissues=head.tissues,
        mni=Registration(to_mni=Warp(coordinates=bent.astype(np.float32), affine=affine)),
    )
    x = np.random.default_rng(2).uniform(-0.07, 0.07, (50, 3))
    found = mni_map(moved)
    assert isinstance(found, Warp)
    assert found(x) == pytest.approx(moved.to_mni(x), abs=2e-4)
    assert mni_map(head) is None
