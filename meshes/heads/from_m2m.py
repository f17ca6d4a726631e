"""A head from the folder that SimNIBS makes of a subject (``m2m_ID``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase._files import content_key
from rheobase._progress import stage
from rheobase.meshes.cortex.sheet import CorticalSheet, join_sheets, sheet_from_surfaces
from rheobase.meshes.files.caps import read_cap
from rheobase.meshes.files.msh import read_msh
from rheobase.meshes.files.surfaces import read_surface
from rheobase.meshes.head import Head
from rheobase.meshes.heads.from_image import head_from_image
from rheobase.meshes.heads.from_msh import contents, tagged
from rheobase.meshes.heads.m2m import DEFAULT_CAP, HEMISPHERES, Subject, find_subject
from rheobase.meshes.heads.mni152 import on_surface
from rheobase.meshes.heads.tagged import Electrodes, head_of_tets, positions_of
from rheobase.meshes.heads.tissue_labels import LabelOption
from rheobase.meshes.images.label_files import read_label_table
from rheobase.meshes.placing.landmarks import check_landmarks
from rheobase.meshes.spaces import Registration, read_affine, read_warp
from rheobase.meshes.store import cached_head, meshes_key
from rheobase.meshes.tissues import Tissue, load_tissues

#: Electrodes further off the scalp than this (m) are those of another head or space.
OFF_HEAD = 15e-3
#: Cortical surfaces that reach this far (m) beyond grey and white matter are in another space.
OFF_BRAIN = 10e-3
BRAIN = ("grey_matter", "white_matter")


def head_from_m2m(
    folder: Path | str,
    *,
    remesh_mm: float | None = None,
    cap: str | None = None,
    labels: LabelOption = None,
    tissues: Mapping[str, Tissue] | None = None,
    name: str | None = None,
    fiducials_mm: Mapping[str, Sequence[float]] | None = None,
    electrodes: Electrodes = "keep",
) -> Head:
    """Build a head from a SimNIBS subject: mesh, electrodes, cortical surfaces, warps to MNI.

    Parameters
    ----------
    folder
        ``m2m_ID`` of SimNIBS 4, or of SimNIBS 3 with ``ID.msh`` beside it.
    remesh_mm
        None takes SimNIBS's mesh. A length makes a mesh of that edge (mm) from the label image:
        ``label_prep/tissue_labeling_upsampled.nii.gz``, else ``final_tissues.nii.gz``; such a head
        is kept in the cache. Without a mesh in the folder it is needed.
    cap
        File in ``eeg_positions`` whose electrodes become the head's positions
        ("EEG10-10_UI_Jurak_2007" if None and there, else the one with the most electrodes).
        They are moved to the scalp of the mesh.
    labels
        Tissue of each label; if None, SimNIBS's numbers, and the names in the folder's
        ``*_LUT.txt`` for further ones.
    tissues, name
        As in `head_from_image`; the name is the subject's if None.
    fiducials_mm
        Landmarks in place of those of ``eeg_positions/Fiducials.csv`` (or of the cap).
    electrodes
        As in `head_from_msh`.

    Returns
    -------
    Head
        In the space "scanner" (that of the T1), with the cortical sheet between
        ``surfaces/?h.pial.gii`` and ``?h.white.gii`` (or twice from pial to central), and with the
        warps of ``toMNI``, else its affine map.

    Raises
    ------
    InputError
        If the folder, a file in it or an option makes no sense.
    """
    subject = find_subject(folder)
    if cap is not None:
        check_option("cap", cap, subject.caps, where=str(subject.folder / "eeg_positions"))
    known = load_tissues() if tissues is None else tissues
    added = None
    if labels is None or labels == "auto":
        labels, added = _labels(subject, known)
    head = _meshed(subject, remesh_mm, labels, known, name or subject.name, electrodes)
    stale = ("no cortical sheet: a mesh", *(["labels by given"] if added else []))
    notes = [n for n in head.provenance["notes"] if not n.startswith(stale)]
    notes += [added] if added else []
    marks, placed, used = _positions(subject, cap, fiducials_mm, head, notes)
    cortex, surfaces = _cortex(subject, head, notes)
    registration, warps = _registration(subject, notes)
    files = [subject.t1, subject.mesh, *used, *surfaces, *warps]
    return replace(
        head,
        fiducials=marks,
        positions=placed,
        cortex=cortex,
        mni=registration,
        provenance={
            **head.provenance,
            "made by": "rheobase.meshes.heads.from_m2m",
            "folder": subject.folder.name,
            "files": sorted({_relative(p, subject.folder) for p in files if p is not None}),
            "notes": notes,
        },
    )


def _meshed(
    subject: Subject,
    remesh_mm: float | None,
    labels: LabelOption,
    known: Mapping[str, Tissue],
    name: str,
    electrodes: Electrodes,
) -> Head:
    """Return the head without what is beside its mesh."""
    image = subject.upsampled or subject.final
    if remesh_mm is None:
        if subject.mesh is None:
            raise InputError(
                f"expected {subject.name}.msh, found none: {subject.folder} (remesh_mm meshes its "
                "label image)"
            )
        with stage(f"mesh {subject.mesh.name}"):
            mesh = read_msh(subject.mesh)
            return head_of_tets(
                tagged(subject.mesh, mesh),
                labels=labels,
                tissues=known,
                species="human",
                name=name,
                fiducials_mm=None,
                electrodes=electrodes,
                made_by="rheobase.meshes.heads.from_m2m",
                more=contents(mesh),
            )
    if not (np.isfinite(remesh_mm) and remesh_mm > 0):
        raise InputError(f"remesh_mm must be > 0, got {remesh_mm!r}: {subject.folder}")
    if image is None:
        raise InputError(f"expected a label image to mesh anew, found none: {subject.folder}")
    plain = (
        labels if isinstance(labels, Mapping) else str(labels)
    )  # SimNIBS's own with the folder's names, a table's name, or a file
    own = {k: t.as_dict() for k, t in known.items()}
    key = content_key(meshes_key(), image, remesh_mm, _keyed(plain), name, own)
    return cached_head(
        key,
        name,
        lambda: head_from_image(
            image, edge_length_mm=remesh_mm, labels=plain, tissues=known, name=name
        ),
    )


def _keyed(labels: Mapping[int, str] | str) -> Any:
    """Return labels as JSON has them; a file counts by its content."""
    if isinstance(labels, Mapping):
        return {str(k): v for k, v in labels.items()}
    return Path(labels) if Path(labels).is_file() else labels


def _labels(subject: Subject, known: Mapping[str, Tissue]) -> tuple[dict[int, str], str]:
    """Return SimNIBS's tissues, and those that the folder's tables add; and a note on them."""
    found = {t.label: t.name for t in known.values()}
    added: dict[int, str] = {}
    for image in (subject.upsampled, subject.final):
        table = image and image.with_name(image.name.removesuffix(".nii.gz") + "_LUT.txt")
        if table and table.is_file():
            tissues = read_label_table(table).tissues.items()
            added |= {k: t for k, t in tissues if k and t is not None and k not in found}
    more = ", ".join(f"{k} {t}" for k, t in sorted(added.items()))
    note = "labels by SimNIBS's numbers" + (f"; by the table in the folder {more}" * bool(more))
    return {**found, **added}, note


Points = dict[str, NDArray[np.float64]]


def _positions(
    subject: Subject,
    cap: str | None,
    fiducials_mm: Mapping[str, Sequence[float]] | None,
    head: Head,
    notes: list[str],
) -> tuple[Points, Points, list[Path]]:
    """Return landmarks and positions on the scalp (m), and the files they are from."""
    caps = {k: read_cap(p) for k, p in subject.caps.items() if cap in (None, k)}
    if cap is None and caps:
        most = max(caps, key=lambda k: len(caps[k].electrodes))
        cap = DEFAULT_CAP if DEFAULT_CAP in caps else most
    used = [] if cap is None else [subject.caps[cap]]
    mesh = head.mesh
    marks: Points = {}
    given: Mapping[str, Sequence[float]] | None = fiducials_mm
    if given is None and subject.fiducials is not None:
        given = {k: (p * 1e3).tolist() for k, p in read_cap(subject.fiducials).fiducials.items()}
        used.append(subject.fiducials)
    if not given and cap is not None:
        given = {k: (p * 1e3).tolist() for k, p in caps[cap].fiducials.items()}
    if given:
        surface = mesh.nodes[np.unique(mesh.boundary())]
        marks = check_landmarks(given, surface, str(subject.folder))
    wanted = {} if cap is None else caps[cap].electrodes
    if not wanted:
        return marks, positions_of(mesh, marks, notes), used
    placed = on_surface(mesh, wanted)
    moved = {k: float(np.linalg.norm(placed[k] - wanted[k])) for k in wanted}
    worst = max(moved, key=lambda k: moved[k])
    if moved[worst] > OFF_HEAD:
        raise InputError(
            f"expected electrodes on the scalp, {worst} lies {moved[worst] * 1e3:.0f} mm off it "
            f"(a cap in another space?): {subject.caps[str(cap)]}"
        )
    notes.append(
        f"{len(placed)} positions of {cap} moved to the scalp, by {moved[worst] * 1e3:.1f} mm "
        f"at most ({worst})"
    )
    return marks, placed, used


def _cortex(
    subject: Subject, head: Head, notes: list[str]
) -> tuple[CorticalSheet | None, list[Path]]:
    """Return the sheet between the surfaces of the folder, else the head's own; and their files."""
    sheets, used = [], []
    for side in HEMISPHERES:
        pial, white, central = (
            subject.surfaces.get((side, k)) for k in ("pial", "white", "central")
        )
        inner = white or central
        if pial is None or inner is None:
            continue
        top, low = read_surface(pial), read_surface(inner)
        if not np.array_equal(top.triangles, low.triangles):
            raise InputError(
                f"expected {pial.name} and {inner.name} with the same triangles, got "
                f"{len(top.triangles)} and {len(low.triangles)}: {subject.folder}"
            )
        below = low.points if white else 2.0 * low.points - top.points
        if not white:
            notes.append(f"{side}: white surface as far below the central one as the pia is above")
        sheets.append(sheet_from_surfaces(top.points, below, top.triangles))
        used += [pial, inner]
    if not sheets:
        if head.cortex is None:
            notes.append("no cortical sheet: no surfaces/?h.pial.gii with white or central")
        return head.cortex, used
    if len(sheets) == 1:
        notes.append("cortical sheet of one hemisphere: the surfaces of the other are missing")
    sheet = join_sheets(*sheets)
    brain = np.isin(head.mesh.labels, [k for k, t in head.tissues.items() if t.name in BRAIN])
    around = head.mesh.nodes[head.mesh.tets[brain]].reshape(-1, 3) if brain.any() else sheet.pial
    beyond = max(
        float((around.min(axis=0) - sheet.pial.min(axis=0)).max()),
        float((sheet.pial.max(axis=0) - around.max(axis=0)).max()),
    )
    if beyond > OFF_BRAIN:
        raise InputError(
            f"expected cortical surfaces in the brain of the mesh, they reach "
            f"{beyond * 1e3:.0f} mm beyond it (another space?): {subject.folder / 'surfaces'}"
        )
    return sheet, used


def _registration(subject: Subject, notes: list[str]) -> tuple[Registration | None, list[Path]]:
    """Return the transforms to and from MNI space, and their files."""
    warps = [p for p in (subject.to_mni, subject.from_mni) if p is not None]
    if warps:
        with stage("warps to MNI"):
            found = Registration(
                to_mni=None if subject.to_mni is None else read_warp(subject.to_mni),
                from_mni=None if subject.from_mni is None else read_warp(subject.from_mni),
            )
        return found, warps
    if subject.mni_affine is not None:
        notes.append("MNI by the affine map only: the folder has no non-linear warp")
        return Registration(from_mni=read_affine(subject.mni_affine)), [subject.mni_affine]
    notes.append("no transform to MNI in the folder")
    return None, []


def _relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name
