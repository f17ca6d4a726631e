"""Windings: the turns of coils, from their measures.

A turn is a circle of line elements, the trapezoidal rule: its error on a circle falls as
exp(-2 pi d/h), h the spacing of the samples and d the distance to the wire. Turns fill a wing
concentrically from inner to outer diameter; the wire is thin and lies in the middle of its layer.
Two wings stand side by side along x, each tilted about y by the same angle so that the outer ends
come nearer to the head; the leads, which run side by side, are left out.

Reference: Deng, Lisanby & Peterchev, Brain Stimul 6:1 (2013), doi:10.1016/j.brs.2012.02.005.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase.fields.coils.coil import Coil
from rheobase.fields.coils.frame import OUTLINE_SPACING

SPACING = 0.003  # of the samples along a turn (m): error exp(-2 pi d/h) < 1e-6 from 7 mm on


@dataclass(frozen=True, kw_only=True, slots=True)
class Winding:
    """Geometry of a coil, as in ``data/coils.csv`` (lengths in mm, as the file has them).

    Parameters
    ----------
    name, model, maker, shape
        Name here and that of the maker, who it is, "figure-8", "circular", …
    wings
        2 side by side with opposite currents, or 1.
    outer_diameter_mm, inner_diameter_mm
        Of each wing, over the copper.
    centre_distance_mm
        Between the middles of the two wings, along x.
    centre_height_mm
        Of the middle of a wing (half-way up the copper) above the coil's origin.
    tilt_deg
        Angle between a wing and the plane z = 0.
    wire_width_mm
        Radial width of the wire.
    winding_height_mm
        Height of all layers together.
    casing_mm
        From the copper to the face of the casing.
    turns_per_layer, layers
        Turns of a wing.
    dIdt_max_A_per_us, stimulator
        Largest rate of change of the current, and the stimulator that gives it.
    source, status, remark
        Where the numbers come from, how sure they are, what to know of them.

    Raises
    ------
    InputError
        If the measures do not make a winding.
    """

    name: str
    wings: int
    outer_diameter_mm: float
    inner_diameter_mm: float
    turns_per_layer: int
    model: str = ""
    maker: str = ""
    shape: str = ""
    centre_distance_mm: float = 0.0
    centre_height_mm: float = 6.0
    tilt_deg: float = 0.0
    wire_width_mm: float = 1.75
    winding_height_mm: float = 6.0
    casing_mm: float = 3.0
    layers: int = 1
    dIdt_max_A_per_us: float | None = None
    stimulator: str = ""
    source: str = ""
    status: str = ""
    remark: str = ""

    def __post_init__(self) -> None:
        """Check the measures."""
        where = f"coil {self.name!r}"
        if self.wings not in (1, 2):
            raise InputError(f"expected 1 or 2 wings, got {self.wings}: {where}")
        if self.turns_per_layer < 1 or self.layers < 1:
            raise InputError(
                f"expected 1 or more turns and layers, got {self.turns_per_layer} and "
                f"{self.layers}: {where}"
            )
        lengths = (self.outer_diameter_mm, self.inner_diameter_mm, self.wire_width_mm)
        if not (np.isfinite(lengths).all() and min(lengths) > 0):
            raise InputError(f"diameters and wire_width_mm must be > 0, got {lengths}: {where}")
        room = 0.5 * (self.outer_diameter_mm - self.inner_diameter_mm)
        if room < self.wire_width_mm:
            raise InputError(
                f"a wire of {self.wire_width_mm:g} mm does not fit between the diameters of "
                f"{self.inner_diameter_mm:g} and {self.outer_diameter_mm:g} mm: {where}"
            )
        rest = (self.winding_height_mm, self.casing_mm, self.centre_distance_mm)
        if not (np.isfinite(rest).all() and min(rest) >= 0 and abs(self.tilt_deg) < 90):
            raise InputError(
                "winding_height_mm, casing_mm and centre_distance_mm must be >= 0 and tilt_deg "
                f"within 90, got {rest} and {self.tilt_deg}: {where}"
            )


@cache
def load_windings() -> dict[str, Winding]:
    """Return the shipped coil geometries by name."""
    text = files("rheobase.fields").joinpath("data/coils.csv").read_text(encoding="utf-8")
    table = {}
    for row in csv.DictReader(text.splitlines()):
        entry: dict[str, Any] = dict(row)
        for key, value in row.items():
            if key in ("wings", "turns_per_layer", "layers"):
                entry[key] = int(value)
            elif key.endswith(("_mm", "_deg")):
                entry[key] = float(value)
        most = row["dIdt_max_A_per_us"]
        entry["dIdt_max_A_per_us"] = float(most) if most else None
        table[row["name"]] = Winding(**entry)
    return table


def coil(name: str) -> Coil:
    """Return the shipped coil ``name`` in its own frame.

    Raises
    ------
    InputError
        If there is none, with the nearest names.

    Examples
    --------
    >>> tool = coil("magstim-70mm-figure8")
    >>> (1e3 * tool.positions.min(axis=0)).round(1).tolist()
    [-86.1, -42.6, 6.0]
    """
    table = load_windings()
    return wind(table[check_option("coil", name, table)])


def wind(winding: Winding) -> Coil:
    """Return the coil of a winding, in its own frame."""
    w = winding
    inner, outer, wire = (
        0.5e-3 * w.inner_diameter_mm,
        0.5e-3 * w.outer_diameter_mm,
        1e-3 * w.wire_width_mm,
    )
    height = 1e-3 * w.winding_height_mm
    radii = np.linspace(inner + wire / 2, outer - wire / 2, w.turns_per_layer)
    levels = (np.arange(w.layers) + 0.5) * height / w.layers - height / 2
    turns = [_turn(r, z) for z in levels for r in radii]
    middle = np.concatenate([t[0] for t in turns])
    step = np.concatenate([t[1] for t in turns])
    face = np.pad(_ring(inner, outer), ((0, 0), (0, 1)))
    face[:, 2] = -height / 2 - 1e-3 * w.casing_mm
    positions, segments, outline = [], [], []
    # the left wing runs anticlockwise seen from outside, the right one clockwise
    for side in (-1, 1) if w.wings == 2 else (0,):
        tilt = side * np.deg2rad(w.tilt_deg)
        c, s = np.cos(tilt), np.sin(tilt)
        R = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
        centre = 1e-3 * np.array([side * w.centre_distance_mm / 2, 0.0, w.centre_height_mm])
        order = slice(None, None, -1 if side == 1 else 1)  # elements follow the current
        positions.append(middle[order] @ R.T + centre)
        segments.append((-1.0 if side == 1 else 1.0) * step[order] @ R.T)
        outline.append(face @ R.T + centre)
    return Coil(
        name=w.name,
        positions=np.concatenate(positions),
        segments=np.concatenate(segments),
        outline=np.concatenate(outline),
        dIdt_max=None if w.dIdt_max_A_per_us is None else 1e6 * w.dIdt_max_A_per_us,
        stimulator=w.stimulator,
        brand=w.maker,
    )


def _turn(radius: float, z: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the elements of an anticlockwise circle: middles and vectors (m), shape (n, 3)."""
    n = int(np.ceil(2 * np.pi * radius / SPACING))
    a = 2 * np.pi * (np.arange(n) + 0.5) / n
    c, s, o = np.cos(a), np.sin(a), np.zeros(n)
    middle = np.stack([radius * c, radius * s, o + z], axis=1)
    return middle, 2 * np.pi * radius / n * np.stack([-s, c, o], axis=1)


def _ring(inner: float, outer: float) -> NDArray[np.float64]:
    """Return points (m) all over a ring, both rims included, shape (n, 2)."""
    count = max(int(np.ceil((outer - inner) / OUTLINE_SPACING)), 1)
    circles = []
    for r in np.linspace(inner, outer, count + 1):
        n = 2 * int(np.ceil(np.pi * r / OUTLINE_SPACING))
        a = 2 * np.pi * np.arange(n) / n
        circles.append(r * np.stack([np.cos(a), np.sin(a)], axis=1))
    return np.concatenate(circles)
