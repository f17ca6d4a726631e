"""Few line elements with the field of a coil.

A coil's thousands of elements and dipoles make a field that is smooth away from them. One current
element stands in each cell of a lattice that the coil passes through, where the coil passes through
it (a dipole passes where a ring around it does); their strengths are fitted to A all around the
coil. A is harmonic beyond and falls off, so by the maximum principle the largest misfit all around
is the largest anywhere beyond; points that took no part in the fit tell how large it is (equivalent
sources; Ying, Biros & Zorin, J Comput Phys 196:591 (2004), doi:10.1016/j.jcp.2003.11.021).
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.coils.coil import Coil
from rheobase.fields.spheres import MU0_OVER_4PI
from rheobase.fields.targeting.distance import grid_points

CELL = 0.008  # edge of the lattice (m)
AWAY = 0.010  # from the copper to where the field is fitted (m): casing, hair and scalp lie between
_HELD_OUT = 4


@lru_cache(maxsize=32)
def equivalent(coil: Coil, *, cell: float = CELL, away: float = AWAY) -> tuple[Coil, float]:
    """Return a coil of few line elements with the same field.

    Parameters
    ----------
    coil
        Line elements and dipoles.
    cell
        Edge of the lattice (m): one element in each occupied cell.
    away
        Distance from the elements (m) from which on the field is the same.

    Returns
    -------
    Coil
        In the frame of ``coil``, with its outline and name.
    error : float
        Largest difference of A at held-out points at that distance, relative to the largest |A|.

    Raises
    ------
    InputError
        If the coil has a field sampled on a grid: it has no elements there.
    """
    from scipy.linalg import cho_factor, cho_solve

    if coil.sampled:
        raise InputError(
            f"expected a coil of line elements or dipoles, got a sampled field: {coil.name!r}"
        )
    at = np.concatenate([coil.positions, _rings(coil, 0.5 * cell)])
    index = np.floor(at / cell).astype(np.int64)
    _, member = np.unique(index, axis=0, return_inverse=True)
    member = member.reshape(-1)
    count = np.bincount(member)
    places = np.stack([np.bincount(member, x) / count for x in at.T], axis=1)
    around = _around(at, cell, away)
    A = coil.vector_potential(around)
    G = MU0_OVER_4PI / np.linalg.norm(around[:, None] - places, axis=2)
    check = np.arange(len(around)) % _HELD_OUT == 0
    fit = G[~check]
    normal = fit.T @ fit
    normal[np.diag_indices_from(normal)] += 1e-12 * np.trace(normal)
    segments = cho_solve(cho_factor(normal), fit.T @ A[~check])
    error = np.linalg.norm(G[check] @ segments - A[check], axis=1).max()
    none = np.empty((0, 3))
    few = replace(coil, positions=places, segments=segments, dipoles=none, moments=none)
    return few, float(error / np.linalg.norm(A[check], axis=1).max())


def _rings(coil: Coil, radius: float) -> NDArray[np.float64]:
    """Return four points around each dipole: it is a small ring of current, shape (4 n, 3)."""
    some = coil.moments.any(axis=1)
    at, m = coil.dipoles[some], coil.moments[some]
    across = np.cross(m, np.eye(3)[np.abs(m).argmin(axis=1)])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    other = np.cross(m, across)
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    return np.concatenate([at + radius * turn for turn in (across, -across, other, -other)])


def _around(at: NDArray[np.float64], cell: float, away: float) -> NDArray[np.float64]:
    """Return points about ``away`` from the nearest of ``at``, one in each cell of a lattice."""
    from scipy.spatial import cKDTree

    step = 0.75 * cell
    margin = away + 2 * step
    grid, _ = grid_points(at.min(axis=0) - margin, at.max(axis=0) + margin, step)
    tree: Any = cKDTree(at)
    distance, nearest = tree.query(grid)
    shell = (distance > away - 0.87 * step) & (distance < away + 0.87 * step)
    out = (grid[shell] - at[nearest[shell]]) / distance[shell, None]
    points: NDArray[np.float64] = at[nearest[shell]] + away * out
    apart: NDArray[np.float64] = tree.query(points)[0]
    return points[apart > 0.999 * away]
