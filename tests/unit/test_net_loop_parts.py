"""Curves, biomarkers, controllers, stimulators and the body of the closed loop."""

from pathlib import Path

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.neurons.loop.biomarker import Average, Band, Buffered, Phase
from rheobase.neurons.loop.body import Body, Breaths, Gate, beats, breathe, read_beats, read_breaths
from rheobase.neurons.loop.controllers import PI, DualThreshold, OnOff, OpenLoop
from rheobase.neurons.loop.recruitment import (
    Curve,
    curve_of,
    logistic,
    published_curve,
    read_curve,
)
from rheobase.neurons.loop.stimulator import Locked, Train

DT = 1e-3


def fed(mark: Band | Buffered | Phase | Average, x: np.ndarray, every: int = 20) -> list[float]:
    return [mark.update(x[k : k + every]) for k in range(0, len(x), every)]


# curves


def test_curve_of_thresholds_and_its_bounds() -> None:
    curve = curve_of([1e-3, 2e-3, np.inf, np.nan], [0.0, 1e-3, 2e-3, 3e-3], source="t")
    np.testing.assert_allclose(curve.fraction, [0, 1 / 3, 2 / 3, 2 / 3])
    assert curve.of(1.5e-3) == pytest.approx(0.5)
    with pytest.raises(InputError, match=r"the recruitment curve ends at 3 mA, got 4 mA: t"):
        curve.of(4e-3)
    with pytest.raises(InputError, match="got none that is known"):
        curve_of([np.nan], [0.0, 1.0], source="t")


def test_published_and_logistic_curves() -> None:
    assert published_curve().of(2.0e-3) == pytest.approx(0.43)
    curve = logistic(1.5e-3, 0.25e-3, 6e-3)
    assert curve.of(1.5e-3) == pytest.approx(0.5, abs=0.01)
    assert curve.of(0.0) == 0.0
    assert "no field model" in curve.source


def test_curves_are_read_as_dbs_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(
        "pathway,lead,amplitude_mA,activated_percent\na,L,0,0\na,L,1,50\nb,L,0,0\nb,L,1,20\n"
    )
    assert read_curve(path, pathway="b").of(1e-3) == pytest.approx(0.2)
    with pytest.raises(InputError, match=r"expected pathway, one of a, b: r.csv"):
        read_curve(path)
    with pytest.raises(InputError, match="unknown pathway 'c'"):
        read_curve(path, pathway="c")
    path.write_text("amplitude_mA,fraction\n0,0\n1,x\n")
    with pytest.raises(InputError, match="expected numbers"):
        read_curve(path)
    path.write_text("amplitude_mA,fraction\n0,0.5\n1,0.2\n")
    with pytest.raises(InputError, match=r"must rise within 0\.\.1"):
        read_curve(path)
    with pytest.raises(InputError, match="cannot read"):
        read_curve(tmp_path / "none.csv")
    with pytest.raises(InputError, match="at least 2 values"):
        Curve(amplitude=np.array([1.0]), fraction=np.array([1.0]), source="x")


# biomarkers


def test_band_reads_amplitude_and_power_of_a_sine() -> None:
    t = DT * np.arange(4000)
    x = 3 * np.sin(2 * np.pi * 20 * t) + 50 + 10 * np.sin(2 * np.pi * 2 * t)
    arv, power = Band((13.0, 30.0), 0.5, dt=DT), Band((13.0, 30.0), 0.5, dt=DT, kind="power")
    assert fed(arv, x)[-1] == pytest.approx(3 * 2 / np.pi, rel=0.03)
    assert fed(power, x)[-1] == pytest.approx(4.5, rel=0.05)


@pytest.mark.parametrize("every", [20, 33])
def test_biomarkers_do_not_depend_on_the_stretches(every: int) -> None:
    x = np.random.default_rng(0).standard_normal(3300)
    for make in (
        lambda: Band((13.0, 30.0), 0.2, dt=DT),
        lambda: Buffered((13.0, 30.0), 0.1, dropped=0.1, buffer=2.0, dt=DT, sample=3e-3),
        lambda: Phase((13.0, 30.0), 0.4, dt=DT),
        lambda: Average(0.3, dt=DT),
    ):
        assert fed(make(), x, every)[-1] == pytest.approx(fed(make(), x, 3300)[-1])


def test_band_is_as_late_as_it_says() -> None:
    # an amplitude that rises evenly is read as it was `delay` ago
    t = DT * np.arange(8000)
    mark = Band((13.0, 30.0), 0.2, dt=DT)
    readings = np.array(fed(mark, t * np.sin(2 * np.pi * np.sqrt(390) * t)))[-50:]
    true = (t[19::20][-50:] - mark.delay) * 2 / np.pi
    assert np.mean(readings / true) == pytest.approx(1, abs=2e-3)


def test_buffered_is_as_late_as_it_says() -> None:
    t = DT * np.arange(8000)
    mark = Buffered(
        (15.0, 27.0), 0.1, dropped=0.5, buffer=2.0, dt=DT, sample=2 * DT, ripple_dB=0.01
    )
    readings = np.array(fed(mark, t * np.sin(2 * np.pi * 20 * t)))[-50:]
    true = (t[19::20][-50:] - mark.delay) * 2 / np.pi
    assert np.mean(readings / true) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("frequency", [18.0, 20.0, 22.0])
