"""What a beam meets at a point: kind of tissue and sound in it, from a mesh or a label image."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.acoustics.media import WATER, Fluid, fluid_of
from rheobase.meshes.head import Head
from rheobase.meshes.leads.medium import HeadMedium, ImageMedium, Medium
from rheobase.meshes.tissues import Tissue

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Kinds = NDArray[np.int8]


class Kind(IntEnum):
    """What a tissue is to a beam."""

    OUTSIDE = 0  # water or air
    SOFT = 1
    BRAIN = 2  # known to lie within the skull
    COMPACT = 3
    SPONGY = 4


#: Kind of each shipped tissue by name; every other one is soft.
KINDS = {
    "white_matter": Kind.BRAIN,
    "grey_matter": Kind.BRAIN,
    "csf": Kind.BRAIN,
    "skull": Kind.COMPACT,
    "compact_bone": Kind.COMPACT,
    "spongy_bone": Kind.SPONGY,
    "air": Kind.OUTSIDE,
    "water": Kind.OUTSIDE,
}

#: Soft tissues that other soft tissues stand back for: something unknown of them is an error.
NEEDED = ("scalp", "skin")

#: Smoothing over the size of a mesh's elements, and of an image's voxels.
SMOOTHING_MESH, SMOOTHING_IMAGE = 1.0, 3.0
#: Weight of a place in the middle of a terrace of voxels.
LEAST_TRUST = 0.02
#: Width of the Gaussian over a label image's voxels, over their longest edge (`ImageAnatomy`).
BLUR = 0.8
#: Edge of a regular tetrahedron of volume 1.
EDGE = (6.0 * np.sqrt(2.0)) ** (1 / 3)


@runtime_checkable
class Anatomy(Protocol):
    """A head as a beam sees it."""

    detail: float
    """Size of the least thing it tells of (m): edges of tetrahedra or voxels; 0 where exact."""

    gap: float
    """Widest gap in bone along a ray (m) that belongs to the bone."""

    smoothing: float
    """Standard deviation (m) of a smoothing that takes away steps and facets, not anatomy."""

    graded: bool
    """Whether bone differs from place to place."""

    notes: tuple[str, ...]
    """What to know of it, and of the values of its fluids."""

    def kinds(self, points: Floats) -> Kinds:
        """Return the `Kind` at points of the head (m), shape (n,)."""
        ...

    def edge(self, points: Floats, inward: Floats) -> Floats:
        """Return how far along ``inward`` bone begins from points where `kinds` has it begin (m).

        Parameters
        ----------
        points
            Head coordinates (m), shape (n, 3).
        inward
            Unit vector from them into the bone, shape (3,).
        """
        ...

    def trust(self, points: Floats, along: Floats) -> Floats:
        """Return how much places of a surface tell of where it is, 0 to 1, shape (n,).

        Parameters
        ----------
        points
            Where rays along ``along`` cross the surface in the image (m), shape (n, 3).
        along
            Their direction in the head, shape (3,).
        """
        ...

    def fluid(self, kind: Kind, points: Floats) -> Fluid | None:
        """Return the fluid that stands for ``kind`` at points of that kind; None without points."""
        ...

    def sound(self, points: Floats, frequency: float, within: Bools) -> Floats:
        """Return sound speed, density, loss and absorption (Np/m) at points, shape (n, 4).

        Parameters
        ----------
        points
            Head coordinates (m), shape (n, 3).
        frequency
            Hz.
        within
            Whether each lies within the skull, shape (n,).
        """
        ...


def values_of(fluid: Fluid, frequency: float) -> tuple[float, float, float, float]:
    """Return sound speed, density, loss and absorption (Np/m) of a fluid at ``frequency`` (Hz)."""
    return *fluid.at(frequency), fluid.absorption(frequency)


class LabelAnatomy:
    """Tissues by labels.

    Parameters
    ----------
    medium
        Labels at points and their tissues.
    detail
        Size of the least thing it tells of (m), 0 where exact.
    fluids
        Fluids by the name of a tissue, instead of those of the tissue table.

    Raises
    ------
    InputError
        If a fluid is given for a tissue that is not there, or no tissue is bone.
    """

    def __init__(
        self, medium: Medium, *, detail: float, fluids: Mapping[str, Fluid] | None = None
    ) -> None:
        self.medium = medium
        self.detail = self.gap = detail
        self.smoothing = SMOOTHING_MESH * detail
        self.graded = False
        self.notes: tuple[str, ...] = ()
        own = dict(fluids or {})
        names = {t.name for t in medium.tissues.values()}
        if others := sorted(set(own) - names):
            raise InputError(
                f"expected fluids for tissues of the head ({', '.join(sorted(names))}), got "
                f"{', '.join(others)}"
            )
        self._kind = np.zeros(max(medium.tissues) + 1, np.int8)
        self._fluids: dict[int, Fluid] = {}
        unknown = []
        for label, tissue in medium.tissues.items():
            kind = KINDS.get(tissue.name, Kind.SOFT)
            self._kind[label] = kind
            fluid = WATER if kind == Kind.OUTSIDE else own.get(tissue.name) or _fluid(tissue, kind)
            if fluid is not None:
                self._fluids[label] = fluid
            else:
                unknown.append(tissue.name)
        if unknown:
            self.notes += (
                f"sound is not fully known of {', '.join(sorted(unknown))}: taken as the soft "
                "tissue around",
            )
        if not (self._kind >= Kind.COMPACT).any():
            raise InputError(
                f"expected a head with bone, its tissues are {', '.join(sorted(names))}"
            )

    def kinds(self, points: Floats) -> Kinds:
        """See `Anatomy`."""
        return self._kind[self.medium.labels(points)]

    def edge(self, points: Floats, inward: Floats) -> Floats:
        """See `Anatomy`: labels begin where they begin."""
        return np.zeros(len(points))

    def trust(self, points: Floats, along: Floats) -> Floats:
        """See `Anatomy`: the same everywhere."""
        return np.ones(len(points))

    def fluid(self, kind: Kind, points: Floats) -> Fluid | None:
        """See `Anatomy`: that of the most frequent tissue whose fluid is known.

        Spongy bone that the head does not label has the values of the tissue table.
        """
        labels = self.medium.labels(points)
        counts = np.bincount(labels, minlength=len(self._kind)) * (self._kind == kind)
        for label in np.argsort(-counts).tolist():
            if counts[label] and (known := self._fluids.get(label)) is not None:
                return known
        return fluid_of("spongy_bone") if kind == Kind.SPONGY else None

    def sound(self, points: Floats, frequency: float, within: Bools) -> Floats:
        """See `Anatomy`: NaN where a soft tissue's fluid is unknown."""
        table = np.full((len(self._kind), 4), np.nan)
        table[0] = values_of(WATER, frequency)
        for label, fluid in self._fluids.items():
            table[label] = values_of(fluid, frequency)
        return table[self.medium.labels(points)]


