"""Indicator functions of a label image: each label's 0/1 image, smoothed and interpolated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError


#: Default standard deviation of the Gaussian, in voxel edges: the least that leaves no staircase.
SMOOTHING = 0.85


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ImageIndicators:
    """Smoothed label images, callable at world points.

    Parameters
    ----------
    labels
        Label of each column; the first is 0, the outside.
    volume
        Smoothed 0/1 images on the voxel grid, float32, shape (nx, ny, nz, n_labels).
    affine
        Voxel index of ``volume`` to world (m), shape (4, 4).
    smoothing
        Standard deviation of the Gaussian (m).
    offsets
        Added to each column so that no tissue gains or loses volume by the smoothing (Jacobs,
        Merkurjev & Esedoglu 2018, doi:10.1016/j.jcp.2017.10.036), shape (n_labels,).
    """

    labels: tuple[int, ...]
    volume: NDArray[np.float32]
    affine: NDArray[np.float64]
    smoothing: float
    offsets: NDArray[np.float64]

    @classmethod
    def of_image(
        cls, image: ArrayLike, affine: ArrayLike, smoothing: float | None = None
    ) -> ImageIndicators:
        """Smooth a label image.

        Parameters
        ----------
        image
            Integer labels, shape (nx, ny, nz); 0 is outside.
        affine
            Voxel index to world (m), shape (4, 4).
        smoothing
            Standard deviation (m); ``SMOOTHING`` of the largest voxel edge if None.

        Raises
        ------
        InputError
            If the image is not 3-D, not of integers, empty or larger than 2 m, or the affine is
            singular.
        """
        from scipy.ndimage import gaussian_filter

        voxels, matrix = check_image(image, affine)
        edges = np.linalg.norm(matrix[:3, :3], axis=0)
        sigma = SMOOTHING * float(edges.max()) if smoothing is None else float(smoothing)
        if not (np.isfinite(sigma) and sigma >= 0):
            raise InputError(f"smoothing must be >= 0 m, got {smoothing!r}")
        filled = np.nonzero(voxels)
        low = np.array([axis.min() for axis in filled])
        high = np.array([axis.max() + 1 for axis in filled])
        voxels = voxels[tuple(slice(lo, hi) for lo, hi in zip(low, high, strict=True))]
        pad = np.ceil(3.0 * sigma / edges).astype(int) + 1
        voxels = np.pad(voxels, [(p, p) for p in pad])
        shifted = matrix.copy()
        shifted[:3, 3] += matrix[:3, :3] @ (low - pad)
        labels = np.unique(voxels)
        labels = np.concatenate([[0], labels[labels != 0]])
        volume = np.empty((*voxels.shape, len(labels)), np.float32)
        for n, label in enumerate(labels):
            mask = (voxels == label).astype(np.float32)
            volume[..., n] = gaussian_filter(mask, sigma / edges, truncate=3.0)
        return cls(
            labels=tuple(int(label) for label in labels),
            volume=volume,
            affine=shifted,
            smoothing=sigma,
            offsets=_balance(
                volume, np.array([np.count_nonzero(voxels == label) for label in labels])
            ),
        )

    def bounds(self) -> NDArray[np.float64]:
        """Return the world box around the voxels that are not outside (m), shape (2, 3)."""
        inside = np.nonzero(self.volume[..., 0] < 0.5)
        low = np.array([axis.min() for axis in inside]) - 1.0
        high = np.array([axis.max() for axis in inside]) + 1.0
        corners = np.array(
            [
                [x, y, z]
                for x in (low[0], high[0])
                for y in (low[1], high[1])
                for z in (low[2], high[2])
            ]
        )
        world = corners @ self.affine[:3, :3].T + self.affine[:3, 3]
        return np.stack([world.min(axis=0), world.max(axis=0)])

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the indicators at world points (m), shape (n, n_labels)."""
        from rheobase.meshes._sample_numba import sample_trilinear

        out = np.empty((len(points), len(self.labels)))
        sample_trilinear(self.volume, np.linalg.inv(self.affine), np.ascontiguousarray(points), out)
        return out


def _balance(
    volume: NDArray[np.float32], wanted: NDArray[np.int64], steps: int = 12
) -> NDArray[np.float64]:
    """Return the offset of each label that gives it ``wanted`` voxels (damped Newton steps).

    The number of voxels that would change hands within a small change of offset is the slope.
    Offsets stay within 0.2, so that a label of a few voxels cannot grow a halo.
    """
    from rheobase.meshes._sample_numba import count_largest

    mixed = volume.max(axis=3) < 0.98
    values = volume[mixed]
    pure = np.bincount(volume[~mixed].argmax(axis=1), minlength=len(wanted))
    offsets = np.zeros(len(wanted))
    width = 0.05
    for _ in range(steps):
        count, near = np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.int64)
        count_largest(values, offsets, width, count, near)
        missing = wanted - count - pure
        offsets += 0.7 * np.clip(missing * 2.0 * width / np.maximum(near, 1), -width, width)
        offsets = np.clip(offsets - offsets[0], -0.2, 0.2)
    return offsets


def check_image(
    image: ArrayLike, affine: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return a label image as integers and its affine as floats, or say what is wrong with them.

    Raises
    ------
    InputError
        If the image is not 3-D, not of integers, empty or larger than 2 m, or the affine is
        singular.
    """
    voxels = np.asarray(image)
    matrix = np.asarray(affine, dtype=np.float64)
    if voxels.ndim != 3:
        raise InputError(f"a label image must have 3 axes, got shape {voxels.shape}")
    if voxels.dtype.kind == "f":
        if not np.isfinite(voxels).all():
            raise InputError("a label image must hold integers, got NaN or infinite values")
        if (voxels != np.rint(voxels)).any():
            odd = float(voxels[voxels != np.rint(voxels)][0])
            raise InputError(f"a label image must hold integers, got {odd:g}: is it a T1 or a map?")
    elif voxels.dtype.kind not in "iub":
        raise InputError(f"a label image must hold integers, got type {voxels.dtype}")
    if not voxels.any():
        raise InputError("the label image is empty: every voxel is 0")
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise InputError(f"affine must be a finite 4 x 4 matrix, got shape {matrix.shape}")
    if abs(np.linalg.det(matrix[:3, :3])) < 1e-12 * np.abs(matrix[:3, :3]).max() ** 3:
        raise InputError("affine is singular: its voxels have no volume")
    extent = float((np.linalg.norm(matrix[:3, :3], axis=0) * voxels.shape).max())
    if extent > 2.0:
        raise InputError(
            f"the label image spans {extent:.3g} m, expected less than 2 m: "
            "is its affine in mm? multiply its first three rows by 1e-3"
        )
    if extent < 1e-4:
        raise InputError(f"the label image spans {extent:.3g} m, expected more than 0.1 mm")
    return voxels.astype(np.int64), matrix
