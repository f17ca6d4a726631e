"""Threads change nothing: work on parts of arrays, and the mesher that does so."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numba
import numpy as np
import pytest

from rheobase._threads import in_parts
from rheobase.meshes.mesher import carve_image

two = pytest.mark.skipif(
    numba.config.NUMBA_NUM_THREADS < 2, reason="Numba was told to use one thread only"
)


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = numba.get_num_threads()
    yield numba.set_num_threads
    numba.set_num_threads(before)


@two
def test_parts_come_in_order_and_errors_come_through(threads: Callable[[int], None]) -> None:
    for n in (1, 2):
        threads(n)
        assert in_parts(lambda some: (some.start, some.stop), 10, 4) == [(0, 4), (4, 8), (8, 10)]
        assert in_parts(lambda some: some, 0) == []
        with pytest.raises(ZeroDivisionError):
            in_parts(lambda some: 1 // some.start, 10, 4)
    threads(2)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):  # as in the caller
        in_parts(lambda some: np.ones(1) / np.zeros(1), 2, 1)


@two
def test_mesh_is_the_same_bit_for_bit_with_one_and_two_threads(
    threads: Callable[[int], None],
) -> None:
    x, y, z = np.indices((44, 40, 40)) - 20.0
    radius = np.sqrt(x**2 + y**2 + z**2) + 1.5 * np.sin(x / 2) * np.sin(y / 2) * np.sin(z / 2)
    image = np.digitize(-radius, [-18.0, -14.0, -12.5, -6.0])
    image[:, :20][image[:, :20] == 4] = 5
    meshes = []
    for n in (1, 2):
        threads(n)
        meshes.append(carve_image(image, np.diag([1e-3, 1e-3, 1e-3, 1.0]), 1.2e-3).mesh)
    one, both = meshes
    assert len(one.tets) > 100_000  # enough for many parts
    for name in ("nodes", "tets", "labels"):
        np.testing.assert_array_equal(getattr(one, name), getattr(both, name))
