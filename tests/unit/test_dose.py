"""Individual dose: of itself, of scaled heads, by threshold and recruitment; cortical thickness."""

from dataclasses import replace

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.basis import FieldBasis
from rheobase.fields.coils.coil import magnetic_dipole
from rheobase.fields.conduction import solve_conduction
from rheobase.fields.dose import (
    Exposure,
    distance_adjusted,
    exposure,
    motor_threshold_dose,
    same_field_dose,
)
from rheobase.fields.electrodes.electrode import place_electrode
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.induction import solve_induction
from rheobase.fields.optimisation.target import Target, region_target
from rheobase.meshes.head import Head
from rheobase.meshes.heads.slab import flat_sheet
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.placing.outlines import Disc
from rheobase.meshes.regions.region import ball as around
from rheobase.neurons.activation import thresholds
from rheobase.neurons.dose import same_recruitment_dose
from rheobase.neurons.placement import Population, place_in_slab
from rheobase.neurons.recruitment import Recruitment
from rheobase.neurons.sample import PointSource, UniformField
from rheobase.neurons.thickness import thickness_effect, with_thickness
from rheobase.validation.leadfield import ball


def pair(head: Head) -> FieldBasis:
    """1 A from C3 to C4."""
    discs = [
        place_electrode(head, n, shape=Disc(radius_mm=10), model="ideal") for n in ("C3", "C4")
    ]
    return solve_conduction(
        head, [Montage(name="pair", electrodes=tuple(discs), currents=(1e-3, -1e-3))]
    )


def dipole(head: Head) -> FieldBasis:
    """1 A/s through a dipole of 1 m² above C3."""
    return solve_induction(head, magnetic_dipole(1.2 * head.positions["C3"], [0, 0, 1.0]))


def below(head: Head, size: float) -> Target:
    return region_target(head, around(0.7 * head.positions["C3"], 0.02 * size))


def larger(head: Head, size: float, conductivity: float) -> Head:
    tissues = {
        k: t.with_value("conductivity", conductivity * t.sigma, source="test")
        for k, t in head.tissues.items()
    }
    return replace(
        head,
        mesh=TetMesh(nodes=head.mesh.nodes * size, tets=head.mesh.tets, labels=head.mesh.labels),
        positions={k: size * np.asarray(p) for k, p in head.positions.items()},
        tissues=tissues,
    )


@pytest.fixture(scope="module")
def cells() -> Population:
    counts = {"L5_pyramidal": 60, "L23_pyramidal": 60}
    return place_in_slab(species="rat", counts=counts, seed=3, radius=1e-3, clones=2)


def in_field(cells: Population, strength: float) -> Recruitment:
    """Thresholds where one ampere makes ``strength`` (V/m)."""
    return thresholds(
        cells, UniformField(E=[0.6 * strength, 0, -0.8 * strength]), waveform=200e-6, unit="A"
    )


def test_dose_in_scaled_heads_is_exact() -> None:
    head = ball(0.025)
    target = below(head, 1.0)
    one = pair(head)
    here = exposure(one, [1.0], target)
    for statistic in ("mean", 95.0):
        assert same_field_dose(here, here, amplitude=2e-3, statistic=statistic).amplitude == 2e-3
    conducting = larger(head, 1.0, 2.0)
    other = exposure(pair(conducting), [1.0], target)
    for statistic in ("mean", 50.0, 99.0):
        dose = same_field_dose(here, other, amplitude=2e-3, statistic=statistic)
        assert dose.factor == pytest.approx(2.0, rel=1e-7)  # E goes with I / sigma
        assert dose.value == pytest.approx(2e-3 * here.statistic(statistic))

    big = larger(head, 2.0, 3.0)  # a power of 2: ties in the recovery's patches fall alike
    coil = exposure(dipole(head), [1.0], target)
    far = exposure(dipole(big), [1.0], below(big, 2.0))
    for statistic in ("mean", 50.0, 99.0):  # E goes with dm/dt / L², whatever conducts
        dose = same_field_dose(coil, far, amplitude=1e6, statistic=statistic)
        assert dose.factor == pytest.approx(4.0, rel=1e-7)

    along = target.along([1.0, 0, 0])
    component = exposure(one, [1.0], along)
    assert np.abs(component.values).max() <= here.values.max()
    assert component.statistic() == pytest.approx(
        float(along.weights @ one.E[0][along.nodes, 0]), rel=1e-12
    )


def test_dose_by_motor_threshold() -> None:
    motor = Exposure(name="M1", values=np.array([1e-6]), weights=np.ones(1), unit="A/s")
    deep = Exposure(name="DLPFC", values=np.array([8e-7]), weights=np.ones(1), unit="A/s")
    dose = motor_threshold_dose(60e6, fraction=1.2, motor=motor, target=deep)
    assert dose.amplitude == pytest.approx(60e6 * 1.2 / 0.8)
    assert motor_threshold_dose(60e6, motor=motor, target=motor).amplitude == 60e6
    assert distance_adjusted(50.0, motor=0.015, target=0.015) == 50.0
    assert distance_adjusted(50.0, motor=0.015, target=0.013) == pytest.approx(44.0)


