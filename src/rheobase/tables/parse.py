"""From a TOML table to a checked one, and what is said when it is not right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from rheobase._errors import InputError, check_option
from rheobase.tables.base import Table
from rheobase.tables.lines import key_lines, line_of

#: What tells the kinds of a table apart: `kind` in ``[device]`` and ``[optimise]``, `model` in
#: ``[network]``.
KINDS = ("tms", "tes", "ti", "dose", "microcircuit", "columns")


def parse_table[T: Table](
    model: type[T],
    table: dict[str, Any],
    *,
    where: str,
    folder: Path | None,
    text: str | None = None,
) -> T:
    """Return the checked form of a table, or raise naming the place in ``where``.

    Parameters
    ----------
    model
        What the table must be.
    table
        The table.
    where
        What errors call it.
    folder
        Where paths in it start from; the working folder if None.
    text
        The TOML text that the table was read from, if errors are to tell the line.

    Raises
    ------
    InputError
        If it holds an unknown key (with the nearest ones), lacks one, or a value is out of range.
    """
    try:
        return model.model_validate(table, context={"folder": folder})
    except ValidationError as error:
        raise InputError(_sentence(error, model, where, text)) from error


def at_line(where: str, text: str | None, place: Sequence[str | int]) -> str:
    """Return a file's name with the line of a place in its text, where that is known."""
    line = None if text is None else line_of(key_lines(text), place)
    return where if line is None else f"{where}, line {line}"


def _sentence(error: ValidationError, model: type[Table], where: str, text: str | None) -> str:
    """Tell the first thing wrong in one sentence."""
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    where = at_line(where, text, [p for p in first["loc"] if p not in KINDS])
    place = [str(p) for p in first["loc"] if p not in KINDS]
    message = _plain(first["msg"])
    if first["type"] == "missing":
        message = "missing value" if isinstance(first["loc"][-1], int) else "missing key"
    if first["type"].startswith("union_tag"):
        spot = f"{where}, [{'.'.join(place)}]"
        tables = _at(model, first["loc"])
        key = _telling(tables[0])
        kinds = [kind for table in tables for kind in get_args(table.model_fields[key].annotation)]
        came = first["input"].get(key) if isinstance(first["input"], dict) else None
        if came is None:
            return f"expected {key} = {', '.join(map(repr, kinds[:-1]))} or {kinds[-1]!r}: {spot}"
        try:
            check_option(key, str(came), kinds, where=spot)
        except InputError as unknown:
            return str(unknown)
    if first["type"] in {"model_type", "dict_type", "model_attributes_type"}:
        return f"expected a table: {where}, [{'.'.join(place)}]"
    if first["type"] == "extra_forbidden":
        table = ".".join(place[:-1])
        allowed = _keys(model, first["loc"][:-1])
        try:
            check_option("key", place[-1], allowed, where=f"{where}, [{table}]" if table else where)
        except InputError as unknown:
            return str(unknown)
    value = first.get("input")
    got = f", got {value!r}" if isinstance(value, (str, int, float)) else ""
    if first["type"] in {"missing", "value_error"}:
        got = ""
    return f"{message}{got}: {where}" + (f", {'.'.join(place)}" if place else "")


def _plain(message: str) -> str:
    """Return what pydantic says in the words of this package."""
    message = message.removeprefix("Value error, ")
    return re.sub(r"^Input should be (?=(greater|less))?", _expected, message)


def _expected(found: re.Match[str]) -> str:
    return "expected a number " if found.group(1) else "expected "


def _keys(model: type[Table], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the table at ``location`` within a model may hold."""
    return list(dict.fromkeys(key for m in _at(model, location) for key in m.model_fields))


def _at(model: type[Table], location: tuple[int | str, ...]) -> list[type[Table]]:
    """Return the tables that may stand at ``location`` within a model."""
    found = [model]
    for part in location:
        fields = [f.annotation for m in found for k, f in m.model_fields.items() if k == part]
        if fields:
            found = [table for annotation in fields for table in _tables(annotation)]
        elif part in KINDS:  # which one of several kinds of table
            found = [m for m in found if part in get_args(m.model_fields[_telling(m)].annotation)]
    return found


def _telling(table: type[Table]) -> str:
    """Return the key whose value tells the kind of a table."""
    return "kind" if "kind" in table.model_fields else "model"


def _tables(annotation: Any) -> list[type[Table]]:
    """Return the tables that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, Table):
        return [annotation]
    if get_origin(annotation) is Literal:
        return []
    return [table for part in get_args(annotation) for table in _tables(part)]
