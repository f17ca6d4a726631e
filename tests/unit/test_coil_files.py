"""Coil files of SimNIBS's formats: what they hold, where it ends up, what damage is told."""

import base64
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.coils.coil import Coil
from rheobase.fields.coils.files import read_coil

SHARED = Path(__file__).parents[3] / "shared" / "data" / "simnibs" / "coils"
F = np.array([1.0, -1.0, -1.0])  # from SimNIBS's coil frame to ours
POINTS = np.array([[10.0, 5.0, -4.0], [-10.0, 0.0, -7.0]])  # mm, behind the face
MOMENTS = np.array([[0.0, 1e-3, 2e-3], [3e-4, 0.0, -1e-3]])  # m²
THERE = np.array([[0.0, 0.01, -0.03], [0.02, -0.01, -0.05]])  # m, ours, before the face
EXPECTED = Coil(name="x", dipoles=1e-3 * POINTS * F, moments=MOMENTS * F).vector_potential(THERE)
HEADER = "# D.ccd version 1.0;dIdtmax=114.73;x=-300,300;stimulator=Rapid;brand=Own;coilname=D7;"


def ccd(path: Path, rows: np.ndarray, *, count: str | None = None, header: str = HEADER) -> Path:
    lines = [header, count or str(len(rows)), "# centers and weighted directions"]
    lines += [" ".join(f"{x:.9e}" for x in row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def packed(values: Any, dtype: str = "<f8") -> str:
    return base64.b64encode(zlib.compress(np.asarray(values, dtype).tobytes())).decode()


def tcd(path: Path, **change: Any) -> Path:
    tree: dict[str, Any] = {
        "name": "own",
        "brand": "Own",
        "coilElementList": [
            {"stimulator": 0, "type": 1, "points": POINTS.tolist(), "values": packed(MOMENTS)}
        ],
        "stimulatorList": [{"name": "Rapid", "maxdIdt": 1.2e8}],
    }
    path.write_text(json.dumps({**tree, **change}))
    return path


@pytest.fixture
def rows() -> np.ndarray:
    return np.hstack([1e-3 * POINTS, MOMENTS])


def test_dipoles_and_header(tmp_path: Path, rows: np.ndarray) -> None:
    made = read_coil(ccd(tmp_path / "d.ccd", rows))
    assert (made.name, made.brand, made.stimulator) == ("D7", "Own", "Rapid")
    assert made.dIdt_max == pytest.approx(114.73e6)
    assert np.allclose(made.vector_potential(THERE), EXPECTED, rtol=1e-12)
    assert (made.dipoles[:, 2] > 0).all(), "behind the face"
    # a file without header is named by itself
    assert read_coil(ccd(tmp_path / "bare.ccd", rows, header="# x")).name == "bare"


def test_casing_beside_the_dipoles(tmp_path: Path, rows: np.ndarray) -> None:
    (tmp_path / "d.stl").write_text(
        "solid box\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 30 0 0\nvertex 0 30 -9\n"
        "endloop\nendfacet\nendsolid box\n"
    )
    outline = read_coil(ccd(tmp_path / "d.ccd", rows)).outline
    assert len(outline) > 40
    assert outline.min(axis=0) == pytest.approx([0, -0.030, 0])
    assert outline.max(axis=0) == pytest.approx([0.030, 0, 0.009])


def test_definition_with_dipoles_lines_and_pulses(tmp_path: Path) -> None:
    pulse = {"name": "biphasic", "time": packed([0, 1e-4, 2e-4]), "signal": [0.5, -0.25, 0.0]}
    path = tcd(
        tmp_path / "c.tcd",
        stimulatorList=[{"name": "Rapid", "maxdIdt": 1.2e8, "waveformList": [pulse]}],
    )
    made = read_coil(path)
    assert (made.name, made.stimulator, made.dIdt_max) == ("own", "Rapid", 1.2e8)
    assert np.allclose(made.vector_potential(THERE), EXPECTED, rtol=1e-12)
    assert made.waveforms[0].w.tolist() == [1.0, -0.5, 0.0]
    lines = {"stimulator": 0, "type": 2, "points": POINTS.tolist(), "values": POINTS.tolist()}
    made = read_coil(tcd(path, coilElementList=[lines]))
    assert np.allclose(made.segments, 1e-3 * POINTS * F)
    d = THERE[:1] - 1e-3 * POINTS * F
    A = 1e-7 * (1e-3 * POINTS * F / np.linalg.norm(d, axis=1)[:, None]).sum(0)
    assert np.allclose(made.vector_potential(THERE[:1])[0], A)


def test_definition_deforms(tmp_path: Path) -> None:
    faces = packed([[0, 1, 2]], "<i8")
    corners = packed([[0, 0, 0], [20, 0, 0], [0, 20, 0]])
    path = tcd(
        tmp_path / "c.tcd",
        coilElementList=[
            {
                "stimulator": 0,
                "type": 1,
                "points": [[10.0, 0, 0]],
                "values": [[0, 0, 1e-3]],
                "elementCasing": 0,
                "deformations": [0, 1],
            }
        ],
        coilModels=[{"points": corners, "faces": faces}],
        deformRangeList=[
            {"initial": 5.0, "range": [0, 10]},
            {"initial": 0.0, "range": [-90, 90]},
        ],
        deformList=[
            {"deformRange": 0, "type": "z"},
            {"deformRange": 1, "type": "rot2p", "point1": [0, 0, 0], "point2": [0, 3, 0]},
        ],
    )
    assert read_coil(path).dipoles[0] == pytest.approx([0.010, 0, -0.005])
    made = read_coil(path, deformations=[5.0, 90.0])  # x -> -z, z -> x in their frame
    assert made.dipoles[0] == pytest.approx([0.005, 0, 0.010])
    assert made.moments[0] == pytest.approx([1e-3, 0, 0])
    assert made.outline[:, 2].max() == pytest.approx(0.020)
    with pytest.raises(InputError, match=r"expected deformation 0 from 0 to 10, got 20\.0"):
        read_coil(path, deformations=[20.0, 0.0])
    with pytest.raises(InputError, match="expected 2 deformations, got 1"):
        read_coil(path, deformations=[5.0])


@pytest.mark.parametrize("five", [False, True])
def test_sampled_field(tmp_path: Path, five: bool) -> None:
    index = np.moveaxis(np.indices((5, 6, 7)), 0, -1)
    affine = np.diag([-10.0, 10.0, 10.0, 1.0])  # stored from right to left
    affine[:3, 3] = [20, -25, 0]
    at = index @ affine[:3, :3].T + affine[:3, 3]
    values = np.stack([at[..., 1], 2 * at[..., 2], -at[..., 0]], axis=-1) * 1e-9  # linear
    image = nib.Nifti1Image(values[:, :, :, None] if five else values, affine)
    nib.save(image, tmp_path / "a.nii.gz")
    made = read_coil(tmp_path / "a.nii.gz")
    assert made.name == "a"
    there = 1e3 * THERE * F
    exact = np.stack([there[:, 1], 2 * there[:, 2], -there[:, 0]], axis=-1) * 1e-9 * F
    assert np.allclose(made.vector_potential(THERE), exact, rtol=1e-6)
    with pytest.raises(InputError, match=r"1 of 1 points \(100\.0%\) lie outside it: coil 'a'"):
        made.vector_potential([[0, 0, 0.01]])
    nib.save(nib.Nifti1Image(values[..., :2], affine), tmp_path / "b.nii")
    with pytest.raises(InputError, match="expected a vector image of shape"):
        read_coil(tmp_path / "b.nii")
    values[0, 0, 0] = np.nan
    nib.save(nib.Nifti1Image(values, affine), tmp_path / "b.nii")
    with pytest.raises(InputError, match=r"1 voxels that are not.*b\.nii"):
        read_coil(tmp_path / "b.nii")
    (tmp_path / "c.nii").write_bytes((tmp_path / "b.nii").read_bytes()[:900])
    with pytest.raises(InputError, match=r"c\.nii"):
        read_coil(tmp_path / "c.nii")


def test_sampled_field_in_a_definition(tmp_path: Path) -> None:
    values = np.zeros((2, 2, 2, 3))
    values[..., 1] = 1e-6
    affine = np.diag([100.0, 100.0, 100.0, 1.0])
    affine[:3, 3] = [-50, -50, 0]
    element = {"stimulator": 0, "type": 3, "data": values.tolist(), "affine": affine.tolist()}
    made = read_coil(tcd(tmp_path / "c.tcd", coilElementList=[element]))
    assert made.vector_potential(THERE) == pytest.approx(np.tile([0, -1e-6, 0], (2, 1)))
    element["data"] = base64.b64encode(zlib.compress(pickle.dumps(values))).decode()
    with pytest.raises(InputError, match="got a pickle, which could run any code"):
        read_coil(tcd(tmp_path / "c.tcd", coilElementList=[element]))


def test_damaged_dipoles(tmp_path: Path, rows: np.ndarray) -> None:
    path = tmp_path / "d.ccd"
    for count, match in (
        ("3", "expected 3 dipoles, found 2"),
        ("many", "number of dipoles, got 'many': line 2"),
        ("0", "number of dipoles, got '0'"),
        ("99999999999999", "expected 99,999,999,999,999 dipoles, found 2"),
    ):
        with pytest.raises(InputError, match=match):
            read_coil(ccd(path, rows, count=count))
    with pytest.raises(InputError, match=r"six finite numbers, got .*nan.*: line 5"):
        read_coil(ccd(path, np.vstack([rows[:1], np.full((1, 6), np.nan)])))
    with pytest.raises(InputError, match="six finite numbers"):
        read_coil(ccd(path, rows[:, :5]))
    for text, match in (("", "found nothing"), ("# a\n", "found nothing")):
        path.write_text(text)
        with pytest.raises(InputError, match=match):
            read_coil(path)
    path.write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="cannot read a text file of dipoles"):
        read_coil(path)
    with pytest.raises(InputError, match="expected a coil file, found none"):
        read_coil(tmp_path / "none.ccd")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match=r"expected a coil file \(.ccd, "):
        read_coil(tmp_path / "a.txt")
    with pytest.raises(InputError, match=r"only a \.tcd file has deformations"):
        read_coil(ccd(path, rows), deformations=[1.0])


