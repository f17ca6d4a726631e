"""Irregularity and synchrony against trains whose statistics are known."""

from __future__ import annotations

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.neurons.measures.trains import (
    count_correlation,
    fano,
    interval_cv,
    population_rate,
    synchrony,
)
from rheobase.neurons.network.simulation import Spikes

DT = 1e-4


def spikes(trains: list[np.ndarray], duration: float, sizes: tuple[int, ...]) -> Spikes:
    """Spikes of trains (s), the populations in order."""
    times = np.concatenate([np.maximum(np.rint(t / DT), 1) * DT for t in trains])
    ids = np.repeat(np.arange(len(trains), dtype=np.int32), [len(t) for t in trains])
    order = np.lexsort((ids, times))
    names = tuple("ABC"[: len(sizes)])
    return Spikes(
        times=times[order],
        ids=ids[order],
        names=names,
        first=np.concatenate([[0], np.cumsum(sizes)]),
        layers=names,
        excitatory=(True,) * len(sizes),
        duration=duration,
        dt=DT,
        seed=0,
        currents=None,
        potentials=np.empty((0, 0)),
    )


def renewal(shape: float, rate: float, duration: float, rng: np.random.Generator) -> np.ndarray:
    """A stationary train of gamma-distributed intervals, their start forgotten."""
    n = int(rate * (duration + 5) + 10 * np.sqrt(rate * (duration + 5)) + 20)
    times = np.cumsum(rng.gamma(shape, 1 / (shape * rate), n)) - 5
    return np.asarray(times[(times > 0) & (times < duration)])


def test_gamma_intervals_have_their_variation_and_fano_factor() -> None:
    rng = np.random.default_rng(2)
    duration = 100.0
    trains = [renewal(k, 20, duration, rng) for k in (1, 4) for _ in range(50)]
    run = spikes(trains, duration, (50, 50))
    cv = interval_cv(run)
    assert cv["A"] == pytest.approx(1, abs=0.015)
    assert cv["B"] == pytest.approx(0.5, abs=0.01)
    counts = fano(run, window=2.0)
    assert counts["A"] == pytest.approx(1, abs=0.12)  # 50 neurons of 50 windows: 4 x 0.028
    # a renewal process counts with CV² in long windows (plus (1 - CV^4)/6 of one mean count)
    assert counts["B"] == pytest.approx(0.25, abs=0.03)


def test_copies_of_a_mother_train_correlate_as_the_chance_to_copy() -> None:
    rng = np.random.default_rng(3)
    duration, rate, n = 200.0, 20.0, 40
    trains = []
    for c in (0.1, 0.4):
        mother = rng.uniform(0, duration, rng.poisson(rate / c * duration))
        trains += [np.sort(mother[rng.random(len(mother)) < c]) for _ in range(n)]
    run = spikes(trains, duration, (n, n))
    correlation, together = count_correlation(run), synchrony(run)
    for name, c in (("A", 0.1), ("B", 0.4)):
        assert correlation[name] == pytest.approx(c, rel=0.1)
        assert together[name] == pytest.approx(np.sqrt((1 + (n - 1) * c) / n), rel=0.05)


def test_independent_trains_are_asynchronous_and_equal_ones_are_one() -> None:
    rng = np.random.default_rng(4)
    alone = [renewal(1, 20, 50, rng) for _ in range(25)]
    run = spikes([*alone, *([alone[0]] * 9)], 50, (25, 9))
    assert synchrony(run)["A"] == pytest.approx(0.2, rel=0.05)
    assert count_correlation(run)["A"] == pytest.approx(0, abs=0.01)
    assert synchrony(run)["B"] == pytest.approx(1, rel=1e-6)
    assert count_correlation(run)["B"] == pytest.approx(1, rel=1e-5)


def test_rate_in_bins_counts_each_spike_once() -> None:
    run = spikes([np.array([1e-3, 1.1e-3, 5e-3]), np.array([2e-3])], 5e-3, (1, 1))
    rate = population_rate(run, bin_width=1e-3)
    np.testing.assert_array_equal(rate * 1e-3, [[1, 1, 0, 0, 1], [0, 1, 0, 0, 0]])
    part = population_rate(run, bin_width=2e-3, start=1e-3)
    np.testing.assert_array_equal(part * 2e-3, [[1, 1], [1, 0]])


def test_silent_populations_have_no_measure() -> None:
    run = spikes([np.array([0.1, 0.2]), np.empty(0)], 1.0, (1, 1))
    assert np.isnan(interval_cv(run)["A"])
    for measure in (interval_cv, fano, synchrony, count_correlation):
        assert np.isnan(measure(run)["B"])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda run: population_rate(run, bin_width=1.5e-4), "whole number of 0.0001 s"),
        (lambda run: population_rate(run, start=0.5, stop=2), "interval must lie within"),
        (lambda run: fano(run, window=0.8), "interval must hold 2 bins"),
        (lambda run: synchrony(run, bin_width=2.0), "interval must hold a bin"),
        (lambda run: interval_cv(run, least=1), "least must be >= 2"),
    ],
)
def test_bad_input_is_one_sentence(call: object, words: str) -> None:
    run = spikes([np.array([0.1, 0.2])], 1.0, (1,))
    with pytest.raises(InputError, match=words):
        call(run)  # type: ignore[operator]
