"""The safety table: indices, intensities, heat and verdicts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.acoustics.safety import (
    PressurePeak,
    SafetyTable,
    mechanical_index,
    pressure_peaks,
    safety_table,
)
from rheobase.fields.acoustics.sonication import Sonication
from rheobase.fields.heat.deposit import Deposit
from rheobase.fields.heat.result import Energy, Heating
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.region import region

PULSES = Sonication(
    frequency=500e3,
    pulse_duration=0.02,
    pulse_interval=0.2,
    train_duration=30.0,
    train_interval=60.0,
    duration=120.0,
)
BRAIN = PressurePeak(pressure=1e6, density=1040.0, sound_speed=1560.0, at=(0.0, 0.0, 0.01))
SKULL = PressurePeak(pressure=1.5e6, density=1850.0, sound_speed=2800.0)
WHOLE = Deposit(load=np.zeros(5), inside=1.0, outside=0.0, n_outside=0)


def heating(rise: float, dose: float, fastest: float = 0.0, tissue: str = "grey_matter") -> Heating:
    """Return the heating of one tetrahedron of a tissue beside one of skull."""
    nodes = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], float)
    mesh = TetMesh(
        nodes=nodes,
        tets=np.array([[0, 1, 2, 3], [4, 2, 1, 3]], np.int32),
        labels=np.array([2, 4], np.int32),
    )
    peak, cem43 = np.zeros(5), np.zeros(5)
    peak[0], cem43[0], cem43[4] = rise, dose, 10.0
    return Heating(
        region=region(mesh),
        names={2: tissue, 4: "skull"},
        baseline=np.full(5, 37.0),
        peak_rise=peak,
        final_rise=np.zeros(5),
        cem43=cem43,
        times=np.array([0.0, 1.0]),
        probe_rise=np.zeros((2, 0)),
        energy=Energy(deposited=1, stored=1, perfused=0, skin=0, held=0, cut=0),
        fastest_rise=fastest,
        iterations=0,
    )


def value(table: SafetyTable, quantity: str, tissue: str = "") -> float:
    return next(
        row.value
        for row in table.rows
        if row.quantity == quantity and (not tissue or row.tissue == tissue)
    )


def test_indices_and_intensities_are_those_of_their_definitions() -> None:
    table = safety_table({"grey_matter": BRAIN, "skull": SKULL}, PULSES, power=8.0, beam_area=1e-3)
    assert value(table, "MItc") == pytest.approx(1 / np.sqrt(0.5))
    assert value(table, "MI in situ", "skull") == pytest.approx(1.5 / np.sqrt(0.5))
    assert table.mechanical == "below"  # 2.1 in the skull is told, not judged
    assert {r.level for r in table.rows if r.tissue == "skull"} == {None}
    assert value(table, "Isppa", "skull") == pytest.approx(2.25e12 / (2 * 1850 * 2800) * 1e-4)
    # 1 MPa in brain: 30.8 W/cm²; a tenth in trains, half of that over all
    assert value(table, "Isppa", "grey_matter") == pytest.approx(1e12 / (2 * 1040 * 1560) * 1e-4)
    assert value(table, "Ispta of a train", "grey_matter") == pytest.approx(
        100 * value(table, "Isppa", "grey_matter")
    )
    assert value(table, "Ispta of the whole", "grey_matter") == pytest.approx(
        50 * value(table, "Isppa", "grey_matter")
    )
    diameter_cm = 100 * np.sqrt(4e-3 / np.pi)
    assert value(table, "TIC") == pytest.approx(800 / (40 * diameter_cm))
    assert table.thermal == "not judged"
    assert any("TIC has no level" in note for note in table.notes)
    assert mechanical_index(1.9e6, 1e6) == pytest.approx(1.9)


@pytest.mark.parametrize(
    ("rise", "dose", "thermal"),
    [(1.0, 0.1, "below"), (3.0, 0.1, "below"), (1.0, 5.0, "below"), (3.0, 5.0, "above")],
)
def test_any_one_thermal_criterion_is_enough(rise: float, dose: float, thermal: str) -> None:
    table = safety_table({"grey_matter": BRAIN}, PULSES, heating(rise, dose), deposit=WHOLE)
    assert table.thermal == thermal
    assert table.mechanical == "below"
    verdicts = {(r.quantity, r.tissue): r.verdict for r in table.rows}
    assert verdicts["temperature rise", "grey_matter"] == ("below" if rise < 2 else "above")
    assert verdicts["CEM43", "grey_matter"] == ("below" if dose < 2 else "above")
    assert verdicts["CEM43", "skull"] == "below"
    assert verdicts["Isppa", "grey_matter"] == "no level"
    assert any(note.startswith("heat in bone: tools take from 0.16") for note in table.notes)


def test_nothing_is_called_below_that_was_not_computed() -> None:
    def judged(
        deposit: Deposit | None, found: Heating, peaks: dict[str, PressurePeak]
    ) -> tuple[str, str]:
        table = safety_table(peaks, PULSES, found, deposit=deposit)
        return table.thermal, " ".join(table.notes)

    cool, brain = heating(1.0, 0.1), {"grey_matter": BRAIN}
    assert judged(WHOLE, cool, brain)[0] == "below"
    assert "no deposit given" in judged(None, cool, brain)[1]
    verdict, notes = judged(replace(WHOLE, inside=0.1, outside=5.0), cool, brain)
    assert verdict == "not judged"
    assert "98% of the absorbed power lies outside" in notes
    leaky = replace(cool, energy=replace(cool.energy, stored=0.9, held=0.1, cut=0.1))
    verdict, notes = judged(WHOLE, leaky, brain)
    assert verdict == "not judged"
    assert "10% of the heat left through the cut" in notes
    verdict, notes = judged(WHOLE, cool, {"grey_matter": BRAIN, "scalp": BRAIN})
    assert verdict == "not judged"
    assert "no temperature was computed in scalp" in notes
    assert judged(None, heating(3.0, 5.0), brain)[0] == "above"


def test_pressure_beside_the_brain_alone_is_not_judged() -> None:
    quiet = safety_table({"scalp": BRAIN, "water": SKULL}, PULSES)
    assert quiet.mechanical == "not judged"
    assert "water" not in {row.tissue for row in quiet.rows}
    loud = replace(BRAIN, pressure=3e6)
    assert safety_table({"scalp": loud}, PULSES).mechanical == "above"


def test_levels_are_those_of_the_consensus() -> None:
    found = replace(heating(1.0, 0.1), names={2: "scalp", 4: "skull"})
    both = [safety_table({"csf": BRAIN}, PULSES, h) for h in (found, heating(1.0, 0.1))]
    levels = {
        (row.quantity, row.tissue): row.level
        for table in both
        for row in table.rows
        if row.level is not None
    }
    assert levels == {
        ("MItc", "csf"): 1.9,
        ("temperature rise", "scalp"): 2.0,
        ("temperature", "scalp"): 39.0,
        ("temperature rise", "grey_matter"): 2.0,
        ("temperature", "grey_matter"): 39.0,
        ("CEM43", "scalp"): 21.0,
        ("CEM43", "skull"): 16.0,
        ("CEM43", "grey_matter"): 2.0,
    }


def test_ripple_of_averaged_pulses_counts() -> None:
    # 18 ms of full power more than the mean: 0.018 s * 100 K/s
    table = safety_table({"grey_matter": BRAIN}, PULSES, heating(0.5, 5.0, fastest=100.0))
    assert value(table, "temperature rise") == pytest.approx(0.5 + 1.8)
    assert value(table, "temperature") == pytest.approx(37.5 + 1.8)
    assert value(table, "CEM43", "grey_matter") == pytest.approx(5.0 * 4**1.8)
    assert table.thermal == "above"


def test_the_strictest_level_of_dose_holds_for_other_tissues() -> None:
    table = safety_table({"grey_matter": BRAIN}, PULSES, heating(3.0, 5.0, tissue="eye"))
    assert table.thermal == "above"
    assert any("eye" in note for note in table.notes)


def test_the_table_can_be_read() -> None:
    table = safety_table({"grey_matter": BRAIN}, PULSES, heating(1.0, 0.1), deposit=WHOLE)
    text = table.markdown()
    assert "| MItc | grey_matter | 1.41 | 1.9 | below |" in text
    assert "Mechanical: below. Thermal: below." in text
    record = table.as_dict()
    assert {r["quantity"] for r in record["rows"]} >= {"MItc", "Isppa", "temperature", "CEM43"}


def test_peaks_by_tissue() -> None:
    peaks = pressure_peaks(
        ["skull", "csf", "csf"],
        [1.0, 2.0, 3.0],
        [1850.0, 1007.0, 1008.0],
        [2800.0, 1500.0, 1501.0],
        [[0, 0, 0], [0, 0, 1], [0, 0, 2]],
    )
    assert peaks["csf"] == PressurePeak(
        pressure=3.0, density=1008.0, sound_speed=1501.0, at=(0.0, 0.0, 2.0)
    )
    assert peaks["skull"].pressure == 1.0


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="pressure must be finite and >= 0"):
        replace(BRAIN, pressure=-1.0)
    with pytest.raises(InputError, match="density must be > 0"):
        replace(BRAIN, density=0.0)
    with pytest.raises(InputError, match="at least one tissue"):
        safety_table({}, PULSES)
    with pytest.raises(InputError, match="at least one tissue"):
        safety_table({"water": BRAIN}, PULSES)
    with pytest.raises(InputError, match="expected a frequency in Hz"):
        mechanical_index(1e6, 500.0)
    with pytest.raises(InputError, match="beam_area must be > 0"):
        safety_table({"csf": BRAIN}, PULSES, power=1.0, beam_area=0.0)
    with pytest.raises(InputError, match="one value for each"):
        pressure_peaks(["csf"], [1.0, 2.0], [1.0], [1.0])
    with pytest.raises(InputError, match="amplitude must be finite"):
        pressure_peaks(["csf"], [float("nan")], [1.0], [1.0])
