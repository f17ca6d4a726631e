"""Cost and quality of the mesher beside others: ``python benchmarks/mesher_peers.py``.

A folded ellipsoid of five labels (90 x 110 x 90 voxels of 2 mm), each mesher at the edge length
that gives about as many tetrahedra. TetGen and CGAL run where their extras are installed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from rheobase._errors import InputError
from rheobase.meshes.backends import mesh_image_with
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import mesh_image
from rheobase.meshes.quality import quality
from rheobase.validation.label_images import folded_head

VOXEL = 2
AFFINE = np.diag([VOXEL * 1e-3] * 3 + [1.0])
MESHERS: dict[str, tuple[Callable[..., TetMesh], float]] = {
    "rheobase": (mesh_image, 2.75e-3),
    "tetgen": (lambda *a: mesh_image_with("tetgen", *a), 4e-3),
    "cgal": (lambda *a: mesh_image_with("cgal", *a), 3.2e-3),
}


def main() -> None:
    image = folded_head(VOXEL)
    print("| mesher | tetrahedra | CPU-s per million | smallest angle, 1 % | worst volume |")
    print("|---|---|---|---|---|")
    for name, (mesher, edge) in MESHERS.items():
        try:
            mesher(image[20:40, 40:60, 20:40], AFFINE, edge)  # compiles, imports
            start = time.process_time()
            mesh = mesher(image, AFFINE, edge)
        except InputError as error:
            print(f"| {name} | {error} | | | |")
            continue
        cpu = time.process_time() - start
        q = quality(mesh)
        off = [
            q.volumes.get(k, 0.0) / (np.count_nonzero(image == k) * (VOXEL * 1e-3) ** 3) - 1
            for k in range(1, 6)
        ]
        print(
            f"| {name} | {q.n_tets / 1e6:.2f} M | {1e6 * cpu / q.n_tets:.1f} "
            f"| {q.min_dihedral:.1f}°, {q.p1_dihedral:.1f}° | {100 * max(off, key=abs):+.1f} % |"
        )


if __name__ == "__main__":
    main()
