"""Polarisation by weak fields: admittance, tree, sites, labels, what is said of envelopes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr

from rheobase._errors import InputError
from rheobase.neurons import Cell, UniformField, generate_cell, place_cells
from rheobase.neurons.fibres import bare_fibre
from rheobase.neurons.membrane import circuit
from rheobase.neurons.membrane.linear import admittance
from rheobase.neurons.morphology import Floats, Kind
from rheobase.neurons.sample import rises_along
from rheobase.neurons.spiking import resting_state
from rheobase.neurons.subthreshold import (
    SITES,
    Response,
    ends,
    polarisation,
    polarisation_length,
    responses,
)
from rheobase.validation.subthreshold import subthreshold

DOWN = UniformField(E=[0.0, 0.0, -1.0])


@dataclass(frozen=True)
class TwoSources:
    """A uniform field along -z and one along x."""

    unit: str = "A"

    def at(self, points: Floats) -> tuple[Floats, Floats]:
        E = np.zeros((2, len(points), 3))
        E[0, :, 2], E[1, :, 0] = -1.0, 1.0
        return E, np.zeros(len(points), dtype=np.int32)


@dataclass(frozen=True)
class Swirl:
    """An induced field, which has no potential: 1 V/m along y near the origin, kept below a height.

    Curl E is 2 V/m²; its axis stands 1 m away.
    """

    top: float = 1.0

    def at(self, points: Floats) -> tuple[Floats, Floats]:
        x, y, z = points.T
        E = np.stack([-y, 1.0 + x, 0 * z], axis=1)
        return E[None], np.where(z > self.top, -1, 0)


@pytest.fixture(scope="module")
def pyramid() -> Cell:
    return generate_cell("L5_pyramidal", "rat", seed=1)


@pytest.fixture(scope="module")
def basket() -> Cell:
    return generate_cell("L4_basket", "rat", seed=1)


@pytest.fixture(scope="module")
def lengths(pyramid: Cell, basket: Cell) -> xr.Dataset:
    return polarisation_length(
        [pyramid, basket], angle=[0.0, np.pi / 3, np.pi / 2], frequency=[0.0, 100.0], azimuths=4
    )


def test_every_row_passes() -> None:
    rows = subthreshold()
    assert len(rows) == 15
    for row in rows:
        assert row.passed, row


def test_squid_membrane_resonates() -> None:
    # small signals of the squid axon at 6.3 C meet the largest impedance between 50 and 90 Hz
    squid = circuit(bare_fibre(1e-3, 1e-3, 1), "hodgkin_huxley")
    rest = resting_state(squid, temperature=6.3)
    f = np.arange(5.0, 200.0, 5.0)
    moving = [admittance(squid, rest, x, temperature=6.3)[0] for x in f]
    best = f[np.abs(moving).argmin()]
    assert 50 <= best <= 90
    still = [admittance(squid, rest, x, gates="frozen", temperature=6.3)[0] for x in f]
    assert np.abs(still).argmin() == 0  # frozen gates let nothing resonate


def test_admittance_at_both_ends_of_the_frequencies(pyramid: Cell) -> None:
    of = circuit(pyramid)
    rest = resting_state(of)
    still = admittance(of, rest, 0.0, gates="frozen")
    assert not still.imag.any()
    assert (still.real >= of.leak - 1e-24).all()  # open channels add to the leak
    fast = admittance(of, rest, 1e7) - 2j * np.pi * 1e7 * of.capacitance
    assert fast == pytest.approx(still, rel=2e-3)  # gates cannot follow 10 MHz
    with pytest.raises(InputError, match="behaviour of gates"):
        admittance(of, rest, 0.0, gates="slow")  # type: ignore[arg-type]


def test_two_compartments_by_hand() -> None:
    fibre = bare_fibre(20e-6, 1e-6, 2)
    y = np.array([2e-9 + 1e-9j, 1e-9 + 4e-9j])
    rise, g = np.array([0.0, 3e-3]), fibre.axial[1]
    want = np.linalg.solve([[y[0] + g, -g], [-g, y[1] + g]], [g * 3e-3, -g * 3e-3])
    tree = Response.of(fibre, y)
    assert tree.deviation(rise) == pytest.approx(want, rel=1e-12)
    assert tree.influence(1) @ rise == pytest.approx(want[1], rel=1e-12)
    with pytest.raises(InputError, match=r"rise must have shape \(2,\)"):
        tree.deviation(np.zeros(3))


def test_sites_of_a_cell(pyramid: Cell) -> None:
    m = pyramid.morphology
    site, reach = ends(m)
    children = np.bincount(m.parent[1:], minlength=len(m))
    for name, kinds in {"basal": (Kind.BASAL,), "apical": (Kind.APICAL,)}.items():
        of = site == SITES.index(name)
        assert (of == (np.isin(m.kind, kinds) & (children == 0))).all()
    terminal = site == SITES.index("terminal")
    assert terminal.sum() > 40
    assert (m.site[terminal] & (children[terminal] == 0)).all()  # none that the model cut
    assert ((children == 0) & m.is_axon & ~m.site).any()  # there is one
    assert ((reach > 0) == (terminal | np.isin(site, (2, 3)))).all()
    assert reach.max() <= 1.0


def test_batched_placements_are_those_of_one_solution(pyramid: Cell) -> None:
    placed = place_cells(
        [pyramid], position=[0, 0, 0], normal=[0.3, -0.5, 0.8], cell=np.zeros(70, dtype=int), seed=4
    )
    got = polarisation(placed, DOWN, frequency=[0.0, 60.0])
    site, reach = ends(pyramid.morphology)
    for i in (0, 69):  # the second block of lanes as well
        turned = UniformField(E=placed.rotation[i].T @ [0.0, 0.0, -1.0])
        rise = rises_along(pyramid.morphology, turned)
        for j, tree in enumerate(responses(pyramid, [0.0, 60.0])):
            v = tree.deviation(rise) - reach * rise
            at = got.isel(frequency=j, placement=i)
            for s, name in enumerate(SITES):
                mine = v[site == s]
                for statistic, want in {
                    "largest": mine[np.abs(mine).argmax()],
                    "mean": mine.mean(),
                }.items():
                    one = at.sel(site=name, statistic=statistic)
                    value = one.amplitude.item() * np.exp(1j * one.phase.item())
                    assert value == pytest.approx(want, rel=1e-4, abs=1e-9)


def test_labels_and_units(lengths: xr.Dataset) -> None:
    assert dict(lengths.sizes) == {
        "angle": 3,
        "azimuth": 4,
        "frequency": 2,
        "placement": 2,
        "site": 5,
        "statistic": 2,
    }
    assert lengths.type.values.tolist() == ["L5_pyramidal", "L4_basket"]
    assert lengths.amplitude.attrs["units"] == "m"
    means = lengths.amplitude.groupby(["layer", "species"]).mean()
    assert means.sel(layer="L5", species="rat", site="soma").notnull().all()
    none = lengths.amplitude.sel(site="apical").isel(placement=1)
    assert none.isnull().all()  # a basket cell has no apical dendrite
    assert lengths.amplitude.isel(placement=0).notnull().all()


def test_field_into_the_cortex_depolarises_deep_somata(lengths: xr.Dataset) -> None:
    steady = lengths.amplitude.sel(angle=0, frequency=0, statistic="mean").isel(placement=0)
    assert (steady.sel(site=["soma", "basal", "initial_segment"]) > 0.1e-3).all()
    assert (steady.sel(site="apical") < 0).all()
    assert (steady.sel(site="soma") < 1e-3).all()  # published somata: 0.12 to 0.18 mm
    largest = lengths.amplitude.sel(angle=0, frequency=0, statistic="largest")
    ends_first = np.abs(largest.sel(site="terminal")) > np.abs(largest.sel(site="soma"))
    assert ends_first.all()  # Rahman 2013, Aberra 2023: axon ends more than somata


def test_orientation_is_a_cosine(lengths: xr.Dataset) -> None:
    soma = lengths.amplitude.sel(site="soma", statistic="mean", frequency=0).mean("azimuth")
    along = soma.sel(angle=0)
    assert soma.isel(angle=1).values == pytest.approx(0.5 * along.values, rel=1e-3, abs=1e-9)
    assert soma.isel(angle=2).values == pytest.approx(0.0 * along.values, abs=1e-8)


def test_oscillations_reach_less(lengths: xr.Dataset) -> None:
    soma = np.abs(lengths.amplitude.sel(angle=0, site="soma", statistic="mean").mean("azimuth"))
    fast, slow = soma.sel(frequency=100).values, soma.sel(frequency=0).values
    assert fast[0] < 0.5 * slow[0]  # Deans 2007: 0.4 at 50 Hz in CA3
    assert lengths.phase.sel(angle=0, frequency=0).max() == 0


def test_sources_are_added_and_reversed(basket: Cell) -> None:
    one = place_cells([basket], position=[0, 0, 0], normal=[0, 0, 1])

    def soma(weights: list[float]) -> float:
        got = polarisation(one, TwoSources(), weights=weights)
        assert got.amplitude.attrs["units"] == "V"
        return float(got.amplitude.sel(site="soma", statistic="mean").item())

    assert soma([2.0, -3.0]) == pytest.approx(2 * soma([1.0, 0.0]) - 3 * soma([0.0, 1.0]), rel=1e-4)
    with pytest.raises(InputError, match="weights"):
        polarisation(one, TwoSources())
    own = polarisation(one, DOWN, unit="V/m")
    assert own.amplitude.attrs["units"] == "V/(V/m)"


def test_carriers_polarise_at_their_own_frequencies(basket: Cell) -> None:
    one = place_cells([basket], position=[0, 0, 0], normal=[0, 0, 1])
    both = polarisation(
        one, TwoSources(), frequency=[1000.0, 1010.0], weights=[[1.0, 0.0], [0.0, 2.0]]
    )
    alone = polarisation(one, TwoSources(), frequency=1010.0, weights=[0.0, 2.0])
    assert both.amplitude.isel(frequency=1).values == pytest.approx(
        alone.amplitude.isel(frequency=0).values, nan_ok=True
    )
    assert "nothing at the beat of 10 Hz" in both.notes
    assert "demodulate" not in alone.notes


def test_induced_field_without_a_potential(pyramid: Cell) -> None:
    one = place_cells([pyramid], position=[0, 0, 0], normal=[0, 0, 1])
    got = polarisation(one, Swirl()).amplitude
    want = polarisation(one, UniformField(E=[0.0, 1.0, 0.0])).amplitude
    # over 1 mm the induced field differs by 1e-3 from the uniform one
    assert np.abs(got - want).max() < 3e-3 * np.abs(want).max()
    assert np.abs(got - want).max() > 0


def test_cells_outside_are_not_known(pyramid: Cell) -> None:
    one = place_cells([pyramid], position=[0, 0, 0], normal=[0, 0, 1])
    got = polarisation(one, Swirl(top=0.3e-3))
    assert got.outside.item() > 0.05
    assert got.amplitude.isnull().all()
    assert "1 of 1 cells lie outside the mesh" in got.notes


def test_bad_input(basket: Cell) -> None:
    one = place_cells([basket], position=[0, 0, 0], normal=[0, 0, 1])
    with pytest.raises(InputError, match="envelope of carriers is no field"):
        polarisation(one, np.ones(1), frequency=10.0)
    with pytest.raises(InputError, match="frequencies must be >= 0 Hz"):
        polarisation(one, DOWN, frequency=[10.0, -1.0])
    with pytest.raises(InputError, match=r"weights must have shape \(k,\) or \(2, k\)"):
        polarisation(one, TwoSources(), frequency=[1.0, 2.0], weights=np.ones((3, 2)))
    with pytest.raises(InputError, match="expected cells and azimuths"):
        polarisation_length([])


def test_coarse_compartments_are_told(basket: Cell) -> None:
    one = place_cells([basket], position=[0, 0, 0], normal=[0, 0, 1])
    assert "cut the cells finer" in polarisation(one, DOWN, frequency=2e4).notes
    assert not polarisation(one, DOWN, frequency=100.0).notes
