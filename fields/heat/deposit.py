"""Power at points, as a load on the nodes of a mesh that loses nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._progress import track
from rheobase.meshes.locate import Locator
from rheobase.meshes.mesh import TetMesh

_CHUNK = 1_000_000  # points located at once


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Deposit:
    """Heat that a mesh takes up from points.

    Parameters
    ----------
    load
        Power at each node (W), shape (n_nodes,).
    inside, outside
        Power of the points inside and outside of the mesh (W); ``load`` sums to the first.
    n_outside
        Points with power outside of the mesh.
    """

    load: NDArray[np.float64]
    inside: float
    outside: float
    n_outside: int


def deposit(mesh: TetMesh, points: ArrayLike, power: ArrayLike) -> Deposit:
    """Share the power of points among the corners of their tetrahedra: quadrature of ∫ Q phi_i.

    Parameters
    ----------
    mesh
        The mesh.
    points
        Where power is absorbed (m), shape (n, 3): quadrature nodes of another discretisation.
    power
        Power of each (W), >= 0, shape (n,): density times quadrature weight.

    Raises
    ------
    InputError
        If a power is negative or not finite, or the shapes differ.
    """
    x, q = np.asarray(points, dtype=np.float64), np.asarray(power, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != 3 or q.shape != (len(x),):
        raise InputError(f"expected points (n, 3) and power (n,), got {x.shape} and {q.shape}")
    if not (np.isfinite(q).all() and (q >= 0).all()):
        bad = int(np.flatnonzero(~(np.isfinite(q) & (q >= 0)))[0])
        raise InputError(f"power must be finite and >= 0 W, got {q[bad]!r}: point {bad}")
    chosen = np.flatnonzero(q)
    locator = Locator(mesh)
    load = np.zeros(len(mesh.nodes))
    n_outside, outside = 0, 0.0
    starts = range(0, len(chosen), _CHUNK)
    for first in track(starts, "depositing heat", total=len(starts)):
        some = chosen[first : first + _CHUNK]
        tet, share = locator.locate(x[some])
        hit = tet >= 0
        n_outside += int(np.count_nonzero(~hit))
        outside += float(q[some][~hit].sum())
        weights = share[hit] * q[some][hit, None]
        load += np.bincount(mesh.tets[tet[hit]].ravel(), weights.ravel(), minlength=len(load))
    # a point on a face may have a coordinate of -1e-16
    return Deposit(
        load=np.maximum(load, 0.0),
        inside=float(q.sum()) - outside,
        outside=outside,
        n_outside=n_outside,
    )
