"""Gmsh's binary mesh format 2.2, as SimNIBS writes it: nodes, triangles, tetrahedra, data.

Layout after the Gmsh reference manual, "MSH file format version 2 (legacy)". Files are in
millimetres, arrays here in metres. Sizes are checked against the file before anything is allocated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._files import whole_file

TRIANGLE, TETRAHEDRON = 2, 4
NODES_OF = {1: 2, 2: 3, 3: 4, 4: 4, 5: 8, 6: 6, 7: 5, 8: 3, 9: 6, 11: 10, 15: 1}
"""Nodes of each element type of the format that may be met (others are refused)."""
MM = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Msh:
    """The contents of a mesh file.

    Parameters
    ----------
    nodes
        Coordinates (m), shape (n_nodes, 3).
    triangles, tets
        Node indices from 0, shapes (n_triangles, 3) and (n_tets, 4), int32.
    triangle_tags, tet_tags
        First tag of each element (the region; SimNIBS adds 1000 for surfaces), int32.
    node_data, triangle_data, tet_data
        Fields by name, shape (n,) or (n, components), float64, in the file's own units; NaN where
        the file gives none for an element.
    """

    nodes: NDArray[np.float64]
    triangles: NDArray[np.int32]
    triangle_tags: NDArray[np.int32]
    tets: NDArray[np.int32]
    tet_tags: NDArray[np.int32]
    node_data: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    triangle_data: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    tet_data: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


class _Reader:
    """A cursor over the bytes of a file that refuses to pass their end."""

    def __init__(self, path: Path) -> None:
        try:
            self.data = path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from None
        self.path = path
        self.at = 0
        self.order = "<"

    def fail(self, expected: str) -> InputError:
        return InputError(f"expected {expected} at byte {self.at} of {len(self.data)}: {self.path}")

    def line(self) -> str:
        end = self.data.find(b"\n", self.at, self.at + 4096)
        if end < 0:
            raise self.fail("a line of text")
        text = self.data[self.at : end].strip().decode("utf-8", errors="replace")
        self.at = end + 1
        return text

    def numbers(self, n: int, what: str) -> list[int]:
        words = self.line().split()
        try:
            values = [int(w) for w in words]
        except ValueError:
            values = []
        if len(values) != n:
            raise self.fail(f"{n} whole number(s) ({what}) on the line before")
        return values

    def count(self, what: str) -> int:
        (n,) = self.numbers(1, what)
        if n < 0:
            raise self.fail(f"a number of {what} >= 0 on the line before")
        return n

    def records(self, dtype: np.dtype[Any], n: int, what: str) -> NDArray[Any]:
        if n * dtype.itemsize > len(self.data) - self.at:
            raise self.fail(f"{n} {what} ({n * dtype.itemsize} bytes)")
        rows = np.frombuffer(self.data, dtype, count=n, offset=self.at)
        self.at += n * dtype.itemsize
        return rows

    def end(self, section: str) -> None:
        """Pass the line that closes ``section``, after the line break that follows binary data."""
        while self.at < len(self.data) and self.data[self.at : self.at + 1].isspace():
            self.at += 1
        if self.line() != f"$End{section}":
            raise self.fail(f"$End{section} on the line before")

    def skip(self, section: str) -> None:
        end = self.data.find(f"$End{section}".encode(), self.at)
        if end < 0:
            raise self.fail(f"$End{section}")
        self.at = end
        self.line()


def read_msh(path: Path | str) -> Msh:
    """Read a binary mesh file of version 2.2.

    Parameters
    ----------
    path
        File in millimetres.

    Returns
    -------
    Msh
        In metres. Elements other than triangles and tetrahedra are left out.

    Raises
    ------
    InputError
        If the file is missing, is not of that format, is truncated, or contradicts itself.
    """
    r = _Reader(Path(path))
    if r.line() != "$MeshFormat":
        raise r.fail("$MeshFormat as first line of a Gmsh mesh")
    words = r.line().split()
    if len(words) != 3 or words[0] not in ("2.2", "2.1", "2") or words[1:] != ["1", "8"]:
        raise InputError(
            f"expected a binary Gmsh mesh of version 2.2 ('2.2 1 8'), got {' '.join(words)!r}: "
            f"{r.path} (gmsh can save as 'Version 2 binary')"
        )
    one = r.records(np.dtype("<i4"), 1, "byte-order mark")[0]
    if one == 16777216:
        r.order = ">"
    elif one != 1:
        raise r.fail("the byte-order mark 1 before")
    r.end("MeshFormat")

    numbers: NDArray[np.int32] | None = None
    nodes = np.empty((0, 3))
    elements: dict[int, tuple[NDArray[np.int32], ...]] | None = None
    fields: list[tuple[str, str, NDArray[np.int32], NDArray[np.float64]]] = []
    while r.at < len(r.data):
        head = r.line()
        if not head:
            continue
        if not head.startswith("$"):
            raise r.fail("a section ($…) on the line before")
        section = head[1:]
        if section == "Nodes":
            numbers, nodes = _nodes(r)
        elif section == "Elements":
            elements = _elements(r)
        elif section in ("NodeData", "ElementData"):
            fields.append((section, *_data(r)))
        else:
            r.skip(section)
            continue
        r.end(section)
    if numbers is None or elements is None:
        raise InputError(f"expected the sections $Nodes and $Elements, got not both: {r.path}")
    index = _Index(numbers, f"node numbers of {r.path}")
    triangle_ids, triangle_tags, triangles = elements[TRIANGLE]
    tet_ids, tet_tags, tets = elements[TETRAHEDRON]
    of_triangle = _Index(triangle_ids, f"triangle numbers of {r.path}")
    of_tet = _Index(tet_ids, f"tetrahedron numbers of {r.path}")
    node_data, triangle_data, tet_data = {}, {}, {}
    for section, name, ids, values in fields:
        if section == "NodeData":
            node_data[name] = index.scatter(ids, values)
        else:
            triangle_data[name] = of_triangle.scatter(ids, values)
            tet_data[name] = of_tet.scatter(ids, values)
    return Msh(
        nodes=nodes * MM,
        triangles=index.of(triangles),
        triangle_tags=triangle_tags,
        tets=index.of(tets),
        tet_tags=tet_tags,
        node_data=node_data,
        triangle_data=triangle_data,
        tet_data=tet_data,
    )


class _Index:
    """Positions of the numbers that a file gives its nodes or elements."""

    def __init__(self, numbers: NDArray[np.int32], what: str) -> None:
        self.what = what
        self.plain = bool((numbers == np.arange(1, len(numbers) + 1)).all())
        self.order = np.argsort(numbers, kind="stable").astype(np.int32)
        self.sorted = numbers[self.order]
        if len(numbers) > 1 and (self.sorted[1:] == self.sorted[:-1]).any():
            raise InputError(f"expected each number once, some are repeated: {what}")

    def find(self, numbers: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Return the position of each number and whether it is known."""
        if not len(self.sorted):
            return np.zeros(numbers.shape, np.int32), np.zeros(numbers.shape, bool)
        if self.plain:
            known = (numbers >= 1) & (numbers <= len(self.sorted))
            return np.where(known, numbers - 1, 0).astype(np.int32), known
        place = np.minimum(np.searchsorted(self.sorted, numbers), len(self.sorted) - 1)
        return self.order[place], self.sorted[place] == numbers

    def of(self, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the positions; every number must be known."""
        place, known = self.find(numbers)
        if not known.all():
            wrong = numbers[~known].ravel()[0]
            raise InputError(f"expected known numbers, got {wrong}: {self.what}")
        return place

    def scatter(self, numbers: NDArray[np.int32], values: NDArray[np.float64]) -> Any:
        """Return ``values`` in the order of the file's nodes or elements, NaN where none."""
        place, known = self.find(numbers)
        out = np.full((len(self.sorted), *values.shape[1:]), np.nan)
        out[place[known]] = values[known]
        return out


def _nodes(r: _Reader) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    dtype = np.dtype([("id", f"{r.order}i4"), ("x", f"{r.order}f8", 3)])
    rows = r.records(dtype, r.count("nodes"), "nodes")
    x = rows["x"].astype(np.float64)
    if not np.isfinite(x).all():
        raise InputError(f"expected finite coordinates, got some that are not: {r.path}")
    return rows["id"].astype(np.int32), x


def _elements(r: _Reader) -> dict[int, tuple[NDArray[np.int32], ...]]:
    """Return (numbers, first tags, node numbers) of the triangles and the tetrahedra.

    Each block has a header (type, how many, tags); writers that give every element a header of its
    own are read in runs of equal headers.
    """
    total = r.count("elements")
    found: dict[int, list[tuple[NDArray[np.int32], ...]]] = {TRIANGLE: [], TETRAHEDRON: []}
    word = np.dtype(f"{r.order}i4")
    read = 0
    while read < total:
        kind, n, tags = (int(v) for v in r.records(word, 3, "numbers of an element header"))
        if kind not in NODES_OF or n < 1 or read + n > total or not 0 <= tags <= 64:
            raise r.fail(f"an element header (type {kind}, {n} elements, {tags} tags) before")
        width = 1 + tags + NODES_OF[kind]
        if n > 1:
            rows = r.records(np.dtype((word, width)), n, "elements")
        else:
            r.at -= 12
            most = min(total - read, (len(r.data) - r.at) // (4 * (3 + width)))
            if most < 1:
                raise r.fail("an element")
            run = np.frombuffer(r.data, word, most * (3 + width), r.at).reshape(most, -1)
            other = np.flatnonzero((run[:, :3] != (kind, 1, tags)).any(axis=1))
            n = int(other[0]) if other.size else most
            rows = run[:n, 3:]
            r.at += n * 4 * (3 + width)
        read += n
        if kind in found:
            tag = rows[:, 1] if tags else np.zeros(n, np.int32)
            found[kind].append((rows[:, 0], tag, rows[:, 1 + tags :]))
    return {kind: _joined(blocks, NODES_OF[kind]) for kind, blocks in found.items()}


def _joined(
    blocks: list[tuple[NDArray[np.int32], ...]], corners: int
) -> tuple[NDArray[np.int32], ...]:
    if not blocks:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty((0, corners), np.int32)
    return tuple(np.concatenate(part).astype(np.int32) for part in zip(*blocks, strict=True))


def _data(r: _Reader) -> tuple[str, NDArray[np.int32], NDArray[np.float64]]:
    """Return name, numbers and values of a $NodeData or $ElementData section."""
    texts = [r.line().strip('"') for _ in range(_few(r))]
    for _ in range(_few(r)):
        r.line()  # time value
    tags = [r.numbers(1, "integer tag of the data")[0] for _ in range(_few(r))]
    if not texts or len(tags) < 3 or not 1 <= tags[1] <= 9 or tags[2] < 0:
        raise r.fail("a name and (step, components 1…9, entries) before the data")
    components, n = tags[1], tags[2]
    dtype = np.dtype([("id", f"{r.order}i4"), ("v", f"{r.order}f8", (components,))])
    rows = r.records(dtype, n, f"entries of {texts[0]!r}")
    values = rows["v"].astype(np.float64)
    return texts[0], rows["id"].astype(np.int32), values[:, 0] if components == 1 else values


def _few(r: _Reader) -> int:
    n = r.count("tags of the data")
    if n > 64:
        raise r.fail("at most 64 tags on the line before")
    return n


def write_msh(path: Path | str, mesh: Msh) -> None:
    """Write a binary mesh file of version 2.2, in millimetres, whole or not at all.

    Element data given for one kind of element only is written for that kind only.
    """
    with whole_file(Path(path)) as part, part.open("wb") as file:
        file.write(b"$MeshFormat\n2.2 1 8\n")
        file.write(np.array([1], "<i4").tobytes())
        file.write(b"\n$EndMeshFormat\n$Nodes\n%d\n" % len(mesh.nodes))
        rows = np.empty(len(mesh.nodes), [("id", "<i4"), ("x", "<f8", 3)])
        rows["id"] = np.arange(1, len(rows) + 1)
        rows["x"] = mesh.nodes / MM
        file.write(rows.tobytes())
        file.write(b"\n$EndNodes\n$Elements\n%d\n" % (len(mesh.triangles) + len(mesh.tets)))
        first = 1
        for kind, corners, tags in (
            (TRIANGLE, mesh.triangles, mesh.triangle_tags),
            (TETRAHEDRON, mesh.tets, mesh.tet_tags),
        ):
            if not len(corners):
                continue
            number = np.arange(first, first + len(corners))
            table = np.column_stack([number, tags, tags, corners + 1]).astype("<i4")
            file.write(np.array([kind, len(corners), 2], "<i4").tobytes())
            file.write(table.tobytes())
            first += len(corners)
        file.write(b"\n$EndElements\n")
        for name, values in mesh.node_data.items():
            _write_data(file, "NodeData", name, np.arange(1, len(values) + 1), values)
        n = len(mesh.triangles)
        for name in {**mesh.triangle_data, **mesh.tet_data}:
            ids, parts = [], []
            for offset, data in ((1, mesh.triangle_data), (1 + n, mesh.tet_data)):
                if name in data:
                    ids.append(np.arange(len(data[name])) + offset)
                    parts.append(data[name])
            _write_data(file, "ElementData", name, np.concatenate(ids), np.concatenate(parts))


def _write_data(
    file: Any, section: str, name: str, ids: NDArray[np.int_], values: NDArray[np.float64]
) -> None:
    values = values.reshape(len(values), -1)
    rows = np.empty(len(values), [("id", "<i4"), ("v", "<f8", (values.shape[1],))])
    rows["id"], rows["v"] = ids, values
    head = f'${section}\n1\n"{name}"\n1\n0.0\n3\n0\n{values.shape[1]}\n{len(values)}\n'
    file.write(head.encode() + rows.tobytes() + f"\n$End{section}\n".encode())
