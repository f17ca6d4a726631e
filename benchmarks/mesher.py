"""Cost and quality of the mesher: ``python benchmarks/mesher.py [LABELS.nii.gz] [--edge-mm 3]``.

Without a file it meshes a folded ellipsoid of five labels (180 x 220 x 180 voxels of 1 mm).
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np

from rheobase.meshes.mesher import carve_image


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", type=Path, nargs="?")
    parser.add_argument("--edge-mm", type=float, default=3.0)
    chosen = parser.parse_args()
    if chosen.labels is None:
        image, affine = folded_head(), np.diag([1e-3, 1e-3, 1e-3, 1.0])
    else:
        import nibabel as nib

        file = nib.load(chosen.labels)
        image, affine = np.asarray(file.dataobj).squeeze(), file.affine.copy()
        affine[:3] *= 1e-3
    if not np.issubdtype(image.dtype, np.integer):
        image = image.astype(np.int32)
    middle = tuple(slice(n // 2 - 8, n // 2 + 8) for n in image.shape)
    carve_image(image[middle], affine, 3e-3)  # compiles
    start = time.process_time()
    carved = carve_image(image, affine, chosen.edge_mm * 1e-3)
    cpu = time.process_time() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    mesh = carved.mesh
    print(carved.report)
    print(
        f"{cpu:.1f} CPU-s, {1e6 * cpu / len(mesh.tets):.1f} CPU-s per million tetrahedra, "
        f"{memory:.0f} MB at the peak"
    )


if __name__ == "__main__":
    main()
