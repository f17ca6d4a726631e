"""Search over all directions with proof: branch and bound on triangles of the sphere.

The half sphere starts as four triangles of an octahedron (what is searched for is the same in
opposite directions) and is divided where the bound of a triangle is largest, until no triangle can
hold anything better than what was found.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import count
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_CORNERS = np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0], [0, 0, 1]], dtype=np.float64)
_TRIANGLES = ((0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4))


class Looked(Protocol):
    """What was found along one direction."""

    @property
    def score(self) -> float:
        """A value that is reached; the larger the better."""
        ...


def best_direction[T: Looked](
    look: Callable[[Floats], T],
    bound: Callable[[list[T], float], float],
    *,
    gap: float,
    also: Sequence[Floats] = (),
) -> tuple[T, float]:
    """Return the best that is found along any direction, and what no direction can exceed.

    Parameters
    ----------
    look
        Of a unit vector, shape (3,), and the same for its opposite.
    bound
        Of what was found along the three corners of a triangle and the distance of its plane from
        the origin: what no direction through the triangle can exceed.
    gap
        Relative difference of bound and score that is enough. Triangles that lie within a tenth of
        it of the sphere are not divided: what they leave open is not the direction.
    also
        Unit vectors to look along before the search.

    Returns
    -------
    best : T
        Of those looked at, the one with the largest score.
    bound : float
        Never below its score.
    """
    corners = list(_CORNERS)
    found = [look(d) for d in corners]
    best = max([look(d) for d in also] + found, key=lambda f: f.score)
    middles: dict[tuple[int, int], int] = {}
    number = count()
    heap: list[tuple[float, int, float, tuple[int, int, int]]] = []

    def push(triangle: tuple[int, int, int]) -> None:
        a, b, c = (corners[k] for k in triangle)
        normal = np.cross(b - a, c - a)
        distance = abs(float(normal @ a)) / float(np.linalg.norm(normal))
        top = bound([found[k] for k in triangle], distance)
        heapq.heappush(heap, (-top, next(number), distance, triangle))

    def middle(a: int, b: int) -> int:
        key = (min(a, b), max(a, b))
        if key not in middles:
            d = corners[a] + corners[b]
            corners.append(d / np.linalg.norm(d))
            found.append(look(corners[-1]))
            middles[key] = len(corners) - 1
        return middles[key]

    for triangle in _TRIANGLES:
        push(triangle)
    while True:
        best = max([best, *found[-3:]], key=lambda f: f.score)  # a division looks along three
        least, _, distance, (a, b, c) = heapq.heappop(heap)
        if -least <= best.score + gap * abs(best.score) or 1 - distance < 0.1 * gap:
            return best, max(-least, best.score)
        ab, bc, ca = middle(a, b), middle(b, c), middle(c, a)
        for triangle in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)):
            push(triangle)
