"""Runs in stretches, and what comes in from outside: pulses, weak fields, played spikes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.neurons.network.drive import Drive, Polarisation
from rheobase.neurons.network.model import (
    LIF,
    LIFPopulation,
    Network,
    SpikeSource,
    Synapses,
)
from rheobase.neurons.network.plasticity import ShortTerm
from rheobase.neurons.network.readout import evoked_response, evoked_wave, rates
from rheobase.neurons.network.simulation import Simulation, Spikes, join, simulate
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


def cells(name: str = "E", size: int = 1, **options: Any) -> LIFPopulation:
    common: dict[str, Any] = {
        "layer": name,
        "excitatory": True,
        "neuron": CELL,
        "V0_mean": CELL.E_L,
    }
    return LIFPopulation(name=name, size=size, **(common | options))


def unwired(*populations: LIFPopulation, sources: tuple[SpikeSource, ...] = ()) -> Network:
    size = sum(p.size for p in populations) + sum(s.size for s in sources)
    none = Synapses.from_pairs(size, [], [], [], [], dt=DT)
    return Network(populations=populations, sources=sources, synapses=none, dt=DT)


@pytest.fixture(scope="module")
def everything() -> Network:
    """Currents, conductances, plasticity and a source, in several blocks."""
    w = CELL.psc(0.4e-3)
    open_ = replace(CELL, E_E=0.0, E_I=-80e-3)
    noise = {"external_rate": 4000.0, "V0_sd": 5e-3}
    populations = (
        cells("E", 1200, external_weight=w, **noise),
        cells("I", 300, neuron=open_, external_weight=w / 65e-3, excitatory=False, **noise),
    )
    source = SpikeSource(name="thalamus", layer="VPM", excitatory=True, size=50)
    rows = [
        Projection(
            source=s,
            target=t,
            n_synapses=20_000,
            weight_mean=(w if s != "I" else -4 * w) / (1 if t == "E" else 65e-3),
            delay_mean=1.5e-3,
            delay_sd=0.75e-3,
        )
        for s in ("E", "I", "thalamus")
        for t in ("E", "I")
    ]
    return Network(
        populations=populations,
        sources=(source,),
        synapses=wire((*populations, source), rows, dt=DT, seed=5),
        dt=DT,
        plasticity={
            ("E", "E"): ShortTerm(U=0.5, tau_rec=0.1),
            ("E", "I"): ShortTerm(U=0.2, tau_rec=0.02, tau_facil=0.2),
            ("thalamus", "E"): ShortTerm(U=0.5, tau_rec=0.05),
        },
    )


def inputs(network: Network, n_steps: int) -> dict[str, Any]:
    stream = np.random.default_rng(3)
    return {
        "drive": Drive(
            probability={"E": 0.3, "I": stream.random(300)},
            times=np.array([0.0, 0.01, 0.02, 0.03, 0.0305]),
            latency={"E": stream.random(1200) * 5e-3, "I": 0.0},
        ),
        "polarisation": Polarisation(
            shift={"E": stream.normal(0, 1e-3, 1200), "I": 1e-3},
            waveform=np.sin(2 * np.pi * 20 * DT * (np.arange(n_steps) + 0.5)),
        ),
        "trains": {"thalamus": (stream.random(800) * 0.06, stream.integers(0, 50, 800))},
    }


def assert_same(a: Spikes, b: Spikes) -> None:
    for name in ("times", "ids", "currents", "potentials"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name


RECORD: dict[str, Any] = {"seed": 2, "record_currents": True, "record_potentials": [3, 1300]}


@pytest.mark.parametrize("cuts", [[0.02, 0.0305], [1e-4, 2e-4, 0.0099, 0.01, 0.0101, 0.03]])
def test_stretches_are_one_run(everything: Network, cuts: list[float]) -> None:
    given = inputs(everything, 600)
    whole = simulate(everything, 0.06, **RECORD, **given)
    assert (whole.ids < 1200).sum() > 300
    assert (whole.ids >= 1200).sum() > 100
    simulation = Simulation(everything, **RECORD)
    parts = []
    for start, stop in pairwise([0.0, *cuts, 0.06]):
        assert simulation.time == pytest.approx(start)
        left = given["polarisation"].waveform[round(start / DT) :]
        here = given | {"polarisation": replace(given["polarisation"], waveform=left)}
        parts.append(simulation.run(stop - start, **here))
        assert (parts[-1].start, parts[-1].stop) == pytest.approx((start, stop))
        times = parts[-1].times
        assert times.size == 0 or start < times.min() <= times.max() <= stop + DT / 2
    together = join(parts)
    assert_same(together, whole)
    assert (together.start, together.duration) == pytest.approx((0.0, 0.06))
    with pytest.raises(InputError, match="must follow one another"):
        join([parts[0], parts[2]])


def test_everything_is_the_same_for_two_threads(everything: Network) -> None:
    import numba

    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("numba has one thread here")
    given = inputs(everything, 300)
    one, two = (simulate(everything, 0.03, **RECORD, threads=n, **given) for n in (1, 2))
    assert_same(one, two)


def test_a_drive_made_for_each_stretch_fires_once_and_draws_afresh() -> None:
    simulation = Simulation(unwired(cells(size=400)), seed=1)
    fired = []
    for k in range(4):
        # pulses at the very beginning of the stretch, the latency beyond its end
        drive = Drive(
            probability={"E": 0.5}, times=np.array([simulation.time]), latency=0.0095 * (k % 2)
        )
        spikes = simulation.run(0.005, drive=drive)
        fired.append((np.round(spikes.times, 6), set(spikes.ids.tolist())))
    # pulses at 0 (at once), 5 (due at 14.5), 10 (at once, one step late), 15 ms (due at 24.5)
    assert [sorted(set(times.tolist())) for times, _ in fired] == [[1e-4], [], [0.0101, 0.0145], []]
    last = simulation.run(0.01)
    assert set(np.round(last.times, 6)) == {0.0245}
    first, third = fired[0][1], set(last.ids.tolist())
    assert 150 < len(first) < 250
    assert 60 < len(first & third) < 140  # half of the half, not the same cells


def test_drive_has_a_probability_and_a_latency_for_each_cell() -> None:
    n = 300
    chance = np.where(np.arange(n) < 100, 0.0, np.where(np.arange(n) < 200, 0.3, 1.0))
    late = 1e-3 + 1e-4 * (np.arange(n) % 7)
    pulses = 0.01 + 0.01 * np.arange(30)
    drive = Drive(probability={"E": chance}, times=pulses, latency={"E": late})
    run = simulate(unwired(cells(size=n)), 0.32, seed=1, drive=drive)
    counts = np.bincount(run.ids, minlength=n)
    assert (counts[:100] == 0).all()
    assert (counts[200:] == 30).all()
    share = counts[100:200].mean() / 30
    assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 3000)
    np.testing.assert_allclose((run.times - late[run.ids]) % 0.01, 0.01, atol=0.011)
    pulse = run.times - late[run.ids]
    np.testing.assert_allclose(np.rint(pulse / 0.01) * 0.01, pulse, atol=1e-9)


def test_steady_polarisation_settles_where_it_says() -> None:
    shift = np.array([1e-3, -2e-3, 0.5e-3])
    for neuron in (CELL, replace(CELL, E_E=0.0, E_I=-80e-3)):
        net = unwired(cells(size=3, neuron=neuron), cells("other"))
        run = simulate(
            net,
            0.2,
            seed=0,
            polarisation=Polarisation(shift={"E": shift}, waveform=0.5),
            record_potentials=[0, 1, 2, 3],
        )
        t = DT * np.arange(1, 2001)
        exact = 0.5 * shift * (1 - np.exp(-t / CELL.tau_m))[:, None]
        deviation = run.potentials - CELL.E_L
        np.testing.assert_allclose(deviation[:, :3], exact, atol=3e-12)
        np.testing.assert_allclose(deviation[:, 3], 0.0, atol=1e-17)


@pytest.mark.parametrize("frequency", [5.0, 40.0])
def test_alternating_polarisation_passes_the_membrane(frequency: float) -> None:
    n = 4000
    midst = DT * (np.arange(n) + 0.5)
    field = Polarisation(shift={"E": 1e-3}, waveform=np.cos(2 * np.pi * frequency * midst))
    run = simulate(unwired(cells()), n * DT, seed=0, polarisation=field, record_potentials=[0])
    late = slice(2000, None)
    omega = 2j * np.pi * frequency
    leak = np.exp(-DT / CELL.tau_m)
    # steady state of v' = leak v + (1 - leak) wave, the wave held at its value amid the step
    gain = (1 - leak) * np.exp(-omega * DT / 2) / (1 - leak * np.exp(-omega * DT))
    exact = 1e-3 * np.real(gain * np.exp(omega * DT * np.arange(1, n + 1)))
    deviation = run.potentials[:, 0] - CELL.E_L
    np.testing.assert_allclose(deviation[late], exact[late], atol=1e-11)
    membrane = 1 / (1 + omega * CELL.tau_m)
    assert abs(gain / membrane - 1) < ((DT / CELL.tau_m) ** 2 + abs(omega * DT) ** 2) / 12


def test_polarisations_add_up(everything: Network) -> None:
    stream = np.random.default_rng(1)
    a, b = stream.normal(0, 1e-3, (2, 1200))
    wave = stream.normal(size=300)
    sums = Polarisation(shift={"E": a + 2 * b, "I": 3e-3}, waveform=wave)
    parts = (
        Polarisation(shift={"E": a, "I": 1e-3}, waveform=wave),
        Polarisation(shift={"E": b, "I": 1e-3}, waveform=2 * wave),
    )
    one, two = (
        simulate(everything, 0.03, polarisation=p, seed=2, record_potentials=[3, 1300])
        for p in (sums, parts)
    )
    np.testing.assert_allclose(one.potentials, two.potentials, atol=1e-12)
    assert np.array_equal(one.ids, two.ids)


def test_played_spikes_travel_as_others_do() -> None:
    source = SpikeSource(name="in", layer="VPM", excitatory=True, size=3)
    w = CELL.psc(0.15e-3)
    # neuron 0 is the cell, 1..3 the source's
    synapses = Synapses.from_pairs(4, [1, 3], [0, 0], [w, -2 * w], [1e-3, 2e-3], dt=DT)
    net = Network(populations=(cells(),), sources=(source,), synapses=synapses, dt=DT)
    assert net.ids("in") == range(1, 4)
    trains = {"in": ([0.02, 0.0, 0.01, 0.01], [0, 0, 2, 0])}
    run = simulate(net, 0.05, seed=0, trains=trains, record_potentials=[0])
    assert run.names == ("E",)
    assert run.times.size == 0
    t = DT * np.arange(1, 501)
    a, b = CELL.tau_m, CELL.tau_E

    def psp(at: float) -> np.ndarray:
        s = t - at
        return np.where(
            s > 0, w * a * b / (CELL.C * (a - b)) * (np.exp(-s / a) - np.exp(-s / b)), 0
        )

    exact = psp(1e-3) + psp(0.011) + psp(0.021) - 2 * psp(0.012)
    np.testing.assert_allclose(run.potentials[:, 0] - CELL.E_L, exact, atol=1e-10)
    twice = simulate(net, 0.05, seed=0, trains={"in": ([0.01] * 3, [0] * 3)}, record_potentials=[0])
    np.testing.assert_allclose(
        twice.potentials[:, 0] - CELL.E_L, 3 * psp(0.011), atol=1e-10
    )  # repeats add up


def test_a_recorded_run_plays_again_as_the_run(everything: Network) -> None:
    """Cells replaced by a source that plays their spikes do to the others what they did."""
    alone = Network(
        populations=everything.populations, synapses=everything.synapses, dt=DT,
        sources=everything.sources,
    )  # fmt: skip
    whole = simulate(alone, 0.05, seed=1)
    first = alone.all_first
    player = SpikeSource(name="E", layer="E", excitatory=True, size=1200)
    target = everything.populations[1]
    s = everything.synapses
    source = np.repeat(np.arange(alone.all_size), np.diff(s.start))
    onto = (s.target >= first[1]) & (source < first[2])
    new = np.where(source[onto] < 1200, source[onto] + 300, source[onto] - 1200)
    synapses = Synapses.from_pairs(
        1500, new, s.target[onto] - 1200, s.weight[onto], s.delay[onto] * DT, dt=DT
    )
    # no noise: external draws are keyed by the neuron's number, which has changed
    quiet = replace(target, external_rate=0.0, V0_sd=0.0)
    net = Network(populations=(quiet,), sources=(player,), synapses=synapses, dt=DT)
    full = Network(
        populations=(everything.populations[0], quiet), synapses=s, dt=DT,
        sources=everything.sources,
    )  # fmt: skip
    whole = simulate(full, 0.05, seed=1, record_potentials=[1200, 1201])
    e = whole.ids < 1200
    again = simulate(
        net, 0.05, seed=1, trains={"E": (whole.times[e], whole.ids[e])}, record_potentials=[0, 1]
    )
    assert again.times.size > 0
    np.testing.assert_array_equal(again.times, whole.times[~e])
    np.testing.assert_array_equal(again.ids, whole.ids[~e] - 1200)


def test_read_outs_of_a_stretch_are_those_of_the_run() -> None:
    net = unwired(cells(size=50, direct_current=0.6e-9, V0_sd=3e-3))
    pulses = np.array([0.15, 0.2])
    drive = Drive(probability={"E": 0.5}, times=pulses)
    simulation = Simulation(net, seed=1, record_currents=True)
    parts = [simulation.run(d, drive=drive) for d in (0.08, 0.24)]
    whole, late = join(parts), parts[1]
    a, b = evoked_response(whole, pulses), evoked_response(late, pulses)
    assert (a.n_pulses, b.n_pulses) == (2, 2)
    np.testing.assert_array_equal(a.value, b.value)
    np.testing.assert_array_equal(evoked_wave(whole, pulses).value, evoked_wave(late, pulses).value)
    assert rates(late) == rates(whole, start=0.08)
    with pytest.raises(InputError, match="interval must lie within"):
        rates(late, start=0.0)


BAD_RUNS: list[tuple[Mapping[str, Any], str]] = [
    (
        {"polarisation": Polarisation(shift={"F": 1e-3})},
        "unknown population 'F', .*: polarisation",
    ),
    (
        {"polarisation": Polarisation(shift={"E": np.zeros(3)})},
        r"shift must be one number or have shape \(2,\), got shape \(3,\): population 'E'",
    ),
    (
        {"polarisation": Polarisation(shift={"E": 0.0}, waveform=np.zeros(9))},
        "waveform must have the 10 steps of the run, got 9",
    ),
    (
        {"drive": Drive(probability={"E": np.ones(5)}, times=np.zeros(1))},
        r"probability must be one number or have shape \(2,\)",
    ),
    (
        {"drive": Drive(probability={"in": 1.0}, times=np.zeros(1))},
        "unknown population 'in'",
    ),
    ({"trains": {"E": ([0.0], [0])}}, "unknown spike source 'E'"),
    ({"trains": {"in": ([0.0, 0.1], [0])}}, "as many neurons as times, got 1 and 2"),
    ({"trains": {"in": ([0.0], [4])}}, "must name neurons 0..3: source 'in'"),
    ({"trains": {"in": ([-1.0], [0])}}, "must be finite and >= 0 s: source 'in'"),
    ({"duration": 1e-5}, "duration must be at least one step"),
]


@pytest.mark.parametrize(("given", "sentence"), BAD_RUNS)
def test_bad_input_to_a_run_is_one_sentence(given: dict[str, Any], sentence: str) -> None:
    source = SpikeSource(name="in", layer="VPM", excitatory=True, size=4)
    simulation = Simulation(unwired(cells(size=2), sources=(source,)), seed=0)
    with pytest.raises(InputError, match=sentence) as caught:
        simulation.run(**({"duration": 1e-3} | given))
    assert "\n" not in str(caught.value)
    assert simulation.time == 0.0


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Polarisation(shift={"E": np.nan}), "shift must be finite"),
        (lambda: Polarisation(shift={"E": 0.0}, waveform=np.full(3, np.inf)), "one finite value"),
        (
            lambda: Drive(probability={"E": np.array([0.1, -0.2])}, times=np.zeros(1)),
            r"probability must be in 0..1, got -0.2",
        ),
        (
            lambda: Drive(
                probability={"E": 0.1}, times=np.zeros(1), latency={"E": np.array([0.0, np.nan])}
            ),
            "latency must be >= 0 s, got nan",
        ),
        (
            lambda: SpikeSource(name="in", layer="VPM", excitatory=True, size=0),
            "size must be >= 1, got 0: source 'in'",
        ),
        (
            lambda: unwired(
                cells("E"), sources=(SpikeSource(name="E", layer="", excitatory=True, size=1),)
            ),
            "distinct names",
        ),
        (lambda: join([]), "at least one stretch"),
    ],
)
def test_bad_input_is_one_sentence(make: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        make()
    assert "\n" not in str(caught.value)
