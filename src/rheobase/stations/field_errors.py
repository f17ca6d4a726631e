"""Estimated errors of fields, found once for each field and kept in the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._kept import kept, kept_path, load_arrays, save_arrays

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.fields.basis import FieldBasis

Floats = NDArray[np.float64]


def source_errors(basis: FieldBasis, amplitudes: Floats) -> Floats:
    """Return the estimated |error| of the field of every source at its amplitude.

    The estimate (`rheobase.fields.error.estimate_error`) is proportional to the amplitude, and
    takes longer than everything else that a study does with a field from the cache.

    Parameters
    ----------
    basis
        The fields, with corrections.
    amplitudes
        In the unit of the basis, shape (k,).

    Returns
    -------
    ndarray, shape (k, n_split)
        V/m.
    """
    from rheobase.fields.error import estimate_error

    unit: Floats = kept(
        _file(basis),
        lambda: estimate_error(basis, np.eye(len(basis.names))),
        load=lambda path: load_arrays(path)["error"],
        save=lambda path, error: save_arrays(path, {"error": error}),
    )
    return np.abs(amplitudes)[:, None] * unit


def _file(basis: FieldBasis) -> Path:
    """Return where the cache has the errors of a basis: by its code, mesh and potentials."""
    mesh = basis.mesh
    arrays: list[Any] = [mesh.nodes, mesh.tets, mesh.labels, basis.potential, basis.correction]
    arrays += [basis.split_of_tet, basis.split_node, basis.split_label]
    parts = [a for a in arrays if a is not None]
    code = ("rheobase.fields", "rheobase.meshes")
    return kept_path("errors", "of", list(basis.anisotropic), *parts, code=code)
