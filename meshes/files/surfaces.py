"""Triangulated surfaces of other programs, read into scanner coordinates in metres.

GIfTI (``.gii``, ``.gii.gz``) and FreeSurfer's binary surfaces are read by NiBabel; STL, PLY, OBJ,
VTP and legacy VTK by VTK. FreeSurfer's coordinates are relative to the centre of the volume
(tkRAS); the offset ``c_ras`` that its files carry is added.
"""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase.meshes.files.foreign import read_foreign

UNITS = {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "um": 1e-6}
#: Read by VTK.
POLYDATA = (".stl", ".ply", ".obj", ".vtp", ".vtk")
FREESURFER_MAGIC = (b"\xff\xff\xfe", b"\xff\xff\xff", b"\xff\xff\xfd")
FREESURFER_TRIANGLES = FREESURFER_MAGIC[0]
#: GIfTI's names of spaces that need no transform (NIfTI-1 codes: scanner, aligned, Talairach, MNI).
KNOWN_SPACES = (1, 2, 3, 4)
#: Those of the subject. FreeSurfer's GIfTI carries a transform to Talairach: no way to the scanner.
OWN_SPACES = (1, 2)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Surface:
    """A triangulated surface.

    Parameters
    ----------
    points
        Vertices (m), shape (n, 3).
    triangles
        Vertex indices, shape (n_triangles, 3).
    notes
        What was done to it.
    """

    points: NDArray[np.float64]
    triangles: NDArray[np.int32]
    notes: tuple[str, ...] = ()


def is_surface(path: Path) -> bool:
    """Return whether ``path`` looks like a surface file: by its ending, or FreeSurfer's magic."""
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".gii"):
        return not name.endswith((".func.gii", ".shape.gii", ".label.gii"))
    return path.suffix.lower() in POLYDATA[:-1] or _is_freesurfer(path)


def read_surface(path: Path | str, *, unit: str = "mm") -> Surface:
    """Read a surface.

    Parameters
    ----------
    path
        GIfTI, FreeSurfer binary (``lh.pial``), STL, PLY, OBJ, VTP or VTK.
    unit
        "mm", "cm", "m" or "um"; GIfTI and FreeSurfer are in mm always.

    Returns
    -------
    Surface
        In scanner coordinates where the file tells how to get there. Polygons are cut into
        triangles, points that coincide are joined (STL stores each triangle's own), triangles
        without area are left out.

    Raises
    ------
    InputError
        If the file is missing, damaged, of no known format or without triangles, or points at
        vertices that it does not have.
    """
    path = Path(path)
    check_option("unit", unit, UNITS, where=str(path))
    if not path.is_file():
        raise InputError(f"expected a surface file, found none: {path}")
    name = path.name.lower()
    if name.endswith((".gii", ".gii.gz")):
        points, triangles, notes, scale = *_gifti(path), UNITS["mm"]
    elif path.suffix.lower() in POLYDATA:
        points, triangles, notes, scale = *_polydata(path), UNITS[unit]
    elif _is_freesurfer(path):
        points, triangles, notes, scale = *_freesurfer(path), UNITS["mm"]
    else:
        raise InputError(
            f"expected a surface (GIfTI, FreeSurfer binary, {', '.join(POLYDATA)}), got {path}"
        )
    if not len(triangles):
        raise InputError(f"expected a surface with triangles, found none: {path}")
    if triangles.min() < 0 or triangles.max() >= len(points):
        raise InputError(
            f"expected triangles over {len(points)} vertices, got {triangles.min()} to "
            f"{triangles.max()}: {path}"
        )
    if not np.isfinite(points).all():
        raise InputError(f"expected finite vertices, got others: {path}")
    return Surface(
        points=np.ascontiguousarray(points, dtype=np.float64) * scale,
        triangles=np.ascontiguousarray(triangles, dtype=np.int32),
        notes=notes,
    )


Raw = tuple[NDArray[Any], NDArray[Any], tuple[str, ...]]


