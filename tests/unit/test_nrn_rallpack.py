"""Rallpack 1 and 2: the series, the tree, the kernels."""

import math

import numpy as np
import pytest

from rheobase.neurons.constants import cell_constants
from rheobase.validation.rallpack import CURRENT, branching_tree, passive, rallpack, series


def test_every_row_passes() -> None:
    rows = rallpack()
    assert len(rows) == 8
    for row in rows:
        assert row.passed, row


def test_series_begins_like_a_capacitor_and_ends_like_a_resistor() -> None:
    # 4 um are 0.004 length constants: isopotential, so charge over capacitance at first
    length, d = 4e-6, 1e-6
    early, late = series([1e-3, 2.0], 0.5 * length, length, d)
    area = math.pi * d * length
    tau = 4.0 * 0.01
    assert early == pytest.approx(CURRENT * 4.0 / area * -math.expm1(-1e-3 / tau), rel=1e-4)
    assert late == pytest.approx(CURRENT * 4.0 / area, rel=1e-4)


def test_series_of_a_long_cable_is_that_of_an_infinite_one() -> None:
    from scipy.special import erfc

    d = 1e-6
    lam, tau = 1e-3, 0.04
    rho = cell_constants()["axial_resistivity"]
    x, t = 0.3 * lam, np.array([0.2, 0.7]) * tau
    a, r = 0.3, np.sqrt(t / tau)
    ends = np.exp(-a) * erfc(a / (2 * r) - r) - np.exp(a) * erfc(a / (2 * r) + r)
    R = 2 * math.sqrt(rho * 4.0) / (math.pi * d**1.5)
    assert series(t, x, 8 * lam, d) == pytest.approx(0.5 * CURRENT * R * ends, rel=1e-9)


def test_the_tree_of_rallpack_2() -> None:
    tree = branching_tree()
    real = tree.length > 0
    assert np.count_nonzero(real) == 1023
    assert np.count_nonzero(tree.diameter == tree.diameter[-1]) == 512
    rho = tree.resistivity
    lam = np.sqrt(4.0 * tree.diameter / (4 * rho))
    assert (tree.length / lam)[real] == pytest.approx(np.full(1023, 0.008), rel=1e-12)
    assert tree.length[-1] == pytest.approx(4e-6)
    assert tree.diameter[-1] == pytest.approx(0.25e-6)
    assert passive(tree).leak.sum() == pytest.approx(tree.area.sum() / 4.0)
