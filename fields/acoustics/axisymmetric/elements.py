"""Matrices of a layer of elements, its interior eliminated down to its two faces."""

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

    def term(left_z: Floats, right_z: Floats, left_r: Floats, right_r: Floats, w: Complexes) -> Complexes:
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
        Number of each of ``rim`` in the layer, (n_columns, len(rim)): upright edges, then the
        lower face, then the upper one.
    edges, face
        Count of unknowns inside upright edges and on one face.
    """

    inner: Ints
    rim: Ints
    shared: Ints
    edges: int
    face: int


def layout(order: int, columns: int) -> Layout:
    """Return the layout of layers of elements."""
    n = order + 1
    local = np.arange(n * n).reshape(n, n)
    rim = np.concatenate([local[1:-1, 0], local[1:-1, -1], local[0], local[-1]])
    edges, face = (columns + 1) * (order - 1), columns * order + 1
    c = np.arange(columns)[:, None]
    upright = c * (order - 1) + np.arange(2 * (order - 1))
    along = edges + c * order + np.arange(n)
    return Layout(
        inner=local[1:-1, 1:-1].ravel(),
        rim=rim,
        shared=np.concatenate([upright, along, along + face], axis=1),
        edges=edges,
        face=face,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Condensed:
    """A layer of elements as seen from its two faces.

    Attributes
    ----------
    matrix
        Matrix of its lower and upper face, (2 face, 2 face).
    load
        Loads seen there, (2 face, n_loads).
    inner, upright
        What unknowns inside elements, (n_columns, n_inner, n_rim + n_loads), and inside upright
        edges, (edges, 2 face + n_loads), answer to those around them and to the loads.
    layout
        Where they stand.
    """

    matrix: Complexes
    load: Complexes
    inner: Complexes
    upright: Complexes
    layout: Layout

    def recover(self, faces: Complexes) -> Complexes:
        """Return the values at the nodes of each element from those at the two faces.

        (2 face, n_loads) -> (n_columns, n_local, n_loads).
        """
        where = self.layout
        n_faces, n_rim = len(faces), len(where.rim)
        edges = self.upright[:, n_faces:] - self.upright[:, :n_faces] @ faces
        rim = np.concatenate([edges, faces])[where.shared]
        out = np.empty((len(rim), n_rim + len(where.inner), faces.shape[1]), complex)
        out[:, where.rim] = rim
        out[:, where.inner] = self.inner[..., n_rim:] - self.inner[..., :n_rim] @ rim
        return out


def condense(matrices: Complexes, loads: Complexes, where: Layout) -> Condensed:
    """Eliminate what is inside elements, then inside their upright edges.

    Parameters
    ----------
    matrices
        Of the elements, (n_columns, n, n, n, n).
    loads
        On their nodes, (n_columns, n * n, n_loads).
    where
        The layout.
    """
    columns, n_local = loads.shape[:2]
    full = np.concatenate([matrices.reshape(columns, n_local, n_local), loads], axis=2)
    outer = np.concatenate([where.rim, np.arange(n_local, full.shape[2])])
    inside, rim = full[:, where.inner], full[:, where.rim]
    inner = np.linalg.solve(inside[:, :, where.inner], inside[:, :, outer])
    rim = rim[:, :, outer] - rim[:, :, where.inner] @ inner
    n = where.edges + 2 * where.face
    total = np.zeros((n, n + loads.shape[2]), complex)
    extra = np.broadcast_to(np.arange(n, total.shape[1]), (columns, loads.shape[2]))
    across = np.concatenate([where.shared, extra], axis=1)
    for some in (slice(0, None, 2), slice(1, None, 2)):  # columns that share no unknown
        total[where.shared[some][:, :, None], across[some][:, None, :]] += rim[some]
    e = where.edges
    upright = np.linalg.solve(total[:e, :e], total[:e, e:])
    faces = total[e:, e:] - total[e:, :e] @ upright
    m = 2 * where.face
    return Condensed(
        matrix=faces[:, :m], load=faces[:, m:], inner=inner, upright=upright, layout=where
    )
