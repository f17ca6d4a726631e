"""Electrodes and coils a little off their places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.coils.coil import Coil
from rheobase.fields.coils.placing import TOUCH, overlap
from rheobase.fields.electrodes.electrode import Electrode
from rheobase.meshes.placing.scalp import Scalp


def shifted_electrode(electrode: Electrode, scalp: Scalp, shift: Mapping[str, float]) -> Electrode:
    """Return an electrode shifted along the scalp.

    The shift is taken in the tangent plane at the electrode's place and carried to the nearest
    point of the scalp.

    Parameters
    ----------
    electrode, scalp
        The electrode at its place.
    shift
        "front", "right" (mm) and "turn" (degrees), as `ElectrodeShift` has them; 0 if not there.
    """
    where = f"electrode {electrode.name!r}"
    frame = scalp.frame(electrode.centre, where=where, limit=electrode.limit_mm * 1e-3)
    move = shift.get("front", 0.0) * frame.front + shift.get("right", 0.0) * frame.right
    centre, _ = scalp.nearest(frame.origin + 1e-3 * move)
    turn = electrode.rotation_deg + shift.get("turn", 0.0)
    return replace(electrode, centre=centre, rotation_deg=turn)


def shifted_coil(coil: Coil, scalp: Scalp, shift: Mapping[str, float]) -> Coil:
    """Return a coil shifted and turned in its own frame, lifted where it would enter the head.

    Parameters
    ----------
    coil
        The coil at its pose.
    scalp
        The head's scalp.
    shift
        "x", "y", "z" (mm), "pitch", "roll" and "turn" (degrees), as `CoilShift` has them; 0 if not
        there. The coil is turned first, about x, y and then z.
    """
    from scipy.spatial.transform import Rotation

    local = np.eye(4)
    angles = [shift.get(axis, 0.0) for axis in ("pitch", "roll", "turn")]
    local[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    local[:3, 3] = [1e-3 * shift.get(axis, 0.0) for axis in "xyz"]
    moved = _moved(coil, local)
    depth = overlap(moved, scalp)
    while depth > 0:
        local = np.eye(4)
        local[2, 3] = depth + TOUCH
        moved = _moved(moved, local)
        depth = overlap(moved, scalp)
    return moved


def _moved(coil: Coil, local: NDArray[np.float64]) -> Coil:
    """Return a coil moved by a transform of its own frame (m), shape (4, 4)."""
    R, t = coil.pose[:3, :3], coil.pose[:3, 3]
    back = np.eye(4)
    back[:3, :3], back[:3, 3] = R.T, -R.T @ t
    return coil.moved(coil.pose @ local @ back)
