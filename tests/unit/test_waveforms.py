"""Waveforms: circuits in closed form, energy and charge, tables, what the cable makes of them."""

from pathlib import Path

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.waveforms.files import read_waveform
from rheobase.fields.waveforms.pulses import clamped_discharge, discharge, load_pulses, tms_pulse
from rheobase.fields.waveforms.shapes import ramped, rectangular, sine, two_carriers
from rheobase.fields.waveforms.waveform import Waveform
from rheobase.neurons.pulse import drive_of

R, L, C = 33.8e-3, 15.5e-6, 193.6e-6  # ohm, H, F: the shipped circuit
V0 = 1500.0


def test_discharge_is_the_damped_oscillation() -> None:
    pulse = discharge(resistance=R, inductance=L, capacitance=C, dt=1e-8)
    a, omega = 1090.3, 2 * np.pi * 2900.2  # as published with the component values
    current = V0 / (L * omega) * np.exp(-a * pulse.t) * np.sin(omega * pulse.t)
    found = pulse.integrated()
    peak = found.peak * V0 / L  # w = 1 is V0/L
    assert np.allclose(peak * found.w, current, atol=1e-4 * np.abs(current).max())
    assert pulse.duration == pytest.approx(344.8e-6, rel=1e-4)
    assert pulse.w[0] == pulse.w.max() == 1.0
    shipped = tms_pulse("biphasic", dt=1e-8)
    assert np.array_equal(shipped.w, pulse.w)


def test_energy_of_the_capacitor_is_where_it_should_be() -> None:
    for pulse in (
        discharge(resistance=R, inductance=L, capacitance=C, dt=1e-8),
        discharge(resistance=R, inductance=L, capacitance=C, cycles=0.5, dt=1e-8),
    ):
        slope = V0 / L * pulse.w
        found = pulse.integrated()
        current = V0 / L * found.peak * found.w
        voltage = L * slope + R * current
        lost = np.concatenate(
            [[0.0], np.cumsum(0.5 * R * (current[1:] ** 2 + current[:-1] ** 2) * np.diff(pulse.t))]
        )
        energy = 0.5 * C * voltage**2 + 0.5 * L * current**2 + lost
        assert np.allclose(energy, 0.5 * C * V0**2, rtol=1e-6)
        # the charge that flowed has left the capacitor
        charge = np.trapezoid(current, pulse.t)
        assert charge == pytest.approx(C * (V0 - voltage[-1]), rel=1e-6)


def test_coil_pulses_leave_no_current() -> None:
    # dI/dt integrates to zero when the current ends at zero: the field's phases balance
    assert abs(tms_pulse("biphasic", dt=1e-8).integral) < 1e-12
    assert abs(tms_pulse("half-sine", dt=1e-8).integral) < 1e-12
    assert tms_pulse("biphasic-cosine").integral == pytest.approx(0, abs=1e-12)
    monophasic = tms_pulse("monophasic", dt=1e-7)
    current = monophasic.integrated()
    assert abs(current.w[-1]) < 3e-3, "exp(-6) of it is cut off"
    assert (current.w > -1e-6).all(), "no swing back"
    assert np.abs(np.diff(monophasic.w)).max() < 0.01, "the coil's voltage cannot jump"
    assert -0.35 < monophasic.w.min() < -0.1, "the return phase is weak"
    assert set(load_pulses()) == {"biphasic", "half-sine", "biphasic-cosine", "monophasic"}


def test_derivative_and_integral_undo_each_other() -> None:
    pulse = tms_pulse("biphasic", dt=1e-7)
    current = Waveform(name="I", t=pulse.t, w=pulse.integrated().w, peak=5e3, unit="A")
    again = current.derivative()
    assert again.unit == "A/s"
    assert np.abs(again.w - pulse.w).max() < 1e-3
    assert again.peak == pytest.approx(5e3 / pulse.integrated().peak, rel=1e-3)
    assert again.integrated().unit == "A"
    with pytest.raises(InputError, match="not 0 throughout"):
        Waveform(name="flat", t=np.arange(3.0), w=np.ones(3)).derivative()


