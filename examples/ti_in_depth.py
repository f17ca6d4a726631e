# ruff: noqa: T201 (an example prints)
"""Aim temporal interference at a deep target: the left hippocampus.

    python examples/ti_in_depth.py [HEAD [RESOLUTION [PICTURE.png]]]

A lead field makes every montage of its electrodes an algebraic sum. Two pairs are searched whose
envelope is strongest in the target against the rest of the brain; a third pair is added to them.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.field_views import draw_cortex
from rheobase.fields import (
    Carriers,
    Disc,
    FieldBasis,
    LeadField,
    Montage,
    envelope_max,
    lead_field,
    place_electrode,
    tissue_focality,
)
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.regions.region import ball
from rheobase.scenes.device import electrode_layers
from rheobase.views import COLOURS, draw_slice, new_figure

HIPPOCAMPUS = (-0.028, -0.022, -0.014)  # m, MNI, left
RADIUS = 0.008  # m, of the target
BRAIN = ("grey_matter", "white_matter")
FRONT = ("Fp1", "Fp2", "F7", "F8", "F9", "F10", "Fz", "FC5")
MIDDLE = ("T7", "T8", "T9", "T10", "C3", "C4", "Cz")
BACK = ("P7", "P8", "P9", "P10", "Pz", "Oz")
CURRENT = 2e-3  # A through each of two pairs, 4 mA in all
TWO = Carriers(frequencies=(2000.0, 2010.0))
THREE = Carriers(frequencies=(2000.0, 2010.0, 2020.0))

Pair = tuple[str, str]
Floats = NDArray[np.float64]


def main(
    head: Head | str = "mni152", resolution: str | None = None, out: str = "ti_in_depth.png"
) -> dict[str, Any]:
    """Solve, search, print the table, draw; return the numbers."""
    if isinstance(head, str):
        head = build_head(head, resolution=resolution)
    with tempfile.TemporaryDirectory() as folder:
        field = lead_field(head, Path(folder) / "lead_field.h5", FRONT + MIDDLE + BACK)
        pairs = search(head, field)
        basis = field.basis({f"{a}-{b}": {a: 1.0, b: -1.0} for a, b in pairs})
    E = CURRENT * basis.E
    brain = in_brain(head, basis.split_label)
    envelopes = np.zeros((2, len(brain)))  # elsewhere they are not asked for
    envelopes[0, brain] = envelope_max(E[:2, brain], TWO)
    envelopes[1, brain] = envelope_max(2 / 3 * E[:, brain], THREE)
    quantities = {
        f"|E1|, {basis.names[0]} alone": np.linalg.norm(E[0], axis=1),
        f"|E2|, {basis.names[1]} alone": np.linalg.norm(E[1], axis=1),
        "|E| of both, largest": np.linalg.norm([E[0] + E[1], E[0] - E[1]], axis=2).max(axis=0),
        "envelope of two pairs": envelopes[0],
        f"envelope of three, + {basis.names[2]}": envelopes[1],
    }
    target = ball(HIPPOCAMPUS, RADIUS, space="MNI", name="left hippocampus")
    print("4 mA in all; V/m                  target    brain 99.9 %    ratio    target/elsewhere")
    results = {}
    for name, strength in quantities.items():
        f = tissue_focality(basis, strength, head, tissues=BRAIN, target=target)
        results[name] = {
            "target": f.target.mean,
            "brain": f.reference,
            "ratio": f.target.mean / f.reference,
            "elsewhere": f.target.ratio,
        }
        print("{:32s} {:7.3f} {:15.3f} {:8.2f} {:19.2f}".format(name, *results[name].values()))
    draw(head, basis, pairs, list(quantities.values()), out)
    return results


def in_brain(head: Head, labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return which labels are those of the brain."""
    return np.isin(labels, [head.label_of(name) for name in BRAIN])