def element(**change: Any) -> list[dict[str, Any]]:
    whole = {"stimulator": 0, "type": 1, "points": POINTS.tolist(), "values": MOMENTS.tolist()}
    return [{**whole, **change}]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"coilElementList": []}, "one or more coil elements"),
        ({"coilElementList": 7}, "expected a coil definition"),
        ({"coilElementList": element(type=9)}, "type 1, 2 or 3, got 9: coil element 0"),
        ({"coilElementList": element(points=[[1, 2]])}, r"rows of 3 numbers, got shape \(1, 2\)"),
        ({"coilElementList": element(points=[[1, 2, 3]])}, "as many points as values, got 1 and 2"),
        ({"coilElementList": element(values=packed(MOMENTS)[:-9])}, "cannot unpack an array"),
        ({"coilElementList": element(values=packed(MOMENTS.ravel()[:5]))}, "rows of 3 numbers"),
        ({"coilElementList": element(values=packed(MOMENTS * np.nan))}, "expected finite numbers"),
        ({"coilElementList": element(points=[[1e300, 0, 0]])}, "finite numbers of at most 1e"),
        ({"coilElementList": element(deformations=[3])}, "expected a deformation from 0 to -1"),
        ({"coilElementList": element(elementCasing=2)}, "expected a coil model from 0 to -1"),
        ({"coilElementList": element(stimulator=4)}, "expected a stimulator from 0 to 0, got 4"),
        ({"coilCasing": 0, "coilModels": [{"points": [[0, 0, 0]], "faces": [[0, 0, 5]]}]}, "faces"),
        ({"deformRangeList": [{"initial": "x", "range": [0, 1]}]}, "expected a coil definition"),
    ],
)
def test_damaged_definitions(tmp_path: Path, change: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        read_coil(tcd(tmp_path / "c.tcd", **change))
    assert "c.tcd" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_definitions_that_lie_about_their_size(tmp_path: Path) -> None:
    bomb = base64.b64encode(zlib.compress(bytes(40_000_000))).decode()
    with pytest.raises(InputError, match="expected at most 3,000,000 numbers"):
        read_coil(tcd(tmp_path / "c.tcd", coilElementList=element(values=bomb)))
    (tmp_path / "d.tcd").write_text((tmp_path / "c.tcd").read_text()[:500])
    with pytest.raises(InputError, match="cannot read JSON"):
        read_coil(tmp_path / "d.tcd")


@pytest.mark.parametrize("name", ["MagStim_D70", "MagVenture_Cool-B65", "Brainsway_H4"])
def test_published_files(name: str) -> None:
    path = next(SHARED.glob(f"{name}.*"), None)
    if path is None:
        pytest.skip(f"{name} is not in {SHARED}")
    made = read_coil(path)
    under = made.vector_potential([[0.0, 0.0, -0.02]])[0]
    if name == "MagStim_D70":
        assert made.dIdt_max == pytest.approx(114.73e6)
        assert len(made.dipoles) == 964
        # a growing current drives the brain away from the handle (facts: 1.14 V/m per A/us)
        assert under[1] > 0.99 * np.linalg.norm(under)
    elif name == "MagVenture_Cool-B65":
        assert under[1] < -0.99 * np.linalg.norm(under), "the file's sign is the other one"
    else:
        assert len(made.positions) == 14582
        steps = np.linalg.norm(made.segments, axis=1)
        assert np.median(steps) == pytest.approx(0.5e-3, rel=0.05)
        assert len(made.outline) > 5000
        bent = read_coil(path, deformations=[10.0, -10.0])
        moved = np.linalg.norm(bent.positions - made.positions, axis=1)
        assert 0 < moved.max() < 0.02
        assert (moved[:12302] == 0).all()
