"""Connected parts of a mesh, and the node of each that is held at 0 V."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.mesh import TetMesh


def grounds(mesh: TetMesh) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the connected part of each node and, for each part, its node nearest the centre.

    Returns
    -------
    part : ndarray, shape (n_nodes,)
        Numbered by their first nodes. A node without tetrahedra is a part of its own.
    nodes : ndarray, shape (n_parts,)
    """
    from rheobase.fields._assembly_numba import connected_parts

    part = connected_parts(len(mesh.nodes), mesh.tets)
    n_parts = int(part.max()) + 1
    size = np.bincount(part, minlength=n_parts)[:, None]
    sums = [np.bincount(part, weights=x, minlength=n_parts) for x in mesh.nodes.T]
    centre = np.stack(sums, 1) / size
    order = np.lexsort((((mesh.nodes - centre[part]) ** 2).sum(1), part))
    first = np.searchsorted(part[order], np.arange(n_parts))
    return part, order[first].astype(np.int64)
