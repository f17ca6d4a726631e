"""The sections that versions 2.2 and 4.1 have in common: header, names, data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.files._msh.cursor import Cursor, Text, run_length

VERSIONS = ("2.2", "4.1")
MOST_COMPONENTS, MOST_CORNERS = 9, 64
DATA = ("NodeData", "ElementData", "ElementNodeData")


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """One data section: numbers of nodes or elements, and their values.

    ``values`` has the shape (n,) or (n, components); with ``corners``, (n, corners, components).
    """

    section: str
    name: str
    step: int
    numbers: NDArray[Any]
    values: NDArray[np.float64]


def read_header(c: Cursor) -> str:
    """Read $MeshFormat and return the version; the cursor learns how numbers are written.

    Raises
    ------
    InputError
        If the file is no Gmsh mesh of version 2.2 or 4.1.
    """
    if not c.data.startswith(b"$"):
        raise c.fail("$MeshFormat as first line of a Gmsh mesh")
    head = c.line()
    while head == "$Comments":
        c.text("Comments")
        c.close("Comments")
        c.done()
        head = c.line()
    if head != "$MeshFormat":
        raise c.fail("$MeshFormat as first line of a Gmsh mesh")
    words = c.line().split()
    version = {"2": "2.2", "2.0": "2.2", "2.1": "2.2"}.get(words[0], words[0]) if words else ""
    if len(words) != 3 or version not in VERSIONS or words[1] not in ("0", "1"):
        raise InputError(
            f"expected a Gmsh mesh of version 2.2 or 4.1, got {' '.join(words)[:40]!r}: {c.path} "
            "(gmsh saves it anew with 'gmsh old.msh -save -format msh41 -o new.msh')"
        )
    c.binary, c.size = words[1] == "1", int(words[2]) if words[2] in ("4", "8") else 0
    if not c.size or (version == "2.2" and c.size != 8):
        raise c.fail(f"a data size of 8 bytes (got {words[2][:20]!r}) on the line before")
    if c.binary:
        one = int(c.records(np.dtype("<i4"), 1, "byte-order mark")[0])
        if one not in (1, 1 << 24):
            raise c.fail("the byte-order mark 1 of a binary file before")
        c.order = "<" if one == 1 else ">"
    c.close("MeshFormat")
    return version


def read_names(c: Cursor) -> dict[tuple[int, int], str]:
    """Read $PhysicalNames: the name of each (dimension, tag)."""
    names: dict[tuple[int, int], str] = {}
    for _ in range(c.count("physical names")):
        line = c.line()
        found = re.fullmatch(r'(\d)\s+(-?\d{1,10})\s+"(.*)"', line)
        if found is None:
            raise c.fail(f'dimension, tag and "name" (got {line[:40]!r}) on the line before')
        names[int(found[1]), int(found[2])] = found[3]
    return names


def read_data(c: Cursor, section: str) -> Data:
    """Read a section of data up to the line that closes it."""
    texts = [_unquoted(c.line()) for _ in range(_few(c))]
    for _ in range(_few(c)):
        c.line()  # the time
    tags = [c.wholes(1, "integer tag of the data")[0] for _ in range(_few(c))]
    if not texts or len(tags) < 3 or not 1 <= tags[1] <= MOST_COMPONENTS or tags[2] < 0:
        raise c.fail(f"a name and (step, components 1…{MOST_COMPONENTS}, entries) before the data")
    step, components, n = tags[:3]
    what = f"entries of {texts[0]!r}"
    if section == "ElementNodeData":
        numbers, values = _corner_data(c, n, components, what)
        return Data(section, texts[0], step, numbers, values)
    if c.binary:
        dtype = np.dtype([("id", f"{c.order}i4"), ("v", f"{c.order}f8", (components,))])
        rows = c.records(dtype, n, what)
        numbers, values = rows["id"].astype(np.int64), rows["v"].astype(np.float64)
    else:
        text = Text(c, section, whole=False)
        table = text.take("float", n * (1 + components), what).reshape(n, -1)
        _all_taken(text)
        numbers, values = text.as_whole(table[:, 0], "numbers"), table[:, 1:]
    return Data(section, texts[0], step, numbers, values[:, 0] if components == 1 else values)


def _corner_data(
    c: Cursor, n: int, components: int, what: str
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return numbers and values of $ElementNodeData, padded with NaN to the most corners met.

    Each entry has a length of its own; entries of equal length are read in runs.
    """
    text = None if c.binary else Text(c, "ElementNodeData", whole=False)
    ids, parts = [], []
    read = 0
    while read < n:
        if text is None:
            first = c.records(np.dtype(f"{c.order}i4"), 2, what)
            c.at -= 8
            corners = int(first[1])
        else:
            corners = int(text.as_whole(text.take("float", 2, what), what)[1])
            text.i -= 2
        if not 1 <= corners <= MOST_CORNERS:
            raise c.fail(f"1 to {MOST_CORNERS} corners (got {corners}) in the {what}")
        if text is None:
            words = 2 + 2 * corners * components
            rest = np.frombuffer(c.data, f"{c.order}i4", (len(c.data) - c.at) // 4, c.at)
            k = max(1, run_length(rest, words, n - read, slice(1, 2)))
            head, value = np.dtype(f"{c.order}i4"), np.dtype(f"{c.order}f8")
            dtype = np.dtype([("id", head), ("m", head), ("v", value, (corners, components))])
            rows = c.records(dtype, k, what)
            number, v = rows["id"].astype(np.int64), rows["v"].astype(np.float64)
        else:
            words = 2 + corners * components
            k = max(1, run_length(text.values[text.i :], words, n - read, slice(1, 2)))
            table = text.take("float", k * words, what).reshape(k, words)
            number = text.as_whole(table[:, 0], what)
            v = table[:, 2:].reshape(k, corners, components)
        ids.append(number)
        parts.append(v)
        read += k
    if text is not None:
        _all_taken(text)
    if not ids:
        return np.empty(0, np.int64), np.empty((0, 1, components))
    widest = max(v.shape[1] for v in parts)
    out = np.full((n, widest, components), np.nan)
    at = 0
    for v in parts:
        out[at : at + len(v), : v.shape[1]] = v
        at += len(v)
    return np.concatenate(ids), out


def _all_taken(text: Text) -> None:
    if text.left():
        raise InputError(
            f"expected {text.i} numbers in ${text.section}, got {len(text.values)}: "
            f"{text.cursor.path}"
        )


def _few(c: Cursor) -> int:
    n = c.count("tags of the data")
    if n > 64:
        raise c.fail("at most 64 tags on the line before")
    return n


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
