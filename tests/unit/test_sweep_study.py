"""Parameter studies of fields: what is shared is solved once, and the numbers are the same."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import rheobase.fields.conduction
import rheobase.fields.induction
import rheobase.fields.solver
from rheobase._errors import InputError
from rheobase.config import Study
from rheobase.kinds import KINDS
from rheobase.meshes.regions.region import tissue_region
from rheobase.meshes.regions.statistics import region_table
from rheobase.results import open_result
from rheobase.stations.devices import Device, _solve, device_of
from rheobase.stations.head import open_head
from rheobase.stations.inputs import open_inputs
from rheobase.stations.placing import place_device
from rheobase.sweeps.inputs import hold_inputs
from rheobase.sweeps.plan import plan_sweep
from rheobase.sweeps.results import run_sweep
from rheobase.sweeps.settings import Base
from rheobase.sweeps.study import Sweep, load_sweep

SPHERE = """
title = "a sphere"
[head]
name = "sphere"
edge_length_mm = 8.0
[head.options]
radii_mm = [80.0, 92.0]
layers = ["grey_matter", "scalp"]
sigma_S_per_m = [0.33, 0.4]
"""
PADS = (
    SPHERE
    + """
[device]
kind = "tes"
electrodes = [
  {name = "a", position = "C3", current_mA = 1.0},
  {name = "b", position = "C4", current_mA = -0.5},
  {name = "c", position = "Pz", current_mA = -0.5},
]
"""
)


COIL = (
    SPHERE
    + """
[device]
kind = "tms"
coil = "deng-25mm-figure8"
position = "Cz"
handle_angle_deg = 0.0
distance_mm = 5.0
"""
)
PAIRS = (
    SPHERE
    + """
[device]
kind = "ti"
pairs = [
  {anode = "F3", cathode = "P3", current_mA = 1.0, carrier_Hz = 2000.0, radius_mm = 8.0},
  {anode = "F4", cathode = "P4", current_mA = 1.0, carrier_Hz = 2010.0, radius_mm = 8.0},
]
"""
)


def sweep_file(folder: Path, text: str, study: str = PADS) -> Path:
    (folder / "base.toml").write_text(study)
    path = folder / "sweep.toml"
    path.write_text(f'title = "x"\nstudy = "base.toml"\n{text}')
    return path


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count assemblies, solved montages and solved coils."""
    count = {"conductors": 0, "montages": 0, "coils": 0, "blocks": 0}
    conductor = rheobase.fields.solver.Conductor
    conduction = rheobase.fields.conduction.solve_conduction
    induction = rheobase.fields.induction.solve_induction

    class Counted(conductor):  # type: ignore[misc, valid-type]
        def __init__(self, *args: Any, **options: Any) -> None:
            count["conductors"] += 1
            super().__init__(*args, **options)

    def montages(head: Any, given: Any, **options: Any) -> Any:
        count["montages"] += len(given)
        return conduction(head, given, **options)

    def coils(head: Any, given: Any, **options: Any) -> Any:
        count["coils"] += len(given) if isinstance(given, list) else 1
        count["blocks"] += 1
        return induction(head, given, **options)

    monkeypatch.setattr(rheobase.fields.solver, "Conductor", Counted)
    monkeypatch.setattr(rheobase.fields.conduction, "solve_conduction", montages)
    monkeypatch.setattr(rheobase.fields.induction, "solve_induction", coils)
    return count


def alone(found: Sweep, index: int) -> Device:
    """Return the device of a point, placed and solved for by itself."""
    study = found.base.study(found.design.points[index])
    assert isinstance(study, Study)
    inputs = open_inputs(study)
    placed = place_device(study, open_head(study.head), inputs)
    return device_of(study, placed, _solve(placed))


def grey(device: Device) -> list[float]:
    """Return mean, 99th percentile and largest value in the grey matter."""
    (row,) = region_table(
        [tissue_region("grey_matter")],
        device.head,
        device.strength,
        corners=device.basis.split_of_tet,
        levels=0,
        percentiles=(99,),
    )
    return [float(row[k]) for k in ("mean", "p99", "max")]


def base(table: dict[str, Any]) -> Base:
    return Base(kind=KINDS["field"], table=table, name="base.toml", folder=None)


