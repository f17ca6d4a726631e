"""Coils: windings, fields, poses, intersections."""

from typing import Any

import numpy as np
import pytest
from scipy.special import ellipe, ellipk

from rheobase._errors import InputError
from rheobase.fields.coils.coil import Coil, magnetic_dipole
from rheobase.fields.coils.frame import TURN, casing_points, pose_from_simnibs, pose_to_simnibs
from rheobase.fields.coils.placing import clearance, overlap, place_coil, scalp_pose, stand
from rheobase.fields.coils.sampled import SampledPotential
from rheobase.fields.coils.windings import Winding, coil, load_windings, wind
from rheobase.fields.induction import solve_induction
from rheobase.fields.solver import Conductor
from rheobase.meshes.head import Head
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.tissues import tissue

R = 0.095


def on_sphere(theta: float, phi: float) -> np.ndarray:
    return R * np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])


@pytest.fixture(scope="module")
def head() -> Head:
    return Head(
        name="ball",
        species="human",
        space="MNI152NLin2009cAsym",
        mesh=mesh_spheres((0.08, R), (2, 5), 0.009),
        tissues={
            2: tissue("grey_matter").with_value("conductivity", 0.33, source="test"),
            5: tissue("scalp"),
        },
        positions={
            "Cz": on_sphere(0, 0),
            "C3": on_sphere(0.8, np.pi),
            "C4": on_sphere(0.8, 0),
            "Pz": on_sphere(0.7, -np.pi / 2),
        },
    )


@pytest.fixture(scope="module")
def conductor(head: Head) -> Conductor:
    return Conductor(head)


@pytest.fixture(scope="module")
def scalp(head: Head) -> Scalp:
    return Scalp(head.mesh)


