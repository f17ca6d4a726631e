"""Kernels that smooth a label image sparsely, and evaluate what comes out.

A voxel holds either one material (a negative code, -1 - material) or a list of (material, share):
the code is then where its list begins. An entry is one integer, with the material in its upper
half, the share (of 65535) in its lower half, and the highest bit set in the last one of a list.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

#: Voxels along the edge of the blocks that are smoothed together.
BLOCK = 16
#: Shares are stored in units of 1/65535.
UNIT = 65535.0
LAST = np.int64(1) << 31

_SHARES = np.int64(0xFFFF)
_MATERIALS = np.int64(0x7FFF)


@njit(cache=True, nogil=True)
def _convolve(column: Any, material: int, low: Any, kx: Any, ky: Any, kz: Any, a: Any, b: Any,
              out: Any) -> None:  # fmt: skip
    """Smooth the 0/1 image of ``material`` in the block that begins at ``low``."""
    rx, ry, rz = kx.size // 2, ky.size // 2, kz.size // 2
    nx, ny, nz = column.shape
    mx, my, mz = out.shape
    # along z first, where voxels are neighbours in memory
    for i in range(mx + 2 * rx):
        p = min(max(low[0] + i - rx, 0), nx - 1)
        for j in range(my + 2 * ry):
            q = min(max(low[1] + j - ry, 0), ny - 1)
            for k in range(mz):
                a[i, j, k] = np.float32(0.0)
            for k in range(mz + 2 * rz):
                if column[p, q, min(max(low[2] + k - rz, 0), nz - 1)] == material:
                    for s in range(max(0, k - 2 * rz), min(mz, k + 1)):
                        a[i, j, s] += kz[k - s]
    for i in range(mx + 2 * rx):
        for j in range(my):
            for k in range(mz):
                b[i, j, k] = np.float32(0.0)
            for s in range(2 * ry + 1):
                w = ky[s]
                for k in range(mz):
                    b[i, j, k] += w * a[i, j + s, k]
    for i in range(mx):
        for j in range(my):
            for k in range(mz):
                out[i, j, k] = np.float32(0.0)
        for s in range(2 * rx + 1):
            w = kx[s]
            for j in range(my):
                for k in range(mz):
                    out[i, j, k] += w * b[i + s, j, k]


@njit(cache=True, nogil=True)
def _covered(column: Any, i: int, j: int, k: int) -> bool:
    """Return whether the voxel is in a block of 2 x 2 x 2 voxels of its material."""
    nx, ny, nz = column.shape
    m = column[i, j, k]
    for p in range(max(0, i - 1), min(nx - 1, i + 1)):
        for q in range(max(0, j - 1), min(ny - 1, j + 1)):
            for r in range(max(0, k - 1), min(nz - 1, k + 1)):
                if (
                    column[p, q, r] == m
                    and column[p, q, r + 1] == m
                    and column[p, q + 1, r] == m
                    and column[p, q + 1, r + 1] == m
                    and column[p + 1, q, r] == m
                    and column[p + 1, q, r + 1] == m
                    and column[p + 1, q + 1, r] == m
                    and column[p + 1, q + 1, r + 1] == m
                ):
                    return True
    return False


@njit(cache=True, nogil=True)
def _pieces(inside: Any, full: bool) -> int:
    """Count the parts of ``inside`` (27 flags) around the middle, joined by faces or (full) all.

    Of face-joined parts only those that touch a face of the middle count, and corners are left
    out: the two numbers of a simple point (Bertrand & Malandain 1994).
    """
    left = inside.copy()
    left[13] = False
    if not full:
        for n in range(27):
            if (n // 9 != 1) + (n // 3 % 3 != 1) + (n % 3 != 1) == 3:
                left[n] = False
    stack = np.empty(27, np.int64)
    count = 0
    for start in range(27):
        if not left[start]:
            continue
        left[start] = False
        stack[0] = start
        depth, touches = 1, full
        while depth > 0:
            depth -= 1
            n = stack[depth]
            x, y, z = n // 9, n // 3 % 3, n % 3
            touches = touches or (x != 1) + (y != 1) + (z != 1) == 1
            for m in range(27):
                if left[m]:
                    dx, dy, dz = abs(m // 9 - x), abs(m // 3 % 3 - y), abs(m % 3 - z)
                    if max(dx, dy, dz) == 1 and (full or dx + dy + dz == 1):
                        left[m] = False
                        stack[depth] = m
                        depth += 1
        count += touches
    return count


@njit(cache=True, nogil=True)
def _thin(column: Any, i: int, j: int, k: int) -> bool:
    """Return whether the voxel belongs to a sheet, a thread or a speck of one voxel.

    A bump on something thicker is none: taking it away would change nothing else.
    """
    if _covered(column, i, j, k):
        return False
    nx, ny, nz = column.shape
    same = np.zeros(27, np.bool_)
    thick = False
    for n in range(27):
        p, q, r = i + n // 9 - 1, j + n // 3 % 3 - 1, k + n % 3 - 1
        if 0 <= p < nx and 0 <= q < ny and 0 <= r < nz and column[p, q, r] == column[i, j, k]:
            same[n] = True
            thick = thick or (n != 13 and _covered(column, p, q, r))
    return not (thick and _pieces(same, True) == 1 and _pieces(~same, False) == 1)


@njit(cache=True, nogil=True)
def smooth(column: Any, n_materials: int, kx: Any, ky: Any, kz: Any, margin: float) -> Any:
    """Smooth each material's 0/1 image with a separable kernel.

    Parameters
    ----------
    column
        Material of each voxel, shape (nx, ny, nz); its borders repeat outwards.
    n_materials
        Number of materials; 0 is the outside.
    kx, ky, kz
        Kernel along each axis (odd lengths, sum 1), float32.
    margin
        By how much a voxel of a sheet, a thread or a speck keeps the largest share.

    Returns
    -------
    code, entries
        As above; int32 of the image's shape, and uint32.
    """
    nx, ny, nz = column.shape
    rx, ry, rz = kx.size // 2, ky.size // 2, kz.size // 2
    code = np.empty(column.shape, np.int32)
    entries = np.empty(1024, np.uint32)
    used = 0
    seen = np.zeros(n_materials, np.bool_)
    here = np.empty(n_materials, np.int64)
    a = np.empty((BLOCK + 2 * rx, BLOCK + 2 * ry, BLOCK), np.float32)
    b = np.empty((BLOCK + 2 * rx, BLOCK, BLOCK), np.float32)
    share = np.empty((4, BLOCK, BLOCK, BLOCK), np.float32)
    low = np.empty(3, np.int64)
    for i0 in range(0, nx, BLOCK):
        for j0 in range(0, ny, BLOCK):
            for k0 in range(0, nz, BLOCK):
                low[0], low[1], low[2] = i0, j0, k0
                ni, nj, nk = min(BLOCK, nx - i0), min(BLOCK, ny - j0), min(BLOCK, nz - k0)
                count = 0
                for i in range(max(0, i0 - rx), min(nx, i0 + ni + rx)):
                    for j in range(max(0, j0 - ry), min(ny, j0 + nj + ry)):
                        for k in range(max(0, k0 - rz), min(nz, k0 + nk + rz)):
                            m = column[i, j, k]
                            if not seen[m]:
                                seen[m] = True
                                here[count] = m
                                count += 1
                for n in range(count):
                    seen[here[n]] = False
                if count == 1:
                    for i in range(i0, i0 + ni):
                        for j in range(j0, j0 + nj):
                            for k in range(k0, k0 + nk):
                                code[i, j, k] = -1 - here[0]
                    continue
                here[:count] = np.sort(here[:count])
                if count > share.shape[0]:
                    share = np.empty((2 * count, BLOCK, BLOCK, BLOCK), np.float32)
                for n in range(count):
                    _convolve(column, here[n], low, kx, ky, kz, a, b, share[n])
                if used + count * BLOCK**3 > entries.size:
                    more = np.empty(2 * (used + count * BLOCK**3), np.uint32)
                    more[:used] = entries[:used]
                    entries = more
                for i in range(ni):
                    for j in range(nj):
                        for k in range(nk):
                            own = column[i0 + i, j0 + j, k0 + k]
                            mine = outside = other = 0.0
                            for n in range(count):
                                f = share[n, i, j, k]
                                if here[n] == 0:
                                    outside = f
                                if here[n] == own:
                                    mine = f
                                elif here[n] != 0 and f > other:
                                    other = f
                            keep = 0.0  # part of the voxel's own image that is not smoothed
                            if margin > 0.0:
                                if own == 0:
                                    if mine < 0.5 * (1.0 + margin):
                                        keep = (0.5 * (1.0 + margin) - mine) / (1.0 - mine)
                                else:
                                    if mine - other < margin:
                                        keep = (margin + other - mine) / (1.0 + other - mine)
                                    if 2.0 * outside > 1.0 - margin:
                                        keep = max(keep, 1.0 - (1.0 - margin) / (2.0 * outside))
                                if keep > 0.0 and not _thin(column, i0 + i, j0 + j, k0 + k):
                                    keep = 0.0
                            start = used
                            for n in range(count):
                                f = (1.0 - keep) * share[n, i, j, k]
                                if here[n] == own:
                                    f += keep
                                whole = min(np.int64(f * UNIT + 0.5), _SHARES)
                                if whole > 0:
                                    entries[used] = (here[n] << 16) | whole
                                    used += 1
                            if used == start + 1:
                                used = start
                                code[i0 + i, j0 + j, k0 + k] = -1 - (entries[start] >> 16)
                            else:
                                entries[used - 1] |= LAST
                                code[i0 + i, j0 + j, k0 + k] = start
    return code, entries[:used].copy()


@njit(cache=True, nogil=True)
def pack(maps: Any, order: Any, code: Any, entries: Any) -> int:
    """Store probability maps (nx, ny, nz, n) of the materials ``order``; the rest is outside.

    Counts the entries only if ``entries`` is empty.
    """
    nx, ny, nz, n = maps.shape
    used = 0
    fill = entries.size > 0
    share = np.empty(n + 1)
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                total = 0.0
                for m in range(n):
                    share[m + 1] = min(max(maps[i, j, k, m], 0.0), 1.0)
                    total += share[m + 1]
                for m in range(n):
                    share[m + 1] /= max(total, 1.0)
                share[0] = max(0.0, 1.0 - total)
                start = used
                first = 0
                for m in range(n + 1):
                    whole = min(np.int64(share[m] * UNIT + 0.5), _SHARES)
                    if whole > 0:
                        material = order[m - 1] if m else 0
                        if used == start:
                            first = material
                        if fill:
                            entries[used] = (material << 16) | whole
                        used += 1
                if used <= start + 1:
                    used = start
                    code[i, j, k] = -1 - first
                else:
                    if fill:
                        entries[used - 1] |= LAST
                    code[i, j, k] = start
    return used


@njit(cache=True, nogil=True)
def _gather(code: Any, entries: Any, x: float, y: float, z: float, share: Any, found: Any) -> int:
    """Add up the shares of the materials at a point (voxel indices); list which have any.

    ``share`` (n_materials,) must come as zeros; the caller clears what it finds in ``found``.
    """
    nx, ny, nz = code.shape
    x = min(max(x, 0.0), nx - 1.0)
    y = min(max(y, 0.0), ny - 1.0)
    z = min(max(z, 0.0), nz - 1.0)
    i, j, k = min(int(x), nx - 2), min(int(y), ny - 2), min(int(z), nz - 2)
    u, v, w = x - i, y - j, z - k
    first = code[i, j, k]
    if (
        first < 0
        and first == code[i, j, k + 1]
        and first == code[i, j + 1, k]
        and first == code[i, j + 1, k + 1]
        and first == code[i + 1, j, k]
        and first == code[i + 1, j, k + 1]
        and first == code[i + 1, j + 1, k]
        and first == code[i + 1, j + 1, k + 1]
    ):
        found[0] = -1 - first
        share[found[0]] = 1.0
        return 1
    count = 0
    for di in range(2):
        for dj in range(2):
            for dk in range(2):
                weight = (u if di else 1.0 - u) * (v if dj else 1.0 - v) * (w if dk else 1.0 - w)
                if weight == 0.0:
                    continue
                n = np.int64(code[i + di, j + dj, k + dk])
                if n < 0:
                    m = -1 - n
                    if share[m] == 0.0:
                        found[count] = m
                        count += 1
                    share[m] += weight
                    continue
                weight /= UNIT
                while True:
                    entry = np.int64(entries[n])
                    m = (entry >> 16) & _MATERIALS
                    if share[m] == 0.0:
                        found[count] = m
                        count += 1
                    share[m] += weight * (entry & _SHARES)
                    if entry & LAST:
                        break
                    n += 1
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
    for n in range(points.shape[0]):
        x, y, z = _index(inverse, points, n)
        count = _gather(code, entries, x, y, z, share, found)
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
def _gather_slopes(code: Any, entries: Any, x: float, y: float, z: float, share: Any, slope: Any,
                   found: Any) -> int:  # fmt: skip
    """Do what `_gather` does, and the derivatives along the voxel axes (n_materials, 3) too."""
    nx, ny, nz = code.shape
    x = min(max(x, 0.0), nx - 1.0)
    y = min(max(y, 0.0), ny - 1.0)
    z = min(max(z, 0.0), nz - 1.0)
    i, j, k = min(int(x), nx - 2), min(int(y), ny - 2), min(int(z), nz - 2)
    u, v, w = x - i, y - j, z - k
    count = 0
    for di in range(2):
        for dj in range(2):
            for dk in range(2):
                fx, fy, fz = u if di else 1.0 - u, v if dj else 1.0 - v, w if dk else 1.0 - w
                sx = fy * fz * (1.0 if di else -1.0)
                sy = fx * fz * (1.0 if dj else -1.0)
                sz = fx * fy * (1.0 if dk else -1.0)
                n = np.int64(code[i + di, j + dj, k + dk])
                while True:
                    if n < 0:
                        m, part = -1 - n, 1.0
                    else:
                        entry = np.int64(entries[n])
                        m = (entry >> 16) & _MATERIALS
                        part = (entry & _SHARES) / UNIT
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
    whole, g = np.empty(3), np.empty(3)
    for n in range(points.shape[0]):
        x, y, z = _index(inverse, points, n)
        count = _gather_slopes(code, entries, x, y, z, share, slope, found)
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
    for n in range(points.shape[0]):
        x, y, z = _index(inverse, points, n)
        count = _gather(code, entries, x, y, z, share, found)
        total, _, best = _weigh(share, found, count, weight)
        out[n] = best if total > share[0] else 0
        for c in range(count):
            share[found[c]] = 0.0


@njit(cache=True, nogil=True)
def sample_shares(code: Any, entries: Any, points: Any, first: Any, material: Any, part: Any,
                  n_materials: int) -> int:  # fmt: skip
    """Write the materials and shares at points (voxel indices); count only if they are empty."""
    share = np.zeros(n_materials)
    found = np.empty(n_materials, np.int64)
    used = 0
    for n in range(points.shape[0]):
        count = _gather(code, entries, points[n, 0], points[n, 1], points[n, 2], share, found)
        for c in range(count):
            if material.size > 0:
                material[used + c] = found[c]
                part[used + c] = share[found[c]]
            share[found[c]] = 0.0
        used += count
        first[n + 1] = used
    return used


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
                m, share = (entry >> 16) & _MATERIALS, float(entry & _SHARES)
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
            share = (entry & _SHARES) * weight[m]
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


@njit(cache=True, nogil=True)
def neighbours(column: Any, n: int) -> Any:
    """Return which of ``n`` materials have voxels that share a face, an edge or a corner."""
    nx, ny, nz = column.shape
    near = np.zeros((n, n), np.bool_)
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                a = column[i, j, k]
                # half of the 26 neighbours: those that come later
                for di in range(2):
                    for dj in range(-1 if di else 0, 2):
                        for dk in range(-1 if di or dj > 0 else 1, 2):
                            p, q, r = i + di, j + dj, k + dk
                            if p < nx and 0 <= q < ny and 0 <= r < nz:
                                b = column[p, q, r]
                                if b != a:
                                    near[a, b] = near[b, a] = True
    return near


@njit(cache=True, nogil=True)
def columns(voxels: Any, table: Any, lowest: int, out: Any, count: Any) -> None:
    """Write the material of each voxel and count the voxels of each."""
    source, target = voxels.ravel(), out.ravel()
    for n in range(source.size):
        m = table[source[n] - lowest]
        target[n] = m
        count[m] += 1
