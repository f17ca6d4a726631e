"""The parametric ear, its electrodes and the fibres of the auricular branch."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields import FieldBasis
from rheobase.meshes.head import Head
from rheobase.meshes.heads import BUILT_IN, build_head
from rheobase.meshes.heads.ear_shape import EAR_SITES, SITES, ear_shape, ear_sizes
from rheobase.neurons.auricular import AuricularRecruitment, auricular_recruitment, courses
from rheobase.neurons.auricular.courses import TERRITORIES
from rheobase.neurons.auricular.field import ear_field, ear_montage
from rheobase.validation.auricular import flat_field, flat_thresholds, layered_disc


@cache
def ear() -> Head:
    return build_head("ear", edge_length_mm=1.4)


@cache
def cymba_field() -> FieldBasis:
    return ear_field(ear(), ("cymba_concha",))


def test_shape_has_its_sizes() -> None:
    shape, sizes = ear_shape(), ear_sizes()[0]
    sheet, normal, _ = shape.sheet
    local = sheet @ shape.axes.T
    assert np.ptp(local[:, 1]) + 2 * shape.back == pytest.approx(sizes["pinna width"], rel=0.05)
    high = local[:, 2].max() + shape.back
    assert high == pytest.approx(0.5 * sizes["pinna height"], rel=0.02)
    lateral = (sheet + shape.front * normal)[:, 0].max()
    assert lateral == pytest.approx(sizes["protrusion"], abs=3e-3)
    u, v, a, _ = shape.concha
    rim, floor = shape.height(np.array([u - a, u]), np.array([v, v]))
    assert 0.6 * sizes["concha depth"] < rim - floor < 1.1 * sizes["concha depth"]


def test_fibres_keep_their_depth_under_the_skin() -> None:
    shape = ear_shape()
    for territory in TERRITORIES:
        for line in courses(territory, 4, depth=0.5e-3):
            solid, beside, _ = shape.solid(line)
            assert (solid > (0.2e-3 if territory == "tragus" else 0.45e-3)).all()
            on_sheet = line[:, 0] > -0.9 * shape.sizes["canal cartilage"]
            away = np.abs(beside[on_sheet] - (shape.front - 0.5e-3))
            # where the tragus stands on the canal two sheets meet
            assert np.median(away) < 0.02e-3
            assert territory == "tragus" or away.max() < 0.15e-3
            step = np.linalg.norm(np.diff(line, axis=0), axis=1)
            assert step.max() < 0.3e-3


def test_courses_are_checked_and_reproducible() -> None:
    one, two = courses("tragus", 2, seed=3), courses("tragus", 2, seed=3)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    with pytest.raises(InputError, match="unknown territory of the auricular branch 'helix'"):
        courses("helix", 1)
    with pytest.raises(InputError, match="expected fibres within 1 mm of skin, got a depth of 2"):
        courses("tragus", 1, depth=2e-3)
    with pytest.raises(InputError, match="expected one fibre or more, got 0: tragus"):
        courses("tragus", 0)


@pytest.mark.slow
def test_ear_is_a_head_with_its_sites() -> None:
    head = ear()
    assert set(head.positions) == set(EAR_SITES) == set(BUILT_IN["ear"].positions)
    volume = head.mesh.tissue_volumes()
    skin, cartilage = volume[head.label_of("skin")], volume[head.label_of("cartilage")]
    sheet = 63.9 * 28.9 * np.pi / 4 * 1e-6  # m², seen from the side
    assert 0.4 * sheet * 1.2e-3 < cartilage < 1.6 * sheet * 1.2e-3
    assert skin > cartilage
    for site in SITES:
        assert ear_montage(head, site).currents == (-1.0, 1.0)
    with pytest.raises(InputError, match="unknown site at the ear 'cymba', nearest: cymba_concha"):
        ear_montage(head, "cymba")


@pytest.mark.slow
def test_current_is_conserved() -> None:
    report = cymba_field().report[0]
    np.testing.assert_allclose(report.delivered, report.asked, atol=1e-8)
    assert report.energy_balance < 1e-8
    assert 100 < report.impedance < 2000


@pytest.mark.slow
def test_recruitment_rises_and_is_that_of_its_thresholds() -> None:
    short, long = (
        auricular_recruitment(pulse_width=w, count=3, field=cymba_field()) for w in (1e-4, 5e-4)
    )
    assert (long.threshold < short.threshold).all()
    thick = short.diameter == short.diameter.max()
    assert np.median(short.threshold[thick]) < np.median(short.threshold[~thick])
    a = np.linspace(0, 10e-3, 200)
    share = short.fraction(a)
    assert share[0] == 0
    assert (np.diff(share) >= 0).all()
    assert short.fraction(1.0) == 1.0
    q = short.quantile([0.1, 0.5, 0.9])
    assert (short.fraction(q) >= [0.1, 0.5, 0.9]).all()
    assert (short.fraction(q * (1 - 1e-9)) < [0.1, 0.5, 0.9]).all()


def test_fraction_of_known_thresholds() -> None:
    known = AuricularRecruitment(
        site="lobe",
        territory="tragus",
        polarity="anode",
        threshold=np.array([2.0, 1.0, np.inf]),
        diameter=np.full(3, 5e-6),
        weight=np.array([0.5, 0.2, 0.3]),
        from_end=np.zeros(3),
    )
    np.testing.assert_allclose(known.fraction([[0.5, 1.0], [2.0, 9.0]]), [[0, 0.2], [0.7, 0.7]])
    np.testing.assert_allclose(known.quantile([0.0, 0.2, 0.3, 0.9]), [1, 1, 2, np.inf])
    with pytest.raises(InputError, match="expected currents >= 0 A"):
        known.fraction(-1.0)
    with pytest.raises(InputError, match="expected shares of 0 to 1"):
        known.quantile(2.0)


@pytest.mark.slow
def test_recruitment_is_checked() -> None:
    with pytest.raises(InputError, match="unknown site of the field 'tragus'"):
        auricular_recruitment("tragus", field=cymba_field())
    with pytest.raises(InputError, match="unknown polarity"):
        auricular_recruitment(polarity="both")  # type: ignore[arg-type]


def test_names_are_checked_before_any_work() -> None:
    with pytest.raises(InputError, match="unknown site at the ear 'helix'"):
        auricular_recruitment("helix")
    with pytest.raises(InputError, match="unknown site at the ear 'helix'"):
        ear_field(sites=("helix",))
    with pytest.raises(InputError, match="unknown territory of the auricular branch 'lobe'"):
        auricular_recruitment("lobe", territory="lobe")


def test_disc_on_one_medium_has_the_known_potential() -> None:
    # on the axis: I / (2 pi s a²) · 2 (sqrt(a² + z²) - z) / 2 … of an evenly fed disc
    a, z, s = 2e-3, 0.7e-3, 0.4
    exact = (np.hypot(a, z) - z) / (np.pi * s * a**2)
    same = {"radius": a, "thickness": [1e-3, 2e-3], "sigma": [s, s, s]}
    assert layered_disc(np.zeros(1), z, **same)[0] == pytest.approx(exact, rel=1e-4)  # type: ignore[arg-type]
    # an insulated or a perfect second layer: images of the disc
    images = sum(
        (np.hypot(a, abs(z + 2 * k * 1e-3)) - abs(z + 2 * k * 1e-3)) * (-1.0) ** k
        for k in range(-4000, 4000)
    ) / (np.pi * s * a**2)
    over = {"radius": a, "thickness": [1e-3], "sigma": [s, 1e9]}
    assert layered_disc(np.zeros(1), z, **over)[0] == pytest.approx(images, rel=1e-3)  # type: ignore[arg-type]


def test_thresholds_below_discs_on_layers() -> None:
    field = flat_field(0.8e-3)
    found, exact = flat_thresholds(field, 10e-6)
    np.testing.assert_allclose(found, exact, rtol=0.02)
    np.testing.assert_allclose(field.report[0].delivered, [-1.0, 1.0], atol=1e-8)
    assert field.report[0].energy_balance < 1e-8


@pytest.mark.slow
def test_thresholds_converge_on_the_ear() -> None:
    middle = []
    for edge in (1.0, 0.7, 0.5):
        field = ear_field(build_head("ear", edge_length_mm=edge), ("cymba_concha",))
        middle.append(auricular_recruitment(count=12, field=field).threshold)
    coarse, fine = (np.median(np.abs(m / middle[-1] - 1)) for m in middle[:-1])
    assert fine < 0.03
    assert fine < 0.5 * coarse
