"""Cells under ultrasound: sonophore, effective rates, slow equations, recruitment."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.acoustics.sonication import Sonication
from rheobase.neurons.network.drive import Drive, forced_spikes
from rheobase.neurons.network.microcircuit import microcircuit_probabilities
from rheobase.neurons.network.model import LIF, LIFPopulation, Network, Synapses
from rheobase.neurons.placement import place_in_slab
from rheobase.neurons.sonic import (
    EffectiveTable,
    cell_of_type,
    effective_table,
    recruit_ultrasound,
    respond,
    sonic_cell,
    sonic_cells,
    sonophore_of,
    spike_times,
    threshold_curve,
    threshold_pressure,
)
from rheobase.neurons.sonic.averages import cycle_averages
from rheobase.neurons.sonic.cells import SonicCell
from rheobase.neurons.sonic.force import radiation_force, steady_displacement
from rheobase.neurons.sonic.sonophore import Sonophore

FEW = np.array([0.0, 2e3, 16e3, 20e3, 22e3, 24e3, 28e3, 36e3, 50e3])  # Pa
BURST = Sonication(frequency=500e3, pulse_duration=1.0)


@pytest.fixture(scope="module")
def lts() -> EffectiveTable:
    """Return a coarse table of the cell with the lowest threshold."""
    return effective_table("LTS", frequency=500e3, amplitudes=FEW)


@pytest.mark.parametrize("name", sonic_cells())
def test_at_its_resting_potential_a_cell_is_at_rest(name: str) -> None:
    """The published resting potentials are those at which currents cancel, to 0.1 mV."""
    cell = sonic_cell(name)
    total = float(cell.conductance[-1])
    residue = float(cell.current(cell.rest, cell.steady(cell.rest)))
    assert abs(residue) / total < 1e-4


def _linear(x: float, k: float) -> float:
    return float(x / np.expm1(x / k))


@pytest.mark.parametrize(
    ("name", "VT", "slowest", "conductances", "leak"),
    [
        ("RS", -56.2, 0.608, (560, 60, 0.75, 0.205), -70.3),
        ("FS", -57.9, 0.502, (580, 39, 0.787, 0.38), -70.4),
        ("LTS", -50.0, 4.0, (500, 40, 0.28, 4.0, 0.19), -50.0),
        ("IB", -56.2, 0.608, (500, 50, 0.3, 1.0, 0.1), -70.0),
    ],
)
def test_cells_are_those_of_the_reference(
    name: str, VT: float, slowest: float, conductances: tuple[float, ...], leak: float
) -> None:
    """Every rate as PySONIC writes it (mV, 1/s), conductances (S/m²) and leakage (mV)."""
    cell = sonic_cell(name)
    assert cell.conductance.tolist() == list(conductances)
    assert cell.reversal[[0, 1, 2, -1]] * 1e3 == pytest.approx([50, -90, -90, leak])
    for V in (-95.0, -61.3, -20.7):
        v, exp = V - VT, np.exp
        p, tau_p = 1 / (1 + exp(-(V + 35) / 10)), 3.3 * exp((V + 35) / 20) + exp(-(V + 35) / 20)
        tau_p = slowest / tau_p
        want = {
            "m": (0.32e3 * _linear(13 - v, 4), 0.28e3 * _linear(v - 40, 5)),
            "h": (0.128e3 * exp(-(v - 17) / 18), 4e3 / (1 + exp(-(v - 40) / 5))),
            "n": (0.032e3 * _linear(15 - v, 5), 0.5e3 * exp(-(v - 10) / 40)),
            "p": (p / tau_p, (1 - p) / tau_p),
            "q": (0.055e3 * _linear(-(V + 27), 3.8), 0.94e3 * exp(-(V + 75) / 17)),
            "r": (0.457 * exp(-(V + 13) / 50), 6.5 / (exp(-(V + 15) / 28) + 1)),
        }
        x = V - 7
        s, u = 1 / (1 + exp(-(x + 57) / 6.2)), 1 / (1 + exp((x + 81) / 4))
        tau_s = 0.612 + 1 / (exp(-(x + 132) / 16.7) + exp((x + 16.8) / 18.2))
        tau_u = exp((x + 467) / 66.6) if x < -80 else exp(-(x + 22) / 10.5) + 28
        want["s"] = (s / tau_s * 3.7e3, (1 - s) / tau_s * 3.7e3)
        want["u"] = (u / tau_u * 3.7e3, (1 - u) / tau_u * 3.7e3)
        expected = np.array([want[g] for g in cell.gates])
        np.testing.assert_allclose(np.stack(cell.rates(V * 1e-3)).T, expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("charge", "gap", "length", "scale", "m", "n"),
    [
        (-71.9e-5, 1.2553492695740507e-9, 1.7142977983903395e-9, 16627.435, 3.9147722, 0.98551685),
        (-54e-5, 1.302942739961778e-9, 1.588820457014353e-9, 21124.288, 3.9219531, 1.0531180),
    ],
)
def test_gap_and_fitted_pressure_are_those_of_the_reference(
    charge: float, gap: float, length: float, scale: float, m: float, n: float
) -> None:
    """PySONIC's own table, bls_lookups.json; its vacuum permittivity is 8.854e-12 F/m."""
    sonophore = Sonophore(radius=32e-9, capacitance=1e-2, rest_charge=charge)
    assert sonophore.gap == pytest.approx(gap, rel=5e-6)
    assert sonophore.fit == pytest.approx((length, scale, m, n), rel=3e-4)


