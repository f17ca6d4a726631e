"""Windows of waves: power, pulses, files, mixed elements, the rim, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.acoustics.media import Fluid, LayeredMedium, Plane
from rheobase.fields.acoustics.rayleigh import pressure
from rheobase.fields.acoustics.transducers.source import Source
from rheobase.fields.acoustics.transducers.transducer import bowl as spherical_bowl
from rheobase.fields.acoustics.wave import kernel as kernel_module
from rheobase.fields.acoustics.wave.field import PressureField
from rheobase.fields.acoustics.wave.pulse import solve_pulse, tone_burst
from rheobase.fields.acoustics.wave.sources import source_in
from rheobase.fields.acoustics.wave.steady import remaining, solve_pressure
from rheobase.fields.acoustics.wave.window import AcousticWindow, acoustic_window

Floats = NDArray[np.float64]
F = 500e3
WATER = Fluid(name="water", sound_speed=1500.0, density=1000.0)
BONE = Fluid(
    name="bone", sound_speed=2800.0, density=1850.0, attenuation=400.0, absorbed_fraction=0.25
)
FLOW = 1e-6


def point(*at: float) -> Source:
    return Source(
        points=np.array([at]), velocity=np.array([1.0 + 0.0j]), area=np.array([FLOW / 2.0]),
        normal=np.array([[0.0, 0.0, 1.0]]), element=np.zeros(1, np.intp),
    )  # fmt: skip


def plate() -> AcousticWindow:
    medium = LayeredMedium((WATER, BONE, WATER), (Plane(1.5e-3), Plane(3.0e-3)))
    return acoustic_window(medium, F, half_width=3e-3, depth=(-1.5e-3, 4.5e-3))


@pytest.fixture(scope="module")
def through_plate() -> PressureField:
    return solve_pressure(plate(), point(0.0, 0.0, 0.0))


def test_power_radiated_is_absorbed_or_leaves(through_plate: PressureField) -> None:
    field = through_plate
    (P,) = field.sample([[0.0, 0.0, 0.0]])
    # of the point's own field only the part in phase with its flow is finite and exact
    radiated = 0.5 * float(P.real) * FLOW
    points, heat = field.heat_nodes()
    lost = heat / BONE.absorbed_fraction
    assert (np.abs(points[:, 2] - 2.25e-3) <= 0.7500001e-3).all()
    inside = 1.0 - 1e-9
    out = sum(
        field.power_through(inside * field.window.high[i], axis=axis)
        - field.power_through(inside * field.window.low[i], axis=axis)
        for i, axis in enumerate("xyz")
    )
    assert lost.sum() > 0.05 * radiated
    assert lost.sum() + out == pytest.approx(radiated, rel=1e-3)


def test_field_comes_back_from_its_file(through_plate: PressureField, tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    through_plate.save(path)
    again = PressureField.load(path)
    at = np.random.default_rng(0).uniform(-2e-3, 2e-3, (50, 3)) + np.array([0.0, 0.0, 1.5e-3])
    assert (again.sample(at) == through_plate.sample(at)).all()
    assert (again.intensity(at) == through_plate.intensity(at)).all()
    assert again.heat_nodes()[1].sum() == through_plate.heat_nodes()[1].sum()
    assert again.report == through_plate.report
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match="cannot read a pressure field"):
        PressureField.load(path)


def test_fields_follow_the_frame(through_plate: PressureField) -> None:
    turn = np.array([[0, 1.0, 0, 0.02], [0, 0, 1, 0.01], [1, 0, 0, 0.0], [0, 0, 0, 1]])
    window = acoustic_window(
        LayeredMedium((WATER,)), F, half_width=2e-3, depth=(0.0, 3e-3), frame=turn
    )
    head = np.array([[0.02, 0.011, 0.001]])
    assert window.to_beam(head) == pytest.approx(np.array([[0.001, 0.0, 0.001]]))
    assert window.to_head(window.to_beam(head)) == pytest.approx(head)


def test_pulse_is_of_second_order_in_time() -> None:
    window = acoustic_window(
        LayeredMedium((WATER,)), F, half_width=3.6e-3, depth=(-3.6e-3, 3.6e-3), order=4,
        per_wavelength=4.5,
    )  # fmt: skip
    at = np.array([[2.2e-3, 0.5e-3, 1.0e-3], [-1.0e-3, 2.0e-3, -2.0e-3], [0.0, 0.0, 0.1]])
    envelope, source, found = tone_burst(F, 3.0), point(0.0, 0.0, 0.0), []
    for steps in (16, 32, 64):
        found.append(
            solve_pulse(window, source, envelope, duration=8e-6, points=at, steps=steps).traces
        )
        assert np.isnan(found[-1][2]).all()
    coarse, middle, fine = found[0][:2], found[1][:2, 1::2], found[2][:2, 3::4]
    errors = np.linalg.norm(middle - coarse), np.linalg.norm(fine - middle)
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.03)


def test_pulse_follows_its_closed_form() -> None:
    window = acoustic_window(LayeredMedium((WATER,)), F, half_width=2.7e-3, depth=(-2.7e-3, 2.7e-3))
    at = np.array([[2.2e-3, 0.5e-3, 1.0e-3], [-1.0e-3, 2.0e-3, -2.0e-3]])
    envelope, ahead = tone_burst(F, 3.0), 0.7  # rad
    source = point(0.0, 0.0, 0.0).driven(np.array([np.exp(1j * ahead)]))
    found = solve_pulse(window, source, envelope, duration=7e-6, points=at, steps=56)
    r, d = np.linalg.norm(at, axis=1)[:, None], 1e-10

    def flow(t: Floats) -> Floats:
        u: Floats = FLOW * envelope(t) * np.cos(2 * np.pi * F * t + ahead)
        return u

    t = found.times - r / 1500.0
    exact = 1000.0 * (flow(t + d) - flow(t - d)) / (2 * d) / (4 * np.pi * r)
    assert np.linalg.norm(found.traces - exact) < 0.012 * np.linalg.norm(exact)
    for peaks, of_traces in (
        (found.highest, found.traces.max(axis=1)),
        (found.lowest, found.traces.min(axis=1)),
    ):
        there = window.grid.locate(at).sample(peaks.astype(np.complex64)).real
        assert there == pytest.approx(of_traces, rel=0.03)


def test_rim_reflects_little() -> None:
    fields, size = [], 6 / 7 * 3e-3
    at = np.random.default_rng(0).uniform(-1.5 * size, 1.5 * size, (300, 3))
    for columns in (3, 7):
        window = acoustic_window(
            LayeredMedium((WATER,)), F, half_width=(0.5 * columns * size, 1.5 * size),
            depth=(-1.5 * size, 1.5 * size),
        )  # fmt: skip
        fields.append(solve_pressure(window, point(0.0, 0.0, 0.0)).sample(at))
    assert np.linalg.norm(fields[0] - fields[1]) / np.linalg.norm(fields[1]) < 1.2e-3


def test_far_source_enters_through_a_plane_of_water() -> None:
    turn = np.array([[0, 1.0, 0, 0.02], [0, 0, 1, 0.01], [1, 0, 0, 0.03], [0, 0, 0, 1]])
    window = acoustic_window(
        LayeredMedium((WATER,)), F, half_width=9e-3, depth=(6e-3, 15e-3), frame=turn
    )
    bowl = spherical_bowl(curvature_radius=12e-3, aperture=12e-3, frequency=F)
    far = bowl.source(velocity=0.04 * np.exp(0.3j), fluid=WATER)
    near, _ = source_in(window, far.moved(turn), WATER)
    assert np.ptp(near.points[:, 2]) == 0.0
    at = np.random.default_rng(0).uniform([-2e-3, -2e-3, 8e-3], [2e-3, 2e-3, 14.5e-3], (300, 3))
    exact = pressure(far, at, frequency=F, fluid=WATER)
    apart = solve_pressure(window, near).sample(window.to_head(at), head=True) - exact
    assert np.linalg.norm(apart) < 5e-3 * np.linalg.norm(exact)


def refused(**changes: Any) -> str:
    given: dict[str, Any] = {"half_width": 3e-3, "depth": (0.0, 5e-3), **changes}
    medium = given.pop("medium", LayeredMedium((WATER,)))
    with pytest.raises(InputError) as caught:
        acoustic_window(medium, given.pop("frequency", F), **given)
    return str(caught.value)


def test_windows_that_cannot_be_are_refused_in_a_sentence() -> None:
    few = refused(order=5, per_wavelength=4.0)
    assert "at least 5.5 nodes a wavelength" in few
    assert "got 4 at 500 kHz" in few
    assert "set per_wavelength" in few
    assert "order of 4 to 7, got 8" in refused(order=8)
    assert "depth grows" in refused(depth=(5e-3, 0.0))
    assert "half width" in refused(half_width=-1.0)
    assert "rim of at least 1" in refused(rim=0)
    assert "frequency" in refused(frequency=0.0)

    def nothing(points: Floats) -> Floats:
        return np.column_stack([1500.0 + 1e5 * points[:, 0] ** 2, np.zeros((len(points), 3))])

    assert "expected a finite density > 0 everywhere, got 0 at (" in refused(sampler=nothing)

    def absent(points: Floats) -> Floats:
        return np.full((len(points), 4), np.nan)

    assert "expected a finite sound speed > 0 everywhere, got nan" in refused(sampler=absent)


def test_runs_that_cannot_be_are_refused_before_they_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = plate()
    with pytest.raises(InputError, match="100 % of it are outside: it has"):
        solve_pressure(window, point(0.0, 0.0, -0.02))
    silent = point(0.0, 0.0, 0.0).driven(np.zeros(1, np.complex128))
    with pytest.raises(InputError, match="a source that moves"):
        solve_pressure(window, silent)
    with pytest.raises(InputError, match=r"at least \d+ steps a period .* \(CFL condition\)"):
        solve_pressure(window, point(0.0, 0.0, 0.0), steps=12)
    with pytest.raises(InputError, match="multiple of 4"):
        solve_pressure(window, point(0.0, 0.0, 0.0), steps=62)
    with pytest.raises(InputError, match="ramps > 0 and up to half"):
        tone_burst(F, 3.0, ramp=2.0)
    with pytest.raises(InputError, match="a plane within z"):
        PressureField(
            window=window, phasor=np.zeros(window.grid.shape, np.complex64)
        ).power_through(0.1)
    monkeypatch.setattr(kernel_module, "free_memory", lambda: 1e6)
    with pytest.raises(InputError, match=r"GiB of memory and 0.00 are free"):
        solve_pressure(window, point(0.0, 0.0, 0.0))


def test_ctrl_c_stops_between_quarters(monkeypatch: pytest.MonkeyPatch) -> None:
    steps, calls = kernel_module.WaveKernel.steps, []

    def interrupted(self: Any, cosine: Any, *rest: Any) -> None:
        steps(self, cosine, *rest)
        calls.append(len(cosine))
        if len(calls) == 60:
            raise KeyboardInterrupt

    monkeypatch.setattr(kernel_module.WaveKernel, "steps", interrupted)
    with pytest.raises(KeyboardInterrupt, match=r"stopped after \d+ periods"):
        solve_pressure(plate(), point(0.0, 0.0, 0.0), tolerance=1e-5)


def test_memory_told_is_memory_taken() -> None:
    import tracemalloc

    window = acoustic_window(
        LayeredMedium((WATER, BONE), (Plane(5e-3),)), F, half_width=6e-3, depth=(0.0, 9e-3)
    )
    tracemalloc.start()
    solve_pressure(window, point(0.0, 0.0, 2e-3), tolerance=0.5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak == pytest.approx(kernel_module.memory_needed(window), rel=0.1)


def test_far_source_becomes_a_plane_at_the_start() -> None:
    window = acoustic_window(LayeredMedium((WATER,)), F, half_width=6e-3, depth=(20e-3, 24e-3))
    far = point(0.0, 0.0, 0.0)
    near, missed = source_in(window, far, WATER)
    assert (near.points[:, 2] == 20e-3).all()
    assert 0.5 < missed < 1.0
    inside, nothing = source_in(window, point(0.0, 0.0, 22e-3), WATER)
    assert nothing == 0.0
    assert (inside.points == [[0.0, 0.0, 22e-3]]).all()


def test_what_remains_is_a_sum_of_decaying_changes() -> None:
    changes = [0.1 * 0.9**i for i in range(20)]
    assert remaining(changes) == pytest.approx(9.0 * changes[-1])
    assert remaining([0.1, 0.01]) == np.inf  # too few to tell
    assert remaining([0.1, 0.1, 0.1, 0.2]) == np.inf  # they grow


def test_window_of_a_head_follows_its_layers_and_samples_the_rest() -> None:
    from rheobase.fields.acoustics.wave.head_window import head_window
    from rheobase.fields.acoustics.window.window import beam_window
    from rheobase.meshes.leads.medium import nested_spheres
    from rheobase.meshes.tissues import tissue

    radii = [0.070, 0.076, 0.082]
    names = ("grey_matter", "compact_bone", "scalp")
    head = nested_spheres(radii, [tissue(n) for n in names])
    down = np.diag([1.0, -1.0, -1.0, 1.0])
    down[2, 3] = 0.090
    material = beam_window(head, down, half_width=4e-3, depth=(4e-3, 24e-3), spacing=5e-4)
    window = head_window(material, F, order=4, per_wavelength=5.0, rim=1)
    assert (window.materials.at < 0).all()  # the layers tell all of it
    for depth, fluid in zip((6e-3, 10e-3, 16e-3, 22e-3), material.layers.fluids, strict=True):
        found = window.grid.locate([[0.0, 0.0, depth]])
        at = found.layer[0], found.iy[0], found.ix[0]
        assert window.materials.sound_speed[at] == pytest.approx(fluid.sound_speed)
        assert window.materials.loss[at] == pytest.approx(fluid.loss(F))
    undescribed = replace(material, described=np.zeros_like(material.described))
    mixed = head_window(undescribed, F, order=4, per_wavelength=5.0, rim=1)
    assert (mixed.materials.at >= 0).any()
    inside = mixed.materials.nodal[0]
    speeds = [fluid.sound_speed for fluid in material.layers.fluids]
    assert min(speeds) - 1e-6 <= inside.min() < inside.max() <= max(speeds) + 1e-6


@pytest.mark.parametrize("tolerance", [1e-7, 0.0, 1.0, float("nan")])
def test_tolerance_is_one_that_single_precision_reaches(tolerance: float) -> None:
    with pytest.raises(InputError, match="expected a tolerance of 1e-05 to 1, got"):
        solve_pressure(plate(), point(0.0, 0.0, 0.0), tolerance=tolerance)
