"""Accuracy and cost of the full simulation: steps, compartments, waiting, CPU time.

python benchmarks/spiking.py          # tables of docs/spiking.md, some minutes of CPU
"""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np

from rheobase.neurons import UniformField, generate_cell
from rheobase.neurons.compartments import compartments
from rheobase.neurons.morphology import Floats, Morphology
from rheobase.neurons.sample import rises_along
from rheobase.neurons.spiking import spiking_thresholds

CELLS = ("L23_pyramidal", "L4_basket", "L5_pyramidal")
_T = np.linspace(0.0, 280e-6, 561)
PULSES: dict[str, Any] = {
    "30 us": 30e-6,
    "100 us": 100e-6,
    "200 us": 200e-6,
    "1 ms": 1e-3,
    "TMS, 280 us": SimpleNamespace(t=_T, w=np.exp(-_T / 400e-6) * np.cos(2 * np.pi * _T / 280e-6)),
}


def rises(shape: Morphology, count: int) -> Floats:
    """Return rises in uniform fields of ``count`` directions, shape (count, n)."""
    directions = np.random.default_rng(0).standard_normal((count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.array([rises_along(shape, UniformField(E=d)) for d in directions])


def show(what: str, got: Floats, want: Floats) -> None:
    """Print mean and largest relative difference."""
    e = 100 * (got / want - 1)
    print(f"{what}: mean {e.mean():+.2f} %, largest {np.abs(e).max():.2f} %", flush=True)


def steps() -> None:
    """Compare the default step with 1 us, as 2 and 1 us draw it to 0."""
    for name in CELLS[:2]:
        cell = generate_cell(name, "human", seed=1)
        along = rises(cell.morphology, 4)
        for pulse, waveform in PULSES.items():
            coarse, _ = spiking_thresholds(cell, along, waveform, tolerance=3e-4)
            fine = [
                spiking_thresholds(cell, along, waveform, tolerance=3e-4, dt=dt, guess=coarse)[0]
                for dt in (2e-6, 1e-6)
            ]
            show(f"step, {name}, {pulse}", coarse, 2 * fine[1] - fine[0])


def sizes() -> None:
    """Compare compartments of the default length with an eighth of it (200 us)."""
    for name in CELLS:
        cell = generate_cell(name, "human", seed=1)
        found = {}
        for part in (8, 2, 1):
            shape = compartments(
                cell.skeleton,
                max_dendrite=25e-6 / part,
                max_bare_axon=10e-6 / part,
                max_internode=150e-6 / part,
            )
            found[part], _ = spiking_thresholds(
                shape, rises(shape, 6), 200e-6, name=cell.membrane, tolerance=1e-3
            )
            show(f"length / {part}, {name}, {len(shape)} compartments", found[part], found[8])


def waiting() -> None:
    """Compare the default waiting with 20 ms."""
    for name in CELLS:
        cell = generate_cell(name, "human", seed=1)
        along = rises(cell.morphology, 6)
        for pulse in ("200 us", "1 ms"):
            short, _ = spiking_thresholds(cell, along, PULSES[pulse], tolerance=1e-3)
            long, _ = spiking_thresholds(cell, along, PULSES[pulse], tolerance=1e-3, after=20e-3)
            show(f"waiting, {name}, {pulse}", short, long)


def cost() -> None:
    """Print CPU time a threshold."""
    for name in CELLS:
        cell = generate_cell(name, "human", seed=1)
        along = rises(cell.morphology, 32)
        for pulse, waveform in PULSES.items():
            spiking_thresholds(cell, along[:1], waveform)
            spent = []
            for _ in range(3):
                start = time.process_time()
                spiking_thresholds(cell, along, waveform)
                spent.append(time.process_time() - start)
            each = 1e3 * min(spent) / (2 * len(along))
            print(
                f"cost, {name}, {len(cell.morphology)} compartments, {pulse}: {each:.1f} ms CPU",
                flush=True,
            )


if __name__ == "__main__":
    cost()
    steps()
    sizes()
    waiting()
