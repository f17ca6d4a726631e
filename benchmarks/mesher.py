"""Cost and quality of the mesher.

``python benchmarks/mesher.py [LABELS] [--labels TABLE] [--edge-mm 3] [--voxel-mm 1]``

Without a file it meshes a folded ellipsoid of five labels (180 x 220 x 180 voxels of 1 mm). The
file is an image that `read_labels` reads, or a .mat file with one array of labels. ``--labels``
groups its labels to tissues, as `head_from_image` does: a known table, a CSV file or "auto".
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numba
import numpy as np

from rheobase.meshes.heads.from_image import read_labels, relabelled
from rheobase.meshes.heads.tissue_labels import image_tissues
from rheobase.meshes.mesher import carve_image
from rheobase.meshes.tissues import load_tissues


def folded_head() -> np.ndarray:
    shape = (180, 220, 180)
    x, y, z = (
        (np.indices(shape).transpose(1, 2, 3, 0) - np.array(shape) / 2).transpose(3, 0, 1, 2)
    ).astype(float)
    r = np.sqrt((x / 78) ** 2 + (y / 96) ** 2 + (z / 80) ** 2)
    fold = 0.04 * np.sin(x / 4) * np.sin(y / 4.5) * np.sin(z / 4.2)
    image = np.zeros(shape, np.int16)
    for label, edge in ((5, 1.0), (4, 0.93), (3, 0.86)):
        image[r < edge] = label
    image[r + fold < 0.80] = 2
    image[r + 1.5 * fold < 0.74] = 1
    return image


def opened(path: Path, voxel_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and affine (m) of a file; a .mat file has no affine."""
    if path.suffix != ".mat":
        return read_labels(path)
    from scipy.io import loadmat

    (image,) = (x for x in loadmat(path).values() if isinstance(x, np.ndarray) and x.ndim == 3)
    return image, np.diag([*3 * [voxel_mm * 1e-3], 1.0])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--labels", metavar="TABLE")
    parser.add_argument("--voxel-mm", type=float, default=1.0, help="of a .mat file")
    parser.add_argument("--edge-mm", type=float, default=3.0)
    chosen = parser.parse_args()
    if chosen.file is None:
        image, affine = folded_head(), np.diag([1e-3, 1e-3, 1e-3, 1.0])
    else:
        image, affine = opened(chosen.file, chosen.voxel_mm)
    if chosen.labels is not None:
        table, _, reason = image_tissues(chosen.labels, image, chosen.file, load_tissues())
        print(reason)
        image = relabelled(image, table, "voxels", str(chosen.file))
    middle = tuple(slice(n // 2 - 8, n // 2 + 8) for n in image.shape)
    carve_image(image[middle], affine, chosen.edge_mm * 1e-3)  # compiles
    start, wall = time.process_time(), time.perf_counter()
    carved = carve_image(image, affine, chosen.edge_mm * 1e-3)
    cpu, wall = time.process_time() - start, time.perf_counter() - wall
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    mesh = carved.mesh
    print(carved.report)
    print(
        f"{cpu:.1f} CPU-s ({wall:.1f} s with {numba.get_num_threads()} threads), "
        f"{1e6 * cpu / len(mesh.tets):.1f} CPU-s per million tetrahedra, "
        f"{memory:.0f} MB at the peak"
    )


if __name__ == "__main__":
    main()
