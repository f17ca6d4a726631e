"""The layer of monopoles of a source, integrated in the basis of the elements it runs through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.acoustics.axisymmetric.grid import AxialGrid
from rheobase.fields.acoustics.axisymmetric.source import AxialSource
from rheobase.fields.acoustics.grid.gll import lagrange

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Places on each ring between which a change of element is looked for.
SAMPLES = 1000
#: Halvings that find where the ring changes element.
HALVINGS = 45


@dataclass(frozen=True, kw_only=True, eq=False)
class RingLoads:
    """∫ 2 phi r ds over each ring at unit velocity, for the functions phi of elements.

    Attributes
    ----------
    ring, layer, column
        Which ring and element each row belongs to, (n,).
    values
        The integrals for the element's functions, z first, (n, (order + 1)^2) m².
    """

    ring: Ints
    layer: Ints
    column: Ints
    values: Floats

    def in_layer(self, layer: int, columns: int, rings: int) -> Floats:
        """Return the integrals in one layer, (columns, functions, rings)."""
        here = self.layer == layer
        out = np.zeros((columns, self.values.shape[1], rings))
        out[self.column[here], :, self.ring[here]] = self.values[here]
        return out


def ring_loads(grid: AxialGrid, source: AxialSource) -> RingLoads:
    """Integrate by Gauss quadrature from element to element along each ring."""
    points, weights = np.polynomial.legendre.leggauss(2 * grid.order + 2)
    n = grid.order + 1
    rings, elements, values = [], [], []
    for ring in range(len(source.rings)):
        cuts = _cuts(grid, source, ring)
        half = 0.5 * np.diff(cuts)[:, None]
        t = (cuts[:-1, None] + half * (1.0 + points)).ravel()
        r, z, length = source.along(ring, t)
        layer, column, x, y = grid.locate(r, z)
        element, part = np.unique(layer * grid.columns + column, return_inverse=True)
        terms = lagrange(grid.order, y)[:, :, None] * lagrange(grid.order, x)[:, None, :]
        terms *= (2.0 * r * length * (half * weights).ravel())[:, None, None]
        total = np.zeros((len(element), n * n))
        np.add.at(total, part, terms.reshape(-1, n * n))
        rings.append(np.full(len(element), ring))
        elements.append(element)
        values.append(total)
    layer, column = np.divmod(np.concatenate(elements), grid.columns)
    return RingLoads(
        ring=np.concatenate(rings), layer=layer, column=column, values=np.concatenate(values)
    )


def _cuts(grid: AxialGrid, source: AxialSource, ring: int) -> Floats:
    """Return the ends of the pieces of a ring that lie in one element each, in [0, 1]."""
    t = np.linspace(0.0, 1.0, SAMPLES)
    cuts = [np.array([0.0, 1.0])]
    for which in (0, 1):  # from layer to layer, from column to column
        of = _element(grid, source, ring, t)[which]
        change = np.flatnonzero(np.diff(of))
        low, high, first = t[change], t[change + 1], of[change]
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            same = _element(grid, source, ring, middle)[which] == first
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        cuts.append(high)
    return np.unique(np.concatenate(cuts))


def _element(grid: AxialGrid, source: AxialSource, ring: int, t: Floats) -> tuple[Ints, Ints]:
    """Return layer and column at places t of a ring."""
    r, z, _ = source.along(ring, t)
    layer, column, _, _ = grid.locate(r, z)
    return layer, column
