"""The field of a subject on voxels of MNI space, for statistics over subjects."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase.stations.devices import Device

if TYPE_CHECKING:
    from rheobase.fields.results.nifti import Grid


def template_grid(voxel_mm: float) -> Grid:
    """Return voxels over the box of the ICBM 152 template, their middles on multiples of a voxel.

    Examples
    --------
    >>> template_grid(2.0).shape
    (99, 117, 95)
    """
    from rheobase.fields.results.nifti import ICBM152, Grid

    shape, first = np.array(ICBM152[0]), np.array(ICBM152[1])
    low = np.floor(first / voxel_mm)
    last = np.ceil((first + shape - 1) / voxel_mm)
    x, y, z = (ceil(n) for n in last - low + 1)
    affine = np.diag([1e-3 * voxel_mm] * 3 + [1.0])
    affine[:3, 3] = low * voxel_mm * 1e-3
    return Grid(shape=(x, y, z), affine=affine)


def map_of(device: Device, grid: Grid, tissues: Sequence[str]) -> NDArray[np.float32]:
    """Return the field on voxels of MNI space, NaN outside the tissues of this head.

    Parameters
    ----------
    device
        The field, on a head with a transform to MNI space.
    grid
        The voxels.
    tissues
        The tissues whose field counts.

    Returns
    -------
    ndarray, shape (nx, ny, nz), float32

    Raises
    ------
    InputError
        If the head has no transform to MNI space or no such tissue.
    """
    from rheobase.fields.results.nifti import locate_voxels, on_voxels

    head = device.head
    labels = [head.label_of(name) for name in tissues]
    voxels = locate_voxels(device.basis, head, grid, space="MNI")
    image = on_voxels(device.basis, device.strength, voxels, outside=np.nan).reshape(-1)
    other = ~np.isin(head.mesh.labels[voxels.tet], labels)
    image[voxels.index[other]] = np.nan
    return image.reshape(grid.shape)


def write_map(path: Path, device: Device, *, voxel_mm: float, tissues: Sequence[str]) -> None:
    """Write the field in MNI space as a NIfTI image, NaN outside the tissues of the head.

    Raises
    ------
    InputError
        As `map_of`, or if the file cannot be written.
    """
    from rheobase.fields.results.nifti import write_image

    grid = template_grid(voxel_mm)
    write_image(
        path,
        lambda: map_of(device, grid, tissues),
        grid,
        space="MNI",
        description=f"{device.name} (V/m), {device.head.name}",
    )
