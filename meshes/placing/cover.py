"""What part of a set of triangles lies inside an outline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cover:
    """Integrals over the covered part of n triangles.

    Parameters
    ----------
    fraction
        Covered fraction, shape (n,).
    m, M
        ∫ phi_a (m²), shape (n, 3), and ∫ phi_a phi_b (m²), shape (n, 3, 3).
    """

    fraction: NDArray[np.float64]
    m: NDArray[np.float64]
    M: NDArray[np.float64]


def cover(
    area: NDArray[np.float64],
    uv: NDArray[np.float64],
    outside: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> Cover:
    """Integrate the hat functions over the part of each triangle inside an outline.

    Triangles that the outline crosses are divided in 64, and each part is clipped along the
    straight line through the zeros of the signed distance.

    Parameters
    ----------
    area
        Areas (m²), shape (n,).
    uv
        In-plane coordinates of the corners (m), shape (n, 3, 2).
    outside
        Signed distance (m) of in-plane points, < 0 inside.
    """
    n = len(area)
    parts = subdivided(3)
    corner = np.einsum("pqc,tcd->tpqd", parts, uv)
    level = outside(corner.reshape(-1, 2)).reshape(n, len(parts), 3)
    m = np.zeros((n, 3))
    M = np.zeros((n, 3, 3))
    t, p = np.nonzero((level < 0).any(axis=2))
    for weights in _clip(parts[p], level[t, p]):
        size = area[t] * np.abs(np.linalg.det(weights))
        total = weights.sum(axis=1)
        np.add.at(m, t, size[:, None] * total / 3)
        both = np.einsum("nqa,nqb->nab", weights, weights)
        both += total[:, :, None] * total[:, None, :]
        np.add.at(M, t, size[:, None, None] * both / 12)
    return Cover(fraction=m.sum(1) / area, m=m, M=M)


def subdivided(levels: int) -> NDArray[np.float64]:
    """Return the barycentric corners of a triangle halved ``levels`` times, (4^levels, 3, 3)."""
    parts = np.eye(3)[None]
    for _ in range(levels):
        a, b, c = parts[:, 0], parts[:, 1], parts[:, 2]
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        parts = np.concatenate(
            [np.stack(q, axis=1) for q in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
        )
    return parts


def _clip(
    corner: NDArray[np.float64], level: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the part of triangles where a linear level is < 0, as two triangles each.

    Parameters
    ----------
    corner
        Corners in any linear coordinates, shape (n, 3, d).
    level
        Level at the corners, shape (n, 3); negative at one at least.
    """
    n_in = (level < 0).sum(axis=1)
    # Turn each triangle so that the corner alone on its side of the line comes first.
    lone = np.where(n_in == 1, (level < 0).argmax(1), (level >= 0).argmax(1))
    turn = (lone[:, None] + np.arange(3)) % 3
    row = np.arange(len(corner))[:, None]
    p, f = corner[row, turn], level[row, turn]
    step = f[:, :1] - f[:, 1:]
    t = np.divide(f[:, :1], step, out=np.ones_like(step), where=step != 0)
    q1 = p[:, 0] + t[:, :1] * (p[:, 1] - p[:, 0])
    q2 = p[:, 0] + t[:, 1:] * (p[:, 2] - p[:, 0])
    one, two, all_ = ((n_in == k)[:, None, None] for k in (1, 2, 3))
    first = np.where(
        one, np.stack([p[:, 0], q1, q2], 1), np.where(two, np.stack([q1, p[:, 1], p[:, 2]], 1), p)
    )
    nothing = np.repeat(p[:, :1], 3, axis=1)
    second = np.where(two & ~all_, np.stack([q1, p[:, 2], q2], 1), nothing)
    return first, second
