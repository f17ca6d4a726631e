"""What the fields cost: CPU seconds beside SimNIBS's and beside the memory's bandwidth.

    ./run python benchmarks/fields.py [EDGE_MM | RESOLUTION ...]

The three-layer sphere (85/90/95 mm) at an edge length, or the default head at a resolution; edges
of 4 mm (0.6 M tetrahedra) and 2 mm (4.3 M) and the fine head (4.0 M) by default.
CPU seconds of the whole process, libraries and kernels loaded before the clock starts. Each
runs in a process of its own, so that the peak is its own. SimNIBS 4.5 was run by the authors
on a sphere of 573,467 tetrahedra (hypre); its figures are scaled by the number of tetrahedra.
"""

import resource
import subprocess
import sys
import time

import numpy as np

SIMNIBS = {"assembly": 3.9, "set-up": 0.7, "load": 0.6, "solve": 1.03}  # CPU s, the lowest seen
SIMNIBS_TETS = 573_467


def cpu() -> float:
    return time.process_time()


def bandwidth() -> float:
    """Bytes per second that one core moves in a sum of long arrays (STREAM add)."""
    b, c = np.ones(30_000_000), np.ones(30_000_000)
    a = b + c
    best = np.inf
    for _ in range(5):
        start = cpu()
        np.add(b, c, out=a)
        best = min(best, cpu() - start)
    return 3 * a.nbytes / best


def bytes_of_iteration(multigrid: object, columns: int) -> float:
    """Bytes that one iteration moves for each right-hand side, from matrices and vectors.

    One vector: PETSc's symmetric sweeps read the finest matrix 5 times (one is the product) and the
    others 4 times. A block reads them 3 and 2 times for all its columns. Interpolations are read
    twice; vectors of the finest level 23 times or so.
    """
    total = 0.0
    for k, level in enumerate(multigrid.levels):  # type: ignore[attr-defined]
        entry = 12 * len(level.A[1]) + 4 * len(level.A[0])
        passes = (5 if columns == 1 else 3) - (k > 0)
        total += passes * entry + 2 * 12 * len(level.P[1])
    n = len(multigrid.levels[0].A[0]) - 1  # type: ignore[attr-defined]
    return total / columns + 23 * 8 * n


def case(what: str) -> tuple[str, object, dict[int, float], list[np.ndarray]]:
    """Return title, mesh, conductivities, and where two discs go and a coil is above the first."""
    from rheobase.meshes.heads import build_head
    from rheobase.meshes.mesher import mesh_spheres

    if what[0].isdigit():
        mesh = mesh_spheres((0.085, 0.09, 0.095), (2, 4, 5), float(what) * 1e-3)
        poles = [np.array([0.0, 0.0, z]) for z in (0.095, -0.095)]
        return f"sphere, {what} mm", mesh, {2: 0.33, 4: 0.01, 5: 0.33}, poles
    head = build_head("mni152", resolution=what)
    sigma = {label: t.sigma for label, t in head.tissues.items()}
    return f"mni152, {what}", head.mesh, sigma, [head.position("Cz"), head.position("Oz")]


