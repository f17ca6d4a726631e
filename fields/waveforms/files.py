"""Waveforms from tables: a column of times and one of values, with their units in the header."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np

from rheobase._errors import InputError, check_option
from rheobase.fields.waveforms.waveform import LARGEST, Waveform

MOST_BYTES = 500_000_000
TIME = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
VALUE = {
    "1": (1.0, ""),
    "%": (0.01, ""),
    "A": (1.0, "A"),
    "mA": (1e-3, "A"),
    "kA": (1e3, "A"),
    "A/s": (1.0, "A/s"),
    "A/us": (1e6, "A/s"),
    "kA/s": (1e3, "A/s"),
    "V": (1.0, "V"),
    "mV": (1e-3, "V"),
    "kV": (1e3, "V"),
    "V/m": (1.0, "V/m"),
}
_UNIT = re.compile(r"^\s*(.*?)\s*[\(\[]\s*([^()\[\]]*?)\s*[\)\]]\s*$")  # name (unit), name [unit]


def read_waveform(
    path: Path | str,
    *,
    column: str | None = None,
    time_unit: str | None = None,
    value_unit: str | None = None,
    pulse: bool = True,
) -> Waveform:
    """Read a waveform from a table of comma- or tab-separated columns.

    Parameters
    ----------
    path
        The file. Its first line names the columns with their units, "time (us), dI/dt (A/us)"; the
        times are the first column. Lines that start with "#" later on are left out.
    column
        Name of the column of values; the second one when None.
    time_unit, value_unit
        Units where the header has none: "s", "ms", "us", "ns"; "1", "%", "A", "mA", "kA", "A/s",
        "A/us", "kA/s", "V", "mV", "kV", "V/m".
    pulse
        Whether the table holds one whole pulse (`Waveform`).

    Returns
    -------
    Waveform
        1 at its largest absolute value; ``peak`` and ``unit`` say what that is in SI units.

    Raises
    ------
    InputError
        If the file is missing, empty or no table, a unit is missing or unknown, a value is not a
        finite number, or times do not rise.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected a table of a waveform, found none: {path}")
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"expected a file of at most {MOST_BYTES:,} bytes: {path}")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read a table: {error}: {path}") from error
    numbered = [(n, s) for n, s in enumerate(lines, 1) if s.strip()]
    if not numbered:
        raise InputError(f"expected a header and two or more samples, got an empty file: {path}")
    separator = "\t" if "\t" in numbered[0][1] else ","
    names, units = [], []
    for cell in next(csv.reader([numbered[0][1].lstrip("# ")], delimiter=separator)):
        match = _UNIT.match(cell)
        names.append(match[1] if match else cell.strip())
        units.append(match[2] if match else "")
    if len(names) < 2 or all(_is_number(n) for n in names):
        raise InputError(
            "expected a header such as 'time (us), current (A)', got "
            f"{numbered[0][1][:60]!r}: line {numbered[0][0]} of {path}"
        )
    chosen = 1
    if column is not None:
        chosen = 1 + names[1:].index(check_option("column", column, names[1:], where=str(path)))
    seconds = TIME[_unit(names[0], units[0], time_unit, TIME, path)]
    scale, unit = VALUE[_unit(names[chosen], units[chosen], value_unit, VALUE, path)]
    rows = [(n, s) for n, s in numbered[1:] if not s.startswith("#")]
    samples = np.empty((len(rows), 2))
    for k, (n, text) in enumerate(rows):
        cells = text.split(separator)
        try:
            samples[k] = seconds * float(cells[0]), scale * float(cells[chosen])
        except (ValueError, IndexError):
            samples[k] = np.nan
        if not (np.abs(samples[k]) < LARGEST).all():
            raise InputError(
                f"expected a finite time and {names[chosen]!r}, got {text[:60]!r}: line {n} of "
                f"{path}"
            )
    if len(rows) < 2:
        raise InputError(f"expected two or more samples, got {len(rows)}: {path}")
    t, w = samples.T.copy()
    falls = np.flatnonzero(np.diff(t) <= 0)
    if len(falls):
        raise InputError(
            f"times must rise, got {t[falls[0] + 1] / seconds:g} after {t[falls[0]] / seconds:g}: "
            f"line {rows[falls[0] + 1][0]} of {path}"
        )
    peak = float(np.abs(w).max())
    if not peak > 0:
        raise InputError(f"expected a waveform that is not 0 throughout: {path}")
    return Waveform(name=path.stem, t=t, w=w / peak, pulse=pulse, peak=peak, unit=unit)


def _unit(
    name: str,
    found: str,
    told: str | None,
    known: dict[str, float] | dict[str, tuple[float, str]],
    path: Path,
) -> str:
    """Return the unit of a column, from its header or as told."""
    unit = (found or told or "").replace("µ", "u").replace("μ", "u")
    if not unit:
        raise InputError(
            f"expected a unit in the header of column {name!r}, such as '{name} "
            f"({next(iter(known))})': {path}"
        )
    return check_option("unit", unit, known, where=f"column {name!r} of {path}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
