# ruff: noqa: T201 (an example prints)
"""Directional leads in both subthalamic nuclei: a segment on the left, a whole ring on the right.

    python examples/bilateral_stn.py [HEAD [RESOLUTION [PICTURE.png]]]

One solution for all contacts of a lead, then every steering is algebra: volumes above a threshold
of |E| and the fibres of a bundle beside each nucleus that fire, against the current.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from rheobase.dbs_views import draw_plane, draw_recruitment, lead_planes
from rheobase.fields.dbs.grid.domains import head_domain
from rheobase.fields.dbs.solution.response import unit_responses
from rheobase.fields.dbs.solution.system import Encapsulation
from rheobase.fields.dbs.steering.steer import steer
from rheobase.fields.dbs.volumes.activated import FieldCriterion, activated, sample_lead
from rheobase.fields.dbs.volumes.thresholds import field_threshold
from rheobase.fields.dbs.volumes.voxels import strength_at
from rheobase.fields.dbs.volumes.zones import overlap, region_zone
from rheobase.fields.waveforms.trains import dbs_pulse
from rheobase.head_views import trimmed
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.leads.catalogue import lead_model
from rheobase.meshes.leads.lead import place_lead
from rheobase.meshes.leads.medium import from_head
from rheobase.meshes.regions.region import ball
from rheobase.neurons.pathways.activation import pathway_model
from rheobase.neurons.pathways.bundle import bundle
from rheobase.neurons.pathways.placing import place_axons
from rheobase.neurons.pathways.sampled import sample_axons
from rheobase.scenes import Scene, picture
from rheobase.scenes.leads import VIEW, deep_layers
from rheobase.views import new_figure

MODEL = "Boston Scientific Cartesia DB-2202"
STN, ENTRY = (-12.58, -13.41, -5.87), (-33.0, 25.0, 60.0)  # mm, MNI, left
# a bundle beside the nucleus that stands for the capsule (mm, MNI, left): a line, no tractography
CAPSULE = ((-24, -16, 22), (-20, -13, 4), (-17.5, -13, -6), (-14, -16, -16), (-9, -22, -30))
SETTINGS = {"left": {2: -2e-3}, "right": {2: -0.7e-3, 3: -0.65e-3, 4: -0.65e-3}}  # A
PULSE, FIBRE = 60e-6, 5.7e-6  # s, m
AMPLITUDES = np.linspace(0.0, 5.0, 101)  # mA
FIBRES = 300


def main(
    head: Head | str = "mni152", resolution: str | None = None, out: str = "bilateral_stn.png"
) -> dict[str, Any]:
    """Solve, steer, print the table, draw; return the numbers."""
    if isinstance(head, str):
        head = build_head(head, resolution=resolution)
    medium, domain = from_head(head), head_domain(head)
    scar = Encapsulation(thickness=0.2e-3, tissue=0.18)
    threshold = field_threshold(PULSE, 3.5e-6)
    found: dict[str, Any] = {}
    for side, currents in SETTINGS.items():
        sign = np.array([1.0 if side == "left" else -1.0, 1.0, 1.0]) * 1e-3
        target, entry = (head.from_mni([sign * np.array(x)])[0] for x in (STN, ENTRY))
        # the marker, and with it segment 2, to the side of the capsule on the left
        lead = place_lead(
            lead_model(MODEL), target=target, entry=entry, contact=2, rotation_deg=90, name=side
        )
        cpu = time.process_time()
        response = unit_responses(lead, medium, domain, encapsulation=scar)
        cpu = time.process_time() - cpu
        sampled = sample_lead(response)
        wall = time.perf_counter()
        steering = steer(response, currents)
        wall = time.perf_counter() - wall
        volume = activated(steering, FieldCriterion(threshold=threshold.value), sampled)
        zone = region_zone(ball(target, 3e-3, name=f"{side} STN"), head)
        knots = head.from_mni(np.array(CAPSULE) * sign)
        lines = bundle(knots[0], knots[-1], FIBRES, via=list(knots[1:-1]), spread=1.5e-3, seed=1)
        axons = sample_axons(
            place_axons(lines, FIBRE, name=f"{side} capsule"),
            response,
            lead=lead,
            encapsulation=scar.thickness,
        )
        unit = steering.currents / (1e3 * steering.total)
        activation = pathway_model(axons, dbs_pulse(PULSE).waveform()).activation(unit, unit="mA")
        found[side] = {
            "lead": lead,
            "steering": steering,
            "volume": volume,
            "overlap": overlap(volume, zone),
            "zone": zone,
            "lines": lines,
            "percent": activation.percent(AMPLITUDES).values[0],
            "fates": activation.fates,
            "cpu": cpu,
        }
        print(f"{side}: {response.report.unknowns:,} unknowns, {cpu:.1f} CPU-s for all contacts")
        print(f"  a steering takes {1e3 * wall:.2f} ms; load {steering.impedance:.0f} ohm")
    tell(found, threshold.value)
    draw(head, medium, found, threshold.value, out)
    return found


def tell(found: dict[str, Any], threshold: float) -> None:
    """Print what both settings activate."""
    print(f"\n|E| above {threshold:.0f} V/m     {'left':>16s} {'right':>16s}")
    for words, value in (
        ("current (mA)", lambda f: f"{f['steering'].total * 1e3:.2f}"),
        ("volume (mm3)", lambda f: f"{f['volume'].volume * 1e9:.1f}"),
        ("middle (mm)", lambda f: ", ".join(f"{x * 1e3:.1f}" for x in f["volume"].centroid)),
        ("ball of the STN (%)", lambda f: f"{100 * f['overlap'].share:.0f}"),
        ("outside it (mm3)", lambda f: f"{f['overlap'].spill * 1e9:.1f}"),
        ("capsule fires (%)", lambda f: f"{np.interp(2.0, AMPLITUDES, f['percent']):.0f}"),
        ("damaged fibres", lambda f: str(f["fates"]["damaged"])),
    ):
        print(f"{words:22s} {value(found['left']):>18s} {value(found['right']):>18s}")


def draw(head: Head, medium: Any, found: dict[str, Any], threshold: float, out: str) -> None:
    """Draw both leads in the brain, their field and the recruitment of the bundles."""
    from matplotlib.image import imread

    figure = new_figure(18.0, 4.6)
    panels = figure.subplots(1, 4, width_ratios=(1.1, 1, 1, 1.3))
    sides = list(found.values())
    layers = deep_layers(
        head,
        [f["volume"] for f in sides],
        [f["zone"] for f in sides],
        {side: f["lines"] for side, f in found.items()},
    )
    scene = Scene(title="", layers=tuple(layers), view=VIEW)
    panels[0].axis("off")
    panels[0].set_title("from the front: the right side is on the left", fontsize=10)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scene.png"
        if picture(scene, file, bars=False, axes=False):
            panels[0].imshow(trimmed((imread(file)[..., :3] * 255).astype(np.uint8)))
    for panel, (side, f) in zip(panels[1:3], found.items(), strict=True):
        lead, steering = f["lead"], f["steering"]
        centre = lead.to_head([[0.0, 0.0, lead.model.contact(2).middle[1]]])[0]
        shown = draw_plane(
            panel,
            lead_planes(lead, centre, 7e-3)[0],
            lead,
            medium,
            strength=lambda x, s=steering: np.linalg.norm(s.field(x), axis=1),
            limit=5 * threshold,
            activated=lambda x, v=f["volume"]: strength_at(v, x),
            currents=dict(zip(steering.names, steering.currents, strict=True)),
            regions={"STN": f["zone"].inside},
        )
        panel.set_title(f"{side}: {steering.total * 1e3:.2g} mA", fontsize=10)
    figure.colorbar(shown, ax=panels[1:3], label="|E| (V/m)", shrink=0.8, extend="both")
    draw_recruitment(
        panels[3],
        {f"{side} capsule": (AMPLITUDES, f["percent"]) for side, f in found.items()},
        xlabel="current (mA)",
        marks={"both settings": 2.0},
    )
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
