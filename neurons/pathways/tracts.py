"""Read the streamlines of a tractogram."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from rheobase._errors import InputError, check_option
from rheobase.neurons.morphology import Floats

FORMATS = (".trk", ".tck", ".trx")


def read_tracts(path: Path | str) -> list[Floats]:
    """Return the streamlines of a TRK, TCK or TRX file.

    Parameters
    ----------
    path
        File. TRK and TCK are read by nibabel; TRX needs the package trx-python.

    Returns
    -------
    list of ndarray, shape (n, 3)
        Points of each streamline in the world frame of the file (m). Repeated points are left out,
        and streamlines with fewer than two different ones.

    Raises
    ------
    InputError
        If the file cannot be read, is of another kind, or holds no streamline.
    """
    file = Path(path)
    check_option("kind of tractogram", file.suffix.lower(), FORMATS, where=str(file))
    if not file.is_file():
        raise InputError(f"expected a tractogram, found no file: {file}")
    try:
        lines = _trx(file) if file.suffix.lower() == ".trx" else _nibabel(file)
        metres = [1e-3 * np.asarray(line, dtype=np.float64).reshape(-1, 3) for line in lines]
    except InputError:
        raise
    except Exception as error:  # the readers raise all kinds on broken files
        raise InputError(f"cannot read the tractogram, {error}: {file}") from error
    return clean_lines(metres, str(file))


def clean_lines(lines: list[Floats], where: str) -> list[Floats]:
    """Return lines without repeated points and without those that are shorter than two points.

    Raises
    ------
    InputError
        If a line is not a list of points in space, or none is left.
    """
    out = []
    for k, points in enumerate(lines):
        line = np.asarray(points, dtype=np.float64)
        if line.ndim != 2 or line.shape[1] != 3 or not np.isfinite(line).all():
            raise InputError(
                f"expected finite points of shape (n, 3), got {line.shape} in line {k}: {where}"
            )
        new = np.ones(len(line), dtype=bool)
        new[1:] = np.linalg.norm(np.diff(line, axis=0), axis=1) > 0
        if np.count_nonzero(new) > 1:
            out.append(line[new])
    if not out:
        raise InputError(f"expected streamlines, got none with two different points: {where}")
    return out


def _nibabel(file: Path) -> Any:
    from nibabel.streamlines import load

    return load(str(file)).tractogram.to_world().streamlines


def _trx(file: Path) -> Any:
    if find_spec("trx") is None:
        raise InputError(
            f"reading TRX needs the package trx-python, which is not installed: {file}"
        )
    return import_module("trx.trx_file_memmap").load(str(file)).streamlines
