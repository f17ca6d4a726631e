# ruff: noqa: T201 (an example prints)
"""Pads of 5 x 7 cm against a 4 x 1 ring of small electrodes: how focal, how strong.

    python examples/pads_against_hd.py [HEAD [RESOLUTION [PICTURE.png]]]

Both give 2 mA over the left hand area (C3). The current of the pads leaves above the right eye, a
quarter of that of the ring through each of four discs 5 cm around the centre.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from rheobase.field_views import draw_cortex
from rheobase.fields import (
    Montage,
    Rectangle,
    layer,
    montage_4x1,
    place_electrode,
    solve_conduction,
    tissue_focality,
)
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.regions.region import ball
from rheobase.scenes.device import electrode_layers
from rheobase.views import new_figure

CURRENT = 2e-3  # A
HAND = (-0.037, -0.021, 0.058)  # m, MNI: the hand knob of the left precentral gyrus
FRACTIONS = tuple(np.round(np.arange(0.05, 1.0, 0.05), 2).tolist())


def main(
    head: Head | str = "mni152", resolution: str | None = None, out: str = "pads_against_hd.png"
) -> dict[str, Any]:
    """Solve, print the table, draw; return the numbers."""
    if isinstance(head, str):
        head = build_head(head, resolution=resolution)
    pad = {"shape": Rectangle(width_mm=50, height_mm=70), "layers": [layer("sponge")]}
    c3 = place_electrode(head, "C3", towards="Cz", **pad)
    fp2 = place_electrode(head, "Fp2", rotation_deg=90, **pad)
    pads = Montage(name="5 x 7 cm pads", electrodes=(c3, fp2), currents=(CURRENT, -CURRENT))
    ring = montage_4x1(head, centre="C3", current=CURRENT, ring=0.05)
    basis = solve_conduction(head, [pads, ring])  # V/m at 1 A, one field for each

    target = ball(HAND, 0.020, space="MNI", name="hand area")
    results = {}
    for k, (montage, report) in enumerate(zip((pads, ring), basis.report, strict=True)):
        strength = basis.magnitude(CURRENT * np.eye(2)[k])
        results[montage.name] = {
            "montage": montage,
            "strength": strength,
            "focality": tissue_focality(basis, strength, head, target=target, fractions=FRACTIONS),
            "impedance": report.impedance,
        }
    print(f"grey matter at 2 mA                 {pads.name:>15s} {ring.name:>12s}")
    for what, of in (
        ("|E|, 99.9 % (V/m)", lambda f: f.reference),
        ("mean in the target (V/m)", lambda f: f.target.mean),
        ("mean elsewhere (V/m)", lambda f: f.target.mean_elsewhere),
        ("target over elsewhere", lambda f: f.target.ratio),
        ("above half the 99.9 % (cm³)", lambda f: f.above[0.5] * 1e6),
        ("... of that in the target (%)", lambda f: f.target.share[0.5] * 100),
        ("above three quarters (cm³)", lambda f: f.above[0.75] * 1e6),
    ):
        values = [of(r["focality"]) for r in results.values()]
        print(f"{what:35s} {values[0]:15.3g} {values[1]:12.3g}")
    ohms = [r["impedance"] for r in results.values()]
    print(f"{'impedance (ohm)':35s} {ohms[0]:15.0f} {ohms[1]:12.0f}")
    draw(head, basis, results, out)
    return results


def draw(head: Head, basis: Any, results: dict[str, Any], out: str) -> None:
    """Draw |E| on the cortex under each montage, and the grey matter above each fraction."""
    figure = new_figure(14.0, 4.4)
    *panels, curve = figure.subplots(1, 3, width_ratios=(1, 1, 0.85))
    for panel, (name, result) in zip(panels, results.items(), strict=True):
        focality, pads = result["focality"], electrode_layers(head, result["montage"])
        on_cortex, _ = basis.interpolate(result["strength"], head.cortex.points(0.5))
        shown = draw_cortex(
            panel,
            head,
            on_cortex,
            limit=focality.reference,
            view=(-0.8, 0.15, 0.65),
            devices=pads,
        )
        panel.set_title(name, fontsize=10)
        figure.colorbar(shown, ax=panel, label="|E| at 2 mA (V/m)", shrink=0.8)
        volume = [focality.above[f] * 1e6 for f in FRACTIONS]
        curve.semilogy(np.array(FRACTIONS) * 100, volume, label=name)
    curve.set(xlabel="% of its own 99.9th percentile", ylabel="grey matter above it (cm³)")
    curve.legend(frameon=False)
    curve.spines[["top", "right"]].set_visible(False)
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
