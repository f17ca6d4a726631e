"""Estimate of the error of recovered fields, from the potentials alone.

Two things are wrong with a field recovered from V + W (`rheobase.fields.correction`): the potential
is not exact, and the polynomial is not the potential. With R the recovery, and R' the one of a
degree less on the same patches,

    eta² = |R W|² + |(R - R')(V + W)|²

takes for the first what the correction has moved the field by, and for the second what the last
degree has. Both are the errors of the field one order below, of one more correction and one less
degree: where the mesh resolves the field, eta is too large, and more so the finer the mesh. It
holds no calibrated constant. docs/field_quality.md has estimated over true error on spheres.

dA/dt of a coil is exact at the nodes, so the error of E is that of grad V. What the estimate cannot
see: the errors of the geometry, of the conductivities, of the coil or electrode, and the singular
field at the edges of electrodes, where W is left out.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._progress import track
from rheobase.fields.basis import FieldBasis, as_numbers
from rheobase.fields.recovery import SplitNodes, recovery
from rheobase.meshes.head import Head
from rheobase.meshes.regions.atlases import Atlas
from rheobase.meshes.regions.region import Region
from rheobase.meshes.regions.statistics import Row, region_table

_BLOCK = 100_000  # split nodes whose fits are held at a time


def estimate_error(basis: FieldBasis, amplitudes: ArrayLike) -> NDArray[np.float64]:
    """Estimate the error of E = sum_k a_k E_k at the split nodes.

    Parameters
    ----------
    basis
        Fields with their potentials and corrections.
    amplitudes
        One amplitude per source, in the unit of the basis, shape (k,), or m fields of the same
        sources, shape (m, k), whose patches are then fitted once.

    Returns
    -------
    ndarray, shape (n_split,) or (m, n_split)
        Estimated |error of E| (V/m).

    Raises
    ------
    InputError
        If the amplitudes do not fit, or the basis has no corrections.
    """
    if basis.correction is None:
        raise InputError(
            "expected a field basis with corrections, got one without: "
            f"sources {', '.join(basis.names)}"
        )
    given = as_numbers(amplitudes, "amplitudes")
    several = given.ndim == 2
    a = np.stack([basis.amplitude_vector(row) for row in (given if several else [given])])
    W = a @ basis.correction
    V = a @ basis.potential + W
    split = SplitNodes(of_tet=basis.split_of_tet, node=basis.split_node, label=basis.split_label)
    n = len(split.node)
    out = np.empty((len(a), n))
    starts = range(0, n, _BLOCK)
    for start in track(starts, "estimating the error", total=len(starts)):
        rows = np.arange(start, min(start + _BLOCK, n), dtype=np.int32)
        full = recovery(basis.mesh, split, anisotropic=basis.anisotropic, rows=rows)
        less = recovery(basis.mesh, split, anisotropic=basis.anisotropic, rows=rows, lower=True)
        moved = full.gradient(W)
        last = full.gradient(V) - less.gradient(V)
        out[:, rows] = np.sqrt((moved**2).sum(2) + (last**2).sum(2))
    return out if several else out[0]


def envelope_error(errors: ArrayLike) -> NDArray[np.float64]:
    """Return the error of a modulation, peak to peak, from those of the fields that interfere.

    The modulation of two fields along a direction is twice the smaller of their components, so it
    follows an error of either of them twice. Here they add as if independent,
    2 (sum_k eta_k²)^½: of two fields never too small where the eta_k are right.

    Parameters
    ----------
    errors
        Estimated |error| of each field at its amplitude (V/m), shape (k, n), from `estimate_error`
        with a diagonal matrix of amplitudes.

    Returns
    -------
    ndarray, shape (n,)
        V/m.
    """
    error: NDArray[np.float64] = 2.0 * np.linalg.norm(np.asarray(errors, dtype=np.float64), axis=0)
    return error


def error_table(
    basis: FieldBasis,
    amplitudes: ArrayLike,
    *,
    head: Head | None = None,
    regions: Atlas | Iterable[Region] | None = None,
    within: Region | None = None,
) -> list[Row]:
    """Return root mean squares of the field and of its estimated error, by tissue or region.

    Parameters
    ----------
    basis
        Fields with their potentials and corrections.
    amplitudes
        One amplitude per source, in the unit of the basis, shape (k,).
    head
        The head of the basis: needed for regions, and for the names of its tissues.
    regions
        Regions or an atlas; one row for each tissue if None.
    within
        Only what lies in this region too.

    Returns
    -------
    list of dict
        Keys: region, volume_mm3, E_rms, error_rms (V/m) and relative (their ratio: the estimated
        relative L2 error). Of a region that holds nothing only the first two.

    Raises
    ------
    InputError
        As `estimate_error` does, if there are regions and no head, or the head has another mesh.
    """
    if regions is not None and head is None:
        raise InputError("expected the head of the basis to look for regions in, got none")
    if head is not None:
        basis.check_head(head)
    squares = basis.magnitude(amplitudes) ** 2, estimate_error(basis, amplitudes) ** 2
    if regions is None or head is None:
        return [
            _tissue_row(basis, squares, int(label), head) for label in np.unique(basis.split_label)
        ]
    regions = regions if isinstance(regions, Atlas) else list(regions)
    tables = (
        region_table(regions, head, square, corners=basis.split_of_tet, within=within)
        for square in squares
    )
    return [_row(field, wrong) for field, wrong in zip(*tables, strict=True)]


def _tissue_row(
    basis: FieldBasis,
    squares: tuple[NDArray[np.float64], NDArray[np.float64]],
    label: int,
    head: Head | None,
) -> Row:
    inside = basis.split_label == label
    volume = basis.split_volume[inside]
    name = head.tissues[label].name if head is not None else f"label {label}"
    shared: Row = {"region": name, "volume_mm3": float(volume.sum()) * 1e9}
    field, wrong = (
        shared | {"mean": float(volume @ square[inside] / volume.sum())} for square in squares
    )
    return _row(field, wrong)


def _row(field: Row, wrong: Row) -> Row:
    """Return a row of roots from two rows of mean squares."""
    row: Row = {key: field[key] for key in ("region", "volume_mm3")}
    if "mean" in field:
        E, error = float(np.sqrt(float(field["mean"]))), float(np.sqrt(float(wrong["mean"])))
        row |= {"E_rms": E, "error_rms": error, "relative": error / E if E > 0 else float("nan")}
    return row