def test_study_at_a_point_has_the_values_of_the_point(tmp_path: Path) -> None:
    found = load_sweep(
        sweep_file(
            tmp_path,
            """
            [axes]
            "device.current_mA" = [1.0, 3.0]
            "device.electrodes.b.radius_mm" = [8.0, 9.0]
            "head.options.sigma_S_per_m.1" = [0.4, 0.5]
            """,
        )
    )
    assert found.design.shape == (2, 2, 2)
    study: Any = found.base.study(found.design.points[-1])
    assert [e.current_mA for e in study.device.electrodes] == [3.0, -1.5, -1.5]
    assert [e.radius_mm for e in study.device.electrodes] == [None, 9.0, None]
    assert study.head.options["sigma_S_per_m"] == [0.33, 0.5]
    first: Any = found.base.study(found.design.points[0])
    assert [e.current_mA for e in first.device.electrodes] == [1.0, -0.5, -0.5]


def test_heads_and_species_change_the_head(tmp_path: Path) -> None:
    one = base({"title": "x", "head": {"name": "slab-human", "edge_length_mm": 0.4}})
    assert one.at({"species": "rat"})["head"] == {"name": "slab-rat", "edge_length_mm": 0.4}
    assert base({"head": {"name": "rat"}}).at({"species": "human"})["head"] == {"name": "mni152"}
    assert one.at({"head": "sphere"})["head"] == {"name": "sphere", "edge_length_mm": 0.4}
    other = {"name": "sphere", "edge_length_mm": 4.0}
    assert one.at({"head": other})["head"] == other
    (tmp_path / "m2m").mkdir()
    assert one.at({"head": str(tmp_path / "m2m")})["head"]["file"] == str(tmp_path / "m2m")
    with pytest.raises(InputError, match="expected a built-in head"):
        base({"head": {"file": "x.msh"}}).at({"species": "rat"})
    with pytest.raises(InputError, match="unknown head 'spere', nearest: sphere"):
        one.at({"head": "spere"})


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        (
            '[axes]\n"device.curent_mA" = [1.0]',
            "unknown key 'curent_mA'.*axis 'device.curent_mA' =",
        ),
        (
            '[axes]\n"device.current_mA" = [0]',
            "other than 0 mA, got 0.*axis 'device.current_mA' = 0",
        ),
        (
            '[axes]\n"device.electrodes.a.radius_mm" = [8.0, -1.0]',
            "greater than 0, got -1.0.*axis 'device.electrodes.a.radius_mm' = -1.0",
        ),
        (
            '[axes]\n"device.electrodes.d.radius_mm" = [8.0]',
            "unknown item 'd'.*axis 'device.electrodes.d.radius_mm' = 8.0",
        ),
        (
            '[axes]\n"device.electrodes.a.position" = ["C3", "C33"]',
            "unknown electrode position 'C33'.*axis 'device.electrodes.a.position' = 'C33'",
        ),
        (
            'method = "sobol"\nsamples = 8\n[axes]\n'
            '"device.electrodes.a.radius_mm" = { low = -2.0, high = 9.0 }',
            "greater than 0, got -2.0.*axis 'device.electrodes.a.radius_mm' = -2.0",
        ),
        ('heads = ["sphere", "globe"]', "unknown head 'globe'.*axis 'head' = 'globe'"),
        ('method = "sobol"\n[axes]\nx = [1]', "method = 'sobol' needs samples"),
        ("samples = 3\n[axes]\nx = [1]", "samples belongs to method"),
        ('method = "list"', "belong together"),
        ("[axes]", "expected an axis, got none"),
        ("[axes]\nx = { low = 2.0, high = 1.0 }", "low < high"),
        ("[axes]\nx = { low = 2.0, hihg = 3.0 }", "unknown key 'hihg', nearest: high: axis 'x'"),
        ('[axes]\nseed = [1]\n[outputs]\nstatistics = ["median"]', "outputs.statistics"),
        ("colour = 1\n[axes]\nseed = [1]", "unknown key 'colour'"),
    ],
)
def test_bad_axes_are_refused_before_anything_runs(axes: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words) as caught:
        load_sweep(sweep_file(tmp_path, axes))
    assert "\n" not in str(caught.value)


