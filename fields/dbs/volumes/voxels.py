"""Activated volumes on voxels: the part of each that is activated, and NIfTI images of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_positive
from rheobase.fields.dbs.volumes.activated import Activated, height, strength_of
from rheobase.fields.dbs.volumes.lattice import part_of_cube
from rheobase.fields.results.nifti import Grid, write_image

Floats = NDArray[np.float64]

CUTS = 2  # along each edge of a voxel; the surface is a plane within each piece


def strength_at(volume: Activated, points: Floats) -> Floats:
    """Return the strength at points of the head (m), shape (n, 3), 1 at threshold: (n,).

    It is interpolated between the cells around the lead, linear in
    `rheobase.fields.dbs.volumes.activated.height`. In the lead it is that of the surface, beyond
    the cells 0.
    """
    found = height_at(volume, points)
    return np.where(np.isfinite(found), strength_of(np.nan_to_num(found), volume.criterion), 0.0)


def grid_around(volumes: Activated | Sequence[Activated], voxel: float = 0.25e-3) -> Grid:
    """Return voxels along the axes of the head that hold activated volumes, and a margin of one.

    Parameters
    ----------
    volumes
        One or more.
    voxel
        Size (m).

    Raises
    ------
    InputError
        If nothing is activated or the size is not > 0 m.
    """
    check_positive("voxel (m)", voxel)
    several = [volumes] if isinstance(volumes, Activated) else list(volumes)
    boxes = [box for one in several if (box := _box(one)) is not None]
    if not boxes:
        raise InputError("expected an activated volume to lay voxels around, nothing is activated")
    low = np.min([box[0] for box in boxes], axis=0)
    high = np.max([box[1] for box in boxes], axis=0)
    first = np.floor(low / voxel).astype(int) - 1
    nx, ny, nz = (np.ceil(high / voxel).astype(int) + 1 - first).tolist()
    affine = np.diag([voxel, voxel, voxel, 1.0])
    affine[:3, 3] = voxel * (first + 0.5)
    return Grid(shape=(nx, ny, nz), affine=affine)


def on_grid(volumes: Activated | Sequence[Activated], grid: Grid) -> Floats:
    """Return the part of each voxel that is activated, shape of the grid.

    Parameters
    ----------
    volumes
        One or more; of several that meet, the parts add up to at most 1.
    grid
        Any voxels of the head.
    """
    several = [volumes] if isinstance(volumes, Activated) else list(volumes)
    out = np.zeros(grid.shape)
    for one in several:
        box = _box(one)
        if box is None:
            continue
        back = np.linalg.inv(grid.affine)
        corners = np.stack(np.meshgrid(*box.T, indexing="ij"), axis=-1).reshape(-1, 3)
        at = corners @ back[:3, :3].T + back[:3, 3]
        first = np.clip(np.floor(at.min(axis=0)).astype(int) - 1, 0, grid.shape)
        last = np.clip(np.ceil(at.max(axis=0)).astype(int) + 2, 0, grid.shape)
        if (last > first).all():
            some = tuple(slice(a, b) for a, b in zip(first.tolist(), last.tolist(), strict=True))
            out[some] += _parts(one, grid.affine, first, last)
    return np.minimum(out, 1.0)


def write_volume(
    path: Path | str,
    volumes: Activated | Sequence[Activated],
    grid: Grid | None = None,
    *,
    description: str = "part of the voxel that is activated",
) -> None:
    """Write the part of each voxel that is activated as a NIfTI image (.nii or .nii.gz).

    Parameters
    ----------
    path
        The file.
    volumes
        One or more.
    grid
        The voxels; those of `grid_around` if None.
    description
        Stored in the header, at most 79 characters.

    Raises
    ------
    InputError
        If the ending is another one, nothing is activated and no grid is given, or the file cannot
        be written.
    """
    voxels = grid_around(volumes) if grid is None else grid
    write_image(
        path,
        lambda: on_grid(volumes, voxels).astype(np.float32),
        voxels,
        description=description,
    )


def _parts(
    volume: Activated, affine: Floats, first: NDArray[np.intp], last: NDArray[np.intp]
) -> Floats:
    """Return the part that is activated of the voxels from ``first`` to ``last``."""
    axes = [
        (np.arange(CUTS * a, CUTS * b) + 0.5) / CUTS - 0.5
        for a, b in zip(first.tolist(), last.tolist(), strict=True)
    ]
    pieces = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    points = pieces.reshape(-1, 3) @ affine[:3, :3].T + affine[:3, 3]
    lattice = volume.sampled.lattice
    outside = lattice.lead.outside(points) - lattice.t[0]
    known = height_at(volume, points)
    shape = pieces.shape[:3]
    part = _above(np.where(np.isfinite(known), known, -1.0).reshape(shape))
    part *= _above(outside.reshape(shape))
    n = tuple((last - first).tolist())
    means: Floats = part.reshape(n[0], CUTS, n[1], CUTS, n[2], CUTS).mean(axis=(1, 3, 5))
    return means


def _above(phi: Floats) -> Floats:
    """Return the part of each piece of a grid where a quantity is above 0."""
    slope = np.abs(np.stack([d.ravel() for d in np.gradient(phi)]))
    centre = phi.ravel()
    part = (centre > 0).astype(np.float64)
    cut = np.flatnonzero(np.abs(centre) < 0.5 * slope.sum(axis=0))
    part[cut] = part_of_cube(centre[cut], slope[:, cut])
    return part.reshape(phi.shape)


def height_at(volume: Activated, points: Floats) -> Floats:
    """Return the height of `rheobase.fields.dbs.volumes.activated` at points (m), (n, 3): (n,).

    NaN beyond the cells or outside the tissue.
    """
    from scipy.interpolate import RegularGridInterpolator

    lattice = volume.sampled.lattice
    heights = height(volume.strength, volume.criterion)
    closed, theta = lattice.closed(heights.reshape(lattice.shape))
    s, t, _ = lattice.middles
    coordinates = np.asarray(lattice.lead.coordinates(points))
    coordinates[:, 2] %= 2 * np.pi
    edges = ((lattice.s[0], lattice.s[-1]), (-np.inf, lattice.t[-1]))
    beyond = np.zeros(len(points), dtype=np.bool_)
    for axis, (low, high) in enumerate(edges):
        beyond |= (coordinates[:, axis] < low) | (coordinates[:, axis] > high)
    for axis, middles in enumerate((s, t)):
        coordinates[:, axis] = np.clip(coordinates[:, axis], middles[0], middles[-1])
    found: Floats = RegularGridInterpolator((s, t, theta), closed)(coordinates)
    return np.where(beyond, np.nan, found)


def _box(volume: Activated) -> Floats | None:
    """Return a box (m), shape (2, 3), that holds the volume; None if there is none."""
    lattice = volume.sampled.lattice
    some = np.flatnonzero(volume.part)
    if not len(some):
        return None
    points = lattice.points[some]
    size = float(np.max(np.cbrt(lattice.volumes[some])))
    return np.stack([points.min(axis=0) - 2 * size, points.max(axis=0) + 2 * size])
