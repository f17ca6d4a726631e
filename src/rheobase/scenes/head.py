"""Layers of a head: its tissues to peel, the cortex, its voxels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._kept import kept, kept_path, load_arrays, save_arrays
from rheobase.meshes.spaces import Affine, Transform, Warp, is_mni
from rheobase.scenes.scene import Category, Layer, Quantity

if TYPE_CHECKING:
    from rheobase.meshes.head import Head
    from rheobase.meshes.mesh import TetMesh

Floats = NDArray[np.float64]

#: Colour of each tissue; others take one of `SPARE` by their label.
COLOURS = {
    "white_matter": "#f2eee4",
    "grey_matter": "#9a9aa2",
    "csf": "#6db6dd",
    "skull": "#ead9a0",
    "scalp": "#e3ab8d",
    "eye": "#7d6bb0",
    "compact_bone": "#ead9a0",
    "spongy_bone": "#cda760",
    "blood": "#b8322f",
    "muscle": "#b5675c",
    "cartilage": "#b9d8c2",
    "fat": "#f6ecb5",
    "dura": "#5f8f7d",
    "skin": "#d9926f",
    "electrode_rubber": "#303030",
    "saline_gel": "#3fa55a",
}
SPARE = ("#cc79a7", "#009e73", "#d55e00", "#0072b2", "#e69f00", "#56b4e9")

#: Shells that are peeled, the innermost first, and the tissues that end with each.
SHELLS: Mapping[str, tuple[str, ...]] = {
    "white matter": ("white_matter",),
    "grey matter": ("grey_matter",),
    "csf": ("csf", "blood"),
    "dura": ("dura",),
    "skull": ("skull", "compact_bone", "spongy_bone"),
    "scalp": ("scalp", "skin", "fat", "muscle", "cartilage", "eye"),
}
MOST_TRIANGLES = 80_000  # of a shell before it is thinned
FAINT_SCALP = 0.18
LATTICE = 8e-3  # m between the points at which a map to MNI is kept


def colour_of(head: Head, label: int) -> str:
    """Return the colour of a label of a head."""
    return COLOURS.get(head.tissues[label].name, SPARE[label % len(SPARE)])


def tissue_categories(head: Head) -> dict[int, Category]:
    """Return name and colour of each label of a head, 0 being outside."""
    inside = {
        int(k): Category(name=t.name.replace("_", " "), colour=colour_of(head, k))
        for k, t in head.tissues.items()
    }
    return {0: Category(name="outside", colour="#ffffff"), **inside}


def tissue_layers(
    head: Head, *, most: int = MOST_TRIANGLES, shown: Mapping[str, float] | None = None
) -> list[Layer]:
    """Return the outer surface of each shell of a head, the innermost first, to be peeled.

    A shell is a tissue with all that lies within it: the skull's is one closed surface around bone,
    CSF and brain. Tissues that are no part of the order have a surface of their own.

    Parameters
    ----------
    head
        The head.
    most
        Triangles of a shell above which it is thinned (quadric decimation).
    shown
        Opacity of the shells that are visible at first, by name; a faint scalp if None.
    """
    visible = {"scalp": FAINT_SCALP} if shown is None else shown
    shells = _shells(head)
    surfaces = _surfaces(head, [inside for _, _, inside in shells], most)
    return [
        Layer(
            name=name,
            kind="surface",
            group="head",
            points=points,
            cells=cells,
            colour=colour_of(head, label),
            opacity=visible.get(name, 1.0),
            visible=name in visible,
        )
        for (name, label, _), (points, cells) in zip(shells, surfaces, strict=True)
    ]


def _shells(head: Head) -> list[tuple[str, int, list[int]]]:
    """Return name, the label that colours it, and all labels within, of each shell."""
    found, count = np.unique(head.mesh.labels, return_counts=True)
    size = dict(zip(found.tolist(), count.tolist(), strict=True))
    by_name = {t.name: k for k, t in head.tissues.items() if k in size}
    shells, inner = [], set[int]()
    for name, tissues in SHELLS.items():
        own = {by_name.pop(t) for t in tissues if t in by_name}
        inner |= own
        if own:
            shells.append((name, max(own, key=lambda k: size[k]), sorted(inner)))
    rest = [(tissue.replace("_", " "), k, [k]) for tissue, k in by_name.items()]
    return shells + rest


def _surfaces(
    head: Head, within: Sequence[Sequence[int]], most: int
) -> list[tuple[NDArray[np.float32], NDArray[np.int32]]]:
    """Return the thinned surface around each union of labels, from the cache if it is there."""
    mesh = head.mesh

    def make() -> dict[str, NDArray[Any]]:
        triangles, pairs = boundaries(mesh)
        found: dict[str, NDArray[Any]] = {}
        for k, labels in enumerate(within):
            points, cells = compact(mesh.nodes, _around(triangles, pairs, set(labels)))
            points, found[f"cells_{k}"] = thinned(points, cells, most)
            found[f"points_{k}"] = points.astype(np.float32)
        return found

    parts = [mesh.nodes, mesh.tets, mesh.labels, [list(w) for w in within], most, version("vtk")]
    path = kept_path("shells", head.name, *parts, code=("rheobase.meshes", "rheobase.scenes.head"))
    kept_arrays = kept(path, make, load=load_arrays, save=save_arrays)
    return [(kept_arrays[f"points_{k}"], kept_arrays[f"cells_{k}"]) for k in range(len(within))]


def boundaries(mesh: TetMesh) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return all faces between two labels, and between a label and nothing (0).

    Returns
    -------
    triangles : ndarray, shape (n, 3)
        Outward from the first label of the pair.
    pairs : ndarray, shape (n, 2)
    """
    from rheobase.meshes._faces_numba import interfaces

    low = np.full(len(mesh.nodes), np.iinfo(np.int32).max, np.int32)
    high = np.full(len(mesh.nodes), np.iinfo(np.int32).min, np.int32)
    label = np.repeat(mesh.labels, 4)
    np.minimum.at(low, mesh.tets.ravel(), label)
    np.maximum.at(high, mesh.tets.ravel(), label)
    between, pairs = interfaces(mesh.tets, mesh.labels, len(mesh.nodes), low < high)
    outer, tet = mesh.outer_faces()
    ends = np.stack([mesh.labels[tet], np.zeros(len(tet), np.int32)], axis=1)
    return np.concatenate([between, outer]), np.concatenate([pairs, ends])


