"""Reading a Gmsh mesh file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.files._msh import v22, v41
from rheobase.meshes.files._msh.content import TETRAHEDRON, TRIANGLE, TYPES, Msh
from rheobase.meshes.files._msh.cursor import Cursor
from rheobase.meshes.files._msh.numbering import Numbering
from rheobase.meshes.files._msh.sections import DATA, Data, read_data, read_header, read_names

ONCE = ("Nodes", "Elements", "Entities", "PhysicalNames")


def read_msh(path: Path | str) -> Msh:
    """Read a Gmsh mesh file of version 2.2 or 4.1, binary (either byte order) or text.

    Parameters
    ----------
    path
        File in millimetres.

    Returns
    -------
    Msh
        Nodes and elements in the order of their numbers, which may leave gaps. Elements other
        than triangles and tetrahedra are counted and left out. The tag of an element is its
        physical group, or its (elementary) entity when it is in none.

    Raises
    ------
    InputError
        If the file is missing, is not of that format, is truncated, or contradicts itself.
    """
    c = Cursor(Path(path))
    version = read_header(c)
    groups: v41.Groups = {}
    nodes: tuple[NDArray[Any], NDArray[np.float64]] | None = None
    blocks: v22.Blocks | None = None
    names: dict[tuple[int, int], str] = {}
    data: list[Data] = []
    seen: set[str] = set()
    while not c.done():
        head = c.line()
        section = head[1:]
        if not head.startswith("$"):
            raise c.fail("a section ($…) on the line before")
        if section in seen:
            raise c.fail(f"one section ${section} (got a second) before")
        if section in ONCE:
            seen.add(section)
        if section == "Nodes":
            nodes = v22.read_nodes(c) if version == "2.2" else v41.read_nodes(c)
        elif section == "Elements":
            blocks = v22.read_elements(c) if version == "2.2" else v41.read_elements(c, groups)
        elif section == "Entities" and version == "4.1":
            groups = v41.read_entities(c)
        elif section == "PhysicalNames":
            names = read_names(c)
        elif section == "ParametricNodes":
            raise InputError(
                f"expected $Nodes, got $ParametricNodes: {c.path} (save it without "
                "Mesh.SaveParametric)"
            )
        elif section == "PartitionedEntities":
            raise InputError(
                f"expected a mesh in one piece, got a partitioned one: {c.path} (gmsh joins it "
                "with 'gmsh old.msh -unpartition -save -o new.msh')"
            )
        elif section in DATA:
            data.append(read_data(c, section))
        else:
            c.text(section)
        c.close(section)
    if nodes is None or blocks is None:
        raise InputError(f"expected the sections $Nodes and $Elements, got not both: {c.path}")
    return _assembled(str(c.path), nodes, blocks, names, data)


def _assembled(
    path: str,
    nodes: tuple[NDArray[Any], NDArray[np.float64]],
    blocks: v22.Blocks,
    names: dict[tuple[int, int], str],
    data: list[Data],
) -> Msh:
    numbers, xyz = nodes
    if not np.isfinite(xyz).all():
        bad = np.count_nonzero(~np.isfinite(xyz).all(axis=1))
        raise InputError(f"expected finite coordinates, {bad} node(s) have others: {path}")
    if len(numbers) > np.iinfo(np.int32).max:
        raise InputError(f"expected less than 2^31 nodes, got {len(numbers)}: {path}")
    of_node = Numbering(numbers, f"node numbers of {path}")
    numberings, tags, corners = {}, {}, {}
    for kind in (TRIANGLE, TETRAHEDRON):
        name, _, n_corners = TYPES[kind]
        ids, tag, rows = _joined(blocks.get(kind, []), n_corners)
        numbering = numberings[kind] = Numbering(ids, f"{name} numbers of {path}")
        if len(tag) and not (abs(tag) <= np.iinfo(np.int32).max).all():
            raise InputError(f"expected tags below 2^31, got others: {path}")
        tags[kind] = np.ascontiguousarray(numbering.arranged(tag), np.int32)
        corners[kind] = of_node.of(numbering.arranged(rows))
    fields: dict[str, dict[str, NDArray[np.float64]]] = {
        k: {} for k in ("node", "triangle", "tet", "triangle corner", "tet corner")
    }
    for d in data:
        _place(d, of_node, numberings, fields)
    return Msh(
        nodes_mm=np.ascontiguousarray(of_node.arranged(xyz), np.float64),
        triangles=corners[TRIANGLE],
        triangle_tags=tags[TRIANGLE],
        tets=corners[TETRAHEDRON],
        tet_tags=tags[TETRAHEDRON],
        node_data=fields["node"],
        triangle_data=fields["triangle"],
        tet_data=fields["tet"],
        triangle_corner_data=fields["triangle corner"],
        tet_corner_data=fields["tet corner"],
        names=names,
        left_out={
            TYPES[k][0]: sum(len(ids) for ids, _, _ in found)
            for k, found in sorted(blocks.items())
            if k not in (TRIANGLE, TETRAHEDRON)
        },
    )


def _place(
    d: Data,
    of_node: Numbering,
    numberings: dict[int, Numbering],
    fields: dict[str, dict[str, NDArray[np.float64]]],
) -> None:
    """Put the values of a section where they belong; a later step of a name is named as such."""
    if d.section == "NodeData":
        places = [("node", of_node, d.values)]
    elif d.section == "ElementData":
        places = [
            ("triangle", numberings[TRIANGLE], d.values),
            ("tet", numberings[TETRAHEDRON], d.values),
        ]
    else:
        places = [
            ("triangle corner", numberings[TRIANGLE], d.values[:, :3]),
            ("tet corner", numberings[TETRAHEDRON], d.values[:, :4]),
        ]
    for where, numbering, values in places:
        placed = numbering.scatter(d.numbers, values)
        if placed is not None:
            name = d.name if d.name not in fields[where] else f"{d.name} (step {d.step})"
            fields[where][name] = placed


def _joined(
    blocks: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]], corners: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    if not blocks:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, corners), np.int64)
    if len(blocks) == 1:
        return blocks[0]
    ids, tags, nodes = (np.concatenate(part) for part in zip(*blocks, strict=True))
    return ids, tags, nodes
