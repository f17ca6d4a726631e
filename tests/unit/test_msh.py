"""Gmsh's mesh format: bit-equal round trips, other writers' layouts, and files that lie."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rheobase._errors import InputError
from rheobase.meshes.files.msh import Msh, read_msh, write_msh

SAMPLES = Path(__file__).parents[3] / "shared/data/simnibs"
WAYS: dict[str, dict[str, Any]] = {
    f"{version} {'binary' if binary else 'text'}{' big-endian' if big else ''}": {
        "version": version,
        "binary": binary,
        "big_endian": big,
    }
    for version in ("2.2", "4.1")
    for binary, big in ((True, False), (True, True), (False, False))
}
ways = pytest.mark.parametrize("way", list(WAYS))


def sample() -> Msh:
    rng = np.random.default_rng(3)
    return Msh(
        nodes_mm=rng.normal(size=(6, 3)) * 50,
        triangles=np.array([[0, 1, 2], [1, 2, 3]], np.int32),
        triangle_tags=np.array([1005, 1001], np.int32),
        tets=np.array([[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]], np.int32),
        tet_tags=np.array([5, 1, 5], np.int32),
        node_data={"v": rng.normal(size=6)},
        triangle_data={"E": rng.normal(size=(2, 3))},
        tet_data={"E": rng.normal(size=(3, 3)), "magnE": rng.normal(size=3)},
        triangle_corner_data={"J": rng.normal(size=(2, 3, 3))},
        tet_corner_data={"J": rng.normal(size=(3, 4, 3)), "T": rng.normal(size=(3, 4, 9))},
        names={(2, 1001): "white surface", (3, 1): "WM"},
    )


def assert_equal(one: Msh, two: Msh) -> None:
    """Equal in every bit; NaN equals NaN."""
    for name in ("nodes_mm", "triangles", "triangle_tags", "tets", "tet_tags"):
        a, b = getattr(one, name), getattr(two, name)
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert a.tobytes() == b.tobytes()
    for name in (
        "node_data",
        "triangle_data",
        "tet_data",
        "triangle_corner_data",
        "tet_corner_data",
    ):
        a, b = getattr(one, name), getattr(two, name)
        assert list(a) == list(b)
        for key in a:
            np.testing.assert_array_equal(a[key], b[key], strict=True)
            assert (np.signbit(a[key]) == np.signbit(b[key]))[~np.isnan(a[key])].all()
    assert one.names == two.names


floats = st.floats(width=64)  # NaN, infinities, -0.0 and subnormal numbers among them
finite = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(
    st.characters(blacklist_categories=["C", "Z"], blacklist_characters='"'), max_size=9
)


@st.composite
def meshes(draw: st.DrawFn) -> Msh:
    n = draw(st.integers(1, 6))
    counts = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    tags = st.integers(-(2**31) + 1, 2**31 - 1)
    fields: dict[str, dict[str, Any]] = {"node": {}, "triangle": {}, "tet": {}}
    fields |= {"triangle_corner": {}, "tet_corner": {}}
    used = draw(st.lists(names, max_size=3, unique=True))
    for name in used:
        components = draw(st.sampled_from([1, 3, 9]))
        shape = () if components == 1 else (components,)
        for kind, m in zip(("node", "triangle", "tet"), (n, *counts), strict=True):
            if m and draw(st.booleans()):
                fields[kind][name] = draw(arrays(np.float64, (m, *shape), elements=floats))
        for kind, m, k in (("triangle_corner", counts[0], 3), ("tet_corner", counts[1], 4)):
            if m and draw(st.booleans()):
                fields[kind][name] = draw(arrays(np.float64, (m, k, components), elements=floats))
    # Sections are written in the order of the triangles' fields, then the others of the tetrahedra.
    for kind in ("", "_corner"):
        first, second = fields["triangle" + kind], fields["tet" + kind]
        order = list(first) + [k for k in second if k not in first]
        fields["tet" + kind] = {k: second[k] for k in order if k in second}
    groups = st.tuples(st.integers(0, 3), st.integers(1, 2**31 - 1))
    return Msh(
        nodes_mm=draw(arrays(np.float64, (n, 3), elements=finite)),
        triangles=draw(arrays(np.int32, (counts[0], 3), elements=st.integers(0, n - 1))),
        triangle_tags=draw(arrays(np.int32, (counts[0],), elements=tags)),
        tets=draw(arrays(np.int32, (counts[1], 4), elements=st.integers(0, n - 1))),
        tet_tags=draw(arrays(np.int32, (counts[1],), elements=tags)),
        names=draw(st.dictionaries(groups, names, max_size=3)),
        **{f"{kind}_data": v for kind, v in fields.items()},
    )


@ways
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(mesh=meshes())
def test_round_trip_keeps_every_bit(tmp_path: Path, way: str, mesh: Msh) -> None:
    write_msh(tmp_path / "a.msh", mesh, **WAYS[way])
    assert_equal(mesh, read_msh(tmp_path / "a.msh"))


@ways
def test_round_trip(tmp_path: Path, way: str) -> None:
    write_msh(tmp_path / "a.msh", sample(), **WAYS[way])
    back = read_msh(tmp_path / "a.msh")
    assert_equal(sample(), back)
    np.testing.assert_allclose(back.nodes, sample().nodes_mm * 1e-3, rtol=1e-15)


def test_field_with_unequal_components(tmp_path: Path) -> None:
    mesh = sample()
    mesh.tet_data["E"] = mesh.tet_data["magnE"]  # type: ignore[index]
    with pytest.raises(InputError, match=r"'E' with equal components.*\[3, 1\]"):
        write_msh(tmp_path / "a.msh", mesh)
    assert not (tmp_path / "a.msh").exists()


@pytest.mark.parametrize("order", ["<", ">"])
def test_header_for_every_element_and_gaps_in_the_numbers(tmp_path: Path, order: str) -> None:
    numbers = [7, 3, 100, 8]  # not in order, not from 1
    xyz = np.arange(12.0).reshape(4, 3)
    text = b"$MeshFormat\n2.2 1 8\n" + struct.pack(order + "i", 1) + b"\n$EndMeshFormat\n"
    text += b'$PhysicalNames\n1\n3 1 "white"\n$EndPhysicalNames\n$Nodes\n4\n'
    for n, x in zip(numbers, xyz, strict=True):
        text += struct.pack(order + "i3d", n, *x)
    text += b"\n$EndNodes\n$Elements\n4\n"
    text += struct.pack(order + "3i3i", 15, 1, 1, 1, 9, 7)  # a point: left out
    text += struct.pack(order + "3i6i", 2, 1, 2, 2, 1001, 1001, 7, 3, 8)
    text += struct.pack(order + "3i7i", 4, 1, 2, 5, 2, 2, 100, 3, 8, 7)
    text += struct.pack(order + "3i7i", 4, 1, 2, 4, 0, 1, 7, 3, 100, 8)  # no group: the entity
    text += b'\n$EndElements\n$ElementData\n1\n"m"\n1\n0.0\n3\n0\n1\n1\n'
    text += struct.pack(order + "id", 4, 2.5) + b"\n$EndElementData\n"
    (tmp_path / "a.msh").write_bytes(text)
    mesh = read_msh(tmp_path / "a.msh")
    np.testing.assert_array_equal(mesh.nodes_mm, xyz[[1, 0, 3, 2]])  # by number
    assert mesh.triangles.tolist() == [[1, 0, 2]]
    assert mesh.tets.tolist() == [[1, 0, 3, 2], [3, 0, 2, 1]]
    assert mesh.tet_tags.tolist() == [1, 2]
    np.testing.assert_array_equal(mesh.tet_data["m"], [2.5, np.nan])
    assert mesh.names == {(3, 1): "white"}
    assert mesh.left_out == {"point": 1}


TEXT_41 = """$MeshFormat
4.1 0 8
$EndMeshFormat
$Comments
anything
$EndComments
$Entities
1 0 1 3
9 0 0 0 0
4 0 0 0 9 9 9 1 -1005 0
1 0 0 0 9 9 9 2 17 18 1 4
2 0 0 0 9 9 9 0 0
3 0 0 0 9 9 9 0 0
$EndEntities
$Nodes
2 5 2 1000000000000
0 9 1 1
40
1 2 3
3 1 1 4
2
3
5
1000000000000
0 0 0 .5 .5 .5
1 0 0 .5 .5 .5
0 1 0 .5 .5 .5
0 0 1 .5 .5 .5
$EndNodes
$Periodic
0
$EndPeriodic
$Elements
4 4 1 9
2 4 2 1
9 2 3 5
3 2 4 1
8 2 3 5 40
0 9 15 1
1 40
3 1 4 1
3 2 3 5 1000000000000
$EndElements
$NodeData
2
"v"
"a scheme"
1
0.5
4
7
1
1
0
40 -1.5
$EndNodeData
$NodeData
1
"v"
1
1
3
8
1
1
2 4
$EndNodeData"""


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_entities_groups_and_parametric_nodes(tmp_path: Path, ending: str) -> None:
    (tmp_path / "a.msh").write_bytes(TEXT_41.replace("\n", ending).encode())
    mesh = read_msh(tmp_path / "a.msh")
    np.testing.assert_array_equal(
        mesh.nodes_mm, [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 2, 3], [0, 0, 1]]
    )
    assert mesh.triangles.tolist() == [[0, 1, 2]]
    assert mesh.triangle_tags.tolist() == [1005]  # the sign of a group is its orientation
    assert mesh.tets.tolist() == [[0, 1, 2, 4], [0, 1, 2, 3]]
    assert mesh.tet_tags.tolist() == [17, 2]  # first group; the entity where there is none
    np.testing.assert_array_equal(mesh.node_data["v"], [np.nan] * 3 + [-1.5, np.nan])
    np.testing.assert_array_equal(mesh.node_data["v (step 8)"], [4] + [np.nan] * 4)


@ways
def test_truncations_are_refused(tmp_path: Path, way: str) -> None:
    write_msh(tmp_path / "a.msh", sample(), **WAYS[way])
    whole = (tmp_path / "a.msh").read_bytes()
    end = whole.index(b"$EndElements") + len(b"$EndElements")
    last = whole.rindex(b"$ElementNodeData")
    lengths = [*range(0, end, 3), *range(last + 9, len(whole) - 1, 5), end - 1, len(whole) - 2]
    for length in lengths:
        (tmp_path / "b.msh").write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"b\.msh"):
            read_msh(tmp_path / "b.msh")


@ways
def test_flipped_bytes_never_crash(tmp_path: Path, way: str) -> None:
    write_msh(tmp_path / "a.msh", sample(), **WAYS[way])
    whole = (tmp_path / "a.msh").read_bytes()
    rng = np.random.default_rng(1)
    messages = []
    for _ in range(150):
        wrong = bytearray(whole)
        for at in rng.integers(0, len(whole), rng.integers(1, 4)):
            wrong[at] = rng.integers(0, 256)
        (tmp_path / "b.msh").write_bytes(wrong)
        try:
            mesh = read_msh(tmp_path / "b.msh")
        except InputError as error:
            messages.append(str(error))
            continue
        assert np.isfinite(mesh.nodes_mm).all()
        assert mesh.tets.max(initial=-1) < len(mesh.nodes_mm)
    assert len(messages) > 20
    assert all("b.msh" in m and "\n" not in m for m in messages)


def i4(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def i8(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


LIES: list[tuple[str, bytes, bytes, str]] = [
    ("2.2 binary", b"$Nodes\n6\n", b"$Nodes\n999999999999\n", "nodes"),
    ("2.2 binary", b"$Nodes\n6\n", b"$Nodes\n-6\n", "nodes"),
    ("2.2 binary", b"$Elements\n5\n", b"$Elements\n4000000000\n", "element"),
    ("2.2 binary", b"2.2 1 8", b"2.2 0 8", "byte"),
    ("2.2 binary", b"2.2 1 8", b"3.0 1 8", "version 2.2 or 4.1"),
    ("2.2 binary", b"2.2 1 8", b"4.1 1 8", "entit|Entit|node"),
    ("2.2 binary", i4(4, 3, 2), i4(4, 2**31 - 1, 2), "element header"),
    ("2.2 binary", i4(4, 3, 2), i4(99, 3, 2), "element header"),
    ("2.2 binary", i4(4, 3, 2), i4(4, 3, -2), "element header"),
    ("2.2 binary", i4(3, 4, 5, 6), i4(3, 4, 5, 77), "77"),
    ("2.2 binary", b'"v"\n1\n0.0\n3\n0\n1\n6\n', b'"v"\n1\n0.0\n3\n0\n1\n66666666\n', "'v'"),
    ("2.2 binary", b'"T"\n1\n0.0\n3\n0\n9\n3\n', b'"T"\n1\n0.0\n3\n0\n99\n3\n', "components"),
    ("2.2 text", b"2.2 0 8", b"2.2 1 8", "byte-order mark"),
    ("2.2 text", b"$Nodes\n6", b"$ParametricNodes\n6", "SaveParametric"),
    ("2.2 text", b"$Nodes\n6\n", b"$Nodes\n99999999999999\n", "nodes"),
    ("2.2 text", b"$Nodes\n6\n", b"$Nodes\n-1\n", "nodes"),
    ("2.2 text", b"$Elements\n5\n", b"$Elements\n6\n", "elements"),
    ("2.2 text", b"$Elements\n5\n", b"$Elements\n4\n", "elements"),
    ("2.2 text", b"\n3 4 2 5 5 1 2 3 4\n", b"\n3 4 2 5 5 1 2 3 99\n", "99"),
    ("2.2 text", b"\n3 4 2 5 5 1 2 3 4\n", b"\n3 4 2 5 5 1 2 3 x\n", "whole numbers"),
    ("2.2 text", b"\n3 4 2 5 5 1 2 3 4\n", b"\n3 4 2 5 5 1 2 3 1.5\n", "whole numbers"),
    ("2.2 text", b"\n3 4 2 5 5 1 2 3 4\n", b"\n3 4 -2 5 5 1 2 3 4\n", "type 4 with -2 tags"),
    ("2.2 text", b"\n4 4 2 1 1 2 3 4 5\n", b"\n3 4 2 1 1 2 3 4 5\n", "3 comes again"),
    ("4.1 binary", i8(1, 6, 1, 6), i8(1, 2**60, 1, 6), "nodes"),
    ("4.1 binary", i8(1, 6, 1, 6), i8(-1, 6, 1, 6), "node blocks"),
    ("4.1 binary", i8(1, 6, 1, 6), i8(1, 5, 1, 6), "5 nodes"),
    ("4.1 binary", i8(4, 5, 1, 5), i8(2**40, 5, 1, 5), "element blocks"),
    ("4.1 binary", i8(0, 0, 2, 2), i8(0, 0, 2, 2**62), "entities"),
    ("4.1 binary", i8(5, 3, 4, 5, 6), i8(5, 3, 4, 5, 2**33), "8589934592"),
    ("4.1 binary", i4(3, 1, 4) + i8(1), i4(3, 1, 77) + i8(1), "known type"),
    ("4.1 binary", b"4.1 1 8", b"4.1 1 2", "data size"),
    ("4.1 binary", b"$Entities\n", b"$PartitionedEntities\n", "partitioned"),
    ("4.1 text", b"1 6 1 6\n", b"1 99999999999 1 6\n", "nodes"),
    ("4.1 text", b"3 1 0 6\n", b"3 1 0 -6\n", "nodes"),
    ("4.1 text", b"3 1 0 6\n", b"3 1 0 5.5\n", "whole numbers"),
    ("4.1 text", b"4 5 1 5\n", b"4 50 1 5\n", "50 elements"),
    ("4.1 text", b"$Nodes\n", b"$Entities\n", "second"),
]


@pytest.mark.parametrize(("way", "old", "new", "message"), LIES)
def test_files_that_lie_are_refused(
    tmp_path: Path, way: str, old: bytes, new: bytes, message: str
) -> None:
    write_msh(tmp_path / "a.msh", sample(), **WAYS[way])
    whole = (tmp_path / "a.msh").read_bytes()
    assert whole.count(old) == 1
    (tmp_path / "a.msh").write_bytes(whole.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_msh(tmp_path / "a.msh")


@ways
def test_coordinates_that_are_no_numbers(tmp_path: Path, way: str) -> None:
    mesh = sample()
    mesh.nodes_mm[2, 1] = np.nan
    write_msh(tmp_path / "a.msh", mesh, **WAYS[way])
    with pytest.raises(InputError, match=r"finite coordinates, 1 node\(s\)"):
        read_msh(tmp_path / "a.msh")


def test_files_that_are_no_mesh(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_msh(tmp_path / "none.msh")
    for data in (b"", b"\n", b"solid x", b"$MeshFormat\n4.1 0 8\n$EndMeshFormat\n", b"\x00" * 99):
        (tmp_path / "a.msh").write_bytes(data)
        with pytest.raises(InputError, match=r"a\.msh"):
            read_msh(tmp_path / "a.msh")


@pytest.mark.parametrize("name", ["sphere3.msh", "cube.msh"])
def test_files_of_simnibs(tmp_path: Path, name: str) -> None:
    if not (SAMPLES / name).is_file():
        pytest.skip("no SimNIBS sample meshes beside the repository")
    mesh = read_msh(SAMPLES / name)
    if name == "sphere3.msh":
        assert mesh.nodes_mm.shape == (4556, 3)
        assert mesh.tets.shape == (22704, 4)
        assert np.unique(mesh.tet_tags).tolist() == [3, 4, 5]
        radius = np.linalg.norm(mesh.nodes, axis=1)
        assert radius.max() == pytest.approx(0.095, rel=1e-9)
    for way in WAYS.values():
        write_msh(tmp_path / "a.msh", mesh, **way)
        assert_equal(mesh, read_msh(tmp_path / "a.msh"))


def test_against_meshio(tmp_path: Path) -> None:
    """Meshio reads what is written here, without data (it fails on data over two kinds)."""
    import meshio

    full = sample()
    mesh = Msh(
        nodes_mm=full.nodes_mm,
        triangles=full.triangles,
        triangle_tags=full.triangle_tags,
        tets=full.tets,
        tet_tags=full.tet_tags,
        node_data=full.node_data,
    )
    for version, binary in (("2.2", True), ("2.2", False), ("4.1", True), ("4.1", False)):
        path = tmp_path / "a.msh"
        write_msh(path, mesh, version=version, binary=binary)  # type: ignore[arg-type]
        theirs = meshio.read(path)
        np.testing.assert_array_equal(theirs.points, mesh.nodes_mm)
        np.testing.assert_array_equal(theirs.point_data["v"].ravel(), mesh.node_data["v"])
        for kind, corners, tags in (
            ("triangle", mesh.triangles, mesh.triangle_tags),
            ("tetra", mesh.tets, mesh.tet_tags),
        ):
            found = np.concatenate([b.data for b in theirs.cells if b.type == kind])
            labels = np.concatenate(
                [
                    d
                    for b, d in zip(theirs.cells, theirs.cell_data["gmsh:physical"], strict=True)
                    if b.type == kind
                ]
            )
            order = np.argsort(tags, kind="stable") if version == "4.1" else slice(None)
            np.testing.assert_array_equal(found, corners[order])
            np.testing.assert_array_equal(labels, tags[order])
