"""Morphologies: validation, myelin, generated cells, files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.meshes.cortex.layers import layer_table
from rheobase.neurons.axons import g_ratio, internode_length, plan_branch
from rheobase.neurons.compartments import compartments
from rheobase.neurons.constants import cell_constants, species_scaling
from rheobase.neurons.fibres import bare_fibre, myelinated_fibre
from rheobase.neurons.generate import Cell, cell_types, generate_cell, redraw_nodes
from rheobase.neurons.morphology import Kind, Skeleton
from rheobase.neurons.read import (
    adult_size,
    cut_main_axon,
    read_cell,
    read_skeleton,
    write_swc,
)

DATA = Path(__file__).parents[3] / "shared/data/cells"

TINY = """\
1 1 0 0 0 8 -1
2 3 0 20 0 1 1
3 3 0 60 0 1 2
4 3 20 90 0 .5 3
5 3 -20 90 0 .5 3
6 2 0 -10 0 .5 1
7 2 0 -400 0 .5 6
8 2 100 -500 0 .4 7
9 2 -100 -500 0 .4 7
"""


@pytest.fixture(scope="module")
def pyramid() -> Cell:
    return generate_cell("L5_pyramidal", "rat", seed=1)


def test_same_seed_same_cell(pyramid: Cell) -> None:
    again = generate_cell("L5_pyramidal", "rat", seed=1)
    assert np.array_equal(again.morphology.centre, pyramid.morphology.centre)
    other = generate_cell("L5_pyramidal", "rat", seed=2)
    assert len(other.morphology) != len(pyramid.morphology)


@pytest.mark.parametrize("species", ["rat", "mouse", "human"])
@pytest.mark.parametrize("name", cell_types())
def test_generated_cells_stay_in_their_cortex(name: str, species: str) -> None:
    cell = generate_cell(name, species, seed=5)
    m = cell.morphology
    assert 400 <= len(m) <= 3000
    assert m.centre[:, 2].max() < cell.depth * cell.thickness  # below the pia
    top, bottom = layer_table(species).layer(cell.layer)
    assert top <= cell.depth <= bottom
    assert m.site.any()
    assert not m.site[~m.is_axon].any()
    if name in (
        "L23_pyramidal",
        "L5_pyramidal",
        "L6_pyramidal",
    ):  # the trunk leaves for the white matter and its cut end is no site
        lowest = int(m.centre[:, 2].argmin())
        assert m.centre[lowest, 2] < -(1 - cell.depth) * cell.thickness
        assert not m.site[lowest]
    else:
        assert m.centre[:, 2].min() > -(1 - cell.depth) * cell.thickness - 15e-6
    if name == "L5_pyramidal":  # the tuft is in layer 1
        l1 = layer_table(species).layer("L1")[1]
        assert m.centre[m.kind == Kind.APICAL, 2].max() > (cell.depth - l1) * cell.thickness


# Measured on the 15 rat cells of ModelDB 241165 and on HL23VIP of ModelDB 267595 (lengths in mm),
# widened by half.
RECONSTRUCTED = {
    "L1_neurogliaform": {"axon": (8.0, 9.2), "basal": (0.8, 1.8)},
    "L23_bipolar": {"axon": (11.0, 11.0), "basal": (3.4, 3.4)},
    "L23_pyramidal": {"axon": (4.8, 16.3), "basal": (1.4, 3.9), "apical": (1.9, 4.1)},
    "L5_pyramidal": {"axon": (12.8, 23.4), "basal": (6.3, 6.9), "apical": (8.3, 11.9)},
    "L6_pyramidal": {"axon": (4.6, 9.1), "basal": (2.5, 2.8), "apical": (5.4, 5.5)},
    "L4_basket": {"axon": (19.1, 54.9), "basal": (5.0, 7.4)},
}


@pytest.mark.parametrize("name", list(RECONSTRUCTED))
def test_lengths_have_the_order_of_reconstructions(name: str) -> None:
    statistics = [generate_cell(name, "rat", seed=s).skeleton.statistics() for s in (1, 2)]
    for arbor, (low, high) in RECONSTRUCTED[name].items():
        mean = 1e3 * np.mean([s[f"{arbor}_length"] for s in statistics])
        assert low / 1.5 <= mean <= 1.5 * high, arbor


def test_species_order(pyramid: Cell) -> None:
    human = generate_cell("L5_pyramidal", "human", seed=1)
    assert human.morphology.axon_diameter.max() > pyramid.morphology.axon_diameter.max()
    node = human.morphology.kind == Kind.INTERNODE
    rat = pyramid.morphology.kind == Kind.INTERNODE
    assert human.morphology.length[node].mean() > 1.4 * pyramid.morphology.length[rat].mean()


def test_nodes_are_redrawn_on_the_same_shape(pyramid: Cell) -> None:
    first, second = redraw_nodes(pyramid, 1), redraw_nodes(pyramid, 2)
    assert first.skeleton is pyramid.skeleton
    assert np.array_equal(redraw_nodes(pyramid, 1).morphology.length, first.morphology.length)
    whole = [c.morphology.length[c.morphology.is_axon].sum() for c in (first, second)]
    assert whole[0] == pytest.approx(whole[1])
    nodes = [
        np.sort(c.morphology.centre[c.morphology.kind == Kind.NODE][:, 2]) for c in (first, second)
    ]
    assert len(nodes[0]) != len(nodes[1]) or np.abs(nodes[0] - nodes[1]).max() > 10e-6


def test_thickness_and_depth_are_followed() -> None:
    thin = generate_cell("L5_pyramidal", "human", seed=1, thickness=1.5e-3, depth=0.6)
    thick = generate_cell("L5_pyramidal", "human", seed=1, thickness=3e-3, depth=0.6)
    top = [c.morphology.centre[:, 2].max() for c in (thin, thick)]
    assert top[0] == pytest.approx(0.6 * 1.5e-3, rel=0.1)
    assert top[1] == pytest.approx(0.6 * 3e-3, rel=0.1)


def test_unknown_names_and_depths() -> None:
    with pytest.raises(InputError, match="nearest: L5_pyramidal"):
        generate_cell("L5_pyramid", "rat", seed=0)
    with pytest.raises(InputError, match="species"):
        generate_cell("L5_pyramidal", "macaque", seed=0)
    with pytest.raises(InputError, match="no layer 'L4' in human FA"):
        generate_cell("L4_basket", "human", seed=0, area="FA (M1)")
    with pytest.raises(InputError, match=r"depth must lie in L5, .* got 0.100"):
        generate_cell("L5_pyramidal", "rat", seed=0, depth=0.1)
    with pytest.raises(InputError, match="thickness"):
        generate_cell("L5_pyramidal", "rat", seed=0, thickness=1.0)
    with pytest.raises(InputError, match="species"):
        species_scaling("cat")
    with pytest.raises(InputError, match="area"):
        layer_table("rat", "V1")


@pytest.mark.parametrize("d", [0.2e-6, 0.5e-6, 1e-6, 3e-6])
def test_g_ratio_is_kept_in_range(d: float) -> None:
    assert 0.4 <= g_ratio(d) <= 0.8


@pytest.mark.parametrize("phase_seed", [None, 0, 1, 2])
@pytest.mark.parametrize("length", [30e-6, 75e-6, 400e-6, 2e-3])
def test_branch_plan_adds_up(length: float, phase_seed: int | None) -> None:
    rng = None if phase_seed is None else np.random.default_rng(phase_seed)
    d = 0.8e-6
    pieces = plan_branch(length, d, first=True, terminal=True, rng=rng)
    assert sum(p[0] for p in pieces) == pytest.approx(length, rel=1e-12)
    assert pieces[0][1] == Kind.INITIAL_SEGMENT
    assert pieces[0][0] == pytest.approx(min(length, 50e-6))
    sheaths = [p[0] for p in pieces if p[1] == Kind.INTERNODE]
    if length > 100e-6:
        full = internode_length(d, terminal=True)
        assert min(sheaths) >= min(full, cell_constants()["minimum_internode"])
        assert max(sheaths) < 2.1 * full
        assert pieces[-1][1] == Kind.TERMINAL


def test_thin_branch_stays_bare() -> None:
    assert plan_branch(1e-4, 0.19e-6, first=False, terminal=False, rng=None) == [
        (1e-4, Kind.UNMYELINATED)
    ]


def test_fibres() -> None:
    axon = myelinated_fibre(2e-6, 5)
    gap = np.diff(axon.centre[np.isin(axon.kind, (Kind.NODE, Kind.TERMINAL)), 0])
    assert gap == pytest.approx(np.full(5, 201e-6))
    bare = bare_fibre(1e-3, 1e-6, 10)
    rho = cell_constants()["axial_resistivity"]
    assert bare.axial[1:] == pytest.approx(np.full(9, np.pi * 0.25e-12 / (rho * 1e-4)))
    assert bare.capacitance.sum() == pytest.approx(np.pi * 1e-6 * 1e-3 * 0.01)
    with pytest.raises(InputError, match="length and diameter"):
        bare_fibre(0.0, 1e-6, 10)
    with pytest.raises(InputError, match="myelinated fibre"):
        myelinated_fibre(1e-7, 3)
    with pytest.raises(InputError, match="direction"):
        bare_fibre(1e-3, 1e-6, 10, direction=(0, 0, 0))


def skeleton(**change: object) -> Skeleton:
    parts: dict[str, object] = {
        "position": [[0, 0, 0], [0, 0, 5e-5], [0, 0, -5e-5], [0, 0, -9e-5]],
        "diameter": [1e-5, 1e-6, 1e-6, 1e-6],
        "parent": [-1, 0, 0, 2],
        "kind": [Kind.SOMA, Kind.BASAL, Kind.UNMYELINATED, Kind.UNMYELINATED],
    }
    return Skeleton(**(parts | change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parent": [-1, 0, -1, 2]}, "one root, got 2"),
        ({"parent": [-1, 0, 3, 2]}, "parents before children, without loops"),
        ({"parent": [1, 0, 0, 2]}, "start with its root"),
        ({"diameter": [1e-5, 1e-6, 0.0, 1e-6]}, "diameters must be > 0 m, got 0 at point 2"),
        ({"kind": [Kind.SOMA] + [Kind.BASAL] * 3}, "must have an axon"),
        ({"kind": [Kind.BASAL] * 3 + [Kind.UNMYELINATED]}, "root must be the soma"),
        ({"diameter": [1e-5, 1e-6]}, "share one length"),
    ],
)
def test_bad_cells(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        skeleton(**change)


def test_bad_compartment_length() -> None:
    with pytest.raises(InputError, match="max_dendrite must be > 0 m"):
        compartments(skeleton(), max_dendrite=0.0)


def test_compartments_keep_length_and_volume(pyramid: Cell) -> None:
    whole = pyramid.skeleton.statistics()
    m = pyramid.morphology
    dendrite = m.length[np.isin(m.kind, (Kind.BASAL, Kind.APICAL))].sum()
    radius = 0.5 * pyramid.skeleton.diameter[0]
    stems = np.count_nonzero(pyramid.skeleton.parent == 0) - 1
    expected = whole["basal_length"] + whole["apical_length"] - stems * radius
    assert dendrite == pytest.approx(expected, rel=1e-3)
    assert m.length[m.is_axon].sum() == pytest.approx(whole["axon_length"] - radius, rel=1e-3)
    inner = m.parent[1:] > 0  # every compartment begins where its parent ends
    assert m.start[1:][inner] == pytest.approx(m.end[m.parent[1:][inner]], abs=1e-12)


def test_swc_is_read_in_metres(tmp_path: Path) -> None:
    path = tmp_path / "tiny.swc"
    path.write_text(TINY, encoding="utf-8")
    cell = read_cell(
        path,
        name="L5_pyramidal",
        cell_class="PYR",
        membrane="cADpyr232",
        layer="L5",
        species="rat",
        depth=0.5,
        thickness=2e-3,
    )
    s = cell.skeleton.statistics()
    fork = np.hypot(100, 100)
    assert s["axon_length"] == pytest.approx((400 + 2 * fork) * 1e-6, rel=1e-6)
    assert s["basal_top"] == pytest.approx(90e-6)  # +y of the file is +z
    assert cell.skeleton.diameter[0] == pytest.approx(16e-6)
    count = cell.morphology.count()
    assert count["terminal"] == 2
    assert count["initial_segment"] == 5
    assert count["internode"] > 4


def test_labels_of_a_read_cell_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "tiny.swc"
    path.write_text(TINY, encoding="utf-8")
    labels: dict[str, Any] = {
        "name": "own",
        "cell_class": "PYR",
        "membrane": "cADpyr232",
        "layer": "L5",
        "species": "rat",
        "depth": 0.5,
        "thickness": 2e-3,
    }
    assert read_cell(path, **labels).membrane == "cADpyr232"
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"membrane": "cADpyr23"}, "unknown membrane .* nearest: cADpyr2"),
        ({"cell_class": "pyr"}, "unknown cell class"),
        ({"depth": 1.5}, "depth must be 0 to 1"),
        ({"thickness": 0.0}, "thickness > 0 m"),
        ({"layer": "L9"}, "unknown layer of the rat cortex 'L9'"),
        ({"layer": "L2"}, "unknown layer of the rat cortex 'L2'"),
        ({"species": "dog"}, "unknown species with cortical layers 'dog'"),
    ]
    for change, message in wrong:
        with pytest.raises(InputError, match=message):
            read_cell(path, **(labels | change))


def test_swc_round_trip(tmp_path: Path, pyramid: Cell) -> None:
    path = tmp_path / "cell.swc"
    write_swc(pyramid.skeleton, path)
    back = read_skeleton(path, up=(0, 0, 1))
    for key, value in pyramid.skeleton.statistics().items():
        assert back.statistics()[key] == pytest.approx(value, rel=1e-3, abs=1e-9), key
    assert [p.name for p in tmp_path.iterdir()] == ["cell.swc"]
    with pytest.raises(InputError, match="cannot write"):
        write_swc(pyramid.skeleton, path / "below_a_file.swc")


def test_bad_files(tmp_path: Path) -> None:
    path = tmp_path / "bad.swc"
    for text, message in [
        ("not a cell", "SWC or ASC"),
        (TINY.replace("7 2 0 -400 0 .5 6", "7 2 0 -400 0 .5 9"), "must be a tree, got a loop"),
        ("\n".join(TINY.splitlines()[:5]) + "\n", "must have an axon"),
        (TINY.replace("8 2 100 -500 0 .4 7", "8 2 100 -500 0 0 7"), "diameters must be > 0"),
        (TINY + "10 2 900 0 0 .4 1\n11 2 950 0 0 .4 10\n", "start at the soma"),
        (TINY + "10 1 900 0 0 8 -1\n", "SWC or ASC|root"),
    ]:
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=message):
            read_skeleton(path)


def test_second_roots_begin_at_the_surface_of_the_soma(tmp_path: Path) -> None:
    path = tmp_path / "roots.swc"
    for y, message in [(11, None), (30, "point 10 22 um away"), (-14, "point 10 6 um away")]:
        path.write_text(f"{TINY}10 3 0 {y} 0 .4 -1\n11 3 20 {y} 0 .4 10\n", encoding="utf-8")
        if message is None:  # 3 um off a soma of 8 um
            assert np.count_nonzero(read_skeleton(path).parent == 0) == 3
        else:
            with pytest.raises(InputError, match=rf"{message}, .* roots: .*roots\.swc$"):
                read_skeleton(path)
    path.write_text(f"{TINY}10 3 0 30 0 .4 1\n11 3 20 30 0 .4 10\n", encoding="utf-8")
    assert len(read_skeleton(path).parent) == 11  # tied to the soma by the file itself
    drawn = tmp_path / "trees.asc"
    ring = "".join(f"({8 * np.cos(a):.3f} {8 * np.sin(a):.3f} 0 1)" for a in np.arange(12) / 2)
    soma = f'("CellBody" (CellBody) {ring})\n((Axon)(0 -10 0 1)(0 -300 0 1))\n'
    drawn.write_text(f"{soma}((Dendrite)(0 20 0 1)(0 90 0 1))\n", encoding="utf-8")
    assert len(read_skeleton(drawn).parent) == 5
    drawn.write_text(f"{soma}((Dendrite)(0 30 0 1)(0 90 0 1))\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"the one at \(0\.0, 30\.0, 0\.0\) um 22 um away"):
        read_skeleton(drawn)


DIVIDED = """\
1 1 0 0 0 8 -1
2 3 0 20 0 1 1
3 2 0 -10 0 .5 1
4 2 0 -70 0 .5 3
5 5 0 -120 0 .7 4
6 6 0 -121 0 .5 5
7 5 30 -150 0 .7 6
8 6 31 -151 0 .5 7
9 7 -10 -130 0 .1 6
"""


def test_a_divided_axon_keeps_its_division(tmp_path: Path) -> None:
    path = tmp_path / "divided.swc"
    path.write_text(DIVIDED, encoding="utf-8")
    skeleton = read_skeleton(path, divided=True)
    count = compartments(skeleton).count()
    assert (count["initial_segment"], count["internode"], count["terminal"]) == (7, 2, 2)
    sheath = skeleton.kind == Kind.INTERNODE
    d = skeleton.diameter[sheath]
    assert d / g_ratio(d) == pytest.approx(1.4e-6, rel=1e-4)  # the file gives the outer diameter
    m = compartments(skeleton)
    assert m.diameter[m.kind == Kind.INTERNODE] == pytest.approx(1.4e-6, rel=1e-4)
    assert m.diameter[m.kind == Kind.NODE] == pytest.approx(1e-6)
    again = tmp_path / "again.swc"
    write_swc(skeleton, again)
    back = read_skeleton(again, up=(0, 0, 1), divided=True)
    assert np.array_equal(back.kind, skeleton.kind)
    assert back.diameter == pytest.approx(skeleton.diameter, rel=1e-4)
    with pytest.raises(InputError, match=r"changes along a branch \(divided=True"):
        read_skeleton(path)


def test_adult_size_and_cut(tmp_path: Path) -> None:
    path = tmp_path / "tiny.swc"
    path.write_text(TINY, encoding="utf-8")
    young = read_skeleton(path)
    human = adult_size(young, "human")
    before, after = young.statistics(), human.statistics()
    assert after["axon_diameter"] == pytest.approx(2.453 * before["axon_diameter"])
    assert after["basal_length"] == pytest.approx(1.17 * before["basal_length"])
    assert human.diameter[0] == pytest.approx(2.453**0.5 * young.diameter[0], rel=1e-3)
    thick = path.read_text("utf-8").replace("9 2 -100 -500 0 .4 7", "9 2 -100 -500 0 .45 7")
    path.write_text(thick, encoding="utf-8")
    cut = cut_main_axon(read_skeleton(path))
    assert cut.position[cut.cut][:, 1] == pytest.approx([-100e-6])
    m = compartments(cut)
    assert not m.site[m.centre[:, 1] < -90e-6].any()
    assert m.site[m.centre[:, 1] > 90e-6].any()


def test_points_of_unknown_type_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.swc"
    path.write_text(TINY + "10 9 30 30 0 1 1\n11 9 60 30 0 1 10\n", encoding="utf-8")
    with pytest.raises(InputError, match="types 2, 3, 4, got type 9"):
        read_skeleton(path)
    fork = TINY.replace("8 2 100 -500", "8 0 100 -500")
    assert fork != TINY
    path.write_text(fork, encoding="utf-8")
    with pytest.raises(InputError, match=r"got type 0 .*odd\.swc, point 8$"):
        read_skeleton(path)
    with pytest.raises(InputError, match="points must be finite"):
        skeleton(position=[[0, 0, 0], [0, np.nan, 5e-5], [0, 0, -5e-5], [0, 0, -9e-5]])


def test_other_units_and_empty_files(tmp_path: Path) -> None:
    path = tmp_path / "cell.swc"
    for scale in (1e-6, 1e3):  # m, nm
        lines = [line.split() for line in TINY.splitlines()]
        text = [" ".join([*p[:2], *(str(float(x) * scale) for x in p[2:6]), p[6]]) for p in lines]
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
        with pytest.raises(InputError, match="perhaps in another unit"):
            read_skeleton(path)
    path.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="one soma, got none"):
        read_skeleton(path)


def test_asc_soma_is_a_contour_also_where_it_has_widths(tmp_path: Path) -> None:
    path = tmp_path / "cell.asc"
    ring = "".join(f"({8 * np.cos(a):.3f} {8 * np.sin(a):.3f} 0 1)" for a in np.arange(12) / 2)
    path.write_text(
        f'("CellBody" (CellBody) {ring})\n((Axon)(0 -10 0 1)(0 -300 0 1))\n', encoding="utf-8"
    )
    cell = read_skeleton(path)
    assert cell.diameter[0] == pytest.approx(16e-6, rel=0.02)
    assert cell.statistics()["axon_length"] == pytest.approx(300e-6, rel=0.01)


@pytest.mark.skipif(not DATA.is_dir(), reason="reconstructions (shared/data/cells) not present")
def test_division_of_the_human_layer_5_cell_is_the_published_one() -> None:
    """NeMo-TMS holds the Aberra 2018 human cell divided; its rat original divided by our rule."""
    published = compartments(read_skeleton(DATA / "human/Aberra_human_L5.swc", divided=True))
    [path] = (DATA / "rat/L5_TTPC2_cADpyr232_1").rglob("*.asc")
    ours = compartments(adult_size(read_skeleton(path), "human"))
    for kind in (Kind.INTERNODE, Kind.NODE, Kind.TERMINAL, Kind.INITIAL_SEGMENT):
        got, want = (m.count()[kind.name.lower()] for m in (ours, published))
        assert got == want, kind
    for kind in (Kind.INTERNODE, Kind.UNMYELINATED, Kind.BASAL, Kind.APICAL):
        length = [m.length[m.kind == kind].sum() for m in (ours, published)]
        area = [m.area[m.kind == kind].sum() for m in (ours, published)]
        assert length[0] == pytest.approx(length[1], rel=0.01), kind
        assert area[0] == pytest.approx(area[1], rel=0.03), kind


@pytest.mark.skipif(not DATA.is_dir(), reason="reconstructions (shared/data/cells) not present")
def test_reconstructions_are_read() -> None:
    for path in sorted(DATA.glob("rat/L5*/*.asc")):
        s = read_skeleton(path).statistics()
        assert 10e-3 < s["axon_length"] < 30e-3
        assert s["apical_top"] > 1e-3
    human = read_skeleton(DATA / "human/Aberra_human_L5.swc", divided=True).statistics()
    assert human["axon_length"] == pytest.approx(23.36e-3, rel=1e-3)