def search(head: Head, field: LeadField) -> list[Pair]:
    """Return the two pairs with the best ratio of target to brain, and the best third."""
    brain = np.flatnonzero(in_brain(head, field.split.label))
    away = head.mesh.nodes[field.split.node[brain]] - head.from_mni(HIPPOCAMPUS)[0]
    near = brain[np.linalg.norm(away, axis=1) < RADIUS]
    sample = brain[:: max(1, len(brain) // 1000)]
    inside, outside = (
        {
            (a, b): unit[i] - unit[j]  # V/m per A from a to b
            for (i, a), (j, b) in combinations(enumerate(field.names), 2)
        }
        for unit in (field.at(near), field.at(sample))
    )

    def strength(chosen: tuple[Pair, ...], carriers: Carriers) -> float:
        return float(envelope_max([inside[pair] for pair in chosen], carriers).mean())

    def score(chosen: tuple[Pair, ...], carriers: Carriers, every: int = 1) -> float:
        brain = envelope_max([outside[pair][::every] for pair in chosen], carriers)
        return strength(chosen, carriers) / float(np.percentile(brain, 99))

    two = [c for c in combinations(inside, 2) if len({*c[0], *c[1]}) == 4]
    two.sort(key=lambda chosen: strength(chosen, TWO), reverse=True)
    best = max(two[:500], key=lambda chosen: score(chosen, TWO))
    rest = [pair for pair in inside if not {*pair} & {*best[0], *best[1]}]
    third = max(rest, key=lambda pair: score((*best, pair), THREE, every=5))
    return [*best, third]


def draw(
    head: Head, basis: FieldBasis, pairs: list[Pair], quantities: list[Floats], out: str
) -> None:
    """Draw the pairs, carriers and envelope in a section, and both along a line."""
    from matplotlib.colors import Normalize

    target = head.from_mni(HIPPOCAMPUS)[0]
    first, second, both, envelope, _ = quantities
    limit = float(np.percentile(envelope[envelope > 0], 99.9))
    figure = new_figure(17.0, 4.3)
    pads, *sections, curve = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1))

    montages = [
        Montage(
            name=f"{a}-{b}",
            electrodes=tuple(
                place_electrode(head, name, shape=Disc(radius_mm=6.0)) for name in (a, b)
            ),
            currents=(CURRENT, -CURRENT),
        )
        for a, b in pairs[:2]
    ]
    devices = electrode_layers(head, montages, colours=COLOURS[:2])
    on_cortex, _ = basis.interpolate(envelope, head.cortex.points(0.5))
    draw_cortex(pads, head, on_cortex, limit=limit, view=(-0.9, 0.45, 0.15), devices=devices)
    pads.set_title(f"envelope on the cortex; {', '.join(basis.names[:2])}", fontsize=10)

    for panel, strength, name in zip(
        sections, (both, envelope), ("carriers, |E1 ± E2|", "envelope, peak to peak"), strict=True
    ):
        shown = draw_slice(
            panel,
            head,
            lambda points, strength=strength: basis.interpolate(strength, points),
            axis=1,
            at=target[1],
            norm=Normalize(0, limit),
            margin=0.025,
        )
        panel.plot(target[0] * 1e3, target[2] * 1e3, "o", mfc="none", mec="red", ms=12)
        panel.set_title(f"{name}; {panel.get_title()}", fontsize=10)
    figure.colorbar(shown, ax=sections, label="V/m", shrink=0.9, extend="max")

    x = np.arange(head.mesh.nodes[:, 0].min(), head.mesh.nodes[:, 0].max(), 5e-4)
    line = np.column_stack([x, np.full_like(x, target[1]), np.full_like(x, target[2])])
    for strength, name in zip(
        (first, second, envelope), (*basis.names[:2], "envelope"), strict=True
    ):
        value, tet = basis.interpolate(strength, line)
        value[~in_brain(head, np.where(tet >= 0, head.mesh.labels[tet], -1))] = np.nan
        curve.plot(x * 1e3, value, label=name, lw=2 if name == "envelope" else 1)
    curve.axvline(target[0] * 1e3, color="red", lw=0.8)
    curve.set(xlabel="x, left to right, through the target (mm)", ylabel="V/m", ylim=0)
    curve.legend(frameon=False)
    curve.spines[["top", "right"]].set_visible(False)
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
