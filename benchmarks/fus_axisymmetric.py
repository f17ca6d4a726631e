"""Time and error of the axisymmetric solver by order and points a wavelength.

Run as ``python benchmarks/fus_axisymmetric.py [SCENE ...]``; scenes are those of the ITRUSST
benchmark, ``bm1-sc1`` to ``bm6-sc2``. Errors are against the exact field of the scene beyond the
exit plane of the transducer: peak in the brain, L2 and largest difference of amplitude over the
peak. Seconds are CPU seconds of the process with one thread of the linear algebra.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from threadpoolctl import threadpool_limits

from rheobase.fields.acoustics.axisymmetric.solve import solve_axisymmetric
from rheobase.validation.itrusst import RADIUS, SCENES, compare, lattice

SETTINGS = (
    (4, 9.0),
    (4, 12.0),
    (6, 7.0),
    (6, 10.0),
    (8, 6.0),
    (8, 8.0),
    (10, 5.5),
    (10, 6.0),
    (10, 8.0),
    (10, 10.0),
    (12, 6.0),
    (12, 8.0),
)


def measure(name: str) -> None:
    """Print a table of one scene."""
    scene = SCENES[name]
    exact = scene.exact_lattice()
    lateral, depth = lattice()
    radius = RADIUS["flat" if scene.centre is None else "curved"]
    print(f"\n{name}, radius {1e3 * radius:g} mm, exact peak in the brain ", end="")
    print(f"{compare(scene, exact, exact).peak / 1e3:.3f} kPa")
    print("| order | points/wavelength | unknowns | CPU s | peak % | L2 % | largest % |")
    print("|---|---|---|---|---|---|---|")
    for order, points in SETTINGS:
        start = time.process_time()
        solved = solve_axisymmetric(
            scene.medium,
            scene.source,
            scene.frequency,
            depth=(depth[0], depth[-1]),
            radius=radius,
            order=order,
            per_wavelength=points,
        )
        seconds = time.process_time() - start
        found = compare(scene, exact, solved.on_lattice(lateral, 0.0, depth)[:, 0])
        peak = 100 * (found.peak / found.peak_reference - 1)
        print(
            f"| {order} | {points:g} | {solved.report.unknowns:,} | {seconds:.2f} | {peak:+.4f} | "
            f"{100 * found.l2:.4f} | {100 * found.linf:.4f} |",
            flush=True,
        )


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    with threadpool_limits(1):
        for chosen in sys.argv[1:] or ("bm1-sc1", "bm4-sc1", "bm6-sc1"):
            measure(chosen)
