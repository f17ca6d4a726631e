"""The ultrasound benchmark: its exact fields, its metrics, and the axisymmetric solver in it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.validation.acoustic_closed_forms import Layer
from rheobase.validation.acoustic_layers import LayeredField, bowl_rings, disc_rings
from rheobase.validation.acoustic_spheres import SphericalField
from rheobase.validation.case import Row
from rheobase.validation.itrusst import SCENES, compare, facts, lattice, rows, thickness
from rheobase.validation.itrusst_wave import small_bowl

pytestmark = pytest.mark.convergence

WATER = Layer(1500.0, 1000.0)
R, Z = np.linspace(0, 0.03, 7), np.linspace(0.010, 0.12, 23)


def test_spheres_of_water_are_water() -> None:
    rings, three = bowl_rings(0.064, 0.064, 200), [WATER, WATER, WATER]
    found = SphericalField(three, [0.0785, 0.0685], 0.105, rings, velocity=0.04, frequency=500e3)
    exact = LayeredField([WATER], [], rings, velocity=0.04, frequency=500e3).sample(R, Z)
    assert abs(found.sample(R, Z) - exact).max() < 1e-4 * abs(exact).max()


def test_large_spheres_are_flat_layers() -> None:
    """In the brain, to the first order in the curvature."""
    scene, z = SCENES["bm4-sc2"], Z[(Z > 0.04) & (Z < 0.08)]
    layers = [Layer(*fluid.at(scene.frequency)) for fluid in scene.medium.fluids]
    faces = 1e-3 * np.array(facts()["case"]["bm4"]["faces_mm"])
    rings = disc_rings(0.01, count=60)
    flat = LayeredField(layers, faces.tolist(), rings, velocity=0.04, frequency=500e3).sample(R, z)
    curved = [
        SphericalField(
            layers,
            (radius + faces[0] - faces).tolist(),
            radius + faces[0],
            rings,
            velocity=0.04,
            frequency=500e3,
        ).sample(R, z)
        for radius in (0.35, 0.7)
    ]
    far, near = (np.linalg.norm(P - flat) / np.linalg.norm(flat) for P in curved)
    assert near < 0.6 * far
    assert np.linalg.norm(2 * curved[1] - curved[0] - flat) < 0.2 * near * np.linalg.norm(flat)


@pytest.mark.parametrize("name", ["bm5-sc1", "bm6-sc2"])
def test_curved_fields_do_not_hang_on_the_grazing_waves(name: str) -> None:
    scene = SCENES[name]
    field = scene.exact()
    assert isinstance(field, SphericalField)
    P = field.sample(R, Z)
    other = SphericalField(
        field.layers,
        field.radii.tolist(),
        field.centre,
        scene.rings,
        velocity=scene.velocity,
        frequency=scene.frequency,
        grazing=(0.75, 1.0),
    ).sample(R, Z)
    assert np.linalg.norm(other - P) < 1e-4 * np.linalg.norm(P)


def test_pressure_passes_curved_faces() -> None:
    field = SCENES["bm6-sc2"].exact()
    assert isinstance(field, SphericalField)
    for radius, x in zip(field.radii, (0.0, 0.01, 0.03, 0.02, 0.005), strict=True):
        z = field.centre - np.sqrt(radius**2 - x**2) + 1e-9 * np.array([-1, 1])
        before, after = field.sample(x, z)[0]
        assert abs(before - after) < 1.0  # of 42 kPa in the brain


@pytest.mark.parametrize(("radii", "what"), [([0.102], "source comes to"), ([], "falling radius")])
def test_spheres_must_fall_and_leave_the_source_out(radii: list[float], what: str) -> None:
    rings = SCENES["bm5-sc1"].rings
    with pytest.raises(InputError, match=what):
        SphericalField([WATER, WATER], radii, 0.105, rings, velocity=1.0, frequency=1e5)


def test_metrics_of_a_field_louder_and_further() -> None:
    scene = SCENES["bm1-sc1"]
    lateral, depth = lattice()
    x, z = lateral[:, None], depth

    def beam(place: float, wide: float) -> NDArray[np.complex128]:
        return np.exp(-(((z - place) / 0.01) ** 2) - (x / wide) ** 2) + 0j

    louder = compare(scene, beam(0.06, 0.004), -1.01 * beam(0.06, 0.004))
    assert (louder.l2, louder.linf) == pytest.approx((0.01, 0.01))
    assert louder.phased == pytest.approx(2.01)
    assert louder.width == pytest.approx(2 * 0.004 * np.sqrt(np.log(2)), rel=2e-3)
    further = compare(scene, beam(0.06, 0.004), beam(0.0602, 0.004))
    assert further.place == pytest.approx(0.0602, abs=1e-6)
    assert further.peak == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("name", ["bm4-sc2"])
def test_axisymmetric_solver_is_exact(name: str) -> None:
    found = rows(name)
    assert all(row.passed for row in found), [row for row in found if not row.passed]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SCENES.keys() - {"bm4-sc2"}))
def test_axisymmetric_solver_is_exact_in_the_other_scenes(name: str) -> None:
    found = rows(name)
    assert all(row.passed for row in found), [row for row in found if not row.passed]


@pytest.mark.slow
@pytest.mark.parametrize("case", [small_bowl, thickness])
def test_beams_through_bone(case: Callable[[], list[Row]]) -> None:
    found = case()
    assert all(row.passed for row in found), [row for row in found if not row.passed]
