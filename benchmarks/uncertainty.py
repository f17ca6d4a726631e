"""What 200 samples of random conductivities cost: wall and CPU seconds, iterations, memory.

    ./run python benchmarks/uncertainty.py [EDGE_MM [SAMPLES]]
    ./run python benchmarks/uncertainty.py polynomial

A four-layer sphere (85/87/90/95 mm: brain, CSF, skull, scalp) with edges of 3.3 mm, 1.5 M tets,
by default; two discs of 12 mm radius (complete electrode model), the conductivities of all four
tissues random as their table says. Everything is counted from the mesh on: matrices, multigrid,
patches of the recovery, potentials, corrections and fields of all tissues, file; then maps of mean,
spread, quantiles and Sobol indices at every node. Kernels are compiled before. Two
threads (``NUMBA_NUM_THREADS``) at most.

``polynomial`` needs no mesh: how far the moments of the polynomials alone are off for 32 to 128
samples of the series of the sphere of ``rheobase validate uncertainty-sphere``.
"""

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from leadfield import sphere


def study(edge: float):
    """Return a head, a montage and the inputs."""
    from rheobase.fields import Inputs, conductivities, montage_1x1

    head = sphere(edge, 12)
    montage = montage_1x1(head, anode="E2", cathode="E9", current=2e-3)
    return head, montage, Inputs(conductivities(head))


def main(edge: float, n: int) -> None:
    from rheobase.fields import sample_fields, strength, uncertainty_maps, uncertainty_table

    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        small = sample_fields(*study(0.015), Path(folder) / "warm.h5", n=32)
        uncertainty_maps(small, strength([2e-3]))
        head, montage, inputs = study(edge)
        wall, cpu = time.perf_counter(), time.process_time()
        path = Path(folder) / "samples.h5"
        samples = sample_fields(head, montage, inputs, path, n=n)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        threads = os.environ.get("NUMBA_NUM_THREADS", os.cpu_count())
        first, last = samples.iterations[:16].mean(), samples.iterations[-16:].mean()
        print(
            f"{len(head.mesh.nodes):,} nodes, {len(head.mesh.tets):,} tetrahedra, {n} samples, "
            f"{threads} threads, load {os.getloadavg()[0]:.1f}: {wall:.0f} s, {cpu:.0f} CPU-s; "
            f"iterations of a sample (three systems) {first:.0f} in the first 16, {last:.0f} in "
            f"the last; peak {peak:.0f} MB, file {path.stat().st_size / 1e9:.2f} GB",
            flush=True,
        )
        wall, cpu = time.perf_counter(), time.process_time()
        maps = uncertainty_maps(samples, strength([2e-3]))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        nodes = f"{len(samples.kept):,} nodes"
        print(f"maps at {nodes}: {wall:.0f} s, {cpu:.0f} CPU-s; degree {maps.degree}")
        for row in uncertainty_table(samples, strength([2e-3]), head):
            print({k: v if isinstance(v, str) else float(f"{v:.3g}") for k, v in row.items()})


def polynomial(n_points: int = 40, n_dense: int = 1024) -> None:
    import numpy as np

    from rheobase.fields import Inputs, conductivities, montage_1x1
    from rheobase.fields.uncertainty.chaos import fit
    from rheobase.meshes.placing.outlines import Disc
    from rheobase.validation.leadfield import NAMES, ball
    from rheobase.validation.uncertainty import CORRELATIONS, CURRENT, DEEP, RADIUS, series

    head = ball(0.02)
    disc = Disc(radius_mm=RADIUS * 1e3)
    montage = montage_1x1(
        head, anode="Cz", cathode="T8", current=CURRENT, shape=disc, model="ideal"
    )
    draw = np.random.default_rng(0).normal(size=(n_points, 3))
    points = draw / np.linalg.norm(draw, axis=1, keepdims=True)
    points *= DEEP * np.random.default_rng(1).random((n_points, 1)) ** (1 / 3)
    for name, correlation in CORRELATIONS.items():
        inputs = Inputs(conductivities(head, NAMES), correlation)
        exact = series(montage, points, inputs.sample(n_dense, seed=1))
        for n in (32, 64, 128):
            x = inputs.sample(n, seed=0)
            found = fit(inputs, x, series(montage, points, x))
            errors = (
                np.linalg.norm(a - b) / np.linalg.norm(b)
                for a, b in ((found.mean, exact.mean(axis=0)), (found.variance, exact.var(axis=0)))
            )
            mean, variance = errors
            print(
                f"{name}, {n} samples: mean of E {mean:.2%} off, variance {variance:.2%}",
                flush=True,
            )


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments == ["polynomial"]:
        polynomial()
        sys.exit()
    main(float(arguments[0]) * 1e-3 if arguments else 3.3e-3, int((arguments[1:] or ["200"])[0]))