def test_loop_agrees_with_elliptic_integrals() -> None:
    turns = coil("magstim-70mm-figure8")
    a = load_windings()["magstim-70mm-figure8"]
    radii = np.linspace(
        a.inner_diameter_mm / 2 + a.wire_width_mm / 2,
        a.outer_diameter_mm / 2 - a.wire_width_mm / 2,
        a.turns_per_layer,
    )
    points = np.array([[0.01, 0.02, -0.002], [0.0, 0.0, -0.014], [0.06, 0.01, -0.044]])
    exact = np.zeros_like(points)
    for x, sense in ((-0.0435, 1.0), (0.0435, -1.0)):
        d = points - [x, 0, 0.006]
        rho = np.hypot(d[:, 0], d[:, 1])
        for r in radii * 1e-3:
            m = 4 * r * rho / ((r + rho) ** 2 + d[:, 2] ** 2)
            size = 4e-7 / np.sqrt(m) * np.sqrt(r / rho) * ((1 - m / 2) * ellipk(m) - ellipe(m))
            exact += sense * (size / rho)[:, None] * np.stack([-d[:, 1], d[:, 0], 0 * rho], 1)
    assert np.allclose(turns.vector_potential(points), exact, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", load_windings())
def test_shipped_windings_are_what_the_table_says(name: str) -> None:
    made, w = coil(name), load_windings()[name]
    radii = np.linspace(
        w.inner_diameter_mm + w.wire_width_mm,
        w.outer_diameter_mm - w.wire_width_mm,
        w.turns_per_layer,
    )
    length = w.wings * w.layers * np.pi * 1e-3 * radii.sum()
    assert np.linalg.norm(made.segments, axis=1).sum() == pytest.approx(length)
    # the turns are closed, and their area vectors are those of the wings
    assert np.allclose(made.segments.sum(axis=0), 0, atol=1e-12)
    area = w.layers * np.pi * ((0.5e-3 * radii) ** 2).sum()
    moment = 0.5 * np.cross(made.positions, made.segments).sum(axis=0)
    tilt = np.deg2rad(w.tilt_deg)
    expected = [-2 * area * np.sin(tilt), 0, 0] if w.wings == 2 else [0, 0, area]
    assert np.allclose(moment, expected, rtol=1e-3, atol=1e-9)
    # all copper lies behind the face, and the face of a flat coil is z = 0
    if w.tilt_deg == 0:
        assert np.ptp(made.outline[:, 2]) == 0 == pytest.approx(made.outline[0, 2], abs=1e-12)
        assert made.positions[:, 2].min() > 1e-3 * w.casing_mm
        assert w.centre_height_mm == pytest.approx(w.casing_mm + w.winding_height_mm / 2)
    else:
        reach = abs(made.positions[:, 0]) > 0.05
        assert made.positions[reach, 2].min() < made.positions[~reach, 2].min(), "ends come nearer"
    lines = made.lines()
    assert len(lines) == w.wings * w.layers * w.turns_per_layer
    assert all(np.array_equal(line[0], line[-1]) for line in lines)
    assert w.source
    assert w.status
    assert (made.dIdt_max is None) == (w.dIdt_max_A_per_us is None)


def test_windings_that_cannot_be() -> None:
    good: dict[str, Any] = {
        "wings": 2,
        "outer_diameter_mm": 80,
        "inner_diameter_mm": 40,
        "turns_per_layer": 5,
    }
    assert len(wind(Winding(name="own", **good)).positions) > 500
    for change, match in (
        ({"wings": 3}, "expected 1 or 2 wings, got 3: coil 'own'"),
        ({"turns_per_layer": 0}, "1 or more turns"),
        ({"inner_diameter_mm": -1}, "must be > 0"),
        ({"inner_diameter_mm": 79}, r"a wire of 1\.75 mm does not fit"),
        ({"tilt_deg": 120}, "tilt_deg within 90"),
    ):
        with pytest.raises(InputError, match=match):
            Winding(name="own", **{**good, **change})
    with pytest.raises(InputError, match="unknown coil 'magstim-70mm-figur8', nearest"):
        coil("magstim-70mm-figur8")


def test_far_winding_is_a_dipole() -> None:
    n = 200
    angle = 2 * np.pi * np.arange(n) / n
    c, s = np.cos(angle), np.sin(angle)
    r = 0.01
    loop = Coil(
        name="loop",
        positions=r * np.stack([c, s, 0 * c], 1),
        segments=2 * np.pi * r / n * np.stack([-s, c, 0 * c], 1),
    )
    dipole = magnetic_dipole([0, 0, 0], [0, 0, np.pi * r**2])
    far = np.array([[0.5, 0.2, 0.4]])
    assert np.allclose(
        loop.vector_potential(far), dipole.vector_potential(far), rtol=1e-3, atol=1e-15
    )


def test_sampled_field_is_that_of_the_coil() -> None:
    made = coil("deng-25mm-figure8")
    h = 0.002
    index = np.moveaxis(np.indices((20, 20, 20)), 0, -1)
    affine = np.diag([h, h, h, 1.0])
    affine[:3, 3] = [-0.019, -0.019, -0.05]
    at = index * h + affine[:3, 3]
    values = made.vector_potential(at.reshape(-1, 3)).reshape(20, 20, 20, 3)
    grid = Coil(name="grid", sampled=(SampledPotential(values=values, affine=affine),))
    pose = np.eye(4)
    pose[:3, :3] = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    pose[:3, 3] = [0.1, 0.2, 0.3]
    rng = np.random.default_rng(0)
    inside = rng.uniform([-0.019, -0.019, -0.05], [0.019, 0.019, -0.012], (50, 3))
    there = inside @ pose[:3, :3].T + pose[:3, 3]
    exact = made.moved(pose).vector_potential(there)
    assert np.allclose(
        grid.moved(pose).vector_potential(there), exact, atol=5e-3 * np.abs(exact).max()
    )
    nodes = at.reshape(-1, 3)[::371]
    assert np.allclose(grid.vector_potential(nodes), made.vector_potential(nodes), rtol=1e-12)
    with pytest.raises(
        InputError, match=r"covers \[-19.*\] mm .* 1 of 2 points \(50\.0%\) lie outside"
    ):
        grid.vector_potential([[0, 0, -0.03], [0, 0, 0.1]])


def test_bad_numbers_in_a_coil() -> None:
    with pytest.raises(InputError, match="expected line elements, dipoles or a sampled field"):
        Coil(name="none")
    with pytest.raises(InputError, match=r"must be finite: coil 'dipole'"):
        magnetic_dipole([0, 0, np.nan], [0, 0, 1])
    with pytest.raises(InputError, match=r"of shape \(n, 3\)"):
        Coil(name="x", positions=np.zeros((2, 3)), segments=np.zeros((3, 3)))
    values = np.zeros((2, 2, 2, 3))
    values[0, 0, 0] = np.inf
    with pytest.raises(InputError, match="1 voxels that are not"):
        SampledPotential(values=values, affine=np.eye(4))
    with pytest.raises(InputError, match="invertible affine"):
        SampledPotential(values=np.zeros((2, 2, 2, 3)), affine=np.zeros((4, 4)))
    with pytest.raises(InputError, match="2 or more each"):
        SampledPotential(values=np.zeros((1, 2, 2, 3)), affine=np.eye(4))


def test_handle_points_where_it_is_told(head: Head) -> None:
    tool = coil("magstim-70mm-figure8")
    for position, lateral in (("C3", -1.0), ("C4", 1.0)):
        back = place_coil(tool, head, position=position, handle_angle_deg=0)
        side = place_coil(tool, head, position=position, handle_angle_deg=90)
        between = place_coil(tool, head, position=position)
        assert back.pose[1, 1] < -0.99
        assert np.sign(side.pose[0, 1]) == lateral
        assert np.allclose(between.pose[:3, 1], (back.pose + side.pose)[:3, 1] / 2**0.5)
        gap = (between.pose[:3, 3] - head.position(position)) @ between.pose[:3, 2]
        assert gap == pytest.approx(0.004, abs=1e-4)
        assert np.isclose(np.linalg.det(between.pose[:3, :3]), 1.0)


def test_poses_by_name_point_target_and_mni_agree(head: Head, scalp: Scalp) -> None:
    place = head.position("C3")
    by_name = scalp_pose(head, scalp, position="C3", handle_towards="Pz")
    assert np.allclose(scalp_pose(head, scalp, position=place, handle_towards="Pz"), by_name)
    assert np.allclose(
        scalp_pose(head, scalp, position=place, space="MNI", handle_towards="Pz"), by_name
    )
    inside = scalp_pose(head, scalp, target=0.7 * place, handle_towards=head.position("Pz"))
    assert np.allclose(inside, by_name, atol=2e-2)
    # the handle lies in the plane through the place, the normal and Pz
    towards = head.position("Pz") - by_name[:3, 3]
    assert by_name[:3, 1] @ towards > 0
    assert by_name[:3, 0] @ towards == pytest.approx(0, abs=1e-12)


def test_simnibs_matrix_there_and_back() -> None:
    # the example of its documentation: above the head, y to the front, z downwards
    matrix = np.array([[-1, 0, 0, -1.2], [0, 1, 0, -15.8], [0, 0, -1, 120.0], [0, 0, 0, 1]])
    pose = pose_from_simnibs(matrix)
    assert pose[:3, 3] == pytest.approx([-0.0012, -0.0158, 0.120])
    assert pose[:3, 2] == pytest.approx([0, 0, 1]), "away from the head"
    assert pose[:3, 1] == pytest.approx([0, -1, 0]), "the handle is opposite to their y"
    assert np.allclose(pose_to_simnibs(pose), matrix)
    assert np.linalg.det(TURN) == 1.0
    with pytest.raises(InputError, match="expected a rotation and a shift as a 4 x 4 matrix"):
        pose_from_simnibs(np.diag([1.0, 1.0, -1.0, 1.0]))


def test_growing_current_drives_the_brain_away_from_the_handle(
    head: Head, conductor: Conductor
) -> None:
    tool = place_coil(coil("magstim-70mm-figure8"), head, position="C3")
    basis = solve_induction(conductor, tool)
    E, _ = basis.at(head.position("C3") * 0.065 / R)
    assert E[0, 0] @ tool.pose[:3, 1] < -0.9 * np.linalg.norm(E[0, 0])
    assert basis.unit == "A/s"
    assert basis.report[0].energy_balance < 1e-9


def test_coil_may_not_cut_the_head(head: Head, conductor: Conductor, scalp: Scalp) -> None:
    tool = coil("magstim-70mm-figure8")
    pose = np.eye(4)
    pose[2, 3] = R - 0.005
    depth = overlap(tool.moved(pose), scalp)
    assert depth == pytest.approx(0.005, abs=2e-4)
    with pytest.raises(InputError, match=r"reaches into the head, move it outwards by 5\.\d mm"):
        solve_induction(conductor, tool.moved(pose))
    with pytest.raises(InputError, match=r"outwards by \d+\.\d mm .* coil 'dipole'"):
        solve_induction(conductor, magnetic_dipole([0, 0, 0.05], [1, 0, 0]))
    lifted = stand(tool, scalp, pose, contact="lift")
    assert overlap(lifted, scalp) == 0.0
    assert 0 < clearance(lifted, scalp) < 1e-4
    assert "lifted by 5." in lifted.notes[0]
    allowed = stand(tool, scalp, pose, contact="allow")
    assert np.array_equal(allowed.pose, pose)
    assert "reaches 5." in allowed.notes[0]
    assert solve_induction(conductor, allowed, allow_intersection=True).names == (tool.name,)
    far = place_coil(tool, head, position="Cz", distance_mm=10)
    assert clearance(far, scalp) == pytest.approx(0.010, abs=3e-4)
    assert far.notes == ()


def test_bad_coils_are_refused_before_anything_is_assembled(
    head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwanted(*_: object, **__: object) -> None:
        raise AssertionError("assembled")

    monkeypatch.setattr("rheobase.fields.solver.Conductor.__init__", unwanted)
    far = magnetic_dipole([0, 0, 0.2], [1, 0, 0])
    with pytest.raises(InputError, match="names must differ, got dipole, dipole"):
        solve_induction(head, [far, far])
    with pytest.raises(InputError, match="0 everywhere: coil 'dipole'"):
        solve_induction(head, magnetic_dipole([0, 0, 0.2], [0, 0, 0]))
    with pytest.raises(InputError, match="reaches into the head"):
        solve_induction(head, magnetic_dipole([0, 0, 0.05], [1, 0, 0]))


def test_what_is_inside_the_scalp(scalp: Scalp) -> None:
    nodes = scalp.nodes[np.unique(scalp.triangles)]
    # rays through vertices and along the axis, where several triangles meet
    for scale, inside in ((0.96, True), (1.01, False)):
        points = np.concatenate([scale * nodes, [[0, 0, scale * R], [0, 0, -scale * R]]])
        cloud = Coil(name="cloud", dipoles=points, moments=0 * points)
        for k in range(len(points)):
            one = Coil(name="one", dipoles=points[k : k + 1], moments=np.zeros((1, 3)))
            if k % 40 == 0 or k >= len(nodes):
                assert (overlap(one, scalp) > 0) == inside
        assert (overlap(cloud, scalp) > 0) == inside
    top = magnetic_dipole([0.01, 0.02, 0.0], [0, 0, 1])
    assert overlap(top, scalp) == pytest.approx(np.sqrt(R**2 - 0.0005), abs=5e-4)


def test_double_cone_embraces_the_head(head: Head, scalp: Scalp) -> None:
    placed = place_coil(coil("magstim-double-cone"), head, position="Cz", contact="lift")
    assert overlap(placed, scalp) == 0.0
    assert placed.outline[:, 2].min() < R - 0.02 < placed.pose[2, 3]


def test_poses_that_cannot_be(head: Head, scalp: Scalp) -> None:
    tool = coil("deng-25mm-figure8")
    with pytest.raises(InputError, match="unknown electrode position 'C33', nearest: C3"):
        place_coil(tool, head, position="C33")
    with pytest.raises(InputError, match="distance_mm must be >= 0, got -1"):
        place_coil(tool, head, position="C3", distance_mm=-1)
    with pytest.raises(InputError, match="either a position or a target"):
        place_coil(tool, head)
    with pytest.raises(InputError, match="got both"):
        place_coil(tool, head, position="C3", handle_angle_deg=0, handle_towards="Pz")
    with pytest.raises(InputError, match="handle that points to another place"):
        place_coil(tool, head, position="C3", handle_towards="C3")
    with pytest.raises(InputError, match=r"expected a target inside the head, got \[0.0, 0.0, 200"):
        place_coil(tool, head, target=[0, 0, 0.2])
    with pytest.raises(InputError, match="three finite coordinates"):
        place_coil(tool, head, position=[0, 0, np.nan])
    with pytest.raises(InputError, match=r"44\.\d mm off it"):
        place_coil(tool, head, position=[0, 0, 0.05])
    with pytest.raises(InputError, match="unknown contact 'push'"):
        place_coil(tool, head, position="C3", contact="push")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected a rotation"):
        tool.moved(2 * np.eye(4))


def test_casing_points_cover_a_box() -> None:
    corner = 0.05 * np.array([[x, y, 0] for x in (0, 1) for y in (0, 1)], dtype=float)
    points = casing_points(corner, np.array([[0, 1, 2], [1, 3, 2]]), where="test")
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(gaps, 1.0)
    assert gaps.min(axis=1).max() < 0.0045
    assert points[:, :2].min() == 0
    assert points[:, :2].max() == pytest.approx(0.05)
    with pytest.raises(InputError, match="expected a coil's casing, got triangles of up to"):
        casing_points(1e3 * corner, np.array([[0, 1, 2]]), where="test")
