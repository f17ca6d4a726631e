"""Heads of simple shape, heads from images and from meshes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.checkup import check_up
from rheobase.meshes.files.msh import Msh, write_msh
from rheobase.meshes.heads import head_from_image, head_from_msh, parametric, slab, sphere
from rheobase.meshes.images.label_files import read_label_table

DATA = Path(__file__).parents[3] / "shared/data"


def test_sphere() -> None:
    thick = sphere.build(edge_length_mm=10.0, radii_mm=(60, 75, 90))
    ball = 4 / 3 * np.pi * np.array([0.06, 0.075, 0.09]) ** 3
    for name, v in zip(("grey_matter", "skull", "scalp"), np.diff(ball, prepend=0.0), strict=True):
        assert thick.mesh.tissue_volumes()[thick.label_of(name)] == pytest.approx(v, rel=0.03)


def test_default_sphere() -> None:
    head = sphere.build(edge_length_mm=4.9)
    assert head.sigma().min() == 0.01
    assert np.unique(head.sigma()).tolist() == [0.01, 0.33]
    assert head.cortex is not None
    np.testing.assert_allclose(np.linalg.norm(head.cortex.pial, axis=1), 0.085)
    np.testing.assert_allclose(head.cortex.thickness, 0.003)
    assert head.cortex.area.sum() == pytest.approx(4 * np.pi * 0.0835**2, rel=2e-3)
    radius = [np.linalg.norm(p) for p in head.positions.values()]
    np.testing.assert_allclose(radius, 0.095)
    np.testing.assert_allclose(head.position("Cz"), [0, 0, 0.095], atol=1e-4)


def test_sphere_refuses() -> None:
    with pytest.raises(InputError, match="one tissue and one conductivity"):
        sphere.build(radii_mm=(80, 90))
    with pytest.raises(InputError, match="different tissue"):
        sphere.build(layers=("skull", "skull", "scalp"))
    with pytest.raises(InputError, match="nearest: skull"):
        sphere.build(layers=("grey_matter", "scull", "scalp"))
    with pytest.raises(InputError, match="> 0 S/m"):
        sphere.build(sigma_S_per_m=(0.3, 0.0, 0.3))


@pytest.mark.parametrize(
    ("species", "thickness_um"),
    [("rat", 2270), ("mouse", 1154), ("macaque", 1985), ("human", 3710)],
)
def test_slab(species: str, thickness_um: float) -> None:
    t = thickness_um * 1e-6
    head = slab.build(species, edge_length_mm=t / 4 * 1e3)
    volumes = {n: head.mesh.tissue_volumes()[head.label_of(n)] for n in ("grey_matter", "csf")}
    assert volumes["grey_matter"] == pytest.approx(9 * t**3, rel=1e-3)
    assert volumes["csf"] == pytest.approx(4.5 * t**3, rel=1e-3)
    assert head.cortex is not None
    np.testing.assert_allclose(head.cortex.thickness, t)
    np.testing.assert_allclose(head.cortex.normal, np.tile([0.0, 0, 1], (len(head.cortex.pial), 1)))
    assert head.cortex.area.sum() == pytest.approx(9 * t**2)
    assert head.species == species
    assert head.provenance["cortex"]["source"]


def test_slab_refuses() -> None:
    with pytest.raises(InputError, match="nearest: C2 barrel"):
        slab.build("mouse", area="C2 barel")
    with pytest.raises(InputError, match="width_mm"):
        slab.build("rat", width_mm=-1)
    with pytest.raises(InputError, match="unknown species"):
        slab.build("cat")


def test_ellipsoid_distance_against_its_definition() -> None:
    rng = np.random.default_rng(0)
    semi = np.array([4.0, 7.0, 2.5])
    u = rng.normal(size=(400, 3))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    surface = semi * u
    normal = surface / semi**2
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    offset = rng.uniform(-0.5, 3.0, 400)  # the smallest radius of curvature is 2.5²/7
    found = parametric.ellipsoid_distance(surface + offset[:, None] * normal, semi)
    np.testing.assert_allclose(found, offset, atol=1e-9)
    assert parametric.ellipsoid_distance(np.zeros((1, 3)), semi)[0] == pytest.approx(-2.5)


def test_volume_within_an_ellipsoid_against_random_points() -> None:
    semi = np.array([4.0, 7.0, 5.0])
    points = np.random.default_rng(0).uniform(-9.0, 9.0, (400_000, 3))
    distance = parametric.ellipsoid_distance(points, semi)
    for d in (-1.5, 0.0, 1.5):
        share = (distance < d).mean()
        spread = np.sqrt(share * (1 - share) / len(points))
        assert parametric.volume_within(semi, d) == pytest.approx(
            share * 18.0**3, abs=4 * spread * 18.0**3
        )
    ball = np.full(3, 2.0)
    assert parametric.volume_within(ball, 1.0) == pytest.approx(36 * np.pi, rel=1e-9)


def test_parametric_heads() -> None:
    for species in ("rat", "mouse", "macaque"):
        size, rows = parametric.sizes(species)
        head = parametric.build(species, edge_length_mm=size["brain width"] / 12 * 1e3)
        assert head.provenance["parametric"] is True
        assert all(r["source"] and r["status"] for r in rows)
        semi = 0.5 * np.array([size[f"brain {k}"] for k in ("width", "length", "height")])
        outer = sum(size[f"{k} thickness"] for k in ("csf", "skull", "scalp"))
        total = sum(head.mesh.tissue_volumes().values())
        wanted = parametric.volume_within(semi, outer)
        assert total == pytest.approx(wanted, rel=0.03)  # coarse: see the slow test
        assert head.cortex is not None
        assert (head.cortex.normal[:, 2] > -1e-12).all()
        depth = parametric.ellipsoid_distance(head.cortex.white, semi)
        np.testing.assert_allclose(depth, -head.cortex.thickness, rtol=1e-6)
        if species != "macaque":
            bregma, lambda_ = head.position("bregma"), head.position("lambda")
            assert bregma[1] - lambda_[1] == pytest.approx(size["bregma to lambda"])


@pytest.mark.slow
@pytest.mark.parametrize("species", ["rat", "mouse", "macaque"])
def test_parametric_volumes_at_the_default_edge(species: str) -> None:
    size, _ = parametric.sizes(species)
    semi = 0.5 * np.array([size[f"brain {k}"] for k in ("width", "length", "height")])
    steps = [size[f"{k} thickness"] for k in ("csf", "skull", "scalp")]
    head = parametric.build(species)
    assert head.cortex is not None
    ends = np.concatenate([[-head.cortex.thickness[0], 0.0], np.cumsum(steps)])
    within = [parametric.volume_within(semi, float(d)) for d in ends]
    expected = np.diff(within, prepend=0.0)
    assert not [f for f in check_up(head) if f.level == "fails"]
    volumes = head.mesh.tissue_volumes()
    for name, v in zip(parametric.LAYERS, expected, strict=True):
        assert volumes[head.label_of(name)] == pytest.approx(v, rel=0.01), name


def ball_image(n: int = 24) -> NDArray[np.uint8]:
    x = np.arange(n) - (n - 1) / 2
    r = np.sqrt(x[:, None, None] ** 2 + x[None, :, None] ** 2 + x[None, None, :] ** 2)
    return np.select([r < 4, r < 7, r < 8.5, r < 10], [1, 2, 3, 5], 0).astype(np.uint8)


def write_image(path: Path, data: NDArray[Any], mm: float = 2.0, unit: str | None = None) -> Path:
    import nibabel as nib

    affine = np.diag([-mm, mm, mm, 1.0])  # the first axis points to the left
    affine[:3, 3] = [50.0, -40.0, -30.0]
    image = nib.nifti1.Nifti1Image(data, affine)
    if unit:
        image.header.set_xyzt_units(unit)
    nib.save(image, path)
    return path


def test_head_from_image(tmp_path: Path) -> None:
    path = write_image(tmp_path / "ball.nii.gz", ball_image())
    ends = {
        "nasion": (27, 3, -7),
        "inion": (27, -37, -7),
        "lpa": (7, -17, -7),
        "rpa": (47, -17, -7),
    }
    head = head_from_image(path, edge_length_mm=4.0, fiducials_mm=ends, columns=500)
    assert head.name == "ball"
    assert set(head.tissues) == {1, 2, 3, 5}
    middle = [50 - 2 * 11.5, -40 + 2 * 11.5, -30 + 2 * 11.5]
    np.testing.assert_allclose(head.mesh.nodes.mean(axis=0) * 1e3, middle, atol=0.5)
    total = sum(head.mesh.tissue_volumes().values())
    assert total == pytest.approx(4 / 3 * np.pi * 0.02**3, rel=0.03)
    assert head.cortex is not None
    assert np.median(head.cortex.thickness) == pytest.approx(0.006, rel=0.1)
    outward = head.cortex.points(0.5) - np.array(middle) * 1e-3
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    assert np.einsum("ij,ij->i", outward, head.cortex.normal).min() > 0.9
    np.testing.assert_allclose(head.position("Cz") * 1e3, [27, -17, 13], atol=1.0)


def test_labels_by_table(tmp_path: Path) -> None:
    data = ball_image()
    data[data == 5] = 77
    path = write_image(tmp_path / "ball.nii", data.astype(np.float32))  # whole numbers as floats
    with pytest.raises(InputError, match=rf"77 \({np.count_nonzero(data == 77)} voxels\)"):
        head_from_image(path, edge_length_mm=5.0)
    table = tmp_path / "labels.csv"
    table.write_text("label,tissue\n1,white_matter\n2,grey_matter\n3,outside\n77,fat\n")
    assert read_label_table(table).tissues[77] == "fat"
    head = head_from_image(path, edge_length_mm=5.0, labels=table)
    assert {t.name for t in head.tissues.values()} == {"white_matter", "grey_matter", "fat"}
    assert head.cortex is None
    table.write_text("label,tissue\n1,white_mater\n")
    with pytest.raises(InputError, match=r"white_matter.*labels\.csv"):
        head_from_image(path, edge_length_mm=5.0, labels=table)
    for text in ("label,name\n1,fat\n", "label,tissue\nx,fat\n", "label,tissue\n1,fat\n1,csf\n"):
        table.write_text(text)
        with pytest.raises(InputError, match=r"line \d: .*labels\.csv"):
            read_label_table(table)


def test_images_that_are_no_head(tmp_path: Path) -> None:
    good = ball_image()
    cases = [
        (write_image(tmp_path / "a.nii", np.stack([good] * 2, -1)), "3-D"),
        (write_image(tmp_path / "b.nii", good + np.float32(0.5)), "whole-number"),
        (write_image(tmp_path / "c.nii", good, 0.002), "mm wide"),  # metres taken for millimetres
        (write_image(tmp_path / "d.nii", good, 2.0, "meter"), "mm wide"),
        (write_image(tmp_path / "e.nii", np.zeros_like(good)), "all voxels are outside"),
        (tmp_path / "none.nii", "cannot read"),
    ]
    (tmp_path / "f.nii").write_bytes(b"no image")
    cases.append((tmp_path / "f.nii", "cannot read"))
    cut = (tmp_path / "e.nii").read_bytes()[:5000]
    (tmp_path / "g.nii").write_bytes(cut)
    cases.append((tmp_path / "g.nii", "cannot read"))
    for path, message in cases:
        with pytest.raises(InputError, match=message):
            head_from_image(path, edge_length_mm=5.0)


def test_head_in_metres(tmp_path: Path) -> None:
    path = write_image(tmp_path / "m.nii", ball_image(), 0.004, "meter")
    head = head_from_image(
        path, edge_length_mm=8.0, labels={1: "white_matter", 2: "fat", 3: "fat", 5: "fat"}
    )
    assert np.ptp(head.mesh.nodes, axis=0).max() == pytest.approx(0.08, rel=0.05)


def test_head_from_msh(tmp_path: Path) -> None:
    nodes = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1.0], [9, 9, 9]]) * 0.05
    tets = np.array([[0, 1, 2, 3], [1, 2, 3, 4]], np.int32)  # the second one is inside out
    tags = np.array([2, 1005], np.int32)
    mesh = Msh(
        nodes_mm=nodes * 1e3,
        triangles=np.empty((0, 3), np.int32),
        triangle_tags=np.empty(0, np.int32),
        tets=tets,
        tet_tags=tags,
    )
    path = tmp_path / "two.msh"
    write_msh(path, mesh)
    with pytest.raises(InputError, match=r"1005 \(1 tetrahedra\)"):
        head_from_msh(path)
    head = head_from_msh(path, labels={2: "grey_matter", 1005: "scalp"})
    assert len(head.mesh.nodes) == 5
    assert head.mesh.tissue_volumes()[5] == pytest.approx(0.05**3 / 3)
    with pytest.raises(InputError, match="all tetrahedra are outside"):
        head_from_msh(path, labels={2: "outside", 1005: "outside"})


def test_simnibs_sphere() -> None:
    path = DATA / "simnibs/sphere3.msh"
    if not path.is_file():
        pytest.skip("no SimNIBS sample meshes beside the repository")
    head = head_from_msh(path)
    ball = 4 / 3 * np.pi * np.array([0.085, 0.09, 0.095]) ** 3
    found = [head.mesh.tissue_volumes()[k] for k in (3, 4, 5)]
    np.testing.assert_allclose(found, np.diff(ball, prepend=0.0), rtol=0.01)


def test_trailing_axes_of_one(tmp_path: Path) -> None:
    path = write_image(tmp_path / "t.nii", ball_image()[..., None])
    assert sum(head_from_image(path, edge_length_mm=5.0).mesh.tissue_volumes().values()) > 3e-5
