"""The calibration of the cable: table, weights, errors in results, strength and duration."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.waveforms.pulses import tms_pulse
from rheobase.fields.waveforms.shapes import sine
from rheobase.fields.waveforms.waveform import Waveform
from rheobase.neurons.activation import thresholds
from rheobase.neurons.calibration import (
    calibration,
    calibration_error,
    criterion,
    firing_potential,
    is_calibrated,
)
from rheobase.neurons.generate import Cell, cell_types, generate_cell
from rheobase.neurons.morphology import Floats, Kind
from rheobase.neurons.placement import Population, place_cells
from rheobase.neurons.pulse import drive_of
from rheobase.neurons.sample import PointSource, UniformField
from rheobase.neurons.spiking import resting_state, spiking_thresholds
from rheobase.neurons.strength_duration import strength_duration, weiss
from rheobase.validation.cable_spiking import cable_of, kept, rises_about


@pytest.fixture(scope="module")
def cell() -> Cell:
    return generate_cell("L6_pyramidal", "rat", seed=3)


@pytest.fixture(scope="module")
def some(cell: Cell) -> Population:
    basket = generate_cell("L4_basket", "rat", seed=3)
    which = np.arange(8) % 2
    return place_cells([cell, basket], position=[0, 0, 0], normal=[0, 0, 1.0], cell=which, seed=1)


def test_every_type_has_a_fit_and_errors() -> None:
    widths = calibration()["range"]["width_ms"]
    for name in (*cell_types(), "default"):
        assert is_calibrated(name)
        v = firing_potential(name, 1e-3 * np.array(widths))
        assert (np.diff(v) < 0).all()  # a longer pulse needs less
        assert (v > -0.066).all()
        assert (v < -0.02).all()
        for mode in ("potential", "second_difference"):
            fit = calibration()[mode][name]
            assert len(fit["error_percent"]) == len(fit["error_95_percent"]) == len(widths)
            assert (np.array(fit["error_95_percent"]) > fit["error_percent"]).all()
    assert not is_calibrated("Purkinje")
    assert firing_potential("Purkinje", 2e-4) == firing_potential("default", 2e-4)


def test_calibration_agrees_with_the_reference_cells() -> None:
    """Of ModelDB 241165; two steps for ten take 8 % off, the neighbour with less 12 %."""
    known = calibration()["modeldb"]
    for name, kind, reference in (
        ("L23_pyramidal", "human", known["L23_PC_human"]),
        ("L4_basket", "rat", known["L4_LBC_rat"]),
        ("L5_pyramidal", "rat", known["L5_TTPC_rat"]),
    ):
        cell = generate_cell(name, kind, seed=1)
        weight = criterion(cell, drive_of(200e-6)).weight[-1]
        needed = 1 / (1.5 * weight[cell.morphology.site])
        assert 1e3 * float(np.median(needed)) == pytest.approx(0.8 * reference, rel=0.12)


def test_sites_are_judged_from_their_own_rest(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    drive = drive_of(tms_pulse("biphasic"))
    fires = criterion(cell, drive)
    m, rest = cell.morphology, resting_state(cell)
    assert (fires.weight[:, ~m.site] == 0).all()
    assert m.site[fires.near[m.kind == Kind.TERMINAL]].all()
    assert (fires.near <= np.arange(len(m))).all()
    own = ((rest + fires.share * rest[fires.near]) / (1 + fires.share))[m.site]
    needed = (1 + fires.share) * (firing_potential(cell.name, drive.width)[:, None] - own)
    assert fires.weight[:, m.site] * needed == pytest.approx(
        np.broadcast_to(drive.held[:, None], needed.shape)
    )
    assert np.ptp(rest[m.site]) > 1e-3
    at = np.full(len(m), -0.05)
    monkeypatch.setattr("rheobase.neurons.calibration.resting_state", lambda _: at)
    with pytest.raises(InputError, match=r"expected a cell that rests below -5\d\.\d mV, .*-50.0"):
        criterion(replace(cell, origin="another"), drive_of(1e-3))


def test_cable_predicts_spikes(cell: Cell) -> None:
    rise = rises_about(cell.morphology)
    for pulse in (100e-6, tms_pulse("monophasic")):
        guess = cable_of(cell, rise, pulse)
        truth, _ = spiking_thresholds(cell, rise, pulse, guess=guess)
        assert np.abs(guess / truth - 1).mean() < 0.06


def test_results_carry_the_error(some: Population, tmp_path: Path) -> None:
    field = UniformField(E=[0, 0, 1.0])
    found = thresholds(some, field, waveform=200e-6)
    assert found.error is not None
    assert ((found.error > 0.01) & (found.error < 0.06)).all()
    af = thresholds(some, field, waveform=200e-6, mode="af")
    assert af.error is not None
    assert (af.error > 3 * found.error).all()
    assert calibration_error("spiking", "L4_basket", drive_of(200e-6)) == 0
    path = tmp_path / "r.nc"
    found.save(path)
    import xarray as xr

    with xr.open_dataset(path, engine="h5netcdf") as back:
        assert back.error.values == pytest.approx(found.error)
    told = r"mean error of the calibration: 4 % of a threshold, 95 % within \d+ to \d+ %"
    assert any(re.fullmatch(told, n) for n in found.notes)


def test_told_errors_are_those_of_cells_held_out() -> None:
    """The table at 200 us against kept simulations of cells that calibrate nothing."""
    names = ("L4_basket", "L4_star_pyramidal")
    off: dict[str, list[Floats]] = {name: [] for name in names}
    seeds = set()
    for name, species, seed, found in kept():
        seeds.add(seed)
        if name in names:
            cell = generate_cell(name, species, seed=seed)
            found_by_cable = cable_of(cell, rises_about(cell.morphology), 200e-6)
            off[name].append(np.abs(found_by_cable / found - 1))
    assert 1 not in seeds  # that of the calibration
    for name in names:
        assert len(off[name]) == 9
        drive, errors = drive_of(200e-6), np.array(off[name])
        told = calibration_error("cable", name, drive)
        assert told == pytest.approx(errors.mean(), abs=6e-4)
        told = calibration_error("cable", name, drive, "95")
        assert told == pytest.approx(np.quantile(errors, 0.95), abs=6e-4)


def test_pulses_outside_the_range_are_flagged(some: Population) -> None:
    field = UniformField(E=[0, 0, 1.0])
    for waveform, note in (
        (5e-3, "a phase of 5000 us lies outside the calibrated 30 to 2000 us"),
        (sine(5000.0, cycles=50), "this goes on (100 strong phases)"),
    ):
        found = thresholds(some, field, waveform=waveform)
        assert any(note in n for n in found.notes)
        assert found.error is not None
        assert np.isnan(found.error).all()
        assert np.isfinite(found.threshold).all()


def strokes(*levels: float, each: float = 200e-6) -> Waveform:
    """Return rectangles of ``each`` (s) on end, with edges of 1 ns."""
    t = each * np.repeat(np.arange(len(levels) + 1.0), 2)[1:-1]
    t[2::2] += 1e-9
    return Waveform(name="strokes", t=t, w=np.repeat(levels, 2))


def test_pulses_that_prepare_each_other_are_flagged(some: Population, cell: Cell) -> None:
    field = UniformField(E=[0, 0, 1.0])
    levels: tuple[float, ...]
    for levels in ((1, 0, 1), (1, -0.1, 1), (1, 0.01, 1), (-1, 0, -0.5), (1, -1, 0, -1)):
        drive = drive_of(strokes(*levels))
        assert len(drive.notes) == 1
        assert "a strong phase follows one of the same sign" in drive.notes[0]
        assert np.isnan(calibration_error("cable", "L4_basket", drive))
    for levels in ((1, -1, 1), (1, -1, 1, -1), (1, 0, -1), (1, 0.3, 1), (1, 0, 0.15), (0.1, 1)):
        assert drive_of(strokes(*levels)).notes == ()
    found = thresholds(some, field, waveform=strokes(1, 0, 1))
    assert any("follows one of the same sign" in n for n in found.notes)
    assert found.error is not None
    assert np.isnan(found.error).all()
    # why: the second finds the sodium channels half open, of which the linear cable knows nothing
    rise = rises_about(cell.morphology)[:3]
    pair = strokes(1, 0, 1, each=150e-6)
    guess = cable_of(cell, rise, pair)
    truth, _ = spiking_thresholds(cell, rise, pair, guess=guess)
    assert (guess / truth - 1).mean() > 0.05


def test_error_of_a_pulse_that_is_no_rectangle() -> None:
    table = calibration()["potential"]["L4_basket"]
    widths = calibration()["range"]["width_ms"]
    plain = calibration_error("cable", "L4_basket", drive_of(200e-6))
    assert plain == pytest.approx(0.01 * table["error_percent"][widths.index(0.2)])
    assert calibration_error("cable", "L4_basket", drive_of(strokes(1))) == pytest.approx(plain)
    for pulse in (tms_pulse("monophasic"), tms_pulse("biphasic"), strokes(1, -1), strokes(1, -0.1)):
        drive = drive_of(pulse)
        assert not drive.rectangular
        told = calibration_error("cable", "L4_basket", drive)
        assert told >= 0.01 * table["other_pulses_percent"] > plain
    most = calibration_error("cable", "L4_basket", drive_of(tms_pulse("biphasic")), "95")
    assert most >= 0.01 * table["other_pulses_95_percent"] > told
    slow = calibration_error("cable", "L5_martinotti", drive_of(strokes(1, -1, each=1e-3)))
    errors = calibration()["potential"]["L5_martinotti"]["error_percent"]
    assert slow == pytest.approx(0.01 * errors[widths.index(1.0)], rel=1e-4)


def test_strength_and_duration(some: Population) -> None:
    T = 3.0 * (1 + 0.4e-3 / np.array([1e-4, 3e-4, 1e-3]))[:, None] * [1.0, 2.0]
    rheobase, chronaxie, misfit = weiss([1e-4, 3e-4, 1e-3], T)
    assert rheobase == pytest.approx([3.0, 6.0])
    assert chronaxie == pytest.approx(0.4e-3)
    assert misfit == pytest.approx(0, abs=1e-12)
    assert np.isnan(weiss([1e-4, 1e-3], [np.inf, 1.0])[0])
    source = PointSource(position=[0, 0, 1.5e-3], conductivity=0.3)
    found = strength_duration(some, source, by=("type", "site"), unit="A")
    assert found.rheobase.dims == ("group", "polarity", "quantile")
    assert found.placements.sum() == 2 * len(some)
    full = found.isel(group=0)
    assert 0.1e-3 < full.chronaxie.sel(quantile=0.5).mean() < 1.5e-3
    assert (full.misfit < 0.15).all()
    assert set(found["type"].values) == {"L6_pyramidal", "L4_basket"}
    assert "terminal" in found["site"].values
    with pytest.raises(InputError, match="expected two or more pulse widths"):
        strength_duration(some, source, widths=[1e-4])
    with pytest.raises(InputError, match="nearest: type"):
        strength_duration(some, source, by=("types",))
