"""Where transducers and windows may not be: each refusal is one sentence."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase.fields.acoustics.window.anatomy import Anatomy, Kind, anatomy_of
from rheobase.fields.acoustics.window.rays import Rays
from rheobase.meshes.head import Head
from rheobase.meshes.leads.medium import Medium
from rheobase.meshes.spaces import checked

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Most of the inner half of a window that may hold air before it is refused.
AIR_ALLOWED = 0.05
#: Of a window's measures (m): larger ones were given in millimetres.
LARGEST = 1.0


def check_outside(
    source: Head | Medium | Anatomy, points: ArrayLike, *, what: str = "transducer"
) -> None:
    """Check that points are outside a head.

    Parameters
    ----------
    source
        The head.
    points
        Points of the transducer's face (m), head frame, shape (n, 3).
    what
        What they belong to.

    Raises
    ------
    InputError
        If a point is inside, with their number and the first of them.
    """
    x = checked(points)
    inside = anatomy_of(source, x, None).kinds(x) != Kind.OUTSIDE
    if inside.any():
        raise InputError(
            f"expected the {what} outside the head, {inside.sum()} of its {len(x)} points are "
            f"inside, the first at {_mm(x[inside][0])} mm: move it away from the head"
        )


def check_box(
    half_width: tuple[float, float],
    depth: tuple[float, float],
    frame: Floats,
    target: ArrayLike | None,
) -> None:
    """Check a window's extent, and that it holds the target (m, head frame).

    Raises
    ------
    InputError
        If it does not.
    """
    for value in half_width:
        check_positive("half width of a window (m)", value)
    if not (np.isfinite(depth).all() and depth[0] < depth[1]):
        raise InputError(f"expected depths (m) of a window that grow, got {tuple(depth)}")
    if (reach := float(np.abs([*half_width, *depth]).max())) > LARGEST:
        raise InputError(f"expected a window in metres, within {LARGEST:g} m, got {reach:g}")
    if target is None:
        return
    inverse = np.linalg.inv(frame)
    t = checked(np.reshape(target, (1, -1)))[0] @ inverse[:3, :3].T + inverse[:3, 3]
    if not (abs(t[0]) < half_width[0] and abs(t[1]) < half_width[1] and depth[0] < t[2] < depth[1]):
        raise InputError(
            f"expected the target inside the window (x ±{1e3 * half_width[0]:.1f}, y "
            f"±{1e3 * half_width[1]:.1f}, z {1e3 * depth[0]:.1f} … {1e3 * depth[1]:.1f} mm), "
            f"it is at {_mm(t)} mm of the beam"
        )


def check_rays(rays: Rays, half_width: tuple[float, float]) -> tuple[str, ...]:
    """Return notes on air and bone in the way; refuse a window that misses the head or meets air.

    The inner half of a window, along x and y, decides what is refused.

    Raises
    ------
    InputError
        If the window starts inside the head, misses it, meets no bone, or more than
        `AIR_ALLOWED` of its inner half goes through air.
    """
    if rays.inside.any():
        raise InputError(
            f"expected the window to start outside the head, {rays.inside.mean():.0%} of its first "
            f"face is inside, as at {_place(rays, rays.inside)}: start it farther from the head"
        )
    core = np.abs(rays.x)[:, None] <= 0.5 * half_width[0]
    core = core & (np.abs(rays.y)[None] <= 0.5 * half_width[1])
    if not rays.hit[core].any():
        raise InputError(
            "expected a beam that meets the head, no ray of the inner half of the window does"
        )
    if not rays.bone[core].any():
        raise InputError(
            "expected bone in the beam, no ray of the inner half of the window goes through a skull"
        )
    notes = []
    for z, what, cure in (
        (rays.fold, "a gap in the skin, taken as filled with water", ""),
        (rays.pocket, "air inside the head", "aim past it"),
        (rays.leaves, "the far side of the head", "end the window before it"),
    ):
        found = np.isfinite(z)
        if not found.any():
            continue
        first = np.nanmin(np.where(found, z, np.nan))
        where = f"{_place(rays, z == first)}, z = {1e3 * first:.1f} mm"
        if cure and (share := found[core].mean()) > AIR_ALLOWED:
            raise InputError(
                f"expected no air in the beam, {share:.0%} of the inner half of the window reaches "
                f"{what}, first at {where}: {cure}"
            )
        notes.append(f"{found.mean():.1%} of the window reaches {what}, first at {where}")
    return tuple(notes)


def _place(rays: Rays, where: Bools) -> str:
    i, j = np.argwhere(where)[0]
    return f"(x, y) = ({1e3 * rays.x[i]:.1f}, {1e3 * rays.y[j]:.1f}) mm"


def _mm(point: Floats) -> list[float]:
    found: list[float] = (1e3 * point).round(1).tolist()
    return found
