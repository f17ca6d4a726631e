"""The double-cable axon against NEURON."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from rheobase._errors import InputError
from rheobase.neurons.fibres.mrg import mrg_axon
from rheobase.neurons.fibres.mrg_stimulus import Courses, plan_of, separate
from rheobase.neurons.fibres.mrg_thresholds import mrg_run, mrg_thresholds
from rheobase.neurons.morphology import Floats
from rheobase.validation.mrg import condition, limit, neuron_conditions

AXON = mrg_axon(10e-6)


def cathode(
    nodes: int = 31, distance: float = 1e-3, along: float = 0.0, sigma: float = 0.2
) -> Floats:
    x = AXON.compartments(nodes)
    V: Floats = -1 / (4 * np.pi * sigma * np.hypot(x - x.mean() - along, distance))
    return V


def test_reference_with_its_own_steps() -> None:
    # the reference held the potential for one step more than the pulse: 21 of 5 us, 101 of 1 us
    how: dict[str, Any] = {"scheme": "euler", "spike_at": "end", "tolerance": 5e-4}
    coarse = mrg_thresholds(AXON, [cathode()], 105e-6, dt=5e-6, after=5e-6, **how)
    fine = mrg_thresholds(AXON, [cathode()], 101e-6, dt=1e-6, after=1e-6, **how)
    assert coarse.amplitude[0] == pytest.approx(0.1186e-3, rel=5e-3)
    assert fine.amplitude[0] == pytest.approx(0.1197e-3, rel=1e-3)


@pytest.mark.parametrize("c", neuron_conditions()[::8], ids=lambda c: c["name"])
def test_thresholds_of_neuron(c: Mapping[str, Any]) -> None:
    axon, V, courses, how = condition(c)
    want = c["threshold_5_us"]
    same = mrg_thresholds(axon, V, courses, dt=5e-6, after=5e-6, scheme="euler", **how)
    assert same.amplitude[0] == pytest.approx(want, rel=1e-3)
    ours = mrg_thresholds(axon, V, courses, **how)
    assert ours.amplitude[0] == pytest.approx(limit(c), rel=5e-3)


def test_second_order() -> None:
    truth = mrg_thresholds(AXON, [cathode()], 100e-6, dt=0.5e-6, after=1e-6, tolerance=1e-4)
    ours = mrg_thresholds(AXON, [cathode()], 100e-6, tolerance=1e-4)
    assert ours.amplitude[0] == pytest.approx(truth.amplitude[0], rel=1.5e-3)
    assert ours.amplitude[0] == pytest.approx(0.1197e-3, rel=5e-3)


def test_short_anodes_close_by() -> None:
    # the hardest case for the first step after a jump
    V = [-cathode(distance=0.3e-3)]
    truth = mrg_thresholds(AXON, V, 30e-6, dt=0.5e-6, after=1e-6, tolerance=2e-4)
    ours = mrg_thresholds(AXON, V, 30e-6, tolerance=2e-4)
    assert ours.amplitude[0] == pytest.approx(truth.amplitude[0], rel=2e-3)


def test_rest_and_spike() -> None:
    t, v = mrg_run(AXON, cathode(), 100e-6, 0.13e-3, 2e-3)
    assert v[:, 15].max() > 0.0  # a spike that passes both ends
    assert v[:, 28].max() > 0.0
    when = t[np.argmax(v[:, 16:28] > 0, axis=0)]
    speed = AXON.internode / np.diff(when)[3:-3].mean()
    assert 50 < speed < 70  # about 5.7 m/s per um
    t, v = mrg_run(AXON, cathode(), 100e-6, 0.11e-3, 2e-3)
    assert v.max() < -0.03
    assert v[-1] == pytest.approx(-0.08, abs=1.5e-3)


def test_fibres_of_several_lengths_side_by_side() -> None:
    V = [cathode(nodes) for nodes in (9, 31, 15, 21)]
    together = mrg_thresholds(AXON, V, 100e-6).amplitude
    alone = [mrg_thresholds(AXON, [one], 100e-6).amplitude[0] for one in V]
    assert together == pytest.approx(alone, rel=1e-12)


def test_sources_add() -> None:
    a, b = cathode(), cathode(along=2e-3, distance=2e-3)
    t = np.array([0.0, 60e-6, 60e-6 + 1e-9, 120e-6])
    w = np.array([[1.0, 1.0, -1.0, -1.0]])
    whole = mrg_thresholds(AXON, [a + 0.5 * b], Courses(t=t, w=w)).amplitude
    parts = mrg_thresholds(AXON, [[a, 0.5 * b]], Courses(t=t, w=np.tile(w, (2, 1)))).amplitude
    assert parts == pytest.approx(whole, rel=1e-9)


def test_separate_gives_the_same_thresholds() -> None:
    t = np.linspace(0, 200e-6, 101)
    rise, fall = 1 - np.exp(-t / 30e-6), np.exp(-t / 80e-6)
    V = rise[:, None] * cathode() + fall[:, None] * cathode(distance=2e-3)
    courses, patterns = separate(t, V)
    assert courses.w.shape == (2, 101)
    assert courses.w.T @ patterns == pytest.approx(V, abs=1e-6)
    direct = mrg_thresholds(
        AXON,
        [[cathode(), cathode(distance=2e-3)]],
        Courses(t=t, w=np.stack([rise, fall])),
    )
    found = mrg_thresholds(AXON, [patterns], courses)
    assert found.amplitude == pytest.approx(direct.amplitude, rel=1e-3)


def test_ends_in_a_uniform_field() -> None:
    # only the ends feel it: the last node where the fibre ends, the one before it where the
    # potential is all that goes on; longer fibres and the other way round are the same
    V = [sign * AXON.compartments(n) for n in (15, 21) for sign in (-1.0, 1.0)]
    active, passive = (mrg_thresholds(AXON, V, 100e-6, ends=e) for e in ("active", "passive"))
    assert active.amplitude == pytest.approx(np.full(4, active.amplitude[0]), rel=2e-3)
    assert passive.amplitude == pytest.approx(np.full(4, passive.amplitude[0]), rel=5e-3)
    assert active.site.tolist() == [14, 0, 20, 0]
    assert (passive.amplitude > 1.8 * active.amplitude).all()
    assert np.isfinite(passive.amplitude).all()


def test_no_spike_is_infinite() -> None:
    found = mrg_thresholds(AXON, [np.zeros(331), cathode()], 100e-6)
    assert np.isinf(found.amplitude[0])
    assert found.site.tolist()[0] == -1
    assert np.isfinite(found.amplitude[1])


@pytest.mark.parametrize(
    ("potential", "stimulus", "message"),
    [
        ([np.zeros(330)], 1e-4, "11 \\(nodes - 1\\) \\+ 1"),
        ([np.full(331, np.nan)], 1e-4, "finite"),
        ([np.zeros(331)], -1e-4, "pulse width"),
        ([np.zeros(331)], "60 us", "pulse width in s or a waveform"),
        ([np.zeros(331)], 60.0, "at most 1 s"),
        ([np.zeros(331)], Courses(t=np.array([0.0, 1e-4]), w=np.zeros((1, 2))), "0 throughout"),
    ],
)
def test_bad_input(potential: list[ArrayLike], stimulus: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        mrg_thresholds(AXON, potential, stimulus)


def test_bad_axon() -> None:
    unknown: Any = "interpolate"
    with pytest.raises(InputError, match="got 9e-06 m"):
        mrg_axon(9e-6)
    with pytest.raises(InputError, match="2 to 16 um"):
        mrg_axon(1e-6, "interpolated")
    with pytest.raises(InputError, match="nearest"):
        mrg_axon(10e-6, unknown)


def test_steps_meet_the_jumps() -> None:
    t = np.array([0.0, 60e-6, 60e-6 + 1e-9, 160e-6, 160e-6 + 1e-9, 220e-6])
    w = np.array([1.0, 1.0, 0.0, 0.0, -1.0, -1.0])
    plan = plan_of(Courses(t=t, w=w), 5e-6, 10e-6)
    at = plan.times(len(plan.wave))
    assert at[-1] == pytest.approx(220e-6, rel=1e-4)
    for edge in (60e-6, 160e-6):
        assert np.abs(at - edge).min() < 2e-9
    dt = plan.dt[plan.kind[: len(plan.wave)]]
    assert (dt[:, None] * plan.wave).sum() == pytest.approx(0.0, abs=1e-8)
