"""Connectivity against mixtures whose correlation, coherence and phase locking are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal, special

from rheobase._errors import InputError
from rheobase.neurons.measures.connectivity import (
    compare_connectivity,
    functional_connectivity,
    segments,
)

DT = 1e-3
BAND = (5.0, 100.0)


def mixture(n: int, share: float, *, seed: int) -> np.ndarray:
    """Two signals with a common part of variance ``share`` and a third without it."""
    common, *own = np.random.default_rng(seed).standard_normal((4, n))
    pair = [np.sqrt(share) * common + np.sqrt(1 - share) * x for x in own[:2]]
    return np.stack([*pair, own[2]])


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_mixture_has_its_correlation_and_coherence(share: float) -> None:
    n = 100_000
    x = mixture(n, share, seed=1)
    r = functional_connectivity(x, DT)
    assert r[0, 1] == pytest.approx(share, abs=4 * (1 - share**2) / np.sqrt(n))
    assert r[0, 2] == pytest.approx(0, abs=4 / np.sqrt(n))
    c = functional_connectivity(x, DT, measure="coherence", band=BAND)
    k = 199 * 18 / 19  # as many stretches without overlap would say as much as these do
    free = 96 / 2  # frequencies, whose neighbours share a window
    exact = share**2 + (1 - share**2) ** 2 / k
    spread = np.sqrt(2 / k) * share * (1 - share**2)
    assert c[0, 1] == pytest.approx(exact, abs=4 * spread / np.sqrt(free))
    assert c[0, 2] == pytest.approx(1 / k, rel=4 / np.sqrt(free))
    np.testing.assert_array_equal(np.diag(c), 1)
    np.testing.assert_allclose(c, c.T, atol=1e-15)


def test_coherence_is_scipys() -> None:
    x = mixture(20_300, 0.5, seed=2)
    frequency, each = signal.coherence(x[0], x[1], fs=1 / DT, nperseg=500)
    inside = (frequency >= BAND[0]) & (frequency <= BAND[1])
    found = functional_connectivity(x, DT, measure="coherence", band=BAND, resolution=2.0)
    assert found[0, 1] == pytest.approx(each[inside].mean(), rel=1e-12)


def test_phase_locking_of_normal_signals_follows_their_coherency() -> None:
    # of two circular complex normal numbers with coherency g: pi/4 g F(1/2, 1/2; 2; g²)
    share = 0.6
    exact = np.pi / 4 * share * special.hyp2f1(0.5, 0.5, 2, share**2)
    x = mixture(400_000, share, seed=3)
    found = functional_connectivity(x, DT, measure="plv", band=(20.0, 60.0))
    free = 400 * 40  # seconds times bandwidth
    assert found[0, 1] == pytest.approx(exact, abs=4 / np.sqrt(free))
    assert found[0, 2] < 4 / np.sqrt(free)


def test_band_limits_the_correlation() -> None:
    t = DT * np.arange(20_000)
    rng = np.random.default_rng(4)
    common = 0.3 * np.sin(2 * np.pi * 10 * t)
    x = common + rng.standard_normal((2, len(t)))
    assert functional_connectivity(x, DT)[0, 1] < 0.1
    assert functional_connectivity(x, DT, band=(9.0, 11.0))[0, 1] > 0.8


def fisher(rng: np.random.Generator, k: int, mean: np.ndarray) -> np.ndarray:
    """Matrices whose entries scatter around ``mean`` on Fisher's scale by 0.1."""
    n = len(mean)
    noise = np.triu(0.1 * rng.standard_normal((k, n, n)), 1)
    value = np.tanh(np.arctanh(mean * (1 - np.eye(n))) + noise + noise.swapaxes(1, 2))
    return np.asarray(np.where(np.eye(n), 1.0, value))


@pytest.mark.parametrize("paired", [True, False])
def test_no_change_is_found_as_often_as_the_level_says(paired: bool) -> None:
    rng = np.random.default_rng(5)
    mean = np.full((5, 5), 0.4)
    cases, hits = 300, 0
    for seed in range(cases):
        found = compare_connectivity(
            fisher(rng, 10, mean),
            fisher(rng, 10, mean),
            paired=paired,
            n_permutations=199,
            seed=seed,
        )
        hits += bool((found.p_value < 0.05).any())
    assert hits / cases == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / cases))


@pytest.mark.parametrize("paired", [True, False])
def test_one_changed_pair_is_found_and_no_other(paired: bool) -> None:
    rng = np.random.default_rng(6)
    before = np.full((6, 6), 0.3)
    after = before.copy()
    after[1, 4] = after[4, 1] = 0.6
    found = compare_connectivity(
        fisher(rng, 12, before), fisher(rng, 10 + 2 * paired, after), paired=paired
    )
    changed = found.p_value < 0.05
    assert np.argwhere(changed).tolist() == [[1, 4], [4, 1]]
    assert found.difference[1, 4] == pytest.approx(0.3, abs=0.1)
    assert found.t[1, 4] > 4
    np.testing.assert_array_equal(np.diag(found.p_value), 1)
    np.testing.assert_array_equal(found.p_value, found.p_value.T)


def test_few_pairs_are_permuted_exhaustively() -> None:
    rng = np.random.default_rng(7)
    before = fisher(rng, 6, np.full((3, 3), 0.1))
    after = fisher(rng, 6, np.full((3, 3), 0.9))
    found = compare_connectivity(before, after)
    assert found.n_permutations == 64
    assert found.p_value[0, 1] == pytest.approx(2 / 64)  # as it is and all signs turned


def test_segments_keep_channels_and_drop_the_rest() -> None:
    x = np.arange(22.0).reshape(2, 11)
    cut = segments(x, 5)
    assert cut.shape == (5, 2, 2)
    np.testing.assert_array_equal(cut[3], [[6, 7], [17, 18]])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: functional_connectivity(x, DT, measure="coherance"), "nearest: coherence"),
        (lambda x: functional_connectivity(x, DT, measure="plv"), "plv needs a band"),
        (lambda x: functional_connectivity(x[:1], DT), "signals must be 2 or more"),
        (lambda x: functional_connectivity(0 * x, DT), "number 0 does not"),
        (lambda x: functional_connectivity(x, DT, band=(3, 2)), "band must be 0 < low < high"),
        (
            lambda x: functional_connectivity(
                x, DT, measure="coherence", band=(1, 2), resolution=0.1
            ),
            "resolution must be 2..125 Hz",
        ),
        (lambda x: segments(x, 0), "n must be 1..1000"),
        (lambda x: compare_connectivity(x, x), "before must have shape"),
        (lambda x: compare_connectivity(np.ones((2, 3, 3)), 2 * np.ones((2, 3, 3))), "after must"),
        (lambda x: compare_connectivity(np.ones((2, 3, 3)), np.ones((3, 3, 3))), "as many, got 2"),
    ],
)
def test_bad_input_is_one_sentence(call: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call(np.random.default_rng(0).standard_normal((2, 1000)))  # type: ignore[operator]
