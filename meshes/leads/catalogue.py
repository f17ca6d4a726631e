"""Leads by name, from ``data/leads.csv``, and leads made of a few lengths."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from rheobase._errors import InputError, check_option, check_positive
from rheobase.meshes.leads.model import Contact, LeadModel

#: Keys of `custom_lead` that a record of ``data/leads.csv`` gives.
LENGTHS = ("contact_mm", "diameter_mm", "tip_mm", "tip_contact_mm", "marker_mm")
GEOMETRY = (*LENGTHS, "layout", "gaps_mm", "segment_deg", "clockwise")
MOST_CONTACTS = 256
ROWS = re.compile(r"(?:(\d+)x)?(\d+)")


@cache
def _records() -> dict[str, dict[str, str]]:
    text = files("rheobase.meshes").joinpath("data/leads.csv").read_text(encoding="utf-8")
    return {row["name"]: row for row in csv.DictReader(text.splitlines())}


def lead_names() -> tuple[str, ...]:
    """Return the names of the leads on file, those without a geometry among them."""
    return tuple(_records())


def lead_record(name: str) -> Mapping[str, str]:
    """Return the row of ``data/leads.csv`` of a lead as text.

    Raises
    ------
    InputError
        If there is none, with the nearest names.
    """
    return _records()[check_option("lead", name, _records())]


def lead_model(name: str, **changed: Any) -> LeadModel:
    """Return a lead by its name.

    Parameters
    ----------
    name
        Of `lead_names`.
    **changed
        What is otherwise than on file, by the keys of `custom_lead`: the value of another source
        where sources disagree, or what the file lacks.

    Raises
    ------
    InputError
        If there is no such lead, or what is needed for its geometry is missing.

    Examples
    --------
    >>> lead_model("Medtronic 3389").names
    ('1', '2', '3', '4')
    >>> lead_model("AdTech RDxxR-SP03X", layout="1x8").names[-1]
    '8'
    """
    row = lead_record(name)
    for key in changed:
        check_option("length of a lead", key, GEOMETRY, where=f"lead {name!r}")
    if row["form"] != "round":
        raise InputError(
            f"expected a round lead of one diameter, lead {name!r} is {row['form']} "
            f"({row['remark']})"
        )
    given: dict[str, Any] = {k: float(row[k]) for k in LENGTHS if row[k]}
    if row["marker_mm"] and row["marker_length_mm"]:
        low = float(row["marker_mm"])
        given["marker_mm"] = (low, low + float(row["marker_length_mm"]))
    else:
        given.pop("marker_mm", None)
    if row["gaps_mm"]:
        given["gaps_mm"] = [float(g) for g in row["gaps_mm"].split(";")]
    if row["layout"]:
        given["layout"] = row["layout"]
    if row["segment_deg"]:
        given["segment_deg"] = float(row["segment_deg"])
    given["clockwise"] = row["clockwise"] == "yes"
    given |= changed
    missing = [k for k in ("layout", "diameter_mm") if k not in given]
    if missing:
        raise InputError(
            f"expected {' and '.join(missing)} for lead {name!r}, the file has none "
            f"({row['remark'] or row['source']})"
        )
    notes = [row["disagreement"], row["remark"]]
    notes += [f"given otherwise than on file: {', '.join(changed)}"] if changed else []
    return custom_lead(
        name,
        **given,
        maker=row["maker"],
        source=row["source"],
        status=row["status"],
        notes=tuple(note for note in notes if note),
    )


def custom_lead(
    name: str,
    *,
    diameter_mm: float,
    layout: str,
    contact_mm: float | None = None,
    gaps_mm: float | Sequence[float] = (),
    tip_mm: float | None = None,
    tip_contact_mm: float | None = None,
    segment_deg: float = 90.0,
    clockwise: bool = True,
    marker_mm: Sequence[float] | None = None,
    maker: str = "",
    source: str = "given with the call",
    status: str = "given",
    notes: Sequence[str] = (),
) -> LeadModel:
    """Return a lead of these lengths.

    Parameters
    ----------
    name
        Name.
    diameter_mm
        Diameter.
    layout
        Rows from the tip upwards, with "-" between: "tip" for a contact that covers the tip, 1 for
        a ring, 3 for three segments, "3x5" for five rows of three.
    contact_mm
        Length of rings and segments.
    gaps_mm
        Insulation between rows, from the tip; the last one is that of all further ones.
    tip_mm
        From the outermost point of the tip to the first contact, where the tip is none.
    tip_contact_mm
        Length of the contact that covers the tip, the half ball included.
    segment_deg
        Width of a segment.
    clockwise
        Whether segments are numbered clockwise, seen from above. The first of each row faces the
        marker.
    marker_mm
        Where the marker begins and ends, from the tip.
    maker, source, status, notes
        As in `LeadModel`.

    Raises
    ------
    InputError
        If a length is missing or makes no sense.

    Examples
    --------
    >>> custom_lead("mine", diameter_mm=0.8, layout="tip-1x2", contact_mm=2, gaps_mm=1.5,
    ...             tip_contact_mm=2).contact(3).z
    (0.007, 0.009)
    """
    where = f"lead {name!r}"
    check_positive(f"diameter_mm of {where}", diameter_mm)
    check_positive(f"segment_deg of {where}", segment_deg)
    counts = _rows(layout, where)
    tip = counts[0] == 0
    needed = {"tip_contact_mm" if tip else "tip_mm": tip_contact_mm if tip else tip_mm}
    if any(counts):
        needed["contact_mm"] = contact_mm
    for key, value in needed.items():
        if value is None:
            raise InputError(f"expected {key} for the layout {layout!r}, got none: {where}")
        check_positive(f"{key} of {where}", value)
    gaps = _numbers("gaps_mm", gaps_mm, where)
    n_gaps = len(counts) - 1
    if len(gaps) > n_gaps or (n_gaps and not gaps):
        raise InputError(
            f"expected {'1 to ' if n_gaps else ''}{n_gaps} gaps (mm) for the layout {layout!r}, "
            f"got {len(gaps)}: {where}"
        )
    for gap in gaps:
        check_positive(f"each of gaps_mm of {where}", gap)
    gaps += gaps[-1:] * (n_gaps - len(gaps))
    marker = None
    if marker_mm is not None:
        low, high = (_numbers("marker_mm", marker_mm, where) + [np.nan] * 2)[:2]
        if not 0 <= low < high:
            raise InputError(
                f"expected marker_mm as where it begins and ends, got {marker_mm!r}: {where}"
            )
        marker = (_metres(low), _metres(high))
    width = np.deg2rad(segment_deg)
    contacts: list[Contact] = []
    z = 0.0 if tip else float(tip_mm or 0.0)
    for n, gap in zip(counts, [*gaps, 0.0], strict=True):
        length = float((contact_mm if n else tip_contact_mm) or 0.0)
        span = (_metres(z), _metres(z + length))
        for k in range(max(n, 1)):
            angle = (-2.0 if clockwise else 2.0) * np.pi * k / max(n, 1)
            contacts.append(
                Contact(
                    name=str(len(contacts) + 1),
                    z=span,
                    theta=(angle - 0.5 * width, angle + 0.5 * width) if n > 1 else None,
                    tip=n == 0,
                )
            )
        z += length + gap
    return LeadModel(
        name=name,
        maker=maker,
        diameter=_metres(diameter_mm),
        contacts=tuple(contacts),
        marker=marker,
        source=source,
        status=status,
        notes=tuple(notes),
    )


def _metres(mm: float) -> float:
    """Return millimetres in metres, free of the sum's rounding (to a femtometre)."""
    return round(float(mm) * 1e-3, 15)


