"""A head from a labelled NIfTI image."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase._files import content_key
from rheobase.meshes.cortex import cortical_sheet
from rheobase.meshes.head import Head, Species
from rheobase.meshes.heads.mni152 import on_surface
from rheobase.meshes.mesher import mesh_image
from rheobase.meshes.positions import ten_ten
from rheobase.meshes.ribbon import ribbon_of_labels
from rheobase.meshes.sheet import CorticalSheet
from rheobase.meshes.tissues import Tissue, load_tissues, tissue

OUTSIDE = "outside"
SMALLEST_HEAD, LARGEST_HEAD = 3e-3, 1.0  # m: a mouse's brain, and far more than a human head


def read_label_table(path: Path | str) -> dict[int, str]:
    """Read a label table: CSV with the columns ``label`` and ``tissue``.

    Parameters
    ----------
    path
        The file; ``tissue`` is a name of ``data/tissues.csv`` or "outside".

    Raises
    ------
    InputError
        If the file is missing or lacks a column, or a label is no whole number or comes twice.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the label table {path}: {error}") from None
    rows = list(csv.DictReader(text.splitlines()))
    table: dict[int, str] = {}
    for number, row in enumerate(rows, start=2):
        try:
            label, name = int(row["label"]), row["tissue"].strip()
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InputError(
                f"expected the columns label (whole number) and tissue, line {number}: {path}"
            ) from None
        if label in table:
            raise InputError(f"label {label} comes twice, line {number}: {path}")
        table[label] = name
    return table


def named_tissues(
    labels: Mapping[int, str] | Path | str | None,
    where: str,
    tissues: Mapping[str, Tissue] | None = None,
) -> dict[int, Tissue | None]:
    """Return the tissue of each label, None for "outside"; each one's own label if none are given.

    Parameters
    ----------
    labels
        Tissue name of each label, or a file with a label table.
    where
        What the labels belong to, for the sentence of a refusal.
    tissues
        Tissues to choose from, by name; the shipped ones if None.

    Raises
    ------
    InputError
        If a tissue is unknown, with the nearest names.
    """
    known = load_tissues() if tissues is None else tissues
    if labels is None:
        return {0: None} | {t.label: t for t in known.values()}
    if not isinstance(labels, Mapping):
        where = str(labels)
        labels = read_label_table(labels)
    names = [*known, OUTSIDE]
    for name in labels.values():
        check_option("tissue", name, names, where=where)
    table = {int(k): None if v == OUTSIDE else known[v] for k, v in labels.items()}
    return {0: None} | table


def relabelled(
    values: NDArray[np.integer[Any]], table: Mapping[int, Tissue | None], unit: str, where: str
) -> NDArray[np.uint16]:
    """Return ``values`` with each label replaced by that of its tissue, 0 outside.

    Raises
    ------
    InputError
        If labels are not in ``table``: all are named, with their counts (``unit``).
    """
    found, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    unknown = [(int(k), int(n)) for k, n in zip(found, counts, strict=True) if int(k) not in table]
    if unknown:
        listed = ", ".join(f"{k} ({n} {unit})" for k, n in unknown[:20])
        more = f" and {len(unknown) - 20} more" if len(unknown) > 20 else ""
        raise InputError(
            f"no tissue for the label(s) {listed}{more}: {where}; give labels={{label: tissue}} "
            "or a table with the columns label,tissue"
        )
    new = [0 if (t := table[int(k)]) is None else t.label for k in found]
    return np.array(new, np.uint16)[inverse].reshape(values.shape)


