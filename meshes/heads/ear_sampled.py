"""The ear's distances on a grid: what the mesher asks for millions of times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.heads.ear_shape import HIGH, LOW, EarShape

Floats = NDArray[np.float64]

_COARSE = 3  # steps of the coarse grid that finds where the fine one is needed
_ABOVE, _BELOW = 1.0e-3, 3.0e-3  # m off the skin, outwards and inwards, that are sampled finely


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SampledEar:
    """Depth in the solid, distance from the sheet and in front of it, from the skin's outside (m).

    Parameters
    ----------
    low
        First point of the grid (m), shape (3,).
    step
        Between its points (m).
    values
        On the grid (m), shape (4, nx, ny, nz).
    """

    low: Floats
    step: float
    values: Floats

    def at(self, points: Floats) -> Floats:
        """Return the four at points (m), interpolated linearly, shape (4, n)."""
        from scipy.ndimage import map_coordinates

        where = ((points - self.low) / self.step).T
        return np.stack([map_coordinates(v, where, order=1, mode="nearest") for v in self.values])


def sample_ear(shape: EarShape, step: float) -> SampledEar:
    """Sample an ear every ``step`` (m) near its skin and coarsely elsewhere.

    The skin's outside is taken from where the solid's depth changes its sign along the grid.
    """
    from scipy.spatial import cKDTree

    wide = _COARSE * step
    low = LOW - wide
    cells = np.ceil((HIGH + wide - low) / wide).astype(int)
    coarse = _points(low, cells + 1, wide)
    found = shape.solid(coarse)[0].reshape(cells + 1)
    touched = np.zeros(cells, dtype=bool)
    reach = 0.5 * np.sqrt(3) * wide
    near = (found > -_ABOVE - reach) & (found < _BELOW + reach)
    for corner in np.ndindex(2, 2, 2):
        touched |= near[tuple(slice(c, c + n) for c, n in zip(corner, cells, strict=True))]
    fine = _COARSE * cells + 1
    asked = np.zeros(fine, dtype=bool)
    blocks = np.kron(touched, np.ones((_COARSE,) * 3, dtype=bool))
    for corner in np.ndindex(2, 2, 2):
        asked[tuple(slice(c, c + n) for c, n in zip(corner, blocks.shape, strict=True))] |= blocks
    points = _points(low, fine, step)
    here = asked.ravel()
    everywhere = SampledEar(low=low, step=wide, values=found[None]).at(points[~here])[0]
    solid, beside, ahead = np.empty(here.size), np.full(here.size, shape.far), np.zeros(here.size)
    solid[~here] = everywhere
    solid[here], beside[here], ahead[here] = shape.solid(points[here])
    solid = solid.reshape(fine)
    depth = np.full(here.size, _BELOW)
    depth[here] = cKDTree(_crossings(solid, asked, low, step)).query(points[here])[0]
    values = np.stack([solid, *(a.reshape(fine) for a in (beside, ahead, depth))])
    return SampledEar(low=low, step=step, values=values)


def _points(low: Floats, count: NDArray[np.int_], step: float) -> Floats:
    axes = [a + step * np.arange(n) for a, n in zip(low, count, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _crossings(solid: Floats, asked: NDArray[np.bool_], low: Floats, step: float) -> Floats:
    """Return where the depth vanishes along the edges of the fine grid (m), shape (n, 3)."""
    out = []
    for axis in range(3):
        first = tuple(slice(None, -1) if d == axis else slice(None) for d in range(3))
        second = tuple(slice(1, None) if d == axis else slice(None) for d in range(3))
        a, b = solid[first], solid[second]
        index = np.argwhere(((a > 0) != (b > 0)) & asked[first] & asked[second])
        a, b = a[tuple(index.T)], b[tuple(index.T)]
        place = index.astype(np.float64)
        place[:, axis] += a / (a - b)
        out.append(low + step * place)
    return np.concatenate(out)
