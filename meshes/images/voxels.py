"""Voxel images of closed surfaces, and the clean-up of label images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def voxelize(
    vertices: NDArray[np.float64],
    triangles: NDArray[np.int32],
    shape: tuple[int, int, int],
    origin: NDArray[np.float64],
    spacing: float,
) -> NDArray[np.bool_]:
    """Return which voxel centres lie inside a closed surface (VTK's scan-line stencil).

    Parameters
    ----------
    vertices, triangles
        Closed surface, shapes (n, 3) and (m, 3), in the unit of ``origin``.
    shape
        Voxels along x, y and z.
    origin
        Centre of voxel (0, 0, 0), shape (3,).
    spacing
        Edge of a voxel.

    Returns
    -------
    ndarray of bool, shape ``shape``
    """
    import pyvista as pv

    surface = pv.PolyData.from_regular_faces(vertices, triangles)
    grid = pv.ImageData(dimensions=shape, spacing=(spacing,) * 3, origin=tuple(origin))
    mask = surface.voxelize_binary_mask(reference_volume=grid)
    inside: NDArray[np.bool_] = np.asarray(mask.point_data["mask"]).reshape(shape, order="F") > 0
    return inside


def largest_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest face-connected part of ``mask``."""
    from scipy import ndimage

    parts, n = ndimage.label(mask)
    if n <= 1:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    part: NDArray[np.bool_] = parts == int(sizes.argmax())
    return part


def filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return ``mask`` with every cavity that does not reach the edge of the image filled."""
    from scipy import ndimage

    mask_filled: NDArray[np.bool_] = ndimage.binary_fill_holes(mask)
    return mask_filled


def resampled(
    image: NDArray[np.uint16], affine: NDArray[np.float64], edge: float
) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
    """Return a label image on cubic voxels.

    Each label's 0/1 image is interpolated linearly; a new voxel takes the label with the largest
    value.

    Parameters
    ----------
    image
        Labels, shape (nx, ny, nz).
    affine
        Voxel indices to world, shape (4, 4).
    edge
        Edge of the new voxels, in the unit of the affine.

    Returns
    -------
    image, affine
        The same box to within a voxel.
    """
    from scipy import ndimage

    edges = np.linalg.norm(affine[:3, :3], axis=0)
    step = edge / edges  # in old voxels
    shape = tuple(int(n) for n in np.ceil(np.array(image.shape) / step))
    offset = 0.5 * step - 0.5
    best = np.full(shape, -1.0, np.float32)
    out = np.zeros(shape, image.dtype)
    for label in np.unique(image):
        level = ndimage.affine_transform(
            (image == label).astype(np.float32), step, offset, shape, order=1, mode="nearest"
        )
        wins = level > best
        out[wins] = label
        best[wins] = level[wins]
    moved = affine.copy()
    moved[:3, :3] = affine[:3, :3] * step
    moved[:3, 3] += affine[:3, :3] @ offset
    return out, moved


def absorb_islands(labels: NDArray[np.uint8], smallest: int) -> NDArray[np.uint8]:
    """Give every part of a label smaller than ``smallest`` voxels to its most frequent neighbour.

    Parameters
    ----------
    labels
        Label image, 0 outside.
    smallest
        Parts with fewer voxels (face-connected) are absorbed.
    """
    from scipy import ndimage

    out = labels.copy()
    for label in np.unique(labels):
        parts, n = ndimage.label(out == label)
        sizes = np.bincount(parts.ravel(), minlength=n + 1)
        small = np.flatnonzero(sizes < smallest)
        small = small[small > 0]
        boxes = ndimage.find_objects(parts)
        for k in small:
            found = boxes[k - 1]
            assert found is not None  # every part that has voxels has a box
            box = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in found)
            part = parts[box] == k
            ring = ndimage.binary_dilation(part) & ~part
            around = np.bincount(out[box][ring])
            if around.size:
                out[box][part] = int(around.argmax())
    return out
