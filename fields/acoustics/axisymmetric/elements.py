"""Matrices of a layer of elements, what is inside each element eliminated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.acoustics.axisymmetric.grid import AxialGrid
from rheobase.fields.acoustics.grid.gll import lagrange, lagrange_slopes

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Ints = NDArray[np.intp]


def layer_matrices(grid: AxialGrid, layer: int, wavenumber: complex, density: float) -> Complexes:
    """Return the matrices of the elements of one layer, (n_columns, n, n, n, n).

    ∫ (r s_r s_z) [dr P dr q / s_r^2 + dz P dz q / s_z^2 - k^2 P q] / rho dr dz with the stretched r
    and s of the absorbing rims, by Gauss quadrature that is exact in a box; axes are (z, r) of the
    test function, then of the pressure.
    """
    n, m = grid.order + 1, grid.order + 2
    points, weights = np.polynomial.legendre.leggauss(m)
    value, slope = lagrange(grid.order, points), lagrange_slopes(grid.order, points)
    nodes = np.arange(grid.columns)[:, None] * grid.order + np.arange(n)
    faces = grid.faces[layer : layer + 2][:, nodes]  # (2, columns, n)
    half = 0.5 * np.diff(grid.breaks)[:, None, None]
    r = 0.5 * (grid.breaks[:-1] + grid.breaks[1:])[:, None, None] + half * points
    low, high = faces @ value.T
    low_x, high_x = faces @ slope.T
    part = 0.5 * (1.0 + points)[:, None]  # (z points, 1) against (columns, 1, r points)
    z = low[:, None] + part * (high - low)[:, None]
    z_t = 0.5 * (high - low)[:, None]
    shear = (low_x[:, None] + part * (high_x - low_x)[:, None]) / z_t
    far_r, s_r = grid.rim_r.stretch(r)
    _, s_z = grid.rim_z.stretch(z)
    base = far_r * weights * weights[:, None] / density
    in_r = base * s_z / s_r * z_t / half
    in_z = base * s_r / s_z * half / z_t
    mass = base * s_r * s_z * z_t * half

    def term(
        left_z: Floats, right_z: Floats, left_r: Floats, right_r: Floats, w: Complexes
    ) -> Complexes:
        of_r = np.einsum("qi,qk->qik", left_r, right_r).reshape(m, n * n)
        of_z = np.einsum("qj,ql->jlq", left_z, right_z).reshape(n * n, m)
        out: Complexes = (of_z @ (w @ of_r)).reshape(-1, n, n, n, n)  # (c, j, l, i, k)
        return out

    total = term(value, value, slope, slope, in_r)
    total += term(slope, slope, value, value, in_z + shear**2 * in_r)
    total -= wavenumber**2 * term(value, value, value, value, mass)
    if shear.any():
        cross = term(value, slope, slope, value, -shear * in_r)
        total += cross + cross.transpose(0, 2, 1, 4, 3)
    return total.transpose(0, 1, 3, 2, 4)


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """Where the unknowns of a layer of elements stand.

    Attributes
    ----------
    inner, rim
        Local numbers (of n * n, z first) of an element's own unknowns and of those it shares.
    shared
        Number of each of ``rim`` in the layer, (n_columns, len(rim)): the lower face, then upright
        edges, then the upper face.
    face, edges
        Count of unknowns on one face and inside upright edges.
    """

    inner: Ints
    rim: Ints
    shared: Ints
    face: int
    edges: int


def layout(order: int, columns: int) -> Layout:
    """Return the layout of layers of elements."""
    n = order + 1
    local = np.arange(n * n).reshape(n, n)
    edges, face = (columns + 1) * (order - 1), columns * order + 1
    c = np.arange(columns)[:, None]
    along = c * order + np.arange(n)
    upright = face + c * (order - 1) + np.arange(2 * (order - 1))
    return Layout(
        inner=local[1:-1, 1:-1].ravel(),
        rim=np.concatenate([local[0], local[1:-1, 0], local[1:-1, -1], local[-1]]),
        shared=np.concatenate([along, upright, along + face + edges], axis=1),
        face=face,
        edges=edges,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Condensed:
    """A layer of elements without the unknowns inside them.

    Attributes
    ----------
    matrix, load
        Of the unknowns that elements share, (n, n) and (n, n_loads).
    inner
        What the others answer to those around them and to the loads, for `recover`,
        (n_columns, n_inner, n_rim + n_loads).
    """

    matrix: Complexes
    load: Complexes
    inner: Complexes


def condense(matrices: Complexes, loads: Complexes, where: Layout) -> Condensed:
    """Eliminate what is inside elements.

    Parameters
    ----------
    matrices
        Of the elements, (n_columns, n, n, n, n).
    loads
        On their nodes, (n_columns, n * n, n_loads).
    where
        The layout.
    """
    columns, n_local, n_loads = loads.shape
    full = np.concatenate([matrices.reshape(columns, n_local, n_local), loads], axis=2)
    outer = np.concatenate([where.rim, np.arange(n_local, n_local + n_loads)])
    inside, rim = full[:, where.inner], full[:, where.rim]
    inner = np.linalg.solve(inside[:, :, where.inner], inside[:, :, outer])
    rim = rim[:, :, outer] - rim[:, :, where.inner] @ inner
    n = 2 * where.face + where.edges
    total: Complexes = np.zeros((n, n + n_loads), complex)
    extra = np.broadcast_to(np.arange(n, n + n_loads), (columns, n_loads))
    across = np.concatenate([where.shared, extra], axis=1)
    for some in (slice(0, None, 2), slice(1, None, 2)):  # columns that share no unknown
        total[where.shared[some][:, :, None], across[some][:, None, :]] += rim[some]
    return Condensed(matrix=total[:, :n], load=total[:, n:], inner=inner)


def recover(inner: Complexes, shared: Complexes, where: Layout) -> Complexes:
    """Return the values at the nodes of each element, (n_columns, n * n, n_loads).

    Parameters
    ----------
    inner
        Of the layer's `Condensed`.
    shared
        Values of the unknowns that elements share, (n, n_loads).
    where
        The layout.
    """
    n_rim = len(where.rim)
    rim = shared[where.shared]
    out = np.empty((len(rim), n_rim + len(where.inner), shared.shape[1]), complex)
    out[:, where.rim] = rim
    out[:, where.inner] = inner[..., n_rim:] - inner[..., :n_rim] @ rim
    return out
