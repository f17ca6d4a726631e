"""Atlases: files, names, parcels on tetrahedra and columns; real ones where they are at hand."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.head import Head
from rheobase.meshes.heads.sphere import shell_sheet, unit_sphere
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.regions.atlases import (
    Atlas,
    join_atlases,
    read_annotation,
    read_atlas,
    read_names,
)
from rheobase.meshes.regions.region import tissue_region
from rheobase.meshes.regions.statistics import region_table
from rheobase.meshes.tissues import tissue

REAL = Path(__file__).parents[3] / "shared/data/atlases"
R = 0.06


@pytest.fixture(scope="module")
def head() -> Head:
    """A ball of 60 mm as tetrahedra on its centre, with a cortical shell of 3 mm."""
    points, faces = unit_sphere(4)
    shells = [f * R * points for f in (0.25, 0.5, 0.75, 0.95, 1.0)]
    n = len(points)
    nodes = np.concatenate([np.zeros((1, 3)), *shells])
    inner = np.concatenate([np.zeros((len(faces), 1), int), 1 + faces], axis=1)
    cells, labels = [inner], [np.full(len(inner), 1)]
    for k in range(len(shells) - 1):
        # three tetrahedra a prism, its diagonals by the order of the vertices: conforming
        a, b, c = np.sort(faces, axis=1).T + 1 + k * n
        cells += [np.stack(t, axis=1) for t in (
            (a, b, c, c + n), (a, b, b + n, c + n), (a, a + n, b + n, c + n)
        )]  # fmt: skip
        labels += [np.full(3 * len(faces), 2 if k == len(shells) - 2 else 1)]
    tets = np.concatenate(cells)
    x = nodes[tets]
    volume = np.einsum(
        "ij,ij->i", np.cross(x[:, 1] - x[:, 0], x[:, 2] - x[:, 0]), x[:, 3] - x[:, 0]
    )
    tets = np.where((volume < 0)[:, None], tets[:, [0, 2, 1, 3]], tets)
    return Head(
        name="ball",
        species="human",
        space="MNI152NLin2009aSym",
        mesh=TetMesh(
            nodes=nodes,
            tets=tets.astype(np.int32),
            labels=np.concatenate(labels).astype(np.int32),
        ),
        tissues={1: tissue("white_matter"), 2: tissue("grey_matter")},
        cortex=shell_sheet(R, 3e-3),
    )


def quarters(path: Path, kind: type = np.int16) -> Path:
    """Write an image of 2 mm with labels 1, 2, 3, 4 by the signs of x and y, 0 below z = 0."""
    x = np.arange(70) * 2.0 - 69.0
    values = np.where(x[:, None] > 0, 2, 1) + np.where(x[None, :] > 0, 2, 0)
    image: NDArray[Any] = np.repeat(values[:, :, None], 70, axis=2).astype(kind)
    image[:, :, x < 0] = 0
    matrix = np.diag([2.0, 2.0, 2.0, 1.0])
    matrix[:3, 3] = -69.0
    nib.save(nib.Nifti1Image(image, matrix), path)
    return path


NAMES = {1: "left back", 2: "right back", 3: "left front", 4: "right front", 9: "nowhere"}


def test_parcels_of_a_label_image(head: Head, tmp_path: Path) -> None:
    atlas = read_atlas(quarters(tmp_path / "quarters.nii.gz"), space="MNI", names=NAMES)
    assert atlas.name == "quarters"
    assert list(atlas.names.values()) == list(NAMES.values())[:4]
    tet, label, part = atlas.parts(head, levels=2)
    volumes = head.mesh.volumes()
    eighth = volumes.sum() / 8
    for k in range(1, 5):
        mine = label == k
        assert part[mine] @ volumes[tet[mine]] == pytest.approx(eighth, rel=0.005)
        weights = np.zeros(len(volumes))
        weights[tet[mine]] = part[mine]
        np.testing.assert_allclose(atlas.region(NAMES[k]).weights(head, levels=2), weights)
    both = atlas.region("left back", "left front")
    assert both.volume(head) == pytest.approx(2 * eighth, rel=0.005)
    grey = tissue_region("grey_matter")
    rows = region_table(atlas, head, volumes, within=grey, levels=2)
    assert [r["region"] for r in rows] == list(NAMES.values())[:4]
    exact = volumes[head.mesh.labels == 2].sum() / 8 * 1e9
    for r in rows:
        assert r["volume_mm3"] == pytest.approx(exact, rel=0.01)
    assert head.cortex is not None
    on_sheet = region_table(atlas, head, head.cortex.pial[:, 0], within=grey)
    assert on_sheet[0]["area_mm2"] == pytest.approx(head.cortex.area.sum() / 8 * 1e6, rel=0.02)
    assert float(on_sheet[0]["max"]) < 1e-3 < float(on_sheet[1]["max"])
    columns = atlas.columns(head)
    up = head.cortex.points(0.5)
    clear = (np.abs(up) > 2e-3).all(axis=1)
    exact_label = 1 + (up[:, 0] > 0) + 2 * (up[:, 1] > 0)
    np.testing.assert_array_equal(columns[clear], np.where(up[:, 2] > 0, exact_label, 0)[clear])


def test_reach_fills_the_gap(head: Head, tmp_path: Path) -> None:
    path = quarters(tmp_path / "quarters.nii")
    atlas = read_atlas(path, space="MNI", names=NAMES, reach_mm=9.0)
    _, label, part = atlas.parts(head)
    plain = read_atlas(path, space="MNI")
    assert list(plain.names.values()) == ["1", "2", "3", "4"]
    low = np.array([[0.02, 0.02, z] for z in (-0.0075, -0.0095, -0.0105)])
    assert atlas.parcels.at(low).tolist() == [4, 0, 0]
    assert plain.parcels.at(low).tolist() == [0, 0, 0]
    assert atlas.parcels.at(np.array([[0.075, 0.02, 0.03], [np.nan, 0, 0]])).tolist() == [4, 0]
    assert (part <= 1).all()
    assert set(label.tolist()) == {1, 2, 3, 4}


def test_names_from_files(tmp_path: Path) -> None:
    files = {
        "a.json": json.dumps({str(k): v for k, v in NAMES.items()}),
        "b.json": json.dumps([{"id": 77, "index": k, "name": v} for k, v in NAMES.items()]),
        "c.csv": "label,name\n" + "".join(f"{k},{v}\n" for k, v in NAMES.items()),
        "d.tsv": "index\tname\n" + "".join(f"{k}\t{v}\n" for k, v in NAMES.items()),
        "e.txt": "# No. Label Name R G B A\n"
        + "".join(f"{k} {v.replace(' ', '_')} 10 20 30 0\n" for k, v in NAMES.items()),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
        found = {k: v.replace("_", " ") for k, v in read_names(tmp_path / name).items()}
        assert found == NAMES, name
    for text in ("[1, 2]", '[{"name": "x"}]', '{"a": "x"}', "[", '[{"index": 1}]', "3"):
        (tmp_path / "bad.json").write_text(text, "utf-8")
        with pytest.raises(InputError, match=r"bad\.json"):
            read_names(tmp_path / "bad.json")


def test_images_that_are_no_atlas(tmp_path: Path) -> None:
    path = tmp_path / "x.nii.gz"
    with pytest.raises(InputError, match="unknown space 'mni'"):
        read_atlas(path, space="mni")
    with pytest.raises(InputError, match=r"x\.nii"):
        read_atlas(path, space="MNI")
    for values, match in (
        (np.full((9, 9, 9), 0.5, np.float32), "whole numbers"),
        (np.zeros((9, 9, 9), np.int16), "found no label"),
        (np.full((9, 9, 9), -3, np.int16), "from 0 to 99999, got -3"),
        (np.ones((9, 9, 9, 2), np.int16), "three axes"),
    ):
        nib.save(nib.Nifti1Image(values, np.diag([2.0, 2.0, 2.0, 1.0])), path)
        with pytest.raises(InputError, match=match):
            read_atlas(path, space="MNI")
    with pytest.raises(InputError, match="reach_mm"):
        read_atlas(path, space="MNI", reach_mm=-1.0)


def halves(path: Path, points: NDArray[np.float64], gifti: bool) -> Path:
    """Write an annotation: unknown for x < 0, front and back for the rest."""
    labels = np.where(points[:, 0] < 0, 0, np.where(points[:, 1] > 0, 1, 2)).astype(np.int32)
    names = ["unknown", "front", "back"]
    if gifti:
        gii: Any = nib.gifti
        table = gii.GiftiLabelTable()
        for k, name in enumerate(names):
            entry = gii.GiftiLabel(k, 0.1 * k, 0.5, 0.5, 1.0)
            entry.label = name
            table.labels.append(entry)
        array = gii.GiftiDataArray(labels, intent="NIFTI_INTENT_LABEL")
        nib.save(gii.GiftiImage(darrays=[array], labeltable=table), path)
    else:
        colours = np.array([[0, 0, 0, 0], [10, 20, 30, 0], [40, 50, 60, 0]])
        nib.freesurfer.io.write_annot(path, labels, colours, names, fill_ctab=True)
    return path


@pytest.mark.parametrize("gifti", [False, True])
def test_annotations_fill_their_columns(head: Head, tmp_path: Path, gifti: bool) -> None:
    assert head.cortex is not None
    sheet = head.cortex
    path = halves(tmp_path / ("x.label.gii" if gifti else "x.annot"), sheet.pial, gifti)
    atlas = read_annotation(path, (sheet.pial, sheet.white), prefix="lh-")
    assert set(atlas.names.values()) == {"lh-front", "lh-back"}
    front = atlas.region("lh-front")
    exact = (sheet.pial[:, 0] >= 0) & (sheet.pial[:, 1] > 0)
    np.testing.assert_array_equal(front.columns(head), exact)  # its own surface: vertex by vertex
    grey = tissue_region("grey_matter")
    quarter = head.mesh.volumes()[head.mesh.labels == 2].sum() / 4
    assert (front & grey).volume(head) == pytest.approx(quarter, rel=0.02)
    assert not front.contains([[0.04, 0.02, 0.0]], head).any()  # deep below the cortex
    with pytest.raises(InputError, match="found no label"):
        read_annotation(halves(path, -np.ones((5, 3)), gifti), (np.ones((5, 3)),))
    side = sheet.pial[:, 0] >= 0
    flip = np.array([-1.0, 1.0, 1.0])
    halves(path, sheet.pial[side], gifti)
    right = read_annotation(path, (sheet.pial[side], sheet.white[side]), prefix="rh-")
    left = read_annotation(path, (sheet.pial[side] * flip, sheet.white[side] * flip), prefix="lh-")
    both = join_atlases("both", left, right)
    assert sorted(both.names.values()) == ["lh-back", "lh-front", "rh-back", "rh-front"]
    behind = sheet.pial[:, 1] < -1e-3
    for name, exact in (
        ("lh-back", behind & (sheet.pial[:, 0] < -4e-3)),
        ("rh-back", behind & (sheet.pial[:, 0] > 4e-3)),
    ):
        assert both.region(name).columns(head)[exact].all()
        assert not both.region(name).columns(head)[sheet.pial[:, 1] > 4e-3].any()
    with pytest.raises(InputError, match="surfaces of"):
        read_annotation(path, (sheet.pial[:-1],))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match=r"x\."):
        read_annotation(path, (sheet.pial,))


def test_join_needs_annotations(tmp_path: Path) -> None:
    image = read_atlas(quarters(tmp_path / "q.nii"), space="MNI")
    with pytest.raises(InputError, match="two annotations"):
        join_atlases("x", image, image)
    with pytest.raises(InputError, match="unknown region '5'"):
        image.region("5")


def real(name: str, key: str, *, space: str, reach_mm: float = 0.0) -> Atlas:
    """Return one of the atlases for checks with its names."""
    if not (REAL / "atlases.json").is_file():
        pytest.skip("needs ../shared/data/atlases (third-party atlases, not part of the project)")
    tables = json.loads((REAL / "atlases.json").read_text("utf-8"))
    place = tables["mni" if space == "MNI" else "subject"]["atlases"][key]
    names = {int(r["index"]): r["name"] for r in place["rows"]}
    return read_atlas(REAL / f"{name}.nii.gz", space=space, names=names, reach_mm=reach_mm)


def sides(names: list[str], left: str, right: str) -> list[tuple[str, str]]:
    """Return the pairs of names that differ in their side alone."""
    return [(n, right + n.removeprefix(left)) for n in names if n.startswith(left)]


def covering(low: tuple[int, int, int], high: tuple[int, int, int], edge: int) -> Head:
    """Return a box (mm) of one tissue in MNI space, six tetrahedra a cell."""
    import pyvista as pv

    cells = tuple((b - a) // edge for a, b in zip(low, high, strict=True))
    grid = pv.ImageData(
        dimensions=tuple(n + 1 for n in cells), spacing=(edge,) * 3, origin=low
    ).to_tetrahedra(6)
    nodes = np.asarray(grid.points, np.float64) * 1e-3
    tets = grid.cells_dict[pv.CellType.TETRA].astype(np.int32)
    x = nodes[tets]
    sides = np.cross(x[:, 1] - x[:, 0], x[:, 2] - x[:, 0])
    turned = np.einsum("ij,ij->i", sides, x[:, 3] - x[:, 0]) < 0
    tets[turned] = tets[turned][:, [0, 2, 1, 3]]
    return Head(
        name="covering",
        species="human",
        space="MNI152NLin2009aSym",
        mesh=TetMesh(nodes=nodes, tets=tets, labels=np.full(len(tets), 2, np.int32)),
        tissues={2: tissue("grey_matter")},
    )


@pytest.mark.parametrize(
    ("key", "parcels", "box", "edge"),
    [
        ("glasser", 360, ((-75, -112, -52), (75, 78, 88)), 5),
        ("cit168", 16, ((-41, -42, -24), (43, 30, 33)), 3),
    ],
)
def test_volumes_of_real_atlases(key: str, parcels: int, box: tuple[Any, Any], edge: int) -> None:
    atlas = real(key, key, space="MNI")
    head = covering(*box, edge)
    rows = {str(r["region"]): r for r in region_table(atlas, head, head.mesh.nodes[:, 0])}
    assert len(rows) == parcels
    tables = json.loads((REAL / "atlases.json").read_text("utf-8"))
    table = tables["mni"]["atlases"][key]
    found = {name: float(row["volume_mm3"]) for name, row in rows.items()}
    assert sum(found.values()) == pytest.approx(table["volume_mm3"], rel=0.003)
    off = [found[r["name"]] / r["volume_mm3"] - 1 for r in table["rows"]]
    assert np.sqrt(np.mean(np.square(off))) < 0.04  # 1 mm voxels asked every 1.4 mm or so
    if key == "glasser":
        pairs = sides(list(rows), "L-", "R-")
        assert len(pairs) == 180
        left, right = (sum(found[p[k]] for p in pairs) for k in (0, 1))
        assert left == pytest.approx(right, rel=0.03)
        assert all(float(rows[a]["mean"]) < 0 < float(rows[b]["mean"]) for a, b in pairs)


@pytest.mark.slow
def test_regions_of_a_real_head() -> None:
    image = REAL.parent / "heads/ernie_charm.nii.gz"
    if not image.is_file():
        pytest.skip("needs ../shared/data/heads (a labelled head, not part of the project)")
    from rheobase.meshes.heads import head_from_image

    head = head_from_image(image, edge_length_mm=4.0, labels="auto")
    atlas = real("ernie_dkt", "dkt", space="head", reach_mm=2.0)
    grey = tissue_region("grey_matter")
    rows = region_table(atlas, head, head.mesh.nodes[:, 0], within=grey)
    found = {str(r["region"]): float(r["volume_mm3"]) for r in rows}
    pairs = sides(list(found), "ctx-lh-", "ctx-rh-")
    assert len(pairs) == 31
    left, right = (sum(found[p[k]] for p in pairs) for k in (0, 1))
    assert left == pytest.approx(right, rel=0.05)
    assert 350e3 < left + right < 650e3  # mm³ of cortex in an adult
    assert head.cortex is not None
    on_sheet = region_table(atlas, head, head.cortex.thickness)
    thick = {str(r["region"]): float(r["p50"]) for r in on_sheet if r["area_mm2"]}
    assert all(1.5e-3 < thick[name] < 6e-3 for pair in pairs for name in pair)
    # the best-known contrast of cortical thickness: thin primary cortex, thick temporal pole
    assert thick["ctx-lh-pericalcarine"] < thick["ctx-lh-insula"]
