"""The full simulation: scheme, spikes, thresholds."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from rheobase._errors import InputError
from rheobase.neurons.activation import thresholds
from rheobase.neurons.fibres import bare_fibre
from rheobase.neurons.generate import Cell, generate_cell
from rheobase.neurons.membrane import CHANNELS, Circuit, circuit
from rheobase.neurons.morphology import Floats, Kind
from rheobase.neurons.placement import place_in_slab
from rheobase.neurons.sample import UniformField, rises_along
from rheobase.neurons.spiking import resting_state, simulate, simulate_cell, spiking_thresholds


@pytest.fixture(scope="module")
def cell() -> Cell:
    return generate_cell("L6_bipolar", "rat", seed=1)


@pytest.fixture(scope="module")
def rises(cell: Cell) -> Floats:
    directions = np.random.default_rng(1).standard_normal((11, 3))
    return np.array([rises_along(cell.morphology, UniformField(E=d)) for d in directions])


def _patch(density: dict[str, float]) -> Circuit:
    """One compartment of 100 µm² with channels (S/m²)."""
    one = circuit(bare_fibre(10e-6, 10e-6 / np.pi, 1), "cADpyr232")
    return dataclasses.replace(
        one, density={k: np.array([v]) for k, v in density.items()}, leak=0.3 * one.area
    )


def _reference(of: Circuit, current: float, t: Floats) -> Floats:
    """Integrate the patch with SciPy from its rest."""
    channels = [CHANNELS[k] for k in of.density]
    conductance = [float(d[0] * of.area[0]) for d in of.density.values()]
    rest = float(resting_state(of)[0])
    start = [rest]
    for c in channels:
        start += [float(s) for s, _ in c.kinetics(rest)]

    def slope(_: float, y: Floats) -> list[float]:
        out, gates = [0.0], y[1:]
        total, k = of.leak[0] * (y[0] - of.leak_reversal[0]), 0
        for c, g in zip(channels, conductance, strict=True):
            mine = gates[k : k + len(c.gates)]
            k += len(c.gates)
            out += [
                float((s - x) / tau) for x, (s, tau) in zip(mine, c.kinetics(y[0]), strict=True)
            ]
            total += g * mine[0] ** c.power * np.prod(mine[1:]) * (y[0] - c.reversal)
        out[0] = float((current - total) / of.capacitance[0])
        return out

    got = solve_ivp(slope, (0, t[-1]), start, "LSODA", t_eval=t, rtol=1e-8, atol=1e-10)
    trace: Floats = got.y[0]
    return trace


@pytest.mark.parametrize(
    "density",
    [
        {"NaTa_t": 2000.0, "SKv3_1": 600.0, "K_Pst": 300.0, "Nap_Et2": 5.0, "K_Tst": 50.0},
        {"NaTs2_t": 2000.0, "SKv3_1": 600.0, "Im": 3.0, "Ih": 1.0},
    ],
)
def test_a_patch_follows_scipy_and_the_error_falls_with_the_square_of_the_step(
    density: dict[str, float],
) -> None:
    of, current = _patch(density), 40e-12
    errors = []
    for dt in (8e-6, 4e-6):
        t, v = simulate(of, [1.0], 6e-3, current, 5e-3, dt=dt)
        reference = _reference(of, current, t)
        errors.append(float(np.abs(v[:, 0] - reference).max()))
    assert reference.max() > 10e-3  # it spikes
    assert errors[1] < 0.4e-3
    assert errors[0] / errors[1] > 3.0


def test_a_resting_cell_stays_at_rest(cell: Cell, rises: Floats) -> None:
    rest = resting_state(cell)
    _, v = simulate_cell(cell, rises[0], 100e-6, 0.0, 5e-3)
    assert np.abs(v - rest).max() < 1e-6


def test_squid_axon_conducts_at_18_8_m_per_s() -> None:
    # Hodgkin and Huxley 1952 computed 18.8 m/s at 18.5 °C for 238 µm radius and 35.4 ohm cm
    fibre = dataclasses.replace(bare_fibre(60e-3, 476e-6, 240), resistivity=0.354)
    into = np.zeros(240)
    into[:4] = 0.25
    t, v = simulate(
        circuit(fibre, "hodgkin_huxley"),
        into,
        0.2e-3,
        80e-6,
        4.5e-3,
        dt=10e-6,
        record=[100, 180],
        temperature=18.5,
    )
    pass_ = [float(t[np.argmax(x > 0)]) for x in v.T]
    assert 80 * 0.25e-3 / (pass_[1] - pass_[0]) == pytest.approx(18.8, rel=0.02)


@pytest.mark.slow
def test_rallpack_3() -> None:
    from rheobase.validation.rallpack_axon import axon_rows

    for row in axon_rows():
        assert row.passed, row


def test_a_threshold_divides_spikes_from_none(cell: Cell, rises: Floats) -> None:
    threshold, site = spiking_thresholds(cell, rises[:2], 200e-6)
    of = circuit(cell)
    for k in range(2):
        for row, sign in enumerate((1.0, -1.0)):
            fires = []
            for factor in (0.99, 1.01):
                amplitude = sign * factor * threshold[row, k]
                _, v = simulate_cell(cell, rises[k], 200e-6, amplitude, 3e-3)
                fires.append(np.count_nonzero((v[:, of.counted] > 0).any(axis=0)) >= 3)
            assert fires == [False, True]
    assert of.counted[site].all()
    assert cell.morphology.kind[site[0, 0]] == Kind.TERMINAL


def test_lanes_do_not_know_of_each_other(cell: Cell, rises: Floats) -> None:
    together, sites = spiking_thresholds(cell, rises, 100e-6)
    alone, site = spiking_thresholds(cell, rises[7:8], 100e-6)
    assert together[:, 7:8] == pytest.approx(alone, rel=1e-12)
    assert (sites[:, 7:8] == site).all()
    blocks = np.zeros((3, len(cell.morphology), 4))
    blocks.transpose(0, 2, 1).reshape(12, -1)[:] = 0.0
    for k in range(11):
        blocks[k // 4, :, k % 4] = rises[k]
    packed, _ = spiking_thresholds(cell, blocks, 100e-6)
    assert packed[:, :11] == pytest.approx(together, rel=1e-12)
    assert np.isinf(packed[:, 11]).all()  # no field, no spike


def test_thresholds_scale_and_turn_with_the_field(cell: Cell, rises: Floats) -> None:
    plain, _ = spiking_thresholds(cell, rises[:1], 200e-6)
    other, _ = spiking_thresholds(cell, -2.0 * rises[:1], 200e-6)
    assert 2 * other[::-1] == pytest.approx(plain, rel=0.01)


def test_a_pulse_given_as_samples_is_the_same(cell: Cell, rises: Floats) -> None:
    plain, _ = spiking_thresholds(cell, rises[:1], 200e-6)
    drawn = SimpleNamespace(t=np.array([0.0, 100e-6, 200e-6]), w=np.ones(3))
    assert spiking_thresholds(cell, rises[:1], drawn)[0] == pytest.approx(plain, rel=0.01)


def test_the_default_step_errs_by_less_than_half_a_percent(cell: Cell, rises: Floats) -> None:
    coarse, _ = spiking_thresholds(cell, rises[:3], 200e-6, tolerance=1e-3)
    fine, _ = spiking_thresholds(cell, rises[:3], 200e-6, tolerance=1e-3, dt=2e-6, guess=coarse)
    assert coarse == pytest.approx(fine, rel=5e-3)


def test_mode_spiking_of_placed_cells_is_the_full_simulation() -> None:
    cells = place_in_slab(species="rat", counts={"L6_bipolar": 2}, seed=1, radius=1e-3, clones=1)
    field = UniformField(E=[0.3, 0.0, 1.0])
    found = thresholds(cells, field, waveform=200e-6, mode="spiking")
    k = 1
    shape = cells.cells[cells.cell[k]].morphology
    turned = UniformField(E=cells.rotation[k].T @ [0.3, 0.0, 1.0])
    direct, site = spiking_thresholds(
        cells.cells[cells.cell[k]], rises_along(shape, turned)[None], 200e-6
    )
    assert found.threshold[:, k] == pytest.approx(direct[:, 0], rel=0.01)
    assert (found.site[:, k] == shape.kind[site[:, 0]]).all()
    assert np.all(found.error == 0)
    linear = thresholds(cells, field, waveform=200e-6)
    assert linear.threshold == pytest.approx(found.threshold, rel=0.3)


def test_bad_input_is_refused(cell: Cell, rises: Floats) -> None:
    with pytest.raises(InputError, match="rise must have shape"):
        spiking_thresholds(cell, rises[:, :-1], 200e-6)
    with pytest.raises(InputError, match="finite"):
        spiking_thresholds(cell, np.where(rises[:1] > 0, np.nan, rises[:1]), 200e-6)
    with pytest.raises(InputError, match="tolerance"):
        spiking_thresholds(cell, rises[:1], 200e-6, tolerance=0.0)
    with pytest.raises(InputError, match="counted"):
        spiking_thresholds(cell, rises[:1], 200e-6, counted=[True])
    with pytest.raises(InputError, match="recorded"):
        simulate_cell(cell, rises[0], 200e-6, 1.0, 1e-3, record=[-1])
    with pytest.raises(InputError, match="rise must have shape"):
        simulate_cell(cell, rises[0, 1:], 200e-6, 1.0, 1e-3)
    with pytest.raises(InputError, match="one waveform"):
        spiking_thresholds(cell, rises[:1], SimpleNamespace(t=[0, 1e-3], w=np.ones((2, 2))))
    with pytest.raises(InputError, match="not 0 throughout"):
        spiking_thresholds(cell, rises[:1], SimpleNamespace(t=[0, 1e-3], w=[0, 0]))
