"""Published mappings from Hounsfield units, and skulls out of tomograms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.acoustics.hounsfield import hounsfield_mapping, mapping_names
from rheobase.fields.acoustics.window.anatomy import Kind
from rheobase.fields.acoustics.window.tomogram import from_hounsfield
from rheobase.fields.acoustics.window.window import beam_window

RADII = (73.5e-3, 80.0e-3, 85.0e-3)
APEX = 94e-3
Image = NDArray[np.float32]


def skull_image(*, marrow: float = 600.0) -> tuple[Image, NDArray[np.float64]]:
    """Return the top of a spherical skull, tables of 1.5 and 1 mm, as a scanner of 0.5 mm sees it.

    Sampled at 0.25 mm, blurred by 0.5 mm, averaged to 0.5 mm, with noise of 20 HU.
    """
    from scipy import ndimage

    fine = 0.25e-3
    x = np.arange(-18e-3, 18e-3, fine)
    z = np.arange(62e-3, 92e-3, fine)
    r = np.sqrt(x[:, None, None] ** 2 + x[:, None] ** 2 + z**2)
    edges = [RADII[0], RADII[0] + 1e-3, RADII[1] - 1.5e-3, RADII[1], RADII[2]]
    units = np.array([35.0, 1600.0, marrow, 1600.0, 40.0, -1000.0], np.float32)
    image = ndimage.gaussian_filter(units[np.searchsorted(edges, r)], 0.5e-3 / fine)
    nx, nz = len(x) // 2, len(z) // 2
    coarse = image.reshape(nx, 2, nx, 2, nz, 2).mean(axis=(1, 3, 5))
    coarse += np.random.default_rng(0).normal(0.0, 20.0, coarse.shape)
    affine = np.diag([2 * fine, 2 * fine, 2 * fine, 1.0])
    affine[:3, 3] = np.array([x[0], x[0], z[0]]) + 0.5 * fine
    return coarse.astype(np.float32), affine


def downwards() -> NDArray[np.float64]:
    """Return the frame of a beam along -z from the apex."""
    frame = np.diag([1.0, -1.0, -1.0, 1.0])
    frame[2, 3] = APEX
    return frame


@pytest.mark.parametrize("name", mapping_names())
def test_mappings_are_plausible_and_say_where_they_come_from(name: str) -> None:
    """Denser bone is faster; all stay within what bone can be; each has source and status."""
    mapping = hounsfield_mapping(name)
    speed, density, loss = mapping.bone(np.arange(300.0, 2001.0, 100.0), 500e3)
    assert (np.diff(speed) >= 0).all()
    assert (np.diff(density) >= 0).all()
    assert 1500 < speed.min() < speed.max() < 4200
    assert 1000 < density.min() < density.max() < 3100
    assert (loss > 0).all()
    assert any("doi" in note or "k-Plan" in note for note in mapping.notes())
    assert mapping.record["status"]


def test_mappings_give_published_numbers() -> None:
    """Values by hand from the published formulas."""
    speed, density, loss = hounsfield_mapping("aubry2003").bone(1000.0, 1e6)
    assert (float(speed), float(density)) == (2300.0, 1600.0)  # porosity one half
    decibel = 100.0 * np.log(10.0) / 20.0
    assert loss == pytest.approx((0.2 + 7.8 * np.sqrt(0.5)) * decibel)
    speed, _, loss = hounsfield_mapping("webb2018").bone(1000.0, 1e6)
    assert speed == pytest.approx(0.75 * 1000.0 + 1320.0)
    assert loss == pytest.approx(2600.0 * np.exp(-1.6))
    _, half, _ = hounsfield_mapping("webb2018", scanner="Siemens 120 B").bone(1000.0, 1e6)
    assert half == pytest.approx(0.6625370912451 * 2000.0 + 348.8555178455294)
    speed, density, loss = hounsfield_mapping("mcdannold2019").bone(1000.0, 660e3)
    rho = 1.01237293 * 1000.0 + 1013.66593
    slowness = 1.24e-3 - 7.63e-7 * rho + 1.69e-10 * rho**2 + 5.31e-16 * rho**3 - 2.79e-18 * rho**4
    attenuation = 5.71e3 - 9.02 * rho + 5.40e-3 * rho**2 - 1.41e-6 * rho**3 + 1.36e-10 * rho**4
    assert (speed, density) == pytest.approx((1.0 / slowness, rho))
    assert loss == pytest.approx(attenuation)
    speed, density, loss = hounsfield_mapping("kplan").bone(1000.0, 500e3)
    assert speed == pytest.approx(1.33 * density + 167.0)
    assert loss == pytest.approx(13.3 * decibel * 0.5)


def test_density_of_four_lines_has_small_steps() -> None:
    """The four lines meet to 2 kg/m³ (they are separate fits)."""
    hu = np.array([-70.0, 98.0, 260.0])
    record = hounsfield_mapping("kplan")
    wide = {**record.record, "hu_least": -1000.0}
    mapping = type(record)(name="wide", record=wide, row={})
    _, below, _ = mapping.bone(hu - 1e-6, 1e6)
    _, above, _ = mapping.bone(hu + 1e-6, 1e6)
    np.testing.assert_allclose(below, above, atol=2.0)


def test_unknown_mappings_and_scanners_are_refused() -> None:
    with pytest.raises(InputError, match="expected finite Hounsfield units, got 1 of 2 not"):
        hounsfield_mapping("kplan").bone([300.0, float("nan")], 500e3)
    with pytest.raises(InputError, match="expected a frequency in Hz"):
        hounsfield_mapping("kplan").bone(300.0, 500.0)
    """With the nearest names."""
    with pytest.raises(InputError, match="nearest: aubry2003"):
        hounsfield_mapping("aubrey2003")
    with pytest.raises(InputError, match="unknown scanner"):
        hounsfield_mapping("webb2018", scanner="GE 120 Bone")
    with pytest.raises(InputError, match="expected no scanner"):
        hounsfield_mapping("kplan", scanner="GE 120 B")


def test_surfaces_of_a_spherical_skull() -> None:
    """Surfaces lie between voxels: outer 0.15 mm, inner 0.3 mm, skin 0.05 mm; normals to 1°.

    A table of 1 mm seen with a blur of 0.5 mm is never as bright as it is, so that half-way is a
    little outside of it: 0.2 mm at the inner table; a fixed threshold of 300 HU is off by 0.55 mm.
    """
    image, affine = skull_image()
    tomogram = from_hounsfield(image, affine, mapping="kplan")
    window = beam_window(tomogram, downwards(), half_width=14e-3, depth=(3e-3, 28e-3))
    x, y = window.rays.x[:, None], window.rays.y[None]
    for k, (radius, bias) in enumerate(zip(RADII[::-1], (0.05, 0.15, 0.3), strict=True)):
        fall = np.sqrt(radius**2 - x**2 - y**2)
        surface = window.layers.surfaces[k]
        error = 1e3 * (surface(x, y) - (APEX - fall))
        assert abs(error.mean()) < bias
        assert error.std() < 0.03
        gx, gy = surface.gradient(x, y)
        tilt = np.degrees(np.hypot(gx - x / fall, gy - y / fall) * (fall / radius) ** 2)
        assert np.sqrt((tilt**2).mean()) < 1.0
    assert window.report.conforming == 1.0
    assert window.layered is not None
    assert [f.name for f in window.layered.fluids] == ["water", "scalp", "bone", "grey_matter"]
    assert any("kplan" in note for note in window.notes)


def test_bone_differs_from_place_to_place() -> None:
    """Tables are faster than marrow, marrow has the mapping's values, and heat is a share."""
    image, affine = skull_image()
    tomogram = from_hounsfield(image, affine, mapping="kplan")
    window = beam_window(tomogram, downwards(), half_width=8e-3, depth=(3e-3, 28e-3))
    table, marrow, brain, skin = APEX - 79.2e-3, APEX - 76.5e-3, APEX - 70e-3, APEX - 82e-3
    points = [[0.0, 0.0, z] for z in (table, marrow, brain, skin, 5e-3)]
    c, rho, alpha, absorbed = window.sound(points, 500e3).T
    expected = hounsfield_mapping("kplan").bone(600.0, 500e3)
    assert c[1] == pytest.approx(expected[0], rel=0.05)
    assert rho[1] == pytest.approx(expected[1], rel=0.05)
    assert c[0] > 1.2 * c[1]
    assert c[2:].tolist() == [1560.0, 1610.0, 1500.0]
    # 2.7 dB/(cm MHz), or all of the loss where that is less
    np.testing.assert_allclose(absorbed[:2], np.minimum(alpha[:2], 135.0 * np.log(10.0) / 20.0))


