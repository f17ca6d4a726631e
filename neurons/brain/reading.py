"""Connectomes of others: archives and folders of The Virtual Brain, and single matrices.

An archive (or folder) of The Virtual Brain holds ``weights`` and ``tract_lengths`` (mm), and
``centres`` (name, x, y, z in mm), each as text, ``.bz2`` or not. Rows are targets there as here.
"""

from __future__ import annotations

import bz2
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.neurons.brain.connectome import Connectome

Floats = NDArray[np.float64]

LARGEST = 200_000_000  # bytes of a matrix: 4,000 regions in text
PARTS = {"weights": True, "tract_lengths": True, "centres": False}  # and whether they must be there
TEXT = {".txt", ".csv", ".tsv", ".dat"}


def read_connectome(
    path: Path | str, *, lengths: Path | str | None = None, names: Sequence[str] | None = None
) -> Connectome:
    """Read a connectome.

    Parameters
    ----------
    path
        Archive (``.zip``) or folder of The Virtual Brain, or a matrix of weights: text (commas,
        tabs or blanks), ``.npy``, or a MATLAB file with one square matrix.
    lengths
        Matrix of tract lengths (mm), where ``path`` is a matrix.
    names
        Names of the regions; by default those of the archive, else "1", "2" …

    Raises
    ------
    InputError
        If a file is missing, cannot be read, or does not make a connectome.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"expected a connectome, found none: {path}")
    centres: tuple[list[str], Floats] | None = None
    if path.is_dir() or path.suffix.lower() == ".zip":
        if lengths is not None:
            raise InputError(f"expected no other lengths than those in it: {path}")
        text = _members(path)
        weights, tracts = (_table(text[k], f"{k} in {path}") for k in ("weights", "tract_lengths"))
        if "centres" in text:
            centres = _centres(text["centres"], path)
    else:
        if lengths is None:
            raise InputError(f"expected a file of tract lengths for the weights: {path}")
        weights, tracts = _matrix(path), _matrix(Path(lengths))
    found = centres[0] if centres else [str(k + 1) for k in range(len(weights))]
    try:
        return Connectome(
            names=tuple(found if names is None else names),
            weights=weights,
            lengths=tracts * 1e-3,
            centres=None if centres is None else centres[1],
        )
    except InputError as error:
        raise InputError(f"{error}: {path}") from None


def _members(path: Path) -> dict[str, str]:
    """Return the text of each part of an archive or folder."""
    found: dict[str, bytes] = {}
    try:
        if path.is_dir():
            for file in sorted(path.iterdir()):
                part = _part(file.name)
                if part and file.stat().st_size <= LARGEST:
                    found[part] = _unpacked(file.name, file.read_bytes())
        else:
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    part = _part(info.filename.rsplit("/", 1)[-1])
                    if part and info.file_size <= LARGEST:
                        found[part] = _unpacked(info.filename, archive.read(info))
        text = {part: data.decode("utf-8") for part, data in found.items()}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, RuntimeError) as error:
        raise InputError(f"cannot read the connectome {path}: {error}") from None
    for part, needed in PARTS.items():
        if needed and part not in text:
            raise InputError(f"expected {part}.txt in a connectome, found none: {path}")
    return text


def _part(name: str) -> str | None:
    stem = name.split(".")[0].lower()
    end = Path(name.lower().removesuffix(".bz2")).suffix
    return stem if stem in PARTS and end in TEXT else None


def _unpacked(name: str, data: bytes) -> bytes:
    if not name.lower().endswith(".bz2"):
        return data
    out = bz2.BZ2Decompressor().decompress(data, LARGEST + 1)
    if len(out) > LARGEST:
        raise ValueError(f"{name} unpacks to more than {LARGEST} bytes")
    return out


def _table(text: str, where: str) -> Floats:
    rows = [line.replace(",", " ").replace(";", " ").split() for line in text.splitlines()]
    try:
        out = np.array([[float(x) for x in row] for row in rows if row])
    except ValueError as error:
        raise InputError(f"expected a table of numbers, got {error}: {where}") from None
    return _square(out, where)


def _centres(text: str, path: Path) -> tuple[list[str], Floats]:
    rows = [line.replace(",", " ").split() for line in text.splitlines() if line.strip()]
    try:
        if any(len(row) < 4 for row in rows):
            raise ValueError("a shorter line")
        return [row[0] for row in rows], 1e-3 * np.array([[float(x) for x in r[1:4]] for r in rows])
    except ValueError as error:
        raise InputError(f"expected name, x, y and z in centres, got {error}: {path}") from None


def _matrix(path: Path) -> Floats:
    """Read one square matrix from a file."""
    if not path.is_file():
        raise InputError(f"expected a matrix, found none: {path}")
    if path.stat().st_size > LARGEST:
        raise InputError(f"expected a matrix below {LARGEST // 1_000_000} MB: {path}")
    kind = path.suffix.lower()
    try:
        if kind in TEXT:
            return _table(path.read_text("utf-8-sig"), str(path))
        if kind == ".npy":
            return _square(np.load(path, allow_pickle=False), str(path))
        if kind == ".mat":
            return _square(_matlab(path), str(path))
    except InputError:
        raise
    except Exception as error:  # SciPy raises many kinds for damaged files
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"cannot read a matrix from {path}: {why}") from None
    raise InputError(f"expected .csv, .txt, .npy or .mat, got {kind or 'no ending'!r}: {path}")


def _matlab(path: Path) -> Any:
    from scipy.io import loadmat

    held = {k: v for k, v in loadmat(path).items() if not k.startswith("_")}
    square = [v for v in held.values() if getattr(v, "ndim", 0) == 2 and v.shape[0] == v.shape[1]]
    square = [v for v in square if v.dtype.kind in "iuf" and len(v) > 1]
    if len(square) != 1:
        raise InputError(
            f"expected one square matrix of numbers, got {len(square)} among {sorted(held)}: {path}"
        )
    return square[0]


def _square(values: Any, where: str) -> Floats:
    array = np.asarray(values)
    if array.dtype.kind not in "iufb" or array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise InputError(
            f"expected a square matrix of numbers, got {array.dtype} of shape {array.shape}: "
            f"{where}"
        )
    return array.astype(np.float64)
