"""Heads from label images and maps: landmarks, added layers, maps, and what is refused early."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.files.volumes import Volume
from rheobase.meshes.heads.added_layers import add_layers, head_outline, thicknesses
from rheobase.meshes.heads.from_image import head_from_image
from rheobase.meshes.heads.from_maps import head_from_maps
from rheobase.meshes.heads.tissue_labels import image_tissues, named_tissues
from rheobase.meshes.images.voxels import resampled
from rheobase.meshes.placing.landmarks import check_landmarks, landmarks_from_mni, outer_voxels

nib: Any = pytest.importorskip("nibabel")
DATA = Path(__file__).parents[3] / "shared/data"
MM3 = np.array([[3, 0, 0, -45], [0, 3, 0, -45], [0, 0, 3, -45], [0, 0, 0, 1.0]])


def distance(n: int = 31) -> NDArray[np.float64]:
    x = np.arange(n) - (n - 1) / 2
    r: NDArray[np.float64] = np.sqrt(
        x[:, None, None] ** 2 + x[None, :, None] ** 2 + x[None, None, :] ** 2
    )
    return r


def head(n: int = 31) -> NDArray[np.uint8]:
    """Return five closed shells of at least two voxels."""
    r = distance(n)
    return np.select([r < 5, r < 7.5, r < 9.5, r < 12, r < 14.5], [1, 2, 3, 4, 5], 0).astype(
        np.uint8
    )


def save(path: Path, values: NDArray[Any], affine: NDArray[np.float64] = MM3) -> Path:
    nib.save(nib.Nifti1Image(values, affine), path)
    return path


LANDMARKS = {"nasion": (0, 42, 0), "inion": (0, -42, 0), "lpa": (-42, 0, 0), "rpa": (42, 0, 0)}


def test_landmarks_are_checked_against_the_head() -> None:
    affine = MM3.copy()
    affine[:3] *= 1e-3
    surface = outer_voxels(head(), affine)
    radius = np.linalg.norm(surface, axis=1)
    assert 0.036 < radius.min() < radius.max() < 0.0435
    found = check_landmarks(LANDMARKS, surface, "x.nii")
    np.testing.assert_allclose(found["rpa"], [0.042, 0, 0])
    cases: list[tuple[dict[str, Any], str]] = [
        ({"nasoin": (0, 42, 0)}, "nearest: nasion"),
        ({"nasion": (0, 42)}, "three numbers"),
        ({"nasion": (0, np.nan, 0)}, "three numbers"),
        ({k: tuple(1e-3 * x for x in v) for k, v in LANDMARKS.items()}, "as if in metres"),
        ({**LANDMARKS, "lpa": (42, 0, 0), "rpa": (-42, 0, 0)}, "left and right are swapped"),
        ({**LANDMARKS, "nasion": (0, -42, 0), "inion": (0, 42, 0)}, "front and back are swapped"),
        ({**LANDMARKS, "lpa": (-60, 0, 0)}, r"lpa at \(-60\.0, 0\.0, 0\.0\) mm lies 18 mm off"),
    ]
    for landmarks, message in cases:
        with pytest.raises(InputError, match=message):
            check_landmarks(landmarks, surface, "x.nii")


def test_landmarks_from_mni() -> None:
    own = landmarks_from_mni(np.eye(4))
    assert own["lpa"][0] < -60 < 60 < own["rpa"][0]
    shift = np.eye(4)
    shift[:3, 3] = [1, 2, 3]
    moved = landmarks_from_mni(shift)
    np.testing.assert_allclose(np.subtract(moved["nasion"], own["nasion"]), [1, 2, 3])
    with pytest.raises(InputError, match="affine map"):
        landmarks_from_mni(np.zeros((4, 4)))


@pytest.mark.parametrize("species", ["human", "macaque", "rat", "mouse"])
def test_layers_around_a_bare_brain(species: str) -> None:
    layer = thicknesses(species)
    edge = min(layer.values()) / 1.5
    radius = 30 * edge
    r = distance(65) * edge
    brain = np.where(r < radius - 3 * edge, 1, np.where(r < radius, 2, 0)).astype(np.uint16)
    brain[32, 32, 55:] = 0  # a narrow sulcus
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = 7e-3
    image, moved, note = add_layers(brain, affine, species)
    assert "synthetic" in note
    assert np.array_equal(np.isin(image, (1, 2)).sum(), np.count_nonzero(brain))
    index = np.argwhere(image > 0)
    away = np.linalg.norm((index - index.mean(axis=0)) * edge, axis=1)
    label = image[tuple(index.T)]
    ends = radius + np.cumsum([layer[k] for k in ("csf", "skull", "scalp")])
    for k, end in zip((3, 4, 5), ends, strict=True):
        assert away[label == k].max() == pytest.approx(end, abs=1.5 * edge)
    old = affine[:3, :3] @ np.argwhere(brain == 1).mean(axis=0) + affine[:3, 3]
    new = moved[:3, :3] @ np.argwhere(image == 1).mean(axis=0) + moved[:3, 3]
    np.testing.assert_allclose(new, old, atol=1e-9)


def test_the_outline_of_a_t1() -> None:
    rng = np.random.default_rng(0)
    r = distance(61)
    t1 = np.where(r < 26, 300.0, 0.0) + rng.rayleigh(8.0, r.shape)
    t1[28:33, 28:33, 40:44] = 0.0  # bone and air are dark
    outline = head_outline(Volume(values=t1, affine=np.eye(4)))
    assert (3 / 4 / np.pi * np.count_nonzero(outline)) ** (1 / 3) == pytest.approx(26.0, abs=1.0)
    assert outline[30, 30, 42]
    affine = np.diag([4e-3, 4e-3, 4e-3, 1.0])
    brain = np.where(distance(41) < 17, 2, 0).astype(np.uint16)
    brain_affine = affine.copy()
    brain_affine[:3, 3] = 10 * 4e-3
    volume = Volume(values=t1, affine=affine)
    image, grid, note = add_layers(brain, brain_affine, "human", volume)
    assert "outline of the T1" in note
    index = np.argwhere(image == 5) @ grid[:3, :3].T + grid[:3, 3]
    reach = np.linalg.norm(index - 30 * 4e-3, axis=1).max()
    assert reach == pytest.approx(26 * 4e-3, abs=6e-3)
    brain_affine[:3, 3] = 0.2
    with pytest.raises(InputError, match="in one space"):
        add_layers(brain, brain_affine, "human", volume)


def test_a_bare_brain_is_refused(tmp_path: Path) -> None:
    r = distance()
    brain = np.select([r < 5, r < 10], [2, 42], 0).astype(np.int16)
    brain[16:][brain[16:] == 2] = 41
    path = save(tmp_path / "aseg.nii", brain)
    with pytest.raises(InputError, match=r"only grey_matter, white_matter: give around='layers'"):
        head_from_image(path, labels="auto")
    with pytest.raises(InputError, match="unknown way to complete a brain"):
        head_from_image(path, labels="auto", around="layer")


def test_options_are_checked_before_anything_is_built(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", head())
    for options, message in (
        ({"labels": "simnib"}, "nearest: simnibs"),
        ({"labels": tmp_path / "none.csv"}, "cannot read the label table"),
        ({"labels": "charm"}, r"1 \(\d+ voxels\).*labels='simnibs' or .* would fit"),
        ({"repair": "yes"}, "repair must be"),
        ({"species": "cat"}, "unknown species"),
        ({"fiducials_mm": {"nasion": (0, 90, 0)}}, "nasion at .* lies 48 mm off"),
    ):
        with pytest.raises(InputError, match=message):
            head_from_image(path, **options)
    t1 = np.random.default_rng(0).integers(1, 250, (20, 20, 20)).astype(np.uint8)
    with pytest.raises(InputError, match="not labels"):
        head_from_image(save(tmp_path / "t1.nii", t1))


def test_tables_for_meshes_and_images() -> None:
    assert named_tissues("auto", "x")[5] is not None
    charm = named_tissues("charm", "x")
    assert charm[501] is None
    with pytest.raises(InputError, match="nearest: charm"):
        named_tissues("charn", "x")
    values = np.array([[[1, 2, 250]]])
    with pytest.raises(InputError, match=r"250 \(1 voxels\)"):
        image_tissues(None, values, Path("x.nii"), None)


def map_files(folder: Path, scale: float = 1.0) -> list[Path]:
    """Write six maps of the layered head, in SPM's order."""
    files = []
    for number, label in enumerate((2, 1, 3, 4, 5, 0), start=1):
        values = (head() == label).astype(np.float32) * np.float32(scale)
        files.append(save(folder / f"c{number}sub.nii", values))
    return files