def _gifti(path: Path) -> Raw:
    """Read GIfTI, and take it to scanner coordinates by the transform or offset in the file."""
    import nibabel as nib

    try:
        image: Any = nib.load(path)
        pointsets = image.get_arrays_from_intent("NIFTI_INTENT_POINTSET")
        faces = image.get_arrays_from_intent("NIFTI_INTENT_TRIANGLE")
        points = [np.asarray(a.data, dtype=np.float64) for a in pointsets]
        triangles = [np.asarray(a.data) for a in faces]
    except Exception as error:  # nibabel and expat raise many kinds for damaged files
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"cannot read {path} as GIfTI: {why}") from None
    if len(points) != 1 or len(triangles) != 1:
        raise InputError(
            f"expected one array of points and one of triangles, got {len(points)} and "
            f"{len(triangles)}: {path}"
        )
    x, t = points[0], triangles[0]
    if any(a.ndim != 2 or a.shape[1] != 3 for a in (x, t)) or t.dtype.kind not in "iu":
        raise InputError(f"expected points and triangles of shape (n, 3): {path}")
    space: Any = pointsets[0].coordsys
    if space is not None and space.dataspace in KNOWN_SPACES:
        return x, t, ()
    notes: tuple[str, ...] = ()
    matrix = None if space is None else np.asarray(space.xform, dtype=np.float64)
    if matrix is not None and matrix.shape == (4, 4) and not np.allclose(matrix, np.eye(4)):
        if space.xformspace in OWN_SPACES:
            return x @ matrix[:3, :3].T + matrix[:3, 3], t, ("moved by the transform in the file",)
        other = {3: "Talairach", 4: "MNI"}.get(space.xformspace, "an unnamed")
        notes = (f"a transform to {other} space in the file was not applied",)
    meta = dict(pointsets[0].meta)
    centre = np.array([_number(meta.get(f"VolGeomC_{k}", "0")) for k in "RAS"])
    if centre.any():
        moved = f"FreeSurfer's offset {centre.round(3).tolist()} mm added"
        return x + centre, t, (*notes, moved)
    return x, t, notes


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if np.isfinite(value) else 0.0


def _is_freesurfer(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(3) in FREESURFER_MAGIC
    except OSError:
        return False


def _freesurfer(path: Path) -> Raw:
    import nibabel as nib
    import nibabel.freesurfer.io

    _check_freesurfer_size(path)
    try:
        read: Any = nib.freesurfer.io.read_geometry
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a file without volume geometry is told below
            x, t, volume = read(path, read_metadata=True)
    except Exception as error:  # nibabel raises many kinds for damaged files
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"cannot read {path} as a FreeSurfer surface: {why}") from None
    if "cras" not in volume:
        return x, t, ("no volume geometry in the file: coordinates taken as they are",)
    centre = np.asarray(volume["cras"], dtype=np.float64)
    if centre.shape != (3,) or not np.isfinite(centre).all():
        raise InputError(f"expected c_ras as three numbers, got {volume['cras']}: {path}")
    note = (f"FreeSurfer's offset {centre.round(3).tolist()} mm added",) if centre.any() else ()
    return x + centre, t, note


def _check_freesurfer_size(path: Path) -> None:
    """Compare the counts of a triangle file with its size, which NiBabel does not do.

    Two lines of text follow the magic number; then counts and data are big-endian, 4 bytes each.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(3) != FREESURFER_TRIANGLES:
            return  # quadrangles: counts of three bytes, at most 16 million
        file.readline(4096)
        file.readline(4096)
        counts = file.read(8)
        at = file.tell()
    if len(counts) < 8:
        raise InputError(f"expected a FreeSurfer surface, the file ends after {size} bytes: {path}")
    vertices, triangles = struct.unpack(">2i", counts)
    if vertices < 0 or triangles < 0 or at + 12 * (vertices + triangles) > size:
        raise InputError(
            f"expected {vertices} vertices and {triangles} triangles by its header, the file has "
            f"{size:,} bytes: {path}"
        )


def _polydata(path: Path) -> Raw:
    """Read what VTK reads as a surface."""
    arrays, remarks = read_foreign("surface", path)
    joined = remarks["joined"]
    split = path.suffix.lower() != ".stl" and joined
    note = (f"{joined} points joined with others at the same place",) if split else ()
    return arrays["points"], arrays["triangles"], note
