"""Writing a Gmsh mesh file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase._files import whole_file
from rheobase.meshes.files._msh.content import TETRAHEDRON, TRIANGLE, Fields, Msh
from rheobase.meshes.files._msh.sections import VERSIONS

LINES = 4096  # formatted at a time


def write_msh(
    path: Path | str,
    mesh: Msh,
    *,
    version: Literal["2.2", "4.1"] = "2.2",
    binary: bool = True,
    big_endian: bool = False,
) -> None:
    """Write a Gmsh mesh file, in millimetres, whole or not at all.

    `read_msh` gives nodes, tags and data back bit by bit. Nodes and elements are numbered from 1,
    triangles before tetrahedra. Text gives every number the digits that restore it.

    Parameters
    ----------
    path
        The file.
    mesh
        Its contents. Element data given for one kind of element only is written for that kind only.
    version
        "2.2" or "4.1".
    binary
        Binary or text.
    big_endian
        Byte order of a binary file.

    Raises
    ------
    InputError
        If the file cannot be written, a name does not fit on a quoted line, or a field has other
        components on triangles than on tetrahedra.
    """
    check_option("version of a Gmsh mesh", version, VERSIONS)
    path = Path(path)
    with whole_file(path) as part, part.open("wb") as file:
        out = _Writer(file, binary, ">" if big_endian else "<", path)
        file.write(f"$MeshFormat\n{version} {binary:d} 8\n".encode())
        if binary:
            out.numbers("i4", np.array([1]))
            file.write(b"\n")
        file.write(b"$EndMeshFormat\n")
        if mesh.names:
            file.write(f"$PhysicalNames\n{len(mesh.names)}\n".encode())
            for (dimension, tag), name in mesh.names.items():
                file.write(f"{dimension} {tag} {out.quoted(name)}\n".encode())
            file.write(b"$EndPhysicalNames\n")
        (_write_22 if version == "2.2" else _write_41)(out, mesh)
        for name, values in mesh.node_data.items():
            out.data("NodeData", name, np.arange(1, len(values) + 1), values)
        for name, numbers, values in _both(mesh, mesh.triangle_data, mesh.tet_data, path):
            out.data("ElementData", name, numbers, values)
        _write_corners(out, mesh)


class _Writer:
    """Writes numbers as text or in binary."""

    def __init__(self, file: BinaryIO, binary: bool, order: str, path: Path) -> None:
        self.file, self.binary, self.order, self.path = file, binary, order, path

    def quoted(self, name: str) -> str:
        """Return a name as the format quotes it."""
        if '"' in name or name.splitlines() not in ([], [name]) or len(name.encode()) > 4000:
            raise InputError(
                f"expected a name without quotes on one line, got {name!r}: {self.path}"
            )
        return f'"{name}"'

    def numbers(self, code: str, values: NDArray[Any], *, text: str = "") -> None:
        """Write binary ``values``, or rows of ``text`` such as "%d %r"."""
        if self.binary:
            self.file.write(np.ascontiguousarray(values, self.order + code).tobytes())
            return
        rows = values.reshape(len(values), -1)
        line = (text or " ".join(["%d" if code[0] == "i" else "%r"] * rows.shape[1])) + "\n"
        for at in range(0, len(rows), LINES):
            some = rows[at : at + LINES]
            self.file.write((line * len(some) % tuple(some.ravel().tolist())).encode())

    def records(self, ids: NDArray[Any], values: NDArray[np.float64], corners: int = 0) -> None:
        """Write rows of a number, the number of ``corners`` if any, and ``values``."""
        values = values.reshape(len(ids), -1)
        if self.binary:
            head = [("m", f"{self.order}i4")] if corners else []
            dtype = [("id", f"{self.order}i4"), *head, ("v", f"{self.order}f8", values.shape[1:])]
            rows = np.empty(len(ids), dtype)
            rows["id"], rows["v"] = ids, values
            if corners:
                rows["m"] = corners
            self.file.write(rows.tobytes())
            return
        line = "%d" + (f" {corners}" if corners else "") + " %r" * values.shape[1]
        both = np.column_stack([ids.astype(np.float64), values])
        self.numbers("f8", both, text=line)

    def section(self, name: str, counts: str) -> None:
        """Open a section."""
        self.file.write(f"${name}\n{counts}".encode())

    def close(self, name: str) -> None:
        """Close a section."""
        self.file.write(f"{chr(10) if self.binary else ''}$End{name}\n".encode())

    def data_head(self, section: str, name: str, components: int, n: int) -> None:
        """Open a section of data."""
        name = self.quoted(name)
        self.section(section, f"1\n{name}\n1\n0.0\n3\n0\n{components}\n{n}\n")

    def data(self, section: str, name: str, ids: NDArray[Any], v: NDArray[np.float64]) -> None:
        """Write a section of data of nodes or elements."""
        v = np.asarray(v, np.float64).reshape(len(ids), -1)
        self.data_head(section, name, v.shape[1], len(v))
        self.records(ids, v)
        self.close(section)


def _kinds(mesh: Msh) -> Iterator[tuple[int, int, int, NDArray[Any], NDArray[Any]]]:
    """Yield (dimension, type, first number, corners, tags) of the kinds that there are."""
    n = len(mesh.triangles)
    if n:
        yield 2, TRIANGLE, 1, mesh.triangles, mesh.triangle_tags
    if len(mesh.tets):
        yield 3, TETRAHEDRON, n + 1, mesh.tets, mesh.tet_tags


def _write_22(out: _Writer, mesh: Msh) -> None:
    out.section("Nodes", f"{len(mesh.nodes_mm)}\n")
    out.records(np.arange(1, len(mesh.nodes_mm) + 1), mesh.nodes_mm)
    out.close("Nodes")
    out.section("Elements", f"{len(mesh.triangles) + len(mesh.tets)}\n")
    for _, kind, first, corners, tags in _kinds(mesh):
        numbers = np.arange(first, first + len(corners))
        table = np.column_stack([numbers, tags, tags, corners.astype(np.int64) + 1])
        if out.binary:
            out.numbers("i4", np.array([kind, len(corners), 2]))
        out.numbers("i4", table, text=f"%d {kind} 2" + " %d" * (table.shape[1] - 1))
    out.close("Elements")


def _write_41(out: _Writer, mesh: Msh) -> None:
    """Write one entity, and one block of elements, for each tag.

    Elements keep the numbers of their order in ``mesh``, so that a reader can restore it.
    """
    nodes, n_nodes = mesh.nodes_mm, len(mesh.nodes_mm)
    box = np.zeros(6) if not n_nodes else np.concatenate([nodes.min(axis=0), nodes.max(axis=0)])
    found = {d: np.unique(tags) for d, _, _, _, tags in _kinds(mesh)}
    out.section("Entities", "")
    out.numbers("i8", np.array([[0, 0, len(found.get(2, ())), len(found.get(3, ()))]]))
    for tag in (int(t) for d in sorted(found) for t in found[d]):
        if out.binary:
            out.numbers("i4", np.array([tag]))
            out.numbers("f8", box)
            out.numbers("i8", np.array([int(tag > 0)]))
            out.numbers("i4", np.array([tag] if tag > 0 else []))
            out.numbers("i8", np.array([0]))
        else:
            extent = " ".join(map(repr, box.tolist()))
            group = f"1 {tag}" if tag > 0 else "0"
            out.file.write(f"{tag} {extent} {group} 0\n".encode())
    out.close("Entities")

    dimension = max(found, default=3)
    entity = int(found[dimension][0]) if found else 1
    out.section("Nodes", "")
    out.numbers("i8", np.array([[1, n_nodes, 1, n_nodes]]))
    out.numbers("i4", np.array([[dimension, entity, 0]]), text=f"%d %d %d {n_nodes}")
    if out.binary:
        out.numbers("i8", np.array([n_nodes]))
    out.numbers("i8", np.arange(1, n_nodes + 1))
    out.numbers("f8", nodes)
    out.close("Nodes")

    n_elements = len(mesh.triangles) + len(mesh.tets)
    n_blocks = sum(len(tags) for tags in found.values())
    out.section("Elements", "")
    out.numbers("i8", np.array([[n_blocks, n_elements, 1, n_elements]]))
    for dimension, kind, first, corners, tags in _kinds(mesh):
        order = np.argsort(tags, kind="stable")
        ends = np.searchsorted(tags[order], found[dimension], side="right")
        for tag, rows in zip(found[dimension], np.split(order, ends[:-1]), strict=True):
            header = np.array([[dimension, int(tag), kind]])
            out.numbers("i4", header, text=f"%d %d %d {len(rows)}")
            if out.binary:
                out.numbers("i8", np.array([len(rows)]))
            out.numbers("i8", np.column_stack([rows + first, corners[rows].astype(np.int64) + 1]))
    out.close("Elements")


def _both(
    mesh: Msh, triangles: Fields, tets: Fields, path: Path
) -> Iterator[tuple[str, NDArray[Any], NDArray[np.float64]]]:
    """Yield name, element numbers and values of the data of triangles and tetrahedra."""
    for name in {**triangles, **tets}:
        ids, parts = [], []
        for offset, fields in ((1, triangles), (1 + len(mesh.triangles), tets)):
            if name in fields:
                ids.append(np.arange(len(fields[name])) + offset)
                parts.append(np.asarray(fields[name], np.float64).reshape(len(ids[-1]), -1))
        if len({v.shape[1] for v in parts}) != 1:
            raise InputError(
                f"expected {name!r} with equal components on triangles and tetrahedra, got "
                f"{[v.shape[1] for v in parts]}: {path}"
            )
        yield name, np.concatenate(ids), np.concatenate(parts)


def _write_corners(out: _Writer, mesh: Msh) -> None:
    fields = {**mesh.triangle_corner_data, **mesh.tet_corner_data}
    for name in fields:
        components, n = fields[name].shape[2], 0
        parts = []
        for offset, data in (
            (1, mesh.triangle_corner_data),
            (1 + len(mesh.triangles), mesh.tet_corner_data),
        ):
            if name in data:
                v = np.asarray(data[name], np.float64)
                if v.shape[2] != components:
                    raise InputError(f"expected {name!r} with equal components: {out.path}")
                parts.append((np.arange(len(v)) + offset, v))
                n += len(v)
        out.data_head("ElementNodeData", name, components, n)
        for ids, v in parts:
            out.records(ids, v, corners=v.shape[1])
        out.close("ElementNodeData")
