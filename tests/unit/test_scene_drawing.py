"""How scenes are drawn: actors, bars, camera, pictures and pages; layers of devices and cells."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.acoustics.focus import Focus
from rheobase.fields.acoustics.transducers.transducer import bowl
from rheobase.fields.electrodes.electrode import place_electrode
from rheobase.fields.electrodes.montage import Montage
from rheobase.meshes.heads import sphere
from rheobase.meshes.placing.outlines import Disc
from rheobase.neurons.recruitment import Recruitment
from rheobase.scenes import Category, Layer, Quantity, Scene, animate, dataset, draw, picture
from rheobase.scenes.cells import polarised_layer, recruited_layer
from rheobase.scenes.device import ANODE, CATHODE, electrode_layers
from rheobase.scenes.drawing import bars_of, number_format
from rheobase.scenes.field import amount, signed
from rheobase.scenes.html import encode, light, page
from rheobase.scenes.network import categories, some_times
from rheobase.scenes.scene import direction, line_starts
from rheobase.scenes.sound import focus_layer, transducer_layers

CURE = "no off-screen OpenGL on this machine"


def square(name: str = "square", **how: Any) -> Layer:
    points = np.array([[0, 0, 0], [0.1, 0, 0], [0.1, 0.1, 0], [0, 0.1, 0.0]])
    given: dict[str, Any] = {
        "kind": "surface",
        "group": "field",
        "points": points,
        "cells": np.array([[0, 1, 2], [0, 2, 3]]),
        "quantities": {"E": amount([0.0, 1.0, 2.0, 1.0], "|E|", "V/m")},
        "shown": "E",
    }
    return Layer(**{"name": name, **given, **how})


def ring(name: str = "coil") -> Layer:
    t = np.linspace(0, 2 * np.pi, 40)
    line = np.column_stack([0.05 + 0.06 * np.cos(t), 0.05 + 0.06 * np.sin(t), 0 * t + 0.02])
    points, cells = line_starts([line])
    return Layer(
        name=name, kind="lines", group="device", points=points, cells=cells, colour="#cc4d00"
    )


def cube() -> Layer:
    values = np.arange(24.0).reshape(2, 3, 4)
    return Layer(
        name="voxels",
        kind="volume",
        group="field",
        shape=(2, 3, 4),
        affine=np.diag([1e-2, 1e-2, 1e-2, 1.0]),
        quantities={"E": amount(values, "|E|", "V/m", limit=2.0)},
        shown="E",
    )


def plotter() -> Any:
    import pyvista as pv

    return pv.Plotter(off_screen=True, window_size=[400, 320])


def test_data_are_in_millimetres_and_carry_every_quantity() -> None:
    both = square(
        quantities={
            "E": amount(np.arange(4.0), "|E|", "V/m"),
            "region": Quantity(
                values=np.array([1, 1, 2, 2]),
                label="region",
                categories={1: Category(name="a", colour="#ff0000")},
            ),
        },
        shown="region",
    )
    made = dataset(both)
    assert np.ptp(made.points[:, 0]) == pytest.approx(100.0)
    assert made["E"].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert made["rgb"].tolist() == [[255, 0, 0]] * 2 + [[200, 200, 200]] * 2
    image = dataset(cube())
    assert image.find_closest_point((10.0, 20.0, 30.0)) == 23
    assert image["E"][23] == 23.0  # Fortran's order of VTK, C's of the scene
    tube = dataset(ring())
    assert np.linalg.norm(tube.points - [50, 50, 20], axis=1).max() == pytest.approx(61.0, abs=0.2)


def test_a_scene_becomes_actors_with_one_bar_for_each_scale() -> None:
    hidden = square("hidden", visible=False)
    other = square("signed", quantities={"V": signed([1.0, -2.0, 0.0, 0.0], "V", "mV")}, shown="V")
    scene = Scene(title="", layers=(square(), square("twin"), other, ring(), hidden))
    plot = plotter()
    actors = draw(scene, plot, axes=False)
    assert {k: len(v) for k, v in actors.items()} == {
        "square": 1,
        "twin": 1,
        "signed": 1,
        "coil": 1,
    }
    titles = [bar.GetTitle() for bar in plot.scalar_bars.values()]
    assert titles == ["|E|\n(V/m)", "V\n(mV)"]
    assert actors["signed"][0].mapper.scalar_range == (-2.0, 2.0)
    assert [(q.unit, names) for q, names in bars_of(scene.visible())] == [
        ("V/m", ("square", "twin")),
        ("mV", ("signed",)),
    ]
    plot.close()


def test_the_camera_sees_the_device_from_the_named_side() -> None:
    scene = Scene(title="", layers=(square(), ring()), focus=("square",))
    plot = plotter()
    draw(scene, plot, view="top", bars=False, axes=False)
    position, focus, up = (np.array(v) for v in plot.camera_position)
    assert focus == pytest.approx([50.0, 50.0, 0.0])
    assert (position - focus)[:2] == pytest.approx(0.0, abs=1e-6)
    assert up.tolist() == [0.0, 1.0, 0.0]
    away = position[2]
    reach = 60.0 / (away - 20.0)  # of the ring, against the half angle of the camera
    assert reach < np.tan(np.deg2rad(15.0)) * 320 / 320
    draw(scene, plot, view="left", bars=False, axes=False)
    assert plot.camera_position[0][0] < plot.camera_position[1][0]
    plot.close()


@pytest.mark.parametrize(
    ("ends", "shown"),
    [((0, 2.0), "%.2f"), ((0, 0.2), "%.3f"), ((0, 150), "%.0f"), ((0, 0), "%.1f")],
)
def test_numbers_at_a_bar_are_short(ends: tuple[float, float], shown: str) -> None:
    assert number_format(*ends) == shown


@pytest.mark.usefixtures("draws")
def test_a_picture_shows_the_surface(tmp_path: Path) -> None:
    scene = Scene(title="E", layers=(square(), ring()), view=direction("top"), focus=("square",))
    png = tmp_path / "scene.png"
    if not picture(scene, png, size=(700, 560)):
        assert not png.exists()
        pytest.skip(CURE)
    from matplotlib.image import imread

    pixels = imread(png)[..., :3]
    assert pixels.shape == (560, 700, 3)
    assert pixels[280, 350].min() < 0.9, "the surface is not in the middle of the picture"
    assert pixels[5, 5].min() > 0.95, "the background is not white"


@pytest.mark.slow
@pytest.mark.usefixtures("draws")
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_a_surface_that_faces_the_camera_has_the_colour_of_the_bar(
    part: float, tmp_path: Path
) -> None:
    from matplotlib import colormaps
    from matplotlib.image import imread

    value = amount(np.full(4, part), "|E|", "V/m")
    layer = square(quantities={"E": replace(value, limits=(0.0, 1.0))})
    scene = Scene(title="x", layers=(layer,))
    png = tmp_path / "x.png"
    if not picture(scene, png, view="top", size=(300, 300), bars=False, axes=False):
        pytest.skip(CURE)
    wanted = np.array(colormaps[value.colours](part)[:3])
    np.testing.assert_allclose(imread(png)[150, 150, :3], wanted, atol=0.03)


def test_without_opengl_there_is_no_half_picture(tmp_path: Path) -> None:
    png = tmp_path / "scene.png"
    png.write_bytes(b"old")
    assert not picture(Scene(title="", layers=(square(),)), png)  # the tests' default
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_scene_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a result or a file of a scene, got int"):
        picture(3, tmp_path / "a.png")  # type: ignore[arg-type]
    still = Scene(title="", layers=(square(),))
    with pytest.raises(InputError, match="nothing does"):
        animate(still, tmp_path / "a.gif")
    with pytest.raises(InputError, match=r"ending in \.gif, \.png, \.webp, got a\.avi"):
        animate(still, tmp_path / "a.avi")


@pytest.mark.slow
@pytest.mark.usefixtures("draws")
def test_a_moving_picture_has_a_frame_for_each_time(tmp_path: Path) -> None:
    from PIL import Image

    values = np.linspace(0.0, 1.0, 3)[:, None] * np.ones(4)
    moving = square(
        quantities={"V": amount(values, "V", "mV", limit=1.0)}, shown="V", times=np.arange(3.0)
    )
    gif = tmp_path / "a.gif"
    if not animate(Scene(title="", layers=(moving,), view=direction("top")), gif, size=(200, 160)):
        pytest.skip(CURE)
    with Image.open(gif) as image:
        assert image.n_frames == 3  # type: ignore[attr-defined]
        middle = []
        for k in range(3):
            image.seek(k)
            middle.append(image.convert("RGB").getpixel((90, 80)))
    assert len(set(middle)) == 3


def test_a_page_needs_no_network_and_names_layers_and_units() -> None:
    scene = light(Scene(title="<b>&</b>", layers=(square("one</script>"), ring(), cube())))
    assert [x.name for x in scene.layers][2:] == ["x = 5 mm", "y = 10 mm", "z = 15 mm"]
    plot = plotter()
    every = replace(scene, layers=tuple(x.but(visible=True) for x in scene.layers))
    draw(every, plot, bars=False, axes=False)
    index = encode(plot)
    plot.close()
    text = page(scene, json.dumps(index).encode())
    assert "<title>&lt;b&gt;&amp;&lt;/b&gt;</title>" in text
    assert not re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="', text)
    assert not re.findall(r"fetch\(\s*[\"']http", text)
    assert "|E| (V/m)" in text
    layers = re.search(r"const layers = (\[.*?\]);", text)
    assert layers is not None
    names = [row["name"] for row in json.loads(layers.group(1).replace("<\\/", "</"))]
    assert names == [x.name for x in scene.layers]
    assert "one</script>" not in text
    assert len(text) < 2e6
    classes = {entry["vtk"] for entry in index["hashes"].values()}
    assert {"vtkPoints", "vtkCellArray", "vtkDataArray"} <= classes


def test_electrodes_lie_on_the_scalp_with_smooth_edges() -> None:
    head = sphere.build(
        edge_length_mm=14.0, radii_mm=(60.0, 80.0), layers=("skull", "scalp"), sigma_S_per_m=(1, 1)
    )
    top, left = np.array([0, 0, 0.08]), np.array([-0.08, 0, 0])
    pads = [
        place_electrode(head, place, name=name, shape=Disc(radius_mm=20.0))
        for name, place in (("top", top), ("left", left))
    ]
    montage = Montage(name="m", electrodes=tuple(pads), currents=(1e-3, -1e-3))
    up, down = electrode_layers(head, montage)
    assert (up.name, up.colour, down.colour) == ("electrode top", ANODE, CATHODE)
    arc = 0.08 * np.arccos(np.clip(up.points[:, 2] / np.linalg.norm(up.points, axis=1), -1, 1))
    assert arc.max() == pytest.approx(0.020, abs=2.5e-3)
    a, b, c = (up.points.astype(float)[up.cells[:, k]] for k in range(3))  # type: ignore[index]
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    assert area == pytest.approx(np.pi * 0.02**2, rel=0.06)


def test_a_transducer_has_the_area_of_its_elements() -> None:
    one = bowl(curvature_radius=0.06, aperture=0.05, frequency=5e5)
    placed = replace(one, frame=np.diag([1.0, -1.0, -1.0, 1.0]))
    surface, beam, target = transducer_layers(placed, [0.0, 0.0, -0.06])
    a, b, c = (surface.points.astype(float)[surface.cells[:, k]] for k in range(3))  # type: ignore[index]
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    assert area == pytest.approx(one.areas.sum(), rel=0.01)
    assert surface.points[:, 2].max() == pytest.approx(0.0, abs=1e-6)  # turned over
    assert beam.cells is not None
    ends = beam.points[beam.cells[1:] - 1]
    assert ends == pytest.approx(np.tile(target.points, (len(ends), 1)))
    assert np.hypot(*beam.points[beam.cells[:-1], :2].T).min() > 0.9 * 0.025


def test_the_focus_is_where_pressure_is_above_half() -> None:
    centre, width = np.array([0.0, 0.0, 0.05]), 4e-3  # m at half the peak

    def pressure(x: np.ndarray) -> np.ndarray:
        away = ((x - centre) ** 2).sum(axis=1)
        side = ((x - centre - [0.02, 0, 0]) ** 2).sum(axis=1)  # louder, elsewhere
        scale = np.log(2) / (width / 2) ** 2
        both: np.ndarray = 1e6 * np.exp(-away * scale) + 2e6 * np.exp(-side * scale)
        return both

    focus = Focus(
        peak=1e6, position=centre, widths=np.full(3, np.nan), volume=np.nan, centroid=centre
    )
    low, high = np.array([-0.03, -0.02, 0.03]), np.array([0.03, 0.02, 0.07])
    made = focus_layer(focus, pressure, low, high, np.eye(4))
    away = np.linalg.norm(made.points - centre, axis=1)
    assert away == pytest.approx(np.full(len(away), width / 2), abs=6e-4)


def recruited() -> Recruitment:
    n = 4
    return Recruitment(
        threshold=np.array([[1e6, 3e6, np.inf, 8e6], [2e6, 2e6, np.inf, 9e6]]),
        site=np.zeros((2, n), np.int8),
        type=np.array(["PYR", "PYR", "PV", "PV"]),
        layer=np.array(["L5", "L5", "L4", "L4"]),
        species=np.array(["human"] * n),
        position=np.arange(12.0).reshape(4, 3) * 1e-3,
        depth=np.linspace(0, 1, n),
        outside=np.zeros(n),
        tissue=np.full(n, 2, np.int32),
        unit="A/s",
        mode="cable",
    )


def test_cells_are_coloured_by_threshold_and_chance() -> None:
    made = recruited_layer(recruited(), scale=1e-6, unit="A/µs", amplitude=2.5)
    threshold = made.values("threshold")
    assert threshold is not None
    assert threshold[[0, 1, 3]] == pytest.approx([1.0, 2.0, 8.0], rel=1e-3)
    assert np.isnan(threshold[2])
    assert made.values("probability") == pytest.approx([1.0, 1.0, 0.0, 0.0])
    assert made.quantities["threshold"].unit == "A/µs"
    kinds = made.quantities["type"]
    assert [kinds.categories[int(k)].name for k in kinds.values] == ["PYR", "PYR", "PV", "PV"]
    shifted = polarised_layer(np.zeros((2, 3)), [1e-3, -2e-3], np.array(["a", "b"]))
    assert shifted.quantity is not None
    assert shifted.quantity.range == pytest.approx((-2.0, 2.0), rel=1e-3)


def test_regions_have_names_and_times_their_ends() -> None:
    of = categories([-1, 0, 1], ("left", "right"))
    assert [of.categories[int(k)].name for k in of.values] == ["no region", "left", "right"]
    kept = some_times(np.arange(1000.0), 60)
    assert (kept[0], kept[-1], len(kept)) == (0, 999, 60)
    assert some_times(np.arange(3.0)).tolist() == [0, 1, 2]
