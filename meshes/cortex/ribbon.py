"""The cortical ribbon of a voxel image and the Laplace potential across it.

Between the white surface (phi = 0) and the pial surface (phi = 1) the potential obeys

    div grad phi = 0   in the cortex,     grad phi · n = 0   where the cortex borders anything else.

Discretisation: seven-point stencil on the voxels; towards a boundary voxel the distance is the part
theta of a voxel at which the level function changes sign, so that the face weighs 1/theta
(symmetric, second-order phi on smooth surfaces: Gibou, Fedkiw, Cheng & Kang 2002, J. Comput. Phys.
176:205).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

CLOSEST = 0.1  # least theta: keeps the matrix well conditioned
FACES = tuple((axis, step) for axis in range(3) for step in (1, -1))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ribbon:
    """The cortex on voxels and what bounds it.

    Parameters
    ----------
    cortex
        Voxels between the two surfaces, shape (nx, ny, nz).
    white, pial
        Voxels beyond the white surface (phi = 0) and beyond the pial surface (phi = 1).
    white_level, pial_level
        Functions that are > 0 beyond the white, or the pial, surface and < 0 in the cortex; their
        zero places the surface between voxel centres. Where the sign is not so, the surface lies
        half-way.
    """

    cortex: Bools
    white: Bools
    pial: Bools
    white_level: NDArray[np.float32]
    pial_level: NDArray[np.float32]


def ribbon_of_labels(
    labels: NDArray[np.integer],
    *,
    white: tuple[int, ...],
    grey: tuple[int, ...],
    pial: tuple[int, ...],
) -> Ribbon:
    """Return the ribbon of a label image, its surfaces smoothed by one voxel.

    Parameters
    ----------
    labels
        Label image.
    white, grey, pial
        Labels of white matter, of the cortex and of what lies outside the pia.
    """
    from scipy import ndimage

    inside = np.isin(labels, white)
    cortex = np.isin(labels, grey)
    outside = np.isin(labels, pial)

    def smooth(mask: Bools) -> NDArray[np.float32]:
        blurred: NDArray[np.float32] = ndimage.gaussian_filter(mask.astype(np.float32), 1.0)
        return blurred

    level = smooth(cortex)
    return Ribbon(
        cortex=cortex,
        white=inside,
        pial=outside,
        white_level=smooth(inside) - level,
        pial_level=smooth(outside) - level,
    )


def potential(ribbon: Ribbon) -> Floats:
    """Solve for phi on the voxels, continued linearly into the bounding ones.

    Returns
    -------
    ndarray, shape (nx, ny, nz)
        phi in the cortex, its linear continuation one voxel beyond it, and -1 or 2 (white, pial)
        or the mean of the neighbours (anything else) farther off.
    """
    from scipy import sparse
    from scipy.sparse.linalg import cg

    cortex = ribbon.cortex
    number = np.full(cortex.shape, -1, np.int32)
    number[cortex] = np.arange(np.count_nonzero(cortex), dtype=np.int32)
    n = int(number.max()) + 1
    diagonal, rhs = np.zeros(n), np.zeros(n)
    rows, columns = [], []
    for axis, step in FACES:
        here, there = _pair(cortex.shape, axis, step)
        me = number[here]
        both = cortex[here] & cortex[there]
        rows.append(me[both])
        columns.append(number[there][both])
        diagonal += np.bincount(rows[-1], minlength=n)
        for mask, level, value in _sides(ribbon):
            face = cortex[here] & mask[there]
            weight = 1.0 / _theta(level[here][face], level[there][face])
            diagonal += np.bincount(me[face], weights=weight, minlength=n)
            rhs += np.bincount(me[face], weights=weight * value, minlength=n)
    i, j = np.concatenate(rows), np.concatenate(columns)
    lonely = diagonal == 0
    diagonal[lonely] = 1.0
    matrix = sparse.csr_array((np.full(len(i), -1.0), (i, j)), shape=(n, n))
    matrix = (matrix + sparse.diags_array(diagonal)).tocsr()
    inverse = sparse.diags_array(1.0 / diagonal)
    start = np.full(n, 0.5)
    solution, status = cg(matrix, rhs, x0=start, rtol=1e-6, maxiter=5000, M=inverse)
    if status != 0:
        raise RuntimeError(f"Laplace potential: conjugate gradients stopped with status {status}")
    phi = np.full(cortex.shape, np.nan)
    phi[cortex] = solution
    return _continued(phi, ribbon)


def _sides(ribbon: Ribbon) -> tuple[tuple[Bools, NDArray[np.float32], float], ...]:
    return (
        (ribbon.white, ribbon.white_level, 0.0),
        (ribbon.pial & ~ribbon.white, ribbon.pial_level, 1.0),
    )


def _pair(
    shape: tuple[int, ...], axis: int, step: int
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the slices of all voxels and of their neighbours along one axis."""
    first, second = [slice(None)] * len(shape), [slice(None)] * len(shape)
    first[axis], second[axis] = slice(None, -1), slice(1, None)
    return (tuple(first), tuple(second)) if step > 0 else (tuple(second), tuple(first))


def _theta(inside: NDArray[np.float32], outside: NDArray[np.float32]) -> Floats:
    """Return how far the zero lies from the inner voxel (voxels); half-way where signs are odd."""
    crosses = (inside < 0) & (outside > 0)
    span = np.where(crosses, outside - inside, 1.0)
    theta: Floats = np.where(crosses, np.clip(-inside / span, CLOSEST, 1.0), 0.5)
    return theta


def _continued(phi: Floats, ribbon: Ribbon) -> Floats:
    """Continue phi beyond the cortex, so that interpolation finds its 0, 1/2 and 1."""
    from scipy import ndimage

    total, count = np.zeros(phi.shape), np.zeros(phi.shape)
    for axis, step in FACES:
        here, there = _pair(phi.shape, axis, step)
        for mask, level, value in _sides(ribbon):
            face = ribbon.cortex[here] & mask[there]
            theta = _theta(level[here][face], level[there][face])
            inner = phi[here][face]
            beyond = value + (value - inner) * (1.0 - theta) / theta
            total[there][face] += np.clip(beyond, -1.0, 2.0)
            count[there][face] += 1.0
    phi = np.where(count > 0, total / np.maximum(count, 1.0), phi)
    known = np.isfinite(phi)
    near = ndimage.uniform_filter(np.where(known, phi, 0.0), 3)
    weight = ndimage.uniform_filter(known.astype(np.float64), 3)
    fill = np.where(weight > 0.01, near / np.maximum(weight, 0.01), 0.5)
    fill = np.where(ribbon.pial, np.maximum(fill, 1.1), fill)
    fill = np.where(ribbon.white, np.minimum(fill, -0.1), fill)
    continued: Floats = np.where(known, phi, fill)
    return continued


def cropped(ribbon: Ribbon) -> tuple[Ribbon, NDArray[np.int_]]:
    """Return the ribbon cut to the box of the cortex with three voxels to spare, and its corner."""
    from scipy import ndimage

    found = ndimage.find_objects(ribbon.cortex.astype(np.uint8))
    if not found or found[0] is None:
        raise InputError("expected grey matter, found none: cortex")
    low = np.array([max(s.start - 3, 0) for s in found[0]])
    box = tuple(slice(int(b), s.stop + 3) for b, s in zip(low, found[0], strict=True))
    return Ribbon(
        cortex=ribbon.cortex[box],
        white=ribbon.white[box],
        pial=ribbon.pial[box],
        white_level=ribbon.white_level[box],
        pial_level=ribbon.pial_level[box],
    ), low
