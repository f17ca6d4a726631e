"""Reading and writing Gmsh meshes: CPU and wall time of a box of a million tetrahedra.

./run python benchmarks/msh.py [millions of tetrahedra]
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from rheobase.meshes.files.msh import Msh, read_msh, write_msh


def box(n_tets: int) -> Msh:
    """A box of cubes of six tetrahedra each, with a field on triangles and tetrahedra."""
    n = round((n_tets / 6) ** (1 / 3)) + 1
    number = np.arange(n**3, dtype=np.int32).reshape(n, n, n)
    corner = [
        number[i : n - 1 + i, j : n - 1 + j, k : n - 1 + k].ravel()
        for i in (0, 1)
        for j in (0, 1)
        for k in (0, 1)
    ]
    paths = [(0, a, b, 7) for a, b in ((1, 3), (1, 5), (2, 3), (2, 6), (4, 5), (4, 6))]
    tets = np.concatenate([np.stack([corner[c] for c in path], 1) for path in paths])
    side = np.stack([corner[0], corner[1], corner[3]], 1)[:: n - 1]
    rng = np.random.default_rng(0)
    return Msh(
        nodes_mm=np.stack(np.unravel_index(np.arange(n**3), (n, n, n)), 1) + rng.random((n**3, 3)),
        triangles=side,
        triangle_tags=np.full(len(side), 1005, np.int32),
        tets=tets,
        tet_tags=rng.integers(1, 6, len(tets)).astype(np.int32),
        triangle_data={"E": rng.normal(size=(len(side), 3))},
        tet_data={"E": rng.normal(size=(len(tets), 3))},
    )


def main() -> None:
    mesh = box(round(1e6 * float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000)
    bare = Msh(
        nodes_mm=mesh.nodes_mm,
        triangles=mesh.triangles,
        triangle_tags=mesh.triangle_tags,
        tets=mesh.tets,
        tet_tags=mesh.tet_tags,
    )
    print(f"{len(mesh.tets):,} tetrahedra, {len(mesh.nodes_mm):,} nodes")
    print(f"{'':24s} {'MB':>6s} {'write CPU, wall':>18s} {'read CPU, wall':>18s}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.msh"
        for content, what in ((bare, "mesh"), (mesh, "mesh and field")):
            for version in ("2.2", "4.1"):
                for binary in (True, False):
                    start = time.process_time(), time.perf_counter()
                    write_msh(path, content, version=version, binary=binary)
                    middle = time.process_time(), time.perf_counter()
                    back = read_msh(path)
                    end = time.process_time(), time.perf_counter()
                    assert back.tets.tobytes() == content.tets.tobytes()
                    w, r = np.subtract(middle, start), np.subtract(end, middle)
                    way = f"{what} {version} {'binary' if binary else 'text'}"
                    size = path.stat().st_size / 1e6
                    print(
                        f"{way:28s} {size:6.0f} {w[0]:8.2f} {w[1]:6.2f} s {r[0]:8.2f} {r[1]:6.2f} s"
                    )


if __name__ == "__main__":
    main()