def test_capacitance_is_that_of_a_gap_between_caps() -> None:
    """The closed form is the average of 1/distance over the disc."""
    sonophore = sonophore_of(sonic_cell("RS"), 32e-9)
    a, gap = sonophore.radius, sonophore.gap
    node, weight = np.polynomial.legendre.leggauss(400)
    s = 0.5 * (node + 1)
    for Z in (-0.3e-9, 1e-9, 5e-9):
        local = Z * (1 - s)  # a paraboloid, a cap to first order in (Z/a)²
        want = 1e-2 * np.sum(0.5 * weight * gap / (gap + 2 * local))
        assert float(sonophore.capacitance_at(Z)) == pytest.approx(want, rel=2 * (Z / a) ** 2)
    assert float(sonophore.capacitance_at(1e-17)) == pytest.approx(1e-2)


def _by_lsoda(sonophore: Sonophore, Q: float, A: float, cycles: int) -> NDArray[np.float64]:
    """Integrate the sonophore with SciPy, its equations written anew; last cycle of Z (m)."""
    from scipy.integrate import solve_ivp
    from scipy.optimize import brentq

    a, D, f = sonophore.radius, sonophore.gap, 500e3
    x, C, m, n = sonophore.fit
    RT = 8.314462618 * 309.15
    e = Q**2 / (2 * 8.8541878e-12)

    def static(Z: float, ng: float) -> float:
        y = x / (2 * Z + D)
        V = np.pi * a**2 * D * (1 + Z / (3 * D) * (3 + (Z / a) ** 2))
        return float(C * (y**m - y**n) + ng * RT / V - 1e5 - e * a**2 / (a**2 + Z**2))

    def slope(t: float, y: NDArray[np.float64]) -> list[float]:
        U, Z, ng = y[0], y[1] * 1e-9, y[2] * 1e-22
        R = (a**2 + Z**2) / (2 * Z) if Z else np.inf
        P = static(Z, ng) + A * np.sin(2 * np.pi * f * t) - 0.24 * (Z / a) ** 2 / R
        P -= 12 * U * 2e-9 * 0.035 / R**2 + 4 * U * 7e-4 / abs(R)
        V = np.pi * a**2 * D * (1 + Z / (3 * D) * (3 + (Z / a) ** 2))
        flux = 2 * np.pi * (a**2 + Z**2) * 3.68e-9 / 0.5e-9 * (0.62 - ng * RT / V / 1.613e5)
        return [P / (1075 * abs(R)) - 1.5 * U**2 / R, U * 1e9, flux * 1e22]

    n0 = 1e5 * np.pi * a**2 * D / RT
    start = brentq(lambda Z: static(Z, n0) + A * np.sin(2 * np.pi * 1e-3), -0.49 * D, a, xtol=1e-18)
    times = (cycles - 1 + np.arange(1, 1001) / 1000) / f
    y0 = [0.0, start * 1e9, n0 * 1e22]
    found = solve_ivp(slope, (0, cycles / f), y0, "LSODA", times, rtol=1e-7, atol=1e-8)
    out: NDArray[np.float64] = found.y[1] * 1e-9
    return out


