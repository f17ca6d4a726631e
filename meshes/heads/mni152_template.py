"""The label image of the default human head: MNI152 brain, scalp and inner skull of fsaverage.

Grey and white matter are the maximum-probability labels of the ICBM 152 (2009a) maps that nilearn
ships (Fonov et al. 2011, NeuroImage 54:313). Scalp and inner skull are fsaverage's (FreeSurfer;
shipped by MNE-Python), moved from MNI305 to MNI152. Between them the outer skull is *synthetic*: a
published fraction of the way (``data/mni152.toml``). What is inside the inner skull and not brain
is CSF, ventricles included. Face and neck are soft tissue only: no air, eyes, jaw or vertebrae,
because no permissively licensed package ships them.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.images.voxels import absorb_islands, filled, largest_part, voxelize
from rheobase.meshes.tissues import tissue

SPACE = "MNI152NLin2009aSym"
SPACING_MM = 1.0
SMALLEST_PART = 30  # voxels: parts below are noise of the maps at 1 mm
MAPS = {
    "grey": "mni_icbm152_gm_tal_nlin_sym_09a_converted.nii.gz",
    "white": "mni_icbm152_wm_tal_nlin_sym_09a_converted.nii.gz",
}


@cache
def constants() -> dict[str, Any]:
    """Return ``data/mni152.toml``."""
    text = files("rheobase.meshes").joinpath("data/mni152.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def sources() -> dict[str, Path]:
    """Return the files that the head is made of, by role.

    Raises
    ------
    InputError
        If an installed package does not hold them.
    """
    import mne
    import nilearn

    maps = Path(nilearn.__file__).parent / "datasets/data"
    surfaces = Path(mne.__file__).parent / "data/fsaverage"
    found = {name: maps / file for name, file in MAPS.items()}
    for side in ("left", "right"):
        for kind in ("pial", "white", "thick"):
            found[f"{kind}_{side}"] = maps / f"fsaverage5/{kind}_{side}.gii.gz"
    found["scalp"] = surfaces / "fsaverage-head.fif"
    found["inner_skull"] = surfaces / "fsaverage-inner_skull-bem.fif"
    found["fiducials"] = surfaces / "fsaverage-fiducials.fif"
    for role, path in found.items():
        if not path.is_file():
            raise InputError(
                f"expected the {role} of the default head at {path}, found none: "
                "install the versions of nilearn and mne that rheobase asks for"
            )
    return found


def to_mni152(points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move points (mm) from fsaverage (MNI305) to MNI152, shape (..., 3)."""
    m = np.array(constants()["fsaverage_to_mni152"]["matrix"])
    moved: NDArray[np.float64] = points_mm @ m[:3, :3].T + m[:3, 3]
    return moved


