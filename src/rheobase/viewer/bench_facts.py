"""What a moved device means: currents, voltages, strengths, what the stimulator gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rheobase.viewer.bench import Bench
    from rheobase.viewer.placing import Moved

Rows = list[tuple[str, str]]


def rows_of(bench: Bench, moved: Moved) -> Rows:
    """Return what a person should know of a moved device, as rows of a table.

    Parameters
    ----------
    bench
        The head.
    moved
        The device and its field.

    Returns
    -------
    list of (str, str)
        Place and amplitude of each source, the strongest field in the grey matter and where it is,
        voltages and current densities of electrodes, the distance of a coil and the limit of its
        stimulator, and what the field was made of.
    """
    from rheobase.viewer.placing import nearest_position

    rows: Rows = []
    head, rig = bench.head, moved.rig
    named = bool(head.positions)
    if rig.coil is not None:
        rows.append(("dI/dt", f"{1e-6 * rig.dIdt:.4g} A/µs"))
        most = rig.coil.dIdt_max
        if most is not None:
            over = " — more than the stimulator gives" if rig.dIdt > most else ""
            rows.append(("stimulator's maximum", f"{1e-6 * most:.4g} A/µs{over}"))
        middle = rig.coil.pose[:3, 3]
        foot, away = bench.scalp.nearest(middle)
        rows.append(("coil's face to the scalp", f"{1e3 * away:.1f} mm"))
        rows += [("note", note) for note in rig.coil.notes if "lifted" in note]
        if named:
            rows.append(("over", _near(*nearest_position(head, foot))))
    volts = iter(moved.voltages)
    for montage in rig.montages:
        for e, current in zip(montage.electrodes, montage.currents, strict=True):
            volt = next(volts, None)
            parts = [f"{1e3 * current:+.3g} mA"]
            if volt is not None:
                parts.append(f"{volt:+.2f} V")
            if named:
                parts.append(f"at {_near(*nearest_position(head, e.centre))}")
            rows.append((f"electrode {e.name}", ", ".join(parts)))
            density = 1e3 * abs(current) / (1e4 * _area(bench, e))
            rows.append(("mean current density", f"{density:.3g} mA/cm²"))
    rows += _strongest(bench, moved)
    if moved.error is not None:
        rows.append(("estimated error of the modes", f"{moved.error:.1%}"))
    rows.append(("field", moved.how))
    rows.append(("solved in", f"{moved.seconds:.1f} s"))
    return rows


def _strongest(bench: Bench, moved: Moved) -> Rows:
    strength = moved.strength[bench.grey]
    if not np.isfinite(strength).any():
        return []
    best = bench.grey[int(np.nanargmax(strength))]
    place = bench.head.mesh.nodes[bench.split.node[best]]
    where = ", ".join(f"{1e3 * x:.0f}" for x in place)
    return [
        ("grey matter, 99.9th percentile", f"{bench.robust(moved.strength):.3g} V/m"),
        ("grey matter, largest", f"{moved.strength[best]:.3g} V/m at ({where}) mm"),
    ]


def _area(bench: Bench, electrode: object) -> float:
    """Return the skin (m²) under an electrode."""
    from rheobase.fields.electrodes.pads import lay

    return float(lay(electrode, bench.scalp).area)  # type: ignore[arg-type]


def _near(name: str, away: float) -> str:
    return name if away < 5e-4 else f"{1e3 * away:.0f} mm from {name}"
