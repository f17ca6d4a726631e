"""How exactly windows of beams follow skulls, and what beams meet in heads.

Run as ``python benchmarks/fus_windows.py [LABEL_IMAGE]``. First the surfaces of spheres (85, 90 and
95 mm) out of a mesh, voxels and a tomogram against the exact ones; then windows into the default
head, the mouse and, if given, a label image of SimNIBS. Seconds are CPU seconds.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from rheobase.fields.acoustics.window.tomogram import from_hounsfield
from rheobase.fields.acoustics.window.window import WindowMaterial, beam_window
from rheobase.meshes.heads import build_head
from rheobase.meshes.leads.medium import ImageMedium, from_image
from rheobase.meshes.regions.parcels import LabelImage
from rheobase.meshes.tissues import tissue

Floats = NDArray[np.float64]
RADII = (85e-3, 90e-3, 95e-3)
APEX = 0.12
BOX: dict[str, Any] = {"half_width": 25e-3, "depth": (10e-3, 45e-3)}


def aim(target: ArrayLike, axis: ArrayLike, distance: float) -> Floats:
    """Return the frame of a beam whose origin is ``distance`` before the target."""
    z = np.asarray(axis, float) / np.linalg.norm(axis)
    up = (0.0, 1.0, 0.0) if abs(z[2]) > 0.9 else (0.0, 0.0, 1.0)
    x = np.cross(up, z) / np.linalg.norm(np.cross(up, z))
    frame = np.eye(4)
    frame[:3, :3] = np.column_stack([x, np.cross(z, x), z])
    frame[:3, 3] = np.asarray(target) - distance * z
    return frame


def voxels(edge: float) -> ImageMedium:
    """Return the upper half of the spheres as a label image."""
    x = np.arange(-0.06, 0.06, edge)
    z = np.arange(0.02, 0.099, edge)
    r = np.sqrt(x[:, None, None] ** 2 + x[:, None] ** 2 + z**2)
    made = [tissue(n) for n in ("grey_matter", "skull", "scalp")]
    values = np.array([*(t.label for t in made), 0], np.int32)[np.searchsorted(RADII, r)]
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = x[0], x[0], z[0]
    image = LabelImage(values=values, affine=affine, space="head")
    return ImageMedium(image=image, tissues={t.label: t for t in made})


def tomogram(edge: float) -> Any:
    """Return the top of the spheres in Hounsfield units: tables of 1.5 mm, marrow of 600 HU."""
    fine = 0.5 * edge
    x, z = np.arange(-0.03, 0.03, fine), np.arange(0.07, 0.1, fine)
    r = np.sqrt(x[:, None, None] ** 2 + x[:, None] ** 2 + z**2)
    edges = [RADII[0], RADII[0] + 1.5e-3, RADII[1] - 1.5e-3, RADII[1], RADII[2]]
    units = np.array([35.0, 1600.0, 600.0, 1600.0, 40.0, -1000.0], np.float32)
    image = ndimage.gaussian_filter(units[np.searchsorted(edges, r)], 0.5e-3 / fine)
    n = [s // 2 for s in r.shape]
    image = image[: 2 * n[0], : 2 * n[1], : 2 * n[2]]
    image = image.reshape(n[0], 2, n[1], 2, n[2], 2).mean(axis=(1, 3, 5))
    image += np.random.default_rng(0).normal(0.0, 20.0, image.shape)
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = np.array([x[0], x[0], z[0]]) + 0.5 * fine
    return from_hounsfield(image, affine, mapping="kplan")


def compare(name: str, window: WindowMaterial, seconds: float) -> None:
    """Print errors of the three surfaces, before and after smoothing."""
    x, y = window.rays.x[:, None], window.rays.y[None]
    raw = [window.heights.raw[k] for k in ("skin", "outer", "inner")]
    cells = []
    for surface, before, radius in zip(window.layers.surfaces, raw, RADII[::-1], strict=True):
        fall = np.sqrt(radius**2 - x**2 - y**2)
        off, rough = (1e3 * (z - APEX + fall) for z in (surface(x, y), before))
        gx, gy = surface.gradient(x, y)
        tilt = np.degrees(np.hypot(gx - x / fall, gy - y / fall) * (fall / radius) ** 2)
        cells.append(
            f"{rough.mean():+.3f} ± {rough.std():.3f} → {off.mean():+.3f} ± {off.std():.3f}; "
            f"{np.sqrt((tilt**2).mean()):.2f}"
        )
    exact = np.sqrt(RADII[1] ** 2 - x**2 - y**2) - np.sqrt(RADII[0] ** 2 - x**2 - y**2)
    found = window.layers.surfaces[2](x, y) - window.layers.surfaces[1](x, y)
    thick = f"{100 * (found.mean() / exact.mean() - 1):+.2f}"
    print(f"| {name} | {' | '.join(cells)} | {thick} | {seconds:.1f} |")


def timed(source: Any, frame: Floats, **box: Any) -> tuple[WindowMaterial, float]:
    """Return a window and its CPU seconds."""
    start = time.process_time()
    window = beam_window(source, frame, **box)
    return window, time.process_time() - start


def main() -> None:
    """Print tables."""
    print("surfaces: mm found (mean ± deviation) → smoothed; degrees of normals\n")
    print("| spheres | skin | outer bone | inner bone | thickness % | CPU s |")
    print("|---|---|---|---|---|---|")
    straight, tilted = aim((0, 0, 0), (0, 0, -1), APEX), aim((0, 0, 0), (-0.34, -0.2, -0.92), APEX)
    sources: tuple[tuple[str, Any, Floats], ...] = (
        ("mesh of 4 mm", build_head("sphere"), tilted),
        ("voxels of 1 mm, along them", voxels(1e-3), straight),
        ("voxels of 1 mm, 23° off", voxels(1e-3), tilted),
        ("voxels of 0.5 mm, 23° off", voxels(0.5e-3), tilted),
        ("tomogram of 0.5 mm", tomogram(0.5e-3), straight),
    )
    for name, source, frame in sources:
        timed(source, frame, **BOX)  # compile
        compare(name, *timed(source, frame, **BOX))
    head, mouse = build_head("mni152"), build_head("mouse")
    top = mouse.mesh.nodes[mouse.mesh.nodes[:, 2].argmax()] - [0, 0, 2e-3]
    beams: list[tuple[str, Any, ArrayLike, ArrayLike, float, dict[str, Any]]] = [
        ("thalamus from the left", head, (-0.011, -0.018, 0.007), (1, 0.05, -0.05), 0.09, {}),
        ("V1 from behind", head, (0.008, -0.085, 0.004), (0, 1, 0.1), 0.05, {}),
        ("hippocampus from the right", head, (0.028, -0.022, -0.016), (-1, 0, 0.1), 0.07, {}),
        ("mouse from above", mouse, top, (0, 0, -1), 5e-3,
         {"half_width": 2e-3, "depth": (1e-3, 8e-3)}),
    ]  # fmt: skip
    if len(sys.argv) > 1:
        image = from_image(sys.argv[1], labels="charm_index")
        brain = np.argwhere(np.isin(image.image.values, (1, 2))).mean(axis=0)
        centre = image.image.affine[:3, :3] @ brain + image.image.affine[:3, 3]
        long = {"depth": (0.0, 0.14)}
        beams += [
            ("label image, temporal", image, centre, (1, 0, 0), 0.1, long),
            ("label image, occipital", image, centre, (0, 1, 0), 0.13, long),
            ("label image, parietal", image, centre, (0.3, 0, -1), 0.11, long),
        ]
    for name, source, target, axis, distance, box in beams:
        box = {"half_width": 30e-3, "depth": (0.0, 0.1), "target": target, **box}
        window, seconds = timed(source, aim(target, axis, distance), **box)
        print(f"\n{name} ({seconds:.1f} CPU s):\n{window.report}")


if __name__ == "__main__":
    main()
