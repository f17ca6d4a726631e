"""JSON Schema of study files, for editors: which keys there are, their units, values, defaults."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from rheobase._errors import check_option
from rheobase.kinds import KINDS, named

#: Files that there are schemas for: the table that tells them, what they are, their model.
FILES = {k.name: (k.key, k.what, k.model) for k in KINDS.values() if k.key} | {
    "sweep": ("study", "a study over many settings, heads and species", "tables.sweep:SweepStudy")
}
DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: Units as key names write them, longest first where one ends another.
UNITS = {
    "W_per_m2K": "W/(m² K)",
    "W_per_cm2": "W/cm²",
    "V_per_m2": "V/m²",
    "V_per_m": "V/m",
    "S_per_m": "S/m",
    "A_per_us": "A/µs",
    **{u: u for u in ("mm", "nm", "mA", "mV", "kPa", "kHz", "Hz", "ms", "s", "HU")},
    "um": "µm",
    "uA": "µA",
    "uV": "µV",
    "us": "µs",
    "uF": "µF",
    "uH": "µH",
    "mOhm": "mΩ",
    "ohm": "Ω",
    "deg": "°",
    "C": "°C",
    "percent": "%",
}
_UNIT = re.compile(rf"^(.+?)_({'|'.join(UNITS)})$")


def split_unit(key: str) -> tuple[str, str]:
    """Return what a key says in words, and its unit ("" without one).

    Examples
    --------
    >>> split_unit("intensity_A_per_us"), split_unit("field_in")
    (('intensity', 'A/µs'), ('field in', ''))
    """
    found = _UNIT.match(key)
    words, unit = (found.group(1), UNITS[found.group(2)]) if found else (key, "")
    return words.replace("_", " ").replace("mni", "MNI"), unit


def study_schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of the files of a kind of study.

    Tables are told by their docstrings, keys by ``data/schema/keys.toml`` and the units of their
    names; names that come with the package are listed.

    Parameters
    ----------
    kind
        One of `FILES`.

    Raises
    ------
    InputError
        If there is no such kind.

    Examples
    --------
    >>> study_schema("field")["properties"]["title"]["type"]
    'string'
    """
    _, what_for, target = FILES[check_option("kind of study", kind, FILES)]
    model = named(target)
    schema: dict[str, Any] = model.model_json_schema()
    definitions = schema.get("$defs", {})
    for name, table in {"": schema, **definitions}.items():
        if "properties" not in table:
            continue
        table["description"] = _plain(table.get("description", ""))
        for key, what in table["properties"].items():
            _tell(name or model.__name__, key, what)
            if (name, key) in ONLY:
                _list(what, ONLY[name, key](), only=True)
            elif (name, key) in KNOWN:
                _list(what, KNOWN[name, key](), only=False)
    return {
        "$schema": DIALECT,
        **schema,
        "title": f"rheobase {kind} study",
        "description": f"A file of rheobase: {what_for}.",
    }


def every_schema() -> dict[str, Any]:
    """Return one JSON Schema for all kinds: which one a file is, its telling table says."""
    definitions: dict[str, Any] = {}
    choice: dict[str, Any] = {}
    for kind, (key, _, _) in reversed(FILES.items()):  # a file is of the first whose table it has
        schema = study_schema(kind)
        own = schema.pop("$defs", {})
        del schema["$schema"]
        prefix = f"{kind}."
        definitions |= {prefix + name: _prefixed(table, prefix) for name, table in own.items()}
        definitions[kind] = _prefixed(schema, prefix)
        one = {"$ref": f"#/$defs/{kind}"}
        choice = {"if": {"required": [key]}, "then": one} | (
            {"else": choice} if choice else {"else": {"required": [key]}}
        )
    return {"$schema": DIALECT, "title": "rheobase study", "$defs": definitions, **choice}


