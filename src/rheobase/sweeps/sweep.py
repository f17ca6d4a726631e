"""One function over many points, kept point by point, so that nothing finished is lost.

Each finished point is a file of its own in a folder. A sweep that was killed, or whose design has
grown, goes on where it stood; a point that fails is written down with its error and stops no other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rheobase._errors import InputError
from rheobase._files import content_key, whole_file
from rheobase._progress import track
from rheobase.sweeps.cluster import check_cluster, on_cluster
from rheobase.sweeps.design import Design, Point, grid
from rheobase.sweeps.parts import gathered, read_part
from rheobase.sweeps.work import Bunch, Maker, Task, here, in_processes

if TYPE_CHECKING:
    import xarray as xr

POINTS = "points"  # folder of the parts
LABEL = "sweep.json"
SHARES = 4  # bunches for each process, so that none waits long for the last


def sweep(
    function: Callable[..., Any],
    axes: Mapping[str, Any] | Design,
    *,
    out: Path | str,
    fixed: Mapping[str, Any] | None = None,
    jobs: int = 1,
    dask: str | None = None,
    chosen: Iterable[int] | None = None,
    retry_failed: bool = False,
) -> xr.Dataset:
    """Return ``function(**point, **fixed)`` over all points of a design.

    Parameters
    ----------
    function
        What to do at a point. It returns a mapping of names to numbers, ``(dims, array)`` or
        `xarray.DataArray`, or an `xarray.Dataset`; with the same names and coordinates at each.
    axes
        Values (a list or array, or one) by the name of the argument, for all combinations; or a
        design (`rheobase.sweeps.design`: `grid`, `sampled`, `listed`).
    out
        Folder of the points; one of the same function and constants goes on.
    fixed
        Constants passed to every point, that JSON can hold.
    jobs
        Processes; each works with one thread where there are several.
    dask
        Address of a Dask scheduler, or "local" for a cluster of ``jobs`` workers started here.
    chosen
        Indices of the points to work out, all if None: jobs of an array share a folder.
    retry_failed
        Whether points that have failed before are tried again.

    Returns
    -------
    xarray.Dataset
        The results over the dimensions of the design and their own, NaN where there is none, and
        ``error`` over those of the design: what a point said, "" for none, "not run" for those that
        wait. The full trace is in the folder, in the point's ``.error`` file.

    Raises
    ------
    InputError
        If the design is empty or a value repeats or is none of these, a constant is also an axis,
        the folder belongs to another sweep or cannot be written, Dask is not there, or results do
        not fit together.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     found = sweep(divmod_of, {"a": [7, 9], "b": [2, 4]}, out=folder)
    >>> found["rest"].sel(a=9).values.tolist()
    [1, 1]
    """
    design = axes if isinstance(axes, Design) else grid(axes)
    constants = dict(fixed or {})
    both = sorted(set(design.keys) & set(constants))
    if both:
        raise InputError(f"{both[0]!r} must be an axis or fixed, not both: sweep")
    own = getattr(function, "__qualname__", None)
    if own is None:
        raise InputError(f"function must have a name (constants go to fixed), got {function!r}")
    name = f"{function.__module__}.{own}"
    work_out(
        partial(plain, function, constants),
        design,
        Path(out),
        {"function": name, "fixed": constants},
        jobs=jobs,
        dask=dask,
        chosen=chosen,
        retry_failed=retry_failed,
    )
    result = gather(design, Path(out))
    result.attrs = {"function": name, "fixed": json.dumps(constants, sort_keys=True)}
    return result


def divmod_of(a: int, b: int) -> dict[str, int]:
    """Return quotient and remainder: the example of `sweep`."""
    return {"times": a // b, "rest": a % b}


def plain(
    function: Callable[..., Any], fixed: Mapping[str, Any], points: Sequence[Point]
) -> Callable[[Point], Any]:
    """Return what works out a point by a function that shares nothing between points."""
    del points
    return lambda point: function(**point, **fixed)


def work_out(
    make: Maker,
    design: Design,
    out: Path,
    what: Mapping[str, Any],
    *,
    share: Callable[[Point], str] | None = None,
    most: int | None = None,
    jobs: int = 1,
    dask: str | None = None,
    chosen: Iterable[int] | None = None,
    retry_failed: bool = False,
) -> None:
    """Work out the points of a design that are not finished.

    Parameters
    ----------
    make
        Makes, from the points of a bunch, the function that works out each.
    design, out, jobs, dask, chosen, retry_failed
        As in `sweep`.
    what
        What the points are results of, that JSON can hold: a folder of something else is refused.
    share
        Key of what a point shares with others: points of a key come one after the other in one
        process.
    most
        Keys in a bunch at most; one where None and ``share`` is given.

    Raises
    ------
    InputError
        As `sweep`.
    """
    if jobs < 1:
        raise InputError(f"jobs must be >= 1, got {jobs}: sweep")
    if dask is not None:
        check_cluster()
    claim(out, what)
    (out / POINTS).mkdir(exist_ok=True)
    every = tasks(design, out)
    mine = every if chosen is None else [every[k] for k in _indices(chosen, len(every))]
    if retry_failed:
        for task in mine:
            task.failed.unlink(missing_ok=True)
    left = [task for task in mine if task.left]
    bunches = _bunches(left, share, most, jobs)
    if dask is not None:
        done = on_cluster(make, bunches, dask, jobs)
    else:
        done = here(make, bunches) if jobs == 1 else in_processes(make, bunches, jobs)
    ticks = (tick for size in done for tick in range(size))
    for _ in track(ticks, f"sweep of {len(left)} points", total=len(left)):
        pass


def tasks(design: Design, out: Path) -> list[Task]:
    """Return the task of each point: files are named by what is in the point."""
    folder = out / POINTS
    return [Task(point, folder / f"{content_key(point)}.point") for point in design.points]


def gather(design: Design, out: Path) -> xr.Dataset:
    """Return what the points in a folder have given, as `rheobase.sweeps.parts.gathered`."""
    parts, errors = {}, {}
    for k, task in enumerate(tasks(design, out)):
        if task.path.exists():
            parts[k] = read_part(task.path)
        elif task.failed.exists():
            errors[k] = json.loads(task.failed.read_text(encoding="utf-8"))["error"]
    return gathered(design, parts, errors)


def claim(out: Path, what: Mapping[str, Any]) -> None:
    """Write down whose folder this is, or check it.

    Raises
    ------
    InputError
        If it belongs to something else, or that cannot be written.
    """
    try:
        text = json.dumps(what, sort_keys=True, indent=1)
    except TypeError as error:
        raise InputError(f"fixed must hold what JSON can: {error}: sweep") from error
    label = out / LABEL
    if not label.exists():
        with whole_file(label) as part:
            part.write_text(text, encoding="utf-8")
        return
    found = label.read_text(encoding="utf-8")
    if found != text:
        differ = _difference(json.loads(found), json.loads(text))
        raise InputError(f"expected another folder, {out} holds a sweep with another {differ}")


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Name what differs between two sweeps."""
    keys = [k for k in {**new, **old} if old.get(k) != new.get(k)]
    return ", ".join(f"{k} ({str(old.get(k))[:120]})" for k in keys)


def _indices(chosen: Iterable[int], n: int) -> list[int]:
    found = sorted(set(chosen))
    if found and not 0 <= found[0] <= found[-1] < n:
        raise InputError(f"expected points from 0 to {n - 1}, got {found[0]} to {found[-1]}")
    return found


def _bunches(
    left: list[Task], share: Callable[[Point], str] | None, most: int | None, jobs: int
) -> list[Bunch]:
    """Return the tasks in bunches: by what they share, else enough of them for all processes."""
    if share is None:
        size = max(1, min(64, len(left) // (SHARES * jobs)))
        return [left[k : k + size] for k in range(0, len(left), size)]
    keyed = sorted(((share(task.point), k) for k, task in enumerate(left)))
    groups = [[left[k] for _, k in own] for _, own in groupby(keyed, key=lambda pair: pair[0])]
    size = max(1, min(most or 1, -(-len(groups) // jobs)))
    return [
        [task for group in groups[k : k + size] for task in group]
        for k in range(0, len(groups), size)
    ]
