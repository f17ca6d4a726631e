"""What is kept by content: what counts for a key, what is told of it, damaged files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase._files import content_key, package_key
from rheobase._kept import kept, kept_path, load_arrays, note_use, recorded, save_arrays
from rheobase.config import Cells, Study
from rheobase.fields.basis import FieldBasis
from rheobase.fields.tensors import Tensors
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.neurons.recruitment import Recruitment
from rheobase.scenes.picture import picture
from rheobase.scenes.scene import Layer, Quantity, Scene
from rheobase.stations import recruited
from rheobase.stations.book import Book
from rheobase.stations.eeg import _lead_field
from rheobase.stations.kept_fields import lead_field_file
from rheobase.stations.kept_figures import kept_figure, plain
from rheobase.views import depths

HERE = ("rheobase._kept",)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_type_shape_and_values_of_an_array_count() -> None:
    a = np.arange(6, dtype=np.int32)
    others = [a.reshape(2, 3), a.astype(np.int64), a + 1, a.astype(np.uint32), a[:-1]]
    keys = [content_key(x) for x in (a, *others)]
    assert len(set(keys)) == len(keys)
    assert content_key(a.copy()) == keys[0]
    assert content_key(np.array(["a", "b"])) != content_key(np.array(["a", "c"]))
    assert content_key(a, a[:0]) != content_key(a[:0], a)


def test_the_code_of_a_module_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "made_here.py").write_text("a = 1\n")
    first = kept_path("cells", "x", 1, code=("made_here",))
    (tmp_path / "made_here.py").write_text("a = 2\n")
    package_key.cache_clear()
    assert kept_path("cells", "x", 1, code=("made_here",)) != first
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        kept_path("cells", "x", 1, code=("no_such_module",))


def test_a_result_is_made_once_and_anew_where_its_file_is_damaged(cache: Path) -> None:
    path = kept_path("cells", "head", [1, 2], code=HERE)
    asked = []

    def make() -> dict[str, Any]:
        asked.append(1)
        return {"a": np.arange(3.0), "words": np.array(["x", "yz"])}

    uses: list[dict[str, Any]] = []
    with recorded(uses):
        for _ in range(2):
            found = kept(path, make, load=load_arrays, save=save_arrays)
            assert found["a"].tolist() == [0, 1, 2]
            assert found["words"].tolist() == ["x", "yz"]
    assert len(asked) == 1
    assert path.parent == cache / "cells"
    assert [(u["file"], u["taken"]) for u in uses] == [(f"cells/{path.name}", k) for k in (0, 1)]
    assert uses[1]["made"].startswith("20")
    path.write_bytes(path.read_bytes()[:-9])
    kept(path, make, load=load_arrays, save=save_arrays)
    assert len(asked) == 2
    note_use(path)
    assert len(uses) == 2, "told only while a run is recorded"
    with pytest.raises(InputError, match="expected arrays, got a missing or damaged file"):
        load_arrays(path.with_name("none.npz"))


STUDY: dict[str, Any] = {
    "title": "t",
    "question": "q",
    "head": {"name": "sphere"},
    "device": {
        "kind": "tms",
        "coil": "magstim-70mm-figure8",
        "position": "C3",
        "intensities_A_per_us": {"start": 0.0, "stop": 200.0, "count": 3},
    },
    "cells": {"types": ["L5_pyramidal"], "placements": 4},
}


def asked_for(change: Callable[[Any], None] = lambda _: None) -> Path:
    """Return the file of the thresholds of a study whose inputs were changed."""
    x = np.arange(12.0).reshape(4, 3)
    sheet = SimpleNamespace(pial=x, white=x - 1, triangles=np.arange(3), area=x[:, 0])
    mesh = SimpleNamespace(nodes=x, tets=np.arange(4)[None], labels=np.ones(1))
    basis = SimpleNamespace(mesh=mesh, E=x[None], split_of_tet=np.arange(4)[None], unit="A/s")
    head = SimpleNamespace(
        name="h", species="human", cortex=sheet, label_of={"grey_matter": 2}.__getitem__
    )
    pulse = SimpleNamespace(
        name="p", t=np.arange(3.0), w=np.ones(3), pulse=True, peak=1.0, unit="A/s"
    )
    study = Study.model_validate(STUDY)
    given = SimpleNamespace(
        study=study,
        table=study.cells,
        pulse=pulse,
        device=SimpleNamespace(head=head, basis=basis),
        centre=np.zeros(3),
    )
    change(given)
    return recruited.kept_file(given.study, given.table, given.pulse, given.device, given.centre)


def another_table(**keys: Any) -> Callable[[Any], None]:
    def change(given: Any) -> None:
        given.table = Cells.model_validate({**STUDY["cells"], **keys})

    return change


def moved(*names: str) -> Callable[[Any], None]:
    """Return what adds 1 to the array at ``names``."""

    def change(given: Any) -> None:
        for name in names[:-1]:
            given = getattr(given, name)
        setattr(given, names[-1], getattr(given, names[-1]) + 1)

    return change


def another_seed(given: Any) -> None:
    given.study = given.study.model_copy(update={"seed": 2})


def another_species(given: Any) -> None:
    given.device.head.species = "rat"


CHANGES = {
    "types": another_table(types=["L4_basket"]),
    "placements": another_table(placements=5),
    "radius": another_table(radius_mm=7.0),
    "area": another_table(area="M1"),
    "mode": another_table(mode="af"),
    "seed": another_seed,
    "species": another_species,
    "field": moved("device", "basis", "E"),
    "nodes": moved("device", "basis", "mesh", "nodes"),
    "labels": moved("device", "basis", "mesh", "labels"),
    "pia": moved("device", "head", "cortex", "pial"),
    "pulse": moved("pulse", "w"),
    "times of the pulse": moved("pulse", "t"),
    "centre": moved("centre"),
}


def test_every_input_of_thresholds_has_a_file_of_its_own() -> None:
    first = asked_for()
    assert asked_for() == first
    found = {name: asked_for(change) for name, change in CHANGES.items()}
    assert first not in found.values()
    assert len(set(found.values())) == len(found)


def test_what_does_not_change_thresholds_shares_their_file() -> None:
    def other_intensities(given: Any) -> None:
        other = {**STUDY["device"], "intensities_A_per_us": {"start": 0, "stop": 9, "count": 2}}
        given.study = Study.model_validate({**STUDY, "device": other, "title": "another"})

    assert asked_for(other_intensities) == asked_for()


def test_thresholds_come_back_as_they_were(tmp_path: Path) -> None:
    words = np.array(["a", "bc"])
    made = Recruitment(
        threshold=np.array([[1.0, np.inf], [np.nan, 2.0]]), site=np.ones((2, 2), np.int8),
        type=words, layer=words, species=words, cell_class=None, position=np.eye(3)[:2],
        depth=np.ones(2), outside=np.zeros(2), tissue=np.ones(2, np.int32), unit="A/s",
        mode="cable", error=np.ones(2), notes=("one", "two"),
    )  # fmt: skip
    for given in (made, replace(made, cell_class=words, error=None, notes=())):
        recruited._save(tmp_path / "r.npz", given)
        found = recruited._load(tmp_path / "r.npz")
        for name in Recruitment.__slots__:
            was, now = getattr(given, name), getattr(found, name)
            np.testing.assert_array_equal(now, was)
            assert type(now) is type(was)
            assert getattr(now, "dtype", None) == getattr(was, "dtype", None)


def test_a_figure_is_drawn_again_where_a_number_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value, depth, cell = np.array([1.0, 2.0]), np.array([0.2, 0.8]), np.array(["a", "a"])
    book = Book(out=tmp_path)
    uses: list[dict[str, Any]] = []
    with recorded(uses):
        one = book.drawn("one", "words", depths, value, depth, cell, xlabel="x")
        two = book.drawn("two", "words", depths, value, depth, cell, xlabel="x")
        book.drawn("three", "words", depths, value + 1, depth, cell, xlabel="x")
        book.drawn("four", "words", depths, value, depth, cell, xlabel="y")
        book.drawn("five", "words", depths, value, depth, cell, xlabel="x", signed=True)
    assert [use["taken"] for use in uses] == [False, True, False, False, False]
    assert one.path.read_bytes() == two.path.read_bytes()
    assert one.path.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(TypeError, match="expected plain values, got function"):
        kept_figure(depths, lambda: None)
    with pytest.raises(TypeError, match="expected a function of a module"):
        kept_figure(lambda: depths)  # type: ignore[arg-type, return-value]


def test_plain_values_keep_what_holds_them_apart() -> None:
    values: list[Any] = [[1, [2]], [[1], 2], [1, 2], {"1": 2}, {1: 2}, "12", [None], [0], [False]]
    keys = [content_key(list(plain(v))) for v in values]
    assert len(set(keys)) == len(keys)


def test_a_picture_is_drawn_again_where_the_scene_or_the_view_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def child(scene: Scene, job: Any, folder: Path) -> list[Path]:
        drawn.append(job)
        file = folder / "0000.png"
        file.write_bytes(b"picture %d" % len(drawn))
        return [file]

    monkeypatch.setattr(import_module("rheobase.scenes.picture"), "run_child", child)
    x = np.arange(9.0, dtype=np.float32).reshape(3, 3)
    layer = Layer(
        name="a", kind="points", group="cells", points=x,
        quantities={"v": Quantity(values=np.arange(3.0), label="v")}, shown="v",
    )  # fmt: skip
    scene, png = Scene(title="t", layers=(layer,)), tmp_path / "a.png"
    other = layer.but(quantities={"v": Quantity(values=np.arange(3.0) + 1, label="v")})
    hidden = layer.but(name="b", visible=False)
    for source, how in (
        (scene, {}),
        (scene, {"view": "top"}),
        (scene, {"size": (90, 90)}),
        (scene, {"bars": False}),
        (replace(scene, layers=(other,)), {}),
        (replace(scene, layers=(layer.but(points=x + 1),)), {}),
        (replace(scene, layers=(layer.but(colour="#112233"),)), {}),
    ):
        assert picture(source, png, **how)
    assert len(drawn) == 7
    assert picture(scene, png)
    assert png.read_bytes() == b"picture 1"
    assert picture(replace(scene, layers=(layer, hidden)), png)
    assert len(drawn) == 7, "hidden layers do not count"


@pytest.fixture(scope="module")
def ball() -> Head:
    return build_head(
        "sphere",
        radii_mm=(80, 92),
        layers=("grey_matter", "scalp"),
        sigma_S_per_m=(0.33, 0.33),
        edge_length_mm=11,
    )


def test_lead_field_of_other_places_or_tensors_has_a_file_of_its_own(ball: Head) -> None:
    names, tissues = ["C3", "C4"], ["grey_matter"]
    moved = replace(ball, positions={**ball.positions, "C3": ball.position("Cz")})
    other = replace(ball, positions={**ball.positions, "Cz": ball.position("C3")})
    along = Tensors(tets=np.array([0]), values=np.array([[2.0, 0, 0, 0.5, 0, 1.0]]))
    files = [
        lead_field_file(ball, names, tissues),
        lead_field_file(moved, names, tissues),
        lead_field_file(ball, names, tissues, along),
        lead_field_file(ball, [*names, "Cz"], tissues),
    ]
    assert len(set(files)) == len(files)
    assert lead_field_file(other, names, tissues) == files[0]  # no electrode is there


def test_eeg_is_seen_through_the_tensors_of_the_study(ball: Head) -> None:
    def solved(head: Head, tensors: Tensors | None = None) -> FieldBasis:
        placed: Any = SimpleNamespace(head=head, tensors=tensors)
        table: Any = SimpleNamespace(electrodes=["C3", "C4", "Cz"])
        return _lead_field(table, placed).basis({"C3 to C4": {"C3": 1e-3, "C4": -1e-3}})

    label = ball.label_of("grey_matter")
    twice = ball.tissues[label].with_value("conductivity", 0.66, source="twice")
    grey = np.flatnonzero(ball.mesh.labels == label).astype(np.int32)
    tensors = Tensors(tets=grey, values=np.tile([2.0, 0, 0, 2, 0, 2], (len(grey), 1)))
    plain, through = solved(ball), solved(ball, tensors)
    double = solved(replace(ball, tissues={**ball.tissues, label: twice}))
    # potentials; E is recovered in another way where tissue is anisotropic
    V, wanted = through.potential - through.potential.mean(), double.potential
    wanted = wanted - wanted.mean()
    size = np.abs(wanted).max()
    np.testing.assert_allclose(V, wanted, atol=1e-6 * size)
    assert np.abs(plain.potential - plain.potential.mean() - wanted).max() > 0.1 * size
