"""The mesher: label images, spheres and any other indicator functions to conforming tetrahedra.

The material at a point is the one with the largest indicator. A BCC lattice (``lattice.py``) is cut
where the indicators of two materials tie (``cut.py``), then improved under guard (``improve.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.meshes.cut import Indicators, cut_lattice
from rheobase.meshes.improve import improve
from rheobase.meshes.lattice import MEAN_EDGE, build_octree
from rheobase.meshes.mesh import TetMesh

#: Tetrahedra with a smaller dihedral angle (°) have their part of the lattice left uncut.
MIN_DIHEDRAL = 6.0
#: Rebuilds allowed for that; each leaves more of the lattice uncut, whose angles are 45° or more.
ATTEMPTS = 20

#: Wanted mean edge (m) at points (n, 3).
Size = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def mesh_indicators(
    labels: Sequence[int],
    indicators: Indicators,
    bounds: ArrayLike,
    edge_length: float,
    *,
    size: Size | None = None,
) -> TetMesh:
    """Mesh the regions where each of some indicator functions is the largest.

    Parameters
    ----------
    labels
        Label of each material; material 0 is the outside and is left out of the mesh, whatever
        its label.
    indicators
        Function of points (m), shape (n, 3), that returns one column per material, shape
        (n, len(labels)); continuous, and best with a slope of about 1 across each interface.
    bounds
        Lowest and highest corner of the box to mesh (m), shape (2, 3). Materials that reach the
        box are cut off by it, exactly.
    edge_length
        Mean edge of the (finest) lattice tetrahedra (m).
    size
        Wanted mean edge (m) at points of shape (n, 3), for a graded mesh; ``edge_length`` is then
        the smallest and eight times that the largest.

    Returns
    -------
    TetMesh

    Raises
    ------
    InputError
        If the box, the edge length or the number of columns makes no sense, or if no material
        but the outside was found.
    """
    from rheobase.meshes._improve_numba import qualities

    box = np.asarray(bounds, dtype=np.float64)
    if box.shape != (2, 3) or not np.isfinite(box).all() or not (box[1] > box[0]).all():
        raise InputError(f"bounds must be two corners, low then high, got {box.tolist()}")
    if not (np.isfinite(edge_length) and edge_length > 0):
        raise InputError(f"edge_length must be > 0 m, got {edge_length!r}")
    cells = (box[1] - box[0]).prod() / (edge_length / MEAN_EDGE) ** 3
    if cells > 2e8:
        raise InputError(
            f"edge_length {edge_length:g} m asks for {cells:.2g} cells in a box of "
            f"{(box[1] - box[0]).tolist()} m, more than 2e8: lengths are in metres"
        )
    octree = build_octree(box, edge_length, size)
    nodes = octree.nodes()
    values = np.asarray(indicators(nodes), dtype=np.float64)
    if values.shape != (len(nodes), len(labels)):
        raise InputError(
            f"indicators must return shape (n, {len(labels)}), one column per label, "
            f"got {values.shape} for {len(nodes)} points"
        )
    material = values.argmax(axis=1).astype(np.int32)
    tets = octree.tets(material)
    if len(tets) == 0:
        raise InputError(
            f"nothing to mesh: no lattice node at edge_length {edge_length:g} m lies in a material "
            "other than the outside"
        )
    frozen = np.zeros(len(nodes), np.bool_)
    walls = octree.walls()
    for attempt in range(ATTEMPTS):
        if attempt == ATTEMPTS - 1:  # the lattice itself, labelled by centroids
            frozen[:] = True
        mesh = cut_lattice(nodes, tets, values, indicators, walls, frozen)
        inside = mesh.material > 0
        if not inside.any():
            raise InputError(
                f"nothing to mesh: every region is thinner than edge_length {edge_length:g} m"
            )
        moved = improve(mesh, indicators, edge_length)
        bad = qualities(moved, mesh.tets[inside]) < np.sin(np.radians(MIN_DIHEDRAL))
        if not bad.any():
            break
        frozen[tets[mesh.parent[inside][bad]]] = True
    used, index = np.unique(mesh.tets[inside], return_inverse=True)
    table = np.asarray(labels, dtype=np.int32)
    return TetMesh(
        nodes=moved[used],
        tets=index.reshape(-1, 4).astype(np.int32),
        labels=table[mesh.material[inside]],
    )


def mesh_spheres(
    radii: Sequence[float],
    labels: Sequence[int],
    edge_length: float,
    *,
    size: Size | None = None,
) -> TetMesh:
    """Mesh concentric spheres around the origin, with nodes on every sphere.

    Parameters
    ----------
    radii
        Radii (m), increasing, shape (n,).
    labels
        Label inside each radius, innermost first, shape (n,).
    edge_length
        Mean edge of the (finest) lattice tetrahedra (m).
    size
        As in `mesh_indicators`.

    Returns
    -------
    TetMesh

    Raises
    ------
    InputError
        If the radii do not increase from above 0, or do not match the labels.

    Examples
    --------
    >>> ball = mesh_spheres([0.05, 0.1], [1, 5], 0.02)
    >>> sorted(ball.tissue_volumes())
    [1, 5]
    """
    r = np.asarray(radii, dtype=np.float64)
    if r.ndim != 1 or len(r) == 0 or not (np.diff(np.concatenate([[0.0], r])) > 0).all():
        raise InputError(f"radii must increase from above 0, got {list(radii)}")
    if len(labels) != len(r):
        raise InputError(f"one label per radius: got {len(labels)} labels for {len(r)} radii")
    inner = np.concatenate([[-np.inf], r[:-1]])

    def shells(points: NDArray[np.float64]) -> NDArray[np.float64]:
        distance = np.linalg.norm(points, axis=1)[:, None]
        within = np.minimum(distance - inner, r - distance)
        return np.concatenate([distance - r[-1], within], axis=1)

    a = edge_length / MEAN_EDGE
    half = a * (np.ceil(r[-1] / a) + 1)
    return mesh_indicators([0, *labels], shells, [[-half] * 3, [half] * 3], edge_length, size=size)


def mesh_image(
    image: ArrayLike,
    affine: ArrayLike,
    edge_length: float,
    *,
    smoothing: float | None = None,
    size: Size | None = None,
) -> TetMesh:
    """Mesh a label image.

    Parameters
    ----------
    image
        Integer labels, shape (nx, ny, nz); 0 is outside.
    affine
        Voxel index to world (m), shape (4, 4).
    edge_length
        Mean edge of the (finest) lattice tetrahedra (m).
    smoothing
        Standard deviation (m) of the Gaussian that smooths each label's image; 0.85 of the
        largest voxel edge if None.
    size
        As in `mesh_indicators`.

    Returns
    -------
    TetMesh
        In world coordinates (m).

    Raises
    ------
    InputError
        If the image or the affine cannot be meshed.
    """
    from rheobase.meshes.indicators import ImageIndicators

    found = ImageIndicators.of_image(image, affine, smoothing)
    low, high = found.bounds()
    a = edge_length / MEAN_EDGE
    if not (np.isfinite(edge_length) and edge_length > 0):
        raise InputError(f"edge_length must be > 0 m, got {edge_length!r}")
    cells = np.ceil((high - low) / a) + 2
    middle, half = (low + high) / 2, cells * a / 2
    return mesh_indicators(
        found.labels, found, np.stack([middle - half, middle + half]), edge_length, size=size
    )
