"""Designs of parameter studies, the studies at their points, and what is said of bad axes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase._sweep_cli import parse_points
from rheobase.sweeps.design import Design, Range, grid, listed, sampled
from rheobase.sweeps.sensitivity import sensitivity
from rheobase.sweeps.settings import Base
from rheobase.sweeps.study import load_sweep

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


def sweep_file(folder: Path, text: str, study: str = PADS) -> Path:
    (folder / "base.toml").write_text(study)
    path = folder / "sweep.toml"
    path.write_text(f'title = "x"\nstudy = "base.toml"\n{text}')
    return path


def test_grid_has_every_combination_and_keys_that_go_together() -> None:
    design = grid({"a": [1, 2, 3], "pair": {"x": ["u", "v"], "y": [0.5, 1.5]}})
    assert design.shape == (3, 2)
    assert len(design.points) == len(design) == 6
    assert design.points[1] == {"a": 1, "x": "v", "y": 1.5}
    assert design.coordinates()["y"] == ("pair", [0.5, 1.5])


@pytest.mark.parametrize("method", ["sobol", "latin_hypercube"])
def test_samples_fill_their_ranges_and_follow_the_seed(method: str) -> None:
    axes = {
        "x": Range(low=-1.0, high=3.0),
        "f": Range(low=1.0, high=1000.0, scale="log"),
        "n": Range(low=1, high=4, whole=True),
        "head": ["p", "q"],
    }
    design = sampled(axes, 64, method=method, seed=5)
    assert design.shape == (64, 2)
    drawn = design.dims["sample"]
    for key, low, high in (("x", -1, 3), ("f", 1, 1000)):
        u = design.ranges[key].unit(drawn[key])
        assert low <= min(drawn[key]) < max(drawn[key]) <= high
        # one in each 64th of the range for a hypercube, and for Sobol' points too (64 = 2^6)
        assert sorted(np.floor(u * 64).astype(int)) == list(range(64))
    assert [drawn["n"].count(k) for k in (1, 2, 3, 4)] == [16] * 4
    same = sampled(axes, 64, method=method, seed=5)
    other = sampled(axes, 64, method=method, seed=6)
    assert same.points == design.points
    assert other.points != design.points


def test_sobol_tells_of_powers_of_two() -> None:
    x = {"x": Range(low=0.0, high=1.0)}
    assert sampled(x, 64).notes == ()
    assert "balanced at 64 and 128" in sampled(x, 100).notes[0]
    assert sampled(x, 100, method="latin_hypercube").notes == ()
    assert len(sampled(x, 100)) == 100


def test_sensitivity_of_the_ishigami_like_sum_is_exact() -> None:
    """Of y = x1 + 2 x2 + 3 x1 x3 over the unit cube: variances by hand."""
    axes = {f"x{k}": Range(low=0.0, high=1.0) for k in (1, 2, 3)}
    design = sampled(axes, 128, seed=2)
    x = np.array([list(p.values()) for p in design.points])
    found = sensitivity(design, x[:, 0] + 2 * x[:, 1] + 3 * x[:, 0] * x[:, 2])
    assert found is not None
    # y = (1 + 3/2) x1 + 2 x2 + (3/2) x3 + 3 (x1 - 1/2)(x3 - 1/2) + constant
    parts = {"x1": 2.5**2 / 12, "x2": 4 / 12, "x3": 1.5**2 / 12}
    both = 9 / 144
    whole = sum(parts.values()) + both
    for name, part in parts.items():
        assert found.first[name] == pytest.approx(part / whole, rel=1e-9)
        total = part + (both if name != "x2" else 0)
        assert found.total[name] == pytest.approx(total / whole, rel=1e-9)
    places, curve = found.curves["x2"]
    np.testing.assert_allclose(np.diff(curve) / np.diff(places), 2.0, rtol=1e-9)
    assert found.error < 1e-20


def test_sensitivity_leaves_failed_samples_out_and_knows_when_it_knows_nothing() -> None:
    design = sampled({"x": Range(low=0.0, high=2.0)}, 16, seed=1)
    x = np.array(design.dims["sample"]["x"])
    x[3] = np.nan
    found = sensitivity(design, 3 * x)
    assert found is not None
    assert found.samples == 15
    assert found.mean == pytest.approx(3.0)
    assert sensitivity(design, np.ones(16)) is None
    assert sensitivity(design, np.where(np.arange(16) < 2, x, np.nan)) is None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: grid({}), "expected an axis, got none"),
        (lambda: grid({"a": [1, 1]}), "values must be distinct.*'a'"),
        (lambda: grid({"a": [1, np.inf]}), "finite numbers.*got inf: axis 'a'"),
        (lambda: grid({"a": Range(low=0.0, high=1.0)}), "got a range, for method 'grid': axis 'a'"),
        (lambda: grid({"p": {"x": [1, 2], "y": [1]}}), "2 of 'x', 1 of 'y': axis 'p'"),
        (lambda: grid({"x": [1], "p": {"x": [1]}}), "'x' comes twice"),
        (lambda: sampled({"a": [1]}, 4), "expected a range"),
        (lambda: sampled({"a": Range(low=0.0, high=1.0)}, 0), "samples >= 1, got 0"),
        (lambda: Range(low=1.0, high=1.0), "low < high, got 1 and 1"),
        (lambda: Range(low=0.0, high=1.0, scale="log"), "low > 0 on a logarithmic"),
        (lambda: Range(low=0.5, high=2, whole=True), "whole ends"),
        (lambda: listed([]), "expected points, got none"),
        (lambda: listed([{"a": 1}, {"b": 1}]), "expected the keys a, got b: points.1"),
    ],
)
def test_impossible_designs_are_refused(make: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


def base(table: dict[str, Any]) -> Base:
    from rheobase.kinds import KINDS

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


def test_points_of_an_array_job() -> None:
    assert parse_points("0-2, 5") == [0, 1, 2, 5]
    for bad in ("x", "3-1", "1-", "-1", "1.5"):
        with pytest.raises(InputError, match="--points"):
            parse_points(bad)


def test_list_of_points_goes_with_further_axes() -> None:
    design = listed([{"a": 1, "b": 2}, {"b": 5, "a": 4}], {"c": [7, 8]})
    assert isinstance(design, Design)
    assert design.points == [
        {"a": 1, "b": 2, "c": 7},
        {"a": 1, "b": 2, "c": 8},
        {"a": 4, "b": 5, "c": 7},
        {"a": 4, "b": 5, "c": 8},
    ]
