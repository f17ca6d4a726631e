"""Nodes and elements of version 2.2, in binary and as text."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.files._msh.content import TYPES
from rheobase.meshes.files._msh.cursor import Cursor, Text, run_length

Blocks = dict[int, list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]]
"""By element type: (numbers, tags, node numbers) of blocks of elements."""
MOST_TAGS = 64


def read_nodes(c: Cursor) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return numbers and coordinates (mm) of the nodes."""
    n = c.count("nodes")
    if c.binary:
        dtype = np.dtype([("id", f"{c.order}i4"), ("x", f"{c.order}f8", 3)])
        rows = c.records(dtype, n, "nodes")
        return rows["id"].astype(np.int64), rows["x"].astype(np.float64)
    text = Text(c, "Nodes", whole=False)
    table = text.take("float", 4 * n, f"{n} nodes").reshape(n, 4)
    return text.as_whole(table[:, 0], "node numbers"), table[:, 1:]


def read_elements(c: Cursor) -> Blocks:
    """Return the elements by type."""
    n = c.count("elements")
    return _binary(c, n) if c.binary else _text(c, n)


def _binary(c: Cursor, total: int) -> Blocks:
    """Read blocks of elements, each with a header (type, how many, tags).

    Writers that give every element a header of its own are read in runs of equal headers.
    """
    word = np.dtype(f"{c.order}i4")
    blocks: Blocks = defaultdict(list)
    read = 0
    while read < total:
        kind, n, tags = (int(v) for v in c.records(word, 3, "numbers of an element header"))
        if kind not in TYPES or n < 1 or read + n > total or not 0 <= tags <= MOST_TAGS:
            raise c.fail(
                f"an element header, got type {kind}, {n} elements and {tags} tags before it,"
            )
        width = 1 + tags + TYPES[kind][2]
        if n > 1:
            rows = c.records(np.dtype((word, width)), n, "elements")
        else:
            c.at -= 12
            rest = np.frombuffer(c.data, word, (len(c.data) - c.at) // 4, c.at)
            n = max(1, run_length(rest, 3 + width, total - read, slice(0, 3)))
            rows = c.records(np.dtype((word, 3 + width)), n, "elements")[:, 3:]
        read += n
        blocks[kind].append(_split(rows, tags))
    return blocks


def _text(c: Cursor, total: int) -> Blocks:
    """Read rows (number, type, how many tags, tags, nodes) in runs of equal type and tags."""
    text = Text(c, "Elements", whole=True)
    blocks: Blocks = defaultdict(list)
    read = 0
    while read < total:
        _, kind, tags = (int(v) for v in text.take("int", 3, f"{total} elements"))
        text.i -= 3
        if kind not in TYPES or not 0 <= tags <= MOST_TAGS:
            raise c.fail(
                f"known elements (got type {kind} with {tags} tags as {read + 1}th) before"
            )
        width = 3 + tags + TYPES[kind][2]
        n = max(1, run_length(text.values[text.i :], width, total - read, slice(1, 3)))
        rows = text.take("int", n * width, f"{total} elements").reshape(n, width)
        read += n
        blocks[kind].append(_split(np.delete(rows, (1, 2), axis=1), tags))
    if text.left():
        raise c.fail(f"{total} elements only before")
    return blocks


def _split(rows: NDArray[Any], tags: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return numbers, tags and nodes; the tag is the group, the entity (second) where that is 0."""
    tag = rows[:, 1] if tags else np.zeros(len(rows), np.int64)
    if tags > 1:
        tag = np.where(tag == 0, rows[:, 2], tag)
    return rows[:, 0], tag, rows[:, 1 + tags :]
