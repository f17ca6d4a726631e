"""Conductivity tensors from diffusion images or fibre directions.

The conductivity tensor has the axes of the diffusion tensor D. Two mappings:

- volume-normalised: sigma = sigma_t D / det(D)^(1/3), the tissue's isotropic conductivity as the
  geometric mean of the eigenvalues;
- direct: sigma = s D, with one factor for all chosen tissues,
  s = sum_t d_t sigma_t / sum_t d_t², d_t³ the mean of det(D) over the tissue, the least-squares fit
  of the tissues' mean sizes to their isotropic conductivities.

D is interpolated linearly between the voxels that have one; such a mean of tensors is positive
definite and no more eccentric than they are.

References: Tuch et al., PNAS 98:11697 (2001), doi:10.1073/pnas.171473898 (sigma ∝ D);
Rullmann et al., NeuroImage 44:399 (2009), doi:10.1016/j.neuroimage.2008.09.009 (direct);
Güllmar, Haueisen & Reichenbach, NeuroImage 51:145 (2010), doi:10.1016/j.neuroimage.2010.02.014 and
Opitz et al., NeuroImage 58:849 (2011), doi:10.1016/j.neuroimage.2011.06.069 (volume-normalised).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase._progress import stage
from rheobase._threads import in_parts
from rheobase.fields.tensors import Tensors, components, matrices
from rheobase.meshes.files.volumes import read_volume
from rheobase.meshes.head import Head

Axes = Literal["fsl", "voxel", "world"]
Order = Literal["upper", "lower", "diagonal"]
TensorMapping = Literal["volume-normalised", "direct"]

_AXES = ("fsl", "voxel", "world")
_MAPPINGS = ("volume-normalised", "direct")
_ORDERS = {  # places of xx, xy, xz, yy, yz, zz
    "upper": (0, 1, 2, 3, 4, 5),
    "lower": (0, 1, 3, 2, 4, 5),
    "diagonal": (0, 3, 4, 1, 5, 2),
}
_SYMMETRIC_MATRIX = 1005  # NIfTI intent, lower triangle row by row


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TensorImage:
    """Diffusion tensors on a grid.

    Parameters
    ----------
    values
        Components xx, xy, xz, yy, yz, zz along the world axes, shape (nx, ny, nz, 6), any unit;
        all 0 where there is none.
    affine
        Voxel indices to world (m), shape (4, 4).
    name
        What errors call the image.

    Raises
    ------
    InputError
        If the shape is another one or the affine cannot be inverted.
    """

    values: NDArray[np.float64]
    affine: NDArray[np.float64]
    name: str = "tensor image"

    def __post_init__(self) -> None:
        """Check shape and affine; what is not finite counts as no tensor."""
        values = np.array(self.values, dtype=np.float64)
        if values.ndim != 4 or values.shape[3] != 6:
            raise InputError(
                f"expected tensors of shape (nx, ny, nz, 6), got {values.shape}: {self.name}"
            )
        affine = np.array(self.affine, dtype=np.float64)
        if (
            affine.shape != (4, 4)
            or not np.isfinite(affine).all()
            or np.linalg.matrix_rank(affine[:3, :3]) < 3
        ):
            raise InputError(f"expected an invertible affine, got {affine.tolist()}: {self.name}")
        object.__setattr__(self, "affine", affine)
        values[~np.isfinite(values).all(axis=3)] = 0.0
        object.__setattr__(self, "values", values)


def read_tensors(
    path: Path | str, *, axes: Axes = "fsl", order: Order | None = None
) -> TensorImage:
    """Read a diffusion tensor image.

    Parameters
    ----------
    path
        NIfTI of six volumes, on the fourth axis (FSL ``dtifit``) or the fifth.
    axes
        What the components refer to: "fsl" (voxel axes, x turned round where the affine has a
        positive determinant: FSL's convention for vectors and tensors), "voxel" (voxel axes as
        stored) or "world" (right, front, up).
    order
        "upper" (xx, xy, xz, yy, yz, zz; FSL), "lower" (xx, xy, yy, xz, yz, zz) or "diagonal" (xx,
        yy, zz, xy, xz, yz; MRtrix). If None, "lower" where the NIfTI intent is a symmetric matrix
        and "upper" elsewhere.

    Raises
    ------
    InputError
        If the file cannot be read or does not hold six components.
    """
    check_option("axes", axes, _AXES)
    if order is not None:
        check_option("order", order, _ORDERS)
    volume = read_volume(path)
    if volume.values.ndim != 4 or volume.values.shape[3] != 6:
        raise InputError(
            f"expected six tensor components, got an image of shape {volume.values.shape}: {path}"
        )
    directions, intent = _header(path)
    order = order or ("lower" if intent == _SYMMETRIC_MATRIX else "upper")
    stored = volume.values[..., _ORDERS[order]].astype(np.float64)
    Q = _to_world(directions, axes)
    turned = np.einsum("ij,...jk,lk->...il", Q, matrices(stored), Q)
    return TensorImage(values=components(turned), affine=volume.affine, name=str(path))


def read_directions(path: Path | str, *, ratio: float, axes: Axes = "fsl") -> TensorImage:
    """Read an image of principal directions and make tensors of them.

    Parameters
    ----------
    path
        NIfTI of three volumes (FSL ``dtifit`` V1); 0 where there is no direction.
    ratio
        Conductivity along the direction over that across it.
    axes
        As in `read_tensors`.

    Raises
    ------
    InputError
        If the file cannot be read or does not hold three components, or the ratio is not > 0.
    """
    check_option("axes", axes, _AXES)
    if not (np.isfinite(ratio) and ratio > 0):
        raise InputError(f"ratio must be > 0, got {ratio!r}")
    volume = read_volume(path)
    if volume.values.ndim != 4 or volume.values.shape[3] != 3:
        raise InputError(
            f"expected three direction components, got an image of shape {volume.values.shape}: "
            f"{path}"
        )
    v = volume.values.astype(np.float64) @ _to_world(_header(path)[0], axes).T
    length = np.linalg.norm(v, axis=3, keepdims=True)
    there = np.isfinite(length) & (length > 1e-6)
    v = np.where(there, v, 0.0) / np.where(there, length, 1.0)
    D = there[..., None] * np.eye(3) + (ratio - 1.0) * v[..., :, None] * v[..., None, :]
    return TensorImage(values=components(D), affine=volume.affine, name=str(path))


def _header(path: Path | str) -> tuple[NDArray[np.float64], int]:
    """Return the voxel axes (3 × 3) and the intent of an image as it is stored."""
    import nibabel as nib

    image: Any = nib.load(path)
    intent = image.header.get("intent_code", 0) if hasattr(image.header, "get") else 0
    return np.asarray(image.affine[:3, :3], dtype=np.float64), int(intent)


def _to_world(directions: NDArray[np.float64], axes: Axes) -> NDArray[np.float64]:
    """Return the orthogonal matrix from the axes of the components to the world's."""
    if axes == "world":
        return np.eye(3)
    u, _, vt = np.linalg.svd(directions / np.linalg.norm(directions, axis=0))
    Q: NDArray[np.float64] = u @ vt
    if axes == "fsl" and np.linalg.det(Q) > 0:
        Q[:, 0] *= -1.0
    return Q


