"""Boxes of tetrahedra on a rectilinear grid: exact planes, edges and corners, graded as one likes.

Every cell of the grid is cut into Kuhn's six tetrahedra, which fit together across all faces
(Kuhn 1960, doi:10.1147/rd.45.0518).
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.meshes.mesh import TetMesh


def mesh_grid(x: ArrayLike, y: ArrayLike, z: ArrayLike, labels: NDArray[np.integer]) -> TetMesh:
    """Return the tetrahedra of the cells of a grid that have a label above 0.

    Parameters
    ----------
    x, y, z
        Rising coordinates of the grid's planes (m), shapes (nx,), (ny,), (nz,).
    labels
        Tissue label of each cell, 0 for none, shape (nx - 1, ny - 1, nz - 1).

    Raises
    ------
    InputError
        If coordinates do not rise, the labels do not fit them, or none is above 0.

    Examples
    --------
    >>> len(mesh_grid([0, 1], [0, 1], [0, 1], np.ones((1, 1, 1), int)).tets)
    6
    """
    axes = [np.asarray(a, dtype=np.float64) for a in (x, y, z)]
    shape = tuple(len(a) for a in axes)
    for name, a in zip("xyz", axes, strict=True):
        if a.ndim != 1 or len(a) < 2 or not (np.diff(a) > 0).all():
            raise InputError(f"expected coordinates that rise along {name}, got {a.tolist()}")
    if labels.shape != tuple(n - 1 for n in shape) or not (labels > 0).any():
        raise InputError(
            f"expected a label for each of {tuple(n - 1 for n in shape)} cells, one at least above "
            f"0, got shape {labels.shape}"
        )
    stride = np.array([shape[1] * shape[2], shape[2], 1])
    cell = np.stack(np.nonzero(labels > 0), axis=1)
    first = cell @ stride
    tets = []
    for order in permutations(range(3)):  # from the lowest corner to the highest, axis by axis
        path = np.concatenate([[0], np.cumsum(stride[list(order)])])
        if np.linalg.det(np.eye(3)[list(order)]) < 0:
            path[[1, 2]] = path[[2, 1]]
        tets.append(first[:, None] + path)
    used, index = np.unique(np.concatenate(tets), return_inverse=True)
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)[used]
    return TetMesh(
        nodes=nodes,
        tets=index.reshape(-1, 4).astype(np.int32),
        labels=np.tile(labels[tuple(cell.T)], 6).astype(np.int32),
    )


def graded(
    length: float, first: float, growth: float, *, most: float = np.inf
) -> NDArray[np.float64]:
    """Return rising distances that end at ``length``, in steps that grow.

    Parameters
    ----------
    length, first
        Last distance, and about the first step (m).
    growth
        Ratio of neighbouring steps, > 1.
    most
        Largest step (m).

    Returns
    -------
    ndarray, shape (n,)
        Without 0.

    Examples
    --------
    >>> graded(7.0, 1.0, 2.0)
    array([1., 3., 7.])
    >>> graded(7.0, 1.0, 2.0, most=2.0)
    array([1., 3., 5., 7.])
    """
    n = int(np.ceil(np.log1p(length * (growth - 1) / first) / np.log(growth) - 1e-9))
    step = np.minimum(first * growth ** np.arange(max(n, 1)), most)
    short = int(np.ceil((length - step.sum()) / most - 1e-9))
    distance = np.cumsum(np.concatenate([step, np.full(max(short, 0), most)]))
    out: NDArray[np.float64] = distance * (length / distance[-1])
    return out
