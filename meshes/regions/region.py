"""Regions of a head: shapes, masks, tissues, surfaces and parcels, and their set algebra.

A region is a rule that says of any place of a head whether it belongs to it. Regions of MNI space
are asked about the image of the place under the head's transform, so nothing is resampled. Set
algebra is that of the rules: ``cortex & ball - mask | other``, ``~region`` everything else within
the mesh.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.meshes.head import Head
from rheobase.meshes.regions.inside import ClosedSurface
from rheobase.meshes.regions.parcels import LabelImage, Parcels
from rheobase.meshes.regions.places import Places, column_places, point_places, tet_places
from rheobase.meshes.spaces import checked

if TYPE_CHECKING:
    from rheobase.meshes.insertion.shapes import Shape

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

SPACES = ("head", "MNI")
MOST_RADIUS = 1.0  # m; millimetres taken for metres would hold every head whole


class Membership(Protocol):
    """The rule of a region."""

    def inside(self, places: Places) -> Bools:
        """Return which places belong to it, shape (n,)."""
        ...

    def bounds(self, head: Head) -> Floats | None:
        """Return a box of the head (m), shape (2, 3), with all of it; None where not known."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Region:
    """A named set of places.

    Parameters
    ----------
    name
        Name, for tables and messages.
    membership
        Its rule; `ball`, `shape_region`, `mask_region`, `surface_region`, `tissue_region` and
        `Atlas.region` make regions with the usual ones.
    """

    name: str
    membership: Membership

    def contains(self, points: ArrayLike, head: Head) -> Bools:
        """Return which of ``points`` of the head (m), shape (n, 3), belong to the region."""
        return self.membership.inside(point_places(head, checked(points)))

    def weights(self, head: Head, *, levels: int = 1) -> Floats:
        """Return the part of each tetrahedron's volume that belongs to the region, shape (n_tets,).

        Parameters
        ----------
        head
            The head.
        levels
            Each tetrahedron is cut ``levels`` times into eight of equal volume, and the centroids
            of these are asked: 1, 8, 64, … of them. At 0 a tetrahedron belongs by its centroid.
        """
        out = np.zeros(len(head.mesh.tets))
        for part, places in tet_places(head, levels, self.membership.bounds(head)):
            out[part] = self.membership.inside(places).reshape(len(part), -1).mean(axis=1)
        return out

    def tets(self, head: Head) -> Bools:
        """Return the tetrahedra whose centroid belongs to the region, shape (n_tets,)."""
        return self.weights(head, levels=0) > 0.5

    def columns(self, head: Head) -> Bools:
        """Return the columns of the head's cortex whose middle belongs to it, shape (n_columns,).

        Raises
        ------
        InputError
            If the head has no cortical sheet.
        """
        return self.membership.inside(column_places(head))

    def volume(self, head: Head, *, levels: int = 1) -> float:
        """Return the volume of the region within the mesh (m³)."""
        return float(self.weights(head, levels=levels) @ head.mesh.volumes())

    def __and__(self, other: Region) -> Region:
        """Return what belongs to both."""
        return _combined(f"({self.name} & {other.name})", np.logical_and, self, other)

    def __or__(self, other: Region) -> Region:
        """Return what belongs to either."""
        return _combined(f"({self.name} | {other.name})", np.logical_or, self, other)

    def __sub__(self, other: Region) -> Region:
        """Return what belongs to the first and not to the second."""
        return _combined(f"({self.name} - {other.name})", np.greater, self, other)

    def __invert__(self) -> Region:
        """Return what does not belong to it."""
        return _combined(f"~{self.name}", np.logical_not, self)


def ball(centre: ArrayLike, radius: float, *, space: str = "head", name: str = "") -> Region:
    """Return a ball around a coordinate.

    Parameters
    ----------
    centre
        Its middle (m), shape (3,).
    radius
        In the head (m), also where the centre is an MNI coordinate: only the centre is moved.
    space
        Of the centre, "head" or "MNI".
    name
        Made of the numbers when empty.

    Raises
    ------
    InputError
        If the radius is not > 0 m and < 1 m or the centre is no finite point.
    """
    check_option("space", space, SPACES)
    x = np.asarray(centre, dtype=np.float64)
    if x.shape != (3,) or not np.isfinite(x).all():
        raise InputError(f"expected a centre of three finite numbers, got {centre!r}: ball")
    if not 0 < radius < MOST_RADIUS:
        raise InputError(f"expected 0 < radius < {MOST_RADIUS:g} m, got {radius!r}: ball")
    spot = ", ".join(f"{v * 1e3:g}" for v in x)
    named = name or f"{radius * 1e3:g} mm around {space} ({spot}) mm"
    return Region(name=named, membership=_Near(centre=x, radius=float(radius), space=space))


def shape_region(shape: Shape, *, name: str, space: str = "head") -> Region:
    """Return the inside of a shape (`bodies`: ball, box, cylinder, capsule).

    Parameters
    ----------
    shape
        With all its lengths in ``space`` (m).
    name
        Name.
    space
        "head" or "MNI".
    """
    check_option("space", space, SPACES)
    return Region(name=name, membership=_InShape(shape=shape, space=space))


