"""The steps of the repair of a label image (`repair`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.images.label_tables import Labels, label_counts

#: Most that a step may change the volume of a tissue (part of it).
MOST_CHANGE = 0.1
#: Largest hole that is filled: this part of the head, or this many voxels.
HOLE_PART, HOLE_VOXELS = 2e-5, 27
#: Largest part beside the head that is taken away (part of the head).
SPECK_PART = 1e-3
#: An island has less than this part of the tissue's main part, and fewer voxels than this.
ISLAND_PART, ISLAND_VOXELS = 1e-4, 30
#: Radius that closes the bone, in voxels (largest edge); largest patch, as part of the head.
CLOSING, PATCH_PART = 2.5, 1e-4
#: Tissues of fewer voxels are reported.
FEW = 27

BRAIN = ("white_matter", "grey_matter")
FLUID = ("csf",)
BONE = ("skull", "compact_bone", "spongy_bone")
SOFT = ("scalp", "skin", "fat", "muscle", "cartilage")
SIDES = (("left", "right"), ("back", "front"), ("bottom", "top"))

Image = NDArray[np.uint16]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing found in a label image.

    Parameters
    ----------
    kind
        "empty slices", "specks", "holes", "islands", "bone", "csf", "contact", "edge", "few".
    voxels
        Voxels concerned: changed where ``mended``.
    volume
        Their volume (m³).
    mended
        Whether the image was changed.
    text
        The finding in words.
    """

    kind: str
    voxels: int
    volume: float
    mended: bool
    text: str


