"""What a click means, what is at a point, and the field of a device that was moved."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.coils.placing import place_coil as stand_coil
from rheobase.fields.conduction import solve_conduction
from rheobase.fields.induction import solve_induction
from rheobase.results import Result, open_result
from rheobase.scenes.scene import Category, Layer, Quantity, Scene
from rheobase.study_file import load_study
from rheobase.viewer import placing
from rheobase.viewer.bench import Bench, Rig, bench_of, open_bench
from rheobase.viewer.bench_facts import rows_of
from rheobase.viewer.facts import Probe, exact_values, facts_at, facts_rows
from rheobase.viewer.made import thinned
from rheobase.viewer.placing import place_coil, place_electrode, scaled, solve_rig, stance
from rheobase.viewer.rays import camera_ray
from rheobase.viewer.repaint import Canvas, unit_of
from rheobase.viewer.session import Session
from rheobase.viewer.slice_images import moved_point, slice_images
from rheobase.viewer.stage import CUT, SLICES, Clip, Stage

HEAD = {
    "name": "sphere",
    "edge_length_mm": 10.0,
    "options": {
        "radii_mm": [78.0, 92.0],
        "layers": ["grey_matter", "scalp"],
        "sigma_S_per_m": [0.33, 0.2],
    },
}
PADS: dict[str, Any] = {
    "kind": "tes",
    "electrodes": [
        {"name": "anode", "position": "C3", "current_mA": 1.0, "radius_mm": 12.0},
        {"name": "cathode", "position": "C4", "current_mA": -1.0, "radius_mm": 12.0},
    ],
}
COIL = {"kind": "tms", "coil": "magstim-70mm-figure8", "position": "C3", "contact": "lift"}
FRONT = {"position": [0, -1, 0], "focalPoint": [0, 0, 0], "viewUp": [0, 0, 1], "viewAngle": 60.0}


def run(device: dict[str, Any], out: Path) -> Result:
    study = load_study({"title": "A ball", "question": "?", "head": HEAD, "device": device})
    return study.run(out)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("RHEOBASE_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def result(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return run(PADS, tmp_path_factory.mktemp("pads"))


@pytest.fixture(scope="module")
def bench(result: Result) -> Bench:
    return open_bench(result)


def grid(n: int = 5, edge: float = 0.01) -> Layer:
    """Voxels of two tissues with a field that is the x of the voxel."""
    affine = np.diag([edge, edge, edge, 1.0])
    x = np.broadcast_to(edge * np.arange(n)[:, None, None], (n, n, n))
    label = np.where(x < 0.02, 1, 2)
    names = {0: "outside", 1: "grey matter", 2: "white matter"}
    tissue = {k: Category(name=name, colour="#808080") for k, name in names.items()}
    return Layer(
        name="voxels",
        kind="volume",
        group="field",
        shape=(n, n, n),
        affine=affine,
        quantities={
            "tissue": Quantity(values=label, label="tissue", categories=tissue),
            "strength": Quantity(values=x, label="E magnitude", unit="V/m"),
        },
        shown="strength",
        visible=False,
    )


def square(name: str, y: float, **how: Any) -> Layer:
    points = np.array([[-1, y, -1], [1, y, -1], [1, y, 1], [-1, y, 1]]) * 0.05
    given = {"group": "head", **how}
    return Layer(
        name=name, kind="surface", points=points, cells=np.array([[0, 1, 2], [0, 2, 3]]), **given
    )


def scene(*layers: Layer) -> Scene:
    return Scene(title="two squares", layers=layers or (square("scalp", 0), square("skull", 1)))


# rays


def test_a_ray_goes_through_the_pixel_that_was_clicked() -> None:
    origin, direction = camera_ray(FRONT, (100, 0), (200, 100))
    assert origin.tolist() == [0, -1, 0]
    up = np.tan(np.deg2rad(30))
    np.testing.assert_allclose(direction, np.array([0, 1, up]) / np.hypot(1, up))
    _, right = camera_ray(FRONT, (150, 50), (200, 100))
    assert right[0] > 0
    assert right[2] == 0


def test_a_parallel_camera_shifts_its_rays() -> None:
    camera = {**FRONT, "parallelProjection": True, "parallelScale": 2.0}
    origin, direction = camera_ray(camera, (200, 50), (200, 100))
    np.testing.assert_allclose(origin, [4, -1, 0])
    assert direction.tolist() == [0, 1, 0]


def test_a_click_without_a_camera_is_refused() -> None:
    with pytest.raises(InputError, match="expected a camera"):
        camera_ray({"position": [0, 0, 1]}, (1, 1), (2, 2))


# what is looked at


def test_a_click_means_the_first_solid_layer() -> None:
    stage = Stage(scene(square("scalp", 0, opacity=0.2), square("skull", 1)))
    origin, direction = np.array([0.0, -500, 0]), np.array([0.0, 1, 0])
    hit = stage.hit(origin, direction)
    assert hit is not None
    assert hit.layer == "skull"
    np.testing.assert_allclose(hit.point, [0, 0.05, 0], atol=1e-9)
    stage.show("skull", False)
    hit = stage.hit(origin, direction)
    assert hit is not None
    assert hit.layer == "scalp"
    assert stage.hit(origin, -direction) is None


def test_peeling_shows_one_shell_after_the_other() -> None:
    stage = Stage(scene())
    assert stage.shells() == ["scalp", "skull"]
    stage.peel(1)
    assert [x.name for x in stage.scene.visible()] == ["skull"]
    stage.peel(0)
    assert [x.name for x in stage.scene.visible()] == ["scalp"]


def test_a_cut_takes_one_side_away_and_shows_tissue_on_the_plane() -> None:
    stage = Stage(scene(square("scalp", 0), grid()))
    whole = stage.triangles
    stage.clip(Clip(axis="x", at=0.0, above=True))
    drawn = stage.scene["scalp"]
    assert drawn.visible
    assert stage.hit(np.array([20.0, -500, 0]), np.array([0.0, 1, 0])) is None
    assert stage.hit(np.array([-20.0, -500, -20]), np.array([0.0, 1, 0])) is not None
    assert stage.scene[CUT].shown == "tissue"
    stage.clip(Clip(axis="x", at=0.02), shows="field")
    assert stage.scene[CUT].shown == "strength"
    stage.clip(None)
    assert CUT not in stage.scene
    assert stage.triangles == whole


def test_slices_isosurfaces_and_limits() -> None:
    stage = Stage(scene(square("scalp", 0), grid()))
    stage.slice("x", 0.03)
    values = stage.scene[SLICES["x"]].values()
    assert values is not None
    np.testing.assert_allclose(values, 0.03, rtol=1e-6)
    stage.isosurface(0.025)
    np.testing.assert_allclose(stage.scene["isosurface"].points[:, 0], 0.025, rtol=1e-5)
    (bar,) = stage.bars
    assert bar["title"] == "E magnitude (V/m)"
    stage.limits(bar["layers"], 0.0, 0.02)
    assert stage.bars[0]["high"] == pytest.approx(0.02)
    with pytest.raises(InputError, match="expected two limits"):
        stage.limits(bar["layers"], 1.0, 1.0)
    stage.slice("x", None)
    assert SLICES["x"] not in stage.scene


def test_what_is_within_a_surface_of_the_field_can_be_seen() -> None:
    stage = Stage(scene(square("scalp", 0), square("cortex", 0.02, group="field"), grid()))
    stage.slice("x", 0.02)
    stage.see_inside()
    assert stage.scene["cortex"].opacity == 0.25
    assert stage.scene["scalp"].opacity == 1.0
    stage.slice("x", None)
    stage.see_inside()
    assert stage.scene["cortex"].opacity == 1.0
    stage.slice("x", 0.02)
    stage.see_inside()
    stage.fade("cortex", 0.5)
    stage.slice("x", None)
    stage.see_inside()
    assert stage.scene["cortex"].opacity == 0.5  # as it was chosen


def test_arrows_have_the_bar_of_their_field() -> None:
    voxels = grid().but(vectors=np.ones((5, 5, 5, 3)))
    cortex = square("cortex", 0.02, group="field")
    of = voxels.quantity
    assert of is not None
    voxels = voxels.but(quantities={**voxels.quantities, "strength": replace(of, limits=(0, 0.1))})
    stage = Stage(scene(square("scalp", 0), cortex, voxels))
    stage.slice("x", 0.02)
    stage.arrows(True)
    (bar,) = stage.bars
    assert (bar["low"], bar["high"]) == (0, 0.1)
    assert len(bar["layers"]) == 2


def test_lines_are_thinned_with_their_ends_and_values() -> None:
    x = np.concatenate([np.arange(10.0), np.arange(7.0)])
    lines = Layer(
        name="lines",
        kind="lines",
        group="field",
        points=np.stack([x, 0 * x, 0 * x], axis=1),
        cells=np.array([0, 10, 17]),
        quantities={"size": Quantity(values=x, label="E", unit="V/m")},
        shown="size",
    )
    fewer = thinned(lines, 6)
    assert fewer.cells is not None
    assert fewer.cells.tolist() == [0, 4, 7]
    assert fewer.points[:, 0].tolist() == [0, 3, 6, 9, 0, 3, 6]
    np.testing.assert_array_equal(fewer.values(), fewer.points[:, 0])
    assert thinned(lines, 17) is lines


def test_time_changes_what_is_drawn() -> None:
    moving = Layer(
        name="cells",
        kind="points",
        group="network",
        points=np.zeros((1, 3)),
        times=np.array([0.0, 0.1]),
        quantities={"rate": Quantity(values=np.array([[1.0], [7.0]]), label="rate", unit="1/s")},
        shown="rate",
    )
    session = Session(scene(moving))
    assert session.limits()["times_ms"] == [0.0, 100.0]
    session.stage.at_time(0.1)
    assert set(np.asarray(session.stage._data["cells"]["rate"]).tolist()) == {7.0}


def test_a_click_in_a_slice_moves_the_point() -> None:
    point = (0.01, 0.02, 0.03)
    images = [image.as_dict() for image in slice_images(scene(grid()), point)]
    assert [i["name"] for i in images] == ["sagittal", "coronal", "axial"]
    assert all(i["url"].startswith("data:image/png;base64,") for i in images)
    axial = images[2]
    assert (axial["left"], axial["top"]) == pytest.approx((0.25, 0.5))
    new = moved_point(axial, point, left=1.0, top=0.0)
    np.testing.assert_allclose(new, [0.04, 0.04, 0.03], atol=1e-9)


# facts


def test_facts_of_a_scene_come_from_its_voxels() -> None:
    facts = facts_at(scene(grid()), (0.031, 0.02, 0.02))
    assert facts.tissue == "white matter"
    assert facts.values[0].value == pytest.approx(0.03)
    assert facts.values[0].unit == "V/m"
    assert facts.values[0].source == "grid of 10 mm"
    assert facts.mni is None
    assert dict(facts_rows(facts))["x, y, z in MNI"] == "not known"
    outside = facts_at(scene(grid()), (1.0, 0, 0))
    assert outside.tissue is None
    assert outside.values == ()


def test_facts_name_the_nearest_labelled_cell() -> None:
    types = {1: Category(name="L5 pyramidal", colour="#000000")}
    cells = Layer(
        name="cells",
        kind="points",
        group="cells",
        points=np.array([[0, 0, 0], [0.01, 0, 0]]),
        quantities={"type": Quantity(values=np.array([0, 1]), label="type", categories=types)},
        shown="type",
    )
    assert facts_at(scene(cells), (0.012, 0, 0)).region == "L5 pyramidal, 2.0 mm away"


def test_facts_of_a_result_are_those_of_its_mesh(result: Result, bench: Bench) -> None:
    point = np.array([-0.031, 0.012, 0.02])
    facts = facts_at(result, point)
    moved = solve_rig(bench, bench.rig)
    basis = solve_conduction(bench.conductor, bench.rig.montages)
    values, _ = basis.interpolate(moved.strength, point[None])
    assert facts.tissue == "grey matter"
    assert facts.values[0].label == "E magnitude"
    assert facts.values[0].source == "mesh"
    assert facts.values[0].value == pytest.approx(float(values[0]), rel=0.02)  # |E| linear, or E
    assert facts.space == result.scene().space


def test_values_of_a_coil_say_at_which_amplitude() -> None:
    units = {"strength": ("E magnitude", "V/m at 1 A/µs")}
    (found,) = exact_values({"magnE": 2.0, "E": 2.0}, units)
    assert (found.value, found.unit) == (2.0, "V/m at 1 A/µs")
    (found,) = exact_values({"magnE": 2.0}, {})
    assert found.unit == "V/m"


def test_facts_need_three_numbers(result: Result) -> None:
    for point in ((0.0, 1.0), (0.0, np.nan, 0.0)):
        with pytest.raises(InputError, match="three finite coordinates"):
            Probe(scene=scene(), result=None).at(point)


# placing


def test_an_electrode_that_was_moved_has_the_field_of_a_study_there(bench: Bench) -> None:
    moved = place_electrode(bench, bench.rig, "anode", "Cz")
    (montage,) = moved.rig.montages
    assert np.allclose(montage.electrodes[0].centre, bench.head.position("Cz"))
    study = {
        **PADS,
        "electrodes": [{**PADS["electrodes"][0], "position": "Cz"}, PADS["electrodes"][1]],
    }
    own = solve_conduction(bench.head, _montages(bench, study))
    np.testing.assert_allclose(moved.E[0], own.combine([1e-3]), atol=1e-7 * np.abs(moved.E).max())
    assert "complete" in moved.how


def test_a_pad_that_is_turned_to_a_place_stays_so(cache: Path) -> None:
    pads = [
        {**pad, "shape": "rectangle", "size_mm": [60.0, 20.0], "towards": "Oz"}
        for pad in PADS["electrodes"]
    ]
    for pad in pads:
        del pad["radius_mm"]
    study: Any = load_study(
        {"title": "x", "head": HEAD, "device": {"kind": "tes", "electrodes": pads}}
    ).study
    own = bench_of(study)
    still, again = solve_rig(own, own.rig), place_electrode(own, own.rig, "anode", "C3")
    np.testing.assert_allclose(again.E, still.E, atol=1e-9 * np.abs(still.E).max())


def _montages(bench: Bench, device: dict[str, Any]) -> Any:
    from rheobase.stations.placing import montages_of

    study: Any = load_study({"title": "x", "head": HEAD, "device": device}).study
    return montages_of(bench.head, study.device)


def test_the_lead_field_gives_discs_at_the_nearest_positions(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rheobase.fields import leadfield_solve

    few = ["C3", "C4", "Cz", "Fz"]
    monkeypatch.setattr(leadfield_solve, "all_places", lambda _: few)
    with pytest.raises(InputError, match="prepare them first"):
        place_electrode(bench, bench.rig, "anode", "Cz", way="prepared")
    bench.prepare()
    assert bench.prepared
    near = bench.head.position("Cz") + np.array([0.004, 0.0, -0.0005])
    moved = place_electrode(bench, bench.rig, "anode", near, way="prepared")
    assert "up to 4 mm" in moved.how
    from rheobase.fields.electrodes.electrode import place_electrode as put
    from rheobase.fields.electrodes.montage import Montage
    from rheobase.meshes.placing.outlines import Disc

    discs = [put(bench.head, n, shape=Disc(radius_mm=6.0), model="ideal") for n in ("Cz", "C4")]
    own = solve_conduction(
        bench.conductor, Montage(name="m", electrodes=tuple(discs), currents=(1e-3, -1e-3))
    )
    grey = bench.responses.kept  # type: ignore[union-attr]
    np.testing.assert_allclose(
        moved.E[0, grey], 1e-3 * own.E[0, grey], atol=1e-6 * np.nanmax(np.abs(moved.E))
    )
    assert np.isnan(moved.E[0]).any()
    with pytest.raises(InputError, match="two electrodes would both be at C4"):
        place_electrode(bench, bench.rig, "anode", "C4", way="prepared")


def test_prepared_responses_are_those_of_this_head(bench: Bench) -> None:
    head = bench.head
    turned = {n: p * [-1.0, 1.0, 1.0] for n, p in head.positions.items()}
    placed = replace(bench.placed, head=replace(head, positions=turned))
    assert replace(bench, placed=placed).kept != bench.kept  # positions have other places


def test_percentiles_are_those_of_the_report(bench: Bench) -> None:
    moved = solve_rig(bench, bench.rig)
    basis = solve_conduction(bench.conductor, bench.rig.montages)
    (own,) = basis.percentiles(moved.strength, bench.head.label_of("grey_matter"), [99.9])
    assert bench.robust(moved.strength) == pytest.approx(own, rel=1e-12)


def test_other_amplitudes_cost_no_solution(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = solve_rig(bench, bench.rig)
    (montage,) = moved.rig.montages
    monkeypatch.setattr(placing, "solve_rig", None)
    twice = replace(moved.rig, montages=(replace(montage, currents=(2e-3, -2e-3)),))
    found = scaled(bench, moved, twice)
    np.testing.assert_allclose(found.strength, 2 * moved.strength)
    np.testing.assert_allclose(found.voltages, 2 * np.array(moved.voltages))


@pytest.mark.parametrize(
    ("name", "place", "told"),
    [
        ("anod", "Cz", "unknown electrode 'anod', nearest: anode"),
        ("anode", "Czz", "unknown electrode position 'Czz'"),
        ("anode", [0, 0, 0.2], "within 10 mm of the scalp"),
        ("anode", "C4", "overlap"),
        ("anode", [0, 0], "three finite coordinates"),
    ],
)
def test_places_that_cannot_be_are_refused(bench: Bench, name: str, place: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        place_electrode(bench, bench.rig, name, place)


@pytest.fixture(scope="module")
def coiled(cache: Path) -> Bench:
    study: Any = load_study({"title": "A ball", "head": HEAD, "device": COIL}).study
    return bench_of(study)


def test_a_coil_that_was_moved_has_the_field_of_a_study_there(coiled: Bench) -> None:
    assert coiled.coil is not None
    moved = place_coil(coiled, coiled.rig, "Cz", handle_angle_deg=20.0, distance_mm=6.0)
    coil = stand_coil(
        coiled.coil, coiled.head, position="Cz", handle_angle_deg=20.0, distance_mm=6.0
    )
    own = solve_induction(coiled.conductor, coil)
    np.testing.assert_allclose(moved.E[0], own.combine([1e6]), atol=1e-7 * np.abs(moved.E).max())
    rows = dict(rows_of(coiled, moved))
    assert rows["coil's face to the scalp"] == "6.0 mm"
    assert rows["over"] == "Cz"
    with pytest.raises(InputError, match="unknown electrode"):
        place_electrode(coiled, coiled.rig, "anode", "Cz")


@pytest.mark.parametrize("position", ["C3", "C4", "Cz", "Fp2"])
def test_how_a_coil_stands_puts_it_back(coiled: Bench, position: str) -> None:
    assert coiled.coil is not None
    coil = stand_coil(
        coiled.coil, coiled.head, position=position, handle_angle_deg=-70.0, distance_mm=9.0
    )
    foot, angle, distance = stance(coiled, coil)
    assert (angle, distance) == pytest.approx((-70.0, 9.0), abs=0.02)
    again = stand_coil(
        coiled.coil, coiled.head, position=foot, handle_angle_deg=angle, distance_mm=distance
    )
    np.testing.assert_allclose(again.pose, coil.pose, atol=1e-4)


def test_the_unit_of_a_coil_follows_its_amplitude(coiled: Bench) -> None:
    rig = replace(coiled.rig, dIdt=80e6)
    assert unit_of("V/m at 1 A/µs", rig) == "V/m at 80 A/µs"
    assert unit_of("V/m", Rig()) == "V/m"


@pytest.mark.slow
def test_a_coil_moves_by_modes(coiled: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from rheobase.viewer import bench as module

    exact = place_coil(coiled, coiled.rig, "Cz", handle_angle_deg=20.0)
    monkeypatch.setattr(module, "MODES", 60)
    coiled.prepare()
    quick = place_coil(coiled, coiled.rig, "Cz", handle_angle_deg=20.0, way="prepared")
    kept = np.isfinite(quick.strength)
    assert kept.sum() == (coiled.split.label == coiled.head.label_of("grey_matter")).sum()
    off = np.linalg.norm(quick.E[0, kept] - exact.E[0, kept]) / np.linalg.norm(exact.E[0, kept])
    assert quick.error is not None
    assert off < max(1.5 * quick.error, 0.02)
    assert "60 modes" in dict(rows_of(coiled, quick))["field"]


# the session


def test_a_session_places_shows_scales_and_goes_back(result: Result) -> None:
    session = Session(result.scene(), result)
    before = session.stage.scene["voxels"].values()
    told: list[str] = []
    placed = session.place(
        "anode",
        "Cz",
        angle_deg=0.0,
        distance_mm=4.0,
        way="exact",
        tell=lambda text, _: told.append(text),
    )
    assert "correcting the potential" in told
    session.show(placed)
    after = session.stage.scene["voxels"].values()
    assert before is not None
    assert after is not None
    assert not np.allclose(before, after, equal_nan=True)
    assert "electrode anode" in session.stage.scene
    assert ("field", placed.moved.how) in placed.rows
    bench = session.open_bench()
    tet = int(np.flatnonzero(bench.head.mesh.labels == bench.head.label_of("grey_matter"))[7])
    middle = bench.head.mesh.nodes[bench.head.mesh.tets[tet]].mean(axis=0)
    (value,) = [v for v in facts_at(session.probe, middle).values if v.label == "E magnitude"]
    assert value.source == "mesh"
    of_mesh = placed.moved.strength[bench.split.of_tet[tet]].mean()
    assert value.value == pytest.approx(of_mesh, rel=1e-6)
    double = session.scale(2e-3)
    session.show(double)
    np.testing.assert_allclose(double.moved.strength, 2 * placed.moved.strength)
    session.reset()
    np.testing.assert_array_equal(session.stage.scene["voxels"].values(), before)


def test_the_scene_of_the_device_where_it_was_is_that_of_the_study(
    result: Result, bench: Bench
) -> None:
    given = result.scene()
    again = Canvas(bench=bench, scene=given).repaint(solve_rig(bench, bench.rig))
    old, new = given["voxels"].values(), again["voxels"].values()
    assert old is not None
    assert new is not None
    known = np.isfinite(old)
    assert (known == np.isfinite(new)).all()
    np.testing.assert_allclose(new[known], old[known], rtol=1e-3, atol=1e-6 * old[known].max())


def test_other_results_tell_why_nothing_can_be_placed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a result to place a device in"):
        Session(scene()).open_bench()
    with pytest.raises(InputError, match="expected the folder of a result"):
        open_result(tmp_path)


def test_layers_are_listed_by_group() -> None:
    session = Session(scene(square("scalp", 0), grid()))
    session.stage.slice("x", 0.02)
    listed = session.layers()
    assert [g["title"] for g in listed] == ["Head", "Field"]
    assert [x["name"] for x in listed[1]["layers"]] == ["voxels"]
    assert listed[1]["layers"][0]["shown"] == "strength"
    json.dumps(listed)
