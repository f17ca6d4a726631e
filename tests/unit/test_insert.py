"""Insertion: sound meshes, true volumes, and nothing changed away from the bodies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.meshes.carving.carved import Carved
from rheobase.meshes.carving.lattice_file import StoredLattice
from rheobase.meshes.head import Head
from rheobase.meshes.insertion.bodies import Body, Coat, ScalpLayer, lead, pad
from rheobase.meshes.insertion.insert import Inserted, insert, insert_into_head
from rheobase.meshes.insertion.shapes import Ball, Box, Capsule, Cylinder, Shape
from rheobase.meshes.locate import Locator
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import carve_image, carve_indicators
from rheobase.meshes.placing.outlines import Disc, Polygon, Rectangle
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.quality import quality
from rheobase.meshes.store import load_head, save_head
from rheobase.meshes.tissues import tissue

R = (0.034, 0.037, 0.040)


@pytest.fixture(scope="module")
def sphere() -> Carved:
    """Three shells in a box that ends right above them."""

    def shells(points: np.ndarray) -> np.ndarray:
        r = np.linalg.norm(points, axis=1)
        a, b, c = R
        return np.column_stack([r - c, a - r, np.minimum(r - a, b - r), np.minimum(r - b, c - r)])

    return carve_indicators([0, 2, 4, 5], shells, [[-0.042] * 3, [0.042] * 3], 3e-3)


def image_head(step: float) -> Carved:
    """Return a layered ellipsoid of voxels (mm), graded."""
    centre = np.array([32.5, 36.9, 32.1])
    shape = (np.ceil(2 * centre / step).astype(int) + 1).tolist()
    grid = step * np.moveaxis(np.indices(shape), 0, -1) - centre
    r = np.sqrt(((grid / [29.0, 33.0, 29.0]) ** 2).sum(axis=-1))
    image = np.select([r < 0.7, r < 0.8, r < 0.87, r < 0.94, r < 1], [1, 2, 3, 4, 5], 0)
    affine = np.diag([1e-3 * step] * 3 + [1.0])
    affine[:3, 3] = -1e-3 * centre
    return carve_image(image, affine, 1.3e-3 * step, size={1: 8e-3})


def on_top(mesh: TetMesh) -> np.ndarray:
    """Return the highest point of a mesh."""
    top: np.ndarray = mesh.nodes[mesh.nodes[:, 2].argmax()]
    return top


def outside_head(shape: Shape, head: TetMesh, spacing: float) -> float:
    """Count the volume (m³) of a shape outside a mesh."""
    low, high = shape.bounds()
    axes = [np.arange(low[k] + spacing / 2, high[k], spacing) for k in range(3)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    points = points[shape.outside(points) < 0]
    return float((Locator(head).locate(points)[0] < 0).sum()) * spacing**3


def gel_and_metal(mesh: TetMesh, at: np.ndarray, name: str = "C") -> tuple[Body, ...]:
    """Return a disc of 5 mm: 1.6 mm of gel and 1 mm of metal."""
    coats = [
        Coat(name="gel", label=500, thickness_mm=1.6),
        Coat(name="metal", label=100, thickness_mm=1.0),
    ]
    return pad(Scalp(mesh), at, Disc(radius_mm=5.0), coats, name=name)


def assert_sound(before: TetMesh, made: Inserted, least: float = 5.0) -> None:
    """Conforming, closed, well shaped; what is kept is the same bit for bit."""
    mesh = made.mesh
    q = quality(mesh)
    assert q.n_inverted == 0
    assert q.n_bad_faces == 0
    assert q.min_dihedral >= least
    assert len(np.unique(mesh.tets)) == len(mesh.nodes)
    for label in np.unique(mesh.labels):
        p = mesh.nodes[mesh.boundary(int(label))]
        areas = 0.5 * np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
        assert np.abs(areas.sum(axis=0)).max() < 1e-12 * np.abs(areas).sum()
        enclosed = np.einsum("ij,ij->", p.mean(axis=1), areas) / 3.0
        assert enclosed == pytest.approx(q.volumes[int(label)], rel=1e-9)
    nodes, tets = made.kept_nodes, made.kept_tets
    assert np.array_equal(mesh.nodes[nodes[nodes >= 0]], before.nodes[nodes >= 0])
    assert np.array_equal(mesh.tets[tets[tets >= 0]], nodes[before.tets[tets >= 0]])
    assert np.array_equal(mesh.labels[tets[tets >= 0]], before.labels[tets >= 0])
    assert (nodes[nodes >= 0] == np.flatnonzero(nodes >= 0)).mean() > 0.99


def test_shapes_know_their_distance() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(-2.0, 2.0, (2000, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    a, b = np.array([-0.5, 0.2, 0.1]), np.array([0.6, -0.3, 0.4])
    shapes: list[Shape] = [
        Ball(centre=a, radius=0.7),
        Cylinder(start=a, end=b, radius=0.4),
        Capsule(start=a, end=b, radius=0.4),
        Box(centre=a, size=np.array([0.5, 0.9, 0.7]), axes=turn),
    ]
    for shape in shapes:
        d = shape.outside(points)
        low, high = shape.bounds()
        assert ((points[d < 0] > low) & (points[d < 0] < high)).all()
        # a distance: slope 1 nearly everywhere, never more
        e = 1e-6 * rng.normal(size=points.shape)
        change = np.abs(shape.outside(points + e) - d)
        assert (change <= np.linalg.norm(e, axis=1) * (1 + 1e-6)).all()
        step = 1e-6 * np.eye(3)
        slope = np.stack([shape.outside(points + s) - shape.outside(points - s) for s in step])
        assert np.median(np.linalg.norm(slope, axis=0) / 2e-6) == pytest.approx(1.0, abs=1e-6)
    square = Polygon(corners_mm=[(-10, -5), (10, -5), (10, 5), (-10, 5)])
    uv = rng.uniform(-0.02, 0.02, (500, 2))
    same = Rectangle(width_mm=20, height_mm=10)
    assert np.allclose(square.outside(uv), same.outside(uv), atol=1e-15)
    assert (square.area, square.reach) == pytest.approx((same.area, same.reach))


def test_ball_changes_only_its_surroundings(sphere: Carved) -> None:
    ball = Body(
        name="ball",
        label=9,
        shape=Ball(centre=np.array([0.011, -0.004, 0.008]), radius=4e-3),
        edge_length=1e-3,
    )
    made = insert(sphere, [ball])
    assert_sound(sphere.mesh, made, 6.0)
    assert made.volumes()["ball"] == pytest.approx(4 / 3 * np.pi * 64e-9, rel=0.01)
    assert (made.mesh.labels[made.bodies["ball"]] == 9).all()
    assert (made.mesh.labels == 9).sum() == len(made.bodies["ball"])
    p = made.mesh.nodes[made.mesh.boundary(9)]
    off = np.linalg.norm(p - ball.shape.centre, axis=2) - 4e-3  # type: ignore[attr-defined]
    assert np.abs(off).max() < 0.05e-3
    # far from it nothing is new
    fresh = np.ones(len(made.mesh.tets), np.bool_)
    fresh[made.kept_tets[made.kept_tets >= 0]] = False
    away = np.linalg.norm(made.mesh.centroids()[fresh] - ball.shape.centre, axis=1)  # type: ignore[attr-defined]
    assert away.max() < 0.022
    assert "ball" in str(made)
    again = insert(sphere, [ball])
    assert np.array_equal(again.mesh.nodes, made.mesh.nodes)
    assert np.array_equal(again.mesh.tets, made.mesh.tets)


def test_inserting_nothing_changes_nothing(sphere: Carved) -> None:
    made = insert(sphere, [])
    assert np.array_equal(made.mesh.nodes, sphere.mesh.nodes)
    assert np.array_equal(made.mesh.tets, sphere.mesh.tets)
    assert np.array_equal(made.kept_tets, np.arange(len(sphere.mesh.tets)))


def test_pad_sticks_out_of_the_box_with_true_thickness(sphere: Carved) -> None:
    bodies = gel_and_metal(sphere.mesh, on_top(sphere.mesh))
    assert bodies[1].shape.bounds()[1, 2] > 0.042  # beyond the first lattice
    made = insert(sphere, bodies)
    assert_sound(sphere.mesh, made)
    # a cap of the sphere of 5 mm arc, at r = 40 to 41.6 and to 42.6 mm
    cap = 2 * np.pi * (1 - np.cos(5 / 40)) / 3 * 1e-9
    gel, metal = cap * (41.6**3 - 40**3), cap * (42.6**3 - 41.6**3)
    assert made.volumes()["C gel"] == pytest.approx(gel, rel=0.02)
    assert made.volumes()["C metal"] == pytest.approx(metal, rel=0.02)
    # nodes between gel and metal are 1.6 mm above the skin
    shared = np.intersect1d(
        made.mesh.tets[made.bodies["C gel"]], made.mesh.tets[made.bodies["C metal"]]
    )
    height = np.linalg.norm(made.mesh.nodes[shared], axis=1) - 0.040
    assert np.median(height) == pytest.approx(1.6e-3, abs=0.04e-3)
    assert np.percentile(np.abs(height - 1.6e-3), 95) < 0.1e-3
    # only the outside gave way
    old, new = sphere.mesh.tissue_volumes(), made.mesh.tissue_volumes()
    for label, volume in old.items():
        assert new[label] == pytest.approx(volume, rel=2e-3)


@pytest.mark.slow  # 40 CPU-seconds; pads and balls in a sphere hold the same quickly
def test_pad_and_lead_in_a_head_made_from_an_image() -> None:
    head = image_head(1.5)
    mesh = head.mesh
    one = insert(head, gel_and_metal(mesh, on_top(mesh)))
    assert_sound(mesh, one)
    assert (one.kept_tets >= 0).mean() > 0.85  # the head is as large as a monkey's
    for body in gel_and_metal(mesh, on_top(mesh)):
        counted = outside_head(body.shape, mesh, 0.2e-3)
        assert one.volumes()[body.name] == pytest.approx(counted, rel=0.02)
    # a lead afterwards, its shaft right under the pad: two insertions whose zones overlap
    tip = on_top(mesh) - [0.0, 0.0, 0.022]
    bodies = lead(
        tip,
        on_top(mesh) - [0.0, 0.0, 0.004],
        2.4,
        [(1.0, 4.0), (6.0, 9.0)],
        name="L",
        shaft=30,
        contacts=[31, 32],
        edge_length=0.5e-3,
    )
    two = insert(one, bodies)
    assert_sound(one.mesh, two)
    exact = np.pi * 1.2**2 * 3.0 * 1e-9
    assert two.volumes()["L contact 0"] == pytest.approx(exact, rel=0.06)
    assert two.volumes()["L contact 1"] == pytest.approx(exact, rel=0.06)
    assert two.mesh.tissue_volumes()[100] == pytest.approx(one.volumes()["C metal"], rel=0.01)


def test_later_bodies_win_and_order_matters(sphere: Carved) -> None:
    def ball(name: str, x: float, label: int) -> Body:
        shape = Ball(centre=np.array([x, 0.0, 0.0]), radius=4e-3)
        return Body(name=name, label=label, shape=shape, edge_length=1.3e-3)

    a, b = ball("a", -0.002, 11), ball("b", 0.002, 12)
    ab, ba = insert(sphere, [a, b]), insert(sphere, [b, a])
    whole = 4 / 3 * np.pi * 64e-9
    lens = np.pi * (4 * 4 + 4) * (2 * 4 - 4) ** 2 / 12 * 1e-9  # two balls of 4 mm, 4 mm apart
    for made, last, first in ((ab, "b", "a"), (ba, "a", "b")):
        assert_sound(sphere.mesh, made)
        assert made.volumes()[last] == pytest.approx(whole, rel=0.02)
        assert made.volumes()[first] == pytest.approx(whole - lens, rel=0.03)
    kept_in = Body(name="in brain", label=13, shape=a.shape, edge_length=2e-3, only_in=(2,))
    assert insert(sphere, [kept_in]).volumes()["in brain"] == pytest.approx(whole, rel=0.02)


def test_what_cannot_be_inserted(sphere: Carved) -> None:
    def ball(centre: list[float], **options: object) -> Body:
        return Body(
            name="ball",
            label=9,
            shape=Ball(centre=np.array(centre), radius=3e-3),
            edge_length=2.5e-3,
            **options,  # type: ignore[arg-type]
        )

    with pytest.raises(InputError, match="touches the head"):
        insert(sphere, [ball([0.0, 0.0, 0.06])])
    with pytest.raises(InputError, match="has no tetrahedron"):
        insert(sphere, [ball([0.0, 0.0, 0.0], only_in=(0,))])
    with pytest.raises(InputError, match="two bodies are called"):
        insert(sphere, [ball([0.0, 0.0, 0.0])] * 2)
    tiny = Body(name="t", label=9, shape=ball([0, 0, 0]).shape, edge_length=5e-6)
    with pytest.raises(InputError, match="leaves"):
        insert(sphere, [tiny])
    with pytest.raises(InputError, match="off it: pad 'P'"):
        gel_and_metal(sphere.mesh, np.array([0.0, 0.0, 0.07]), "P")
    with pytest.raises(InputError, match="label must be >= 1"):
        Body(name="x", label=0, shape=ball([0, 0, 0]).shape, edge_length=1e-3)
    with pytest.raises(InputError, match="edge_length must be > 0"):
        Body(name="x", label=1, shape=ball([0, 0, 0]).shape, edge_length=0.0)
    with pytest.raises(InputError, match="one label per contact"):
        lead([0, 0, 0], [0, 0, 0.02], 1.0, [(0, 1)], name="L", shaft=1, contacts=[])
    with pytest.raises(InputError, match="contact between"):
        lead([0, 0, 0], [0, 0, 0.02], 1.0, [(0, 30)], name="L", shaft=1, contacts=[2])
    frame = Scalp(sphere.mesh).frame(on_top(sphere.mesh), where="here")
    with pytest.raises(InputError, match="outer > inner"):
        ScalpLayer(frame=frame, outline=Disc(radius_mm=4), inner=2e-3, outer=1e-3)
    with pytest.raises(InputError, match="cross or touch"):
        Polygon(corners_mm=[(0, 0), (1, 0), (2, 0)])


def test_head_keeps_the_record_of_its_lattice(tmp_path: Path) -> None:
    carved = image_head(3.0)
    names = ("white_matter", "grey_matter", "csf", "skull", "scalp")
    head = Head(
        name="small",
        species="macaque",
        space="scanner",
        mesh=carved.mesh,
        tissues={tissue(n).label: tissue(n) for n in names},
        lattice=carved.lattice,
    )
    save_head(tmp_path / "head.h5", head)
    loaded = load_head(tmp_path / "head.h5")
    assert isinstance(loaded.lattice, StoredLattice)  # not read yet
    centre = np.array([0.003, 0.0, 0.0])
    body = Body(name="b", label=16, shape=Ball(centre=centre, radius=4e-3), edge_length=2e-3)
    direct, a = insert_into_head(head, [body], {16: tissue("saline_gel")})
    again, b = insert_into_head(loaded, [body], {16: tissue("saline_gel")})
    assert np.array_equal(a.mesh.nodes, b.mesh.nodes)
    assert np.array_equal(a.mesh.tets, b.mesh.tets)
    assert again.tissues[16].name == "saline_gel"
    assert again.provenance["inserted"] == ["b"]
    assert insert_into_head(direct, [], {})[0].provenance["inserted"] == ["b"]  # still known
    # bodies live in memory only: the file has the mesh without a lattice
    save_head(tmp_path / "with.h5", direct)
    bare = load_head(tmp_path / "with.h5")
    assert bare.lattice is None
    with pytest.raises(InputError, match="made from an image"):
        insert_into_head(bare, [body], {})
    with pytest.raises(InputError, match="no tissue for label 16"):
        insert_into_head(head, [body], {})
    (tmp_path / "head.h5").unlink()
    with pytest.raises(InputError, match="expected the lattice of a head"):
        insert_into_head(loaded, [body], {16: tissue("saline_gel")})


def test_field_does_not_feel_a_body_of_the_same_tissue(sphere: Carved) -> None:
    """Same conductivity: same potential; kept tetrahedra have the same element matrices."""
    from rheobase.fields.conduction import solve_pads
    from rheobase.fields.electrodes.electrode import Electrode
    from rheobase.fields.electrodes.pads import lay
    from rheobase.fields.solver import Conductor

    body = Body(
        name="b",
        label=9,
        shape=Ball(centre=np.array([0.01, 0.0, 0.01]), radius=4e-3),
        edge_length=1e-3,
    )
    made = insert(sphere, [body])
    sigma = {2: 0.33, 4: 0.0132, 5: 0.33}
    potentials = []
    for mesh in (sphere.mesh, made.mesh):
        scalp = Scalp(mesh)
        pads = [
            lay(Electrode(name=n, centre=np.array([0, 0, z]), shape=Disc(radius_mm=6)), scalp)
            for n, z in (("top", 0.04), ("bottom", -0.04))
        ]
        conductor = Conductor(mesh, {**sigma, 9: 0.33})
        V, _ = solve_pads(conductor, pads, np.array([1e-3, -1e-3]))
        potentials.append(V)
    kept = np.flatnonzero(made.kept_nodes >= 0)
    before, after = potentials[0][kept], potentials[1][made.kept_nodes[kept]]
    brain = np.linalg.norm(sphere.mesh.nodes[kept], axis=1) < R[0]
    before, after = before[brain] - before[brain].mean(), after[brain] - after[brain].mean()
    assert np.abs(after - before).max() < 0.01 * np.ptp(before)
    stays = np.flatnonzero(made.kept_tets >= 0)
    old = sphere.mesh.nodes[sphere.mesh.tets[stays]]
    new = made.mesh.nodes[made.mesh.tets[made.kept_tets[stays]]]
    assert np.array_equal(old, new)  # and so every integral over them
