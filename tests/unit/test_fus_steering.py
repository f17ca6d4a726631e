"""Steering by path lengths, phase conjugation, steering maps."""

from math import pi

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.acoustics.media import Fluid
from rheobase.fields.acoustics.plane import plane_source
from rheobase.fields.acoustics.rayleigh import (
    back_propagate,
    normal_velocity,
    pressure,
    unit_responses,
)
from rheobase.fields.acoustics.steering import (
    Conjugation,
    delays,
    focus_at,
    steering_map,
    transfers,
)
from rheobase.fields.acoustics.transducers.arrays import spherical_array
from rheobase.fields.acoustics.transducers.transducer import annular_array
from rheobase.validation.acoustic_closed_forms import Layer, point_source

FREQUENCY = 500e3
WATER = Fluid(name="water", sound_speed=1500.0, density=1000.0)
LOSSY = Fluid(name="lossy water", sound_speed=1500.0, density=1000.0, attenuation=10.0)
TARGET = np.array([0.006, -0.003, 0.07])
ARRAY = spherical_array(
    64, curvature_radius=0.075, aperture=0.07, element_diameter=0.006, frequency=FREQUENCY
)


def from_target(points: np.ndarray, fluid: Fluid) -> np.ndarray:
    r = np.linalg.norm(points - TARGET, axis=1)
    return point_source(r, flow=2e-6, layer=Layer(*fluid.at(FREQUENCY)), frequency=FREQUENCY)


@pytest.mark.parametrize("fluid", [WATER, LOSSY])
def test_reciprocity_gives_the_transfers(fluid: Fluid) -> None:
    source = ARRAY.source(velocity=1.0, fluid=fluid)
    there = unit_responses(source, TARGET[None], frequency=FREQUENCY, fluid=fluid)[:, 0]
    back = transfers(source, from_target(source.points, fluid), flow=2e-6)
    assert np.abs(back / there - 1).max() < 1e-9


def test_conjugation_is_steering_in_water() -> None:
    small = spherical_array(
        64, curvature_radius=0.075, aperture=0.07, element_diameter=2e-4, frequency=FREQUENCY
    )
    for array, most in ((small, 1e-6), (ARRAY, 1e-3)):
        source = array.source(velocity=1.0, fluid=WATER)
        conjugation = Conjugation(transfers(source, from_target(source.points, WATER), flow=2e-6))
        turn = conjugation.drive() / focus_at(array, TARGET, fluid=WATER)
        turn /= np.exp(1j * np.angle(turn.mean()))
        assert np.abs(np.angle(turn)).max() < most
        assert conjugation.share(focus_at(array, TARGET, fluid=WATER)) > 1 - most**2
    P = pressure(
        ARRAY.source(velocity=conjugation.drive(0.1), fluid=WATER),
        TARGET,
        frequency=FREQUENCY,
        fluid=WATER,
    )[0]
    assert abs(P / (0.1 * conjugation.gain) - 1) < 1e-9  # real: phase 0 at the target


def test_conjugation_undoes_a_phase_screen() -> None:
    source = ARRAY.source(velocity=1.0, fluid=WATER)
    screen = np.exp(2j * pi * np.random.default_rng(3).random(64)) * np.linspace(0.3, 0.9, 64)
    conjugation = Conjugation(
        transfers(source, screen[source.element] * from_target(source.points, WATER), flow=2e-6)
    )
    through = screen * unit_responses(source, TARGET[None], frequency=FREQUENCY, fluid=WATER)[:, 0]
    assert abs(conjugation.drive() @ through) == pytest.approx(conjugation.gain, rel=1e-9)
    assert abs(conjugation.at_target(focus_at(ARRAY, TARGET, fluid=WATER))) < 0.4 * conjugation.gain
    assert conjugation.share(conjugation.drive()) == pytest.approx(1.0)


def test_delays_and_apodisation() -> None:
    late = delays(ARRAY, ARRAY.focus, fluid=WATER)
    assert np.ptp(late) < 1e-12  # elements of a sphere are all as far from its centre
    rings = annular_array(
        inner=[0, 0.02], outer=[0.019, 0.03], curvature_radius=0.05, frequency=FREQUENCY
    )
    assert delays(rings, [0, 0, 0.04], fluid=WATER)[0] > 0.0
    assert delays(rings, [0, 0, 0.06], fluid=WATER)[1] > 0.0
    weak = np.linspace(0, 1, 64)
    assert np.abs(focus_at(ARRAY, TARGET, apodisation=weak)) == pytest.approx(weak)


