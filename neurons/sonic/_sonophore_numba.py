# mypy: allow-untyped-defs
"""Cycles of the bilayer sonophore at fixed charge (Numba).

State y = (velocity U, deflection Z, gas content n). The leaflets ring at up to 1e10 rad/s and are
overdamped elsewhere in the same cycle, so the integrator is the L-stable Rosenbrock method RODAS of
order 4(3) (Hairer & Wanner 1996, section IV.10, doi:10.1007/978-3-642-05221-7) with the exact
Jacobian and a step chosen by its error estimate.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_A = np.array(
    [
        [0.0, 0.0, 0.0, 0.0],
        [1.544, 0.0, 0.0, 0.0],
        [0.9466785280815826, 0.2557011698983284, 0.0, 0.0],
        [3.314825187068521, 2.896124015972201, 0.9986419139977817, 0.0],
        [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950],
    ]
)
_C = np.array(
    [
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [-5.6688, 0.0, 0.0, 0.0, 0.0],
        [-2.430093356833875, -0.2063599157091915, 0.0, 0.0, 0.0],
        [-0.1073529058151375, -9.594562251023355, -20.47028614809616, 0.0, 0.0],
        [7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160, 0.0],
        [
            8.083246795921522,
            -7.981132988064893,
            -31.52159432874371,
            16.31930543123136,
            -6.058818238834054,
        ],
    ]
)
_GAMMA = 0.25
_MIXED = 40  # cycles that an average is taken over where they do not repeat
_TIME = np.array([0.0, 0.386, 0.21, 0.63, 1.0, 1.0])
_SLOPE = np.array([0.25, -0.1043, 0.1035, -0.03620000000000023, 0.0, 0.0])


@njit(cache=True, nogil=True, error_model="numpy")
def _forces(p, Q, Z, n):
    """Return curvature, gas pressure, and the pressure without sound and viscosity."""
    a2 = p[0] * p[0]
    Z = max(Z, p[2])
    spread = a2 + Z * Z
    curvature = 2.0 * Z / spread
    logx = np.log(p[3] / (2.0 * Z + p[1]))
    volume = np.pi * a2 * (p[1] + Z * (1.0 + Z * Z / (3.0 * a2)))
    gas = n * p[7] / volume
    still = p[4] * (np.exp(p[5] * logx) - np.exp(p[6] * logx)) + gas - p[9]
    still -= p[11] * Z * Z / a2 * curvature + a2 / spread * Q * Q / p[17]
    return curvature, gas, still


@njit(cache=True, nogil=True, error_model="numpy")
def _slopes(p, Q, sound, U, Z, n):
    """Return the time derivatives of U and n; that of Z is U."""
    curvature, gas, still = _forces(p, Q, Z, n)
    bent = abs(curvature)
    pressure = still - sound - U * (p[12] * bent * bent + p[13] * bent)
    Zc = max(Z, p[2])
    rise = pressure * bent / p[10] - 1.5 * U * U * curvature
    return rise, p[14] * (p[0] * p[0] + Zc * Zc) * (p[15] - gas / p[16])


@njit(cache=True, nogil=True, error_model="numpy")
def rest_deflection(p, Q, sound):
    """Return Z where the pressure without motion balances ``sound``, by bisection (m)."""
    low, high = p[2], p[0]
    for _ in range(80):
        Z = 0.5 * (low + high)
        spread = p[0] * p[0] + Z * Z
        tension = p[11] * Z * Z / (p[0] * p[0]) * 2.0 * Z / spread
        if _forces(p, Q, Z, p[8])[2] + tension > sound:  # the tension counts in motion only
            low = Z
        else:
            high = Z
    return 0.5 * (low + high)


@njit(cache=True, nogil=True, error_model="numpy")
def march(p, Q, amplitude, omega, y, t, end, h, tolerance, times, Z_out):
    """Advance ``y`` from ``t`` to ``end`` and sample Z at ``times`` in between.

    Returns the last step and the number of steps taken; 0 steps where it did not get there.
    """
    k = np.empty((6, 3))
    g = np.empty(3)
    floor = np.array([1e-2, 1e-9, p[8]])  # what a tolerance is of, besides the value itself
    a2 = p[0] * p[0]
    done = 0
    sample = 0
    while t < end:
        if done > 2_000_000:
            return h, 0
        last = h >= end - t
        if last:
            h = end - t
        U, Z, n = y
        curvature, gas, still = _forces(p, Q, Z, n)
        bent = abs(curvature)
        sign = 1.0 if Z >= 0.0 else -1.0
        sound = -amplitude * np.sin(omega * t)
        sound_rate = -amplitude * omega * np.cos(omega * t)
        Zc = max(Z, p[2])
        spread = a2 + Zc * Zc
        turn = 2.0 * (a2 - Zc * Zc) / (spread * spread)
        drag = p[12] * bent * bent + p[13] * bent
        x = p[3] / (2.0 * Zc + p[1])
        logx = np.log(x)
        attraction = p[5] * np.exp(p[5] * logx) - p[6] * np.exp(p[6] * logx)
        volume = np.pi * a2 * (p[1] + Zc * (1.0 + Zc * Zc / (3.0 * a2)))
        gas_Z = -gas * np.pi * spread / volume
        stiff = -2.0 * p[4] * attraction / (2.0 * Zc + p[1]) + gas_Z
        stiff -= p[11] / a2 * (2.0 * Zc * curvature + Zc * Zc * turn)
        stiff += 2.0 * Zc * a2 / (spread * spread) * Q * Q / p[17]
        stiff -= U * (2.0 * p[12] * curvature * turn + p[13] * sign * turn)
        pressure = still - sound - U * drag
        # Jacobian of (U, Z, n); the row of Z is (1, 0, 0)
        J00 = -drag * bent / p[10] - 3.0 * U * curvature
        J01 = (stiff * bent + pressure * sign * turn) / p[10] - 1.5 * U * U * turn
        J02 = p[7] / volume * bent / p[10]
        J21 = p[14] * (2.0 * Zc * (p[15] - gas / p[16]) - spread * gas_Z / p[16])
        J22 = -p[14] * spread * p[7] / (volume * p[16])
        if p[2] > Z:
            J01 = 0.0
            J21 = 0.0
        turned = -sound_rate * bent / p[10]  # partial derivative of dU/dt by time

        w = 1.0 / (h * _GAMMA)
        c = 1.0 / (w - J22)
        pivot = 1.0 / ((w - J00) * w - J01 - J02 * J21 * c)
        for i in range(6):
            g[0] = U
            g[1] = Z
            g[2] = n
            if i < 5:
                for j in range(i):
                    for m in range(3):
                        g[m] += _A[i, j] * k[j, m]
            else:
                for m in range(3):
                    g[m] = y[m] + k[4, m]
                    for j in range(4):
                        g[m] += _A[4, j] * k[j, m]
            here = -amplitude * np.sin(omega * (t + _TIME[i] * h))
            fU, fn = _slopes(p, Q, here, g[0], g[1], g[2])
            r0 = fU + h * _SLOPE[i] * turned
            r1 = g[0]
            r2 = fn
            for j in range(i):
                r0 += _C[i, j] / h * k[j, 0]
                r1 += _C[i, j] / h * k[j, 1]
                r2 += _C[i, j] / h * k[j, 2]
            k[i, 1] = (r0 + (w - J00) * r1 + J02 * r2 * c) * pivot
            k[i, 0] = w * k[i, 1] - r1
            k[i, 2] = (r2 + J21 * k[i, 1]) * c
        # g is the third-order result (stage 6), k[5] the difference to the fourth-order one
        error = 0.0
        for m in range(3):
            e = k[5, m] / (tolerance * (floor[m] + abs(y[m])))
            error += e * e
        error = np.sqrt(error / 3.0)
        done += 1
        if error <= 1.0:
            new_t = end if last else t + h
            U1 = g[0] + k[5, 0]
            Z1 = g[1] + k[5, 1]
            n1 = g[2] + k[5, 2]
            while sample < times.shape[0] and times[sample] <= new_t:
                s = (times[sample] - t) / h
                q = 1.0 - s
                b0 = q * q * (1.0 + 2.0 * s)
                b1 = s * s * (1.0 + 2.0 * q)
                Z_out[sample] = b0 * Z + b1 * Z1 + h * s * q * (q * U - s * U1)
                sample += 1
            y[0] = U1
            y[1] = Z1
            y[2] = n1
            t = new_t
        factor = 0.9 * error**-0.25 if error > 1e-8 else 5.0
        h *= min(5.0, max(0.2, factor)) if error == error else 0.1
    return h, done


@njit(cache=True, nogil=True, error_model="numpy")
def _change(now, before):
    """Return the rms change of samples since ``before`` over their range, and update ``before``."""
    low = now[0]
    high = now[0]
    total = 0.0
    for i in range(now.shape[0]):
        low = min(low, now[i])
        high = max(high, now[i])
        total += (now[i] - before[i]) ** 2
        before[i] = now[i]
    return np.sqrt(total / now.shape[0]) / (high - low)


@njit(cache=True, nogil=True, error_model="numpy")
def steady_cycle(p, Q, amplitude, frequency, samples, cycles, change, tolerance, Z, work):
    """Fill ``Z`` (samples,) with the deflection over a cycle once cycles repeat.

    The sound starts with its rarefaction at t = 0, from the deflection balanced a thousandth of a
    cycle later. Cycles repeat when the root mean square of the difference between two of them is
    below ``change`` of the range of Z, and the gas at their ends differs by less than that share.
    Where they do not repeat (near the pressure at which the leaflets part, at megahertz, motion can
    be of two periods or of none), ``Z`` is drawn from the last `_MIXED` cycles, each phase from one
    of them. Returns cycles and steps; 0 cycles if integration failed, minus the cycles if they did
    not repeat.
    """
    period = 1.0 / frequency
    omega = 2.0 * np.pi * frequency
    y = np.empty(3)
    y[0] = 0.0
    y[1] = rest_deflection(p, Q, -amplitude * np.sin(omega * 1e-3 * period))
    y[2] = p[8]
    before = work[0]
    times = work[1]
    mixed = work[2]
    h = 1e-4 * period
    held = 0.0
    steps = 0
    for cycle in range(cycles):
        for i in range(samples):
            times[i] = (i + 1) * period / samples
        times[samples - 1] = period
        h, took = march(p, Q, amplitude, omega, y, 0.0, period, h, tolerance, times, Z)
        steps += took
        if took == 0:
            return 0, steps
        near = abs(y[2] - held) <= change * y[2]
        if _change(Z, before) <= change and near and cycle > 0:
            return cycle + 1, steps
        held = y[2]
        for i in range(cycle % _MIXED, samples, _MIXED):
            mixed[i] = Z[i]
    for i in range(samples):
        Z[i] = mixed[i]
    return -cycles, steps


@njit(cache=True, nogil=True, error_model="numpy")
def steady_cycles(p, Q, amplitude, frequency, cycles, change, tolerance, Z):
    """As `steady_cycle` for pairs ``Q`` and ``amplitude`` (m,); ``Z`` (m, samples).

    Returns cycles and steps of each, (m, 2).
    """
    m, samples = Z.shape
    work = np.empty((3, samples))
    told = np.empty((m, 2), np.int64)
    for i in range(m):
        told[i, 0], told[i, 1] = steady_cycle(
            p, Q[i], amplitude[i], frequency, samples, cycles, change, tolerance, Z[i], work
        )
    return told
