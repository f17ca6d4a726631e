"""Volume images of any orientation, read with the axes nearest to right, front and up.

NIfTI and its Analyze ancestor, FreeSurfer's MGH/MGZ (by NiBabel), and JNIfTI (``.jnii``: JSON with
zlib-compressed arrays, NeuroJSON JNIfTI specification, draft 1). Nothing is allocated before the
file has been seen to hold as many bytes as its header asks for.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import lzma
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError

SMALLEST, LARGEST = 3e-3, 1.0  # m: a mouse's brain, and far more than a human head
#: Most voxels (times maps) of an image: 1 mm³ over a cube of 0.75 m, or 50 µm over a mouse's head.
MOST_VOXELS = 420_000_000
#: Largest JSON text read (bytes).
MOST_JSON = 1_000_000_000
#: Distance between header transforms (m) above which they count as different.
APART = 0.5e-3
UNITS = {"meter": 1.0, "mm": 1e-3, "micron": 1e-6, "m": 1.0, "um": 1e-6}
BROKEN = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Volume:
    """A volume image.

    Parameters
    ----------
    values
        Shape (nx, ny, nz), or (nx, ny, nz, n_maps); axes nearest to right, front, up.
    affine
        Voxel indices to world (m), shape (4, 4); oblique axes stay oblique.
    notes
        What was odd about the header.
    """

    values: NDArray[Any]
    affine: NDArray[np.float64]
    notes: tuple[str, ...] = ()

    @property
    def edges(self) -> NDArray[np.float64]:
        """Edges of a voxel (m), shape (3,)."""
        lengths: NDArray[np.float64] = np.linalg.norm(self.affine[:3, :3], axis=0)
        return lengths


def read_volume(path: Path | str) -> Volume:
    """Read a volume image.

    Parameters
    ----------
    path
        ``.nii``, ``.nii.gz``, ``.hdr``/``.img``, ``.mgh``, ``.mgz`` or ``.jnii``.

    Returns
    -------
    Volume
        Numbers as stored (scaled where the header says so).

    Raises
    ------
    InputError
        If the file cannot be read, is shorter than its header says, is too large, holds colours,
        has less than three axes or more than four, or is of a size that no head has.
    """
    path = Path(path)
    if path.suffix.lower() in {".jnii", ".bnii"}:
        values, matrix, unit, notes = _read_jnii(path)
    else:
        values, matrix, unit, notes = _read_nibabel(path)
    if not (np.isfinite(matrix).all() and np.linalg.matrix_rank(matrix[:3, :3]) == 3):
        raise InputError(f"expected an affine of finite, independent axes: {path}")
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    values, affine = nearest_ras(values, matrix)
    affine[:3] *= UNITS.get(unit, 1e-3)
    extent = np.linalg.norm(affine[:3, :3], axis=0) * values.shape[:3]
    if not (extent.max() <= LARGEST and extent.min() >= SMALLEST):
        big = extent.max() >= 1.0
        size = " x ".join(f"{x * (1 if big else 1e3):.4g}" for x in extent)
        hint = ""
        for factor, meant in ((1e-3, "millimetres"), (1e3, "metres")):
            if extent.min() * factor >= SMALLEST and extent.max() * factor <= LARGEST:
                hint = f" (are its numbers {meant}?)"
        raise InputError(
            f"expected an image between {SMALLEST * 1e3:g} and {LARGEST * 1e3:g} mm wide, got "
            f"{size} {'m' if big else 'mm'} with the unit {unit!r} of its header{hint}: {path}"
        )
    return Volume(values=values, affine=affine, notes=notes)


def nearest_ras(
    values: NDArray[Any], affine: NDArray[np.float64]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Permute and flip the first three axes so that they point nearest to right, front and up.

    Parameters
    ----------
    values
        Shape (nx, ny, nz, ...).
    affine
        Voxel indices to world, shape (4, 4).

    Returns
    -------
    values, affine
        The turned values and the affine that goes with them; every voxel stays where it was.
    """
    from scipy.optimize import linear_sum_assignment

    cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    world, axis = linear_sum_assignment(-np.abs(cosines))
    order = axis[np.argsort(world)]
    out = affine.astype(np.float64)
    out[:3, :3] = affine[:3, :3][:, order]
    turned = np.moveaxis(values, order, (0, 1, 2))
    for k in range(3):
        if out[k, k] < 0:
            turned = np.flip(turned, k)
            out[:3, 3] += out[:3, k] * (turned.shape[k] - 1)
            out[:3, k] *= -1
    return np.ascontiguousarray(turned), out


