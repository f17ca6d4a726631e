"""The keys of study files as Markdown, from their JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rheobase.schema import study_schema

LISTED = 12  # more values than that are not all told


def schema_markdown(kind: str) -> str:
    """Return the tables and keys of a kind of study as Markdown.

    Parameters
    ----------
    kind
        One of `rheobase.schema.FILES`.

    Raises
    ------
    InputError
        If there is no such kind.
    """
    schema = study_schema(kind)
    parts = [_rows("top of the file", "", schema)]
    seen: set[str] = set()
    parts += [
        _rows(title, table.get("description", ""), table)
        for title, table in _tables(schema, schema["$defs"], "", seen)
    ]
    return "\n\n".join(parts) + "\n"


def _tables(
    table: dict[str, Any], definitions: dict[str, Any], above: str, seen: set[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield title and schema of the tables below one, each the first time that it comes."""
    for key, what in table["properties"].items():
        place = f"{above}.{key}" if above else key
        for name, many in _names(what, many=False):
            if name in seen:
                continue
            seen.add(name)
            one = definitions[name]
            title = f"`[[{place}]]`" if many else f"`[{place}]`"
            yield title + _which(one), one
            yield from _tables(one, definitions, place, seen)


def _names(what: dict[str, Any], *, many: bool) -> Iterator[tuple[str, bool]]:
    """Yield the definitions that a key may hold, and whether it holds a list of them."""
    if "$ref" in what:
        yield what["$ref"].removeprefix("#/$defs/"), many
    for one in (*what.get("anyOf", ()), *what.get("oneOf", ())):
        yield from _names(one, many=many)
    if "items" in what:
        yield from _names(what["items"], many=True)


def _which(table: dict[str, Any]) -> str:
    """Return which one of several kinds of a table this is."""
    for key in ("kind", "model"):
        told = table["properties"].get(key, {})
        if "const" in told:
            return f' with `{key} = "{told["const"]}"`'
    return ""


def _rows(title: str, told: str, table: dict[str, Any]) -> str:
    needed = table.get("required", ())
    rows = [
        f"| `{key}` | {what['description']} | {_values(what)} | "
        f"{'needed' if key in needed else _default(what)} |"
        for key, what in table["properties"].items()
    ]
    what = told.partition(": ")[2] if told.startswith("[") else told
    head = f"**{title}** {what}".rstrip()
    return "\n".join([head, "", "| key | what | values | default |", "|---|---|---|---|", *rows])


def _default(what: dict[str, Any]) -> str:
    import json

    default = what.get("default")
    if isinstance(default, dict) or default in (None, [], ""):
        return ""
    return f"`{json.dumps(default, ensure_ascii=False)}`"


def _values(what: dict[str, Any]) -> str:
    """Return what a key may hold, in words."""
    if "$ref" in what:
        return "table"
    if "enum" in what:
        shown = ", ".join(f'"{v}"' for v in what["enum"][:LISTED])
        return shown + (", …" if len(what["enum"]) > LISTED else "")
    if "const" in what:
        return f'"{what["const"]}"'
    choices = [*what.get("anyOf", ()), *what.get("oneOf", ())]
    if choices:
        return " or ".join(dict.fromkeys(_values(one) for one in choices))
    kind = what.get("type", "any")
    if kind == "array":
        if "prefixItems" in what:
            return f"{len(what['prefixItems'])} × {_values(what['prefixItems'][0])}"
        return f"list of {_values(what.get('items', {}))}"
    words = {"string": "text", "integer": "whole number", "boolean": "true, false"}
    word = "file" if what.get("format") == "path" else words.get(kind, kind)
    return word + _range(what)


def _range(what: dict[str, Any]) -> str:
    found = [
        f"{sign} {what[key]:g}"
        for key, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
        )
        if key in what
    ]
    return f" {', '.join(found)}" if found else ""
