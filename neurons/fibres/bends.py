"""Second differences of the potential from node to node, and their weighted sums."""

from __future__ import annotations

import numpy as np

from rheobase.neurons.morphology import Floats

REACH = 1.8  # nodes over which a bend acts, to a first approximation: exp(-|k| / REACH)


def node_bends(potential: Floats) -> Floats:
    """Return V_{j-1} - 2 V_j + V_{j+1} along the last axis, 0 at its ends; same shape."""
    out = np.zeros(potential.shape)
    out[..., 1:-1] = np.diff(potential, n=2, axis=-1)
    return out


def weighted(bends: Floats, weights: Floats) -> Floats:
    """Return ``sum_k weights[|k|] bends[j + k]`` along the last axis; beyond its ends all is 0.

    Examples
    --------
    >>> weighted(np.array([0.0, 0.0, 1.0, 0.0]), np.array([2.0, 1.0])).tolist()
    [0.0, 1.0, 2.0, 1.0]
    """
    out: Floats = weights[0] * bends
    for k in range(1, min(len(weights), bends.shape[-1])):
        out[..., k:] += weights[k] * bends[..., :-k]
        out[..., :-k] += weights[k] * bends[..., k:]
    return out
