"""Coil files: dipoles (``.ccd``), coil definitions (``.tcd``), sampled fields (NIfTI).

The formats are those of SimNIBS. Its coil frame has +z into the head, +y away from the handle and
x = y × z, in mm; here +z points away from the head and +y to the handle, so a file's coil is turned
by 180 degrees about x. The origin stays: the middle of the casing's face, where the file has it so.
The sign of the current stays as well, and it differs between files (docs/coils.md).

References: Thielscher & Kammer, Clin Neurophysiol 115:1697 (2004),
doi:10.1016/j.clinph.2004.02.019 (dipoles); Madsen et al., Brain Stimul 8:1163 (2015),
doi:10.1016/j.brs.2015.07.035 (sampled fields).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rheobase._errors import InputError
from rheobase.fields.coils.coil import Coil
from rheobase.fields.coils.frame import TURN, casing_points, turned
from rheobase.fields.coils.sampled import SampledPotential
from rheobase.fields.coils.tcd import LARGEST, read_tcd
from rheobase.meshes.files.surfaces import read_surface
from rheobase.meshes.files.volumes import read_volume

_MOST = np.array([LARGEST * 1e-3] * 3 + [LARGEST] * 3)  # m and m²
ENDINGS = (".ccd", ".tcd", ".nii", ".nii.gz")


def read_coil(path: Path | str, *, deformations: Sequence[float] | None = None) -> Coil:
    """Read a coil from a file.

    Parameters
    ----------
    path
        ``.ccd``, ``.tcd``, ``.nii`` or ``.nii.gz``. A casing lies beside a dipole file or a sampled
        field as ``.stl`` of the same name.
    deformations
        Setting of each deformation range of a ``.tcd`` (degrees or mm); their initial values when
        None.

    Returns
    -------
    Coil
        In its own frame.

    Raises
    ------
    InputError
        If the file is missing, damaged or of no known format, or a deformation is out of range.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected a coil file, found none: {path}")
    name = path.name.lower()
    if not name.endswith(ENDINGS):
        raise InputError(f"expected a coil file ({', '.join(ENDINGS)}), got {path}")
    if name.endswith(".tcd"):
        return read_tcd(path, deformations)
    if deformations is not None:
        raise InputError(f"only a .tcd file has deformations, got {path}")
    coil = _read_ccd(path) if name.endswith(".ccd") else _read_nifti(path)
    casing = path.with_name(path.name[: name.rindex(".nii" if ".nii" in name else ".")] + ".stl")
    if not casing.is_file():
        return coil
    surface = read_surface(casing)
    points = casing_points(surface.points, surface.triangles, where=str(casing))
    return replace(coil, outline=turned(points))


def _read_ccd(path: Path) -> Coil:
    """Read magnetic dipoles: a header line, their number, a title, six numbers a dipole."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read a text file of dipoles: {error}: {path}") from error
    header = _header(lines[0]) if lines and lines[0].startswith("#") else {}
    data = [(n, s) for n, s in enumerate(lines, 1) if s.strip() and not s.startswith("#")]
    if not data:
        raise InputError(f"expected the number of dipoles, found nothing: {path}")
    count = data[0][1].strip()
    if not (count.isascii() and count.isdigit() and len(count) < 20 and int(count)):
        raise InputError(
            f"expected the number of dipoles, got {count[:40]!r}: line {data[0][0]} of {path}"
        )
    rows = []
    for n, text in data[1:]:
        try:
            row = [float(x) for x in text.split()]
        except ValueError:
            row = []
        if len(row) != 6 or not np.isfinite(row).all():
            raise InputError(f"expected six finite numbers, got {text[:60]!r}: line {n} of {path}")
        if not (np.abs(row) <= _MOST).all():
            raise InputError(
                f"expected a place within {_MOST[0]:g} m and a moment of at most {_MOST[3]:g} m², "
                f"got {text[:60]!r}: line {n} of {path}"
            )
        rows.append(row)
    if len(rows) != int(count):
        raise InputError(f"expected {int(count):,} dipoles, found {len(rows):,}: {path}")
    table = np.array(rows)
    most = _positive(header.get("dIdtmax", ""))
    return Coil(
        name=header.get("coilname", "") or path.stem,
        dipoles=turned(table[:, :3]),
        moments=turned(table[:, 3:]),
        dIdt_max=None if most is None else 1e6 * most,
        stimulator=header.get("stimulator", ""),
        brand=header.get("brand", ""),
    )


def _header(line: str) -> dict[str, str]:
    """Return the entries ``key=value`` of a header line."""
    pairs = (entry.partition("=") for entry in line.split(";")[1:])
    return {k.strip(): v.strip() for k, _, v in pairs if v.strip() not in ("", "none")}


def _positive(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value <= LARGEST else None


def _read_nifti(path: Path) -> Coil:
    """Read A in V s/m per ampere on a grid, one vector a voxel (on the fourth or fifth axis)."""
    image = read_volume(path)
    if image.values.ndim != 4 or image.values.shape[3] != 3:
        raise InputError(
            "expected a vector image of shape (nx, ny, nz, 3) or (nx, ny, nz, 1, 3), got "
            f"{image.values.shape}: {path}"
        )
    with np.errstate(invalid="ignore"):  # a NaN that signals; it is told below
        values = image.values.astype(np.float64)
    try:
        grid = SampledPotential(values=values, affine=image.affine, pose=TURN)
    except InputError as error:
        raise InputError(f"{error}: {path}") from error
    return Coil(name=path.name.partition(".nii")[0], sampled=(grid,))
