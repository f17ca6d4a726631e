"""Which cells stand for a type: substitutes are asked for, never taken in silence."""

import csv
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.meshes.cortex.layers import layer_table
from rheobase.neurons.activation import thresholds
from rheobase.neurons.generate import (
    Cell,
    cell_types,
    generate_cell,
    type_class,
    type_layer,
    type_of,
)
from rheobase.neurons.placement import Population, place_cells, place_in_slab
from rheobase.neurons.sample import UniformField


def slab(species: str, counts: dict[str, int], **more: object) -> Population:
    return place_in_slab(species=species, counts=counts, seed=1, radius=1e-3, **more)  # type: ignore[arg-type]


def test_every_class_has_a_type_in_every_layer() -> None:
    for layer in ("L2/3", "L4", "L5", "L6"):
        for cell_class in ("PYR", "PV", "SST", "VIP"):
            assert type_class(type_of(cell_class, layer)) == cell_class
    assert type_of("NGC", "L1") == "L1_neurogliaform"
    assert len(cell_types()) == 17
    with pytest.raises(InputError, match="layer with NGC cells"):
        type_of("NGC", "L5")


def test_a_species_without_sizes_needs_a_substitute() -> None:
    with pytest.raises(InputError, match=r"sizes of its own .* got macaque"):
        slab("macaque", {"L5_pyramidal": 2})
    placed = slab("macaque", {"L5_pyramidal": 2}, substitute={"macaque": "human"})
    assert placed.notes == ("macaque cells have the sizes of human cells",)
    assert placed.cells[0].origin.endswith("sizes of human")
    assert set(placed.species) == {"macaque"}
    assert set(placed.cell_class) == {"PYR"}
    with pytest.raises(InputError, match="a substitute that has them, got cat"):
        slab("macaque", {"L5_pyramidal": 2}, substitute={"macaque": "cat"})
    with pytest.raises(InputError, match="nearest: macaque"):
        slab("macaque", {"L5_pyramidal": 2}, substitute={"macaqu": "human"})


def test_an_area_without_layer_4() -> None:
    with pytest.raises(InputError, match="no layer 'L4' in human FA"):
        slab("human", {"L4_basket": 1}, area="FA (M1)")
    deep = generate_cell("L6_pyramidal", "human", seed=1, area="FA (M1)")
    top = deep.skeleton.position[:, 2].max() - deep.depth * deep.thickness  # the tuft's height
    border = layer_table("human", "FA (M1)").layer("L5")[0] * deep.thickness
    assert top == pytest.approx(-border, abs=60e-6)  # which ends where layer 4 would be


@pytest.mark.slow
def test_every_type_grows_in_every_area() -> None:
    text = files("rheobase.meshes").joinpath("data/cortex_layers.csv").read_text("utf-8")
    areas = {(r["species"], r["area"]) for r in csv.DictReader(text.splitlines())}
    assert len(areas) == 12
    for species, area in sorted(areas):
        there = layer_table(species, area).bounds
        for name in cell_types():
            if type_layer(name) in there:
                sizes = {"macaque": "human", "cat": "rat"}.get(species)
                cell = generate_cell(name, species, seed=1, area=area, sizes=sizes)
                assert cell.morphology.site.any(), (species, area, name)


@pytest.fixture(scope="module")
def own() -> Cell:
    return generate_cell("L5_pyramidal", "rat", seed=3)


def test_given_cells_take_the_place_of_grown_ones(own: Cell) -> None:
    other = generate_cell("L5_pyramidal", "rat", seed=4)
    placed = slab("rat", {"L5_pyramidal": 40}, cells=[own, other])
    assert placed.cells == (own, other)
    assert np.bincount(placed.cell).tolist() == [20, 20]
    assert placed.notes == ()
    top, bottom = layer_table("rat").layer("L5")
    assert ((placed.depth >= top) & (placed.depth <= bottom)).all()
    tall = np.array([c.skeleton.position[:, 2].max() for c in placed.cells])[placed.cell]
    high = tall - placed.depth * layer_table("rat").thickness
    assert (high <= 0).mean() > 0.3
    assert (placed.depth[high > 0] == bottom).all()  # too tall for its layer: as deep as it may be


