"""Responses over frequency: against direct solves, limits, conservation, courses in time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gamma
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array, csr_array
from scipy.sparse.linalg import splu

from rheobase._errors import InputError
from rheobase.fields.dbs.spectrum.affine import lead_affine, weights_of
from rheobase.fields.dbs.spectrum.dielectrics import Constant, Dielectric, admittivity, dielectrics
from rheobase.fields.dbs.spectrum.interface import Interface, interface, load_interfaces
from rheobase.fields.dbs.spectrum.responses import (
    SpectralResponse,
    load_spectral_points,
    spectral_responses,
)
from rheobase.fields.dbs.spectrum.series import courses
from rheobase.fields.waveforms.trains import dbs_pulse
from rheobase.meshes.dispersion import EPS_0
from rheobase.meshes.tissues import tissue

BAND = (100.0, 250e3)
TISSUES: dict[int, Dielectric] = {
    -1: Constant(sigma=0.05, eps_r=1e5),
    1: tissue("grey_matter").dispersions["4-term"],
    2: tissue("white_matter").dispersions["4-term"],
    3: tissue("csf").dispersions["4-term"],
}


SIGMA = {-1: 0.1, 1: 0.1, 2: 0.06, 3: 2.0}
"""Quasi-static conductivity (S/m): encapsulation, grey matter, white matter, CSF."""


@dataclass(frozen=True, kw_only=True)
class Slab:
    """Trilinear hexahedra; 0 V on all faces but the floor, on which the contacts lie."""

    points: NDArray[np.float64]
    contacts: tuple[str, ...]
    stiffness: dict[int, csr_array]
    surface: dict[str, csr_array]
    contact_nodes: dict[str, NDArray[np.int64]]
    grounded: NDArray[np.int64]
    sigma: dict[int, float]


def slab(cells: int = 14, *, uniform: bool = False) -> Slab:
    """Return 8 x 8 x 4 mm of four tissues, or one, on a floor with three contacts of 1.2 mm."""
    flat = np.linspace(-1, 1, cells + 1)
    x = 4e-3 * (0.6 * flat + 0.4 * flat**3)
    deep = np.linspace(0, 1, cells // 2 + 1)
    z = 4e-3 * (0.2 * deep + 0.8 * deep**2)
    shape = (len(x), len(x), len(z))
    X, Y, Z = np.meshgrid(x, x, z, indexing="ij")
    number = np.arange(X.size).reshape(shape)
    i, j, k = (g.ravel() for g in np.meshgrid(*(np.arange(n - 1) for n in shape), indexing="ij"))
    size = np.stack([np.diff(x)[i], np.diff(x)[j], np.diff(z)[k]], axis=1)
    corner = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    ids = np.stack([number[i + a, j + b, k + c] for a, b, c in corner], axis=1)
    bend, mass = np.array([[1.0, -1.0], [-1.0, 1.0]]), np.array([[2.0, 1.0], [1.0, 2.0]]) / 6
    ke = np.zeros((len(i), 8, 8))
    for axis in range(3):
        part = np.ones((1, 1))
        scale = np.ones(len(i))
        for d in range(3):
            part = np.kron(part, bend if d == axis else mass)
            scale = scale * (1 / size[:, d] if d == axis else size[:, d])
        ke += scale[:, None, None] * part
    label = np.ones(len(i), dtype=int)
    if not uniform:
        middle = (z[k] + z[k + 1]) / 2
        side = (x[i] + x[i + 1]) / 2
        label[(side > 0.5e-3) & (middle > 0.6e-3)] = 2
        label[middle > 2.2e-3] = 3
        label[k == 0] = -1

    def gather(e: NDArray[np.float64], nodes: NDArray[np.int64]) -> csr_array:
        n = nodes.shape[1]
        rows, columns = np.repeat(nodes, n, axis=1).ravel(), np.tile(nodes, (1, n)).ravel()
        return coo_array((e.ravel(), (rows, columns)), shape=(X.size, X.size)).tocsr()

    stiffness = {int(t): gather(ke[label == t], ids[label == t]) for t in np.unique(label).tolist()}
    low = k == 0
    quad = [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0)]
    floor = np.stack([number[i + a, j + b, k + c] for a, b, c in quad], axis=1)
    surface, on = {}, {}
    for name, centre in (("1", -1.6e-3), ("2", 0.0), ("3", 1.6e-3)):
        mx, my = (x[i] + x[i + 1]) / 2, (x[j] + x[j + 1]) / 2
        chosen = low & (np.abs(mx - centre) < 0.6e-3) & (np.abs(my) < 0.6e-3)
        area = (size[chosen, 0] * size[chosen, 1])[:, None, None]
        surface[name] = gather(area * np.kron(mass, mass), floor[chosen])
        on[name] = np.unique(floor[chosen])
    edge = np.zeros(shape, dtype=bool)
    edge[[0, -1]] = edge[:, [0, -1]] = edge[:, :, -1] = True
    return Slab(
        points=np.stack([X.ravel(), Y.ravel(), Z.ravel()], axis=1),
        contacts=("1", "2", "3"),
        stiffness=stiffness,
        surface=surface,
        contact_nodes=on,
        grounded=np.flatnonzero(edge.ravel()),
        sigma={label: SIGMA[label] for label in stiffness},
    )


@pytest.fixture(scope="module")
def box() -> Slab:
    return slab(12)


@pytest.fixture(scope="module")
def found(box: Slab) -> SpectralResponse:
    return spectral_responses(box, dielectrics=TISSUES, interface=interface("day 1"), band=BAND)


def direct(
    box: Slab, laws: dict[int, Dielectric], interfaces: dict[str, Interface], f: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return potentials at all nodes and impedances by a sparse LU of the complex matrix."""
    affine = lead_affine(box, laws, interfaces)
    theta = weights_of(affine.laws, f)[0]
    columns = np.eye(affine.size)
    A = csc_array(affine.apply(theta, columns.astype(np.complex128)))
    x = splu(A).solve(columns[:, affine.metals].astype(np.complex128))
    return affine.nodes @ x, x[affine.metals]


