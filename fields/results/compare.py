"""One result against another, tissue by tissue, on the same mesh or not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase.fields.basis import FieldBasis
from rheobase.fields.results.msh import MeshResults
from rheobase.meshes.head import Head
from rheobase.meshes.regions.statistics import Row

Floats = NDArray[np.float64]


def compare_fields(
    basis: FieldBasis,
    values: Floats,
    theirs: MeshResults,
    head: Head,
    *,
    name: str = "E",
) -> list[Row]:
    """Compare a quantity with that of another program.

    Ours is interpolated at the centroids of their tetrahedra (on the same mesh these are ours too),
    where the tissues agree, and weighted with their volumes.

    Parameters
    ----------
    basis, values
        Ours at the split nodes, shape (n_split,) or (n_split, 3), in the unit of theirs.
    theirs
        From `read_simnibs_results`.
    head
        The head of the basis.
    name
        Which field of their tetrahedra.

    Returns
    -------
    list of dict
        One row for each tissue and one for all: ``tissue``; ``compared``, the part of their volume
        where both have that tissue; ``RDM`` = |a/|a| - b/|b||, ``lnMAG`` = ln(|a|/|b|) and
        ``difference`` = |a - b|/|b| in the volume-weighted L2 norm, a ours and b theirs.

    Raises
    ------
    InputError
        If they have no such field, its shape is not that of ours, or the heads share no place.
    """
    check_option("field", name, theirs.tet_data, where="results to compare with")
    b = theirs.tet_data[name]
    if b.shape[1:] != values.shape[1:]:
        raise InputError(f"expected {name} with components as ours, got {b.shape[1:]}: compare")
    x = theirs.nodes[theirs.tets]
    volume = np.abs(np.linalg.det(x[:, 1:] - x[:, :1])) / 6.0
    tet, weight = basis.locator.locate(x.mean(axis=1))
    both = (tet >= 0) & (basis.mesh.labels[tet] == theirs.tags)
    both &= np.isfinite(b).reshape(len(b), -1).all(axis=1)
    if not both.any():
        raise InputError(
            f"expected results on the same head, no tissue lies where it does in ours: {head.name}"
        )
    a = np.einsum("na...,na->n...", values[basis.split_of_tet[tet[both]]], weight[both])
    a, b, w, tags = a.reshape(len(a), -1), b[both].reshape(len(a), -1), volume[both], theirs.tags
    rows = []
    for label in np.unique(tags[both]).tolist():
        mine = tags[both] == label
        part = float(w[mine].sum() / volume[tags == label].sum())
        rows.append(_row(head.tissues[label].name, part, a[mine], b[mine], w[mine]))
    return [*rows, _row("all", float(w.sum() / volume.sum()), a, b, w)]


def _row(tissue: str, part: float, a: Floats, b: Floats, w: Floats) -> Row:
    root = np.sqrt(w)[:, None]
    a, b = a * root, b * root
    size_a, size_b = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    row: Row = {"tissue": tissue, "compared": part}
    if size_a == 0.0 or size_b == 0.0:
        return row
    return row | {
        "RDM": float(np.linalg.norm(a / size_a - b / size_b)),
        "lnMAG": float(np.log(size_a / size_b)),
        "difference": float(np.linalg.norm(a - b)) / size_b,
    }
