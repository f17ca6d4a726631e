"""What targeting with coils costs on a head, and how near it comes to full solutions.

    ./run python benchmarks/targeting.py [HEAD [FILE]]

The default head (``mni152``) unless named; the modes go to FILE (a temporary one), and a run that
was stopped goes on with it. Wall and CPU seconds; kernels are compiled before. 50 random poses of
each of two coils, nowhere on the face, casing 0 to 10 mm off the scalp, against a full solution
each. Two threads (``NUMBA_NUM_THREADS``, ``OMP_NUM_THREADS``) at most.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

COILS = ("magstim-70mm-figure8", "deng-25mm-figure8")
BROAD = (*COILS, "magventure-mc-b70", "circular-90mm")
POSES = 50
FEWER = (100, 200, 300)  # modes


class Clock:
    """Wall and CPU seconds since it was made, as text."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def __str__(self) -> str:
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        return f"{wall:.1f} s ({cpu:.1f} CPU-s)"


def main(name: str, path: Path) -> None:
    from rheobase.fields.coils.windings import coil
    from rheobase.fields.optimisation.target import region_target
    from rheobase.fields.solver import Conductor
    from rheobase.fields.targeting.modes_solve import coil_modes
    from rheobase.fields.targeting.reciprocity import reciprocity
    from rheobase.meshes.heads import build_head
    from rheobase.meshes.regions.region import ball as ball_region
    from rheobase.validation.leadfield import ball
    from rheobase.validation.targeting import full_fields, random_poses

    tools = [coil(c) for c in COILS]
    small = ball(12e-3)
    warm = reciprocity(small, region_target(small, ball_region((0, 0, 0.06), 0.015)))
    warm.map(tools[0], radius=0.01)
    with tempfile.TemporaryDirectory() as folder:
        coil_modes(small, Path(folder) / "warm.h5", modes=9).field(tools[0], np.eye(4))

    head = build_head(name)
    clock = Clock()
    conductor = Conductor(head)
    _ = conductor.recovery
    print(f"{name}: {len(head.mesh.tets):,} tetrahedra; matrix, multigrid, patches {clock}")
    hand = region_target(head, ball_region((-0.037, -0.021, 0.058), 0.010, space="MNI"))
    clock = Clock()
    seen = reciprocity(conductor, hand)
    print(
        f"target of {hand.volume * 1e6:.2f} cm3: set-up {clock}, misfit {seen.exterior.misfit:.1e}"
    )
    for tool in tools:
        clock = Clock()
        found = seen.map(tool)
        poses = found.poses.reshape(-1, 4, 4)
        whole = str(clock)
        start, used = time.perf_counter(), time.process_time()
        seen.at(tool, poses)
        rate = len(poses) / (time.perf_counter() - start)
        share = len(poses) / (time.process_time() - used)
        i, j = found.best
        print(
            f"  {tool.name}: map of {len(poses):,} poses, lifted off the scalp, {whole}; "
            f"{rate:,.0f} poses a second, {share:,.0f} a CPU-second; best "
            f"{1e6 * found.values[i, j]:.3f} V/m at 1 A/us, "
            f"handle at {found.angles_deg[j]:g} degrees"
        )
    clock = Clock()
    modes = coil_modes(head, path)
    _ = modes.E
    print(
        f"{len(modes.singular)} modes at {len(modes.kept):,} nodes of grey matter: {clock}, "
        f"{path.stat().st_size / 2**20:.0f} MB"
    )
    for k, tool in enumerate(tools):
        poses = random_poses(seen.scalp, seen.distance, tool, POSES, lowest=0.0, seed=k)
        error, missing, took = np.empty(POSES), np.empty(POSES), np.empty(POSES)
        fewer = np.empty((len(FEWER), POSES))
        clock = Clock()
        fast = seen.at(tool, poses)
        off = np.empty(POSES)
        for n, full in enumerate(full_fields(conductor, tool, poses)):
            mean = np.einsum("rmj,mj->r", hand.weighting, full[hand.nodes])
            off[n] = np.linalg.norm(fast[n] - mean) / np.linalg.norm(mean)
            start = time.perf_counter()
            E, missing[n] = modes.field(tool, poses[n])
            took[n] = time.perf_counter() - start
            full = full[modes.kept]
            error[n] = np.linalg.norm(E - full) / np.linalg.norm(full)
            c = modes.coefficients(tool, poses[n])[0][0].astype(np.float32)
            for m, count in enumerate(FEWER):
                part = c[:count] @ modes.E[:count].reshape(count, -1)
                fewer[m, n] = np.linalg.norm(part.reshape(-1, 3) - full) / np.linalg.norm(full)
        print(
            f"  {tool.name}, {POSES} poses (full solutions {clock}): reciprocity off by "
            f"{100 * off.max():.3f} % at most; modes by {100 * np.median(error):.2f} % "
            f"(median), {100 * error.max():.2f} % (worst), estimated "
            f"{100 * np.median(missing):.2f} and {100 * missing.max():.2f} %, estimate over error "
            f"{(missing / error).min():.2f} to {(missing / error).max():.2f}; "
            f"{1e3 * np.median(took):.0f} ms a pose (median), {1e3 * took.max():.0f} (worst)"
        )
        for count, wrong in zip(FEWER, fewer, strict=True):
            print(f"    {count} modes: {100 * np.median(wrong):.2f}, {100 * wrong.max():.2f} %")
    for name in BROAD:
        poses = random_poses(seen.scalp, seen.distance, coil(name), POSES, lowest=0.0, seed=9)
        c, missing = modes.coefficients(coil(name), poses)
        whole = (c**2).sum(axis=1) / (1 - missing**2)
        for count in (*FEWER, len(modes.singular)):
            rest = np.sqrt(np.maximum(1 - (c[:, :count] ** 2).sum(axis=1) / whole, 0))
            print(
                f"  {name}, {count} modes: B missing {100 * np.median(rest):.2f} % (median), "
                f"{100 * rest.max():.2f} % (worst)"
            )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB")


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else "mni152"
    if len(sys.argv) > 2:
        main(chosen, Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(chosen, Path(folder) / "modes.h5")