def _around(
    triangles: NDArray[np.int32], pairs: NDArray[np.int32], labels: set[int]
) -> NDArray[np.int32]:
    """Return the triangles around the union of labels, outward."""
    first, second = (np.isin(pairs[:, k], list(labels)) for k in (0, 1))
    outward, inward = triangles[first & ~second], triangles[second & ~first]
    return np.concatenate([outward, inward[:, ::-1]])


def compact(
    nodes: NDArray[Any], cells: NDArray[np.integer[Any]]
) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Return the points that cells use, and the cells over them."""
    used, inverse = np.unique(cells, return_inverse=True)
    return nodes[used], inverse.reshape(cells.shape).astype(np.int32)


def thinned(
    points: NDArray[Any], triangles: NDArray[np.int32], most: int
) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Return a surface of at most about ``most`` triangles (quadric decimation)."""
    if len(triangles) <= most:
        return points, triangles
    import pyvista as pv

    surface = pv.PolyData.from_regular_faces(np.asarray(points, np.float64) * 1e3, triangles)
    fewer = surface.decimate(1.0 - most / len(triangles))
    return np.asarray(fewer.points) * 1e-3, np.asarray(fewer.regular_faces, dtype=np.int32)


def clustered(
    points: NDArray[Any], triangles: NDArray[np.integer[Any]], most: int
) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Return a surface of about ``most`` triangles: points in a cell of a lattice become one.

    Faster and rougher than `thinned` (Rossignac & Borrel 1993, doi:10.1007/978-3-642-78114-8_29).
    """
    if len(triangles) <= most:
        return points, triangles.astype(np.int32)
    a, b, c = (np.asarray(points, np.float64)[triangles[:, k]] for k in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    edge = np.sqrt(2.0 * area / most)
    key = np.floor(points / edge).astype(np.int64)
    key -= key.min(axis=0)
    size = key.max(axis=0) + 1
    flat = (key[:, 0] * size[1] + key[:, 1]) * size[2] + key[:, 2]
    _, group, count = np.unique(flat, return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(group, points[:, k]) / count for k in range(3)], axis=1)
    cells = group[triangles]
    first, second, third = cells.T
    cells = cells[(first != second) & (second != third) & (third != first)]
    _, kept = np.unique(np.sort(cells, axis=1), axis=0, return_index=True)
    return compact(means.astype(np.float32), cells[np.sort(kept)])


def cortex_layer(
    head: Head,
    quantities: Mapping[str, Quantity],
    *,
    shown: str | None = None,
    name: str = "cortex",
) -> Layer:
    """Return the pial surface with quantities of the cortical columns.

    Parameters
    ----------
    head
        The head.
    quantities
        Values of each column, shape (n_columns,), by name; the first is shown if none is said to
        be.

    Raises
    ------
    InputError
        If the head has no cortical sheet, or another number of columns.
    """
    if head.cortex is None:
        raise InputError(f"expected a head with a cortical sheet, {head.name!r} has none")
    return Layer(
        name=name,
        kind="surface",
        group="field",
        points=head.cortex.points(0.0).astype(np.float32),
        cells=head.cortex.triangles,
        quantities=quantities,
        shown=next(iter(quantities), None) if shown is None else shown,
        colour=COLOURS["grey_matter"],
    )


def scalp_layer(head: Head, *, opacity: float = FAINT_SCALP) -> Layer:
    """Return the outer surface of a head, for a picture that needs no other tissue."""
    points, cells = compact(head.mesh.nodes, head.mesh.boundary())
    return Layer(
        name="scalp",
        kind="surface",
        group="head",
        points=points.astype(np.float32),
        cells=cells,
        colour="#d8b8a0",
        opacity=opacity,
    )


def mni_map(head: Head) -> Affine | Warp | None:
    """Return the map from a head to MNI space, small enough for a file; None where unknown."""
    if head.mni is None:
        return Affine(matrix=np.eye(4)) if is_mni(head.space) else None
    forward: Transform = head.mni.forward()
    if isinstance(forward, Affine):
        return forward
    low, high = head.mesh.nodes.min(axis=0) - LATTICE, head.mesh.nodes.max(axis=0) + LATTICE
    axes = [np.arange(a, b + LATTICE, LATTICE) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    affine = np.diag([LATTICE, LATTICE, LATTICE, 1.0])
    affine[:3, 3] = low
    images = forward(points.reshape(-1, 3)).reshape(points.shape)
    if not np.isfinite(images).any():
        return None
    return Warp(coordinates=images.astype(np.float32), affine=affine)


def frame_of(
    head: Head,
    *,
    view: ArrayLike | None = None,
    point: ArrayLike | None = None,
    focus: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what a `Scene` of a head has beside title and layers."""
    frame: dict[str, Any] = {"space": head.space, "to_mni": mni_map(head), "focus": focus}
    if view is not None:
        frame["view"] = tuple(np.asarray(view, dtype=np.float64).tolist())
    if point is not None:
        frame["point"] = tuple(np.asarray(point, dtype=np.float64).tolist())
    return frame
