"""HD-tES on small problems: against enumeration, other programmes and dense sampling."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.leadfield_solve import lead_field
from rheobase.fields.optimisation.energy import off_target_energy
from rheobase.fields.optimisation.intensity import largest
from rheobase.fields.optimisation.limits import Limits
from rheobase.fields.optimisation.quadratic import least_energy
from rheobase.fields.optimisation.target import region_target
from rheobase.fields.optimisation.tes import Optimum, focal, lcmv, max_intensity, pareto
from rheobase.meshes.regions.region import ball as ball_region
from rheobase.validation.leadfield import ball

Floats = NDArray[np.float64]

NAMES = [f"E{k}" for k in range(9)]
TOTAL = Limits(total=2e-3)
EACH = Limits(total=2e-3, each=0.7e-3)
UNEQUAL = Limits(total=2e-3, each={"E0": 0.2e-3, "E3": 0.9e-3, "E5": 0.0})


def problem(seed: int, n: int = 9) -> tuple[Floats, Floats]:
    """Rows (V/m per A) and energy of electrodes whose fields overlap."""
    generator = np.random.default_rng(seed)
    fields = generator.normal(size=(40, n)) + 2 * generator.normal(size=(40, 1))
    C = 100 * generator.normal(size=(3, n))
    Q = 1e4 * fields.T @ fields / 40
    return C, 0.5 * (Q + Q.T)


def programme(c: Floats, limits: Limits, some: Sequence[int] | None = None) -> float:
    """The largest c x as a linear programme, with some of the electrodes."""
    from scipy.optimize import linprog

    bounds = limits.bounds(NAMES)
    most = bounds.most if some is None else bounds.most * np.isin(range(len(c)), some)
    n = len(c)
    found = linprog(
        np.concatenate([-c, c]),
        A_ub=np.ones((1, 2 * n)),
        b_ub=[2 * bounds.total],
        A_eq=np.concatenate([np.ones(n), -np.ones(n)])[None],
        b_eq=[0.0],
        bounds=[(0.0, u) for u in (*most, *most)],
    )
    assert found.fun is not None
    return -float(found.fun)


def rms(optimum: Optimum) -> float:
    assert optimum.rms is not None
    return optimum.rms


@pytest.mark.parametrize("limits", [TOTAL, EACH, UNEQUAL, Limits(each=1e-3)])
def test_closed_form_is_the_linear_programme(limits: Limits) -> None:
    bounds = limits.bounds(NAMES)
    for seed in range(10):
        c = problem(seed)[0][0]
        x, bound = largest(c, bounds)
        assert c @ x == pytest.approx(programme(c, limits), rel=1e-9)
        assert bound == pytest.approx(c @ x, rel=1e-12)
        assert bounds.keep(x)
        assert abs(x.sum()) < 1e-15


@pytest.mark.parametrize("each", [None, 0.7e-3, UNEQUAL.each])
def test_few_electrodes_reach_what_the_best_set_does(
    each: float | Mapping[str, float] | None,
) -> None:
    for number in (2, 3, 4):
        limits = Limits(total=2e-3, each=each, electrodes=number)
        c = problem(number)[0][1]
        found = max_intensity(c, limits, names=NAMES)
        within = Limits(total=2e-3, each=each)
        best = max(programme(c, within, s) for s in combinations(range(9), number))
        assert found.value == pytest.approx(best, rel=1e-7)
        assert found.gap < 1e-6
        assert np.count_nonzero(found.currents) <= number
        assert found.bound >= found.value


@pytest.mark.parametrize("limits", [TOTAL, EACH, Limits(total=2e-3, each=0.7e-3, electrodes=4)])
def test_no_direction_has_a_larger_field(limits: Limits) -> None:
    C, _ = problem(3)
    found = max_intensity(C, limits, names=NAMES)
    bounds = limits.bounds(NAMES)
    d = np.random.default_rng(0).normal(size=(1000, 3))
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    tried = max(float(np.linalg.norm(C @ largest(u @ C, bounds)[0])) for u in d)
    assert tried <= found.value * (1 + 1e-12)
    assert found.gap < 2e-7
    assert found.value == pytest.approx(float(np.linalg.norm(C @ found.currents)), rel=1e-12)
    if limits is TOTAL:
        apart = np.linalg.norm(C.T[:, None] - C.T, axis=2).max()
        assert found.value == pytest.approx(2e-3 * apart, rel=1e-12)
        assert sorted(found.montage().values()) == [-2e-3, 2e-3]


@pytest.mark.parametrize("limits", [TOTAL, EACH, UNEQUAL])
def test_least_energy_meets_the_conditions_of_optimality(limits: Limits) -> None:
    from scipy.optimize import Bounds as Box
    from scipy.optimize import LinearConstraint, minimize

    C, Q = problem(5)
    bounds = limits.bounds(NAMES)
    value = 0.8 * largest(C[0], bounds)[1]
    found = least_energy(Q, C[:1], np.array([value]), bounds)
    assert found is not None
    n = 9
    scale = found.energy
    one = np.repeat([1.0, -1.0], n)

    def energy(p: Floats) -> float:  # of currents in and out, in mA
        x = 1e-3 * (p[:n] - p[n:])
        return float(x @ Q @ x) / scale

    def slope_of(p: Floats) -> Floats:
        return one * np.tile(2e-6 / scale * Q @ (p[:n] - p[n:]), 2)

    other = minimize(
        energy,
        np.full(2 * n, 0.1),
        jac=slope_of,
        method="SLSQP",
        bounds=Box(0.0, 1e3 * np.tile(bounds.most, 2)),
        constraints=[
            LinearConstraint(
                np.stack([one, 1e-3 * one * np.tile(C[0], 2) / value]), [0, 1], [0, 1]
            ),
            LinearConstraint(np.ones(2 * n), -np.inf, 2e3 * bounds.total),
        ],
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert other.success
    assert found.energy == pytest.approx(other.fun * scale, rel=1e-6)
    assert found.bound <= found.energy <= found.bound * (1 + 1e-8)
    more = least_energy(Q, C[:1], np.array([1.0001 * value]), bounds)
    assert more is not None
    slope = (more.energy - found.energy) / (1e-4 * value)
    assert found.price[0] == pytest.approx(slope, rel=1e-2)


def test_focal_without_a_limit_that_binds_is_the_closed_form() -> None:
    C, Q = problem(6)
    P = np.eye(9) - 1 / 9
    M = np.linalg.pinv(P @ Q @ P)
    value = 1e-4
    found = focal(C[0], Q, TOTAL, value=value, names=NAMES)
    exact = M @ C[0] * value / (C[0] @ M @ C[0])
    assert np.allclose(found.currents, exact, rtol=1e-9, atol=1e-18)
    assert found.active == ("field",)
    any_way = focal(C, Q, TOTAL, value=value, names=NAMES)
    best = np.linalg.eigvalsh(C @ M @ C.T)[-1]
    assert rms(any_way) == pytest.approx(value / best**0.5, rel=1e-9)
    assert any_way.gap < 1e-9


@pytest.mark.parametrize("number", [3, 5])
def test_focal_with_few_electrodes_is_the_best_set(number: int) -> None:
    C, Q = problem(7)
    limits = Limits(total=2e-3, each=1e-3, electrodes=number)
    value = 0.5 * max_intensity(C[0], limits, names=NAMES).value
    found = focal(C[0], Q, limits, value=value, names=NAMES, gap=1e-6)
    within = Limits(total=2e-3, each=1e-3).bounds(NAMES)
    sets = (np.array(s) for s in combinations(range(9), number))
    tried = (least_energy(Q, C[:1], np.array([value]), within, some=s) for s in sets)
    least = min(t.energy for t in tried if t is not None)
    assert rms(found) == pytest.approx(least**0.5, rel=2e-6)
    assert found.bound <= rms(found) <= found.bound * (1 + 2e-6)
    assert found.value >= value * (1 - 1e-9)
    assert "electrodes" in found.active
    stopped = focal(C[0], Q, limits, value=value, names=NAMES, nodes=1)
    assert stopped.bound <= rms(found) <= rms(stopped) * (1 + 1e-6)


def test_lcmv_with_few_electrodes_is_the_best_set() -> None:
    C, Q = problem(8)
    limits = Limits(total=2e-3, electrodes=6)
    wanted = 0.3 * C @ max_intensity(C, TOTAL, names=NAMES).currents
    found = lcmv(C, Q, limits, wanted=wanted, names=NAMES, gap=1e-6)
    assert np.allclose(found.field, wanted, rtol=1e-8)
    bounds = TOTAL.bounds(NAMES)
    sets = (np.array(s) for s in combinations(range(9), 6))
    tried = (least_energy(Q, C, wanted, bounds, some=s) for s in sets)
    least = min(t.energy for t in tried if t is not None)
    assert rms(found) == pytest.approx(least**0.5, rel=2e-6)


@pytest.mark.parametrize("limits", [EACH, Limits(total=2e-3, electrodes=4)])
def test_no_direction_is_more_focal(limits: Limits) -> None:
    C, Q = problem(9)
    value = 0.7 * max_intensity(C, limits, names=NAMES).value
    found = focal(C, Q, limits, value=value, names=NAMES)
    assert found.value >= value * (1 - 1e-9)
    assert found.bound <= rms(found)
    d = np.random.default_rng(1).normal(size=(100, 3))
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    bounds = limits.bounds(NAMES)
    within = np.array([value <= largest(u @ C, bounds)[1] for u in d])
    tried = [focal(u @ C, Q, limits, value=value, names=NAMES) for u in d[within]]
    assert min(rms(t) for t in tried) >= found.bound
    if limits is EACH:
        assert found.gap < 1e-4
        assert min(rms(t) for t in tried) >= rms(found) * (1 - 1e-4)


def test_front_rises_to_the_largest_field() -> None:
    C, Q = problem(10)
    front = pareto(C[0], Q, EACH, names=NAMES, points=8)
    assert (np.diff(front.value) > 0).all()
    assert (np.diff(front.rms, n=2) > -1e-9).all()  # convex
    top = max_intensity(C[0], EACH, names=NAMES, Q=Q)
    assert front.value[-1] == pytest.approx(top.value, rel=1e-9)
    assert front.rms[-1] == pytest.approx(rms(top), rel=1e-5)
    assert all(o.gap < 1e-6 for o in front.optima)


def test_active_limits_have_names() -> None:
    C, Q = problem(11)
    found = max_intensity(C[0], EACH, names=NAMES)
    at = [f"each: {n}" for n, x in zip(NAMES, found.currents, strict=True) if abs(x) == 0.7e-3]
    assert list(found.active) == ["total", *at]
    assert found.total == pytest.approx(2e-3)
    assert found.rms is None
    found = focal(C[0], Q, Limits(each=0.7e-3), value=0.9 * found.value, names=NAMES)
    assert found.active[0] == "field"
    assert "total" not in found.active


def test_what_the_limits_forbid_is_said_before_the_solve() -> None:
    C, Q = problem(12)
    both = Limits(total=2e-3, each=0.5e-3, electrodes=4)
    most = max_intensity(C[0], both, names=NAMES).value
    with pytest.raises(InputError, match=r"with each=0\.0005 and electrodes=4: focal"):
        focal(C[0], Q, both, value=1.05 * most, names=NAMES)
    wide = Limits(total=2e-3, each=50e-3)
    most = max_intensity(C, wide, names=NAMES).value
    with pytest.raises(InputError, match=r"with total=0\.002: focal"):
        focal(C, Q, wide, value=1.01 * most, names=NAMES)
    with pytest.raises(InputError, match=r"with total=0\.002 \(0\.\d+ of it is possible\): lcmv"):
        lcmv(C, Q, wide, wanted=C @ np.array([4e-3, *[-0.5e-3] * 8]) * 10, names=NAMES)
    few = Limits(total=2e-3, electrodes=2)
    with pytest.raises(InputError, match="with electrodes=2: lcmv"):
        lcmv(C, Q, few, wanted=(1e-3, 0, 0), names=NAMES)
    with pytest.raises(InputError, match="that some currents have"):
        lcmv([C[0], C[0], C[1]], Q, TOTAL, wanted=(1e-3, 0, 0), names=NAMES)
    with pytest.raises(InputError, match="focal: value must be > 0"):
        focal(C, Q, TOTAL, value=-1.0, names=NAMES)
    with pytest.raises(InputError, match="these make none"):
        max_intensity(np.ones(9), TOTAL, names=NAMES)
    with pytest.raises(InputError, match="these make none"):
        focal(np.ones((3, 9)), Q, TOTAL, value=0.1, names=NAMES)
    with pytest.raises(
        InputError, match=r"with total=0\.002 and each=0\.0005 and electrodes=4: focal"
    ):
        focal(C[0], Q, both, value=1e6, names=NAMES)
    with pytest.raises(InputError, match="above 0 for all currents, 7 of 8"):
        focal(C[0], np.outer(C[0], C[0]), TOTAL, value=1e-3, names=NAMES)
    with pytest.raises(InputError, match="one or more nodes"):
        focal(C[0], Q, TOTAL, value=1e-3, names=NAMES, nodes=0)
    with pytest.raises(InputError, match="one or more points"):
        pareto(C, Q, TOTAL, names=NAMES, points=0)
    with pytest.raises(InputError, match="rows of 9 electrodes"):
        max_intensity(C[:2], TOTAL, names=NAMES)
    with pytest.raises(InputError, match="symmetric"):
        focal(C, Q + np.triu(Q), TOTAL, value=1e-3, names=NAMES)
    with pytest.raises(InputError, match="matrix of 9"):
        focal(C, Q[:3], TOTAL, value=1e-3, names=NAMES)


def test_limits_that_cannot_be() -> None:
    for total, each, electrodes in (
        (-1.0, None, 4),
        (np.inf, None, 4),
        (1.0, 0.0, 4),
        (1.0, 1.0, 1),
    ):
        with pytest.raises(InputError, match="limits"):
            Limits(total=total, each=each, electrodes=electrodes)
    for wrong in ({"total": "2"}, {"each": [1, 2]}, {"total": 1.0, "electrodes": 2.5}):
        with pytest.raises(InputError, match="limits"):
            Limits(**cast(Any, wrong))
    with pytest.raises(InputError, match="some come twice"):
        Limits(total=1e-3).bounds(["Fz", "Cz", "Fz"])
    with pytest.raises(InputError, match="limit on the total"):
        Limits(electrodes=4)
    with pytest.raises(InputError, match="limit on the total"):
        Limits(each={"E1": 1e-3})
    with pytest.raises(InputError, match="limit of 'E1'"):
        Limits(total=1e-3, each={"E1": -1.0})
    with pytest.raises(InputError, match="electrodes=10"):
        Limits(total=1e-3, electrodes=10).bounds(NAMES)
    with pytest.raises(InputError, match="unknown electrode 'F9'"):
        Limits(total=1e-3, each={"F9": 1e-3}).bounds(NAMES)
    with pytest.raises(InputError, match="leaves 1 of 9"):
        Limits(total=1e-3, each=dict.fromkeys(NAMES[1:], 0.0)).bounds(NAMES)


def test_energy_is_the_mean_square_off_target(tmp_path: Path) -> None:
    head = ball(0.018)
    field = lead_field(head, tmp_path / "field.h5", tissues=["grey_matter", "skull"])
    target = region_target(head, ball_region((0, 0.01, 0.05), 0.02), split=field.split)
    montage = {"Cz": 2e-3, "T7": -0.5e-3, "Oz": -1.5e-3}
    basis = field.basis({"montage": montage})
    square = (basis.combine([2e-3]) ** 2).sum(axis=1)
    volume = np.where(basis.split_label == head.label_of("grey_matter"), basis.split_volume, 0.0)
    x = field.currents(montage)
    whole = off_target_energy(head, field)
    assert x @ whole @ x == pytest.approx(square @ volume / volume.sum(), rel=1e-9)
    off = off_target_energy(head, field, target)
    volume[target.nodes] -= target.weights * target.volume
    assert x @ off @ x == pytest.approx(square @ volume / volume.sum(), rel=1e-9)
    assert np.array_equal(off, off.T)
    with pytest.raises(InputError, match="keeps scalp"):
        off_target_energy(head, field, tissues=["scalp"])
    everything = region_target(head, ball_region((0, 0, 0), 0.2), split=field.split)
    with pytest.raises(InputError, match="it holds all"):
        off_target_energy(head, field, everything)
