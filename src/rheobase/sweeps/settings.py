"""The study at a point: other values in its tables, another head, another species."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rheobase._errors import InputError, check_option
from rheobase.kinds import KINDS, Kind
from rheobase.study_file import load_study
from rheobase.study_source import put
from rheobase.sweeps.design import Design, Point, Value, label
from rheobase.tables.base import Table
from rheobase.tables.parse import parse_table

#: Whole heads of the species that have one; pieces of cortex are called ``slab-SPECIES``.
WHOLE = {"human": "mni152", "macaque": "macaque", "rat": "rat", "mouse": "mouse"}
CURRENT = "device.current_mA"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Base:
    """The study that a sweep varies.

    Parameters
    ----------
    kind, table, name, folder
        What kind it is, its tables as they were read, its name, and where its paths start.
    start
        Where files of heads start that are an axis: the folder of the sweep's file.
    """

    kind: Kind
    table: Mapping[str, Any]
    name: str
    folder: Path | None
    start: Path = Path()

    def record(self) -> dict[str, Any]:
        """Return what `recorded_base` makes it from again."""
        folder = None if self.folder is None else str(self.folder.absolute())
        return {"kind": self.kind.name, "name": self.name, "folder": folder, "table": self.table}

    def at(self, point: Point) -> dict[str, Any]:
        """Return the tables at a point.

        Raises
        ------
        InputError
            If a key leads nowhere, or there is no head of a species.
        """
        table = deepcopy(dict(self.table))
        for key, value in point.items():
            if key == "head":
                table["head"] = _head(table.get("head", {}), value, self.start)
            else:
                _change(table, key, value)
        return table

    def study(self, point: Point) -> Table:
        """Return the checked study at a point.

        Raises
        ------
        InputError
            If it holds an unknown key or a value out of range.
        """
        return parse_table(self.kind.table(), self.at(point), where=self.name, folder=self.folder)

    def check(self, design: Design) -> None:
        """Refuse axes that the study has no place for, values out of range, and unknown names.

        Every value is tried with the first and with the last values of the other axes: what is only
        impossible together is the error of its points.

        Raises
        ------
        InputError
            Naming the axis and the value.
        """
        ends = [design.points[0], design.points[-1]]
        for dim, own in design.dims.items():
            places = [dict(zip(own, v, strict=True)) for v in zip(*own.values(), strict=True)]
            if dim == "sample":
                places = [{k: e} for k, r in design.ranges.items() for e in r.ends()]
            for place in places:
                self._try(place, ends)

    def _try(self, place: Point, ends: list[Point]) -> None:
        first: InputError | None = None
        for end in ends:
            try:
                self.kind.function("check")(self.study({**end, **place}))
            except InputError as error:
                first = first or error
            else:
                return
        told = ", ".join(f"{key!r} = {label(value)!r}" for key, value in place.items())
        raise InputError(f"{first}: axis {told}") from first


def recorded_base(path: Path, start: Path) -> Base:
    """Return the study that a sweep varied, from the record in the folder of its results.

    Parameters
    ----------
    path, start
        The record, and as for `Base`.

    Raises
    ------
    InputError
        If the folder is of no finished sweep.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))["base"]
        folder = None if told["folder"] is None else Path(told["folder"])
        kind, table, name = KINDS[told["kind"]], told["table"], told["name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"expected the results of a sweep that has ended, got {path.parent}"
        ) from error
    return Base(kind=kind, table=table, name=name, folder=folder, start=start)


def open_base(source: str | Path, start: Path) -> Base:
    """Return the study that a sweep varies: a file, or the name of a shipped one.

    Parameters
    ----------
    source, start
        The file or name, and as for `Base`.

    Raises
    ------
    InputError
        If there is none, or it is no study.
    """
    found = load_study(source)
    return Base(
        kind=found.kind, table=found.table, name=found.where, folder=found.folder, start=start
    )


def _change(table: dict[str, Any], key: str, value: Value) -> None:
    """Put one value of a point into the tables of a study."""
    if key == "species":
        table["head"] = _of_species(table.get("head", {}), str(value))
    elif key == CURRENT and table.get("device", {}).get("electrodes"):
        _scale(table["device"]["electrodes"], value)
    else:
        put(table, _numbered(table, key), value)


def _head(old: Mapping[str, Any], value: Value, start: Path) -> dict[str, Any]:
    """Return ``[head]`` for a name, a file or a table of its own."""
    from rheobase.meshes.heads import BUILT_IN

    if isinstance(value, Mapping):
        own = dict(value)
        return own if own.get("file") is None else {**own, "file": _from(start, own["file"])}
    rest = {k: v for k, v in old.items() if k not in {"name", "file"}}
    if value in BUILT_IN:
        return {"name": value, **rest}
    path = start / value
    if not (path.exists() or path.suffix or len(Path(value).parts) > 1):
        check_option("head", value, BUILT_IN, where=f"no file or folder {path} either")
    return {"file": _from(start, value), **rest}


def _from(start: Path, file: str) -> str:
    return str((start / file).absolute())


def _of_species(old: Mapping[str, Any], species: str) -> dict[str, Any]:
    """Return ``[head]`` of another species: its whole head, or its piece of cortex."""
    name = old.get("name")
    if name is None:
        raise InputError("expected a built-in head, whose species can be another: species")
    piece = str(name).startswith("slab-")
    if not piece and name not in WHOLE.values():
        raise InputError(f"expected a head of a species, got {name!r}: species")
    return {**old, "name": f"slab-{species}" if piece else WHOLE[species]}


def _scale(electrodes: list[dict[str, Any]], value: Value) -> None:
    """Scale all currents so that what flows in is ``value`` in all (mA)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value:
        raise InputError(f"expected a total current other than 0 mA, got {value!r}: {CURRENT}")
    total = sum(max(float(e.get("current_mA", 0.0)), 0.0) for e in electrodes)
    if not total > 0:
        raise InputError(f"expected electrodes with currents to scale: {CURRENT}")
    for one in electrodes:
        one["current_mA"] = float(one.get("current_mA", 0.0)) * float(value) / total


def _numbered(table: Mapping[str, Any], key: str) -> str:
    """Return a dotted key with the numbers of items in place of their names.

    Examples
    --------
    >>> _numbered({"device": {"electrodes": [{"name": "anode"}]}}, "device.electrodes.anode.x")
    'device.electrodes.0.x'
    """
    here: Any = table
    parts = key.split(".")
    for k, name in enumerate(parts):
        if isinstance(here, list):
            names = [one.get("name") for one in here if isinstance(one, Mapping)]
            if not name.isdigit():
                check_option("item", name, [str(n) for n in names if n], where=key)
                parts[k] = str(names.index(name))
            at = int(parts[k])
            here = here[at] if at < len(here) else None
        elif isinstance(here, Mapping):
            here = here.get(name)
    return ".".join(parts)