def _read_nibabel(path: Path) -> tuple[NDArray[Any], NDArray[np.float64], str, tuple[str, ...]]:
    import nibabel as nib
    from nibabel.freesurfer.mghformat import MGHError

    broken = (
        *BROKEN,
        MGHError,
        nib.filebasedimages.ImageFileError,
        nib.spatialimages.HeaderDataError,
    )
    try:
        with _quiet():
            image: Any = nib.load(path)
        # trailing axes of length 1 say nothing; vectors lie on the fifth axis of NIfTI
        shape = tuple(int(n) for axis, n in enumerate(image.shape) if axis < 3 or n != 1)
        kind = np.dtype(image.get_data_dtype())
        _check_shape(shape, kind, path)
        stored = image.dataobj
        if hasattr(stored, "offset"):
            holder = image.file_map["image" if "image" in image.file_map else "header"]
            need = int(stored.offset) + int(np.prod(shape, dtype=object)) * kind.itemsize
            _check_length(Path(str(holder.filename)), need, path)
        with _quiet():
            values = np.asanyarray(stored)
        with _quiet():
            notes = _header_notes(image, path)
        unit = image.header.get_xyzt_units()[0] if hasattr(image.header, "get_xyzt_units") else "mm"
        matrix = np.asarray(image.affine, dtype=np.float64)
    except InputError:
        raise
    except broken as error:
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"cannot read {path} as an image: {why}") from None
    return values.reshape(shape), matrix, unit, notes


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep NiBabel's remarks and NumPy's warnings about a damaged header off the terminal.

    What matters of it is checked afterwards: infinities, the length of the file, the affine.
    """
    from nibabel.imageglobals import logger

    before, logger.disabled = logger.disabled, True
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            yield
    finally:
        logger.disabled = before


def _check_shape(shape: tuple[int, ...], kind: np.dtype[Any], path: Path) -> None:
    if kind.fields or kind.kind not in "iufb":
        raise InputError(f"expected numbers, got colours or complex values ({kind}): {path}")
    if len(shape) < 3 or any(n != 1 for n in shape[4:]) or min(shape) < 1:
        raise InputError(f"expected an image with three axes, got shape {shape}: {path}")
    voxels = int(np.prod(shape, dtype=object))
    if voxels > MOST_VOXELS:
        raise InputError(
            f"expected at most {MOST_VOXELS:,} voxels, the header asks for {voxels:,} "
            f"(shape {shape}): {path}"
        )


def _check_length(file: Path, need: int, path: Path) -> None:
    """Check that ``file`` holds ``need`` bytes; a compressed one is unpacked without being kept."""
    opener = {".gz": gzip.open, ".mgz": gzip.open}.get(file.suffix.lower())
    if opener is None:
        have = file.stat().st_size
    else:
        have = 0
        with opener(file, "rb") as stream:
            while have < need and (block := stream.read(1 << 20)):
                have += len(block)
    if have < need:
        raise InputError(
            f"cannot read {path}: its header asks for {need:,} bytes, the file holds {have:,} (cut "
            "off or damaged)"
        )


def _header_notes(image: Any, path: Path) -> tuple[str, ...]:
    """Return what is odd about the orientation of a NiBabel image."""
    header = image.header
    if not hasattr(header, "get_sform"):
        if path.suffix.lower() in {".mgh", ".mgz"}:
            return ()
        return ("the header (Analyze) does not tell left from right: check the sides",)
    sform, s_code = header.get_sform(coded=True)
    qform, q_code = header.get_qform(coded=True)
    if not s_code and not q_code:
        return ("the header places the image nowhere (sform and qform code 0): check the sides",)
    if s_code and q_code:
        corners = np.array(
            [[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float
        ) * [*(np.array(image.shape[:3]) - 1), 1]
        unit = UNITS.get(header.get_xyzt_units()[0], 1e-3)
        apart = float(np.abs((corners @ (sform - qform).T)[:, :3]).max()) * unit
        if apart > APART:
            return (
                f"sform and qform of the header are up to {apart * 1e3:.1f} mm apart: the sform "
                "is used",
            )
    return ()


def _read_jnii(path: Path) -> tuple[NDArray[Any], NDArray[np.float64], str, tuple[str, ...]]:
    try:
        size = path.stat().st_size
        if size > MOST_JSON:
            raise InputError(f"expected less than {MOST_JSON:,} bytes, got {size:,}: {path}")
        text = json.loads(path.read_bytes().decode("utf-8"), strict=False)
        header, data = text.get("NIFTIHeader", {}), text["NIFTIData"]
        values = _jdata(data, path)
        slope = float(header.get("ScaleSlope", 0) or 0)
        if slope not in (0.0, 1.0) or float(header.get("ScaleOffset", 0) or 0):
            values = values * np.float32(slope or 1.0) + np.float32(header.get("ScaleOffset", 0))
        affine = np.eye(4)
        notes: tuple[str, ...] = ()
        if "Affine" in header:
            affine[:3] = np.asarray(header["Affine"], dtype=np.float64)[:3, :4]
        else:
            edges = np.asarray(header.get("VoxelSize", (1, 1, 1)), dtype=np.float64)[:3]
            affine[:3, :3] = np.diag(edges)
            notes = ("the header places the image nowhere (no affine): check the sides",)
        unit = str(header.get("Unit", {}).get("L", "mm"))
    except InputError:
        raise
    except (*BROKEN, AttributeError, binascii.Error, RecursionError) as error:
        raise InputError(f"cannot read {path} as JNIfTI: {str(error)[:200]}") from None
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    return values, affine, unit, notes


def _jdata(data: Any, path: Path) -> NDArray[Any]:
    """Return the array of a JData node: nested lists, or the annotated form."""
    if not isinstance(data, dict):
        values = np.asarray(data)
        _check_shape(values.shape, values.dtype, path)
        return values
    kind = np.dtype(
        {"single": "float32", "double": "float64"}.get(data["_ArrayType_"]) or data["_ArrayType_"]
    )
    shape = tuple(int(n) for n in data["_ArraySize_"])
    _check_shape(shape, kind, path)
    order: Any = "F" if str(data.get("_ArrayOrder_", "r")).lower()[:1] in {"c", "f"} else "C"
    if "_ArrayZipData_" not in data:
        return np.asarray(data["_ArrayData_"], dtype=kind).reshape(shape, order=order)
    packed = base64.b64decode(data["_ArrayZipData_"])
    need = int(np.prod(shape, dtype=object)) * kind.itemsize
    method = data.get("_ArrayZipType_", "zlib")
    if method in ("zlib", "gzip"):
        raw = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(packed, need + 1)
    elif method == "lzma":
        raw = lzma.LZMADecompressor().decompress(packed, need + 1)
    else:
        raise InputError(f"expected zlib, gzip or lzma compression, got {method!r}: {path}")
    if len(raw) != need:
        raise InputError(
            f"cannot read {path}: its header asks for {need:,} bytes, the file holds "
            f"{'more' if len(raw) > need else f'{len(raw):,}'} (cut off or damaged)"
        )
    return np.frombuffer(raw, kind.newbyteorder("<")).reshape(shape, order=order)
