"""Speed of waves whose speed is known, with noise and with outliers."""

from __future__ import annotations

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.neurons.measures.propagation import plane_wave, radial_speed


def test_noiseless_waves_have_their_speed_exactly() -> None:
    rng = np.random.default_rng(0)
    place = rng.uniform(-1e-3, 1e-3, (30, 2))
    along = np.array([0.6, 0.8])
    found = plane_wave(place, 5e-3 + place @ along / 0.3)
    assert found.speed == pytest.approx(0.3, rel=1e-9)
    assert found.delay == pytest.approx(5e-3, rel=1e-9)
    assert found.low == pytest.approx(found.high, rel=1e-6)
    np.testing.assert_allclose(found.direction, along, rtol=1e-9)
    distance = np.linalg.norm(place, axis=1)
    radial = radial_speed(distance, 2e-3 + distance / 0.3)
    assert (radial.speed, radial.delay) == pytest.approx((0.3, 2e-3), rel=1e-9)
    assert radial.n == 30


@pytest.mark.parametrize("kind", ["radial", "plane"])
def test_interval_covers_the_speed_as_often_as_it_says(kind: str) -> None:
    rng = np.random.default_rng(1)
    cases, hits = 150, 0
    for _ in range(cases):
        place = rng.uniform(-1e-3, 1e-3, (25, 3))
        noise = 1e-3 * rng.standard_normal(25)
        if kind == "radial":
            distance = np.linalg.norm(place, axis=1)
            found = radial_speed(distance, distance / 0.3 + noise, confidence=0.9)
        else:
            found = plane_wave(place, place @ [0, 0.6, 0.8] / 0.3 + noise, confidence=0.9)
        hits += found.low <= 0.3 <= found.high
    assert hits / cases == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / cases))


@pytest.mark.parametrize("kind", ["radial", "plane"])
def test_outliers_and_places_without_onset_do_not_move_the_speed(kind: str) -> None:
    rng = np.random.default_rng(2)
    place = rng.uniform(-1e-3, 1e-3, (60, 2))
    distance = np.linalg.norm(place, axis=1)
    path = distance if kind == "radial" else place[:, 0]
    onset = 3e-3 + path / 0.25 + 0.1e-3 * rng.standard_normal(60)
    onset[:8] = rng.uniform(0, 0.05, 8)  # answers for another reason
    onset[8:15] = np.nan
    found = radial_speed(distance, onset) if kind == "radial" else plane_wave(place, onset)
    assert found.n == 53
    assert found.speed == pytest.approx(0.25, rel=0.05)
    assert found.low < 0.25 < found.high
    if kind == "plane":
        assert found.direction[0] > 0.99
    plain = np.polyfit(path[np.isfinite(onset)], onset[np.isfinite(onset)], 1)[0]
    assert abs(1 / plain - 0.25) > 0.05  # least squares is moved


def test_onset_everywhere_at_once_has_no_finite_speed() -> None:
    rng = np.random.default_rng(3)
    distance = rng.uniform(0, 1e-3, 40)
    found = radial_speed(distance, 5e-3 + 1e-3 * rng.standard_normal(40))
    assert found.high == np.inf
    backwards = radial_speed(distance, 5e-3 - distance / 0.3)
    assert backwards.speed == np.inf


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: radial_speed([1, 2], [1, np.nan]), "needs 3 onsets at 2 distances, got 1"),
        (lambda: radial_speed([1, 1, 1], [1, 2, 3]), "needs 3 onsets at 2 distances"),
        (lambda: radial_speed([1, 2], [1]), "distance and onset must be"),
        (lambda: plane_wave(np.zeros((9, 2)), np.zeros(9)), "places that span 2 dimensions"),
        (lambda: plane_wave(np.eye(3), np.zeros(3)), "plane wave needs 6 onsets"),
        (lambda: plane_wave(np.zeros(3), np.zeros(3)), "positions and onset must be"),
    ],
)
def test_bad_input_is_one_sentence(call: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()  # type: ignore[operator]
