"""Heat: deposits, balances, baselines, dose and bad input."""

from __future__ import annotations

from dataclasses import replace
from math import cosh, inf, sinh, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.heat.bioheat import Bioheat, Surroundings
from rheobase.fields.heat.deposit import deposit
from rheobase.fields.heat.dose import cem43
from rheobase.fields.heat.phases import Phase
from rheobase.fields.heat.properties import Thermal
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.region import region
from rheobase.meshes.tissues import Tissue, tissue
from rheobase.validation.heat import dose, project, uniform

MINUTE = [Phase(start=0.0, end=20.0, power=1.0), Phase(start=30.0, end=35.0, power=0.5)]
TISSUES: dict[int, Tissue | Thermal] = {2: tissue("grey_matter"), 5: tissue("scalp")}


@pytest.fixture(scope="module")
def ball() -> TetMesh:
    return mesh_spheres((0.016, 0.02), (2, 5), 2.5e-3)


@pytest.fixture(scope="module")
def load(ball: TetMesh) -> NDArray[np.float64]:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(5000, 3)) * 2e-3 + [0, 0, 0.013]
    return deposit(ball, points, np.full(5000, 1e-5)).load


def test_checks_of_the_literature_hold() -> None:
    for row in uniform() + dose():
        assert row.passed, row


def test_dose_is_exact_for_linear_pieces() -> None:
    t = np.array([0.0, 30.0, 70.0, 100.0])
    T = np.array([[37.0, 45.0], [44.0, 45.0], [44.0, 41.0], [39.0, 43.0]])
    fine = np.linspace(0, 100, 200_001)
    for k in range(2):
        at = np.interp(fine, t, T[:, k])
        rate = np.where(at >= 43, 0.5, 0.25) ** (43 - at) / 60
        assert cem43(t, T)[k] == pytest.approx(np.trapezoid(rate, fine), rel=1e-6)


def test_deposits_lose_nothing(ball: TetMesh) -> None:
    points = np.array([[0, 0, 0], [1e-3, 2e-3, 3e-3], [0, 0, 0.0199], [0, 0, 0.05], [0, 0, 0.06]])
    found = deposit(ball, points, [1.0, 2.0, 3.0, 4.0, 0.0])
    assert found.load.sum() == pytest.approx(found.inside) == pytest.approx(6.0)
    assert (found.outside, found.n_outside) == (4.0, 1)
    assert found.load @ ball.nodes == pytest.approx(
        np.array([1.0, 2.0, 3.0]) @ points[:3], abs=1e-12
    )


@pytest.mark.parametrize("transfer", [0.0, 80.0, inf])
def test_heat_is_accounted_for(ball: TetMesh, load: NDArray[np.float64], transfer: float) -> None:
    outside = Surroundings(temperature=20.0, transfer=transfer) if transfer else None
    part = region(ball, [-0.012, -1, -1], [1, 1, 1])
    keep = part.nodes
    heating = Bioheat(part, TISSUES, surroundings=outside).heat(load[keep], MINUTE, cooling=30)
    energy = heating.energy
    assert energy.deposited == pytest.approx(load[keep].sum() * 22.5, rel=1e-9)
    assert abs(energy.imbalance) < 1e-6
    assert energy.perfused > 0.1 * energy.deposited
    assert (energy.skin > 0) == (transfer == 80.0)
    assert energy.held > 0
    assert 0 < energy.cut <= energy.held
    assert (energy.cut < 0.1 * energy.held) == (transfer == inf)  # there the skin takes most of it
    assert heating.times[-1] == pytest.approx(65.0)
    assert (heating.peak_rise >= heating.final_rise).all()


def test_heat_is_linear_in_power(ball: TetMesh, load: NDArray[np.float64]) -> None:
    model = Bioheat(ball, TISSUES)
    probe = [[0.0, 0.0, 0.013]]
    once = model.heat(load, MINUTE, probes=probe)
    twice = model.heat(2 * load, MINUTE, probes=probe)
    assert twice.probe_rise == pytest.approx(2 * once.probe_rise, rel=1e-6, abs=1e-12)
    assert 2 * once.fastest_rise == pytest.approx(twice.fastest_rise)
    tissues = once.by_tissue()
    assert set(tissues) == {"grey_matter", "scalp"}
    grey = tissues["grey_matter"]
    assert grey.peak_rise == pytest.approx(once.peak_rise.max())
    assert grey.peak_temperature == pytest.approx(37 + grey.peak_rise)
    assert np.linalg.norm(np.array(grey.peak_rise_at) - probe[0]) < 3e-3
    assert grey.cem43 == pytest.approx(once.cem43.max())
    assert once.as_dict()["steps"] == len(once.times) - 1


@pytest.mark.parametrize("transfer", [inf, 300.0])
def test_baseline_beside_water_is_that_of_a_perfused_sphere(transfer: float) -> None:
    a, w, k = 0.02, 4e4, 0.5
    ball = mesh_spheres((a,), (2,), 1.6e-3)
    brain = Thermal(heat_capacity=3.8e6, conductivity=k, cooling=w)
    model = Bioheat(
        ball, {2: brain}, surroundings=Surroundings(temperature=15.0, transfer=transfer)
    )
    m = sqrt(w / k)
    r = np.maximum(np.linalg.norm(ball.nodes, axis=1), 1e-9)
    slope = k * (m * cosh(m * a) / a - sinh(m * a) / a**2)
    share = 1.0 if transfer == inf else transfer * sinh(m * a) / a
    share /= 1.0 if transfer == inf else share + slope
    exact = 37 - 22 * share * (a / r) * np.sinh(m * r) / sinh(m * a)
    assert np.abs(model.baseline - exact).max() < 0.01 * 22


