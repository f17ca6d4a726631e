"""What the report says of a device before its field: what it is, where it is, what it carries."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.report import Section, Table

if TYPE_CHECKING:
    from rheobase.fields.coils.coil import Coil
    from rheobase.fields.electrodes.electrode import Electrode
    from rheobase.fields.electrodes.montage import Montage
    from rheobase.stations.book import Book
    from rheobase.stations.placing import Placed


def write_device(placed: Placed, book: Book) -> None:
    """Tell of the placed device."""
    if placed.coil is not None:
        gap = _off(placed.coil, placed)
        table = coil_table(placed.coil, gap)
        fact = f"{placed.coil.name}, middle {gap:.1f} mm off the scalp"
    else:
        table = electrodes_table(placed.montages)
        fact = "; ".join(_montage(m) for m in placed.montages)
    book.facts["Device"] = fact
    book.sections.append(Section(title="Device", tables=[table]))


def coil_table(coil: Coil, gap: float) -> Table:
    """Return what a coil is and where it stands, ``gap`` (mm) off the scalp."""
    rows = [("coil", coil.name)]
    rows += [(k, v) for k, v in (("brand", coil.brand), ("stimulator", coil.stimulator)) if v]
    parts = {
        "line elements": len(coil.segments),
        "magnetic dipoles": len(coil.dipoles),
        "fields on a grid": len(coil.sampled),
    }
    rows.append(("made of", ", ".join(f"{n:,} {what}" for what, n in parts.items() if n)))
    rows.append(("middle of its face (mm)", _mm(coil.pose[:3, 3])))
    rows.append(("from there to the scalp (mm)", f"{gap:.1f}"))
    rows.append(("handle points to", ", ".join(f"{c:.3f}" for c in coil.pose[:3, 1])))
    if coil.dIdt_max is not None:
        rows.append(("most that the stimulator gives (A/µs)", f"{1e-6 * coil.dIdt_max:g}"))
    return Table(columns=("part", "what"), rows=rows)


def _off(coil: Coil, placed: Placed) -> float:
    """Return how far the middle of a coil's face is from the scalp (mm)."""
    from rheobase.meshes.placing.scalp import Scalp

    return 1e3 * Scalp(placed.head.mesh).nearest(coil.pose[:3, 3])[1]


def electrodes_table(montages: tuple[Montage, ...]) -> Table:
    """Return every electrode with its current, and what that is per area."""
    return Table(
        columns=(
            *("electrode", "montage", "at (mm)", "outline", "layers", "model"),
            *("current (mA)", "mean current density (mA/cm²)"),
        ),
        rows=[
            (
                e.name,
                m.name,
                _mm(e.centre),
                outline(e.shape),
                _layers(e),
                e.model,
                1e3 * current,
                0.1 * current / e.shape.area,
            )
            for m in montages
            for e, current in zip(m.electrodes, m.currents, strict=True)
        ],
    )


def outline(shape: Any) -> str:
    """Return an outline in words: ``disc, radius 10 mm``."""
    kind = type(shape).__name__.lower()
    sizes = {f.name.removesuffix("_mm").replace("_", " "): getattr(shape, f.name)
             for f in fields(shape)}  # fmt: skip
    numbers = [f"{k} {v:g} mm" for k, v in sizes.items() if isinstance(v, int | float) and v]
    return ", ".join([kind, *numbers])


def _layers(electrode: Electrode) -> str:
    if electrode.model == "ideal":
        return ""
    return ", ".join(f"{x.name} {x.thickness_mm:g} mm" for x in electrode.layers)


def _montage(montage: Montage) -> str:
    currents = zip(montage.electrodes, montage.currents, strict=True)
    return ", ".join(f"{e.name} {1e3 * i:+.3g} mA" for e, i in currents if i)


def _mm(point: Any) -> str:
    return ", ".join(f"{c:.1f}" for c in np.asarray(point) * 1e3)