def test_reduced_basis_is_the_direct_solution(box: Slab, found: SpectralResponse) -> None:
    interfaces = dict.fromkeys(box.contacts, interface("day 1"))
    rng = np.random.default_rng(5)
    for f in np.exp(rng.uniform(np.log(BAND[0]), np.log(BAND[1]), 10)):
        V, Z = direct(box, TISSUES, interfaces, f)
        y = found.reduced.solve(f)[0]
        assert np.abs(found.basis @ y - V).max() < 1e-5 * np.abs(V).max()
        assert np.abs(found.impedance(f)[0] - Z).max() < 1e-8 * np.abs(Z).max()


def test_impedance_is_symmetric_and_current_conserved(found: SpectralResponse) -> None:
    f = np.geomspace(*BAND, 50)
    Z = found.impedance(f)
    assert np.abs(Z - Z.transpose(0, 2, 1)).max() < 1e-12 * np.abs(Z).max()
    assert np.abs(found.reduced.grounded(f) - 1).max() < 1e-4
    assert found.effort.bound < 3e-5
    assert (np.diagonal(Z, axis1=1, axis2=2).real > 0).all()


def test_complex_tends_to_real_as_permittivity_goes(box: Slab) -> None:
    plain = spectral_responses(box, band=BAND)
    Z0 = plain.impedance(1e3)[0]
    assert np.abs(Z0.imag).max() < 1e-12 * np.abs(Z0).max()
    Z = direct(box, {}, {}, 1e3)[1]
    assert np.abs(Z - Z0).max() < 1e-9 * np.abs(Z0).max()
    step = []
    for eps in (1e4, 1e3, 1e2):
        laws = {label: Constant(sigma=s, eps_r=eps) for label, s in SIGMA.items()}
        Z = spectral_responses(box, dielectrics=laws, band=BAND).impedance(1e3)[0]
        step.append(np.abs(Z - Z0).max() / np.abs(Z0).max())
    assert step[2] < 1e-4
    assert step[1] / step[2] == pytest.approx(10, rel=0.01)
    assert step[0] / step[1] == pytest.approx(10, rel=0.1)


