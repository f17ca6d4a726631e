"""A vector potential given on a grid of voxels, linear between their centres."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError

MOST = 1.0  # V s/m per ampere; a coil of 1 m and 100 turns makes a ten-thousandth of it


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SampledPotential:
    """A field on a grid.

    Parameters
    ----------
    values
        A (V s/m per ampere) at the voxel centres, along the axes of the grid's own frame, shape
        (nx, ny, nz, 3).
    affine
        Voxel indices to the grid's own frame (m), shape (4, 4).
    pose
        From there to the frame of the coil's elements: a rotation and a shift (m), shape (4, 4).

    Raises
    ------
    InputError
        If there are fewer than two voxels along an axis, a value is not finite or beyond reason, or
        the affine cannot be inverted.
    """

    values: NDArray[np.float64]
    affine: NDArray[np.float64]
    pose: NDArray[np.float64] = field(default_factory=lambda: np.eye(4))

    def __post_init__(self) -> None:
        """Check the grid."""
        shape = self.values.shape
        if len(shape) != 4 or shape[3] != 3 or min(shape[:3]) < 2:
            raise InputError(
                f"expected a sampled field of shape (nx, ny, nz, 3), 2 or more each, got {shape}"
            )
        bad = ~(np.abs(self.values) <= MOST).all(axis=3)
        if bad.any():
            raise InputError(
                f"expected finite values of a sampled field, at most {MOST:g} V s/m per ampere, "
                f"got {int(bad.sum())} voxels that are not"
            )
        size = float(np.linalg.norm(self.affine[:3, :3], axis=0).prod())
        if not np.isfinite(self.affine).all() or not (
            abs(np.linalg.det(self.affine[:3, :3])) > 1e-9 * size > 0
        ):
            raise InputError(
                f"expected an invertible affine of a sampled field, got {self.affine.tolist()}"
            )

    def at(self, points: NDArray[np.float64], *, where: str) -> NDArray[np.float64]:
        """Return A (V s/m per ampere) at points (m), shape (n, 3).

        Raises
        ------
        InputError
            If points lie beyond the outermost voxel centres; the share is told.
        """
        from rheobase.fields.coils._potential_numba import interpolate

        to_index = np.linalg.inv(self.pose @ self.affine)
        A = np.empty_like(points)
        outside = interpolate(points, to_index, self.values, A)
        if outside:
            low, high = self._box()
            raise InputError(
                f"the sampled field covers {low} to {high} mm of the coil's frame, "
                f"{outside:,} of {len(points):,} points ({outside / len(points):.1%}) lie outside "
                f"it: {where}"
            )
        A = A @ self.pose[:3, :3].T
        return A

    def _box(self) -> tuple[list[float], list[float]]:
        """Return the corners of the grid (mm) in its own frame."""
        last = np.array(self.values.shape[:3]) - 1.0
        corner = np.array(np.meshgrid(*([0.0, n] for n in last))).reshape(3, -1).T
        mm = 1e3 * (corner @ self.affine[:3, :3].T + self.affine[:3, 3])
        return mm.min(axis=0).round(1).tolist(), mm.max(axis=0).round(1).tolist()

    def moved(self, pose: NDArray[np.float64]) -> SampledPotential:
        """Return the field moved by a rigid transform (m), shape (4, 4)."""
        return replace(self, pose=pose @ self.pose)
