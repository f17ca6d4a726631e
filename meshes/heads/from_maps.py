"""A head from probability maps of its tissues (SPM's c1 to c6, and others)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase._files import input_keys
from rheobase._progress import stage
from rheobase.meshes.carving.carved import Carved
from rheobase.meshes.files.volumes import Volume, read_volume
from rheobase.meshes.head import Head
from rheobase.meshes.heads.sizes import sizes
from rheobase.meshes.heads.voxel_head import (
    check_choices,
    checked_landmarks,
    head_name,
    head_of_voxels,
    prepared,
)
from rheobase.meshes.images.label_files import tissue_of_name
from rheobase.meshes.images.label_tables import OUTSIDE, label_table
from rheobase.meshes.mesher import Sizes, carve_image, carve_maps
from rheobase.meshes.tissues import Tissue, load_tissues

#: Files of SPM's segmentation: c1 … c6 before the name of the T1.
SPM = re.compile(r"c([1-6])(.*)\.(?:nii|nii\.gz|img|jnii)")
#: Files of BIDS derivatives: the tissue after "label-".
BIDS = re.compile(r"(.*)_label-([A-Za-z]+)_probseg\.(?:nii|nii\.gz)")
#: Most that the maps of a voxel may add up to, share of voxels above it, and lowest value.
MOST_SUM, MOST_ABOVE, LOWEST = 1.01, 1e-3, -0.01
#: Most that two grids may differ (part of a voxel).
SAME_GRID = 1e-2

File = Path | str
Maps = File | Sequence[File] | Mapping[str, File | Sequence[File]]


def head_from_maps(
    maps: Maps,
    *,
    edge_length_mm: float | None = None,
    names: Sequence[str] | None = None,
    tissues: Mapping[str, Tissue] | None = None,
    species: str = "human",
    name: str | None = None,
    fiducials_mm: Mapping[str, Sequence[float]] | None = None,
    columns: int = 30_000,
    repair: bool | str = True,
    around: str | None = None,
    t1: Path | str | None = None,
    size: Sizes | None = None,
) -> Head:
    """Build a head from probability maps.

    Parameters
    ----------
    maps
        Folder with SPM's ``c1*.nii`` to ``c6*.nii`` (or BIDS ``*_label-GM_probseg.nii.gz``); a list
        of files with one map each; one file with the maps along its fourth axis; or the file or
        files of each tissue. Values from 0 to 1, or 0 to 255.
    names
        Tissue (or "outside") of each map. None: by the names of the files; of a 4-D file with six
        maps, SPM's order (grey, white, CSF, bone, soft tissue, air).
    edge_length_mm, tissues, species, name, fiducials_mm, columns, repair, around, t1, size
        As in `head_from_image`.

    Returns
    -------
    Head
        In the space "scanner" (the maps' own).

    Raises
    ------
    InputError
        If the maps are not on one grid, are no probabilities, or add up to more than 1; and as in
        `head_from_image`.

    Notes
    -----
    What the maps leave of 1 is outside. Where the repair changes a voxel, its new tissue becomes
    certain.
    """
    known = load_tissues() if tissues is None else tissues
    if isinstance(maps, Mapping):
        given = {k: [v] if isinstance(v, str | Path) else list(v) for k, v in maps.items()}
        names = [kind for kind, each in given.items() for _ in each]
        maps = [file for each in given.values() for file in each]
    files = _files(maps)
    where = str(files[0].parent if len(files) > 1 else files[0])
    check_choices(species, repair, around, where)
    if edge_length_mm is None:
        edge_length_mm = sizes()[species].edge_length_mm
    with stage(f"probability maps {where}"):
        volumes = [read_volume(file) for file in files]
        kinds = _kinds(files, volumes, names, known)
        probabilities, labels, affine = _combined(files, volumes, kinds, known)
        notes = [note for volume in volumes for note in volume.notes]
        del volumes
    inside = probabilities[..., 0] < 0.5
    image = np.where(
        inside, np.array(labels[1:], np.uint16)[probabilities[..., 1:].argmax(axis=3)], 0
    ).astype(np.uint16)
    ready = prepared(
        image,
        affine,
        {known[k].label: known[k] for k in kinds if k != OUTSIDE},
        known=known,
        species=species,
        repair=repair,
        around=around,
        t1=t1,
        air=None,
        where=where,
    )
    marks = checked_landmarks(fiducials_mm, ready.image, ready.affine, species, where)
    edge = edge_length_mm * 1e-3

    def carve() -> Carved:
        if ready.image.shape != image.shape:  # layers were added around the brain
            return carve_image(ready.image, ready.affine, edge, size=size)
        changed = ready.image != image
        sure = ready.image[changed][:, None] == np.array(labels)
        probabilities[changed] = sure
        return carve_maps(probabilities[..., 1:], labels[1:], affine, edge, size=size)

    return head_of_voxels(
        ready.image,
        ready.affine,
        carve,
        edge_length_mm=edge_length_mm,
        tissues=ready.tissues,
        species=species,
        name=name or head_name(Path(where)),
        landmarks=marks,
        columns=columns,
        provenance={
            "made by": "rheobase.meshes.heads.from_maps",
            "inputs": input_keys(*files, t1),
            "maps": list(kinds),
            "repair": ready.report,
        },
        notes=[*dict.fromkeys(notes), *ready.notes],
    )


def _files(maps: File | Sequence[File]) -> list[Path]:
    """Return the files of the maps."""
    if not isinstance(maps, str | Path):
        files = [Path(m) for m in maps]
        if not files:
            raise InputError("expected at least one probability map, got none")
        return files
    path = Path(maps)
    if not path.is_dir():
        return [path]
    for pattern, stem in ((SPM, 2), (BIDS, 1)):
        groups: dict[str, list[Path]] = {}
        for file in sorted(path.iterdir()):
            if found := pattern.fullmatch(file.name):
                groups.setdefault(found[stem], []).append(file)
        if len(groups) > 1:
            raise InputError(
                f"the maps of {len(groups)} images lie in {path} ({', '.join(sorted(groups))}): "
                "give a list of files"
            )
        if groups:
            return next(iter(groups.values()))
    raise InputError(
        f"expected SPM's c1*.nii to c6*.nii or *_label-GM_probseg.nii.gz, found none: {path}"
    )


def _kinds(
    files: list[Path],
    volumes: list[Volume],
    names: Sequence[str] | None,
    known: Mapping[str, Tissue],
) -> list[str]:
    """Return the tissue (or "outside") of each map."""
    n_maps = sum(v.values.shape[3] if v.values.ndim == 4 else 1 for v in volumes)
    spm = [str(t) for t in label_table("spm").tissues.values()]
    if names is not None:
        kinds = [str(n) for n in names]
    elif len(files) > 1 or n_maps == 1:
        kinds = []
        for file in files:
            if found := SPM.fullmatch(file.name):
                kinds.append(spm[int(found[1]) - 1])
            elif (found := BIDS.fullmatch(file.name)) and (kind := tissue_of_name(found[2])):
                kinds.append(kind)
            else:
                raise InputError(f"give names=: no tissue by the name of the map {file}")
    elif n_maps == len(spm):
        kinds = spm
    else:
        raise InputError(f"give names=, the tissue of each of the {n_maps} maps: {files[0]}")
    if len(kinds) != n_maps:
        raise InputError(f"expected {n_maps} names, one a map, got {len(kinds)}: {files[0]}")
    for kind in kinds:
        check_option("tissue", kind, [*known, OUTSIDE], where=str(files[0]))
    return kinds


def _combined(
    files: list[Path],
    volumes: list[Volume],
    kinds: list[str],
    known: Mapping[str, Tissue],
) -> tuple[NDArray[np.float32], list[int], NDArray[np.float64]]:
    """Return the probability of each label (outside first), the labels, and the affine."""
    shape, affine = volumes[0].values.shape[:3], volumes[0].affine
    labels = [0, *sorted({known[k].label for k in kinds if k != OUTSIDE})]
    total = np.zeros((*shape, len(labels)), np.float32)
    numbers = iter(kinds)
    for file, volume in zip(files, volumes, strict=True):
        if volume.values.shape[:3] != shape or not _same_grid(volume.affine, affine, shape):
            raise InputError(
                f"expected all maps on the grid of {files[0].name}, {file} has another "
                f"(shape {volume.values.shape[:3]} against {shape})"
            )
        values = volume.values[..., None] if volume.values.ndim == 3 else volume.values
        for k in range(values.shape[3]):
            kind = next(numbers)
            column = 0 if kind == OUTSIDE else labels.index(known[kind].label)
            total[..., column] += _probability(values[..., k], file)
    added = total.sum(axis=3)
    above = float(np.mean(added > MOST_SUM))
    if above > MOST_ABOVE:
        raise InputError(
            f"expected maps that add up to at most 1, {above:.1%} of the voxels have more (up to "
            f"{added.max():.3g}): {files[0].parent}"
        )
    total[..., 0] += np.maximum(1.0 - added, 0.0)
    return total, labels, affine


def _probability(values: NDArray[Any], file: Path) -> NDArray[np.float32]:
    """Return one map between 0 and 1."""
    found = np.asarray(values, np.float32)
    low, high = float(found.min()), float(found.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"expected probabilities, got NaN or infinity: {file}")
    scale = 255.0 if high > 2.0 else 1.0
    if low < LOWEST * scale or high > scale * MOST_SUM:
        raise InputError(
            f"expected probabilities from 0 to 1 (or 0 to 255), got {low:.3g} to {high:.3g}: {file}"
        )
    return np.clip(found / np.float32(scale), 0.0, 1.0)


def _same_grid(a: NDArray[np.float64], b: NDArray[np.float64], shape: tuple[int, ...]) -> bool:
    """Return whether two affines place the corners of a grid alike."""
    ends = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], np.float64)
    ends[:, :3] *= np.array(shape[:3]) - 1
    apart = np.abs(ends @ (a - b).T)[:, :3].max()
    return bool(apart <= SAME_GRID * np.linalg.norm(b[:3, :3], axis=0).min())