def test_head_from_spm_maps(tmp_path: Path) -> None:
    map_files(tmp_path)
    marks = {"nasion": (0.0, 42.0, 0.0)}
    made = head_from_maps(tmp_path, edge_length_mm=4.0, columns=300, fiducials_mm=marks)
    names = {t.name for t in made.tissues.values()}
    assert names == {"white_matter", "grey_matter", "csf", "skull", "scalp"}
    for name, label in (("white_matter", 1), ("scalp", 5)):
        volume = made.mesh.tissue_volumes()[made.label_of(name)]
        assert volume == pytest.approx(np.count_nonzero(head() == label) * 27e-9, rel=0.005)
    assert made.provenance["maps"][5] == "outside"
    assert any("inion" in note for note in made.provenance["notes"])
    assert not made.positions


def test_maps_that_are_refused(tmp_path: Path) -> None:
    files = map_files(tmp_path)
    other, empty = tmp_path / "other", tmp_path / "empty"
    other.mkdir()
    empty.mkdir()
    shifted = MM3.copy()
    shifted[0, 3] += 0.5
    ones = np.ones((31, 31, 31), np.float32)
    half = save(other / "half.nii", 0.5 * ones)
    four = save(other / "four.nii", np.stack([0.2 * ones] * 4, axis=3))
    odd = save(other / "odd.nii", ones * np.nan)
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (empty, {}, r"expected SPM's c1\*\.nii"),
        ([], {}, "at least one"),
        ([half, half], {}, "give names=: no tissue by the name"),
        (four, {}, "the tissue of each of the 4 maps"),
        (four, {"names": ["csf"]}, "expected 4 names"),
        ([half], {"names": ["brian"]}, "unknown tissue"),
        ({"csf": half, "brian": [half]}, {}, "unknown tissue 'brian'"),
        ([odd], {"names": ["csf"]}, "NaN or infinity"),
        ([save(other / "w.nii", -ones)], {"names": ["csf"]}, "0 to 1"),
        ([save(other / "v.nii", 900 * ones)], {"names": ["csf"]}, "0 to 1"),
        ([*files[:5], save(other / "c6s.nii", ones, shifted)], {}, "has another"),
        ([*files[:5], save(other / "c6t.nii", ones[1:])], {}, "has another"),
        ([*files, save(other / "c1t.nii", ones)], {}, "add up to at most 1"),
    ]
    for maps, options, message in cases:
        with pytest.raises(InputError, match=message):
            head_from_maps(maps, **options)
    save(tmp_path / "c1another.nii", ones)
    with pytest.raises(InputError, match=r"maps of 2 images.*another, sub"):
        head_from_maps(tmp_path)


