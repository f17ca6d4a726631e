"""The cortical sheet of a voxel head: columns along the lines of a Laplace potential.

Between the white surface (phi = 0) and the pial surface (phi = 1) the potential obeys

    div grad phi = 0   in the cortex,     grad phi · n = 0   where the cortex borders anything else,

and a column is the line of grad phi through one point of the surface phi = 1/2 (Jones, Buchbinder &
Aharon 2000, Hum. Brain Mapp. 11:12). Columns never cross, meet both surfaces at right angles in the
continuum, and give depth, thickness and normal at once.

Discretisation: seven-point stencil on the voxels; towards a boundary voxel the distance is the part
theta of a voxel at which the level function changes sign, so that the face weighs 1/theta
(symmetric, second-order phi on smooth surfaces: Gibou, Fedkiw, Cheng & Kang 2002, J. Comput. Phys.
176:205).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.head import CorticalSheet

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

CLOSEST = 0.1  # least theta: keeps the matrix well conditioned
STEP = 0.25  # voxels: step along a column
FACES = tuple((axis, step) for axis in range(3) for step in (1, -1))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ribbon:
    """The cortex on voxels and what bounds it.

    Parameters
    ----------
    cortex
        Voxels between the two surfaces, shape (nx, ny, nz).
    white, pial
        Voxels beyond the white surface (phi = 0) and beyond the pial surface (phi = 1).
    white_level, pial_level
        Functions that are > 0 beyond the white, or the pial, surface and < 0 in the cortex; their
        zero places the surface between voxel centres. Where the sign is not so, the surface lies
        half-way.
    """

    cortex: Bools
    white: Bools
    pial: Bools
    white_level: NDArray[np.float32]
    pial_level: NDArray[np.float32]


def ribbon_of_labels(
    labels: NDArray[np.integer],
    *,
    white: tuple[int, ...],
    grey: tuple[int, ...],
    pial: tuple[int, ...],
) -> Ribbon:
    """Return the ribbon of a label image, its surfaces smoothed by one voxel.

    Parameters
    ----------
    labels
        Label image.
    white, grey, pial
        Labels of white matter, of the cortex and of what lies outside the pia.
    """
    from scipy import ndimage

    inside = np.isin(labels, white)
    cortex = np.isin(labels, grey)
    outside = np.isin(labels, pial)

    def smooth(mask: Bools) -> NDArray[np.float32]:
        blurred: NDArray[np.float32] = ndimage.gaussian_filter(mask.astype(np.float32), 1.0)
        return blurred

    level = smooth(cortex)
    return Ribbon(
        cortex=cortex,
        white=inside,
        pial=outside,
        white_level=smooth(inside) - level,
        pial_level=smooth(outside) - level,
    )


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
    ribbon, low = _cropped(ribbon)
    phi = potential(ribbon)
    points, triangles = _mid_surface(phi, ribbon.cortex, columns, smallest_patch / h**2)
    direction = _direction(phi, ribbon.cortex)
    white = _trace(phi, direction, points, -1.0, longest / h)
    pial = _trace(phi, direction, points, 1.0, longest / h)
    length = np.linalg.norm(pial - white, axis=1)  # NaN where an end was not reached
    triangles, kept = _whole_triangles(triangles, (length * h <= longest) & (length > STEP))
    if not len(triangles):
        raise InputError("expected grey matter between white matter and CSF, found no column")

    def placed(p: Floats) -> Floats:
        moved: Floats = (p[kept] + low) @ affine[:3, :3].T + affine[:3, 3]
        return moved

    pial, white = placed(pial), placed(white)
    return sheet_from_pairs(pial, white, triangles)


def sheet_from_pairs(pial: Floats, white: Floats, triangles: NDArray[np.int32]) -> CorticalSheet:
    """Return the sheet of given columns; each stands for a third of its triangles' area.

    Parameters
    ----------
    pial, white
        Ends of the columns (m), shape (n, 3) each.
    triangles
        Topology over the columns, shape (n_triangles, 3).
    """
    middle = 0.5 * (pial + white)
    a, b, c = (middle[triangles[:, k]] for k in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    share = np.bincount(triangles.ravel(), weights=np.repeat(area / 3.0, 3), minlength=len(middle))
    return CorticalSheet(pial=pial, white=white, triangles=triangles, area=share)


def potential(ribbon: Ribbon) -> Floats:
    """Solve for phi on the voxels, continued linearly into the bounding ones.

    Returns
    -------
    ndarray, shape (nx, ny, nz)
        phi in the cortex, its linear continuation one voxel beyond it, and -1 or 2 (white, pial)
        or the mean of the neighbours (anything else) farther off.
    """
    from scipy import sparse
    from scipy.sparse.linalg import cg

    cortex = ribbon.cortex
    number = np.full(cortex.shape, -1, np.int32)
    number[cortex] = np.arange(np.count_nonzero(cortex), dtype=np.int32)
    n = int(number.max()) + 1
    diagonal, rhs = np.zeros(n), np.zeros(n)
    rows, columns = [], []
    for axis, step in FACES:
        here, there = _pair(cortex.shape, axis, step)
        me = number[here]
        both = cortex[here] & cortex[there]
        rows.append(me[both])
        columns.append(number[there][both])
        diagonal += np.bincount(rows[-1], minlength=n)
        for mask, level, value in _sides(ribbon):
            face = cortex[here] & mask[there]
            weight = 1.0 / _theta(level[here][face], level[there][face])
            diagonal += np.bincount(me[face], weights=weight, minlength=n)
            rhs += np.bincount(me[face], weights=weight * value, minlength=n)
    i, j = np.concatenate(rows), np.concatenate(columns)
    lonely = diagonal == 0
    diagonal[lonely] = 1.0
    matrix = sparse.csr_array((np.full(len(i), -1.0), (i, j)), shape=(n, n))
    matrix = (matrix + sparse.diags_array(diagonal)).tocsr()
    inverse = sparse.diags_array(1.0 / diagonal)
    start = np.full(n, 0.5)
    solution, status = cg(matrix, rhs, x0=start, rtol=1e-6, maxiter=5000, M=inverse)
    if status != 0:
        raise RuntimeError(f"Laplace potential: conjugate gradients stopped with status {status}")
    phi = np.full(cortex.shape, np.nan)
    phi[cortex] = solution
    return _continued(phi, ribbon)


def _sides(ribbon: Ribbon) -> tuple[tuple[Bools, NDArray[np.float32], float], ...]:
    return (
        (ribbon.white, ribbon.white_level, 0.0),
        (ribbon.pial & ~ribbon.white, ribbon.pial_level, 1.0),
    )


def _pair(
    shape: tuple[int, ...], axis: int, step: int
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the slices of all voxels and of their neighbours along one axis."""
    first, second = [slice(None)] * len(shape), [slice(None)] * len(shape)
    first[axis], second[axis] = slice(None, -1), slice(1, None)
    return (tuple(first), tuple(second)) if step > 0 else (tuple(second), tuple(first))


