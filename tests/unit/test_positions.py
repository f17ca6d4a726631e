"""10-10 positions on a sphere, where every one is known, and on a stretched one."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.heads.sphere import unit_sphere
from rheobase.meshes.placing.positions import divide, outermost, ten_ten

FIDUCIALS = {
    "nasion": np.array([0.0, 1.0, 0.0]),
    "inion": np.array([0.0, -1.0, 0.0]),
    "lpa": np.array([-1.0, 0.0, 0.0]),
    "rpa": np.array([1.0, 0.0, 0.0]),
}


@pytest.fixture(scope="module")
def sphere() -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    return unit_sphere(5)


@pytest.fixture(scope="module")
def positions(
    sphere: tuple[NDArray[np.float64], NDArray[np.int32]],
) -> dict[str, NDArray[np.float64]]:
    return ten_ten(*sphere, FIDUCIALS)


@pytest.mark.parametrize(
    ("name", "polar", "azimuth"),  # degrees from the vertex, and from the front to the left
    [
        ("Cz", 0, 0),
        ("Fpz", 72, 0),
        ("AFz", 54, 0),
        ("Fz", 36, 0),
        ("Pz", 36, 180),
        ("Oz", 72, 180),
        ("Iz", 90, 180),
        ("T7", 72, 90),
        ("T8", 72, -90),
        ("Fp1", 72, 18),
        ("Fp2", 72, -18),
        ("F7", 72, 54),
        ("P8", 72, -126),
        ("C3", 36, 90),
        ("C4", 36, -90),
        ("C1", 18, 90),
        ("C5", 54, 90),
        ("T9", 90, 90),
        ("F9", 90, 54),
        ("P10", 90, -126),
    ],
)
def test_sphere(
    positions: dict[str, NDArray[np.float64]], name: str, polar: float, azimuth: float
) -> None:
    p, a = np.radians([polar, azimuth])
    expected = [-np.sin(p) * np.sin(a), np.sin(p) * np.cos(a), np.cos(p)]
    np.testing.assert_allclose(positions[name], expected, atol=2e-3)  # facets: 1 - cos(2°)


def test_rows_lie_between_their_ends(positions: dict[str, NDArray[np.float64]]) -> None:
    steps = [
        np.linalg.norm(positions[a] - positions[b])
        for a, b in zip(
            ("F7", "F5", "F3", "F1", "Fz", "F2", "F4", "F6"),
            ("F5", "F3", "F1", "Fz", "F2", "F4", "F6", "F8"),
            strict=True,
        )
    ]
    np.testing.assert_allclose(steps, np.mean(steps), rtol=0.02)


def test_left_mirrors_right_and_old_names(positions: dict[str, NDArray[np.float64]]) -> None:
    assert len(positions) == 93
    for name, p in positions.items():
        digits = name.lstrip("AFpzTCPONI")
        if digits and name not in ("T3", "T4", "T5", "T6"):
            n = int(digits)
            other = positions[name.removesuffix(digits) + str(n + 1 if n % 2 else n - 1)]
            np.testing.assert_allclose(p * [-1, 1, 1], other, atol=2e-3)
    for old, new in {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}.items():
        assert positions[old] is positions[new]


def test_scales_with_the_head(sphere: tuple[NDArray[np.float64], NDArray[np.int32]]) -> None:
    stretch = np.array([0.075, 0.095, 0.09])
    points, triangles = sphere
    head = ten_ten(points * stretch, triangles, {k: p * stretch for k, p in FIDUCIALS.items()})
    np.testing.assert_allclose(head["Cz"], [0, 0, 0.09], atol=1e-4)
    assert head["C3"][0] < -0.04
    along = np.linalg.norm(np.array([p / stretch for p in head.values()]), axis=1)
    np.testing.assert_allclose(along, 1.0, atol=2e-3)


def test_missing_landmark(sphere: tuple[NDArray[np.float64], NDArray[np.int32]]) -> None:
    with pytest.raises(InputError, match="inion"):
        ten_ten(*sphere, {k: p for k, p in FIDUCIALS.items() if k != "inion"})


def test_open_scalp(sphere: tuple[NDArray[np.float64], NDArray[np.int32]]) -> None:
    points, triangles = sphere
    lower = triangles[(points[triangles, 2] < 0.5).all(axis=1)]
    with pytest.raises(InputError, match="closed scalp"):
        ten_ten(points, lower, FIDUCIALS)


def test_outermost_takes_the_last_crossing(
    sphere: tuple[NDArray[np.float64], NDArray[np.int32]],
) -> None:
    points, triangles = sphere
    two = np.concatenate([points, 2.0 * points])
    both = np.concatenate([triangles, triangles + len(points)])
    out = outermost(two, both, np.zeros(3), np.array([[0.3, 0.4, np.sqrt(0.75)]]))
    assert out[0] == pytest.approx(2.0, rel=1e-3)


def test_divide() -> None:
    corner = np.array([[0.0, 0, 0], [1, 0, 0], [1, 3, 0]])
    np.testing.assert_allclose(divide(corner, np.array([0.5])), [[1, 1, 0]])