def test_interface_without_impedance_is_metal_on_tissue(box: Slab) -> None:
    ideal = spectral_responses(box, band=BAND).impedance(1e4)[0]
    error = []
    for k in (1e-2, 1e-3):
        thin = Interface(k=k, alpha=0.0)
        Z = spectral_responses(box, interface=thin, band=BAND).impedance(1e4)[0]
        error.append(np.abs(Z - ideal).max() / np.abs(ideal).max())
    assert error[1] < 1e-5
    assert error[0] / error[1] == pytest.approx(10, rel=0.05)


def test_thick_interface_adds_its_impedance_to_an_even_current(box: Slab) -> None:
    # an interface far above the tissue's impedance spreads the current evenly, and adds to it
    k = 1e9
    high, low = (
        spectral_responses(box, interface=Interface(k=r, alpha=0.0), band=BAND).impedance(1e3)[0]
        for r in (k, k / 2)
    )
    assert np.allclose(np.diag(high - low), k / 2, rtol=1e-9)
    off = ~np.eye(3, dtype=bool)
    assert np.allclose(high[off], low[off], rtol=1e-5)


def test_area_scales_the_interface() -> None:
    one = interface("day 1")
    given = Interface(k=one.k, alpha=one.alpha, area=6e-6)
    assert given.impedance(130.0, 3e-6) == pytest.approx(2 * one.impedance(130.0, 3e-6))
    for name, f, size in (
        ("day 1", 130.0, 7020.9),
        ("day 1", 1e3, 1372.61),
        ("day 15 and before stimulation", 1e4, 251.98),
        ("after stimulation", 130.0, 5616.72),
    ):
        Z = load_interfaces()[name].impedance(f, 6e-6)
        assert abs(Z) == pytest.approx(size, rel=1e-5)
        assert np.angle(Z, deg=True) == pytest.approx(-90 * load_interfaces()[name].alpha)


def test_a_measured_interface_scales_with_the_contact(box: Slab) -> None:
    area = {name: float(mass.sum()) for name, mass in box.surface.items()}
    whole = Interface(k=50.0, alpha=0.5)
    for measured in (area["2"], 3 * area["2"]):
        on = Interface(k=50.0, alpha=0.5, area=measured)
        same = replace(whole, k=50.0 * measured / area["2"])
        found = lead_affine(box, {}, {"2": on}).coupling[on]
        expected = lead_affine(box, {}, {"2": same}).coupling[same]
        known = same.admittance(1e3) * expected.toarray()
        assert np.allclose(on.admittance(1e3) * found.toarray(), known, rtol=1e-12)


def test_uniform_tissue_has_one_transfer(box: Slab) -> None:
    even = slab(10, uniform=True)
    law = TISSUES[1]
    r = spectral_responses(even, dielectrics={1: law}, band=BAND)
    f = np.geomspace(*BAND, 7)
    scaled = r.impedance(f) * admittivity(law, f)[:, None, None]
    assert np.abs(scaled - scaled[0]).max() < 1e-9 * np.abs(scaled).max()


def test_voltage_across_a_resistor_and_capacitor_in_parallel() -> None:
    # uniform tissue of constant sigma and eps: a step of current charges it with eps/sigma
    sigma, eps, amplitude = 0.2, 1e6, -1e-3
    law = Constant(sigma=sigma, eps_r=eps)
    r = spectral_responses(slab(10, uniform=True), dielectrics={1: law}, band=BAND)
    resistance = r.impedance(1e3)[0, 1, 1] * complex(admittivity(law, 1e3)) / sigma
    pulse = dbs_pulse(60e-6, 130.0, gap=20e-6)
    steering = r.control({2: amplitude})
    t = np.linspace(0, 400e-6, 801) + 0.13e-6
    tau = eps * EPS_0 / sigma
    exact = pulse.at(t)
    for jump, size in ((0.0, 1), (60e-6, -1), (80e-6, -1), (140e-6, 1)):
        since = np.mod(t - jump, pulse.period)
        exact -= size * np.exp(-since / tau) / (1 - np.exp(-pulse.period / tau))
    exact *= amplitude * resistance.real
    v = r.voltages(pulse, steering, t)[1]
    assert np.abs(v - exact).max() < 1e-4 * np.abs(exact).max(), "no ringing at the jumps"