def _theta(inside: NDArray[np.float32], outside: NDArray[np.float32]) -> Floats:
    """Return how far the zero lies from the inner voxel (voxels); half-way where signs are odd."""
    crosses = (inside < 0) & (outside > 0)
    span = np.where(crosses, outside - inside, 1.0)
    theta: Floats = np.where(crosses, np.clip(-inside / span, CLOSEST, 1.0), 0.5)
    return theta


def _continued(phi: Floats, ribbon: Ribbon) -> Floats:
    """Continue phi beyond the cortex, so that interpolation finds its 0, 1/2 and 1."""
    from scipy import ndimage

    total, count = np.zeros(phi.shape), np.zeros(phi.shape)
    for axis, step in FACES:
        here, there = _pair(phi.shape, axis, step)
        for mask, level, value in _sides(ribbon):
            face = ribbon.cortex[here] & mask[there]
            theta = _theta(level[here][face], level[there][face])
            inner = phi[here][face]
            beyond = value + (value - inner) * (1.0 - theta) / theta
            total[there][face] += np.clip(beyond, -1.0, 2.0)
            count[there][face] += 1.0
    phi = np.where(count > 0, total / np.maximum(count, 1.0), phi)
    known = np.isfinite(phi)
    near = ndimage.uniform_filter(np.where(known, phi, 0.0), 3)
    weight = ndimage.uniform_filter(known.astype(np.float64), 3)
    fill = np.where(weight > 0.01, near / np.maximum(weight, 0.01), 0.5)
    fill = np.where(ribbon.pial, np.maximum(fill, 1.1), fill)
    fill = np.where(ribbon.white, np.minimum(fill, -0.1), fill)
    continued: Floats = np.where(known, phi, fill)
    return continued


def _cropped(ribbon: Ribbon) -> tuple[Ribbon, NDArray[np.int_]]:
    """Return the ribbon cut to the box of the cortex with three voxels to spare, and its corner."""
    from scipy import ndimage

    found = ndimage.find_objects(ribbon.cortex.astype(np.uint8))
    if not found or found[0] is None:
        raise InputError("expected grey matter, found none: cortex")
    low = np.array([max(s.start - 3, 0) for s in found[0]])
    box = tuple(slice(int(b), s.stop + 3) for b, s in zip(low, found[0], strict=True))
    return Ribbon(
        cortex=ribbon.cortex[box],
        white=ribbon.white[box],
        pial=ribbon.pial[box],
        white_level=ribbon.white_level[box],
        pial_level=ribbon.pial_level[box],
    ), low


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


def _whole_triangles(
    triangles: NDArray[np.int32], kept: Bools
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the triangles whose three columns are kept, renumbered, and the columns they use."""
    triangles = triangles[kept[triangles].all(axis=1)]
    used = np.unique(triangles)
    number = np.full(len(kept), -1, np.int32)
    number[used] = np.arange(len(used), dtype=np.int32)
    return number[triangles], used
