"""What HD-tES optimisation costs once there is a lead field: CPU seconds, one thread.

    ./run python benchmarks/optimisation.py [EDGE_MM [N_ELECTRODES]]

The four-layer sphere of `benchmarks/leadfield.py` at 5 mm and 75 electrodes by default, the brain
alone. The target is a ball of 10 mm radius, 10 mm below the surface of the brain; 2 mA in all, 1 mA
each.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from leadfield import sphere


def timed[T](what: str, work: Callable[[], T]) -> T:
    """Do the work twice and print the CPU seconds of the second time."""
    work()
    start = time.process_time()
    done = work()
    print(f"{what:52s} {time.process_time() - start:8.3f} s", end="  ")
    rms = getattr(done, "rms", None)
    if np.ndim(getattr(done, "value", None)) == 0 and rms is not None:
        used = np.count_nonzero(done.currents)
        print(
            f"{done.value:.4f} V/m, off target {rms:.5f} V/m, {used} electrodes, "
            f"gap {done.gap:.0e}",
            end="",
        )
    print(flush=True)
    return done


def main(edge: float, n: int) -> None:
    """Solve for the lead field and optimise."""
    from rheobase.fields.leadfield_solve import lead_field
    from rheobase.fields.optimisation.energy import off_target_energy
    from rheobase.fields.optimisation.limits import Limits
    from rheobase.fields.optimisation.target import region_target, rows
    from rheobase.fields.optimisation.tes import focal, max_intensity, pareto
    from rheobase.meshes.regions.region import ball

    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        head = sphere(edge, n)
        start = time.process_time()
        field = lead_field(head, Path(folder) / "leadfield.h5", tissues=["grey_matter"])
        print(
            f"{len(head.mesh.nodes):,} nodes, {len(field.kept):,} split nodes of the brain, {n} "
            f"electrodes; lead field {time.process_time() - start:.0f} s"
        )
        spot = 0.075 * np.array([1.0, 1.0, 2.0]) / 6**0.5
        target = region_target(head, ball(spot, 0.01), split=field.split)
        C = timed("rows of the target", lambda: rows(field, target))
        Q = timed("off-target energy", lambda: off_target_energy(head, field, target))
    names, z = field.names, -spot @ C / np.linalg.norm(spot)  # into the brain
    limits = Limits(total=2e-3, each=1e-3)
    best = timed("largest component", lambda: max_intensity(z, limits, names=names, Q=Q))
    top = timed("largest |E|", lambda: max_intensity(C, limits, names=names, Q=Q))
    half, far = 0.5 * best.value, 0.5 * top.value
    timed("focal, component", lambda: focal(z, Q, limits, value=half, names=names))
    timed("focal, |E|", lambda: focal(C, Q, limits, value=far, names=names))
    timed("front of 20, component", lambda: pareto(z, Q, limits, names=names))
    for number in (4, 6, 8):
        few = Limits(total=2e-3, each=1e-3, electrodes=number)

        def work(few: Limits = few) -> object:
            return focal(z, Q, few, value=half, names=names)

        timed(f"focal, component, {number} electrodes", work)
    few = Limits(total=2e-3, each=1e-3, electrodes=6)
    timed("focal, |E|, 6 electrodes", lambda: focal(C, Q, few, value=far, names=names))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(float(arguments[0]) * 1e-3 if arguments else 5e-3, int((arguments[1:] or ["75"])[0]))
