"""Thresholds and cost of the MRG axon in NEURON: python benchmarks/axons_neuron.py [name].

Runs in an environment of its own with pyfibers (compiled by ``pyfibers_compile``) and neuron, never
in this package's. It makes the thresholds of validation/data/mrg_neuron.toml anew for the
conditions whose name contains ``name`` (the 10 um axon under a 100 us cathode if none is given), in
steps of 5 and 2 us, by stepping NEURON directly: potentials are set only when they change, which
is several times cheaper than PyFibers' own loop. That loop is timed beside it.
"""

import sys
import time
import tomllib
from pathlib import Path

import numpy as np
from neuron import h
from pyfibers import FiberModel, ScaledStim, build_fiber

DATA = Path(__file__).parents[1] / "validation" / "data" / "mrg_neuron.toml"
DURATION = 3.0  # ms


def build(c):
    """Return the fibre of a condition and its potentials (mV per unit), (r, sections)."""
    kind = "MRG_DISCRETE" if c["sizes"] == "published" else "MRG_INTERPOLATION"
    fibre = build_fiber(
        FiberModel[kind],
        diameter=c["diameter_um"],
        n_nodes=c["nodes"],
        passive_end_nodes=int(c["ends"] == "passive"),
    )
    x = fibre.longitudinal_coordinates
    x = (x - x.mean()) * 1e-6
    if "field_V_per_m" in c:
        return fibre, -1e3 * c["field_V_per_m"] * x[None]
    V = [
        sum(1e3 * p / (4 * np.pi * 0.2 * np.hypot(x - a * 1e-3, r * 1e-3)) for a, r, p in points)
        for points in c["points"]
    ]
    return fibre, np.array(V)


def waves(c, dt):
    """Return the value of each waveform during each step of ``dt`` (ms), (r, steps)."""
    rows = [np.concatenate([[v] * round(d * 1e-3 / dt) for d, v in p]) for p in c["phases"]]
    out = np.zeros((len(rows), max(map(len, rows))))
    for row, values in zip(out, rows, strict=True):
        row[: len(values)] = values
    return out


def fires(fibre, V, wave, amplitude, dt, detect):
    """Tell whether a spike arrives, after 200 ms of rest in steps of 5 ms."""
    segments = [s(0.5) for s in fibre.sections]
    h.celsius = 37
    for s in segments:
        s.e_extracellular = 0
    fibre.apcounts(thresh=-30)
    h.finitialize(fibre.v_rest)
    h.t, h.dt = -200, 5
    while h.t < 0:
        h.fadvance()
    h.t, h.dt = 0, dt
    h.fcurrent()
    h.frecord_init()
    last = None
    for k in range(round(DURATION / dt)):
        now = tuple(wave[:, k]) if k < wave.shape[1] else (0.0,) * len(wave)
        if now != last:
            for s, e in zip(segments, amplitude * (np.array(now) @ V), strict=True):
                s.e_extracellular = e
            last = now
        h.fadvance()
        if k % 100 == 99 and any(fibre.apc[i].n for i in detect):
            return True
    return any(fibre.apc[i].n for i in detect)


def threshold(c, dt, tolerance):
    """Return the threshold in steps of ``dt`` (ms) by bisection from a bracket of 20 %."""
    fibre, V = build(c)
    wave = waves(c, dt)
    detect = [fibre.loc_index(0.9)] + [fibre.loc_index(0.1)] * (c["spike_at"] == "either")
    start = c["threshold_5_us"]
    low, high = 0.9 * start, 1.1 * start

    def go(amplitude):
        return fires(fibre, V, wave, c["polarity"] * amplitude, dt, detect)

    while not go(high):
        low, high = high, 1.2 * high
    while go(low):
        low, high = low / 1.2, low
    while high > low * (1 + tolerance):
        middle = np.sqrt(low * high)
        low, high = (low, middle) if go(middle) else (middle, high)
    return np.sqrt(low * high)


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else "cathode 10 um 100 us 1 mm"
    chosen = [c for c in tomllib.loads(DATA.read_text())["condition"] if name in c["name"]]
    for c in chosen:
        for us in (5, 2):
            start = time.process_time()
            value = threshold(c, us * 1e-3, 1e-3)
            print(
                f"{c['name']}, steps of {us} us: {value:.6g} "
                f"(on file {c[f'threshold_{us}_us']:.6g}), {time.process_time() - start:.1f} CPU-s"
            )
    c = chosen[0]
    fibre, V = build(c)
    fibre.potentials = c["polarity"] * V
    width = c["phases"][0][0][0] * 1e-3
    stim = ScaledStim(waveform=lambda t: float(t < width - 1e-9), dt=0.005, tstop=DURATION)
    start, guess = time.process_time(), c["threshold_5_us"]
    value, _ = stim.find_threshold(
        fibre, stimamp_top=1.1 * guess, stimamp_bottom=0.9 * guess, termination_tolerance=0.1
    )
    spent = time.process_time() - start
    print(f"{c['name']}, PyFibers' own search in steps of 5 us: {value:.6g}, {spent:.1f} CPU-s")


if __name__ == "__main__":
    main()
