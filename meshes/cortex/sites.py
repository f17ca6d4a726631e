"""Positions in the cortex, spread evenly over its area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.meshes.cortex.layers import CorticalLayers
from rheobase.meshes.cortex.sheet import CorticalSheet, triangle_areas

Floats = NDArray[np.float64]

#: Inverse powers of the root of x⁴ = x + 1: steps of an even sequence in three dimensions (the
#: generalised golden ratio; Kronecker sequence).
STEPS = 1.2207440846057596 ** -np.arange(1.0, 4.0)
MOST = 100_000_000  # positions; more is a density given in the wrong unit


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CorticalSites:
    """Positions in a cortical sheet, between the columns as well.

    Parameters
    ----------
    pial, white
        Ends of the straight line through each position (m), shape (n, 3) each.
    depth
        Of each position (0 pia … 1 white), shape (n,).
    column
        Nearest column of the sheet by triangle coordinates, shape (n,).
    """

    pial: Floats
    white: Floats
    depth: Floats
    column: NDArray[np.int32]

    @property
    def position(self) -> Floats:
        """Where they are (m), shape (n, 3)."""
        position: Floats = self.pial + self.depth[:, None] * (self.white - self.pial)
        return position

    @property
    def normal(self) -> Floats:
        """Unit vector from white to pial, shape (n, 3)."""
        along = self.pial - self.white
        normal: Floats = along / np.linalg.norm(along, axis=1, keepdims=True)
        return normal

    def __len__(self) -> int:
        """Return the number of positions."""
        return len(self.depth)


def sample_sites(
    sheet: CorticalSheet,
    *,
    seed: int | np.random.Generator,
    count: int | None = None,
    per_mm2: float | None = None,
    columns: ArrayLike | None = None,
    depth: float = 0.5,
    layers: CorticalLayers | None = None,
    layer: str | None = None,
) -> CorticalSites:
    """Return positions spread evenly over the mid-depth area of a sheet, in random order.

    The triangles are strung along a space-filling curve (Morton), that curve is cut into ``count``
    pieces of equal area and each piece gets one position; where in its triangle, and how deep in a
    layer, follows an even sequence (Kronecker's, with the generalised golden ratio). So every patch
    of the cortex gets its share within a few positions, not within the square root of their number.

    Parameters
    ----------
    sheet
        The cortex.
    seed
        Of all draws.
    count, per_mm2
        Number of positions, or their density over the mid-depth surface; one of the two.
    columns
        Columns used, shape (n_columns,); a triangle is used when its three columns are.
    depth
        0 pia … 1 white, of every position where no layer is given.
    layers, layer
        Put them into this layer of these layers, evenly through its depth.

    Raises
    ------
    InputError
        If neither or both of count and density are given or one makes no sense, if the columns
        hold no triangle, or the layer is not there.
    """
    rng = np.random.default_rng(seed)
    triangles = sheet.triangles
    if columns is not None:
        chosen = np.asarray(columns, dtype=bool)
        if chosen.shape != (len(sheet),):
            raise InputError(f"columns must have shape {(len(sheet),)}, got {chosen.shape}")
        triangles = triangles[chosen[triangles].all(axis=1)]
    if not len(triangles):
        raise InputError("the columns must hold a triangle of the cortex, got none")
    if not 0 <= depth <= 1:
        raise InputError(f"depth must lie between 0 (pia) and 1 (white), got {depth!r}")
    if (layer is None) != (layers is None):
        raise InputError("expected a layer and the layers it is one of, got one of the two")
    middle = sheet.points(0.5)
    area = triangle_areas(middle, triangles)
    n = _number(count, per_mm2, float(area.sum()))
    order = np.argsort(_morton(middle[triangles].mean(axis=1)), kind="stable")
    ends = np.cumsum(area[order])
    at = (np.arange(n) + rng.random()) / max(n, 1) * ends[-1]
    of = triangles[order[np.minimum(np.searchsorted(ends, at, side="right"), len(ends) - 1)]]
    even = (rng.random(3) + np.arange(n)[:, None] * STEPS) % 1.0
    root = np.sqrt(even[:, 0])
    bary = np.stack([1.0 - root, root * (1.0 - even[:, 1]), root * even[:, 1]], axis=1)
    deep = np.full(n, float(depth))
    if layers is not None and layer is not None:
        top, bottom = (layers.depth(layer, f)[of] for f in (0.0, 1.0))
        deep = np.einsum("ni,ni->n", bary, top + even[:, 2:] * (bottom - top))
    mixed = rng.permutation(n)
    of, bary = of[mixed], bary[mixed]
    return CorticalSites(
        pial=np.einsum("ni,nij->nj", bary, sheet.pial[of]),
        white=np.einsum("ni,nij->nj", bary, sheet.white[of]),
        depth=deep[mixed],
        column=of[np.arange(n), bary.argmax(axis=1)].astype(np.int32),
    )


def _number(count: int | None, per_mm2: float | None, area: float) -> int:
    if (count is None) == (per_mm2 is None):
        raise InputError("expected a count or a density per mm2, got both or neither")
    n = float(count) if count is not None else float(per_mm2 or 0.0) * area * 1e6
    if not 0 <= n <= MOST:
        raise InputError(f"expected 0 to {MOST:,} positions in the cortex, got {n:.3g}")
    return round(n)


def _morton(points: Floats) -> NDArray[np.int64]:
    """Return the place of each point on a curve through a grid of 1024³ cells."""
    low = points.min(axis=0)
    cell = np.ptp(points, axis=0).max() / 1023 or 1.0
    index = ((points - low) / cell).astype(np.int64)
    code = np.zeros(len(points), np.int64)
    for bit in range(10):
        for axis in range(3):
            code |= ((index[:, axis] >> bit) & 1) << (3 * bit + axis)
    return code
