"""Label images whose layers stay closed in the mesh, at any element size.

Where layers are thinner than the elements, labels may come to touch that do not touch in the image,
and current finds a way that is not there. The elements around such nodes are halved, if that does
not help quartered, and the mesh is made again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.carving.carved import Carved
from rheobase.meshes.carving.sizing import Size, near_points, smallest
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import carve_image

#: The mesh is made this often at most; elements are halved this often, then quartered.
ROUNDS, HALVED = 8, 4
#: Elements are halved within this many edges of a node that should not be there, and not beyond.
AROUND, STEEP = 0.6, 100.0

Points = NDArray[np.float64]


def touching_labels(image: NDArray[np.integer[Any]]) -> frozenset[tuple[int, int]]:
    """Return the pairs of labels (lower first, 0 is the outside) of voxels that share a corner."""
    present = np.unique(image)
    number = np.zeros(int(present.max()) + 1, np.int64)
    number[present] = np.arange(len(present))
    code = np.pad(number[image], 1, constant_values=int(number[0]))
    n = len(present)
    found = np.zeros((n, n), np.bool_)
    steps = [
        (i, j, k) for i in (0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1) if (i, j, k) > (0,) * 3
    ]
    for step in steps:
        here = tuple(
            slice(max(0, -s), c - max(0, s)) for s, c in zip(step, code.shape, strict=True)
        )
        there = tuple(
            slice(max(0, s), c + min(0, s)) for s, c in zip(step, code.shape, strict=True)
        )
        pairs = np.bincount((code[here] * n + code[there]).ravel(), minlength=n * n)
        found |= (pairs > 0).reshape(n, n)
    found |= found.T
    return frozenset(
        (int(present[a]), int(present[b])) for a, b in zip(*np.nonzero(np.triu(found)), strict=True)
    )


def false_contacts(mesh: TetMesh, touching: frozenset[tuple[int, int]]) -> Points:
    """Return the nodes (m) where labels meet that do not touch, shape (n, 3).

    One shared node is enough: linear elements conduct through it.

    Parameters
    ----------
    mesh
        The mesh.
    touching
        Pairs of labels (lower first, 0 is the outside) that may touch.
    """
    labels = np.unique(mesh.labels)
    meets = np.zeros((len(labels) + 1, len(mesh.nodes)), np.bool_)
    for row, label in enumerate(labels, start=1):
        meets[row, mesh.tets[mesh.labels == label]] = True
    meets[0, mesh.boundary()] = True
    known = [0, *labels.tolist()]
    wrong = np.zeros(len(mesh.nodes), np.bool_)
    for j, b in enumerate(known):
        for i, a in enumerate(known[:j]):
            if (a, b) not in touching:
                wrong |= meets[i] & meets[j]
    return mesh.nodes[wrong]


def carve_closed(
    image: NDArray[np.integer[Any]],
    affine: NDArray[np.float64],
    edge_length: float,
    *,
    size: Size,
    smoothing: float | None = None,
) -> Carved:
    """Mesh a label image; halve the elements where labels touch that do not touch in the image.

    Parameters
    ----------
    image, affine
        As in `carve_image`.
    edge_length
        Mean edge (m) that is halved.
    size
        Wanted mean edge (m) at points (n, 3), ``edge_length`` to 4 ``edge_length``.
    smoothing
        As in `carve_image`.

    Returns
    -------
    Carved
        Closed if that takes no more than `ROUNDS` meshes; its report lists the contacts left.
    """
    touching = touching_labels(image)
    carved = carve_image(image, affine, edge_length, size=size, smoothing=smoothing)
    sizes, finest = [size], edge_length
    for n in range(1, ROUNDS):
        wrong = false_contacts(carved.mesh, touching)
        if not len(wrong):
            break
        edge = edge_length / (2 if n <= HALVED else 4)
        sizes.append(near_points(wrong, edge, AROUND * edge_length, growth=STEEP))
        finest = min(finest, edge)
        carved = carve_image(image, affine, finest, size=smallest(sizes), smoothing=smoothing)
    return carved
