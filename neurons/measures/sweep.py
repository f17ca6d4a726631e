"""One function over a grid of values, kept point by point, so that nothing finished is lost.

Each finished point is a file of its own in a folder. A sweep that was killed, or whose grid has
grown, goes on where it stood; a point that fails is written down with its error and stops no other.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase._errors import InputError
from rheobase._files import content_key, whole_file
from rheobase._progress import track

if TYPE_CHECKING:
    import xarray as xr

type Point = dict[str, str | bool | int | float]
type Task = tuple[Callable[..., Any], Point, dict[str, Any], Path]


def sweep(
    function: Callable[..., Any],
    grid: Mapping[str, Any],
    *,
    out: Path | str,
    fixed: Mapping[str, Any] | None = None,
    jobs: int = 1,
) -> xr.Dataset:
    """Return ``function(**point, **fixed)`` over all points of ``grid``.

    Parameters
    ----------
    function
        What to do at a point. It returns a mapping of names to numbers, ``(dims, array)`` or
        `xarray.DataArray`, or an `xarray.Dataset`; with the same names and coordinates at each.
    grid
        Values (a list or array, or one) by the name of the argument: finite numbers, strings or
        booleans.
    out
        Folder of the points; one of the same function and constants goes on.
    fixed
        Constants passed to every point, that JSON can hold.
    jobs
        Processes; each works with one thread where there are several.

    Returns
    -------
    xarray.Dataset
        The results over the axes of the grid and their own, NaN where a point failed, and
        ``error`` over the axes of the grid: what it said, or "". Failed points are tried again by
        the next call. The full trace is in the folder, in the point's ``.error`` file.

    Raises
    ------
    InputError
        If the grid is empty or a value repeats or is none of these, a constant is also an axis,
        the folder belongs to another sweep or cannot be written, or results do not fit together.
    """
    axes = _checked(grid)
    constants = dict(fixed or {})
    name = _claim(function, axes, constants, Path(out))
    if jobs < 1:
        raise InputError(f"jobs must be >= 1, got {jobs}: sweep")
    points: list[Point] = [dict(zip(axes, p, strict=True)) for p in product(*axes.values())]
    paths = [Path(out) / f"{content_key(p)}.nc" for p in points]
    tasks = [
        (function, point, constants, path)
        for point, path in zip(points, paths, strict=True)
        if not path.exists()
    ]
    done = map(_work, tasks) if jobs == 1 else _in_processes(tasks, jobs)
    for _ in track(done, f"sweep of {len(tasks)} points", total=len(tasks)):
        pass
    result = _gathered(axes, points, paths)
    result.attrs = {"function": name, "fixed": json.dumps(constants, sort_keys=True)}
    return result


def _checked(grid: Mapping[str, Any]) -> dict[str, list[str | bool | int | float]]:
    """Return the values of each axis as plain Python values."""
    axes = {}
    for name, values in grid.items():
        plain = np.atleast_1d(values).tolist()
        allowed = all(
            isinstance(v, str | bool) or (isinstance(v, int | float) and np.isfinite(v))
            for v in plain
        )
        if not plain or not allowed or len(set(plain)) < len(plain):
            raise InputError(
                f"values must be distinct finite numbers, strings or booleans, got {values!r}: "
                f"grid of {name!r}"
            )
        axes[name] = plain
    if not axes:
        raise InputError("grid must have an axis, got none: sweep")
    return axes


def _claim(
    function: Callable[..., Any], axes: Iterable[str], fixed: dict[str, Any], folder: Path
) -> str:
    """Write down whose folder this is, or check it; return the name of the function."""
    both = sorted(set(axes) & set(fixed))
    if both:
        raise InputError(f"{both[0]!r} must be an axis or fixed, not both: sweep")
    own = getattr(function, "__qualname__", None)
    if own is None:
        raise InputError(f"function must have a name (constants go to fixed), got {function!r}")
    name = f"{function.__module__}.{own}"
    try:
        text = json.dumps({"function": name, "fixed": fixed}, sort_keys=True, indent=1)
    except TypeError as error:
        raise InputError(f"fixed must hold what JSON can: {error}: sweep") from error
    label = folder / "sweep.json"
    if label.exists():
        found = label.read_text()
        if found != text:
            raise InputError(
                f"{folder} holds the sweep of another function or other constants, "
                f"{' '.join(found.split())}: sweep of {name}"
            )
    else:
        with whole_file(label) as part:
            part.write_text(text)
    return name


def _work(task: Task) -> None:
    """Work out one point and write its file, or the error's."""
    import xarray as xr

    function, point, fixed, path = task
    running, failed = path.with_suffix(".running"), path.with_suffix(".error")
    running.touch()
    try:
        made = function(**point, **fixed)
        result = made if isinstance(made, xr.Dataset) else xr.Dataset(made)
        names = {str(name) for name in (*result.variables, *result.dims)}
        taken = sorted(names & {*point, "error", "point"})
        if taken:
            raise InputError(f"result must not be called {taken[0]!r}, as an axis of the sweep is")
        with whole_file(path) as part:
            result.to_netcdf(part, engine="h5netcdf")
        failed.unlink(missing_ok=True)
    except Exception as error:  # noqa: BLE001, RUF100 - any failure is this point's alone
        _fail(failed, point, f"{type(error).__name__}: {error}", traceback.format_exc())
    running.unlink(missing_ok=True)


