"""Grids of straight columns of hexahedra, in layers that follow the interfaces of a medium."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase.fields.acoustics.grid.gll import differentiation, lagrange, nodes_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class ColumnGrid:
    """Hexahedra in columns along z; all nodes together are a dense array [z][y][x].

    x and y of an element go linearly with its own coordinates; z goes linearly between the two
    faces of its layer, whose heights are polynomials of the lateral order.

    Parameters
    ----------
    x, y
        Ends of the elements, equally spaced (m), shapes (Ex + 1,) and (Ey + 1,).
    order
        Order along x and y, 4 to 7.
    faces
        Heights of the faces of layers at the lateral nodes (m), shape (L + 1, ny, nx).
    orders
        Order of each layer along z, 1 to 7, shape (L,).
    region
        Region of the medium that each layer lies in, shape (L,).
    """

    x: Floats
    y: Floats
    order: int
    faces: Floats
    orders: Ints
    region: NDArray[np.intp]

    @property
    def elements(self) -> tuple[int, int, int]:
        """Elements along z, y and x."""
        return len(self.orders), len(self.y) - 1, len(self.x) - 1

    @cached_property
    def first(self) -> Ints:
        """First plane of nodes of each layer, and the last plane of all, shape (L + 1,)."""
        return np.concatenate([[0], np.cumsum(self.orders)]).astype(np.int32)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Nodes along z, y and x."""
        return int(self.first[-1]) + 1, *self.faces.shape[1:]  # type: ignore[return-value]

    @property
    def size(self) -> int:
        """Number of nodes."""
        return int(np.prod(self.shape))

    @cached_property
    def lateral_nodes(self) -> tuple[Floats, Floats]:
        """Lines of nodes along x and y (m), shapes (nx,) and (ny,)."""
        return nodes_of(self.x, self.order), nodes_of(self.y, self.order)

    @property
    def spacing(self) -> tuple[float, float]:
        """Size of the elements along x and y (m)."""
        return float(self.x[1] - self.x[0]), float(self.y[1] - self.y[0])

    @cached_property
    def depths(self) -> Floats:
        """Height of every node (m), shape (nz, ny, nx)."""
        z = np.empty(self.shape)
        for layer, n in enumerate(self.orders):
            part = nodes_of([0.0, 1.0], int(n))[:, None, None]
            low, high = self.faces[layer], self.faces[layer + 1]
            z[self.first[layer] : self.first[layer + 1] + 1] = low + part * (high - low)
        return z

    def points(self) -> Floats:
        """Return all nodes (m) in the beam frame, shape (nz * ny * nx, 3), x fastest."""
        x, y = self.lateral_nodes
        z = self.depths
        out = np.empty((*z.shape, 3))
        out[..., 0], out[..., 1], out[..., 2] = x, y[:, None], z
        return out.reshape(-1, 3)

    def slopes(self) -> tuple[Floats, Floats]:
        """Return dz/dxi and dz/deta of the faces by element (m), shapes (L+1, Ey, N+1, Ex, N+1)."""
        N, (_, ey, ex) = self.order, self.elements
        at = np.arange(ey)[:, None] * N + np.arange(N + 1)
        across = np.arange(ex)[:, None] * N + np.arange(N + 1)
        local = self.faces[:, at][:, :, :, across]  # (L+1, Ey, N+1, Ex, N+1)
        D = differentiation(N)
        along_x = np.einsum("im,lejfm->lejfi", D, local)
        along_y = np.einsum("jm,lemfi->lejfi", D, local)
        return along_x, along_y

    def locate(self, points: ArrayLike) -> Located:
        """Find the elements that hold points of the beam frame.

        Parameters
        ----------
        points
            Shape (n, 3), m.

        Returns
        -------
        Located
            Elements and basis functions; element -1 where a point is outside of the grid.
        """
        from rheobase.fields.acoustics.grid._columns_numba import find_layers

        p = np.ascontiguousarray(points, dtype=np.float64).reshape(-1, 3)
        N = self.order
        ix, bx = _across(self.x, p[:, 0], N)
        iy, by = _across(self.y, p[:, 1], N)
        layer, part = find_layers(self.faces, N, ix, iy, bx, by, p[:, 2])
        inside = (ix >= 0) & (iy >= 0) & (layer >= 0)
        bz = np.zeros((len(p), 8))
        for n in np.unique(self.orders):
            these = np.flatnonzero(inside & (self.orders[layer] == n))
            bz[these, : n + 1] = lagrange(int(n), 2.0 * part[these] - 1.0)
        return Located(
            grid=self, layer=np.where(inside, layer, -1), ix=ix, iy=iy, bx=bx, by=by, bz=bz
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Located:
    """Points in a grid: their elements, and the basis functions there."""

    grid: ColumnGrid
    layer: NDArray[np.int64]
    ix: NDArray[np.int64]
    iy: NDArray[np.int64]
    bx: Floats
    by: Floats
    bz: Floats

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Whether the points are in the grid, shape (n,)."""
        inside: NDArray[np.bool_] = self.layer >= 0
        return inside

    def sample(self, values: NDArray[np.complexfloating]) -> NDArray[np.complex128]:
        """Return nodal values (nz, ny, nx) at the points, NaN outside, shape (n,)."""
        from rheobase.fields.acoustics.grid._columns_numba import sample

        return sample(
            values, self.grid.order, self.grid.orders, self.grid.first, self.layer,
            self.ix, self.iy, self.bx, self.by, self.bz,
        )  # fmt: skip

    def scatter(self, strength: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return the sum of strengths times basis functions at the nodes, shape (nz, ny, nx)."""
        from rheobase.fields.acoustics.grid._columns_numba import scatter

        out = np.zeros(self.grid.shape, np.complex128)
        scatter(
            out, np.ascontiguousarray(strength, np.complex128), self.grid.order, self.grid.orders,
            self.grid.first, self.layer, self.ix, self.iy, self.bx, self.by, self.bz,
        )  # fmt: skip
        return out


def _across(ends: Floats, at: Floats, order: int) -> tuple[NDArray[np.int64], Floats]:
    """Return elements of a line (-1 outside) and their basis functions at places."""
    h = ends[1] - ends[0]
    local = (at - ends[0]) / h
    n = len(ends) - 1
    with np.errstate(invalid="ignore"):
        inside = (local >= -1e-9) & (local <= n + 1e-9)
    element = np.clip(np.where(inside, local, 0.0).astype(np.int64), 0, n - 1)
    basis = lagrange(order, 2.0 * (np.where(inside, local, 0.0) - element) - 1.0)
    return np.where(inside, element, -1), basis
