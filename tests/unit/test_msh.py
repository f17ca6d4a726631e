"""Binary msh 2.2: round trips, other writers' layouts, and files that lie."""

import struct
from pathlib import Path

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.meshes.msh import Msh, read_msh, write_msh

SAMPLES = Path(__file__).parents[3] / "shared/data/simnibs"


def sample() -> Msh:
    rng = np.random.default_rng(3)
    return Msh(
        nodes=rng.normal(size=(6, 3)) * 0.05,
        triangles=np.array([[0, 1, 2], [1, 2, 3]], np.int32),
        triangle_tags=np.array([1001, 1005], np.int32),
        tets=np.array([[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]], np.int32),
        tet_tags=np.array([1, 2, 5], np.int32),
        node_data={"v": rng.normal(size=6)},
        triangle_data={"E": rng.normal(size=(2, 3))},
        tet_data={"E": rng.normal(size=(3, 3)), "magnE": rng.normal(size=3)},
    )


def test_round_trip(tmp_path: Path) -> None:
    mesh = sample()
    write_msh(tmp_path / "a.msh", mesh)
    back = read_msh(tmp_path / "a.msh")
    np.testing.assert_allclose(back.nodes, mesh.nodes, rtol=1e-15)
    for name in ("triangles", "triangle_tags", "tets", "tet_tags"):
        np.testing.assert_array_equal(getattr(back, name), getattr(mesh, name))
    np.testing.assert_array_equal(back.node_data["v"], mesh.node_data["v"])
    np.testing.assert_array_equal(back.triangle_data["E"], mesh.triangle_data["E"])
    np.testing.assert_array_equal(back.tet_data["E"], mesh.tet_data["E"])
    np.testing.assert_array_equal(back.tet_data["magnE"], mesh.tet_data["magnE"])
    assert np.isnan(back.triangle_data["magnE"]).all()


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
    text += struct.pack(order + "3i7i", 4, 1, 2, 4, 1, 1, 7, 3, 100, 8)
    text += b'\n$EndElements\n$ElementData\n1\n"m"\n1\n0.0\n3\n0\n1\n1\n'
    text += struct.pack(order + "id", 4, 2.5) + b"\n$EndElementData\n"
    (tmp_path / "a.msh").write_bytes(text)
    mesh = read_msh(tmp_path / "a.msh")
    np.testing.assert_allclose(mesh.nodes, xyz * 1e-3)
    assert mesh.triangles.tolist() == [[0, 1, 3]]
    assert mesh.tets.tolist() == [[2, 1, 3, 0], [0, 1, 2, 3]]
    assert mesh.tet_tags.tolist() == [2, 1]
    np.testing.assert_array_equal(mesh.tet_data["m"], [np.nan, 2.5])


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    write_msh(tmp_path / "a.msh", sample())
    whole = (tmp_path / "a.msh").read_bytes()
    end = whole.index(b"$EndElements") + len(b"$EndElements")
    for length in range(end):
        (tmp_path / "b.msh").write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"b\.msh"):
            read_msh(tmp_path / "b.msh")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"$Nodes\n6\n", b"$Nodes\n999999999999\n", "nodes"),
        (b"$Nodes\n6\n", b"$Nodes\n-6\n", "nodes"),
        (b"$Elements\n5\n", b"$Elements\n4000000000\n", "element"),
        (b"2.2 1 8", b"2.2 0 8", "binary"),
        (b"2.2 1 8", b"4.1 1 8", "version 2.2"),
        (struct.pack("<3i", 4, 3, 2), struct.pack("<3i", 4, 2**31 - 1, 2), "element header"),
        (struct.pack("<3i", 4, 3, 2), struct.pack("<3i", 99, 3, 2), "element header"),
        (struct.pack("<3i", 4, 3, 2), struct.pack("<3i", 4, 3, -2), "element header"),
        (struct.pack("<4i", 3, 4, 5, 6), struct.pack("<4i", 3, 4, 5, 77), "77"),
    ],
)
def test_headers_that_lie_are_refused(tmp_path: Path, old: bytes, new: bytes, message: str) -> None:
    write_msh(tmp_path / "a.msh", sample())
    whole = (tmp_path / "a.msh").read_bytes()
    assert whole.count(old) == 1
    (tmp_path / "a.msh").write_bytes(whole.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_msh(tmp_path / "a.msh")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_msh(tmp_path / "none.msh")


def test_simnibs_sphere() -> None:
    if not (SAMPLES / "sphere3.msh").is_file():
        pytest.skip("no SimNIBS sample meshes beside the repository")
    mesh = read_msh(SAMPLES / "sphere3.msh")
    assert mesh.nodes.shape == (4556, 3)
    assert mesh.tets.shape == (22704, 4)
    assert np.unique(mesh.tet_tags).tolist() == [3, 4, 5]
    radius = np.linalg.norm(mesh.nodes, axis=1)
    assert radius.max() == pytest.approx(0.095, rel=1e-9)
