"""Measure the insertion of a 4x1 montage and of a deep lead into the default head.

Run as ``python benchmarks/insertion.py [EDGE_MM]``; kernels are compiled before.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numba
import numpy as np

from rheobase.meshes.head import Head
from rheobase.meshes.heads.mni152 import build
from rheobase.meshes.insertion.bodies import Body, Coat, lead, pad
from rheobase.meshes.insertion.insert import Inserted, insert_into_head
from rheobase.meshes.insertion.shapes import Ball
from rheobase.meshes.placing.outlines import Disc
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.store import load_head, save_head
from rheobase.meshes.tissues import tissue

TISSUES = {
    100: tissue("electrode_rubber"),
    500: tissue("saline_gel"),
    30: tissue("fat"),
    **{label: tissue("electrode_rubber") for label in (31, 32, 33, 34)},
}


def montage(head: Head) -> list[Body]:
    """Return five discs of 6 mm radius: 1.5 mm of gel, 1 mm of metal."""
    scalp = Scalp(head.mesh)
    coats = [
        Coat(name="gel", label=500, thickness_mm=1.5),
        Coat(name="metal", label=100, thickness_mm=1.0),
    ]
    bodies: list[Body] = []
    for name in ("C3", "F3", "P3", "T7", "Cz"):
        bodies += pad(scalp, head.position(name), Disc(radius_mm=6.0), coats, name=name)
    return bodies


def deep_lead() -> list[Body]:
    """Return a lead of 1.27 mm with four contacts, from the thalamus up to the skull."""
    return list(
        lead(
            [0.012, -0.013, -0.008],
            [0.035, 0.020, 0.065],
            1.27,
            [(1.5, 3.0), (3.5, 5.0), (5.5, 7.0), (7.5, 9.0)],
            name="lead",
            shaft=30,
            contacts=[31, 32, 33, 34],
        )
    )


def report(what: str, head: Head, bodies: list[Body]) -> Inserted:
    """Insert and print what it cost."""
    start, wall = time.process_time(), time.perf_counter()
    made = insert_into_head(head, bodies, TISSUES)[1]
    cpu, wall = time.process_time() - start, time.perf_counter() - wall
    same = (made.kept_nodes == np.arange(len(made.kept_nodes))).mean()
    print(
        f"{what}: {cpu:.1f} CPU-s ({wall:.1f} s with {numba.get_num_threads()} threads), "
        f"{100 * same:.2f} % of the nodes as they were"
    )
    print(made)
    return made


def main() -> None:
    """Build the head, store it, insert."""
    edge = float(sys.argv[1]) if len(sys.argv) > 1 else None
    head = build(edge_length_mm=edge)
    print(f"{len(head.mesh.tets):,} tetrahedra")
    with tempfile.TemporaryDirectory() as folder:
        for lattice, what in ((None, "without"), (head.lattice, "with")):
            path = Path(folder) / f"{what}.h5"
            start = time.perf_counter()
            save_head(path, Head(**{n: getattr(head, n) for n in FIELDS}, lattice=lattice))
            saved = time.perf_counter() - start
            start = time.perf_counter()
            loaded = load_head(path)
            took = time.perf_counter() - start
            print(
                f"{what} lattice: {path.stat().st_size / 1e6:.1f} MB, {saved:.1f} s, {took:.2f} s"
            )
        assert loaded.lattice is not None
        warm = Body(
            name="warm",
            label=500,
            shape=Ball(centre=np.array([0.0, -0.02, 0.02]), radius=4e-3),
            edge_length=2e-3,
        )
        insert_into_head(loaded, [warm], TISSUES)
        report("4x1 montage", loaded, montage(head))
        report("lead", loaded, deep_lead())


FIELDS = ("name", "species", "space", "mesh", "tissues", "fiducials", "positions", "cortex")

if __name__ == "__main__":
    main()
