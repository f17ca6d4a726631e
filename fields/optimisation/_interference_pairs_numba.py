"""Kernels of temporal interference with two pairs of electrodes (numba)."""

from __future__ import annotations

from typing import Any

from numba import njit

BLOCK = 32  # nodes between looks at whether a pair of pairs is still of interest


@njit(cache=True, nogil=True)
def modulation_energy(E1: Any, E2: Any, most: float) -> float:
    """Return the sum of the squared largest modulations of two fields (m, 3).

    Stops where it exceeds ``most``.
    """
    total = 0.0
    for start in range(0, len(E1), BLOCK):
        for i in range(start, min(start + BLOCK, len(E1))):
            ax, ay, az = E1[i, 0], E1[i, 1], E1[i, 2]
            bx, by, bz = E2[i, 0], E2[i, 1], E2[i, 2]
            a, b = ax * ax + ay * ay + az * az, bx * bx + by * by + bz * bz
            dot = abs(ax * bx + ay * by + az * bz)
            least = min(a, b)
            if least > dot:
                least = (a * b - dot * dot) / (a + b - 2.0 * dot)
            total += 4.0 * least
        if total > most:
            break
    return total


@njit(cache=True, nogil=True)
def best_two(
    E: Any,
    into: Any,
    out: Any,
    need: Any,
    total: float,
    best: float,
    begin: int,
    end: int,
    found: Any,
) -> None:
    """Write into ``found`` (p, 2), for each pair, its best partner and the energy of both.

    E (p, m, 3) are the fields of the pairs at the currents ``need`` (p,) that make the wanted
    modulation; pairs come in order of ``need``. A partner of no less than ``best`` is none.
    Only the rows of ``found`` from ``begin`` to before ``end`` are written.
    """
    for p in range(begin, end):
        found[p, 0], found[p, 1] = -1.0, best
        for q in range(p + 1, len(need)):
            if need[p] + need[q] > total:
                break
            if into[p] == into[q] or into[p] == out[q] or out[p] == into[q] or out[p] == out[q]:
                continue
            energy = modulation_energy(E[p], E[q], found[p, 1])
            if energy < found[p, 1]:
                found[p, 0], found[p, 1] = q, energy


@njit(cache=True, nogil=True)
def strongest_two(g: Any, into: Any, out: Any, most: Any, total: float) -> Any:
    """Return the two pairs that share no electrode with the largest modulation, and that.

    g (p,) is the field of each pair per current, descending; ``most`` (p,) its largest current.
    """
    best, first, second = 0.0, -1, -1
    for p in range(len(g)):
        if 2.0 * total * g[p] * g[p] <= best * (g[p] + g[p]):
            break
        for q in range(p + 1, len(g)):
            # equal fields share the total; neither current exceeds what its pair may carry
            if 2.0 * total * g[p] * g[q] <= best * (g[p] + g[q]):
                break
            if into[p] == into[q] or into[p] == out[q] or out[p] == into[q] or out[p] == out[q]:
                continue
            x = min(total * g[q] / (g[p] + g[q]), most[p])
            y = min(total - x, most[q])
            x = min(total - y, most[p])
            value = 2.0 * min(x * g[p], y * g[q])
            if value > best:
                best, first, second = value, p, q
    return best, first, second
