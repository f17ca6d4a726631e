"""What heat costs: CPU seconds of a sonication in the default head.

    ./run python benchmarks/fus_heat.py [EDGE_MM ...]

A box of 120 x 80 x 80 mm of the standard head, finer than EDGE_MM (1 and 0.75 by default) within
12 mm of the focal axis, heated by 2 million points for 20 s and followed for 10 s more: 60 steps.
CPU seconds of one thread, kernels loaded before the clock starts.
"""

import sys
import time

import numpy as np

from rheobase.fields.acoustics.sonication import Sonication
from rheobase.fields.heat.bioheat import Bioheat
from rheobase.fields.heat.deposit import deposit
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.region import near, region


def run(head: Head, edge: float) -> dict[str, float]:
    """Return CPU seconds by part, and the size."""
    focus = np.array([0.03, -0.02, 0.04])
    along = np.array([1.0, -0.3, 0.5])
    along /= np.linalg.norm(along)
    clock = [time.process_time()]

    def lap() -> float:
        clock.append(time.process_time())
        return clock[-1] - clock[-2]

    half = np.array([0.06, 0.04, 0.04])
    part = region(
        head.mesh,
        focus - half,
        focus + half,
        wanted=near(focus - 0.01 * along, focus + 0.01 * along, 0.012, edge),
    )
    out = {"region": lap()}
    rng = np.random.default_rng(0)
    points = focus + rng.normal(size=(2_000_000, 3)) * 1.5e-3
    points += along * rng.normal(size=(2_000_000, 1)) * 5e-3
    lap()
    found = deposit(part.mesh, points, np.full(len(points), 1.0 / len(points)))
    out["deposit"] = lap()
    model = Bioheat(part, head.tissues)
    out["assembly"] = lap()
    train = Sonication(
        frequency=500e3, pulse_duration=0.03, pulse_interval=0.1, train_duration=20.0
    )
    heating = model.heat(found.load, train.phases(), step=0.5, cooling=10.0)
    out["60 steps"] = lap()
    out["all"] = clock[-1] - clock[0]
    mesh = part.mesh
    print(
        f"edge {edge * 1e3:g} mm: {len(mesh.tets) / 1e6:.2f} M tetrahedra, "
        f"{len(mesh.nodes)} nodes, {len(heating.times) - 1} steps, "
        f"{heating.iterations} iterations, imbalance {heating.energy.imbalance:.1e}, "
        f"peak rise {heating.peak_rise.max():.3f} K of 0.3 W"
    )
    print("   " + ", ".join(f"{name} {value:.2f} s" for name, value in out.items()))
    return out


def main() -> None:
    """Run the sizes asked for."""
    head = build_head("mni152")
    edges = [float(a) * 1e-3 for a in sys.argv[1:]] or [1e-3, 0.75e-3]
    run(head, 3e-3)  # kernels
    for edge in edges:
        run(head, edge)


main()
