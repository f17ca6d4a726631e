"""One table of statistics of a field: every tissue and every region of an atlas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import hypot, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.basis import FieldBasis
from rheobase.fields.focality import FRACTIONS, PERCENTILE
from rheobase.meshes.head import Head
from rheobase.meshes.regions.atlases import Atlas
from rheobase.meshes.regions.region import Region, tissue_region
from rheobase.meshes.regions.statistics import PERCENTILES, Row, region_table
from rheobase.meshes.spaces import is_mni

BRAIN = ("grey_matter", "white_matter")


def field_table(
    basis: FieldBasis,
    strength: NDArray[np.float64],
    head: Head,
    *,
    regions: Atlas | Iterable[Region] = (),
    percentiles: Sequence[float] = PERCENTILES,
    fractions: Sequence[float] = FRACTIONS,
    above: Sequence[float] = (),
    error: NDArray[np.float64] | None = None,
) -> list[Row]:
    """Return statistics of a quantity for every tissue and region, weighted by volume.

    Regions are taken within the brain (grey and white matter) where the head has one. Fractions are
    of the 99.9th percentile of the grey matter, or of the innermost tissue.

    Parameters
    ----------
    basis, strength
        The quantity at the split nodes (V/m, >= 0), shape (n_split,).
    head
        The head, whose mesh the basis has.
    regions
        An atlas, or regions.
    percentiles
        Percentages.
    fractions
        Of the reference: the volume at or above each, and which part of all of it in the brain.
    above
        Thresholds (V/m).
    error
        Estimated error of the quantity at the split nodes (`estimate_error`), shape (n_split,).

    Returns
    -------
    list of dict
        Keys: kind ("tissue" or "region"), region, volume_mm3, mean, sd, min, p50 …, max, peak_x_mm
        …, peak_mni_x_mm … (where the head has a transform), volume_mm3_above_0.2 …,
        volume_mm3_above_50pct …, share_above_50pct …; with an error also the root mean squares
        ``rms`` and ``error_rms`` (V/m) and ``relative_error``, the second over the first.

    Raises
    ------
    InputError
        If the quantity or its error has not one finite number for each split node, the basis is
        that of another head, or there is no field in the brain.
    """
    basis.check_head(head)
    strength = basis.quantity(strength)
    square = None if error is None else basis.quantity(error) ** 2
    labels = np.unique(head.mesh.labels).tolist()
    names = [head.tissues[label].name for label in labels]
    brain = [n for n in BRAIN if n in names] or names[:1]
    reference = basis.percentiles(strength, head.label_of(brain[0]), (PERCENTILE,))[0]
    if not reference > 0:
        raise InputError(f"expected a field above 0, it is 0 in {brain[0]}: head {head.name!r}")
    rows: list[Row] = []
    for kind, asked, within in (
        ("tissue", [tissue_region(n) for n in names], None),
        ("region", regions, tissue_region(*brain)),
    ):
        asked = asked if isinstance(asked, Atlas) else list(asked)
        options: dict[str, Any] = {
            "corners": basis.split_of_tet,
            "within": within,
            "levels": 0 if kind == "tissue" else 1,
        }
        limits = (*above, *(f * reference for f in fractions))
        found = region_table(
            asked, head, strength, percentiles=percentiles, above=limits, **options
        )
        if square is not None:
            wrong = region_table(asked, head, square, percentiles=(), **options)
            found = [_with_error(*pair) for pair in zip(found, wrong, strict=True)]
        rows += [{"kind": kind, **row} for row in found]
    rows = [_named(row, {f: f * reference for f in fractions}, above) for row in rows]
    for f in fractions:
        key = f"volume_mm3_above_{_percent(f)}"
        total = sum(float(r[key]) for r in rows if r["kind"] == "tissue" and r["region"] in brain)
        for row in rows:
            if key in row and total > 0 and (row["kind"] == "region" or row["region"] in brain):
                row[f"share_above_{_percent(f)}"] = float(row[key]) / total
    if head.mni is not None or is_mni(head.space):
        _add_mni(rows, head)
    return rows


def _percent(fraction: float) -> str:
    return f"{fraction * 100:g}pct"


def _with_error(row: Row, wrong: Row) -> Row:
    """Return a row with root mean squares of the quantity and of its error."""
    if "mean" not in row:
        return row
    rms = hypot(float(row["mean"]), float(row["sd"]))
    error = sqrt(float(wrong["mean"]))
    relative = error / rms if rms > 0 else float("nan")
    return row | {"rms": rms, "error_rms": error, "relative_error": relative}


def _named(row: Row, marks: dict[float, float], above: Sequence[float]) -> Row:
    """Return a row with the volumes above fractions of the reference named after these."""
    start = "volume_mm3_above_"
    if not any(key.startswith(start) for key in row):
        return row
    shares = {start + _percent(f): row[f"{start}{limit:g}"] for f, limit in marks.items()}
    asked = {f"{start}{value:g}" for value in above}
    kept = {k: v for k, v in row.items() if not k.startswith(start) or k in asked}
    return kept | shares


def _add_mni(rows: list[Row], head: Head) -> None:
    full = [row for row in rows if "peak_x_mm" in row]
    peaks = np.array([[float(row[f"peak_{c}_mm"]) for c in "xyz"] for row in full]).reshape(-1, 3)
    for row, peak in zip(full, head.to_mni(peaks * 1e-3) * 1e3, strict=True):
        row.update({f"peak_mni_{c}_mm": float(x) for c, x in zip("xyz", peak, strict=True)})