class Work:
    """The image at work: the box of the head with one voxel of outside around it."""

    def __init__(
        self,
        image: Labels,
        affine: NDArray[np.float64],
        names: Mapping[int, str],
        air: Bools | None,
    ) -> None:
        self.result = image.astype(np.uint16)
        self.affine, self.names = affine, names
        self.findings: list[Finding] = []
        filled = [np.flatnonzero(image.any(axis=tuple({0, 1, 2} - {k}))) for k in range(3)]
        self.box = tuple(slice(int(f[0]), int(f[-1]) + 1) for f in filled)
        self.low = np.array([f[0] for f in filled]) - 1
        self.image = np.pad(self.result[self.box], 1)
        self.air = np.zeros(self.image.shape, bool)
        if air is not None:
            self.air[1:-1, 1:-1, 1:-1] = air[self.box]
        self.voxel = float(abs(np.linalg.det(affine[:3, :3])))
        self.spacing = np.linalg.norm(affine[:3, :3], axis=0)
        self.labels = {name: label for label, name in names.items()}

    def whole(self) -> Image:
        """Return the whole image with the box as it is now."""
        self.result[self.box] = self.image[1:-1, 1:-1, 1:-1]
        return self.result

    def volumes(self) -> dict[str, float]:
        """Return the volume of each tissue (m³)."""
        counts = label_counts(self.image)
        return {self.names.get(k, str(k)): n * self.voxel for k, n in counts.items() if k}

    def tell(self, kind: str, voxels: int, text: str, *, mended: bool = False) -> None:
        """Add a finding."""
        self.findings.append(
            Finding(kind=kind, voxels=voxels, volume=voxels * self.voxel, mended=mended, text=text)
        )

    def size(self, voxels: int) -> str:
        """Return a number of voxels with its volume, in words."""
        volume = voxels * self.voxel * 1e9
        shown = f"{volume:.3g} mm³" if volume < 1000 else f"{volume * 1e-3:.3g} cm³"
        return f"{voxels} voxel{'s' if voxels != 1 else ''} ({shown})"

    def of(self, names: Iterable[str]) -> Bools:
        """Return the voxels of the tissues called ``names``."""
        labels = [self.labels[n] for n in names if n in self.labels]
        mask: Bools = np.isin(self.image, labels)
        return mask

    def run(self, step: Callable[[], Image | None], mend: bool) -> None:
        """Make a step, unless it changes a tissue too much or nothing is to be mended."""
        known = len(self.findings)
        before = label_counts(self.image)
        new = step()
        if new is None:
            return
        after = label_counts(new)
        worst, name = max(
            (abs(after.get(k, 0) / n - 1), self.names.get(k, str(k)))
            for k, n in before.items()
            if k
        )
        found = self.findings[known:]
        why = "" if mend else ": not mended, as was asked"
        if mend and worst > MOST_CHANGE:
            why = f": not mended, {name} would change by {worst:.0%}"
        if why:
            self.findings[known:] = [
                replace(f, mended=False, text=f.text + why) if f.mended else f for f in found
            ]
        else:
            self.image = new

    def edges(self) -> None:
        """Tell where head and brain reach the edge of the image."""
        brain = self.of(BRAIN)
        for axis, words in enumerate(SIDES):
            for end, word in zip((0, -1), words, strict=True):
                at_edge = (
                    self.box[axis].start == 0
                    if end == 0
                    else self.box[axis].stop == self.result.shape[axis]
                )
                if not at_edge:
                    continue
                for mask, what in ((self.image > 0, "the head"), (brain, "the brain")):
                    n = int(np.count_nonzero(np.take(mask, 1 if end == 0 else -2, axis)))
                    if n:
                        area = n * self.voxel / self.spacing[axis] * 1e4
                        text = f"{what} is cut off at the {word} edge of the image ({area:.3g} cm²)"
                        self.tell("edge", n, text)

    def slices(self) -> Image | None:
        """Fill slices without a label from their neighbours."""
        new = self.image.copy()
        n_filled = voxels = 0
        for axis in range(3):
            empty = ~self.image.any(axis=tuple({0, 1, 2} - {axis}))
            inner = np.flatnonzero(empty)[1:-1]  # the two around the box are outside
            turned = np.moveaxis(new, axis, 0)
            for k in inner:
                if empty[k - 1] or empty[k + 1]:
                    self.tell(
                        "empty slices",
                        0,
                        f"slice {k + self.low[axis]} along axis {axis} and "
                        "its neighbour have no label: not mended, only single slices are",
                    )
                    continue
                turned[k] = np.where(turned[k + 1] > 0, turned[k - 1], 0)
                n_filled += 1
                voxels += int(np.count_nonzero(turned[k]))
        if not n_filled:
            return None
        text = (
            f"slices without labels: {n_filled} filled from their neighbours, {self.size(voxels)}"
        )
        self.tell("empty slices", voxels, text, mended=True)
        return new

    def specks(self) -> Image | None:
        """Take away small parts beside the head."""
        parts, sizes = _parts(self.image > 0)
        if len(sizes) <= 2:
            return None
        main = int(sizes.argmax())
        small = (sizes < SPECK_PART * sizes[main]) & (sizes > 0)
        large = (sizes > 0) & ~small
        large[main] = False
        for n in sizes[large]:
            self.tell("specks", int(n), f"a part of {self.size(int(n))} beside the head is kept")
        if not small.any():
            return None
        voxels = int(sizes[small].sum())
        text = f"specks beside the head: {small.sum()} taken away, {self.size(voxels)}"
        self.tell("specks", voxels, text, mended=True)
        return np.where(small[parts], 0, self.image).astype(np.uint16)

    def holes(self) -> Image | None:
        """Fill small holes with the nearest tissue; larger ones and labelled air stay."""
        from scipy import ndimage

        parts, _ = ndimage.label(self.image == 0)
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        for face in (parts[0], parts[-1], parts[:, 0], parts[:, -1], parts[..., 0], parts[..., -1]):
            sizes[np.unique(face)] = 0
        sizes[np.unique(parts[self.air])] = 0
        if not sizes.any():
            return None
        most = max(HOLE_VOXELS, HOLE_PART * np.count_nonzero(self.image))
        small, large = (sizes > 0) & (sizes <= most), sizes > most
        if large.any():
            voxels = int(sizes[large].sum())
            self.tell(
                "holes",
                voxels,
                f"cavities without a label inside the head: {large.sum()} of {self.size(voxels)} "
                "are kept as air",
            )
        if not small.any():
            return None
        voxels = int(sizes[small].sum())
        text = f"holes: {small.sum()} filled with the nearest tissue, {self.size(voxels)}"
        self.tell("holes", voxels, text, mended=True)
        return self._nearest(small[parts], self.image > 0)

    def islands(self) -> Image | None:
        """Give parts far smaller than the main one of their tissue to what is around them."""
        away = np.zeros(self.image.shape, bool)
        told: list[str] = []
        for label in label_counts(self.image):
            if not label:
                continue
            name = self.names.get(label, str(label))
            parts, sizes = _parts(self.image == label)
            if len(sizes) <= 2:
                continue
            small = (sizes > 0) & (sizes < min(ISLAND_VOXELS, ISLAND_PART * sizes.max()))
            if small.any():
                away |= small[parts]
                told.append(f"{name} {small.sum()}")
        if not told:
            return None
        voxels = int(np.count_nonzero(away))
        text = f"islands given to their surroundings ({', '.join(told)} parts), {self.size(voxels)}"
        self.tell("islands", voxels, text, mended=True)
        return self._nearest(away, ~away)

    def bone(self) -> Image | None:
        """Close holes in the bone through which brain or CSF meets soft tissue or air."""
        bone, inner = self.of(BONE), self.of((*BRAIN, *FLUID))
        outer = self.of(SOFT) | ((self.image == 0) & ~self.air)
        if not bone.any() or not inner.any():
            return None
        leak, faces = _touching(inner, outer)
        if not faces:
            return None
        candidate = self._closed(bone) & ~bone & (self.of(FLUID) | outer)
        parts, sizes = _parts(candidate)
        reach = np.unique(parts[leak | _grown(leak)])
        good = np.zeros(len(sizes), bool)
        good[reach] = True
        good &= (sizes > 0) & (sizes <= max(HOLE_VOXELS, PATCH_PART * np.count_nonzero(self.image)))
        new = self.image.copy()
        patch = good[parts]
        kind = max(BONE, key=lambda n: int(np.count_nonzero(self.of((n,)))))
        new[patch] = self.labels[kind]
        still, left = _touching(inner & ~patch, outer & ~patch)
        voxels = int(np.count_nonzero(patch))
        if voxels and left < faces:
            text = (
                f"holes in the bone: {good.sum()} patches of {self.size(voxels)} close "
                f"{self._area(faces - left)} of {self._area(faces)} between CSF or brain and soft "
                "tissue or air"
            )
            self.tell("bone", voxels, text, mended=True)
        if left:
            text = (
                f"brain or CSF touches soft tissue or air over {self._area(left)} (the spine's "
                f"opening and the like count){self._place(still)}"
            )
            self.tell("contact", left, text)
        return new if voxels and left < faces else None

    def fluid(self) -> Image | None:
        """Put one voxel of CSF between brain and bone."""
        brain, bone, fluid = self.of(BRAIN), self.of(BONE), self.of(FLUID)
        if not bone.any() or not fluid.any():
            return None
        touching, faces = _touching(brain, bone)
        if not faces:
            return None
        outer = self.of(SOFT) | (self.image == 0)
        facing, _ = _touching(bone, brain)
        thick = facing & ~_grown(outer, corners=True)
        thin = facing & ~thick
        pulled = touching & _grown(thin)
        new = self.image.copy()
        new[thick | pulled] = self.labels["csf"]
        voxels = int(np.count_nonzero(thick | pulled))
        text = (
            f"brain touches bone over {self._area(faces)}: one voxel of CSF put between, out of "
            f"{np.count_nonzero(thick)} voxels of bone and {np.count_nonzero(pulled)} of brain, "
            f"{self.size(voxels)}"
        )
        self.tell("csf", voxels, text, mended=True)
        return new

    def few(self) -> None:
        """Tell of tissues that have hardly a voxel."""
        for label, n in label_counts(self.image).items():
            if label and n < FEW:
                name = self.names.get(label, str(label))
                self.tell("few", n, f"{name} has only {self.size(n)}: the mesh may lose it")

    def _nearest(self, where: Bools, source: Bools) -> Image:
        """Return the image with each voxel of ``where`` like the nearest voxel of ``source``."""
        from scipy import ndimage
        from scipy.spatial import KDTree

        ring = ndimage.binary_dilation(where, np.ones((3, 3, 3), bool)) & source
        around, inside = np.argwhere(ring), np.argwhere(where)
        _, near = KDTree(around * self.spacing).query(inside * self.spacing)
        new = self.image.copy()
        new[where] = self.image[tuple(around[near].T)]
        return new

    def _closed(self, mask: Bools) -> Bools:
        """Return ``mask`` closed by a ball of `CLOSING` voxels."""
        from scipy import ndimage

        radius = CLOSING * float(self.spacing.max())
        pad = np.ceil(radius / self.spacing).astype(int) + 1
        wide = np.pad(mask, [(p, p) for p in pad])
        grown = ndimage.distance_transform_edt(~wide, sampling=self.spacing) <= radius
        closed = ndimage.distance_transform_edt(grown, sampling=self.spacing) > radius
        inside: Bools = np.asarray(closed)[tuple(slice(p, -p) for p in pad)]
        return inside

    def _area(self, faces: int) -> str:
        """Return the area of a number of voxel faces, in words."""
        return f"{faces * self.voxel ** (2 / 3) * 1e4:.3g} cm²"

    def _place(self, mask: Bools) -> str:
        """Return where the largest part of ``mask`` lies, in words."""
        parts, sizes = _parts(mask)
        index = centre(parts == int(sizes.argmax())) + self.low
        at = (self.affine[:3, :3] @ index + self.affine[:3, 3]) * 1e3
        return f", mostly around ({at[0]:.0f}, {at[1]:.0f}, {at[2]:.0f}) mm"


