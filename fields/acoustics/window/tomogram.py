"""A head out of a tomogram in Hounsfield units, as a beam sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.acoustics.hounsfield import HounsfieldMapping, hounsfield_mapping
from rheobase.fields.acoustics.media import Fluid, fluid_of
from rheobase.fields.acoustics.window.anatomy import Kind
from rheobase.meshes.files.volumes import read_volume

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Hounsfield units of air, and below which a place is outside the head: half-way to water.
AIR, OUTSIDE = -1000.0, -500.0
#: Hounsfield units above which a place is bone.
BONE = 300.0
#: Widest marrow of a human skull along a ray (m).
GAP = 6e-3
#: Most Hounsfield units that an image has (16 bits with metal), and fewest voxels of bone.
MOST, FEWEST = 40_000.0, 100
#: Standard deviation of the smoothing, in voxels: grey values place surfaces between them.
SMOOTHING = 3.0
#: Reach over which an edge of bone is placed half-way between its inside and outside (m, in voxels
#: at least): as far as tables of the skull are thick.
REACH, REACH_VOXELS = 1.5e-3, 2.0
#: Places along that reach.
PLACES = 16


class Tomogram:
    """A head in Hounsfield units; see `from_hounsfield`.

    Bone differs from place to place (`rheobase.fields.acoustics.hounsfield`); the soft tissue
    before the skull is one fluid and all behind it another. Edges of bone are where the image is
    half-way between what it is on both sides: a fixed threshold would make the skull too thick.
    """

    graded = True

    def __init__(
        self,
        values: NDArray[np.float32],
        affine: Floats,
        mapping: HounsfieldMapping,
        *,
        bone: float,
        gap: float,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._values = values
        self._inverse = np.linalg.inv(affine)
        self._bone = bone
        self.gap = gap
        self.mapping = mapping
        self.detail = float(np.linalg.norm(affine[:3, :3], axis=0).max())
        self.smoothing = SMOOTHING * self.detail
        self.before, self.behind = fluid_of("scalp"), fluid_of("grey_matter")
        self.hard = fluid_of("compact_bone")
        self.notes = (
            *notes,
            *mapping.notes(),
            f"bone turns {self.hard.absorption(1e6):.3g} Np/m at 1 MHz to heat, or all of the loss "
            f"where that is less: {self.hard.note}",
        )

    def hounsfield(self, points: Floats) -> Floats:
        """Return the Hounsfield units at points (m), shape (n,); those of air beyond the image."""
        from scipy import ndimage

        index = (points @ self._inverse[:3, :3].T + self._inverse[:3, 3]).T
        found: Floats = ndimage.map_coordinates(
            self._values, index, np.float64, order=1, mode="constant", cval=AIR
        )
        return found

    def kinds(self, points: Floats) -> NDArray[np.int8]:
        """See `rheobase.fields.acoustics.window.anatomy.Anatomy`."""
        hu = self.hounsfield(points)
        kinds = np.full(len(points), Kind.OUTSIDE, np.int8)
        kinds[hu >= OUTSIDE] = Kind.SOFT
        kinds[hu >= self._bone] = Kind.COMPACT
        return kinds

    def edge(self, points: Floats, inward: Floats) -> Floats:
        """See `Anatomy`: half-way between the image's values within reach on both sides."""
        reach = max(REACH, REACH_VOXELS * self.detail)
        t = np.linspace(-reach, reach, 2 * PLACES + 1)
        places = points[:, None] + t[:, None] * inward
        hu = self.hounsfield(places.reshape(-1, 3)).reshape(len(points), len(t))
        outside = np.clip(hu[:, :PLACES].min(axis=1), 0.0, None)
        # the first peak inwards: farther in there may be a thicker part
        rising = np.minimum.accumulate(np.diff(hu[:, PLACES:], axis=1) > 0, axis=1)
        peak = PLACES + rising.sum(axis=1)
        level = 0.5 * (outside + hu[np.arange(len(hu)), peak])
        below = (hu < level[:, None]) & (np.arange(len(t)) < peak[:, None])
        k = np.where(below.any(axis=1), len(t) - 1 - below[:, ::-1].argmax(axis=1), PLACES)
        here, after = hu[np.arange(len(hu)), k], hu[np.arange(len(hu)), k + 1]
        part = np.where(after > here, (level - here) / np.where(after > here, after - here, 1), 0.0)
        shift: Floats = t[k] + np.clip(part, 0.0, 1.0) * (t[1] - t[0])
        return np.where(below.any(axis=1), shift, 0.0)

    def trust(self, points: Floats, along: Floats) -> Floats:
        """See `Anatomy`: grey values tell the same everywhere."""
        return np.ones(len(points))

    def fluid(self, kind: Kind, points: Floats) -> Fluid | None:
        """See `Anatomy`; bone is the mean over the points, at 1 MHz."""
        if kind == Kind.SOFT:
            return self.before
        if kind == Kind.BRAIN:
            return self.behind
        speed, density, loss = self.mapping.bone(self.hounsfield(points), 1e6)
        return Fluid(
            name="bone",
            sound_speed=float(1.0 / (1.0 / speed).mean()),
            density=float(density.mean()),
            attenuation=float(loss.mean()),
            exponent=self.mapping.exponent,
            absorbed_fraction=float(self._absorbed(loss, 1e6).mean() / loss.mean()),
            note=f"mean of {self.mapping.name} over the skull in the window",
        )

    def sound(self, points: Floats, frequency: float, within: Bools) -> Floats:
        """See `Anatomy`: that of bone everywhere; asked only where there is bone."""
        speed, density, loss = self.mapping.bone(self.hounsfield(points), frequency)
        return np.column_stack([speed, density, loss, self._absorbed(loss, frequency)])

    def _absorbed(self, loss: Floats, frequency: float) -> Floats:
        """Return the absorption in bone (Np/m): the mappings tell only the loss."""
        return np.minimum(loss, self.hard.absorption(frequency))


