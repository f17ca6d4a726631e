"""The cortical sheet: columns between the pial and the white surface, and their measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError

Floats = NDArray[np.float64]
Triangles = NDArray[np.int32]

SHORTEST = 1e-5  # m; a column this short is no cortex (the medial wall, where both surfaces meet)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CorticalSheet:
    """The cortex as columns: pairs of points on the pial and the white surface.

    Parameters
    ----------
    pial, white
        The two ends of each column (m), shape (n, 3) each. Depth 0 is pial, depth 1 is white.
    triangles
        Surface topology over the columns, counter-clockwise seen from the pia, shape
        (n_triangles, 3).
    area
        Mid-depth surface area that each column stands for (m²), shape (n,).
    """

    pial: Floats
    white: Floats
    triangles: Triangles
    area: Floats

    @property
    def thickness(self) -> Floats:
        """Length of each column (m), shape (n,)."""
        length: Floats = np.linalg.norm(self.pial - self.white, axis=1)
        return length

    @property
    def normal(self) -> Floats:
        """Unit vector from white to pial, shape (n, 3)."""
        normal: Floats = (self.pial - self.white) / self.thickness[:, None]
        return normal

    def points(self, depth: ArrayLike) -> Floats:
        """Return the point of each column at ``depth`` (0 pial … 1 white), shape (n, 3)."""
        d = np.broadcast_to(np.asarray(depth, dtype=np.float64), (len(self.pial),))[:, None]
        points: Floats = (1.0 - d) * self.pial + d * self.white
        return points

    def area_at(self, depth: float) -> Floats:
        """Return the area that each column stands for at ``depth`` (m²), shape (n,)."""
        return thirds(triangle_areas(self.points(depth), self.triangles), self.triangles, len(self))

    def sections(self) -> Floats:
        """Return the areas (m²) across the columns at depths 0, 1/2 and 1, shape (n, 3).

        The sheet between a triangle of the pia and that of the white surface is swept by points
        that go straight from one to the other. Its volume above depth d is the integral of

            q(d) = t · (e1(d) × e2(d)) / 2,

        t the mean of the triangle's three columns and e1, e2 its edges at depth d: a quadratic,
        so that three values hold it all and Simpson's rule is exact. A column has a third of each
        of its triangles, over its own length: the area across it. Negative where the sheet folds
        over.
        """
        across = np.empty((len(self), 3))
        along = (self.pial - self.white)[self.triangles].mean(axis=1)
        for k, depth in enumerate((0.0, 0.5, 1.0)):
            corners = self.points(depth)[self.triangles]
            twice = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            swept = 0.5 * np.einsum("ij,ij->i", along, twice)
            across[:, k] = thirds(swept, self.triangles, len(self))
        across /= self.thickness[:, None]
        return across

    def volume(self) -> Floats:
        """Return the volume of each column (m³), shape (n,); their sum is that of the sheet."""
        volume: Floats = self.thickness * (self.sections() @ np.array([1.0, 4.0, 1.0])) / 6.0
        return volume

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self.pial)


def triangle_areas(points: Floats, triangles: NDArray[np.integer]) -> Floats:
    """Return the area of each triangle, shape (n_triangles,)."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    area: Floats = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return area


def thirds(values: Floats, triangles: NDArray[np.integer], n: int) -> Floats:
    """Give a third of each triangle's value to each of its corners, shape (n,)."""
    share: Floats = np.bincount(triangles.ravel(), weights=np.repeat(values / 3.0, 3), minlength=n)
    return share


def sheet_from_pairs(pial: Floats, white: Floats, triangles: Triangles) -> CorticalSheet:
    """Return the sheet of given columns; each stands for a third of its triangles' area.

    Parameters
    ----------
    pial, white
        Ends of the columns (m), shape (n, 3) each.
    triangles
        Topology over the columns, shape (n_triangles, 3).
    """
    area = triangle_areas(0.5 * (pial + white), triangles)
    return CorticalSheet(
        pial=pial, white=white, triangles=triangles, area=thirds(area, triangles, len(pial))
    )


