"""Volume images: orientation, units, odd and hostile headers."""

import base64
import contextlib
import gzip
import json
import struct
import zlib
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.files.volumes import MOST_VOXELS, nearest_ras, read_volume
from rheobase.meshes.heads.from_image import read_labels

nib: Any = pytest.importorskip("nibabel")


def block() -> NDArray[np.uint8]:
    """Return labels without any symmetry."""
    values = np.zeros((9, 7, 5), np.uint8)
    values[1:8, 1:6, 1:4] = 1
    values[1:3, 1:6, 1:4] = 2
    values[1:8, 4:6, 3:4] = 3
    return values


def centres(values: NDArray[Any], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the world centre of each label."""
    index = [np.argwhere(values == k).mean(axis=0) for k in (1, 2, 3)]
    centre: NDArray[np.float64] = np.array(index) @ affine[:3, :3].T + affine[:3, 3]
    return centre


def save(path: Path, values: NDArray[Any], affine: NDArray[np.float64], unit: str = "mm") -> Path:
    image = nib.Nifti1Image(values, affine)
    image.header.set_xyzt_units(unit)
    nib.save(image, path)
    return path


def test_every_orientation_gives_the_same_world(tmp_path: Path) -> None:
    affine = np.diag([4.0, 5.0, 6.0, 1.0])
    affine[:3, 3] = [-18.0, 7.0, 3.0]
    world = centres(block(), affine)
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        values, turned = block(), affine.copy()
        values = values.transpose(order)
        turned[:3, :3] = affine[:3, :3][:, list(order)]
        for k, sign in enumerate(signs):
            if sign < 0:
                values = np.flip(values, k)
                turned[:3, 3] += turned[:3, k] * (values.shape[k] - 1)
                turned[:3, k] *= -1
        volume = read_volume(save(tmp_path / "o.nii", np.ascontiguousarray(values), turned))
        assert np.array_equal(volume.values, block())
        np.testing.assert_allclose(centres(volume.values, volume.affine), world * 1e-3)


def test_an_oblique_affine_stays_oblique() -> None:
    c, s = np.cos(0.5), np.sin(0.5)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([2.0, 3.0, 4.0])
    flipped = affine.copy()
    flipped[:3, 3] += flipped[:3, 1] * (block().shape[1] - 1)
    flipped[:3, 1] *= -1
    values, found = nearest_ras(np.flip(block(), 1), flipped)
    assert np.array_equal(values, block())
    np.testing.assert_allclose(found, affine)


@pytest.mark.parametrize("ending", ["nii", "nii.gz", "mgh", "mgz", "img"])
def test_formats_and_byte_orders(tmp_path: Path, ending: str) -> None:
    affine = np.diag([-4.0, 5.0, 6.0, 1.0])
    path = tmp_path / f"a.{ending}"
    if ending in ("mgh", "mgz"):
        image = nib.MGHImage(block().astype(np.int32), affine.astype(np.float32))
    elif ending == "img":
        image = nib.AnalyzeImage(block(), np.diag([-4.0, 5.0, 6.0, 1.0]))
    else:
        header = nib.Nifti1Header(endianness=">")
        image = nib.Nifti1Image(block().astype(">i2"), affine, header)
    nib.save(image, path)
    volume = read_volume(path)
    assert np.array_equal(volume.values, np.flip(block(), 0))
    assert volume.values.dtype.isnative
    np.testing.assert_allclose(volume.edges, [4e-3, 5e-3, 6e-3], rtol=1e-6)
    assert bool(volume.notes) == (ending == "img")


def jnii(values: NDArray[Any], **header: Any) -> dict[str, Any]:
    packed = base64.b64encode(zlib.compress(values.tobytes())).decode()
    return {
        "NIFTIHeader": {"Affine": [[2, 0, 0, 1], [0, 2, 0, 2], [0, 0, 2, 3]], **header},
        "NIFTIData": {
            "_ArrayType_": str(values.dtype),
            "_ArraySize_": list(values.shape),
            "_ArrayZipType_": "zlib",
            "_ArrayZipData_": packed,
        },
    }


def test_jnifti(tmp_path: Path) -> None:
    path = tmp_path / "a.jnii"
    path.write_text(json.dumps(jnii(block())).replace("eJ", "eJ", 1))
    volume = read_volume(path)
    assert np.array_equal(volume.values, block())
    np.testing.assert_allclose(volume.affine[:3, 3], [1e-3, 2e-3, 3e-3])
    path.write_text(json.dumps(jnii(block(), ScaleSlope=0.5)))
    assert read_volume(path).values.max() == 1.5
    plain = jnii(block())
    plain["NIFTIData"] = block().tolist()
    del plain["NIFTIHeader"]["Affine"]
    path.write_text(json.dumps(plain))
    assert "places the image nowhere" in read_volume(path).notes[0]
    path.write_text(json.dumps({**plain, "NIFTIHeader": {"VoxelSize": [0.1, 0.1, 0.1]}}))
    with pytest.raises(InputError, match="mm wide"):
        read_volume(path)
    lying = jnii(block())
    lying["NIFTIData"]["_ArraySize_"] = [900, 700, 500]
    for bad, message in (
        (lying, "header asks for 315,000,000 bytes, the file holds 315"),
        ({"NIFTIData": {"_ArrayType_": "uint8"}}, "cannot read .* as JNIfTI"),
        ({"NIFTIData": [[1, 2]]}, "three axes"),
        ([], "cannot read .* as JNIfTI"),
    ):
        path.write_text(json.dumps(bad))
        with pytest.raises(InputError, match=message):
            read_volume(path)


def test_odd_headers_are_told(tmp_path: Path) -> None:
    image = nib.Nifti1Image(block(), np.diag([4.0, 4, 4, 1]))
    image.header.set_sform(np.diag([4.0, 4, 4, 1]), code=1)
    shifted = np.diag([4.0, 4, 4, 1])
    shifted[0, 3] = 7.0
    image.header.set_qform(shifted, code=1)
    nib.save(image, tmp_path / "a.nii")
    assert "7.0 mm apart" in read_volume(tmp_path / "a.nii").notes[0]
    image.header.set_sform(None, code=0)
    image.header.set_qform(None, code=0)
    nib.save(image, tmp_path / "b.nii")
    raw = bytearray((tmp_path / "b.nii").read_bytes())
    struct.pack_into("<2h", raw, 252, 0, 0)
    (tmp_path / "b.nii").write_bytes(raw)
    assert "places the image nowhere" in read_volume(tmp_path / "b.nii").notes[0]


def test_images_that_are_refused(tmp_path: Path) -> None:
    affine = np.diag([4.0, 4, 4, 1])
    rgb = np.zeros((9, 7, 5), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(rgb, affine), tmp_path / "rgb.nii")
    raw = bytearray(save(tmp_path / "nan.nii", block(), affine).read_bytes())
    struct.pack_into("<f", raw, 280, np.nan)  # srow_x
    (tmp_path / "nan.nii").write_bytes(raw)
    cases = {
        "rgb.nii": "colours",
        save(tmp_path / "c.nii", block() + 1j, affine).name: "complex",
        save(tmp_path / "flat.nii", block()[..., 0], affine).name: "three axes",
        "nan.nii": "finite, independent axes",
        save(
            tmp_path / "m.nii", block(), affine, "meter"
        ).name: r"36 x 28 x 20 m .*\(are its numbers millimetres\?\)",
        save(
            tmp_path / "s.nii", block(), np.diag([4e-3] * 3 + [1])
        ).name: r"0\.036 x 0\.028 x 0\.02 mm .*\(are its numbers metres\?\)",
    }
    for name, message in cases.items():
        with pytest.raises(InputError, match=message) as caught:
            read_volume(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_headers_that_lie_allocate_nothing(tmp_path: Path) -> None:
    import tracemalloc

    nib.save(nib.Nifti2Image(block(), np.diag([4.0, 4, 4, 1])), tmp_path / "a.nii")
    tera = bytearray((tmp_path / "a.nii").read_bytes())
    struct.pack_into("<4q", tera, 16, 3, 1 << 20, 1 << 20, 4)
    (tmp_path / "tera.nii").write_bytes(tera)
    (tmp_path / "tera.nii.gz").write_bytes(gzip.compress(bytes(tera)))
    giga = bytearray((tmp_path / "a.nii").read_bytes())
    struct.pack_into("<4q", giga, 16, 3, 700, 700, 700)
    (tmp_path / "giga.nii").write_bytes(giga)
    (tmp_path / "giga.nii.gz").write_bytes(gzip.compress(bytes(giga)))
    whole = gzip.compress((tmp_path / "a.nii").read_bytes())
    (tmp_path / "cut.nii.gz").write_bytes(whole[:-20])
    tracemalloc.start()
    for name, message in {
        "tera.nii": f"at most {MOST_VOXELS:,} voxels",
        "tera.nii.gz": f"at most {MOST_VOXELS:,} voxels",
        "giga.nii": "asks for 343,000,5",
        "giga.nii.gz": "asks for 343,000,5",
        "cut.nii.gz": "cannot read",
    }.items():
        with pytest.raises(InputError, match=message):
            read_volume(tmp_path / name)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_damaged_headers_never_crash(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    affine = np.diag([4.0, 4, 4, 1])
    nib.save(nib.Nifti1Image(block(), affine), tmp_path / "a.nii")
    nib.save(nib.MGHImage(block().astype(np.int16), affine.astype(np.float32)), tmp_path / "a.mgh")
    for name, length in (("a.nii", 352), ("a.mgh", 284)):
        good = np.frombuffer((tmp_path / name).read_bytes(), np.uint8)
        for _ in range(250):
            bad = good.copy()
            where = rng.integers(0, length, rng.integers(1, 5))
            bad[where] = rng.choice([0, 127, 255, rng.integers(256)], len(where))
            path = tmp_path / f"b{name[1:]}"
            path.write_bytes(bad.tobytes()[: len(bad) - rng.integers(0, 3) * 40])
            with contextlib.suppress(InputError):  # any other exception is a defect
                read_labels(path)
