"""The drive, the microcircuit's construction and the read-outs."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from rheobase._errors import InputError
from rheobase.neurons.network.drive import Drive, forced_spikes
from rheobase.neurons.network.microcircuit import (
    microcircuit,
    microcircuit_facts,
    microcircuit_probabilities,
    microcircuit_synapses,
)
from rheobase.neurons.network.model import LIFPopulation, Network, Synapses
from rheobase.neurons.network.readout import evoked_response, evoked_wave, raster, rates
from rheobase.neurons.network.simulation import Spikes, simulate

DT = 1e-4


@pytest.fixture(scope="module")
def small() -> Network:
    return microcircuit(scale=0.02, seed=1)


@pytest.fixture(scope="module")
def silent(small: Network) -> Network:
    """The same populations without synapses and input: only the drive makes them fire."""
    quiet = [
        replace(p, direct_current=0.0, external_rate=0.0, V0_mean=p.neuron.E_L, V0_sd=0.0)
        for p in small.populations
    ]
    none = Synapses.from_pairs(small.size, [], [], [], [], dt=DT)
    return Network(populations=tuple(quiet), synapses=none, dt=DT)


def by_population(run: Spikes, name: str) -> NDArray[np.float64]:
    k = run.names.index(name)
    times: NDArray[np.float64] = run.times[(run.ids >= run.first[k]) & (run.ids < run.first[k + 1])]
    return times


def test_drive_fires_each_cell_with_its_probability_after_its_latency(silent: Network) -> None:
    pulses = 0.01 + 0.02 * np.arange(20)
    drive = Drive(
        probability={"L23E": 0.3, "L5E": 1.0, "L4I": 0.0},
        times=pulses,
        latency={"L23E": 1.5e-3, "L5E": 0.7e-3, "L4I": 0.0},
    )
    run = simulate(silent, 0.42, seed=4, drive=drive)
    times, counts = np.unique(np.rint(by_population(run, "L5E") / DT), return_counts=True)
    np.testing.assert_array_equal(times, np.rint((pulses + 0.7e-3) / DT))
    assert (counts == len(silent.ids("L5E"))).all()
    times, counts = np.unique(np.rint(by_population(run, "L23E") / DT), return_counts=True)
    np.testing.assert_array_equal(times, np.rint((pulses + 1.5e-3) / DT))
    n = len(silent.ids("L23E"))
    z = (counts - 0.3 * n) / np.sqrt(n * 0.3 * 0.7)
    assert stats.kstest(z, "norm").pvalue > 1e-3
    assert by_population(run, "L4I").size == 0
    assert by_population(run, "L6E").size == 0  # not named, not driven


def test_a_refractory_cell_does_not_fire_on_a_pulse(silent: Network) -> None:
    pulses = np.array([0.01, 0.011, 0.0119, 0.012, 0.013])
    run = simulate(
        silent, 0.02, seed=4, drive=Drive(probability={"L6I": 1.0}, times=pulses, latency=0.0)
    )
    # 2 ms after the first spike the cells may fire again, not before; then not at 13 ms
    assert set(np.round(by_population(run, "L6I"), 6)) == {0.01, 0.012}


def test_forced_spikes_travel_along_synapses(small: Network, silent: Network) -> None:
    wired = Network(populations=silent.populations, synapses=small.synapses, dt=DT)
    drive = Drive(probability={"L4E": 1.0}, times=np.array([0.005]))
    run = simulate(wired, 0.03, seed=1, drive=drive)
    first = by_population(run, "L23E").min()
    assert 0.005 + 2 * DT <= first < 0.01


def test_forced_spikes_are_reproducible_and_ordered(silent: Network) -> None:
    drive = Drive(probability={"L6E": 0.5, "L23E": 0.5}, times=np.array([0.02, 0.01]))
    step, neuron = forced_spikes(drive, silent, seed=1)
    again = forced_spikes(drive, silent, seed=1)
    other = forced_spikes(drive, silent, seed=2)
    assert np.array_equal(step, again[0])
    assert np.array_equal(neuron, again[1])
    assert not np.array_equal(neuron, other[1])
    assert np.array_equal(np.lexsort((neuron, step)), np.arange(step.size))
    assert set(step) == {99, 199}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"probability": {"L4E": 1.2}, "times": [0.0]}, "probability must be in 0..1"),
        ({"probability": {"L4E": np.nan}, "times": [0.0]}, "probability must be in 0..1"),
        ({"probability": {"L4E": 0.2}, "times": [-1.0]}, "times of pulses"),
        ({"probability": {"L4E": 0.2}, "times": [0.0], "latency": -1.0}, "latency must be >= 0"),
        (
            {"probability": {"L4E": 0.2}, "times": [0.0], "latency": {"L5E": 0.1}},
            "unknown latency 'L4E'",
        ),
    ],
)
def test_bad_drive_is_one_sentence(options: dict, sentence: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(InputError, match=sentence):
        Drive(**options)


def test_unknown_population_names_the_nearest(small: Network) -> None:
    drive = Drive(probability={"L23e": 0.2}, times=np.array([0.0]))
    with pytest.raises(InputError, match="unknown population 'L23e', nearest: L23E"):
        simulate(small, 0.01, seed=1, drive=drive)


def test_cell_types_map_to_populations() -> None:
    cells = {"L23_pyramidal": 0.1, "L4_basket": 0.4, "L5_martinotti": 0.2, "L5_basket": 0.6}
    assert microcircuit_probabilities(cells) == pytest.approx({"L23E": 0.1, "L4I": 0.4, "L5I": 0.4})
    with pytest.raises(InputError, match="nearest: L23_pyramidal"):
        microcircuit_probabilities({"L23_piramidal": 0.1})


def mean_input(net: Network, rates: dict[str, float]) -> dict[str, float]:
    """Mean current (A) into a neuron of each population when the sources fire at ``rates`` (Hz)."""
    s = net.synapses
    per_source = np.repeat([rates[n] for n in net.names], [p.size for p in net.populations])
    charge = s.weight * np.repeat(per_source, np.diff(s.start)) * net.populations[0].neuron.tau_E
    total = np.bincount(s.target, weights=charge, minlength=net.size)
    return {
        p.name: float(total[net.ids(p.name)].mean())
        + p.direct_current
        + p.external_rate * p.external_weight * p.neuron.tau_E
        for p in net.populations
    }


@pytest.mark.parametrize("scale", [0.02, 0.05])
def test_downscaling_keeps_mean_and_variance_of_the_input(scale: float) -> None:
    facts = microcircuit_facts()
    published = dict(zip(facts["populations"], facts["reference_rates"]["rate_Hz"], strict=True))
    net = microcircuit(scale=scale, seed=2)
    mean = mean_input(net, published)
    # full scale in closed form: tau_syn (sum K w r + K_ext w_ext r_ext) / N
    w = net.populations[0].neuron.psc(0.15e-3)
    K, N = microcircuit_synapses(), np.array(facts["sizes"]["N"])
    W = np.where([p.excitatory for p in net.populations], w, -4 * w) * np.ones((8, 8))
    W[0, 2] *= 2
    r = np.array(facts["reference_rates"]["rate_Hz"])
    external = np.array(facts["external"]["K_ext"]) * 8.0
    exact = 0.5e-3 * ((W * K / N[:, None]) @ r + external * w)
    # what remains is the draw of weights and the rounding of sizes and numbers
    arriving = 0.5e-3 * ((np.abs(W) * K / N[:, None]) @ r + external * w)
    error = np.abs([mean[n] for n in net.names] - exact) / arriving
    assert error.max() < 0.01
    # variance: K w^2 is kept; here of the external part and of the recurrent one
    for p, k_ext in zip(net.populations, facts["external"]["K_ext"], strict=True):
        power = p.external_rate * p.external_weight**2
        assert power == pytest.approx(k_ext * 8.0 * w**2, rel=0.02)
    s = net.synapses
    arriving_power = np.bincount(s.target, s.weight.astype(float) ** 2, minlength=net.size)
    population = np.repeat(np.arange(8), [p.size for p in net.populations])
    per_cell = np.bincount(population, arriving_power) / np.bincount(population)
    full = ((W**2) * K / N[:, None]).sum(axis=1) * (1 + 0.1**2)
    np.testing.assert_allclose(per_cell, full, rtol=0.04)


def test_microcircuit_sizes_and_synapses(small: Network) -> None:
    N = np.array(microcircuit_facts()["sizes"]["N"])
    assert [p.size for p in small.populations] == [round(n * 0.02) for n in N]
    expected = np.rint(microcircuit_synapses() * 0.02**2).sum()
    assert small.synapses.target.size == expected
    assert small.synapses.delay.max() < 100
    with pytest.raises(InputError, match="scale must be > 0 and <= 1"):
        microcircuit(scale=0.0, seed=1)


def handmade(times: list[float], ids: list[int], currents: bool = False) -> Spikes:
    n_steps = 10_000
    values = np.zeros((n_steps, 2, 2))
    values[:, :, 0], values[:, 1, 1] = 2e-9, -1e-9
    values[5_000:5_010, 0, 1] = -3e-9  # from the pulse at 0.5 s on, for 1 ms
    order = np.lexsort((ids, times))
    return Spikes(
        times=np.array(times)[order],
        ids=np.array(ids, dtype=np.int32)[order],
        names=("AE", "AI"),
        first=np.array([0, 4, 6]),
        layers=("A", "A"),
        excitatory=(True, False),
        duration=1.0,
        dt=DT,
        seed=0,
        currents=values if currents else None,
        potentials=np.empty((n_steps, 0)),
    )


def test_rates_and_raster_count_spikes() -> None:
    run = handmade([0.1, 0.2, 0.3, 0.9, 0.5], [0, 1, 3, 2, 4])
    assert rates(run) == pytest.approx({"AE": 1.0, "AI": 0.5})
    assert rates(run, start=0.15, stop=0.35) == pytest.approx({"AE": 2.5, "AI": 0.0})
    times, ids, population = raster(run, start=0.15, share=0.5)
    assert ids.tolist() == [4, 2]
    assert times.tolist() == [0.5, 0.9]
    assert population.tolist() == [1, 0]
    with pytest.raises(InputError, match="interval must lie within"):
        rates(run, start=0.5, stop=2.0)
    with pytest.raises(InputError, match="share must be"):
        raster(run, share=0.0)


def test_evoked_response_counts_what_follows_the_pulse() -> None:
    # AE: one spike 20.5 ms before each pulse, all four cells 3.1 ms after it
    times, ids = [], []
    for pulse in (0.3, 0.6):
        times += [pulse - 0.0205, *4 * [pulse + 0.0031]]
        ids += [0, 0, 1, 2, 3]
    response = evoked_response(handmade(times, ids), [0.3, 0.6, 0.995], before=0.04, after=0.01)
    assert response.n_pulses == 2  # the third has no room after it
    assert response.unit == "Hz"
    assert response.baseline == pytest.approx([1 / 4 / 0.04, 0.0])
    k = np.argmin(np.abs(response.time - 4e-3))
    assert response.value[0, k] == pytest.approx(1000.0)  # all cells within 1 ms
    assert response.value[0].sum() == pytest.approx(1250.0)
    assert response.onset[0] == pytest.approx(4e-3)
    assert np.isnan(response.onset[1])
    assert response.peak[0] == pytest.approx(1000 - 6.25)
    assert response.peak_latency[0] == pytest.approx(4e-3)


def test_evoked_wave_sums_absolute_currents_of_excitatory_cells() -> None:
    wave = evoked_wave(handmade([], [], currents=True), [0.5], before=0.02, after=0.02)
    assert wave.names == ("A",)
    assert wave.unit == "A"
    assert wave.baseline == pytest.approx([2e-9])
    assert wave.peak == pytest.approx([3e-9])
    assert wave.peak_latency == pytest.approx([1e-3])
    with pytest.raises(InputError, match="currents must be recorded"):
        evoked_wave(handmade([], []), [0.5])
    with pytest.raises(InputError, match="no pulse has"):
        evoked_response(handmade([], []), [0.01])
    with pytest.raises(InputError, match="bin_width must be"):
        evoked_response(handmade([], []), [0.5], bin_width=1.5e-4)


def test_recorded_current_is_the_one_the_cells_feel(small: Network) -> None:
    # with C dV/dt = -C/tau_m V + I, the recorded sums and potentials of a population must agree
    ids = list(small.ids("L5I"))
    run = simulate(small, 0.05, seed=3, record_currents=True, record_potentials=ids)
    assert run.currents is not None
    p = small.populations[small.names.index("L5I")]
    c, k = p.neuron, small.names.index("L5I")
    v = run.potentials - c.E_L
    leak = np.exp(-DT / c.tau_m)
    drift = p.direct_current * c.tau_m / c.C * (1 - leak) * len(ids)
    predicted = leak * v[:-1].sum(axis=1) + drift
    predicted += run.currents[:-1, k].sum(axis=1) * c.propagator(DT, c.tau_E)
    # steps in which no cell is reset or refractory
    spiked = np.rint(by_population(run, "L5I") / DT).astype(int)
    clean = np.ones(len(v), dtype=bool)
    for s in spiked:
        clean[max(s - 1, 0) : s + 21] = False
    clean[0] = False
    assert clean.sum() > 20
    np.testing.assert_allclose(v.sum(axis=1)[clean], predicted[clean[1:]], atol=len(ids) * 1e-13)


def test_driven_microcircuit_responds_where_it_is_driven(small: Network) -> None:
    pulses = 0.2 + 0.15 * np.arange(6)
    drive = Drive(probability={"L5E": 0.5}, times=pulses, latency=1e-3)
    run = simulate(small, 1.1, seed=1, drive=drive, record_currents=True)
    response = evoked_response(run, pulses)
    k = run.names.index("L5E")
    assert response.peak[k] > 300.0  # half the cells within one millisecond, less the refractory
    assert response.peak_latency[k] == pytest.approx(1e-3)
    wave = evoked_wave(run, pulses)
    assert (wave.peak > 0).all()


def test_population_keeps_its_layer(small: Network) -> None:
    layers = [p.layer for p in small.populations]
    assert layers == ["L23", "L23", "L4", "L4", "L5", "L5", "L6", "L6"]
    assert all(isinstance(p, LIFPopulation) for p in small.populations)


def test_example_runs_and_its_pulse_is_seen() -> None:
    path = Path(__file__).parents[2] / "examples/microcircuit_pulse.py"
    setup = runpy.run_path(str(path))["setup"]
    _, rate, without, wave, _ = setup(scale=0.03, n_pulses=4)
    k = rate.names.index("L5E")
    assert rate.onset[k] == pytest.approx(1e-3)
    assert rate.peak[k] > 10 * without.peak[k] > 0
    assert (wave.peak > 3 * wave.deviation).all()
