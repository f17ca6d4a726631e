"""Locking against phases, spikes and oscillators whose locking is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from rheobase._errors import InputError
from rheobase.neurons.measures.locking import (
    entrainment,
    locking,
    phase_at,
    phase_locking,
    rotation,
    signal_locking,
    signal_phase,
    stimulus_phase,
)
from rheobase.neurons.network.simulation import Spikes

DT = 1e-3


def spikes(times: np.ndarray, duration: float, start: float = 0.0) -> Spikes:
    """Spikes of one neuron (s)."""
    return Spikes(
        times=np.sort(times),
        ids=np.zeros(len(times), dtype=np.int32),
        names=("A",),
        first=np.array([0, 1]),
        layers=("A",),
        excitatory=(True,),
        duration=duration,
        dt=1e-4,
        seed=0,
        currents=None,
        potentials=np.empty((0, 0)),
        start=start,
    )


def test_von_mises_phases_lock_by_the_ratio_of_bessel_functions() -> None:
    rng = np.random.default_rng(0)
    for kappa in (0.2, 1.0, 4.0):
        found = locking(rng.vonmises(1.2, kappa, 100_000))
        exact = special.i1(kappa) / special.i0(kappa)
        assert found.strength == pytest.approx(exact, abs=4 / np.sqrt(100_000))
        assert found.phase == pytest.approx(1.2, abs=4 / (np.sqrt(100_000) * exact))
        assert found.ppc == pytest.approx(exact**2, abs=8 * exact / np.sqrt(100_000))
        assert found.p_value < 1e-6


def test_pairwise_consistency_of_few_phases_is_unbiased_where_strength_is_not() -> None:
    rng = np.random.default_rng(1)
    exact = special.i1(0.5) / special.i0(0.5)
    found = [locking(phases) for phases in rng.vonmises(0, 0.5, (6000, 8))]
    ppc = np.array([f.ppc for f in found])
    assert ppc.mean() == pytest.approx(exact**2, abs=4 * ppc.std() / np.sqrt(len(ppc)))
    assert np.mean([f.strength for f in found]) > 1.3 * exact


def bursts(rng: np.random.Generator, n: int, kappa: float) -> tuple[np.ndarray, np.ndarray]:
    """Bursts of 1 to 30 spikes around phases that are von Mises themselves."""
    group = np.repeat(np.arange(n), rng.integers(1, 31, n))
    centre = rng.vonmises(0, kappa, n) if kappa > 0 else rng.uniform(-np.pi, np.pi, n)
    return centre[group] + rng.vonmises(0, 2.0, len(group)), group


def test_groups_keep_bursts_from_looking_like_locking() -> None:
    rng = np.random.default_rng(2)
    p_value, beyond, ppc, alone = [], [], [], []
    for _ in range(1000):
        phases, group = bursts(rng, 24, 0.0)
        found = locking(phases, group)
        p_value.append(found.p_value)
        beyond.append(found.strength > found.chance)
        ppc.append(found.ppc)
        alone.append(locking(phases).p_value)
    for level in (0.01, 0.05, 0.2, 0.5):
        spread = np.sqrt(level * (1 - level) / 1000)
        assert np.mean(np.array(p_value) < level) == pytest.approx(level, abs=4 * spread)
    assert np.mean(beyond) == np.mean(np.array(p_value) < 0.05)
    assert np.mean(ppc) == pytest.approx(0, abs=4 * np.std(ppc) / np.sqrt(1000))
    assert np.mean(np.array(alone) < 0.05) > 0.5  # one by one, every second case would count


def test_consistency_between_groups_is_unbiased() -> None:
    rng = np.random.default_rng(3)
    ppc = [locking(*bursts(rng, 10, 1.0)).ppc for _ in range(2000)]
    exact = (special.i1(1.0) / special.i0(1.0) * special.i1(2.0) / special.i0(2.0)) ** 2
    assert np.mean(ppc) == pytest.approx(exact, abs=4 * np.std(ppc) / np.sqrt(2000))


def test_single_phases_give_rayleigh_with_the_usual_chance() -> None:
    n = 1000
    found = locking(2 * np.pi * np.arange(n) / n)
    assert found.strength == pytest.approx(0, abs=1e-12)
    assert found.p_value == pytest.approx(1)
    assert found.chance == pytest.approx(np.sqrt(-np.log(0.05) / n), rel=1e-2)
    assert found.ppc == pytest.approx(-1 / (n - 1))


def test_few_phases_say_nothing_about_chance() -> None:
    empty = locking([])
    assert empty.n == 0
    assert np.isnan(empty.strength)
    few = locking([0.1, 0.2, 0.3])
    assert np.isnan(few.p_value)
    assert np.isnan(few.chance)
    assert few.strength > 0.99


@pytest.mark.parametrize("start", [0.0, 3.2])
def test_modulated_poisson_spikes_lock_by_half_the_depth(start: float) -> None:
    rng = np.random.default_rng(4)
    duration, rate, depth, frequency, phase = 200.0, 100.0, 0.3, 8.0, 0.7
    t = start + rng.uniform(0, duration, rng.poisson(rate * duration * (1 + depth)))
    crest = 1 + depth * np.cos(2 * np.pi * frequency * t + phase - 0.4)  # the cell follows by 0.4
    run = spikes(t[rng.random(len(t)) * (1 + depth) < crest], duration, start)
    found = entrainment(run, frequency, phase=phase)["A"]
    assert found.strength == pytest.approx(depth / 2, abs=4 / np.sqrt(2 * found.n))
    assert found.phase == pytest.approx(0.4, abs=0.12)
    assert found.p_value < 1e-6
    other = entrainment(run, 11.0)["A"]
    assert other.strength < 2 * other.chance
    assert other.p_value > 1e-3


def test_segments_are_whole_periods_within_the_interval() -> None:
    # one spike at each crest: whatever the interval, locking is perfect and whole segments count
    times = np.arange(1, 101) / 10
    found = entrainment(spikes(times, 10.05), 10.0, start=1.0, segment=0.25)["A"]
    assert found.n == 90  # 1 < t <= 10, in 30 segments of 3 periods
    assert found.strength == pytest.approx(1)
    assert found.ppc == pytest.approx(1)
    assert found.p_value < 1e-6


def test_phase_of_a_chirped_sine_is_its_own() -> None:
    t = DT * np.arange(5000)
    exact = 2 * np.pi * (8 * t + 0.2 * t**2) + 0.3
    phase = signal_phase(np.cos(exact) + 5, DT, band=(4, 20))
    inner = slice(750, -750)  # three periods of the band's lower end
    error = np.angle(np.exp(1j * (phase - exact)))[inner]
    assert np.abs(error).max() < 0.02
    assert rotation(phase[inner], DT) == pytest.approx(
        np.diff(exact)[inner].mean() / (2e-3 * np.pi), abs=0.01
    )
    between = phase_at(t[1000:1010] + DT / 2, phase, DT)
    np.testing.assert_allclose(
        np.exp(1j * between), np.exp(1j * (exact[1000:1010] + np.pi * 8.4 * DT)), atol=0.02
    )


def adler(detuning: float, coupling: float, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Phases of a stimulus of 10 Hz and of an oscillator that it pulls (Adler 1946)."""
    t = DT * np.arange(1, round(seconds / DT) + 1)
    if abs(detuning) < coupling:
        psi = np.full(len(t), np.arcsin(detuning / coupling))
    else:  # the closed form of psi' = detuning - coupling sin(psi)
        beat = np.sqrt(detuning**2 - coupling**2)
        tangent = coupling / detuning + beat / detuning * np.tan(beat * t / 2 % np.pi)
        psi = 2 * np.arctan(tangent)
    drive = stimulus_phase(t, 10.0)
    return drive, drive + psi


