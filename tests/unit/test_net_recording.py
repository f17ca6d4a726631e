"""Recordings: kernels of cells, places of synapses, arrivals, discs, the whole chain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.meshes.cortex.layers import layer_table
from rheobase.neurons.columns.network import columns
from rheobase.neurons.generate import Cell, generate_cell
from rheobase.neurons.morphology import Kind
from rheobase.neurons.network.drive import Drive
from rheobase.neurons.network.microcircuit import microcircuit
from rheobase.neurons.network.model import (
    LIF,
    LIFPopulation,
    Network,
    SpikeSource,
    Synapses,
)
from rheobase.neurons.network.plasticity import ShortTerm
from rheobase.neurons.network.simulation import Simulation, Spikes, simulate
from rheobase.neurons.recording import kernels, recorder
from rheobase.neurons.recording.arrivals import arrivals
from rheobase.neurons.recording.circuits import (
    cells_between,
    columns_recorder,
    microcircuit_recorder,
)
from rheobase.neurons.recording.discs import disc_potential, inverse_density, second_difference
from rheobase.neurons.recording.kernels import Kernel, depth_grid, synaptic_kernel
from rheobase.neurons.recording.recorder import Recorder
from rheobase.neurons.recording.sites import EXTERNAL, layer_shares, site_at, site_in_layers
from rheobase.validation.recordings import stick, stick_kernel

CELL = LIF(
    C=250e-12, tau_m=10e-3, E_L=-65e-3, V_th=-50e-3, V_reset=-65e-3, t_ref=2e-3, tau_E=0.5e-3,
    tau_I=2e-3,
)  # fmt: skip


@pytest.fixture(scope="module")
def pyramidal() -> Cell:
    return generate_cell("L5_pyramidal", "rat", seed=2)


def test_a_ball_and_stick_has_the_dipole_of_the_cable_equation() -> None:
    kernel, exact = stick_kernel(stick(25e-6))
    assert kernel.dipole[0, 0] == 0
    error = np.linalg.norm(kernel.dipole[0, 1:] - exact) / np.linalg.norm(exact)
    assert error < 2e-3
    assert kernel.dipole[0].max() == 0  # a current into the far end pulls the moment down


def test_steps_are_of_second_order(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = stick(50e-6)
    found = []
    for fineness in (10, 20, 160):
        monkeypatch.setattr(kernels, "FINENESS", fineness)
        found.append(stick_kernel(cell)[0].dipole[0])
    coarse, fine = (np.linalg.norm(k - found[2]) for k in found[:2])
    assert np.log2(coarse / fine) > 1.8


def test_currents_of_a_cell_sum_to_zero_and_add_up(pyramidal: Cell) -> None:
    near, far = site_at(pyramidal, "perisomatic"), site_at(pyramidal, "distal")
    grid = depth_grid(pyramidal.thickness)
    k = synaptic_kernel(
        pyramidal, [near, far, 0.5 * (near + far), near], tau=[1e-3, 1e-3, 1e-3, 4e-3], dt=2e-4,
        tau_m=10e-3, depth=grid, duration=0.02,
    )  # fmt: skip
    assert k.current.shape == (4, 101, len(grid))
    assert np.abs(k.current.sum(axis=2)).max() < 1e-14
    np.testing.assert_allclose(0.5 * (k.current[0] + k.current[1]), k.current[2], atol=1e-13)
    assert k.current[3, -1] @ k.current[3, -1] > 4 * k.current[0, -1] @ k.current[0, -1]
    soma = int(np.abs(grid - pyramidal.depth * pyramidal.thickness).argmin())
    early = k.current[0, 2]
    assert early[soma - 2 : soma + 3].sum() < -0.3  # a sink where the synapses are


def test_the_membranes_own_leak_or_the_point_neurons(pyramidal: Cell) -> None:
    own = kernels.passive_leak(pyramidal)
    given = kernels.passive_leak(pyramidal, 10e-3)
    soma = pyramidal.morphology.kind == Kind.SOMA
    assert given[soma] == pytest.approx(pyramidal.morphology.capacitance[soma] / 10e-3)
    assert (own > 0).sum() == (given > 0).sum()


def test_moving_a_kernel_up_and_down_keeps_its_dipole(pyramidal: Cell) -> None:
    k = synaptic_kernel(
        pyramidal, site_at(pyramidal, "distal"), tau=1e-3, dt=1e-3, tau_m=10e-3, duration=0.01
    )
    wide = k.spread(0.21e-3)
    np.testing.assert_allclose(wide.dipole, k.dipole, rtol=1e-9, atol=1e-18)
    assert np.abs(wide.current).max() < np.abs(k.current).max()
    np.testing.assert_allclose(k.spread(0.0).current, k.current, atol=1e-15)
    longer = replace(k, current=np.pad(k.current, ((0, 0), (0, 3), (0, 0))))
    np.testing.assert_allclose(Kernel.mean([k, longer]).current[:, :11], k.current)


def test_places_of_synapses(pyramidal: Cell) -> None:
    layers = layer_table("rat")
    shape, depth = pyramidal.morphology, kernels.depth_of(pyramidal)
    for place in ("perisomatic", "distal", "dendrites", "L1"):
        s = site_at(pyramidal, place)
        assert s.sum() == pytest.approx(1)
        assert not s[shape.is_axon].any()
    assert site_at(pyramidal, "perisomatic")[0] > 0
    assert depth[site_at(pyramidal, "L1") > 0].max() < pyramidal.thickness / 12
    s = site_in_layers(pyramidal, layers, {"L1": 0.25, "L23": 0.75}, soma=False)
    top = depth < layers.layer("L1")[1] * layers.thickness
    assert s[top].sum() == pytest.approx(0.25)
    basket = generate_cell("L5_basket", "rat", seed=1)
    nowhere = site_in_layers(basket, layers, {"L1": 1.0}, soma=True)
    np.testing.assert_array_equal(nowhere, site_at(basket, "perisomatic"))
    with pytest.raises(InputError, match="unknown place of synapses"):
        site_at(pyramidal, "apex")


def test_layers_of_the_cats_synapses() -> None:
    shares = layer_shares()
    assert all(sum(of.values()) == pytest.approx(1) for of in shares.values())
    # layer 2/3 cells: 26 % occurrence x 1306 and 5800 synapses in layers 1 and 2/3
    a, b = 1306 * 6.3, 5800 * 59.9
    assert shares["L23E", "L23E"]["L1"] == pytest.approx(a / (a + b))
    assert shares["L23E", EXTERNAL] == {"L1": 1.0}
    assert ("L23E", "L5I") not in shares


def test_discs_and_current_sources() -> None:
    radius, sigma = 0.4e-3, 0.3
    z = np.linspace(-1e-3, 1e-3, 9)
    on_axis = (np.sqrt(z**2 + radius**2) - np.abs(z)) / (2 * np.pi * radius**2 * sigma)
    np.testing.assert_allclose(disc_potential(z, radius=radius, sigma=sigma), on_axis, rtol=1e-12)
    far = disc_potential(0.0, radius=radius, sigma=sigma, offset=50e-3)
    assert far == pytest.approx(1 / (4 * np.pi * sigma * 50e-3), rel=1e-4)
    depths = 0.1e-3 * np.arange(12)
    density = np.zeros((12, 2))
    density[3], density[7] = (-2.0, 1.0), (2.0, -1.0)
    current = density * np.pi * radius**2 * 0.1e-3
    V = disc_potential(depths[:, None] - depths, radius=radius) @ current
    np.testing.assert_allclose(inverse_density(V, depths, radius=radius), density, atol=1e-9)
    wide = disc_potential(depths[:, None] - depths, radius=1.0) @ (density * np.pi * 0.1e-3)
    np.testing.assert_allclose(second_difference(wide, depths), density[1:-1], atol=1e-3)


def small(*, plastic: bool = False, noise: float = 0.0) -> Network:
    """Return 40 excitatory and 10 inhibitory cells, and a source of 5 that plays spikes."""
    rng = np.random.default_rng(0)
    populations = tuple(
        LIFPopulation(
            name=name, layer="L5", excitatory=name == "E", size=size, neuron=CELL,
            direct_current=0.6e-9, V0_mean=-60e-3, V0_sd=4e-3,
            external_rate=noise, external_weight=40e-12,
        )
        for name, size in (("E", 40), ("I", 10))
    )  # fmt: skip
    source = rng.integers(0, 55, 900)
    inhibits = (source >= 40) & (source < 50)
    synapses = Synapses.from_pairs(
        55, source, rng.integers(0, 50, 900),
        np.where(inhibits, -30e-12, 12e-12) * rng.uniform(0.5, 1.5, 900),
        rng.uniform(0.2e-3, 3e-3, 900), dt=1e-4,
    )  # fmt: skip
    rule = ShortTerm(U=0.4, tau_rec=0.1, tau_facil=0.05)
    return Network(
        populations=populations,
        synapses=synapses,
        dt=1e-4,
        sources=(SpikeSource(name="S", layer="L4", excitatory=True, size=5),),
        plasticity={("E", "I"): rule, ("I", "E"): rule, ("S", "E"): rule} if plastic else {},
    )


TRAINS = {"S": (np.array([0.01, 0.01, 0.0201, 0.05, 0.0502]), np.array([0, 0, 3, 4, 1]))}


@pytest.mark.parametrize("plastic", [False, True])
def test_arrivals_are_those_of_the_simulation(plastic: bool) -> None:
    network = small(plastic=plastic)
    run = simulate(network, 0.08, seed=3, trains=TRAINS, record_currents=True)
    assert run.currents is not None
    assert len(run.times) > 100
    sent = arrivals(network, run, trains=TRAINS)
    assert sent.shape == (800, 2, 3)
    for sign, (tau, pick) in enumerate(((CELL.tau_E, np.maximum), (CELL.tau_I, np.minimum))):
        current = np.zeros(2)
        for k in range(len(sent)):
            current = current * np.exp(-1e-4 / tau) + pick(sent[k], 0).sum(axis=1)
            np.testing.assert_allclose(current, run.currents[k, :, sign], rtol=1e-4, atol=1e-16)
    together = arrivals(network, run, groups=[0, 0, 0], trains=TRAINS)
    np.testing.assert_allclose(together[:, :, 0], sent.sum(axis=2), atol=1e-16)


def recorder_of(network: Network) -> Recorder:
    cell = generate_cell("L5_pyramidal", "rat", seed=2)
    sites = np.stack([site_at(cell, p) for p in ("dendrites", "perisomatic", "L1", "distal")])
    tau = [CELL.tau_E, CELL.tau_I, CELL.tau_E, CELL.tau_E]
    kernel = synaptic_kernel(cell, sites, tau=tau, dt=1e-4, tau_m=10e-3, duration=0.03)
    return Recorder(
        network=network, groups=("E", "I", "S", EXTERNAL), group=(0, 1, 2), kernels={"all": kernel},
        kind=("all", "all"), column=(0, 1), centres=np.array([[0.0, 0.0], [1e-3, 0.0]]),
        radius=0.3e-3, stands_for=(2.0, 3.0),
    )  # fmt: skip


def test_a_recording_is_the_kernel_at_every_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    network = small()
    of = recorder_of(network)
    run = simulate(network, 0.08, seed=3, trains=TRAINS)
    sent = arrivals(network, run, trains=TRAINS)
    found = of.record(run, trains=TRAINS)
    kernel = of.kernels["all"].current
    for p, factor in ((0, 2.0), (1, 3.0)):
        direct = np.zeros((800 + kernel.shape[1], kernel.shape[2]))
        for k in range(800):
            for g in range(3):
                direct[k : k + kernel.shape[1]] += factor * float(sent[k, p, g]) * kernel[g]
        np.testing.assert_allclose(
            found.sources[p], direct[:800].T, atol=1e-9 * np.abs(direct).max()
        )
        np.testing.assert_allclose(found.dipole[p], -found.depth @ found.sources[p], atol=1e-25)
    np.testing.assert_allclose(found.column_dipole, found.dipole)
    monkeypatch.setattr(recorder, "_BLOCK", 150)
    blocks = of.record(run, trains=TRAINS, every=4)
    np.testing.assert_allclose(blocks.time, found.time[3::4])
    scale = np.abs(found.sources).max()
    np.testing.assert_allclose(blocks.sources, found.sources[:, :, 3::4], atol=1e-12 * scale)


def test_potentials_and_densities_of_a_recording() -> None:
    found = recorder_of(small()).record(simulate(small(), 0.03, seed=3), every=50)
    near, far = found.potential([0.5e-3]), found.potential([0.5e-3], at=(1e-3, 0.0))
    swapped = replace(found, sources=found.sources[::-1])
    np.testing.assert_allclose(swapped.potential([0.5e-3]), far, atol=1e-12 * np.abs(far).max())
    assert np.abs(near).max() > 0
    density = found.current_source_density
    volume = np.pi * 0.3e-3**2 * (found.depth[1] - found.depth[0])
    np.testing.assert_allclose(density * volume, found.sources)
    with pytest.raises(InputError, match="finite depths"):
        found.potential([np.nan])


def test_poisson_input_is_what_the_currents_have_over_the_spikes() -> None:
    network = small(noise=2000.0)
    run = simulate(network, 0.05, seed=1, record_currents=True)
    sent = arrivals(network, run)
    extra = recorder.external_arrivals(network, run, sent)
    assert extra.shape == (500, 2)
    per_step = np.array([40, 10]) * 2000.0 * 1e-4
    counts = extra / 40e-12 + per_step
    np.testing.assert_allclose(counts, np.rint(counts - counts.min(0)) + counts.min(0), atol=0.02)
    np.testing.assert_allclose(extra.mean(axis=0), 0, atol=1e-15)
    assert counts.std(axis=0) == pytest.approx(np.sqrt(per_step), rel=0.2)
    of = recorder_of(network)
    silent = of.record(replace(run, currents=None))
    assert not np.allclose(of.record(run).dipole, silent.dipole, atol=0)


def test_bad_input(pyramidal: Cell) -> None:
    site = site_at(pyramidal, "dendrites")
    with pytest.raises(InputError, match="add up to 1"):
        synaptic_kernel(pyramidal, 2 * site, tau=1e-3, dt=1e-4)
    axon = np.zeros(len(site))
    axon[np.flatnonzero(pyramidal.morphology.is_axon)[0]] = 1.0
    with pytest.raises(InputError, match="membrane of soma and dendrites"):
        synaptic_kernel(pyramidal, axon, tau=1e-3, dt=1e-4)
    with pytest.raises(InputError, match="tau must be > 0 s"):
        synaptic_kernel(pyramidal, site, tau=0.0, dt=1e-4)
    with pytest.raises(InputError, match="sites must have shape"):
        synaptic_kernel(pyramidal, [1.0], tau=1e-3, dt=1e-4)
    with pytest.raises(InputError, match="tau_m must be > 0 s"):
        synaptic_kernel(pyramidal, site, tau=1e-3, dt=1e-4, tau_m=-1.0)
    with pytest.raises(InputError, match="one or more cells"):
        cells_between("L5_basket", "rat", 0.4, 0.5, n=0, seed=0)
    with pytest.raises(InputError, match="radius must be > 0 m"):
        disc_potential(0.0, radius=0.0)
    with pytest.raises(InputError, match="evenly spaced"):
        second_difference(np.zeros(3), [0.0, 1e-4, 3e-4])
    network = small()
    run = simulate(network, 0.01, seed=1)
    with pytest.raises(InputError, match="another one"):
        arrivals(network, replace(run, names=("E", "J")))
    with pytest.raises(InputError, match="a group >= 0 for each of 3 sources"):
        arrivals(network, run, groups=[0, 1])
    simulation = Simulation(network, seed=1)
    simulation.run(0.01)
    late: Spikes = simulation.run(0.01)
    with pytest.raises(InputError, match="from time 0"):
        arrivals(network, late)
    of = recorder_of(network)
    with pytest.raises(InputError, match="every must be >= 1"):
        of.record(run, every=0)
    with pytest.raises(InputError, match="unknown kind of target 'most', allowed: all"):
        replace(of, kind=("all", "most"))
    with pytest.raises(InputError, match="must have 3 sites"):
        replace(of, groups=("E", "I", "S"))
    g = replace(CELL, E_E=0.0, E_I=-80e-3)
    conductances = tuple(replace(p, neuron=g) for p in network.populations)
    with pytest.raises(InputError, match="conductances: population 'E'"):
        replace(of, network=replace(network, populations=conductances))


def test_the_microcircuit_stands_for_a_square_millimetre() -> None:
    network = microcircuit(scale=0.01, seed=1)
    of = microcircuit_recorder(network, cells_per_population=1)
    assert of.groups[-1] == EXTERNAL
    assert of.radius == pytest.approx(np.sqrt(1e-6 / np.pi))
    run = simulate(network, 0.02, seed=1)
    found = of.record(run, every=10)
    assert found.sources.shape == (1, len(found.depth), 20)
    assert np.abs(found.sources.sum(axis=1)).max() < 1e-12 * np.abs(found.sources).max()
    np.testing.assert_allclose(found.column_dipole[0], found.dipole.sum(axis=0))
    # cells whose dendrites keep to one layer have less of a dipole than those that cross several
    arm = {name: float(np.abs(k.dipole).max()) for name, k in of.kernels.items()}
    assert max(arm[i] for i in ("L23I", "L4I", "L5I", "L6I")) < 10e-6
    assert min(arm[e] for e in ("L23E", "L5E")) > 10e-6
    with pytest.raises(InputError, match="expected the populations L23E"):
        microcircuit_recorder(small())


@pytest.mark.slow
@pytest.mark.parametrize("species", ["mouse", "rat", "human"])
def test_columns_are_recorded_one_by_one(species: str) -> None:
    seven = columns(species, neurons_per_column=200, seed=1)
    of = columns_recorder(seven, cells_per_population=1)
    drive = Drive(
        probability={seven.population(0, "L5", "PYR"): 1.0}, times=np.array([0.01]), latency=1e-3
    )
    with_, without = (simulate(seven.network, 0.03, seed=1, drive=d) for d in (drive, None))
    recordings = [of.record(run) for run in (with_, without)]
    change = recordings[0].column_dipole - recordings[1].column_dipole
    s, driven = seven.network.synapses, seven.network.ids(seven.population(0, "L5", "PYR"))
    sent = slice(s.start[driven.start], s.start[driven.stop])
    column, delay = seven.column[s.target[sent]], s.delay[sent]
    rounding = 1e-9 * np.abs(change).max()
    for c in range(7):  # each column answers when the first spike reaches it, and not before
        first = 0.011 + seven.network.dt * int(delay[column == c].min())
        early = recordings[0].time < first - seven.network.dt / 2
        assert np.abs(change[c, early]).max() < rounding
        assert np.abs(change[c, ~early][:20]).max() > 1e3 * rounding
