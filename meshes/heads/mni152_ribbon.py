"""The cortical ribbon of the default head: which grey voxels are cortex, and where its pia is.

The maps of grey and white matter hold deep nuclei, cerebellum and brainstem too, and an average
brain has its narrow sulci closed. Three rules, all from data that the head is made of anyway:

- *Cerebellum and brainstem* are the brain voxels nearer to the large part of the brain below
  z = 0 that lies more than 8 mm outside fsaverage's pial surfaces than to those surfaces.
- *Deep grey* lies more than 3 mm inside fsaverage's white surfaces in one piece of > 0.5 cm³, or is
  nearest to a vertex of its medial wall (the vertices without a thickness).
- *Closed sulci* are opened along the crests of the CSF probability 1 - grey - white within the
  cortex: a voxel where that probability is the highest on a line through it and at least 0.06 above
  its value two voxels off on both sides counts as pia.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.cortex.ribbon import Ribbon
from rheobase.meshes.heads.mni152_template import SPACING_MM, Template, sources, to_mni152
from rheobase.meshes.images.voxels import largest_part, voxelize
from rheobase.meshes.tissues import tissue

Bools = NDArray[np.bool_]

CREST = 0.06  # least height of a crest of the CSF probability, smoothed by 0.7 voxel
LINES = np.array(  # the lines of a cube through the middles of its faces and of its edges
    [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [1, 1, 0],
        [1, -1, 0],
        [1, 0, 1],
        [1, 0, -1],
        [0, 1, 1],
        [0, 1, -1],
    ]
)


def ribbon(head: Template) -> Ribbon:
    """Return the cortical ribbon of the default head at 1 mm."""
    from scipy import ndimage

    code = {name: tissue(name).label for name in ("white_matter", "grey_matter", "csf")}
    labels = head.labels
    low = head.affine[:3, 3] * 1e3
    white = labels == code["white_matter"]
    brain = white | (labels == code["grey_matter"])
    pial_volume, white_volume, points, is_cortex = _fsaverage(labels.shape, low)

    outside = ndimage.distance_transform_edt(~pial_volume)
    z = (np.arange(labels.shape[2]) * SPACING_MM + low[2])[None, None, :]
    core = largest_part(brain & (outside > 8) & (z < 0))
    below = brain & (ndimage.distance_transform_edt(~core) < outside)

    deep = ndimage.distance_transform_edt(white_volume) > 3
    cortex = brain & ~white & ~below & ~_large(deep & ~white & brain, 500)
    cortex &= _nearest_is_cortex(cortex, low, points, is_cortex)
    cortex = _large(cortex, 1000)

    csf = 1.0 - head.grey - head.white
    crest = cortex & _crests(csf) & (ndimage.distance_transform_edt(~white) > 1.6)
    ventricle = (labels == code["csf"]) & deep
    return Ribbon(
        cortex=cortex & ~crest,
        white=white & ~below,
        pial=crest | below | ((labels == code["csf"]) & ~ventricle),
        white_level=head.white - head.grey,
        pial_level=(csf - 0.5).astype(np.float32),
    )


def _fsaverage(
    shape: tuple[int, ...], low: NDArray[np.float64]
) -> tuple[Bools, Bools, NDArray[np.float64], Bools]:
    """Return what fsaverage's surfaces enclose and where its cortex is.

    Returns
    -------
    inside_pial, inside_white : ndarray of bool
        Voxels inside the surfaces of either hemisphere.
    points : ndarray, shape (n, 3)
        Points midway between the two surfaces (mm).
    is_cortex : ndarray of bool, shape (n,)
        Whether a point belongs to the cortex, not to the medial wall.
    """
    import nibabel as nib

    def arrays(path: Path) -> list[Any]:
        image: Any = nib.load(path)
        return [a.data for a in image.darrays]

    volumes = {"pial": np.zeros(shape, bool), "white": np.zeros(shape, bool)}
    points, is_cortex = [], []
    files = sources()
    for side in ("left", "right"):
        ends = []
        for kind, volume in volumes.items():
            vertices, triangles = arrays(files[f"{kind}_{side}"])
            ends.append(to_mni152(vertices.astype(np.float64)))
            triangles = triangles.astype(np.int32)
            nx, ny, nz = shape
            volume |= voxelize(ends[-1], triangles, (nx, ny, nz), low, SPACING_MM)
        known = arrays(files[f"thick_{side}"])[0] > 0
        middle = 0.5 * (ends[0] + ends[1])
        points += [middle, middle[triangles].mean(axis=1)]
        is_cortex += [known, known[triangles].all(axis=1)]
    return volumes["pial"], volumes["white"], np.concatenate(points), np.concatenate(is_cortex)


def _nearest_is_cortex(
    mask: Bools, low: NDArray[np.float64], points: NDArray[np.float64], is_cortex: Bools
) -> Bools:
    """Return the voxels of ``mask`` whose nearest surface point belongs to the cortex."""
    from scipy.spatial import cKDTree

    index = np.argwhere(mask)
    _, nearest = cKDTree(points).query(index * SPACING_MM + low)
    out = np.zeros_like(mask)
    out[tuple(index[is_cortex[nearest]].T)] = True
    return out


def _large(mask: Bools, smallest: int) -> Bools:
    """Return the face-connected parts of ``mask`` with at least ``smallest`` voxels."""
    from scipy import ndimage

    parts, n = ndimage.label(mask)
    large = np.bincount(parts.ravel(), minlength=n + 1) >= smallest
    large[0] = False
    kept: Bools = large[parts]
    return kept


def _crests(csf: NDArray[np.float32]) -> Bools:
    """Return the voxels where the CSF probability is a crest along one of nine lines."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(csf, 0.7)
    crest = np.zeros(csf.shape, bool)
    for line in LINES:
        near = [np.roll(smooth, tuple(s * line), (0, 1, 2)) for s in (1, -1)]
        far = [np.roll(smooth, tuple(2 * s * line), (0, 1, 2)) + CREST for s in (1, -1)]
        crest |= np.logical_and.reduce(
            [smooth >= near[0], smooth >= near[1], smooth > far[0], smooth > far[1]]
        )
    return crest
