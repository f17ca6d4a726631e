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
from rheobase.meshes.carving.image_indicators import image_indicators
from rheobase.meshes.carving.sizing import Size, near_points, smallest
from rheobase.meshes.contacts import Pairs, SharedNodes
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import carve_smoothed

#: The mesh is made this often at most; elements are halved this often, then quartered.
ROUNDS, HALVED = 12, 3
#: Elements are halved within this many edges of a node that should not be there, and not beyond.
AROUND, STEEP = 0.6, 100.0

Points = NDArray[np.float64]


def false_contacts(mesh: TetMesh, touching: Pairs) -> Points:
    """Return the nodes (m) where labels meet that do not touch, shape (n, 3).

    One shared node is enough: linear elements conduct through it.

    Parameters
    ----------
    mesh
        The mesh.
    touching
        Pairs of labels (lower first, 0 is the outside) that may touch.
    """
    shared = SharedNodes(mesh, outside=True)
    wrong = np.zeros(len(mesh.nodes), np.bool_)
    for a, b in shared.counts(touching):
        wrong |= shared.of(a) & shared.of(b)
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
    found = image_indicators(image, affine, smoothing)
    carved = carve_smoothed(found, edge_length, size=size)
    sizes, finest = [size], edge_length
    for n in range(1, ROUNDS):
        wrong = false_contacts(carved.mesh, found.touching)
        if not len(wrong):
            break
        edge = edge_length / (2 if n <= HALVED else 4)
        sizes.append(near_points(wrong, edge, AROUND * edge_length, growth=STEEP))
        finest = min(finest, edge)
        carved = carve_smoothed(found, finest, size=smallest(sizes))
    return carved
