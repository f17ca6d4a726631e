"""What the fields cost: CPU seconds, peak memory, bytes of the matrix.

    ./run python benchmarks/fields.py [EDGE_MM ...]

The three-layer sphere (85/90/95 mm), edge 4 mm (0.6 M tetrahedra) and 2 mm (4.3 M) by default.
CPU seconds of the whole process, libraries and kernels loaded before the clock starts. Every edge
length runs in a process of its own, so that the peak is its own.
"""

import resource
import subprocess
import sys
import time

import numpy as np


def cpu() -> float:
    return time.process_time()


def measure(edge: float) -> None:
    from rheobase.fields.assembly import stiffness
    from rheobase.fields.coils.coil import magnetic_dipole
    from rheobase.fields.coils.windings import coil
    from rheobase.fields.conduction import solve_pads
    from rheobase.fields.electrodes.electrode import Electrode
    from rheobase.fields.electrodes.montage import Montage
    from rheobase.fields.electrodes.pads import lay_montage
    from rheobase.fields.induction import solve_induction
    from rheobase.fields.recovery import recover_gradient, split_nodes
    from rheobase.fields.solver import Conductor
    from rheobase.meshes.mesher import mesh_spheres
    from rheobase.meshes.placing.outlines import Disc
    from rheobase.meshes.placing.scalp import Scalp

    sigma = {2: 0.33, 4: 0.01, 5: 0.33}
    warm = Conductor(mesh_spheres((0.06, 0.08, 0.095), (2, 4, 5), 0.012), sigma)
    solve_induction(warm, magnetic_dipole([0, 0, 0.3], [1, 0, 0]))

    mesh = mesh_spheres((0.085, 0.09, 0.095), (2, 4, 5), edge)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    clock = [cpu()]
    stiffness(mesh)
    clock.append(cpu())
    c = Conductor(mesh, sigma)
    clock.append(cpu())
    top, bottom, side, other = (
        int(((mesh.nodes - 0.095 * np.array(p)) ** 2).sum(1).argmin())
        for p in ([0, 0, 1], [0, 0, -1], [1, 0, 0], [0, 1, 0])
    )
    b = np.zeros((5, len(mesh.nodes)))
    b[0, [top, bottom]] = 1.0, -1.0
    b[1:, [side, other]] = 1.0, -1.0
    start = cpu()
    V, first = c.solve(b[:1])
    one = cpu() - start
    start = cpu()
    _, solves = c.solve(b[1:])
    further = (cpu() - start) / 4
    start = cpu()
    split = split_nodes(mesh)
    recover_gradient(mesh, split, V)
    recovery = cpu() - start
    start = cpu()
    tool = coil("magstim-70mm-figure8")
    A = tool.vector_potential(mesh.nodes - np.array([0, 0, 0.105]))
    potential = cpu() - start
    disc = [
        Electrode(name=str(z), centre=np.array([0.0, 0.0, z]), shape=Disc())
        for z in (0.095, -0.095)
    ]
    montage = Montage(name="poles", electrodes=tuple(disc), currents=(1.0, -1.0))
    start = cpu()
    pads = lay_montage(montage, Scalp(mesh))
    _, solve = solve_pads(c, pads, np.array(montage.currents))
    electrodes = cpu() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    nnz = len(c.stiffness.indices)
    print(
        f"{edge * 1e3:g} mm: {len(mesh.tets):,} tetrahedra, {len(mesh.nodes):,} nodes, "
        f"{nnz:,} entries ({nnz * 12 / 2**20:.0f} MB)\n"
        f"  assemble {clock[1] - clock[0]:.2f}, set up {clock[2] - 2 * clock[1] + clock[0]:.2f}, "
        f"first solve {one:.2f} ({first[0].iterations} iterations): "
        f"{clock[2] - clock[1] + one:.2f} CPU-s in all\n"
        f"  further right-hand side {further:.3f} CPU-s ({solves[0].iterations} iterations)\n"
        f"  two discs, laid and solved {electrodes:.2f} CPU-s ({solve.iterations} iterations)\n"
        f"  recovery {recovery:.2f} CPU-s; A of {len(tool.positions)} elements {potential:.2f} "
        f"CPU-s ({len(A) * len(tool.positions) / potential / 1e6:.0f} M pairs/s)\n"
        f"  peak memory {peak:.0f} MB ({before:.0f} MB with the mesh alone)",
        flush=True,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        measure(float(sys.argv[2]) * 1e-3)
    else:
        for edge_mm in sys.argv[1:] or ["4", "2"]:
            subprocess.run([sys.executable, __file__, "one", edge_mm], check=True)
