"""Channels, membranes and the circuits of cells."""

from __future__ import annotations

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.neurons.fibres import bare_fibre, myelinated_fibre
from rheobase.neurons.generate import Cell, generate_cell
from rheobase.neurons.membrane import CHANNELS, TEMPERATURE, circuit, membrane, membranes
from rheobase.neurons.morphology import Kind
from rheobase.neurons.spiking import resting_state


@pytest.fixture(scope="module")
def cell() -> Cell:
    return generate_cell("L6_pyramidal", "rat", seed=1)


def test_transient_sodium_has_the_published_rates() -> None:
    # Colbert and Pan 2002 as in the Blue Brain cells; at -38 mV the opening rate is 0.182 * 6
    (m, tau_m), (h, tau_h) = CHANNELS["NaTa_t"].kinetics(np.array([-38e-3]), temperature=21.0)
    assert m == pytest.approx(0.182 / (0.182 + 0.124))
    assert tau_m == pytest.approx(1e-3 / (6 * (0.182 + 0.124)))
    x = 28.0
    opening, closing = -0.015 * x / (1 - np.exp(x / 6)), 0.015 * x / (1 - np.exp(-x / 6))
    assert h == pytest.approx(opening / (opening + closing))
    assert tau_h == pytest.approx(1e-3 / (opening + closing))


def test_rates_follow_the_temperature() -> None:
    v = np.array([-60e-3])
    for name, factor in (("NaTa_t", 2.3**1.6), ("SKv3_1", 1.0)):
        cold, warm = (CHANNELS[name].kinetics(v, t)[0] for t in (21.0, TEMPERATURE))
        assert warm[0] == cold[0]
        assert cold[1] / warm[1] == pytest.approx(factor)


def test_time_constants_are_continuous_and_positive() -> None:
    v = np.linspace(-0.25, 0.15, 4001)
    for channel in CHANNELS.values():
        for steady, tau in channel.kinetics(v):
            assert ((steady >= 0) & (steady <= 1)).all(), channel.name
            assert (tau > 0).all(), channel.name
            assert np.abs(np.diff(np.log(tau))).max() < 0.05, channel.name


def test_squid_membrane_rests_at_minus_65() -> None:
    fibre = bare_fibre(1e-3, 10e-6, 5)
    rest = resting_state(fibre, "hodgkin_huxley", temperature=6.3)
    assert rest == pytest.approx(-65e-3, abs=0.05e-3)


def test_nodes_have_twice_the_sodium_of_bare_axon_and_internodes_none(cell: Cell) -> None:
    of, kind = circuit(cell), cell.morphology.kind
    sodium = of.density["NaTa_t"]
    bare = 3.288755e4  # S/m² of cADpyr231
    assert np.unique(sodium[(kind == Kind.NODE) & of.counted]) == pytest.approx(2 * bare)
    assert np.unique(sodium[(kind == Kind.INITIAL_SEGMENT) & (of.area > 0)]) == pytest.approx(bare)
    assert not sodium[np.isin(kind, (Kind.INTERNODE, Kind.SOMA, Kind.BASAL, Kind.APICAL))].any()
    sheath = kind == Kind.INTERNODE
    assert of.leak[sheath] == pytest.approx(cell.morphology.leak[sheath])


def test_an_artificial_end_has_no_channels_and_is_not_counted(cell: Cell) -> None:
    of = circuit(cell)
    dead = cell.morphology.is_axon & ~cell.morphology.site
    assert not of.counted[dead].any()
    assert all(not density[dead].any() for density in of.density.values())


def test_cation_channels_grow_along_the_apical_tree(cell: Cell) -> None:
    of, shape = circuit(cell), cell.morphology
    apical = np.flatnonzero((shape.kind == Kind.APICAL) & (shape.length > 0))
    ih = of.density["Ih"][apical]
    far = int(ih.argmax())
    path, c = 0.0, int(apical[far])
    while c > 0:
        path += 0.5 * (shape.length[c] + shape.length[shape.parent[c]])
        c = int(shape.parent[c])
    assert ih[far] == pytest.approx(0.8 * (-0.8696 + 2.087 * np.exp(min(3100.0 * path, 3.6161))))


@pytest.mark.parametrize("name", [m for m in membranes() if m[:4] in ("cADp", "cACi", "bNAC")])
def test_cells_of_every_electrical_type_rest(name: str) -> None:
    rest = resting_state(generate_cell("L6_bipolar", "rat", seed=2).morphology, name)
    assert -80e-3 < rest.min() <= rest.max() < -60e-3


def test_a_cell_that_fires_by_itself_is_told() -> None:
    with pytest.raises(InputError, match="rests"):
        resting_state(generate_cell("L6_bipolar", "rat", seed=2).morphology, "cNAC187")


def test_unknown_membranes_are_refused() -> None:
    with pytest.raises(InputError, match="membrane"):
        membrane("cADpyr999")
    with pytest.raises(InputError, match="membrane"):
        circuit(myelinated_fibre(1e-6, 3))