@pytest.mark.parametrize("ratio", [0.5, 1.25, 2.0, 5.0])
def test_oscillator_slips_and_locks_as_adler_says(ratio: float) -> None:
    coupling = 2 * np.pi * 0.5  # rad/s: locked within half a hertz
    drive, phase = adler(ratio * coupling, coupling, 200.0)
    slip = 0.5 * np.sqrt(max(ratio**2 - 1, 0))  # Hz
    strength = 1 if ratio < 1 else ratio - np.sqrt(ratio**2 - 1)
    assert rotation(phase, DT) == pytest.approx(10 + slip, abs=2 / 200)
    assert phase_locking(phase, drive) == pytest.approx(strength, abs=0.02)
    found = signal_locking(np.cos(phase), DT, 10.0, band=(5, 20), segment=5.0)
    assert found.strength == pytest.approx(strength, abs=0.03)


def test_locking_of_two_to_one() -> None:
    slow = 2 * np.pi * 5 * DT * np.arange(4000)
    assert phase_locking(slow, 2 * slow + 0.3, n=2, m=1) == pytest.approx(1)
    assert phase_locking(slow, 2 * slow + 0.3) == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("segment", [1.0, 4.0])
def test_memory_of_a_free_oscillator_makes_the_test_as_liberal_as_known(segment: float) -> None:
    rng = np.random.default_rng(5)
    step, memory, seconds, cases = 0.01, 1 / 3, 60.0, 300
    walk = np.sqrt(2 / memory * step) * rng.standard_normal((cases, round(seconds / step)))
    difference = np.cumsum(walk, axis=1) + rng.uniform(0, 2 * np.pi, (cases, 1))
    group = np.arange(difference.shape[1]) // round(segment / step)
    p_value = np.array([locking(phases, group).p_value for phases in difference])
    # neighbouring segments share their border: the sums' true variance over the one assumed
    ratio = 1 / (1 - memory / segment * (1 - np.exp(-segment / memory)))
    expected = 0.05 ** (1 / ratio)  # 0.13 and 0.06
    rate = np.mean(p_value < 0.05)
    assert rate == pytest.approx(expected, abs=4 * np.sqrt(expected / cases) + 0.01)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: locking([0.0, np.inf]), "phases must be finite"),
        (lambda: locking([0.0, 1.0], [1]), r"groups must have shape \(2,\)"),
        (lambda: entrainment(spikes(np.array([0.1]), 1.0), 10.0), "interval must hold 5 segments"),
        (lambda: entrainment(spikes(np.array([0.1]), 1.0), 0.0), "frequency must be > 0"),
        (lambda: signal_phase(np.ones(9000), DT, band=(5, 600)), "band must be 0 < low < high"),
        (lambda: signal_phase(np.ones(90), DT, band=(5, 10)), "must last three periods"),
        (lambda: phase_at([1.0], np.zeros(10), DT), "times must lie within"),
        (lambda: phase_locking([0.0], [0.0, 1.0]), "phases must have one shape"),
        (lambda: phase_locking([0.0], [0.0], n=0), "n and m must be >= 1"),
        (lambda: rotation([0.0], DT), "phase must have 2 samples"),
    ],
)
def test_bad_input_is_one_sentence(call: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()  # type: ignore[operator]
