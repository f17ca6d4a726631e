"""Seven columns: geometry, tables, synapses drawn as said, drive and polarisation by population."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

from rheobase._errors import InputError
from rheobase.neurons.columns.circuit import SPECIES, circuit, column_facts
from rheobase.neurons.columns.drive import column_places, drive_of, polarisation_of
from rheobase.neurons.columns.geometry import (
    draw_in_hexagon,
    hexagon_area,
    hexagon_centres,
    in_hexagon,
    mean_profile,
)
from rheobase.neurons.columns.mean_field import MeanField, siegert_rate
from rheobase.neurons.columns.network import (
    ColumnNetwork,
    columns,
    in_degrees,
    sample_sizes,
    working_point,
)
from rheobase.neurons.columns.wave import column_wave
from rheobase.neurons.network.drive import Drive, Polarisation
from rheobase.neurons.network.model import LIFPopulation, Network, Synapses
from rheobase.neurons.network.readout import rates
from rheobase.neurons.network.simulation import Spikes, simulate
from rheobase.neurons.recruitment import Recruitment


@pytest.fixture(scope="module")
def mouse() -> ColumnNetwork:
    return columns("mouse", neurons_per_column=300, seed=3)


def recruited(species: str = "mouse", layer: str = "L5") -> Recruitment:
    """Two groups of four cells; thresholds 1 … 4, one unknown."""
    n = 8
    threshold = np.tile([[1.0, 2.0, 3.0, 4.0, 1.0, 2.0, np.nan, np.inf]], (2, 1))
    threshold[1] *= 10
    position = np.zeros((n, 3))
    position[:4, 0] = [0.0, 1e-3, 2e-3, 3e-3]
    return Recruitment(
        threshold=threshold,
        site=np.zeros((2, n), dtype=np.int8),
        type=np.array(["L5_pyramidal"] * 4 + ["L23_basket"] * 4),
        layer=np.array([layer] * 4 + ["L2/3"] * 4),
        species=np.array([species] * n),
        position=position,
        depth=np.full(n, 0.5),
        outside=np.zeros(n),
        tissue=np.full(n, -1, dtype=np.int32),
        unit="A",
        mode="cable",
        cell_class=np.array(["PYR"] * 4 + ["PV"] * 4),
    )


# geometry


def test_hexagons_stand_side_by_side() -> None:
    centres = hexagon_centres(300e-6)
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    assert np.sort(distance[0])[1:] == pytest.approx(300e-6)
    assert np.sort(distance[1])[1:4] == pytest.approx(300e-6)
    radius = 300e-6 / np.sqrt(3)
    points = np.random.default_rng(1).uniform(-2 * radius, 2 * radius, (20_000, 2))
    owners = np.sum([in_hexagon(points - c, radius) for c in centres], axis=0)
    assert owners.max() == 1  # they do not overlap, and fill what is between them
    inside = np.linalg.norm(points, axis=1) < 300e-6
    assert owners[inside].min() == 1


def test_draws_fill_the_hexagon_evenly() -> None:
    points = draw_in_hexagon(40_000, 1.0, np.random.default_rng(2))
    assert in_hexagon(points, 1.0).all()
    share = (np.linalg.norm(points, axis=1) < 0.5).mean()
    assert share == pytest.approx(np.pi * 0.25 / hexagon_area(1.0), rel=0.02)


def test_profile_of_a_small_hexagon_is_that_of_points_and_sums_to_the_gaussian() -> None:
    assert mean_profile(1e-6, (50e-6, 0.0), 50e-6) == pytest.approx(np.exp(-0.5), rel=1e-3)
    # over a whole lattice of hexagons the mean times the area is the integral 2 pi sigma²
    spacing, sigma = 300e-6, 120e-6
    radius = spacing / np.sqrt(3)
    step = np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]]) * spacing
    total = sum(
        mean_profile(radius, tuple(np.round(i * step[0] + j * step[1], 9).tolist()), sigma)
        for i in range(-3, 4)
        for j in range(-3, 4)
    )
    assert total * hexagon_area(radius) == pytest.approx(2 * np.pi * sigma**2, rel=0.002)


# tables


@pytest.mark.parametrize("species", SPECIES)
def test_every_population_has_its_numbers(species: str) -> None:
    c = circuit(species)
    layers = {"rat": 5, "mouse": 5, "human": 6}[species]
    assert len(c.borders) == layers
    assert len(c.names) == 1 + 4 * (layers - 1) == len(set(c.names))
    assert ((c.peak >= 0) & (c.peak <= 1)).all()
    assert (c.density > 0).all()
    assert (c.rates > 0).all()
    excites = np.array(c.cell_class) == "PYR"
    assert (c.psp[excites] > 0).all()
    assert (c.psp[~excites] < 0).all()
    assert (c.latency >= 0.5e-3).all()
    factors = c.resting_factors()
    assert ((factors > 0.2) & (factors < 3)).all()
    external = working_point(species)
    assert all(set(external[place]) == set(c.names) for place in ("centre", "ring"))


def test_a_weight_gives_its_potential() -> None:
    c = circuit("mouse")
    i, j = c.names.index("L23_PV"), c.names.index("L23_PYR")
    for k, excites in ((i, False), (c.names.index("L5_PYR"), True)):
        cell = c.cells[j]
        population = LIFPopulation(
            name="x", layer="L23", excitatory=True, size=2, neuron=cell, V0_mean=cell.E_L
        )
        weight = c.rested_weights()[k, j]
        network = Network(
            populations=(population,),
            synapses=Synapses.from_pairs(2, [0], [1], weight, 1e-3, dt=1e-4),
            dt=1e-4,
        )
        drive = Drive(probability={"x": np.array([1.0, 0.0])}, times=np.array([1e-3]))
        run = simulate(network, 0.05, seed=1, drive=drive, record_potentials=[1])
        deviation = run.potentials[:, 0] - cell.E_L
        peak = deviation.max() if excites else deviation.min()
        assert peak == pytest.approx(c.psp[k, j], rel=2e-3)


def test_unknown_species_is_named() -> None:
    with pytest.raises(InputError, match="species of the columns"):
        circuit("cat")


def test_stationary_factor_is_the_mean_over_a_poisson_train() -> None:
    c = circuit("mouse")
    i, j = c.names.index("L23_PV"), c.names.index("L23_PYR")
    constants = c.plasticity[i][j]
    assert constants is not None
    rng = np.random.default_rng(5)
    train = np.cumsum(rng.exponential(1 / c.rates[i], 20_000))
    mean = constants.efficacies(train)[100:].mean() / constants.U
    assert c.resting_factors()[i, j] == pytest.approx(mean, rel=0.05)


# network


def test_cells_lie_in_their_column_and_layer(mouse: ColumnNetwork) -> None:
    n = mouse.network.size
    assert mouse.positions.shape == (n, 3)
    assert len(mouse.layer) == len(mouse.cell_class) == len(mouse.column) == n
    local = mouse.positions[:, :2] - mouse.centres[mouse.column]
    assert in_hexagon(local, mouse.radius).all()
    for layer, (top, bottom) in mouse.layers.items():
        depth = mouse.depth[mouse.ids(layer=layer)]
        assert depth.min() >= top
        assert depth.max() <= bottom
    ids = mouse.ids(column=2, layer="L5", cell_class="SST")
    assert list(mouse.network.ids(mouse.population(2, "L5", "SST"))) == ids.tolist()


def test_synapses_are_those_of_the_table(mouse: ColumnNetwork) -> None:
    c = mouse.circuit
    synapses = mouse.network.synapses
    degrees = in_degrees(c, mouse.centres, mouse.radius)
    sizes = sample_sizes(c, 300)
    population = np.repeat(np.tile(np.arange(len(c.names)), 7), np.tile(sizes, 7))
    source = np.repeat(np.arange(mouse.network.size), np.diff(synapses.start))
    flat = np.zeros((7, 7, len(c.names), len(c.names)))
    at = (mouse.column[source], mouse.column[synapses.target])
    np.add.at(flat, (*at, population[source], population[synapses.target]), 1)
    assert np.abs(flat - degrees * sizes).max() <= 0.5
    # among them the peak probability of L2/3 PV onto L2/3 PYR cells of the same column
    i, j = c.names.index("L23_PV"), c.names.index("L23_PYR")
    cells = c.density[i] * hexagon_area(mouse.radius)
    profile = mean_profile(mouse.radius, (0.0, 0.0), float(c.sigma[i, j]))
    found = flat[0, 0, i, j] / sizes[j] / cells / profile
    assert found == pytest.approx(c.peak[i, j], rel=0.01)


def test_delays_grow_with_distance_and_weights_keep_sign_and_mean(mouse: ColumnNetwork) -> None:
    c, synapses = mouse.circuit, mouse.network.synapses
    velocity = column_facts()["lateral"]["velocity_m_per_s"]
    source = np.repeat(np.arange(mouse.network.size), np.diff(synapses.start))
    a, b = mouse.population(0, "L23", "PYR"), mouse.population(3, "L5", "PYR")
    i, j = c.names.index("L23_PYR"), c.names.index("L5_PYR")
    of = np.isin(source, mouse.network.ids(a)) & np.isin(synapses.target, mouse.network.ids(b))
    distance = np.linalg.norm(
        mouse.positions[source[of]] - mouse.positions[synapses.target[of]], axis=1
    )
    expected = c.latency[i, j] + distance / velocity
    assert synapses.delay[of] * 1e-4 == pytest.approx(expected, abs=1.01e-4)
    inhibits = np.isin(source, mouse.ids(cell_class="PYR"), invert=True)
    assert (synapses.weight[inhibits] < 0).all()
    assert (synapses.weight[~inhibits] > 0).all()
    within = np.isin(source, mouse.ids(layer="L4", cell_class="PYR")) & np.isin(
        synapses.target, mouse.ids(layer="L4", cell_class="PV")
    )
    i, j = c.names.index("L4_PYR"), c.names.index("L4_PV")
    mean = (c.rested_weights() * c.resting_factors())[i, j]
    assert synapses.weight[within].mean() == pytest.approx(mean, rel=0.05)


def test_same_seed_same_network(mouse: ColumnNetwork) -> None:
    again = columns("mouse", neurons_per_column=300, seed=3)
    assert np.array_equal(again.positions, mouse.positions)
    for name in ("start", "target", "weight", "delay"):
        assert np.array_equal(
            getattr(again.network.synapses, name), getattr(mouse.network.synapses, name)
        )
    assert again.network.size == mouse.network.size


def test_a_small_sample_fires_near_its_rates(mouse: ColumnNetwork) -> None:
    found = rates(simulate(mouse.network, 1.0, seed=1), start=0.2)
    for name, aim in (("L23_PYR", 2.7), ("L5_PYR", 6.8), ("L4_PV", 10.2), ("L5_PV", 7.5)):
        mean = np.mean([found[f"C{c}_{name}"] for c in range(7)])
        assert mean == pytest.approx(aim, rel=0.35), name


@pytest.mark.parametrize("n", [0, 10**6])
def test_too_few_or_many_cells_are_refused(n: int) -> None:
    with pytest.raises(InputError, match="neurons_per_column"):
        columns("mouse", neurons_per_column=n, seed=1)


def test_wrong_names_are_refused(mouse: ColumnNetwork) -> None:
    with pytest.raises(InputError, match="column must be"):
        mouse.ids(column=7)
    with pytest.raises(InputError, match="layer"):
        mouse.ids(layer="L2")
    with pytest.raises(InputError, match="class"):
        mouse.ids(cell_class="SOM")
    with pytest.raises(InputError, match="population"):
        mouse.population(0, "L1", "PYR")


# mean field


def test_mean_field_foretells_cells_with_many_small_inputs() -> None:
    # synapses much faster than the membrane, and small: where the approximation holds
    cell = dataclasses.replace(circuit("mouse").cells[1], tau_E=0.2e-3)
    weight, R = cell.psc(0.1e-3), cell.tau_m / cell.C
    for rate in (8_000.0, 9_500.0):
        mean = rate * weight * cell.tau_E * R
        sd = np.sqrt(rate * (weight * cell.tau_E * R) ** 2 / (2 * (cell.tau_m + cell.tau_E)))
        population = LIFPopulation(
            name="x",
            layer="L23",
            excitatory=True,
            size=400,
            neuron=cell,
            external_rate=rate,
            external_weight=weight,
            V0_mean=cell.E_L + 0.8 * mean,
            V0_sd=1e-3,
        )
        empty = Synapses.from_pairs(400, [], [], 1e-12, 1e-3, dt=1e-4)
        network = Network(populations=(population,), synapses=empty, dt=1e-4)
        found = rates(simulate(network, 2.2, seed=2), start=0.4)["x"]
        assert found == pytest.approx(siegert_rate(mean, sd, cell), rel=0.08)


def test_mean_field_holds_its_rates() -> None:
    c = circuit("rat")
    spacing = column_facts()["geometry"]["spacing_um"] * 1e-6
    degrees = in_degrees(c, hexagon_centres(spacing), spacing / np.sqrt(3))
    field = MeanField(c, degrees[:, 0].sum(axis=0))
    external = field.external_rates(c.rates)
    assert field.relaxed(external, c.rates, steps=3) == pytest.approx(c.rates, rel=1e-4)
    assert field.stability(external) < 1


def test_a_silent_cell_has_no_rate() -> None:
    assert siegert_rate(-50e-3, 1e-3, circuit("mouse").cells[1]) == 0.0


# drive


def test_probability_is_the_share_of_thresholds_passed(mouse: ColumnNetwork) -> None:
    drive = drive_of(mouse, recruited(), 2.5, times=[0.1])
    assert set(drive.probability) == {f"C{c}_{n}" for c in range(7) for n in ("L5_PYR", "L23_PV")}
    assert drive.probability["C3_L5_PYR"] == 0.5
    assert drive.probability["C0_L23_PV"] == pytest.approx(2 / 3)  # the unknown one left out
    assert drive_of(mouse, recruited(), 25, times=[0.1], polarity="minus").probability[
        "C0_L5_PYR"
    ] == pytest.approx(0.5)
    latency = drive.latency_of("C0_L5_PYR")
    assert 0.5e-3 < float(latency) < 1.5e-3
    fixed = drive_of(mouse, recruited(), 1, times=[0.1], latency=2e-3)
    assert fixed.latency_of("C1_L23_PV") == 2e-3


def test_columns_take_the_cells_near_them(
    mouse: ColumnNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rheobase.neurons.columns.drive.NEAREST", 1)
    places = np.zeros((7, 3))
    places[3, 0] = 3e-3
    drive = drive_of(mouse, recruited(), 2.5, times=[0.1], places=places)
    assert drive.probability["C0_L5_PYR"] == 1.0
    assert drive.probability["C3_L5_PYR"] == 0.0


def test_places_stand_across_the_normal(mouse: ColumnNetwork) -> None:
    normal = np.array([1.0, 2.0, -0.5])
    places = column_places(mouse, [0.01, 0.02, 0.03], normal)
    assert places[0] == pytest.approx([0.01, 0.02, 0.03])
    assert (places - places[0]) @ normal == pytest.approx(0.0, abs=1e-12)
    assert np.linalg.norm(places[1:] - places[0], axis=1) == pytest.approx(300e-6)
    with pytest.raises(InputError, match="normal"):
        column_places(mouse, [0, 0, 0], [0, 0, 0])


def test_human_layers_2_and_3_take_the_cells_of_layer_23() -> None:
    human = columns("human", neurons_per_column=200, seed=1)
    drive = drive_of(human, recruited("human"), 1.5, times=[0.1])
    assert drive.probability["C0_L2_PV"] == drive.probability["C0_L3_PV"] == pytest.approx(1 / 3)


def test_wrong_recruitments_are_refused(mouse: ColumnNetwork) -> None:
    with pytest.raises(InputError, match="species"):
        drive_of(mouse, recruited("rat"), 1.0, times=[0.1])
    with pytest.raises(InputError, match="layer and class"):
        drive_of(mouse, recruited(layer="L7"), 1.0, times=[0.1])
    with pytest.raises(InputError, match="classes"):
        drive_of(mouse, dataclasses.replace(recruited(), cell_class=None), 1.0, times=[0.1])
    with pytest.raises(InputError, match="amplitude"):
        drive_of(mouse, recruited(), -1.0, times=[0.1])
    with pytest.raises(InputError, match="places"):
        drive_of(mouse, recruited(), 1.0, times=[0.1], places=[[0, 0, 0]])


# polarisation


def test_steady_shift_by_layer_and_class(mouse: ColumnNetwork) -> None:
    (one,) = polarisation_of(mouse, {"L5_PYR": 0.3e-3, "L4_PV": 0.0})
    assert isinstance(one, Polarisation)
    assert one.shift["C6_L5_PYR"] == 0.3e-3
    assert len(one.shift) == 14
    with pytest.raises(InputError, match="population"):
        polarisation_of(mouse, {"L5_PYRAMID": 1e-3})


def test_free_membranes_move_as_the_cells_somata_do(mouse: ColumnNetwork) -> None:
    frequency, amplitude, phase = 40.0, 0.4e-3, 0.7
    dims, shape = ("frequency", "placement", "site", "statistic"), (1, 2, 1, 1)
    dataset = xr.Dataset(
        {
            "amplitude": (dims, np.full(shape, amplitude)),
            "phase": (dims, np.full(shape, phase)),
        },
        coords={
            "frequency": [frequency],
            "site": ["soma"],
            "statistic": ["mean"],
            "cell_class": ("placement", ["PYR", "PYR"]),
            "layer": ("placement", ["L5", "L5"]),
            "species": ("placement", ["mouse", "mouse"]),
        },
    )
    start, n = 0.0, 2000
    parts = polarisation_of(mouse, dataset, start=start, n_steps=n)
    name = "C0_L5_PYR"
    cell = mouse.circuit.cells[mouse.circuit.names.index("L5_PYR")]
    alone = LIFPopulation(
        name=name, layer="L5", excitatory=True, size=1, neuron=cell, V0_mean=cell.E_L
    )
    network = Network(
        populations=(alone,), synapses=Synapses.from_pairs(1, [], [], 1, 1e-3, dt=1e-4), dt=1e-4
    )
    only = [Polarisation(shift={name: p.shift[name]}, waveform=p.waveform) for p in parts]
    run = simulate(network, n * 1e-4, seed=1, polarisation=only, record_potentials=[0])
    time = (np.arange(n) + 1) * 1e-4
    expected = amplitude * np.sin(2 * np.pi * frequency * time + phase)
    late = time > 0.12  # the beginning of the sine has died away
    assert run.potentials[late, 0] - cell.E_L == pytest.approx(expected[late], abs=0.01 * amplitude)
    with pytest.raises(InputError, match="species"):
        polarisation_of(mouse, dataset.assign_coords(species=("placement", ["rat", "rat"])))


# wave


def test_speed_of_a_wave_that_is_known(mouse: ColumnNetwork) -> None:
    pulses, speed = np.array([0.1, 0.3]), 0.2
    away = np.linalg.norm(mouse.positions[:, :2], axis=1)
    ids = mouse.ids(cell_class="PYR")
    rng = np.random.default_rng(4)
    late = 2e-3 + away[ids] / speed + rng.normal(0.0, 0.2e-3, (2, len(ids)))
    times, who = (pulses[:, None] + late).ravel(), np.tile(ids, 2)
    order = np.argsort(times)
    network = mouse.network
    run = Spikes(
        times=np.round(times[order] / 1e-4) * 1e-4,
        ids=who[order].astype(np.int32),
        names=network.names,
        first=network.first,
        layers=tuple(p.layer for p in network.populations),
        excitatory=tuple(p.excitatory for p in network.populations),
        duration=0.5,
        dt=1e-4,
        seed=1,
        currents=None,
        potentials=np.empty((5000, 0)),
    )
    wave = column_wave(mouse, run, pulses, cell_class="PYR")
    assert wave.distance[0] == pytest.approx(mouse.radius + 25e-6, abs=5e-6)
    # half of the rise comes before the mean of a ring's cells, equally early in each
    early = 2e-3 + wave.distance / speed - wave.onset
    assert early == pytest.approx(0.3e-3, abs=0.2e-3)
    assert wave.speed.speed == pytest.approx(speed, rel=0.1)
    with pytest.raises(InputError, match="onsets"):  # cells of another class do not respond
        column_wave(mouse, run, pulses, cell_class="SST")
    with pytest.raises(InputError, match="no pulse"):
        column_wave(mouse, run, [0.499])
