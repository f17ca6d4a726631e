"""JSON Schema of study files: what runs is valid, what is refused for its keys is not."""

import json
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from rheobase.kinds import KINDS, named, shipped_studies
from rheobase.schema import FILES, every_schema, split_unit, study_schema
from rheobase.schema_text import schema_markdown

jsonschema = pytest.importorskip("jsonschema")
STUDIES = {**shipped_studies(), "dose": Path(__file__).parents[2] / "examples/dose_dlpfc.toml"}


@cache
def schema_of(kind: str) -> dict[str, Any]:
    return study_schema(kind)


@pytest.fixture(scope="module")
def every() -> Any:
    schema = json.loads(json.dumps(every_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", STUDIES)
def test_shipped_studies_are_valid(name: str, every: Any) -> None:
    table = tomllib.loads(STUDIES[name].read_text(encoding="utf-8"))
    assert list(every.iter_errors(table)) == []
    kind = next(k for k in KINDS.values() if k.key and k.key in table)
    assert list(jsonschema.Draft202012Validator(schema_of(kind.name)).iter_errors(table)) == []


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("tms_motor", ("device", "handel_angle_deg"), 45.0),
        ("tms_motor", ("cells", "types"), ["L5_pyramid"]),
        ("tms_motor", ("head", "name"), "mni125"),
        ("tms_motor", ("cells", "placements"), 0),
        ("stn", ("resolution",), 9.0),
        ("stn", ("leads", 0, "model"), "Medtronic 3398"),
        ("parkinson", ("plant", "kind"), "stn"),
        ("hippocampus", ("correction",), "all"),
    ],
)
def test_wrong_keys_and_values_are_marked(
    name: str, place: tuple[Any, ...], value: Any, every: Any
) -> None:
    table = tomllib.loads(STUDIES[name].read_text(encoding="utf-8"))
    inner = table
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    assert list(every.iter_errors(table)) != []


def test_short_forms_are_valid(every: Any) -> None:
    table = tomllib.loads(STUDIES["tms_motor"].read_text(encoding="utf-8"))
    table["device"] |= {"waveform": "pulse.csv", "coil": "mine.tcd", "position": "Cz"}
    assert list(every.iter_errors(table)) == []
    pads = tomllib.loads(STUDIES["tdcs_motor"].read_text(encoding="utf-8"))
    pads["device"]["electrodes"][0]["layers"] = ["gel", {"name": "mud", "thickness_mm": 2.0}]
    assert list(every.iter_errors(pads)) == []


def test_every_key_is_told_with_its_unit() -> None:
    for kind in FILES:
        for name, table in schema_of(kind)["$defs"].items():
            for key, what in table.get("properties", {}).items():
                assert what["description"], (name, key)
                assert {"type": "null"} not in what.get("anyOf", []), (name, key)
    tms = schema_of("field")["$defs"]["TMS"]["properties"]
    assert tms["handle_angle_deg"]["description"] == "Handle: 0 points backwards, 90 sideways (°)"
    assert schema_of("field")["$defs"]["Cells"]["description"].startswith("[cells]: which cells")
    known = tomllib.loads((files("rheobase") / "data/schema/keys.toml").read_text())
    tables = {n: t for k in FILES for n, t in schema_of(k)["$defs"].items()}
    tables |= {named(FILES[k][2]).__name__: schema_of(k) for k in FILES}
    for name, keys in known.items():
        used = {k for t in tables.values() for k in t.get("properties", ())}
        own = used if name == "all" else set(tables[name]["properties"])
        assert set(keys) <= own, f"keys.toml tells keys of {name} that there are not"
    assert split_unit("threshold_V_per_m2") == ("threshold", "V/m²")
    assert split_unit("Ti_s") == ("Ti", "s")


@pytest.mark.parametrize("kind", FILES)
def test_the_documentation_has_every_key(kind: str) -> None:
    page = Path(__file__).parents[2] / "docs/study_keys.md"
    assert schema_markdown(kind) in page.read_text(encoding="utf-8"), (
        f"docs/study_keys.md is old: rheobase schema {kind} --markdown"
    )
