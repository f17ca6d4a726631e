"""The mesher: label images, spheres and any other indicator functions to conforming tetrahedra.

The material at a point is the one with the largest indicator. A BCC lattice (``lattice.py`` in
``carving``) is cut where the indicators of two materials tie (``cut.py``), then improved under
guard (``improve.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.meshes.carving.carve import carve
from rheobase.meshes.carving.carved import Carved
from rheobase.meshes.carving.image_indicators import (
    ImageIndicators,
    image_indicators,
    map_indicators,
)
from rheobase.meshes.carving.indicators import Function, FunctionIndicators
from rheobase.meshes.carving.lattice import MAX_LEVEL, MEAN_EDGE, build_octree
from rheobase.meshes.carving.sizing import Size, size_by_label, smallest
from rheobase.meshes.mesh import TetMesh

#: Largest number of lattice cells (about 12 tetrahedra each).
MOST_CELLS = 5e7
#: Points at which the volumes of indicator functions are counted.
SAMPLES = 2_000_000
#: Sizes of an image: a function, a mean edge (m) for each label, or several of both.
Sizes = Size | Mapping[int, float] | Sequence[Size | Mapping[int, float]]


def carve_indicators(
    labels: Sequence[int],
    indicators: Function,
    bounds: ArrayLike,
    edge_length: float,
    *,
    size: Size | None = None,
    volumes: Mapping[int, float] | Literal["sampled"] | None = None,
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
    volumes
        Volumes that labels shall keep (m³), though the lattice loses some of a thin or curved
        layer: interfaces shift a little for it. "sampled" measures them from the indicators. None
        leaves the interfaces where the indicators tie.

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
    few = octree.nodes()[:1]
    values = np.asarray(indicators(few), dtype=np.float64)
    if values.shape != (len(few), len(labels)):
        raise InputError(
            f"indicators must return shape (n, {len(labels)}), one column per label, "
            f"got {values.shape} for {len(few)} points"
        )
    found = FunctionIndicators(
        labels=tuple(int(label) for label in labels),
        function=indicators,
        offsets=np.zeros(len(labels)),
        most=0.25 * edge_length,
    )
    if volumes == "sampled":
        volumes = _sampled(found, box)
    elif volumes is not None:
        _check_volumes(volumes, found.labels[1:])
    wanted = None
    if volumes is not None:
        wanted = np.array([np.inf, *(volumes.get(label, np.nan) for label in found.labels[1:])])
    return carve(
        octree, found, edge_length, wanted=wanted, volumes=volumes or {}, voxels={}, touching=None
    )


def _sampled(found: FunctionIndicators, box: NDArray[np.float64]) -> dict[int, float]:
    """Return the volume of each label (m³) from one random point in each cell of a fine grid."""
    extent = box[1] - box[0]
    shape = np.maximum(1, np.rint(extent / np.cbrt(extent.prod() / SAMPLES))).astype(int)
    count = np.zeros(len(found.labels))
    rng = np.random.default_rng(0)
    y, z = np.meshgrid(np.arange(shape[1]), np.arange(shape[2]), indexing="ij")
    for x in range(shape[0]):
        index = np.column_stack([np.full(y.size, x), y.ravel(), z.ravel()])
        points = box[0] + (index + rng.random(index.shape)) * (extent / shape)
        count += np.bincount(found.material(points), minlength=len(count))
    volume = count * float((extent / shape).prod())
    return {label: float(v) for label, v in zip(found.labels[1:], volume[1:], strict=True)}


def _check_volumes(volumes: Mapping[int, float], labels: Sequence[int]) -> None:
    """Refuse volumes of labels that there are not, or that are not > 0."""
    for label, volume in volumes.items():
        if label not in labels:
            raise InputError(f"volume for label {label}: there are labels {list(labels)}")
        if not (np.isfinite(volume) and volume > 0):
            raise InputError(f"volume of label {label} must be > 0 m³, got {volume!r}")


def mesh_indicators(
    labels: Sequence[int],
    indicators: Function,
    bounds: ArrayLike,
    edge_length: float,
    *,
    size: Size | None = None,
    volumes: Mapping[int, float] | Literal["sampled"] | None = None,
) -> TetMesh:
    """Return only the mesh of `carve_indicators`."""
    return carve_indicators(
        labels, indicators, bounds, edge_length, size=size, volumes=volumes
    ).mesh


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
    r = check_spheres(radii, labels)
    inner = np.concatenate([[-np.inf], r[:-1]])

    def shells(points: NDArray[np.float64]) -> NDArray[np.float64]:
        distance = np.linalg.norm(points, axis=1)[:, None]
        within = np.minimum(distance - inner, r - distance)
        return np.concatenate([distance - r[-1], within], axis=1)

    a = _cell(edge_length, np.full(3, 2 * r[-1]))
    half = 0.5 * a * float(_cells(2 * r[-1] / a, size))
    return mesh_indicators([0, *labels], shells, [[-half] * 3, [half] * 3], edge_length, size=size)


def check_spheres(radii: Sequence[float], labels: Sequence[int]) -> NDArray[np.float64]:
    """Return radii that increase from above 0, one for each label, or say what is wrong."""
    r = np.asarray(radii, dtype=np.float64)
    if r.ndim != 1 or len(r) == 0 or not (np.diff(np.concatenate([[0.0], r])) > 0).all():
        raise InputError(f"radii must increase from above 0, got {list(radii)}")
    if len(labels) != len(r):
        raise InputError(f"one label per radius: got {len(labels)} labels for {len(r)} radii")
    return r


def carve_image(
    image: ArrayLike,
    affine: ArrayLike,
    edge_length: float,
    *,
    smoothing: float | None = None,
    size: Sizes | None = None,
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
        As in `carve_indicators`, or the wanted mean edge (m) inside each label (labels not named
        get ``edge_length``, and so does every place within two edges of another label), or a list
        of such (the smallest counts); `rheobase.meshes.carving.sizing` makes more.
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
    found = image_indicators(image, affine, smoothing)
    return carve_smoothed(found, edge_length, size=size, keep_volumes=keep_volumes)


def carve_smoothed(
    found: ImageIndicators,
    edge_length: float,
    *,
    size: Sizes | None = None,
    keep_volumes: bool = True,
) -> Carved:
    """Mesh an image that is smoothed already, as `carve_image` does after that."""
    low, high = found.bounds()
    a = _cell(edge_length, high - low)
    middle, half = (low + high) / 2, _cells((high - low) / a, size) * a / 2
    chosen = None if size is None else _size(found, size, edge_length)
    octree = build_octree(np.stack([middle - half, middle + half]), edge_length, chosen)
    return carve(
        octree,
        found,
        edge_length,
        wanted=found.wanted if keep_volumes else None,
        volumes=found.volumes(),
        voxels=found.voxels,
        touching=found.touching,
    )


def _size(found: ImageIndicators, size: Sizes, edge_length: float) -> Size:
    parts = list(size) if isinstance(size, Sequence) else [size]
    return smallest(
        size_by_label(found, p, edge_length) if isinstance(p, Mapping) else p for p in parts
    )


def mesh_image(
    image: ArrayLike,
    affine: ArrayLike,
    edge_length: float,
    *,
    smoothing: float | None = None,
    size: Sizes | None = None,
    keep_volumes: bool = True,
) -> TetMesh:
    """Return only the mesh of `carve_image`."""
    return carve_image(
        image, affine, edge_length, smoothing=smoothing, size=size, keep_volumes=keep_volumes
    ).mesh


def carve_maps(
    maps: ArrayLike,
    labels: Sequence[int],
    affine: ArrayLike,
    edge_length: float,
    *,
    size: Sizes | None = None,
    keep_volumes: bool = True,
) -> Carved:
    """Mesh probability maps: interfaces are where the probabilities tie, between voxels too.

    Parameters
    ----------
    maps
        Probability of each label, shape (nx, ny, nz, n); what they leave of 1 is the outside,
        which begins where that is more than all of them together.
    labels
        Label of each map, > 0, shape (n,).
    affine, edge_length, size
        As in `carve_image`.
    keep_volumes
        Keep the volume that each label has where it is the most probable.

    Returns
    -------
    Carved
        In world coordinates (m).

    Raises
    ------
    InputError
        If the maps, the labels or the affine make no sense.
    """
    found = map_indicators(maps, labels, affine)
    return carve_smoothed(found, edge_length, size=size, keep_volumes=keep_volumes)


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