def conductivity_tensors(
    head: Head,
    image: TensorImage,
    *,
    tissues: Sequence[str] = ("white_matter", "grey_matter"),
    mapping: TensorMapping = "volume-normalised",
    largest_ratio: float = 10.0,
    mend: bool = False,
    sigma: Mapping[int, float] | None = None,
) -> Tensors:
    """Return the conductivity tensors of the tetrahedra of some tissues.

    Parameters
    ----------
    head
        The head, in the space of the image.
    image
        Diffusion tensors.
    tissues
        Names of the tissues that become anisotropic.
    mapping
        "volume-normalised" or "direct".
    largest_ratio
        Eigenvalues below the largest one over this are raised to it.
    mend
        Raise eigenvalues that are not > 0 in the same way, rather than refuse the image.
    sigma
        Isotropic conductivity (S/m) by label, for "direct"; that of the head's tissues if None.

    Returns
    -------
    Tensors
        For `rheobase.fields.solver.Conductor`. A tetrahedron with no tensor in the voxels around
        its centroid has none and stays isotropic.

    Raises
    ------
    InputError
        If the mesh lacks a tissue, no tetrahedron of the tissues lies in the image, or a tensor
        is not positive definite.
    """
    check_option("mapping", mapping, _MAPPINGS)
    if not largest_ratio >= 1:
        raise InputError(f"largest_ratio must be >= 1, got {largest_ratio!r}")
    mesh = head.mesh
    labels = [head.label_of(name) for name in tissues]
    for name, label in zip(tissues, labels, strict=True):
        if label not in mesh.labels:
            raise InputError(
                f"expected tensors for tissues of the mesh, it has no {name}: head {head.name!r}"
            )
    tets = np.flatnonzero(np.isin(mesh.labels, labels)).astype(np.int32)
    with stage("conductivity tensors"):
        centroids = mesh.nodes[mesh.tets[tets]].mean(axis=1)
        D, found = _interpolated(image, centroids, largest_ratio, mend)
        tets, D = tets[found], D[found]
        if len(tets) == 0:
            raise InputError(
                f"expected tensors in {', '.join(tissues)} of head {head.name!r}, found none there "
                f"(is the image in the space of the head?): {image.name}"
            )
        size = np.linalg.det(matrices(D))
        if mapping == "volume-normalised":
            return Tensors(tets=tets, values=D / np.cbrt(size)[:, None])
        own = {k: t.sigma for k, t in head.tissues.items()} if sigma is None else sigma
        volume = mesh.volumes()[tets]
        wanted = norm = 0.0
        for label in np.unique(mesh.labels[tets]).tolist():
            of = mesh.labels[tets] == label
            d = float(np.cbrt(volume[of] @ size[of] / volume[of].sum()))
            wanted += d * own[label]
            norm += d * d
        isotropic = np.array([own[k] for k in mesh.labels[tets].tolist()])
        return Tensors(tets=tets, values=wanted / norm * D / isotropic[:, None])


