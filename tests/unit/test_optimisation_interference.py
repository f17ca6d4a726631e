"""Temporal interference: bounds, assignments, pairs and local optima on small problems."""

from itertools import combinations, permutations, product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

from rheobase._errors import InputError
from rheobase.fields.interference import Carriers, envelope_along, envelope_max
from rheobase.fields.leadfield_solve import lead_field
from rheobase.fields.optimisation.energy import off_target_energy
from rheobase.fields.optimisation.interference import TIOptimum, strongest_modulation
from rheobase.fields.optimisation.interference_focal import focal_modulation
from rheobase.fields.optimisation.interference_front import (
    modulation_front,
    modulation_off,
    sampled_nodes,
)
from rheobase.fields.optimisation.interference_pairs import focal_pairs, strongest_pairs
from rheobase.fields.optimisation.limits import Limits
from rheobase.fields.optimisation.target import region_target
from rheobase.fields.optimisation.tes import focal, max_intensity
from rheobase.meshes.regions.region import ball as ball_region
from rheobase.validation.leadfield import ball

Floats = NDArray[np.float64]

NAMES = tuple("ABCDEFGH")
TOTAL = Limits(total=2e-3)
EACH = Limits(total=2e-3, each=0.8e-3)
UNEQUAL = Limits(total=2e-3, each={"A": 0.3e-3, "C": 0.0})
FEW = Limits(total=2e-3, each=0.8e-3, electrodes=5)


def problem(seed: int, m: int = 60) -> tuple[Floats, Floats]:
    """Rows of a target, (3, 8), and fields off target, (8, m, 3), V/m per A."""
    generator = np.random.default_rng(seed)
    return 100 * generator.normal(size=(3, 8)), 100 * generator.normal(size=(8, m, 3))


def assert_kept(optimum: TIOptimum, limits: Limits) -> None:
    """The currents of both carriers keep the limits together."""
    bounds = limits.bounds(NAMES)
    size = np.abs(optimum.currents).sum(axis=0)
    assert np.abs(optimum.currents.sum(axis=1)).max() < 1e-12
    assert size.sum() <= 2 * bounds.total * (1 + 1e-6)
    assert (size <= bounds.most * (1 + 1e-6) + 1e-12).all()
    assert np.count_nonzero(size) <= bounds.number


@pytest.mark.parametrize("limits", [TOTAL, EACH, UNEQUAL, FEW])
def test_the_strongest_modulation_is_the_strongest_field(limits: Limits) -> None:
    C, _ = problem(1)
    for rows in (C[:1], C):
        optimum = strongest_modulation(rows, limits, names=NAMES)
        fields = rows @ optimum.currents.T
        T = 2 * np.abs(fields).min() if len(rows) == 1 else envelope_max(fields.T[:, None]).item()
        assert optimum.value == pytest.approx(T, rel=1e-12)
        assert optimum.value == pytest.approx(
            max_intensity(rows, limits, names=NAMES).value, rel=1e-6
        )
        assert optimum.gap is not None
        assert optimum.gap < 1e-6
        assert_kept(optimum, limits)


def test_no_carriers_modulate_more_than_the_bound() -> None:
    C, _ = problem(2)
    most = strongest_modulation(C, TOTAL, names=NAMES).value
    generator = np.random.default_rng(0)
    for f in ((2000.0, 2010.0), (2000.0, 2010.0, 2020.0), (2000.0, 2010.0, 4000.0, 4010.0)):
        x = generator.normal(size=(300, len(f), 8))
        x *= generator.random(x.shape) < 0.4
        x -= x.mean(axis=2, keepdims=True)
        x *= 4e-3 / np.abs(x).sum(axis=(1, 2), keepdims=True)
        E = np.einsum("in,skn->ksi", C, x)
        assert (envelope_max(E, Carriers(frequencies=f)) <= most).all()


def apart(c: Floats, limits: Limits) -> float:
    """The largest modulation over all assignments of electrodes to carriers, each a programme."""
    n, best = len(c), 0.0
    bounds = limits.bounds(NAMES[:n])
    for owner in product((0, 1, 2), repeat=n):
        o = np.array(owner)
        if not o.any() or o[o > 0][0] == 2:
            continue  # none, or the same with the carriers exchanged
        if np.count_nonzero(o) > bounds.number or np.bincount(o, minlength=3)[1:].min() < 2:
            continue
        rows = [np.where(o == k, c, 0.0) for k in (1, 2)]
        sums = [(o == k).astype(float) for k in (1, 2)]
        found = linprog(
            np.append(np.zeros(2 * n), -1.0),
            A_ub=[
                np.r_[-rows[0], rows[0], 0.5],
                np.r_[-rows[1], rows[1], 0.5],
                np.r_[np.ones(2 * n), 0.0],
            ],
            b_ub=[0.0, 0.0, 2 * bounds.total],
            A_eq=[np.r_[sums[0], -sums[0], 0.0], np.r_[sums[1], -sums[1], 0.0]],
            b_eq=[0.0, 0.0],
            bounds=[(0, b) for b in np.tile(np.where(o > 0, bounds.most, 0.0), 2)] + [(0, None)],
        )
        assert found.fun is not None
        best = max(best, -found.fun)
    return best


