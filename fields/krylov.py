"""Conjugate gradients for a block of right-hand sides in lock-step.

Reference: Hestenes & Stiefel, J Res Natl Bur Stand 49:409 (1952), doi:10.6028/jres.049.044.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MAX_ITERATIONS = 500


def conjugate_gradients(
    apply: Callable[[Floats, Floats], None],
    precondition: Callable[[Floats, Floats], None],
    r: Floats,
    x: Floats,
    goal: Floats,
) -> NDArray[np.int64]:
    """Improve ``x`` until the residual of each column is small.

    The columns may belong to different matrices: each has its own scalars.

    Parameters
    ----------
    apply
        Writes A p into its second argument, both (n, k).
    precondition
        Writes the preconditioned first argument into the second.
    r
        Residual b - A x, shape (n, k); changed.
    x
        Start, shape (n, k); the solution afterwards.
    goal
        Norm of the residual to reach in each column, shape (k,).

    Returns
    -------
    ndarray, shape (k,)
        Iterations of each column.
    """
    from rheobase.fields import _multigrid_numba as kernel

    p, q, z = np.zeros_like(r), np.empty_like(r), np.empty_like(r)
    rz = np.ones(r.shape[1])
    iterations = np.zeros(r.shape[1], dtype=np.int64)
    open_ = np.sqrt(kernel.dots(r, r)) > goal
    while open_.any() and iterations.max() < _MAX_ITERATIONS:
        precondition(r, z)
        before, rz = rz, kernel.dots(r, z)
        kernel.turn(_ratio(rz, before, open_), z, p)
        apply(p, q)
        alpha = _ratio(rz, kernel.dots(p, q), open_)
        iterations[open_] += 1
        open_ = open_ & (np.sqrt(kernel.advance(alpha, p, q, x, r)) > goal)
    return iterations


def _ratio(a: Floats, b: Floats, where: NDArray[np.bool_]) -> Floats:
    """Return a/b, and 0 for the columns that are done."""
    return np.divide(a, b, out=np.zeros_like(a), where=where)
