"""The delayed rate model: order, stretches, stimulation, input."""

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.neurons.loop.plant import Pulses
from rheobase.neurons.loop.rate_model import Cortex, RatePlant, fixed_point, stn_gpe
from rheobase.validation.stn_gpe import harmonic_balance, method_of_steps

START = (20.0, 60.0)
MASK = 1 / 130


def course(
    duration: float, *, dt: float = 1e-4, state: str = "parkinson"
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    plant = RatePlant(stn_gpe(state), dt=dt, start=START)
    return plant.advance(round(duration / dt), Pulses.none())


@pytest.mark.convergence
def test_order_of_four() -> None:
    exact = method_of_steps(stn_gpe("parkinson"), 0.1, every=1e-3)
    errors = []
    for dt in (1e-3, 5e-4, 2.5e-4):
        own = course(0.1, dt=dt)[round(1e-3 / dt) - 1 :: round(1e-3 / dt)]
        errors.append(np.abs(own - exact).max())
    order = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (order > 3.7).all()
    assert (order < 4.6).all()


def test_rest_of_the_healthy_and_cycle_of_the_parkinsonian() -> None:
    np.testing.assert_allclose(course(2.0, state="healthy")[-1], fixed_point(stn_gpe("healthy")))
    S = course(2.0)[10_000:, 0]
    period, cycle = harmonic_balance(stn_gpe("parkinson"))
    assert period == pytest.approx(1 / 20.5805, rel=1e-5)
    assert np.ptp(S) == pytest.approx(np.ptp(cycle[0]), rel=1e-5)


def test_lesions_feed_the_cycle_before_they_end_it() -> None:
    # facts of an earlier integration: slightly up to 0.6, collapse between 0.7 and 0.8
    size = {}
    for f in (0.0, 0.6, 0.7, 0.8, 0.9):
        plant = RatePlant(
            stn_gpe("parkinson"), start=START, effect="silence", mask=10.0
        )  # all along
        out = plant.advance(40_000, Pulses(np.array([0.0]), np.array([f])))
        size[f] = float(np.ptp(out[-5_000:, 0]))
    assert size[0.0] < size[0.6]
    assert size[0.8] < 0.1 * size[0.7] < 0.1 * size[0.6]
    assert size[0.9] < 1e-3


@pytest.mark.parametrize("effect", ["fire", "silence"])
def test_stretches_do_not_matter(effect: str) -> None:
    times = np.sort(np.random.default_rng(1).uniform(0, 0.4, 60))
    share = np.random.default_rng(2).uniform(0, 1, 60)
    runs = []
    for cuts in ([4000], [3, 997, 1500, 1500]):
        plant = RatePlant(
            stn_gpe("parkinson"),
            effect="fire" if effect == "fire" else "silence",
            cortex=Cortex(depth=0.5, noise=0.2, short=0.02, long=(0.03, 0.05), pause=0.04),
            seed=3,
        )
        out, at = [], 0
        for n in cuts:
            here = (times >= at * 1e-4) & (times < (at + n) * 1e-4)
            out.append(plant.advance(n, Pulses(times[here], share[here])))
            at += n
        runs.append(np.concatenate(out))
    np.testing.assert_allclose(runs[0], runs[1], rtol=1e-9)


def test_a_pulse_that_fires_adds_one_spike_each() -> None:
    model = stn_gpe("healthy")
    one, none = (
        RatePlant(model, effect="fire").advance(50, Pulses(np.array([0.0]), np.array([f])))
        for f in (0.3, 0.0)
    )
    # before anything comes back over the delays, the surplus decays from f/tau_S
    t = 1e-4 * np.arange(1, 51)
    decay = 0.3 / model.tau_S * np.exp(-(t - 0.5e-4) / model.tau_S)
    np.testing.assert_allclose((one - none)[:, 0], decay, rtol=1e-4)
    np.testing.assert_allclose((one - none)[:, 1], 0, atol=1e-9)


def test_full_coverage_silences_all() -> None:
    plant = RatePlant(stn_gpe("parkinson"), effect="silence", mask=MASK)
    # 130 Hz, half of the fibres, pulses between grid points: every step is covered by half
    silent = plant._silenced(1000, Pulses(3e-5 + MASK * np.arange(14.0), np.full(14, 0.5)))
    np.testing.assert_allclose(silent[1:], 0.5)
    assert silent[0] == pytest.approx(0.35)


def test_bursts_are_those_asked_for() -> None:
    plant = RatePlant(stn_gpe("healthy"), cortex=Cortex(depth=0.25), seed=5)
    level = plant._input.draw(200_000) / 27.0
    assert set(np.unique(level)) == {0.75, 1.0}
    edges = np.flatnonzero(np.diff(level))
    lengths = np.diff(edges) * 1e-4
    pauses, bursts = lengths[::2], lengths[1::2]
    np.testing.assert_allclose(pauses, 0.3)
    short = np.isclose(bursts, 0.1)
    assert 0.2 < short.mean() < 0.8
    assert ((bursts[~short] >= 0.6) & (bursts[~short] <= 1.0)).all()


@pytest.mark.parametrize(
    ("dt", "sentence"), [(4e-3, "half the time constant"), (3e-4, "whole part of d_GG")]
)
def test_bad_steps_are_refused(dt: float, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        RatePlant(stn_gpe("healthy"), dt=dt)


def test_unknown_state_is_refused() -> None:
    with pytest.raises(InputError, match=r"unknown state 'parkinsonian', nearest: parkinson"):
        stn_gpe("parkinsonian")
