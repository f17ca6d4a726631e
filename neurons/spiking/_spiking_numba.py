# mypy: allow-untyped-defs
"""Time stepping of whole cells with channels, many placements side by side (Numba).

One step is one pass from the leaves to the root, which advances the gates at the potential
predicted for the middle of the step, adds up conductances and eliminates (Hines 1984,
doi:10.1016/0020-7101(84)90008-4), and one pass back. Each lane is at its own step of the plan, so
that a new amplitude or placement begins in a lane as soon as the last one is decided. SI units.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from rheobase.neurons.spiking._layout import FINENESS, LANES, LOWEST, ROWS


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _down(tree, channels, table, at, ahead, b1, b2, alpha, drive, source, state, diagonal, rhs):
    """Advance the gates, build the equations and eliminate from the leaves to the root."""
    parent, axial, capacity, leak, leak_drive = tree
    first, which, density, power, reversal = channels
    v, past, gate = state
    n = parent.shape[0]
    low = np.empty(LANES, np.int64)
    part = np.empty(LANES, v.dtype)
    total = np.empty(LANES, v.dtype)
    pull = np.empty(LANES, v.dtype)
    diagonal[:] = 0.0
    rhs[:] = 0.0
    for c in range(n - 1, -1, -1):
        g, e, cap = leak[c], leak_drive[c], capacity[c]
        for i in range(LANES):
            total[i] = g
            pull[i] = e
        if first[c] < first[c + 1]:
            for i in range(LANES):
                x = (v[c, i] + ahead[i] * (v[c, i] - past[c, i]) - LOWEST) * FINENESS
                x = min(max(x, 0.0), ROWS - 1.01)
                j = int(x)
                part[i] = x - j
                low[i] = at[i] + j
            for k in range(first[c], first[c + 1]):
                row = which[k] * ROWS
                p = power[which[k]]
                dense = density[k]
                rev = reversal[which[k]]
                for i in range(LANES):
                    f = part[i]
                    j = row + low[i]
                    keep = table[j, 2] + f * table[j, 6]
                    other = table[j, 3] + f * table[j, 7]
                    x = table[j, 0] + f * table[j, 4] + keep * gate[k, i, 0]
                    y = table[j, 1] + f * table[j, 5] + other * gate[k, i, 1]
                    gate[k, i, 0] = x
                    gate[k, i, 1] = y
                    y *= dense * x
                    if p == 3:
                        y *= x * x
                    elif p == 2:
                        y *= x
                    elif p == 4:
                        y *= x * x * x
                    total[i] += y
                    pull[i] += y * rev
        joint = axial[c]
        for i in range(LANES):  # sums of their own let the compiler work on all lanes at once
            total[i] += diagonal[c, i] + joint + cap * alpha[i]
            pull[i] += (
                rhs[c, i] + cap * (b1[i] * v[c, i] - b2[i] * past[c, i]) + drive[i] * source[c, i]
            )
        for i in range(LANES):
            diagonal[c, i] = total[i]
            rhs[c, i] = pull[i]
        if c > 0:
            up = parent[c]
            for i in range(LANES):
                total[i] = joint / total[i]
            for i in range(LANES):
                diagonal[up, i] += joint - total[i] * joint
                rhs[up, i] += total[i] * pull[i]


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    tree, channels, table, steps, plan, wave, watched, rest, calm, most, quiet, level, needed,
    step, amplitude, source, state, crossed, count, site, began, verdict, limit, record, trace,
):  # fmt: skip
    """Step all lanes until one of them is decided.

    Parameters
    ----------
    tree
        Parent, axial conductance to it (S), capacitance (F), leak (S) and its current at 0 V (A),
        shape (n,) each.
    channels
        First entry of each compartment, shape (n + 1,); channel and conductance (S) of each
        entry, shape (entries,); power of the first gate and reversal potential (V) of each channel.
    table
        Where both gates go in the step and what they keep of the value before, and how these four
        grow to the next row, shape (kinds * channels * ROWS, 8).
    steps
        b1, b2, alpha and extrapolation of each kind of step, shape (kinds, 4).
    plan, wave
        Kind of each step, the last one goes on; waveform at the end of each step.
    watched, rest
        2 where a spike is looked for, 1 where the membrane must be quiet before a lane is given up,
        else 0, and the potential at rest (V), shape (n,).
    calm, most
        Step from which a lane is given up that nowhere exceeds ``rest + quiet``, and steps at most.
    level, needed
        Potential (V), and how many compartments must have crossed it.
    step, amplitude
        Steps done and amplitude of each lane; a lane of amplitude 0 is idle, shape (LANES,).
    source
        Current into each compartment for an amplitude of 1 (A), shape (n, LANES).
    state
        Potential, that before (V), shape (n, LANES); gates, shape (entries, LANES, 2).
    crossed, count, site, began
        Which compartments have crossed, how many, which first and when (steps).
    verdict
        1 fired, -1 not, 0 not yet, shape (LANES,).
    limit
        Steps at most in this call.
    record, trace
        Compartments whose potential in lane 0 goes to ``trace`` (limit, len(record)).
    """
    parent, axial = tree[0], tree[1]
    v, past = state[0], state[1]
    n = parent.shape[0]
    size = channels[3].shape[0] * ROWS
    at = np.empty(LANES, np.int64)
    b1 = np.empty(LANES, v.dtype)
    b2 = np.empty(LANES, v.dtype)
    alpha = np.empty(LANES, v.dtype)
    ahead = np.empty(LANES, v.dtype)
    drive = np.empty(LANES, v.dtype)
    highest = np.empty(LANES, v.dtype)
    diagonal = np.empty((n, LANES), v.dtype)
    rhs = np.empty((n, LANES), v.dtype)
    for done in range(limit):
        for i in range(LANES):
            kind = plan[min(step[i], plan.shape[0] - 1)]
            at[i] = kind * size
            b1[i], b2[i], alpha[i], ahead[i] = steps[kind]
            w = wave[step[i]] if step[i] < wave.shape[0] else 0.0
            drive[i] = w * amplitude[i]
            step[i] += 1
        _down(tree, channels, table, at, ahead, b1, b2, alpha, drive, source, state, diagonal, rhs)
        highest[:] = -1.0
        for c in range(n):
            joint = axial[c]
            up = max(parent[c], 0)
            for i in range(LANES):
                past[c, i] = v[c, i]
            if c == 0:
                for i in range(LANES):
                    v[c, i] = rhs[c, i] / diagonal[c, i]
            else:
                for i in range(LANES):
                    v[c, i] = (rhs[c, i] + joint * v[up, i]) / diagonal[c, i]
            if watched[c] > 0:
                top = v.dtype.type(-1.0)
                for i in range(LANES):
                    highest[i] = max(highest[i], v[c, i] - rest[c])
                    top = max(top, v[c, i])
                if watched[c] == 2 and top > level:
                    _note(c, level, v, past, step, crossed, count, site, began)
        if done < trace.shape[0]:
            for k in range(record.shape[0]):
                trace[done, k] = v[record[k], 0]
        decided = False
        for i in range(LANES):
            if amplitude[i] == 0.0 or verdict[i] != 0:
                continue
            if count[i] >= needed:
                verdict[i] = 1
            elif step[i] >= most or (step[i] >= calm and highest[i] < quiet):
                verdict[i] = -1
            decided = decided or verdict[i] != 0
        if decided:
            return done + 1
    return limit


@njit(cache=True, nogil=True, error_model="numpy")
def _note(c, level, v, past, step, crossed, count, site, began):
    """Note where ``c`` crosses the level for the first time."""
    for i in range(LANES):
        if v[c, i] > level and not crossed[c, i]:
            crossed[c, i] = True
            count[i] += 1
            rise = v[c, i] - past[c, i]
            when = step[i] - (v[c, i] - level) / rise if rise > 0.0 else float(step[i])
            if site[i] < 0 or when < began[i]:
                site[i] = c
                began[i] = when


@njit(cache=True, nogil=True, error_model="numpy")
def load(lane, parent, axial, rise, sign, source):
    """Put the currents of a placement with ``rise`` (V), shape (n,), into a lane."""
    for c in range(parent.shape[0]):
        source[c, lane] = 0.0
    for c in range(1, parent.shape[0]):
        flow = sign * axial[c] * rise[c]
        source[c, lane] -= flow
        source[parent[c], lane] += flow


@njit(cache=True, nogil=True, error_model="numpy")
def restart(lane, rest, resting_gate, state, crossed, count, site, step, verdict):
    """Bring a lane back to rest."""
    v, past, gate = state
    for c in range(rest.shape[0]):
        v[c, lane] = rest[c]
        past[c, lane] = rest[c]
        crossed[c, lane] = False
    for k in range(resting_gate.shape[0]):
        gate[k, lane, 0] = resting_gate[k, 0]
        gate[k, lane, 1] = resting_gate[k, 1]
    count[lane] = 0
    site[lane] = -1
    step[lane] = 0
    verdict[lane] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def solve(parent, axial, diagonal, rhs):
    """Solve one tree (S, A), shape (n,) each, in place of ``rhs``; -``axial`` off the diagonal."""
    n = parent.shape[0]
    d = diagonal.copy()
    for c in range(n - 1, 0, -1):
        f = axial[c] / d[c]
        d[parent[c]] -= f * axial[c]
        rhs[parent[c]] += f * rhs[c]
    rhs[0] /= d[0]
    for c in range(1, n):
        rhs[c] = (rhs[c] + axial[c] * rhs[parent[c]]) / d[c]
