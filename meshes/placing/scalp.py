"""The scalp of a mesh: its outer surface, tangent frames on it, and what a pad covers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.mesh import TetMesh

NORMAL_RADIUS = 0.010  # the normal is the mean over this distance (m): more than a triangle
OFF_HEAD = 0.010  # a centre further from the scalp than this (m) is an error


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
        self, point: NDArray[np.float64], *, where: str, radius: float = NORMAL_RADIUS
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

        Raises
        ------
        InputError
            If the scalp is further than 10 mm away.
        """
        origin, distance = self.nearest(point)
        if distance > OFF_HEAD:
            raise InputError(
                f"expected a place on the scalp, got one {distance * 1e3:.1f} mm off it: {where}"
            )
        near = ((self.centroids - origin) ** 2).sum(1) < max(radius, self.edge) ** 2
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
        """Integrate the hat functions over the part of each triangle inside an outline.

        Triangles that the outline crosses are divided in 64, and each part is clipped along the
        straight line through the zeros of the signed distance.

        Parameters
        ----------
        triangles
            Indices into ``triangles``, shape (n,).
        uv
            In-plane coordinates of their corners (m), shape (n, 3, 2).
        outside
            Signed distance (m) of in-plane points, < 0 inside.
        """
        n = len(triangles)
        area = np.linalg.norm(self.normals[triangles], axis=1)
        parts = _subdivide(3)  # (64, 3, 3) barycentric corners
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


def _subdivide(levels: int) -> NDArray[np.float64]:
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
