"""Leads: their geometry against the makers' lengths, their place, and the tissue around them."""

from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.tensors import Tensors
from rheobase.meshes.head import Head
from rheobase.meshes.leads.catalogue import custom_lead, lead_model, lead_names, lead_record
from rheobase.meshes.leads.lead import Lead, check_lead, place_lead
from rheobase.meshes.leads.medium import from_head, from_image, nested_spheres, uniform
from rheobase.meshes.leads.model import Contact, LeadModel
from rheobase.meshes.locate import Locator
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.tissues import tissue

BOSTON, ABBOTT = "Boston Scientific Cartesia DB-2202", "Abbott Directed 6172"


def z_mm(name: Any, contact: Any) -> Any:
    return [round(1e3 * z, 9) for z in lead_model(name).contact(contact).z]


def test_contacts_are_where_the_makers_have_them() -> None:
    assert z_mm("Medtronic 3389", 1) == [1.5, 3.0]
    assert z_mm("Medtronic 3389", 4) == [7.5, 9.0]
    assert z_mm("Medtronic 3387", 4) == [10.5, 12.0]
    assert z_mm(BOSTON, 1) == [0.0, 1.5]
    assert z_mm(BOSTON, 5) == [4.0, 5.5]
    assert z_mm("SceneRay 1242", 3) == [13.5, 16.5]  # unequal gaps: 2, 4, 4
    assert z_mm("DIXI D08-18AM", 18) == [59.5, 61.5]
    assert len(lead_model("Boston Scientific Cartesia HX").contacts) == 16
    assert [len(row) for row in lead_model("Boston Scientific Cartesia X").rows()] == [3] * 5 + [1]


def test_every_lead_on_file_opens_or_says_what_is_missing() -> None:
    opened = 0
    for name in lead_names():
        row = lead_record(name)
        assert row["source"]
        assert row["status"]
        if row["form"] == "round" and row["layout"]:
            model = lead_model(name)
            assert model.contact(len(model.contacts)) is model.contacts[-1]
            assert ("disagree" in model.status) <= bool(row["disagreement"])
            assert row["disagreement"] in model.remark
            opened += 1
        else:
            missing = "layout" if row["form"] == "round" else row["form"]
            with pytest.raises(InputError, match=missing):
                lead_model(name)
    assert opened >= 74


def test_what_sources_disagree_on_can_be_given() -> None:
    usual = lead_model("Medtronic SenSight B33005")
    assert "1.36" in usual.remark
    assert "1.30" in usual.remark
    other = lead_model("Medtronic SenSight B33005", diameter_mm=1.3)
    assert other.diameter == pytest.approx(1.3e-3)
    assert "diameter_mm" in other.notes[-1]
    assert lead_model("AdTech RDxxR-SP03X", layout="1x8").names[-1] == "8"


@pytest.mark.parametrize(("name", "sign"), [(BOSTON, 1), (ABBOTT, -1)])
def test_segments_face_the_marker_and_go_round_as_numbered(name: Any, sign: Any) -> None:
    lead = place_lead(lead_model(name), target=[0, 0, 0], direction=[0, 0, 1], rotation_deg=40)
    marker = lead.frame[:3, 0]
    # from the front (y), 40 degrees anticlockwise seen from above: to the left
    np.testing.assert_allclose(marker, [-np.sin(np.deg2rad(40)), np.cos(np.deg2rad(40)), 0])
    for first in ("2", "5"):
        out = [lead.contact_centre(int(first) + k) for k in range(3)]
        assert out[0] @ marker == pytest.approx(lead.model.radius)
        angle = np.unwrap([np.arctan2(p[1], p[0]) for p in out])
        np.testing.assert_allclose(np.diff(angle) * sign, np.deg2rad([120, 120]))
    c = lead.model.contact(3)
    assert lead.model.area(3) == pytest.approx(np.pi / 2 * lead.model.radius * (c.z[1] - c.z[0]))


def test_profile_and_areas() -> None:
    model = lead_model(BOSTON)
    R = model.radius
    s = np.linspace(0, 8e-3, 40_001)
    z = model.height_of(s)
    np.testing.assert_allclose(model.arc_of(z), s, atol=1e-12)
    rho = R * np.sin(np.minimum(s / R, np.pi / 2))
    # the surface of revolution, summed
    belt = 2 * np.pi * np.cumsum(0.5 * (rho[1:] + rho[:-1]) * np.diff(s))
    assert belt[np.searchsorted(z, model.contact(1).z[1]) - 1] == pytest.approx(
        model.area(1), rel=1e-3
    )


