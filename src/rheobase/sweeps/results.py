"""Running a parameter study: one labelled NetCDF, a table, a report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase._progress import announce, stage
from rheobase.meshes.regions.statistics import Row, write_table
from rheobase.report import Section, Table
from rheobase.results import Result, finish, open_book
from rheobase.sweeps.design import SAMPLE, Design, label
from rheobase.sweeps.parts import PENDING
from rheobase.sweeps.sensitivity import Sensitivity, sensitivity
from rheobase.sweeps.series import Series, series
from rheobase.sweeps.study import Sweep, plain_tables
from rheobase.sweeps.views import picture

if TYPE_CHECKING:
    import xarray as xr

    from rheobase.stations.book import Book

MOST_PICTURES = 12
MOST_ROWS = 40


def run_sweep(
    sweep: Sweep,
    out: Path,
    *,
    jobs: int = 1,
    dask: str | None = None,
    chosen: Iterable[int] | None = None,
    retry_failed: bool = False,
) -> Result:
    """Work out the points that are not finished, and write what all of them say.

    Parameters
    ----------
    sweep
        The parameter study.
    out, jobs, dask, chosen, retry_failed
        As in `rheobase.sweeps.sweep.sweep`.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        As there.
    """
    for note in sweep.design.notes:
        announce(note)
    data = sweep.work_out(out, jobs=jobs, dask=dask, chosen=chosen, retry_failed=retry_failed)
    table = sweep.table
    files = {name: path for name, path in sweep.files().items() if path.is_file()}
    with open_book(sweep.text, out, folder=sweep.folder) as book:
        book.details["base"] = plain_tables(sweep.base.record())
        _describe(data, sweep)
        with book.file("sweep", ".nc", title="All numbers, labelled") as part:
            data.to_netcdf(part, engine="h5netcdf")
        numbers = list(series(data, sweep.design))
        with book.file("sweep", ".csv", title="All numbers, a point a row") as part:
            write_table(part, rows_of(sweep.design, numbers, data))
        _tell(sweep, data, numbers, book)
        return finish(
            book,
            title=table.title,
            question=table.question,
            text=sweep.text,
            seed=table.seed,
            read={**table.files(), **files},
        )


def _describe(data: xr.Dataset, sweep: Sweep) -> None:
    """Write into the dataset what it is, so that the file speaks for itself."""
    data.attrs = {
        "title": sweep.table.title,
        "question": sweep.table.question,
        "study": sweep.base.name,
        "study_tables": json.dumps(sweep.base.table, default=str, sort_keys=True),
        "method": sweep.design.method,
        "sweep": sweep.text,
        "notes": " ".join(sweep.design.notes),
    }
    data["error"].attrs = {"long_name": f'what a point said, "" for none, {PENDING!r} yet'}
    for key, one in sweep.design.ranges.items():
        data[key].attrs = {"low": one.low, "high": one.high, "scale": one.scale}


def rows_of(design: Design, numbers: list[Series], data: xr.Dataset) -> list[Row]:
    """Return all numbers as rows of a table, a point a row."""
    errors = data["error"].to_numpy().reshape(-1).tolist()
    flat = [(one.title, one.values.reshape(-1).tolist()) for one in numbers]
    return [
        {key: label(point[key]) for key in design.keys}
        | {title: values[k] for title, values in flat}
        | {"error": errors[k]}
        for k, point in enumerate(design.points)
    ]


def _tell(sweep: Sweep, data: xr.Dataset, numbers: list[Series], book: Book) -> None:
    """Put the report together."""
    design = sweep.design
    errors = data["error"].to_numpy().reshape(-1)
    failed = [k for k, e in enumerate(errors) if e not in {"", PENDING}]
    waiting = int((errors == PENDING).sum())
    book.facts.update(
        {
            "Points": f"{len(design):,} ({_shape(design)})",
            "Finished": f"{int((errors == '').sum()):,}",
            "Failed": f"{len(failed):,}",
        }
    )
    if waiting:
        book.facts["Not run"] = f"{waiting:,}"
    axes = _axes(design)
    book.sections.append(
        Section(
            title="Design",
            paragraphs=[
                f"{sweep.base.name} at {len(design):,} points: {design.method.replace('_', ' ')}."
            ],
            tables=[axes],
        )
    )
    found = {one.name: _sensitive(design, one) for one in numbers} if design.ranges else {}
    summary = _summary(numbers)
    book.tables["Numbers"] = summary
    tables = [summary]
    if any(s is not None for s in found.values()):
        book.tables["Share of the variance (Sobol index, total)"] = shares = _shares(design, found)
        tables.append(shares)
    shown = [one for one in numbers if np.isfinite(one.values).any()][:MOST_PICTURES]
    with stage("pictures"):
        pictures = [
            book.picture(f"sweep {k}", picture(design, one, found.get(one.name)), f"{one.title}.")
            for k, one in enumerate(shown)
        ]
    words = []
    if len(numbers) > len(shown):
        words.append(f"The first {len(shown)} of {len(numbers)} numbers; the files have all.")
    if found:
        words.append(
            "A Sobol index is the share of the variance over the ranges that goes with a setting, "
            "alone or with all its interactions; polynomial chaos, whose leave-one-out error is in "
            "the table."
        )
    book.sections.append(
        Section(title="Numbers", paragraphs=words, figures=pictures, tables=tables)
    )
    if failed:
        book.tables["Failed points"] = lost = _failures(design, errors, failed)
        book.sections.append(Section(title="Failed points", tables=[lost]))
        book.notes.append(
            f"{len(failed)} of {len(design)} points failed; their traces are in the folder points."
        )
    book.notes.extend(design.notes)
    book.details["sweep"] = {
        "points": len(design),
        "failed": len(failed),
        "not_run": waiting,
        "method": design.method,
    }


def _shape(design: Design) -> str:
    return " x ".join(f"{n} {dim}" for n, dim in zip(design.shape, design.dims, strict=True))


def _axes(design: Design) -> Table:
    rows: list[tuple[str | float | int, ...]] = []
    for dim, own in design.dims.items():
        for key, values in own.items():
            one = design.ranges.get(key)
            if one is not None:
                told = f"{one.low:g} to {one.high:g}, {one.scale}"
            else:
                told = ", ".join(str(label(v)) for v in values[:8]) + (
                    ", …" if len(values) > 8 else ""
                )
            rows.append((key, dim, len(values), told))
    return Table(columns=("key", "along", "values", "which"), rows=rows)


def _sensitive(design: Design, one: Series) -> Sensitivity | None:
    """Return the dependence on the samples, over the mean of the other dimensions."""
    at = list(design.dims).index(SAMPLE)
    values = np.moveaxis(one.values, at, 0).reshape(design.shape[at], -1)
    return sensitivity(design, values.mean(axis=1))


def _summary(numbers: list[Series]) -> Table:
    rows: list[tuple[str | float | int, ...]] = []
    for one in numbers[:MOST_ROWS]:
        known = one.values[np.isfinite(one.values)]
        if len(known):
            numbers_ = (known.min(), float(np.median(known)), known.mean(), known.max())
            rows.append((one.name, one.unit, len(known), *(float(x) for x in numbers_)))
    return Table(
        columns=("number", "unit", "points", "smallest", "median", "mean", "largest"), rows=rows
    )


def _shares(design: Design, found: Mapping[str, Sensitivity | None]) -> Table:
    return Table(
        columns=("number", *design.ranges, "mean", "sd", "degree", "leave-one-out error"),
        rows=[
            (name, *(s.total[n] for n in design.ranges), s.mean, s.sd, s.degree, s.error)
            for name, s in list(found.items())[:MOST_ROWS]
            if s is not None
        ],
    )


def _failures(design: Design, errors: Any, failed: list[int]) -> Table:
    return Table(
        columns=(*design.keys, "error"),
        rows=[
            (*(label(design.points[k][key]) for key in design.keys), str(errors[k]))
            for k in failed[:MOST_ROWS]
        ],
    )
