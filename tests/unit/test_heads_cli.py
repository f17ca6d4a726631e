"""``rheobase heads …``: what it prints, writes and refuses, run in this process."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from rheobase._cli_options import parse_options
from rheobase._errors import InputError
from rheobase._heads_cli import app
from rheobase.head_views import cut_scene, head_sections, middle
from rheobase.meshes.files.msh import read_msh
from rheobase.meshes.heads import head_names, read_head, sphere
from rheobase.meshes.store import save_head
from rheobase.scenes import picture

SMALL = ["--option", "radii_mm=[60.0, 90.0]", "--option", 'layers=["csf", "scalp"]']
SMALL += ["--option", "sigma_S_per_m=[1.0, 0.3]", "--edge-length-mm", "20"]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RHEOBASE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("RHEOBASE_PROGRESS", "off")
        patch.delenv("DISPLAY", raising=False)
        patch.delenv("WAYLAND_DISPLAY", raising=False)
        yield


def run(*arguments: str | Path, status: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if isinstance(result.exception, InputError):
        raise result.exception
    assert result.exit_code == status, result.output
    return result.output


def test_list_is_the_default_verb() -> None:
    assert run() == run("list")
    rows = json.loads(run("list", "--json"))
    assert tuple(r["name"] for r in rows) == head_names()
    assert all(r["what"] and r["space"] and r["species"] for r in rows)


def test_build_writes_head_and_meshes(tmp_path: Path) -> None:
    files = [tmp_path / f"ball.{end}" for end in ("h5", "msh", "vtu")]
    outs = [a for f in files for a in ("--out", str(f))]
    printed = run("build", "sphere", *SMALL, *outs)
    assert "smallest dihedral angle" in printed
    assert "csf (label 3): 8" in printed  # 4/3 pi 60³ = 905 cm³, with edges of 20 mm less
    assert str(files[1]) in printed
    head = read_head(files[0])
    mesh = read_msh(files[1])
    np.testing.assert_array_equal(mesh.tet_tags, head.mesh.labels)
    np.testing.assert_allclose(mesh.nodes, head.mesh.nodes, atol=1e-12)
    assert set(np.unique(mesh.triangle_tags)) == {1003, 1005}
    again = read_head(files[1])
    assert again.mesh.tissue_volumes() == pytest.approx(head.mesh.tissue_volumes())
    import pyvista as pv

    grid = pv.read(files[2])
    np.testing.assert_array_equal(grid.cell_data["label"], head.mesh.labels)
    assert set(grid.cell_data["conductivity (S/m)"]) == {0.3, 1.0}
    back = read_head(files[2])  # in metres, as the file says
    assert back.provenance["unit"] == "m"
    np.testing.assert_array_equal(back.mesh.nodes, head.mesh.nodes)
    np.testing.assert_array_equal(back.mesh.tets, head.mesh.tets)
    np.testing.assert_array_equal(back.mesh.labels, head.mesh.labels)
    record = json.loads(run("build", "sphere", *SMALL, "--json"))
    assert record["quality"]["n_tets"] == len(head.mesh.tets)


def test_info_of_a_name_and_of_a_file(tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text("tissue,property,value,source\nscalp,conductivity,0.25,own measurement\n")
    printed = run("info", "sphere", *SMALL, "--tissues", table)
    assert "sphere (human), space sphere" in printed
    assert "0.25" in printed
    assert "own measurement" in printed
    assert "nasion: 0, 90, 0 mm" in printed
    assert "10,242 columns" in printed
    record = json.loads(run("info", "sphere", *SMALL, "--json"))
    assert record["tissues"][0]["name"] == "csf"
    assert record["cortex"]["thickness_mm"] == pytest.approx([3.0, 3.0, 3.0])


def test_check_passes_and_fails(tmp_path: Path) -> None:
    assert "fails" not in run("check", "sphere", *SMALL)
    head = sphere.build(
        edge_length_mm=20.0,
        radii_mm=(60.0, 90.0),
        layers=("csf", "scalp"),
        sigma_S_per_m=(1.0, 0.3),
    )
    for name, p in head.positions.items():
        head.positions[name] = p * [-1, 1, 1]  # type: ignore[index]
    save_head(tmp_path / "mirrored.h5", head)
    printed = run("check", tmp_path / "mirrored.h5", status=1)
    assert "fails  landmarks" in printed
    assert "wrong side" in printed
    findings = json.loads(run("check", tmp_path / "mirrored.h5", "--json", status=1))
    assert {"topic", "level", "text"} == set(findings[0])


def test_view_writes_a_picture(tmp_path: Path) -> None:
    from matplotlib.image import imread

    out = tmp_path / "ball.png"
    assert str(out) in run("view", "sphere", *SMALL, "--at-mm", "5,0,10", "--out", out)
    picture = imread(out)
    assert picture.shape[1] > 1000
    assert picture[..., :3].std() > 0.05  # not an empty page
    with pytest.raises(InputError, match=r"expected --at-mm within the head, .* mm, got '900,0,0'"):
        run("view", "sphere", *SMALL, "--at-mm", "900,0,0", "--out", out)


def test_sections_show_each_tissue_in_its_place() -> None:
    head = sphere.build(
        edge_length_mm=20.0,
        radii_mm=(60.0, 90.0),
        layers=("csf", "scalp"),
        sigma_S_per_m=(1.0, 0.3),
    )
    figure = head_sections(head, elements=False)
    assert [p.get_xlabel() for p in figure.axes] == ["x (mm)", "x (mm)", "y (mm)"]
    assert [p.get_ylabel() for p in figure.axes] == ["y (mm)", "z (mm)", "z (mm)"]
    letters = [{t.get_text() for t in p.texts} for p in figure.axes]
    assert letters == [{"L", "R", "P", "A"}, {"L", "R", "I", "S"}, {"P", "A", "I", "S"}]
    legend = [t.get_text() for t in figure.legends[0].get_texts()]
    assert legend[0].startswith("3 csf, ")
    assert legend[1].startswith("5 scalp, ")
    assert np.abs(middle(head)).max() < 1e-3
    image = np.zeros((10, 10, 10))
    affine = np.diag([0.02, 0.02, 0.02, 1.0])
    affine[:3, 3] = -0.09
    on_image = head_sections(head, image=(image, affine))
    assert len(on_image.axes[0].images) == 1


def test_cut_scene_takes_the_corner_out(tmp_path: Path) -> None:
    head = sphere.build(
        edge_length_mm=20.0,
        radii_mm=(60.0, 90.0),
        layers=("csf", "scalp"),
        sigma_S_per_m=(1.0, 0.3),
    )
    scene = cut_scene(head, at=np.zeros(3))
    inner = scene["csf"].points
    assert ((inner * [-1, 1, 1]) > 0.02).all(axis=1).sum() == 0
    assert len(scene["scalp"].points)
    picture(scene, tmp_path / "cut.png")  # may be False without OpenGL, but never raises


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("build", "mni153"), "unknown head 'mni153', nearest: mni152"),
        (("build", "none.nii"), "no such file or folder: none.nii"),
        (("build", "rat", "--out", "a.stl"), r"expected --out ending in \.h5, \.msh, \.vtu"),
        (("build", "rat", "--resolution", "fine"), "unknown option 'resolution'"),
        (("build", "mni152", "--resolution", "cors"), "unknown resolution 'cors'"),
        (("info", "rat", "--option", "edge"), "expected --option name=value, got 'edge'"),
        (("info", "rat", "--species", "human"), "unknown option 'species'"),
        (("view", "rat"), "no display to open a window on: give --out"),
        (("view", "rat", "--out", "a.jpg"), r"ending in \.png"),
        (("view", "rat", "--at-mm", "1,2", "--out", "a.png"), "expected --at-mm x,y,z"),
        (("check", "rat", "--tissues", "none.csv"), "cannot read the tissue table"),
    ],
)
def test_refusals_come_before_the_work(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(*arguments)


def test_options_are_toml_or_text() -> None:
    assert parse_options(["a=1", "b=[1, 2]", "c=C2 barrel", 'd="x"', "e=true"]) == {
        "a": 1,
        "b": [1, 2],
        "c": "C2 barrel",
        "d": "x",
        "e": True,
    }
