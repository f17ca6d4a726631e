"""Fields for ParaView and other VTK readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError
from rheobase._files import whole_file
from rheobase.fields.basis import FieldBasis


def to_grid(basis: FieldBasis, amplitudes: ArrayLike | None = None) -> Any:
    """Return the field as a PyVista grid of the split nodes, in metres.

    The tetrahedra of different tissues share no points, so the field may jump between them.

    Parameters
    ----------
    basis
        The field basis.
    amplitudes
        Amplitude of each source; if given, the grid holds their sum (``E_V_per_m``,
        ``magnE_V_per_m``), else each unit field by name.

    Returns
    -------
    pyvista.UnstructuredGrid
    """
    import pyvista as pv

    n = len(basis.split_of_tet)
    cells = np.concatenate([np.full((n, 1), 4, np.int64), basis.split_of_tet], axis=1)
    grid = pv.UnstructuredGrid(
        cells.ravel(), np.full(n, pv.CellType.TETRA, np.uint8), basis.split_position
    )
    grid.cell_data["label"] = basis.mesh.labels
    if amplitudes is None:
        for name, E in zip(basis.names, basis.E, strict=True):
            grid.point_data[f"E {name} (V/m per {basis.unit})"] = E.astype(np.float32)
    else:
        E = basis.combine(amplitudes)
        grid.point_data["E_V_per_m"] = E.astype(np.float32)
        grid.point_data["magnE_V_per_m"] = np.linalg.norm(E, axis=1).astype(np.float32)
    return grid


def write_vtu(path: Path, basis: FieldBasis, amplitudes: ArrayLike | None = None) -> None:
    """Write the field to a VTK file (.vtu, or .vtkhdf); it appears only when complete.

    Parameters
    ----------
    path
        The file.
    basis, amplitudes
        As in `to_grid`.

    Raises
    ------
    InputError
        If the ending is another one or the file cannot be written.
    """
    if path.suffix not in {".vtu", ".vtkhdf"}:
        raise InputError(f"expected a file ending in .vtu or .vtkhdf, got {path}")
    grid = to_grid(basis, amplitudes)
    with whole_file(path) as part:
        grid.save(part)
