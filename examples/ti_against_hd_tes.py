# ruff: noqa: T201 (an example prints)
"""Temporal interference against HD-tES for the left hippocampus, with the same currents.

    python examples/ti_against_hd_tes.py [HEAD [RESOLUTION [PICTURE.png]]]

The modulation that two carriers make in a target never exceeds the field of the best HD-tES montage
with the same total current. What they can spare is the rest of the brain: the fronts of modulation
in the target against modulation elsewhere, for two carriers through any electrodes, for two pairs,
and for HD-tES whose current is modulated.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.dosing_views import draw_front
from rheobase.fields import lead_field, tissue_focality
from rheobase.fields.interference import envelope_max
from rheobase.fields.optimisation.interference import strongest_modulation
from rheobase.fields.optimisation.interference_front import modulation_front, sampled_nodes
from rheobase.fields.optimisation.interference_pairs import strongest_pairs
from rheobase.fields.optimisation.limits import Limits
from rheobase.fields.optimisation.target import region_target, rows
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.regions.region import ball
from rheobase.views import draw_slice, new_figure

HIPPOCAMPUS = (-0.028, -0.022, -0.014)  # m, MNI, left
RADIUS = 0.008  # m, of the target
BRAIN = ("grey_matter", "white_matter")
POSITIONS = (
    *("Fp1", "Fp2", "F7", "F8", "F9", "F10", "Fz", "F3", "F4", "FC5", "FC6", "FT7", "FT9"),
    *("T7", "T8", "T9", "T10", "C3", "C4", "Cz", "C5", "C6", "TP7", "TP9", "CP5", "CP6"),
    *("P7", "P8", "P9", "P10", "P3", "P4", "Pz", "PO7", "PO9", "O1", "O2", "Oz", "Iz"),
)
LIMITS = Limits(total=4e-3, each=2e-3)  # A, of both carriers together
POINTS, STARTS, NODES = 6, 2, 1000  # of the front, of each search, off target

Floats = NDArray[np.float64]


def main(
    head: Head | str = "mni152", resolution: str | None = None, out: str = "ti_against_hd_tes.png"
) -> dict[str, Any]:
    """Solve, optimise, print the table, draw; return the numbers."""
    if isinstance(head, str):
        head = build_head(head, resolution=resolution)
    region = ball(HIPPOCAMPUS, RADIUS, space="MNI", name="left hippocampus")
    target = region_target(head, region, tissues=BRAIN)  # before anything is solved
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lead_field.h5"
        field = lead_field(head, file, POSITIONS, tissues=BRAIN)  # V/m at 1 A, each
        C = rows(field, target)
        most = strongest_modulation(C, LIMITS, names=field.names)  # what HD-tES has at most, too
        d = C @ most.currents.sum(axis=0)
        along = (d / np.linalg.norm(d) @ C)[None]  # one row: the direction of that field
        two = strongest_pairs(along, LIMITS, names=field.names)
        E, volumes = sampled_nodes(head, field, target, tissues=BRAIN, count=NODES)
        front = modulation_front(
            along, E, volumes, LIMITS, names=field.names, points=POINTS, starts=STARTS
        )
        # at the same modulation in the target, each of the three
        k = max(i for i, pair in enumerate(front.pairs) if pair is not None)
        half = np.stack([front.single.optima[k].currents] * 2) / 2
        found = {
            "HD-tES, modulated": half,
            "two carriers, any electrodes": front.optima[k].currents,
            "two pairs": front.pairs[k].currents,
        }
        montages = {
            f"{name} {i}": dict(zip(field.names, x, strict=True))
            for name, currents in found.items()
            for i, x in enumerate(currents)
        }
        basis = field.basis(montages)

    print("4 mA in all, 2 mA an electrode; V/m, peak to peak")
    print(f"largest modulation, HD-tES and shared electrodes  {most.value:.3f}")
    print(f"largest modulation of two pairs                   {two.value:.3f}\n")
    print(f"{'at the same modulation':30s} target  elsewhere, rms  mean on/off  above 3/4 (cm3)")
    results: dict[str, Any] = {}
    for i, (name, currents) in enumerate(found.items()):
        a = [x[x > 0].sum() for x in currents]
        envelope = envelope_max(np.array(a)[:, None, None] * basis.E[2 * i : 2 * i + 2])
        spread = tissue_focality(basis, envelope, head, tissues=BRAIN, target=region)
        T = envelope_max(np.tensordot(currents, E, axes=1))
        rms = float(np.sqrt(T**2 @ volumes / volumes.sum()))
        value = float(2 * np.abs(along @ currents.T).min())
        results[name] = {"value": value, "rms": rms, "envelope": envelope, "focality": spread}
        print(
            f"{name:30s} {value:6.3f} {rms:15.4f} {spread.target.ratio:12.2f} "
            f"{spread.above[0.75] * 1e6:16.1f}"
        )
        for x in currents[: 1 if np.array_equal(*currents) else 2]:
            used = sorted(zip(field.names, x, strict=True), key=lambda item: -abs(item[1]))
            print("  " + ", ".join(f"{e} {1e3 * c:+.2f}" for e, c in used[:6] if abs(c) > 5e-6))
    results |= {"front": front, "most": most, "pairs": two}
    draw(head, basis, target.centre, results, list(found), out)
    return results


def draw(
    head: Head,
    basis: Any,
    centre: Floats,
    results: dict[str, Any],
    names: list[str],
    out: str,
) -> None:
    """Draw the fronts, and the modulation in a frontal section for each of the three."""
    from matplotlib.colors import Normalize

    figure = new_figure(16.0, 4.2)
    curve, *sections = figure.subplots(1, 1 + len(names), width_ratios=(1.2, 1, 1, 1))
    front = results["front"]
    has = np.isfinite(front.pairs_rms)
    draw_front(
        curve,
        {
            "two carriers, any electrodes": (front.value, front.rms),
            "HD-tES, modulated": (front.single.value, front.single.rms),
            "two pairs": (front.value[has], front.pairs_rms[has]),
        },
        xlabel="rest of the brain, rms of the modulation (V/m)",
        ylabel="modulation in the hippocampus (V/m)",
    )
    limit = max(results[name]["focality"].reference for name in names)
    for panel, name in zip(sections, names, strict=True):
        shown = draw_slice(
            panel,
            head,
            lambda points, v=results[name]["envelope"]: basis.interpolate(v, points),
            axis=1,
            at=centre[1],
            norm=Normalize(0, limit),
            margin=0.02,
        )
        panel.plot(centre[0] * 1e3, centre[2] * 1e3, "o", mfc="none", mec="red", ms=12)
        panel.set_title(f"{name}; {panel.get_title()}", fontsize=9)
    figure.colorbar(shown, ax=sections, label="modulation, peak to peak (V/m)", extend="max")
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
