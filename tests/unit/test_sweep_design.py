"""Designs of parameter studies: grids, samples, lists; and what variance goes with what."""

from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase._sweep_cli import parse_points
from rheobase.sweeps.design import Design, Range, grid, listed, sampled
from rheobase.sweeps.sensitivity import sensitivity


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


def test_whole_numbers_may_be_drawn_twice() -> None:
    design = sampled({"n": Range(low=1, high=3, whole=True)}, 8)
    drawn = [point["n"] for point in design.points]
    assert set(drawn) == {1, 2, 3}
    assert len(drawn) == 8


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_whole_numbers_lie_in_the_middle_of_what_draws_them(scale: Any) -> None:
    one = Range(low=1, high=50, scale=scale, whole=True)
    u = (np.arange(20_000) + 0.5) / 20_000
    drawn = np.array(one.at(u))
    assert set(drawn.tolist()) == set(range(1, 51))
    place = one.unit(drawn.tolist())
    for number in (1, 7, 50):
        share = u[drawn == number]
        assert share[0] < place[drawn == number][0] < share[-1]
