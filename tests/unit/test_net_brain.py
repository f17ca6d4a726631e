"""Whole brain: connectome, Jansen-Rit masses, coupling with delays, stimuli, spread."""

from __future__ import annotations

import bz2
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.neurons.brain.connectome import Connectome, load_connectome
from rheobase.neurons.brain.jansen_rit import JansenRit
from rheobase.neurons.brain.reading import read_connectome
from rheobase.neurons.brain.simulation import (
    Activity,
    BrainNetwork,
    BrainSimulation,
    simulate_brain,
)
from rheobase.neurons.brain.spread import response, spread
from rheobase.neurons.network.drive import Drive, Polarisation
from rheobase.validation.brain import answer

Floats = NDArray[np.float64]


def ring(n: int = 6, *, seed: int = 1) -> Connectome:
    """Return n regions with random connections, tracts of 5 to 40 mm."""
    rng = np.random.default_rng(seed)
    weights = rng.random((n, n)) * (rng.random((n, n)) < 0.7)
    lengths = rng.uniform(5e-3, 40e-3, (n, n))
    names = tuple(f"r{k}" for k in range(n))
    centres = rng.random((n, 3))
    whole = Connectome(names=names, weights=weights, lengths=lengths, centres=centres)
    return whole.normalised("rows")


def test_the_shipped_connectome_is_whole_and_in_order() -> None:
    c = load_connectome()
    assert len(c) == 100
    assert c.centres is not None
    left = np.array([name.startswith("LH_") for name in c.names])
    assert left[:50].all()
    assert not left[50:].any()
    assert (c.centres[left, 0] < 0).all()
    assert (c.centres[~left, 0] > 0).all()
    np.testing.assert_array_equal(c.weights, c.weights.T)
    np.testing.assert_array_equal(c.weights > 0, c.lengths > 0)
    # tracts are longer than the line between the middles, but for few of neighbours' ends
    straight = np.linalg.norm(c.centres[:, None] - c.centres, axis=2)
    joined = c.weights > 0
    assert (c.lengths[joined] > straight[joined]).mean() > 0.99
    assert np.corrcoef(c.lengths[joined], straight[joined])[0, 1] > 0.8
    assert c.normalised().weights.sum(axis=1) == pytest.approx(1.0)
    assert c.normalised("log").weights.max() == 1.0


def test_a_lesion_and_the_way_along_tracts() -> None:
    lengths = np.full((3, 3), 10e-3)
    weights = np.array([[0, 1.0, 0], [1.0, 0, 1.0], [0, 1.0, 0]])
    c = Connectome(names=("a", "b", "c"), weights=weights, lengths=lengths)
    assert c.path("a") == pytest.approx([0, 0.01, 0.02])
    assert not c.cut(["b"]).weights.any()
    assert np.isinf(c.cut(["b"]).path("a")[1:]).all()


def test_equilibria_solve_the_equations_and_fold_where_they_should() -> None:
    m = JansenRit()
    for p, count in ((100.0, 3), (220.0, 1), (-50.0, 1)):
        v = m.equilibria(p)
        assert len(v) == count
        y0 = m.A / m.a * m.rate(v)
        assert v == pytest.approx(m.A / m.a * (p + m.excitation(y0)) - m.inhibition(y0), abs=1e-12)


def test_the_rest_of_a_network_is_found_where_a_lone_region_has_none() -> None:
    # uncoupled there are three equilibria, coupled only the upper one is left
    model = JansenRit(C=100.0, p=115.0)
    net = BrainNetwork(connectome=ring(), model=model, coupling=40.0)
    assert len(model.equilibria()) == 3
    (v,) = model.equilibria(returned=40.0)
    assert net.rest() == pytest.approx(v)
    still = simulate_brain(net, 0.05).potential
    assert np.abs(still - v).max() < 1e-12


def test_the_linearised_region_is_the_derivative_of_the_steps() -> None:
    # one Heun step of a lone region against exp(J dt)
    from scipy.linalg import expm

    alone = Connectome(names=("a",), weights=np.zeros((1, 1)), lengths=np.zeros((1, 1)))
    m = JansenRit(p=220.0)
    net = BrainNetwork(connectome=alone, model=m, dt=1e-5)
    rest = BrainSimulation(net).state
    kick = np.array([1e-9, -2e-9, 1e-9, 1e-7, 2e-7, -1e-7])[:, None]
    simulation = BrainSimulation(net, state=rest + kick)
    simulation.run(0.01)
    J = m.jacobian(float(net.rest()[0]))
    expected = expm(0.01 * J) @ kick
    assert simulation.state - rest == pytest.approx(expected, rel=2e-4, abs=1e-13)


