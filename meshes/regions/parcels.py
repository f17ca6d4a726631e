"""Numbers given to places: label images and labelled vertices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


class Parcels(Protocol):
    """What an atlas needs to know of its labels."""

    @property
    def space(self) -> str:
        """Return the space the labels are in, "head" or "MNI"."""
        ...

    def at(self, points: Floats) -> Ints:
        """Return the label of each point (m), shape (n,); 0 for none, and at NaN."""
        ...

    def present(self) -> Ints:
        """Return the labels that occur, 0 apart."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelImage:
    """Labels on voxels; a point has that of the voxel it lies in.

    Parameters
    ----------
    values
        Labels, shape (nx, ny, nz); 0 is none.
    affine
        Voxel indices to coordinates (m), shape (4, 4).
    space
        "head" (the coordinates of the head itself) or "MNI".
    reach
        Places without a label have the nearest one within this distance (m): an atlas of the
        cortex never fits the cortex of another head to the voxel.

    Raises
    ------
    InputError
        If the image has not three axes or holds no label.
    """

    values: NDArray[np.integer[Any]]
    affine: Floats
    space: str
    reach: float = 0.0

    def __post_init__(self) -> None:
        """Check the image and spread the labels."""
        if self.values.ndim != 3 or self.values.dtype.kind not in "iu":
            raise InputError(
                f"expected a label image of whole numbers with three axes, got {self.values.dtype} "
                f"of shape {self.values.shape}"
            )
        if not self.values.any():
            raise InputError("expected a label image, found no label in it")
        if self.reach > 0:
            object.__setattr__(self, "values", self._spread())

    def at(self, points: Floats) -> Ints:
        """See `Parcels`."""
        inverse = np.linalg.inv(self.affine)
        index = np.nan_to_num(points @ inverse[:3, :3].T + inverse[:3, 3], nan=-9.0)
        inside = ((index >= -0.5) & (index < np.array(self.values.shape) - 0.5)).all(axis=1)
        out = np.zeros(len(points), np.int32)
        out[inside] = self.values[tuple(np.rint(index[inside]).astype(np.int64).T)]
        return out

    def present(self) -> Ints:
        """See `Parcels`."""
        return _apart_from_0(self.values)

    def _spread(self) -> NDArray[np.integer[Any]]:
        from scipy import ndimage

        size = np.linalg.norm(self.affine[:3, :3], axis=0)
        grown = np.pad(self.values, [(n, n) for n in np.ceil(self.reach / size).astype(int)])
        away, nearest = ndimage.distance_transform_edt(
            grown == 0, sampling=size, return_indices=True
        )
        grown = np.where(away <= self.reach, grown[tuple(nearest)], 0)
        shift = np.eye(4)
        shift[:3, 3] = -np.ceil(self.reach / size)
        object.__setattr__(self, "affine", self.affine @ shift)
        return grown


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelledVertices:
    """Labels on points; a place has that of the nearest one within reach.

    Parameters
    ----------
    points
        Where the labels are (m), shape (n, 3).
    labels
        Shape (n,); 0 is none, and keeps places from others' labels.
    space
        "head" or "MNI".
    reach
        Farthest from a point that its label is given to (m).

    Raises
    ------
    InputError
        If shapes differ, the points are not finite, or there is no label.
    """

    points: Floats
    labels: Ints
    space: str
    reach: float
    _tree: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the labels and build the search tree."""
        from scipy.spatial import cKDTree

        if self.points.shape != (len(self.labels), 3):
            raise InputError(
                f"expected one label for each vertex, got {len(self.labels)} labels for "
                f"{len(self.points)} vertices"
            )
        if not np.isfinite(self.points).all():
            raise InputError("expected finite vertices")
        if not self.labels.any():
            raise InputError("expected labelled vertices, found no label")
        object.__setattr__(self, "_tree", cKDTree(self.points))

    def at(self, points: Floats) -> Ints:
        """See `Parcels`."""
        out = np.zeros(len(points), np.int32)
        known = np.isfinite(points).all(axis=1)
        _, nearest = self._tree.query(points[known], distance_upper_bound=self.reach)
        out[known] = np.append(self.labels, 0)[nearest]  # no neighbour: one past the last
        return out

    def present(self) -> Ints:
        """See `Parcels`."""
        return _apart_from_0(self.labels)


def _apart_from_0(values: NDArray[np.integer[Any]]) -> Ints:
    labels = np.unique(values).astype(np.int32)
    present: Ints = labels[labels != 0]
    return present
