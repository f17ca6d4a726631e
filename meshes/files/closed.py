"""Whether a triangulated surface is closed, and the filling of its small holes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.files.surfaces import Surface

#: Holes with at most this many edges are filled.
SMALL_HOLE = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Edges:
    """How the triangles of a surface meet.

    Parameters
    ----------
    open
        Directed edges of triangles without a neighbour across them, shape (n, 2).
    crowded
        Number of edges where more than two triangles meet.
    turned
        Number of edges across which the orientation changes.
    """

    open: NDArray[np.int32]
    crowded: int
    turned: int


def edges_of(triangles: NDArray[np.int32]) -> Edges:
    """Return how triangles meet at their edges."""
    directed = triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2).astype(np.int64)
    low, high = directed.min(axis=1), directed.max(axis=1)
    key = low * (int(triangles.max()) + 1) + high
    _, number, count = np.unique(key, return_inverse=True, return_counts=True)
    forward = np.bincount(number, weights=directed[:, 0] == low, minlength=len(count))
    return Edges(
        open=directed[count[number] == 1].astype(np.int32),
        crowded=int(np.count_nonzero(count > 2)),
        turned=int(np.count_nonzero((count == 2) & (forward != 1))),
    )


def enclosed_volume(surface: Surface) -> float:
    """Return the volume inside a closed surface (m³), negative when it is inside out."""
    centred = surface.points - surface.points.mean(axis=0)
    a, b, c = (centred[surface.triangles[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->", np.cross(a, b), c) / 6.0)


def closed(surface: Surface, where: str) -> Surface:
    """Return a surface that is closed and turned outwards, with small holes filled.

    Parameters
    ----------
    surface
        The surface.
    where
        Its file, for messages.

    Returns
    -------
    Surface
        With notes on what was repaired.

    Raises
    ------
    InputError
        If holes of more than 24 edges are left (with the number of open edges), or it encloses
        nothing.
    """
    notes = list(surface.notes)
    t = surface.triangles
    whole = (t[:, 0] != t[:, 1]) & (t[:, 1] != t[:, 2]) & (t[:, 2] != t[:, 0])
    if not whole.all():
        notes.append(f"{np.count_nonzero(~whole)} triangles with a repeated corner left out")
        surface = replace(surface, triangles=t[whole])
        if not whole.any():
            raise InputError(f"expected triangles with three corners, found none: {where}")
    edges = edges_of(surface.triangles)
    if len(edges.open):
        surface, filled = _filled(surface, edges.open)
        left = edges_of(surface.triangles)
        if len(left.open):
            raise InputError(
                f"expected a closed surface, got {len(edges.open)} open edges "
                f"({len(left.open)} after filling holes of up to {SMALL_HOLE} edges): {where}"
            )
        notes.append(f"{filled} small holes filled ({len(edges.open)} open edges)")
        edges = left
    if edges.crowded:
        notes.append(f"more than two triangles meet at {edges.crowded} edges")
    if edges.turned:
        notes.append(f"the orientation changes across {edges.turned} edges")
    volume = enclosed_volume(surface)
    size = float(np.ptp(surface.points, axis=0).max())
    if not edges.turned:
        if not abs(volume) > 1e-9 * size**3:
            raise InputError(f"expected a surface that encloses a volume, got a flat one: {where}")
        if volume < 0:
            surface = replace(surface, triangles=surface.triangles[:, ::-1].copy())
            notes.append("turned: it was inside out")
    return replace(surface, notes=tuple(notes))


def _filled(surface: Surface, open_edges: NDArray[np.int32]) -> tuple[Surface, int]:
    """Close each small loop of open edges by a fan about its centre; return how many there were."""
    following: dict[int, list[int]] = {}
    for a, b in open_edges.tolist():
        following.setdefault(b, []).append(a)  # the hole runs against its triangles
    points, triangles = [surface.points], [surface.triangles]
    n, filled = len(surface.points), 0
    while following:
        start = next(iter(following))
        loop = [start]
        while loop[-1] in following:
            here = loop[-1]
            there = following[here].pop()
            if not following[here]:
                del following[here]
            if there == start:
                break
            loop.append(there)
        else:
            continue  # no loop: edges of triangles that are turned the wrong way
        if not 3 <= len(loop) <= SMALL_HOLE:
            continue
        ring = np.array(loop, np.int32)
        if len(loop) == 3:
            triangles.append(ring[None])
        else:
            points.append(surface.points[ring].mean(axis=0)[None])
            middle = np.full(len(ring), n, np.int32)
            triangles.append(np.stack([ring, np.roll(ring, -1), middle], axis=1))
            n += 1
        filled += 1
    made = replace(
        surface, points=np.concatenate(points), triangles=np.concatenate(triangles).astype(np.int32)
    )
    return made, filled
