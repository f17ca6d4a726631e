"""What a lead field costs: wall and CPU seconds, peak memory, file size.

    ./run python benchmarks/leadfield.py [EDGE_MM [N_ELECTRODES]]

A four-layer sphere (85/87/90/95 mm: brain, CSF, skull, scalp) of 1.92 mm edges, 0.9 M nodes, by
default, with 75 ideal discs of 6 mm radius evenly on its upper two thirds. Everything is counted
from the mesh on: matrix, multigrid, patches of the recovery, 74 solutions and corrections, fields
of all tissues, file. Kernels are compiled before. Two threads (``NUMBA_NUM_THREADS``) at most.
"""

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def places(n: int, radius: float) -> np.ndarray:
    """Spread n points over the part of a sphere above z = -radius/3 (spiral)."""
    z = 1 - (np.arange(n) + 0.5) / n * 4 / 3
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(n)
    flat = np.sqrt(1 - z**2)
    return radius * np.stack([flat * np.cos(turn), flat * np.sin(turn), z], axis=1)


def sphere(edge: float, n: int):
    """Return a head with ``n`` electrode positions."""
    from rheobase.meshes.head import Head
    from rheobase.meshes.mesher import mesh_spheres
    from rheobase.meshes.tissues import tissue

    tissues = [tissue(name) for name in ("grey_matter", "csf", "skull", "scalp")]
    mesh = mesh_spheres((0.085, 0.087, 0.090, 0.095), [t.label for t in tissues], edge)
    positions = {f"E{k + 1}": p for k, p in enumerate(places(n, 0.095))}
    return Head(
        name="sphere",
        species="human",
        space="sphere",
        mesh=mesh,
        tissues={t.label: t for t in tissues},
        positions=positions,
    )


def main(edge: float, n: int) -> None:
    from rheobase.fields.leadfield_solve import lead_field

    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        lead_field(sphere(0.012, 12), Path(folder) / "warm.h5")
        head = sphere(edge, n)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        wall, cpu = time.perf_counter(), time.process_time()
        path = Path(folder) / "leadfield.h5"
        field = lead_field(head, path)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start = time.perf_counter()
        field.field({"E1": 2e-3, "E5": -1e-3, "E9": -1e-3})
        one = time.perf_counter() - start
        print(
            f"{len(head.mesh.nodes):,} nodes, {len(head.mesh.tets):,} tetrahedra, {n} electrodes, "
            f"{os.environ.get('NUMBA_NUM_THREADS', os.cpu_count())} threads: {wall:.0f} s, "
            f"{cpu:.0f} CPU-s, {field.iterations.max()} iterations; peak {peak:.0f} MB "
            f"({before:.0f} MB with the mesh alone), file {path.stat().st_size / 1e9:.2f} GB; a "
            f"montage of three from it {one:.2f} s; asymmetry {field.asymmetry:.0e}"
        )


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(float(arguments[0]) * 1e-3 if arguments else 1.92e-3, int((arguments[1:] or ["75"])[0]))
