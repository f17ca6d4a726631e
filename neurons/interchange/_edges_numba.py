"""Kernel that orders synapses by target."""

from __future__ import annotations

from typing import Any

from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def order_by_target(target: NDArray[Any], place: NDArray[Any], order: NDArray[Any]) -> None:
    """Fill ``order`` with the edges by target, each target's in their own order.

    ``place`` (n_targets,) is where each target's edges begin, and is used up.
    """
    for edge in range(target.size):
        order[place[target[edge]]] = edge
        place[target[edge]] += 1
