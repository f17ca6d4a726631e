"""The case that every peer solves: a small bowl in water, and the same behind a slab of bone.

Bowl of 16 mm radius and diameter, 500 kHz, 60 kPa, 30 x 20 x 20 mm at 0.5 mm (six points a
wavelength in water) and ten points of absorbing layer on every side: 80 x 60 x 60 = 288,000 points.
Fourteen periods are marched; amplitudes are those of the last one. Needs NumPy only.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

FREQUENCY, PRESSURE, PERIODS = 500e3, 60e3, 14
RADIUS = APERTURE = 16e-3
STEP, LAYER, SHAPE = 0.5e-3, 10, (60, 40, 40)  # axis of the beam first
VERTEX = 4  # index of the rear vertex along the axis; the other two run through CENTRE
CENTRE = 20
WATER, BONE = (1500.0, 1000.0), (2800.0, 1850.0)  # m/s, kg/m^3; no attenuation
SLAB = (6.0e-3, 9.5e-3)  # from the vertex: 3.5 mm
STEPS = {"water": 20, "bone": 38}  # a period: Courant numbers 0.3 of water and 0.295 of bone


def depth() -> np.ndarray:
    """Distance of the points from the rear vertex along the axis (m)."""
    return STEP * (np.arange(SHAPE[0]) - VERTEX)


def lateral() -> np.ndarray:
    """Distance of the points from the axis, one coordinate (m)."""
    return STEP * (np.arange(SHAPE[1]) - CENTRE)


def in_bone(name: str) -> np.ndarray:
    """Which points along the axis are bone: those in the slab, its first face included."""
    z = depth()
    inside: np.ndarray = (z > SLAB[0] - 1e-9) & (z < SLAB[1] - 1e-9) & (name == "bone")
    return inside


def materials(name: str, pad: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Sound speed and density of the points, with ``pad`` more on every side."""
    bone = np.pad(in_bone(name), pad)
    shape = tuple(n + 2 * pad for n in SHAPE)
    return tuple(
        np.broadcast_to(np.where(bone, b, w)[:, None, None], shape).copy()
        for w, b in zip(WATER, BONE, strict=True)
    )


def signal(name: str) -> np.ndarray:
    """A sine with a ramp of two periods, one value a time step."""
    phase = np.arange(PERIODS * STEPS[name]) / STEPS[name]
    return np.minimum(phase / 2, 1.0) * np.sin(2 * np.pi * phase)


def amplitude(p: np.ndarray) -> np.ndarray:
    """Amplitude at the frequency of one period of samples, time first."""
    turn = np.exp(-2j * np.pi * np.arange(len(p)) / len(p))
    return 2 / len(p) * abs(np.tensordot(turn, p, 1))


def timed(work: Callable[[], np.ndarray]) -> tuple[np.ndarray, float, float]:
    """Return a result with the CPU and wall seconds it took."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return result, time.process_time() - cpu, time.perf_counter() - wall


def arguments() -> argparse.Namespace:
    """Parse the command line that all scripts share."""
    parser = argparse.ArgumentParser()
    parser.add_argument("case", choices=sorted(STEPS))
    parser.add_argument("--out", type=Path, default=Path("out/fus_peers"))
    return parser.parse_args()


def save(out: Path, peer: str, name: str, P: np.ndarray, **facts: object) -> None:
    """Write amplitudes (Pa) and a JSON of facts; print the latter."""
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / f"{peer}-{name}.npy", P.astype(np.float32))
    facts = {"peer": peer, "case": name, "python": platform.python_version(), **facts}
    (out / f"{peer}-{name}.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(facts))
