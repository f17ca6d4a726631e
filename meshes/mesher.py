"""The mesher: label images, spheres and any other indicator functions to conforming tetrahedra.

The material at a point is the one with the largest indicator. A BCC lattice (``lattice.py``) is cut
where the indicators of two materials tie (``cut.py``), then improved under guard (``improve.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.meshes.carved import Carved, LatticeRecord, mesh_report
from rheobase.meshes.cut import Indicators, cut_lattice
from rheobase.meshes.improve import improve, interface_triangles
from rheobase.meshes.indicators import MOST_OFFSET, ImageIndicators
from rheobase.meshes.lattice import MAX_LEVEL, MEAN_EDGE, Octree, build_octree
from rheobase.meshes.mesh import TetMesh

#: Tetrahedra with a smaller dihedral angle (°) have their part of the lattice left uncut.
MIN_DIHEDRAL = 6.0
#: Rebuilds allowed for that; each leaves more of the lattice uncut, whose angles are 45° or more.
ATTEMPTS = 20

#: Largest number of lattice cells (about 12 tetrahedra each).
MOST_CELLS = 5e7
#: Corrections of the indicators for the volume that a lattice loses in layers it cannot resolve.
CALIBRATIONS = 3
#: Part of a step that is taken: on folded sheets the whole one overshoots by 0.6.
RELAXATION = 0.65
#: They end when every label is this close (relative).
VOLUME_ERROR = 0.005

#: Wanted mean edge (m) at points (n, 3).
Size = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def carve_indicators(
    labels: Sequence[int],
    indicators: Indicators,
    bounds: ArrayLike,
    edge_length: float,
    *,
    size: Size | None = None,
) -> Carved:
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
    Carved

    Raises
    ------
    InputError
        If the box, the edge length or the number of columns makes no sense, or if no material
        but the outside was found.
    """
    box = np.asarray(bounds, dtype=np.float64)
    if box.shape != (2, 3) or not np.isfinite(box).all() or not (box[1] > box[0]).all():
        raise InputError(f"bounds must be two corners, low then high, got {box.tolist()}")
    _cell(edge_length, box[1] - box[0])
    octree = build_octree(box, edge_length, size)
    values = np.asarray(indicators(octree.nodes()), dtype=np.float64)
    if values.shape != (len(octree.xyz), len(labels)):
        raise InputError(
            f"indicators must return shape (n, {len(labels)}), one column per label, "
            f"got {values.shape} for {len(octree.xyz)} points"
        )
    return _carve(octree, values, labels, indicators, edge_length)


def mesh_indicators(
    labels: Sequence[int],
    indicators: Indicators,
    bounds: ArrayLike,
    edge_length: float,
    *,
    size: Size | None = None,
) -> TetMesh:
    """Return only the mesh of `carve_indicators`."""
    return carve_indicators(labels, indicators, bounds, edge_length, size=size).mesh