def test_constant_phase_element_in_time() -> None:
    # a step of current through k/(i w)^alpha: k t^alpha / gamma(1 + alpha), over all pulses so far
    k, alpha = 1.5e6, 0.8
    pulse = dbs_pulse(60e-6, 130.0)
    jumps = {0.0: 1, 60e-6: -2, 120e-6: 1}
    t = np.linspace(0, 300e-6, 301) + 0.13e-6

    def response(f: NDArray[np.float64]) -> NDArray[np.complex128]:
        return np.asarray((k / (2j * np.pi * f) ** alpha)[:, None])

    exact = np.zeros_like(t)
    before = np.arange(3000) * pulse.period
    for jump, size in jumps.items():
        since = t[:, None] - jump + before
        exact += size * (np.maximum(since, 0.0) ** alpha).sum(axis=1)
    exact *= k / gamma(1 + alpha)
    exact -= exact.mean()  # older pulses than these 3000 still shift it
    v = courses(response, pulse, t, BAND, steady=False)[:, 0]
    assert np.abs(v - v.mean() - exact).max() < 5e-5 * np.abs(exact).max(), "at the jumps, too"


def test_resistive_lead_follows_the_pulse_exactly(box: Slab) -> None:
    r = spectral_responses(box, band=BAND)
    pulse = dbs_pulse(60e-6, 130.0, recharge="none")
    t = np.linspace(0, 1e-3, 57)
    Z = r.impedance(1e3)[0].real
    v = r.voltages(pulse, r.control({1: 1e-3}), t)
    assert np.allclose(v, 1e-3 * np.outer(Z[:, 0], pulse.at(t)), atol=1e-12)
    nodal = r.nodal(pulse, r.control({1: 1e-3}), t)
    assert nodal.shape == (len(box.points), len(t))
    assert np.abs(nodal[:, pulse.at(t) == 0]).max() < 1e-12


def test_voltage_control_holds_the_metal(found: SpectralResponse) -> None:
    pulse = dbs_pulse(60e-6, 130.0, recharge="passive")
    t = np.linspace(0, 500e-6, 101) + 1e-9
    steering = found.control(voltages={1: -1.0, 3: 0.5})
    v = found.voltages(pulse, steering, t)
    assert np.allclose(v[[0, 2]], np.outer([-1.0, 0.5], pulse.at(t)), atol=1e-11)
    flowing = found.currents(pulse, steering, t)
    assert np.abs(flowing[1]).max() < 1e-15, "contact 2 floats"
    assert flowing[0, 0] < flowing[0, 10] < 0, "the interface charges: less and less current"
    assert found.compliance(pulse, steering) == pytest.approx(1.5)
    bipolar = found.control(voltages={1: -1.0, 3: 0.0}, case=False)
    flowing = found.currents(pulse, bipolar, t)
    assert np.abs(flowing.sum(axis=0)).max() < 1e-12 * np.abs(flowing).max()


def test_current_control_gives_what_is_asked(found: SpectralResponse) -> None:
    pulse = dbs_pulse(90e-6, 130.0, recharge="asymmetric")
    t = np.linspace(0, 1e-3, 211) + 1e-9
    steering = found.control({1: -1e-3, 2: 0.4e-3})
    flowing = found.currents(pulse, steering, t)
    assert np.allclose(flowing, np.outer([-1e-3, 0.4e-3, 0], pulse.at(t)), atol=1e-15)
    v = found.voltages(pulse, steering, pulse.times(1e-6))
    highest = max(np.ptp([v[0], v[1], 0 * v[0]], axis=0))
    assert found.compliance(pulse, steering) == pytest.approx(highest)


def test_single_pulse_is_a_slow_train(found: SpectralResponse) -> None:
    t = np.linspace(0, 300e-6, 61) + 1e-9
    steering = found.control({2: -1e-3})
    one = found.voltages(dbs_pulse(rate=None), steering, t)
    slow = found.voltages(dbs_pulse(rate=100.0), steering, t)
    assert np.allclose(one, slow, rtol=1e-12)


