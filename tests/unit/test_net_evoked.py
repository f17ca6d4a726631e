"""Evoked potentials of a known response in noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from rheobase._errors import InputError
from rheobase.neurons.measures.evoked import evoked_potential

DT = 1e-3
PULSES = 0.5 + 0.5 * np.arange(60)


def response(t: np.ndarray) -> np.ndarray:
    """A negative wave that begins 20 ms after the pulse and peaks 10 ms later."""
    late = np.maximum(t - 0.02, 0) / 0.01
    return np.asarray(-late * np.exp(1 - late))


def recording(noise: float, *, seed: int) -> np.ndarray:
    t = DT * np.arange(1, 31_001)
    x = np.zeros((3, len(t)))
    for pulse in PULSES:
        x[0] += response(t - pulse)
        x[1] -= 0.5 * response(t - pulse)
    rng = np.random.default_rng(seed)
    coloured = signal.lfilter(
        [noise * np.sqrt(1 - 0.9**2)], [1, -0.9], rng.standard_normal(x.shape)
    )
    return np.asarray(x + coloured + [[7.0], [0.0], [0.0]])


def test_mean_is_the_response_within_its_error() -> None:
    x = recording(1.0, seed=1)
    found = evoked_potential(x, DT, PULSES, before=0.2, after=0.2, names=["Cz", "Pz", "Oz"])
    assert found.n_pulses == 60
    assert found.time[200] == 0
    exact = np.stack([response(found.time), -0.5 * response(found.time), 0 * found.time])
    z = (found.mean - exact) / found.error
    assert np.mean(z**2) == pytest.approx(1, abs=0.35)
    assert found.error.mean() == pytest.approx(1 / np.sqrt(60), rel=0.15)


def test_peak_onset_and_field_power_are_the_responses() -> None:
    found = evoked_potential(recording(0.05, seed=2), DT, PULSES, before=0.2, after=0.2)
    value, latency = found.peak((0.0, 0.1))
    np.testing.assert_allclose(value[:2], [-1, 0.5], atol=0.03)
    np.testing.assert_allclose(latency[:2], 0.03, atol=3e-3)
    assert found.peak((0.0, 0.1), sign=1)[0][0] < 0.05
    onset = found.onset()
    np.testing.assert_allclose(onset[:2], 0.0205, atol=1.5e-3)
    assert np.isnan(onset[2])
    at_peak = np.std([-1, 0.5, 0])
    assert found.global_field_power.max() == pytest.approx(at_peak, abs=0.03)


@pytest.mark.parametrize("n_pulses", [6, 60])
def test_noise_alone_rarely_has_an_onset(n_pulses: int) -> None:
    noise = np.random.default_rng(3).standard_normal((150, 31_000))
    x = signal.lfilter([1], [1, -0.97], noise)  # a memory of 33 ms, as long as the time before
    found = evoked_potential(x, DT, PULSES[:n_pulses], before=0.05, after=0.2)
    assert np.mean(np.isfinite(found.onset())) <= 0.03


def test_single_pulse_has_no_error() -> None:
    found = evoked_potential(recording(0, seed=0), DT, [0.5, 30.9], before=0.2)
    assert found.n_pulses == 1
    assert np.isnan(found.error).all()
    np.testing.assert_allclose(found.mean[0], response(found.time), atol=1e-9)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: evoked_potential(x, DT, [0.01]), "no pulse has 0.05 s before"),
        (lambda x: evoked_potential(x, DT, [0.5], before=0), "before and after must be at least"),
        (lambda x: evoked_potential(x, DT, [0.5], names=["a"]), "names must be 2"),
        (lambda x: evoked_potential(x[0], DT, [0.5]), "signal must have shape with 2 axes"),
        (lambda x: evoked_potential(x, DT, [0.5]).peak((9, 10)), "window must hold a sample"),
        (lambda x: evoked_potential(x, DT, [0.5]).peak((0, 1), sign=2), "sign must be -1, 0 or 1"),
        (lambda x: evoked_potential(x, DT, [0.5], before=5e-3).onset(), "onset needs 10 samples"),
    ],
)
def test_bad_input_is_one_sentence(call: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call(np.zeros((2, 1000)))  # type: ignore[operator]
