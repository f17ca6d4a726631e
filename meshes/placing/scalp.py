"""The scalp of a mesh: its outer surface, tangent frames on it, and what a pad covers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.placing.cover import Cover, cover

NORMAL_RADIUS = 0.010  # the normal is the mean over this distance (m): more than a triangle
OFF_HEAD = 0.010  # a place further from the scalp than this (m) is an error unless told otherwise


class Scalp:
    """The outer surface of a mesh (inner cavities left out).

    Parameters
    ----------
    mesh
        The mesh.

    Attributes
    ----------
    nodes
        Coordinates of all mesh nodes (m), shape (n_nodes, 3).
    triangles
        Outward triangles as mesh nodes, shape (n, 3).
    normals
        Area vectors (m²), shape (n, 3).
    edge
        Longest edge (m).
    """

    def __init__(self, mesh: TetMesh) -> None:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        triangles = mesh.boundary()
        n = len(mesh.nodes)
        i, j = triangles[:, [0, 1]].T.ravel(), triangles[:, [1, 2]].T.ravel()
        _, part = connected_components(
            coo_array((np.ones(len(i), np.int8), (i, j)), shape=(n, n)), directed=False
        )
        top = triangles[:, 0][mesh.nodes[triangles[:, 0], 2].argmax()]
        self.nodes = mesh.nodes
        self.triangles = triangles[part[triangles[:, 0]] == part[top]]
        a, b, c = (mesh.nodes[self.triangles[:, k]] for k in range(3))
        self.normals: NDArray[np.float64] = 0.5 * np.cross(b - a, c - a)
        self.centroids: NDArray[np.float64] = (a + b + c) / 3
        self.edge = float(
            np.sqrt(max(((p - q) ** 2).sum(1).max() for p, q in ((a, b), (b, c), (c, a))))
        )

    def frame(
        self,
        point: NDArray[np.float64],
        *,
        where: str,
        radius: float = NORMAL_RADIUS,
        limit: float = OFF_HEAD,
    ) -> Frame:
        """Return the tangent frame at the scalp point nearest to ``point``.

        Parameters
        ----------
        point
            Position (m), shape (3,).
        where
            What is being placed, for the error.
        radius
            The normal is averaged over this distance (m).
        limit
            How far off the scalp the point may be (m).

        Raises
        ------
        InputError
            If it is further away.
        """
        origin, distance = self.nearest(point)
        if distance > limit:
            raise InputError(
                f"expected a place within {limit * 1e3:g} mm of the scalp, "
                f"got one {distance * 1e3:.1f} mm off it: {where}"
            )
        away = ((self.centroids - origin) ** 2).sum(1)
        near = away <= max(radius**2, away.min())
        normal = self.normals[near].sum(0)
        normal /= np.linalg.norm(normal)
        turn = _carry(normal)
        return Frame(scalp=self, origin=origin, right=turn[:, 0], front=turn[:, 1], normal=normal)

    def nearest(self, point: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Return the scalp point nearest to ``point`` (m) and its distance (m)."""
        reach = ((self.centroids - point) ** 2).sum(1)
        candidates = np.flatnonzero(reach <= (np.sqrt(reach.min()) + 2 * self.edge) ** 2)
        a, b, c = (self.nodes[self.triangles[candidates, k]] for k in range(3))
        foot = _nearest_on_triangles(np.asarray(point, dtype=np.float64), a, b, c)
        distance = np.linalg.norm(foot - point, axis=1)
        best = int(distance.argmin())
        return foot[best], float(distance[best])

    def cover(
        self,
        triangles: NDArray[np.intp],
        uv: NDArray[np.float64],
        outside: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    ) -> Cover:
        """Integrate over the part of ``triangles`` (indices) inside an outline: see `cover`."""
        return cover(np.linalg.norm(self.normals[triangles], axis=1), uv, outside)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Frame:
    """A tangent frame on the scalp.

    ``front`` and ``right`` are the axes +y and +x carried from the vertex to this place by the
    smallest turn; (right, front, normal) is right-handed. In-plane coordinates (u, v) run along
    right and front and keep distances from the origin *along* the scalp: the bearing is that of the
    tangential projection, the distance the arc of the circle through origin and point that is
    tangent to the plane. On a sphere this is exact.
    """

    scalp: Scalp
    origin: NDArray[np.float64]
    right: NDArray[np.float64]
    front: NDArray[np.float64]
    normal: NDArray[np.float64]

    def turned(self, angle: float) -> Frame:
        """Return the frame turned by ``angle`` (rad), anticlockwise seen from outside."""
        c, s = np.cos(angle), np.sin(angle)
        return replace(
            self, right=c * self.right + s * self.front, front=c * self.front - s * self.right
        )

    def bearing(self, point: NDArray[np.float64], *, where: str) -> float:
        """Return the angle (rad) by which ``front`` turns towards a point (m), shape (3,).

        Raises
        ------
        InputError
            If the point lies above or below the origin, within a tenth of a millimetre.
        """
        d = point - self.origin
        u, v = float(d @ self.right), float(d @ self.front)
        if not np.hypot(u, v) > 1e-4:
            raise InputError(
                f"expected a point to turn to away from the place itself, got {point}: {where}"
            )
        return float(np.arctan2(-u, v))

    def coordinates(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the in-plane coordinates (m) of points (n, 3) of the scalp, shape (n, 2)."""
        d = points - self.origin
        uv = np.stack([d @ self.right, d @ self.front], axis=-1)
        flat = np.linalg.norm(uv, axis=-1)
        chord = np.linalg.norm(d, axis=-1)
        half = np.arccos(
            np.clip(np.divide(flat, chord, out=np.ones_like(chord), where=chord > 0), 0, 1)
        )
        arc = chord / np.sinc(half / np.pi)
        scaled: NDArray[np.float64] = (
            uv * np.divide(arc, flat, out=np.ones_like(flat), where=flat > 0)[..., None]
        )
        return scaled

    def within(self, radius: float) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the scalp triangles around the origin and their in-plane corners.

        Only triangles that face the same way and touch the patch around the origin count.

        Returns
        -------
        triangles : ndarray, shape (n,)
        uv : ndarray, shape (n, 3, 2)
        """
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        scalp = self.scalp
        near = np.flatnonzero(
            (((scalp.centroids - self.origin) ** 2).sum(1) < radius**2)
            & (scalp.normals @ self.normal > 0)
        )
        tri = scalp.triangles[near]
        nodes, local = np.unique(tri, return_inverse=True)
        local = local.reshape(tri.shape)
        i, j = local[:, [0, 1]].T.ravel(), local[:, [1, 2]].T.ravel()
        _, part = connected_components(
            coo_array((np.ones(len(i), np.int8), (i, j)), shape=(len(nodes), len(nodes))),
            directed=False,
        )
        middle = int(((scalp.nodes[nodes] - self.origin) ** 2).sum(1).argmin())
        kept = part[local[:, 0]] == part[middle]
        near, local = near[kept], local[kept]
        return near, self.coordinates(scalp.nodes[nodes])[local]

    def point(self, uv: NDArray[np.float64], *, where: str) -> NDArray[np.float64]:
        """Return the scalp point (m) with in-plane coordinates ``uv`` (m), shape (3,).

        Raises
        ------
        InputError
            If the scalp does not reach there.
        """
        triangles, corner = self.within(1.2 * float(np.linalg.norm(uv)) + 2 * self.scalp.edge)
        a, b, c = corner[:, 0], corner[:, 1], corner[:, 2]
        det = _cross(b - a, c - a)
        with np.errstate(divide="ignore", invalid="ignore"):
            w1, w2 = _cross(uv - a, c - a) / det, _cross(b - a, uv - a) / det
        weight = np.stack([1 - w1 - w2, w1, w2], axis=1)
        worst = np.where(np.isfinite(weight).all(axis=1), weight.min(axis=1), -np.inf)
        best = int(worst.argmax()) if len(worst) else -1
        if best < 0 or worst[best] < -1e-9:
            raise InputError(f"the scalp does not reach there: {where}")
        corners = self.scalp.nodes[self.scalp.triangles[triangles[best]]]
        found: NDArray[np.float64] = weight[best] @ corners
        return found


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    z: NDArray[np.float64] = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return z


def _carry(normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smallest rotation that takes +z to ``normal``, shape (3, 3)."""
    x, y, z = normal
    if z < -1 + 1e-12:
        return np.diag([1.0, -1.0, -1.0])
    h = 1 / (1 + z)
    return np.array([[1 - h * x * x, -h * x * y, x], [-h * x * y, 1 - h * y * y, y], [-x, -y, z]])


def _nearest_on_triangles(
    p: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the point of each triangle nearest to p: its foot inside, else the best edge point."""
    normal = np.cross(b - a, c - a)
    square = (normal**2).sum(1)
    foot = p + (((a - p) * normal).sum(1) / square)[:, None] * normal
    weights = [
        (np.cross(e, foot - o) * normal).sum(1) >= 0
        for o, e in ((a, b - a), (b, c - b), (c, a - c))
    ]
    inside = np.logical_and.reduce(weights)
    candidates = []
    for o, e in ((a, b - a), (b, c - b), (c, a - c)):
        t = np.clip(((p - o) * e).sum(1) / (e**2).sum(1), 0, 1)
        candidates.append(o + t[:, None] * e)
    edges = np.stack(candidates)
    best = ((edges - p) ** 2).sum(2).argmin(0)
    return np.where(inside[:, None], foot, edges[best, np.arange(len(a))])
