"""Statistics of a quantity over regions, weighted by volume or by area.

Percentiles: the values are sorted, each stands at the middle of its own weight on the axis of
cumulated weight (0 to 1), and between two of them the percentile is linear; before the first and
after the last middle it is the extreme value. With equal weights that is Hazen's definition (type 5
of Hyndman & Fan 1996, Am. Stat. 50:361).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._files import whole_file
from rheobase._progress import stage
from rheobase.meshes.head import Head
from rheobase.meshes.regions.atlases import Atlas
from rheobase.meshes.regions.region import Region

Floats = NDArray[np.float64]
Row = dict[str, str | int | float]

PERCENTILES = (50.0, 95.0, 99.0, 99.9)


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """Weighted statistics of a quantity, in its own unit.

    Parameters
    ----------
    count
        Values with a weight > 0.
    size
        Sum of the weights: the volume (m³) or the area (m²).
    mean, sd
        Weighted mean and standard deviation (of the distribution, not of the mean).
    minimum, maximum
        Extremes.
    percentiles
        Percentage and value.
    peak
        Where the maximum is (m), shape (3,).
    above
        Threshold and the volume or area with values above it.
    """

    count: int
    size: float
    mean: float
    sd: float
    minimum: float
    maximum: float
    percentiles: dict[float, float]
    peak: tuple[float, float, float]
    above: dict[float, float]


def weighted_percentiles(values: ArrayLike, weights: ArrayLike, q: ArrayLike) -> Floats:
    """Return weighted percentiles as the head of this module defines them.

    Parameters
    ----------
    values, weights
        Shape (n > 0,); values of no weight do not count.
    q
        Percentages from 0 to 100.

    Examples
    --------
    >>> weighted_percentiles([1.0, 2.0, 4.0], [1.0, 1.0, 2.0], [12.5, 25.0, 75.0]).tolist()
    [1.0, 1.5, 4.0]
    """
    v, w = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    v, w = v[w > 0], w[w > 0]
    order = np.argsort(v, kind="stable")
    w = w[order]
    middle = (np.cumsum(w) - 0.5 * w) / w.sum()
    return np.interp(np.asarray(q, dtype=np.float64) / 100.0, middle, v[order])


def summarise(
    values: ArrayLike,
    weights: ArrayLike,
    positions: ArrayLike,
    *,
    percentiles: Sequence[float] = PERCENTILES,
    above: Sequence[float] = (),
) -> Summary:
    """Return the weighted statistics of ``values``.

    Parameters
    ----------
    values, weights
        Shape (n,); weights are volumes (m³) or areas (m²).
    positions
        Where the values are (m), shape (n, 3).
    percentiles
        Percentages.
    above
        Thresholds, in the unit of the values.

    Raises
    ------
    InputError
        If shapes differ, nothing has a weight, or a value that counts is not finite.
    """
    v, w = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    x = np.asarray(positions, dtype=np.float64)
    if v.ndim != 1 or w.shape != v.shape or x.shape != (len(v), 3):
        raise InputError(
            "expected one weight and one position for each value, got "
            f"{v.shape}, {w.shape} and {x.shape}: statistics"
        )
    if not (w >= 0).all():
        raise InputError("expected weights >= 0: statistics")
    counts = w > 0
    if not counts.any():
        raise InputError("expected a region that holds something, got an empty one: statistics")
    v, w, x = v[counts], w[counts], x[counts]
    if not np.isfinite(v).all():
        raise InputError(
            f"expected finite values, {np.count_nonzero(~np.isfinite(v))} of {len(v)} in the "
            "region are not: statistics"
        )
    total = float(w.sum())
    mean = float(w @ v) / total
    top = int(v.argmax())
    return Summary(
        count=len(v),
        size=total,
        mean=mean,
        sd=float(np.sqrt(w @ (v - mean) ** 2 / total)),
        minimum=float(v.min()),
        maximum=float(v[top]),
        percentiles=dict(
            zip(percentiles, weighted_percentiles(v, w, percentiles).tolist(), strict=True)
        ),
        peak=(float(x[top, 0]), float(x[top, 1]), float(x[top, 2])),
        above={t: float(w[v > t].sum()) for t in above},
    )


def summarise_region(
    region: Region,
    head: Head,
    values: ArrayLike,
    *,
    corners: NDArray[np.integer] | None = None,
    levels: int = 1,
    percentiles: Sequence[float] = PERCENTILES,
    above: Sequence[float] = (),
) -> Summary:
    """Return the statistics of a quantity over one region of a head.

    Parameters
    ----------
    region, head
        Where.
    values
        One for each tetrahedron, node, entry of ``corners`` or cortical column of the head.
    corners
        Index of the value at each corner of each tetrahedron, shape (n_tets, 4), where the
        quantity has one value for each tissue at a node (``split_of_tet`` of a field basis).
    levels
        As in `Region.weights`.
    percentiles, above
        As in `summarise`.

    Raises
    ------
    InputError
        If the values fit nothing of the head, or the region is empty there.
    """
    v, kind = _fitted(head, values, corners)
    (_, elements, size), *_ = region_parts((region,), head, kind, None, levels)
    found = _measured(head, v, kind, corners, elements, size)
    try:
        return summarise(*found, percentiles=percentiles, above=above)
    except InputError as error:
        raise InputError(f"{error}: region {region.name!r}, head {head.name!r}") from None


def region_table(
    regions: Atlas | Iterable[Region],
    head: Head,
    values: ArrayLike,
    *,
    corners: NDArray[np.integer] | None = None,
    within: Region | None = None,
    levels: int = 1,
    percentiles: Sequence[float] = PERCENTILES,
    above: Sequence[float] = (),
) -> list[Row]:
    """Return one row of statistics for every region, those of an atlas in a single pass.

    Parameters
    ----------
    regions
        An atlas, or regions.
    head, values, corners, levels, percentiles, above
        As in `summarise_region`.
    within
        Only what lies in this region too (grey matter, say).

    Returns
    -------
    list of dict
        Keys: region, volume_mm3 (or area_mm2), mean, sd, min, p50 …, max, peak_x_mm …, above_…;
        of a region that holds nothing only the first two, the size 0.
    """
    v, kind = _fitted(head, values, corners)
    rows: list[Row] = []
    with stage("statistics of regions"):
        for name, elements, size in region_parts(regions, head, kind, within, levels):
            row: Row = {"region": name, _size_key(kind): 0.0}
            if len(elements):
                found = summarise(
                    *_measured(head, v, kind, corners, elements, size),
                    percentiles=percentiles,
                    above=above,
                )
                row |= _columns(found, _size_key(kind))
            rows.append(row)
    return rows


def write_table(path: Path | str, rows: Sequence[Row]) -> None:
    """Write rows as CSV with a header; what a row has not stays empty.

    Raises
    ------
    InputError
        If there is no row or the file cannot be written.
    """
    if not rows:
        raise InputError(f"expected rows, got none: {path}")
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with (
        whole_file(Path(path)) as part,
        part.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def _fitted(
    head: Head, values: ArrayLike, corners: NDArray[np.integer] | None
) -> tuple[Floats, str]:
    """Return the values and what they are given on: tets, nodes, corners or columns."""
    v = np.asarray(values, dtype=np.float64)
    if corners is not None:
        if corners.shape != head.mesh.tets.shape or v.ndim != 1 or corners.max() >= len(v):
            raise InputError(
                f"expected corners of shape {head.mesh.tets.shape} into the values, got "
                f"{corners.shape} into {v.shape}: statistics"
            )
        return v, "corners"
    sizes = {"tets": len(head.mesh.tets), "nodes": len(head.mesh.nodes)}
    if head.cortex is not None:
        sizes["columns"] = len(head.cortex)
    fits = [kind for kind, n in sizes.items() if v.shape == (n,)]
    if len(fits) != 1:
        known = ", ".join(f"{n} {kind}" for kind, n in sizes.items())
        raise InputError(
            f"expected one number for each of {known}, got shape {v.shape}: head {head.name!r}"
        )
    return v, fits[0]


def region_parts(
    regions: Atlas | Iterable[Region],
    head: Head,
    kind: str,
    within: Region | None,
    levels: int,
) -> Iterator[tuple[str, NDArray[np.intp], Floats]]:
    """Yield each region's name, the tetrahedra or columns it has, and how much of each (SI).

    Parameters
    ----------
    regions, head, within, levels
        As in `region_table`.
    kind
        "columns" of the cortex; anything else is about tetrahedra.
    """
    if isinstance(regions, Atlas):
        yield from _parts_of_atlas(regions, head, kind, within, levels)
        return
    for region in regions:
        both = region if within is None else region & within
        if kind == "columns":
            assert head.cortex is not None  # _fitted
            size = np.where(both.columns(head), head.cortex.area, 0.0)
        else:
            size = both.weights(head, levels=levels) * head.mesh.volumes()
        elements = np.flatnonzero(size)
        yield region.name, elements, size[elements]


def _parts_of_atlas(
    atlas: Atlas, head: Head, kind: str, within: Region | None, levels: int
) -> Iterator[tuple[str, NDArray[np.intp], Floats]]:
    if kind == "columns":
        assert head.cortex is not None  # _fitted
        label = atlas.columns(head)
        if within is not None:
            label = np.where(within.columns(head), label, 0)
        element, size = np.arange(len(label)), head.cortex.area
    else:
        element, label, part = atlas.parts(head, levels=levels, within=within)
        size = part * head.mesh.volumes()[element]
    order = np.argsort(label, kind="stable")
    element, label, size = element[order], label[order], size[order]
    for number, name in atlas.names.items():
        mine = slice(*np.searchsorted(label, [number, number + 1]).tolist())
        yield name, element[mine], size[mine]


def _measured(
    head: Head,
    v: Floats,
    kind: str,
    corners: NDArray[np.integer] | None,
    elements: NDArray[np.intp],
    size: Floats,
) -> tuple[Floats, Floats, Floats]:
    """Return values, weights and positions; a node has a fourth of each of its tetrahedra."""
    if kind == "columns":
        assert head.cortex is not None  # _fitted
        return v[elements], size, head.cortex.points(0.5)[elements]
    tets = head.mesh.tets[elements]
    if kind == "tets":
        return v[elements], size, head.mesh.nodes[tets].mean(axis=1)
    index = (tets if corners is None else corners[elements]).ravel()
    if len(index) < len(v):  # of a small region: sorting it is less than going through all values
        used, number = np.unique(index, return_inverse=True)
    else:
        used = np.flatnonzero(np.bincount(index, minlength=len(v)))
        number = np.empty(len(v), np.intp)
        number[used] = np.arange(len(used))
        number = number[index]
    weights = np.bincount(number, np.repeat(size / 4.0, 4), len(used))
    node = np.empty(len(used), np.intp)
    node[number] = tets.ravel()
    return v[used], weights, head.mesh.nodes[node]


def _size_key(kind: str) -> str:
    return "area_mm2" if kind == "columns" else "volume_mm3"


def _columns(found: Summary, size: str) -> Row:
    """Return a summary as columns of a table; lengths in mm."""
    scale = 1e6 if size == "area_mm2" else 1e9
    return {
        size: found.size * scale,
        "mean": found.mean,
        "sd": found.sd,
        "min": found.minimum,
        **{f"p{q:g}": value for q, value in found.percentiles.items()},
        "max": found.maximum,
        **{f"peak_{c}_mm": x * 1e3 for c, x in zip("xyz", found.peak, strict=True)},
        **{f"{size}_above_{t:g}": v * scale for t, v in found.above.items()},
    }
