# mypy: allow-untyped-defs
"""Time stepping of double-cable fibres, many side by side (Numba).

Between two nodes lie `PARTS` linear compartments whose matrix depends on the step only and is the
same for all fibres of one axon: they are eliminated with tables made once (`mrg_tables`), and the
nodes are left as a tridiagonal system of one unknown each. Potentials are deviations from rest,
relative to the outside. Units: mV, ms, uS, nF, nA.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from rheobase.neurons.fibres._mrg_layout import FINENESS, LANES, LOWEST, PARTS, ROWS

SPIKE = -30.0  # mV that a spike crosses upwards
QUIET = 6.0  # mV above rest: a fibre below it everywhere after the stimulus will not fire
_EVERY = 8  # steps between two looks at whether all is decided


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _between_nodes(table, last, code, cap, step, drive, source, node, state, past):
    """Complete the last step between the nodes, then eliminate them for the next one.

    ``state`` holds what the compartments do while the nodes are at rest, after the last step (of
    table ``last``) and on return after the next (``code``); ``past`` takes the full last values.
    """
    b1, b2 = step[0], step[1]
    za = np.empty(LANES)
    zp = np.empty(LANES)
    for k in range(state.shape[0]):
        za[:] = 0.0
        zp[:] = 0.0
        for c in range(PARTS):
            la, lp, ra, rp = (
                table[last, c, 10],
                table[last, c, 11],
                table[last, c, 12],
                table[last, c, 13],
            )
            f00, f01, f10, f11 = (
                table[code, c, 0],
                table[code, c, 1],
                table[code, c, 2],
                table[code, c, 3],
            )
            ca, cx = cap[c, 0], cap[c, 1]
            for i in range(LANES):
                left = node[k, i]
                right = node[k + 1, i]
                a = state[k, c, 0, i] + la * left + ra * right
                p = state[k, c, 1, i] + lp * left + rp * right
                ha = b1 * a - b2 * past[k, c, 0, i]
                hp = b1 * p - b2 * past[k, c, 1, i]
                past[k, c, 0, i] = a
                past[k, c, 1, i] = p
                through = ca * (ha - hp)
                x = through + f00 * za[i] + f01 * zp[i]
                y = cx * hp - through + f10 * za[i] + f11 * zp[i]
                za[i] = x
                zp[i] = y
            for r in range(drive.shape[0]):
                for i in range(LANES):
                    za[i] += drive[r, i] * source[r, k, c, 0, i]
                    zp[i] += drive[r, i] * source[r, k, c, 1, i]
            for i in range(LANES):
                state[k, c, 0, i] = za[i]
                state[k, c, 1, i] = zp[i]
        for c in range(PARTS - 1, -1, -1):
            d00, d01, d10, d11 = (
                table[code, c, 4],
                table[code, c, 5],
                table[code, c, 6],
                table[code, c, 7],
            )
            ga, gp = table[code, c, 8], table[code, c, 9]
            for i in range(LANES):
                x = state[k, c, 0, i] + ga * za[i]
                y = state[k, c, 1, i] + gp * zp[i]
                za[i] = d00 * x + d01 * y
                zp[i] = d10 * x + d11 * y
                state[k, c, 0, i] = za[i]
                state[k, c, 1, i] = zp[i]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _at_nodes(rows, cell, step, joint, drive, source, active, joined, state, gate, node, past):
    """Advance gates and nodes by one step; ``past`` takes the last values."""
    N = node.shape[0]
    b1, b2, alpha, ahead, own, off = step[0], step[1], step[2], step[3], step[4], step[5]
    rest, capacity = cell[0], cell[1]
    g_na, g_nap, g_k, g_l = cell[2], cell[3], cell[4], cell[5]
    e_na, e_k, e_l = cell[6] - rest, cell[7] - rest, cell[8] - rest
    diagonal = np.empty((N, LANES))
    rhs = np.empty((N, LANES))
    for k in range(N):
        for i in range(LANES):
            v = rest + node[k, i] + ahead * (node[k, i] - past[k, i])
            x = (v - LOWEST) * FINENESS
            x = min(max(x, 0.0), ROWS - 1.001)
            j = int(x)
            x -= j
            for g in range(4):
                to = rows[j, g] + x * (rows[j + 1, g] - rows[j, g])
                keep = rows[j, 4 + g] + x * (rows[j + 1, 4 + g] - rows[j, 4 + g])
                gate[k, i, g] = to + (gate[k, i, g] - to) * keep
        for i in range(LANES):
            m, h, p, s = gate[k, i, 0], gate[k, i, 1], gate[k, i, 2], gate[k, i, 3]
            sodium = active[k, i] * (g_na * m * m * m * h + g_nap * p * p * p)
            potassium = active[k, i] * g_k * s
            leak = active[k, i] * g_l
            left = joined[k, i]  # whether an internode of this fibre ends, begins here
            right = joined[k + 1, i]
            c = capacity * active[k, i]
            diagonal[k, i] = c * alpha + sodium + potassium + leak + own * (left + right)
            if left + right == 0.0:
                diagonal[k, i] += 1.0
            rhs[k, i] = (
                c * (b1 * node[k, i] - b2 * past[k, i])
                + sodium * e_na
                + potassium * e_k
                + leak * e_l
            )
        for r in range(drive.shape[0]):
            for i in range(LANES):
                rhs[k, i] += drive[r, i] * source[r, k, i]
        if k > 0:
            for i in range(LANES):
                rhs[k, i] += joint * joined[k, i] * state[k - 1, PARTS - 1, 0, i]
        if k < N - 1:
            for i in range(LANES):
                rhs[k, i] += joint * joined[k + 1, i] * state[k, 0, 0, i]
        if k > 0:
            for i in range(LANES):
                f = off * joined[k, i] / diagonal[k - 1, i]
                diagonal[k, i] -= f * off
                rhs[k, i] += f * rhs[k - 1, i]
    for k in range(N - 1, -1, -1):
        for i in range(LANES):
            past[k, i] = node[k, i]
            back = off * joined[k + 1, i] * node[k + 1, i] if k < N - 1 else 0.0
            node[k, i] = (rhs[k, i] + back) / diagonal[k, i]


@njit(cache=True, nogil=True, error_model="numpy")
def run(
    table, steps, joint, rows, cap, cell, plan, wave, calm, most, source, at_node, active, joined,
    sense, amplitude, state, past, gate, node, before, when, trace
):  # fmt: skip
    """Run the fibres from rest through the stimulus until it is clear which of them fire.

    Parameters
    ----------
    plan
        Table of each step, shape (steps,); the last one goes on.
    wave
        Waveforms at the end of each step, shape (steps, R).
    calm, most
        Step from which a fibre that is quiet is given up, and steps at most.
    sense
        Node where a spike is looked for, and another that must have spiked too, for both ends
        (-1: not looked at), shape (2, 2, LANES).
    amplitude
        Of each fibre; 0 for one that need not be judged, shape (LANES,).
    when
        Filled: step at which each node first spikes, -1 for never, shape (N, LANES).
    trace
        Filled: nodes after each step (mV from rest), as many as there is room for, (n, N, LANES).

    Returns
    -------
    ndarray of int8, shape (LANES,)
        Whether a spike came through.
    """
    N = node.shape[0]
    R = wave.shape[1]
    drive = np.zeros((R, LANES))
    fired = np.zeros(LANES, np.int8)
    sure = amplitude == 0.0
    last = np.int64(0)  # a literal would compile what it is given to once more
    when[:] = -1
    spike = SPIKE - cell[0]
    for n in range(most):
        code = plan[min(n, len(plan) - 1)]
        on = False
        if n < len(wave):
            for r in range(R):
                on = on or wave[n, r] != 0.0
                for i in range(LANES):
                    drive[r, i] = wave[n, r] * amplitude[i]
        acting = drive if on else drive[:0]
        _between_nodes(table, last, code, cap, steps[code], acting, source, node, state, past)
        _at_nodes(
            rows[code], cell, steps[code], joint, acting, at_node, active, joined, state,
            gate, node, before,
        )  # fmt: skip
        last = code
        for k in range(N):
            for i in range(LANES):
                if node[k, i] > spike and when[k, i] < 0:
                    when[k, i] = n
        if n < len(trace):
            for k in range(N):  # a slice on the left would compile slowly
                for i in range(LANES):
                    trace[n, k, i] = node[k, i]
        if n % _EVERY == _EVERY - 1:
            highest = np.full(LANES, -np.inf)
            for k in range(N):
                for i in range(LANES):
                    highest[i] = max(highest[i], node[k, i] * active[k, i])
            undecided = False
            for i in range(LANES):
                for j in range(2):
                    at, come = sense[j, 0, i], sense[j, 1, i]
                    if at >= 0 and when[at, i] >= 0 and when[come, i] >= 0:
                        fired[i] = 1
                if fired[i] or (n >= calm and highest[i] < QUIET):
                    sure[i] = True
                undecided = undecided or not sure[i]
            if not undecided and n >= len(trace) - 1:
                break
    return fired
