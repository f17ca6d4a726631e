# ruff: noqa: T201 (an example prints)
"""Dose a montage: what 2 mA through two pads do in a head, and what a target needs.

    python examples/dose_a_montage.py [HEAD [RESOLUTION [PICTURE.png]]]

Pads of 5 x 7 cm on saline sponges over the left motor cortex (C3) and above the right eye (Fp2).
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from rheobase.field_views import draw_cortex
from rheobase.fields import (
    Montage,
    Rectangle,
    error_table,
    layer,
    place_electrode,
    solve_conduction,
)
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.regions.region import ball, tissue_region
from rheobase.meshes.regions.statistics import region_table
from rheobase.scenes.device import electrode_layers
from rheobase.views import draw_slice, new_figure

CURRENT = 2e-3  # A
HAND = (-0.037, -0.021, 0.058)  # m, MNI: the hand knob of the left precentral gyrus
FRONT = (-0.040, 0.038, 0.030)  # m, MNI: left dorsolateral prefrontal cortex
WANTED = 0.2  # V/m, mean in the target


def main(
    head: Head | str = "mni152", resolution: str | None = None, out: str = "dose_a_montage.png"
) -> dict[str, Any]:
    """Solve, print the tables, draw; return the numbers."""
    if isinstance(head, str):
        head = build_head(head, resolution=resolution)

    # The montage: what is placed where, and the current into the head through each electrode.
    pad = {"shape": Rectangle(width_mm=50, height_mm=70), "layers": [layer("sponge")]}
    c3 = place_electrode(head, "C3", towards="Cz", **pad)
    fp2 = place_electrode(head, "Fp2", rotation_deg=90, **pad)
    montage = Montage(name="C3-Fp2", electrodes=(c3, fp2), currents=(CURRENT, -CURRENT))

    # The field at a total current of 1 A; everything else is algebra on it.
    basis = solve_conduction(head, montage)
    report = basis.report[0]
    strength = basis.magnitude([CURRENT])  # |E| (V/m), one value for each node and tissue

    print("electrode   asked (mA)   delivered (mA)")
    for name, asked, given in zip(report.electrodes, report.asked, report.delivered, strict=True):
        print(f"{name:9s}   {asked * CURRENT * 1e3:10.3f}   {given * CURRENT * 1e3:14.6f}")
    print(f"impedance of the pair: {report.impedance:.0f} ohm\n")

    # Tissues and regions in one table, the estimated error of the field beside each.
    grey = tissue_region("grey_matter")
    hand = ball(HAND, 0.010, space="MNI", name="hand area") & grey
    front = ball(FRONT, 0.010, space="MNI", name="prefrontal") & grey
    regions = [*(tissue_region(t.name) for t in head.tissues.values()), hand, front]
    rows = region_table(regions, head, strength, corners=basis.split_of_tet)
    errors = error_table(basis, [CURRENT], head=head, regions=regions)
    print("|E| at 2 mA (V/m)           volume (cm3)    mean    median    99 %   99.9 %   error")
    for row, error in zip(rows, errors, strict=True):
        row["error"] = error["relative"]
        print(
            f"{row['region']!s:26s} {row['volume_mm3'] / 1e3:13.1f} {row['mean']:7.3f}"
            f" {row['p50']:9.3f} {row['p99']:7.3f} {row['p99.9']:8.3f} {row['error']:7.1%}"
        )

    # The current that the target needs. The field is proportional to it.
    in_target = float(rows[-2]["mean"])
    needed = CURRENT * WANTED / in_target
    print(
        f"\n{WANTED:g} V/m on average in the hand area need {needed * 1e3:.2f} mA "
        f"({in_target:.3f} V/m at {CURRENT * 1e3:g} mA)"
    )
    draw(head, montage, basis, strength, needed / CURRENT, out)
    return {"rows": rows, "report": report, "needed": needed, "basis": basis}


def draw(head: Head, montage: Montage, basis: Any, strength: Any, scale: float, out: str) -> None:
    """Draw |E| on the cortex and in a section, and how much grey matter gets how much."""
    from matplotlib.colors import Normalize

    label = head.label_of("grey_matter")
    limit = float(basis.percentiles(strength, label, [99.9])[0])
    target = head.from_mni(HAND)[0]
    figure = new_figure(14.0, 4.4)
    cortex, section, curve = figure.subplots(1, 3, width_ratios=(1.05, 1.1, 0.95))

    on_cortex, _ = basis.interpolate(strength, head.cortex.points(0.5))
    pads = electrode_layers(head, montage)
    draw_cortex(cortex, head, on_cortex, limit=limit, view=(-0.55, 0.6, 0.6), devices=pads)
    cortex.set_title("|E| at mid-depth of the cortex, 2 mA", fontsize=10)

    shown = draw_slice(
        section,
        head,
        lambda points: basis.interpolate(strength, points),
        axis=1,
        at=target[1],
        norm=Normalize(0, limit),
        margin=0.025,
    )
    section.plot(target[0] * 1e3, target[2] * 1e3, "o", mfc="none", mec="red", ms=11)
    figure.colorbar(shown, ax=section, label="|E| at 2 mA (V/m)", shrink=0.9)

    inside = basis.split_label == label
    field, volume = strength[inside], basis.split_volume[inside] * 1e6
    levels = np.linspace(0, 1.2 * limit, 200)
    for factor, colour in ((1.0, "#0072b2"), (scale, "#d55e00")):
        above = [volume[factor * field >= level].sum() for level in levels]
        curve.semilogy(levels, above, color=colour, label=f"{factor * CURRENT * 1e3:.2f} mA")
    curve.axvline(WANTED, color="0.6", lw=1)
    curve.set(xlabel="|E| (V/m)", ylabel="grey matter above it (cm³)", xlim=0, ylim=0.1)
    curve.legend(frameon=False)
    curve.spines[["top", "right"]].set_visible(False)
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
