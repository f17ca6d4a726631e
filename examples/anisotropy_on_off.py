# ruff: noqa: T201 (an example prints)
"""One montage with isotropic and with anisotropic white matter.

    python examples/anisotropy_on_off.py [HEAD [RESOLUTION [PICTURE.png [TENSORS.nii.gz]]]]

No shipped head has a diffusion image. Unless one is given, the example WRITES A SYNTHETIC one: left
to right near the midline, as the corpus callosum, and radial elsewhere, as the corona radiata,
three times as conductive along as across. Plausible in size, wrong in every detail.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.fields import (
    Conductor,
    FieldBasis,
    Rectangle,
    TensorImage,
    conductivity_tensors,
    layer,
    montage_1x1,
    read_tensors,
    solve_conduction,
)
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.views import draw_slice, new_figure

CURRENT = 2e-3  # A
CENTRE = (0.0, -0.018, 0.008)  # m, MNI: the fibres of the synthetic image radiate from here
RATIO = 3.0  # conductivity along over across: a fractional anisotropy of 0.6
MIDLINE = 0.015  # m, half width of the part where they run from left to right
VOXEL = 0.002  # m

Floats = NDArray[np.float64]


def main(
    head: Head | str = "mni152",
    resolution: str | None = None,
    out: str = "anisotropy_on_off.png",
    tensors: Path | str | None = None,
) -> dict[str, Any]:
    """Solve twice, print the table, draw; return the numbers."""
    if isinstance(head, str):
        head = build_head(head, resolution=resolution)
    if tensors is None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "synthetic_tensors.nii.gz"
            write_synthetic_tensors(file, head)
            image = read_tensors(file, axes="world")
    else:
        image = read_tensors(tensors)  # as FSL dtifit writes them
    anisotropic = conductivity_tensors(head, image, tissues=("white_matter",))

    pads = {"shape": Rectangle(width_mm=50, height_mm=50), "layers": [layer("sponge")]}
    montage = montage_1x1(head, anode="C3", cathode="Fp2", current=CURRENT, **pads)
    off = solve_conduction(Conductor(head), montage)
    on = solve_conduction(Conductor(head, tensors=anisotropic), montage)

    E, F = (CURRENT * basis.E[0] for basis in (off, on))  # V/m, off and on
    difference = np.linalg.norm(F - E, axis=1)
    results: dict[str, Any] = {"off": off.report[0], "on": on.report[0], "tissues": {}}
    print("2 mA                     mean |E|, off   mean |E|, on   change   difference of E")
    for label, tissue in head.tissues.items():
        inside = off.split_label == label
        volume = off.split_volume[inside]
        means = [volume @ np.linalg.norm(x[inside], axis=1) / volume.sum() for x in (E, F)]
        rms = np.sqrt(volume @ difference[inside] ** 2 / (volume @ (E[inside] ** 2).sum(axis=1)))
        results["tissues"][tissue.name] = {"off": means[0], "on": means[1], "difference": rms}
        print(
            f"{tissue.name:24s} {means[0]:9.4f} V/m {means[1]:10.4f} V/m"
            f" {means[1] / means[0] - 1:8.1%} {rms:14.1%}"
        )
    print()
    for name, report in (("off", off.report[0]), ("on", on.report[0])):
        given = report.delivered[0] * CURRENT * 1e3
        print(f"anisotropy {name:3s}: {given:.6f} mA delivered, {report.impedance:.2f} ohm")
    draw(head, off, (E, F), image, out)
    return results


def write_synthetic_tensors(path: Path, head: Head) -> None:
    """Write a NIfTI image of diffusion tensors that a brain might have."""
    import nibabel as nib

    nodes = head.mesh.nodes[head.mesh.tets[head.mesh.labels == head.label_of("white_matter")]]
    low, high = nodes.min(axis=(0, 1)) - 2 * VOXEL, nodes.max(axis=(0, 1)) + 2 * VOXEL
    axes = [np.arange(a, b, VOXEL) for a, b in zip(low, high, strict=True)]
    x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) - head.from_mni(CENTRE)[0]
    radial = x / np.linalg.norm(x, axis=-1, keepdims=True)
    sideways = np.array([1.0, 0.0, 0.0])
    callosal = np.exp(-((x[..., 0] / MIDLINE) ** 2))[..., None, None]
    along = callosal * np.outer(sideways, sideways)
    along = along + (1 - callosal) * radial[..., :, None] * radial[..., None, :]
    D = np.eye(3) + (RATIO - 1) * along
    upper = np.stack([D[..., i, j] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))], 3)
    affine = np.diag([VOXEL * 1e3] * 3 + [1.0])
    affine[:3, 3] = low * 1e3
    nib.save(nib.Nifti1Image(upper.astype(np.float32), affine), path)


def draw(
    head: Head, basis: FieldBasis, fields: tuple[Floats, Floats], image: TensorImage, out: str
) -> None:
    """Draw |E| off with the fibres, on, and the change, in a frontal section."""
    from matplotlib.colors import Normalize

    at = head.from_mni(CENTRE)[0]
    off, on = (np.linalg.norm(x, axis=1) for x in fields)
    limit = float(basis.percentiles(off, head.label_of("white_matter"), [99.9])[0])
    change = 100 * (on - off) / np.maximum(off, 0.1 * limit)
    figure = new_figure(14.5, 4.4)
    panels = figure.subplots(1, 3)
    shown = []
    for panel, value, norm, cmap in (
        (panels[0], off, Normalize(0, limit), "viridis"),
        (panels[1], on, Normalize(0, limit), "viridis"),
        (panels[2], change, Normalize(-40, 40), "RdBu_r"),
    ):
        shown.append(
            draw_slice(
                panel,
                head,
                lambda points, value=value: basis.interpolate(value, points),
                axis=1,
                at=at[1],
                norm=norm,
                cmap=cmap,
                margin=0.012,
            )
        )
    panels[0].set_title("isotropic; lines: fibres of the image", fontsize=10)
    panels[1].set_title("anisotropic white matter", fontsize=10)
    panels[2].set_title("change of |E|", fontsize=10)
    figure.colorbar(shown[1], ax=panels[:2], label="|E| at 2 mA (V/m)", shrink=0.9)
    figure.colorbar(shown[2], ax=panels[2], label="change (%)", shrink=0.9)

    # The principal direction of the image, every 6 mm of white matter in the section.
    low, high = head.mesh.nodes.min(axis=0), head.mesh.nodes.max(axis=0)
    x, z = np.meshgrid(*(np.arange(low[k], high[k], 0.006) for k in (0, 2)))
    point = np.column_stack([x.ravel(), np.full(x.size, at[1]), z.ravel()])
    tet = basis.locator.locate(point)[0]
    point = point[(tet >= 0) & (head.mesh.labels[tet] == head.label_of("white_matter"))]
    voxel = (point - image.affine[:3, 3]) @ np.linalg.inv(image.affine[:3, :3]).T
    voxel = np.clip(np.rint(voxel).astype(int), 0, np.array(image.values.shape[:3]) - 1)
    xx, xy, xz, yy, yz, zz = image.values[tuple(voxel.T)].T
    D = np.stack([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]).transpose(2, 0, 1)
    fibre = np.linalg.eigh(D)[1][:, :, 2]
    ends = 1e3 * point + 2.2 * np.stack([-fibre, fibre])
    panels[0].plot(ends[..., 0], ends[..., 2], color="white", lw=0.8)
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
