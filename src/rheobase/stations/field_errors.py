"""Estimated errors of fields, found once for each field and kept in the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._files import cache_dir, content_key, keep, package_key, whole_file

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
    size = np.abs(amplitudes)[:, None]
    path = _file(basis)
    try:
        found: Floats = np.load(path, allow_pickle=False)
    except (OSError, ValueError):  # not there, or damaged
        found = np.empty(0)
    if found.shape == (len(basis.names), len(basis.split_node)):
        return size * found
    from rheobase.fields.error import estimate_error

    unit = estimate_error(basis, np.eye(len(basis.names)))

    def save(path: Path) -> None:
        with whole_file(path) as part, part.open("wb") as file:
            np.save(file, unit)

    keep(path, save)
    return size * unit


def _file(basis: FieldBasis) -> Path:
    """Return where the cache has the errors of a basis: by its code, mesh and potentials."""
    mesh = basis.mesh
    arrays: list[Any] = [mesh.nodes, mesh.tets, mesh.labels, basis.potential, basis.correction]
    arrays += [basis.split_of_tet, basis.split_node, basis.split_label]
    parts = [np.ascontiguousarray(a).tobytes() for a in arrays if a is not None]
    key = content_key(package_key("rheobase.fields"), list(basis.anisotropic), *parts)
    return cache_dir() / "errors" / f"{key}.npy"
