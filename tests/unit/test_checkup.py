"""Sections of a mesh and the look at a whole head: what is right passes, what is wrong is named."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.meshes.checkup import check_up
from rheobase.meshes.contacts import SharedNodes
from rheobase.meshes.cortex.sheet import sheet_from_pairs
from rheobase.meshes.head import Head
from rheobase.meshes.heads import sphere
from rheobase.meshes.heads.sizes import check_size
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.section import section
from rheobase.meshes.tissues import tissue

RADII = np.array([0.06, 0.075, 0.09])


@pytest.fixture(scope="module")
def head() -> Head:
    return sphere.build(edge_length_mm=10.0, radii_mm=tuple(RADII * 1e3))


def test_section_of_spheres(head: Head) -> None:
    cut = section(head.mesh, 2, 0.02)
    disc = np.sqrt(RADII**2 - 0.02**2)
    rings = np.pi * np.diff(disc**2, prepend=0.0)
    area = cut.areas()
    for label, wanted in zip((2, 4, 5), rings, strict=True):
        assert area[cut.labels == label].sum() == pytest.approx(wanted, rel=0.02)
    length = np.linalg.norm(cut.lines[:, 0] - cut.lines[:, 1], axis=1)
    for pair, radius in zip(((2, 4), (4, 5), (0, 5)), disc, strict=True):
        of = (cut.line_labels == pair).all(axis=1)
        assert length[of].sum() == pytest.approx(2 * np.pi * radius, rel=0.02)
        # the corners lie on edges of linear triangles: inside, by at most the sagitta
        assert np.linalg.norm(cut.lines[of].reshape(-1, 2), axis=1).max() <= radius * (1 + 1e-3)
    assert area.sum() == pytest.approx(rings.sum(), rel=0.02)
    assert len(np.unique(cut.line_labels, axis=0)) == 3  # nothing else touches


def test_section_of_one_tetrahedron() -> None:
    nodes = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    mesh = TetMesh(nodes=nodes, tets=np.array([[0, 1, 2, 3]]), labels=np.array([7]))
    for at, area in ((0.25, 0.75**2 / 2), (0.75, 0.25**2 / 2), (1e-6, 0.5)):
        cut = section(mesh, 2, at)
        assert cut.areas().sum() == pytest.approx(area, abs=2e-6)
        assert cut.line_labels.tolist() == [[0, 7]] * 3
    for at in (0.0, 2.0):  # nodes on the plane count as above it
        assert not len(section(mesh, 2, at).labels)
        assert not len(section(mesh, 2, at).lines)


def test_section_through_nodes_is_whole() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(3.0)] * 3, indexing="ij"), -1).reshape(-1, 3)
    corner = np.array([i * 9 + j * 3 + k for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    paths = [(4, 6, 7), (4, 5, 7), (2, 6, 7), (2, 3, 7), (1, 5, 7), (1, 3, 7)]  # Kuhn's six
    bits = np.array([[(p & 4) // 4 * 9 + (p & 2) // 2 * 3 + (p & 1) for p in q] for q in paths])
    tets = np.concatenate([np.column_stack([np.full(6, c), c + bits]) for c in corner])
    a, b, c, d = (grid[tets[:, k]] for k in range(4))
    wrong = np.einsum("ij,ij->i", np.cross(b - a, c - a), d - a) < 0
    tets[wrong] = tets[wrong][:, [0, 2, 1, 3]]
    mesh = TetMesh(nodes=grid, tets=tets, labels=np.ones(len(tets), int))
    for axis in range(3):
        for at in (0.5, 1.0, 1.3):  # 1.0 goes through nine nodes
            assert section(mesh, axis, at).areas().sum() == pytest.approx(4.0, abs=1e-6)


def levels(head: Head) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for f in check_up(head):
        found.setdefault(f.level, set()).add(f.topic)
    return found


def test_a_good_head_passes(head: Head) -> None:
    assert "fails" not in levels(head)
    texts = " ".join(f.text for f in check_up(head))
    assert "closed from the inside out: brain, bone, cover, outside" in texts


def test_contacts_are_areas(head: Head) -> None:
    found = {c.labels: c.area for c in SharedNodes(head.mesh, outside=True).contacts()}
    assert set(found) == {(2, 4), (4, 5), (0, 5)}
    for pair, radius in zip(((2, 4), (4, 5), (0, 5)), RADII, strict=True):
        assert found[pair] == pytest.approx(4 * np.pi * radius**2, rel=0.03)


def test_all_labels_around_a_node_are_counted() -> None:
    """Eight octants around one node, each a label: more than four meet there."""
    nodes = np.concatenate([np.zeros((1, 3)), np.eye(3), -np.eye(3)])
    signs = np.array([[i, j, k] for i in (1, -1) for j in (1, -1) for k in (1, -1)])
    tets = np.column_stack([np.zeros(8, int), np.where(signs > 0, [1, 2, 3], [4, 5, 6])])
    turned = np.where(signs.prod(axis=1)[:, None] < 0, tets[:, [0, 2, 1, 3]], tets)
    mesh = TetMesh(nodes=nodes, tets=turned, labels=np.arange(1, 9, dtype=np.int32))
    inside = SharedNodes(mesh, outside=False).contacts()
    whole = SharedNodes(mesh, outside=True).contacts()
    assert {c for c in whole if c.labels[0]} == set(inside)
    assert len(inside) == 8 * 7 / 2
    for c in inside:
        n = int(np.count_nonzero(signs[c.labels[0] - 1] == signs[c.labels[1] - 1]))
        assert (c.n_nodes, c.n_faces, c.area) == (1 + n, n == 2, 0.5 * (n == 2))
    outer = [c for c in whole if not c.labels[0]]
    assert [(c.n_nodes, c.n_faces) for c in outer] == [(3, 1)] * 8
    assert sum(c.area for c in outer) == pytest.approx(4 * np.sqrt(3))


def test_a_hole_in_a_layer_is_named(head: Head) -> None:
    middle = head.mesh.centroids()
    hole = (head.mesh.labels == 4) & (middle[:, 2] > 0.06)
    labels = np.where(hole, 5, head.mesh.labels)
    holed = replace(head, mesh=replace(head.mesh, labels=labels))
    failing = [f for f in check_up(holed) if f.level == "fails"]
    assert [f.topic for f in failing] == ["layers"]
    assert "brain touches cover on" in failing[0].text
    assert "bone has holes" in failing[0].text


def test_swapped_sides_and_far_landmarks_fail(head: Head) -> None:
    mirrored = {k: p * [-1, 1, 1] for k, p in head.positions.items()}
    texts = [f.text for f in check_up(replace(head, positions=mirrored)) if f.level == "fails"]
    assert len(texts) == 1
    assert "wrong side" in texts[0]
    swapped = {**head.fiducials, "lpa": head.fiducials["rpa"], "rpa": head.fiducials["lpa"]}
    texts = [f.text for f in check_up(replace(head, fiducials=swapped)) if f.level == "fails"]
    assert "lpa and rpa are the wrong way round" in texts[0]
    away = {**head.positions, "Cz": head.positions["Cz"] * 1.5}
    texts = [f.text for f in check_up(replace(head, positions=away)) if f.level == "fails"]
    assert "Cz (45.0 mm)" in texts[0]


def test_species_units_tiny_labels_and_values(head: Head) -> None:
    rat: Any = replace(head, species="rat")
    assert "size" not in levels(rat).get("fails", set())  # 180 mm: a rat's body is as long
    mouse: Any = replace(head, species="mouse")
    assert "size" in levels(mouse)["fails"]
    big = replace(head, mesh=replace(head.mesh, nodes=head.mesh.nodes * 1e3), positions={})
    assert "size" in levels(big)["fails"]
    labels = head.mesh.labels.copy()
    labels[:3] = 9
    specks = replace(
        head,
        mesh=replace(head.mesh, labels=labels),
        tissues={**head.tissues, 9: tissue("blood"), 10: tissue("air")},
    )
    texts = [f.text for f in check_up(specks)]
    assert any("blood (label 9) has 3 tetrahedra only" in t for t in texts)
    assert any("no tetrahedron is labelled air" in t for t in texts)
    assert any("no conductivity is known of air" in t for t in texts)


def test_check_size() -> None:
    check_size([0.18, 0.22, 0.24], "human", "a.nii")
    check_size([0.012, 0.013, 0.009], "mouse", "a.nii")
    with pytest.raises(InputError, match=r"got \[180000.*are its numbers micrometres"):
        check_size([180.0, 220.0, 240.0], "human", "a.nii")
    with pytest.raises(InputError, match=r"are its numbers metres\?"):
        check_size([0.18e-3, 0.22e-3, 0.24e-3], "human", "a.nii")
    with pytest.raises(InputError, match=r"head of a mouse .* \(that of a human or macaque or rat"):
        check_size([0.18, 0.2, 0.2], "mouse", "a.nii")
    with pytest.raises(InputError, match="unknown species 'cat', nearest: rat"):
        check_size([0.1] * 3, "cat", "a.nii")
    with pytest.raises(InputError, match="expected a head between"):
        check_size([float("nan")] * 3, "human", "a.nii")


@pytest.mark.parametrize("inner", [0.02, 0.057])
def test_the_grey_matter_that_the_columns_fill(head: Head, inner: float) -> None:
    """The innermost ball is grey matter; columns go in from its surface."""
    points, triangles = sphere.unit_sphere(4)
    sheet = sheet_from_pairs(RADII[0] * points, inner * points, triangles)
    (found,) = (f for f in check_up(replace(head, cortex=sheet)) if "columns fill" in f.text)
    filled = 1 - (inner / RADII[0]) ** 3
    assert float(found.text.split()[3]) == pytest.approx(100 * filled, abs=1.5)
    assert found.level == ("ok" if filled > 0.7 else "note")
    assert ("less than 70 %" in found.text) == (filled < 0.7)


def test_layers_that_share_one_node_are_told() -> None:
    """Linear elements conduct through a single node."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0], [0, -1, 0.0]])
    nodes = np.concatenate([corners, [[-1, 0, -1], [0, -1, -1], [-1, -1, -2]]]) * 1e-2
    tets = np.array([[0, 1, 2, 3], [0, 2, 4, 3], [0, 4, 5, 3], [6, 7, 5, 8]])
    for names, shared in (
        (("grey_matter", "csf", "skull", "scalp"), True),  # brain and skull meet in an edge
        (("grey_matter", "skull", "skull", "scalp"), False),
    ):
        tissues = {tissue(n).label: tissue(n) for n in names}
        labels = np.array([tissue(n).label for n in names])
        flat = np.linalg.det(nodes[tets[:, 1:]] - nodes[tets[:, :1]]) < 0
        turned = np.where(flat[:, None], tets[:, [0, 2, 1, 3]], tets)
        mesh = TetMesh(nodes=nodes, tets=turned, labels=labels)
        one = Head(name="x", species="human", space="scanner", mesh=mesh, tissues=tissues)
        told = [f.text for f in check_up(one) if f.topic == "layers"]
        assert any("brain and bone share 2 nodes" in t for t in told) == shared
