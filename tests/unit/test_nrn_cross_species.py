"""The founding study: field of the electrode, places of cells, results that follow from numbers."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from rheobase import __main__ as command
from rheobase._errors import InputError
from rheobase.fields.electrodes.cortical import CorticalElectrode
from rheobase.kinds import KINDS
from rheobase.meshes.cortex.layers import layer_table
from rheobase.meshes.grid import mesh_grid
from rheobase.stations.book import Book
from rheobase.studies.cross_species import check_cross_species, part_file, run_cross_species
from rheobase.studies.findings import findings
from rheobase.studies.placing import distance, place, spread
from rheobase.studies.results import Results, collect
from rheobase.studies.thresholds import parts
from rheobase.tables.cross_species import CrossSpeciesStudy
from rheobase.tables.parse import parse_table
from rheobase.validation.square_electrode import square_electrode, square_field

Floats = NDArray[np.float64]
TYPES = ["L23_pyramidal", "L5_bipolar"]


def table(**cells: Any) -> dict[str, Any]:
    shipped = KINDS["cross-species"].studies()["cross-species"].read_text(encoding="utf-8")
    found = tomllib.loads(shipped)
    found["cells"] |= cells
    return found


def small(conditions: tuple[str, ...] = ("rat",), **cells: Any) -> CrossSpeciesStudy:
    few = {"types": TYPES, "placements": 24, "spiking": 2, "clones": 2, "bins": 3} | cells
    found = table(**few) | {"steps": 6}
    found["conditions"] = [c for c in found["conditions"] if c["name"] in conditions]
    return parse_table(CrossSpeciesStudy, found, where="study", folder=None)


def test_grid_holds_the_cells_that_have_a_label() -> None:
    x, z = np.array([0.0, 1.0, 3.0]), np.array([0.0, 0.5])
    labels = np.array([[[2], [1]], [[0], [1]]])
    mesh = mesh_grid(x, x, z, labels)
    assert mesh.tissue_volumes() == pytest.approx({1: 3.0, 2: 0.5})
    corners = mesh.nodes[mesh.outer_faces()[0]]
    area = 0.5 * np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    assert area.sum() == pytest.approx(2 * 7 + 12 * 0.5)
    with pytest.raises(InputError, match="rise along y"):
        mesh_grid(x, x[::-1], z, labels)


def test_closed_form_of_the_square_is_a_sum_of_point_sources() -> None:
    side, sigma, n = 0.5e-3, 0.3, 400
    grid = (np.arange(n) + 0.5) / n * side - side / 2
    x, y = np.meshgrid(grid, grid)
    for point in ([0.1e-3, -0.2e-3, -0.3e-3], [0.6e-3, 0.1e-3, -0.1e-3]):
        away = np.array(point) - np.stack([x, y, np.zeros_like(x)], axis=-1)
        r = np.linalg.norm(away, axis=-1, keepdims=True)
        summed = (away / r**3).mean(axis=(0, 1)) / (2 * np.pi * sigma)
        exact = square_field(np.array([point]), side=side, sigma=sigma)[0]
        assert exact == pytest.approx(summed, rel=1e-4)


def test_field_of_the_electrode_is_that_of_a_square_source() -> None:
    coarse, fine = square_electrode(steps=5), square_electrode(steps=10)
    for before, after, limit in zip(coarse, fine, (0.03, 0.05), strict=True):
        assert after.error < limit
        assert before.error > 2.5 * after.error  # nearly second order, at its edges too


def test_layers_carry_the_current_and_the_back_is_insulated() -> None:
    sigma = {"csf": 1.7, "grey_matter": 0.3, "white_matter": 0.15}
    electrode = CorticalElectrode(side=1e-3, thickness=1e-3, csf=0.5e-3, sigma=sigma, steps=6)
    basis = electrode.solve()
    assert basis.report[0].energy_balance < 1e-6
    inside = np.array([[0.0, 0.0, -0.9999e-3], [0.0, 0.0, -1.0001e-3]])
    grey, white = basis.at(inside)[0][0, :, 2]
    assert white / grey == pytest.approx(0.3 / 0.15, rel=0.02)  # the current goes on
    assert basis.at(np.array([[0.0, 0.0, 1e-4]]))[1][0] == -1  # nothing behind the electrode
    with pytest.raises(InputError, match="side must be > 0"):
        replace(electrode, side=0.0)


def test_places_are_even_over_distance_and_keep_their_layer() -> None:
    study = small(("rat", "rat in human cortex"), placements=400)
    here, there = (place(study, c) for c in study.conditions)
    assert np.histogram(distance(here.position), 4, (0, 2e-3))[0] == pytest.approx(200, rel=0.3)
    for cells, species in ((here, "rat"), (there, "human")):
        layers = layer_table(species)
        for name, layer in zip(TYPES, ("L2/3", "L5"), strict=True):
            depth = -cells.position[cells.type == name, 2] / layers.thickness
            top, bottom = layers.layer(layer)
            assert top - 1e-9 <= depth.min() < depth.max() <= bottom + 1e-9
    some = spread(here, 4)
    assert [(here.type[some] == t).sum() for t in TYPES] == [4, 4]
    assert np.ptp(distance(here.position[some[:4]])) > 1e-3


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[CrossSpeciesStudy, Path]:
    study, out = small(), tmp_path_factory.mktemp("study")
    run_cross_species(study, text="", out=out)
    return study, out


def found_by(study: CrossSpeciesStudy, out: Path) -> Results:
    return collect(study, list(parts(study, partial(part_file, Book(out=out)))))


def test_results_are_labelled_and_follow_from_the_thresholds(
    ran: tuple[CrossSpeciesStudy, Path],
) -> None:
    _, out = ran
    with xr.open_dataset(out / "group/results.nc") as data:
        shape = {"mode": 3, "condition": 1, "cell_class": 2, "layer": 2, "polarity": 2}
        assert dict(data["probability"].sizes) == {**shape, "distance": 3, "amplitude": 18}
        steps = data["probability"].diff("amplitude")
        assert float(steps.min()) >= 0
        assert int(data["placements"].sel(mode="cable").sum()) == 48
        assert np.isnan(data["share"].sel(cell_class="PYR", layer="L5")).all()
        share = (
            data["share"]
            .sel(mode="cable", cell_class="PYR", layer="L2/3", polarity="cathodal", amplitude=2e-4)
            .sel(condition="rat")
        )
        error = data["calibration_error"].sel(cell_class="PYR", layer="L2/3").values.ravel()
        median = data["threshold"].sel(
            mode="cable", quantile=0.5, cell_class="PYR", layer="L2/3", condition="rat"
        )
    with xr.open_dataset(out / "group/desc-ratCable_thresholds.nc") as part:
        near = (part["distance"] <= 1e-3) & (part["type"] == "L23_pyramidal")
        values = part["threshold"].values[1, near.values]
    assert float(share) == pytest.approx(np.mean(values <= 2e-4))
    assert 0 < error[0] < 0.1 < error[1]
    assert error[2] == 0.0
    assert median.sel(polarity="cathodal") < median.sel(polarity="anodal")
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "cathode stronger than anode" in report
    for name in ("field", "distanceCable", "distanceAf", "order", "species", "modes"):
        assert (out / "figures" / f"desc-{name}_figure.png").stat().st_size > 5_000


def test_finished_parts_are_kept_and_others_found_anew(
    ran: tuple[CrossSpeciesStudy, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, out = ran

    def fail(*_: object) -> None:
        raise AssertionError("solved again")

    monkeypatch.setattr(CorticalElectrode, "solve", fail)
    before = found_by(study, out)
    fewer_bins = study.model_copy(
        update={"cells": study.cells.model_copy(update={"bins": 2, "modes": ("cable",)})}
    )
    assert found_by(fewer_bins, out).data.sizes["distance"] == 2
    longer = study.model_copy(update={"pulse": study.pulse.model_copy(update={"width_us": 300.0})})
    with pytest.raises(AssertionError, match="solved again"):
        found_by(longer, out)
    assert len(before.parts) == 3


def test_verdicts_follow_from_the_numbers(ran: tuple[CrossSpeciesStudy, Path]) -> None:
    study, out = ran
    found = found_by(study, out)

    def other(change: Callable[[Floats], Floats]) -> Results:
        return collect(
            study,
            [
                replace(p, data=p.data.assign(threshold=(t.dims, change(t.values))))
                for p in found.parts
                for t in [p.data["threshold"]]
            ],
        )

    swapped = other(lambda t: t[::-1])
    equal = other(lambda t: np.full_like(t, 1e-4))

    def verdict(results: Results, statement: str) -> str:
        return next(
            f.verdict
            for f in findings(results)
            if f.mode == "cable" and f.statement.startswith(statement)
        )

    assert verdict(found, "cathode stronger") == "agrees"
    assert verdict(swapped, "cathode stronger") == "differs"
    assert verdict(equal, "cathode stronger") == "no difference"
    assert verdict(equal, "response falls with depth") == "no difference"
    assert verdict(found, "L23_pyramidal prefers the anode") == "differs"
    assert verdict(swapped, "L23_pyramidal prefers the anode") == "agrees"


def test_what_cannot_be_is_refused_before_anything_is_solved() -> None:
    with pytest.raises(InputError, match="L5_pyramidal"):
        check_cross_species(small(types=["L5_pyramidl"]))
    thin = table()
    thin["conditions"][0] |= {"cells": "human", "cortex": "mouse"}
    with pytest.raises(InputError, match=r"at least as thick .* \(3.16 mm\), got 0.96 mm"):
        check_cross_species(parse_table(CrossSpeciesStudy, thin, where="study", folder=None))
    twice = table()
    twice["conditions"][1]["name"] = "Rat!"
    with pytest.raises(InputError, match="different letters"):
        check_cross_species(parse_table(CrossSpeciesStudy, twice, where="study", folder=None))
    for cells, message in (
        ({"spiking": 900}, "spiking counts some of the placements"),
        ({"modes": ["cable", "cable"]}, "twice"),
    ):
        with pytest.raises(InputError, match=message):
            parse_table(CrossSpeciesStudy, table(**cells), where="study", folder=None)


def test_command_checks_and_takes_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["rheobase", "study", "cross-species", *arguments])
        return command.main()

    assert run("--dry-run", "--set", "cells.placements=50") == 0
    assert "valid" in capsys.readouterr().out
    assert run("--dry-run", "--set", "cells.placments=50") == 2
    assert "nearest: placements" in capsys.readouterr().err


@pytest.mark.slow  # a minute
def test_cable_agrees_with_full_simulations_in_all_species(tmp_path: Path) -> None:
    names = ("rat", "mouse", "human", "rat in human cortex")
    study = small(names, types=[], placements=48, spiking=2)
    results = found_by(study, tmp_path)
    for name in names:
        cable = results.part(name, "cable")["threshold"].values
        full = results.part(name, "spiking")
        paired = cable[:, full["member"].values] / full["threshold"].values
        assert np.abs(paired - 1).mean() < 0.1
    for found in findings(results):
        if found.mode != "af" and found.statement.startswith("cathode"):
            assert found.verdict == "agrees"
        if found.mode == "cable" and found.statement == "response falls with depth":
            assert found.verdict == "agrees"
