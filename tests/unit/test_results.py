"""Results in files: what is written is what is read, and numbers that are known exactly."""

import csv
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._files import whole_file
from rheobase.fields.basis import FieldBasis, make_basis
from rheobase.fields.focality import focality, tissue_focality
from rheobase.fields.interference import Carriers, envelope_max
from rheobase.fields.recovery import split_nodes
from rheobase.fields.report import SourceReport
from rheobase.fields.results.compare import compare_fields
from rheobase.fields.results.msh import read_simnibs_results, write_results_msh
from rheobase.fields.results.nifti import (
    Grid,
    head_grid,
    image_grid,
    locate_voxels,
    mni_grid,
    write_nifti,
)
from rheobase.fields.results.table import field_table
from rheobase.fields.results.vtk import write_vtu
from rheobase.fields.results.write import write_fields, write_results
from rheobase.meshes.files.msh import Msh, write_msh
from rheobase.meshes.head import Head
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.regions.atlases import read_atlas
from rheobase.meshes.regions.region import ball
from rheobase.meshes.spaces import Affine, Registration
from rheobase.meshes.tissues import tissue

Floats = NDArray[np.float64]
SLOPE = np.array([[3.0, -2.0, 5.0], [1.0, 4.0, 0.5], [-6.0, 2.0, 1.0]])  # V/m per m
MEAN = np.array([0.3, 0.2, -0.5])
MNI = np.eye(4)  # head to MNI: 1.1 times as large, moved
MNI[:3, :3], MNI[:3, 3] = np.diag([1.1, 1.1, 1.1]), [0.002, -0.01, 0.005]


@pytest.fixture(scope="module")
def head() -> Head:
    return Head(
        name="test sphere",
        species="human",
        space="scanner",
        mesh=mesh_spheres((0.05, 0.06), (2, 5), 0.01),
        tissues={2: tissue("grey_matter"), 5: tissue("scalp")},
        mni=Registration(to_mni=Affine(matrix=MNI)),
    )


@pytest.fixture(scope="module")
def basis(head: Head) -> FieldBasis:
    """Two linear fields, the second twice as large within the scalp."""
    split = split_nodes(head.mesh)
    x = head.mesh.nodes[split.node]
    E = np.stack([MEAN + x @ SLOPE.T, np.where(split.label == 5, 2.0, 1.0)[:, None] * x])
    V = np.stack([head.mesh.nodes[:, 0], head.mesh.nodes[:, 1]])
    report = SourceReport(power=1.0, energy_balance=0.0, iterations=1, residual=0.0)
    return make_basis(
        head.mesh,
        split,
        names=("a", "b"),
        unit="A",
        E=E,
        potential=V,
        report=(report,) * 2,
        anisotropic=(),
    )


def linear(x: Floats) -> Floats:
    return np.asarray(MEAN + x @ SLOPE.T)


def test_msh_gives_back_what_was_written(head: Head, basis: FieldBasis, tmp_path: Path) -> None:
    write_results_msh(
        tmp_path / "a.msh", basis, {"E": basis.E[0]}, head, potential=basis.potential[0]
    )
    back = read_simnibs_results(tmp_path / "a.msh")
    assert np.abs(back.nodes - head.mesh.nodes).max() < 1e-16
    assert np.array_equal(back.tets, head.mesh.tets)
    assert np.array_equal(back.tags, head.mesh.labels)
    assert np.array_equal(back.node_data["v"], basis.potential[0])
    centroids = linear(head.mesh.centroids())
    assert np.allclose(back.tet_data["E"], centroids, rtol=1e-12)
    assert np.allclose(back.tet_data["magnE"], np.linalg.norm(centroids, axis=1), rtol=1e-12)