def test_a_small_volley_does_what_the_transfer_function_says() -> None:
    # everything at once: loops, coupling, delays between steps, volleys of three populations
    m = JansenRit(C=100.0, p=200.0)
    net = BrainNetwork(connectome=ring(), model=m, coupling=20.0, speed=3.3)
    rng = np.random.default_rng(2)
    volley, latency, duration = 1e-5 * rng.random((3, 6)), 3.17e-3, 2.0
    names = ("pyramidal", "excitatory", "inhibitory")
    drive = Drive(
        probability=dict(zip(names, volley, strict=True)), times=np.array([0.01]), latency=latency
    )
    ours = simulate_brain(net, duration, drive=drive).potential - net.rest()[:, None]
    n = 2**14  # the response has died out long before the end of the period
    dt = duration / n
    f = np.fft.rfftfreq(n, dt)
    spectrum = answer(net, f, volley, latency + 0.01)
    exact = np.fft.irfft(spectrum.T, n, axis=1) / dt
    at = (np.arange(1, 20001) * 1e-4) % duration
    expected = np.array([np.interp(at, dt * np.arange(n + 1), np.append(x, x[0])) for x in exact])
    assert np.abs(expected[:, -500:]).max() < 1e-4 * np.abs(expected).max()
    assert np.abs(ours - expected).max() < 2e-3 * np.abs(expected).max()


def test_steps_are_of_second_order() -> None:
    # delays between the steps, so that reading between them counts too
    c = ring()
    pulse = Drive(probability={"pyramidal": 0.3 * np.eye(6)[0]}, times=np.array([1.6e-3]))
    steps = np.array([8e-4, 4e-4, 2e-4, 1e-4, 5e-5, 1.25e-5])
    runs = []
    for dt in steps:
        net = BrainNetwork(connectome=c, speed=2.0, dt=dt, jitter=2e-3)
        runs.append(simulate_brain(net, 0.12, drive=pulse, every=round(8e-4 / dt)).potential)
    error = [np.abs(run - runs[-1]).max() for run in runs[:-1]]
    order = np.polyfit(np.log(steps[:-1]), np.log(error), 1)[0]
    assert 1.9 < order < 2.2
    assert error[3] < 2e-4 * np.ptp(runs[-1])


def test_a_run_is_the_same_however_it_is_cut() -> None:
    net = BrainNetwork(connectome=ring(), model=JansenRit(C=120.0, p=120.0, sigma=2.0))
    drive = Drive(probability={"pyramidal": 0.2}, times=np.array([0.0, 0.0199, 0.02]), latency=1e-3)
    whole = BrainSimulation(net, seed=5, every=3).run(0.06, drive=drive)
    simulation = BrainSimulation(net, seed=5, every=3)
    parts = [simulation.run(d, drive=drive) for d in (0.02, 0.0101, 0.0299)]
    np.testing.assert_array_equal(np.hstack([p.potential for p in parts]), whole.potential)
    np.testing.assert_allclose(np.hstack([p.time for p in parts]), whole.time)
    other = simulate_brain(net, 0.06, seed=6, drive=drive, every=3)
    assert np.abs(other.potential - whole.potential).max() > 1e-4


def test_noise_has_its_strength() -> None:
    # v of a lone region around its rest: the variance that white noise gives the linear region
    from scipy.linalg import solve_continuous_lyapunov

    many = Connectome(
        names=tuple(f"r{k}" for k in range(60)),
        weights=np.zeros((60, 60)),
        lengths=np.zeros((60, 60)),
    )
    m = JansenRit(C=100.0, p=220.0, sigma=0.2)
    net = BrainNetwork(connectome=many, model=m, dt=2e-4)
    run = simulate_brain(net, 4.0, seed=3, every=10)
    v0 = float(net.rest()[0])
    J = m.jacobian(v0)
    Q = np.zeros((6, 6))
    Q[4, 4] = (float(m.A) * float(m.a) * 0.2) ** 2
    X = solve_continuous_lyapunov(J, -Q)
    expected = X[1, 1] + X[2, 2] - 2 * X[1, 2]
    measured = ((run.potential[:, 200:] - v0) ** 2).mean()
    assert measured == pytest.approx(expected, rel=0.1)


