"""A head from closed surfaces, one or more for each tissue."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rheobase._errors import InputError, check_option
from rheobase._files import input_keys
from rheobase._progress import stage
from rheobase.meshes.files.closed import closed
from rheobase.meshes.files.nested import nested
from rheobase.meshes.files.surfaces import UNITS, Surface, is_surface, read_surface
from rheobase.meshes.head import Head
from rheobase.meshes.heads.sizes import check_size, sizes
from rheobase.meshes.heads.voxel_head import checked_landmarks, head_of_voxels
from rheobase.meshes.images.label_files import tissue_of_name
from rheobase.meshes.mesher import carve_indicators
from rheobase.meshes.tissues import Tissue, load_tissues

Files = Path | str | Sequence[Path | str]
#: Voxels in an edge of the mesh where no spacing is given.
VOXELS_PER_EDGE = 2.0
#: Exact distances reach this many edges: beyond the longest lattice edge.
REACH = 1.5


def head_from_surfaces(
    surfaces: Mapping[str, Files] | Path | str,
    *,
    edge_length_mm: float | None = None,
    spacing_mm: float | None = None,
    unit: str = "mm",
    tissues: Mapping[str, Tissue] | None = None,
    species: str = "human",
    name: str | None = None,
    fiducials_mm: Mapping[str, Sequence[float]] | None = None,
    columns: int = 30_000,
) -> Head:
    """Build a head from closed surfaces.

    Parameters
    ----------
    surfaces
        File, or files (two hemispheres), of each tissue: the surface that encloses it and all that
        is inside it. A place belongs to the tissue of the smallest surface around it. Or a folder
        whose files are named by tissue ("scalp.stl", "lh.white", "csf_2.ply"), or a CSV file with
        the columns tissue, file.
    edge_length_mm
        Mean edge of the tetrahedra (mm); that of the species in ``data/species_sizes.toml`` if
        None.
    spacing_mm
        Voxels on which the distances to the surfaces are held (mm); half an edge if None.
        Interfaces follow the surfaces between voxels; what is thinner than a voxel is lost.
    unit
        Unit of STL, PLY, OBJ, VTP and VTK files: "mm", "cm", "m" or "um".
    tissues, species, name, fiducials_mm, columns
        As in `head_from_image`.

    Returns
    -------
    Head
        In the space "scanner" (the surfaces' own).

    Raises
    ------
    InputError
        If a file cannot be read, a surface is not closed, a tissue is unknown, or a size makes no
        sense.
    """
    check_option("species", species, sizes())
    check_option("unit", unit, UNITS)
    known = load_tissues() if tissues is None else tissues
    edge_mm = sizes()[species].edge_length_mm if edge_length_mm is None else edge_length_mm
    spacing_mm = edge_mm / VOXELS_PER_EDGE if spacing_mm is None else spacing_mm
    for option, value in (("edge_length_mm", edge_mm), ("spacing_mm", spacing_mm)):
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"{option} must be > 0, got {value!r}")
    files, where = surface_files(surfaces, known)
    notes: list[str] = []
    found: dict[int, list[Surface]] = {}
    with stage(f"surfaces of {where}"):
        for tissue, paths in files.items():
            group = found[known[tissue].label] = []
            for path in paths:
                s = closed(read_surface(path, unit=unit), str(path))
                notes += [f"{path}: {note}" for note in s.notes]
                group.append(s)
    every = np.concatenate([s.points for group in found.values() for s in group])
    check_size(np.ptp(every, axis=0), species, where)
    by_label = {known[k].label: known[k] for k in files}
    with stage(f"distances to the surfaces of {where}"):
        field = nested(
            found,
            spacing_mm * 1e-3,
            {k: t.name for k, t in by_label.items()},
            reach=REACH * edge_mm * 1e-3,
        )
    notes += field.notes
    volumes = field.volumes()
    image = field.image()
    marks = checked_landmarks(fiducials_mm, image, field.affine, species, where)
    return head_of_voxels(
        image,
        field.affine,
        lambda: carve_indicators(
            field.labels, field, field.bounds(), edge_mm * 1e-3, volumes=volumes
        ),
        edge_length_mm=edge_mm,
        tissues=by_label,
        species=species,
        name=name or where.split(".")[0],
        landmarks=marks,
        columns=columns,
        provenance={
            "made by": "rheobase.meshes.heads.from_surfaces",
            "inputs": input_keys(*(p for paths in files.values() for p in paths)),
            "surfaces": {k: [str(p) for p in paths] for k, paths in files.items()},
            "spacing (mm)": spacing_mm,
        },
        notes=notes,
    )


def tissue_of_file(path: Path) -> str | None:
    """Return the tissue that a file is named by, None if it is not.

    Examples
    --------
    >>> tissue_of_file(Path("lh.pial")), tissue_of_file(Path("csf_2.ply"))
    ('grey_matter', 'csf')
    """
    words = path.name.removesuffix(".gz").removesuffix(".gii").removesuffix(".surf")
    if path.suffix.lower() in (".stl", ".ply", ".obj", ".vtp", ".vtk"):
        words = path.stem
    parts = [w for w in words.replace("-", "_").replace(".", "_").split("_") if w]
    kept = [w for w in parts if not w.isdigit() and w.lower() not in ("lh", "rh", "l", "r")]
    stem = " ".join(kept)
    own = {"pial": "grey_matter", "white": "white_matter"}
    return own.get(stem.lower()) or tissue_of_name(stem)


def surface_files(
    surfaces: Mapping[str, Files] | Path | str, known: Mapping[str, Tissue]
) -> tuple[dict[str, list[Path]], str]:
    """Return the files of each tissue, and what they are called together.

    Raises
    ------
    InputError
        If there is no such folder or table, it names no surface, or a tissue is unknown.
    """
    if isinstance(surfaces, Mapping):
        files = {k: _listed(v) for k, v in surfaces.items()}
        where = "surfaces"
    else:
        path = Path(surfaces)
        where = path.resolve().name
        files = _in_folder(path) if path.is_dir() else _in_table(path)
    for tissue in files:
        check_option("tissue", tissue, known, where=where)
    if not any(files.values()):
        raise InputError(f"expected at least one surface, got none: {where}")
    return files, where


def _listed(files: Files) -> list[Path]:
    return [Path(files)] if isinstance(files, (str, Path)) else [Path(p) for p in files]


def _in_folder(folder: Path) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    nameless = []
    for path in sorted(p for p in folder.iterdir() if p.is_file() and is_surface(p)):
        tissue = tissue_of_file(path)
        if tissue is None:
            nameless.append(path.name)
        else:
            files.setdefault(tissue, []).append(path)
    if nameless:
        raise InputError(
            f"expected surfaces named by tissue (scalp.stl, skull.stl, …), got "
            f"{', '.join(nameless[:8])}: {folder} (a CSV with the columns tissue,file names any)"
        )
    if not files:
        raise InputError(f"expected surfaces named by tissue in a folder, found none: {folder}")
    return files


def _in_table(path: Path) -> dict[str, list[Path]]:
    if path.suffix.lower() != ".csv":
        raise InputError(f"expected a folder of surfaces or a .csv with tissue,file, got {path}")
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the table of surfaces {path}: {error}") from None
    files: dict[str, list[Path]] = {}
    for number, row in enumerate(rows, start=2):
        tissue, file = (row.get("tissue") or "").strip(), (row.get("file") or "").strip()
        if not tissue or not file:
            raise InputError(f"expected the columns tissue and file, line {number}: {path}")
        files.setdefault(tissue, []).append(path.parent / file)
    return files
