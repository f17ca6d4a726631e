"""Kernel of temporal interference: the search for the direction of the largest modulation (numba).

C, S and M(t) are those of `_interference_numba`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rheobase.fields._interference_numba import (
    NEWTON,
    STEPS,
    along,
    at_instant,
    dot,
    eigen,
    extremes,
    forms,
    times,
)

ROUNDS = 4  # most searches from one start: each begins at the instants the last one's end asks for
SAME = 0.985  # |cosine| above which two directions are one start (10 degrees)
NEAR = 0.3  # a direction whose sampled modulation is this much below the best is no start
WORTH = 0.1  # a hill this much lower than the best is not searched for neighbours
OTHER = 0.3  # two instants whose envelopes differ by this much less than the best are no start
TURNS = 3  # most rounds of searches among the neighbours of a hill
HILLS = 32  # most hills told from each other
ALIKE = 1e-5  # relative difference of two heights that are one hill
LONGEST = 0.3  # step of that search (rad)
FLAT = 1e-13  # eigenvalues below this part of the trace count as 0


@njit(cache=True, nogil=True)
def distance(x: Any, C: Any, S: Any, g: Any, nu: Any, work: Any) -> Any:
    """Return how far a point of one ellipsoid is from another one, and its gradient.

    The ellipsoid of the instant t holds the points M(t)^(1/2) y, |y| <= 1. The point is that of the
    instant t1 whose normal is n; the other ellipsoid that of the instant t2.

    Parameters
    ----------
    x
        n (3), t1 and t2.
    C, S
        Of M(t).
    g
        Gets the gradient in x.
    nu
        Gets the unit vector from the nearest point of the ellipsoid to the point.
    work
        Scratch, shape (16, 6).
    """
    M1, dM1, M2, dM2 = work[0], work[1], work[2], work[3]
    u, a, z, b, y = work[4], work[5], work[6], work[7], work[8]
    A, V = work[10:13, :3], work[13:16, :3]
    n = x[:3]
    at_instant(C, S, x[3], M1, dM1)
    at_instant(C, S, x[4], M2, dM2)
    times(M1, n, a)  # M1 n
    h = np.sqrt(max(dot(n, a), 0.0))
    g[:] = 0.0
    if h <= 0.0:
        return 0.0
    for j in range(3):
        u[j] = a[j] / h
    eigen(M2, A, V)
    flat = FLAT * (M2[0] + M2[1] + M2[2])
    inside = 0.0
    for k in range(3):
        y[k] = V[0, k] * u[0] + V[1, k] * u[1] + V[2, k] * u[2]
        if A[k, k] > flat:
            inside += y[k] ** 2 / A[k, k]
    shift = 0.0  # of the eigenvalues: u - w = shift (M2 + shift)^-1 u for the nearest point w
    if inside > 1.0:
        for _ in range(NEWTON):
            size = slope = 0.0
            for k in range(3):
                if A[k, k] > flat:
                    part = A[k, k] * y[k] ** 2 / (A[k, k] + shift) ** 2
                    size += part
                    slope += part / (A[k, k] + shift)
            move = (np.sqrt(size) - 1.0) * size / slope
            shift += move
            if abs(move) <= 1e-14 * shift:
                break
    d = 0.0
    for k in range(3):
        # z: (M2 + shift)^-1 u without its flat part; b: half of the rest plus the flat part
        if A[k, k] > flat:
            part = y[k] / (A[k, k] + shift)
            work[9, k] = shift * part
            y[k] = part
        else:
            work[9, k] = y[k]
            y[k] = 0.0
        d += work[9, k] ** 2
    d = np.sqrt(d)
    if d <= 0.0:
        return 0.0
    for j in range(3):
        nu[j] = z[j] = b[j] = 0.0
        for k in range(3):
            flat_part = 1.0 if A[k, k] <= flat else 0.5
            nu[j] += V[j, k] * work[9, k] / d
            z[j] += V[j, k] * y[k]
            b[j] += V[j, k] * work[9, k] * flat_part / d
    times(dM2, z, y)
    g[4] = -dot(b, y)
    times(M1, nu, b)
    turn = dot(nu, a) / (h * h)
    for j in range(3):
        g[j] = (b[j] - turn * a[j]) / h
    times(dM1, n, b)
    g[3] = (dot(nu, b) - 0.5 * turn * dot(n, b)) / h
    return d


@njit(cache=True, nogil=True)
def climb(x: Any, C: Any, S: Any, nu: Any, work: Any, big: Any) -> Any:
    """Take x uphill to a largest `distance` (BFGS) and return it."""
    g, new, g_new, p = big[0], big[1], big[2], big[3]
    s, y, Hy, H = big[4], big[5], big[6], big[7:12]
    fresh = True
    value = distance(x, C, S, g, nu, work)
    H[:] = 0.0
    for j in range(5):
        H[j, j] = 1.0
    for _ in range(STEPS):
        rise = 0.0
        for j in range(5):
            p[j] = 0.0
            for k in range(5):
                p[j] += H[j, k] * g[k]
            rise += p[j] * g[j]
        if not rise > 1e-14 * value * value:
            break
        longest = 0.0
        for j in range(5):
            longest = max(longest, abs(p[j]))
        step = min(1.0, LONGEST / longest)
        found = -1.0
        for _ in range(25):
            for j in range(5):
                new[j] = x[j] + step * p[j]
            found = distance(new, C, S, g_new, nu, work)
            if found >= value + 1e-4 * step * rise:
                break
            step *= 0.4
        if not found > value:
            break
        sy = yy = yHy = 0.0
        for j in range(5):
            s[j] = new[j] - x[j]
            x[j] = new[j]
            y[j] = g[j] - g_new[j]
            g[j] = g_new[j]
            sy += s[j] * y[j]
            yy += y[j] * y[j]
        if fresh and sy > 0.0:
            fresh = False
            for j in range(5):
                H[j, j] = sy / yy
        for j in range(5):
            Hy[j] = 0.0
            for k in range(5):
                Hy[j] += H[j, k] * y[k]
            yHy += y[j] * Hy[j]
        if sy > 1e-12 * yHy:
            for j in range(5):
                for k in range(5):
                    H[j, k] += (1.0 + yHy / sy) * s[j] * s[k] / sy - (
                        Hy[j] * s[k] + s[j] * Hy[k]
                    ) / sy
        if found - value <= 1e-6 * found:
            value = found
            break
        value = found
    return distance(x, C, S, g, nu, work)


@njit(cache=True, nogil=True)
def ascend(
    nu: Any,
    C: Any,
    S: Any,
    c: Any,
    s: Any,
    q: Any,
    cos_t: Any,
    sin_t: Any,
    x: Any,
    work: Any,
    big: Any,
) -> Any:
    """Take nu uphill, from the two instants of its modulation, and return its modulation.

    c and s get the coefficients of the squared envelope along nu.
    """
    last = value = 0.0
    for _ in range(ROUNDS):
        along(C, S, nu[0], nu[1], nu[2], c, s)
        top, t1, low, t2 = extremes(c, s, cos_t, sin_t, q)
        value = np.sqrt(max(top, 0.0)) - np.sqrt(max(low, 0.0))
        if value <= last * (1.0 + 2e-6):
            break
        x[0], x[1], x[2] = nu[0], nu[1], nu[2]
        x[3], x[4] = t1, t2
        last = climb(x, C, S, nu, work, big)
    return value


@njit(cache=True, nogil=True)
def turning_points(c: Any, s: Any, cos_t: Any, sin_t: Any, q: Any, at: Any, A: Any) -> int:
    """Write about where an envelope is largest or smallest nearby, and its size; return how many.

    Parameters
    ----------
    c, s, cos_t, sin_t, q
        As in `extremes`.
    at, A
        Get instants and sizes, shape (2 D,).
    """
    n = cos_t.shape[1]
    q[:] = c[0]
    for m in range(1, len(c)):
        for j in range(n):
            q[j] += c[m] * cos_t[m, j] + s[m] * sin_t[m, j]
    count = 0
    for j in range(n):
        before, here, after = q[j - 1], q[j], q[(j + 1) % n]
        turns = (here > before and here >= after) or (here < before and here <= after)
        if turns and count < len(at):
            bend = before - 2.0 * here + after
            at[count] = 2.0 * np.pi / n * (j + 0.5 * (before - after) / bend)
            A[count] = np.sqrt(max(here - 0.125 * (after - before) ** 2 / bend, 0.0))
            count += 1
    return count


@njit(cache=True, nogil=True, fastmath=True)
def sweep(
    C: Any, S: Any, W: Any, cos_t: Any, sin_t: Any, F: Any, rows: Any, high: Any, deep: Any
) -> None:
    """Write the modulation along each direction, the beat sampled, and the samples it is between.

    W holds x², y², z², 2xy, 2xz, 2yz of each direction, (6, n); rows is scratch, (2 D + 4, n). All
    but C and S in single precision.
    """
    degree, n = cos_t.shape[0], W.shape[1]
    for m in range(degree):
        for part, form in ((rows[m], C[m]), (rows[degree + m], S[m])):
            part[:] = 0.0
            for j in range(6):
                w, a = W[j], np.float32(form[j])
                for d in range(n):
                    part[d] += a * w[d]
    top, low, mean = rows[2 * degree], rows[2 * degree + 1], rows[0]
    top[:], low[:] = -np.inf, np.inf
    zero = np.float32(0.0)
    for j in range(cos_t.shape[1]):
        for d in range(n):
            F[d] = mean[d]
        for m in range(1, degree):
            a, b, p, q = cos_t[m, j], sin_t[m, j], rows[m], rows[degree + m]
            for d in range(n):
                F[d] += a * p[d] + b * q[d]
        instant = np.float32(j)
        for d in range(n):
            value, best, at = F[d], top[d], high[d]
            top[d] = value if value > best else best
            high[d] = instant if value > best else at
        for d in range(n):
            value, best, at = F[d], low[d], deep[d]
            low[d] = value if value < best else best
            deep[d] = instant if value < best else at
    for d in range(n):
        F[d] = np.sqrt(max(top[d], zero)) - np.sqrt(max(low[d], zero))


@njit(cache=True, nogil=True)
def modulation_max(
    E: Any,
    order: Any,
    band: Any,
    phase: Any,
    directions: Any,
    W: Any,
    cos_t: Any,
    sin_t: Any,
    begin: int,
    end: int,
    out: Any,
) -> None:
    """Write the largest modulation of the fields E (k, n, 3) over all directions.

    Only that of the points from ``begin`` to before ``end`` is written.

    Every direction of a sweep that comes near the best is the start of a climb to a pair of
    instants and a direction; what is written is the modulation along that direction, over the
    whole beat. Directions near to a start, with the same two instants, are no further starts.

    Rival hills lie close to each other: along nearly the same direction, but between other
    instants. Climbs between all instants at which the envelope turns start from the top of every
    hill, until none finds a higher one.
    """
    degree, n_t, n = cos_t.shape[0], cos_t.shape[1], len(directions)
    cos_32, sin_32 = cos_t.astype(np.float32), sin_t.astype(np.float32)
    same_t = n_t // (4 * (degree - 1))
    C, S = np.empty((degree, 6)), np.empty((degree, 6))
    c, s, q = np.empty(degree), np.empty(degree), np.empty(n_t)
    F, rows = np.empty(n, np.float32), np.empty((2 * degree + 2, n), np.float32)
    high, deep = np.empty(n, np.float32), np.empty(n, np.float32)
    work, big = np.empty((16, 6)), np.empty((12, 5))
    x, nu, top, higher = np.empty(5), np.empty(3), np.empty(3), np.empty(3)
    at, A, seen = np.empty(2 * degree), np.empty(2 * degree), np.empty(HILLS)
    for i in range(begin, end):
        forms(E, i, order, band, phase, C, S)
        scale = C[0, 0] + C[0, 1] + C[0, 2]
        out[i] = 0.0
        if not scale > 0.0:
            continue
        for m in range(degree):
            for j in range(6):
                C[m, j] /= scale
                S[m, j] /= scale
        sweep(C, S, W, cos_32, sin_32, F, rows, high, deep)
        best, hills = 0.0, 0
        while True:
            start = F.argmax()
            if F[start] <= (1.0 - NEAR) * best:
                break
            for d in range(3):
                nu[d] = directions[start, d]
            for d in range(n):
                gap1, gap2 = abs(high[d] - high[start]), abs(deep[d] - deep[start])
                if (
                    min(gap1, n_t - gap1) <= same_t
                    and min(gap2, n_t - gap2) <= same_t
                    and abs(dot(nu, directions[d])) > SAME
                ):
                    F[d] = -1.0
            F[start] = -1.0
            value = ascend(nu, C, S, c, s, q, cos_t, sin_t, x, work, big)
            best = max(best, value)
            known = value < (1.0 - WORTH) * best or hills == HILLS
            for k in range(hills):
                known = known or abs(seen[k] - value) <= ALIKE * value
            if known:
                continue
            for _ in range(TURNS):
                seen[hills] = value
                hills += 1
                for d in range(3):
                    top[d] = nu[d]
                n_turns = turning_points(c, s, cos_t, sin_t, q, at, A)
                found = best
                for k in range(n_turns):
                    for l in range(n_turns):  # noqa: E741
                        between = A[k] - A[l]
                        if not (1.0 - OTHER) * best <= between < (1.0 - 1e-9) * value:
                            continue
                        x[0], x[1], x[2] = top[0], top[1], top[2]
                        x[3], x[4] = at[k], at[l]
                        climb(x, C, S, nu, work, big)
                        rival = ascend(nu, C, S, c, s, q, cos_t, sin_t, x, work, big)
                        if rival > found * (1.0 + 1e-6):
                            found = rival
                            for d in range(3):
                                higher[d] = nu[d]
                if found <= best or hills == HILLS:
                    best = found
                    break
                best = value = found
                for d in range(3):
                    nu[d] = higher[d]
                along(C, S, nu[0], nu[1], nu[2], c, s)
        out[i] = best * np.sqrt(scale)
