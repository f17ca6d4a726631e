"""Poses of a coil all over the scalp: every position and handle angle, out of the head."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._threads import in_parts
from rheobase.fields.coils.coil import Coil
from rheobase.fields.coils.placing import NORMAL_RADIUS, TOUCH
from rheobase.fields.targeting.distance import MARGIN, ScalpDistance
from rheobase.meshes.files.surface_tree import SurfaceTree
from rheobase.meshes.placing.scalp import Frame, Scalp

_PART = 16  # poses of a thread's piece of work
_OUTLINE = 0.003  # one point of a casing in each cell of this size (m) is looked at


def scalp_positions(scalp: Scalp, distance: ScalpDistance, spacing: float) -> NDArray[np.float64]:
    """Return points all over the scalp (m), one in each cell of size ``spacing``, (n, 3)."""
    points = distance.surface(0.0, spacing)[0]
    return SurfaceTree.of_triangles(scalp.nodes[scalp.triangles]).nearest(points)


def scalp_grid(
    frame: Frame, radius: float, spacing: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return places evenly spaced along the scalp around a point of it, for maps and pictures.

    Parameters
    ----------
    frame
        Tangent frame at the point.
    radius, spacing
        Along the scalp (m). Beyond an edge of the scalp there is no place.

    Returns
    -------
    along : ndarray, shape (p, 2)
        Right and front of the point along the scalp (m).
    points : ndarray, shape (p, 3)
        The places (m).

    Raises
    ------
    InputError
        If a length is not > 0 m.
    """
    if not (radius > 0 and spacing > 0):
        raise InputError(
            f"radius and spacing must be > 0 m, got {radius!r} and {spacing!r}: places on the scalp"
        )
    n = int(radius / spacing)
    steps = np.arange(-n, n + 1) * spacing
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    along, points = [], []
    for uv in grid[np.linalg.norm(grid, axis=1) <= radius]:
        try:
            points.append(frame.point(uv, where="place on the scalp"))
        except InputError:
            continue
        along.append(uv)
    return np.array(along), np.array(points)


def tangential_poses(
    scalp: Scalp, positions: ArrayLike, angles_deg: ArrayLike, distance_mm: float
) -> NDArray[np.float64]:
    """Return the poses of `rheobase.fields.coils.placing.place_coil` at positions and angles.

    Parameters
    ----------
    scalp
        The scalp.
    positions
        Points of it (m), shape (p, 3).
    angles_deg
        Handle angles, shape (a,).
    distance_mm
        From the scalp to the coil's origin along the mean normal.

    Returns
    -------
    ndarray, shape (p, a, 4, 4)
        From the coil's frame to the head (m).
    """
    from scipy.spatial import cKDTree

    x = np.asarray(positions, dtype=np.float64)
    angle = np.deg2rad(np.asarray(angles_deg, dtype=np.float64))
    tree: Any = cKDTree(scalp.centroids)
    near = tree.query_ball_point(x, max(NORMAL_RADIUS, scalp.edge))
    count = np.array([len(some) for some in near])
    members = np.concatenate([np.asarray(some, dtype=np.int64) for some in near])
    owner = np.repeat(np.arange(len(x)), count)
    normal = np.stack(
        [np.bincount(owner, n, minlength=len(x)) for n in scalp.normals[members].T], axis=1
    )
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    right, front = _carried(normal)
    outwards = np.where(x[:, :1] < -1e-3, -right, right)
    handle = -np.cos(angle)[:, None] * front[:, None] + np.sin(angle)[:, None] * outwards[:, None]
    poses = np.zeros((len(x), len(angle), 4, 4))
    poses[..., :3, 0] = np.cross(handle, normal[:, None])
    poses[..., :3, 1] = handle
    poses[..., :3, 2] = normal[:, None]
    poses[..., :3, 3] = (x + 1e-3 * distance_mm * normal)[:, None]
    poses[..., 3, 3] = 1.0
    return poses


def lifted(
    coil: Coil, distance: ScalpDistance, poses: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Move poses outwards along the coil's axis until the coil stays outside the head.

    Parameters
    ----------
    coil
        The coil in its own frame.
    distance
        Distance from the scalp.
    poses
        Shape (n, 4, 4).

    Returns
    -------
    poses : ndarray, shape (n, 4, 4)
    lift : ndarray, shape (n,)
        How far each was moved (m).
    clearance : ndarray, shape (n,)
        Smallest distance (m) between coil and scalp that is left, `MARGIN` at most.
    """
    from rheobase.fields.targeting._poses_numba import lift_out

    points = np.concatenate([coil.outline, coil.elements])
    first = np.unique(np.floor(points / _OUTLINE), axis=0, return_index=True)[1]
    lift, gap = np.empty(len(poses)), np.empty(len(poses))
    corners, at = points[np.sort(first)], np.ascontiguousarray(poses)
    grid = distance.values, distance.low, distance.spacing, MARGIN
    in_parts(
        lambda some: lift_out(*grid, corners, at[some], TOUCH, lift[some], gap[some]),
        len(poses),
        _PART,
    )
    out = poses.copy()
    out[:, :3, 3] += lift[:, None] * poses[:, :3, 2]
    return out, lift, gap


def _carried(normal: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return +x and +y carried by the smallest turn from +z to each normal, shape (n, 3) each."""
    x, y, z = normal.T
    down = z < -1 + 1e-12
    h = 1 / np.where(down, 1.0, 1 + z)
    right = np.stack([1 - h * x * x, -h * x * y, -x], axis=1)
    front = np.stack([-h * x * y, 1 - h * y * y, -y], axis=1)
    right[down], front[down] = [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]
    return right, front
