"""A head from a tetrahedral mesh of any other format that VTK or meshio read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase._progress import stage
from rheobase.meshes.files.foreign import LENGTH_UNIT, read_foreign
from rheobase.meshes.files.surfaces import UNITS
from rheobase.meshes.head import Head
from rheobase.meshes.heads.from_msh import head_from_msh
from rheobase.meshes.heads.tagged import Electrodes, Tagged, head_of_tets
from rheobase.meshes.heads.tissue_labels import LabelOption
from rheobase.meshes.tissues import Tissue

#: What is read, by the ending of the file; those before ".mesh" by VTK, the others by meshio.
FORMATS = {
    ".vtu": "VTK XML",
    ".pvtu": "VTK XML in pieces",
    ".vtm": "VTK blocks",
    ".vtkhdf": "VTK HDF",
    ".vtk": "VTK legacy",
    ".mesh": "Medit",
    ".meshb": "Medit, binary",
    ".inp": "Abaqus",
    ".xdmf": "XDMF",
    ".xmf": "XDMF",
    ".med": "MED",
    ".vol": "Netgen",
    ".ele": "TetGen",
    ".node": "TetGen",
    ".su2": "SU2",
}
SUFFIXES = tuple(FORMATS)
#: Names of arrays that hold tags, in lower case, best first.
TAG_NAMES = (
    *("tissue", "tissues", "label", "labels", "region", "regions", "material", "materials"),
    *("matid", "materialids", "gmsh:physical", "medit:ref", "cell_tags", "sets", "tag", "tags"),
    *("cellentityids", "netgen:index", "tetgen:ref", "su2:tag", "subdomain", "subdomains"),
    *("domain", "gmsh:geometrical"),
)


def head_from_mesh(
    path: Path | str,
    *,
    tags: str | None = None,
    unit: str | None = None,
    labels: LabelOption = None,
    tissues: Mapping[str, Tissue] | None = None,
    species: str = "human",
    name: str | None = None,
    fiducials_mm: Mapping[str, Sequence[float]] | None = None,
    electrodes: Electrodes = "keep",
) -> Head:
    """Build a head from a mesh of tetrahedra with tags.

    Parameters
    ----------
    path
        A file that VTK or meshio reads (`FORMATS`); a Gmsh file goes to `head_from_msh`.
    tags
        Name of the array over the tetrahedra that holds the tags. If None, the only array of whole
        numbers, or the first of the usual names ("tissue", "label", "material", "medit:ref", …);
        named sets (Abaqus) that cover every tetrahedron once count as an array "sets".
    unit
        Unit of the coordinates: "mm", "cm", "m" or "um". If None, what the file says (the VTK files
        that rheobase writes do), else "mm".
    labels
        Tissue name (or "outside") of each tag, as in `head_from_image`. If None, the names of the
        sets where they name tissues, else SimNIBS's numbers.
    tissues, species, name, fiducials_mm
        As in `head_from_image`.
    electrodes
        As in `head_from_msh`.

    Returns
    -------
    Head
        In the space "scanner", without cortical sheet. Of second-order tetrahedra the corners are
        used; triangles and lines are not.

    Raises
    ------
    InputError
        If the file cannot be read, has no tetrahedra or other volumes too, no array or several that
        may hold the tags, a tag without tissue, or a size that no head has.
    """
    path = Path(path)
    if unit is not None:
        check_option("unit", unit, UNITS, where=str(path))
    if path.suffix.lower() == ".msh":
        if tags is not None or unit not in (None, "mm"):
            raise InputError(
                f"a Gmsh mesh has its own tags, in mm; tags and unit are for others: {path}"
            )
        return head_from_msh(
            path,
            labels=labels,
            tissues=tissues,
            species=species,
            name=name,
            fiducials_mm=fiducials_mm,
            electrodes=electrodes,
        )
    with stage(f"mesh {path.name}"):
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(f"expected a mesh file ({', '.join(SUFFIXES)}, .msh), got {path}")
        arrays, remarks = read_foreign("grid", path)
        if unit is None:
            unit = remarks.get("unit") or "mm"
            check_option("unit", unit, UNITS, where=f"{LENGTH_UNIT!r} in {path}")
        raw, chosen = _tagged(path, arrays, remarks, tags, UNITS[unit])
        return head_of_tets(
            raw,
            labels=labels,
            tissues=tissues,
            species=species,
            name=name,
            fiducials_mm=fiducials_mm,
            electrodes=electrodes,
            made_by="rheobase.meshes.heads.from_mesh",
            more={"tags": chosen, "unit": unit},
        )


def _tagged(
    path: Path,
    arrays: Mapping[str, NDArray[Any]],
    remarks: Mapping[str, Any],
    tags: str | None,
    scale: float,
) -> tuple[Tagged, str]:
    """Check what was read, and choose the array of tags."""
    if remarks["volumes"]:
        listed = ", ".join(f"{n} x {k}" for k, n in remarks["volumes"].items())
        raise InputError(f"expected tetrahedra as the only volumes, got {listed}: {path}")
    points, tets = arrays["points"], arrays["tets"]
    if not len(tets):
        raise InputError(f"expected tetrahedra, got none: {path}")
    if tets.min() < 0 or tets.max() >= len(points):
        raise InputError(
            f"expected corners among {len(points)} nodes, got {tets.min()} to {tets.max()}: {path}"
        )
    if not np.isfinite(points[np.unique(tets)]).all():
        raise InputError(f"expected finite coordinates, got others: {path}")
    found = {k.removeprefix("cell:"): v for k, v in arrays.items() if k.startswith("cell:")}
    chosen = chosen_tags(found, tags, path)
    notes = ["no cortical sheet: a mesh file has no image of the cortex"]
    if remarks["quadratic"]:
        notes.append(f"the corners of {remarks['quadratic']} second-order tetrahedra used")
    named = remarks.get("names", {}).get(chosen, {})
    raw = Tagged(
        path=path,
        nodes=points * scale,
        tets=tets.astype(np.int32),
        tags=found[chosen],
        names={int(k): v for k, v in named.items()},
        notes=notes,
    )
    return raw, chosen


def chosen_tags(found: Mapping[str, NDArray[Any]], tags: str | None, path: Path) -> str:
    """Return the name of the array that holds the tags.

    Parameters
    ----------
    found
        Arrays of whole numbers over the tetrahedra.
    tags
        Its name, None to find it.
    path
        The file, for messages.

    Raises
    ------
    InputError
        If there is none of that name, none at all, or several that may be it.
    """
    if not found:
        raise InputError(
            f"expected an array of whole numbers (tags) over the tetrahedra, found none: {path}"
        )
    if tags is not None:
        return check_option("array of tags", tags, found, where=str(path))
    if len(found) == 1:
        return next(iter(found))
    folded = {k.casefold(): k for k in found}
    usual = [folded[k] for k in TAG_NAMES if k in folded]
    if usual:
        return usual[0]
    raise InputError(
        f"expected one array of tags, got {', '.join(sorted(found))}; name one with tags=: {path}"
    )
