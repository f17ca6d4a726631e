"""Rates of gates as functions of the potential, in the three forms that models are written in."""

from __future__ import annotations

import numpy as np

from rheobase.neurons.morphology import Floats


def transition_rate(v: Floats, *, form: str, A: float, B: float, C: float) -> Floats:
    """Return a rate at potentials ``v``, in the unit of ``A``.

    Parameters
    ----------
    v
        Potentials (mV), any shape.
    form
        With x = (v + B) / C: "linear" A C x / (1 - exp(-x)), "sigmoid" A / (1 + exp(-x)), any
        other "exponential" A exp(-x).
    A, B, C
        B and C in mV.
    """
    x = (v + B) / C
    if form == "sigmoid":
        return A / (1 + np.exp(-x))
    if form == "linear":
        near = np.abs(x) < 1e-6
        safe = np.where(near, 1.0, x)
        out: Floats = A * C * np.where(near, 1.0, safe / -np.expm1(-safe))
        return out
    out = A * np.exp(-x)
    return out
