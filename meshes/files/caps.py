"""Electrode positions and landmarks in SimNIBS's CSV files.

Each row is ``type,x,y,z,name`` in mm; the types Fiducial, Electrode and ReferenceElectrode are
read, others (CoilPos, Generic) are not positions of electrodes.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError

#: Largest file that is read (bytes); a cap of 256 electrodes has 16 kB.
LARGEST_FILE = 4_000_000
ELECTRODES = ("electrode", "referenceelectrode")
LANDMARKS = {
    "nz": "nasion",
    "nasion": "nasion",
    "iz": "inion",
    "inion": "inion",
    "lpa": "lpa",
    "rpa": "rpa",
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cap:
    """Positions on a head.

    Parameters
    ----------
    fiducials
        "nasion", "inion", "lpa", "rpa" where given (m), shape (3,) each.
    electrodes
        Electrodes by name (m), shape (3,) each.
    """

    fiducials: dict[str, NDArray[np.float64]]
    electrodes: dict[str, NDArray[np.float64]]


def read_cap(path: Path | str) -> Cap:
    """Read a file of electrode positions.

    Raises
    ------
    InputError
        If the file is missing or too large, a row has no three finite numbers, or a name comes
        twice.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise InputError(f"expected a file of electrodes, got {size / 1e6:.0f} MB: {path}")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the electrode positions {path}: {error}") from None
    fiducials: dict[str, NDArray[np.float64]] = {}
    electrodes: dict[str, NDArray[np.float64]] = {}
    for number, row in enumerate(csv.reader(text.splitlines()), start=1):
        kind = row[0].strip().lower() if row else ""
        if kind not in (*ELECTRODES, "fiducial"):
            continue
        name = row[4].strip() if len(row) > 4 else ""
        try:
            point = np.array([float(cell) for cell in row[1:4]])
        except ValueError:
            point = np.empty(0)
        if point.shape != (3,) or not np.isfinite(point).all():
            raise InputError(f"expected type,x,y,z,name with numbers in mm, line {number}: {path}")
        into = fiducials if kind == "fiducial" else electrodes
        name = LANDMARKS.get(name.lower(), name) if kind == "fiducial" else name
        if not name or (kind == "fiducial" and name not in LANDMARKS.values()):
            continue
        if name in into:
            raise InputError(f"{name!r} comes twice, line {number}: {path}")
        into[name] = point * 1e-3
    return Cap(fiducials=fiducials, electrodes=electrodes)
