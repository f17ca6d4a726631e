"""Throughput of the wave kernel by order, for boxes and for columns that slope.

``python benchmarks/fus_kernel.py [--millions 2] [--seconds 2]``

Prints millions of node updates a second on one thread (best of several marches, by CPU time), the
bytes that each update must move at least, and these as a share of what a copy of large arrays
moves. Set OMP_NUM_THREADS to measure more threads; run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase.fields.acoustics.media import Fluid, LayeredMedium, Surface
from rheobase.fields.acoustics.wave.kernel import WaveKernel, lanes, threads
from rheobase.fields.acoustics.wave.window import ORDERS, acoustic_window

WATER = Fluid(name="water", sound_speed=1500.0, density=1000.0)


@dataclass(frozen=True)
class Slope:
    """A face inclined by a twentieth."""

    z: float

    def __call__(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        height: NDArray[np.float64] = self.z + 0.05 * (np.asarray(x) + np.asarray(y))
        return height

    def gradient(
        self, x: ArrayLike, y: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        even = np.full(np.broadcast_shapes(np.shape(x), np.shape(y)), 0.05)
        return even, even


def kernel_of(order: int, millions: float, sloped: bool) -> WaveKernel:
    """Return a kernel of about so many million nodes, a multiple of the lanes in each row."""
    size = order / (1.25 * order) * 3e-3
    count = lanes() * max(1, round((millions * 1e6) ** (1 / 3) / order / lanes())) - 3
    half = 0.5 * count * size
    surfaces: list[Surface] = [Slope(0.2 * 2 * half), Slope(0.8 * 2 * half)] if sloped else []
    window = acoustic_window(
        LayeredMedium((WATER,) * (len(surfaces) + 1), tuple(surfaces)), 500e3, half_width=half,
        depth=(0.0, 2 * half), order=order, per_wavelength=1.25 * order, rim=1,
    )  # fmt: skip
    kernel = WaveKernel(window)
    kernel.set_step(0.5 / np.sqrt(kernel.highest()))
    kernel.set_pressure(np.random.default_rng(0).standard_normal(window.grid.shape), 0.0)
    return kernel


def bandwidth() -> float:
    """Return bytes a second that a copy of a large array reads and writes, on one thread."""
    a, b = np.ones(2 * 10**7), np.empty(2 * 10**7)
    best = np.inf
    for _ in range(5):
        start = time.process_time()
        np.copyto(b, a)
        best = min(best, time.process_time() - start)
    return 2 * a.nbytes / best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=2.0)
    chosen = parser.parse_args()
    copied = bandwidth()
    print(f"{threads()} threads, {lanes()} lanes, a copy moves {copied / 1e9:.1f} GB/s")
    print("order  elements       nodes   M/s CPU   M/s wall   B/update   of the copy")
    for order in ORDERS:
        for sloped in (False, True):
            kernel = kernel_of(order, chosen.millions, sloped)
            nodes = kernel.window.grid.size
            kernel.steps(np.zeros(2), np.zeros(2))
            cpu, wall, spent = np.inf, np.inf, 0.0
            while spent < chosen.seconds:
                marks = time.process_time(), time.perf_counter()
                kernel.steps(np.zeros(8), np.zeros(8))
                took = time.process_time() - marks[0], time.perf_counter() - marks[1]
                cpu, wall, spent = min(cpu, took[0]), min(wall, took[1]), spent + took[1]
            # now, then (read and written), inverse and keep; and the metric of sloped elements
            moved = 4.0 * 5 + 4.0 * kernel.metric_size / nodes
            rate = 8 * nodes / cpu
            print(
                f"{order:5d}  {'columns' if sloped else 'boxes  '} {nodes / 1e6:8.2f} M "
                f"{rate / 1e6:9.0f} {8 * nodes / wall / 1e6:10.0f} {moved:10.1f} "
                f"{100 * rate * moved / copied:12.0f} %"
            )


if __name__ == "__main__":
    main()