def test_coordinates_are_the_distance_to_the_surface() -> None:
    rng = np.random.default_rng(3)
    lead = Lead(
        model=lead_model(BOSTON),
        tip=np.array([0.01, 0.02, -0.01]),
        direction=np.array([0.3, 0.5, 1.0]),
    )
    s, theta = np.meshgrid(np.linspace(0, 8e-3, 801), np.linspace(0, 2 * np.pi, 240))
    shell = lead.surface(lead.model.height_of(s.ravel()), theta.ravel())
    points = lead.to_head(rng.uniform([-3e-3] * 2 + [-2e-3], [3e-3] * 2 + [6e-3], (30, 3)))
    nearest = [np.linalg.norm(shell - p, axis=1).min() for p in points]
    np.testing.assert_allclose(np.abs(lead.outside(points)), nearest, atol=3e-5)
    s, t, angle = lead.coordinates(points).T
    foot = lead.surface(lead.model.height_of(s), angle)
    np.testing.assert_allclose(np.linalg.norm(foot - points, axis=1), np.abs(t), atol=1e-12)
    np.testing.assert_allclose(lead.to_head(lead.to_lead(points)), points, atol=1e-15)


@pytest.mark.parametrize("entry", [(0.033, 0.025, 0.06), (0.02, 0.09, -0.005), (0.09, 0.0, 0.0)])
def test_placed_by_entry(entry: Any) -> None:
    model = lead_model(ABBOTT)
    target = np.array([0.012, -0.013, -0.006])
    lead = place_lead(model, target=target, entry=entry, contact=3, rotation_deg=25)
    axes = lead.frame[:3, :3]
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-15)
    assert np.linalg.det(axes) == pytest.approx(1)
    local = lead.to_lead([target, entry])
    np.testing.assert_allclose(local[:, :2], 0, atol=1e-16)
    assert local[0, 2] == pytest.approx(model.contact(3).middle[1])
    assert np.linalg.norm(lead.contact_centre(3) - target) == pytest.approx(model.radius)
    np.testing.assert_allclose(lead.to_head([[0, 0, 0]])[0], lead.tip)


def test_lead_must_end_in_tissue() -> None:
    model = lead_model(BOSTON)
    place: dict[str, Any] = {"direction": [0, 0, 1], "name": "left"}
    check_lead(place_lead(model, target=[0, 0, -0.004], **place), nested_spheres([0.01], [0.2]))
    check_lead(place_lead(model, target=[0, 0, 5.0], **place), uniform(0.2))
    for z, what in ((-0.0101, "the tip"), (0.004, "contact '8'"), (0.02, "the tip")):
        with pytest.raises(InputError, match=f"{what} leaves it .* lead 'left'"):
            check_lead(place_lead(model, target=[0, 0, z], **place), nested_spheres([0.01], [0.2]))


def test_spheres_and_uniform() -> None:
    medium = nested_spheres([0.08, 0.085], [0.33, tissue("skull")], centre=[0, 0, 0.01])
    x = np.array([[0, 0, 0.01], [0, 0, 0.0895], [0, 0.0849, 0.01], [0, 0.086, 0.01]])
    assert medium.labels(x).tolist() == [1, 1, 2, 0]
    assert medium.tissues[1].sigma == pytest.approx(0.33)
    assert medium.tissues[2].name == "skull"
    assert medium.bounds is not None
    np.testing.assert_allclose(medium.bounds[1], np.array([0.085, 0.085, 0.095]))
    everywhere = uniform(tissue("csf"))
    assert everywhere.labels(1e3 * x).tolist() == [3] * 4
    assert everywhere.bounds is None


def grid_head() -> Head:
    """Return a cube of 10 mm, grey matter below and white matter above, as a head."""
    n = 6
    nodes = np.stack(np.meshgrid(*[np.linspace(0, 0.01, n)] * 3, indexing="ij"), -1).reshape(-1, 3)
    index = np.arange(n**3).reshape(n, n, n)
    corners: list[Any] = []
    steps = np.eye(3, dtype=int)
    for corner in product(range(n - 1), repeat=3):
        for order in permutations(range(3)):
            at = np.cumsum([corner, *steps[list(order)]], axis=0)
            corners.append(index[tuple(at.T)])
    tets = np.array(corners, dtype=np.int32)
    swap = np.linalg.det(nodes[tets[:, 1:]] - nodes[tets[:, :1]]) < 0
    tets[swap, :2] = tets[swap, 1::-1]
    low = nodes[tets].mean(axis=1)[:, 2] < 0.006
    mesh = TetMesh(nodes=nodes, tets=tets, labels=np.where(low, 2, 1))
    known = {1: tissue("white_matter"), 2: tissue("grey_matter")}
    return Head(name="cube", species="human", space="scanner", mesh=mesh, tissues=known)


