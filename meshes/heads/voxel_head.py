"""What every head made of voxels shares: repair, landmarks, mesh, cortical sheet, positions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase._progress import stage
from rheobase.meshes.carving.carved import Carved
from rheobase.meshes.cortex.columns import cortical_sheet
from rheobase.meshes.cortex.ribbon import ribbon_of_labels
from rheobase.meshes.cortex.sheet import CorticalSheet
from rheobase.meshes.files.volumes import read_volume
from rheobase.meshes.head import Head, Species
from rheobase.meshes.heads.added_layers import LAYERS, add_layers
from rheobase.meshes.heads.mni152 import on_surface
from rheobase.meshes.heads.sizes import check_size, sizes
from rheobase.meshes.images.label_tables import label_counts
from rheobase.meshes.images.repair import repair as mended
from rheobase.meshes.images.voxels import resampled
from rheobase.meshes.placing.landmarks import check_landmarks, outer_voxels
from rheobase.meshes.placing.positions import ten_ten
from rheobase.meshes.tissues import Tissue

#: A tissue whose volume in the mesh is off by more than this part of it is told.
VOLUME_TOLD = 0.05
#: Edges that must fit across the narrowest side of a head.
EDGES_ACROSS = 8.0
#: Landmarks that the 10-10 positions need.
NEEDED = ("nasion", "inion", "lpa", "rpa")
#: Voxels whose edges differ by more than this part are made cubes for the cortical sheet.
CUBIC = 1e-3
BRAIN = frozenset({"white_matter", "grey_matter"})
#: Tissues without any of which a brain is bare.
AROUND = frozenset(
    {"skull", "compact_bone", "spongy_bone", "scalp", "skin", "fat", "muscle", "cartilage"}
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prepared:
    """A label image that is ready to be meshed.

    Parameters
    ----------
    image
        Labels of tissues, shape (nx, ny, nz); 0 is outside.
    affine
        Voxel indices to world (m), shape (4, 4).
    tissues
        Tissue of each label.
    report
        Repair report as plain values, empty without one.
    notes
        What was done and found.
    """

    image: NDArray[np.uint16]
    affine: NDArray[np.float64]
    tissues: dict[int, Tissue]
    report: dict[str, Any]
    notes: tuple[str, ...]


def check_choices(species: str, repair: bool | str, around: str | None, where: str) -> None:
    """Refuse unknown values of the options that heads of voxels share."""
    check_option("species", species, sizes(), where=where)
    if around is not None:
        check_option("way to complete a brain", around, ("layers", "nothing"), where=where)
    if repair not in (True, False, "report"):
        raise InputError(f"repair must be True, False or 'report', got {repair!r}: {where}")


def prepared(
    image: NDArray[np.uint16],
    affine: NDArray[np.float64],
    tissues: Mapping[int, Tissue],
    *,
    known: Mapping[str, Tissue],
    species: str,
    repair: bool | str,
    around: str | None,
    t1: Path | str | None,
    air: NDArray[np.bool_] | None,
    where: str,
) -> Prepared:
    """Repair a label image, and complete a bare brain, as asked (see `head_from_image`)."""
    names = {tissues[k].name for k in label_counts(image) if k}
    if not names:
        raise InputError(f"expected labelled tissue, all voxels are outside: {where}")
    bare = bool(names & BRAIN) and not names & AROUND
    if bare and around is None:
        raise InputError(
            f"expected a head, {where} labels only {', '.join(sorted(names))}: give "
            "around='layers' for synthetic CSF, skull and scalp (with t1= the head's own outline), "
            "or around='nothing'"
        )
    given = read_volume(t1) if bare and around == "layers" and t1 is not None else None
    notes: list[str] = []
    report: dict[str, Any] = {}
    by_label = dict(tissues)
    if repair is not False:
        with stage("repair of the label image"):
            image, found = mended(
                image,
                affine,
                names={k: t.name for k, t in by_label.items()},
                air=air,
                mend=repair is True,
            )
        notes += found.notes()
        report = found.as_dict()
    if bare and around == "layers":
        with stage("synthetic layers"):
            image, affine, note = add_layers(image, affine, species, given)
        notes.append(note)
        by_label |= {known[n].label: known[n] for n in LAYERS}
    return Prepared(image=image, affine=affine, tissues=by_label, report=report, notes=tuple(notes))


def head_name(path: Path) -> str:
    """Return the name of a file without its endings."""
    name = path.name
    for ending in (".gz", ".nii", ".mgz", ".mgh", ".img", ".hdr", ".jnii"):
        name = name.removesuffix(ending)
    return name


def checked_landmarks(
    landmarks_mm: Mapping[str, Sequence[float]] | None,
    image: NDArray[np.uint16],
    affine: NDArray[np.float64],
    species: str,
    where: str,
) -> dict[str, NDArray[np.float64]]:
    """Check the size of the head and its landmarks (m), before the long work."""
    surface = outer_voxels(image, affine)
    check_size(np.ptp(surface, axis=0), species, where)
    return check_landmarks(landmarks_mm or {}, surface, where)


def head_of_voxels(
    image: NDArray[np.uint16],
    affine: NDArray[np.float64],
    carve: Callable[[], Carved],
    *,
    edge_length_mm: float,
    tissues: Mapping[int, Tissue],
    species: str,
    name: str,
    landmarks: Mapping[str, NDArray[np.float64]],
    columns: int,
    provenance: Mapping[str, Any],
    notes: Sequence[str],
) -> Head:
    """Mesh a head of voxels, and give it a cortical sheet and 10-10 positions where it can.

    Parameters
    ----------
    image
        Labels of tissues, shape (nx, ny, nz); 0 is outside.
    affine
        Voxel indices to world (m), shape (4, 4).
    carve
        Makes the mesh.
    edge_length_mm
        Mean edge that it makes (mm).
    tissues
        Tissue of each label.
    species, name
        As in `Head`.
    landmarks
        Checked landmarks (m).
    columns
        Cortical columns to aim for.
    provenance
        Inputs and options.
    notes
        What is known already.

    Returns
    -------
    Head
        In the space "scanner".

    Raises
    ------
    InputError
        If the edge is too long for the head.
    """
    _check_edge(edge_length_mm, image, affine, name)
    told = list(notes)
    with stage(f"head {name}: mesh"):
        carved = carve()
    mesh = carved.mesh
    cortex = None
    try:
        with stage(f"head {name}: cortex"):
            cortex = _sheet(image, affine, columns, {t.name: k for k, t in tissues.items()})
    except InputError as error:  # the mesh is of use without it
        told.append(f"no cortical sheet: {error}")
    positions = {}
    missing = [k for k in NEEDED if k not in landmarks]
    if landmarks and missing:
        told.append(f"no 10-10 positions: they need the landmarks {', '.join(missing)} too")
    elif landmarks:
        positions = on_surface(mesh, ten_ten(mesh.nodes, mesh.boundary(), landmarks))
    made = {int(k) for k in np.unique(mesh.labels)}
    for label in sorted(label_counts(image)):
        if label and label not in made:
            told.append(
                f"{tissues[label].name} is lost in the mesh: its "
                f"{np.count_nonzero(image == label)} voxels are too small for its edge"
            )
    for label, off in carved.report.volume_errors().items():
        if abs(off) > VOLUME_TOLD:
            told.append(
                f"the volume of {tissues[label].name} in the mesh is {100 * off:+.0f} % off: "
                "it has layers thinner than an edge"
            )
    return Head(
        name=name,
        species=cast(Species, species),
        space="scanner",
        mesh=mesh,
        tissues={k: tissues[k] for k in sorted(made)},
        fiducials=dict(landmarks),
        positions=positions,
        cortex=cortex,
        lattice=carved.lattice,
        provenance={
            **provenance,
            "edge length (mm)": edge_length_mm,
            "mesh": carved.report.as_dict(),
            "notes": told,
        },
    )


def _check_edge(
    edge_length_mm: float, image: NDArray[np.uint16], affine: NDArray[np.float64], name: str
) -> None:
    filled = [np.flatnonzero(image.any(axis=tuple({0, 1, 2} - {k}))) for k in range(3)]
    voxels = np.array([axis[-1] - axis[0] + 1 for axis in filled])
    width = voxels * np.linalg.norm(affine[:3, :3], axis=0) * 1e3
    if edge_length_mm * EDGES_ACROSS > width.min():
        raise InputError(
            f"edge_length_mm must be at most {width.min() / EDGES_ACROSS:.3g} for a head of "
            f"{' x '.join(f'{w:.3g}' for w in width)} mm, got {edge_length_mm:g}: {name}"
        )


def _sheet(
    image: NDArray[np.uint16],
    affine: NDArray[np.float64],
    columns: int,
    labels: Mapping[str, int],
) -> CorticalSheet:
    missing = [n for n in ("white_matter", "grey_matter", "csf") if n not in labels]
    if missing:
        raise InputError(f"expected white matter, grey matter and CSF, {missing[0]} is missing")
    edges = np.linalg.norm(affine[:3, :3], axis=0)
    if np.ptp(edges) > CUBIC * edges.min():
        image, affine = resampled(image, affine, float(edges.min()))
    white, grey, csf = (labels[n] for n in ("white_matter", "grey_matter", "csf"))
    ribbon = ribbon_of_labels(image, white=(white,), grey=(grey,), pial=(csf,))
    return cortical_sheet(ribbon, affine, columns=columns)
