"""From thresholds to labelled probabilities: mode, condition, class, layer, polarity, distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase.report import Table

if TYPE_CHECKING:
    import xarray as xr

    from rheobase.studies.thresholds import Part
    from rheobase.tables.cross_species import CrossSpeciesStudy

Floats = NDArray[np.float64]

CLASSES = ("PYR", "PV", "SST", "VIP", "NGC")
POLARITIES = ("anodal", "cathodal")
NEAR = 1e-3  # of the middle of the electrode: the cells that single numbers are about (m)
QUANTILES = (0.05, 0.5, 0.95)
MICRO = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Results:
    """What the study found.

    Parameters
    ----------
    parts
        Thresholds of each condition in each mode.
    data
        Probabilities and quantiles; see `collect`.
    """

    parts: Sequence[Part]
    data: xr.Dataset

    def part(self, condition: str, mode: str) -> xr.Dataset:
        """Return the thresholds of a condition in a mode."""
        return next(p.data for p in self.parts if p.condition.name == condition and p.mode == mode)

    def largest(self, condition: str) -> float:
        """Return the largest amplitude of a condition (A)."""
        return float(self.data["largest"].sel(condition=condition))

    def share(self, condition: str, mode: str, amplitude: float | None = None) -> xr.DataArray:
        """Return the share of near cells that fires (cell_class, layer, polarity).

        At the largest of the amplitudes that do not pass ``amplitude`` (A), by default the largest
        of the condition.
        """
        limit = self.largest(condition) if amplitude is None else amplitude
        amplitudes = self.data["amplitude"].values
        at = amplitudes[amplitudes <= limit * (1 + 1e-9)].max()
        return self.data["share"].sel(condition=condition, mode=mode, amplitude=at)


def collect(study: CrossSpeciesStudy, parts: Sequence[Part]) -> Results:
    """Put the thresholds of all conditions and modes together.

    Returns
    -------
    Results
        ``data`` has the variables

        - ``probability`` (mode, condition, cell_class, layer, polarity, distance, amplitude): share
          of the cells in a ring of distances that fire; NaN where there is no such type or cell,
        - ``share`` (…, polarity, amplitude): the same over all cells within 1 mm,
        - ``threshold`` (…, polarity, quantile): quantiles of those cells' thresholds (A),
        - ``placements`` (…, distance), ``calibration_error`` (mode, condition, cell_class, layer),
          ``largest`` (condition) (A), ``type`` (cell_class, layer).
    """
    import xarray as xr

    from rheobase.neurons.generate import cell_types, type_class, type_layer

    chosen = [t for t in cell_types() if t in study.cells.chosen()]
    classes = [c for c in CLASSES if c in {type_class(t) for t in chosen}]
    layers = sorted({type_layer(t) for t in chosen})
    types = np.full((len(classes), len(layers)), "", dtype=object)
    for name in chosen:
        types[classes.index(type_class(name)), layers.index(type_layer(name))] = name
    modes: list[str] = list(study.cells.modes)
    conditions = [c.name for c in study.conditions]
    amplitude = np.array(study.pulse.amplitudes_uA) / 1e6  # 200 -> the very number 2e-4
    edges = 1e-3 * np.linspace(0, study.cells.lateral_mm, study.cells.bins + 1)
    head = (len(modes), len(conditions), len(classes), len(layers))
    bins, m = len(edges) - 1, len(amplitude)
    probability = np.full((*head, 2, bins, m), np.nan)
    share = np.full((*head, 2, m), np.nan)
    threshold = np.full((*head, 2, len(QUANTILES)), np.nan)
    placements = np.zeros((*head, bins), dtype=np.int32)
    error = np.full(head, np.nan)
    for part in parts:
        first = (modes.index(part.mode), conditions.index(part.condition.name))
        far = part.data["distance"].values
        ring = np.clip(np.searchsorted(edges, far, side="right") - 1, 0, bins - 1)
        for (k, j), name in np.ndenumerate(types):
            members = np.flatnonzero(part.data["type"].values == name)
            at = (*first, k, j)
            near = members[far[members] <= NEAR]
            error[at] = part.data["error"].values[members].mean() if len(members) else np.nan
            placements[at] = np.bincount(ring[members], minlength=bins)
            for p, values in enumerate(part.data["threshold"].values):
                share[(*at, p)] = firing(values[near], amplitude)
                threshold[(*at, p)] = _quantiles(values[near])
                for b in range(bins):
                    inside = members[ring[members] == b]
                    probability[(*at, p, b)] = firing(values[inside], amplitude)
    dims = ("mode", "condition", "cell_class", "layer")
    data = xr.Dataset(
        {
            "probability": (
                (*dims, "polarity", "distance", "amplitude"),
                probability,
                {"units": "1", "long_name": "share of the cells in a ring that fire"},
            ),
            "share": (
                (*dims, "polarity", "amplitude"),
                share,
                {"units": "1", "long_name": f"share of the cells within {1e3 * NEAR:g} mm"},
            ),
            "threshold": (
                (*dims, "polarity", "quantile"),
                threshold,
                {"units": "A", "long_name": f"thresholds of the cells within {1e3 * NEAR:g} mm"},
            ),
            "placements": ((*dims, "distance"), placements),
            "calibration_error": (
                dims,
                error,
                {"units": "1", "long_name": "mean relative error against full simulations"},
            ),
            "largest": (
                "condition",
                [MICRO * c.largest_uA for c in study.conditions],
                {"units": "A", "long_name": "largest amplitude of the condition"},
            ),
            "type": (("cell_class", "layer"), types.astype(str)),
        },
        coords={
            "mode": modes,
            "condition": conditions,
            "cells": ("condition", [c.cells for c in study.conditions]),
            "cortex": ("condition", [c.layers for c in study.conditions]),
            "electrode": (
                "condition",
                [1e-3 * c.electrode_mm for c in study.conditions],
                {"units": "m", "long_name": "side of the electrode"},
            ),
            "cell_class": classes,
            "layer": layers,
            "polarity": list(POLARITIES),
            "distance": ("distance", 0.5 * (edges[1:] + edges[:-1]), {"units": "m"}),
            "amplitude": ("amplitude", amplitude, {"units": "A"}),
            "quantile": list(QUANTILES),
        },
        attrs={"title": study.title, "pulse_width_s": MICRO * study.pulse.width_us},
    )
    return Results(parts=tuple(parts), data=data)


def firing(thresholds: Floats, amplitude: Floats) -> Floats:
    """Return the share of known thresholds that each amplitude reaches, NaN where there is none."""
    known = np.sort(thresholds[~np.isnan(thresholds)])
    if len(known) == 0:
        return np.full(len(amplitude), np.nan)
    out: Floats = np.searchsorted(known, amplitude, side="right") / len(known)
    return out


def _quantiles(thresholds: Floats) -> Floats:
    known = thresholds[~np.isnan(thresholds)]
    if len(known) == 0:
        return np.full(len(QUANTILES), np.nan)
    out: Floats = np.quantile(known, QUANTILES, method="inverted_cdf")
    return out


def threshold_table(results: Results) -> Table:
    """Return median thresholds and shares of every type, condition and mode, within 1 mm."""
    data = results.data
    rows: list[tuple[str | float | int, ...]] = []
    for mode in data["mode"].values:
        for condition in data["condition"].values:
            shares = results.share(condition, mode)
            medians = data["threshold"].sel(mode=mode, condition=condition, quantile=0.5)
            for (k, j), name in np.ndenumerate(data["type"].values):
                if name and not np.isnan(medians.values[k, j]).all():
                    a, c = medians.values[k, j] / MICRO
                    layer = str(data["layer"].values[j])
                    fired = (float(x) for x in shares.values[k, j])
                    rows.append((str(mode), str(condition), name, layer, a, c, *fired))
    return Table(
        columns=(
            "mode",
            "condition",
            "type",
            "layer",
            "median, anodal (µA)",
            "median, cathodal (µA)",
            "fires at most, anodal",
            "fires at most, cathodal",
        ),
        rows=rows,
    )


def mode_table(results: Results) -> Table:
    """Return how far the modes are from the full simulations (or the cable) on the same cells."""
    reference, others = compared(results)
    rows: list[tuple[str | float | int, ...]] = []
    for condition in results.data["condition"].values.tolist():
        for mode in others:
            value, exact = pairs(results, condition, mode, reference)
            ratio = (value / exact)[~np.isnan(value)]
            if len(ratio):
                error, factor = np.abs(ratio - 1), np.exp(np.abs(np.log(ratio)))
                rows.append(
                    (
                        condition,
                        mode,
                        len(ratio),
                        float(error.mean()),
                        float(np.median(factor)),
                        float(np.quantile(factor, 0.9)),
                    )
                )
    return Table(
        columns=(
            "condition",
            "mode",
            f"thresholds also in {reference}",
            "mean error",
            "off by a factor (median)",
            "off by a factor (90 %)",
        ),
        rows=rows,
    )


def compared(results: Results) -> tuple[str, list[str]]:
    """Return the mode that others are compared with, and the others."""
    modes = results.data["mode"].values.tolist()
    reference = next(m for m in ("spiking", "cable", "af") if m in modes)
    return reference, [m for m in modes if m != reference]


def pairs(results: Results, condition: str, mode: str, reference: str) -> tuple[Floats, Floats]:
    """Return the thresholds (A) of the same placements in two modes, shape (2, n) each.

    NaN where a cell does not fire in one of them.
    """
    one, other = (results.part(condition, m) for m in (mode, reference))
    _, first, second = np.intersect1d(
        one["member"].values, other["member"].values, return_indices=True
    )
    value = one["threshold"].values[:, first]
    exact = other["threshold"].values[:, second]
    known = np.isfinite(value) & np.isfinite(exact)
    return np.where(known, value, np.nan), np.where(known, exact, np.nan)