def test_phase_is_that_of_the_last_sample(frequency: float) -> None:
    t = DT * np.arange(2000)
    mark = Phase((13.0, 30.0), 0.4, dt=DT)
    x = np.cos(2 * np.pi * frequency * t + 1.0) + 0.3 * np.cos(2 * np.pi * 3 * t)
    got = np.array(fed(mark, x, 7))[-100:]
    at = np.minimum(np.arange(7, 2007, 7), 2000)[-100:] - 1
    miss = np.angle(np.exp(1j * (got - 2 * np.pi * frequency * t[at] - 1.0)))
    assert np.abs(miss.mean()) < 0.35  # the filter turns the phase off the middle of the band
    assert np.abs(miss - miss.mean()).max() < 0.25
    if frequency == 20.0:
        assert np.abs(miss.mean()) < 0.1


def test_bad_biomarkers_are_refused() -> None:
    with pytest.raises(InputError, match=r"a band must rise within 0\.\.500 Hz"):
        Band((30.0, 13.0), 0.2, dt=DT)
    with pytest.raises(InputError, match="the window must hold 2 cycles"):
        Phase((13.0, 30.0), 0.05, dt=DT)
    with pytest.raises(InputError, match="the buffer must hold"):
        Buffered((13.0, 30.0), 2.0, dropped=0.1, buffer=2.0, dt=DT, sample=DT)
    with pytest.raises(InputError, match="window must be at least"):
        Average(1e-5, dt=DT)


# controllers, as ModelDB 262046 has them


def test_on_off_and_dual_threshold_ramp() -> None:
    law = OnOff(1.0, span=(0.0, 3.0), period=0.02)
    step = 3 / 13  # 0.25 s are 13 calls
    assert [law.update(2.0) for _ in range(3)] == pytest.approx([step, 2 * step, 3 * step])
    assert law.update(1.0) == pytest.approx(2 * step)  # at the set point: down
    for _ in range(20):
        law.update(2.0)
    assert law.update(2.0) == 3.0
    dual = DualThreshold(1.0, 1.5, span=(0.0, 3.0), period=0.02)
    dual.update(2.0)
    assert dual.update(1.2) == pytest.approx(step)
    assert dual.update(0.9) == 0.0


def test_pi_is_the_published_one() -> None:
    # e = (y - y*)/y*; u = Kp (e + I/Ti); I stands still at a bound
    law, integral = PI(1.0, Kp=0.23, Ti=0.2, span=(0.0, 3.0), period=0.02), 0.0
    for y in (1.5, 3.0, 40.0, 40.0, 2.0, 0.2, 0.0, 1.0):
        error = y - 1.0
        integral += error * 0.02
        u = 0.23 * (error + integral / 0.2)
        if not 0 <= u <= 3:
            integral -= error * 0.02
        assert law.update(y) == pytest.approx(min(max(u, 0.0), 3.0))
    assert PI(2.0, Kp=5.0, span=(0.0, 3.0), period=0.02).update(3.0) == pytest.approx(2.5)


def test_pi_winds_up_neither_at_a_bound_nor_on_a_ramp() -> None:
    law = PI(1.0, Kp=1.0, Ti=0.1, span=(0.0, 1.0), period=0.02, ramp=0.2)
    rise = [law.update(3.0) for _ in range(20)]
    assert rise[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert rise[-1] == 1.0
    fall = [law.update(0.5) for _ in range(12)]
    assert fall[0] == pytest.approx(0.9)  # at once, at the pace of the ramp
    assert fall[-1] == 0.0


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: OnOff(-1.0, span=(0.0, 1.0), period=0.1), "threshold of the controller must be"),
        (lambda: DualThreshold(2.0, 1.0, span=(0.0, 1.0), period=0.1), "at least the lower one"),
        (lambda: PI(1.0, Kp=0.0, span=(0.0, 1.0), period=0.1), "Kp of the controller must be > 0"),
        (lambda: PI(1.0, Kp=1.0, span=(1.0, 1.0), period=0.1), "two rising values"),
    ],
)
def test_bad_controllers_are_refused(make: object, sentence: str) -> None:
    assert callable(make)
    with pytest.raises(InputError, match=sentence):
        make()


# stimulators


def test_trains_keep_their_beat_over_periods() -> None:
    train = Train(OpenLoop(1e-3), varies="amplitude", frequency=130.0)
    times = np.concatenate([train.pulses(0.0, k * 0.02, (k + 1) * 0.02) for k in range(50)])
    np.testing.assert_allclose(times, np.arange(130) / 130, atol=1e-12)
    silent = Train(OpenLoop(0.0), varies="amplitude", frequency=130.0)
    assert len(silent.pulses(0.0, 0.0, 1.0)) == 0