@pytest.mark.parametrize("limits", [EACH, Limits(total=2e-3, each={"A": 0.3e-3}, electrodes=5)])
def test_carriers_of_different_electrodes(limits: Limits) -> None:
    C = problem(3)[0][:, :6]
    names = NAMES[:6]
    optimum = strongest_modulation(C[:1], limits, names=names, shared=False)
    assert not np.logical_and(*(optimum.currents != 0)).any()
    assert optimum.value == pytest.approx(apart(C[0], limits), rel=1e-6)
    anywhere = strongest_modulation(C, limits, names=names, shared=False)
    assert optimum.value <= anywhere.value * (1 + 1e-6)
    assert anywhere.bound is not None
    assert anywhere.value <= anywhere.bound


def test_the_total_alone_in_closed_form() -> None:
    c = problem(4)[0][:1]
    a = np.sort(c[0])
    p, q = a[-1] - a[1], a[-2] - a[0]  # the fairer way to pair the two largest and smallest
    most = 2 * 2e-3 * p * q / (p + q)
    optimum = strongest_modulation(c, TOTAL, names=NAMES, shared=False)
    assert optimum.value == pytest.approx(most, rel=1e-6)
    assert strongest_pairs(c, TOTAL, names=NAMES).value == pytest.approx(most, rel=1e-12)
    assert [len(side) for side in optimum.pairs()] == [1, 1]


def test_pairs_against_all_of_them() -> None:
    C, E = problem(5)
    c, bounds = C[0], UNEQUAL.bounds(NAMES)
    value, strongest, least = 0.1, 0.0, np.inf
    for four in combinations(range(8), 4):
        for i, j, k, l in permutations(four):  # noqa: E741
            p, q = c[i] - c[j], c[k] - c[l]
            if p <= 0 or q <= 0:
                continue
            m1, m2 = min(bounds.most[[i, j]]), min(bounds.most[[k, l]])
            x = np.linspace(0, min(m1, bounds.total), 2001)
            T = 2 * np.minimum(x * p, np.minimum(bounds.total - x, m2) * q)
            strongest = max(strongest, T.max())
            x1, x2 = value / (2 * p), value / (2 * q)
            if x1 <= m1 and x2 <= m2 and x1 + x2 <= bounds.total:
                T = envelope_max([x1 * (E[i] - E[j]), x2 * (E[k] - E[l])])
                least = min(least, float(np.sqrt((T**2).mean())))
    assert strongest_pairs(c, UNEQUAL, names=NAMES).value == pytest.approx(strongest, rel=1e-3)
    optimum = focal_pairs(c, E, np.ones(60), UNEQUAL, value=value, names=NAMES)
    assert optimum.rms == pytest.approx(least, rel=1e-5)
    assert optimum.value == pytest.approx(value)
    assert_kept(optimum, UNEQUAL)
    top = strongest_pairs(c, UNEQUAL, names=NAMES).value
    assert focal_pairs(c, E, np.ones(60), UNEQUAL, value=top, names=NAMES).rms is not None


@pytest.mark.parametrize("limits", [EACH, UNEQUAL, FEW])
@pytest.mark.parametrize("rows", [1, 3])
def test_focal_modulation(limits: Limits, rows: int) -> None:
    C, E = problem(6)
    v = np.random.default_rng(0).random(60)
    value = 0.6 * max_intensity(C[:rows], limits, names=NAMES).value
    found = focal_modulation(C[:rows], E, v, limits, value=value, names=NAMES, starts=4)
    x = found.optimum.currents
    T = envelope_max(np.einsum("kn,nmi->kmi", x, E))
    assert found.optimum.rms == pytest.approx(np.sqrt((v * T**2).sum() / v.sum()), rel=1e-9)
    if rows == 1:
        along = 2 * np.abs(C[:1] @ x.T).min()
        assert along == pytest.approx(found.optimum.value, rel=1e-9)
    else:
        assert envelope_max((C @ x.T).T[:, None]).item() == pytest.approx(found.optimum.value)
    assert found.optimum.value >= value * (1 - 1e-5)
    assert_kept(found.optimum, limits)
    assert found.agreeing >= 1


def test_focal_modulation_is_a_local_optimum_and_beats_one_waveform() -> None:
    C, E = problem(7)
    flat = E.reshape(8, -1)
    value = 0.5 * max_intensity(C[:1], EACH, names=NAMES).value
    single = focal(C[:1], flat @ flat.T / 60, EACH, value=value, names=NAMES)
    found = focal_modulation(
        C[:1], E, np.ones(60), EACH, value=value, names=NAMES, montage=single.currents
    )
    assert found.single == pytest.approx(single.rms, rel=1e-9)
    assert found.optimum.rms is not None
    assert single.rms is not None
    assert found.optimum.rms < single.rms
    generator = np.random.default_rng(1)
    x, bounds = found.optimum.currents, EACH.bounds(NAMES)
    for size in (1e-5, 1e-4):
        for _ in range(300):
            y = x + size * generator.normal(size=x.shape)
            y -= y.mean(axis=1, keepdims=True)
            total = np.abs(y).sum(axis=0)
            y *= min(1.0, 2 * bounds.total / total.sum(), (bounds.most / total).min())
            y *= max(1.0, value / (2 * np.abs(C[:1] @ y.T).min()))
            total = np.abs(y).sum(axis=0)
            if total.sum() > 2 * bounds.total or (total > bounds.most).any():
                continue
            T = envelope_max(np.einsum("kn,nmi->kmi", y, E))
            assert np.sqrt((T**2).mean()) >= found.optimum.rms * (1 - 3e-3)


