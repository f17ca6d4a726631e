"""Point location: which tetrahedron holds a point, and where in it."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.meshes.mesh import TetMesh


def neighbours(mesh: TetMesh) -> NDArray[np.int32]:
    """Return the neighbour of each tetrahedron opposite to each of its vertices.

    Returns
    -------
    ndarray, shape (n_tets, 4), int32
        -1 where the face opposite to that vertex is on the boundary.
    """
    from rheobase.meshes._locate_numba import pair_faces

    faces = np.sort(mesh.tets[:, [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]], axis=2)
    faces = faces.reshape(-1, 3)
    keys = np.empty((len(faces), 2), np.int64)
    keys[:, 0] = faces[:, 0].astype(np.int64) * len(mesh.nodes) + faces[:, 1]
    keys[:, 1] = faces[:, 2]
    out = np.full((len(mesh.tets), 4), -1, np.int32)
    pair_faces(mesh.tets, np.lexsort((keys[:, 1], keys[:, 0])), keys, out)
    return out


class Locator:
    """Finds the tetrahedra of points: a uniform grid of candidate lists, or a walk from a guess.

    Parameters
    ----------
    mesh
        The mesh; the locator holds about 60 bytes a tetrahedron, 16 of them once a walk was asked.
    """

    def __init__(self, mesh: TetMesh) -> None:
        from rheobase.meshes._locate_numba import fill_boxes

        self.mesh = mesh
        low, high = mesh.nodes.min(axis=0), mesh.nodes.max(axis=0)
        extent = high - low
        # one to two tetrahedra a box, at most 64 M boxes in all
        cell = (6.0 * float(np.abs(mesh.volumes()).mean())) ** (1 / 3)
        cell = max(cell, float((extent.prod() / 6.4e7) ** (1 / 3)))
        margin = 1e-9 * float(extent.max())
        self._low = low - margin
        self._cell = cell
        self._shape = (np.floor((extent + 2 * margin) / cell) + 1).astype(np.int64)
        first = np.zeros(int(self._shape.prod()) + 1, np.int64)
        arguments = (mesh.nodes, mesh.tets, self._low, cell, self._shape)
        fill_boxes(*arguments, first, np.empty(0, np.int32))
        self._first = np.cumsum(first)
        self._members = np.empty(int(self._first[-1]), np.int32)
        fill_boxes(*arguments, self._first[:-1].copy(), self._members)

    @cached_property
    def neighbours(self) -> NDArray[np.int32]:
        """Neighbours of each tetrahedron (`neighbours`), found when a walk first needs them."""
        return neighbours(self.mesh)

    def tets(self, points: ArrayLike) -> NDArray[np.int32]:
        """Return the tetrahedron of each point (m), shape (n,); -1 outside the mesh.

        The same as `locate` without a guess, less the coordinates: faster where points in a row are
        near each other.

        Raises
        ------
        InputError
            As `locate`.
        """
        from rheobase.meshes._locate_numba import tets_of

        points = _checked(points)
        found = np.empty(len(points), np.int32)
        boxes = (self._low, self._cell, self._shape, self._first, self._members)
        tets_of(self.mesh.nodes, self.mesh.tets, *boxes, points, found)
        return found

    def locate(
        self, points: ArrayLike, start: ArrayLike | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return the tetrahedron that holds each point.

        Parameters
        ----------
        points
            Coordinates (m), shape (n, 3).
        start
            Guess for each point, shape (n,), or one for all; negative for none. A good guess saves
            the search, a bad one costs a walk, neither changes the answer.

        Returns
        -------
        tet
            Index of the tetrahedron, -1 outside the mesh, shape (n,), int32.
        barycentric
            Barycentric coordinates there, NaN outside, shape (n, 4).

        Raises
        ------
        InputError
            If ``points`` does not have shape (n, 3) or is not finite.

        Examples
        --------
        >>> mesh = TetMesh(nodes=[[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]],
        ...                tets=[[0, 1, 2, 3]], labels=[1])
        >>> tet, weights = Locator(mesh).locate([[0.1, 0.2, 0.3], [1.0, 1.0, 1.0]])
        >>> tet.tolist(), weights[0].round(3).tolist()
        ([0, -1], [0.4, 0.1, 0.2, 0.3])
        """
        from rheobase.meshes._locate_numba import locate

        points = _checked(points)
        guess = np.empty(len(points), np.int32)
        guess[:] = -1 if start is None else start
        found = np.empty(len(points), np.int32)
        bary = np.empty((len(points), 4))
        locate(
            self.mesh.nodes,
            self.mesh.tets,
            np.empty((0, 4), np.int32) if start is None else self.neighbours,
            self._low,
            self._cell,
            self._shape,
            self._first,
            self._members,
            guess,
            points,
            found,
            bary,
        )
        return found, bary


def _checked(points: ArrayLike) -> NDArray[np.float64]:
    x = np.ascontiguousarray(points, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != 3:
        raise InputError(f"points must have shape (n, 3), got {x.shape}")
    if not np.isfinite(x).all():
        raise InputError("points must be finite")
    return x
