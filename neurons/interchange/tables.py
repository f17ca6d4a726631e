"""The type tables of SONATA: fields between spaces, quoted where they hold one, NULL for none."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from rheobase._errors import InputError
from rheobase._files import whole_file

NULL = "NULL"


def write_table(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write ``rows``, all with the same columns."""
    with (
        whole_file(path) as part,
        part.open("w", encoding="ascii", newline="") as file,
    ):
        table = csv.DictWriter(file, list(rows[0]), delimiter=" ", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def read_table(path: Path, key: str) -> dict[int, dict[str, str]]:
    """Return the rows of ``path`` by their integer ``key``, without the fields that are NULL.

    Raises
    ------
    InputError
        If there is no such file, a row has not as many fields as the first line, or the column
        ``key`` is not there or not an integer.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = [row for row in csv.reader(file, delimiter=" ", skipinitialspace=True) if row]
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"not a table of SONATA: {path}: {error}") from error
    rows = {}
    for number, line in enumerate(lines[1:], start=2):
        try:
            row = dict(zip(lines[0], line, strict=True))
            rows[int(row[key])] = {k: v for k, v in row.items() if v not in {NULL, "NONE", ""}}
        except (ValueError, KeyError) as error:
            raise InputError(
                f"row {number} must have the {len(lines[0])} fields of the first line, "
                f"{key!r} an integer among them: {path}"
            ) from error
    return rows
