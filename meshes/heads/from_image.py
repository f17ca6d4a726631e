"""A head from a labelled image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._files import input_keys
from rheobase._progress import stage
from rheobase.meshes.files.volumes import LARGEST as LARGEST_HEAD
from rheobase.meshes.files.volumes import SMALLEST as SMALLEST_HEAD
from rheobase.meshes.files.volumes import read_volume
from rheobase.meshes.head import Head
from rheobase.meshes.heads.sizes import sizes
from rheobase.meshes.heads.tissue_labels import (
    LabelOption,
    image_tissues,
    named_tissues,
    relabelled,
)
from rheobase.meshes.heads.voxel_head import (
    check_choices,
    checked_landmarks,
    head_name,
    head_of_voxels,
    prepared,
)
from rheobase.meshes.images.label_tables import OUTSIDE, Labels, label_counts
from rheobase.meshes.images.repair import mirrored
from rheobase.meshes.mesher import Sizes, carve_image
from rheobase.meshes.tissues import Tissue, load_tissues

__all__ = [
    "LARGEST_HEAD",
    "OUTSIDE",
    "SMALLEST_HEAD",
    "head_from_image",
    "named_tissues",
    "read_labels",
    "relabelled",
]


def read_labels(path: Path | str) -> tuple[Labels, NDArray[np.float64]]:
    """Read a label image.

    Returns
    -------
    labels : ndarray of integers, shape (nx, ny, nz)
        Axes nearest to right, front, up.
    affine : ndarray, shape (4, 4)
        Voxel indices to world (m).

    Raises
    ------
    InputError
        If the file cannot be read (`read_volume`), is not three-dimensional, or holds other than
        whole numbers.
    """
    values, affine, _ = _labels(Path(path))
    return values, affine


def _labels(path: Path) -> tuple[Labels, NDArray[np.float64], tuple[str, ...]]:
    volume = read_volume(path)
    values = volume.values
    if values.ndim != 3:
        raise InputError(
            f"expected a 3-D label image, got shape {values.shape} (probability maps are read by "
            f"head_from_maps): {path}"
        )
    if values.dtype.kind == "b":
        return values.astype(np.uint8), volume.affine, volume.notes
    if values.dtype.kind == "f":
        finite = np.isfinite(values).all()
        odd = None if not finite else values[values != np.rint(values)]
        if odd is None or odd.size:
            what = "NaN or infinity" if odd is None else f"{odd.flat[0]:.6g}"
            raise InputError(
                f"expected whole-number labels, got {what} (an MRI or a probability map?): {path}"
            )
        if np.abs(values).max() > np.iinfo(np.int32).max:
            raise InputError(f"expected labels below 2**31, got {np.abs(values).max():g}: {path}")
        return values.astype(np.int32), volume.affine, volume.notes
    return values, volume.affine, volume.notes


def head_from_image(
    path: Path | str,
    *,
    edge_length_mm: float | None = None,
    labels: LabelOption = None,
    tissues: Mapping[str, Tissue] | None = None,
    species: str = "human",
    name: str | None = None,
    fiducials_mm: Mapping[str, Sequence[float]] | None = None,
    columns: int = 30_000,
    repair: bool | str = True,
    around: str | None = None,
    t1: Path | str | None = None,
    size: Sizes | None = None,
) -> Head:
    """Build a head from a labelled image.

    Parameters
    ----------
    path
        Label image, as `read_volume` reads it; its affine gives millimetres unless its header says
        otherwise.
    edge_length_mm
        Mean edge of the tetrahedra (mm); that of the species in ``data/species_sizes.toml`` if
        None.
    labels
        Tissue name (or "outside") of each label; a file with a label table (`read_label_table`);
        the name of a shipped one ("simnibs", "charm", "freesurfer", … `table_names`); or "auto":
        by the table beside the image, its name and its labels (`choose_table`). None for SimNIBS's
        labels (1 white matter … 5 scalp …), as in ``data/tissues.csv``.
    tissues
        Tissues to choose from, by name; the shipped ones if None.
    species
        "human", "macaque", "rat" or "mouse".
    name
        Name of the head; that of the file if None.
    fiducials_mm
        "nasion", "inion", "lpa" and "rpa" in the space of the image (mm); then the head gets
        10-10 positions.
    columns
        Cortical columns to aim for. The sheet covers all grey matter that lies between white
        matter and CSF, cerebellum included unless the labels leave it out.
    repair
        True: mend what is safe (`rheobase.meshes.images.repair`) and report it; "report": only
        report; False: neither.
    around
        What to do with a brain without skull and scalp (FreeSurfer, SynthSeg), which is refused
        otherwise: "layers" adds synthetic CSF, skull and scalp (`add_layers`), "nothing" takes the
        bare brain.
    t1
        T1 of the same head, in the same space: added scalp reaches its outline.
    size
        As in `carve_image`: wanted mean edge (m) by place or by label.

    Returns
    -------
    Head
        In the space "scanner" (the image's own).

    Raises
    ------
    InputError
        If the image, a label, a tissue, a landmark or a length makes no sense.
    """
    path = Path(path)
    check_choices(species, repair, around, str(path))
    if edge_length_mm is None:
        edge_length_mm = sizes()[species].edge_length_mm
    known = load_tissues() if tissues is None else tissues
    with stage(f"label image {path.name}"):
        raw, affine, header = _labels(path)
        by_raw, table, reason = image_tissues(labels, raw, path, known)
        side = mirrored(raw, affine, table)
        notes = [*header, reason, *([side] if side else [])]
        image = relabelled(raw, by_raw, "voxels", str(path))
        air = _labelled_air(raw, by_raw)
        del raw
    by_label = {t.label: t for t in by_raw.values() if t is not None}
    ready = prepared(
        image,
        affine,
        by_label,
        known=known,
        species=species,
        repair=repair,
        around=around,
        t1=t1,
        air=air,
        where=str(path),
    )
    image, affine, by_label = ready.image, ready.affine, ready.tissues
    marks = checked_landmarks(fiducials_mm, image, affine, species, str(path))
    return head_of_voxels(
        image,
        affine,
        lambda: carve_image(image, affine, edge_length_mm * 1e-3, size=size),
        edge_length_mm=edge_length_mm,
        tissues=by_label,
        species=species,
        name=name or head_name(path),
        landmarks=marks,
        columns=columns,
        provenance={
            "made by": "rheobase.meshes.heads.from_image",
            "inputs": input_keys(path, t1),
            "label table": table.source,
            "labels": {str(k): t.name if t else OUTSIDE for k, t in by_raw.items()},
            "repair": ready.report,
        },
        notes=[*notes, *ready.notes],
    )


def _labelled_air(raw: Labels, table: Mapping[int, Tissue | None]) -> NDArray[np.bool_] | None:
    """Return the voxels with a label of air inside the head, None where there are none."""
    faces = (raw[0], raw[-1], raw[:, 0], raw[:, -1], raw[..., 0], raw[..., -1])
    shown: dict[int, int] = {}
    for face in faces:
        for label, n in label_counts(face).items():
            shown[label] = shown.get(label, 0) + n
    outer = max((k for k in shown if table.get(k) is None), key=lambda k: shown[k], default=0)
    air = [k for k in label_counts(raw) if k not in (0, outer) and table[k] is None]
    return np.isin(raw, air) if air else None
