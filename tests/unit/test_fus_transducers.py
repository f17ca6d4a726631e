"""Transducers: the catalogue, tables of elements, patterns, where they stand."""

from dataclasses import replace
from math import inf, pi
from pathlib import Path

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.acoustics.transducers.arrays import element_array, spherical_array
from rheobase.fields.acoustics.transducers.catalogue import transducer, transducer_names
from rheobase.fields.acoustics.transducers.files import read_array
from rheobase.fields.acoustics.transducers.placing import check_placed, place_transducer
from rheobase.fields.acoustics.transducers.transducer import bowl, disc
from rheobase.meshes.head import Head
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.tissues import tissue

R = 0.09


def test_every_shipped_transducer_is_what_its_row_says() -> None:
    apertures = {  # mm, from the makers' measures, with half an element at the rim
        "itrusst-sc1": 64.0,
        "itrusst-sc2": 20.0,
        "ctx-500": 64.0,
        "h246": 33.6,
        "h317": 154.0,
        "i12378": 102.5,
        "igt64-500": 65.2,
        "dome-1024": 300.0,
    }
    for name in transducer_names():
        one = transducer(name)
        assert one.reference
        assert one.status
        if name in apertures:
            assert 1e3 * one.aperture == pytest.approx(apertures[name], abs=0.1)
        assert 0 <= one.outline[:, 2].min() < 2.1e-3  # the rear vertex, elements may leave it free
        if np.isfinite(one.curvature_radius):
            way = one.focus - one.positions
            length = np.linalg.norm(way, axis=1)
            assert length == pytest.approx(one.curvature_radius, rel=1e-4)
            assert np.einsum("ij,ij->i", way, one.normals) == pytest.approx(length, rel=1e-12)
    assert [transducer(n).n_elements for n in ("ctx-500", "r15287", "h317", "dome-1024")] == [
        4,
        10,
        128,
        1024,
    ]
    with pytest.raises(InputError, match="unknown transducer 'h-317', nearest: h317"):
        transducer("h-317")


def write(path: Path, points: np.ndarray, head: str = "", mark: str = ",") -> Path:
    rows = [mark.join(f"{v:.6f}" for v in p) for p in points]
    path.write_text("\n".join([head, *rows] if head else rows), encoding="utf-8")
    return path


def test_tables_of_elements(tmp_path: Path) -> None:
    array = spherical_array(
        40, curvature_radius=0.06, aperture=0.07, element_diameter=0.005, frequency=1e6
    )
    files = {
        "mm.csv": (write, 1e3 * array.positions, "", ","),
        "metres.txt": (write, array.positions, "id x y z", " "),
        "inches.csv": (write, array.positions / 0.0254, "", ","),
    }
    for name, (_, points, head, mark) in files.items():
        table = np.column_stack([np.arange(40), points]) if head else points
        path = write(tmp_path / name, table, head, mark)
        read = read_array(path, element_diameter=0.005, frequency=1e6)
        assert read.positions == pytest.approx(array.positions, abs=2e-6)
        assert read.curvature_radius == pytest.approx(0.06, rel=1e-4)
        assert (
            f"unit {name.split('.')[0].replace('metres', 'm').replace('inches', 'in')}"
            in (read.notes[0])
        )
    # focus at the origin, beam along -z: turned about x, not mirrored
    turned = (array.positions - [0, 0, 0.06]) * [1, -1, -1]
    read = read_array(
        write(tmp_path / "t.csv", 1e3 * turned), element_diameter=0.005, frequency=1e6
    )
    assert read.positions == pytest.approx(array.positions, abs=2e-6)
    assert "beam axis (0, 0, -1)" in read.notes[0]
    angle = np.rad2deg(np.arctan2(array.positions[:, 1], array.positions[:, 0]))
    polar = np.stack([angle, 1e3 * np.hypot(array.positions[:, 0], array.positions[:, 1])], axis=1)
    path = write(tmp_path / "polar.csv", polar, mark="\t")
    read = read_array(path, element_diameter=0.005, frequency=1e6, curvature_radius=0.06)
    assert read.positions == pytest.approx(array.positions, abs=2e-6)
    flat = np.stack([*np.mgrid[0:5, 0:4].reshape(2, -1) * 3.0, np.full(20, 7.0)], axis=1)
    read = read_array(
        write(tmp_path / "flat.csv", flat), element_diameter=0.002, frequency=1e6, unit="mm"
    )
    assert read.curvature_radius == inf
    assert np.abs(read.positions[:, 2]).max() < 1e-9
    assert (read.normals == [0, 0, 1]).all()


