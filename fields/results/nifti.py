"""Fields on voxels: NIfTI images in the head's own space and in MNI space."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase._files import room_for, whole_file
from rheobase._progress import track
from rheobase.fields.basis import FieldBasis
from rheobase.meshes.head import Head
from rheobase.meshes.regions.region import SPACES
from rheobase.meshes.spaces import Transform, is_mni

Floats = NDArray[np.float64]

BLOCK = 1_000_000  # voxels located, and values interpolated, at a time
MOST_VOXELS = 420_000_000
CODES = {"head": 1, "MNI": 4}  # NIfTI's scanner and MNI 152 coordinates
#: ICBM 152 at 1 mm, the grid of nilearn's template: voxels, and the middle of the first one (mm).
ICBM152 = ((197, 233, 189), (-98.0, -134.0, -72.0))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Grid:
    """Voxels.

    Parameters
    ----------
    shape
        Number along each axis.
    affine
        Voxel indices to coordinates (m), shape (4, 4).

    Raises
    ------
    InputError
        If they fill no space or are too many.
    """

    shape: tuple[int, int, int]
    affine: Floats

    def __post_init__(self) -> None:
        """Check the numbers."""
        a = np.asarray(self.affine, dtype=np.float64)
        object.__setattr__(self, "affine", a)
        if min(self.shape) < 1 or prod(self.shape) > MOST_VOXELS:
            raise InputError(f"expected 1 to {MOST_VOXELS:,} voxels on three axes: {self.shape}")
        if a.shape != (4, 4) or not np.isfinite(a).all() or np.linalg.matrix_rank(a) < 4:
            raise InputError(f"expected an invertible affine, got {a.tolist()}: grid")

    def points(self, first: int, last: int) -> Floats:
        """Return the middles of the voxels ``first`` to ``last``, in C order (m), shape (n, 3)."""
        index = np.stack(np.unravel_index(np.arange(first, last), self.shape), axis=1)
        middles: Floats = index @ self.affine[:3, :3].T + self.affine[:3, 3]
        return middles


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Voxels:
    """Where the voxels of a grid are in a mesh.

    Parameters
    ----------
    grid
        The grid.
    space
        Of its coordinates: "head" or "MNI".
    index
        Voxels that lie in the mesh, in C order, n of them.
    tet, weight
        Tetrahedron of each and barycentric coordinates there, shapes (n,) and (n, 4).
    """

    grid: Grid
    space: str
    index: NDArray[np.int64]
    tet: NDArray[np.int32]
    weight: Floats


def head_grid(head: Head, voxel_mm: float = 1.0) -> Grid:
    """Return cubic voxels around a head, their axes to the right, front and up.

    Their middles lie on multiples of the voxel, so that grids of one head fit each other.
    """
    if not 0.01 <= voxel_mm <= 100:
        raise InputError(f"expected voxels between 0.01 and 100 mm, got {voxel_mm!r}")
    edge = voxel_mm * 1e-3
    low = np.floor(head.mesh.nodes.min(axis=0) / edge)
    high = np.ceil(head.mesh.nodes.max(axis=0) / edge)
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = low * edge
    x, y, z = (int(n) for n in high - low + 1)
    return Grid(shape=(x, y, z), affine=affine)


def mni_grid() -> Grid:
    """Return the 1 mm grid of the ICBM 152 template."""
    affine = np.diag([1e-3, 1e-3, 1e-3, 1.0])
    affine[:3, 3] = np.array(ICBM152[1]) * 1e-3
    return Grid(shape=ICBM152[0], affine=affine)


def image_grid(path: Path | str) -> Grid:
    """Return the voxels of an image, its axes as in the file (of the subject's T1, say).

    Raises
    ------
    InputError
        If the file is no image with three axes in mm.
    """
    import nibabel as nib

    try:
        image: Any = nib.load(path)
        x, y, z = (int(n) for n in image.shape[:3])
        affine = np.asarray(image.affine, dtype=np.float64)
    except Exception as error:  # nibabel raises many kinds for damaged files
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"expected an image with three axes: {why}: {path}") from None
    return Grid(shape=(x, y, z), affine=np.diag([1e-3, 1e-3, 1e-3, 1.0]) @ affine)


def locate_voxels(basis: FieldBasis, head: Head, grid: Grid, *, space: str = "head") -> Voxels:
    """Find the tetrahedra of the voxels of a grid.

    Parameters
    ----------
    basis
        Its mesh is that of the head.
    head
        The head.
    grid
        The voxels.
    space
        Of the grid: "head" or "MNI". A voxel of MNI space is looked up where the head's transform
        takes it.

    Raises
    ------
    InputError
        If the head has no transform from MNI space, or no voxel lies in the mesh.
    """
    check_option("space", space, SPACES)
    back = _from_mni(head) if space == "MNI" else None
    low, high = basis.mesh.nodes.min(axis=0), basis.mesh.nodes.max(axis=0)
    found: list[tuple[NDArray[np.int64], NDArray[np.int32], Floats]] = []
    n = prod(grid.shape)
    for first in track(range(0, n, BLOCK), f"voxels in {space} space"):
        x = grid.points(first, min(first + BLOCK, n))
        if back is not None:
            x = back(x)
        near = np.flatnonzero(((x >= low) & (x <= high)).all(axis=1))
        tet, weight = basis.locator.locate(x[near])
        held = tet >= 0
        found.append((first + near[held], tet[held], weight[held]))
    index, tet, weight = (np.concatenate([f[k] for f in found]) for k in range(3))
    if not len(index):
        raise InputError(f"expected voxels within the mesh, found none: head {head.name!r}")
    return Voxels(grid=grid, space=space, index=index, tet=tet, weight=weight)


def on_voxels(
    basis: FieldBasis, values: Floats, voxels: Voxels, *, outside: float = 0.0
) -> NDArray[np.float32]:
    """Return a quantity on split nodes, interpolated linearly within the tissue of each voxel.

    Parameters
    ----------
    basis, values
        The quantity at the split nodes, shape (n_split,) or (n_split, 3).
    voxels
        From `locate_voxels`.
    outside
        Value of the voxels outside the mesh.

    Returns
    -------
    ndarray, shape (nx, ny, nz) or (nx, ny, nz, 3), float32
    """
    shape = values.shape[1:]
    image = np.full((prod(voxels.grid.shape), *shape), outside, np.float32)
    for first in range(0, len(voxels.index), BLOCK):
        part = slice(first, first + BLOCK)
        corner = values[basis.split_of_tet[voxels.tet[part]]]
        image[voxels.index[part]] = np.einsum("na...,na->n...", corner, voxels.weight[part])
    return image.reshape(*voxels.grid.shape, *shape)


def write_nifti(
    path: Path | str,
    basis: FieldBasis,
    values: Floats,
    voxels: Voxels,
    *,
    outside: float = 0.0,
    description: str = "V/m",
) -> None:
    """Write a quantity as a NIfTI image (.nii or .nii.gz); it appears only when complete.

    Parameters
    ----------
    path
        The file.
    basis, values, voxels, outside
        As in `on_voxels`. Vectors stand on the fourth axis, along the axes of the head, and are
        not for MNI space: their directions would have to turn with it.
    description
        Stored in the header, at most 79 characters.

    Raises
    ------
    InputError
        If the ending is another one, a vector is asked for in MNI space, or the file cannot be
        written.
    """
    path = _checked_name(path)
    if values.ndim == 2 and voxels.space == "MNI":
        raise InputError(f"expected a quantity without direction in MNI space: {path}")
    write_image(
        path,
        lambda: on_voxels(basis, values, voxels, outside=outside),
        voxels.grid,
        space=voxels.space,
        description=description,
    )


def write_image(
    path: Path | str,
    values: Callable[[], NDArray[Any]],
    grid: Grid,
    *,
    space: str = "head",
    description: str,
) -> None:
    """Write voxels as a NIfTI image (.nii or .nii.gz); it appears only when complete.

    Parameters
    ----------
    path
        The file.
    values
        Gives the values, shape (nx, ny, nz) or (nx, ny, nz, k), once the path is known to be good.
    grid
        The voxels.
    space
        "head" or "MNI".
    description
        Stored in the header, at most 79 characters.

    Raises
    ------
    InputError
        If the ending is another one, or the file cannot be written.
    """
    import nibabel as nib

    path = _checked_name(path)
    image = nib.Nifti1Image(values(), np.diag([1e3, 1e3, 1e3, 1.0]) @ grid.affine)
    image.set_sform(image.affine, CODES[space])
    image.set_qform(image.affine, CODES[space])
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode()[:79]
    content = image.to_bytes()
    if path.suffix == ".gz":
        content = gzip.compress(content, 5, mtime=0)
    with whole_file(path) as part:
        room_for(part, len(content))
        part.write_bytes(content)


def _checked_name(path: Path | str) -> Path:
    if not Path(path).name.endswith((".nii", ".nii.gz")):
        raise InputError(f"expected a file ending in .nii or .nii.gz, got {path}")
    return Path(path)


def _from_mni(head: Head) -> Transform | None:
    """Return the map from MNI space, None where the head is in it."""
    if head.mni is not None:
        return head.mni.backward()
    if not is_mni(head.space):
        raise InputError(f"no transform between MNI and space {head.space!r}: head {head.name!r}")
    return None
