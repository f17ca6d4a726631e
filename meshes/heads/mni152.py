"""The default human head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import check_option
from rheobase._files import content_key
from rheobase._progress import stage
from rheobase.meshes.carving.closed_layers import carve_closed
from rheobase.meshes.carving.sizing import Size, size_image
from rheobase.meshes.cortex.columns import cortical_sheet
from rheobase.meshes.head import Head
from rheobase.meshes.heads.mni152_ribbon import ribbon
from rheobase.meshes.heads.mni152_template import (
    Template,
    around_brain,
    constants,
    fiducials,
    sources,
    surface,
    template,
)
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.placing.positions import ten_ten
from rheobase.meshes.tissues import tissue

SPACE = "MNI152NLin2009aSym"
TISSUES = ("white_matter", "grey_matter", "csf", "skull", "scalp")
NOTES = (
    "average brain: sulci are blunter, and the cortex looks thicker, than in an individual",
    "synthetic skull: one layer, a published fraction of the way from inner skull to scalp",
    "face and neck are soft tissue only (label scalp): no air, eyes, jaw or vertebrae",
    "scalp and inner skull are fsaverage's, moved to MNI152 by an affine map",
)

RESOLUTIONS = ("coarse", "standard", "fine")


def build(
    *,
    resolution: str = "standard",
    edge_length_mm: float | None = None,
    columns: int = 30_000,
) -> Head:
    """Build the default human head.

    Parameters
    ----------
    resolution
        "coarse", "standard" or "fine": about 0.5, 1.5 and 4 million tetrahedra.
    edge_length_mm
        Mean edge of the finest tetrahedra (mm), those of grey matter, CSF and skull, instead of
        that of ``resolution``. Above 4 mm, as in "coarse", brain folds are filled.
    columns
        Cortical columns to aim for.

    Returns
    -------
    Head
        In MNI152 (m).
    """
    check_option("resolution", resolution, RESOLUTIONS, where="head 'mni152'")
    rule = constants()["resolution"]
    if edge_length_mm is None:
        edge_length_mm = rule[f"{resolution}_mm"]
    rough = edge_length_mm > rule["rough_mm"]
    notes = list(NOTES)
    with stage("head mni152: label image"):
        image = shown = template()
        if rough:
            shown = template(rough=True)
            notes.append(changes(image, shown))
    with stage("head mni152: cortex"):
        inner = around_brain(image)
        cortex = cortical_sheet(ribbon(inner), inner.affine, columns=columns)
    with stage("head mni152: mesh"):
        edge = edge_length_mm * 1e-3
        carved = carve_closed(
            shown.labels,
            shown.affine,
            edge,
            size=graded(shown, edge),
            smoothing=rule["smoothing"] * edge if rough else None,
        )
        mesh = carved.mesh
    with stage("head mni152: 10-10 positions"):
        vertices, triangles = surface("scalp")
        marks = {name: p.copy() for name, p in fiducials().items()}
        positions = ten_ten(vertices * 1e-3, triangles, marks)
    names = [tissue(n) for n in TISSUES]
    constant = constants()
    return Head(
        name="mni152",
        species="human",
        space=SPACE,
        mesh=mesh,
        tissues={t.label: t for t in names},
        fiducials=marks,
        positions=on_surface(mesh, positions),
        cortex=cortex,
        lattice=carved.lattice,
        provenance={
            "made by": "rheobase.meshes.heads.mni152",
            "edge length (mm)": edge_length_mm,
            "mesh": carved.report.as_dict(),
            "inputs": {role: content_key(path) for role, path in sources().items()},
            "constants": {k: v for k, v in constant.items() if isinstance(v, dict)},
            "notes": notes,
        },
    )


def changes(image: Template, rough: Template) -> str:
    """Say what a coarse head has other than the label image of the default head."""
    rule = constants()["rough"]
    count = [np.bincount(t.labels.ravel(), minlength=len(TISSUES) + 1)[1:] for t in (image, rough)]
    code = {name: tissue(name).label - 1 for name in TISSUES}
    parts = [
        f"{name.replace('_', ' ')} {100 * (count[1][k] / count[0][k] - 1):+.1f} %"
        for name, k in code.items()
    ]
    return (
        f"brain folds filled (smoothed by {rule['smoothing_mm']:g} mm at the same volume), at "
        f"least {rule['csf_mm']:g} mm of CSF around the brain; volumes against the default label "
        f"image: {', '.join(parts)}"
    )


def graded(image: Template, edge: float) -> Size:
    """Return the wanted edge (m) of the default head.

    ``edge`` in grey matter, CSF and skull, and in scalp thinner than two edges; twice that in
    white matter and in other scalp near the skull; four times that in face and neck.
    """
    from scipy import ndimage

    code = {name: tissue(name).label for name in TISSUES}
    labels, spacing = image.labels, float(np.linalg.norm(image.affine[:3, 0]))

    def away(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        distance: NDArray[np.float32] = ndimage.distance_transform_edt(~mask).astype(np.float32)
        return distance * np.float32(spacing)

    fine = np.isin(labels, [code[name] for name in ("grey_matter", "csf", "skull")])
    to_fine = away(fine)
    near = (labels == code["white_matter"]) | (
        to_fine <= constants()["resolution"]["margin_mm"] * 1e-3
    )
    thin = (labels == code["scalp"]) & (to_fine + away(labels == 0) < 2 * edge)
    fine = (to_fine <= spacing) | thin
    wanted = np.where(fine, edge, np.where(near, 2 * edge, 4 * edge)).astype(np.float32)
    wanted *= np.float32(1.001)  # or rounding makes each of them a hair too small for its level
    return size_image(wanted, image.affine, outside=4 * edge)


def on_surface(
    mesh: TetMesh, points: dict[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """Move points to the nearest point of the mesh's outer surface (m)."""
    import pyvista as pv

    outside = mesh.boundary()
    surface = pv.PolyData.from_regular_faces(mesh.nodes, outside)
    _, nearest = surface.find_closest_cell(
        np.array(list(points.values())), return_closest_point=True
    )
    return dict(zip(points, np.asarray(nearest, dtype=np.float64), strict=True))
