"""Kernels that make the sparse image of a label image or of probability maps.

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
SHARES = np.int64(0xFFFF)


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
def smooth(column: Any, n_materials: int, kx: Any, ky: Any, kz: Any, margin: float, begin: int,
           end: int, code: Any) -> Any:  # fmt: skip
    """Smooth each material's 0/1 image with a separable kernel, in a slab of the image.

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
    begin, end
        First index of the slab along x, a multiple of ``BLOCK``, and the one after its last.
    code
        Written in the slab: as above, int32 of the image's shape.

    Returns
    -------
    ndarray
        The entries of the slab, uint32.
    """
    nx, ny, nz = column.shape
    rx, ry, rz = kx.size // 2, ky.size // 2, kz.size // 2
    entries = np.empty(1024, np.uint32)
    used = 0
    seen = np.zeros(n_materials, np.bool_)
    here = np.empty(n_materials, np.int64)
    a = np.empty((BLOCK + 2 * rx, BLOCK + 2 * ry, BLOCK), np.float32)
    b = np.empty((BLOCK + 2 * rx, BLOCK, BLOCK), np.float32)
    share = np.empty((4, BLOCK, BLOCK, BLOCK), np.float32)
    low = np.empty(3, np.int64)
    for i0 in range(begin, end, BLOCK):
        for j0 in range(0, ny, BLOCK):
            for k0 in range(0, nz, BLOCK):
                low[0], low[1], low[2] = i0, j0, k0
                ni, nj, nk = min(BLOCK, end - i0), min(BLOCK, ny - j0), min(BLOCK, nz - k0)
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
                for n in range(1, count):  # a few, in order
                    m, to = here[n], n
                    while to > 0 and here[to - 1] > m:
                        here[to] = here[to - 1]
                        to -= 1
                    here[to] = m
                if count > share.shape[0]:
                    share = np.empty((2 * count, BLOCK, BLOCK, BLOCK), np.float32)
                for n in range(count):
                    _convolve(column, here[n], low, kx, ky, kz, a, b, share[n])
                if used + count * BLOCK**3 > entries.size:
                    more = np.empty(2 * (used + count * BLOCK**3), np.uint32)
                    for n in range(used):  # a slice on the left would compile slowly
                        more[n] = entries[n]
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
                                whole = min(np.int64(f * UNIT + 0.5), SHARES)
                                if whole > 0:
                                    entries[used] = (here[n] << 16) | whole
                                    used += 1
                            if used == start + 1:
                                used = start
                                code[i0 + i, j0 + j, k0 + k] = -1 - (entries[start] >> 16)
                            else:
                                entries[used - 1] |= LAST
                                code[i0 + i, j0 + j, k0 + k] = start
    return entries[:used].copy()


@njit(cache=True, nogil=True)
def move(code: Any, first: int) -> None:
    """Let lists of entries begin ``first`` later."""
    for i in range(code.shape[0]):
        for j in range(code.shape[1]):
            for k in range(code.shape[2]):
                if code[i, j, k] >= 0:
                    code[i, j, k] += first


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
                    whole = min(np.int64(share[m] * UNIT + 0.5), SHARES)
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
def columns(voxels: Any, table: Any, out: Any, count: Any) -> None:
    """Write the material of each voxel and count the voxels of each."""
    source, target = voxels.ravel(), out.ravel()
    for n in range(source.size):
        m = table[source[n]]
        target[n] = m
        count[m] += 1