def test_points_are_small_and_come_back(found: SpectralResponse, box: Slab, tmp_path: Path) -> None:
    pick = np.arange(7, len(box.points), 13)
    box_at = csr_array(
        (np.ones(len(pick)), (np.arange(len(pick)), pick)), shape=(len(pick), len(box.points))
    )
    object.__setattr__(box, "interpolation", lambda _points: box_at)
    points = found.at(box.points[pick])
    f = np.array([130.0, 5e4])
    V = points.transfer(f)
    assert V.shape == (2, 3, len(pick))
    whole = found.basis @ found.reduced.solve(f)
    assert np.allclose(V, whole[:, pick].transpose(0, 2, 1), atol=1e-12 * np.abs(whole).max())
    pulse, steering = dbs_pulse(), found.control({2: -3e-3})
    course = points.time_course(pulse, steering)
    assert np.allclose(course, found.nodal(pulse, steering, pulse.times(1e-6))[pick])
    points.save(tmp_path / "points.h5")
    again = load_spectral_points(tmp_path / "points.h5")
    assert again.reduced.laws == points.reduced.laws
    assert np.abs(again.transfer(f) - V).max() < 1e-6 * np.abs(V).max()
    (tmp_path / "other.h5").write_bytes(b"no such file")
    with pytest.raises(InputError, match="expected responses over frequency"):
        load_spectral_points(tmp_path / "other.h5")


def test_bad_input_is_one_sentence(box: Slab, found: SpectralResponse) -> None:
    with pytest.raises(InputError, match=r"expected frequencies of 10 \.\. 1e\+11 Hz, the range"):
        spectral_responses(box, dielectrics=TISSUES, band=(5.0, 1e5))
    with pytest.raises(InputError, match=r"expected frequencies of 100 \.\. 250000 Hz, the band"):
        found.impedance(50.0)
    with pytest.raises(InputError, match="expected a band of rising frequencies"):
        spectral_responses(box, band=(1e3, 1e2))
    with pytest.raises(InputError, match="expected labels of the tissues around the lead"):
        spectral_responses(box, dielectrics={9: Constant(sigma=1.0)})
    with pytest.raises(InputError, match="unknown contact '7'"):
        spectral_responses(box, interface={"7": interface("day 1")})
    with pytest.raises(InputError, match="expected a rate within the band"):
        found.voltages(dbs_pulse(rate=20.0), found.control({1: 1e-3}))
    with pytest.raises(InputError, match="expected a pulse whose charge is balanced"):
        found.voltages(dbs_pulse(recharge="none"), found.control({1: 1e-3}))
    with pytest.raises(InputError, match="unknown interface 'day one'"):
        interface("day one")
    with pytest.raises(InputError, match=r"alpha of the interface must be 0\.\.1"):
        Interface(k=1.0, alpha=1.2)
    with pytest.raises(InputError, match="unknown dielectric model"):
        dielectrics({1: tissue("csf")}, "5-term")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected one of the labels"):
        dielectrics({1: tissue("csf")}, given={7: Constant(sigma=1.0)})


def test_some_contacts_are_a_part_of_all(box: Slab, found: SpectralResponse) -> None:
    some = spectral_responses(
        box, dielectrics=TISSUES, interface=interface("day 1"), band=BAND, contacts=[2, "3"]
    )
    f = np.geomspace(*BAND, 9)
    assert some.contacts == ("2", "3")
    part = found.impedance(f)[:, 1:, 1:]
    assert np.abs(some.impedance(f) - part).max() < 1e-7 * np.abs(part).max()


def test_tissues_without_parameters_are_constant() -> None:
    known = {t.label: t for t in map(tissue, ("grey_matter", "skull", "blood"))}
    found = dielectrics(known, "3-term", {"blood": Constant(sigma=0.6)})
    grey = tissue("grey_matter")
    assert found[grey.label] == grey.dispersions["3-term"]
    assert found[tissue("skull").label] == Constant(sigma=tissue("skull").sigma)
    assert found[tissue("blood").label] == Constant(sigma=0.6)
    assert set(dielectrics(known, "constant").values()) == {
        Constant(sigma=t.sigma) for t in known.values()
    }