def test_other_kinds_need_values_and_have_no_maps(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    text = 'title = "x"\nstudy = "stn"\n[axes]\nseed = [1, 2]\n'
    path.write_text(text)
    with pytest.raises(InputError, match=r"expected \[\[outputs.values\]\].*kind 'dbs'"):
        load_sweep(path)


def test_currents_are_sums_of_as_few_fields_as_they_need(
    tmp_path: Path, calls: dict[str, int]
) -> None:
    currents = """
    [axes.split]
    "device.electrodes.a.current_mA" = [1.0, 2.0, 1.0, -1.5, 0.0]
    "device.electrodes.b.current_mA" = [-0.5, -1.0, -1.0, 1.0, 2.0]
    "device.electrodes.c.current_mA" = [-0.5, -1.0, 0.0, 0.5, -2.0]
    """
    found = load_sweep(sweep_file(tmp_path, currents))
    data = found.work_out(tmp_path / "out")
    assert (data["error"] == "").all()
    assert calls == {"conductors": 1, "montages": 2, "coils": 0, "blocks": 0}
    values = data["E"].sel(place="grey_matter").values
    np.testing.assert_allclose(values[1], 2 * values[0], rtol=1e-12)
    np.testing.assert_allclose(values[3], grey(alone(found, 3)), rtol=1e-6)
    assert data["E"].attrs["units"] == "V/m"
    assert data["E"].dims == ("split", "place", "statistic")
    assert data["device.electrodes.a.current_mA"].dims == ("split",)


@pytest.mark.slow
def test_envelopes_of_currents_and_carriers_are_algebra(
    tmp_path: Path, calls: dict[str, int]
) -> None:
    axes = """
    [axes]
    "device.pairs.0.current_mA" = [0.5, 1.0, 1.5]
    "device.pairs.1.phase_deg" = [0.0, 90.0]
    [axes.both]
    "device.pairs.1.current_mA" = [1.0, 3.0]
    "device.pairs.1.carrier_Hz" = [2010.0, 2020.0]
    """
    found = load_sweep(sweep_file(tmp_path, axes, PAIRS))
    data = found.work_out(tmp_path / "out")
    assert calls == {"conductors": 1, "montages": 2, "coils": 0, "blocks": 0}
    assert data["E"].attrs["long_name"] == "TI envelope, peak to peak"
    values = data["E"].values.reshape(len(found.design), -1)
    np.testing.assert_allclose(values[6], grey(alone(found, 6)), rtol=1e-6)


def test_coils_of_a_head_are_solved_for_together_and_failures_stop_none(
    tmp_path: Path, calls: dict[str, int]
) -> None:
    axes = """
    [axes]
    "device.handle_angle_deg" = [0.0, 30.0, 60.0]
    "results.intensity_A_per_us" = [10.0, 25.0]
    "device.position_mm" = [[0.0, 0.0, 92.0], [0.0, 0.0, 300.0]]
    """
    study = COIL.replace('position = "Cz"', "position_mm = [0.0, 0.0, 92.0]")
    found = load_sweep(sweep_file(tmp_path, axes, study))
    plan = plan_sweep(found, tmp_path / "out")
    assert (plan.points, plan.heads, plan.solutions, plan.seconds) == (12, 1, 6, None)
    steps = {step.what: step for step in plan.plan.steps}
    assert steps["fields"].size == "6 devices, 6 right-hand sides"
    assert plan.plan.seconds > 0
    assert "12 left" in plan.text()
    data = found.work_out(tmp_path / "out")
    assert calls == {"conductors": 1, "montages": 0, "coils": 3, "blocks": 1}
    failed = data["error"].values != ""
    assert failed.tolist() == [[[False, True]] * 2] * 3  # no coil that far from the head
    assert "InputError" in str(data["error"][1, 0, 1].item())
    assert data["device.position_mm"].values[1] == "[0.0, 0.0, 300.0]"
    values = data["E"].values.reshape(12, -1)
    assert np.isnan(values[1::2]).all()
    np.testing.assert_allclose(values[2], 2.5 * values[0], rtol=1e-12)
    np.testing.assert_allclose(values[8], grey(alone(found, 8)), rtol=1e-6)
    again = found.work_out(tmp_path / "out")
    assert calls["coils"] == 3 + 1  # that of `alone`
    xr.testing.assert_identical(again, data)
    plan = plan_sweep(found, tmp_path / "out")
    assert (plan.finished, plan.failed, plan.solutions, plan.seconds) == (6, 6, 0, 0.0)


def test_example_asks_for_what_its_study_writes(tmp_path: Path) -> None:
    example = load_sweep(Path(__file__).parents[2] / "examples/brain_by_target.toml")
    plan = plan_sweep(example, tmp_path / "out")
    assert (plan.points, plan.solutions, plan.runs) == (3, 3, True)


def test_a_project_may_move_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/head.h5").write_bytes(b"one")
    study = 'title = "pads"\n[head]\nname = "sphere"\n' + PADS[PADS.index("[device]") :]
    sweep_file(tmp_path / "a", 'heads = ["head.h5", "sphere"]', study)
    one = load_sweep(tmp_path / "a/sweep.toml")
    assert one.design.points == [{"head": "head.h5"}, {"head": "sphere"}]
    assert list(one.files()) == [str(tmp_path / "a/head.h5")]
    hold_inputs(tmp_path / "a/out", one.files().values(), start=one.folder)
    (tmp_path / "a").rename(tmp_path / "b")
    two = load_sweep(tmp_path / "b/sweep.toml")
    assert two.design.points == one.design.points
    assert list(two.files()) == [str(tmp_path / "b/head.h5")]
    before = (tmp_path / "b/out/inputs.json").read_text()
    hold_inputs(tmp_path / "b/out", two.files().values(), start=two.folder)
    assert (tmp_path / "b/out/inputs.json").read_text() == before


def test_points_of_another_head_file_are_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "head.h5").write_bytes(b"one")
    study = PADS[PADS.index("[device]") :]
    study = 'title = "pads"\n[head]\nfile = "head.h5"\n' + study
    one = load_sweep(sweep_file(tmp_path, '[axes]\n"device.current_mA" = [0.5, 1.0]', study))
    assert list(one.files()) == [str(tmp_path / "head.h5")]
    first = {one.share(point) for point in one.design.points}
    assert len(first) == 1
    hold_inputs(tmp_path / "out", one.files().values(), start=tmp_path)
    hold_inputs(tmp_path / "out", one.files().values(), start=tmp_path)
    (tmp_path / "other.h5").write_bytes(b"more")
    hold_inputs(tmp_path / "out", [tmp_path / "other.h5"], start=tmp_path)  # axes may grow
    (tmp_path / "head.h5").write_bytes(b"another")
    with pytest.raises(InputError, match=r"holds points made from another .*head\.h5$"):
        one.work_out(tmp_path / "out")
    assert {one.share(point) for point in one.design.points}.isdisjoint(first)


