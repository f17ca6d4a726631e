"""Fields written for other programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rheobase._files import whole_file
from rheobase.fields.basis import FieldBasis


def write_vtu(
    path: Path, basis: FieldBasis, quantities: Mapping[str, NDArray[np.float64]] | None = None
) -> None:
    """Write the mesh with its fields as VTU (ParaView, PyVista); coordinates in mm.

    The points of the file are the split nodes: a point for each node and tissue, so that a field
    may jump at an interface there too.

    Parameters
    ----------
    path
        The file.
    basis
        Mesh and fields; ``E <name>`` is the field of each unit source.
    quantities
        Further quantities on the split nodes, shape (n_split,) or (n_split, 3), by name.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    import pyvista as pv

    cells = np.column_stack([np.full(len(basis.split_of_tet), 4), basis.split_of_tet])
    grid = pv.UnstructuredGrid(
        cells.ravel(),
        np.full(len(cells), pv.CellType.TETRA, dtype=np.uint8),
        basis.split_position * 1e3,
    )
    grid.cell_data["tissue"] = basis.mesh.labels
    for name, E in zip(basis.names, basis.E, strict=True):
        grid.point_data[f"E {name} (V/m per {basis.unit})"] = E
    for name, value in (quantities or {}).items():
        grid.point_data[name] = value
    with whole_file(path) as part:
        grid.save(part, binary=True)
