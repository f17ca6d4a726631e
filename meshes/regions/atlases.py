"""Atlases: parcels with names, from label images and from annotations of surfaces.

None is built in: of the packages that rheobase is installed with, none ships a label atlas under
terms that allow it (nilearn and MNE-Python download theirs; nilearn's coordinate sets state no
licence). `read_atlas` reads whatever atlas a lab has.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase.meshes.head import Head
from rheobase.meshes.regions.parcels import LabelImage, LabelledVertices, Parcels
from rheobase.meshes.regions.places import column_places, tet_places
from rheobase.meshes.regions.region import SPACES, Region, parcel_region

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

#: Depths at which the columns between a pial and a white surface carry their label.
DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
MOST_LABELS = 100_000
PAIRS = 1 << 31  # above every label, those of joined atlases too
LARGEST_JSON = 50_000_000  # bytes


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Atlas:
    """Parcels with names.

    Parameters
    ----------
    name
        Name.
    names
        Name of each label, in the order of tables.
    parcels
        Where the labels are.
    """

    name: str
    names: Mapping[int, str]
    parcels: Parcels

    def region(self, *names: str) -> Region:
        """Return the parcels called ``names`` (all labels of that name) as one region.

        Raises
        ------
        InputError
            If there is no such parcel, with the nearest names.
        """
        known = list(self.names.values())
        for name in names:
            check_option("region", name, known, where=f"atlas {self.name!r}")
        labels = tuple(k for k, v in self.names.items() if v in names)
        return parcel_region(self.parcels, labels, " | ".join(names))

    def columns(self, head: Head) -> Ints:
        """Return the label of each cortical column by its middle, 0 for none, shape (n_columns,).

        Raises
        ------
        InputError
            If the head has no cortical sheet, or no transform to the space of the atlas.
        """
        return self.parcels.at(column_places(head).within(self.parcels.space))

    def parts(
        self, head: Head, *, levels: int = 1, within: Region | None = None
    ) -> tuple[NDArray[np.intp], Ints, Floats]:
        """Return which part of each tetrahedron has which label.

        Parameters
        ----------
        head
            The head.
        levels
            As in `Region.weights`.
        within
            Only what lies in this region too.

        Returns
        -------
        tet, label, part : ndarray, shape (n,)
            One entry for each tetrahedron and label (other than 0) that occur together; the
            part of its volume, from 0 to 1.
        """
        nothing = np.empty(0, np.int64)
        found = [(nothing, nothing, np.empty(0))]
        bounds = None if within is None else within.membership.bounds(head)
        for block, places in tet_places(head, levels, bounds):
            label = self.parcels.at(places.within(self.parcels.space)).astype(np.int64)
            if within is not None:
                label[~within.membership.inside(places)] = 0
            asked = len(label) // len(block)
            tet = np.repeat(block, asked)[label != 0]
            pair, count = np.unique(tet * PAIRS + label[label != 0], return_counts=True)
            found.append((pair // PAIRS, pair % PAIRS, count / asked))
        tet, number, part = (np.concatenate([f[k] for f in found]) for k in range(3))
        return tet.astype(np.intp), number.astype(np.int32), part


def read_atlas(
    path: Path | str,
    *,
    space: str,
    names: Mapping[int, str] | Path | str | None = None,
    reach_mm: float = 0.0,
) -> Atlas:
    """Read an atlas from a label image.

    Parameters
    ----------
    path
        Image of whole numbers (NIfTI, MGZ, …).
    space
        "MNI", or "head" for an atlas in the coordinates of the head itself (FreeSurfer's
        ``aparc+aseg``).
    names
        Names of the labels: a mapping, or a file (see `read_names`). Labels of the image without a
        name are called by their number; names without voxels are left out.
    reach_mm
        Places without a label have the nearest one within this distance (mm).

    Raises
    ------
    InputError
        If a file cannot be read or is no such thing.
    """
    from rheobase.meshes.files.volumes import read_volume

    check_option("space", space, SPACES)
    if not (np.isfinite(reach_mm) and 0 <= reach_mm <= 50):
        raise InputError(f"reach_mm must lie between 0 and 50, got {reach_mm!r}: {path}")
    volume = read_volume(path)
    values = _whole_numbers(volume.values, path)
    try:
        parcels = LabelImage(
            values=values,
            affine=volume.affine,
            space=space,
            reach=reach_mm * 1e-3,
        )
    except InputError as error:
        raise InputError(f"{error}: {path}") from None
    table = names if isinstance(names, Mapping) else {} if names is None else read_names(names)
    return Atlas(name=Path(path).name.split(".")[0], names=_named(parcels, table), parcels=parcels)


def read_annotation(
    path: Path | str,
    surfaces: Sequence[Floats],
    *,
    space: str = "head",
    prefix: str = "",
    reach_mm: float = 3.0,
) -> Atlas:
    """Read an atlas from an annotation of surface vertices.

    Parameters
    ----------
    path
        FreeSurfer ``.annot`` or GIfTI ``.label.gii``.
    surfaces
        Vertices that it belongs to (m), shape (n, 3): of one surface, or of pial and white, and
        then the labels fill the columns between them.
    space
        Of the surfaces, "head" or "MNI".
    prefix
        Put before each name ("lh-").
    reach_mm
        Farthest from a vertex that its label is given to (mm); about the distance of vertices.

    Raises
    ------
    InputError
        If the file cannot be read or does not belong to the surfaces.
    """
    path = Path(path)
    check_option("space", space, SPACES)
    if len(surfaces) not in (1, 2):
        raise InputError(f"expected one surface or pial and white, got {len(surfaces)}: {path}")
    if not (np.isfinite(reach_mm) and 0 < reach_mm <= 50):
        raise InputError(f"reach_mm must be > 0 and at most 50, got {reach_mm!r}: {path}")
    labels, table = _gifti_labels(path) if path.name.endswith(".gii") else _annot(path)
    ends = [np.asarray(s, dtype=np.float64) for s in surfaces]
    if any(e.shape != (len(labels), 3) for e in ends):
        raise InputError(
            f"expected surfaces of {len(labels)} vertices, got {[e.shape for e in ends]}: {path}"
        )
    layers = ends if len(ends) == 1 else [(1 - d) * ends[0] + d * ends[1] for d in DEPTHS]
    try:
        parcels = LabelledVertices(
            points=np.concatenate(layers),
            labels=np.tile(labels, len(layers)),
            space=space,
            reach=reach_mm * 1e-3,
        )
    except InputError as error:
        raise InputError(f"{error}: {path}") from None
    names = {k: prefix + v for k, v in _named(parcels, table).items()}
    return Atlas(name=path.name.split(".")[0], names=names, parcels=parcels)


def join_atlases(name: str, left: Atlas, right: Atlas) -> Atlas:
    """Return the atlas of two annotations, such as those of the two hemispheres.

    The labels of ``right`` follow those of ``left``. Where both reach, the nearer vertex counts.

    Raises
    ------
    InputError
        If they are not annotations of surfaces in one space.
    """
    a, b = left.parcels, right.parcels
    if not (isinstance(a, LabelledVertices) and isinstance(b, LabelledVertices)):
        raise InputError(f"expected two annotations of surfaces: atlas {name!r}")
    if a.space != b.space:
        raise InputError(f"expected one space, got {a.space!r} and {b.space!r}: atlas {name!r}")
    shift = max(left.names) + 1
    return Atlas(
        name=name,
        names={**left.names, **{k + shift: v for k, v in right.names.items()}},
        parcels=LabelledVertices(
            points=np.concatenate([a.points, b.points]),
            labels=np.concatenate([a.labels, np.where(b.labels != 0, b.labels + shift, 0)]),
            space=a.space,
            reach=max(a.reach, b.reach),
        ),
    )


def read_names(path: Path | str) -> dict[int, str]:
    """Read the names of labels.

    Parameters
    ----------
    path
        JSON (``{"1": "name"}``, or a list of objects with ``index``, ``label`` or ``id`` and
        ``name``), CSV or TSV with such columns, or a colour table (FreeSurfer, SimNIBS, ITK-SNAP).

    Raises
    ------
    InputError
        If the file is none of these.
    """
    from rheobase.meshes.images.label_files import read_label_table

    path = Path(path)
    if path.suffix.lower() not in {".json", ".csv", ".tsv"}:
        return dict(read_label_table(path).names)
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise InputError(f"expected a table of names below 50 MB: {path}")
        text = path.read_text("utf-8-sig")
        rows: Any = json.loads(text) if path.suffix.lower() == ".json" else _csv_rows(text)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot read the names in {path}: {error}") from None
    if isinstance(rows, dict):
        rows = [{"label": k, "name": v} for k, v in rows.items()]
    names: dict[int, str] = {}
    for row in rows if isinstance(rows, list) else [rows]:
        entry = row if isinstance(row, dict) else {}
        number = next((entry[k] for k in ("index", "label", "id") if k in entry), None)
        if not str(number).strip().isdigit() or not isinstance(entry.get("name"), str):
            raise InputError(
                f"expected a whole number (index, label or id) and a name, got {row!r}: {path}"
            )
        names[int(str(number))] = entry["name"]
    return names


def _csv_rows(text: str) -> list[dict[str, str]]:
    first = text.split("\n", 1)[0]
    return list(csv.DictReader(text.splitlines(), delimiter="\t" if "\t" in first else ","))


def _named(parcels: Parcels, table: Mapping[int, str]) -> dict[int, str]:
    """Return the names of the labels that occur, those of the table first and in its order."""
    present = parcels.present().tolist()
    listed = [k for k in table if k in set(present)]
    return {k: table.get(k, str(k)) for k in [*listed, *sorted(set(present) - set(listed))]}


def _whole_numbers(values: NDArray[Any], path: Path | str) -> Ints:
    if values.ndim != 3:
        raise InputError(f"expected a label image with three axes, got {values.shape}: {path}")
    whole = np.rint(values) if values.dtype.kind == "f" else values
    if not (np.isfinite(whole).all() and (whole == values).all()):
        raise InputError(f"expected labels (whole numbers), got others: {path}")
    if whole.min() < 0 or whole.max() >= MOST_LABELS:
        raise InputError(
            f"expected labels from 0 to {MOST_LABELS - 1}, got {whole.min():g} to "
            f"{whole.max():g}: {path}"
        )
    labels: Ints = whole.astype(np.int32)
    return labels


def _annot(path: Path) -> tuple[Ints, dict[int, str]]:
    from nibabel.freesurfer.io import read_annot

    if not path.is_file():
        raise InputError(f"expected an annotation, found none: {path}")
    try:
        labels, _, names = read_annot(path)
    except Exception as error:  # nibabel raises many kinds for damaged files
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"cannot read {path} as an annotation of FreeSurfer: {why}") from None
    # -1 is no label; FreeSurfer's own entry for it is called unknown
    table = {k + 1: name.decode("utf-8", "replace") for k, name in enumerate(names)}
    nothing = [k for k, name in table.items() if name.lower() in {"unknown", "???"}]
    numbers = np.asarray(labels, dtype=np.int32) + 1
    numbers[np.isin(numbers, nothing)] = 0
    return numbers, table


def _gifti_labels(path: Path) -> tuple[Ints, dict[int, str]]:
    import nibabel as nib

    if not path.is_file():
        raise InputError(f"expected an annotation, found none: {path}")
    try:
        image: Any = nib.load(path)
        (array,) = image.get_arrays_from_intent("NIFTI_INTENT_LABEL")
        values = np.asarray(array.data).ravel()
        table = {int(k): str(v) for k, v in image.labeltable.get_labels_as_dict().items()}
    except Exception as error:  # nibabel and expat raise many kinds for damaged files
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"cannot read {path} as labels in GIfTI: {why}") from None
    return _whole_numbers(values[:, None, None], path).ravel(), table