def from_hounsfield(
    image: Path | str | NDArray[Any],
    affine: ArrayLike | None = None,
    *,
    mapping: str,
    scanner: str | None = None,
    bone: float = BONE,
    gap: float = GAP,
) -> Tomogram:
    """Return a tomogram as an anatomy for `rheobase.fields.acoustics.window.window.beam_window`.

    Parameters
    ----------
    image
        A file that `rheobase.meshes.files.volumes.read_volume` reads, or the values, shape
        (nx, ny, nz), in Hounsfield units: air about -1000, water 0. A pseudo-CT made from an MR
        image elsewhere is read like any other; none is made here.
    affine
        Voxel indices to head (m), shape (4, 4); for an array only.
    mapping, scanner
        As `rheobase.fields.acoustics.hounsfield.hounsfield_mapping`.
    bone
        Hounsfield units above which a place is bone.
    gap
        Widest gap in bone along a ray (m) that is marrow of the skull, not tissue behind it; a
        tomogram does not tell them apart. For a rodent, less than its skull is thick.

    Raises
    ------
    InputError
        If the image has not three axes, holds no finite numbers throughout, is not in Hounsfield
        units, holds no bone, or the mapping is unknown.
    """
    chosen = hounsfield_mapping(mapping, scanner=scanner)
    where = "a tomogram"
    notes: tuple[str, ...] = ()
    if isinstance(image, Path | str):
        where = str(image)
        volume = read_volume(image)
        values, matrix, notes = np.asarray(volume.values), volume.affine, volume.notes
    else:
        values = np.asarray(image)
        matrix = np.asarray(affine, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or not np.linalg.det(matrix):
        raise InputError(f"expected an affine of shape (4, 4) that can be inverted: {where}")
    check_hounsfield(values, bone, where)
    return Tomogram(values.astype(np.float32), matrix, chosen, bone=bone, gap=gap, notes=notes)


def check_hounsfield(values: NDArray[Any], bone: float, where: str) -> None:
    """Check that an image is in Hounsfield units and holds air, soft tissue and bone.

    Raises
    ------
    InputError
        If not, saying what it looks like.
    """
    if values.ndim != 3 or min(values.shape) < 2:
        raise InputError(f"expected a tomogram with three axes, got {values.shape}: {where}")
    if not np.isfinite(values).all():
        raise InputError(
            f"expected finite Hounsfield units, got {(~np.isfinite(values)).sum()} voxels that are "
            f"not (NaN or infinite): {where}"
        )
    low, high = float(values.min()), float(values.max())
    got = f"got values of {low:g} to {high:g}: {where}"
    if low >= -1.0 and high <= 1.0:
        raise InputError(f"expected Hounsfield units, the image looks scaled to 0 … 1, {got}")
    if high > MOST:
        raise InputError(f"expected Hounsfield units, none is above {MOST:g}, {got}")
    if low > OUTSIDE:
        raise InputError(
            "expected Hounsfield units with air at about -1000; if these are stored values, "
            f"subtract their offset (often 1024 or 1000); {got}"
        )
    if (values >= bone).sum() < FEWEST:
        raise InputError(
            f"expected bone in the image (at least {FEWEST} voxels above {bone:g} Hounsfield "
            f"units), found {(values >= bone).sum()}, {got}"
        )
