"""Arrays from tables of element positions, as their makers give them.

A table has one element a row, separated by commas, tabs or spaces, with or without a line of names.
Named columns x, y and z are taken wherever they stand; without names the first three, or those
after a running number; two columns are an angle (degrees) and a distance from the axis. Units, the
sphere, its middle and the direction of the beam are found from the positions, and told in the
transducer's notes.
"""

from __future__ import annotations

from math import inf, isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option, check_positive
from rheobase.fields.acoustics.transducers.arrays import (
    element_array,
    fit_sphere,
    nearest_pair,
    to_beam_frame,
)
from rheobase.fields.acoustics.transducers.transducer import Transducer

Floats = NDArray[np.float64]
UNITS = {"m": 1.0, "mm": 1e-3, "cm": 1e-2, "in": 0.0254}
MOST_M, LEAST_MM = 0.5, 12.0  # a radius in metres is smaller, one in millimetres larger
OFF_SPHERE = 5e-3  # of the radius: elements further off lie on no sphere


def read_array(
    path: Path | str,
    *,
    element_diameter: float,
    frequency: float,
    curvature_radius: float | None = None,
    unit: str | None = None,
    name: str | None = None,
) -> Transducer:
    """Read an array from a table of the positions of its elements.

    Parameters
    ----------
    path
        The table.
    element_diameter
        Diameter of the round elements (m).
    frequency
        Frequency (Hz).
    curvature_radius
        Radius of the sphere (m); needed for a table of angles and distances, else a check.
    unit
        "m", "mm", "cm" or "in"; found from the size by default.
    name
        Name; that of the file by default.

    Returns
    -------
    Transducer
        In the beam frame; the notes say what was read and how it was turned.

    Raises
    ------
    InputError
        If the file is no such table, its unit is not clear, the elements lie on no sphere or plane,
        on another sphere than ``curvature_radius``, or overlap.
    """
    path = Path(path)
    if unit is not None:
        check_option("unit", unit, UNITS, where=str(path))
    check_positive(f"element diameter (m): {path}", element_diameter)
    numbers, columns = _table(path)
    if numbers.shape[1] == 2:
        points, unit, read = _polar(numbers, curvature_radius, unit or "mm", path)
    else:
        points, unit, read = _cartesian(numbers, element_diameter, unit, columns, path)
    centre, radius, departure = fit_sphere(points)
    if isfinite(radius) and departure > OFF_SPHERE * radius:
        raise InputError(
            f"expected elements on a sphere or a plane, the best sphere ({1e3 * radius:.1f} mm) "
            f"is up to {1e3 * departure:.2f} mm off: {path}"
        )
    if curvature_radius is not None and not abs(radius / curvature_radius - 1) < 0.01:
        raise InputError(
            f"expected elements on a sphere of {1e3 * curvature_radius:g} mm, they lie on one of "
            f"{1e3 * radius:.2f} mm: {path}"
        )
    positions, normals, axis = to_beam_frame(points, centre, radius)
    surface = f"a sphere of {1e3 * radius:.2f} mm" if isfinite(radius) else "a plane"
    note = (
        f"{len(points)} elements read from {path.name} ({read}, unit {unit}) on {surface}, at "
        f"least {1e3 * nearest_pair(points):.2f} mm apart; the file's beam axis "
        f"({', '.join(f'{v + 0.0:.3g}' for v in axis)}) was turned to z"
    )
    array = element_array(
        positions,
        normals,
        diameter=element_diameter,
        frequency=frequency,
        curvature_radius=radius,
        name=name or path.stem,
    )
    return array.with_notes(note)


def _table(path: Path) -> tuple[Floats, list[str]]:
    """Return the numbers of a table, shape (n, n_columns), and the names of its columns."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read a table of elements: {error}: {path}") from error
    lines = [(n, s) for n, s in enumerate(text.splitlines(), 1) if s.strip()]
    if not lines:
        raise InputError(f"expected a table of elements, found nothing: {path}")
    mark = "," if "," in lines[0][1] else None
    names = [s.strip() for s in lines[0][1].split(mark)]
    try:
        [float(s) for s in names]
        names = []
    except ValueError:
        lines = lines[1:]
    rows: list[list[float]] = []
    for n, line in lines:
        try:
            row = [float(s) for s in line.split(mark)]
        except ValueError:
            row = []
        if not row or not np.isfinite(row).all() or (rows and len(row) != len(rows[0])):
            raise InputError(
                f"expected as many finite numbers in every row, got {line[:60]!r}: "
                f"line {n} of {path}"
            )
        rows.append(row)
    if len(rows) < 4 or len(rows[0]) < 2:
        raise InputError(
            f"expected at least 4 elements of 2 or more numbers, got {len(rows)}: {path}"
        )
    return np.array(rows), names


def _cartesian(
    numbers: Floats, diameter: float, unit: str | None, names: list[str], path: Path
) -> tuple[Floats, str, str]:
    """Return positions (m), their unit and the columns they come from."""
    found = [s.casefold() for s in names]
    if found:
        missing = [c for c in "xyz" if c not in found]
        if missing:
            raise InputError(
                f"expected columns x, y and z, found {', '.join(names)}: line 1 of {path}"
            )
        columns, read = [found.index(c) for c in "xyz"], "columns x, y, z"
    else:
        first = numbers[:, 0]
        counted = numbers.shape[1] > 3 and np.array_equal(np.diff(first), np.ones(len(first) - 1))
        columns = [1, 2, 3] if counted else [0, 1, 2]
        read = f"columns {columns[0] + 1} to {columns[2] + 1}"
    points = numbers[:, columns]
    if unit is None:
        unit = _unit(points, diameter, path)
    return points * UNITS[unit], unit, read


def _unit(points: Floats, diameter: float, path: Path) -> str:
    """Return the unit in which the positions make an array."""
    _, radius, _ = fit_sphere(points)
    size = radius if isfinite(radius) else float(np.ptp(points, axis=0).max())
    if size < MOST_M:
        return "m"
    if size > LEAST_MM:
        return "mm"
    gap = nearest_pair(points)
    fits = [u for u in ("cm", "in") if gap * UNITS[u] >= diameter * (1 - 1e-9)]
    if len(fits) != 1:
        raise InputError(
            f"expected a unit (m, mm, cm or in): a size of {size:.3g} is not clear, and elements "
            f"of {1e3 * diameter:g} mm fit "
            + (" and ".join(fits) if fits else "neither cm nor in")
            + f": {path}"
        )
    return fits[0]


def _polar(numbers: Floats, radius: float | None, unit: str, path: Path) -> tuple[Floats, str, str]:
    """Return positions (m) from angles about the axis and distances from it."""
    if radius is None:
        raise InputError(
            f"a table of angles and distances needs a radius of curvature (m, or inf): {path}"
        )
    angle, distance = np.deg2rad(numbers[:, 0]), numbers[:, 1] * UNITS[unit]
    if not (distance < radius).all():
        raise InputError(
            f"expected distances from the axis below {1e3 * radius:g} mm, got "
            f"{1e3 * distance.max():.1f}: {path}"
        )
    height = radius - np.sqrt(radius**2 - distance**2) if radius < inf else 0 * distance
    points = np.stack([distance * np.cos(angle), distance * np.sin(angle), height], axis=1)
    return points, unit, "angles in degrees and distances from the axis"
