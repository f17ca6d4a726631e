"""Small label images that are hard to mesh, and a folded head: made by rule, always the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Maker = Callable[[np.random.Generator], NDArray[np.int64]]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelImage:
    """A label image and where it lies.

    Parameters
    ----------
    kind
        The rule it was made by, and how its voxels lie ("tubes, oblique").
    image
        Labels, 0 outside, shape (nx, ny, nz).
    affine
        Voxel index to world (m), shape (4, 4).
    """

    kind: str
    image: NDArray[Any]
    affine: NDArray[np.float64]

    @property
    def voxel(self) -> float:
        """Edge of a cube as large as a voxel (m)."""
        return float(np.abs(np.linalg.det(self.affine[:3, :3])) ** (1 / 3))


def label_image(seed: int) -> LabelImage:
    """Return one of endlessly many small images: each rule and each affine in turn.

    Parameters
    ----------
    seed
        Number of the image; equal numbers give equal images.
    """
    rng = np.random.default_rng(seed)
    names = list(_MAKERS)
    name = names[seed % len(names)]
    image = _MAKERS[name](rng)
    if not image.any():
        image.flat[rng.integers(image.size)] = 1
    lies, affine = _affine(rng)
    kinds = [np.int64, np.int32, np.int16, np.uint16, np.float64]
    dtype = kinds[rng.integers(len(kinds))]
    if image.max() <= 32767:
        image = image.astype(dtype)
    return LabelImage(kind=f"{name}, {lies}", image=image, affine=affine)


def folded_head(step: int = 1) -> NDArray[np.int16]:
    """Return an ellipsoid of five labels with a folded cortex, 180 x 220 x 180 mm.

    Labels from the inside: 1 white, 2 grey, 3 CSF, 4 skull, 5 scalp.

    Parameters
    ----------
    step
        Edge of a voxel (mm).
    """
    shape = tuple(n // step for n in (180, 220, 180))
    grid = (np.indices(shape).transpose(1, 2, 3, 0) + 0.5) * step - np.array([90, 110, 90])
    x, y, z = np.moveaxis(grid, -1, 0)
    r = np.sqrt((x / 78) ** 2 + (y / 96) ** 2 + (z / 80) ** 2)
    fold = 0.04 * np.sin(x / 4) * np.sin(y / 4.5) * np.sin(z / 4.2)
    image = np.zeros(shape, np.int16)
    for label, edge in ((5, 1.0), (4, 0.93), (3, 0.86)):
        image[r < edge] = label
    image[r + fold < 0.80] = 2
    image[r + 1.5 * fold < 0.74] = 1
    return image


def _affine(rng: np.random.Generator) -> tuple[str, NDArray[np.float64]]:
    """Return how voxels lie and their affine: straight, stretched, turned, mirrored, far away."""
    way = ("straight", "anisotropic", "oblique", "left-handed", "permuted")[rng.integers(5)]
    edges = np.full(3, 1e-3 * rng.choice([0.1, 0.5, 1.0, 2.0]))
    if way == "anisotropic" or (way != "straight" and rng.random() < 0.7):
        edges = edges * rng.uniform(0.5, 2.0, 3)
    turn = np.eye(3)
    if way in ("oblique", "left-handed"):
        q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        turn = q * np.sign(np.linalg.det(q)) * (1 if way == "oblique" else -1)
    elif way == "permuted":
        turn = np.eye(3)[rng.permutation(3)] * rng.choice([-1, 1], 3)
    affine = np.eye(4)
    affine[:3, :3] = turn * edges
    affine[:3, 3] = rng.uniform(-0.2, 0.2, 3)
    return way, affine


def _shape(rng: np.random.Generator, low: int = 4, high: int = 10) -> tuple[int, ...]:
    return tuple(rng.integers(low, high, 3))


def _indices(shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.indices(shape).astype(np.float64)


def _islands(rng: np.random.Generator) -> NDArray[np.int64]:
    """Small balls, apart, touching or inside one another."""
    image = np.zeros(_shape(rng, 7, 11), np.int64)
    for _ in range(rng.integers(2, 7)):
        centre = rng.uniform(0, image.shape)
        distance = np.linalg.norm(_indices(image.shape) - centre[:, None, None, None], axis=0)
        image[distance < rng.uniform(0.8, 4.0)] = rng.integers(0, 5)
    return image


def _single_voxels(rng: np.random.Generator) -> NDArray[np.int64]:
    """Lone voxels of several labels in nothing or in one label."""
    image = np.full(_shape(rng), rng.integers(0, 2), np.int64)
    where = rng.integers(0, image.shape, (rng.integers(1, 9), 3))
    image[tuple(where.T)] = rng.integers(1, 6, len(where))
    return image


def _checkerboard(rng: np.random.Generator) -> NDArray[np.int64]:
    """Voxels or blocks in two alternating labels, one of which may be the outside."""
    block = rng.integers(1, 4)
    first = rng.integers(0, 2)
    blocks = (_indices(_shape(rng)) // block).astype(np.int64)
    image: NDArray[np.int64] = blocks.sum(axis=0) % 2 + first
    return image


def _many_checkers(rng: np.random.Generator) -> NDArray[np.int64]:
    """Blocks whose labels all differ from their neighbours'."""
    i, j, k = (_indices(_shape(rng)) // rng.integers(1, 4)).astype(np.int64)
    n = int(rng.integers(2, 4))
    image: NDArray[np.int64] = i % n + n * (j % n) + n * n * (k % n) + rng.integers(0, 2)
    return image


def _sheets(rng: np.random.Generator) -> NDArray[np.int64]:
    """Touching sheets one voxel thick, straight or slanting, some of them outside."""
    normal = np.eye(3)[rng.integers(3)] if rng.random() < 0.4 else rng.normal(size=3)
    normal /= np.linalg.norm(normal)
    depth = np.tensordot(normal, _indices(_shape(rng)), 1) + 100.0
    return rng.integers(0, 5, 300)[np.floor(depth).astype(np.int64)]


def _shells(rng: np.random.Generator) -> NDArray[np.int64]:
    """Nested shells one to two voxels thick."""
    shape = _shape(rng, 8, 12)
    centre = np.array(shape) / 2 + rng.uniform(-0.5, 0.5, 3)
    scale = rng.uniform(0.7, 1.3, 3)
    grid = (_indices(shape) + 0.5 - centre[:, None, None, None]) / scale[:, None, None, None]
    depth = (0.48 * min(shape) / scale.max() - np.linalg.norm(grid, axis=0)) / rng.uniform(1, 2)
    return np.where(depth > 0, np.minimum(np.floor(depth) + 1, 6), 0).astype(np.int64)


def _twelve(rng: np.random.Generator) -> NDArray[np.int64]:
    """Cells around random points in twelve labels, part of them outside."""
    shape = _shape(rng, 6, 10)
    seeds = rng.uniform(0, shape, (rng.integers(12, 30), 3))
    offset = _indices(shape)[None] - seeds[:, :, None, None, None]
    label = np.concatenate([np.arange(1, 13), rng.integers(0, 13, len(seeds) - 12)])
    image: NDArray[np.int64] = label[(offset**2).sum(axis=1).argmin(axis=0)]
    return image


def _full(rng: np.random.Generator) -> NDArray[np.int64]:
    """Fill a box with one label."""
    return np.full(_shape(rng, 2, 9), rng.integers(1, 200), np.int64)


def _border(rng: np.random.Generator) -> NDArray[np.int64]:
    """Half spaces and corners that run out of the image."""
    image = np.zeros(_shape(rng), np.int64)
    for label in range(1, rng.integers(3, 6)):
        normal = rng.normal(size=3)
        middle = np.array(image.shape) * rng.uniform(0.2, 0.8, 3)
        image[np.tensordot(normal, _indices(image.shape), 1) > normal @ middle] = label
    return image


def _tiny(rng: np.random.Generator) -> NDArray[np.int64]:
    """One voxel, a row of voxels or a sheet that is the whole image."""
    shape = [1, 1, 1]
    for axis in rng.permutation(3)[: rng.integers(0, 3)]:
        shape[axis] = int(rng.integers(1, 14))
    return rng.integers(1, 4, shape)


def _tubes(rng: np.random.Generator) -> NDArray[np.int64]:
    """Winding tubes with a wall of a second label."""
    shape = _shape(rng, 7, 11)
    grid = _indices(shape)
    image = np.zeros(shape, np.int64)
    s = np.linspace(0, 1, 40)
    for _ in range(rng.integers(1, 4)):
        start, stop, bend = rng.uniform(0, shape, (3, 3))
        line = start + s[:, None] * (stop - start)
        line = line + np.sin(np.pi * s)[:, None] * (bend - np.array(shape) / 2) / 2
        d = np.sqrt(((grid[None] - line[:, :, None, None, None]) ** 2).sum(axis=1).min(axis=0))
        r = rng.uniform(0.6, 2.0)
        image[(d < r + 1) & (image == 0)] = 2
        image[d < r] = 1
    return image


def _noise(rng: np.random.Generator) -> NDArray[np.int64]:
    """Random voxels at any fill."""
    shape = _shape(rng, 4, 8)
    fill = rng.choice([0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1.0])
    return np.where(rng.random(shape) < fill, rng.integers(1, rng.integers(2, 9), shape), 0)


def _smooth_noise(rng: np.random.Generator) -> NDArray[np.int64]:
    """Blobs: random waves, each label where its own is largest."""
    grid = _indices(_shape(rng, 6, 10))
    waves = []
    for _ in range(rng.integers(2, 6)):
        k, phase = rng.normal(scale=0.6, size=(4, 3)), rng.uniform(0, 2 * np.pi, 4)
        waves.append(np.sin(np.tensordot(k, grid, 1) + phase[:, None, None, None]).sum(axis=0))
    return np.array(waves).argmax(axis=0)


def _corners(rng: np.random.Generator) -> NDArray[np.int64]:
    """Blocks that touch in edges and corners only."""
    image = np.zeros(_shape(rng, 6, 10), np.int64)
    step = int(rng.integers(1, 4))
    corner = rng.integers(0, 3, 3)
    for n in range(8):
        signs = np.array([1, rng.choice([0, 1]), 1])
        image[tuple(slice(c, c + step) for c in corner)] = n % 3 + 1
        corner = corner + step * signs
    return image


def _huge_labels(rng: np.random.Generator) -> NDArray[np.int64]:
    """Labels far apart and as large as a mesh can hold."""
    table = np.array([0, 1, 255, 1035, 12175, 2**24 + 1, 2**31 - 1])
    return table[rng.integers(0, len(table), _shape(rng, 2, 5))].repeat(2, 0).repeat(2, 1)


def _hollow(rng: np.random.Generator) -> NDArray[np.int64]:
    """Build a box with a wall one voxel thick, empty or filled, with a hole or without."""
    image = np.full(_shape(rng), 2, np.int64)
    image[1:-1, 1:-1, 1:-1] = rng.choice([0, 1, 3])
    if rng.random() < 0.5:
        image[tuple(n // 2 for n in image.shape[:2])] = 0
    return image


_MAKERS: dict[str, Maker] = {
    "islands": _islands,
    "single voxels": _single_voxels,
    "checkerboard": _checkerboard,
    "many checkers": _many_checkers,
    "sheets": _sheets,
    "shells": _shells,
    "twelve labels": _twelve,
    "full box": _full,
    "border": _border,
    "tiny": _tiny,
    "tubes": _tubes,
    "noise": _noise,
    "smooth noise": _smooth_noise,
    "corners": _corners,
    "huge labels": _huge_labels,
    "hollow": _hollow,
}