def _parts(mask: Bools) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the parts of ``mask`` (joined by corners too) and their sizes, 0 for what is none."""
    from scipy import ndimage

    parts, _ = ndimage.label(mask, structure=np.ones((3, 3, 3), bool))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return parts, sizes


def _touching(a: Bools, b: Bools) -> tuple[Bools, int]:
    """Return the voxels of ``a`` that have a face with ``b``, and the number of those faces."""
    found = np.zeros(a.shape, bool)
    faces = 0
    for axis in range(3):
        here, there, out = (np.moveaxis(m, axis, 0) for m in (a, b, found))
        for mine, theirs, mark in (
            (here[1:], there[:-1], out[1:]),
            (here[:-1], there[1:], out[:-1]),
        ):
            both = mine & theirs
            faces += int(np.count_nonzero(both))
            mark |= both
    return found, faces


def _grown(mask: Bools, *, corners: bool = False) -> Bools:
    """Return ``mask`` with its neighbours across faces, or across edges and corners too."""
    from scipy import ndimage

    shape = ndimage.generate_binary_structure(3, 3 if corners else 1)
    grown: Bools = ndimage.binary_dilation(mask, shape)
    return grown


def centre(mask: Bools) -> NDArray[np.float64]:
    """Return the mean index of the voxels of ``mask``, shape (3,)."""
    total = np.count_nonzero(mask)
    return np.array(
        [
            np.count_nonzero(mask, axis=tuple({0, 1, 2} - {k})) @ np.arange(mask.shape[k]) / total
            for k in range(3)
        ]
    )
