"""Speed of the activation core on one core: python benchmarks/cable.py.

CPU time (time.process_time) of the tree solve for a cell of 2,500 compartments and pulses of one,
two and three phases, of the walk through a mesh that samples the field, and of growing a cell.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from rheobase.fields.waveforms.pulses import tms_pulse
from rheobase.fields.waveforms.trains import dbs_pulse
from rheobase.meshes.locate import Locator, neighbours
from rheobase.meshes.mesh import TetMesh
from rheobase.neurons._cable_numba import LANES
from rheobase.neurons._sample_numba import rises_by_walk
from rheobase.neurons.cable import Criterion, factorise, largest_response
from rheobase.neurons.compartments import compartments
from rheobase.neurons.generate import generate_cell
from rheobase.neurons.morphology import Morphology
from rheobase.neurons.placement import upright
from rheobase.neurons.pulse import drive_of


def measured_cell(count: int = 2500) -> Morphology:
    """Return an L5 pyramidal cell cut finely enough to have about ``count`` compartments."""
    skeleton = generate_cell("L5_pyramidal", "rat", seed=1).skeleton
    length = 25e-6
    cell = compartments(skeleton, max_dendrite=length)
    while len(cell) < count:
        length *= 0.93
        cell = compartments(skeleton, max_dendrite=length)
    return cell


def mesh_box(edge: float, size: float) -> TetMesh:
    """Return a cube of tetrahedra with cells of ``edge`` (m)."""
    n = round(size / edge)
    g = np.linspace(-0.5, 0.5, n + 1) * size
    nodes = np.stack(np.meshgrid(g, g, g, indexing="ij"), axis=-1).reshape(-1, 3)
    i, j, k = (a.ravel() for a in np.meshgrid(*[np.arange(n)] * 3, indexing="ij"))
    base = (i * (n + 1) + j) * (n + 1) + k
    step = np.array([(n + 1) ** 2, n + 1, 1])
    tets = []
    for path in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]:
        corners = base[:, None] + np.concatenate([[0], np.cumsum(step[list(path)])])
        even = path in [(0, 1, 2), (1, 2, 0), (2, 0, 1)]
        tets.append(corners if even else corners[:, [0, 2, 1, 3]])
    joined = np.concatenate(tets).astype(np.int32)
    return TetMesh(nodes=nodes, tets=joined, labels=np.ones(len(joined), dtype=np.int32))


def main() -> None:
    cell = measured_cell()
    n = len(cell)
    placements = 64 * LANES
    rise = np.random.default_rng(0).standard_normal((64, n, LANES)).astype(np.float32)
    pulses: dict[str, Any] = {
        "rectangle": 200e-6,
        "DBS, asymmetric": dbs_pulse(90e-6, None, recharge="asymmetric").waveform(),
        "TMS, biphasic": tms_pulse("biphasic"),
    }
    for name, pulse in pulses.items():
        drive = drive_of(pulse)
        tree, steps = factorise(cell, drive.dt), len(drive.dt)
        weight = np.outer(drive.width > 0, cell.site / 20e-3)
        near = np.maximum(cell.parent, 0)
        fires = Criterion(weight=weight, near=near, share=0.5, grows=drive.grows)
        largest_response(tree, rise[:1], drive.amplitude, fires)
        best = np.inf
        for _ in range(5):
            start = time.process_time()
            largest_response(tree, rise, drive.amplitude, fires)
            best = min(best, time.process_time() - start)
        print(
            f"cable, {name} of {steps} step(s), {n} compartments: {placements / best:9,.0f} "
            f"placements/s ({placements * n * steps / best / 1e6:.0f} M compartment steps/s)"
        )

    rng = np.random.default_rng(1)
    for edge in (1e-3, 3e-3):
        mesh = mesh_box(edge, 30e-3)
        E = rng.standard_normal((len(mesh.nodes), 3))
        count = 512
        position = rng.uniform(-8e-3, 8e-3, (count, 3))
        rotation = upright(rng.standard_normal((count, 3)), rng.uniform(0, 6.28, count))
        start_tet = Locator(mesh).locate(position)[0]
        out = np.zeros((count // LANES, n, LANES), dtype=np.float32)
        lost = np.zeros(count, dtype=np.int64)
        near, known = neighbours(mesh), np.ones(len(mesh.tets), dtype=bool)
        best = np.inf
        for k in range(4):
            start = time.process_time()
            rises_by_walk(
                mesh.nodes,
                mesh.tets,
                near,
                mesh.tets,
                known,
                E,
                cell.centre,
                cell.parent,
                rotation,
                position,
                start_tet,
                out,
                lost,
            )
            best = min(best, time.process_time() - start) if k else best
        print(
            f"walk, {edge * 1e3:.0f} mm mesh of {len(mesh.tets):,} tetrahedra: "
            f"{count / best:9,.0f} placements/s ({best / count / n * 1e9:.1f} ns a compartment)"
        )

    start = time.process_time()
    for seed in range(5):
        generate_cell("L5_pyramidal", "human", seed=seed)
    print(f"growing an L5 pyramidal cell: {(time.process_time() - start) / 5:.2f} s")


if __name__ == "__main__":
    main()
