"""Which reader takes which path, and what is refused before anything is read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.meshes.files.msh import Msh, write_msh
from rheobase.meshes.heads import (
    BUILT_IN,
    build_head,
    check_building,
    check_reading,
    read_head,
    readers,
    sphere,
)
from rheobase.meshes.store import save_head


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path / "cache"))


def two_tets(path: Path, scale_mm: float = 100.0) -> Path:
    nodes = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1.0]]) * scale_mm
    mesh = Msh(
        nodes_mm=nodes,
        triangles=np.empty((0, 3), np.int32),
        triangle_tags=np.empty(0, np.int32),
        tets=np.array([[0, 1, 2, 3], [1, 2, 3, 4]], np.int32),
        tet_tags=np.array([2, 5], np.int32),
    )
    write_msh(path, mesh)
    return path


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("a.nii", readers.IMAGE),
        ("a.NII.GZ", readers.IMAGE),
        ("a.mgz", readers.IMAGE),
        ("a.msh", readers.MSH),
        ("a.vtu", readers.MESH),
        ("surfaces.csv", readers.SURFACES),
        ("a.h5", None),
    ],
)
def test_reader_by_name(tmp_path: Path, name: str, reader: Any) -> None:
    path = tmp_path / name
    path.write_bytes(b"x")
    assert readers.reader_of(path) is reader


def test_reader_of_folders_and_several(tmp_path: Path) -> None:
    subject = tmp_path / "m2m_ernie"
    subject.mkdir()
    assert readers.reader_of(subject) is readers.M2M
    maps = tmp_path / "maps"
    maps.mkdir()
    with pytest.raises(InputError, match="an empty one"):
        readers.reader_of(maps)
    for k in (1, 2):
        (maps / f"c{k}.nii").write_bytes(b"x")
    assert readers.reader_of(maps) is readers.MAPS
    assert readers.reader_of([maps / "c1.nii", maps / "c2.nii"]) is readers.MAPS
    stl = tmp_path / "scalp.stl"
    stl.write_text("solid x\nendsolid x\n")
    assert readers.reader_of({"scalp": stl, "skull": [stl]}) is readers.SURFACES
    with pytest.raises(InputError, match="one surface makes no head"):
        readers.reader_of(stl)
    with pytest.raises(InputError, match="no such file"):
        readers.reader_of({"scalp": tmp_path / "none.stl"})
    other = tmp_path / "notes.docx"
    other.write_bytes(b"x")
    with pytest.raises(InputError, match="expected a head in a file ending in"):
        readers.reader_of(other)


def test_options_are_checked_before_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.msh"
    path.write_bytes(b"no mesh at all")  # would fail if it were read
    with pytest.raises(InputError, match="unknown option 'lables', nearest: labels: a Gmsh mesh"):
        check_reading(path, {"lables": 3})
    with pytest.raises(InputError, match=r"edge_length_mm = 3.0 belongs to a labelled image"):
        read_head(path, edge_length_mm=3.0)
    image = tmp_path / "a.nii"
    image.write_bytes(b"no image")
    with pytest.raises(InputError, match="edge_length_mm must be > 0, got -1"):
        read_head(image, edge_length_mm=-1.0)
    with pytest.raises(InputError, match="unknown species 'cat'"):
        read_head(image, species="cat")
    with pytest.raises(InputError, match="no such file or folder"):
        read_head(tmp_path / "none.nii")


def test_reads_a_mesh_with_own_tissues(tmp_path: Path) -> None:
    path = two_tets(tmp_path / "two.msh")
    head = read_head(path, tissues={"scalp": {"conductivity": 0.25}})
    assert {t.name: t.sigma for t in head.tissues.values()} == {"grey_matter": 0.275, "scalp": 0.25}
    own = {"tumour": {"label": 60, "conductivity": 0.9}}
    marked = read_head(path, labels={2: "grey_matter", 5: "tumour"}, tissues=own)
    assert marked.label_of("tumour") == 60
    assert marked.sigma().tolist() == [0.275, 0.9]
    with pytest.raises(InputError, match="head of a mouse"):
        read_head(two_tets(tmp_path / "large.msh", 200.0), species="mouse")
    with pytest.raises(InputError, match="mm wide"):
        read_head(two_tets(tmp_path / "metres.msh", 0.1))


def test_reads_what_it_wrote(tmp_path: Path) -> None:
    head = sphere.build(
        edge_length_mm=20.0,
        radii_mm=(60.0, 90.0),
        layers=("csf", "scalp"),
        sigma_S_per_m=(1.0, 0.3),
    )
    save_head(tmp_path / "ball.h5", head)
    again = read_head(tmp_path / "ball.h5")
    assert again.tissues == head.tissues
    np.testing.assert_array_equal(again.mesh.tets, head.mesh.tets)
    with pytest.raises(InputError, match=r"edge_length_mm = 3\.0 belongs to"):
        read_head(tmp_path / "ball.h5", edge_length_mm=3.0)


def test_built_in_heads_are_declared_rightly(tmp_path: Path) -> None:
    for name in ("sphere", "slab-mouse", "rat"):
        edge = {"sphere": 4.9, "slab-mouse": 0.4, "rat": 1.2}[name]
        head = build_head(name, edge_length_mm=edge)
        declared = BUILT_IN[name]
        assert head.space == declared.space
        assert head.species == declared.species
        assert set(declared.positions) == {*head.positions, *head.fiducials}
        assert build_head(name, edge_length_mm=edge).mesh.nodes.shape == head.mesh.nodes.shape
        assert len(list((tmp_path / "cache/heads").glob(f"{name}-*"))) == 1  # read, not built anew
    changed = build_head("rat", edge_length_mm=1.2, tissues={"skull": {"conductivity": 0.02}})
    assert changed.tissues[changed.label_of("skull")].sigma == 0.02
    assert len(list((tmp_path / "cache/heads").glob("rat-*"))) == 1  # the mesh is the same


def test_building_is_checked() -> None:
    with pytest.raises(InputError, match="unknown resolution 'cors', nearest: coarse"):
        check_building("mni152", {"resolution": "cors"})
    with pytest.raises(InputError, match="either resolution or edge_length_mm"):
        check_building("mni152", {"resolution": "fine", "edge_length_mm": 3.0})
    with pytest.raises(InputError, match="unknown option 'resolution'"):
        check_building("rat", {"resolution": "fine"})
    with pytest.raises(InputError, match="edge_length_mm must be > 0"):
        check_building("rat", {"edge_length_mm": float("nan")})