def test_a_rise_of_the_frequency_takes_effect_at_once() -> None:
    class Steps:
        given = iter([2.0, 0.0, 100.0])

        def update(self, reading: float) -> float:
            return next(self.given)

    train = Train(Steps(), varies="frequency", amplitude=1e-3)
    np.testing.assert_allclose(train.pulses(0.0, 0.0, 0.02), [0.0])
    assert len(train.pulses(0.0, 0.02, 0.04)) == 0
    np.testing.assert_allclose(train.pulses(0.0, 0.04, 0.06), [0.04, 0.05])


def test_locked_pulses_come_at_the_phase_once_a_cycle() -> None:
    # a steady oscillation of 20.5 Hz, foreseen with 20 Hz
    lock = Locked(np.pi / 2, oscillation=20.0, amplitude=1e-3, count=2, rate=200.0)
    times = np.concatenate(
        [
            lock.pulses((2 * np.pi * 20.5 * k * 0.005 + np.pi) % (2 * np.pi) - np.pi, k * 0.005,
                        (k + 1) * 0.005)
            for k in range(400)
        ]
    )  # fmt: skip
    volleys = times[::2]
    assert len(times) == pytest.approx(82, abs=2)
    np.testing.assert_allclose(times[1::2] - volleys[: len(times) // 2], 0.005)
    phase = (2 * np.pi * 20.5 * volleys) % (2 * np.pi)
    np.testing.assert_allclose(phase, np.pi / 2, atol=0.05)


def test_a_volley_longer_than_a_cycle_is_refused() -> None:
    with pytest.raises(InputError, match="longer than a cycle"):
        Locked(0.0, oscillation=20.0, amplitude=1e-3, count=10, rate=100.0)


# body


def test_breaths_and_the_gate() -> None:
    breaths = breathe(60.0, period=4.0, inhaling=0.4, variation=0.1, seed=1)
    assert breaths.inhale[0] <= 0
    assert breaths.exhale[-1] >= 60
    length = np.diff(breaths.inhale)
    assert length.mean() == pytest.approx(4.0, rel=0.1)
    np.testing.assert_allclose((breaths.exhale - breaths.inhale)[:-1], 0.4 * length)
    t = np.arange(0.0, 60.0, 0.01)
    gate = Gate(breaths=breaths, half="exhalation")
    assert gate.passes(t).mean() == pytest.approx(0.6, abs=0.03)
    breath = Body(breaths=breaths).sample(t)["breath"]
    falling = np.diff(breath) < 0
    assert (falling == gate.passes(t)[:-1]).mean() > 0.99


def test_the_heart_has_the_published_spectrum() -> None:
    from scipy.interpolate import CubicSpline
    from scipy.signal import welch

    at = beats(3000.0, mean=0.9, deviation=0.04, seed=2)
    interval = np.diff(at)
    assert interval.mean() == pytest.approx(0.9, rel=0.01)
    assert interval.std() == pytest.approx(0.04, rel=0.1)
    t = np.arange(10.0, 2990.0, 0.25)
    f, power = welch(CubicSpline(at[1:], interval)(t), 4.0, nperseg=800)
    low = power[(f > 0.05) & (f < 0.15)].sum()
    high = power[(f > 0.2) & (f < 0.3)].sum()
    assert low / high == pytest.approx(0.5, rel=0.25)
    assert f[power.argmax()] == pytest.approx(0.25, abs=0.015)


def test_the_heart_follows_given_breaths() -> None:
    breaths = breathe(400.0, period=5.0, seed=3)
    at = beats(390.0, breaths=breaths, seed=3)
    interval, phase = np.diff(at), breaths.phase(at[:-1].clip(0))
    # slowest where a breath begins, fastest where exhalation does
    assert interval[np.cos(2 * np.pi * phase) > 0.7].mean() > 0.926 + 0.02
    assert interval[np.cos(2 * np.pi * phase) < -0.7].mean() < 0.926 - 0.02


def test_heart_rate_is_that_of_the_last_full_interval() -> None:
    body = Body(beats=np.array([0.0, 1.0, 1.5, 2.5]))
    np.testing.assert_allclose(body.sample(np.array([1.2, 1.6, 2.4, 2.6]))["heart rate"],
                               [1.0, 2.0, 2.0, 1.0])  # fmt: skip
    with pytest.raises(InputError, match=r"expected beats over 0..5 s, got 0..2.5 s"):
        body.check(5.0)


def test_body_files(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("inhale_s,exhale_s\n0,1\n4,5.5\n8,9\n")
    assert read_breaths(tmp_path / "b.csv").phase(np.array([0.5, 2.5, 4.75])) == pytest.approx(
        [0.25, 0.75, 0.25]
    )
    (tmp_path / "r.csv").write_text("rr_s\n0.8\n0.9\n")
    np.testing.assert_allclose(read_beats(tmp_path / "r.csv"), [0, 0.8, 1.7])
    (tmp_path / "r.csv").write_text("rr\n0.8\n")
    with pytest.raises(InputError, match=r"expected numbers in rr_s"):
        read_beats(tmp_path / "r.csv")
    with pytest.raises(InputError, match="must begin in turn"):
        Breaths(np.array([0.0, 1.0]), np.array([2.0, 3.0]))