def test_resampled_to_cubes() -> None:
    r = distance(61)
    fine = np.select([r < 15, r < 24], [1, 5], 0).astype(np.uint16)
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    affine[2, 3] = 1.0
    cubes, grid = resampled(fine[:, :, 1::3], affine, 1.0)
    np.testing.assert_allclose(grid[:3, :3], np.eye(3))
    index = np.argwhere(cubes == 1) @ grid[:3, :3].T + grid[:3, 3]
    np.testing.assert_allclose(index.mean(axis=0), [30, 30, 30], atol=0.05)
    assert np.count_nonzero(cubes == 1) == pytest.approx(np.count_nonzero(fine == 1), rel=0.01)


def colin27(folder: Path) -> Path:
    from scipy.io import loadmat

    affine = np.eye(4)
    affine[:3, 3] = [-90.0, -125.0, -71.0]
    return save(folder / "a.nii.gz", loadmat(DATA / "heads/colin27_v3.mat")["colin27"], affine)


def digimouse(folder: Path) -> Path:
    from scipy.io import loadmat

    values = loadmat(DATA / "heads/digimouse.mat")["digimouse"]
    return save(folder / "b.nii.gz", values[:, :140], np.diag([0.2, -0.2, 0.2, 1.0]))  # the head


#: Tissues of less than this part of a head's volume may be off by more than 1 %.
SMALL = 0.005
#: Marrow in many pieces, 2.1 mm thick on average (2 V / S): elements of 3 mm lose 2.6 % of it.
UNRESOLVED = {("ernie", "spongy_bone"): 0.03}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "edge_length_mm", "litres"),
    [
        ("ernie", 3.0, 4.78),
        ("colin27", 3.0, 3.91),
        ("digimouse", 0.5, 0.00290),
        ("ants", 3.0, 3.66),
    ],
)
def test_real_heads(tmp_path: Path, kind: str, edge_length_mm: float, litres: float) -> None:
    if not (DATA / "heads").is_dir():
        pytest.skip("no heads beside the repository")
    species = "mouse" if kind == "digimouse" else "human"
    if kind == "ants":
        made = head_from_maps(DATA / "heads/ants19-5years", edge_length_mm=edge_length_mm)
    else:
        path = {
            "ernie": lambda _: DATA / "heads/ernie_charm.nii.gz",
            "colin27": colin27,
            "digimouse": digimouse,
        }[kind](tmp_path)
        made = head_from_image(path, edge_length_mm=edge_length_mm, labels="auto", species=species)
    volumes = made.mesh.tissue_volumes()
    assert sum(volumes.values()) == pytest.approx(litres * 1e-3, rel=0.02)
    before, after = (
        made.provenance["repair"][f"volume {when} (m3)"] for when in ("before", "after")
    )
    for name, v in after.items():
        assert v == pytest.approx(before[name], rel=0.06), name
    meshed = {t.name: volumes[k] for k, t in made.tissues.items()}
    assert set(meshed) == set(after)
    for name, volume in meshed.items():
        if after[name] > SMALL * sum(after.values()):
            bound = UNRESOLVED.get((kind, name), 0.01)
            assert volume == pytest.approx(after[name], rel=bound), name
    if species == "human":
        assert made.cortex is not None
        assert 2.5e-3 < np.median(made.cortex.thickness) < 4.5e-3


