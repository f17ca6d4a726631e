"""From SimNIBS's coil frame to ours, and casings as points."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.coils.coil import checked_pose

#: By 180 degrees about x: SimNIBS's +z points into the head and its +y away from the handle.
TURN = np.diag([1.0, -1.0, -1.0, 1.0])
OUTLINE_SPACING = 0.003  # of the points that stand for a casing (m)
MOST_POINTS = 1_000_000  # of a casing, before they are thinned


def turned(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vectors of SimNIBS's coil frame in ours, shape (n, 3)."""
    return vectors * TURN.diagonal()[:3]


def pose_from_simnibs(matrix: ArrayLike) -> NDArray[np.float64]:
    """Return the pose (m) of a SimNIBS coil matrix (``matsimnibs``, mm), shape (4, 4).

    Parameters
    ----------
    matrix
        Columns are the coil's x axis, its y axis (away from the handle), its z axis (into the head)
        and its centre (mm), in the coordinates of the head, shape (4, 4).

    Raises
    ------
    InputError
        If it is not a rotation and a shift.

    Examples
    --------
    >>> pose = pose_from_simnibs(np.diag([1.0, -1.0, -1.0, 1.0]))  # above the vertex
    >>> pose[:3, 1].tolist(), pose[:3, 2].tolist()  # handle to the front, +z upwards
    ([0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    """
    pose = checked_pose(matrix, where="a SimNIBS matrix") @ TURN
    pose[:3, 3] *= 1e-3
    return pose


def pose_to_simnibs(pose: ArrayLike) -> NDArray[np.float64]:
    """Return the SimNIBS coil matrix (``matsimnibs``, mm) of a pose (m), shape (4, 4).

    Raises
    ------
    InputError
        If it is not a rotation and a shift.
    """
    matrix = checked_pose(pose, where="a coil") @ TURN
    matrix[:3, 3] *= 1e3
    return matrix


def casing_points(
    points: NDArray[np.float64], triangles: NDArray[np.integer], *, where: str
) -> NDArray[np.float64]:
    """Return points (m) all over a triangulated casing, shape (n, 3).

    Raises
    ------
    InputError
        If the casing is too large to be one.
    """
    corners = points[triangles]
    edge = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    parts = np.maximum(np.ceil(edge / OUTLINE_SPACING), 1.0)
    total = float(((parts + 1) * (parts + 2) / 2).sum())
    if not total < MOST_POINTS:
        raise InputError(
            f"expected a coil's casing, got triangles of up to {edge.max() * 1e3:,.0f} mm: {where}"
        )
    found = [points[np.unique(triangles)]]  # first, so that thinning keeps corners
    for n in np.unique(parts).astype(int).tolist():
        i, j = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
        keep = i + j <= n
        weights = np.stack([i[keep], j[keep], n - i[keep] - j[keep]], axis=1) / n
        found.append(np.einsum("wc,tcd->twd", weights, corners[parts == n]).reshape(-1, 3))
    every = np.concatenate(found)
    _, first = np.unique(np.floor(every / (OUTLINE_SPACING / 2)), axis=0, return_index=True)
    thinned: NDArray[np.float64] = every[np.sort(first)]
    return thinned