def _fail(path: Path, point: Point, error: str, trace: str) -> None:
    """Write down what went wrong at a point."""
    with whole_file(path) as part:
        part.write_text(json.dumps({"point": point, "error": error, "trace": trace}, indent=1))


def _in_processes(tasks: list[Task], jobs: int) -> Iterator[None]:
    """Work out the points in ``jobs`` processes.

    When a process dies (out of memory, a crash in native code) its point is not known, but it is
    among those at work. They are tried again, each alone; those that die alone have failed.
    """
    from joblib import Parallel, delayed, parallel_config

    for _, _, _, path in tasks:
        path.with_suffix(".running").unlink(missing_ok=True)
    with parallel_config(backend="loky", inner_max_num_threads=1):
        left = list(tasks)
        while left:
            finished: set[Path] = set()
            try:
                work = Parallel(n_jobs=jobs, batch_size=1, return_as="generator_unordered")
                for path in work(delayed(_named)(task) for task in left):
                    finished.add(path)
                    yield
                return
            except BrokenProcessPool:
                at_work = [t for t in left if t[3].with_suffix(".running").exists()]
                if not at_work:  # it died before it began: another try would do the same
                    raise
            for task in at_work:
                try:
                    Parallel(n_jobs=2)([delayed(_work)(task)])
                except BrokenProcessPool:
                    _fail(
                        task[3].with_suffix(".error"),
                        task[1],
                        "its process died (out of memory, or a crash)",
                        "",
                    )
                    task[3].with_suffix(".running").unlink(missing_ok=True)
                finished.add(task[3])
                yield
            left = [t for t in left if t[3] not in finished and not t[3].exists()]


def _named(task: Task) -> Path:
    """Work out one point and return its path."""
    _work(task)
    return task[3]


def _gathered(
    axes: dict[str, list[str | bool | int | float]], points: list[Point], paths: list[Path]
) -> xr.Dataset:
    """Return all points on the grid, those without a file as NaN with their error."""
    import xarray as xr

    errors = np.full(len(points), "", dtype=object)
    found: list[tuple[int, xr.Dataset]] = []
    for k, path in enumerate(paths):
        if path.exists():
            found.append((k, xr.load_dataset(path, engine="h5netcdf")))
        else:
            errors[k] = json.loads(path.with_suffix(".error").read_text())["error"]
    shape = tuple(len(values) for values in axes.values())
    result = xr.Dataset(
        {"error": (tuple(axes), errors.reshape(shape).astype(str))}, coords=dict(axes)
    )
    if not found:
        return result
    try:
        together = xr.concat(
            [part for _, part in found],
            dim="point",
            join="exact",
            coords="minimal",
            compat="equals",
            data_vars="all",
        )
    except (ValueError, xr.AlignmentError) as error:
        raise InputError(
            f"results must have the same names and coordinates at each point: sweep: {error}"
        ) from error
    place = xr.DataArray([k for k, _ in found], dims="point", name="point")
    whole = together.assign_coords(point=place).reindex(point=np.arange(len(points)))
    for name, variable in whole.data_vars.items():
        own = tuple(d for d in variable.dims if d != "point")
        values = variable.transpose("point", *own).to_numpy()
        result[name] = ((*axes, *own), values.reshape(*shape, *values.shape[1:]), variable.attrs)
    return result.assign_coords({n: c for n, c in whole.coords.items() if n != "point"})