def test_comparison_on_the_same_mesh_and_on_another(
    head: Head, basis: FieldBasis, tmp_path: Path
) -> None:
    write_results_msh(tmp_path / "a.msh", basis, {"E": 1.1 * basis.E[0]}, head)
    theirs = read_simnibs_results(tmp_path / "a.msh")
    for row in compare_fields(basis, basis.E[0], theirs, head):
        assert row["compared"] == 1.0
        assert row["RDM"] == pytest.approx(0.0, abs=1e-12)
        assert row["lnMAG"] == pytest.approx(np.log(1 / 1.1))
        assert row["difference"] == pytest.approx(0.1 / 1.1)
    other = mesh_spheres((0.05, 0.06), (2, 5), 0.013)
    mesh = Msh(
        nodes_mm=other.nodes * 1e3,
        triangles=np.empty((0, 3), np.int32),
        triangle_tags=np.empty(0, np.int32),
        tets=other.tets,
        tet_tags=other.labels,
        tet_data={"normE": np.linalg.norm(linear(other.centroids()), axis=1)[:, None]},
    )
    write_msh(tmp_path / "b.msh", mesh)
    theirs = read_simnibs_results(tmp_path / "b.msh")
    strength = np.linalg.norm(basis.E[0], axis=1)
    rows = compare_fields(basis, strength, theirs, head, name="magnE")
    assert [r["tissue"] for r in rows] == ["grey_matter", "scalp", "all"]
    for row in rows:  # of the linear interpolant of a length, 10 mm apart
        assert 0.8 < float(row["compared"]) <= 1.0
        assert float(row["difference"]) < 2e-3
    with pytest.raises(InputError, match="unknown field 'J'"):
        compare_fields(basis, strength, theirs, head, name="J")
    with pytest.raises(InputError, match="components as ours"):
        compare_fields(basis, basis.E[0], theirs, head, name="magnE")


@pytest.mark.parametrize("ending", [".vtu", ".vtkhdf"])
def test_vtk_gives_back_what_was_written(
    head: Head, basis: FieldBasis, tmp_path: Path, ending: str
) -> None:
    import pyvista as pv

    write_vtu(tmp_path / f"a{ending}", basis, {"E": basis.E[1]})
    back = pv.read(tmp_path / f"a{ending}")
    assert np.array_equal(back.points, basis.split_position)
    assert np.array_equal(back.cells.reshape(-1, 5)[:, 1:], basis.split_of_tet)
    assert np.array_equal(back.point_data["E"], basis.E[1].astype(np.float32))
    assert np.array_equal(back.cell_data["label"], head.mesh.labels)


def test_files_of_vtk_beside_other_work_are_whole_or_absent(
    head: Head, basis: FieldBasis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, Path] = {}

    def into(folder: Path) -> Any:
        def door(extension: str, **_: str) -> Any:
            made[folder.name] = folder / f"field{extension}"
            return whole_file(made[folder.name])

        return door

    E = {"E": basis.E[0]}
    how: dict[str, Any] = {"formats": ("vtu",)}
    with ExitStack() as later:
        write_fields(basis, E, head, into(tmp_path / "late"), **how, later=later)
        assert not made["late"].exists(), "it has its name when the stack is closed"
    write_fields(basis, E, head, into(tmp_path / "now"), **how)
    assert made["late"].read_bytes() == made["now"].read_bytes()

    def full(*_: Any) -> None:
        raise InputError("the disk is full")

    monkeypatch.setattr("rheobase.fields.results.write.write_vtu", full)
    with pytest.raises(InputError, match="the disk is full"), ExitStack() as later:
        write_fields(basis, E, head, into(tmp_path / "bad"), **how, later=later)
    assert not list((tmp_path / "bad").iterdir())


