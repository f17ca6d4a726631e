"""Points that are whole runs: any kind of study, and the numbers of its tables and datasets."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rheobase._errors import InputError, check_option
from rheobase._files import content_key
from rheobase.study_file import load_study
from rheobase.sweeps.design import Point
from rheobase.sweeps.settings import Base
from rheobase.tables.sweep import OutputsTable, ValueTable

if TYPE_CHECKING:
    import xarray as xr

    from rheobase.results import Result

RUNS = "runs"  # folder of the whole results that are kept


def run_point(base: Base, outputs: OutputsTable, out: Path, point: Point) -> dict[str, Any]:
    """Run the study at a point and return what is asked of its results.

    Parameters
    ----------
    base, outputs
        The study, and what is asked.
    out
        Folder of the sweep; whole results are kept under ``runs`` there where that is asked.
    point
        The point.

    Raises
    ------
    InputError
        If the study cannot be run, or its results have no such number.
    """
    name = content_key(point)
    file = load_study(base.at(point), kind=base.kind.name, name=base.name, folder=base.folder)
    if outputs.keep:
        return _values(file.run(out / RUNS / name), outputs)
    with TemporaryDirectory(prefix=".run-", dir=out) as folder:
        return _values(file.run(folder), outputs)


def _values(result: Result, outputs: OutputsTable) -> dict[str, Any]:
    return {one.name: _value(result, one) for one in outputs.values}


def _value(result: Result, asked: ValueTable) -> Any:
    where = f"outputs.values, {asked.name!r}"
    if asked.dataset is not None:
        return _of_dataset(result.dataset(asked.dataset), asked, where)
    assert asked.table is not None  # ValueTable
    assert asked.column is not None
    table = result.tables[check_option("table", asked.table, result.tables, where=where)]
    columns = list(table.columns)
    for column in (asked.column, *asked.row):
        check_option("column", column, columns, where=where)
    rows = [dict(zip(columns, row, strict=True)) for row in table.rows]
    kept = [row for row in rows if all(_same(row[k], v) for k, v in asked.row.items())]
    if not kept:
        told = ", ".join(f"{k} = {v!r}" for k, v in asked.row.items())
        raise InputError(f"expected a row with {told}, found none of {len(rows)}: {where}")
    if len(kept) == 1:
        return kept[0][asked.column]
    import xarray as xr

    others = [c for c in columns if c != asked.column and c not in asked.row]
    telling = next((c for c in others if len({row[c] for row in kept}) == len(kept)), None)
    labels = [str(row[telling]) for row in kept] if telling else list(range(len(kept)))
    return xr.DataArray(
        [row[asked.column] for row in kept],
        dims=(f"{asked.name}_row",),
        coords={f"{asked.name}_row": labels},
        attrs={"long_name": asked.column},
    )


def _of_dataset(data: xr.Dataset, asked: ValueTable, where: str) -> xr.DataArray:
    assert asked.variable is not None  # ValueTable
    names = [str(name) for name in data.data_vars]
    found = data[check_option("variable", asked.variable, names, where=where)]
    dims = [str(d) for d in found.dims]
    for dim in asked.at:
        check_option("dimension", dim, dims, where=where)
    try:
        return found.sel(dict(asked.at), drop=True)
    except KeyError as error:
        raise InputError(f"expected a label of the variable, got {error}: {where}") from None


def _same(cell: Any, asked: Any) -> bool:
    """Return whether a cell of a table is the asked one; numbers to four digits, as they show."""
    if isinstance(cell, float) and isinstance(asked, int | float):
        return f"{cell:.4g}" == f"{asked:.4g}"
    return str(cell) == str(asked)
