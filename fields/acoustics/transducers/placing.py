"""Where a transducer stands: its beam aimed at a target in the head."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option, check_positive
from rheobase.fields.acoustics.transducers.transducer import Transducer
from rheobase.fields.coils.coil import checked_pose
from rheobase.fields.coils.placing import Space, head_point, inner_point, rise_along
from rheobase.meshes.head import Head
from rheobase.meshes.placing.scalp import Scalp

Floats = NDArray[np.float64]
BACKWARDS = np.diag([1.0, -1.0, -1.0, 1.0])


def place_transducer(
    transducer: Transducer,
    head: Head,
    *,
    target: ArrayLike,
    direction: ArrayLike | None = None,
    entry: str | ArrayLike | None = None,
    distance: float | None = None,
    rotation_deg: float = 0.0,
    space: Space = "head",
    scalp: Scalp | None = None,
) -> Transducer:
    """Aim a transducer at a target.

    Parameters
    ----------
    transducer
        The transducer.
    head
        The head.
    target
        Point inside the head (m) that the beam's axis goes through.
    direction
        Along which the beam goes into the head.
    entry
        Instead of it, a 10-10 name or a point (m) that the beam comes from. Without either it comes
        from the scalp point nearest to the target.
    distance
        From the transducer's origin, the rear vertex or the middle of its face, to the target (m);
        the geometric focus lies on the target by default.
    rotation_deg
        About the beam's axis; at 0 the transducer's x lies as near as it can to the head's right
        (to its front for a beam from the side).
    space
        Space of the points: that of the head, or MNI.
    scalp
        The head's scalp, where it is known already.

    Returns
    -------
    Transducer
        With its ``frame``.

    Raises
    ------
    InputError
        If the target lies outside the head, the direction is none, a flat transducer has no
        distance, or the transducer would stand in the head or miss it.
    """
    where = f"transducer {transducer.name!r}"
    check_option("space", space, ("head", "MNI"), where=where)
    surface = scalp or Scalp(head.mesh)
    goal = inner_point(head, surface, target, space, where)
    if direction is not None and entry is not None:
        raise InputError(f"expected either a direction or an entry, got both: {where}")
    if direction is not None:
        way = np.asarray(direction, dtype=np.float64)
    elif entry is not None:
        way = goal - head_point(head, entry, space, where)
    else:
        way = goal - surface.nearest(goal)[0]
    length = float(np.linalg.norm(way)) if way.shape == (3,) else 0.0
    if not (isfinite(length) and length > 1e-9):
        raise InputError(
            f"expected a direction of three numbers, not all 0, got {way.tolist()}: {where}"
        )
    if not isfinite(rotation_deg):
        raise InputError(f"rotation_deg must be finite, got {rotation_deg!r}: {where}")
    if distance is None:
        if not isfinite(transducer.curvature_radius):
            raise InputError(
                f"a flat transducer has no focus to put on the target, give a distance (m): {where}"
            )
        distance = transducer.curvature_radius
    check_positive(f"distance (m) of {where}", distance)
    frame = beam_frame(way / length, rotation_deg)
    frame[:3, 3] = goal - distance * frame[:3, 2]
    placed = replace(transducer, frame=frame)
    check_placed(placed, surface)
    return placed


def check_placed(transducer: Transducer, scalp: Scalp) -> float:
    """Check that a placed transducer stands outside the head and its beam meets it.

    Returns
    -------
    float
        From the transducer's origin to the scalp along the beam's axis (m).

    Raises
    ------
    InputError
        If the frame is not a rotation and a shift, a part of the transducer lies in the head or the
        beam's axis misses it.
    """
    where = f"transducer {transducer.name!r}"
    frame = checked_pose(transducer.frame, where=where)
    points = transducer.outline @ frame[:3, :3].T + frame[:3, 3]
    depth = float(rise_along(points, scalp, frame @ BACKWARDS).max())
    if depth > 0:
        raise InputError(
            f"the transducer stands in the head, move it back along its beam by "
            f"{1e3 * depth:.1f} mm (distance): {where}"
        )
    way = to_scalp(scalp, frame[:3, 3], frame[:3, 2])
    if not isfinite(way):
        raise InputError(
            "the beam misses the head: its axis from "
            f"{(1e3 * frame[:3, 3]).round(1).tolist()} mm along "
            f"{frame[:3, 2].round(3).tolist()} does not meet the scalp: {where}"
        )
    return way


def to_scalp(scalp: Scalp, origin: Floats, direction: Floats) -> float:
    """Return the way (m) along a ray to the scalp, infinite where it never meets it."""
    a, b, c = (scalp.nodes[scalp.triangles[:, k]] for k in range(3))
    across = np.cross(direction, c - a)
    det = np.einsum("ij,ij->i", b - a, across)
    some = det != 0
    a, e1, e2, det = a[some], (b - a)[some], (c - a)[some], det[some]
    s = origin - a
    q = np.cross(s, e1)
    u = np.einsum("ij,ij->i", s, across[some]) / det
    v = q @ direction / det
    t = np.einsum("ij,ij->i", e2, q) / det
    slack = 1e-9  # an axis through an edge meets both triangles
    hit = (u >= -slack) & (v >= -slack) & (u + v <= 1 + slack) & (t > 0)
    return float(t[hit].min()) if hit.any() else inf


def beam_frame(axis: Floats, rotation_deg: float) -> Floats:
    """Return the rotation from the beam to the head with z along a unit vector, shape (4, 4)."""
    right = np.array([1.0, 0.0, 0.0]) if abs(axis[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    x = right - (right @ axis) * axis
    x /= np.linalg.norm(x)
    y = np.cross(axis, x)
    turn = np.deg2rad(rotation_deg)
    frame = np.eye(4)
    frame[:3, 0] = np.cos(turn) * x + np.sin(turn) * y
    frame[:3, 1] = np.cos(turn) * y - np.sin(turn) * x
    frame[:3, 2] = axis
    return frame
