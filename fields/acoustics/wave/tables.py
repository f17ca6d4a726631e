"""The arrays of a window that the wave kernel works on, and how its nodes lie in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase.fields.acoustics.grid.gll import differentiation, gll
from rheobase.fields.acoustics.media import Floats
from rheobase.fields.acoustics.wave.window import AcousticWindow

Singles = NDArray[np.float32]
MOST = 7  # highest order; tables of orders have MOST + 1 columns
LINE = 64  # bytes of a cache line


def aligned(shape: tuple[int, ...]) -> Singles:
    """Return zeros at the start of a cache line."""
    size = int(np.prod(shape)) * 4
    raw = np.zeros(size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size].view(np.float32).reshape(shape)


@dataclass(frozen=True, slots=True)
class Packing:
    """How nodes (nz, ny, nx) lie in the kernel: [z][y][local x][element], padded.

    Parameters
    ----------
    nodes
        Nodes along z, y and x.
    order
        Order along x.
    pitch
        Elements of a line with padding.
    """

    nodes: tuple[int, int, int]
    order: int
    pitch: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of an array."""
        return *self.nodes[:2], self.order * self.pitch

    @property
    def strides(self) -> tuple[int, int]:
        """Distance in a line between elements, and between nodes of one."""
        return 1, self.pitch

    @property
    def column(self) -> NDArray[np.intp]:
        """Place in a line of each node along x, shape (nx,)."""
        i = np.arange(self.nodes[2])
        return (i % self.order) * self.pitch + i // self.order

    def line(self, values: Floats) -> Floats:
        """Return values of a line of nodes as they lie, 0 where padded."""
        out = np.zeros(self.shape[2])
        out[self.column] = values
        return out

    def pack(self, values: ArrayLike) -> Singles:
        """Return nodal values as the kernel has them, 0 where padded."""
        out = aligned(self.shape)
        out[..., self.column] = values
        return out

    def unpack(self, packed: Singles) -> Singles:
        """Return values of the kernel at the nodes, shape (nz, ny, nx)."""
        out: Singles = packed[..., self.column]
        return out

    def places(self, nodes: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return places in the kernel's arrays of flat node numbers."""
        line, x = np.divmod(nodes, self.nodes[2])
        return (line * self.order * self.pitch + self.column[x]).astype(np.int64)


def packing_of(window: AcousticWindow, lanes: int) -> Packing:
    """Return how the nodes of a window lie where ``lanes`` elements are taken at a time."""
    grid = window.grid
    return Packing(grid.shape, grid.order, -(-(grid.elements[2] + 1) // lanes) * lanes)


@cache
def _rule(which: int) -> Floats:
    """Return Gauss-Lobatto nodes (0) or weights (1) by order, shape (8, 8)."""
    table = np.zeros((MOST + 1, MOST + 1))
    for n in range(1, MOST + 1):
        table[n, : n + 1] = gll(n)[which]
    return table


def diagonals(window: AcousticWindow, packing: Packing) -> tuple[Singles, Singles]:
    """Return mass M and damping C as the kernel has them: losses, rim and outer sides together.

    M is the integral of 1/(rho c'^2), C that of 2 alpha/(rho c), of 2 sigma/(rho c'^2) in the rim
    and of 1/(rho c) over the outer sides (first-order absorbing boundary).
    """
    from rheobase.fields.acoustics.grid._columns_numba import lump_rim

    grid, materials, omega = window.grid, window.materials, window.omega
    mass, damping = aligned(packing.shape), aligned(packing.shape)
    lump_into(
        mass, packing.strides, window,
        *materials.combined(lambda c, rho, a, _: (c**-2.0 - (a / omega) ** 2) / rho),
    )  # fmt: skip
    lump_into(
        damping, packing.strides, window,
        *materials.combined(lambda c, rho, a, _: 2.0 * a / (rho * c)),
    )  # fmt: skip
    x, y, z = window.rim
    along = packing.line(x)
    for plane, at in enumerate(z):
        damping[plane] += 2.0 * mass[plane] * (at + y[:, None] + along)
    hx, hy = grid.spacing
    lump_rim(
        damping, packing.strides, grid.faces, grid.order, grid.orders, grid.first, _rule(1),
        0.5 * hx, 0.5 * hy, materials.combined(lambda c, rho, a, _: 1.0 / (rho * c))[0],
    )  # fmt: skip
    return mass, damping


def lumped(window: AcousticWindow, value: Floats, nodal: Floats) -> Floats:
    """Return the integrals of a coefficient times the basis functions, shape (nz, ny, nx)."""
    out = np.zeros(window.grid.shape)
    lump_into(out, (window.grid.order, 1), window, value, nodal)
    return out


def lump_into(
    out: NDArray[Any], strides: tuple[int, int], window: AcousticWindow, value: Floats,
    nodal: Floats,
) -> None:  # fmt: skip
    """Add the integrals of a coefficient times the basis functions."""
    from rheobase.fields.acoustics.grid._columns_numba import lump

    grid = window.grid
    hx, hy = grid.spacing
    lump(
        out, strides, grid.faces, grid.order, grid.orders, grid.first, _rule(1), 0.25 * hx * hy,
        value, window.materials.at, nodal,
    )  # fmt: skip


def stiffness(order: int, size: float) -> Floats:
    """Return W^-1 D^T W D (2 / size)^2 of a line of an element."""
    weights, D = gll(order)[1], differentiation(order)
    return (D.T * weights) @ D / weights[:, None] * (2.0 / size) ** 2


def blocks(window: AcousticWindow, lanes: int) -> tuple[Floats, NDArray[np.int64], int]:
    """Return the boxes' thickness by layer, where the other blocks' metric begins, and its length.

    A block is ``lanes`` elements of a row; -1 where all of it are boxes of one material each.
    Shapes (L,) and (L, Ey, blocks).
    """
    grid = window.grid
    layers, rows, elements = grid.elements
    even = np.median(np.diff(grid.faces, axis=0), axis=(1, 2))
    count = packing_of(window, lanes).pitch // lanes
    padded = np.ones((layers, rows, count * lanes), bool)
    padded[..., :elements] = _flat(window, even) & (window.materials.at < 0)
    boxes = padded.reshape(layers, rows, count, lanes).all(axis=-1)
    sizes = (grid.orders.astype(np.int64) + 1) * (grid.order + 1) ** 2 * 4 * lanes
    length = np.where(boxes, 0, sizes[:, None, None])
    begin = np.cumsum(length).reshape(length.shape) - length
    return even, np.where(boxes, -1, begin), int(length.sum())


def _flat(window: AcousticWindow, even: Floats) -> NDArray[np.bool_]:
    """Return which elements are boxes of their layer's common thickness, shape (L, Ey, Ex)."""
    grid = window.grid
    N, (_, ey, ex) = grid.order, grid.elements
    low, high = (
        _by_element(_by_element(grid.faces, N, ey, 1, ends), N, ex, 2, ends)
        for ends in (np.minimum, np.maximum)
    )
    margin = 1e-9 * even[:, None, None]
    level = high - low
    return (
        (level[:-1] <= margin)
        & (level[1:] <= margin)
        & (np.abs(high[1:] - high[:-1] - even[:, None, None]) <= margin)
    )


def _by_element(values: Floats, order: int, n: int, axis: int, ends: np.ufunc) -> Floats:
    """Return the least or largest of the nodes of each element along an axis."""
    values = np.moveaxis(values, axis, -1)
    out: Floats = ends.reduce([values[..., i : i + (n - 1) * order + 1 : order]
                               for i in range(order + 1)])  # fmt: skip
    return np.moveaxis(out, -1, axis)


def tables(window: AcousticWindow, lanes: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of a window that the kernel reads, by their name there."""
    from rheobase.fields.acoustics.grid._columns_numba import fill_metric

    grid, materials = window.grid, window.materials
    N, (layers, rows, elements) = grid.order, grid.elements
    hx, hy = grid.spacing
    even, metric_at, length = blocks(window, lanes)
    lightness, nodal = materials.combined(lambda c, rho, a, _: 1.0 / rho)
    metric = aligned((length,))
    if length:
        fill_metric(
            metric, metric_at, lanes, grid.faces, N, grid.orders, _rule(1), _rule(0),
            differentiation(N), 0.25 * hx * hy, lightness, materials.at, nodal,
        )  # fmt: skip
    inverse_density = aligned((layers, rows, packing_of(window, lanes).pitch))
    inverse_density[..., :elements] = lightness
    slopes_z, stiffness_z = np.zeros((2, layers, MOST + 1, MOST + 1), np.float32)
    weight_z = np.zeros((layers, MOST + 1), np.float32)
    for layer, n in enumerate(grid.orders.tolist()):
        slopes_z[layer, : n + 1, : n + 1] = differentiation(n)
        stiffness_z[layer, : n + 1, : n + 1] = stiffness(n, even[layer])
        weight_z[layer, : n + 1] = gll(n)[1] * 0.5 * even[layer]
    across = gll(N)[1]
    return {
        "order": np.ascontiguousarray(grid.orders, np.int32),
        "first": grid.first,
        "slopes": differentiation(N).astype(np.float32),
        "slopes_z": slopes_z,
        "stiffness_x": stiffness(N, hx).astype(np.float32),
        "stiffness_y": stiffness(N, hy).astype(np.float32),
        "stiffness_z": stiffness_z,
        "weight_xy": (np.outer(across, across) * 0.25 * hx * hy).astype(np.float32),
        "weight_z": weight_z,
        "inverse_density": inverse_density,
        "metric_at": metric_at,
        "metric": metric,
    }
