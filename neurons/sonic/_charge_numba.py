# mypy: allow-untyped-defs
"""The slow equations of a cell under pulsed sound (Numba).

Charge and gates advance by symmetric splitting: gates for half a step at fixed charge (exact),
charge for a step at fixed gates (exponential Rosenbrock), gates for half a step. Both are of second
order in the step and exact for what is linear.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def half_step(gates, steady, left, s, place):
    """Advance gates at a place of the table, in steps from its start; return its index and rest.

    ``steady``, ``left``, as for `run`, in the state ``s`` of the sound.
    """
    place = min(max(place, 0.0), steady.shape[2] - 1.000001)
    i = int(place)
    f = place - i
    for j in range(gates.shape[0]):
        e = left[s, j, i] + f * (left[s, j, i + 1] - left[s, j, i])
        z = steady[s, j, i] + f * (steady[s, j, i + 1] - steady[s, j, i])
        gates[j] = z + (gates[j] - z) * e
    return i, f


@njit(cache=True, nogil=True, error_model="numpy")
def run(
    injected, potential, slope, steady, left, low, spacing, conductance, reversal, power, durations,
    dts, states, peak, prominence, most, Q, gates, spikes, trace, every,
):  # fmt: skip
    """Advance through intervals and return number of spikes and steps.

    ``injected``: current into the cell (A/m²).
    ``potential``, ``slope`` (s, n): V and dV/dQ at the charges ``low + i spacing`` in each of the
    states of the sound. ``steady``, ``left`` (s, g, n): steady states of the gates and what is left
    of a deviation from them after half a step. ``durations`` holds steps and ``states`` the state
    of each interval, ``dts`` (s,) the step. A spike is a maximum of the charge of at least ``peak``
    that rises from the minimum before it, and falls after it, by ``prominence``. Stops after
    ``most`` spikes. ``trace`` (m, 2): time and charge each ``every`` steps, no trace if empty.
    """
    g = gates.shape[0]
    currents = conductance.shape[0]
    t = 0.0
    steps = 0
    count = 0
    lowest = Q
    highest = Q
    when = 0.0
    rising = True
    for k in range(durations.shape[0]):
        s = states[k]
        dt = dts[s]
        for _ in range(durations[k]):
            i, f = half_step(gates, steady, left, s, (Q - low) / spacing)
            total = 0.0
            pull = injected
            for c in range(currents):
                G = conductance[c]
                for j in range(g):
                    for _w in range(power[c, j]):
                        G *= gates[j]
                total += G
                pull += G * reversal[c]
            V = potential[s, i] + f * (potential[s, i + 1] - potential[s, i])
            flow = pull - total * V
            a = -total * (slope[s, i] + f * (slope[s, i + 1] - slope[s, i])) * dt
            Q += dt * flow * (np.expm1(a) / a if abs(a) > 1e-9 else 1.0 + 0.5 * a)
            t += dt
            steps += 1
            half_step(gates, steady, left, s, (Q - low) / spacing)
            if trace.shape[0] > 0 and steps % every == 0 and steps // every <= trace.shape[0]:
                trace[steps // every - 1, 0] = t
                trace[steps // every - 1, 1] = Q
            if rising:
                if highest < Q:
                    highest = Q
                    when = t
                if highest - Q >= prominence:
                    if highest >= peak and highest - lowest >= prominence:
                        spikes[count] = when
                        count += 1
                        if count >= most:
                            return count, steps
                    rising = False
                    lowest = Q
                elif lowest > Q:
                    lowest = Q
                    highest = Q
            else:
                if lowest > Q:
                    lowest = Q
                if Q - lowest >= prominence:
                    rising = True
                    highest = Q
                    when = t
    return count, steps
