"""Everything a lab wants of a field, in one folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase._progress import stage
from rheobase.fields.basis import FieldBasis
from rheobase.fields.interference import Carriers
from rheobase.fields.results.msh import write_results_msh
from rheobase.fields.results.nifti import Grid, head_grid, locate_voxels, mni_grid, write_nifti
from rheobase.fields.results.quantities import quantities_of, with_magnitudes
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

    What is written is E and magnE, or of interfering sources maxTI and max_carrier (V/m).

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
    for f in wanted:
        check_option("format", f, FORMATS, where="results")
    if "nifti_mni" in wanted and not mni:
        raise InputError(f"expected a head with a transform to MNI for nifti_mni: {head.name!r}")
    if basis.mesh is not head.mesh and not np.array_equal(basis.mesh.tets, head.mesh.tets):
        raise InputError(f"expected a basis on the mesh of the head, got another: {head.name!r}")
    folder = Path(folder)
    quantities = quantities_of(basis, amplitudes, carriers)
    every = with_magnitudes(quantities)
    scalars = {k: v for k, v in every.items() if v.ndim == 1}
    files: list[Path] = []

    def at(ending: str) -> Path:
        files.append(folder / f"{name}{ending}")
        return files[-1]

    with stage("results"):
        if "msh" in wanted:
            potential = None
            if carriers is None:
                potential = np.tensordot(np.atleast_1d(amplitudes), basis.potential, axes=1)
            write_results_msh(at(".msh"), basis, quantities, head, potential=potential)
        for f in ("vtu", "vtkhdf"):
            if f in wanted:
                write_vtu(at(f".{f}"), basis, every)
        for f, space, end in (("nifti", "head", ""), ("nifti_mni", "MNI", "_MNI")):
            if f not in wanted:
                continue
            voxels = (grid or head_grid(head)) if space == "head" else mni_grid()
            located = locate_voxels(basis, head, voxels, space=space)
            for key, values in (every if space == "head" else scalars).items():
                write_nifti(
                    at(f"_{key}{end}.nii.gz"), basis, values, located, description=f"{key} (V/m)"
                )
        if "csv" in wanted:
            regions = atlas if isinstance(atlas, Atlas) else list(atlas)
            for key, values in scalars.items():
                write_table(at(f"_{key}.csv"), field_table(basis, values, head, regions=regions))
    return files
