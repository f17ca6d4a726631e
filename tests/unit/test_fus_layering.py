"""Nodes of elements, and layers that follow interfaces."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.acoustics.grid.gll import differentiation, gll, lagrange, nodes_of
from rheobase.fields.acoustics.grid.layering import EVEN, layer_faces


@pytest.mark.parametrize("order", [1, 2, 5, 8, 12])
def test_nodes_integrate_and_differentiate_polynomials(order: int) -> None:
    x, w = gll(order)
    for degree in range(2 * order):
        assert w @ x**degree == pytest.approx((1 + (-1) ** degree) / (degree + 1), abs=1e-13)
    np.testing.assert_allclose(
        differentiation(order) @ x**order, order * x ** (order - 1), atol=1e-11
    )
    at = np.array([-1.0, -0.3, 0.77])
    np.testing.assert_allclose(lagrange(order, at) @ x**order, at**order, atol=1e-13)
    assert nodes_of([0.0, 1.0, 3.0], order).shape == (2 * order + 1,)


def sphere(r: NDArray[np.float64], tip: float, radius: float) -> NDArray[np.float64]:
    """Return the near side of a sphere whose nearest point is at z = tip."""
    return tip + radius - np.sqrt(radius**2 - r**2)


@pytest.mark.parametrize("directions", [1, 2])
def test_faces_follow_curved_shells_and_lie_flat_away_from_them(directions: int) -> None:
    x = np.linspace(-35e-3, 35e-3, 41)
    r = np.abs(x) if directions == 1 else np.hypot(x[:, None], x) / np.sqrt(2)
    heights = np.stack([sphere(r, 30e-3, 75e-3), sphere(r, 36.5e-3, 68.5e-3)])
    target = np.array([3e-3, 5.6e-3, 3e-3])
    layers = layer_faces(heights, (0.0, 120e-3), target)
    thickness = np.diff(layers.faces, axis=0)
    assert layers.faces.shape == (len(layers.region) + 1, *r.shape)
    flat = np.ptp(layers.faces.reshape(len(layers.faces), -1), axis=1) == 0
    assert flat[:4].all()
    assert flat[-22:].all()
    for region, limit in enumerate(target):
        part = thickness[layers.region == region]
        assert part.max() <= limit * (1 + 1e-9)
        assert part.min() >= 0.9 * EVEN * limit
    assert any((face == heights[0]).all() for face in layers.faces)
    assert any((face == heights[1]).all() for face in layers.faces)


def test_a_short_way_to_a_curved_interface_is_divided_evenly() -> None:
    heights = np.array([[2.0, 9.0]])
    layers = layer_faces(heights, (0.0, 20.0), [3.0, 3.0])
    np.testing.assert_allclose(layers.faces[1:3, 0], [2 / 3, 4 / 3])
    np.testing.assert_allclose(layers.faces[1:3, 1], [3.0, 6.0])


def test_no_thin_layer_is_left_between_the_planes() -> None:
    for room in np.linspace(0.0, 6.0, 61):
        heights = np.array([[10.0 + room, 11.0 + room]])
        faces = layer_faces(heights, (0.0, 30.0), [3.0, 3.0]).faces
        assert np.diff(faces, axis=0).min() >= 0.25 * 3.0


@pytest.mark.parametrize(
    ("heights", "said"),
    [
        (
            [[30.0, 30.0], [36.0, 29.0]],
            r"interfaces 1 and 2 must be .*got -1e\+03 mm .*node \(1,\)",
        ),
        ([[30.0, 30.0], [30.01, 36.0]], "interfaces 1 and 2 .*node \\(0,\\)"),
        ([[30.0, np.nan]], "start of the depth range and interface 1 .*got nan"),
        ([[30.0, 121.0]], "interface 1 and the end of the depth range"),
        ([[30.0, 30.0], [30.1, 50.0]], "too uneven to divide"),
    ],
)
def test_bad_interfaces_are_refused(heights: list[list[float]], said: str) -> None:
    with pytest.raises(InputError, match=said):
        layer_faces(heights, (0.0, 120.0), np.full(len(heights) + 1, 3.0))
