"""The spiking engine against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from rheobase._errors import InputError
from rheobase.neurons.network.blocks import poisson_thresholds
from rheobase.neurons.network.model import LIF, LIFPopulation, Network, Synapses, memory_bytes
from rheobase.neurons.network.simulation import Spikes, simulate
from rheobase.neurons.network.wiring import Projection, wire

DT = 1e-4
CELL = LIF(
    C=250e-12,
    tau_m=10e-3,
    E_L=-65e-3,
    V_th=-50e-3,
    V_reset=-65e-3,
    t_ref=2e-3,
    tau_E=0.5e-3,
    tau_I=0.5e-3,
)


def population(name: str = "E", size: int = 1, **options: object) -> LIFPopulation:
    common = {"layer": name, "excitatory": True, "neuron": CELL, "V0_mean": CELL.E_L}
    return LIFPopulation(name=name, size=size, **(common | options))  # type: ignore[arg-type]


def network(*populations: LIFPopulation, pairs: tuple[object, ...] = ([], [], [], [])) -> Network:
    size = sum(p.size for p in populations)
    return Network(
        populations=populations, synapses=Synapses.from_pairs(size, *pairs, dt=DT), dt=DT
    )


def psp(t: np.ndarray, weight: float, tau: float) -> np.ndarray:
    """Potential (V) at ``t`` (s) after a weight (A) arrives at rest."""
    a = CELL.tau_m
    rise = np.where(t > 0, np.exp(-t / a) - np.exp(-t / tau), 0)
    return weight * a * tau / (CELL.C * (a - tau)) * rise


def test_step_current_charges_the_membrane() -> None:
    current = 0.3e-9
    run = simulate(network(population(direct_current=current)), 0.05, seed=0, record_potentials=[0])
    t = DT * np.arange(1, 501)
    exact = CELL.E_L + current * CELL.tau_m / CELL.C * (1 - np.exp(-t / CELL.tau_m))
    np.testing.assert_allclose(run.potentials[:, 0], exact, rtol=1e-12)
    assert run.times.size == 0


@pytest.mark.parametrize("current", [0.4e-9, 0.6e-9, 2e-9])
def test_firing_rate_at_constant_current_is_the_closed_form(current: float) -> None:
    run = simulate(network(population(direct_current=current)), 2.0, seed=0)
    v = current * CELL.tau_m / CELL.C
    rise = CELL.tau_m * np.log(v / (v - (CELL.V_th - CELL.V_reset)))
    # a spike waits for the end of its step, so that the interval is the next whole number of steps
    interval = np.ceil(rise / DT) * DT + CELL.t_ref
    np.testing.assert_allclose(np.diff(run.times), interval, atol=1e-12)
    assert run.times[0] == pytest.approx(interval - CELL.t_ref)


def test_refractory_period_is_exact() -> None:
    # so strong a current that each free step spikes
    run = simulate(network(population(direct_current=1e-6)), 0.1, seed=0)
    np.testing.assert_allclose(np.diff(run.times), CELL.t_ref + DT, atol=1e-12)


@pytest.mark.parametrize(("sign", "tau"), [(1, 0.5e-3), (-4, 2e-3)])
def test_post_synaptic_potential_is_exact_and_waits_for_its_delay(sign: float, tau: float) -> None:
    neuron = replace(CELL, tau_I=tau)
    weight, delay = sign * CELL.psc(0.15e-3), 1.7e-3
    net = network(
        population("pre", V0_mean=-40e-3),  # spikes at the end of the first step, once
        population("post", neuron=neuron),
        pairs=(0, 1, weight, delay),
    )
    run = simulate(net, 0.05, seed=0, record_potentials=[1])
    np.testing.assert_allclose(run.times, [DT])
    t = DT * np.arange(1, 501) - (DT + delay)
    exact = psp(t, weight, tau)  # the weight is held in float32
    deflection = run.potentials[:, 0] - CELL.E_L
    np.testing.assert_allclose(deflection, exact, atol=1e-7 * abs(exact).max())
    if sign == 1:
        assert deflection.max() == pytest.approx(0.15e-3, rel=2e-4)  # weight defined by its peak
        assert weight == pytest.approx(87.8085e-12, rel=1e-5)


def test_propagator_where_the_time_constants_agree_is_the_limit() -> None:
    near = replace(CELL, tau_E=CELL.tau_m * (1 + 1e-7)).propagator(DT, CELL.tau_m * (1 + 1e-7))
    assert CELL.propagator(DT, CELL.tau_m) == pytest.approx(near, rel=1e-6)
    assert replace(CELL, tau_E=CELL.tau_m).psc(1e-3) == pytest.approx(
        replace(CELL, tau_E=CELL.tau_m * 1.0001).psc(1e-3), rel=1e-4
    )


@pytest.mark.parametrize("delay", [1, 2, 17, 255, 300])
def test_every_delay_arrives_on_its_step(delay: int) -> None:
    net = network(
        population("pre", V0_mean=-40e-3),
        population("post", size=2),
        pairs=([0, 0], [1, 2], 100e-9, [delay * DT, DT]),  # strong enough to fire at once
    )
    run = simulate(net, 0.05, seed=0)
    assert net.synapses.delay.dtype == (np.uint8 if delay < 256 else np.uint16)
    times = run.times[run.ids == 1]
    # the current steps up at the end of step `delay`, the potential crosses one step later
    assert times[0] == pytest.approx((1 + delay + 1) * DT)


@pytest.mark.parametrize("mean", [0.01, 0.16, 2.3, 30.0])
def test_external_counts_are_poisson(mean: float) -> None:
    thresholds = poisson_thresholds(mean)
    k = np.arange(len(thresholds))
    np.testing.assert_allclose(thresholds / 2.0**32, stats.poisson.cdf(k, mean), atol=3e-10)
    assert stats.poisson.sf(len(thresholds), mean) < 2.0**-30


def test_external_input_has_the_moments_of_shot_noise() -> None:
    # Campbell: mean = rate w tau, variance = rate w^2 tau / 2 of an exponential current
    rate, w, tau = 1600.0, 1e-12, CELL.tau_E
    n = 2000
    net = network(population(size=n, external_rate=rate, external_weight=w))
    run = simulate(net, 0.5, seed=3, record_currents=True)
    assert run.currents is not None
    steady = run.currents[100:, 0, 0]
    # on the grid the current is read just after arrivals: a geometric sum, exactly
    decay = np.exp(-DT / tau)
    mean = n * rate * DT * w / (1 - decay)
    variance = n * rate * DT * w**2 / (1 - decay**2)
    independent = len(steady) * DT / (2 * tau)  # samples one correlation time apart
    assert abs(steady.mean() - mean) < 4 * np.sqrt(variance / independent)
    assert abs(steady.var() / variance - 1) < 4 * np.sqrt(2 / independent)


def test_neurons_and_seeds_draw_independently() -> None:
    net = network(population(size=400, external_rate=1600.0, external_weight=0.5e-9))

    def counts(seed: int) -> np.ndarray:
        run = simulate(net, 1.0, seed=seed)
        bins = (run.times / 0.02).astype(int)
        table = np.zeros((400, 51))
        np.add.at(table, (run.ids, bins), 1)
        return table[:, 5:50]

    a, b = counts(1), counts(2)
    assert not np.array_equal(a, b)
    assert np.array_equal(a, counts(1))
    between = np.corrcoef(a)[np.triu_indices(400, 1)]
    # correlation of 45 independent bins: sd 1/sqrt(44); the mean over pairs is far tighter
    assert between.std() == pytest.approx(1 / np.sqrt(44), rel=0.05)
    assert abs(between.mean()) < 0.005
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / np.sqrt(a.size)


@pytest.fixture(scope="module")
def balanced() -> Network:
    """Excitatory and inhibitory cells, several blocks, delays of 1..40 steps."""
    w = CELL.psc(0.4e-3)
    common = {"external_rate": 4000.0, "external_weight": w, "V0_sd": 5e-3}
    populations = (population("E", 2400, **common), population("I", 600, **common))
    rows = [
        Projection(
            source=s,
            target=t,
            n_synapses=100 * len_t * (4 if s == "E" else 1) // 5,
            weight_mean=w if s == "E" else -6 * w,
            weight_sd=0.1 * w,
            delay_mean=1.5e-3,
            delay_sd=0.75e-3,
        )
        for s in ("E", "I")
        for t, len_t in (("E", 2400), ("I", 600))
    ]
    return Network(populations=populations, synapses=wire(populations, rows, dt=DT, seed=5), dt=DT)


def test_spikes_do_not_depend_on_the_number_of_threads(balanced: Network) -> None:
    import numba

    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("numba has one thread here")

    def run(threads: int) -> Spikes:
        return simulate(
            balanced, 0.1, seed=1, threads=threads, record_currents=True, record_potentials=[7]
        )

    one, two = run(1), run(2)
    assert one.times.size > 500
    for name in ("times", "ids", "currents", "potentials"):
        assert np.array_equal(getattr(one, name), getattr(two, name))


def test_spikes_come_in_order_and_the_tail_does_not_change_the_head(balanced: Network) -> None:
    long, short = simulate(balanced, 0.12, seed=1), simulate(balanced, 0.07, seed=1)
    order = np.lexsort((long.ids, long.times))
    assert np.array_equal(order, np.arange(long.times.size))
    head = long.times <= 0.07 + DT / 2
    assert np.array_equal(long.times[head], short.times)
    assert np.array_equal(long.ids[head], short.ids)


def test_wiring_has_the_numbers_and_distributions_asked_for(balanced: Network) -> None:
    s = balanced.synapses
    source = np.repeat(np.arange(balanced.size), np.diff(s.start))
    chosen = (source < 2400) & (s.target < 2400)
    assert chosen.sum() == 100 * 2400 * 4 // 5
    for ids in (source[chosen], s.target[chosen]):  # uniform with replacement: multinomial counts
        p = stats.chisquare(np.bincount(ids, minlength=2400)).pvalue
        assert 1e-3 < p < 1 - 1e-3
    pair = source[chosen].astype(int) * 2400 + s.target[chosen]
    expected = stats.binom.sf(1, chosen.sum(), 1 / 2400**2) * 2400**2  # pairs with two or more
    several = (np.unique(pair, return_counts=True)[1] > 1).sum()
    assert abs(several - expected) < 4 * np.sqrt(expected)
    w = CELL.psc(0.4e-3)
    assert stats.kstest(s.weight[chosen].astype(float) / w, stats.norm(1, 0.1).cdf).pvalue > 1e-3
    d = s.delay[chosen].astype(int)
    k = np.arange(1, 60)
    cut = stats.truncnorm((0.5 - 15) / 7.5, np.inf, 15, 7.5)
    share = cut.cdf(k + 0.5) - cut.cdf(k - 0.5)
    assert (
        stats.chisquare(
            np.append(np.bincount(d, minlength=60)[1:40], (d >= 40).sum()),
            np.append(share[:39], 1 - share[:39].sum()) * d.size,
        ).pvalue
        > 1e-3
    )
    assert abs(np.corrcoef(d, s.weight[chosen])[0, 1]) < 4 / np.sqrt(d.size)
    for i in (0, 2399, 2999):
        assert (np.diff(s.target[s.start[i] : s.start[i + 1]]) >= 0).all()
    assert (s.weight[source >= 2400] < 0).all()


def test_wiring_is_reproducible_and_depends_on_the_seed(balanced: Network) -> None:
    rows = [Projection(source="E", target="I", n_synapses=1000, weight_mean=1e-12, delay_mean=1e-3)]
    a, b, c = (wire(balanced.populations, rows, dt=DT, seed=k) for k in (1, 1, 2))
    assert np.array_equal(a.target, b.target)
    assert not np.array_equal(a.target, c.target)
    assert (a.delay == 10).all()


def test_memory_is_counted_before_it_is_taken(balanced: Network) -> None:
    s = balanced.synapses
    assert s.nbytes == s.target.size * 9 + (balanced.size + 1) * 8
    full = memory_bytes(77_169, 298_881_000, 70)
    assert 2.4 * 2**30 < full < 2.7 * 2**30


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: replace(CELL, tau_m=0.0), "tau_m must be > 0"),
        (lambda: replace(CELL, V_reset=-40e-3), "V_reset must be below"),
        (lambda: population(size=0), "size must be >= 1"),
        (lambda: population(external_rate=-1.0), "external_rate must be >= 0"),
        (lambda: network(population(), pairs=(0, 1, 1e-12, DT)), "target must be in 0..0"),
        (lambda: network(population(), pairs=(0, 0, 1e-12, DT / 3)), "at least one step"),
        (lambda: network(population(), population()), "distinct names"),
        (lambda: simulate(network(population()), 0.0, seed=0), "duration must be at least"),
        (lambda: simulate(network(population()), np.nan, seed=0), "duration must be at least"),
        (lambda: simulate(network(population()), 1.0, seed=0, threads=0), "threads must be in"),
        (
            lambda: simulate(network(population()), 1.0, seed=0, record_potentials=[3]),
            "record_potentials must name",
        ),
        (lambda: network(population("L5E")).ids("L5F"), "nearest: L5E"),
        (
            lambda: wire(
                [population("E")],
                [Projection(source="F", target="E", n_synapses=1, weight_mean=1, delay_mean=1)],
                dt=DT,
                seed=0,
            ),
            "unknown population 'F'",
        ),
        (
            lambda: wire(
                [population("E")],
                [Projection(source="E", target="E", n_synapses=1, weight_mean=1, delay_mean=1e-5)],
                dt=DT,
                seed=0,
            ),
            "delay_mean must be >= one step",
        ),
        (
            lambda: Network(
                populations=(population(),),
                synapses=Synapses.from_pairs(1, [], [], [], [], dt=1e-3),
                dt=1e-3,
            ),
            "dt must be > 0 and <= 0.0005 s",
        ),
    ],
)
def test_bad_input_is_one_sentence(make, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=sentence.replace("(", r"\(")) as caught:
        make()
    assert "\n" not in str(caught.value)