def test_missing_types_are_never_borrowed_in_silence(own: Cell) -> None:
    with pytest.raises(InputError, match="got none for L6_pyramidal"):
        slab("rat", {"L6_pyramidal": 3}, cells=[own])
    with pytest.raises(InputError, match="needs a mouse cell among those given"):
        slab("mouse", {"L5_pyramidal": 3}, cells=[own])
    placed = slab(
        "rat", {"L6_pyramidal": 3}, cells=[own], substitute={"L6_pyramidal": "L5_pyramidal"}
    )
    assert placed.notes == ("L6_pyramidal: L5_pyramidal stands in",)
    assert set(placed.layer) == {"L6"}
    assert placed.cells[0].origin == "generated, seed 3 (rat L5_pyramidal)"
    top, bottom = layer_table("rat").layer("L6")
    assert ((placed.depth >= top) & (placed.depth <= bottom)).all()


def test_given_cells_of_another_species_wait_to_be_asked_for(own: Cell) -> None:
    human = replace(own, species="human", origin="a human's")
    basket = replace(own, name="L5_basket")
    both = [own, human, basket]
    placed = slab("human", {"L5_pyramidal": 10}, cells=both)
    assert placed.cells == (human,)
    assert placed.notes == ("given cells not used: rat L5_pyramidal, rat L5_basket",)
    counts = {"L5_pyramidal": 3, "L6_pyramidal": 2}
    stand_ins = {"human": "rat", "L6_pyramidal": "L5_basket"}
    placed = slab("human", counts, cells=both, substitute=stand_ins)
    assert placed.notes == (
        "human cells are given rat cells",
        "L6_pyramidal: L5_basket stands in",
        "given cells not used: human L5_pyramidal",
    )
    assert [c.origin for c in placed.cells] == [
        "generated, seed 3 (rat L5_pyramidal)",
        "generated, seed 3 (rat L5_basket)",
    ]
    assert set(placed.species) == {"human"}
    assert placed.type.tolist() == ["L5_pyramidal"] * 3 + ["L6_pyramidal"] * 2


def test_a_substitute_without_effect_is_refused(own: Cell) -> None:
    counts = {"L5_pyramidal": 1, "L6_pyramidal": 1}
    with pytest.raises(InputError, match=r"grown as itself, .* \(rat\) only, got L6_pyramidal"):
        slab("rat", counts, substitute={"L6_pyramidal": "L5_pyramidal"})
    with pytest.raises(InputError, match="another than what it replaces, got rat"):
        slab("rat", counts, substitute={"rat": "rat"})
    with pytest.raises(InputError, match="another than what it replaces, got L5_pyramidal"):
        slab("rat", counts, cells=[own], substitute={"L5_pyramidal": "L5_pyramidal"})
    with pytest.raises(InputError, match=r"\(no mouse cell\) .* got none for L5_pyramidal"):
        slab("rat", counts, cells=[own], substitute={"rat": "mouse"})


def test_counts_are_whole_numbers_of_some_type() -> None:
    with pytest.raises(InputError, match="at least one type, got none"):
        slab("rat", {})
    for n in (2.5, -1, "3", True, None):
        with pytest.raises(InputError, match=r"number of L5_pyramidal must be a whole number >= 0"):
            slab("rat", {"L5_pyramidal": n})  # type: ignore[dict-item]
    placed = slab("rat", {"L5_pyramidal": np.int64(2), "L6_pyramidal": 0}, clones=1)  # type: ignore[dict-item]
    assert len(placed) == 2


def test_no_soma_reaches_the_pia() -> None:
    for seed in range(3):
        cell = generate_cell("L1_neurogliaform", "rat", seed=seed, depth=0.0)
        above = cell.depth * cell.thickness
        assert above == pytest.approx(0.5 * cell.skeleton.diameter[0] + 15e-6)
        assert cell.skeleton.position[:, 2].max() < above


def test_recruitment_by_class(own: Cell) -> None:
    basket = generate_cell("L5_basket", "rat", seed=1)
    both = place_cells([own, basket], position=[0, 0, 0], normal=[0, 0, 1.0])
    fired = thresholds(both, UniformField(E=[0, 0, 1.0]), waveform=200e-6)
    assert list(fired.groups(("cell_class",))) == [("PYR",), ("PV",)]
    assert fired.probability([1e4], by=("cell_class",))["cell_class"].values.tolist() == [
        "PYR",
        "PV",
    ]
    assert fired.to_xarray()["cell_class"].values.tolist() == ["PYR", "PV"]
    with pytest.raises(InputError, match="groups by class need classes"):
        replace(fired, cell_class=None).groups(("cell_class",))
