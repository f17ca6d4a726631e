"""What cells under ultrasound cost: CPU seconds of a table, of an entry, of a threshold.

    ./run python benchmarks/sonic.py [CELL ...]

Tables at 500 kHz and 32 nm, made anew in a cache of their own; kernels loaded before the clock
starts. CPU seconds of all threads together.
"""

import os
import sys
import tempfile
import time

import numpy as np

from rheobase.fields.acoustics.sonication import Sonication
from rheobase.neurons.sonic import effective_table, respond, sonic_cell, threshold_pressure
from rheobase.neurons.sonic.averages import cycle_averages
from rheobase.neurons.sonic.lookup import default_charges


def run(name: str) -> None:
    """Print the costs of one cell."""
    cell = sonic_cell(name)
    charges = default_charges(cell)
    for kPa in (10.0, 30.0, 100.0, 300.0, 600.0):
        start = time.process_time()
        cycle_averages(
            cell,
            frequency=500e3,
            radius=32e-9,
            amplitudes=np.array([kPa * 1e3]),
            charges=charges,
        )
        each = (time.process_time() - start) / len(charges)
        print(f"{name}: an entry at {kPa:g} kPa {each * 1e3:.2f} ms")
    start = time.process_time()
    table = effective_table(name, frequency=500e3)
    took = time.process_time() - start
    entries = len(table.amplitudes) * len(charges)
    print(f"{name}: table of {entries} entries {took:.1f} s, {took / entries * 1e3:.2f} ms each")
    for duty in (1.0, 0.5, 0.2, 0.05):
        train = Sonication.at_rate(500e3, pulse_rate=100, duty_cycle=duty, train_duration=1.0)
        start = time.process_time()
        least = threshold_pressure(table, train)
        took = time.process_time() - start
        print(f"{name}: duty cycle {duty:.0%}: {least / 1e3:.2f} kPa in {took:.2f} s")
    start = time.process_time()
    respond(table, train, 10e3)
    print(f"{name}: one second of the slow equations {1e3 * (time.process_time() - start):.1f} ms")


if __name__ == "__main__":
    warm = effective_table("RS", frequency=500e3, amplitudes=[0.0, 1e3])
    respond(warm, Sonication(frequency=500e3, pulse_duration=0.01), 1e3)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RHEOBASE_CACHE"] = folder
        for chosen in sys.argv[1:] or ["RS", "FS", "LTS"]:
            run(chosen)
