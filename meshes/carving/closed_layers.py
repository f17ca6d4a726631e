"""Label images whose layers stay closed in the mesh, at any element size.

Where layers are thinner than the elements, labels may come to touch that do not touch in the image,
and current finds a way that is not there. The elements around such faces are halved, if that does
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
#: Elements are halved within this many edges of a face that should not be there, and not beyond.
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


def false_contacts(
    mesh: TetMesh, touching: frozenset[tuple[int, int]]
) -> tuple[Points, NDArray[np.float64]]:
    """Return the middles (m) and areas (m²) of faces between labels that do not touch.

    Parameters
    ----------
    mesh
        The mesh.
    touching
        Pairs of labels (lower first, 0 is the outside) that may touch.
    """
    from rheobase.meshes._faces_numba import interfaces

    n = len(mesh.nodes)
    triangles, pairs = interfaces(mesh.tets, mesh.labels, n, np.ones(n, np.bool_))
    outer, owner = _outer_faces(mesh)
    triangles = np.concatenate([triangles, outer])
    pairs = np.concatenate([pairs, np.stack([np.zeros_like(owner), owner], axis=1)])
    kinds, kind = np.unique(pairs, axis=0, return_inverse=True)
    wrong = np.array([(int(a), int(b)) not in touching for a, b in kinds])[kind.ravel()]
    corners = mesh.nodes[triangles[wrong]]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return corners.mean(axis=1), 0.5 * np.linalg.norm(across, axis=1)


def _outer_faces(mesh: TetMesh) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the faces with one tetrahedron, shape (m, 3), and the label of that, shape (m,)."""
    on = np.zeros(len(mesh.nodes), np.bool_)
    on[mesh.boundary()] = True
    near = np.flatnonzero(on[mesh.tets].sum(axis=1) >= 3)
    faces = mesh.tets[near][:, [[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]]].reshape(-1, 3)
    owner = np.repeat(mesh.labels[near], 4)
    whole = on[faces].all(axis=1)
    faces, owner = faces[whole], owner[whole]
    _, first, count = np.unique(
        np.sort(faces, axis=1), axis=0, return_index=True, return_counts=True
    )
    return faces[first[count == 1]], owner[first[count == 1]]


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
        wrong, _ = false_contacts(carved.mesh, touching)
        if not len(wrong):
            break
        edge = edge_length / (2 if n <= HALVED else 4)
        sizes.append(near_points(wrong, edge, AROUND * edge_length, growth=STEEP))
        finest = min(finest, edge)
        carved = carve_image(image, affine, finest, size=smallest(sizes), smoothing=smoothing)
    return carved
