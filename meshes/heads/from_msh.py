"""A head from a SimNIBS mesh file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np

from rheobase._errors import InputError, check_option
from rheobase._files import content_key
from rheobase.meshes.head import Head, Species
from rheobase.meshes.heads.from_image import (
    LARGEST_HEAD,
    OUTSIDE,
    SMALLEST_HEAD,
    named_tissues,
    relabelled,
)
from rheobase.meshes.heads.mni152 import on_surface
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.msh import read_msh
from rheobase.meshes.positions import ten_ten


def head_from_msh(
    path: Path | str,
    *,
    labels: Mapping[int, str] | Path | str | None = None,
    species: str = "human",
    name: str | None = None,
    fiducials_mm: Mapping[str, tuple[float, float, float]] | None = None,
) -> Head:
    """Build a head from a binary Gmsh mesh of version 2.2 (SimNIBS), in millimetres.

    Parameters
    ----------
    path
        Mesh file; the first tag of each tetrahedron is its label, triangles are not used.
    labels, species, name, fiducials_mm
        As in `head_from_image`. Tetrahedra labelled "outside" are left out.

    Returns
    -------
    Head
        In the space "scanner", without cortical sheet.

    Raises
    ------
    InputError
        If the file, a label or the size makes no sense, or tetrahedra have no volume.
    """
    path = Path(path)
    check_option("species", species, ("human", "macaque", "rat", "mouse"))
    table = named_tissues(labels, f"labels of {path}")
    raw = read_msh(path)
    if not len(raw.tets):
        raise InputError(f"expected tetrahedra, got none: {path}")
    new = relabelled(raw.tet_tags, table, "tetrahedra", str(path))
    tets, label = raw.tets[new > 0], new[new > 0].astype(np.int32)
    if not len(tets):
        raise InputError(f"expected labelled tissue, all tetrahedra are outside: {path}")
    used, number = np.unique(tets, return_inverse=True)
    nodes, tets = raw.nodes[used], number.reshape(-1, 4).astype(np.int32)
    extent = np.ptp(nodes, axis=0)
    if not (extent.max() <= LARGEST_HEAD and extent.min() >= SMALLEST_HEAD):
        raise InputError(
            f"expected a head between {SMALLEST_HEAD * 1e3:g} and {LARGEST_HEAD * 1e3:g} mm wide, "
            f"got {(extent * 1e3).round(3).tolist()} mm: {path} (its coordinates count as mm)"
        )
    a, b, c, d = (nodes[tets[:, k]] for k in range(4))
    volume = np.einsum("ij,ij->i", np.cross(b - a, c - a), d - a)
    if (volume == 0).any():
        flat = np.count_nonzero(volume == 0)
        raise InputError(f"expected tetrahedra with a volume, {flat} have none: {path}")
    tets[volume < 0] = tets[volume < 0][:, [0, 2, 1, 3]]
    mesh = TetMesh(nodes=nodes, tets=tets, labels=label)
    marks = {k: np.asarray(v, float) * 1e-3 for k, v in (fiducials_mm or {}).items()}
    by_label = {t.label: t for t in table.values() if t is not None}
    return Head(
        name=name or path.stem,
        species=cast(Species, species),
        space="scanner",
        mesh=mesh,
        tissues={int(k): by_label[int(k)] for k in np.unique(label)},
        fiducials=marks,
        positions=(on_surface(mesh, ten_ten(mesh.nodes, mesh.boundary(), marks)) if marks else {}),
        provenance={
            "made by": "rheobase.meshes.heads.from_msh",
            "inputs": {path.name: content_key(path)},
            "labels": {str(k): t.name if t else OUTSIDE for k, t in table.items()},
            "notes": ["no cortical sheet: a mesh file has no image of the cortex"],
        },
    )
