"""Where a study comes from: a file, a shipped name, a folder of results."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rheobase._errors import InputError, check_option
from rheobase.kinds import KINDS, shipped_studies

STUDY, RECORD = "study.toml", "provenance.json"  # in a folder of results


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a source holds, not checked yet.

    Parameters
    ----------
    table, text
        The tables and their TOML text.
    name, where
        What the study is called, and what errors call it.
    folder
        Where its paths start; the working folder if None.
    kind
        Kind of study that a run recorded, None where it must be found out.
    out
        The folder of results that it is from.
    """

    table: dict[str, Any]
    text: str
    name: str
    where: str
    folder: Path | None = None
    kind: str | None = None
    out: Path | None = None


def read_source(source: str | Path, kind: str | None) -> Read:
    """Return what a file, a shipped name or a folder of results holds.

    Parameters
    ----------
    source
        Path or name; a folder that is no result does not hide a shipped name.
    kind
        The kind that it should be, for the names that are told where there is no such study.

    Raises
    ------
    InputError
        If there is no such thing, or it is no TOML.
    """
    path, known = Path(source), shipped_studies()
    if path.is_dir() and ((path / STUDY).is_file() or str(source) not in known):
        return _of_results(path)
    if not path.is_file():
        if kind is not None and str(source) not in known:
            known = KINDS[kind].studies()  # the nearest of its own kind
        if path.suffix == ".toml" or len(path.parts) > 1:
            what = "study file" if path.suffix == ".toml" else "study file or folder of results"
            shipped = f"; shipped studies: {', '.join(known)}" if known else ""
            raise InputError(f"no {what} {path}{shipped}")
        path = known[check_option("study", str(source), known)]
    table, text = read_toml(path)
    return Read(table=table, text=text, name=path.stem, where=path.name, folder=path.parent)


def _of_results(folder: Path) -> Read:
    """Return the study of a folder of results; its paths start where they did."""
    path, record = folder / STUDY, folder / RECORD
    if not path.is_file():
        raise InputError(f"expected a folder of results with a study.toml, got {folder}")
    table, text = read_toml(path)
    start, kind = folder, None
    if record.is_file():  # absent where the run did not finish
        try:
            told = json.loads(record.read_text(encoding="utf-8"))["study"]
            start, kind = Path(told["folder"] or "."), told["kind"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"expected the record of a run, got a damaged one: {record}"
            ) from error
    return Read(
        table=table,
        text=text,
        name=folder.resolve().name,
        where=str(path),
        folder=start,
        kind=kind,
        out=folder,
    )


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """Return the table and the text of a TOML file.

    Raises
    ------
    InputError
        If it cannot be read, or is no TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text), text
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path.name} is no valid TOML: {error}") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def put(table: dict[str, Any], key: str, value: Any) -> None:
    """Put a value at ``table.key`` (or ``key``) of a study; numbers count items of a list.

    Raises
    ------
    InputError
        If there is no such table or item.
    """
    *above, last = key.split(".")
    here: Any = table
    for name in above:
        if isinstance(here, list):
            here = here[_item(here, name, key)]
        elif isinstance(here, dict):
            here = here.setdefault(name, {})
    if isinstance(here, list):
        here[_item(here, last, key)] = value
    elif isinstance(here, dict):
        here[last] = value
    else:
        raise InputError(f"expected a table before the dot, got {key!r}")


def _item(items: list[Any], name: str, key: str) -> int:
    if not (name.isdigit() and int(name) < len(items)):
        raise InputError(f"expected an item from 0 to {len(items) - 1}, got {name!r} in {key!r}")
    return int(name)
