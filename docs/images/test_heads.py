"""Draw the pictures of docs/test_heads.md, and print its table.

``python docs/images/test_heads.py FOLDER``, FOLDER holding the label images that page names.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from scipy.io import loadmat

from rheobase.head_views import write_picture
from rheobase.meshes.files.volumes import read_volume
from rheobase.meshes.head import Head
from rheobase.meshes.heads.from_image import head_from_image, read_labels
from rheobase.meshes.heads.from_maps import head_from_maps
from rheobase.meshes.quality import quality

HERE = Path(__file__).parent
WIDTH, COLOURS = 900, 64  # of a picture: pixels and palette
FRONT = 200  # slices of Digimouse that hold its head


def nifti(values: NDArray[Any], affine_mm: NDArray[np.float64], path: Path) -> Path:
    """Write a label image that came without a header."""
    nib.save(nib.Nifti1Image(values, affine_mm), path)  # type: ignore[no-untyped-call]
    return path


Image = tuple[NDArray[Any], NDArray[np.float64]]


def ernie(folder: Path, _: Path, **options: Any) -> tuple[Head, Image]:
    """Read the adult of SimNIBS's example, 56 labels of CHARM, before its T1."""
    head = head_from_image(
        folder / "ernie_charm.nii.gz", labels="charm_index", name="ernie", **options
    )
    t1 = read_volume(folder / "ernie_t1.nii.gz")
    return head, (t1.values, t1.affine)


def colin27(folder: Path, scratch: Path, **options: Any) -> tuple[Head, Image]:
    """Read Colin27, six labels."""
    values = loadmat(folder / "colin27_v3.mat")["colin27"]
    affine = np.eye(4)
    affine[:3, 3] = -90, -125, -71
    path = nifti(values, affine, scratch / "colin27.nii.gz")
    head = head_from_image(path, labels="colin27", name="colin27", **options)
    return head, read_labels(path)


def ants19(folder: Path, _: Path, **options: Any) -> tuple[Head, Image]:
    """Read the maps of a young adult's template, before their labels."""
    maps = folder / "ants19-5years"
    head = head_from_maps(maps, name="ants19", **options)
    found = [read_volume(path) for path in sorted(maps.glob("c[1-6]*.jnii"))]
    return head, (6 - np.argmax([m.values for m in found], axis=0), found[0].affine)


def digimouse(folder: Path, scratch: Path, **options: Any) -> tuple[Head, Image]:
    """Read the front of Digimouse, 21 labels; its second axis runs from nose to tail."""
    values = loadmat(folder / "digimouse.mat")["digimouse"][:, :FRONT]
    path = nifti(values, np.diag([-0.2, -0.2, 0.2, 1.0]), scratch / "digimouse.nii.gz")
    options["species"] = "mouse"
    head = head_from_image(path, labels="digimouse", name="digimouse", **options)
    return head, read_labels(path)


#: How each head is read, with an image to draw behind its interfaces, and its two resolutions (mm).
HEADS: dict[str, tuple[Callable[..., tuple[Head, Image]], tuple[float, float]]] = {
    "ernie": (ernie, (4.0, 3.0)),
    "colin27": (colin27, (4.0, 3.0)),
    "ants19": (ants19, (4.0, 3.0)),
    "digimouse": (digimouse, (0.8, 0.5)),
}


def main() -> None:
    """Mesh each head twice, print the table and draw the coarser mesh."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=list(HEADS))
    chosen = parser.parse_args()
    say = sys.stdout.write
    say("| head | edge (mm) | tetrahedra | smallest angle, 1 % | CPU-s | volumes |\n")
    say("|---|---|---|---|---|---|\n")
    for name in chosen.names:
        reader, edges = HEADS[name]
        for edge in edges:
            with tempfile.TemporaryDirectory() as scratch:
                start = time.process_time()
                head, image = reader(chosen.folder, Path(scratch), edge_length_mm=edge)
                cpu = time.process_time() - start
            q = quality(head.mesh)
            say(
                f"| {name} | {edge:g} | {q.n_tets / 1e6:.2f} M | {q.min_dihedral:.1f}°, "
                f"{q.p1_dihedral:.1f}° | {cpu:.0f} | {volumes(head)} |\n"
            )
            for pair in head.provenance["mesh"]["contacts"]:
                names = " and ".join(head.tissues[k].name if k else "air" for k in pair["labels"])
                say(f"{names} touch: {pair['n_nodes']} nodes, {pair['area'] * 1e4:.1f} cm²\n")
            sys.stdout.flush()
            if edge == edges[0]:
                picture(head, image, HERE / f"test_heads_{name}.png")


def volumes(head: Head) -> str:
    """Return the volume errors of the tissues, those beyond 1 % by name."""
    errors = {int(k): e for k, e in head.provenance["mesh"]["volume_errors"].items()}
    beyond = [
        f"{head.tissues[k].name} {100 * e:+.1f} %" for k, e in errors.items() if abs(e) > 0.01
    ]
    rest = max((abs(e) for e in errors.values() if abs(e) <= 0.01), default=0.0)
    return "; ".join([*beyond, f"others within {100 * rest:.1f} %"])


def picture(head: Head, image: Image, path: Path) -> None:
    """Write sections, interfaces on an image and the cut mesh as a small file."""
    write_picture(head, path, image=image)
    full = PIL.Image.open(path).convert("RGB")
    size = (WIDTH, round(full.height * WIDTH / full.width))
    full.resize(size, PIL.Image.Resampling.LANCZOS).quantize(COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    main()
