"""A user's own tissues and values, laid over the shipped ones.

A table is a CSV file with the columns ``tissue, property, value`` (and, where wanted, ``low, high,
distribution, unit, source, status, remark, label``), a TOML file or a mapping
``{tissue: {property: number or {"value": …, "low": …, …}, "label": …}}``. It may be partial. A
tissue that is not shipped needs a label of its own. Units are those of
``data/tissue_quantities.csv``; a unit that is given must be that one.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rheobase._errors import InputError, check_option
from rheobase.meshes.head import Head
from rheobase.meshes.tissues import Tissue, kinds, load_tissues

#: A path (CSV or TOML), a mapping, or None for the shipped tissues alone.
Source = Path | str | Mapping[str, Mapping[str, Any]] | None

NUMBERS = ("value", "low", "high")
WORDS = ("distribution", "unit", "source", "status", "remark")
COLUMNS = ("tissue", "property", *NUMBERS, *WORDS, "label")


@dataclass(frozen=True, slots=True, kw_only=True)
class TissueTable:
    """Tissues to work with, and what was changed in them.

    Parameters
    ----------
    tissues
        All tissues by name, shipped and own.
    changed
        What the user gave, {tissue: {property: value}}, for the provenance.
    notes
        Sentences on values that are unusual, by tissue.
    """

    tissues: Mapping[str, Tissue]
    changed: Mapping[str, Mapping[str, float]]
    notes: Mapping[str, tuple[str, ...]]


def tissue_table(source: Source = None) -> TissueTable:
    """Return the shipped tissues with ``source`` laid over them.

    Raises
    ------
    InputError
        If the file cannot be read, or a name, unit, number or label makes no sense; the sentence
        names the place.

    Examples
    --------
    >>> table = tissue_table({"grey_matter": {"conductivity": 0.33}})
    >>> table.tissues["grey_matter"].sigma
    0.33
    """
    if source is None:
        return TissueTable(tissues=load_tissues(), changed={}, notes={})
    if isinstance(source, Mapping):
        return _laid_over(source, "tissues", {})
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the tissue table {path}: {error}") from None
    if path.suffix == ".toml":
        try:
            return _laid_over(tomllib.loads(text), str(path), {})
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{path} is no valid TOML: {error}") from None
    return _laid_over(*_from_csv(text, path))


def with_tissues(head: Head, table: TissueTable) -> Head:
    """Return ``head`` with the values of a table, by the names of its tissues.

    The mesh stays the same object. The provenance tells what was changed.
    """
    if not table.changed:
        return head
    tissues = {label: _merged(t, table) for label, t in head.tissues.items()}
    names = {t.name for t in tissues.values()}
    used = [name for name in table.changed if name in names]
    unused = [name for name in table.changed if name not in names]
    notes = [note for name in used for note in table.notes.get(name, ())]
    if unused:
        notes.append(f"the tissue table gives {', '.join(unused)}, which this head does not have")
    before = head.provenance.get("tissue table", {})
    record = {
        **head.provenance,
        "tissue table": {
            **before,
            **{name: {**before.get(name, {}), **table.changed[name]} for name in used},
        },
        "notes": [*head.provenance.get("notes", ()), *notes],
    }
    return replace(head, tissues=tissues, provenance=record)


def _merged(own: Tissue, table: TissueTable) -> Tissue:
    """Return the head's tissue with the changed properties only: a head may have its own values."""
    changed = table.changed.get(own.name)
    if changed is None:
        return own
    new = table.tissues[own.name].properties
    return replace(own, properties={**own.properties, **{k: new[k] for k in changed}})


def _from_csv(
    text: str, path: Path
) -> tuple[dict[str, dict[str, Any]], str, dict[tuple[str, str], str]]:
    """Return the mapping that a CSV text means, and the place of each value."""
    reader = csv.DictReader(text.splitlines())
    for column in reader.fieldnames or ():
        check_option("column", column, COLUMNS, where=str(path))
    table: dict[str, dict[str, Any]] = {}
    places: dict[tuple[str, str], str] = {}
    for number, row in enumerate(reader, start=2):
        place = f"{path}, line {number}"
        cells = {k: (v or "").strip() for k, v in row.items() if isinstance(v, str)}
        if len(row) != len(reader.fieldnames or ()) or not cells.get("tissue"):
            raise InputError(f"expected the columns {', '.join(COLUMNS[:3])}: {place}")
        entry = table.setdefault(cells["tissue"], {})
        if cells.get("label"):
            entry["label"] = cells["label"]
            places[cells["tissue"], "label"] = place
        name = cells.get("property", "")
        if not name and cells.get("label"):
            continue
        if name in entry:
            raise InputError(f"{name!r} of tissue {cells['tissue']!r} comes twice: {place}")
        entry[name] = {k: cells[k] for k in (*NUMBERS, *WORDS) if cells.get(k)}
        places[cells["tissue"], name] = place
    return table, str(path), places


