"""Statistics over subjects: images in MNI space in, statistical maps, a table and a report out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase._progress import stage
from rheobase.report import Section, Table
from rheobase.results import Result, finish, open_book
from rheobase.sweeps.group import FRACTION, STRONG, Group, group_statistics
from rheobase.sweeps.group_views import draw_maps

if TYPE_CHECKING:
    from rheobase.fields.results.nifti import Grid
    from rheobase.meshes.regions.atlases import Atlas
    from rheobase.stations.book import Book

Floats = NDArray[np.float64]
MOST_ROWS = 60
#: A subject in the name of a file or of its folders, as BIDS has it.
SUBJECT = re.compile(r"(?<![A-Za-z0-9-])sub-[A-Za-z0-9]+")
UNITS = {"mean": "V/m", "sd": "V/m", "consistency": "share", "t": "1", "p": "1", "count": "1"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subjects:
    """Images of n subjects on one grid of MNI space.

    Parameters
    ----------
    names
        Of the subjects.
    values
        NaN where a subject has none, shape (n, nx, ny, nz).
    grid
        The voxels.
    """

    names: tuple[str, ...]
    values: NDArray[np.float32]
    grid: Grid


def run_group(
    sources: Sequence[Path],
    out: Path,
    *,
    at: Mapping[str, Any] | None = None,
    against: Sequence[Path] | None = None,
    against_at: Mapping[str, Any] | None = None,
    reference: float = 0.0,
    atlas: Path | None = None,
    atlas_names: Path | None = None,
    least: float = 1.0,
    seed: int = 1,
) -> Result:
    """Write statistics of fields over subjects into ``out``.

    Parameters
    ----------
    sources
        Images in MNI space, one a subject; or the folder of a sweep over heads with
        ``outputs.maps``.
    out
        Folder of the results.
    at
        Which points of the sweep, where it varies more than the heads: value by key.
    against, against_at
        A second condition of the same subjects: images or a sweep, or other points of the first.
    reference
        Value (V/m) that the mean is tested against.
    atlas, atlas_names
        Label image in MNI space, and names of its labels, for a table of regions.
    least
        Share of the subjects that must have a value at a voxel.
    seed
        Of the random sign flips.

    Raises
    ------
    InputError
        If there are fewer than two subjects, images are not on one grid, points are not told, or
        the subjects of two conditions are not the same.
    """
    from rheobase.meshes.regions.atlases import read_atlas

    if not isfinite(reference):
        raise InputError(f"reference must be finite (V/m), got {reference}: group")
    images = subject_images(sources, at or {})
    files = {f"subjects.{name}": path for name, path in images.items()}
    first, second = read_subjects(images), None
    notes: list[str] = []
    if against or against_at:
        others = subject_images(against or sources, against_at or {})
        others, notes = paired(list(images), others)
        files |= {f"against.{name}": path for name, path in others.items()}
        second = read_subjects(others)
        _check_grid(first, second)
    parcels = None if atlas is None else read_atlas(atlas, space="MNI", names=atlas_names)
    n = len(first.names)
    flat = first.values.reshape(n, -1)
    other = None if second is None else second.values.reshape(n, -1)
    options: dict[str, Any] = {"reference": reference, "least": least, "seed": seed}
    with stage("statistics over subjects"):
        found = group_statistics(flat, against=other, **options)
    tested = "difference" if second is not None else f"mean against {reference:g} V/m"
    text = json.dumps(
        {
            "subjects": list(first.names),
            "against": [] if second is None else list(second.names),
            "atlas": str(atlas or ""),
            **options,
        },
        indent=1,
    )
    with open_book(f"# Group statistics\n{_comment(text)}", out) as book:
        _write_maps(found, first.grid, book)
        regions = None
        if parcels is not None:
            with stage("regions"):
                regions = _regions(parcels, first, second, options)
            _write_regions(*regions, book)
        _tell(found, first, tested, regions, reference, second is not None, book)
        book.notes.extend(notes)
        if atlas is not None:
            files["atlas"] = atlas
        return finish(
            book,
            title=f"Fields over {n} subjects",
            question="",
            text=text,
            seed=seed,
            read=files,
        )


def subject_images(sources: Sequence[Path], at: Mapping[str, Any]) -> dict[str, Path]:
    """Return the images of the subjects by name.

    Raises
    ------
    InputError
        If a file is missing, or the points of a sweep are not told or have failed.
    """
    if len(sources) == 1 and sources[0].is_dir():
        return _of_sweep(sources[0], at)
    for path in sources:
        if not path.is_file():
            raise InputError(f"expected images in MNI space or the folder of a sweep, got {path}")
    told = [SUBJECT.findall(str(path)) for path in sources]
    stems = [path.name.removesuffix(".gz").removesuffix(".nii") for path in sources]
    for names in ([found[-1] for found in told if found], stems):
        if len(set(names)) == len(sources):
            return dict(zip(names, sources, strict=True))
    return {str(path): path for path in sources}


def paired(first: Sequence[str], second: Mapping[str, Path]) -> tuple[dict[str, Path], list[str]]:
    """Return the images of a second condition in the order of the first, and what to know of it.

    Subjects are paired by name. Where no name of the one is a name of the other they are paired in
    their order, which is told.

    Raises
    ------
    InputError
        If some subjects are in one condition only, or their numbers differ.
    """
    if set(first) == set(second):
        return {name: second[name] for name in first}, []
    alone = sorted(set(first) ^ set(second))
    if set(first) & set(second) or all(SUBJECT.fullmatch(name) for name in alone):
        raise InputError(
            "expected the same subjects under both conditions, in one only: "
            f"{', '.join(alone[:8])}: --against"
        )
    if len(first) != len(second):
        raise InputError(
            f"expected the same subjects under both conditions, got {len(first)} and "
            f"{len(second)}: --against"
        )
    pairs = ", ".join(f"{a} with {b}" for a, b in zip(first, second, strict=True))
    return dict(second), [f"The conditions name their subjects differently; paired: {pairs}."]


def _of_sweep(folder: Path, at: Mapping[str, Any]) -> dict[str, Path]:
    import xarray as xr

    path = folder / "group" / "sweep.nc"
    if not path.is_file():
        raise InputError(f"expected the folder of a sweep, found no {path}")
    data = xr.load_dataset(path, engine="h5netcdf")
    if "map" not in data or "head" not in data.dims:
        raise InputError(f"expected a sweep over heads with outputs.maps = true: {folder}")
    maps = data["map"]
    axes = [str(d) for d in maps.dims if d != "head"]
    for key, value in at.items():
        if not axes:
            raise InputError(f"the sweep varies the heads alone, got {key!r} to choose: {folder}")
        check_option("axis", key, axes, where=str(folder))
        if value not in maps[key].values.tolist():
            known = ", ".join(map(str, maps[key].values.tolist()))
            raise InputError(f"expected {key} = one of {known}, got {value!r}: {folder}")
        maps = maps.sel({key: value})
    left = [str(d) for d in maps.dims if d != "head" and maps.sizes[d] > 1]
    if left:
        raise InputError(f"the sweep varies {', '.join(left)} too: choose with --at {left[0]}=…")
    names, files = maps["head"].values.tolist(), maps.values.reshape(-1).tolist()
    lost = [name for name, file in zip(names, files, strict=True) if not file]
    if lost:
        raise InputError(f"there is no map of {', '.join(lost)}: {folder}")
    return {str(n): folder / f for n, f in zip(names, files, strict=True)}


def read_subjects(images: Mapping[str, Path]) -> Subjects:
    """Return the images of subjects, which must lie on one grid.

    A value that is not finite, or exactly 0 (as writers put outside a head), counts as none.

    Raises
    ------
    InputError
        If an image is none, or lies on another grid than the first.
    """
    import nibabel as nib

    from rheobase.fields.results.nifti import image_grid

    grid: Grid | None = None
    values = []
    for name, path in images.items():
        own = image_grid(path)
        if grid is None:
            grid = own
        elif own.shape != grid.shape or not np.allclose(own.affine, grid.affine, atol=1e-6):
            raise InputError(
                f"expected images on one grid, {name} is of shape {own.shape}, the first of "
                f"{grid.shape}, or lies elsewhere: {path}"
            )
        image: Any = nib.load(path)
        v = np.asarray(image.dataobj, dtype=np.float32)
        if v.ndim != 3:
            raise InputError(f"expected one number a voxel, got shape {v.shape}: {path}")
        values.append(np.where(np.isfinite(v) & (v != 0), v, np.nan))
    if grid is None or len(values) < 2:
        raise InputError(f"expected two subjects or more, got {len(values)}: group")
    return Subjects(names=tuple(images), values=np.stack(values), grid=grid)


def _check_grid(first: Subjects, second: Subjects) -> None:
    if first.grid.shape != second.grid.shape or not np.allclose(
        first.grid.affine, second.grid.affine, atol=1e-6
    ):
        raise InputError("expected both conditions on one grid of voxels: --against")


def _write_maps(found: Group, grid: Grid, book: Book) -> None:
    """Write the statistical maps as images."""
    from rheobase.fields.results.nifti import write_image

    maps = {
        "mean": found.mean,
        "sd": found.sd,
        "consistency": found.consistency,
        "t": found.t,
        "p": found.p_family,
        "count": found.count,
    }
    for name, values in maps.items():
        image = values.reshape(grid.shape).astype(np.float32)
        title = f"{name} over subjects ({UNITS[name]})"
        with book.file("field", ".nii.gz", title=title, space="MNI", stat=name) as part:
            write_image(part, partial(np.asarray, image), grid, space="MNI", description=title)


def _regions(
    atlas: Atlas, first: Subjects, second: Subjects | None, options: Mapping[str, Any]
) -> tuple[list[str], Group]:
    """Return the names of the regions, and the statistics of the subjects' means in them."""
    labels = _labels(atlas, first.grid)
    names = list(dict.fromkeys(atlas.names.values()))
    members = [np.isin(labels, [k for k, v in atlas.names.items() if v == n]) for n in names]
    means = [
        np.stack([_mean(s.values.reshape(len(s.names), -1)[:, m]) for m in members], axis=1)
        for s in (first, second)
        if s is not None
    ]
    kept = np.isfinite(means[0]).any(axis=0)
    means = [m[:, kept] for m in means]
    other = means[1] if len(means) > 1 else None
    told = [n for n, k in zip(names, kept, strict=True) if k]
    if not told:
        raise InputError("no region of the atlas holds a value of any subject: --atlas")
    return told, group_statistics(means[0], against=other, **options)


