"""From plain values to the text of a TOML file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rheobase.tables.base import Table


def plain(value: Any) -> Any:
    """Return what a table was given, its paths absolute, for `toml_text`."""
    if isinstance(value, Table):
        return plain(value.model_dump(exclude_defaults=True))
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value.absolute() if isinstance(value, Path) else value


def toml_text(table: Mapping[str, Any], *, name: str = "") -> str:
    """Return a table as TOML; what is None is left out.

    Parameters
    ----------
    table
        Texts, paths, numbers, booleans, sequences of them, and tables and sequences of tables.
    name
        Name of the table, "" for a whole file.

    Examples
    --------
    >>> print(toml_text({"title": "a", "head": {"name": "ball"}, "pads": [{"r": 1.0}]}), end="")
    title = "a"
    <BLANKLINE>
    [head]
    name = "ball"
    <BLANKLINE>
    [[pads]]
    r = 1.0
    """
    own, below = [], []
    for key, value in table.items():
        inner = f"{name}.{key}" if name else key
        if isinstance(value, Mapping):
            below.append(f"\n[{inner}]\n{toml_text(value, name=inner)}")
        elif isinstance(value, (list, tuple)) and value and isinstance(value[0], Mapping):
            below += [f"\n[[{inner}]]\n{toml_text(one, name=inner)}" for one in value]
        elif value is not None:
            own.append(f"{_key(key)} = {_value(value)}\n")
    return "".join(own + below)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, (str, Path)):
        return json.dumps(str(value), ensure_ascii=False)
    return json.dumps(value)
