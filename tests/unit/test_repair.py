"""Repair of label images: what is mended, what is only told, and that volumes are kept."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase.meshes.images.label_tables import label_table
from rheobase.meshes.images.mending import MOST_CHANGE
from rheobase.meshes.images.repair import RepairReport, mirrored, repair

MM = np.diag([1e-3, 1e-3, 1e-3, 1.0])
WHITE, GREY, CSF, SKULL, SCALP = 1, 2, 3, 4, 5


def ball(n: int = 64) -> NDArray[np.uint16]:
    """Return a head of five closed shells, 3 mm of CSF and 4 mm of skull."""
    x = np.arange(n) - (n - 1) / 2
    r = np.sqrt(x[:, None, None] ** 2 + x[None, :, None] ** 2 + x[None, None, :] ** 2)
    return np.select(
        [r < 14, r < 18, r < 21, r < 25, r < 29], [WHITE, GREY, CSF, SKULL, SCALP], 0
    ).astype(np.uint16)


def kinds(report: RepairReport) -> dict[str, bool]:
    return {f.kind: f.mended for f in report.findings}


def faces(image: NDArray[np.uint16], a: tuple[int, ...], b: tuple[int, ...]) -> int:
    total = 0
    for axis in range(3):
        v = np.moveaxis(image, axis, 0)
        for first, second in ((v[1:], v[:-1]), (v[:-1], v[1:])):
            total += int(np.count_nonzero(np.isin(first, a) & np.isin(second, b)))
    return total


def test_a_good_image_stays_as_it_is() -> None:
    image = ball()
    out, report = repair(image, MM)
    assert np.array_equal(out, image)
    assert not report.findings
    assert str(report) == "nothing to repair"
    assert report.before == report.after


def test_holes_specks_and_islands() -> None:
    image = ball()
    image[32, 32, 50] = 0  # in the scalp's neighbourhood: 18 mm off the centre, in CSF
    image[30:32, 32, 32] = 0
    image[2, 2, 2] = SCALP
    image[32, 33, 30] = SKULL  # one voxel of bone deep in white matter
    out, report = repair(image, MM)
    assert np.array_equal(out[29:33, 31:34, 29:33], ball()[29:33, 31:34, 29:33])
    assert out[2, 2, 2] == 0
    assert out[32, 32, 50] == CSF
    found = {f.kind: (f.voxels, f.mended) for f in report.findings}
    assert found["holes"] == (3, True)
    assert found["specks"] == (1, True)
    assert found["islands"] == (1, True)
    assert report.findings[0].volume == pytest.approx(report.findings[0].voxels * 1e-9)
    assert any("holes: 2 filled" in note for note in report.notes())
    assert report.as_dict()["findings"][0]["mended"] is True


def test_cavities_and_labelled_air_stay() -> None:
    image = ball()
    image[30:35, 30:35, 30:35] = 0
    air = np.zeros(image.shape, bool)
    image[20, 20, 32] = 0
    air[20, 20, 32] = True
    out, report = repair(image, MM, air=air)
    assert np.array_equal(out, image)
    assert "125 voxels (125 mm³) are kept as air" in str(report)


def test_only_a_report() -> None:
    image = ball()
    image[32, 32, 32] = 0
    out, report = repair(image, MM, mend=False)
    assert np.array_equal(out, image)
    assert kinds(report)["holes"] is False
    assert not any(kinds(report).values())
    assert "not mended, as was asked" in str(report)


def test_holes_in_the_bone_are_closed() -> None:
    image = ball()
    middle = slice(31, 33)
    tunnel = image[middle, middle, 50:]
    tunnel[tunnel == SKULL] = SCALP
    other = image[middle, middle, :14]
    other[other == SKULL] = CSF
    assert faces(image, (CSF,), (SCALP,)) > 0
    out, report = repair(image, MM)
    assert faces(out, (CSF, GREY, WHITE), (SCALP, 0)) == 0
    assert kinds(report) == {"bone": True}
    for name, v in report.before.items():
        assert report.after[name] == pytest.approx(v, rel=5e-3)
    assert np.count_nonzero(out != ball()) < 20


def test_a_wide_opening_stays_and_is_told() -> None:
    image = ball()
    x = np.arange(64) - 31.5
    wide = (np.hypot(x[:, None], x[None, :]) < 10)[:, :, None] & (np.arange(64) < 20)
    image[wide & (image == SKULL)] = SCALP
    out, report = repair(image, MM)
    told = [f for f in report.findings if f.kind == "contact"]
    assert len(told) == 1
    assert not told[0].mended
    assert "mostly around (3" in told[0].text  # the middle of the opening, x = 31.5 mm
    assert faces(out, (CSF,), (SCALP,)) > 200


def test_csf_is_put_between_brain_and_bone() -> None:
    image = ball()
    x = np.arange(64) - 31.5
    cap = (np.hypot(x[:, None], x[None, :]) < 5)[:, :, None] & (np.arange(64) > 32)
    image[cap & (image == CSF)] = GREY
    out, report = repair(image, MM)
    assert faces(image, (GREY,), (SKULL,)) > 50
    assert faces(out, (WHITE, GREY), (SKULL, SCALP)) == 0
    assert faces(out, (CSF,), (SCALP, 0)) == 0
    assert kinds(report) == {"csf": True}
    assert abs(report.after["skull"] / report.before["skull"] - 1) < 0.01


def test_too_much_change_is_not_made() -> None:
    image = ball()
    image[image == CSF] = GREY  # a head without CSF, but for a drop
    image[32, 32, 32] = CSF
    out, report = repair(image, MM)
    assert np.count_nonzero(out == CSF) <= 1
    assert "csf would change by" in str(report)
    for name, v in report.before.items():
        if name != "csf":
            assert abs(report.after[name] / v - 1) <= MOST_CHANGE


def test_empty_slices_edges_and_few() -> None:
    image = ball()
    image[:, 30, :] = 0
    image[:, :, 40:42] = 0
    image[35, 35, 35] = 6  # an eye of one voxel
    out, report = repair(image[:, :, 8:], MM)
    assert (out[:, 30, 10] > 0).any()
    assert np.array_equal(out[:, 30, 20] == 0, out[:, 29, 20] == 0)
    text = str(report)
    assert "the head is cut off at the bottom edge of the image" in text
    assert "slice 32 along axis 2 and its neighbour have no label" in text
    assert "eye has only 1 voxel" in text


def test_mirrored_sides() -> None:
    values = np.zeros((20, 20, 20), np.int16)
    values[3:9, 5:15, 5:15] = 2
    values[11:17, 5:15, 5:15] = 41
    table = label_table("freesurfer")
    assert mirrored(values, MM, table) is None
    warning = mirrored(values[::-1], MM, table)
    assert warning is not None
    assert "8 mm to the right" in warning
    assert mirrored((values == 2).astype(np.int16), MM, label_table("simnibs")) is None


def test_anisotropic_voxels() -> None:
    image = ball()[:, :, ::3]
    affine = np.diag([1e-3, 1e-3, 3e-3, 1.0])
    image[32, 32, 10] = 0
    out, report = repair(image, affine)
    assert out[32, 32, 10] == WHITE
    assert report.findings[0].volume == pytest.approx(3e-9)
