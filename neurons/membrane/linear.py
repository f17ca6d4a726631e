r"""The membrane near rest: what a small oscillation of the potential meets.

A channel of conductance G lets through ``G a^p b (v - E)``. For a small deviation x exp(iωt) from
rest each gate follows its steady state as a low-pass, so the channel has the admittance (Koch 1984,
doi:10.1007/BF00317936)

    G a^p b + G (v - E) [p a^(p-1) a' b / (1 + iω tau_a) + a^p b' / (1 + iω tau_b)],

all at rest, with a' the slope of the steady state. The first term is what frozen gates conduct; the
second makes membranes resonate (Ih, Im) or amplify (persistent sodium).
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import check_option
from rheobase.neurons.membrane.channels import CHANNELS, TEMPERATURE
from rheobase.neurons.membrane.circuit import Circuit

Gates = Literal["moving", "frozen"]
Complexes = NDArray[np.complex128]

_NUDGE = 1e-5  # V, for the slope of a steady state


def admittance(
    of: Circuit,
    rest: ArrayLike,
    frequency: float,
    *,
    gates: Gates = "moving",
    temperature: float = TEMPERATURE,
) -> Complexes:
    """Return the admittance of the membrane of each compartment at rest (S), shape (n,).

    Parameters
    ----------
    of
        The cell.
    rest
        Potential at rest (V), shape (n,).
    frequency
        Of the deviation (Hz); 0 for a steady one.
    gates
        "moving" with the potential, or "frozen" at rest.
    temperature
        Of the channels (°C).

    Raises
    ------
    InputError
        If ``gates`` is neither.
    """
    check_option("behaviour of gates", gates, get_args(Gates))
    v, omega = np.asarray(rest, dtype=np.float64), 2 * np.pi * frequency
    out: Complexes = of.leak + 1j * omega * of.capacitance
    for name, density in of.density.items():
        channel = CHANNELS[name]
        some = np.flatnonzero(density * of.area)
        conductance, push = (density * of.area)[some], v[some] - channel.reversal
        here, below, above = (
            channel.kinetics(v[some] + step, temperature) for step in (0.0, -_NUDGE, _NUDGE)
        )
        power = [channel.power, *[1] * (len(here) - 1)]
        open_ = np.prod([g[0] ** p for g, p in zip(here, power, strict=True)], axis=0)
        out[some] += conductance * open_
        if gates == "frozen":
            continue
        for (steady, tau), low, high, p in zip(here, below, above, power, strict=True):
            slope = (high[0] - low[0]) / (2 * _NUDGE)
            others = np.divide(open_, steady, out=np.zeros_like(open_), where=steady > 0)
            out[some] += conductance * push * p * others * slope / (1 + 1j * omega * tau)
    return out