def _prefixed(value: Any, prefix: str) -> Any:
    """Return a schema whose references go to definitions with a prefix."""
    if isinstance(value, list):
        return [_prefixed(v, prefix) for v in value]
    if not isinstance(value, dict):
        return value
    return {
        k: v.replace("#/$defs/", f"#/$defs/{prefix}")
        if k == "$ref" or (isinstance(v, str) and v.startswith("#/$defs/"))
        else _prefixed(v, prefix)
        for k, v in value.items()
    }


def _plain(docstring: str) -> str:
    """Return a docstring as a paragraph without marks."""
    return " ".join(docstring.replace("``", "").split())


@cache
def _told() -> dict[str, dict[str, str]]:
    """Return what keys mean, by table; those of "all" are told in every table."""
    text = files("rheobase").joinpath("data/schema/keys.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _tell(table: str, key: str, what: dict[str, Any]) -> None:
    """Put meaning and unit of a key into its schema."""
    words, unit = split_unit(key)
    known = _told().get(table, {}).get(key) or _told()["all"].get(key)
    text = known or words[:1].upper() + words[1:]
    what["title"] = key
    what["description"] = text + (f" ({unit})" if unit else "")
    if what.get("default", ...) is None:  # TOML has no null: the key is left out
        del what["default"]
        others = [one for one in what.pop("anyOf", []) if one != {"type": "null"}]
        what.update(others[0] if len(others) == 1 else {"anyOf": others} if others else {})


def _list(what: dict[str, Any], names: Iterable[str], *, only: bool) -> None:
    """Offer names where a text may stand: only these, or beside what else may stand there."""
    listed = {"type": "string", "enum": list(names)}
    if "items" in what:
        what["items"] = listed
    elif only:
        what.update(listed)
    else:
        others = what.pop("anyOf", [{"type": what.pop("type", "string")}])
        what["anyOf"] = [listed, *others]


def _heads() -> Iterable[str]:
    from rheobase.meshes.heads import BUILT_IN

    return BUILT_IN


def _coils() -> Iterable[str]:
    from rheobase.fields.coils.windings import load_windings

    return load_windings()


def _pulses() -> Iterable[str]:
    from rheobase.fields.waveforms.pulses import load_pulses

    return load_pulses()


def _layers() -> Iterable[str]:
    from rheobase.fields.electrodes.electrode import layer_names

    return layer_names()


def _cells() -> Iterable[str]:
    from rheobase.neurons.generate import cell_types

    return cell_types()


def _leads() -> Iterable[str]:
    from rheobase.meshes.leads.catalogue import lead_names

    return [*lead_names(), "custom"]


def _targets() -> Iterable[str]:
    from rheobase.tables.target import known_targets

    return known_targets()


def _transducers() -> Iterable[str]:
    from rheobase.fields.acoustics.transducers.catalogue import transducer_names

    return transducer_names()


def _positions() -> Iterable[str]:
    from rheobase.meshes.placing.positions import TEN_TEN

    return TEN_TEN


#: Texts that must be one of the names that come with the package, by table and key.
ONLY: dict[tuple[str, str], Callable[[], Iterable[str]]] = {
    ("HeadTable", "name"): _heads,
    ("WaveformTable", "name"): _pulses,
    ("Cells", "types"): _cells,
    ("PlacedTable", "types"): _cells,
    ("CellsTable", "type"): _cells,
    ("LeadTable", "model"): _leads,
    ("LeadTable", "target"): _targets,
    ("DeepRegionTable", "target"): _targets,
    ("TransducerTable", "name"): _transducers,
}
#: Texts that may be such a name, or something else: a file, a name of one's own.
KNOWN: dict[tuple[str, str], Callable[[], Iterable[str]]] = {
    ("TMS", "coil"): _coils,
    ("OptimiseTMS", "coil"): _coils,
    ("LayerTable", "name"): _layers,
    ("TargetTable", "name"): _targets,
    **{
        (table, key): _positions
        for table in ("TMS", "Turned", "Electrode", "TargetTable")
        for key in ("position", "towards", "handle_towards")
    },
}
