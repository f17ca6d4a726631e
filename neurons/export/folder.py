"""A stimulated cell as a folder that NEURON runs: data, mechanisms and two short scripts."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError, check_positive
from rheobase._files import whole_file
from rheobase.neurons.export.channels import MECHANISMS, OUTSIDE, mod_text
from rheobase.neurons.fibres.mrg_stimulus import pulse_width
from rheobase.neurons.generate import Cell
from rheobase.neurons.membrane import CHANNELS, TEMPERATURE, Circuit, circuit
from rheobase.neurons.morphology import Floats, Kind, Morphology
from rheobase.neurons.sample import quasi_potential

_TEMPLATES = {
    "model.py.txt": "model.py",
    "run.py.txt": "run.py",
    "model.hoc.txt": "model.hoc",
    "README.txt": "README.txt",
}
_SPIKES, _SPIKE = 3, 0.0  # a spike: this many compartments of the axon above this potential (V)


def export_neuron(
    cell: Cell | Morphology,
    rise: ArrayLike,
    waveform: Any,
    folder: Path | str,
    *,
    name: str | None = None,
    amplitude: float = 1.0,
    unit: str = "1",
    dt: float = 5e-6,
    after: float = 5e-3,
    temperature: float = TEMPERATURE,
) -> Path:
    """Write a cell and its stimulus as a folder that NEURON runs.

    NEURON is not needed to write it. Each compartment becomes a section of one segment, a branch
    point a connection, so that NEURON solves the equations of `rheobase.neurons.spiking`.

    Parameters
    ----------
    cell
        A cell, or its compartments.
    rise
        Rise of the outside potential from the parent to each compartment (V per unit amplitude),
        shape (n,), as `rises_along` gives.
    waveform
        Width of a rectangular pulse (s), or an object with samples ``t`` (s) and ``w`` (1).
    folder
        Where to write; made if it is not there, files of an earlier export in it are replaced.
    name
        Membrane; a cell brings its own.
    amplitude
        Amplitude that the folder runs with unless told otherwise.
    unit
        Unit of the amplitude, for what is printed.
    dt
        Step (s).
    after
        How long to go on after the waveform (s).
    temperature
        Of the channels (°C).

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        If shapes do not fit, a number is not > 0, the waveform is none, or the folder cannot be
        written.
    """
    folder = Path(folder)
    morphology = cell.morphology if isinstance(cell, Cell) else cell
    n = len(morphology)
    up = np.asarray(rise, dtype=np.float64)
    if up.shape != (n,) or not np.isfinite(up).all():
        raise InputError(f"rise must be {n} finite numbers (V), got shape {up.shape}")
    check_positive("dt", dt)
    check_positive("after", after)
    if not (np.isfinite(amplitude) and amplitude != 0):
        raise InputError(f"amplitude must be finite and not 0, got {amplitude!r}")
    t, w = _samples(waveform)
    electric = circuit(cell, name)
    used = [channel for channel, density in electric.density.items() if (density > 0).any()]
    settings = {
        **_labels(cell, name),
        "amplitude": float(amplitude),
        "unit": unit,
        "dt_ms": dt * 1e3,
        "duration_ms": (float(t[-1] - t[0]) + after) * 1e3,
        "temperature_C": float(temperature),
        "axial_resistivity_ohm_cm": morphology.resistivity * 1e2,
        **_reversals(used),
        "start_mV": -70.0,
        "rest_ms": 3000.0,
        "spike_mV": _SPIKE * 1e3,
        "spikes": _SPIKES,
    }
    for channel in MECHANISMS:  # of an earlier export
        if channel not in used:
            (folder / "mechanisms" / f"{channel}.mod").unlink(missing_ok=True)
    _write(folder / "settings.json", json.dumps(settings, indent=2) + "\n")
    _write(folder / "waveform.csv", _csv({"t_ms": (t - t[0]) * 1e3, "w": w}))
    _write(folder / "compartments.csv", _csv(_columns(morphology, electric, up, used)))
    _write(folder / "mechanisms" / "outside.mod", OUTSIDE)
    for channel in used:
        _write(folder / "mechanisms" / f"{channel}.mod", mod_text(channel))
    for source, script in _TEMPLATES.items():
        template = files("rheobase.neurons.export").joinpath("template", source)
        _write(folder / script, template.read_text(encoding="utf-8"))
    return folder


def _write(path: Path, text: str) -> None:
    """Write a file that is not there or differs: what stays is not compiled anew."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def _labels(cell: Cell | Morphology, name: str | None) -> dict[str, str | None]:
    """Return what the cell is called; bare compartments have their membrane only."""
    if not isinstance(cell, Cell):
        return {"membrane": name}
    about = {"cell": cell.name, "species": cell.species, "origin": cell.origin}
    return {**about, "membrane": name or cell.membrane}


def _csv(columns: dict[str, Any]) -> str:
    lines = [",".join(columns)]
    for row in zip(*(c.tolist() for c in columns.values()), strict=True):
        lines.append(",".join(x if isinstance(x, str) else f"{x:.12g}" for x in row))
    return "\n".join(lines) + "\n"


def _samples(waveform: Any) -> tuple[Floats, Floats]:
    """Return times (s) and values (1) of a waveform; a number is the width of a rectangle."""
    width = pulse_width(waveform)
    if width is not None:
        return np.array([0.0, width]), np.ones(2)
    t = np.asarray(waveform.t, dtype=np.float64)
    w = np.asarray(waveform.w, dtype=np.float64)
    if t.ndim != 1 or t.shape != w.shape or len(t) < 2 or not (np.diff(t) > 0).all():
        raise InputError(
            f"a waveform needs rising times and as many values, got {t.shape}, {w.shape}"
        )
    if not np.isfinite(w).all():
        raise InputError("a waveform must have finite values")
    return t, w


def _columns(
    morphology: Morphology, electric: Circuit, rise: Floats, used: list[str]
) -> dict[str, Any]:
    """Return the columns of compartments.csv; the densities of a branch point are 0."""
    membrane = electric.area > 0
    per_area = np.where(membrane, 1.0 / np.where(membrane, electric.area, 1.0), 0.0)
    x, y, z = morphology.centre.T * 1e6
    return {
        "index": np.arange(len(morphology)),
        "parent": morphology.parent,
        "kind": np.array([Kind(k).name.lower() for k in morphology.kind.tolist()]),
        "x_um": x,
        "y_um": y,
        "z_um": z,
        "length_um": morphology.length * 1e6,
        "diameter_um": morphology.diameter * 1e6,
        "cm_uF_cm2": electric.capacitance * per_area * 1e2,
        "g_pas_S_cm2": electric.leak * per_area * 1e-4,
        "e_pas_mV": electric.leak_reversal * 1e3,
        "potential_mV": quasi_potential(morphology, rise) * 1e3,
        "counted": electric.counted.astype(int),
        **{f"gbar_{name}": np.where(membrane, electric.density[name], 0.0) * 1e-4 for name in used},
    }


def _reversals(used: list[str]) -> dict[str, float]:
    """Return the reversal potential (mV) of each ion, as the channels have it."""
    return {
        f"e{MECHANISMS[name].ion}_mV": CHANNELS[name].reversal * 1e3
        for name in used
        if MECHANISMS[name].ion
    }