def test_medium_of_a_head() -> None:
    head = grid_head()
    some = np.flatnonzero(head.mesh.labels == 1).astype(np.int32)
    values = np.tile([2.0, 0.1, 0.0, 1.0, 0.0, 0.5], (len(some), 1))
    medium = from_head(head, Tensors(tets=some, values=values))
    rng = np.random.default_rng(1)
    x = rng.uniform(-0.002, 0.012, (20_000, 3))
    inside = ((x > 0) & (x < 0.01)).all(axis=1)
    expected = np.where(inside, np.where(x[:, 2] < 0.006, 2, 1), 0)
    labels = medium.labels(x)
    np.testing.assert_array_equal(labels, expected)
    tensors = medium.tensors(x)
    assert tensors is not None
    np.testing.assert_allclose(tensors[labels == 1] - values[0], 0)
    np.testing.assert_allclose(tensors[labels == 2][0], [1, 0, 0, 1, 0, 1])
    assert from_head(head).tensors(x) is None
    np.testing.assert_allclose(medium.bounds, np.array([[0.0] * 3, [0.01] * 3]))
    locator = Locator(head.mesh)
    np.testing.assert_array_equal(locator.tets(x), locator.locate(x)[0])
    line = np.linspace([0.0011, 0.0023, 0.0001], [0.0091, 0.0083, 0.0099], 5000)  # points in a row
    np.testing.assert_array_equal(locator.tets(line), locator.locate(line, start=0)[0])


def image_file(path: Any, values: Any, turn: Any = 0.0) -> Any:
    c, s = np.cos(turn), np.sin(turn)
    affine = np.array([[c, -s, 0, -9], [s, c, 0, 4], [0, 0, 2, -3], [0, 0, 0, 1.0]])
    nib.save(nib.Nifti1Image(values, affine), path)
    return path, affine


def test_medium_of_an_image(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    values = rng.choice(np.array([0, 1, 2, 3], np.uint8), (9, 8, 7))
    path, affine = image_file(tmp_path / "labels.nii.gz", values, turn=0.4)
    medium = from_image(path)
    assert [t.name for t in medium.tissues.values()] == ["white_matter", "grey_matter", "csf"]
    voxels = rng.integers(0, values.shape, (500, 3))
    near = voxels + rng.uniform(-0.49, 0.49, voxels.shape)
    x = 1e-3 * (near @ affine[:3, :3].T + affine[:3, 3])
    np.testing.assert_array_equal(medium.labels(x), values[tuple(voxels.T)])
    assert (medium.bounds[0] <= x.min(axis=0)).all()
    assert medium.labels(medium.bounds + 1e-2 * np.array([[-1], [1]])).tolist() == [0, 0]
    own = from_image(path, labels={1: "grey_matter", 2: "white_matter", 3: "outside"})
    assert set(np.unique(own.labels(x))) == {0, 1, 2}


@pytest.mark.parametrize(
    ("values", "options", "says"),
    [
        ([0, 3, 5], {}, "expected voxels of white_matter and grey_matter, .* csf, scalp only"),
        ([0, 1, 3], {}, "expected voxels of grey_matter"),
        ([0, 1, 2, 77], {}, "no tissue for the label"),
        ([0, 1, 2], {"labels": {1: "grey_matter", 2: "marrow"}}, "unknown tissue 'marrow'"),
        ([0, 3], {"needs": ("blood",)}, "expected voxels of blood"),
    ],
)
def test_image_without_the_tissues_it_needs(
    tmp_path: Path, values: Any, options: Any, says: Any
) -> None:
    labels = np.resize(np.array(values, np.uint8), (6, 6, 6))
    path, _ = image_file(tmp_path / "labels.nii.gz", labels)
    with pytest.raises(InputError, match=says) as caught:
        from_image(path, **options)
    assert "labels.nii.gz" in str(caught.value)


GOOD: dict[str, Any] = {
    "diameter_mm": 1.3,
    "layout": "1x4",
    "contact_mm": 1.5,
    "gaps_mm": 0.5,
    "tip_mm": 1.1,
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"diameter_mm": -1}, "diameter_mm of lead 'mine' must be > 0"),
        ({"diameter_mm": np.nan}, "diameter_mm"),
        ({"layout": "4 rings"}, "expected rows such as"),
        ({"layout": "1-tip"}, "expected rows such as"),
        ({"layout": "9x2"}, "1 to 8 contacts in a row"),
        ({"layout": "1x9999"}, "at most 256 rows"),
        ({"layout": "tip-1x3"}, "expected tip_contact_mm"),
        ({"tip_mm": None}, "expected tip_mm"),
        ({"contact_mm": None}, "expected contact_mm"),
        ({"gaps_mm": [1, 1, 1, 1]}, "expected 1 to 3 gaps"),
        ({"gaps_mm": []}, "expected 1 to 3 gaps"),
        ({"gaps_mm": 0.0}, "each of gaps_mm"),
        ({"gaps_mm": "x"}, "expected numbers for gaps_mm"),
        ({"layout": 3}, "expected a layout"),
        ({"marker_mm": 5}, "where it begins and ends"),
        ({"marker_mm": [7, "x"]}, "expected numbers for marker_mm"),
        ({"segment_deg": "x"}, "segment_deg"),
        ({"layout": "3x2", "segment_deg": 120}, "expected a gap between segments"),
        ({"layout": "3x2", "segment_deg": 400}, "between 0 and 360 degrees"),
    ],
)
def test_lengths_that_make_no_sense(change: Any, says: Any) -> None:
    with pytest.raises(InputError, match=says):
        custom_lead("mine", **GOOD | change)