def _fluid(tissue: Tissue, kind: Kind) -> Fluid | None:
    """Return the fluid of a tissue; None if something is unknown of one that is only soft."""
    try:
        return fluid_of(tissue)
    except InputError:
        if kind != Kind.SOFT or tissue.name in NEEDED:
            raise
        return None


class ImageAnatomy(LabelAnatomy):
    """Tissues of a label image whose kinds have smooth borders.

    The indicator of each kind goes through a Gaussian of `BLUR` voxels and is interpolated; a point
    is of the kind with most. The steps of the voxels go, flat borders stay where they are.
    """

    def __init__(
        self, medium: ImageMedium, corners: Floats, fluids: Mapping[str, Fluid] | None = None
    ) -> None:
        from scipy import ndimage

        affine, values = medium.image.affine, medium.image.values
        edges = np.linalg.norm(affine[:3, :3], axis=0)
        super().__init__(medium, detail=float(edges.max()), fluids=fluids)
        self.smoothing = SMOOTHING_IMAGE * self.detail
        self._inverse = np.linalg.inv(affine)
        index = corners @ self._inverse[:3, :3].T + self._inverse[:3, 3]
        low = np.clip(np.floor(index.min(axis=0)).astype(int) - 4, 0, values.shape)
        high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 5, 0, values.shape)
        part = np.asarray(values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))])
        # one voxel of outside all around: beyond the image is outside the head
        kinds = np.pad(self._kind[part], 1)
        self._low = low - 1
        sigma = BLUR * edges.max() / edges
        self._shares: dict[int, Any] = {
            kind: ndimage.gaussian_filter((kinds == kind).astype(np.float32), sigma, mode="nearest")
            for kind in np.unique(kinds).tolist()
        }

    def kinds(self, points: Floats) -> Kinds:
        """See `Anatomy`."""
        from scipy import ndimage

        index = (points @ self._inverse[:3, :3].T + self._inverse[:3, 3] - self._low).T
        best = np.full(len(points), -1.0, np.float32)
        kinds = np.zeros(len(points), np.int8)
        for kind, share in self._shares.items():
            here = ndimage.map_coordinates(share, index, np.float32, order=1, mode="nearest")
            kinds[here > best] = kind
            best = np.maximum(best, here)
        return kinds

    def trust(self, points: Floats, along: Floats) -> Floats:
        """See `Anatomy`: 1 where a surface crosses centres of voxels, almost 0 at their faces."""
        index = points @ self._inverse[:3, :3].T + self._inverse[:3, 3]
        axis = np.abs(self._inverse[:3, :3] @ along).argmax()
        away = np.abs(index[:, axis] - np.rint(index[:, axis]))
        return 1.0 - 2.0 * (1.0 - LEAST_TRUST) * away


def mesh_detail(medium: HeadMedium) -> float:
    """Return the mean edge of the tetrahedra of bone (m)."""
    mesh = medium.mesh
    bone = [k for k, t in medium.tissues.items() if KINDS.get(t.name, 0) >= Kind.COMPACT]
    volumes = np.abs(mesh.volumes())[np.isin(mesh.labels, bone)]
    return float(EDGE * np.cbrt(volumes).mean()) if len(volumes) else 0.0


def anatomy_of(
    source: Head | Medium | Anatomy, corners: Floats, fluids: Mapping[str, Fluid] | None
) -> Anatomy:
    """Return a head, a medium or an anatomy as an anatomy.

    Parameters
    ----------
    source
        The head.
    corners
        Points of the head between which it is needed (m), shape (n, 3).
    fluids
        As `LabelAnatomy`.

    Raises
    ------
    InputError
        As `LabelAnatomy`, or if fluids are given beside a source that has its own.
    """
    if isinstance(source, Head):
        source = HeadMedium(source)
    if isinstance(source, HeadMedium):
        return LabelAnatomy(source, detail=mesh_detail(source), fluids=fluids)
    if isinstance(source, ImageMedium):
        return ImageAnatomy(source, corners, fluids)
    if not isinstance(source, Anatomy):
        return LabelAnatomy(source, detail=0.0, fluids=fluids)
    if fluids:
        raise InputError("expected no fluids beside an image that has its own")
    return source