def _laid_over(
    table: Mapping[str, Any], where: str, places: Mapping[tuple[str, str], str]
) -> TissueTable:
    shipped = load_tissues()
    tissues = dict(shipped)
    changed: dict[str, dict[str, float]] = {}
    notes: dict[str, tuple[str, ...]] = {}
    for name, entry in table.items():
        if not isinstance(entry, Mapping):
            raise InputError(f"expected a table of properties of tissue {name!r}: {where}")
        place = places.get((name, "label"), where)
        made = _named(name, entry.get("label"), tissues, place)
        for key, given in entry.items():
            if key == "label":
                continue
            place = places.get((name, key), where)
            check_option("property", key, kinds(), where=f"{place}, tissue {name!r}")
            fields = _fields(given, name, key, place)
            made = made.with_value(key, **fields)
            changed.setdefault(name, {})[key] = fields["value"]
            notes[name] = (*notes.get(name, ()), *_unusual(name, key, fields["value"], shipped))
        tissues[name] = made
        changed.setdefault(name, {})
    return TissueTable(tissues=tissues, changed=changed, notes=notes)


def _named(name: str, label: Any, tissues: Mapping[str, Tissue], place: str) -> Tissue:
    """Return the tissue to change, a new one if it has a name and a label of its own."""
    if name in tissues:
        if label is not None and str(label) != str(tissues[name].label):
            raise InputError(
                f"tissue {name!r} has the label {tissues[name].label}, got {label}: {place}"
            )
        return tissues[name]
    if label is None:
        check_option("tissue", name, tissues, where=f"{place}; a new tissue needs a label")
    try:
        number = int(str(label))
    except ValueError:
        number = 0
    if not 0 < number < 2**15:
        raise InputError(f"expected a label from 1 to 32767, got {label!r}: {place}")
    taken = {t.label: t.name for t in tissues.values()}
    if number in taken:
        raise InputError(f"label {number} is that of {taken[number]!r}: {place}")
    return Tissue(name=name, label=number, remark="a user's own")


def _fields(given: Any, name: str, key: str, place: str) -> dict[str, Any]:
    """Return the arguments of `Tissue.with_value` that a number or a table of fields means."""
    where = f"{key} of tissue {name!r}: {place}"
    fields = dict(given) if isinstance(given, Mapping) else {"value": given}
    for field in fields:
        check_option("field", field, (*NUMBERS, *WORDS), where=where)
    unit = fields.pop("unit", kinds()[key].unit)
    if unit != kinds()[key].unit:
        raise InputError(f"expected {kinds()[key].unit}, got {unit}, {where}")
    for number in NUMBERS:
        if number in fields or number == "value":
            try:
                if isinstance(fields[number], bool):
                    raise ValueError  # TOML's true is no number
                fields[number] = float(fields[number])
            except (KeyError, TypeError, ValueError):
                raise InputError(
                    f"expected a number, got {fields.get(number)!r}, {number} of {where}"
                ) from None
    return {"source": place, **fields}


def _unusual(name: str, key: str, value: float, shipped: Mapping[str, Tissue]) -> Iterator[str]:
    """Yield a sentence if ``value`` lies outside what is known to be plausible."""
    kind = kinds()[key]
    known = shipped[name].properties.get(key) if name in shipped else None
    low, high = kind.least, kind.most
    if known is not None and known.low is not None and known.high is not None:
        spread = 2 if known.distribution == "normal" else 0  # one standard deviation becomes three
        low = known.low - spread * (known.value - known.low)
        high = known.high + spread * (known.high - known.value)
    if not low <= value <= high:
        yield (
            f"{key} of tissue {name!r} is {value:g} {kind.unit}, outside the plausible range "
            f"{low:g} to {high:g}"
        )