def test_a_steady_shift_moves_the_rest_as_a_lower_threshold_does() -> None:
    c = ring()
    net = BrainNetwork(connectome=c, coupling=0.0)
    shift = 1e-4
    one = Polarisation(shift=dict.fromkeys(("pyramidal", "excitatory", "inhibitory"), 2 * shift))
    less = Polarisation(shift=one.shift, waveform=np.full(40000, -0.5))
    moved = simulate_brain(net, 4.0, polarisation=[one, less]).potential[:, -1]
    lower = JansenRit(C=120.0, p=120.0, v0=6e-3 - shift)
    assert moved == pytest.approx(BrainNetwork(connectome=c, model=lower, coupling=0.0).rest())


def test_the_spread_of_a_known_response() -> None:
    c = Connectome(
        names=("a", "b", "c", "d"),
        weights=np.diag(np.ones(3), -1),
        lengths=np.diag(np.full(3, 0.02), -1),
    )
    time = np.arange(1, 101) * np.float64(1e-3)
    start = 0.01 + 0.02 / 2.0 * np.arange(4)
    ramp = np.clip(time - start[:, None], 0, None) * 0.1  # V: 0.1 mV after 1 ms
    rest = Activity(names=c.names, time=time, potential=np.zeros((4, 100)))
    moved = Activity(names=c.names, time=time, potential=-ramp)
    found = spread(response(moved, rest), c, "a", pulse=0.01, level=1e-4)
    assert found.onset == pytest.approx(start - 0.01 + 1e-3)
    assert found.peak == pytest.approx(-ramp[:, -1])
    assert found.speed().speed == pytest.approx(2.0)
    assert found.reached[1, -1] == 1.0
    silent = spread(response(rest, rest), c, "a")
    assert np.isnan(silent.onset).all()