def _numbers(key: str, given: Any, where: str) -> list[float]:
    """Return one number or several as a list."""
    try:
        numbers: list[float] = np.atleast_1d(np.asarray(given, dtype=np.float64)).tolist()
    except (TypeError, ValueError):
        numbers = [np.nan]
    if not np.isfinite(numbers).all():
        raise InputError(f"expected numbers for {key}, got {given!r}: {where}")
    return numbers


def _rows(layout: str, where: str) -> list[int]:
    """Return the number of contacts in each row, 0 for one that covers the tip."""
    if not isinstance(layout, str):
        raise InputError(f"expected a layout such as '1x4', got {layout!r}: {where}")
    counts: list[int] = []
    for n, part in enumerate(layout.split("-")):
        found = ROWS.fullmatch(part.strip())
        if part.strip() == "tip" and n == 0:
            counts.append(0)
        elif found:
            each, times = (found[1], found[2]) if found[1] else (found[2], "1")
            if not 1 <= int(each) <= 8 or not 1 <= int(times) <= MOST_CONTACTS:
                raise InputError(
                    f"expected 1 to 8 contacts in a row and at most {MOST_CONTACTS} rows, got "
                    f"{part!r}: layout of {where}"
                )
            counts += [int(each)] * int(times)
        else:
            raise InputError(
                f"expected rows such as 'tip', '1', '3' or '3x5' with '-' between them, got "
                f"{layout!r}: layout of {where}"
            )
    return counts
