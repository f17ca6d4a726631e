"""Strength and duration: how the threshold falls with the width of a rectangular pulse.

Weiss's law says that the charge at threshold grows linearly with the width,

    T(PW) = rheobase (1 + chronaxie / PW),

(Weiss 1901). It is fitted to each placement, and what it leaves over is told: where the field
changes sign along the axon one time constant does not hold for all widths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError, check_option
from rheobase.neurons.activation import Mode, thresholds
from rheobase.neurons.morphology import Floats, Kind
from rheobase.neurons.placement import Population
from rheobase.neurons.recruitment import POLARITIES

if TYPE_CHECKING:
    import xarray as xr

WIDTHS = (50e-6, 100e-6, 200e-6, 500e-6, 1e-3)
_QUANTILES = (0.05, 0.5, 0.95)
_KEYS = ("type", "layer", "species", "site")


def weiss(widths: ArrayLike, threshold: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Fit Weiss's law with equal relative errors.

    Parameters
    ----------
    widths
        Pulse widths (s), shape (w,).
    threshold
        Thresholds, shape (w, ...); what is not finite gives NaN.

    Returns
    -------
    rheobase, chronaxie, misfit
        In the unit of ``threshold``, in s, and the mean relative deviation (1), shape (...).

    Examples
    --------
    >>> [float(round(x, 6)) for x in weiss([1e-4, 1e-3], [7.0, 2.5])]
    [2.0, 0.00025, 0.0]
    """
    w = np.asarray(widths, dtype=np.float64)
    T = np.asarray(threshold, dtype=np.float64)
    T = np.where(np.isfinite(T) & (T > 0), T, np.nan)
    x = 1.0 / T  # (r + q/w) / T should be 1: linear in r and q = rheobase * chronaxie
    y = x / w.reshape(-1, *[1] * (T.ndim - 1))
    xx, xy, yy = ((a * b).sum(axis=0) for a, b in ((x, x), (x, y), (y, y)))
    x1, y1 = x.sum(axis=0), y.sum(axis=0)
    whole = xx * yy - xy**2
    rheobase = (yy * x1 - xy * y1) / whole
    q = (xx * y1 - xy * x1) / whole
    misfit = np.abs(rheobase * x + q * y - 1).mean(axis=0)
    return rheobase, q / rheobase, misfit


def strength_duration(
    population: Population,
    field: Any,
    *,
    widths: Sequence[float] = WIDTHS,
    mode: Mode = "cable",
    weights: ArrayLike | None = None,
    unit: str | None = None,
    by: Sequence[str] = ("type", "layer", "species"),
) -> xr.Dataset:
    """Return rheobase and chronaxie of groups of cells.

    Parameters
    ----------
    population, field, mode, weights, unit
        As for `rheobase.neurons.thresholds`.
    widths
        Of rectangular pulses (s), two or more.
    by
        Labels that form the groups: "type", "layer", "species", and "site", the kind of compartment
        where the spike starts with the shortest pulse.

    Returns
    -------
    Dataset, dims (group, polarity, quantile, width)
        ``rheobase`` (the field's unit per pulse) and ``chronaxie`` (s) of Weiss's law, 5, 50 and
        95 % of the placements; its mean ``misfit`` (1); median ``threshold`` by width;
        ``placements`` with a fit.

    Raises
    ------
    InputError
        If there are fewer than two widths, one is not > 0 s, or a label is unknown.
    """
    import xarray as xr

    pulses = sorted({float(w) for w in widths})
    if len(pulses) < 2 or not pulses[0] > 0:
        raise InputError(f"expected two or more pulse widths > 0 s, got {list(widths)}")
    for key in by:
        check_option("group key", key, _KEYS)
    found = [
        thresholds(population, field, waveform=w, mode=mode, weights=weights, unit=unit)
        for w in pulses
    ]
    first, n = found[0], len(population)
    T = np.stack([r.threshold for r in found])
    rheobase, chronaxie, misfit = weiss(pulses, T)
    names = np.array([*(k.name.lower() for k in Kind), "none"])
    site = names[first.site]  # -1, no site, is the last
    columns = [
        site if key == "site" else np.broadcast_to(getattr(first, key), (2, n)) for key in by
    ]
    labels: list[tuple[str, ...]] = [
        tuple(str(c[k, i]) for c in columns) for k in range(2) for i in range(n)
    ]
    groups = list(dict.fromkeys(labels))
    member = np.array([groups.index(g) for g in labels]).reshape(2, n)
    shape = (len(groups), 2)
    rates, times = np.full((*shape, 3), np.nan), np.full((*shape, 3), np.nan)
    left, middle = np.full(shape, np.nan), np.full((*shape, len(pulses)), np.nan)
    count = np.zeros(shape, dtype=np.int64)
    for g in range(len(groups)):
        for k in range(2):
            of = np.flatnonzero((member[k] == g) & np.isfinite(rheobase[k]))
            count[g, k] = len(of)
            if len(of):
                rates[g, k] = np.quantile(rheobase[k, of], _QUANTILES)
                times[g, k] = np.quantile(chronaxie[k, of], _QUANTILES)
                left[g, k] = misfit[k, of].mean()
                middle[g, k] = np.median(T[:, k, of], axis=1)
    dims = ("group", "polarity")
    notes = list(dict.fromkeys(note for r in found for note in r.notes))
    return xr.Dataset(
        {
            "rheobase": ((*dims, "quantile"), rates, {"units": first.unit}),
            "chronaxie": ((*dims, "quantile"), times, {"units": "s"}),
            "misfit": (dims, left, {"units": "1", "long_name": "mean deviation from Weiss's law"}),
            "threshold": ((*dims, "width"), middle, {"units": first.unit, "long_name": "median"}),
            "placements": (dims, count),
        },
        coords={
            "group": ["/".join(g) for g in groups],
            "polarity": list(POLARITIES),
            "quantile": list(_QUANTILES),
            "width": ("width", pulses, {"units": "s"}),
            **{key: ("group", [g[i] for g in groups]) for i, key in enumerate(by)},
        },
        attrs={"mode": mode, "notes": "; ".join(notes)},
    )