def test_dose_by_recruitment(cells: Population) -> None:
    here, weak = in_field(cells, 1.0), in_field(cells, 0.4)
    for kind in ("L5_pyramidal", None):
        chosen = here.threshold[0] if kind is None else here.threshold[0, here.type == kind]
        for amplitude in np.quantile(chosen, [0.1, 0.5, 0.8]) * 1.001:
            a = float(amplitude)
            own = same_recruitment_dose(here, here, amplitude=a, type=kind)
            assert own.amplitude == pytest.approx(a, rel=1e-12)
            assert own.interval is not None
            assert own.interval[0] <= a <= own.interval[1]
            other = same_recruitment_dose(here, weak, amplitude=a, type=kind)
            assert other.amplitude == pytest.approx(2.5 * a, rel=1e-5)  # E goes with I / sigma A
    fired = here.probability(amplitude, by=("species",)).values[0, 0, 0]
    assert own.value == pytest.approx(fired, abs=1 / len(here))
    a = 1.001 * float(np.median(here.threshold[1, here.layer == "L5"]))
    less = same_recruitment_dose(here, weak, amplitude=a, polarity="minus", layer="L5")
    assert less.held == "share of the cells that fire"


def test_interval_covers_the_truth_about_nine_times_in_ten(cells: Population) -> None:
    rng = np.random.default_rng(5)
    base = in_field(cells, 1.0)

    def drawn(scale: float) -> Recruitment:
        both = scale * np.exp(0.3 * rng.standard_normal((2, len(base))))
        return replace(base, threshold=both)

    covered = 0
    for k in range(100):
        dose = same_recruitment_dose(drawn(1.0), drawn(3.0), amplitude=1.0, seed=k)
        assert dose.interval is not None
        covered += dose.interval[0] <= 3.0 <= dose.interval[1]
    assert 80 <= covered <= 98


def test_thicker_cortex() -> None:
    sheet = flat_sheet(8e-3, 2.0e-3, 0.5e-3)
    thick = with_thickness(sheet, 1.25)
    assert thick.thickness == pytest.approx(1.25 * sheet.thickness)
    assert np.array_equal(thick.pial, sheet.pial)
    assert thick.area.sum() == pytest.approx(sheet.area.sum())
    source = PointSource(position=[*sheet.pial[:, :2].mean(axis=0), 1e-3], conductivity=0.3)
    effect = thickness_effect(
        sheet,
        source,
        factors=[1.2, 0.8, 1.0],
        waveform=200e-6,
        species="rat",
        counts={"L5_pyramidal": 60},
        seed=1,
        centre=sheet.points(0.5).mean(axis=0),
        radius=2e-3,
        clones=2,
    )
    assert effect.factors.tolist() == [0.8, 1.0, 1.2]
    assert effect.thickness == pytest.approx(2e-3)
    depth = [-r.position[:, 2].mean() for r in effect.recruitments]
    assert np.array(depth) / depth[1] == pytest.approx([0.8, 1.0, 1.2], rel=0.03)
    medians = [np.median(r.threshold[1]) for r in effect.recruitments]
    assert medians == sorted(medians)  # deeper cells are farther from the electrode
    amplitude = medians[1]
    low, middle, high, between = effect.share([0.8, 1.0, 1.2, 1.1], amplitude, polarity="minus")[
        "L5_pyramidal", "L5"
    ]
    assert low >= middle >= high
    assert between == pytest.approx((middle + high) / 2)


def test_bad_input(cells: Population) -> None:
    one = Exposure(name="a", values=np.array([0.2]), weights=np.ones(1), unit="A")
    with pytest.raises(InputError, match="expected one unit of amplitude"):
        same_field_dose(one, replace(one, unit="A/s"), amplitude=1.0)
    with pytest.raises(InputError, match="expected fields of one sign"):
        same_field_dose(one, replace(one, values=np.array([-0.1])), amplitude=1.0)
    with pytest.raises(InputError, match="an amplitude that is not 0"):
        same_field_dose(one, one, amplitude=0.0)
    with pytest.raises(InputError, match='expected "mean" or a percentile'):
        same_field_dose(one, one, amplitude=1.0, statistic="median")
    with pytest.raises(InputError, match="expected finite values"):
        replace(one, values=np.array([np.nan]))
    with pytest.raises(InputError, match="the field of a coil, per A/s"):
        motor_threshold_dose(1e6, motor=one, target=one)
    with pytest.raises(InputError, match="threshold and fraction must be > 0"):
        motor_threshold_dose(0.0, motor=one, target=one)
    with pytest.raises(InputError, match="expected distances in m"):
        distance_adjusted(50.0, motor=15.0, target=18.0)
    found = in_field(cells, 1.0)
    with pytest.raises(InputError, match=r"none of 120 do at 0\.001 A"):
        same_recruitment_dose(found, found, amplitude=1e-3)
    with pytest.raises(InputError, match="all of 120 do"):
        same_recruitment_dose(found, found, amplitude=1e6)
    with pytest.raises(InputError, match="unknown type of cells"):
        same_recruitment_dose(found, found, amplitude=1.0, type="L4_basket")
    silent = replace(found, threshold=np.full_like(found.threshold, np.inf))
    with pytest.raises(InputError, match="0 of 120 can: dose, other"):
        same_recruitment_dose(found, silent, amplitude=float(np.median(found.threshold)))
    sheet = flat_sheet(8e-3, 2.0e-3, 0.5e-3)
    with pytest.raises(InputError, match="expected one factor > 0"):
        with_thickness(sheet, -1.0)