def test_marrow_like_soft_tissue_does_not_end_the_skull() -> None:
    """With marrow of 100 HU the skull still reaches from the outer to the inner table."""
    image, affine = skull_image(marrow=100.0)
    tomogram = from_hounsfield(image, affine, mapping="aubry2003")
    window = beam_window(tomogram, downwards(), half_width=8e-3, depth=(3e-3, 28e-3))
    assert 1e3 * window.report.thickness[2] == pytest.approx(6.5, abs=0.5)
    none = from_hounsfield(image, affine, mapping="aubry2003", gap=0.0)
    split = beam_window(none, downwards(), half_width=8e-3, depth=(3e-3, 28e-3))
    assert 1e3 * split.report.thickness[2] < 2.5
    assert split.report.far_bone == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: np.where(v > 1500, np.nan, v), "NaN or infinite"),
        (lambda v: (v + 1000) / 3000, "scaled to 0 … 1"),
        (lambda v: v + 1024, "stored values, subtract their offset"),
        (lambda v: np.minimum(v, 100), "expected bone in the image"),
        (lambda v: v[0], "three axes"),
        (lambda v: v * 100, "none is above"),
    ],
)
def test_images_in_other_units_are_refused(change: object, message: str) -> None:
    """NaN, scaled values, stored values, no bone, a slice, and far too large numbers."""
    line = np.linspace(-1000.0, 1600.0, 9).astype(np.float32)
    image = np.broadcast_to(line[:, None, None], (9, 20, 20))
    assert callable(change)
    with pytest.raises(InputError, match=message):
        from_hounsfield(change(image), np.eye(4), mapping="kplan")


