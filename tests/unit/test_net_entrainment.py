"""A slowly polarised population locks as its static rates say; the example's numbers hold."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from matplotlib.image import imread

from rheobase.neurons.measures.locking import entrainment, locking
from rheobase.neurons.network.drive import Polarisation
from rheobase.neurons.network.model import LIF, LIFPopulation, Network, Synapses
from rheobase.neurons.network.simulation import simulate

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


def test_slow_field_locks_as_the_static_rates_say() -> None:
    n, size = 200, 1.5e-3  # cells and V
    cells = LIFPopulation(
        name="E",
        layer="L5",
        excitatory=True,
        size=n,
        neuron=CELL,
        external_rate=6.5e3,
        external_weight=CELL.psc(0.2e-3),
        V0_mean=-58e-3,
        V0_sd=3e-3,
    )
    network = Network(
        populations=(cells,), synapses=Synapses.from_pairs(n, [], [], [], [], dt=1e-4), dt=1e-4
    )
    # the cells of one run stand for the phases of a period: each with the shift of its phase
    phase = 2 * np.pi * np.arange(n) / n
    static = simulate(
        network, 4.0, seed=1, polarisation=Polarisation(shift={"E": size * np.cos(phase)})
    )
    exact = locking(phase[static.ids[static.times > 0.2]])
    wave = np.cos(2 * np.pi * 1e-4 * (np.arange(60_000) + 0.5))  # 1 Hz
    run = simulate(
        network, 6.0, seed=2, polarisation=Polarisation(shift={"E": size}, waveform=wave)
    )
    found = entrainment(run, 1.0, start=1.0)["E"]
    assert found.n > 5_000
    assert found.strength > 0.1
    # independent spikes: 1/sqrt(2 n) each; at 1 Hz the membrane passes 0.998 and delays by 10 ms
    spread = np.hypot(1 / np.sqrt(2 * found.n), 1 / np.sqrt(2 * exact.n))
    assert found.strength == pytest.approx(exact.strength, abs=4 * spread + 0.002 * found.strength)
    late = 2 * np.pi * CELL.tau_m  # at most
    assert found.phase == pytest.approx(exact.phase, abs=4 * spread / exact.strength + late)
    assert found.p_value < 0.01


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = Path(__file__).parents[2] / "examples" / "entrainment.py"
    spec = importlib.util.spec_from_file_location("entrainment", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "entrainment", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "TACS", {"field": [1.0, 4.0], "frequency": [10.0, 45.0]})
    monkeypatch.setattr(module, "TI", {"field": [0.0, 4.0], "frequency": [10.0]})
    return module


def test_example_finds_tacs_locked_and_interference_not(
    example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "entrainment.png"
    tacs, ti = example.main(str(out), str(tmp_path / "points"), scale=0.02, seconds=2.5)
    strong = tacs.sel(population="L5E", field=4.0)
    assert (strong["p_value"] < 0.01).all()
    assert (strong["strength"] > 0.2).all()
    beat = ti.sel(population="L5E", field=4.0, frequency=10.0)
    assert beat["p_value"] > 0.01
    assert beat["strength"] < 0.5 * strong["strength"].sel(frequency=10.0)
    # the first harmonic of the spikes over the phase is their locking
    count = strong["count"].sel(frequency=10.0)
    phase = 2 * np.pi * (np.arange(example.BINS) + 0.5) / example.BINS
    harmonic = abs((count * np.exp(1j * phase)).sum() / count.sum())
    assert float(harmonic) == pytest.approx(float(strong["strength"].sel(frequency=10.0)), abs=0.02)
    assert imread(out)[..., :3].std() > 0.1
    assert "TI     4.00 V/m at 10 Hz: L5E" in capsys.readouterr().out