def test_elementary_shapes() -> None:
    pulse = rectangular(100e-6)
    assert pulse.integral == pytest.approx(100e-6, rel=1e-4)
    assert pulse.at(np.array([-1e-6, 50e-6, 2e-4])) == pytest.approx([0, 1, 0])
    assert sine(10.0).at(np.array([0.025])) == pytest.approx(1.0)
    direct = ramped(20.0, ramp=5.0)
    assert direct.at(np.array([0.0, 2.5, 10.0, 17.5, 20.0])) == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert direct.integral == pytest.approx(15.0)
    assert len(ramped(2.0, ramp=1.0).t) == 3, "a triangle"
    alternating = ramped(20.0, ramp=5.0, frequency=10.0)
    assert alternating.at(np.array([2.525, 10.025])) == pytest.approx([0.505, 1.0])
    assert np.abs(alternating.w).max() == pytest.approx(1.0, abs=1e-9)
    first, second = two_carriers((2000.0, 2010.0))
    assert first.duration == pytest.approx(0.1)
    assert not any(x.pulse for x in (first, second, direct, alternating, sine(5.0)))
    t, w = sine(10.0).samples(0.01)
    assert np.allclose(np.diff(t), 0.01)
    assert w[[0, 5, 10]] == pytest.approx([0, 0, 0], abs=1e-12)


def test_bad_shapes() -> None:
    for make, match in (
        (lambda: rectangular(-1.0), "width must be > 0"),
        (lambda: rectangular(1e-9), "twice the edge"),
        (lambda: tms_pulse("biphasik"), "unknown TMS pulse 'biphasik', nearest: biphasic"),
        (lambda: tms_pulse("biphasic", dt=0.0), "dt must be > 0"),
        (lambda: tms_pulse("biphasic", dt=1e-15), "at most 50,000,000 samples"),
        (lambda: two_carriers((2e3, 2e3)), "carriers must differ"),
        (lambda: ramped(1.0, ramp=0.6), r"two ramps of 0\.6 s do not fit"),
        (lambda: ramped(1.0, ramp=0.1, frequency=-1.0), "frequency must be >= 0"),
        (lambda: sine(10.0).samples(0.0), "dt must be > 0"),
        (lambda: discharge(resistance=9.0, inductance=L, capacitance=C), "that oscillates"),
        (lambda: discharge(resistance=R, inductance=0.0, capacitance=C), "inductance must be > 0"),
        (
            lambda: clamped_discharge(resistance=R, inductance=L, capacitance=C, clamp=-1.0),
            "clamp must be > 0",
        ),
    ):
        with pytest.raises(InputError, match=match):
            make()


def test_bad_samples() -> None:
    for t, w, match in (
        ([0.0, 0.0], [0, 0], r"times must rise, got 0 s after 0 s \(sample 1\): waveform 'x'"),
        ([0.0, 1.0, 2.0], [0, np.nan, 0], "finite times and values, sample 1 is not"),
        ([0.0], [1.0], r"two or more samples of time and value, got \(1,\)"),
        ([0.0, 1.0], [1.0], r"got \(2,\) and \(1,\)"),
    ):
        with pytest.raises(InputError, match=match):
            Waveform(name="x", t=np.array(t), w=np.array(w))


def table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_table_with_units(tmp_path: Path) -> None:
    path = table(tmp_path / "p.csv", "time (us), dI/dt [A/us]\n0, 0\n# a remark\n10, -80\n20, 40\n")
    pulse = read_waveform(path)
    assert pulse.name == "p"
    assert pulse.t == pytest.approx([0, 10e-6, 20e-6])
    assert pulse.w.tolist() == [0, -1, 0.5]
    assert (pulse.peak, pulse.unit, pulse.pulse) == (80e6, "A/s", True)
    # the columns of a measured pulse, without units
    path = table(
        tmp_path / "m.tsv", "# Time\tRapid\tRapid_fit\n-1e-6\t0\t0\n0\t.5\t1\n1e-6\t1\t1\n"
    )
    fit = read_waveform(path, column="Rapid_fit", time_unit="s", value_unit="1", pulse=False)
    assert fit.w.tolist() == [0, 1, 1]
    assert (fit.unit, fit.pulse) == ("", False)
    current = table(tmp_path / "i.csv", "\ufeffTime (µs),Current (kA)\n0,0\n100,4\n200,0\n")
    slope = read_waveform(current).derivative()
    assert slope.peak == pytest.approx(4e3 / 100e-6)
    assert slope.unit == "A/s"


