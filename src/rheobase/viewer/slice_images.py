"""Three linked slices as pictures for a page: the field on tissue, a pixel a place."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase.scenes.scene import Layer, Scene
from rheobase.scenes.slices import SIDES, Plane, slices
from rheobase.viewer.facts import field_volume

Pixels = NDArray[np.uint8]
BRAIN = ("grey matter", "white matter")
EDGE = 0.35  # grey of tissue outlines


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceImage:
    """One slice for a page.

    Parameters
    ----------
    name, axis
        "sagittal" and 0, "coronal" and 1, "axial" and 2.
    words
        Where it is cut.
    url
        The picture (PNG) as a data URL, the first row on top.
    left, top, width, height
        The place of the slices' point in parts of the picture from its left and top, and the
        picture's size (m).
    letters
        Sides at left, right, bottom and top.
    """

    name: str
    axis: int
    words: str
    url: str
    left: float
    top: float
    width: float
    height: float
    letters: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


def inside_brain(volume: Layer) -> tuple[str, ...] | None:
    """Return the tissues of the brain where a volume knows them: the field is shown in them."""
    of = volume.quantities.get("tissue")
    known = set() if of is None else {c.name for c in of.categories.values()}
    return BRAIN if known >= set(BRAIN) else None


def slice_images(scene: Scene, at: ArrayLike) -> list[SliceImage]:
    """Return the three slices of a scene's field through a point.

    Parameters
    ----------
    scene
        The scene.
    at
        The point (m), shape (3,).

    Returns
    -------
    list of SliceImage
        None of a scene without voxels.

    Raises
    ------
    InputError
        If the point is not within the voxels.
    """
    volume = field_volume(scene)
    if volume is None:
        return []
    found = slices(scene, at=at, volume=volume.name, tissues=inside_brain(volume))
    low, high = found.quantity.range
    return [_image(plane, found.point, low, high, found.quantity.colours) for plane in found.planes]


def moved_point(image: dict[str, Any], point: ArrayLike, left: float, top: float) -> list[float]:
    """Return the point (m) that a click in a slice means.

    Parameters
    ----------
    image
        The slice, as `SliceImage.as_dict` gives it.
    point
        The point of the slices now (m), shape (3,).
    left, top
        Where the click was, in parts of the picture from its left and top.
    """
    new = np.array(point, dtype=np.float64)
    right, up = [k for k in range(3) if k != image["axis"]]
    new[right] += (float(left) - image["left"]) * image["width"]
    new[up] -= (float(top) - image["top"]) * image["height"]
    return [float(x) for x in new]


def _image(
    plane: Plane, point: NDArray[np.float64], low: float, high: float, colours: str
) -> SliceImage:
    axis, right, up = plane.axes
    a, b = plane.right, plane.up
    width, height = float(a[-1] - a[0]), float(b[-1] - b[0])
    return SliceImage(
        name=plane.name,
        axis=axis,
        words=f"{'xyz'[axis]} = {1e3 * plane.at:.1f} mm",
        url=_png(_pixels(plane, low, high, colours)[::-1]),
        left=float((point[right] - a[0]) / width),
        top=float(1 - (point[up] - b[0]) / height),
        width=width,
        height=height,
        letters=SIDES[right] + SIDES[up],
    )


def _pixels(plane: Plane, low: float, high: float, colours: str) -> Pixels:
    """Return the colours of a slice, shape (n_up, n_right, 4): transparent outside the head."""
    from matplotlib import colormaps

    part = (plane.values - low) / ((high - low) or 1.0)
    rgba = colormaps[colours](np.clip(np.nan_to_num(part), 0.0, 1.0))
    rgba[~np.isfinite(plane.values)] = 0.0
    if plane.tissue is not None:
        label = plane.tissue
        bare = (label > 0) & ~np.isfinite(plane.values)
        rgba[bare] = (0.85, 0.85, 0.85, 1.0)
        outline = np.zeros(label.shape, bool)
        outline[1:] |= label[1:] != label[:-1]
        outline[:, 1:] |= label[:, 1:] != label[:, :-1]
        rgba[outline] = 0.55 * rgba[outline] + 0.45 * np.array([EDGE, EDGE, EDGE, 1.0])
    pixels: Pixels = np.rint(255 * rgba).astype(np.uint8)
    return pixels


def _png(pixels: Pixels) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
