"""The linear part of a double-cable fibre, eliminated once for each step.

A step of backward Euler, or of the backward differentiation formula of second order with steps
that may grow (BDF2), replaces dy/dt by ``alpha y - h`` with h known from the past. Between two
nodes this leaves a block tridiagonal system for axoplasm and periaxonal space, the same for all
internodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rheobase.neurons.fibres._mrg_layout import FINENESS, LOWEST, PARTS, ROWS
from rheobase.neurons.fibres.mrg import Circuit, gate_rates
from rheobase.neurons.morphology import Floats


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Tables:
    """What the kernels read, for each kind of step.

    Parameters
    ----------
    internode
        Forward factor, inverse pivot, coupling to the next compartment, and response to either
        node at 1, shape (kinds, 10, 14).
    step
        b1 and b2 in h = b1 y - b2 y_before, alpha, extrapolation of the nodes to the middle of the
        step, what an internode adds to the diagonal of its nodes, and their coupling, (kinds, 6).
    gates
        Steady state and what is left of a deviation from it after the step, for m, h, p, s by
        potential, shape (kinds, ROWS, 8).
    """

    internode: Floats
    step: Floats
    gates: Floats


def tables(axon: Circuit, dt: Floats, ratio: Floats) -> Tables:
    """Return the tables of an axon for steps ``dt`` (ms), ``ratio`` times those before; (kinds,).

    A ratio of 0 stands for backward Euler.
    """
    alpha = (1 + 2 * ratio) / (1 + ratio) / dt
    parts = [_eliminate(axon, a) for a in alpha]
    step = np.stack(
        [
            (1 + ratio) / dt,
            ratio**2 / (1 + ratio) / dt,
            alpha,
            0.5 * ratio,
            [own for _, own, _ in parts],
            [off for _, _, off in parts],
        ],
        axis=1,
    )
    steady, rate = gate_rates(LOWEST + np.arange(ROWS) / FINENESS)
    gates = np.stack([np.hstack([steady, np.exp(-h * rate)]) for h in dt])
    return Tables(internode=np.stack([part for part, _, _ in parts]), step=step, gates=gates)


def _eliminate(axon: Circuit, alpha: float) -> tuple[Floats, float, float]:
    """Factorise an internode, and tell what it leaves at its two nodes."""
    membrane = axon.axolemma * alpha + axon.leak
    myelin = axon.myelin * alpha + axon.myelin_leak
    link = np.stack([axon.axial, axon.periaxonal], axis=1)  # from compartment c - 1 to c
    block = np.empty((PARTS, 2, 2))
    block[:, 0, 0] = membrane
    block[:, 1, 1] = membrane + myelin
    block[:, 0, 1] = block[:, 1, 0] = -membrane
    block[:, [0, 1], [0, 1]] += link[:-1] + link[1:]
    out = np.zeros((PARTS, 14))
    inverse = np.linalg.inv(block[0])
    for c in range(PARTS):
        if c:
            forward = link[c][:, None] * inverse
            inverse = np.linalg.inv(block[c] - forward * link[c])
            out[c, 0:4] = forward.ravel()
        out[c, 4:8] = inverse.ravel()
        if c < PARTS - 1:
            out[c, 8:10] = link[c + 1]
    joint = axon.axial[0]
    left = _solve(out, joint)
    out[:, 10:12] = left
    out[:, 12:14] = left[::-1]
    return out, joint - joint * left[0, 0], joint * left[-1, 0]


def _solve(factor: Floats, current: float) -> Floats:
    """Return the response to ``current`` into the axon of the first compartment, shape (10, 2)."""
    z = np.zeros((PARTS, 2))
    z[0, 0] = current
    for c in range(1, PARTS):
        z[c] = factor[c, 0:4].reshape(2, 2) @ z[c - 1]
    for c in range(PARTS - 1, -1, -1):
        if c < PARTS - 1:
            z[c] += factor[c, 8:10] * z[c + 1]
        z[c] = factor[c, 4:8].reshape(2, 2) @ z[c]
    return z
