"""Surfaces: reading, closing, nesting, and the heads made of them."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.files.closed import closed, edges_of, enclosed_volume
from rheobase.meshes.files.nested import nested
from rheobase.meshes.files.surfaces import Surface, is_surface, read_surface
from rheobase.meshes.heads.from_surfaces import (
    head_from_surfaces,
    surface_files,
    tissue_of_file,
)
from rheobase.meshes.tissues import load_tissues

NAMES = {5: "scalp", 4: "skull", 2: "grey_matter"}


def sphere(radius: float, centre: tuple[float, float, float] = (0, 0, 0), n: int = 4) -> Surface:
    import pyvista as pv

    ball = pv.Icosphere(radius=radius, center=centre, nsub=n)
    return Surface(
        points=np.asarray(ball.points, np.float64),
        triangles=ball.faces.reshape(-1, 4)[:, 1:].astype(np.int32),
    )


def volume_of(radius: float) -> float:
    return float(4 / 3 * np.pi * radius**3)


def write_gifti(path: Path, surface: Surface, xform: Any = None, **options: Any) -> Path:
    import nibabel as nib

    gifti: Any = nib.gifti
    space = gifti.GiftiCoordSystem(
        dataspace=options.get("dataspace", 0),
        xformspace=options.get("xformspace", 0),
        xform=xform,
    )
    points = gifti.GiftiDataArray(
        (surface.points * 1e3).astype(np.float32),
        intent="NIFTI_INTENT_POINTSET",
        coordsys=space,
        meta=gifti.GiftiMetaData(options.get("meta", {})),
    )
    triangles = gifti.GiftiDataArray(surface.triangles, intent="NIFTI_INTENT_TRIANGLE")
    nib.save(gifti.GiftiImage(darrays=[points, triangles]), path)
    return path


def test_gifti_and_where_its_points_are(tmp_path: Path) -> None:
    ball = sphere(0.05, n=2)
    shift = np.eye(4)
    shift[:3, 3] = [1.0, 2.0, 3.0]
    centre = {"VolGeomC_R": "1.0", "VolGeomC_A": "2.0", "VolGeomC_S": "3.0"}
    cases: list[tuple[dict[str, Any], bool, int]] = [
        ({}, False, 0),
        ({"xform": shift, "dataspace": 0, "xformspace": 1}, True, 1),
        ({"xform": shift, "dataspace": 0, "xformspace": 0}, False, 1),
        # as FreeSurfer writes it: the way to Talairach, which is not the subject's own space
        ({"xform": 2 * shift, "dataspace": 0, "xformspace": 3}, False, 1),
        ({"xform": 2 * shift, "dataspace": 0, "xformspace": 3, "meta": centre}, True, 2),
        ({"xform": shift, "dataspace": 1, "xformspace": 1, "meta": centre}, False, 0),
        ({"meta": centre}, True, 1),
    ]
    for options, moved, n_notes in cases:
        found = read_surface(write_gifti(tmp_path / "lh.pial.surf.gii", ball, **options))
        wanted = ball.points + (np.array([1e-3, 2e-3, 3e-3]) if moved else 0.0)
        np.testing.assert_allclose(found.points, wanted, atol=1e-8)
        np.testing.assert_array_equal(found.triangles, ball.triangles)
        assert len(found.notes) == n_notes
    whole = (tmp_path / "lh.pial.surf.gii").read_bytes()
    (tmp_path / "cut.gii").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cannot read .*cut\.gii as GIfTI"):
        read_surface(tmp_path / "cut.gii")
    (tmp_path / "lie.gii").write_bytes(whole.replace(b'Dim0="162"', b'Dim0="9999999999"'))
    with pytest.raises(InputError, match=r"cannot read .*lie\.gii"):
        read_surface(tmp_path / "lie.gii")


def test_freesurfer(tmp_path: Path) -> None:
    import nibabel as nib
    import nibabel.freesurfer.io

    ball = sphere(0.05, n=2)
    write: Any = nib.freesurfer.io.write_geometry
    path = tmp_path / "lh.pial"
    volume = {
        "head": [2, 0, 20],
        "valid": "1  # volume info valid",
        "filename": "x",
        "volume": [256, 256, 256],
        "voxelsize": [1.0, 1.0, 1.0],
        "xras": [-1.0, 0.0, 0.0],
        "yras": [0.0, 0.0, -1.0],
        "zras": [0.0, 1.0, 0.0],
        "cras": [1.0, 2.0, 3.0],
    }
    write(path, ball.points * 1e3, ball.triangles, volume_info=volume)
    assert is_surface(path)
    found = read_surface(path)
    np.testing.assert_allclose(found.points, ball.points + np.array([1e-3, 2e-3, 3e-3]), atol=1e-8)
    assert found.notes == ("FreeSurfer's offset [1.0, 2.0, 3.0] mm added",)
    write(path, ball.points * 1e3, ball.triangles)
    assert read_surface(path).notes == (
        "no volume geometry in the file: coordinates taken as they are",
    )
    whole = path.read_bytes()
    counts = struct.pack(">2i", len(ball.points), len(ball.triangles))
    for lie in (struct.pack(">2i", 2**31 - 1, 5), struct.pack(">2i", -5, 5)):
        path.write_bytes(whole.replace(counts, lie))
        with pytest.raises(InputError, match="by its header"):
            read_surface(path)
    for length in (3, 20, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"lh\.pial"):
            read_surface(path)


def write_stl(path: Path, surface: Surface) -> Path:
    """Binary STL in mm: each triangle has corners of its own."""
    rows = np.zeros(len(surface.triangles), [("n", "<f4", 3), ("x", "<f4", (3, 3)), ("a", "<u2")])
    rows["x"] = surface.points[surface.triangles] * 1e3
    path.write_bytes(b"\0" * 80 + struct.pack("<I", len(rows)) + rows.tobytes())
    return path


def test_stl_ply_and_files_that_lie(tmp_path: Path) -> None:
    ball = sphere(0.05, n=3)
    found = read_surface(write_stl(tmp_path / "a.stl", ball))
    assert len(found.points) == len(ball.points)
    assert not len(edges_of(found.triangles).open)
    assert enclosed_volume(found) == pytest.approx(enclosed_volume(ball), rel=1e-6)
    text = "ply\nformat ascii 1.0\nelement vertex {}\nproperty float x\nproperty float y\n"
    text += "property float z\nelement face 1\nproperty list uchar int vertex_indices\n"
    text += "end_header\n0 0 0\n10 0 0\n0 10 0\n3 0 1 {}\n"
    (tmp_path / "a.ply").write_text(text.format(3, 2))
    assert read_surface(tmp_path / "a.ply", unit="cm").points.max() == pytest.approx(0.1)
    for vertices, corner in ((3, 7), (999_999_999_999, 2)):
        (tmp_path / "a.ply").write_text(text.format(vertices, corner))
        with pytest.raises(InputError, match=r"a\.ply"):
            read_surface(tmp_path / "a.ply")
    with pytest.raises(InputError, match="expected a surface "):
        read_surface(write_text(tmp_path / "a.txt"))
    with pytest.raises(InputError, match="found none"):
        read_surface(tmp_path / "none.stl")


def write_text(path: Path) -> Path:
    path.write_text("nothing")
    return path


def test_closing() -> None:
    ball = sphere(0.05, n=3)
    assert closed(ball, "x").notes == ()
    inside_out = Surface(points=ball.points, triangles=ball.triangles[:, ::-1])
    assert closed(inside_out, "x").notes == ("turned: it was inside out",)
    assert enclosed_volume(closed(inside_out, "x")) > 0
    # a triangle, and all triangles around a vertex
    around = (ball.triangles == ball.triangles[-1, 0]).any(axis=1)
    holes = ~around
    holes[0] = False
    found = closed(Surface(points=ball.points, triangles=ball.triangles[holes]), "x")
    assert found.notes == (f"2 small holes filled ({3 + around.sum()} open edges)",)
    assert not len(edges_of(found.triangles).open)
    assert edges_of(found.triangles).turned == 0
    assert enclosed_volume(found) == pytest.approx(enclosed_volume(ball), rel=1e-2)
    half = ball.points[ball.triangles].mean(axis=1)[:, 2] > 0
    n_open = len(edges_of(ball.triangles[half]).open)
    with pytest.raises(InputError, match=rf"got {n_open} open edges.*: half\.stl"):
        closed(Surface(points=ball.points, triangles=ball.triangles[half]), "half.stl")
    turned = ball.triangles.copy()
    turned[0] = turned[0, ::-1]
    notes = closed(Surface(points=ball.points, triangles=turned), "x").notes
    assert notes == ("the orientation changes across 3 edges",)
    thin = np.array([[0, 1, 2], [0, 2, 1]], np.int32)
    with pytest.raises(InputError, match="a flat one"):
        closed(Surface(points=ball.points, triangles=thin), "x")


def test_indicators_tie_on_the_surfaces() -> None:
    """Between voxels of 4 mm, ties lie within 0.1 mm of the spheres (curvature: h²/8R)."""
    centre = (0.001, 0.002, 0.0005)
    shells = {5: [sphere(0.05, centre)], 4: [sphere(0.04, centre)], 2: [sphere(0.034, centre)]}
    field = nested(shells, 0.004, NAMES, reach=0.01)
    assert field.labels == (0, 5, 4, 2)
    directions = np.random.default_rng(0).normal(size=(300, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for radius, outer, inner in ((0.05, 0, 1), (0.04, 1, 2), (0.034, 2, 3)):
        low, high = np.full(300, radius - 2e-3), np.full(300, radius + 2e-3)
        for _ in range(30):
            middle = 0.5 * (low + high)
            f = field(centre + middle[:, None] * directions)
            out = f[:, outer] > f[:, inner]
            low, high = np.where(out, low, middle), np.where(out, middle, high)
        assert np.abs(low - radius).max() < 1.5e-4
        assert set(f.argmax(axis=1)) == {outer, inner}
    slope = field(centre + 0.045 * directions)
    assert (slope.argmax(axis=1) == 1).all()
    np.testing.assert_allclose(slope[:, 1], 0.005, atol=2e-4)
    volumes = field.volumes()
    for label, radius, inner_radius in ((5, 0.05, 0.04), (4, 0.04, 0.034), (2, 0.034, 0.0)):
        wanted = volume_of(radius) - volume_of(inner_radius)
        assert volumes[label] == pytest.approx(wanted, rel=0.005)
    with pytest.raises(InputError, match="most 2e"):
        nested(shells, 1e-5, NAMES)
    with pytest.raises(InputError, match="that of skull holds none"):
        nested({5: shells[5], 4: [sphere(1e-4, (0.0017, 0.0017, 0.0017))]}, 0.004, NAMES)


def test_hemispheres_and_surfaces_that_cross() -> None:
    halves = [sphere(0.02, (-0.015, 0, 0)), sphere(0.02, (0.015, 0, 0))]
    field = nested({2: halves, 5: [sphere(0.034)]}, 0.002, NAMES)
    image = field.image()
    one = nested({2: halves[:1]}, 0.002, NAMES).image()
    both = np.count_nonzero(image == 2) * 0.002**3
    assert both == pytest.approx(2 * 4 / 3 * np.pi * 0.02**3 - 2.2e-6, rel=0.05)  # they overlap
    assert np.count_nonzero(one) * 0.002**3 == pytest.approx(4 / 3 * np.pi * 0.02**3, rel=0.02)
    assert len(field.notes) == 1
    assert "grey_matter crosses that of scalp" in field.notes[0]


def test_tissues_of_files(tmp_path: Path) -> None:
    names = {
        "scalp.stl": "scalp",
        "lh.white": "white_matter",
        "rh.pial.surf.gii": "grey_matter",
        "outer_skull.stl": None,
        "CSF-1.ply": "csf",
        "white_matter.vtp": "white_matter",
    }
    for name, tissue in names.items():
        assert tissue_of_file(Path(name)) == tissue, name
    for name in ("scalp.stl", "skull_1.stl", "skull_2.stl", "notes.txt"):
        (tmp_path / name).touch()
    files, _ = surface_files(tmp_path, load_tissues())
    assert {k: len(v) for k, v in files.items()} == {"scalp": 1, "skull": 2}
    (tmp_path / "blob.stl").touch()
    with pytest.raises(InputError, match=r"got blob\.stl"):
        surface_files(tmp_path, load_tissues())
    table = tmp_path / "surfaces.csv"
    table.write_text("tissue,file\nfat,blob.stl\nfat,scalp.stl\n")
    files, _ = surface_files(table, load_tissues())
    assert files == {"fat": [tmp_path / "blob.stl", tmp_path / "scalp.stl"]}
    table.write_text("tissue,name\nfat,blob.stl\n")
    with pytest.raises(InputError, match="columns tissue and file, line 2"):
        surface_files(table, load_tissues())
    with pytest.raises(InputError, match="nearest: scalp"):
        surface_files({"scelp": "a.stl"}, load_tissues())
    empty: tuple[dict[str, Any], ...] = ({}, {"scalp": []})
    for nothing in empty:
        with pytest.raises(InputError, match="at least one surface"):
            surface_files(nothing, load_tissues())


def test_head_from_surfaces(tmp_path: Path) -> None:
    centre = (0.003, -0.002, 0.001)
    radii = {"white_matter": 0.03, "grey_matter": 0.038, "csf": 0.046, "scalp": 0.06}
    for k, (name, radius) in enumerate(radii.items()):
        write_gifti(tmp_path / f"{'lh.' * (k == 0)}{name}.gii", sphere(radius, centre))
    ends = {"nasion": (3, 58, 1), "inion": (3, -62, 1), "lpa": (-57, -2, 1), "rpa": (63, -2, 1)}
    head = head_from_surfaces(tmp_path, edge_length_mm=6.0, fiducials_mm=ends, columns=500)
    assert {t.name for t in head.tissues.values()} == set(radii)
    assert set(head.provenance["inputs"]) == {str(p) for p in tmp_path.glob("*.gii")}
    volumes = head.mesh.tissue_volumes()
    inner = 0.0
    for name, radius in radii.items():
        wanted = volume_of(radius) - volume_of(inner)
        assert volumes[head.label_of(name)] == pytest.approx(wanted, rel=0.02), name
        inner = radius
    outside: NDArray[np.float64] = head.mesh.nodes[np.unique(head.mesh.boundary())] - centre
    off = np.linalg.norm(outside, axis=1) - 0.06
    assert np.sqrt(np.mean(off**2)) < 1.5e-4
    assert head.cortex is not None
    assert np.median(head.cortex.thickness) == pytest.approx(0.008, rel=0.1)
    np.testing.assert_allclose(head.position("Cz") * 1e3, [3, -2, 61], atol=0.5)
    with pytest.raises(InputError, match="are its numbers"):
        head_from_surfaces(
            {"scalp": write_stl(tmp_path / "m.stl", sphere(60.0, n=2))}, edge_length_mm=6.0
        )
    with pytest.raises(InputError, match="spacing_mm must be > 0"):
        head_from_surfaces(tmp_path, spacing_mm=-1)
