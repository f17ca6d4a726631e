"""Rows of what cells feel: against thresholds, the cable, and each other; recruitment from them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields import coil, tms_pulse
from rheobase.fields.basis import FieldBasis
from rheobase.fields.coils.coil import magnetic_dipole
from rheobase.fields.electrodes.electrode import place_electrode
from rheobase.fields.functionals import fibre_gradient, point_functionals
from rheobase.fields.induction import solve_induction
from rheobase.fields.leadfield import LeadField
from rheobase.fields.leadfield_solve import lead_field
from rheobase.fields.optimisation.limits import Limits
from rheobase.fields.optimisation.target import rows
from rheobase.fields.targeting.modes_solve import coil_modes
from rheobase.fields.targeting.reciprocity import reciprocity
from rheobase.meshes.placing.outlines import Disc
from rheobase.neurons.activation import thresholds
from rheobase.neurons.cable import factorise, influence, polarisation
from rheobase.neurons.generate import Cell, generate_cell
from rheobase.neurons.morphology import Kind
from rheobase.neurons.nearby import nearby
from rheobase.neurons.objectives import CellObjective, objective, polarisation_rows
from rheobase.neurons.placement import Population, place_cells
from rheobase.neurons.recruit import best_pair, maximise_recruitment, rank_stimuli, responses
from rheobase.neurons.sample import PointSource, UniformField, rises_along
from rheobase.neurons.subthreshold import polarisation as polarisation_of
from rheobase.neurons.subthreshold import responses as cell_responses
from rheobase.validation.leadfield import WHERE, ball

Floats = NDArray[np.float64]
FLOAT32 = 3e-6  # thresholds are computed in float32


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return [generate_cell(n, "rat", seed=1) for n in ("L5_pyramidal", "L4_basket")]


@pytest.fixture(scope="module")
def population(cells: list[Cell]) -> Population:
    rng = np.random.default_rng(0)
    up = rng.standard_normal((40, 3)) * 0.4 + [0, 0, 1.0]
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    return place_cells(cells, position=0.072 * up, normal=up, cell=np.arange(40) % 2, seed=1)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> LeadField:
    return lead(tmp_path_factory.mktemp("leadfield") / "whole.h5", None)


def lead(path: Path, tissues: list[str] | None) -> LeadField:
    head = ball(0.018)
    electrodes = [place_electrode(head, name, shape=Disc(radius_mm=10.0)) for name in WHERE]
    return lead_field(head, path, electrodes, reference="Cz", tissues=tissues)


@pytest.fixture(scope="module")
def basis(field: LeadField) -> FieldBasis:
    return field.basis({n: {n: 1.0, "Cz": -1.0} for n in ("C3", "Pz", "T8")})


@pytest.fixture(scope="module")
def pulsed(population: Population, field: LeadField) -> CellObjective:
    return objective(population, field, waveform=200e-6)


def test_influence_is_the_cable_read_backwards(cells: list[Cell]) -> None:
    m = cells[0].morphology
    rng = np.random.default_rng(1)
    rise, drive = rng.standard_normal(len(m)), np.array([1.0, 0.5, 0.0, -2.0])
    for dt in (np.full(4, np.inf), np.array([20e-6, 50e-6, 20e-6, 1e-3])):
        forward, tree = polarisation(m, rise, drive, dt), factorise(m, dt)
        for c in (0, 7, len(m) - 1):
            got = [influence(tree, c, drive, k) @ rise for k in range(4)]
            assert got == pytest.approx(forward[:, c], rel=1e-9, abs=1e-12)
        assert influence(tree, 7, drive) @ rise == pytest.approx(forward[-1, 7], rel=1e-9)


@pytest.mark.parametrize("waveform", [200e-6, "biphasic", "monophasic"])
def test_rows_give_the_thresholds_of_single_sources(
    population: Population, field: LeadField, basis: FieldBasis, waveform: float | str
) -> None:
    wave = tms_pulse(waveform) if isinstance(waveform, str) else waveform
    cells = objective(population, field, waveform=wave)
    for k, name in enumerate(basis.names):
        known = thresholds(population, basis, waveform=wave, weights=np.eye(3)[k])
        a = field.currents({name: 1.0, "Cz": -1.0})
        assert cells.thresholds(a).threshold == pytest.approx(known.threshold, rel=FLOAT32)
        for side, polarity in enumerate(("plus", "minus")):
            r = cells.critical(a, polarity=polarity)  # type: ignore[arg-type]
            assert np.array_equal(r.placement, np.arange(len(population)))
            assert r.C @ a == pytest.approx(1 / known.threshold[side], rel=FLOAT32)


def test_rows_touch_the_response_of_a_mixture_and_stay_below_elsewhere(
    pulsed: CellObjective, field: LeadField
) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((2, len(field.names)))
    a, b = a - a.mean(), b - b.mean()
    C = pulsed.critical(a).C
    assert C @ a == pytest.approx(responses(pulsed, a), rel=FLOAT32)
    assert (C @ b <= responses(pulsed, b) * (1 + FLOAT32)).all()
    both = responses(pulsed, a + b)  # a sublinear function
    assert (both <= (responses(pulsed, a) + responses(pulsed, b)) * (1 + FLOAT32)).all()


def test_rows_are_functionals_of_the_field(
    pulsed: CellObjective, field: LeadField, basis: FieldBasis
) -> None:
    found = pulsed.critical(field.currents({"C3": 1.0, "T8": -1.0}))
    assert found.functionals is not None
    assert rows(field, found.functionals) == pytest.approx(found.C, rel=1e-9)
    own = rows(basis, found.functionals)  # columns C3, Pz, T8 against Cz
    assert own == pytest.approx(found.C[:, [field.names.index(n) for n in basis.names]], rel=1e-9)
    some = found.select([3, 5])
    assert some.functionals is not None
    assert rows(field, some.functionals) == pytest.approx(found.C[[3, 5]], rel=1e-9)


@pytest.mark.parametrize("duration", [np.inf, 1e-3])
def test_polarisation_rows_superpose_the_cable(cells: list[Cell], duration: float) -> None:
    cell = cells[0].morphology
    one = place_cells(cells[:1], position=[0, 0, 0], normal=[0, 0, 1], seed=3)
    turned = replace(cell, centre=cell.centre @ one.rotation[0].T)
    sources = [PointSource(position=p, conductivity=0.3) for p in ([2e-3, 0, 0], [0, 1e-3, 2e-3])]
    (still,) = cell_responses(cells[0], 0.0)
    total, parts = np.zeros(len(cell)), []
    for amplitude, source in zip((0.3, -0.7), sources, strict=True):
        rise = rises_along(turned, source)
        if np.isinf(duration):
            total += amplitude * still.deviation(rise).real
        else:
            total += amplitude * polarisation(cell, rise, np.ones(10), duration / 10)[-1]
        parts.append(polarisation_rows(one, source, site="terminal", duration=duration))
    added = 0.3 * parts[0].C - 0.7 * parts[1].C
    where = cell.kind == Kind.TERMINAL
    assert np.array_equal(parts[0].compartment, np.flatnonzero(where))
    assert added[:, 0] == pytest.approx(total[where], rel=1e-7, abs=1e-7 * np.abs(total).max())


def test_steady_rows_are_the_polarisation_of_placed_cells(
    population: Population, field: LeadField, basis: FieldBasis
) -> None:
    currents = np.array([1e-3, -3e-3, 0.5e-3])
    walked = polarisation_of(population, basis, weights=currents)
    near = polarisation_of(
        population,
        nearby(population, field),
        weights=field.currents(
            dict(zip(basis.names, currents, strict=True)) | {"Cz": -currents.sum()}
        ),
    )
    rows_of = polarisation_rows(population, field).C @ field.currents(
        dict(zip(basis.names, currents, strict=True)) | {"Cz": -currents.sum()}
    )
    for got in (walked, near):
        soma = got.amplitude.sel(site="soma", statistic="mean").squeeze()
        assert soma.values == pytest.approx(rows_of, abs=1e-4 * np.abs(rows_of).max())
        assert (got.outside == 0).all()
    assert walked.amplitude.attrs["units"] == "V"


def test_mean_row_of_a_group(population: Population, field: LeadField) -> None:
    found = polarisation_rows(population, field)
    groups = found.mean()
    assert list(groups) == [("L5_pyramidal", "L5"), ("L4_basket", "L4")]
    for group in groups.values():
        assert group.functionals is not None
        assert group.count == 20
        assert rows(field, group.functionals) == pytest.approx(group.C, rel=1e-9)
    pyramids = population.type == "L5_pyramidal"
    assert groups["L5_pyramidal", "L5"].C[0] == pytest.approx(found.C[pyramids].mean(axis=0))
    with pytest.raises(InputError, match="unknown label 'depth'"):
        found.mean(by=("depth",))


def test_cells_partly_outside(population: Population, basis: FieldBasis) -> None:
    out = 0.0925 * population.position / np.linalg.norm(population.position, axis=1)[:, None]
    some = np.arange(len(population)) % 3 > 0
    edge = replace(population, position=np.where(some[:, None], out, population.position))
    a = np.array([1.0, -0.5, 0.2])
    cells = objective(edge, basis, waveform=200e-6)
    known = thresholds(edge, basis, waveform=200e-6, weights=a)
    assert np.isnan(known.threshold[0]).any()
    assert ((known.outside > 0) & (known.outside < 0.05)).any()
    r = cells.critical(a)
    sure = ~np.isnan(known.threshold[0])
    assert np.array_equal(r.compartment >= 0, sure)
    assert r.C[sure] @ a == pytest.approx(1 / known.threshold[0, sure], rel=FLOAT32)
    assert not r.C[~sure].any()


def test_lead_field_of_one_tissue(population: Population, field: LeadField, tmp_path: Path) -> None:
    grey = lead(tmp_path / "grey.h5", ["grey_matter"])
    a = field.currents({"C3": 1.0, "T8": -1.0})
    up = population.position / np.linalg.norm(population.position, axis=1)[:, None]
    across = replace(population, position=np.where(np.arange(40)[:, None] < 20, 0.0795, 0.055) * up)
    part = objective(across, grey, waveform=200e-6).thresholds(a)
    whole = objective(across, field, waveform=200e-6).thresholds(a)
    assert (part.outside[:20] > 0).all()
    assert not part.outside[20:].any()
    assert not whole.outside.any()
    assert part.threshold[:, 20:] == pytest.approx(whole.threshold[:, 20:], rel=FLOAT32)


def test_nearby_field_is_small_and_knows_where_it_ends(
    population: Population, field: LeadField
) -> None:
    few = nearby(population.select([0]), field)
    assert len(few.nodes) < 0.05 * few.n_split
    far = replace(population.select([0]), position=-population.position[:1])
    a = field.currents({"C3": 1.0, "T8": -1.0})
    assert thresholds(far, few, waveform=200e-6, weights=a).outside[0] == 1.0


def test_gradient_along_fibres(basis: FieldBasis) -> None:
    A = np.random.default_rng(3).standard_normal((3, 3))
    A += A.T  # E = A r is the field of the potential V = -r·A·r / 2
    linear = replace(basis, E=np.stack([basis.split_position @ A * s for s in (1.0, 2.0, 0.0)]))
    x = np.array([[0.0, 0.01, 0.02], [0.03, 0.0, -0.04]])
    t = np.array([[0.0, 0.0, 2.0], [1.0, 1.0, 0.0]])
    unit = t / np.linalg.norm(t, axis=1)[:, None]
    slope = np.einsum("ni,ij,nj->n", unit, A, unit)
    found = rows(linear, fibre_gradient(linear, x, t, length=2e-3))
    assert found == pytest.approx(slope[:, None] * [1.0, 2.0, 0.0], rel=1e-9, abs=1e-12)
    V = [-0.5 * np.einsum("ni,ij,nj->n", p, A, p) for p in (x - 2e-3 * unit, x, x + 2e-3 * unit)]
    assert found[:, 0] * 2e-3**2 == pytest.approx(-(V[0] - 2 * V[1] + V[2]), rel=1e-9)  # McNeal
    E, _ = basis.at(x)
    component = rows(basis, point_functionals(basis, x, unit))
    assert component == pytest.approx(np.einsum("kna,na->nk", E, unit), rel=1e-9)
    summed = rows(basis, point_functionals(basis, x, unit, owner=[0, 0]))
    assert summed == pytest.approx(component.sum(axis=0, keepdims=True), rel=1e-9)


def test_recruitment_by_pairs_ranking_and_programmes(
    pulsed: CellObjective, field: LeadField
) -> None:
    names = field.names
    pair = field.currents({"C3": 1.0, "C4": -1.0})
    total = float(np.median(pulsed.thresholds(pair).threshold[0]))
    limits = Limits(total=total, each=0.6 * total)
    start = best_pair(pulsed, limits, names)
    assert start.share <= start.bound
    stimuli = [
        0.6 * total * field.currents({a: 1.0, b: -1.0}) for a in names for b in names if a != b
    ]
    exact = [np.mean(responses(pulsed, s) >= 1) for s in stimuli]
    assert start.share == max(exact)
    ranking = rank_stimuli(pulsed, stimuli, checks=30, first=6)
    assert ranking.share[ranking.best] == max(exact)
    assert ranking.share[ranking.checked] == pytest.approx(np.array(exact)[ranking.checked])
    assert (ranking.share <= np.array(exact) + 1e-12).all()  # estimates are lower bounds

    found = maximise_recruitment(pulsed, limits, names, start=start)
    assert found.share == pytest.approx(np.mean(responses(pulsed, found.currents) >= 1))
    assert start.share < found.share <= found.bound
    assert (np.diff(found.history) > 0).all()
    assert abs(found.currents.sum()) < 1e-9 * total
    assert np.abs(found.currents).sum() / 2 <= total * (1 + 1e-9)
    assert np.abs(found.currents).max() <= 0.6 * total * (1 + 1e-9)
    assert "total" in found.active

    again = maximise_recruitment(pulsed, limits, names, start=start.currents)
    assert np.array_equal(again.currents, found.currents)
    assert again.bound == 1.0
    with pytest.raises(InputError, match="a start of 9 currents"):
        maximise_recruitment(pulsed, limits, names, start=[1.0, -1.0])
    three = Limits(total=total, each=0.6 * total, electrodes=3)
    few = maximise_recruitment(pulsed, three, names, start=start)
    assert len(few.montage()) <= 3
    assert start.history[0] * (1 - FLOAT32) <= few.history[-1] <= found.history[-1]


def test_bad_input(population: Population, field: LeadField, pulsed: CellObjective) -> None:
    none = population.select(np.zeros(0, dtype=np.int64))
    with pytest.raises(InputError, match="expected cells, got a population of none"):
        objective(none, field, waveform=200e-6)
    with pytest.raises(InputError, match="unknown kind of compartment 'body'"):
        polarisation_rows(population, field, site="body")
    with pytest.raises(InputError, match="compartments 'apical', L4_basket has none"):
        polarisation_rows(population, field, site="apical")
    with pytest.raises(InputError, match="duration must be > 0 s"):
        polarisation_rows(population, field, duration=0.0)
    with pytest.raises(InputError, match="unknown polarity"):
        pulsed.critical(np.zeros(9), polarity="up")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"weights must have shape \(9,\)"):
        pulsed.thresholds([1.0])
    with pytest.raises(InputError, match="expected finite stimuli of shape"):
        rank_stimuli(pulsed, [[np.nan] * 9])
    with pytest.raises(InputError, match="a name for each of 9 sources, got 2"):
        best_pair(pulsed, Limits(total=1.0), ("a", "b"))
    with pytest.raises(InputError, match="length must be > 0 m"):
        fibre_gradient(field, [[0, 0, 0]], [[0, 0, 1]], length=0.0)
    with pytest.raises(InputError, match="directions that are finite and not 0"):
        fibre_gradient(field, [[0, 0, 0]], [[0, 0, 0]], length=1e-3)
    with pytest.raises(InputError, match="expected points inside the mesh, 1 of 1 are not"):
        point_functionals(field, [[0, 0, 1]], [[0, 0, 1]])
    with pytest.raises(InputError, match="expected an owner"):
        point_functionals(field, [[0, 0, 0]], [[0, 0, 1]], owner=[1])
    uniform = objective(population, UniformField(E=[0, 0, 1.0]), waveform=200e-6)
    assert uniform.critical().functionals is None


@pytest.mark.slow
def test_coil_poses_from_modes(population: Population, tmp_path: Path) -> None:
    head = ball(0.018)
    modes = coil_modes(head, tmp_path / "modes.h5", modes=60)
    turn = np.linspace(0, np.pi, 8)
    poses = np.stack([np.eye(4)] * 8)
    poses[:, 0, 0] = poses[:, 1, 1] = np.cos(turn)
    poses[:, 1, 0], poses[:, 0, 1] = np.sin(turn), -np.sin(turn)
    poses[:, 2, 3] = 0.14
    c, missing = modes.coefficients(magnetic_dipole([0.03, 0, 0], [1.0, 0.0, 0.5]), poses)
    cells = objective(population, modes, waveform=200e-6)
    assert cells.unit == "A/s"
    own = solve_induction(head, magnetic_dipole([0.03, 0, 0.14], [1.0, 0.0, 0.5]))
    known = thresholds(population, own, waveform=200e-6).threshold
    found = cells.thresholds(c[0]).threshold
    inside = ~np.isnan(found[0])  # the ball's grey matter has corners, and skull has no modes
    assert inside.sum() >= 30
    assert np.median(np.abs(found / known - 1)[:, inside]) < missing[0] < 0.2
    strong = c * np.median(known)
    ranking = rank_stimuli(cells, strong, checks=8, first=4)
    exact = [np.mean(responses(cells, s) >= 1) for s in strong]
    assert ranking.share[ranking.checked] == pytest.approx(np.array(exact)[ranking.checked])
    assert ranking.share[ranking.best] == max(exact)


@pytest.mark.slow
def test_polarisation_of_a_type_by_reciprocity_over_coil_poses(population: Population) -> None:
    head = ball(0.018)
    tool = coil("magstim-70mm-figure8")
    poses = np.stack([np.eye(4)] * 2)
    poses[1, :2, :2] = [[0, -1], [1, 0]]
    poses[:, 2, 3] = 0.11, 0.115
    bases = [solve_induction(head, tool.moved(pose)) for pose in poses]
    means = [polarisation_rows(population, b).mean()["L5_pyramidal", "L5"] for b in bases]
    assert means[0].functionals is not None
    found = reciprocity(head, means[0].functionals).at(tool, poses)
    own = np.array([m.C.item() for m in means])
    assert found[:, 0] == pytest.approx(own, abs=5e-3 * np.abs(own).max())
