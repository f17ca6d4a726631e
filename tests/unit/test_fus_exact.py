"""Exact acoustic fields: known numbers, each method against the other, limits, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from rheobase._errors import InputError
from rheobase.validation.acoustic_closed_forms import (
    Layer,
    bowl_on_axis,
    disc_on_axis,
    plane_wave,
    point_source,
)
from rheobase.validation.acoustic_layers import LayeredField, Rings, bowl_rings, disc_rings

F, U = 500e3, 0.04
DB = 100 * np.log(10) / 20  # Np/m of 1 dB/cm
WATER, LOSSY = Layer(1500.0, 1000.0), Layer(1500.0, 1000.0, DB)
BONE, MARROW = Layer(2800.0, 1850.0, 4 * DB), Layer(2300.0, 1700.0, 8 * DB)
SKIN, BRAIN = Layer(1610.0, 1090.0, 0.2 * DB), Layer(1560.0, 1040.0, 0.3 * DB)
PLATE = ([WATER, BONE, WATER], [0.030, 0.0365])
HEAD = ([WATER, SKIN, BONE, MARROW, BONE, BRAIN], [0.026, 0.030, 0.0315, 0.0355, 0.0365])
BOWL, DISC = bowl_rings(0.064, 0.064), disc_rings(0.010)


def field(
    layers: list[Layer], faces: list[float], rings: Rings, density: float = 1
) -> LayeredField:
    return LayeredField(layers, faces, rings, velocity=U, frequency=F, density=density)


# O'Neil's formula at (mm: kPa), and its peak
ONEIL = {
    0.0: ({10: 125.463, 30: 110.787, 63: 1089.721, 64: 1077.4876, 120: 123.498}, 61.932, 1094.411),
    DB: ({10: 99.518, 30: 75.053, 63: 527.208, 64: 515.726, 120: 31.7675}, 60.659, 539.313),
}


@pytest.mark.parametrize("attenuation", ONEIL)
def test_bowl_on_axis_is_oneil(attenuation: float) -> None:
    known, place, peak = ONEIL[attenuation]
    k = Layer(1500.0, 1000.0, attenuation).wavenumber(F)

    def pressure(z: float) -> float:
        return float(abs(bowl_on_axis(z, radius=0.064, aperture=0.064, pressure=60e3, k=k)))

    assert [pressure(1e-3 * z) / 1e3 for z in known] == pytest.approx(
        list(known.values()), rel=5e-6
    )
    best = minimize_scalar(
        lambda z: -pressure(z), bounds=(0.055, 0.066), method="bounded", options={"xatol": 1e-9}
    )
    assert best.x == pytest.approx(1e-3 * place, abs=1e-6)
    assert -best.fun / 1e3 == pytest.approx(peak, rel=1e-6)
    height = 0.064 - np.sqrt(0.064**2 - 0.032**2)
    assert pressure(0.064) == pytest.approx(
        60e3 * abs(k) * height * np.exp(-attenuation * 0.064), rel=1e-12
    )


@pytest.mark.parametrize("water", [WATER, LOSSY])
def test_layered_field_on_axis_is_the_closed_form(water: Layer) -> None:
    z = np.concatenate([[-0.01, -0.004], np.linspace(0.0015, 0.12, 60)])
    p, k = water.source_pressure(U, F), water.wavenumber(F)
    found = field([water], [], BOWL).sample(0.0, z[2:])[0]
    exact = bowl_on_axis(z[2:], radius=0.064, aperture=0.064, pressure=p, k=k)
    assert abs(found - exact).max() < 1e-9 * abs(exact).max()
    found = field([water], [], DISC).sample(0.0, z)[0]
    exact = disc_on_axis(abs(z), radius=0.010, pressure=p, k=k)
    assert abs(found - exact).max() < 1e-9 * abs(exact).max()


def test_small_ring_is_a_point_source_anywhere() -> None:
    point = Rings(np.zeros(1), np.zeros(1), np.full(1, 1e-6))
    r, z = np.linspace(0.001, 0.03, 7), np.array([-0.02, 0.0, 0.001, 0.0021, 0.03])
    found = field([LOSSY], [], point).sample(r, z)
    exact = point_source(np.hypot(r[:, None], z), flow=2 * U * 1e-6, layer=LOSSY, frequency=F)
    assert abs(found / exact - 1).max() < 1e-8


@pytest.mark.parametrize(
    ("case", "peak", "place"), [(PLATE, 420.538, 55.52), (HEAD, 313.808, 57.08)]
)
def test_benchmark_peaks(case: tuple[list[Layer], list[float]], peak: float, place: float) -> None:
    z = 1e-3 * (place + np.linspace(-1, 1, 401))
    found = abs(field(*case, BOWL).sample(0.0, z)[0])
    assert found.max() / 1e3 == pytest.approx(peak, abs=1e-3)
    assert 1e3 * z[found.argmax()] == pytest.approx(place, abs=0.01)


@pytest.mark.parametrize("rings", [BOWL, DISC])
def test_wavenumbers_are_enough(rings: Rings) -> None:
    r, z = np.linspace(0, 0.035, 4), np.linspace(0.0105, 0.12, 40)
    P, finer = (field(*HEAD, rings, density).sample(r, z) for density in (1, 1.7))
    assert abs(P - finer).max() < 1e-9 * abs(finer).max()
    more = bowl_rings(0.064, 0.064, 500) if rings is BOWL else disc_rings(0.010, count=500)
    assert abs(P - field(*HEAD, more).sample(r, z)).max() < 1e-9 * abs(finer).max()


def test_pressure_and_flow_pass_the_faces() -> None:
    layers, faces = HEAD
    r, step = np.linspace(0, 0.02, 5), 1e-5
    at = np.array(faces)[:, None] + step * np.array([-3, -2, -1, 1, 2, 3])
    P = field(layers, faces, BOWL).sample(r, at.ravel()).reshape(5, 5, 6)
    before = P[..., :3] @ [1, -3, 3]  # extrapolated to the face from either side
    after = P[..., 3:] @ [3, -3, 1]
    assert abs(before - after).max() < 1e-5 * abs(P).max()
    density = np.array([x.density for x in layers])
    flow = [P[..., :3] @ [1.5, -4, 2.5] / density[:-1], P[..., 3:] @ [-2.5, 4, -1.5] / density[1:]]
    assert abs(flow[0] - flow[1]).max() < 3e-4 * abs(flow[0]).max()


def test_two_equal_fluids_are_one() -> None:
    r, z = np.linspace(0, 0.02, 5), np.linspace(0.012, 0.08, 9)
    split = field([LOSSY, LOSSY, LOSSY], [0.03, 0.04], BOWL).sample(r, z)
    whole = field([LOSSY], [], BOWL).sample(r, z)
    assert abs(split - whole).max() < 1e-9 * abs(whole).max()


def test_plane_wave_is_fabry_perot() -> None:
    d = np.linspace(0.5e-3, 8e-3, 12)
    k, Z, Z0 = BONE.wavenumber(F), 2 * np.pi * F * 1850 / BONE.wavenumber(F), 1.5e6
    r = (Z - Z0) / (Z + Z0)
    exact = (1 - r**2) * np.exp(-1j * k * d) / (1 - r**2 * np.exp(-2j * k * d))
    found = [plane_wave([WATER, BONE, WATER], [x], F)[1] for x in d]
    assert np.array(found) == pytest.approx(exact, rel=1e-12)
    lossless = BONE._replace(attenuation=0.0)
    kappa = np.linspace(0, 1000, 9)
    back, through = plane_wave([WATER, lossless, WATER], [6.5e-3], F, kappa)
    assert abs(back) ** 2 + abs(through) ** 2 == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("faces", [[0.03], [0.04, 0.03], [0.002, 0.03]])
def test_faces_must_rise_beyond_the_source(faces: list[float]) -> None:
    with pytest.raises(InputError, match="face"):
        field([WATER, BONE, WATER], faces, BOWL)
