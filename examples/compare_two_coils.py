# ruff: noqa: T201 (an example prints)
"""Compare two TMS coils at one target: a figure-of-eight and a round coil.

    python examples/compare_two_coils.py [HEAD [RESOLUTION [PICTURE.png]]]

The figure-of-eight has its middle over the hand area. Below the middle of a round coil there is no
field, so it is shifted in its own plane until its winding runs over the target.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.field_views import draw_cortex
from rheobase.fields import (
    Coil,
    Conductor,
    FieldBasis,
    coil,
    place_coil,
    solve_induction,
    tissue_focality,
)
from rheobase.fields.coils.placing import stand
from rheobase.fields.coils.windings import load_windings
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.regions.region import ball, tissue_region
from rheobase.meshes.regions.statistics import summarise_region
from rheobase.scenes.device import coil_layers
from rheobase.views import new_figure

EIGHT, ROUND = "magstim-70mm-figure8", "circular-90mm"
HAND = (-0.037, -0.021, 0.058)  # m, MNI: the hand knob of the left precentral gyrus
WANTED = 100.0  # V/m, median in the target
DEPTH = np.arange(0.0, 0.0701, 0.0005)  # m, below the scalp


def main(
    head: Head | str = "mni152", resolution: str | None = None, out: str = "compare_two_coils.png"
) -> dict[str, Any]:
    """Solve, print the table, draw; return the numbers."""
    if isinstance(head, str):
        head = build_head(head, resolution=resolution)
    eight, circle = coils = coils_over_target(head)
    basis = solve_induction(Conductor(head), coils)  # V/m at dI/dt = 1 A/s, one field for each

    # The line from under the coil straight inwards, and |E| along it.
    origin, inwards = eight.pose[:3, 3], -eight.pose[:3, 2]
    scalp, _ = Scalp(head.mesh).nearest(origin)
    line = scalp + DEPTH[:, None] * inwards
    profiles = np.linalg.norm(basis.at(line)[0], axis=2)

    target = ball(HAND, 0.010, space="MNI", name="hand area") & tissue_region("grey_matter")
    results = {}
    for k, name in enumerate((EIGHT, ROUND)):
        strength = basis.magnitude(np.eye(2)[k])
        at_target = summarise_region(target, head, strength, corners=basis.split_of_tet)
        scale = WANTED / at_target.percentiles[50]  # dI/dt (A/s) that the target needs
        spread = tissue_focality(basis, scale * strength, head, target=target)
        results[name] = {
            "dIdt": scale,
            "strength": scale * strength,
            "peak": spread.reference,
            "half volume": spread.above[0.5],
            "depth": half_depth(basis, head, scale * profiles[k], line),
            "profile": scale * profiles[k],
        }
    print(f"for {WANTED:g} V/m in the hand area {EIGHT:>22s} {ROUND:>15s}")
    for what, unit, key, factor in (
        ("dI/dt", "A/µs", "dIdt", 1e-6),
        ("peak of grey matter (99.9 %)", "V/m", "peak", 1.0),
        ("grey matter above half the peak", "cm³", "half volume", 1e6),
        ("depth below the cortex of half", "mm", "depth", 1e3),
    ):
        values = [results[name][key] * factor for name in (EIGHT, ROUND)]
        print(f"{what + ' (' + unit + ')':38s} {values[0]:15.1f} {values[1]:15.1f}")
    draw(head, basis, {EIGHT: eight, ROUND: circle}, line, results, out)
    return results


def coils_over_target(head: Head) -> list[Coil]:
    """Place both coils so that the strongest current runs over the target, in one direction."""
    eight = place_coil(coil(EIGHT), head, target=HAND, space="MNI", handle_angle_deg=45)
    w = load_windings()[ROUND]
    radius = (w.outer_diameter_mm + w.inner_diameter_mm) / 4 * 1e-3  # of the middle turn
    sideways = np.eye(4)
    sideways[0, 3] = -radius  # its current at the target then has the direction of the other's
    circle = stand(coil(ROUND), Scalp(head.mesh), eight.pose @ sideways, contact="lift")
    return [eight, circle]


def half_depth(
    basis: FieldBasis, head: Head, profile: NDArray[np.float64], line: NDArray[np.float64]
) -> float:
    """Return how far below the first grey matter (m) |E| is half of what it is there."""
    tet = basis.locator.locate(line)[0]
    cortex = int(np.argmax(head.mesh.labels[tet] == head.label_of("grey_matter")))
    below = np.flatnonzero(profile[cortex:] < 0.5 * profile[cortex])
    return float(DEPTH[cortex + below[0]] - DEPTH[cortex])


def draw(
    head: Head,
    basis: FieldBasis,
    coils: dict[str, Coil],
    line: NDArray[np.float64],
    results: dict[str, Any],
    out: str,
) -> None:
    """Draw |E| on the cortex below each coil, and along the line inwards."""
    figure = new_figure(14.0, 4.4)
    *panels, curve = figure.subplots(1, 3, width_ratios=(1, 1, 0.95))
    limit = max(r["peak"] for r in results.values())
    for panel, (name, tool) in zip(panels, coils.items(), strict=True):
        on_cortex, _ = basis.interpolate(results[name]["strength"], head.cortex.points(0.5))
        shown = draw_cortex(
            panel, head, on_cortex, limit=limit, view=(-0.75, 0.25, 0.8), devices=coil_layers(tool)
        )
        panel.set_title(f"{name}, {results[name]['dIdt'] * 1e-6:.0f} A/µs", fontsize=10)
        curve.plot(DEPTH * 1e3, results[name]["profile"], label=name)
    figure.colorbar(shown, ax=panels, label="|E| at mid-depth of the cortex (V/m)", shrink=0.8)
    tet = basis.locator.locate(line)[0]
    ends = np.flatnonzero(np.diff(head.mesh.labels[tet], prepend=-1, append=-1))
    for first, last in pairwise(ends.tolist()):  # the tissues along the line
        name = head.tissues[int(head.mesh.labels[tet[first]])].name.replace("_", " ")
        low, high = DEPTH[first] * 1e3, DEPTH[min(last, len(DEPTH) - 1)] * 1e3
        curve.axvline(high, color="0.85", lw=0.8, zorder=0)
        turned = 90 if high - low < 15 else 0
        if high - low > 2.5:
            curve.text((low + high) / 2, 5, name, rotation=turned, ha="center", color="0.5", size=8)
    curve.set(xlabel="depth below the scalp, through the target (mm)", ylabel="|E| (V/m)")
    curve.set(ylim=0, xlim=(0, DEPTH[-1] * 1e3))
    curve.legend(frameon=False)
    curve.spines[["top", "right"]].set_visible(False)
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