def surface_region(
    points: ArrayLike, triangles: ArrayLike, *, name: str, space: str = "head"
) -> Region:
    """Return the inside of a closed surface.

    Parameters
    ----------
    points, triangles
        Surface (m), shapes (n, 3) and (n_triangles, 3).
    name
        Name.
    space
        "head" or "MNI".

    Raises
    ------
    InputError
        If the surface is not closed.
    """
    check_option("space", space, SPACES)
    surface = ClosedSurface(
        points=np.asarray(points, dtype=np.float64), triangles=np.asarray(triangles, np.int32)
    )
    return Region(name=name, membership=_InSurface(surface=surface, space=space))


def mask_region(path: Path | str, *, space: str, name: str = "", threshold: float = 0.5) -> Region:
    """Return where the voxels of an image are above a threshold.

    Parameters
    ----------
    path
        Image with three axes: a mask, a probability or a statistic.
    space
        "head" or "MNI": where its coordinates are meant.
    name
        That of the file when empty.
    threshold
        Voxels above it belong to the region.

    Raises
    ------
    InputError
        If the file is no such image or no voxel is above the threshold.
    """
    from rheobase.meshes.files.volumes import read_volume

    check_option("space", space, SPACES)
    volume = read_volume(path)
    if volume.values.ndim != 3:
        raise InputError(f"expected a mask with three axes, got {volume.values.shape}: {path}")
    above = (volume.values > threshold).astype(np.uint8)
    if not above.any():
        raise InputError(f"expected voxels above {threshold:g}, found none: {path}")
    image = LabelImage(values=above, affine=volume.affine, space=space)
    return parcel_region(image, (1,), name or Path(path).name.split(".")[0])


def tissue_region(*names: str) -> Region:
    """Return the tissues called ``names``."""
    if not names:
        raise InputError("expected the name of a tissue, got none: region")
    return Region(name=" | ".join(names), membership=_OfTissue(names=names))


def parcel_region(parcels: Parcels, labels: tuple[int, ...], name: str) -> Region:
    """Return where ``parcels`` have one of ``labels``."""
    return Region(name=name, membership=_OfParcels(parcels=parcels, labels=labels))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Near:
    centre: Floats
    radius: float
    space: str

    def inside(self, places: Places) -> Bools:
        away = places.within("head") - self._at(places.head)
        near: Bools = np.linalg.norm(away, axis=1) <= self.radius
        return near

    def bounds(self, head: Head) -> Floats | None:
        at = self._at(head)
        return np.stack([at - self.radius, at + self.radius])

    def _at(self, head: Head) -> Floats:
        return head.from_mni(self.centre)[0] if self.space == "MNI" else self.centre


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _InShape:
    shape: Shape
    space: str

    def inside(self, places: Places) -> Bools:
        points = places.within(self.space)
        known = np.isfinite(points).all(axis=1)
        out = np.zeros(len(points), bool)
        out[known] = self.shape.outside(points[known]) <= 0
        return out

    def bounds(self, head: Head) -> Floats | None:
        return self.shape.bounds() if self.space == "head" else None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _InSurface:
    surface: ClosedSurface
    space: str

    def inside(self, places: Places) -> Bools:
        return self.surface.contains(places.within(self.space))

    def bounds(self, head: Head) -> Floats | None:
        x = self.surface.points
        return np.stack([x.min(axis=0), x.max(axis=0)]) if self.space == "head" else None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _OfTissue:
    names: tuple[str, ...]

    def inside(self, places: Places) -> Bools:
        return np.isin(places.labels, [places.head.label_of(n) for n in self.names])

    def bounds(self, head: Head) -> Floats | None:
        return None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _OfParcels:
    parcels: Parcels
    labels: tuple[int, ...]

    def inside(self, places: Places) -> Bools:
        return np.isin(self.parcels.at(places.within(self.parcels.space)), self.labels)

    def bounds(self, head: Head) -> Floats | None:
        return None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Combined:
    how: Callable[..., Any]
    parts: tuple[Membership, ...]

    def inside(self, places: Places) -> Bools:
        joined: Bools = self.how(*(part.inside(places) for part in self.parts))
        return joined

    def bounds(self, head: Head) -> Floats | None:
        boxes = [part.bounds(head) for part in self.parts]
        known = [box for box in boxes if box is not None]
        if self.how is np.logical_and and known:
            low, high = np.stack(known, axis=1)
            return np.stack([low.max(axis=0), high.min(axis=0)])
        if self.how is np.logical_or and len(known) == len(boxes):
            low, high = np.stack(known, axis=1)
            return np.stack([low.min(axis=0), high.max(axis=0)])
        return boxes[0] if self.how is np.greater else None


def _combined(name: str, how: Callable[..., Any], *regions: Region) -> Region:
    parts = tuple(r.membership for r in regions)
    return Region(name=name, membership=_Combined(how=how, parts=parts))