def _labels(atlas: Atlas, grid: Grid) -> NDArray[np.int32]:
    from math import prod

    n = prod(grid.shape)
    block = 1_000_000
    parts = [atlas.parcels.at(grid.points(k, min(k + block, n))) for k in range(0, n, block)]
    return np.concatenate(parts)


def _mean(values: NDArray[np.float32]) -> Floats:
    """Return each subject's mean over voxels, NaN where it has none."""
    count = np.isfinite(values).sum(axis=1)
    total = np.nansum(values, axis=1, dtype=np.float64)
    mean: Floats = np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
    return mean


def _rows(names: list[str], found: Group) -> list[dict[str, str | float | int]]:
    return [
        {
            "region": name,
            "subjects": int(found.count[k]),
            "mean": float(found.mean[k]),
            "sd": float(found.sd[k]),
            "consistency": float(found.consistency[k]),
            "t": float(found.t[k]),
            "p_family": float(found.p_family[k]),
            "q_rate": float(found.q_rate[k]),
        }
        for k, name in enumerate(names)
    ]


def _write_regions(names: list[str], found: Group, book: Book) -> None:
    from rheobase.meshes.regions.statistics import write_table

    with book.file("statistics", ".csv", title="Regions over subjects", desc="regions") as part:
        write_table(part, _rows(names, found))