@cache
def surface(role: str) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return "scalp" or "inner_skull" in MNI152 (mm), and its triangles."""
    import mne

    s = mne.read_bem_surfaces(sources()[role], verbose="ERROR")[0]
    return to_mni152(s["rr"] * 1e3), s["tris"].astype(np.int32)


@cache
def fiducials() -> dict[str, NDArray[np.float64]]:
    """Return nasion, ears and inion on the scalp surface (m), shape (3,) each.

    The first three are fsaverage's. The inion is where a level line from the middle of the head
    leaves the back of the scalp, at the height in ``data/mni152.toml``.
    """
    from mne.io import read_fiducials

    from rheobase.meshes.placing.positions import outermost

    points, _ = read_fiducials(sources()["fiducials"], verbose="ERROR")
    names = {1: "lpa", 2: "nasion", 3: "rpa"}
    marks = {names[int(p["ident"])]: to_mni152(np.asarray(p["r"], float) * 1e3) for p in points}
    vertices, triangles = surface("scalp")
    start = np.array([marks["nasion"][0], -20.0, constants()["inion"]["z_mm"]])
    back = outermost(vertices, triangles, start, np.array([[0.0, -1.0, 0.0]]))[0]
    marks["inion"] = start - np.array([0.0, back, 0.0])
    return {name: p * 1e-3 for name, p in marks.items()}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Template:
    """The labelled head at 1 mm and the two maps it comes from.

    Parameters
    ----------
    labels
        0 outside, 1 white matter, 2 grey matter, 3 CSF, 4 skull, 5 scalp, shape (nx, ny, nz).
    grey, white
        Probabilities of grey and of white matter, same shape.
    affine
        Voxel indices to MNI152 (m), shape (4, 4).
    """

    labels: NDArray[np.uint8]
    grey: NDArray[np.float32]
    white: NDArray[np.float32]
    affine: NDArray[np.float64]


def around_brain(head: Template, margin: int = 8) -> Template:
    """Return ``head`` cut to the box of its brain and ``margin`` voxels around it."""
    from scipy import ndimage

    brain = np.isin(head.labels, (tissue("white_matter").label, tissue("grey_matter").label))
    box = ndimage.find_objects(brain.astype(np.uint8))[0]
    assert box is not None  # there is a brain
    low = [max(s.start - margin, 0) for s in box]
    cut = tuple(slice(b, s.stop + margin) for b, s in zip(low, box, strict=True))
    affine = head.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ low
    return Template(
        labels=head.labels[cut], grey=head.grey[cut], white=head.white[cut], affine=affine
    )


def template(*, rough: bool = False) -> Template:
    """Build the labelled head at 1 mm.

    Parameters
    ----------
    rough
        Without folds, and with more CSF around the brain (``[rough]`` of ``data/mni152.toml``),
        for elements that cannot show the others.
    """
    import nibabel as nib
    from scipy import ndimage

    vertices, triangles = surface("scalp")
    low = np.floor(vertices.min(axis=0)) - 5
    nx, ny, nz = (int(n) for n in np.ceil(vertices.max(axis=0)) + 6 - low)
    head = voxelize(vertices, triangles, (nx, ny, nz), low, SPACING_MM)
    cavity = voxelize(*surface("inner_skull"), (nx, ny, nz), low, SPACING_MM)

    share = {}
    for role in MAPS:
        image: Any = nib.load(sources()[role])  # bytes, 255 for certainty
        offset = np.rint(image.affine[:3, 3] - low).astype(int)
        bytes_ = _placed(np.asarray(image.dataobj), (nx, ny, nz), offset)
        share[role] = bytes_.astype(np.float32) / np.float32(255)
    brain = largest_part(share["grey"] + share["white"] > 0.5)
    white = brain & (share["white"] > share["grey"])
    csf_mm = constants()["csf"]["thinnest_mm"]
    if rough:
        rule = constants()["rough"]
        csf_mm = rule["csf_mm"]
        brain = largest_part(_smoothed(brain, rule["smoothing_mm"] / SPACING_MM))
        white &= brain

    # The brain lies inside the skull with a closed layer of CSF around it.
    cavity |= ndimage.distance_transform_edt(~brain) <= csf_mm / SPACING_MM
    cavity = filled(largest_part(cavity))
    skull = _skull(head, cavity)

    labels = np.zeros((nx, ny, nz), np.uint8)
    labels[head | skull] = tissue("scalp").label
    labels[skull] = tissue("skull").label
    labels[cavity] = tissue("csf").label
    labels[brain] = tissue("grey_matter").label
    labels[white] = tissue("white_matter").label
    affine = np.eye(4) * SPACING_MM * 1e-3
    affine[:3, 3] = low * 1e-3
    affine[3, 3] = 1.0
    return Template(
        labels=absorb_islands(labels, SMALLEST_PART),
        grey=share["grey"],
        white=share["white"],
        affine=affine,
    )


def _smoothed(mask: NDArray[np.bool_], width: float) -> NDArray[np.bool_]:
    """Return as many voxels as ``mask`` has: those with most of it around them.

    Parameters
    ----------
    width
        Standard deviation of "around" (voxels).
    """
    from scipy import ndimage

    around = ndimage.gaussian_filter(mask.astype(np.float32), width)
    n = np.count_nonzero(mask)
    chosen: NDArray[np.bool_] = around >= np.partition(around, -n, axis=None)[-n]
    return chosen


def _placed(
    image: NDArray[np.uint8], shape: tuple[int, int, int], offset: NDArray[np.int_]
) -> NDArray[np.uint8]:
    """Return ``image`` cut and padded to ``shape``, its first voxel at ``offset``."""
    out = np.zeros(shape, image.dtype)
    begin = np.maximum(offset, 0)
    end = np.minimum(offset + image.shape, shape)
    target = tuple(slice(b, e) for b, e in zip(begin, end, strict=True))
    source = tuple(slice(b - o, e - o) for b, e, o in zip(begin, end, offset, strict=True))
    out[target] = image[source]
    return out


def _skull(head: NDArray[np.bool_], cavity: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the bone: a fraction of the way from the cavity to the scalp, within two limits."""
    from scipy import ndimage

    bone = constants()["skull"]
    shell = head & ~cavity
    # Distances between voxel centres; the boundary lies half a voxel before the other side's first.
    inward = ndimage.distance_transform_edt(~cavity) - 0.5
    outward = ndimage.distance_transform_edt(head | cavity) - 0.5
    weight = ndimage.gaussian_filter(shell.astype(np.float32), 3.0)
    gap = ndimage.gaussian_filter(np.where(shell, inward + outward, 0.0), 3.0)
    gap /= np.maximum(weight, 1e-6)
    thickness = np.clip(bone["fraction"] * gap, bone["thinnest_mm"], bone["thickest_mm"])
    skull: NDArray[np.bool_] = ~cavity & (inward * SPACING_MM <= thickness)
    return skull
