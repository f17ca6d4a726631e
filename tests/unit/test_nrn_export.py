"""The folder for NEURON: whole, consistent with the circuit, and the same thresholds there."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.neurons.export import export_neuron
from rheobase.neurons.export.channels import MECHANISMS, Gate
from rheobase.neurons.generate import Cell, generate_cell
from rheobase.neurons.membrane import CHANNELS, TEMPERATURE, circuit
from rheobase.neurons.morphology import Floats
from rheobase.neurons.sample import UniformField, quasi_potential, rises_along


@pytest.fixture(scope="module")
def cell() -> Cell:
    return generate_cell("L23_pyramidal", "rat", seed=1)


@pytest.fixture(scope="module")
def rise(cell: Cell) -> Floats:
    return rises_along(cell.morphology, UniformField(E=[0.2, 0.0, 1.0]))


def _table(file: Path) -> dict[str, list[str]]:
    with file.open(newline="") as f:
        rows = list(csv.reader(f))
    assert {len(r) for r in rows} == {len(rows[0])}
    return {k: list(v) for k, v in zip(rows[0], zip(*rows[1:], strict=True), strict=True)}


def _values(gate: Gate, v: Floats) -> tuple[Floats, Floats]:
    """Evaluate a gate's NMODL expressions, which are Python but for the power sign."""

    def linoid(x: Floats, k: float) -> Floats:
        out: Floats = -x / np.expm1(-x / k)
        return out

    def either(x: Floats, a: Floats, b: Floats) -> Floats:
        return np.where(x < 0, a, b)

    names = {"v": v, "exp": np.exp, "linoid": linoid, "either": either}
    steady, tau = (eval(x.replace("^", "**"), names) for x in (gate.inf, gate.tau))
    return steady, tau


@pytest.mark.parametrize("name", MECHANISMS)
def test_mechanisms_have_the_kinetics_of_the_channels(name: str) -> None:
    v = np.linspace(-120.0, 60.0, 401) + 0.013  # between the removable singularities
    channel, mechanism = CHANNELS[name], MECHANISMS[name]
    warm = mechanism.q10 ** ((TEMPERATURE - mechanism.reference) / 10)
    assert [g.power for g in mechanism.gates] == [channel.power, 1][: len(mechanism.gates)]
    expected = channel.kinetics(v * 1e-3)
    assert len(expected) == len(mechanism.gates)
    for gate, (steady, tau) in zip(mechanism.gates, expected, strict=True):
        mine, mine_tau = _values(gate, v)
        np.testing.assert_allclose(mine, steady, rtol=1e-9)
        np.testing.assert_allclose(mine_tau * 1e-3 / warm, tau, rtol=1e-9)


def test_every_channel_has_a_mechanism() -> None:
    assert set(MECHANISMS) == set(CHANNELS)


def test_folder_holds_the_circuit(cell: Cell, rise: Floats, tmp_path: Path) -> None:
    folder = export_neuron(cell, rise, 200e-6, tmp_path / "a", amplitude=150.0, unit="V/m")
    table, settings = (
        _table(folder / "compartments.csv"),
        json.loads((folder / "settings.json").read_text()),
    )
    m, electric = cell.morphology, circuit(cell)
    column = {k: np.array(v, dtype=float) for k, v in table.items() if k != "kind"}
    assert column["parent"].tolist() == m.parent.tolist()
    area = np.pi * column["length_um"] * column["diameter_um"] * 1e-8  # cm2
    np.testing.assert_allclose(area * column["cm_uF_cm2"] * 1e-6, electric.capacitance, rtol=1e-9)
    np.testing.assert_allclose(area * column["g_pas_S_cm2"], electric.leak, rtol=1e-9)
    np.testing.assert_allclose(column["e_pas_mV"], electric.leak_reversal * 1e3)
    np.testing.assert_allclose(
        column["potential_mV"], quasi_potential(m, rise) * 1e3, rtol=1e-9, atol=1e-12
    )
    half = 1e-2 * settings["axial_resistivity_ohm_cm"] * 2e6 * column["length_um"]
    half /= np.pi * column["diameter_um"] ** 2
    half[0] = 0.0  # the branches of the soma start at its surface
    up = m.parent[1:]
    np.testing.assert_allclose(1 / (half[1:] + half[up]), electric.axial[1:], rtol=1e-9)
    has = m.length > 0
    for name, density in electric.density.items():
        if (density[has] > 0).any():
            np.testing.assert_allclose(column[f"gbar_{name}"][has] * 1e4, density[has])
            assert (folder / "mechanisms" / f"{name}.mod").is_file()
    assert not column["counted"][~electric.counted].any()
    assert settings["temperature_C"] == TEMPERATURE
    wave = _table(folder / "waveform.csv")
    assert [float(t) for t in wave["t_ms"]] == [0.0, 0.2]
    for script in ("model.py", "run.py"):
        compile((folder / script).read_text(), script, "exec")


def test_second_export_leaves_no_mechanism_of_the_first(
    cell: Cell, rise: Floats, tmp_path: Path
) -> None:
    export_neuron(cell, rise, 200e-6, tmp_path)
    stale = tmp_path / "mechanisms" / "HH_Na.mod"
    stale.write_text("")
    export_neuron(cell, rise, 100e-6, tmp_path)
    assert not stale.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rise": np.zeros(3)}, "finite numbers"),
        ({"waveform": 0.0}, "pulse width"),
        ({"waveform": "sine"}, "waveform"),
        ({"dt": 0.0}, "dt"),
        ({"after": -1.0}, "after"),
        ({"amplitude": 0.0}, "amplitude"),
    ],
)
def test_bad_input_is_one_sentence(
    change: dict[str, object], words: str, cell: Cell, rise: Floats, tmp_path: Path
) -> None:
    given = {"rise": rise, "waveform": 200e-6, "folder": tmp_path / "x", **change}
    with pytest.raises(InputError, match=words):
        export_neuron(cell, **given)  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("neuron") is None, reason="NEURON is not installed")
def test_thresholds_in_neuron(tmp_path: Path) -> None:
    from rheobase.neurons.spiking import spiking_thresholds
    from rheobase.validation.cells_neuron import AFTER, FIELDS, PULSES, small_cell

    cell, name = small_cell(), "cADpyr229"
    pulse = PULSES["damped cosine of 280 us"]
    rise = rises_along(cell, FIELDS["near electrode"])
    ours = spiking_thresholds(cell, rise[None], pulse, name=name, after=AFTER, dt=1e-6)[0][:, 0]
    folder = export_neuron(
        cell, rise, pulse, tmp_path, name=name, amplitude=float(ours[0]), after=AFTER
    )
    near = [f"{x:.8g}" for x in ours]
    run = [sys.executable, "run.py", "--threshold", "--dt", "0.001", "--guess", *near]
    said = subprocess.run(run, cwd=folder, capture_output=True, text=True, check=True).stdout
    theirs = [abs(float(line.split()[1])) for line in said.splitlines() if "threshold" in line]
    np.testing.assert_allclose(ours, theirs, rtol=0.01)
