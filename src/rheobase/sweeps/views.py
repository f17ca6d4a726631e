"""Pictures of a sweep: lines along one axis, maps over two, main effects of sampled ranges."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase.dosing_views import draw_sobol
from rheobase.sweeps.design import SAMPLE, Design, label
from rheobase.sweeps.sensitivity import Sensitivity
from rheobase.sweeps.series import Series
from rheobase.views import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

MOST_PANELS = 6
MOST_LINES = 8
MARKS = "osD^vP*X"


def picture(design: Design, one: Series, found: Sensitivity | None = None) -> Figure:
    """Return the picture that suits a design.

    Parameters
    ----------
    design, one
        The points, and a number at each.
    found
        How it depends on sampled ranges, where that is known.
    """
    if SAMPLE in design.dims and design.ranges:
        return _effects(design, one, found)
    numeric = [dim for dim in design.dims if _numbers(design, dim) is not None]
    if len(numeric) >= 2:
        return _maps(design, one, numeric)
    return _lines(design, one, numeric)


def _numbers(design: Design, dim: str) -> Floats | None:
    """Return the values along a dimension where they are numbers, None where not."""
    own = design.dims[dim]
    values = next(iter(own.values()))
    plain = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    return np.array(values, dtype=np.float64) if len(own) == 1 and plain else None


def _words(design: Design, dim: str) -> list[str]:
    """Return what the places along a dimension are called."""
    rows = zip(*design.dims[dim].values(), strict=True)
    return [", ".join(_short(v) for v in row) for row in rows]


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(label(value))
    return text if len(text) <= 30 else text[:29] + "…"


def _others(
    design: Design, one: Series, kept: list[str], most: int
) -> Iterator[tuple[str, Floats]]:
    """Yield the number over some dimensions, at each place of all the others, ``most`` at most."""
    dims = list(design.dims)
    rest = [d for d in dims if d not in kept]
    words = [_words(design, d) for d in rest]
    for count, place in enumerate(product(*(range(len(w)) for w in words))):
        if count == most:
            return
        at = dict(zip(rest, place, strict=True))
        index = tuple(at.get(d, slice(None)) for d in dims)
        values = one.values[index]
        order = [d for d in dims if d in kept]
        told = ", ".join(words[k][i] for k, i in enumerate(place))
        yield told, np.moveaxis(values, [order.index(d) for d in kept], range(len(kept)))


def _lines(design: Design, one: Series, numeric: list[str]) -> Figure:
    figure = new_figure(6.6, 4.2)
    panel = figure.subplots()
    dim = numeric[0] if numeric else max(design.dims, key=lambda d: len(_words(design, d)))
    x = _numbers(design, dim)
    words = _words(design, dim)
    at = np.arange(len(words)) if x is None else x
    order = np.argsort(at)
    told = list(_others(design, one, [dim], MOST_LINES))
    for k, (name, y) in enumerate(told):
        style: dict[str, Any] = {"marker": MARKS[k], "color": COLOURS[k], "label": name, "ms": 4}
        panel.plot(at[order], y[order], ls="-" if x is not None else "", **style)
    if x is None:
        panel.set_xticks(at, words, rotation=20 if max(map(len, words)) > 8 else 0)
    panel.set(xlabel=next(iter(design.dims[dim])), ylabel=one.title)
    if len(told) > 1:
        panel.legend(frameon=False, fontsize=8)
    panel.spines[["top", "right"]].set_visible(False)
    return figure


def _maps(design: Design, one: Series, numeric: list[str]) -> Figure:
    across, up = numeric[-1], numeric[-2]
    told = list(_others(design, one, [up, across], MOST_PANELS))
    columns = min(3, len(told))
    rows = -(-len(told) // columns)
    figure = new_figure(4.0 * columns + 1.2, 3.4 * rows)
    panels = figure.subplots(rows, columns, squeeze=False)
    known = np.concatenate([v.ravel() for _, v in told])
    known = known[np.isfinite(known)]
    limits = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    shown: Any = None
    x, y = _numbers(design, across), _numbers(design, up)
    assert x is not None  # numeric
    assert y is not None
    i, j = np.argsort(x), np.argsort(y)
    for panel, (name, values) in zip(panels.flat, told, strict=False):
        panel.set_facecolor("0.9")
        shown = panel.pcolormesh(
            np.arange(len(x)), np.arange(len(y)), values[np.ix_(j, i)],
            vmin=limits[0], vmax=limits[1], cmap="viridis",
        )  # fmt: skip
        panel.set(title=name, xlabel=across, ylabel=up)
        panel.set_xticks(*_ticks(x[i]))
        panel.set_yticks(*_ticks(y[j]))
    for panel in panels.flat[len(told) :]:
        panel.set_visible(False)
    figure.colorbar(shown, ax=panels, label=one.title, shrink=0.85)
    return figure


def _ticks(values: Floats) -> tuple[list[int], list[str]]:
    """Return at most nine places and their values."""
    chosen = np.unique(np.linspace(0, len(values) - 1, min(9, len(values))).round().astype(int))
    return chosen.tolist(), [f"{values[k]:g}" for k in chosen]


def _effects(design: Design, one: Series, found: Sensitivity | None) -> Figure:
    from matplotlib.ticker import NullFormatter

    names = list(design.ranges)
    columns = min(4, len(names) + 1)
    rows = -(-(len(names) + 1) // columns)
    figure = new_figure(3.4 * columns, 3.2 * rows)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    groups = list(_others(design, one, [SAMPLE], 3))
    for panel, name in zip(panels, names, strict=False):
        x = np.array(design.dims[SAMPLE][name], dtype=np.float64)
        for k, (told, y) in enumerate(groups):
            panel.plot(x, y, ".", ms=4, alpha=0.6, color=COLOURS[k], label=told)
        if found is not None:
            panel.plot(*found.curves[name], color="k", lw=1.6, label="mean over the others")
        panel.set(xlabel=name, ylabel=one.title)
        if design.ranges[name].scale == "log":
            panel.set_xscale("log")
            panel.xaxis.set_minor_formatter(NullFormatter())
            panel.xaxis.set_major_formatter("{x:g}")
        panel.spines[["top", "right"]].set_visible(False)
    if len(groups) > 1 or found is not None:
        panels[0].legend(frameon=False, fontsize=7)
    if found is not None:
        draw_sobol(panels[len(names)], found.first, found.total, title=one.name)
    for panel in panels[len(names) + (found is not None) :]:
        panel.set_visible(False)
    return figure
