"""Kernels that evaluate the sparse image (``_image_numba.py``) at points and voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rheobase.meshes.carving._image_numba import LAST, SHARES, UNIT

_MATERIALS = np.int64(0x7FFF)


@njit(cache=True, nogil=True)
def _corners(code: Any, entries: Any, x: float, y: float, z: float, at: Any, head: Any) -> Any:
    """Write code and first entry (0: none) of the eight voxels around a point (voxel indices).

    All are asked for before any is looked at: memory then answers them together. Returns where the
    point lies between them.
    """
    nx, ny, nz = code.shape
    x = min(max(x, 0.0), nx - 1.0)
    y = min(max(y, 0.0), ny - 1.0)
    z = min(max(z, 0.0), nz - 1.0)
    i, j, k = min(int(x), nx - 2), min(int(y), ny - 2), min(int(z), nz - 2)
    for c in range(8):
        at[c] = code[i + (c >> 2), j + ((c >> 1) & 1), k + (c & 1)]
    for c in range(8):
        head[c] = entries[at[c]] if at[c] >= 0 else 0
    return x - i, y - j, z - k


@njit(cache=True, nogil=True)
def _gather(code: Any, entries: Any, x: float, y: float, z: float, at: Any, head: Any, share: Any,
            found: Any) -> int:  # fmt: skip
    """Add up the shares of the materials at a point (voxel indices); list which have any.

    ``share`` (n_materials,) must come as zeros; the caller clears what it finds in ``found``.
    """
    u, v, w = _corners(code, entries, x, y, z, at, head)
    same = at[0] < 0
    for c in range(1, 8):
        same = same and at[c] == at[0]
    if same:
        found[0] = -1 - at[0]
        share[found[0]] = 1.0
        return 1
    count = 0
    for c in range(8):
        weight = (u if c & 4 else 1.0 - u) * (v if c & 2 else 1.0 - v) * (w if c & 1 else 1.0 - w)
        if weight == 0.0:
            continue
        n = at[c]
        if n < 0:
            m = -1 - n
            if share[m] == 0.0:
                found[count] = m
                count += 1
            share[m] += weight
            continue
        weight /= UNIT
        entry = head[c]
        while True:
            m = (entry >> 16) & _MATERIALS
            if share[m] == 0.0:
                found[count] = m
                count += 1
            share[m] += weight * (entry & SHARES)
            if entry & LAST:
                break
            n += 1
            entry = np.int64(entries[n])
    return count


@njit(cache=True, nogil=True)
def _index(inverse: Any, points: Any, n: int) -> Any:
    """Return a world point in voxel indices."""
    p, q, r = points[n, 0], points[n, 1], points[n, 2]
    return (
        inverse[0, 0] * p + inverse[0, 1] * q + inverse[0, 2] * r + inverse[0, 3],
        inverse[1, 0] * p + inverse[1, 1] * q + inverse[1, 2] * r + inverse[1, 3],
        inverse[2, 0] * p + inverse[2, 1] * q + inverse[2, 2] * r + inverse[2, 3],
    )


@njit(cache=True, nogil=True)
def _weigh(share: Any, found: Any, count: int, weight: Any) -> Any:
    """Return the weighted sum over the tissues found, and the largest of them and which it is."""
    total, most, best = 0.0, 0.0, 0
    for n in range(count):
        m = found[n]
        if m > 0:
            g = share[m] * weight[m]
            total += g
            if g > most or (g == most and m < best):
                most, best = g, m
    return total, most, best


@njit(cache=True, nogil=True)
def chosen(code: Any, entries: Any, weight: Any, inverse: Any, points: Any, which: Any,
           out: Any) -> None:  # fmt: skip
    """Write the indicators of the materials ``which`` (n, k; -1: none) at world points (n, 3)."""
    share = np.zeros(weight.size)
    found = np.empty(weight.size, np.int64)
    at, head = np.empty(8, np.int64), np.empty(8, np.int64)
    for n in range(points.shape[0]):
        x, y, z = _index(inverse, points, n)
        count = _gather(code, entries, x, y, z, at, head, share, found)
        total, most, _ = _weigh(share, found, count, weight)
        for c in range(which.shape[1]):
            m = which[n, c]
            if m > 0:
                out[n, c] = share[m] * weight[m] - most + total
            elif m == 0:
                out[n, c] = share[0]
            else:
                out[n, c] = 0.0
        for c in range(count):
            share[found[c]] = 0.0


@njit(cache=True, nogil=True)
def _gather_slopes(code: Any, entries: Any, x: float, y: float, z: float, at: Any, head: Any,
                   share: Any, slope: Any, found: Any) -> int:  # fmt: skip
    """Do what `_gather` does, and the derivatives along the voxel axes (n_materials, 3) too."""
    u, v, w = _corners(code, entries, x, y, z, at, head)
    count = 0
    for c in range(8):
        fx, fy, fz = u if c & 4 else 1.0 - u, v if c & 2 else 1.0 - v, w if c & 1 else 1.0 - w
        sx = fy * fz * (1.0 if c & 4 else -1.0)
        sy = fx * fz * (1.0 if c & 2 else -1.0)
        sz = fx * fy * (1.0 if c & 1 else -1.0)
        n = at[c]
        entry = head[c]
        while True:
            if n < 0:
                m, part = -1 - n, 1.0
            else:
                m = (entry >> 16) & _MATERIALS
                part = (entry & SHARES) / UNIT
            # one more than the share marks what was found
            if share[m] == 0.0:
                found[count] = m
                count += 1
                share[m] = 1.0
            share[m] += part * fx * fy * fz
            slope[m, 0] += part * sx
            slope[m, 1] += part * sy
            slope[m, 2] += part * sz
            if n < 0 or entry & LAST:
                break
            n += 1
            entry = np.int64(entries[n])
    for c in range(count):
        share[found[c]] -= 1.0
    return count


@njit(cache=True, nogil=True)
def gradients(code: Any, entries: Any, weight: Any, inverse: Any, points: Any, which: Any,
              values: Any, out: Any) -> None:  # fmt: skip
    """Write what `chosen` writes to ``values``, and its gradients to ``out`` (n, k, 3)."""
    share = np.zeros(weight.size)
    slope = np.zeros((weight.size, 3))
    found = np.empty(weight.size, np.int64)
    at, head = np.empty(8, np.int64), np.empty(8, np.int64)
    whole, g = np.empty(3), np.empty(3)
    for n in range(points.shape[0]):
        x, y, z = _index(inverse, points, n)
        count = _gather_slopes(code, entries, x, y, z, at, head, share, slope, found)
        total, most, best = _weigh(share, found, count, weight)
        whole[:] = 0.0
        for c in range(count):
            m = found[c]
            if m > 0:
                for d in range(3):
                    whole[d] += weight[m] * slope[m, d]
        for c in range(which.shape[1]):
            m = which[n, c]
            values[n, c] = 0.0
            if m > 0:
                values[n, c] = share[m] * weight[m] - most + total
            elif m == 0:
                values[n, c] = share[0]
            for d in range(3):
                g[d] = 0.0
                if m > 0:
                    g[d] = weight[m] * slope[m, d] + whole[d]
                    if best > 0:
                        g[d] -= weight[best] * slope[best, d]
                elif m == 0:
                    g[d] = slope[0, d]
            for d in range(3):
                out[n, c, d] = g[0] * inverse[0, d] + g[1] * inverse[1, d] + g[2] * inverse[2, d]
        for c in range(count):
            share[found[c]] = 0.0
            for d in range(3):
                slope[found[c], d] = 0.0


@njit(cache=True, nogil=True)
def materials(code: Any, entries: Any, weight: Any, inverse: Any, points: Any, out: Any) -> None:
    """Write the material with the largest indicator at world points (n, 3)."""
    share = np.zeros(weight.size)
    found = np.empty(weight.size, np.int64)
    at, head = np.empty(8, np.int64), np.empty(8, np.int64)
    for n in range(points.shape[0]):
        x, y, z = _index(inverse, points, n)
        count = _gather(code, entries, x, y, z, at, head, share, found)
        total, _, best = _weigh(share, found, count, weight)
        out[n] = best if total > share[0] else 0
        for c in range(count):
            share[found[c]] = 0.0


@njit(cache=True, nogil=True)
def sample_shares(code: Any, entries: Any, points: Any, n_materials: int) -> Any:
    """Return how many materials are at each point (voxel indices), which, and their shares."""
    share = np.zeros(n_materials)
    found = np.empty(n_materials, np.int64)
    at, head = np.empty(8, np.int64), np.empty(8, np.int64)
    number = np.empty(points.shape[0], np.int64)
    material, part = np.empty(8, np.int32), np.empty(8)
    used = 0
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        count = _gather(code, entries, x, y, z, at, head, share, found)
        if used + count > material.size:
            more, larger = np.empty(2 * (used + count), np.int32), np.empty(2 * (used + count))
            for c in range(used):  # a slice on the left would compile slowly
                more[c], larger[c] = material[c], part[c]
            material, part = more, larger
        for c in range(count):
            material[used + c] = found[c]
            part[used + c] = share[found[c]]
            share[found[c]] = 0.0
        used += count
        number[n] = count
    return number, material[:used].copy(), part[:used].copy()


@njit(cache=True, nogil=True)
def count_largest(first: Any, material: Any, part: Any, weight: Any, width: float, count: Any,
                  swaps: Any) -> None:  # fmt: skip
    """Count the points of `sample_shares` that each material wins.

    ``swaps`` counts, by winner and runner-up, those within ``width`` of changing hands (relative).
    """
    for n in range(first.size - 1):
        outside = total = most = second = 0.0
        best = other = 0
        for c in range(first[n], first[n + 1]):
            m = material[c]
            g = part[c] * weight[m]
            if m == 0:
                outside = part[c]
                continue
            total += g
            if g > most:
                second, other = most, best
                most, best = g, m
            elif g > second:
                second, other = g, m
        if total <= outside:
            count[0] += 1
            if best > 0 and outside < total * (1.0 + width):
                swaps[0, best] += 1
        else:
            count[best] += 1
            if total < outside * (1.0 + width):
                swaps[best, 0] += 1
            elif other > 0 and most < second * (1.0 + width):
                swaps[best, other] += 1


@njit(cache=True, nogil=True)
def largest_shares(code: Any, entries: Any, wanted: Any, n: int) -> Any:
    """Return the (flat) voxel with the largest share of each of ``n`` materials, -1 for none.

    ``wanted`` gives the number of each material, -1 for those not asked for.
    """
    best = np.zeros(n)
    where = np.full(n, -1, np.int64)
    flat = code.ravel()
    for v in range(flat.size):
        at = np.int64(flat[v])
        while True:
            if at < 0:
                m, share = -1 - at, UNIT
            else:
                entry = np.int64(entries[at])
                m, share = (entry >> 16) & _MATERIALS, float(entry & SHARES)
            w = wanted[m]
            if w >= 0 and share > best[w]:
                best[w] = share
                where[w] = v
            if at < 0 or entry & LAST:
                break
            at += 1
    return where


@njit(cache=True, nogil=True)
def winners(code: Any, entries: Any, weight: Any, out: Any) -> None:
    """Write the material that each voxel centre has."""
    flat, target = code.ravel(), out.ravel()
    for v in range(flat.size):
        at = np.int64(flat[v])
        if at < 0:
            target[v] = -1 - at
            continue
        outside = total = most = 0.0
        best = 0
        while True:
            entry = np.int64(entries[at])
            m = (entry >> 16) & _MATERIALS
            share = (entry & SHARES) * weight[m]
            if m == 0:
                outside = share
            else:
                total += share
                if share > most:
                    most, best = share, int(m)
            if entry & LAST:
                break
            at += 1
        target[v] = best if total > outside else 0
