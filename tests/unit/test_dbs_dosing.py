"""Thresholds, search of contacts and amplitude, windows, strength and duration, random places."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.dbs.steering.dosing import search, therapeutic_window
from rheobase.fields.dbs.steering.goals import Goal, shares
from rheobase.fields.dbs.steering.patterns import allowed, splits
from rheobase.fields.dbs.steering.steer import steer
from rheobase.fields.dbs.steering.strength_duration import (
    field_strength_duration,
    strength_duration,
)
from rheobase.fields.dbs.steering.uncertainty import LeadSample, moved_lead, sample_quantities
from rheobase.fields.dbs.volumes.activated import (
    FieldCriterion,
    SampledLead,
    activated,
    sample_lead,
)
from rheobase.fields.dbs.volumes.lattice import lead_lattice
from rheobase.fields.dbs.volumes.thresholds import (
    SUSPECT,
    field_threshold,
    literature_threshold,
    point_source_radius,
    radius_rule_data,
    radius_rules,
)
from rheobase.fields.dbs.volumes.zones import ball_zone, overlap
from rheobase.fields.optimisation.limits import Limits
from rheobase.fields.uncertainty.distributions import normal, uniform
from rheobase.fields.uncertainty.inputs import (
    CoilShift,
    Conductivity,
    EncapsulationThickness,
    Inputs,
    LeadShift,
)
from rheobase.meshes.leads.catalogue import lead_model
from rheobase.meshes.leads.lead import place_lead
from rheobase.neurons.pathways.activation import PathwayModel, pathway_model
from rheobase.neurons.pathways.bundle import bundle
from rheobase.neurons.pathways.placing import place_axons
from rheobase.neurons.pathways.sampled import sample_axons
from rheobase.validation.point_sources import PointSources

Floats = NDArray[np.float64]

FIELD = FieldCriterion(threshold=200.0)


@pytest.fixture(scope="module")
def sampled() -> SampledLead:
    """Return eight point sources of a directional lead at coarse cells."""
    model = lead_model("Medtronic SenSight B33005")
    lead = place_lead(model, target=(0.01, 0.02, 0.03), direction=(0, 0, 1), contact=3)
    cells = lead_lattice(lead, reach=6e-3, step=0.3e-3, growth=0.1, sectors=24)
    return sample_lead(PointSources(lead=lead, sigma=0.2), cells)


def test_thresholds_of_the_table() -> None:
    assert field_threshold(60e-6, 3.5e-6).value == 185.0
    assert field_threshold(30e-6, 2e-6).value == 765.0
    assert field_threshold(120e-6, 5e-6).value == 74.0
    assert not field_threshold(60e-6, 3.5e-6).remarks
    between = field_threshold(60e-6, 3.2e-6)
    assert 185 < between.value < 240
    part = np.log(3.2 / 3.0) / np.log(3.5 / 3.0)
    assert between.value == pytest.approx(240 ** (1 - part) * 185**part)
    assert "interpolated" in between.remarks[0]
    assert "Astrom" in between.source
    assert between.as_dict()["threshold_V_per_m"] == between.value


def test_doubtful_rows_are_never_used_silently() -> None:
    for width, diameter in ((60e-6, 4e-6), (120e-6, 2.5e-6), (70e-6, 3.9e-6), (110e-6, 2.7e-6)):
        with pytest.raises(InputError, match="SUSPECT"):
            field_threshold(width, diameter)
        found = field_threshold(width, diameter, suspect=True)
        assert found.status == SUSPECT
        assert any("SUSPECT" in remark for remark in found.remarks)
    assert field_threshold(60e-6, 3.5e-6, suspect=True).status != SUSPECT


@pytest.mark.parametrize(
    ("width", "diameter", "said"),
    [(20e-6, 3e-6, "pulse width"), (200e-6, 3e-6, "pulse width"), (60e-6, 6e-6, "diameter")],
)
def test_nothing_is_said_outside_the_table(width: float, diameter: float, said: str) -> None:
    with pytest.raises(InputError, match=f"expected a {said} from"):
        field_threshold(width, diameter)


def test_other_rules_say_where_they_are_from() -> None:
    assert literature_threshold("STN").value == 190.0
    assert literature_threshold("general").source
    with pytest.raises(InputError, match="VIM"):
        literature_threshold("VMI")
    rules = radius_rules(3.0, 1000.0)
    assert rules["Kuncel 2008"] == pytest.approx(1e-3 * (2.9 / 0.22) ** 0.5)
    x = 0.9856
    root = (x**2 - 2 * 1.0473 * x + 1.0473**2 + 4 * 0.2786 * 3) ** 0.5
    assert rules["Madler 2012"] == pytest.approx(-1e-3 * (x - root - 1.0473) / (2 * 0.2786))
    assert radius_rules(0.05, 1000.0)["Kuncel 2008"] == 0
    assert point_source_radius(1e-3, 0.2, 200.0) == pytest.approx(1.41047e-3, rel=1e-5)
    assert all(rule["source"] and rule["status"] for rule in radius_rule_data().values())
    with pytest.raises(InputError, match="impedance"):
        radius_rules(3.0, 0.0)


def test_all_splits_are_there_once() -> None:
    two = splits(3, parts=2, cathodes=2)
    assert len(two) == 3 + 3
    assert two.sum(axis=1) == pytest.approx(-np.ones(6))
    assert len(np.unique(two, axis=0)) == 6
    with_anodes = splits(3, parts=2, cathodes=1, anodes=1, case=False)
    assert len(with_anodes) == 6
    assert with_anodes.sum(axis=1) == pytest.approx(np.zeros(6))
    assert len(splits(8)) == 8 + 28 * 3 + 56 * 3
    bad: list[tuple[dict[str, Any], str]] = [
        ({"parts": 0}, "parts"),
        ({"case": False}, "got neither"),
        ({"parts": 30, "cathodes": 8}, "fewer parts"),
    ]
    for given, said in bad:
        with pytest.raises(InputError, match=said):
            splits(16, **given)


def test_limits_of_a_stimulator(sampled: SampledLead) -> None:
    response = sampled.response
    may = allowed(response, Limits(total=6e-3, each={"2": 1e-3, "3": 0.0}))
    one = np.zeros(8)
    one[0] = -1
    assert may.amplitude(one) == pytest.approx(6e-3)
    assert may.amplitude(-np.eye(8)[1]) == pytest.approx(1e-3)
    assert may.amplitude(-np.eye(8)[2]) == 0
    assert may.amplitude(np.array([-0.8, -0.2, 0, 0, 0, 0, 0, 0])) == pytest.approx(5e-3)
    both = allowed(response, Limits(each=3e-3))
    half = np.array([-0.5, -0.5, 0, 0, 0, 0, 0, 0])
    assert both.amplitude(half) == pytest.approx(6e-3)
    case = allowed(response, Limits(total=6e-3, each={"case": 2e-3}))
    assert case.amplitude(half) == pytest.approx(2e-3)
    assert case.amplitude(np.array([-1.0, 1.0, 0, 0, 0, 0, 0, 0])) == pytest.approx(6e-3)
    dense = allowed(response, Limits(each=5e-3), pulse_width=60e-6, charge_density=0.1)
    most = 0.1 * response.areas[1] / 60e-6
    assert most < 5e-3
    assert dense.amplitude(-np.eye(8)[1]) == pytest.approx(most)
    few = allowed(response, Limits(each=5e-3, electrodes=2))
    assert few.amplitude(np.array([-0.5, -0.5, 0, 0, 0, 0, 0, 0])) == 0
    with pytest.raises(InputError, match="electrode"):
        allowed(response, Limits(total=1e-3, each={"9": 1e-3}))
    with pytest.raises(InputError, match="one of them"):
        allowed(response, Limits(total=1e-3), pulse_width=60e-6)


def test_the_contact_in_front_of_the_target_is_found(sampled: SampledLead) -> None:
    lead = sampled.lattice.lead
    for name in ("2", "7"):
        away = lead.contact_centre(name) - lead.to_head(
            [[0, 0, lead.model.contact(name).middle[1]]]
        )
        target = ball_zone(lead.contact_centre(name) + 1.5 * away[0], 1e-3, name="target")
        found = search(sampled, [Goal(of=target)], Limits(total=4e-3), criterion=FIELD)
        assert found.steering is not None
        assert sampled.response.contacts[int(found.best.pattern.argmin())] == name
        assert found.best.shares["target"] == pytest.approx(1, abs=0.02)
        assert found.steering.total == pytest.approx(found.best.amplitude)
        assert found.considered >= 260
        # the least amplitude that does it
        less = found.steering.scaled(1 - 0.15e-3 / found.best.amplitude)
        assert overlap(activated(less, FIELD, sampled), target).share < 1


def test_search_spares_and_keeps_limits(sampled: SampledLead) -> None:
    lead = sampled.lattice.lead
    middle = lead.contact_centre("3")
    target = ball_zone(middle + np.array([0.0, 2e-3, 1e-3]), 2.5e-3, name="target")
    spared = ball_zone(middle - np.array([0.0, 2e-3, 0.0]), 1.5e-3, name="spared")
    limits = Limits(total=5e-3, each=3e-3)
    free = search(sampled, [Goal(of=target)], limits, criterion=FIELD)
    goals = [Goal(of=target), Goal(of=spared, weight=-0.5, at_most=0.02)]
    found = search(sampled, goals, limits, criterion=FIELD, pulse_width=60e-6, charge_density=0.3)
    assert found.best.shares["spared"] <= 0.02
    assert found.best.shares["target"] < free.best.shares["target"]
    assert found.steering is not None
    assert np.abs(found.steering.currents).max() <= 3e-3 + 1e-12
    assert found.steering.total <= 5e-3 + 1e-12
    zones = (target, spared)
    exact = [overlap(activated(found.steering, FIELD, sampled), zone).share for zone in zones]
    assert exact == pytest.approx([found.best.shares[zone.name] for zone in zones], abs=0.02)
    assert found.rows(3)[0]["share of target"] == found.best.shares["target"]
    scores = [dose.score for dose in found.doses]
    assert all(a >= b - 1e-8 for a, b in pairwise(scores))
    bipolar = search(
        sampled,
        goals,
        limits,
        criterion=FIELD,
        patterns=splits(8, parts=1, cathodes=1, anodes=1, case=False),
    )
    assert bipolar.steering is not None
    assert bipolar.steering.case_current == 0


@dataclass
class Bundle:
    """Fibres that fire from a current of some contacts on."""

    name: str
    weights: Floats  # (n_fibres, N) per A
    damaged: int = 0  # the first ones

    @property
    def judged(self) -> NDArray[np.int64]:
        return np.arange(self.damaged, len(self.weights))

    def thresholds(self, patterns: Floats) -> Floats:
        drive: Floats = -patterns @ self.weights.T
        drive[:, : self.damaged] = 0
        fires = np.full(drive.shape, np.inf)
        np.divide(1, drive, out=fires, where=drive > 0)
        return fires


def test_pathways_are_searched_as_zones_are(sampled: SampledLead) -> None:
    rng = np.random.default_rng(1)
    near, far = np.eye(8)[1], np.eye(8)[5]
    good = Bundle("good", 500 * (near + 0.1 * rng.random((40, 8))))
    bad = Bundle("bad", 500 * (far + 0.1 * rng.random((40, 8))))
    found = search(sampled, [Goal(of=good), Goal(of=bad, weight=-1)], Limits(total=4e-3))
    assert found.best.pattern[1] < -0.5
    assert found.best.shares == pytest.approx({"good": 1.0, "bad": 0.0})
    assert found.steering is not None
    curve = shares(good, found.steering, [0.0, 0.5, 1.0, 2.0])
    assert curve[0] == 0
    assert curve[-1] == 1
    assert (np.diff(curve) >= 0).all()
    nothing = search(
        sampled, [Goal(of=good), Goal(of=good_twin(good), weight=-2)], Limits(total=1e-3)
    )
    assert nothing.steering is None
    assert nothing.best.amplitude == 0


def test_axons_are_searched_by_their_thresholds(sampled: SampledLead) -> None:
    lead, response = sampled.lattice.lead, sampled.response
    front = lead.contact_centre("2") - lead.to_head([[0, 0, lead.model.contact("2").middle[1]]])[0]
    along = np.cross(front, lead.direction) / lead.model.radius

    def pathway(name: str, off: float) -> PathwayModel:
        middle = lead.contact_centre("2") + off * front / lead.model.radius
        lines = bundle(middle - 0.02 * along, middle + 0.02 * along, 30, spread=5e-4, seed=1)
        return pathway_model(
            sample_axons(place_axons(lines, 5.7e-6, name=name), response, lead=lead), 60e-6
        )

    ahead, behind = pathway("front", 2e-3), pathway("behind", -5e-3)
    found = search(response, [Goal(of=ahead), Goal(of=behind, weight=-1)], Limits(total=3e-3))
    assert found.best.pattern[1] < -0.7
    assert found.best.shares["front"] > 0.9
    assert found.best.shares["behind"] == 0
    assert found.steering is not None
    fires = ahead.thresholds(found.steering.currents[None])[0]
    assert (fires <= 1 + 1e-9).mean() == pytest.approx(found.best.shares["front"])


def test_damaged_fibres_do_not_count(sampled: SampledLead) -> None:
    weights = 500 * np.tile(np.eye(8)[1], (40, 1))
    hurt = Bundle("hurt", weights, damaged=12)
    found = search(sampled, [Goal(of=hurt)], Limits(total=4e-3))
    assert found.best.shares["hurt"] == pytest.approx(1.0)
    assert found.steering is not None
    assert shares(hurt, found.steering, [1.0])[0] == 1.0
    with pytest.raises(InputError, match="found none: pathway 'lost'"):
        search(sampled, [Goal(of=Bundle("lost", weights, damaged=40))], Limits(total=4e-3))


def test_shares_of_axons_are_those_of_their_activation(sampled: SampledLead) -> None:
    lead, response = sampled.lattice.lead, sampled.response
    centre = lead.contact_centre("2")
    along = np.array([0.02, 0.0, 0.0])
    lines = bundle(centre - along, centre + along, 40, spread=1.5e-3, seed=2)
    hurt = pathway_model(
        sample_axons(place_axons(lines, 5.7e-6, name="hurt"), response, lead=lead), 60e-6
    )
    assert 0 < len(hurt.judged) < 40
    setting = steer(response, {2: -1e-3})
    factors = np.array([0.5, 1.0, 3.0])
    percent = hurt.activation(setting.currents).percent(factors)
    found = shares(hurt, setting, factors)
    assert 100 * found == pytest.approx(percent.values[0])


def good_twin(bundle: Bundle) -> Bundle:
    """Return the same fibres by another name."""
    return Bundle("twin", bundle.weights)


def test_what_cannot_be_searched_is_said(sampled: SampledLead) -> None:
    centre = sampled.lattice.lead.contact_centre("3")
    zone, far = ball_zone(centre, 2e-3, name="a"), ball_zone(centre + 0.05, 1e-3, name="far")
    limits = Limits(total=1e-3)
    bad: list[tuple[list[Goal], dict[str, Any], str]] = [
        ([Goal(of=zone), Goal(of=zone)], {}, "different names"),
        ([Goal(of=zone, weight=-1)], {}, "weight > 0"),
        ([Goal(of=zone)], {"criterion": None}, "criterion of activation"),
        ([Goal(of=far)], {}, "nothing of it is within"),
        ([Goal(of=zone)], {"patterns": np.ones((1, 8))}, "patterns of 1 A"),
        ([Goal(of=zone)], {"patterns": np.ones((1, 4))}, "finite currents of 8"),
        ([Goal(of=zone)], {"step": 2e-3}, "none of the splits"),
    ]
    for goals, given, said in bad:
        with pytest.raises(InputError, match=said):
            search(sampled, goals, limits, **({"criterion": FIELD} | given))
    with pytest.raises(InputError, match="from 0 to 1"):
        Goal(of=zone, at_most=2.0)
    with pytest.raises(InputError, match="multiples >= 0"):
        shares(zone, steer(sampled.response, {1: 1e-3}), [-1.0], criterion=FIELD)


def test_share_of_a_zone_by_amplitude(sampled: SampledLead) -> None:
    lead = sampled.lattice.lead
    s = steer(sampled.response, {1: -1e-3})
    zone = ball_zone(lead.contact_centre("1"), 2e-3)
    found = shares(zone, s, [0.0, 1.0, 3.0], criterion=FIELD, sampled=sampled)
    for share, factor in zip(found[1:].tolist(), (1.0, 3.0), strict=True):
        exact = overlap(activated(s.scaled(factor), FIELD, sampled), zone).share
        assert share == pytest.approx(exact, rel=1e-9)
    assert found[0] == 0


def test_therapeutic_window() -> None:
    a = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    window = therapeutic_window(a, [0, 0.2, 0.6, 0.9, 1], [0, 0, 0, 0.05, 0.25])
    assert window.gain == pytest.approx(1.75)
    assert window.side_effect == pytest.approx(3.25)
    assert window.width == pytest.approx(1.5)
    assert therapeutic_window(a, [0, 0, 1, 1, 1], 0 * a).width == np.inf
    assert np.isnan(therapeutic_window(a, 0 * a, 0 * a).width)
    with pytest.raises(InputError, match="ascending"):
        therapeutic_window(a[::-1], a, a)


def test_weiss_line() -> None:
    widths = np.array([30e-6, 60e-6, 120e-6, 450e-6])
    line = strength_duration(widths, 2e-3 * (1 + 150e-6 / widths))
    assert line.rheobase == pytest.approx(2e-3)
    assert line.chronaxie == pytest.approx(150e-6)
    assert line.misfit < 1e-12
    assert line(150e-6) == pytest.approx(4e-3)
    with pytest.raises(InputError, match="fall with the pulse width"):
        strength_duration([1e-5, 2e-5], [1e-3, 3e-3])
    with pytest.raises(InputError, match="two or more"):
        strength_duration([1e-5], [1e-3])
    with pytest.raises(InputError, match="ascending"):
        strength_duration([2e-5, 1e-5], [1e-3, 1e-3])


def test_strength_and_duration_of_a_field() -> None:
    found = field_strength_duration(2e-3, 185.0, 3.5e-6)
    assert found.currents == pytest.approx(2e-3 / 185 * np.array([300, 185, 142, 121]))
    assert 50e-6 < found.chronaxie < 200e-6
    assert found.misfit < 0.02
    left = field_strength_duration(2e-3, 185.0, 4e-6)
    assert len(left.widths) == 3
    assert "left out 60 us" in left.remarks[0]
    assert len(field_strength_duration(2e-3, 185.0, 4e-6, suspect=True).widths) == 4
    with pytest.raises(InputError, match="diameter"):
        field_strength_duration(2e-3, 185.0, 9e-6)


def test_a_lead_moves_in_its_own_frame() -> None:
    model = lead_model("Medtronic SenSight B33005")
    lead = place_lead(model, target=(0.01, 0.02, 0.03), direction=(0.3, 0.2, 1), rotation_deg=40)
    shift = {"x": 1.0, "z": -2.0, "pitch": 5.0, "roll": -3.0, "turn": 20.0}
    moved = moved_lead(lead, shift)
    local = np.linalg.inv(lead.frame) @ moved.frame
    assert local[:3, 3] == pytest.approx([1e-3, 0, -2e-3], abs=1e-15)
    c, s = np.cos(np.deg2rad([5, -3, 20])), np.sin(np.deg2rad([5, -3, 20]))
    Rx = np.array([[1, 0, 0], [0, c[0], -s[0]], [0, s[0], c[0]]])
    Ry = np.array([[c[1], 0, s[1]], [0, 1, 0], [-s[1], 0, c[1]]])
    Rz = np.array([[c[2], -s[2], 0], [s[2], c[2], 0], [0, 0, 1]])
    assert local[:3, :3] == pytest.approx(Rz @ Ry @ Rx)
    assert moved_lead(lead, {}).frame == pytest.approx(lead.frame)


INPUTS = Inputs(
    [
        LeadShift(axis="x", distribution=normal(0.0, 0.5)),
        Conductivity(tissue="grey_matter", distribution=uniform(0.1, 0.3)),
        EncapsulationThickness(distribution=uniform(0.05, 0.5)),
    ]
)


def closed_form(sample: LeadSample) -> dict[str, float]:
    """Return numbers that polynomials hold exactly."""
    x, sigma, d = sample.lead.tip[1], sample.sigma["grey_matter"], sample.encapsulation
    assert d is not None
    return {"shift_mm": 1e3 * x, "sum": 1e3 * x + 10 * sigma, "product": 1e3 * d * sigma}


def test_random_leads_become_polynomials(tmp_path: Path) -> None:
    lead = place_lead(lead_model("Medtronic 3389"), target=(0, 0, 0), direction=(0, 0, 1))
    found = sample_quantities(closed_form, lead, INPUTS, tmp_path / "s.h5", n=32)
    rows = {row["quantity"]: row for row in found.rows()}
    assert rows["shift_mm"]["mean"] == pytest.approx(0, abs=1e-9)
    assert rows["shift_mm"]["sd"] == pytest.approx(0.5, rel=1e-9)
    assert rows["sum"]["mean"] == pytest.approx(2.0)
    of_sigma = 100 * 0.2**2 / 12
    assert rows["sum"]["total"]["lead x"] == pytest.approx(0.25 / (0.25 + of_sigma))
    assert rows["product"]["mean"] == pytest.approx(0.275 * 0.2)
    assert rows["product"]["total"]["lead x"] == pytest.approx(0, abs=1e-9)
    assert max(row["leave_one_out_error"] for row in rows.values()) < 1e-12
    assert Inputs.from_dict(INPUTS.as_dict()).names == INPUTS.names


def test_interrupted_samples_are_gone_on_with(tmp_path: Path) -> None:
    lead = place_lead(lead_model("Medtronic 3389"), target=(0, 0, 0), direction=(0, 0, 1))
    path, calls = tmp_path / "s.h5", list[LeadSample]()

    def stops(sample: LeadSample) -> dict[str, float]:
        calls.append(sample)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return closed_form(sample)

    with pytest.raises(KeyboardInterrupt):
        sample_quantities(stops, lead, INPUTS, path, n=8)
    found = sample_quantities(stops, lead, INPUTS, path, n=8)
    assert len(calls) == 5 + 4
    again = sample_quantities(stops, lead, INPUTS, path, n=8)
    assert len(calls) == 9
    whole = sample_quantities(closed_form, lead, INPUTS, tmp_path / "t.h5", n=8)
    for name, values in whole.values.items():
        assert np.array_equal(found.values[name], values)
        assert np.array_equal(again.values[name], values)
    with pytest.raises(InputError, match="got others"):
        sample_quantities(stops, lead, INPUTS, path, n=8, key="another")


def test_bad_samples_are_said(tmp_path: Path) -> None:
    lead = place_lead(lead_model("Medtronic 3389"), target=(0, 0, 0), direction=(0, 0, 1))
    coil = Inputs([CoilShift(axis="x", distribution=normal(0, 1))])
    with pytest.raises(InputError, match="random shifts of the lead"):
        sample_quantities(closed_form, lead, coil, tmp_path / "a.h5", n=8)
    with pytest.raises(InputError, match="samples or more"):
        sample_quantities(closed_form, lead, INPUTS, tmp_path / "a.h5", n=2)

    def outside(sample: LeadSample) -> dict[str, float]:
        raise InputError("expected the contacts of a lead in tissue")

    with pytest.raises(InputError, match=r"in tissue, in a sample with lead x"):
        sample_quantities(outside, lead, INPUTS, tmp_path / "a.h5", n=8)
    with pytest.raises(InputError, match="same finite numbers"):
        sample_quantities(lambda _: {"v": np.nan}, lead, INPUTS, tmp_path / "a.h5", n=8)
    (tmp_path / "b.h5").write_text("nothing")
    with pytest.raises(InputError, match="cannot read"):
        sample_quantities(closed_form, lead, INPUTS, tmp_path / "b.h5", n=8)
    with pytest.raises(InputError, match="thicknesses > 0"):
        EncapsulationThickness(distribution=normal(0.2, 0.1))
    wrong: Any = "w"
    with pytest.raises(InputError, match="axis"):
        LeadShift(axis=wrong, distribution=normal(0, 1))
