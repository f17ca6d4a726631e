"""SONATA's configurations: JSON files whose paths may hold variables of a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from rheobase._errors import InputError
from rheobase.neurons.interchange.numbers import read_json


class Config:
    """A configuration with its variables put in.

    Parameters
    ----------
    path
        JSON file.

    Raises
    ------
    InputError
        If there is no such file, it is not a JSON object, or a variable holds itself.
    """

    def __init__(self, path: Path) -> None:
        content = read_json(path)
        if not isinstance(content, dict):
            raise InputError(f"a configuration must be a JSON object: {path}")
        self.path = path
        manifest = content.pop("manifest", {})
        if not isinstance(manifest, dict):
            raise InputError(f"'manifest' must be a JSON object: {path}")
        variables = {f"${name.lstrip('$')}": str(value) for name, value in manifest.items()}
        for _ in range(len(variables)):
            variables = {k: _put(v, variables) for k, v in variables.items()}
        for name, value in variables.items():
            if name in value:
                raise InputError(f"variable {name!r} of the manifest must not hold itself: {path}")
        self.content: dict[str, Any] = _expanded(content, variables)

    def section(self, name: str) -> dict[str, Any]:
        """Return the object ``name``, empty if there is none."""
        value = self.content.get(name) or {}
        if not isinstance(value, dict):
            raise InputError(f"{name!r} must be a JSON object: {self.path}")
        return value

    def need(self, table: Any, key: str, where: str) -> Any:
        """Return ``table[key]``.

        Raises
        ------
        InputError
            If it is not there, or the table is none.
        """
        if not isinstance(table, dict) or table.get(key) is None:
            raise InputError(f"{where} needs {key!r}: {self.path}")
        return table[key]

    def number(self, table: Any, key: str, where: str, default: float | None = None) -> Decimal:
        """Return the number ``table[key]``, or ``default``.

        Raises
        ------
        InputError
            If it is not there and has no default, or is no number.
        """
        if default is not None and table.get(key) is None:
            return Decimal(str(default))
        value = self.need(table, key, where)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise InputError(f"{key!r} of {where} must be a number, got {value!r}: {self.path}")
        return Decimal(value)

    def file(self, name: Any) -> Path:
        """Return the path that ``name`` means: relative ones begin at the configuration."""
        return self.path.parent / str(name)


def _put(value: str, variables: Mapping[str, str]) -> str:
    for name in sorted(variables, key=len, reverse=True):
        value = value.replace(f"${{{name[1:]}}}", variables[name]).replace(name, variables[name])
    return value


def _expanded(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {k: _expanded(v, variables) for k, v in value.items()}
    if isinstance(value, list):
        return [_expanded(v, variables) for v in value]
    return _put(value, variables) if isinstance(value, str) else value
