"""The domains a lead is solved in: simple bodies for studies, the box around a head.

The boundary of a body is where a norm is 1: |A (x - centre)| = 1 with the Euclidean norm for a
sphere or an ellipsoid, the largest component for a box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_positive

if TYPE_CHECKING:
    from rheobase.meshes.head import Head

#: Height of the face that current leaves a head by, above its lowest point, over that of the head.
NECK = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Domain:
    """A convex body around a lead, and where the current returns.

    Parameters
    ----------
    kind
        Shape: "ellipsoid" or "box".
    half
        Half lengths along the body's axes (m), shape (3,).
    centre
        Its centre (m), head frame, shape (3,).
    axes
        Its axes as rows, orthonormal, head frame, shape (3, 3).
    grounded
        Which part of the boundary is at 0 V: "all", or only the "lowest" face of a box; no current
        leaves through the rest.

    Raises
    ------
    InputError
        If a length is not > 0 or the axes are not orthonormal.
    """

    kind: Literal["ellipsoid", "box"]
    half: NDArray[np.float64]
    centre: NDArray[np.float64]
    axes: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    grounded: Literal["all", "lowest"] = "all"

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, shape in (("half", (3,)), ("centre", (3,)), ("axes", (3, 3))):
            value = np.asarray(getattr(self, name), dtype=np.float64)
            if value.shape != shape or not np.isfinite(value).all():
                raise InputError(
                    f"expected {name} of a domain as finite numbers of shape {shape}, "
                    f"got {getattr(self, name)!r}"
                )
            object.__setattr__(self, name, value)
        if not (self.half > 0).all():
            raise InputError(f"the lengths of a domain must be > 0 m, got {self.half.tolist()}")
        if not np.allclose(self.axes @ self.axes.T, np.eye(3), atol=1e-6):
            raise InputError(f"the axes of a domain must be orthonormal, got {self.axes.tolist()}")

    def norm(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the norm that is 1 on the boundary, at points (..., 3) of the head frame."""
        y = (points - self.centre) @ self.axes.T / self.half
        found: NDArray[np.float64] = (
            np.abs(y).max(-1) if self.kind == "box" else np.linalg.norm(y, axis=-1)
        )
        return found

    def on_return(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return whether points of the boundary (n, 3) are on the part at 0 V."""
        if self.grounded == "all":
            return np.ones(len(points), bool)
        y = (points - self.centre) @ self.axes.T / self.half
        lowest: NDArray[np.bool_] = y[:, 2] < -1 + 1e-9
        return lowest


def sphere_domain(radius: float, centre: Sequence[float] = (0.0, 0.0, 0.0)) -> Domain:
    """Return a sphere whose surface is at 0 V.

    Parameters
    ----------
    radius
        Its radius (m).
    centre
        Its centre (m), head frame, shape (3,).
    """
    check_positive("radius", radius)
    return Domain(kind="ellipsoid", half=np.full(3, radius), centre=np.asarray(centre))


def ellipsoid_domain(
    half: Sequence[float],
    centre: Sequence[float] = (0.0, 0.0, 0.0),
    axes: NDArray[np.float64] | None = None,
) -> Domain:
    """Return an ellipsoid whose surface is at 0 V; ``half`` are its semi-axes (m), shape (3,)."""
    return Domain(
        kind="ellipsoid",
        half=np.asarray(half),
        centre=np.asarray(centre),
        axes=np.eye(3) if axes is None else axes,
    )


def box_domain(
    half: Sequence[float],
    centre: Sequence[float] = (0.0, 0.0, 0.0),
    axes: NDArray[np.float64] | None = None,
) -> Domain:
    """Return a box whose surface is at 0 V; ``half`` are its half edges (m), shape (3,)."""
    return Domain(
        kind="box",
        half=np.asarray(half),
        centre=np.asarray(centre),
        axes=np.eye(3) if axes is None else axes,
    )


def head_domain(head: Head) -> Domain:
    """Return the box of a head, whose lowest face, through the neck, is the return at 0 V.

    The case of a pulse generator lies in the chest: the current leaves the head through the neck.
    The face lies a little above the lowest point of the head (`NECK`), which may be no more than
    that. The air between head and box conducts nothing.

    Parameters
    ----------
    head
        The head.
    """
    low, high = head.mesh.nodes.min(axis=0), head.mesh.nodes.max(axis=0)
    margin = np.array([0.02, 0.02, 0.02]) * (high - low)
    face = low[2] + NECK * (high[2] - low[2])
    high = high + margin
    low = low - margin
    low[2] = face
    return Domain(kind="box", half=0.5 * (high - low), centre=0.5 * (low + high), grounded="lowest")
