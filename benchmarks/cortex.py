"""Errors and times of the cortical sheet and of regions: python benchmarks/cortex.py.

Prints the tables of docs/cortex_and_regions.md; about a minute, more when the default head is to be
built first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from rheobase.meshes.cortex.curvature import angle_deficit, curvature
from rheobase.meshes.cortex.layers import borders, cortical_layers, layer_table, waehnert
from rheobase.meshes.cortex.sheet import triangle_areas
from rheobase.meshes.cortex.sites import sample_sites
from rheobase.meshes.heads import build_head
from rheobase.meshes.heads.sphere import shell_sheet, unit_sphere
from rheobase.meshes.regions.region import ball, tissue_region
from rheobase.meshes.spaces import Warp


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what ``work`` gives and its CPU time (s)."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def layers() -> None:
    """Depths of the borders of human layers in a shell, as per cent of its thickness."""
    print("layers of a shell, largest error of a border (% of the thickness)")
    print("inner/outer radius   equivolume   Waehnert   equal depth")
    f = layer_table("human").fractions
    for ratio in (0.9, 0.7, 0.5, 0.2):
        sheet = shell_sheet(10e-3, (1 - ratio) * 10e-3)
        exact = (1 - np.cbrt(1 - f * (1 - ratio**3))) / (1 - ratio)
        found = np.abs(borders(sheet, "human") - exact).max()
        root = np.abs(waehnert(f, [1.0], [ratio**2])[0] - exact).max()
        flat = np.abs(f - exact).max()
        print(f"{ratio:12.1f} {1e2 * found:18.1e} {1e2 * root:10.2f} {1e2 * flat:12.1f}")


def bending() -> None:
    """Curvature of an ellipsoid, 1.5 : 1 : 0.8, on shaken meshes."""
    print("\ncurvature of an ellipsoid (1.5, 1, 0.8), vertices shaken by a fifth of an edge")
    print("vertices   rms and largest error of H (up to 2.1) and K (up to 5.5)    CPU s")
    semi = np.array([1.5, 1.0, 0.8])
    for n in (3, 4, 5, 6):
        points, triangles = unit_sphere(n)
        edge = np.sqrt(4 * np.pi / len(triangles) * 4 / np.sqrt(3))
        points = points + edge * np.random.default_rng(n).uniform(-0.2, 0.2, points.shape)
        points *= semi / np.linalg.norm(points, axis=1, keepdims=True)
        slope = (points**2 / semi**4).sum(axis=1)
        volume = semi.prod() ** 2
        exact = (
            (semi @ semi - (points**2).sum(axis=1)) / (2 * volume * slope**1.5),
            1 / (volume * slope**2),
        )
        found, spent = timed(lambda p=points, t=triangles: curvature(p, t))
        off = [np.abs(a - b) for a, b in zip(found, exact, strict=True)]
        numbers = "  ".join(f"{np.sqrt((e**2).mean()):.2e} {e.max():.2e}" for e in off)
        total = angle_deficit(points, triangles).sum() / (4 * np.pi) - 1
        print(f"{len(points):8d}   {numbers}   {spent:.2f}   angle deficits: {total:+.0e}")


def warps() -> None:
    """A warp of 8 mm waves on a grid of 3 mm and its inverse."""
    matrix = np.diag([3e-3, 3e-3, 3e-3, 1.0])
    matrix[:3, 3] = -0.09
    grid = np.stack(np.meshgrid(*[np.arange(61) * 3e-3 - 0.09] * 3, indexing="ij"), axis=-1)

    def bent(x: np.ndarray) -> np.ndarray:
        moved: np.ndarray = x + 8e-3 * np.sin(2 * np.pi * x[..., [1, 2, 0]] / 0.12)
        return moved

    warp = Warp(coordinates=bent(grid).astype(np.float32), affine=matrix)
    points = np.random.default_rng(0).uniform(-0.085, 0.085, (100_000, 3))
    images, there = timed(lambda: warp(points))
    back, inverse = timed(lambda: warp.inverse()(images))
    off = np.abs(back - points).max() * 1e6
    linear = np.abs(images - bent(points)).max() * 1e6
    print(f"\nwarp of 100,000 points: {there:.2f} s, up to {linear:.0f} um off between voxels;")
    print(f"its inverse: {inverse:.2f} s, back within {off:.2f} um")


def on_head() -> None:
    """Sheet, positions and regions of the default head."""
    head = build_head("mni152")
    sheet = head.cortex
    assert sheet is not None
    found, spent = timed(lambda: cortical_layers(sheet, "human"))
    print(f"\nmni152: {len(sheet):,} columns, {len(head.mesh.tets):,} tetrahedra")
    print(
        f"area of pia, middle, white: {[round(1e4 * sheet.area_at(d).sum()) for d in (0, 0.5, 1)]} "
        f"cm2, volume {sheet.volume().sum() * 1e6:.0f} cm3"
    )
    low, high = np.percentile(found.borders[:, 3], [5, 95])
    print(
        f"layers: {spent:.2f} s; L4/L5 at {low:.2f} to {high:.2f} (5 to 95 %), flat "
        f"{found.table.fractions[3]:.2f}; folded columns {1e2 * found.folded.mean():.2f} %"
    )
    (mean, _), spent = timed(lambda: curvature(sheet.points(0.5), sheet.triangles))
    ends = np.nanpercentile(mean, [5, 50, 95]).round()
    print(f"curvature: {spent:.2f} s; H {ends} 1/m (5, 50, 95 %)")
    sites, spent = timed(lambda: sample_sites(sheet, count=20_000, seed=1))
    side = 20e-3
    middle = sheet.points(0.5)
    share = triangle_areas(middle, sheet.triangles)
    boxes = np.floor(middle[sheet.triangles].mean(axis=1) / side).astype(int) + 8
    wanted, got = np.zeros((16, 16, 16)), np.zeros((16, 16, 16))
    np.add.at(wanted, tuple(boxes.T), share / share.sum() * len(sites))
    np.add.at(got, tuple(np.floor(sites.position / side).astype(int).T + 8), 1)
    many = wanted > 50
    print(
        f"20,000 positions: {spent:.2f} s; number in boxes of 20 mm off by "
        f"{np.sqrt(((got - wanted)[many] ** 2).mean()):.1f} rms, random ones by "
        f"{np.sqrt(wanted[many].mean()):.1f}"
    )
    print("volume of 20 balls in the brain, rms error (%) and CPU s by levels")
    rng = np.random.default_rng(5)
    centres = rng.uniform([-0.04, -0.06, 0.0], [0.04, 0.04, 0.05], (20, 3))
    for radius in (5e-3, 10e-3, 20e-3):
        exact = 4 / 3 * np.pi * radius**3
        cells = []
        for levels in (0, 1, 2):
            volumes, spent = timed(
                lambda r=radius, k=levels: [ball(c, r).volume(head, levels=k) for c in centres]
            )
            off = np.sqrt(np.mean((np.array(volumes) / exact - 1) ** 2))
            cells.append(f"{1e2 * off:.2f} ({spent / 20:.2f} s)")
        print(f"  {radius * 1e3:4.0f} mm: {'   '.join(cells)}")
    grey, spent = timed(lambda: tissue_region("grey_matter").volume(head))
    print(f"grey matter {grey * 1e6:.0f} cm3, {spent:.2f} s")


if __name__ == "__main__":
    layers()
    bending()
    warps()
    on_head()
