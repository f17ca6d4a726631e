"""What a run will take: numbers from the study, costs from the data file."""

from pathlib import Path
from typing import Any

import pytest

import rheobase.plans.plan as plans
from rheobase.kinds import shipped_studies
from rheobase.meshes.heads import BUILT_IN, build_head, built_file
from rheobase.plans.costs import cost, head_sizes
from rheobase.plans.plan import Plan
from rheobase.study_file import load_study

BALL = {"name": "sphere", "edge_length_mm": 12.0}
BALL |= {"options": {"radii_mm": [92.0], "layers": ["grey_matter"], "sigma_S_per_m": [0.33]}}


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def sizes(plan: Plan) -> dict[str, str]:
    return {step.what: step.size for step in plan.steps}


@pytest.mark.parametrize("name", shipped_studies())
def test_every_shipped_study_has_a_plan(name: str, own_cache: Path) -> None:
    plan = load_study(name).plan()
    assert all(step.seconds >= 0 and step.bytes > 0 for step in plan.steps)
    assert 5 < plan.seconds < 3600
    assert 0.2 < plan.bytes / 2**30 < 8
    told = plan.as_dict()
    assert told["cpu_seconds"] == pytest.approx(sum(s["cpu_seconds"] for s in told["steps"]), abs=1)
    assert plan.text().splitlines()[0].startswith("step")


def test_a_plan_tells_what_is_computed(own_cache: Path) -> None:
    found = sizes(load_study("tms_columns").plan())
    assert found["head mni152, building"] == "0.26 M nodes, 1.47 M tetrahedra"
    assert found["field"] == "1 right-hand side, 0.26 M unknowns"
    assert "7 columns, 7,000 cells" in found["columns"]
    assert found["electrodes that see it"].endswith("right-hand sides")
    assert sizes(load_study("ti_motor").plan())["field"].startswith("4 right-hand sides")


def test_more_work_takes_longer(own_cache: Path) -> None:
    def seconds(name: str, change: dict[str, Any]) -> float:
        return load_study(name, change=change).plan().seconds

    for name, key, more in (
        ("tms_motor", "cells.placements", 30_000),
        ("tms_motor", "cells.mode", "spiking"),
        ("tms_motor", "network.scale", 1.0),
        ("tms_motor", "head.resolution", "fine"),
        ("tacs_columns", "network.duration_s", 300.0),
        ("parkinson", "timing.duration_s", 3000.0),
        ("stn", "resolution", 2.0),
        ("hippocampus", "correction", "conjugation"),
        ("cross-species", "cells.spiking", 400),
    ):
        usual = {"correction": "none"} if key == "correction" else {}
        assert seconds(name, {key: more}) > 1.1 * seconds(name, usual), key


@pytest.mark.slow
def test_a_head_of_the_cache_is_read(own_cache: Path) -> None:
    device = {"kind": "tms", "coil": "magstim-70mm-figure8", "position": "C3"}
    study = load_study({"title": "x", "head": BALL, "device": device})
    before = study.plan()
    head = build_head(BALL["name"], edge_length_mm=12.0, **BALL["options"])  # type: ignore[arg-type]
    after = study.plan()
    nodes, tets = len(head.mesh.nodes), len(head.mesh.tets)
    assert [s.kept for s in before.steps if s.what.startswith("head")] == [False]
    assert [s.kept for s in after.steps if s.what.startswith("head")] == [True]
    size = next(s.size for s in after.steps if s.what.startswith("head"))
    assert size == f"{nodes / 1e6:.2g} M nodes, {tets / 1e6:.3g} M tetrahedra"
    path = built_file("sphere", edge_length_mm=12, **BALL["options"])  # type: ignore[arg-type]
    assert path.is_file()
    assert path.is_relative_to(own_cache)


def test_memory_is_compared_with_what_is_free(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = load_study("parkinson").plan()
    assert plan.as_dict()["fits"]
    monkeypatch.setattr(plans, "free_memory", lambda: 1e8)
    assert not plan.as_dict()["fits"]
    assert "0.1 GiB are free: more than that" in plan.text()


def test_costs_are_positive_and_say_where_they_are_from() -> None:
    for name in BUILT_IN:
        for size in head_sizes(name).values():
            assert min(size["nodes"], size["tets"], size["seconds"], size["edge_mm"]) > 0
            assert size["from"]
    assert cost("field.solve").seconds(2.0) == pytest.approx(2 * cost("field.solve").seconds(1.0))
