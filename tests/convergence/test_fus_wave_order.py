"""Order in element size of waves in three dimensions: a point source, rim and all, refined."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase.fields.acoustics.media import Fluid, LayeredMedium
from rheobase.fields.acoustics.transducers.source import Source
from rheobase.fields.acoustics.wave.steady import solve_pressure
from rheobase.fields.acoustics.wave.window import acoustic_window

F = 500e3
TISSUE = Fluid(name="tissue", sound_speed=1500.0, density=1000.0, attenuation=40.0)
SOURCE = Source(
    points=np.array([[0.21e-3, 0.17e-3, -1.6e-3]]), velocity=np.array([1.0 + 0.0j]),
    area=np.array([1e-6]), normal=np.array([[0.0, 0.0, 1.0]]), element=np.zeros(1, np.intp),
)  # fmt: skip


@cache
def pressure(order: int, elements: int) -> NDArray[np.complex128]:
    """Pressure (Pa) away from the source, on ``elements`` elements a side and a rim of as many."""
    shortest = TISSUE.wavelength(F) * elements / 4.8e-3
    window = acoustic_window(
        LayeredMedium((TISSUE,)), F, half_width=2.4e-3, depth=(-2.4e-3, 4.8e-3), order=order,
        per_wavelength=order * shortest * (1.0 - 1e-6), rim=elements,
    )  # fmt: skip
    assert window.grid.spacing[0] == pytest.approx(4.8e-3 / elements)
    places = np.random.default_rng(0).uniform(
        [-2e-3, -2e-3, 1.9e-3], [2e-3, 2e-3, 4.7e-3], (400, 3)
    )
    return solve_pressure(window, SOURCE, tolerance=2e-5).sample(places)


@pytest.mark.convergence
@pytest.mark.parametrize(("order", "elements"), [(4, (2, 3, 4)), (5, (2, 3))])
def test_error_falls_with_one_order_more_than_the_elements(
    order: int, elements: tuple[int, ...]
) -> None:
    best = pressure(7, 3)
    errors = [np.linalg.norm(pressure(order, n) - best) / np.linalg.norm(best) for n in elements]
    assert errors[-1] < (3e-3 if order == 4 else 7e-4)
    assert -np.polyfit(np.log(elements), np.log(errors), 1)[0] > order + 0.8
