"""Closed surfaces as tissues: who is inside whom, and indicator functions that follow them.

Surfaces are taken in the order of the volume they enclose: a place belongs to the tissue of the
smallest surface around it. With signed distances s_i (positive inside, cut off at a few voxels),
i = 1 the largest,

    f_0 = -max_i s_i,        f_i = min(s_i, -max_{j > i} s_j),

the largest indicator is that of the innermost surface around a point, and two of them tie exactly
on the surface between them. The distances are exact at voxels near the surface, so that interfaces
lie between voxels where the surface lies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import track
from rheobase.meshes.files.closed import enclosed_volume
from rheobase.meshes.files.surface_tree import SurfaceTree
from rheobase.meshes.files.surfaces import Surface
from rheobase.meshes.images.voxels import voxelize

#: Distances reach at least this many voxels.
LEAST_BAND = 3.0
#: Voxels of air around the outermost surface.
MARGIN = 4
#: Most voxels of the image that holds the distances.
MOST_VOXELS = 2e8


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Nested:
    """Signed distances of nested surfaces on a grid of voxels.

    Parameters
    ----------
    labels
        Label of each layer, the outside (0) first.
    distances
        Signed distance to each tissue's surfaces (m), positive inside, cut off at a few voxels,
        largest tissue first, shape (n_tissues, nx, ny, nz), float32.
    origin
        Centre of voxel (0, 0, 0) (m), shape (3,).
    spacing
        Edge of a voxel (m).
    notes
        Where surfaces cross, and what that amounts to.
    """

    labels: tuple[int, ...]
    distances: NDArray[np.float32]
    origin: NDArray[np.float64]
    spacing: float
    notes: tuple[str, ...] = ()

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel indices to world (m), shape (4, 4)."""
        affine = np.diag([self.spacing] * 3 + [1.0])
        affine[:3, 3] = self.origin
        return affine

    def bounds(self) -> NDArray[np.float64]:
        """Return the box of the grid (m), shape (2, 3)."""
        shape = np.array(self.distances.shape[1:])
        return np.stack([self.origin, self.origin + self.spacing * (shape - 1)])

    def image(self) -> NDArray[np.uint16]:
        """Return the label at each voxel, shape (nx, ny, nz)."""
        image = np.zeros(self.distances.shape[1:], np.uint16)
        for label, s in zip(self.labels[1:], self.distances, strict=True):
            image[s > 0] = label
        return image

    def volumes(self) -> dict[int, float]:
        """Return the volume of each tissue (m³), surfaces counted between voxels.

        Tissue k is what is inside surface k or a smaller one, without what is inside a smaller one;
        a voxel at distance d inside such a union counts as 1/2 + d / h, between 0 and 1.
        """
        found = {}
        union = np.full(self.distances.shape[1:], -np.inf, np.float32)
        inner = 0.0
        for label, s in zip(self.labels[:0:-1], self.distances[::-1], strict=True):
            np.maximum(union, s, out=union)
            share = np.clip(0.5 + union / np.float32(self.spacing), 0.0, 1.0)
            outer = float(share.sum(dtype=np.float64)) * self.spacing**3
            found[label] = outer - inner
            inner = outer
        return found

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the indicators at ``points`` (m), shape (n, 1 + n_tissues)."""
        from scipy.ndimage import map_coordinates

        index = ((points - self.origin) / self.spacing).T
        out = np.empty((len(points), len(self.labels)))
        inner = np.full(len(points), -np.inf)  # the largest distance of those further inside
        for k in range(len(self.distances), 0, -1):
            s = map_coordinates(
                self.distances[k - 1], index, output=np.float64, order=1, mode="nearest"
            )
            out[:, k] = np.minimum(s, -inner)
            inner = np.maximum(inner, s)
        out[:, 0] = -inner
        return out


def nested(
    surfaces: Mapping[int, Sequence[Surface]],
    spacing: float,
    names: Mapping[int, str],
    *,
    reach: float = 0.0,
) -> Nested:
    """Return signed distances of closed surfaces on a grid.

    Parameters
    ----------
    surfaces
        Closed surfaces of each label; a tissue of several (two hemispheres) is their union.
    spacing
        Edge of a voxel (m).
    names
        Name of each label, for notes.
    reach
        Distance (m) up to which distances are exact: more than an edge of the mesh to be made.

    Raises
    ------
    InputError
        If the grid would have too many voxels, or a surface encloses no voxel.
    """
    every = [s for group in surfaces.values() for s in group]
    low = np.min([s.points.min(axis=0) for s in every], axis=0)
    high = np.max([s.points.max(axis=0) for s in every], axis=0)
    shape = np.ceil((high - low) / spacing).astype(int) + 1 + 2 * MARGIN
    if np.prod(shape.astype(float)) * len(surfaces) > MOST_VOXELS:
        raise InputError(
            f"expected a spacing that gives at most {MOST_VOXELS:.0e} voxels for all tissues, "
            f"{spacing * 1e3:g} mm gives {' x '.join(map(str, shape))} for each of {len(surfaces)}"
        )
    origin = 0.5 * (low + high) - 0.5 * spacing * (shape - 1)
    volume = {k: sum(abs(enclosed_volume(s)) for s in group) for k, group in surfaces.items()}
    order = sorted(surfaces, key=lambda k: -volume[k])
    distances = np.empty((len(order), *shape), np.float32)
    band = max(LEAST_BAND, reach / spacing)
    for k, label in enumerate(track(order, "distances to the surfaces", total=len(order))):
        group = [_distance(s, tuple(shape), origin, spacing, band) for s in surfaces[label]]
        distances[k] = np.maximum.reduce(group)
        if not (distances[k] > 0).any():
            raise InputError(
                f"expected a surface around some voxel of {spacing * 1e3:g} mm, that of "
                f"{names[label]} holds none"
            )
    return Nested(
        labels=(0, *order),
        distances=distances,
        origin=origin,
        spacing=spacing,
        notes=_crossings(distances, [names[k] for k in order], spacing),
    )


def _distance(
    surface: Surface,
    shape: tuple[int, ...],
    origin: NDArray[np.float64],
    spacing: float,
    band: float,
) -> NDArray[np.float32]:
    """Return the signed distance (m) at each voxel, exact near the surface, cut off elsewhere."""
    from scipy import ndimage

    nx, ny, nz = shape
    inside = voxelize(surface.points, surface.triangles, (nx, ny, nz), origin, spacing)
    far = np.float32(band * spacing)
    out = np.where(inside, far, -far)
    near = np.zeros(shape, bool)
    for axis in range(3):
        step = np.moveaxis(inside, axis, 0)
        change = step[1:] != step[:-1]
        mine = np.moveaxis(near, axis, 0)
        mine[1:] |= change
        mine[:-1] |= change
    near = ndimage.binary_dilation(near, iterations=int(np.ceil(band)))
    index = np.argwhere(near)
    points = origin + spacing * index
    foot = SurfaceTree.of_triangles(surface.points[surface.triangles]).nearest(points)
    d = np.minimum(np.linalg.norm(points - foot, axis=1), far)
    out[near] = np.where(inside[near], d, -d)
    return out.astype(np.float32)


def _crossings(distances: NDArray[np.float32], names: list[str], spacing: float) -> tuple[str, ...]:
    """Return notes on tissues that lie partly inside a larger one and partly not."""
    notes = []
    for k in range(1, len(names)):
        inner = distances[k] > 0
        n = np.count_nonzero(inner)
        for j in range(k - 1, -1, -1):
            both = np.count_nonzero(inner & (distances[j] > 0))
            if 0 < both < n and (n - both if both > n / 2 else both) > 1e-4 * n:
                out = (n - both) * spacing**3 * 1e6
                notes.append(
                    f"the surface of {names[k]} crosses that of {names[j]}: {out:.3g} of "
                    f"{n * spacing**3 * 1e6:.3g} cm³ lie outside it and stay {names[k]}"
                )
    return tuple(notes)