def test_a_sweep_goes_on_from_its_own_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = sweep_file(tmp_path, '[axes]\n"device.current_mA" = [0.5, 1.0]')
    run_sweep(load_sweep(path), out)
    made = {file: file.stat().st_mtime_ns for file in (out / "points").iterdir()}
    path.unlink()
    (tmp_path / "base.toml").unlink()
    for source in (out, out / "study.toml"):
        again = load_sweep(source)
        assert again.out == out
        run_sweep(again, out)
        assert made == {file: file.stat().st_mtime_ns for file in (out / "points").iterdir()}
    record = json.loads((out / "provenance.json").read_text())
    assert record["base"]["table"]["device"]["kind"] == "tes"
    (out / "provenance.json").unlink()
    with pytest.raises(InputError, match="expected the results of a sweep that has ended"):
        load_sweep(out)


def test_values_make_each_point_a_run_in_the_plan_too(tmp_path: Path) -> None:
    axes = """
    [axes]
    "device.current_mA" = [0.5, 1.0, 4.0]
    """
    values = '[[outputs.values]]\nname = "n"\ntable = "t"\ncolumn = "c"\n'
    without = plan_sweep(load_sweep(sweep_file(tmp_path, axes)), tmp_path / "out")
    plan = plan_sweep(load_sweep(sweep_file(tmp_path, axes + values)), tmp_path / "out")
    assert (without.runs, plan.runs, plan.solutions) == (False, True, 1)
    sizes = {step.what: step.size for step in plan.plan.steps}
    assert sizes["report and scene"].startswith("3 x ")
    assert plan.plan.seconds > without.plan.seconds
    assert "each point is a whole run" in plan.text()


