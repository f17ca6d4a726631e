"""Maps and tables of what random inputs do to a field."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import track
from rheobase._threads import in_parts
from rheobase.fields.uncertainty.chaos import DENSE, Chaos, fit, fitted
from rheobase.fields.uncertainty.quantities import Quantity
from rheobase.fields.uncertainty.samples import FieldSamples
from rheobase.meshes.head import Head
from rheobase.meshes.regions.atlases import Atlas
from rheobase.meshes.regions.region import Region, tissue_region
from rheobase.meshes.regions.statistics import Row, region_parts, weighted_percentiles

Floats = NDArray[np.float64]

QUANTILES = (0.05, 0.5, 0.95)
_PART = 2048  # points whose polynomials are evaluated at a time
_TRIAL = 2000  # points that choose the degree


@dataclass(frozen=True, kw_only=True, eq=False)
class UncertaintyMaps:
    """A quantity of a field with random inputs, at the kept split nodes of the samples.

    Parameters
    ----------
    names
        Names of the inputs, d of them.
    mean, sd
        Mean and standard deviation, shape (n_kept,).
    levels, quantiles
        Probabilities, q of them, and the quantiles, shape (q, n_kept).
    first, total
        Sobol indices of each input, shape (d, n_kept).
    error
        Leave-one-out error of the polynomials relative to the variance, shape (n_kept,).
    degree
        Their degree.
    """

    names: tuple[str, ...]
    mean: Floats
    sd: Floats
    levels: tuple[float, ...]
    quantiles: Floats
    first: Floats
    total: Floats
    error: Floats
    degree: int


def uncertainty_maps(
    samples: FieldSamples,
    quantity: Quantity,
    *,
    quantiles: Sequence[float] = QUANTILES,
    degree: int | None = None,
) -> UncertaintyMaps:
    """Return mean, spread, quantiles and Sobol indices at every kept split node.

    Parameters
    ----------
    samples
        The sampled fields.
    quantity
        What is asked of them: `strength`, `component`, `modulation` or a function of one's own.
    quantiles
        Probabilities from 0 to 1.
    degree
        Of the polynomials; the one with the smallest leave-one-out error at 2000 nodes if None.

    Raises
    ------
    InputError
        If a probability is not from 0 to 1 or there are too few samples.
    """
    levels = _levels(quantiles)
    basis = _trial(samples, quantity, degree).basis
    basis.dense(DENSE)
    n, d = len(samples.kept), len(samples.inputs)
    mean, sd, error = np.empty(n), np.empty(n), np.empty(n)
    found, first, total = np.empty((len(levels), n)), np.empty((d, n)), np.empty((d, n))

    def work(y: Floats, start: int, some: slice) -> None:
        chaos = fitted(basis, samples.x, y[:, some])[0]
        at = slice(start + some.start, start + some.stop)
        mean[at], sd[at], error[at] = chaos.mean, chaos.sd, chaos.error
        first[:, at], total[:, at] = chaos.first(), chaos.total()
        if levels:
            found[:, at] = chaos.quantiles(levels)

    blocks = -(-n // samples.block)
    for block, E in track(samples.blocks(), "maps of uncertainty", total=blocks):
        y = quantity(E)
        in_parts(partial(work, y, block.start), y.shape[1], _PART)
    return UncertaintyMaps(
        names=samples.inputs.names,
        mean=mean,
        sd=sd,
        levels=levels,
        quantiles=found,
        first=first,
        total=total,
        error=error,
        degree=basis.degree,
    )


def _trial(samples: FieldSamples, quantity: Quantity, degree: int | None) -> Chaos:
    """Return the fit at some nodes all over the head."""
    step = max(1, len(samples.kept) // _TRIAL)
    parts = []
    for some, E in samples.blocks():
        parts.append(quantity(np.ascontiguousarray(E[:, :, -some.start % step :: step])))
    return fit(samples.inputs, samples.x, np.concatenate(parts, axis=1), degree=degree)


def region_values(
    samples: FieldSamples,
    quantity: Quantity,
    head: Head,
    regions: Atlas | Iterable[Region] | None = None,
    *,
    within: Region | None = None,
    percentile: float | None = None,
) -> tuple[list[str], Floats, Floats]:
    """Return a statistic of regions in each sample.

    Parameters
    ----------
    samples, quantity
        As in `uncertainty_maps`.
    head
        The head of the samples.
    regions
        Regions or an atlas; the tissues that have a stored field if None. Only their part in these
        tissues counts.
    within
        Only what lies in this region too.
    percentile
        Volume-weighted percentile of the quantity over the region; its mean if None.

    Returns
    -------
    names : list of str
        Of the regions that hold something, r of them.
    volume : ndarray, shape (r,)
        What they hold (m³).
    values : ndarray, shape (n, r)
        The statistic in each sample.

    Raises
    ------
    InputError
        If the head has another mesh, or no region holds anything.
    """
    samples.check_head(head)
    if percentile is not None and not 0 <= percentile <= 100:
        raise InputError(f"expected a percentile from 0 to 100, got {percentile!r}")
    kept_labels = np.unique(samples.label)
    if regions is None:
        regions = [tissue_region(head.tissues[label].name) for label in kept_labels.tolist()]
    place = np.full(len(samples.split.node), -1)
    place[samples.kept] = np.arange(len(samples.kept))
    names, volumes, members = [], [], []
    for name, tets, size in region_parts(regions, head, "tets", within, 1):
        inside = np.isin(head.mesh.labels[tets], kept_labels)
        corners = place[samples.split.of_tet[tets[inside]]].ravel()
        nodes, number = np.unique(corners, return_inverse=True)
        if len(nodes):
            names.append(name)
            weights = np.bincount(number, np.repeat(size[inside] / 4, 4))
            volumes.append(float(weights.sum()))
            members.append((nodes, weights))
    if not names:
        raise InputError(
            f"expected a region that holds something of the stored tissues, got none: head "
            f"{head.name!r}"
        )
    used = np.unique(np.concatenate([nodes for nodes, _ in members]))
    y = np.empty((len(samples.x), len(used)), dtype=np.float32)
    for some, E in samples.blocks():
        lo, hi = np.searchsorted(used, [some.start, some.stop])
        if hi > lo:
            y[:, lo:hi] = quantity(np.ascontiguousarray(E[:, :, used[lo:hi] - some.start]))
    values = np.empty((len(samples.x), len(names)))
    for r, (nodes, weights) in enumerate(members):
        mine = y[:, np.searchsorted(used, nodes)].astype(np.float64)
        if percentile is None:
            values[:, r] = mine @ weights / weights.sum()
        else:
            values[:, r] = [weighted_percentiles(row, weights, percentile) for row in mine]
    return names, np.array(volumes), values


def uncertainty_table(
    samples: FieldSamples,
    quantity: Quantity,
    head: Head,
    regions: Atlas | Iterable[Region] | None = None,
    *,
    within: Region | None = None,
    percentile: float | None = None,
    quantiles: Sequence[float] = QUANTILES,
    degree: int | None = None,
) -> list[Row]:
    """Return one row for every region: mean, spread, quantiles and Sobol indices of a statistic.

    Parameters are those of `region_values` and `uncertainty_maps`.

    Returns
    -------
    list of dict
        Keys: region, volume_mm3, mean, sd, q5 …, first_NAME and total_NAME of each input, error
        (leave-one-out, relative to the variance) and degree.

    Raises
    ------
    InputError
        As `region_values` and `uncertainty_maps` do.
    """
    levels = _levels(quantiles)
    names, volume, values = region_values(
        samples, quantity, head, regions, within=within, percentile=percentile
    )
    rows: list[Row] = []
    for k, name in enumerate(names):
        chaos = fit(samples.inputs, samples.x, values[:, k], degree=degree)
        row: Row = {"region": name, "volume_mm3": float(volume[k]) * 1e9}
        row |= {"mean": float(chaos.mean), "sd": float(chaos.sd)}
        if levels:
            found = chaos.quantiles(levels).tolist()
            row |= {f"q{100 * q:g}": v for q, v in zip(levels, found, strict=True)}
        for what, index in (("first", chaos.first()), ("total", chaos.total())):
            row |= {
                f"{what}_{i}": v for i, v in zip(samples.inputs.names, index.tolist(), strict=True)
            }
        rows.append(row | {"error": float(chaos.error), "degree": chaos.basis.degree})
    return rows


def _levels(quantiles: Sequence[float]) -> tuple[float, ...]:
    levels = tuple(float(q) for q in quantiles)
    if not all(0 <= q <= 1 for q in levels):
        raise InputError(f"expected probabilities from 0 to 1 as quantiles, got {list(levels)}")
    return levels
