"""Where a coil stands on the head."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.fields.coils.coil import Coil
from rheobase.meshes.files.surface_tree import SurfaceTree
from rheobase.meshes.head import Head
from rheobase.meshes.placing.scalp import Scalp

NORMAL_RADIUS = 0.020  # the coil is tangential to the scalp over this distance (m)
DISTANCE_MM = 4.0  # from scalp to casing: hair and air
HANDLE_DEG = 45.0
TOUCH = 1e-5  # m that a lifted coil keeps from the scalp

Contact = Literal["error", "lift", "allow"]
Space = Literal["head", "MNI"]


def place_coil(
    coil: Coil,
    head: Head,
    *,
    position: str | ArrayLike | None = None,
    target: ArrayLike | None = None,
    space: Space = "head",
    handle_angle_deg: float | None = None,
    handle_towards: str | ArrayLike | None = None,
    distance_mm: float = DISTANCE_MM,
    contact: Contact = "error",
) -> Coil:
    """Stand a coil on the scalp, tangential to it.

    Parameters
    ----------
    coil
        The coil in its own frame.
    head
        The head.
    position
        10-10 name, or a point within 10 mm of the scalp (m), under the middle of the coil's face.
    target
        Point inside the head (m): the coil stands over the scalp point nearest to it. One of
        ``position`` and ``target`` is given.
    space
        Space of the points: that of the head, or MNI.
    handle_angle_deg
        Where the handle points, in the plane of the coil: 0 backwards, 90 sideways away from the
        midline (to the right on the midline itself), 45 the usual backwards-and-outwards of motor
        cortex (the default). Backwards and sideways are those of the vertex, carried over the head
        by the smallest turn.
    handle_towards
        Instead of an angle, a 10-10 name or a point (m) that the handle points to.
    distance_mm
        From the scalp point to the coil's origin, the middle of its face, along the scalp's mean
        normal (over 20 mm); 4 mm stand for hair.
    contact
        What happens where the coil would reach into the head: "error"; "lift" moves it outwards
        along its axis until it does not; "allow" leaves it. Either is told in the coil's notes.

    Returns
    -------
    Coil
        In head coordinates.

    Raises
    ------
    InputError
        If the position is not known or not on the scalp, the handle has no direction, or the coil
        would reach into the head.
    """
    scalp = Scalp(head.mesh)
    where = f"coil {coil.name!r}"
    pose = scalp_pose(
        head,
        scalp,
        position=position,
        target=target,
        space=space,
        handle_angle_deg=handle_angle_deg,
        handle_towards=handle_towards,
        distance_mm=distance_mm,
        where=where,
    )
    return stand(coil, scalp, pose, contact=contact)


def scalp_pose(
    head: Head,
    scalp: Scalp,
    *,
    position: str | ArrayLike | None = None,
    target: ArrayLike | None = None,
    space: Space = "head",
    handle_angle_deg: float | None = None,
    handle_towards: str | ArrayLike | None = None,
    distance_mm: float = DISTANCE_MM,
    where: str = "coil",
) -> NDArray[np.float64]:
    """Return the pose (m) of a coil on the scalp, shape (4, 4); parameters as for `place_coil`."""
    if (position is None) == (target is None):
        raise InputError(f"expected either a position or a target: {where}")
    if not (np.isfinite(distance_mm) and distance_mm >= 0):
        raise InputError(f"distance_mm must be >= 0, got {distance_mm!r}: {where}")
    if handle_towards is not None and handle_angle_deg is not None:
        raise InputError(f"expected either handle_angle_deg or handle_towards, got both: {where}")
    check_option("space", space, get_args(Space), where=where)
    if position is not None:
        where = f"{where} at {position if isinstance(position, str) else np.asarray(position)}"
        point = head_point(head, position, space, where)
    else:
        point, _ = scalp.nearest(inner_point(head, scalp, target, space, where))
    frame = scalp.frame(point, where=where, radius=NORMAL_RADIUS)
    if handle_towards is None:
        angle = HANDLE_DEG if handle_angle_deg is None else handle_angle_deg
        if not np.isfinite(angle):
            raise InputError(f"handle_angle_deg must be finite, got {angle!r}: {where}")
        outwards = -frame.right if point[0] < -1e-3 else frame.right
        handle = -np.cos(np.deg2rad(angle)) * frame.front + np.sin(np.deg2rad(angle)) * outwards
    else:
        towards = head_point(head, handle_towards, space, where) - frame.origin
        handle = towards - (towards @ frame.normal) * frame.normal
        size = float(np.linalg.norm(handle))
        if size < 1e-3:
            raise InputError(f"expected a handle that points to another place: {where}")
        handle /= size
    pose = np.eye(4)
    pose[:3, 0] = np.cross(handle, frame.normal)
    pose[:3, 1] = handle
    pose[:3, 2] = frame.normal
    pose[:3, 3] = frame.origin + 1e-3 * distance_mm * frame.normal
    return pose


def head_point(head: Head, place: str | ArrayLike, space: Space, where: str) -> NDArray[np.float64]:
    """Return a 10-10 position or a point (m) in the space of the head, shape (3,)."""
    if isinstance(place, str):
        return head.position(place)
    point = np.asarray(place, dtype=np.float64)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise InputError(f"expected three finite coordinates, got {point.tolist()}: {where}")
    return head.from_mni(point[None])[0] if space == "MNI" else point


def inner_point(
    head: Head, scalp: Scalp, target: ArrayLike | None, space: Space, where: str
) -> NDArray[np.float64]:
    """Return a point (m) in the space of the head, checked to be inside it."""
    if isinstance(target, str) or target is None:
        raise InputError(f"expected the coordinates of a target, got {target!r}: {where}")
    point = head_point(head, target, space, where)
    if not rise_along(point[None], scalp, np.eye(4))[0] > 0:
        raise InputError(
            f"expected a target inside the head, got {(1e3 * point).round(1).tolist()} mm: {where}"
        )
    return point


def stand(coil: Coil, scalp: Scalp, pose: ArrayLike, *, contact: Contact = "error") -> Coil:
    """Put a coil at a pose in head coordinates and see that it stays outside the head.

    Parameters
    ----------
    coil
        The coil in its own frame.
    scalp
        The head's scalp.
    pose
        From the coil's frame to the head's (m), shape (4, 4).
    contact
        "error", "lift" or "allow", as for `place_coil`.

    Raises
    ------
    InputError
        If the pose is not a rotation and a shift, or the coil reaches into the head.
    """
    check_option("contact", contact, get_args(Contact), where=f"coil {coil.name!r}")
    placed = coil.moved(pose)
    if contact == "error":
        check_clear(placed, scalp)
        return placed
    depth = overlap(placed, scalp)
    if depth == 0:
        return placed
    if contact == "allow":
        note = f"reaches {depth * 1e3:.1f} mm into the head, as allowed"
    else:
        lifted = 0.0
        shift = np.eye(4)
        while depth > 0:
            lifted += depth + TOUCH
            shift[:3, 3] = (depth + TOUCH) * placed.pose[:3, 2]
            placed = placed.moved(shift)
            depth = overlap(placed, scalp)
        note = f"lifted by {lifted * 1e3:.1f} mm to stay outside the head"
    logging.getLogger("rheobase").warning("coil %r %s", coil.name, note)
    return replace(placed, notes=(*placed.notes, note))


def check_clear(coil: Coil, scalp: Scalp) -> None:
    """Check that a coil in head coordinates stays outside the head.

    Raises
    ------
    InputError
        If its outline or an element lies inside; the sentence says how far to move it.
    """
    depth = overlap(coil, scalp)
    if depth > 0:
        raise InputError(
            f"the coil reaches into the head, move it outwards by {depth * 1e3:.1f} mm "
            f"(distance_mm) or allow it: coil {coil.name!r}"
        )


def overlap(coil: Coil, scalp: Scalp) -> float:
    """Return how far (m) a coil must move along its axis to leave the head, 0 if it is outside."""
    points = np.concatenate([coil.outline, coil.elements])
    return float(rise_along(points, scalp, coil.pose).max(initial=0.0))


def clearance(coil: Coil, scalp: Scalp) -> float:
    """Return the smallest distance (m) between a coil outside the head and the scalp."""
    points = np.concatenate([coil.outline, coil.elements])
    if not len(points):
        return np.inf
    foot = SurfaceTree.of_triangles(scalp.nodes[scalp.triangles]).nearest(points)
    return float(np.linalg.norm(points - foot, axis=1).min())


def rise_along(
    points: NDArray[np.float64], scalp: Scalp, pose: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far (m) each point inside the scalp is from leaving it along the pose's +z."""
    from rheobase.fields.coils._clearance_numba import rise

    out = np.zeros(len(points))
    if not len(points):
        return out
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    corners = ((scalp.nodes - pose[:3, 3]) @ pose[:3, :3])[scalp.triangles]
    order = np.argsort(local[:, 0])
    found = np.empty(len(points))
    rise(np.ascontiguousarray(local[order]), corners, found)
    out[order] = found
    return out
