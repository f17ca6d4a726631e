"""Label images meshed by others: TetGen and CGAL, optional extras under licences of their own.

They are here to compare with. Both may fail where `rheobase.meshes.mesher` does not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.meshes.carving.image_indicators import check_image
from rheobase.meshes.mesh import TetMesh

#: Both work in millimetres: their tolerances, and CGAL's image file, are made for such numbers.
_MM = 1e3
#: A label whose volume is off by more than this part has leaked through its surface.
LEAK = 0.25


def mesh_image_with(
    backend: str, image: ArrayLike, affine: ArrayLike, edge_length: float
) -> TetMesh:
    """Mesh a label image with a back end that is not part of rheobase.

    Parameters
    ----------
    backend
        "tetgen": surface nets of the labels (Gibson 1998, doi:10.1007/BFb0056277; through VTK),
        relaxed by up to half a voxel, filled by constrained Delaunay refinement (Si 2015,
        doi:10.1145/2629697). AGPL-3. "cgal": Delaunay refinement of the labels themselves
        (Boissonnat & Oudot 2005, doi:10.1016/j.gmod.2005.01.004; through pygalmesh). GPL-3.
    image, affine, edge_length
        As in `rheobase.meshes.mesher.mesh_image`. TetGen's elements are no larger than voxels
        at interfaces, whatever ``edge_length`` says.

    Returns
    -------
    TetMesh

    Raises
    ------
    InputError
        If the back end is unknown or not installed, the image cannot be read, or the back end
        fails on it.
    """
    name = check_option("mesh back end", backend, _BACKENDS)
    module = _backend_module(name)
    checked, matrix = check_image(image, affine)
    voxels = checked.astype(np.int64)
    if not (np.isfinite(edge_length) and edge_length > 0):
        raise InputError(f"edge_length must be > 0 m, got {edge_length!r}")
    nodes, tets, labels = _BACKENDS[name](module, voxels, matrix, edge_length)
    if len(tets) == 0:
        raise InputError(f"{name} found nothing to mesh at edge_length {edge_length:g} m")
    turned = _volumes(nodes, tets) < 0
    tets = np.where(turned[:, None], tets[:, [0, 2, 1, 3]], tets)
    used, index = np.unique(tets, return_inverse=True)
    return TetMesh(nodes=nodes[used], tets=index.reshape(-1, 4).astype(np.int32), labels=labels)


_Mesh = tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32]]


def _backend_module(name: str) -> ModuleType:
    package = {"tetgen": "tetgen", "cgal": "pygalmesh"}[name]
    try:
        return import_module(package)
    except ImportError as error:
        raise InputError(
            f"the mesh back end {name!r} needs the package {package}: "
            f"pip install 'rheobase[{name}]'"
        ) from error


def _tetgen(
    tetgen: ModuleType, voxels: NDArray[np.int64], matrix: NDArray[np.float64], edge: float
) -> _Mesh:
    points, triangles = surface_net(voxels)
    build = tetgen.TetGen(points @ (_MM * matrix[:3, :3]).T, triangles)
    try:
        nodes, tets, region = build.tetrahedralize(
            regionattrib=True,  # numbers the parts that the surfaces enclose
            fixedvolume=True,
            maxvolume=(_MM * edge) ** 3 / (6 * np.sqrt(2)),  # a regular tetrahedron
            minratio=1.6,
            mindihedral=10.0,
        )[:3]
    except (RuntimeError, ValueError) as error:
        raise InputError(f"TetGen cannot mesh this image: {error}") from error
    nodes = nodes / _MM
    label = _vote(nodes, tets, region.ravel().astype(np.int64), voxels, matrix)
    _check_leaks(nodes, tets, label, voxels, matrix)
    inside = label != 0
    return nodes + matrix[:3, 3], tets[inside].astype(np.int32), label[inside].astype(np.int32)


def surface_net(voxels: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return the relaxed interfaces of a label image as one conforming triangulated surface.

    Parameters
    ----------
    voxels
        Labels, 0 outside, shape (nx, ny, nz).

    Returns
    -------
    points
        In voxel indices, shape (n, 3).
    triangles
        Point indices, shape (m, 3).
    """
    import pyvista as pv

    padded = np.pad(voxels, 1)  # VTK refuses images one voxel thick
    grid = pv.ImageData(dimensions=padded.shape)
    column = np.unique(padded, return_inverse=True)[1].reshape(padded.shape)
    grid.point_data["label"] = column.ravel(order="F").astype(np.int32)
    raw, relaxed = (
        grid.contour_labels(
            "all",
            scalars="label",
            output_mesh_type="triangles",
            smoothing=smoothing,
            smoothing_scale=0.5,
        )
        for smoothing in (False, True)
    )
    # VTK has one point for each sheet that passes through a corner: join them again
    half = np.rint(2 * np.asarray(raw.points)).astype(np.int64)
    _, which, count = np.unique(half, axis=0, return_inverse=True, return_counts=True)
    which = which.ravel()
    points = np.stack(
        [np.bincount(which, x, len(count)) / count for x in np.asarray(relaxed.points, float).T],
        axis=1,
    )
    triangles = which[relaxed.faces.reshape(-1, 4)[:, 1:]]
    p = points[triangles]
    flat = np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1) < 1e-12
    return points - 1.0, triangles[~flat].astype(np.int32)


