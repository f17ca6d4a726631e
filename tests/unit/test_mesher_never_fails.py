"""Every label image meshes, soundly: made images of all kinds, and the heads that are at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.carving.carved import Carved
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import carve_image, mesh_image
from rheobase.validation.label_images import LabelImage, label_image
from rheobase.validation.soundness import faults, open_edges, overlaps

HEADS = Path(__file__).parents[3] / "shared" / "data" / "heads"
MM = np.diag([1e-3, 1e-3, 1e-3, 1.0])
EDGES = (1.0, 2.5)  # in voxels


def carve(made: LabelImage, voxels: float) -> Carved:
    return carve_image(made.image, made.affine, voxels * made.voxel)


def assert_all_mesh(seeds: range) -> None:
    wrong = []
    for seed in seeds:
        made = label_image(seed)
        for voxels in EDGES:
            carved = carve(made, voxels)
            where = f"image {seed} ({made.kind}) at {voxels} voxels: "
            wrong += [where + fault for fault in faults(carved.mesh)]
            inside = {int(n) for n in np.unique(made.image)} - {0}
            meshed = {int(n) for n in np.unique(carved.mesh.labels)}
            if meshed | set(carved.report.lost) != inside or meshed & set(carved.report.lost):
                wrong.append(where + f"labels {meshed}, lost {carved.report.lost} of {inside}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("first", range(0, 16, 8))
def test_made_images_mesh(first: int) -> None:
    assert_all_mesh(range(first, first + 8))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 1000, 100))
def test_a_thousand_made_images_mesh(first: int) -> None:
    assert_all_mesh(range(first, first + 100))


@pytest.mark.parametrize("seed", [5, 6, 11])
def test_the_same_image_gives_the_same_mesh(seed: int) -> None:
    made = label_image(seed)
    again = label_image(seed)
    assert np.array_equal(made.image, again.image)
    a, b = carve(made, 1.5).mesh, carve(again, 1.5).mesh
    assert np.array_equal(a.nodes, b.nodes)
    assert np.array_equal(a.tets, b.tets)
    assert np.array_equal(a.labels, b.labels)


@pytest.mark.parametrize("label", [-1, 2**31])
def test_labels_that_no_mesh_can_hold_are_refused(label: int) -> None:
    image = np.ones((4, 4, 4), np.int64)
    image[1, 2, 3] = label
    with pytest.raises(InputError, match=str(label)):
        mesh_image(image, MM, 1e-3)


def test_the_checks_see_what_is_wrong() -> None:
    nodes = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0.9, 0.9, 0.9]])
    tet = [[0, 1, 2, 3]]

    def made(*tets: list[int], points: NDArray[np.float64] = nodes) -> TetMesh:
        labels = np.ones(len(tets), np.int32)
        return TetMesh(nodes=points, tets=np.array(tets, np.int32), labels=labels)

    one = made([0, 1, 2, 3], points=nodes[:4])
    assert faults(one) == []
    assert "2 nodes without tetrahedron" in faults(made(*tet))
    # a neighbour on the same side of the shared face, and a third one on that face
    folded = made([0, 1, 2, 3], [1, 2, 3, 4], [0, 1, 2, 5])
    assert any("one sense" in fault for fault in faults(folded))
    assert overlaps(folded) > 0
    assert any(
        "more than two" in fault for fault in faults(made([0, 1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 5]))
    )
    flat = nodes[:4] * [1, 1, 0.05]
    assert any("dihedral" in fault for fault in faults(made([0, 1, 2, 3], points=flat)))
    assert open_edges(np.array([[0, 1, 2]])) == 3


def ernie() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    import nibabel as nib

    file = nib.Nifti1Image.from_filename(HEADS / "ernie_charm.nii.gz")
    labels = np.asarray(file.dataobj).astype(np.int64)
    affine = np.array(file.affine)
    affine[:3] *= 1e-3
    return np.where(labels == 53, 0, labels), affine  # 53 is the background


def ernie_tissues() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    labels, affine = ernie()
    # white, grey, CSF; compact and spongy bone; everything else of the head
    table = np.full(57, 5)
    table[0] = 0
    table[[1, 5, 7, 8, 9, 10, 13, 17, 18, 22, 26, 28, 29, 30, 31, 34, 35, 39, 40, 49]] = 1
    table[[2, 6, 14, 15, 19, 23, 27, 32, 33]] = 2
    table[[3, 4, 11, 12, 16, 20, 21, 24, 25, 36, 37, 38, 54]] = 3
    table[51], table[52] = 4, 6
    return table[labels], affine


def colin27() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    from scipy.io import loadmat

    return loadmat(HEADS / "colin27_v3.mat")["colin27"].astype(np.int64), MM


def digimouse() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    from scipy.io import loadmat

    image = loadmat(HEADS / "digimouse.mat")["digimouse"].astype(np.int64)
    return image, np.diag([2e-4, 2e-4, 2e-4, 1.0])


def ants19() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    from rheobase.meshes.files.volumes import read_volume

    maps = [read_volume(path) for path in sorted((HEADS / "ants19-5years").glob("c[1-6]*.jnii"))]
    label = np.array([1, 2, 3, 4, 5, 0])[np.argmax([m.values for m in maps], axis=0)]
    return label, maps[0].affine


@pytest.mark.slow
@pytest.mark.parametrize("voxels", [5.0, 3.0])
@pytest.mark.parametrize("head", [ernie, ernie_tissues, colin27, digimouse, ants19])
def test_real_heads_mesh(
    head: Callable[[], tuple[NDArray[np.int64], NDArray[np.float64]]], voxels: float
) -> None:
    if not HEADS.is_dir():
        pytest.skip("no label images of real heads (shared/data/heads)")
    image, affine = head()
    carved = carve_image(image, affine, voxels * float(np.linalg.norm(affine[:3, 0])))
    assert faults(carved.mesh) == []
