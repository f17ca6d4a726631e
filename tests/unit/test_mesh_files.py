"""Heads from ready meshes: Gmsh files, other formats, SimNIBS folders."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._files import content_key
from rheobase.meshes.files.caps import read_cap
from rheobase.meshes.files.msh import Msh, write_msh
from rheobase.meshes.heads.from_m2m import head_from_m2m
from rheobase.meshes.heads.from_mesh import chosen_tags, head_from_mesh
from rheobase.meshes.heads.from_msh import head_from_msh
from rheobase.meshes.heads.m2m import is_m2m
from rheobase.meshes.heads.tagged import repaired

SAMPLES = Path(__file__).parents[3] / "shared/data/simnibs"
RADII = (0.0, 40.0, 60.0, 68.0, 74.0, 80.0)  # mm
TAGS = (1, 2, 3, 4, 5)
ENDS = {"nasion": (0, 80, 0), "inion": (0, -80, 0), "lpa": (-80, 0, 0), "rpa": (80, 0, 0)}


def shell(radius: float, n: int) -> NDArray[np.float64]:
    """Points spread evenly over a sphere (a Fibonacci spiral), its poles and ends among them."""
    k = np.arange(n) + 0.5
    z, turn = 1 - 2 * k / n, np.pi * (1 + 5**0.5) * k
    around = np.sqrt(1 - z**2)
    spread = np.stack([around * np.cos(turn), around * np.sin(turn), z], axis=1)
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    far = (spread @ axes.T).max(axis=1) < np.cos(0.15)
    return radius * np.concatenate([axes, spread[far]])


def ball() -> Msh:
    """A ball of five tissues; Delaunay leaves many of its tetrahedra inside out."""
    from scipy.spatial import Delaunay

    rng = np.random.default_rng(0)
    shells = [shell(r, 250) for r in RADII[1:]]
    nodes = np.concatenate([rng.normal(size=(40, 3)) * 12, *shells])
    tets = Delaunay(nodes).simplices.astype(np.int32)
    corners = nodes[tets]
    volume = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1]))
    tets = tets[volume > 1e-6]
    radius = np.linalg.norm(nodes[tets].mean(axis=1), axis=1)
    outer = np.linalg.norm(nodes[tets], axis=2).max(axis=1)
    tags = np.searchsorted(RADII[1:], np.minimum(radius, outer - 1e-6)).clip(0, 4) + 1
    return Msh(
        nodes_mm=nodes,
        triangles=np.array([[0, 1, 2]], np.int32),
        triangle_tags=np.array([1005], np.int32),
        tets=tets,
        tet_tags=tags.astype(np.int32),
        tet_data={"magnE": radius},
    )


@pytest.fixture(scope="module")
def mesh() -> Msh:
    return ball()


@pytest.mark.parametrize(("version", "binary"), [("2.2", True), ("4.1", False)])
def test_head_from_msh(tmp_path: Path, mesh: Msh, version: Any, binary: bool) -> None:
    write_msh(tmp_path / "ball.msh", mesh, version=version, binary=binary)
    head = head_from_msh(tmp_path / "ball.msh", fiducials_mm=ENDS)
    assert head.name == "ball"
    assert [t.name for t in head.tissues.values()][:2] == ["white_matter", "grey_matter"]
    volume = sum(head.mesh.tissue_volumes().values())
    assert volume == pytest.approx(4 / 3 * np.pi * 0.08**3, rel=0.06)
    assert head.provenance["surfaces (triangles)"] == {"1005": 1}
    assert head.provenance["fields"] == ["magnE"]
    assert any("turned right side out" in n for n in head.provenance["notes"])
    np.testing.assert_allclose(head.position("Cz"), [0, 0, 0.08], atol=2e-3)


def test_names_of_groups_name_the_tissues(tmp_path: Path, mesh: Msh) -> None:
    names = dict(enumerate(("Scalp", "skull", "CSF", "Gray-Matter", "WM"), start=1))
    named = dataclasses.replace(mesh, names={(3, k): v for k, v in names.items()})
    write_msh(tmp_path / "a.msh", named, version="4.1")
    head = head_from_msh(tmp_path / "a.msh")
    inner = head.mesh.labels[np.linalg.norm(head.mesh.centroids(), axis=1).argmin()]
    assert head.tissues[int(inner)].name == "scalp"
    assert head_from_msh(tmp_path / "a.msh", labels="simnibs").tissues[int(inner)].name == "scalp"
    with pytest.raises(InputError, match=r"3 \(\d+ tetrahedra\)"):
        head_from_msh(tmp_path / "a.msh", labels={1: "scalp", 2: "skull"})


def test_electrodes(tmp_path: Path, mesh: Msh) -> None:
    tags = mesh.tet_tags.copy()
    top = mesh.nodes_mm[mesh.tets].mean(axis=1)
    tags[(tags == 5) & (top[:, 2] > 70)] = 101
    tags[(tags == 5) & (top[:, 2] < -70)] = 502
    path = tmp_path / "a.msh"
    write_msh(path, dataclasses.replace(mesh, tet_tags=tags))
    head = head_from_msh(path)
    assert {t.name for t in head.tissues.values()} > {"electrode_rubber", "saline_gel"}
    placed = head.provenance["electrodes"]
    assert placed["101"]["centre (mm)"][2] > 70 > placed["502"]["centre (mm)"][2]
    bare = head_from_msh(path, electrodes="drop")
    assert max(bare.tissues) == 5
    kept = np.count_nonzero(tags < 100)
    assert len(bare.mesh.tets) == kept < len(head.mesh.tets)
    with pytest.raises(InputError, match="nearest: drop"):
        head_from_msh(path, electrodes="dropp")  # type: ignore[arg-type]


def test_other_volumes_are_refused(tmp_path: Path, mesh: Msh) -> None:
    write_msh(tmp_path / "a.msh", mesh, binary=False)
    text = (tmp_path / "a.msh").read_text()
    n = len(mesh.tets) + 1
    text = text.replace(f"$Elements\n{n}\n", f"$Elements\n{n + 1}\n{n + 9} 6 2 1 1 1 2 3 4 5 6\n")
    (tmp_path / "a.msh").write_text(text)
    with pytest.raises(InputError, match="1 x prism"):
        head_from_msh(tmp_path / "a.msh")


def test_metres_taken_for_millimetres(tmp_path: Path, mesh: Msh) -> None:
    for factor, hint in ((1e-3, "metres"), (1e3, "micrometres")):
        wrong = dataclasses.replace(mesh, nodes_mm=mesh.nodes_mm * factor)
        write_msh(tmp_path / "a.msh", wrong)
        with pytest.raises(InputError, match=rf"are its numbers {hint}"):
            head_from_msh(tmp_path / "a.msh")


def square() -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32]]:
    nodes = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1.0]]) * 0.05
    return nodes, np.array([[0, 1, 2, 3], [1, 2, 3, 4]], np.int32), np.array([1, 2], np.int32)


def test_repair_of_meshes() -> None:
    nodes, tets, labels = square()
    notes: list[str] = []
    # the second region has nodes of its own at the same places, one tetrahedron comes twice, one
    # has a corner twice
    doubled = np.concatenate([nodes, nodes])
    wrong = np.concatenate([tets[:1], tets[1:] + 5, tets[1:], [[0, 1, 1, 2]]]).astype(np.int32)
    mesh = repaired(doubled, wrong, np.array([1, 2, 2, 2], np.int32), "human", "x", notes)
    assert len(mesh.nodes) == 5
    assert len(mesh.tets) == 2
    assert len(mesh.boundary()) == 6  # the two share a face: no crack
    assert len(notes) == 3
    with pytest.raises(InputError, match="come twice with different"):
        repaired(nodes, tets[[0, 0]], labels, "human", "x", [])
    flat = nodes.copy()
    flat[3] = [0.01, 0.02, 0.0]
    with pytest.raises(InputError, match=r"1 have none, the first at \(15\.0, 17\.5, 0\.0\) mm"):
        repaired(flat, tets, labels, "human", "x", [])


def write_foreign(path: Path, mesh: Msh, name: str = "medit:ref", **cells: Any) -> Path:
    import meshio

    data = {name: [mesh.triangle_tags, mesh.tet_tags]} if name else {}
    blocks = [("triangle", mesh.triangles), ("tetra", mesh.tets)]
    meshio.Mesh(mesh.nodes_mm, blocks, cell_data=data, **cells).write(path)
    return path


@pytest.mark.parametrize("ending", ["mesh", "xdmf"])
def test_head_from_other_formats(tmp_path: Path, mesh: Msh, ending: str) -> None:
    write_msh(tmp_path / "ball.msh", mesh)
    path = write_foreign(tmp_path / f"ball.{ending}", mesh)
    head, same = head_from_mesh(path), head_from_mesh(tmp_path / "ball.msh")
    assert head.provenance["tags"] == "medit:ref"
    np.testing.assert_array_equal(head.mesh.tets, same.mesh.tets)
    np.testing.assert_array_equal(head.mesh.labels, same.mesh.labels)
    np.testing.assert_allclose(head.mesh.nodes, same.mesh.nodes, rtol=1e-7)


def test_choice_of_the_tags(tmp_path: Path, mesh: Msh) -> None:
    import pyvista as pv

    grid = pv.UnstructuredGrid({10: mesh.tets}, mesh.nodes_mm * 1e-3)
    grid.cell_data["part"] = mesh.tet_tags.astype(float)
    grid.cell_data["magnE"] = mesh.tet_data["magnE"]
    path = tmp_path / "a.vtu"
    grid.save(path)
    head = head_from_mesh(path, unit="m")
    assert head.provenance["tags"] == "part"  # the only one of whole numbers
    assert head.provenance["inputs"] == {str(path): content_key(path)}
    with pytest.raises(InputError, match="are its numbers metres"):
        head_from_mesh(path)
    grid.field_data["length unit"] = ["m"]
    grid.save(path)
    np.testing.assert_array_equal(head_from_mesh(path).mesh.nodes, head.mesh.nodes)
    grid.field_data["length unit"] = ["inch"]
    grid.save(path)
    with pytest.raises(InputError, match=r"unknown unit 'inch'.*'length unit' in .*a\.vtu"):
        head_from_mesh(path)
    np.testing.assert_array_equal(head_from_mesh(path, unit="m").mesh.nodes, head.mesh.nodes)
    found: dict[str, NDArray[Any]] = {"part": mesh.tet_tags, "number": np.arange(len(mesh.tets))}
    with pytest.raises(InputError, match=r"got number, part; name one with tags="):
        chosen_tags(found, None, path)
    with pytest.raises(InputError, match="nearest: part"):
        chosen_tags(found, "parts", path)
    assert chosen_tags({**found, "Material": found["part"]}, None, path) == "Material"


def test_named_sets_of_abaqus(tmp_path: Path, mesh: Msh) -> None:
    names = ("WM", "GM", "CSF", "skull", "scalp")
    sets = {
        name: [np.empty(0, int), np.flatnonzero(mesh.tet_tags == k)]
        for k, name in enumerate(names, start=1)
    }
    path = write_foreign(tmp_path / "a.inp", mesh, name="", cell_sets=sets)
    head = head_from_mesh(path)
    assert [t.name for t in head.tissues.values()] == [
        "white_matter",
        "grey_matter",
        "csf",
        "skull",
        "scalp",
    ]


def test_meshes_that_are_none(tmp_path: Path, mesh: Msh) -> None:
    import pyvista as pv

    cases = {"none.vtu": "found none", "a.stl": "expected a mesh file"}
    whole = write_foreign(tmp_path / "a.mesh", mesh).read_bytes()
    (tmp_path / "lie.mesh").write_bytes(whole.replace(b"Vertices\n", b"Vertices\n9999"))
    cases["lie.mesh"] = "cannot read"
    pv.ImageData(dimensions=(3, 3, 3)).cast_to_unstructured_grid().save(tmp_path / "boxes.vtu")
    cases["boxes.vtu"] = "8 x voxel"
    text = (tmp_path / "boxes.vtu").read_bytes()
    (tmp_path / "lie.vtu").write_bytes(text.replace(b'NumberOfCells="', b'NumberOfCells="99999999'))
    cases["lie.vtu"] = r"cannot read .*SIG"
    for name, message in cases.items():
        with pytest.raises(InputError, match=message):
            head_from_mesh(tmp_path / name)
    with pytest.raises(InputError, match="array of whole numbers"):
        chosen_tags({}, None, tmp_path)


def write_gifti(path: Path, points: NDArray[np.float64], triangles: NDArray[np.int32]) -> None:
    import nibabel as nib

    gifti: Any = nib.gifti
    arrays = [
        gifti.GiftiDataArray(points.astype(np.float32), intent="NIFTI_INTENT_POINTSET"),
        gifti.GiftiDataArray(triangles.astype(np.int32), intent="NIFTI_INTENT_TRIANGLE"),
    ]
    nib.save(gifti.GiftiImage(darrays=arrays), path)


@pytest.fixture
def m2m(tmp_path: Path, mesh: Msh) -> Path:
    """A folder as charm leaves it: mesh, label image, positions, surfaces, warps."""
    import nibabel as nib
    from scipy.spatial import ConvexHull

    folder = tmp_path / "m2m_anna"
    for name in ("eeg_positions", "toMNI", "surfaces", "label_prep"):
        (folder / name).mkdir(parents=True)
    tags = mesh.tet_tags.copy()
    tags[tags == 4] = 21  # a tissue of its own, that only the table in the folder names
    write_msh(folder / "anna.msh", dataclasses.replace(mesh, tet_tags=tags))
    x = np.arange(-84, 85, 4.0)
    r = np.sqrt(x[:, None, None] ** 2 + x[None, :, None] ** 2 + x[None, None, :] ** 2)
    image = np.select([r < b for b in RADII[1:]], [1, 2, 3, 21, 5], 0).astype(np.uint16)
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = x[0]
    nib.save(nib.nifti1.Nifti1Image(image, affine), folder / "final_tissues.nii.gz")
    (folder / "final_tissues_LUT.txt").write_text(
        "#No.\tLabel Name:\tR G B A\n1\tWM\t230 230 230 255\n21\tSkull\t0 0 0 255\n"
    )
    (folder / "eeg_positions/Fiducials.csv").write_text(
        "Fiducial,0,80,0,Nz\nFiducial,0,-80,0,Iz\nFiducial,-80,0,0,LPA\nFiducial,80,0,0,RPA\n"
    )
    (folder / "eeg_positions/EEG10-10_UI_Jurak_2007.csv").write_text(
        "Electrode,0,0,81.5,Cz\nReferenceElectrode,-56,0,56,C3\nCoilPos,0,0,90,0,0,1,0,1,0,x\n"
    )
    (folder / "eeg_positions/own.csv").write_text("Electrode,0,0,80,one\n")
    grid = np.stack(np.meshgrid(x, x, x, indexing="ij"), axis=-1)
    warp = nib.nifti1.Nifti1Image((grid * 1.1 + [1.0, 2, 3]).astype(np.float32), affine)
    nib.save(warp, folder / "toMNI/Conform2MNI_nonl.nii.gz")
    unit = shell(1.0, 200)
    triangles = ConvexHull(unit).simplices.astype(np.int32)
    corners = unit[triangles]
    inward = np.einsum("ij,ij->i", np.cross(corners[:, 0], corners[:, 1]), corners[:, 2]) < 0
    triangles[inward] = triangles[inward][:, ::-1]
    for side, shift in (("lh", -20.0), ("rh", 20.0)):
        centre = np.array([shift, 0, 0])
        write_gifti(folder / f"surfaces/{side}.pial.gii", unit * 18 + centre, triangles)
        write_gifti(folder / f"surfaces/{side}.central.gii", unit * 17 + centre, triangles)
    return folder


def test_head_from_m2m(m2m: Path) -> None:
    assert is_m2m(m2m)
    assert not is_m2m(m2m / "surfaces")
    head = head_from_m2m(m2m)
    assert head.name == "anna"
    assert [t.name for t in head.tissues.values()] == [
        "white_matter",
        "grey_matter",
        "csf",
        "skull",
        "scalp",
    ]
    np.testing.assert_allclose(head.fiducials["rpa"], [0.08, 0, 0], atol=1e-12)
    assert set(head.positions) == {"Cz", "C3"}
    np.testing.assert_allclose(head.position("Cz"), [0, 0, 0.08], atol=1e-9)
    assert head.cortex is not None
    np.testing.assert_allclose(head.cortex.thickness, 0.002, rtol=1e-4)
    np.testing.assert_allclose(head.to_mni([[0.01, 0, 0]]), [[0.012, 0.002, 0.003]], atol=1e-6)
    np.testing.assert_allclose(head.from_mni([[0.012, 0.002, 0.003]]), [[0.01, 0, 0]], atol=1e-6)
    assert "surfaces/lh.central.gii" in head.provenance["files"]
    notes = head.provenance["notes"]
    assert any("moved to the scalp" in n for n in notes)
    assert "labels by SimNIBS's numbers; by the table in the folder 21 skull" in notes
    assert set(head_from_m2m(m2m, cap="own").positions) == {"one"}


def test_m2m_meshed_anew(m2m: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path / "cache"))
    (m2m / "anna.msh").unlink()
    with pytest.raises(InputError, match=r"anna\.msh, found none.*remesh_mm"):
        head_from_m2m(m2m)
    head = head_from_m2m(m2m, remesh_mm=8.0)
    assert {t.name for t in head.tissues.values()} == {
        "white_matter",
        "grey_matter",
        "csf",
        "skull",
        "scalp",
    }
    assert sum(head.mesh.tissue_volumes().values()) == pytest.approx(
        4 / 3 * np.pi * 0.08**3, rel=0.03
    )
    assert head.cortex is not None
    np.testing.assert_allclose(head.cortex.thickness, 0.002, rtol=1e-4)
    assert set(head.positions) == {"Cz", "C3"}
    assert list((tmp_path / "cache/heads").glob("anna-*.h5"))


def test_m2m_of_simnibs_3(m2m: Path) -> None:
    shutil.move(m2m / "anna.msh", m2m.parent / "anna.msh")
    for name in ("surfaces", "toMNI", "eeg_positions"):
        shutil.rmtree(m2m / name)
    head = head_from_m2m(m2m)
    assert head.cortex is None
    assert head.mni is None
    assert not head.positions


def test_m2m_that_is_wrong(m2m: Path) -> None:
    with pytest.raises(InputError, match="nearest: own"):
        head_from_m2m(m2m, cap="owm")
    with pytest.raises(InputError, match="remesh_mm must be > 0"):
        head_from_m2m(m2m, remesh_mm=-1.0)
    own = m2m / "eeg_positions/own.csv"
    own.write_text("Electrode,0,0,140,one\n")
    with pytest.raises(InputError, match=r"one lies 60 mm off it.*own\.csv"):
        head_from_m2m(m2m, cap="own")
    for text in ("Electrode,0,zero,80,one\n", "Electrode,0,nan,80,one\n", "Electrode,0,1\n"):
        own.write_text(text)
        with pytest.raises(InputError, match=r"line 1: .*own\.csv"):
            read_cap(own)
    own.write_text("Electrode,0,0,80,one\nElectrode,0,0,80,one\n")
    with pytest.raises(InputError, match=r"'one' comes twice, line 2"):
        read_cap(own)
    with pytest.raises(InputError, match="found none"):
        head_from_m2m(m2m.parent / "m2m_nobody")
    (m2m.parent / "m2m_empty").mkdir()
    with pytest.raises(InputError, match=r"expected empty\.msh, final_tissues"):
        head_from_m2m(m2m.parent / "m2m_empty")


def test_surfaces_of_another_space(m2m: Path) -> None:
    import nibabel as nib

    for path in (m2m / "surfaces").glob("rh.*.gii"):
        image: Any = nib.load(path)
        image.darrays[0].data[:, 0] += 45.0
        nib.save(image, path)
    with pytest.raises(InputError, match=r"they reach \d+ mm beyond it .*anna/surfaces"):
        head_from_m2m(m2m)


def test_landmarks_of_simnibs() -> None:
    if not (SAMPLES / "Fiducials.csv").is_file():
        pytest.skip("no SimNIBS caps beside the repository")
    assert set(read_cap(SAMPLES / "Fiducials.csv").fiducials) == {"nasion", "inion", "lpa", "rpa"}
    assert len(read_cap(SAMPLES / "EEG10-10_UI_Jurak_2007.csv").electrodes) > 70
