"""Curvature of triangulated surfaces against spheres, ellipsoids and cylinders."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase.meshes.cortex.curvature import angle_deficit, curvature
from rheobase.meshes.heads.sphere import unit_sphere

Floats = NDArray[np.float64]
SEMI = np.array([1.5, 1.0, 0.8])


def shaken(n: int) -> tuple[Floats, NDArray[np.int32]]:
    """Return a unit sphere whose vertices are moved by up to a fifth of an edge."""
    points, triangles = unit_sphere(n)
    edge = np.sqrt(4 * np.pi / len(triangles) * 4 / np.sqrt(3))
    shift = np.random.default_rng(n).uniform(-0.2, 0.2, points.shape)
    points = points + edge * shift
    return points / np.linalg.norm(points, axis=1, keepdims=True), triangles


def ellipsoid(points: Floats) -> tuple[Floats, Floats]:
    """Return exact H and K on the ellipsoid with semi-axes SEMI."""
    slope = (points**2 / SEMI**4).sum(axis=1)
    volume = np.prod(SEMI) ** 2
    mean = (SEMI @ SEMI - (points**2).sum(axis=1)) / (2 * volume * slope**1.5)
    return mean, 1.0 / (volume * slope**2)


@pytest.mark.convergence
@pytest.mark.parametrize("shape", ["sphere", "ellipsoid"])
def test_second_order_on_irregular_meshes(shape: str) -> None:
    errors = []
    for n in (3, 4, 5):
        points, triangles = shaken(n)
        exact = np.ones(len(points)), np.ones(len(points))
        if shape == "ellipsoid":
            points = points * SEMI
            exact = ellipsoid(points)
        found = curvature(points, triangles)
        errors.append([np.abs(a - b).max() for a, b in zip(found, exact, strict=True)])
        assert angle_deficit(points, triangles).sum() == pytest.approx(4 * np.pi, rel=1e-9)
    order = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert (order > 1.8).all()
    # K is up to 5.5 and H up to 2.1 on the ellipsoid, both 1 on the sphere
    assert errors[-1][0] < (0.006 if shape == "ellipsoid" else 0.002)
    assert errors[-1][1] < (0.02 if shape == "ellipsoid" else 0.004)


@pytest.mark.convergence
def test_open_cylinder() -> None:
    errors = []
    for n in (24, 48, 96):
        angle, z = np.arange(n) * 2 * np.pi / n, np.arange(n // 4 + 1) * 2 * np.pi / n
        ring = np.stack([np.cos(angle), np.sin(angle), np.zeros(n)], axis=1)
        up = np.array([0.0, 0.0, 1.0])
        points = 0.01 * np.concatenate([ring + h * up for h in z])
        k = np.arange(n * (n // 4)).reshape(-1, n)
        right = np.roll(k, -1, axis=1)
        faces = [[k, right, right + n], [k, right + n, k + n]]
        triangles = np.concatenate([np.stack(f, axis=-1).reshape(-1, 3) for f in faces])
        mean, gaussian = curvature(points, triangles)
        away = np.abs(mean / 50.0 - 1)
        flat = np.abs(gaussian) / 100.0**2
        inner = slice(3 * n, -3 * n)
        errors.append([away.max(), away[inner].max(), flat.max(), flat[inner].max()])
        assert (mean > 0).all()  # convex seen from outside
        inward, same = curvature(points, triangles[:, ::-1])
        np.testing.assert_allclose(inward, -mean, rtol=1e-9)
        np.testing.assert_allclose(same, gaussian, atol=1e-6)
    order = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert (order > 1.9).all()  # also at the open ends, seen from one side only
    assert (np.array(errors[-1]) < [0.02, 0.004, 0.01, 0.0006]).all()  # edges of 0.065 R


def test_a_triangle_alone_has_no_curvature() -> None:
    mean, gaussian = curvature(np.eye(3), np.array([[0, 1, 2]]))
    assert np.isnan(mean).all()
    assert np.isnan(gaussian).all()
