"""What lies under a pad: the nearest points of the scalp, found once for all of its layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.files.surface_tree import SurfaceTree
from rheobase.meshes.placing.scalp import Frame


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Feet:
    """Points by the nearest point of the scalp.

    Parameters
    ----------
    height
        Distance from the scalp (m), below it as above it, shape (n,).
    up
        Unit vectors away from the nearest point, shape (n, 3).
    uv
        Where along the scalp that is (m, `Frame.coordinates`), shape (n, 2).
    """

    height: NDArray[np.float64]
    up: NDArray[np.float64]
    uv: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ground:
    """A part of the scalp around a frame."""

    frame: Frame
    tree: SurfaceTree

    @classmethod
    def around(cls, frame: Frame, reach: float) -> Ground:
        """Return the scalp within ``reach`` (m) of the frame's origin, and somewhat beyond."""
        scalp = frame.scalp
        near, _ = frame.within(1.2 * reach + 2 * scalp.edge)
        return cls(frame=frame, tree=SurfaceTree.of_triangles(scalp.nodes[scalp.triangles[near]]))

    def feet(self, points: NDArray[np.float64]) -> Feet:
        """Return what is under points (m), shape (n, 3)."""
        foot = self.tree.nearest(points)
        up = points - foot
        height = np.sqrt(np.einsum("ij,ij->i", up, up))
        on = height == 0
        up[on] = self.frame.normal
        up /= np.where(on, 1.0, height)[:, None]
        return Feet(height=height, up=up, uv=self.frame.coordinates(foot))
