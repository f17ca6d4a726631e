"""Unmyelinated fibres in NEURON: python benchmarks/fibres_neuron.py.

Runs in an environment of its own with pyfibers (compiled by ``pyfibers_compile``) and neuron, never
in this package's, and prints velocities and thresholds as the tables of
validation/data/unmyelinated_neuron.toml (about 10 CPU minutes).
"""

import time

import numpy as np
from neuron import h
from pyfibers import FiberModel, build_fiber

COMPARTMENTS, DIAMETER = 601, 1.0
ENDS, BETWEEN, LEVEL = (60, 540), (240, 420), -30.0  # mV
GUESS = {  # A; where the search begins: model, distance (mm), width (us), polarity
    ("SUNDT", 0.25, 100, -1): 3.96e-4,
    ("SUNDT", 0.25, 1000, -1): 5.6e-5,
    ("SUNDT", 0.25, 100, 1): 1.58e-3,
    ("SUNDT", 1.0, 1000, -1): 1.5e-3,
    ("SUNDT", 1.0, 300, 1): 6e-3,
    ("RATTAY", 0.25, 100, -1): 2.84e-4,
    ("RATTAY", 0.25, 1000, 1): 2.4e-4,
    ("RATTAY", 1.0, 300, -1): 3e-3,
}


class Fibre:
    """A fibre with its segments and their places (m) from the middle."""

    def __init__(self, model):
        self.fibre = build_fiber(
            FiberModel[model], diameter=DIAMETER, n_nodes=COMPARTMENTS, passive_end_nodes=False
        )
        x = self.fibre.longitudinal_coordinates
        self.x = (x - x.mean()) * 1e-6
        self.segments = [s(0.5) for s in self.fibre.sections]

    def rest(self, dt):
        """Bring the fibre to rest in steps of 5 ms, then begin with steps of ``dt`` (ms)."""
        h.celsius = 37
        for s in self.segments:
            s.e_extracellular = 0
        h.finitialize(self.fibre.v_rest)
        h.t, h.dt = -200, 5
        while h.t < 0:
            h.fadvance()
        h.t, h.dt = 0, dt
        h.fcurrent()
        h.frecord_init()

    def fires(self, potential, width, dt):
        """Tell whether a spike passes both ends under ``potential`` (mV) for ``width`` (ms)."""
        self.fibre.apcounts(thresh=LEVEL)
        self.rest(dt)
        steps = round(width / dt)
        for k in range(round((width + 10) / dt)):
            if k in (0, steps):
                for s, e in zip(self.segments, potential if k == 0 else 0 * potential, strict=True):
                    s.e_extracellular = e
            h.fadvance()
            if k % 100 == 99:
                if all(self.fibre.apc[i].n for i in ENDS):
                    return True
                if k > steps + 1.5 / dt and max(s.v for s in self.segments) < self.fibre.v_rest + 5:
                    return False
        return False

    def velocity(self, dt):
        """Return the velocity of a spike from one end (m/s)."""
        clamp = h.IClamp(self.segments[0])
        clamp.delay, clamp.dur, clamp.amp = 0, 0.2, 1
        traces = [h.Vector().record(self.segments[i]._ref_v) for i in BETWEEN]
        self.rest(dt)
        for _ in range(round(12 / dt)):
            h.fadvance()
        when = []
        for trace in traces:
            v = np.array(trace)
            k = int(np.argmax(v > LEVEL))
            when.append((k - (v[k] - LEVEL) / (v[k] - v[k - 1])) * dt * 1e-3)
        return (self.x[BETWEEN[1]] - self.x[BETWEEN[0]]) / (when[1] - when[0])

    def threshold(self, millimetres, width, polarity, dt, guess):
        """Return the threshold (A) to 0.05 %."""
        unit = polarity * 1e3 / (4 * np.pi * 0.2 * np.hypot(self.x, millimetres * 1e-3))
        low, high = guess / 1.01, guess * 1.01
        while not self.fires(high * unit, width, dt):
            low, high = high, 1.04 * high
        while self.fires(low * unit, width, dt):
            low, high = low / 1.04, low
        while high > low * 1.0005:
            middle = np.sqrt(low * high)
            low, high = (low, middle) if self.fires(middle * unit, width, dt) else (middle, high)
        return np.sqrt(low * high)


def main():
    start = time.process_time()
    for model in ("SUNDT", "RATTAY"):
        values = [f"velocity_{us:g}_us = {Fibre(model).velocity(us * 1e-3):.5g}" for us in (10, 5)]
        print(f'\n[[velocity]]\nmodel = "{model}"', *values, sep="\n", flush=True)
    for (model, mm, us, polarity), guess in GUESS.items():
        print(f'\n[[condition]]\nmodel = "{model}"\ndistance_mm = {mm}\nwidth_us = {us}')
        print(f"polarity = {polarity}")
        for step in (10, 5):
            fibre = Fibre(model)
            guess = fibre.threshold(mm, us * 1e-3, polarity, step * 1e-3, guess)
            print(f"threshold_{step}_us = {guess:.6g}", flush=True)
    print(f"# {time.process_time() - start:.0f} CPU-s")


if __name__ == "__main__":
    main()
