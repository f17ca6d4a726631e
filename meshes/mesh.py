"""The tetrahedral mesh: nodes, tetrahedra and the tissue label of each."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

#: Tetrahedra whose volumes are computed at once: few enough for the cache.
CHUNK = 8192


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TetMesh:
    """Conforming mesh of positively oriented tetrahedra, one tissue label each.

    Parameters
    ----------
    nodes
        Coordinates (m), shape (n_nodes, 3), float64.
    tets
        Node indices, shape (n_tets, 4), int32; every signed volume is > 0.
    labels
        Tissue label of each tetrahedron, shape (n_tets,), int32.

    Raises
    ------
    ValueError
        If shapes, index ranges or orientations are wrong.
    """

    nodes: NDArray[np.float64]
    tets: NDArray[np.int32]
    labels: NDArray[np.int32]
    _volumes: NDArray[np.float64] = field(init=False, repr=False)
    _outer: list[tuple[NDArray[np.int32], NDArray[np.int64]]] = field(
        init=False, repr=False, default_factory=list
    )

    def __post_init__(self) -> None:
        """Check shapes, indices and orientation."""
        set_ = object.__setattr__
        set_(self, "nodes", np.ascontiguousarray(self.nodes, dtype=np.float64))
        set_(self, "tets", np.ascontiguousarray(self.tets, dtype=np.int32))
        set_(self, "labels", np.ascontiguousarray(self.labels, dtype=np.int32))
        if self.nodes.ndim != 2 or self.nodes.shape[1] != 3:
            raise ValueError(f"nodes must have shape (n, 3), got {self.nodes.shape}")
        if self.tets.ndim != 2 or self.tets.shape[1] != 4 or len(self.tets) == 0:
            raise ValueError(f"tets must have shape (n > 0, 4), got {self.tets.shape}")
        if self.labels.shape != (len(self.tets),):
            raise ValueError(f"labels must have shape {(len(self.tets),)}, got {self.labels.shape}")
        if self.tets.min() < 0 or self.tets.max() >= len(self.nodes):
            raise ValueError(
                f"tets index nodes {self.tets.min()}..{self.tets.max()}, "
                f"there are {len(self.nodes)}"
            )
        volumes = self._measured()
        if not (volumes > 0).all():
            raise ValueError(f"{np.count_nonzero(~(volumes > 0))} tetrahedra have no volume > 0")
        volumes.flags.writeable = False
        set_(self, "_volumes", volumes)

    def volumes(self) -> NDArray[np.float64]:
        """Return the volume of each tetrahedron (m³), shape (n_tets,), read-only."""
        return self._volumes

    def _measured(self) -> NDArray[np.float64]:
        volumes = np.empty(len(self.tets))
        for first in range(0, len(volumes), CHUNK):
            some = slice(first, first + CHUNK)
            p = np.ascontiguousarray(self.nodes[self.tets[some]].transpose(1, 2, 0))
            (ux, uy, uz), (vx, vy, vz), (wx, wy, wz) = p[1:] - p[0]
            volumes[some] = (
                (uy * vz - uz * vy) * wx + (uz * vx - ux * vz) * wy + (ux * vy - uy * vx) * wz
            ) / 6.0
        return volumes

    def centroids(self) -> NDArray[np.float64]:
        """Return the centroid of each tetrahedron (m), shape (n_tets, 3)."""
        centroids: NDArray[np.float64] = self.nodes[self.tets].mean(axis=1)
        return centroids

    def tissue_volumes(self) -> dict[int, float]:
        """Return the volume (m³) of each label."""
        labels, inverse = np.unique(self.labels, return_inverse=True)
        sums = np.bincount(inverse, weights=self.volumes())
        return {int(label): float(v) for label, v in zip(labels, sums, strict=True)}

    def boundary(self, *labels: int) -> NDArray[np.int32]:
        """Return the outward triangles of the union of ``labels`` (of the whole mesh if none).

        Returns
        -------
        ndarray, shape (n_triangles, 3)
            Node indices, counter-clockwise seen from outside.
        """
        return self.outer_faces(*labels)[0]

    def outer_faces(self, *labels: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the triangles of `boundary`, and the tetrahedron of each, shape (n_triangles,).

        Those of the whole mesh are found once, and read-only.
        """
        if not labels:
            if not self._outer:
                found = self._outer_faces(())
                for array in found:
                    array.flags.writeable = False
                self._outer.append(found)
            return self._outer[0]
        return self._outer_faces(labels)

    def _outer_faces(self, labels: tuple[int, ...]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        from rheobase.meshes._faces_numba import OUTWARD, face_table

        chosen = np.flatnonzero(np.isin(self.labels, labels)) if labels else None
        tets = self.tets if chosen is None else self.tets[chosen]
        n = len(self.nodes)
        middle, high, face, first = face_table(tets, n, np.ones(n, np.bool_))
        low = np.repeat(np.arange(n), np.diff(first))
        twin = (low[1:] == low[:-1]) & (middle[1:] == middle[:-1]) & (high[1:] == high[:-1])
        alone = np.ones(len(face), np.bool_)
        alone[1:] &= ~twin
        alone[:-1] &= ~twin
        face = face[alone]
        triangles: NDArray[np.int32] = tets[face[:, None] // 4, OUTWARD[face % 4]]
        return triangles, face // 4 if chosen is None else chosen[face // 4]