def test_nifti_holds_a_linear_field_exactly(head: Head, basis: FieldBasis, tmp_path: Path) -> None:
    turn = np.array([[0.0, -1, 0, 0.07], [0.8, 0, 0.6, -0.06], [-0.6, 0, 0.8, -0.02], [0, 0, 0, 1]])
    grid = Grid(shape=(23, 31, 27), affine=turn @ np.diag([5e-3, 4e-3, 4.5e-3, 1]))
    voxels = locate_voxels(basis, head, grid)
    write_nifti(tmp_path / "e.nii.gz", basis, basis.E[0], voxels, outside=np.nan)
    image = nib.Nifti1Image.from_filename(tmp_path / "e.nii.gz")
    assert np.allclose(image.affine[:3], 1e3 * grid.affine[:3], rtol=1e-6)
    back = image_grid(tmp_path / "e.nii.gz")
    assert back.shape == grid.shape
    assert np.allclose(back.affine, grid.affine, atol=1e-8)
    values = np.asanyarray(image.dataobj).reshape(-1, 3)
    x = grid.points(0, len(values))
    inside = np.isfinite(values).all(axis=1)
    assert np.abs(values - linear(x))[inside].max() < 1e-6
    away = np.linalg.norm(x, axis=1)
    assert inside[away < 0.057].all()
    assert not inside[away > 0.06].any()
    # the jump of the second field lies between the tissues
    write_nifti(tmp_path / "m.nii", basis, np.linalg.norm(basis.E[1], axis=1), voxels)
    size = np.asanyarray(nib.Nifti1Image.from_filename(tmp_path / "m.nii").dataobj).ravel()
    label = basis.mesh.labels[voxels.tet]
    ratio = size[voxels.index] / away[voxels.index]
    assert 0.97 < ratio[label == 2].min() < 1.06
    assert 1.98 < ratio[label == 5].min() < 2.06
    assert (size[away > 0.06] == 0).all()


def test_nifti_in_mni_space(head: Head, basis: FieldBasis, tmp_path: Path) -> None:
    grid = Grid(shape=(30, 30, 30), affine=np.diag([5e-3, 5e-3, 5e-3, 1]) @ shifted(-14.0))
    voxels = locate_voxels(basis, head, grid, space="MNI")
    write_nifti(tmp_path / "x.nii.gz", basis, basis.E[0][:, 0], voxels)
    image = nib.Nifti1Image.from_filename(tmp_path / "x.nii.gz")
    assert image.header["sform_code"] == 4
    x = (grid.points(0, 27000)[voxels.index] - MNI[:3, 3]) / 1.1
    values = np.asanyarray(image.dataobj).ravel()[voxels.index]
    assert np.abs(values - linear(x)[:, 0]).max() < 1e-6
    assert len(x) * 0.005**3 == pytest.approx(1.1**3 * basis.mesh.volumes().sum(), rel=0.02)
    assert mni_grid().points(0, 1)[0] == pytest.approx([-0.098, -0.134, -0.072], rel=1e-12)
    with pytest.raises(InputError, match="without direction"):
        write_nifti(tmp_path / "e.nii.gz", basis, basis.E[0], voxels)
    with pytest.raises(InputError, match=r"ending in \.nii"):
        write_nifti(tmp_path / "e.img", basis, basis.E[0], voxels)
    far = Grid(shape=(2, 2, 2), affine=shifted(5.0))
    with pytest.raises(InputError, match="found none"):
        locate_voxels(basis, head, far)


def shifted(offset: float) -> Floats:
    affine = np.eye(4)
    affine[:3, 3] = offset
    return affine


def test_grid_of_a_head(head: Head, tmp_path: Path) -> None:
    grid = head_grid(head, 4.0)
    low, high = grid.points(0, 1)[0], grid.points(0, int(np.prod(grid.shape)))[-1]
    assert (low <= head.mesh.nodes.min(axis=0)).all()
    assert (high >= head.mesh.nodes.max(axis=0)).all()
    for voxel_mm in (0.0, np.nan, 1e4):
        with pytest.raises(InputError, match="voxels between"):
            head_grid(head, voxel_mm)
    with pytest.raises(InputError, match="voxels on three axes"):
        Grid(shape=(10000, 10000, 10000), affine=np.eye(4))
    with pytest.raises(InputError, match="invertible"):
        Grid(shape=(2, 2, 2), affine=np.zeros((4, 4)))
    (tmp_path / "no.nii").write_bytes(b"nothing")
    with pytest.raises(InputError, match="expected an image"):
        image_grid(tmp_path / "no.nii")


