"""The axisymmetric reference of a lead: known numbers, orders, limits."""

from collections.abc import Callable

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.validation.axisymmetric import Reference
from rheobase.validation.axisymmetric_mesh import Setting
from rheobase.validation.case import Row
from rheobase.validation.dbs import (
    admittance_symmetry,
    facts,
    field,
    impedance,
    point_source,
    shells,
    vta,
)
from rheobase.validation.dbs_spectrum import spectrum

pytestmark = pytest.mark.convergence

RINGS = ((1.5e-3, 3e-3), (3.5e-3, 5e-3))
ALONE = Setting(contacts=RINGS[1:])
CASES = (impedance, vta, field, point_source, admittance_symmetry, spectrum)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(ALONE, order=8, levels=6)


def test_known_numbers(reference: Reference) -> None:
    Z = float(reference.impedance[0, 0])
    assert pytest.approx(facts()["impedance_ohm"], rel=1e-5) == Z
    volumes = 1e9 * reference.volumes([1e-3], [200.0, 100.0, 200.0 / 3], cuts=12)
    known = [facts()["vta_mm3"][f"I_{k}mA"] for k in (1, 2, 3)]
    assert volumes == pytest.approx(known, rel=1e-3)
    for p in facts()["points"]:
        V, E = reference.at([p["r_mm"] * 1e-3], [p["z_mm"] * 1e-3 + 4.25e-3])
        assert V[0, 0] / Z == pytest.approx(p["V_V"], rel=1e-4)
        assert np.hypot(*E[:, 0, 0]) / Z == pytest.approx(1e3 * p["E_V_per_mm"], rel=1e-5)


def test_error_falls_with_order_and_levels(reference: Reference) -> None:
    exact = float(reference.impedance[0, 0])
    errors = [
        abs(float(Reference(ALONE, order=p, levels=n).impedance[0, 0]) / exact - 1)
        for p, n in ((2, 1), (3, 3), (5, 4))
    ]
    assert errors[0] > 5 * errors[1] > 25 * errors[2]
    assert errors[2] < 1e-5


def test_field_is_the_slope_of_the_potential(reference: Reference) -> None:
    r, z = np.array([1e-3, 0.3e-3, 4e-3]), np.array([4e-3, -0.5e-3, 12e-3])
    d = 1e-6
    E = reference.at(r, z)[1][:, 0]
    V = [reference.at(r + a * d, z + b * d)[0][0] for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1))]
    assert E[0] == pytest.approx((V[1] - V[0]) / (2 * d), rel=1e-5)
    assert E[1] == pytest.approx((V[3] - V[2]) / (2 * d), rel=1e-5)


def test_reciprocity_and_superposition() -> None:
    two = Reference(
        Setting(contacts=RINGS, encapsulation=0.2e-3, kappa_encapsulation=0.05), order=4, levels=3
    )
    assert two.impedance == pytest.approx(two.impedance.T, rel=1e-9)
    assert two.at([5e-3], [0.0])[0].shape == (2, 1)


def test_one_tissue_in_pieces_is_one_tissue(reference: Reference) -> None:
    pieces = Setting(
        contacts=RINGS[1:],
        kappa=(0.2, 0.2),
        planes=(6e-3,),
        encapsulation=0.2e-3,
        kappa_encapsulation=0.2,
    )
    Z = Reference(pieces, order=6, levels=5).impedance
    assert pytest.approx(reference.impedance, rel=1e-5) == Z


def test_interface_adds_its_resistance(reference: Reference) -> None:
    stiff = Reference(Setting(contacts=RINGS[1:], interface=1e9), order=5, levels=4)
    assert stiff.impedance == pytest.approx(reference.impedance, rel=2e-5)
    area = 2 * np.pi * ALONE.lead_radius * 1.5e-3
    weak = Reference(Setting(contacts=RINGS[1:], interface=1j), order=5, levels=4)
    left = complex(weak.impedance[0, 0] - 1 / (1j * area))
    assert abs(left.imag) < 1e-2 * left.real  # the current is even: no phase of its own
    assert reference.impedance[0, 0] < left.real < 1.1 * reference.impedance[0, 0]


R = ALONE.lead_radius
TIPS = (((0.0, 2 * R),), ((0.0, R),), ((0.0, 0.5 * R),), ((0.3 * R, 0.7 * R), (2 * R, 3 * R)))


@pytest.mark.parametrize("contacts", TIPS)
def test_contacts_on_the_tip(contacts: tuple[tuple[float, float], ...]) -> None:
    coarse, fine = (
        Reference(Setting(contacts=contacts), order=p, levels=n) for p, n in ((4, 3), (6, 5))
    )
    assert coarse.impedance == pytest.approx(fine.impedance, rel=2e-4)


def test_interface_on_the_tip() -> None:
    tip = ((0.0, 2 * R),)
    ideal, weak = (
        Reference(Setting(contacts=tip, interface=g), order=4, levels=3) for g in (None, 1.0)
    )
    area = 4 * np.pi * R**2  # hemisphere and one radius of the shaft
    left = weak.impedance[0, 0] - 1 / area
    assert ideal.impedance[0, 0] < left < 1.2 * ideal.impedance[0, 0]


def test_impossible_settings_are_refused() -> None:
    for contacts in (
        ((-1e-4, 1e-3),),
        ((2e-3, 1e-3),),
        ((1e-3, 3e-3), (2e-3, 4e-3)),
        ((0, 1.0),),
        (),
    ):
        with pytest.raises(InputError, match="one above the other"):
            Setting(contacts=contacts)
    with pytest.raises(InputError, match="planes on the shaft"):
        Setting(contacts=RINGS, planes=(0.5 * R,), kappa=(0.1, 0.2))


def test_shells() -> None:
    one = shells((0.04,), (0.2,), 0.01)
    assert one == pytest.approx((100 - 25) / (4 * np.pi * 0.2))
    assert shells((0.02, 0.04), (0.2, 0.2), 0.01) == pytest.approx(one)
    assert shells((0.02, 0.04), (0.1, 0.2), 0.03) == pytest.approx(shells((0.04,), (0.2,), 0.03))


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [impedance, vta, field, point_source, admittance_symmetry, spectrum]
)
def test_validation_cases(case: Callable[[], list[Row]]) -> None:
    for row in case():
        assert row.passed, row
