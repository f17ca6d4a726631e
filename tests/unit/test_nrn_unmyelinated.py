"""Unmyelinated fibres: velocity, thresholds, refusals."""

import dataclasses

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.neurons.fibres import bare_fibre, lay_along
from rheobase.neurons.fibres.unmyelinated import conduction_velocity, unmyelinated_thresholds
from rheobase.neurons.sample import PointSource, rises_along
from rheobase.validation.unmyelinated import c_fibre, squid_axon, unmyelinated_fibre

FIBRE = bare_fibre(301 * 10e-6, 1e-6, 301)
SOURCE = PointSource(position=[0, 0, 0.25e-3], conductivity=0.2)


@pytest.mark.slow
def test_every_row_passes() -> None:
    for row in unmyelinated_fibre():
        assert row.passed, row


def test_the_squid_conducts_as_computed_by_hodgkin_and_huxley() -> None:
    velocity = conduction_velocity(squid_axon(), membrane="hodgkin_huxley", temperature=18.5)
    assert velocity == pytest.approx(18.8, rel=0.01)


def test_velocity_grows_with_the_root_of_the_diameter() -> None:
    thick = dataclasses.replace(FIBRE, diameter=np.full(301, 4e-6))
    thick = dataclasses.replace(thick, length=2 * FIBRE.length)  # as long in length constants
    ratio = conduction_velocity(thick, dt=10e-6) / conduction_velocity(FIBRE, dt=10e-6)
    assert ratio == pytest.approx(2.0, rel=2e-3)


def test_thresholds_near_a_source() -> None:
    rise = rises_along(FIBRE, SOURCE)
    cold = unmyelinated_thresholds(FIBRE, rise, 200e-6, dt=10e-6)
    assert cold.shape == (2, 1)
    anode, cathode = cold[:, 0]
    assert 3 < anode / cathode < 5
    both = unmyelinated_thresholds(FIBRE, [rise, -rise], 200e-6, dt=10e-6, guess=[anode, cathode])
    assert both == pytest.approx(np.array([[anode, cathode], [cathode, anode]]), rel=2e-3)


def test_a_gentle_curve_is_straight() -> None:
    angle = np.linspace(-1, 1, 2001) * 2e-3 / 0.2
    line = 0.2 * np.stack([np.sin(angle), 1 - np.cos(angle), 0 * angle], axis=1)
    line += [0.0, 0.25e-3, 0.0]
    source = PointSource(position=[0, 0, 0], conductivity=0.2)
    length = FIBRE.length.sum()
    bent = lay_along(FIBRE, line, start=2e-3 - 0.5 * length)
    got = unmyelinated_thresholds(bent, rises_along(bent, source), 200e-6, dt=10e-6)
    want = unmyelinated_thresholds(FIBRE, rises_along(FIBRE, SOURCE), 200e-6, dt=10e-6)
    assert got == pytest.approx(want, rel=0.01)


def test_refusals() -> None:
    with pytest.raises(InputError, match="carries a spike, got none at 37"):
        conduction_velocity(squid_axon(), membrane="hodgkin_huxley", dt=20e-6)
    with pytest.raises(InputError, match="unknown membrane"):
        unmyelinated_thresholds(FIBRE, np.zeros(301), 1e-4, membrane="sund")
    with pytest.raises(InputError, match="at least 20 compartments"):
        conduction_velocity(bare_fibre(1e-3, 1e-6, 5))
    assert len(c_fibre()) == 601