def test_focality_of_known_numbers(head: Head, basis: FieldBasis) -> None:
    f = focality([1.0, 0.6, 0.2], [1e-6, 2e-6, 7e-6], target=[1.0, 0.5, 0.0], percentile=100)
    assert f.reference == 1.0
    assert f.above == pytest.approx({0.5: 3e-6, 0.75: 1e-6})
    assert f.radius[0.5] == pytest.approx((9e-6 / (4 * np.pi)) ** (1 / 3))
    assert f.target is not None
    assert f.target.mean == pytest.approx((1.0 + 0.6) / 2)
    assert f.target.mean_elsewhere == pytest.approx((0.6 + 7 * 0.2) / 8)
    assert f.target.ratio == pytest.approx(0.8 / 0.25)
    assert f.target.share == pytest.approx({0.5: 2 / 3, 0.75: 1.0})
    # |x| within the inner ball: at or above half of its largest value in 7/8 of it
    strength = np.linalg.norm(basis.E[1], axis=1)
    g = tissue_focality(
        basis, strength, head, target=ball((0, 0, 0), 0.025), percentile=100, fractions=(0.5,)
    )
    assert g.above[0.5] / g.volume == pytest.approx(7 / 8, abs=0.03)
    assert g.target is not None
    assert g.target.mean == pytest.approx(0.75 * 0.025, rel=0.1)
    assert g.target.mean_elsewhere > g.target.mean
    for kwargs, match in (
        ({"values": [1.0], "weights": [0.0]}, "some above 0"),
        ({"values": [-1.0], "weights": [1.0]}, "values >= 0"),
        ({"values": [1.0], "weights": [1.0], "percentile": 0.0}, "percentile"),
        ({"values": [1.0], "weights": [1.0], "target": [1.0]}, "part of the tissue"),
    ):
        with pytest.raises(InputError, match=match):
            focality(**kwargs)


def test_table_of_tissues_and_regions(head: Head, basis: FieldBasis) -> None:
    strength = 0.15 + basis.E[1][:, 0]  # 0.15 + x in the brain, 0.15 + 2 x in the scalp
    right = ball((0.03, 0, 0), 0.015, name="right")
    rows = {str(r["region"]): r for r in field_table(basis, strength, head, regions=[right])}
    assert [r["kind"] for r in rows.values()] == ["tissue", "tissue", "region"]
    brain, spot = rows["grey_matter"], rows["right"]
    assert float(brain["volume_mm3"]) == pytest.approx(4 / 3 * np.pi * 50**3, rel=0.02)
    volume = head.mesh.volumes() * (head.mesh.labels == 2)
    mean = 0.15 + float(volume @ head.mesh.centroids()[:, 0] / volume.sum())
    assert float(brain["mean"]) == pytest.approx(mean, rel=1e-12)
    assert float(brain["p50"]) == pytest.approx(0.15, rel=0.02)
    assert float(brain["max"]) == pytest.approx(0.15 + float(brain["peak_x_mm"]) / 1e3)
    assert float(rows["scalp"]["max"]) == pytest.approx(0.27, rel=1e-3)
    assert float(brain["share_above_50pct"]) == 1.0
    assert "share_above_50pct" not in rows["scalp"]
    inside = float(spot["volume_mm3_above_75pct"]) / float(brain["volume_mm3_above_75pct"])
    assert float(spot["share_above_75pct"]) == pytest.approx(inside)
    for c, shift in zip("xyz", MNI[:3, 3], strict=True):
        mni = 1.1 * float(spot[f"peak_{c}_mm"]) + 1e3 * shift
        assert float(spot[f"peak_mni_{c}_mm"]) == pytest.approx(mni)


