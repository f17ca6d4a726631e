"""CPU time, real-time factor and memory of the microcircuit.

``python benchmarks/network.py [SECONDS [SCALE [THREADS]]]``; 5 s at a tenth by default.
"""

from __future__ import annotations

import platform
import sys
import time

import numba
import numpy as np

from rheobase.neurons.network.microcircuit import microcircuit
from rheobase.neurons.network.model import memory_bytes
from rheobase.neurons.network.readout import rates
from rheobase.neurons.network.simulation import simulate

PEERS = {"Brian2 2.10.1 (Cython)": 4.3, "NEST 3.10.0": 11.5}  # CPU-s per s at 10 %, one thread


def main(seconds: float = 5.0, scale: float = 0.1, threads: float = 1) -> None:
    start = time.process_time()
    simulate(microcircuit(scale=0.01, seed=1), 0.01, seed=1, threads=int(threads))
    compiled = time.process_time() - start
    start = time.process_time()
    network = microcircuit(scale=scale, seed=1)
    built = time.process_time() - start
    start, wall = time.process_time(), time.perf_counter()
    run = simulate(network, seconds, seed=1, threads=int(threads))
    cpu = (time.process_time() - start) / seconds
    wall = (time.perf_counter() - wall) / seconds
    s = network.synapses
    events = float(np.diff(s.start)[run.ids].sum()) / seconds
    need = memory_bytes(network.size, s.target.size, int(s.delay.max()))
    print(f"Python {platform.python_version()}, numpy {np.__version__}, numba {numba.__version__}")
    print(f"network: {network.size:,} neurons, {s.target.size:,} synapses, scale {scale}")
    print(f"memory: {s.nbytes / s.target.size:.2f} bytes a synapse, {need / 2**20:,.0f} MiB in all")
    print(f"compile or load kernels {compiled:.1f} CPU-s, build {built:.2f} CPU-s")
    print(f"run: {cpu:.2f} CPU-s per s of activity, {int(threads)} thread(s)")
    print(f"     real-time factor {wall:.2f} (wall time over activity)")
    print(f"     {events / 1e6:.1f} M synaptic events per s of activity")
    print(f"     {cpu / events * 1e9:.0f} ns an event, all else included")
    if scale == 0.1:
        for name, mark in PEERS.items():
            print(f"     {name}: {mark} CPU-s per s, {mark / cpu:.0f} times as long")
    print({k: round(v, 3) for k, v in rates(run, start=min(0.5, seconds / 2)).items()})


if __name__ == "__main__":
    main(*(float(x) for x in sys.argv[1:]))
