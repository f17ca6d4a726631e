"""Mean and Gaussian curvature of a triangulated surface.

Around each vertex a cubic height function z = f(x, y) over the tangent plane is fitted by least
squares through the vertex to its neighbours (an osculating jet: Cazals & Pouget 2005, Comput.
Aided Geom. Des. 22:121); its first two derivatives at the vertex give

    H = ((1 + fy²) fxx - 2 fx fy fxy + (1 + fx²) fyy) / (2 (1 + fx² + fy²)^(3/2)),
    K = (fxx fyy - fxy²) / (1 + fx² + fy²)².

With a cubic the error falls with the square of the edge on any mesh. The angle deficit over the
area, the other common measure of K, does not converge at the single vertex of an irregular mesh
(Borrelli, Cazals & Morvan 2003, Comput. Aided Geom. Des. 20:319), but its sum over a closed
surface is exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.cortex.sheet import vertex_normals

Floats = NDArray[np.float64]

POWERS = ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3))
ENOUGH = 14  # neighbours of a fit of nine coefficients; fewer, and another ring is taken
BLOCK = 20_000  # vertices at a time


def curvature(points: Floats, triangles: NDArray[np.integer]) -> tuple[Floats, Floats]:
    """Return the curvatures at the vertices.

    Parameters
    ----------
    points, triangles
        Surface (m), shapes (n, 3) and (n_triangles, 3).

    Returns
    -------
    mean
        Mean curvature H (1/m), > 0 where the surface is convex seen from the side its triangles
        face (the crowns of a pia; FreeSurfer's ``curv`` has the opposite sign), shape (n,). NaN
        where a vertex has too few neighbours.
    gaussian
        Gaussian curvature K (1/m²), shape (n,).
    """
    first, near = _neighbours(len(points), triangles)
    normal = vertex_normals(points, triangles)
    mean, gaussian = np.full(len(points), np.nan), np.full(len(points), np.nan)
    for start in range(0, len(points), BLOCK):
        stop = min(start + BLOCK, len(points))
        count = np.diff(first[start : stop + 1])
        fits = count >= len(POWERS)
        who = np.repeat(np.arange(start, stop), count)
        pair = slice(first[start], first[stop])
        H, K = _jets(points, normal[start:stop], who, near[pair], start, fits)
        mean[start:stop][fits], gaussian[start:stop][fits] = H, K
    return mean, gaussian


def angle_deficit(points: Floats, triangles: NDArray[np.integer]) -> Floats:
    """Return 2 pi less the angles at each vertex: the integral of K around it, shape (n,).

    Over a closed surface it sums to 2 pi times the Euler characteristic (Descartes).
    """
    deficit = np.full(len(points), 2 * np.pi)
    corners = points[triangles]
    for k in range(3):
        a = corners[:, (k + 1) % 3] - corners[:, k]
        b = corners[:, (k + 2) % 3] - corners[:, k]
        angle = np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), np.einsum("ij,ij->i", a, b))
        deficit -= np.bincount(triangles[:, k], weights=angle, minlength=len(points))
    return deficit


def _neighbours(
    n: int, triangles: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the neighbours of each vertex, itself not among them, as one list with its cuts.

    Those within two edges, or three where that is too few.
    """
    from scipy import sparse

    i = triangles[:, [0, 1, 2, 1, 2, 0]].ravel()
    j = triangles[:, [1, 2, 0, 0, 1, 2]].ravel()
    one = sparse.csr_array((np.ones(len(i), np.int32), (i, j)), shape=(n, n))
    two = (one + one @ one).tocsr()
    few = np.diff(two.indptr) - 1 < ENOUGH
    if few.any():
        row = np.flatnonzero(few)
        chosen = sparse.csr_array((np.ones(len(row), np.int32), (row, row)), shape=(n, n))
        two = (two + chosen @ two @ one).tocsr()
    two.eliminate_zeros()
    who = np.repeat(np.arange(n), np.diff(two.indptr))
    other = who != two.indices
    first = np.concatenate([[0], np.cumsum(np.bincount(who[other], minlength=n))])
    return first.astype(np.int64), two.indices[other].astype(np.int64)


def _jets(
    points: Floats,
    normal: Floats,
    who: NDArray[np.int64],
    near: NDArray[np.int64],
    start: int,
    fits: NDArray[np.bool_],
) -> tuple[Floats, Floats]:
    """Return H and K of the vertices of one block that ``fits`` marks."""
    local = who - start
    n = len(fits)
    least = np.eye(3)[np.abs(normal).argmin(axis=1)]
    x_axis = np.cross(least, normal)
    x_axis /= np.maximum(np.linalg.norm(x_axis, axis=1, keepdims=True), 1e-300)
    y_axis = np.cross(normal, x_axis)
    d = points[near] - points[who]
    squared = np.einsum("ij,ij->i", d, d)
    size = np.sqrt(np.bincount(local, squared, n) / np.maximum(np.bincount(local, minlength=n), 1))
    d /= size[local][:, None]
    x, y, z = (np.einsum("ij,ij->i", d, axis[local]) for axis in (x_axis, y_axis, normal))
    # normal equations from moments: sum x^(a+c) y^(b+d) over the neighbours
    xs, ys = [np.ones_like(x)], [np.ones_like(y)]
    for _ in range(6):
        xs.append(xs[-1] * x)
        ys.append(ys[-1] * y)
    moment = {(a, b): np.bincount(local, xs[a] * ys[b], n) for a in range(7) for b in range(7 - a)}
    matrix = np.empty((n, 9, 9))
    right = np.empty((n, 9))
    for i, (a, b) in enumerate(POWERS):
        right[:, i] = np.bincount(local, xs[a] * ys[b] * z, n)
        for j, (c, e) in enumerate(POWERS):
            matrix[:, i, j] = moment[a + c, b + e]
    matrix, right, size = matrix[fits], right[fits], size[fits]
    trace = np.trace(matrix, axis1=1, axis2=2)
    matrix += 1e-12 * trace[:, None, None] * np.eye(9)  # keeps neighbours on a conic solvable
    f = np.linalg.solve(matrix, right[:, :, None])[:, :, 0]
    fx, fy = f[:, 0], f[:, 1]
    fxx, fxy, fyy = 2 * f[:, 2] / size, f[:, 3] / size, 2 * f[:, 4] / size
    slope = 1.0 + fx**2 + fy**2
    H = ((1 + fy**2) * fxx - 2 * fx * fy * fxy + (1 + fx**2) * fyy) / (2 * slope**1.5)
    K = (fxx * fyy - fxy**2) / slope**2
    return -H, K
