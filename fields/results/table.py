"""One table of statistics of a field: every tissue and every region of an atlas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

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

    Returns
    -------
    list of dict
        Keys: kind ("tissue" or "region"), region, volume_mm3, mean, sd, min, p50 …, max, peak_x_mm
        …, peak_mni_x_mm … (where the head has a transform), volume_mm3_above_0.2 …,
        volume_mm3_above_50pct …, share_above_50pct …
    """
    labels = np.unique(head.mesh.labels).tolist()
    names = [head.tissues[label].name for label in labels]
    brain = [n for n in BRAIN if n in names] or names[:1]
    reference = basis.percentiles(strength, head.label_of(brain[0]), (PERCENTILE,))[0]
    rows: list[Row] = []
    for kind, asked, within in (
        ("tissue", [tissue_region(n) for n in names], None),
        ("region", regions, tissue_region(*brain)),
    ):
        found = region_table(
            asked,
            head,
            strength,
            corners=basis.split_of_tet,
            within=within,
            levels=0 if kind == "tissue" else 1,
            percentiles=percentiles,
            above=(*above, *(f * reference for f in fractions)),
        )
        rows += [{"kind": kind, **row} for row in found]
    rows = [_named(row, {f"{f * reference:g}": f for f in fractions}) for row in rows]
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


def _named(row: Row, marks: dict[str, float]) -> Row:
    """Return a row with the volumes above fractions of the reference named after these."""
    start = "volume_mm3_above_"
    names = {start + value: start + _percent(f) for value, f in marks.items()}
    return {names.get(key, key): value for key, value in row.items()}


def _add_mni(rows: list[Row], head: Head) -> None:
    full = [row for row in rows if "peak_x_mm" in row]
    peaks = np.array([[float(row[f"peak_{c}_mm"]) for c in "xyz"] for row in full]).reshape(-1, 3)
    for row, peak in zip(full, head.to_mni(peaks * 1e-3) * 1e3, strict=True):
        row.update({f"peak_mni_{c}_mm": float(x) for c, x in zip("xyz", peak, strict=True)})
