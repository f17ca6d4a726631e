"""Pictures of the study: probability by distance, recruitment order, species, modes, the field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.studies.results import CLASSES, MICRO, Results, compared, pairs
from rheobase.views import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOUR_OF = dict(zip(CLASSES, COLOURS, strict=False))
STYLES = {"anodal": "-", "cathodal": "--"}
ANODAL, CATHODAL = "#d55e00", "#0072b2"


def by_distance(results: Results, mode: str) -> Figure:
    """Draw probability against lateral distance: a row a layer, a column a condition."""
    data = results.data
    conditions, layers = data["condition"].values.tolist(), data["layer"].values.tolist()
    figure = new_figure(3.1 * len(conditions) + 1.2, 1.75 * len(layers) + 0.8)
    panels = figure.subplots(len(layers), len(conditions), sharex=True, sharey=True, squeeze=False)
    for c, condition in enumerate(conditions):
        at = results.share(condition, mode)["amplitude"].values
        shown = data["probability"].sel(mode=mode, condition=condition, amplitude=at)
        for j, layer in enumerate(layers):
            panel = panels[j][c]
            half = 0.5e3 * float(data["electrode"].sel(condition=condition))
            panel.axvspan(0, half, color="0.93", lw=0)
            for name in data["cell_class"].values.tolist():
                curves = shown.sel(cell_class=name, layer=layer)
                for polarity, style in STYLES.items():
                    y = curves.sel(polarity=polarity).values
                    if not np.isnan(y).all():
                        panel.plot(data["distance"] * 1e3, y, style, color=COLOUR_OF[name], lw=1.4)
            panel.set_ylim(-0.04, 1.04)
            if c == 0:
                panel.set_ylabel(layer)
        panels[0][c].set_title(f"{condition}, {at / MICRO:g} µA", fontsize=10)
        panels[-1][c].set_xlabel("from the middle (mm)")
    figure.supylabel("share of the cells that fire", fontsize=10)
    _legend(figure, data["cell_class"].values.tolist())
    return figure


def order(results: Results) -> Figure:
    """Draw median thresholds of all types, lowest first, a row a mode and a column a condition."""
    data = results.data
    modes, conditions = data["mode"].values.tolist(), data["condition"].values.tolist()
    types = data["type"].values
    figure = new_figure(
        3.3 * len(conditions) + 0.4, (0.19 * (types != "").sum() + 0.9) * len(modes)
    )
    panels = figure.subplots(len(modes), len(conditions), squeeze=False)
    for i, mode in enumerate(modes):
        for c, condition in enumerate(conditions):
            panel = panels[i][c]
            medians = data["threshold"].sel(mode=mode, condition=condition).values / MICRO
            places = [tuple(at) for at in np.argwhere(types != "")]
            places.sort(key=lambda at: np.nanmin([np.inf, *medians[at][:, 1]]), reverse=True)
            for y, at in enumerate(places):
                for p, (colour, offset) in enumerate(((ANODAL, 0.14), (CATHODAL, -0.14))):
                    low, middle, high = medians[at][p]
                    if np.isfinite(middle):
                        ends = [low, high if np.isfinite(high) else 50 * middle]
                        panel.plot(ends, [y + offset] * 2, color=colour, lw=0.8, alpha=0.5)
                        panel.plot(middle, y + offset, "o", color=colour, ms=3.5)
            panel.axvline(results.largest(condition) / MICRO, color="0.6", lw=0.8, ls=":")
            panel.set_yticks(range(len(places)), [types[at] for at in places], fontsize=7)
            panel.set_xscale("log")
            middle = medians[..., 1][np.isfinite(medians[..., 1])]
            if len(middle):
                panel.set_xlim(0.15 * middle.min(), 6 * middle.max())
            panel.set_title(f"{condition}, {mode}", fontsize=9)
    for panel in panels[-1]:
        panel.set_xlabel("threshold (µA)")
    handles = [_line(ANODAL, "-", "anodal"), _line(CATHODAL, "-", "cathodal")]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    return figure


def species(results: Results) -> Figure:
    """Draw recruitment of each class, over its layers, by condition: a row a mode."""
    data = results.data
    modes, classes = data["mode"].values.tolist(), data["cell_class"].values.tolist()
    figure = new_figure(2.7 * len(classes) + 0.6, 2.2 * len(modes) + 0.7)
    panels = figure.subplots(len(modes), len(classes), sharex=True, sharey=True, squeeze=False)
    conditions = data["condition"].values.tolist()
    for i, mode in enumerate(modes):
        for k, name in enumerate(classes):
            for condition, colour in zip(conditions, COLOURS, strict=False):
                curves = data["share"].sel(mode=mode, condition=condition, cell_class=name)
                within = data["amplitude"].values <= results.largest(condition) * (1 + 1e-9)
                for polarity, style in STYLES.items():
                    y = curves.sel(polarity=polarity).mean("layer").values
                    if not np.isnan(y).all():
                        x = data["amplitude"].values / MICRO
                        panels[i][k].plot(x[within], y[within], style, color=colour, lw=1.5)
            panels[i][k].set_title(f"{name}, {mode}", fontsize=9)
            panels[i][k].set_ylim(-0.04, 1.04)
        panels[i][0].set_ylabel("share that fires")
    for panel in panels[-1]:
        panel.set_xlabel("amplitude (µA)")
    handles = [_line(c, "-", n) for n, c in zip(conditions, COLOURS, strict=False)]
    handles += [_line("0.3", s, p) for p, s in STYLES.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=6, frameon=False, fontsize=9)
    return figure


def modes(results: Results) -> Figure | None:
    """Draw thresholds of the same placements in one mode against another, None with one mode."""
    reference, others = compared(results)
    if not others:
        return None
    conditions = results.data["condition"].values.tolist()
    figure = new_figure(3.0 * len(conditions) + 0.4, 2.9 * len(others))
    panels = figure.subplots(len(others), len(conditions), sharex=True, sharey="row", squeeze=False)
    for i, mode in enumerate(others):
        for c, condition in enumerate(conditions):
            panel = panels[i][c]
            value, exact = (1e3 * x for x in pairs(results, condition, mode, reference))
            for p, (colour, name) in enumerate(((ANODAL, "anodal"), (CATHODAL, "cathodal"))):
                panel.plot(exact[p], value[p], ".", ms=3.5, color=colour, label=name)
            known = np.concatenate([value.ravel(), exact.ravel()])
            known = known[~np.isnan(known)]
            if len(known):
                panel.plot(*[[known.min(), known.max()]] * 2, color="0.4", lw=0.8)
                panel.set_xscale("log")
                panel.set_yscale("log")
            panel.set_title(condition, fontsize=10)
            panel.set_xlabel(f"{reference} (mA)")
        panels[i][0].set_ylabel(f"{mode} (mA)")
    panels[0][0].legend(frameon=False, fontsize=8)
    return figure


def field_below(results: Results, sigma: float) -> Figure:
    """Draw the field below the middle of each electrode, and in grey matter alone (S/m)."""
    from rheobase.validation.square_electrode import square_field

    figure = new_figure(6.4, 3.6)
    panel = figure.subplots()
    for condition, colour in zip(results.data["condition"].values.tolist(), COLOURS, strict=False):
        part = next(p.data for p in results.parts if p.condition.name == condition)
        side = float(results.data["electrode"].sel(condition=condition))
        deep = part["below"].values
        points = np.stack([np.zeros_like(deep), np.zeros_like(deep), -deep], axis=1)
        alone = square_field(points, side=side, sigma=sigma)[:, 2]
        panel.plot(1e3 * deep, -1e-3 * alone, "--", color=colour, lw=0.9)
        panel.plot(1e3 * deep, -1e-3 * part["field_below"], color=colour, lw=1.5, label=condition)
    panel.set_yscale("log")
    panel.set_xlabel("depth below the middle of the electrode (mm)")
    panel.set_ylabel("field (V/m per mA)")
    panel.legend(frameon=False, fontsize=9)
    return figure


def _line(colour: str, style: str, label: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, ls=style, label=label)


def _legend(figure: Figure, classes: list[str]) -> None:
    handles = [_line(COLOUR_OF[c], "-", c) for c in classes]
    handles += [_line("0.3", s, p) for p, s in STYLES.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=8, frameon=False, fontsize=9)