def _tell(
    found: Group,
    first: Subjects,
    tested: str,
    regions: tuple[list[str], Group] | None,
    reference: float,
    paired: bool,
    book: Book,
) -> None:
    """Put the report together."""
    n = len(first.names)
    known = np.isfinite(found.mean)
    small = known & (found.p_family < 0.05)
    book.facts.update({"Subjects": str(n), "Voxels": f"{int(known.sum()):,}", "Tested": tested})
    whole = Table(
        columns=("statistic", "unit", "smallest", "median", "largest"),
        rows=[
            (name, UNITS[name], *(float(q) for q in np.nanquantile(v[known], [0, 0.5, 1])))
            for name, v in (
                ("mean", found.mean),
                ("sd", found.sd),
                ("consistency", found.consistency),
                ("t", found.t),
            )
        ],
    )
    book.tables["Voxels"] = whole
    what = (
        "share of the subjects whose difference has the sign of the mean"
        if paired
        else f"share of the subjects whose value is at least {FRACTION:.0%} of their own "
        f"{STRONG:g}th percentile"
    )
    words = [
        f"{n} subjects: {', '.join(first.names)}.",
        f"Consistency is the {what}. t asks about the {tested}; p is family-wise over all voxels, "
        f"from the largest |t| under {found.flips:,} flips of signs; the smallest it can be with "
        f"these subjects is {2 / 2**n:.2g}. {int(small.sum()):,} voxels have p < 0.05.",
    ]
    pictures = []
    with stage("pictures"):
        shape = first.grid.shape
        maps = {
            "mean (V/m)": found.mean.reshape(shape),
            "standard deviation (V/m)": found.sd.reshape(shape),
            "consistency": found.consistency.reshape(shape),
            "t": found.t.reshape(shape),
        }
        figure = draw_maps(maps, first.grid)
        pictures.append(book.picture("maps", figure, "Sections through the largest mean."))
    tables = [whole]
    if regions is not None:
        rows = sorted(_rows(*regions), key=lambda row: -abs(float(row["mean"])))[:MOST_ROWS]
        table = Table(columns=tuple(rows[0]), rows=[tuple(row.values()) for row in rows])
        book.tables["Regions"] = table
        tables.append(table)
    book.sections.append(
        Section(title="Over subjects", paragraphs=words, figures=pictures, tables=tables)
    )
    if not paired and reference == 0:
        book.notes.append(
            "The strength of a field is positive in every subject: that its mean is above 0 tells "
            "nothing. Compare two conditions, or give a reference."
        )
    if 2 / 2**n > 0.05:
        book.notes.append(
            f"With {n} subjects no place can be found at p < 0.05: signs have {2**n} patterns."
        )
    book.details["group"] = {"subjects": list(first.names), "flips": found.flips, "tested": tested}


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in text.splitlines())