def test_everything_in_one_folder(head: Head, basis: FieldBasis, tmp_path: Path) -> None:
    coarse = head_grid(head, 5.0)
    files = write_results(
        basis, [1e-3, 0.0], head, tmp_path / "out", atlas=[ball((0, 0, 0), 0.02)], grid=coarse
    )
    assert {f.name for f in files} == {
        "field.msh",
        "field.vtu",
        "field.vtkhdf",
        "field_E.nii.gz",
        "field_magnE.nii.gz",
        "field_magnE_MNI.nii.gz",
        "field_magnE.csv",
    }
    assert set((tmp_path / "out").iterdir()) == set(files)
    with (tmp_path / "out" / "field_magnE.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [r["kind"] for r in rows] == ["tissue", "tissue", "region"]
    back = read_simnibs_results(tmp_path / "out" / "field.msh")
    assert np.allclose(back.tet_data["E"], 1e-3 * linear(head.mesh.centroids()), rtol=1e-12)
    assert np.allclose(back.node_data["v"], 1e-3 * basis.potential[0])
    beat = Carriers(frequencies=(1000.0, 1010.0))
    files = write_results(
        basis, [1.0, 2.0], head, tmp_path / "ti", formats=["msh"], carriers=beat, name="ti"
    )
    tis = read_simnibs_results(files[0]).tet_data
    expected = envelope_max([basis.E[0], 2 * basis.E[1]])[basis.split_of_tet].mean(axis=1)
    assert np.allclose(tis["maxTI"], expected, rtol=1e-12)
    assert (tis["maxTI"] <= tis["max_carrier"]).all()


def test_what_cannot_be_written_is_said_first(
    head: Head, basis: FieldBasis, tmp_path: Path
) -> None:
    out = tmp_path / "none"
    with pytest.raises(InputError, match="unknown format 'vtk'"):
        write_results(basis, [1.0, 0.0], head, out, formats=["vtk"])
    with pytest.raises(InputError, match="expected 2 amplitudes"):
        write_results(basis, [1.0], head, out)
    bare = Head(name="bare", species="human", space="scanner", mesh=head.mesh, tissues=head.tissues)
    with pytest.raises(InputError, match="transform to MNI"):
        write_results(basis, [1.0, 0.0], bare, out, formats=["nifti_mni"])
    with pytest.raises(InputError, match="no transform between MNI"):
        locate_voxels(basis, bare, mni_grid(), space="MNI")
    other = Head(
        name="other",
        species="human",
        space="scanner",
        mesh=mesh_spheres((0.05, 0.06), (2, 5), 0.013),
        tissues=head.tissues,
    )
    with pytest.raises(InputError, match="mesh of the head"):
        write_results(basis, [1.0, 0.0], other, out)
    with pytest.raises(InputError, match="one entry for each split node"):
        write_results_msh(out / "a.msh", basis, {"E": np.ones(3)}, head)
    assert not out.exists()


def test_every_region_of_an_atlas(head: Head, basis: FieldBasis) -> None:
    root = Path(__file__).parents[2].parent / "shared" / "data" / "atlases"
    if not (root / "glasser.nii.gz").is_file():
        pytest.skip("no atlases beside the checkout")
    atlas = read_atlas(root / "glasser.nii.gz", space="MNI")
    rows = field_table(basis, np.linalg.norm(basis.E[0], axis=1), head, regions=atlas)
    regions = [r for r in rows if r["kind"] == "region"]
    assert [r["region"] for r in regions] == list(atlas.names.values())
    full = [r for r in regions if float(r["volume_mm3"]) > 0]
    assert len(full) > 50
    assert all(float(r["p50"]) <= float(r["p99.9"]) <= float(r["max"]) for r in full)


@pytest.mark.parametrize("name", ["sphere3.msh", "nowhere.msh"])
def test_meshes_without_results(name: str, tmp_path: Path) -> None:
    path = Path(__file__).parents[2].parent / "shared" / "data" / "simnibs" / name
    if name == "sphere3.msh" and not path.is_file():
        pytest.skip("no meshes of SimNIBS beside the checkout")
    with pytest.raises(InputError, match=r"bare mesh|cannot read"):
        read_simnibs_results(path)