def _vote(
    nodes: NDArray[np.float64],
    tets: NDArray[np.int32],
    region: NDArray[np.int64],
    voxels: NDArray[np.int64],
    matrix: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Return the label of each tetrahedron: the one that fills most of its region."""
    index = nodes[tets].mean(axis=1) @ np.linalg.inv(matrix[:3, :3]).T
    index = np.clip(np.rint(index).astype(np.int64), 0, np.array(voxels.shape) - 1)
    labels, column = np.unique(voxels[tuple(index.T)], return_inverse=True)
    size = (int(region.max()) + 1, len(labels))
    votes = np.bincount(
        region * len(labels) + column, np.abs(_volumes(nodes, tets)), size[0] * size[1]
    )
    winner: NDArray[np.int64] = labels[votes.reshape(size).argmax(axis=1)][region]
    return winner


def _volumes(nodes: NDArray[np.float64], tets: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the signed volume of each tetrahedron (m³)."""
    u, v, w = (nodes[tets[:, n]] - nodes[tets[:, 0]] for n in (1, 2, 3))
    volumes: NDArray[np.float64] = np.einsum("ij,ij->i", np.cross(u, v), w) / 6
    return volumes


def _check_leaks(
    nodes: NDArray[np.float64],
    tets: NDArray[np.int32],
    labels: NDArray[np.int64],
    voxels: NDArray[np.int64],
    matrix: NDArray[np.float64],
) -> None:
    """Refuse a mesh whose regions have run into one another."""
    volume = np.abs(_volumes(nodes, tets))
    for label in np.unique(voxels[voxels != 0]):
        wanted = np.count_nonzero(voxels == label) * abs(np.linalg.det(matrix[:3, :3]))
        found = volume[labels == label].sum()
        if not abs(found / wanted - 1) < LEAK:
            raise InputError(
                f"TetGen gave label {label} {found * 1e6:.3g} cm³, the image has "
                f"{wanted * 1e6:.3g} cm³: its surface leaks or has collapsed"
            )


def _cgal(
    pygalmesh: ModuleType, voxels: NDArray[np.int64], matrix: NDArray[np.float64], edge: float
) -> _Mesh:
    labels = np.unique(voxels[voxels != 0])
    if len(labels) > 65535:
        raise InputError(f"CGAL takes up to 65535 labels, got {len(labels)}")
    column = (np.searchsorted(labels, voxels) + 1) * (voxels != 0)
    padded = np.pad(column.astype(np.uint8 if len(labels) < 255 else np.uint16), 1)
    size = _MM * np.linalg.norm(matrix[:3, :3], axis=0)
    with _silence():  # CGAL reports every vertex, whatever it is told
        mesh = pygalmesh.generate_from_array(
            padded,
            tuple(size.tolist()),
            min_facet_angle=25.0,
            max_radius_surface_delaunay_ball=0.6 * _MM * edge,
            max_facet_distance=0.5 * float(size.min()),
            max_circumradius_edge_ratio=2.0,
            max_cell_circumradius=0.65 * _MM * edge,  # a regular tetrahedron's is 0.61 of its edge
            verbose=False,
        )
    place = [n for n, block in enumerate(mesh.cells) if block.type == "tetra"]
    tets = np.concatenate([mesh.cells[n].data for n in place]).astype(np.int32)
    region = np.concatenate([mesh.cell_data["medit:ref"][n] for n in place]).astype(np.int64)
    index = np.asarray(mesh.points, dtype=np.float64) / size - 1.0  # of voxels, padding off
    nodes = index @ matrix[:3, :3].T + matrix[:3, 3]
    return nodes, tets, labels[region - 1].astype(np.int32)


@contextmanager
def _silence() -> Iterator[None]:
    """Send what compiled code writes to the terminal nowhere."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(n) for n in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for n in (1, 2):
            os.dup2(nowhere, n)
        yield
    finally:
        for n, old in zip((1, 2), kept, strict=True):
            os.dup2(old, n)
            os.close(old)
        os.close(nowhere)


_BACKENDS: dict[
    str, Callable[[ModuleType, NDArray[np.int64], NDArray[np.float64], float], _Mesh]
] = {"tetgen": _tetgen, "cgal": _cgal}