def test_bad_tables(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    head = "time (us),current (A)\n"
    for text, match in (
        ("", "got an empty file"),
        (
            "0,1\n1,2\n",
            r"expected a header such as 'time \(us\), current \(A\)', got '0,1': line 1",
        ),
        ("time (us)\n0\n1\n", "expected a header"),
        (head, "two or more samples, got 0"),
        (head + "0,1\n", "two or more samples, got 1"),
        (head + "0,1\n1,nan\n", "expected a finite time and 'current', got '1,nan': line 3"),
        (head + "0,1\n\n1,x\n", "got '1,x': line 4"),
        (head + "0,1\n1\n", "got '1': line 3"),
        (head + "0,1\n2,1\n1,2\n", "times must rise, got 1 after 2: line 4"),
        (head + "0,0\n2,0\n", "not 0 throughout"),
        ("time,current (A)\n0,1\n1,2\n", r"a unit in the header of column 'time', such as"),
        ("time (h),current (A)\n0,1\n1,2\n", r"unknown unit 'h', .*column 'time'"),
        ("time (us),current (Amp)\n0,1\n1,2\n", "unknown unit 'Amp'"),
    ):
        with pytest.raises(InputError, match=match) as caught:
            read_waveform(table(path, text))
        assert "p.csv" in str(caught.value)
    with pytest.raises(InputError, match="unknown column 'curent', nearest: current"):
        read_waveform(table(path, head + "0,1\n1,2\n"), column="curent")
    with pytest.raises(InputError, match="expected a table of a waveform, found none"):
        read_waveform(tmp_path / "none.csv")
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="cannot read a table"):
        read_waveform(path)


def test_pulses_reach_the_cable(tmp_path: Path) -> None:
    for pulse in (
        rectangular(200e-6),
        *(tms_pulse(name) for name in load_pulses()),
        discharge(resistance=R, inductance=L, capacitance=C, cycles=1.5),
    ):
        drive = drive_of(pulse)
        assert drive.amplitude @ drive.dt == pytest.approx(pulse.integral, abs=1e-9)
        assert len(drive.dt) <= 8
        assert 0.7 < np.abs(drive.amplitude).max() < 1 + 1e-9
    # a recorded pulse, with rest around it, gives what the circuit gives
    exact = tms_pulse("biphasic", dt=1e-7)
    rows = "".join(f"{1e6 * t:.6f},{w:.9f}\n" for t, w in zip(exact.t, 80 * exact.w, strict=True))
    path = table(tmp_path / "p.csv", f"time (us),dI/dt (A/us)\n{rows}")
    a, b = drive_of(read_waveform(path)), drive_of(exact)
    assert np.allclose(a.amplitude, b.amplitude, atol=1e-6)
    assert np.allclose(a.dt, b.dt, rtol=1e-6)


def test_what_is_no_single_pulse_is_flagged() -> None:
    for waveform, phases in (
        (sine(2000.0, cycles=100), 200),
        (sine(2000.0, cycles=1), 2),
        (two_carriers((2000.0, 2010.0))[0], None),
    ):
        notes = drive_of(waveform).notes
        assert "thresholds are calibrated on single pulses, and this goes on" in notes[-1]
        assert phases is None or f"({phases} strong phases)" in notes[-1]
    for waveform in (ramped(1.0, ramp=0.1), ramped(1.0, ramp=0.1, frequency=10.0)):
        assert "outside the calibrated" in drive_of(waveform).notes[0]
    carrier = sine(2000.0, cycles=300)
    train = Waveform(name="train", t=carrier.t, w=carrier.w)
    assert "600 strong phases" in drive_of(train).notes[-1]
    with pytest.raises(InputError, match="may have 2000 phases, got 4000: waveform 'sine 2000 Hz'"):
        drive_of(sine(2000.0, cycles=2000))
