"""Indicator functions of a label image: each label's 0/1 image, smoothed and interpolated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError

#: Default standard deviation of the Gaussian, in voxel edges: the least that leaves no staircase.
SMOOTHING = 0.85
#: Largest offset of an indicator (of 1), so that a label of a few voxels cannot grow a halo.
MOST_OFFSET = 0.3
#: Points times labels at which volumes are counted.
SAMPLES = 20_000_000


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
    wanted
        Volume of each label in the image (m³), infinite for the outside, shape (n_labels,).
    voxels
        Voxels of each label in the image.
    touching
        Pairs of labels, lower first, with voxels that share a face, an edge or a corner.
    """

    labels: tuple[int, ...]
    volume: NDArray[np.float32]
    affine: NDArray[np.float64]
    smoothing: float
    offsets: NDArray[np.float64]
    wanted: NDArray[np.float64]
    voxels: dict[int, int]
    touching: frozenset[tuple[int, int]]

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
            offsets=_balance(volume, voxels, labels),
            wanted=np.concatenate(
                [[np.inf], [np.count_nonzero(voxels == label) for label in labels[1:]]]
            )
            * abs(np.linalg.det(matrix[:3, :3])),
            voxels={
                int(label): int(np.count_nonzero(voxels == label)) for label in labels if label != 0
            },
            touching=_touching(voxels, labels),
        )

    def volumes(self) -> dict[int, float]:
        """Return the volume of each label in the image (m³), without the outside."""
        return {
            label: float(v) for label, v in zip(self.labels, self.wanted, strict=True) if label != 0
        }

    def bounds(self) -> NDArray[np.float64]:
        """Return the world box around all that is not quite outside (m), shape (2, 3)."""
        inside = np.nonzero(self.volume[..., 0] < 0.999)
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

    def sizes(
        self, by_label: Mapping[int, float], edge_length: float
    ) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        """Return a function of world points that gives the wanted mean edge (m) there.

        Parameters
        ----------
        by_label
            Wanted mean edge (m) deep inside each label.
        edge_length
            The same in labels not named and within two of it of another label (m).

        Raises
        ------
        InputError
            If ``by_label`` names a label that is not in the image.
        """
        from scipy.ndimage import minimum_filter

        for label in by_label:
            if label not in self.labels:
                raise InputError(f"size for label {label}: the image has labels {self.labels[1:]}")
        inner = np.array([by_label.get(label, edge_length) for label in self.labels], np.float32)
        inner[0] = np.inf  # the outside is not meshed
        column = self.volume.argmax(axis=3)
        edges = np.linalg.norm(self.affine[:3, :3], axis=0)
        reach = tuple(int(n) for n in 2 * np.ceil(2.0 * edge_length / edges) + 1)
        deep = minimum_filter(column, size=reach) == -minimum_filter(-column, size=reach)
        wanted = np.where(deep, inner[column], np.float32(edge_length))
        inverse = np.linalg.inv(self.affine)

        def size(points: NDArray[np.float64]) -> NDArray[np.float64]:
            index = np.rint(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
            inside = ((index >= 0) & (index < wanted.shape)).all(axis=1)
            out = np.full(len(points), np.inf)
            out[inside] = wanted[tuple(index[inside].T)]
            return out

        return size

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the indicators at world points (m), shape (n, n_labels)."""
        from rheobase.meshes._sample_numba import sample_trilinear

        out = np.empty((len(points), len(self.labels)))
        sample_trilinear(self.volume, np.linalg.inv(self.affine), np.ascontiguousarray(points), out)
        out += self.offsets
        return out


def _touching(voxels: NDArray[np.int64], labels: NDArray[np.int64]) -> frozenset[tuple[int, int]]:
    """Return the pairs of labels with neighbouring voxels (26 neighbours)."""
    from rheobase.meshes._sample_numba import neighbours

    order = np.argsort(labels)
    column = order[np.searchsorted(labels, voxels, sorter=order)].astype(np.int32)
    near = neighbours(column, len(labels))
    return frozenset(
        (min(a, b), max(a, b))
        for a, b in ((int(labels[i]), int(labels[j])) for i, j in np.argwhere(near))
    )


def _balance(
    volume: NDArray[np.float32], voxels: NDArray[np.int64], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the offset of each label that keeps its volume (Newton steps).

    Volumes are counted at random points inside the voxels (voxel centres alone would not feel a
    shift below a voxel). The points that would change hands between two labels within a small
    change of their offsets give the slopes.
    """
    from rheobase.meshes._sample_numba import count_largest, sample_trilinear

    rng = np.random.default_rng(0)
    mixed = np.argwhere(volume.max(axis=3) < 0.999)
    if len(mixed) == 0:
        return np.zeros(len(labels))
    most = SAMPLES // len(labels)
    if len(mixed) > most:
        mixed = mixed[rng.choice(len(mixed), most, replace=False)]
    repeat = min(64, most // len(mixed))
    wanted = repeat * np.array(
        [np.count_nonzero(voxels[tuple(mixed.T)] == label) for label in labels]
    )
    points = np.repeat(mixed, repeat, axis=0) + rng.uniform(-0.5, 0.5, (len(mixed) * repeat, 3))
    values = np.empty((len(points), len(labels)))
    sample_trilinear(volume, np.eye(4), points, values)
    offsets = np.zeros(len(labels))
    width = 0.03
    for _ in range(8):
        count, swaps = np.zeros(len(labels)), np.zeros((len(labels), len(labels)))
        count_largest(values, offsets, width, count, swaps)
        slope = (swaps + swaps.T) / (2.0 * width)
        laplacian = np.diag(slope.sum(axis=1) + 1.0) - slope
        step = np.linalg.solve(laplacian, wanted - count)
        offsets += np.clip(step - step[0], -width, width)
        offsets = np.clip(offsets, -MOST_OFFSET, MOST_OFFSET)
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