@pytest.mark.parametrize(("Q", "A"), [(-60e-5, 50e3), (20e-5, 30e3)])
def test_cycles_agree_with_scipy(Q: float, A: float) -> None:
    """The effective potential is that of LSODA at tight tolerance, to 0.01 mV."""
    cell = sonic_cell("RS")
    sonophore = sonophore_of(cell, 32e-9)
    of = partial(
        cycle_averages,
        cell,
        frequency=500e3,
        radius=32e-9,
        amplitudes=np.array([A]),
        charges=np.array([Q]),
    )
    ours, finer = of(), of(tolerance=1e-6)
    V = Q / sonophore.capacitance_at(_by_lsoda(sonophore, Q, A, 3))
    assert abs(ours.potential[0, 0] - V.mean()) < 1e-5
    assert abs(ours.potential[0, 0] - finer.potential[0, 0]) < 1e-5
    opening, closing = cell.rates(V)
    assert ours.opening[0, :, 0] == pytest.approx(opening.mean(1), rel=2e-3)
    assert ours.closing[0, :, 0] == pytest.approx(closing.mean(1), rel=2e-3)


def test_motion_that_never_repeats_has_an_average() -> None:
    """At 4 MHz cycles near the front are of no period; their mean does not depend on the step."""
    of = partial(
        cycle_averages,
        sonic_cell("RS"),
        frequency=4e6,
        radius=32e-9,
        amplitudes=np.array([41.838e3]),
        charges=np.array([-48e-5]),
    )
    rough, fine = (of(tolerance=x).potential[0, 0] for x in (1e-4, 1e-5))
    assert abs(rough - fine) < 0.3e-3


def _direct(cell: SonicCell, current: float, duration: float) -> tuple[int, float]:
    """Integrate the cell without sound with SciPy: spikes and last charge (C/m²).

    Its capacitance follows the charge as that of a sonophore at rest, in equilibrium with its gas.
    """
    from scipy.integrate import solve_ivp
    from scipy.optimize import brentq

    sonophore = sonophore_of(cell, 32e-9)
    a, D = sonophore.radius, sonophore.gap
    x, C, m, n = sonophore.fit

    def still(Z: float, Q: float) -> float:
        y = x / (2 * Z + D)
        tension = 0.24 * (Z / a) ** 2 * 2 * Z / (a**2 + Z**2)
        squeeze = Q**2 / (2 * 8.8541878e-12) * a**2 / (a**2 + Z**2)
        return float(C * (y**m - y**n) + 0.62 * 1.613e5 - 1e5 - tension - squeeze)

    charges = np.linspace(-97e-5, 60e-5, 150)
    Z = np.array([brentq(still, -0.49 * D, a, args=(Q,), xtol=1e-18) for Q in charges])
    potential = charges / sonophore.capacitance_at(Z)

    def slope(t: float, y: NDArray[np.float64]) -> NDArray[np.float64]:
        V = np.interp(y[0] * 1e-5, charges, potential)
        up, down = cell.rates(V)
        flow = 1e5 * (current - cell.current(V, y[1:]))
        return np.append(flow, up * (1 - y[1:]) - down * y[1:])

    y0 = np.append(cell.rest_charge * 1e5, cell.steady(cell.rest))
    t = np.arange(0, duration, 1e-4)
    found = solve_ivp(slope, (0, duration), y0, "LSODA", t, rtol=1e-6, atol=1e-8)
    Q = found.y[0]
    return int(np.count_nonzero((Q[1:-1] > 3) & (Q[1:-1] > Q[:-2]) & (Q[1:-1] >= Q[2:]))), Q[-1]


def test_without_sound_the_cell_is_the_electrical_one(lts: EffectiveTable) -> None:
    """Spikes by an injected current and the charge below its rheobase are those of SciPy."""
    cell = sonic_cell("LTS")
    short = Sonication(frequency=500e3, pulse_duration=0.05)
    for current in (0.0, 0.02):
        spikes, last = _direct(cell, current, 0.05)
        ours = respond(lts, short, 0.0, current=current, course=1e-3)
        assert len(ours.spikes) == spikes
        if not spikes:
            assert 1e5 * ours.charge[-1] == pytest.approx(last, abs=0.02)
    assert spikes > 0
    assert len(respond(lts, short, 0.0).spikes) == 0


