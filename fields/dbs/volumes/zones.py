"""Zones that a lead is to reach or to spare, and how an activated volume lies to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase.fields.dbs.volumes.activated import Activated, height
from rheobase.fields.dbs.volumes.lattice import Lattice
from rheobase.fields.dbs.volumes.voxels import height_at
from rheobase.meshes.head import Head
from rheobase.meshes.regions.region import Region

Floats = NDArray[np.float64]

CUTS = 2  # a cell is asked at CUTS³ points where a zone begins and ends
MOST_POINTS = 20_000_000  # that a zone is asked at for its volume


@dataclass(frozen=True, kw_only=True, eq=False)
class Zone:
    """A part of the head.

    Parameters
    ----------
    name
        Name.
    inside
        Gives how much each point (m), shape (n, 3), belongs to it, from 0 to 1, shape (n,).
    volume
        Its volume (m³).

    Raises
    ------
    InputError
        If the volume is not > 0 m³.
    """

    name: str
    inside: Callable[[Floats], NDArray[Any]]
    volume: float

    def __post_init__(self) -> None:
        """Check the volume."""
        check_positive(f"volume of zone {self.name!r} (m³)", self.volume)

    def within(self, lattice: Lattice) -> Floats:
        """Return the volume of the zone within each cell around a lead (m³), shape (n,)."""
        part = np.zeros(len(lattice.volumes))
        pieces = lattice.pieces(CUTS)
        for points in pieces:
            part += np.asarray(self.inside(points), dtype=np.float64)
        return part / len(pieces) * lattice.volumes


def ball_zone(centre: ArrayLike, radius: float, *, name: str = "") -> Zone:
    """Return a ball of the head as a zone.

    Parameters
    ----------
    centre
        Its middle (m), shape (3,).
    radius
        In m.
    name
        Made of the numbers when empty.

    Raises
    ------
    InputError
        If the centre is no point or the radius not > 0 m.
    """
    x = np.asarray(centre, dtype=np.float64)
    check_positive("radius (m)", radius)
    if x.shape != (3,) or not np.isfinite(x).all():
        raise InputError(f"expected a centre of three finite numbers, got {centre!r}: zone")
    return Zone(
        name=name or f"{1e3 * radius:g} mm around {np.round(1e3 * x, 1).tolist()} mm",
        inside=lambda points: np.linalg.norm(points - x, axis=1) <= radius,
        volume=4 / 3 * np.pi * radius**3,
    )


def region_zone(region: Region, head: Head, *, step: float = 0.5e-3) -> Zone:
    """Return a region of a head as a zone.

    Parameters
    ----------
    region
        The region.
    head
        The head.
    step
        Distance of the points that its volume is taken from (m).

    Raises
    ------
    InputError
        If it holds none of these points, or there are too many.
    """
    check_positive("step (m)", step)
    box = region.membership.bounds(head)
    if box is None:
        held = region.weights(head) > 0
        if not held.any():
            raise InputError(f"expected a region within head {head.name!r}, got {region.name!r}")
        corners = head.mesh.nodes[head.mesh.tets[held]].reshape(-1, 3)
        box = np.stack([corners.min(axis=0), corners.max(axis=0)])
    counts = np.ceil((box[1] - box[0]) / step).astype(int) + 1
    if counts.prod() > MOST_POINTS:
        raise InputError(
            f"expected a region of at most {MOST_POINTS:,} points of {step:g} m, got "
            f"{counts.prod():,} (take a larger step): zone {region.name!r}"
        )
    middle = box.mean(axis=0)
    axes = [m + step * (np.arange(n) - 0.5 * (n - 1)) for m, n in zip(middle, counts, strict=True)]
    inside = sum(
        np.count_nonzero(region.contains(_plane(x, axes[1], axes[2]), head)) for x in axes[0]
    )
    if not inside:
        raise InputError(
            f"expected a region of head {head.name!r} wider than {1e3 * step:g} mm, found no point "
            f"of it: zone {region.name!r}"
        )
    return Zone(
        name=region.name,
        inside=lambda points: region.contains(points, head),
        volume=float(inside * step**3),
    )


def image_zone(path: Path | str, *, name: str = "") -> Zone:
    """Return what an image of the head holds as a zone: a mask, or probabilities from 0 to 1.

    A point has the value of its voxel.

    Parameters
    ----------
    path
        The image, in the coordinates of the head.
    name
        That of the file when empty.

    Raises
    ------
    InputError
        If the file is no such image, a value is below 0 or above 1, or all are 0.
    """
    from rheobase.meshes.files.volumes import read_volume

    image = read_volume(path)
    values = np.asarray(image.values, dtype=np.float64)
    if values.ndim != 3 or not (values >= 0).all() or not (values <= 1).all() or not values.any():
        raise InputError(
            f"expected an image with three axes and values from 0 to 1, not all 0: zone {path}"
        )
    back = np.linalg.inv(image.affine)
    size = np.array(values.shape)

    def inside(points: Floats) -> Floats:
        at = np.rint(points @ back[:3, :3].T + back[:3, 3]).astype(np.intp)
        held = ((at >= 0) & (at < size)).all(axis=1)
        out = np.zeros(len(points))
        out[held] = values[tuple(at[held].T)]
        return out

    voxel = abs(float(np.linalg.det(image.affine[:3, :3])))
    return Zone(
        name=name or Path(path).name.split(".")[0],
        inside=inside,
        volume=float(values.sum()) * voxel,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlap:
    """How an activated volume lies to a zone.

    Parameters
    ----------
    zone
        Name of the zone.
    zone_volume, volume, common
        Volume of the zone, of what is activated and of both in common (m³).
    """

    zone: str
    zone_volume: float
    volume: float
    common: float

    @property
    def share(self) -> float:
        """Part of the zone that is activated, at most 1."""
        return min(self.common / self.zone_volume, 1.0)

    @property
    def spill(self) -> float:
        """Activated volume outside the zone (m³)."""
        return max(self.volume - self.common, 0.0)

    @property
    def dice(self) -> float:
        """Twice what is common over the sum of both volumes, at most 1."""
        return min(2 * self.common / (self.volume + self.zone_volume), 1.0)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for tables and JSON (mm³)."""
        return {
            "zone": self.zone,
            "zone_mm3": 1e9 * self.zone_volume,
            "activated_mm3": 1e9 * self.volume,
            "common_mm3": 1e9 * self.common,
            "share": self.share,
            "spill_mm3": 1e9 * self.spill,
            "dice": self.dice,
        }