def test_tomograms_are_read_from_files(tmp_path: Path) -> None:
    """A NIfTI file in mm; what is wrong with one is told with its name."""
    import nibabel as nib

    line = np.linspace(-1000.0, 1600.0, 9).astype(np.float32)
    image = np.broadcast_to(line[:, None, None], (9, 20, 20)).copy()
    path = tmp_path / "ct.nii.gz"
    nib.save(nib.Nifti1Image(image, np.eye(4)), path)
    tomogram = from_hounsfield(path, mapping="webb2018", scanner="Siemens 120 B")
    assert tomogram.detail == pytest.approx(1e-3)
    assert tomogram.hounsfield(np.array([[8e-3, 0.01, 0.01]])) == pytest.approx([1600.0])
    assert "Siemens 120 B" in " ".join(tomogram.notes)
    image[0, 0, 0] = np.nan
    nib.save(nib.Nifti1Image(image, np.eye(4)), path)
    with pytest.raises(InputError, match=r"1 voxels that are not .*ct\.nii\.gz"):
        from_hounsfield(path, mapping="kplan")
    with pytest.raises(InputError, match="affine of shape"):
        from_hounsfield(image, mapping="kplan")


def test_beyond_the_image_is_air() -> None:
    """A place outside of the image is outside of the head."""
    line = np.linspace(-1000.0, 1600.0, 9).astype(np.float32)
    image = np.broadcast_to(line[:, None, None], (9, 20, 20))
    tomogram = from_hounsfield(image, np.diag([1e-3, 1e-3, 1e-3, 1.0]), mapping="kplan")
    points = np.array([[0.008, 0.01, 0.01], [0.02, 0.01, 0.01], [0.0035, 0.01, 0.01]])
    assert tomogram.kinds(points).tolist() == [Kind.COMPACT, Kind.OUTSIDE, Kind.SOFT]
