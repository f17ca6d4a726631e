"""The cortical sheet of a voxel head: columns along the lines of a Laplace potential.

A column is the line of grad phi (`ribbon`) through one point of the surface phi = 1/2 (Jones,
Buchbinder & Aharon 2000, Hum. Brain Mapp. 11:12). Columns never cross, meet both surfaces at right
angles in the continuum, and give depth, thickness and normal at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.cortex.ribbon import Ribbon, cropped, potential
from rheobase.meshes.cortex.sheet import CorticalSheet, sheet_from_pairs, whole_triangles

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

STEP = 0.25  # voxels: step along a column


def cortical_sheet(
    ribbon: Ribbon,
    affine: Floats,
    *,
    columns: int = 30_000,
    longest: float = 8e-3,
    smallest_patch: float = 1e-4,
) -> CorticalSheet:
    """Trace the columns of a ribbon.

    Parameters
    ----------
    ribbon
        The cortex on voxels.
    affine
        Voxel indices to coordinates (m), shape (4, 4); one size of voxel along all axes.
    columns
        Number of columns to aim for; the surface has fewer where it is coarser already.
    longest
        Columns longer than this (m) are no cortex and are left out.
    smallest_patch
        Patches of the mid-surface of less area (m²) are left out.

    Returns
    -------
    CorticalSheet

    Raises
    ------
    InputError
        If the voxels are not cubes or no column joins the two surfaces.
    """
    size = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.allclose(size, size[0], rtol=1e-3):
        raise InputError(f"expected cubic voxels, got {(size * 1e3).round(4).tolist()} mm: cortex")
    h = float(size[0])
    ribbon, low = cropped(ribbon)
    phi = potential(ribbon)
    points, triangles = _mid_surface(phi, ribbon.cortex, columns, smallest_patch / h**2)
    direction = _direction(phi, ribbon.cortex)
    white = _trace(phi, direction, points, -1.0, longest / h)
    pial = _trace(phi, direction, points, 1.0, longest / h)
    length = np.linalg.norm(pial - white, axis=1)  # NaN where an end was not reached
    triangles, kept = whole_triangles(triangles, (length * h <= longest) & (length > STEP))
    if not len(triangles):
        raise InputError("expected grey matter between white matter and CSF, found no column")

    def placed(p: Floats) -> Floats:
        moved: Floats = (p[kept] + low) @ affine[:3, :3].T + affine[:3, 3]
        return moved

    pial, white = placed(pial), placed(white)
    return sheet_from_pairs(pial, white, triangles)


def _mid_surface(
    phi: Floats, cortex: Bools, columns: int, smallest: float
) -> tuple[Floats, NDArray[np.int32]]:
    """Return the surface phi = 1/2 within the cortex, in voxels, with about ``columns`` points."""
    import pyvista as pv

    grid = pv.ImageData(dimensions=phi.shape)
    grid.point_data["phi"] = phi.ravel(order="F").astype(np.float32)
    surface = grid.contour([0.5], scalars="phi", method="flying_edges", compute_normals=False)
    if not surface.n_cells:
        raise InputError("expected grey matter between white matter and CSF, found none: cortex")
    points, triangles = _merged(np.asarray(surface.points, np.float64), surface.regular_faces)
    inside = cortex[tuple(np.rint(points).astype(int).T)]
    triangles = _large_patches(points, triangles[inside[triangles].all(axis=1)], smallest)
    if not len(triangles):
        raise InputError("expected grey matter between white matter and CSF, found none: cortex")
    used, number = np.unique(triangles, return_inverse=True)
    surface = pv.PolyData.from_regular_faces(points[used], number.reshape(-1, 3))
    surface = surface.smooth_taubin(n_iter=20, pass_band=0.1)
    reduction = 1.0 - columns / max(surface.n_points, columns)
    if reduction > 0:
        surface = surface.decimate(reduction, volume_preservation=True)
    points = np.asarray(surface.points, dtype=np.float64)
    triangles = np.asarray(surface.regular_faces, dtype=np.int32)
    return points, _turned(points, triangles, phi)


def _merged(
    points: Floats, triangles: NDArray[np.integer[Any]]
) -> tuple[Floats, NDArray[np.int32]]:
    """Merge points closer than 1e-4 voxel and drop the triangles that vanish.

    VTK's decimation stops at once where an edge has no length.
    """
    cells = np.rint(points * 1e4).astype(np.int64)
    _, first, number = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    triangles = number.ravel()[triangles].astype(np.int32)
    whole = (triangles != np.roll(triangles, 1, axis=1)).all(axis=1)
    return points[first], triangles[whole]


def _large_patches(
    points: Floats, triangles: NDArray[np.int32], smallest: float
) -> NDArray[np.int32]:
    """Return the triangles of connected patches with at least ``smallest`` area (voxels²)."""
    from scipy import sparse

    i = triangles[:, [0, 1]].ravel()
    j = triangles[:, [1, 2]].ravel()
    n = len(points)
    graph = sparse.coo_array((np.ones(len(i), np.int8), (i, j)), shape=(n, n))
    _, patch = sparse.csgraph.connected_components(graph, directed=False)
    a, b, c = (points[triangles[:, k]] for k in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    of_triangle = patch[triangles[:, 0]]
    large: NDArray[np.int32] = triangles[
        np.bincount(of_triangle, weights=area)[of_triangle] >= smallest
    ]
    return large


def _turned(points: Floats, triangles: NDArray[np.int32], phi: Floats) -> NDArray[np.int32]:
    """Return the triangles counter-clockwise as seen from the pia."""
    from scipy.ndimage import map_coordinates

    a, b, c = (points[triangles[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    middle = (a + b + c) / 3.0
    up = map_coordinates(phi, (middle + 0.5 * normal).T, order=1, mode="nearest")
    down = map_coordinates(phi, (middle - 0.5 * normal).T, order=1, mode="nearest")
    return np.where((up >= down)[:, None], triangles, triangles[:, ::-1]).astype(np.int32)


def _direction(phi: Floats, cortex: Bools) -> Floats:
    """Return grad phi of the cortex, averaged over a voxel and continued outwards, (3, …)."""
    from scipy import ndimage

    weight = ndimage.gaussian_filter(cortex.astype(np.float64), 0.7)
    out = np.empty((3, *phi.shape))
    for axis in range(3):
        slope = np.where(cortex, np.gradient(phi, axis=axis), 0.0)
        out[axis] = ndimage.gaussian_filter(slope, 0.7) / np.maximum(weight, 1e-6)
    return out


def _trace(phi: Floats, direction: Floats, start: Floats, sign: float, longest: float) -> Floats:
    """Follow grad phi from ``start`` up (sign 1) or down (-1) to the surface (voxels).

    Midpoint rule with steps of a quarter voxel; the last step is cut where phi, linear along it,
    takes the value of the surface. NaN where that is not reached within ``longest``.
    """
    from scipy.ndimage import map_coordinates

    def at(field: Floats, p: Floats) -> Floats:
        value: Floats = map_coordinates(field, p.T, order=1, mode="nearest")
        return value

    def step(p: Floats) -> Floats:
        d = np.stack([at(direction[k], p) for k in range(3)], axis=1)
        d /= np.maximum(np.linalg.norm(d, axis=1, keepdims=True), 1e-9)
        return sign * STEP * d

    def rise(p: Floats) -> Floats:  # > 0 before the surface, < 0 beyond
        return 1.0 - at(phi, p) if sign > 0 else at(phi, p)

    end = np.full(start.shape, np.nan)
    here = start.copy()
    left = rise(here)
    active = np.flatnonzero(left > 0)
    end[left <= 0] = start[left <= 0]
    for _ in range(int(np.ceil(longest / STEP))):
        if not active.size:
            break
        p = here[active]
        move = step(p + 0.5 * step(p))
        value = rise(p + move)
        done = value <= 0
        part = left[active][done] / (left[active][done] - value[done])
        end[active[done]] = p[done] + part[:, None] * move[done]
        here[active] = p + move
        left[active] = value
        active = active[~done]
    return end