def test_fronts() -> None:
    C, E = problem(8)
    front = modulation_front(C[:1], E, np.ones(60), EACH, names=NAMES, points=3, starts=2)
    assert (front.rms <= front.single.rms * (1 + 1e-6)).all()
    assert front.value == pytest.approx(front.single.value, rel=1e-5)
    assert np.isnan(front.pairs_rms).tolist() == [p is None for p in front.pairs]
    assert not np.isnan(front.pairs_rms[0])
    for optimum in front.optima:
        assert_kept(optimum, EACH)


def test_few_electrodes_near_the_largest_modulation() -> None:
    C, E = problem(9)
    four = Limits(total=2e-3, each=0.8e-3, electrodes=4)
    value = 0.98 * strongest_modulation(C[:1], four, names=NAMES).value
    found = focal_modulation(C[:1], E, np.ones(60), four, value=value, names=NAMES, starts=1)
    assert found.optimum.value >= value * (1 - 1e-5)
    assert_kept(found.optimum, four)


def test_bad_input() -> None:
    C, E = problem(10)
    v = np.ones(60)
    with pytest.raises(InputError, match="one or three finite rows"):
        strongest_modulation(C[:2], TOTAL, names=NAMES)
    with pytest.raises(InputError, match="four or more electrodes"):
        strongest_modulation(C[:1], Limits(total=1e-3, electrodes=3), names=NAMES, shared=False)
    with pytest.raises(InputError, match="make a field"):
        strongest_modulation(np.ones((1, 8)), TOTAL, names=NAMES)
    with pytest.raises(InputError, match="without a common electrode"):
        strongest_modulation(np.eye(1, 8), TOTAL, names=NAMES, shared=False)
    with pytest.raises(InputError, match="is the most"):
        focal_modulation(C[:1], E, v, TOTAL, value=10.0, names=NAMES)
    with pytest.raises(InputError, match="is the most"):
        focal_pairs(C[:1], E, v, TOTAL, value=10.0, names=NAMES)
    with pytest.raises(InputError, match="with a direction"):
        focal_pairs(C, E, v, TOTAL, value=0.1, names=NAMES)
    with pytest.raises(InputError, match="a volume for each"):
        focal_modulation(C[:1], E, v[:5], TOTAL, value=0.1, names=NAMES)
    with pytest.raises(InputError, match="one or more starts"):
        focal_modulation(C[:1], E, v, TOTAL, value=0.1, names=NAMES, starts=0)
    with pytest.raises(InputError, match="keeps the limits"):
        focal_modulation(C[:1], E, v, TOTAL, value=0.1, names=NAMES, montage=np.ones(8))
    with pytest.raises(InputError, match="or more in the target"):
        focal_modulation(C[:1], E, v, TOTAL, value=0.1, names=NAMES, montage=np.zeros(8))


def test_the_envelope_along_a_direction_is_that_of_the_optimum() -> None:
    C, _ = problem(11)
    d = np.array([0.6, 0.0, 0.8])
    optimum = strongest_modulation(d[None] @ C, EACH, names=NAMES)
    E = (C @ optimum.currents.T).T[:, None]
    assert envelope_along(E, d).item() == pytest.approx(optimum.value, rel=1e-12)


def test_nodes_off_target_stand_for_its_volume(tmp_path: Path) -> None:
    head = ball(0.018)
    field = lead_field(head, tmp_path / "field.h5", tissues=["grey_matter"])
    target = region_target(head, ball_region((0, 0.01, 0.05), 0.02), split=field.split)
    x = np.stack(
        [field.currents({"Cz": 1e-3, "T7": -1e-3}), field.currents({"Cz": 1e-3, "Oz": -1e-3})]
    )
    T, volumes = modulation_off(head, field, x, target)
    E, drawn = sampled_nodes(head, field, target, count=4000)
    assert drawn.sum() == pytest.approx(volumes.sum(), rel=1e-12)
    some = envelope_max(np.tensordot(x, E, axes=1))
    mean = T**2 @ volumes / volumes.sum()
    assert some**2 @ drawn / drawn.sum() == pytest.approx(mean, rel=0.02)
    half = np.stack([x.sum(axis=0)] * 2) / 2  # one waveform: its field is the modulation
    T, volumes = modulation_off(head, field, half, target)
    Q = off_target_energy(head, field, target)
    assert T**2 @ volumes / volumes.sum() == pytest.approx(2 * half[0] @ Q @ (2 * half[0]))
    with pytest.raises(InputError, match="one or more nodes"):
        sampled_nodes(head, field, target, count=0)
