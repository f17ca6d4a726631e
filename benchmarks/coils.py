"""What coils cost and how their models agree.

    ./run python benchmarks/coils.py [FOLDER]

Pairs of element and node a CPU second against the rate of the divider; the time of the test that
keeps a coil out of the head; and, with a FOLDER of SimNIBS's coil files (MagStim_D70.ccd,
MagStim_DCC.ccd), windings against dipoles on the cortex of a sphere.
"""

import sys
import time
from pathlib import Path

import numpy as np
from numba import njit

from rheobase.fields.coils._potential_numba import vector_potential
from rheobase.fields.coils.coil import Coil
from rheobase.fields.coils.files import read_coil
from rheobase.fields.coils.placing import overlap
from rheobase.fields.coils.sampled import SampledPotential
from rheobase.fields.coils.windings import coil, load_windings
from rheobase.fields.induction import solve_induction
from rheobase.fields.solver import Conductor
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.placing.scalp import Scalp

HEAD, CORTEX, GAP = 0.085, 0.070, 0.004  # m: as Deng 2013, 4 mm from scalp to casing
NODES, ELEMENTS = 20_000, 5_000


@njit(fastmath=True, error_model="numpy")
def divider(x: np.ndarray, turns: int) -> float:
    """Sum 1/sqrt(x) over an array in the nearest cache: one division and one root each."""
    total = 0.0
    for k in range(turns):
        for i in range(len(x)):
            total += 1.0 / np.sqrt(x[i] + k)
    return total


def seconds(work: object) -> float:
    """Return the CPU seconds of the best of three calls."""
    work()  # type: ignore[operator]
    best = np.inf
    for _ in range(3):
        start = time.process_time()
        work()  # type: ignore[operator]
        best = min(best, time.process_time() - start)
    return best


def rates() -> None:
    """Print the rates of the kernels."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.09, 0.09, (NODES, 3))
    at = rng.uniform([-0.1, -0.1, 0.1], [0.1, 0.1, 0.3], (ELEMENTS, 3))
    vectors = 3e-3 * rng.normal(size=(ELEMENTS, 3))
    none, out = np.empty((0, 3)), np.empty_like(points)
    pairs = NODES * ELEMENTS / 1e9
    lines = seconds(lambda: vector_potential(points, at, vectors, none, none, out))
    dipoles = seconds(lambda: vector_potential(points, none, none, at, vectors, out))
    x = rng.uniform(1, 2, 1000)
    limit = seconds(lambda: divider(x, NODES * ELEMENTS // 1000))
    print(f"line elements  {pairs / lines:.2f} G pairs per CPU-s")
    print(f"dipoles        {pairs / dipoles:.2f} G pairs per CPU-s")
    print(f"1/sqrt alone   {pairs / limit:.2f} G per CPU-s")
    values = 1e-6 * rng.normal(size=(100, 100, 100, 3))
    affine = np.diag([2e-3, 2e-3, 2e-3, 1.0])
    affine[:3, 3] = -0.1
    grid = SampledPotential(values=values, affine=affine)
    print(
        f"sampled field  {NODES / 1e6 / seconds(lambda: grid.at(points, where='')):.1f} M nodes/s"
    )


def keeping_clear() -> None:
    """Print the time that keeping a coil out of the head takes."""
    scalp = Scalp(mesh_spheres((0.08, 0.095), (2, 5), 4e-3))
    pose = np.eye(4)
    pose[2, 3] = 0.1
    placed = coil("magstim-d70-2").moved(pose)
    took = seconds(lambda: overlap(placed, scalp))
    count = len(placed.outline) + len(placed.elements)
    print(f"clearance      {took:.3f} CPU-s, {count:,} points, {len(scalp.triangles):,} triangles")


def standing(tool: Coil) -> Coil:
    """Return a coil above the sphere, handle backwards."""
    pose = np.eye(4)
    pose[2, 3] = HEAD + GAP
    return tool.moved(pose)


def agreement(folder: Path) -> None:
    """Print windings against dipoles on the cortex of a sphere."""
    c = Conductor(mesh_spheres((HEAD,), (2,), 4e-3), {2: 0.33})
    files = {n: read_coil(folder / f"MagStim_{n}.ccd") for n in ("D70", "DCC")}
    shipped = {n: coil(n) for n in load_windings()}
    coils = [standing(t) for t in (*files.values(), *shipped.values())]
    basis = solve_induction(c, coils, allow_intersection=True)
    a, b = np.meshgrid(np.linspace(0, 0.7, 15), np.linspace(0, 2 * np.pi, 36, endpoint=False))
    cap = CORTEX * np.stack([np.sin(a) * np.cos(b), np.sin(a) * np.sin(b), np.cos(a)], axis=-1)
    E, _ = basis.at(cap.reshape(-1, 3))
    E *= 1e6
    depth, _ = basis.at(np.linspace(0.030, CORTEX, 81)[:, None] * [[0.0, 0.0, 1.0]])
    for k, name in enumerate((*files, *shipped)):
        line = np.linalg.norm(depth[k], axis=1)
        half = "" if line[-1] < 0.5e-6 else f", half depth {_half(line):.1f} mm"
        print(f"{name:22s} peak {np.linalg.norm(E[k], axis=1).max():.3f} V/m per A/us{half}")
    for dipoles, winding in (
        ("D70", "magstim-70mm-figure8"),
        ("D70", "magstim-d70-2"),
        ("DCC", "magstim-double-cone"),
    ):
        x, y = (E[(*files, *shipped).index(n)] for n in (dipoles, winding))
        scale = float((x * y).sum() / (x * x).sum())
        rest = float(np.linalg.norm(y - scale * x) / np.linalg.norm(y))
        print(f"{winding} = {scale:+.3f} x {dipoles}.ccd, rest {rest:.1%}")


def _half(line: np.ndarray) -> float:
    return 1e3 * (CORTEX - float(np.interp(line[-1] / 2, line, np.linspace(0.030, CORTEX, 81))))


if __name__ == "__main__":
    rates()
    keeping_clear()
    if len(sys.argv) > 1:
        agreement(Path(sys.argv[1]))
