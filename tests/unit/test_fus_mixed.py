"""Elements that hold several materials: their sums, their limits, and a slab off the faces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase.fields.acoustics.media import Fluid, LayeredMedium
from rheobase.fields.acoustics.transducers.transducer import bowl
from rheobase.fields.acoustics.wave.materials import ALONG, LEAST
from rheobase.fields.acoustics.wave.steady import solve_pressure
from rheobase.fields.acoustics.wave.tables import lumped
from rheobase.fields.acoustics.wave.window import AcousticWindow, acoustic_window
from rheobase.validation.acoustic_closed_forms import Layer
from rheobase.validation.acoustic_layers import LayeredField, bowl_rings

Floats = NDArray[np.float64]
F = 500e3
WATER = Fluid(name="water", sound_speed=1500.0, density=1000.0)
FAT = Fluid(name="fat", sound_speed=1440.0, density=920.0, attenuation=5.0)
BONE = Fluid(name="bone", sound_speed=2800.0, density=1850.0, attenuation=46.0)


def between(low: float, high: float, fluid: Fluid) -> Callable[[Floats], Floats]:
    """Return a sampler of a slab in water."""
    table = np.array([[*f.at(F), f.absorption(F)] for f in (WATER, fluid)])
    return lambda p: table[((p[:, 2] > low) & (p[:, 2] < high)).astype(int)]


def holding(fluid: Fluid, part: float) -> tuple[AcousticWindow, float]:
    """Return a window, and where in an element the fluid begins that fills the rest of it (m)."""

    def laid(sampler: Callable[[Floats], Floats] | None) -> AcousticWindow:
        return acoustic_window(
            LayeredMedium((WATER,)), F, half_width=1e-3, depth=(0.0, 6e-3), order=4,
            per_wavelength=5.5, rim=1, sampler=sampler,
        )  # fmt: skip

    low, high = laid(None).grid.faces[2:4, 0, 0]
    face = float(low + (high - low) * round(part * ALONG) / ALONG)  # between two parts
    window = laid(between(face, 1.0, fluid))
    return window, face


@pytest.mark.parametrize("fluid", [FAT, BONE])
def test_sums_over_mixed_nodes_are_integrals_of_the_material(fluid: Fluid) -> None:
    window, face = holding(fluid, 0.4)
    grid, materials = window.grid, window.materials
    assert (materials.at[2] >= 0).all()
    assert (np.delete(materials.at, 2, axis=0) < 0).all()
    first, last = grid.faces[[0, -1], 0, 0]
    area = np.ptp(grid.x) * np.ptp(grid.y)
    z = (grid.depths() - face) / 1e-3
    rules: dict[str, Callable[..., Floats]] = {
        "compressibility": lambda c, rho, a, b: 1.0 / (rho * c**2),
        "density": lambda c, rho, a, b: rho,
        "loss": lambda c, rho, a, b: a / (rho * c),
    }
    for name, rule in rules.items():
        of_nodes = lumped(window, *materials.combined(rule))
        before, behind = (float(rule(*f.at(F), 0.0)) for f in (WATER, fluid))
        # all moments; of the loss, which may not fall below water's 0, the mean
        for power in range(1 if name == "loss" else grid.order + 1):
            ends = [((e - face) / 1e-3) ** (power + 1) / (power + 1) for e in (first, last)]
            exact = 1e-3 * area * (behind * ends[1] - before * ends[0])
            size = 1e-3 * area * (behind * abs(ends[1]) + before * abs(ends[0]))
            assert abs((of_nodes * z**power).sum() - exact) < 1e-9 * size, (name, power)


def test_mixed_nodes_stay_possible() -> None:
    most = BONE.sound_speed / np.sqrt(LEAST)
    found = []
    for part in np.linspace(0.1, 0.9, 9):
        window, face = holding(BONE, part)
        c, rho, loss, absorption = window.materials.nodal
        assert rho.min() >= LEAST * WATER.density
        assert min(loss.min(), absorption.min()) >= 0.0
        found.append(c.max())
        whole = lumped(window, *window.materials.combined(lambda c, rho, a, b: 1.0 / (rho * c**2)))
        grid = window.grid
        ends = face - grid.faces[0, 0, 0], grid.faces[-1, 0, 0] - face
        soft = [1.0 / (f.density * f.sound_speed**2) for f in (WATER, BONE)]
        assert whole.sum() == pytest.approx(np.ptp(grid.x) * np.ptp(grid.y) * np.dot(ends, soft))
    assert max(found) == pytest.approx(most, rel=1e-9)  # some are raised to what may be


def test_slab_off_the_faces_has_its_field() -> None:
    slab, radius = (4.0e-3, 7.5e-3), 12e-3
    x, z = np.linspace(0.0, 4e-3, 9), np.linspace(8.5e-3, 14e-3, 12)
    exact = LayeredField(
        [Layer(*f.at(F)) for f in (WATER, BONE, WATER)], slab, bowl_rings(radius, radius, 60),
        velocity=0.04, frequency=F,
    ).sample(x, z)  # fmt: skip
    window = acoustic_window(
        LayeredMedium((WATER,)), F, half_width=6.5e-3, depth=(-1.5e-3, 15e-3), order=5,
        per_wavelength=6.25, sampler=between(*slab, BONE),
    )  # fmt: skip
    source = bowl(curvature_radius=radius, aperture=radius, frequency=F).source(
        velocity=0.04, per_wavelength=16
    )
    found = solve_pressure(window, source).on_lattice(x, 0.0, z)[:, 0]
    off = np.linalg.norm(found - exact) / np.linalg.norm(exact)
    assert off < 0.03
