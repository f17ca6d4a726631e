"""Everything a lab wants of a field, in one folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase._files import Door, whole_file
from rheobase._progress import stage
from rheobase.fields.basis import FieldBasis
from rheobase.fields.interference import Carriers
from rheobase.fields.results.msh import write_results_msh
from rheobase.fields.results.nifti import Grid, head_grid, locate_voxels, mni_grid, write_nifti
from rheobase.fields.results.quantities import (
    Quantities,
    errors_of,
    quantities_of,
    with_magnitudes,
)
from rheobase.fields.results.table import field_table
from rheobase.fields.results.vtk import write_vtu
from rheobase.meshes.head import Head
from rheobase.meshes.regions.atlases import Atlas
from rheobase.meshes.regions.region import Region
from rheobase.meshes.regions.statistics import write_table
from rheobase.meshes.spaces import is_mni

Floats = NDArray[np.float64]

FORMATS = ("msh", "vtu", "vtkhdf", "nifti", "nifti_mni", "csv")


def write_results(
    basis: FieldBasis,
    amplitudes: Sequence[float] | Floats,
    head: Head,
    folder: Path | str,
    *,
    formats: Sequence[str] | None = None,
    atlas: Atlas | Iterable[Region] = (),
    carriers: Carriers | None = None,
    name: str = "field",
    grid: Grid | None = None,
) -> list[Path]:
    """Write a field in the formats of labs; each file is whole or absent.

    What is written is E and magnE, or of interfering sources maxTI and max_carrier (V/m). Tables
    have the estimated errors beside them where the basis has its corrections.

    Parameters
    ----------
    basis, amplitudes, carriers
        As in `quantities_of`.
    head
        The head that the basis was solved on.
    folder
        Made if it is not there.
    formats
        Some of "msh" (Gmsh, SimNIBS), "vtu", "vtkhdf" (ParaView), "nifti" (the head's space),
        "nifti_mni" (MNI space, 1 mm), "csv" (statistics of tissues and regions). None for all that
        the head allows.
    atlas
        Regions of the table.
    name
        What the files' names begin with.
    grid
        Voxels of the images in the head's space, `image_grid(t1)` say; if None, 1 mm around it.

    Returns
    -------
    list of Path
        The files: ``name.msh``, ``name.vtu``, ``name.vtkhdf``, ``name_magnE.nii.gz``,
        ``name_magnE_MNI.nii.gz``, ``name_magnE.csv`` …

    Raises
    ------
    InputError
        If a format is unknown or impossible for this head, the basis is that of another one, or a
        file cannot be written.
    """
    mni = head.mni is not None or is_mni(head.space)
    wanted = [f for f in FORMATS if mni or f != "nifti_mni"] if formats is None else list(formats)
    _check_formats(wanted, FORMATS, basis, head)
    quantities = quantities_of(basis, amplitudes, carriers)
    tables = {}
    if "csv" in wanted:
        regions = atlas if isinstance(atlas, Atlas) else list(atlas)
        errors = errors_of(basis, amplitudes, carriers)
        for key, values in with_magnitudes(quantities).items():
            if values.ndim == 1:
                rows = field_table(basis, values, head, regions=regions, error=errors.get(key))
                tables[Path(folder) / f"{name}_{key}.csv"] = rows
    potential = None
    if carriers is None:
        potential = np.tensordot(np.atleast_1d(amplitudes), basis.potential, axes=1)
    files: list[Path] = []

    def door(extension: str, **entities: str) -> AbstractContextManager[Path]:
        shown = entities | ({"space": "MNI"} if "space" in entities else {})
        files.append(Path(folder) / ("_".join([name, *shown.values()]) + extension))
        return whole_file(files[-1])

    write_fields(
        basis,
        quantities,
        head,
        door,
        formats=[f for f in wanted if f != "csv"],
        grid=grid,
        potential=potential,
    )
    for path, rows in tables.items():
        write_table(path, rows)
    return [*files, *tables]


def write_fields(
    basis: FieldBasis,
    quantities: Quantities,
    head: Head,
    door: Door,
    *,
    formats: Sequence[str],
    grid: Grid | None = None,
    potential: Floats | None = None,
    later: ExitStack | None = None,
) -> None:
    """Write quantities that are there already; each file is whole or absent.

    Parameters
    ----------
    basis, quantities
        Values at the split nodes, by name; each vector X is followed by its length magnX.
    head, grid
        As in `write_results`.
    door
        Gives the path of each file: ``desc`` is the quantity of an image, ``space`` that of MNI.
    formats
        Those of `write_results` but "csv".
    potential
        Electric potential (V), shape (n_nodes,), for the .msh.
    later
        Where it is given, a thread writes the files of VTK, which compresses them beside other
        work; they are whole when it is closed, and what goes wrong is raised then.

    Raises
    ------
    InputError
        As `write_results` does.
    """
    _check_formats(formats, FORMATS[:-1], basis, head)
    every = with_magnitudes(quantities)
    with stage("results"):
        if "msh" in formats:
            with door(".msh") as path:
                write_results_msh(path, basis, quantities, head, potential=potential)
        for f in ("vtu", "vtkhdf"):
            if f in formats:
                if later is None:
                    with door(f".{f}") as path:
                        write_vtu(path, basis, every)
                else:
                    path = later.enter_context(door(f".{f}"))
                    thread = later.enter_context(ThreadPoolExecutor(1))
                    later.callback(thread.submit(write_vtu, path, basis, every).result)
        for f, space in (("nifti", "head"), ("nifti_mni", "MNI")):
            if f not in formats:
                continue
            voxels = (grid or head_grid(head)) if space == "head" else mni_grid()
            located = locate_voxels(basis, head, voxels, space=space)
            there = {"space": head.space if is_mni(head.space) else "MNI152"}
            for key, values in every.items():
                if space == "head" or values.ndim == 1:
                    with door(".nii.gz", desc=key, **(there if space == "MNI" else {})) as path:
                        write_nifti(path, basis, values, located, description=f"{key} (V/m)")


def _check_formats(
    formats: Sequence[str], known: Sequence[str], basis: FieldBasis, head: Head
) -> None:
    """Refuse formats that there are not, or not for this head, and the basis of another head."""
    for f in formats:
        check_option("format", f, known, where="results")
    if "nifti_mni" in formats and head.mni is None and not is_mni(head.space):
        raise InputError(f"expected a head with a transform to MNI for nifti_mni: {head.name!r}")
    basis.check_head(head)
