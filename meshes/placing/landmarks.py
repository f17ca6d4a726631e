"""Landmarks of a head: checked before the long work, or taken from MNI space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option

LANDMARKS = ("nasion", "inion", "lpa", "rpa", "bregma", "lambda")
#: Farthest from the surface that a landmark may lie (m), and part of the head's extent.
FARTHEST, FARTHEST_PART = 20e-3, 0.1


def check_landmarks(
    landmarks_mm: Mapping[str, Sequence[float]], surface: NDArray[np.float64], where: str
) -> dict[str, NDArray[np.float64]]:
    """Check landmarks against the surface of the head.

    Parameters
    ----------
    landmarks_mm
        "nasion", "inion", "lpa" and "rpa" (left and right ear), "bregma", "lambda" (mm), in the
        space of the head: x to the right, y to the front.
    surface
        Points of the outer surface (m), shape (n, 3).
    where
        The file, for the sentence.

    Returns
    -------
    dict
        The landmarks (m), shape (3,) each.

    Raises
    ------
    InputError
        If a name is unknown, a value is no point, left and right or front and back are swapped, or
        a landmark lies off the head (or all are given in metres).
    """
    from scipy.spatial import KDTree

    where = f"landmarks of {where}"
    found: dict[str, NDArray[np.float64]] = {}
    for name, value in landmarks_mm.items():
        check_option("landmark", name, LANDMARKS, where=where)
        point = np.asarray(value, dtype=np.float64)
        if point.shape != (3,) or not np.isfinite(point).all():
            raise InputError(f"expected three numbers (mm) for {name}, got {value!r}: {where}")
        found[name] = point * 1e-3
    if not found:
        return found
    extent = float(np.ptp(surface, axis=0).max())
    points = np.array(list(found.values()))
    tree = KDTree(surface)
    off = np.asarray(tree.query(points)[0])
    limit = min(FARTHEST, FARTHEST_PART * extent)
    worst = int(off.argmax())
    if off[worst] > limit:
        name = list(found)[worst]
        hint = ""
        if np.max(tree.query(points * 1e3)[0]) <= limit:
            hint = ", as if in metres: give millimetres"
        raise InputError(
            f"{name} at {_mm(points[worst])} mm lies {off[worst] * 1e3:.0f} mm off the head "
            f"(at most {limit * 1e3:.0f}){hint}: {where}"
        )
    for low, high, axis, words in (
        ("lpa", "rpa", 0, "left and right"),
        ("inion", "nasion", 1, "front and back"),
        ("lambda", "bregma", 1, "front and back"),
    ):
        if low in found and high in found and found[low][axis] >= found[high][axis]:
            raise InputError(
                f"{low} at {_mm(found[low])} mm and {high} at {_mm(found[high])} mm: {words} are "
                f"swapped (x points to the right, y to the front): {where}"
            )
    return found


def landmarks_from_mni(
    mni_to_head_mm: NDArray[np.float64] | Sequence[Sequence[float]],
) -> dict[str, tuple[float, float, float]]:
    """Return the landmarks of the default head, moved into another head (mm).

    Parameters
    ----------
    mni_to_head_mm
        Affine map from MNI152 to the head, both in mm, shape (4, 4).

    Returns
    -------
    dict
        "nasion", "inion", "lpa", "rpa" (mm): they lie within a few millimetres of the scalp,
        as good as the affine map is.

    Raises
    ------
    InputError
        If the map is no affine map of finite numbers.
    """
    from rheobase.meshes.heads.mni152_template import fiducials

    matrix = np.asarray(mni_to_head_mm, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or (matrix[3] != (0, 0, 0, 1)).any():
        raise InputError(
            f"expected an affine map (4 x 4, last row 0 0 0 1), got shape {matrix.shape}: "
            "landmarks from MNI"
        )
    moved = {k: matrix[:3, :3] @ (p * 1e3) + matrix[:3, 3] for k, p in fiducials().items()}
    return {k: (float(p[0]), float(p[1]), float(p[2])) for k, p in moved.items()}


def outer_voxels(image: NDArray[Any], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the centres of the voxels that have a face to the outside (m), shape (n, 3)."""
    inside = np.pad(image != 0, 1)
    open_face = np.zeros(image.shape, bool)
    for axis in range(3):
        for step in (-1, 1):
            open_face |= ~np.roll(inside, step, axis)[1:-1, 1:-1, 1:-1]
    index = np.argwhere(open_face & (image != 0))
    points: NDArray[np.float64] = index @ affine[:3, :3].T + affine[:3, 3]
    return points


def _mm(point: NDArray[np.float64]) -> str:
    return "(" + ", ".join(f"{1e3 * x:.1f}" for x in point) + ")"
