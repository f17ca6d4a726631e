"""Steering of a lead: what is given comes out, what cannot be is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.dbs.steering.steer import control, safety_limits, steer
from rheobase.meshes.leads.catalogue import lead_model
from rheobase.meshes.leads.lead import place_lead
from rheobase.validation.point_sources import PointSources


@pytest.fixture(scope="module")
def response() -> PointSources:
    """Return four point sources on the axis of a lead."""
    model = lead_model("Medtronic 3389")
    lead = place_lead(model, target=(0.01, 0.02, 0.03), direction=(0.3, -0.2, 1), contact=2)
    return PointSources(lead=lead, sigma=0.2)


def test_currents_with_a_case(response: PointSources) -> None:
    currents: dict[Any, float] = {2: -2e-3, "3": -1e-3}
    s = steer(response, currents)
    assert s.currents == pytest.approx([0, -2e-3, -1e-3, 0])
    assert s.voltages == pytest.approx(response.Z @ s.currents)
    assert s.case_current == pytest.approx(3e-3)
    assert s.total == pytest.approx(3e-3)
    assert s.power == pytest.approx(s.voltages @ s.currents)
    assert s.contact_impedance[1] == pytest.approx(s.voltages[1] / s.currents[1])
    assert np.isnan(s.contact_impedance[0])
    assert s.driven.tolist() == [False, True, True, False]
    assert [row["state"] for row in s.rows()] == [
        "floating",
        "driven",
        "driven",
        "floating",
        "return",
    ]
    assert steer(response, {2: -2e-3, 3: -1e-3}, case=3e-3).currents == pytest.approx(s.currents)


def test_one_contact_has_its_own_impedance(response: PointSources) -> None:
    s = steer(response, {1: -1.5e-3})
    assert s.impedance == pytest.approx(response.Z[0, 0])
    assert s.impedance == pytest.approx(1 / (4 * np.pi * 0.2 * 0.635e-3))


def test_bipolar_load_is_what_the_two_contacts_see(response: PointSources) -> None:
    Z = response.Z
    s = steer(response, {1: 1e-3, 2: -1e-3}, case=False)
    assert s.case_current == 0
    assert s.total == pytest.approx(1e-3)
    assert s.impedance == pytest.approx(Z[0, 0] + Z[1, 1] - 2 * Z[0, 1])


@pytest.mark.parametrize("case", [True, False])
def test_voltages_bring_back_the_currents_they_came_of(response: PointSources, case: bool) -> None:
    currents = {1: 1e-3, 2: -2e-3, 4: 0.0 if case else 1e-3}
    s = steer(response, currents, case=case)
    shift = 0.0 if case else 0.7  # only differences count without a case
    held = {name: v + shift for name, v in zip("124", s.voltages[[0, 1, 3]], strict=True)}
    back = steer(response, voltages=held, case=case)
    assert back.currents == pytest.approx(s.currents, abs=1e-15)
    if case:
        assert back.voltages == pytest.approx(s.voltages)
    mixed = steer(response, {2: -2e-3}, voltages={k: held[k] for k in "14"}, case=case)
    assert mixed.currents == pytest.approx(s.currents, abs=1e-15)


def test_bipolar_voltages_hold_their_difference(response: PointSources) -> None:
    s = steer(response, voltages={1: -3.0, 3: 0.0}, case=False)
    assert s.currents.sum() == pytest.approx(0, abs=1e-15)
    assert s.voltages[2] - s.voltages[0] == pytest.approx(3.0)
    assert s.currents[[1, 3]].tolist() == [0, 0]


def test_complex_impedances_of_many_frequencies_at_once(response: PointSources) -> None:
    Z = response.Z * np.array([1.0, 1.5 - 0.4j])[:, None, None]
    asked = control(response.contacts, {3: 1e-3}, voltages={1: -2.0})
    I, V = asked.solve(Z)  # noqa: E741
    assert I.shape == V.shape == (2, 4)
    assert V[:, 0] == pytest.approx([-2.0, -2.0])
    assert I[:, 2] == pytest.approx([1e-3, 1e-3])
    assert (Z @ I[..., None])[..., 0] == pytest.approx(V)
    assert I[0].real == pytest.approx(steer(response, {3: 1e-3}, voltages={1: -2.0}).currents)


def test_fields_are_the_mix_of_unit_fields(response: PointSources) -> None:
    points = response.places + np.array([0.002, 0.001, 0.0])
    s = steer(response, {2: -2e-3, 3: 1e-3})
    E = -2e-3 * response.field(points)[1] + 1e-3 * response.field(points)[2]
    assert s.field(points) == pytest.approx(E)
    V = -2e-3 * response.potential(points)[1] + 1e-3 * response.potential(points)[2]
    assert s.potential(points) == pytest.approx(V)
    assert s.scaled(0.5).field(points) == pytest.approx(0.5 * E)


def test_charge_of_a_phase(response: PointSources) -> None:
    safety = steer(response, {2: -3e-3}).safety(60e-6)
    area = np.pi * 1.27e-3 * 1.5e-3
    assert safety.charge[1] == pytest.approx(0.18e-6)
    assert safety.density[1] == pytest.approx(0.18e-6 / area)
    assert safety.shannon_k[1] == pytest.approx(np.log10(0.18) + np.log10(18e-6 / area / 1.0))
    assert safety.shannon_k[0] == -np.inf
    assert not safety.over()
    above = steer(response, {2: -12e-3}).safety(450e-6).over()
    assert len(above) == 2
    assert all(line.startswith("contact 2") and "doi:" in line for line in above)
    assert all(limit["source"] and limit["status"] for limit in safety_limits().values())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"currents": {5: 1e-3}}, "contact from '1' to '4', got '5'"),
        ({"currents": {0: 1e-3}}, "contact from '1' to '4', got '0'"),
        ({"currents": {2: np.nan}}, "finite current"),
        ({"currents": {2: "1 mA"}}, "finite current"),
        ({"currents": {2: 1e-3, "2": 1e-3}}, "got two"),
        ({"currents": {2: 1e-3}, "voltages": {2: 1.0}}, "got both"),
        ({"currents": {}}, "got none"),
        ({"currents": {2: 0.0}}, "got none"),
        ({"currents": {2: 1e-3, 3: -2e-3}, "case": False}, "leave -1 mA"),
        ({"currents": {2: -3e-3}, "case": 2e-3}, "leave -1 mA"),
        ({"currents": {2: -3e-3}, "case": "yes"}, "True, False or a finite current"),
        ({"voltages": {2: -3.0}, "case": 2e-3}, "the voltages decide"),
        ({"voltages": {2: -3.0}, "case": False}, "differ from each other, as there is no case"),
        ({"voltages": {2: 1.0, 3: 1.0}, "case": False}, "got 1 V alone"),
        ({"voltages": {2: 0.0, 3: 0.0}}, "differ from the 0 V of the case"),
    ],
)
def test_what_cannot_be_steered_is_said_in_one_sentence(
    response: PointSources, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said) as error:
        steer(response, **given)
    assert "\n" not in str(error.value)


def test_an_insulated_contact_takes_nothing() -> None:
    with pytest.raises(InputError, match="solved for as an insulator"):
        control(["1", "2"], {3: 1e-3}, insulated=["3"])


def test_a_phase_lasts(response: PointSources) -> None:
    s = steer(response, {1: 1e-3})
    with pytest.raises(InputError, match="pulse_width"):
        s.safety(0.0)
