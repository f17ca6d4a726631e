"""A head from a Gmsh mesh file, as SimNIBS writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.meshes.files.msh import Msh, read_msh
from rheobase.meshes.head import Head
from rheobase.meshes.heads.tagged import Electrodes, Tagged, head_of_tets
from rheobase.meshes.heads.tissue_labels import LabelOption
from rheobase.meshes.tissues import Tissue

#: Kinds of elements that fill space and are no tetrahedra of four nodes.
OTHER_VOLUMES = ("hexahedron", "prism", "pyramid", "tetrahedron")


def head_from_msh(
    path: Path | str,
    *,
    labels: LabelOption = None,
    tissues: Mapping[str, Tissue] | None = None,
    species: str = "human",
    name: str | None = None,
    fiducials_mm: Mapping[str, Sequence[float]] | None = None,
    electrodes: Electrodes = "keep",
) -> Head:
    """Build a head from a Gmsh mesh of version 2.2 or 4.1, binary or text, in millimetres.

    Parameters
    ----------
    path
        Mesh file; the first tag (4.1: physical group) of each tetrahedron is its label. Surfaces
        (SimNIBS's tags 1000 and more) and fields are not part of a head; `read_msh` gives them.
    labels
        Tissue name (or "outside") of each tag, as in `head_from_image`. If None, the names of the
        physical groups where they name tissues, else SimNIBS's numbers (1 white matter … 5 scalp,
        100 … 499 electrodes, 500 … 899 gel).
    tissues, species, name, fiducials_mm
        As in `head_from_image`.
    electrodes
        "keep" or "drop" the electrodes that a simulation left in the mesh. Their places are in
        the provenance.

    Returns
    -------
    Head
        In the space "scanner", without cortical sheet. Tetrahedra labelled "outside" are left out.

    Raises
    ------
    InputError
        If the file, a label or the size makes no sense, or tetrahedra have no volume.
    """
    path = Path(path)
    with stage(f"mesh {path.name}"):
        mesh = read_msh(path)
        return head_of_tets(
            tagged(path, mesh),
            labels=labels,
            tissues=tissues,
            species=species,
            name=name,
            fiducials_mm=fiducials_mm,
            electrodes=electrodes,
            made_by="rheobase.meshes.heads.from_msh",
            more=contents(mesh),
        )


def tagged(path: Path, mesh: Msh) -> Tagged:
    """Return the tetrahedra of a mesh file.

    Raises
    ------
    InputError
        If it has other elements that fill space.
    """
    other = {k: n for k, n in mesh.left_out.items() if k.endswith(OTHER_VOLUMES)}
    if other:
        listed = ", ".join(f"{n} x {k}" for k, n in other.items())
        raise InputError(
            f"expected tetrahedra of four nodes as the only volumes, got {listed}: {path}"
        )
    return Tagged(
        path=path,
        nodes=mesh.nodes,
        tets=mesh.tets,
        tags=mesh.tet_tags,
        names={tag: name for (dimension, tag), name in mesh.names.items() if dimension == 3},
        notes=["no cortical sheet: a mesh file has no image of the cortex"],
    )


def contents(mesh: Msh) -> dict[str, object]:
    """Return what else the file holds, for the provenance."""
    tags, counts = np.unique(mesh.triangle_tags, return_counts=True)
    fields = sorted({**mesh.node_data, **mesh.tet_data, **mesh.tet_corner_data})
    surfaces = {str(t): int(n) for t, n in zip(tags, counts, strict=True)}
    return {"surfaces (triangles)": surfaces, "fields": fields}