def _carve(
    octree: Octree,
    values: NDArray[np.float64],
    labels: Sequence[int],
    indicators: Indicators,
    edge_length: float,
    image: ImageIndicators | None = None,
) -> Carved:
    """Cut and improve, leaving more of the lattice uncut until no tetrahedron is bad."""
    from rheobase.meshes._improve_numba import qualities

    nodes, walls = octree.nodes(), octree.walls()
    material = values.argmax(axis=1).astype(np.int32)
    tets = octree.tets(material)
    frozen = np.zeros(len(nodes), np.bool_)
    for attempt in range(ATTEMPTS):
        if attempt == ATTEMPTS - 1:  # the lattice itself, labelled by centroids
            frozen[:] = True
        mesh = cut_lattice(nodes, tets, values, indicators, walls, frozen)
        inside = mesh.material > 0
        if not inside.any():
            raise InputError(
                f"nothing to mesh: at edge_length {edge_length:g} m no tetrahedron lies in a "
                "material other than the outside"
            )
        moved = improve(mesh, indicators, edge_length)
        bad = qualities(moved, mesh.tets[inside]) < np.sin(np.radians(MIN_DIHEDRAL))
        if not bad.any():
            break
        frozen[tets[mesh.parent[inside][bad]]] = True
    used = np.zeros(len(moved), np.bool_)
    used[mesh.tets[inside]] = True
    index = np.cumsum(used, dtype=np.int32) - np.int32(1)
    table = np.asarray(labels, dtype=np.int32)
    final = TetMesh(
        nodes=moved[used],
        tets=index[mesh.tets[inside]],
        labels=table[mesh.material[inside]],
    )
    n = len(nodes)
    edge, at = np.full((len(moved), 2), -1, np.int32), np.full(len(moved), np.nan)
    edge[n:], at[n:] = mesh.edges, mesh.at
    return Carved(
        mesh=final,
        report=mesh_report(
            final,
            wanted={} if image is None else image.volumes(),
            voxels={} if image is None else image.voxels,
            touching=None if image is None else image.touching,
            n_uncut=int(frozen.sum()),
            n_rebuilds=attempt,
        ),
        lattice=LatticeRecord(
            octree=octree,
            labels=tuple(int(label) for label in labels),
            indicators=indicators,
            edge_length=edge_length,
            material=material,
            snapped=mesh.snapped,
            frozen=frozen,
            lattice_node=np.where(np.arange(len(moved)) < n, np.arange(len(moved)), -1)[
                used
            ].astype(np.int32),
            cut_edge=edge[used],
            cut_at=at[used],
            tets=tets,
            parent=mesh.parent[inside],
        ),
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

    a = _cell(edge_length, np.full(3, 2 * r[-1]))
    half = 0.5 * a * float(_cells(2 * r[-1] / a, size))
    return mesh_indicators([0, *labels], shells, [[-half] * 3, [half] * 3], edge_length, size=size)


def carve_image(
    image: ArrayLike,
    affine: ArrayLike,
    edge_length: float,
    *,
    smoothing: float | None = None,
    size: Size | Mapping[int, float] | None = None,
    keep_volumes: bool = True,
) -> Carved:
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
        As in `mesh_indicators`, or the wanted mean edge (m) inside each label; labels not named
        get ``edge_length``, and so does every place within two edges of another label.
    keep_volumes
        Thicken what is left of layers that are thinner than the lattice resolves, so that each
        label keeps its volume.

    Returns
    -------
    Carved
        In world coordinates (m).

    Raises
    ------
    InputError
        If the image or the affine cannot be meshed.
    """
    found = ImageIndicators.of_image(image, affine, smoothing)
    low, high = found.bounds()
    a = _cell(edge_length, high - low)
    middle, half = (low + high) / 2, _cells((high - low) / a, size) * a / 2
    wanted = found.sizes(size, edge_length) if isinstance(size, Mapping) else size
    octree = build_octree(np.stack([middle - half, middle + half]), edge_length, wanted)
    values = found(octree.nodes())
    for n in range(CALIBRATIONS if keep_volumes else 0):
        last = n == CALIBRATIONS - 1
        missing, step = _missing_volume(octree, values, found, edge_length if last else None)
        if (np.abs(missing) < VOLUME_ERROR * found.wanted).all():
            break
        offsets = np.clip(found.offsets + step, -MOST_OFFSET, MOST_OFFSET)
        values += offsets - found.offsets
        found = replace(found, offsets=offsets)
    return _carve(octree, values, found.labels, found, edge_length, found)


def mesh_image(
    image: ArrayLike,
    affine: ArrayLike,
    edge_length: float,
    *,
    smoothing: float | None = None,
    size: Size | Mapping[int, float] | None = None,
    keep_volumes: bool = True,
) -> TetMesh:
    """Return only the mesh of `carve_image`."""
    return carve_image(
        image, affine, edge_length, smoothing=smoothing, size=size, keep_volumes=keep_volumes
    ).mesh


def _missing_volume(
    octree: Octree,
    values: NDArray[np.float64],
    found: ImageIndicators,
    edge_length: float | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the volumes (m³) the cut lattice lacks, and the offsets that would give them back.

    Volumes are those of the improved mesh where ``edge_length`` (m) is given, else of the cuts.
    An offset moves an interface by offset / slope; the slope of f_a - f_b across a plane interface
    is that of the smoothed step, 2 / (s sqrt(2 pi)).
    """
    nodes = octree.nodes()
    tets = octree.tets(values.argmax(axis=1).astype(np.int32))
    mesh = cut_lattice(nodes, tets, values, found, octree.walls(), np.zeros(len(nodes), np.bool_))
    n = len(found.labels)
    position = mesh.nodes if edge_length is None else improve(mesh, found, edge_length, rounds=0)
    corner = position[mesh.tets[:, 0]]
    u, v, w = (position[mesh.tets[:, i]] - corner for i in (1, 2, 3))
    volume = np.einsum("ij,ij->i", np.cross(u, v), w) / 6
    missing = found.wanted - np.bincount(mesh.material, weights=volume, minlength=n)
    missing[0] = 0.0
    everywhere = np.ones(len(mesh.nodes), np.bool_)
    triangles, pairs = interface_triangles(mesh.tets, mesh.material, everywhere)
    p = position[triangles]
    area = 0.5 * np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1)
    areas = np.bincount(pairs[:, 0] * n + pairs[:, 1], weights=area, minlength=n * n).reshape(n, n)
    # interpolation between voxels smooths as well, by about 1/6 voxel²
    voxel = np.linalg.norm(found.affine[:3, :3], axis=0).mean()
    per_offset = np.sqrt(2 * np.pi * (found.smoothing**2 + voxel**2 / 6)) / 2
    slope = (areas + areas.T) * per_offset
    laplacian = np.diag(slope.sum(axis=1)) - slope
    # the outside takes what is left
    step = np.zeros(n)
    inner = laplacian[1:, 1:] + voxel**3 * np.eye(n - 1)  # a label may have no interface yet
    step[1:] = np.linalg.solve(inner, missing[1:])
    return missing, np.clip(RELAXATION * step, -0.15, 0.15)


def _cells(extent: ArrayLike, size: object) -> NDArray[np.float64]:
    """Return how many cells cover ``extent`` cells with a margin, whole leaves if graded."""
    block = 1 if size is None else 1 << MAX_LEVEL
    cells: NDArray[np.float64] = np.ceil((np.asarray(extent) + 2.0) / block) * block
    return cells


def _cell(edge_length: float, extent: NDArray[np.float64]) -> float:
    """Return the edge of a lattice cell (m) after checking that the lattice fits in memory."""
    if not (np.isfinite(edge_length) and edge_length > 0):
        raise InputError(f"edge_length must be > 0 m, got {edge_length!r}")
    a = float(edge_length / MEAN_EDGE)
    cells = float((extent / a).prod())
    if cells > MOST_CELLS:
        raise InputError(
            f"edge_length {edge_length:g} m asks for {cells:.2g} cells in a box of "
            f"{np.round(extent, 6).tolist()} m, more than {MOST_CELLS:.0e}: lengths are in metres"
        )
    return a
