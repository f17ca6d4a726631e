"""A pulse that fires part of layers 2/3 and 5 directly, and what the microcircuit makes of it.

Draws the picture of docs/network.md: ``python examples/microcircuit_pulse.py [FILE.png]``.
"""

from __future__ import annotations

import sys

import numpy as np

from rheobase.network_views import network_response
from rheobase.neurons.network.drive import Drive
from rheobase.neurons.network.microcircuit import microcircuit, microcircuit_probabilities
from rheobase.neurons.network.readout import Evoked, evoked_response, evoked_wave, raster
from rheobase.neurons.network.simulation import Spikes, simulate


def setup(scale: float = 0.1, n_pulses: int = 20) -> tuple[Spikes, Evoked, Evoked, Evoked, Evoked]:
    """Return the driven run, its rates and wave, and those of the same network undriven."""
    network = microcircuit(scale=scale, seed=1)
    cells = {"L23_pyramidal": 0.05, "L23_basket": 0.1, "L5_pyramidal": 0.3, "L4_basket": 0.1}
    pulses = 0.5 + 0.2 * np.arange(n_pulses)
    drive = Drive(probability=microcircuit_probabilities(cells), times=pulses, latency=1e-3)
    duration = float(pulses[-1]) + 0.2
    runs = [
        simulate(network, duration, seed=1, drive=d, record_currents=True) for d in (drive, None)
    ]
    with_, without = runs
    return (
        with_,
        evoked_response(with_, pulses),
        evoked_response(without, pulses),
        evoked_wave(with_, pulses),
        evoked_wave(without, pulses),
    )


def main(path: str = "microcircuit_pulse.png") -> None:
    """Draw the picture and print each population's response."""
    run, rate, rate_without, wave, wave_without = setup()
    pulse = 0.5
    times, ids, population = raster(run, start=pulse - 0.02, stop=pulse + 0.06)
    figure = network_response(
        (times - pulse, ids, population),
        names=run.names,
        excitatory=run.excitatory,
        first=run.first,
        rates=(rate, rate_without),
        wave=(wave, wave_without),
    )
    figure.savefig(path, dpi=100)
    for k, name in enumerate(rate.names):
        print(  # noqa: T201
            f"{name:5s} baseline {rate.baseline[k]:5.2f} Hz, peak {rate.peak[k]:6.1f} Hz above it "
            f"at {rate.peak_latency[k] * 1e3:4.1f} ms, onset {rate.onset[k] * 1e3:4.1f} ms"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