def test_bad_tables(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ball = rng.normal(size=(30, 3))

    def refuse(match: str, path: Path, diameter: float = 1e-4, radius: float | None = None) -> None:
        with pytest.raises(InputError, match=match):
            read_array(path, element_diameter=diameter, frequency=1e6, curvature_radius=radius)

    refuse("cannot read a table", tmp_path / "none.csv")
    refuse("found nothing", write(tmp_path / "empty.csv", np.empty((0, 3))))
    refuse("on a sphere or a plane", write(tmp_path / "ball.csv", 50 * ball))
    path = tmp_path / "gap.csv"
    path.write_text("1,2,3\n4,5,\n", encoding="utf-8")
    refuse("finite numbers in every row, got '4,5,': line 2", path)
    refuse("columns x, y and z", write(tmp_path / "names.csv", ball, "a,b,c"))
    sphere = ball / np.linalg.norm(ball, axis=1)[:, None]
    sphere[:, 2] = np.abs(sphere[:, 2])
    refuse("expected a unit", write(tmp_path / "unit.csv", 5 * sphere))
    refuse("one of 60.00 mm", write(tmp_path / "r.csv", 60 * sphere), radius=0.05)
    refuse("elements overlap", write(tmp_path / "over.csv", 60 * sphere), 0.04)
    refuse("needs a radius of curvature", write(tmp_path / "two.csv", ball[:, :2]))


@pytest.mark.parametrize("pattern", ["fermat", "hexagonal"])
def test_patterns_cover_the_cap(pattern: str) -> None:
    n = 127
    array = spherical_array(
        n,
        curvature_radius=0.15,
        aperture=0.15,
        element_diameter=0.009,
        frequency=7e5,
        pattern=pattern,  # type: ignore[arg-type]
    )
    assert array.aperture == pytest.approx(0.15, rel=2e-3)
    assert array.areas.sum() == pytest.approx(n * pi * 0.0045**2, rel=1e-3)
    height = np.sort(array.positions[:, 2])  # measures area on a sphere
    assert height[n // 2] == pytest.approx(height[-1] / 2, rel=0.06)


def test_bad_arrays() -> None:
    with pytest.raises(InputError, match="elements overlap: two are"):
        spherical_array(
            500, curvature_radius=0.1, aperture=0.1, element_diameter=0.006, frequency=1e6
        )
    with pytest.raises(InputError, match="a hemisphere, 100 mm, got 120 mm"):
        spherical_array(
            9, curvature_radius=0.05, aperture=0.12, element_diameter=0.006, frequency=1e6
        )
    with pytest.raises(InputError, match=r"whole number of elements, got 2\.5"):
        spherical_array(
            2.5,  # type: ignore[arg-type]
            curvature_radius=0.05,
            aperture=0.02,
            element_diameter=0.006,
            frequency=1e6,
        )
    one = spherical_array(
        1, curvature_radius=0.05, aperture=0.02, element_diameter=0.006, frequency=1e6
    )
    assert one.positions == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(InputError, match="either a diameter or a size"):
        element_array([[0, 0, 0]], [[0, 0, 1]], frequency=1e6)
    with pytest.raises(InputError, match="normals not 0"):
        element_array([[0, 0, 0]], [[0, 0, 0]], diameter=0.01, frequency=1e6)
    tiles = element_array(
        [[0.0, 0.0, 0.0], [0.003, 0.0, 0.0]],
        [[0.0, 0.0, 1.0], [0.0, 0.0, 2.0]],
        size=(0.0028, 0.006),
        frequency=1e6,
    )
    assert tiles.aperture == pytest.approx(2 * np.hypot(0.0044, 0.003))


@pytest.fixture(scope="module")
def head() -> Head:
    return Head(
        name="ball",
        species="human",
        space="MNI152NLin2009cAsym",
        mesh=mesh_spheres((0.07, R), (2, 5), 0.02),
        tissues={2: tissue("grey_matter"), 5: tissue("scalp")},
        positions={"Cz": np.array([0, 0, R])},
    )


def test_beam_goes_to_the_target(head: Head) -> None:
    target = np.array([0.01, 0.0, 0.05])
    one = bowl(curvature_radius=0.064, aperture=0.064, frequency=5e5)
    for placed in (
        place_transducer(one, head, target=target, rotation_deg=30, entry="Cz"),
        place_transducer(one, head, target=target, rotation_deg=-9, direction=[0.01, 0, -0.04]),
    ):
        at = placed.frame @ [0, 0, 0.064, 1]
        assert at[:3] == pytest.approx(target, abs=1e-12)
        assert placed.frame[:3, 2] == pytest.approx(np.array([1, 0, -4]) / 17**0.5, abs=1e-9)
        assert np.linalg.det(placed.frame[:3, :3]) == pytest.approx(1.0)
    nearest = place_transducer(one, head, target=target)
    assert nearest.frame[:3, 2] == pytest.approx(-target / np.linalg.norm(target), abs=0.1)
    far = place_transducer(disc(diameter=0.02, frequency=5e5), head, target=target, distance=0.08)
    assert np.linalg.norm(far.frame[:3, 3] - target) == pytest.approx(0.08)
    assert 0.03 < check_placed(far, Scalp(head.mesh)) < 0.045


def test_bad_places(head: Head) -> None:
    one = bowl(curvature_radius=0.064, aperture=0.064, frequency=5e5)
    with pytest.raises(InputError, match=r"stands in the head, move it back along its beam by"):
        place_transducer(one, head, target=[0, 0, 0.0])
    with pytest.raises(InputError, match="target inside the head"):
        place_transducer(one, head, target=[0, 0, 0.12])
    with pytest.raises(InputError, match="either a direction or an entry"):
        place_transducer(one, head, target=[0, 0, 0.06], direction=[0, 0, -1], entry="Cz")
    with pytest.raises(InputError, match="direction of three numbers"):
        place_transducer(one, head, target=[0, 0, 0.06], direction=[0, 0, 0])
    with pytest.raises(InputError, match="flat transducer has no focus"):
        place_transducer(disc(diameter=0.02, frequency=5e5), head, target=[0, 0, 0.06])
    away = np.diag([1.0, 1.0, 1.0, 1.0])
    away[2, 3] = 0.2
    with pytest.raises(InputError, match="the beam misses the head"):
        check_placed(replace(one, frame=away), Scalp(head.mesh))
