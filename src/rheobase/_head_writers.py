"""Heads written to files, by the ending of the name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rheobase._errors import InputError

if TYPE_CHECKING:
    from rheobase.meshes.head import Head


def head_writer(path: Path) -> Callable[[Path, Head], None]:
    """Return what writes a head to a file of this name, before anything is built."""
    writers: dict[str, Callable[[Path, Head], None]] = {
        ".h5": _write_h5,
        ".msh": _write_msh,
        ".vtu": _write_vtu,
    }
    if path.suffix not in writers:
        raise InputError(f"expected --out ending in {', '.join(writers)}, got {path}")
    return writers[path.suffix]


def _write_h5(path: Path, head: Head) -> None:
    from rheobase.meshes.store import save_head

    save_head(path, head)


def _write_msh(path: Path, head: Head) -> None:
    import numpy as np

    from rheobase.meshes.files.msh import Msh, write_msh

    mesh = head.mesh
    labels = np.unique(mesh.labels).tolist()
    surfaces = [mesh.boundary(label) for label in labels]
    write_msh(
        path,
        Msh(
            nodes_mm=mesh.nodes * 1e3,
            triangles=np.concatenate(surfaces),
            # SimNIBS tags the surface of tissue n with 1000 + n
            triangle_tags=np.concatenate(
                [np.full(len(s), 1000 + k, np.int32) for k, s in zip(labels, surfaces, strict=True)]
            ),
            tets=mesh.tets,
            tet_tags=mesh.labels,
            names={(3, k): head.tissues[k].name for k in labels},
        ),
    )


def _write_vtu(path: Path, head: Head) -> None:
    import numpy as np
    import pyvista as pv

    from rheobase._files import room_for, whole_file
    from rheobase.meshes.files.foreign import LENGTH_UNIT

    mesh = head.mesh
    grid = pv.UnstructuredGrid({pv.CellType.TETRA: mesh.tets.astype(np.int64)}, mesh.nodes)
    grid.cell_data["label"] = mesh.labels
    grid.cell_data["conductivity (S/m)"] = head.sigma()
    grid.field_data[LENGTH_UNIT] = ["m"]
    with whole_file(path) as part:
        room_for(part, mesh.nodes.nbytes + 2 * mesh.tets.nbytes + 12 * len(mesh.tets))
        grid.save(part)
