"""Power spectra against processes whose spectrum is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal, stats

from rheobase._errors import InputError
from rheobase.neurons.measures.spectra import Spectrum, multitaper, welch

DT = 1e-3  # s
AR = (1.0, -1.8 * np.cos(2 * np.pi * 20 * DT), 0.81)  # a resonance near 20 Hz


def resonance(n: int, *, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(n + 1000)
    return np.asarray(signal.lfilter([1.0], AR, noise))[1000:]


def exact(frequency: np.ndarray) -> np.ndarray:
    """One-sided density of the autoregression driven by unit noise."""
    z = np.exp(-2j * np.pi * np.outer(frequency * DT, np.arange(3)))
    return np.asarray(2 * DT / np.abs(z @ AR) ** 2)


@pytest.mark.parametrize("method", ["welch", "multitaper"])
def test_autoregression_has_its_density_within_the_interval(method: str) -> None:
    x = resonance(20_000, seed=1)
    found = welch(x, DT, resolution=2.0) if method == "welch" else multitaper(x, DT, bandwidth=0.5)
    inner = (found.frequency > 5) & (found.frequency < 450)
    ratio = found.density[inner] / exact(found.frequency[inner])
    low, high = found.interval(0.95)
    covered = np.mean((ratio * low < 1) & (ratio * high > 1))
    # a multitaper's values within twice the bandwidth go together: some 900 Hz / 1 Hz are free
    free = min(int(inner.sum()), 445)
    assert abs(covered - 0.95) < 4 * np.sqrt(0.05 * 0.95 / free)
    # chi-squared with its degrees of freedom, in mean and in spread
    assert abs(ratio.mean() - 1) < 4 * np.sqrt(2 / found.degrees / free) + 2e-3
    assert ratio.std() == pytest.approx(np.sqrt(2 / found.degrees), rel=0.25)


def test_density_integrates_to_the_variance() -> None:
    x = 3 * np.random.default_rng(0).standard_normal((2, 100_000))
    for found in (welch(x, DT), multitaper(x[:, :5000], DT)):
        whole = found.power((0, found.frequency[-1]))
        np.testing.assert_allclose(whole, 9, rtol=4 * np.sqrt(2 / 5000))


def test_sine_has_half_its_square_as_power_and_its_frequency_as_peak() -> None:
    t = DT * np.arange(20_000)
    frequency = np.array([10.0, 10.3, 10.5, 10.77])
    x = 2 * np.sin(2 * np.pi * frequency[:, None] * t)
    found = welch(x, DT)
    np.testing.assert_allclose(found.power((6, 15)), 2, rtol=1e-3)
    np.testing.assert_allclose(found.peak((5, 20)), frequency, atol=0.02)
    np.testing.assert_allclose(multitaper(x, DT, bandwidth=1).power((6, 15)), 2, rtol=1e-3)


def test_power_of_a_linear_density_is_exact_between_its_frequencies() -> None:
    f = np.arange(11.0)
    found = Spectrum(frequency=f, density=np.stack([f, 0 * f + 2]), degrees=2)
    np.testing.assert_allclose(found.power((2.5, 7.25)), [(7.25**2 - 2.5**2) / 2, 9.5], rtol=1e-14)
    np.testing.assert_allclose(found.power((0, 10)), [50, 20], rtol=1e-14)
    np.testing.assert_allclose(found.power((3.2, 3.4)), [0.66, 0.4], rtol=1e-12)


def test_degrees_of_freedom_of_half_overlapping_windows() -> None:
    # Percival & Walden: 36 k²/(19 k - 1) for Hann windows that overlap by half
    found = welch(np.zeros(10_000), DT)
    assert found.degrees == pytest.approx(36 * 19**2 / (19 * 19 - 1))
    low, high = found.interval()
    assert 1 / low == pytest.approx(stats.chi2.ppf(0.975, found.degrees) / found.degrees)
    assert low < 1 < high


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: welch([1.0, np.nan], DT), "finite"),
        (lambda: welch(np.zeros(100), 0), "dt must be > 0"),
        (lambda: welch(np.zeros(100), DT), "resolution must be 10..125 Hz"),
        (lambda: multitaper(np.zeros(100), DT, bandwidth=2), "bandwidth must be 10..250 Hz"),
        (lambda: welch(np.zeros(2000), DT).power((5, 600)), "band must lie within 0..500 Hz"),
        (lambda: welch(np.zeros(2000), DT).peak((5, 6)), "band must hold 3 frequencies, got 2"),
    ],
)
def test_bad_input_is_one_sentence(call: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()  # type: ignore[operator]
