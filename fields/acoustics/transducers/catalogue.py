"""The shipped transducers, ``data/transducers.csv``."""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import cache
from importlib.resources import as_file, files
from math import inf

from rheobase._errors import check_option
from rheobase.fields.acoustics.transducers.files import read_array
from rheobase.fields.acoustics.transducers.transducer import Transducer, annular_array


def transducer_names() -> list[str]:
    """Return the names of the shipped transducers."""
    return list(_rows())


def transducer(name: str) -> Transducer:
    """Return a shipped transducer in its beam frame.

    Where its numbers come from, how sure they are and what to know of them is part of it
    (``reference``, ``status``, ``notes``).

    Parameters
    ----------
    name
        One of `transducer_names`.

    Raises
    ------
    InputError
        If the name is not known.

    Examples
    --------
    >>> bowl = transducer("itrusst-sc1")
    >>> bowl.n_elements, bowl.frequency, round(1e3 * bowl.curvature_radius, 6)
    (1, 500000.0, 64.0)
    """
    row = _rows()[check_option("transducer", name, _rows())]
    radius = 1e-3 * float(row["curvature_radius_mm"]) if row["curvature_radius_mm"] else inf
    frequency = 1e3 * float(row["frequency_kHz"])
    if row["kind"] == "file":
        with as_file(files("rheobase.fields").joinpath("data/arrays", row["file"])) as path:
            one = read_array(
                path,
                element_diameter=1e-3 * float(row["element_mm"]),
                frequency=frequency,
                curvature_radius=radius,
                unit=row["unit"],
                name=name,
            )
    else:
        inner, outer = (
            [1e-3 * float(v) for v in row[key].split(";")] for key in ("inner_mm", "outer_mm")
        )
        one = annular_array(
            inner=inner, outer=outer, frequency=frequency, curvature_radius=radius, name=name
        )
    if row["remark"]:
        one = one.with_notes(row["remark"])
    return replace(one, reference=row["source"], status=row["status"])


@cache
def _rows() -> dict[str, dict[str, str]]:
    """Return the rows of the table by name."""
    text = files("rheobase.fields").joinpath("data/transducers.csv").read_text(encoding="utf-8")
    return {row["name"]: row for row in csv.DictReader(text.splitlines())}
