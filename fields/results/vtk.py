"""Fields for ParaView and other VTK readers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._files import room_for, whole_file
from rheobase.fields.basis import FieldBasis
from rheobase.meshes.files.foreign import LENGTH_UNIT

LEVEL = 1  # of zlib, of 9: twice as fast as VTK's 5, and 4 % larger


def to_grid(basis: FieldBasis, quantities: Mapping[str, NDArray[np.float64]] | None = None) -> Any:
    """Return a field as a PyVista grid of the split nodes, in metres.

    The tetrahedra of different tissues share no points, so the field may jump between them.

    Parameters
    ----------
    basis
        The field basis.
    quantities
        What the grid holds, by name: values at the split nodes, shape (n_split,) or (n_split, 3).
        The unit field of each source if None. VTKHDF replaces a slash or a dot in a name.

    Returns
    -------
    pyvista.UnstructuredGrid

    Raises
    ------
    ValueError
        If a quantity has another length.
    """
    import pyvista as pv

    if quantities is None:
        per = basis.unit.replace("/", "_per_")
        quantities = {
            f"E {name} V_per_m_per_{per}": E for name, E in zip(basis.names, basis.E, strict=True)
        }
    n = len(basis.split_of_tet)
    cells = np.concatenate([np.full((n, 1), 4, np.int64), basis.split_of_tet], axis=1)
    grid = pv.UnstructuredGrid(
        cells.ravel(), np.full(n, pv.CellType.TETRA, np.uint8), basis.split_position
    )
    grid.cell_data["label"] = basis.mesh.labels
    grid.field_data[LENGTH_UNIT] = ["m"]
    for name, values in quantities.items():
        if len(values) != len(basis.split_node):
            raise ValueError(f"{name} must have {len(basis.split_node)} values, got {len(values)}")
        grid.point_data[name] = values.astype(np.float32)
    return grid


def write_vtu(
    path: Path, basis: FieldBasis, quantities: Mapping[str, NDArray[np.float64]] | None = None
) -> None:
    """Write a field to a VTK file (.vtu, or .vtkhdf); it appears only when complete.

    Parameters
    ----------
    path
        The file.
    basis, quantities
        As in `to_grid`.

    Raises
    ------
    InputError
        If the ending is another one or the file cannot be written.
    """
    from pyvista.core.utilities.writer import XMLUnstructuredGridWriter

    if path.suffix not in {".vtu", ".vtkhdf"}:
        raise InputError(f"expected a file ending in .vtu or .vtkhdf, got {path}")
    grid = to_grid(basis, quantities)
    with whole_file(path) as part:
        room_for(part, int(1.5 * grid.actual_memory_size * 1024))
        if path.suffix == ".vtkhdf":
            grid.save(part)
            return
        writer = XMLUnstructuredGridWriter(part, grid)
        writer.writer.SetCompressionLevel(LEVEL)
        writer.write()