def measure(what: str) -> None:
    from rheobase.fields.assembly import stiffness
    from rheobase.fields.coils.coil import magnetic_dipole
    from rheobase.fields.coils.windings import coil
    from rheobase.fields.conduction import solve_pads
    from rheobase.fields.correction import correct
    from rheobase.fields.electrodes.electrode import Electrode
    from rheobase.fields.electrodes.montage import Montage
    from rheobase.fields.electrodes.pads import lay_montage
    from rheobase.fields.induction import solve_induction
    from rheobase.fields.solver import Conductor
    from rheobase.meshes.mesher import mesh_spheres
    from rheobase.meshes.placing.outlines import Disc
    from rheobase.meshes.placing.scalp import Scalp

    warm = Conductor(mesh_spheres((0.06, 0.08, 0.095), (2, 4, 5), 0.012), {2: 0.3, 4: 0.01, 5: 0.3})
    solve_induction(warm, magnetic_dipole([0, 0, 0.3], [1, 0, 0]))
    warm.solve(np.eye(3, len(warm.mesh.nodes)) - np.eye(3, len(warm.mesh.nodes), 3))

    title, mesh, sigma, places = case(what)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    clock = [cpu()]
    stiffness(mesh)
    clock.append(cpu())
    c = Conductor(mesh, sigma)
    clock.append(cpu())
    surface = np.unique(mesh.outer_faces()[0])
    ends = np.random.default_rng(1).choice(surface, (9, 2), replace=False)
    b = np.zeros((9, len(mesh.nodes)))
    b[np.arange(9)[:, None], ends] = 1.0, -1.0
    start = cpu()
    V, first = c.solve(b[:1])
    one = cpu() - start
    start = cpu()
    c.solve(b[1:2])
    alone = cpu() - start
    _ = c.solve(b[1:4], rtol=0.5)  # the levels for blocks, once
    start = cpu()
    _, solves = c.solve(b[1:])
    block = (cpu() - start) / 8
    start = cpu()
    _ = c.recovery
    fit = cpu() - start
    start = cpu()
    c.recovery.gradient(V + correct(c, V))
    field = cpu() - start
    start = cpu()
    tool = coil("magstim-70mm-figure8")
    A = tool.vector_potential(mesh.nodes - places[0] - np.array([0, 0, 0.01]))
    potential = cpu() - start
    disc = [Electrode(name=str(k), centre=place, shape=Disc()) for k, place in enumerate(places)]
    montage = Montage(name="discs", electrodes=tuple(disc), currents=(1.0, -1.0))
    start = cpu()
    pads = lay_montage(montage, Scalp(mesh))
    _, solve = solve_pads(c, pads, np.array(montage.currents))
    electrodes = cpu() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate = bandwidth()
    nnz = len(c.stiffness.indices)
    scale = len(mesh.tets) / SIMNIBS_TETS
    peer_all, peer_more = scale * sum(SIMNIBS.values()), scale * SIMNIBS["solve"]
    whole = clock[2] - clock[1] + one
    limits = [
        solve.iterations * bytes_of_iteration(c.multigrid, k) / rate
        for solve, k in ((first[0], 1), (solves[0], 8))
    ]
    print(
        f"{title}: {len(mesh.tets):,} tetrahedra, {len(mesh.nodes):,} nodes, "
        f"{nnz:,} entries ({nnz * 12 / 2**20:.0f} MB); {rate / 1e9:.1f} GB/s\n"
        f"  assemble {clock[1] - clock[0]:.2f}, set up {clock[2] - 2 * clock[1] + clock[0]:.2f}, "
        f"first solve {one:.2f} ({first[0].iterations} iterations): {whole:.2f} CPU-s in all, "
        f"SimNIBS {peer_all:.1f} ({peer_all / whole:.1f} x)\n"
        f"  further right-hand side: alone {alone:.3f} CPU-s (memory's limit {limits[0]:.3f}), in "
        f"a block {block:.3f} ({solves[0].iterations} iterations, limit {limits[1]:.3f}); SimNIBS "
        f"{peer_more:.2f} ({peer_more / alone:.1f} and {peer_more / block:.1f} x)\n"
        f"  two discs, laid and solved {electrodes:.2f} CPU-s ({solve.iterations} iterations)\n"
        f"  recovery: fit {fit:.2f}, correction and field {field:.2f} CPU-s; A of "
        f"{len(tool.positions)} elements {potential:.2f} CPU-s "
        f"({len(A) * len(tool.positions) / potential / 1e6:.0f} M pairs/s)\n"
        f"  peak memory {peak:.0f} MB ({before:.0f} MB with the mesh alone)",
        flush=True,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        measure(sys.argv[2])
    else:
        for what in sys.argv[1:] or ["4", "2", "fine"]:
            subprocess.run([sys.executable, __file__, "one", what], check=True)