def sheet_from_surfaces(
    pial: ArrayLike, white: ArrayLike, triangles: ArrayLike, *, keep: ArrayLike | None = None
) -> CorticalSheet:
    """Return the sheet between two given surfaces whose vertices correspond.

    That is what FreeSurfer, CAT12 and SimNIBS write: ``lh.pial`` and ``lh.white`` share number and
    order of vertices and the triangles. A column joins a vertex of the one to its partner.

    Parameters
    ----------
    pial, white
        Vertices (m), shape (n, 3) each.
    triangles
        Shape (n_triangles, 3); all are turned where most face the white surface.
    keep
        Vertices to keep, shape (n,); those whose two ends coincide (the medial wall) always go.

    Raises
    ------
    InputError
        If the surfaces do not correspond, hold non-finite points, or nothing is left.
    """
    ends = [np.ascontiguousarray(p, dtype=np.float64) for p in (pial, white)]
    faces = np.ascontiguousarray(triangles, dtype=np.int32)
    if ends[0].ndim != 2 or ends[0].shape[1] != 3 or ends[0].shape != ends[1].shape:
        raise InputError(
            "expected as many pial as white vertices, shape (n, 3), got "
            f"{ends[0].shape} and {ends[1].shape}: cortical sheet"
        )
    if not all(np.isfinite(p).all() for p in ends):
        raise InputError("expected finite vertices: cortical sheet")
    n = len(ends[0])
    if faces.ndim != 2 or faces.shape[1] != 3 or not len(faces):
        raise InputError(f"expected triangles of shape (m, 3), got {faces.shape}: cortical sheet")
    if faces.min() < 0 or faces.max() >= n:
        raise InputError(
            f"expected triangles over {n} vertices, got {faces.min()} to {faces.max()}: "
            "cortical sheet"
        )
    chosen = np.linalg.norm(ends[0] - ends[1], axis=1) > SHORTEST
    if keep is not None:
        chosen &= np.asarray(keep, dtype=bool)
    faces, used = whole_triangles(faces, chosen)
    if not len(faces):
        raise InputError("expected columns of some length, found none: cortical sheet")
    sheet = sheet_from_pairs(ends[0][used], ends[1][used], faces)
    if np.median(sheet.sections()[:, 1]) < 0:
        sheet = sheet_from_pairs(sheet.pial, sheet.white, np.ascontiguousarray(faces[:, ::-1]))
    return sheet


def sheet_from_central(
    central: ArrayLike, thickness: ArrayLike, triangles: ArrayLike
) -> CorticalSheet:
    """Return the sheet around a central surface with a thickness at each vertex.

    The columns are straight along the normals, half their length to either side.

    Parameters
    ----------
    central
        Vertices at half depth (m), shape (n, 3).
    thickness
        Thickness of the cortex there (m), shape (n,).
    triangles
        Counter-clockwise seen from the pia, shape (n_triangles, 3).

    Raises
    ------
    InputError
        If shapes differ or a thickness is negative or not finite.
    """
    middle = np.ascontiguousarray(central, dtype=np.float64)
    faces = np.ascontiguousarray(triangles, dtype=np.int32)
    length = np.asarray(thickness, dtype=np.float64)
    if middle.ndim != 2 or middle.shape[1] != 3 or length.shape != middle.shape[:1]:
        raise InputError(
            f"expected one thickness per vertex, got {length.shape} for {middle.shape}: "
            "cortical sheet"
        )
    if not (np.isfinite(length).all() and (length >= 0).all()):
        raise InputError("expected finite thicknesses >= 0 m: cortical sheet")
    half = 0.5 * length[:, None] * vertex_normals(middle, faces)
    return sheet_from_surfaces(middle + half, middle - half, faces)


def join_sheets(*sheets: CorticalSheet) -> CorticalSheet:
    """Return one sheet of several, such as the two hemispheres."""
    first = np.cumsum([0, *(len(s) for s in sheets[:-1])])
    return CorticalSheet(
        pial=np.concatenate([s.pial for s in sheets]),
        white=np.concatenate([s.white for s in sheets]),
        triangles=np.concatenate(
            [s.triangles + np.int32(k) for s, k in zip(sheets, first, strict=True)]
        ),
        area=np.concatenate([s.area for s in sheets]),
    )


def vertex_normals(points: Floats, triangles: NDArray[np.integer]) -> Floats:
    """Return unit normals at the vertices, triangles weighted by their angle there.

    Thürmer & Wüthrich (1998, J. Graph. Tools 3:43). Zero where a vertex has no triangle.
    """
    corners = points[triangles]
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    face /= np.maximum(np.linalg.norm(face, axis=1, keepdims=True), 1e-300)
    total = np.zeros((len(points), 3))
    for k in range(3):
        a = corners[:, (k + 1) % 3] - corners[:, k]
        b = corners[:, (k + 2) % 3] - corners[:, k]
        angle = np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), np.einsum("ij,ij->i", a, b))
        for axis in range(3):
            total[:, axis] += np.bincount(
                triangles[:, k], weights=angle * face[:, axis], minlength=len(points)
            )
    total /= np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-300)
    return total


def whole_triangles(
    triangles: Triangles, kept: NDArray[np.bool_]
) -> tuple[Triangles, NDArray[np.int32]]:
    """Return the triangles whose three columns are kept, renumbered, and the columns they use."""
    triangles = triangles[kept[triangles].all(axis=1)]
    used = np.unique(triangles).astype(np.int32)
    number = np.full(len(kept), -1, np.int32)
    number[used] = np.arange(len(used), dtype=np.int32)
    return number[triangles], used
