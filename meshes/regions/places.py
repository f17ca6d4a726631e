"""Places of a head that a region is asked about: in tetrahedra, in columns, anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.head import Head

Floats = NDArray[np.float64]

BLOCK = 100_000  # places asked at a time
MOST_LEVELS = 4


class Places:
    """Points of one head: where they are in each space, and in which tissue.

    Parameters
    ----------
    head
        The head.
    points
        Gives them in a space, "head" or "MNI" (m), shape (n, 3); NaN where there is no image.
    labels
        Gives the tissue label of each, shape (n,); -1 outside the mesh.
    """

    def __init__(
        self,
        head: Head,
        points: Callable[[str], Floats],
        labels: Callable[[], NDArray[np.int32]],
    ) -> None:
        self.head = head
        self._points, self._labels = points, labels
        self._known: dict[str, Floats] = {}

    def within(self, space: str) -> Floats:
        """Return the points in ``space`` (m), shape (n, 3)."""
        if space not in self._known:
            self._known[space] = self._points(space)
        return self._known[space]

    @property
    def labels(self) -> NDArray[np.int32]:
        """Tissue label of each, shape (n,)."""
        return self._labels()


def tet_places(
    head: Head, levels: int, bounds: Floats | None = None
) -> Iterator[tuple[NDArray[np.intp], Places]]:
    """Yield blocks of tetrahedra with the places asked in them, those of each in a row.

    The nodes are moved to a space once; within a tetrahedron the map is taken as linear.

    Parameters
    ----------
    head, levels
        As in `Region.weights`.
    bounds
        Tetrahedra that do not touch this box (m), shape (2, 3), are left out.
    """
    if not 0 <= levels <= MOST_LEVELS:
        raise InputError(f"expected 0 to {MOST_LEVELS} levels, got {levels!r}: region")
    mesh = head.mesh
    chosen = np.arange(len(mesh.tets))
    if bounds is not None:
        # six bits: beyond which faces of the box a node lies; a bit that all four share
        beyond = np.concatenate([mesh.nodes < bounds[0], mesh.nodes > bounds[1]], axis=1)
        side = np.packbits(beyond, axis=1).ravel()
        chosen = np.flatnonzero(np.bitwise_and.reduce(side[mesh.tets], axis=1) == 0)
    bary = centroids_of_parts(levels)
    nodes: dict[str, Floats] = {}
    block = max(1, BLOCK // len(bary))
    for start in range(0, len(chosen), block):
        part = chosen[start : start + block]

        def points(space: str, part: NDArray[np.intp] = part) -> Floats:
            if space not in nodes:
                nodes[space] = mesh.nodes if space == "head" else head.to_mni(mesh.nodes)
            asked: Floats = np.matmul(bary, nodes[space][mesh.tets[part]]).reshape(-1, 3)
            return asked

        def labels(part: NDArray[np.intp] = part) -> NDArray[np.int32]:
            return np.repeat(mesh.labels[part], len(bary))

        yield part, Places(head, points, labels)


def column_places(head: Head) -> Places:
    """Return the middles of the head's cortical columns; their tissue is grey matter.

    Raises
    ------
    InputError
        If the head has no cortical sheet.
    """
    if head.cortex is None:
        raise InputError(f"expected a head with a cortical sheet, {head.name!r} has none")
    middle = head.cortex.points(0.5)

    def labels() -> NDArray[np.int32]:
        return np.full(len(middle), head.label_of("grey_matter"), np.int32)

    return Places(head, lambda s: middle if s == "head" else head.to_mni(middle), labels)


def point_places(head: Head, points: Floats) -> Places:
    """Return ``points`` of the head (m), shape (n, 3), as places."""

    def labels() -> NDArray[np.int32]:
        from rheobase.meshes.locate import Locator

        tet, _ = Locator(head.mesh).locate(points)
        return np.where(tet >= 0, head.mesh.labels[tet], np.int32(-1))

    return Places(head, lambda s: points if s == "head" else head.to_mni(points), labels)


def centroids_of_parts(levels: int) -> Floats:
    """Return barycentric centroids of the 8**levels equal parts of a tetrahedron.

    Each cut takes a corner off at the middles of its edges, four times, and divides the octahedron
    that is left by one of its diagonals (Bey 1995, Computing 55:355).

    Examples
    --------
    >>> centroids_of_parts(1).shape, centroids_of_parts(1).sum(axis=0).tolist()
    ((8, 4), [2.0, 2.0, 2.0, 2.0])
    """
    parts = np.eye(4)[None]
    cuts = np.array(
        [
            [[0, 0], [0, 1], [0, 2], [0, 3]],
            [[0, 1], [1, 1], [1, 2], [1, 3]],
            [[0, 2], [1, 2], [2, 2], [2, 3]],
            [[0, 3], [1, 3], [2, 3], [3, 3]],
            [[0, 1], [0, 2], [0, 3], [1, 3]],
            [[0, 1], [0, 2], [1, 2], [1, 3]],
            [[0, 2], [0, 3], [1, 3], [2, 3]],
            [[0, 2], [1, 2], [1, 3], [2, 3]],
        ]
    )
    for _ in range(levels):
        parts = parts[:, cuts].mean(axis=3).reshape(-1, 4, 4)
    centroids: Floats = parts.mean(axis=1)
    return centroids
