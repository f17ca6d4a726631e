"""Putting a piece that was meshed anew in the place of what a mesh had there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Places:
    """Places of rows in an array after some were taken out and others put in.

    Parameters
    ----------
    kept
        Where each old row is now, -1 where it was taken out, shape (n_old,), int32.
    fresh
        Where each new row is, shape (n_new,), int32.
    n
        Number of rows now.
    """

    kept: NDArray[np.int32]
    fresh: NDArray[np.int32]
    n: int

    def fill(self, old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
        """Return the array with the new rows in place."""
        out = np.empty((self.n, *old.shape[1:]), old.dtype)
        stay = self.kept >= 0
        out[self.kept[stay]] = old[stay]
        out[self.fresh] = new
        return out


def places(stays: NDArray[np.bool_], n_new: int) -> Places:
    """Give new rows the places of those taken out, and move rows from the end into gaps.

    Parameters
    ----------
    stays
        Which old rows stay, shape (n_old,).
    n_new
        Number of new rows.

    Examples
    --------
    >>> p = places(np.array([True, False, True, True]), 2)
    >>> p.kept.tolist(), p.fresh.tolist(), p.n
    ([0, -1, 2, 3], [1, 4], 5)
    >>> p = places(np.array([False, False, True, True]), 1)
    >>> p.kept.tolist(), p.fresh.tolist(), p.n
    ([-1, -1, 2, 1], [0], 3)
    """
    n_old = len(stays)
    n = int(np.count_nonzero(stays)) + n_new
    gaps = np.flatnonzero(~stays)
    fresh = np.concatenate([gaps, np.arange(n_old, max(n, n_old))])[:n_new]
    kept = np.where(stays, np.arange(n_old), -1)
    last = np.flatnonzero(stays & (np.arange(n_old) >= n))
    kept[last] = gaps[n_new : n_new + len(last)]
    return Places(kept=kept.astype(np.int32), fresh=fresh.astype(np.int32), n=n)


def followed(kept: NDArray[np.int32], then: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return where rows are after two steps, -1 where they are gone."""
    return np.where(kept >= 0, then[kept], -1).astype(np.int32)
