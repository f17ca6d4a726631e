"""Placement, sampling, cable, thresholds and recruitment."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.waveforms.pulses import tms_pulse
from rheobase.meshes.cortex.sheet import CorticalSheet
from rheobase.meshes.locate import Locator
from rheobase.meshes.mesh import TetMesh
from rheobase.neurons.activating import axon_graph, chance_thresholds
from rheobase.neurons.activation import Mode, thresholds
from rheobase.neurons.cable import Criterion, factorise, largest_response, polarisation
from rheobase.neurons.calibration import is_concentrated, reversal_time
from rheobase.neurons.fibres import bare_fibre, myelinated_fibre
from rheobase.neurons.fibres.mrg_stimulus import stimulus_samples
from rheobase.neurons.generate import Cell, generate_cell
from rheobase.neurons.morphology import Kind
from rheobase.neurons.placement import Population, place_cells, place_in_sheet, place_in_slab
from rheobase.neurons.pulse import drive_of, is_carrier
from rheobase.neurons.sample import (
    PointSource,
    Sampler,
    UniformField,
    quasi_potential,
    rises_along,
)
from rheobase.validation.cable_spiking import cable_of, rises_about

Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def pyramid() -> Cell:
    return generate_cell("L5_pyramidal", "rat", seed=1)


@pytest.fixture(scope="module")
def slab() -> Population:
    counts = {"L5_pyramidal": 40, "L4_basket": 30}
    return place_in_slab(species="rat", counts=counts, seed=2, radius=0.5e-3, clones=2)


def box(n: int, size: float) -> TetMesh:
    """Cube of side ``size`` about (0, 0, -size/4), n cells a side, six tetrahedra each."""
    g = np.linspace(-0.5, 0.5, n + 1) * size
    nodes = np.stack(np.meshgrid(g, g, g - size / 4, indexing="ij"), axis=-1).reshape(-1, 3)
    i, j, k = (a.ravel() for a in np.meshgrid(*[np.arange(n)] * 3, indexing="ij"))
    m = n + 1

    def corner(a: int, b: int, c: int) -> NDArray[np.int64]:
        return ((i + a) * m + (j + b)) * m + (k + c)

    paths = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    tets = []
    for path in paths:
        at = np.zeros(3, dtype=int)
        columns = [corner(0, 0, 0)]
        for axis in path:
            at[axis] = 1
            columns.append(corner(*at))
        even = path in [(0, 1, 2), (1, 2, 0), (2, 0, 1)]
        order = [0, 1, 2, 3] if even else [0, 2, 1, 3]
        tets.append(np.stack([columns[o] for o in order], axis=1))
    all_tets = np.concatenate(tets)
    return TetMesh(
        nodes=nodes, tets=all_tets.astype(np.int32), labels=np.ones(len(all_tets), dtype=np.int32)
    )


@dataclass(frozen=True)
class NodalField:
    """Stands in for a field basis: linear in every tetrahedron, two sources."""

    mesh: TetMesh
    E: Floats
    split_of_tet: NDArray[np.int32]
    unit: str = "A"


@dataclass(frozen=True)
class SearchedField:
    """The same field found point by point."""

    walked: NodalField
    locator: Locator

    def at(self, points: Floats) -> tuple[Floats, NDArray[np.int32]]:
        tet, bary = self.locator.locate(points)
        corners = self.walked.mesh.tets[tet]
        return np.einsum("nj,knja->kna", np.nan_to_num(bary), self.walked.E[:, corners]), tet


@pytest.fixture(scope="module")
def walked() -> NodalField:
    mesh = box(9, 6e-3)
    E = np.random.default_rng(0).standard_normal((2, len(mesh.nodes), 3))
    return NodalField(mesh=mesh, E=E, split_of_tet=mesh.tets)


def test_walk_equals_search(walked: NodalField, slab: Population) -> None:
    by_search = Sampler.of(SearchedField(walked, Locator(walked.mesh)), [1.0, -2.0])
    by_walk = Sampler.of(walked, [1.0, -2.0])
    i = np.flatnonzero(slab.cell == 0)
    morphology = slab.cells[0].morphology
    a, out_a = by_search.rises(morphology, slab.rotation[i], slab.position[i])
    b, out_b = by_walk.rises(morphology, slab.rotation[i], slab.position[i])
    assert np.array_equal(out_a, out_b)
    assert np.abs(a - b).max() < 1e-6 * np.abs(a).max()


def test_cells_outside_the_mesh_are_flagged(slab: Population) -> None:
    mesh = box(2, 2.4e-3)  # too small for the trunks, and some somata
    uniform = np.broadcast_to([0.0, 0.0, 1.0], (1, len(mesh.nodes), 3)).copy()
    field = NodalField(mesh=mesh, E=uniform, split_of_tet=mesh.tets)
    r = thresholds(slab, field, waveform=200e-6)
    assert (r.outside > 0).any()
    assert np.array_equal(np.isnan(r.threshold[0]), r.outside > 0.05)
    assert any("partly outside the mesh" in n for n in r.notes)
    assert r.unit == "A"
    with pytest.raises(InputError, match="cells must lie inside the mesh"):
        thresholds(slab, field, waveform=200e-6, outside="error")
    # a kept parent's field changes nothing where the field is uniform
    inside = (r.outside > 0) & (r.outside < 0.05)
    free = thresholds(slab, UniformField(E=[0, 0, 1.0]), waveform=200e-6)
    assert r.threshold[:, inside] == pytest.approx(free.threshold[:, inside], rel=1e-4)


def test_several_sources_need_weights(walked: NodalField, slab: Population) -> None:
    with pytest.raises(InputError, match="weights must be given for a field of 2 sources"):
        Sampler.of(walked)
    with pytest.raises(InputError, match=r"weights must have shape \(2,\)"):
        Sampler.of(walked, [1.0])
    with pytest.raises(InputError, match="weights must be finite"):
        Sampler.of(walked, [1.0, np.nan])


def test_rises_sum_to_the_potential(pyramid: Cell) -> None:
    source = PointSource(position=[1e-3, 0, 0], conductivity=0.3)
    m = pyramid.morphology
    V = source.potential(m.centre)
    got = quasi_potential(m, rises_along(m, source))
    assert got + V[0] == pytest.approx(V, rel=1e-9)
    by_integration = quasi_potential(m, rises_along(m, SimpleNamespace(at=source.at)))
    assert by_integration + V[0] == pytest.approx(V, rel=2e-3)


def test_rises_near_an_electrode_are_differences_of_its_potential(pyramid: Cell) -> None:
    """40 um from a node the field changes within a compartment: integration is not enough."""
    m = pyramid.morphology
    node = int(np.flatnonzero(m.kind == Kind.NODE)[20])
    one = place_cells([pyramid], position=[0, 0, 0], normal=[0, 0, 1], seed=1)
    placed = m.centre @ one.rotation[0].T
    source = PointSource(position=placed[node] + [0, 40e-6, 0], conductivity=0.3)
    V = source.potential(placed)
    exact = V - V[np.maximum(m.parent, 0)]
    assert rises_along(replace(m, centre=placed), source) == pytest.approx(exact, rel=1e-9)
    got, lost = Sampler.of(source, [2.0]).rises(m, one.rotation, one.position)
    assert got[0, :, 0] == pytest.approx(2 * exact, rel=1e-6, abs=1e-6 * np.abs(exact).max())
    assert not got[..., 1:].any()
    assert lost.tolist() == [0]
    found = thresholds(one, source, waveform=200e-6).threshold[:, 0]
    assert found == pytest.approx(cable_of(pyramid, exact[None], 200e-6)[:, 0], rel=1e-5)
    integrated = thresholds(one, SimpleNamespace(at=source.at), waveform=200e-6).threshold[:, 0]
    assert np.abs(integrated / found - 1).max() > 0.01


@pytest.mark.parametrize("mode", ["cable", "af"])
def test_cells_closer_to_a_source_than_the_calibration_are_told(pyramid: Cell, mode: Mode) -> None:
    m = pyramid.morphology
    node = m.centre[np.flatnonzero(m.kind == Kind.NODE)[20]]
    lanes = np.ascontiguousarray(rises_about(m).T, dtype=np.float32)[None]
    assert not is_concentrated(m, lanes).any()  # what the calibration has seen
    # electrode 40 um, 1 and 2 mm from a node
    away = np.array([[0, 40e-6, 0], [0, 1e-3, 0], [0, 2e-3, 0]])
    three = replace(
        place_cells([pyramid] * 3, position=[0, 0, 0], normal=np.eye(3), seed=1),
        position=-node - away,
        rotation=np.broadcast_to(np.eye(3), (3, 3, 3)).copy(),
    )
    result = thresholds(
        three, PointSource(position=[0, 0, 0], conductivity=0.3), waveform=200e-6, mode=mode
    )
    assert result.error is not None
    assert np.isnan(result.error).tolist() == [True, False, False]
    assert any(n.startswith("1 of 3 cells stand closer to a source") for n in result.notes)
    assert np.isfinite(result.threshold).all()


def test_potentials_of_a_lead_know_where_they_end(pyramid: Cell) -> None:
    """Two sources with a potential and no field; outside a point keeps the last one inside."""
    m = pyramid.morphology
    top = float(np.quantile(m.centre[:, 2], 0.97))

    def potential(points: Floats) -> Floats:
        V = np.stack([points[:, 2], points[:, 0] ** 2 * 1e3])
        return np.where(points[:, 2] > top, np.nan, V)

    lead = SimpleNamespace(potential=potential)
    sampler = Sampler.of(lead, [3.0, -1.0])
    rise, lost = sampler.rises(m, np.eye(3)[None], np.zeros((1, 3)))
    inside = m.centre[:, 2] <= top
    assert lost.tolist() == [np.count_nonzero(~inside)]
    V = [3.0, -1.0] @ potential(m.centre)
    parent = np.maximum(m.parent, 0)
    both = inside & inside[parent]
    assert rise[0, both, 0] == pytest.approx((V - V[parent])[both], rel=1e-5, abs=1e-10)
    assert not rise[0, ~inside, 0].any()
    with pytest.raises(InputError, match=r"expected potentials of shape \(sources, 1\)"):
        Sampler.of(SimpleNamespace(potential=lambda x: np.zeros((2, 2, 2))))


def test_lanes_agree_with_the_double_solve(pyramid: Cell) -> None:
    m = pyramid.morphology
    population = place_cells([pyramid] * 3, position=[0, 0, 0], normal=np.eye(3), seed=4)
    sampler = Sampler.of(UniformField(E=[0.3, -0.5, 0.8]))
    rise, _ = sampler.rises(m, population.rotation, population.position)
    for drive in (-np.ones(1), np.array([1.0, -0.5, 0.2, 0.2])):
        dt = np.array([50e-6, 120e-6, 50e-6, 20e-6])[: len(drive)]
        tree = factorise(m, dt)
        near = np.arange(len(m), dtype=np.int32)
        near[m.site] = m.parent[m.site]
        weight = np.tile(m.site, (len(drive), 1)) / 1.5
        free = np.zeros(len(drive), dtype=bool)
        fires = Criterion(weight=weight, near=near, share=0.5, grows=free)
        response, site = largest_response(tree, rise, drive, fires)
        for i in range(3):
            v = polarisation(m, rise[0, :, i], drive, dt)
            v = (v + 0.5 * v[:, near]) / 1.5
            v[:, ~m.site] = 0.0
            assert response[0, i] == pytest.approx(v.max(), rel=2e-4)
            assert response[1, i] == pytest.approx(-v.min(), rel=2e-4)
            assert v[:, site[0, i]].max() == pytest.approx(v.max(), rel=1e-4)


def test_response_scales_and_turns_with_the_cell(pyramid: Cell) -> None:
    flat = place_cells([pyramid], position=[0, 0, 0], normal=[0, 0, 1.0], seed=1)
    tilted = place_cells([pyramid], position=[5e-3, 0, 0], normal=[1.0, 0, 0], seed=2)
    up = thresholds(flat, UniformField(E=[0, 0, 1.0]), waveform=200e-6)
    along = thresholds(tilted, UniformField(E=[2.0, 0, 0]), waveform=200e-6)
    assert up.threshold == pytest.approx(2 * along.threshold, rel=1e-4)
    down = thresholds(flat, UniformField(E=[0, 0, -1.0]), waveform=200e-6)
    assert down.threshold == pytest.approx(up.threshold[::-1], rel=1e-5)


def test_thick_axons_need_less() -> None:
    """Biphasic TMS: axons of human cells are 1.9 times those of the rat."""
    medians = {}
    for species in ("human", "rat"):
        population = place_in_slab(
            species=species, counts={"L5_pyramidal": 60}, seed=1, radius=1e-3, clones=2
        )
        across = thresholds(population, UniformField(E=[1.0, 0, 0]), waveform=tms_pulse("biphasic"))
        medians[species] = float(np.median(across.threshold))
    assert 0.5 < medians["human"] / medians["rat"] < 0.8


def test_site_and_strength_duration(slab: Population) -> None:
    field = UniformField(E=[1.0, 0, 0])
    medians = []
    for width in (0.1e-3, 0.2e-3, 0.5e-3, 1e-3):
        r = thresholds(slab, field, waveform=width)
        assert np.isin(r.site, (Kind.NODE, Kind.TERMINAL, Kind.UNMYELINATED)).all()
        assert not any("outside" in n for n in r.notes)
        medians.append(np.median(r.threshold))
    assert (np.diff(medians) < 0).all()  # longer pulses need less
    short = thresholds(slab, field, waveform=20e-6)
    assert any("outside the calibrated 30 to 2000 us" in n for n in short.notes)


def test_probability_is_a_distribution(slab: Population, tmp_path: Path) -> None:
    r = thresholds(slab, UniformField(E=[1.0, 0, 0]), waveform=200e-6, unit="V/m")
    a = np.linspace(0, 2000, 41)
    p = r.probability(a)
    assert p.dims == ("group", "polarity", "amplitude")
    assert (np.diff(p.values, axis=-1) >= 0).all()
    assert (p.values[..., 0] == 0).all()
    assert (p.values[..., -1] == 1).all()
    assert list(p["type"].values) == ["L5_pyramidal", "L4_basket"]
    assert list(p["placements"].values) == [40, 30]
    assert p.amplitude.attrs["units"] == "V/m"
    middle = r.quantiles(0.5, by=("type",)).sel(group="L4_basket", polarity="plus").item()
    assert r.probability([middle]).sel(group="L4_basket/L4", polarity="plus").item() >= 0.5
    path = tmp_path / "r.nc"
    r.save(path)
    import xarray as xr

    with xr.open_dataset(path, engine="h5netcdf") as back:
        assert back.threshold.attrs["units"] == "V/m"
        assert np.array_equal(back.threshold.values, r.threshold)
        assert back["type"].values[0] == "L5_pyramidal"
    with pytest.raises(InputError, match="amplitudes must be >= 0"):
        r.probability([-1.0])
    with pytest.raises(InputError, match="nearest: layer"):
        r.groups(by=("layers",))


def test_af_follows_the_node_chance(slab: Population) -> None:
    r = thresholds(slab, UniformField(E=[0, 0, 1.0]), waveform=200e-6, mode="af")
    assert (r.threshold > 0).all()
    again = thresholds(slab, UniformField(E=[0, 0, 1.0]), waveform=200e-6, mode="af")
    assert np.array_equal(r.threshold, again.threshold)
    with pytest.raises(InputError, match="activation mode"):
        thresholds(slab, UniformField(E=[0, 0, 1.0]), waveform=200e-6, mode="spike")  # type: ignore[arg-type]


def test_chance_threshold_of_a_straight_fibre() -> None:
    """Point cathode over a fibre: the stretch above the level has a closed form."""
    axon = myelinated_fibre(1e-6, 121)
    z = 1e-3
    source = PointSource(position=[0, 0, z], conductivity=0.3)
    n = len(axon)
    graph = axon_graph(axon)
    rise = np.zeros((1, n, 1), dtype=np.float32)
    rise[0, :, 0] = -rises_along(axon, source)  # cathode
    u = np.array([0.5])
    level = 0.02
    value, where = chance_thresholds(graph, rise, level, u)
    assert abs(axon.centre[where[0, 0], 0]) < 1e-4
    # f(x) = a L² V''(x), V'' = (z² - 2x²)/(4πσ r⁵) for a cathode: above level within half of u L
    inl = graph.scale[n // 2]
    x = 0.5 * u[0] * inl
    curvature = (z**2 - 2 * x**2) / (4 * np.pi * 0.3 * (x**2 + z**2) ** 2.5)
    assert value[0, 0] == pytest.approx(level / (inl**2 * curvature), rel=0.01)


def test_pulse_phases_and_widths() -> None:
    drive = drive_of(200e-6)
    assert drive.dt == pytest.approx([100e-6, 100e-6])
    assert drive.width == pytest.approx([100e-6, 200e-6])
    assert drive.amplitude == pytest.approx(1)
    assert not drive.grows.any()

    class Cosine:
        t = np.linspace(0, 300e-6, 3001)
        w = np.cos(2 * np.pi * t / 300e-6)

    drive = drive_of(Cosine())
    # integral² over that of the square: of half a sine 8/π² of its length, of a quarter as well
    half = 150e-6 * 8 / np.pi**2
    assert drive.phases == pytest.approx([half / 2, half, half / 2], rel=1e-3)
    assert drive.width[1::2] == pytest.approx(drive.phases)
    assert drive.dt == pytest.approx(np.repeat(drive.phases, 2) / 2)
    assert drive.amplitude == pytest.approx(np.pi / 4 * np.array([1, 1, -1, -1, 1, 1]), rel=1e-3)
    assert drive.dt @ drive.amplitude == pytest.approx(0.0, abs=1e-9)  # steps keep the integral
    assert drive.grows.tolist() == [False] * 2 + [True] * 4

    class Asymmetric:  # a pulse, a rest, the recharge, a tail that counts as none
        t = 1e-6 * np.array([0, 60, 60.001, 90, 90.001, 570, 570.001, 800])
        w = np.array([1, 1, 0, 0, -0.125, -0.125, 0.01, 0.0])

    drive = drive_of(Asymmetric())
    assert drive.dt == pytest.approx([30e-6, 30e-6, 30e-6, 240e-6, 240e-6], rel=1e-4)
    assert drive.amplitude == pytest.approx([1, 1, 0, -0.125, -0.125], abs=1e-4)
    assert drive.width == pytest.approx([30e-6, 60e-6, 0, 240e-6, 480e-6], rel=1e-4)
    assert drive.phases == pytest.approx([60e-6], rel=1e-4)
    assert drive.held == pytest.approx([1, 1, 1, 1, 1], abs=2e-3)
    assert drive.notes == ()

    class Reversed:  # what follows at once takes a part of the phase back
        t = 1e-6 * np.array([0, 60, 60.001, 120])
        w = np.array([1, 1, -0.5, -0.5])

    back = 0.5 * reversal_time() / 60e-6
    assert drive_of(Reversed()).held == pytest.approx([1, 1 - back, 1, 1], 1e-3)
    with pytest.raises(InputError, match="pulse width must be > 0, got"):
        drive_of(0.0)
    with pytest.raises(InputError, match="rising times"):
        drive_of(type("W", (), {"t": [0, 0], "w": [1, 1]}))
    with pytest.raises(InputError, match="not 0 throughout"):
        drive_of(type("W", (), {"t": [0, 1e-4], "w": [0, 0]}))
    number = np.float32(60e-6)
    assert drive_of(number).width == pytest.approx(drive_of(60e-6).width, rel=1e-6)
    assert stimulus_samples(number)[0][-1] == pytest.approx(60e-6, rel=1e-6)
    for bad in (None, "200 us", True, [1e-4]):
        kind = type(bad).__name__
        with pytest.raises(InputError, match=f"expected a pulse width in s .* got {kind}"):
            drive_of(bad)
        with pytest.raises(InputError, match=f"expected a pulse width in s .* got {kind}"):
            stimulus_samples(bad)


def test_carriers_are_told_in_mode_spiking() -> None:
    def sine(f: float, cycles: int, **more: object) -> SimpleNamespace:
        t = np.linspace(0, cycles / f, 40 * cycles + 1)
        return SimpleNamespace(t=t, w=np.sin(2 * np.pi * f * t), **more)

    for waveform, expected in (
        (sine(2e3, 5), True),
        (sine(2e3, 1, pulse=False), True),
        (sine(2e3, 1), False),
        (sine(100.0, 5), False),
        (200e-6, False),
    ):
        assert is_carrier(waveform, drive_of(waveform)) is expected
    cell = generate_cell("L1_neurogliaform", "mouse", seed=1)
    one = place_cells([cell], position=[0, 0, 0], normal=[0, 0, 1], seed=1)
    r = thresholds(one, UniformField(E=[0, 0, 1.0]), waveform=sine(2e3, 3), mode="spiking")
    assert r.error is not None
    assert np.isnan(r.error).all()
    assert any("a carrier of a kHz or more" in n for n in r.notes)


def sheet(n: int = 12, radius: float = 30e-3, thickness: float = 2.5e-3) -> CorticalSheet:
    """Patch of a sphere, folded in no way."""
    a = np.linspace(-0.2, 0.2, n)
    u, v = (g.ravel() for g in np.meshgrid(a, a, indexing="ij"))
    out = np.stack([u, v, np.ones_like(u)], axis=1)
    out /= np.linalg.norm(out, axis=1)[:, None]
    k = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    tri = np.concatenate(
        [np.stack([k, k + n, k + 1], axis=1), np.stack([k + n, k + n + 1, k + 1], axis=1)]
    )
    t = thickness * (1 + 0.3 * u / 0.2)
    return CorticalSheet(
        pial=radius * out,
        white=(radius - t)[:, None] * out,
        triangles=tri.astype(np.int32),
        area=np.full(n * n, 1e-6),
    )


def test_cells_stand_in_the_sheet() -> None:
    cortex = sheet()
    population = place_in_sheet(
        cortex, species="human", counts={"L5_pyramidal": 60, "L23_pyramidal": 20}, seed=3, clones=2
    )
    assert len(population) == 80
    radial = population.position / np.linalg.norm(population.position, axis=1)[:, None]
    assert np.einsum("ni,ni->n", population.rotation[:, :, 2], radial).min() > 0.99
    eye = np.einsum("nij,nkj->nik", population.rotation, population.rotation)
    assert eye == pytest.approx(np.broadcast_to(np.eye(3), eye.shape), abs=1e-12)
    assert np.linalg.det(population.rotation) == pytest.approx(np.ones(80))
    for i in range(0, 80, 7):  # no tuft outside the pia, every trunk below the white surface
        r = np.linalg.norm(population.compartments(i), axis=1)
        assert r.max() < 30e-3
        assert r.min() < 30e-3 - cortex.thickness[population.column[i]]
    deep = population.type == "L5_pyramidal"
    assert set(population.layer[deep]) == {"L5"}
    assert population.depth[deep].min() > population.depth[~deep].max()
    same = place_in_sheet(
        cortex, species="human", counts={"L5_pyramidal": 60, "L23_pyramidal": 20}, seed=3, clones=2
    )
    assert np.array_equal(same.position, population.position)
    assert len(population.select(deep)) == 60


def test_bad_regions() -> None:
    cortex = sheet()
    counts = {"L5_pyramidal": 5}
    with pytest.raises(InputError, match=r"within 0.001 m of \[1.0, 0.0, 0.0\] m"):
        place_in_sheet(
            cortex, species="rat", counts=counts, seed=0, centre=[1.0, 0, 0], radius=1e-3
        )
    with pytest.raises(InputError, match="radius must be > 0 m"):
        place_in_sheet(cortex, species="rat", counts=counts, seed=0, centre=[0, 0, 0])
    with pytest.raises(InputError, match="mask must have shape"):
        place_in_sheet(cortex, species="rat", counts=counts, seed=0, mask=[True])
    with pytest.raises(InputError, match="clones"):
        place_in_sheet(cortex, species="rat", counts=counts, seed=0, clones=0)
    with pytest.raises(InputError, match="must be a whole number >= 0, got -5"):
        place_in_slab(species="rat", counts={"L5_pyramidal": -5}, seed=0, radius=1e-3)
    with pytest.raises(InputError, match="radius and thickness"):
        place_in_slab(species="rat", counts=counts, seed=0, radius=0.0)


def test_bad_steps() -> None:
    fibre = bare_fibre(1e-3, 1e-6, 10)
    with pytest.raises(InputError, match="dt must be > 0 s"):
        factorise(fibre, 0.0)
    with pytest.raises(InputError, match=r"rise must have shape \(10,\)"):
        polarisation(fibre, np.zeros(3), [1.0])
    with pytest.raises(InputError, match="conductivity"):
        PointSource(position=[0, 0, 0], conductivity=0.0)


def test_what_a_short_phase_leaves_is_not_judged_by_the_long_one(pyramid: Cell) -> None:
    """A 50 µs pulse with a weak 500 µs return fires at about the threshold of the pulse alone."""
    population = place_cells([pyramid] * 3, position=[0, 0, 0], normal=np.eye(3), seed=4)
    field = UniformField(E=[0, 0, -1.0])
    width, tail, edge = 50e-6, 500e-6, 1e-9
    t = np.array([0.0, edge, width - edge, width, width + edge, width + tail - edge, width + tail])
    pulse = SimpleNamespace(t=t, w=np.array([0.0, 1.0, 1.0, 0.0, -0.1, -0.1, 0.0]))
    alone = SimpleNamespace(t=t[:4], w=pulse.w[:4])
    both = thresholds(population, field, waveform=pulse).threshold[0]
    first = thresholds(population, field, waveform=alone).threshold[0]
    assert both == pytest.approx(first, rel=0.15)
