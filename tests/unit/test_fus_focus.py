"""Metrics of a focus on Gaussians, and what cuts them."""

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.acoustics.focus import _tetrahedron, difference, focus_metrics, transmission
from rheobase.fields.acoustics.media import Fluid

Axes = tuple[np.ndarray, np.ndarray, np.ndarray]
WIDTHS = np.array([3.0, 3.5, 9.0]) * 1e-3


def gaussian(
    step: float, centre: np.ndarray, half: tuple[float, ...] = (0.006, 0.006, 0.016)
) -> tuple[Axes, np.ndarray]:
    x, y, z = (np.arange(-int(h / step), int(h / step) + 1) * step for h in half)
    parts = [
        np.exp(-4 * np.log(2) * ((x - c) / w) ** 2)
        for x, c, w in zip((x, y, z), centre, WIDTHS, strict=True)
    ]
    return (x, y, z), 1e5 * np.exp(0.7j) * np.einsum("i,j,k->ijk", *parts)


@pytest.mark.parametrize("step", [5e-4, 1e-3])
@pytest.mark.parametrize("shift", [0.0, 0.23, 0.5])
def test_gaussian(step: float, shift: float) -> None:
    centre = step * np.array([shift, -shift, 0.7 * shift])
    axes, P = gaussian(step, centre)
    focus = focus_metrics(*axes, P)
    assert focus.peak == pytest.approx(1e5, rel=1e-9)
    assert focus.position == pytest.approx(centre, abs=1e-9)
    assert focus.widths == pytest.approx(WIDTHS, rel=0.006 * (step / 5e-4) ** 2)
    assert (focus.lateral[0], focus.axial) == (focus.widths[0], focus.widths[2])
    assert focus.volume == pytest.approx(np.pi / 6 * WIDTHS.prod(), rel=5e-3)
    assert focus.centroid == pytest.approx(centre, abs=1e-5)


def test_only_the_component_with_the_peak_counts() -> None:
    axes, P = gaussian(5e-4, np.zeros(3))
    other = 0.9 * np.roll(P, 11, axis=0)
    both = np.where(np.abs(P) > np.abs(other), P, other)
    one, two = focus_metrics(*axes, P), focus_metrics(*axes, both)
    assert two.volume == pytest.approx(one.volume, rel=0.01)
    assert two.widths == pytest.approx(one.widths, rel=1e-9)


def test_mask_hides_a_stronger_place() -> None:
    axes, P = gaussian(5e-4, np.zeros(3))
    strong = P.copy()
    strong[5:-5, 5:-5, :4] = 5e5
    mask = np.ones(P.shape, bool)
    mask[:, :, :10] = False
    with pytest.raises(InputError, match=r"lower z side of the lattice, -16\.00 mm"):
        focus_metrics(*axes, strong)
    assert focus_metrics(*axes, strong, mask=mask).volume == pytest.approx(
        focus_metrics(*axes, P).volume, rel=1e-9
    )


def test_cut_focus() -> None:
    axes, P = gaussian(5e-4, np.zeros(3), (0.006, 0.006, 0.003))
    with pytest.raises(InputError, match="cuts the focus along z"):
        focus_metrics(*axes, P)
    focus = focus_metrics(*axes, P, allow_cut=True)
    assert np.isnan(focus.axial)
    assert np.isnan(focus.volume)
    assert focus.widths[:2] == pytest.approx(WIDTHS[:2], rel=0.01)


def test_bad_fields() -> None:
    axes, P = gaussian(1e-3, np.zeros(3))
    bad = P.copy()
    bad[3, 3, 3] = np.nan
    with pytest.raises(InputError, match="finite pressures, 1 of"):
        focus_metrics(*axes, bad)
    with pytest.raises(InputError, match="expected a pressure of shape"):
        focus_metrics(*axes, P[1:])
    with pytest.raises(InputError, match="ascending finite y"):
        focus_metrics(axes[0], axes[1][::-1], axes[2], P)
    with pytest.raises(InputError, match="mask of shape"):
        focus_metrics(*axes, P, mask=np.zeros(P.shape))
    with pytest.raises(InputError, match="0 everywhere"):
        focus_metrics(*axes, 0 * P)


def test_share_of_tetrahedra() -> None:
    rng = np.random.default_rng(5)
    corners = rng.normal(size=(4, 400))
    inside = rng.exponential(size=(4, 40_000))
    inside /= inside.sum(axis=0)
    counted = (corners.T @ inside > 0).mean(axis=1)
    assert np.abs(_tetrahedron(corners) - counted).max() < 0.012
    for values, share in (([0, 0, 0, -1], 0), ([1, 0, 0, 0], 1), ([1, 1, 0, 0], 1)):
        assert _tetrahedron(np.array(values, float)[:, None])[0] == share


def test_transmission_and_difference() -> None:
    water = Fluid(name="water", sound_speed=1500.0, density=1000.0)
    brain = Fluid(name="brain", sound_speed=1560.0, density=1040.0)
    found = transmission(3e5, 1e6, fluid=brain, water=water)
    assert found == pytest.approx((0.3, 0.09 * 1.5e6 / (1560 * 1040), 20 * np.log10(0.3)))
    axes, P = gaussian(5e-4, np.zeros(3))
    moved = 1.02 * np.roll(P, 2, axis=2)
    d = difference(*axes, P, moved, beyond=-0.01)
    assert d.peak == pytest.approx(0.02)
    assert d.position == pytest.approx(1e-3)
    assert difference(*axes, P, 1.01 * P) == pytest.approx((0.01, 0.01, 0.01, 0.0))
    with pytest.raises(InputError, match="beyond z = 1 m"):
        difference(*axes, P, P, beyond=1.0)
    with pytest.raises(InputError, match="pressure in water > 0 Pa"):
        transmission(1.0, 0.0, fluid=brain, water=water)