def test_results_speak_for_themselves(tmp_path: Path) -> None:
    axes = """
    question = "how much?"
    [axes]
    "device.current_mA" = [0.5, 1.0, 4.0]
    """
    found = load_sweep(sweep_file(tmp_path, axes))
    result = run_sweep(found, tmp_path / "out")
    again = open_result(tmp_path / "out")
    data = again.dataset("sweep")
    assert data.attrs["method"] == "grid"
    assert json.loads(data.attrs["study_tables"])["device"]["kind"] == "tes"
    per_mA = (data["E"] / data["device.current_mA"]).values
    np.testing.assert_allclose(per_mA, np.broadcast_to(per_mA[0], per_mA.shape), rtol=1e-12)
    rows = (tmp_path / "out/group/sweep.csv").read_text().splitlines()
    assert len(rows) == 4
    assert rows[0].startswith("device.current_mA,E grey_matter mean (V/m)")
    report = (tmp_path / "out/report.html").read_text()
    assert "how much?" in report
    assert result.files[0].name == "report.html"


@pytest.mark.slow
def test_samples_have_indices(tmp_path: Path) -> None:
    axes = """
    method = "latin_hypercube"
    samples = 12
    [axes]
    "device.current_mA" = { low = 0.5, high = 4.0 }
    """
    found = load_sweep(sweep_file(tmp_path, axes))
    result = run_sweep(found, tmp_path / "out")
    assert result.dataset("sweep")["device.current_mA"].attrs["high"] == 4.0
    shares = result.tables["Share of the variance (Sobol index, total)"]
    assert shares.rows[0][1] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.slow  # two whole runs
def test_values_of_whole_runs_of_any_kind(tmp_path: Path) -> None:
    axes = """
    [axes]
    "device.current_mA" = [1.0, 2.0]
    [outputs]
    keep = true
    [[outputs.values]]
    name = "asked"
    table = "Electrodes"
    column = "asked (mA)"
    row = { electrode = "a" }
    [[outputs.values]]
    name = "voltage"
    table = "Electrodes"
    column = "voltage (V)"
    """
    found = load_sweep(sweep_file(tmp_path, axes, PADS))
    data = found.work_out(tmp_path / "out")
    assert (data["error"] == "").all()
    assert data["asked"].values.tolist() == [1.0, 2.0]
    assert data["voltage_row"].values.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(data["voltage"][1], 2 * data["voltage"][0], rtol=1e-6)
    kept = sorted((tmp_path / "out/runs").iterdir())
    assert [open_result(folder).title for folder in kept] == ["a sphere"] * 2


@pytest.mark.slow  # cells
def test_recruitment_and_polarisation_are_those_of_the_stations(tmp_path: Path) -> None:
    head = '[head]\nname = "slab-rat"\nedge_length_mm = 0.3\n'
    cells = '[cells]\ntypes = ["L5_pyramidal"]\nplacements = 6\nradius_mm = 1.0\ncentre = "top"\n'
    coil = 'kind = "tms"\ncoil = "deng-25mm-figure8"\nposition = "top"\ndistance_mm = 5.0\n'
    study = f'title = "x"\n{head}[device]\n{coil}{cells}'
    axes = """
    [axes]
    "results.intensity_A_per_us" = [1.0, 1e4]
    """
    found = load_sweep(sweep_file(tmp_path, axes, study))
    data = found.work_out(tmp_path / "out")
    assert (data["error"] == "").all(), data["error"].values
    assert data["threshold"].dims[1:] == ("cell_type", "polarity", "quantile")
    np.testing.assert_array_equal(data["threshold"][0], data["threshold"][1])
    assert data["threshold"].attrs["units"] == "A/µs"
    share = data["recruited"].sel(cell_type="L5_pyramidal", polarity="plus")
    assert share.values.tolist() == [0.0, 1.0]
