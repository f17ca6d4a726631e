"""Windings: the turns of shipped coils, from their measures."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from rheobase._errors import check_option
from rheobase.fields.coils.coil import Coil

SPACING = 0.003  # of the samples along a turn (m): error exp(-2 pi d/h) < 1e-6 from 7 mm on


@dataclass(frozen=True, kw_only=True, slots=True)
class Winding:
    """Geometry of a shipped coil, as in ``data/coils.csv`` (lengths in mm, as the file has them).

    Parameters
    ----------
    name, model
        Name here and that of the maker.
    wings
        2 for a figure-of-eight, 1 for a round coil.
    outer_diameter_mm, inner_diameter_mm
        Of each wing, over the copper.
    wire_width_mm
        Radial width of the wire.
    winding_height_mm
        Height of all layers together.
    turns_per_layer, layers
        Turns of a wing.
    source, status, remark
        Where the numbers come from, how sure they are, what to know of them.
    """

    name: str
    model: str
    wings: int
    outer_diameter_mm: float
    inner_diameter_mm: float
    wire_width_mm: float
    winding_height_mm: float
    turns_per_layer: int
    layers: int
    source: str
    status: str
    remark: str


@cache
def load_windings() -> dict[str, Winding]:
    """Return the shipped coil geometries by name."""
    text = files("rheobase.fields").joinpath("data/coils.csv").read_text(encoding="utf-8")
    return {
        r["name"]: Winding(
            name=r["name"],
            model=r["model"],
            wings=int(r["wings"]),
            outer_diameter_mm=float(r["outer_diameter_mm"]),
            inner_diameter_mm=float(r["inner_diameter_mm"]),
            wire_width_mm=float(r["wire_width_mm"]),
            winding_height_mm=float(r["winding_height_mm"]),
            turns_per_layer=int(r["turns_per_layer"]),
            layers=int(r["layers"]),
            source=r["source"],
            status=r["status"],
            remark=r["remark"],
        )
        for r in csv.DictReader(text.splitlines())
    }


def coil(name: str) -> Coil:
    """Return the shipped coil ``name`` in its own frame.

    Raises
    ------
    InputError
        If there is none, with the nearest names.

    Examples
    --------
    >>> coil("magstim-70mm-figure8").wings[:, 0].round(4)
    array([-0.0435,  0.0435])
    """
    table = load_windings()
    w = table[check_option("coil", name, table)]
    outer, inner, wire = (
        0.5e-3 * w.outer_diameter_mm,
        0.5e-3 * w.inner_diameter_mm,
        1e-3 * w.wire_width_mm,
    )
    height = 1e-3 * w.winding_height_mm
    radii = np.linspace(inner + wire / 2, outer - wire / 2, w.turns_per_layer)
    levels = (np.arange(w.layers) + 0.5) * height / w.layers - height / 2
    # the left wing runs anticlockwise seen from outside, the right one clockwise
    sides = [(-outer, 1.0), (outer, -1.0)] if w.wings == 2 else [(0.0, 1.0)]
    positions, segments = [], []
    for x, sense in sides:
        for z in levels:
            for r in radii:
                n = int(np.ceil(2 * np.pi * r / SPACING))
                a = sense * 2 * np.pi * (np.arange(n) + 0.5) / n
                c, s = np.cos(a), np.sin(a)
                positions.append(np.stack([x + r * c, r * s, np.full(n, z)], axis=1))
                step = sense * 2 * np.pi * r / n
                segments.append(step * np.stack([-s, c, np.zeros(n)], axis=1))
    return Coil(
        name=name,
        positions=np.concatenate(positions),
        segments=np.concatenate(segments),
        wings=np.array([[x, 0.0, 0.0, outer] for x, _ in sides]),
        height=height,
    )
