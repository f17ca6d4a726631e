"""Conductances, short-term plasticity and connectivity tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from rheobase._errors import InputError
from rheobase.neurons.network.model import LIF, LIFPopulation, Network, SpikeSource, Synapses
from rheobase.neurons.network.plasticity import ShortTerm
from rheobase.neurons.network.simulation import simulate
from rheobase.neurons.network.wiring import Connection, Projection, projections, wire
from rheobase.validation.network_synapses import network_synapses

DT = 1e-4
CURRENT = LIF(
    C=200e-12,
    tau_m=12e-3,
    E_L=-65e-3,
    V_th=-50e-3,
    V_reset=-60e-3,
    t_ref=2e-3,
    tau_E=2e-3,
    tau_I=6e-3,
)
OPEN = replace(CURRENT, E_E=0.0, E_I=-75e-3)


def cell(name: str = "E", neuron: LIF = OPEN, **options: Any) -> LIFPopulation:
    common: dict[str, Any] = {"layer": "", "excitatory": True, "size": 1, "V0_mean": neuron.E_L}
    return LIFPopulation(name=name, neuron=neuron, **(common | options))


def source(size: int = 1) -> SpikeSource:
    return SpikeSource(name="in", layer="", excitatory=True, size=size)


def test_validation_case_passes() -> None:
    for row in network_synapses():
        assert row.passed, row


@pytest.mark.parametrize(("weight", "sign"), [(5e-9, 1), (30e-9, -1)])
def test_a_conductance_moves_the_potential_as_its_equation_says(weight: float, sign: int) -> None:
    synapses = Synapses.from_pairs(2, 1, 0, sign * weight, 1e-3, dt=DT)
    net = Network(populations=(cell(),), sources=(source(),), synapses=synapses, dt=DT)
    run = simulate(
        net, 0.03, seed=0, trains={"in": ([4e-3], [0])}, record_potentials=[0], record_currents=True
    )
    E, tau = (0.0, 2e-3) if sign > 0 else (-75e-3, 6e-3)
    t = DT * np.arange(1, 301)
    g = np.where(t > 5e-3 - DT / 2, weight * np.exp(-(t - 5e-3) / tau), 0)

    def slope(s: float, v: np.ndarray) -> np.ndarray:
        here = weight * np.exp(-s / tau)
        return np.asarray(-(v + 65e-3) / 12e-3 + here * (E - v) / 200e-12)

    late = t >= 5e-3 - DT / 2
    truth = solve_ivp(
        slope, (0, 0.03), [-65e-3], "DOP853", t_eval=t[late] - t[late][0], rtol=1e-11, atol=1e-13
    )
    v = run.potentials[:, 0]
    np.testing.assert_allclose(v[~late], -65e-3, atol=1e-15)
    np.testing.assert_allclose(v[late], truth.y[0], atol=2e-9)  # the weight is held in float32
    assert run.currents is not None
    channel = 0 if sign > 0 else 1
    np.testing.assert_allclose(run.currents[:, 0, channel], g * (E - v), atol=1e-7 * weight)
    assert (run.currents[:, 0, 1 - channel] == 0).all()


def test_a_cell_with_conductances_fires_as_its_closed_form() -> None:
    # without synapses both cells are the same, one exact, one by Runge-Kutta
    common = {"direct_current": 0.4e-9}
    none = Synapses.from_pairs(2, [], [], [], [], dt=DT)
    net = Network(
        populations=(cell("a", CURRENT, **common), cell("b", OPEN, **common)),
        synapses=none,
        dt=DT,
    )
    run = simulate(net, 0.5, seed=0, record_potentials=[0, 1])
    assert (run.ids == 0).sum() > 10
    np.testing.assert_array_equal(run.times[run.ids == 0], run.times[run.ids == 1])
    np.testing.assert_allclose(run.potentials[:, 0], run.potentials[:, 1], atol=1e-12)


def test_external_spikes_open_conductances_of_their_mean() -> None:
    rate, weight, n = 2000.0, 1e-9, 500
    net = Network(
        populations=(
            cell(
                size=n, neuron=replace(OPEN, V_th=1.0), external_rate=rate, external_weight=weight
            ),
        ),
        synapses=Synapses.from_pairs(n, [], [], [], [], dt=DT),
        dt=DT,
    )
    run = simulate(net, 0.3, seed=1, record_potentials=range(n))
    late = run.potentials[1000:].mean()
    g = rate * weight * OPEN.tau_E  # mean conductance
    leak = OPEN.C / OPEN.tau_m
    assert late == pytest.approx((leak * OPEN.E_L + g * 0.0) / (leak + g), abs=0.2e-3)


def test_a_step_too_long_for_the_conductances_is_refused() -> None:
    synapses = Synapses.from_pairs(2, 1, 0, 3e-6, 1e-3, dt=DT)  # C/g = 67 us
    net = Network(populations=(cell(),), sources=(source(),), synapses=synapses, dt=DT)
    with pytest.raises(InputError, match=r"dt must be <= 6.6e-05 s, .* population 'E'") as caught:
        simulate(net, 0.02, seed=0, trains={"in": ([4e-3], [0])})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "rule",
    [
        ShortTerm(U=0.5, tau_rec=0.8),
        ShortTerm(U=0.1, tau_rec=0.05, tau_facil=0.5),
        ShortTerm(U=1.0, tau_rec=0.1, tau_facil=0.1),
    ],
)
def test_regular_spikes_settle_where_the_recursion_does(rule: ShortTerm) -> None:
    interval = 0.02
    sent = rule.efficacies(interval * np.arange(400))
    rec = np.exp(-interval / rule.tau_rec)
    facil = np.exp(-interval / rule.tau_facil) if rule.tau_facil else 0.0
    u = rule.U / (1 - (1 - rule.U) * facil)  # u = U + u (1 - U) facil
    x = (1 - rec) / (1 - rec * (1 - u))  # x = 1 + (x - x u - 1) rec
    assert sent[0] == rule.U
    assert sent[-1] == pytest.approx(u * x, rel=1e-12)


def test_each_source_and_target_population_has_its_own_resources() -> None:
    rules = {"a": ShortTerm(U=0.5, tau_rec=0.1), "b": ShortTerm(U=0.2, tau_rec=0.02, tau_facil=0.1)}
    times = np.array([0.0, 0.03, 0.034, 0.08, 0.0801])  # what is played at 0 counts too
    who = np.array([0, 1, 0, 1, 0])
    w = 100e-12
    far = replace(CURRENT, V_th=1.0)
    # cell 0 in a, 1 in b, 2 in c (static); sources 3 and 4, each onto all three
    net = Network(
        populations=(cell("a", far), cell("b", far), cell("c", far)),
        sources=(source(2),),
        synapses=Synapses.from_pairs(5, np.repeat([3, 4], 3), np.tile([0, 1, 2], 2), w, DT, dt=DT),
        dt=DT,
        plasticity={("in", name): rule for name, rule in rules.items()},
    )
    run = simulate(net, 0.1, seed=0, trains={"in": (times, who)}, record_currents=True)
    assert run.currents is not None
    t = DT * np.arange(1, 1001)
    for k, name in enumerate("abc"):
        exact = np.zeros(1000)
        for neuron in (0, 1):
            mine = times[who == neuron]
            sent = rules[name].efficacies(mine) if name in rules else np.ones(len(mine))
            for at, part in zip(mine + DT, sent, strict=True):
                exact += w * part * np.where(t > at - DT / 2, np.exp(-(t - at) / 2e-3), 0)
        np.testing.assert_allclose(run.currents[:, k, 0], exact, atol=1e-6 * w)


def test_cells_of_the_network_have_plastic_synapses_too() -> None:
    rule = ShortTerm(U=0.4, tau_rec=0.2, tau_facil=0.05)
    net = Network(
        populations=(cell("pre", CURRENT, direct_current=0.5e-9), cell("post", CURRENT)),
        synapses=Synapses.from_pairs(2, 0, 1, 1e-12, 1e-3, dt=DT),
        dt=DT,
        plasticity={("pre", "post"): rule},
    )
    run = simulate(net, 0.3, seed=0, record_currents=True)
    assert run.times.size > 8
    assert run.currents is not None
    t = DT * np.arange(1, 3001)
    exact = np.zeros(3000)
    for at, part in zip(run.times + 1e-3, rule.efficacies(run.times), strict=True):
        exact += 1e-12 * part * np.where(t > at - DT / 2, np.exp(-(t - at) / 2e-3), 0)
    np.testing.assert_allclose(run.currents[:, 1, 0], exact, atol=1e-18)


def test_repeats_of_a_played_spike_use_up_resources_one_after_the_other() -> None:
    rule = ShortTerm(U=0.5, tau_rec=0.1)
    net = Network(
        populations=(cell("a", CURRENT),),
        sources=(source(),),
        synapses=Synapses.from_pairs(2, 1, 0, 1e-12, DT, dt=DT),
        dt=DT,
        plasticity={("in", "a"): rule},
    )
    run = simulate(net, 0.01, seed=0, trains={"in": ([5e-3] * 2, [0, 0])}, record_currents=True)
    assert run.currents is not None
    assert run.currents[:, 0, 0].max() == pytest.approx(0.75e-12)  # 0.5 + 0.5 of the other half


def test_a_connectivity_table_becomes_projections() -> None:
    cells = (cell("E", CURRENT, size=400), cell("I", CURRENT, size=100), source(50))
    joined = Connection(probability=0.1, weight_mean=1e-12, weight_sd=1e-13, delay_mean=2e-3)
    table = {
        ("E", "I"): joined,
        ("I", "E"): replace(joined, probability=0.4, weight_mean=-1e-12),
        ("in", "E"): replace(joined, probability=0.0),
    }
    rows = projections(cells, table)
    assert [(r.source, r.target) for r in rows] == [("E", "I"), ("I", "E")]
    assert rows[0].n_synapses == round(np.log(0.9) / np.log1p(-1 / 40_000))
    synapses = wire(cells, rows, dt=DT, seed=1)
    assert len(synapses.start) == 551
    from_e = synapses.start[400]
    # share of pairs that have one or more
    pairs = np.unique(
        np.repeat(np.arange(400), np.diff(synapses.start[:401])) * 1000 + synapses.target[:from_e]
    )
    assert abs(len(pairs) / 40_000 - 0.1) < 4 * np.sqrt(0.1 * 0.9 / 40_000)


BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: replace(CURRENT, E_E=0.0), "E_E and E_I must be given together, got 0.0 V and None"),
    (lambda: replace(CURRENT, E_L=np.nan), "E_L must be finite"),
    (lambda: ShortTerm(U=0.0, tau_rec=0.1), "U must be > 0 and <= 1"),
    (lambda: ShortTerm(U=0.5, tau_rec=0.0), "tau_rec must be > 0 s"),
    (lambda: ShortTerm(U=0.5, tau_rec=0.1, tau_facil=-1.0), "tau_facil must be >= 0 s"),
    (
        lambda: Network(
            populations=(cell(),),
            synapses=Synapses.from_pairs(1, [], [], [], [], dt=DT),
            dt=DT,
            plasticity={("E", "F"): ShortTerm(U=0.5, tau_rec=0.1)},
        ),
        "unknown population 'F', .*: plasticity's target",
    ),
    (
        lambda: Connection(probability=-0.1, weight_mean=1e-12, delay_mean=1e-3),
        "probability must be >= 0 and < 1, got -0.1",
    ),
    (
        lambda: projections(
            [cell("E"), cell("I"), source()],
            {("E", "E"): Connection(probability=0.1, weight_mean=1e-12, delay_mean=1e-3)},
        ),
        "connectivity table must have every population in use, lacks I, in",
    ),
    (
        lambda: projections(
            [cell("E")],
            {("E", "L5E"): Connection(probability=0.1, weight_mean=1e-12, delay_mean=1e-3)},
        ),
        "unknown population 'L5E', nearest: E: connectivity table",
    ),
    (
        lambda: wire(
            [cell("E"), source()],
            [Projection(source="E", target="in", n_synapses=1, weight_mean=1, delay_mean=1e-3)],
            dt=DT,
            seed=0,
        ),
        "unknown population 'in'",
    ),
    (lambda: wire([source(), cell("E")], [], dt=DT, seed=0), "sources must come after"),
    (
        lambda: Projection(
            source="E", target="E", n_synapses=1, weight_mean=np.nan, delay_mean=1e-3
        ),
        "weight_mean must be finite and not 0",
    ),
    (lambda: Synapses.from_pairs(1, 0, 0, np.nan, DT, dt=DT), "weight must be finite"),
    (lambda: Synapses.from_pairs(1, 0, 0, 1.0, np.nan, dt=DT), "at least one step"),
]


@pytest.mark.parametrize(("make", "sentence"), BAD)
def test_bad_input_is_one_sentence(make: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_delay_longer_than_can_be_counted_is_refused() -> None:
    with pytest.raises(InputError, match="delay must be at most 65,535 steps of"):
        Synapses.from_pairs(2, [0], [1], 1e-12, 70.0, dt=DT)
    far = Projection(
        source="a", target="b", n_synapses=1, weight_mean=1e-12, delay_mean=7.0, delay_sd=0.1
    )
    with pytest.raises(InputError, match="delays must be at most 65,535 steps"):
        wire((cell("a", CURRENT), cell("b", CURRENT)), [far], dt=DT, seed=1)


def test_steps_and_seeds_out_of_range_are_refused() -> None:
    pair = (cell("a", CURRENT), cell("b", CURRENT))
    with pytest.raises(InputError, match=r"dt must be > 0, got 0\.0"):
        wire(pair, [], dt=0.0, seed=1)
    with pytest.raises(InputError, match="seed must be >= 0, got -1: wiring"):
        wire(pair, [], dt=DT, seed=-1)
    net = Network(populations=pair, synapses=wire(pair, [], dt=DT, seed=1), dt=DT)
    with pytest.raises(InputError, match="seed must be >= 0, got -1: simulate"):
        simulate(net, 0.01, seed=-1)
