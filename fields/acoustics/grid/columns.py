"""Grids of straight columns of hexahedra, in layers that follow the interfaces of a medium."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase.fields.acoustics.grid.gll import (
    gll,
    lagrange,
    lagrange_slopes,
    nodes_of,
)

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
        return int(self.first[-1]) + 1, *self.faces.shape[1:]

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

    def depths(self, planes: NDArray[np.intp] | None = None) -> Floats:
        """Return the height of the nodes (m), shape (nz, ny, nx), or of some planes of them."""
        if planes is None:
            planes = np.arange(self.shape[0])
        layer = np.minimum(np.searchsorted(self.first, planes, "right") - 1, len(self.orders) - 1)
        part = np.concatenate(
            [*(nodes_of([0.0, 1.0], n)[:-1] for n in self.orders.tolist()), [1.0]]
        )[planes]
        low, high = self.faces[layer], self.faces[layer + 1]
        z: Floats = low + part[:, None, None] * (high - low)
        return z

    def points(
        self,
        planes: NDArray[np.intp] | None = None,
        rows: slice = slice(None),
        columns: slice = slice(None),
    ) -> Floats:
        """Return the nodes (m) of the beam frame, shape (nz, ny, nx, 3), or of a part of them."""
        x, y = self.lateral_nodes
        z = self.depths(planes)[:, rows, columns]
        out = np.empty((*z.shape, 3))
        out[..., 0], out[..., 1], out[..., 2] = x[columns], y[rows, None], z
        return out

    def element_points(
        self,
        layer: int,
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        where: tuple[Floats, Floats, Floats] | None = None,
    ) -> Floats:
        """Return points of elements of a layer (m), shape (elements, points, 3), x fastest.

        Parameters
        ----------
        layer, rows, columns
            The elements, by layer, row along y and place along x.
        where
            Own coordinates (-1 … 1) of the points along z, y and x; those of the nodes by default.
        """
        N, n = self.order, int(self.orders[layer])
        at = where or (gll(n)[0], gll(N)[0], gll(N)[0])
        local = self.faces[layer : layer + 2][
            :,
            (rows[:, None] * N + np.arange(N + 1))[:, :, None],
            (columns[:, None] * N + np.arange(N + 1))[:, None, :],
        ]
        across, along = lagrange(N, at[1]), lagrange(N, at[2])
        low, high = np.einsum("jm,il,feml->feji", across, along, local)[:, :, None]
        part = 0.5 * (1.0 + at[0])[:, None, None]
        out = np.empty((len(rows), len(at[0]), len(at[1]), len(at[2]), 3))
        out[..., 2] = low + part * (high - low)
        hx, hy = self.spacing
        out[..., 0] = (self.x[columns][:, None] + 0.5 * hx * (1.0 + at[2]))[:, None, None, :]
        out[..., 1] = (self.y[rows][:, None] + 0.5 * hy * (1.0 + at[1]))[:, None, :, None]
        return out.reshape(len(rows), -1, 3)

    def heights(self, x: Floats, y: Floats) -> Floats:
        """Return the heights of the faces (m) at places in the grid, shape (L + 1, n)."""
        (ix, xi), (iy, eta) = _across(self.x, x), _across(self.y, y)
        along = np.arange(self.order + 1)
        rows, columns = iy[:, None] * self.order + along, ix[:, None] * self.order + along
        bx, by = lagrange(self.order, xi), lagrange(self.order, eta)
        z: Floats = np.einsum(
            "lnji,nj,ni->ln", self.faces[:, rows[:, :, None], columns[:, None, :]], by, bx
        )
        return z

    def locate(self, points: ArrayLike) -> Located:
        """Find the elements that hold points of the beam frame.

        Parameters
        ----------
        points
            Shape (n, 3), m.

        Returns
        -------
        Located
            Their elements, and places in these.
        """
        from rheobase.fields.acoustics.grid._columns_numba import find_layers

        p = np.ascontiguousarray(points, dtype=np.float64).reshape(-1, 3)
        ix, xi = _across(self.x, p[:, 0])
        iy, eta = _across(self.y, p[:, 1])
        bx, by = lagrange(self.order, xi), lagrange(self.order, eta)
        layer, part = find_layers(self.faces, self.order, ix, iy, bx, by, p[:, 2])
        layer = np.where((ix >= 0) & (iy >= 0), layer, -1)
        local = np.stack([xi, eta, 2.0 * part - 1.0], axis=1)
        return Located(grid=self, layer=layer, ix=ix, iy=iy, local=local)


@dataclass(frozen=True, kw_only=True, eq=False)
class Located:
    """Points in a grid: their elements, and where they are in them.

    Parameters
    ----------
    grid
        The grid.
    layer, ix, iy
        Element of each point; the layer is -1 outside of the grid. Shape (n,).
    local
        Own coordinates of the element along x, y and z, -1 … 1, shape (n, 3).
    """

    grid: ColumnGrid
    layer: NDArray[np.int64]
    ix: NDArray[np.int64]
    iy: NDArray[np.int64]
    local: Floats

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Whether the points are in the grid, shape (n,)."""
        inside: NDArray[np.bool_] = self.layer >= 0
        return inside

    @cached_property
    def _lateral(self) -> tuple[Floats, Floats]:
        """Basis functions along x and y, shapes (n, N + 1)."""
        order = self.grid.order
        return lagrange(order, self.local[:, 0]), lagrange(order, self.local[:, 1])

    @cached_property
    def _upright(self) -> Floats:
        return self._of_layers(lagrange)

    def _of_layers(self, basis: Callable[[int, Floats], Floats]) -> Floats:
        """Return a basis along z, each point with its layer's order, shape (n, 8)."""
        out, orders = np.zeros((len(self.layer), 8)), self.grid.orders
        for n in np.unique(orders).tolist():
            these = np.flatnonzero(self.inside & (orders[self.layer] == n))
            out[these, : n + 1] = basis(n, self.local[these, 2])
        return out

    @property
    def _where(self) -> tuple[Any, ...]:
        grid = self.grid
        return grid.order, grid.orders, grid.first, self.layer, self.ix, self.iy

    def sample(self, values: NDArray[np.complexfloating]) -> NDArray[np.complex128]:
        """Return nodal values (nz, ny, nx) at the points, NaN outside, shape (n,)."""
        from rheobase.fields.acoustics.grid._columns_numba import sample

        found: NDArray[np.complex128] = sample(values, *self._where, *self._lateral, self._upright)
        return found

    def gradient(self, values: NDArray[np.complexfloating]) -> NDArray[np.complex128]:
        """Return the gradient of nodal values (nz, ny, nx) at the points, NaN outside: (n, 3)."""
        from rheobase.fields.acoustics.grid._columns_numba import sample, slope_of_faces

        grid, (bx, by), bz = self.grid, self._lateral, self._upright
        dx, dy = (lagrange_slopes(grid.order, self.local[:, i]) for i in (0, 1))
        dz = self._of_layers(lagrange_slopes)
        along = [
            sample(values, *self._where, *basis)
            for basis in ((dx, by, bz), (bx, dy, bz), (bx, by, dz))
        ]
        z_xi, z_eta, z_zeta = slope_of_faces(
            grid.faces, grid.order, self.layer, self.ix, self.iy, bx, by, dx, dy, self.local[:, 2]
        )
        hx, hy = grid.spacing
        upright = along[2] / z_zeta
        return np.stack(
            [(along[0] - z_xi * upright) * 2 / hx, (along[1] - z_eta * upright) * 2 / hy, upright],
            axis=1,
        )

    def scatter(self, strength: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return the sum of strengths times basis functions at the nodes, shape (nz, ny, nx)."""
        from rheobase.fields.acoustics.grid._columns_numba import scatter

        out = np.zeros(self.grid.shape, np.complex128)
        given = np.ascontiguousarray(strength, np.complex128)
        scatter(out, given, *self._where, *self._lateral, self._upright)
        return out

    def nodes(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
        """Return number of point, flat number of node and weight of each value that points take."""
        grid, (bx, by), bz = self.grid, self._lateral, self._upright
        N, (_, ny, nx) = grid.order, grid.shape
        points = np.flatnonzero(self.inside)
        i = np.arange(N + 1)
        z = grid.first[self.layer[points]][:, None].astype(np.intp) + np.arange(8)
        y, x = self.iy[points][:, None] * N + i, self.ix[points][:, None] * N + i
        node = (z[:, :, None, None] * ny + y[:, None, :, None]) * nx + x[:, None, None, :]
        weight = np.einsum("pk,pj,pi->pkji", bz[points], by[points], bx[points])
        point = np.broadcast_to(points[:, None, None, None], weight.shape)
        keep = weight != 0.0
        return point[keep], node[keep], weight[keep]


def _across(ends: Floats, at: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Return elements of a line (-1 outside) and own coordinates -1 … 1 of places."""
    h = ends[1] - ends[0]
    local = (at - ends[0]) / h
    n = len(ends) - 1
    with np.errstate(invalid="ignore"):
        inside = (local >= -1e-9) & (local <= n + 1e-9)
    element = np.clip(np.where(inside, local, 0.0).astype(np.int64), 0, n - 1)
    xi: Floats = np.asarray(2.0 * (np.where(inside, local, 0.0) - element) - 1.0, np.float64)
    return np.where(inside, element, -1), xi
