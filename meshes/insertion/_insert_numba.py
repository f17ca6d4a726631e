"""Kernels of the insertion: finding equal tetrahedra and equal faces."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _place(row: Any, mask: int) -> Any:
    """Return where the search for a row begins in a table of ``mask + 1`` places."""
    h = np.uint64(1469598103934665603)
    for c in range(row.size):
        h = (h ^ np.uint64(row[c])) * np.uint64(1099511628211)
        h ^= h >> np.uint64(29)
    return np.int64(h & np.uint64(mask))


@njit(cache=True, nogil=True)
def match_rows(wanted: Any, rows: Any) -> Any:
    """Return for each of the ``wanted`` rows of integers the last equal one of ``rows``, or -1."""
    size = 16
    while size < 2 * rows.shape[0]:
        size *= 2
    table = np.full(size, -1, np.int64)
    for n in range(rows.shape[0]):
        at = _place(rows[n], size - 1)
        while table[at] >= 0 and not (rows[table[at]] == rows[n]).all():
            at = (at + 1) & (size - 1)
        table[at] = n
    found = np.full(wanted.shape[0], -1, np.int64)
    for n in range(wanted.shape[0]):
        at = _place(wanted[n], size - 1)
        while table[at] >= 0:
            if (rows[table[at]] == wanted[n]).all():
                found[n] = table[at]
                break
            at = (at + 1) & (size - 1)
    return found