def test_charge_is_kept_where_no_current_flows() -> None:
    """Without conductances the charge stays what it is, sound or not."""
    from rheobase.neurons.sonic._charge_numba import run

    flat = np.tile(np.linspace(-0.1, 0.1, 11), (2, 1))
    gates, trace = np.array([0.3]), np.empty((10, 2))
    half = np.full((2, 1, 11), 0.5)
    args = (np.zeros(1), np.zeros(1), np.ones((1, 1), np.int64), np.array([100, 50]))
    count, steps = run(
        0.0, flat, np.ones_like(flat), half, half, -1e-3, 2e-4, *args, np.array([1e-5, 1e-5]),
        np.array([0, 1]), 3e-5, 20e-5, 5, -6e-4, gates, np.empty(5), trace, 15,
    )  # fmt: skip
    assert (count, steps) == (0, 150)
    assert (trace[:, 1] == -6e-4).all()
    assert gates[0] == pytest.approx(0.5)


def test_steps_are_of_second_order(lts: EffectiveTable) -> None:
    """The charge below the threshold converges with the square of the step."""
    train = Sonication.at_rate(500e3, pulse_rate=100, duty_cycle=0.5, train_duration=0.1)
    fine, *rough = (
        respond(lts, train, 10e3, step=h, course=1e-3).charge[-1] for h in (5e-6, 250e-6, 125e-6)
    )
    error = np.abs(np.array(rough) - fine)
    assert error[0] / error[1] == pytest.approx(4, rel=0.3)


def test_thresholds_fall_with_duty_cycle_and_duration(lts: EffectiveTable) -> None:
    """More sound needs less pressure; at the threshold it fires, just below it does not."""
    trains = [
        Sonication.at_rate(500e3, pulse_rate=100, duty_cycle=d, train_duration=0.3)
        for d in (0.2, 0.5)
    ]
    pressures = [threshold_pressure(lts, s) for s in (*trains, BURST)]
    assert np.isfinite(pressures).all()
    assert (np.diff(pressures) < -0.05 * np.array(pressures[1:])).all()
    assert len(respond(lts, BURST, pressures[-1]).spikes) >= 1
    assert len(respond(lts, BURST, 0.998 * pressures[-1]).spikes) == 0
    weak = Sonication(frequency=500e3, pulse_duration=1e-3)
    assert threshold_pressure(lts, weak) == np.inf


def _unwired() -> Network:
    cell = LIF(
        C=250e-12, tau_m=0.01, E_L=-0.065, V_th=-0.05, V_reset=-0.065, t_ref=2e-3, tau_E=5e-4,
        tau_I=5e-4,
    )  # fmt: skip
    people = LIFPopulation(
        name="L5I", layer="L5", excitatory=False, size=50, neuron=cell, direct_current=0.0,
        external_rate=0.0, external_weight=0.0, V0_mean=-0.065, V0_sd=0.0,
    )  # fmt: skip
    none = Synapses.from_pairs(50, [], [], [], [], dt=1e-4)
    return Network(populations=(people,), synapses=none, dt=1e-4)


def test_recruitment_feeds_the_network(lts: EffectiveTable) -> None:
    """Factors on the drive, by type; the network takes probabilities and spike times as always."""
    people = place_in_slab(
        species="human", counts={"L5_martinotti": 40}, seed=1, radius=1e-3, clones=1
    )
    pressure = np.linspace(0, 30e3, 40) * np.exp(1j * np.arange(40))
    pressure[1] = np.nan
    got = recruit_ultrasound(people, pressure, BURST, tables={"LTS": lts})
    needed = threshold_pressure(lts, BURST)
    assert np.isinf(got.threshold[:, 0]).all()
    assert np.isnan(got.threshold[:, 1]).all()
    assert (got.threshold[0, 2:] == got.threshold[1, 2:]).all()
    assert got.threshold[0, -1] == pytest.approx(needed / 30e3)
    assert any("no species" in note for note in got.notes)
    brief = Sonication(frequency=500e3, pulse_duration=20e-6)
    never = recruit_ultrasound(people, pressure, brief, tables={"LTS": lts})
    assert any("pulses of 10 cycles" in note for note in never.notes)
    assert any("none up to 50 kPa" in note for note in never.notes)
    at = got.probability([1.0, 1e3], by=("type", "layer", "species"))
    assert 0 < float(at[0, 0, 0]) < float(at[0, 0, 1]) < 1  # one cell never feels a pressure
    times = spike_times("L5_martinotti", BURST, 1.2 * needed, tables={"LTS": lts})
    drive = Drive(
        probability=microcircuit_probabilities({"L5_martinotti": float(at[0, 0, 0])}), times=times
    )
    step, neuron = forced_spikes(drive, _unwired(), seed=2)
    assert len(step) == len(neuron) > 0


