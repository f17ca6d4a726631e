"""Node sets: types of cells chosen by name, by their columns, or as a union of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rheobase._errors import InputError, check_option


def chosen(
    name: str, sets: Mapping[str, Any], rows: Sequence[Mapping[str, str]], path: Path
) -> set[int]:
    """Return the types (positions in ``rows``) of the set ``name``.

    Parameters
    ----------
    name
        Name of the set.
    sets
        Content of the file of node sets.
    rows
        Row of each type in its table, the column "population" included.
    path
        The file.

    Raises
    ------
    InputError
        If there is no such set, it holds itself, or it asks for something else than columns of
        the tables.
    """
    return _chosen(name, sets, rows, path, ())


def _chosen(
    name: str,
    sets: Mapping[str, Any],
    rows: Sequence[Mapping[str, str]],
    path: Path,
    within: tuple[str, ...],
) -> set[int]:
    check_option("node set", name, sets, where=str(path))
    if name in within:
        raise InputError(f"node set {name!r} must not hold itself: {path}")
    rules = sets[name]
    if isinstance(rules, list):
        parts = [_chosen(str(part), sets, rows, path, (*within, name)) for part in rules]
        return set().union(*parts)
    columns = {column for row in rows for column in row}
    for column in rules:
        check_option("column of node types", column, columns, where=f"node set {name!r} of {path}")
    return {
        k
        for k, row in enumerate(rows)
        if all(row.get(column) in _allowed(value) for column, value in rules.items())
    }


def _allowed(value: Any) -> set[str]:
    return {str(v) for v in (value if isinstance(value, list) else [value])}
