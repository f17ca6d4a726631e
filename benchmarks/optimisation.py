"""What HD-tES optimisation costs once there is a lead field: CPU seconds, one thread.

    ./run python benchmarks/optimisation.py [EDGE_MM [N_ELECTRODES] | LEADFIELD.h5]

The four-layer sphere of `benchmarks/leadfield.py` at 5 mm and 75 electrodes by default, the brain
alone; the target is a ball of 10 mm radius, 10 mm below the surface of the brain. Or a lead field
of the default head, grey and white matter kept, and a ball in the left dorsolateral prefrontal
cortex, the component into the cortex. 2 mA in all, 1 mA each.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from leadfield import sphere

DLPFC = (-0.038, 0.044, 0.026)  # m, MNI: that of data/targets.csv


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


def problem(arguments: list[str], folder: str) -> tuple[Any, Any, Any, Any]:
    """Return head, lead field, target and the directions whose component counts."""
    from rheobase.fields import lead_field, load_lead_field, region_target
    from rheobase.meshes.heads import build_head
    from rheobase.meshes.regions.region import ball

    if arguments and arguments[0].endswith(".h5"):
        head, field = build_head("mni152"), load_lead_field(arguments[0])
        target = region_target(head, ball(DLPFC, 0.01, space="MNI"), split=field.split)
        return head, field, target, target.along_columns(head)
    edge, n = (arguments + ["5", "75"][len(arguments) :])[:2]
    head = sphere(float(edge) * 1e-3, int(n))
    start = time.process_time()
    field = lead_field(head, Path(folder) / "leadfield.h5", tissues=["grey_matter"])
    print(f"lead field {time.process_time() - start:.0f} s")
    spot = 0.075 * np.array([1.0, 1.0, 2.0]) / 6**0.5
    target = region_target(head, ball(spot, 0.01), split=field.split)
    return head, field, target, target.along(-spot / np.linalg.norm(spot))


def main(arguments: list[str]) -> None:
    """Optimise for the target."""
    from rheobase.fields import Limits, focal, lcmv, max_intensity, off_target_energy, pareto
    from rheobase.fields.optimisation.target import rows

    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        head, field, target, into = problem(arguments, folder)
        print(
            f"{len(head.mesh.nodes):,} nodes, {len(field.kept):,} split nodes kept, "
            f"{len(field.names)} electrodes"
        )
        C = timed("rows of the target", lambda: rows(field, target))
        z = rows(field, into)
        Q = timed("off-target energy", lambda: off_target_energy(head, field, target))
    names = field.names
    limits = Limits(total=2e-3, each=1e-3)
    best = timed("largest component", lambda: max_intensity(z, limits, names=names, Q=Q))
    print("   ", best.montage())
    top = timed("largest |E|", lambda: max_intensity(C, limits, names=names, Q=Q))
    print("   ", top.montage())
    half, far = 0.5 * best.value, 0.5 * top.value
    timed("focal, component", lambda: focal(z, Q, limits, value=half, names=names))
    timed("focal, |E|", lambda: focal(C, Q, limits, value=far, names=names))
    wanted = 0.5 * top.field
    timed("lcmv", lambda: lcmv(C, Q, limits, wanted=wanted, names=names))
    timed("front of 20, component", lambda: pareto(z, Q, limits, names=names))
    for number in (4, 6, 8):
        few = Limits(total=2e-3, each=1e-3, electrodes=number)

        def work(few: Limits = few) -> object:
            return focal(z, Q, few, value=half, names=names)

        timed(f"focal, component, {number} electrodes", work)
    few = Limits(total=2e-3, each=1e-3, electrodes=6)
    timed("focal, |E|, 6 electrodes", lambda: focal(C, Q, few, value=far, names=names))


if __name__ == "__main__":
    main(sys.argv[1:])
