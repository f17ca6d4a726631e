# ruff: noqa: T201 (an example prints)
"""Aim a coil at the hand area: every position and angle at once, and the field of the best.

    python examples/aim_a_coil.py [HEAD [RESOLUTION [PICTURE.png]]]

By reciprocity three adjoint solutions tell what any coil at any pose does to the target: the mean
field vector in it. What is to be large is its component across the central sulcus; its length is
shown beside it. The best pose is compared with the usual one over C3 at 45 degrees, and solved for.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.dosing_views import draw_angles, draw_poses
from rheobase.field_views import draw_cortex
from rheobase.fields import Coil, Conductor, coil, place_coil, solve_induction
from rheobase.fields.coils.placing import stand
from rheobase.fields.optimisation.target import region_target, rows
from rheobase.fields.targeting.poses import scalp_grid
from rheobase.fields.targeting.reciprocity import TargetingMap, reciprocity
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.placing.scalp import Frame, Scalp
from rheobase.meshes.regions.region import ball
from rheobase.scenes.device import coil_layers, target_layer
from rheobase.views import new_figure

COIL = "magstim-70mm-figure8"
HAND = (-0.037, -0.021, 0.058)  # m, MNI: the hand knob of the left precentral gyrus
TARGET = 0.010  # m, its radius
WANTED = 100.0  # V/m across the sulcus, mean of the target
RADIUS, SPACING = 0.030, 0.004  # m, of the places along the scalp
ANGLES = np.arange(0.0, 360.0, 5.0)  # of the handle, degrees

Floats = NDArray[np.float64]


def main(
    head: Head | str = "mni152", resolution: str | None = None, out: str = "aim_a_coil.png"
) -> dict[str, Any]:
    """Solve, map, print the table, draw; return the numbers."""
    if isinstance(head, str):
        head = build_head(head, resolution=resolution)
    target = region_target(head, ball(HAND, TARGET, space="MNI", name="left hand area"))
    across = across_sulcus(head, target.centre)
    scalp = Scalp(head.mesh)
    frame = scalp.frame(scalp.nearest(target.centre)[0], where="hand area")
    along, points = scalp_grid(frame, RADIUS, SPACING)
    conductor = Conductor(head)
    tool = coil(COIL)
    seen = reciprocity(conductor, target)  # three adjoint solutions, then no more
    start = time.process_time()
    found = seen.map(tool, positions=points, angles_deg=ANGLES)
    seconds = time.process_time() - start
    values = found.field @ across  # V/m at dI/dt = 1 A/s, for every position and angle
    i, j = np.unravel_index(values.argmax(), values.shape)
    over = int(np.linalg.norm(along, axis=1).argmin())
    poses = {
        "best of all": found.poses[i, j],
        "C3, 45 degrees": place_coil(
            tool, head, position="C3", handle_angle_deg=45, contact="lift"
        ).pose,
        "over the target, 45 degrees": found.poses[over, int(np.abs(ANGLES - 45).argmin())],
        "largest length": found.best_pose,
    }
    by_map = seen.at(tool, np.stack(list(poses.values())))
    best = stand(tool, scalp, poses["best of all"], contact="lift")
    basis = solve_induction(conductor, best, allow_intersection=True)  # once, to check
    solved = float(rows(basis, target)[:, 0] @ across)

    print(f"{values.size:,} poses in {seconds:.2f} CPU-s: {values.size / seconds:,.0f}/s")
    print(
        f"best: {along[i, 0] * 1e3:+.0f} mm right, {along[i, 1] * 1e3:+.0f} mm in front, ", end=""
    )
    print(f"handle {ANGLES[j]:.0f} degrees, clearance {found.clearance[i, j] * 1e3:.1f} mm")
    print(f"{values[i, j] * 1e6:.4f} V/m at 1 A/us by reciprocity, {solved * 1e6:.4f} solved for\n")
    print(f"V/m at 1 A/us                  across  length   A/us for {WANTED:g} V/m across")
    results = {}
    for name, vector in zip(poses, by_map, strict=True):
        value, length = float(vector @ across), float(np.linalg.norm(vector))
        results[name] = {"across": value, "length": length}
        need = f"{WANTED / value * 1e-6:.1f}" if value > 0.1 * length else "-"
        print(f"{name:28s} {value * 1e6:8.3f} {length * 1e6:7.3f} {need:>14s}")
    draw(head, basis, found, values, best, along, frame, out)
    return {
        "map": found,
        "values": values,
        "poses": results,
        "solved": solved,
        "poses a second": values.size / seconds,
    }


def across_sulcus(head: Head, centre: Floats) -> Floats:
    """Return the unit vector along which most of the cortex in the target faces, forwards."""
    sheet = head.cortex
    here = np.linalg.norm(sheet.points(0.5) - centre, axis=1) < TARGET
    normal = sheet.normal[here]
    up = centre - (head.mesh.nodes.min(axis=0) + head.mesh.nodes.max(axis=0)) / 2
    up /= np.linalg.norm(up)
    flat = normal - (normal @ up)[:, None] * up
    across = np.linalg.eigh(flat.T @ (sheet.area[here][:, None] * flat))[1][:, -1]
    return across * np.sign(across[1])


def draw(
    head: Head,
    basis: Any,
    found: TargetingMap,
    values: Floats,
    best: Coil,
    along: Floats,
    frame: Frame,
    out: str,
) -> None:
    """Draw the map of all poses, all angles at the best place, and the field of the best pose."""
    i, j = np.unravel_index(values.argmax(), values.shape)
    rate = WANTED / float(values.max())  # A/s
    at = f"V/m at {rate * 1e-6:.0f} A/µs"
    figure = new_figure(15.5, 4.6)
    everywhere, angles, cortex = figure.subplots(1, 3, width_ratios=(1.1, 0.9, 1.1))
    turned = values.argmax(axis=1)
    current = -found.poses[np.arange(len(along)), turned, :3, 1]
    shown = draw_poses(
        everywhere,
        along,
        values.max(axis=1) * rate,
        current @ np.stack([frame.right, frame.front], axis=1),
        best=int(i),
        spacing=SPACING,
    )
    figure.colorbar(shown, ax=everywhere, label=f"across the sulcus ({at})")
    everywhere.set_title("best angle at every place, current; ring: best", fontsize=10)
    draw_angles(
        angles,
        found.angles_deg,
        {
            "across the sulcus": values[i] * rate,
            "length of the mean field": np.linalg.norm(found.field[i], axis=1) * rate,
        },
        ylabel=f"in the target, at the best place ({at})",
    )
    angles.axhline(0, color="0.8", lw=0.8, zorder=0)
    angles.set(ylim=(-1.15 * WANTED, 1.6 * WANTED), xticks=np.arange(0, 361, 90))
    devices = [layer.but(opacity=0.15) for layer in coil_layers(best)]
    devices.append(target_layer(head, head.from_mni(HAND)[0], TARGET))
    strength = basis.magnitude([rate])
    on_cortex, _ = basis.interpolate(strength, head.cortex.points(0.5))
    field = draw_cortex(
        cortex,
        head,
        on_cortex,
        limit=float(basis.percentiles(strength, head.label_of("grey_matter"), (99.9,))[0]),
        view=(-0.75, 0.25, 0.8),
        devices=devices,
    )
    figure.colorbar(field, ax=cortex, label=f"|E| ({at})", shrink=0.8)
    cortex.set_title(f"best pose, handle {found.angles_deg[j]:.0f}°", fontsize=10)
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
