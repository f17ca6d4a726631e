"""Materials of the elements of a window, and of the nodes of those that hold several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.acoustics.grid.columns import ColumnGrid
from rheobase.fields.acoustics.grid.gll import gll, lagrange
from rheobase.fields.acoustics.media import Floats, LayeredMedium

Sampler = Callable[[Floats], Floats]
"""Points (n, 3) of the beam frame -> sound speed, density, loss, absorption (n, 4)."""

#: Parts of a mixed element along the column and across it: interfaces mostly lie across the column.
ALONG, ACROSS = 48, 12
#: Points sampled at a time.
MANY = 2_000_000
#: Coefficients of nodes may fall to this part of the element's least. With 1 waves behind a slab
#: (normal incidence) are off by three times as much, with 0.25 the time step must be 0.7 as long.
LEAST = 0.5


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
    """Return the material of the nodes of mixed elements, shape (4, elements, nodes).

    Compressibility 1 / (rho c²), loss / (rho c) and density are integrated over the parts of an
    element times each basis function, and divided by its weight: Gauss-Lobatto sums of them times
    any polynomial of the element's order are then exact. (The flux grad p / rho is the smooth one
    across an interface: it is density, not its inverse, that goes with it.) Means over the cells
    of nodes keep the mean only.
    """
    n, N = int(grid.orders[layer]), grid.order
    (z, to_z), (x, to_x) = _parts(n, ALONG), _parts(N, ACROSS)
    out = np.empty((4, len(rows), (n + 1) * (N + 1) ** 2))
    some = max(1, MANY // (ALONG * ACROSS**2))
    for start in range(0, len(rows), some):
        chosen = slice(start, start + some)
        points = grid.element_points(layer, rows[chosen], columns[chosen], (z, x, x))
        values = _checked(sampler(points.reshape(-1, 3)), points)
        c, rho, loss, absorbed = np.moveaxis(values, -1, 0)
        fastest, count = c.max(axis=1, keepdims=True), len(c)
        parts = np.stack([rho, 1.0 / (rho * c**2), loss / (rho * c), absorbed / (rho * c)])
        least = LEAST * parts.min(axis=2, keepdims=True)
        parts = parts.reshape(4, count, ALONG, ACROSS, ACROSS)
        for matrix in (to_x, to_x, to_z):  # x, y and then z go to the front
            parts = np.moveaxis(np.tensordot(parts, matrix, (-1, 0)), -1, 2)
        rho, soft, lost, absorbed = parts.reshape(4, count, -1)
        weights = np.einsum("k,j,i->kji", gll(n)[1], gll(N)[1], gll(N)[1]).ravel() / 8.0
        rho = _raised(rho, least[0], weights)
        soft = _raised(soft, LEAST / (rho * fastest**2), weights)
        lost, absorbed = (
            _raised(a, b, weights) for a, b in ((lost, least[2]), (absorbed, least[3]))
        )
        c = 1.0 / np.sqrt(rho * soft)
        out[:, chosen] = c, rho, lost * rho * c, absorbed * rho * c
    return out


def _parts(order: int, count: int) -> tuple[Floats, Floats]:
    """Return the middles of equal parts of -1 … 1, and means of the basis on them over weights.

    The second, (count, order + 1), takes values of the parts to those of the nodes.
    """
    ends = np.linspace(-1.0, 1.0, count + 1)
    middles = 0.5 * (ends[1:] + ends[:-1])
    inner, weights = gll(order + 1)
    means = lagrange(order, middles[:, None] + inner / count).swapaxes(1, 2) @ weights
    return middles, means / (count * gll(order)[1])


def _raised(values: Floats, least: Floats, weights: Floats) -> Floats:
    """Return the nearest values (elements, nodes) that are not below ``least``, of equal mean."""
    whole = (values @ weights)[:, None]
    least = np.minimum(least, whole)
    raised, off = np.maximum(values, least), np.zeros_like(whole)
    for _ in range(values.shape[1]):  # Newton's method on the mean, which falls with ``off``
        excess = (raised @ weights)[:, None] - whole
        if (excess <= 1e-12 * np.abs(whole)).all():
            break
        off += excess / np.maximum((raised > least) @ weights, 1e-12)[:, None]
        raised = np.maximum(values - off, least)
    return raised
