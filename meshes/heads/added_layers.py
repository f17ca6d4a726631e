"""CSF, skull and scalp around a labelled brain that comes without them.

FreeSurfer, SynthSeg and the like label only the brain. What is added here is synthetic: layers of a
stated thickness (``data/added_layers.csv``; for animals the lengths of the parametric heads), or,
with a T1 of the same head, its own outline with the scalp filling what lies beyond the skull. There
is no neck, no face and no hole in the skull.
"""

from __future__ import annotations

import csv
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.files.volumes import Volume
from rheobase.meshes.images.voxels import filled, largest_part
from rheobase.meshes.tissues import tissue

LAYERS = ("csf", "skull", "scalp")
#: Sulci narrower than twice this part of the brain's length are filled with CSF.
CLOSING = 0.06
#: A head is brighter than air by this part of its 98th percentile (as in BET: Smith 2002,
#: doi:10.1002/hbm.10062).
AIR = 0.1
#: Standard deviation of the Gaussian before that (voxels); 1 moves the outline outwards by 1.3.
SMOOTHING = 0.5
#: Least scalp over the skull where the outline is that of a T1 (part of the layer's thickness).
LEAST_SCALP = 0.3
#: Least part of the brain within the outline of its T1.
MOST_OUT = 0.98

Bools = NDArray[np.bool_]


def thicknesses(species: str) -> dict[str, float]:
    """Return the thickness of the CSF, the skull and the scalp to add (m)."""
    if species != "human":
        from rheobase.meshes.heads.parametric import sizes

        found, _ = sizes(species)
        return {layer: found[f"{layer} thickness"] for layer in LAYERS}
    text = files("rheobase.meshes").joinpath("data/added_layers.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {r["layer"]: float(r["value_mm"]) * 1e-3 for r in rows if r["species"] == species}


def add_layers(
    image: NDArray[np.uint16],
    affine: NDArray[np.float64],
    species: str,
    t1: Volume | None = None,
) -> tuple[NDArray[np.uint16], NDArray[np.float64], str]:
    """Surround a labelled brain with CSF, skull and scalp.

    Parameters
    ----------
    image
        Labels of ``data/tissues.csv``, shape (nx, ny, nz).
    affine
        Voxel indices to world (m), shape (4, 4).
    species
        Chooses the thicknesses.
    t1
        T1 of the whole head in the same space: the scalp reaches its outline. A layer of even
        thickness if None.

    Returns
    -------
    image, affine
        Larger, so that the layers have room.
    note : str
        What was added.

    Raises
    ------
    InputError
        If the T1 does not lie around the brain.
    """
    from scipy import ndimage

    layer = thicknesses(species)
    edges = np.linalg.norm(affine[:3, :3], axis=0)
    head = None if t1 is None else head_outline(t1)
    brain = np.argwhere(image)
    points = [brain.min(axis=0) - sum(layer.values()) / edges - 2]
    points += [brain.max(axis=0) + sum(layer.values()) / edges + 2]
    if t1 is not None and head is not None:
        points += list(_corners(head) @ (np.linalg.inv(affine) @ t1.affine).T[:, :3])
    image, affine = _moved(image, affine, np.min(points, axis=0), np.max(points, axis=0))

    def away(mask: Bools) -> NDArray[np.float32]:
        distance = ndimage.distance_transform_edt(~mask, sampling=edges)
        return np.asarray(distance, np.float32)

    inside = image > 0
    radius = CLOSING * max(np.ptp(brain, axis=0) * edges)
    beyond = away(inside) > radius + layer["csf"]
    inner = filled((away(beyond) > radius) | inside)
    from_inner = away(inner)
    widest = layer["skull"] + layer["scalp"]
    if t1 is None or head is None:
        scalp = from_inner <= widest
        how = f"{layer['scalp'] * 1e3:g} mm of scalp; no face, neck or openings"
    else:
        scalp = _on_grid(head, t1.affine, image.shape, affine)
        share = np.count_nonzero(scalp & inside) / np.count_nonzero(inside)
        if share < MOST_OUT:
            raise InputError(
                f"expected a T1 around the labelled brain, only {share:.0%} of it lie within the "
                "outline of the T1: are both in one space?"
            )
        scalp |= from_inner <= layer["skull"] + LEAST_SCALP * layer["scalp"]
        how = "scalp out to the outline of the T1; no bone below the brain, no openings"
    out = image.copy()
    out[scalp & (out == 0)] = tissue("scalp").label
    out[~inner & (from_inner <= layer["skull"])] = tissue("skull").label
    out[inner & (image == 0)] = tissue("csf").label
    note = (
        f"synthetic layers around a labelled brain: {layer['csf'] * 1e3:g} mm of CSF over closed "
        f"sulci, {layer['skull'] * 1e3:g} mm of skull and {how}"
    )
    return out, affine, note


def head_outline(t1: Volume) -> Bools:
    """Return which voxels of a T1 belong to the head, its cavities filled.

    Voxels brighter than a tenth of the way between the 2nd and the 98th percentile, closed by two
    voxels; the largest part.
    """
    from scipy import ndimage

    values = np.asarray(t1.values, np.float32)
    if values.ndim != 3 or not np.isfinite(values).all() or not np.ptp(values) > 0:
        raise InputError(f"expected a T1 of finite grey values, got shape {values.shape}")
    dark, bright = np.percentile(values, [2, 98])
    smooth = ndimage.gaussian_filter(values, SMOOTHING)
    mask = np.pad(smooth > dark + AIR * (bright - dark), 3)
    mask = largest_part(ndimage.binary_opening(mask))
    mask = filled(ndimage.binary_closing(mask, iterations=2))
    return mask[3:-3, 3:-3, 3:-3]


def _corners(mask: Bools) -> NDArray[np.float64]:
    """Return the eight corners of the box of ``mask``, with 1 as fourth coordinate."""
    box = [(axis.min() - 1.0, axis.max() + 1.0) for axis in np.nonzero(mask)]
    return np.array([[x, y, z, 1.0] for x in box[0] for y in box[1] for z in box[2]])


def _moved(
    image: NDArray[np.uint16],
    affine: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
    """Return ``image`` on the grid of voxels from ``low`` to ``high`` (voxel indices)."""
    first, last = np.floor(low).astype(int), np.ceil(high).astype(int)
    out = np.zeros(last - first + 1, image.dtype)
    begin = np.maximum(first, 0)
    end = np.minimum(last + 1, image.shape)
    source = tuple(slice(b, e) for b, e in zip(begin, end, strict=True))
    target = tuple(slice(b, e) for b, e in zip(begin - first, end - first, strict=True))
    out[target] = image[source]
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ first
    return out, moved


def _on_grid(
    mask: Bools,
    affine: NDArray[np.float64],
    shape: tuple[int, ...],
    grid: NDArray[np.float64],
) -> Bools:
    """Return ``mask`` (on voxels of ``affine``) on the voxels of ``grid``."""
    from scipy import ndimage

    index = np.linalg.inv(affine) @ grid
    level = ndimage.affine_transform(
        mask.astype(np.float32), index[:3, :3], index[:3, 3], output_shape=shape, order=1
    )
    inside: Bools = level > 0.5
    return inside