def read_labels(path: Path | str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Read a label image.

    Returns
    -------
    labels : ndarray of int64, shape (nx, ny, nz)
        Axes nearest to right, front, up.
    affine : ndarray, shape (4, 4)
        Voxel indices to world (m).

    Raises
    ------
    InputError
        If the file cannot be read, is not three-dimensional, holds other than whole numbers, or
        is of a size no head has (millimetres taken for metres, or the other way round).
    """
    import nibabel as nib

    path = Path(path)
    try:
        image: Any = nib.load(path)
        if len(image.shape) != 3 and any(n != 1 for n in image.shape[3:]):
            raise InputError(f"expected a 3-D label image, got shape {image.shape}: {path}")
        matrix = np.asarray(image.affine, dtype=np.float64)[:3, :3]
        if not (np.isfinite(matrix).all() and np.linalg.matrix_rank(matrix) == 3):
            raise InputError(f"expected an affine of finite, independent axes: {path}")
        image = nib.as_closest_canonical(image)
        values = np.asanyarray(image.dataobj)
    except InputError:
        raise
    except (OSError, EOFError, ValueError, nib.filebasedimages.ImageFileError) as error:
        raise InputError(f"cannot read {path} as a NIfTI image: {error}") from None
    values = values.reshape(values.shape[:3])  # trailing axes of length 1
    if values.ndim != 3:
        raise InputError(f"expected a 3-D label image, got shape {values.shape}: {path}")
    whole = np.issubdtype(values.dtype, np.integer) or (
        np.isfinite(values).all() and (values == np.rint(values)).all()
    )
    if not whole:
        raise InputError(f"expected whole-number labels, got {values.dtype} values: {path}")
    unit = image.header.get_xyzt_units()[0] if hasattr(image.header, "get_xyzt_units") else "mm"
    scale = {"meter": 1.0, "mm": 1e-3, "micron": 1e-6}.get(unit, 1e-3)
    affine = np.array(image.affine, dtype=np.float64)
    affine[:3] *= scale
    extent = np.linalg.norm(affine[:3, :3], axis=0) * values.shape
    if not (extent.max() <= LARGEST_HEAD and extent.min() >= SMALLEST_HEAD):
        raise InputError(
            f"expected an image between {SMALLEST_HEAD * 1e3:g} and {LARGEST_HEAD * 1e3:g} mm "
            f"wide, got {(extent * 1e3).round(3).tolist()} mm with the unit {unit!r} of its "
            f"header: {path}"
        )
    return values.astype(np.int64), affine


def head_from_image(
    path: Path | str,
    *,
    edge_length_mm: float,
    labels: Mapping[int, str] | Path | str | None = None,
    species: str = "human",
    name: str | None = None,
    fiducials_mm: Mapping[str, tuple[float, float, float]] | None = None,
    columns: int = 30_000,
) -> Head:
    """Build a head from a labelled NIfTI image.

    Parameters
    ----------
    path
        Label image; its affine gives millimetres unless its header says otherwise.
    edge_length_mm
        Mean edge of the tetrahedra (mm).
    labels
        Tissue name (or "outside") of each label, or a CSV file with the columns label, tissue.
        None for SimNIBS's labels (1 white matter … 5 scalp …), as in ``data/tissues.csv``.
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

    Returns
    -------
    Head
        In the space "scanner" (the image's own).

    Raises
    ------
    InputError
        If the image, a label, a tissue or a length makes no sense.
    """
    path = Path(path)
    check_option("species", species, ("human", "macaque", "rat", "mouse"))
    table = named_tissues(labels, f"labels of {path}")
    raw, affine = read_labels(path)
    image = relabelled(raw, table, "voxels", str(path))
    present = {int(k) for k in np.unique(image)} - {0}
    if not present:
        raise InputError(f"expected labelled tissue, all voxels are outside: {path}")
    mesh = mesh_image(image, affine, edge_length_mm * 1e-3)
    notes, cortex = [], None
    try:
        cortex = _sheet(image, affine, columns)
    except InputError as error:  # the mesh is of use without it
        notes.append(f"no cortical sheet: {error}")
    marks = {k: np.asarray(v, float) * 1e-3 for k, v in (fiducials_mm or {}).items()}
    positions = {}
    if marks:
        positions = on_surface(mesh, ten_ten(mesh.nodes, mesh.boundary(), marks))
    by_label = {t.label: t for t in table.values() if t is not None}
    return Head(
        name=name or path.name.removesuffix(".gz").removesuffix(".nii"),
        species=cast(Species, species),
        space="scanner",
        mesh=mesh,
        tissues={k: by_label[k] for k in sorted(present)},
        fiducials=marks,
        positions=positions,
        cortex=cortex,
        provenance={
            "made by": "rheobase.meshes.heads.from_image",
            "inputs": {path.name: content_key(path)},
            "edge length (mm)": edge_length_mm,
            "labels": {str(k): t.name if t else OUTSIDE for k, t in table.items()},
            "notes": notes,
        },
    )


def _sheet(image: NDArray[np.uint16], affine: NDArray[np.float64], columns: int) -> CorticalSheet:
    white, grey, csf = (tissue(n).label for n in ("white_matter", "grey_matter", "csf"))
    ribbon = ribbon_of_labels(image, white=(white,), grey=(grey,), pial=(csf,))
    return cortical_sheet(ribbon, affine, columns=columns)