def overlap(volumes: Activated | Sequence[Activated], zone: Zone) -> Overlap:
    """Return how what one lead activates, or several together, lies to a zone.

    Where the volumes of two leads meet, what is within both counts once. The leads are taken to
    pulse one after the other: their fields do not add.

    Parameters
    ----------
    volumes
        The volume, or one of each lead.
    zone
        The zone.
    """
    several = [volumes] if isinstance(volumes, Activated) else list(volumes)
    total = common = 0.0
    for k, one in enumerate(several):
        lattice, part = one.sampled.lattice, one.part
        left = height(one.strength, one.criterion)
        for before in several[:k]:
            taken = height_at(before, lattice.points)
            left = np.minimum(left, np.where(np.isfinite(taken), -taken, np.inf))
            part = lattice.part_above(left)
        total += float(part @ one.sampled.volumes)
        common += float(part @ np.minimum(zone.within(lattice), one.sampled.volumes))
    return Overlap(zone=zone.name, zone_volume=zone.volume, volume=total, common=common)


def _plane(x: float, y: Floats, z: Floats) -> Floats:
    """Return the points of a plane of a grid, shape (ny nz, 3)."""
    Y, Z = np.meshgrid(y, z, indexing="ij")
    return np.stack([np.full(Y.size, x), Y.ravel(), Z.ravel()], axis=1)
