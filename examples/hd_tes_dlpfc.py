# ruff: noqa: T201 (an example prints)
"""Find the HD-tES montage for the left dorsolateral prefrontal cortex.

    python examples/hd_tes_dlpfc.py [HEAD [RESOLUTION [PICTURE.png]]]

A lead field of all 10-10 positions makes the field of any currents a sum, and what they do to the
target a row of numbers. The largest field into the cortex, and the least field elsewhere for half
of it, are then small programmes with proved optima; a 4 x 1 ring and two usual electrodes compare.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from rheobase.dosing_views import draw_currents, draw_front, flat_head
from rheobase.field_views import draw_cortex
from rheobase.fields import lead_field, tissue_focality
from rheobase.fields.optimisation.energy import off_target_energy
from rheobase.fields.optimisation.limits import Limits
from rheobase.fields.optimisation.target import region_target, rows
from rheobase.fields.optimisation.tes import focal, max_intensity, pareto
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.regions.region import ball
from rheobase.scenes.device import target_layer
from rheobase.views import new_figure

DLPFC = (-0.038, 0.044, 0.026)  # m, MNI: Mir-Moghtadaei et al. 2015, Brain Stimul 8:965
RADIUS = 0.010  # m, of the target
BRAIN = ("grey_matter", "white_matter")
POSITIONS: tuple[str, ...] | None = None  # all 10-10 positions of the head
LIMITS = Limits(total=2e-3, each=1e-3)  # A
FEW = Limits(total=2e-3, each=1e-3, electrodes=6)
USUAL = {
    "F3 4x1": {"F3": 2e-3, "F1": -5e-4, "F5": -5e-4, "AF3": -5e-4, "FC3": -5e-4},
    "F3-Fp2": {"F3": 2e-3, "Fp2": -2e-3},
}
POINTS = 12  # of the front


def main(
    head: Head | str = "mni152", resolution: str | None = None, out: str = "hd_tes_dlpfc.png"
) -> dict[str, Any]:
    """Solve, optimise, print the table, draw; return the numbers."""
    if isinstance(head, str):
        head = build_head(head, resolution=resolution)
    region = ball(DLPFC, RADIUS, space="MNI", name="left DLPFC")
    target = region_target(head, region).along_columns(head)  # before anything is solved
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lead_field.h5"
        field = lead_field(head, file, POSITIONS, tissues=BRAIN)  # V/m at 1 A, each
        C = rows(field, target)  # what 1 A through each electrode does to the target
        Q = off_target_energy(head, field, target, tissues=BRAIN)  # and to the rest
        strongest = max_intensity(C, LIMITS, names=field.names, Q=Q)
        half = 0.5 * strongest.value
        found = {
            "strongest": strongest.montage(),
            "focal": focal(C, Q, LIMITS, value=half, names=field.names).montage(),
            f"focal, {FEW.electrodes} electrodes": focal(
                C, Q, FEW, value=half, names=field.names
            ).montage(),
        } | USUAL
        front = pareto(C, Q, LIMITS, names=field.names, points=POINTS)
        basis = field.basis(found)  # all of them in all tissues, at 1 A

    print("2 mA in all, of the optimal ones at most 1 mA an electrode; V/m")
    print(f"{'':28s}  into cortex  |E| in target  elsewhere  ratio  above half (cm3)")
    results = {}
    for k, (name, montage) in enumerate(found.items()):
        I = np.array([montage.get(e, 0.0) for e in field.names])  # noqa: E741
        total = I[I > 0].sum()
        strength = basis.magnitude(total * np.eye(len(found))[k])
        spread = tissue_focality(basis, strength, head, tissues=BRAIN, target=region)
        results[name] = {
            "currents": I,
            "into cortex": float((C @ I)[0]),
            "rms": float(np.sqrt(I @ Q @ I)),
            "strength": strength,
            "focality": spread,
        }
        print(
            f"{name:28s} {results[name]['into cortex']:12.3f} {spread.target.mean:14.3f} "
            f"{spread.target.mean_elsewhere:10.4f} {spread.target.ratio:6.2f} "
            f"{spread.above[0.5] * 1e6:17.1f}"
        )
        shown = sorted(montage.items(), key=lambda item: -item[1])
        print("  " + ", ".join(f"{e} {i * 1e3:+.2f}" for e, i in shown if abs(i) > 5e-6) + " mA")
    results["front"] = front
    draw(head, basis, field.names, results, out)
    return results


def draw(head: Head, basis: Any, names: tuple[str, ...], results: dict[str, Any], out: str) -> None:
    """Draw three montages on the scalp and |E| on the cortex, and the front with all of them."""
    figure = new_figure(15.0, 7.6)
    grid = figure.add_gridspec(2, 4, width_ratios=(1, 1, 1, 1.25))
    few = next(name for name in results if name.startswith("focal, "))
    shown = {name: results[name] for name in ("strongest", few, "F3 4x1")}
    places = np.array([head.position(name) for name in names])
    centre = (head.mesh.nodes.min(axis=0) + head.mesh.nodes.max(axis=0)) / 2
    flat = flat_head(places, vertex=head.position("Cz"), centre=centre)
    pads = []
    ring = target_layer(head, head.from_mni(DLPFC)[0], RADIUS)
    for k, (name, result) in enumerate(shown.items()):
        pads.append(figure.add_subplot(grid[0, k]))
        currents = draw_currents(pads[-1], flat, result["currents"], names, limit=2e-3)
        pads[-1].set_title(name, fontsize=10)
        cortex = figure.add_subplot(grid[1, k])
        on_cortex, _ = basis.interpolate(result["strength"], head.cortex.points(0.5))
        limit = result["focality"].reference  # every picture has its own
        field = draw_cortex(
            cortex, head, on_cortex, limit=limit, view=(-0.6, 0.65, 0.5), devices=[ring]
        )
        figure.colorbar(field, ax=cortex, label="|E| (V/m)", shrink=0.8, extend="max")
    figure.colorbar(currents, ax=pads, label="current into the head (mA)", shrink=0.8)
    curve = figure.add_subplot(grid[:, 3])
    front = results["front"]
    draw_front(
        curve,
        {"optimal, any number of electrodes": (front.value, front.rms)},
        chosen={
            name: (r["into cortex"], r["rms"]) for name, r in results.items() if name != "front"
        },
        xlabel="rest of the brain, rms of |E| (V/m)",
        ylabel="target, mean field into the cortex (V/m)",
    )
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