def test_a_pulse_travels_no_faster_than_the_tracts_conduct() -> None:
    c = load_connectome().normalised()
    net = BrainNetwork(connectome=c, dt=2e-4)
    where = c.index("LH_SalVentAttn_PFCl_1")
    drive = Drive(probability={"pyramidal": 0.1 * np.eye(100)[where]}, times=np.array([0.0]))
    run = simulate_brain(net, 0.1, drive=drive)
    change = np.abs(run.potential - net.rest()[:, None])
    arrival = np.array(
        [t[0] if len(t) else np.inf for t in (run.time[row > 1e-12] for row in change)]
    )
    assert (arrival >= c.path(c.names[where]) / net.speed - net.dt).all()
    assert np.isfinite(arrival).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dt": 3e-3}, "dt must be at most a fifth of the fastest synapse, 0.002 s, got 0.003"),
        ({"speed": 1000.0}, "delays must be at least the step of 0.0001 s, got .* from 'r"),
        ({"coupling": -1.0}, "coupling must be finite and >= 0, got -1.0"),
        ({"speed": 0.0}, "speed must be finite and > 0"),
        ({"jitter": 1e-5}, "jitter must be at least the step"),
        ({"model": JansenRit(p=np.ones(3))}, r"p must be one number or have shape \(6,\)"),
    ],
)
def test_networks_that_make_no_sense(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        BrainNetwork(connectome=ring(), **change)


def test_stimuli_that_do_not_fit() -> None:
    simulation = BrainSimulation(BrainNetwork(connectome=ring()))
    with pytest.raises(InputError, match="unknown population 'pyramids', nearest: pyramidal"):
        simulation.run(0.01, drive=Drive(probability={"pyramids": 0.1}, times=np.zeros(1)))
    with pytest.raises(InputError, match=r"probability of 'pyramidal' .* shape \(6,\)"):
        simulation.run(0.01, drive=Drive(probability={"pyramidal": np.ones(5)}, times=np.zeros(1)))
    short = Polarisation(shift={"pyramidal": 1e-4}, waveform=np.zeros(5))
    with pytest.raises(InputError, match="waveform must have at least 100 values"):
        simulation.run(0.01, polarisation=short)
    with pytest.raises(InputError, match="whole number of steps"):
        simulation.run(1.05e-4)
    with pytest.raises(InputError, match="A must be finite and > 0"):
        JansenRit(A=0.0)


def test_connectomes_that_make_no_sense() -> None:
    one = np.ones((2, 2))
    with pytest.raises(InputError, match=r"weights must have shape \(2, 2\)"):
        Connectome(names=("a", "b"), weights=np.ones((2, 3)), lengths=one)
    with pytest.raises(InputError, match="weights must be finite and >= 0"):
        Connectome(names=("a", "b"), weights=-one, lengths=one)
    with pytest.raises(InputError, match=r"expected a length > 0 .* from 'b' to 'a'"):
        Connectome(names=("a", "b"), weights=one, lengths=0 * one)
    with pytest.raises(InputError, match="names of their own"):
        Connectome(names=("a", "a"), weights=one, lengths=one)
    with pytest.raises(InputError, match="nearest: LH_Cont_PFCl_1"):
        load_connectome().index("LH_Cont_PFC1_1")


def write_tvb(folder: Path) -> None:
    """Write three regions as The Virtual Brain does."""
    weights = np.array([[0, 2, 0], [2, 0, 1], [0, 1, 0.5]])
    np.savetxt(folder / "weights.txt", weights)
    packed = bz2.compress(b"0 30 0\n30 0 12.5\n0 12.5 0\n")
    (folder / "tract_lengths.txt.bz2").write_bytes(packed)
    (folder / "centres.txt").write_text("rA -10 -47 -3\nrB 0 1 2\nlC 5 6 7\n", encoding="utf-8")


def test_connectomes_of_the_virtual_brain_are_read(tmp_path: Path) -> None:
    write_tvb(tmp_path)
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        for file in ("weights.txt", "tract_lengths.txt.bz2", "centres.txt"):
            archive.write(tmp_path / file, f"connectivity/{file}")
    for path in (tmp_path, tmp_path / "c.zip"):
        c = read_connectome(path)
        assert c.names == ("rA", "rB", "lC")
        assert c.lengths[1, 2] == 0.0125
        np.testing.assert_array_equal(c.weights, [[0, 2, 0], [2, 0, 1], [0, 1, 0]])
        assert c.centres is not None
        np.testing.assert_allclose(c.centres[0], [-0.01, -0.047, -0.003])


def test_matrices_are_read(tmp_path: Path) -> None:
    from scipy.io import savemat

    savemat(tmp_path / "w.mat", {"sc": np.array([[0, 3], [3, 0]], dtype=np.int32)})
    (tmp_path / "l.csv").write_text("0,10\n10,0\n", encoding="utf-8")
    c = read_connectome(tmp_path / "w.mat", lengths=tmp_path / "l.csv", names=("x", "y"))
    assert c.weights[0, 1] == 3
    assert c.lengths[0, 1] == 0.01
    assert c.names == ("x", "y")


def test_files_that_are_no_connectomes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a connectome, found none"):
        read_connectome(tmp_path / "no.zip")
    (tmp_path / "bad.zip").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match=r"cannot read the connectome .*bad\.zip"):
        read_connectome(tmp_path / "bad.zip")
    write_tvb(tmp_path)
    (tmp_path / "tract_lengths.txt.bz2").write_bytes(b"no bz2")
    with pytest.raises(InputError, match="cannot read the connectome"):
        read_connectome(tmp_path)
    (tmp_path / "tract_lengths.txt.bz2").unlink()
    with pytest.raises(InputError, match=r"expected tract_lengths\.txt"):
        read_connectome(tmp_path)
    (tmp_path / "tract_lengths.txt").write_text("0 1\n2\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"expected a (table|square matrix) of numbers"):
        read_connectome(tmp_path)
    (tmp_path / "w.csv").write_text("0 a\n1 0\n", encoding="utf-8")
    with pytest.raises(InputError, match="expected a file of tract lengths"):
        read_connectome(tmp_path / "w.csv")
    with pytest.raises(InputError, match="expected a table of numbers"):
        read_connectome(tmp_path / "w.csv", lengths=tmp_path / "w.csv")
