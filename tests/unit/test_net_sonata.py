"""SONATA: our networks back to the last bit, others' as far as we have them, exports."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import libsonata
import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.neurons.interchange import (
    export_network,
    read_potentials,
    read_sonata,
    read_spikes,
    write_potentials,
    write_sonata,
    write_spikes,
)
from rheobase.neurons.interchange.numbers import shifted, unshifted
from rheobase.neurons.network.model import LIF, LIFPopulation, Network, SpikeSource, Synapses
from rheobase.neurons.network.simulation import Spikes, simulate
from rheobase.validation.sonata import SECONDS, SEED, network, sonata_roundtrip, trains


@pytest.fixture(scope="module")
def rich() -> Network:
    return network(noise=True)


def edit(path: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_case() -> None:
    rows = sonata_roundtrip()
    assert len(rows) == 6
    assert all(row.passed for row in rows)


def test_numbers_lose_nothing() -> None:
    stream = np.random.default_rng(1)
    values = stream.normal(size=2000) * 10.0 ** stream.integers(-15, 3, 2000)
    for power in (3, 9, 12):
        assert all(unshifted(shifted(x, power), power) == x for x in values.tolist())


def test_network_is_the_same(rich: Network, tmp_path: Path) -> None:
    xyz = np.random.default_rng(2).normal(size=(rich.size, 3)) * 1e-3
    path = write_sonata(tmp_path, rich, duration=1 / 3, seed=5, trains=trains(), positions=xyz)
    for where in (path, tmp_path):
        model = read_sonata(where)
        assert model.network.populations == rich.populations
        assert model.network.sources == rich.sources
        assert model.network.plasticity == rich.plasticity
        assert model.network.dt == rich.dt
        for name in ("start", "target", "weight", "delay"):
            ours, theirs = getattr(rich.synapses, name), getattr(model.network.synapses, name)
            assert ours.dtype == theirs.dtype
            assert np.array_equal(ours, theirs)
        assert (model.duration, model.seed) == (1 / 3, 5)
        assert model.positions == pytest.approx(xyz, rel=1e-14)
    times, ids = model.trains["thalamus"]
    want = np.rint(np.sort(trains()["thalamus"][0]) / rich.dt)
    assert np.array_equal(np.rint(times / rich.dt), want)
    assert len(ids) == len(times)
    with h5py.File(tmp_path / "inputs/thalamus.h5") as file:
        stamps = file["spikes/thalamus/timestamps"][:]
    assert stamps.tolist() == [float(f"{step / 10:.1f}") for step in want]


def test_libsonata_reads_all(rich: Network, tmp_path: Path) -> None:
    path = write_sonata(tmp_path, rich, duration=0.2, seed=4, trains=trains())
    circuit = libsonata.CircuitConfig.from_file(str(tmp_path / "circuit_config.json"))
    assert circuit.node_populations == {"neurons", "thalamus"}
    cells = circuit.node_population("neurons")
    kinds = cells.enumeration_values("pop_name")
    of = cells.get_attribute("pop_name", cells.select_all())
    assert of.tolist() == ["E"] * 200 + ["C"] * 100 + ["I"] * 60
    assert sorted(kinds) == ["C", "E", "I"]
    edges = circuit.edge_population("neurons__neurons__chemical")
    synapses = rich.synapses
    for neuron in (0, 250, 359):
        row = slice(synapses.start[neuron], synapses.start[neuron + 1])
        found = edges.efferent_edges(neuron)
        assert np.array_equal(edges.target_nodes(found), synapses.target[row])
        delay = edges.get_attribute("delay", found)
        assert np.array_equal(np.rint(delay / 0.1), synapses.delay[row])
        before = np.searchsorted(
            synapses.start, np.flatnonzero(synapses.target == neuron), side="right"
        )
        some = edges.afferent_edges(neuron)
        assert np.array_equal(np.sort(edges.source_nodes(some)), before[before <= rich.size] - 1)
    run = libsonata.SimulationConfig.from_file(str(path))
    assert (run.run.tstop, run.run.dt, run.run.random_seed) == (200.0, 0.1, 4)
    noise = run.input("poisson_C")
    assert (noise.rate, noise.weight) == (500.0, pytest.approx(0.4 / 3))
    sets = libsonata.NodeSets.from_file(run.node_sets_file)
    assert sets.materialize("I", cells).ranges == [(300, 360)]


def test_without_index_by_target(rich: Network, tmp_path: Path) -> None:
    whole, small = tmp_path / "whole", tmp_path / "small"
    write_sonata(whole, rich)
    write_sonata(small, rich, target_index=False)
    size = [(f / "network/neurons_neurons_edges.h5").stat().st_size for f in (whole, small)]
    n = rich.synapses.start[rich.size]
    assert size[0] - size[1] == pytest.approx(16 * n, rel=0.1)
    assert np.array_equal(read_sonata(small).network.synapses.weight, rich.synapses.weight)


def test_files_of_spikes(rich: Network, tmp_path: Path) -> None:
    write_sonata(tmp_path, rich, duration=0.3, seed=9)
    model = read_sonata(tmp_path)
    steps = np.repeat([3, 2999], 2)
    run = Spikes(
        times=steps * rich.dt,
        ids=np.array([5, 301, 0, 5], dtype=np.int32),
        names=rich.names,
        first=rich.first,
        layers=("L4", "L4", "L5"),
        excitatory=(True, True, False),
        duration=0.3,
        dt=rich.dt,
        seed=9,
        currents=None,
        potentials=np.array([[-0.07, -0.05], [-0.069, -0.051], [-0.068, -0.052]]),
    )
    write_spikes(tmp_path / "output/spikes.h5", run)
    back = read_spikes(tmp_path / "output/spikes.h5", model)
    assert np.array_equal(back.times, run.times)
    assert np.array_equal(back.ids, run.ids)
    assert (back.names, back.duration, back.seed) == (run.names, 0.3, 9)
    parts = [tmp_path / "0.h5", tmp_path / "1.h5"]
    for k, part in enumerate(parts):  # as two processes write
        write_spikes(part, replace(run, times=run.times[k::2], ids=run.ids[k::2]))
    assert np.array_equal(read_spikes(parts, model).ids, run.ids)
    theirs = libsonata.SpikeReader(str(tmp_path / "output/spikes.h5"))["neurons"]
    assert theirs.sorting == "by_time"

    write_potentials(tmp_path / "v.h5", run, [7, 310])
    report = read_potentials(tmp_path / "v.h5")
    assert report.ids.tolist() == [7, 310]
    assert report.time == pytest.approx([1e-4, 2e-4, 3e-4])
    assert report.potential == pytest.approx(run.potentials, rel=1e-7)
    soma = libsonata.SomaReportReader(str(tmp_path / "v.h5"))["neurons"]
    assert soma.get_node_ids() == [7, 310]
    assert soma.get().data == pytest.approx(run.potentials * 1e3, rel=1e-6)


def foreign(folder: Path, **changes: Any) -> Path:
    """Write a network as another tool might: types mixed, edges in any order, compressed."""
    folder.mkdir(exist_ok=True)
    with h5py.File(folder / "v1.h5", "w") as file:
        for name, types in (("v1", [20, 10, 20, 10, 20]), ("lgn", [5, 5])):
            group = file.create_group(f"nodes/{name}")
            group["node_type_id"] = types
            group.create_group("0")
    (folder / "v1.csv").write_text(
        "node_type_id population   model_type model_template dynamics_params location\n"
        f"10 v1 point_neuron {changes.get('model', 'nest:iaf_psc_exp')} i.json VISp\n"
        '20 v1 point_process nest:iaf_cond_exp NULL "layer 4"\n'
        "5 lgn virtual NULL NULL NULL\n"
    )
    (folder / "i.json").write_text(changes.get("i", '{"tau_m": 12, "I_e": 100.0}'))
    with h5py.File(folder / "e.h5", "w") as file:
        group = file.create_group("edges/v1_v1")
        for end, nodes in (("source_node_id", [3, 0, 3]), ("target_node_id", [2, 1, 0])):
            group.create_dataset(end, data=nodes, compression="gzip")
            group[end].attrs["node_population"] = "v1"
        group["edge_type_id"] = [7, 8, 7]
        group["0/nsyns"] = [1, 2, 3]
        group = file.create_group("edges/lgn_v1")
        group["source_node_id"], group["target_node_id"] = [1], [4]
        group["source_node_id"].attrs["node_population"] = b"lgn"
        group["target_node_id"].attrs["node_population"] = "v1"
        group["edge_type_id"] = [changes.get("kind", 8)]
        group["0/syn_weight"], group["0/delay"] = [1.5], [changes.get("delay", 2.0)]
    (folder / "e.csv").write_text(
        "edge_type_id model_template syn_weight delay\n7 static_synapse -2.0 1.2\n"
        f"8 {changes.get('synapse', 'nest:static_synapse')} 30 0.96\n"
    )
    (folder / "sets.json").write_text(
        '{"all": ["deep", "thin"], "deep": {"location": "VISp"}, "thin": {"node_type_id": 20}}'
    )
    with h5py.File(folder / "in.h5", "w") as file:
        file["spikes/lgn/timestamps"], file["spikes/lgn/node_ids"] = [3.0, 1.0], [1, 0]
    (folder / "config.json").write_text(
        json.dumps(
            {
                "manifest": {"$BASE_DIR": ".", "NET": "${BASE_DIR}/"},
                "run": {"tstop": 100, "dt": 0.1},
                "node_sets_file": "$BASE_DIR/sets.json",
                "components": {"point_neuron_models_dir": "$NET"},
                "networks": {
                    "nodes": [{"nodes_file": "$NET/v1.h5", "node_types_file": "$NET/v1.csv"}],
                    "edges": [{"edges_file": "e.h5", "edge_types_file": "e.csv"}],
                },
                "inputs": {
                    "noise": {
                        "input_type": "spikes",
                        "module": "poisson",
                        "node_set": changes.get("set", "deep"),
                        "rate": 12.5,
                        "weight": 40,
                    },
                    "lgn": {
                        "input_type": changes.get("input", "spikes"),
                        "module": changes.get("module", "h5"),
                        "node_set": {"population": "lgn"},
                        "input_file": "in.h5",
                    },
                },
            }
        )
    )
    return folder / "config.json"


def test_network_of_another_tool(tmp_path: Path) -> None:
    model = read_sonata(foreign(tmp_path))
    net = model.network
    inhibitory, excitatory = net.populations
    assert (inhibitory.name, inhibitory.size, inhibitory.excitatory) == ("v1_10", 2, False)
    assert (excitatory.name, excitatory.size, excitatory.excitatory) == ("v1_20", 3, True)
    assert inhibitory.neuron == LIF(
        C=250e-12, tau_m=12e-3, E_L=-70e-3, V_th=-55e-3, V_reset=-70e-3, t_ref=2e-3,
        tau_E=2e-3, tau_I=2e-3,
    )  # fmt: skip
    assert inhibitory.direct_current == 100e-12
    assert (inhibitory.external_rate, inhibitory.external_weight) == (12.5, 40e-12)
    assert (inhibitory.V0_mean, excitatory.external_rate) == (-70e-3, 0.0)
    assert excitatory.neuron.tau_m == pytest.approx(250 / 16.6667 * 1e-3)
    assert (excitatory.neuron.E_E, excitatory.neuron.E_I) == (0.0, -85e-3)
    assert net.sources == (SpikeSource(name="lgn", layer="lgn", excitatory=True, size=2),)
    assert model.nodes["v1"].tolist() == [2, 0, 3, 1, 4]
    rows = net.synapses.start[[1, 2, 3, 6, 7]].tolist()
    assert rows == [0, 2, 3, 3, 4]  # of neurons 1 (two), 2 (one) and of the source's second
    assert net.synapses.target.tolist() == [2, 3, 0, 4]
    assert net.synapses.weight == pytest.approx([-6e-9, -2e-9, 60e-12, 1.5e-9], rel=1e-6)
    assert net.synapses.delay.tolist() == [12, 12, 10, 20]
    assert model.trains["lgn"][0] == pytest.approx([3e-3, 1e-3])
    assert model.trains["lgn"][1].tolist() == [1, 0]
    assert model.duration == 0.1


def test_node_set_of_several_types(tmp_path: Path) -> None:
    for name in ("all", "v1"):
        net = read_sonata(foreign(tmp_path, set=name)).network
        assert [p.external_rate for p in net.populations] == [12.5, 12.5]
        assert [p.external_weight for p in net.populations] == [40e-12, 40e-9]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model": "nest:iaf_psc_alpha"}, "unknown neuron model 'iaf_psc_alpha', nearest: iaf_psc"),
        ({"model": "nrn:IntFire1"}, "model_template must be one of NEST's"),
        ({"i": '{"tau_n": 12}'}, "unknown parameter 'tau_n', nearest: tau_m"),
        ({"i": '{"tau_m": "12"}'}, "tau_m must be a number, got '12'"),
        ({"i": "[]"}, "parameters must be a JSON object"),
        ({"synapse": "stdp_synapse"}, "unknown synapse model 'stdp_synapse'"),
        ({"kind": 9}, "every edge_type_id must be in the table of types"),
        ({"delay": 0.04}, "delays must be 1 to 65535 steps of 0.1 ms, got 0 to 0"),
        ({"set": "dep"}, "unknown node set 'dep', nearest: deep"),
        ({"set": "lgn"}, "node set 'lgn' must hold cells"),
        ({"input": "current_clamp"}, "unknown input_type 'current_clamp'"),
        ({"module": "csv"}, "unknown module 'csv'"),
    ],
)
def test_what_the_engine_has_not(tmp_path: Path, change: dict[str, str], sentence: str) -> None:
    with pytest.raises(InputError) as error:
        read_sonata(foreign(tmp_path, **change))
    assert sentence in str(error.value)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


def test_damaged_folders(rich: Network, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither simulation_config.json nor circuit_config.json"):
        read_sonata(tmp_path)
    write_sonata(tmp_path, rich)
    edges = tmp_path / "network/neurons_neurons_edges.h5"
    with h5py.File(edges, "r+") as file:
        types = file["edges/neurons__neurons__chemical/edge_type_id"][:]
        del file["edges/neurons__neurons__chemical/edge_type_id"]
        file["edges/neurons__neurons__chemical/edge_type_id"] = types[1:]
    with pytest.raises(InputError, match="must have one number for each of"):
        read_sonata(tmp_path)
    with h5py.File(edges, "r+") as file:
        del file["edges/neurons__neurons__chemical/edge_type_id"]
        file["edges/neurons__neurons__chemical/edge_type_id"] = types
        del file["edges/neurons__neurons__chemical/0/delay"]
    with pytest.raises(InputError, match="'delay' must be with the edges or with all types"):
        read_sonata(tmp_path)
    with h5py.File(edges, "r+") as file:
        group = file["edges/neurons__neurons__chemical"]
        for name in ("source_node_id", "target_node_id", "edge_type_id"):
            ends = dict(group[name].attrs)
            del group[name]
            group.create_dataset(name, (10**13,), "uint32").attrs.update(ends)  # takes no space
        del group["0/syn_weight"]
    with pytest.raises(InputError, match=r"synapses take .* GiB, .* are free"):
        read_sonata(tmp_path)
    edges.write_bytes(b"no HDF5")
    with pytest.raises(InputError, match="not an HDF5 file, or not there"):
        read_sonata(tmp_path)
    table = tmp_path / "network/neurons_node_types.csv"
    table.write_text(table.read_text() + "x y\n")
    with pytest.raises(InputError, match="row 5 must have the 9 fields"):
        read_sonata(tmp_path)
    path = tmp_path / "simulation_config.json"
    edit(path, lambda run: run["run"].update(dt="0.1"))
    with pytest.raises(
        InputError, match=r"'dt' of a run, or the call, must be a number, got '0.1'"
    ):
        read_sonata(tmp_path)
    edit(path, lambda run: run["run"].pop("dt"))
    with pytest.raises(InputError, match="needs 'dt'"):
        read_sonata(tmp_path)
    edit(path, lambda run: run["manifest"].update({"$A": "$A/b"}))
    with pytest.raises(InputError, match="must not hold itself"):
        read_sonata(tmp_path)
    path.write_text("{")
    with pytest.raises(InputError, match="not a JSON file"):
        read_sonata(tmp_path)


def test_bad_spikes(rich: Network, tmp_path: Path) -> None:
    write_sonata(tmp_path, rich)
    model = read_sonata(tmp_path)
    path = tmp_path / "s.h5"
    with h5py.File(path, "w") as file:
        file["spikes/other/timestamps"] = [1.0]
    with pytest.raises(InputError, match="'spikes/neurons' must be in"):
        read_spikes(path, model)
    with h5py.File(path, "w") as file:
        file["spikes/neurons/timestamps"], file["spikes/neurons/node_ids"] = [1.0], [360]
    with pytest.raises(InputError, match=r"node ids must be in 0..359"):
        read_spikes(path, model)
    with h5py.File(path, "r+") as file:
        file["spikes/neurons/timestamps"].attrs["units"] = "s"
    with pytest.raises(InputError, match="must be in ms, got 's'"):
        read_spikes(path, model)


def test_what_cannot_be_written(rich: Network, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    named = replace(
        rich,
        plasticity={},
        populations=(replace(rich.populations[0], name="L4 é"), *rich.populations[1:]),
    )
    nowhere = replace(rich, sources=(replace(rich.sources[0], layer=""),))
    calls: list[Callable[[], Path]] = [
        lambda: write_sonata(folder, named),
        lambda: write_sonata(folder, nowhere),
        lambda: write_sonata(folder, rich, duration=-1.0),
        lambda: write_sonata(folder, rich, trains={"thalamos": ([], [])}),
        lambda: write_sonata(folder, rich, positions=np.zeros((3, 3))),
        lambda: export_network(folder, rich, "pynn"),
        lambda: export_network(folder, rich, "neuron"),
    ]
    for call in calls:
        with pytest.raises(InputError) as error:
            call()
        assert "\n" not in str(error.value)
        assert not folder.exists()


def test_a_broken_write_leaves_no_network(
    rich: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sonata(tmp_path, rich)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rheobase.neurons.interchange.write._write_indices", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_sonata(tmp_path, rich)
    assert not list(tmp_path.rglob(".part-*"))
    with pytest.raises(InputError, match="neither simulation_config"):
        read_sonata(tmp_path)


def test_trains_are_of_their_source(rich: Network, tmp_path: Path) -> None:
    for times, ids in (([0.1], [50]), ([0.1], [-1]), ([np.nan], [0])):
        with pytest.raises(InputError, match=r"finite times and ids in 0..49: 'thalamus'"):
            write_sonata(tmp_path, rich, trains={"thalamus": (times, ids)})


def test_nothing_heavy_at_import() -> None:
    code = (
        "import sys, rheobase.neurons.interchange;"
        "print({'h5py', 'libsonata', 'numba', 'scipy'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_scripts_are_whole(rich: Network, tmp_path: Path) -> None:
    nest = export_network(tmp_path / "nest", rich, "nest", trains=trains())
    pynn = export_network(tmp_path / "pynn", replace(rich, plasticity={}), "pynn")
    for script in (nest, pynn):
        compile(script.read_text(), script, "exec")
        with h5py.File(script.parent / "network/neurons_neurons_edges.h5") as file:
            indices = file["edges/neurons__neurons__chemical/indices"]
            assert list(indices) == ["source_to_target"]


@pytest.mark.skipif(find_spec("nest") is None, reason="needs NEST (pip install nest-simulator)")
def test_nest_fires_the_same_spikes(tmp_path: Path) -> None:
    net = network(noise=False)
    script = export_network(tmp_path, net, "nest", duration=SECONDS, seed=SEED, trains=trains())
    subprocess.run([sys.executable, str(script)], check=True, capture_output=True)
    theirs = read_spikes(tmp_path / "output/spikes.h5", read_sonata(tmp_path))
    ours = simulate(net, SECONDS, seed=SEED, trains=trains())
    assert np.array_equal(ours.ids, theirs.ids)
    assert np.array_equal(ours.times, theirs.times)


def test_long_delays(tmp_path: Path) -> None:
    cell = LIFPopulation(
        name="a",
        layer="x",
        excitatory=True,
        size=2,
        neuron=LIF(
            C=1e-10, tau_m=1e-2, E_L=-0.07, V_th=-0.05, V_reset=-0.07, t_ref=2e-3,
            tau_E=1e-3, tau_I=1e-3,
        ),
        V0_mean=-0.07,
    )  # fmt: skip
    synapses = Synapses.from_pairs(2, [0, 0, 0], [1, 1, 0], 1e-10, [0.05, 0.03, 1e-4], dt=1e-4)
    net = Network(populations=(cell,), synapses=synapses, dt=1e-4)
    write_sonata(tmp_path, net)
    back = read_sonata(tmp_path).network.synapses
    assert back.delay.dtype == np.uint16
    assert np.array_equal(back.delay, synapses.delay)
