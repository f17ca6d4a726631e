"""What fields cost on several ranks: work, CPU seconds, memory and bytes of each.

    ./run python benchmarks/mpi.py strong [EDGE_MM]     one mesh on 1 and 2 ranks
    ./run python benchmarks/mpi.py weak [EDGE_MM]       twice the nodes on twice the ranks
    ./run python benchmarks/mpi.py ranks N EDGE_MM      one case

Four-layer spheres of an edge length (4 mm: 0.8 M tetrahedra); two discs and a figure-8 coil:
potential, correction and recovered field of each. "1 rank" is the engine of one rank; "1 shared"
is that of several with a single one, which scaling is measured against.

CPU seconds of a rank hold the time that it spins in MPI for another one: on a machine with other
work they say little. What a rank has to do does not depend on that: nodes it owns (and knows),
tetrahedra it assembles, places it fits a field at, and floating-point operations of PETSc. Bytes
"through rank 0" are what it hands out and takes in; those "between ranks" are what a product with
the matrix of each level takes from others, times the products of an iteration.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

LABELS = (2, 3, 4, 5)
RADII = (0.078, 0.08, 0.085, 0.092)
SIGMA = dict(zip(LABELS, (0.33, 1.65, 0.01, 0.33), strict=True))
PHASES = ("build", "discs", "coil")
TWICE = 1.393  # edges of half the nodes; more than 2^(1/3), as thin layers are fine already
PRODUCTS = (7, 6)  # of an iteration, with the finest matrix and with each other one


def usage() -> tuple[float, float, float, float]:
    """CPU seconds so far, memory now and at its peak (MB), operations of PETSc so far."""
    from rheobase._dolfinx import petsc

    now = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return time.process_time(), now, peak, petsc().Log.getFlops()


def work() -> dict[str, Any]:
    """What this rank has of the conductor: counts, and of each level own rows and foreign ones."""
    from rheobase._ranks import active

    share = next(iter(active()._parts.values()))  # type: ignore[union-attr]
    levels: list[tuple[int, int]] = []
    pc = share.system._pc
    for k in range(pc.getMGLevels() - 1, -1, -1):
        A = pc.getMGSmoother(k).getOperators()[0] if levels else share.system.matrix
        first, last = A.getOwnershipRange()
        columns = np.unique(A.getValuesCSR()[1])
        levels.append((last - first, int(((columns < first) | (columns >= last)).sum())))
    return {
        "own": len(share._own),
        "known": len(share._portion.ids),
        "tets": int(share._touching.sum()),
        "fits": int(share._beside[share._split.node].sum()),
        "levels": levels,
    }


def everywhere(function: Callable[[], Any]) -> list[Any]:
    from rheobase._ranks import active

    team = active()
    return [function()] if team is None else team.everywhere(function)


def fields(mesh: Any) -> Iterator[tuple[str, Any]]:
    """Yield the conductor and the two fields."""
    from rheobase.fields.coils.windings import coil
    from rheobase.fields.conduction import solve_conduction
    from rheobase.fields.electrodes.electrode import Electrode
    from rheobase.fields.electrodes.montage import Montage
    from rheobase.fields.induction import solve_induction
    from rheobase.fields.solver import Conductor
    from rheobase.meshes.placing.outlines import Disc

    top = float(np.linalg.norm(mesh.nodes, axis=1).max())
    discs = [Electrode(name=str(k), centre=np.eye(3)[k] * top, shape=Disc()) for k in range(2)]
    pose = np.eye(4)
    pose[2, 3] = top + 0.01
    tool = coil("magstim-70mm-figure8").moved(pose)
    yield "build", (conductor := Conductor(mesh, SIGMA))
    montage = Montage(name="discs", electrodes=tuple(discs), currents=(1e-3, -1e-3))
    yield "discs", solve_conduction(conductor, montage)
    yield "coil", solve_induction(conductor, tool, allow_intersection=True)


def case(edge: float) -> int:
    from rheobase._ranks import active
    from rheobase.meshes.mesher import mesh_spheres

    for _ in fields(mesh_spheres((0.08, 0.09), (2, 5), 0.012)):  # loads libraries and kernels
        pass
    mesh = mesh_spheres(RADII, LABELS, edge)
    before = everywhere(usage)
    clock, used, found, has = [time.perf_counter()], [before], {}, []
    for name, result in fields(mesh):
        used.append(everywhere(usage))
        clock.append(time.perf_counter())
        found[name] = result
    team = active()
    if team is not None:
        has = everywhere(work)
    size = "1 rank" if team is None else "1 shared" if team.size == 1 else f"{team.size} ranks"
    iterations = [found[k].report[0].iterations for k in PHASES[1:]]
    wall = ", ".join(f"{p} {b - a:.2f}" for p, (a, b) in zip(PHASES, pairwise(clock), strict=True))
    print(
        f"{size}: {len(mesh.tets):,} tetrahedra, {len(mesh.nodes):,} nodes; {iterations[0]} and "
        f"{iterations[1]} iterations; {wall}, in all {clock[-1] - clock[0]:.2f} s by the clock"
    )
    for rank, first in enumerate(before):
        cpu = [b[rank][0] - a[rank][0] for a, b in pairwise(used)]
        each = ", ".join(f"{p} {t:.2f}" for p, t in zip(PHASES, cpu, strict=True))
        print(
            f"  rank {rank}: {each}, in all {sum(cpu):.2f} CPU-s; "
            f"{(used[-1][rank][3] - first[3]) / 1e9:.2f} G operations of PETSc; memory "
            f"{first[1]:.0f} MB before, {used[-1][rank][2] - first[1]:.0f} MB more at the peak"
        )
    for rank, of in enumerate(has):
        halo = 8 * sum(PRODUCTS[k > 0] * n for k, (_, n) in enumerate(of["levels"]))
        levels = ", ".join(f"{rows}+{n}" for rows, n in of["levels"])
        print(
            f"  rank {rank}: owns {of['own']:,} nodes of {of['known']:,} it knows, assembles "
            f"{of['tets']:,} tetrahedra, fits at {of['fits']:,} places; rows + foreign columns by "
            f"level {levels}; {halo / 1e3:.0f} kB between ranks an iteration"
        )
    if team is not None:
        print(f"  through rank 0: {team.sent / 1e6:.1f} MB out, {team.received / 1e6:.1f} MB in")
    return 0


def start(ranks: str, edge: str) -> None:
    """Run one case in processes of its own."""
    program = [sys.executable, __file__, "one", edge]
    if ranks == "shared":
        program.append("shared")
    elif ranks != "1":
        program = [str(Path(sys.executable).with_name("mpiexec")), "-n", ranks, *program]
    subprocess.run(program, check=True)


def one(edge: str, *shared: str) -> int:
    from rheobase import _ranks

    if shared:
        from rheobase._dolfinx import petsc

        petsc()
        from mpi4py import MPI

        _ranks._team = _ranks.Team(MPI.COMM_WORLD)
    return _ranks.run(lambda: case(float(edge) * 1e-3))


if __name__ == "__main__":
    what, *rest = sys.argv[1:] or ["strong"]
    if what == "one":
        raise SystemExit(one(*rest))
    if what == "ranks":
        start(*rest)
    else:
        edge = float(rest[0]) if rest else 4.0
        for ranks in ("1", "shared", "2"):
            finer = what == "weak" and ranks == "2"
            start(ranks, f"{edge / TWICE if finer else edge:.4g}")