@pytest.mark.slow
def test_layered_sphere_agrees_with_shells() -> None:
    """Grey matter, skull and scalp heated from within beside water, against 500 shells."""
    radii, labels = (0.014, 0.017, 0.02), (2, 4, 5)
    mesh = mesh_spheres(radii, labels, 1.4e-3)
    tissues = {2: tissue("grey_matter"), 4: tissue("skull"), 5: tissue("scalp")}
    water = Surroundings(temperature=25.0, transfer=150.0)
    model = Bioheat(mesh, tissues, surroundings=water)
    # Q falls off linearly to the centre of a shell in the skull
    span, Q = 6e-3, 2e6
    r = np.linalg.norm(mesh.nodes, axis=1)

    def source(r: NDArray[np.float64]) -> NDArray[np.float64]:
        return Q * np.maximum(0.0, 1 - np.abs(r - 0.0155) / span)

    load = project(mesh, lambda x: source(np.linalg.norm(x, axis=1)))
    found = model.heat(load, [Phase(start=0, end=10, power=1.0)], step=0.5, cooling=10)

    n = 500
    edges = np.linspace(0, radii[-1], n + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    layer = np.searchsorted(radii, middle)
    C, k, w = (
        np.array([getattr(model.thermal[label], name) for label in labels])[layer]
        for name in ("heat_capacity", "conductivity", "cooling")
    )
    volume, area = np.diff(edges**3) / 3, edges**2
    half = np.diff(edges) / 2
    link = area[1:-1] / (half[1:] / k[1:] + half[:-1] / k[:-1])
    skin = area[-1] / (half[-1] / k[-1] + 1 / 150.0)
    A = np.diag(w * volume) + np.diag(np.append(link, skin)) + np.diag(np.append(0, link))
    A -= np.diag(link, 1) + np.diag(link, -1)
    before = 37 + np.linalg.solve(A, np.append(np.zeros(n - 1), skin * (25.0 - 37.0)))
    steps = 400
    implicit = np.linalg.inv(np.diag(C * volume) + 10 / steps * A)
    u, peak = np.zeros((2, n))
    for on in (1.0, 0.0):
        for _ in range(steps):
            u = implicit @ (C * volume * u + on * 10 / steps * source(middle) * volume)
            peak = np.maximum(peak, u)
    weight = np.bincount(mesh.tets.ravel(), np.repeat(mesh.volumes() / 4, 4))

    def distance(here: NDArray[np.float64], there: NDArray[np.float64]) -> float:
        difference = here - np.interp(r, middle, there)
        return float(np.sqrt(weight @ difference**2 / weight.sum()))

    assert distance(model.baseline, before) < 1e-3 * (37 - 25)
    assert distance(found.final_rise, u) < 5e-3 * u.max()
    assert distance(found.peak_rise, peak) < 8e-3 * peak.max()


def test_heat_is_that_of_density_at_body_temperature() -> None:
    # 1908 kg/m³; the acoustic density, 1850, belongs to the sound speed beside it
    assert Thermal.of(tissue("skull")).heat_capacity == pytest.approx(1908.0 * 1313.0)


def test_missing_properties_are_named(ball: TetMesh) -> None:
    bare = replace(tissue("dura"), label=5)
    with pytest.raises(InputError, match=r"missing of cartilage \(perfusion\); dura \(density, "):
        Bioheat(ball, {2: tissue("cartilage"), 5: bare})
    with pytest.raises(InputError, match="no tissue for mesh label 5"):
        Bioheat(ball, {2: tissue("grey_matter")})
    with pytest.raises(InputError, match="conductivity must be > 0"):
        Thermal(heat_capacity=1.0, conductivity=0.0, cooling=0.0)
    with pytest.raises(InputError, match="transfer must be > 0"):
        Surroundings(temperature=20.0, transfer=0.0)
    with pytest.raises(InputError, match="temperature must be finite"):
        Surroundings(temperature=float("nan"))
    with pytest.raises(InputError, match="blood_temperature"):
        Bioheat(ball, TISSUES, blood_temperature=float("nan"))


def test_bad_deposits_are_refused(ball: TetMesh) -> None:
    for power in ([-1.0], [float("nan")], [1.0, 2.0]):
        with pytest.raises(InputError, match="power"):
            deposit(ball, [[0, 0, 0]], power)


def test_bad_heating_is_refused(ball: TetMesh, load: NDArray[np.float64]) -> None:
    model = Bioheat(ball, TISSUES)
    with pytest.raises(InputError, match="load must be finite and >= 0"):
        model.heat(-load, MINUTE)
    with pytest.raises(InputError, match="a load for each"):
        model.heat(load[1:], MINUTE)
    for step, cooling in ((0.0, 1.0), (float("nan"), 1.0), (1.0, -1.0)):
        with pytest.raises(InputError, match="must be"):
            model.heat(load, MINUTE, step=step, cooling=cooling)
    with pytest.raises(InputError, match="too many"):
        model.heat(load, MINUTE, step=1e-6)
    with pytest.raises(InputError, match="one after the other"):
        model.heat(load, MINUTE[::-1])
    with pytest.raises(InputError, match="at least one phase"):
        model.heat(load, [])
    with pytest.raises(InputError, match="probes in the mesh"):
        model.heat(load, MINUTE, probes=[[0, 0, 1.0]])
    with pytest.raises(InputError, match="times must rise"):
        cem43([0, 0], [40, 40])
    with pytest.raises(InputError, match="temperature must be finite"):
        cem43([0, 1], [40, float("nan")])
