"""Indicator functions of a label image or of probability maps: smoothed, sparse, interpolated.

Of each voxel only the materials with a share in it are kept. At a point the shares f of the eight
voxels around it are interpolated; with the weight w = exp(offset) of each tissue its indicator is
``w f - max(w f) + sum(w f)`` over the tissues, that of the outside is its own share. So tissues tie
where their weighted shares do, and the outside begins where it has more than all tissues together
(where many labels meet at the scalp each of them has a small share).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._threads import in_parts

#: Default standard deviation of the Gaussian, in voxel edges: the least that leaves no staircase.
SMOOTHING = 0.85
#: The Gaussian ends at this many standard deviations.
TRUNCATE = 3.0
#: By how much sheets, threads and specks of one voxel keep the largest share at their voxels.
MARGIN = 0.3
#: Largest offset (logarithm of a weight), so that a label of a few voxels cannot grow a halo.
MOST_OFFSET = 2.0
#: Points at which volumes are counted.
SAMPLES = 400_000
#: Labels up to this are looked up in a table.
MOST_VALUE = 1_000_000
#: Materials that an entry of the sparse image can name.
MOST_LABELS = 32767


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ImageIndicators:
    """Shares of the materials in each voxel, evaluated at world points.

    Parameters
    ----------
    labels
        Label of each material; the first is 0, the outside.
    code, entries
        The sparse image (``_image_numba.py``), shapes (nx, ny, nz) and (n_entries,).
    affine
        Voxel index of ``code`` to world (m), shape (4, 4).
    smoothing
        Standard deviation of the Gaussian (m).
    offsets
        Logarithm of the weight of each material: chosen so that no tissue gains or loses volume by
        the smoothing (compare Jacobs, Merkurjev & Esedoglu 2018, doi:10.1016/j.jcp.2017.10.036).
    wanted
        Volume of each material in the image (m³), infinite for the outside, shape (n_materials,).
    voxels
        Voxels of each label in the image, without the outside.
    touching
        Pairs of labels, lower first, with voxels that share a face, an edge or a corner.
    """

    labels: tuple[int, ...]
    code: NDArray[np.int32]
    entries: NDArray[np.uint32]
    affine: NDArray[np.float64]
    smoothing: float
    offsets: NDArray[np.float64]
    wanted: NDArray[np.float64]
    voxels: dict[int, int]
    touching: frozenset[tuple[int, int]]

    @property
    def reach(self) -> float:
        """A weight times the share of one half at a tie."""
        return 0.5

    @property
    def most(self) -> float:
        """Largest offset."""
        return MOST_OFFSET

    @property
    def voxel(self) -> NDArray[np.float64]:
        """Edges of a voxel (m), shape (3,)."""
        edges: NDArray[np.float64] = np.linalg.norm(self.affine[:3, :3], axis=0)
        return edges

    def volumes(self) -> dict[int, float]:
        """Return the volume of each label in the image (m³), without the outside."""
        pairs = zip(self.labels[1:], self.wanted[1:], strict=True)
        return {label: float(volume) for label, volume in pairs}

    def bounds(self) -> NDArray[np.float64]:
        """Return the world box around all that is not quite outside (m), shape (2, 3)."""
        inside = self.code != -1
        low, high = np.empty(3), np.empty(3)
        for d in range(3):
            some = np.flatnonzero(inside.any(axis=tuple(e for e in range(3) if e != d)))
            low[d], high[d] = some[0] - 1.0, some[-1] + 1.0
        corners = np.stack(
            np.meshgrid(*zip(low, high, strict=True), indexing="ij"), axis=-1
        ).reshape(-1, 3)
        world = corners @ self.affine[:3, :3].T + self.affine[:3, 3]
        return np.stack([world.min(axis=0), world.max(axis=0)])

    def chosen(self, points: NDArray[np.float64], which: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the indicators of some materials (`Indicators.chosen`)."""
        from rheobase.meshes.carving._shares_numba import chosen

        out = np.empty(which.shape)
        chosen(*self._image(), np.ascontiguousarray(points), which, out)
        return out

    def gradients(
        self, points: NDArray[np.float64], which: NDArray[np.int32], step: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return `chosen` and its gradients; the interpolation has them, whatever the step."""
        from rheobase.meshes.carving._shares_numba import gradients

        values, out = np.empty(which.shape), np.empty((*which.shape, 3))
        gradients(*self._image(), np.ascontiguousarray(points), which, values, out)
        return values, out

    def material(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return the material at world points (m), shape (n,)."""
        from rheobase.meshes.carving._shares_numba import materials

        out = np.empty(len(points), np.int32)
        image, points = self._image(), np.ascontiguousarray(points)
        in_parts(lambda some: materials(*image, points[some], out[some]), len(points))
        return out

    def places(self, materials: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the centre (m) of the voxel with the largest share of each, shape (n, 3)."""
        from rheobase.meshes.carving._shares_numba import largest_shares

        wanted = np.full(len(self.labels), -1, np.int64)
        wanted[materials] = np.arange(len(materials))
        index = largest_shares(self.code, self.entries, wanted, len(materials))
        voxel = np.stack(np.unravel_index(np.maximum(index, 0), self.code.shape), axis=1)
        world: NDArray[np.float64] = voxel @ self.affine[:3, :3].T + self.affine[:3, 3]
        return np.where(index[:, None] >= 0, world, np.nan)

    def with_offsets(self, offsets: NDArray[np.float64]) -> ImageIndicators:
        """Return the same with other offsets."""
        return replace(self, offsets=offsets)

    def _image(
        self,
    ) -> tuple[NDArray[np.int32], NDArray[np.uint32], NDArray[np.float64], NDArray[np.float64]]:
        return self.code, self.entries, np.exp(self.offsets), np.linalg.inv(self.affine)


def image_indicators(
    image: ArrayLike, affine: ArrayLike, smoothing: float | None = None
) -> ImageIndicators:
    """Smooth a label image.

    Parameters
    ----------
    image
        Integer labels, shape (nx, ny, nz); 0 is outside.
    affine
        Voxel index to world (m), shape (4, 4).
    smoothing
        Standard deviation (m); ``SMOOTHING`` of the largest voxel edge if None.

    Raises
    ------
    InputError
        If the image is not 3-D, not of labels, empty or larger than 2 m, or the affine is
        singular.
    """
    from rheobase.meshes.carving._image_numba import columns

    voxels, matrix = check_image(image, affine)
    edges = np.linalg.norm(matrix[:3, :3], axis=0)
    sigma = SMOOTHING * float(edges.max()) if smoothing is None else float(smoothing)
    if not (np.isfinite(sigma) and sigma >= 0):
        raise InputError(f"smoothing must be >= 0 m, got {smoothing!r}")
    kernels = [_gaussian(sigma / edge) for edge in edges]
    box, low = _filled(voxels)
    if box.max() > MOST_VALUE:  # too large for a table: numbered first
        names, numbers = np.unique(box, return_inverse=True)
        box = numbers.reshape(box.shape).astype(np.int32) + np.int32(names[0] > 0)
        names = names[names > 0]
    else:
        names = np.arange(1, int(box.max()) + 1)
    numbers_here, table = _labels(box)
    labels = (0, *(int(names[n - 1]) for n in numbers_here[1:]))
    pad = np.array([len(k) // 2 + 1 for k in kernels])
    column = np.zeros(tuple(np.array(box.shape) + 2 * pad), np.int16)
    middle = tuple(slice(p, p + n) for p, n in zip(pad, box.shape, strict=True))
    inner = np.empty(box.shape, np.int16)
    counts = np.zeros(len(labels), np.int64)
    columns(np.ascontiguousarray(box), table, inner, counts)
    column[middle] = inner
    code, entries = _smoothed(column, len(labels), kernels)
    shifted = matrix.copy()
    shifted[:3, 3] += matrix[:3, :3] @ (low - pad)
    wanted = counts * abs(np.linalg.det(matrix[:3, :3]))
    wanted[0] = np.inf
    return ImageIndicators(
        labels=labels,
        code=code,
        entries=entries,
        affine=shifted,
        smoothing=sigma,
        offsets=_balance(code, entries, column, len(labels)),
        wanted=wanted,
        voxels={label: int(n) for label, n in zip(labels[1:], counts[1:], strict=True)},
        touching=_touching(column, labels),
    )


def _smoothed(
    column: NDArray[np.int16], n: int, kernels: Sequence[NDArray[np.float32]]
) -> tuple[NDArray[np.int32], NDArray[np.uint32]]:
    """Return the sparse image of the smoothed 0/1 images of ``n`` materials, slab by slab."""
    from rheobase.meshes.carving._image_numba import BLOCK, move, smooth

    code = np.empty(column.shape, np.int32)

    def slab(some: slice) -> NDArray[np.uint32]:
        entries: NDArray[np.uint32] = smooth(
            column, n, *kernels, MARGIN, some.start, some.stop, code
        )
        return entries

    parts = in_parts(slab, len(column), BLOCK)
    first = np.cumsum([0, *(len(part) for part in parts)])
    in_parts(lambda some: move(code[some], first[some.start // BLOCK]), len(column), BLOCK)
    return code, np.concatenate(parts)


def map_indicators(maps: ArrayLike, labels: ArrayLike, affine: ArrayLike) -> ImageIndicators:
    """Take probability maps as they are; the outside has what they leave of 1.

    Parameters
    ----------
    maps
        Probability of each label, shape (nx, ny, nz, n); a sum above 1 is scaled to 1.
    labels
        Label of each map, > 0, all different, shape (n,).
    affine
        Voxel index to world (m), shape (4, 4).

    Raises
    ------
    InputError
        If shapes, labels, probabilities or affine make no sense.
    """
    from rheobase.meshes.carving._image_numba import pack

    values = np.asarray(maps)
    names = np.asarray(labels)
    if values.ndim != 4 or 0 in values.shape:
        raise InputError(f"maps must have shape (nx, ny, nz, n), got {values.shape}")
    if values.dtype.kind not in "fiub":
        raise InputError(f"maps must hold probabilities, got type {values.dtype}")
    if names.shape != (values.shape[3],) or names.dtype.kind not in "iu":
        raise InputError(
            f"one integer label per map: got {names.tolist()} for {values.shape[3]} maps"
        )
    if (names <= 0).any() or len(np.unique(names)) != len(names):
        raise InputError(f"labels of maps must be > 0 and different, got {names.tolist()}")
    lowest, highest = float(values.min()), float(values.max())
    if not (lowest >= -0.01 and highest <= 1.01):  # also refuses NaN
        raise InputError(f"maps must lie in 0 to 1, got {lowest:g} to {highest:g}")
    matrix = check_affine(affine, values.shape[:3])
    order = np.argsort(names).astype(np.int64)
    material = np.empty(len(names), np.int64)
    material[order] = np.arange(1, len(names) + 1)
    padded = np.pad(values, [(2, 2)] * 3 + [(0, 0)])
    code = np.empty(padded.shape[:3], np.int32)
    count = pack(padded, material, code, np.empty(0, np.uint32))
    entries = np.empty(count + 1, np.uint32)  # a voxel of one material is written, then taken back
    pack(padded, material, code, entries)
    shifted = matrix.copy()
    shifted[:3, 3] -= matrix[:3, :3] @ np.full(3, 2.0)
    found = (0, *(int(n) for n in names[order]))
    column = np.zeros(padded.shape[:3], np.int16)
    tissue = padded.sum(axis=3) > 0.5
    column[tissue] = material[padded[tissue].argmax(axis=1)]
    if not tissue.any():
        raise InputError("the maps are empty: no voxel has tissue with a probability above 1/2")
    counts = np.bincount(column.ravel(), minlength=len(found))
    wanted = counts * abs(np.linalg.det(matrix[:3, :3]))
    wanted[0] = np.inf
    return ImageIndicators(
        labels=found,
        code=code,
        entries=entries,
        affine=shifted,
        smoothing=0.0,
        offsets=np.zeros(len(found)),
        wanted=wanted,
        voxels={label: int(n) for label, n in zip(found[1:], counts[1:], strict=True)},
        touching=_touching(column, found),
    )


def _touching(column: NDArray[np.int16], labels: tuple[int, ...]) -> frozenset[tuple[int, int]]:
    """Return the pairs of labels whose voxels share a corner; ``column`` has their materials."""
    from rheobase.meshes.carving._image_numba import neighbours

    near = np.argwhere(neighbours(column, len(labels))).tolist()
    return frozenset((min(p), max(p)) for p in ((labels[a], labels[b]) for a, b in near))


def _gaussian(sigma: float) -> NDArray[np.float32]:
    """Return a Gaussian of ``sigma`` voxels, truncated, sum 1."""
    n = int(TRUNCATE * sigma + 0.5)
    x = np.arange(-n, n + 1)
    kernel = np.exp(-0.5 * (x / sigma) ** 2) if n else np.ones(1)
    return (kernel / kernel.sum()).astype(np.float32)


def _filled(voxels: NDArray[np.integer]) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """Return the box around all voxels that are not 0, and its lowest voxel."""
    filled = voxels != 0
    cut, low = [], []
    for d in range(3):
        some = np.flatnonzero(filled.any(axis=tuple(e for e in range(3) if e != d)))
        cut.append(slice(some[0], some[-1] + 1))
        low.append(int(some[0]))
    return voxels[tuple(cut)], np.array(low)


def _labels(voxels: NDArray[np.integer]) -> tuple[tuple[int, ...], NDArray[np.int16]]:
    """Return the labels (0 first, then rising) and the material of each voxel value."""
    top = int(voxels.max())
    here = np.zeros(top + 1, np.bool_)
    here[voxels.ravel()] = True
    here[0] = True
    labels = np.flatnonzero(here)
    if len(labels) > MOST_LABELS:
        raise InputError(f"the image has {len(labels)} labels, expected at most {MOST_LABELS}")
    table = np.zeros(top + 1, np.int16)
    table[labels] = np.arange(len(labels))
    return tuple(int(label) for label in labels), table


def _balance(
    code: NDArray[np.int32], entries: NDArray[np.uint32], column: NDArray[np.int16], n: int
) -> NDArray[np.float64]:
    """Return the offsets that keep each label's volume (Newton steps).

    Volumes are counted at random points inside the voxels (voxel centres alone would not feel a
    shift below a voxel). The points that would change hands between two materials within a small
    change of their offsets give the slopes.
    """
    from rheobase.meshes.carving._shares_numba import count_largest, sample_shares

    rng = np.random.default_rng(0)
    flat = np.flatnonzero(code.ravel() >= 0)
    offsets = np.zeros(n)
    if len(flat) == 0:
        return offsets
    step = max(1, len(flat) // SAMPLES)
    flat = np.repeat(flat[::step], max(1, min(64, SAMPLES // len(flat))))
    centres = np.stack(np.unravel_index(flat, code.shape), axis=1)
    points = centres + rng.uniform(-0.5, 0.5, centres.shape)
    wanted = np.bincount(column.ravel()[flat], minlength=n).astype(np.float64)
    samples = in_parts(lambda some: sample_shares(code, entries, points[some], n), len(points))
    number, material, part = (np.concatenate([s[k] for s in samples]) for k in range(3))
    first = np.concatenate([[0], np.cumsum(number)])
    width = 0.1
    for _ in range(8):
        count, swaps = np.zeros(n), np.zeros((n, n))
        count_largest(first, material, part, np.exp(offsets), width, count, swaps)
        slope = (swaps + swaps.T) / width
        laplacian = np.diag(slope.sum(axis=1) + 1.0) - slope
        change = np.linalg.solve(laplacian[1:, 1:], (wanted - count)[1:])
        offsets[1:] += np.clip(change, -width, width)
        offsets = np.clip(offsets, -MOST_OFFSET, MOST_OFFSET)
    return offsets


def check_image(
    image: ArrayLike, affine: ArrayLike
) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
    """Return a label image as integers and its affine as floats, or say what is wrong with them.

    Raises
    ------
    InputError
        If the image is not 3-D, not of labels (integers from 0 to 2**31 - 1), empty or larger than
        2 m, or the affine is singular.
    """
    voxels = np.asarray(image)
    if voxels.ndim != 3:
        raise InputError(f"a label image must have 3 axes, got shape {voxels.shape}")
    if voxels.dtype.kind == "f":
        if not np.isfinite(voxels).all():
            raise InputError("a label image must hold integers, got NaN or infinite values")
        if (voxels != np.rint(voxels)).any():
            odd = float(voxels[voxels != np.rint(voxels)][0])
            raise InputError(f"a label image must hold integers, got {odd:g}: is it a T1 or a map?")
    elif voxels.dtype.kind not in "iub":
        raise InputError(f"a label image must hold integers, got type {voxels.dtype}")
    if not voxels.any():
        raise InputError("the label image is empty: every voxel is 0")
    lowest, highest = voxels.min(), voxels.max()
    if lowest < 0 or highest > np.iinfo(np.int32).max:
        wrong = lowest if lowest < 0 else highest
        raise InputError(f"labels must be 0 to {np.iinfo(np.int32).max}, got {wrong:.0f}")
    matrix = check_affine(affine, voxels.shape)
    if voxels.dtype.kind not in "iu" or voxels.dtype.itemsize > 4:
        voxels = voxels.astype(np.int32)
    return voxels, matrix


def check_affine(affine: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the affine of an image of ``shape`` voxels, or say what is wrong with it.

    Raises
    ------
    InputError
        If it is not a finite, regular 4 x 4 matrix, or the image is larger than 2 m or smaller
        than 0.1 mm.
    """
    matrix = np.asarray(affine, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise InputError(f"affine must be a finite 4 x 4 matrix, got shape {matrix.shape}")
    if abs(np.linalg.det(matrix[:3, :3])) < 1e-12 * np.abs(matrix[:3, :3]).max() ** 3:
        raise InputError("affine is singular: its voxels have no volume")
    extent = float((np.linalg.norm(matrix[:3, :3], axis=0) * shape).max())
    if extent > 2.0:
        raise InputError(
            f"the label image spans {extent:.3g} m, expected less than 2 m: "
            "is its affine in mm? multiply its first three rows by 1e-3"
        )
    if extent < 1e-4:
        raise InputError(f"the label image spans {extent:.3g} m, expected more than 0.1 mm")
    return matrix