@pytest.mark.parametrize(
    ("contacts", "says"),
    [
        ((), "one contact or more"),
        ((Contact(name="1", z=(0.0, 1e-3)),), "begins at the tip"),
        ((Contact(name="1", z=(2e-3, 1e-3)),), "to a greater height"),
        ((Contact(name="1", z=(1e-3, 2e-3)), Contact(name="1", z=(3e-3, 4e-3))), "different names"),
        ((Contact(name="1", z=(1e-3, 2e-3)), Contact(name="2", z=(2e-3, 4e-3))), "expected a gap"),
    ],
)
def test_contacts_that_make_no_sense(contacts: Any, says: Any) -> None:
    with pytest.raises(InputError, match=says):
        LeadModel(
            name="mine", maker="", diameter=1e-3, contacts=contacts, source="here", status="given"
        )


def test_names_that_are_not_there() -> None:
    with pytest.raises(InputError, match="unknown lead 'Medtronic 3398', nearest: Medtronic 33"):
        lead_model("Medtronic 3398")
    with pytest.raises(InputError, match="unknown length of a lead 'diametre_mm'"):
        lead_model("Medtronic 3389", diametre_mm=1)
    model = lead_model("Medtronic 3389")
    with pytest.raises(InputError, match=r"from 1 to 4, got 5: lead 'Medtronic 3389'"):
        model.contact(5)
    with pytest.raises(InputError, match="unknown contact '2a'"):
        model.contact("2a")
    with pytest.raises(InputError, match="from 1 to 4, got 0"):
        place_lead(model, target=[0, 0, 0], direction=[0, 0, 1], contact=0)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ({"target": [0, 0, 0]}, "an entry or a direction"),
        ({"target": [0, 0, 0], "entry": [0, 0, 1], "direction": [0, 0, 1]}, "not both"),
        ({"target": [0, 0, 0], "entry": [0, 0, 0]}, "entry away from the target"),
        ({"target": [0, 0, 0], "direction": [0, 0, 0]}, "direction up the shaft"),
        ({"target": [0, 0], "direction": [0, 0, 1]}, "three finite numbers for the target"),
        ({"target": [0, 0, np.inf], "direction": [0, 0, 1]}, "three finite numbers"),
        ({"target": [0, 0, 0], "entry": "Cz"}, "three finite numbers for the entry"),
        ({"target": [0, 0, 0], "direction": [0, 0, 1], "rotation_deg": np.nan}, "finite rotation"),
        ({"target": [0, 0, 0], "direction": [0, 0, 1], "rotation_deg": "x"}, "finite rotation"),
    ],
)
def test_places_that_make_no_sense(place: Any, says: Any) -> None:
    with pytest.raises(InputError, match=says):
        place_lead(lead_model("Medtronic 3389"), **place)


@pytest.mark.parametrize(
    ("radii", "sigmas", "says"),
    [
        ([0.08, 0.07], [1, 1], "growing radius"),
        ([0.08], [1, 1], "growing radius"),
        ([], [], "growing radius"),
        ([0.08], [-1], "conductivity"),
    ],
)
def test_spheres_that_make_no_sense(radii: Any, sigmas: Any, says: Any) -> None:
    with pytest.raises(InputError, match=says):
        nested_spheres(radii, sigmas)
