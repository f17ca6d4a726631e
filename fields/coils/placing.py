"""Where a coil stands on the head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.coils.coil import Coil
from rheobase.meshes.head import Head
from rheobase.meshes.placing.scalp import Scalp

NORMAL_RADIUS = 0.020  # the coil is tangential to the scalp over this distance (m)


def place_coil(
    coil: Coil,
    head: Head,
    *,
    position: str | NDArray[np.float64],
    handle_angle_deg: float = 45.0,
    distance_mm: float = 7.0,
) -> Coil:
    """Stand a coil on the scalp, tangential to it.

    Parameters
    ----------
    coil
        The coil in its own frame.
    head
        The head.
    position
        10-10 name, or a point on the scalp (m), under the middle of the coil.
    handle_angle_deg
        Where the handle points, in the plane of the coil: 0 backwards, 90 sideways away from the
        midline (to the right on the midline itself), 45 the usual backwards-and-outwards of motor
        cortex. Backwards and sideways are those of the vertex, carried over the head by the
        smallest turn.
    distance_mm
        Gap between scalp and the winding's near face; the mid-plane is half the winding's height
        further out. The default is 3 mm of casing (the lowest layer of the Magstim D70 in the coil
        files of Drakaki 2022) and 4 mm of hair and air.

    Returns
    -------
    Coil
        In head coordinates.

    Raises
    ------
    InputError
        If the position is not known, not on the scalp, or the coil would cut the head.
    """
    if not (np.isfinite(distance_mm) and distance_mm >= 0):
        raise InputError(f"distance_mm must be >= 0, got {distance_mm!r}: coil {coil.name!r}")
    point = head.position(position) if isinstance(position, str) else np.asarray(position, float)
    where = f"coil {coil.name!r} at {position if isinstance(position, str) else point}"
    scalp = Scalp(head.mesh)
    frame = scalp.frame(point, where=where, radius=NORMAL_RADIUS)
    outwards = -frame.right if point[0] < -1e-3 else frame.right
    angle = np.deg2rad(handle_angle_deg)
    handle = -np.cos(angle) * frame.front + np.sin(angle) * outwards
    pose = np.eye(4)
    pose[:3, 0] = np.cross(handle, frame.normal)
    pose[:3, 1] = handle
    pose[:3, 2] = frame.normal
    pose[:3, 3] = frame.origin + (1e-3 * distance_mm + coil.height / 2) * frame.normal
    placed = coil.moved(pose)
    check_clear(placed, scalp, where=where)
    return placed


def check_clear(coil: Coil, scalp: Scalp, *, where: str = "") -> None:
    """Check that a coil in head coordinates stays outside the head.

    Raises
    ------
    InputError
        If the scalp reaches into a wing, or an element lies inside the head.
    """
    from scipy.spatial import cKDTree

    where = where or f"coil {coil.name!r}"
    nodes = scalp.nodes[np.unique(scalp.triangles)]
    local = (nodes - coil.pose[:3, 3]) @ coil.pose[:3, :3]
    for x, y, _, radius in coil.wings:
        under = np.hypot(local[:, 0] - x, local[:, 1] - y) < radius
        depth = (local[under, 2] + coil.height / 2).max(initial=-np.inf)
        if depth > 0:
            raise InputError(
                f"the coil cuts the head, raise distance_mm by {depth * 1e3:.1f}: {where}"
            )
    elements = np.concatenate([coil.positions, coil.dipoles])
    _, nearest = cKDTree(scalp.centroids).query(elements)
    above = ((elements - scalp.centroids[nearest]) * scalp.normals[nearest]).sum(1)
    if (above <= 0).any():
        raise InputError(f"{int((above <= 0).sum())} coil elements lie inside the head: {where}")
