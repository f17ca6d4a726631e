"""Rallpack 3: the squid's membrane on 1 mm of axon under a current into one end.

The axon (Bhalla, Bilitch & Bower 1992, Trends Neurosci 15:453) of 1000 compartments fires 18 times
in 250 ms. The reference is the same axon integrated by SciPy with a formula of its own
(``benchmarks/rallpack_axon.py``): times at which each end crosses 0 mV, and heights of the spikes.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files

import numpy as np

from rheobase.neurons.fibres import bare_fibre
from rheobase.neurons.membrane import circuit
from rheobase.neurons.morphology import Floats
from rheobase.neurons.spiking import simulate
from rheobase.validation.case import Row
from rheobase.validation.rallpack import rallpack as passive_rows

CURRENT, DURATION = 0.1e-9, 0.25  # A, s
_STEP = 25e-6  # s
_COLD = 6.3  # °C


def crossings(t: Floats, v: Floats) -> Floats:
    """Return the times at which ``v`` (V) crosses 0 upwards, linear between steps (s)."""
    up = np.flatnonzero((v[:-1] <= 0) & (v[1:] > 0))
    out: Floats = t[up] - v[up] * (t[up + 1] - t[up]) / (v[up + 1] - v[up])
    return out


def heights(v: Floats) -> Floats:
    """Return the peaks over -20 mV, by the parabola through three steps (V)."""
    top = np.flatnonzero((v[1:-1] > v[:-2]) & (v[1:-1] >= v[2:]) & (v[1:-1] > -20e-3)) + 1
    rise, bend = 0.5 * (v[top + 1] - v[top - 1]), v[top + 1] - 2 * v[top] + v[top - 1]
    out: Floats = v[top] - 0.5 * rise**2 / bend
    return out


def rallpack() -> list[Row]:
    """Return the rows of case ``rallpack``: the passive cases and this one."""
    return [*passive_rows(), *axon_rows()]


def axon_rows() -> list[Row]:
    """Return the rows of Rallpack 3; errors are the largest over all spikes."""
    text = files("rheobase.validation").joinpath("data/rallpack_axon.toml").read_text("utf-8")
    mark = tomllib.loads(text)
    of = circuit(bare_fibre(1e-3, 1e-6, 1000), "rallpack_3")
    into = np.zeros(len(of))
    into[0] = CURRENT
    t, v = simulate(
        of,
        into,
        DURATION,
        1.0,
        DURATION,
        dt=_STEP,
        rest=-65e-3,
        record=[0, len(of) - 1],
        temperature=_COLD,
    )
    rows = []
    for k, (end, place) in enumerate(
        (("near", "where the current enters"), ("far", "at the far end"))
    ):
        times, peaks = crossings(t, v[:, k]), heights(v[:, k])
        for what, got, want, unit in (
            ("crosses 0 mV", times, 1e-3 * np.array(mark[f"{end}_crossings_ms"]), "s"),
            ("height", peaks, 1e-3 * np.array(mark[f"{end}_peaks_mV"]), "V"),
        ):
            same = len(got) == len(want)
            rows.append(
                Row(
                    case="rallpack",
                    quantity=f"Rallpack 3, {place}: last of {len(want)} spikes, {what}",
                    value=float(got[-1]),
                    reference=float(want[-1]),
                    error=float(np.abs(got / want - 1).max()) if same else np.inf,
                    limit=5e-3,
                    unit=unit,
                    source=mark["source"],
                )
            )
    return rows