def test_steering_map_by_algebra() -> None:
    side = np.linspace(-0.012, 0.012, 25)
    points = np.array([[x, 0.0, z] for x in side for z in 0.075 + side])
    source = ARRAY.source(velocity=1.0, fluid=WATER)
    responses = unit_responses(source, points, frequency=FREQUENCY, fluid=WATER)
    targets = np.array([[x, 0.0, 0.075] for x in (0.0, 0.004, 0.012)])
    steered = steering_map(points, responses, targets, velocity=0.05)
    assert steered.gain[0] == 1.0
    assert steered.gain[0] > steered.gain[1] > steered.gain[2] > 0.5
    assert (steered.peak >= steered.pressure).all()
    off = steered.position - targets  # foci lie a little nearer to the array
    assert np.abs(off[:, :2]).max() < 1.1e-3
    assert ((off[:, 2] > -0.006) & (off[:, 2] < 0)).all()
    assert steered.off_target == pytest.approx(np.linalg.norm(off, axis=1))
    direct = pressure(
        ARRAY.source(velocity=0.05 * focus_at(ARRAY, targets[1], fluid=WATER), fluid=WATER),
        targets[1],
        frequency=FREQUENCY,
        fluid=WATER,
    )
    assert steered.pressure[1] == pytest.approx(abs(direct[0]), rel=1e-3)
    with pytest.raises(InputError, match="targets among the points"):
        steering_map(points, responses, [[0.1, 0, 0]])
    with pytest.raises(InputError, match=r"targets of shape \(m, 3\)"):
        steering_map(points, responses, np.empty((0, 3)))
    with pytest.raises(InputError, match="must be finite"):
        steering_map(points, np.where(points[:, 0] > 0, np.nan, responses), targets)


def test_bad_steering() -> None:
    with pytest.raises(InputError, match="ahead of every element"):
        focus_at(ARRAY, [0.05, 0, 0.0])
    with pytest.raises(InputError, match="three finite coordinates"):
        delays(ARRAY, [0, np.nan, 0.05])
    with pytest.raises(InputError, match="amplitudes >= 0"):
        focus_at(ARRAY, TARGET, apodisation=-1.0)
    source = ARRAY.source(velocity=1.0)
    with pytest.raises(InputError, match="other than 0"):
        transfers(source, np.ones(len(source.area)), flow=0.0)
    with pytest.raises(InputError, match="finite pressure"):
        transfers(source, np.full(len(source.area), np.nan), flow=1.0)
    with pytest.raises(InputError, match="no element reaches"):
        Conjugation(np.zeros(4, complex))


def test_plane_and_back_propagation_are_adjoint() -> None:
    """A screen on a plane: the way to the target and the way back give the same transfers."""
    few = spherical_array(
        7, curvature_radius=0.05, aperture=0.03, element_diameter=0.006, frequency=FREQUENCY
    )
    source = few.source(velocity=1.0, fluid=LOSSY)
    plane = plane_source(source, 0.015, half_width=0.02, frequency=FREQUENCY, fluid=LOSSY).source
    screen = np.exp(2j * np.cos(300 * plane.points[:, 0]) * np.sin(200 * plane.points[:, 1]))
    target = np.array([0.002, 0.001, 0.045])
    there = []
    for e in range(7):
        one = source.driven(np.eye(7)[e])
        u = normal_velocity(one, plane.points, plane.normal, frequency=FREQUENCY, fluid=LOSSY)
        there.append(
            pressure(plane.driven(u * screen), target, frequency=FREQUENCY, fluid=LOSSY)[0]
        )
    r = np.linalg.norm(plane.points - target, axis=1)
    p = point_source(r, flow=1e-6, layer=Layer(*LOSSY.at(FREQUENCY)), frequency=FREQUENCY)
    back = back_propagate(plane, p * screen, source.points, frequency=FREQUENCY, fluid=LOSSY)
    conjugation = Conjugation(transfers(source, back, flow=1e-6))
    assert np.abs(conjugation.transfer / there - 1).max() < 1e-9
    gains = [abs(u @ there) for u in (conjugation.drive(), focus_at(few, target, fluid=LOSSY))]
    assert gains[0] == pytest.approx(conjugation.gain, rel=1e-9)
    assert gains[1] < 0.9 * gains[0]
