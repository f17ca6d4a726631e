"""Pulse trains: charge, Fourier coefficients in closed form, samples for neurons."""

from itertools import pairwise
from math import inf

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.waveforms.shapes import rectangular
from rheobase.fields.waveforms.trains import Piece, PulseTrain, dbs_pulse

TRAINS = {
    "symmetric": dbs_pulse(60e-6, 130.0, gap=30e-6),
    "asymmetric": dbs_pulse(90e-6, 185.0, recharge="asymmetric", ratio=8.0),
    "passive": dbs_pulse(60e-6, 130.0, recharge="passive", tau=0.7e-3, gap=50e-6),
    "short": dbs_pulse(60e-6, 900.0, recharge="passive", tau=0.7e-3),
    "samples": PulseTrain.from_waveform(rectangular(100e-6, dt=50e-6, edge=10e-6), 130.0),
    "none": dbs_pulse(210e-6, 60.0, recharge="none"),
}


@pytest.mark.parametrize("name", TRAINS)
def test_coefficients_are_the_integrals(name: str) -> None:
    train = TRAINS[name]
    assert train.rate is not None
    corners = sorted({0.0, train.period} | {t for p in train.pieces for t in (p.start, p.stop)})
    x, weight = np.polynomial.legendre.leggauss(60)
    for n in (0, 1, 2, 7, 60, 300):
        total = 0j
        for a, b in pairwise(corners):
            for part in np.linspace(a, b, 41)[:-1]:
                h = (b - a) / 40
                t = part + 0.5 * h * (1 + x)
                w = train.at(t) * np.exp(-2j * np.pi * n * train.rate * t)
                total += 0.5 * h * (weight @ w)
        found = train.coefficients(np.array([n]))[0]
        assert found == pytest.approx(total * train.rate, abs=1e-14)


@pytest.mark.parametrize("name", ["symmetric", "asymmetric", "passive", "short"])
def test_charge_is_balanced(name: str) -> None:
    train = TRAINS[name]
    assert train.balanced
    assert abs(train.coefficients(np.array([0]))[0]) < 1e-15
    single = train.waveform(dt=1e-7)
    assert abs(single.integral) < 2e-5 * 60e-6, "edges of 1 ns and samples of the tail"


@pytest.mark.parametrize("name", TRAINS)
def test_low_passes_are_their_series(name: str) -> None:
    train = TRAINS[name]
    assert train.rate is not None
    tau = np.array([10e-6, 50e-6, 0.7e-3, 0.05])  # one is that of the passive recharge
    t = np.linspace(0, 1.3 * train.period, 41) + 3e-6
    n = np.arange(1, 60_001)
    low = 1 / (1 + 2j * np.pi * train.rate * np.outer(tau, n))
    turns = np.exp(2j * np.pi * train.rate * np.outer(n, t))
    series = 2 * ((low * train.coefficients(n)) @ turns).real
    series += train.coefficients(np.array([0]))[0].real
    assert np.allclose(train.filtered(t, tau), series, atol=1e-4)


def test_unbalanced_is_allowed_and_told() -> None:
    train = TRAINS["none"]
    assert not train.balanced
    assert train.net_charge == pytest.approx(210e-6)
    assert train.coefficients(np.array([0]))[0] == pytest.approx(210e-6 * 60)


def test_parseval() -> None:
    # the energy of the symmetric train is 2 width / T; its series falls as 1/n
    train = dbs_pulse(60e-6, 130.0)
    n = np.arange(1, 300_001)
    energy = 2 * (np.abs(train.coefficients(n)) ** 2).sum()
    assert energy == pytest.approx(120e-6 * 130, rel=1e-4)


def test_small_and_large_frequencies_agree_across_the_switch() -> None:
    piece = Piece(0.0, 1.0, 0.3, 1.7)
    omega = np.array(
        [0.04 - 1e-9, 0.04 + 1e-9]
    )  # half the phase of 0.02, where the formula changes
    a, b = piece.transform(omega)
    assert abs(a - b) < 1e-8
    assert piece.transform(np.zeros(1))[0] == pytest.approx(piece.integral)


def test_waveform_has_the_same_values() -> None:
    for name, train in TRAINS.items():
        single = train.waveform(dt=1e-6)
        t = np.linspace(2e-9, train.duration - 2e-9, 777)
        near = np.min([np.abs(t - q) for p in train.pieces for q in (p.start, p.stop)], axis=0)
        keep = near > 2e-9
        assert np.allclose(single.at(t)[keep], train.at(t)[keep], atol=3e-5), name
        assert single.w[-1] == 0.0


def test_bad_pulses_are_one_sentence() -> None:
    with pytest.raises(InputError, match=r"a pulse of 0\.00012 s does not fit into the 0\.0001 s"):
        dbs_pulse(60e-6, 1e4)
    with pytest.raises(InputError, match="pulse width must be > 0, got 0"):
        dbs_pulse(0.0)
    with pytest.raises(InputError, match="unknown recharge 'active'"):
        dbs_pulse(recharge="active")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="gap between the phases must be >= 0 s"):
        dbs_pulse(gap=-1e-6)
    with pytest.raises(InputError, match="one after the other"):
        PulseTrain(name="x", pieces=(Piece(0, 2, 1, 1), Piece(1, 3, 1, 1)), rate=None)
    with pytest.raises(InputError, match="expected a train, got a single pulse"):
        dbs_pulse(rate=None).coefficients(np.arange(3))
    with pytest.raises(InputError, match="no time is left for the recharge"):
        dbs_pulse(1e-3, 1000.0, recharge="passive")
    with pytest.raises(InputError, match="expected a train, got a single pulse"):
        dbs_pulse(rate=None).filtered(np.zeros(1), np.ones(1))
    assert dbs_pulse(rate=None).period == inf
