"""Fields in Gmsh files as SimNIBS writes and reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.basis import FieldBasis
from rheobase.fields.results.quantities import Quantities, check_length, with_magnitudes
from rheobase.meshes.files.msh import Msh, read_msh, write_msh
from rheobase.meshes.head import Head

Floats = NDArray[np.float64]

#: Older names of SimNIBS for the lengths of E and J.
OLD_NAMES = {"normE": "magnE", "normJ": "magnJ", "norm E": "magnE", "norm J": "magnJ"}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MeshResults:
    """Results on a tetrahedral mesh, as a file holds them.

    Parameters
    ----------
    nodes
        Coordinates (m), shape (n_nodes, 3).
    tets
        Node indices, shape (n_tets, 4).
    tags
        Region of each tetrahedron, shape (n_tets,): SimNIBS's numbers, which are our labels.
    node_data, tet_data
        Fields by name, shape (n,) or (n, 3): "E" and "magnE" (V/m), "J" and "magnJ" (A/m²), "v"
        (V).
    """

    nodes: Floats
    tets: NDArray[np.int32]
    tags: NDArray[np.int32]
    node_data: dict[str, Floats]
    tet_data: dict[str, Floats]


def write_results_msh(
    path: Path | str,
    basis: FieldBasis,
    quantities: Quantities,
    head: Head,
    *,
    potential: Floats | None = None,
) -> None:
    """Write quantities as data of the tetrahedra, in binary Gmsh 2.2, whole or not at all.

    A tetrahedron gets the mean of its four corners, which is the linear field at its centroid; the
    length of a vector is that of the mean.

    Parameters
    ----------
    path
        The file.
    basis, quantities
        Values at the split nodes, shape (n_split,) or (n_split, 3), by name.
    head
        Names of the tissues; the labels are the tags.
    potential
        Electric potential (V), shape (n_nodes,), written as the nodes' "v".
    """
    check_length(basis, quantities)
    data = with_magnitudes({k: v[basis.split_of_tet].mean(axis=1) for k, v in quantities.items()})
    mesh = basis.mesh
    found = np.unique(mesh.labels).tolist()
    write_msh(
        path,
        Msh(
            nodes_mm=mesh.nodes * 1e3,
            triangles=np.empty((0, 3), np.int32),
            triangle_tags=np.empty(0, np.int32),
            tets=mesh.tets,
            tet_tags=mesh.labels,
            node_data={} if potential is None else {"v": potential},
            tet_data=data,
            names={(3, label): head.tissues[label].name for label in found},
        ),
    )


def read_simnibs_results(path: Path | str) -> MeshResults:
    """Read the fields that SimNIBS (or `write_results_msh`) left in a mesh file.

    Parameters
    ----------
    path
        The ``.msh``, of version 2.2 or 4.1. Triangles and what is given on them are left out; names
        of older releases ("normE") become those of today.

    Raises
    ------
    InputError
        If the file is no mesh of tetrahedra or holds no field.
    """
    mesh = read_msh(Path(path))
    if not len(mesh.tets):
        raise InputError(f"expected tetrahedra, found none: {path}")
    node, tet = (
        {OLD_NAMES.get(k, k): _flat(v) for k, v in data.items()}
        for data in (mesh.node_data, mesh.tet_data)
    )
    if not node and not tet:
        raise InputError(f"expected fields on nodes or tetrahedra, found a bare mesh: {path}")
    return MeshResults(
        nodes=mesh.nodes, tets=mesh.tets, tags=mesh.tet_tags, node_data=node, tet_data=tet
    )


def _flat(values: Floats) -> Floats:
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