def test_a_curve_says_what_was_tried(lts: EffectiveTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thresholds come with the timing they belong to."""
    monkeypatch.setattr("rheobase.neurons.sonic.response.effective_table", lambda *_, **__: lts)
    curve = threshold_curve("LTS", [BURST]).to_xarray()
    assert float(curve[0]) == threshold_pressure(lts, BURST)
    assert float(curve.duty_cycle[0]) == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sonic_cell("PV"), "unknown point neuron 'PV'"),
        (lambda: cell_of_type("L23_vip"), "unknown cell type with a point neuron 'vip'"),
        (lambda: effective_table("RS", frequency=10.0), "frequency must be"),
        (lambda: effective_table("RS", frequency=5e5, radius=1.0), "sonophore radius must be"),
        (lambda: effective_table("RS", frequency=5e5, amplitudes=[1.0, 2.0]), "rise from 0 Pa"),
        (lambda: Sonophore(radius=1.0, capacitance=1e-2, rest_charge=0.0), "radius must be"),
        (lambda: threshold_pressure("RS", BURST, tolerance=2.0), "tolerance must be"),
    ],
)
def test_bad_input_is_one_sentence(call: object, words: str) -> None:
    """Nothing long starts before it."""
    with pytest.raises(InputError, match=words):
        call()  # type: ignore[operator]


def test_bad_input_of_responses(lts: EffectiveTable) -> None:
    """Another frequency, pressures outside the table, pressures that match no cells."""
    other = Sonication(frequency=1e6, pulse_duration=1.0)
    with pytest.raises(InputError, match="is for 500000 Hz"):
        respond(lts, other, 1e3)
    with pytest.raises(InputError, match="amplitude must be 0 to 50000 Pa"):
        respond(lts, BURST, 1e6)
    with pytest.raises(InputError, match="step and course"):
        respond(lts, BURST, 1e3, step=0.0)
    cells = place_in_slab(species="human", counts={"L5_martinotti": 2}, seed=1, radius=1e-3)
    with pytest.raises(InputError, match="pressure for each of 2 cells"):
        recruit_ultrasound(cells, [1.0], BURST, tables={"LTS": lts})


def test_radiation_force_and_displacement() -> None:
    """2 alpha I / c, Kelvin's solution far away, that of a ball of force at its middle."""
    alpha, intensity, c = 2.0, 1e4, 1540.0
    density = radiation_force([2 * alpha * intensity], [0, 0, 3.0], c)
    assert density == pytest.approx(np.array([[0, 0, 2 * alpha * intensity / c]]))
    mu, F = 1e3, np.array([[0, 0, 1e-6]])
    ball = 4 / 3 * np.pi * 1e-9
    u = steady_displacement(
        [[0.0, 0.0, 0.1], [0.1, 0.0, 0.0], [0.0, 0.0, 0.0]],
        sources=[[0, 0, 0]],
        forces=F,
        volumes=[ball],
        shear_modulus=mu,
    )
    want = 1e-6 / (4 * np.pi * mu) * np.array([1 / 0.1, 0.5 / 0.1, 1 / 1e-3])
    assert u.values[:, 2] == pytest.approx(want, rel=2e-4)
    assert "hypothesis" in u.attrs["note"]
    with pytest.raises(InputError, match="direction of the sound"):
        radiation_force([1.0], [0, 0, 0], c)
    with pytest.raises(InputError, match="volumes must be > 0"):
        steady_displacement(
            [[0, 0, 1.0]], sources=[[0, 0, 0]], forces=F, volumes=[0.0], shear_modulus=mu
        )