def _interpolated(
    image: TensorImage, points: NDArray[np.float64], largest_ratio: float, mend: bool
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the tensors (n, 6) at points (m) and whether there is one."""
    grid = np.array(image.values.shape[:3])
    voxel = (points - image.affine[:3, 3]) @ np.linalg.inv(image.affine[:3, :3]).T
    low = np.floor(voxel).astype(np.int64)
    share = voxel - low
    corners = [np.array(c) for c in product((0, 1), repeat=3)]

    def place(some: slice, corner: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the flat voxel at a corner of the cells, -1 outside the image."""
        index = low[some] + corner
        inside = ((index >= 0) & (index < grid)).all(axis=1)
        flat = np.ravel_multi_index(tuple(np.where(inside[:, None], index, 0).T), tuple(grid))
        return np.where(inside, flat, -1)

    used = np.zeros(int(grid.prod()), dtype=np.bool_)
    for corner in corners:
        flat = place(slice(None), corner)
        used[flat[flat >= 0]] = True
    values = image.values.reshape(-1, 6)
    used &= values.any(axis=1)
    chosen = np.flatnonzero(used)
    row = np.full(len(used), -1, dtype=np.int64)
    row[chosen] = np.arange(len(chosen))
    tensors = _capped(values[chosen], chosen, image, largest_ratio, mend)
    out = np.zeros((len(points), 6))
    weight = np.zeros(len(points))

    def add(some: slice) -> None:
        for corner in corners:
            flat = place(some, corner)
            k = np.where(flat >= 0, row[flat], -1)
            w = np.where(corner == 1, share[some], 1.0 - share[some]).prod(axis=1)
            w[k < 0] = 0.0
            weight[some] += w
            if len(tensors):
                out[some] += w[:, None] * tensors[k]

    in_parts(add, len(points))
    found = weight > 1e-6
    out[found] /= weight[found, None]
    return out, found


def _capped(
    values: ArrayLike,
    voxels: NDArray[np.int64],
    image: TensorImage,
    largest_ratio: float,
    mend: bool,
) -> NDArray[np.float64]:
    """Return tensors whose eigenvalues are > 0 and within ``largest_ratio`` of the largest one."""
    value, vector = np.linalg.eigh(matrices(np.asarray(values)))
    bad = value[:, 2] <= 0 if mend else value[:, 0] <= 0
    if bad.any():
        first = np.unravel_index(voxels[bad.argmax()], image.values.shape[:3])
        where = (image.affine @ [*first, 1.0])[:3] * 1e3
        hint = "" if mend else "; mend=True raises eigenvalues that are not > 0"
        raise InputError(
            f"diffusion tensors must be positive definite, {np.count_nonzero(bad)} of the "
            f"{len(bad)} used are not{hint}: voxel at ({', '.join(f'{x:.1f}' for x in where)}) mm "
            f"of {image.name}"
        )
    value = np.maximum(value, value[:, 2:] / largest_ratio)
    return components(np.einsum("tij,tj,tkj->tik", vector, value, vector))
