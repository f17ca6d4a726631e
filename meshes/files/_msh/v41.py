"""Entities, nodes and elements of version 4.1; text and binary differ in the stream only."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.files._msh.content import TYPES
from rheobase.meshes.files._msh.cursor import Cursor
from rheobase.meshes.files._msh.v22 import Blocks

Groups = dict[tuple[int, int], int]
"""First physical group of each entity (dimension, tag) that is in one."""


def read_entities(c: Cursor) -> Groups:
    """Return the physical group of each entity that has one.

    An entity in several groups counts to the first; the sign of a group is its orientation.
    """
    s = c.numbers("Entities")
    counts = [s.count(f"entities of dimension {d}") for d in range(4)]
    groups: Groups = {}
    for dimension, n in enumerate(counts):
        for _ in range(n):
            tag = s.whole("int", "entity")
            s.take("float", 3 if dimension == 0 else 6, "extent of an entity")
            physical = s.take("int", s.count("physical groups"), "physical groups")
            if len(physical):
                groups[dimension, tag] = abs(int(physical[0]))
            if dimension:
                s.take("int", s.count("bounding entities"), "bounding entities")
    return groups


def read_nodes(c: Cursor) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return numbers and coordinates (mm) of the nodes."""
    s = c.numbers("Nodes")
    blocks, total = s.count("node blocks"), s.count("nodes")
    s.take("size", 2, "range of node numbers")
    numbers = [np.empty(0, np.int64)]
    points = [np.empty((0, 3))]
    for _ in range(blocks):
        dimension, _, parametric = (int(v) for v in s.take("int", 3, "a node block's header"))
        if not 0 <= dimension <= 3 or parametric not in (0, 1):
            raise c.fail(f"a node block (dimension {dimension}, parametric {parametric}) before")
        n = s.count("nodes of a block")
        width = 3 + (dimension if parametric else 0)
        numbers.append(s.take("size", n, "node numbers"))
        points.append(s.take("float", n * width, "coordinates").reshape(n, width)[:, :3])
    found = np.concatenate(numbers)
    if len(found) != total:
        raise c.fail(f"{total} nodes (got {len(found)}) before")
    return found, np.concatenate(points)


def read_elements(c: Cursor, groups: Groups) -> Blocks:
    """Return the elements by type; the tag is the entity's physical group, else the entity."""
    s = c.numbers("Elements", whole=True)
    n_blocks, total = s.count("element blocks"), s.count("elements")
    s.take("size", 2, "range of element numbers")
    blocks: Blocks = defaultdict(list)
    read = 0
    for _ in range(n_blocks):
        dimension, entity, kind = (int(v) for v in s.take("int", 3, "an element block's header"))
        if kind not in TYPES:
            raise c.fail(f"elements of a known type (got {kind}) before")
        n = s.count("elements of a block")
        width = 1 + TYPES[kind][2]
        rows = s.take("size", n * width, "elements").reshape(n, width)
        tag = np.full(n, groups.get((dimension, entity), entity))
        blocks[kind].append((rows[:, 0], tag, rows[:, 1:]))
        read += n
    if read != total:
        raise c.fail(f"{total} elements (got {read}) before")
    return blocks
