"""The default head: its label image, its cortex, its positions, and the head made of them."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from rheobase.meshes.carving import closed_layers
from rheobase.meshes.checkup import check_up
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head, mni152
from rheobase.meshes.heads.mni152_template import Template, constants, surface, template
from rheobase.meshes.images.voxels import absorb_islands, filled, largest_part, voxelize

CAPS = Path(__file__).parents[3] / "shared/data/simnibs"


@pytest.fixture(scope="module")
def image() -> Template:
    return template()


@pytest.fixture(scope="module")
def rough_image() -> Template:
    return template(rough=True)


@pytest.fixture(scope="module")
def head(image: Template, rough_image: Template) -> Iterator[Head]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mni152, "template", lambda *, rough=False: rough_image if rough else image)
        patch.setattr(closed_layers, "ROUNDS", 1)  # holes and all: the slow test has none
        yield mni152.build(edge_length_mm=9.0, columns=20_000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("resolution", "tetrahedra"), [("coarse", 0.5e6), ("standard", 1.5e6), ("fine", 4e6)]
)
def test_each_resolution_is_closed_and_keeps_volumes(resolution: str, tetrahedra: float) -> None:
    head = build_head("mni152", resolution=resolution)
    assert len(head.mesh.tets) == pytest.approx(tetrahedra, rel=0.25)
    findings = check_up(head)
    assert not [f for f in findings if f.level == "fails"]
    assert any("closed from the inside out" in f.text for f in findings)  # no contact at all
    assert max(abs(e) for e in head.provenance["mesh"]["volume_errors"].values()) < 0.01


def mask(image: Template, *labels: int) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.isin(image.labels, labels)
    return found


def grown(m: NDArray[np.bool_]) -> NDArray[np.bool_]:
    out: NDArray[np.bool_] = ndimage.binary_dilation(m)
    return out


def test_volumes(image: Template) -> None:
    litres = np.bincount(image.labels.ravel())[1:] * 1e-6
    white, grey, csf, skull, scalp = litres
    assert 1.65 < white + grey < 1.80
    assert 0.60 < white < 0.68
    assert 2.15 < white + grey + csf < 2.25  # fsaverage's inner skull holds 2.18
    assert 0.5 < skull < 0.7
    assert litres.sum() == pytest.approx(5.12, abs=0.05)
    assert scalp > 2.0


@pytest.mark.parametrize("name", ["image", "rough_image"])
def test_layers_are_closed(name: str, request: pytest.FixtureRequest) -> None:
    image: Template = request.getfixturevalue(name)
    brain, inner = mask(image, 1, 2), mask(image, 1, 2, 3)
    assert not (grown(brain) & mask(image, 0, 4, 5)).any()  # CSF all around the brain
    assert not (grown(inner) & mask(image, 0, 5)).any()  # bone all around the CSF
    assert not (grown(mask(image, 4)) & mask(image, 0)).any()  # scalp all around the bone
    for label in (4, 5):
        assert ndimage.label(mask(image, label))[1] == 1
    for label in (1, 2, 3):
        parts, n = ndimage.label(mask(image, label))
        assert np.bincount(parts.ravel(), minlength=n + 1)[1:].min() >= 30
    whole = mask(image, 1, 2, 3, 4, 5)
    assert ndimage.label(whole)[1] == 1
    assert ndimage.label(~whole)[1] == 1  # no holes


def test_the_rough_image_keeps_volumes_and_has_no_folds(
    image: Template, rough_image: Template, head: Head
) -> None:
    before, after = (np.bincount(t.labels.ravel())[1:] for t in (image, rough_image))
    change = after / before - 1.0
    assert abs(change).max() < 0.01
    note = head.provenance["notes"][-1]
    assert f"csf {100 * change[2]:+.1f} %" in note
    brain, inner = mask(rough_image, 1, 2), mask(rough_image, 1, 2, 3)
    to_brain, to_inner = (ndimage.distance_transform_edt(~m) for m in (brain, inner))
    assert to_brain[mask(rough_image, 4)].min() > constants()["rough"]["csf_mm"]
    assert to_inner[mask(rough_image, 5)].min() > constants()["skull"]["thinnest_mm"]
    folds = [np.count_nonzero(m & ~ndimage.binary_erosion(m)) for m in (mask(image, 1, 2), brain)]
    assert folds[1] < 0.8 * folds[0]


def test_thickness_of_the_layers_over_the_vertex(image: Template) -> None:
    z = np.arange(image.labels.shape[2]) + image.affine[2, 3] * 1e3
    labels = image.labels[:, :, z > 30]
    inner, bone, skin = np.isin(labels, (1, 2, 3)), labels == 4, labels == 5
    to_inner = ndimage.distance_transform_edt(~inner)
    outside = skin & grown(labels == 0)
    bone_edge = bone & grown(skin)
    to_brain = ndimage.distance_transform_edt(~np.isin(labels, (1, 2)))
    low = constants()["skull"]["thinnest_mm"]
    assert np.percentile(to_inner[bone_edge], 1) >= low - 0.5
    assert 5.0 < np.median(to_inner[bone_edge]) < 6.5  # Strangman 2014: 6.0
    assert np.median(to_inner[outside]) == pytest.approx(12.4, abs=0.5)
    np.testing.assert_allclose(
        np.percentile(to_brain[outside], [5, 50, 95]), [11.9, 16.2, 19.4], atol=0.4
    )


def test_left_mirrors_right_within_the_brain(image: Template) -> None:
    brain = mask(image, 1, 2)
    middle = round(-image.affine[0, 3] * 1e3)
    n = min(middle, brain.shape[0] - middle - 1)
    left = brain[middle - n : middle][::-1]
    right = brain[middle + 1 : middle + n + 1]
    overlap = 2 * (left & right).sum() / (left.sum() + right.sum())
    assert overlap > 0.98


def test_cortex(head: Head) -> None:
    sheet = head.cortex
    assert sheet is not None
    assert 15_000 < len(sheet.pial) < 22_000
    assert 0.15 < sheet.area.sum() < 0.22  # m²
    thickness = sheet.thickness * 1e3
    assert 2.8 < np.median(thickness) < 4.2
    assert thickness.max() <= 8.0
    middle = sheet.points(0.5) * 1e3
    cerebellum = (np.abs(middle[:, 0]) < 40) & (middle[:, 1] < -50) & (middle[:, 2] < -30)
    assert not cerebellum.any()
    thalamus = np.linalg.norm(middle - [-12, -18, 8], axis=1) < 8
    assert not thalamus.any()
    for target in ([-40, -22, 60], [40, -22, 60], [-30, 40, 30], [0, -85, 5]):
        assert (np.linalg.norm(middle - target, axis=1) < 10).sum() > 20
    a, b, c = (middle[sheet.triangles[:, k]] for k in range(3))
    facing = np.einsum("ij,ij->i", np.cross(b - a, c - a), sheet.normal[sheet.triangles[:, 0]])
    assert (facing > 0).mean() > 0.95


def test_crowns_face_the_skull(head: Head, image: Template) -> None:
    sheet = head.cortex
    assert sheet is not None
    skull = np.argwhere(mask(image, 4) & grown(mask(image, 3))) * 1e-3 + image.affine[:3, 3]
    found = cKDTree(skull).query(sheet.pial)
    distance, nearest = np.asarray(found[0]), np.asarray(found[1])
    close = (distance < 4e-3) & (sheet.pial[:, 2] > 0.03)
    step = skull[nearest[close]] - sheet.pial[close]
    outward = step / np.linalg.norm(step, axis=1, keepdims=True)
    cosine = np.einsum("ij,ij->i", outward, sheet.normal[close])
    assert close.sum() > 500
    assert np.median(cosine) > 0.85


def test_positions(head: Head) -> None:
    cz, c3 = head.position("Cz") * 1e3, head.position("C3") * 1e3
    assert abs(cz[0]) < 5
    assert -30 < cz[1] < -5
    assert cz[2] > 95
    assert -70 < c3[0] < -50
    assert -30 < c3[1] < -5
    assert 60 < c3[2] < 75
    assert head.position("T3") is not None
    for left, right in (("C3", "C4"), ("F7", "F8"), ("P3", "P4"), ("O1", "O2"), ("Fp1", "Fp2")):
        mirrored = head.position(left) * [-1, 1, 1] - head.position(right)
        assert np.linalg.norm(mirrored) < 7e-3
    surface_points = head.mesh.nodes[np.unique(head.mesh.boundary())]
    for name in ("Cz", "C3", "Oz", "Fp2"):
        near = np.linalg.norm(surface_points - head.position(name), axis=1).min()
        assert near < 8e-3


def test_positions_against_published_caps(head: Head) -> None:
    path = CAPS / "EEG10-10_UI_Jurak_2007.csv"
    if not path.is_file():
        pytest.skip("no published cap beside the repository")
    rows = [r for r in csv.reader(path.read_text().splitlines()) if len(r) >= 5]
    off = [
        np.linalg.norm(head.position(r[4]) * 1e3 - np.array(r[1:4], float))
        for r in rows
        if r[4] in head.positions
    ]
    assert len(off) > 60
    assert np.mean(off) < 9.0  # another scalp and other landmarks; both are averages


def test_mesh(head: Head) -> None:
    volumes = {t.name: head.mesh.tissue_volumes()[k] for k, t in head.tissues.items()}
    assert sum(volumes.values()) == pytest.approx(5.12e-3, rel=0.03)  # the face at 18 mm
    assert volumes["white_matter"] + volumes["grey_matter"] == pytest.approx(1.73e-3, rel=0.15)
    assert head.species == "human"
    assert any("soft tissue only" in n for n in head.provenance["notes"])
    assert head.provenance["inputs"]["scalp"]


def test_voxels() -> None:
    vertices, triangles = surface("inner_skull")
    low = np.floor(vertices.min(axis=0)) - 2
    shape = tuple(int(n) for n in (np.ceil(vertices.max(axis=0)) + 3 - low) // 2)
    inside = voxelize(vertices, triangles, (shape[0], shape[1], shape[2]), low, 2.0)
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    exact = abs(np.einsum("ij,ij->i", np.cross(a, b), c).sum() / 6)
    assert inside.sum() * 8.0 == pytest.approx(exact, rel=2e-3)


def test_clean_up() -> None:
    box = np.zeros((9, 9, 9), bool)
    box[2:7, 2:7, 2:7] = True
    hollow = box.copy()
    hollow[4, 4, 4] = False
    np.testing.assert_array_equal(filled(hollow), box)
    spot = box.copy()
    spot[0, 0, 0] = True
    np.testing.assert_array_equal(largest_part(spot), box)
    labels = np.where(box, 2, 5).astype(np.uint8)
    expected = labels.copy()
    labels[4, 4, 4:6] = 1
    np.testing.assert_array_equal(absorb_islands(labels, 3), expected)
    np.testing.assert_array_equal(absorb_islands(labels, 2), labels)