@pytest.mark.slow
def test_a_freesurfer_brain_gets_its_layers() -> None:
    paths = DATA / "heads/ernie_charm.nii.gz", DATA / "heads/ernie_t1.nii.gz"
    if not paths[0].is_file():
        pytest.skip("no labelled individual beside the repository")
    from rheobase.meshes.files.volumes import read_volume
    from rheobase.meshes.images.label_tables import label_table

    volume, table = read_volume(paths[0]), label_table("charm_index")
    brain = [k for k, t in table.tissues.items() if t in ("white_matter", "grey_matter")]
    brain.remove(49)  # the spinal cord, which FreeSurfer does not label
    values = np.isin(volume.values, brain).astype(np.uint16)
    skin = np.isin(volume.values, [k for k, t in table.tissues.items() if t != "outside"])
    image, affine, _ = add_layers(values, volume.affine, "human", read_volume(paths[1]))
    upper = skin.shape[2] - 60 - int(np.argmax(skin.any(axis=(0, 1))[::-1]))
    height = volume.affine[2, 3] + 1e-3 * upper
    ours = np.count_nonzero(image[:, :, round((height - affine[2, 3]) / 1e-3) :])
    assert ours == pytest.approx(np.count_nonzero(skin[:, :, upper:]), rel=0.05)


def test_an_edge_too_long_for_the_head_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "head.nii", head().astype(np.uint8))
    with pytest.raises(InputError, match=r"edge_length_mm must be at most 1\d\.?\d* for a head"):
        head_from_image(path, edge_length_mm=40.0)
