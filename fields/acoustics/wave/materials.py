"""Materials of the elements of a window, and of the nodes of those that hold several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.acoustics.grid.columns import ColumnGrid
from rheobase.fields.acoustics.grid.gll import gll
from rheobase.fields.acoustics.media import Floats, LayeredMedium

Sampler = Callable[[Floats], Floats]
"""Points (n, 3) of the beam frame -> sound speed, density, loss, absorption (n, 4)."""

#: Points along each direction of the cell of a node at which a mixed material is averaged.
WITHIN = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Elementwise:
    """Material of the elements, shapes (L, Ey, Ex), and node by node where it varies in them.

    Parameters
    ----------
    sound_speed, density, loss, absorption
        m/s, kg/m³, Np/m, and the part of the loss that turns to heat (Np/m).
    at
        Where the nodes of an element begin in ``nodal``; -1 for elements of one material.
    nodal
        The four quantities at nodes of the others, shape (4, n).
    """

    sound_speed: Floats
    density: Floats
    loss: Floats
    absorption: Floats
    at: NDArray[np.int64]
    nodal: Floats

    def combined(
        self, rule: Callable[[Floats, Floats, Floats, Floats], Floats]
    ) -> tuple[Floats, Floats]:
        """Return a coefficient of the elements and of the nodes of the varying ones."""
        of_elements = rule(self.sound_speed, self.density, self.loss, self.absorption)
        return np.ascontiguousarray(of_elements), np.ascontiguousarray(rule(*self.nodal))


def fill(
    grid: ColumnGrid,
    medium: LayeredMedium,
    frequency: float,
    sampler: Sampler | None,
    sampled: NDArray[np.bool_],
) -> Elementwise:
    """Return the materials of a grid.

    Parameters
    ----------
    grid, medium, frequency
        Elements, the fluid of each region, Hz.
    sampler
        What is at points of the elements ``sampled``; None if there are none.
    sampled
        Elements whose material does not follow their region, shape (L, Ey, Ex).

    Raises
    ------
    InputError
        If what the sampler gives is not finite, or a sound speed or density is not above 0.
    """
    table = np.array([[*f.at(frequency), f.absorption(frequency)] for f in medium.fluids])
    shape = grid.elements
    of_layers = table[grid.region]
    whole = [np.broadcast_to(of_layers[:, i, None, None], shape).copy() for i in range(4)]
    at = np.full(shape, -1, np.int64)
    parts, begin = [np.empty((4, 0))], 0
    for layer in np.flatnonzero(sampled.any(axis=(1, 2))):
        if sampler is None:
            raise ValueError("elements are sampled, and there is no sampler")
        rows, columns = np.nonzero(sampled[layer])
        points = grid.element_points(int(layer), rows, columns)
        values = _checked(sampler(points.reshape(-1, 3)), points)
        varies = (np.ptp(values, axis=1) > 0).any(axis=-1)
        for i in range(4):
            whole[i][layer, rows, columns] = values[..., i].mean(axis=1)
        rows, columns = rows[varies], columns[varies]
        if len(rows):
            mixed = _averaged(grid, int(layer), rows, columns, sampler)
            at[layer, rows, columns] = begin + mixed.shape[2] * np.arange(len(rows))
            parts.append(mixed.reshape(4, -1))
            begin += parts[-1].shape[1]
    return Elementwise(
        sound_speed=whole[0], density=whole[1], loss=whole[2], absorption=whole[3],
        at=at, nodal=np.concatenate(parts, axis=1),
    )  # fmt: skip


def _checked(values: Floats, points: Floats) -> Floats:
    """Return what a sampler gave in the shape of the points, (elements, nodes, 4)."""
    values = np.asarray(values, dtype=np.float64).reshape(*points.shape[:-1], 4)
    for i, name in enumerate(("sound speed", "density", "loss", "absorption")):
        bad = ~np.isfinite(values[..., i]) | (values[..., i] < 0.0)
        if i < 2:
            bad |= values[..., i] == 0.0
        if bad.any():
            x, y, z = 1e3 * points[bad][0]
            raise InputError(
                f"expected a finite {name} {'> 0' if i < 2 else '>= 0'} everywhere, got "
                f"{values[..., i][bad][0]:g} at ({x:.1f}, {y:.1f}, {z:.1f}) mm of the beam frame"
            )
    return values


def _averaged(
    grid: ColumnGrid,
    layer: int,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    sampler: Sampler,
) -> Floats:
    """Return the mean material of the cells of nodes, shape (4, elements, nodes).

    Compressibility 1 / (rho c²), loss / (rho c) and density are averaged: along a stack of layers
    these are the exact means of waves that are long against it.
    """
    n, N = int(grid.orders[layer]), grid.order
    total = np.zeros((4, len(rows), (n + 1) * (N + 1) ** 2))
    lines = [_cells(n), _cells(N)]
    for k in range(WITHIN):
        for j in range(WITHIN):
            for i in range(WITHIN):
                where = lines[0][k], lines[1][j], lines[1][i]
                points = grid.element_points(layer, rows, columns, where)
                values = _checked(sampler(points.reshape(-1, 3)), points)
                c, rho, loss, absorbed = np.moveaxis(values, -1, 0)
                total += np.stack([1.0 / (rho * c**2), rho, loss / (rho * c), absorbed / (rho * c)])
    soft, rho, lost, absorbed = total / WITHIN**3
    c = 1.0 / np.sqrt(rho * soft)
    return np.stack([c, rho, lost * rho * c, absorbed * rho * c])


def _cells(order: int) -> Floats:
    """Return points in the cells of the nodes of a line: (WITHIN, order + 1), within -1 … 1."""
    weights = gll(order)[1]
    ends = np.concatenate([[0.0], np.cumsum(weights)]) - 1.0
    part = (np.arange(WITHIN) + 0.5) / WITHIN
    points: Floats = ends[:-1] + part[:, None] * weights
    return points
